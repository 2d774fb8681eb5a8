"""Rules over what travels around the payload of a GLOBE-R-BV-Request (fact: MijnOverheid koppelvlak, transport)."""

import re

from conformance.messages.batch import Batch
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope
from conformance.messages.identities import PARTY_PREFIX, is_oin, passes_elfproef
from conformance.rules.findings import Knowledge, Objection
from conformance.rules.registry import on_envelope

_XML_TYPES = frozenset({"text/xml", "application/xml"})
_NINE_IN_ANYTHING = re.compile(r"(?<![0-9])[0-9]{9}(?![0-9])")
_NINE_DIGITS = re.compile(r"(?<![0-9a-fA-F])[0-9]{9}(?![0-9a-fA-F])")  # one in 700 random GUIDs would hold a BSN otherwise


def _knows_connection(_envelope: Envelope, _batch: Batch | None, known: Knowledge) -> bool:
    return known.connection is not None


@on_envelope("AANL-001", when=_knows_connection)
def cpa_is_the_one_of_this_connection(envelope: Envelope, _batch: Batch | None, known: Knowledge) -> Objection | None:
    """The cpaId names the CPA of this connection."""
    expected = known.connection.cpa_id if known.connection else ""
    return None if envelope.cpa_id == expected else Objection(f"cpaId {expected}", envelope.cpa_id)


@on_envelope("AANL-002")
def from_party_is_flat(envelope: Envelope, _batch: Batch | None, known: Knowledge) -> Objection | None:
    """The sender is a flat party id, and a party of the CPA."""
    oin = envelope.from_party.removeprefix(PARTY_PREFIX)
    if not envelope.from_party.startswith(PARTY_PREFIX) or not is_oin(oin):
        return Objection(f"{PARTY_PREFIX} and the 20 digits of an OIN", envelope.from_party)
    if known.connection and envelope.from_party != known.connection.afnemer_party:
        return Objection(f"the party of the CPA, {known.connection.afnemer_party}", envelope.from_party)
    return None


def _names_receiver(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> bool:
    return envelope.to_party is not None or envelope.to_role is not None


@on_envelope("AANL-003", when=_names_receiver)
def receiver_is_logius(envelope: Envelope, _batch: Batch | None, known: Knowledge) -> Objection | None:
    """The receiver, when it is given, is Logius' side of the CPA."""
    if envelope.to_role not in (None, ROLE_LOGIUS):
        return Objection(f"toRole {ROLE_LOGIUS}", f"toRole {envelope.to_role}")
    expected = known.connection.logius_party if known.connection else None
    if expected and envelope.to_party not in (None, expected):
        return Objection(f"toPartyId {expected}", str(envelope.to_party))
    return None


@on_envelope("AANL-004")
def role_is_that_of_an_afnemer(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> Objection | None:
    """The Afnemer sends in role SR."""
    return None if envelope.from_role == ROLE_AFNEMER else Objection(f"fromRole {ROLE_AFNEMER}", f"fromRole {envelope.from_role}")


@on_envelope("AANL-005")
def service_is_the_berichtenbox(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> Objection | None:
    """The service is that of the Berichtenbox, in its flat spelling."""
    return None if envelope.service == SERVICE else Objection(f"service {SERVICE}", f"service {envelope.service}")


@on_envelope("AANL-006")
def action_is_the_request(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> Objection | None:
    """The action of a batch is GLOBE-R-BV-Request."""
    return None if envelope.action == Action.BV_REQUEST else Objection(f"action {Action.BV_REQUEST}", f"action {envelope.action}")


@on_envelope("AANL-007")
def there_is_one_part(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> Objection | None:
    """The payload is one XML document, in one payload part."""
    count = len(envelope.parts)
    return None if count == 1 else Objection("one payload part", f"{count} payload parts")


@on_envelope("AANL-008", when=lambda envelope, _batch, _known: bool(envelope.parts))
def content_type_is_xml(envelope: Envelope, _batch: Batch | None, _known: Knowledge) -> Objection | None:
    """The payload part says that it is XML."""
    content_type = envelope.parts[0].content_type
    plain = content_type.partition(";")[0].strip().lower()
    return None if plain in _XML_TYPES else Objection("content type text/xml or application/xml", content_type)


def _knows_message_ids(envelope: Envelope, _batch: Batch | None, known: Knowledge) -> bool:
    return known.message_ids is not None and envelope.message_id is not None


@on_envelope("AANL-009", when=_knows_message_ids)
def message_id_is_new(envelope: Envelope, _batch: Batch | None, known: Knowledge) -> Objection | None:
    """Every offer has a MessageId of its own: duplicate elimination eats an old one, and nobody notices."""
    if envelope.message_id in (known.message_ids or ()):
        return Objection("an ebMS MessageId that was not used before", f"MessageId {envelope.message_id} again")
    return None


@on_envelope("AANL-010")
def names_hold_no_bsn(envelope: Envelope, batch: Batch | None, _known: Knowledge) -> Objection | None:
    """No id, Content-ID or file name holds a BSN."""
    citizens = frozenset(bericht.gebruiker_id for bericht in batch.berichten) if batch else frozenset()
    names = dict(envelope.named())
    for number, part in enumerate(envelope.parts, start=1):
        names |= {f"name of part {number}": part.name or "", f"contentId of part {number}": part.content_id or ""}
    for key, text in names.items():
        if _holds_bsn(text, citizens):
            return Objection("no BSN in ids and names", f"a BSN in {key}")
    return None


def _holds_bsn(text: str, citizens: frozenset[str]) -> bool:
    numbers = _NINE_IN_ANYTHING.findall(text)
    if not numbers:
        return False
    return not citizens.isdisjoint(numbers) or any(passes_elfproef(number) for number in _NINE_DIGITS.findall(text))
