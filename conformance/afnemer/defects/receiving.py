"""Afnemers that read, place or book results wrongly."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import httpx

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.gateway import Gateway, PermanentTroubleError, TemporaryTroubleError
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.store import StoredBericht
from conformance.messages.batch import NS_BERICHT
from conformance.messages.envelope import Action, Envelope
from conformance.messages.guard import Limits, XmlRefused, parse
from conformance.messages.identities import is_nil
from conformance.messages.unpack import PackedTooMuch, is_gzip, unpack
from conformance.messages.verwerkingsbericht import Resultaat, UnreadableResult, Verwerkingsbericht, VerwerkingsCode, read_verwerkingsbericht
from conformance.transport import adapter

_WIDE = Limits(size=10**10, markup=10**9, depth=200, attributes=10**9)
_EVERYTHING = "VERW-* AFW-* HERL-*"


@defect("VERW-001", also="VERW-018 VERW-002")
class never_marks(Receiver):
    """Applies results, and leaves them in the queue."""

    def handle(self, message_id: str) -> bool:
        self.apply(message_id, self.read(self.gateway.fetch(message_id)))
        self._set_aside.add(message_id)
        return True


@defect("VERW-002", also="VERW-015 VERW-029 VERW-027", pitfall=11)
class marks_before_storing(Receiver):
    """Marks a result as processed, and stores it after that."""

    def handle(self, message_id: str) -> bool:
        envelope = self.gateway.fetch(message_id)
        self.gateway.mark(message_id)
        try:
            self.apply(message_id, self.read(envelope))
        except (XmlRefused, PackedTooMuch, UnreadableResult):
            return False
        return True


@defect("VERW-002", also="VERW-015", pitfall=11)
class fetches_with_process_true(Gateway):
    """Lets the adapter mark a result while it is fetched."""

    def fetch(self, message_id: str) -> Envelope:
        return adapter.read_message(self._ask("GET", f"/ebms/messages/{message_id}", params={"process": "true"}).content)


@defect("VERW-001", "VERW-003", also=_EVERYTHING, pitfall=4)
class reads_the_namespace_of_the_request(Receiver):
    """Looks for Bericht in the namespace of a request: every batch seems empty."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        found = list(parse(unpack(envelope.parts[-1].content)).iter(f"{{{NS_BERICHT}}}Bericht"))
        return replace(result, resultaten=result.resultaten[: len(found)])


@defect("VERW-003", pitfall=4)
class looks_for_prefixes(Receiver):
    """Finds ns3:Bericht by its prefix."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        text = unpack(envelope.parts[-1].content)
        return result if b"<ns3:Bericht>" in text else replace(result, resultaten=())


@defect("VERW-004", also="VERW-033", pitfall=36)
class does_not_know_gzip(Receiver):
    """Reads a gzip file as XML."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        if any(is_gzip(part.content) for part in envelope.parts):
            raise UnreadableResult("this is not XML")
        return super().read(envelope)


@defect("VERW-005", "VERW-006", also="VERW-007 VERW-012 VERW-020 VERW-021 AFW-012 AFW-017", pitfall=5)
class takes_one_status_for_the_batch(Receiver):
    """Derives one status for the whole batch from its counters."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        is_success = result.totaal == result.counter("AantalBerichtenSuccesvolVerwerkt")
        if is_success or not result.resultaten:
            return replace(result, resultaten=tuple(replace(item, code=VerwerkingsCode.VERWERKT) for item in result.resultaten))
        worst = next((item.code for item in result.resultaten if item.code is not VerwerkingsCode.VERWERKT), VerwerkingsCode.BIJLAGE_TE_GROOT)
        return replace(result, resultaten=tuple(replace(item, code=worst) for item in result.resultaten))


@defect("VERW-006")
class refuses_counters_that_do_not_fit(Receiver):
    """Takes a result for unreadable when its counters do not add up."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        stored = sum(item.code is VerwerkingsCode.VERWERKT for item in result.resultaten)
        if result.totaal == len(result.resultaten) and stored != result.counter("AantalBerichtenSuccesvolVerwerkt"):
            raise UnreadableResult("the counters do not fit")
        return result


@defect("VERW-007", also="VERW-026", pitfall=7)
class keeps_codes_as_numbers(ReferenceAfnemer):
    """Knows codes by a number of its own."""

    def bericht(self, bericht_id: str) -> dict[str, Any] | None:
        known = super().bericht(bericht_id)
        if known is not None and known["verwerkingsCode"] is not None:
            known["verwerkingsCode"] = f"{list(VerwerkingsCode).index(known['verwerkingsCode']):02d}"
        return known


