"""Tells at the terminal how far a run is. It goes to stderr, so that stdout holds the outcome and nothing else."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

_EVERY: Final = 10  # steps
_PAUSE_S: Final = 1.0
_WIDTH: Final = 80
_SHORTEST_S: Final = 10.0
_LINES: Final = 100


class Progress(Protocol):
    """Listens to a run: its start, each step with its outcome, and its end."""

    def started(self, total: int, what: str) -> None:
        """Begin ``total`` steps; ``what`` names them in the plural (``cases``)."""
        ...

    def step(self, name: str, outcome: str) -> None:
        """Count one step that is done."""
        ...

    def finished(self) -> None:
        """End the run."""
        ...


class SilentProgress:
    """Says nothing."""

    def started(self, total: int, what: str) -> None:
        """Say nothing."""

    def step(self, name: str, outcome: str) -> None:
        """Say nothing."""

    def finished(self) -> None:
        """Say nothing."""


class PlainProgress:
    """Writes lines: every tenth step, or what comes after a second of silence, and totals at the end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._total, self._what, self._last = 0, "", 0.0
        self._outcomes: Counter[str] = Counter()

    def started(self, total: int, what: str) -> None:
        """Say how much there is to do."""
        self._total, self._what, self._last = total, what, self._clock()
        self._outcomes.clear()
        self._write(f"{total} {what}")

    def step(self, name: str, outcome: str) -> None:
        """Say which step is done, now and then."""
        self._outcomes[outcome] += 1
        count, now = self._outcomes.total(), self._clock()
        if count % _EVERY == 0 or now - self._last >= _PAUSE_S:
            self._last = now
            self._write(f"  {count}/{self._total} {name}: {outcome}")

    def finished(self) -> None:
        """Say how many steps had which outcome."""
        totals = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        self._write(f"{self._outcomes.total()} {self._what}: {totals or 'nothing ran'}")

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class TerminalProgress:
    """Draws a bar that disappears when the run ends."""

    def __init__(self, stream: TextIO) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[name]}"))
        console = Console(file=stream, soft_wrap=False)
        self._bar = RichProgress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None, name="")

    def started(self, total: int, what: str) -> None:
        """Show the bar."""
        self._bar.reset(self._task, total=total, description=what, name="")
        self._bar.start()

    def step(self, name: str, outcome: str) -> None:
        """Move the bar, and show the step."""
        shown = f"{name}: {outcome}".replace("[", "\\[")  # what looks like markup is none
        self._bar.update(self._task, advance=1, name=shown[: _WIDTH // 2])

    def finished(self) -> None:
        """Take the bar away."""
        self._bar.stop()


class NowAndThen:
    """Writes how far something is that has no steps, or too many: of what takes ``expected_s`` seconds some hundred lines, none within ten."""

    def __init__(self, stream: TextIO, expected_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._every_s, self._clock = stream, max(_SHORTEST_S, expected_s / _LINES), clock
        self._begin = self._told = clock()

    def tell(self, text: Callable[[], str]) -> None:
        """Tell it, when it is time; ``text`` is asked only then."""
        now = self._clock()
        if now - self._told < self._every_s:
            return
        self._told = now
        self._stream.write(f"{now - self._begin:.0f} s: {text()}\n")
        self._stream.flush()


def progress_for(stream: TextIO) -> Progress:
    """Return a bar for a terminal, and lines for anything else."""
    return TerminalProgress(stream) if Console(file=stream).is_terminal else PlainProgress(stream)
