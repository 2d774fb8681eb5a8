"""How much of a processor the parties of the kit use while they are judged: a norm must not be missed by our own slowness."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import psutil

WATCHED: Final = "watched"
"""The name in a connection under which the watched processes stand, as JSON: their names with their ids."""


STARTED: Final = "started"
"""The same, of the processes that the kit started: they share this machine, and may have to wait for a processor."""
_NS: Final = 1e9


def waited_s(pid: int | str = "self") -> float:
    """Return how long the first thread of a process was ready to run and had no processor, in seconds since it began; 0 where nobody tells."""
    return _waited_in(Path(f"/proc/{pid}/schedstat"))


def _waited_in(file: Path) -> float:
    try:
        return int(file.read_text(encoding="ascii").split()[1]) / _NS
    except (OSError, ValueError, IndexError):
        return 0.0


def _waited_of_all(pid: int) -> float:
    """Return the same of all threads of a process together."""
    return sum(_waited_in(file) for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _cpu_s(pid: int) -> float | None:
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(used.user + used.system)


@dataclass(frozen=True, slots=True)
class Watch:
    """The processor time of processes at one moment."""

    pids: Mapping[str, int]
    begin: float = field(default_factory=time.monotonic)
    used: Mapping[str, float] = field(default_factory=dict)
    started: Mapping[str, int] = field(default_factory=dict)
    had_waited: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Mapping[str, str]) -> Self:
        """Begin to watch what a connection names."""
        pids: dict[str, int] = json.loads(connection.get(WATCHED, "{}"))
        found = {name: _cpu_s(pid) for name, pid in pids.items()}
        started: dict[str, int] = json.loads(connection.get(STARTED, "{}"))
        had_waited = {name: _waited_of_all(pid) for name, pid in started.items()}
        used = {name: seconds for name, seconds in found.items() if seconds is not None}
        return cls(pids, used=used, started=started, had_waited=had_waited)

    def waited(self) -> dict[str, float]:
        """Return how long each party of the kit waited for a processor since then."""
        return {name: max(0.0, _waited_of_all(self.started[name]) - seconds) for name, seconds in self.had_waited.items()}

    def shares(self) -> dict[str, float]:
        """Return the share of one processor that each used since then; a process that is gone is left out."""
        elapsed = max(1e-9, time.monotonic() - self.begin)
        now = {name: _cpu_s(self.pids[name]) for name in self.used}
        return {name: (seconds - self.used[name]) / elapsed for name, seconds in now.items() if seconds is not None}
