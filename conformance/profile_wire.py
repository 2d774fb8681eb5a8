"""The files beside a profile: the certificates and the CPA, and whether they, the gateway and the face of the profile go together.

Nothing here knows TOML: a function says with :class:`UnfitError` what is wrong with a value, and the profile says where it stands.
"""

import contextlib
import shlex
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Final

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.identities import PARTY_PREFIX, flat_party, is_oin
from conformance.profile_keys import UnfitError
from conformance.rules.findings import quoted
from conformance.transport.cpa import LIMITS, Cpa, CpaFinding, CpaRefused, Direction, Party, read_cpa
from conformance.transport.cpa_check import check
from conformance.transport.pki import Pki, PkiError, load

EXAMPLE_GATEWAY: Final = "127.0.0.1:9443/ebms"
"""Where the gateway of an Afnemer is expected when nothing says so, without its scheme."""


def certificates(directory: Path, oins: Collection[str]) -> Pki:
    """Return the test certificates in a directory; raises :class:`UnfitError` when it is not whole, or when its Afnemer has none of ``oins``.

    The first OIN is that of the Afnemer; with no OINs anybody's certificates will do.
    """
    oin = f" --oin {next(iter(oins))}" if oins else ""
    make = f"berichtenbox pki new {shlex.quote(str(directory))}{oin}"
    if not _is_directory(directory):
        raise UnfitError(f"expected a directory of test certificates, {directory} is none.", f"`{make}` makes one")
    try:
        pki = load(directory)
    except PkiError as error:
        what = str(error).partition("\n")[0].removeprefix(f"{directory}: ")
        raise UnfitError(what, f"`{make} --force` writes it again") from None
    if oins and pki.oin not in oins:
        what = f"its certificates are those of OIN {pki.oin}, expected {' or '.join(oins)}: the certificate of your Afnemer would be refused."
        raise UnfitError(what, f"`{make} --force` makes them for your OIN")
    return pki


def _is_directory(path: Path) -> bool:
    with contextlib.suppress(OSError):  # a name that is too long, or below a directory that may not be read
        return path.is_dir()
    return False


def agreement(file: Path, oin: str, now: datetime) -> Cpa:
    """Return the CPA in a file; warnings of `berichtenbox cpa check` are taken.

    Raises :class:`UnfitError` when it cannot be read or used at ``now`` (aware), or is not between the Afnemer with ``oin`` (empty: whichever)
    and Logius.
    """
    try:
        with file.open("rb") as opened:
            cpa = read_cpa(opened.read(LIMITS.size + 1))
    except OSError as error:
        hint = f"take the CPA of your connection from Logius, or make one for tests: `berichtenbox cpa new --out {shlex.quote(str(file))}`"
        raise UnfitError(f"{file} cannot be read: {error.strerror}.", hint) from None
    except CpaRefused as refused:
        raise UnfitError(f"is not read as a CPA: {_told(refused.finding)}.", refused.finding.hint) from None
    if serious := [finding for finding in check(cpa, now) if not finding.is_warning]:
        more = f", and {len(serious) - 1} more" if serious[1:] else ""
        raise UnfitError(f"cannot be used: {_told(serious[0])}{more}.", f"`berichtenbox cpa check {shlex.quote(str(file))}` shows all")
    _check_parties(cpa, oin)
    return cpa


def _told(finding: CpaFinding) -> str:
    return f"{finding.where}: expected {finding.expected}, got {finding.got}"


def _check_parties(cpa: Cpa, oin: str) -> None:
    # Outside production a PartyId may end in _T or the like; the rules on a batch take the bare OIN, so that is what must be there.
    seen = _ids(_party(cpa, ROLE_AFNEMER))
    if oin and flat_party(oin) not in seen:
        what = f"the party in role {ROLE_AFNEMER} is {quoted(', '.join(seen))}, expected the Afnemer, {flat_party(oin)}."
        raise UnfitError(what, "give the CPA of your own connection, or correct oin below [afnemer]")
    if not logius_oin_of(cpa):
        what = f"the party in role {ROLE_LOGIUS} is {quoted(', '.join(_ids(_party(cpa, ROLE_LOGIUS))))}, expected {PARTY_PREFIX} and 20 digits."
        raise UnfitError(what, "give Logius' side a PartyId with an OIN and nothing behind it")


def _party(cpa: Cpa, role: str) -> Party:
    """Return the party in a role; the check has seen that there is one."""
    return next(party for party in cpa.parties if role in party.roles)


def _ids(party: Party) -> tuple[str, ...]:
    return tuple(party_id.flat for party_id in party.ids)


def logius_oin_of(cpa: Cpa) -> str:
    """Return the OIN of Logius' side of a CPA that was checked, or an empty text when its party ids hold more than an OIN."""
    return oin_of(cpa, ROLE_LOGIUS)


def oin_of(cpa: Cpa, role: str) -> str:
    """Return the OIN of the party in a role of a CPA that was checked, or an empty text when its party ids hold more than an OIN."""
    oins = (flat.removeprefix(PARTY_PREFIX) for flat in _ids(_party(cpa, role)))
    return next(filter(is_oin, oins), "")


def gateway_of(cpa: Cpa) -> str:
    """Return the URL on which the Afnemer receives results by a CPA that was checked."""
    bindings = _party(cpa, ROLE_AFNEMER).bindings
    wanted = (Direction.RECEIVE, SERVICE, Action.BV_RESULT)
    return next(one.channel.endpoint for one in bindings if one.channel and (one.direction, one.service, one.action) == wanted)


def check_cpa_id(cpa_id: str, cpa: Cpa) -> None:
    """Raise :class:`UnfitError` when a profile names another CPA than the one that it gives."""
    if cpa_id != cpa.cpa_id:
        raise UnfitError(f"the CPA of the key cpa has the id {quoted(cpa.cpa_id)}.", "leave cpa_id out: the CPA has it")


def check_gateway(url: str, *, has_tls: bool, cpa: Cpa | None = None) -> None:
    """Raise :class:`UnfitError` when a gateway is not the one of the CPA, or its URL and the certificates of the profile contradict each other."""
    if cpa is not None and url != gateway_of(cpa):
        what = f"the CPA has another endpoint for the Afnemer, {quoted(gateway_of(cpa))}."
        raise UnfitError(what, "leave gateway out: the CPA has it")
    is_secure = url.lower().startswith("https:")
    if is_secure and not has_tls:
        what = "the gateway is an https URL, and without certificates the kit cannot reach it."
        raise UnfitError(what, '`berichtenbox pki new pki --oin OIN` makes them; then write tls = "pki/" below [berichtenbox]')
    if has_tls and not is_secure:
        raise UnfitError("with the key tls every connection is https, and the gateway is an http URL.", "let your gateway receive on https")


def check_face(face: str, *, has_gateway: bool, has_tls: bool) -> None:
    """Raise :class:`UnfitError` when the Berichtenbox must push results, and neither ``gateway`` nor ``cpa`` says where to."""
    if face == "ebms" and not has_gateway:
        url = f"http{'s' if has_tls else ''}://{EXAMPLE_GATEWAY}"
        hint = f'write gateway = "{url}" below [afnemer], or make a CPA with `berichtenbox cpa new --out cpa.xml` and write cpa = "cpa.xml"'
        raise UnfitError("nothing says where your gateway receives, expected the key gateway or cpa.", hint)
