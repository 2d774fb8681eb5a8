"""Why handshakes fail: each way has its own name and its own text, seen by a server and by a client; bytes in memory, no sockets."""

import contextlib
import ssl
from datetime import UTC, datetime

import pytest

from conformance.transport import pki, tls
from conformance.transport.handshakes import _TEXTS, Defect, failed, failure_of
from conformance.transport.misbehaving import (
    CBC_ONLY,
    NO_CERTIFICATE,
    OLD_VERSION,
    OLDEST_VERSION,
    PLAIN_1_2,
    RSA_EXCHANGE,
    Presenting,
    bad_client_contexts,
)
from conformance.transport.pki import PkiError
from conformance.transport.tls import TlsFiles, TlsFilesError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def certificates(pki_directory):
    """The test hierarchy."""
    return pki.load(pki_directory)


@pytest.fixture(scope="module")
def good(certificates):
    """What the Berichtenbox has."""
    return certificates.files_of("server")


@pytest.fixture(scope="module")
def bad_clients(certificates):
    """The clients that each do one thing wrong."""
    return bad_client_contexts(certificates)


def stepped(side, out, to):
    """Let one side take a step, and return the error that ended it, ``None`` when it is done, or ``...`` when it waits."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return ...
    except ssl.SSLError as error:
        return error
    finally:
        to.write(out.read())
    return None


def shake(server, client, host="localhost"):
    """Let two contexts shake hands in memory; return the error of each side, ``None`` when it found all well, or ``...`` when it still waits."""
    to_server, to_client, from_server, from_client = (ssl.MemoryBIO() for _ in range(4))
    one = server.wrap_bio(to_server, from_server, server_side=True)
    other = client.wrap_bio(to_client, from_client, server_hostname=host)
    ended = [..., ...]
    for _ in range(6):
        if ended[1] is ...:
            ended[1] = stepped(other, from_client, to_server)
        if ended[0] is ...:
            ended[0] = stepped(one, from_server, to_client)
    if ended[1] is None:
        ended[1] = said_afterwards(other)
    return ended


def said_afterwards(client):
    """Return the alert that a client of TLS 1.3 hears only when it reads."""
    try:
        client.read(1)
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as error:
        return error
    return None


def named(error, **options):
    """Return the defect of an error."""
    failure = failure_of(error, NOW, **options)
    assert failure.at == NOW
    return failure.defect


@pytest.mark.parametrize(
    ("name", "by_the_server", "by_the_client"),
    [
        ("server-expired", "certificate-expired", "peer-says-expired"),
        ("server-not-yet-valid", "certificate-not-yet-valid", "peer-refused-certificate"),
        ("server-unknown-root", "unknown-authority", "peer-says-unknown-authority"),
        ("server-no-intermediate", "intermediate-missing", "peer-says-unknown-authority"),
        ("server-weak-key", "weak-key", "peer-refused-certificate"),
        ("server-revoked", "certificate-revoked", "peer-says-revoked"),
        (NO_CERTIFICATE, "certificate-missing", "peer-demands-certificate"),
        (OLD_VERSION, "tls-too-old", "peer-refused-version"),
        (CBC_ONLY, "no-common-cipher", "peer-refused-handshake"),
    ],
)
def test_bad_client_is_named_by_both_sides(certificates, bad_clients, name, by_the_server, by_the_client):
    """
    The server of the Afnemer sees what is wrong with each bad client, and the client understands its alert.
    """
    own = certificates.files_of("client")

    seen = shake(tls.server_context(own), bad_clients[name])

    assert [named(seen[0], intermediates=own.known_intermediates()), named(seen[1])] == [by_the_server, by_the_client]


@pytest.mark.parametrize("name", [PLAIN_1_2, "server-wrong-oin"])
def test_some_shake_hands(certificates, bad_clients, name):
    """
    TLS 1.2 with the suite that everybody has is right, and a wrong OIN is seen only after the handshake.
    """
    assert shake(tls.server_context(certificates.files_of("client")), bad_clients[name]) == [None, None]


def test_bad_clients_are_those_of_the_directory(bad_clients):
    """
    Each bad certificate that says something about a client is there, and those that have no certificate of their own.
    """
    of_the_directory = {entry.name for entry in pki.ENTRIES if entry.side == "server" and entry.reason} - {"server-wrong-host"}

    assert set(bad_clients) == of_the_directory | {NO_CERTIFICATE, OLDEST_VERSION, OLD_VERSION, CBC_ONLY, RSA_EXCHANGE, PLAIN_1_2}


@pytest.mark.parametrize(
    ("name", "host", "defect"),
    [
        ("server-expired", "localhost", "certificate-expired"),
        ("server-wrong-host", "localhost", "wrong-host"),
        ("server", "10.0.0.1", "wrong-host"),
        ("server-unknown-root", "localhost", "unknown-authority"),
        ("server-no-intermediate", "localhost", "intermediate-missing"),
        ("server-revoked", "localhost", "certificate-revoked"),
        ("server-weak-key", "localhost", "weak-key"),
    ],
)
def test_client_names_what_is_wrong_with_a_server(certificates, good, name, host, defect):
    """
    What the Berichtenbox sees when it pushes a result to a gateway that is not in order.
    """
    presenting = Presenting(good)
    with presenting.certificate_of(certificates.files_of(name)):
        _server, error = shake(presenting.context, tls.client_context(certificates.files_of("client")), host)

    assert named(error, intermediates=presenting.intermediates) == defect


def test_presenting_goes_back_one_step_at_a_time(certificates, good):
    """
    Blocks may lie inside each other, and an error in one changes nothing.
    """
    presenting = Presenting(good)
    own = presenting.context
    with contextlib.suppress(ZeroDivisionError), presenting.only(ssl.TLSVersion.TLSv1_3):
        between = presenting.context
        with presenting.certificate_of(certificates.files_of("server-expired")):
            assert presenting.context not in (own, between)
        assert presenting.context is between
        raise ZeroDivisionError

    assert presenting.context is own


@pytest.mark.parametrize(
    ("known", "defect", "hint"), [(True, "intermediate-missing", "append the intermediate"), (False, "unknown-authority", "or the")]
)
def test_missing_intermediate_is_told_when_it_can_be(certificates, bad_clients, known, defect, hint):
    """
    Who does not know the intermediate cannot tell, and says so.
    """
    own = certificates.files_of("client")
    error, _client = shake(tls.server_context(own), bad_clients["server-no-intermediate"])

    failure = failure_of(error, NOW, intermediates=own.known_intermediates() if known else ())

    assert failure.defect == defect
    assert hint in failure.text.partition("Hint: ")[2]


def test_root_that_is_sent_along_is_still_unknown(certificates, tmp_path, good):
    """
    A chain to another root is no reason to trust it.
    """
    other = pki.make(pki.Plan("00000099000000001000", datetime.now(UTC)))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(other["server.pem"] + other["root.pem"])
    (tmp_path / "chain.key").write_bytes(other["server.key"])
    presenting = Presenting(good)
    with presenting.certificate_of(TlsFiles(chain, tmp_path / "chain.key", good.roots)):
        _server, error = shake(presenting.context, tls.client_context(certificates.files_of("client")))

    failure = failure_of(error, NOW, intermediates=presenting.intermediates)

    assert failure.defect is Defect.UNKNOWN_AUTHORITY
    assert "left out" not in failure.text


def test_crl_that_is_not_there_is_told(certificates, good, tmp_path):
    """
    Whoever checks revocation needs the CRLs of every authority.
    """
    half = tmp_path / "crl.pem"
    half.write_bytes(good.crl.read_bytes().partition(b"-----BEGIN X509 CRL-----")[2].partition(b"-----BEGIN")[0])
    half.write_bytes(b"-----BEGIN X509 CRL-----" + half.read_bytes())
    server = tls.server_context(TlsFiles(good.certificate, good.key, good.roots, half))

    error, _client = shake(server, tls.client_context(certificates.files_of("client")))

    assert named(error) == "crl-unavailable"


def pki_end(certificates, name):
    """Return when the term of a certificate ends."""
    pem = certificates.files_of(name).certificate.read_bytes()
    return tls.read_certificate(tls.first_certificate(pem)).not_after


def test_text_says_what_was_expected_seen_and_next(certificates, bad_clients):
    """
    The whole text, as the log has it.
    """
    error, _client = shake(tls.server_context(certificates.files_of("client")), bad_clients["server-expired"])

    ended = pki_end(certificates, "server-expired")
    assert failure_of(error, NOW).text == (
        "TLS: a certificate in the chain of the other side has expired.\n"
        "  Expected: certificates within their term.\n"
        f"  Got: certificate has expired (on {ended:%Y-%m-%d %H:%M} UTC), for subject "
        "'CN=berichtenbox.test,2.5.4.5=00000099000000002000,O=Berichtenbox (test),C=NL' "
        "by issuer 'CN=Kit TEST Private Services CA,O=Berichtenbox conformance kit (test),C=NL'.\n"
        "  Hint: look at notAfter of the leaf and of the intermediate, and at the clock of this machine."
    )


def error_of(reason):
    """Return an error as OpenSSL gives it."""
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "defect"),
    [
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "peer-refused-certificate"),
        ("TLSV1_ALERT_ACCESS_DENIED", "peer-refused-certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "peer-says-expired"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "peer-demands-certificate"),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", "peer-refused-handshake"),
        ("TLSV1_UNRECOGNIZED_NAME", "peer-alert"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "peer-alert"),
        ("UNEXPECTED_EOF_WHILE_READING", "connection-dropped"),
        ("WRONG_VERSION_NUMBER", "not-tls"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_reason_has_a_name(reason, defect):
    """
    What OpenSSL calls it becomes one of ours, and its words stand in the text.
    """
    failure = failure_of(error_of(reason), NOW)

    assert failure.defect == defect
    assert f"\n  Got: {reason.replace('_', ' ').lower()}.\n" in failure.text
    assert repr(failure) == f"<FailedHandshake {defect} at 2026-11-24T12:00:00Z>"


@pytest.mark.parametrize(
    ("error", "defect"), [(ssl.SSLEOFError(), "connection-dropped"), (ssl.SSLZeroReturnError(), "connection-dropped"), (ssl.SSLError(), "other")]
)
def test_error_without_a_reason_has_a_name(error, defect):
    """
    The end of the connection is told from what nobody foresaw.
    """
    assert named(error) == defect


def test_unknown_code_of_a_certificate_is_refused_all_the_same():
    """
    OpenSSL has more codes than we have names.
    """
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code, error.verify_message = 51, "unsupported name constraint type"

    failure = failure_of(error, NOW)

    assert failure.defect is Defect.CERTIFICATE_REFUSED
    assert "\n  Got: unsupported name constraint type.\n" in failure.text


def test_cause_is_found_below_the_error_of_a_library():
    """
    A client library wraps the error, and may raise it in the middle of handling it.
    """
    outer, middle = RuntimeError("connect"), OSError("idem")
    outer.__cause__, middle.__context__ = middle, error_of("NO_SHARED_CIPHER")

    assert named(outer) == "no-common-cipher"


def test_what_is_not_of_tls_has_no_name():
    """
    A refused connection is no handshake, also when its causes go round.
    """
    one, other = ConnectionRefusedError(), RuntimeError()
    one.__context__, other.__context__ = other, one

    assert failure_of(one, NOW) is None


def test_every_defect_of_a_handshake_has_a_text():
    """
    Only what is seen after the handshake has its text elsewhere.
    """
    assert set(Defect) - set(_TEXTS) == {Defect.NO_OIN, Defect.WRONG_OIN}
    assert failed(Defect.TIMED_OUT, "nothing", NOW, also="; or not").text.endswith("holds packets back; or not.")


def test_context_of_a_socket_carries_the_chain_too(good, certificates):
    """
    Clients that use sockets, as httpx does, get the same exact name.
    """
    context = tls.client_context(certificates.files_of("client"))

    assert issubclass(context.sslsocket_class, ssl.SSLSocket)
    assert context.sslsocket_class.do_handshake is not ssl.SSLSocket.do_handshake
    assert good.known_intermediates()[0].subject.rfc4514_string().startswith("CN=Kit TEST Private Services CA")


@pytest.mark.parametrize("content", [None, b"no PEM"], ids=["absent", "other"])
def test_unusable_intermediates_are_a_mistake_of_the_user(tmp_path, good, content):
    """
    The file is named, with a hint; without a file nothing is known.
    """
    place = tmp_path / "intermediate.pem"
    if content is not None:
        place.write_bytes(content)

    with pytest.raises(TlsFilesError, match=r"intermediate\.pem: cannot be used for TLS: .*\n  Hint: "):
        TlsFiles(good.certificate, good.key, good.roots, None, place).known_intermediates()
    assert TlsFiles(good.certificate, good.key, good.roots).known_intermediates() == ()


def test_directory_of_an_older_version_has_no_such_client(pki_directory):
    """
    A certificate that did not exist yet is asked for in vain, with what to do.
    """
    older = pki.Pki(pki_directory, "1", "2", frozenset({"server", "client"}))

    with pytest.raises(PkiError, match=r"an older version wrote it, without server-not-yet-valid\.|without server-expired\.\n  Hint: write it again"):
        bad_client_contexts(older)
