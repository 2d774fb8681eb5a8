"""Two-way TLS on a running Berichtenbox, with OpenSSL's own client: each defect is on the record by its name, and no request came through."""

import logging
import shutil
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.transport import pki
from conformance.transport.adapter import read_message
from conformance.transport.misbehaving import Presenting
from conformance.transport.tls import TlsFilesError, client_context, first_certificate, read_certificate

OPENSSL = shutil.which("openssl")
PATIENCE = 20
CANARY = "/kanarie/x"
ANYTHING = ("-cipher", "DEFAULT:@SECLEVEL=0")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


class Secured:
    """A running Berichtenbox with TLS, and what it recorded since the test began."""

    def __init__(self, box, presenting, certificates, url):
        self.box, self.presenting, self.certificates, self.url = box, presenting, certificates, url
        self.port = int(url.rpartition(":")[2])
        self._last = self.client()
        self.begin()

    def begin(self):
        self._mark = self.box.mark()

    @property
    def seen(self):
        """Return (defect or name, status) of each call since the test began; requests on the canary are calls too.

        What a peer tells as its last word is on the record once a later request was answered.
        """
        self._last.get("/kanarie/last")
        return [(call.subject, call.status) for call in self.box.calls(self._mark) if call.subject != "last"]

    def close(self):
        self._last.close()

    def openssl(self, *options, shows="client", path=CANARY):
        """Let openssl ask for a page, and return how that ended."""
        own = self.certificates.files_of(shows) if isinstance(shows, str) else shows
        identity = [] if own is None else ["-cert", own.certificate, "-key", own.key, "-cert_chain", own.certificate]
        roots = [] if "-CAfile" in options else ["-CAfile", self.certificates.directory / "root.pem"]
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        command = [OPENSSL, "s_client", "-connect", f"127.0.0.1:{self.port}", "-quiet", "-ign_eof", *identity, *roots, *options]
        return subprocess.run(command, input=request, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def client(self, name="client", **options):
        return httpx.Client(base_url=self.url, verify=client_context(self.certificates.files_of(name)), timeout=PATIENCE, **options)

    def raw(self, *chunks):
        """Send bytes and read until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            for chunk in chunks:
                connection.sendall(chunk)
            return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.fixture(scope="module")
def certificates(pki_directory):
    """The test hierarchy."""
    return pki.load(pki_directory)


@pytest.fixture(scope="module")
def running_box(certificates, tmp_path_factory):
    """One Berichtenbox with TLS for the module."""
    presenting = Presenting(certificates.files_of("server"))
    with SqlLedger(f"sqlite:///{tmp_path_factory.mktemp('tls') / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger)
        with running(box, tls=presenting) as urls:
            secured = Secured(box, presenting, certificates, urls.url)
            yield secured
            secured.close()


@pytest.fixture
def secured(running_box):
    """That Berichtenbox, with a clean record."""
    running_box.begin()
    return running_box


def alert_of(ended):
    """Return the alert that openssl was told, or its last error."""
    return ended.stderr.partition("alert ")[2].partition(":")[0]


# -- who may come in -------------------------------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize(
    "options",
    [("-tls1_3",), ("-tls1_2",), ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"), ("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305")],
    ids=" ".join,
)
def test_good_client_comes_in(secured, options):
    """
    TLS 1.2 with the suite that everybody has, and TLS 1.3, bring a request through.
    """
    ended = secured.openssl(*options, "-verify_return_error", "-verify_hostname", "localhost")

    assert ended.stdout.startswith("HTTP/1.1 200 OK"), ended
    assert secured.seen == [("x", 200)]


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("shows", "defect", "alert"),
    [
        (None, "certificate-missing", {"-tls1_2": "handshake failure", "-tls1_3": "certificate required"}),
        ("client-expired", "certificate-expired", "certificate expired"),
        ("client-not-yet-valid", "certificate-not-yet-valid", "bad certificate"),
        ("client-unknown-root", "unknown-authority", "unknown ca"),
        ("client-no-intermediate", "intermediate-missing", "unknown ca"),
        ("client-weak-key", "weak-key", {"-tls1_2": "bad certificate", "-tls1_3": "bad certificate"}),
        ("client-revoked", "certificate-revoked", "certificate revoked"),
        ("client-weak-signature", "weak-signature", "bad certificate"),
        ("server-revoked", "certificate-revoked", "certificate revoked"),
    ],
)
def test_bad_client_is_refused_in_the_handshake(secured, shows, defect, alert, version):
    """
    The defect is on the record by its name, the client is told by an alert, and no request was seen.
    """
    ended = secured.openssl(version, *ANYTHING, shows=shows)

    assert secured.seen == [(defect, 0)]
    assert ended.stdout == ""
    assert alert_of(ended) in (alert if isinstance(alert, str) else alert[version]), ended


def made_by_hand(directory, *serials):
    """Write a certificate that signs itself, with these serialNumbers in its subject, and return its files."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, serial) for serial in serials])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    own = pki.TlsFiles(directory / "own.pem", directory / "own.key", directory / "own.pem")
    own.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    own.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return own


@needs_openssl
def test_self_signed_client_is_refused(secured, tmp_path):
    """
    A certificate that nobody issued is told from one of an unknown authority.
    """
    ended = secured.openssl(shows=made_by_hand(tmp_path, "00000099000000001000"))

    assert secured.seen == [("self-signed", 0)]
    assert alert_of(ended) == "unknown ca"


@needs_openssl
def test_client_of_another_organisation_is_refused_after_the_handshake(secured):
    """
    Its certificate is in order and its OIN is not: 403 that says which OIN is expected, and the request reaches no face.
    """
    ended = secured.openssl(shows="client-wrong-oin")
    head, _blank, body = ended.stdout.partition("\n\n")

    assert secured.seen == [("wrong-oin", 403)]
    assert head.startswith("HTTP/1.1 403 Forbidden")
    assert "content-type: text/plain" in head
    assert body == (
        "The client certificate (CN 'another.test', OIN 00000099000000009000) is refused:\n"
        "  - its OIN 00000099000000009000 does not belong to this connection\n"
        "  Expected: a certificate within its term, with OIN 00000099000000001000 in the serialNumber of its subject.\n"
        "  Hint: use the certificate of the Afnemer to whom this connection belongs.\n"
    )


@needs_openssl
def test_client_without_an_oin_is_refused_after_the_handshake(tmp_path, live, certificates):
    """
    A trusted certificate without serialNumber in its subject is nobody's.
    """
    own = made_by_hand(tmp_path)
    trusting = pki.TlsFiles(certificates.files_of("server").certificate, certificates.files_of("server").key, own.certificate)
    with running(live, tls=trusting) as urls:
        secured = Secured(live, None, certificates, urls.url)
        ended = secured.openssl(shows=own)
        secured.close()

    assert [(call.operation, call.subject, call.status) for call in live.ledger.calls(0)] == [("tls", "no-oin", 403)]
    assert "OIN absent" in ended.stdout
    assert "no serialNumber of 20 digits" in ended.stdout


@needs_openssl
@pytest.mark.parametrize(("path", "status"), [("/besturing/v1/klok", "200"), ("/besturing/v1x", "403"), (CANARY, "403")])
def test_testers_at_logius_use_the_control_face_only(secured, path, status):
    """
    The certificate of Logius' side opens the control face, and no other.
    """
    ended = secured.openssl(shows="server", path=path)

    assert ended.stdout.startswith(f"HTTP/1.1 {status} "), ended
    assert secured.seen == ([("wrong-oin", 403)] if status == "403" else [])


# -- how they may talk -----------------------------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize(
    ("options", "defect", "alert"),
    [
        (("-tls1", *ANYTHING), "tls-too-old", "protocol version"),
        (("-tls1_1", *ANYTHING), "tls-too-old", "protocol version"),
        (("-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"), "no-common-cipher", "handshake failure"),
        (("-tls1_2", "-cipher", "AES256-GCM-SHA384"), "no-common-cipher", "handshake failure"),
        (("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"), "no-common-cipher", "handshake failure"),
    ],
    ids=["TLS 1.0", "TLS 1.1", "CBC", "plain RSA", "DHE"],
)
def test_old_ways_are_refused(secured, options, defect, alert):
    """
    Old versions, CBC and suites without ECDHE are refused in the handshake.
    """
    ended = secured.openssl(*options)

    assert secured.seen == [(defect, 0)]
    assert alert_of(ended) == alert, ended


