"""The JSON of the adapter face: what is read, what is refused with which text, and what is written."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conformance.messages.envelope import Envelope, Part
from conformance.transport.adapter import (
    RequestRefused,
    StoredMessage,
    properties_of,
    read_json,
    read_message,
    read_message_request,
    read_properties,
    write_ids,
    write_json,
    write_message,
    write_message_request,
)

STORED = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)
REQUIRED = {"cpaId": "c", "fromPartyId": "p", "fromRole": "SR", "service": "s", "action": "a"}
SOURCE = {"contentType": "text/xml", "content": "QUJD"}


@pytest.fixture
def message(envelope) -> StoredMessage:
    return StoredMessage(replace(envelope, ref_to_message_id="m-0"), STORED, "RECEIVED")


def test_a_request_is_read_as_it_was_written(envelope):
    """
    What an application writes is what the adapter reads, parts and all.
    """
    assert read_message_request(write_message_request(envelope)) == envelope


def test_nulls_and_absent_fields_are_the_same():
    """
    Null values are left out of what is written, and count as absent in what is read.
    """
    properties = REQUIRED | {"toRole": None, "messageId": None}
    body = json.dumps({"properties": properties, "dataSources": None}).encode()

    assert read_message_request(body) == Envelope("c", "p", "SR", "s", "a")
    assert b"null" not in write_message_request(Envelope("c", "p", "SR", "s", "a"))


def test_a_part_needs_no_name():
    """
    Name and Content-ID are optional, empty content is content.
    """
    body = json.dumps({"properties": REQUIRED, "dataSources": [SOURCE, SOURCE | {"content": "", "name": None}]}).encode()

    assert read_message_request(body).parts == (Part(b"ABC"), Part(b""))


REFUSED = (
    ({}, "is an object with properties"),
    ([], "is an object with properties"),
    ({"properties": []}, "is an object with properties"),
    ({"properties": REQUIRED, "extra": 1}, "Unrecognized field 'extra' in MessageRequest$"),
    ({"properties": REQUIRED, "dataSources": {"a": 1}}, "dataSources is an array"),
    ({"properties": REQUIRED | {"x" * 200: 1}}, f"^Unrecognized field '{'x' * 80}' in MessageRequestProperties$"),
    ({"properties": REQUIRED | {"toRole": 1}}, "toRole is a text of at most 1000 characters"),
    ({"properties": REQUIRED | {"toRole": "x" * 1_001}}, "toRole is a text of at most 1000 characters"),
    ({"properties": REQUIRED | {"messageId": "\ud800"}}, "messageId is a text"),
    *(({"properties": {key: value for key, value in REQUIRED.items() if key != name}}, f"properties.{name} is missing") for name in REQUIRED),
    ({"properties": REQUIRED | {"cpaId": ""}}, "cpaId is missing"),
    ({"properties": REQUIRED | {"cpaId": None}}, "cpaId is missing"),
    ({"properties": REQUIRED, "dataSources": [1]}, "and nothing else"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"extra": ""}]}, "and nothing else"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"name": 1}]}, "name is a text"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"name": "\udfff"}]}, "name is a text"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"contentId": "x" * 1_001}]}, "contentId is a text of at most"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"content": 1}]}, "content is a text"),
    ({"properties": REQUIRED, "dataSources": [{"content": ""}]}, "has a contentType and content"),
    ({"properties": REQUIRED, "dataSources": [{"contentType": "text/xml"}]}, "has a contentType and content"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"content": None}]}, "has a contentType and content"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"content": "@@@@"}]}, "content is not base64"),
    ({"properties": REQUIRED, "dataSources": [SOURCE | {"content": "é"}]}, "content is not base64"),
)


@pytest.mark.parametrize(("request_", "match"), REFUSED)
def test_a_request_of_another_shape_is_refused_with_the_first_fault(request_, match):
    """
    The text of the refusal is what the adapter answers.
    """
    with pytest.raises(RequestRefused, match=match):
        read_message_request(json.dumps(request_).encode())


@pytest.mark.attack
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b"9" * 10_000, b"<a/>"], ids=range(6))
def test_what_is_no_json_is_refused(body):
    """
    Cut off, in no encoding, too deep or too long a number: the body is not JSON.
    """
    with pytest.raises(RequestRefused, match="the body is not JSON"):
        read_json(body)


def test_properties_are_an_object():
    """
    The properties of a search are read without a message around them.
    """
    with pytest.raises(RequestRefused, match="MessageRequestProperties is an object"):
        read_properties([])


def test_a_stored_message_is_shown_with_nested_parties(message):
    """
    The adapter shows parties as objects, the time in Zulu, and its status.
    """
    shown = properties_of(message)

    assert shown["fromParty"] == {"partyId": "urn:osb:oin:00000099000000001000", "role": "SR"}
    assert (shown["timestamp"], shown["messageStatus"], shown["refToMessageId"]) == ("2026-11-24T12:00:00.123Z", "RECEIVED", "m-0")


def test_a_party_without_role_is_shown_without(message):
    """
    What the sender left to the CPA is not invented.
    """
    shown = properties_of(replace(message, envelope=replace(message.envelope, to_party=None, to_role=None, ref_to_message_id=None)))

    assert shown["toParty"] == {"partyId": ""}
    assert "refToMessageId" not in shown


def test_a_message_is_read_as_it_was_written(message):
    """
    What the adapter shows is what the application reads.
    """
    assert read_message(write_message(message)) == message.envelope


def changed(message: StoredMessage, **properties: object) -> bytes:
    shown = json.loads(write_message(message))
    shown["properties"] |= properties
    return json.dumps(shown).encode()


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'"x"', b'{"properties": 1}', b'{"properties": {"cpaId": "c"}}'])
def test_an_answer_of_another_shape_is_refused(body):
    """
    An adapter that answers something else is said so, without a crash.
    """
    with pytest.raises(RequestRefused, match="something that is not a Message"):
        read_message(body)


@pytest.mark.parametrize(
    ("properties", "match"),
    [
        ({"fromParty": "p"}, "not a Message"),
        ({"toParty": None}, "not a Message"),
        ({"messageId": 1}, "no texts"),
        ({"messageId": None}, "no texts"),
        ({"cpaId": None}, "no texts"),
        ({"toParty": {"partyId": "p", "role": 1}}, "no texts"),
    ],
)
def test_an_answer_with_other_properties_is_refused(message, properties, match):
    """
    A property of another kind does not travel on as if it were a text.
    """
    with pytest.raises(RequestRefused, match=match):
        read_message(changed(message, **properties))


def test_an_answer_without_payload_has_no_parts(message):
    """
    Absent and null data sources are the same.
    """
    shown = json.loads(write_message(message)) | {"dataSources": None}

    assert read_message(json.dumps(shown).encode()).parts == ()


def test_json_is_compact_utf_8():
    """
    Characters beyond ASCII stay themselves, and nothing is padded.
    """
    assert write_json({"a": "é", "b": [1]}) == '{"a":"é","b":[1]}'.encode()
    assert write_ids(iter(["m-1", "m-2"])) == b'["m-1","m-2"]'
    assert json.loads(write_message_request(Envelope("c", "p", "SR", "s", "a", parts=(Part(b"ABC"),))))["dataSources"] == [
        {"contentType": "text/xml", "content": base64.b64encode(b"ABC").decode()}
    ]
