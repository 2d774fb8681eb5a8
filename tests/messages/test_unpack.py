"""Gzip from strangers: whole, in members, broken, and without end."""

import gzip
import tracemalloc

import pytest

from conformance.messages.unpack import PackedTooMuch, is_gzip, unpack


def packed_of(content: bytes) -> bytes:
    """Pack without the time of day, so that the names of the tests are the same in every process."""
    return gzip.compress(content, compresslevel=1, mtime=0)


DOCUMENT = b"<a>" + b"x" * 1_000 + b"</a>"
PACKED = packed_of(DOCUMENT)


def test_what_is_no_gzip_is_left_as_it_is():
    """
    Only the first two bytes tell; there is no limit on what was not packed.
    """
    assert unpack(DOCUMENT, limit=1) is DOCUMENT
    assert (is_gzip(PACKED), is_gzip(DOCUMENT), is_gzip(b"")) == (True, False, False)


@pytest.mark.parametrize(
    ("packed", "content"),
    [
        (PACKED, DOCUMENT),
        (packed_of(b""), b""),
        (packed_of(DOCUMENT[:10]) + packed_of(DOCUMENT[10:]), DOCUMENT),
        (PACKED + bytes(100), DOCUMENT),
        (PACKED + packed_of(b"") + bytes(1), DOCUMENT),
    ],
)
def test_members_follow_each_other_and_padding_is_nothing(packed, content):
    """
    A gzip file may be several members in a row (RFC 1952); zero bytes behind them are padding.
    """
    assert unpack(packed) == content


@pytest.mark.parametrize(
    ("packed", "match"),
    [
        (PACKED[:-1], "ends too early"),
        (PACKED[:5], "ends too early"),
        (b"\x1f\x8b", "ends too early"),
        (PACKED + PACKED[:20], "ends too early"),
        (b"\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff\xff", "is broken"),
        (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "is broken"),
        (PACKED + b"<a/>", "is broken"),
        (packed_of(b"") * 65, "more than 64 members"),
    ],
)
def test_what_is_broken_is_refused(packed, match):
    """
    Cut off, damaged, with something behind it, or in endless members: no part of it is used.
    """
    with pytest.raises(PackedTooMuch, match=match):
        unpack(packed)


@pytest.mark.parametrize("packed", [PACKED, packed_of(DOCUMENT[:500]) + packed_of(DOCUMENT[500:])])
def test_the_limit_counts_over_all_members(packed):
    """
    Exactly the limit is unpacked, one byte more is not.
    """
    assert unpack(packed, limit=len(DOCUMENT)) == DOCUMENT
    with pytest.raises(PackedTooMuch, match=f"more than {len(DOCUMENT) - 1} bytes"):
        unpack(packed, limit=len(DOCUMENT) - 1)


@pytest.mark.attack
def test_a_bomb_is_refused_before_it_is_held():
    """
    100 MB of zeroes in 100 kB need no more memory than the limit and a little.
    """
    bomb = packed_of(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(PackedTooMuch, match="more than 1000000 bytes"):
            unpack(bomb, limit=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000
