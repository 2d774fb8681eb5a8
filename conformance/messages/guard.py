"""The one door through which XML enters: limits first, then parsing, then schema validation.

No DTD, no entities, no network. Nobody else imports lxml, so every switch that keeps a stranger's document harmless stands here.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, Final, NoReturn, cast

from lxml import etree

from conformance import specs

__all__ = [
    "DEFAULT",
    "Limits",
    "Refusal",
    "SchemaError",
    "XmlInvalid",
    "XmlRefused",
    "check_limits",
    "encoding_of",
    "etree",
    "local_name",
    "parse",
    "schema",
    "schema_errors",
    "stream",
]

_ENCODINGS = frozenset(
    {
        "UTF-8",
        "UTF8",
        "UTF-16",
        "UTF-16LE",
        "UTF-16BE",
        "US-ASCII",
        "ASCII",
        "ISO-8859-1",
        "ISO-8859-15",
        "WINDOWS-1252",
    }
)
_HEAD = 200_000  # bytes in which a DOCTYPE is looked for before parsing; one that stands deeper is found after it
_LONGEST_DECLARATION = 400
_BYTE_ORDER_MARKS_AND_BLANKS = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_DECLARED_ENCODING = re.compile(rb"""encoding\s*=\s*["']([^"']*)""")
_DOCTYPE = re.compile(rb"(?:<\?.*?\?>|<!--.*?-->|\s+)*+<!DOCTYPE", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""=[\s\x00]*["']""")
_POSITION = re.compile(r"\s*, line \d+, column \d+\s*$")
_LONG_NUMBER = re.compile(r"\d{8,}")  # may be a BSN, also within a name
_VALUE_KINDS = re.compile(r"SCHEMAV_CVC_(?:DATATYPE|(?:MIN|MAX)?LENGTH|PATTERN|ENUMERATION|FACET)")
_QUOTED_VALUE = re.compile(r"(^|: |[Vv]alue |\[)'.*'(?= is |\] in )", re.DOTALL)
_LONGEST_MESSAGE = 600  # libxml2 quotes values up to 64 KB, then cuts off the closing quote
_PIECE = 65_536  # bytes of a streamed document that are parsed at a time
_MOST_UNNAMED = 20_000  # tags of a streamed document between two elements that are asked for: they stay in memory until then
_MOST_ERRORS = 200
_ABOUT = re.compile(r"Element '(?:\{([^}]*)\})?([^']*)'")
_SWITCHES: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_COUNT_ATTRIBUTES = etree.XPath("count(//@*)")


class Refusal(StrEnum):
    """Why a document was refused before anyone looked at its content."""

    TOO_LARGE = "too-large"
    TOO_MANY_ELEMENTS = "too-many-elements"
    TOO_MANY_ATTRIBUTES = "too-many-attributes"
    TOO_DEEP = "too-deep"
    TEXT_TOO_LONG = "text-too-long"
    DOCTYPE = "doctype"
    ENCODING = "encoding"
    NOT_WELL_FORMED = "not-well-formed"


class XmlRefused(ValueError):  # noqa: N818  # the sentence reads "XML refused"
    """A document that is not read: ``reason`` says why, ``line`` where (0 when unknown); the text quotes no content."""

    def __init__(self, reason: Refusal, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.reason = reason
        self.line = line


class XmlInvalid(ValueError):  # noqa: N818  # the sentence reads "XML invalid"
    """A streamed document that was read to its end, or far enough, and is not valid: ``errors`` say what the schema has against it."""

    def __init__(self, errors: "tuple[SchemaError, ...]") -> None:
        super().__init__(f"the document is not valid: {errors[0].text}")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost: bytes, markup (tags and the like), depth and attributes."""

    size: int = 110_000_000
    markup: int = 400_000
    depth: int = 24
    attributes: int = 2_000


DEFAULT = Limits()


def parse(data: bytes, limits: Limits = DEFAULT) -> etree._Element:
    """Return the root element of ``data``; raises :class:`XmlRefused` for anything hostile or broken."""
    check_limits(data, limits)
    parser = etree.XMLParser(**_SWITCHES)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        _refuse_syntax(error)
    except ValueError as error:
        raise XmlRefused(Refusal.ENCODING, f"the document cannot be decoded: {error}") from None
    _check_after(root, limits)
    return root


def check_limits(data: bytes, limits: Limits = DEFAULT) -> None:
    """Raise :class:`XmlRefused` for what can be refused without parsing: too many bytes or tags, a DOCTYPE, an encoding that is not read."""
    if len(data) > limits.size:
        raise XmlRefused(Refusal.TOO_LARGE, f"the document has {len(data)} bytes, at most {limits.size} are read")
    if len(data) > limits.markup:  # fewer bytes cannot hold so many
        _check_markup(data, limits)
    _check_head(data)


def _check_markup(data: bytes, limits: Limits) -> None:
    markup = data.count(b"<")
    if markup > limits.markup:
        raise XmlRefused(Refusal.TOO_MANY_ELEMENTS, f"the document has {markup} times '<', at most {limits.markup} are read")
    # The attributes proper are counted after parsing; a text may quote things as well, so this only bounds what parsing costs.
    if next(islice(_ATTRIBUTE.finditer(data), limits.markup, None), None) is not None:
        raise XmlRefused(Refusal.TOO_MANY_ATTRIBUTES, f"the document has more than {limits.markup} attributes")


def _check_head(data: bytes) -> None:
    # Without its null bytes UTF-16 reads as ASCII here: one check for all encodings.
    head = data[:_HEAD].replace(b"\0", b"").lstrip(_BYTE_ORDER_MARKS_AND_BLANKS)
    if _DOCTYPE.match(head):
        raise XmlRefused(Refusal.DOCTYPE, "the document has a DOCTYPE; leave it out, none is needed")
    if not head.startswith(b"<?xml"):
        return
    declaration, end, _ = head[:_LONGEST_DECLARATION].partition(b"?>")
    declared = {name.decode("latin-1").upper() for name in _DECLARED_ENCODING.findall(declaration)}
    if not end or declared - _ENCODINGS:
        raise XmlRefused(Refusal.ENCODING, "the document declares an encoding that is not read, or in too many words; use UTF-8")


def encoding_of(data: bytes) -> str:
    """Return the encoding in which a document says that it is written, in capitals."""
    if b"\0" in data[:4]:
        return "UTF-16"
    declaration = data[:_LONGEST_DECLARATION].lstrip(_BYTE_ORDER_MARKS_AND_BLANKS).partition(b"?>")[0]
    found = _DECLARED_ENCODING.search(declaration) if declaration.startswith(b"<?xml") else None
    return found[1].decode("latin-1").upper() if found else "UTF-8"


def _refuse_syntax(error: etree.XMLSyntaxError) -> NoReturn:
    text, line = _without_values(_POSITION.sub("", str(error.msg))), error.lineno or 0
    if "Text node too long" in text:
        raise XmlRefused(Refusal.TEXT_TOO_LONG, "one text is longer than 10 MB, which is not read", line) from None
    if "Excessive depth" in text or "xmlDepth" in text:
        raise XmlRefused(Refusal.TOO_DEEP, text, line) from None
    raise XmlRefused(Refusal.NOT_WELL_FORMED, text, line) from None


def _check_no_doctype(root: etree._Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused(Refusal.DOCTYPE, "the document has a DOCTYPE; leave it out, none is needed")


def _check_after(root: etree._Element, limits: Limits) -> None:
    _check_no_doctype(root)
    attributes = int(cast("float", _COUNT_ATTRIBUTES(root)))
    if attributes > limits.attributes:
        raise XmlRefused(
            Refusal.TOO_MANY_ATTRIBUTES,
            f"the document has {attributes} attributes, at most {limits.attributes} are read",
        )
    if _is_deeper_than(limits.depth)(root):
        raise XmlRefused(Refusal.TOO_DEEP, f"the document is nested deeper than {limits.depth} elements")


@cache
def _is_deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


def local_name(element: etree._Element) -> str:
    """Return the name of ``element`` without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One complaint of the schema: readable path, element, kind (a libxml2 code) and a text without values; ``value`` may be a BSN."""

    path: str
    element: str
    namespace: str
    parent: str
    kind: str
    line: int
    text: str
    value: str = field(repr=False)

    @property
    def is_about_value(self) -> bool:
        """Tell whether the text of the element is wrong, rather than its place, its children or its attributes."""
        return _VALUE_KINDS.match(self.kind) is not None

    @property
    def is_missing_child(self) -> bool:
        """Tell whether the element lacks a child, rather than being one that is out of place."""
        return "Missing child element" in self.text


_per_thread = threading.local()


def schema(name: str) -> etree.XMLSchema:
    """Return the compiled schema ``specs/xsd/<name>`` of this thread (libxml2 mixes up the errors of a shared one)."""
    cache: dict[str, etree.XMLSchema] = _per_thread.__dict__.setdefault("schemas", {})
    if name not in cache:
        cache[name] = etree.XMLSchema(etree.parse(str(specs.path(f"xsd/{name}"))))
    return cache[name]


def schema_errors(root: etree._Element, name: str, most: int = 200) -> tuple[SchemaError, ...]:
    """Return what schema ``name`` has against the document of ``root``, at most ``most`` complaints; empty when it is valid."""
    checker = schema(name)
    if checker.validate(root):
        return ()
    return tuple(_translate(root, error) for error in list(checker.error_log)[:most])  # type: ignore[call-overload]  # iterable in fact


def _translate(root: etree._Element, error: etree._LogEntry) -> SchemaError:
    element = _find(root, error.path or "")
    parent = element.getparent()
    return SchemaError(
        path=readable_path(element),
        element=local_name(element),
        namespace=etree.QName(element).namespace or "",
        parent=local_name(parent) if parent is not None else "",
        kind=error.type_name,
        line=error.line,
        text=_without_values(error.message),
        value=element.text or "",
    )


def _find(root: etree._Element, path: str) -> etree._Element:
    """Follow a libxml2 path such as ``/v:Berichten/b:Bericht[2]/*[1]``; its prefixes are those of the document, so XPath cannot."""
    element = root
    for step in path.split("/")[2:]:
        name, _, index = step.partition("[")
        alike = [child for child in element if name in ("*", _prefixed(child))]
        position = int(index[:-1]) - 1 if index else 0
        if position >= len(alike):
            return element
        element = alike[position]
    return element


def _prefixed(element: etree._Element) -> str:
    return f"{element.prefix}:{local_name(element)}" if element.prefix else local_name(element)


def readable_path(element: etree._Element) -> str:
    """Return a path that a person can follow: ``Berichten/Bericht[2]/BerichtInformatie/Onderwerp``."""
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None:
        steps.append(_step(node))
        node = node.getparent()
    return "/".join(reversed(steps))


def _step(node: etree._Element) -> str:
    name, parent = local_name(node), node.getparent()
    alike = [child for child in parent if local_name(child) == name] if parent is not None else [node]
    shown = _LONG_NUMBER.sub("…", name)
    return shown if len(alike) == 1 else f"{shown}[{alike.index(node) + 1}]"


def _without_values(text: str) -> str:
    """Take the refused value out of a libxml2 message: it may be a BSN or a whole bijlage."""
    hidden = _LONG_NUMBER.sub("…", _QUOTED_VALUE.sub(r"\1'…'", " ".join(text.split())))
    return hidden if len(hidden) <= _LONGEST_MESSAGE else "a value that is too long to show is not valid"


# -- documents that are too large to hold ------------------------------------------------------------------------------------------------------


def stream(
    chunks: Iterable[bytes], names: Sequence[str], limits: Limits = DEFAULT, schema: str | None = None
) -> Iterator[tuple[str, etree._Element]]:
    """Yield each element with one of these local names when it is complete, and last of all the root, with its name; in constant memory.

    An element is emptied once others are asked for, so that none may hold another that is asked for. Its ancestors are there, its earlier siblings
    may not be. ``limits`` count bytes, tags and attributes on the way (depth is bounded by libxml2, at 256). Raises :class:`XmlRefused` as soon as
    the document turns out hostile or broken, which may be at its very end, and with a ``schema`` :class:`XmlInvalid` instead of yielding the root.
    """
    reader = _Streamed(names, limits, schema)
    for piece in _pieces(chunks, limits):
        yield from reader.feed(piece)
    yield reader.close()


def _pieces(chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield the document in pieces that hold no more than is wise to parse at once; its head is checked before the first."""
    head, size = b"", 0
    for chunk in chunks:
        size += len(chunk)
        if size > limits.size:
            raise XmlRefused(Refusal.TOO_LARGE, f"the document has more than {limits.size} bytes, which is not read")
        if size - len(chunk) < _HEAD:
            head += chunk
            if size < _HEAD:
                continue
            _check_head(head)
            chunk = head  # noqa: PLW2901  # what was kept back goes first
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]
    if size < _HEAD:
        _check_head(head)
        yield head


class _Streamed:
    """A document on its way through the parser, and through that of its schema."""

    def __init__(self, names: Sequence[str], limits: Limits, schema_name: str | None) -> None:
        self.names = frozenset(names)
        self.limits = limits
        self.root: etree._Element | None = None
        self.markup = self.attributes = self.unnamed = 0
        self.parser = etree.XMLPullParser(events=("end",), tag=[f"{{*}}{name}" for name in names], **_SWITCHES)
        # The errors of a parser that has a schema are not its own, so that a second one validates; it builds no tree.
        self.validator = etree.XMLParser(target=cast("Any", _NoTree()), schema=schema(schema_name), **_SWITCHES) if schema_name else None

    def feed(self, piece: bytes) -> Iterator[tuple[str, etree._Element]]:
        """Parse a piece and yield what it completed."""
        self._count(piece)
        try:
            self.parser.feed(piece)
        except etree.XMLSyntaxError as error:
            _refuse_syntax(error)
        for _, found in self.parser.read_events():
            element = cast("etree._Element", found)  # noqa: SLF001  # an end event has nothing else
            self.unnamed = 0
            if self.root is None:
                self.root = element.getroottree().getroot()
                _check_no_doctype(self.root)
            yield local_name(element), element
        self._prune()
        self._validate(piece)

    def close(self) -> tuple[str, etree._Element]:
        """Return the root at the end of the document."""
        try:
            root: etree._Element = self.parser.close()
        except etree.XMLSyntaxError as error:
            _refuse_syntax(error)
        _check_no_doctype(root)
        if self.validator is not None and (errors := _streamed_errors(self.validator)):
            raise XmlInvalid(errors)
        return local_name(root), root

    def _count(self, piece: bytes) -> None:
        markup = piece.count(b"<")
        self.markup += markup
        self.unnamed += markup
        self.attributes += len(_ATTRIBUTE.findall(piece))
        if self.markup > self.limits.markup:
            raise XmlRefused(Refusal.TOO_MANY_ELEMENTS, f"the document has more than {self.limits.markup} times '<', which is not read")
        if self.attributes > self.limits.attributes:
            raise XmlRefused(Refusal.TOO_MANY_ATTRIBUTES, f"the document has more than {self.limits.attributes} attributes, which is not read")

    def _prune(self) -> None:
        """Empty what was read, except an element that may still have to be yielded."""
        node = self.root
        while node is not None and len(node):
            del node[:-1]
            node = None if local_name(node[-1]) in self.names else node[-1]

    def _validate(self, piece: bytes) -> None:
        errors: tuple[SchemaError, ...] = ()
        if self.validator is not None:
            with suppress(etree.XMLSyntaxError):  # whatever is no XML was refused by the other parser, or is at the end
                self.validator.feed(piece)
            errors = _streamed_errors(self.validator)
        if len(errors) == _MOST_ERRORS or (errors and self.unnamed > _MOST_UNNAMED):
            raise XmlInvalid(errors)
        if self.unnamed > _MOST_UNNAMED:
            raise XmlRefused(Refusal.TOO_MANY_ELEMENTS, f"the document has more than {_MOST_UNNAMED} tags in a row of no known element")


class _NoTree:
    """The target of a parser that only validates."""

    def close(self) -> None:
        """Return nothing."""


def _streamed_errors(validator: etree.XMLParser) -> tuple[SchemaError, ...]:
    entries = list(validator.feed_error_log.filter_domains([etree.ErrorDomains.SCHEMASV]))
    return tuple(_translate_streamed(entry) for entry in entries[:_MOST_ERRORS])


def _translate_streamed(error: etree._LogEntry) -> SchemaError:
    """Translate a complaint that has no tree behind it: what it is about stands in its text only."""
    found = _ABOUT.match(error.message)
    namespace, element = (found[1] or "", found[2]) if found else ("", "")
    text = _without_values(error.message)
    return SchemaError(_LONG_NUMBER.sub("…", element), element, namespace, parent="", kind=error.type_name, line=error.line, text=text, value="")
