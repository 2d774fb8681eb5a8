"""The batch as a value and as a document: round trip, refusals, what its repr and digest say."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from conformance import strategies
from conformance.messages.batch import Batch, Bijlage, InvalidBase64, UnwritableText, read_batch, read_bericht
from conformance.messages.envelope import Part
from conformance.messages.guard import parse, schema

ODD_TEXTS = ("& < > \" '", "]]>", "é e\u0301 \U0001f4ec", " blanks ", "a\r\nb\tc", "\\r\\n", "<b>&amp;</b>", "\u2028\u00a0")


def test_a_batch_comes_back_from_its_document(batch):
    """
    The fullest batch is valid against the schema and reads as it was written.
    """
    root = parse(batch.to_xml())

    assert schema("berichten.xsd").validate(root)
    assert read_batch(root) == batch


def test_one_bericht_is_read_without_the_others(batch):
    """
    By its position, the same as among all of them; one that is not there is told.
    """
    root = parse(batch.to_xml())

    assert tuple(read_bericht(root, position) for position in range(len(batch.berichten))) == batch.berichten
    with pytest.raises(IndexError, match=f"the batch has no bericht {len(batch.berichten)}"):
        read_bericht(root, len(batch.berichten))


def test_a_bericht_without_options_comes_back_too(batch):
    """
    An optional element that is absent reads as None, and no empty Bijlagen is written.
    """
    bare = replace(batch.berichten[0], bericht_tekst=None, publicatie_datum=None, eind_datum_handelings_termijn=None, referentie=None, bijlagen=())
    small = replace(batch, berichten=(bare,))

    document = small.to_xml()

    assert schema("berichten.xsd").validate(parse(document))
    assert read_batch(parse(document)) == small
    assert b"Bijlagen" not in document


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_a_text_arrives_as_it_was_written(batch, text):
    """
    Markup is escaped, and blanks, carriage returns and every character of XML survive.
    """
    odd = replace(batch, berichten=(replace(batch.berichten[0], onderwerp=text, bericht_tekst=text),))

    assert read_batch(parse(odd.to_xml())) == odd


@pytest.mark.parametrize("text", ["\x0b", "\0", "a\ufffe", "\uffff", "\ud800", "\x1f"])
def test_a_character_outside_xml_is_refused_before_a_batch_is_built(batch, text):
    """
    What XML 1.0 cannot carry is refused, without quoting the text.
    """
    odd = replace(batch, berichten=(replace(batch.berichten[0], onderwerp=f"999990019{text}"),))

    with pytest.raises(UnwritableText, match="cannot carry") as refused:
        odd.to_xml()

    assert "999990019" not in str(refused.value)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.batches())
def test_reading_and_writing_any_batch_changes_nothing(document):
    """
    Whatever prefixes a valid document uses, what was read is what is read again after writing.
    """
    batch = read_batch(parse(document))

    assert read_batch(parse(batch.to_xml())) == batch


@pytest.mark.parametrize(
    "document", [b"<x/>", b"<x><Bericht/></x>", b"<x><BatchInformatie/><Bericht><Bijlagen><Bijlage/><Iets/></Bijlagen></Bericht></x>"]
)
def test_what_is_missing_reads_as_empty(document):
    """
    A document without the elements of a batch is still read, for the rules to speak about.
    """
    batch = read_batch(parse(document))

    assert (batch.batch_id, batch.aanmaak_datum, batch.bericht_leverancier_id) == ("", "", "")
    assert all((bericht.bericht_id, bericht.gebruiker_id, bericht.soort_gebruiker) == ("", "", "") for bericht in batch.berichten)
    assert all(bijlage == Bijlage("", "", "", "") for bericht in batch.berichten for bijlage in bericht.bijlagen)


@pytest.mark.parametrize(("inhoud", "octets"), [("QUJD", b"ABC"), ("QU\r\nJD", b"ABC"), (" QUJD\t", b"ABC"), ("", b"")])
def test_a_bijlage_gives_its_bytes(inhoud, octets):
    """
    White space within base64 counts for nothing.
    """
    assert Bijlage(inhoud, "Besluit", "1").octets() == octets


@pytest.mark.parametrize("inhoud", ["@@@@", "QUJ", "Q===", "é", "QU\u00a0JD", "QUJD="])
def test_what_is_no_base64_is_refused(inhoud):
    """
    Other characters, wrong padding and other kinds of blanks are not base64.
    """
    with pytest.raises(InvalidBase64, match="Inhoud is not base64"):
        Bijlage(inhoud, "Besluit", "1").octets()


def test_the_digest_is_that_of_the_letter(batch):
    """
    Ids, line breaks in base64 and the batch do not count; every field that the citizen sees does.
    """
    one = batch.berichten[0]
    wrapped = replace(one.bijlagen[0], inhoud="\n".join(one.bijlagen[0].inhoud))
    same = (replace(one, batch_id="x"), replace(one, bericht_id="x"), replace(one, bijlagen=(wrapped,)))
    fields = ("bericht_type", "onderwerp", "gebruiker_id", "bericht_tekst", "publicatie_datum", "eind_datum_handelings_termijn", "referentie")
    other = (*(replace(one, **{field: "x"}) for field in fields), replace(one, bijlagen=()))

    assert {bericht.digest() for bericht in same} == {one.digest()}
    assert len({bericht.digest() for bericht in (one, *other)}) == len(other) + 1


def test_a_repr_is_short_and_names_no_citizen(batch):
    """
    What stands in a log or a failing test says how much, not what.
    """
    bericht = batch.berichten[0]

    assert repr(batch) == "<Batch 6ba7b810-9dad-11d1-80b4-00c04fd430c8: 1 berichten>"
    assert repr(bericht) == "<Bericht 1b671a64-40d5-491e-99b0-da01ff1f3341: BT1, 1 bijlagen>"
    assert bericht.bijlagen[0].inhoud not in repr(bericht.bijlagen[0])
    assert "999990019" not in repr(Part(b"999990019"))


def test_a_batch_without_berichten_can_be_written():
    """
    The value does not judge: the schema does.
    """
    empty = Batch("x", "y", "z", ())

    assert read_batch(parse(empty.to_xml())) == empty
