"""One exchange of the ebMS2 face, and a whole transcript with them, as a person reads it."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.ledger import Call, Offer, OfferedResult, Status
from conformance.berichtenbox.wire import Exchange, PartSeen
from conformance.messages.envelope import Part
from conformance.stage import transcript as module
from conformance.stage.exchange_text import write_exchange
from conformance.stage.transcript import transcript

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SOAP = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body><a b="999990019">x</a></s:Body></s:Envelope>'
ACK = SOAP.replace(b"<a b", b"<ack b").replace(b"</a>", b"</ack>")


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def exchange():
    """A message of the Afnemer with one payload, answered in the HTTP answer."""
    parts = (
        PartSeen((("content-type", "text/xml; charset=UTF-8"), ("content-id", "<m@x>")), len(SOAP), digest(SOAP)),
        PartSeen((("content-type", "application/xml"),), 7, digest(b"payload")),
    )
    return Exchange(
        is_incoming=True,
        kind="UserMessage",
        message_id="m@x",
        ref_to_message_id="",
        method="POST",
        target="/ebms",
        http_version="1.1",
        headers=(("host", "127.0.0.1:8800"), ("SOAPAction", '"ebXML"')),
        soap=SOAP,
        parts=parts,
        size=700,
        status=200,
        answer_headers=(("content-type", "text/xml"),),
        answer=ACK,
        peer="afnemer.test, OIN 00000099000000001000",
        note="accepted",
        wall=NOW,
        business=NOW + timedelta(days=1),
        seq=12,
    )


@pytest.fixture
def shown(exchange):
    """Return what is shown of that exchange, but for some changes."""

    def show(payloads=None, **changes):
        return list(write_exchange(replace(exchange, **changes), payloads or {}))

    return show


def test_exchange_is_whole(shown):
    """
    Request line, headers as sent, each part, the envelope, the answer with its body, what was made of it, and who was on the other side.
    """
    assert shown({digest(b"payload"): "see offer 7"}) == [
        "  request of the Afnemer, 700 bytes; certificate of the client: afnemer.test, OIN 00000099000000001000",
        "  > POST /ebms HTTP/1.1",
        "  > host: 127.0.0.1:8800",
        '  > SOAPAction: "ebXML"',
        f"  > part 1: {len(SOAP)} bytes, sha256 {digest(SOAP)}: the envelope below",
        "  >   content-type: text/xml; charset=UTF-8",
        "  >   content-id: <m@x>",
        f"  > part 2: 7 bytes, sha256 {digest(b'payload')}: see offer 7",
        "  >   content-type: application/xml",
        '    <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">',
        "      <s:Header/>",
        "      <s:Body>",
        '        <a b="999990019">x</a>',
        "      </s:Body>",
        "    </s:Envelope>",
        "  < 200 OK",
        "  < content-type: text/xml",
        '    <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">',
        "      <s:Header/>",
        "      <s:Body>",
        '        <ack b="999990019">x</ack>',
        "      </s:Body>",
        "    </s:Envelope>",
        "  note: accepted",
    ]


def test_what_is_not_there_is_not_shown(shown):
    """
    A plain body has no parts, an empty answer no body, a status that few know no words, and without a note there is none.
    """
    lines = shown(parts=(), status=299, answer=b"", answer_headers=(), note="", peer="")

    assert lines[0].endswith("certificate of the client: none was seen")
    assert lines[-1] == "  < 299"
    assert not any("part" in line for line in lines)


def test_silence_is_told(shown):
    """
    Without an answer that is what is shown, with the trouble.
    """
    lines = shown(is_incoming=False, status=0, answer=b"", note="refused: nothing listens")

    assert lines[0].startswith("  request of the Berichtenbox, 700 bytes; certificate of the server: ")
    assert lines[-2:] == ["  < no answer", "  note: refused: nothing listens"]


def test_payload_that_stands_nowhere_has_its_digest(shown):
    """
    What a case sent itself is no offer: only its digest is kept.
    """
    assert f"  > part 2: 7 bytes, sha256 {digest(b'payload')}: kept by its digest only" in shown()


@pytest.mark.parametrize("name", ["Authorization", "Cookie"])
def test_password_is_not_shown(shown, name):
    """
    That there was one is what matters; what it was is nobody's business.
    """
    lines = shown(headers=((name, "Basic c2VjcmV0"),))

    assert f"  > {name}: [not shown]" in lines
    assert "c2VjcmV0" not in "\n".join(lines)


def test_long_base64_is_shortened(shown):
    """
    A certificate or a signature is named by size and digest; a long text that is no base64 stays.
    """
    content = b"\x00" * 300
    long_text = "een lange tekst, geen base64. " * 20
    soap = f"<a><b>{base64.b64encode(content).decode()}</b><c>{long_text}</c></a>".encode()
    text = "\n".join(shown(soap=soap))

    assert f"<b>[400 characters of base64, sha256 {digest(base64.b64encode(content))}]</b>" in text
    assert long_text in text


@pytest.mark.parametrize("word", ["=" * 300, "ab=c" * 100, "a" * 200])
def test_word_that_is_no_base64_stays(shown, word):
    """
    With = where none belongs, or no longer than a person reads, it is shown as it is.
    """
    assert f"    <a>{word}</a>" in shown(soap=f"<a>{word}</a>".encode())


def test_what_is_no_xml_is_quoted(shown):
    """
    A body that cannot be read is on one line, from its start; of a SOAP Fault in words too.
    """
    lines = shown(soap=b"geen XML\n\x00" + b"x" * 5_000, parts=(), answer=b"Service Unavailable", status=503)

    assert r"    'geen XML\n\x00xxx" in lines[5]
    assert len(lines[5]) < 2_100
    assert lines[-2] == "    'Service Unavailable'"


def test_long_envelope_is_cut(shown):
    """
    Nobody reads more than 160 lines; how many there were is told.
    """
    lines = shown(soap=b"<a>" + b"<b/>" * 500 + b"</a>", answer=b"")

    assert lines.count("      <b/>") == 159
    assert "    … and 342 lines more" in lines


# -- in a transcript -------------------------------------------------------------------------------------------------------------------------


def test_exchange_stands_among_the_rest(exchange, envelope):
    """
    Offers, results, calls and exchanges are in the order of the wall clock; payloads refer to where they are written out; BSNs are masked.
    """
    payload = envelope.parts[0].content
    part = replace(exchange.parts[1], sha256=digest(payload))
    result_part, later = replace(part, sha256=digest(b"<r/>")), NOW + timedelta(seconds=2)
    pushed = replace(exchange, is_incoming=False, seq=13, kind="", wall=later, parts=(result_part,), message_id="r@x")
    later += timedelta(seconds=2)
    answer = replace(pushed, is_incoming=True, seq=14, kind="Acknowledgment", message_id="a@x", ref_to_message_id="r@x", wall=later)
    offers = [Offer(envelope, NOW - timedelta(seconds=1), NOW, seq=7)]
    results = [OfferedResult(replace(envelope, parts=(Part(b"<r/>"),)), NOW + timedelta(seconds=1), NOW, Status.RECEIVED, 1, seq=8)]
    calls = [Call("process", "r@x", 204, NOW + timedelta(seconds=3), NOW)]

    text = transcript(offers, results, calls, [replace(exchange, parts=(exchange.parts[0], part)), pushed, answer])
    heads = [line.split(")  ", 1)[1] for line in text.splitlines() if line.startswith("2026-")]
    assert heads == [
        "Afnemer -> Berichtenbox, offer 7: accepted",
        "Afnemer -> Berichtenbox, exchange 12: UserMessage m@x",
        "Berichtenbox -> Afnemer, result 8: RECEIVED",
        "Berichtenbox -> Afnemer, exchange 13: no message r@x",
        "process r@x -> 204",
        "Afnemer -> Berichtenbox, exchange 14: Acknowledgment a@x about r@x",
    ]
    assert f"sha256 {digest(payload)}: see offer 7" in text
    assert f"sha256 {digest(b'<r/>')}: see result 8" in text
    assert "2026-11-24T12:00:00.000Z (business clock 2026-11-25T12:00:00.000Z)  Afnemer -> Berichtenbox, exchange 12" in text
    assert "999990019" not in text
    assert '<a b="9999*****">x</a>' in text


def test_long_line_is_cut(exchange):
    """
    A header of many characters does not make a transcript of them.
    """
    text = transcript([], [], [], [replace(exchange, headers=(("x", "y" * 50_000),))])

    assert max(map(len, text.splitlines())) < 4_100
    assert "yyy…" in text


def test_long_transcript_loses_its_middle(exchange, monkeypatch):
    """
    The beginning and the end stay, and how much is left out is told; one entry always stays, however long.
    """
    monkeypatch.setattr(module, "_MOST_CHARACTERS", 4_000)
    exchanges = [replace(exchange, seq=number, wall=NOW + timedelta(seconds=number)) for number in range(50)]

    text = transcript([], [], [], exchanges)
    whole = transcript([], [], [], exchanges[:2])
    huge = transcript([], [], [], [replace(exchange, headers=tuple(("x", "y" * 3_000) for _ in range(9)), seq=number) for number in range(3)])
    assert len(text) < 5_000
    assert "exchange 0:" in text
    assert "exchange 49:" in text
    assert "exchange 25:" not in text
    assert "entries are left out here" in text
    assert "left out" not in whole
    assert "[1 entries are left out here" in huge
