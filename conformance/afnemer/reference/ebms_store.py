"""What the gateway never forgets: what it sends with its exact bytes, what it received, and what it answered to that.

A file of its own: a batch that takes the Afnemer seconds to write must not keep the acknowledgment of another message waiting.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.reference.database import Database
from conformance.messages.envelope import Envelope, Part
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.names import MessageStatus
from conformance.transport.ebms2.sending import Delivery, DeliveryState
from conformance.transport.ebms2.writing import Outgoing

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS outgoing (
    message_id TEXT PRIMARY KEY, cpa_id TEXT NOT NULL, is_signal INTEGER NOT NULL, action TEXT NOT NULL,
    content_type TEXT NOT NULL, body BLOB NOT NULL, soap BLOB NOT NULL, url TEXT NOT NULL,
    retries INTEGER NOT NULL, interval_s REAL NOT NULL, give_up_at REAL, is_reliable INTEGER NOT NULL, is_sync INTEGER NOT NULL,
    next_at REAL, attempts INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, is_told INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS outgoing_by_state ON outgoing (state, is_told);
CREATE TABLE IF NOT EXISTS inbox (
    seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, cpa_id TEXT NOT NULL, action TEXT NOT NULL, envelope TEXT NOT NULL,
    is_processed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS part (
    message_id TEXT NOT NULL, place INTEGER NOT NULL, content BLOB NOT NULL, content_type TEXT NOT NULL, name TEXT, content_id TEXT,
    PRIMARY KEY (message_id, place));
CREATE TABLE IF NOT EXISTS answer (message_id TEXT PRIMARY KEY, cpa_id TEXT NOT NULL, received_at REAL NOT NULL, signal_id TEXT);
CREATE TABLE IF NOT EXISTS clock (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), offset_s REAL NOT NULL);
"""
_COLUMNS: Final = "message_id, cpa_id, url, content_type, retries, interval_s, give_up_at, is_reliable, is_sync, next_at, attempts, state, reason"


