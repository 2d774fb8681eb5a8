"""An Afnemer over HTTP: good answers, and every bad one, over a real socket."""

import contextlib
import socket
import threading

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, Driver, Letter, Refused, TimedOut, Unreachable, Verb
from conformance.afnemer.drivers import http
from conformance.afnemer.drivers.http import HttpCaller


@contextlib.contextmanager
def answering(*chunks, hang_up=True):
    """Serve connections that read one request and write ``chunks``; yields the URL and what was asked."""
    asked, stop = [], threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    asked.append(read_request(connection))
                    for chunk in chunks:
                        connection.sendall(chunk)
                    if not hang_up:
                        stop.wait(20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65_536)
        if not received:
            return data
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def response(status, content=b"", *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def call(url, verb=Verb.GEZONDHEID, body=None, subject=None, timeout_s=10.0):
    caller = HttpCaller(url, timeout_s)
    try:
        return caller.call(verb, body, subject)
    finally:
        caller.close()


def test_good_answer_is_returned():
    """
    The JSON of an answer comes back, whatever its content type.
    """
    with answering(response(200, b'{"status": "ok"}', "Content-Type: text/plain")) as (url, asked):
        assert call(url + "/") == {"status": "ok"}

    assert asked[0].startswith(b"GET /gezondheid HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in asked[0]


def test_body_and_subject_travel():
    """
    A body goes out as JSON, and an id cannot leave its place in the path.
    """
    with answering(response(404)) as (url, asked):
        assert call(url, Verb.BERICHT, subject="../x?y=\u00e9") is None
    with answering(response(202, b'{"aantal": 1}')) as (url, posted):
        assert call(url, Verb.HERLEVERING, {"vanaf": "\u00e9"}) == {"aantal": 1}

    assert asked[0].startswith(b"GET /berichten/..%2Fx%3Fy%3D%C3%A9 HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in posted[0]
    assert posted[0].endswith(b'{"vanaf": "\\u00e9"}')


def test_driver_works_over_http():
    """
    The driver reads what came over the socket.
    """
    with answering(response(202, b'{"berichten": [{"berichtId": "b-1", "batchId": "B-1"}]}')) as (url, _):
        driver = Driver(HttpCaller(url, 10.0))
        (delivered,) = driver.deliver([Letter("999990019", "BELAST")])
        driver.close()

    assert delivered.bericht_id == "b-1"
    assert driver.settle() is False
    assert driver.restart() is False
    assert driver.advance(60) is False
    assert repr(driver) == f"<Driver over <HttpCaller {url}>>"


REFUSALS = {
    "problem": (422, b'{"type": "about:blank", "title": "T", "detail": "te lang"}', "te lang"),
    "title only": (409, b'{"title": "T", "detail": ["no text"]}', "T"),
    "other json": (400, b'{"detail": [1]}', '{"detail": [1]}'),
    "json array": (400, b"[1]", "[1]"),
    "text": (413, b"te groot voor 999990019", "te groot voor 9999*****"),
    "nothing": (422, b"", "status 422, without an explanation"),
    "deep json": (422, b"[" * 100_000, "[" * 200),
}


@pytest.mark.parametrize(("status", "content", "detail"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_its_explanation(status, content, detail):
    """
    What the Afnemer's own checks refuse is a refusal, with its explanation.
    """
    with answering(response(status, content)) as (url, _), pytest.raises(Refused, match="the Afnemer refused") as caught:
        call(url, Verb.BERICHTEN, {})

    assert caught.value.detail == detail
    assert caught.value.verb is Verb.BERICHTEN


@pytest.mark.parametrize("status", [404, 405, 501])
def test_verb_that_is_not_offered_cannot_be_done(status):
    """
    A status that says there is no such operation is not a refusal.
    """
    with answering(response(status)) as (url, _), pytest.raises(CannotDo, match=rf"POST /validatie answers {status}"):
        call(url, Verb.VALIDATIE, {})


BAD = {
    "html": (response(200, b"<html>Inloggen</html>", "Content-Type: text/html"), "JSON in UTF-8, got <html>Inloggen"),
    "nothing": (response(200), "JSON in UTF-8, got nothing"),
    "null": (response(200, b"null"), "a JSON object, got null"),
    "latin-1": (response(200, b'{"status": "\xe9"}'), "JSON in UTF-8"),
    "deep": (response(200, b"[" * 100_000), "JSON in UTF-8"),
    "nan": (response(200, b'{"a": NaN}'), "JSON in UTF-8"),
    "another success": (response(204), "status 200 on GET /gezondheid, got 204"),
    "redirect": (response(302, b"", "Location: http://127.0.0.1:1/x"), "got 302\n  Hint: redirects are not followed"),
    "html refusal": (response(400, b"<html>proxy</html>", "Content-Type: text/html"), "got 400 <html>proxy"),
    "crash": (response(500, b"Traceback 999990019"), r"got 500 Traceback 9999\*\*\*\*\*\n  Hint: see the log"),
    "gzip": (response(200, b"\x1f\x8b", "Content-Encoding: gzip"), "Content-Encoding: gzip"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n\r\n", "an HTTP answer"),
}


@pytest.mark.attack
@pytest.mark.parametrize(("answer", "text"), BAD.values(), ids=BAD)
def test_bad_answer_is_named(answer, text):
    """
    What is not test-control is said to be so, with a quote and a hint.
    """
    with answering(answer) as (url, _), pytest.raises(BadAnswer, match=text):
        call(url)


@pytest.mark.attack
@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked", b"Content-Length: 1000000000"])
def test_huge_answer_is_not_read(monkeypatch, head):
    """
    Reading stops at the limit.
    """
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1_000)
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"

    with (
        answering(b"HTTP/1.1 200 X\r\n" + head + b"\r\n\r\n", chunk, hang_up=False) as (url, _),
        pytest.raises(BadAnswer, match="1000 bytes, got more"),
    ):
        call(url)


def test_abonnementen_may_be_large(monkeypatch):
    """
    The answer about a million citizens has more bytes than any other may have.
    """
    monkeypatch.setattr(http, "LARGEST_ANSWER", 10)
    content = b'{"status": "open", "voorkeuren": []}'

    with answering(response(200, content)) as (url, _):
        assert call(url, Verb.ABONNEMENT, subject="v-1")["status"] == "open"
    with answering(response(200, content)) as (url, _), pytest.raises(BadAnswer, match="at most 10 bytes"):
        call(url, Verb.BERICHT, subject="b-1")
    assert http.largest_answer(Verb.ABONNEMENT) == 60_000_000


@pytest.mark.attack
def test_silence_is_an_unknown_outcome():
    """
    An Afnemer that never answers may have done what was asked.
    """
    with answering(hang_up=False) as (url, _), pytest.raises(TimedOut, match=r"within 0\.05 s \(ReadTimeout\)"):
        call(url, timeout_s=0.05)


@pytest.mark.attack
def test_dripping_answer_is_an_unknown_outcome(monkeypatch):
    """
    An answer that keeps coming, slowly, is not waited for beyond the limit.
    """
    moments = iter([0.0, 5.0, 11.0])
    monkeypatch.setattr(http.time, "monotonic", lambda: next(moments, 11.0))
    drip = [b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n1\r\ny\r\n", b"1\r\nz\r\n"]

    with answering(*drip, hang_up=False) as (url, _), pytest.raises(TimedOut, match="not the whole answer"):
        call(url)


@pytest.mark.attack
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n{"])
def test_broken_connection_is_an_unknown_outcome(start):
    """
    A connection that ends before the answer does leaves the outcome unknown.
    """
    with answering(start) as (url, _), pytest.raises(TimedOut, match="closed before the answer was complete"):
        call(url)


def test_nobody_listening_is_unreachable():
    """
    Without a connection nothing was asked.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(Unreachable, match=rf"no connection with {url} .*\n  Hint: is the Afnemer running"):
        call(url)


@pytest.mark.parametrize("url", ["", "localhost:9001", "ftp://localhost", "http://", "http://h/?x=1", "http://h/#x", "http://[::1"])
def test_wrong_address_is_unreachable(url):
    """
    An address that cannot be one is refused before anything is asked.
    """
    with pytest.raises(Unreachable, match="is not the start of an http"):
        HttpCaller(url, 1.0)
