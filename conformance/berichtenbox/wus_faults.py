"""What a fault makes of an answer of the validatieservice: other citizens than were asked, nil, or a document that no reader should take."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from conformance.berichtenbox.antwoorden import stranger
from conformance.berichtenbox.faults import Fault
from conformance.messages.guard import etree
from conformance.messages.validatie import NS_TYPES, Abonnement, Element, Klant, ValidatieAanvraag, ValidatieAntwoord

_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NUMERIC: Final = {"true": "1", "false": "0"}
_NOWHERE: Final = "http://127.0.0.1:9/niets"
_SPOILING: Final = ("validatie-unreadable", "validatie-doctype")


def bent(answer: ValidatieAntwoord, asked: ValidatieAanvraag, faults: Mapping[str, Fault]) -> ValidatieAntwoord:
    """Return the answer with the citizens that ``faults`` leave, in their order."""
    for name, fault in faults.items():
        bend = _BENDS.get(name)
        if bend is not None:
            answer = replace(answer, abonnementen=bend(answer.abonnementen, asked, fault))
    return answer


def element_of(answer: ValidatieAntwoord, faults: Mapping[str, Fault]) -> Element:
    """Return the content of the Body, still valid by the schema, as ``faults`` write it."""
    root = answer.to_element()
    if "klant-nil" in faults:
        root[0].insert(0, _nil_abonnement())
    if "numeric-booleans" in faults:
        for element in root.iter("{*}isBerichtSturen"):
            element.text = _NUMERIC[element.text or ""]
    return root


def spoiling(faults: Mapping[str, Fault]) -> str:
    """Return the name of the fault after which nobody can take the answer for one; empty for none."""
    return next((name for name in _SPOILING if name in faults), "")


def written(content: bytes, faults: Mapping[str, Fault]) -> bytes:
    """Return the document of an answer as it goes out."""
    if "validatie-doctype" in faults:
        content = _with_doctype(content, str(faults["validatie-doctype"].parameters["url"]) or _NOWHERE)
    # It breaks off behind the last citizen: whoever looks for words finds an answer there.
    return content[: content.rfind(b"<", 0, content.rfind(b"Abonnement>"))] if "validatie-unreadable" in faults else content


def _nil_abonnement() -> Element:
    element = etree.Element(f"{{{NS_TYPES}}}Abonnement")
    element.set(_NIL, "true")
    return element


def _with_doctype(content: bytes, url: str) -> bytes:
    """Return a document that tries to make its reader fetch something: the first Key holds the entity."""
    head, _, body = content.partition(b"?>")
    entity = f'?><!DOCTYPE x [<!ENTITY ext SYSTEM "{url}">]>'.encode()
    return head + entity + body.replace(b"Key>", b"Key>&ext;", 1)


_Abonnementen = tuple[Abonnement, ...]


def _with_stranger(items: _Abonnementen, asked: ValidatieAanvraag, fault: Fault) -> _Abonnementen:
    keys = {klant.key for klant in asked.klanten or ()}
    return Abonnement(Klant(stranger(str(fault.parameters["bsn"]), keys.__contains__)), is_bericht_sturen=True), *items


_BENDS: Final[Mapping[str, Callable[[_Abonnementen, ValidatieAanvraag, Fault], _Abonnementen]]] = {
    "klant-missing": lambda items, _asked, _fault: items[:-1],
    "klant-order": lambda items, _asked, _fault: items[::-1],
    "klant-twice": lambda items, _asked, _fault: tuple(item for item in items for _ in range(2)),
    "klant-extra": _with_stranger,
    "klant-nil": lambda items, _asked, _fault: (Abonnement(None, is_bericht_sturen=True), *items),
}
