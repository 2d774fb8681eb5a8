"""POSTs to a server of one thread on loopback: what goes over, what comes back, and what each trouble is called."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest

from conformance.transport import pki, tls
from conformance.transport.ebms2.http import HttpAnswer, TroubleKind
from conformance.transport.ebms2.posting import MOST_BYTES, Poster, trouble_of
from conformance.transport.endpoint import Endpoint
from conformance.transport.handshakes import Defect

PATIENCE = 20  # seconds, for a machine that is busy
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def poster():
    """A poster over plain http."""
    with Poster() as poster:
        yield poster


def read_request(connection):
    """Return the head and the body of one request with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (chunk := connection.recv(65536))
        if not chunk:
            return b"", b""
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


@contextmanager
def server(*answers, context=None):
    """Serve connections one by one, each request with the next answer (bytes, or a function of the connection); yield the URL and the requests."""
    seen = []
    waiting = list(answers)

    def talk(raw):
        raw.settimeout(PATIENCE)
        with raw, context.wrap_socket(raw, server_side=True) if context else raw as connection:
            while waiting:
                request = read_request(connection)
                if not request[0]:
                    return
                seen.append(request)
                answer = waiting.pop(0)
                if callable(answer):
                    answer(connection)
                    return
                connection.sendall(answer)

    def serve():
        with suppress(OSError):
            while waiting:
                raw, _ = listener.accept()
                with suppress(OSError):
                    talk(raw)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield f"{'https' if context else 'http'}://localhost:{port}/ebms", seen
        finally:
            waiting.clear()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                pass
            thread.join(PATIENCE)


