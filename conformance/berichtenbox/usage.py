"""What is asked of the abonnementservices in a night and of the validatieservice in an hour, by all Afnemers together, and what happens above that.

The SNO gives the numbers and not the consequence: by default everything is answered, and what went over is on the record. A tester may have it
postponed to the next night, or refused.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.sno.nights import Night, next_night_start, night_of
from conformance.sno.quotas import Count, quota_of

_MOST: Final = 100_000
BY_DAY: Final = "asked by day"
ABOVE_QUOTA: Final = "above the quota of the night"
ABOVE_HOUR: Final = "above the quota of the hour"
POSTPONED: Final = "postponed"
REFUSED: Final = "refused"
Window = Night | datetime | None
"""A night, the start of a clock hour, or neither."""


class Excess(StrEnum):
    """What happens to a request outside the night, or above a quota."""

    ACCEPT = "aanvaarden"
    POSTPONE = "uitstellen"
    REFUSE = "weigeren"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What happens to one request: why it is out of bounds (empty: it is not), until when it waits, and whether it is answered at all."""

    note: str = ""
    waits_until: datetime | None = None
    is_refused: bool = False


FINE: Final = Ruling()


@dataclass(slots=True)
class Usage:
    """Counts requests; ``excess`` is what happens above the norm, ``others`` how often other Afnemers asked in the night or hour that is going on."""

    excess: Excess = Excess.ACCEPT
    others: dict[str, int] = field(default_factory=dict)
    _counts: deque[Count] = field(default_factory=lambda: deque(maxlen=_MOST))
    # Of every night and hour the sum: with twenty questions a second there is no time to add them up anew.
    _sums: Counter[tuple[str, Window]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, bevragingen: Iterable[Bevraging]) -> None:
        """Count what the ledger knows."""
        with self._lock:
            for asked in bevragingen:
                self._add(count_of(asked))

    def _add(self, count: Count) -> None:
        self._counts.append(count)
        self._sums[count.soort, _window_of(count)] += count.weight

    def reset(self) -> None:
        """Forget what was set for a case: what was asked stays counted."""
        self.excess, self.others = Excess.ACCEPT, {}

    def counts(self) -> Sequence[Count]:
        """Return what was counted, oldest first."""
        with self._lock:
            return tuple(self._counts)

    def rule(self, asked: Asked, oin: str, moment: datetime, bsns: int = 0) -> Ruling:
        """Count one request, and say what happens to it."""
        count = Count(asked, oin, moment, bsns)
        window = _window_of(count)
        with self._lock:
            self._add(count)
            total = self._sums[count.soort, window] + self.others.get(count.soort, 0)
        if window is None:
            return self._excess(BY_DAY, next_night_start(moment))
        if total <= quota_of(count.soort):
            return FINE
        is_hour = asked is Asked.VALIDATIE
        return self._excess(ABOVE_HOUR if is_hour else ABOVE_QUOTA, None if is_hour else next_night_start(moment))

    def _excess(self, why: str, later: datetime | None) -> Ruling:
        if self.excess is Excess.REFUSE or (self.excess is Excess.POSTPONE and later is None):
            return Ruling(f"{why}: {REFUSED}", is_refused=True)
        if self.excess is Excess.POSTPONE:
            return Ruling(f"{why}: {POSTPONED}", waits_until=later)
        return Ruling(why)


def _window_of(count: Count) -> Window:
    """Return the night or clock hour of which a request takes its part; ``None`` by day."""
    if count.soort == Asked.VALIDATIE:
        return count.moment.replace(minute=0, second=0, microsecond=0)
    return night_of(count.moment)


def count_of(asked: Bevraging) -> Count:
    """Return what a question takes of a quota."""
    return Count(asked.asked, asked.oin, asked.moment, asked.count if asked.asked is Asked.VALIDATIE else 0)
