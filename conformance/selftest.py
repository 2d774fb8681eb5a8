"""Proves that every case can fail: plays each defect, and looks whether it fails what it must, and nothing unrelated.

A defect plays the cases on the part of the work that it does wrong; thoroughly, all of them. Three null parties (silent, answering everything,
echoing) may earn no pass at all, and the reference Afnemer must fail nothing.
"""

import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.defects import DEFECTS, Defect
from conformance.afnemer.driver import Caller, Driver, TimedOut, Verb
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.defects import LEGAL_RESULTS, RESULT_DEFECTS, known
from conformance.berichtenbox.generated_defects import GENERATED_DEFECTS
from conformance.berichtenbox.register import ConnectionConfig
from conformance.berichtenbox.service_defects import SERVICE_DEFECTS
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS, WireDefect
from conformance.catalogue import catalogue
from conformance.certification import connection_of, scene_of, set_up
from conformance.messages.identities import reserved_test_bsns
from conformance.profile import Profile
from conformance.progress import Progress
from conformance.rules.grading import grade_result
from conformance.stage.box_stage import BoxStage
from conformance.stage.running import CasePlugin, Selection, collected, needs_of, run_cases
from conformance.stage.scene import Scene
from conformance.transport import pki
from conformance.verdicts import CaseResult, Verdict
from conformance.verification import simulated
from conformance.wiring import Wiring, wire

REFERENCE: Final = "reference"
LINES: Final = {"reference over ebMS2": "none", "reference over ebMS2, signals in the answer": "mshSignalsOnly"}
"""The reference Afnemer over ebMS2, with the syncReplyMode of its CPA."""
BOXES: Final[Mapping[str, WireDefect | None]] = {
    "berichtenbox": None,
    "berichtenbox with signals in the answer": None,
    **{f"berichtenbox {defect.name}": defect for defect in (*WIRE_DEFECTS, *SERVICE_DEFECTS, *GENERATED_DEFECTS)},
}
"""The Berichtenboxes that `berichtenbox verify` meets: two that do it right, and the defective ones."""
_HEAVY: Final = frozenset({"AANL-026", "ABO-037"})
"""What only a case decides that moves much."""
_REACTION_S: Final = 1.0
_SEED: Final = 1
_SIDES: Final = (
    frozenset({"tls_zenden", "tls_ontvangen"}),
    frozenset({"ebms_regels", "ebms_zenden"}),
    frozenset({"ebms_ontvangen", "ebms_weigeren", "ebms_signalen"}),
)
"""The cases over the wire, by what a gateway does: shaking hands, sending, receiving."""
_JOBS: Final = (
    frozenset({"abonnementen", "abonnementen_antwoorden", "abonnementen_regels"}),
    frozenset({"validatie", "validatie_antwoorden", "validatie_regels"}),
    frozenset({"controle"}),
    frozenset({"aanleveren", "aanleveren_regels"}),
    frozenset({"verwerkingsberichten", "afwijzingen"}),
    frozenset({"herlevering"}),
    frozenset({"gegenereerd"}),
)
"""The cases on what an Afnemer does, by its job: asking who wants letters in three ways, sending, receiving, sending again; and what is generated."""
_FACES: Final = (
    frozenset({"berichtenbox_wus", "berichtenbox_validatie"}),
    frozenset({"berichtenbox_tls", "tls_ontvangen"}),
    frozenset({"berichtenbox_abonnementen"}),
    frozenset({"berichtenbox_resultaat", "berichtenbox_regels", "ebms_ontvangen", "ebms_weigeren", "ebms_signalen"}),
    *map(
        frozenset,
        (
            (
                "berichtenbox_gegenereerd/right_questions_are_answered",
                "berichtenbox_gegenereerd/nearly_right_questions_get_their_fault",
                "berichtenbox_gegenereerd/damaged_questions_are_refused",
                "berichtenbox_gegenereerd/faults_name_no_bsn",
            ),
            (
                "berichtenbox_gegenereerd/batches_get_their_codes",
                "berichtenbox_gegenereerd/what_was_stored_is_stored_once",
                "berichtenbox_gegenereerd/damaged_messages_are_refused",
                "berichtenbox_gegenereerd/what_is_acknowledged_survives_a_restart",
                "berichtenbox_gegenereerd/strange_headers_change_nothing",
            ),
            (
                "berichtenbox_gegenereerd/calls_of_the_adapter_are_answered_as_described",
                "berichtenbox_gegenereerd/results_wait_until_they_are_processed",
                "berichtenbox_gegenereerd/results_come_back_for_six_days",
            ),
        ),
    ),
)
"""The cases on a Berichtenbox, by what it does: answering questions, shaking hands, telling who wants letters, taking them.

What is generated takes long: it stands by case, by what it is sent to.
"""
_ASKING: Final = 3
"""How many of the jobs are about asking."""
_WIRE: Final = frozenset(item.id for item in catalogue().values() if item.subject in {"EBMS", "TLS"})
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


