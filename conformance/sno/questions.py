"""Judges how soon questions and complaints are answered: those of Afnemers (SNO-VRG-01), and those of citizens by e-mail or post (SNO-BUR-07).

A question belongs to the month in which it came, so that one that is never answered counts; the SNO does not say. The day on which it came is day 0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Final

from conformance.norms import count, share
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, Month, month_of, werkdagen_after
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome
from conformance.sno.nights import dutch
from conformance.sno.shares import Period, Share, at_least, shortened
from conformance.sno.spans import in_order, shown
from conformance.sno.tables import Problem, Row


class Group(StrEnum):
    """Who asked."""

    AFNEMER = "afnemer"
    BURGER = "burger"


_NORMS: Final[Mapping[Group, str]] = {Group.AFNEMER: "SNO-VRG-01", Group.BURGER: "SNO-BUR-07"}

COLUMNS: Final = (
    Column("id", Kind.TEXT, aliases=("vraag", "ticket", "nummer")),
    Column("van", Kind.CHOICE, aliases=("from",), choices=tuple(Group), synonyms={"citizen": "burger", "gebruiker": "burger"}),
    Column("ontvangen", Kind.MOMENT, aliases=("received",)),
    Column("beantwoord", Kind.MOMENT, aliases=("answered",), may_be_empty=True),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question or complaint; moments are aware, ``answered`` is ``None`` while it is open."""

    id: str
    group: Group
    received: datetime
    answered: datetime | None = None

    def due(self, feestdagen: Feestdagen = FEESTDAGEN) -> date:
        """Return the last day on which its answer is in time."""
        return werkdagen_after(dutch(self.received).date(), count(_NORMS[self.group], "term"), feestdagen)


def questions(rows: Iterable[Row]) -> tuple[Question, ...]:
    """Return the questions of rows that :func:`check` found nothing wrong with."""
    return tuple(
        Question(row.text("id"), Group(row.text("van")), row.moment("ontvangen"), row.moment("beantwoord") if row.has("beantwoord") else None)
        for row in rows
    )


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a row whose cells are right by themselves."""
    yield from in_order(row, "ontvangen", "beantwoord")


def months_of(items: Iterable[Question]) -> Iterator[Month]:
    """Yield the months in which questions came."""
    return (month_of(item.received) for item in items)


def judge(items: Sequence[Question], period: Period, at: datetime, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Judgement, ...]:
    """Return the judgements of each group of which there are questions (of Afnemers when there are none): every month, and what is open.

    ``at`` is when the list was made: what was open then and could still be in time decides nothing.
    """
    groups = [group for group in Group if any(item.group is group for item in items)] or [Group.AFNEMER]
    return tuple(judgement for group in groups for judgement in _group(group, items, period, at, feestdagen))


def _group(group: Group, items: Sequence[Question], period: Period, at: datetime, feestdagen: Feestdagen) -> Iterator[Judgement]:
    asked = [item for item in items if item.group is group]
    for month in period.months:
        of_month = [item for item in asked if month_of(item.received) == month]
        if of_month:
            yield _month(_NORMS[group], month, of_month, at, feestdagen)
        else:
            verdict, why = period.silence()
            yield Judgement(_NORMS[group], str(month), verdict, arithmetic=(why,))
    if group is Group.AFNEMER:
        yield _all_answered(asked)


def _month(norm: str, month: Month, items: Sequence[Question], at: datetime, feestdagen: Feestdagen) -> Judgement:
    """Judge a month; while open questions could still turn the outcome, there is none."""
    today = dutch(at).date()
    late = [item for item in items if (dutch(item.answered).date() if item.answered else today) > item.due(feestdagen)]
    pending = [item for item in items if not item.answered and item not in late]
    least, good = share(norm, "share"), len(items) - len(late) - len(pending)
    lines = shortened([*late, *pending], lambda item: _told(item, feestdagen, is_late=item in late), "questions")
    lines = (*lines, f"{len(items)} received, {good} answered within {count(norm, 'term')} werkdagen")
    worst = at_least(norm, str(month), Share(good, len(items)), least, lines)
    best = Fraction(good + len(pending), len(items))
    if best >= least and worst.verdict is Outcome.MISSED:
        why = f"{Share(good + len(pending), len(items))} when the {len(pending)} open ones are answered in time: undecided on {today}"
        return Judgement(norm, str(month), Outcome.NO_DATA, f"{len(pending)} of {len(items)} undecided", arithmetic=(*worst.arithmetic[:-1], why))
    return worst


def _told(item: Question, feestdagen: Feestdagen, *, is_late: bool) -> str:
    answered = f"answered {shown(item.answered)}" if item.answered else "not answered"
    return f"{item.id}: received {shown(item.received)}, due {item.due(feestdagen)}, {answered}: {'late' if is_late else 'open'}"


def _all_answered(asked: Sequence[Question]) -> Judgement:
    """Say whether all are answered in the end: without a term, an open one misses nothing yet."""
    open_ = [item for item in asked if item.answered is None]
    norm = _NORMS[Group.AFNEMER]
    if not asked:
        return Judgement(norm, "all are answered", Outcome.NO_DATA, arithmetic=("the list holds no question",))
    lines = shortened(open_, lambda item: f"{item.id}: received {shown(item.received)}, not answered", "open questions")
    figure = f"{len(open_)} of {len(asked)} open"
    notes = ("The SNO gives no term for the last answer: what is open misses nothing yet.",) if open_ else ()
    return Judgement(norm, "all are answered", Outcome.NOT_APPLICABLE if open_ else Outcome.MET, figure, len(open_), (*lines, figure), notes)
