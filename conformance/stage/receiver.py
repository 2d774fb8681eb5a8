"""The party under test as the receiver of ebMS messages: the kit writes them, right or wrong, posts them, and looks what came of it.

The cases of receiving know no more than :class:`Receiver`, so that they serve an Afnemer (which receives results) and a Berichtenbox (which
receives batches) alike.
"""

import hashlib
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

from conformance.afnemer.driver import AfnemerStatus, Delivered
from conformance.berichtenbox.ebms_link import EbmsLink
from conformance.berichtenbox.faults import Point
from conformance.berichtenbox.pushing import exchange_of
from conformance.berichtenbox.scripts import NO_RESULT
from conformance.berichtenbox.wire import Exchange, Sending
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode
from conformance.stage.judging import NotTestedError
from conformance.stage.scene import Scene, Seen
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.http import EMPTY, HttpAnswer, HttpOutcome, HttpRequest
from conformance.transport.ebms2.mime import MimeRefused
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import SOAP_ACTION, Kind
from conformance.transport.ebms2.reading import EnvelopeRefused, read_message
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.sending import Delivery
from conformance.transport.ebms2.writing import SOAP_TYPE, Outgoing, write_message
from conformance.transport.endpoint import Endpoint
from conformance.verdicts import Reason

CHUNK: Final = 1_000
_CANARY_PATH: Final = "/kanarie"
_STOCK: Final = 6
_LONGEST_WAIT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Signal:
    """One answer of the party: ``message`` as it was read, or ``None`` with the ``trouble`` of reading it. ``is_answer``: it came in the HTTP answer.

    ``soap`` is its envelope, ``exchange`` the HTTP exchange that it came in.
    """

    message: Message | None
    soap: bytes
    exchange: Exchange
    is_answer: bool
    trouble: str = ""

    @property
    def kind(self) -> str:
        """Its kind, empty when it cannot be read."""
        return "" if self.message is None else str(self.message.kind)

    def __repr__(self) -> str:
        where = "in the HTTP answer" if self.is_answer else "in a POST"
        return f"<Signal {self.message!r} {where}>" if self.message else f"<Signal that cannot be read {where}: {self.trouble}>"


class Canary:
    """Listens at an address that nobody should ever fetch, and remembers who did; over plain http, for a fetch need not get far to be seen."""

    def __init__(self, host: str) -> None:
        self.fetches = 0
        self._open = ExitStack()
        endpoint = self._open.enter_context(Endpoint(self._count, host, path=_CANARY_PATH))
        self.url = endpoint.url

    def _count(self, _request: HttpRequest) -> HttpAnswer:
        self.fetches += 1
        return EMPTY

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop listening."""
        self._open.close()


class Receiver(Protocol):
    """The party under test, seen from who sends to it.

    ``handler`` makes the messages of the kit's side (also :meth:`MessageHandler.new_ping`), ``agreement`` is the CPA seen from that side.
    """

    handler: MessageHandler
    agreement: Agreement

    def good(self, *, padding: int = 0) -> Message:
        """Return a new valid message with one payload that its application will notice, ``padding`` bytes larger than needed.

        Raises :class:`NotTestedError` when the party does not do what must come first.
        """
        ...

    def post(
        self,
        message: Message,
        outgoing: Outgoing | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        chunks: bool = False,
        method: str = "POST",
    ) -> HttpOutcome:
        """Post ``message`` (as ``outgoing`` has it, when that is given) to the party, on the record; its signals count from then on.

        ``headers`` stand instead of all headers of ebMS. Raises :class:`NotTestedError` when nobody answers on HTTP at all.
        """
        ...

    def signals(self, message_id: str, *, expected: int = 1) -> Sequence[Signal]:
        """Return what the party said about a message, after waiting until it said ``expected`` things, or for the time that it has to react."""
        ...

    def quiet(self) -> None:
        """Wait until nothing more is to be expected of the party."""
        ...

    def deliveries(self, message: Message) -> int:
        """Return how often the application has taken the payload of a :meth:`good` message (known by its bytes), without waiting."""
        ...

    def is_delivered(self, message: Message) -> bool:
        """Wait until the application took the payload of a good message, and tell whether it did."""
        ...

    def restart(self) -> None:
        """Restart the party; raises :class:`NotTestedError` when that cannot be done."""
        ...

    def lose_signals(self, times: int) -> None:
        """Have the kit's own endpoint answer 503 to the next Acknowledgments."""
        ...

    def pass_interval(self) -> None:
        """Let the time pass after which a gateway repeats."""
        ...

    def canary(self) -> Canary:
        """Return a listener at an address that the party can reach, and should not fetch; use it as a context."""
        ...

    def errors(self) -> Sequence[Signal]:
        """Return every MessageError of the whole run, and what could not be read and looks like one."""
        ...


