"""The message service handler of one side: what to do with a request, and what a message of its own looks like. No sockets, no store.

Both sides are it: the Berichtenbox, the Afnemer, and whoever plays one of them. The caller commits what a :class:`Reception` says,
then gives its answer, and posts its signal when that goes in a POST of its own.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from conformance.messages.envelope import Envelope, Part
from conformance.messages.moments import write_moment
from conformance.rules.findings import quoted
from conformance.transport import tls
from conformance.transport.cpa import Cpa
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.agreements import Agreement, AgreementError, Route
from conformance.transport.ebms2.checks import STATUS_NOT_SUPPORTED, UNKNOWN_FROM, Situation, first_error
from conformance.transport.ebms2.http import EMPTY, EMPTY_ERROR, HttpAnswer, HttpRequest, fault_answer, signal_answer, text_answer
from conformance.transport.ebms2.knowledge import Knowledge, StoredAnswer
from conformance.transport.ebms2.mime import MimeFault, MimeRefused, is_content_id
from conformance.transport.ebms2.model import AckRequested, EbmsError, Message, Side, SyncReply, service_of
from conformance.transport.ebms2.names import SOAP_ACTION, Kind, Severity
from conformance.transport.ebms2.reading import EnvelopeRefused, Received, read_message
from conformance.transport.ebms2.sending import Delivery
from conformance.transport.ebms2.writing import Outgoing, attach, write_message
from conformance.transport.tls import PeerCertificate

_ANSWERS: Final = frozenset({Kind.ACKNOWLEDGMENT, Kind.ERROR, Kind.PONG, Kind.STATUS_RESPONSE})


class Outcome(StrEnum):
    """What became of a request.

    ``ACCEPTED`` is for the application, ``REJECTED`` is not and uses up its MessageId, ``DUPLICATE`` came before, ``SIGNAL`` is an answer to this
    side, ``ANSWERED`` is a Ping or a StatusRequest, and ``REFUSED`` leaves no trace in the store.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    SIGNAL = "signal"
    ANSWERED = "answered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reception:
    """What a request was, and what is answered: ``answer`` on its own connection, after the commit.

    ``signal`` and ``signal_bytes`` are the signal that it causes; it goes to ``send_to`` in a POST of its own, or is in ``answer`` when that is
    ``None``. Of a duplicate there are only the bytes, those of the first time. ``note`` says why something was refused, or why a signal does
    not count: an ``Outcome.SIGNAL`` without a note does.
    """

    outcome: Outcome
    answer: HttpAnswer
    received: Received | None = None
    signal: Message | None = None
    signal_bytes: Outgoing | None = None
    send_to: str | None = None
    error: EbmsError | None = None
    note: str = ""

    def __repr__(self) -> str:
        message = "" if self.received is None else f" {self.received.message.message_id}"
        return f"<Reception {self.outcome}{message}: HTTP {self.answer.status}>"


