"""The Afnemer as a client in TLS: what it shows to the Berichtenbox, and which servers it must refuse to talk to."""

import contextlib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from conformance.afnemer.driver import DriverError, Letter
from conformance.berichtenbox.wire import Visit
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.scene import Scene
from conformance.stage.secured import certificate_files, presenting_of
from conformance.transport.handshakes import Defect, FailedHandshake
from conformance.verdicts import Reason

_SHOWN: Mapping[Defect, str] = {
    Defect.CERTIFICATE_MISSING: "TLS-001",
    Defect.PLAIN_HTTP: "TLS-001",
    Defect.NO_OIN: "TLS-002",
    Defect.WRONG_OIN: "TLS-003",
    Defect.CERTIFICATE_EXPIRED: "TLS-004",
    Defect.CERTIFICATE_NOT_YET_VALID: "TLS-005",
    Defect.SELF_SIGNED: "TLS-006",
    Defect.UNKNOWN_AUTHORITY: "TLS-006",
    Defect.BAD_SIGNATURE: "TLS-006",
    Defect.WRONG_PURPOSE: "TLS-006",
    Defect.WEAK_AUTHORITY: "TLS-006",
    Defect.CERTIFICATE_REFUSED: "TLS-006",
    Defect.INTERMEDIATE_MISSING: "TLS-007",
    Defect.WEAK_KEY: "TLS-008",
    Defect.WEAK_SIGNATURE: "TLS-009",
    Defect.CERTIFICATE_REVOKED: "TLS-010",
}
_EXPECTED: Mapping[str, str] = {
    "TLS-001": "a client certificate",
    "TLS-002": "an OIN of 20 digits as serialNumber in its subject",
    "TLS-003": "the OIN of this Afnemer, or of its intermediary",
    "TLS-004": "a client certificate within its term: ask for a new PKIoverheid certificate",
    "TLS-005": "a client certificate that is valid already",
    "TLS-006": "an issuer below the trusted root",
    "TLS-007": "the client certificate with its intermediate",
    "TLS-008": "an RSA key of at least 2048 bits",
    "TLS-009": "a signature with SHA-256 or stronger",
    "TLS-010": "a client certificate that is not on the CRL",
}
_ANONYMOUS = "TLS-001"
_WHOSE = ("TLS-001", "TLS-002", "TLS-003")


def _checked_letter(scene: Scene) -> Letter:
    """Return a letter to a citizen about whom the Afnemer asked beforehand: who asks now would show its other client, and never come to sending."""
    letter = scene.letter()
    with contextlib.suppress(DriverError):  # it need not use the validatieservice
        scene.driver.validate(letter.bericht_type, [letter.bsn])
    return letter


def _knock(scene: Scene) -> tuple[Sequence[Visit], Sequence[FailedHandshake]]:
    """Have a letter delivered; return who asked something over TLS meanwhile, and who was kept out."""
    letter, began = _checked_letter(scene), scene.box.wall()
    (delivered,) = scene.driver.deliver([letter])
    scene.wait(lambda: bool(scene.box.refused(began)) or bool(scene.seen(delivered.bericht_id)))
    visits, refused = scene.box.visits(began), scene.box.refused(began)
    if not visits and not refused:
        raise NotTestedError(Reason.NO_TRAFFIC, "this Afnemer made no connection with the Berichtenbox")
    return visits, refused


@needs("tls")
@decides("TLS-001", "TLS-002", "TLS-003", "TLS-004", "TLS-005", "TLS-006", "TLS-007", "TLS-008", "TLS-009", "TLS-010", "EBMS-042")
def test_client_shows_a_good_certificate(scene: Scene, judge: Judge) -> None:
    """The Afnemer delivers a letter, and the certificate that it shows is looked at from all sides."""
    visits, refused = _knock(scene)
    failures = {_SHOWN[failure.defect]: failure for failure in reversed(refused) if failure.defect in _SHOWN}
    if visits:
        failures.pop(_ANONYMOUS, None)  # who shows nothing while the letter comes with a certificate is somebody else
    for requirement, expected in _EXPECTED.items():
        if requirement in failures:
            judge.that(requirement, holds=False, expected=expected, seen=failures[requirement].got)
        elif visits or (requirement == _ANONYMOUS and failures):  # a certificate that is refused was shown
            judge.that(requirement, holds=True, expected=expected, seen="")
        else:
            judge.undecided(requirement, Reason.NO_TRAFFIC, f"no connection came about: {_first(refused)}")
    whose = next((failures[requirement].got for requirement in _WHOSE if requirement in failures), "")
    if whose or visits:
        judge.that("EBMS-042", not whose, expected="a client certificate with the OIN of the From party", seen=whose)
    else:
        judge.undecided("EBMS-042", Reason.NO_TRAFFIC, f"no connection came about: {_first(refused)}")


def _first(refused: Sequence[FailedHandshake]) -> str:
    first = refused[0]
    about = f"; see {_SHOWN[first.defect]}" if first.defect in _SHOWN else ""
    return f"{first.defect}: {first.got}{about}"


