"""Judges a list of incidents (SNO-INC-01 to 05, 07 and 09 to 11): the priority from urgency and impact, the deadline, and the share of a month.

The month of an incident is the one in which it was resolved. The clock runs from the report on, and stands still for Logius while it waits for the
Afnemer, whose own clock runs then: the SNO holds the Afnemer to the same indicators, and this is our reading of how.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from conformance.norms import quantity, share
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, Month, add_kantooruren, kantooruren_between, month_of
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, met
from conformance.sno.shares import Period, Share, at_least, shortened
from conformance.sno.spans import HOUR, Span, cut, hours, in_order, merged, shown
from conformance.sno.tables import Problem, Row

_PRIO: Final[Mapping[int, str]] = {1: "SNO-INC-01", 2: "SNO-INC-02", 3: "SNO-INC-03"}
_ALL, _AFNEMER_PART, _AT_AFNEMER, _MATRIX = "SNO-INC-04", "SNO-INC-05", "SNO-INC-07", "SNO-INC-09"
_URGENCY, _IMPACT = "SNO-INC-10", "SNO-INC-11"
_KANTOORUREN: Final = "kantooruren"
_LEVELS: Final = ("hoog", "midden", "laag")
_PRIORITIES: Final = {"hoog": "1", "midden": "2", "laag": "3"}
_ENGLISH: Final = {"high": "hoog", "medium": "midden", "low": "laag"}
_DELAYS: Final = {"geen": "hoog", "beperkt": "midden", "mogelijk": "laag"}
_EFFECTS: Final = {"alle-gebruikers": "hoog", "beveiliging": "hoog", "koppelvlak": "midden", "burgers": "laag"}

COLUMNS: Final = (
    Column("id", Kind.TEXT, aliases=("incident", "nummer")),
    Column("gemeld", Kind.MOMENT, aliases=("reported",)),
    Column("opgelost", Kind.MOMENT, aliases=("resolved",), may_be_empty=True),
    Column("urgentie", Kind.CHOICE, aliases=("urgency",), choices=_LEVELS, synonyms=_ENGLISH),
    Column("impact", Kind.CHOICE, choices=_LEVELS, synonyms=_ENGLISH),
    Column("prioriteit", Kind.CHOICE, required=False, aliases=("prio", "priority"), choices=("1", "2", "3"), synonyms=_PRIORITIES),
    Column("bij", Kind.CHOICE, required=False, aliases=("party",), choices=("logius", "afnemer")),
    Column("wacht_van", Kind.MOMENT, required=False, aliases=("waiting_from",)),
    Column("wacht_tot", Kind.MOMENT, required=False, aliases=("waiting_until",)),
    Column("uitstel", Kind.CHOICE, required=False, aliases=("delay",), choices=tuple(_DELAYS)),
    Column("geraakt", Kind.CHOICE, required=False, aliases=("affected",), choices=tuple(_EFFECTS)),
)
"""A row an incident; a further row with the same id adds a further interval in which Logius waited for the Afnemer."""


class Party(StrEnum):
    """Who must resolve an incident."""

    LOGIUS = "logius"
    AFNEMER = "afnemer"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; moments are aware.

    ``resolved`` is ``None`` while it is open. ``recorded`` is the priority that its owner wrote down, ``waiting`` when it waited for the other party.
    ``delay`` says what urgency and ``affected`` what impact rests on, empty when the list does not tell.
    """

    id: str
    reported: datetime
    resolved: datetime | None
    urgency: str
    impact: str
    recorded: int | None = None
    party: Party = Party.LOGIUS
    waiting: tuple[Span, ...] = ()
    delay: str = ""
    affected: str = ""

    @property
    def waited(self) -> tuple[Span, ...]:
        """When it waited between its report and its end."""
        return cut(self.waiting, Span(self.reported, self.resolved)) if self.resolved else self.waiting

    @property
    def priority(self) -> int:
        """The priority that the matrix gives (SNO-INC-09)."""
        return int(quantity(_MATRIX, f"{self.urgency}_{self.impact}").value)