@defect("VERW-008", "VERW-009", pitfall=8)
class requires_stadium(Receiver):
    """Cannot read a result without Stadium."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        if any(item.stadium is None for item in result.resultaten):
            raise UnreadableResult("Stadium is missing")
        return result


@defect("VERW-009", pitfall=8)
class requires_text_in_stadium(Receiver):
    """Cannot read a Stadium that is nil."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        if any(item.is_nil_stadium for item in result.resultaten):
            raise UnreadableResult("Stadium has no text")
        return result


@defect("VERW-010")
class knows_four_stadia(Receiver):
    """Refuses a Stadium that is not in its list."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        if any(item.stadium not in (None, "NA", "ValidatieBerichtType", "ValidatieGebruiker", "StoreMessage") for item in result.resultaten):
            raise UnreadableResult("Stadium is not known")
        return result


@defect("VERW-011", "AFW-019", pitfall=6)
class looks_up_the_nil_bericht_id(Receiver):
    """Looks for a bericht with the nil BerichtID, and drops what it does not find."""

    def berichten_of(self, result: Verwerkingsbericht, item: Resultaat) -> Iterator[StoredBericht]:
        if not is_nil(item.bericht_id):
            yield from super().berichten_of(result, item)


@defect("VERW-012", also="VERW-013")
class crashes_on_an_unknown_bericht(Receiver):
    """Cannot go on after a BerichtID that it never sent."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        if any(not list(self.berichten_of(result, item)) for item in result.resultaten):
            raise UnreadableResult("a BerichtID that was never sent")
        super().apply(message_id, result)


class _Peeking(Receiver):
    """Looks into a message before it handles it."""

    def peek(self, message_id: str) -> Verwerkingsbericht | None:
        try:
            return self.read(self.gateway.fetch(message_id))
        except (XmlRefused, PackedTooMuch, UnreadableResult, TemporaryTroubleError, PermanentTroubleError):
            return None


class _Blocked(_Peeking):
    """Comes back to the same message for ever, and to no other."""

    def blocks(self, message_id: str) -> bool:
        raise AssertionError(message_id)  # pragma: no cover  # each subclass says when

    def receive(self) -> bool:
        has_received, self.is_troubled = False, False
        for message_id in self.waiting():
            if self.blocks(message_id):
                return has_received
            has_received = self.handle(message_id) or has_received
        return has_received


@defect("VERW-013")
class stops_at_an_unknown_batch(_Blocked):
    """Tries a result of an unknown batch again and again, before any other."""

    def blocks(self, message_id: str) -> bool:
        result = self.peek(message_id)
        return result is not None and bool(result.resultaten) and not self.store.batch(result.batch_id)


@defect("VERW-014", also="VERW-015 VERW-031 VERW-033", pitfall=12)
class stops_at_the_first_unreadable(_Blocked):
    """Tries a result that it cannot read again and again, before any other."""

    def blocks(self, message_id: str) -> bool:
        try:
            self.read(self.gateway.fetch(message_id))
        except TemporaryTroubleError:
            return False
        except (XmlRefused, PackedTooMuch, UnreadableResult):
            return True
        return False


@defect("VERW-015")
class marks_what_it_cannot_read(Receiver):
    """Throws away what it cannot read."""

    def handle(self, message_id: str) -> bool:
        is_done = super().handle(message_id)
        if message_id in self._set_aside:
            self.gateway.mark(message_id)
        return is_done


class _Counting(Receiver):
    """Counts a result again for a bericht that is stored already."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if bericht.status == "verwerkt" and code is VerwerkingsCode.VERWERKT:
            self.store.set_status(bericht.bericht_id, "verwerkt", code, applied=1)
        else:
            super().react(bericht, code)


@defect("VERW-016", "VERW-017", "VERW-018", also="VERW-029", pitfall=13)
class applies_everything_again(_Counting):
    """Does not remember what it applied."""

    def key_of(self, result: Verwerkingsbericht, item: Resultaat, bericht: StoredBericht) -> str:
        self._applied_so_far = getattr(self, "_applied_so_far", 0) + 1
        return f"{super().key_of(result, item, bericht)}-{self._applied_so_far}"


@defect("VERW-017", "VERW-018", pitfall=13)
class recognises_only_the_message_id(_Counting):
    """Knows a result by its MessageId alone."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        self._current = message_id
        super().apply(message_id, result)

    def key_of(self, result: Verwerkingsbericht, item: Resultaat, bericht: StoredBericht) -> str:
        return f"{super().key_of(result, item, bericht)}-{self._current}"


