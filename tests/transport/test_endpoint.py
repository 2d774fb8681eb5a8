"""The endpoint as a peer meets it: real requests over loopback, with and without TLS."""

import contextlib
import http.client
import socket
import threading
import time

import httpx
import pytest

from conformance.transport import pki
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.endpoint import Endpoint
from conformance.transport.serving import CannotListenError, peer_of
from conformance.transport.tls import client_context, server_context

PATIENCE_S = 20  # nobody waits that long: only a test that fails


class Keeper:
    """Handles requests by keeping them, and answers with what is next, or 204."""

    def __init__(self, *answers):
        self.requests = []
        self.answers = list(answers)

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else HttpAnswer(204)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def keeper():
    """A handler that keeps what comes."""
    return Keeper()


@pytest.fixture
def endpoint(keeper):
    """An endpoint at /ebms that reads a thousand bytes."""
    with Endpoint(keeper, path="/ebms", largest_body=1_000) as listening:
        yield listening


@pytest.fixture
def client():
    """A client that trusts nothing of the environment."""
    with httpx.Client(trust_env=False) as opened:
        yield opened


def raw(endpoint, request, *, is_whole=True):
    """Send bytes as they are, and return all that comes back."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", endpoint.port), PATIENCE_S)) as line:
        line.sendall(request)
        if not is_whole:
            line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65_536), b""))


def test_request_and_answer_pass_unchanged(endpoint, keeper, client):
    """
    The handler gets method, path, headers by lower-case name and body; its answer goes back with a length.
    """
    keeper.answers.append(HttpAnswer(200, {"soapaction": '"ebXML"', "content-type": "text/xml"}, b"<a/>"))

    answer = client.post(endpoint.url, content=b"\x00body", headers={"SOAPAction": '"ebXML"'})

    (request,) = keeper.requests
    assert (request.method, request.path, request.body, request.peer) == ("POST", "/ebms", b"\x00body", None)
    assert request.headers["soapaction"] == '"ebXML"'
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"<a/>", "4")
    assert answer.headers["soapaction"] == '"ebXML"'


def test_empty_answer_has_no_length(endpoint, client):
    """
    A 204 has no body, and no header that speaks of one.
    """
    answer = client.post(endpoint.url, content=b"x")

    assert answer.status_code == 204
    assert not {"content-length", "transfer-encoding"} & set(answer.headers)


def test_chunked_request_is_read(endpoint, keeper, client):
    """
    A body in chunks, as ebms-core sends each multipart, comes whole.
    """
    client.post(endpoint.url, content=iter([b"one ", b"two ", b"three"]))

    assert keeper.requests[0].headers["transfer-encoding"] == "chunked"
    assert keeper.requests[0].body == b"one two three"


def test_connection_is_kept(endpoint, keeper):
    """
    Several requests go over one connection.
    """
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=PATIENCE_S)) as line:
        for number in range(3):
            line.request("POST", "/ebms", body=str(number))
            line.getresponse().read()
            kept = line.sock

            assert kept is not None

    assert [request.body for request in keeper.requests] == [b"0", b"1", b"2"]


def test_repeated_header_is_joined(endpoint, keeper):
    """
    A header that stands there twice is one value with a comma, as HTTP has it: nobody mistakes it for either.
    """
    raw(endpoint, b'POST /ebms HTTP/1.1\r\nhost: a\r\nconnection: close\r\nSOAPAction: "ebXML"\r\nsoapaction: x\r\ncontent-length: 0\r\n\r\n')

    assert keeper.requests[0].headers["soapaction"] == '"ebXML", x'


@pytest.mark.parametrize("at", [0, 1, 30, 60, 96, 150], ids=lambda at: f"cut-at-{at}")
def test_upgrade_is_ignored(endpoint, keeper, at):
    """
    The h2c offer of Java's client gets an answer in HTTP/1.1, and the body that came with it is read, however it is cut into packets.
    """
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = b"POST /ebms HTTP/1.1\r\nhost: a\r\n" + offer + b"content-length: 10\r\n\r\nUpgrade: x"
    with contextlib.closing(socket.create_connection(("127.0.0.1", endpoint.port), PATIENCE_S)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = []
        for _ in range(2):
            line.sendall(request[:at])
            line.sendall(request[at:])
            answers.append(line.recv(65_536))

    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 204 "] * 2
    assert [request.body for request in keeper.requests] == [b"Upgrade: x"] * 2


@pytest.mark.attack
def test_head_without_end_is_refused(endpoint, keeper):
    """
    A head that goes on and on is not kept.
    """
    answer = raw(endpoint, b"POST /ebms HTTP/1.1\r\nupgrade: h2c\r\nx: " + b"y" * 70_000 + b"\r\nz\x00: y\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert keeper.requests == []


def test_another_path_is_not_handled(endpoint, keeper, client):
    """
    Only the path of the CPA is an endpoint.
    """
    answer = client.post(endpoint.url + "/other", content=b"x")

    assert (answer.status_code, keeper.requests) == (404, [])


def test_crash_is_answered_without_details(keeper, endpoint, client, caplog):
    """
    A crash of the handler is a 500 without a body, its traceback is logged, and the next request is handled.
    """
    keeper.answers.append(RuntimeError("the secret of 999990019"))

    crashed = client.post(endpoint.url, content=b"x")
    after = client.post(endpoint.url, content=b"x")

    assert (crashed.status_code, crashed.content, after.status_code) == (500, b"", 204)
    assert "please report this" in caplog.text


@pytest.mark.attack
def test_announced_size_is_refused_before_reading(endpoint, keeper):
    """
    A Content-Length above the limit gets its 413 before a byte of the body is sent.
    """
    with contextlib.closing(socket.create_connection(("127.0.0.1", endpoint.port), PATIENCE_S)) as line:
        line.sendall(b"POST /ebms HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n")
        answer = line.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert keeper.requests == []


@pytest.mark.attack
@pytest.mark.parametrize("size", [1_001, 1_500, 400_000], ids=["a-byte", "half", "a-lot"])
def test_too_large_is_refused_while_reading(endpoint, keeper, size):
    """
    Chunks without a length are refused once there are too many, and the sender hears why.
    """
    chunk = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"

    answer = raw(endpoint, b"POST /ebms HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + chunk[: 200_000 if size > 2_000 else None])

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert keeper.requests == []


def test_the_limit_itself_is_read(endpoint, keeper, client):
    """
    A body of exactly the limit is handled.
    """
    client.post(endpoint.url, content=iter([b"x" * 600, b"x" * 400]))

    assert len(keeper.requests[0].body) == 1_000


@pytest.mark.attack
def test_half_a_request_is_not_handled(endpoint, keeper, client):
    """
    A peer that leaves before its body is whole has sent nothing.
    """
    raw(endpoint, b"POST /ebms HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf", is_whole=False)
    after = client.post(endpoint.url, content=b"whole")

    assert after.status_code == 204
    assert [request.body for request in keeper.requests] == [b"whole"]


def test_requests_are_handled_beside_each_other(client):
    """
    A handler that waits for the next request does not keep it waiting.
    """
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def wait_for_the_other(_request):
        both.wait()
        return HttpAnswer(204)

    with Endpoint(wait_for_the_other) as endpoint:
        other = threading.Thread(target=lambda: httpx.post(endpoint.url, content=b"x", trust_env=False))
        other.start()
        answer = client.post(endpoint.url, content=b"x")
        other.join()

    assert answer.status_code == 204


def test_close_waits_for_what_is_handled(client):
    """
    What is being handled when it closes is handled to the end, though its answer reaches nobody.
    """
    began, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def handle(_request):
        began.set()
        go_on.wait(PATIENCE_S)
        done.set()
        return HttpAnswer(204)

    endpoint = Endpoint(handle)

    def ask():
        with contextlib.suppress(httpx.HTTPError):
            client.post(endpoint.url, content=b"x")

    asking = threading.Thread(target=ask)
    asking.start()
    began.wait(PATIENCE_S)
    threading.Timer(0.01, go_on.set).start()
    endpoint.close()

    assert done.is_set()
    asking.join()


def test_it_starts_and_stops_quickly_on_the_same_port(client):
    """
    A port that was given up is bound again at once, with a connection still open on the other side.
    """
    began = time.perf_counter()
    port = 0
    for _ in range(10):
        with Endpoint(Keeper(), port=port) as endpoint:
            port = endpoint.port
            client.post(endpoint.url, content=b"x")

    assert time.perf_counter() - began < 10 * 0.1


def test_taken_port_is_told():
    """
    A port of somebody else cannot be bound, and the text says which.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListenError, match=r"^cannot listen on 127\.0\.0\.1:\d+: Address"):
        Endpoint(Keeper(), port=taken.getsockname()[1])


