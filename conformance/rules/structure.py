"""Rules over the form of a GLOBE-R-BV-Request: well-formed, the right namespaces, valid against the schema.

Each complaint of the schema goes to the requirement that it is about; what no other requirement names goes to AANL-024.
"""

import re
from collections.abc import Iterator
from typing import Final

from conformance.limits import limits
from conformance.messages.batch import NS_BATCH, NS_BERICHT, SCHEMA, Batch
from conformance.messages.guard import Refusal, SchemaError, XmlRefused, etree, local_name, schema_errors
from conformance.messages.identities import PARTY_PREFIX
from conformance.rules.findings import Finding

CATCH_ALL: Final = "AANL-024"

_OF_REFUSAL: Final = {
    Refusal.DOCTYPE: "AANL-021",
    Refusal.TOO_LARGE: "AANL-026",
    Refusal.TOO_MANY_ATTRIBUTES: "AANL-025",
    # No document of the schema is that deep or has so many tags, and only an Inhoud can be that long.
    Refusal.TOO_DEEP: CATCH_ALL,
    Refusal.TOO_MANY_ELEMENTS: CATCH_ALL,
    Refusal.TEXT_TOO_LONG: "AANL-082",
}
_OF_VALUE: Final = {
    "BatchID": "AANL-030",
    "BerichtLeverancierID": "AANL-037",
    "BerichtID": "AANL-051",
    "BerichtType": "AANL-055",
    "Onderwerp": "AANL-063",
    "BerichtTekst": "AANL-067",
    "Referentie": "AANL-074",
    "GebruikerID": "AANL-075",
    "SoortGebruiker": "AANL-078",
    "Inhoud": "AANL-085",
    "BijlageType": "AANL-087",
    "Omschrijving": "AANL-091",
    "Volgorde": "AANL-093",
}
_EXPECTED: Final = {
    "AANL-023": "Bericht and all below it in namespace B, qualified",
    "AANL-025": "no attributes",
    "AANL-030": "a GUID: 8-4-4-4-12 hex digits, without braces",
    "AANL-037": "an OIN of 20 digits",
    "AANL-038": "the OIN without urn:osb:oin:",
    "AANL-041": "1 to 1000 berichten",
    "AANL-051": "a GUID: 8-4-4-4-12 hex digits, without braces",
    "AANL-055": "1 to 8 characters",
    "AANL-057": "a dateTime, or no PublicatieDatum at all",
    "AANL-063": "1 to 50 characters",
    "AANL-067": "at most 4000 characters, line breaks written as four",
    "AANL-074": "at most 25 characters",
    "AANL-075": "9 digits",
    "AANL-078": "Burger",
    "AANL-080": "no Bijlagen element when there is no bijlage",
    "AANL-081": "at most 2 bijlagen",
    "AANL-085": "base64 of at least one octet",
    "AANL-087": "Pdf, spelled so",
    "AANL-091": "1 to 128 characters",
    "AANL-093": "a whole number",
}
_SCHEMA_NOISE: Final = re.compile(r"\{[a-z]+:[^}]*\}|^Element '[^']*'(?:, attribute '[^']*')?: |\[facet '\w+'\] ")
_BELOW_BERICHT: Final = frozenset(
    {*_OF_VALUE, "BerichtInformatie", "PublicatieDatum", "EindDatumHandelingsTermijn", "Bijlagen", "Bijlage", "Bericht"} - {"BerichtLeverancierID"}
)
_ATTRIBUTE_KINDS: Final = frozenset({"SCHEMAV_CVC_COMPLEX_TYPE_3_2_1", "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2", "SCHEMAV_CVC_TYPE_3_1_1"})
_CONTENT_KIND: Final = "SCHEMAV_ELEMENT_CONTENT"


def refused(refusal: XmlRefused) -> Finding:
    """Return the finding for a document that could not be read at all."""
    requirement = _OF_REFUSAL.get(refusal.reason, "AANL-020")
    place = f"line {refusal.line}" if refusal.line else "document"
    return Finding(requirement, place, "a well-formed XML 1.0 document without DOCTYPE, within the limits", f"{refusal.reason}: {refusal}")


