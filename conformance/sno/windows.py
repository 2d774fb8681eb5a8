"""The maintenance calendar (SNO-ONH-01 to 04), windows that were moved (SNO-ONH-13), and both as iCalendar.

Windows are on the Dutch clock and kept in UTC. The second Wednesday is not the Wednesday of the second week.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from icalendar import Calendar, Event

from conformance import norms
from conformance.sno.announcements import reckoned
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, Month, at, nth_weekday
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, met
from conformance.sno.nights import dutch
from conformance.sno.spans import Span, shown
from conformance.sno.tables import Problem, Row, TablesError, read_table

PORTAAL_TECHNISCH: Final = "SNO-ONH-01"
PORTAAL_FUNCTIONEEL: Final = "SNO-ONH-02"
PORTAAL_PREPRODUCTIE: Final = "SNO-ONH-03"
BERICHTENBOX: Final = "SNO-ONH-04"
MOVED: Final = "SNO-ONH-13"
_DAY: Final = timedelta(days=1)


class Environment(StrEnum):
    """The two environments that have maintenance."""

    PRODUCTIE = "productie"
    PREPRODUCTIE = "preproductie"


_IDS: Final[Mapping[Environment, tuple[str, ...]]] = {
    Environment.PRODUCTIE: (PORTAAL_TECHNISCH, PORTAAL_FUNCTIONEEL, BERICHTENBOX),
    Environment.PREPRODUCTIE: (PORTAAL_TECHNISCH, PORTAAL_PREPRODUCTIE, BERICHTENBOX),
}
_NAMES: Final = {
    PORTAAL_TECHNISCH: "Technisch onderhoud portaal",
    PORTAAL_FUNCTIONEEL: "Functioneel onderhoud portaal",
    PORTAAL_PREPRODUCTIE: "Functioneel onderhoud portaal",
    BERICHTENBOX: "Onderhoud Berichtenbox, zonder downtime",
}
MOVES: Final = (
    Column("norm", Kind.CHOICE, choices=tuple(_NAMES), synonyms={id_.removeprefix("SNO-"): id_ for id_ in _NAMES}),
    Column("datum", Kind.DATE, aliases=("date", "oorspronkelijk", "original")),
    Column("van", Kind.MOMENT, aliases=("start", "begin")),
    Column("tot", Kind.MOMENT, aliases=("end", "eind", "einde")),
    Column("aangekondigd", Kind.DATE, aliases=("announced", "announced on"), may_be_empty=True),
)


@dataclass(frozen=True, slots=True)
class Window:
    """One window of maintenance: the norm that gives it, when, and on which date the regular one was, when it was moved."""

    norm: str
    span: Span
    moved_from: date | None = None

    @property
    def name(self) -> str:
        """What happens in it, in Dutch."""
        return _NAMES[self.norm]

    @property
    def is_of_the_portaal(self) -> bool:
        """Whether the portaal may be down in it; the Berichtenbox may not be down in its own."""
        return self.norm != BERICHTENBOX

    @property
    def day(self) -> date:
        """The Dutch date on which it starts."""
        return dutch(self.span.start).date()

    def __str__(self) -> str:
        moved = f", moved from {self.moved_from}" if self.moved_from else ""
        return f"{self.norm}, {shown(self.span.start)} to {shown(self.span.end)}{moved}"


@dataclass(frozen=True, slots=True)
class Move:
    """One regular window that was moved: to when, and on which date that was announced (``None``: never)."""

    regular: Window
    span: Span
    announced: date | None
    is_in_time: bool
    reckoning: str

    @property
    def window(self) -> Window:
        """The new window, as long as the regular one at most: what takes longer is an overrun."""
        end = min(self.span.end, self.span.start + self.regular.span.length)
        return Window(self.regular.norm, Span(self.span.start, end), self.regular.day)

    @property
    def is_longer(self) -> bool:
        """Whether it was planned longer than the regular window."""
        return self.span.length > self.regular.span.length

    @property
    def notes(self) -> tuple[str, ...]:
        """What is counted although it was announced."""
        longer = f"planned for longer than the regular window: what lies after {shown(self.window.span.end)} is counted"
        return (longer,) if self.is_longer else ()


def regular(norm: str, month: Month) -> Window:
    """Return the window that a norm gives in a month."""
    numbers = {name: norms.count(norm, name) for name in ("nth", "weekday", "from", "until")}
    day = nth_weekday(month, numbers["weekday"] - 1, numbers["nth"])  # the norms count Monday as 1
    until = day if numbers["until"] > numbers["from"] else day + _DAY
    return Window(norm, Span(at(day, time(numbers["from"])), at(until, time(numbers["until"]))))


def windows_of(months: Iterable[Month], environment: Environment = Environment.PRODUCTIE, moves: Sequence[Move] = ()) -> tuple[Window, ...]:
    """Return the windows that start in some months, the earliest first: moved ones where they went, when that was announced in time."""
    wanted = set(months)
    valid = [move for move in moves if move.is_in_time]
    gone = {(move.regular.norm, move.regular.day) for move in valid}
    kept = [window for month in wanted for id_ in _IDS[environment] if ((window := regular(id_, month)).norm, window.day) not in gone]
    arrived = [move.window for move in valid if move.regular.norm in _IDS[environment] and Month.of(move.window.day) in wanted]
    return tuple(sorted([*kept, *arrived], key=lambda window: (window.span, window.norm)))


def read_moves(path: Path, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Move, ...]:
    """Return the windows that a table says were moved; raises ``TablesError``, also for one that moves what is no regular window, or one twice."""
    rows = read_table(path, MOVES, _check)
    moves = [_move(row, feestdagen) for row in rows]
    seen: set[tuple[str, date]] = set()
    problems: list[Problem] = []
    for row, move in zip(rows, moves, strict=True):
        key = (move.regular.norm, move.regular.day)
        if key in seen:
            problems.append(row.problem("datum", "each window once: an earlier row moves it too"))
        seen.add(key)
    if problems:
        raise TablesError(path, problems)
    return tuple(moves)


def judged(moves: Iterable[Move]) -> tuple[Judgement, ...]:
    """Judge whether each move was announced in time: only then is its maintenance not counted (SNO-ONH-13)."""
    return tuple(_judged(move) for move in moves)


def as_icalendar(windows: Iterable[Window], environment: Environment) -> bytes:
    """Return windows as iCalendar (RFC 5545), in UTC so that it needs no time zones of its own; the same windows give the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", "-//berichtenbox-conformance//sno windows//NL")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"Onderhoud MijnOverheid ({environment})")
    for window in windows:
        calendar.add_component(_event(window, environment))
    return bytes(calendar.to_ical())


