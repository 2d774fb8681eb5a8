"""SOAP with attachments as bytes: limits first, then parts.

Reading takes what RFC 2045, 2046 and 2387 allow and senders do; what could be read in two ways is refused.
It does not unpack: a multipart inside a part, or gzip, is content.
"""

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from conformance.rules.findings import quoted

Octets: TypeAlias = bytes | bytearray | memoryview

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PARAMETER: Final = re.compile(r"""[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]++)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]++))""")
_END_OF_PARAMETERS: Final = re.compile(r"[ \t]*;?[ \t]*")
_ESCAPED: Final = re.compile(r"\\(.)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTENT_ID: Final = re.compile(r"[^\s<>\x00-\x20\x7f]+")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]+")
_FILE_NAME: Final = re.compile(r"[\x20-\x7e]*")
_EXTENDED: Final = re.compile(r"[Uu][Tt][Ff]-8'[^']*'(.*)", re.DOTALL)
_IDENTITY_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})
_LONGEST_PADDING: Final = 80  # blanks after a boundary; RFC 2046 allows them, nobody sends them


class MimeFault(StrEnum):
    """Why a body is not read as parts."""

    TOO_LARGE = "too-large"
    TOO_MANY_PARTS = "too-many-parts"
    HEADERS_TOO_LARGE = "headers-too-large"
    BAD_HEADER = "bad-header"
    DUPLICATE_HEADER = "duplicate-header"
    BAD_CONTENT_TYPE = "bad-content-type"
    NOT_RELATED = "not-related"
    NO_BOUNDARY = "no-boundary"
    BAD_BOUNDARY = "bad-boundary"
    LOOK_ALIKES = "look-alikes"
    NO_PARTS = "no-parts"
    TRUNCATED = "truncated"
    BAD_CONTENT_ID = "bad-content-id"
    DUPLICATE_CONTENT_ID = "duplicate-content-id"
    NO_START = "no-start"
    TRANSFER_ENCODING = "transfer-encoding"
    BAD_BASE64 = "bad-base64"


