"""Judging what an Afnemer makes of refusals: where each bericht ends, loops, storms, losses and delays."""

from collections import Counter
from fractions import Fraction

import pytest

from conformance.afnemer.driver import AfnemerStatus
from conformance.berichtenbox.faults import FaultPlan
from conformance.limits import limits
from conformance.load.afnemers import ASKED
from conformance.load.afwijzingen import DELIVERY, FACT, NORM, PROFILE, REFUSALS, SIZE, WHOLE, afterwards_s, ends, faults, judge, uncalled
from conformance.load.afwijzingen_driving import handled, results_of, stories_of
from conformance.load.judging import Measured
from conformance.load.plan import plan
from conformance.load.samples import Samples, Tally
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.verdicts import Reason

PLAN = plan("afwijzingen", scale=Fraction(1, 100))
STORED, AGAIN, NOBODY, EXISTS, LARGE = (
    VerwerkingsCode.VERWERKT,
    VerwerkingsCode.TECHNISCH_PROBLEEM,
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD,
    VerwerkingsCode.BERICHT_BESTAAT_AL,
    VerwerkingsCode.BIJLAGE_TE_GROOT,
)
RESULTS = [("m1", "PROCESSED", 10.0, 11.0), ("m2", "RECEIVED", 10.0, None)]


def story(bericht_id, *codes, at=0.0):
    """Return what was told of a bericht that was offered each second, and decided half a second later."""
    return [(bericht_id, code, at + number, at + number + 0.5) for number, code in enumerate(codes)]


def outcome(told, statuses, *, asked=None, samples=None, reaction_s=10.0, **facts):
    """Return what came of these offers, with where the Afnemer says that each bericht is."""
    stories = stories_of(told)
    found = handled(stories, [(bericht_id, status, 1) for bericht_id, status in statuses.items()])
    counted = {"begun": 0, "busy": {}, "unreadable": 1} | results_of(RESULTS, reaction_s) | found | facts
    (judged,) = judge(Measured(PLAN, samples or Samples(), Tally(Counter({ASKED: asked or len(stories)})), facts={FACT: counted}))
    assert judged.norm == NORM
    return judged


def test_every_refusal_that_is_handled_meets_the_norm():
    """Stored after a second offer, another channel, and a person: each code has an end that is right."""
    told = [*story("a", AGAIN, STORED), *story("b", NOBODY), *story("c", LARGE), *story("d", STORED), *story("e", EXISTS)]

    judged = outcome(told, {"a": "verwerkt", "b": "ander-kanaal", "c": "handmatig", "d": "verwerkt", "e": "handmatig"})

    assert judged.is_met
    assert judged.message == "4 of 5 berichten were refused, and each was handled as its code says."
    assert "1 again in the busiest second" in judged.seen


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ([STORED], "aangeboden"),
        ([STORED, NOBODY], "ander-kanaal"),
        ([AGAIN], "aangeboden"),
        ([LARGE], "verwerkt"),
        ([NOBODY], "opnieuw-aangeboden"),
        ([EXISTS], "verwerkt"),
        ([EXISTS], "ander-kanaal"),
        ([LARGE], ""),
    ],
)
def test_a_bericht_in_the_wrong_place_fails(codes, status):
    """One that is dropped, called stored, or sent on paper although it exists is told with its code and an example."""
    judged = outcome(story("a", *codes, at=0.0) + story("z", LARGE), {"a": status, "z": "handmatig"})

    assert judged.is_met is False
    deciding = STORED if STORED in codes else codes[-1]
    assert f"1 berichten that were told {deciding} ended wrongly, such as a in {status or 'no status'}" in judged.message


def test_loops_end():
    """Offers of one bericht beyond the limit are a loop, whatever comes of it."""
    most = limits().offers_max
    told = story("a", *[AGAIN] * most) + story("b", *[AGAIN] * (most + 1))

    judged = outcome(told, {"a": "handmatig", "b": "handmatig"})

    assert judged.message == f"1 berichten were offered more than {most} times."


