"""The parties of a run that the kit starts itself, each a process of its own: only what was started here is stopped here."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from conformance.berichtenbox.register import ConnectionConfig
from conformance.load.plan import LoadError, LoadProfile, Setup, Stand
from conformance.load.watching import STARTED
from conformance.profile import Profile
from conformance.profile_keys import split_url
from conformance.verdicts import ExitCode

PROGRAM: Final = (sys.executable, "-c", "from conformance.cli import main; main()")
"""The command line of the kit, whatever it is called where it is installed."""
LOOPBACK: Final = "127.0.0.1"
_START_S: Final = 120.0
_STOP_S: Final = 15.0
_PAUSE_S: Final = 0.05


class PartyError(RuntimeError):
    """A party of the kit that did not start, or ended in the middle: the text holds what it said."""

    exit_code = ExitCode.KIT_ERROR


def defaults(profile: Profile | None = None) -> dict[str, str]:
    """Return who is played: the Afnemer of a profile, or of no profile in particular, as a connection."""
    config = (profile or Profile.default()).connection_config()
    return described(config)


def described(config: ConnectionConfig) -> dict[str, str]:
    """Return a connection by name, as the load generator gets it."""
    return {
        "oin": config.oin,
        "logius_oin": config.logius_oin,
        "cpa_id": config.connection().cpa_id,
        "bericht_type": config.bericht_types[0],
    }


@dataclass(frozen=True, slots=True)
class Party:
    """A running party: its process, and what its ready file says."""

    process: "subprocess.Popen[bytes]"
    told: Mapping[str, str | None]

    @property
    def url(self) -> str:
        """The base URL of its faces."""
        return str(self.told["url"])

    def started(self, name: str = "the Berichtenbox") -> dict[str, str]:
        """Return what a connection says of a process that the kit started: it shares the machine with the load generator."""
        return {STARTED: json.dumps({name: self.process.pid})}


@contextlib.contextmanager
def berichtenbox(arguments: Sequence[str] = (), *, port: int = 0) -> Iterator[Party]:
    """Run ``serve`` with more arguments for as long as the block takes, on a free port and a temporary ledger; raises :class:`PartyError`."""
    with tempfile.TemporaryDirectory(prefix="berichtenbox-load-") as directory:
        ready, log = Path(directory) / "ready.json", Path(directory) / "log"
        command = [
            *PROGRAM,
            "serve",
            "--port",
            str(port),
            "--ready-file",
            str(ready),
            "--with-parent",
            "--db",
            f"sqlite:///{directory}/ledger.db",
            *arguments,
        ]
        with log.open("wb") as output, process(command, output) as started:
            yield Party(started, json.loads(_read_when_ready(started, ready, log)))


@contextlib.contextmanager
def process(command: Sequence[str], output: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program for as long as the block takes, with all that it says in a file; it is asked to stop, and made to after a while.

    Its standard input is open for as long as this process lives.
    """
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  # our own program
    try:
        yield started
    finally:
        stop(started)
        if started.stdin is not None:
            started.stdin.close()


def stop(started: "subprocess.Popen[bytes]") -> None:
    """Stop a process that was started here."""
    if started.poll() is not None:
        return
    started.terminate()
    try:
        started.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def _read_when_ready(started: "subprocess.Popen[bytes]", ready: Path, log: Path) -> bytes:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and started.poll() is None:
        if ready.exists():
            return ready.read_bytes()
        time.sleep(_PAUSE_S)
    said = log.read_text(errors="replace")[-2_000:].strip()
    if started.poll() == ExitCode.USAGE:
        raise LoadError(said)  # it says what is wrong, and what to do
    raise PartyError(f"the Berichtenbox of the kit did not start: {said or 'it said nothing'}")


# -- what a run stands before ------------------------------------------------------------------------------------------------------------------


def standing(kind: LoadProfile, setup: Setup) -> contextlib.AbstractContextManager[Stand]:
    """Return what starts the parties that a profile needs and nobody gave; raises :class:`PartyError` and ``LoadError``."""
    return (kind.stand or (lambda given: before_berichtenbox(kind, given)))(setup)


@contextlib.contextmanager
def before_berichtenbox(kind: LoadProfile, setup: Setup) -> Iterator[Stand]:
    """Stand before the Berichtenbox that somebody named, or one that is started now."""
    connection = defaults(setup.profile) | ({"tls": str(setup.tls)} if setup.tls else {})
    if setup.target:
        yield Stand(base_of(setup.target, setup.tls), connection | {"given": "yes"})
        return
    with berichtenbox(_serving(kind, setup)) as party:
        yield Stand(party.url, connection | party.started() | ({"citizens_seed": str(setup.seed)} if "--citizens" in kind.serving else {}))


def _serving(kind: LoadProfile, setup: Setup) -> list[str]:
    words = ["--seed", str(setup.seed), *kind.serving]
    words += ["--tls", str(setup.tls)] if setup.tls else []
    return words + (["--profile", str(setup.profile_file), "--host", LOOPBACK] if setup.profile_file else [])


def base_of(url: str, tls: Path | None) -> str:
    """Return the base URL of a target; raises ``LoadError`` for what is no URL, and for certificates without https."""
    parts = split_url(url)
    if parts is None:
        raise LoadError(f"--target {url[:80]}: expected an http or https URL.\n  Hint: `berichtenbox serve` tells that of a simulated one.")
    if tls is not None and parts.scheme != "https":
        raise LoadError(f"--target {url[:80]}: with certificates everything goes over https.\n  Hint: give the https URL, or leave --tls out.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
