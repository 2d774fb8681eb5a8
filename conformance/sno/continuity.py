"""Judges a calamity log: what was lost (SNO-OPS-02, SNO-CON-01), how long a restore took (SNO-OPS-03); and the age of back-ups (SNO-OPS-01)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from conformance.norms import duration
from conformance.sno.calendar import Month, month_of
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, decimal, met
from conformance.sno.shares import Period, counted
from conformance.sno.spans import DAY, HOUR, MINUTE, hours, in_order, in_units, shown
from conformance.sno.tables import Problem, Row

_RETENTION, _RESTORE = "SNO-OPS-01", "SNO-OPS-03"
_LOSS: Final = ("SNO-OPS-02", "SNO-CON-01")
_ELSEWHERE: Final = frozenset({"afnemer", "internet", "calamiteit"})

COLUMNS: Final = (
    Column("calamiteit", Kind.TEXT, aliases=("id", "calamity")),
    Column("begonnen", Kind.MOMENT, aliases=("started",)),
    Column("bewaard_tot", Kind.MOMENT, required=False, aliases=("kept_until", "herstelpunt")),
    Column("hersteld", Kind.MOMENT, aliases=("restored",), may_be_empty=True),
    Column("verloren", Kind.WHOLE, required=False, aliases=("lost",)),
    Column("oorzaak", Kind.CHOICE, required=False, aliases=("cause",), choices=("logius", *sorted(_ELSEWHERE))),
)
"""A row a calamity: when it began, up to which moment berichten were kept, when service was restored (empty: not yet), and how many were lost."""
BACKUPS: Final = (
    Column("backup", Kind.TEXT, aliases=("id", "back-up")),
    Column("gemaakt", Kind.MOMENT, aliases=("made",)),
    Column("gewist", Kind.MOMENT, aliases=("deleted",), may_be_empty=True),
)
"""A row a back-up: when it was made, and when it was deleted (empty: it is still there)."""


@dataclass(frozen=True, slots=True)
class Calamity:
    """One calamity; moments are aware, and ``None`` is what nobody wrote down or what has not happened yet."""

    name: str
    began: datetime
    kept_until: datetime | None = None
    restored: datetime | None = None
    lost: int | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Backup:
    """One back-up; ``deleted`` is ``None`` while it is kept."""

    name: str
    made: datetime
    deleted: datetime | None = None


def calamities(rows: Iterable[Row]) -> tuple[Calamity, ...]:
    """Return the calamities of rows that :func:`check` found nothing wrong with."""
    return tuple(
        Calamity(
            row.text("calamiteit"),
            row.moment("begonnen"),
            row.moment("bewaard_tot") if row.has("bewaard_tot") else None,
            row.moment("hersteld") if row.has("hersteld") else None,
            row.whole("verloren") if row.has("verloren") else None,
            row.text("oorzaak"),
        )
        for row in rows
    )


def backups(rows: Iterable[Row]) -> tuple[Backup, ...]:
    """Return the back-ups of rows that :func:`check_backup` found nothing wrong with."""
    return tuple(Backup(row.text("backup"), row.moment("gemaakt"), row.moment("gewist") if row.has("gewist") else None) for row in rows)


def check(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a calamity whose cells are right by themselves."""
    yield from in_order(row, "begonnen", "hersteld")
    if row.has("bewaard_tot") and row.moment("bewaard_tot") > row.moment("begonnen"):
        hint = "what was kept up to the calamity itself is kept until it began."
        yield row.problem("bewaard_tot", "a moment up to begonnen", hint=hint)


