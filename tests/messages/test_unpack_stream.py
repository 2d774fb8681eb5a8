"""Unpacking piece by piece: the same content as at once, within limits."""

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.messages.unpack import PackedTooMuch
from conformance.messages.unpack_stream import unpack_stream

MB = 1_000_000


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut data in chunks."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.binary(max_size=300), st.integers(1, 40), st.sampled_from((gzip.compress, bytes)))
def test_chunks_do_not_matter(data, size, pack):
    """
    However a file arrives, packed or not, its content is the same.
    """
    packed = pack(b"<" + data)

    assert b"".join(unpack_stream(cut(packed, size))) == b"<" + data


def test_members_and_padding_are_taken():
    """
    Several members in a row are one content, and zeros behind them are padding.
    """
    packed = gzip.compress(b"one") + gzip.compress(b"two") + bytes(100_000)

    assert b"".join(unpack_stream([packed])) == b"onetwo"


def test_what_is_still_inside_comes_out():
    """
    A few bytes may hold more than a piece: all of it comes out, in pieces that are not too large.
    """
    data = b"a" * (9 * MB)

    pieces = list(unpack_stream([gzip.compress(data)]))

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 262_144


def test_much_that_was_not_packed_small_passes():
    """
    Beyond 10 MB the ratio counts, and noise has none.
    """
    data = os.urandom(MB) * 12

    assert sum(map(len, unpack_stream(cut(gzip.compress(data, 1), 500_000)))) == 12 * MB


@pytest.mark.parametrize(
    ("data", "limit", "text"),
    [
        (gzip.compress(b"<a/>", mtime=0)[:-1], 99, "ends too early"),
        (gzip.compress(b"<a/>", mtime=0)[:-8] + bytes(8), 99, "is broken"),
        (gzip.compress(b"<a/>", mtime=0) + b"x", 99, "is broken|ends too early"),
        (gzip.compress(b"<a/>" * 30, mtime=0), 99, "more than 99 bytes"),
        (b"<a/>" * 30, 99, "more than 99 bytes"),
        (zlib.compress(b"b" * (11 * MB), 9, 31), 20 * MB, "more than 500 times its size"),
        (gzip.compress(b"", mtime=0) * 65, 99, "more than 64 members"),
    ],
    ids=["cut", "broken", "followed", "long", "long plain", "bomb", "members"],
)
def test_bad_files_are_refused(data, limit, text):
    """
    A broken file, one that is cut off, one that holds too much, and a bomb.
    """
    with pytest.raises(PackedTooMuch, match=text):
        list(unpack_stream([data], limit))


def test_nothing_is_nothing():
    """
    No chunks hold nothing.
    """
    assert b"".join(unpack_stream([])) == b""
