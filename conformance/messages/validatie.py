"""ValidateAbonnementen of the BerichtenboxValidatieService: the question who wants letters of a BerichtType, its answer and its two faults.

Reads what the schema lets through, nil included; whether the service can answer it is decided elsewhere. Everything here is qualified.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from conformance.limits import limits
from conformance.messages.guard import etree, local_name, schema_errors

Element = etree._Element  # noqa: SLF001  # lxml has no public name for it

NS_SERVICE: Final = "http://schemas.rdw.nl/GEB/BerichtenboxValidatieService/2009/01"
NS_TYPES: Final = "http://schemas.rdw.nl/GEB/BerichtenboxValidatieService/Types/2009/01"
NS_SHARED: Final = "http://schemas.rdw.nl/GEB/Shared/Types/2009/01"
ACTION: Final = f"{NS_SERVICE}/IBerichtenboxValidatieService/ValidateAbonnementen"
RESPONSE_ACTION: Final = f"{ACTION}Response"
SCHEMA: Final = "validatie-dienst.xsd"
MOST_KLANTEN: Final = limits().validatie_klanten_max
BURGER: Final = "Burger"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NIL: Final = f"{{{_XSI}}}nil"
_S, _T, _K = f"{{{NS_SERVICE}}}", f"{{{NS_TYPES}}}", f"{{{NS_SHARED}}}"
_PREFIXES: Final = {"s": NS_SERVICE, "t": NS_TYPES, "k": NS_SHARED, "i": _XSI}
_TRUE: Final = frozenset({"true", "1"})


class FaultName(StrEnum):
    """The faults that the WSDL declares: the request is wrong or not allowed, or a register behind the service is down."""

    APPLICATION = "ApplicationFault"
    DEPENDENT_SERVICE = "DependentServiceFault"

    @property
    def action(self) -> str:
        """The action of WS-Addressing for this fault."""
        return f"{ACTION}{self}Fault"


class UnreadableValidatie(ValueError):  # noqa: N818  # names the thing that is wrong
    """A document that is not the expected message of ValidateAbonnementen: the text says at which element, without quoting values."""


@dataclass(frozen=True, slots=True)
class Klant:
    """A citizen by BSN; ``None`` where an element is nil or absent."""

    key: str | None = field(repr=False)
    rol: str | None = BURGER


@dataclass(frozen=True, slots=True)
class ValidatieAanvraag:
    """The question: the OIN of who wants to send, the BerichtType, and the citizens; ``None`` where an element is nil or absent."""

    leverancier_code: str | None
    bericht_type: str | None
    klanten: tuple[Klant, ...] | None

    def __repr__(self) -> str:
        return f"<ValidatieAanvraag {self.bericht_type}: {len(self.klanten or ())} klanten>"

    def to_element(self) -> Element:
        """Return the content of the Body."""
        root = etree.Element(f"{_S}ValidateAbonnementen", nsmap=_PREFIXES)
        aanvraag = etree.SubElement(root, f"{_S}validateAbonnementenAanvraag")
        _add(aanvraag, f"{_T}berichtleverancierCode", self.leverancier_code)
        _add(aanvraag, f"{_T}berichtTypeCode", self.bericht_type)
        klanten = _add(aanvraag, f"{_T}klanten", None if self.klanten is None else "")
        for klant in self.klanten or ():
            _add_klant(klanten, f"{_K}Klant", klant)
        return root


@dataclass(frozen=True, slots=True)
class Abonnement:
    """Whether a citizen has a Berichtenbox and wants these letters; ``klant`` is ``None`` when it is nil."""

    klant: Klant | None
    is_bericht_sturen: bool


@dataclass(frozen=True, slots=True)
class ValidatieAntwoord:
    """The answer, in any order; a nil Abonnement is left out."""

    abonnementen: tuple[Abonnement, ...]

    def __repr__(self) -> str:
        wanted = sum(item.is_bericht_sturen for item in self.abonnementen)
        return f"<ValidatieAntwoord: {wanted} of {len(self.abonnementen)} want it>"

    def to_element(self) -> Element:
        """Return the content of the Body."""
        root = etree.Element(f"{_S}ValidateAbonnementenResponse", nsmap=_PREFIXES)
        result = etree.SubElement(root, f"{_S}ValidateAbonnementenResult")
        for item in self.abonnementen:
            abonnement = etree.SubElement(result, f"{_T}Abonnement")
            _add_klant(abonnement, f"{_T}klant", item.klant or Klant(None, None))
            _add(abonnement, f"{_T}isBerichtSturen", "true" if item.is_bericht_sturen else "false")
        return root


def fault_element(name: FaultName, message: str) -> Element:
    """Return the entry of a Fault's detail."""
    root = etree.Element(_K + name, nsmap={"k": NS_SHARED})
    _add(root, f"{_K}Message", message)
    return root


def _add(parent: Element, tag: str, text: str | None) -> Element:
    element = etree.SubElement(parent, tag)
    if text is None:
        element.set(_NIL, "true")
    else:
        element.text = text
    return element


def _add_klant(parent: Element, tag: str, klant: Klant) -> None:
    if klant.key is None and klant.rol is None:
        _add(parent, tag, None)
        return
    element = etree.SubElement(parent, tag)
    _add(element, f"{_K}Key", klant.key)
    if klant.rol is not None:
        _add(element, f"{_K}Rol", klant.rol)


# -- reading -----------------------------------------------------------------------------------------------------------------------------------


def read_aanvraag(root: Element) -> ValidatieAanvraag:
    """Return the question in the content of a Body; raises :class:`UnreadableValidatie` when it is not valid against the schema."""
    aanvraag = _first(_checked(root, "ValidateAbonnementen"))
    if aanvraag is None:
        return ValidatieAanvraag(None, None, None)
    code, bericht_type, klanten = aanvraag
    found = None if _is_nil(klanten) else tuple(_read_klant(klant) or Klant(None, None) for klant in klanten)
    return ValidatieAanvraag(_text(code), _text(bericht_type), found)


def read_antwoord(root: Element) -> ValidatieAntwoord:
    """Return the answer in the content of a Body; raises :class:`UnreadableValidatie` when it is not valid against the schema."""
    result = _first(_checked(root, "ValidateAbonnementenResponse"))
    return ValidatieAntwoord(tuple(_read_abonnementen(() if result is None else result)))


def _checked(root: Element, name: str) -> Element:
    if root.tag != _S + name:
        raise UnreadableValidatie(f"the message is not a {name} in namespace {NS_SERVICE}")
    errors = schema_errors(root, SCHEMA, most=1)
    if errors:
        raise UnreadableValidatie(f"no valid {name}, at {errors[0].path} (line {errors[0].line}): {errors[0].text}")
    return root


def _first(root: Element) -> Element | None:
    return None if len(root) == 0 or _is_nil(root[0]) else root[0]


def _is_nil(element: Element) -> bool:
    return element.get(_NIL, "").strip() in _TRUE


def _text(element: Element | None) -> str | None:
    return None if element is None or _is_nil(element) else element.text or ""


def _read_klant(element: Element) -> Klant | None:
    if _is_nil(element):
        return None
    children = {local_name(child): child for child in element}
    return Klant(_text(children.get("Key")), _text(children.get("Rol")))


def _read_abonnementen(result: Element | tuple[()]) -> Iterator[Abonnement]:
    for element in result:
        if not _is_nil(element):
            klant, is_bericht_sturen = element
            yield Abonnement(_read_klant(klant), (is_bericht_sturen.text or "").strip() in _TRUE)
