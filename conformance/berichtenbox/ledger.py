"""The ledger: every message in and out, as bytes, with both clocks; what is acknowledged stands here first.

The interface is what the Berichtenbox needs, no more, so that a second database can implement it. Values here are plain and complete.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self

from conformance.berichtenbox.citizens import Bevraging, CitizenLedger, CitizenWriting, Kept
from conformance.berichtenbox.notificaties import NotificatieLedger
from conformance.berichtenbox.presentatie import PresentatieLedger, PresentatieWriting
from conformance.berichtenbox.wire import WireLedger, WireWriting
from conformance.messages.envelope import Envelope
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.findings import Earlier, Grading


class LedgerError(RuntimeError):
    """The database cannot be opened or written: the text says which, and what to do next."""


class State(StrEnum):
    """Where an offer stands."""

    ACCEPTED = "accepted"  # acknowledged, not yet processed
    PROCESSED = "processed"
    DUPLICATE = "duplicate"  # its MessageId was seen before: eaten by duplicate elimination
    REFUSED = "refused"  # never acknowledged: the adapter answered an error
    LOST = "lost"  # gone in a calamity


class Status(StrEnum):
    """The message statuses that the adapter face shows."""

    CREATED = "CREATED"
    DELIVERED = "DELIVERED"
    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"


class Face(StrEnum):
    """Over which face a message came, and its result goes back: it waits in the queue of the adapter, or is pushed to the Afnemer's gateway."""

    ADAPTER = "adapter"
    EBMS = "ebms"


@dataclass(frozen=True, slots=True)
class Offer:
    """A message that the Afnemer sent; ``grading`` is there once it is processed, ``note`` says why it was refused."""

    envelope: Envelope
    wall: datetime
    business: datetime
    state: State = State.ACCEPTED
    status: Status = Status.CREATED
    seq: int = 0
    grading: Grading | None = None
    note: str = ""
    face: Face = Face.ADAPTER

    def __repr__(self) -> str:
        return f"<Offer {self.seq} {self.envelope.message_id}: {self.state}>"


@dataclass(frozen=True, slots=True)
class StoredBericht:
    """What became of one bericht in one offer; ids in lower case.

    ``published`` is when its citizen may see it (business clock), ``None`` when it did not get into a Berichtenbox by this offer.
    """

    offer_seq: int
    position: int
    batch_id: str
    bericht_id: str
    gebruiker_id: str
    bericht_type: str
    digest: str
    code: VerwerkingsCode
    business: datetime
    afzender: str = ""
    onderwerp: str = field(default="", repr=False)
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlannedResult:
    """A result that is to be offered from ``due`` (business clock) on: its envelope without MessageId, and how it comes again.

    With ``kept`` the content of its one part is not in the envelope: the ledger gives it as a stream. ``batch_id`` is the VerzoekId of an answer.
    """

    envelope: Envelope
    oin: str
    batch_id: str
    due: datetime
    again_same_id: int = 0
    again_new_id: int = 0
    again_after_s: float = 0.0
    id: int = 0
    first_offered: datetime | None = None
    last_offered: datetime | None = None
    offers: int = 0
    face: Face = Face.ADAPTER
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class OfferedResult:
    """A result as the Afnemer can fetch it; ``kept`` as in :class:`PlannedResult`."""

    envelope: Envelope
    wall: datetime
    business: datetime
    status: Status
    result_id: int
    seq: int = 0
    face: Face = Face.ADAPTER
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that brought or took no message: what, about which message, and the answer; ``note`` says, without a BSN, what was wrong with it."""

    operation: str
    subject: str
    status: int
    wall: datetime
    business: datetime
    seq: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Processed:
    """What processing some offers adds to the ledger, all of it or nothing."""

    gradings: Mapping[int, tuple[State, Grading | None]]
    berichten: Sequence[StoredBericht] = ()
    results: Sequence[PlannedResult] = ()
    offered: Mapping[int, OfferedResult] = field(default_factory=dict)  # by index in results: what is offered in the same breath
    bevragingen: Sequence[Bevraging] = ()


@dataclass(frozen=True, slots=True)
class Before:
    """What the ledger knows of ids that come in: berichten and batches by lower-case id, MessageIds, and the BerichtIDs that are stored."""

    earlier: dict[str, Earlier] = field(default_factory=dict)
    batches: dict[str, frozenset[str]] = field(default_factory=dict)
    message_ids: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """The filter of the queues on the adapter face: exact matches, combined with AND; absent ones are ``None``."""

    cpa_id: str | None = None
    from_party: str | None = None
    from_role: str | None = None
    to_party: str | None = None
    to_role: str | None = None
    service: str | None = None
    action: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    ref_to_message_id: str | None = None


class Writing(Protocol):
    """What can be written inside one commit."""

    def add_offers(self, offers: Sequence[Offer]) -> None:
        """Store offers as they came."""

    def add_call(self, call: Call) -> None:
        """Store a call."""

    def mark_processed(self, message_id: str, now: datetime) -> None:
        """Mark a result as processed by the Afnemer; unknown ids change nothing."""

    def mark_event(self, message_id: str, now: datetime) -> None:
        """Mark the event of a message as seen; for a received message the message too."""

    def put_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value."""

    @property
    def wire(self) -> WireWriting:
        """What of the ebMS2 face can be written in the same commit."""

    @property
    def citizens(self) -> CitizenWriting:
        """What of citizens can be written in the same commit."""

    @property
    def presentatie(self) -> PresentatieWriting:
        """What a citizen does with letters can be written in the same commit."""


