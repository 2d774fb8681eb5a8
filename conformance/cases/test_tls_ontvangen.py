"""The Afnemer's gateway as a server in TLS: what it shows, and which clients it must refuse."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from conformance.stage.judging import Judge, decides, needs
from conformance.stage.scene import Scene
from conformance.stage.secured import bad_client, greet, post_as, taken_result, trust_of, welcomed
from conformance.transport.ebms2.http import HttpOutcome
from conformance.transport.ebms2.mime import MimeRefused
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.reading import EnvelopeRefused, read_message
from conformance.transport.ebms2.writing import write_message
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import CBC_ONLY, MUST_HAVE_SUITE, NO_CERTIFICATE, OLD_VERSION, OLDEST_VERSION, PLAIN_1_2, RSA_EXCHANGE
from conformance.transport.shown import Shown, hosts_of, names_host
from conformance.transport.tls import EC_BITS_LEAST, RSA_BITS_LEAST, PeerCertificate

_LEAST = {"RSA": RSA_BITS_LEAST, "EC": EC_BITS_LEAST}

# -- what it shows -----------------------------------------------------------------------------------------------------------------------------


@needs("tls")
@decides("TLS-032", "TLS-033")
def test_server_is_within_its_term(scene: Scene, judge: Judge) -> None:
    """The certificate of the gateway has begun, and has not ended."""
    leaf, now = welcomed(scene).leaf, scene.box.wall()

    judge.that("TLS-032", now <= leaf.not_after, expected="a certificate within its term", seen=f"it expired on {leaf.not_after:%Y-%m-%d %H:%M} UTC")
    judge.that("TLS-033", now >= leaf.not_before, expected="a certificate within its term", seen=f"it is not valid before {leaf.not_before:%Y-%m-%d}")


@needs("tls")
@decides("TLS-034")
def test_server_names_its_host(scene: Scene, judge: Judge) -> None:
    """The certificate of the gateway is for the host in its Endpoint."""
    shown = welcomed(scene)
    host = urlsplit(scene.line.gateway if scene.line else "").hostname or ""

    named = ", ".join(sorted(hosts_of(shown.chain[0]))) or "none at all"
    judge.that("TLS-034", names_host(shown.chain[0], host), expected=f"subjectAltName with {host}, as in the Endpoint", seen=named)


@needs("tls")
@decides("TLS-035", "TLS-037", "TLS-038")
def test_server_has_a_chain_to_the_root(scene: Scene, judge: Judge) -> None:
    """The gateway sends every intermediate, the chain ends at a trusted root, and nobody revoked it."""
    shown, trust = welcomed(scene), trust_of(scene)
    sent = f"{len(shown.chain)} certificate(s), of which the first is of {_whose(shown.leaf)}"

    judge.that("TLS-035", trust.is_sent_whole(shown.chain), expected="the certificate and each intermediate", seen=sent)
    judge.that("TLS-037", trust.is_trusted(shown.chain), expected="an issuer below the trusted root", seen=f"a chain that does not end there: {sent}")
    judge.that("TLS-038", not trust.is_revoked(shown.chain[0]), expected="a certificate that is not on the CRL", seen="it is on crl.pem")


def _whose(leaf: PeerCertificate) -> str:
    return f"CN {leaf.common_name or 'absent'}, OIN {leaf.oin or 'absent'}"


@needs("tls")
@decides("TLS-036")
def test_server_shows_its_oin(scene: Scene, judge: Judge) -> None:
    """The certificate of the gateway has the OIN of this Afnemer."""
    leaf, oins = welcomed(scene).leaf, scene.box.connection.oins

    judge.that("TLS-036", leaf.oin in oins, expected=f"OIN {' or '.join(sorted(oins))} as serialNumber in its subject", seen=_whose(leaf))


@needs("tls")
@decides("TLS-039", "TLS-040")
def test_server_key_is_strong(scene: Scene, judge: Judge) -> None:
    """The certificate of the gateway has a key that is large enough, and a signature on a hash that holds."""
    leaf = welcomed(scene).leaf

    is_large = leaf.bits >= _LEAST.get(leaf.key, leaf.bits + 1)
    judge.that("TLS-039", is_large, expected="RSA of at least 2048 bits, or EC of at least 224", seen=f"{leaf.key}, {leaf.bits} bits")
    judge.that("TLS-040", leaf.is_signed_well, expected="a signature with SHA-256 or stronger", seen="a signature on a weaker hash")


# -- how it wants to talk ------------------------------------------------------------------------------------------------------------------------


def _agreed(found: Shown | FailedHandshake) -> str:
    return f"a handshake in {found.version} with {found.suite}" if isinstance(found, Shown) else found.got


@needs("tls")
@decides("TLS-026", "TLS-027", "EBMS-098")
def test_old_versions_are_refused(scene: Scene, judge: Judge) -> None:
    """A client that has nothing newer than TLS 1.0, or 1.1, gets no connection."""
    welcomed(scene)
    for requirement, name in (("TLS-026", OLDEST_VERSION), ("TLS-027", OLD_VERSION)):
        found = greet(scene, bad_client(scene, name))
        for one in (requirement, "EBMS-098"):
            judge.that(one, isinstance(found, FailedHandshake), expected=f"no handshake in {name.upper()}", seen=_agreed(found))


@needs("tls")
@decides("TLS-028")
def test_plain_rsa_is_refused(scene: Scene, judge: Judge) -> None:
    """A client that offers suites with RSA as key exchange only gets no connection."""
    welcomed(scene)
    found = greet(scene, bad_client(scene, RSA_EXCHANGE))

    judge.that("TLS-028", isinstance(found, FailedHandshake), expected="no handshake without ECDHE", seen=_agreed(found))


@needs("tls")
@decides("TLS-029")
def test_cbc_is_refused(scene: Scene, judge: Judge) -> None:
    """A client that offers suites with CBC only gets no connection."""
    welcomed(scene)
    found = greet(scene, bad_client(scene, CBC_ONLY))

    judge.that("TLS-029", isinstance(found, FailedHandshake), expected="no handshake with CBC", seen=_agreed(found))


@needs("tls")
@decides("TLS-030", "EBMS-099")
def test_suite_of_ebms_core_is_accepted(scene: Scene, judge: Judge) -> None:
    """TLS 1.2 with the one suite that everybody has works: it is all that some peers offer."""
    welcomed(scene)
    found = greet(scene, bad_client(scene, PLAIN_1_2))

    for requirement in ("TLS-030", "EBMS-099"):
        judge.that(requirement, isinstance(found, Shown), expected=f"a handshake in TLS 1.2 with {MUST_HAVE_SUITE}", seen=_agreed(found))


@needs("tls")
@decides("TLS-031")
def test_tls_1_3_is_offered(scene: Scene, judge: Judge) -> None:
    """A client that offers TLS 1.2 and 1.3 gets 1.3."""
    found = welcomed(scene)

    judge.that("TLS-031", found.version == "TLSv1.3", expected="TLSv1.3", seen=found.version)


# -- clients that are not in order -------------------------------------------------------------------------------------------------------------


def _refused(scene: Scene, judge: Judge, requirements: Sequence[str], name: str, what: str) -> None:
    """Push a result as a client that is not in order, after one that was taken from a good client: it may not be taken."""
    message = replace(taken_result(scene), message_id=scene.box.new_message_id())
    outcome = post_as(scene, name, write_message(message))
    is_taken = _is_taken(scene, outcome, message.message_id)

    status = f"HTTP {outcome.answer.status}" if outcome.answer else ""
    for requirement in requirements:
        judge.that(requirement, not is_taken, expected="a handshake or a request that is refused", seen=f"{status} to a client {what}")


def _is_taken(scene: Scene, outcome: HttpOutcome, message_id: str) -> bool:
    """Tell whether a message was taken: 2xx, and no MessageError, neither in the answer nor in a POST of its own."""
    answer = outcome.answer
    if answer is None or not answer.is_success:
        return False
    if answer.body:
        try:
            return read_message(answer.headers.get("content-type", ""), answer.body).message.kind is not Kind.ERROR
        except (MimeRefused, EnvelopeRefused):
            return True
    scene.wait(lambda: bool(_signals(scene, message_id)), is_patient=False)
    return Kind.ERROR not in _signals(scene, message_id)


def _signals(scene: Scene, message_id: str) -> list[str]:
    return [one.kind for one in scene.box.exchanges(scene.start) if one.is_incoming and one.ref_to_message_id == message_id]


@needs("tls")
@decides("TLS-020", "EBMS-097")
def test_client_without_a_certificate_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows no certificate at all."""
    _refused(scene, judge, ["TLS-020", "EBMS-097"], NO_CERTIFICATE, "without a certificate")


