"""The sending half: check, keep, batch, offer. Nothing leaves before it is kept, and what was kept leaves, also after a crash."""

import base64
import binascii
import random
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from conformance.afnemer.reference.gateway import MessageService, TemporaryTroubleError, send_each
from conformance.afnemer.reference.store import Store, StoredBericht, StoredOffer
from conformance.afnemer.reference.validating import Recipient, ValidationRefusedError, Validator
from conformance.limits import limits
from conformance.messages.batch import Batch, Bericht, Bijlage, UnwritableText
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.identities import flat_party, passes_elfproef
from conformance.messages.moments import read_moment, write_moment
from conformance.rules.findings import Knowledge
from conformance.rules.grading import grade_offer

PERMANENT_TRIES: Final = 3
MOST_ROUNDS: Final = 5
"""How often an offer waits for somebody's abonnement before a person looks at it."""
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_WAITING: Final = frozenset({"aangeboden", "opnieuw-aangeboden"})
_AGAIN_AT_ONCE: Final = 5
"""Batches that are delivered again before others get their turn."""
_OVERHEAD_BYTES: Final = 2_000  # the elements around one bericht
_ROOM: Final = 0.95  # of the 20 MiB above which Digikoppeling would use Grote Berichten (100 MB is allowed); the rest is for what is estimated


# Findings on these do not keep a letter back: they are advice.
ADVICE: Final = frozenset({"AANL-027", "AANL-034", "AANL-036", "AANL-040", "AANL-062", "AANL-071", "AANL-072", "AANL-090", "AANL-092"})


class NotSendableError(ValueError):
    """A letter that the Berichtenbox would refuse: the text says which rule, never the value."""


class NoOutcomeError(TemporaryTroubleError):
    """It is not known of everybody in an offer whether they take it: it waits."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What the CPA agrees: where the adapter is, who sends to whom, and which BerichtTypes the portal has for this organisation."""

    adapter: str
    cpa_id: str
    oin: str
    logius_oin: str
    bericht_types: tuple[str, ...]

    def envelope(self, action: str, part: Part) -> Envelope:
        """Return the message around a payload; the adapter gives it a MessageId of its own each time."""
        return Envelope(
            cpa_id=self.cpa_id,
            from_party=flat_party(self.oin),
            from_role=ROLE_AFNEMER,
            to_party=flat_party(self.logius_oin),
            to_role=ROLE_LOGIUS,
            service=SERVICE,
            action=action,
            parts=(part,),
        )