@pytest.mark.parametrize(
    ("sent", "defect"),
    [
        (b"GET /service/rest/v19/cpas HTTP/1.1\r\nHost: localhost\r\n\r\n", "plain-http"),
        (b"CONNECT localhost:443 HTTP/1.1\r\n\r\n", "plain-http"),
        (b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + bytes(32) + b"\x00\x00\x04\x00\x0a\x00\x05\x01\x00", "tls-too-old"),
        (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40), "not-tls"),
        (b"hello, is anybody there?\r\n", "not-tls"),
        (b"\x00" * 64, "not-tls"),
    ],
    ids=["GET", "CONNECT", "SSL 3", "SSL 2", "text", "zeros"],
)
def test_what_is_no_tls_is_told_apart(secured, sent, defect):
    """
    Plain http, old SSL and garbage each have their own name.
    """
    answer = secured.raw(sent)

    assert secured.seen == [(defect, 0)]
    assert b"HTTP" not in answer


def test_client_that_hangs_is_given_up(secured, monkeypatch):
    """
    Half a greeting does not hold a connection for ever.
    """
    monkeypatch.setattr(secured.presenting, "handshake_timeout_s", 0.05)

    assert secured.raw(b"\x16\x03\x01") == b""
    assert secured.seen == [("timed-out", 0)]


