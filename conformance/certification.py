"""Certifies an Afnemer: starts the Berichtenbox, tries the driver, runs the cases, grades, and writes the report."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.driver import Caller, CannotDo, Delivered, Driver, Unreachable, Verb
from conformance.afnemer.drivers.command import CommandCaller
from conformance.afnemer.drivers.http import HttpCaller
from conformance.afnemer.drivers.manual import ManualCaller
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.smoke import smoke_check
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire import Exchange
from conformance.catalogue import catalogue
from conformance.profile import Profile
from conformance.progress import Progress
from conformance.report.evidence import evidence_name
from conformance.report.model import KnownFailure, Report, Run, exit_code, grade
from conformance.report.write import write_report
from conformance.sno.quotas import per_hour, per_night
from conformance.stage.box_stage import BoxStage
from conformance.stage.line import Line
from conformance.stage.running import CasePlugin, CaseRun, Selection, needs_of, run_cases
from conformance.stage.scene import Scene
from conformance.transport.ebms2.http import TroubleKind
from conformance.transport.misbehaving import Presenting
from conformance.transport.tls import client_context
from conformance.verdicts import ExitCode
from conformance.wiring import Wiring, wire

_VERB_S: Final = 60.0  # delivering a thousand letters with bijlagen may take an Afnemer a while
_NOT_RUN: Final = (126, 127)  # what a shell says of a command that it cannot find or start
_IN_THIS_PROCESS: Final = frozenset({"reference", "python"})
_RESTART_S: Final = 120.0
_BY_TLS: Final = f"{TroubleKind.TLS}: "


@dataclass(frozen=True, slots=True)
class CertifyOptions:
    """What one run is asked to do: where the report goes (``None``: nowhere), which requirements, with which seed, and how.

    ``depth`` says how much is generated for a Berichtenbox.
    """

    out: Path | None
    only: tuple[str, ...] = ()
    seed: int = 0
    locked: bool = False
    lang: str = "nl"
    heavy: bool = True
    depth: str = "default"


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

    Raises :class:`DriverError` when it cannot be driven, or when TLS keeps it out and nothing can be graded, ``ServerError`` when the
    Berichtenbox cannot listen, ``OutputError`` when the report cannot be written.
    """
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory, stage(profile, options.seed, Path(directory)) as scene:
        smoke_check(scene.driver, scene.citizen(), scene.bericht_type)
        found = obstacle(scene)
        cases = play(scene, options, progress, None if found is None else _decided_all_the_same(options, found, scene.has))
        exceeded = told_use(scene.box)
    report = _graded(profile, options, cases, started, (*_notes(options, found), *exceeded))
    files = [] if options.out is None else _write(report, options.out, options.lang, cases)
    return Certification(report, tuple(files))


