"""Gzip from strangers: recognised by its first bytes, unpacked with a limit."""

import zlib
from typing import Final

GZIP_MAGIC: Final = b"\x1f\x8b"
RESULT_LIMIT: Final = 20_000_000  # a result of 1000 berichten has about 0.4 MB
_MOST_MEMBERS = 64


class PackedTooMuch(ValueError):  # noqa: N818  # names the thing that is wrong
    """A gzip file that is broken, or unpacks to more than the limit."""


def is_gzip(data: bytes) -> bool:
    """Tell whether ``data`` starts as a gzip file does (RFC 1952)."""
    return data.startswith(GZIP_MAGIC)


def unpack(data: bytes, limit: int = RESULT_LIMIT) -> bytes:
    """Return ``data``, unpacked when it is gzip; raises :class:`PackedTooMuch` before it holds more than ``limit`` bytes.

    RFC 1952 lets a file be several members in a row: their contents follow each other. Zero bytes at the end are padding; anything else is refused.
    """
    if not is_gzip(data):
        return data
    unpacked = b""
    for _ in range(_MOST_MEMBERS):
        member, data = _member(data, limit - len(unpacked), limit)
        unpacked += member
        if not data.strip(b"\0"):
            return unpacked
    raise PackedTooMuch(f"the gzip file has more than {_MOST_MEMBERS} members: no message of the koppelvlak needs them")


def _member(data: bytes, left: int, limit: int) -> tuple[bytes, bytes]:
    """Return the content of the first member, of at most ``left`` bytes, and what follows it."""
    engine = zlib.decompressobj(wbits=31)
    try:
        content = engine.decompress(data, left + 1)
    except zlib.error:
        raise PackedTooMuch("the gzip file is broken: send it again as it was made") from None
    if len(content) > left:
        raise PackedTooMuch(f"the gzip file unpacks to more than {limit} bytes: no message of the koppelvlak is that large")
    if not engine.eof:
        raise PackedTooMuch("the gzip file ends too early: send it again as it was made")
    return content, engine.unused_data
