"""The Berichtenbox as one side of a CPA: its message service handler, what its ledger knows, and the way to the Afnemer's gateway."""

import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from conformance.berichtenbox.ledger import Ledger, State
from conformance.berichtenbox.seen import SeenIds
from conformance.berichtenbox.wire import Headers, PartSeen, Sending
from conformance.transport.cpa import Cpa
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.mime import MimePart
from conformance.transport.ebms2.names import MessageStatus
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.writing import Outgoing
from conformance.transport.tls import PeerCertificate

MOST_QUOTED: Final = 64_000
"""The bytes of a body that is no message, and of an answer, that the ledger keeps."""


class EbmsLink:
    """What both halves of the ebMS2 face share: one CPA, and how the Afnemer is reached.

    ``logius_party`` (flat) is this side. With ``context`` what leaves goes over two-way TLS. Raises ``AgreementError`` for a CPA without this side.
    """

    def __init__(
        self,
        ledger: Ledger,
        cpa: Cpa,
        logius_party: str,
        *,
        wall: Callable[[], datetime],
        new_message_id: Callable[[], str],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.cpa = cpa
        self.knowledge = BoxKnowledge(ledger)
        self.handler = MessageHandler(
            frozenset({logius_party}),
            {cpa.cpa_id: cpa}.get,
            now=wall,
            new_message_id=new_message_id,
            accepts_status_requests=False,  # implementers report that Logius never answers one well
        )
        self.agreement = self.handler.agreement(cpa.cpa_id)
        self.poster = Poster(context)

    def close(self) -> None:
        """Close the connections to the Afnemer."""
        self.poster.close()


class BoxKnowledge:
    """What the ledger knows of MessageIds; those that are being committed it knows with their CPAId."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._in_flight: dict[str, str] = {}
        self._seen = SeenIds(ledger.wire.answered_ids())

    @contextmanager
    def handling(self, message_id: str, cpa_id: str) -> Iterator[None]:
        """Know a new MessageId while its message is being committed, and from then on."""
        self._in_flight[message_id] = cpa_id
        self._seen.add(message_id)
        try:
            yield
        finally:
            del self._in_flight[message_id]

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        """Return what was answered to a MessageId that was received before."""
        being_handled = self._in_flight.get(message_id)
        if being_handled is not None:
            return StoredAnswer(being_handled, None)
        if not self._seen.may_hold(message_id):
            return None
        found = self._ledger.wire.answer_to(message_id)
        return None if found is None else StoredAnswer(found.delivery.cpa_id, outgoing_of(found), found.kind)

    def sent_under(self, message_id: str) -> str | None:
        """Return the CPAId of a message that the Berichtenbox sent."""
        found = self._ledger.wire.sending(message_id)
        return None if found is None else found.delivery.cpa_id

    def status_of(self, message_id: str) -> KnownStatus:
        """Return how far a received message is."""
        found = self._ledger.wire.answer_to(message_id)
        if found is None:
            return KnownStatus(MessageStatus.NOT_RECOGNIZED)
        stored = self._ledger.message(message_id)
        is_done = stored is not None and getattr(stored, "state", None) is State.PROCESSED
        return KnownStatus(MessageStatus.PROCESSED if is_done else MessageStatus.RECEIVED, found.received, found.delivery.cpa_id)


def outgoing_of(leaving: Sending) -> Outgoing:
    """Return the bytes of a message of ours, as they leave each time."""
    return Outgoing(leaving.delivery.content_type, leaving.body, leaving.body)


def parts_seen(received: Received) -> tuple[PartSeen, ...]:
    """Return the MIME parts of a message by reference; none when its body is the envelope itself."""
    return () if received.mime.boundary is None else tuple(_part_seen(part) for part in received.mime.parts)


def _part_seen(part: MimePart) -> PartSeen:
    return PartSeen(headers_of(part.headers), len(part.content), hashlib.sha256(part.content).hexdigest())


def headers_of(headers: Mapping[str, str]) -> Headers:
    """Return headers as the ledger keeps them."""
    return tuple(headers.items())


def peer_text(peer: PeerCertificate | None) -> str:
    """Return who was on the other side of TLS, empty without TLS."""
    return "" if peer is None else f"{peer.common_name or 'a certificate without a name'}, {f'OIN {peer.oin}' if peer.oin else 'no OIN'}"
