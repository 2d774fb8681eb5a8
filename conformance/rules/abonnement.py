"""Rules over a GLOBE-R-A-Request with its envelope, and over the GLOBE-R-A-Result that answers one (fact: MijnOverheid, abonnementservices).

A list may hold a million BSNs: a rule says how many are wrong and where the first stands, and never which.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from conformance.limits import limits
from conformance.messages.abonnement import (
    ANTWOORD_SCHEMA,
    AanvraagReading,
    AbonnementAanvraag,
    AntwoordStream,
    Soort,
    UnreadableAntwoord,
    names,
    requirement_of,
    scan_aanvraag,
)
from conformance.messages.bsns import BsnList, bsn_number
from conformance.messages.envelope import Action, Envelope
from conformance.messages.guard import Refusal, XmlInvalid, XmlRefused
from conformance.messages.identities import is_guid, is_oin
from conformance.messages.moments import Zone, read_moment
from conformance.messages.unpack import PackedTooMuch, is_gzip
from conformance.rules import envelope as on_the_way
from conformance.rules.findings import Finding, Grading, Knowledge, Objection
from conformance.rules.registry import Rules
from conformance.rules.sheet import Sheet

FORM_REQUIREMENTS: Final = frozenset({"ABO-001", "ABO-002", "ABO-003", "ABO-004", "ABO-008", "ABO-014"})
NEEDS_REQUEST: Final = frozenset({"ABO-061", "ABO-063", "ABO-065", "ABO-067"})
"""Rules over an answer that only speak, or only speak of an Inactief, when the request is known."""
_NOTHING_KNOWN: Final = Knowledge()
_UTF_8: Final = frozenset({"UTF-8", "UTF8", "US-ASCII", "ASCII"})
_OF_REFUSAL: Final = {
    # Only a list that is far too long has so many bytes or tags.
    Refusal.TOO_LARGE: "ABO-011",
    Refusal.TOO_MANY_ELEMENTS: "ABO-011",
    Refusal.TOO_MANY_ATTRIBUTES: "ABO-003",
    Refusal.TOO_DEEP: "ABO-003",
    Refusal.TEXT_TOO_LONG: "ABO-003",
}
_EXPECTED: Final = {
    "ABO-003": "the elements of the example messages, without namespace, in their order",
    "ABO-004": "nothing, one BSNLijst, or one MutatieDatum with a dateTime",
    "ABO-005": "an OIN of 20 digits",
    "ABO-008": "9 digits",
    "ABO-014": "a BSNLijst with a BSN in it",
}

on_aanvraag = Rules()  # (aanvraag, knowledge)
on_aanvraag_envelope = Rules()  # (envelope, knowledge)


def aanvraag_requirements() -> frozenset[str]:
    """Return every requirement on a request that is decided here."""
    return FORM_REQUIREMENTS | {rule.requirement for rules in (on_aanvraag, on_aanvraag_envelope) for rule in rules}


# -- the request -------------------------------------------------------------------------------------------------------------------------------


def grade_aanvraag(payload: bytes, known: Knowledge = _NOTHING_KNOWN, envelope: Envelope | None = None) -> tuple[Grading, AbonnementAanvraag | None]:
    """Grade a GLOBE-R-A-Request, with its envelope when there is one; also return it, or ``None`` when it is not valid."""
    sheet = Sheet("ABO-001")
    aanvraag = _grade_form(payload, sheet)
    if aanvraag is not None:
        sheet.ask(on_aanvraag, aanvraag, (known,), names().aanvraag)
    if envelope is not None:
        sheet.ask(on_aanvraag_envelope, envelope, (known,), "envelope")
    grading = sheet.grading()
    return grading, aanvraag if grading.is_schema_valid else None


def _grade_form(payload: bytes, sheet: Sheet) -> AbonnementAanvraag | None:
    try:
        reading = scan_aanvraag(payload)
    except XmlRefused as refusal:
        sheet.refuse(_refused(refusal))
        return None
    sheet.decided.add("ABO-002")
    for finding in _form_findings(reading):
        sheet.refuse(finding)
    if _has_right_root(reading):
        sheet.decided |= {"ABO-003", "ABO-004"}
        if reading.aanvraag.soort is Soort.BSN_LIJST:
            sheet.decided |= {"ABO-008", "ABO-014"}
    # In another namespace it can still be explained.
    return reading.aanvraag if reading.root.rpartition("}")[2] == names().aanvraag else None


def _refused(refusal: XmlRefused) -> Finding:
    place = f"line {refusal.line}" if refusal.line else "document"
    requirement = _OF_REFUSAL.get(refusal.reason, "ABO-001")
    return Finding(requirement, place, "a well-formed XML 1.0 document without DOCTYPE, within the limits", f"{refusal.reason}: {refusal}")


def _has_right_root(reading: AanvraagReading) -> bool:
    return reading.root == f"{{{names().namespace}}}{names().aanvraag}"


def _form_findings(reading: AanvraagReading) -> Iterator[Finding]:
    if reading.encoding not in _UTF_8:
        yield Finding("ABO-001", "document", "UTF-8", f"encoding {reading.encoding}")
    if not _has_right_root(reading):
        seen = f"root {reading.root}" if reading.root else "none of its elements"
        yield Finding("ABO-002", "document", f"root {names().aanvraag} in namespace {names().namespace}", seen)
        return
    for error in reading.errors:
        requirement = requirement_of(error)
        yield Finding(requirement, error.path, _EXPECTED[requirement], error.text)


@on_aanvraag("ABO-005", when=lambda aanvraag, _known: bool(aanvraag.oin))
def oin_belongs_to_connection(aanvraag: AbonnementAanvraag, known: Knowledge) -> Objection | None:
    """The OIN has 20 digits and is registered under this connection."""
    place = f"{names().leverancier}/{names().oin}"
    if not is_oin(aanvraag.oin):
        return Objection("an OIN of 20 digits", f"{len(aanvraag.oin)} characters", place)
    if known.connection is not None and aanvraag.oin not in known.connection.oins:
        return Objection("an OIN of this connection", f"OIN {aanvraag.oin}", place)
    return None


@on_aanvraag("ABO-006")
def verzoek_id_is_new(aanvraag: AbonnementAanvraag, known: Knowledge) -> Objection | None:
    """The VerzoekId is filled, and was not used before."""
    if not aanvraag.verzoek_id.strip():
        return Objection("a VerzoekId", "none", names().verzoek_id)
    if known.verzoeken is not None and aanvraag.verzoek_id in known.verzoeken:
        return Objection("a VerzoekId that was not used before", f"VerzoekId {aanvraag.verzoek_id} again", names().verzoek_id)
    return None


@on_aanvraag("ABO-007", when=lambda aanvraag, _known: bool(aanvraag.verzoek_id.strip()))
def verzoek_id_is_a_guid(aanvraag: AbonnementAanvraag, _known: Knowledge) -> Objection | None:
    """The VerzoekId is a GUID."""
    return None if is_guid(aanvraag.verzoek_id) else Objection("a GUID", f"{len(aanvraag.verzoek_id)} characters", names().verzoek_id)


def _has_bsns(aanvraag: AbonnementAanvraag, _known: Knowledge) -> bool:
    return bool(aanvraag.bsns)


@on_aanvraag("ABO-009", when=_has_bsns)
def bsns_pass_the_elfproef(aanvraag: AbonnementAanvraag, _known: Knowledge) -> Objection | None:
    """Each BSN passes the elfproef."""
    places = (aanvraag.bsns or BsnList()).failing_elfproef()
    first = next(places, None)
    if first is None:
        return None
    count = 1 + sum(1 for _ in places)
    return Objection("BSNs that pass the elfproef", f"{count} that fail it, the first at place {first + 1}", names().bsn_lijst)


@on_aanvraag("ABO-010", when=_has_bsns)
def bsns_differ(aanvraag: AbonnementAanvraag, _known: Knowledge) -> Objection | None:
    """No BSN stands in the list twice."""
    doubled = _doubled(aanvraag.bsns or BsnList())
    return Objection("each BSN once", f"{doubled} that stand there again", names().bsn_lijst) if doubled else None


def _doubled(bsns: BsnList) -> int:
    return len(bsns) - len(bsns.unique())


@on_aanvraag("ABO-011", when=_has_bsns)
def list_is_not_too_long(aanvraag: AbonnementAanvraag, _known: Knowledge) -> Objection | None:
    """A list holds at most a million BSNs."""
    count, most = len(aanvraag.bsns or ()), limits().abonnement_bsns_max
    return Objection(f"at most {most} BSNs", str(count), names().bsn_lijst) if count > most else None


@on_aanvraag("ABO-012", when=lambda aanvraag, _known: aanvraag.mutatie_datum is not None)
def mutatie_datum_is_a_past_moment(aanvraag: AbonnementAanvraag, known: Knowledge) -> Objection | None:
    """MutatieDatum has a zone and is not in the future."""
    moment = read_moment(aanvraag.mutatie_datum or "")
    if moment is None:
        return Objection("a dateTime", "something else", names().mutatie_datum)
    if moment.zone is Zone.NONE:
        return Objection("a dateTime with its zone, such as Z", f"{aanvraag.mutatie_datum}", names().mutatie_datum)
    if known.received is not None and moment.at > known.received:
        return Objection("a moment before that of receipt", f"{aanvraag.mutatie_datum}", names().mutatie_datum)
    return None


_WAY: Final[tuple[Callable[[Envelope, None, Knowledge], Objection | None], ...]] = (
    on_the_way.from_party_is_flat,
    on_the_way.receiver_is_logius,
    on_the_way.role_is_that_of_an_afnemer,
    on_the_way.service_is_the_berichtenbox,
)


@on_aanvraag_envelope("ABO-013")
def envelope_is_that_of_the_cpa(envelope: Envelope, known: Knowledge) -> Objection | None:
    """Parties, roles and service are those of the CPA, as for a batch; the action is GLOBE-R-A-Request."""
    if envelope.action != Action.A_REQUEST:
        return Objection(f"action {Action.A_REQUEST}", f"action {envelope.action}")
    if known.connection is not None and (objection := on_the_way.cpa_is_the_one_of_this_connection(envelope, None, known)):
        return objection
    return next((objection for check in _WAY if (objection := check(envelope, None, known))), None)


# -- the answer --------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class AntwoordReading:
    """What an answer says: whose it is, and the BSNs by status, as they stand there."""

    oin: str
    verzoek_id: str
    actief: BsnList = field(default_factory=BsnList)
    inactief: BsnList = field(default_factory=BsnList)

    def together(self) -> BsnList:
        """Return every BSN of the answer."""
        return BsnList(chain(self.actief.numbers, self.inactief.numbers))


def grade_antwoord(payload: bytes, asked: AbonnementAanvraag | None = None) -> tuple[Grading, AntwoordReading | None]:
    """Grade a GLOBE-R-A-Result, packed or not, against the request that it answers when that is known; also return it, or ``None`` when it breaks."""
    sheet = Sheet("ABO-062")
    if asked is not None:
        sheet.decided.add("ABO-061")
        if not is_gzip(payload):
            sheet.findings.append(Finding("ABO-061", "document", "a gzip file", "something else"))
    reading = _read_antwoord(payload, sheet)
    if reading is not None:
        _judge_lines(reading, asked, sheet)
        if asked is not None:
            _judge_against(reading, asked, sheet)
    return sheet.grading(), reading


def _read_antwoord(payload: bytes, sheet: Sheet) -> AntwoordReading | None:
    reading = AntwoordReading("", "")
    try:
        stream = AntwoordStream((payload,), ANTWOORD_SCHEMA)
        reading.oin, reading.verzoek_id = stream.oin, stream.verzoek_id
        _take_lines(stream, reading, sheet)
    except XmlInvalid as invalid:
        return _invalid(invalid, reading, sheet)
    except (XmlRefused, PackedTooMuch, UnreadableAntwoord) as refusal:
        sheet.refuse(Finding("ABO-062", "document", "a readable AbonnementAntwoord", str(refusal)))
        return None
    return reading


def _take_lines(stream: AntwoordStream, reading: AntwoordReading, sheet: Sheet) -> None:
    """Sort the lines by status; one that is no BSN, or has another status, is a finding."""
    for place, regel in enumerate(stream, 1):
        status = reading.actief if regel.is_actief else reading.inactief
        try:
            status.numbers.append(bsn_number(regel.bsn))
        except ValueError:
            sheet.findings.append(Finding("ABO-068", names().bsn, "9 digits", f"{len(regel.bsn)} characters, on line {place} of the answer"))


def _invalid(invalid: XmlInvalid, reading: AntwoordReading, sheet: Sheet) -> AntwoordReading | None:
    """Note what the schema has against the names and the order; its complaints on a BSN are findings already."""
    for error in invalid.errors:
        if not (error.is_about_value and error.element == names().bsn):
            sheet.refuse(Finding("ABO-062", error.path, "the elements of the sketch abonnement-antwoord.xsd", error.text))
            return reading
    return reading


def _judge_lines(reading: AntwoordReading, asked: AbonnementAanvraag | None, sheet: Sheet) -> None:
    together, place = reading.together(), names().antwoord
    sheet.decided |= {"ABO-066", "ABO-068"}
    if doubled := _doubled(together):
        sheet.findings.append(Finding("ABO-066", place, "one line for each BSN", f"{doubled} lines for a BSN that has one"))
    if failing := sum(1 for _ in together.failing_elfproef()):
        sheet.findings.append(Finding("ABO-068", place, "BSNs that pass the elfproef", f"{failing} that fail it"))
    if asked is not None or not reading.inactief:
        sheet.decided.add("ABO-067")
        if reading.inactief and asked is not None and asked.soort is not Soort.MUTATIES:
            sheet.findings.append(Finding("ABO-067", place, f"{names().status} {names().actief} only", f"{len(reading.inactief)} others"))


def _judge_against(reading: AntwoordReading, asked: AbonnementAanvraag, sheet: Sheet) -> None:
    sheet.decided.add("ABO-063")
    if reading.verzoek_id != asked.verzoek_id:
        sheet.findings.append(Finding("ABO-063", names().verzoek_id, f"VerzoekId {asked.verzoek_id}", reading.verzoek_id or "none"))
    elif reading.oin != asked.oin:
        sheet.findings.append(Finding("ABO-063", names().oin, f"OIN {asked.oin}", reading.oin or "none"))
    if asked.bsns is not None:
        sheet.decided.add("ABO-065")
        listed = set(asked.bsns.numbers)
        if strange := sum(number not in listed for number in reading.together().numbers):
            sheet.findings.append(Finding("ABO-065", names().antwoord, "BSNs of the list only", f"{strange} others"))
