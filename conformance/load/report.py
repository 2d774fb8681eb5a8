"""The report of a run: verdicts as every command gives them, with what was sent and measured, and plots over time."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from conformance.catalogue import catalogue
from conformance.load.judging import Measured, case_results, is_only_scaled
from conformance.load.plan import AGAIN, FULL
from conformance.load.plots import plots
from conformance.load.samples import Cell, pieces
from conformance.load.telling import outcome_text
from conformance.profile_keys import SERVICES
from conformance.report.load_part import Drawing, LoadPart
from conformance.report.model import Report, Run, exit_code, grade
from conformance.report.write import write_report
from conformance.verdicts import ExitCode

PERCENTILES: Final = (0.5, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a run comes to: the text for the terminal, and the exit code."""

    text: str
    exit_code: ExitCode
    report: Report


def conclude(measured: Measured, started: datetime, *, out: Path | None = None, lang: str = "nl", accepts_scaled: bool = False) -> Conclusion:
    """Judge a run, write its report below ``out``, and return the outcome; raises ``OutputError``."""
    report = graded(measured, started, datetime.now(UTC))
    code = exit_code(report)
    if accepts_scaled and is_only_scaled(report.run.results):
        code = ExitCode.CONFORMANT
    if out is not None:
        part = LoadPart(load_of(measured), tuple(Drawing(plot.title, plot.text, plot.svg) for plot in plots(measured, lang)))
        write_report(report, out, catalogue(), lang, load=part)
    return Conclusion(outcome_text(measured, report, load_of(measured), code, out), code, report)


def graded(measured: Measured, started: datetime, finished: datetime) -> Report:
    """Return the verdict on each norm of the plan."""
    plan = measured.plan
    party = {"name": _party_name(measured), "oin": plan.connection.get("oin"), "services": list(SERVICES)}
    notes = (f"{plan.profile.title_en}.", *_notes(measured))
    run = Run(
        started, finished, {"afnemer": party}, plan.seed, case_results(measured), plan.norms, face=plan.settings.get("face", "adapter"), notes=notes
    )
    return grade(run, catalogue(), SERVICES, party=plan.profile.party)


def _party_name(measured: Measured) -> str:
    plan = measured.plan
    return f"Berichtenbox {plan.target}" if plan.profile.party == "logius" else plan.connection.get("name", "the Afnemer")


def _notes(measured: Measured) -> list[str]:
    plan = measured.plan
    notes = []
    if plan.scale < FULL:
        notes.append(f"Scale {plan.shown_scale}: volume and window are made smaller, the rate is that of the norm; such a run never claims a norm")
    if plan.is_slower and plan.demand.is_rate_norm:
        notes.append("The window is longer than that of the norm, so that the rate is lower: such a run never claims a norm")
    if plan.rate > plan.demand.rate * (1 + 1e-9):
        notes.append("The window is shorter than that of the norm, so that the rate is higher: that is harder")
    return notes


def load_of(measured: Measured) -> dict[str, Any]:
    """Return what was planned and measured, as the key ``load`` of report.json."""
    plan, generator = measured.plan, measured.generator
    return {
        "profile": plan.name,
        "titles": {"nl": plan.profile.title_nl, "en": plan.profile.title_en},
        "command": command_of(measured),
        "target": plan.target,
        "scale": plan.shown_scale,
        "claims": plan.can_claim,
        "settings": dict(plan.settings),
        "planned": {
            "messages": plan.volume,
            "window_s": plan.window_s,
            "rate": round(plan.rate, 6),
            "users": plan.users,
            "workers": generator.workers,
        },
        "sent": measured.sent,
        "took_s": round(measured.tally.highest.get("last answer", 0.0), 3),
        "requests": [_row(name, measured.samples.total(name)) for name in measured.samples.names],
        "over_time": [_moment(*piece) for piece in pieces(measured.samples)],
        "failures": dict(measured.tally.failures.most_common()),
        "generator": {
            "workers_lost": generator.workers_lost,
            "processor_full": generator.is_cpu_full,
            "late_while_waiting": measured.late_idle,
            "late_while_busy": measured.late_busy,
            "waited_s": {name: round(seconds, 3) for name, seconds in generator.waited_s.items()},
            "parties": {name: round(share, 3) for name, share in generator.party_cpu.items()},
        },
    }


def _row(name: str, cell: Cell) -> dict[str, Any]:
    p50, p99, p999 = (_ms(cell.percentile(share)) for share in PERCENTILES)
    return {
        "name": name,
        "count": cell.count,
        "failures": cell.failures,
        "p50_ms": p50,
        "p99_ms": p99,
        "p999_ms": p999,
        "longest_ms": _ms(cell.longest_s if cell.answered else None),
    }


def _moment(middle_s: float, size_s: int, cell: Cell) -> dict[str, Any]:
    """Return what happened in a piece of time, as the plots show it."""
    answered = {f"{name}_ms": _ms(cell.percentile(part)) for name, part in zip(("p50", "p99", "p999"), PERCENTILES, strict=True)}
    return {"at_s": middle_s, "seconds": size_s, "count": cell.count, "failures": cell.failures, **answered}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def command_of(measured: Measured) -> str:
    """Return the command that repeats the run: the one that started it, or for one that was started by hand what comes to the same."""
    if AGAIN in measured.plan.connection:
        return measured.plan.connection[AGAIN]
    plan, words = measured.plan, ["berichtenbox", "load", measured.plan.name]
    if plan.scale < FULL:
        words += ["--scale", str(float(plan.scale))]
    if plan.window_s != float(plan.demand.window.total_seconds() * plan.scale):
        words += ["--duration", f"{plan.window_s:g}s"]
    for setting in plan.profile.settings:
        if plan.settings.get(setting.name, setting.default) != setting.default:
            words += [f"--{setting.name}", plan.settings[setting.name]]
    if plan.connection.get("given"):
        words += ["--target", plan.target]
    return shlex.join([*words, "--seed", str(plan.seed)])
