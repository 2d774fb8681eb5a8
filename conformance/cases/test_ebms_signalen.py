"""The signals of the party under test: its answers to a Ping and a StatusRequest, and its MessageErrors."""

from dataclasses import replace
from typing import Final

from conformance.messages.guard import XmlRefused, etree, parse
from conformance.messages.moments import read_moment
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.received import acknowledged, expired, is_rejected_with, now, status, told
from conformance.stage.receiver import Receiver, Signal
from conformance.transport.ebms2 import signals as making
from conformance.transport.ebms2.model import EbmsError, Message
from conformance.transport.ebms2.names import ERRORS_CONTEXT, NS_EB, VERSION, Kind, MessageStatus, Severity
from conformance.transport.ebms2.names import ErrorCode as Code
from conformance.verdicts import Reason, Verdict

pytestmark = needs("ebms")

_SEVERITY: Final = {Severity.WARNING: 0, Severity.ERROR: 1}


# -- questions of the message service handler ------------------------------------------------------------------------------------------------


def _answered(receiver: Receiver, judge: Judge, question: Message, kind: Kind) -> Message | None:
    """Ask, and return the answer of ``kind``; ``None`` when that settled it: not supported, silence (which tests nothing), or something else."""
    requirement = judge.requirements[0]
    outcome = receiver.post(question)
    signals = receiver.signals(question.message_id)
    broken = next((signal for signal in signals if signal.message is None), None)
    if broken is not None:
        judge.that(requirement, holds=False, expected=f"a {kind} that can be read", seen=broken.trouble)
        return None
    found = [signal.message for signal in signals if signal.message is not None]
    answer = next((message for message in found if message.kind is kind), None)
    if answer is not None:
        return answer
    if not found:
        text = f"the party does not support {question.action}: HTTP {status(outcome)}, and no signal"
        judge.undecided(requirement, Reason.ELEMENT_NOT_USED, text, Verdict.NOT_APPLICABLE)
        return None
    is_supported = not is_rejected_with(signals, (Code.NOT_SUPPORTED,))
    judge.that(requirement, not is_supported, expected=f"a {kind}, or MessageError NotSupported", seen=told(signals))
    return None


def _not_mirrored(answer: Message, question: Message) -> list[str]:
    """Return what of the header of an answer does not follow from the question."""
    pairs = {
        "RefToMessageId": (question.message_id, answer.ref_to_message_id),
        "ConversationId": (question.conversation_id, answer.conversation_id),
        "CPAId": (question.cpa_id, answer.cpa_id),
        "From": (question.receiver.flat_ids, answer.sender.flat_ids),
        "To": (question.sender.flat_ids, answer.receiver.flat_ids),
    }
    return [f"{name} {got} instead of {expected}" for name, (expected, got) in pairs.items() if got != expected]


@decides("EBMS-090")
def test_ping_gets_a_pong(receiver: Receiver, judge: Judge) -> None:
    """A Ping gets a Pong that mirrors it and is empty; who does not support it says so, or nothing."""
    ping = receiver.handler.new_ping(receiver.agreement.cpa_id)
    pong = _answered(receiver, judge, ping, Kind.PONG)
    if pong is None:
        return
    wrong = _not_mirrored(pong, ping)
    wrong += ["a Body that is not empty"] if pong.references is not None or pong.status_request or pong.status_response else []
    judge.that("EBMS-090", not wrong, expected="a Pong that mirrors the Ping, with an empty Body", seen="; ".join(wrong))


@decides("EBMS-091")
def test_status_of_an_accepted_message(receiver: Receiver, judge: Judge) -> None:
    """A StatusRequest about an accepted message gets Received or Processed with a moment, or NotSupported."""
    good, *_ = acknowledged(receiver)
    question = receiver.handler.new_status_request(receiver.agreement.cpa_id, good.message_id)
    answer = _answered(receiver, judge, question, Kind.STATUS_RESPONSE)
    if answer is None:
        return
    block = answer.status_response
    wrong = _not_mirrored(answer, question)
    if block is None or block.status not in {MessageStatus.RECEIVED, MessageStatus.PROCESSED, MessageStatus.FORWARDED}:
        wrong.append(f"status {block and block.status}")
    elif block.timestamp is None or read_moment(block.timestamp) is None:
        wrong.append("no Timestamp")
    elif block.ref_to_message_id != good.message_id:
        wrong.append("the status of another message")
    judge.that("EBMS-091", not wrong, expected="Received or Processed with a Timestamp", seen="; ".join(wrong))