@contextmanager
def stage(profile: Profile, seed: int, directory: Path) -> Iterator[Scene]:
    """Start the Berichtenbox and reach the Afnemer of ``profile``; its ledger, and what else is made for the run, is in ``directory``."""
    # An Afnemer in this process acts only when the cases ask it to, and the cases settle the Berichtenbox then.
    is_embedded = profile.driver.kind in _IN_THIS_PROCESS
    wiring = wire(profile, directory, is_movable=is_embedded) if profile.berichtenbox.face == "ebms" else None
    with SqlLedger(f"sqlite:///{directory / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, profile.connection_config(), seed=seed, population=profile.population())
        with set_up(box, profile, wiring, works_by_itself=not is_embedded) as urls:
            variables = connection_of(box, urls, seed) | ({} if wiring is None else dict(wiring.variables()))
            driver = Driver(caller_for(profile, variables, box))
            try:
                yield scene_of(box, urls, driver, wiring, reaction_s=profile.timing.reaction_s, seed=seed, is_embedded=is_embedded)
            finally:
                driver.close()


@contextmanager
def set_up(box: Berichtenbox, profile: Profile, wiring: Wiring | None, *, works_by_itself: bool) -> Iterator[Urls]:
    """Run the Berichtenbox where the profile says: over plain HTTP or two-way TLS, and with a wiring over ebMS2 too."""
    presenting = None if profile.pki is None else Presenting(profile.pki.files_of("server"))
    port = profile.berichtenbox.port
    if wiring is not None:
        presenting, port = wiring.presenting, wiring.port
        box.connect(wiring.cpa, None if presenting is None else client_context(presenting.files), wiring.cpa_file.read_bytes())
    with running(box, profile.berichtenbox.host, port, works_by_itself=works_by_itself, tls=presenting) as urls:
        yield urls


def scene_of(
    box: Berichtenbox, urls: Urls, driver: Driver, wiring: Wiring | None, *, reaction_s: float, seed: int, is_embedded: bool = True
) -> Scene:
    """Return the stage of the cases. Time passes for an Afnemer in this process as it does for the Berichtenbox."""
    if wiring is None:
        return Scene(box, urls, driver, reaction_s=reaction_s, seed=seed)
    if is_embedded:
        box.time_passed = lambda by: _let_pass(driver, by)
    line = Line(wiring.cpa, wiring.gateway, wiring.certificates, wiring.presenting, is_embedded, *wiring.schedule())
    return Scene(box, urls, driver, reaction_s=reaction_s, seed=seed, line=line)


def _let_pass(driver: Driver, by: timedelta) -> None:
    driver.advance(by.total_seconds())
    driver.settle()


def connection_of(box: Berichtenbox, urls: Urls, seed: int) -> dict[str, str]:
    """Return the ``BERICHTENBOX_*`` variables that tell an Afnemer where the simulated Berichtenbox is."""
    return {
        "BERICHTENBOX_ADAPTER": urls.adapter,
        "BERICHTENBOX_EBMS": urls.ebms,
        "BERICHTENBOX_WUS": urls.wus,
        "BERICHTENBOX_CPA_ID": box.connection.cpa_id,
        "BERICHTENBOX_OIN": box.config.oin,
        "BERICHTENBOX_LOGIUS_OIN": box.config.logius_oin,
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

    def advance(self, _seconds: float) -> bool:
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
        return restart_by(self._command)

    def advance(self, seconds: float) -> bool:
        return self._caller.advance(seconds)

    def close(self) -> None:
        self._caller.close()


# -- when TLS keeps both sides apart -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why TLS lets nothing through: in a sentence, and what to do next."""

    text: str
    hint: str


def obstacle(scene: Scene) -> Obstacle | None:
    """Return why TLS keeps out what the smoke check had delivered, or its result; ``None`` when both came in, or when nobody knows.

    Each case would wait for what cannot come: that takes long, and blames the Afnemer for what is no fault of its own code.
    """
    if not scene.urls.url.startswith("https:"):
        return None
    return _kept_out(scene) or _not_let_in(scene)


def _kept_out(scene: Scene) -> Obstacle | None:
    box = scene.box
    scene.wait(lambda: bool(box.offers(scene.run_mark) or box.refused(scene.began)), is_patient=False)
    refused = box.refused(scene.began)
    if box.offers(scene.run_mark) or not refused:
        return None
    text = f"the Berichtenbox refuses the connections of this Afnemer ({refused[0].defect}): {refused[0].got}"
    return Obstacle(text, refused[0].hint)


def _not_let_in(scene: Scene) -> Obstacle | None:
    def pushed() -> list[Exchange]:
        return [one for one in scene.box.exchanges(scene.run_mark) if not one.is_incoming]

    if scene.line is None or not scene.wait(lambda: bool(pushed()), is_patient=False):
        return None
    if any(one.status or not one.note.startswith(_BY_TLS) for one in pushed()):
        return None
    text = f"the Berichtenbox gets no connection with the gateway of this Afnemer: {pushed()[-1].note.removeprefix(_BY_TLS)}"
    return Obstacle(text, "compare the certificate of the gateway with the one in its CPA")


def _decided_all_the_same(options: CertifyOptions, found: Obstacle, has: frozenset[str]) -> frozenset[str]:
    """Return the requirements that can be decided when TLS lets nothing through; raises :class:`Unreachable` when there are none."""
    wanted = catalogue().deciding(options.only or catalogue())
    left = frozenset(item for item in wanted if "tls" in needs_of([item]))
    if not left or "tls" not in has:
        raise Unreachable(found.text, hint=found.hint)
    return left


def _notes(options: CertifyOptions, found: Obstacle | None) -> Iterator[str]:
    if not options.heavy:
        yield "cases that move a million BSNs or more than 100 MB were left out (--quick)"
    if found is not None:
        yield f"only TLS was graded, for {found.text}; {found.hint}"


def told_use(box: Berichtenbox) -> tuple[str, ...]:
    """Return a sentence for each night and hour in which more was asked than the SNO allows all Afnemers together, with the share of this one."""
    counts, oin = box.abonnementen.usage.counts(), box.config.oin
    nights = (sentence for use in per_night(counts).values() for sentence in use.told(oin))
    hours = (sentence for use in per_hour(counts).values() for sentence in use.told(oin))
    return (*nights, *hours)


def restart_by(command: str) -> bool:
    """Run the restart command of a profile, and return whether it said that it did; raises :class:`CannotDo` when it could not be run."""
    try:
        ended = subprocess.run(  # noqa: S602  # the user's own command
            command,
            shell=True,
            check=False,
            timeout=_RESTART_S,
            # No pipes: a party that the command leaves running would keep them open, and they would be waited for.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotDo(f"the restart command failed: {error}", hint="check [driver] restart in the profile") from None
    if ended.returncode in _NOT_RUN:
        raise CannotDo(f"the restart command does not exist: {command}", hint="check [driver] restart in the profile")
    return ended.returncode == 0


def play(scene: Scene | BoxStage, options: CertifyOptions, progress: Progress, requirements: frozenset[str] | None = None) -> CaseRun:
    """Run the selected cases on a stage that is ready, or those of ``requirements``."""
    plugin = CasePlugin(
        scene,
        Selection(requirements or catalogue().deciding(options.only) or None, options.heavy),
        seed=options.seed,
        evidence_name=(lambda case: evidence_name(case, 1, "txt")) if options.out is not None else None,
        started=lambda total: progress.started(total, "cases"),
        step=progress.step,
    )
    cases = run_cases(plugin)
    progress.finished()
    return cases


def _graded(profile: Profile, options: CertifyOptions, cases: CaseRun, started: datetime, notes: tuple[str, ...]) -> Report:
    run = Run(
        started=started,
        finished=datetime.now(UTC),
        profile=profile.to_json(),
        seed=options.seed,
        results=tuple(sorted(cases.results, key=lambda result: (result.requirement, result.case))),
        selection=options.only or None,
        locked=options.locked,
        face=profile.berichtenbox.face,
        notes=notes,
    )
    known = tuple(KnownFailure(item.id, item.reason, item.owner, item.until) for item in profile.known_failures)
    return grade(run, catalogue(), profile.afnemer.services, profile.declared, known)


def _write(report: Report, out: Path, lang: str, cases: CaseRun) -> list[Path]:
    evidence = {name: text.encode() for name, text in cases.transcripts.items()}
    return write_report(report, out, catalogue(), lang, evidence)
