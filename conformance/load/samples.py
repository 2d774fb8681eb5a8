"""What a run measured: per kind of request and per second, small enough for every worker to report and exact where a norm looks.

Latencies stand in a histogram with steps of one percent; what lies above a norm's threshold is counted exactly. Nothing here judges.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

_STEP: Final = math.log(1.01)
_LEAST_S: Final = 1e-5  # below it everything is one step
_MOST_TEXTS: Final = 20
_MOST_PIECES: Final = 240
_LONGEST_TEXT: Final = 200
OTHERS: Final = "(other failures)"


def step_of(latency_s: float) -> int:
    """Return the step of the histogram in which a latency falls."""
    return 0 if latency_s <= _LEAST_S else math.ceil(math.log(latency_s / _LEAST_S) / _STEP)


def top_of(step: int) -> float:
    """Return the longest latency in seconds that falls in a step."""
    return _LEAST_S * math.exp(step * _STEP)


@dataclass(slots=True)
class Cell:
    """The requests of one kind that were sent in one second: answered well (in the histogram) or failed.

    ``over`` counts the answers above each threshold of the samples; ``busy_s`` is the sum of all latencies, ``longest_s`` the longest of an answer.
    """

    count: int = 0
    failures: int = 0
    busy_s: float = 0.0
    longest_s: float = 0.0
    histogram: Counter[int] = field(default_factory=Counter)
    over: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Cell: {self.count} requests, {self.failures} failed, longest {self.longest_s:.3f} s>"

    @property
    def answered(self) -> int:
        """How many were answered well."""
        return self.count - self.failures

    def merge(self, other: "Cell") -> None:
        """Add what another process measured."""
        self.count += other.count
        self.failures += other.failures
        self.busy_s += other.busy_s
        self.longest_s = max(self.longest_s, other.longest_s)
        self.histogram.update(other.histogram)
        self.over = [mine + theirs for mine, theirs in zip(self.over or [0] * len(other.over), other.over, strict=True)] if other.over else self.over

    def percentile(self, share: float) -> float | None:
        """Return the latency in seconds within which ``share`` (0 to 1) of the answers came, at most one percent too high; ``None`` for none."""
        wanted, seen = math.ceil(share * self.answered), 0
        for step in sorted(self.histogram):
            seen += self.histogram[step]
            if seen >= wanted:
                return min(top_of(step), self.longest_s)
        return None

    def to_json(self) -> list[Any]:
        """Return it as JSON value."""
        return [self.count, self.failures, self.busy_s, self.longest_s, {str(step): count for step, count in self.histogram.items()}, self.over]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        count, failures, busy_s, longest_s, histogram, over = value
        return cls(count, failures, busy_s, longest_s, Counter({int(step): number for step, number in histogram.items()}), list(over))


@dataclass(slots=True)
class Samples:
    """All requests of a run by kind and by the second (from the start of the schedule) in which each was sent; ``thresholds`` are in seconds."""

    thresholds: tuple[float, ...] = ()
    cells: dict[str, dict[int, Cell]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Samples: {', '.join(f'{name} {self.total(name).count}' for name in self.names) or 'none'}>"

    @property
    def names(self) -> list[str]:
        """The kinds of request."""
        return sorted(self.cells)

    def add(self, name: str, at_s: float, latency_s: float, *, is_failure: bool = False) -> None:
        """Add one request; a failure is counted, and its latency is that of no answer."""
        cell = self._cell(name, math.floor(at_s))
        cell.count += 1
        cell.busy_s += latency_s
        if is_failure:
            cell.failures += 1
            return
        cell.longest_s = max(cell.longest_s, latency_s)
        cell.histogram[step_of(latency_s)] += 1
        for place, threshold in enumerate(self.thresholds):
            cell.over[place] += latency_s > threshold

    def _cell(self, name: str, second: int) -> Cell:
        return self.cells.setdefault(name, {}).setdefault(second, Cell(over=[0] * len(self.thresholds)))

    def merge(self, other: "Samples") -> None:
        """Add what another process measured, with the same thresholds."""
        for name, seconds in other.cells.items():
            for second, cell in seconds.items():
                self._cell(name, second).merge(cell)

    def total(self, *names: str) -> Cell:
        """Return all requests of these kinds together; of every kind without a name."""
        total = Cell(over=[0] * len(self.thresholds))
        for name in names or self.names:
            for cell in self.cells.get(name, {}).values():
                total.merge(cell)
        return total

    def over(self, threshold_s: float, *names: str) -> int:
        """Return exactly how many answers took longer than one of the thresholds; raises ``ValueError`` for another one."""
        return self.total(*names).over[self.thresholds.index(threshold_s)]

    def seconds(self, *names: str) -> Iterator[tuple[int, Cell]]:
        """Yield each second from the first to the last, with its requests of these kinds together; of every kind without a name."""
        wanted = [self.cells.get(name, {}) for name in names or self.names]
        known = [second for cells in wanted for second in cells]
        for second in range(min(known, default=0), max(known, default=-1) + 1):
            together = Cell(over=[0] * len(self.thresholds))
            for cells in wanted:
                if second in cells:
                    together.merge(cells[second])
            yield second, together

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON value, for a report to the master."""
        cells = {name: {str(second): cell.to_json() for second, cell in seconds.items()} for name, seconds in self.cells.items()}
        return {"thresholds": list(self.thresholds), "cells": cells}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        cells = {name: {int(second): Cell.from_json(cell) for second, cell in seconds.items()} for name, seconds in value["cells"].items()}
        return cls(tuple(value["thresholds"]), cells)


