"""Judging a herlevering: what is wrong with it, whether it was in time, and when nothing can be said."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from conformance.load.afnemers import ASKED
from conformance.load.herlevering import FACT, LIVE, NORM, PROFILE, afterwards_s, judge, term_s, volume
from conformance.load.judging import Measured
from conformance.load.plan import LoadError, plan
from conformance.load.reconcile import Reconciliation, Trouble
from conformance.load.samples import Samples, Tally
from conformance.norms import count, duration
from conformance.verdicts import Reason

PLAN = plan("herlevering", scale=Fraction(1, 100))
RIGHT = Reconciliation(offered=25_100, wanted=25_000, complete=25_000, again=25_000, live=100, first_at=1_010.0, last_at=1_040.0)
ONE = Trouble(1, ["5d0f7c5e-0000-4000-8000-00000000dead"])


def outcome(found=RIGHT, samples=None, asked=100, **facts):
    """Return what came of a herlevering that was asked for at moment 1000."""
    told = {"status": 202, "answer": "{}", "asked_at": 1_000.0, "busy": {}, "found": found.to_json()} | facts
    (judged,) = judge(Measured(PLAN, samples or Samples(), Tally(Counter({ASKED: asked})), facts={FACT: told}))
    assert judged.norm == NORM
    return judged


def test_demand_is_the_day_of_the_sno():
    """A hundredth of the day is delivered again in a hundredth of its time, and ordinary letters come as fast as that day has them."""
    assert volume(PLAN) == count("SNO-BER-01", "berichten") // 100


def test_day_of_a_small_afnemer_is_a_full_one():
    """
    Whoever never sends millions claims the norm for its own busiest day.
    """
    own = plan("herlevering", settings={"volume": "5000"})

    assert (volume(own), own.can_claim, term_s(own)) == (5_000, True, 86_400.0)


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1e3", "٣"])
def test_volume_that_is_no_number_is_refused(wrong):
    """
    A wrong volume is told with what was expected.
    """
    with pytest.raises(LoadError, match=r"--volume .*: expected a whole number from 1"):
        plan("herlevering", settings={"volume": wrong})
    assert term_s(PLAN) == duration(NORM, "term").total_seconds() / 100
    assert PLAN.demand.rate * 5 == pytest.approx(count("SNO-BER-01", "berichten") / duration(NORM, "term").total_seconds(), rel=1e-3)
    assert afterwards_s(PLAN) > term_s(PLAN)
    assert tuple(PROFILE.norms({})) == (NORM,)


def test_a_right_herlevering_is_met_with_its_figures():
    """Time counts from the request to the last bericht."""
    judged = outcome()

    assert judged.is_met
    assert judged.message == "25000 berichten came again in 40.0 s (625 a second), with 100 new ones beside them."


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("missing", "did not come again"),
        ("changed", "came with another content"),
        ("moved", "came under another BatchID"),
        ("repeated", "came more than once"),
        ("strange", "came under a new BerichtID"),
        ("outside", "came that were not asked for"),
    ],
)
def test_one_wrong_bericht_fails_the_norm(trouble, told):
    """Of 25 000 berichten one that is wrong is enough, and the message names it."""
    judged = outcome(replace(RIGHT, **{trouble: ONE}))

    assert judged.is_met is False
    assert judged.message == f"1 of 25000 berichten {told} (such as {ONE.examples[0]})."
    assert (judged.missed, judged.is_certain) == (1, True)


def test_too_slow_is_told_with_what_was_allowed():
    """A daily volume that takes longer than its part of the day fails, though all of it came; a full day has 24 hours."""
    judged = outcome(replace(RIGHT, last_at=1_000.0 + term_s(PLAN) + 1))

    assert judged.is_met is False
    assert judged.message == "It took 865.0 s, where the daily volume allows 864 s."
    assert not judged.is_certain


def test_live_letters_must_go_on():
    """Deliveries that failed meanwhile, and letters that were taken and never offered, fail it."""
    samples = Samples()
    samples.add(LIVE, 0.0, 1.0, is_failure=True)

    judged = outcome(samples=samples, asked=105)

    assert judged.is_met is False
    assert judged.message.startswith("1 deliveries of new letters failed meanwhile")
    assert judged.message.endswith("5 new letters that the Afnemer took were not offered.")


@pytest.mark.parametrize(("trouble", "limit"), [("missing", "the processor of the Berichtenbox of the kit was full"), ("changed", "")])
def test_our_own_berichtenbox_is_to_blame_only_for_what_is_late(trouble, limit):
    """What is missing when our own processor was full may be our fault; what came wrong is wrong."""
    assert outcome(replace(RIGHT, **{trouble: ONE}), busy={"the Berichtenbox of the kit": 0.95}).limit == limit


@pytest.mark.parametrize(("status", "reason"), [(422, Reason.REFUSED_BY_AFNEMER), (0, Reason.TIMEOUT)])
def test_an_afnemer_that_does_not_begin_is_not_judged(status, reason):
    """A request that was refused or had no answer, and brought nothing, says nothing about a herlevering; one that brought something does."""
    silent = outcome(Reconciliation(offered=10, wanted=10, missing=replace(ONE, count=10)), status=status, answer="niet nu")

    assert (silent.is_met, silent.reason) == (None, reason)
    assert f"{status} niet nu" in silent.message
    assert outcome(status=status).is_met


def test_a_run_that_was_not_followed_says_so():
    """Without facts there is no verdict."""
    (judged,) = judge(Measured(PLAN, Samples()))

    assert (judged.is_met, judged.reason) == (None, Reason.TIMEOUT)
