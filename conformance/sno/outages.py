"""The outage log: which service was down, from when until when, by what cause; and which period such a log covers.

A log of outages says nothing of the time in which nothing was down, unless somebody says that it covers it. Without that, it covers the months that
its rows touch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from conformance.sno.calendar import Month, at, month_of, months_between
from conformance.sno.cells import Column, Kind
from conformance.sno.spans import Span, cut, merged, shown
from conformance.sno.tables import Problem, Row, TablesError, read_table

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)


class Service(StrEnum):
    """What can be down. The SNO has 99 % for each."""

    PORTAAL = "portaal"
    AANLEVEREN = "aanleveren"
    VERWERKINGSBERICHTEN = "verwerkingsberichten"
    VALIDATIE = "validatie"
    ABONNEMENTEN = "abonnementen"
    PERSOONLIJKE_GEGEVENS = "persoonlijke-gegevens"
    AANGESLOTEN_SYSTEEM = "aangesloten-systeem"


BERICHTENBOX: Final = (Service.AANLEVEREN, Service.VERWERKINGSBERICHTEN, Service.VALIDATIE, Service.ABONNEMENTEN)
"""The services for the Afnemer: SNO-BES-03 announces a list and has none, so those that its footnotes name."""


class Cause(StrEnum):
    """Why something was down."""

    STORING = "storing"
    ONDERHOUD = "onderhoud"
    CALAMITEIT = "calamiteit"
    INTERNET = "internet"
    DIGID = "digid"
    DIGINETWERK = "diginetwerk"
    EXTERN = "extern"  # another component outside MijnOverheid
    AFNEMER = "afnemer"


OUTSIDE: Final = frozenset({Cause.INTERNET, Cause.DIGID, Cause.DIGINETWERK, Cause.EXTERN, Cause.AFNEMER})
"""The causes that SNO-BES-05 does not count."""
COLUMNS: Final = (
    Column("van", Kind.MOMENT, aliases=("start", "begin")),
    Column("tot", Kind.MOMENT, aliases=("end", "eind", "einde"), may_be_empty=True),
    Column(
        "dienst",
        Kind.CHOICE,
        aliases=("service",),
        choices=tuple(Service),
        synonyms={"validatieservice": Service.VALIDATIE, "abonnementservice": Service.ABONNEMENTEN, "abonnementsservice": Service.ABONNEMENTEN},
    ),
    Column(
        "oorzaak",
        Kind.CHOICE,
        required=False,
        aliases=("cause",),
        choices=tuple(Cause),
        synonyms={"fault": Cause.STORING, "maintenance": Cause.ONDERHOUD, "calamity": Cause.CALAMITEIT, "external": Cause.EXTERN},
    ),
    Column("gepland", Kind.YES_NO, required=False, aliases=("planned",)),
    Column("aangekondigd", Kind.DATE, required=False, aliases=("announced", "announced on")),
    Column("systeem", Kind.TEXT, required=False, aliases=("system",)),
)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What one availability is about: a service, and of connected systems which one."""

    service: Service
    system: str = ""

    def __str__(self) -> str:
        return f"{self.service} {self.system}".strip()


@dataclass(frozen=True, slots=True)
class Outage:
    """One row of the log. ``is_open`` says that it had no end, and that its span was ended where the log ends."""

    line: int
    series: Series
    span: Span
    cause: Cause | None = None
    is_planned: bool = False
    announced: date | None = None
    is_open: bool = False

    @property
    def is_outside(self) -> bool:
        """Whether its cause is not counted (SNO-BES-05): that of a connected system always is, for that clause is about the portaal."""
        return self.cause in OUTSIDE and self.series.service is not Service.AANGESLOTEN_SYSTEEM

    def __str__(self) -> str:
        words = [self.cause or "no cause given", *(["planned"] if self.is_planned else [])]
        end = f"{shown(self.span.end)}{' (no end given)' if self.is_open else ''}"
        return f"line {self.line}: {shown(self.span.start)} to {end}, {', '.join(words)}"


@dataclass(frozen=True, slots=True)
class Log:
    """The outages, and the spans of time that they cover; ``is_stated`` when somebody said so, and otherwise it is the months that rows touch."""

    outages: tuple[Outage, ...]
    covered: tuple[Span, ...]
    is_stated: bool = False

    @property
    def series(self) -> tuple[Series, ...]:
        """What the log is about."""
        return tuple(sorted({outage.series for outage in self.outages}))

    @property
    def months(self) -> tuple[Month, ...]:
        """The months from the first to the last that is covered, those between without data too."""
        if not self.covered:
            return ()
        return tuple(months_between(month_of(self.covered[0].start), month_of(self.covered[-1].end - _INSTANT)))


def read_log(path: Path, start: date | None = None, until: date | None = None) -> Log:
    """Return the log in a table; raises ``TablesError``.

    ``start`` and ``until`` are the first and the last date that it covers. A row without an end lasts until the end of what the log covers.
    """
    rows = read_table(path, COLUMNS, _check)
    covered = _covered(rows, start, until)
    end = covered[-1].end if covered else None
    problems = [_beyond(row, end) for row in rows if end is not None and not row.has("tot") and row.moment("van") >= end]
    if problems:
        raise TablesError(path, problems)
    outages = tuple(_outage(row, end) for row in rows)
    is_stated = start is not None or until is not None
    return Log(outages, covered if is_stated else _touched(outage.span for outage in outages), is_stated)


def _check(row: Row) -> list[Problem]:
    if row.has("tot") and row.moment("tot") <= row.moment("van"):
        return [row.problem("tot", "a moment after van, or nothing when it is not over")]
    return []


def _beyond(row: Row, end: datetime | None) -> Problem:
    until = shown(end) if end else ""
    return row.problem("van", f"a moment before {until}, where the period ends: the row has no end of its own")


def _covered(rows: Sequence[Row], start: date | None, until: date | None) -> tuple[Span, ...]:
    """Return the spans that are covered, as far as is known before rows without an end have one."""
    touched = _touched(_closed(row) for row in rows)
    first = at(start) if start else (touched[0].start if touched else None)
    last = at(until + _DAY) if until else (touched[-1].end if touched else None)
    if start is None and until is None:
        return touched
    return (Span(first, last),) if first is not None and last is not None and first < last else ()


def _closed(row: Row) -> Span:
    start = row.moment("van")
    return Span(start, row.moment("tot") if row.has("tot") else start + _INSTANT)


def _touched(spans: Iterable[Span]) -> tuple[Span, ...]:
    months = {month for span in spans for month in months_between(month_of(span.start), month_of(span.end - _INSTANT))}
    return merged(Span(month.start, month.end) for month in months)


def _outage(row: Row, end: datetime | None) -> Outage:
    service = Service(row.text("dienst"))
    cause = Cause(row.text("oorzaak")) if row.has("oorzaak") else None
    is_open = not row.has("tot")
    return Outage(
        row.line,
        Series(service, row.text("systeem") if service is Service.AANGESLOTEN_SYSTEEM else ""),
        Span(row.moment("van"), end if is_open and end is not None else _closed(row).end),
        cause,
        row.yes("gepland") if row.has("gepland") else cause is Cause.ONDERHOUD,
        row.date("aangekondigd") if row.has("aangekondigd") else None,
        is_open,
    )


def within(outages: Iterable[Outage], window: Span) -> tuple[Outage, ...]:
    """Return the outages with the part of each that lies in a window; those outside are left out."""
    return tuple(replace(outage, span=part) for outage in outages for part in cut([outage.span], window))
