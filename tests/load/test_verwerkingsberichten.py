"""Judging how an Afnemer takes results at the peak, and those of six days at once."""

from collections import Counter
from fractions import Fraction

import pytest

from conformance.load.afnemers import ASKED
from conformance.load.judging import Measured
from conformance.load.plan import plan
from conformance.load.samples import Samples, Tally
from conformance.load.verwerkingsberichten import AGAIN, ALWAYS, DELIVERY, FACT, PROFILE, SIZE, afterwards_s, days, drained_within_s, judge
from conformance.load.verwerkingsberichten_driving import applied_once, taken
from conformance.norms import count
from conformance.verdicts import Reason

PLAN = plan("verwerkingsberichten", scale=Fraction(1, 100))
PEAK = [(f"m{number}", "PROCESSED", 100.0, 100.0 + number / 100) for number in range(1, 101)]
ALL_WELL = [("a", "verwerkt", 1), ("b", "verwerkt", 1)]


def outcomes(statuses=ALL_WELL, peak=PEAK, samples=None, asked=1, **facts):
    """Return what came of both norms, for a run of two letters: one at the peak and one in the backlog of seven results."""
    told = {
        "reaction_s": 10.0,
        "busy": {},
        "peak": taken(peak, facts.pop("reaction_s", 10.0)),
        "backlog": 7,
        "delivered": 1,
        "left": 0,
        "drained_s": 1.5,
        "drained_within_s": 20.0,
        "missed": 1,
    }
    told |= applied_once(statuses) | facts
    found = judge(Measured(PLAN, samples or Samples(), Tally(Counter({ASKED: asked})), facts={FACT: told}))
    assert [outcome.norm for outcome in found] == list(PROFILE.norms({}))
    return {outcome.norm: outcome for outcome in found}


def test_the_peak_is_that_of_the_sno():
    """At 45 berichten a second, until the hour is full; the backlog may take as long as its results would at the peak."""
    assert PLAN.rate * SIZE == pytest.approx(count("SNO-BER-03", "berichten"))
    assert PLAN.volume * SIZE == count("SNO-BER-02", "berichten") // 100
    assert drained_within_s(PLAN, 90, 10) == pytest.approx(20)
    assert days() == 6
    assert afterwards_s(PLAN) > drained_within_s(PLAN, 7 * PLAN.volume, 10)


def test_all_taken_and_applied_once_meets_both_norms():
    """The figures say how soon results were taken, and how fast the backlog was gone."""
    found = outcomes()

    assert [outcome.is_met for outcome in found.values()] == [True, True]
    assert found[ALWAYS].message == "100 results of the peak were each taken within 1.00 s, 7 in 1.50 s."
    assert "half of them taken within 0.50 s, 99 % within 0.99 s" in found[ALWAYS].seen
    assert found[AGAIN].message == "After 6 days 7 results were taken, each bericht counted once."


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"statuses": [("a", "aangeboden", 0), ("b", "verwerkt", 1)]}, "1 of 2 berichten are not verwerkt, such as a: aangeboden."),
        ({"statuses": [("a", "", 0), ("b", "", 0)]}, "2 of 2 berichten are not verwerkt, such as a: no status."),
        ({"peak": [*PEAK, ("late", "RECEIVED", 100.0, None)]}, "1 results of the peak were not taken."),
        ({"left": 3}, "3 of 7 results of the backlog were not taken."),
        ({"asked": 3}, "2 letters were never offered."),
        ({"asked": 0}, "1 berichten were offered that nobody asked for."),
        ({"reaction_s": 0.995}, "1 results were taken later than 10 s, the last after 1.00 s."),
        ({"drained_s": 21.0}, "The backlog was gone in 21.00 s, where the peak allows 20 s."),
    ],
)
def test_what_is_not_taken_or_late_fails_the_first_norm(told, message):
    """An Afnemer that does not take everything, or takes it late, cannot always receive."""
    found = outcomes(**told)

    assert found[ALWAYS].is_met is False
    assert found[ALWAYS].message == message
    assert found[AGAIN].is_met is not False


def test_a_failed_delivery_is_told():
    """An Afnemer that cannot be asked to deliver at the peak fails it."""
    samples = Samples()
    samples.add(DELIVERY, 0.0, 1.0, is_failure=True)

    assert outcomes(samples=samples)[ALWAYS].message.startswith("1 deliveries failed")


def test_a_result_that_counts_twice_fails_the_second_norm():
    """Applied again when it comes again: the first example is told with how often."""
    found = outcomes([("a", "verwerkt", 7), ("b", "verwerkt", 2)])

    assert (found[ALWAYS].is_met, found[AGAIN].is_met, found[AGAIN].missed) == (True, False, 2)
    assert found[AGAIN].message == "2 of 2 berichten had their result applied more than once, such as a: 7 times."


def test_what_was_not_taken_says_nothing_about_applying_it_once():
    """With a backlog that is left the second norm is open, and without any result the first one too."""
    nothing = outcomes(peak=[])

    assert (outcomes(left=1)[AGAIN].is_met, nothing[ALWAYS].is_met, nothing[ALWAYS].reason) == (None, None, Reason.NO_TRAFFIC)
    assert {outcome.reason for outcome in judge(Measured(PLAN, Samples()))} == {Reason.TIMEOUT}


def test_days_in_which_nothing_waited_prove_nothing():
    """Without a backlog neither norm is met, however well the peak went; what was lost is missed all the same."""
    found = outcomes(backlog=0)

    assert {(outcome.is_met, outcome.reason) for outcome in found.values()} == {(None, Reason.NO_TRAFFIC)}
    assert outcomes(backlog=0, delivered=2)[ALWAYS].is_met is False


def test_a_full_processor_of_ours_is_told_for_what_is_late():
    """A late result may be our fault; one that was lost is not."""
    busy = {"the Berichtenbox of the kit": 0.9}

    assert outcomes(drained_s=21.0, busy=busy)[ALWAYS].limit == "the processor of the Berichtenbox of the kit was full"
    assert (outcomes(left=3, busy=busy)[ALWAYS].limit, outcomes(left=3, busy=busy)[ALWAYS].is_certain) == ("", True)