@needs("tls")
@decides("TLS-021")
def test_client_that_expired_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a certificate that has expired."""
    _refused(scene, judge, ["TLS-021"], "server-expired", "whose certificate has expired")


@needs("tls")
@decides("TLS-022")
def test_client_of_tomorrow_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a certificate that is not valid yet."""
    _refused(scene, judge, ["TLS-022"], "server-not-yet-valid", "whose certificate is not valid yet")


@needs("tls")
@decides("TLS-023", "EBMS-097")
def test_client_of_an_unknown_issuer_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a certificate of an authority that nobody knows."""
    _refused(scene, judge, ["TLS-023", "EBMS-097"], "server-unknown-root", "whose certificate has an unknown issuer")


@needs("tls")
@decides("TLS-024", "EBMS-097")
def test_revoked_client_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a certificate that stands in the CRL of its issuer, which is a file beside the certificates (crl.pem)."""
    _refused(scene, judge, ["TLS-024", "EBMS-097"], "server-revoked", "whose certificate is on the CRL (crl.pem, beside root.pem)")


@needs("tls")
@decides("TLS-025", "EBMS-097")
def test_client_with_another_oin_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a good certificate of another organisation, and says that it is Logius."""
    _refused(scene, judge, ["TLS-025", "EBMS-097"], "server-wrong-oin", "whose certificate has the OIN of another organisation")


@needs("tls")
@decides("TLS-041")
def test_client_with_a_weak_key_is_refused(scene: Scene, judge: Judge) -> None:
    """A client shows a certificate on an RSA key of 1024 bits."""
    _refused(scene, judge, ["TLS-041"], "server-weak-key", "with an RSA key of 1024 bits")
