"""Hypothesis strategies for the messages of the Berichtenbox: documents that the schemas accept, and documents that are one step off.

For property tests of an Afnemer's own reader or writer, and for `berichtenbox verify`.
The documents obey the schema, not every rule of the koppelvlak: that is what the rules are for. ``conformance.strategies_expected`` has documents
of which is known what a Berichtenbox makes of them.
"""

import base64
import datetime as dt
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Final, cast

from hypothesis import strategies as st

from conformance.messages.abonnement import AbonnementAanvraag, plain_antwoord
from conformance.messages.batch import NS_BATCH, NS_BERICHT
from conformance.messages.bsns import BsnList
from conformance.messages.guard import etree, local_name, parse
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.verwerkingsbericht import COUNTERS, NS_RESULT, VerwerkingsCode

Element = etree._Element  # noqa: SLF001  # lxml has no public name for it
Field = tuple[str, str | None]
Mutation = Callable[[Element, int], Element]

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_V, _B, _R = f"{{{NS_BATCH}}}", f"{{{NS_BERICHT}}}", f"{{{NS_RESULT}}}"
_GUID: Final = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
_MOMENT: Final = "2026-01-31T12:00:00Z"
_CODES: Final = tuple(code.value for code in VerwerkingsCode)
_COUNTERS: Final = ("TotaalAantalOntvangenBerichten", *COUNTERS)
_LONGEST: Final = {"BerichtLeverancierID": 25, "BerichtType": 8, "Onderwerp": 50, "BerichtTekst": 4000, "Referentie": 25, "Omschrijving": 128}
_MOST: Final = {"Bericht": 1000, "Bijlage": 2}
_GUIDS: Final = frozenset({"BatchID", "BerichtID"})
_MOMENTS: Final = frozenset({"AanmaakDatum", "PublicatieDatum", "EindDatumHandelingsTermijn", "DatumOntvangen", "DatumVerwerkt"})
_INTEGERS: Final = frozenset({"Volgorde", *_COUNTERS})

# Values around every edge of the schemas, by what they resemble; about half of each is valid in its own place.
_EDGES: Final[dict[str, tuple[str, ...]]] = {
    "guid": (
        _GUID,
        _GUID.upper(),
        "00000000-0000-0000-0000-000000000000",
        _GUID.replace("1", "\u0661"),
        _GUID.replace("1", "\U0001d7cf"),
        f"{{{_GUID}}}",
        f" {_GUID}",
        f"{_GUID}\n",
        _GUID.replace("-", ""),
        _GUID[:-1],
        _GUID.replace("a", "g"),
        _GUID.replace("a", "\uff21"),
    ),
    "moment": (
        _MOMENT,
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+02:00",
        "2026-01-31T12:00:00.123456-14:00",
        "2024-02-29T23:59:59.9Z",
        "2026-02-29T12:00:00Z",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00+14:01",
        "31-01-2026",
    ),
    "integer": ("0", "1", "2", "-5", "+1", "007", " 1 ", "2147483647", "2147483648", "-2147483648", "1.0", "1e3", "\u0661", "een"),
    "base64": ("QQ==", "QUI=", "QUJD", "QUJD\nQUJD", " QUJD ", "QU JD", "QUJ", "Q===", "JVBERi0x!"),
    "enumeration": ("Burger", "burger", " Burger", "Bedrijf", "Pdf", "PDF", "pdf", "Pdf ", "00", "Onbekend", *_CODES),
    "text": ("x", "\u20ac 5,-", "a\\r\\nb", "a\nb", " x ", "\U0001f4ec", "e\u0301", "<&>", "NA"),
}
_ALL_EDGES: Final = ("", " ", *(value for values in _EDGES.values() for value in values))

_NO_PREFIXES: Final = cast("tuple[str, str]", (None, None))  # the stubs of lxml forget that a default namespace has none
_CHARACTERS: Final = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufffe\uffff")


def texts(shortest: int, longest: int) -> st.SearchStrategy[str]:
    """Return a strategy for texts of any letters, of which one is as short as it may be and one as long."""
    edges = st.sampled_from((max(shortest, 1), longest)).map(lambda size: "\u00e9" * size)
    return st.one_of(st.text(_CHARACTERS, min_size=shortest, max_size=min(longest, 30)), edges)


