"""Afnemers that deliver again wrongly."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.sending import Sender
from conformance.afnemer.reference.store import StoredBericht, StoredOffer
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope
from conformance.messages.moments import read_moment, write_moment
from conformance.messages.verwerkingsbericht import VerwerkingsCode

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class _Replaying(Sender):
    """Knows when it is delivering again."""

    is_replaying = False

    def redeliver(self, start: datetime, end: datetime) -> int:
        self.is_replaying = True
        try:
            return super().redeliver(start, end)
        finally:
            self.is_replaying = False


@defect("HERL-001", also="HERL-007 HERL-008 HERL-010")
class forgets_the_last_of_a_herlevering(_Replaying):
    """Leaves one bericht out when there are several."""

    def send(self, offer: StoredOffer) -> None:
        short = replace(offer, bericht_ids=offer.bericht_ids[:-1]) if self.is_replaying and len(offer.bericht_ids) > 1 else offer
        super().send(short)


@defect("HERL-002", also="HERL-001 HERL-007 HERL-008 HERL-010 HERL-005", pitfall=17)
class makes_new_ids_for_a_herlevering(Sender):
    """Sends the letters again as new ones: the citizen gets them twice."""

    def redeliver(self, start: datetime, end: datetime) -> int:
        offers = self.store.offers_between(start.timestamp(), end.timestamp())
        letters = [stored.letter for offer in offers for bericht_id in offer.bericht_ids if (stored := self.store.bericht(bericht_id)) is not None]
        with self.store.transaction():
            for group in self.groups(letters, None):
                self._keep(group)
        self.send_waiting()
        return len(letters)


@defect("HERL-003", also="HERL-012 AANL-054")
class calls_a_herlevering_a_reminder(_Replaying):
    """Changes the Onderwerp of what it delivers again."""

    def bericht_of(self, stored: StoredBericht) -> Bericht:
        bericht = super().bericht_of(stored)
        return replace(bericht, onderwerp="Herinnering") if self.is_replaying else bericht


@defect("HERL-004", also="HERL-012 AANL-054")
class leaves_bijlagen_out_of_a_herlevering(_Replaying):
    """Has thrown the bijlagen away."""

    def bericht_of(self, stored: StoredBericht) -> Bericht:
        bericht = super().bericht_of(stored)
        return replace(bericht, bijlagen=()) if self.is_replaying else bericht


@defect("HERL-005")
class rounds_the_window_to_minutes(Sender):
    """Delivers a little more than was asked, before and after."""

    def redeliver(self, start: datetime, end: datetime) -> int:
        wide = timedelta(minutes=1)
        return super().redeliver(start - wide, end + wide)


@defect("HERL-006", also="HERL-007 HERL-010 AANL-009 HERL-012 HERL-008")
class replays_under_the_old_message_id(_Replaying):
    """Gives a replayed batch the MessageId of the first time: duplicate elimination eats it."""

    def send(self, offer: StoredOffer) -> None:
        self._sending = offer.batch_id
        super().send(offer)

    def envelope_of(self, batch: Batch) -> Envelope:
        envelope = super().envelope_of(batch)
        used: set[str] = self.__dict__.setdefault("_used", set())
        if self.is_replaying or batch.batch_id not in used:
            used.add(batch.batch_id)
            return replace(envelope, message_id=batch.batch_id)
        return envelope


@defect("HERL-007", bulk=True)
class takes_no_letters_during_a_herlevering(ReferenceAfnemer):
    """Refuses new letters while it delivers old ones again."""

    def berichten(self, verzoek: Mapping[str, Any]) -> dict[str, Any]:
        if not self._working.acquire(blocking=False):
            raise ValueError("busy with a herlevering")
        try:
            return super().berichten(verzoek)
        finally:
            self._working.release()


@defect("HERL-008")
class remembers_nothing_after_a_restart(ReferenceAfnemer):
    """Keeps its offers in memory."""

    def restart(self) -> bool:
        self.store._do("DELETE FROM offer")  # noqa: SLF001
        return super().restart()


@defect("HERL-009", "AFW-007", also="AANL-014 AFW-013", pitfall=16)
class takes_bestaat_al_for_a_failure(Receiver):
    """Sends on paper what exists already."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if code is VerwerkingsCode.BERICHT_BESTAAT_AL and bericht.status == "verwerkt":
            self.store.set_status(bericht.bericht_id, "ander-kanaal", code, applied=1)
        else:
            super().react(bericht, code)


@defect("HERL-010", also="HERL-001 HERL-007 HERL-008 HERL-005")
class delivers_again_only_what_was_refused(Sender):
    """Thinks that what was stored is safe."""

    def redeliver(self, start: datetime, end: datetime) -> int:
        count = 0
        for offer in self.store.offers_between(start.timestamp(), end.timestamp()):
            ids = [bericht_id for bericht_id in offer.bericht_ids if (stored := self.store.bericht(bericht_id)) and stored.status != "verwerkt"]
            if ids:
                self.store.plan_offer(offer.batch_id, ids)
            count += len(ids)
        self.send_waiting()
        return count


@defect("HERL-011")
class delivers_the_last_offers_for_an_empty_window(Sender):
    """Finds nothing in the window, and takes what it has."""

    def redeliver(self, start: datetime, end: datetime) -> int:
        if self.store.offers_between(start.timestamp(), end.timestamp()):
            return super().redeliver(start, end)
        last = self.store.offers_between(_LONG_AGO.timestamp(), self.now().timestamp())[-2:]
        for offer in last:
            self.store.plan_offer(offer.batch_id, offer.bericht_ids)
        self.send_waiting()
        return len(last)


@defect("HERL-012", also="AANL-035 HERL-010 HERL-009")
class replays_with_an_old_aanmaak_datum(_Replaying):
    """Keeps the AanmaakDatum of a letter that was made two weeks before it was sent."""

    def batch_of(self, batch_id: str, berichten: Any) -> Batch:
        batch = super().batch_of(batch_id, berichten)
        moment = read_moment(batch.aanmaak_datum)
        if not self.is_replaying or moment is None:
            return batch
        return replace(batch, aanmaak_datum=write_moment(moment.at - timedelta(days=14)))
