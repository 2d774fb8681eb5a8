"""Rules over a batch as a whole: its ids, its dates, whose letters it brings."""

from collections.abc import Mapping

from conformance.limits import limits
from conformance.messages.batch import Batch
from conformance.messages.identities import PARTY_PREFIX, has_oin_prefix, is_guid, is_nil, is_oin
from conformance.messages.moments import Zone, read_moment
from conformance.rules.findings import Knowledge, Objection
from conformance.rules.registry import on_batch


@on_batch("AANL-030")
def batch_id_is_a_guid(batch: Batch, _known: Knowledge) -> Objection | None:
    """The BatchID is a GUID in ASCII: the pattern of the XSD also lets other digits through."""
    return None if is_guid(batch.batch_id) else Objection("a GUID of ASCII hex digits, without braces", batch.batch_id or "nothing")


@on_batch("AANL-031")
def batch_id_is_not_nil(batch: Batch, _known: Knowledge) -> Objection | None:
    """The BatchID is not the GUID with which Logius says that it could not read one."""
    return Objection("a GUID of its own", "the nil GUID") if is_nil(batch.batch_id) else None


@on_batch("AANL-032", when=lambda _batch, known: known.batches is not None)
def batch_id_is_unique(batch: Batch, known: Knowledge) -> Objection | None:
    """A BatchID comes again only with berichten that were offered under it before."""
    before: Mapping[str, frozenset[str]] = known.batches or {}
    offered = before.get(batch.batch_id.lower())
    new = [bericht for bericht in batch.berichten if offered is not None and bericht.bericht_id.lower() not in offered]
    return Objection("a BatchID of its own for each batch", f"BatchID {batch.batch_id} again, with {len(new)} other berichten") if new else None


def _aanmaak_is_a_moment(batch: Batch, _known: Knowledge) -> bool:
    return read_moment(batch.aanmaak_datum) is not None


@on_batch("AANL-033", when=_aanmaak_is_a_moment)
def aanmaak_datum_has_a_zone(batch: Batch, _known: Knowledge) -> Objection | None:
    """AanmaakDatum says in which zone it is: summer time moves a local one by an hour."""
    moment = read_moment(batch.aanmaak_datum)
    return Objection("a time zone: Z", batch.aanmaak_datum) if moment and moment.zone is Zone.NONE else None


@on_batch("AANL-034", when=_aanmaak_is_a_moment)
def aanmaak_datum_is_zulu(batch: Batch, _known: Knowledge) -> Objection | None:
    """AanmaakDatum is written in Zulu time."""
    moment = read_moment(batch.aanmaak_datum)
    return Objection("Zulu time, ending in Z", batch.aanmaak_datum) if moment and moment.zone is Zone.OFFSET else None


def _aanmaak_can_be_dated(batch: Batch, known: Knowledge) -> bool:
    return known.received is not None and _aanmaak_is_a_moment(batch, known)


@on_batch("AANL-035", when=_aanmaak_can_be_dated)
def aanmaak_datum_is_recent(batch: Batch, known: Knowledge) -> Objection | None:
    """AanmaakDatum is at most 13 days old when the batch is offered."""
    moment = read_moment(batch.aanmaak_datum)
    if moment and known.received and known.received - moment.at > limits().date_span:
        return Objection(f"at most {limits().date_span.days} days before receipt", f"{(known.received - moment.at).days} days before receipt")
    return None


@on_batch("AANL-036", when=_aanmaak_can_be_dated)
def aanmaak_datum_is_past(batch: Batch, known: Knowledge) -> Objection | None:
    """AanmaakDatum does not lie in the future, but for clocks that differ a little."""
    moment = read_moment(batch.aanmaak_datum)
    if moment and known.received and moment.at - known.received > limits().clock_slack:
        return Objection("a moment that has been", f"{batch.aanmaak_datum}, after receipt")
    return None


@on_batch("AANL-037")
def leverancier_is_twenty_digits(batch: Batch, _known: Knowledge) -> Objection | None:
    """BerichtLeverancierID is an OIN of exactly 20 digits; what it looks like with the prefix is another requirement."""
    oin = batch.bericht_leverancier_id
    if oin.startswith(PARTY_PREFIX) or is_oin(oin):
        return None
    return Objection("an OIN of 20 digits, leading zeros included", f"{len(oin)} characters: {oin}")


@on_batch("AANL-038")
def leverancier_has_no_prefix(batch: Batch, _known: Knowledge) -> Objection | None:
    """BerichtLeverancierID is the bare OIN; the prefix belongs to party ids."""
    oin = batch.bericht_leverancier_id
    return Objection("the OIN without urn:osb:oin:", oin) if oin.startswith(PARTY_PREFIX) else None


@on_batch("AANL-039", when=lambda batch, known: known.connection is not None and is_oin(batch.bericht_leverancier_id))
def leverancier_is_registered(batch: Batch, known: Knowledge) -> Objection | None:
    """The letters are of the organisation of the CPA, or of one for which it is intermediair."""
    if known.connection and batch.bericht_leverancier_id not in known.connection.oins:
        return Objection(f"one of the OINs under the CPA: {', '.join(sorted(known.connection.oins))}", batch.bericht_leverancier_id)
    return None


@on_batch("AANL-040", when=lambda batch, _known: is_oin(batch.bericht_leverancier_id))
def leverancier_has_a_known_prefix(batch: Batch, _known: Knowledge) -> Objection | None:
    """The OIN starts with a prefix of the OIN-stelsel."""
    oin = batch.bericht_leverancier_id
    return None if has_oin_prefix(oin) else Objection("a prefix of the OIN-stelsel: 00000001-00000010, or 00000099 for tests", oin[:8])


@on_batch("AANL-041")
def batch_holds_berichten(batch: Batch, _known: Knowledge) -> Objection | None:
    """A batch holds 1 to 1000 berichten."""
    count = len(batch.berichten)
    within = limits().berichten_per_batch_min <= count <= limits().berichten_per_batch_max
    return None if within else Objection(f"1 to {limits().berichten_per_batch_max} berichten", f"{count} berichten")


@on_batch("AANL-053")
def bericht_ids_differ(batch: Batch, _known: Knowledge) -> Objection | None:
    """No BerichtID stands twice in a batch."""
    ids = [bericht.bericht_id.lower() for bericht in batch.berichten]
    doubled = len(ids) - len(set(ids))
    return (
        Objection("a BerichtID of its own for each bericht", f"{doubled} berichten with an id that stands earlier in the batch") if doubled else None
    )