def check_backup(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with a back-up whose cells are right by themselves."""
    yield from in_order(row, "gemaakt", "gewist")


def months_of(items: Iterable[Calamity]) -> Iterator[Month]:
    """Yield the months in which a calamity began."""
    return (month_of(item.began) for item in items)


def judge(items: Sequence[Calamity], kept: Sequence[Backup] | None, period: Period, at: datetime) -> tuple[Judgement, ...]:
    """Return the judgements of each calamity in the period, and of the back-ups when they are given; ``at`` is when the log was made.

    A month without a calamity is not applicable when the log is said to cover it, and says nothing otherwise.
    """
    found: list[Judgement] = []
    for month in period.months:
        of_month = [item for item in items if month_of(item.began) == month]
        for item in of_month:
            found += [*_lost(item), _restored(item, at)]
        if not of_month:
            verdict, why = period.silence()
            found += [Judgement(norm, str(month), verdict, arithmetic=(why,)) for norm in (*_LOSS, _RESTORE)]
    if kept is not None:
        found.append(_retention(kept, at))
    return tuple(found)


def _lost(item: Calamity) -> Iterator[Judgement]:
    """Judge what was lost, for both norms that want it to be nothing."""
    for norm in _LOSS:
        most = duration(norm, "term")
        if item.kept_until is None and item.lost is None:
            why = ("nobody wrote down up to when berichten were kept, nor how many were lost",)
            yield Judgement(norm, item.name, Outcome.NO_DATA, arithmetic=why, notes=_notes(item))
            continue
        gap = None if item.kept_until is None else item.began - item.kept_until
        verdict = met(is_met=(gap is None or gap <= most) and not item.lost)
        figure = ", ".join(_losses(item, gap))
        lines = (*_loss_lines(item), f"{figure}; norm: at most {_minutes(most)}, no bericht lost: {verdict}")
        yield Judgement(norm, item.name, verdict, figure, None if gap is None else in_units(gap, MINUTE), lines, _notes(item))


def _losses(item: Calamity, gap: timedelta | None) -> Iterator[str]:
    if gap is not None:
        yield _minutes(gap)
    if item.lost is not None:
        yield f"{counted(item.lost, 'bericht', 'berichten')} lost"


def _loss_lines(item: Calamity) -> Iterator[str]:
    if item.kept_until is not None:
        yield f"began {shown(item.began)}, kept until {shown(item.kept_until)}"


def _minutes(length: timedelta) -> str:
    return f"{decimal(in_units(length, MINUTE))} minutes"


def _restored(item: Calamity, at: datetime) -> Judgement:
    """Judge how long it took; one that is not restored is decided once its term is over."""
    most = duration(_RESTORE, "term")
    end = item.restored or max(at, item.began)
    took = end - item.began
    told = f"restored {shown(end)}" if item.restored else f"not restored on {shown(end)}"
    verdict = met(is_met=took <= most) if item.restored or took > most else Outcome.NO_DATA
    line = f"began {shown(item.began)}, {told}: {hours(took)} h; norm: at most {hours(most)} h: {verdict}"
    return Judgement(_RESTORE, item.name, verdict, f"{hours(took)} h", in_units(took, HOUR), (line,), _notes(item))


def _notes(item: Calamity) -> tuple[str, ...]:
    """Return what follows from the cause: a claim may be excluded (SNO-CON-03), the figure stays."""
    if item.cause not in _ELSEWHERE:
        return ()
    return (f"The cause is {item.cause}: no claim can be based on it (SNO-CON-03). It counts in the figure.",)


def _retention(kept: Sequence[Backup], at: datetime) -> Judgement:
    """Judge whether each back-up that is gone, or is old enough, was kept long enough."""
    least = duration(_RETENTION, "term")
    decided = [item for item in kept if item.deleted is not None or at - item.made >= least]
    early = [item for item in decided if item.deleted is not None and item.deleted - item.made < least]
    young = len(kept) - len(decided)
    notes = (f"Younger than {least.days} days and still there, and so undecided: {counted(young, 'back-up')}.",) if young else ()
    if not decided:
        return Judgement(_RETENTION, "the back-ups", Outcome.NO_DATA, arithmetic=("no back-up is old enough, or was deleted",), notes=notes)
    lines = tuple(f"{item.name}: made {shown(item.made)}, deleted {shown(item.deleted or at)}: {_days(item, at)} days" for item in early)
    verdict = met(is_met=not early)
    shortest = min(decided, key=lambda item: (item.deleted or at) - item.made)
    last = f"{counted(len(decided), 'back-up')}, the shortest kept {_days(shortest, at)} days; norm: at least {least.days} days: {verdict}"
    figure = f"{len(decided) - len(early)} of {len(decided)} kept long enough"
    return Judgement(_RETENTION, "the back-ups", verdict, figure, len(decided) - len(early), (*lines, last), notes)


def _days(item: Backup, at: datetime) -> str:
    return decimal(in_units((item.deleted or at) - item.made, DAY))
