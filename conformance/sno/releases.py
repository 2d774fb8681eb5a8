"""Judges a list of releases (SNO-REL-01 and 02): one a month, and each with its content fixed long enough before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from conformance.norms import count
from conformance.sno.calendar import Month
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, met
from conformance.sno.shares import Period, counted
from conformance.sno.spans import in_order
from conformance.sno.tables import Problem, Row

_MONTHLY, _FIXED = "SNO-REL-01", "SNO-REL-02"
_WEEK: Final = timedelta(weeks=1)

COLUMNS: Final = (
    Column("release", Kind.TEXT, aliases=("versie", "name", "version")),
    Column("inhoud_vast", Kind.DATE, aliases=("content_fixed", "inhoud"), may_be_empty=True),
    Column("ingevoerd", Kind.DATE, aliases=("introduced", "datum")),
)


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its name, when it was introduced, and when its final content was fixed (``None``: nobody wrote it down)."""

    name: str
    introduced: date
    fixed: date | None = None


def releases(rows: Iterable[Row]) -> tuple[Release, ...]:
    """Return the releases of rows that :func:`check` found nothing wrong with."""
    return tuple(Release(row.text("release"), row.date("ingevoerd"), row.date("inhoud_vast") if row.has("inhoud_vast") else None) for row in rows)


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a row whose cells are right by themselves."""
    yield from in_order(row, "inhoud_vast", "ingevoerd")


def months_of(items: Iterable[Release]) -> Iterator[Month]:
    """Yield the months in which there was a release."""
    return (Month.of(item.introduced) for item in items)


def judge(items: Sequence[Release], period: Period) -> tuple[Judgement, ...]:
    """Return the judgement of each month, and of each release in it."""
    return (
        *(_month(month, items, period) for month in period.months),
        *(_release(item) for item in sorted(items, key=lambda item: item.introduced) if Month.of(item.introduced) in period.months),
    )


def _month(month: Month, items: Sequence[Release], period: Period) -> Judgement:
    """Judge whether a month has its release; a month of silence is one without, when the list is said to cover it."""
    found = [item for item in items if Month.of(item.introduced) == month]
    least = count(_MONTHLY, "times")
    if not found and not period.is_stated:
        verdict, why = period.silence()
        return Judgement(_MONTHLY, str(month), verdict, arithmetic=(why,))
    verdict = met(is_met=len(found) >= least)
    lines = (*(f"{item.name}: introduced {item.introduced}" for item in found), f"{counted(len(found), 'release')}; aim: {least} a month: {verdict}")
    notes = (f"The SNO aims at {least} a month: more is no miss.",) if len(found) > least else ()
    return Judgement(_MONTHLY, str(month), verdict, counted(len(found), "release"), len(found), lines, notes)


def _release(item: Release) -> Judgement:
    weeks = count(_FIXED, "term")
    about = f"{item.introduced} {item.name}"
    if item.fixed is None:
        return Judgement(_FIXED, about, Outcome.NO_DATA, arithmetic=("nobody wrote down when its content was fixed",))
    days, least = (item.introduced - item.fixed).days, (weeks * _WEEK).days
    verdict = met(is_met=days >= least)
    line = f"fixed {item.fixed}, introduced {item.introduced}: {counted(days, 'day')}; norm: at least {weeks} weeks = {least} days: {verdict}"
    return Judgement(_FIXED, about, verdict, counted(days, "day"), days, (line,))