class MimeRefused(ValueError):  # noqa: N818  # the sentence reads "MIME refused"
    """A body that is not read; ``reason`` says why, the text what, where, what was expected and what came."""

    def __init__(self, reason: MimeFault, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MimeNotWritten(ValueError):  # noqa: N818  # idem
    """Parts that cannot be put into a body as they are: a header with a line end, a boundary that stands in a part."""


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """What a body may cost: bytes (in all, a part, the headers of a part), parts, header lines, and lines that only begin as the boundary does."""

    body: int = 120_000_000
    part: int = 110_000_000
    header_bytes: int = 8_192
    parts: int = 100
    header_lines: int = 50
    look_alikes: int = 1_000


DEFAULT: Final = MimeLimits()


@dataclass(frozen=True, slots=True)
class MimePart:
    """One part: ``content`` is decoded when it came as base64, ``content_id`` has no angle brackets and is empty when there is none.

    ``headers`` have lower-case names; writing takes the other fields and not these.
    """

    content: bytes = field(repr=False)
    content_id: str = ""
    content_type: str = "text/plain"
    name: str | None = None
    transfer_encoding: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Return how many bytes the content has."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class MimeMessage:
    """A body as its parts, in their order; ``boundary`` is ``None`` when it was no multipart, ``start`` when there was no such parameter."""

    parts: tuple[MimePart, ...]
    start: str | None
    boundary: str | None
    content_type: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> MimePart:
        """Return the part that ``start`` names, or else the first."""
        if self.start is None:
            return self.parts[0]
        return next(part for part in self.parts if part.content_id == self.start)


def find_cid(href: str, parts: Mapping[str, MimePart]) -> MimePart | None:
    """Return the part that a ``cid:`` URL names, of ``parts`` by Content-ID: as it stands, or else percent-decoded (RFC 2392)."""
    name = href[4:]
    found = parts.get(name)
    return parts.get(unquote(name)) if found is None and "%" in name else found


# -- reading -------------------------------------------------------------------------------------------------------------------------------------


def read_mime(content_type: str, body: Octets, limits: MimeLimits = DEFAULT) -> MimeMessage:
    """Return the parts of a body; what is no multipart is one part. Raises :class:`MimeRefused`.

    Each part is copied once (base64 once more); a memoryview is copied as a whole first.
    """
    if len(body) > limits.body:
        raise MimeRefused(MimeFault.TOO_LARGE, f"the body has {len(body)} bytes, at most {limits.body} are read")
    media, parameters = read_parameters(content_type, limits)
    if not media.startswith("multipart/"):
        whole = MimePart(_cut(body, 0, len(body), limits), content_type=content_type, headers={"content-type": content_type})
        return MimeMessage((whole,), None, None, content_type, parameters)
    boundary = _boundary_of(media, parameters)
    octets = bytes(body) if isinstance(body, memoryview) else body
    parts = _Splitter(octets, boundary, limits).parts()
    return MimeMessage(parts, _start_of(parameters, parts), boundary, content_type, parameters)


def read_parameters(value: str, limits: MimeLimits = DEFAULT) -> tuple[str, dict[str, str]]:
    """Return the lower-case media type of a Content-Type, and its parameters by lower-case name. Raises :class:`MimeRefused`."""
    if len(value) > limits.header_bytes:
        raise MimeRefused(MimeFault.HEADERS_TOO_LARGE, f"the Content-Type has {len(value)} characters, at most {limits.header_bytes} are read")
    media, semicolon, _ = value.partition(";")
    parameters = _parameters(value, len(media)) if semicolon else {}
    if parameters is None or _CONTROL.search(value):
        raise MimeRefused(MimeFault.BAD_CONTENT_TYPE, f"the Content-Type {quoted(value)} is not a type and then parameters, each once")
    return media.strip().lower(), parameters


def _parameters(value: str, position: int) -> dict[str, str] | None:
    found: dict[str, str] = {}
    while (one := _PARAMETER.match(value, position)) is not None:
        name, in_quotes, bare = one[1].lower(), one[2], one[3]
        if name in found:
            return None
        found[name] = bare if in_quotes is None else _ESCAPED.sub(r"\1", in_quotes) if "\\" in in_quotes else in_quotes
        position = one.end()
    return found if _END_OF_PARAMETERS.fullmatch(value, position) else None


def _boundary_of(media: str, parameters: Mapping[str, str]) -> str:
    if media != "multipart/related":
        raise MimeRefused(MimeFault.NOT_RELATED, f"the Content-Type is {quoted(media)}, expected multipart/related or text/xml")
    boundary = parameters.get("boundary")
    if boundary is None:
        raise MimeRefused(MimeFault.NO_BOUNDARY, "the Content-Type multipart/related has no boundary parameter")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise MimeRefused(MimeFault.BAD_BOUNDARY, f"the boundary {quoted(boundary)} is not 1 to 70 of the characters of RFC 2046")
    return boundary


def _start_of(parameters: Mapping[str, str], parts: Sequence[MimePart]) -> str | None:
    start = parameters.get("start")
    if start is None:
        return None
    name = _bare_id(start)
    if not any(part.content_id == name for part in parts if part.content_id):
        raise MimeRefused(MimeFault.NO_START, f"the start parameter is {quoted(start)}, and no part has that Content-ID")
    return name


def _bare_id(text: str) -> str:
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _cut(body: Octets, start: int, end: int, limits: MimeLimits) -> bytes:
    """Return bytes ``start`` to ``end`` in one copy, or in none when that is the whole of a ``bytes``."""
    if end - start > limits.part:
        raise MimeRefused(MimeFault.TOO_LARGE, f"a part has {end - start} bytes, at most {limits.part} are read")
    return body if isinstance(body, bytes) and end - start == len(body) else bytes(memoryview(body)[start:end])


class _Splitter:
    """Walks over a body from boundary to boundary. The first boundary line tells whether lines end with CRLF or with LF; no other ends count."""

    __slots__ = ("_body", "_dashes", "_eol", "_limits", "_look_alikes")

    def __init__(self, body: bytes | bytearray, boundary: str, limits: MimeLimits) -> None:
        self._body = body
        self._dashes = b"--" + boundary.encode()
        self._eol = b""
        self._limits = limits
        self._look_alikes = limits.look_alikes

    def parts(self) -> tuple[MimePart, ...]:
        """Return all parts."""
        _, position, is_last = self._opening()
        if is_last:
            raise MimeRefused(MimeFault.NO_PARTS, "the multipart has no parts")
        found: dict[str, MimePart] = {}
        while not is_last:
            if len(found) == self._limits.parts:
                raise MimeRefused(MimeFault.TOO_MANY_PARTS, f"the multipart has more than {self._limits.parts} parts")
            end, following, is_last = self._next(self._eol + self._dashes, position)
            part = self._part(position, end, len(found) + 1)
            if part.content_id in found:
                raise MimeRefused(
                    MimeFault.DUPLICATE_CONTENT_ID, f"part {len(found) + 1} has the Content-ID {quoted(part.content_id)} of another part"
                )
            found[part.content_id or f"<{len(found)}>"] = part  # no Content-ID has brackets
            position = following
        return tuple(found.values())

    def _opening(self) -> tuple[int, int, bool]:
        if self._body.startswith(self._dashes):
            found = self._line(len(self._dashes))
            if found is not None:
                return (0, *found)
        return self._next(b"\n" + self._dashes, 0)

    def _next(self, mark: bytes, position: int) -> tuple[int, int, bool]:
        """Return where the next boundary line begins, where the line after it does, and whether it is the last."""
        while (at := self._body.find(mark, position)) >= 0:
            position = at + len(mark)
            found = self._line(position)
            if found is not None:
                return (at, *found)
            self._look_alikes -= 1
            if self._look_alikes < 0:
                raise MimeRefused(MimeFault.LOOK_ALIKES, f"more than {self._limits.look_alikes} lines begin as the boundary does and are none")
        if not self._eol:
            raise MimeRefused(MimeFault.NO_PARTS, "the boundary of the Content-Type is nowhere in the body")
        raise MimeRefused(MimeFault.TRUNCATED, "the body ends before the closing boundary")

    def _line(self, position: int) -> tuple[int, bool] | None:
        """Read what follows a boundary up to the line end: nothing, or two dashes; ``None`` when it is something else, and so no boundary."""
        tail = bytes(self._body[position : position + _LONGEST_PADDING])
        is_last = tail.startswith(b"--")
        line, newline, _ = tail[2 * is_last :].partition(b"\n")
        if line.removesuffix(b"\r").strip(b" \t") or not (newline or (is_last and position + len(tail) == len(self._body))):
            return None
        eol = b"\r\n" if line.endswith(b"\r") else b"\n"
        if self._eol and not is_last and eol != self._eol:
            return None
        self._eol = self._eol or eol
        return position + 2 * is_last + len(line) + 1, is_last

    def _part(self, start: int, end: int, number: int) -> MimePart:
        headers, start = self._headers(start, end, number)
        encoding = headers.get("content-transfer-encoding", "").lower()
        content = _cut(self._body, start, max(start, end), self._limits)
        if encoding not in _IDENTITY_ENCODINGS:
            content = _decoded(content, encoding, number)
        content_id = _bare_id(headers.get("content-id", ""))
        if "content-id" in headers and _CONTENT_ID.fullmatch(content_id) is None:
            raise MimeRefused(MimeFault.BAD_CONTENT_ID, f"part {number} has the Content-ID {quoted(headers['content-id'])}, expected <local@domain>")
        name = _file_name(headers["content-disposition"]) if "content-disposition" in headers else None
        return MimePart(content, content_id, headers.get("content-type", "text/plain"), name, encoding, headers)

    def _headers(self, start: int, end: int, number: int) -> tuple[dict[str, str], int]:
        """Return the headers of a part and where its content starts; a part without content shares its blank line with the boundary."""
        if self._body.startswith(self._eol, start):
            return {}, start + len(self._eol)
        blank, most = 2 * self._eol, self._limits.header_bytes
        found = self._body.find(blank, start, min(end + len(self._eol), start + most + len(blank)))
        if found < 0 and end - start > most:
            raise MimeRefused(MimeFault.HEADERS_TOO_LARGE, f"part {number} has headers of more than {most} bytes")
        if found < 0:
            raise MimeRefused(MimeFault.BAD_HEADER, f"part {number} has no blank line after its headers")
        lines = _header_lines(bytes(self._body[start:found]), self._eol.decode(), number)
        if len(lines) > self._limits.header_lines:
            raise MimeRefused(
                MimeFault.HEADERS_TOO_LARGE, f"part {number} has {len(lines)} header lines, at most {self._limits.header_lines} are read"
            )
        return _read_headers(lines, number), found + len(blank)


def _header_lines(block: bytes, eol: str, number: int) -> list[str]:
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise MimeRefused(MimeFault.BAD_HEADER, f"part {number} has headers that are neither ASCII nor UTF-8") from None
    if _CONTROL.search(text.replace(eol, "")):
        raise MimeRefused(MimeFault.BAD_HEADER, f"part {number} has headers with a control character, or with another line end than the boundaries")
    return text.split(eol)


def _read_headers(lines: Sequence[str], number: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if name and line[0] in " \t":
            headers[name] = f"{headers[name]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if not colon or _TOKEN.fullmatch(name) is None:
            raise MimeRefused(MimeFault.BAD_HEADER, f"part {number} has the header line {quoted(line)}, expected a name, a colon and a value")
        name = name.lower()
        if name in headers:
            raise MimeRefused(MimeFault.DUPLICATE_HEADER, f"part {number} has the header {quoted(name)} twice")
        headers[name] = value.strip(" \t")
    return headers


def _decoded(content: bytes, encoding: str, number: int) -> bytes:
    if encoding != "base64":
        expected = "none, 7bit, 8bit, binary or base64"
        raise MimeRefused(MimeFault.TRANSFER_ENCODING, f"part {number} has the Content-Transfer-Encoding {quoted(encoding)}, expected {expected}")
    try:
        return binascii.a2b_base64(content.translate(None, b"\r\n"), strict_mode=True)
    except binascii.Error:
        raise MimeRefused(MimeFault.BAD_BASE64, f"part {number} says that it is base64 and is not") from None


def _file_name(disposition: str) -> str | None:
    """Return the filename of a Content-Disposition; one that cannot be read is no name, because nothing depends on it."""
    parameters = _parameters(disposition, len(disposition.partition(";")[0])) or {}
    extended = _EXTENDED.fullmatch(parameters.get("filename*", ""))
    return unquote(extended[1]) if extended else parameters.get("filename")


# -- writing -------------------------------------------------------------------------------------------------------------------------------------


def write_mime(parts: Sequence[MimePart], boundary: str) -> tuple[str, bytes]:
    """Return the Content-Type and the body of a multipart/related whose first part is the root.

    No part gets a transfer encoding, unless its ``transfer_encoding`` is base64. Raises :class:`MimeNotWritten`.
    """
    dashes = b"--" + boundary.encode()
    if not parts or _BOUNDARY.fullmatch(boundary) is None:
        raise MimeNotWritten("a multipart needs parts, and a boundary of 1 to 70 of the characters of RFC 2046")
    pieces: list[bytes] = []
    for part in parts:
        content = part.content if part.transfer_encoding != "base64" else _base64_lines(part.content)
        if dashes in content:
            raise MimeNotWritten(f"the boundary {boundary} stands in a part: take another")
        pieces += (dashes, b"\r\n", _write_headers(part), b"\r\n", content, b"\r\n")
    start = f'; start="<{parts[0].content_id}>"' if parts[0].content_id else ""
    return f'multipart/related; type="text/xml"; boundary="{boundary}"{start}', b"".join((*pieces, dashes, b"--\r\n"))


def _base64_lines(content: bytes) -> bytes:
    lines = (binascii.b2a_base64(content[at : at + 57], newline=False) for at in range(0, len(content), 57))
    return b"\r\n".join(lines)


def _write_headers(part: MimePart) -> bytes:
    if _HEADER_VALUE.fullmatch(part.content_type) is None:
        raise MimeNotWritten(f"the content type {part.content_type!r} is no header value")
    text = f"Content-Type: {part.content_type}\r\n"
    if part.content_id:
        if not is_content_id(part.content_id):
            raise MimeNotWritten(f"the Content-ID {part.content_id!r} has characters that a header does not take")
        text += f"Content-ID: <{part.content_id}>\r\n"
    if part.name is not None:
        text += f"Content-Disposition: attachment; {_write_file_name(part.name)}\r\n"
    if part.transfer_encoding == "base64":
        text += "Content-Transfer-Encoding: base64\r\n"
    return text.encode()


def is_content_id(text: str) -> bool:
    """Tell whether ``text`` can stand between the angle brackets of a Content-ID, and within the quotes of ``start``."""
    return text.isascii() and _CONTENT_ID.fullmatch(text) is not None and '"' not in text and "\\" not in text


def _write_file_name(name: str) -> str:
    if _FILE_NAME.fullmatch(name) is None:
        return f"filename*=UTF-8''{quote(name, safe='')}"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'filename="{escaped}"'