def moments() -> st.SearchStrategy[str]:
    """Return a strategy for moments as XML writes them: in Zulu time, with part of a second, at an offset or without a zone."""
    seconds = st.integers(0, 4_000_000_000)
    shapes = st.sampled_from(("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.123Z", "%Y-%m-%dT%H:%M:%S+01:00", "%Y-%m-%dT%H:%M:%S"))
    return st.builds(lambda at, shape: dt.datetime.fromtimestamp(at, dt.UTC).strftime(shape), seconds, shapes)


def _guids() -> st.SearchStrategy[str]:
    return st.builds(lambda guid, write: write(str(guid)), st.uuids(), st.sampled_from((str, str.upper)))


def optional(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    """Return a strategy for a value that may be left out, which is ``None``."""
    return st.one_of(st.none(), values)


def _fields(**strategies: st.SearchStrategy[str] | st.SearchStrategy[str | None]) -> st.SearchStrategy[tuple[Field, ...]]:
    """Return a strategy for named texts in this order; ``None`` stands for an element that is left out."""
    return st.tuples(*strategies.values()).map(lambda values: tuple(zip(strategies, values, strict=True)))


def _add(parent: Element, namespace: str, fields: Sequence[Field]) -> None:
    for name, text in fields:
        if text is not None:
            etree.SubElement(parent, namespace + name).text = text


def _write(root: Element) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


@cache
def batches() -> st.SearchStrategy[bytes]:
    """Return a strategy for schema-valid GLOBE-R-BV-Request documents, in UTF-8, with one to three berichten.

    Every GebruikerID is a reserved test BSN; the BatchID of each bericht repeats the one of the batch.
    """
    kop = _fields(BatchID=_guids(), AanmaakDatum=moments(), BerichtLeverancierID=st.one_of(_oins(), texts(1, 25)))
    bericht = st.tuples(_bericht_fields(), st.lists(_bijlage_fields(), max_size=2))
    return st.builds(_batch, kop, st.lists(bericht, min_size=1, max_size=3), st.sampled_from((_NO_PREFIXES, ("v", "b"), ("ns1", "ns2"))))


def _bericht_fields() -> st.SearchStrategy[tuple[Field, ...]]:
    return _fields(
        BerichtID=_guids(),
        BerichtType=texts(1, 8),
        PublicatieDatum=optional(moments()),
        EindDatumHandelingsTermijn=optional(moments()),
        Onderwerp=texts(1, 50),
        BerichtTekst=optional(texts(0, 4000)),
        Referentie=optional(texts(0, 25)),
        GebruikerID=st.sampled_from(reserved_test_bsns()),
        SoortGebruiker=st.just("Burger"),
    )


def _bijlage_fields() -> st.SearchStrategy[tuple[Field, ...]]:
    return _fields(
        Inhoud=st.binary(min_size=1, max_size=40).map(lambda octets: base64.b64encode(octets).decode()),
        BijlageType=st.just("Pdf"),
        Omschrijving=texts(1, 128),
        Volgorde=st.sampled_from(("1", "2")),
    )


Bijlagen = list[tuple[Field, ...]]


def _batch(kop: tuple[Field, ...], berichten: list[tuple[tuple[Field, ...], Bijlagen]], prefixes: tuple[str, str]) -> bytes:
    root = etree.Element(f"{_V}Berichten", nsmap={prefixes[0]: NS_BATCH})
    _add(etree.SubElement(root, f"{_V}BatchInformatie"), _V, kop)
    for fields, bijlagen in berichten:
        bericht = etree.SubElement(root, f"{_B}Bericht", nsmap={prefixes[1]: NS_BERICHT})
        _add(etree.SubElement(bericht, f"{_B}BerichtInformatie"), _B, (kop[0], *fields))
        parent = etree.SubElement(bericht, f"{_B}Bijlagen") if bijlagen else bericht
        for bijlage in bijlagen:
            _add(etree.SubElement(parent, f"{_B}Bijlage"), _B, bijlage)
    return _write(root)


@cache
def results() -> st.SearchStrategy[bytes]:
    """Return a strategy for schema-valid GLOBE-R-BV-Result documents, in UTF-8, with up to four berichten.

    Stadium is absent, nil, empty or filled; the counters are plausible numbers that need not add up.
    """
    counters = dict.fromkeys(_COUNTERS, st.integers(0, 1000).map(str))
    tijden = dict.fromkeys(("DatumOntvangen", "DatumVerwerkt"), moments())
    kop = _fields(BerichtLeverancierCode=texts(0, 25), BatchID=_guids(), **counters, **tijden)
    fields = _fields(BerichtID=_guids(), BerichtType=texts(0, 8), VerwerkingsCode=st.sampled_from(_CODES))
    stadia = st.sampled_from((None, "nil", "", "NA", "StoreMessage", "ValidatieGebruiker"))
    return st.builds(_result, kop, st.lists(st.tuples(fields, stadia), max_size=4))


def _result(kop: tuple[Field, ...], berichten: list[tuple[tuple[Field, ...], str | None]]) -> bytes:
    return _write(result_element(kop, berichten))


def result_element(
    kop: Sequence[Field], berichten: Sequence[tuple[Sequence[Field], str | None]], prefixes: tuple[str, str] = ("ns2", "ns3")
) -> Element:
    """Return a GLOBE-R-BV-Result of these texts: those of BatchInformatie, and those of each Bericht with its Stadium (absent, ``nil`` or a text)."""
    root = etree.Element(f"{_V}BerichtVerwerkResponse", nsmap={prefixes[0]: NS_BATCH, prefixes[1]: NS_RESULT})
    _add(etree.SubElement(root, "BatchInformatie"), "", kop)
    parent = etree.SubElement(root, "Berichten")
    for fields, stadium in berichten:
        bericht = etree.SubElement(parent, f"{_R}Bericht")
        _add(bericht, "", (*fields, ("Stadium", stadium)))
        if stadium == "nil":
            bericht[-1].text = None
            bericht[-1].set(f"{{{_XSI}}}nil", "true")
    return root


@cache
def abonnement_aanvragen() -> st.SearchStrategy[bytes]:
    """Return a strategy for schema-valid GLOBE-R-A-Request documents, in UTF-8: for all, for a list of up to five BSNs, or for what changed.

    Every BSN is a reserved test BSN; one may stand in a list twice.
    """
    lists = st.lists(st.sampled_from(reserved_test_bsns()), min_size=1, max_size=5).map(lambda bsns: (BsnList.of(bsns), None))
    asked = st.one_of(st.just((None, None)), lists, moments().map(lambda moment: (None, moment)))
    verzoek_ids = st.one_of(_guids(), texts(0, 40))
    return st.builds(lambda oin, verzoek_id, what: AbonnementAanvraag(oin, verzoek_id, *what).to_xml(), _oins(), verzoek_ids, asked)


@cache
def abonnement_antwoorden() -> st.SearchStrategy[bytes]:
    """Return a strategy for GLOBE-R-A-Result documents that satisfy our sketch of its schema: packed or not, with up to five lines.

    Every BSN is a reserved test BSN; one may have several lines, with either status.
    """
    rows = st.lists(st.tuples(st.sampled_from(reserved_test_bsns()).map(int), st.booleans()), max_size=5)
    plain = st.builds(plain_antwoord, _oins(), st.one_of(_guids(), texts(0, 40)), rows)
    return st.builds(lambda document, pack: pack(document), plain, st.sampled_from((bytes, gzip.compress)))


def _oins() -> st.SearchStrategy[str]:
    return st.integers(0, 10**9 - 1).map(lambda number: f"00000099{number:09d}000")


DAMAGES: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "broken off": lambda document, at: document[:at],
    "a byte lost": lambda document, at: document[:at] + document[at + 1 :],
    "a byte changed": lambda document, at: document[:at] + b"\0" + document[at + 1 :],
    "a piece twice": lambda document, at: document[:at] + document[at // 2 :],
}
"""What may happen to a document on its way, by name."""


def damaged(documents: st.SearchStrategy[bytes], ways: Sequence[str] = tuple(DAMAGES)) -> st.SearchStrategy[bytes]:
    """Return a strategy for the documents of ``documents`` after one damage on their way, of these ``ways``.

    Nearly every result is no XML any more, or no gzip file; a byte that is lost in the middle of a text may do no harm.
    """
    return st.builds(
        lambda document, way, place: DAMAGES[way](document, place % max(len(document), 1)), documents, st.sampled_from(ways), st.integers(0, 60_000)
    )


def mutated(documents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for the documents of ``documents`` after one to three directed changes.

    Elements are dropped, repeated, swapped, renamed, moved to another namespace, emptied, made nil, given attributes or values on an edge.
    Many results are still valid: a mutation is a question to a reader, not an error.
    """
    step = st.tuples(st.sampled_from(_MUTATIONS), st.integers(0, 4000), st.integers(0, 4000))
    return st.builds(_mutate, documents, st.lists(step, min_size=1, max_size=3))


def _mutate(document: bytes, steps: list[tuple[Mutation, int, int]]) -> bytes:
    root = parse(document)
    for mutation, place, pick in steps:
        candidates = tuple(_candidates(root, mutation))
        if candidates:
            root = mutation(candidates[place % len(candidates)], pick)
    return _write(root)


def _candidates(root: Element, mutation: Mutation) -> Iterator[Element]:
    """Yield the elements on which ``mutation`` says something: leaves for values, repeatable ones to overfill, and never the root to drop."""
    for element in root.iter("*"):
        if mutation in _ON_LEAVES and len(element):
            continue
        if mutation is _overfill and local_name(element) not in _MOST:
            continue
        if mutation in _ON_CHILDREN and element.getparent() is None:
            continue
        yield element


def _top(element: Element) -> Element:
    return element.getroottree().getroot()


def _parent(element: Element) -> Element:
    parent = element.getparent()
    return element if parent is None else parent


def _name(namespace: str | None, local: str) -> str:
    return f"{{{namespace}}}{local}" if namespace else local


def _drop(element: Element, _: int) -> Element:
    root = _top(element)
    _parent(element).remove(element)
    return root


def _repeat(element: Element, pick: int) -> Element:
    for _ in range(1 + pick % 2):
        element.addnext(deepcopy(element))
    return _top(element)


def _overfill(element: Element, pick: int) -> Element:
    """Repeat up to the maximum or one more; a thousand only now and then, as it is slow."""
    most = _MOST[local_name(element)]
    if most > 2 and pick % 16:  # noqa: PLR2004  # the two bijlagen are cheap
        return _repeat(element, pick)
    alike = [child for child in _parent(element) if child.tag == element.tag]
    for _ in range(most + pick // 16 % 2 - len(alike)):
        element.addnext(deepcopy(element))
    return _top(element)


def _swap(element: Element, pick: int) -> Element:
    """Move the element somewhere else among its siblings."""
    siblings = [child for child in _parent(element) if child is not element]
    if siblings:
        siblings[pick % len(siblings)].addprevious(element)
    return _top(element)


def _rename(element: Element, pick: int) -> Element:
    name, namespace = local_name(element), etree.QName(element).namespace
    names = (name.lower(), name + "en", "BatchId", "BerichtLeverancierCode", "BerichtLeverancierID", "Bericht", "Berichten", "Stadium")
    element.tag = _name(namespace, names[pick % len(names)])
    return _top(element)


def _change_namespace(element: Element, pick: int) -> Element:
    namespaces = (NS_BATCH, NS_BERICHT, NS_RESULT, "urn:anders", None)
    element.tag = _name(namespaces[pick % len(namespaces)], local_name(element))
    return _top(element)


def _kind(name: str) -> str:
    kinds = {"guid": _GUIDS, "moment": _MOMENTS, "integer": _INTEGERS, "base64": {"Inhoud"}}
    enumerations = {"VerwerkingsCode", "SoortGebruiker", "BijlageType"}
    return next((kind for kind, names in {**kinds, "enumeration": enumerations}.items() if name in names), "text")


def _set_edge(element: Element, pick: int) -> Element:
    values = _EDGES[_kind(local_name(element))]
    element.text = values[pick % len(values)]
    return _top(element)


def _set_anything(element: Element, pick: int) -> Element:
    element.text = _ALL_EDGES[pick % len(_ALL_EDGES)]
    return _top(element)


def _resize(element: Element, pick: int) -> Element:
    """Give a text the length 0, 1, its maximum or one more, in characters of one, two or four bytes."""
    longest = _LONGEST.get(local_name(element), 25)
    sizes, characters = (0, 1, longest, longest + 1), ("x", "\u00e9", "\U0001f4ec", " ")
    element.text = characters[pick // len(sizes) % len(characters)] * sizes[pick % len(sizes)]
    return _top(element)


def _surround(element: Element, pick: int) -> Element:
    spaces = (" ", "\n", "\t", "\u00a0")
    element.text = spaces[pick % len(spaces)] + (element.text or "") + spaces[pick // 4 % len(spaces)]
    return _top(element)


def _other_digits(element: Element, pick: int) -> Element:
    """Write the ASCII digits in another script: the pattern of the GUID takes them."""
    zeros = (0x660, 0x966, 0xFF10)
    element.text = (element.text or "").translate({ord("0") + digit: zeros[pick % len(zeros)] + digit for digit in range(10)})
    return _top(element)


def _other_case(element: Element, pick: int) -> Element:
    element.text = (str.upper, str.lower, str.swapcase)[pick % 3](element.text or "")
    return _top(element)


def _empty(element: Element, _: int) -> Element:
    for child in list(element):
        element.remove(child)
    element.text = None
    return _top(element)


def _add_attribute(element: Element, pick: int) -> Element:
    names = ("id", "{http://www.w3.org/XML/1998/namespace}lang", "{urn:anders}id", f"{{{_XSI}}}onbekend")
    element.set(names[pick % len(names)], "nl")
    return _top(element)


def _set_nil(element: Element, pick: int) -> Element:
    element.set(f"{{{_XSI}}}nil", ("true", "1", "false", "ja")[pick % 4])
    return _empty(element, pick) if pick % 2 else _top(element)


def _set_type(element: Element, pick: int) -> Element:
    """Name the type in the document: allowed, when the schema knows it there."""
    namespaces = (NS_BERICHT, NS_RESULT, "http://www.w3.org/2001/XMLSchema", NS_BATCH)
    names = ("guid", "guid", "string", "token", "int", "dateTime", "Bericht", "Bestand")
    root, namespace = _top(element), namespaces[pick % len(namespaces)]
    copy = etree.Element(element.tag, nsmap=cast("dict[str, str]", {**element.nsmap, "t": namespace}))
    copy.text = element.text
    copy.set(f"{{{_XSI}}}type", f"t:{names[pick // len(namespaces) % len(names)]}")
    _parent(element).replace(element, copy)
    return root


def _add_text(element: Element, pick: int) -> Element:
    """Put text after an element, where only other elements may stand; blanks do no harm."""
    element.tail = ("\n  ", "x", "\u00a0", "\t")[pick % 4]
    return _top(element)


def _add_child(element: Element, pick: int) -> Element:
    etree.SubElement(element, (f"{_V}Extra", f"{_B}Referentie", "Stadium", "Extra")[pick % 4]).text = "x"
    return _top(element)


def _make_root(element: Element, _: int) -> Element:
    root = deepcopy(element)
    root.tail = None  # text after an element is no part of it, and may not follow a root
    return root


_ON_LEAVES: Final = frozenset({_set_edge, _set_anything, _resize, _surround, _other_digits, _other_case, _set_type})
_ON_CHILDREN: Final = frozenset({_drop, _repeat, _overfill, _swap, _add_text, _set_type})
# Values stand twice: there are many more edges of values than of structure, and half of them are valid.
_MUTATIONS: Final = (
    _set_edge,
    _set_edge,
    _set_edge,
    _resize,
    _resize,
    _set_anything,
    _surround,
    _other_digits,
    _other_case,
    _drop,
    _repeat,
    _overfill,
    _swap,
    _rename,
    _change_namespace,
    _empty,
    _add_attribute,
    _set_nil,
    _set_type,
    _add_text,
    _add_child,
    _make_root,
)
