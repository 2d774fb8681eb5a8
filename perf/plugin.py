"""How soon the Berichtenbox of the pytest plugin stands ready in a test, beside a bare database of the same kind. Nothing here asserts a speed."""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Final

from conformance.berichtenbox.sql import SqlLedger
from conformance.plugin.box import opened
from conformance.plugin.wishes import Wishes

_TIMES: Final = 50


def took(make: Callable[[int], AbstractContextManager[object]]) -> list[float]:
    """Return how long each one took to be there, in milliseconds."""
    waits = []
    for turn in range(_TIMES + 1):
        begin = time.perf_counter()
        with make(turn):
            waits.append((time.perf_counter() - begin) * 1e3)
    return waits


def main() -> int:
    """Measure and print."""
    (first, *others), (_, *bare) = took(lambda turn: opened(Wishes(seed=turn))), took(lambda _turn: closing(SqlLedger("sqlite://")))
    middle, least = statistics.median(others), statistics.median(bare)
    print(f"the first {first:.0f} ms; after that the median of {_TIMES} is {middle:.1f} ms, the longest {max(others):.1f} ms")
    print(f"an empty ledger in memory: {least:.1f} ms; ratio {middle / least:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
