"""Tells now and then how far a run is: an hour in which nothing is said looks like one in which nothing is done."""

import time
from collections.abc import Callable
from typing import Final

import click

from conformance.load.durations import written

_SHORTEST_S: Final = 10.0
_LINES: Final = 100


class Progress:
    """Tells on standard error how far something is that takes ``expected_s`` seconds: some hundred lines, and none in the first ten seconds."""

    def __init__(self, expected_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = max(_SHORTEST_S, expected_s / _LINES), clock
        self._begin = self._told = clock()

    def tell(self, text: Callable[[], str]) -> None:
        """Tell it, when it is time; ``text`` is asked only then."""
        now = self._clock()
        if now - self._told >= self._every_s:
            self._told = now
            click.echo(f"{written(round(now - self._begin))}: {text()}", err=True)


def so_far(done: int, volume: int, failures: int) -> str:
    """Return how far the schedule is."""
    failed = f", {failures} failed" if failures else ""
    return (
        f"{done} of {volume} messages sent and answered{failed}."
        if done < volume
        else f"all {volume} messages sent{failed}; following what comes of them."
    )