class Sender:
    """Checks and offers letters; its outbox survives a crash."""

    not_checked: frozenset[str] = ADVICE

    def __init__(
        self,
        connection: Connection,
        store: Store,
        gateway: MessageService,
        now: Callable[[], datetime],
        seed: int,
        validator: Validator | None = None,
    ) -> None:
        self.connection = connection
        self.store = store
        self.gateway = gateway
        self.now = now
        self.validator = validator
        self._ids = random.Random(seed)  # noqa: S311  # repeatable ids, no secret

    def new_guid(self) -> str:
        """Return a new GUID."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    # -- from letter to bericht ------------------------------------------------------------------------------------------------------------

    def write_text(self, text: str) -> str:
        r"""Return a text as the Berichtenbox shows it: each line break as the four characters \r\n."""
        return _LINE_BREAK.sub(r"\\r\\n", text)

    def bericht_of(self, stored: StoredBericht) -> Bericht:
        """Build the bericht of a letter that was kept."""
        letter = stored.letter
        publicatie = letter.get("publicatieDatum")
        tekst = letter.get("tekst")
        return Bericht(
            batch_id=stored.batch_id,
            bericht_id=stored.bericht_id,
            bericht_type=letter["berichtType"],
            onderwerp=letter.get("onderwerp") or "Bericht van uw gemeente",
            gebruiker_id=letter["bsn"],
            bericht_tekst=None if tekst is None else self.write_text(tekst),
            publicatie_datum=None if publicatie is None else write_moment(_moment(publicatie)),
            bijlagen=tuple(self.bijlage_of(item, number) for number, item in enumerate(letter.get("bijlagen") or (), start=1)),
        )

    def bijlage_of(self, item: dict[str, Any], number: int) -> Bijlage:
        """Build one attachment, ``number`` from 1."""
        return Bijlage.from_octets(_octets(item["bytes"]), item["omschrijving"], number)

    def check(self, stored: StoredBericht) -> None:
        """Refuse what the Berichtenbox would refuse, before anything leaves; raises :class:`NotSendableError`."""
        try:
            payload = self.batch_of(stored.batch_id, [self.bericht_of(stored)]).to_xml()
        except UnwritableText as error:
            raise NotSendableError(str(error)) from None
        known = Knowledge(received=self.now(), bericht_types=dict.fromkeys(self.connection.bericht_types, True))
        grading, _ = grade_offer(payload, known)
        serious = [finding for finding in grading.findings if not finding.is_note and finding.requirement not in self.not_checked]
        if serious:
            raise NotSendableError(str(serious[0]))

    # -- from berichten to offers ----------------------------------------------------------------------------------------------------------

    def deliver(self, letters: Sequence[dict[str, Any]], per_batch: int | None) -> list[tuple[str, str]]:
        """Keep letters, put those that can be sent in the outbox, and send; return (BerichtID, BatchID) in the order asked."""
        with self.store.transaction():
            kept = [bericht for group in self.groups(letters, per_batch) for bericht in self._keep(group)]
        self.send_waiting(most_again=0)
        return kept

    def groups(self, letters: Sequence[dict[str, Any]], per_batch: int | None) -> Iterator[list[dict[str, Any]]]:
        """Split letters over batches: on count, and on bytes, since 151 full attachments are more than 100 MB."""
        most, room = min(per_batch or limits().berichten_per_batch_max, limits().berichten_per_batch_max), limits().batch_bytes_note * _ROOM
        group: list[dict[str, Any]] = []
        size = 0
        for letter in letters:
            weight = _weight(letter)
            if group and (len(group) >= most or size + weight > room):
                yield group
                group, size = [], 0
            group.append(letter)
            size += weight
        if group:
            yield group

    def _keep(self, letters: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
        batch_id = self.new_guid()
        ids, sendable = [], []
        for letter in letters:
            bericht_id = self.new_guid()
            stored = StoredBericht(bericht_id, batch_id, letter, "aangeboden", None, 0, 0)
            try:
                self.check(stored)
            except NotSendableError:
                self.store.add_bericht(bericht_id, batch_id, letter, "handmatig")
            else:
                self.store.add_bericht(bericht_id, batch_id, letter, "aangeboden")
                sendable.append(bericht_id)
            ids.append((bericht_id, batch_id))
        if sendable:
            self.store.plan_offer(batch_id, sendable)
        return ids

    def batch_of(self, batch_id: str, berichten: Sequence[Bericht]) -> Batch:
        """Build a batch that is made now: also when it is offered again, an AanmaakDatum of long ago would be refused."""
        return Batch(batch_id, write_moment(self.now()), self.connection.oin, tuple(berichten))

    def payload_of(self, batch: Batch) -> bytes:
        """Return the document of a batch."""
        return batch.to_xml()

    def envelope_of(self, batch: Batch) -> Envelope:
        """Return the message around a batch."""
        part = Part(self.payload_of(batch), "text/xml", f"batch-{batch.batch_id}.xml", batch.batch_id)
        return self.connection.envelope(Action.BV_REQUEST, part)

    def send_waiting(self, *, most_again: int = _AGAIN_AT_ONCE) -> bool:
        """Send what is in the outbox, what is delivered again last and a few at a time; return whether something left."""
        return send_each(self.store.outbox(most_again), self.send, self._failed_for_good)

    def send(self, offer: StoredOffer) -> None:
        """Send one offer with what was kept of it, as far as it is wanted."""
        offer = self.wanted(offer)
        if not offer.bericht_ids:
            return
        batch = self.batch_of(offer.batch_id, [self.bericht_of(bericht) for bericht in self.stored(offer)])
        message_id = self.gateway.send(self.envelope_of(batch))
        self.store.mark_sent(offer, self.now().timestamp(), message_id)

    def stored(self, offer: StoredOffer) -> list[StoredBericht]:
        """Return what was kept of an offer."""
        return [found for bericht_id in offer.bericht_ids if (found := self.store.bericht(bericht_id)) is not None]

    def _failed_for_good(self, offer: StoredOffer) -> None:
        is_given_up = offer.tries + 1 >= PERMANENT_TRIES
        with self.store.transaction():
            self.store.mark_tried(offer, is_given_up=is_given_up)
            if is_given_up:
                for bericht_id in offer.bericht_ids:
                    self.store.set_status(bericht_id, "handmatig", None)

    def hear_failures(self) -> bool:
        """Give what was sent in vain to a person, unless a result came of it all the same; return whether there was any."""
        failures = self.gateway.failures()
        for message_id, _ in failures:
            offer = self.store.offer_in(message_id)
            with self.store.transaction():
                for bericht_id in () if offer is None else offer.bericht_ids:
                    stored = self.store.bericht(bericht_id)
                    if stored is not None and stored.status in _WAITING:
                        self.store.set_status(bericht_id, "handmatig", stored.code)
            self.gateway.mark_told(message_id)
        return bool(failures)

    # -- who takes it ----------------------------------------------------------------------------------------------------------------------

    def wanted(self, offer: StoredOffer) -> StoredOffer:
        """Return what is left of an offer without those who do not take it; raises :class:`NoOutcomeError` when that is not known of everybody.

        Without a validatieservice nobody is asked. A herlevering is complete, whatever a citizen wants by now: Logius had it already.
        """
        if self.validator is None or not self.is_checked(offer):
            return offer
        recipients = {bericht.bericht_id: recipient for bericht in self.stored(offer) if (recipient := self.recipient_of(bericht)) is not None}
        is_last = offer.rounds + 1 >= MOST_ROUNDS
        try:
            outcomes = self.validator.checked(set(recipients.values()))
        except ValidationRefusedError:
            outcomes, is_last = self.validator.known(set(recipients.values())), True  # asking again is of no use
        unknown = [bericht_id for bericht_id, recipient in recipients.items() if recipient not in outcomes]
        refused = [bericht_id for bericht_id, recipient in recipients.items() if not outcomes.get(recipient, True)]
        offer = self.without(offer, refused, "ander-kanaal")
        if unknown and not is_last:
            self.store.mark_round(offer)
            raise NoOutcomeError("it is not known of everybody whether they take it")
        return self.without(offer, unknown, "handmatig")

    def is_checked(self, offer: StoredOffer) -> bool:
        """Tell whether it matters for an offer what citizens want now."""
        return not offer.is_again

    def recipient_of(self, bericht: StoredBericht) -> Recipient | None:
        """Return who is to be asked about a bericht; nobody for what is no BSN: that is kept back by :meth:`check`, and not by an outcome."""
        bsn = bericht.letter["bsn"]
        return (bsn, bericht.letter["berichtType"]) if passes_elfproef(bsn) else None

    def without(self, offer: StoredOffer, bericht_ids: Sequence[str], status: str) -> StoredOffer:
        """Keep berichten out of an offer, under a status that says where they go, and return what is left of it."""
        if not bericht_ids:
            return offer
        left = tuple(bericht_id for bericht_id in offer.bericht_ids if bericht_id not in set(bericht_ids))
        with self.store.transaction():
            self.store.narrow_offer(offer, left)
            for bericht_id in bericht_ids:
                stored = self.store.bericht(bericht_id)
                if stored is not None and stored.status in _WAITING:
                    self.store.set_status(bericht_id, status, stored.code)
        return replace(offer, bericht_ids=left)

    # -- again -----------------------------------------------------------------------------------------------------------------------------

    def offer_again(self, bericht: StoredBericht) -> None:
        """Put one bericht in the outbox again: same BatchID, same BerichtID, and by itself a new MessageId."""
        self.store.plan_offer(bericht.batch_id, [bericht.bericht_id])

    def redeliver(self, start: datetime, end: datetime) -> int:
        """Begin to deliver again everything that was offered in a window; return the number of berichten."""
        again: dict[str, dict[str, None]] = {}
        for offer in self.store.offers_between(start.timestamp(), end.timestamp()):
            again.setdefault(offer.batch_id, {}).update(dict.fromkeys(offer.bericht_ids))
        with self.store.transaction():
            for batch_id, bericht_ids in again.items():
                self.store.plan_offer(batch_id, list(bericht_ids), is_again=True)
        self.send_waiting()
        return sum(len(bericht_ids) for bericht_ids in again.values())


def _moment(text: str) -> datetime:
    moment = read_moment(text)
    if moment is None:
        raise ValueError("publicatieDatum is no RFC 3339 time")
    return moment.at.astimezone(UTC)


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("bytes of a bijlage is no base64") from None


def _weight(letter: dict[str, Any]) -> int:
    bijlagen = sum(len(item["bytes"]) for item in letter.get("bijlagen") or ())
    return bijlagen + 4 * len(letter.get("tekst") or "") + _OVERHEAD_BYTES
