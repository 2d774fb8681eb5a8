"""Grades a whole message: reads it, asks every rule, and says on which requirements it could decide."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from conformance.limits import limits
from conformance.messages.batch import Batch, read_batch
from conformance.messages.envelope import Envelope
from conformance.messages.guard import DEFAULT, XmlRefused, etree, local_name, parse, schema_errors
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.verwerkingsbericht import SCHEMA as RESULT_SCHEMA
from conformance.messages.verwerkingsbericht import Verwerkingsbericht, read_verwerkingsbericht
from conformance.rules import abonnement as _abonnement_rules
from conformance.rules import batch as _batch_rules
from conformance.rules import bericht as _bericht_rules
from conformance.rules import bijlage as _bijlage_rules
from conformance.rules import envelope as _envelope_rules
from conformance.rules import result as result_form
from conformance.rules import structure
from conformance.rules.findings import Finding, Grading, Knowledge
from conformance.rules.registry import on_batch, on_bericht, on_envelope, on_result
from conformance.rules.sheet import Sheet

# Importing a module of rules registers them.
RULE_MODULES: Final = (_batch_rules, _bericht_rules, _bijlage_rules, _envelope_rules, result_form)
NOTHING_KNOWN: Final = Knowledge()


def rule_requirements() -> frozenset[str]:
    """Return every requirement that a rule decides."""
    registered = {rule.requirement for rules in (on_envelope, on_batch, on_bericht, on_result) for rule in rules}
    forms = structure.form_requirements() | result_form.FORM_REQUIREMENTS | {"AANL-026", "AANL-027"}
    return frozenset(registered | forms | _abonnement_rules.aanvraag_requirements())


@dataclass(frozen=True, slots=True)
class Reading:
    """A GLOBE-R-BV-Request that was read: its batch (``None`` when it is none) and what its form says, before anything else is known."""

    batch: Batch | None
    form: Grading


def read_offer(payload: bytes) -> Reading:
    """Read a GLOBE-R-BV-Request and judge its form: well-formed, namespaces, schema, size."""
    sheet = Sheet("AANL-026", "AANL-027")
    batch = _read(payload, sheet)
    return Reading(batch, sheet.grading())


def grade_reading(reading: Reading, known: Knowledge = NOTHING_KNOWN, envelope: Envelope | None = None) -> Grading:
    """Grade what was read against every other rule, with its envelope when there is one."""
    sheet, batch = Sheet(*reading.form.decided), reading.batch
    sheet.findings.extend(reading.form.findings)
    sheet.is_schema_valid = reading.form.is_schema_valid
    if batch is not None:
        sheet.ask(on_batch, batch, (known,), "Berichten")
        sheet.ask_each(batch, known)
    if envelope is not None:
        sheet.ask(on_envelope, envelope, (batch, known), "envelope")
    return sheet.grading()


def grade_offer(payload: bytes, known: Knowledge = NOTHING_KNOWN, envelope: Envelope | None = None) -> tuple[Grading, Batch | None]:
    """Grade a GLOBE-R-BV-Request, with its envelope when there is one; also return the batch, or ``None`` when it cannot be read as one."""
    reading = read_offer(payload)
    return grade_reading(reading, known, envelope), reading.batch


def _read(payload: bytes, sheet: Sheet) -> Batch | None:
    for finding in _size_findings(payload):
        sheet.findings.append(finding)
    try:
        root = parse(payload)
    except XmlRefused as refusal:
        sheet.refuse(structure.refused(refusal))
        return None
    sheet.decided |= {"AANL-020", "AANL-021", "AANL-022"}
    return _read_root(root, sheet)


def _size_findings(payload: bytes) -> Iterator[Finding]:
    size = len(payload)
    if limits().batch_bytes_max < size <= DEFAULT.size:
        yield Finding("AANL-026", "document", f"at most {limits().batch_bytes_max} bytes", f"{size} bytes")
    elif limits().batch_bytes_note < size <= DEFAULT.size:
        yield Finding("AANL-027", "document", f"at most {limits().batch_bytes_note} bytes, or Grote Berichten", f"{size} bytes", is_note=True)


def _read_root(root: etree._Element, sheet: Sheet) -> Batch | None:
    wrong_root = structure.root_finding(root)
    if wrong_root:
        sheet.refuse(wrong_root)
        # The schema does not know this root, so that nothing more on form is decided; the rules still read one in another namespace.
        return read_batch(root) if local_name(root) == "Berichten" else None
    findings = tuple(structure.schema_findings(root))
    batch = read_batch(root, clears=True)
    for finding in findings:
        sheet.refuse(finding)
    sheet.decided |= structure.decided_by_form(batch)
    return batch


def grade_result(payload: bytes, known: Knowledge = NOTHING_KNOWN) -> tuple[Grading, Verwerkingsbericht | None]:
    """Grade a GLOBE-R-BV-Result, gzipped or not; also return it, or ``None`` when it is not valid."""
    sheet = Sheet()
    try:
        root = parse(unpack(payload))
    except (XmlRefused, PackedTooMuch) as refusal:
        sheet.refuse(Finding("VERW-050", "document", "a readable XML document", str(refusal)))
        return sheet.grading(), None
    return _grade_result_root(root, known, sheet)


def _grade_result_root(root: etree._Element, known: Knowledge, sheet: Sheet) -> tuple[Grading, Verwerkingsbericht | None]:
    wrong_root = result_form.root_finding(root)
    if wrong_root:
        sheet.refuse(wrong_root)
        return sheet.grading(), None
    sheet.decided |= result_form.FORM_REQUIREMENTS
    for finding in result_form.schema_findings(schema_errors(root, RESULT_SCHEMA)):
        sheet.refuse(finding)
    if not sheet.is_schema_valid:
        return sheet.grading(), None
    result = read_verwerkingsbericht(root)
    sheet.ask(on_result, result, (known,), "BerichtVerwerkResponse")
    return sheet.grading(), result
