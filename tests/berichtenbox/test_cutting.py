"""One bericht out of a batch: always the very letter, and without parsing the others wherever it can be cut out."""

from dataclasses import replace

import pytest

from conformance.berichtenbox import cutting
from conformance.berichtenbox.cutting import bericht_in
from conformance.messages.batch import Bijlage

ONE, TWO = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"


@pytest.fixture
def parsed(monkeypatch):
    """The sizes of what is parsed."""
    sizes, parse = [], cutting.parse

    def noting(document):
        sizes.append(len(document))
        return parse(document)

    monkeypatch.setattr(cutting, "parse", noting)
    return sizes


@pytest.fixture
def batch(make):
    """A batch in which the letter that is asked for stands second, with text and a bijlage."""
    bijlagen = (Bijlage.from_octets(b"%PDF", "Een", 1),)
    return make.batch(*(make.bericht(one, onderwerp=one[-1], bericht_tekst="é & <b>" * 400, bijlagen=bijlagen) for one in (ONE, TWO)))


def asked(payload, batch):
    """Return the second letter."""
    return bericht_in(payload, TWO, 1, batch.berichten[1].digest())


def without_prefixes(payload):
    """Return the document with the namespace on each element of its own, as some write it."""
    for prefix, names in ((b"v:", (b"Berichten", b"BatchInformatie")), (b"b:", (b"Bericht",))):
        space = payload.partition(b"xmlns:" + prefix[:1] + b'="')[2].partition(b'"')[0]
        for name in names:
            payload = payload.replace(b"<" + prefix + name + b">", b"<" + name + b' xmlns="' + space + b'">')
            payload = payload.replace(b"<" + prefix + name + b" ", b"<" + name + b' xmlns="' + space + b'" ')
        payload = payload.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</")
    return payload


@pytest.mark.parametrize(
    "written",
    [bytes, without_prefixes, lambda payload: payload.replace(b"</b:Bericht>", b"</b:Bericht\n>"), lambda payload: payload.replace(b"><", b">\n  <")],
)
def test_a_letter_is_cut_out(batch, parsed, written):
    """
    Whatever the prefixes and the layout, one letter is parsed, and it is the right one.
    """
    payload = written(batch.to_xml())

    assert asked(payload, batch) == batch.berichten[1]
    assert len(parsed) == 1
    assert parsed[0] < len(payload) * 2 / 3


def test_an_id_in_capitals_is_found(batch, parsed):
    """
    Ids are kept in lower case, and may have come in capitals.
    """
    capitals = replace(batch, berichten=tuple(replace(one, bericht_id=one.bericht_id.upper()) for one in batch.berichten))

    assert asked(capitals.to_xml(), batch) == capitals.berichten[1]
    assert len(parsed) == 1


@pytest.mark.parametrize(
    "written",
    [
        lambda payload: payload.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda payload: payload.replace(TWO.encode(), TWO.replace("aaaa", "aAaA").encode()),
        lambda payload: payload.replace(b"?>", b"?><!--" + b" " * 5000 + b"-->", 1),
    ],
)
def test_what_is_not_found_at_once_is_read_as_a_whole(batch, parsed, written):
    """
    In another encoding, in mixed case, or behind a long comment: all of it is parsed.
    """
    payload = written(batch.to_xml())

    assert asked(payload, batch).digest() == batch.berichten[1].digest()
    assert parsed == [len(payload)]


@pytest.mark.parametrize(
    "written",
    [
        bytes,
        lambda payload: payload.replace(b"<b:Bericht>", b"<!-- <b:Bericht> " + TWO.encode() + b" </b:Bericht> --><b:Bericht>", 1),
        lambda payload: payload.replace(b"<b:Bericht>", b"<!-- <b:Bericht>" + TWO.encode() + b"<b:BerichtInformatie></b:Bericht> --><b:Bericht>", 1),
    ],
)
def test_a_letter_that_names_another_is_never_taken_for_it(batch, parsed, written):
    """
    An id may stand in a text or a comment before the letter that has it: what is cut there is not the letter, and all is parsed.
    """
    naming = replace(batch, berichten=(replace(batch.berichten[0], bericht_tekst=f"Zie ook {TWO} ."), batch.berichten[1]))
    payload = written(naming.to_xml())

    assert asked(payload, batch) == batch.berichten[1]
    assert (len(parsed), parsed[-1]) == (2, len(payload))
