"""What a run tells at the terminal: before it, what will be sent; after it, each norm with its verdict and its figures."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from conformance.load.durations import written
from conformance.load.judging import Measured
from conformance.load.plan import FULL, LoadPlan
from conformance.masking import mask
from conformance.norms import norm
from conformance.report.model import Report
from conformance.verdicts import ExitCode, Verdict

_WIDTH: Final = 80
_MARKS: Final = {
    Verdict.PASSED: "met",
    Verdict.FAILED: "MISSED",
    Verdict.KIT_ERROR: "error of the kit",
    Verdict.NOT_TESTED: "not claimed",
    Verdict.WARNING: "missed (a warning)",
}
_COLUMNS: Final = (
    ("count", "count"),
    ("failed", "failures"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("p99.9", "p999_ms"),
    ("longest", "longest_ms"),
)


def announcement(plan: LoadPlan, target: str) -> str:
    """Return what a run will send, and where: so that nobody is surprised by it."""
    asked = f"{plan.volume} times {plan.profile.sends}, {_rate(plan.rate)}, in {written(plan.window_s)}"
    lines = [f"load {plan.name}: {asked}, over {plan.users} connections, to {target}."]
    if not plan.can_claim:
        lines.append(
            f"Scale {plan.shown_scale}: such a run never claims a norm." if plan.scale < FULL else "It is slower than the norm, and claims nothing."
        )
    return "\n".join(_wrapped(line) for line in lines)


def so_far(done: int, volume: int, failures: int) -> str:
    """Return how far the schedule of a run is."""
    failed = f", {failures} failed" if failures else ""
    return (
        f"{done} of {volume} messages sent and answered{failed}."
        if done < volume
        else f"all {volume} messages sent{failed}; following what comes of them."
    )


def outcome_text(measured: Measured, report: Report, load: Mapping[str, Any], code: ExitCode, out: Path | None) -> str:
    """Return what a run came to: verdicts, figures, and how to repeat it."""
    plan = measured.plan
    scale = "" if plan.scale >= FULL else f" Scale {plan.shown_scale}, which never claims a norm."
    blocks = [
        [_wrapped(f"{report.verdict.upper()}: load {plan.name}. {measured.sent} of {plan.volume} messages in {written(plan.window_s)}.{scale}")],
        [line for item in report.requirements for line in _norm(item.cases[0].requirement, item.verdict, item.cases[0])],
        _table(load["requests"]),
    ]
    told = mask("\n\n".join("\n".join(lines) for lines in blocks if lines))
    # Beside the masking, and on one line: a seed of nine digits is no BSN, and whoever copies the command repeats the run.
    report_at = [] if out is None else [f"Report: {out / 'report.html'}"]
    return "\n".join([told, "", *report_at, f"Again:  {load['command']}", f"Exit code: {int(code)}"])


def _norm(id_: str, verdict: Verdict, case: Any) -> list[str]:
    found, reason = norm(id_), f" ({case.reason})" if case.reason else ""
    numbers = ", ".join(str(number) for number in found.numbers.values())
    rows = [("norm", f"{numbers} ({found.source})" if numbers else found.source), ("asked", case.expected), ("seen", case.seen)]
    head = _wrapped(f"{id_} {_MARKS.get(verdict, str(verdict))}{reason}: {case.message}", "  ", "    ")
    return [head, *(_wrapped(text, f"    {label:<7}", " " * 11) for label, text in rows if text)]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the requests in columns."""
    lines = [f"  {'requests':<22}{''.join(f'{title:>9}' for title, _ in _COLUMNS)}"] if rows else []
    return lines + [f"  {row['name'][:21]:<22}{''.join(f'{_shown(row[key]):>9}' for _, key in _COLUMNS)}" for row in rows]


def _shown(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.1f}"


def _rate(rate: float) -> str:
    return f"{rate:.3g} a second" if rate >= 1 else f"{rate * 3600:.4g} an hour"


def _wrapped(text: str, indent: str = "", then: str | None = None) -> str:
    """Return text in lines of 80 columns, without what a terminal would obey."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    rest = indent if then is None else then
    return textwrap.fill(plain, _WIDTH, initial_indent=indent, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
