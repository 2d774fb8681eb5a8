"""What cells of supplied data mean."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sno.cells import CellError, Column, Kind, near
from conformance.sno.nights import NL

SERVICE = Column("service", Kind.CHOICE, choices=("portaal", "validatie"), synonyms={"bb-portaal": "portaal"})


def read(kind, text):
    return Column("cell", kind).read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01 09:30", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("2026-07-01T09:30:15", datetime(2026, 7, 1, 7, 30, 15, tzinfo=UTC)),
        ("1-7-2026 9:30", datetime(2026, 7, 1, 7, 30, tzinfo=UTC)),
        ("01-07-2026 09:30:15,25", datetime(2026, 7, 1, 7, 30, 15, 250_000, tzinfo=UTC)),
        ("2026-07-01T09:30Z", datetime(2026, 7, 1, 9, 30, tzinfo=UTC)),
        ("2026-07-01 09:30 -0130", datetime(2026, 7, 1, 11, tzinfo=UTC)),
        ("2026-03-31 24:00", datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("2026-03-29 01:59", datetime(2026, 3, 29, 0, 59, tzinfo=UTC)),
        ("2026-03-29 03:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59, tzinfo=UTC)),
        ("2026-10-25 03:00", datetime(2026, 10, 25, 2, tzinfo=UTC)),
        ("2026-10-25 02:30+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-03-29 02:30+01:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_moment_is_read(text, expected):
    """
    Without a zone it is the Dutch clock, and 24:00 is the end of a day.
    """
    assert read(Kind.MOMENT, text) == expected


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("2026-10-25 02:00", "twice", "2026-10-25T02:00:00+02:00 or 2026-10-25T02:00:00+01:00"),
        ("2026-10-25 02:59", "twice", "2026-10-25T02:59:00+02:00"),
        ("2026-03-29 02:00", "never showed", "2026-03-29T03:00:00+02:00"),
        ("2026-03-29 02:59", "never showed", "2026-03-29T03:59:00+02:00"),
        ("2026-02-29 12:00", "no calendar", ""),
        ("2026-03-01 24:01", "no clock", ""),
        ("2026-03-01 12:60", "no clock", ""),
        ("1926-03-01 12:00", "the year 1926", ""),
        ("2026-03-01", "", ""),
        ("03/01/2026 12:00", "", ""),
        ("2026-03-01 12:00+25:00", "", ""),
        ("２026-03-01 12:00", "", ""),  # noqa: RUF001  # a digit that is not ASCII
    ],
)
def test_moment_that_is_none_or_two(text, why, hint):
    """
    A time that the Dutch clock never showed, or showed twice, is not guessed.
    """
    with pytest.raises(CellError) as caught:
        read(Kind.MOMENT, text)

    assert why in caught.value.why
    assert hint in caught.value.hint


@given(st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis adds the zone
def test_moment_with_a_zone_comes_back(moment):
    """
    Whatever the season, a moment with its offset is itself.
    """
    assert read(Kind.MOMENT, moment.astimezone(NL).isoformat()) == moment


@pytest.mark.parametrize("text", ["2026-03-01", "1-3-2026", "01-03-2026"])
def test_date_is_read(text):
    """
    The year comes first, or last as people write it here.
    """
    assert read(Kind.DATE, text) == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Kind.WHOLE, "0", 0),
        (Kind.WHOLE, "007", 7),
        (Kind.DECIMAL, "7,5", Fraction(15, 2)),
        (Kind.DECIMAL, "7.25", Fraction(29, 4)),
        (Kind.DECIMAL, "1000", Fraction(1000)),
        (Kind.DECIMAL, "0,125", Fraction(1, 8)),
        (Kind.YES_NO, "Ja", True),
        (Kind.YES_NO, "WAAR", True),
        (Kind.YES_NO, "0", False),
        (Kind.TEXT, "netwerk, DigiD", "netwerk, DigiD"),
    ],
)
def test_other_kinds_are_read(kind, text, expected):
    """
    Numbers are exact, with a comma or a point.
    """
    assert read(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.WHOLE, "-1"),
        (Kind.WHOLE, "1,5"),
        (Kind.WHOLE, "1.000"),
        (Kind.WHOLE, "1" * 16),
        (Kind.DECIMAL, "1.000"),
        (Kind.DECIMAL, "7,500"),
        (Kind.DECIMAL, "1e5"),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, "٣"),
        (Kind.YES_NO, "misschien"),
        (Kind.DATE, "2026-02-30"),
        (Kind.DATE, "gisteren"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(kind, text):
    """
    1.000 is one to some and a thousand to others.
    """
    with pytest.raises(CellError):
        read(kind, text)


def test_thousands_get_a_hint():
    """
    Whoever writes thousands with a point reads what to do.
    """
    with pytest.raises(CellError) as caught:
        read(Kind.WHOLE, "150.000")

    assert caught.value.hint == "write thousands without a mark."


@pytest.mark.parametrize(("text", "expected"), [("Portaal", "portaal"), ("BB portaal", "portaal"), ("validatie", "validatie")])
def test_choice_is_known_by_its_synonyms(text, expected):
    """
    Capitals, blanks and dashes make no difference.
    """
    assert SERVICE.read(text) == expected


def test_choice_that_is_unknown_is_told_what_looks_like_it():
    """
    A slip gets the word that was meant.
    """
    with pytest.raises(CellError, match="something else") as caught:
        SERVICE.read("portal")

    assert caught.value.hint == "did you mean portaal or bb_portaal?"
    assert SERVICE.expected == "one of portaal, validatie"
    assert near("zzz", ["portaal"], "otherwise") == "otherwise"
