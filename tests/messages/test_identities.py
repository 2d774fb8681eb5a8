"""GUID, OIN and BSN: shapes, sameness and the reserved block."""

import pytest

from conformance.messages.identities import (
    NIL_GUID,
    flat_party,
    has_oin_prefix,
    is_bsn_shaped,
    is_guid,
    is_nil,
    is_oin,
    passes_elfproef,
    reserved_test_bsns,
    same_guid,
)

GUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (GUID, True),
        (GUID.upper(), True),
        (NIL_GUID, True),
        (f"{{{GUID}}}", False),
        (f"{GUID}\n", False),
        (f" {GUID}", False),
        (GUID.replace("-", ""), False),
        (GUID.replace("1", "\u0661"), False),
        (GUID.replace("a", "g"), False),
        ("", False),
    ],
)
def test_a_guid_has_ascii_hex_digits_and_no_braces(text, verdict):
    """
    The XSD lets other digits through; here they are refused.
    """
    assert is_guid(text) is verdict


def test_case_does_not_tell_guids_apart():
    """
    Systems write GUIDs in either case.
    """
    assert same_guid(GUID, GUID.upper())
    assert not same_guid(GUID, NIL_GUID)
    assert (is_nil(NIL_GUID), is_nil(GUID)) == (True, False)


@pytest.mark.parametrize(
    ("text", "shape", "prefix"),
    [
        ("00000099000000001000", True, True),
        ("00000010000000001000", True, True),
        ("00000011000000001000", True, False),
        ("00000000000000001000", True, False),
        ("0000009900000000100", False, True),
        ("urn:osb:oin:00000099000000001000", False, False),
        ("\u0661" * 20, False, False),
    ],
)
def test_an_oin_has_twenty_digits_and_a_known_prefix(text, shape, prefix):
    """
    Number of digits and prefix are judged apart.
    """
    assert (is_oin(text), has_oin_prefix(text)) == (shape, prefix)


def test_a_party_is_the_oin_behind_its_prefix():
    """
    The flat spelling of the adapter face.
    """
    assert flat_party("00000099000000001000") == "urn:osb:oin:00000099000000001000"


@pytest.mark.parametrize(
    ("text", "shape", "valid"),
    [
        ("999990019", True, True),
        ("999993653", True, True),
        ("000000012", True, True),
        ("999990018", True, False),
        ("123456789", True, False),
        ("000000000", True, False),
        ("99990019", False, False),
        ("9999.90.019", False, False),
        (" 999990019", False, False),
        ("\u0661" * 9, False, False),
    ],
)
def test_a_bsn_has_nine_digits_and_passes_the_elfproef(text, shape, valid):
    """
    A number of another form is no BSN, even when it would pass without its punctuation.
    """
    assert (is_bsn_shaped(text), passes_elfproef(text)) == (shape, valid)


def test_the_reserved_block_has_909_numbers():
    """
    Counted once by hand (fact sheet), with its first and last.
    """
    numbers = reserved_test_bsns()

    assert (len(numbers), numbers[:3], numbers[-1]) == (909, ("999990007", "999990019", "999990020"), "999999990")
