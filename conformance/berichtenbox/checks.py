"""Whether an Afnemer knew that it might write: what the ledger knows of what was asked and answered, before a batch came in.

An abonnement counts as checked when it was asked for by name, in a request for all, or in requests for mutaties that join up with an earlier check
without a gap. The check may be seven days old (Technische Aansluithandleiding, 5.2); who was refused gets no letter (SNO 2.1.1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from conformance.berichtenbox.citizens import EVERY_TYPE, Asked, Bevraging, CitizenLedger
from conformance.berichtenbox.ledger import Ledger, Offer, State
from conformance.limits import limits
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Action, payload_of
from conformance.messages.identities import is_bsn_shaped
from conformance.messages.moments import write_moment
from conformance.rules.findings import Finding
from conformance.rules.grading import read_offer

NOT_CHECKED = "ABO-040"
WAS_REFUSED = "ABO-041"


@dataclass(frozen=True, slots=True)
class Check:
    """The last time that an Afnemer asked about a citizen, on the business clock, and whether the answer was yes."""

    moment: datetime
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Checks:
    """What Afnemers know of citizens, by the ``bevragingen`` that were made, oldest first."""

    citizens: CitizenLedger = field(repr=False)
    bevragingen: Sequence[Bevraging]

    def last(self, oin: str, bericht: Bericht, until: datetime) -> Check | None:
        """Return the last check before ``until`` of the citizen of a bericht, ``None`` when there was none."""
        if not is_bsn_shaped(bericht.gebruiker_id):
            return None
        bsn, checked = int(bericht.gebruiker_id), None
        for asked in self.bevragingen:
            if asked.oin == oin and asked.is_answered and asked.moment <= until and self._is_about(asked, bericht, checked):
                checked = asked
        if checked is None:
            return None
        kind = checked.bericht_type if checked.asked is Asked.VALIDATIE else EVERY_TYPE
        return Check(checked.moment, self.citizens.wanted_at(bsn, oin, kind, checked.moment))

    def _is_about(self, asked: Bevraging, bericht: Bericht, before: Bevraging | None) -> bool:
        """Tell whether a question says something of the citizen of a bericht, given the question before it that did."""
        if asked.asked is Asked.ALLES:
            return True
        if asked.asked is Asked.MUTATIES:
            vanaf = asked.vanaf or asked.moment
            if before is not None and before.moment >= vanaf:
                return True  # it joins up: who is not in the answer is as before
            return self.citizens.has_changed(int(bericht.gebruiker_id), asked.oin, vanaf, asked.moment)
        is_named = asked.bsns is not None and asked.bsns.has(bericht.gebruiker_id)
        return is_named and asked.bericht_type in (EVERY_TYPE, bericht.bericht_type)

    def findings(self, offer: Offer, batch: Batch) -> Iterator[Finding]:
        """Yield what is wrong with sending each bericht of a batch when it was received."""
        oldest = offer.business - limits().abonnement_check_max_age
        for index, bericht in enumerate(batch.berichten):
            check = self.last(batch.bericht_leverancier_id, bericht, offer.business)
            place = f"Berichten/Bericht[{index + 1}]"
            expected = f"a check of this citizen after {write_moment(oldest)}"
            if check is None:
                yield Finding(NOT_CHECKED, place, expected, "none", bericht=index)
            elif check.moment < oldest:
                yield Finding(NOT_CHECKED, place, expected, f"the last one of {write_moment(check.moment)}", bericht=index)
            elif not check.is_wanted:
                seen = f"a check of {write_moment(check.moment)} that said no"
                yield Finding(WAS_REFUSED, place, "no letter to who does not want it", seen, bericht=index)


def checks_of(citizens: CitizenLedger) -> Checks:
    """Return what the ledger knows."""
    return Checks(citizens, sorted(citizens.bevragingen(0), key=lambda asked: asked.moment))


def unchecked(ledger: Ledger, after: int) -> Iterator[tuple[Offer, Finding]]:
    """Yield what is wrong with sending the berichten of each batch that was taken after a sequence number, with its offer."""
    checks = checks_of(ledger.citizens)
    for offer in ledger.offers(after):
        is_batch = offer.envelope.action == Action.BV_REQUEST and offer.state is State.PROCESSED
        batch = read_offer(payload_of(offer.envelope)).batch if is_batch else None
        if batch is not None:
            yield from ((offer, finding) for finding in checks.findings(offer, batch))
