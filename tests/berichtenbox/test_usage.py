"""What happens above the norms of a night and an hour: noted by default, postponed or refused when a tester asks for it."""

from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.usage import FINE, Excess, Ruling, Usage, count_of
from conformance.limits import limits
from conformance.sno.quotas import Count, quota_of

OIN = "00000099000000001000"
NIGHT = datetime(2026, 11, 24, 23, tzinfo=UTC)
NEXT = datetime(2026, 11, 25, 22, tzinfo=UTC)
"""The start of the night after, in winter."""
DAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


def used(soort, moment=NIGHT, left=0, **how):
    """Return usage with room for so many more requests of one soort."""
    usage = Usage(**how)
    for _ in range(quota_of(soort) - left):
        usage.rule(soort, OIN, moment)
    return usage


@pytest.mark.parametrize("asked", [Asked.ALLES, Asked.BSN_LIJST, Asked.MUTATIES])
def test_the_last_of_a_night_is_fine_and_the_next_is_noted(asked):
    """
    Up to the quota nothing is said; above it everything is answered all the same.
    """
    usage = used(asked, left=1)

    assert [usage.rule(asked, OIN, NIGHT) for _ in range(2)] == [FINE, Ruling("above the quota of the night")]


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        (NIGHT - timedelta(hours=1), 0),
        (NIGHT + timedelta(hours=7) - timedelta(seconds=1), 0),
        (NIGHT + timedelta(days=1), 1),
        (NIGHT - timedelta(days=1), 1),
    ],
)
def test_a_night_has_a_quota_of_its_own(moment, left):
    """
    Moments of one night count together, whatever the UTC date; another night begins anew.
    """
    usage = used(Asked.ALLES)

    assert (usage.rule(Asked.ALLES, OIN, moment) is FINE) == bool(left)


def test_each_soort_has_a_quota_of_its_own():
    """
    What was asked of one service leaves the others alone, and whose OIN it was does not matter.
    """
    usage = used(Asked.ALLES)

    assert usage.rule(Asked.MUTATIES, OIN, NIGHT) is FINE
    assert usage.rule(Asked.ALLES, "00000099000000003000", NIGHT).note == "above the quota of the night"


@pytest.mark.parametrize(
    ("excess", "by_day", "above"),
    [
        (Excess.ACCEPT, Ruling("asked by day"), Ruling("above the quota of the night")),
        (
            Excess.POSTPONE,
            Ruling("asked by day: postponed", waits_until=NIGHT - timedelta(hours=1)),
            Ruling("above the quota of the night: postponed", waits_until=NEXT),
        ),
        (Excess.REFUSE, Ruling("asked by day: refused", is_refused=True), Ruling("above the quota of the night: refused", is_refused=True)),
    ],
)
def test_what_happens_is_what_was_set(excess, by_day, above):
    """
    By day and above the quota: taken, kept until the next night, or refused.
    """
    usage = used(Asked.BSN_LIJST, excess=excess)

    assert (usage.rule(Asked.BSN_LIJST, OIN, DAY), usage.rule(Asked.BSN_LIJST, OIN, NIGHT)) == (by_day, above)


def test_others_count_until_a_case_begins():
    """
    What other Afnemers asked takes room; reset forgets it, and what happens above the norm, but not what was asked.
    """
    usage = Usage(Excess.REFUSE, {"alles": limits().abonnement_alles_per_night})

    refused = usage.rule(Asked.ALLES, OIN, NIGHT)
    usage.reset()

    assert (refused.is_refused, usage.rule(Asked.ALLES, OIN, NIGHT), usage.excess) == (True, FINE, Excess.ACCEPT)
    assert usage.counts() == (Count("alles", OIN, NIGHT),) * 2


@pytest.mark.parametrize(("excess", "is_refused"), [(Excess.ACCEPT, False), (Excess.POSTPONE, True), (Excess.REFUSE, True)])
def test_the_validatieservice_counts_by_the_clock_hour(excess, is_refused):
    """
    Above a thousand in a clock hour there is nothing to wait for: it is answered or refused; the next hour begins anew, day and night.
    """
    usage = used(Asked.VALIDATIE, DAY, left=1, excess=excess)
    late = DAY + timedelta(minutes=59, seconds=59)

    found = [usage.rule(Asked.VALIDATIE, OIN, moment, 250) for moment in (late, late, DAY + timedelta(hours=1))]

    assert [ruling.is_refused for ruling in found] == [False, is_refused, False]
    assert [ruling.note.partition(":")[0] for ruling in found] == ["", "above the quota of the hour", ""]


def test_a_question_about_more_than_250_citizens_weighs_more():
    """
    Each 250 that are begun count as one question.
    """
    usage = used(Asked.VALIDATIE, DAY, left=2)

    assert usage.rule(Asked.VALIDATIE, OIN, DAY, 501).note == "above the quota of the hour"


def test_what_the_ledger_knows_is_counted():
    """
    After a restart the night goes on; a list weighs one, however long it is.
    """
    asked = Bevraging(Asked.BSN_LIJST, OIN, NIGHT, NIGHT, count=1_000_000)
    usage = Usage()

    usage.load([asked] * quota_of(Asked.BSN_LIJST))

    assert count_of(asked) == Count("bsn-lijst", OIN, NIGHT)
    assert usage.rule(Asked.BSN_LIJST, OIN, NIGHT).note == "above the quota of the night"