@decides("EBMS-092")
def test_status_of_an_unknown_message(receiver: Receiver, judge: Judge) -> None:
    """A StatusRequest about a message that never came gets NotRecognized, without a moment, or NotSupported."""
    question = receiver.handler.new_status_request(receiver.agreement.cpa_id, "nooit.verzonden@berichtenbox.example")
    answer = _answered(receiver, judge, question, Kind.STATUS_RESPONSE)
    if answer is None:
        return
    block = answer.status_response
    holds = block is not None and block.status == MessageStatus.NOT_RECOGNIZED and block.timestamp is None
    seen = "no StatusResponse block" if block is None else f"{block.status}, Timestamp {block.timestamp}"
    judge.that("EBMS-092", holds, expected="NotRecognized without a Timestamp", seen=seen)


# -- errors about messages -------------------------------------------------------------------------------------------------------------------


@decides("EBMS-093")
def test_error_is_not_answered_with_an_error(receiver: Receiver, judge: Judge) -> None:
    """A MessageError about a message that the party never sent gets no MessageError in return."""
    about = replace(_reversed(receiver), message_id="nooit.verzonden@afnemer.example")
    error = making.error_of(about, EbmsError(Code.VALUE_NOT_RECOGNIZED, "//Header/MessageHeader"), f"fout.{receiver.good().message_id}", now())
    outcome = receiver.post(error)
    receiver.quiet()
    found = [signal for signal in receiver.signals(error.message_id, expected=0) if signal.kind in {"", Kind.ERROR}]

    judge.that("EBMS-093", not found, expected="no MessageError", seen=f"HTTP {status(outcome)}, {told(found)}")


def _reversed(receiver: Receiver) -> Message:
    """Return a message as the party would have sent it to the kit."""
    ping = receiver.handler.new_ping(receiver.agreement.cpa_id)
    return replace(ping, sender=ping.receiver, receiver=ping.sender)


@decides("EBMS-094")
def test_error_lists_are_complete(receiver: Receiver, judge: Judge) -> None:
    """Every ErrorList of the run, and one that is provoked here, is valid and complete."""
    message = expired(receiver.good(), receiver)
    receiver.post(message)
    receiver.signals(message.message_id)
    found = receiver.errors()
    if not found:
        raise NotTestedError(Reason.NO_TRAFFIC, "the party reports no errors in ebMS; see EBMS-056")

    wrong = [text for signal in found for text in _wrong_with_errors(signal)]
    expected = "ErrorLists that are valid against the schema, with the ordinary codeContext and a highestSeverity that fits"
    judge.that("EBMS-094", not wrong, expected=expected, seen="; ".join(dict.fromkeys(wrong)))


def _wrong_with_errors(signal: Signal) -> list[str]:
    errors = None if signal.message is None else signal.message.error_list
    if errors is None:
        return [signal.trouble or "a MessageError without an ErrorList"]
    wrong = [] if errors.version == VERSION else [f"version {errors.version}"]
    highest = max((str(error.severity) for error in errors.errors), key=lambda one: _SEVERITY.get(Severity(one), 0))
    wrong += [] if errors.highest_severity == highest else [f"highestSeverity {errors.highest_severity} over severity {highest}"]
    try:
        root = parse(signal.soap)
    except XmlRefused as refusal:
        return [*wrong, str(refusal)]
    contexts = {_context(element) for element in root.iter(f"{{{NS_EB}}}Error")} - {None, ERRORS_CONTEXT}
    return wrong + [f"codeContext {context}" for context in sorted(filter(None, contexts))]


def _context(element: etree._Element) -> str | None:
    return element.get(f"{{{NS_EB}}}codeContext")
