"""The signals of the message service handler: those that answer a message, those that ask something, and whether a received one counts.

A signal goes back to who sent the message: parties swapped, same CPAId and ConversationId, an own MessageId and Timestamp (MSG 6.5.3).
"""

from datetime import datetime
from typing import Final

from conformance.messages.moments import write_moment
from conformance.rules.findings import quoted
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.knowledge import Knowledge, KnownStatus
from conformance.transport.ebms2.model import Acknowledgment, EbmsError, ErrorList, Message, Side, StatusRequest, StatusResponse
from conformance.transport.ebms2.names import ACTOR_TO_PARTY, MSH_SERVICE, VERSION, Kind, MessageStatus, Severity

_SERVICE: Final = PartyId("", MSH_SERVICE)
_WITHOUT_MOMENT: Final = frozenset({MessageStatus.NOT_RECOGNIZED, MessageStatus.UNAUTHORIZED})


def acknowledgment_of(message: Message, message_id: str, now: datetime) -> Message:
    """Return the Acknowledgment of a message that was received at ``now``, the wall clock (MSG 6.3.2).

    It always names its actor: ebms-core refuses one that does not.
    """
    moment = write_moment(now)
    block = Acknowledgment(moment, message.message_id, ACTOR_TO_PARTY, message.receiver.ids)
    return _answer(message, Kind.ACKNOWLEDGMENT, message_id, moment, acknowledgment=block)


def error_of(message: Message, error: EbmsError, message_id: str, now: datetime) -> Message:
    """Return the MessageError that reports one error of a message (MSG 4.2)."""
    return _answer(message, Kind.ERROR, message_id, write_moment(now), error_list=ErrorList((error,), error.severity))


def pong_of(message: Message, message_id: str, now: datetime) -> Message:
    """Return the Pong of a Ping (MSG 8)."""
    return _answer(message, Kind.PONG, message_id, write_moment(now))


def status_response_of(message: Message, known: KnownStatus, message_id: str, now: datetime) -> Message:
    """Return the StatusResponse of a StatusRequest (MSG 7.3). What belongs to another CPA is not for who asks; what is not known has no moment."""
    status = known.status
    if known.cpa_id is not None and known.cpa_id != message.cpa_id:
        status = MessageStatus.UNAUTHORIZED
    moment = None if status in _WITHOUT_MOMENT or known.received_at is None else write_moment(known.received_at)
    about = "" if message.status_request is None else message.status_request.ref_to_message_id
    block = StatusResponse(status, about, moment)
    return _answer(message, Kind.STATUS_RESPONSE, message_id, write_moment(now), status_response=block)


def _answer(
    message: Message,
    kind: Kind,
    message_id: str,
    moment: str,
    *,
    acknowledgment: Acknowledgment | None = None,
    error_list: ErrorList | None = None,
    status_response: StatusResponse | None = None,
) -> Message:
    return Message(
        sender=Side(message.receiver.ids),
        receiver=Side(message.sender.ids),
        cpa_id=message.cpa_id,
        conversation_id=message.conversation_id,
        service=_SERVICE,
        action=kind,
        message_id=message_id,
        timestamp=moment,
        ref_to_message_id=message.message_id,
        acknowledgment=acknowledgment,
        error_list=error_list,
        status_response=status_response,
    )


def ping_of(agreement: Agreement, message_id: str, now: datetime) -> Message:
    """Return a Ping to the other party, in a conversation of its own (MSG 8)."""
    return _question(agreement, Kind.PING, message_id, now, None)


def status_request_of(agreement: Agreement, about: str, message_id: str, now: datetime) -> Message:
    """Return a StatusRequest about a message that this side sent (MSG 7)."""
    return _question(agreement, Kind.STATUS_REQUEST, message_id, now, StatusRequest(about))


def _question(agreement: Agreement, kind: Kind, message_id: str, now: datetime, status_request: StatusRequest | None) -> Message:
    return Message(
        sender=Side(agreement.own.ids[:1]),
        receiver=Side(agreement.other.ids[:1]),
        cpa_id=agreement.cpa_id,
        conversation_id=conversation_of(message_id),
        service=_SERVICE,
        action=kind,
        message_id=message_id,
        timestamp=write_moment(now),
        status_request=status_request,
    )


def conversation_of(message_id: str) -> str:
    """Return the ConversationId of a conversation that a message begins: the part before the @, as ebms-core has it."""
    return message_id.partition("@")[0]


def objection_to(signal: Message, agreement: Agreement, knowledge: Knowledge) -> str:
    """Return why a received Acknowledgment, MessageError, Pong or StatusResponse does not count, or ``""`` when it does (MSG 6.3.2, CORE).

    Whoever sent it is never told in an ebXML message, for signals about signals would not end.
    """
    ref = signal.ref_to_message_id
    if ref is None:
        return "it has no RefToMessageId"
    cpa_id = knowledge.sent_under(ref)
    if cpa_id is None:
        return f"its RefToMessageId {quoted(ref)} names no message that was sent"
    if cpa_id != signal.cpa_id:
        return f"it goes by CPA {quoted(signal.cpa_id)}, and the message that it answers by {quoted(cpa_id)}"
    return _on_parties(signal, agreement) or _on_version(signal.version, "MessageHeader") or _on_block(signal, ref)


def _on_parties(signal: Message, agreement: Agreement) -> str:
    for name, side, ids in (("From", signal.sender, agreement.other_ids), ("To", signal.receiver, agreement.own_ids)):
        if not side.ids or any(flat not in ids for flat in side.flat_ids):
            return f"its {name} is {quoted(', '.join(side.flat_ids)) or 'empty'}, and the message went between {quoted(', '.join(ids))} and the other"
    return ""


def _on_version(version: str, name: str) -> str:
    return "" if version == VERSION else f"its {name} has version {quoted(version)}, not {VERSION}"


def _on_block(signal: Message, ref: str) -> str:
    if signal.kind is Kind.ACKNOWLEDGMENT:
        return _on_acknowledgment(signal.acknowledgment, ref)
    if signal.kind is Kind.ERROR:
        return "it has no ErrorList" if signal.error_list is None else _on_version(signal.error_list.version, "ErrorList")
    if signal.kind is Kind.STATUS_RESPONSE and signal.status_response is None:
        return "it has no StatusResponse"
    return ""


def _on_acknowledgment(block: Acknowledgment | None, ref: str) -> str:
    if block is None:
        return "it has no Acknowledgment block"
    if block.ref_to_message_id != ref:
        return f"its Acknowledgment names {quoted(block.ref_to_message_id)}, and its MessageData {quoted(ref)}"
    # Without an actor it is for the To Party MSH (MSG 6.3.2.1), though ebms-core refuses that.
    if block.actor not in {None, ACTOR_TO_PARTY}:
        return f"its actor is {quoted(block.actor or '')}, not {ACTOR_TO_PARTY}"
    return _on_version(block.version, "Acknowledgment")


def reason_of(signal: Message) -> str:
    """Return what a MessageError says, as one line; its texts are of the other side."""
    errors = () if signal.error_list is None else signal.error_list.errors
    texts = (" ".join(filter(None, (one.code, one.location and f"at {one.location}", one.description and f"({one.description})"))) for one in errors)
    return quoted("; ".join(texts)) or "a MessageError without an error"


def is_fatal(signal: Message) -> bool:
    """Tell whether a MessageError says that the message was not processed (MSG 4.2.3.1); ebms-core gives up on a warning too."""
    return signal.error_list is None or signal.error_list.highest_severity != Severity.WARNING
