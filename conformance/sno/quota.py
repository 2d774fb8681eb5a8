"""Judges a list of requests against the quotas of the abonnementservices (SNO-ABO-02 to 05) and of the validatieservice (SNO-VAL-01).

The quotas are those of all Afnemers together; the share of each is told, for nobody can be failed alone on a joint norm. Counting itself is done in
``quotas``, as the simulated Berichtenbox does it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from conformance.messages.abonnement import Soort
from conformance.norms import count
from conformance.sno.calendar import Month, month_of
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, met
from conformance.sno.nights import dutch, night_of
from conformance.sno.quotas import SOORTEN, VALIDATIE, Count, HourUse, NightUse, Shares, outside, per_hour, per_night, quota_of
from conformance.sno.shares import Period, counted, grouped, shortened
from conformance.sno.spans import shown
from conformance.sno.tables import Problem, Row

_NIGHT, _HOUR = "SNO-ABO-02", "SNO-VAL-01"
_NORMS: Final[Mapping[str, str]] = {Soort.ALLES: "SNO-ABO-03", Soort.BSN_LIJST: "SNO-ABO-04", Soort.MUTATIES: "SNO-ABO-05"}
_BSNS: Final = ("SNO-VAL-02", "bsns")

COLUMNS: Final = (
    Column("moment", Kind.MOMENT, aliases=("tijdstip", "ontvangen")),
    Column("soort", Kind.CHOICE, aliases=("kind",), choices=tuple(SOORTEN), synonyms={"mutatiebasis": Soort.MUTATIES}),
    Column("oin", Kind.TEXT, aliases=("afnemer",)),
    Column("bsns", Kind.WHOLE, required=False, aliases=("aantal_bsns",)),
)
"""A row a request: when, which, whose, and how many BSNs it asked about. The BSNs themselves have no place in it."""


def requests(rows: Iterable[Row]) -> tuple[Count, ...]:
    """Return the requests of rows that :func:`check` found nothing wrong with."""
    return tuple(Count(row.text("soort"), row.text("oin"), row.moment("moment"), row.whole("bsns") if row.has("bsns") else 0) for row in rows)


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a request whose cells are right by themselves."""
    if row.text("soort") == VALIDATIE and not row.values.get("bsns"):
        yield row.problem("bsns", "how many BSNs a bevraging asked about, at least 1", str(row.values.get("bsns", "")))


def months_of(items: Iterable[Count]) -> Iterator[Month]:
    """Yield the months of requests; a night belongs to the month in which it starts."""
    for item in items:
        night = None if item.soort == VALIDATIE else night_of(item.moment)
        yield Month.of(night.date) if night else month_of(item.moment)


def judge(items: Sequence[Count], period: Period) -> tuple[Judgement, ...]:
    """Return the judgement of each soort that was asked in each night, of the busiest hour of each day, and of what was asked by day."""
    months = frozenset(period.months)
    judged = [item for item, month in zip(items, months_of(items), strict=True) if month in months]
    touched = set(months_of(judged))
    found = [judgement for use in per_night(judged).values() for judgement in _night(use)]
    found += _by_day(judged)
    found += _hours(judged)
    for month in period.months:
        if month not in touched:
            verdict, why = period.silence()
            found += [Judgement(norm, str(month), verdict, arithmetic=(why,)) for norm in (*_NORMS.values(), _HOUR)]
    return tuple(found)


def _night(use: NightUse) -> Iterator[Judgement]:
    hours = (use.night.end - use.night.start).total_seconds() / 3600
    notes = (f"The clock changed: this night had {hours:.0f} hours.",) if hours != count(_NIGHT, "length") else ()
    for soort, norm in _NORMS.items():
        if soort in use.shares:
            total, most = use.totals[soort], quota_of(soort)
            verdict = met(is_met=total <= most)
            lines = (*_shares(use.shares[soort]), f"{counted(total, 'request')} for {soort}; norm: at most {grouped(most)} a night: {verdict}")
            yield Judgement(norm, str(use.night), verdict, counted(total, "request"), total, lines, notes)


def _shares(shares: Shares) -> tuple[str, ...]:
    by_size = sorted(shares.items(), key=lambda entry: (-entry[1], entry[0]))
    return shortened(by_size, lambda entry: f"{entry[0]}: {grouped(entry[1])}", "Afnemers")


def _by_day(items: Sequence[Count]) -> Iterator[Judgement]:
    """Tell what was asked outside the night: the norm says when requests belong, and not that others are refused."""
    asked = [item for item in items if item.soort != VALIDATIE]
    if not asked:
        return
    found = outside(asked)
    lines = shortened(found, lambda item: f"{shown(item.moment)}: {item.soort} of {item.oin}, by day", "requests")
    figure = f"{grouped(len(found))} of {grouped(len(asked))} requests by day"
    notes = ("Warning: what is asked by day counts in no night; the SNO does not say what happens to it.",) if found else ()
    yield Judgement(_NIGHT, "all nights", Outcome.NOT_APPLICABLE if found else Outcome.MET, figure, len(found), (*lines, figure), notes)


def _hours(items: Sequence[Count]) -> Iterator[Judgement]:
    """Judge the busiest clock hour of each day on which the validatieservice was asked."""
    by_day: defaultdict[date, list[HourUse]] = defaultdict(list)
    for use in per_hour(items).values():
        by_day[dutch(use.start).date()].append(use)
    small = _small(items)
    for day, uses in sorted(by_day.items()):
        yield _day(day, uses, small.get(day, ()))


def _day(day: date, uses: Sequence[HourUse], small: Sequence[str]) -> Judgement:
    busiest = max(uses, key=lambda use: use.total)
    above = [line for use in uses for line in use.told()]
    verdict = met(is_met=not above)
    last = f"busiest: hour from {shown(busiest.start)}, {_bevragingen(busiest.total)}; norm: at most {grouped(quota_of(VALIDATIE))}: {verdict}"
    notes = (*(line for use in uses for line in use.noted()), *small)
    lines = (*above, *_shares(busiest.shares), last)
    return Judgement(_HOUR, str(day), verdict, f"{_bevragingen(busiest.total)} in an hour", busiest.total, lines, notes)


def _bevragingen(number: int) -> str:
    return counted(number, "bevraging", "bevragingen")


def _small(items: Iterable[Count]) -> Mapping[date, Sequence[str]]:
    """Return a warning for each Afnemer and hour in which it asked about one BSN at a time, and one bevraging would have done."""
    hours: defaultdict[tuple[datetime, str], list[int]] = defaultdict(list)
    for item in items:
        if item.soort == VALIDATIE:
            hours[item.moment.replace(minute=0, second=0, microsecond=0), item.oin].append(item.bsns)
    found: defaultdict[date, list[str]] = defaultdict(list)
    for (hour, oin), bsns in sorted(hours.items()):
        if len(bsns) > 1 and max(bsns) == 1:
            fewer = -(-len(bsns) // count(*_BSNS))
            told = f"{oin} asked {grouped(len(bsns))} times about one BSN in the hour from {shown(hour)}: {fewer} of {count(*_BSNS)} would do."
            found[dutch(hour).date()].append(told)
    return found
