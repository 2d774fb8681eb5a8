"""The receiving half: fetch, read, apply once, react, and only then mark as processed."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from conformance.afnemer.reference.gateway import MessageService
from conformance.afnemer.reference.inbox import Inbox
from conformance.afnemer.reference.sending import Connection
from conformance.afnemer.reference.store import Store, StoredBericht
from conformance.messages.envelope import Action, Envelope
from conformance.messages.guard import Limits, XmlRefused, parse
from conformance.messages.identities import is_nil
from conformance.messages.unpack import RESULT_LIMIT, PackedTooMuch, unpack
from conformance.messages.verwerkingsbericht import Resultaat, UnreadableResult, Verwerkingsbericht, VerwerkingsCode, read_verwerkingsbericht

MOST_OFFERS: Final = 5
_RESULT_LIMITS: Final = Limits(size=RESULT_LIMIT)

# What a refused bericht becomes when nothing can be mended by itself: another channel, or the list of a person.
_AFTER_REFUSAL: Final = {
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD: "ander-kanaal",
    VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND: "handmatig",
    VerwerkingsCode.PUBLICATIE_DATUM: "handmatig",
    VerwerkingsCode.BIJLAGE_TE_GROOT: "handmatig",
    VerwerkingsCode.OIN_IN_CPA: "handmatig",
    VerwerkingsCode.XML_VALIDATIE: "handmatig",
    # Stored before, says Logius; without the result that said so a person has to look: paper would come twice, and silence helps nobody.
    VerwerkingsCode.BERICHT_BESTAAT_AL: "handmatig",
}
_MENDED_BY_OFFERING_AGAIN: Final = frozenset({VerwerkingsCode.TECHNISCH_PROBLEEM, VerwerkingsCode.AANMAAK_DATUM})
_AFTER_TOO_MANY: Final = {VerwerkingsCode.TECHNISCH_PROBLEEM: "ander-kanaal", VerwerkingsCode.AANMAAK_DATUM: "handmatig"}


class Receiver(Inbox):
    """Applies verwerkingsberichten: each once, whatever the order, whatever stands beside it."""

    action = Action.BV_RESULT
    unusable = (*Inbox.unusable, UnreadableResult)

    def __init__(self, connection: Connection, store: Store, gateway: MessageService, offer_again: Callable[[StoredBericht], None]) -> None:
        super().__init__(connection, store, gateway)
        self.offer_again = offer_again

    def take(self, message_id: str, envelope: Envelope) -> None:
        """Read and apply one result."""
        self.apply(message_id, self.read(envelope))

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        """Return the result in a message: in the first payload part that holds one, packed or not."""
        trouble: ValueError = UnreadableResult("the message has no payload part")
        for part in envelope.parts:
            try:
                return read_verwerkingsbericht(parse(unpack(part.content), _RESULT_LIMITS))
            except (XmlRefused, PackedTooMuch, UnreadableResult) as error:
                trouble = error
        raise trouble

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        """Apply a result to the berichten that it is about, all of it or nothing; what it says twice counts once."""
        with self.store.transaction():
            for item in result.resultaten:
                found = list(self.berichten_of(result, item))
                if not found:
                    self.store.add_stray(message_id, f"{item.code} for a bericht that is not known here")
                for bericht in found:
                    self._apply_once(result, item, bericht)

    def berichten_of(self, result: Verwerkingsbericht, item: Resultaat) -> Iterator[StoredBericht]:
        """Yield the berichten that an item is about: with the nil BerichtID the whole batch, for only its BatchID is known then."""
        if is_nil(item.bericht_id):
            yield from self.store.batch(result.batch_id)
            return
        bericht = self.store.bericht(item.bericht_id)
        if bericht is not None:
            yield bericht

    def key_of(self, result: Verwerkingsbericht, item: Resultaat, bericht: StoredBericht) -> str:
        """Return what makes a result the same one when it comes again, also under another MessageId."""
        told = (bericht.bericht_id, item.code, result.ontvangen, result.verwerkt)
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def _apply_once(self, result: Verwerkingsbericht, item: Resultaat, bericht: StoredBericht) -> None:
        key = self.key_of(result, item, bericht)
        if self.store.is_applied(key):
            return
        self.store.mark_applied(key)
        self.react(bericht, item.code)

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        """Do what the code asks for. A stored bericht stays stored: no later word opens a second channel."""
        if bericht.status == "verwerkt":
            return
        if code is VerwerkingsCode.VERWERKT:
            self.store.set_status(bericht.bericht_id, "verwerkt", code, applied=1)
        elif code in _MENDED_BY_OFFERING_AGAIN and bericht.offers < MOST_OFFERS:
            self.store.set_status(bericht.bericht_id, "opnieuw-aangeboden", code, applied=1)
            self.offer_again(bericht)
        else:
            self.store.set_status(bericht.bericht_id, self.after_refusal(code), code, applied=1)

    def after_refusal(self, code: VerwerkingsCode) -> str:
        """Return where a refused bericht goes."""
        return _AFTER_TOO_MANY.get(code) or _AFTER_REFUSAL[code]
