"""Reading pacts: the published ones, and those of an organisation."""

import json

import pytest

from conformance.cli import exit_code_of
from conformance.contracts import published
from conformance.contracts.published import PactFileError, State, read_pact, read_pacts, result_messages
from conformance.verdicts import ExitCode

MESSAGE = {
    "type": "Asynchronous/Messages",
    "description": "een bericht",
    "contents": {"content": "<a/>", "contentType": "text/xml", "encoded": False},
    "metadata": {"action": "GLOBE-R-BV-Result", "contentType": "application/xml"},
    "providerStates": [{"name": "iets", "params": {"a": 1}}, {"name": "meer"}],
}


def pact(*interactions: object, consumer: str = "afnemer", version: str = "4.0") -> dict[str, object]:
    return {
        "consumer": {"name": consumer},
        "provider": {"name": "berichtenbox"},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": version}},
    }


@pytest.fixture
def write(tmp_path):
    """Write a pact, and return its path."""

    def written(document: object, name: str = "pact.json"):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return written


def test_message_has_payload_metadata_and_states(write):
    """
    A message is read with its bytes, its metadata and its states; the content type is that of the metadata.
    """
    (message,) = read_pact(write(pact(MESSAGE, {"type": "Synchronous/HTTP"}))).messages()

    assert (message.content, message.content_type) == (b"<a/>", "application/xml")
    assert message.metadata == {"action": "GLOBE-R-BV-Result"}
    assert message.states == (State("iets", {"a": 1}), State("meer", {}))
    assert not message.is_refused


@pytest.mark.parametrize(
    ("contents", "content"),
    [({"content": "AQI=", "encoded": "base64"}, b"\x01\x02"), ({"content": {"a": 1}, "encoded": False}, b'{"a": 1}')],
)
def test_content_is_bytes(write, contents, content):
    """
    A payload may be base64, or JSON; without metadata the content type is its own.
    """
    item = {**MESSAGE, "contents": {"contentType": "x/y", **contents}, "metadata": None, "comments": {"handler": "refuses"}}

    (message,) = read_pact(write(pact(item))).messages()

    assert (message.content, message.content_type, message.is_refused) == (content, "x/y", True)


@pytest.mark.parametrize("contents", [None, {}, {"content": "*", "encoded": "base64", "contentType": "x/y"}])
def test_message_without_contents_is_refused(write, contents):
    """
    A message without a payload that can be read is no message.
    """
    found = read_pact(write(pact({**MESSAGE, "contents": contents})))

    with pytest.raises(PactFileError, match="the message 'een bericht' has no contents"):
        list(found.messages())


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "is no pact of specification V4"),
        ("[]", "is no pact of specification V4"),
        (pact({"description": "without a type"}), "is no pact of specification V4"),
        (pact(MESSAGE, version="3.0.0"), "is of specification 3.0.0, expected V4"),
        (pact(), "has no interactions"),
    ],
)
def test_file_that_is_no_pact_is_explained(write, document, text):
    """
    A file that cannot be used says why, and is a mistake of the user.
    """
    with pytest.raises(PactFileError, match=text) as caught:
        read_pact(write(document))

    assert exit_code_of(caught.value) is ExitCode.USAGE


def test_directory_without_pacts_proves_nothing(tmp_path):
    """
    A directory that is not there, that is empty, or of which a file cannot be read is an error.
    """
    with pytest.raises(PactFileError, match="there is no such directory"):
        read_pacts(tmp_path / "weg")
    with pytest.raises(PactFileError, match="holds no pact"):
        read_pacts(tmp_path)
    (tmp_path / "map.json").mkdir()
    with pytest.raises(PactFileError, match="cannot be read"):
        read_pacts(tmp_path)


def test_messages_to_others_are_left_out(write, tmp_path):
    """
    Only what an Afnemer gets is offered to its handler.
    """
    write(pact(MESSAGE, consumer="berichtenbox"))

    with pytest.raises(PactFileError, match="no pact holds a message to an Afnemer"):
        result_messages(tmp_path)


def test_published_messages_are_found():
    """
    The published messages are verwerkingsberichten and answers, of which some cannot be read.
    """
    messages = result_messages()

    assert {message.metadata["action"] for message in messages} == {"GLOBE-R-BV-Result", "GLOBE-R-A-Result"}
    assert {message.content_type for message in messages} == {"text/xml", "application/gzip"}
    assert {message.description for message in messages if message.is_refused} == {
        "abonnementen: cannot be read",
        "verwerkingsbericht: cannot be read",
    }


def test_installed_pacts_come_first(monkeypatch, tmp_path):
    """
    An installed kit has its pacts inside the package.
    """
    monkeypatch.setattr(published, "_INSTALLED", tmp_path)

    assert published.directory() == tmp_path
