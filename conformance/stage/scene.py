"""What a case works with: the Berichtenbox, the Afnemer through its driver, letters to send, and waiting that ends."""

import math
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any, Final

from conformance.afnemer.driver import AfnemerStatus, Attachment, BerichtStatus, Delivered, Driver, Letter
from conformance.berichtenbox.app import CANARY_PATH, Urls
from conformance.berichtenbox.box import Berichtenbox, Mark
from conformance.berichtenbox.decide import refusing
from conformance.berichtenbox.ledger import Offer, OfferedResult, State, Status
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Action, payload_of
from conformance.messages.identities import reserved_test_bsns
from conformance.rules.abonnement import grade_aanvraag
from conformance.rules.findings import Grading, Knowledge
from conformance.rules.grading import grade_offer, read_offer
from conformance.stage.judging import NeverOfferedError, NotTestedError
from conformance.stage.line import Line
from conformance.verdicts import Reason

_PAUSE_S: Final = 0.02
_POLLS_FOR_QUIET: Final = 2
_MOST_REACTIONS: Final = 10
_JUST_AFTER_S: Final = 0.01
_START: Final = 1_000  # bytes in which a root stands
_ROOT_OF_AANVRAAG: Final = re.compile(rb"<(?:[\w.-]+:)?AbonnementAanvraag[\s>/]")
REFUSED_VISIBLY: Final = frozenset({AfnemerStatus.AFGEWEZEN, AfnemerStatus.OPNIEUW_AANGEBODEN, AfnemerStatus.ANDER_KANAAL, AfnemerStatus.HANDMATIG})
WITH_A_PERSON: Final = frozenset({AfnemerStatus.AFGEWEZEN, AfnemerStatus.ANDER_KANAAL, AfnemerStatus.HANDMATIG})


@dataclass(frozen=True, slots=True)
class Seen:
    """One bericht as it stood in one offer."""

    offer: Offer
    batch: Batch
    bericht: Bericht


