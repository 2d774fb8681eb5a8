"""Afnemers that handle refused berichten wrongly."""

from collections.abc import Sequence
from dataclasses import replace

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.sending import Sender
from conformance.afnemer.reference.store import StoredBericht
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope
from conformance.messages.verwerkingsbericht import VerwerkingsCode

_OFFERED_AGAIN = "AFW-* AANL-* HERL-* VERW-*"


def _ignores(name: str, does: str, code: VerwerkingsCode, requirement: str, also: str) -> None:
    def react(self: Receiver, bericht: StoredBericht, told: VerwerkingsCode) -> None:
        if told is not code or bericht.status == "verwerkt":
            Receiver.react(self, bericht, told)

    defect(requirement, also=f"AFW-012 VERW-007 {also}")(type(name, (Receiver,), {"__doc__": does, "react": react}))


_ignores("ignores_technical_problems", "Does nothing with TechnischProbleem.", VerwerkingsCode.TECHNISCH_PROBLEEM, "AFW-002", "AFW-018")
_ignores("ignores_who_is_not_subscribed", "Does nothing with NietActiefOfGeabonneerd.", VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, "AFW-003", "")
_ignores("ignores_wrong_types", "Does nothing with BerichtTypeNietOndersteund.", VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND, "AFW-004", "")
_ignores("ignores_late_publication", "Does nothing with PublicatieDatumLigtTeVerInDeToekomst.", VerwerkingsCode.PUBLICATIE_DATUM, "AFW-005", "")
_ignores("ignores_old_batches", "Does nothing with AanmaakDatumLigtTeVerInHetVerleden.", VerwerkingsCode.AANMAAK_DATUM, "AFW-006", "")
_ignores("ignores_large_bijlagen", "Does nothing with BijlageTeGroot.", VerwerkingsCode.BIJLAGE_TE_GROOT, "AFW-008", "")
_ignores("ignores_a_wrong_oin", "Does nothing with OinInCPAKomtNietOvereenMetOinInBericht.", VerwerkingsCode.OIN_IN_CPA, "AFW-009", "AFW-019")
_ignores("ignores_the_schema", "Does nothing with XmlValidatieTegenXsdValtNegatiefUit.", VerwerkingsCode.XML_VALIDATIE, "AFW-010", "VERW-011")


@defect("AFW-012", also="VERW-007 AFW-003 AFW-004 AFW-005 AFW-006 AFW-008 AFW-009 AFW-010 AFW-018 AFW-019 AFW-002 AFW-020 VERW-011 VERW-005 VERW-020")
class drops_every_refusal(Receiver):
    """Books what is stored, and leaves the rest waiting."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if code is VerwerkingsCode.VERWERKT:
            super().react(bericht, code)


@defect("AFW-001", also=_OFFERED_AGAIN)
class confirms_by_sending_again(Receiver):
    """Offers a bericht once more when it was stored."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        super().react(bericht, code)
        if code is VerwerkingsCode.VERWERKT and bericht.offers == 1:
            self.offer_again(bericht)


@defect("AFW-003", also="VERW-005 VERW-020")
class insists_on_the_berichtenbox(Receiver):
    """Offers again to citizens who do not want it."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if code is VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD and bericht.status != "verwerkt" and bericht.offers == 1:
            self.store.set_status(bericht.bericht_id, "opnieuw-aangeboden", code, applied=1)
            self.offer_again(bericht)
        else:
            super().react(bericht, code)


@defect("AFW-011", also="AFW-018")
class never_stops_offering(Receiver):
    """Offers again as long as TechnischProbleem comes."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        super().react(replace(bericht, offers=1), code)


@defect("AFW-013", pitfall=16)
class opens_a_second_channel(Receiver):
    """Believes a later refusal over an earlier Verwerkt."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        is_late = bericht.status == "verwerkt" and code is VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD
        super().react(replace(bericht, status="aangeboden") if is_late else bericht, code)


@defect("AFW-014", also="AFW-006 AFW-016 AFW-017 AFW-018 AFW-011", pitfall=17)
class offers_again_under_new_ids(Sender):
    """Makes a new bericht of what is to be offered again: when both are stored, the citizen has two."""

    def offer_again(self, bericht: StoredBericht) -> None:
        self._keep([bericht.letter])


@defect("AFW-015", also="AANL-009 AFW-011 AFW-017 AFW-018", pitfall=18)
class offers_again_under_the_old_message_id(Sender):
    """Keeps the MessageId with the bericht: duplicate elimination eats what is offered again."""

    def envelope_of(self, batch: Batch) -> Envelope:
        envelope = super().envelope_of(batch)
        is_single = len(batch.berichten) == 1
        return replace(envelope, message_id=batch.berichten[0].bericht_id) if is_single and not self._is_replay(batch) else envelope

    def _is_replay(self, batch: Batch) -> bool:
        stored = self.store.bericht(batch.berichten[0].bericht_id)
        return stored is not None and stored.status == "verwerkt"


@defect("AFW-016", pitfall=31)
class keeps_the_first_aanmaak_datum(Sender):
    """Dates a batch once, and never again."""

    def batch_of(self, batch_id: str, berichten: Sequence[Bericht]) -> Batch:
        dates: dict[str, str] = self.__dict__.setdefault("_dates", {})
        batch = super().batch_of(batch_id, berichten)
        return replace(batch, aanmaak_datum=dates.setdefault(batch_id, batch.aanmaak_datum))


@defect("AFW-017")
class offers_the_whole_batch_again(Sender):
    """Offers again what was stored along with what was not."""

    def offer_again(self, bericht: StoredBericht) -> None:
        self.store.plan_offer(bericht.batch_id, [item.bericht_id for item in self.store.batch(bericht.batch_id)])


@defect("AFW-018")
class gives_up_without_a_word(Receiver):
    """Stops offering again, and leaves it at that."""

    def after_refusal(self, code: VerwerkingsCode) -> str:
        return "aangeboden" if code is VerwerkingsCode.TECHNISCH_PROBLEEM else super().after_refusal(code)


@defect("AFW-020")
class takes_bestaat_al_for_stored(Receiver):
    """Books BerichtBestaatAl as verwerkt, whatever came before."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if code is VerwerkingsCode.BERICHT_BESTAAT_AL and bericht.status != "verwerkt":
            self.store.set_status(bericht.bericht_id, "verwerkt", code, applied=1)
        else:
            super().react(bericht, code)


@defect("AFW-021", also="VERW-*")
class never_recovers(Receiver):
    """Does not believe Verwerkt once a bericht was refused."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if bericht.status == "opnieuw-aangeboden" and code is VerwerkingsCode.VERWERKT:
            return
        super().react(bericht, code)
