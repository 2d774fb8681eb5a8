"""From the bytes of an HTTP body to a Message: MIME, XML, schema, model, in that order and each with its own refusal.

It judges form only. Whether the values fit the CPA, and whether all parts are there, is for the receiver: that gets an answer in ebMS.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, NoReturn, TypeAlias

from conformance.messages.envelope import Part
from conformance.messages.guard import Limits, Refusal, XmlRefused, etree, local_name, parse, schema, schema_errors
from conformance.rules.findings import quoted
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.mime import MimeMessage, MimePart, MimeRefused, Octets, find_cid, read_mime, read_parameters
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
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, ACTOR_SOAP_NEXT, ACTOR_TO_PARTY, NS_DS, NS_EB, NS_SOAP, NS_XLINK, NS_XML

SCHEMA: Final = "ebms2-header.xsd"
LIMITS: Final = Limits(size=1_000_000, markup=10_000, depth=16, attributes=2_000)

_EB: Final = f"{{{NS_EB}}}"
_SOAP: Final = f"{{{NS_SOAP}}}"
_ENVELOPE, _HEADER, _BODY, _FAULT = (f"{_SOAP}{name}" for name in ("Envelope", "Header", "Body", "Fault"))
_MUST_UNDERSTAND, _ACTOR = f"{_SOAP}mustUnderstand", f"{_SOAP}actor"
_MESSAGE_HEADER, _ACK_REQUESTED, _SYNC_REPLY = f"{_EB}MessageHeader", f"{_EB}AckRequested", f"{_EB}SyncReply"
_MESSAGE_ORDER, _ACKNOWLEDGMENT, _ERROR_LIST = f"{_EB}MessageOrder", f"{_EB}Acknowledgment", f"{_EB}ErrorList"
_MANIFEST, _STATUS_REQUEST, _STATUS_RESPONSE = f"{_EB}Manifest", f"{_EB}StatusRequest", f"{_EB}StatusResponse"
_MESSAGE_ID, _TIMESTAMP, _REF_TO, _TIME_TO_LIVE = (f"{_EB}{name}" for name in ("MessageId", "Timestamp", "RefToMessageId", "TimeToLive"))
_PARTY_ID, _ROLE, _FROM, _DESCRIPTION = f"{_EB}PartyId", f"{_EB}Role", f"{_EB}From", f"{_EB}Description"
_REFERENCE, _ERROR, _DUPLICATE_ELIMINATION, _CPA_ID = f"{_EB}Reference", f"{_EB}Error", f"{_EB}DuplicateElimination", f"{_EB}CPAId"
_VERSION, _TYPE = f"{_EB}version", f"{_EB}type"
_HREF, _LANG = f"{{{NS_XLINK}}}href", f"{{{NS_XML}}}lang"
_SIGNATURE: Final = f"{{{NS_DS}}}Signature"
_HEADER_BLOCKS: Final = frozenset(
    {_MESSAGE_HEADER, _ACK_REQUESTED, _SYNC_REPLY, _MESSAGE_ORDER, _ACKNOWLEDGMENT, _ERROR_LIST, _SIGNATURE},
)
_BODY_BLOCKS: Final = frozenset({_MANIFEST, _STATUS_REQUEST, _STATUS_RESPONSE})
_OUR_ACTORS: Final = frozenset({None, "", ACTOR_SOAP_NEXT, ACTOR_NEXT_MSH, ACTOR_TO_PARTY})
_MEDIA: Final = frozenset({"text/xml", "application/xml"})
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_ENCODINGS: Final = frozenset({"UTF-8", "UTF8", "US-ASCII", "ASCII"})
_CID: Final = re.compile("cid:", re.IGNORECASE)


class EnvelopeFault(StrEnum):
    """Why a body is not read as an ebMS message."""

    NOT_SOAP = "not-soap"
    CHARSET = "charset"
    NOT_WELL_FORMED = "not-well-formed"
    HOSTILE = "hostile"
    VERSION_MISMATCH = "version-mismatch"
    SOAP_FAULT = "soap-fault"
    MUST_UNDERSTAND = "must-understand"
    SCHEMA = "schema"


_FAULT_CODES: Final = {EnvelopeFault.VERSION_MISMATCH: "VersionMismatch", EnvelopeFault.MUST_UNDERSTAND: "MustUnderstand"}
_REASONS: Final = {Refusal.NOT_WELL_FORMED: EnvelopeFault.NOT_WELL_FORMED, Refusal.ENCODING: EnvelopeFault.CHARSET}


class EnvelopeRefused(ValueError):  # noqa: N818  # the sentence reads "envelope refused"
    """A body that holds no ebMS message; ``message_id`` and ``cpa_id`` are there when they could be read all the same."""

    def __init__(self, reason: EnvelopeFault, text: str, message_id: str | None = None, cpa_id: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.message_id = message_id
        self.cpa_id = cpa_id

    @property
    def fault_code(self) -> str:
        """Return the faultcode of the SOAP Fault that answers it."""
        return _FAULT_CODES.get(self.reason, "Client")


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came: ``soap`` as bytes, the parts that no Reference names, hrefs without a part, and hrefs that are no ``cid:``."""

    message: Message
    soap: bytes = field(repr=False)
    mime: MimeMessage = field(repr=False)
    unreferenced: tuple[MimePart, ...] = ()
    missing: tuple[str, ...] = ()
    bad_hrefs: tuple[str, ...] = ()


