"""The quotas of the abonnementservices and the validatieservice."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.messages.abonnement import Soort
from conformance.sno.nights import NL, Night, night_of
from conformance.sno.quotas import SOORTEN, VALIDATIE, Count, outside, per_hour, per_night, quota_of

OWN, OTHER, THIRD = "00000001234567890000", "00000001999999999000", "00000004003214345001"
NIGHT = Night(date(2026, 3, 28))
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

COUNTS = st.lists(
    st.builds(
        Count,
        st.sampled_from(SOORTEN),
        st.sampled_from([OWN, OTHER]),
        st.datetimes(datetime(2026, 10, 24, 12), datetime(2026, 10, 26, 12), timezones=st.just(UTC)),  # noqa: DTZ001  # Hypothesis adds the zone
        st.integers(0, 300_000),
    ),
    max_size=30,
)


def asked(number, soort=Soort.ALLES, oin=OWN, moment=NIGHT.start, bsns=0):
    return [Count(soort, oin, moment, bsns)] * number


def validated(number, moment, oin=OWN, bsns=250):
    return asked(number, VALIDATIE, oin, moment, bsns)


def test_abonnement_counts_once_whatever_its_list():
    """A request for an abonnement is one request, with a million BSNs too."""
    assert Count(Soort.BSN_LIJST, OWN, NOON, 1_000_000).weight == 1


@pytest.mark.parametrize(("bsns", "weight"), [(0, 1), (1, 1), (249, 1), (250, 1), (251, 2), (500, 2), (501, 3), (250_000, 1000)])
def test_bevraging_holds_at_most_250_bsns(bsns, weight):
    """A validatie of more than 250 BSNs takes as many bevragingen as it would have been, rounded up; an empty one is a bevraging too."""
    assert Count(VALIDATIE, OWN, NOON, bsns).weight == weight


@pytest.mark.parametrize(
    ("soort", "moment", "bsns", "problem"),
    [
        ("niets", NOON, 0, "soort must be one of alles, bsn-lijst, mutaties, validatie"),
        (Soort.ALLES, NOON.replace(tzinfo=None), 0, "the moment of a request needs a time zone"),
        (Soort.ALLES, NOON, -1, "a request cannot ask about fewer than 0 BSNs"),
    ],
)
def test_impossible_request_is_refused(soort, moment, bsns, problem):
    """What cannot be counted is not a request."""
    with pytest.raises(ValueError, match=problem):
        Count(soort, OWN, moment, bsns)


def test_moment_is_kept_in_utc():
    """A moment on the Dutch clock is the same request."""
    assert Count(Soort.ALLES, OWN, NOON.astimezone(NL)).moment.tzinfo is UTC


@pytest.mark.parametrize(("soort", "quota"), [(Soort.ALLES, 225), (Soort.BSN_LIJST, 150), (Soort.MUTATIES, 150), (VALIDATIE, 1000)])
def test_quota_is_that_of_the_sno(soort, quota):
    """Each soort has its own quota, and nothing else has one."""
    assert quota_of(soort) == quota
    with pytest.raises(KeyError, match="niets"):
        quota_of("niets")


@pytest.mark.parametrize("soort", [Soort.ALLES, Soort.BSN_LIJST, Soort.MUTATIES])
def test_exactly_the_quota_of_a_night_passes(soort):
    """The quota itself is allowed, one more is not."""
    quota = quota_of(soort)

    kept, exceeded = (per_night(asked(number, soort))[NIGHT] for number in (quota, quota + 1))

    assert (kept.totals, kept.exceeded, kept.told(OWN)) == ({soort: quota}, (), ())
    assert (exceeded.totals, exceeded.exceeded) == ({soort: quota + 1}, (soort,))


def test_exceeded_night_is_told_with_the_share_of_one_afnemer():
    """All Afnemers count together; the sentence gives the total, the quota and the share of whoever reads it."""
    use = per_night(asked(200) + asked(26, oin=OTHER))[NIGHT]

    assert use.shares == {Soort.ALLES: {OWN: 200, OTHER: 26}}
    assert use.told() == ("night of 2026-03-28: 226 requests for alles, at most 225",)
    assert use.told(OWN) == ("night of 2026-03-28: 226 requests for alles, at most 225; of this Afnemer 200",)
    assert use.told(THIRD)[0].endswith("; of this Afnemer 0")


def test_soorten_have_their_own_quota():
    """525 requests fit in a night when they are well divided; what exceeds is told soort by soort."""
    full = asked(225) + asked(150, Soort.BSN_LIJST) + asked(150, Soort.MUTATIES)

    kept, exceeded = per_night(full)[NIGHT], per_night(full + asked(1, Soort.MUTATIES, OTHER) + asked(1, Soort.ALLES, OTHER))[NIGHT]

    assert kept.exceeded == ()
    assert exceeded.exceeded == (Soort.ALLES, Soort.MUTATIES)
    assert exceeded.told(OTHER) == (
        "night of 2026-03-28: 226 requests for alles, at most 225; of this Afnemer 1",
        "night of 2026-03-28: 151 requests for mutaties, at most 150; of this Afnemer 1",
    )


def test_nights_are_counted_apart_and_in_order():
    """The quota starts anew each night, on the Dutch clock."""
    tomorrow = Night(date(2026, 3, 29))

    uses = per_night(asked(225, moment=tomorrow.start) + asked(225, moment=NIGHT.end - SECOND))

    assert list(uses) == [NIGHT, tomorrow]
    assert [use.exceeded for use in uses.values()] == [(), ()]


def test_requests_by_day_are_counted_outside():
    """By day counts for no night; the limits of the night decide, and validatie may be asked all day."""
    early, late = Count(Soort.ALLES, OWN, NIGHT.start - SECOND), Count(Soort.MUTATIES, OTHER, NIGHT.end)
    inside = [Count(Soort.ALLES, OWN, NIGHT.start), Count(Soort.ALLES, OWN, NIGHT.end - SECOND), *validated(1, NOON)]

    counts = [late, *inside, early]

    assert outside(counts) == (late, early)
    assert per_night(counts)[NIGHT].totals == {Soort.ALLES: 2}


def test_exactly_the_quota_of_an_hour_passes():
    """1000 bevragingen of all Afnemers together are allowed, one more is not."""
    kept = per_hour(validated(400, NOON) + validated(600, NOON + HOUR - SECOND, OTHER))[NOON]
    exceeded = per_hour(validated(400, NOON) + validated(601, NOON + HOUR - SECOND, OTHER))[NOON]

    assert (kept.total, kept.is_exceeded, kept.told(OWN), kept.noted()) == (1000, False, (), ())
    assert (exceeded.total, exceeded.is_exceeded, exceeded.noted()) == (1001, True, ())
    assert exceeded.shares == {OWN: 400, OTHER: 601}
    assert exceeded.told() == ("hour from 2026-03-29 14:00+02:00: 1001 bevragingen, at most 1000",)
    assert exceeded.told(OWN) == ("hour from 2026-03-29 14:00+02:00: 1001 bevragingen, at most 1000; of this Afnemer 400",)


def test_large_request_takes_all_its_bevragingen():
    """One request for 250 001 BSNs is 1001 bevragingen."""
    assert per_hour(validated(1, NOON, bsns=250_001))[NOON].is_exceeded


def test_sliding_hour_is_a_note():
    """1400 bevragingen in 60 minutes across two clock hours are noted, and fail neither hour."""
    uses = per_hour(validated(700, NOON + 5 * MINUTE) + validated(700, NOON - 5 * MINUTE))

    assert list(uses) == [NOON - HOUR, NOON]
    assert [(use.total, use.sliding_max, use.told()) for use in uses.values()] == [(700, 700, ()), (700, 1400, ())]
    assert uses[NOON].noted() == (
        "60 minutes that end in the hour from 2026-03-29 14:00+02:00: 1400 bevragingen, at most 1000 in a clock hour, which was kept",
    )


@pytest.mark.parametrize(("apart", "sliding"), [(HOUR - SECOND, 1200), (HOUR, 600)])
def test_sixty_minutes_are_half_open(apart, sliding):
    """What was asked a whole hour ago no longer counts."""
    uses = per_hour(validated(600, NOON + MINUTE) + validated(600, NOON + MINUTE + apart))

    assert uses[NOON + HOUR].sliding_max == sliding


def test_hour_that_comes_twice_is_two_hours():
    """In October 02:00 comes twice on the Dutch clock: two clock hours, told with their offset."""
    first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=NL, fold=fold) for fold in (0, 1))

    uses = per_hour(validated(1001, first) + validated(1001, second))

    assert [use.told()[0].partition(": ")[0] for use in uses.values()] == ["hour from 2026-10-25 02:00+02:00", "hour from 2026-10-25 02:00+01:00"]
    assert [use.sliding_max for use in uses.values()] == [1001, 1001]


def test_abonnementen_are_no_bevragingen():
    """The two services have norms of their own."""
    assert per_hour(asked(10)) == {}
    assert per_night(validated(10, NIGHT.start)) == {}


@given(COUNTS)
def test_every_abonnement_is_counted_once(counts):
    """A request is in one night or outside, whatever the order."""
    nights = per_night(counts)
    wanted = [count for count in counts if count.soort != VALIDATIE]

    assert sum(sum(use.totals.values()) for use in nights.values()) + len(outside(counts)) == len(wanted)
    assert list(nights) == sorted({night for count in wanted if (night := night_of(count.moment))})
    assert nights == per_night(reversed(counts))


@given(COUNTS)
def test_sliding_hour_is_the_largest_of_its_windows(counts):
    """Counted the slow way the most in 60 minutes is the same, and no less than what the clock hour shows at its busiest."""
    wanted = [count for count in counts if count.soort == VALIDATIE]

    uses = per_hour(counts)

    assert sum(use.total for use in uses.values()) == sum(count.weight for count in wanted)
    for start, use in uses.items():
        ends = [count.moment for count in wanted if start <= count.moment < start + HOUR]
        assert use.sliding_max == max(sum(one.weight for one in wanted if end - HOUR < one.moment <= end) for end in ends)
        assert use.sliding_max >= use.total
