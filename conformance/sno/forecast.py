"""Judges the rolling forecast of an Afnemer (SNO-PRO-01 to 03 and 05 to 08), with what came of it.

Of a month counts the last forecast that was given before it began. Aantal and omvang are judged apart, and each Afnemer by itself; only the signal
that a month does not fit (SNO-PRO-07) looks at all Afnemers together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from conformance.norms import count, share
from conformance.sno.calendar import Month, months_between
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, decimal, met, percentage
from conformance.sno.shares import counted, grouped, shortened
from conformance.sno.spans import HOUR
from conformance.sno.tables import Problem, Row

_HORIZON, _FIGURES, _MONTHLY, _CONTENT, _DEVIATION = "SNO-PRO-01", "SNO-PRO-02", "SNO-PRO-03", "SNO-PRO-05", "SNO-PRO-06"
_SIGNAL, _EXCUSED = "SNO-PRO-07", "SNO-PRO-08"
_PER_DAY, _PER_HOUR = "SNO-BER-01", "SNO-BER-02"
_QUARTER: Final = 3

_VALUES: Final = (
    Column("berichten", Kind.WHOLE, required=False, aliases=("aantal", "aantal_berichten")),
    Column("omvang", Kind.DECIMAL, required=False, aliases=("omvang_gb", "volume")),
    Column("oin", Kind.TEXT, required=False, aliases=("afnemer",)),
)
COLUMNS: Final = (
    Column("gegeven", Kind.DATE, aliases=("given", "datum")),
    Column("maand", Kind.TEXT, aliases=("month",)),
    *_VALUES,
)
"""A row a figure that was given: on which day, for which month; ``omvang`` in any unit that actual figures have too."""
ACTUALS: Final = (Column("maand", Kind.TEXT, aliases=("month",)), *_VALUES)
"""A row a month of an Afnemer, as it came."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one month was thought to bring, or brought: ``given`` is ``None`` for what it brought; ``None`` where there is no figure."""

    month: Month
    berichten: int | None
    omvang: Fraction | None
    given: date | None = None
    afnemer: str = ""
    line: int = 0

    def of(self, what: str) -> Fraction | None:
        """Return the figure for ``aantal`` or ``omvang``."""
        value = self.berichten if what == "aantal" else self.omvang
        return None if value is None else Fraction(value)


WHATS: Final = ("aantal", "omvang")


def figures(rows: Iterable[Row]) -> tuple[Figure, ...]:
    """Return the figures of rows in which :func:`check_month` found nothing wrong."""
    return tuple(
        Figure(
            Month.read(row.text("maand")),
            row.whole("berichten") if row.has("berichten") else None,
            row.decimal("omvang") if row.has("omvang") else None,
            row.date("gegeven") if row.has("gegeven") else None,
            row.text("oin"),
            row.line,
        )
        for row in rows
    )