class AfnemerReceiver:
    """The gateway of an Afnemer as the receiver: it gets results on letters about which the Berichtenbox was silent so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._link = _link_of(scene)
        self.handler, self.agreement = self._link.handler, self._link.agreement
        route = self.agreement.outgoing(ROLE_LOGIUS, ROLE_AFNEMER, SERVICE, Action.BV_RESULT)
        self._url = route.url
        self._stock: list[tuple[Delivered, Seen]] = []
        self._letters: dict[bytes, Delivered] = {}

    # -- writing ---------------------------------------------------------------------------------------------------------------------------

    def good(self, *, padding: int = 0) -> Message:
        """Return the result Verwerkt of a letter that the Afnemer delivered, and about which it heard nothing yet."""
        delivered, seen = self._next_letter()
        logius = self._scene.box
        told = Resultaat(seen.bericht.bericht_id, seen.bericht.bericht_type, VerwerkingsCode.VERWERKT)
        now = datetime.now(UTC)
        result = Verwerkingsbericht.about(seen.batch.bericht_leverancier_id, seen.batch.batch_id, seen.offer.business, now, (told,))
        content = padded(result.to_xml(), padding)
        self._letters[_digest(content)] = delivered
        offered = seen.offer.envelope
        return self.handler.new_message(
            Envelope(
                cpa_id=self.agreement.cpa_id,
                from_party=logius.connection.logius_party,
                from_role=ROLE_LOGIUS,
                service=SERVICE,
                action=Action.BV_RESULT,
                to_party=offered.from_party,
                to_role=ROLE_AFNEMER,
                conversation_id=offered.conversation_id,
                message_id=logius.new_message_id(),
                ref_to_message_id=offered.message_id,
                parts=(Part(content, "text/xml", "verwerkingsbericht.xml", None),),
            )
        )

    def _next_letter(self) -> tuple[Delivered, Seen]:
        """Return a letter that was used in no message; several are delivered at once, for it takes longer than most cases do."""
        if not self._stock:
            scene = self._scene
            letters = scene.letters(_STOCK)
            for letter in letters:
                scene.box.answer(letter.bsn, NO_RESULT)
            self._stock = [(delivered, scene.seen(delivered.bericht_id)[0]) for delivered in scene.deliver(letters)]
        return self._stock.pop()

    # -- posting ---------------------------------------------------------------------------------------------------------------------------

    def post(
        self,
        message: Message,
        outgoing: Outgoing | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        chunks: bool = False,
        method: str = "POST",
    ) -> HttpOutcome:
        """Post as if it came from the Berichtenbox, and keep it among what the Berichtenbox sent."""
        outgoing = outgoing or write_message(message)
        self._expect_signals(message, outgoing)
        box = self._scene.box
        sent = {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION} if headers is None else headers
        wall, business = box.wall(), box.clock.now()
        body: bytes | Iterable[bytes] = in_chunks(outgoing.body) if chunks else outgoing.body
        outcome = self._link.poster.post(self._url, outgoing.content_type, body, sent, method)
        exchange = exchange_of(message.message_id, self._url, outgoing, outcome, "", wall, business)
        exchange = replace(exchange, method=method, headers=tuple(sent.items()))
        box.ledger.write([lambda writing: writing.wire.add_exchange(exchange)])
        if outcome.answer is None:
            trouble = "no answer" if outcome.trouble is None else outcome.trouble.text
            raise NotTestedError(Reason.UNREACHABLE, f"the gateway of the Afnemer gives no HTTP answer: {trouble}")
        return outcome

    def _expect_signals(self, message: Message, outgoing: Outgoing) -> None:
        """Note that this was sent, so that a signal about it counts; nobody repeats it."""
        if self._scene.box.ledger.wire.sending(message.message_id) is not None:
            return
        delivery = Delivery(
            message_id=message.message_id,
            cpa_id=message.cpa_id,
            url=self._url,
            content_type=outgoing.content_type,
            retries=0,
            interval=self.agreement.signal_interval,
            give_up_at=None,
            is_reliable=True,
            is_sync=self.agreement.is_own_sync,
            attempts=1,
        )
        sending = Sending(delivery, message.kind, outgoing.soap)
        self._scene.box.ledger.write([lambda writing: writing.wire.add_sending(sending)])

    # -- looking ---------------------------------------------------------------------------------------------------------------------------

    def signals(self, message_id: str, *, expected: int = 1) -> Sequence[Signal]:
        """Return what the Afnemer said about a message."""
        self._scene.wait(lambda: len(self._said(message_id)) >= expected, is_patient=False)
        return self._said(message_id)

    def _said(self, message_id: str) -> list[Signal]:
        name = message_id.encode()
        exchanges = self._scene.box.exchanges(self._scene.start)
        found = [signal for exchange in exchanges if (signal := signal_in(exchange, name)) is not None]
        return [signal for signal in found if signal.kind != Kind.USER]

    def errors(self) -> Sequence[Signal]:
        """Return the MessageErrors of the whole run."""
        self._scene.box.settle()
        exchanges = self._scene.box.exchanges(self._scene.run_mark)
        found = [signal for exchange in exchanges if (signal := signal_in(exchange, b"ErrorList")) is not None]
        return [signal for signal in found if signal.kind in {"", Kind.ERROR}]

    def quiet(self) -> None:
        """Wait until the Afnemer is idle, or did nothing for as long as it may."""
        self._scene.quiet()

    def deliveries(self, message: Message) -> int:
        """Return how often the result in a good message was applied."""
        letter = next(self._letters[digest] for part in message.payloads if (digest := _digest(part.content)) in self._letters)
        status = self._scene.status(letter)
        return status.verwerkt if status.status is AfnemerStatus.VERWERKT else 0

    def is_delivered(self, message: Message) -> bool:
        """Wait until the letter is verwerkt."""
        return self._scene.wait(lambda: self.deliveries(message) > 0, is_patient=False)

    # -- circumstances ---------------------------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Restart the Afnemer with its gateway."""
        if not self._scene.driver.restart():
            raise NotTestedError(Reason.DRIVER_CANNOT, "the Afnemer cannot be restarted from here; give [driver] restart in the profile")
        self._scene.look_until(self._listens)

    def _listens(self) -> bool:
        """Tell whether there is a gateway to talk to again."""
        address = urlsplit(self._url)
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            with socket.create_connection((address.hostname or "", port), self._scene.reaction_s):
                return True
        except OSError:
            return False

    def lose_signals(self, times: int) -> None:
        """Have the Berichtenbox answer 503 to the next Acknowledgments."""
        self._scene.box.fault("status", status=503, on=Point.PROCESS, times=times)

    def pass_interval(self) -> None:
        """Let one RetryInterval pass, on both clocks where they can be moved; where they cannot, one of hours is not waited for."""
        line = self._scene.line
        if line is not None and (line.is_movable or line.interval <= _LONGEST_WAIT):
            self._scene.pass_interval()

    def canary(self) -> Canary:
        """Listen where the Berichtenbox listens, on another port."""
        return Canary(urlsplit(self._scene.urls.url).hostname or "127.0.0.1")


