"""What comes in of one action: each message is fetched, taken, and only then marked; what cannot be taken is left to a person."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from conformance.afnemer.reference.gateway import MessageService, PermanentTroubleError, TemporaryTroubleError
from conformance.afnemer.reference.sending import Connection
from conformance.afnemer.reference.store import Store
from conformance.messages.envelope import Envelope
from conformance.messages.guard import XmlRefused
from conformance.messages.unpack import PackedTooMuch
from conformance.transport.adapter import RequestRefused


class Inbox(ABC):
    """Handles the messages of ``action``; a subclass says what it takes from one, and what it raises for one that it cannot use."""

    action: str
    unusable: tuple[type[Exception], ...] = (XmlRefused, PackedTooMuch, RequestRefused, PermanentTroubleError)

    def __init__(self, connection: Connection, store: Store, gateway: MessageService) -> None:
        self.connection = connection
        self.store = store
        self.gateway = gateway
        self.is_troubled = False
        self._set_aside: set[str] = set()

    def receive(self) -> bool:
        """Handle every message that waits; return whether there was one. What cannot be used is set aside and blocks nobody."""
        has_received, self.is_troubled = False, False
        for message_id in self.waiting():
            has_received = self.handle(message_id) or has_received
        return has_received

    def waiting(self) -> Sequence[str]:
        """Return the ids that wait and were not set aside."""
        try:
            ids = self.gateway.waiting(self.connection.cpa_id, self.action)
        except (TemporaryTroubleError, PermanentTroubleError):
            self.is_troubled = True
            return []
        return [message_id for message_id in ids if message_id not in self._set_aside]

    def handle(self, message_id: str) -> bool:
        """Fetch, take and mark one message; return whether it is done with."""
        try:
            self.take(message_id, self.gateway.fetch(message_id))
            self.gateway.mark(message_id)
        except TemporaryTroubleError:
            self.is_troubled = True
            return False
        except self.unusable as error:
            self.set_aside(message_id, str(error))
            return False
        return True

    def set_aside(self, message_id: str, reason: str) -> None:
        """Leave a message to a person."""
        self._set_aside.add(message_id)
        self.store.add_stray(message_id, reason)

    @abstractmethod
    def take(self, message_id: str, envelope: Envelope) -> None:
        """Apply what a message says, all of it or nothing; raises one of ``unusable`` for a message that says nothing that can be used."""
