"""Counts berichten and notificaties: volumes (SNO-BER-01, 02, NOT-01, 02), the daily report (RAP-04), bijlagen (OPS-04), distribution (BES-02).

The data are a row a bericht, or a row a day; from the first the second is made. What only a bericht knows, its hour, is not judged over days. It
belongs to the day on which it was offered, whenever it was processed. The volumes are those of all Afnemers together.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from conformance.norms import count, share
from conformance.sno.calendar import Month
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, met
from conformance.sno.nights import dutch
from conformance.sno.shares import Period, Share, at_most, counted, grouped, shortened
from conformance.sno.spans import DAY, HOUR, in_order, shown
from conformance.sno.tables import Problem, Row

_PER_DAY, _PER_HOUR, _NOTIFIED_PER_HOUR, _NOTIFIED_PER_DAY = "SNO-BER-01", "SNO-BER-02", "SNO-NOT-01", "SNO-NOT-02"
_REPORT, _BIJLAGEN, _DISTRIBUTION = "SNO-RAP-04", "SNO-OPS-04", "SNO-BES-02"


class Result(StrEnum):
    """What became of a bericht."""

    VERWERKT = "verwerkt"
    AFGEWEZEN = "afgewezen"


COLUMNS: Final = (
    Column("ontvangen", Kind.MOMENT, aliases=("received", "datumontvangen", "aangeboden")),
    Column("uitkomst", Kind.CHOICE, required=False, aliases=("result", "status"), choices=tuple(Result)),
    Column("bijlagen", Kind.YES_NO, required=False, aliases=("bijlage", "met_bijlage")),
    Column("beschikbaar", Kind.MOMENT, required=False, aliases=("published", "publicatiedatum")),
    Column("genotificeerd", Kind.MOMENT, required=False, aliases=("notified",)),
    Column("oin", Kind.TEXT, required=False, aliases=("afnemer",)),
)
"""A row a bericht; ``beschikbaar`` is when its citizen may see it, by default when it came, and what is not notified has no ``genotificeerd``."""
DAYS: Final = (
    Column("datum", Kind.DATE, aliases=("dag", "date", "day")),
    Column("aangeboden", Kind.WHOLE, aliases=("offered",)),
    Column("verwerkt", Kind.WHOLE, aliases=("processed",)),
    Column("afgewezen", Kind.WHOLE, aliases=("rejected",)),
    Column("met_bijlage", Kind.WHOLE, required=False, aliases=("with_bijlage",)),
    Column("notificaties", Kind.WHOLE, required=False, aliases=("notifications",)),
    Column("oin", Kind.TEXT, required=False, aliases=("afnemer",)),
)
"""A row a day, of each Afnemer when there is an ``oin``: counts that people keep, and the daily report of the leveranciersportaal."""


@dataclass(frozen=True, slots=True)
class Bericht:
    """One bericht that was offered; moments are aware, ``None`` is unknown or not there."""

    received: datetime
    result: Result | None = None
    has_bijlage: bool | None = None
    published: datetime | None = None
    notified: datetime | None = None
    oin: str = ""

    @property
    def arrived(self) -> datetime:
        """When its citizen may be told of it."""
        return max(self.received, self.published or self.received)


@dataclass(frozen=True, slots=True)
class DayCount:
    """What one day brought, of one Afnemer or of all; ``None`` is not counted.

    ``known`` is how many of the offered are known to have a bijlage or not.
    """

    day: date
    offered: int
    processed: int
    rejected: int
    with_bijlage: int | None = None
    notified: int | None = None
    oin: str = ""
    known: int | None = None

    @property
    def report(self) -> tuple[int, int, int]:
        """The three counts of the daily report."""
        return self.offered, self.processed, self.rejected


def berichten(rows: Iterable[Row]) -> Iterator[Bericht]:
    """Yield the berichten of rows that :func:`check` found nothing wrong with."""
    for row in rows:
        yield Bericht(
            received=row.moment("ontvangen"),
            result=Result(row.text("uitkomst")) if row.has("uitkomst") else None,
            has_bijlage=row.yes("bijlagen") if row.has("bijlagen") else None,
            published=row.moment("beschikbaar") if row.has("beschikbaar") else None,
            notified=row.moment("genotificeerd") if row.has("genotificeerd") else None,
            oin=row.text("oin"),
        )


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a bericht whose cells are right by themselves."""
    yield from in_order(row, "ontvangen", "genotificeerd")
    yield from in_order(row, "beschikbaar", "genotificeerd")


