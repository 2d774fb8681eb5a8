"""GUID, OIN and BSN: what they look like, when two are the same, and which BSNs are reserved for tests."""

import re
from functools import cache
from typing import Final

from stdnum.nl import bsn as _bsn

NIL_GUID: Final = "00000000-0000-0000-0000-000000000000"
PARTY_PREFIX: Final = "urn:osb:oin:"
LOGIUS_TEST_OIN: Final = "00000099000000002000"
"""Logius' side of a test connection: 99 is the range of test OINs."""
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OIN = re.compile(r"[0-9]{20}")
_OIN_PREFIXES = frozenset({f"{number:08d}" for number in range(1, 11)} | {"00000099"})
_BSN = re.compile(r"[0-9]{9}")
_NO_BSN = "000000000"  # its checksum holds
_TEST_BSNS = range(999_990_000, 1_000_000_000)


def is_guid(text: str) -> bool:
    """Tell whether ``text`` is a GUID in ASCII hex digits, without braces (the XSD also lets other digits through)."""
    return _GUID.fullmatch(text) is not None


def same_guid(one: str, other: str) -> bool:
    """Tell whether two GUIDs are the same: case does not count."""
    return one.lower() == other.lower()


def is_nil(guid: str) -> bool:
    """Tell whether ``guid`` is the one that Logius answers when it could not read the BerichtID."""
    return guid == NIL_GUID


def is_oin(text: str) -> bool:
    """Tell whether ``text`` has the 20 digits of an OIN."""
    return _OIN.fullmatch(text) is not None


def has_oin_prefix(text: str) -> bool:
    """Tell whether an OIN starts with a prefix that the OIN-stelsel has (00000001-00000010, and 00000099 for tests)."""
    return text[:8] in _OIN_PREFIXES


def flat_party(oin: str) -> str:
    """Return the party id of the adapter face for an OIN: ``urn:osb:oin:`` and the number."""
    return PARTY_PREFIX + oin


def is_bsn_shaped(text: str) -> bool:
    """Tell whether ``text`` is nine ASCII digits."""
    return _BSN.fullmatch(text) is not None


def passes_elfproef(text: str) -> bool:
    """Tell whether nine digits are a possible BSN by the elfproef."""
    return is_bsn_shaped(text) and text != _NO_BSN and _bsn.checksum(text) == 0


@cache
def reserved_test_bsns() -> tuple[str, ...]:
    """Return the 909 valid BSNs of the block 999990000-999999999, which no citizen has."""
    return tuple(text for number in _TEST_BSNS if passes_elfproef(text := str(number)))
