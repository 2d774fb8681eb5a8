"""Judges a call log of the citizens' telephone (SNO-BUR-01 to 05, SNO-SVC-01).

Only calls inside the service window count. The waiting times are shares of the answered calls: the SNO lets 3 % hang up and wants 99 % answered in
10 minutes, which cannot both be shares of all calls. The variant over all calls is a note.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import Final

from conformance.norms import count, duration, number, share
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, Month, at, is_werkdag, month_of
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, decimal, met, percentage
from conformance.sno.nights import dutch
from conformance.sno.shares import Period, Share, at_least, at_most, counted, shortened
from conformance.sno.spans import Span, cut, hours, in_order, in_units, total
from conformance.sno.tables import Problem, Row

_OPEN, _SOON, _ANSWERED, _ABANDONED, _CONTENT = "SNO-BUR-01", "SNO-BUR-02", "SNO-BUR-03", "SNO-BUR-04", "SNO-BUR-05"
_WINDOW: Final = "SNO-SVC-01"

COLUMNS: Final = (
    Column("aangeboden", Kind.MOMENT, aliases=("offered", "oproep")),
    Column("beantwoord", Kind.MOMENT, aliases=("answered",), may_be_empty=True),
    Column("cijfer", Kind.DECIMAL, required=False, aliases=("score", "tevredenheid")),
)
"""A row a call; who hung up before an answer has an empty ``beantwoord``."""
CLOSURES: Final = (
    Column("van", Kind.MOMENT, aliases=("start", "from")),
    Column("tot", Kind.MOMENT, aliases=("end", "until"), may_be_empty=True),
)
"""A row a time in which the telephone could not be reached; an empty ``tot`` is still going on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it came, when it was answered (``None``: the caller gave up), and the score that the caller gave; moments are aware."""

    offered: datetime
    answered: datetime | None = None
    score: Fraction | None = None

    @property
    def wait(self) -> timedelta | None:
        """How long the caller waited for the answer."""
        return None if self.answered is None else self.answered - self.offered


def calls(rows: Iterable[Row]) -> tuple[Call, ...]:
    """Return the calls of rows that :func:`check` found nothing wrong with."""
    return tuple(
        Call(
            row.moment("aangeboden"),
            row.moment("beantwoord") if row.has("beantwoord") else None,
            row.decimal("cijfer") if row.has("cijfer") else None,
        )
        for row in rows
    )


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a call whose cells are right by themselves."""
    yield from in_order(row, "aangeboden", "beantwoord")
    least, most = number(_CONTENT, "score_min"), number(_CONTENT, "score_max")
    if row.has("cijfer") and not least <= row.decimal("cijfer") <= most:
        yield row.problem("cijfer", f"a score from {least} to {most}", decimal(row.decimal("cijfer")))


