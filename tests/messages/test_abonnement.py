"""Reading and writing both messages of the abonnementservices, small and large."""

import gzip
import itertools
import os
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.messages.abonnement import (
    ANTWOORD_SCHEMA,
    SCHEMA,
    AbonnementAanvraag,
    AntwoordRegel,
    Soort,
    UnreadableAanvraag,
    UnreadableAntwoord,
    listed_names,
    names,
    packed_antwoord,
    plain_antwoord,
    read_aanvraag,
    read_antwoord,
)
from conformance.messages.batch import UnwritableText
from conformance.messages.bsns import BsnList
from conformance.messages.guard import XmlRefused, parse, schema
from conformance.messages.unpack import PackedTooMuch

EXAMPLES = Path(os.environ.get("BERICHTENBOX_LOGIUS", Path(__file__).parents[2].parent / "shared" / "logius")) / "voorbeelden"
OIN = "00000099000000001000"
ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BSNS = BsnList.of(["999990019", "999990032", "999990019"])
ROWS = [(999990019, True), (12, False)]


def aanvraag(body: str = "", head: str = f"<BerichtLeverancier><OIN>{OIN}</OIN></BerichtLeverancier><VerzoekId>{ID}</VerzoekId>") -> bytes:
    """Build a request around a body."""
    return f'<n:AbonnementAanvraag xmlns:n="{names().namespace}">{head}{body}</n:AbonnementAanvraag>'.encode()


def antwoord(body: str) -> bytes:
    """Build an answer around a body."""
    return f"<n:AbonnementAntwoord xmlns:n='{names().namespace}'>{body}</n:AbonnementAntwoord>".encode()


@pytest.mark.parametrize(
    ("message", "soort"),
    [
        (AbonnementAanvraag(OIN, ID), Soort.ALLES),
        (AbonnementAanvraag(OIN, "<&>\r\n x", BSNS), Soort.BSN_LIJST),
        (AbonnementAanvraag(OIN, ID, mutatie_datum="2026-11-24T12:00:00Z"), Soort.MUTATIES),
    ],
)
def test_a_request_comes_back_as_it_was_written(message, soort):
    """
    Each kind of request is valid and reads as it was.
    """
    document = message.to_xml()

    assert schema(SCHEMA).validate(parse(document))
    assert read_aanvraag(document) == message
    assert message.soort is soort
    assert "999990019" not in repr(message)


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples of Logius are not here")
@pytest.mark.parametrize(("kind", "soort"), [("BSN Lijst", Soort.BSN_LIJST), ("Mutatie", Soort.MUTATIES), ("Volledig", Soort.ALLES)])
def test_the_official_examples_are_read(kind, soort):
    """
    The three examples of Logius, with their placeholders filled in.
    """
    text = (EXAMPLES / f"GLOBE-R-A-Request - {kind}.xml").read_text(encoding="utf-8")
    filled = re.sub(r"BSN_\d+", "999990019", re.sub(r"OIN [Nn]ummer", OIN, text))

    read = read_aanvraag(filled.encode())

    assert (read.oin, read.soort, len(read.bsns or ())) == (OIN, soort, 5 if soort is Soort.BSN_LIJST else 0)