@defect("VERW-018")
class leaves_known_results_in_the_queue(_Peeking):
    """Does not mark what it applied before."""

    def handle(self, message_id: str) -> bool:
        result = self.peek(message_id)
        if result is not None and result.resultaten and all(self._is_known(result, item) for item in result.resultaten):
            self._set_aside.add(message_id)
            return False
        return super().handle(message_id)

    def _is_known(self, result: Verwerkingsbericht, item: Resultaat) -> bool:
        found = list(self.berichten_of(result, item))
        return bool(found) and all(self.store.is_applied(self.key_of(result, item, bericht)) for bericht in found)


@defect("VERW-019", also="VERW-025 VERW-026 VERW-034 VERW-020 VERW-002 VERW-027 VERW-033 AFW-* AANL-013 AANL-014")
class gives_up_on_silence(Receiver):
    """Takes a queue that is empty for an answer: what waits goes on paper, and its result is not wanted any more."""

    def receive(self) -> bool:
        has_received = super().receive()
        if not has_received and not self.is_troubled:
            for row in self.store._rows("SELECT bericht_id FROM bericht WHERE status = 'aangeboden' AND offers > 0"):  # noqa: SLF001
                self.store.set_status(row[0], "ander-kanaal", None)
        return has_received

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        if bericht.status != "ander-kanaal":
            super().react(bericht, code)


@defect("VERW-020")
class drops_results_of_older_batches(Receiver):
    """Expects results in the order of its offers: an older one comes too late."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        rows = self.store._rows("SELECT min(id) FROM offer WHERE batch_id = ?", result.batch_id.lower())  # noqa: SLF001
        place = rows[0][0] or 0
        if place and place < getattr(self, "_highest", 0):
            return
        self._highest = max(place, getattr(self, "_highest", 0))
        super().apply(message_id, result)


@defect("VERW-021")
class closes_a_batch_at_its_first_result(Receiver):
    """Takes the first result of an offer for all of it."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        seen: dict[tuple[str, str], str] = self.__dict__.setdefault("_closed", {})
        if result.resultaten and seen.setdefault((result.batch_id.lower(), result.ontvangen), message_id) != message_id:
            return
        super().apply(message_id, result)


@defect("VERW-022", bulk=True)
class reads_five_hundred_at_most(Receiver):
    """Reads one page of a result."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        result = super().read(envelope)
        return replace(result, resultaten=result.resultaten[:500])


@defect("VERW-023", pitfall=40)
class takes_the_first_part(Receiver):
    """Expects the result in the first payload part."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        return super().read(replace(envelope, parts=envelope.parts[:1]))


@defect("VERW-024", pitfall=37)
class compares_guids_by_case(Receiver):
    """Finds a bericht only when its id is spelled as it was sent."""

    def berichten_of(self, result: Verwerkingsbericht, item: Resultaat) -> Iterator[StoredBericht]:
        for bericht in super().berichten_of(result, item):
            if is_nil(item.bericht_id) or bericht.bericht_id == item.bericht_id:
                yield bericht


@defect("VERW-025", also="VERW-002 VERW-019 VERW-026 VERW-033 VERW-034 AFW-* VERW-005 VERW-011 VERW-020 VERW-012 VERW-013", pitfall=14)
class books_the_acknowledgment(ReferenceAfnemer):
    """Calls a bericht verwerkt as soon as the adapter took it."""

    def bericht(self, bericht_id: str) -> dict[str, Any] | None:
        known = super().bericht(bericht_id)
        if known is not None and known["status"] == "aangeboden":
            known["status"] = "verwerkt"
        return known


@defect("VERW-026", also="VERW-002 VERW-020 VERW-034 VERW-025 VERW-027 VERW-033 AFW-* AANL-013 AANL-014 AANL-015", pitfall=15)
class resends_after_silence(Receiver):
    """Offers again what has no result yet when it looks in the queue."""

    def receive(self) -> bool:
        has_received = super().receive()
        if not has_received and not self.is_troubled:
            for row in self.store._rows("SELECT bericht_id FROM bericht WHERE status = 'aangeboden' AND offers = 1"):  # noqa: SLF001
                bericht = self.store.bericht(row[0])
                if bericht is not None:
                    self.offer_again(bericht)
        return has_received