@dataclass(frozen=True, slots=True)
class Term:
    """How long resolving may take: a number of klokuren, or of kantooruren."""

    length: timedelta
    unit: str
    feestdagen: Feestdagen = FEESTDAGEN

    @classmethod
    def of(cls, priority: int, feestdagen: Feestdagen = FEESTDAGEN) -> "Term":
        """Return the term of a priority."""
        found = quantity(_PRIO[priority], "term")
        return cls(int(found.value) * HOUR, found.unit, feestdagen)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return how long the clock ran between two moments."""
        return kantooruren_between(start, end, self.feestdagen) if self.unit == _KANTOORUREN else max(timedelta(), end - start)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """Return when the clock has run so long."""
        return add_kantooruren(start, length, self.feestdagen) if self.unit == _KANTOORUREN else start + length

    def deadline(self, start: datetime, pauses: Iterable[Span]) -> datetime:
        """Return when the term ends for a clock that stands still in the pauses."""
        left = self.length
        for pause in merged(pauses):
            ran = self.between(start, pause.start)
            if left <= ran:
                break
            left, start = left - ran, max(start, pause.end)
        return self.after(start, left)

    def within(self, spans: Iterable[Span]) -> timedelta:
        """Return how long the clock runs inside spans."""
        return sum((self.between(span.start, span.end) for span in merged(spans)), timedelta())

    def __str__(self) -> str:
        return f"{hours(self.length)} {self.unit}"


def incidents(rows: Iterable[Row]) -> tuple[Incident, ...]:
    """Return the incidents of rows that :func:`check` found nothing wrong with: rows of one id are one incident."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row.text("id"), []).append(row)
    return tuple(_incident(group) for group in by_id.values())


def _incident(group: Sequence[Row]) -> Incident:
    row = group[0]
    return Incident(
        id=row.text("id"),
        reported=row.moment("gemeld"),
        resolved=row.moment("opgelost") if row.has("opgelost") else None,
        urgency=row.text("urgentie"),
        impact=row.text("impact"),
        recorded=int(row.text("prioriteit")) if row.has("prioriteit") else None,
        party=Party(row.text("bij") or Party.LOGIUS),
        waiting=tuple(Span(item.moment("wacht_van"), item.moment("wacht_tot")) for item in group if item.has("wacht_van")),
        delay=row.text("uitstel"),
        affected=row.text("geraakt"),
    )


class Check:
    """Finds what is wrong with rows that are right cell by cell; one for each file, for it remembers the ids."""

    def __init__(self) -> None:
        self._first: dict[str, Row] = {}

    def __call__(self, row: Row) -> Iterator[Problem]:
        """Yield what is wrong with a row."""
        yield from in_order(row, "gemeld", "opgelost")
        yield from in_order(row, "wacht_van", "wacht_tot")
        if row.has("wacht_van") != row.has("wacht_tot"):
            empty = "wacht_tot" if row.has("wacht_van") else "wacht_van"
            yield row.problem(empty, "both limits of the wait, or none", hint="while it still waits, write until when the list was made.")
        first = self._first.setdefault(row.text("id"), row)
        if first is not row:
            yield from self._as_first(first, row)

    @staticmethod
    def _as_first(first: Row, row: Row) -> Iterator[Problem]:
        names = [column.name for column in COLUMNS if not column.name.startswith("wacht_")]
        hint = "a further row of an incident adds a further wait, and is otherwise the same."
        for name in names:
            if row.values.get(name) != first.values.get(name):
                yield row.problem(name, f"what line {first.line} says of the same id", hint=hint)
        if not row.has("wacht_van"):
            yield row.problem("id", f"an id of its own, for it is that of line {first.line}", hint=hint)


def judge(items: Sequence[Incident], period: Period, at: datetime, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Judgement, ...]:
    """Return the judgements of every month and priority, and then those of the list as a whole; ``at`` is when the list was made."""
    monthly = [judgement for month in period.months for judgement in _month(items, month, period, at, feestdagen)]
    return (*monthly, _open(items, at, feestdagen), *_recomputed(items))


def months_of(items: Iterable[Incident]) -> Iterator[Month]:
    """Yield the months that incidents touch by their report or their end."""
    for item in items:
        yield month_of(item.reported)
        if item.resolved is not None:
            yield month_of(item.resolved)


def _month(items: Sequence[Incident], month: Month, period: Period, at: datetime, feestdagen: Feestdagen) -> Iterator[Judgement]:
    touched = any(item.reported < month.end and (item.resolved or max(at, item.reported)) >= month.start for item in items)
    resolved = [item for item in items if item.resolved is not None and month_of(item.resolved) == month]
    for priority, norm in _PRIO.items():
        term, about = Term.of(priority, feestdagen), f"{month} Prio {priority}"
        of_priority = [item for item in resolved if item.priority == priority]
        own = [item for item in of_priority if item.party is Party.LOGIUS]
        if own:
            yield _on_time(norm, about, own, term, share(norm, "share"))
        else:
            yield _silent(norm, about, period, is_touched=touched)
        waited = [item for item in own if item.waited]
        if waited:
            yield _parts(about, waited, term, share(norm, "share"))
        theirs = [item for item in of_priority if item.party is Party.AFNEMER]
        if theirs:
            yield _on_time(_AT_AFNEMER, about, theirs, term, share(norm, "share"))


def _silent(norm: str, about: str, period: Period, *, is_touched: bool) -> Judgement:
    if is_touched:
        return Judgement(norm, about, Outcome.NOT_APPLICABLE, "none resolved", arithmetic=("none of this priority was resolved in this month",))
    verdict, why = period.silence()
    return Judgement(norm, about, verdict, arithmetic=(why,))