def test_client_that_hangs_up_is_on_the_record(secured):
    """
    Who closes in the middle of the handshake is told from who never came; who shook hands and asked nothing too.
    """
    with socket.create_connection(("127.0.0.1", secured.port), PATIENCE) as connection:
        connection.sendall(b"\x16\x03\x01")
    context = client_context(secured.certificates.files_of("client"))
    with socket.create_connection(("127.0.0.1", secured.port), PATIENCE) as raw, context.wrap_socket(raw, server_hostname="localhost"):
        pass
    with secured.client() as client:
        client.get(CANARY)

    assert sorted(secured.seen) == [("closed-without-request", 0), ("connection-dropped", 0), ("x", 200)]


def test_stopping_does_not_wait_for_a_handshake(live, certificates):
    """
    A client in the middle of its handshake is dropped when the Berichtenbox stops.
    """
    with running(live, tls=certificates.files_of("server")) as urls:
        hanging = socket.create_connection(("127.0.0.1", int(urls.url.rpartition(":")[2])), PATIENCE)
        hanging.sendall(b"\x16")
        httpx.get(urls.control + "/klok", verify=client_context(certificates.files_of("client")))
        began = time.monotonic()
    took = time.monotonic() - began

    with hanging:
        assert hanging.recv(1) == b""
    assert took < 5