def run_selftest(jobs: int, only: Sequence[str], progress: Progress, *, is_thorough: bool = False) -> SelftestResult:
    """Play every defect (or ``only`` some), ``jobs`` at a time, thoroughly against all cases; raises :class:`UnknownDefectError`."""
    names = _names(only)
    progress.started(len(names), "parties")
    spawning = multiprocessing.get_context("spawn")
    with _certificates() as directory, ProcessPoolExecutor(max_workers=jobs, mp_context=spawning) as pool:
        waiting = {pool.submit(play_party, name, directory, is_thorough=is_thorough): name for name in names}
        rows = {}
        try:
            for future in as_completed(waiting):
                row = future.result()
                rows[row.name] = row
                progress.step(row.name, "ok" if row.is_proven else "NOT as it should")
        except BaseException:
            # Or whoever interrupts it waits for the party that is played, which may take a minute, and then for all that are left.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    progress.finished()
    found = [rows[name] for name in names]
    result_rows = [] if only else [*_result_rows()]
    return SelftestResult((*found, *result_rows), () if only else _unproven([*found, *result_rows]))


def _names(only: Sequence[str]) -> list[str]:
    parties = [REFERENCE, *LINES, *NULL_PARTIES, *DEFECTS, *BOXES]
    unknown = sorted(set(only) - set(parties))
    if unknown:
        raise UnknownDefectError(f"there is no defect {unknown[0]!r}; known are: {', '.join(parties)}")
    return [name for name in parties if not only or name in only]


def _unproven(rows: Sequence[Row]) -> tuple[str, ...]:
    killed = {requirement for row in rows for requirement in row.failed & row.must_fail}
    return tuple(item.id for item in catalogue().values() if item.level == "MUST" and item.decided_by in ("rule", "case") and item.id not in killed)


# -- playing one party -----------------------------------------------------------------------------------------------------------------------


@contextmanager
def _certificates() -> Iterator[Path]:
    """Make the test certificates once for all parties: that takes longer than playing one."""
    with tempfile.TemporaryDirectory(prefix="selftest-") as directory:
        place, own = Path(directory) / "pki", ConnectionConfig()
        pki.write(place, pki.make(pki.Plan(own.oin, datetime.now(UTC), logius_oin=own.logius_oin)))
        yield place


def play_party(name: str, certificates: Path | None = None, *, is_thorough: bool = False) -> Row:
    """Play one party against the cases, and judge what it failed; ``certificates`` of ``berichtenbox pki new`` save making them."""
    if name in NULL_PARTIES:
        return _null_row(name, certificates)
    if name in BOXES:
        return _box_row(name, certificates, is_thorough=is_thorough)
    if name in (REFERENCE, *LINES):
        results = _play_line(ReferenceAfnemer, Selection(), certificates, LINES[name]) if name in LINES else _play(ReferenceAfnemer, Selection())
        failed = _failed(results)
        return Row(name, "Does it right.", frozenset(), failed, frozenset(), failed)
    defect = DEFECTS[name]
    return _row(defect, _failed(_play_defect(defect, certificates, is_thorough=is_thorough)))


