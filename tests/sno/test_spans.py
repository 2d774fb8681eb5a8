"""Spans of time, and moments as people read them."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from conformance.sno.cells import read_moment
from conformance.sno.spans import HOUR, Span, cut, hours, in_units, merged, shown, total


def span(start, end):
    return Span(read_moment(f"2026-03-02 {start}"), read_moment(f"2026-03-02 {end}"))


def test_overlaps_count_once():
    """Spans that overlap or touch become one; a span inside another adds nothing."""
    spans = [span("10:00", "12:00"), span("08:00", "09:00"), span("11:00", "11:30"), span("12:00", "13:00"), span("08:30", "09:30")]

    assert merged(spans) == (span("08:00", "09:30"), span("10:00", "13:00"))
    assert total(spans) == timedelta(hours=4.5)  # 1,5 + 3


def test_spans_are_cut_to_a_window():
    """Only what lies in the window is left, and what only touches it is not."""
    spans = [span("07:00", "09:00"), span("10:00", "11:00"), span("16:00", "18:00"), span("17:00", "19:00")]

    assert cut(spans, span("08:00", "17:00")) == (span("08:00", "09:00"), span("10:00", "11:00"), span("16:00", "17:00"))


def test_length_is_real_time():
    """In the night of 29 March the clock skips an hour, and in that of 25 October it repeats one."""
    spring = Span(read_moment("2026-03-29 00:00"), read_moment("2026-03-29 06:00"))
    autumn = Span(read_moment("2026-10-25 00:00"), read_moment("2026-10-25 06:00"))

    assert (spring.length, autumn.length) == (5 * HOUR, 7 * HOUR)


def test_span_does_not_end_before_it_starts():
    """A span that runs back is refused."""
    with pytest.raises(ValueError, match="2026-03-02 08:00 is before 2026-03-02 09:00"):
        span("09:00", "08:00")


def test_durations_and_moments_are_shown():
    """Hours have a decimal comma; seconds show when there are any; the hour that comes twice has its offset."""
    assert hours(timedelta(hours=6, minutes=30)) == "6,5"
    assert in_units(timedelta(minutes=1), HOUR) == Fraction(1, 60)
    assert shown(datetime(2026, 3, 2, 8, tzinfo=UTC)) == "2026-03-02 09:00"
    assert shown(datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)) == "2026-03-02 09:00:05"
    assert shown(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "2026-10-25 02:30+0200"
    assert shown(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "2026-10-25 02:30+0100"
