"""The calendar of the SNO, against the tables that were worked out by hand."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sno.calendar import (
    TUESDAY,
    WEDNESDAY,
    Feestdagen,
    Month,
    add_kantooruren,
    add_months,
    at,
    is_werkdag,
    kantooruren_between,
    kantooruren_of,
    month_of,
    months_between,
    nth_weekday,
    werkdagen_after,
    werkdagen_between,
)
from conformance.sno.nights import NL

HOUR = timedelta(hours=1)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone

# Goede Vrijdag, 2e Paasdag, Koningsdag, Hemelvaartsdag, 2e Pinksterdag of each year, as (month, day).
FEESTDAGEN = {
    2023: [(4, 7), (4, 10), (4, 27), (5, 18), (5, 29)],
    2024: [(3, 29), (4, 1), (4, 27), (5, 9), (5, 20)],
    2025: [(4, 18), (4, 21), (4, 26), (5, 29), (6, 9)],
    2026: [(4, 3), (4, 6), (4, 27), (5, 14), (5, 25)],
    2027: [(3, 26), (3, 29), (4, 27), (5, 6), (5, 17)],
}
EACH_YEAR = [(1, 1), (5, 5), (12, 25), (12, 26)]

# 2nd Tuesday, 2nd Wednesday and 4th Wednesday of each month of 2023.
WEEKDAYS_2023 = [
    (10, 11, 25), (14, 8, 22), (14, 8, 22), (11, 12, 26), (9, 10, 24), (13, 14, 28),
    (11, 12, 26), (8, 9, 23), (12, 13, 27), (10, 11, 25), (14, 8, 22), (12, 13, 27),
]  # fmt: skip


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=NL).astimezone(UTC)


@pytest.mark.parametrize("year", FEESTDAGEN)
def test_werkdagen_of_a_year_are_those_of_the_table(year):
    """
    A year has no other days off than weekends and the nine of the Algemene termijnenwet.
    """
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366) if (date(year, 1, 1) + timedelta(days=n)).year == year]
    off = {date(year, *day) for day in [*FEESTDAGEN[year], *EACH_YEAR]}

    assert [day for day in days if not is_werkdag(day)] == [day for day in days if day.weekday() > 4 or day in off]


@pytest.mark.parametrize(
    ("feestdagen", "day", "expected"),
    [
        (Feestdagen(goede_vrijdag=False), date(2026, 4, 3), True),
        (Feestdagen(goede_vrijdag=False), date(2026, 5, 5), False),
        (Feestdagen(bevrijdingsdag=False), date(2026, 5, 5), True),
        (Feestdagen(bevrijdingsdag=False), date(2026, 4, 3), False),
        (Feestdagen(bevrijdingsdag=False), date(2016, 5, 5), False),  # Hemelvaartsdag as well
        (Feestdagen(goede_vrijdag=False, bevrijdingsdag=False), date(2026, 4, 6), False),
    ],
)
def test_two_feestdagen_are_a_choice(feestdagen, day, expected):
    """
    Goede Vrijdag and 5 May are werkdagen for who works then, and nothing else changes.
    """
    assert is_werkdag(day, feestdagen) is expected


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        (date(2023, 1, 2), 5, date(2023, 1, 9)),  # Monday: 3 4 5 6 9
        (date(2026, 4, 2), 1, date(2026, 4, 7)),  # Thursday before Easter: Friday 3, the weekend and Monday 6 are off
        (date(2026, 3, 7), 1, date(2026, 3, 9)),  # from a Saturday
        (date(2026, 12, 23), 3, date(2026, 12, 29)),  # 24, 28 (26 is a Saturday), 29
        (date(2026, 4, 24), 10, date(2026, 5, 12)),  # 28 29 30 1 4 6 7 8 11 12: without 27 April and 5 May
    ],
)
def test_nth_werkdag_after_a_date(day, n, expected):
    """
    The day itself is day 0, and days off are passed over.
    """
    assert werkdagen_after(day, n) == expected
    assert werkdagen_between(day, expected) == n
    assert werkdagen_between(day, expected - timedelta(days=1)) < n


def test_werkdagen_backwards_do_not_exist():
    """
    There is no 0-th werkdag after a date, and none between a date and an earlier one.
    """
    assert werkdagen_between(date(2026, 3, 9), date(2026, 3, 2)) == 0
    with pytest.raises(ValueError, match="0-th werkdag"):
        werkdagen_after(date(2026, 3, 9), 0)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-06T16:00", "2026-03-11T09:00", 20),  # Friday 1, Monday 9, Tuesday 9, Wednesday 1
        ("2026-03-06T07:00", "2026-03-06T18:00", 9),
        ("2026-03-06T17:00", "2026-03-09T08:00", 0),
        ("2026-03-27T16:00", "2026-03-30T09:00", 2),  # the clock goes forward on Sunday: no matter
        ("2026-10-23T16:00", "2026-10-26T09:00", 2),
        ("2026-04-02T16:30", "2026-04-07T08:30", 1),  # Easter
        ("2026-03-06T10:15", "2026-03-06T10:00", 0),
    ],
)
def test_kantooruren_are_counted(start, end, hours):
    """
    Only 8:00 to 17:00 of werkdagen counts; nothing when the end is earlier.
    """
    assert kantooruren_between(local(start), local(end)) == hours * HOUR


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-03-06T16:00", 20, "2026-03-11T09:00"),  # 1 + 9 + 9 + 1
        ("2026-03-02T08:00", 30, "2026-03-05T11:00"),  # 9 + 9 + 9 + 3
        ("2026-03-02T08:00", 9, "2026-03-02T17:00"),  # ends with the day, not the next morning
        ("2026-03-06T20:00", 1, "2026-03-09T09:00"),
        ("2026-03-07T12:00", 0, "2026-03-09T08:00"),
        ("2026-04-02T16:00", 2, "2026-04-07T09:00"),  # 1 before Easter, 1 after
    ],
)
def test_kantooruren_are_added(start, hours, expected):
    """
    A deadline in kantooruren is where so many of them have passed.
    """
    assert add_kantooruren(local(start), hours * HOUR) == local(expected)


def test_negative_duration_is_refused():
    """
    Deadlines do not lie before their start.
    """
    with pytest.raises(ValueError, match="not negative"):
        add_kantooruren(local("2026-03-06T16:00"), -HOUR)


@given(MOMENTS, st.integers(1, 10_000))
def test_kantooruren_added_are_those_between(start, minutes):
    """
    What was added is what is counted.
    """
    duration = timedelta(minutes=minutes)

    assert kantooruren_between(start, add_kantooruren(start, duration)) == duration


def test_kantooruren_of_a_day():
    """
    In winter 8:00 is 7:00 in UTC; a Sunday has none.
    """
    assert kantooruren_of(date(2026, 3, 6)) == (datetime(2026, 3, 6, 7, tzinfo=UTC), datetime(2026, 3, 6, 16, tzinfo=UTC))
    assert kantooruren_of(date(2026, 3, 8)) is None


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        (date(2026, 3, 15), 1, date(2026, 4, 15)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -2, date(2025, 11, 15)),
    ],
)
def test_months_keep_the_day_number(day, n, expected):
    """
    A month later is the same day number, or the last day of a shorter month.
    """
    assert add_months(day, n) == expected


@pytest.mark.parametrize(("number", "days"), [*enumerate(WEEKDAYS_2023, 1)])
def test_nth_weekdays_of_2023(number, days):
    """
    The second Tuesday, the second Wednesday and the fourth Wednesday: a Wednesday can come first.
    """
    month = Month(2023, number)

    found = nth_weekday(month, TUESDAY, 2), nth_weekday(month, WEDNESDAY, 2), nth_weekday(month, WEDNESDAY, 4)

    assert found == tuple(date(2023, number, day) for day in days)


@pytest.mark.parametrize("n", [0, 5])
def test_weekday_that_is_not_there(n):
    """
    February 2026 has four Tuesdays.
    """
    with pytest.raises(ValueError, match="2026-02 has 4"):
        nth_weekday(Month(2026, 2), TUESDAY, n)


@pytest.mark.parametrize(
    ("month", "hours"),
    [("2026-02", 672), ("2024-02", 696), ("2026-04", 720), ("2026-03", 743), ("2026-01", 744), ("2026-10", 745)],
)
def test_month_lasts_as_long_as_the_clock_makes_it(month, hours):
    """
    March lacks an hour, and October has one more.
    """
    assert Month.read(month).length == hours * HOUR


@pytest.mark.parametrize("text", ["2026-3", "2026-13", "202603x", "26-03-1", ""])
def test_text_that_is_no_month(text):
    """
    A month is written with four and two digits.
    """
    with pytest.raises(ValueError, match="expected a month such as 2026-03"):
        Month.read(text)


def test_months_are_those_of_the_dutch_clock():
    """
    23:30 in UTC on the last of January is February in the Netherlands.
    """
    assert str(month_of(datetime(2026, 1, 31, 23, 30, tzinfo=UTC))) == "2026-02"
    assert at(date(2026, 7, 1), time(9)) == datetime(2026, 7, 1, 7, tzinfo=UTC)


def test_months_between_two():
    """
    Both are among them, over the end of a year; none when the last is earlier.
    """
    assert [str(month) for month in months_between(Month(2026, 11), Month(2027, 2))] == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert list(months_between(Month(2026, 2), Month(2026, 1))) == []


@given(DAYS, st.integers(1, 30))
def test_nth_werkdag_is_a_werkdag(day, n):
    """
    Whatever the date, the n-th werkdag after it is one, and it is the n-th.
    """
    found = werkdagen_after(day, n)

    assert is_werkdag(found)
    assert werkdagen_between(day, found) == n
