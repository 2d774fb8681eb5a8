"""The verwerkingsbericht as a value and as a document."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from conformance import strategies
from conformance.messages.guard import parse, schema, schema_errors
from conformance.messages.verwerkingsbericht import (
    COUNTERS,
    NS_RESULT,
    SCHEMA,
    Resultaat,
    UnreadableResult,
    Verwerkingsbericht,
    VerwerkingsCode,
    processing_time_s,
    read_verwerkingsbericht,
)

GUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def about(*results: Resultaat) -> Verwerkingsbericht:
    return Verwerkingsbericht.about("00000099000000001000", GUID, NOON, NOON + timedelta(seconds=90), results)


@pytest.mark.parametrize(
    "result",
    [
        *(Resultaat(GUID, "BT1", code) for code in VerwerkingsCode),
        Resultaat(GUID, "BT1", VerwerkingsCode.VERWERKT, None),
        Resultaat(GUID, "BT1", VerwerkingsCode.VERWERKT, None, is_nil_stadium=True),
        Resultaat(GUID, "", VerwerkingsCode.VERWERKT, ""),
        Resultaat(GUID, "Onbekend & <zo>", VerwerkingsCode.VERWERKT, "iets nieuws"),
    ],
)
def test_a_result_comes_back_from_its_document(result):
    """
    Each code, and a Stadium that is absent, nil, empty or unknown, is valid and reads as it was written.
    """
    written = about(result)
    root = parse(written.to_xml())

    assert schema("verwerkingsbericht.xsd").validate(root)
    assert read_verwerkingsbericht(root) == written


def test_the_document_has_the_prefixes_of_live_traffic():
    """
    Root and Bericht are qualified with ns2 and ns3; nothing else is.
    """
    text = about(Resultaat(GUID, "BT1", VerwerkingsCode.VERWERKT)).to_xml().decode()

    assert "<ns2:BerichtVerwerkResponse" in text
    assert "<ns3:Bericht><BerichtID>" in text


def test_the_counters_follow_from_the_codes():
    """
    Each bericht is in one counter, those without a counter of their own count as a technical problem.
    """
    result = about(*(Resultaat(GUID, "BT1", code) for code in VerwerkingsCode))

    assert result.totaal == sum(result.counters) == 10
    assert [result.counter(name) for name in COUNTERS] == [1, 1, 5, 1, 1, 1]
    assert repr(result) == f"<Verwerkingsbericht on {GUID}: 10 of 10 berichten>"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.results())
def test_reading_and_writing_any_result_changes_nothing(document):
    """
    Whatever a valid result looks like, what was read is what is read again after writing.
    """
    result = read_verwerkingsbericht(parse(document))

    assert read_verwerkingsbericht(parse(result.to_xml())) == result


@pytest.mark.parametrize("value", ["true", "1", " true "])
def test_every_spelling_of_nil_is_nil(value):
    """
    ``xs:boolean`` has two spellings of true, and its blanks are collapsed.
    """
    text = about(Resultaat(GUID, "BT1", VerwerkingsCode.VERWERKT)).to_xml().decode()
    root = parse(text.replace("<Stadium>NA<", f'<Stadium {XSI} xsi:nil="{value}"><').encode())

    (result,) = read_verwerkingsbericht(root).resultaten

    assert (result.stadium, result.is_nil_stadium) == (None, True)


def test_a_text_is_written_as_the_library_would_write_it():
    """
    What is not plain is escaped, a carriage return too, and the declaration and the prefixes are those that were seen live.
    """
    document = about(Resultaat(GUID, "B&<\r>é", VerwerkingsCode.VERWERKT, None)).to_xml()

    written = f"<BerichtID>{GUID}</BerichtID><BerichtType>B&amp;&lt;&#13;&gt;é</BerichtType><VerwerkingsCode>Verwerkt</VerwerkingsCode>"
    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<ns2:BerichtVerwerkResponse ")
    assert document.endswith(f"<Berichten><ns3:Bericht>{written}</ns3:Bericht></Berichten></ns2:BerichtVerwerkResponse>".encode())


@pytest.mark.parametrize("text", ["\x00", "BT\x0b1", "\ud800", "\ufffe"])
def test_a_text_that_xml_cannot_carry_is_refused(text):
    """
    No document comes out that nobody can read.
    """
    result = about(Resultaat(GUID, text, VerwerkingsCode.VERWERKT))

    with pytest.raises(ValueError, match=r"XML compatible|surrogates not allowed"):
        result.to_xml()


def test_an_invalid_result_is_not_read():
    """
    The text says at which element it goes wrong, and quotes nothing.
    """
    text = about(Resultaat(GUID, "BT1", VerwerkingsCode.VERWERKT)).to_xml().decode()
    root = parse(text.replace(">Verwerkt<", ">999990019<").encode())

    with pytest.raises(UnreadableResult, match="BerichtVerwerkResponse/Berichten/Bericht/VerwerkingsCode") as refused:
        read_verwerkingsbericht(root)

    assert "999990019" not in str(refused.value)


def test_processing_takes_the_time_between_the_dates():
    """
    A date that cannot be placed gives no time.
    """
    result = about()

    assert processing_time_s(result) == 90
    assert processing_time_s(replace(result, ontvangen="12026-11-24T12:00:00Z")) is None
    assert processing_time_s(replace(result, verwerkt="x")) is None


def test_single_bericht_is_no_result():
    """
    The schema takes one Bericht as a document of its own, for it is declared by itself; a result is what has the root of one.
    """
    text = "<BerichtID>7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a011</BerichtID><BerichtType>BELAST</BerichtType><VerwerkingsCode>Verwerkt</VerwerkingsCode>"
    root = parse(f'<r:Bericht xmlns:r="{NS_RESULT}">{text}</r:Bericht>'.encode())

    assert schema_errors(root, SCHEMA) == ()
    with pytest.raises(UnreadableResult, match="the root is Bericht, expected BerichtVerwerkResponse"):
        read_verwerkingsbericht(root)
