"""Writes one HTTP exchange of the ebMS2 face as a person reads it: the request with its envelope and parts, then the answer.

What stands here is what went over the line, but for white space between elements, long base64 and passwords. The caller masks BSNs.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.berichtenbox.wire import Exchange, Headers
from conformance.messages.guard import XmlRefused, etree, parse

MOST_LINES: Final = 160
"""The lines of one envelope or body that are shown."""
_MOST_QUOTED: Final = 2_000
_LONG_TEXT: Final = 200
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_SECRET: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    204: "No Content",
    307: "Temporary Redirect",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def write_exchange(exchange: Exchange, payloads: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of an exchange, but for its head; ``payloads`` says by SHA-256 (hex) where a payload is written out."""
    sender = "the Afnemer" if exchange.is_incoming else "the Berichtenbox"
    other = "client" if exchange.is_incoming else "server"
    yield f"  request of {sender}, {exchange.size} bytes; certificate of the {other}: {exchange.peer or 'none was seen'}"
    yield f"  > {exchange.method} {exchange.target} HTTP/{exchange.http_version}"
    yield from (f"  > {line}" for line in _headers(exchange.headers))
    for number, part in enumerate(exchange.parts, start=1):
        where = "the envelope below" if part.sha256 == _digest(exchange.soap) else payloads.get(part.sha256, "kept by its digest only")
        yield f"  > part {number}: {part.size} bytes, sha256 {part.sha256}: {where}"
        yield from (f"  >   {line}" for line in _headers(part.headers))
    yield from (f"    {line}" for line in _body(exchange.soap))
    yield from _answer(exchange)
    if exchange.note:
        yield f"  note: {exchange.note}"


def _answer(exchange: Exchange) -> Iterator[str]:
    if not exchange.status:
        yield "  < no answer"
        return
    yield f"  < {exchange.status} {_REASONS.get(exchange.status, '')}".rstrip()
    yield from (f"  < {line}" for line in _headers(exchange.answer_headers))
    yield from (f"    {line}" for line in _body(exchange.answer))


def _headers(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        yield f"{name}: {'[not shown]' if name.lower() in _SECRET else value}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _body(content: bytes) -> Sequence[str]:
    """Return what an envelope or another body says; what is no XML is quoted on one line."""
    if not content:
        return ()
    try:
        root = parse(content)
    except XmlRefused as refusal:
        return (f"[{refusal}]", repr(content[:_MOST_QUOTED].decode("utf-8", "replace")))
    for element in root.iter():
        _shorten(element)
    etree.indent(root)
    lines = str(etree.tostring(root, encoding="unicode")).splitlines()
    left = len(lines) - MOST_LINES
    return lines if left <= 0 else (*lines[:MOST_LINES], f"… and {left} lines more")


def _shorten(element: etree._Element) -> None:
    text = element.text or ""
    if len(text) > _LONG_TEXT and _BASE64.fullmatch(text):
        element.text = f"[{len(text)} characters of base64, sha256 {_digest(text.encode())}]"
