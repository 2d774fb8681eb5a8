"""How a case says what it found: every way in which a requirement can be settled."""

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, DriverError, Refused, TimedOut, Unreachable, Verb
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge, NeverOfferedError, NotTestedError, UndecidedError, reason_of
from conformance.verdicts import CaseResult, Reason, Verdict

BSN = "999990019"
SERIOUS = Finding("AANL-001", "Bericht[1]", "a GUID", f"'{BSN}'")
NOTE = Finding("AANL-001", "Bericht[2]", "another spelling", "this one", is_note=True)


@pytest.fixture
def judge():
    """The judge of a case that decides two requirements."""
    return Judge("aanleveren/iets", ("AANL-001", "AANL-002"))


def test_what_holds_passes_without_a_word(judge):
    """
    A requirement that holds has nothing to tell, and leaves no quote.
    """
    holds = judge.that("AANL-001", holds=True, expected="one", seen="one")

    assert holds is True
    assert judge.results == [CaseResult("AANL-001", "aanleveren/iets", Verdict.PASSED, "")]


def test_what_does_not_hold_fails_with_its_proof(judge):
    """
    A failure tells what was expected and seen, with every BSN masked, and on what contradiction it rests.
    """
    holds = judge.that("AANL-001", holds=False, expected=f"nothing to {BSN}", seen={BSN: 1}, contradictions=["D4"])

    (result,) = judge.results
    assert holds is False
    assert (result.verdict, result.contradictions) == (Verdict.FAILED, ("D4",))
    assert result.message == "expected nothing to 9999*****; seen {'9999*****': 1}"
    assert (result.expected, result.seen) == ("nothing to 9999*****", "{'9999*****': 1}")


@pytest.mark.parametrize(
    ("found", "verdict", "message"),
    [
        ([], Verdict.PASSED, ""),
        ([SERIOUS], Verdict.FAILED, "Bericht[1]: expected a GUID; seen '9999*****'"),
        ([NOTE, SERIOUS, SERIOUS], Verdict.FAILED, "Bericht[1]: expected a GUID; seen '9999*****' (and 2 more)"),
        ([NOTE], Verdict.WARNING, "Bericht[2]: expected another spelling; seen this one"),
    ],
)
def test_findings_of_a_rule_become_a_verdict(judge, found, verdict, message):
    """
    Nothing found passes, a note warns, anything else fails and is quoted before any note.
    """
    judge.findings("AANL-001", iter(found))

    (result,) = judge.results
    assert (result.verdict, result.message) == (verdict, message)


@pytest.mark.parametrize("verdict", [Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE])
def test_undecided_says_why(judge, verdict):
    """
    What was not tested has a reason and a sentence, masked.
    """
    judge.undecided("AANL-001", Reason.NOT_SEEN, f"no letter to {BSN}", verdict)

    assert judge.results == [CaseResult("AANL-001", "aanleveren/iets", verdict, "no letter to 9999*****", Reason.NOT_SEEN)]


@pytest.mark.parametrize(
    "say", [lambda judge: judge.that("HERL-001", holds=True, expected="", seen=""), lambda judge: judge.findings("HERL-001", [])]
)
def test_judging_something_else_is_a_mistake_of_ours(judge, say):
    """
    A case decides only what it is marked with.
    """
    with pytest.raises(UndecidedError, match="aanleveren/iets judges HERL-001, and is not marked with it"):
        say(judge)


# -- how a case ends -------------------------------------------------------------------------------------------------------------------------


def test_close_of_a_decided_case_adds_nothing(judge):
    """
    A case that judged everything is settled.
    """
    judge.that("AANL-001", holds=True, expected="", seen="")
    judge.that("AANL-002", holds=True, expected="", seen="")
    judge.close(None)

    assert len(judge.results) == 2
    assert judge.worst() is Verdict.PASSED


def test_undecided_case_is_a_mistake_of_ours(judge):
    """
    A case that ended well without judging everything is told so.
    """
    judge.that("AANL-001", holds=True, expected="", seen="")

    with pytest.raises(UndecidedError, match=r"aanleveren/iets did not decide AANL-002$"):
        judge.close(None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotTestedError(Reason.KIT_LIMIT, f"too slow for {BSN}"), Reason.KIT_LIMIT),
        (NeverOfferedError(1, 3), Reason.NO_TRAFFIC),
        (TimedOut(f"no answer about {BSN}", verb=Verb.BERICHT), Reason.TIMEOUT),
        (Refused(f"{BSN} is onbekend"), Reason.REFUSED_BY_AFNEMER),
        (CannotDo("no such verb"), Reason.DRIVER_CANNOT),
        (BadAnswer(Verb.BERICHT, "an object", f"'{BSN}'"), Reason.DRIVER_ANSWER),
        (Unreachable("connection refused"), Reason.UNREACHABLE),
        (DriverError("something else"), Reason.UNREACHABLE),
    ],
)
def test_error_leaves_the_rest_untested(judge, error, reason):
    """
    What was judged stays, what was left is not tested, with the reason that belongs to the error.
    """
    judge.that("AANL-001", holds=False, expected="one", seen="two")
    judge.close(error)

    failed, left = judge.results
    assert failed.verdict is Verdict.FAILED
    assert (left.requirement, left.verdict, left.reason) == ("AANL-002", Verdict.NOT_TESTED, reason)
    assert left.message
    assert BSN not in left.message
    assert judge.worst() is Verdict.FAILED


@pytest.mark.parametrize(("error", "reason"), [(TimedOut("x"), Reason.TIMEOUT), (DriverError("x"), Reason.UNREACHABLE)])
def test_reason_of_a_driver_error(error, reason):
    """
    The most telling reason is chosen; what is not known better is unreachable.
    """
    assert reason_of(error) is reason


def test_crash_is_an_error_of_the_kit(judge):
    """
    An exception of ours is never the Afnemer's: what was left is a kit-error, masked.
    """
    judge.that("AANL-001", holds=True, expected="", seen="")
    judge.close(KeyError(BSN))

    assert judge.results[1:] == [CaseResult("AANL-002", "aanleveren/iets", Verdict.KIT_ERROR, "KeyError: '9999*****'")]
    assert judge.worst() is Verdict.KIT_ERROR


def test_crash_after_the_last_judgement_still_counts(judge):
    """
    When nothing was left to decide, a crash casts doubt on all of it.
    """
    judge.that("AANL-001", holds=True, expected="", seen="")
    judge.that("AANL-002", holds=True, expected="", seen="")
    judge.close(ZeroDivisionError("division by zero"))

    crashed = [result.requirement for result in judge.results if result.verdict is Verdict.KIT_ERROR]
    assert crashed == ["AANL-001", "AANL-002"]


def test_never_offered_tells_how_many():
    """
    The text counts what did not come.
    """
    error = NeverOfferedError(2, 7)

    assert error.missing == 2
    assert str(error) == "2 of 7 berichten that were asked for never reached the Berichtenbox"