def read_message(content_type: str, body: Octets) -> Received:
    """Return the message in an HTTP body. Raises :class:`MimeRefused` and :class:`EnvelopeRefused`; a reference without a part is no reason."""
    mime = read_mime(content_type, body)
    root = mime.root
    _check_type(root.content_type)
    header, contents = _blocks(_envelope(root.content))
    references = tuple(_attribute(item, _HREF).strip() for item in contents[_MANIFEST] if item.tag == _REFERENCE) if _MANIFEST in contents else None
    attachments = tuple(part for part in mime.parts if part is not root)
    found, missing, bad_hrefs = _resolve(references or (), attachments)
    return Received(
        message=_message(header, contents, references, found),
        soap=root.content,
        mime=mime,
        unreferenced=tuple(part for part in attachments if part.content_id not in found),
        missing=missing,
        bad_hrefs=bad_hrefs,
    )


# -- from bytes to blocks ------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)  # a sender's text/xml is always the same; what is refused is not kept
def _check_type(content_type: str) -> None:
    try:
        media, parameters = read_parameters(content_type)
    except MimeRefused as error:
        raise EnvelopeRefused(EnvelopeFault.NOT_SOAP, str(error)) from None
    if media not in _MEDIA:
        raise EnvelopeRefused(EnvelopeFault.NOT_SOAP, f"the SOAP part is {quoted(media)}, expected text/xml")
    charset = parameters.get("charset", "utf-8")
    if charset.lower() not in _CHARSETS:
        raise EnvelopeRefused(EnvelopeFault.CHARSET, f"the SOAP part has the charset {quoted(charset)}, expected UTF-8")


def _envelope(soap: bytes) -> etree._Element:
    try:
        root = parse(soap, LIMITS)
    except XmlRefused as error:
        raise EnvelopeRefused(_REASONS.get(error.reason, EnvelopeFault.HOSTILE), f"the SOAP part is refused: {error}") from None
    encoding = root.getroottree().docinfo.encoding or "UTF-8"
    if encoding.upper() not in _ENCODINGS or b"\0" in soap[:4]:  # UTF-16 need not be declared, but begins with a null byte in its first "<"
        raise EnvelopeRefused(EnvelopeFault.CHARSET, f"the SOAP part is encoded as {encoding}, or as UTF-16, expected UTF-8")
    if root.tag == _ENVELOPE:
        return root
    if local_name(root) == "Envelope":
        raise EnvelopeRefused(EnvelopeFault.VERSION_MISMATCH, "the Envelope is not of SOAP 1.1")
    raise EnvelopeRefused(EnvelopeFault.NOT_SOAP, f"the document is {quoted(local_name(root))}, expected a SOAP Envelope")


_Blocks: TypeAlias = "Mapping[str, etree._Element]"  # noqa: SLF001  # the class has no other name


