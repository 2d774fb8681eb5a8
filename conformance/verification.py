"""Verifies a Berichtenbox: plays an Afnemer's gateway and SOAP client against it, runs the cases, grades, and writes the report."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from conformance.berichtenbox.app import FACES, running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.ebms_face import PATH as EBMS_PATH
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire_defects import WireDefect
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.catalogue import catalogue
from conformance.certification import Certification, CertifyOptions, play, restart_by
from conformance.messages.envelope import ROLE_AFNEMER
from conformance.messages.identities import flat_party
from conformance.profile import Profile
from conformance.profile_keys import UnfitError, split_url
from conformance.profile_wire import agreement, certificates, check_gateway, gateway_of, logius_oin_of, oin_of
from conformance.progress import Progress
from conformance.report.model import Report, Run, grade
from conformance.report.write import write_report
from conformance.stage.box_receiver import BoxReceiver, Reach, Sender
from conformance.stage.box_stage import BoxStage
from conformance.stage.kit_gateway import PORTS, Contexts, KitGateway
from conformance.stage.running import CaseRun
from conformance.transport.cpa import Cpa
from conformance.transport.ebms2.posting import Poster
from conformance.transport.pki import Pki
from conformance.transport.serving import CannotListenError
from conformance.transport.tls import client_context, server_context
from conformance.verdicts import ExitCode
from conformance.wiring import Wiring, wire

SCOPE: Final = (
    "graded is what a Berichtenbox does as a receiver and as a server: ebMS2, TLS, its results, its abonnementservices and its validatieservice;"
    " how it repeats what it sends, and whom it trusts as a client in TLS, is not"
)
_OWN: Final = "client"
_CONNECT_S: Final = 10.0
_RESTART_S: Final = 30.0
_PAUSE_S: Final = 0.1
_MOST_ROUNDS: Final = 10_000
_T = TypeVar("_T")


class TargetError(ValueError):
    """A Berichtenbox that cannot be verified as it was asked: what is wrong, and what to do."""

    exit_code = ExitCode.USAGE


class NobodyThereError(RuntimeError):
    """A URL at which nobody listens."""

    exit_code = ExitCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Target:
    """A Berichtenbox below ``url``, the CPA that it has with the Afnemer of ``profile``, and the test certificates (or none)."""

    url: str
    profile: Profile
    cpa: Cpa
    certificates: Pki | None = None

    @property
    def logius_oin(self) -> str:
        """The OIN of its side."""
        return logius_oin_of(self.cpa)


def target_of(url: str, profile: Profile, cpa_file: Path | None, tls: Path | None, directory: Path) -> Target:
    """Return what is to be verified; a CPA that nobody gives is asked of the Berichtenbox, as a simulated one has it, and kept in ``directory``.

    The Afnemer, when the profile comes from no file, is that of the CPA. Raises :class:`TargetError` and :class:`NobodyThereError`.
    """
    base, own = _base(url), profile.afnemer
    oins = () if profile.path is None else (own.oin, *own.intermediair_for)
    pki = profile.pki if tls is None else _fit(f"--tls {tls}", lambda: certificates(tls, oins))
    _check_scheme(base, has_tls=pki is not None)
    _check_listens(base)
    file = cpa_file or profile.berichtenbox.cpa or _offered(base, pki, directory)
    cpa = _fit("the CPA", lambda: agreement(file, oins[0] if oins else "", datetime.now(UTC)))
    _fit("the CPA", lambda: check_gateway(gateway_of(cpa), has_tls=pki is not None))
    oin = own.oin if oins else oin_of(cpa, ROLE_AFNEMER)
    if not oin:
        raise TargetError("the CPA: its Afnemer has no party id of an OIN and nothing behind it.\n  Hint: give --profile with its OIN.")
    return Target(base, replace(profile, afnemer=replace(own, oin=oin)), cpa, pki)


def _base(url: str) -> str:
    parts = split_url(url)
    if parts is None:
        raise TargetError(f"{url}: expected the http or https URL of a Berichtenbox.\n  Hint: `berichtenbox serve` tells that of a simulated one.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(EBMS_PATH)}"


def _fit(what: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except UnfitError as unfit:
        raise TargetError(f"{what}: {unfit.what}\n  Hint: {unfit.hint}.") from None


def _check_scheme(url: str, *, has_tls: bool) -> None:
    if url.startswith("https:") and not has_tls:
        raise TargetError(f"{url}: https takes certificates of both sides.\n  Hint: give --tls DIR, the directory that the Berichtenbox was given.")
    if has_tls and not url.startswith("https:"):
        raise TargetError(f"{url}: with certificates everything goes over https.\n  Hint: give the https URL, or leave --tls out.")


def _check_listens(url: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        socket.create_connection((host, port), _CONNECT_S).close()
    except OSError as error:
        hint = "start the Berichtenbox, and give the URL that it tells; `berichtenbox serve` runs a simulated one"
        raise NobodyThereError(f"nobody listens at {url}: {error.strerror or error}.\n  Hint: {hint}.") from None


def _offered(base: str, pki: Pki | None, directory: Path) -> Path:
    """Return the file with the CPA that the control face of a simulated Berichtenbox offers."""
    url = f"{base}{CONTROL_PATH}/cpa"
    with Poster(None if pki is None else client_context(pki.files_of(_OWN))) as poster:
        outcome = poster.post(url, "", b"", {"accept": "application/xml"}, "GET")
    answer = outcome.answer
    if answer is None or answer.status != HTTPStatus.OK or not answer.body:
        told = f"HTTP {answer.status}" if answer else "no answer" if outcome.trouble is None else outcome.trouble.text
        raise TargetError(f"no CPA: there is none at {url} ({told}).\n  Hint: give --cpa FILE, the CPA that the Berichtenbox has with this Afnemer.")
    file = directory / "cpa.xml"
    file.write_bytes(answer.body)
    return file


# -- the run -----------------------------------------------------------------------------------------------------------------------------------


def verify(target: Target, options: CertifyOptions, progress: Progress) -> Certification:
    """Verify a Berichtenbox that runs somewhere.

    Raises :class:`TargetError` when the kit cannot listen where the CPA has the Afnemer, ``OutputError`` when the report cannot be written.
    """
    started = datetime.now(UTC)
    with standing_before(target, _reach_of(target), options.seed, options.depth) as stage:
        cases = play(stage, options, progress)
    report = _graded(target, options, cases, started)
    evidence = {name: text.encode() for name, text in cases.transcripts.items()}
    files = [] if options.out is None else write_report(report, options.out, catalogue(), options.lang, evidence)
    return Certification(report, tuple(files))


@contextlib.contextmanager
def standing_before(target: Target, reach: Reach, seed: int, depth: str = "quick") -> Iterator[BoxStage]:
    """Listen as the gateway of the Afnemer, and give the stage of the cases; raises :class:`TargetError` when it cannot listen there."""
    own, pki = target.profile.afnemer, target.certificates
    contexts = None
    if pki is not None:
        files = pki.files_of(_OWN)
        contexts = Contexts(client_context(files), server_context(files))
    try:
        gateway = KitGateway(target.cpa, flat_party(own.oin), gateway_of(target.cpa), target.url, contexts)
    except CannotListenError as error:
        text = (
            f"{error}: there the CPA has the gateway of the Afnemer, and the kit plays that.\n  Hint: stop what listens there, or give another one."
        )
        raise TargetError(text) from None
    with gateway:
        receiver = BoxReceiver(gateway, Sender(own.oin, own.bericht_types[0], target.profile.timing.reaction_s, seed), reach)
        yield BoxStage(receiver, f"{target.url}{WUS_PATH}", target.logius_oin, pki, depth)


def _reach_of(target: Target) -> Reach:
    command = target.profile.driver.restart
    return Reach(restart=lambda: restart_by(command) and _is_back(target.url)) if command else Reach()


def _is_back(url: str) -> bool:
    """Wait until a Berichtenbox that was restarted listens again."""
    until = time.monotonic() + _RESTART_S
    while time.monotonic() < until:
        with contextlib.suppress(NobodyThereError):
            _check_listens(url)
            return True
        time.sleep(_PAUSE_S)
    return False


def _graded(target: Target, options: CertifyOptions, cases: CaseRun, started: datetime) -> Report:
    own, shown = target.profile.afnemer, target.profile.to_json()
    host = urlsplit(target.url).netloc.rpartition("@")[2]
    party = {"name": f"Berichtenbox {host}", "oin": target.logius_oin, "services": list(own.services)}
    run = Run(
        started=started,
        finished=datetime.now(UTC),
        profile={"afnemer": party, "played": {"oin": own.oin, "cpa_id": target.cpa.cpa_id}, "timing": shown["timing"]},
        seed=options.seed,
        results=tuple(sorted(cases.results, key=lambda result: (result.requirement, result.case))),
        selection=options.only or None,
        face="ebms",
        notes=(SCOPE,),
    )
    return grade(run, catalogue(), own.services, target.profile.declared, party="logius")


# -- a simulated Berichtenbox ------------------------------------------------------------------------------------------------------------------


class Simulated:
    """A Berichtenbox in this process, right or with one defect: it works when it is asked to, and its clock can be moved."""

    def __init__(self, wiring: Wiring, directory: Path, seed: int, defect: WireDefect | None) -> None:
        self._wiring, self._directory, self._seed, self._defect = wiring, directory, seed, defect
        self._open = contextlib.ExitStack()
        self.box = self._started()

    def close(self) -> None:
        """Stop it."""
        self._open.close()

    def _started(self) -> Berichtenbox:
        wiring, defect, tls = self._wiring, self._defect, self._wiring.presenting
        ledger = self._open.enter_context(SqlLedger(f"sqlite:///{self._directory / 'ledger.db'}", is_durable=False))
        box = Berichtenbox(ledger, seed=self._seed)
        box.connect(wiring.cpa, None if tls is None else client_context(tls.files), wiring.cpa_file.read_bytes())
        if defect is not None:
            defect.install(box, tls)
        faces = FACES if defect is None else defect.faces
        self._open.enter_context(running(box, port=wiring.port, works_by_itself=False, tls=tls, faces=faces))
        return box

    def restart(self) -> bool:
        """Stop it and start it again on the same ledger."""
        self._open.close()
        self.box = self._started()
        return True

    def reach(self, gateway: Callable[[], KitGateway]) -> Reach:
        """Return what can be done to it, while ``gateway`` gives the other side."""
        return Reach(lambda: self._settled(gateway()), self.restart, self._pass_time, self._business, self._seconds)

    def _settled(self, gateway: KitGateway) -> bool:
        for _ in range(_MOST_ROUNDS):
            before = gateway.count
            self.box.settle()
            if gateway.is_idle and gateway.count == before:
                return True
            time.sleep(0)  # the signal that is being posted comes from another thread
        return False

    def _business(self) -> datetime:
        return self.box.clock.now()

    def _seconds(self) -> float:
        return self.box.wall().timestamp()

    def _pass_time(self, by: timedelta) -> None:
        self.box.advance(seconds=by.total_seconds())


@contextlib.contextmanager
def simulated(
    directory: Path, certificates: Pki | None = None, *, defect: WireDefect | None = None, sync_reply: str = "none", seed: int = 1
) -> Iterator[BoxStage]:
    """Run a simulated Berichtenbox, right or with a defect, and give the stage before it; files that must be made go in ``directory``."""
    profile = Profile.default("ebms")
    wiring = wire(profile, directory, is_movable=True, certificates=certificates, sync_reply=sync_reply)
    box = Simulated(wiring, directory, seed, defect)
    with contextlib.closing(box):
        origin = wiring.url.removesuffix(EBMS_PATH)
        target = Target(origin, replace(profile, timing=replace(profile.timing, reaction_s=1.0)), wiring.cpa, wiring.certificates)
        gateways: list[KitGateway] = []
        with standing_before(target, box.reach(lambda: gateways[0]), seed) as stage:
            gateways.append(stage.receiver.gateway)
            yield stage