class EbmsStore(Database):
    """The database of the gateway; moments are aware."""

    def __init__(self, file: Path, *, is_durable: bool = True) -> None:
        super().__init__(file, _TABLES, is_durable=is_durable)

    # -- what is sent ----------------------------------------------------------------------------------------------------------------------

    def add_outgoing(self, delivery: Delivery, outgoing: Outgoing, action: str, *, is_signal: bool = False) -> None:
        """Keep a message, or a signal that answers one, with the bytes that every attempt sends."""
        values = {
            "message_id": delivery.message_id,
            "cpa_id": delivery.cpa_id,
            "is_signal": is_signal,
            "action": action,
            "content_type": outgoing.content_type,
            "body": outgoing.body,
            "soap": outgoing.soap,
            "url": delivery.url,
            "retries": delivery.retries,
            "interval_s": delivery.interval.total_seconds(),
            "give_up_at": _seconds(delivery.give_up_at),
            "is_reliable": delivery.is_reliable,
            "is_sync": delivery.is_sync,
            "next_at": _seconds(delivery.next_at),
            "attempts": delivery.attempts,
            "state": delivery.state,
            "reason": delivery.reason,
        }
        places = ", ".join("?" for _ in values)
        self._do(f"INSERT INTO outgoing ({', '.join(values)}) VALUES ({places})", *values.values())  # noqa: S608  # our own names

    def update(self, delivery: Delivery) -> None:
        """Keep how far a message is."""
        sql = "UPDATE outgoing SET give_up_at = ?, next_at = ?, attempts = ?, state = ?, reason = ? WHERE message_id = ?"
        moments = (_seconds(delivery.give_up_at), _seconds(delivery.next_at))
        self._do(sql, *moments, delivery.attempts, delivery.state, delivery.reason, delivery.message_id)

    def outgoing(self, message_id: str) -> Outgoing:
        """Return the bytes of a message; raises ``IndexError`` for one that was never sent."""
        return Outgoing(*self._rows("SELECT content_type, body, soap FROM outgoing WHERE message_id = ?", message_id)[0])

    def delivery(self, message_id: str) -> Delivery | None:
        """Return how far a message is, or ``None`` for one that was never sent."""
        return next(self._deliveries("message_id = ?", message_id), None)

    def due(self, at: datetime) -> Sequence[Delivery]:
        """Return what is to be posted now: signals first, and then the messages, oldest first."""
        return tuple(self._deliveries("state = ? AND next_at <= ?", DeliveryState.UNDER_WAY, at.timestamp()))

    def overdue(self, at: datetime) -> Sequence[Delivery]:
        """Return the messages under way of which the time is over."""
        return tuple(self._deliveries("state = ? AND give_up_at <= ?", DeliveryState.UNDER_WAY, at.timestamp()))

    def untold(self) -> Sequence[Delivery]:
        """Return the messages that ended badly, and of which the application does not know yet."""
        condition = "NOT is_signal AND NOT is_told AND state IN (?, ?)"
        return tuple(self._deliveries(condition, DeliveryState.FAILED, DeliveryState.EXPIRED))

    def mark_told(self, message_id: str) -> None:
        """Note that the application knows how a message ended."""
        self._do("UPDATE outgoing SET is_told = 1 WHERE message_id = ?", message_id)

    def _deliveries(self, condition: str, *values: Any) -> Iterator[Delivery]:
        sql = f"SELECT {_COLUMNS} FROM outgoing WHERE {condition} ORDER BY is_signal DESC, rowid"  # noqa: S608  # our own conditions
        for row in self._rows(sql, *values):
            yield _delivery(row)

    # -- what is received ------------------------------------------------------------------------------------------------------------------

    def add_received(self, envelope: Envelope) -> None:
        """Put a message in the inbox, unprocessed. One that was there already is there anew: whoever knows duplicates keeps them away."""
        message_id, named = envelope.message_id or "", json.dumps(_fields(envelope))
        self._do("DELETE FROM part WHERE message_id = ?", message_id)
        self._do(
            "INSERT OR REPLACE INTO inbox (message_id, cpa_id, action, envelope) VALUES (?, ?, ?, ?)",
            message_id,
            envelope.cpa_id,
            envelope.action,
            named,
        )
        for place, part in enumerate(envelope.parts):
            values = (part.content, part.content_type, part.name, part.content_id)
            self._do("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", message_id, place, *values)

    def waiting(self, cpa_id: str, action: str) -> Sequence[str]:
        """Return the MessageIds of received messages that are not processed yet, oldest first."""
        sql = "SELECT message_id FROM inbox WHERE cpa_id = ? AND action = ? AND NOT is_processed ORDER BY seq"
        return [row[0] for row in self._rows(sql, cpa_id, action)]

    def received(self, message_id: str) -> Envelope | None:
        """Return a received message with its parts, or ``None``."""
        rows = self._rows("SELECT envelope FROM inbox WHERE message_id = ?", message_id)
        if not rows:
            return None
        sql = "SELECT content, content_type, name, content_id FROM part WHERE message_id = ? ORDER BY place"
        return Envelope(**json.loads(rows[0][0]), parts=tuple(Part(*row) for row in self._rows(sql, message_id)))

    def mark_processed(self, message_id: str) -> None:
        """Note that the application took a message."""
        self._do("UPDATE inbox SET is_processed = 1 WHERE message_id = ?", message_id)

    # -- what is answered ------------------------------------------------------------------------------------------------------------------

    def add_answer(self, message_id: str, cpa_id: str, received_at: datetime, signal_id: str | None) -> None:
        """Keep which of our signals answered a received message, ``None`` for none: a copy of it gets the same one."""
        self._do("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", message_id, cpa_id, received_at.timestamp(), signal_id)

    def post_again(self, answered: str, at: datetime) -> None:
        """Have the signal that answered a message posted once more, the same bytes."""
        sql = """UPDATE outgoing SET state = ?, next_at = ?, attempts = 0
            WHERE message_id = (SELECT signal_id FROM answer WHERE answer.message_id = ?)"""
        self._do(sql, DeliveryState.UNDER_WAY, at.timestamp(), answered)

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        """Return what was answered to a received MessageId, or ``None`` when it was never seen."""
        sql = """SELECT answer.cpa_id, action, content_type, body, soap FROM answer LEFT JOIN outgoing ON outgoing.message_id = signal_id
            WHERE answer.message_id = ?"""
        rows = self._rows(sql, message_id)
        if not rows:
            return None
        cpa_id, action, *written = rows[0]
        return StoredAnswer(cpa_id, None) if action is None else StoredAnswer(cpa_id, Outgoing(*written), action)

    def sent_under(self, message_id: str) -> str | None:
        """Return the CPAId of a message that this side sent, or ``None`` when it sent no such message; nobody answers a signal."""
        rows = self._rows("SELECT cpa_id FROM outgoing WHERE message_id = ? AND NOT is_signal", message_id)
        return rows[0][0] if rows else None

    def status_of(self, message_id: str) -> KnownStatus:
        """Return how far a received message is."""
        sql = "SELECT received_at, answer.cpa_id, is_processed FROM answer LEFT JOIN inbox USING (message_id) WHERE answer.message_id = ?"
        rows = self._rows(sql, message_id)
        if not rows:
            return KnownStatus(MessageStatus.NOT_RECOGNIZED)
        received_at, cpa_id, is_processed = rows[0]
        return KnownStatus(MessageStatus.PROCESSED if is_processed else MessageStatus.RECEIVED, _moment(received_at), cpa_id)

    # -- the clock -------------------------------------------------------------------------------------------------------------------------

    def offset(self) -> timedelta:
        """Return how far the schedule is ahead of the wall clock."""
        rows = self._rows("SELECT offset_s FROM clock")
        return timedelta(seconds=rows[0][0]) if rows else timedelta()

    def set_offset(self, offset: timedelta) -> None:
        """Keep how far the schedule is ahead: what was planned stays planned after a restart."""
        self._do("INSERT OR REPLACE INTO clock VALUES (1, ?)", offset.total_seconds())


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _delivery(row: Sequence[Any]) -> Delivery:
    message_id, cpa_id, url, content_type, retries, interval_s, give_up_at, is_reliable, is_sync, next_at, attempts, state, reason = row
    return Delivery(
        message_id=message_id,
        cpa_id=cpa_id,
        url=url,
        content_type=content_type,
        retries=retries,
        interval=timedelta(seconds=interval_s),
        give_up_at=_moment(give_up_at),
        is_reliable=bool(is_reliable),
        is_sync=bool(is_sync),
        next_at=_moment(next_at),
        attempts=attempts,
        state=DeliveryState(state),
        reason=reason,
    )


def _fields(envelope: Envelope) -> dict[str, str | None]:
    """Return everything of an envelope but its parts."""
    return {
        "cpa_id": envelope.cpa_id,
        "from_party": envelope.from_party,
        "from_role": envelope.from_role,
        "service": envelope.service,
        "action": envelope.action,
        "to_party": envelope.to_party,
        "to_role": envelope.to_role,
        "conversation_id": envelope.conversation_id,
        "message_id": envelope.message_id,
        "ref_to_message_id": envelope.ref_to_message_id,
    }
