"""The small things below the faces, without a server."""

import asyncio

import pytest
from starlette.requests import Request

from conformance.berichtenbox import http
from conformance.berichtenbox.http import BodyTooLarge, Dropped, bare, json_bytes, no_content, read_body


class Transport:
    """A connection that remembers whether it was dropped."""

    was_dropped = False

    def abort(self):
        self.was_dropped = True


def request_of(*chunks, announced=None):
    """Return a request with a body in these chunks."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + [{"type": "http.request", "body": b""}]
    headers = [] if announced is None else [(b"content-length", announced)]

    async def receive():
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def test_a_body_in_chunks_is_read_whole():
    """
    The chunks follow each other.
    """
    assert asyncio.run(read_body(request_of(b"ab", b"", b"c", announced=b"3"))) == b"abc"


@pytest.mark.parametrize("announced", [b"11", None, b"-1", b"x", b"3"])
def test_more_than_the_limit_is_not_read(monkeypatch, announced):
    """
    Whatever a header says, no more than the limit is kept.
    """
    monkeypatch.setattr(http, "LARGEST_BODY", 10)

    with pytest.raises(BodyTooLarge, match=r"the body has (11|more than 10) bytes"):
        asyncio.run(read_body(request_of(b"x" * 6, b"x" * 5, announced=announced)))


def test_what_fits_exactly_is_read(monkeypatch):
    """
    The limit itself is allowed.
    """
    monkeypatch.setattr(http, "LARGEST_BODY", 10)

    assert len(asyncio.run(read_body(request_of(b"x" * 10, announced=b"10")))) == 10


@pytest.mark.parametrize("extensions", [True, False])
def test_a_dropped_answer_drops_the_connection_where_it_can(extensions):
    """
    With the transport in reach it is aborted; without one nothing fails.
    """
    transport, sent = Transport(), []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "extensions": {"connection": transport} if extensions else {}}
    asyncio.run(Dropped()(scope, None, send))

    assert transport.was_dropped is extensions


def test_the_three_answers():
    """
    Bare text, nothing, and JSON that was written already.
    """
    shown = [
        (answer.status_code, answer.body, answer.headers.get("content-type")) for answer in (bare("x", 500), no_content(), json_bytes(b"[]", 201))
    ]

    assert shown == [(500, b"x", "text/plain; charset=utf-8"), (204, b"", None), (201, b"[]", "application/json")]


def test_answer_that_breaks_off_begins_well():
    """
    Halfway its body the connection is dropped: what was announced does not all come.
    """
    transport, sent = Transport(), []

    async def send(message):
        sent.append((message, transport.was_dropped))

    asyncio.run(Dropped(is_halfway=True)({"type": "http", "extensions": {"connection": transport}}, None, send))

    start, body = (message for message, _ in sent)
    assert [was_dropped for _, was_dropped in sent] == [False, False]
    assert (start["status"], dict(start["headers"])[b"content-length"]) == (200, b"1000")
    assert (len(body["body"]) < 1000, body["more_body"], transport.was_dropped) == (True, True, True)