def test_a_storm_is_an_offer_that_nothing_called_for():
    """Three offers at once after one refusal are two too many, and each offer after a final code is one."""
    at_once = [("a", AGAIN, 0.0, 0.1), *(("a", STORED, 0.2 + number / 100, 0.3) for number in range(3))]

    judged = outcome([*at_once, *story("b", NOBODY, NOBODY)], {"a": "verwerkt", "b": "ander-kanaal"})

    assert judged.message == "A storm: 3 offers that no refusal called for, 3 again in the busiest second."
    assert uncalled([AGAIN, AGAIN, STORED], [0.0, 1.0, 2.0], [0.5, 1.5, 2.5]) == 0


def test_lost_and_made_up_letters_are_told():
    """Fewer berichten than letters were lost by the Afnemer, more came under ids of their own; a failed delivery is told too."""
    samples = Samples()
    samples.add(DELIVERY, 0.0, 1.0, is_failure=True)
    right = {"a": "handmatig"}

    assert "2 letters were never offered" in outcome(story("a", LARGE), right, asked=3).message
    assert "1 berichten came under ids of their own" in outcome(story("a", LARGE) + story("b", LARGE), right | {"b": "handmatig"}, asked=1).message
    assert "1 deliveries failed" in outcome(story("a", LARGE), right, samples=samples).message


def test_late_and_forgotten_results_fail_unless_we_were_slow():
    """A result that is taken too late, or not at all, fails; a full processor of our own is told, and excuses nothing that is wrong."""
    busy = {"the Berichtenbox of the kit": 0.99}
    slow = outcome(story("a", LARGE), {"a": "handmatig"}, reaction_s=0.5, busy=busy)
    forgotten = outcome(story("a", LARGE), {"a": "handmatig"}, unreadable=0)
    wrong = outcome(story("a", LARGE), {"a": "verwerkt"}, reaction_s=0.5, busy=busy)

    assert slow.message == "1 results were taken later than 0.5 s, the last after 1.0 s."
    assert slow.limit == "the processor of the Berichtenbox of the kit was full"
    assert forgotten.message == "1 results were not taken at all."
    assert (forgotten.limit, wrong.limit) == ("", "")
    assert [item.is_certain for item in (slow, forgotten, wrong)] == [False, True, True]


def test_without_refusals_nothing_is_said():
    """A run in which all was stored, or that was not followed, decides nothing."""
    stored, (nothing,) = outcome(story("a", STORED), {"a": "verwerkt"}), judge(Measured(PLAN, Samples()))

    assert (stored.is_met, stored.reason) == (None, Reason.NO_TRAFFIC)
    assert (nothing.is_met, nothing.reason) == (None, Reason.TIMEOUT)


def test_the_faults_are_those_of_the_berichtenbox():
    """Each fault of the mix can be set, with its seed; every refusal has a place of its own, and nothing is said of a whole batch in the stream."""
    made = FaultPlan()
    for fault in faults(7):
        made.draw(fault["naam"], seed=fault["seed"], chance=fault["kans"], max_in_a_row=fault["maximaalOpRij"], **fault["waarden"])
    codes = [fault.parameters for fault in made.all() if fault.name == "code"]

    assert {item["code"] for item in codes} == set(REFUSALS)
    assert sorted(place for item in codes for place in item["berichten"]) == list(range(SIZE - 1))
    assert not {fault.name for fault in made.all()} & set(WHOLE)
    assert list(faults(7)) == list(faults(7))
    assert PLAN.volume * SIZE == 1_500
    assert afterwards_s(PLAN) > 0
    assert tuple(PROFILE.norms({})) == (NORM,)


def test_every_code_has_an_end():
    """Whatever is told, there is a status that is right, and one that is not."""
    for code in VerwerkingsCode:
        assert set() < ends([code]) < set(AfnemerStatus)
