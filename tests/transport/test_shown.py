"""What a server shows, piece by piece: one that is wrong in one thing is wrong in that thing only."""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance.transport import pki
from conformance.transport.endpoint import Endpoint
from conformance.transport.handshakes import Defect, FailedHandshake
from conformance.transport.misbehaving import OLD_VERSION, PLAIN_1_2, Presenting, bad_client_contexts, careless_context
from conformance.transport.shown import Shown, Trust, hosts_of, names_host, shake
from conformance.transport.tls import TlsFiles

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def certificates(pki_directory):
    """The test hierarchy."""
    return pki.load(pki_directory)


@pytest.fixture(scope="module")
def trust(certificates):
    """What the Berichtenbox knows of authorities."""
    return Trust.of(certificates.files_of("server"))


def chain_of(certificates, name):
    """Return the chain that the holder of a certificate sends, as DER."""
    pem = certificates.files_of(name).certificate.read_bytes()
    return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]


@contextlib.contextmanager
def serving(certificates, name):
    """Serve with one of the certificates."""
    presenting = Presenting(certificates.files_of("client"))
    with presenting.certificate_of(certificates.files_of(name)), Endpoint(lambda _request: None, context=presenting.context) as endpoint:
        yield endpoint.url


@pytest.mark.parametrize("name", ["client", "client-expired", "client-weak-key", "client-weak-signature", "client-unknown-root", "client-wrong-host"])
def test_whatever_is_shown_is_seen(certificates, name):
    """
    The version, the suite and the chain as it was sent come back, however bad the certificate is.
    """
    with serving(certificates, name) as url:
        shown = shake(url, careless_context(certificates.files_of("server")))

    assert isinstance(shown, Shown), shown
    assert shown.version == "TLSv1.3"
    assert list(shown.chain) == chain_of(certificates, name)
    assert shown.leaf.oin == "00000099000000001000"


def test_version_and_suite_are_those_of_the_client(certificates):
    """
    Who offers one suite of TLS 1.2 gets that.
    """
    with serving(certificates, "client") as url:
        shown = shake(url, bad_client_contexts(certificates)[PLAIN_1_2])

    assert (shown.version, shown.suite) == ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384")


def test_refusal_is_told(certificates):
    """
    A server that wants no TLS 1.1 says so, or hangs up.
    """
    with serving(certificates, "client") as url:
        found = shake(url, bad_client_contexts(certificates)[OLD_VERSION])

    assert found.defect in {Defect.PEER_REFUSED_VERSION, Defect.CONNECTION_DROPPED}


def test_server_that_hangs_up_is_told(certificates):
    """
    A server that resets the connection refuses too, without a word.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            connection, _address = listener.accept()
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        found = shake(f"https://127.0.0.1:{listener.getsockname()[1]}/", careless_context(certificates.files_of("server")))
        thread.join()

    assert isinstance(found, FailedHandshake)
    assert found.defect is Defect.CONNECTION_DROPPED


def test_nobody_there_is_an_error(certificates):
    """
    A port on which nobody listens says nothing about TLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        shake(f"https://127.0.0.1:{port}/", careless_context(certificates.files_of("server")))


@pytest.mark.parametrize(
    ("name", "is_whole", "is_trusted", "is_revoked"),
    [
        ("client", True, True, False),
        ("client-expired", True, True, False),
        ("client-weak-signature", True, True, False),
        ("client-no-intermediate", False, True, False),
        ("client-unknown-root", True, False, False),
        ("client-revoked", True, True, True),
    ],
)
def test_one_thing_is_wrong_at_a_time(certificates, trust, name, is_whole, is_trusted, is_revoked):
    """
    Each bad certificate has its own defect, and no other.
    """
    chain = chain_of(certificates, name)

    assert (trust.is_sent_whole(chain), trust.is_trusted(chain), trust.is_revoked(chain[0])) == (is_whole, is_trusted, is_revoked)


def test_root_that_is_sent_along_harms_nobody(certificates, trust):
    """
    A server may send its root too; and the root by itself is trusted.
    """
    root = ssl.PEM_cert_to_DER_cert((certificates.directory / "root.pem").read_text())

    assert trust.is_trusted([*chain_of(certificates, "client"), root])
    assert trust.is_sent_whole([*chain_of(certificates, "client"), root])
    assert trust.is_trusted([root])


def test_without_a_crl_nobody_is_revoked(certificates):
    """
    Who has no CRL cannot tell.
    """
    files = certificates.files_of("server")

    trust = Trust.of(TlsFiles(files.certificate, files.key, files.roots))

    assert not trust.is_revoked(chain_of(certificates, "client-revoked")[0])


@pytest.mark.parametrize(
    ("host", "named"), [("localhost", True), ("LOCALHOST.", True), ("127.0.0.1", True), ("127.0.0.2", False), ("elsewhere.example", False)]
)
def test_host_is_looked_up_in_the_certificate(certificates, host, named):
    """
    A name is compared without its case, an address as an address.
    """
    assert names_host(chain_of(certificates, "client")[0], host) is named


def test_star_stands_for_one_label():
    """
    ``*.example`` is for ``gateway.example``, and not for what is deeper.
    """
    certificate = pki.make(pki.Plan("00000099000000001000", NOW))["client.pem"]
    der = ssl.PEM_cert_to_DER_cert(certificate.decode().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    with_star = der.replace(b"localhost", b"*.example")

    assert [names_host(with_star, host) for host in ("gateway.example", "a.gateway.example", "example")] == [True, False, False]


def test_certificate_without_names_has_no_host(certificates):
    """
    An authority has no subjectAltName.
    """
    assert hosts_of(ssl.PEM_cert_to_DER_cert((certificates.directory / "root.pem").read_text())) == frozenset()
