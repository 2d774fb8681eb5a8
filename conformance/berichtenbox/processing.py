"""Processes accepted offers: reads them, grades them, decides each bericht, answers each request for abonnementen; all of it in one commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conformance.berichtenbox.abonnementen import AbonnementService
from conformance.berichtenbox.citizens import Bevraging
from conformance.berichtenbox.decide import Circumstances, decide
from conformance.berichtenbox.faults import FaultPlan, Point
from conformance.berichtenbox.ledger import Before, Face, Ledger, Offer, OfferedResult, PlannedResult, Processed, State, StoredBericht
from conformance.berichtenbox.register import Register
from conformance.berichtenbox.results import Draft, drafts_of, forced_codes, with_code
from conformance.berichtenbox.scripts import Scripts
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Action, answering, payload_of
from conformance.messages.identities import is_guid
from conformance.messages.moments import read_moment
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode
from conformance.rules.findings import Connection, Earlier, Grading, Knowledge
from conformance.rules.grading import Reading, grade_reading, read_offer

AT_ONCE: Final = 200
Takers = frozenset[tuple[str, str, str]]
"""Which letters are wanted: OIN, BerichtType, BSN."""


@dataclass(slots=True)
class Outcome:
    """What one round of processing adds up to, while it is collected."""

    gradings: dict[int, tuple[State, Grading | None]]
    berichten: list[StoredBericht]
    results: list[PlannedResult]
    bevragingen: list[Bevraging]


class Processor:
    """Turns accepted offers into decided berichten and planned results."""

    def __init__(
        self,
        ledger: Ledger,
        connection: Connection,
        register: Register,
        faults: FaultPlan,
        scripts: Scripts,
        now: Callable[[], datetime],
        offer: Callable[[PlannedResult], OfferedResult],
        abonnementen: AbonnementService,
    ) -> None:
        self._abonnementen = abonnementen
        self._offer = offer
        self._ledger = ledger
        self._connection = connection
        self._register = register
        self._faults = faults
        self._scripts = scripts
        self._now = now

    def process(self, offers: Sequence[Offer]) -> Sequence[PlannedResult]:
        """Process offers in their order and commit the outcome, with the results that are to be offered at once; return what was planned."""
        readings = [None if _is_request(offer) else read_offer(payload_of(offer.envelope)) for offer in offers]
        before, takers = self._before(offers, readings), self._takers(readings)
        outcome = Outcome({}, [], [], [])
        for offer, reading in zip(offers, readings, strict=True):
            if reading is None:
                self._answer_one(offer, before, outcome)
            else:
                self._process_one(offer, reading, before, takers, outcome)
        now = self._now()
        offered = {index: self._offer(planned) for index, planned in enumerate(outcome.results) if planned.due <= now}
        self._ledger.commit_processed(Processed(outcome.gradings, outcome.berichten, outcome.results, offered, outcome.bevragingen))
        return outcome.results

    def _answer_one(self, offer: Offer, before: Before, outcome: Outcome) -> None:
        """Answer a request for abonnementen, unless its MessageId was seen before."""
        message_id = offer.envelope.message_id or ""
        is_duplicate = message_id in before.message_ids
        before.message_ids[message_id] = offer.seq
        if is_duplicate:
            outcome.gradings[offer.seq] = (State.DUPLICATE, None)
            return
        answered = self._abonnementen.answer(offer, outcome.bevragingen)
        outcome.gradings[offer.seq] = (State.PROCESSED, answered.grading)
        outcome.bevragingen.extend(answered.bevragingen)
        outcome.results.extend(answered.results)

    def plan_extra(self, offer: Offer, results: Sequence[Resultaat]) -> None:
        """Plan one more result on the batch of an offer."""
        batch, now = read_offer(payload_of(offer.envelope)).batch, self._now()
        if batch is None:
            raise ValueError(f"{offer!r} holds no batch to answer")
        result = Verwerkingsbericht.about(batch.bericht_leverancier_id, batch.batch_id, offer.business, now, results)
        self._ledger.commit_processed(Processed({}, (), [self._plan(offer, Draft(result), now)]))

    def _takers(self, readings: Sequence[Reading | None]) -> Takers:
        """Return which letters of a round their citizen takes (OIN, BerichtType, BSN): asked once for all of them."""
        batches = [reading.batch for reading in readings if reading is not None and reading.batch is not None]
        return self._register.takers((batch.bericht_leverancier_id, bericht) for batch in batches for bericht in batch.berichten)

    def _before(self, offers: Sequence[Offer], readings: Sequence[Reading | None]) -> Before:
        batches = [reading.batch for reading in readings if reading is not None and reading.batch is not None]
        return self._ledger.before(
            [batch.batch_id.lower() for batch in batches],
            [bericht.bericht_id.lower() for batch in batches for bericht in batch.berichten],
            [offer.envelope.message_id or "" for offer in offers],
        )

    def _process_one(self, offer: Offer, reading: Reading, before: Before, takers: Takers, outcome: Outcome) -> None:
        grading = grade_reading(reading, self._knowledge(offer, before), offer.envelope)
        message_id = offer.envelope.message_id or ""
        is_duplicate = message_id in before.message_ids
        outcome.gradings[offer.seq] = (State.DUPLICATE if is_duplicate else State.PROCESSED, grading)
        before.message_ids[message_id] = offer.seq
        if is_duplicate or reading.batch is None or not is_guid(reading.batch.batch_id):
            # Without a BatchID there is nothing to echo: no result comes, only the acknowledgment. The operator sees it.
            return
        circumstances = Circumstances(before.stored, lambda *letter: letter in takers)
        self._decide(offer, reading.batch, grading, circumstances, before, outcome)

    def _knowledge(self, offer: Offer, before: Before) -> Knowledge:
        return Knowledge(
            received=offer.business,
            connection=self._connection,
            bericht_types=self._register.bericht_types,
            batches=before.batches,
            earlier=before.earlier,
            message_ids=before.message_ids.keys(),
        )

    def _decide(self, offer: Offer, batch: Batch, grading: Grading, circumstances: Circumstances, before: Before, outcome: Outcome) -> None:
        faults = self._faults.striking(Point.RESULT)
        decided, silent = self._scripted(batch, decide(batch, grading, circumstances))
        decided = forced_codes(decided, faults)
        now = self._now()
        outcome.berichten.extend(_remember(offer, batch, decided, before, now))
        told = tuple(item for index, item in enumerate(decided) if index not in silent)
        if told or not decided:
            result = Verwerkingsbericht.about(batch.bericht_leverancier_id, batch.batch_id, offer.business, now, told)
            outcome.results.extend(self._plan(offer, draft, now) for draft in drafts_of(result, faults))

    def _scripted(self, batch: Batch, decided: Sequence[Resultaat]) -> tuple[tuple[Resultaat, ...], frozenset[int]]:
        """Return the results with what scripts say of their citizens, and the indices of those on which nothing is to be said."""
        if len(decided) != len(batch.berichten):
            return tuple(decided), frozenset()
        answered, silent = list(decided), set()
        for index, bericht in enumerate(batch.berichten):
            is_scripted, code = self._scripts.next(bericht.gebruiker_id)
            if is_scripted and code is None:
                silent.add(index)
            elif is_scripted and code is not None:
                answered[index] = with_code(decided[index], code)
        return tuple(answered), frozenset(silent)

    def _plan(self, offer: Offer, draft: Draft, now: datetime) -> PlannedResult:
        envelope = answering(offer.envelope, self._connection.logius_party, draft.action, _reference(offer, draft), draft.parts())
        return PlannedResult(
            envelope,
            draft.result.leverancier_code,
            draft.result.batch_id,
            now + draft.delay,
            draft.again_same_id,
            draft.again_new_id,
            draft.again_after.total_seconds(),
            face=offer.face,
        )


def _is_request(offer: Offer) -> bool:
    return offer.envelope.action == Action.A_REQUEST


def _reference(offer: Offer, draft: Draft) -> str | None:
    """Return the RefToMessageId of a result. One that refers to a stranger leaves it out over ebMS2: some gateways refuse what they do not know."""
    if draft.reference and offer.face is Face.EBMS:
        return None
    return draft.reference or offer.envelope.message_id


def _remember(offer: Offer, batch: Batch, decided: Sequence[Resultaat], before: Before, now: datetime) -> list[StoredBericht]:
    """Return the rows of what became of each bericht, and let the offers behind this one know."""
    stored = []
    batch_id = batch.batch_id.lower()
    before.batches[batch_id] = before.batches.get(batch_id, frozenset()) | {bericht.bericht_id.lower() for bericht in batch.berichten}
    # A batch that is refused as a whole has one result, for all of them.
    codes = [item.code for item in decided] if len(decided) == len(batch.berichten) else [decided[0].code] * len(batch.berichten)
    for position, (bericht, code) in enumerate(zip(batch.berichten, codes, strict=True)):
        bericht_id, digest = bericht.bericht_id.lower(), bericht.digest()
        is_stored = code is VerwerkingsCode.VERWERKT
        # A fault may say Verwerkt once more: the citizen has the letter already.
        published = _published(bericht, now) if is_stored and bericht_id not in before.stored else None
        if is_stored:
            before.stored.add(bericht_id)
        if is_stored or bericht_id not in before.earlier:
            before.earlier[bericht_id] = Earlier(digest, bericht.gebruiker_id, is_stored)
        ids = offer.seq, position, batch_id, bericht_id, bericht.gebruiker_id, bericht.bericht_type, digest
        stored.append(StoredBericht(*ids, code, now, batch.bericht_leverancier_id, bericht.onderwerp, published))
    return stored


def _published(bericht: Bericht, now: datetime) -> datetime:
    """Return when a citizen may see a letter: at its PublicatieDatum, and not before it is processed."""
    said = None if bericht.publicatie_datum is None else read_moment(bericht.publicatie_datum)
    return now if said is None else max(now, said.at)
