"""Proves that every case can fail: plays each defect against all cases, and looks whether it fails what it must, and nothing unrelated.

Three null parties (silent, answering everything, echoing) may earn no pass at all, and the reference Afnemer must fail nothing.
"""

import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.defects import DEFECTS, Defect
from conformance.afnemer.driver import Caller, Driver, TimedOut, Verb
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.defects import LEGAL_RESULTS, RESULT_DEFECTS, known
from conformance.berichtenbox.sql import SqlLedger
from conformance.catalogue import catalogue
from conformance.certification import connection_of
from conformance.progress import Progress
from conformance.rules.grading import grade_result
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.stage.scene import Scene
from conformance.verdicts import CaseResult, Verdict

REFERENCE: Final = "reference"
_REACTION_S: Final = 1.0
_SEED: Final = 1
_BROKEN: Final = frozenset({Verdict.FAILED, Verdict.WARNING, Verdict.KIT_ERROR})


class UnknownDefectError(LookupError):
    """A defect that does not exist."""


@dataclass(frozen=True, slots=True)
class Row:
    """One party that was played: what had to fail, what failed, and what is wrong with that."""

    name: str
    does: str
    must_fail: frozenset[str]
    failed: frozenset[str]
    missed: frozenset[str]
    unrelated: frozenset[str]
    pitfall: int | None = None

    @property
    def is_proven(self) -> bool:
        """Whether it failed what it had to, and nothing unrelated."""
        return not self.missed and not self.unrelated


@dataclass(frozen=True, slots=True)
class SelftestResult:
    """Every row, and the MUSTs that no defect failed."""

    rows: tuple[Row, ...]
    unproven: tuple[str, ...]

    @property
    def is_proven(self) -> bool:
        """Whether every case can fail, for the right reason."""
        return not self.unproven and all(row.is_proven for row in self.rows)

    def render(self) -> str:
        """Return the matrix as text: a line a defect, what it failed, and what is wrong."""
        lines = [_line(row) for row in self.rows]
        good = sum(row.is_proven for row in self.rows)
        lines.append(f"{good} of {len(self.rows)} parties did what they should; {len(self.unproven)} MUSTs without a defect that fails them")
        lines.extend(f"  {requirement} was failed by nobody" for requirement in self.unproven)
        return "\n".join(lines)


def _line(row: Row) -> str:
    also = sorted(row.failed - row.must_fail)
    what = ", ".join(sorted(row.must_fail & row.failed)) or "-"
    text = f"{'ok ' if row.is_proven else 'NOT'} {row.name}: {what}" + (f" (and what follows: {', '.join(also)})" if also and row.is_proven else "")
    if row.missed:
        text += f"\n      did not fail {', '.join(sorted(row.missed))}"
    if row.unrelated:
        text += f"\n      failed, and should not: {', '.join(sorted(row.unrelated))}"
    return text


def run_selftest(jobs: int, only: Sequence[str], progress: Progress) -> SelftestResult:
    """Play every defect (or ``only`` some), ``jobs`` at a time; raises :class:`UnknownDefectError`."""
    names = _names(only)
    progress.started(len(names), "parties")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(play_party, name): name for name in names}
        rows = {}
        for future in as_completed(waiting):
            row = future.result()
            rows[row.name] = row
            progress.step(row.name, "ok" if row.is_proven else "NOT as it should")
    progress.finished()
    found = [rows[name] for name in names]
    result_rows = [] if only else [*_result_rows()]
    return SelftestResult((*found, *result_rows), () if only else _unproven([*found, *result_rows]))


def _names(only: Sequence[str]) -> list[str]:
    parties = [REFERENCE, *NULL_PARTIES, *DEFECTS]
    unknown = sorted(set(only) - set(parties))
    if unknown:
        raise UnknownDefectError(f"there is no defect {unknown[0]!r}; known are: {', '.join(parties)}")
    return [name for name in parties if not only or name in only]


def _unproven(rows: Sequence[Row]) -> tuple[str, ...]:
    killed = {requirement for row in rows for requirement in row.failed & row.must_fail}
    return tuple(item.id for item in catalogue().values() if item.level == "MUST" and item.decided_by != "declared" and item.id not in killed)


# -- playing one party -----------------------------------------------------------------------------------------------------------------------


