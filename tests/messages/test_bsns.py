"""Lists of BSNs: what goes in comes out, and nothing shows one by accident."""

import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.messages.bsns import BsnList, bsn_number, bsn_text
from conformance.messages.identities import passes_elfproef, reserved_test_bsns

TEXTS = ("999990032", "000000012", "999990019", "999990032")


def test_a_list_is_a_sequence_of_texts():
    """
    Order, leading zeros and doubles are kept.
    """
    bsns = BsnList.of(TEXTS)

    assert tuple(bsns) == TEXTS
    assert (bsns[1], bsns[1:3], len(bsns)) == ("000000012", BsnList.of(TEXTS[1:3]), 4)
    assert (bsns.numbers[1], bsn_text(12)) == (12, "000000012")


@pytest.mark.parametrize("text", ["", "99999001", "9999900190", "99999001x", " 99990019", "\u0661" * 9, "+99990019"])
def test_a_text_that_is_no_bsn_is_refused_without_quoting_it(text):
    """
    Nine ASCII digits, or nothing.
    """
    with pytest.raises(ValueError, match=r"^a BSN is nine digits 0-9$"):
        BsnList.of([text])


@pytest.mark.parametrize("number", [-1, 1_000_000_000, 5_000_000_000])
def test_a_number_of_more_digits_is_refused_without_quoting_it(number):
    """
    A number that nine digits cannot write is no BSN.
    """
    with pytest.raises(ValueError, match=r"^a BSN is a number of at most nine digits$"):
        BsnList([number])


@given(st.lists(st.integers(0, 999_999_999)))
def test_bytes_come_back_as_they_went(numbers):
    """
    Four bytes each, little-endian on every machine.
    """
    bsns = BsnList(numbers)

    assert bsns.to_bytes() == b"".join(number.to_bytes(4, "little") for number in numbers)
    assert BsnList.from_bytes(bsns.to_bytes()) == bsns


def test_bytes_are_turned_on_a_big_endian_machine(monkeypatch):
    """
    Where numbers stand the other way round in memory, they are turned when written and when read.
    """
    bsns = BsnList([1, 2])
    monkeypatch.setattr(sys, "byteorder", "big")

    written = bsns.to_bytes()

    swapped = array("I", [1, 2])
    swapped.byteswap()
    assert written == swapped.tobytes()
    assert BsnList.from_bytes(written) == bsns


def test_bytes_of_no_list_are_refused():
    """
    A piece of a number is none.
    """
    with pytest.raises(ValueError, match="four bytes each"):
        BsnList.from_bytes(b"12345")


@given(st.lists(st.integers(0, 50)))
def test_unique_sorts_and_leaves_out_doubles(numbers):
    """
    Each BSN once, in order; a list that is so already stays so.
    """
    unique = BsnList(numbers).unique()

    assert list(unique.numbers) == sorted(set(numbers))
    assert unique.unique() == unique


def test_has_searches_a_sorted_list():
    """
    What is in the list is found, what is not is not, and what is no BSN neither.
    """
    bsns = BsnList.of(TEXTS).unique()

    assert [bsns.has(text) for text in ("000000012", "999990032", "999990020", "999999990", "12", "")] == [True, True, False, False, False, False]


@given(st.lists(st.one_of(st.integers(0, 999_999_999), st.sampled_from([0, 12, *map(int, reserved_test_bsns())]))))
def test_elfproef_agrees_with_the_one_of_a_single_bsn(numbers):
    """
    The quick sum over a list says the same as the elfproef of stdnum.
    """
    bsns = BsnList(numbers)

    assert list(bsns.failing_elfproef()) == [place for place, text in enumerate(bsns) if not passes_elfproef(text)]


def test_no_bsn_is_shown():
    """
    A representation counts, and a list equals only a list.
    """
    bsns = BsnList.of(TEXTS)

    assert repr(bsns) == "<BsnList of 4>"
    assert bsns != TEXTS
    assert bsn_number("999990019") == 999990019
