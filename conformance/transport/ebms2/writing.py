"""From a Message to the bytes of an HTTP body, as Digikoppeling prescribes them: CRLF, the SOAP part first, no transfer encoding.

It writes what the Message says, right or wrong, so that a test can send wrong values. What would not be XML or MIME any more is refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from conformance.messages.envelope import Part
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.mime import MimeNotWritten, MimePart, is_content_id, write_mime
from conformance.transport.ebms2.model import Acknowledgment, ErrorList, Message, Side, StatusResponse
from conformance.transport.ebms2.names import ERRORS_CONTEXT, NS_DS, NS_EB, NS_SOAP, NS_XLINK

SOAP_TYPE: Final = "text/xml; charset=UTF-8"
_OPENING: Final = (
    f'<?xml version="1.0" encoding="UTF-8"?>\r\n<soap:Envelope xmlns:soap="{NS_SOAP}" xmlns:eb="{NS_EB}" xmlns:xlink="{NS_XLINK}">\r\n<soap:Header>'
)
_CLOSING: Final = "</soap:Body>\r\n</soap:Envelope>\r\n"
_SPECIAL: Final = re.compile('[&<>"\\x00-\\x1f\\ud800-\\udfff\\ufffe\\uffff]')
_NOT_XML: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
_ESCAPES: Final = {ord(char): f"&#{ord(char)};" for char in '&<>"\t\r\n'}
_SAFE_IN_ID: Final = "!#$&'*+/=?^_`{|}~.@-"
_BOUNDARY_TRIES: Final = 100


class NotWritten(ValueError):  # noqa: N818  # the sentence reads "not written"
    """A Message with a text that XML cannot hold."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The body of a POST or of its answer, with its Content-Type; ``soap`` is the envelope in it."""

    content_type: str
    body: bytes = field(repr=False)
    soap: bytes = field(repr=False)


def attach(message: Message, payloads: Sequence[Part]) -> Message:
    """Return ``message`` with these payloads and a Manifest; a payload without Content-ID gets one made of the MessageId."""
    base = content_id_of(message.message_id)
    named = tuple(part if part.content_id else replace(part, content_id=f"{number}.{base}") for number, part in enumerate(payloads, 1))
    return replace(message, payloads=named, references=tuple(f"cid:{part.content_id}" for part in named) or None)


def content_id_of(message_id: str) -> str:
    """Return the Content-ID of the SOAP part: the MessageId, with percent signs where a header does not take it."""
    return message_id if is_content_id(message_id) else quote(message_id, safe=_SAFE_IN_ID)


def write_message(message: Message, *, is_multipart_signal: bool = False, boundary: str | None = None) -> Outgoing:
    """Return the body: a multipart when there are payloads (or a signal is to be one of one part), else the envelope.

    The same message gives the same bytes, so that a copy is a copy.
    Raises :class:`NotWritten`, and ``MimeNotWritten`` for an unfit header or boundary.
    """
    soap = write_envelope(message)
    if not message.payloads and not is_multipart_signal:
        return Outgoing(SOAP_TYPE, soap, soap)
    root = MimePart(soap, content_id_of(message.message_id), SOAP_TYPE)
    parts = (root, *(MimePart(part.content, part.content_id or "", part.content_type, part.name) for part in message.payloads))
    content_type, body = write_mime(parts, boundary or _free_boundary(message.message_id, parts))
    return Outgoing(content_type, body, soap)


def _free_boundary(text: str, parts: Sequence[MimePart]) -> str:
    """Return a boundary made of ``text`` that stands in no part."""
    for number in range(_BOUNDARY_TRIES):
        boundary = f"=_{sha256(f'{number} {text}'.encode(errors='replace')).hexdigest()[:32]}"
        dashes = f"--{boundary}".encode()
        if not any(dashes in part.content for part in parts):
            return boundary
    raise MimeNotWritten(f"the payload holds the first {_BOUNDARY_TRIES} boundaries of this MessageId: give the message another")


def soap_fault(code: str, text: str) -> bytes:
    """Return a SOAP 1.1 Fault without a Header; ``code`` is Client, Server, MustUnderstand or VersionMismatch."""
    children = f"<faultcode>soap:{_escaped(code)}</faultcode><faultstring>{_escaped(text)}</faultstring>"
    envelope = f'<soap:Envelope xmlns:soap="{NS_SOAP}"><soap:Body><soap:Fault>{children}</soap:Fault></soap:Body></soap:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\r\n{envelope}\r\n'.encode()


# -- the envelope --------------------------------------------------------------------------------------------------------------------------------


def write_envelope(message: Message) -> bytes:
    """Return the SOAP envelope of a message in UTF-8. Raises :class:`NotWritten`."""
    body = "".join(_body_blocks(message))
    return f"{_OPENING}{_message_header(message)}{''.join(_header_blocks(message))}</soap:Header>\r\n<soap:Body>{body}{_CLOSING}".encode()