@defect("VERW-027")
class loses_the_queue_after_a_503(Receiver):
    """Takes what waits after trouble for old, and throws it away."""

    _was_troubled = False

    def receive(self) -> bool:
        self.is_troubled = False
        ids = self.waiting()
        if self.is_troubled or not self._was_troubled:
            self._was_troubled = self.is_troubled
            return not self.is_troubled and super().receive()
        self._was_troubled = False
        for message_id in ids:
            self.gateway.mark(message_id)
        return False


@defect("VERW-028", bulk=True)
class drops_what_is_slow(Gateway):
    """Gives a message that takes long up for lost."""

    def fetch(self, message_id: str) -> Envelope:
        try:
            answer = self._http.get(f"/ebms/messages/{message_id}", timeout=0.35)
        except httpx.TimeoutException:
            self.mark(message_id)
            raise TemporaryTroubleError("too slow") from None
        return adapter.read_message(answer.content)


@defect("VERW-029", also="VERW-001")
class counts_again_when_marking_fails(_Counting, _Peeking):
    """Forgets that it applied a result when it could not mark it."""

    def handle(self, message_id: str) -> bool:
        result = self.peek(message_id)
        is_done = super().handle(message_id)
        if self.is_troubled and result is not None and not is_done:
            for item in result.resultaten:
                for bericht in self.berichten_of(result, item):
                    self.store.set_status(bericht.bericht_id, "verwerkt", VerwerkingsCode.VERWERKT, applied=1)
        return is_done


@defect("VERW-030", pitfall=20)
class correlates_by_reference(ReferenceAfnemer):
    """Knows a result only by the MessageId that it refers to."""

    def _open(self) -> None:
        super()._open()
        sent: set[str] = set()
        send, read = self.gateway.send, self.receiver.read

        def remembering(envelope: Envelope) -> str:
            message_id = send(envelope)
            sent.add(message_id)
            return message_id

        def checking(envelope: Envelope) -> Verwerkingsbericht:
            if envelope.ref_to_message_id not in sent:
                raise UnreadableResult("it refers to nothing that was sent")
            return read(envelope)

        self.gateway.send = remembering  # type: ignore[method-assign]
        self.receiver.read = checking  # type: ignore[method-assign]


@defect("VERW-031", pitfall=41)
class fetches_external_entities(Receiver):
    """Lets its XML parser go and get what a document names."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        for url in re.findall(rb'SYSTEM "(http[^"]+)"', envelope.parts[-1].content):
            httpx.get(url.decode(), trust_env=False)
        return super().read(envelope)


@defect("VERW-032")
class takes_every_message_for_its_own(_Blocked):
    """Looks in the whole queue, and cannot get past what it does not know."""

    def waiting(self) -> list[str]:
        ids = cast("Gateway", self.gateway)._ask("GET", "/ebms/messages/unprocessed").json()  # noqa: SLF001
        return [message_id for message_id in ids if message_id not in self._set_aside]

    def blocks(self, message_id: str) -> bool:
        try:
            return self.gateway.fetch(message_id).action != Action.BV_RESULT
        except TemporaryTroubleError:
            return False


@defect("VERW-033", pitfall=36, bulk=True)
class unpacks_without_limit(Receiver):
    """Unpacks whatever comes."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        for part in envelope.parts:
            if is_gzip(part.content):
                return read_verwerkingsbericht(parse(gzip.decompress(part.content), _WIDE))
        return super().read(envelope)


@defect("VERW-034", also="VERW-021")
class rejects_what_a_result_leaves_out(Receiver):
    """Takes a bericht that is not in the result of its batch for refused."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        super().apply(message_id, result)
        named = {item.bericht_id.lower() for item in result.resultaten}
        for bericht in self.store.batch(result.batch_id):
            if bericht.bericht_id not in named and bericht.status == "aangeboden" and not any(is_nil(item) for item in named):
                self.store.set_status(bericht.bericht_id, "afgewezen", None)


@defect("VERW-035")
class drops_results_while_delivering(ReferenceAfnemer):
    """Empties the queue when it begins to deliver."""

    def berichten(self, verzoek: Any) -> dict[str, Any]:
        with self._working:
            for message_id in self.receiver.waiting():
                self.gateway.mark(message_id)
        return super().berichten(verzoek)
