"""The night of the abonnementservices (SNO-ABO-02): from 23:00 to 07:00 on the Dutch clock, so 7 or 9 hours when summer time starts or ends.

Moments come in aware and go out in UTC; only the limits of the night are on the Dutch clock.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from conformance.limits import limits

NL: Final = ZoneInfo("Europe/Amsterdam")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Night:
    """One night, called after the Dutch date on which it starts; as text ``night of 2026-03-28``."""

    date: date

    @property
    def start(self) -> datetime:
        """The first moment of the night, in UTC."""
        return _on_the_clock(self.date, limits().night_from)

    @property
    def end(self) -> datetime:
        """The first moment after the night, in UTC."""
        return _on_the_clock(self.date + _DAY, limits().night_until)

    def __str__(self) -> str:
        return f"night of {self.date}"


def night_of(moment: datetime) -> Night | None:
    """Return the night in which a moment lies, ``None`` by day; raises ``ValueError`` for a moment without a zone."""
    local = dutch(moment)
    if local.hour >= limits().night_from:
        return Night(local.date())
    if local.hour < limits().night_until:
        return Night(local.date() - _DAY)
    return None


def next_night_start(moment: datetime) -> datetime:
    """Return the first start of a night after a moment, in UTC: inside a night that of the next; raises ``ValueError`` as :func:`night_of`."""
    today = dutch(moment).date()
    start = Night(today).start
    return start if start > moment else Night(today + _DAY).start


def dutch(moment: datetime) -> datetime:
    """Return a moment on the Dutch clock; raises ``ValueError`` for a moment without a zone."""
    if moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(NL)


def _on_the_clock(day: date, hour: int) -> datetime:
    """Return the moment, in UTC, at which the Dutch clock shows a whole hour."""
    return datetime.combine(day, time(hour), NL).astimezone(UTC)
