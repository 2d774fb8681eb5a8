"""Notifications: one for each letter that gets into a Berichtenbox, in order of arrival, no faster than the SNO says.

Nothing is public about how the real ones leave; ours leave as rows of the ledger. Who sends letters does not wait for them: now and then they are
reckoned from a kept position on, each with the moment at which it left, so that it does not matter how often that is done.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import ClassVar, Final, Protocol

from conformance.norms import count
from conformance.sno.nights import NL, dutch

HOURLY: Final = ("SNO-NOT-01", "notificaties")
DAILY: Final = ("SNO-NOT-02", "notificaties")
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_EASE_S: Final = 1.0
_PAGE: Final = 500
_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A letter for whose arrival a notification is to leave: ``at`` is when it is published (business clock), in UTC."""

    at: datetime
    bericht_seq: int


Sent = tuple[Arrival, datetime]
"""A letter whose notification left, and when."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A row of the berichten that was looked at: when it was processed, and its arrival when it is in a Berichtenbox."""

    bericht_seq: int
    processed: datetime
    arrival: Arrival | None


@dataclass(frozen=True, slots=True)
class Notificatie:
    """A notification that left: its number, the BerichtID in lower case, when the letter arrived and when this left (business clock)."""

    seq: int
    bericht_id: str
    arrived: datetime
    sent: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """How far distribution is, kept in the commit of the notifications themselves.

    ``bericht_seq`` is the last row of the berichten that was looked at, ``horizon`` the moment up to which every arrival is known by that.
    Nothing leaves before ``free``; on the local day that ends at ``day_end`` there left ``in_day``.
    """

    bericht_seq: int = 0
    horizon: datetime = _NEVER
    last: datetime = _NEVER
    free: datetime = _NEVER
    day_end: datetime = _NEVER
    in_day: int = 0


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one commit adds: what left in its order, with the moment; which letters wait from now on, and which wait no more; how far it is."""

    sent: Sequence[Sent]
    waiting: Sequence[Arrival]
    done: Sequence[Arrival]
    position: Position


class NotificatieLedger(Protocol):
    """What is kept of notifications."""

    def position(self) -> Position:
        """Return how far distribution is."""

    def look(self, after: int, most: int) -> Sequence[Looked]:
        """Return rows of the berichten, by their number."""

    def waiting(self, until: datetime, most: int) -> Sequence[Arrival]:
        """Return letters that wait and arrived by a moment, the earliest first."""

    def commit(self, distribution: Distribution) -> None:
        """Keep what was distributed: all of it, in one commit."""

    def page(self, after: int, most: int) -> Sequence[Notificatie]:
        """Return notifications with a number above ``after``, in the order in which they left."""


def interval() -> timedelta:
    """Return the time between two notifications at the norm of the hour, so that no hour holds more than it allows."""
    return timedelta(microseconds=math.ceil(_HOUR / _MICROSECOND / count(*HOURLY)))


class Pace:
    """When the next notification may leave: evenly over the hour, and none any more on a local day that had its number."""

    def __init__(self, position: Position, not_before: datetime, now: datetime, step: timedelta) -> None:
        self.position, self._step = position, step
        if position.last > now:  # the business clock went back
            self.position = replace(position, last=_NEVER, free=now, day_end=_NEVER, in_day=0)
        self.position = replace(self.position, free=max(self.position.free, min(not_before, now)))
        self._per_day = count(*DAILY)

    def room(self, now: datetime) -> int:
        """Return how many may leave by now, at the most."""
        return max(0, (now - self.position.free) // self._step + 1)

    def next(self, arrived: datetime) -> datetime:
        """Return when the notification of a letter leaves that arrived then."""
        return max(arrived, self.position.free)

    def take(self, moment: datetime) -> None:
        """Let one leave."""
        position = self.position
        day_end, in_day = (position.day_end, position.in_day + 1) if moment < position.day_end else (end_of_day(moment), 1)
        free = moment + self._step
        if in_day >= self._per_day and free < day_end:
            free = day_end  # a day of 25 hours has room for more than the norm of the day
        self.position = replace(position, last=moment, free=free, day_end=day_end, in_day=in_day)


def end_of_day(moment: datetime) -> datetime:
    """Return the first moment of the next day on the Dutch clock, in UTC."""
    return datetime.combine(dutch(moment).date() + _DAY, time_of_day(), NL).astimezone(UTC)


class Distributor:
    """Lets the notifications of one ledger leave; ``now`` is the business clock. One thread at a time.

    What arrived while nobody distributed leaves from now on, and not in the past.
    """

    slowness: ClassVar[int] = 1
    """By what the time between two notifications is multiplied: a defective one takes longer."""

    def __init__(self, ledger: NotificatieLedger, now: Callable[[], datetime]) -> None:
        self._ledger, self._now = ledger, now
        self._not_before = now()
        self._position = ledger.position()
        self._looked_s = -math.inf

    def distribute_at_ease(self) -> None:
        """Distribute, unless that was done within the last second: each time costs a commit."""
        if time.monotonic() - self._looked_s >= _EASE_S:
            self.distribute()

    def distribute(self) -> None:
        """Let leave what may leave by now."""
        while self._round(self._now()):
            pass
        self._looked_s = time.monotonic()

    def _round(self, now: datetime) -> bool:
        """Distribute once, and return whether there may be more."""
        pace = Pace(self._position, self._not_before, now, interval() * self.slowness)
        most = min(_AT_ONCE, pace.room(now))
        if not most:
            return False
        waited = self._ledger.waiting(now, most)
        new, due = self._gather(now, most, pace, waited)
        self._keep(_leaving(due[:most], pace, now), new, waited, pace.position)
        return len(due) >= most

    def _gather(self, now: datetime, most: int, pace: Pace, waited: Sequence[Arrival]) -> tuple[list[Arrival], list[Arrival]]:
        """Look at berichten until enough may leave, or none is left; return what came new, and what may leave in its order."""
        new: list[Arrival] = []
        horizon, size = pace.position.horizon, max(most, _PAGE)
        while len(due := _due([*waited, *new], min(horizon, now))) < most:
            rows = self._ledger.look(pace.position.bericht_seq, size)
            new += [row.arrival for row in rows if row.arrival is not None]
            # An arrival that was put off may come before those of rows that nobody looked at yet: up to the last row all are known.
            horizon = rows[-1].processed if len(rows) == size else now
            pace.position = replace(pace.position, bericht_seq=rows[-1].bericht_seq if rows else pace.position.bericht_seq, horizon=horizon)
            if len(rows) < size:
                return new, _due([*waited, *new], now)
        return new, due

    def written(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        """Return what is written of what leaves: a defective one does not write it as it is."""
        return sent

    def _keep(self, sent: Sequence[Sent], new: Sequence[Arrival], waited: Sequence[Arrival], position: Position) -> None:
        left = {arrival for arrival, _moment in sent}
        waiting, done = [arrival for arrival in new if arrival not in left], [arrival for arrival in waited if arrival in left]
        if sent or waiting:
            self._ledger.commit(Distribution(self.written(sent), waiting, done, position))
        self._position = position


def _due(arrivals: Sequence[Arrival], until: datetime) -> list[Arrival]:
    return sorted(arrival for arrival in arrivals if arrival.at <= until)


def _leaving(due: Sequence[Arrival], pace: Pace, now: datetime) -> list[Sent]:
    """Return what leaves by now of the letters that may, each with its moment."""
    sent = []
    for arrival in due:
        moment = pace.next(arrival.at)
        if moment > now:
            break
        pace.take(moment)
        sent.append((arrival, moment))
    return sent