def play_party(name: str) -> Row:
    """Play one party against the cases, and judge what it failed."""
    if name in NULL_PARTIES:
        return _null_row(name)
    if name == REFERENCE:
        failed = _failed(_play(ReferenceAfnemer, Selection()))
        return Row(name, "Does it right.", frozenset(), failed, frozenset(), failed)
    defect = DEFECTS[name]
    failed = _failed(_play(defect.make, Selection(heavy=defect.bulk and "AANL-026" in defect.fails, bulk=defect.bulk)))
    return _row(defect, failed)


def _row(defect: Defect, failed: frozenset[str]) -> Row:
    unrelated = frozenset(requirement for requirement in failed if not defect.allows(requirement))
    return Row(defect.name, defect.does, defect.fails, failed, defect.fails - failed, unrelated, defect.pitfall)


def _failed(results: Sequence[CaseResult]) -> frozenset[str]:
    broken = {result.requirement for result in results if result.verdict in _BROKEN}
    crashed = {f"{result.requirement} (kit-error in {result.case}: {result.message})" for result in results if result.verdict is Verdict.KIT_ERROR}
    return frozenset(broken | crashed)


def _play(make: Any, selection: Selection) -> Sequence[CaseResult]:
    with _stage() as (box, urls):
        party = make(connection_of(box, urls, _SEED))
        return _results(Scene(box, urls, Driver(PythonCaller.of(party)), reaction_s=_REACTION_S, seed=_SEED), selection)


def _results(scene: Scene, selection: Selection) -> Sequence[CaseResult]:
    plugin = CasePlugin(scene, selection, seed=_SEED, evidence_name=None, started=lambda _total: None, step=lambda _name, _outcome: None)
    try:
        return run_cases(plugin).results
    finally:
        scene.driver.close()


@contextmanager
def _stage() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="selftest-") as directory, SqlLedger(f"sqlite:///{Path(directory) / 'ledger.db'}") as ledger:
        box = Berichtenbox(ledger, seed=_SEED)
        with running(box, works_by_itself=False) as urls:
            yield box, urls


# -- null parties ----------------------------------------------------------------------------------------------------------------------------


class _Null:
    """A party that is none."""

    def settle(self) -> bool:
        return True

    def restart(self) -> bool:
        return False

    def close(self) -> None:
        """Hold nothing."""


class _Silent(_Null):
    """Never answers."""

    def call(self, verb: Verb, _body: Mapping[str, Any] | None = None, _subject: str | None = None) -> Any:
        raise TimedOut("no answer", verb=verb)


class _AnswersEverything(_Null):
    """Answers 200 with an empty object to everything."""

    def call(self, _verb: Verb, _body: Mapping[str, Any] | None = None, _subject: str | None = None) -> Any:
        return {}


class _Echo(_Null):
    """Answers what it was asked."""

    def call(self, _verb: Verb, body: Mapping[str, Any] | None = None, _subject: str | None = None) -> Any:
        return body


NULL_PARTIES: Final[dict[str, type[_Null]]] = {"is_silent": _Silent, "answers_everything": _AnswersEverything, "echoes": _Echo}


def _null_row(name: str) -> Row:
    kind = NULL_PARTIES[name]
    with _stage() as (box, urls):
        caller: Caller = kind()  # type: ignore[assignment]  # each kind has a call
        results = _results(Scene(box, urls, Driver(caller), reaction_s=0.2, seed=_SEED), Selection())
    passed = frozenset(result.requirement for result in results if result.verdict not in (Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE))
    return Row(name, kind.__doc__ or "", frozenset(), passed, frozenset(), passed)


# -- defective Berichtenboxes ----------------------------------------------------------------------------------------------------------------


def _result_rows() -> Iterator[Row]:
    for defect in RESULT_DEFECTS:
        failed, must = defect.failed(), frozenset({defect.fails})
        yield Row(f"berichtenbox {defect.name}", defect.does, must, failed, must - failed, failed - must - defect.also)
    alarms = frozenset(finding.requirement for document in LEGAL_RESULTS for finding in grade_result(document(), known())[0].findings)
    yield Row("berichtenbox that is legal, however strange", "Writes what the schema allows.", frozenset(), alarms, frozenset(), alarms)