def days(rows: Iterable[Row]) -> tuple[DayCount, ...]:
    """Return the days of rows that :class:`CheckDays` found nothing wrong with."""
    return tuple(
        DayCount(
            row.date("datum"),
            row.whole("aangeboden"),
            row.whole("verwerkt"),
            row.whole("afgewezen"),
            row.whole("met_bijlage") if row.has("met_bijlage") else None,
            row.whole("notificaties") if row.has("notificaties") else None,
            row.text("oin"),
            row.whole("aangeboden") if row.has("met_bijlage") else None,
        )
        for row in rows
    )


class CheckDays:
    """Finds what is wrong with rows of days; one for each file, for it remembers which days it has seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[date, str], int] = {}

    def __call__(self, row: Row) -> Iterator[Problem]:
        """Yield what is wrong with a row whose cells are right by themselves."""
        first = self._seen.setdefault((row.date("datum"), row.text("oin")), row.line)
        if first != row.line:
            yield row.problem("datum", f"a day once for each Afnemer, and line {first} has it")
        if row.has("met_bijlage") and row.whole("met_bijlage") > row.whole("aangeboden"):
            yield row.problem("met_bijlage", f"no more than aangeboden, {row.whole('aangeboden')}")


def days_of(items: Sequence[Bericht]) -> tuple[DayCount, ...]:
    """Return the days of berichten, of each Afnemer by itself: what is tally under a day was offered on it, but for its notificaties."""
    offered: dict[tuple[date, str], Counter[str]] = {}
    has_notified = any(item.notified is not None for item in items)
    for item in items:
        of_day = offered.setdefault((dutch(item.received).date(), item.oin), Counter())
        of_day.update(["offered", *([item.result] if item.result else [])])
        if item.has_bijlage is not None:
            of_day.update(["known", *(["with_bijlage"] if item.has_bijlage else [])])
        if item.notified is not None:
            offered.setdefault((dutch(item.notified).date(), item.oin), Counter()).update(["notified"])
    return tuple(_day(*key, tally, has_notified=has_notified) for key, tally in sorted(offered.items()))


def _day(day: date, oin: str, tally: Mapping[str, int], *, has_notified: bool) -> DayCount:
    known = tally.get("known", 0)
    return DayCount(
        day,
        tally.get("offered", 0),
        tally.get(Result.VERWERKT, 0),
        tally.get(Result.AFGEWEZEN, 0),
        tally.get("with_bijlage", 0) if known else None,
        tally.get("notified", 0) if has_notified else None,
        oin,
        known or None,
    )


def months_of(items: Iterable[DayCount]) -> Iterator[Month]:
    """Yield the months that days touch."""
    return (Month.of(item.day) for item in items)


def judge_days(items: Sequence[DayCount], period: Period, reported: Sequence[DayCount] | None = None) -> tuple[Judgement, ...]:
    """Return what days can decide of each month; with what the leveranciersportaal ``reported``, whether that agrees."""
    found: list[Judgement] = []
    for month in period.months:
        of_month = [item for item in items if Month.of(item.day) == month]
        report = None if reported is None else [item for item in reported if Month.of(item.day) == month]
        if of_month or report:
            found += _month(month, of_month, report)
        else:
            verdict, why = period.silence()
            found += [Judgement(norm, str(month), verdict, arithmetic=(why,)) for norm in (_PER_DAY, _REPORT)]
    return tuple(found)


def _month(month: Month, items: Sequence[DayCount], report: Sequence[DayCount] | None) -> Iterator[Judgement]:
    offered: Counter[date] = Counter()
    notified: Counter[date] = Counter()
    for item in items:
        offered[item.day] += item.offered
        notified[item.day] += item.notified or 0
    if offered:
        yield _busiest(_PER_DAY, month, {str(day): number for day, number in offered.items()}, "berichten", count(_PER_DAY, "berichten"))
    if any(item.notified is not None for item in items):
        most = count(_NOTIFIED_PER_DAY, "notificaties")
        yield _busiest(_NOTIFIED_PER_DAY, month, {str(day): number for day, number in notified.items()}, "notificaties", most)
    yield _reported(month, items, report)
    known = sum(item.known or 0 for item in items)
    if known:
        yield _bijlagen(month, items, known)


def _busiest(norm: str, month: Month, by_time: Mapping[str, int], unit: str, most: int, notes: Sequence[str] = ()) -> Judgement:
    """Judge the busiest day or hour of a month, and tell each that holds too much."""
    above = [(when, number) for when, number in sorted(by_time.items()) if number > most]
    lines = shortened(above, lambda entry: f"{entry[0]}: {grouped(entry[1])} {unit}, more than {grouped(most)}", "times")
    when, number = max(by_time.items(), key=lambda entry: entry[1])
    verdict = met(is_met=not above)
    last = f"busiest: {when}, {grouped(number)} {unit}; norm: at most {grouped(most)}: {verdict}"
    figure = f"{grouped(number)} {unit}"
    all_ = f"The norm is that of all Afnemers together; these are the {unit} of the data."
    return Judgement(norm, str(month), verdict, figure, number, (*lines, last), (*notes, all_))


def _bijlagen(month: Month, items: Sequence[DayCount], known: int) -> Judgement:
    with_bijlage, offered = sum(item.with_bijlage or 0 for item in items), sum(item.offered for item in items)
    unknown = (f"Of {_berichten(offered - known)} nobody wrote down whether there is a bijlage.",) if offered > known else ()
    lines = (f"{_berichten(known)}, {grouped(with_bijlage)} with a bijlage",)
    notes = (*unknown, "The norm is about the berichten of all Afnemers together: for those of one the share informs.")
    return at_most(_BIJLAGEN, str(month), Share(with_bijlage, known), share(_BIJLAGEN, "share"), lines, notes)


def _reported(month: Month, items: Sequence[DayCount], report: Sequence[DayCount] | None) -> Judgement:
    """Compare the three counts of each day and Afnemer with the daily report; without one, only tell them."""
    found = {(item.day, item.oin): item.report for item in items}
    if report is None:
        lines = tuple(_told(day, oin, *counts) for (day, oin), counts in sorted(found.items()))
        notes = ("With --report FILE these are compared with the daily report of the leveranciersportaal.",)
        return Judgement(_REPORT, str(month), Outcome.NOT_APPLICABLE, f"{len(found)} daily counts", len(found), lines, notes)
    said = {(item.day, item.oin): item.report for item in report}
    nothing = (0, 0, 0)
    keys = sorted(found.keys() | said.keys())
    wrong = [key for key in keys if found.get(key, nothing) != said.get(key, nothing)]
    lines = shortened(wrong, lambda key: f"{_told(*key, *found.get(key, nothing))}; the report says {_three(*said.get(key, nothing))}", "days")
    figure = f"{len(keys) - len(wrong)} of {len(keys)} daily counts agree"
    return Judgement(_REPORT, str(month), met(is_met=not wrong), figure, len(keys) - len(wrong), (*lines, figure))


def _berichten(number: int) -> str:
    return counted(number, "bericht", "berichten")


def _told(day: date, oin: str, offered: int, processed: int, rejected: int) -> str:
    return f"{day}{oin and f' {oin}'}: {_three(offered, processed, rejected)}"


def _three(offered: int, processed: int, rejected: int) -> str:
    return f"{grouped(offered)} offered, {grouped(processed)} processed, {grouped(rejected)} rejected"


# -- what only berichten know ------------------------------------------------------------------------------------------------------------------


def judge_berichten(items: Sequence[Bericht], period: Period) -> tuple[Judgement, ...]:
    """Return what the moments of berichten decide: the hours of each month, and the order and the days of distribution."""
    hourly = (
        (_PER_HOUR, "berichten", [item.received for item in items]),
        (_NOTIFIED_PER_HOUR, "notificaties", [item.notified for item in items if item.notified is not None]),
    )
    found = [judgement for norm, unit, moments in hourly for judgement in _hours(norm, unit, moments, period)]
    if any(item.notified is not None for item in items):
        judged = [item for item in items if Month.of(dutch(item.arrived)) in period.months]
        had = frozenset(dutch(item.notified).date() for item in items if item.notified is not None)
        found += [_order(judged), _daily(judged, had)] if any(item.notified is not None for item in judged) else []
    return tuple(found)


@dataclass(slots=True)
class _Hours:
    """What the clock hours of a month hold, and the most in any 60 minutes that end in it."""

    by_hour: Counter[datetime] = field(default_factory=Counter)
    sliding: int = 0


def _hours(norm: str, unit: str, moments: Sequence[datetime], period: Period) -> Iterator[Judgement]:
    most, by_month = count(norm, unit), _by_hour(moments)
    for month in period.months:
        if month not in by_month:
            continue
        hours = by_month[month]
        sliding = (
            f"The busiest 60 minutes hold {grouped(hours.sliding)} {unit}; the SNO does not say which hour it means, and the clock hour decides."
        )
        yield _busiest(norm, month, {_named(hour): number for hour, number in hours.by_hour.items()}, unit, most, (sliding,))


def _named(hour: datetime) -> str:
    return f"hour from {shown(hour)}"


def _by_hour(moments: Iterable[datetime]) -> Mapping[Month, _Hours]:
    found: dict[Month, _Hours] = {}
    window: deque[datetime] = deque()
    # An hour of the Dutch clock starts when one of UTC does, and 60 minutes in UTC stay 60 when the clock changes.
    for moment in sorted(moment.astimezone(UTC) for moment in moments):
        window.append(moment)
        while moment - window[0] >= HOUR:
            window.popleft()
        hour = moment.replace(minute=0, second=0, microsecond=0)
        hours = found.setdefault(Month.of(dutch(hour)), _Hours())
        hours.by_hour[hour] += 1
        hours.sliding = max(hours.sliding, len(window))
    return found


def _order(items: Iterable[Bericht]) -> Judgement:
    """Judge whether notificaties left in the order in which their berichten arrived; what arrived together has no order."""
    told = sorted((item.arrived, item.notified) for item in items if item.notified is not None)
    late: list[tuple[datetime, datetime]] = []
    latest = earlier = datetime.min.replace(tzinfo=UTC)
    before: datetime | None = None
    for arrived, notified in told:
        if arrived != before:
            before, earlier = arrived, latest
        if notified < earlier:
            late.append((arrived, notified))
        latest = max(latest, notified)
    lines = shortened(late, lambda entry: f"arrived {shown(entry[0])}, notified {shown(entry[1])}: before one that arrived earlier", "notificaties")
    figure = f"{grouped(len(told) - len(late))} of {grouped(len(told))} in order of arrival"
    return Judgement(_DISTRIBUTION, "order of arrival", met(is_met=not late), figure, len(told) - len(late), (*lines, figure))


def _daily(items: Sequence[Bericht], had: frozenset[date]) -> Judgement:
    """Judge whether each day on which berichten arrived, or waited all day, had a distribution; ``had`` are the days that had one.

    What came after the distribution of its day and left within 24 hours waited for no day at all. Not every citizen wants one, so a bericht without
    only asks that there was a distribution on its day or the next, and not on the last day of the data.
    """
    told = [(item.arrived, item.notified) for item in items if item.notified is not None]
    needed: Counter[date] = Counter()
    for arrived, notified in told:
        first, last = dutch(arrived).date(), dutch(notified).date()
        needed.update(first + n * DAY for n in range(0 if notified - arrived > DAY else 1, (last - first).days))
        needed[last] += 1
    end = max(*had, *(dutch(item.arrived).date() for item in items))
    for item in items:
        day = dutch(item.arrived).date()
        if item.notified is None and item.result is Result.VERWERKT and day < end and day + DAY not in had:
            needed[day] += 1
    without = sorted(needed.keys() - had)
    lines = shortened(without, lambda day: f"{day}: {_berichten(needed[day])} waited, and no notification left", "days")
    figure = f"{len(needed) - len(without)} of {len(needed)} days had a distribution"
    silent = sum(item.notified is None and item.result is Result.VERWERKT for item in items)
    notes = (f"No notification of {_berichten(silent)} in a Berichtenbox: not every citizen wants one.",) if silent else ()
    return Judgement(_DISTRIBUTION, "daily", met(is_met=not without), figure, len(needed) - len(without), (*lines, figure), notes)