def _play_defect(defect: Defect, certificates: Path | None, *, is_thorough: bool = False) -> Sequence[CaseResult]:
    is_wire = defect.face == "ebms"
    wanted = None if is_thorough else _part_of(defect, _SIDES if is_wire else _JOBS)
    if is_wire:
        sync_reply = "mshSignalsOnly" if "sync" in needs_of(defect.fails) else "none"
        return _play_line(defect.make, Selection(wanted, heavy=False, bulk=defect.bulk), certificates, sync_reply)
    is_heavy = defect.bulk and bool(defect.fails & _HEAVY)
    return _play(defect.make, Selection(wanted, heavy=is_heavy, bulk=defect.bulk))


@cache
def _decided_in(parts: Sequence[frozenset[str]]) -> Sequence[frozenset[str]]:
    """Return for each part, a set of cases or of modules of them, which requirements it decides."""
    cases = [({case, case.partition("/")[0]}, decided) for case, decided, _ in collected()]
    return [frozenset(item for names, decided in cases if names & part for item in decided) for part in parts]


def _part_of(defect: Defect | WireDefect, parts: Sequence[frozenset[str]]) -> frozenset[str] | None:
    """Return the requirements of the parts in which a defect is, ``None`` for all: it does the rest as who does it right, and that one plays all."""
    return frozenset[str]().union(*(part for part in _decided_in(parts) if part & defect.fails)) or None


def _row(defect: Defect, failed: frozenset[str]) -> Row:
    unrelated = frozenset(requirement for requirement in failed if not defect.allows(requirement))
    return Row(defect.name, defect.does, defect.fails, failed, defect.fails - failed, unrelated, defect.pitfall)


def _failed(results: Sequence[CaseResult]) -> frozenset[str]:
    broken = {result.requirement for result in results if result.verdict in _BROKEN}
    crashed = {f"{result.requirement} (kit-error in {result.case}: {result.message})" for result in results if result.verdict is Verdict.KIT_ERROR}
    return frozenset(broken | crashed)


def _play(make: Any, selection: Selection) -> Sequence[CaseResult]:
    """Play a party over the adapter face."""
    with _stage() as (box, urls):
        party = make(connection_of(box, urls, _SEED))
        if selection.requirements is not None and not any(selection.requirements & job for job in _decided_in(_JOBS)[:_ASKING]):
            _introduce(party, box)
        return _results(Scene(box, urls, Driver(PythonCaller.of(party)), reaction_s=_REACTION_S, seed=_SEED), selection)


def _introduce(party: ReferenceAfnemer, box: Berichtenbox) -> None:
    """Let an Afnemer ask about everybody at once where asking is not what is tested: it would do so before each letter."""
    for bericht_type in box.config.bericht_types:
        party.validatie({"berichtType": bericht_type, "bsn": list(reserved_test_bsns())})


def _play_line(make: Any, selection: Selection, certificates: Path | None, sync_reply: str) -> Sequence[CaseResult]:
    """Play a party over ebMS2 with two-way TLS."""
    with _wired(certificates, sync_reply) as (box, urls, wiring):
        party = make(connection_of(box, urls, _SEED) | dict(wiring.variables()))
        return _results(scene_of(box, urls, Driver(PythonCaller.of(party)), wiring, reaction_s=_REACTION_S, seed=_SEED), selection)


def _results(scene: Scene, selection: Selection) -> Sequence[CaseResult]:
    try:
        return _judged(scene, selection)
    finally:
        scene.driver.close()


def _judged(stage: Scene | BoxStage, selection: Selection) -> Sequence[CaseResult]:
    plugin = CasePlugin(stage, selection, seed=_SEED, evidence_name=None, started=lambda _total: None, step=lambda _name, _outcome: None)
    return run_cases(plugin).results