def _on_time(norm: str, about: str, items: Sequence[Incident], term: Term, least: Fraction) -> Judgement:
    """Judge the share that was resolved within the term."""
    late = [item for item in items if _elapsed(item, term) > term.length]
    lines = shortened([*late, *(item for item in items if item not in late)], lambda item: _told(item, term), "incidents")
    return at_least(norm, about, Share(len(items) - len(late), len(items)), least, (*lines, f"resolved within {term}: {len(items) - len(late)}"))


def _elapsed(item: Incident, term: Term) -> timedelta:
    """Return how long the clock of who resolves it ran, up to the end of an incident that has one."""
    end = item.resolved or item.reported
    return term.between(item.reported, end) - term.within(item.waited)


def _told(item: Incident, term: Term) -> str:
    deadline, elapsed = term.deadline(item.reported, item.waited), _elapsed(item, term)
    outcome = "late" if elapsed > term.length else "on time"
    waits = f", waited {hours(term.within(item.waited))} {term.unit}" if item.waited else ""
    resolved = shown(item.resolved or item.reported)
    return f"{item.id}: reported {shown(item.reported)}{waits}, due {shown(deadline)}, resolved {resolved}: {hours(elapsed)} {term.unit}, {outcome}"


def _parts(about: str, items: Sequence[Incident], term: Term, least: Fraction) -> Judgement:
    """Judge the part of the Afnemer: how long Logius waited for it."""
    taken = {item.id: term.within(item.waited) for item in items}
    good = sum(length <= term.length for length in taken.values())
    lines = shortened(list(taken), lambda id_: f"{id_}: waited {hours(taken[id_])} {term.unit} for the Afnemer, at most {term}", "incidents")
    note = "Our reading: the clock of the Afnemer runs while Logius waits for it, and that of Logius stands still."
    return at_least(_AFNEMER_PART, about, Share(good, len(items)), least, lines, (note,))


def _open(items: Sequence[Incident], at: datetime, feestdagen: Feestdagen) -> Judgement:
    """List what is open: every incident is resolved in the end, and as the SNO gives no term, an open one misses nothing yet."""
    open_ = [item for item in items if item.resolved is None]
    if not items:
        return Judgement(_ALL, "the list", Outcome.NO_DATA, arithmetic=("the list holds no incident",))
    lines = shortened(sorted(open_, key=lambda item: item.reported), lambda item: _told_open(item, at, feestdagen), "open incidents")
    figure = f"{len(open_)} of {len(items)} open"
    return Judgement(_ALL, "the list", Outcome.NOT_APPLICABLE if open_ else Outcome.MET, figure, len(open_), (*lines, figure), _open_notes(open_))


def _open_notes(open_: Sequence[Incident]) -> tuple[str, ...]:
    return ("The SNO gives no term: what is open misses nothing yet. It counts in the month in which it is resolved.",) if open_ else ()


def _told_open(item: Incident, at: datetime, feestdagen: Feestdagen) -> str:
    deadline = Term.of(item.priority, feestdagen).deadline(item.reported, item.waited)
    state = "too late already" if deadline < at else "still in time"
    return f"{item.id}: Prio {item.priority}, open since {shown(item.reported)}, due {shown(deadline)}: {state} on {shown(at)}"


def _recomputed(items: Sequence[Incident]) -> Iterator[Judgement]:
    """Compare what the list says with what follows from it: the priority, the urgency and the impact."""
    priorities = [(item, str(item.recorded), str(item.priority), f"{item.urgency} x {item.impact}") for item in items if item.recorded is not None]
    yield _agreement(_MATRIX, "prioriteit", priorities)
    yield _agreement(_URGENCY, "urgentie", [(item, item.urgency, _DELAYS[item.delay], f"uitstel {item.delay}") for item in items if item.delay])
    yield _agreement(_IMPACT, "impact", [(item, item.impact, _EFFECTS[item.affected], f"geraakt {item.affected}") for item in items if item.affected])


def _agreement(norm: str, what: str, found: Sequence[tuple[Incident, str, str, str]]) -> Judgement:
    wrong = [entry for entry in found if entry[1] != entry[2]]
    if not found:
        return Judgement(norm, "the list", Outcome.NOT_APPLICABLE, arithmetic=(f"no row tells what its {what} can be compared with",))
    lines = shortened(wrong, lambda entry: f"{entry[0].id}: {what} {entry[1]} in the list, {entry[2]} by {entry[3]}", "incidents")
    figure = f"{len(found) - len(wrong)} of {len(found)} as computed"
    notes = ("The months above go by the computed priority.",) if wrong and norm == _MATRIX else ()
    return Judgement(norm, "the list", met(is_met=not wrong), figure, len(found) - len(wrong), (*lines, figure), notes)