class Check:
    """Finds what is wrong with rows that are right cell by cell; one for each file, for it remembers which month and Afnemer it has seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], int] = {}

    def __call__(self, row: Row) -> Iterator[Problem]:
        """Yield what is wrong with a row."""
        try:
            Month.read(row.text("maand"))
        except ValueError:
            yield row.problem("maand", "a month, such as 2026-03")
        key = (row.text("oin"), row.text("maand"), str(row.values.get("gegeven", "")))
        first = self._seen.setdefault(key, row.line)
        if first != row.line:
            yield row.problem("maand", f"one figure a month, and line {first} has it", hint="keep the last one of that day.")


def judge(forecasts: Sequence[Figure], actuals: Sequence[Figure], on: date) -> tuple[Judgement, ...]:
    """Return the judgements of each Afnemer, and the signal over all together; ``on`` is the day on which the forecast is looked at."""
    known = [item for item in forecasts if item.given is not None and item.given <= on]
    afnemers = sorted({item.afnemer for item in (*known, *actuals)})
    if not known:
        why = (f"no figure was given up to {on}",)
        return tuple(
            Judgement(norm, "the forecast", Outcome.NO_DATA, arithmetic=why) for norm in (_HORIZON, _FIGURES, _MONTHLY, _CONTENT, _DEVIATION)
        )
    found = (judgement for afnemer in afnemers for judgement in _afnemer(afnemer, known, actuals, on))
    return (*found, *_signals(known, on))


def horizon(on: date) -> tuple[Month, ...]:
    """Return the months of the quarters after the current one that need a figure."""
    ahead = count(_HORIZON, "horizon") * _QUARTER
    month = Month(on.year, (on.month - 1) // _QUARTER * _QUARTER + 1)
    for _ in range(_QUARTER):
        month = month.next
    found = [month]
    while len(found) < ahead:
        found.append(found[-1].next)
    return tuple(found)


def _afnemer(afnemer: str, forecasts: Sequence[Figure], actuals: Sequence[Figure], on: date) -> Iterator[Judgement]:
    own = [item for item in forecasts if item.afnemer == afnemer]
    brought = sorted((item for item in actuals if item.afnemer == afnemer), key=lambda item: item.month)
    about = afnemer or "the forecast"
    yield _reach(own, on, about)
    yield _each_month(own, on, about)
    yield from _updates(own, on, about)
    yield _contents(own, about)
    deviations = [judgement for actual in brought for judgement in _deviations(own, actual, afnemer)]
    yield from deviations
    if brought:
        yield _excused(deviations, about)


def _reach(own: Sequence[Figure], on: date, about: str) -> Judgement:
    """Judge how far ahead the forecast reaches: into the last of the quarters."""
    months = horizon(on)
    last = max((item.month for item in own), default=None)
    reached = last is not None and last >= months[-1]
    quarters = len([month for month in months if last is not None and month <= last]) // _QUARTER
    line = (
        f"on {on} the {count(_HORIZON, 'horizon')} quarters after the current one are {months[0]} up to {months[-1]}; the last figure is for {last}"
    )
    return Judgement(_HORIZON, about, met(is_met=reached), counted(quarters, "quarter"), quarters, (line,))


def _each_month(own: Sequence[Figure], on: date, about: str) -> Judgement:
    """Judge whether each month ahead has a figure of its own."""
    months, needed = horizon(on), count(_FIGURES, "figures")
    given = {item.month for item in own}
    missing = [month for month in months if month not in given]
    lines = shortened(missing, lambda month: f"{month}: no figure", "months")
    has = len(months) - len(missing)
    return Judgement(
        _FIGURES, about, met(is_met=has >= needed), f"{has} of {needed} months", has, (*lines, f"{has} of {needed} months have a figure")
    )


def _updates(own: Sequence[Figure], on: date, about: str) -> Iterator[Judgement]:
    """Judge each month from the first figure on; the current one is not over, so it cannot be missed yet."""
    times: dict[Month, int] = {}
    for item in own:
        month = Month.of(item.given or on)
        times[month] = times.get(month, 0) + 1
    for month in months_between(min(times, default=Month.of(on).next), Month.of(on)):
        given = times.get(month, 0)
        verdict = met(is_met=given >= count(_MONTHLY, "times"))
        if verdict is Outcome.MISSED and month == Month.of(on):
            verdict = Outcome.NOT_APPLICABLE
        yield Judgement(
            _MONTHLY, _named(about, month), verdict, counted(given, "figure"), given, (f"{counted(given, 'figure')} given in {month}: {verdict}",)
        )


def _named(about: str, month: Month) -> str:
    return str(month) if about == "the forecast" else f"{month} {about}"


def _contents(own: Sequence[Figure], about: str) -> Judgement:
    """Judge whether each figure has both aantal and omvang."""
    bare = [item for item in own if None in {item.berichten, item.omvang}]
    lines = shortened(bare, lambda item: f"line {item.line}, {item.month}: no {' and no '.join(w for w in WHATS if item.of(w) is None)}", "figures")
    figure = f"{len(own) - len(bare)} of {len(own)} figures complete"
    return Judgement(_CONTENT, about, met(is_met=not bare) if own else Outcome.NO_DATA, figure, len(own) - len(bare), (*lines, figure))


def last_before(forecasts: Iterable[Figure], month: Month, what: str) -> Figure | None:
    """Return the last figure for ``aantal`` or ``omvang`` of a month that was given before it began."""
    before = [item for item in forecasts if item.month == month and item.given is not None and item.given < month.first and item.of(what) is not None]
    return max(before, key=lambda item: item.given or date.min, default=None)


def _deviations(own: Sequence[Figure], actual: Figure, afnemer: str) -> Iterator[Judgement]:
    for what in WHATS:
        brought = actual.of(what)
        if brought is not None:
            about = " ".join(part for part in (str(actual.month), afnemer, what) if part)
            yield _deviation(about, last_before(own, actual.month, what), brought, what)


def _deviation(about: str, forecast: Figure | None, actual: Fraction, what: str) -> Judgement:
    thought = None if forecast is None else forecast.of(what)
    if forecast is None or thought is None:
        return Judgement(_DEVIATION, about, Outcome.NO_DATA, arithmetic=("no forecast was given before the month began",))
    most, given = share(_DEVIATION, "deviation_max"), f"forecast of {forecast.given} (line {forecast.line})"
    if not thought:
        verdict = met(is_met=not actual)
        line = f"{given}: 0, actual {_amount(actual)}: {'any amount is too much' if actual else 'as it came'}: {verdict}"
        return Judgement(_DEVIATION, about, verdict, "0 %" if not actual else "no share of 0", arithmetic=(line,))
    value = abs(actual - thought) / thought
    verdict = met(is_met=value <= most)
    line = (
        f"{given}: |{_amount(actual)} - {_amount(thought)}| / {_amount(thought)} = {percentage(value)}; norm: at most {percentage(most)}: {verdict}"
    )
    return Judgement(_DEVIATION, about, verdict, percentage(value), value * 100, (line,))


def _amount(value: Fraction) -> str:
    return grouped(int(value)) if value.denominator == 1 else decimal(value)


def _excused(deviations: Sequence[Judgement], about: str) -> Judgement:
    """Flag the months whose forecast was wrong: for a disturbance that follows from it Logius is not held to the service levels."""
    wrong = [judgement for judgement in deviations if judgement.verdict is Outcome.MISSED]
    lines = tuple(f"{judgement.about}: the forecast was off by more than the norm ({judgement.figure})" for judgement in wrong)
    months = sorted({judgement.about.split()[0] for judgement in wrong})
    figure = f"flagged: {', '.join(months)}" if months else "no month flagged"
    notes = (
        ("When a disturbance in a flagged month follows from the forecast, Logius is not held to the service levels of that month.",) if wrong else ()
    )
    return Judgement(_EXCUSED, about, Outcome.NOT_APPLICABLE, figure, len(months), (*lines, figure), notes)


def _signals(forecasts: Sequence[Figure], on: date) -> Iterator[Judgement]:
    """Compare what all Afnemers expect together with what a month holds at most, from the current month on."""
    together: dict[Month, int] = {}
    for item in _current(forecasts).values():
        if item.berichten is not None and item.month >= Month.of(on):
            together[item.month] = together.get(item.month, 0) + item.berichten
    if together:
        yield _signal(together)


def _current(forecasts: Iterable[Figure]) -> Mapping[tuple[str, Month], Figure]:
    """Return the last figure that was given for each Afnemer and month."""
    return {(item.afnemer, item.month): item for item in sorted(forecasts, key=lambda item: item.given or date.min) if item.berichten is not None}


def _signal(together: Mapping[Month, int]) -> Judgement:
    above = {month: berichten for month, berichten in sorted(together.items()) if berichten > min(room for _, room in _rooms(month))}
    lines = [
        f"{month}: {grouped(berichten)} berichten, more than {grouped(room)} = {sum_}"
        for month, berichten in above.items()
        for sum_, room in _rooms(month)
        if berichten > room
    ]
    figure = f"{len(above)} of {len(together)} months above the maximum"
    note = (
        "The Afnemers find a solution together, and Logius advises. A month that fits may still have days or hours that do not: a forecast has none."
    )
    return Judgement(_SIGNAL, "all Afnemers together", met(is_met=not above), figure, len(above), (*lines, figure), (note,))


def _rooms(month: Month) -> Iterator[tuple[str, int]]:
    """Yield the berichten that fit in a month by the norm of the day and by that of the hour, each with its sum."""
    days, hours = len(list(month.days())), month.length // HOUR
    day, hour = count(_PER_DAY, "berichten"), count(_PER_HOUR, "berichten")
    yield f"{days} days x {grouped(day)} ({_PER_DAY})", days * day
    yield f"{hours} hours x {grouped(hour)} ({_PER_HOUR})", hours * hour