def test_ipv6_address_is_written_in_brackets():
    """
    The URL can be used as it stands.
    """
    with Endpoint(Keeper(), "::1", path="/ebms") as endpoint:
        assert repr(endpoint) == f"<Endpoint http://[::1]:{endpoint.port}/ebms>"


@pytest.fixture
def secured(keeper, pki_directory):
    """An endpoint of Logius with two-way TLS, and the certificates."""
    certificates = pki.load(pki_directory)
    with Endpoint(keeper, context=server_context(certificates.files_of("server"))) as listening:
        yield listening, certificates


def test_peer_of_tls_is_known(secured, keeper):
    """
    With TLS the handler knows who sent the request, and a certificate is read once for all its connections.
    """
    endpoint, certificates = secured
    before = peer_of.cache_info().misses
    for _ in range(2):
        with httpx.Client(trust_env=False, verify=client_context(certificates.files_of("client"))) as client:
            client.post(endpoint.url, content=b"x")

    assert endpoint.url.startswith("https://")
    assert [request.peer.oin for request in keeper.requests] == [certificates.oin] * 2
    assert keeper.requests[0].peer is keeper.requests[1].peer
    assert peer_of.cache_info().misses <= before + 1


@pytest.mark.parametrize("name", ["client-expired", "client-revoked", "client-unknown-root"])
def test_bad_certificate_reaches_nobody(secured, keeper, name):
    """
    A client whose certificate does not hold is refused before HTTP.
    """
    endpoint, certificates = secured
    with httpx.Client(trust_env=False, verify=client_context(certificates.files_of(name))) as client, pytest.raises(httpx.HTTPError, match=r"."):
        client.post(endpoint.url, content=b"x")

    assert keeper.requests == []


def test_plain_request_to_tls_is_not_handled(secured, keeper):
    """
    Without TLS there is no answer at all.
    """
    endpoint, _ = secured

    answer = raw(endpoint, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")

    assert b"HTTP" not in answer
    assert keeper.requests == []
