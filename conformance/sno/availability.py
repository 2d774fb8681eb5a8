"""Availability by calendar month, from an outage log (SNO-BES-01 and 03 to 08, SNO-ONH-04, 05 and 13, SNO-CON-03).

The SNO can be read in several ways. One decides, and what others would make of it stands beside it as a note: the average month, the windows taken
out of the month, the hours of support, and unplanned outages inside a window.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Final

from conformance import norms
from conformance.sno.announcements import earliest_start
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, Month, add_months, kantooruren_of
from conformance.sno.judgement import Judgement, Outcome, met, percentage
from conformance.sno.nights import dutch
from conformance.sno.outages import BERICHTENBOX, Cause, Log, Outage, Series, Service, within
from conformance.sno.shares import shortened
from conformance.sno.spans import HOUR, Span, cut, hours, merged, shown, total
from conformance.sno.windows import BERICHTENBOX as BERICHTENBOX_WINDOW
from conformance.sno.windows import MOVED, Environment, Move, Window, windows_of

_NORMS: Final = {
    Service.PORTAAL: "SNO-BES-01",
    **dict.fromkeys(BERICHTENBOX, "SNO-BES-03"),
    Service.PERSOONLIJKE_GEGEVENS: "SNO-BES-07",
    Service.AANGESLOTEN_SYSTEEM: "SNO-BES-08",
}
_MEASURED: Final = "SNO-BES-04"
_NOT_COUNTED: Final = "SNO-BES-05"
_UNPLANNED: Final = "SNO-BES-06"
_NO_CLAIM: Final = "SNO-CON-03"
_IN_WINDOW: Final = "SNO-ONH-05"
_NO_CLAIM_CAUSES: Final = frozenset({Cause.AFNEMER, Cause.CALAMITEIT, Cause.INTERNET})


@dataclass(frozen=True, slots=True)
class Calendar:
    """What maintenance and feestdagen there were: of which environment, which windows were moved, and who works when."""

    environment: Environment = Environment.PRODUCTIE
    moves: tuple[Move, ...] = ()
    feestdagen: Feestdagen = FEESTDAGEN

    def windows(self, month: Month) -> tuple[Window, ...]:
        """Return the windows that may touch a month: one that was moved can cross its end."""
        months = [Month.of(add_months(month.first, n)) for n in (-1, 0, 1)]
        inside = Span(month.start, month.end)
        return tuple(window for window in windows_of(months, self.environment, self.moves) if cut([window.span], inside))


def availability(log: Log, months: Sequence[Month], services: Sequence[Service] = (), calendar: Calendar | None = None) -> tuple[Judgement, ...]:
    """Judge each month for each series of the log, or for some services only; a service that was asked for and is not in it is judged as well."""
    calendar = calendar or Calendar()
    known = [series for series in log.series if not services or series.service in services]
    asked = [Series(service) for service in services if service not in {series.service for series in known}]
    wanted = sorted([*known, *asked])
    judged = [_judged(log, series, month, calendar) for month in months for series in wanted]
    return (*judged, *(_maintenance(log, month, calendar) for month in months if any(series.service in BERICHTENBOX for series in wanted)))


@dataclass(frozen=True, slots=True)
class _Reckoning:
    """The sum for one series in one month."""

    series: Series
    month: Month
    outages: tuple[Outage, ...]  # cut to the month and to what the log covers
    covered: timedelta
    windows: tuple[Window, ...]
    feestdagen: Feestdagen

    @property
    def id(self) -> str:
        return _NORMS[self.series.service]

    @property
    def least(self) -> Fraction:
        # What hangs on others as well has no norm of its own, and is shown beside the way in which all is measured.
        return norms.share(_MEASURED if self.series.service is Service.PERSOONLIJKE_GEGEVENS else self.id, "share")

    @property
    def counted(self) -> tuple[Outage, ...]:
        return tuple(outage for outage in self.outages if not outage.is_outside)

    @property
    def excluding(self) -> tuple[Window, ...]:
        """The windows in which downtime is not counted: those of the portaal, for the portaal."""
        is_portaal = self.series.service in {Service.PORTAAL, Service.PERSOONLIJKE_GEGEVENS}
        return tuple(window for window in self.windows if window.is_of_the_portaal and is_portaal)

    @property
    def down(self) -> timedelta:
        """Overlaps once, without what lies in a window."""
        spans = merged(outage.span for outage in self.counted)
        return total(spans) - self.in_windows(spans)

    @property
    def most(self) -> timedelta:
        return _part(self.month.length, 1 - self.least)

    @property
    def is_complete(self) -> bool:
        return self.covered == self.month.length

    def in_windows(self, spans: Iterable[Span]) -> timedelta:
        held = list(spans)
        return total(part for window in self.excluding for part in cut(held, window.span))

    def availability(self) -> Fraction:
        return 1 - _ratio(self.down, self.month.length)


def _judged(log: Log, series: Series, month: Month, calendar: Calendar) -> Judgement:
    inside = Span(month.start, month.end)
    covered = cut(log.covered, inside)
    about = f"{month} {series}"
    if not covered:
        return Judgement(_NORMS[series.service], about, Outcome.NO_DATA, arithmetic=("the log does not cover this month (--from, --until)",))
    if series not in log.series and not log.is_stated:
        line = f"the log has no outage of {series}, and nobody said which period it covers (--from, --until)"
        return Judgement(_NORMS[series.service], about, Outcome.NO_DATA, arithmetic=(line,))
    outages = tuple(part for span in covered for part in within((outage for outage in log.outages if outage.series == series), span))
    sum_ = _Reckoning(series, month, outages, total(covered), calendar.windows(month), calendar.feestdagen)
    windows = (_IN_WINDOW, *dict.fromkeys(window.norm for window in sum_.excluding), *((MOVED,) if calendar.moves else ()))
    rests_on = (_MEASURED, _NOT_COUNTED, _UNPLANNED, *(windows if sum_.excluding else ()))
    figure = f"{percentage(sum_.availability())} available, {hours(sum_.down)} h down"
    return Judgement(sum_.id, about, _verdict(sum_), figure, sum_.availability() * 100, (*_arithmetic(sum_),), (*_notes(sum_, calendar),), rests_on)


def _verdict(sum_: _Reckoning) -> Outcome:
    """Return the verdict: of a month that is covered in part only, no more than that it was missed already."""
    if sum_.series.service is Service.PERSOONLIJKE_GEGEVENS:
        return Outcome.NOT_APPLICABLE
    if sum_.down > sum_.most:
        return Outcome.MISSED
    return Outcome.MET if sum_.is_complete else Outcome.NO_DATA


def _arithmetic(sum_: _Reckoning) -> Iterator[str]:
    yield f"{sum_.month} has {hours(sum_.month.length)} h: at {percentage(sum_.least)} at most {hours(sum_.most)} h down"
    if not sum_.is_complete:
        yield f"the log covers {hours(sum_.covered)} h of it"
    yield from shortened(sum_.counted, _line, "rows")
    spans = merged(outage.span for outage in sum_.counted)
    whole = sum((outage.span.length for outage in sum_.counted), timedelta())
    if total(spans) < whole:
        yield f"overlaps count once: {hours(whole)} h in rows is {hours(total(spans))} h down"
    for window in sum_.excluding:
        part = total(cut(spans, window.span))
        if part:
            yield f"- {hours(part)} h inside the window of {window} ({MOVED if window.moved_from else _IN_WINDOW})"
    for outage in sum_.outages:
        if outage.is_outside:
            yield f"{_line(outage)}: not counted ({_NOT_COUNTED})"
    compared = "at least" if sum_.availability() >= sum_.least else "below"
    quotient = f"1 - {hours(sum_.down)} / {hours(sum_.month.length)}"
    yield f"{hours(sum_.down)} h down: {quotient} = {percentage(sum_.availability())}, {compared} {percentage(sum_.least)}"


def _line(outage: Outage) -> str:
    return f"{outage}: {hours(outage.span.length)} h"


def _notes(sum_: _Reckoning, calendar: Calendar) -> Iterator[str]:
    if sum_.series.service is Service.PERSOONLIJKE_GEGEVENS:
        yield "what people see of it also hangs on the systems of Afnemers: a series of its own, without a verdict on Logius"
    if not sum_.is_complete and sum_.down <= sum_.most:
        yield "the rest of the month may hold more: there is no verdict until the log covers it"
    yield from _readings(sum_)
    for outage in sum_.outages:
        if outage.is_open:
            yield f"line {outage.line} has no end: counted until {shown(outage.span.end)}, where the log ends"
        if outage.cause in _NO_CLAIM_CAUSES:
            yield f"line {outage.line}, {outage.cause}: no claim on Logius ({_NO_CLAIM})"
        yield from _maintenance_outside(outage, sum_, calendar)


def _readings(sum_: _Reckoning) -> Iterator[str]:
    """Yield what other readings would make of it."""
    average = timedelta(hours=int(norms.count(_MEASURED, "hours_average")))
    yield _reading(f"by the average month of {hours(average)} h", sum_.down, average, sum_.least)
    windows = total(cut([window.span for window in sum_.excluding], Span(sum_.month.start, sum_.month.end)))
    if windows:
        open_ = sum_.month.length - windows
        yield _reading(f"with the windows taken out of the month, {hours(open_)} h", sum_.down, open_, sum_.least)
    unplanned = _unplanned_in_windows(sum_)
    if unplanned:
        words = f"with the {hours(unplanned)} h that was unplanned inside a window ({_UNPLANNED})"
        yield _reading(words, sum_.down + unplanned, sum_.month.length, sum_.least)
    if sum_.series.service in BERICHTENBOX:
        support = [Span(*found) for day in sum_.month.days() if (found := kantooruren_of(day, sum_.feestdagen))]
        down = total(part for span in support for part in cut([outage.span for outage in sum_.counted], span))
        yield _reading(f"within the hours of support, {hours(total(support))} h", down, total(support), sum_.least)


def _reading(words: str, down: timedelta, of: timedelta, least: Fraction) -> str:
    most = _part(of, 1 - least)
    return f"{words}: {hours(down)} h down, {hours(most)} h allowed, {percentage(1 - _ratio(down, of))}: {met(is_met=down <= most)}"


def _unplanned_in_windows(sum_: _Reckoning) -> timedelta:
    return sum_.in_windows(merged(outage.span for outage in sum_.counted if not outage.is_planned))


def _maintenance_outside(outage: Outage, sum_: _Reckoning, calendar: Calendar) -> Iterator[str]:
    """Say of planned work that lies in no window why it is counted, when its announcement suggests that it need not be."""
    if not outage.is_planned or outage.announced is None or outage.is_outside or sum_.in_windows([outage.span]) == outage.span.length:
        return
    start = dutch(outage.span.start).date()
    if start >= earliest_start(outage.announced, norms.quantity(MOVED, "term"), calendar.feestdagen):
        why = "it lies in no regular window, and no row of --moved says which one it replaces"
        if sum_.series.service not in {Service.PORTAAL, Service.PERSOONLIJKE_GEGEVENS}:
            why = "there is no window in which this may be down"
        yield f"line {outage.line} was announced in time, and is counted all the same: {why}"


def _maintenance(log: Log, month: Month, calendar: Calendar) -> Judgement:
    """Judge whether maintenance of the Berichtenbox in its window was without downtime (SNO-ONH-04)."""
    windows = [window for window in calendar.windows(month) if window.norm == BERICHTENBOX_WINDOW]
    about = f"{month} maintenance of the Berichtenbox"
    if not windows:
        return Judgement(BERICHTENBOX_WINDOW, about, Outcome.NOT_APPLICABLE, arithmetic=("its window was moved out of this month",))
    is_known = log.is_stated or any(series.service in BERICHTENBOX for series in log.series)
    if not is_known or any(total(cut(log.covered, window.span)) < window.span.length for window in windows):
        return Judgement(BERICHTENBOX_WINDOW, about, Outcome.NO_DATA, arithmetic=("the log does not cover the window (--from, --until)",))
    planned = [outage for outage in log.outages if outage.is_planned and outage.series.service in BERICHTENBOX]
    parts = [part for window in windows for part in within(planned, window.span)]
    down = total(part.span for part in parts)
    lines = [f"the window is {window}, without downtime" for window in windows]
    lines += [f"{part.series}, {_line(part)}" for part in parts]
    notes = ("downtime in this window is counted in the availability of each service",)
    return Judgement(
        BERICHTENBOX_WINDOW, about, met(is_met=not down), f"{hours(down)} h down for maintenance", _ratio(down, HOUR), tuple(lines), notes
    )


def _ratio(part: timedelta, whole: timedelta) -> Fraction:
    microsecond = timedelta(microseconds=1)
    return Fraction(part // microsecond, whole // microsecond)


def _part(whole: timedelta, share: Fraction) -> timedelta:
    """Return a share of a time, rounded down to a microsecond: whether one time is longer than another is the same before and after."""
    return timedelta(microseconds=int(Fraction(whole // timedelta(microseconds=1)) * share))
