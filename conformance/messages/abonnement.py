"""GLOBE-R-A-Request and GLOBE-R-A-Result: asking who takes letters of an Afnemer, and the answer; both may hold millions of BSNs.

The names come from ``specs/abonnementen.toml``, for some are an aanname. Both messages are read as a stream and by local name, so that a document in
another namespace can still be explained. BSNs stand in no representation and in no text of an error.
"""

import re
import tomllib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from itertools import chain, islice
from typing import Final
from xml.sax.saxutils import escape

from conformance import specs
from conformance.messages.batch import UnwritableText
from conformance.messages.bsns import BsnList, bsn_number
from conformance.messages.guard import Limits, SchemaError, XmlInvalid, check_limits, encoding_of, etree, local_name, stream
from conformance.messages.unpack_stream import ANTWOORD_LIMIT, unpack_stream

Element = etree._Element  # noqa: SLF001  # lxml has no public name for it

SCHEMA: Final = "abonnement-aanvraag.xsd"
ANTWOORD_SCHEMA: Final = "abonnement-antwoord.xsd"
AANVRAAG_LIMITS: Final = Limits(size=150_000_000, markup=6_000_100, attributes=100)
"""Three million BSNs: three times what a list may hold, so that a list which is too long can be explained."""
_ANTWOORD_LIMITS: Final = Limits(size=ANTWOORD_LIMIT, markup=400_000_000, attributes=1_000)
_ROWS: Final = 2_000  # rows that are written at a time
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Soort(StrEnum):
    """What is asked: every abonnement, those of the citizens on a list, or what changed since a moment."""

    ALLES = "alles"
    BSN_LIJST = "bsn-lijst"
    MUTATIES = "mutaties"


class UnreadableAanvraag(ValueError):  # noqa: N818  # names the thing that is wrong
    """A document that is no valid AbonnementAanvraag: ``requirement`` is the one that it breaks; the text quotes no value."""

    def __init__(self, text: str, requirement: str) -> None:
        super().__init__(text)
        self.requirement = requirement


class UnreadableAntwoord(ValueError):  # noqa: N818  # idem
    """A document that is no AbonnementAntwoord, or a line of one that cannot be understood; the text quotes no value."""


# -- the names ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A name on the wire, how sure it is (bevestigd, gemeld, aanname) and where it was found."""

    text: str
    certainty: str
    source: str


@dataclass(frozen=True, slots=True)
class Names:
    """The texts of ``specs/abonnementen.toml``."""

    namespace: str
    aanvraag: str
    leverancier: str
    oin: str
    verzoek_id: str
    bsn_lijst: str
    bsn: str
    mutatie_datum: str
    antwoord: str
    abonnementen: str
    abonnement: str
    status: str
    actief: str
    inactief: str


@cache
def listed_names() -> dict[str, Name]:
    """Return every name with its certainty and source, by its key in ``specs/abonnementen.toml``."""
    with specs.path("abonnementen.toml").open("rb") as file:
        return {key: Name(**entry) for key, entry in tomllib.load(file).items()}


@cache
def names() -> Names:
    """Return the names that both messages are read and written with."""
    listed = listed_names()
    return Names(**{item.name: listed[item.name].text for item in fields(Names)})


# -- the request -------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AbonnementAanvraag:
    """One GLOBE-R-A-Request; texts as on the wire."""

    oin: str
    verzoek_id: str
    bsns: BsnList | None = field(default=None, repr=False)
    mutatie_datum: str | None = None

    @property
    def soort(self) -> Soort:
        """What is asked."""
        if self.bsns is not None:
            return Soort.BSN_LIJST
        return Soort.ALLES if self.mutatie_datum is None else Soort.MUTATIES

    def to_xml(self) -> bytes:
        """Return the document, UTF-8 with declaration; raises :class:`UnwritableText` for characters outside XML 1.0."""
        name = names()
        data = bytearray(_opening(name.aanvraag, self.oin, self.verzoek_id))
        if self.bsns is not None:
            data += f"<{name.bsn_lijst}>".encode()
            for rows in _rows(f"<{name.bsn}>{number:09d}</{name.bsn}>" for number in self.bsns.numbers):
                data += rows
            data += f"</{name.bsn_lijst}>".encode()
        if self.mutatie_datum is not None:
            data += f"<{name.mutatie_datum}>{_escaped(self.mutatie_datum)}</{name.mutatie_datum}>".encode()
        return bytes(data + _closing(name.aanvraag))


def _opening(root: str, oin: str, verzoek_id: str) -> bytes:
    name = names()
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<ns0:{root} xmlns:ns0=\"{name.namespace}\">"
        f"<{name.leverancier}><{name.oin}>{_escaped(oin)}</{name.oin}></{name.leverancier}>"
        f"<{name.verzoek_id}>{_escaped(verzoek_id)}</{name.verzoek_id}>"
    ).encode()


def _closing(root: str) -> bytes:
    return f"</ns0:{root}>\n".encode()


