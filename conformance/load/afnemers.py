"""What a run that grades an Afnemer stands before: a simulated Berichtenbox whose ledger can be read, and an Afnemer; each a process of its own.

The Afnemer is that of ``--target`` or of the profile, which must talk to the Berichtenbox where the profile says that it is; else the reference one.
"""

import base64
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from conformance.load.parties import LOOPBACK, Party, PartyError, berichtenbox, described, process
from conformance.load.plan import EBMS, FACE, LoadError, Setup, Stand
from conformance.messages.identities import reserved_test_bsns
from conformance.norms import share
from conformance.profile import DriverKind
from conformance.profile_keys import DEFAULT_PORT
from conformance.stage.pdfs import SMALLEST, pdf
from conformance.transport import pki
from conformance.wiring import Wiring, wire

LEDGER, CONTROL, BOX_PID, REACTION = "ledger", "control", "berichtenbox_pid", "reaction_s"
"""What the connection of such a run tells: where ledger and control face are, whose process that is, and how fast an Afnemer reacts."""
BERICHTEN: Final = "/berichten"
HERLEVERING: Final = "/herlevering"
ASKED: Final = "letters that were taken"
"""What is counted of the letters of the schedule: those that the Afnemer took when it was asked to deliver them."""
_START_S: Final = 60.0
_PAUSE_S: Final = 0.02
_CYCLE: Final = 20


@contextlib.contextmanager
def standing(setup: Setup, defect: str | None = None) -> Iterator[Stand]:
    """Start what nobody gave, for as long as the block takes; ``defect`` is for the reference Afnemer. Raises ``PartyError`` and ``LoadError``."""
    with tempfile.TemporaryDirectory(prefix="berichtenbox-load-") as directory:
        ledger, given = f"sqlite:///{directory}/ledger.db", _given(setup)
        if given:
            with berichtenbox(_serving_given(setup, ledger)) as box:
                yield Stand(given, _connection(setup, box, ledger, setup.tls) | {"given": "yes"})
            return
        wiring = _wiring(setup, Path(directory)) if setup.settings.get(FACE.name) == EBMS else None
        certificates = wiring.certificates.directory if wiring is not None and wiring.certificates is not None else setup.tls
        with berichtenbox(_serving(setup, ledger, certificates, wiring), port=wiring.port if wiring else 0) as box:
            told = {"BERICHTENBOX_TLS": str(certificates)} if certificates else {}
            with _reference(setup, box, Path(directory), defect, {**told, **(wiring.variables() if wiring else {})}) as url:
                yield Stand(url, _connection(setup, box, ledger, certificates))


def _given(setup: Setup) -> str:
    """Return the test-control URL that somebody gave, empty for none; raises ``LoadError`` when the profile has another way to its Afnemer."""
    driver = setup.profile.driver
    if setup.target or setup.profile_file is None:
        return setup.target
    if driver.kind is not DriverKind.HTTP:
        raise LoadError(
            f"load drives an Afnemer over HTTP, and the profile says kind = {driver.kind}.\n  Hint: give --target with its test-control URL."
        )
    return driver.location


def _wiring(setup: Setup, directory: Path) -> Wiring:
    """Return what ours need to talk over ebMS2: a CPA for the run, and certificates for it when nobody gave any."""
    try:
        return wire(setup.profile, directory, is_movable=True, certificates=pki.load(setup.tls) if setup.tls else None)
    except pki.PkiError as error:
        raise LoadError(f"--tls {setup.tls}: {error}") from None


def _serving(setup: Setup, ledger: str, certificates: Path | None, wiring: Wiring | None = None) -> list[str]:
    """Return how the Berichtenbox is run."""
    words = ["--seed", str(setup.seed), "--db", ledger]
    words += ["--tls", str(certificates)] if certificates else []
    words += ["--profile", str(setup.profile_file)] if setup.profile_file is not None else []
    return [*words, *(["--cpa", str(wiring.cpa_file)] if wiring else []), "--host", LOOPBACK]


