"""Spans of time: put together, cut to a window, measured; and moments as people read them.

Spans are half open and in UTC: what ends when another starts does not overlap it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from conformance.sno.judgement import decimal
from conformance.sno.nights import dutch
from conformance.sno.tables import Problem, Row

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From a moment up to another, both aware and kept in UTC; raises ``ValueError`` when it ends before it starts."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Keep both in UTC: Python subtracts wall clocks of one zone, wrong across a change of time."""
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end < self.start:
            raise ValueError(f"{shown(self.end)} is before {shown(self.start)}")

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        return self.end - self.start


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans that do not overlap and cover the same time, the earliest first."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def cut(spans: Iterable[Span], window: Span) -> tuple[Span, ...]:
    """Return the parts of spans that lie in a window."""
    parts = ((max(span.start, window.start), min(span.end, window.end)) for span in spans)
    return tuple(Span(start, end) for start, end in parts if start < end)


def total(spans: Iterable[Span]) -> timedelta:
    """Return how long spans last together; overlaps count once."""
    return sum((span.length for span in merged(spans)), timedelta())


def in_units(duration: timedelta, unit: timedelta) -> Fraction:
    """Return exactly how many units a duration has."""
    return Fraction(duration // _TICK, unit // _TICK)


def hours(duration: timedelta) -> str:
    """Return a duration in hours, with a decimal comma."""
    return decimal(in_units(duration, HOUR))


def shown(moment: datetime) -> str:
    """Return a moment on the Dutch clock, with its offset in the hour that comes twice."""
    local = dutch(moment)
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    text = local.replace(tzinfo=None).isoformat(" ", "seconds" if local.second or local.microsecond else "minutes")
    return f"{text}{local:%z}" if is_twice else text


def in_order(row: Row, earlier: str, later: str) -> Iterator[Problem]:
    """Yield that a moment or a date is before the one that it must follow."""
    if row.has(earlier) and row.has(later) and row.values[later] < row.values[earlier]:  # type: ignore[operator]  # both are of one kind
        yield row.problem(later, f"not before {earlier}")