def root_finding(root: etree._Element) -> Finding | None:
    """Return the finding for a root other than Berichten in namespace V, or ``None``."""
    if root.tag == f"{{{NS_BATCH}}}Berichten":
        return None
    return Finding("AANL-022", local_name(root), f"root Berichten in namespace {NS_BATCH}", f"root {root.tag}")


def schema_findings(root: etree._Element) -> Iterator[Finding]:
    """Yield one finding for each place and requirement that the schema complains about."""
    given: set[tuple[str, str]] = set()
    for error in schema_errors(root, SCHEMA):
        requirement = _requirement_of(error, root)
        if (error.path, requirement) not in given:
            given.add((error.path, requirement))
            expected = _EXPECTED.get(requirement, "the elements of the schema, in their order and number")
            bericht = None if requirement == "AANL-041" else _index_of_bericht(error.path)
            yield Finding(requirement, error.path, expected, _SCHEMA_NOISE.sub("", error.text), bericht=bericht)


def _requirement_of(error: SchemaError, root: etree._Element) -> str:
    if error.kind in _ATTRIBUTE_KINDS:
        return "AANL-025"
    if error.kind == _CONTENT_KIND:
        return _requirement_of_content(error, root)
    if not error.is_about_value:
        return CATCH_ALL
    if error.element == "PublicatieDatum" and not error.value.strip():
        return "AANL-057"
    if error.element == "BerichtLeverancierID" and error.value.startswith(PARTY_PREFIX):
        return "AANL-038"
    return _OF_VALUE.get(error.element, CATCH_ALL)


def _requirement_of_content(error: SchemaError, root: etree._Element) -> str:
    if error.element in _BELOW_BERICHT and error.parent != "BatchInformatie" and error.namespace != NS_BERICHT:
        return "AANL-023"
    if error.is_missing_child:
        return _requirement_of_what_is_missing(error, root)
    if error.element == "Bijlage" and _place_of("Bijlage", error.path) > limits().bijlagen_max:
        return "AANL-081"
    if error.element == "Bericht" and _place_of("Bericht", error.path) > limits().berichten_per_batch_max:
        return "AANL-041"
    return CATCH_ALL


def _requirement_of_what_is_missing(error: SchemaError, root: etree._Element) -> str:
    if error.element == "Bijlagen":
        return "AANL-080"
    return "AANL-041" if error.element == "Berichten" and len(root) else CATCH_ALL


def _index_of_bericht(path: str) -> int | None:
    return _place_of("Bericht", path) - 1 if _place_of("Bericht", path) else None


def _place_of(name: str, path: str) -> int:
    """Return the place among its equals of the element ``name`` on ``path``, 0 when it is not on it."""
    step = next((step for step in path.split("/") if step.partition("[")[0] == name), None)
    if step is None:
        return 0
    return int(step.partition("[")[2][:-1] or 1)


def decided_by_form(batch: Batch) -> frozenset[str]:
    """Return the requirements on form for which ``batch`` holds something to decide on."""
    always = {"AANL-020", "AANL-021", "AANL-022", "AANL-023", CATCH_ALL, "AANL-025", "AANL-030", "AANL-041"}
    if not batch.berichten:
        return frozenset(always)
    always |= {"AANL-051", "AANL-055", "AANL-057", "AANL-063", "AANL-078"}
    if any(bericht.bericht_tekst is not None for bericht in batch.berichten):
        always.add("AANL-067")
    if any(bericht.referentie is not None for bericht in batch.berichten):
        always.add("AANL-074")
    if any(not bericht.bijlagen for bericht in batch.berichten):
        always.add("AANL-080")
    if any(bericht.bijlagen for bericht in batch.berichten):
        always |= {"AANL-081", "AANL-087", "AANL-091"}
    return frozenset(always)


def form_requirements() -> frozenset[str]:
    """Return every requirement that this module decides."""
    return frozenset({*_OF_VALUE.values(), *_OF_REFUSAL.values(), "AANL-020", "AANL-022", "AANL-023", CATCH_ALL, "AANL-057", "AANL-038"}) | {
        "AANL-041",
        "AANL-080",
        "AANL-081",
    }