@contextmanager
def _stage() -> Iterator[tuple[Berichtenbox, Urls]]:
    with tempfile.TemporaryDirectory(prefix="selftest-") as directory, _ledger(directory) as ledger:
        box = Berichtenbox(ledger, seed=_SEED)
        with running(box, works_by_itself=False) as urls:
            yield box, urls


def _ledger(directory: str) -> SqlLedger:
    return SqlLedger(f"sqlite:///{Path(directory) / 'ledger.db'}", is_durable=False)


def _loaded(certificates: Path | None) -> pki.Pki | None:
    return None if certificates is None else pki.load(certificates)


@contextmanager
def _wired(certificates: Path | None, sync_reply: str) -> Iterator[tuple[Berichtenbox, Urls, Wiring]]:
    profile = Profile.default("ebms")
    with tempfile.TemporaryDirectory(prefix="selftest-") as directory, _ledger(directory) as ledger:
        wiring = wire(profile, Path(directory), is_movable=True, certificates=_loaded(certificates), sync_reply=sync_reply)
        box = Berichtenbox(ledger, seed=_SEED)
        with set_up(box, profile, wiring, works_by_itself=False) as urls:
            yield box, urls, wiring


# -- null parties ----------------------------------------------------------------------------------------------------------------------------


class _Null:
    """A party that is none."""

    def settle(self) -> bool:
        return True

    def restart(self) -> bool:
        return False

    def advance(self, _seconds: float) -> bool:
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


def _null_row(name: str, certificates: Path | None) -> Row:
    kind = NULL_PARTIES[name]
    caller: Caller = kind()  # type: ignore[assignment]  # each kind has a call
    with _stage() as (box, urls):
        results = [*_results(Scene(box, urls, Driver(caller), reaction_s=0.2, seed=_SEED), Selection())]
    with _wired(certificates, "none") as (box, urls, wiring):
        results += _results(scene_of(box, urls, Driver(caller), wiring, reaction_s=0.2, seed=_SEED), Selection(_WIRE))
    passed = frozenset(result.requirement for result in results if result.verdict not in (Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE))
    return Row(name, kind.__doc__ or "", frozenset(), passed, frozenset(), passed)


# -- defective Berichtenboxes ----------------------------------------------------------------------------------------------------------------


def _box_row(name: str, certificates: Path | None, *, is_thorough: bool = False) -> Row:
    """Play a simulated Berichtenbox against the cases of `berichtenbox verify`."""
    defect, sync_reply = BOXES[name], "mshSignalsOnly" if name.endswith("signals in the answer") else "none"
    shown = None if certificates is None else pki.load(certificates)
    wanted = None if defect is None or is_thorough else _part_of(defect, _FACES)
    with (
        tempfile.TemporaryDirectory(prefix="selftest-") as directory,
        simulated(Path(directory), shown, defect=defect, sync_reply=sync_reply, seed=_SEED) as stage,
    ):
        # What is generated takes a while: it is played to who does it right, and to who is only found by that.
        failed = _failed(_judged(stage, Selection(wanted, heavy=False, bulk=defect is None or defect in GENERATED_DEFECTS)))
    if defect is None:
        return Row(name, "Does it right.", frozenset(), failed, frozenset(), failed)
    return Row(name, f"It {defect.does}.", defect.fails, failed, defect.fails - failed, failed - defect.fails - defect.also)


def _result_rows() -> Iterator[Row]:
    for defect in RESULT_DEFECTS:
        failed, must = defect.failed(), frozenset({defect.fails})
        yield Row(f"berichtenbox {defect.name}", defect.does, must, failed, must - failed, failed - must - defect.also)
    alarms = frozenset(finding.requirement for document in LEGAL_RESULTS for finding in grade_result(document(), known())[0].findings)
    yield Row("berichtenbox that is legal, however strange", "Writes what the schema allows.", frozenset(), alarms, frozenset(), alarms)