def _blocks(root: etree._Element) -> tuple[_Blocks, _Blocks]:
    """Return the ebMS blocks of Header and Body by name: each once, known, and valid."""
    children = list(root)
    tags = [child.tag for child in children]
    body = children[tags.index(_BODY)] if _BODY in tags else ()
    for child in body:
        if child.tag == _FAULT:
            raise EnvelopeRefused(EnvelopeFault.SOAP_FAULT, f"the Body holds a SOAP Fault: {quoted(_fault_text(child))}")
    if tags[:2] != [_HEADER, _BODY] or _HEADER in tags[2:] or _BODY in tags[2:]:
        _refuse(root, EnvelopeFault.SCHEMA, "the Envelope has something else than one Header and then one Body")
    header = _known(root, children[0], _HEADER_BLOCKS)
    if _MESSAGE_HEADER not in header:
        _refuse(root, EnvelopeFault.SCHEMA, "the Header has no eb:MessageHeader")
    contents = _known(root, children[1], _BODY_BLOCKS)
    # One pass over the envelope is fast; only the blocks count, so a complaint about something else in it is none.
    if not schema(SCHEMA).validate(root):
        _check_each(root, (*header.values(), *contents.values()))
    return header, contents


def _known(root: etree._Element, container: etree._Element, names: frozenset[str]) -> _Blocks:
    found: dict[str, etree._Element] = {}
    for block in container:
        name = str(block.tag)
        if name not in names:
            _check_unknown(root, block, is_header=names is _HEADER_BLOCKS)
        elif name in found:
            _refuse(root, EnvelopeFault.SCHEMA, f"the {local_name(container)} has more than one {local_name(block)}")
        else:
            found[name] = block
    return found


def _check_unknown(root: etree._Element, block: etree._Element, *, is_header: bool) -> None:
    must = block.get(_MUST_UNDERSTAND, "0").strip() if is_header else "0"
    if must == "1" and block.get(_ACTOR) in _OUR_ACTORS:
        _refuse(root, EnvelopeFault.MUST_UNDERSTAND, f"the header block {quoted(local_name(block))} must be understood, and is not known here")
    if must not in {"0", "1"}:
        _refuse(root, EnvelopeFault.SCHEMA, f"soap:mustUnderstand of {quoted(local_name(block))} is {quoted(must)}, expected 0 or 1")
    if str(block.tag).startswith(_EB):
        _refuse(root, EnvelopeFault.SCHEMA, f"eb:{quoted(local_name(block))} does not belong there")


def _check_each(root: etree._Element, blocks: tuple[etree._Element, ...]) -> None:
    for block in blocks:
        if block.tag == _SIGNATURE:
            continue
        for error in schema_errors(block, SCHEMA, most=1):
            _refuse(root, EnvelopeFault.SCHEMA, f"{error.path}: {error.text}")


def _fault_text(fault: etree._Element) -> str:
    texts = {local_name(child): (child.text or "").strip() for child in fault}
    return f"{texts.get('faultcode', '')}: {texts.get('faultstring', '')}"


def _refuse(root: etree._Element, reason: EnvelopeFault, text: str) -> NoReturn:
    raise EnvelopeRefused(reason, text, _first_text(root, _MESSAGE_ID), _first_text(root, _CPA_ID))


def _first_text(root: etree._Element, tag: str) -> str | None:
    return next((element.text for element in root.iter(tag)), None)


# -- from blocks to the model --------------------------------------------------------------------------------------------------------------------


def _resolve(references: tuple[str, ...], parts: tuple[MimePart, ...]) -> tuple[dict[str, Part], tuple[str, ...], tuple[str, ...]]:
    """Return the parts that are named, by Content-ID and each once, the hrefs without a part, and those that are no ``cid:``."""
    by_id = {part.content_id: part for part in parts if part.content_id}
    found: dict[str, Part] = {}
    missing: list[str] = []
    bad: list[str] = []
    for href in references:
        if _CID.match(href) is None:
            bad.append(href)
        elif (part := find_cid(href, by_id)) is None:
            missing.append(href)
        elif part.content_id not in found:  # a part that is named a thousand times is still one payload
            found[part.content_id] = Part(part.content, part.content_type, part.name, part.content_id)
    return found, tuple(missing), tuple(bad)


