"""The JSON of the ebms-core REST API (v19): requests from an application, and what it reads back.

Null values are left out, bytes are base64, times end in Z. Errors of this module become the bare texts that ebms-core answers.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from conformance.messages.envelope import Envelope, Part
from conformance.messages.moments import write_moment

REST_PATH: Final = "/service/rest/v19"
PROPERTIES: Final = {
    "cpaId": "cpa_id",
    "fromPartyId": "from_party",
    "fromRole": "from_role",
    "toPartyId": "to_party",
    "toRole": "to_role",
    "service": "service",
    "action": "action",
    "conversationId": "conversation_id",
    "messageId": "message_id",
    "refToMessageId": "ref_to_message_id",
}
_REQUIRED: Final = ("cpaId", "fromPartyId", "fromRole", "service", "action")
_SOURCE_KEYS: Final = frozenset({"name", "contentId", "contentType", "content"})
_LONGEST_ID: Final = 1_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class RequestRefused(ValueError):  # noqa: N818  # the sentence reads "request refused"
    """A JSON body that is no MessageRequest; the text is what the adapter answers with status 500."""


def read_json(body: bytes) -> Any:
    """Return the JSON value of ``body``; raises :class:`RequestRefused`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RequestRefused("the body is not JSON") from None


def read_message_request(body: bytes) -> Envelope:
    """Return the envelope of a MessageRequest; raises :class:`RequestRefused` with the first thing that is wrong."""
    request = read_json(body)
    if not isinstance(request, dict) or not isinstance(request.get("properties"), dict):
        raise RequestRefused("a MessageRequest is an object with properties and dataSources")
    unknown = sorted(set(request) - {"properties", "dataSources"})
    if unknown:
        raise RequestRefused(f"Unrecognized field {unknown[0][:80]!r} in MessageRequest")
    sources = request.get("dataSources") or []
    if not isinstance(sources, list):
        raise RequestRefused("dataSources is an array")
    envelope = read_properties(request["properties"])
    return replace(envelope, parts=tuple(_read_source(source) for source in sources))


def read_properties(properties: Any) -> Envelope:
    """Return the envelope of MessageRequestProperties, without parts; raises :class:`RequestRefused`."""
    if not isinstance(properties, dict):
        raise RequestRefused("MessageRequestProperties is an object")
    unknown = sorted(set(properties) - set(PROPERTIES))
    if unknown:
        raise RequestRefused(f"Unrecognized field {unknown[0][:80]!r} in MessageRequestProperties")
    for key, value in properties.items():
        if value is not None and not _is_text(value, _LONGEST_ID):
            raise RequestRefused(f"properties.{key} is a text of at most {_LONGEST_ID} characters")
    for key in _REQUIRED:
        if not properties.get(key):
            raise RequestRefused(f"properties.{key} is missing")
    return Envelope(**{PROPERTIES[key]: value for key, value in properties.items() if value is not None})


def _is_text(value: Any, longest: int) -> bool:
    """Tell whether a JSON value is a text that can be written again: half of a surrogate pair cannot."""
    return isinstance(value, str) and len(value) <= longest and not _SURROGATE.search(value)


def _read_source(source: Any) -> Part:
    if not isinstance(source, dict) or set(source) - _SOURCE_KEYS:
        raise RequestRefused("a dataSource has name, contentId, contentType and content, and nothing else")
    for key in sorted(_SOURCE_KEYS - {"content"}):
        if source.get(key) is not None and not _is_text(source[key], _LONGEST_ID):
            raise RequestRefused(f"dataSource.{key} is a text of at most {_LONGEST_ID} characters")
    if not isinstance(source.get("content", ""), str | None):
        raise RequestRefused("dataSource.content is a text")
    if not source.get("contentType") or source.get("content") is None:
        raise RequestRefused("a dataSource has a contentType and content")
    try:
        content = base64.b64decode(source["content"], validate=True)
    except (binascii.Error, ValueError):
        raise RequestRefused("dataSource.content is not base64") from None
    return Part(content, source["contentType"], source.get("name"), source.get("contentId"))


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the adapter shows it: the envelope, the moment of storing and its status."""

    envelope: Envelope
    stored: datetime
    status: str


def properties_of(message: StoredMessage) -> dict[str, Any]:
    """Return the MessageProperties of a stored message, as JSON value."""
    envelope = message.envelope
    shown = {
        "cpaId": envelope.cpa_id,
        "fromParty": _party(envelope.from_party, envelope.from_role),
        "toParty": _party(envelope.to_party or "", envelope.to_role),
        "service": envelope.service,
        "action": envelope.action,
        "timestamp": write_moment(message.stored),
        "conversationId": envelope.conversation_id,
        "messageId": envelope.message_id,
        "refToMessageId": envelope.ref_to_message_id,
        "messageStatus": message.status,
    }
    return _without_nulls(shown)


def _party(party_id: str, role: str | None) -> dict[str, Any]:
    return _without_nulls({"partyId": party_id, "role": role})


def write_message(message: StoredMessage) -> bytes:
    """Return the JSON of a Message with its payload."""
    return write_json({"properties": properties_of(message), "dataSources": _write_sources(message.envelope)})


def _write_sources(envelope: Envelope) -> list[dict[str, Any]]:
    return [_write_source(part) for part in envelope.parts]


def _write_source(part: Part) -> dict[str, Any]:
    content = base64.b64encode(part.content).decode("ascii")
    return _without_nulls({"name": part.name, "contentId": part.content_id, "contentType": part.content_type, "content": content})


def write_json(value: Any) -> bytes:
    """Return ``value`` as compact JSON, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def write_message_request(envelope: Envelope) -> bytes:
    """Return the JSON of a MessageRequest, as an application sends it."""
    return write_json({"properties": dict(envelope.named()), "dataSources": _write_sources(envelope)})


def read_message(body: bytes) -> Envelope:
    """Return the envelope of a Message that the adapter answered; raises :class:`RequestRefused` when it has another shape."""
    message = read_json(body)
    try:
        envelope = _envelope_of(message)
    except (KeyError, TypeError, AttributeError):
        raise RequestRefused("the adapter answered something that is not a Message") from None
    required = (envelope.cpa_id, envelope.from_party, envelope.service, envelope.action, envelope.conversation_id, envelope.message_id)
    if not all(isinstance(value, str) for value in (*required, *envelope.named().values())):
        raise RequestRefused("the adapter answered a Message with properties that are no texts")
    return envelope


def _envelope_of(message: Any) -> Envelope:
    shown = message["properties"]
    return Envelope(
        cpa_id=shown["cpaId"],
        from_party=shown["fromParty"]["partyId"],
        from_role=shown["fromParty"].get("role", ""),
        to_party=shown["toParty"]["partyId"],
        to_role=shown["toParty"].get("role"),
        service=shown["service"],
        action=shown["action"],
        conversation_id=shown["conversationId"],
        message_id=shown["messageId"],
        ref_to_message_id=shown.get("refToMessageId"),
        parts=tuple(_read_source(source) for source in message.get("dataSources") or ()),
    )


def write_ids(ids: Iterable[str]) -> bytes:
    """Return a JSON array of message ids."""
    return write_json(list(ids))


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item is not None}
