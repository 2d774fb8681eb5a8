"""Decides the VerwerkingsCode of each bericht, with the same rules that grade an Afnemer.

The order of the checks is not published; ours is: well-formed, schema, OIN, then per bericht AanmaakDatum, BerichtType, PublicatieDatum, size of the
bijlagen, BerichtBestaatAl, abonnement, store.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from conformance.messages.batch import Batch, Bericht
from conformance.messages.identities import NIL_GUID
from conformance.messages.verwerkingsbericht import UNREADABLE_TYPE, Resultaat, Stadium, VerwerkingsCode
from conformance.rules.findings import Finding, Grading

_NO_BATCH: Final = frozenset({"AANL-026"})
_WRONG_OIN: Final = frozenset({"AANL-037", "AANL-038", "AANL-039"})
_NO_CITIZEN: Final = frozenset({"AANL-075", "AANL-076"})
_PER_BERICHT: Final = (
    ("AANL-035", VerwerkingsCode.AANMAAK_DATUM, Stadium.BERICHT_TYPE),
    ("AANL-056", VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND, Stadium.BERICHT_TYPE),
    ("AANL-059", VerwerkingsCode.PUBLICATIE_DATUM, Stadium.BERICHT_TYPE),
    ("AANL-082", VerwerkingsCode.BIJLAGE_TE_GROOT, Stadium.STORE),
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides beyond the message: which BerichtIDs are stored (lower case), and whether a citizen takes this BerichtType of a sender.

    ``wants`` is asked with the OIN of the sender, the BerichtType and the BSN.
    """

    stored: Collection[str]
    wants: Callable[[str, str, str], bool]


def refusing(grading: Grading) -> tuple[str, ...]:
    """Return the requirements for which the Berichtenbox refuses (part of) a message by itself, sorted; empty when it takes all of it."""
    known = _NO_BATCH | _WRONG_OIN | _NO_CITIZEN | {requirement for requirement, _, _ in _PER_BERICHT}
    found = {finding.requirement for finding in grading.findings if not finding.is_note}
    return tuple(sorted(found & known if grading.is_schema_valid else found))


def decide(batch: Batch, grading: Grading, circumstances: Circumstances) -> tuple[Resultaat, ...]:
    """Return what becomes of each bericht; one result with the nil BerichtID when the batch is refused as a whole."""
    if not grading.is_schema_valid or any(finding.requirement in _NO_BATCH for finding in grading.findings):
        return (Resultaat(NIL_GUID, UNREADABLE_TYPE, VerwerkingsCode.XML_VALIDATIE, Stadium.BERICHT_TYPE),)
    if any(finding.requirement in _WRONG_OIN for finding in grading.findings):
        return (Resultaat(NIL_GUID, UNREADABLE_TYPE, VerwerkingsCode.OIN_IN_CPA, Stadium.BERICHT_TYPE),)
    refused = _refusals(grading.findings)
    stored = set(circumstances.stored)
    results = []
    for index, bericht in enumerate(batch.berichten):
        # AanmaakDatum, the one that is of the whole batch, is also the first that is looked at.
        code, stadium = refused.get(None) or refused.get(index) or _store(bericht, batch.bericht_leverancier_id, stored, circumstances)
        if code is VerwerkingsCode.VERWERKT:
            stored.add(bericht.bericht_id.lower())
        results.append(Resultaat(bericht.bericht_id, bericht.bericht_type, code, stadium))
    return tuple(results)


def _refusals(findings: tuple[Finding, ...]) -> dict[int | None, tuple[VerwerkingsCode, Stadium]]:
    """Map the index of each refused bericht (``None``: all of them) to the first code that refuses it."""
    refused: dict[int | None, tuple[VerwerkingsCode, Stadium]] = {}
    for requirement, code, stadium in _PER_BERICHT:
        for finding in findings:
            if finding.requirement == requirement and not finding.is_note:
                refused.setdefault(finding.bericht, (code, stadium))
    return refused


def _store(bericht: Bericht, oin: str, stored: Collection[str], circumstances: Circumstances) -> tuple[VerwerkingsCode, Stadium]:
    if bericht.bericht_id.lower() in stored:
        return VerwerkingsCode.BERICHT_BESTAAT_AL, Stadium.STORE
    if not circumstances.wants(oin, bericht.bericht_type, bericht.gebruiker_id):
        return VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, Stadium.GEBRUIKER
    return VerwerkingsCode.VERWERKT, Stadium.NA