def _escaped(text: str) -> str:
    if _NO_XML.search(text):
        raise UnwritableText("a text holds a character that XML 1.0 cannot carry, such as U+000B; refuse or remove it before sending")
    return escape(text, {"\r": "&#13;"})


def _rows(rows: Iterable[str]) -> Iterator[bytes]:
    """Join rows, so that not every one is a step of its own."""
    waiting = iter(rows)
    while joined := "".join(islice(waiting, _ROWS)):
        yield joined.encode()


@dataclass(frozen=True, slots=True)
class AanvraagReading:
    """What was found of an AbonnementAanvraag, whatever is wrong with it.

    ``root`` is the tag of its root, ``encoding`` the one of the document, ``errors`` is what the schema has against it. ``aanvraag`` holds what could
    be read: a BSN that is not nine digits is left out, and what is missing is an empty text.
    """

    root: str
    encoding: str
    aanvraag: AbonnementAanvraag
    errors: tuple[SchemaError, ...]


def scan_aanvraag(payload: bytes) -> AanvraagReading:
    """Read an AbonnementAanvraag as far as it goes; raises :class:`XmlRefused` for anything hostile or broken."""
    check_limits(payload, AANVRAAG_LIMITS)
    found = _Found()
    errors: tuple[SchemaError, ...] = ()
    name = names()
    try:
        for key, element in stream((payload,), (name.aanvraag, name.oin, name.verzoek_id, name.bsn, name.mutatie_datum), AANVRAAG_LIMITS, SCHEMA):
            found.take(key, element)
    except XmlInvalid as invalid:
        errors = invalid.errors
    return AanvraagReading(found.root, encoding_of(payload), found.aanvraag(), errors)


class _Found:
    """The texts of an AbonnementAanvraag while it streams past; of several with one name the first counts."""

    def __init__(self) -> None:
        self.root = ""
        self.has_list = False
        self.texts: dict[str, str] = {}
        self.numbers = BsnList().numbers

    def take(self, key: str, element: Element) -> None:
        if not self.root:
            self.root = str(element.getroottree().getroot().tag)
        text = element.text or ""
        if key == names().bsn:
            self.has_list = True
            if len(text) == 9 and text.isascii() and text.isdigit():  # noqa: PLR2004  # the digits of a BSN
                self.numbers.append(int(text))
        else:
            self.texts.setdefault(key, text)

    def aanvraag(self) -> AbonnementAanvraag:
        name = names()
        return AbonnementAanvraag(
            self.texts.get(name.oin, ""),
            self.texts.get(name.verzoek_id, ""),
            BsnList(self.numbers) if self.has_list else None,
            self.texts.get(name.mutatie_datum),
        )


def read_aanvraag(payload: bytes) -> AbonnementAanvraag:
    """Return a valid AbonnementAanvraag; raises :class:`XmlRefused`, or :class:`UnreadableAanvraag` with the requirement that it breaks."""
    reading = scan_aanvraag(payload)
    name = names()
    if reading.root != f"{{{name.namespace}}}{name.aanvraag}":
        raise UnreadableAanvraag(f"the root is not {name.aanvraag} in namespace {name.namespace}", "ABO-002")
    if reading.errors:
        raise UnreadableAanvraag(f"no valid {name.aanvraag}: {reading.errors[0].text}", requirement_of(reading.errors[0]))
    return reading.aanvraag


def requirement_of(error: SchemaError) -> str:
    """Return the requirement on the form of an AbonnementAanvraag that a complaint of the schema is about."""
    name = names()
    if error.is_about_value:
        return {name.bsn: "ABO-008", name.oin: "ABO-005", name.mutatie_datum: "ABO-004"}.get(error.element, "ABO-003")
    if not error.kind.endswith("ELEMENT_CONTENT") or error.namespace:
        return "ABO-003"
    if error.is_missing_child:
        return "ABO-014" if error.element == name.bsn_lijst else "ABO-003"
    return "ABO-004" if _is_about_choice(error) else "ABO-003"


def _is_about_choice(error: SchemaError) -> bool:
    """Tell whether the error is at the place of BSNLijst and MutatieDatum, or behind it."""
    name = names()
    if name.mutatie_datum in error.text.partition("Expected is")[2]:
        return True
    return error.element in {name.bsn_lijst, name.mutatie_datum} and "Expected is" not in error.text and "not expected" in error.text


# -- the answer --------------------------------------------------------------------------------------------------------------------------------

Row = tuple[int, bool]  # a BSN as a number, and whether its abonnement is active


def _antwoord(oin: str, verzoek_id: str, rows: Iterable[Row]) -> Iterator[bytes]:
    name = names()
    before, between, after = f"<{name.abonnement}><{name.bsn}>", f"</{name.bsn}><{name.status}>", f"</{name.status}></{name.abonnement}>"
    actief, inactief = between + name.actief + after, between + name.inactief + after
    yield _opening(name.antwoord, oin, verzoek_id) + f"<{name.abonnementen}>".encode()
    yield from _rows(f"{before}{number:09d}{actief if is_actief else inactief}" for number, is_actief in rows)
    yield f"</{name.abonnementen}>".encode() + _closing(name.antwoord)


