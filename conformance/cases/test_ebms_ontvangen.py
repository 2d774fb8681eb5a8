"""Receiving over ebMS2: what the party under test does with a valid message, however it is written, and with one that comes again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from conformance.messages.envelope import Part
from conformance.messages.moments import read_moment
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.received import (
    acknowledged,
    at_offset,
    expired,
    is_2xx,
    judge_acceptance,
    judge_rejection,
    now,
    of_kind,
    past_moments,
    readable,
    shown,
    signals_of,
    status,
    told,
)
from conformance.stage.receiver import Receiver, Signal
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome
from conformance.transport.ebms2.mime import MimePart, write_mime
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import ACTOR_TO_PARTY, MSH_SERVICE, SOAP_ACTION, VERSION, Kind
from conformance.transport.ebms2.names import ErrorCode as Code
from conformance.transport.ebms2.writing import SOAP_TYPE, Outgoing, write_message
from conformance.verdicts import Reason

pytestmark = needs("ebms")

_MIB: Final = 1024 * 1024
_HOUR: Final = timedelta(hours=1)


# -- a valid message -------------------------------------------------------------------------------------------------------------------------


@decides("EBMS-045")
def test_valid_message_reaches_the_application(receiver: Receiver, judge: Judge) -> None:
    """A valid message gets 2xx, and its payload, in which no byte may change, is taken by the application once."""
    good = receiver.good()
    outcome = receiver.post(good)
    is_delivered = receiver.is_delivered(good)

    count = receiver.deliveries(good)
    seen = f"HTTP {status(outcome)}, taken {count} times by the application"
    judge.that("EBMS-045", is_2xx(outcome) and is_delivered and count == 1, expected="HTTP 2xx, taken once by the application", seen=seen)


@needs("async")
@decides("EBMS-046")
def test_one_acknowledgment_is_posted(receiver: Receiver, judge: Judge) -> None:
    """One Acknowledgment comes in a POST of its own to the Endpoint of the sender, with the SOAPAction of ebMS."""
    good = receiver.good()
    receiver.post(good)
    receiver.signals(good.message_id)
    receiver.quiet()
    found = receiver.signals(good.message_id)

    posted = [signal.exchange for signal in of_kind(found, Kind.ACKNOWLEDGMENT) if not signal.is_answer]
    if not posted:  # one that cannot be read is not judged here
        readable(found, form="EBMS-049")
    actions = [exchange.header("soapaction") for exchange in posted]
    holds = len(found) == 1 and actions == [SOAP_ACTION] and posted[0].method == "POST"
    where = "in the HTTP answer" if any(signal.is_answer for signal in found) else "in POSTs"
    seen = f"{told(found)} {where}, with SOAPAction {', '.join(str(action) for action in actions) or '-'}"
    judge.that("EBMS-046", holds, expected=f"one Acknowledgment, posted to the Endpoint of the CPA with SOAPAction {SOAP_ACTION}", seen=seen)


@needs("async")
@decides("EBMS-047")
def test_answer_to_a_message_is_empty(receiver: Receiver, judge: Judge) -> None:
    """Under an asynchronous CPA the HTTP answer is 2xx with an empty body."""
    outcome = receiver.post(receiver.good())

    body = (outcome.answer or HttpAnswer(0)).body
    judge.that("EBMS-047", is_2xx(outcome) and not body, expected="HTTP 2xx, empty", seen=f"HTTP {status(outcome)} with {len(body)} bytes")


@decides("EBMS-048")
def test_acknowledgment_mirrors_the_message(receiver: Receiver, judge: Judge) -> None:
    """The header of the Acknowledgment follows from that of the message, and its MessageId is new."""
    good, _, ack = acknowledged(receiver)

    wrong = {
        "From": (good.receiver.flat_ids, ack.sender.flat_ids),
        "To": (good.sender.flat_ids, ack.receiver.flat_ids),
        "CPAId": (good.cpa_id, ack.cpa_id),
        "ConversationId": (good.conversation_id, ack.conversation_id),
        "Service": (PartyId("", MSH_SERVICE), ack.service),
        "Action": (Kind.ACKNOWLEDGMENT, ack.action),
        "RefToMessageId": (good.message_id, ack.ref_to_message_id),
    }
    differing = [f"{name} {got} instead of {expected}" for name, (expected, got) in wrong.items() if got != expected]
    differing += ["the MessageId of the message itself"] if ack.message_id == good.message_id else []
    judge.that("EBMS-048", not differing, expected="the header of the message mirrored, and a new MessageId", seen="; ".join(differing))


@decides("EBMS-049")
def test_acknowledgment_block_is_complete(receiver: Receiver, judge: Judge) -> None:
    """The Acknowledgment block has its version, its moment, the right actor or none, and refers to what the header refers to."""
    good = receiver.good()
    receiver.post(good)
    found = receiver.signals(good.message_id)
    if not found:
        raise NotTestedError(Reason.NO_TRAFFIC, "a valid message is not acknowledged; see EBMS-046")

    wrong = _wrong_with_block(found[0], good)
    expected = f"version {VERSION}, mustUnderstand 1, a Timestamp, actor toPartyMSH or none, and the RefToMessageId of the header"
    judge.that("EBMS-049", not wrong, expected=expected, seen=wrong)


def _wrong_with_block(signal: Signal, good: Message) -> str:
    if signal.message is None:
        return f"a signal that cannot be read: {signal.trouble}"
    block = signal.message.acknowledgment
    if block is None:
        return f"{shown(signal)} without an Acknowledgment block"
    found = {
        f"version {block.version}": block.version != VERSION,
        f"actor {block.actor}": block.actor not in {None, ACTOR_TO_PARTY},
        f"Timestamp {block.timestamp}": read_moment(block.timestamp) is None,
        f"RefToMessageId {block.ref_to_message_id}": block.ref_to_message_id != good.message_id,
    }
    return ", ".join(text for text, is_wrong in found.items() if is_wrong)


@decides("EBMS-050")
def test_acknowledgment_asks_and_carries_nothing(receiver: Receiver, judge: Judge) -> None:
    """An Acknowledgment asks for no acknowledgment itself, and has no Manifest, payload or signature."""
    _, signal, ack = acknowledged(receiver)

    has = {
        "AckRequested": ack.ack_requested is not None,
        "SyncReply": ack.sync_reply is not None,
        "a Manifest": ack.references is not None,
        "a payload": len(signal.exchange.parts) > 1 and not signal.is_answer,
        "a signature": ack.has_signature,
    }
    seen = ", ".join(name for name, is_there in has.items() if is_there)
    judge.that("EBMS-050", not seen, expected="no AckRequested, Manifest, payload or signature", seen=seen)


# -- a message that comes again --------------------------------------------------------------------------------------------------------------


def _judge_copy(receiver: Receiver, judge: Judge, good: Message, outcome: HttpOutcome, before: int) -> bool:
    """Judge the copy of a message: 2xx, an Acknowledgment again, and one delivery. Returns whether it holds."""
    acks = of_kind(signals_of(receiver, good, expected=before + 1), Kind.ACKNOWLEDGMENT)
    receiver.quiet()
    count, more = receiver.deliveries(good), len(acks) - before
    seen = f"HTTP {status(outcome)}, {more} Acknowledgments more, taken {count} times by the application"
    holds = is_2xx(outcome) and more > 0 and count == 1
    return judge.that(judge.requirements[0], holds, expected="HTTP 2xx, an Acknowledgment again, taken once by the application", seen=seen)


def _delivered(receiver: Receiver) -> tuple[Message, Outgoing, int]:
    """Send a good message until it is delivered; return it, its bytes, and how many Acknowledgments it got."""
    good, *_ = acknowledged(receiver)
    if not receiver.is_delivered(good):
        raise NotTestedError(Reason.NO_TRAFFIC, "a valid message does not reach the application; see EBMS-045")
    return good, write_message(good), len(of_kind(signals_of(receiver, good), Kind.ACKNOWLEDGMENT))


@decides("EBMS-051")
def test_copy_is_acknowledged_and_not_delivered(receiver: Receiver, judge: Judge) -> None:
    """The same bytes again get 2xx and an Acknowledgment, and the application sees nothing of it."""
    good, outgoing, before = _delivered(receiver)

    _judge_copy(receiver, judge, good, receiver.post(good, outgoing), before)


@decides("EBMS-052")
def test_copy_is_known_after_a_restart(receiver: Receiver, judge: Judge) -> None:
    """After a restart the same bytes are a copy all the same, and so is another payload under that MessageId."""
    other = receiver.good()
    good, outgoing, _ = _delivered(receiver)
    receiver.restart()
    receiver.post(replace(other, message_id=good.message_id))
    receiver.quiet()
    # First another payload: the copy itself would remind the party of its MessageId.
    if count := receiver.deliveries(other):
        seen = f"another payload under that MessageId, taken {count} times by the application"
        judge.that("EBMS-052", holds=False, expected="a MessageId that is known after a restart too", seen=seen)
        return
    before = len(of_kind(signals_of(receiver, good), Kind.ACKNOWLEDGMENT))
    _judge_copy(receiver, judge, good, receiver.post(good, outgoing), before)


@decides("EBMS-053")
def test_known_message_id_delivers_nothing_new(receiver: Receiver, judge: Judge) -> None:
    """Another payload under a MessageId that came before does not reach the application."""
    other = receiver.good()
    good, *_ = _delivered(receiver)
    outcome = receiver.post(replace(other, message_id=good.message_id))
    receiver.quiet()

    count = receiver.deliveries(other)
    seen = f"HTTP {status(outcome)}, and taken by the application"
    judge.that("EBMS-053", not count, expected="nothing for the application", seen=seen)


@decides("EBMS-054")
def test_repeated_acknowledgment_is_the_same(receiver: Receiver, judge: Judge) -> None:
    """The Acknowledgment of a copy has the MessageId and the Timestamp of the first."""
    good, _, first = acknowledged(receiver)
    receiver.post(good)
    found = of_kind(signals_of(receiver, good, expected=2), Kind.ACKNOWLEDGMENT)
    if len(found) < 2:  # two can be compared
        raise NotTestedError(Reason.NO_TRAFFIC, "a copy is not acknowledged again; see EBMS-051")

    names = {(signal.message.message_id, signal.message.timestamp) for signal in found if signal.message is not None}
    seen = "; ".join(f"MessageId {name}, Timestamp {moment}" for name, moment in sorted(names))
    judge.that("EBMS-054", names == {(first.message_id, first.timestamp)}, expected="the same MessageId and Timestamp each time", seen=seen)


@needs("async")
@decides("EBMS-055")
def test_lost_acknowledgment_comes_after_a_copy(receiver: Receiver, judge: Judge) -> None:
    """The Acknowledgment meets a 503; after the interval, when a copy of the message has come, it arrives all the same."""
    good = receiver.good()
    receiver.lose_signals(1)
    outgoing = write_message(good)
    receiver.post(good, outgoing)
    if not receiver.signals(good.message_id):
        raise NotTestedError(Reason.NO_TRAFFIC, "a valid message is not acknowledged; see EBMS-046")
    receiver.pass_interval()
    receiver.post(good, outgoing)
    found = signals_of(receiver, good, expected=2)

    arrived = [signal for signal in found if signal.kind == Kind.ACKNOWLEDGMENT and signal.exchange.status < 300]  # 2xx
    seen = f"{len(found)} attempts, of which {len(arrived)} arrived"
    judge.that("EBMS-055", bool(arrived), expected="an Acknowledgment that arrives", seen=seen)


# -- what is legal all the same --------------------------------------------------------------------------------------------------------------


@decides("EBMS-084")
def test_chunked_message_is_accepted(receiver: Receiver, judge: Judge) -> None:
    """A message with Transfer-Encoding chunked, as ebms-core sends each payload, is as good as any."""
    good = receiver.good()
    judge_acceptance(receiver, judge, good, receiver.post(good, chunks=True))


@decides("EBMS-085")
def test_base64_payload_is_decoded(receiver: Receiver, judge: Judge) -> None:
    """A payload part in base64 reaches the application decoded."""
    good = receiver.good()
    soap = write_message(good).soap
    parts = [MimePart(part.content, part.content_id or "", part.content_type, part.name, "base64") for part in good.payloads]
    content_type, body = write_mime((MimePart(soap, good.message_id, SOAP_TYPE), *parts), "==grens==")
    judge_acceptance(receiver, judge, good, receiver.post(good, Outgoing(content_type, body, soap)))


def _microseconds(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.123456Z"


def _zoneless(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


# Written so that who ignores the offset takes the message for expired. Without a zone there is room for who takes the local one, as ebms-core does.
_MOMENTS: Final = [
    pytest.param(lambda: (at_offset(now(), 2), at_offset(now() + 6 * _HOUR, 2)), id="offset_east"),
    pytest.param(lambda: (at_offset(now(), -5), at_offset(now() + 2 * _HOUR, -5)), id="offset_west"),
    pytest.param(lambda: (_microseconds(now()), _microseconds(now() + 6 * _HOUR)), id="microseconds"),
    pytest.param(lambda: (_zoneless(now()), _zoneless(now() + 6 * _HOUR)), id="no_zone"),
]


@decides("EBMS-086")
@pytest.mark.parametrize("moments", _MOMENTS)
def test_moments_are_read_however_they_are_written(receiver: Receiver, judge: Judge, moments: Callable[[], tuple[str, str]]) -> None:
    """Timestamp and TimeToLive with an offset, with microseconds or without a zone are accepted."""
    timestamp, time_to_live = moments()
    good = replace(receiver.good(), timestamp=timestamp, time_to_live=time_to_live)
    judge_acceptance(receiver, judge, good, receiver.post(good))


@decides("EBMS-086")
def test_time_to_live_is_judged_in_utc(receiver: Receiver, judge: Judge) -> None:
    """A TimeToLive of at most an hour ago, written two hours east so that its digits lie ahead, is over."""
    good = receiver.good()
    sent, until = past_moments(receiver)
    message = replace(good, timestamp=at_offset(sent, 2), time_to_live=at_offset(until, 2))
    judge_rejection(receiver, judge, good, (message, receiver.post(message)), (Code.TIME_TO_LIVE_EXPIRED,))


def _other_part(message: Message) -> Part:
    return Part(b"<bijlage>hoort erbij</bijlage>", "text/xml", "bijlage.xml", f"bijlage.{message.message_id}")


@decides("EBMS-075")
def test_part_without_reference_is_dropped(receiver: Receiver, judge: Judge) -> None:
    """A MIME part that nothing refers to is not delivered, though it looks like a payload, and the message is acknowledged."""
    extra, good = receiver.good(), receiver.good()
    message = replace(good, payloads=(*good.payloads, *extra.payloads))
    outcome = receiver.post(message)
    acks = of_kind(signals_of(receiver, message), Kind.ACKNOWLEDGMENT)
    is_delivered = receiver.is_delivered(good)
    receiver.quiet()

    count = receiver.deliveries(extra)
    seen = f"HTTP {status(outcome)}, {len(acks)} Acknowledgments, delivered: {'yes' if is_delivered else 'no'}, extra part delivered {count} times"
    holds = bool(acks) and is_delivered and not count
    judge.that("EBMS-075", holds, expected="an Acknowledgment, and only the part that the Manifest names at the application", seen=seen)


@decides("EBMS-087")
def test_payloads_come_in_the_order_of_the_manifest(receiver: Receiver, judge: Judge) -> None:
    """Of two payloads the one that the Manifest names first is the first for the application, though its MIME part is the last."""
    good = receiver.good()
    second = _other_part(good)
    message = replace(good, payloads=(second, *good.payloads), references=(*(good.references or ()), f"cid:{second.content_id}"))
    judge_acceptance(receiver, judge, good, receiver.post(message))


@decides("EBMS-088")
def test_message_without_payload_is_acknowledged(receiver: Receiver, judge: Judge) -> None:
    """A message without payload and Manifest, as plain text/xml, is acknowledged."""
    message = replace(receiver.good(), payloads=(), references=None)
    judge_acceptance(receiver, judge, message, receiver.post(message), is_noticed=False)


@decides("EBMS-089")
@pytest.mark.bulk
def test_large_payload_is_acknowledged(receiver: Receiver, judge: Judge) -> None:
    """A payload of 20 MiB is acknowledged; above that Grote Berichten comes in."""
    small = sum(len(part.content) for part in receiver.good().payloads)
    good = receiver.good(padding=20 * _MIB - small)
    judge_acceptance(receiver, judge, good, receiver.post(good), is_noticed=False)


@decides("EBMS-101")
def test_unreadable_payload_is_acknowledged(receiver: Receiver, judge: Judge) -> None:
    """What is wrong in a payload is no matter for ebMS: the message gets its Acknowledgment, and no ErrorList."""
    good = receiver.good()
    broken = tuple(replace(part, content=b"<verwerkingsbericht zonder einde") for part in good.payloads)
    message = replace(good, payloads=broken)
    outcome = receiver.post(message)
    signals_of(receiver, message)
    receiver.quiet()
    signals = signals_of(receiver, message)

    holds = bool(of_kind(signals, Kind.ACKNOWLEDGMENT)) and not of_kind(signals, Kind.ERROR)
    seen = f"HTTP {status(outcome)}, {told(signals)}"
    judge.that("EBMS-101", holds, expected="an Acknowledgment, and no MessageError", seen=seen)


# -- signals in the HTTP answer --------------------------------------------------------------------------------------------------------------


@needs("sync")
@decides("EBMS-095")
def test_acknowledgment_is_in_the_answer(receiver: Receiver, judge: Judge) -> None:
    """Under mshSignalsOnly the Acknowledgment is in the HTTP answer, with status 200 and text/xml, and no other follows."""
    good = receiver.good()
    outcome = receiver.post(good)
    receiver.quiet()
    signals = signals_of(receiver, good)

    answer = outcome.answer or HttpAnswer(0)
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    acks = of_kind(signals, Kind.ACKNOWLEDGMENT)
    holds = answer.status == 200 and media == "text/xml" and len(acks) == 1 and acks[0].is_answer  # the row says 200
    where = "in the answer" if any(ack.is_answer for ack in acks) else "by itself"
    seen = f"HTTP {answer.status} {media}, {told(signals)} ({where})"
    judge.that("EBMS-095", holds, expected="HTTP 200, text/xml, one Acknowledgment in it, and none by itself", seen=seen)


@needs("sync")
@decides("EBMS-096")
def test_error_is_in_the_answer(receiver: Receiver, judge: Judge) -> None:
    """Under mshSignalsOnly an invalid message gets 200 with the MessageError in it."""
    message = expired(receiver.good(), receiver)
    outcome = receiver.post(message)
    signals = signals_of(receiver, message, form="EBMS-094")

    answered = of_kind([signal for signal in signals if signal.is_answer], Kind.ERROR)
    seen = f"HTTP {status(outcome)}, {told(signals)}{'' if answered else ', not in the answer'}"
    judge.that("EBMS-096", status(outcome) == 200 and bool(answered), expected="HTTP 200 with the MessageError in it", seen=seen)
