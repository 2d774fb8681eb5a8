"""The business clock of the Berichtenbox: six days of re-offering take a second.

Transport timestamps are the wall clock; only dates that the koppelvlak reckons with (receipt, processing, re-offering) come from here.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wall_clock() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class BusinessClock:
    """A clock that runs with the wall clock, and can be moved ahead of it."""

    def __init__(self, wall: Callable[[], datetime] = wall_clock) -> None:
        self._wall = wall
        self._ahead = timedelta()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<BusinessClock {self.now():%Y-%m-%dT%H:%M:%SZ}, {self._ahead} ahead>"

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the wall clock."""
        return self._ahead

    def now(self) -> datetime:
        """Return the moment on the business clock, in UTC."""
        return self._wall() + self._ahead

    def advance(self, by: timedelta) -> datetime:
        """Move ahead and return the new moment; raises ``ValueError`` for a step back."""
        if by < timedelta():
            raise ValueError(f"the business clock only moves ahead, not by {by}")
        with self._lock:
            self._ahead += by
        return self.now()

    def reset(self) -> None:
        """Run with the wall clock again: each case starts on the day that the Afnemer lives in."""
        with self._lock:
            self._ahead = timedelta()
