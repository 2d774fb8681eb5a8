"""How a message is acknowledged when a fault has it so: what the Afnemer sees, and what a copy of the message gets."""

import pytest

from conformance.berichtenbox.ack_faults import Making, bent, plainly
from conformance.berichtenbox.faults import FaultError, FaultPlan, Point
from conformance.transport.ebms2.http import EMPTY
from conformance.transport.ebms2.names import ACTOR_TO_PARTY, ErrorCode, Kind
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.signals import acknowledgment_of
from conformance.transport.ebms2.writing import write_message


@pytest.fixture
def signals(any_line):
    """Send a message with a fault, and return it, the signals that the Afnemer sees, and the HTTP answer; then those of a copy."""

    def send(name, **values):
        any_line.box.fault(name, **values)
        message = any_line.message()
        seen = []
        for _ in range(2):
            answer = any_line.gateway.signal(message).answer
            any_line.box.settle()
            own = [read_message(answer.headers["content-type"], answer.body).message] if answer.body else []
            seen.append((answer, own + [one for one in any_line.gateway.messages if one.kind is not Kind.USER]))
            any_line.gateway.requests.clear()
        return message, *seen

    return send


def is_real(signal, message):
    """Tell whether a signal is the acknowledgment of a message."""
    return (signal.kind, signal.ref_to_message_id, signal.cpa_id) == (Kind.ACKNOWLEDGMENT, message.message_id, message.cpa_id)


def test_lost_acknowledgment_comes_for_a_copy(any_line, signals):
    """
    The message is kept, and nobody hears of it until it comes again.
    """
    message, (answer, first), (_, second) = signals("ack-lost")

    assert (answer.status, answer.body, first) == (204, b"", [])
    assert [is_real(signal, message) for signal in second] == [True]
    assert len(any_line.offers) == 1


def test_acknowledgment_comes_several_times(line):
    """
    Copies of an Acknowledgment are the same bytes, each in a POST of its own.
    """
    line.box.fault("ack-twice", copies=3)
    line.send()
    line.box.settle()

    assert len([one for one in line.gateway.messages if one.kind is Kind.ACKNOWLEDGMENT]) == 3
    assert len({request.body for request, one in zip(line.gateway.requests, line.gateway.messages, strict=True) if one.kind is not Kind.USER}) == 1


def test_answer_holds_one_acknowledgment(sync_line):
    """
    In the HTTP answer there is room for one: that fault does nothing there.
    """
    sync_line.box.fault("ack-twice", copies=3)
    _, outcome = sync_line.send()
    sync_line.box.settle()

    assert outcome.answer.status == 200
    assert sync_line.gateway.of(Kind.ACKNOWLEDGMENT) == []


def test_acknowledgment_comes_late(line):
    """
    It waits on the business clock, and a copy that comes meanwhile is answered at once.
    """
    line.box.fault("ack-late", delay_s=30.0)
    message, _ = line.send()
    line.box.settle()
    before = line.gateway.of(Kind.ACKNOWLEDGMENT)
    line.box.advance(seconds=29)
    almost = line.gateway.of(Kind.ACKNOWLEDGMENT)
    line.box.advance(seconds=2)

    assert (before, almost) == ([], [])
    assert [ack.ref_to_message_id for ack in line.gateway.of(Kind.ACKNOWLEDGMENT)] == [message.message_id]


def test_copy_is_not_late(line):
    """
    What a fault keeps back is for the first copy; the next one is answered as it should be.
    """
    line.box.fault("ack-late", delay_s=30.0)
    message, _ = line.send()
    line.gateway.signal(message)
    line.box.settle()

    assert [ack.ref_to_message_id for ack in line.gateway.of(Kind.ACKNOWLEDGMENT)] == [message.message_id]


@pytest.mark.parametrize("what", ["message-id", "cpa", "parties"])
def test_acknowledgment_of_something_else(any_line, signals, what):
    """
    What comes is an Acknowledgment that differs in one thing; the right one comes for a copy.
    """
    message, (_, first), (_, second) = signals("ack-foreign", what=what)

    (foreign,) = first
    differs = {
        "message-id": foreign.ref_to_message_id != message.message_id,
        "cpa": foreign.cpa_id != message.cpa_id,
        "parties": foreign.sender.ids != message.receiver.ids,
    }
    assert {name for name, is_other in differs.items() if is_other} == {what}
    assert foreign.acknowledgment.ref_to_message_id == foreign.ref_to_message_id
    assert [is_real(signal, message) and signal.message_id != foreign.message_id for signal in second] == [True]
    assert len(any_line.offers) == 1