class MessageHandler:
    """The message service handler of the side with ``own_parties`` (flat).

    ``cpas`` finds a CPA by its id; ``now`` is the wall clock, aware, for what stands on the wire; ``new_message_id`` gives ``uuid@host``.
    """

    def __init__(
        self,
        own_parties: Container[str],
        cpas: Callable[[str], Cpa | None],
        *,
        now: Callable[[], datetime],
        new_message_id: Callable[[], str],
        accepts_status_requests: bool = True,
    ) -> None:
        self._own_parties = own_parties
        self._cpas = cpas
        self._now = now
        self._new_message_id = new_message_id
        self._accepts_status_requests = accepts_status_requests
        self._agreements: dict[str, Agreement] = {}

    def agreement(self, cpa_id: str) -> Agreement:
        """Return what was agreed under a CPAId; raises :class:`AgreementError` when there is no such CPA here, or it cannot be used."""
        cpa = self._cpas(cpa_id)
        if cpa is None:
            self._agreements.pop(cpa_id, None)
            hint = "Compare eb:CPAId with the cpaid of the CPA that both sides loaded."
            raise AgreementError(f"CPA {quoted(cpa_id)} not found! {hint}")
        known = self._agreements.get(cpa_id)
        if known is None or known.cpa is not cpa:
            known = self._agreements[cpa_id] = Agreement(cpa, self._own_parties)
        return known

    # -- receiving -------------------------------------------------------------------------------------------------------------------------------

    def receive(self, request: HttpRequest, knowledge: Knowledge) -> Reception:
        """Return what a request is and what is answered; never raises for what another sent."""
        received = self.read(request)
        return received if isinstance(received, Reception) else self.handle(received, request.peer, knowledge)

    def read(self, request: HttpRequest) -> Received | Reception:
        """Return the message of a request, or its refusal (MSG B.2, DK HTTP Headers). This is the part that takes time with a large body."""
        if request.method != "POST":
            text = "An ebMS message is sent with POST; this address has nothing to read."
            return Reception(Outcome.REFUSED, text_answer(405, text, allow="POST"), note=f"{quoted(request.method)} is not POST")
        soap_action = request.headers.get("soapaction")
        if soap_action != SOAP_ACTION:
            shown = "null" if soap_action is None else quoted(soap_action)
            text = f"Unable to process message! SOAPAction={shown}. The header must be SOAPAction: {SOAP_ACTION}, with the quotes."
            return Reception(Outcome.REFUSED, fault_answer(text), note=text)
        try:
            return read_message(request.headers.get("content-type", ""), request.body)
        except MimeRefused as refusal:
            return _refused_mime(refusal)
        except EnvelopeRefused as refusal:
            return _refused_envelope(refusal)

    def handle(self, received: Received, peer: PeerCertificate | None, knowledge: Knowledge) -> Reception:
        """Return what a message is and what is answered, in the order of ebms-core: CPA, who connects, duplicate, and then all else."""
        message = received.message
        try:
            agreement = self.agreement(message.cpa_id)
        except AgreementError as error:
            return Reception(Outcome.REFUSED, fault_answer(str(error)), received, note=str(error))
        now = self._now()
        if peer is not None and (objections := tls.objections(peer, agreement.other_oins, now)):
            return _refused_peer(received, agreement, peer, objections)
        if message.kind in _ANSWERS:
            return _signal(received, agreement, knowledge)
        stored = knowledge.answer_of(message.message_id)
        if stored is not None:
            return self._again(received, agreement, stored)
        if message.kind is Kind.USER:
            return self._user_message(received, agreement, knowledge, now)
        return self._question(received, agreement, knowledge, now)

    def read_answer(self, answer: HttpAnswer, knowledge: Knowledge) -> Reception:
        """Return what the body of an HTTP answer is: ``Outcome.SIGNAL`` without a note when it is a signal that counts (``syncReplyMode``)."""
        try:
            received = read_message(answer.headers.get("content-type", ""), answer.body)
            agreement = self.agreement(received.message.cpa_id)
        except (MimeRefused, EnvelopeRefused, AgreementError) as refusal:
            return Reception(Outcome.REFUSED, EMPTY, note=f"the body of the answer is no signal: {refusal}")
        if received.message.kind not in _ANSWERS:
            text = "the body of the answer is a message of another kind; business answers never come on the same connection"
            return Reception(Outcome.REFUSED, EMPTY, received, note=text)
        return _signal(received, agreement, knowledge)

    def _again(self, received: Received, agreement: Agreement, stored: StoredAnswer) -> Reception:
        """Answer a MessageId that came before: what was stored, unchanged, with its own MessageId and Timestamp (MSG 6.5.5, 6.5.6)."""
        message = received.message
        if stored.cpa_id != message.cpa_id:
            text = f"its MessageId came before under CPA {quoted(stored.cpa_id)}"
            return Reception(Outcome.REFUSED, EMPTY_ERROR, received, note=text)
        if stored.outgoing is None:
            return Reception(Outcome.DUPLICATE, EMPTY, received)
        is_sync = _is_sync(message, agreement, _route(message, agreement))
        send_to = None if is_sync else agreement.url_of_signal(stored.action)
        return Reception(Outcome.DUPLICATE, _carries(stored.outgoing, send_to), received, None, stored.outgoing, send_to)

    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        message = received.message
        route = _route(message, agreement)
        is_sync = _is_sync(message, agreement, route)
        error = first_error(received, Situation(agreement, route, knowledge, now))
        if error is not None:
            return self._rejected(received, agreement, error, now, is_sync=is_sync)
        if message.ack_requested is None:
            return Reception(Outcome.ACCEPTED, EMPTY, received)
        signal = signals.acknowledgment_of(message, self._new_message_id(), now)
        send_to = None if is_sync else agreement.url_of_signal(Kind.ACKNOWLEDGMENT)
        outgoing = write_message(signal)
        return Reception(Outcome.ACCEPTED, _carries(outgoing, send_to), received, signal, outgoing, send_to)

    def _rejected(self, received: Received, agreement: Agreement, error: EbmsError, now: datetime, *, is_sync: bool) -> Reception:
        message = received.message
        note = _text_of(error)
        if message.error_list is not None and message.error_list.highest_severity != Severity.WARNING:
            return Reception(Outcome.REJECTED, EMPTY, received, error=error, note=f"{note} (not told: it carries an ErrorList itself, MSG 4.2.4.1)")
        if error is UNKNOWN_FROM and not is_sync:
            # Nobody knows where to send an ErrorList to, so it is told where it is seen, as ebms-core does.
            text = f"{note} {quoted(', '.join(message.sender.flat_ids))} is no party of CPA {quoted(agreement.cpa_id)} that sends to this side."
            return Reception(Outcome.REFUSED, fault_answer(text), received, error=error, note=text)
        signal = signals.error_of(message, error, self._new_message_id(), now)
        send_to = None if is_sync else agreement.url_of_signal(Kind.ERROR)
        outgoing = write_message(signal)
        return Reception(Outcome.REJECTED, _carries(outgoing, send_to), received, signal, outgoing, send_to, error, note)

    def _question(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        """Answer a Ping or a StatusRequest. One that is wrong gets a SOAP Fault, as ebms-core does: who asks is waiting for the answer."""
        message = received.message
        error = first_error(received, Situation(agreement, None, knowledge, now))
        if error is not None:
            return Reception(Outcome.REFUSED, fault_answer(_text_of(error)), received, error=error, note=_text_of(error))
        is_sync = agreement.is_other_sync
        if message.kind is Kind.PING:
            signal, found = signals.pong_of(message, self._new_message_id(), now), None
        elif self._accepts_status_requests and message.status_request is not None:
            known = knowledge.status_of(message.status_request.ref_to_message_id)
            signal, found = signals.status_response_of(message, known, self._new_message_id(), now), None
        else:
            # In the answer, whatever the CPA says: users of Logius see "No valid response received!", which ebms-core only says of a body.
            signal, found, is_sync = signals.error_of(message, STATUS_NOT_SUPPORTED, self._new_message_id(), now), STATUS_NOT_SUPPORTED, True
        send_to = None if is_sync else agreement.url_of_signal(signal.action)
        outgoing = write_message(signal)
        return Reception(Outcome.ANSWERED, _carries(outgoing, send_to), received, signal, outgoing, send_to, found)

    # -- sending ---------------------------------------------------------------------------------------------------------------------------------

    def new_message(self, envelope: Envelope) -> Message:
        """Return a message for the application of the other party, with all that the CPA asks; raises :class:`AgreementError` when it is not agreed.

        What the envelope leaves out, the CPA decides, or this side: the other party and its role, the MessageId, the ConversationId.
        """
        agreement = self.agreement(envelope.cpa_id)
        route = agreement.outgoing(envelope.from_role, envelope.to_role, envelope.service, envelope.action)
        message_id = envelope.message_id or self._new_message_id()
        now = self._now()
        message = Message(
            sender=Side((agreement.own_id(envelope.from_party),), route.from_role),
            receiver=Side((agreement.other_id(envelope.to_party),), route.to_role),
            cpa_id=agreement.cpa_id,
            conversation_id=envelope.conversation_id or signals.conversation_of(message_id),
            service=service_of(envelope.service),
            action=envelope.action,
            message_id=message_id,
            timestamp=write_moment(now),
            ref_to_message_id=envelope.ref_to_message_id,
            time_to_live=None if route.asks_ack is False else write_moment(now + route.time_to_live),
            duplicate_elimination=route.asks_elimination is not False,
            ack_requested=None if route.asks_ack is False else AckRequested("true" if route.asks_signature else "false"),
            sync_reply=SyncReply() if route.is_sync else None,
        )
        return attach(message, [_with_usable_id(part) for part in envelope.parts])

    def new_ping(self, cpa_id: str) -> Message:
        """Return a Ping to the other party; raises :class:`AgreementError`."""
        return signals.ping_of(self.agreement(cpa_id), self._new_message_id(), self._now())

    def new_status_request(self, cpa_id: str, about: str) -> Message:
        """Return a StatusRequest about a message that this side sent; raises :class:`AgreementError`."""
        return signals.status_request_of(self.agreement(cpa_id), about, self._new_message_id(), self._now())

    def delivery_of(self, message: Message, outgoing: Outgoing, now: datetime, *, repeats: int = 0) -> Delivery:
        """Return the life that begins at ``now``, on the clock of the schedule, for a message that this side wrote.

        A message that asks an acknowledgment is repeated as the CPA says. Anything else is best effort, and only a failure of the transport is
        repeated, ``repeats`` times, with the interval of the CPA. Raises :class:`AgreementError`.
        """
        agreement = self.agreement(message.cpa_id)
        if message.kind is not Kind.USER:
            return Delivery(
                message_id=message.message_id,
                cpa_id=message.cpa_id,
                url=agreement.url_of_signal(message.action),
                content_type=outgoing.content_type,
                retries=repeats,
                interval=agreement.signal_interval,
                give_up_at=None,
                is_reliable=False,
                is_sync=message.kind not in _ANSWERS and agreement.is_own_sync,
                next_at=now,
            )
        route = agreement.outgoing(message.sender.role or "", message.receiver.role, message.service.flat, message.action)
        is_reliable = message.ack_requested is not None
        sent_at, expires_at = message.sent_at, message.expires_at
        # TimeToLive is on the wall clock: only how long it lasts counts here.
        lasts = route.time_to_live if sent_at is None or expires_at is None else expires_at - sent_at
        return Delivery(
            message_id=message.message_id,
            cpa_id=message.cpa_id,
            url=route.url,
            content_type=outgoing.content_type,
            retries=route.retries if is_reliable else repeats,
            interval=route.interval,
            give_up_at=now + lasts if is_reliable else None,
            is_reliable=is_reliable,
            is_sync=route.is_sync,
            next_at=now,
        )


def _with_usable_id(part: Part) -> Part:
    """Return the part with a Content-ID that a header and a cid take without encoding, or without one."""
    content_id = (part.content_id or "").removeprefix("<").removesuffix(">")
    is_usable = is_content_id(content_id) and "%" not in content_id
    return replace(part, content_id=content_id if is_usable else None)


def _text_of(error: EbmsError) -> str:
    return f"{error.code} at {quoted(error.location)}" + (f": {error.description}" if error.description else "")


def _route(message: Message, agreement: Agreement) -> Route | None:
    return agreement.incoming(message.sender.role, message.receiver.role, message.service.flat, message.action)


def _is_sync(message: Message, agreement: Agreement, route: Route | None) -> bool:
    """Tell whether the answer goes on the same connection. The CPA says so, not the header (CORE); without a route, its channel for signals."""
    return route.is_sync if message.kind is Kind.USER and route is not None else agreement.is_other_sync


def _carries(outgoing: Outgoing, send_to: str | None) -> HttpAnswer:
    """Return the answer on the same connection: with the signal, or empty when that goes elsewhere."""
    return signal_answer(outgoing) if send_to is None else EMPTY


def _signal(received: Received, agreement: Agreement, knowledge: Knowledge) -> Reception:
    """Judge an answer to this side. It is always taken with 2xx, empty: an error would only make its sender repeat it (MSG 6.5.6).

    ebms-core answers 500 to one that refers to a message it never sent; the note says the same here.
    """
    message = received.message
    stored = knowledge.answer_of(message.message_id)
    note = signals.objection_to(message, agreement, knowledge) if stored is None else "its MessageId came before"
    return Reception(Outcome.SIGNAL, EMPTY, received, note=note)


def _refused_mime(refusal: MimeRefused) -> Reception:
    text = f"The body cannot be read as SOAP with attachments: {refusal}."
    answer = text_answer(413, text) if refusal.reason is MimeFault.TOO_LARGE else fault_answer(text)
    return Reception(Outcome.REFUSED, answer, note=text)


def _refused_envelope(refusal: EnvelopeRefused) -> Reception:
    """Refuse an envelope with a SOAP Fault. An ErrorList needs parties and a ConversationId, and a header that is not valid does not say them."""
    about = f" (MessageId {quoted(refusal.message_id)})" if refusal.message_id else ""
    text = f"The SOAP envelope cannot be processed{about}: {refusal}."
    return Reception(Outcome.REFUSED, fault_answer(text, refusal.fault_code), note=text)


def _refused_peer(received: Received, agreement: Agreement, peer: PeerCertificate, found: tuple[str, ...]) -> Reception:
    expected = " or ".join(sorted(agreement.other_oins))
    text = (
        f"The TLS client certificate of {quoted(peer.common_name) or 'the client'} is refused: {'; '.join(found)}."
        f" CPA {quoted(agreement.cpa_id)} expects OIN {expected} in the serialNumber of its subject."
    )
    return Reception(Outcome.REFUSED, text_answer(403, text), received, note=text)
