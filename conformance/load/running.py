"""Runs Locust: one process, or a master with workers, all of them bounded in time and stopped when the run is over.

Locust replaces the sockets of its process, so it always gets processes of its own.
"""

import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.load.parties import stop
from conformance.load.plan import VERDICT_FILE, LoadError, LoadPlan
from conformance.verdicts import ExitCode
from conformance.wiring import free_port

_INSTALLED: Final = Path(__file__).parent.parent / "_profiles"
_CHECKOUT: Final = Path(__file__).parent.parent.parent / "perf" / "profiles"
_LOOPBACK: Final = "127.0.0.1"
_PAUSE_S: Final = 0.1
_SLACK_S: Final = 240.0
"""Beyond what the run itself allows: for starting, for what it prepares, and for the report."""
_LONGEST_ANSWER_S: Final = 300.0
LONGEST_PREPARATION_S: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Told:
    """What Locust is told beside the plan: where the report goes, in which language, and whether a scaled run may be green."""

    out: Path | None = None
    lang: str = "nl"
    accepts_scaled: bool = False


def check_installed() -> None:
    """Raise :class:`LoadError` when the extra `load` is not installed."""
    if importlib.util.find_spec("locust") is None:
        raise LoadError("load needs Locust, which is not installed.\n  Hint: install the extra: berichtenbox-conformance[load].")


def profile_file(name: str) -> Path:
    """Return the file that Locust reads for a profile: in a checkout in ``perf/profiles``, in an installed wheel inside it."""
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / f"{name}.py"


def run(plan: LoadPlan, told: Told) -> ExitCode:
    """Run a plan, and return the exit code that its judgement came to; a run that hangs or crashes is an error of the kit."""
    with tempfile.TemporaryDirectory(prefix="berichtenbox-load-") as directory:
        connection = Path(directory) / "connection.json"
        verdict = Path(directory) / "verdict"
        connection.write_text(json.dumps({**plan.connection, VERDICT_FILE: str(verdict)}))
        port = free_port(_LOOPBACK)
        commands = [_leading(plan, told, connection, port), *([_working(plan, port)] * plan.workers if plan.workers > 1 else [])]
        with _started(commands) as processes:
            return _exit_code_of(_waited(processes, longest_s(plan)), verdict)


def longest_s(plan: LoadPlan) -> float:
    """Return how long a run may take before it is stopped."""
    answer_s = min(_LONGEST_ANSWER_S, 2 * plan.demand.patience.total_seconds())
    return plan.window_s + answer_s + plan.profile.afterwards_s(plan) + LONGEST_PREPARATION_S + _SLACK_S


def _leading(plan: LoadPlan, told: Told, connection: Path, port: int) -> list[str]:
    """Return the command of the process that leads the run: the only one, or the master."""
    command = [*_locust(plan), "--host", plan.target, "--headless", "--only-summary", "--users", str(plan.users), "--scale", str(plan.scale)]
    command += ["--duration", f"{plan.window_s:.3f}", "--seed", str(plan.seed), "--lang", told.lang, "--connection", str(connection)]
    command += [word for name, value in plan.settings.items() for word in (f"--{name}", value)]
    command += ["--wait", f"{plan.wait_s:.3f}"] if plan.wait_s is not None else []
    command += ["--out", str(told.out)] if told.out is not None else []
    command += ["--accept-scaled"] if told.accepts_scaled else []
    if plan.workers > 1:
        command += ["--master", "--expect-workers", str(plan.workers), "--expect-workers-max-wait", "60"]
        command += ["--master-bind-host", _LOOPBACK, "--master-bind-port", str(port)]
    return command


def _working(plan: LoadPlan, port: int) -> list[str]:
    return [*_locust(plan), "--worker", "--master-host", _LOOPBACK, "--master-port", str(port)]


def _locust(plan: LoadPlan) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(profile_file(plan.name)), "--skip-log-setup"]


@contextlib.contextmanager
def _started(commands: Sequence[Sequence[str]]) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Start every process, and stop those that are left when the block ends, whatever ends it."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))  # noqa: PERF401, S603  # each is stopped, also when the next fails
        yield processes
    finally:
        for process in reversed(processes):
            stop(process)


def _waited(processes: Sequence["subprocess.Popen[bytes]"], most_s: float) -> int | None:
    """Wait for the process that leads the run, and return its exit code; ``None`` when it takes too long."""
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        code = processes[0].poll()
        if code is not None:
            return code
        time.sleep(_PAUSE_S)
    return None


def _exit_code_of(code: int | None, verdict: Path) -> ExitCode:
    """Return the exit code of the judgement: where there is none, or Locust ended with another code, the kit failed."""
    judged = verdict.read_text(encoding="ascii") if verdict.exists() else ""
    if code == ExitCode.USAGE and not judged:
        return ExitCode.USAGE  # the plan was refused, and Locust's process has said why
    return ExitCode(code) if code is not None and judged == str(code) else ExitCode.KIT_ERROR
