"""What came in and what went out, as a test wants to see it: small values that never show a whole BSN by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from conformance.berichtenbox.ledger import Offer, OfferedResult, State, Status, StoredBericht
from conformance.catalogue import Certainty, Level, catalogue
from conformance.masking import mask
from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.envelope import Action, payload_of
from conformance.messages.verwerkingsbericht import Verwerkingsbericht, VerwerkingsCode
from conformance.rules.findings import Finding, quoted
from conformance.rules.grading import grade_result, read_offer

ADAPTER: Final = "adapter"
"""Stands for the requirement in a finding on what the adapter itself refused: no rule has seen it."""


@dataclass(frozen=True, slots=True)
class ReceivedBericht:
    """A bericht that the Berichtenbox acknowledged, with its batch and what was decided on it (``None``: nothing could be).

    ``received`` is the moment on the business clock.
    """

    bericht: Bericht
    batch: Batch
    code: VerwerkingsCode | None
    message_id: str
    received: datetime

    def __repr__(self) -> str:
        decided = self.code or "no verwerkingscode"
        return f"<ReceivedBericht {self.bericht_id}: {quoted(self.bericht_type)} to {mask(self.bsn)}, {quoted(self.onderwerp)!r}, {decided}>"

    @property
    def bericht_id(self) -> str:
        """The BerichtID, as it was sent."""
        return self.bericht.bericht_id

    @property
    def bericht_type(self) -> str:
        """The BerichtType."""
        return self.bericht.bericht_type

    @property
    def bsn(self) -> str:
        """The GebruikerID: to whom it goes."""
        return self.bericht.gebruiker_id

    @property
    def onderwerp(self) -> str:
        """The Onderwerp."""
        return self.bericht.onderwerp

    @property
    def tekst(self) -> str | None:
        """The BerichtTekst, ``None`` without one."""
        return self.bericht.bericht_tekst

    @property
    def bijlagen(self) -> tuple[Bijlage, ...]:
        """The bijlagen; ``octets()`` of one gives its bytes."""
        return self.bericht.bijlagen


@dataclass(frozen=True, slots=True)
class OfferedVerwerkingsbericht:
    """A result that the Berichtenbox offered; ``verwerkingsbericht`` is ``None`` when a fault made it unreadable.

    ``is_processed`` tells whether the Afnemer marked it as processed; ``offered`` is the moment on the business clock.
    """

    message_id: str
    ref_to_message_id: str | None
    is_processed: bool
    offered: datetime
    verwerkingsbericht: Verwerkingsbericht | None

    def __repr__(self) -> str:
        return f"<OfferedVerwerkingsbericht {self.message_id}: {'processed' if self.is_processed else 'not processed'}, {self.verwerkingsbericht}>"

    @property
    def codes(self) -> Mapping[str, VerwerkingsCode]:
        """The VerwerkingsCode by BerichtID, in lower case."""
        results = self.verwerkingsbericht.resultaten if self.verwerkingsbericht is not None else ()
        return {result.bericht_id.lower(): result.code for result in results}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which berichten are asked for; ``None`` is any."""

    bericht_type: str | None = None
    bsn: str | None = field(default=None, repr=False)
    onderwerp: str | None = None
    code: str | None = None

    def fits(self, item: ReceivedBericht) -> bool:
        """Tell whether a bericht is asked for."""
        pairs = ((self.bericht_type, item.bericht_type), (self.bsn, item.bsn), (self.onderwerp, item.onderwerp), (self.code, item.code))
        return all(wanted is None or wanted == seen for wanted, seen in pairs)

    def __str__(self) -> str:
        told = [
            f" of BerichtType {quoted(self.bericht_type)}" if self.bericht_type is not None else "",
            f" to {quoted(mask(self.bsn))}" if self.bsn is not None else "",
            f" with onderwerp {quoted(self.onderwerp)!r}" if self.onderwerp is not None else "",
            f" answered with {quoted(self.code)}" if self.code is not None else "",
        ]
        return "".join(told)


def berichten_of(offers: Sequence[Offer], decided: Sequence[StoredBericht]) -> list[ReceivedBericht]:
    """Return the berichten in what was acknowledged, oldest first; what was refused, lost or eaten as a duplicate is left out."""
    codes = {(item.offer_seq, item.position): item.code for item in decided}
    return [
        ReceivedBericht(bericht, batch, codes.get((offer.seq, position)), offer.envelope.message_id or "", offer.business)
        for offer in offers
        if (batch := _batch_of(offer)) is not None
        for position, bericht in enumerate(batch.berichten)
    ]


def _batch_of(offer: Offer) -> Batch | None:
    if offer.state not in (State.ACCEPTED, State.PROCESSED) or offer.envelope.action != Action.BV_REQUEST:
        return None
    return read_offer(payload_of(offer.envelope)).batch


def results_of(offered: Sequence[OfferedResult]) -> list[OfferedVerwerkingsbericht]:
    """Return the verwerkingsberichten among what was offered, oldest first."""
    return [
        OfferedVerwerkingsbericht(
            item.envelope.message_id or "",
            item.envelope.ref_to_message_id,
            item.status is Status.PROCESSED,
            item.business,
            grade_result(payload_of(item.envelope))[1],
        )
        for item in offered
        if item.envelope.action == Action.BV_RESULT
    ]


def findings_of(offers: Sequence[Offer]) -> list[Finding]:
    """Return what the rules, and the adapter before them, have against what was offered."""
    found: list[Finding] = []
    for offer in offers:
        if offer.state is State.REFUSED:
            found.append(Finding(ADAPTER, "MessageRequest", "properties that the CPA of this connection allows", quoted(offer.note)))
        elif offer.grading is not None:
            found.extend(offer.grading.findings)
    return found


def fails(finding: Finding) -> bool:
    """Tell whether a certification would fail on a finding; the others are warnings: a SHOULD, or our own reading (``aanname``)."""
    if finding.requirement == ADAPTER:
        return True
    requirement = catalogue().require(finding.requirement)
    return not finding.is_note and requirement.level is Level.MUST and requirement.certainty is not Certainty.AANNAME
