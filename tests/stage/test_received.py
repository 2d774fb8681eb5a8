"""What came of a message that was sent: what is read out of signals, and which judgement follows, against a party that says what a test wants."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from conformance.messages.moments import read_moment
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.received import (
    acknowledged,
    at_offset,
    edited,
    expired,
    judge_acceptance,
    judge_kept_away,
    judge_rejection,
    past_moments,
    status,
    told,
)
from conformance.stage.receiver import Signal
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome
from conformance.transport.ebms2.model import EbmsError, Message, Side
from conformance.transport.ebms2.names import ErrorCode, Severity
from conformance.transport.ebms2.signals import acknowledgment_of, error_of
from conformance.transport.ebms2.writing import write_message
from conformance.verdicts import Reason, Verdict

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = Message(
    sender=Side((PartyId("urn:osb:oin", "1"),), "SP"),
    receiver=Side((PartyId("urn:osb:oin", "2"),), "SR"),
    cpa_id="CPA_1",
    conversation_id="gesprek",
    service=PartyId("urn:osb:services", "dienst"),
    action="actie",
    message_id="een@logius.example",
    timestamp="2026-11-24T12:00:00Z",
)
ACK = acknowledgment_of(GOOD, "ack@afnemer.example", NOW)
CODES = (ErrorCode.INCONSISTENT,)


def error(code=ErrorCode.INCONSISTENT, severity=Severity.ERROR):
    """Return a MessageError about the good message."""
    return error_of(GOOD, EbmsError(code, "//Header", "Wrong value.", severity), "fout@afnemer.example", NOW)


@dataclass
class Party:
    """A receiver that answers what it was told to."""

    says: tuple = ()
    trouble: str = ""
    delivered: int = 0
    code: int = 204
    start: datetime | None = None
    posted: list = field(default_factory=list)

    @property
    def agreement(self):
        """The CPA, of which only the term is asked."""
        return SimpleNamespace(cpa=SimpleNamespace(start=self.start and SimpleNamespace(at=self.start)))

    def good(self):
        return GOOD

    def post(self, message):
        self.posted.append(message)
        return HttpOutcome(HttpAnswer(self.code))

    def signals(self, _message_id, *, expected=1):
        del expected
        broken = [Signal(None, b"", None, is_answer=False, trouble=self.trouble)] if self.trouble else []
        return [*(Signal(one, b"", None, is_answer=False) for one in self.says), *broken]

    def deliveries(self, _message):
        return self.delivered

    def is_delivered(self, _message):
        return self.delivered > 0


def judged(decide, party, *more, **named):
    """Return the only judgement on the good message."""
    judge = Judge("ontvangen/een", ["EBMS-056"])
    sent = party.post(GOOD)
    decide(party, judge, GOOD, sent if decide is judge_acceptance else (GOOD, sent), *more, **named)
    (result,) = judge.results
    return result


@pytest.mark.parametrize(
    ("party", "verdict"),
    [
        (Party((error(),)), Verdict.PASSED),
        (Party((error(),), code=200), Verdict.PASSED),
        (Party((error(ErrorCode.UNKNOWN),)), Verdict.FAILED),
        (Party((error(severity=Severity.WARNING),)), Verdict.FAILED),
        (Party((error(), ACK)), Verdict.FAILED),
        (Party((error(),), delivered=1), Verdict.FAILED),
        (Party((ACK,)), Verdict.FAILED),
        (Party(), Verdict.FAILED),
        (Party(code=500), Verdict.FAILED),
    ],
)
def test_rejection_needs_its_code(party, verdict):
    """
    A rejection is a MessageError with one of the codes and of severity Error, no Acknowledgment, and nothing for the application.
    """
    assert judged(judge_rejection, party, CODES).verdict is verdict


@pytest.mark.parametrize(("code", "delivered", "verdict"), [(500, 0, Verdict.PASSED), (503, 1, Verdict.FAILED), (400, 0, Verdict.FAILED)])
def test_rejection_may_be_an_http_error(code, delivered, verdict):
    """
    Who cannot send a MessageError may answer 5xx, when nothing is delivered.
    """
    result = judged(judge_rejection, Party(code=code, delivered=delivered), CODES, allows_5xx=True)

    assert result.verdict is verdict


@pytest.mark.parametrize(
    ("party", "verdict"),
    [
        (Party((error(),)), Verdict.PASSED),
        (Party(code=500), Verdict.PASSED),
        (Party(), Verdict.WARNING),
        (Party((error(ErrorCode.UNKNOWN),)), Verdict.WARNING),
        (Party((ACK,)), Verdict.FAILED),
        (Party(delivered=1), Verdict.FAILED),
    ],
)
def test_what_is_kept_away_may_be_kept_silent(party, verdict):
    """
    Only an Acknowledgment or a delivery is wrong; to say nothing of it is a note.
    """
    assert judged(judge_kept_away, party, CODES).verdict is verdict


@pytest.mark.parametrize(
    ("party", "is_noticed", "verdict"),
    [
        (Party((ACK,), delivered=1), True, Verdict.PASSED),
        (Party((ACK,)), False, Verdict.PASSED),
        (Party((ACK,)), True, Verdict.FAILED),
        (Party((ACK, error()), delivered=1), True, Verdict.FAILED),
        (Party((ACK,), delivered=1, code=500), True, Verdict.FAILED),
        (Party(delivered=1), True, Verdict.FAILED),
    ],
)
def test_acceptance_is_an_acknowledgment_and_a_delivery(party, is_noticed, verdict):
    """
    A message that is accepted got 2xx and an Acknowledgment, and its payload is at the application where that would notice it.
    """
    assert judged(judge_acceptance, party, is_noticed=is_noticed).verdict is verdict


def test_signal_that_cannot_be_read_decides_nothing_else():
    """
    Only the requirement about its form is decided by a signal that cannot be read; the message names it.
    """
    with pytest.raises(NotTestedError, match="no xml:lang; see EBMS-094") as unread:
        judged(judge_rejection, Party(trouble="no xml:lang"), CODES)

    assert unread.value.reason is Reason.NOT_SEEN


def test_acknowledgment_is_asked_for_first():
    """
    What looks at an Acknowledgment tests nothing when there is none.
    """
    good, signal, ack = acknowledged(Party((error(), ACK)))

    assert (good, signal.message, ack) == (GOOD, ACK, ACK)
    with pytest.raises(NotTestedError, match="see EBMS-046"):
        acknowledged(Party((error(),)))


def test_signals_are_told_to_a_person():
    """
    Signals are named by their action, with what an error says.
    """
    party = Party((ACK, error()), trouble="halfway")

    text = told(party.signals(""))

    assert text == "Acknowledgment, MessageError Inconsistent (Error) at //Header Wrong value., a signal that cannot be read (halfway)"
    assert told(()) == "no signal"
    assert status(HttpOutcome()) == 0


@pytest.mark.parametrize("age", [timedelta(days=1), timedelta(minutes=10)])
def test_expired_message_is_within_the_cpa(age):
    """
    A message of which the time is over was sent within the term of the CPA, also when that began a moment ago.
    """
    start = datetime.now(UTC) - age
    message = expired(GOOD, Party(start=start))

    sent, until = read_moment(message.timestamp).at, read_moment(message.time_to_live).at
    assert start - timedelta(milliseconds=1) <= sent < until < datetime.now(UTC)


def test_cpa_without_a_start_limits_nothing():
    """
    Without a Start that can be read, an expired message is two hours old.
    """
    sent, until = past_moments(Party())

    assert until - sent == timedelta(hours=1)


def test_edit_changes_the_envelope_and_the_body():
    """
    One piece is replaced in the envelope and in the body alike; a piece that is not there is a mistake in the case.
    """
    outgoing = edited(GOOD, b"gesprek", b"verhaal")

    assert outgoing.soap == outgoing.body == write_message(replace(GOOD, conversation_id="verhaal")).soap
    with pytest.raises(ValueError, match="has no b'nergens'"):
        edited(GOOD, b"nergens", b"")


@pytest.mark.parametrize(("hours", "text"), [(2, "2026-11-24T14:00:00+02:00"), (-5, "2026-11-24T07:00:00-05:00")])
def test_moment_is_written_with_its_offset(hours, text):
    """
    The digits move with the offset: the moment stays the same.
    """
    assert at_offset(NOW, hours) == text
    assert read_moment(text).at == NOW
