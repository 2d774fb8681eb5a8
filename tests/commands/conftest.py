"""The command line in this process, with what it wrote and its exit code; and a comparison with stored outputs."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pytest

from conformance.catalogue import catalogue
from conformance.cli import run
from conformance.report.model import KnownFailure, Report, Run, grade
from conformance.verdicts import CaseResult, Reason, Verdict

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def berichtenbox(capsys, monkeypatch, tmp_path) -> Callable[..., Ended]:
    """Run a command in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        code = run(arguments)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare with a stored file of at most 80 columns; UPDATE_GOLDEN=1 stores what is seen instead."""

    def compare(name: str, seen: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.write_text(seen, encoding="utf-8", newline="\n")
        assert max(map(len, seen.splitlines())) <= 80
        assert seen == path.read_text(encoding="utf-8"), f"{name} differs; UPDATE_GOLDEN=1 stores the new one"

    return compare


@pytest.fixture
def deciders(monkeypatch) -> ModuleType:
    """A kit in which one case decides AANL-035, and one defect fails it."""
    module = ModuleType("conformance.deciders")
    module.deciders = lambda: {"AANL-035": ("rules.batch", "aanleveren/oud")}
    module.defects = lambda: {"AANL-035": ("dates_in_the_past",)}
    monkeypatch.setitem(sys.modules, "conformance.deciders", module)
    return module


@pytest.fixture
def report() -> Callable[..., Report]:
    """Grade results against the shipped catalogue; only the requirements with a result, a declaration or ``ids`` are selected."""

    def make(*results: CaseResult, ids=(), declared=None, known=(), notes=()) -> Report:
        selection = tuple(dict.fromkeys([*(result.requirement for result in results), *(declared or {}), *ids]))
        moment = datetime(2026, 11, 24, 9, tzinfo=UTC)
        profile = {"afnemer": {"name": "Gemeente Voorbeeld", "oin": "00000099000000001000"}}
        run_ = Run(moment, moment, profile, 7, results, selection, notes=notes)
        return grade(run_, catalogue(), ("aanleveren",), declared, known)

    return make


@pytest.fixture
def mixed(report) -> Report:
    """A run in which every verdict occurs."""
    return report(
        CaseResult("AANL-001", "aanleveren/cpa", Verdict.PASSED, "fine"),
        CaseResult(
            "AANL-030",
            "aanleveren/batch_id",
            Verdict.FAILED,
            "The BatchID is not a GUID.",
            expected="a GUID: 8-4-4-4-12 hex digits, without braces",
            seen="BSN 999990019 \x1b[31mred\x1b[0m {6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        ),
        CaseResult("AANL-041", "aanleveren/many", Verdict.FAILED, "nil", seen=""),
        CaseResult("AANL-020", "aanleveren/xml", Verdict.KIT_ERROR, "ValueError in the case"),
        CaseResult("HERL-003", "herlevering/inhoud", Verdict.FAILED, "another text", seen="an Onderwerp that differs"),
        CaseResult("HERL-001", "herlevering/alles", Verdict.NOT_TESTED, "", Reason.DRIVER_CANNOT),
        ids=("HERL-002", "VERW-037"),
        declared={"VERW-036": "wiped"},
        known=(
            KnownFailure("AANL-041", "The supplier delivers in January.", "J. Jansen", date(2027, 1, 31)),
            KnownFailure("AANL-001", "Was so once.", "J. Jansen", date(2027, 1, 31)),
        ),
        notes=("a note",),
    )
