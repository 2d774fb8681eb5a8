"""The WUS face: the BerichtenboxValidatieService, which says at once which citizens want letters of an Afnemer.

What it knows is the register of the Berichtenbox. BSNs stand in a Body only: no fault, record or URL repeats one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from conformance.berichtenbox import wus_description
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.faults import Fault, Point
from conformance.berichtenbox.http import bare, read_body
from conformance.berichtenbox.trouble import refusing, spoiled, status_of
from conformance.messages.identities import passes_elfproef
from conformance.messages.validatie import (
    ACTION,
    MOST_KLANTEN,
    RESPONSE_ACTION,
    Abonnement,
    FaultName,
    UnreadableValidatie,
    ValidatieAanvraag,
    ValidatieAntwoord,
    fault_element,
    read_aanvraag,
)
from conformance.transport import soap
from conformance.transport.serving import PEER
from conformance.transport.soap import FaultCode, SoapFault, Technical
from conformance.transport.tls import PeerCertificate

PATH: Final = "/wus/BerichtenboxValidatieService"
_OPERATION: Final = "validatie"
_UNREADABLE: Final = "unreadable"


class NotAnswered(ValueError):  # noqa: N818  # the sentence reads "not answered"
    """A question that the service refuses with one of the faults of the WSDL."""

    def __init__(self, name: FaultName, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True, slots=True)
class Asked:
    """A POST as it came; ``soap_action`` is ``None`` without that header, ``peer`` is ``None`` without TLS."""

    content_type: str
    soap_action: str | None
    body: bytes = field(repr=False)
    peer: PeerCertificate | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What goes back, and what goes on the record about it."""

    status: int
    content: bytes
    subject: str
    media_type: str = "text/xml"

    def response(self) -> Response:
        """Return it as an HTTP answer."""
        return Response(self.content, self.status, media_type=self.media_type)


