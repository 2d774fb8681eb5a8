"""The simulated Berichtenbox itself: what is accepted is processed on the business clock, and its results are offered until they are processed.

The faces translate a wire to these calls; cases and the control face move the clock, set faults and read the ledger. Safe to use from any thread.
"""

import gc
import logging
import random
import ssl
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conformance.berichtenbox.abonnementen import AbonnementService
from conformance.berichtenbox.citizens import EVERY_TYPE, Bevraging, CitizenWriting, Voorkeur
from conformance.berichtenbox.clock import BusinessClock, wall_clock
from conformance.berichtenbox.ebms_link import EbmsLink
from conformance.berichtenbox.faults import Fault, FaultPlan
from conformance.berichtenbox.ledger import Call, Face, Ledger, Offer, OfferedResult, PlannedResult, State, Status, StoredBericht, Writing
from conformance.berichtenbox.notificaties import Distributor
from conformance.berichtenbox.processing import AT_ONCE, Processor
from conformance.berichtenbox.pushing import Pusher
from conformance.berichtenbox.register import ConnectionConfig, Register, default_accounts
from conformance.berichtenbox.scripts import Scripts
from conformance.berichtenbox.wire import Exchange, Visit
from conformance.limits import limits
from conformance.messages.envelope import Envelope
from conformance.messages.verwerkingsbericht import Resultaat, VerwerkingsCode
from conformance.transport.cpa import Cpa
from conformance.transport.handshakes import FailedHandshake

