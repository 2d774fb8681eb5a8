"""A Message is written as Digikoppeling prescribes, and what is written reads as the same Message."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.messages.envelope import Part
from conformance.messages.guard import parse, schema
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.mime import MimeNotWritten, read_mime
from conformance.transport.ebms2.model import (
    Acknowledgment,
    AckRequested,
    EbmsError,
    ErrorList,
    Message,
    Side,
    StatusRequest,
    StatusResponse,
    SyncReply,
)
from conformance.transport.ebms2.names import MSH_SERVICE, ErrorCode, Kind, MessageStatus, Severity
from conformance.transport.ebms2.reading import SCHEMA, EnvelopeFault, EnvelopeRefused, read_message
from conformance.transport.ebms2.writing import NotWritten, attach, content_id_of, soap_fault, write_envelope, write_message

REQUEST = Message(
    sender=Side((PartyId("urn:osb:oin", "00000099000000001000"),), "SR"),
    receiver=Side((PartyId("urn:osb:oin", "00000004003214345001"),), "SP"),
    cpa_id="cpa",
    conversation_id="c",
    service=PartyId("urn:osb:services", "MIJNOVERHEID.ebMS.BB.2.0"),
    action="GLOBE-R-BV-Request",
    message_id="m@afnemer.example",
    timestamp="2026-11-23T09:15:00.000Z",
    time_to_live="2026-11-24T12:15:00.000Z",
    duplicate_elimination=True,
    ack_requested=AckRequested(),
)
PAYLOADS = (Part(b"<a/>\r\n", "application/xml", "a.xml"), Part(bytes(range(256)), "application/octet-stream"))

_CHARS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r&<>\"'%")
texts = st.text(_CHARS, min_size=1, max_size=20)
ids = st.from_regex(r"[A-Za-z0-9.+%&'-]{1,20}@[a-z]{1,10}\.example", fullmatch=True)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
severities = st.sampled_from(Severity)
party_ids = st.builds(PartyId, st.just("") | texts, texts)
sides = st.builds(Side, st.lists(party_ids, min_size=1, max_size=3).map(tuple), st.none() | texts)
actors = st.none() | st.from_regex(r"urn:[a-z]{1,9}", fullmatch=True)
errors = st.builds(
    EbmsError, st.sampled_from(ErrorCode) | texts, st.just("") | texts, texts, severities, st.sampled_from(["nl-NL", "en"])
) | st.builds(EbmsError, texts, severity=severities)
payloads = st.lists(st.builds(Part, st.binary(max_size=60), st.sampled_from(["text/xml", "application/pdf; a=b"]), st.none() | texts), max_size=3)
BLOCKS = {
    Kind.USER: {"references": st.none()},
    Kind.ACKNOWLEDGMENT: {
        "acknowledgment": st.builds(Acknowledgment, moments, ids, actors, st.lists(party_ids, max_size=2).map(tuple), texts),
        "ref_to_message_id": ids,
    },
    Kind.ERROR: {"error_list": st.builds(ErrorList, st.lists(errors, min_size=1, max_size=3).map(tuple), severities), "ref_to_message_id": ids},
    Kind.PING: {"sync_reply": st.none() | st.builds(SyncReply)},
    Kind.PONG: {"ref_to_message_id": ids},
    Kind.STATUS_REQUEST: {"status_request": st.builds(StatusRequest, texts)},
    Kind.STATUS_RESPONSE: {"status_response": st.builds(StatusResponse, st.sampled_from(MessageStatus), texts, st.none() | moments)},
}


@st.composite
def messages(draw):
    """Draw a message of any kind; a user message has everything that it may have."""
    kind = draw(st.sampled_from(Kind))
    common = {"sender": sides, "receiver": sides, "cpa_id": texts, "conversation_id": texts, "message_id": ids | texts, "timestamp": moments}
    signal = {"service": st.just(PartyId("", MSH_SERVICE)), "action": st.just(str(kind))}
    user = {
        "service": party_ids,
        "action": texts,
        "ref_to_message_id": st.none() | texts,
        "time_to_live": st.none() | moments,
        "duplicate_elimination": st.booleans(),
        "version": st.sampled_from(["2.0", "1.0"]),
        "ack_requested": st.none() | st.builds(AckRequested, st.sampled_from(["true", "false"]), actors),
        "sync_reply": st.none() | st.builds(SyncReply),
        "has_message_order": st.booleans(),
        "has_signature": st.booleans(),
    }
    message = draw(st.builds(Message, **common, **(user if kind is Kind.USER else signal), **BLOCKS[kind]))
    return attach(message, draw(payloads)) if kind is Kind.USER else message


@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages(), st.booleans())
def test_what_is_written_reads_as_the_same_message(message, is_multipart):
    """
    All kinds, with texts of all characters that XML has, alone and in a multipart; and the schema has nothing against it.
    """
    sent = write_message(message, is_multipart_signal=is_multipart)
    received = read_message(sent.content_type, sent.body)

    assert received.message == message
    assert (received.soap, received.missing, received.bad_hrefs, received.unreferenced) == (sent.soap, (), (), ())
    assert schema(SCHEMA).validate(parse(sent.soap))


def test_a_request_is_laid_out_as_prescribed():
    """
    The SOAP part is first, called as the message and named by start; CRLF throughout; no transfer encoding.
    """
    sent = write_message(attach(REQUEST, PAYLOADS), boundary="B")

    assert sent.content_type == 'multipart/related; type="text/xml"; boundary="B"; start="<m@afnemer.example>"'
    first = b"Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <m@afnemer.example>\r\n\r\n" + sent.soap
    disposition = b'Content-Disposition: attachment; filename="a.xml"'
    second = b"Content-Type: application/xml\r\nContent-ID: <1.m@afnemer.example>\r\n" + disposition + b"\r\n\r\n<a/>\r\n"
    third = b"Content-Type: application/octet-stream\r\nContent-ID: <2.m@afnemer.example>\r\n\r\n" + bytes(range(256))
    assert sent.body == b"--B\r\n" + first + b"\r\n--B\r\n" + second + b"\r\n--B\r\n" + third + b"\r\n--B--\r\n"
    assert b"transfer-encoding" not in sent.body.lower()
    assert sent.soap.count(b"\n") == sent.soap.count(b"\r\n") > 10


def test_the_envelope_has_the_prescribed_order_and_qualified_attributes():
    """
    Elements as the schema orders them; no attribute without a namespace.
    """
    soap = write_envelope(attach(REQUEST, PAYLOADS)).decode()
    elements = re.findall(r"<(eb:\w+)", soap)
    attributes = [name for name in re.findall(r" ([\w:]+)=", soap.partition("?>")[2]) if not name.startswith("xmlns:")]

    side = ["eb:PartyId", "eb:Role"]
    assert elements == [
        *("eb:MessageHeader", "eb:From", *side, "eb:To", *side, "eb:CPAId", "eb:ConversationId", "eb:Service", "eb:Action", "eb:MessageData"),
        *(
            "eb:MessageId",
            "eb:Timestamp",
            "eb:TimeToLive",
            "eb:DuplicateElimination",
            "eb:AckRequested",
            "eb:Manifest",
            "eb:Reference",
            "eb:Reference",
        ),
    ]
    assert {name.partition(":")[0] for name in attributes} == {"eb", "soap", "xlink"}


def test_a_message_without_payloads_is_plain_xml():
    """
    The body is the envelope, and says UTF-8.
    """
    sent = write_message(REQUEST)

    assert (sent.content_type, sent.body) == ("text/xml; charset=UTF-8", sent.soap)
    assert b"Manifest" not in sent.body


def test_a_signal_may_be_a_multipart_of_one_part():
    """
    Dutch CPAs describe it so.
    """
    sent = write_message(REQUEST, is_multipart_signal=True)

    assert [part.content for part in read_mime(sent.content_type, sent.body).parts] == [sent.soap]


def test_a_reference_without_a_part_can_be_written():
    """
    A test of a receiver sends it; the message reads as it was sent.
    """
    sent = write_message(replace(REQUEST, references=("cid:gone", "http://x/y")))
    received = read_message(sent.content_type, sent.body)

    assert (received.missing, received.bad_hrefs) == (("cid:gone",), ("http://x/y",))


def test_a_part_without_reference_can_be_written():
    """
    Nor does it need a Content-ID.
    """
    sent = write_message(replace(REQUEST, payloads=(Part(b"x"),)))
    received = read_message(sent.content_type, sent.body)

    assert [(part.content, part.content_id) for part in received.unreferenced] == [(b"x", "")]


def test_payloads_keep_the_content_id_that_they_have():
    """
    Only what has none gets one; without payloads there is no Manifest.
    """
    attached = attach(REQUEST, (Part(b"x", content_id="own@x"), Part(b"y")))

    assert attached.references == ("cid:own@x", "cid:2.m@afnemer.example")
    assert attach(attached, ()).references is None


@pytest.mark.parametrize(
    ("message_id", "content_id"),
    [("a@b.example", "a@b.example"), ("a b@c", "a%20b@c"), ('a"@c', "a%22@c"), ("a>\r\nX: y", "a%3E%0D%0AX%3A%20y"), ("é%20", "%C3%A9%2520")],
)
def test_a_message_id_that_is_no_content_id_gets_percent_signs(message_id, content_id):
    """
    No MessageId starts a header or ends the start parameter.
    """
    message = attach(replace(REQUEST, message_id=message_id), PAYLOADS)
    sent = write_message(message)

    assert content_id_of(message_id) == content_id
    assert read_mime(sent.content_type, sent.body).start == content_id
    assert read_message(sent.content_type, sent.body).message == message


def test_the_same_message_is_written_to_the_same_bytes():
    """
    A retry is a copy.
    """
    message = attach(REQUEST, PAYLOADS)

    assert write_message(message) == write_message(message)
    assert write_message(message).content_type != write_message(replace(message, message_id="other@x")).content_type


def boundary_of(message):
    """Return the boundary that a message is written with."""
    sent = write_message(message)
    return read_mime(sent.content_type, sent.body).boundary


def test_a_boundary_that_stands_in_a_payload_is_not_taken():
    """
    The next one is.
    """
    first = boundary_of(attach(REQUEST, [Part(b"x")]))
    message = attach(REQUEST, [Part(f"x\r\n--{first}--\r\n".encode())])

    assert boundary_of(message) != first
    sent = write_message(message)
    assert read_message(sent.content_type, sent.body).message == message


def test_a_payload_that_holds_every_boundary_is_not_written(monkeypatch):
    """
    There is an end to trying.
    """
    monkeypatch.setattr("conformance.transport.ebms2.writing._BOUNDARY_TRIES", 1)
    first = boundary_of(attach(REQUEST, [Part(b"x")]))

    with pytest.raises(MimeNotWritten, match="another"):
        write_message(attach(REQUEST, [Part(f"--{first}".encode())]))
    with pytest.raises(MimeNotWritten, match="stands in a part"):
        write_message(attach(REQUEST, [Part(b"\r\n--B")]), boundary="B")


@pytest.mark.parametrize("text", ["a\0b", "\x1b", "\ud800", "\uffff"])
def test_a_text_that_xml_cannot_hold_is_not_written(text):
    """
    XML 1.0 has no way to write some characters.
    """
    with pytest.raises(NotWritten, match="no way to write"):
        write_message(replace(REQUEST, cpa_id=text))
    with pytest.raises(NotWritten, match="no way to write"):
        write_message(replace(REQUEST, message_id=text), is_multipart_signal=True)


def test_a_fault_is_soap_1_1():
    """
    Its children have no namespace, and there is no Header.
    """
    fault = soap_fault("Client", "1 < 2 & more")
    with pytest.raises(EnvelopeRefused, match="soap:Client: 1 < 2 & more") as refused:
        read_message("text/xml", fault)

    assert refused.value.reason is EnvelopeFault.SOAP_FAULT
    assert schema(SCHEMA).validate(parse(fault))
    assert b"Header" not in fault