def _serving_given(setup: Setup, ledger: str) -> list[str]:
    """Return how the Berichtenbox is run where the Afnemer of somebody else expects it."""
    own = setup.profile.berichtenbox
    return [*_serving(setup, ledger, setup.tls)[:-1], own.host, "--port", str(own.port or DEFAULT_PORT)]


def _connection(setup: Setup, box: Party, ledger: str, certificates: Path | None) -> dict[str, str]:
    config = setup.profile.connection_config()
    known = {LEDGER: ledger, CONTROL: str(box.told["control"]), BOX_PID: str(box.process.pid), REACTION: str(setup.profile.timing.reaction_s)}
    secured = {"tls": str(certificates)} if certificates else {}
    return described(config) | known | secured | {"name": setup.profile.afnemer.name}


@contextlib.contextmanager
def _reference(setup: Setup, box: Party, directory: Path, defect: str | None, told: Mapping[str, str]) -> Iterator[str]:
    """Run the reference Afnemer, which is ``told`` of its face and certificates, and give the URL of its test-control."""
    config, own, log = setup.profile.connection_config(), directory / "afnemer", directory / "afnemer.log"
    own.mkdir()
    variables = {
        "BERICHTENBOX_ADAPTER": str(box.told["adapter"]),
        "BERICHTENBOX_CPA_ID": config.connection().cpa_id,
        "BERICHTENBOX_OIN": config.oin,
        "BERICHTENBOX_LOGIUS_OIN": config.logius_oin,
        "BERICHTENBOX_BERICHT_TYPES": ",".join(config.bericht_types),
        "BERICHTENBOX_SEED": str(setup.seed),
        "AFNEMER_MAP": str(own),
        **told,
    }
    command = [sys.executable, "-m", "conformance.afnemer.process", "--with-parent", json.dumps(variables), *(("--defect", defect) if defect else ())]
    with log.open("wb") as output, process(command, output) as started:
        until = time.monotonic() + _START_S
        while b"}\n" not in log.read_bytes():
            if time.monotonic() > until or started.poll() is not None:
                raise PartyError(f"the reference Afnemer did not start: {log.read_text(errors='replace')[-2_000:].strip() or 'it said nothing'}")
            time.sleep(_PAUSE_S)
        yield str(json.loads(log.read_text(encoding="utf-8").splitlines()[0])["url"])


# -- letters -------------------------------------------------------------------------------------------------------------------------------------


def citizens() -> tuple[str, ...]:
    """Return to whom letters go: the reserved test BSNs but the last, who gets the live ones."""
    return reserved_test_bsns()[:-1]


def live_citizen() -> str:
    """Return who gets the letters that are sent while others are delivered again."""
    return reserved_test_bsns()[-1]


def letters(connection: Mapping[str, str], first: int, many: int, *, to: str | None = None) -> list[dict[str, Any]]:
    """Return the letters from number ``first`` on, of which the share of SNO-OPS-04 has a (small) bijlage; to one citizen, or each to another."""
    known, with_one = citizens(), int(share("SNO-OPS-04", "share") * _CYCLE)
    made = []
    for number in range(first, first + many):
        letter: dict[str, Any] = {
            "bsn": to or known[number % len(known)],
            "berichtType": connection["bericht_type"],
            "onderwerp": f"Uw aanslag {number}",
            "tekst": "Wij delen u mee dat wij hebben beslist.",
        }
        if number % _CYCLE < with_one:
            letter["bijlagen"] = [{"omschrijving": "Besluit", "bytes": _bijlage()}]
        made.append(letter)
    return made


@cache
def _bijlage() -> str:
    """Return the smallest PDF there is in base64: it is the number of them that counts."""
    return base64.b64encode(pdf(SMALLEST, "Besluit")).decode()
