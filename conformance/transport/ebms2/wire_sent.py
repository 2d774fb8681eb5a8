"""One HTTP request that a sender made, read as mildly as can be: also what a receiver refused is to be judged, as far as it can be read."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from conformance.messages.guard import XmlRefused, etree, parse
from conformance.rules.findings import quoted
from conformance.transport.ebms2.mime import MimeRefused, read_parameters
from conformance.transport.ebms2.names import MSH_SERVICE, NS_EB, NS_SOAP, Kind
from conformance.transport.ebms2.reading import LIMITS

Headers = tuple[tuple[str, str], ...]

_EB: Final = f"{{{NS_EB}}}"
_SOAP: Final = f"{{{NS_SOAP}}}"
_ENVELOPE: Final = re.compile(rb"(?:<\?xml|<(?:[\w.-]+:)?Envelope\b).*</(?:[\w.-]+:)?Envelope\s*>", re.DOTALL)
_IS_SIGNAL: Final = re.compile(re.escape(MSH_SERVICE.encode()) + rb"\s*<")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_PLAIN: Final = frozenset({"text/xml", "application/xml"})
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SentPart:
    """One MIME part: its headers, and its content by hash (empty when not all of it is known)."""

    headers: Headers
    sha256: str

    def header(self, name: str) -> str | None:
        """Return the value of a header by its lower-case name, ``None`` when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as it came. ``kind`` is empty when the receiver could not read it: ``soap`` is then the beginning of its body of ``size`` bytes.

    ``path`` is ``None`` when what the sender used cannot be seen here; ``seq`` is its place in the record.
    """

    kind: str
    method: str
    path: str | None
    http_version: str
    headers: Headers
    parts: tuple[SentPart, ...]
    soap: bytes = field(repr=False)
    size: int
    wall: datetime
    peer: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with what could be read of it: ``mime_trouble`` and ``xml_trouble`` say why it is not more."""

    request: SentRequest
    media: str
    parameters: Mapping[str, str]
    parts: tuple[SentPart, ...]
    soap: bytes = field(repr=False)
    root: etree._Element | None = field(repr=False)
    mime_trouble: str
    xml_trouble: str

    @property
    def is_user_message(self) -> bool:
        """Whether it is a message for the application, or may be one: no signal, and not nothing."""
        if self.request.kind:
            return self.request.kind == Kind.USER
        if not self.request.size:
            return False
        if self.root is not None:
            return self.text("Service") != MSH_SERVICE
        return _IS_SIGNAL.search(self.soap) is None

    @property
    def soap_type(self) -> str | None:
        """The Content-Type of the SOAP part."""
        if self.parts:
            return self.parts[0].header("content-type")
        return next(iter(self.headers("content-type")), None)

    @property
    def has_parts(self) -> bool:
        """Whether it is a message with a payload, or means to be one."""
        return bool(self.parts) or self.media not in _PLAIN

    def headers(self, name: str) -> list[str]:
        """Return each value of an HTTP header, by its lower-case name."""
        return [value for key, value in self.request.headers if key.lower() == name]

    def blocks(self, container: str) -> list[etree._Element]:
        """Return the blocks in the ``Header`` or the ``Body``."""
        found = None if self.root is None else self.root.find(f"{_SOAP}{container}")
        return [] if found is None else list(found)

    def block(self, name: str, container: str = "Header") -> etree._Element | None:
        """Return the first ebMS block of a name, ``None`` when there is none."""
        return next((one for one in self.blocks(container) if one.tag == f"{_EB}{name}"), None)

    @property
    def head(self) -> etree._Element | None:
        """The MessageHeader."""
        return self.block("MessageHeader")

    def find(self, path: str) -> etree._Element | None:
        """Return the first element of a path such as ``From/Role`` in the MessageHeader."""
        return None if self.head is None else self.head.find(path, {None: NS_EB})  # type: ignore[dict-item]  # lxml takes a default namespace

    def text(self, path: str) -> str | None:
        """Return the text of such an element, ``None`` when there is none."""
        found = self.find(path)
        return None if found is None else found.text or ""

    @property
    def message_id(self) -> str:
        """The MessageId, empty when there is none to read."""
        return self.text("MessageData/MessageId") or ""

    @property
    def payload(self) -> tuple[str, ...]:
        """The hashes of the parts after the first."""
        return tuple(part.sha256 for part in self.parts[1:])


def read_sent(request: SentRequest) -> Sent:
    """Return what can be read of a request; never raises for what another sent."""
    media, parameters, trouble = _content_type(request)
    parts, soap = request.parts, request.soap
    if not request.kind and not parts and media not in _PLAIN:
        parts, soap, more = _split(request, parameters.get("boundary"))
        trouble = trouble or more
    root, xml_trouble = _parsed(soap)
    return Sent(request, media, parameters, parts, soap, root, trouble, xml_trouble)


def _content_type(request: SentRequest) -> tuple[str, Mapping[str, str], str]:
    values = [value for key, value in request.headers if key.lower() == "content-type"]
    if len(values) != 1:
        return "", _NONE, f"{len(values)} Content-Type headers"
    try:
        return *read_parameters(values[0]), ""
    except MimeRefused as refusal:
        return values[0].partition(";")[0].strip().lower(), _NONE, str(refusal)


def _parsed(soap: bytes) -> tuple[etree._Element | None, str]:
    try:
        return parse(soap, LIMITS), ""
    except XmlRefused as refusal:
        return None, str(refusal)


def _split(request: SentRequest, boundary: str | None) -> tuple[tuple[SentPart, ...], bytes, str]:
    """Return the parts of a body that was refused, and the envelope in it, which is looked for when there are no parts."""
    body = request.soap
    found = _ENVELOPE.search(body)
    envelope = body if found is None else found[0]
    if not boundary:
        return (), envelope, "no boundary in the Content-Type"
    line = rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*(?=\r?\n|\Z)"
    _, *pieces = re.split(line, body)
    is_whole = request.size <= len(body)
    if not pieces:
        return (), envelope, f"the boundary {quoted(boundary)}, which is nowhere in the body"
    *closed, last = pieces
    read = [_part(piece) for piece in closed]
    if not is_whole:
        cut, _ = _part(last)
        return (*(part for part, _ in read), SentPart(cut.headers, "")), read[0][1] if read else envelope, ""
    trouble = "" if not last.strip() else "no closing boundary"
    return tuple(part for part, _ in read), read[0][1] if read else envelope, trouble


def _part(piece: bytes) -> tuple[SentPart, bytes]:
    head, *content = _BLANK_LINE.split(piece.removeprefix(b"\r").removeprefix(b"\n"), maxsplit=1)
    lines = (line.decode("latin-1").partition(":") for line in head.splitlines())
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in lines if name.strip())
    body = content[0] if content else b""
    return SentPart(headers, hashlib.sha256(body).hexdigest()), body


def first_sendings(sent: Sequence[Sent]) -> list[Sent]:
    """Return what is no copy of an earlier one: the first under each MessageId, and what has none."""
    known: set[str] = set()
    found = []
    for one in sent:
        if not one.message_id or one.message_id not in known:
            found.append(one)
        known.add(one.message_id)
    return found
