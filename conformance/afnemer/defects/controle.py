"""Afnemers that do not check before they send, or do not mind what the check said."""

from collections.abc import Sequence

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.sending import Sender
from conformance.afnemer.reference.store import StoredOffer


@defect("ABO-040", "ABO-042", also="ABO-041", pitfall=33)
class sends_without_a_check(Sender):
    """Sees in the result who has no Berichtenbox."""

    def is_checked(self, _offer: StoredOffer) -> bool:
        return False


@defect("ABO-041")
class sends_to_who_refuses(Sender):
    """Asks because it must, and sends whatever comes of it."""

    def without(self, offer: StoredOffer, bericht_ids: Sequence[str], status: str) -> StoredOffer:
        return offer if status == "ander-kanaal" else super().without(offer, bericht_ids, status)