def plain_antwoord(oin: str, verzoek_id: str, rows: Iterable[Row]) -> bytes:
    """Return a GLOBE-R-A-Result that is not packed; for small ones."""
    return b"".join(_antwoord(oin, verzoek_id, rows))


def packed_antwoord(oin: str, verzoek_id: str, rows: Iterable[Row], *, piece: int = 999_999) -> Iterator[bytes]:
    """Yield a GLOBE-R-A-Result as a gzip file, in pieces of ``piece`` bytes of which the last may be shorter; in constant memory."""
    engine = zlib.compressobj(wbits=31)
    waiting = bytearray()
    for packed in chain(map(engine.compress, _antwoord(oin, verzoek_id, rows)), map(engine.flush, (zlib.Z_FINISH,))):
        waiting += packed
        while len(waiting) >= piece:
            yield bytes(waiting[:piece])
            del waiting[:piece]
    if waiting:
        yield bytes(waiting)


@dataclass(frozen=True, slots=True)
class AntwoordRegel:
    """One line of an answer: a BSN and the status of its abonnement, as texts of the wire."""

    bsn: str = field(repr=False)
    status: str

    @property
    def is_actief(self) -> bool:
        """Whether the citizen takes letters; raises :class:`UnreadableAntwoord` for a status that is neither Actief nor Inactief."""
        name = names()
        if self.status not in (name.actief, name.inactief):
            raise UnreadableAntwoord(f"a {name.status} is neither {name.actief} nor {name.inactief}")
        return self.status == name.actief

    @property
    def number(self) -> int:
        """The BSN as a number; raises :class:`UnreadableAntwoord` when it is not nine digits."""
        try:
            return bsn_number(self.bsn)
        except ValueError:
            raise UnreadableAntwoord(f"a {names().bsn} is not nine digits") from None


class AntwoordStream:
    """A GLOBE-R-A-Result while it is read: its ``oin`` and ``verzoek_id`` first, and its lines by iterating, once.

    ``root`` is the tag of the root. Of a broken answer the lines come until it breaks: whoever applies them undoes that when the iteration raises.
    """

    def __init__(self, chunks: Iterable[bytes], schema: str | None = None) -> None:
        """Read up to the first line; raises as :func:`read_antwoord` does, and with a ``schema`` :class:`XmlInvalid` at the end."""
        name = names()
        self.oin = self.verzoek_id = self.root = ""
        self._elements = stream(unpack_stream(chunks), (name.oin, name.verzoek_id, name.abonnement), _ANTWOORD_LIMITS, schema)
        self._first: AntwoordRegel | None = None
        for key, element in self._elements:
            if key == name.abonnement:
                self._look_at_root(element)
                self._first = _regel(element)
                return
            self._take(key, element)

    def __iter__(self) -> Iterator[AntwoordRegel]:
        if self._first is None:
            return
        yield self._first
        self._first = None
        abonnement = names().abonnement
        for key, element in self._elements:
            if key == abonnement:
                yield _regel(element)

    def _take(self, key: str, element: Element) -> None:
        """Take what stands before the lines: the first OIN and VerzoekId count."""
        self._look_at_root(element)
        name, text = names(), element.text or ""
        if key == name.oin:
            self.oin = self.oin or text
        elif key == name.verzoek_id:
            self.verzoek_id = self.verzoek_id or text

    def _look_at_root(self, element: Element) -> None:
        if not self.root:
            root = element.getroottree().getroot()
            self.root = str(root.tag)
            if local_name(root) != names().antwoord:
                raise UnreadableAntwoord(f"the root is not {names().antwoord}")


def _regel(element: Element) -> AntwoordRegel:
    name = names()
    if len(element) == 2:  # noqa: PLR2004  # nearly every line, and there may be ten million
        bsn, status = element
        if bsn.tag == name.bsn and status.tag == name.status:
            return AntwoordRegel(bsn.text or "", status.text or "")
    return _unusual_regel(element)


def _unusual_regel(element: Element) -> AntwoordRegel:
    name, bsn, status = names(), None, None
    for child in element:
        if bsn is None and local_name(child) == name.bsn:
            bsn = child.text or ""
        elif status is None and local_name(child) == name.status:
            status = child.text or ""
    if bsn is None or status is None:
        raise UnreadableAntwoord(f"an {name.abonnement} has no {name.bsn} or no {name.status}")
    return AntwoordRegel(bsn, status)


def read_antwoord(chunks: Iterable[bytes]) -> AntwoordStream:
    """Begin to read a GLOBE-R-A-Result, packed or not (its first bytes decide), in constant memory.

    Here or while it is iterated, raises ``PackedTooMuch`` for a bad gzip file, ``XmlRefused`` for bad XML, a break at the very end included, and
    :class:`UnreadableAntwoord` for anything but an answer.
    """
    return AntwoordStream(chunks)
