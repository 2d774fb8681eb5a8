"""The WUS face: the BerichtenboxValidatieService, which says at once which citizens want letters of an Afnemer.

What it knows is the register of the Berichtenbox. BSNs stand in a Body only: no fault, record or URL repeats one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from conformance.berichtenbox import citizens, wus_description, wus_faults, wus_remarks
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.faults import Fault, Point
from conformance.berichtenbox.http import bare, read_body
from conformance.berichtenbox.ledger import Writing
from conformance.berichtenbox.trouble import NO_ANSWER, refusing, spoiled, status_of
from conformance.berichtenbox.usage import Ruling
from conformance.berichtenbox.wus_remarks import Remark
from conformance.messages.bsns import BsnList
from conformance.messages.identities import is_bsn_shaped, passes_elfproef
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
OPERATION: Final = "validatie"
_UNREADABLE: Final = "unreadable"
DROPPED: Final = "a fault that was set dropped the connection"
# The SNO gives the norm and not what happens above it: an aanname, and only when a tester asks for it.
TOO_MANY: Final = "too many requests this hour; ask again later"


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
    """What goes back, and what goes on the record about it; a question that could not be read is no bevraging."""

    status: int
    content: bytes
    subject: str
    media_type: str = "text/xml"
    bevraging: citizens.Bevraging | None = None
    remarks: tuple[Remark, ...] = ()

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
        body = await read_body(request, soap.LIMITS.size)  # before a fault that is slow: who does not wait for it is gone after
        refused = await refusing(faults)
        if refused is not None:
            await self._note(Outcome(status_of(refused), b"", _UNREADABLE))
            return refused
        headers, peer = request.headers, request.scope.get("extensions", {}).get(PEER)
        # 250 citizens take some milliseconds: meanwhile others are answered.
        outcome = await run_in_threadpool(self.outcome, Asked(headers.get("content-type", ""), headers.get("soapaction"), body, peer), faults)
        answer = spoiled(outcome.response(), faults)
        await self._note(replace(outcome, status=status_of(answer)))
        return answer

    async def _note(self, outcome: Outcome) -> None:
        call, bevraging = self._box.call_of(OPERATION, outcome.subject, outcome.status, wus_remarks.written(outcome.remarks)), outcome.bevraging
        if bevraging is not None and outcome.status == NO_ANSWER:
            bevraging = replace(bevraging, is_answered=False, note=_joined(bevraging.note, DROPPED))

        def work(writing: Writing) -> None:
            writing.add_call(call)
            if bevraging is not None:
                writing.citizens.add_bevraging(bevraging)

        await self._committer.do(work)

    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        """Return what goes back for a question, right or wrong."""
        found = self._outcome(asked, faults)
        return replace(found, remarks=(*found.remarks, *wus_remarks.on_message(asked.body)))

    def _outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        addressing = None
        try:
            request = soap.read_request(asked.content_type, asked.soap_action, asked.body, ACTION)
            addressing = request.addressing
            aanvraag = read_aanvraag(request.content)
        except soap.MediaTypeRefused as refused:
            return Outcome(415, str(refused).encode(), _UNREADABLE, "text/plain", remarks=_unreadable(refused))
        except SoapFault as fault:
            return replace(self._fault(fault, _UNREADABLE, fault.addressing), remarks=_unreadable(fault))
        except UnreadableValidatie as error:
            invalid = SoapFault(FaultCode.CLIENT, f"{Technical.SCHEMA} {error}", is_about_body=True)
            return replace(self._fault(invalid, _UNREADABLE, addressing), remarks=_unreadable(error))
        remarks = tuple(wus_remarks.on_question(aanvraag, self._box.connection.oins))
        return replace(self._answered(aanvraag, asked.peer, addressing, faults), remarks=remarks)

    def _answered(
        self, aanvraag: ValidatieAanvraag, peer: PeerCertificate | None, addressing: soap.Addressing | None, faults: Mapping[str, Fault]
    ) -> Outcome:
        """Return what goes back for a question that could be read, with the bevraging that it is."""
        count, now = len(aanvraag.klanten or ()), self._box.clock.now()
        subject = f"{count} klanten"
        ruling = self._box.abonnementen.usage.rule(citizens.Asked.VALIDATIE, aanvraag.leverancier_code or "", now, count)
        bevraging = self._bevraging(aanvraag, now, ruling)
        try:
            answer = wus_faults.bent(self._answer(aanvraag, peer, ruling, faults), aanvraag, faults)
        except NotAnswered as error:
            refused = replace(bevraging, is_answered=False, note=_joined(ruling.note, str(error)))
            return replace(self._fault(_declared(error), subject, addressing), bevraging=refused)
        content = soap.write_envelope(wus_faults.element_of(answer, faults), self._reply(addressing, RESPONSE_ACTION))
        content, spoiling = wus_faults.written(content, faults), wus_faults.spoiling(faults)
        if self._box.rewrite_validatie is not None:
            content, spoiling = self._box.rewrite_validatie(content)
        told = {item.klant.key for item in answer.abonnementen if item.klant is not None}
        bevraging = replace(
            bevraging,
            bsns=_bsns(key for key in _keys(aanvraag) if key in told),
            is_answered=not spoiling,
            note=_joined(ruling.note, spoiling),
        )
        return Outcome(200, content, subject, bevraging=bevraging)

    def _bevraging(self, aanvraag: ValidatieAanvraag, now: datetime, ruling: Ruling) -> citizens.Bevraging:
        return citizens.Bevraging(
            citizens.Asked.VALIDATIE,
            aanvraag.leverancier_code or "",
            now,
            self._box.wall(),
            bericht_type=aanvraag.bericht_type or "",
            bsns=_bsns(_keys(aanvraag)),
            count=len(aanvraag.klanten or ()),
            note=ruling.note,
        )

    def _fault(self, fault: SoapFault, subject: str, addressing: soap.Addressing | None) -> Outcome:
        return Outcome(500, soap.write_fault(fault, self._reply(addressing, fault.action)), subject)

    def _reply(self, addressing: soap.Addressing | None, action: str) -> soap.Addressing | None:
        return None if addressing is None else addressing.reply(action, f"urn:uuid:{self._box.new_guid()}")

    def _answer(self, aanvraag: ValidatieAanvraag, peer: PeerCertificate | None, ruling: Ruling, faults: Mapping[str, Fault]) -> ValidatieAntwoord:
        """Return the answer; raises :class:`NotAnswered`."""
        objection = _objection(aanvraag) or self.not_authorised(aanvraag.leverancier_code or "", peer)
        if objection:
            raise NotAnswered(FaultName.APPLICATION, objection)
        if "application-fault" in faults:
            raise NotAnswered(FaultName.APPLICATION, "the question cannot be answered")
        if "register-down" in faults:
            raise NotAnswered(FaultName.DEPENDENT_SERVICE, "the register of abonnementen cannot be reached; ask again later")
        if ruling.is_refused:
            raise NotAnswered(FaultName.DEPENDENT_SERVICE, TOO_MANY)
        wanting = self._wanting(aanvraag)
        return ValidatieAntwoord(tuple(Abonnement(klant, klant.key in wanting) for klant in aanvraag.klanten or ()))

    def not_authorised(self, oin: str, peer: PeerCertificate | None) -> str:
        """Return why this connection may not ask for that Afnemer; empty when it may.

        The certificate is of the Afnemer itself, or of the holder of the connection, who may ask for its clients as an intermediair.
        """
        if oin not in self._box.connection.oins:
            return "not authorised: the berichtleverancierCode is not an OIN of this connection"
        if peer is not None and peer.oin not in {oin, self._box.config.oin}:
            return "not authorised: the OIN of the client certificate may not ask for this berichtleverancierCode"
        return ""

    def _wanting(self, aanvraag: ValidatieAanvraag) -> frozenset[str]:
        """Return who takes this; an unknown or impossible BSN does not, which is an answer and not a fault."""
        register, bericht_type = self._box.register, aanvraag.bericht_type or ""
        if not register.bericht_types.get(bericht_type, False):
            return frozenset()
        return register.wanting(aanvraag.leverancier_code or "", bericht_type, filter(passes_elfproef, _keys(aanvraag)))


def _unreadable(error: ValueError) -> tuple[Remark, ...]:
    return (Remark(wus_remarks.UNREADABLE, str(error)),)


def _keys(aanvraag: ValidatieAanvraag) -> Iterator[str]:
    return (klant.key or "" for klant in aanvraag.klanten or ())


def _bsns(keys: Iterable[str]) -> BsnList:
    return BsnList.of(filter(is_bsn_shaped, keys)).unique()


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


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