HOST_OF_IDS: Final = "berichtenbox.example"
_LONGEST_NAP_S: Final = 0.5
_LONGEST_NIGHT: Final = timedelta(hours=9)
LARGE: Final = 10_000_000
"""The bytes from which garbage is collected first: what is left behind would stand in memory beside what comes."""
_REGISTER: Final = "register"
_MOST_REMEMBERED: Final = 10_000
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the ledger, to ask what came after it."""

    message: int
    call: int
    exchange: int = 0
    bevraging: int = 0


class Berichtenbox:
    """The Berichtenbox behind its faces. ``processing_delay`` is on the business clock; ``seed`` fixes the ids that it makes.

    ``population`` replaces every citizen of the ledger; without it, a ledger without citizens gets the reserved test BSNs.
    """

    def __init__(
        self,
        ledger: Ledger,
        config: ConnectionConfig | None = None,
        *,
        seed: int = 0,
        processing_delay: timedelta = timedelta(),
        wall: Callable[[], datetime] = wall_clock,
        population: Callable[[CitizenWriting], object] | None = None,
    ) -> None:
        self.ledger = ledger
        self.config = config or ConnectionConfig()
        self.connection = self.config.connection()
        self.clock = BusinessClock(wall)
        self.faults = FaultPlan()
        self.scripts = Scripts()
        self.register = Register(dict.fromkeys(self.config.bericht_types, True), ledger.citizens)
        self.abonnementen = AbonnementService(self.connection, ledger.citizens, self.faults, self.clock.now)
        self.polls = 0
        self.refusers: set[str] = set()
        """Who said no while this runs, were it only for a while: an Afnemer that heard so need not write to them any more."""
        self.before_marking: Callable[[str], None] | None = None
        self.rewrite_validatie: Callable[[bytes], tuple[bytes, str]] | None = None
        """Writes an answer of the validatieservice otherwise, and says why nobody can take that for an answer; empty when one can."""
        self.wall = wall
        self._delay = processing_delay
        # Repeatable, and never the same again on a ledger that was used before: a MessageId that comes back is eaten as a duplicate.
        self._ids = random.Random(f"{seed} after {_last_of(ledger)}")  # noqa: S311  # ids need not be secret
        self._ids_lock = threading.Lock()
        self._processor = Processor(
            ledger, self.connection, self.register, self.faults, self.scripts, self.clock.now, self._offered, self.abonnementen
        )
        self.distributor = Distributor(ledger.notificaties, self.clock.now)
        """Lets notifications leave, whenever something is done here: at ease in the background, at once by :meth:`settle`."""
        self._working = threading.RLock()
        self._wake, self._is_stopping = threading.Event(), False
        self._workers: list[threading.Thread] = []
        self.pusher: Pusher | None = None
        self.cpa_document = b""
        self._wake_pusher = threading.Event()
        self.time_passed: Callable[[timedelta], None] | None = None
        # Of TLS there is more to know than the ledger keeps; only who looks at this run asks for it.
        self._visits: deque[Visit] = deque(maxlen=_MOST_REMEMBERED)
        self._refused: deque[FailedHandshake] = deque(maxlen=_MOST_REMEMBERED)
        self._load_register(population)

    def __repr__(self) -> str:
        return f"<Berichtenbox {self.connection.cpa_id} at {self.clock.now():%Y-%m-%dT%H:%M:%SZ}>"

    # -- running -------------------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Process, offer and push in the background from now on; what was accepted before a restart comes first."""
        self._workers = [threading.Thread(target=self._run, name="processing", daemon=True)]
        if self.pusher is not None:
            # A gateway that does not answer holds up the pushing, and nothing else.
            self._workers.append(threading.Thread(target=self._run_pusher, args=(self.pusher,), name="pushing", daemon=True))
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End the background work; what is accepted stays in the ledger."""
        self._is_stopping = True
        self._wake.set()
        self._wake_pusher.set()
        for worker in self._workers:
            worker.join()
        if self.pusher is not None:
            self.pusher.link.close()

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            self._wake.wait(self._settle_once())

    def _settle_once(self) -> float:
        """Settle, and return how long to rest; a failure is logged and tried again, for whatever was accepted must be processed."""
        try:
            self._process_and_offer()
            return self._nap_s()
        except Exception:  # noqa: BLE001  # whatever it is, the next message is not to blame
            _LOG.exception("processing failed, and will be tried again; please report this")
            return _LONGEST_NAP_S

    def _nap_s(self) -> float:
        return self._nap_until([self.ledger.next_due(), self.ledger.next_reoffer(*_reoffering())])

    def _nap_until(self, moments: Sequence[datetime | None]) -> float:
        due = [moment for moment in moments if moment is not None]
        if not due:
            return _LONGEST_NAP_S
        return min(_LONGEST_NAP_S, max(0.001, (min(due) - self.clock.now()).total_seconds()))

    def _run_pusher(self, pusher: Pusher) -> None:
        while not self._is_stopping:
            self._wake_pusher.clear()
            self._wake_pusher.wait(self._push_once(pusher))

    def _push_once(self, pusher: Pusher) -> float:
        try:
            pusher.push()
            return self._nap_until([self.ledger.wire.next_sending()])
        except Exception:  # noqa: BLE001  # as above
            _LOG.exception("pushing failed, and will be tried again; please report this")
            return _LONGEST_NAP_S

    def wake(self) -> None:
        """Tell the background that there is work."""
        self._wake.set()

    def wake_pusher(self) -> None:
        """Tell the background that there is something to push."""
        self._wake_pusher.set()

    def settle(self) -> None:
        """Do everything that is due on the business clock, and return when nothing is left."""
        with self._working:
            self._process_and_offer()
            self.distributor.distribute()
            if self.pusher is not None:
                self.pusher.push()

    def _process_and_offer(self) -> None:
        with self._working:
            while self._process_some() and not self._is_stopping:
                self._offer_due()  # those who keep sending must not hold up the results of others
                self.distributor.distribute_at_ease()
            self._offer_due()
            self.distributor.distribute_at_ease()
        self.wake_pusher()

    def _process_some(self) -> bool:
        # Without a delay the clock does not matter: it may have been set back since a message came in.
        offers = self.ledger.accepted(self.clock.now() - self._delay if self._delay else _ALWAYS, AT_ONCE)
        if not offers:
            return False
        if any(len(part.content) > LARGE for offer in offers for part in offer.envelope.parts):
            gc.collect()
        self._processor.process(offers)
        return True

    def _offer_due(self) -> None:
        planned = self.ledger.due_results(self.clock.now(), *_reoffering())
        if planned:
            offered = [(self._offered(item), item) for item in planned]
            self.ledger.commit_offered([(new, _counted_from(item, new.business)) for new, item in offered])

    def _offered(self, planned: PlannedResult) -> OfferedResult:
        envelope = replace(planned.envelope, message_id=self.new_message_id())
        return OfferedResult(envelope, self.wall(), self.clock.now(), Status.RECEIVED, planned.id, face=planned.face, kept=planned.kept)

    def new_guid(self) -> str:
        """Return a new GUID, the same ones in the same order for the same seed."""
        with self._ids_lock:
            return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def new_message_id(self) -> str:
        """Return a new ebMS MessageId of Logius' side."""
        return f"{self.new_guid()}@{HOST_OF_IDS}"

    # -- what a face brings in -----------------------------------------------------------------------------------------------------------

    def offer_of(self, envelope: Envelope, *, refused_because: str = "", face: Face = Face.ADAPTER) -> Offer:
        """Return the offer to store for an envelope that came in now."""
        state = State.REFUSED if refused_because else State.ACCEPTED
        return Offer(envelope, self.wall(), self.clock.now(), state, note=refused_because, face=face)

    def call_of(self, operation: str, subject: str, status: int, note: str = "") -> Call:
        """Return the call to store for something that was asked now."""
        return Call(operation, subject, status, self.wall(), self.clock.now(), note=note)

    def accept(self, envelope: Envelope) -> None:
        """Store an offer at once, without a face; returns after the commit."""
        offer = self.offer_of(envelope)
        self.ledger.write([lambda writing: writing.add_offers([offer])])
        self.wake()

    # -- what cases and testers do -------------------------------------------------------------------------------------------------------

    def advance(self, **by: float) -> datetime:
        """Move the business clock (``days=6``, ``hours=1``), do what became due on the way in its order, and return the new moment."""
        until = self.clock.now() + timedelta(**by)
        while (left := until - self.clock.now()) > timedelta():
            self.settle()
            step = min(left, self._next_step(left))
            self.clock.advance(step)
            if self.time_passed is not None:
                self.time_passed(step)
        self.settle()
        return self.clock.now()

    def _next_step(self, left: timedelta) -> timedelta:
        """Return how far the clock can move before something is due: re-offers a day apart must not fall together."""
        now = self.clock.now()
        moments = [self.ledger.next_due(), self.ledger.next_reoffer(*_reoffering()), self.next_sending()]
        ahead = [moment - now for moment in moments if moment is not None and moment > now]
        return max(min([*ahead, left]), timedelta(milliseconds=1))

    def next_sending(self) -> datetime | None:
        """Return when something that is under way to the Afnemer's gateway is to be posted again or given up, or ``None``."""
        return None if self.pusher is None else self.ledger.wire.next_sending()

    def connect(self, cpa: Cpa, context: ssl.SSLContext | None = None, document: bytes = b"") -> None:
        """Speak ebMS2 under a CPA, with ``context`` over two-way TLS; before it starts. Raises ``AgreementError``.

        ``document`` is the CPA as XML, for whoever must load it on the other side.
        """
        link = EbmsLink(self.ledger, cpa, self.connection.logius_party, wall=self.wall, new_message_id=self.new_message_id, context=context)
        self.pusher, self.cpa_document = Pusher(self, link), document

    def fault(self, name: str, **parameters: Any) -> Fault:
        """Set a scripted fault; raises ``FaultError``."""
        return self.faults.script(name, **parameters)

    def answer(self, bsn: str, *answers: VerwerkingsCode | None) -> None:
        """Answer the next letters to a citizen so, one after another; ``NO_RESULT`` for silence. After that the Berichtenbox decides again."""
        self.scripts.set(bsn, answers, is_endless=False)

    def answer_always(self, bsn: str, *answers: VerwerkingsCode | None) -> None:
        """Answer the next letters to a citizen so, and repeat the last answer for as long as the case takes."""
        self.scripts.set(bsn, answers, is_endless=True)

    def push_result(self, offer: Offer, results: Sequence[Resultaat]) -> None:
        """Offer one more result on the batch of ``offer``, saying this of its berichten, as the real one may do late or twice."""
        self._processor.plan_extra(offer, results)
        self.settle()

    def set_burger(self, bsn: str, *, wants: bool) -> None:
        """Make the Berichtenbox of a citizen active or not, on the business clock. Raises ``ValueError`` for what is no BSN."""
        number, now = int(bsn), self.clock.now()
        self._note_refuser(bsn, wants=wants)
        self.ledger.write([lambda writing: writing.citizens.set_account(number, now, is_active=wants)])

    def set_voorkeur(self, bsn: str, *, wants: bool, bericht_type: str = EVERY_TYPE, oin: str | None = None) -> None:
        """Change whether a citizen takes letters of an Afnemer (that of this connection), of one BerichtType or of all."""
        said, now = Voorkeur(int(bsn), oin or self.config.oin, bericht_type, wants), self.clock.now()
        self._note_refuser(bsn, wants=wants)
        self.ledger.write([lambda writing: writing.citizens.set_voorkeur(said, now)])

    def _note_refuser(self, bsn: str, *, wants: bool) -> None:
        if not wants:
            self.refusers.add(bsn)

    def set_bericht_type(self, name: str, *, is_active: bool) -> None:
        """Make, activate or deactivate a BerichtType."""
        self.register.set_bericht_type(name, is_active=is_active)
        self._keep_register()

    def _keep_register(self) -> None:
        stored = self.register.to_json()

        def work(writing: Writing) -> None:
            writing.put_setting(_REGISTER, stored)

        self.ledger.write([work])

    def replace_citizens(self, population: Callable[[CitizenWriting], object]) -> None:
        """Let ``population`` replace every citizen, in one commit; what it raises leaves them as they were."""

        def work(writing: Writing) -> None:
            population(writing.citizens)

        self.ledger.write([work])

    def _load_register(self, population: Callable[[CitizenWriting], object] | None) -> None:
        stored = self.ledger.setting(_REGISTER)
        if stored is not None:
            self.register.load(stored)
        if population is not None:
            self.replace_citizens(population)
        elif not self.ledger.citizens.accounts():
            self.ledger.write([lambda writing: writing.citizens.add_accounts(default_accounts())])
        self.abonnementen.usage.load(self.ledger.citizens.asked_since(self.clock.now() - _LONGEST_NIGHT))

    def lose(self, **last: float) -> int:
        """Lose everything received in the last hours (``hours=4``), as in a calamity; return how many messages."""
        with self._working:
            return self.ledger.lose(self.clock.now() - timedelta(**last))

    def fresh_start(self) -> None:
        """Begin a case: no faults, no open results, the business clock with the wall clock; the ledger keeps what it has."""
        with self._working:
            self.faults.clear()
            self.scripts.clear()
            self.abonnementen.usage.reset()
            self.before_marking = self.rewrite_validatie = None
            self.settle()
            self.ledger.close_open_results()
            self.clock.reset()

    def mark(self) -> Mark:
        """Return the present place in the ledger."""
        return Mark(*self.ledger.lasts())

    def offers(self, since: Mark) -> Sequence[Offer]:
        """Return what the Afnemer offered since a mark, refused offers included; processed ones carry their grading."""
        return self.ledger.offers(since.message)

    def results(self, since: Mark) -> Sequence[OfferedResult]:
        """Return the results that were offered since a mark."""
        return self.ledger.results(since.message)

    def bevragingen(self, since: Mark) -> Sequence[Bevraging]:
        """Return the questions about citizens since a mark."""
        return self.ledger.citizens.bevragingen(since.bevraging)

    def calls(self, since: Mark) -> Sequence[Call]:
        """Return the calls since a mark."""
        return self.ledger.calls(since.call)

    def note_visit(self, visit: Visit) -> None:
        """Remember who asked something over TLS."""
        self._visits.append(visit)

    def note_refused(self, failure: FailedHandshake) -> None:
        """Remember whom TLS kept out."""
        self._refused.append(failure)

    def visits(self, since: datetime) -> Sequence[Visit]:
        """Return the last requests over TLS since a moment on the wall clock, those whose certificate was refused after the handshake included."""
        return [visit for visit in list(self._visits) if visit.wall >= since]

    def refused(self, since: datetime) -> Sequence[FailedHandshake]:
        """Return the last that TLS, or the look at the certificate after it, kept out since a moment on the wall clock."""
        return [failure for failure in list(self._refused) if failure.at >= since]

    def exchanges(self, since: Mark) -> Sequence[Exchange]:
        """Return what went over the line on the ebMS2 face since a mark."""
        return self.ledger.wire.exchanges(since.exchange)

    def berichten(self, since: Mark) -> Sequence[StoredBericht]:
        """Return what became of each bericht that was offered since a mark."""
        return self.ledger.berichten(since.message)


def _last_of(ledger: Ledger) -> str:
    """Return what was last written: over ebMS2 ids are given out for what is no message too, such as the answer to a Ping."""
    messages, _, exchanges, _ = ledger.lasts()
    return f"{messages}{f' and {exchanges}' if exchanges else ''}"


def _counted_from(planned: PlannedResult, now: datetime) -> datetime:
    """Return the moment from which the next re-offering counts: a little late today is not a little later tomorrow."""
    if planned.last_offered is None:
        return now
    interval = limits().reoffer_interval
    return planned.last_offered + interval * max(1, (now - planned.last_offered) // interval)


def _reoffering() -> tuple[float, float]:
    return limits().reoffer_window.total_seconds(), limits().reoffer_interval.total_seconds()
