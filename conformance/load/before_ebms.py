"""What a run over ebMS2 stands before: a Berichtenbox under a CPA with the Acknowledgment in the HTTP answer, so that accepted is seen at once.

Nobody listens as the gateway of the Afnemer: what a Berichtenbox of the kit decided is asked of its control face, and it pushes nothing.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.ebms_face import PATH
from conformance.load.parties import LOOPBACK, PartyError, base_of, berichtenbox, defaults
from conformance.load.plan import LoadError, Setup, Stand
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS
from conformance.transport import pki
from conformance.transport.cpa import CpaRefused, Terms, new_cpa, read_cpa
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.tls import client_context, first_certificate
from conformance.wiring import free_port, route_of_batches

SYNC_REPLY: Final = "mshSignalsOnly"
_TERM: Final = timedelta(days=365)
_TIMEOUT_S: Final = 30.0


@contextlib.contextmanager
def before_ebms(setup: Setup) -> Iterator[Stand]:
    """Stand before the ebMS2 face that somebody named, or one that is started now; raises ``LoadError`` and ``PartyError``."""
    connection = defaults(setup.profile) | {"face": "ebms"} | ({"tls": str(setup.tls)} if setup.tls else {})
    with tempfile.TemporaryDirectory(prefix="berichtenbox-load-") as directory:
        cpa = Path(directory) / "cpa.xml"
        if setup.target:
            base = base_of(setup.target, setup.tls)
            agreed = setup.profile.berichtenbox.cpa or _offered(base, setup, cpa)
            _check_signals(agreed)
            yield Stand(base, connection | {"given": "yes", "cpa": str(agreed)})
            return
        port = free_port(LOOPBACK)
        cpa.write_bytes(new_cpa(_terms(setup, port)))
        words = ["--seed", str(setup.seed), "--cpa", str(cpa), *(["--tls", str(setup.tls)] if setup.tls else [])]
        words += ["--profile", str(setup.profile_file), "--host", LOOPBACK] if setup.profile_file else []
        with berichtenbox(words, port=port) as party:
            _push_nothing(party.url, setup)
            yield Stand(party.url, connection | party.started() | {"cpa": str(cpa)})


def _terms(setup: Setup, port: int) -> Terms:
    """Return what the CPA says; its Afnemer has an endpoint at which nobody listens."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    config, scheme = setup.profile.connection_config(), "https" if setup.tls else "http"
    shown = {} if setup.tls is None else {ROLE_AFNEMER: "client", ROLE_LOGIUS: "server"}
    files = {} if setup.tls is None else {role: pki.load(setup.tls).files_of(name).certificate for role, name in shown.items()}
    return Terms(
        cpa_id=config.connection().cpa_id,
        oins={ROLE_AFNEMER: config.oin, ROLE_LOGIUS: config.logius_oin},
        endpoints={ROLE_AFNEMER: f"{scheme}://{LOOPBACK}:9{PATH}", ROLE_LOGIUS: f"{scheme}://{LOOPBACK}:{port}{PATH}"},
        start=start,
        end=start + _TERM,
        retries=8,
        retry_interval=timedelta(hours=3),
        persist=timedelta(days=2),
        certificates={role: first_certificate(file.read_bytes()) for role, file in files.items()},
        sync_reply=SYNC_REPLY,
    )


def _check_signals(file: Path) -> None:
    """Raise ``LoadError`` unless the Acknowledgment comes in the HTTP answer: who is not the gateway of the Afnemer sees no other."""
    try:
        is_sync = route_of_batches(read_cpa(file.read_bytes())).is_sync
    except (CpaRefused, AgreementError) as error:
        raise LoadError(f"--face ebms: the CPA cannot be used: {error}") from None
    if not is_sync:
        raise LoadError(
            f"--face ebms: by the CPA an Acknowledgment goes to the gateway of the Afnemer, where nobody sees it here: its syncReplyMode is not "
            f"{SYNC_REPLY}.\n  Hint: `berichtenbox cpa new --sync-reply {SYNC_REPLY} --out cpa.xml` makes one for `serve --cpa` and for your own "
            "Berichtenbox; or use --face adapter."
        )


def _client(base: str, setup: Setup) -> httpx.Client:
    context = client_context(pki.load(setup.tls).files_of("client")) if setup.tls else True
    return httpx.Client(base_url=base, timeout=_TIMEOUT_S, trust_env=False, verify=context)


def _push_nothing(url: str, setup: Setup) -> None:
    with _client(url, setup) as client:
        answer = client.post(f"{CONTROL_PATH}/fouten", json={"naam": "no-result", "keren": None})
    if not answer.is_success:
        raise PartyError(f"the Berichtenbox of the kit does not take a fault: {answer.status_code} {answer.text[:200]}")


def _offered(base: str, setup: Setup, file: Path) -> Path:
    """Keep the CPA that a simulated Berichtenbox offers; raises ``LoadError`` when there is none."""
    try:
        with _client(base, setup) as client:
            answer = client.get(f"{CONTROL_PATH}/cpa")
    except httpx.HTTPError:
        answer = None
    if answer is None or not answer.is_success:
        raise LoadError(
            f"--face ebms: {base} offers no CPA.\n  Hint: give --profile with the CPA, of which the Acknowledgment comes in the HTTP answer."
        )
    file.write_bytes(answer.content)
    return file