def test_message_goes_as_digikoppeling_wants_it(poster):
    """
    POST over HTTP/1.1 with the quoted SOAPAction, the content type and the length, and nothing of MIME or authorisation.
    """
    with server(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<x/>") as (url, seen):
        outcome = poster.post(url, 'multipart/related; boundary="b"', b"body")

    head, body = seen[0]
    lines = head.decode().split("\r\n")
    names = {line.partition(":")[0].lower() for line in lines[1:]}
    assert (lines[0], body) == ("POST /ebms HTTP/1.1", b"body")
    assert {'soapaction: "ebXML"', 'content-type: multipart/related; boundary="b"', "content-length: 4"} <= {
        f"{name.lower()}: {value}" for name, _, value in (line.partition(": ") for line in lines[1:])
    }
    assert not names & {"mime-version", "content-transfer-encoding", "authorization", "cookie"}
    assert (outcome.answer, outcome.trouble) == (HttpAnswer(200, {"content-type": "text/xml", "content-length": "4"}, b"<x/>"), None)


def test_connection_is_kept(poster):
    """
    Two messages go over one connection.
    """
    with server(OK, OK) as (url, seen):
        outcomes = [poster.post(url, "text/xml", body) for body in (b"1", b"2")]

    assert [outcome.answer.status for outcome in outcomes] == [204, 204]
    assert [body for _, body in seen] == [b"1", b"2"]


def test_redirect_is_not_followed(poster):
    """
    A redirect is the answer.
    """
    with server(b"HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK) as (url, seen):
        outcome = poster.post(url, "text/xml", b"x")

    assert (outcome.answer.status, len(seen)) == (307, 1)


def test_environment_gives_no_proxy(monkeypatch):
    """
    A proxy of the environment is not used.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://localhost:1/")
    with Poster() as poster, server(OK) as (url, _):
        assert poster.post(url, "text/xml", b"x").answer.status == 204


def test_packed_answer_is_left_packed(poster):
    """
    Nothing is unpacked, so a small answer cannot become a large one.
    """
    with server(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc") as (url, _):
        assert poster.post(url, "text/xml", b"x").answer.body == b"abc"


def test_too_long_an_answer_is_cut_off(poster):
    """
    An answer above the limit is no answer.
    """
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n" + b"x" * (MOST_BYTES + 1)
    with server(lambda connection: connection.sendall(endless)) as (url, _):
        trouble = poster.post(url, "text/xml", b"x").trouble

    assert (trouble.kind, "more than 2000000 bytes" in trouble.text) == (TroubleKind.PROTOCOL, True)


def test_answer_that_drips_is_given_up():
    """
    An answer that never ends in pieces is a timeout, by the clock of the poster.
    """
    clock = iter((0.0, 1.0, 31.0))
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def drip(connection):
        connection.sendall(chunks)
        with suppress(OSError):
            while connection.sendall(b"1\r\nx\r\n") is None:
                pass

    with Poster(monotonic=lambda: next(clock)) as poster, server(drip) as (url, _):
        trouble = poster.post(url, "text/xml", b"x").trouble

    assert (trouble.kind, trouble.text) == (TroubleKind.TIMEOUT, "the answer was not complete within 30 s")


def test_nobody_listens(poster):
    """
    A port without a server refuses.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    trouble = poster.post(f"http://127.0.0.1:{port}/", "text/xml", b"x").trouble

    assert (trouble.kind, trouble.text) == (TroubleKind.REFUSED, f"nothing listens at http://127.0.0.1:{port}/")


def test_silence_is_a_timeout():
    """
    A server that does not answer is given up after the time-out.
    """
    with Poster(timeout_s=0.05) as poster, socket.create_server(("127.0.0.1", 0)) as listener:
        trouble = poster.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", "text/xml", b"x").trouble

    assert (trouble.kind, "did not answer in time" in trouble.text) == (TroubleKind.TIMEOUT, True)


@pytest.mark.parametrize(
    "ends",
    [lambda _: None, lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")],
    ids=["before-an-answer", "in-its-body"],
)
def test_connection_that_is_closed(poster, ends):
    """
    Who hangs up before the answer is complete gave none.
    """
    with server(ends) as (url, _):
        trouble = poster.post(url, "text/xml", b"x").trouble

    assert (trouble.kind, "before its answer was complete" in trouble.text) == (TroubleKind.RESET, True)


def test_what_is_no_http(poster):
    """
    A server that speaks something else is told so.
    """
    with server(b"220 smtp.example ESMTP\r\n\r\n") as (url, _):
        trouble = poster.post(url, "text/xml", b"x").trouble

    assert (trouble.kind, "did not answer in HTTP" in trouble.text) == (TroubleKind.PROTOCOL, True)


@pytest.mark.parametrize(
    "url", ["", "ftp://localhost/", "localhost/ebms", "http://[::1/", "http://localhost:99999/", "http://a\nb/", "http://\ud800/"]
)
def test_url_that_cannot_be_used(poster, url):
    """
    An Endpoint of a CPA may hold anything; it is trouble, and no exception.
    """
    assert poster.post(url, "text/xml", b"x").trouble.kind in {TroubleKind.PROTOCOL, TroubleKind.REFUSED}


def test_https_without_certificates(poster):
    """
    Without a context there is no TLS.
    """
    trouble = poster.post("https://localhost:1/", "text/xml", b"x").trouble

    assert (trouble.kind, "was given no certificates" in trouble.text) == (TroubleKind.TLS, True)


# -- TLS -----------------------------------------------------------------------------------------------------------------------------------------


def tls_trouble(box, *, own="client", theirs="server", host="localhost", adapt=lambda _: None):
    """Return the trouble of a POST between two entries of the directory."""
    context = tls.server_context(box.files_of("server"))
    adapt(context)
    shown = box.files_of(theirs)
    context.load_cert_chain(shown.certificate, shown.key)
    with server(OK, context=context) as (url, _), Poster(tls.client_context(box.files_of(own))) as poster:
        return poster.post(url.replace("localhost", host), "text/xml", b"x").trouble


def test_good_certificates_talk(box):
    """
    The good pair exchanges a message over TLS.
    """
    with server(OK, context=tls.server_context(box.files_of("server"))) as (url, seen), Poster(tls.client_context(box.files_of("client"))) as poster:
        assert poster.post(url, "text/xml", b"x").answer.status == 204

    assert seen[0][1] == b"x"


@pytest.mark.parametrize(
    ("theirs", "defect", "text"),
    [
        ("server-expired", Defect.CERTIFICATE_EXPIRED, "chain of the other side has expired (certificate has expired (on 20"),
        ("server-wrong-host", Defect.WRONG_HOST, "is not for the host that was called"),
        ("client-not-yet-valid", Defect.CERTIFICATE_NOT_YET_VALID, "is not valid yet"),
        ("client-unknown-root", Defect.UNKNOWN_AUTHORITY, "; or the other side left out its intermediate: let it send the whole chain"),
        ("client-no-intermediate", Defect.UNKNOWN_AUTHORITY, "; or the other side left out its intermediate: let it send the whole chain"),
        ("client-revoked", Defect.CERTIFICATE_REVOKED, "was revoked"),
        ("client-weak-key", Defect.WEAK_KEY, "the key of the certificate of the other side is too small"),
    ],
)
def test_bad_certificate_of_the_server_has_its_name(box, theirs, defect, text):
    """
    Each defect of the other side's certificate is named.
    """

    trouble = tls_trouble(box, theirs=theirs, adapt=lambda context: context.set_ciphers("DEFAULT:@SECLEVEL=0"))

    assert (trouble.kind, trouble.defect) == (TroubleKind.TLS, defect)
    assert text in trouble.text


def test_address_that_the_certificate_does_not_name(box):
    """
    An address is checked too.
    """
    assert tls_trouble(box, theirs="server-wrong-host", host="127.0.0.1").defect is Defect.WRONG_HOST


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("own", "defect"),
    [
        ("client-expired", Defect.PEER_SAYS_EXPIRED),
        ("client-revoked", Defect.PEER_SAYS_REVOKED),
        ("client-unknown-root", Defect.PEER_SAYS_UNKNOWN_AUTHORITY),
    ],
)
def test_own_certificate_that_is_refused_has_its_name(box, own, defect, version):
    """
    When the other side refuses ours, its alert is told, or at least that it hung up.
    """

    def only(context):
        context.maximum_version = version

    trouble = tls_trouble(box, own=own, adapt=only)

    assert (trouble.kind, trouble.defect) in {(TroubleKind.TLS, defect), (TroubleKind.RESET, None)}


def test_server_that_speaks_no_tls(box):
    """
    Plain HTTP at an https address is named.
    """

    def greet(listener):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener, Poster(tls.client_context(box.files_of("client"))) as poster:
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        trouble = poster.post(f"https://localhost:{listener.getsockname()[1]}/", "text/xml", b"x").trouble
        thread.join(PATIENCE)

    assert (trouble.kind, trouble.defect) == (TroubleKind.TLS, Defect.NOT_TLS)


def test_nothing_in_common(box):
    """
    A server with only another version is named.
    """
    client = tls.client_context(box.files_of("client"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    context = tls.server_context(box.files_of("server"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with server(OK, context=context) as (url, _), Poster(client) as poster:
        trouble = poster.post(url, "text/xml", b"x").trouble

    assert (trouble.kind, trouble.defect) == (TroubleKind.TLS, Defect.PEER_REFUSED_VERSION)


def caused(cause):
    """Return an exception of httpx with a cause."""
    error = httpx.ReadError("x")
    error.__cause__ = cause
    return error


def ssl_error(reason):
    """Return an error of TLS with a reason."""
    error = ssl.SSLError(1, "text")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "defect", "text"),
    [
        (caused(ssl_error("TLSV1_ALERT_UNKNOWN_CA")), TroubleKind.TLS, Defect.PEER_SAYS_UNKNOWN_AUTHORITY, "(tlsv1 alert unknown ca); give"),
        (caused(ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")), TroubleKind.TLS, Defect.PEER_DEMANDS_CERTIFICATE, "certificate required"),
        (caused(ssl_error("DH_KEY_TOO_SMALL")), TroubleKind.TLS, Defect.NO_COMMON_CIPHER, "dh key too small"),
        (caused(ssl_error("SOMETHING")), TroubleKind.TLS, Defect.OTHER, "the handshake failed (something)"),
        (caused(ssl_error(None)), TroubleKind.TLS, Defect.OTHER, "the handshake failed"),
        (caused(ssl.SSLEOFError(8, "EOF")), TroubleKind.RESET, None, "closed the connection during TLS"),
        (caused(socket.gaierror(-2, "Name or service not known")), TroubleKind.REFUSED, None, "has no address: Name or service not known"),
        (httpx.ConnectError("no route"), TroubleKind.REFUSED, None, "cannot be reached: no route"),
        (httpx.ConnectTimeout("x"), TroubleKind.TIMEOUT, None, "did not answer in time"),
        (httpx.PoolTimeout("x"), TroubleKind.TIMEOUT, None, "did not answer in time"),
        (caused(ConnectionResetError()), TroubleKind.RESET, None, "closed the connection"),
        (httpx.RemoteProtocolError("illegal status line"), TroubleKind.PROTOCOL, None, "illegal status line"),
        (ValueError(), TroubleKind.PROTOCOL, None, "ValueError"),
    ],
)
def test_each_exception_is_a_trouble(error, kind, defect, text):
    """
    The cause in the chain decides what it is called.
    """
    trouble = trouble_of(error, "https://x.example/")

    assert (trouble.kind, trouble.defect) == (kind, defect)
    assert text in trouble.text


def test_unknown_verify_code_is_a_bad_certificate():
    """
    What has no name of its own is told in the words of OpenSSL.
    """
    error = ssl.SSLCertVerificationError(1, "text")
    error.verify_code, error.verify_message = 1, "unspecified certificate verification error"

    trouble = trouble_of(caused(error), "https://x.example/")

    assert trouble.defect is Defect.CERTIFICATE_REFUSED
    assert trouble.text.startswith(
        "https://x.example/: the certificate of the other side does not pass (unspecified certificate verification error); look at it"
    )


def test_one_poster_serves_several_threads(poster):
    """
    Threads share a poster, and each has its own answer.
    """
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    with server(*(closing + digit for digit in (b"0", b"1", b"2", b"3"))) as (url, seen), ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda body: poster.post(url, "text/xml", body), [b"a", b"b", b"c", b"d"]))

    assert {body for _, body in seen} == {b"a", b"b", b"c", b"d"}
    assert {outcome.answer.body for outcome in outcomes} == {b"0", b"1", b"2", b"3"}


# -- for the record --------------------------------------------------------------------------------------------------------------------------


def test_headers_that_left_are_told():
    """
    The record can show a request as it was sent, also when nobody answered; what is not known is empty.
    """
    with Endpoint(lambda _request: HttpAnswer(204)) as endpoint, Poster() as poster:
        answered = poster.post(endpoint.url, "text/xml", b"<a/>")
        refused = poster.post("http://127.0.0.1:9/", "text/xml", b"<a/>")
        nowhere = poster.post("https://127.0.0.1:9/", "text/xml", b"<a/>")

    sent = {name.lower(): value for name, value in answered.sent}
    assert (sent["host"], sent["content-length"], sent["soapaction"]) == (f"127.0.0.1:{endpoint.port}", "4", '"ebXML"')
    assert ("content-type", "text/xml") in {(name.lower(), value) for name, value in refused.sent}
    assert (answered.peer, nowhere.sent) == (None, ())


def test_certificate_of_the_server_is_told(pki_directory):
    """
    Over TLS the record can say who answered.
    """
    certificates = pki.load(pki_directory)
    with (
        Endpoint(lambda _request: HttpAnswer(204), context=tls.server_context(certificates.files_of("server"))) as endpoint,
        Poster(tls.client_context(certificates.files_of("client"))) as poster,
    ):
        assert poster.post(endpoint.url, "text/xml", b"").peer.oin == certificates.logius_oin