@needs("tls")
@decides("TLS-011", "TLS-018")
def test_client_speaks_tls_of_today(scene: Scene, judge: Judge) -> None:
    """The Berichtenbox offers TLS 1.2 and 1.3; the Afnemer takes one of them, and preferably the newest."""
    visits, refused = _knock(scene)
    too_old = [failure for failure in refused if failure.defect is Defect.TLS_TOO_OLD]
    if too_old and not visits:
        judge.that("TLS-011", holds=False, expected="TLS 1.2 or 1.3", seen=f"only something older: {too_old[0].got}")
        judge.undecided("TLS-018", Reason.NO_TRAFFIC, "no connection came about; see TLS-011")
        return
    if not visits:
        raise NotTestedError(Reason.NO_TRAFFIC, f"no connection came about: {_first(refused)}")
    versions = sorted({visit.version for visit in visits})
    judge.that("TLS-011", holds=True, expected="TLS 1.2 or 1.3", seen="")
    judge.that("TLS-018", versions == ["TLSv1.3"], expected="TLSv1.3", seen=" and ".join(versions))


# -- servers that are not in order -------------------------------------------------------------------------------------------------------------


def _refuses(scene: Scene, judge: Judge, requirements: Sequence[str], showing: AbstractContextManager[None], what: str) -> None:
    """Let the Afnemer deliver a letter while the Berichtenbox shows something bad: no request may come. Afterwards the letter does arrive."""
    letter = _checked_letter(scene)
    with showing:
        began = scene.box.wall()
        (delivered,) = scene.driver.deliver([letter])
        scene.wait(lambda: bool(scene.box.visits(began) or scene.box.refused(began)))
        visits, refused = scene.box.visits(began), scene.box.refused(began)
    if not visits:
        scene.wait(lambda: bool(scene.seen(delivered.bericht_id)))  # what is under way is not left for the next case
    if not visits and not refused:
        raise NotTestedError(Reason.NO_TRAFFIC, "this Afnemer made no connection with the Berichtenbox while it was looked at")
    if not visits and all(failure.defect in _SHOWN for failure in refused):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the certificate of this Afnemer itself does not pass: {_first(refused)}")
    for requirement in requirements:
        judge.that(requirement, not visits, expected="no request", seen=f"{len(visits)} requests to a server {what}")


def _showing(scene: Scene, name: str) -> AbstractContextManager[None]:
    return presenting_of(scene).certificate_of(certificate_files(scene, name))


@needs("tls")
@decides("TLS-012", "EBMS-043")
def test_server_that_expired_is_refused(scene: Scene, judge: Judge) -> None:
    """The certificate of the Berichtenbox has expired."""
    _refuses(scene, judge, ["TLS-012", "EBMS-043"], _showing(scene, "server-expired"), "whose certificate has expired")


@needs("tls")
@decides("TLS-013")
def test_server_of_tomorrow_is_refused(scene: Scene, judge: Judge) -> None:
    """The certificate of the Berichtenbox is not valid yet."""
    _refuses(scene, judge, ["TLS-013"], _showing(scene, "server-not-yet-valid"), "whose certificate is not valid yet")


@needs("tls")
@decides("TLS-014", "EBMS-043")
def test_server_of_an_unknown_issuer_is_refused(scene: Scene, judge: Judge) -> None:
    """The certificate of the Berichtenbox comes from an authority that nobody knows."""
    _refuses(scene, judge, ["TLS-014", "EBMS-043"], _showing(scene, "server-unknown-root"), "whose certificate has an unknown issuer")


@needs("tls")
@decides("TLS-015", "EBMS-043")
def test_server_for_another_host_is_refused(scene: Scene, judge: Judge) -> None:
    """The certificate of the Berichtenbox names another host than the one that is called."""
    _refuses(scene, judge, ["TLS-015", "EBMS-043"], _showing(scene, "server-wrong-host"), "whose certificate is for wrong-host.invalid")


@needs("tls")
@decides("TLS-016")
def test_revoked_server_is_refused(scene: Scene, judge: Judge) -> None:
    """The certificate of the Berichtenbox stands in the CRL of its issuer, which is a file beside the certificates (crl.pem)."""
    _refuses(scene, judge, ["TLS-016"], _showing(scene, "server-revoked"), "whose certificate is on the CRL (crl.pem, beside root.pem)")


def _only(scene: Scene, version: ssl.TLSVersion) -> AbstractContextManager[None]:
    presenting = presenting_of(scene)
    if not presenting.can_offer(version):
        text = f"the TLS library of this machine has {version.name} switched off, so no Afnemer can be seen to refuse it"
        raise NotTestedError(Reason.KIT_LIMIT, f"{text}; allow it in its configuration (MinProtocol, SECLEVEL), or run the kit on another machine")
    return presenting.only(version)


@needs("tls")
@decides("TLS-017", "EBMS-044")
def test_server_with_tls_1_1_only_is_refused(scene: Scene, judge: Judge) -> None:
    """The Berichtenbox speaks TLS 1.1, and nothing else."""
    _refuses(scene, judge, ["TLS-017", "EBMS-044"], _only(scene, ssl.TLSVersion.TLSv1_1), "that speaks TLS 1.1 only")


@needs("tls")
@decides("TLS-019")
def test_server_with_tls_1_0_only_is_refused(scene: Scene, judge: Judge) -> None:
    """The Berichtenbox speaks TLS 1.0, and nothing else."""
    _refuses(scene, judge, ["TLS-019"], _only(scene, ssl.TLSVersion.TLSv1), "that speaks TLS 1.0 only")
