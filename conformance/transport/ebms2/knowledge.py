"""What a message service handler must ask the store of its own side: which messages it has had, and which it has sent.

The store itself belongs to the side; here is only the question.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.ebms2.writing import Outgoing


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered to a MessageId that came before.

    ``outgoing`` is the signal as it was written, and ``None`` while the first copy is being handled, or when it asked for no answer.
    ``action`` is that of the signal: it says to which channel of the other party it goes.
    """

    cpa_id: str
    outgoing: Outgoing | None
    action: str = Kind.ACKNOWLEDGMENT


class KnownStatus(NamedTuple):
    """How far a received message is; the moment (aware) and the CPA are ``None`` when it is not known."""

    status: MessageStatus
    received_at: datetime | None = None
    cpa_id: str | None = None


class Knowledge(Protocol):
    """The questions. A store answers them from what is committed, and from what it is committing."""

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        """Return what was answered to a received MessageId, or ``None`` when it was never seen."""
        ...

    def sent_under(self, message_id: str) -> str | None:
        """Return the CPAId of a message that this side sent, or ``None`` when it sent no such message."""
        ...

    def status_of(self, message_id: str) -> KnownStatus:
        """Return how far a received message is."""
        ...