def check_closure(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a closure whose cells are right by themselves."""
    yield from in_order(row, "van", "tot")


def closures(rows: Iterable[Row], until: datetime) -> tuple[Span, ...]:
    """Return the times in which the telephone could not be reached; what is still going on lasts until a moment, or is over at once."""
    pairs = ((row.moment("van"), row.moment("tot") if row.has("tot") else until) for row in rows)
    return tuple(Span(start, max(start, end)) for start, end in pairs)


def months_of(items: Iterable[Call]) -> Iterator[Month]:
    """Yield the months in which calls came."""
    return (month_of(item.offered) for item in items)


def judge(items: Sequence[Call], period: Period, closed: Sequence[Span] | None = None, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Judgement, ...]:
    """Return the judgements of every month.

    The opening hours (SNO-BUR-01) are judged when the closures are known, if only as none, and the scores (SNO-BUR-05) when the log has any at all.
    """
    by_month: dict[Month, list[Call]] = {month: [] for month in period.months}
    for item in items:
        if (month := month_of(item.offered)) in by_month:
            by_month[month].append(item)
    found = (judgement for month, of_month in by_month.items() for judgement in _month(month, of_month, period, closed, feestdagen))
    has_scores = any(item.score is not None for item in items)
    return tuple(judgement for judgement in found if has_scores or judgement.norm != _CONTENT)


def windows(month: Month, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Span, ...]:
    """Return the service window of each werkdag of a month."""
    opens, closes = time(count(_WINDOW, "from")), time(count(_WINDOW, "until"))
    return tuple(Span(at(day, opens), at(day, closes)) for day in month.days() if is_werkdag(day, feestdagen))


def _month(month: Month, items: Sequence[Call], period: Period, closed: Sequence[Span] | None, feestdagen: Feestdagen) -> Iterator[Judgement]:
    if closed is not None:
        yield _opening(month, closed, feestdagen)
    open_ = windows(month, feestdagen)
    by_day = {dutch(span.start).date(): span for span in open_}
    inside = [item for item in items if (span := by_day.get(dutch(item.offered).date())) and span.start <= item.offered < span.end]
    if not inside:
        yield from _silent(month, items, period)
        return
    outside = len(items) - len(inside)
    notes = (f"Outside the service window, and so not counted: {counted(outside, 'call')}.",) if outside else ()
    yield _manned(month, inside, notes)
    yield from _waits(month, inside, notes)
    lost = [item for item in inside if item.answered is None]
    lines = (f"{counted(len(inside), 'call')}, {len(lost)} given up before an answer",)
    yield at_most(_ABANDONED, str(month), Share(len(lost), len(inside)), share(_ABANDONED, "share_max"), lines, notes)
    yield _satisfaction(month, inside)


def _silent(month: Month, items: Sequence[Call], period: Period) -> Iterator[Judgement]:
    verdict, why = (Outcome.NOT_APPLICABLE, f"{counted(len(items), 'call')}, none in the service window") if items else period.silence()
    for norm in (_WINDOW, _SOON, _ANSWERED, _ABANDONED, _CONTENT):
        yield Judgement(norm, str(month), verdict, arithmetic=(why,))


def _opening(month: Month, closed: Sequence[Span], feestdagen: Feestdagen) -> Judgement:
    open_ = windows(month, feestdagen)
    hours_open = sum((span.length for span in open_), timedelta())
    down = sum((total(cut(closed, span)) for span in open_), timedelta())
    value, least = 1 - in_units(down, hours_open), share(_OPEN, "share")
    verdict = met(is_met=value >= least)
    lines = (
        f"{len(open_)} werkdagen x {hours(open_[0].length)} h = {hours(hours_open)} h, out of reach {hours(down)} h",
        f"1 - {hours(down)} / {hours(hours_open)} = {percentage(value)}; norm: at least {percentage(least)}: {verdict}",
    )
    return Judgement(_OPEN, str(month), verdict, percentage(value), value * 100, lines)


def _manned(month: Month, inside: Sequence[Call], notes: Sequence[str]) -> Judgement:
    """Judge whether somebody answered on each werkdag on which people called."""
    answered: dict[datetime, int] = {}
    offered: dict[datetime, int] = {}
    for item in inside:
        day = at(dutch(item.offered).date())
        offered[day] = offered.get(day, 0) + 1
        answered[day] = answered.get(day, 0) + (item.answered is not None)
    silent = sorted(day for day, number_ in answered.items() if not number_)
    lines = shortened(silent, lambda day: f"{dutch(day).date()}: {counted(offered[day], 'call')}, none answered", "days")
    figure = f"answered on {len(offered) - len(silent)} of {len(offered)} days"
    return Judgement(_WINDOW, str(month), met(is_met=not silent), figure, len(silent), (*lines, figure), tuple(notes))


def _waits(month: Month, inside: Sequence[Call], notes: Sequence[str]) -> Iterator[Judgement]:
    waits = [item.wait for item in inside if item.wait is not None]
    for norm in (_SOON, _ANSWERED):
        term = duration(norm, "term")
        good = sum(wait <= term for wait in waits)
        if not waits:
            yield Judgement(norm, str(month), Outcome.NOT_APPLICABLE, "none answered", arithmetic=(f"{counted(len(inside), 'call')}, none answered",))
            continue
        all_calls = f"Of all {len(inside)} calls, also those given up: {Share(good, len(inside))}."
        lines = (f"{counted(len(waits), 'call')} answered, {good} of them within {term.total_seconds():.0f} s",)
        yield at_least(norm, str(month), Share(good, len(waits)), share(norm, "share"), lines, (*notes, all_calls))


def _satisfaction(month: Month, inside: Sequence[Call]) -> Judgement:
    """Judge the average score, which must be higher than the norm: the norm itself fails."""
    scores = [item.score for item in inside if item.score is not None]
    if not scores:
        return Judgement(_CONTENT, str(month), Outcome.NO_DATA, arithmetic=("no call of this month has a score",))
    norm, average = number(_CONTENT, "score"), sum(scores, Fraction()) / len(scores)
    verdict = met(is_met=average > norm)
    lines = (
        f"{decimal(sum(scores, Fraction()))} / {counted(len(scores), 'score')} = {decimal(average)}; norm: higher than {decimal(norm)}: {verdict}",
    )
    return Judgement(_CONTENT, str(month), verdict, decimal(average), average, lines)
