"""Reads one bericht out of a batch: cut out of the document, because parsing a thousand others takes longer than a citizen may wait.

What is cut is parsed by the guarded door as a batch of its own, and counts only when it is the very letter by its digest; else all is parsed.
"""

import re
from typing import Final

from conformance.messages.batch import Bericht, read_bericht
from conformance.messages.guard import XmlRefused, parse

_NEAR: Final = 4000
"""The bytes in which a start tag is looked for: of the batch at the beginning, of the bericht before its BerichtID."""
_BATCH: Final = re.compile(rb"<((?:[\w.-]+:)?Berichten)(?=[\s>])[^<>]*>")
_START: Final = re.compile(rb"<(?:[\w.-]+:)?Bericht(?=[\s>])[^<>]*>")
_END: Final = re.compile(rb"</(?:[\w.-]+:)?Bericht\s*>")


def bericht_in(payload: bytes, bericht_id: str, position: int, digest: str) -> Bericht:
    """Return the bericht with this lower-case id and digest, which stands at ``position`` in a batch that was read before."""
    cut = _cut(payload, bericht_id)
    read = None if cut is None else _read(cut)
    return read if read is not None and read.digest() == digest else read_bericht(parse(payload), position)


def _cut(payload: bytes, bericht_id: str) -> bytes | None:
    """Return a document with one bericht, or ``None`` where it is not found at once: in UTF-16, or with an id in mixed case."""
    found = max(payload.find(bericht_id.encode()), payload.find(bericht_id.upper().encode()))
    batch = _BATCH.search(payload, 0, _NEAR)
    starts = list(_START.finditer(payload, max(0, found - _NEAR), max(0, found)))
    end = _END.search(payload, max(0, found))
    if batch is None or not starts or end is None:
        return None
    return payload[: batch.end()] + payload[starts[-1].start() : end.end()] + b"</" + batch[1] + b">"


def _read(document: bytes) -> Bericht | None:
    try:
        return read_bericht(parse(document), 0)
    except (XmlRefused, IndexError):
        return None
