"""Hypothesis strategies for documents of which is known what becomes of them: nothing is wrong with them, or one thing.

Public, as ``conformance.strategies``: for whoever tests a Berichtenbox, or what an Afnemer makes of a refusal.
"""

import datetime as dt
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hypothesis import strategies as st

from conformance.limits import limits
from conformance.messages.batch import NS_BERICHT, Batch, Bericht, Bijlage
from conformance.messages.guard import etree, parse
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.moments import write_moment
from conformance.messages.validatie import MOST_KLANTEN, NS_SHARED, FaultName, Klant, ValidatieAanvraag
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.strategies import Element, optional, texts
from conformance.transport import soap

_B: Final = f"{{{NS_BERICHT}}}"
_FRESH: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOO_OLD: Final = dt.timedelta(days=20)
_DAYS: Final = 12
_TOO_LARGE: Final = 600_000
_MOST_BERICHTEN: Final = limits().berichten_per_batch_max
_OTHER_OIN: Final = "00000099000000009000"
_SCHEMA_KINDS: Final = (
    "long-onderwerp",
    "no-onderwerp",
    "order",
    "extra-element",
    "attribute",
    "soort-gebruiker",
    "braces",
    "publicatie-datum",
    "long-bericht-type",
    "three-bijlagen",
    "too-many-berichten",
)
_CODE_KINDS: Final = {
    "oin": VerwerkingsCode.OIN_IN_CPA,
    "aanmaak-datum": VerwerkingsCode.AANMAAK_DATUM,
    "bericht-type": VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND,
    "far-publicatie-datum": VerwerkingsCode.PUBLICATIE_DATUM,
    "large-bijlage": VerwerkingsCode.BIJLAGE_TE_GROOT,
}
BATCH_CHANGES: Final = (*_CODE_KINDS, *_SCHEMA_KINDS)
"""What may be wrong with a batch."""
_WHOLE: Final = frozenset({VerwerkingsCode.XML_VALIDATIE, VerwerkingsCode.OIN_IN_CPA})


@dataclass(frozen=True, slots=True)
class ExpectedBatch:
    """A GLOBE-R-BV-Request with nothing wrong (``change`` is empty) or one thing, and the VerwerkingsCode of each of its berichten.

    ``codes`` is one code when the Berichtenbox refuses the batch as a whole.
    """

    document: bytes = field(repr=False)
    codes: tuple[VerwerkingsCode, ...]
    change: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedValidatie:
    """A ValidateAbonnementen in its SOAP envelope about ``bsns``, and what it is answered with.

    ``expected`` is empty for an answer about each of them, ``Client`` for a Fault by the schema, and else the name of the Fault in the WSDL.
    """

    document: bytes = field(repr=False)
    bsns: tuple[str, ...] = field(repr=False)
    expected: str = ""
    change: str = ""


def with_fresh_ids(document: bytes) -> bytes:
    """Return a batch in which each GUID in lower case is a new one, the same one where it was the same: a batch can be sent only once."""
    fresh: dict[bytes, bytes] = {}
    return _FRESH.sub(lambda found: fresh.setdefault(found[0], str(uuid.uuid4()).encode()), document)


def expected_batches(
    oin: str, bericht_type: str, moment: dt.datetime, changes: Sequence[str] = ("", *BATCH_CHANGES)
) -> st.SearchStrategy[ExpectedBatch]:
    """Return a strategy for batches of an Afnemer offered at ``moment``, each with one of ``changes``; the empty one is nothing wrong.

    The BerichtType is one that is active and no longer than 7 characters. Every citizen is one of the reserved test BSNs, who all take it.
    """
    batch_ids = st.uuids(version=4).map(str)
    days = st.integers(0, _DAYS * 86_400).map(lambda seconds: dt.timedelta(seconds=seconds))
    kop = st.tuples(batch_ids, st.builds(lambda ago: write_moment(moment - ago), days))
    bijlage = st.builds(Bijlage.from_octets, st.binary(min_size=1, max_size=60), texts(1, 128), st.just(1))
    berichten = st.builds(
        Bericht,
        st.just(""),
        st.uuids(version=4).map(str),
        st.just(bericht_type),
        texts(1, 50),
        st.sampled_from(reserved_test_bsns()),
        optional(texts(0, 4000)),
        optional(st.builds(lambda ahead: write_moment(moment + ahead), days)),
        referentie=optional(texts(0, 25)),
        bijlagen=st.one_of(st.just(()), bijlage.map(lambda one: (one,))),
    )
    letters = st.lists(berichten, min_size=1, max_size=3, unique_by=lambda one: one.bericht_id)
    kinds = st.sampled_from(changes)
    return st.builds(lambda head, found, kind, pick: _expected_batch(oin, moment, head, found, kind, pick), kop, letters, kinds, st.integers(0, 2))


