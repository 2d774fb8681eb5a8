"""Announcements of maintenance and changes, held to their terms (SNO-ONH-06, 08, 09, 10, 13 and 14): werkdagen and calendar months before the start.

The SNO does not say whether the day of the announcement or that of the start counts. Read here: the day of the announcement is day 0, so five
werkdagen before means that the start is the fifth werkdag after it, or later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from conformance.norms import Number, quantity
from conformance.sno.calendar import FEESTDAGEN, Feestdagen, add_months, is_werkdag, werkdagen_after, werkdagen_between
from conformance.sno.cells import Column, Kind
from conformance.sno.judgement import Judgement, Outcome, met
from conformance.sno.tables import Row, read_table

_MONTHS: Final = "maanden"
_WERKDAGEN: Final = "werkdagen"
_STANDARD: Final = "standaard"
_OF_THE_AFNEMER: Final = "afnemer-standaard"
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    _STANDARD: ("SNO-ONH-06", "term"),
    "wijziging": ("SNO-ONH-08", "term"),
    "certificaten": ("SNO-ONH-09", "term"),
    "afnemer-wijziging": ("SNO-ONH-10", "term"),
    "afnemer-certificaten": ("SNO-ONH-10", "term_certificates"),
    _OF_THE_AFNEMER: ("SNO-ONH-10", ""),
    "verplaatst": ("SNO-ONH-13", "term"),
    "persoonlijke-gegevens": ("SNO-ONH-14", "term"),
}
"""What is announced, with the norm and the number of it that hold for it; the last but two has no term of its own."""
_ENGLISH: Final = {
    "standard": _STANDARD,
    "change": "wijziging",
    "certificates": "certificaten",
    "afnemer-change": "afnemer-wijziging",
    "afnemer-certificates": "afnemer-certificaten",
    "afnemer-standard": _OF_THE_AFNEMER,
    "moved": "verplaatst",
}
COLUMNS: Final = (
    Column("soort", Kind.CHOICE, aliases=("kind",), choices=tuple(KINDS), synonyms=_ENGLISH),
    Column("aangekondigd", Kind.DATE, aliases=("announced", "announced on"), may_be_empty=True),
    Column("start", Kind.DATE, aliases=("van", "begin")),
    Column("omschrijving", Kind.TEXT, required=False, aliases=("description", "onderwerp")),
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement: what it is about, on which date it was made (``None``: never), and when the work starts."""

    line: int
    kind: str
    announced: date | None
    start: date
    description: str = ""

    @property
    def about(self) -> str:
        """What it is called in a judgement."""
        described = f" ({self.description})" if self.description else ""
        return f"line {self.line}, {self.kind} of {self.start}{described}"


def read_announcements(path: Path) -> tuple[Announcement, ...]:
    """Return the announcements in a table; raises ``TablesError``."""
    return tuple(_announcement(row) for row in read_table(path, COLUMNS))


def announcements(items: Iterable[Announcement], feestdagen: Feestdagen = FEESTDAGEN) -> tuple[Judgement, ...]:
    """Judge each announcement by the term of its kind."""
    return tuple(_judged(item, feestdagen) for item in items)


def earliest_start(announced: date, term: Number, feestdagen: Feestdagen = FEESTDAGEN) -> date:
    """Return the first date on which work may start that was announced on a date; raises ``ValueError`` for a term of another unit."""
    if term.unit == _WERKDAGEN:
        return werkdagen_after(announced, int(term.value), feestdagen)
    if term.unit == _MONTHS:
        return add_months(announced, int(term.value))
    raise ValueError(f"{term} is no term of an announcement")


def reckoned(announced: date, start: date, term: Number, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[bool, str]:
    """Return whether a term was kept, with the sum as a sentence."""
    earliest = earliest_start(announced, term, feestdagen)
    is_kept = start >= earliest
    by_day = term.unit == _WERKDAGEN
    between = f", {werkdagen_between(announced, start, feestdagen)} werkdagen after it" if by_day else ""
    off = " (no werkdag)" if by_day and not is_werkdag(announced, feestdagen) else ""
    compared = "not before" if is_kept else "before"
    return is_kept, f"announced {announced}{off} + {told(term)} = {earliest}; the start is {start}{between}: {compared} {earliest}"


def told(term: Number) -> str:
    """Return a term as people write it: of one month, not of one months."""
    return f"{term.value} maand" if term.unit == _MONTHS and term.value == 1 else str(term)


def _announcement(row: Row) -> Announcement:
    announced = row.date("aangekondigd") if row.has("aangekondigd") else None
    return Announcement(row.line, row.text("soort"), announced, row.date("start"), row.text("omschrijving"))


def _judged(item: Announcement, feestdagen: Feestdagen) -> Judgement:
    id_, name = KINDS[item.kind]
    if not name:
        return _noted(item, id_, feestdagen)
    term = quantity(id_, name)
    if item.announced is None:
        return Judgement(
            id_, item.about, Outcome.MISSED, "never announced", arithmetic=(f"no date of an announcement; at least {told(term)} before",)
        )
    is_kept, line = reckoned(item.announced, item.start, term, feestdagen)
    return Judgement(id_, item.about, met(is_met=is_kept), _figure(item.announced, item.start, term, feestdagen), arithmetic=(line,))


def _figure(announced: date, start: date, term: Number, feestdagen: Feestdagen) -> str:
    if term.unit == _WERKDAGEN:
        return f"{werkdagen_between(announced, start, feestdagen)} werkdagen before"
    return f"{(start - announced).days} days before"


def _noted(item: Announcement, id_: str, feestdagen: Feestdagen) -> Judgement:
    """Say whether the term of standard maintenance was kept: whether "the same terms" means that one too, is not clear."""
    term = quantity(*KINDS[_STANDARD])
    unclear = "whether « dezelfde termijnen » holds for standard maintenance of the Afnemer as well is not clear, so that there is no verdict"
    if item.announced is None:
        return Judgement(id_, item.about, Outcome.NOT_APPLICABLE, "never announced", notes=(unclear,))
    is_kept, line = reckoned(item.announced, item.start, term, feestdagen)
    figure = _figure(item.announced, item.start, term, feestdagen)
    by_it = f"by {KINDS[_STANDARD][0]} ({told(term)}) it would be {met(is_met=is_kept)}"
    return Judgement(id_, item.about, Outcome.NOT_APPLICABLE, figure, arithmetic=(line,), notes=(unclear, by_it))
