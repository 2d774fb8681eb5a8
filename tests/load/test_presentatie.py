"""When 99,9 % of the requests of citizens who read was answered within 200 milliseconds: exactly, and a failure is no answer."""

import pytest

from conformance.load.judging import case_results
from conformance.load.presentatie import BIJLAGE, LETTER, LIST

OK = 0.1


def read(lists=(), letters=(), bijlagen=()):
    return {LIST: list(lists), LETTER: list(letters), BIJLAGE: list(bijlagen)}


@pytest.mark.parametrize(
    ("slow", "failed", "verdict"),
    [(0, 0, "passed"), (10, 0, "passed"), (11, 0, "failed"), (9, 1, "passed"), (9, 2, "failed"), (0, 11, "failed")],
)
def test_one_in_a_thousand_may_be_late(made_run, verdicts, slow, failed, verdict):
    """
    Of ten thousand requests ten may be late or fail, and not one more.
    """
    answers = read([0.21] * slow + [None] * failed, [OK] * 5_000, [OK] * (5_000 - slow - failed))

    assert verdicts(made_run("presentatie", answers)) == {"SNO-PRE-01": (verdict, None)}


def test_berichtenbox_of_210_milliseconds_fails(made_run):
    """
    A Berichtenbox that always answers at 210 milliseconds is failed, whichever request it is.
    """
    (result,) = case_results(made_run("presentatie", read([0.21] * 3_334, [0.21] * 3_333, [0.21] * 3_333)))

    assert str(result.verdict) == "failed"
    assert result.message == "0 of 10000 requests were answered within 200 ms, at 100 a second."
    assert result.seen == "10000 later, 0 without a right answer, at 100 a second, measured at the client"


def test_exactly_200_milliseconds_is_in_time(made_run, verdicts):
    """
    The norm says within, and 200 is within 200.
    """
    assert verdicts(made_run("presentatie", read([0.2] * 10_000))) == {"SNO-PRE-01": ("passed", None)}


def test_fewer_than_ten_thousand_requests_claim_nothing(made_run, verdicts):
    """
    A thousand requests leave room for one late answer, and claim nothing.
    """
    assert verdicts(made_run("presentatie", read([0.3] + [OK] * 999), scale="1/10")) == {"SNO-PRE-01": ("not-tested", "scaled")}
    assert verdicts(made_run("presentatie", read([0.3] * 2 + [OK] * 998), scale="1/10")) == {"SNO-PRE-01": ("failed", None)}


def test_requests_that_were_not_sent_prove_nothing(made_run, verdicts):
    """
    A run that ended early is no pass, however quick its answers.
    """
    assert verdicts(made_run("presentatie", read([OK] * 9_000))) == {"SNO-PRE-01": ("failed", None)}


def test_requests_without_an_answer_count(made_run, verdicts):
    """
    Eleven requests that were sent and never answered are eleven too many.
    """
    assert verdicts(made_run("presentatie", read([OK] * 9_989), sent=10_000)) == {"SNO-PRE-01": ("failed", None)}
