"""Payloads that the ledger keeps as a stream, on their way out: a stand-in goes through what writes a message, and the content takes its place.

So an answer about ten million citizens leaves without ever standing in memory.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from conformance.berichtenbox.citizens import Kept
from conformance.berichtenbox.wire import PartSeen
from conformance.messages.envelope import Envelope

STAND_IN: Final = b"what the ledger keeps stands here"
"""In the place of the content; its length is a multiple of three, so that it can be found in base64 too."""
_IN_BASE64: Final = base64.b64encode(STAND_IN)


def with_stand_in(envelope: Envelope) -> Envelope:
    """Return the envelope of which the last part is kept, with the stand-in as its content."""
    *others, last = envelope.parts
    return replace(envelope, parts=(*others, replace(last, content=STAND_IN)))


def is_whole(body: bytes) -> bool:
    """Tell whether a body still has its stand-in: a fault may have cut it off."""
    return STAND_IN in body


def size_of(body: bytes, kept: Kept) -> int:
    """Return the bytes of a body once the content is in its place."""
    return len(body) - len(STAND_IN) + kept.size


def filled(body: bytes, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body with the content in its place."""
    head, _, tail = body.partition(STAND_IN)
    yield head
    yield from content
    yield tail


def filled_base64(body: bytes, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body in which the stand-in is written in base64, with the content in its place; pieces but the last are a multiple of three long."""
    head, _, tail = body.partition(_IN_BASE64)
    yield head
    for piece in content:
        yield base64.b64encode(piece)
    yield tail


def sized(headers: Mapping[str, str], body: bytes, kept: Kept) -> dict[str, str]:
    """Return the headers of a POST with its length: a stream would go in chunks else, and not every gateway takes those."""
    return {**headers, "content-length": str(size_of(body, kept))}


def seen_as_kept(parts: tuple[PartSeen, ...], kept: Kept, content: Iterable[bytes]) -> tuple[PartSeen, ...]:
    """Return the parts of a message as they went over the line: the last one is the kept content."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    return (*parts[:-1], replace(parts[-1], size=kept.size, sha256=digest.hexdigest())) if parts else parts
