"""Tests of the masking: no BSN leaves the kit, and what is no BSN stays readable."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.masking import mask, mask_bytes, masked_json

OIN = "00000099000000001000"
WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2)


@st.composite
def bsns(draw: st.DrawFn) -> str:
    """Draw nine digits that pass the elfproef."""
    digits = draw(st.lists(st.integers(0, 9), min_size=8, max_size=8).filter(lambda d: _check_digit(d) < 10))
    return "".join(map(str, digits)) + str(_check_digit(digits))


def _check_digit(digits: list[int]) -> int:
    return sum(weight * digit for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11


def shown(bsn: str) -> str:
    """Return what may be seen of a BSN."""
    return bsn[:4] + "*****"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BSN 999990019 is onbekend", "BSN 9999***** is onbekend"),
        ("999990019@gemeente.nl", "9999*****@gemeente.nl"),
        ("/berichten/999990019/", "/berichten/9999*****/"),
        ("batch_999990019.xml", "batch_9999*****.xml"),
        ("bsn999990019", "bsn9999*****"),
        ("9999.90.019", "9999*****"),
        ("9999 90 019", "9999*****"),
        ("999 990 019", "9999*****"),
        ("999-990-019", "9999*****"),
        ("00000012", "0000*****"),
    ],
)
def test_bsn_in_running_text_is_hidden(text, expected):
    """
    A number that is a BSN is hidden wherever it stands alone, also when dotted, spaced or without its leading zero.
    """
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        OIN,
        f"urn:osb:oin:{OIN}",
        f"MIJNOVERHEID-EBMS-BB-2-0_{OIN}",
        "12345678-1234-1234-1234-999990019123",
        "a999990019bc",
        "00000012-0000-4000-8000-000000000001",
        "20261124",
        "19990131T120000",
        "100.000.001 euro",
        "12345678",
        "9999 90.019",
        "9" * 10,
        "",
    ],
)
def test_what_is_no_bsn_stays(text):
    """
    OINs, GUIDs, dates and amounts stay readable, because findings are about them.
    """
    assert mask(text) == text


def test_eight_digits_that_read_as_a_date_stay():
    """
    A day that happens to pass the elfproef with a leading zero is still a day.
    """
    dates = [f"20260{month}{day}" for month in range(1, 10) for day in range(10, 29)]

    assert [mask(date) for date in dates] == dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<GebruikerID>12345</GebruikerID>", "<GebruikerID>*****</GebruikerID>"),
        ("<b:GebruikerID>99999001</b:GebruikerID>", "<b:GebruikerID>9999*****</b:GebruikerID>"),
        ("<K:Key>A12345678</K:Key>", "<K:Key>*****</K:Key>"),
        ("<Key xsi:nil='false'>9999900190</Key>", "<Key xsi:nil='false'>9999*****</Key>"),
        ('<BSN a="x>y">999</BSN>', '<BSN a="x>y">*****</BSN>'),
        ("<bsn>\n  99999001\n</bsn>", "<bsn>\n  9999*****\n</bsn>"),
        ("<bsn><![CDATA[99999001]]></bsn>", "<bsn><![CDATA[9999*****]]></bsn>"),
        ("<bsn>9999<!-- 90 -->019</bsn>", "<bsn>*****<!-- ***** -->*****</bsn>"),
        ("<bsn>&#57;99990019</bsn>", "<bsn>*****</bsn>"),
        ("<bsn>9999900", "<bsn>*****"),
        ("<bsn><![CDATA[99999", "<bsn><![CDATA[*****"),
        ("<bsn></bsn>", "<bsn></bsn>"),
        ("<bsn> </bsn>", "<bsn> </bsn>"),
        ("<bsn/>12345", "<bsn/>12345"),
        ("<KeyInfo>12345</KeyInfo>", "<KeyInfo>12345</KeyInfo>"),
        ('<a bsn="12345" b="1"/>', '<a bsn="*****" b="1"/>'),
        ("<a x:GebruikerID = '1234567890'/>", "<a x:GebruikerID = '1234*****'/>"),
        ("?bsn=12345&x=1", "?bsn=*****&x=1"),
        ('{"bsn": "12345"}', '{"bsn": "*****"}'),
        ('{"bsn": 99999001}', '{"bsn": "9999*****"}'),
        ('{"bsn": ["12345", 67, "999990019"], "n": 1}', '{"bsn": ["*****", "*****", "9999*****"], "n": 1}'),
        ('{"bsn": null}', '{"bsn": null}'),
        ('{"bsn": "12\\"345"}', '{"bsn": "*****"}'),
        ('{"bsn": "1234', '{"bsn": "*****'),
        ('{"bsn": "', '{"bsn": "'),
        ("{'GebruikerID': '12345'}", "{'GebruikerID': '*****'}"),
        ('{"keys": "12345"}', '{"keys": "12345"}'),
    ],
)
def test_field_that_carries_a_bsn_is_hidden_whatever_its_value(text, expected):
    """
    A malformed BSN is hidden by the name of its element, attribute or key; emptiness stays visible.
    """
    assert mask(text) == expected


@given(bsn=bsns(), guid=st.uuids(), other=st.text(max_size=20), form=st.sampled_from(["{0}", "{1}", "{2}", "x:{0};"]))
def test_no_exchange_shows_a_bsn(bsn, guid, other, form):
    """
    Whatever is exchanged about a citizen, the BSN is hidden and the identifiers of bericht and Afnemer stay.
    """
    written = form.format(bsn, f"{bsn[:4]}.{bsn[4:6]}.{bsn[6:]}", f"{bsn[:3]} {bsn[3:6]} {bsn[6:]}")
    exchange = (
        f"POST /ebms HTTP/1.1\r\nMessage-Id: <{written}@voorbeeld.nl>\r\n\r\n<b:BerichtID>{guid}</b:BerichtID>"
        f"<b:BerichtLeverancierID>{OIN}</b:BerichtLeverancierID><b:GebruikerID>{bsn}</b:GebruikerID>"
        f'<b:Onderwerp>{written}</b:Onderwerp>{{"bsn": ["{bsn}"], "nummer": {bsn}}} {other}'
    )

    masked = mask(exchange)

    assert bsn not in masked
    assert written.strip("x:;") not in masked
    assert f"<b:GebruikerID>{shown(bsn)}</b:GebruikerID>" in masked
    assert f"<b:BerichtID>{guid}</b:BerichtID>" in masked
    assert f">{OIN}<" in masked


FRAGMENTS = ["bsn", "Key", "<", ">", "</", "/", '"', "'", ":", "=", " ", ".", "-", "[", "]", "{", ",", "\\", "*", "<![CDATA[", "]]>"]


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.from_regex(r"[0-9]{1,10}", fullmatch=True), bsns())).map("".join))
def test_masking_twice_changes_nothing(text):
    """
    What is masked stays as it is, so that every layer may mask without harm.
    """
    once = mask(text)

    assert mask(once) == once


@given(st.binary(max_size=200))
def test_bytes_without_digits_stay_byte_for_byte(data):
    """
    Masking touches nothing but what it hides, whatever the bytes are.
    """
    harmless = bytes(byte for byte in data if not 0x30 <= byte <= 0x39 and byte != 0x3D)

    assert mask_bytes(harmless) == harmless


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
def test_bsn_is_hidden_in_bytes_of_any_encoding(encoding):
    """
    A message in another encoding hides its BSN as well, and keeps its other bytes.
    """
    data = "<é>999990019</é>".encode(encoding)

    assert mask_bytes(data) == "<é>9999*****</é>".encode(encoding)


def test_odd_byte_after_wide_text_stays():
    """
    A message in UTF-16 that was cut off in the middle of a character is masked up to there.
    """
    data = "<a>999990019".encode("utf-16-le") + b"x"

    assert mask_bytes(data) == "<a>9999*****".encode("utf-16-le") + b"x"


def test_big_endian_mark_is_recognised():
    """
    The byte order mark of big-endian UTF-16 decides how digits are found.
    """
    data = b"\xfe\xff" + "999990019".encode("utf-16-be")

    assert mask_bytes(data) == b"\xfe\xff" + "9999*****".encode("utf-16-be")


def test_json_is_masked_in_keys_values_and_numbers():
    """
    Every place in a JSON structure where a BSN can stand is hidden; other values keep their type.
    """
    value: dict[str, Any] = {
        "burger": 999990019,
        "tekst": ("voor 999990019", 5, True, None, 1.5),
        "bsn": [{"waarde": "12"}, 1234, True, None],
        "999990019": 1,
    }

    assert masked_json(value) == {
        "burger": "9999*****",
        "tekst": ["voor 9999*****", 5, True, None, 1.5],
        "bsn": [{"waarde": "*****"}, "*****", True, None],
        "9999*****": 1,
    }


def test_keys_that_look_alike_after_masking_all_stay():
    """
    Three citizens with the same first four digits remain three entries.
    """
    value = {"999990019": "a", "999990020": "b", "999990032": "c"}

    masked = masked_json(value)

    assert masked == {"9999*****": "a", "9999*****#2": "b", "9999*****#3": "c"}
    assert masked_json(masked) == masked


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_masked_json_is_stable_and_still_json(value):
    """
    Any JSON structure can be masked, twice to the same effect.
    """
    once = masked_json(value)

    assert masked_json(once) == once
    assert json.loads(json.dumps(once)) == once


@pytest.mark.attack
@pytest.mark.parametrize("piece", ["<BSN ", '<BSN "', "<BSN><![CDATA[", "<a:", 'bsn="', '"bsn":[', "'bsn':\"\\", "9999 ", "bsn   ", "<BSN><!--"])
def test_hostile_text_is_masked_in_linear_time(piece):
    """
    A body that is made to be slow to search costs no more than its size.
    """
    text = piece * (400_000 // len(piece))

    before = time.process_time()
    mask(text)

    assert time.process_time() - before < 5