def _link_of(scene: Scene) -> EbmsLink:
    if scene.box.pusher is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run has no ebms")
    return scene.box.pusher.link


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def padded(document: bytes, padding: int) -> bytes:
    """Return the document with a comment behind it, in which also stands what a gateway must not touch: other characters and bare line ends."""
    return document + "\n<!-- één bericht, €\r\n -->".encode() + b"\n" * padding


def in_chunks(body: bytes) -> Iterable[bytes]:
    """Return a body in pieces, which go over the line with Transfer-Encoding chunked."""
    return (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))


def signal_in(exchange: Exchange, name: bytes) -> Signal | None:
    """Return the message of the party in an exchange when ``name`` stands in it: in a request to the kit, or in an answer to it."""
    soap, is_answer = (exchange.soap, False) if exchange.is_incoming else (exchange.answer, True)
    if name not in soap:
        return None
    try:
        return Signal(read_message(SOAP_TYPE, soap).message, soap, exchange, is_answer)
    except (MimeRefused, EnvelopeRefused) as refusal:
        # What comes with an error status need be no signal: a SOAP Fault may quote the message.
        is_signal = not is_answer or exchange.status < HTTPStatus.MULTIPLE_CHOICES
        return Signal(None, soap, exchange, is_answer, str(refusal)) if is_signal else None