@pytest.mark.parametrize(
    ("document", "requirement"),
    [
        (aanvraag().replace(b"n:AbonnementAanvraag", b"n:Aanvraag"), "ABO-002"),
        (aanvraag().replace(b"overheid", b"rdw"), "ABO-002"),
        (b"<x/>", "ABO-002"),
        (aanvraag(head=""), "ABO-003"),
        (aanvraag(head="<VerzoekId>x</VerzoekId>"), "ABO-003"),
        (aanvraag(head="<BerichtLeverancier/><VerzoekId>x</VerzoekId>"), "ABO-003"),
        (aanvraag("<n:BSNLijst/>"), "ABO-003"),
        (aanvraag("text"), "ABO-003"),
        (aanvraag("<MutatieDatum a='1'>2026-11-24T12:00:00Z</MutatieDatum>"), "ABO-003"),
        (aanvraag("<BSNLijst><BSN>999990019</BSN><Bsn/></BSNLijst>"), "ABO-003"),
        (aanvraag("<Iets/>"), "ABO-004"),
        (aanvraag("<MutatieDatum>gisteren</MutatieDatum>"), "ABO-004"),
        (aanvraag("<BSNLijst><BSN>999990019</BSN></BSNLijst><MutatieDatum>2026-11-24T12:00:00Z</MutatieDatum>"), "ABO-004"),
        (aanvraag("<BSNLijst><BSN>999990019</BSN></BSNLijst><BSNLijst/>"), "ABO-004"),
        (aanvraag(head="<BerichtLeverancier><OIN>1</OIN></BerichtLeverancier><VerzoekId>x</VerzoekId>"), "ABO-005"),
        (aanvraag("<BSNLijst><BSN>99999001</BSN></BSNLijst>"), "ABO-008"),
        (aanvraag("<BSNLijst><BSN>999990019</BSN><BSN/></BSNLijst>"), "ABO-008"),
        (aanvraag("<BSNLijst/>"), "ABO-014"),
    ],
)
def test_an_invalid_request_names_its_requirement(document, requirement):
    """
    Each way to go wrong belongs to one requirement, and no value is quoted.
    """
    with pytest.raises(UnreadableAanvraag) as error:
        read_aanvraag(document)

    assert error.value.requirement == requirement
    assert not re.search(r"9999|gisteren", str(error.value))


def test_a_broken_request_is_refused():
    """
    What is no XML is no request.
    """
    with pytest.raises(XmlRefused):
        read_aanvraag(aanvraag()[:-5])


@pytest.mark.parametrize("message", [AbonnementAanvraag(OIN, "\x0b"), AbonnementAanvraag("\ufffe", ID), AbonnementAanvraag(OIN, ID, None, "\0")])
def test_a_text_that_xml_cannot_carry_is_refused(message):
    """
    Nothing is written that cannot be read.
    """
    with pytest.raises(UnwritableText, match="cannot carry"):
        message.to_xml()


@pytest.mark.slow
def test_a_list_of_a_million_costs_little():
    """
    A full list is read in memory that four bytes each explain; far too many are refused on the limits.
    """
    document = AbonnementAanvraag(OIN, ID, BsnList(range(50_000))).to_xml()
    tracemalloc.start()

    read = read_aanvraag(document)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(read.bsns or ()) == 50_000
    assert peak < len(document) + 4_000_000
    with pytest.raises(XmlRefused, match="times '<'"):
        read_aanvraag(b"<a>" + b"<BSN/>" * 6_000_100)


def test_names_are_those_of_both_sketches():
    """
    The names that are read and written stand in the sketches; what no example shows is an aanname.
    """
    sketches = {value for name in (SCHEMA, ANTWOORD_SCHEMA) for element in parse(_sketch(name)).iter("*") for value in element.attrib.values()}

    assert {name.text for name in listed_names().values()} <= sketches
    assert {key for key, name in listed_names().items() if name.certainty == "aanname"} == {
        "antwoord",
        "abonnementen",
        "abonnement",
        "status",
        "actief",
        "inactief",
    }


def _sketch(name: str) -> bytes:
    return (Path(__file__).parents[2] / "specs/xsd" / name).read_bytes()


# -- the answer --------------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 999_999_999), st.booleans()), max_size=20), st.integers(1, 60), st.text("a<&é", max_size=5))
def test_an_answer_comes_back_as_it_was_written(rows, piece, verzoek_id):
    """
    Packed in pieces or plain, an answer is valid and holds its lines.
    """
    pieces = list(packed_antwoord(OIN, verzoek_id, rows, piece=piece))
    plain = plain_antwoord(OIN, verzoek_id, rows)

    assert {len(part) for part in pieces[:-1]} <= {piece}
    assert 1 <= len(pieces[-1]) <= piece
    assert gzip.decompress(b"".join(pieces)) == plain
    assert schema(ANTWOORD_SCHEMA).validate(parse(plain))
    for chunks in (pieces, [plain]):
        stream = read_antwoord(chunks)
        assert (stream.oin, stream.verzoek_id) == (OIN, verzoek_id)
        assert [(regel.number, regel.is_actief) for regel in stream] == rows


