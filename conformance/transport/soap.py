"""SOAP 1.1 as Digikoppeling WUS uses it: a request's bytes in, an envelope's bytes out, with WS-Addressing for whoever uses it.

Not signed, not encrypted, no attachments: the services of the Berichtenbox have none. Who asks what, and may he, is decided elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum
from typing import Final, cast

from conformance.messages.guard import Limits, Refusal, XmlRefused, etree, local_name, parse
from conformance.rules.findings import quoted

Element = etree._Element  # noqa: SLF001  # lxml has no public name for it

NS_SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
NS_WSA: Final = "http://www.w3.org/2005/08/addressing"
CONTENT_TYPE: Final = "text/xml; charset=utf-8"
ANONYMOUS: Final = f"{NS_WSA}/anonymous"
NONE: Final = f"{NS_WSA}/none"
FAULT_ACTION: Final = f"{NS_WSA}/fault"
SOAP_FAULT_ACTION: Final = f"{NS_WSA}/soap/fault"
LIMITS: Final = Limits(size=2_000_000)  # a request of 250 klanten has 30 kB
_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"
_S: Final = f"{{{NS_SOAP}}}"
_W: Final = f"{{{NS_WSA}}}"
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})  # ASCII is UTF-8 already
_WSA_HEADERS: Final = frozenset({"To", "Action", "MessageID", "RelatesTo", "ReplyTo", "From", "FaultTo"})
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S{1,1000}")


class FaultCode(StrEnum):
    """The four fault codes of SOAP 1.1."""

    VERSION_MISMATCH = "VersionMismatch"
    MUST_UNDERSTAND = "MustUnderstand"
    CLIENT = "Client"
    SERVER = "Server"


class Technical(StrEnum):
    """The codes that the Digikoppeling Best Practices WUS advise for technical faults; they open the faultstring."""

    ENVELOPE = "0001"
    SOAP_ACTION = "0003"
    SCHEMA = "0004"
    TO = "0005"
    ACTION = "0006"
    MESSAGE_ID = "0007"
    ENCODING = "0009"
    HEADERS = "0010"
    VALUE = "0011"


_ABOUT_ADDRESSING: Final = frozenset({Technical.TO, Technical.ACTION, Technical.MESSAGE_ID, Technical.VALUE})


class MediaTypeRefused(ValueError):  # noqa: N818  # the sentence reads "media type refused"
    """A request that is not text/xml: answered with HTTP 415, for it is no SOAP 1.1."""


@dataclass(frozen=True, slots=True)
class Addressing:
    """The WS-Addressing headers of one message; empty where it has none. ``relates_to`` is the MessageID that it answers."""

    action: str = ""
    message_id: str = ""
    relates_to: str = ""
    to: str = ANONYMOUS

    def reply(self, action: str, message_id: str) -> "Addressing":
        """Return the headers of the answer to this message."""
        return Addressing(action, message_id, relates_to=self.message_id)


class SoapFault(ValueError):  # noqa: N818  # SOAP calls it a fault
    """A request that is answered with a Fault: ``code`` and the text; ``detail`` only when the content of the Body is to blame.

    ``details`` are the entries of the detail; ``addressing`` is what the request had of WS-Addressing, as far as it was read.
    """

    def __init__(
        self,
        code: FaultCode,
        text: str,
        *,
        is_about_body: bool = False,
        details: Sequence[Element] = (),
        action: str = SOAP_FAULT_ACTION,
        addressing: Addressing | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.is_about_body = is_about_body or bool(details)
        self.details = tuple(details)
        self.action = action
        self.addressing = addressing


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """A request that obeys the profile: the one child of its Body as a document of its own, and its addressing when it has that."""

    content: Element = field(repr=False)
    addressing: Addressing | None = None


# -- reading -----------------------------------------------------------------------------------------------------------------------------------


def read_request(content_type: str, soap_action: str | None, data: bytes, action: str) -> SoapRequest:
    """Return the request for the operation ``action``; ``soap_action`` is the HTTP header as it came, ``None`` without one.

    Raises :class:`MediaTypeRefused`, and :class:`SoapFault` for whatever breaks SOAP 1.1 or Digikoppeling WUS. No text quotes the Body.
    """
    _check_media_type(content_type)
    envelope = _parse(content_type, data)
    header, body = _parts(envelope)
    blocks = [block for block in ([] if header is None else header) if block.get(f"{_S}actor", "") in {"", _NEXT}]
    addressing = _addressing(blocks)
    try:
        _check_understood(blocks)
        if addressing is not None:
            _check_addressing(blocks, action)
        _check_soap_action(soap_action, action)
        content = _only_child(body)
    except SoapFault as fault:
        fault.addressing = addressing
        raise
    return SoapRequest(content, addressing)


def _check_media_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "text/xml":
        raise MediaTypeRefused(f"Content-Type {quoted(content_type)}: SOAP 1.1 travels as {CONTENT_TYPE}")


def _charset(content_type: str) -> str:
    """Return the charset that the header names, in lower case; empty for none: then the document says it."""
    header = Message()
    header["Content-Type"] = content_type
    return header.get_content_charset("")


def _parse(content_type: str, data: bytes) -> Element:
    """Return the envelope, which is UTF-8 by its media type and by itself (WS006): two that disagree would corrupt a text."""
    charset = _charset(content_type)
    if charset and charset not in _UTF_8:
        raise _client(Technical.ENCODING, f"the Content-Type says charset {quoted(charset)}: only UTF-8 is read")
    if b"\0" in data:  # UTF-16, which needs no declaration to be recognised; UTF-8 text of XML never has it
        raise _client(Technical.ENCODING, "the document has null bytes: only UTF-8 is read")
    try:
        root = parse(data, LIMITS)
    except XmlRefused as refused:
        raise _client(Technical.ENCODING if refused.reason is Refusal.ENCODING else Technical.ENVELOPE, str(refused)) from None
    declared = root.getroottree().docinfo.encoding or "utf-8"
    if declared.lower() not in _UTF_8:
        raise _client(Technical.ENCODING, f"the document is in {quoted(declared)}: only UTF-8 is read")
    return root


def _client(code: Technical, text: str) -> SoapFault:
    return SoapFault(FaultCode.CLIENT, f"{code} {text}", action=FAULT_ACTION if code in _ABOUT_ADDRESSING else SOAP_FAULT_ACTION)


def _parts(root: Element) -> tuple[Element | None, Element]:
    """Return the Header, if there is one, and the Body."""
    if local_name(root) != "Envelope":
        raise _client(Technical.ENVELOPE, "the root of the document is no SOAP Envelope")
    if root.tag != f"{_S}Envelope":
        raise SoapFault(FaultCode.VERSION_MISMATCH, f"{Technical.ENVELOPE} the Envelope is not one of SOAP 1.1: expected namespace {NS_SOAP}")
    match [child.tag for child in root]:
        case [body] if body == f"{_S}Body":
            return None, root[0]
        case [header, body] if (header, body) == (f"{_S}Header", f"{_S}Body"):
            return root[0], root[1]
    raise _client(Technical.ENVELOPE, "the Envelope holds at most one Header, then one Body, and nothing else")


def _must_understand(block: Element) -> bool:
    return block.get(f"{_S}mustUnderstand", "").strip() in {"1", "true"}


def _is_known(block: Element) -> bool:
    return etree.QName(block).namespace == NS_WSA and local_name(block) in _WSA_HEADERS


def _check_understood(blocks: Sequence[Element]) -> None:
    unknown = [quoted(str(block.tag)) for block in blocks if _must_understand(block) and not _is_known(block)]
    if unknown:
        raise SoapFault(FaultCode.MUST_UNDERSTAND, f"{Technical.HEADERS} this header must be understood, and is not: {unknown[0]}")


def _named(blocks: Sequence[Element], name: str) -> Iterator[str]:
    return ((block.text or "").strip() for block in blocks if block.tag == _W + name)


def _addressing(blocks: Sequence[Element]) -> Addressing | None:
    """Return what there is of WS-Addressing, however wrong; ``None`` when there is nothing."""
    if not any(_is_known(block) for block in blocks):
        return None
    action, message_id, to = (next(_named(blocks, name), "") for name in ("Action", "MessageID", "To"))
    return Addressing(action, message_id if _IRI.fullmatch(message_id) else "", to=to)


def _check_addressing(blocks: Sequence[Element], action: str) -> None:
    """Whoever sends some of these headers sends all that Digikoppeling asks for (section 2.3 of the Koppelvlakstandaard WUS)."""
    for name, code in (("To", Technical.TO), ("Action", Technical.ACTION), ("MessageID", Technical.MESSAGE_ID)):
        values = list(_named(blocks, name))
        if len(values) != 1:
            raise _client(code, f"wsa:{name} stands in the header {len(values)} times: expected once")
        if not _IRI.fullmatch(values[0]):
            raise _client(code, f"wsa:{name} is {quoted(values[0])}: expected an absolute URI of at most 1000 characters")
    if next(_named(blocks, "Action")) != action:
        raise _client(Technical.ACTION, f"wsa:Action is another one than of this operation: expected {action}")
    for block in blocks:
        if block.tag in {f"{_W}ReplyTo", f"{_W}FaultTo", f"{_W}From"}:
            _check_endpoint(block)


def _check_endpoint(block: Element) -> None:
    """Refuse an answer to another address than this connection: it is never called."""
    name = local_name(block)
    if [child.tag for child in block] != [f"{_W}Address"]:
        raise _client(Technical.VALUE, f"wsa:{name} holds one wsa:Address and nothing else")
    address = (block[0].text or "").strip()
    if name != "From" and address not in {ANONYMOUS, NONE}:
        raise _client(Technical.VALUE, f"wsa:{name} is {quoted(address)}: expected {ANONYMOUS}")


def _check_soap_action(soap_action: str | None, action: str) -> None:
    if soap_action is None or soap_action.strip() not in {'""', f'"{action}"'}:
        seen = "absent" if soap_action is None else quoted(soap_action)
        raise _client(Technical.SOAP_ACTION, f'SOAPAction is {seen}: expected "" or "{action}", with its quotes')


def _only_child(body: Element) -> Element:
    """Return the one child of the Body (WW003) as a document of its own, with the namespaces in scope: an xsi:type may need them."""
    if len(body) != 1:
        raise _client(Technical.ENVELOPE, f"the Body holds {len(body)} elements: expected one")
    child = body[0]
    content = etree.Element(child.tag, cast("dict[str, str]", dict(child.attrib)), nsmap=cast("dict[str, str]", child.nsmap))
    content.text, content.sourceline = child.text, child.sourceline
    content.extend(list(child))
    return content


# -- writing -----------------------------------------------------------------------------------------------------------------------------------


def write_envelope(content: Element, addressing: Addressing | None = None) -> bytes:
    """Return the envelope around ``content``, in UTF-8, with the headers of ``addressing``; without it, there is no Header at all."""
    envelope = etree.Element(f"{_S}Envelope", nsmap={"soap": NS_SOAP} | ({"wsa": NS_WSA} if addressing else {}))
    if addressing is not None:
        header = etree.SubElement(envelope, f"{_S}Header")
        texts = {"To": addressing.to, "Action": addressing.action, "MessageID": addressing.message_id, "RelatesTo": addressing.relates_to}
        for name, text in texts.items():
            if text:
                etree.SubElement(header, _W + name).text = text
    etree.SubElement(envelope, f"{_S}Body").append(content)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def write_fault(fault: SoapFault, addressing: Addressing | None = None) -> bytes:
    """Return the envelope with a Fault; its children have no namespace (SOAP 1.1, section 4.4)."""
    element = etree.Element(f"{_S}Fault", nsmap={"soap": NS_SOAP})
    etree.SubElement(element, "faultcode").text = f"soap:{fault.code}"
    etree.SubElement(element, "faultstring").text = str(fault)
    if fault.is_about_body:
        etree.SubElement(element, "detail").extend(fault.details)
    return write_envelope(element, addressing)