# -- what the server shows -------------------------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("shown", "options", "defect"),
    [
        ("server-expired", ("-verify_hostname", "localhost"), "peer-says-expired"),
        ("server-wrong-host", ("-verify_hostname", "localhost"), "peer-refused-certificate"),
        ("server", ("-verify_hostname", "elsewhere.example"), "peer-refused-certificate"),
        ("server-unknown-root", (), "peer-says-unknown-authority"),
        ("server-no-intermediate", (), "peer-says-unknown-authority"),
        ("server-not-yet-valid", (), "peer-refused-certificate"),
        ("server-revoked", ("-crl_check", "-CRL"), "peer-says-revoked"),
    ],
)
def test_client_that_looks_refuses_a_bad_server(secured, shown, options, defect, version):
    """
    A careful client breaks off, the Berichtenbox records why, and afterwards it shows its good certificate again.
    """
    options = [*options, *([secured.certificates.directory / "crl.pem"] if "-CRL" in options else [])]
    with secured.presenting.certificate_of(secured.certificates.files_of(shown)):
        ended = secured.openssl(version, "-verify_return_error", *options)
    again = secured.openssl(version, "-verify_return_error")

    assert secured.seen == [(defect, 0), ("x", 200)]
    assert (ended.stdout, again.stdout[:15]) == ("", "HTTP/1.1 200 OK")


@needs_openssl
def test_client_that_does_not_look_takes_a_bad_server(secured):
    """
    Without its checks the same client sends its request to anybody: that is what a case must see.
    """
    with secured.presenting.certificate_of(secured.certificates.files_of("server-expired")):
        secured.openssl()

    assert secured.seen == [("x", 200)]


@needs_openssl
@pytest.mark.parametrize(
    ("version", "options", "seen"),
    [
        (ssl.TLSVersion.TLSv1_1, ("-no_tls1_1",), [("peer-refused-version", 0)]),
        (ssl.TLSVersion.TLSv1_1, ("-tls1_2",), [("peer-refused-version", 0)]),
        (ssl.TLSVersion.TLSv1_1, ("-tls1_1", *ANYTHING), [("x", 200)]),
        (ssl.TLSVersion.TLSv1_2, ("-tls1_2",), [("x", 200)]),
        (ssl.TLSVersion.TLSv1_2, ("-tls1_3",), [("peer-refused-version", 0)]),
        (ssl.TLSVersion.TLSv1_3, ("-tls1_3",), [("x", 200)]),
        (ssl.TLSVersion.TLSv1_3, ("-tls1_2",), [("tls-too-old", 0)]),
    ],
)
def test_server_can_offer_one_version(secured, version, options, seen):
    """
    A client shows what it does with a server that has only that version.
    """
    with secured.presenting.only(version):
        secured.openssl(*options)

    assert secured.seen == seen