@pytest.mark.slow
def test_an_answer_is_read_in_constant_memory():
    """
    Many lines stand nowhere at once, when written and when read.
    """
    rows = zip(range(100_000, 200_000), itertools.cycle((True, False)), strict=False)
    tracemalloc.start()

    count = sum(regel.is_actief for regel in read_antwoord(packed_antwoord(OIN, ID, rows)))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 6_000_000


def test_an_answer_is_read_by_local_name():
    """
    Another namespace, another wrapping and more elements in a line do not matter to who reads.
    """
    line = "<n:Abonnement><Sinds/><n:Status>Inactief</n:Status><n:BSN>999990019</n:BSN><BSN>1</BSN></n:Abonnement>"
    line += "<Abonnement><Status>Actief</Status><BSN>999990032</BSN></Abonnement>"

    stream = read_antwoord([antwoord(f"<n:VerzoekId>v</n:VerzoekId><L>{line}</L>").replace(b"overheid", b"rdw")])

    assert (stream.oin, stream.verzoek_id) == ("", "v")
    assert list(stream) == [AntwoordRegel("999990019", "Inactief"), AntwoordRegel("999990032", "Actief")]


def test_an_empty_answer_has_no_lines():
    """
    Nobody is an answer too.
    """
    stream = read_antwoord([plain_antwoord(OIN, ID, [])])

    assert (stream.verzoek_id, list(stream)) == (ID, [])


@pytest.mark.parametrize(
    ("chunks", "error", "text"),
    [
        ([b"<Iets><VerzoekId/></Iets>"], UnreadableAntwoord, "the root is not AbonnementAntwoord"),
        ([b"<Iets/>"], UnreadableAntwoord, "the root is not AbonnementAntwoord"),
        ([antwoord("<Abonnement><BSN>999990019</BSN></Abonnement>")], UnreadableAntwoord, "has no BSN or no Status"),
        ([antwoord("<Abonnement><BSN/><Statuz/></Abonnement>")], UnreadableAntwoord, "has no BSN or no Status"),
        ([antwoord("<Abonnement><BSN>999990019</BSN><Status>actief</Status></Abonnement>")], UnreadableAntwoord, "neither Actief nor Inactief"),
        ([plain_antwoord(OIN, ID, ROWS)[:-4]], XmlRefused, "."),
        ([gzip.compress(plain_antwoord(OIN, ID, ROWS), mtime=0)[:-4]], PackedTooMuch, "ends too early"),
        ([b"<!DOCTYPE x>" + plain_antwoord(OIN, ID, ROWS)], XmlRefused, "DOCTYPE"),
        ([gzip.compress(b"<a>" + b" " * 12_000_000, mtime=0)], PackedTooMuch, "times its size"),
    ],
    ids=["root", "empty root", "no status", "other status", "status", "cut", "packed and cut", "doctype", "bomb"],
)
def test_a_bad_answer_raises_at_last(chunks, error, text):
    """
    Whoever reads to the end knows that it was whole.
    """
    with pytest.raises(error, match=text):
        [regel.is_actief for regel in read_antwoord(chunks)]


def test_a_bsn_that_is_none_is_not_quoted():
    """
    A line keeps the text of the wire, and does not show it.
    """
    regel = AntwoordRegel("99999001", "Actief")

    assert "99999001" not in repr(regel)
    with pytest.raises(UnreadableAntwoord, match="a BSN is not nine digits"):
        _ = regel.number
