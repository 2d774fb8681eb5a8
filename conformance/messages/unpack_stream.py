"""Gzip from strangers, piece by piece: for answers that are too large to hold, in constant memory and within limits."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from conformance.messages.unpack import GZIP_MAGIC, PackedTooMuch, is_gzip

ANTWOORD_LIMIT: Final = 2_000_000_000
"""Bytes of an unpacked answer: ten million accounts are 650 MB."""
_FREE: Final = 10_000_000  # bytes that may come out before the ratio counts
_MOST_RATIO: Final = 500  # real answers are about 20:1, gzip can do 1032:1
_PIECE: Final = 262_144
_STEP: Final = 65_536  # bytes that are unpacked at a time: what is left of them is copied each time
_MOST_MEMBERS: Final = 64


def unpack_stream(chunks: Iterable[bytes], limit: int = ANTWOORD_LIMIT) -> Iterator[bytes]:
    """Yield the content of ``chunks``, unpacked when it is gzip, in pieces of at most 256 KB; what is not gzip is passed on as it is.

    Raises :class:`PackedTooMuch` for a file that is broken, that ends too early, that holds more than ``limit`` bytes or that unpacks to suspiciously
    much. Members and padding are taken as :func:`conformance.messages.unpack.unpack` does.
    """
    rest = iter(chunks)
    start = b""
    for chunk in rest:
        start += chunk
        if len(start) >= len(GZIP_MAGIC):
            break
    whole = chain((start,), rest)
    return _Unpacker(limit).pieces(whole) if is_gzip(start) else _limited(whole, limit)


def _limited(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise PackedTooMuch(f"the answer has more than {limit} bytes: no message of the koppelvlak is that large")
        yield chunk


class _Unpacker:
    """What was read and what came out so far."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.packed = self.unpacked = self.members = 0
        self.engine = self._next_member()
        self.is_in_member = True

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what comes out of the chunks of one file."""
        for chunk in chunks:
            self.packed += len(chunk)
            for start in range(0, len(chunk), _STEP):
                yield from self._of(chunk[start : start + _STEP])
        if self.is_in_member:
            raise PackedTooMuch("the gzip file ends too early: send it again as it was made")

    def _of(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self.is_in_member:
                data = data.lstrip(b"\0")  # padding
                if not data:
                    return
                self.engine, self.is_in_member = self._next_member(), True
            yield from self._of_member(data)
            self.is_in_member = not self.engine.eof
            data = self.engine.unused_data

    def _of_member(self, data: bytes) -> Iterator[bytes]:
        """Yield what comes out of the member that is being read, until it ends or wants more."""
        is_full = True
        while (data or is_full) and not self.engine.eof:  # all may be read while something still has to come out
            piece = self._decompressed(data)
            data, is_full = self.engine.unconsumed_tail, len(piece) == _PIECE
            if piece:
                yield piece

    def _decompressed(self, data: bytes) -> bytes:
        try:
            piece = self.engine.decompress(data, _PIECE)
        except zlib.error:
            raise PackedTooMuch("the gzip file is broken: send it again as it was made") from None
        self.unpacked += len(piece)
        if self.unpacked > self.limit:
            raise PackedTooMuch(f"the gzip file unpacks to more than {self.limit} bytes: no message of the koppelvlak is that large")
        if self.unpacked > _FREE and self.unpacked > _MOST_RATIO * self.packed:
            raise PackedTooMuch(f"the gzip file unpacks to more than {_MOST_RATIO} times its size: no message of the koppelvlak does")
        return piece

    def _next_member(self) -> "zlib._Decompress":
        self.members += 1
        if self.members > _MOST_MEMBERS:
            raise PackedTooMuch(f"the gzip file has more than {_MOST_MEMBERS} members: no message of the koppelvlak needs them")
        return zlib.decompressobj(wbits=31)