def _check(row: Row) -> list[Problem]:
    problems = []
    if row.moment("tot") <= row.moment("van"):
        problems.append(row.problem("tot", "a moment after van"))
    day, id_ = row.date("datum"), row.text("norm")
    window = regular(id_, Month.of(day))
    if window.day != day:
        problems.append(row.problem("datum", f"the date of a regular window of {id_}", hint=f"in {Month.of(day)} that is {window.day}."))
    return problems


def _move(row: Row, feestdagen: Feestdagen) -> Move:
    window = regular(row.text("norm"), Month.of(row.date("datum")))
    span = Span(row.moment("van"), row.moment("tot"))
    if not row.has("aangekondigd"):
        return Move(window, span, None, is_in_time=False, reckoning="never announced")
    announced = row.date("aangekondigd")
    is_in_time, reckoning = reckoned(announced, dutch(span.start).date(), norms.quantity(MOVED, "term"), feestdagen)
    return Move(window, span, announced, is_in_time, reckoning)


def _judged(move: Move) -> Judgement:
    about = f"{move.regular.norm} of {move.regular.day}, moved to {shown(move.span.start)}"
    figure = "its maintenance is not counted" if move.is_in_time else "its maintenance is counted"
    return Judgement(MOVED, about, met(is_met=move.is_in_time), figure, arithmetic=(move.reckoning,), notes=move.notes, rests_on=(move.regular.norm,))


def _event(window: Window, environment: Environment) -> Event:
    cited = norms.norm(window.norm)
    event = Event()
    event.add("uid", f"{window.norm.lower()}-{window.moved_from or window.day}-{environment}@berichtenbox-conformance")
    event.add("dtstamp", datetime.combine(norms.day("SNO-ALG-01", "from"), time(), UTC))  # when the SNO said so
    event.add("dtstart", window.span.start)
    event.add("dtend", window.span.end)
    event.add("summary", f"{window.name} ({environment})")
    moved = f" Verplaatst van {window.moved_from}." if window.moved_from else ""
    event.add("description", f"{cited.title_nl}{moved} {cited.id}, {cited.source}.")
    if window.moved_from:
        event.add("sequence", 1)  # the same event for a calendar that holds the regular one
    event.add("transp", "TRANSPARENT")
    return event