@pytest.mark.parametrize("shape", ["without-actor", "with-role", "multipart"])
def test_acknowledgment_of_another_product(signals, shape):
    """
    Each shape is allowed, is the acknowledgment of the message, and is the answer to a copy too.
    """
    message, (answer, first), (_, second) = signals("ack-shape", shape=shape)

    (signal,) = first
    assert is_real(signal, message)
    assert second == first
    assert (signal.acknowledgment.actor is None) == (shape == "without-actor")
    assert (signal.acknowledgment.actor == ACTOR_TO_PARTY) == (shape != "without-actor")
    assert (signal.sender.role, signal.receiver.role, signal.duplicate_elimination) == (
        ("SP", "SR", True) if shape == "with-role" else (None, None, False)
    )
    assert answer.headers.get("content-type", "text/xml").startswith("multipart/related" if shape == "multipart" and answer.body else "text/xml")


def test_multipart_goes_apart_too(line):
    """
    An Acknowledgment in a POST of its own can be wrapped just as well.
    """
    line.box.fault("ack-shape", shape="multipart")
    line.send()
    line.box.settle()

    kinds = {one.kind: request.headers["content-type"] for request, one in zip(line.gateway.requests, line.gateway.messages, strict=True)}
    assert kinds[Kind.ACKNOWLEDGMENT].startswith("multipart/related")


def test_acknowledgment_in_the_answer_whatever_the_cpa_says(line):
    """
    It is in the answer, and not apart as well; a copy is answered as the CPA says.
    """
    line.box.fault("ack-in-answer")
    message, outcome = line.send()
    line.box.settle()
    apart = line.gateway.of(Kind.ACKNOWLEDGMENT)
    again = line.gateway.signal(message)
    line.box.settle()

    assert is_real(read_message(outcome.answer.headers["content-type"], outcome.answer.body).message, message)
    assert (apart, again.answer.status) == ([], 204)
    assert [is_real(ack, message) for ack in line.gateway.of(Kind.ACKNOWLEDGMENT)] == [True]
    assert line.ledger.wire.answer_to(message.message_id).delivery.reason == "in the answer"


@pytest.mark.parametrize("code", [ErrorCode.MIME_PROBLEM, ErrorCode.SECURITY_FAILURE])
def test_error_list_instead(any_line, signals, code):
    """
    The message is not kept, and a copy hears the same: its MessageId is used up.
    """
    message, (_, first), (_, second) = signals("error-list", error=str(code))

    (signal,) = first
    assert (signal.kind, signal.ref_to_message_id) == (Kind.ERROR, message.message_id)
    assert [error.code for error in signal.error_list.errors] == [code]
    assert second == first
    assert any_line.offers == []


def test_faults_go_together(line):
    """
    A lost Acknowledgment stays lost, however often it would have come.
    """
    line.box.fault("ack-twice")
    line.box.fault("ack-lost")
    line.send()
    line.box.settle()

    assert line.gateway.of(Kind.ACKNOWLEDGMENT) == []


def test_message_that_is_rejected_uses_up_no_fault(line):
    """
    What is not accepted is not acknowledged either: the fault waits for the next message.
    """
    line.box.fault("ack-lost")
    line.send(sync_reply=None, duplicate_elimination=False)
    line.box.settle()
    rejected = line.gateway.of(Kind.ERROR)
    line.send()
    line.box.settle()

    assert len(rejected) == 1
    assert line.gateway.of(Kind.ACKNOWLEDGMENT) == []


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("ack-foreign", {"what": "payload"}, "expected one of message-id, cpa, parties"),
        ("ack-shape", {"shape": ["multipart"]}, "expected one of without-actor, with-role, multipart"),
        ("status", {"status": 100}, "expected a status from 200 to 599"),
        ("status", {"status": True}, "expected a status from 200 to 599"),
    ],
)
def test_parameter_that_does_not_exist_is_refused(name, values, said):
    """
    A word that is not in the list is told when the fault is set.
    """
    with pytest.raises(FaultError, match=said):
        FaultPlan().script(name, **values)


# -- without a line --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["error-list", "ack-lost", "ack-shape"])
def test_what_is_not_acknowledged_cannot_be_bent(name):
    """
    A message that asks no Acknowledgment has none to lose.
    """
    plan = FaultPlan()
    plan.script(name)
    reception = Reception(Outcome.ACCEPTED, EMPTY)

    assert bent(reception, plan.striking(Point.ACK), Making(lambda: "id", None, "")) == plainly(reception)


def test_error_needs_a_message_to_be_about(line):
    """
    Without the message there is nothing to refuse: the answer stays.
    """
    plan = FaultPlan()
    plan.script("error-list")
    message = line.message()
    signal = acknowledgment_of(message, "a@x", line.box.wall())
    reception = Reception(Outcome.ACCEPTED, EMPTY, signal=signal, signal_bytes=write_message(signal))

    assert bent(reception, plan.striking(Point.ACK), Making(lambda: "id", line.box.wall(), "")) == plainly(reception)