def _message(header: _Blocks, body: _Blocks, references: tuple[str, ...] | None, payloads: Mapping[str, Part]) -> Message:
    head = header[_MESSAGE_HEADER]
    sender, receiver, cpa_id, conversation_id, service, action, data, *rest = head
    texts = {child.tag: child.text or "" for child in data}
    return Message(
        sender=_side(sender),
        receiver=_side(receiver),
        cpa_id=cpa_id.text or "",
        conversation_id=conversation_id.text or "",
        service=_typed(service),
        action=action.text or "",
        message_id=texts[_MESSAGE_ID],
        timestamp=texts[_TIMESTAMP].strip(),
        ref_to_message_id=texts.get(_REF_TO),
        time_to_live=texts[_TIME_TO_LIVE].strip() if _TIME_TO_LIVE in texts else None,
        duplicate_elimination=any(child.tag == _DUPLICATE_ELIMINATION for child in rest),
        version=_attribute(head, _VERSION),
        ack_requested=_ack_requested(header[_ACK_REQUESTED]) if _ACK_REQUESTED in header else None,
        sync_reply=_sync_reply(header[_SYNC_REPLY]) if _SYNC_REPLY in header else None,
        has_message_order=_MESSAGE_ORDER in header,
        has_signature=_SIGNATURE in header,
        acknowledgment=_acknowledgment(header[_ACKNOWLEDGMENT]) if _ACKNOWLEDGMENT in header else None,
        error_list=_error_list(header[_ERROR_LIST]) if _ERROR_LIST in header else None,
        references=references,
        manifest_version=_attribute(body[_MANIFEST], _VERSION) if _MANIFEST in body else "2.0",
        status_request=_status_request(body[_STATUS_REQUEST]) if _STATUS_REQUEST in body else None,
        status_response=_status_response(body[_STATUS_RESPONSE]) if _STATUS_RESPONSE in body else None,
        payloads=tuple(payloads.values()),
    )


def _attribute(element: etree._Element, name: str) -> str:
    """Return an attribute that the schema requires."""
    return element.get(name, "")


def _typed(element: etree._Element) -> PartyId:
    return PartyId(element.get(_TYPE, ""), element.text or "")


def _side(element: etree._Element) -> Side:
    *ids, last = element
    if last.tag == _ROLE:
        return Side(tuple(_typed(child) for child in ids), last.text)
    return Side(tuple(_typed(child) for child in element))


def _ack_requested(block: etree._Element) -> AckRequested:
    return AckRequested(_attribute(block, f"{_EB}signed").strip(), block.get(_ACTOR), _attribute(block, _VERSION))


def _sync_reply(block: etree._Element) -> SyncReply:
    return SyncReply(_attribute(block, _ACTOR), _attribute(block, _VERSION))


def _acknowledgment(block: etree._Element) -> Acknowledgment:
    timestamp, ref_to, *rest = block
    sender = tuple(_typed(child) for party in rest if party.tag == _FROM for child in party if child.tag == _PARTY_ID)
    return Acknowledgment((timestamp.text or "").strip(), ref_to.text or "", block.get(_ACTOR), sender, _attribute(block, _VERSION))


def _error_list(block: etree._Element) -> ErrorList:
    return ErrorList(tuple(_errors(block)), _attribute(block, f"{_EB}highestSeverity").strip(), _attribute(block, _VERSION))


def _errors(block: etree._Element) -> Iterator[EbmsError]:
    for error in block.iterchildren(_ERROR):
        code, severity, location = _attribute(error, f"{_EB}errorCode"), _attribute(error, f"{_EB}severity").strip(), error.get(f"{_EB}location", "")
        description = next(error.iterchildren(_DESCRIPTION), None)
        if description is None:
            yield EbmsError(code, location, severity=severity)
        else:
            yield EbmsError(code, location, description.text or "", severity, _attribute(description, _LANG).strip())


def _status_request(block: etree._Element) -> StatusRequest:
    return StatusRequest(block[0].text or "", _attribute(block, _VERSION))


def _status_response(block: etree._Element) -> StatusResponse:
    timestamp = next((child.text or "" for child in block if child.tag == _TIMESTAMP), None)
    status = _attribute(block, f"{_EB}messageStatus").strip()
    return StatusResponse(status, block[0].text or "", None if timestamp is None else timestamp.strip(), _attribute(block, _VERSION))
