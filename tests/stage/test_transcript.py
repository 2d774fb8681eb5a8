"""What went over the line in a case, as a person reads it."""

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.ledger import Call, Offer, OfferedResult, State, Status
from conformance.messages.envelope import Part
from conformance.rules.findings import Finding, Grading
from conformance.stage.transcript import transcript

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = timedelta(minutes=1)
BSN = "999990019"


@pytest.fixture
def shown(envelope):
    """Return what is shown of an offer with one part."""

    def show(content, **changes):
        part = replace(Part(content, "text/xml", "batch.xml", "<1>"), **changes)
        return transcript([Offer(replace(envelope, parts=(part,)), NOW, NOW)], [], [])

    return show


def test_nothing_is_said_in_words():
    """
    A case in which nothing happened has a transcript too.
    """
    assert transcript([], [], []) == "nothing went over the line\n"


def test_exchanges_stand_in_the_order_of_the_wall_clock(envelope, result):
    """
    Offers, results and calls are mixed as they happened, whatever the business clock said.
    """
    answer = replace(envelope, message_id="m-2@berichtenbox.example", parts=(Part(result.to_xml()),))
    offers = [Offer(envelope, NOW + 2 * LATER, NOW, State.REFUSED, seq=7, note="no such CPA"), Offer(envelope, NOW, NOW + 9 * LATER, seq=3)]
    results = [OfferedResult(answer, NOW + LATER, NOW, Status.RECEIVED, 1, seq=5)]
    calls = [Call("process", "m-2@berichtenbox.example", 204, NOW + 3 * LATER, NOW)]

    text = transcript(offers, results, calls)
    heads = [line.split("  ", 1)[1] for line in text.splitlines() if line.startswith("2026-")]
    assert heads == [
        "Afnemer -> Berichtenbox, offer 3: accepted",
        "Berichtenbox -> Afnemer, result 5: RECEIVED",
        "Afnemer -> Berichtenbox, offer 7: refused no such CPA",
        "process m-2@berichtenbox.example -> 204",
    ]
    assert text.startswith("-" * 100 + "\n2026-11-24T12:00:00.000Z (business clock 2026-11-24T12:09:00.000Z)  ")


def test_envelope_is_written_out(envelope):
    """
    Every name of the envelope is there, and of each part its type, name, size and digest.
    """
    text = transcript([Offer(envelope, NOW, NOW)], [], [])

    names = dict(re.findall(r"^  (\w+): (.*)$", text, re.MULTILINE))
    assert names == dict(envelope.named())
    size = len(envelope.parts[0].content)
    assert re.search(rf"part 1: text/xml, name batch.xml, contentId <batch@afnemer.example>, {size} bytes, sha256 [0-9a-f]{{64}}\n", text)


def test_findings_stand_below_the_offer(envelope):
    """
    What the rules say of an offer can be read beside it.
    """
    finding = Finding("AANL-030", "BatchID", "a GUID", "'{1}'")
    text = transcript([Offer(envelope, NOW, NOW, grading=Grading((finding,)))], [], [])

    assert text.endswith("\n  ! AANL-030 at BatchID: expected a GUID, seen '{1}'\n")


def test_document_is_indented_and_masked(envelope):
    """
    An element a line, and no BSN anywhere.
    """
    text = transcript([Offer(envelope, NOW, NOW)], [], [Call("status", f"brief-van-{BSN}", 500, NOW, NOW, note=f"no\n{BSN}")])

    assert re.search(r"^ {6}<v:BatchInformatie>$", text, re.MULTILINE)
    assert re.search(r"^ {10}<b:GebruikerID>9999\*{5}</b:GebruikerID>$", text, re.MULTILINE)
    assert "brief-van-9999***** -> 500\n  ! no\n  ! 9999*****\n" in text
    assert BSN not in text


def test_bijlage_is_left_out(envelope, pdf):
    """
    Of a bijlage only its size and digest are shown; a short Inhoud stays as it is.
    """
    document = envelope.parts[0].content
    text = transcript([Offer(envelope, NOW, NOW)], [], [])
    short = re.sub(rb"<b:Inhoud>.*</b:Inhoud>", b"<b:Inhoud>JVBERg==</b:Inhoud>", document)
    short_text = transcript([Offer(replace(envelope, parts=(Part(short),)), NOW, NOW)], [], [])

    assert re.search(rf"<b:Inhoud>\[{-(-len(pdf) // 3) * 4} characters of base64, sha256 [0-9a-f]{{64}}\]</b:Inhoud>", text)
    assert "<b:Inhoud>JVBERg==</b:Inhoud>" in short_text


def test_gzip_is_unpacked(shown, result):
    """
    A packed result is shown as the document in it.
    """
    assert "<VerwerkingsCode>Verwerkt</VerwerkingsCode>" in shown(gzip.compress(result.to_xml()))


def test_broken_gzip_is_named(shown):
    """
    What cannot be unpacked is told, without its bytes.
    """
    text = shown(b"\x1f\x8bonzin")

    assert "    [the gzip file is broken" in text
    assert text.endswith("\n    a gzip file\n")


def test_unreadable_payload_is_quoted(shown):
    """
    What is no XML is quoted from its start, masked, and on one line.
    """
    text = shown(f"geen XML\nvoor {BSN} \xff".encode("latin-1") + b"x" * 5_000)

    last = text.splitlines()[-1]
    assert last.startswith(r"    'geen XML\nvoor 9999***** �xxx")
    assert len(last) < 2_100


def test_long_payload_is_cut(shown):
    """
    Nobody reads more than 160 lines; how many there were is told.
    """
    text = shown(b"<a>" + b"<b/>" * 500 + b"</a>")

    assert text.count("<b/>") == 159
    assert text.endswith("\n    … and 342 lines more\n")


def test_message_without_parts_is_only_an_envelope(envelope):
    """
    There is nothing to show of what is not there.
    """
    text = transcript([Offer(replace(envelope, parts=()), NOW, NOW)], [], [])

    assert "part 1" not in text
    assert "action: GLOBE-R-BV-Request" in text
