"""Runs the simulated Berichtenbox for whoever wants to talk to it."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import contextlib
import os
import secrets
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.options import HIGHEST_SEED, seed
from conformance.commands.terminal import say

if TYPE_CHECKING:
    from conformance.berichtenbox.app import Urls


_EXAMPLES: Final = """\b
Examples:
  berichtenbox serve
  berichtenbox serve --port 0 --ready-file ready.json"""


@click.command("serve", epilog=_EXAMPLES)
@click.option("--host", metavar="HOST", help="Where it listens: 127.0.0.1, or what the profile says.")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="PORT", help="Its port: 8800, or what the profile says; 0 is a free one.")
@click.option("--db", metavar="URL", help="The ledger, such as sqlite:///ledger.db; a temporary file without it.")
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Gets the URLs as JSON, once it accepts traffic.")
@seed("Fixes the ids that it makes; drawn and printed without it.")
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), metavar="FILE", help="Whose connection it plays.")
@click.option("--tls", metavar="DIR", help="Not in this version.")
def command(
    host: str | None, port: int | None, db: str | None, ready_file: Path | None, seed: int | None, profile_file: Path | None, tls: str | None
) -> int:
    """Run the simulated Berichtenbox until it is stopped.

    Its citizens are the reserved test BSNs, all active and subscribed.
    SIGTERM or Ctrl-C stops it, with exit code 0.
    """
    from conformance.berichtenbox.app import serve
    from conformance.berichtenbox.box import Berichtenbox
    from conformance.berichtenbox.sql import SqlLedger
    from conformance.profile import Profile, load
    from conformance.profile_keys import DEFAULT_PORT

    if tls is not None:
        text = "--tls: this version serves without TLS.\n  Hint: leave it out, and use a network that you trust."
        raise click.UsageError(text, click.get_current_context())
    profile = load(profile_file) if profile_file else Profile.default()
    at = host or profile.berichtenbox.host
    on = port if port is not None else profile.berichtenbox.port if profile_file else DEFAULT_PORT
    drawn = secrets.randbelow(HIGHEST_SEED) if seed is None else seed
    announcement = _Announcement(ready_file, drawn)
    with announcement.kept(), _ledger_url(db) as url, SqlLedger(url) as ledger:
        serve(Berichtenbox(ledger, profile.connection_config(), seed=drawn), at, on, announcement.make)
    return 0


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
        say(f"  control  {urls.control}")
        say("1. Let your application use the adapter URL as that of its ebms-core.")
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