class Ledger(Protocol):
    """The database of a Berichtenbox."""

    @property
    def wire(self) -> WireLedger:
        """What is kept of the ebMS2 face."""

    @property
    def citizens(self) -> CitizenLedger:
        """What is kept of citizens."""

    @property
    def presentatie(self) -> PresentatieLedger:
        """The letters as citizens see them."""

    @property
    def notificaties(self) -> NotificatieLedger:
        """What is kept of notifications."""

    def write(self, works: Sequence[Callable[[Writing], None]]) -> None:
        """Do all works in one commit; raises what a work raises, and then nothing was written."""

    def accepted(self, received_before: datetime, most: int) -> Sequence[Offer]:
        """Return accepted offers that are to be processed, oldest first; fewer than ``most`` when they are large."""

    def before(self, batch_ids: Sequence[str], bericht_ids: Sequence[str], message_ids: Sequence[str]) -> Before:
        """Return what is known of these ids (lower case; MessageIds as they are)."""

    def commit_processed(self, processed: Processed) -> None:
        """Store what processing brought."""

    def due_results(self, now: datetime, window_s: float, interval_s: float) -> Sequence[PlannedResult]:
        """Return results to offer now: new ones, and unprocessed ones whose re-offering is due within the window."""

    def commit_offered(self, offered: Sequence[tuple[OfferedResult, datetime]]) -> None:
        """Store results that are offered now, each with the moment from which its next re-offering counts."""

    def next_due(self) -> datetime | None:
        """Return the earliest moment at which a new result is due, or ``None``."""

    def next_reoffer(self, window_s: float, interval_s: float) -> datetime | None:
        """Return the earliest moment at which an unprocessed result comes again, or ``None``."""

    def unprocessed(self, queue_filter: QueueFilter, most: int) -> Sequence[str]:
        """Return the MessageIds of results that wait for the Afnemer, oldest first; ``most`` 0 is all."""

    def events(self, queue_filter: QueueFilter, kinds: Sequence[str], most: int) -> Sequence[tuple[str, str]]:
        """Return (MessageId, event) of unseen events, oldest first."""

    def message(self, message_id: str) -> Offer | OfferedResult | None:
        """Return a stored message by its MessageId."""

    def offers(self, after: int) -> Sequence[Offer]:
        """Return all offers with a sequence number above ``after``."""

    def results(self, after: int) -> Sequence[OfferedResult]:
        """Return all offered results with a sequence number above ``after``."""

    def calls(self, after: int) -> Sequence[Call]:
        """Return all calls with a sequence number above ``after``."""

    def berichten(self, after: int) -> Sequence[StoredBericht]:
        """Return what became of the berichten of offers above ``after``."""

    def lasts(self) -> tuple[int, int, int, int]:
        """Return the highest sequence numbers of a message, a call, an exchange and a question about citizens."""

    def counts(self) -> dict[str, int]:
        """Return how many offers there are by state, and berichten by code."""

    def lose(self, since: datetime) -> int:
        """Lose every offer received since a moment on the business clock, as in a calamity; return how many."""

    def close_open_results(self) -> None:
        """Offer no open result any more, and take what waits from the queue."""

    def setting(self, key: str) -> Any:
        """Return a kept JSON value, or ``None``."""

    def close(self) -> None:
        """Close the database."""

    def __enter__(self) -> Self:
        """Use as a context."""

    def __exit__(self, *_exc: object) -> None:
        """Close."""