class WusFace:
    """The BerichtenboxValidatieService, on one Berichtenbox."""

    def __init__(self, box: Berichtenbox, committer: GroupCommitter) -> None:
        self._box = box
        self._committer = committer

    def routes(self) -> list[BaseRoute]:
        """Return the one route: POST asks, GET describes."""
        return [Route(PATH, self.serve, methods=["GET", "POST"])]

    async def serve(self, request: Request) -> Response:
        """Answer a question, or describe the service."""
        return await self.ask(request) if request.method == "POST" else _described(request)

    async def ask(self, request: Request) -> Response:
        """Answer ValidateAbonnementen, after it is on the record."""
        faults = {fault.name: fault for fault in self._box.faults.striking(Point.VALIDATE)}
        refused = await refusing(faults)
        if refused is not None:
            await self._note(_UNREADABLE, status_of(refused))
            return refused
        body = await read_body(request, soap.LIMITS.size)
        headers, peer = request.headers, request.scope.get("extensions", {}).get(PEER)
        outcome = self.outcome(Asked(headers.get("content-type", ""), headers.get("soapaction"), body, peer), faults)
        answer = spoiled(outcome.response(), faults)
        await self._note(outcome.subject, status_of(answer))
        return answer

    async def _note(self, subject: str, status: int) -> None:
        call = self._box.call_of(_OPERATION, subject, status)
        await self._committer.do(lambda writing: writing.add_call(call))

    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        """Return what goes back for a question, right or wrong."""
        subject, addressing = _UNREADABLE, None
        try:
            request = soap.read_request(asked.content_type, asked.soap_action, asked.body, ACTION)
            addressing = request.addressing
            aanvraag = read_aanvraag(request.content)
            subject = f"{len(aanvraag.klanten or ())} klanten"
            answer = self._answer(aanvraag, asked.peer, faults)
        except soap.MediaTypeRefused as refused:
            return Outcome(415, str(refused).encode(), subject, "text/plain")
        except SoapFault as fault:
            return self._fault(fault, subject, fault.addressing)
        except UnreadableValidatie as error:
            return self._fault(SoapFault(FaultCode.CLIENT, f"{Technical.SCHEMA} {error}", is_about_body=True), subject, addressing)
        except NotAnswered as error:
            return self._fault(_declared(error), subject, addressing)
        return Outcome(200, soap.write_envelope(answer.to_element(), self._reply(addressing, RESPONSE_ACTION)), subject)

    def _fault(self, fault: SoapFault, subject: str, addressing: soap.Addressing | None) -> Outcome:
        return Outcome(500, soap.write_fault(fault, self._reply(addressing, fault.action)), subject)

    def _reply(self, addressing: soap.Addressing | None, action: str) -> soap.Addressing | None:
        return None if addressing is None else addressing.reply(action, f"urn:uuid:{self._box.new_guid()}")

    def _answer(self, aanvraag: ValidatieAanvraag, peer: PeerCertificate | None, faults: Mapping[str, Fault]) -> ValidatieAntwoord:
        """Return the answer; raises :class:`NotAnswered`."""
        objection = _objection(aanvraag) or self.not_authorised(aanvraag.leverancier_code or "", peer)
        if objection:
            raise NotAnswered(FaultName.APPLICATION, objection)
        if "register-down" in faults:
            raise NotAnswered(FaultName.DEPENDENT_SERVICE, "the register of abonnementen cannot be reached; ask again later")
        return ValidatieAntwoord(
            tuple(
                Abonnement(klant, self._wants(klant.key or "", aanvraag.bericht_type or "", aanvraag.leverancier_code or ""))
                for klant in aanvraag.klanten or ()
            )
        )

    def not_authorised(self, oin: str, peer: PeerCertificate | None) -> str:
        """Return why this connection may not ask for that Afnemer; empty when it may.

        The certificate is of the Afnemer itself, or of the holder of the connection, who may ask for its clients as an intermediair.
        """
        if oin not in self._box.connection.oins:
            return "not authorised: the berichtleverancierCode is not an OIN of this connection"
        if peer is not None and peer.oin not in {oin, self._box.config.oin}:
            return "not authorised: the OIN of the client certificate may not ask for this berichtleverancierCode"
        return ""

    def _wants(self, bsn: str, bericht_type: str, oin: str) -> bool:
        """Tell whether a citizen takes this; an unknown or impossible BSN does not, which is an answer and not a fault."""
        register = self._box.register
        return register.bericht_types.get(bericht_type, False) and passes_elfproef(bsn) and register.wants(bsn, oin)


def _objection(aanvraag: ValidatieAanvraag) -> str:
    """Return what the service misses in a question that the schema lets through; empty when nothing."""
    klanten = aanvraag.klanten or ()
    if not aanvraag.leverancier_code:
        return "berichtleverancierCode is nil or empty: expected an OIN"
    if not aanvraag.bericht_type:
        return "berichtTypeCode is nil or empty: expected a BerichtType"
    if not 1 <= len(klanten) <= MOST_KLANTEN:
        return f"the request has {len(klanten)} klanten: expected 1 to {MOST_KLANTEN}"
    without = next((number for number, klant in enumerate(klanten, 1) if not klant.key), None)
    return "" if without is None else f"Klant {without} has no Key: expected a BSN"


def _declared(error: NotAnswered) -> SoapFault:
    """Return the Fault with the detail that the WSDL declares: the Afnemer can mend the one, and only wait for the other."""
    code = FaultCode.CLIENT if error.name is FaultName.APPLICATION else FaultCode.SERVER
    return SoapFault(code, str(error), details=[fault_element(error.name, str(error))], action=error.name.action)


def _described(request: Request) -> Response:
    """Answer ``?wsdl`` and ``?xsd=NAME`` with locations at the address that the caller used."""
    query = {key.lower(): value for key, value in request.query_params.items()}
    url = str(request.url.replace(query=""))
    if "wsdl" in query:
        return Response(wus_description.wsdl(url), media_type="text/xml")
    if "xsd" in query:
        found = wus_description.schema(query["xsd"], url)
        return bare("there is no such schema; start at ?wsdl", 404) if found is None else Response(found, media_type="text/xml")
    answer = bare("POST a SOAP 1.1 request here; ?wsdl describes it", 405)
    answer.headers["Allow"] = "POST"
    return answer
