"""The calendar of the SNO: werkdagen, kantooruren, calendar months and the n-th weekday of a month, all of the Netherlands.

The SNO says "werkdag" and "kantooruren" and defines neither. Read here: Monday to Friday, no feestdag of the Algemene termijnenwet; and the service
window of the Afnemers. Many organisations work on Goede Vrijdag and on 5 May, so those two are a choice.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import count, takewhile
from typing import Final

import holidays
from holidays.constants import OPTIONAL, PUBLIC

from conformance import norms
from conformance.sno.nights import NL, dutch

_DAY: Final = timedelta(days=1)
_WEEK: Final = 7
_SATURDAY: Final = 5
_MONTHS: Final = 12
_GOEDE_VRIJDAG: Final = "Goede vrijdag"
_BEVRIJDINGSDAG: Final = "Bevrijdingsdag"
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(_WEEK)


@dataclass(frozen=True, slots=True)
class Feestdagen:
    """Which of the two days that not everybody has off are feestdagen."""

    goede_vrijdag: bool = True
    bevrijdingsdag: bool = True

    def __contains__(self, day: date) -> bool:
        """Whether a date is a feestdag: one that is another feestdag too, as 5 May 2016 was, stays one."""
        return bool(_feestdagen(day.year).get(day, frozenset()) - self._worked)

    @property
    def _worked(self) -> frozenset[str]:
        chosen = {_GOEDE_VRIJDAG: self.goede_vrijdag, _BEVRIJDINGSDAG: self.bevrijdingsdag}
        return frozenset(name for name, is_free in chosen.items() if not is_free)


FEESTDAGEN: Final = Feestdagen()


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month on the Dutch clock; as text ``2026-03``."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a date, or of a moment that is on the Dutch clock."""
        return cls(day.year, day.month)

    @classmethod
    def read(cls, text: str) -> "Month":
        """Return the month that ``2026-03`` writes; raises ``ValueError``."""
        if len(text) != len("2026-03"):
            raise ValueError(f"expected a month such as 2026-03, not {text!r}")
        try:
            return cls.of(date.fromisoformat(f"{text}-01"))
        except ValueError:
            raise ValueError(f"expected a month such as 2026-03, not {text!r}") from None

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.month, 1)

    @property
    def start(self) -> datetime:
        """The first moment, in UTC."""
        return at(self.first)

    @property
    def end(self) -> datetime:
        """The first moment after the month, in UTC."""
        return self.next.start

    @property
    def length(self) -> timedelta:
        """How long it lasts: 743 hours in March, 745 in October."""
        return self.end - self.start

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month.of(add_months(self.first, 1))

    def days(self) -> Iterator[date]:
        """Yield its dates."""
        return (self.first + n * _DAY for n in range(monthrange(self.year, self.month)[1]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def month_of(moment: datetime) -> Month:
    """Return the month in which a moment lies on the Dutch clock; raises ``ValueError`` for a moment without a zone."""
    return Month.of(dutch(moment))


def months_between(first: Month, last: Month) -> Iterator[Month]:
    """Yield the months from the first up to and including the last; none when the last is earlier."""
    while first <= last:
        yield first
        first = first.next


def at(day: date, clock: time = time()) -> datetime:
    """Return, in UTC, the moment at which the Dutch clock shows a time on a date; in October the first of two."""
    return datetime.combine(day, clock, NL).astimezone(UTC)


def is_werkdag(day: date, feestdagen: Feestdagen = FEESTDAGEN) -> bool:
    """Whether a date is a werkdag."""
    return day.weekday() < _SATURDAY and day not in feestdagen


def werkdagen_after(day: date, n: int, feestdagen: Feestdagen = FEESTDAGEN) -> date:
    """Return the n-th werkdag after a date, which is day 0 itself; raises ``ValueError`` when n is below 1."""
    if n < 1:
        raise ValueError(f"the {n}-th werkdag after a date does not exist")
    later = (day + ahead * _DAY for ahead in count(1))
    werkdagen = (candidate for candidate in later if is_werkdag(candidate, feestdagen))
    return next(candidate for found, candidate in enumerate(werkdagen, 1) if found == n)


def werkdagen_between(day: date, until: date, feestdagen: Feestdagen = FEESTDAGEN) -> int:
    """Return how many werkdagen there are after a date, up to and including another; 0 when that is not later."""
    return sum(is_werkdag(day + ahead * _DAY, feestdagen) for ahead in range(1, (until - day).days + 1))


def kantooruren_of(day: date, feestdagen: Feestdagen = FEESTDAGEN) -> tuple[datetime, datetime] | None:
    """Return the start and the end of the kantooruren of a date, in UTC; ``None`` when it is no werkdag."""
    opens, closes = _opening()
    return (at(day, opens), at(day, closes)) if is_werkdag(day, feestdagen) else None


def kantooruren_between(start: datetime, end: datetime, feestdagen: Feestdagen = FEESTDAGEN) -> timedelta:
    """Return how much of the time between two moments lies in kantooruren; nothing when the end is not later."""
    days = takewhile(lambda day: day[0] < end, _kantooruren_from(start, feestdagen))
    return sum((max(timedelta(), min(closes, end) - max(opens, start)) for opens, closes in days), timedelta())


def add_kantooruren(start: datetime, duration: timedelta, feestdagen: Feestdagen = FEESTDAGEN) -> datetime:
    """Return, in UTC, the moment at which a number of kantooruren after a start has passed; raises ``ValueError`` for less than nothing.

    A duration that ends exactly when the day does, ends there, and not the next morning.
    """
    if duration < timedelta():
        raise ValueError("a duration is not negative")
    days = _kantooruren_from(start, feestdagen)
    opens, closes = next(days)
    while (left := closes - max(opens, start)) < duration:
        duration -= max(timedelta(), left)
        opens, closes = next(days)
    return max(opens, start) + duration


def add_months(day: date, n: int) -> date:
    """Return the same day number n months later (earlier when negative), or the last day of a shorter month."""
    year, month = divmod(day.year * _MONTHS + day.month - 1 + n, _MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def nth_weekday(month: Month, weekday: int, n: int) -> date:
    """Return the n-th Monday (0) to Sunday (6) of a month; raises ``ValueError`` when the month has no such day.

    The second Wednesday is not the Wednesday of the second week, and the fourth is not the last.
    """
    days = [day for day in month.days() if day.weekday() == weekday]
    if not 1 <= n <= len(days):
        raise ValueError(f"{month} has {len(days)} of that weekday, and not {n}")
    return days[n - 1]


def _kantooruren_from(start: datetime, feestdagen: Feestdagen) -> Iterator[tuple[datetime, datetime]]:
    """Return the kantooruren of the day of a moment and of each day after it."""
    first = dutch(start).date()
    days = (kantooruren_of(first + ahead * _DAY, feestdagen) for ahead in count())
    return (day for day in days if day)


@cache
def _opening() -> tuple[time, time]:
    """Return the service window of the Afnemers: the SNO does not define kantooruren."""
    return time(norms.count("SNO-SVC-02", "from")), time(norms.count("SNO-SVC-02", "until"))


@cache
def _feestdagen(year: int) -> Mapping[date, frozenset[str]]:
    """Return the names of each feestdag; the Sundays of Easter and Pentecost are among them."""
    found = holidays.country_holidays("NL", years=year, categories=(PUBLIC, OPTIONAL), language="nl")
    return {day: frozenset(found.get_list(day)) for day in found}
