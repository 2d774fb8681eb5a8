"""What the ledger keeps of the ebMS2 face: every HTTP exchange as it went over the line, and what is under way to the Afnemer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from conformance.berichtenbox.citizens import Kept
from conformance.transport.ebms2.sending import Delivery
from conformance.transport.tls import PeerCertificate

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request over TLS: who asked, in which version of TLS, and when."""

    peer: PeerCertificate
    version: str
    wall: datetime


@dataclass(frozen=True, slots=True)
class PartSeen:
    """One MIME part as it went over the line: its headers, and its content by reference."""

    headers: Headers
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request with its answer; ``status`` 0 is no answer. ``kind`` is empty when nobody could tell what it was.

    ``soap`` is the envelope (of something that is no message: the beginning of its body), ``parts`` all MIME parts (none: a plain body).
    ``trouble`` says why there was no answer, ``note`` what the receiver made of it.
    """

    is_incoming: bool
    kind: str
    message_id: str
    ref_to_message_id: str
    method: str
    target: str
    http_version: str
    headers: Headers
    soap: bytes = field(repr=False)
    parts: tuple[PartSeen, ...]
    size: int
    status: int
    answer_headers: Headers
    answer: bytes = field(repr=False)
    peer: str
    note: str
    wall: datetime
    business: datetime
    seq: int = 0

    def header(self, name: str) -> str | None:
        """Return the value of a request header by its lower-case name, ``None`` when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Sending:
    """A message of ours under way: its delivery with the bytes, what it answers (a MessageId, for a signal), and when that was received.

    With ``kept`` the bytes hold a stand-in for the content that the ledger keeps.
    """

    delivery: Delivery
    kind: str
    body: bytes = field(repr=False)
    answers: str = ""
    is_rejection: bool = False
    received: datetime | None = None
    seq: int = 0
    kept: Kept | None = None

    def moved_to(self, delivery: Delivery) -> "Sending":
        """Return the same message further on its way."""
        return replace(self, delivery=delivery)


class WireWriting(Protocol):
    """What of the wire can be written inside one commit."""

    def add_exchange(self, exchange: Exchange) -> None:
        """Keep an exchange."""

    def add_sending(self, sending: Sending) -> None:
        """Keep a message that is to leave, or a signal that left in an answer."""

    def update_sending(self, sending: Sending) -> None:
        """Keep how far a message is on its way; one that ended stays as it is."""


class WireLedger(Protocol):
    """What of the wire can be asked."""

    def answer_to(self, message_id: str) -> Sending | None:
        """Return the signal with which a received message was answered, ``None`` when it was not received."""

    def answered_ids(self) -> Iterator[str]:
        """Return the MessageIds of all messages that were answered."""

    def sending(self, message_id: str) -> Sending | None:
        """Return a message of ours by its MessageId."""

    def due_sendings(self, now: datetime) -> Sequence[Sending]:
        """Return what is to be posted, or given up, now; oldest first."""

    def next_sending(self) -> datetime | None:
        """Return the earliest moment at which something under way is to be posted again or given up."""

    def unsent_results(self) -> Sequence[str]:
        """Return the MessageIds of results that wait for the Afnemer and are not under way, oldest first."""

    def exchanges(self, after: int) -> Sequence[Exchange]:
        """Return all exchanges with a sequence number above ``after``."""
