"""Runs the simulated Berichtenbox for whoever wants to talk to it."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import contextlib
import logging
import os
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.options import HIGHEST_SEED, seed
from conformance.commands.terminal import say

if TYPE_CHECKING:
    from conformance.berichtenbox.app import Urls
    from conformance.berichtenbox.citizens import CitizenWriting
    from conformance.profile import Profile
    from conformance.profile_keys import UnfitError
    from conformance.transport.pki import Pki
    from conformance.transport.tls import TlsFiles
    from conformance.wiring import Wiring

MOST_CITIZENS: Final = 20_000_000  # as many as a population has
_CITIZENS: Final = "Makes N citizens that are nobody, with --seed, else with 20261124."
_PKI: Final = "berichtenbox pki new pki"
_EXAMPLES: Final = """\b
Examples:
  berichtenbox serve
  berichtenbox serve --port 0 --ready-file ready.json
  berichtenbox serve --cpa cpa.xml
  berichtenbox serve --citizens 1000000
  berichtenbox pki new pki && berichtenbox serve --tls pki"""


@click.command("serve", epilog=_EXAMPLES)
@click.option("--host", metavar="HOST", help="Where it listens: 127.0.0.1, or what the profile says.")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="PORT", help="Its port: 8800, or what the profile says; 0 is a free one.")
@click.option("--db", metavar="URL", help="The ledger, such as sqlite:///ledger.db; a temporary file without it.")
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Gets the URLs as JSON, once it accepts traffic.")
@seed("Fixes the ids that it makes; drawn and printed without it.")
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), metavar="FILE", help="Whose connection it plays.")
@click.option(
    "--cpa",
    "cpa_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The CPA of the ebMS2 face; without it, what the profile says, or one that is made.",
)
@click.option(
    "--tls", type=click.Path(path_type=Path), metavar="DIR", help="Two-way TLS, with certificates of `pki new`; without it, what the profile says."
)
@click.option(
    "--register",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its citizens, in CSV: bsn,actief,oin,berichttype,wil; without it, what the profile says.",
)
@click.option("--citizens", type=click.IntRange(1, MOST_CITIZENS), metavar="N", help=_CITIZENS)
@click.option("--inactive", type=click.FloatRange(0, 1), metavar="SHARE", help="Which part of --citizens has no active Berichtenbox, such as 0.1.")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input ends, as it does with the parent.")
def command(
    host: str | None,
    port: int | None,
    db: str | None,
    ready_file: Path | None,
    seed: int | None,
    profile_file: Path | None,
    cpa_file: Path | None,
    tls: Path | None,
    register: Path | None,
    citizens: int | None,
    inactive: float | None,
    *,
    with_parent: bool,
) -> int:
    """Run the simulated Berichtenbox until it is stopped.

    Its citizens are the reserved test BSNs, all active and subscribed,
    unless --register or --citizens says otherwise: then they replace those
    that a ledger has. SIGTERM or Ctrl-C stops it, with exit code 0. With --tls
    each refused handshake is told, and only the OINs of the connection may
    come in.
    """
    from conformance.berichtenbox.app import serve
    from conformance.berichtenbox.box import Berichtenbox
    from conformance.berichtenbox.sql import SqlLedger
    from conformance.parent import end_with_parent
    from conformance.profile import Profile, load
    from conformance.profile_keys import DEFAULT_PORT
    from conformance.transport.tls import client_context

    if with_parent:
        end_with_parent()
    profile = load(profile_file) if profile_file else Profile.default()
    population = _population(profile, register, citizens, inactive, seed)
    if cpa_file is not None:
        profile = _under(cpa_file, profile, is_ours=profile_file is not None)
    if tls is not None:
        profile = replace(profile, pki=_certificates(tls, profile))
    at = host or profile.berichtenbox.host
    on = port if port is not None else profile.berichtenbox.port if profile_file else DEFAULT_PORT
    profile = _reachable(replace(profile, berichtenbox=replace(profile.berichtenbox, host=at, port=on)))
    drawn = secrets.randbelow(HIGHEST_SEED) if seed is None else seed
    announcement = _Announcement(ready_file, drawn)
    with announcement.kept(), _wired(profile) as wiring, _ledger_url(db) as url, SqlLedger(url) as ledger:
        files = None if profile.pki is None else _shown(profile.pki)
        box = Berichtenbox(ledger, profile.connection_config(), seed=drawn, population=population)
        if population is not None:
            say(f"Citizens: {ledger.citizens.accounts()}.")
        box.connect(wiring.cpa, None if files is None else client_context(files), wiring.cpa_file.read_bytes())
        announcement.agreed = partial(_told, wiring, is_made=profile.agreement is None)
        serve(box, at, wiring.port, announcement.make, files)
    return 0


def _population(
    profile: "Profile", register: Path | None, citizens: int | None, inactive: float | None, seed: int | None
) -> Callable[["CitizenWriting"], object] | None:
    """Return what gives the Berichtenbox its citizens, ``None`` for the default ones. Raises ``RegisterError``."""
    from conformance.berichtenbox import population, register_file

    if register is not None and citizens is not None:
        raise _wrong_choice("--register and --citizens exclude each other.", "leave one of the two out")
    if inactive is not None and citizens is None:
        raise _wrong_choice("--inactive is about made citizens.", "give --citizens too; a register says itself who is active")
    if citizens is not None:
        drawn = population.DEFAULT_SEED if seed is None else seed
        return partial(population.fill, count=citizens, seed=drawn, inactive_share=inactive or 0.0, told=_tell)
    if register is not None:
        register_file.check(register)
        return partial(register_file.load, register, told=_tell)
    return profile.population(_tell)


def _tell(count: int) -> None:
    """Tell how far it is: ten million citizens take a minute."""
    say(f"{count} citizens so far.", err=True)


def _wrong_choice(what: str, hint: str) -> click.UsageError:
    return click.UsageError(f"{what}\n  Hint: {hint}.", click.get_current_context())


def _under(file: Path, profile: "Profile", *, is_ours: bool) -> "Profile":
    """Return the profile with another CPA; that of nobody in particular becomes the one of the Afnemer in the CPA."""
    from conformance.messages.envelope import ROLE_AFNEMER
    from conformance.profile_keys import UnfitError
    from conformance.profile_wire import agreement, check_gateway, oin_of

    try:
        cpa = agreement(file, profile.afnemer.oin if is_ours else "", datetime.now(UTC))
        if profile.afnemer.gateway:
            check_gateway(profile.afnemer.gateway, has_tls=profile.afnemer.gateway.startswith("https"), cpa=cpa)
    except UnfitError as unfit:
        raise _wrong_usage(f"--cpa {file}", unfit) from None
    oin = profile.afnemer.oin if is_ours else oin_of(cpa, ROLE_AFNEMER)
    if not oin:
        nameless = UnfitError("its Afnemer has no party id of an OIN and nothing behind it.", "give --profile with the OIN of the Afnemer")
        raise _wrong_usage(f"--cpa {file}", nameless)
    box = replace(profile.berichtenbox, cpa=file, cpa_id=cpa.cpa_id)
    return replace(profile, afnemer=replace(profile.afnemer, oin=oin), berichtenbox=box, agreement=cpa)


def _reachable(profile: "Profile") -> "Profile":
    """Return the profile with the URL of a gateway that goes with its certificates."""
    from conformance.profile_keys import UnfitError
    from conformance.profile_wire import EXAMPLE_GATEWAY, check_gateway

    has_tls = profile.pki is not None
    if not profile.gateway():
        gateway = f"http{'s' if has_tls else ''}://{EXAMPLE_GATEWAY}"
        return replace(profile, afnemer=replace(profile.afnemer, gateway=gateway))
    try:
        check_gateway(profile.gateway(), has_tls=has_tls)
    except UnfitError as unfit:
        hint = (
            "give a CPA or a gateway with an https URL, or leave TLS out" if has_tls else f"`{_PKI} --oin {profile.afnemer.oin}`, and then --tls pki"
        )
        raise _wrong_usage(f"the gateway of the Afnemer, {profile.gateway()}", UnfitError(unfit.what, hint)) from None
    return profile


@contextlib.contextmanager
def _wired(profile: "Profile") -> Iterator["Wiring"]:
    """Give the CPA; one that is made stands in a file only as long as it is needed."""
    from conformance.wiring import wire

    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory:
        # Nobody waits for a copy here, so that a minute between two of them is short enough.
        yield wire(profile, Path(directory), is_movable=True)


def _told(wiring: "Wiring", urls: "Urls", *, is_made: bool) -> Iterator[str]:
    """Return what a person must know of the CPA."""
    yield f"  cpa      {urls.control}/cpa"
    yield f"  gateway  {wiring.gateway}, yours: results go there over ebMS2"
    yield f"The CPA is {wiring.cpa.cpa_id}, {'made for now' if is_made else f'of {wiring.cpa_file}'}."
    if wiring.url != urls.ebms:
        yield f"By the CPA batches are sent to {wiring.url}: see that they come here."


def _wrong_usage(what: str, unfit: "UnfitError") -> click.UsageError:
    return click.UsageError(f"{what}: {unfit.what}\n  Hint: {unfit.hint}.", click.get_current_context())


def _certificates(directory: Path, profile: "Profile") -> "Pki":
    """Return the certificates in a directory, which must be those of the connection."""
    from conformance.profile_keys import UnfitError
    from conformance.profile_wire import certificates

    own = profile.afnemer
    try:
        return certificates(directory, (own.oin, *own.intermediair_for))
    except UnfitError as unfit:
        raise _wrong_usage(f"--tls {directory}", unfit) from None


def _shown(pki: "Pki") -> "TlsFiles":
    """Return what the Berichtenbox shows, and let what it refuses be seen at the terminal: an engineer looks there first."""
    from conformance.berichtenbox.tls_face import LOGGER

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    return pki.files_of("server")


@contextlib.contextmanager
def _ledger_url(db: str | None) -> Iterator[str]:
    """Give the URL of the ledger; a temporary one is deleted afterwards."""
    if db is not None:
        yield db
        return
    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory:
        path = Path(directory) / "ledger.db"
        say(f"Ledger: {path}, deleted when it stops; --db keeps one.")
        yield f"sqlite:///{path}"


@dataclass(slots=True)
class _Announcement:
    """Tells that the Berichtenbox accepts traffic, at the terminal and in the ready file."""

    ready_file: Path | None
    seed: int
    agreed: Callable[["Urls"], Iterable[str]] = field(default=lambda _urls: ())
    _trouble: list[Exception] = field(default_factory=list)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Take away the ready file of an earlier run first, and ours at the end: it stands there only as long as it is true."""
        self._check_place()
        self._remove()
        try:
            yield
        finally:
            self._remove()
        if self._trouble:
            raise self._trouble[0]

    def make(self, urls: "Urls") -> None:
        """Write the ready file, and what to do next; called in a thread of the server, which must hear of a failure."""
        try:
            self._make(urls)
        except Exception as error:  # noqa: BLE001  # raised again by the command itself
            self._trouble.append(error)
            os.kill(os.getpid(), signal.SIGTERM)

    def _make(self, urls: "Urls") -> None:
        from conformance.report.files import write_atomically
        from conformance.transport.adapter import write_json

        if self.ready_file is not None:
            write_atomically(self.ready_file, write_json(urls.to_json()) + b"\n")
        say(f"The Berichtenbox listens on {urls.url} (seed {self.seed}).")
        say(f"  adapter  {urls.adapter}")
        say(f"  ebms     {urls.ebms}")
        say(f"  wus      {urls.wus}")
        say(f"  control  {urls.control}")
        for line in self.agreed(urls):
            say(line)
        say("1. Let your application use the adapter URL as that of its ebms-core,")
        say("   or load the CPA in your own gateway.")
        say("2. Move the clock, set faults and read the ledger with the control URL.")
        say("3. Stop it with Ctrl-C.")

    def _check_place(self) -> None:
        if self.ready_file is None:
            return
        if self.ready_file.is_dir() or not self.ready_file.parent.is_dir():
            text = f"--ready-file {self.ready_file}: expected a file in a directory that exists.\n  Hint: make the directory first."
            raise click.UsageError(text, click.get_current_context())

    def _remove(self) -> None:
        if self.ready_file is not None:
            self.ready_file.unlink(missing_ok=True)
