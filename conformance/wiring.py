"""What a run over ebMS2 needs before anybody can talk: ports, certificates and a CPA; what the profile does not give is made for the run."""

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from conformance.berichtenbox.app import ServerError, listening
from conformance.berichtenbox.ebms_face import PATH
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.profile import Profile
from conformance.transport import pki
from conformance.transport.cpa import Cpa, Terms, new_cpa, read_cpa
from conformance.transport.ebms2.agreements import Agreement, Route
from conformance.transport.misbehaving import Presenting
from conformance.transport.pki import Pki
from conformance.transport.tls import first_certificate

_QUIET_PORTS: Final = range(20_000, 32_000)
_TRIES: Final = 20
_RETRIES: Final = 3
_TERM: Final = timedelta(days=365)
_MOVED_S: Final = 60
"""Seconds between two copies when the clock of the Afnemer can be moved."""
_WAITED_S: Final = 2
"""The same when both sides have to wait for it."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The ebMS2 side of a run: the port of the Berichtenbox, the CPA with its file, the Afnemer's own URL, and the certificates (or none)."""

    port: int
    cpa: Cpa
    cpa_file: Path
    gateway: str
    certificates: Pki | None
    presenting: Presenting | None

    def schedule(self) -> tuple[int, timedelta]:
        """Return how often, and after how long, the Afnemer repeats a batch that is not acknowledged."""
        route = self._route()
        return route.retries, route.interval

    @property
    def url(self) -> str:
        """The URL to which the Afnemer sends batches by the CPA."""
        return self._route().url

    def _route(self) -> Route:
        return route_of_batches(self.cpa)

    def variables(self) -> Mapping[str, str]:
        """Return what an Afnemer must know, besides what it is told on every face."""
        told = {"BERICHTENBOX_FACE": "ebms", "BERICHTENBOX_CPA": str(self.cpa_file), "BERICHTENBOX_GATEWAY": self.gateway}
        return told if self.certificates is None else told | {"BERICHTENBOX_TLS": str(self.certificates.directory)}


def route_of_batches(cpa: Cpa) -> Route:
    """Return how batches go from the Afnemer of a CPA to Logius; raises ``AgreementError`` when the CPA has no such way."""
    agreement = Agreement(cpa, {flat for party in cpa.parties if ROLE_AFNEMER in party.roles for flat in party.flat_ids})
    return agreement.outgoing(ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action.BV_REQUEST)


def wire(profile: Profile, directory: Path, *, is_movable: bool, certificates: Pki | None = None, sync_reply: str = "none") -> Wiring:
    """Return the wiring of a run; files that must be made go in ``directory``.

    ``is_movable`` tells whether the clock of the Afnemer can be moved. Raises ``TlsFilesError`` or ``PkiError`` for certificates that cannot be used,
    and ``ServerError`` when there is no port.
    """
    shown = profile.pki or certificates
    if shown is None and not profile.gateway():
        shown = _new_certificates(profile, directory / "pki")
    scheme = "http" if shown is None else "https"
    port = profile.berichtenbox.port or free_port(profile.berichtenbox.host)
    gateway = profile.gateway() or f"{scheme}://127.0.0.1:{free_port('127.0.0.1')}/ebms"
    file = profile.berichtenbox.cpa or directory / "cpa.xml"
    cpa = profile.cpa()
    if cpa is None:
        own_url = f"{scheme}://{_bracketed(profile.berichtenbox.host)}:{port}{PATH}"
        terms = _terms(profile, own_url, gateway, shown, is_movable=is_movable, sync_reply=sync_reply)
        file.write_bytes(new_cpa(terms))
        cpa = read_cpa(file.read_bytes())
    presenting = None if shown is None else Presenting(shown.files_of("server"))
    return Wiring(port, cpa, file, gateway, shown, presenting)


def _new_certificates(profile: Profile, directory: Path) -> Pki:
    host = urlsplit(f"//{_bracketed(profile.berichtenbox.host)}").hostname or ""
    pki.write(directory, pki.make(pki.Plan(profile.afnemer.oin, datetime.now(UTC), (host,), logius_oin=profile.logius_oin())))
    return pki.load(directory)


def _terms(profile: Profile, own_url: str, gateway: str, certificates: Pki | None, *, is_movable: bool, sync_reply: str) -> Terms:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    interval = timedelta(seconds=_MOVED_S if is_movable else _WAITED_S)
    names = {ROLE_AFNEMER: "client", ROLE_LOGIUS: "server"}
    shown = {} if certificates is None else {role: certificates.files_of(name).certificate for role, name in names.items()}
    return Terms(
        cpa_id=profile.connection_config().connection().cpa_id,
        oins={ROLE_AFNEMER: profile.afnemer.oin, ROLE_LOGIUS: profile.logius_oin()},
        endpoints={ROLE_AFNEMER: gateway, ROLE_LOGIUS: own_url},
        start=start,
        end=start + _TERM,
        retries=_RETRIES,
        retry_interval=interval,
        persist=(1 + _RETRIES) * interval + timedelta(days=1),
        certificates={role: first_certificate(file.read_bytes()) for role, file in shown.items()},
        sync_reply=sync_reply,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def free_port(host: str) -> int:
    """Return a port of ``host`` that nobody listens on now; raises ``ServerError`` when there is no such host.

    It lies below those that systems give out for outgoing connections: one of those may be taken before anybody listens on it.
    """
    for port in random.SystemRandom().sample(_QUIET_PORTS, _TRIES):
        with contextlib.suppress(ServerError), listening(host, port):
            return port
    with listening(host, 0) as bound:
        return int(bound.getsockname()[1])