def _escaped(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    if _NOT_XML.search(text):
        raise NotWritten(f"{text[:40]!r} holds a character that XML has no way to write")
    return text.translate(_ESCAPES)


def _element(name: str, text: str | None) -> str:
    return "" if text is None else f"\r\n<eb:{name}>{_escaped(text)}</eb:{name}>"


def _typed(name: str, value: PartyId) -> str:
    kind = f' eb:type="{_escaped(value.kind)}"' if value.kind else ""
    return f"\r\n<eb:{name}{kind}>{_escaped(value.value)}</eb:{name}>"


def _side(name: str, side: Side) -> str:
    ids = "".join([_typed("PartyId", party_id) for party_id in side.ids])
    return f"\r\n<eb:{name}>{ids}{_element('Role', side.role)}</eb:{name}>"


def _block(name: str, version: str, actor: str | None = None) -> str:
    """Return the opening tag of a header block, without its end."""
    written = "" if actor is None else f' soap:actor="{_escaped(actor)}"'
    return f'\r\n<eb:{name} eb:version="{_escaped(version)}" soap:mustUnderstand="1"{written}'


def _message_header(message: Message) -> str:
    data = (
        _element("MessageId", message.message_id)
        + _element("Timestamp", message.timestamp)
        + _element("RefToMessageId", message.ref_to_message_id)
        + _element("TimeToLive", message.time_to_live)
    )
    return (
        f"{_block('MessageHeader', message.version)}>{_side('From', message.sender)}{_side('To', message.receiver)}"
        f"{_element('CPAId', message.cpa_id)}{_element('ConversationId', message.conversation_id)}"
        f"{_typed('Service', message.service)}{_element('Action', message.action)}\r\n<eb:MessageData>{data}</eb:MessageData>"
        f"{'<eb:DuplicateElimination/>' if message.duplicate_elimination else ''}</eb:MessageHeader>"
    )


def _header_blocks(message: Message) -> Iterator[str]:
    if message.sync_reply is not None:
        yield f"{_block('SyncReply', message.sync_reply.version, message.sync_reply.actor)}/>"
    if message.has_message_order:
        yield f"{_block('MessageOrder', message.version)}><eb:SequenceNumber>0</eb:SequenceNumber></eb:MessageOrder>"
    if message.ack_requested is not None:
        asked = message.ack_requested
        yield f'{_block("AckRequested", asked.version, asked.actor)} eb:signed="{_escaped(asked.signed)}"/>'
    if message.acknowledgment is not None:
        yield _acknowledgment(message.acknowledgment)
    if message.error_list is not None:
        yield _error_list(message.error_list)
    if message.has_signature:  # an empty one: enough for a receiver to see that the profile does not allow it
        yield f'\r\n<ds:Signature xmlns:ds="{NS_DS}"/>'


def _acknowledgment(block: Acknowledgment) -> str:
    sender = _side("From", Side(block.sender)) if block.sender else ""
    opening = _block("Acknowledgment", block.version, block.actor)
    return f"{opening}>{_element('Timestamp', block.timestamp)}{_element('RefToMessageId', block.ref_to_message_id)}{sender}</eb:Acknowledgment>"


def _error_list(block: ErrorList) -> str:
    errors = ""
    for error in block.errors:
        location = f' eb:location="{_escaped(error.location)}"' if error.location else ""
        description = f'<eb:Description xml:lang="{_escaped(error.lang)}">{_escaped(error.description)}</eb:Description>' if error.description else ""
        names = f'eb:codeContext="{ERRORS_CONTEXT}" eb:errorCode="{_escaped(error.code)}" eb:severity="{_escaped(error.severity)}"'
        errors += f"\r\n<eb:Error {names}{location}>{description}</eb:Error>"
    return f'{_block("ErrorList", block.version)} eb:highestSeverity="{_escaped(block.highest_severity)}">{errors}</eb:ErrorList>'


def _body_blocks(message: Message) -> Iterator[str]:
    if message.references is not None:
        references = "".join(f'\r\n<eb:Reference xlink:type="simple" xlink:href="{_escaped(href)}"/>' for href in message.references)
        yield f'\r\n<eb:Manifest eb:version="{_escaped(message.manifest_version)}">{references}</eb:Manifest>'
    if message.status_request is not None:
        asked = message.status_request
        yield f'\r\n<eb:StatusRequest eb:version="{_escaped(asked.version)}">{_element("RefToMessageId", asked.ref_to_message_id)}</eb:StatusRequest>'
    if message.status_response is not None:
        yield _status_response(message.status_response)


def _status_response(block: StatusResponse) -> str:
    names = f'eb:version="{_escaped(block.version)}" eb:messageStatus="{_escaped(block.status)}"'
    content = _element("RefToMessageId", block.ref_to_message_id) + _element("Timestamp", block.timestamp)
    return f"\r\n<eb:StatusResponse {names}>{content}</eb:StatusResponse>"