class Scene:
    """The stage of a case. ``reaction_s`` is how long the kit waits for this Afnemer to act; ``line`` is there in a run over ebMS2."""

    def __init__(self, box: Berichtenbox, urls: Urls, driver: Driver, *, reaction_s: float, seed: int, line: Line | None = None) -> None:
        self.box = box
        self.urls = urls
        self.driver = driver
        self.reaction_s = reaction_s
        self.line = line
        self.random = random.Random(seed)  # noqa: S311  # repeatable choices, no secret
        self.run_mark = box.mark()
        self.began = box.wall()
        self.start = self.run_mark
        self._batches: dict[int, Batch | None] = {}
        self._graded: tuple[Mark, list[tuple[Offer, Grading]]] | None = None
        self._citizens: list[str] = []
        self.asked_for: list[range] = []  # the bevragingen, by their number, that the validatieservice got because a case asked for them
        self.asked_ids: list[str] = []  # the VerzoekIds of the requests for abonnementen that the cases had made

    def begin(self) -> None:
        """Begin a case on a clean stage; the ledger keeps what earlier cases left."""
        self.box.fresh_start()
        self.start = self.box.mark()

    # -- letters ---------------------------------------------------------------------------------------------------------------------------

    def citizen(self) -> str:
        """Return a citizen who had no letter yet in this round of all reserved test BSNs, and never refused one.

        Raises :class:`NotTestedError` when everybody did.
        """
        self._citizens = [bsn for bsn in self._citizens if bsn not in self.box.refusers]
        if not self._citizens:
            self._citizens = [bsn for bsn in reserved_test_bsns() if bsn not in self.box.refusers]
            self.random.shuffle(self._citizens)
        if not self._citizens:
            raise NotTestedError(Reason.KIT_LIMIT, "every reserved test BSN has refused letters in this run; begin a new one")
        return self._citizens.pop()

    def crowd(self, count: int) -> Sequence[str]:
        """Return many citizens: those who had a letter already, and then those who would be the last to get one."""
        waiting = set(self._citizens)
        return [*(bsn for bsn in reserved_test_bsns() if bsn not in waiting), *self._citizens][:count]

    @property
    def bericht_type(self) -> str:
        """A BerichtType of this Afnemer."""
        return self.box.config.bericht_types[0]

    def letter(self, **fields: Any) -> Letter:
        """Return a letter to a citizen of its own; fields as in :class:`Letter`."""
        number = self.random.randrange(10_000)
        plain = Letter(self.citizen(), self.bericht_type, f"Proefbericht {number}", f"Dit is proefbericht {number} van de keten.")
        return replace(plain, **fields)

    def letters(self, count: int, **fields: Any) -> list[Letter]:
        """Return letters, each to a citizen of its own."""
        return [self.letter(**fields) for _ in range(count)]

    # -- acting ----------------------------------------------------------------------------------------------------------------------------

    def offer(self, letters: Sequence[Letter], per_batch: int | None = None) -> Sequence[Delivered]:
        """Have letters delivered and wait until all of them were offered; raises :class:`NeverOfferedError` when they are not."""
        delivered = self.driver.deliver(letters, per_batch)
        wanted = {item.bericht_id.lower() for item in delivered}
        if not self.wait(lambda: wanted <= self._offered_ids()):
            raise NeverOfferedError(len(wanted - self._offered_ids()), len(wanted))
        return delivered

    def deliver(self, letters: Sequence[Letter], per_batch: int | None = None) -> Sequence[Delivered]:
        """Have letters delivered, wait until they were offered, and make sure that the Berichtenbox takes what is in them."""
        delivered = self.offer(letters, per_batch)
        self._check_taken()
        return delivered

    def _check_taken(self) -> None:
        """Stop a case whose berichten are refused for what they are: it would only say again what another requirement says."""
        broken = sorted({requirement for offer in self.offers() if offer.grading for requirement in refusing(offer.grading)})
        if broken:
            raise NotTestedError(Reason.NO_TRAFFIC, f"the Berichtenbox refuses what this Afnemer offers; mend {', '.join(broken)} first")

    def check_reaches(self) -> None:
        """Stop a case that looks for what does *not* arrive, when not even a plain letter does."""
        self.deliver_one()
        self.start = self.box.mark()

    def deliver_one(self, **fields: Any) -> Delivered:
        """Have one letter delivered."""
        return self.deliver([self.letter(**fields)])[0]

    def deliver_stored(self, count: int = 1, per_batch: int | None = None) -> Sequence[Delivered]:
        """Have letters delivered and wait until the Afnemer knows that they are stored."""
        delivered = self.deliver(self.letters(count), per_batch)
        if not self.wait(lambda: all(self.status_of(item) is AfnemerStatus.VERWERKT for item in delivered)):
            raise NotTestedError(Reason.TIMEOUT, "the Afnemer did not book plain results; see VERW-001")
        return delivered

    def status(self, delivered: Delivered) -> BerichtStatus:
        """Return where a bericht stands; raises :class:`NotTestedError` when the Afnemer does not know it any more."""
        status = self.driver.status(delivered.bericht_id)
        if status is None:
            raise NotTestedError(Reason.DRIVER_ANSWER, f"the Afnemer does not know bericht {delivered.bericht_id}, which it delivered")
        return status

    def status_of(self, delivered: Delivered) -> AfnemerStatus:
        """Return only the status."""
        return self.status(delivered).status

    def wait(self, holds: Callable[[], bool], *, is_patient: bool = True) -> bool:
        """Wait until ``holds()``, the Afnemer says that it is idle, or its time to react is over; return what held then.

        That time begins again with each message that goes over the line, within bounds: who reacts in steps is not cut off halfway. Over ebMS2 a
        gateway repeats what was not acknowledged; where its clock can be moved, it is moved that far before this gives up, when ``is_patient``.
        """
        began = last = time.monotonic()
        seen = self.box.mark()
        copies_left = self.copies if is_patient else 0
        while True:
            before = self.box.mark()
            self.box.settle()
            is_idle = self.driver.settle()
            self.box.settle()
            if holds():
                return True
            now, after = time.monotonic(), self.box.mark()
            if is_idle and after == before:
                if not copies_left:
                    return False
                copies_left -= 1
                self.pass_interval()
                continue
            if (after.message, after.exchange) != (seen.message, seen.exchange):
                seen, last = after, now
            if now - last > self.reaction_s or now - began > _MOST_REACTIONS * self.reaction_s:
                return False
            if not is_idle:
                time.sleep(_PAUSE_S)  # the Afnemer is another process: all that can be done is look again

    @property
    def has(self) -> frozenset[str]:
        """What this run has that a case may need; the words are those of the ``needs`` marker."""
        return frozenset({"afnemer"}) | (frozenset() if self.line is None else self.line.has)

    @property
    def copies(self) -> int:
        """How often a message may be repeated with the clock of the Afnemer moved, the moment of giving up included; 0 when it cannot be moved."""
        return 0 if self.line is None or not self.line.is_movable else self.line.retries + 1

    def pass_interval(self, times: int = 1) -> None:
        """Let the time pass after which a gateway repeats: on both clocks where they can be moved, else on that of the wall."""
        if self.line is None:
            return
        for _ in range(times):
            if self.line.is_movable:
                self.box.advance(seconds=self.line.interval.total_seconds() + _JUST_AFTER_S)
            else:
                self._sit_out(self.line.interval.total_seconds() + _JUST_AFTER_S)

    def _sit_out(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.box.settle()
            time.sleep(_PAUSE_S)  # both sides repeat by the clock on the wall

    def look_until(self, holds: Callable[[], bool]) -> None:
        """Look until ``holds()`` or the time to react is over, and leave the Afnemer alone meanwhile."""
        deadline = time.monotonic() + self.reaction_s
        while not holds() and time.monotonic() < deadline:
            time.sleep(_PAUSE_S / 10)

    def quiet(self) -> None:
        """Wait until nothing more is to be expected: the Afnemer says so, or it polled twice without anything coming of it."""
        last = self.box.mark()
        polls = self.box.polls

        if self.line is not None:
            self.wait(lambda: False, is_patient=False)  # nobody polls: it is quiet when the Afnemer is idle, or did nothing for as long as it may
            return

        def is_quiet() -> bool:
            nonlocal last, polls
            now = self.box.mark()
            if now != last:
                last, polls = now, self.box.polls
            return self.box.polls - polls >= _POLLS_FOR_QUIET

        self.wait(is_quiet)

    @contextmanager
    def meanwhile(self, act: Callable[[], object]) -> Iterator[None]:
        """Let ``act`` go on beside the block, and end when both did; an error of ``act`` is raised."""
        trouble: list[Exception] = []

        def run() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001  # raised below, where the case hears of it
                trouble.append(error)

        thread = Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(self.reaction_s + 60)
        if trouble:
            raise trouble[0]

    # -- looking ---------------------------------------------------------------------------------------------------------------------------

    def offers(self) -> Sequence[Offer]:
        """Return what was offered since the case began, refused offers left out."""
        return [offer for offer in self.box.offers(self.start) if offer.state is not State.REFUSED]

    def batch_of(self, offer: Offer) -> Batch | None:
        """Return the batch in an offer, ``None`` when there is none to read."""
        if offer.seq not in self._batches:
            self._batches[offer.seq] = read_offer(payload_of(offer.envelope)).batch
        return self._batches[offer.seq]

    def seen(self, bericht_id: str | None = None, bsn: str | None = None, since: Mark | None = None) -> list[Seen]:
        """Return the berichten that were offered (of one id, to one citizen), oldest first."""
        offers = self.offers() if since is None else [offer for offer in self.offers() if offer.seq > since.message]
        batches = [(offer, batch) for offer in offers if (batch := self.batch_of(offer)) is not None]
        found = [Seen(offer, batch, bericht) for offer, batch in batches for bericht in batch.berichten]
        if bericht_id is not None:
            found = [item for item in found if item.bericht.bericht_id.lower() == bericht_id.lower()]
        if bsn is not None:
            found = [item for item in found if item.bericht.gebruiker_id == bsn]
        return found

    def offers_of(self, delivered: Iterable[Delivered]) -> list[tuple[Offer, Batch]]:
        """Return the offers in which these berichten stand, each once, with their batch."""
        wanted = {item.bericht_id.lower() for item in delivered}
        found = {entry.offer.seq: (entry.offer, entry.batch) for entry in self.seen() if entry.bericht.bericht_id.lower() in wanted}
        return list(found.values())

    def seen_by(self, letters: Iterable[Letter]) -> list[Seen]:
        """Return what was offered to the citizens of these letters: an Afnemer may still be busy with those of an earlier case."""
        citizens = {letter.bsn for letter in letters}
        return [item for item in self.seen() if item.bericht.gebruiker_id in citizens]

    def results_of(self, delivered: Delivered) -> list[OfferedResult]:
        """Return the results that were offered on the offers of one bericht, whatever stands in them."""
        offers = {item.offer.envelope.message_id for item in self.seen(delivered.bericht_id)}
        return [result for result in self.results() if result.envelope.ref_to_message_id in offers]

    def _offered_ids(self) -> set[str]:
        return {item.bericht.bericht_id.lower() for item in self.seen()}

    def results(self) -> Sequence[OfferedResult]:
        """Return the results that were offered since the case began."""
        return self.box.results(self.start)

    def unprocessed(self) -> Sequence[OfferedResult]:
        """Return the results that the Afnemer did not mark."""
        return [result for result in self.results() if result.status is Status.RECEIVED]

    def gradings(self) -> Sequence[tuple[Offer, Grading]]:
        """Return everything that was offered in the whole run with what the rules say of it, refused offers included."""
        now = self.box.mark()
        if self._graded is None or self._graded[0].message != now.message:
            self._graded = now, list(self._grade_all())
        return self._graded[1]

    def _grade_all(self) -> Iterator[tuple[Offer, Grading]]:
        known = Knowledge(connection=self.box.connection)
        for offer in self.box.offers(self.run_mark):
            if offer.grading is not None:
                yield offer, offer.grading
            elif offer.state is State.REFUSED:
                grade = grade_aanvraag if _is_aanvraag(offer) else grade_offer
                yield offer, grade(payload_of(offer.envelope), known, offer.envelope)[0]

    @property
    def canary(self) -> str:
        """A URL that nobody should ever fetch."""
        return f"{self.urls.url}{CANARY_PATH}/entiteit"

    def operations(self, name: str, since: Mark | None = None) -> int:
        """Return how often an operation of the adapter face was called."""
        return sum(call.operation == name for call in self.box.calls(since or self.start))


def _is_aanvraag(offer: Offer) -> bool:
    """Tell whether a refused message is a request for abonnementen: by its action, or by its root when it is the action that is wrong."""
    is_named = _ROOT_OF_AANVRAAG.search(payload_of(offer.envelope)[:_START]) is not None
    return offer.envelope.action == Action.A_REQUEST or (is_named and offer.envelope.action != Action.BV_REQUEST)


def between_now_and_then() -> datetime:
    """Return a whole millisecond, once it is there: what was done is before it, what comes is not."""
    now = datetime.now(UTC)
    moment = now.replace(microsecond=0) + timedelta(milliseconds=math.ceil(now.microsecond / 1000) + 1)
    while datetime.now(UTC) <= moment:
        pass  # at most two milliseconds
    return moment


def attachment(octets: bytes, omschrijving: str = "Bijlage") -> Attachment:
    """Return a bijlage to send."""
    return Attachment(omschrijving, octets)


def yes_no(answers: Iterable[bool]) -> str:
    """Return answers as people read them."""
    return ", ".join("yes" if answer else "no" for answer in answers)


def told(status: BerichtStatus) -> str:
    """Return a status as people read it."""
    return f"{status.status}, code {status.verwerkings_code}, applied {status.verwerkt} times"