def _expected_batch(oin: str, moment: dt.datetime, kop: tuple[str, str], found: list[Bericht], kind: str, pick: int) -> ExpectedBatch:
    berichten = [replace(bericht, batch_id=kop[0]) for bericht in found]
    place = pick % len(berichten)
    codes = [VerwerkingsCode.VERWERKT] * len(berichten)
    code = VerwerkingsCode.XML_VALIDATIE if kind in _SCHEMA_KINDS else _CODE_KINDS.get(kind)
    if code in _WHOLE:
        codes = [code] if code else []
    elif code is not None:
        codes = [code if index == place or kind == "aanmaak-datum" else old for index, old in enumerate(codes)]
    if kind == "too-many-berichten":
        berichten = _repeated(berichten[0], _MOST_BERICHTEN + 1)
    berichten[place] = _with_wrong_value(berichten[place], kind, moment)
    aanmaak_datum = write_moment(moment - _TOO_OLD) if kind == "aanmaak-datum" else kop[1]
    batch = Batch(kop[0], aanmaak_datum, _OTHER_OIN if kind == "oin" else oin, tuple(berichten))
    return ExpectedBatch(_with_wrong_form(batch.to_xml(), kind, place), tuple(codes), kind)


def _repeated(bericht: Bericht, count: int) -> list[Bericht]:
    """Return small berichten with ids of their own."""
    first = uuid.UUID(bericht.bericht_id).int >> 16 << 16
    return [
        replace(bericht, bericht_id=str(uuid.UUID(int=first + number)), bericht_tekst=None, referentie=None, bijlagen=()) for number in range(count)
    ]


def _with_wrong_value(bericht: Bericht, kind: str, moment: dt.datetime) -> Bericht:
    changed = {
        "bericht-type": lambda: replace(bericht, bericht_type="NIETS"),
        "far-publicatie-datum": lambda: replace(bericht, publicatie_datum=write_moment(moment + _TOO_OLD)),
        "large-bijlage": lambda: replace(bericht, bijlagen=(Bijlage.from_octets(bytes(_TOO_LARGE), "groot", 1),)),
        "long-onderwerp": lambda: replace(bericht, onderwerp="x" * 51),
        "soort-gebruiker": lambda: replace(bericht, soort_gebruiker="Bedrijf"),
        "braces": lambda: replace(bericht, bericht_id=f"{{{bericht.bericht_id}}}"),
        "publicatie-datum": lambda: replace(bericht, publicatie_datum="morgen"),
        "long-bericht-type": lambda: replace(bericht, bericht_type=f"{bericht.bericht_type:_<9}"),
        "three-bijlagen": lambda: replace(bericht, bijlagen=tuple(Bijlage.from_octets(b"x", "x", number) for number in (1, 2, 2))),
    }
    return changed[kind]() if kind in changed else bericht


