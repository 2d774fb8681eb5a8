"""The night of the abonnementservices, on the Dutch clock."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sno.nights import NL, Night, dutch, next_night_start, night_of

SPRING, AUTUMN = Night(date(2026, 3, 28)), Night(date(2026, 10, 24))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=NL).astimezone(UTC)


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        (Night(date(2026, 1, 15)), 8),
        (Night(date(2026, 7, 15)), 8),
        (Night(date(2026, 12, 31)), 8),
        (Night(date(2026, 3, 27)), 8),
        (SPRING, 7),
        (Night(date(2026, 3, 29)), 8),
        (Night(date(2026, 10, 23)), 8),
        (AUTUMN, 9),
        (Night(date(2026, 10, 25)), 8),
    ],
    ids=str,
)
def test_night_lasts_as_long_as_the_clock_makes_it(night, hours):
    """A night has 8 hours, and 7 or 9 when it holds the change of the clock."""
    assert night.end - night.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("night", "start", "end"),
    [
        (SPRING, datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
        (AUTUMN, datetime(2026, 10, 24, 21, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
    ids=["spring", "autumn"],
)
def test_limits_of_a_night_are_in_utc(night, start, end):
    """Start and end are 23:00 and 07:00 of the Netherlands, written in UTC."""
    assert (night.start, night.end) == (start, end)
    assert night.start.tzinfo is night.end.tzinfo is UTC


@pytest.mark.parametrize("day", [date(2026, 1, 15), date(2026, 7, 15), date(2026, 3, 28), date(2026, 10, 24), date(2026, 12, 31)], ids=str)
def test_night_runs_from_23_up_to_7(day):
    """22:59:59 and 07:00:00 are day, 23:00:00 and 06:59:59 are night of the date on which it starts."""
    tomorrow = day + timedelta(days=1)

    found = [night_of(local(text)) for text in (f"{day}T22:59:59", f"{day}T23:00:00", f"{tomorrow}T06:59:59", f"{tomorrow}T07:00:00")]

    assert found == [None, Night(day), Night(day), None]


@pytest.mark.parametrize("fold", [0, 1])
def test_hour_that_comes_twice_is_in_one_night(fold):
    """Both times 02:30 in October are the same night, an hour apart."""
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=NL, fold=fold)

    assert night_of(moment) == AUTUMN
    assert moment.astimezone(UTC) == datetime(2026, 10, 25, fold, 30, tzinfo=UTC)


def test_zone_of_the_moment_does_not_matter():
    """An aware moment is the same moment in any zone."""
    moment = datetime(2026, 3, 29, 9, 30, tzinfo=timezone(timedelta(hours=5)))

    assert night_of(moment) == night_of(moment.astimezone(UTC)) == SPRING


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        ("2026-03-28T22:59:59", "2026-03-28T23:00:00"),
        ("2026-03-28T23:00:00", "2026-03-29T23:00:00"),
        ("2026-03-29T06:59:59", "2026-03-29T23:00:00"),
        ("2026-10-24T23:00:00", "2026-10-25T23:00:00"),
        ("2026-12-31T23:30:00", "2027-01-01T23:00:00"),
    ],
)
def test_next_night_starts_after_the_moment(moment, start):
    """By day the next night is that of today; inside a night it is the one after, across the change of the clock and of the year too."""
    assert next_night_start(local(moment)) == local(start)
    assert next_night_start(local(moment)).tzinfo is UTC


@pytest.mark.parametrize("ask", [night_of, next_night_start, dutch])
def test_moment_without_a_zone_is_refused(ask):
    """A naive moment could be any hour, so it is no moment."""
    with pytest.raises(ValueError, match="a moment needs a time zone"):
        ask(datetime(2026, 3, 28, 23))  # noqa: DTZ001  # naive on purpose


@given(MOMENTS)
def test_moment_is_in_the_night_that_holds_it(moment):
    """A moment is in a night exactly when it lies between its limits, and otherwise in none around it."""
    night = night_of(moment)
    today = dutch(moment).date()

    around = [one for one in (Night(today - timedelta(days=1)), Night(today)) if one.start <= moment < one.end]

    assert around == ([] if night is None else [night])


@given(MOMENTS)
def test_no_night_starts_before_the_next(moment):
    """The next start is the first: it starts a night, and an instant before it is day, and the previous one is not after the moment."""
    start = next_night_start(moment)
    night = night_of(start)

    assert night is not None
    assert night.start == start > moment
    assert night_of(start - timedelta(microseconds=1)) is None
    assert Night(night.date - timedelta(days=1)).start <= moment


def test_nights_are_told_and_sorted_by_date():
    """A night is called after its date."""
    assert str(SPRING) == "night of 2026-03-28"
    assert sorted([AUTUMN, SPRING]) == [SPRING, AUTUMN]
