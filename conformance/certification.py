"""Certifies an Afnemer: starts the Berichtenbox, tries the driver, runs the cases, grades, and writes the report."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.driver import Caller, CannotDo, Delivered, Driver, Verb
from conformance.afnemer.drivers.command import CommandCaller
from conformance.afnemer.drivers.http import HttpCaller
from conformance.afnemer.drivers.manual import ManualCaller
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.smoke import smoke_check
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.catalogue import catalogue
from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.profile import Profile
from conformance.progress import Progress
from conformance.report.evidence import evidence_name
from conformance.report.model import KnownFailure, Report, Run, exit_code, grade
from conformance.report.write import write_report
from conformance.stage.running import CasePlugin, CaseRun, Selection, run_cases
from conformance.stage.scene import Scene
from conformance.verdicts import ExitCode

_VERB_S: Final = 60.0  # delivering a thousand letters with bijlagen may take an Afnemer a while
_NOT_RUN: Final = (126, 127)  # what a shell says of a command that it cannot find or start
_IN_THIS_PROCESS: Final = frozenset({"reference", "python"})
_RESTART_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class CertifyOptions:
    """What one run is asked to do: where the report goes (``None``: nowhere), which requirements, with which seed, and how."""

    out: Path | None
    only: tuple[str, ...] = ()
    seed: int = 0
    locked: bool = False
    lang: str = "nl"
    heavy: bool = True


@dataclass(frozen=True, slots=True)
class Certification:
    """A run that was graded, and where its files are."""

    report: Report
    files: tuple[Path, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the run."""
        return exit_code(self.report)


def certify(profile: Profile, options: CertifyOptions, progress: Progress) -> Certification:
    """Certify the Afnemer of ``profile``.

    Raises :class:`DriverError` when it cannot be driven, ``ServerError`` when the Berichtenbox cannot listen, ``OutputError`` when the report
    cannot be written.
    """
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory, stage(profile, options.seed, Path(directory)) as scene:
        smoke_check(scene.driver, scene.citizen(), scene.bericht_type)
        cases = play(scene, options, progress)
    report = _graded(profile, options, cases, started)
    files = [] if options.out is None else _write(report, options.out, options.lang, cases)
    return Certification(report, tuple(files))


@contextmanager
def stage(profile: Profile, seed: int, directory: Path) -> Iterator[Scene]:
    """Start the Berichtenbox and reach the Afnemer of ``profile``; its ledger is in ``directory``."""
    with SqlLedger(f"sqlite:///{directory / 'ledger.db'}") as ledger:
        box = Berichtenbox(ledger, profile.connection_config(), seed=seed)
        # An Afnemer in this process acts only when the cases ask it to, and the cases settle the Berichtenbox then.
        is_embedded = profile.driver.kind in _IN_THIS_PROCESS
        with running(box, profile.berichtenbox.host, profile.berichtenbox.port, works_by_itself=not is_embedded) as urls:
            driver = Driver(caller_for(profile, connection_of(box, urls, seed), box))
            try:
                yield Scene(box, urls, driver, reaction_s=profile.timing.reaction_s, seed=seed)
            finally:
                driver.close()


def connection_of(box: Berichtenbox, urls: Urls, seed: int) -> dict[str, str]:
    """Return the ``BERICHTENBOX_*`` variables that tell an Afnemer where the simulated Berichtenbox is."""
    return {
        "BERICHTENBOX_ADAPTER": urls.adapter,
        "BERICHTENBOX_CPA_ID": box.connection.cpa_id,
        "BERICHTENBOX_OIN": box.config.oin,
        "BERICHTENBOX_LOGIUS_OIN": LOGIUS_TEST_OIN,
        "BERICHTENBOX_BERICHT_TYPES": ",".join(box.config.bericht_types),
        "BERICHTENBOX_SEED": str(seed),
    }


def caller_for(profile: Profile, connection: Mapping[str, str], box: Berichtenbox) -> Caller:
    """Return the way to the Afnemer that the profile names; without a driver the reference Afnemer stands in."""
    driver = profile.driver
    callers: dict[str, Callable[[], Caller]] = {
        "http": lambda: HttpCaller(driver.location, _VERB_S),
        "command": lambda: CommandCaller(driver.commands or driver.location, _VERB_S, connection),
        "python": lambda: PythonCaller(driver.location, connection),
        "manual": lambda: ManualCaller(seen=lambda: seen_by(box)),
        "reference": lambda: PythonCaller.of(ReferenceAfnemer(connection)),
        "none": _Undriven,
    }
    caller: Caller = callers[driver.kind]()
    return _Restartable(caller, driver.restart) if driver.restart else caller


def seen_by(box: Berichtenbox) -> list[Delivered]:
    """Return the berichten that arrived so far, oldest first."""
    box.settle()
    return [Delivered(item.bericht_id, item.batch_id) for item in box.ledger.berichten(0)]


class _Undriven:
    """Stands where no driver is: nothing can be asked."""

    def call(self, verb: Verb, _body: Mapping[str, Any] | None = None, _subject: str | None = None) -> Any:
        raise CannotDo("the profile has [driver] kind = 'none'", verb=verb, hint="choose a driver: http, command, python or manual")

    def settle(self) -> bool:
        return False

    def restart(self) -> bool:
        return False

    def close(self) -> None:
        """Hold nothing."""


class _Restartable:
    """A caller whose Afnemer is restarted by a shell command of the profile."""

    def __init__(self, caller: Caller, command: str) -> None:
        self._caller = caller
        self._command = command

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        return self._caller.call(verb, body, subject)

    def settle(self) -> bool:
        return self._caller.settle()

    def restart(self) -> bool:
        try:
            ended = subprocess.run(  # noqa: S602  # the user's own command
                self._command,
                shell=True,
                check=False,
                timeout=_RESTART_S,
                # No pipes: an Afnemer that the command leaves running would keep them open, and they would be waited for.
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotDo(f"the restart command failed: {error}", hint="check [driver] restart in the profile") from None
        if ended.returncode in _NOT_RUN:
            raise CannotDo(f"the restart command does not exist: {self._command}", hint="check [driver] restart in the profile")
        return ended.returncode == 0

    def close(self) -> None:
        self._caller.close()


def play(scene: Scene, options: CertifyOptions, progress: Progress) -> CaseRun:
    """Run the selected cases on a stage that is ready."""
    plugin = CasePlugin(
        scene,
        Selection(frozenset(options.only) or None, options.heavy),
        seed=options.seed,
        evidence_name=(lambda case: evidence_name(case, 1, "txt")) if options.out is not None else None,
        started=lambda total: progress.started(total, "cases"),
        step=progress.step,
    )
    cases = run_cases(plugin)
    progress.finished()
    return cases


def _graded(profile: Profile, options: CertifyOptions, cases: CaseRun, started: datetime) -> Report:
    run = Run(
        started=started,
        finished=datetime.now(UTC),
        profile=profile.to_json(),
        seed=options.seed,
        results=tuple(sorted(cases.results, key=lambda result: (result.requirement, result.case))),
        selection=options.only or None,
        locked=options.locked,
        face=profile.berichtenbox.face,
        notes=() if options.heavy else ("cases that move more than 100 MB were left out (--quick)",),
    )
    known = tuple(KnownFailure(item.id, item.reason, item.owner, item.until) for item in profile.known_failures)
    return grade(run, catalogue(), profile.afnemer.services, profile.declared, known)


def _write(report: Report, out: Path, lang: str, cases: CaseRun) -> list[Path]:
    evidence = {name: text.encode() for name, text in cases.transcripts.items()}
    return write_report(report, out, catalogue(), lang, evidence)
