"""What may stand in a cell of supplied data, and what it means. One text has one meaning: what could be read in two ways is refused, and says why."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Final

from conformance.sno.nights import NL

Value = datetime | date | int | Fraction | bool | str

_DATE: Final = r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)|(?P<nl_day>\d\d?)-(?P<nl_month>\d\d?)-(?P<nl_year>\d{4}))"
_CLOCK: Final = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,6})\d*)?)?"
_ZONE: Final = r"(?P<zone>Z|z|[+-](?:0\d|1[0-4]):?[0-5]\d)?"
_DAY_TEXT: Final = re.compile(_DATE, re.ASCII)
_MOMENT_TEXT: Final = re.compile(rf"{_DATE}(?:T| +){_CLOCK} ?{_ZONE}", re.ASCII)
_WHOLE_TEXT: Final = re.compile(r"\d{1,15}", re.ASCII)
_DECIMAL_TEXT: Final = re.compile(r"(\d{1,15})(?:[.,](\d{1,15}))?", re.ASCII)
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+", re.ASCII)
_YEARS: Final = range(2000, 2100)  # nothing of MijnOverheid is older, and a year outside is a slip
_YES: Final = frozenset({"ja", "j", "yes", "y", "true", "waar", "1"})
_NO: Final = frozenset({"nee", "n", "no", "false", "onwaar", "0"})
_MIDNIGHT_AT_THE_END: Final = 24
_DAY: Final = timedelta(days=1)


class Kind(StrEnum):
    """What a column holds."""

    MOMENT = "moment"
    DATE = "date"
    WHOLE = "whole number"
    DECIMAL = "decimal number"
    YES_NO = "yes or no"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it holds, and other names under which people have it.

    A column that is not ``required`` may be absent, and its cells may be empty; of one that is, each row has a value, unless ``may_be_empty``. A
    ``choice`` has its ``choices``, and ``synonyms`` of them.
    """

    name: str
    kind: Kind
    required: bool = True
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict)
    may_be_empty: bool = False

    @property
    def takes_nothing(self) -> bool:
        """Whether a cell may be empty."""
        return self.may_be_empty or not self.required

    @property
    def expected(self) -> str:
        """What a cell must hold, for people."""
        return f"one of {', '.join(self.choices)}" if self.kind is Kind.CHOICE else _EXPECTED[self.kind]

    def read(self, text: str) -> Value:
        """Return what a cell means that is not empty; raises ``CellError``."""
        if self.kind is Kind.CHOICE:
            return self._chosen(text)
        return _READERS[self.kind](text)

    def _chosen(self, text: str) -> str:
        if text in self.choices:
            return text  # as nearly all of the rows of a large file have it
        known = {normal(choice): choice for choice in self.choices} | {normal(other): choice for other, choice in self.synonyms.items()}
        chosen = known.get(normal(text))
        if chosen is None:
            raise CellError(hint=near(normal(text), list(known)))
        return chosen


class CellError(ValueError):
    """A cell does not hold what its column wants; ``why`` and ``hint`` may be empty."""

    def __init__(self, why: str = "", hint: str = "") -> None:
        """Say why, and what to do about it."""
        self.why, self.hint = why, hint
        super().__init__(why or "is something else")


@lru_cache(maxsize=1024)
def normal(name: str) -> str:
    """Return a name as it is compared: without a difference between capitals, or between a blank, a dash and an underscore."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def near(unknown: str, known: Sequence[str], otherwise: str = "") -> str:
    """Return a hint that names the known words that look like an unknown one, or else another hint."""
    found = difflib.get_close_matches(unknown, known, n=2)
    return f"did you mean {' or '.join(found)}?" if found else otherwise


def read_date(text: str) -> date:
    """Return the date that ``2026-03-01`` or ``1-3-2026`` writes; raises ``CellError``."""
    found = _DAY_TEXT.fullmatch(text)
    if found is None:
        raise CellError
    return _date(found)


def read_moment(text: str) -> datetime:
    """Return, in UTC, the moment that a text writes: a date with a time, and a zone or else the Dutch clock; raises ``CellError``."""
    found = _MOMENT_TEXT.fullmatch(text)
    if found is None:
        raise CellError
    local = _wall_clock(found)
    if found["zone"]:
        return local.replace(tzinfo=UTC) - _offset(found["zone"])
    return _on_the_dutch_clock(local)


def _date(found: re.Match[str]) -> date:
    parts = [found[name] or found[f"nl_{name}"] for name in ("year", "month", "day")]
    year, month, day = map(int, parts)
    if year not in _YEARS:
        raise CellError(f"the year {year} is not between {_YEARS[0]} and {_YEARS[-1]}")
    try:
        return date(year, month, day)
    except ValueError:
        raise CellError("no calendar has this date") from None


def _wall_clock(found: re.Match[str]) -> datetime:
    day, hour, minute, second = _date(found), int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    microsecond = int((found["fraction"] or "").ljust(6, "0"))
    ends_the_day = (hour, minute, second, microsecond) == (_MIDNIGHT_AT_THE_END, 0, 0, 0)
    try:
        local = datetime(day.year, day.month, day.day, 0 if ends_the_day else hour, minute, second, microsecond)  # noqa: DTZ001  # a wall clock
    except ValueError:
        raise CellError("no clock shows this time") from None
    return local + _DAY if ends_the_day else local


def _offset(zone: str) -> timedelta:
    if zone in {"Z", "z"}:
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))


def _on_the_dutch_clock(local: datetime) -> datetime:
    """Return the one moment at which the Dutch clock shows a time; raises ``CellError`` when there are two, or none."""
    first, second = (local.replace(tzinfo=NL, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    shifted = first.astimezone(UTC).astimezone(NL)
    if shifted.replace(tzinfo=None) != local:
        raise CellError("the Dutch clock never showed this time: it went forward past it", f"did you mean {shifted.isoformat()}?")
    both = " or ".join(moment.isoformat() for moment in (first, second))
    raise CellError("the Dutch clock showed this time twice: it went back", f"write the zone: {both}.")


def _read_whole(text: str) -> int:
    if _WHOLE_TEXT.fullmatch(text):
        return int(text)
    raise CellError(hint="write thousands without a mark." if _THOUSANDS.fullmatch(text) else "")


def _read_decimal(text: str) -> Fraction:
    if _THOUSANDS.fullmatch(text):
        raise CellError("this can be read as thousands too", "write thousands without a mark, and not three decimals.")
    found = _DECIMAL_TEXT.fullmatch(text)
    if found is None:
        raise CellError
    return Fraction(int(found[1] + (found[2] or "")), 10 ** len(found[2] or ""))


def _read_yes_no(text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise CellError


_READERS: Final[Mapping[Kind, Callable[[str], Value]]] = {
    Kind.MOMENT: read_moment,
    Kind.DATE: read_date,
    Kind.WHOLE: _read_whole,
    Kind.DECIMAL: _read_decimal,
    Kind.YES_NO: _read_yes_no,
    Kind.TEXT: str,
}
_EXPECTED: Final = {
    Kind.MOMENT: "a moment, such as 2026-03-01 09:30 (the Dutch clock) or 2026-03-01T09:30+01:00",
    Kind.DATE: "a date, such as 2026-03-01",
    Kind.WHOLE: "a whole number of 0 or more",
    Kind.DECIMAL: "a number of 0 or more, such as 7,5",
    Kind.YES_NO: "ja or nee",
    Kind.TEXT: "a text",
}