def test_client_that_breaks_off_after_the_handshake_is_heard(secured):
    """
    In TLS 1.3 an alert may come when the server thinks that all is well.
    """
    context = client_context(secured.certificates.files_of("client"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", secured.port), PATIENCE) as connection:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        connection.sendall(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that nobody encrypted
        ended = b"".join(iter(lambda: connection.recv(65536), b""))

    assert ended
    assert secured.seen == [("other", 0)]


# -- who is remembered -----------------------------------------------------------------------------------------------------------------------


def test_who_came_and_who_was_kept_out_is_remembered(secured):
    """
    A visit is remembered with its certificate and version, a refusal with what was seen.
    """
    began = secured.box.wall()
    with secured.client() as client:
        client.get(CANARY)
    with secured.client("client-wrong-oin") as client:
        client.get(CANARY)
    with secured.client("client-expired") as client, pytest.raises(httpx.TransportError):
        client.get(CANARY)
    expired = secured.certificates.files_of("client-expired").certificate.read_bytes()

    visits = secured.box.visits(began)
    assert [(visit.peer.oin, visit.version) for visit in visits] == [("00000099000000001000", "TLSv1.3"), (pki.WRONG_OIN, "TLSv1.3")]
    assert [failure.defect for failure in secured.box.refused(began)] == ["wrong-oin", "certificate-expired"]
    assert secured.box.refused(began)[0].got == f"its OIN {pki.WRONG_OIN} does not belong to this connection"
    assert f"(on {read_certificate(first_certificate(expired)).not_after:%Y-%m-%d %H:%M} UTC)" in secured.box.refused(began)[1].got
    assert (secured.box.visits(secured.box.wall()), secured.box.refused(secured.box.wall())) == ([], [])


def test_who_is_connected_must_shake_hands_again(secured):
    """
    A connection that was open does not outlive the moment that the server shows something else, nor the end of that.
    """
    with secured.client() as client:

        def port():
            return client.get(CANARY).extensions["network_stream"].get_extra_info("client_addr")

        before = port()
        with secured.presenting.only(ssl.TLSVersion.TLSv1_2):
            between = (port(), port())
        after = port()

    assert between[0] == between[1]
    assert len({before, between[0], after}) == 3
    assert secured.seen == [("x", 200)] * 4


def test_hanging_up_before_and_after_serving_harms_nobody(live, certificates):
    """
    Without connections, and without a server, there is nothing to close.
    """
    presenting = Presenting(certificates.files_of("server"))
    presenting.hang_up()
    with running(live, tls=presenting) as urls:
        presenting.hang_up()
        answer = httpx.get(urls.control + "/klok", verify=client_context(certificates.files_of("server")))
    before = presenting.context
    with presenting.only(ssl.TLSVersion.TLSv1_3):
        shown = presenting.context

    assert answer.status_code == 200
    assert shown is not before
    assert presenting.context is before


# -- traffic ---------------------------------------------------------------------------------------------------------------------------------


def test_httpx_talks_over_one_connection(secured):
    """
    The client of our own side gets answers, keep-alive included.
    """
    with secured.client() as client:
        ports = {client.get(CANARY).extensions["network_stream"].get_extra_info("client_addr") for _ in range(3)}

    assert len(ports) == 1
    assert secured.seen == [("x", 200)] * 3


def test_large_bodies_go_both_ways(secured, make):
    """
    A batch of megabytes comes in whole, and its bytes can be fetched again.
    """
    payload = b"<Batch>" + b"x" * 3_000_000
    with secured.client() as client:
        sender = make.sender(secured.box, client)
        client.base_url = secured.url + "/service/rest/v19"
        stored = sender.send(payload)
        fetched = sender.fetch(stored)

    assert fetched.status_code == 200
    assert read_message(fetched.content).parts[0].content == payload


def test_dropped_answer_is_dropped_under_tls_too(secured):
    """
    The fault that drops a connection after the work leaves the client without an answer.
    """
    secured.box.fault("reset-after-work", on="poll")

    with secured.client() as client, pytest.raises(httpx.TransportError):
        client.get("/service/rest/v19/ebms/messages/unprocessed")


def test_refusal_is_told_in_the_log(secured, caplog):
    """
    What was seen, what was expected and what to do next: an engineer reads it at the terminal.
    """
    caplog.set_level(logging.INFO, "conformance.berichtenbox.tls_face")
    with secured.client("client-no-intermediate") as client, pytest.raises(httpx.TransportError):
        client.get(CANARY)

    assert "sent its certificate without the intermediate that issued it" in caplog.text
    assert "\n  Expected: the certificate and every intermediate" in caplog.text
    assert "serialNumber=00000099000000001000" in caplog.text.replace("2.5.4.5", "serialNumber")


def test_plain_serving_is_as_it_was(live):
    """
    Without certificates the URLs are http, and nobody is asked who he is.
    """
    with running(live) as urls:
        answer = httpx.get(f"{urls.control}/klok")

    assert urls.url.startswith("http://")
    assert answer.status_code == 200


def test_files_that_cannot_be_used_are_told_before_anything_runs(live, certificates, tmp_path):
    """
    A missing key is a mistake of the user.
    """
    good = certificates.files_of("server")
    broken = pki.TlsFiles(good.certificate, tmp_path / "nowhere.key", good.roots)

    with pytest.raises(TlsFilesError, match=r"nowhere\.key"):
        running(live, tls=broken).__enter__()