def pieces(samples: Samples) -> Iterator[tuple[float, int, Cell]]:
    """Yield the requests in at most 240 pieces of time: the middle of each, its seconds, and its requests together."""
    seconds = list(samples.seconds())
    size = max(1, -(-len(seconds) // _MOST_PIECES))
    for start in range(0, len(seconds), size):
        piece = seconds[start : start + size]
        together = Cell(over=[0] * len(samples.thresholds))
        for _, cell in piece:
            together.merge(cell)
        yield piece[0][0] + len(piece) / 2, len(piece), together


@dataclass(slots=True)
class Tally:
    """What a run counted besides its requests: numbers that add up, highest values, texts of failures, and things by name.

    ``lists`` hold at most as much as their makers put in: ids of what was refused, say.
    """

    counts: Counter[str] = field(default_factory=Counter)
    highest: dict[str, float] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    lists: dict[str, list[Any]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Tally: {dict(self.counts)}>"

    def raise_to(self, name: str, value: float) -> None:
        """Remember a value when it is the highest so far."""
        self.highest[name] = max(self.highest.get(name, value), value)

    def fail(self, text: str, times: int = 1) -> None:
        """Count a failure by its text; of more than twenty texts the rest is counted together."""
        shown = text[:_LONGEST_TEXT]
        is_known = shown in self.failures or len(self.failures) < _MOST_TEXTS
        self.failures[shown if is_known else OTHERS] += times

    def note(self, name: str, *values: Any) -> None:
        """Add to a list."""
        self.lists.setdefault(name, []).extend(values)

    def merge(self, other: "Tally") -> None:
        """Add what another process counted."""
        self.counts.update(other.counts)
        for name, value in other.highest.items():
            self.raise_to(name, value)
        for text, times in other.failures.items():
            self.fail(text, times)
        for name, values in other.lists.items():
            self.note(name, *values)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON value, for a report to the master."""
        return {"counts": dict(self.counts), "highest": dict(self.highest), "failures": dict(self.failures), "lists": dict(self.lists)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(Counter(value["counts"]), dict(value["highest"]), Counter(value["failures"]), {key: list(v) for key, v in value["lists"].items()})