def _with_wrong_form(document: bytes, kind: str, place: int) -> bytes:
    if kind not in {"no-onderwerp", "order", "extra-element", "attribute"}:
        return document
    root = parse(document)
    bericht = list(root.iter(f"{_B}BerichtInformatie"))[place]
    onderwerp = next(bericht.iter(f"{_B}Onderwerp"))
    if kind == "no-onderwerp":
        bericht.remove(onderwerp)
    elif kind == "order":
        bericht.append(onderwerp)
    elif kind == "extra-element":
        etree.SubElement(bericht, f"{_B}Extra")
    else:
        bericht.set("soort", "brief")
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def expected_validaties(oin: str, bericht_type: str, changes: Sequence[str] | None = None) -> st.SearchStrategy[ExpectedValidatie]:
    """Return a strategy for questions of an Afnemer to the validatieservice, each with one of ``changes``; the empty one is nothing wrong.

    Each asks about one to five reserved test BSNs, each once.
    """
    bsns = st.lists(st.sampled_from(reserved_test_bsns()), min_size=1, max_size=5, unique=True).map(tuple)
    kinds = st.sampled_from(("", *VALIDATIE_CHANGES) if changes is None else changes)
    return st.builds(
        lambda asked, kind, pick, prefix: _expected_validatie(oin, bericht_type, asked, kind, pick, prefix),
        bsns,
        kinds,
        st.integers(0, 4),
        st.sampled_from(("soap", "s11", "SOAP-ENV")),
    )


def _expected_validatie(oin: str, bericht_type: str, bsns: tuple[str, ...], kind: str, pick: int, prefix: str) -> ExpectedValidatie:
    question = ValidatieAanvraag(oin, bericht_type, tuple(Klant(bsn) for bsn in bsns))
    if kind in _VALIDATIE_VALUES:
        question = _VALIDATIE_VALUES[kind](question)
    element = question.to_element()
    if kind in _VALIDATIE_FORMS:
        klanten = list(element.iter(f"{{{NS_SHARED}}}Klant"))
        _VALIDATIE_FORMS[kind](element, klanten[pick % len(klanten)])
    document = soap.write_envelope(element).replace(b"soap:", f"{prefix}:".encode()).replace(b"xmlns:soap=", f"xmlns:{prefix}=".encode())
    expected = FaultName.APPLICATION if kind in _VALIDATIE_VALUES else "Client" if kind else ""
    return ExpectedValidatie(document, tuple(klant.key or "" for klant in question.klanten or ()), expected, kind)


def _too_many(question: ValidatieAanvraag) -> ValidatieAanvraag:
    return replace(question, klanten=tuple(Klant(bsn) for bsn in reserved_test_bsns()[: MOST_KLANTEN + 1]))


_VALIDATIE_VALUES: Final[dict[str, Callable[[ValidatieAanvraag], ValidatieAanvraag]]] = {
    "no-oin": lambda question: replace(question, leverancier_code=None),
    "other-oin": lambda question: replace(question, leverancier_code=_OTHER_OIN),
    "no-bericht-type": lambda question: replace(question, bericht_type=""),
    "no-klanten": lambda question: replace(question, klanten=()),
    "too-many-klanten": _too_many,
    "no-key": lambda question: replace(question, klanten=(*(question.klanten or ()), Klant(None))),
}


def _set_rol(_question: Element, klant: Element) -> None:
    klant[-1].text = "Bedrijf"


def _swap_codes(question: Element, _klant: Element) -> None:
    aanvraag = question[0]
    aanvraag.insert(0, aanvraag[1])


def _extra_klant_child(_question: Element, klant: Element) -> None:
    etree.SubElement(klant, f"{{{NS_SHARED}}}Naam").text = "x"


def _drop_klanten(question: Element, _klant: Element) -> None:
    question[0].remove(question[0][-1])


def _other_namespace(_question: Element, klant: Element) -> None:
    klant.tag = "{urn:anders}Klant"


_VALIDATIE_FORMS: Final[dict[str, Callable[[Element, Element], None]]] = {
    "rol": _set_rol,
    "order": _swap_codes,
    "extra-element": _extra_klant_child,
    "no-klanten-element": _drop_klanten,
    "namespace": _other_namespace,
}
VALIDATIE_CHANGES: Final = (*_VALIDATIE_VALUES, *_VALIDATIE_FORMS)
"""What may be wrong with a question."""
