"""The ebMS2 face in the SQL ledger: its tables, and how a row becomes a value."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)

from conformance.berichtenbox.citizens import Kept
from conformance.berichtenbox.ledger import Face, Status
from conformance.berichtenbox.tables import at, insert_all, message, metadata
from conformance.berichtenbox.wire import Exchange, Headers, PartSeen, Sending
from conformance.transport.ebms2.sending import Delivery, DeliveryState

exchange: Final = Table(
    "exchange",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("is_incoming", Boolean, nullable=False),
    Column("kind", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("ref_to_message_id", String, nullable=False),
    Column("soap", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("rest", Text, nullable=False),
    Column("wall", Float, nullable=False),
    Column("business", Float, nullable=False),
)

sending: Final = Table(
    "sending",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("message_id", String, nullable=False),
    Column("answers", String, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", Float),
    Column("content_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("rest", Text, nullable=False),
    Index("sending_by_id", "message_id"),
    Index("sending_by_answered", "answers"),
    Index("sending_by_state", "state", "due_at", sqlite_where=text(f"state = '{DeliveryState.UNDER_WAY}'")),
)

# Written out, and no parameter: an index of only those that are under way is used for a question that says so.
_IS_UNDER_WAY: Final = sending.c.state == literal_column(f"'{DeliveryState.UNDER_WAY}'")
_ANSWER: Final = select(sending).where(sending.c.answers == bindparam("id")).order_by(sending.c.seq).limit(1)
_ANSWERED: Final = select(sending.c.answers).where(sending.c.answers != "")
_SENDING: Final = select(sending).where(sending.c.message_id == bindparam("id")).order_by(sending.c.seq.desc()).limit(1)
_DUE: Final = select(sending).where(_IS_UNDER_WAY, sending.c.due_at <= bindparam("moment")).order_by(sending.c.due_at, sending.c.seq)
_NEXT: Final = select(func.min(sending.c.due_at)).where(_IS_UNDER_WAY)
# A result whose copies all failed is not sent again: after a day it is offered under a new MessageId.
_IS_ON_ITS_WAY: Final = exists().where(sending.c.message_id == message.c.message_id, sending.c.state != DeliveryState.DELIVERED)
_UNSENT: Final = (
    select(message.c.message_id)
    .where(message.c.face == Face.EBMS, ~message.c.is_offer, message.c.status == Status.RECEIVED, ~_IS_ON_ITS_WAY)
    .order_by(message.c.seq)
)
_EXCHANGES: Final = select(exchange).where(exchange.c.seq > bindparam("after")).order_by(exchange.c.seq)


class SqlWireWriting:
    """What of the wire is written inside one commit: new rows are collected, and written together by :meth:`flush`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._exchanges: list[dict[str, Any]] = []
        self._sendings: list[dict[str, Any]] = []

    def add_exchange(self, seen: Exchange) -> None:
        """Keep an exchange."""
        self._exchanges.append(_exchange_row(seen))

    def add_sending(self, leaving: Sending) -> None:
        """Keep a message that is to leave, or a signal that left in an answer."""
        self._sendings.append(_sending_row(leaving))

    def flush(self) -> None:
        """Write what was collected."""
        insert_all(self._connection, exchange, self._exchanges)
        insert_all(self._connection, sending, self._sendings)
        self._exchanges, self._sendings = [], []

    def update_sending(self, leaving: Sending) -> None:
        """Keep how far a message is on its way; one that ended stays as it is."""
        changed = {key: value for key, value in _sending_row(leaving).items() if key in ("state", "due_at", "rest")}
        # What ended stays so: an Acknowledgment may be here before the answer to the POST is, and whoever posted does not know of it yet.
        self._connection.execute(update(sending).where(sending.c.seq == leaving.seq, _IS_UNDER_WAY).values(**changed))

    def end_sendings(self) -> None:
        """Send nothing any more of what is under way."""
        self._connection.execute(update(sending).where(_IS_UNDER_WAY).values(state=DeliveryState.FAILED, due_at=None))


class SqlWire:
    """What of the wire can be asked; ``rows`` runs a statement with its values, and gives its rows one by one."""

    def __init__(self, rows: Callable[..., Iterator[Any]]) -> None:
        self._rows = rows

    def _read(self, statement: Any, **values: Any) -> list[Any]:
        return list(self._rows(statement, **values))

    def answer_to(self, message_id: str) -> Sending | None:
        """Return the signal with which a received message was answered, ``None`` when it was not received."""
        return _first(self._read(_ANSWER, id=message_id))

    def answered_ids(self) -> Iterator[str]:
        """Return the MessageIds of all messages that were answered."""
        return (row.answers for row in self._rows(_ANSWERED))

    def sending(self, message_id: str) -> Sending | None:
        """Return a message of ours by its MessageId."""
        return _first(self._read(_SENDING, id=message_id))

    def due_sendings(self, now: datetime) -> Sequence[Sending]:
        """Return what is to be posted, or given up, now; oldest first."""
        return [_sending_of(row) for row in self._read(_DUE, moment=now.timestamp())]

    def next_sending(self) -> datetime | None:
        """Return the earliest moment at which something under way is to be posted again or given up."""
        moment = self._read(_NEXT)[0][0]
        return None if moment is None else at(moment)

    def unsent_results(self) -> Sequence[str]:
        """Return the MessageIds of results that wait for the Afnemer and are not under way, oldest first."""
        return [row.message_id for row in self._read(_UNSENT)]

    def exchanges(self, after: int) -> Sequence[Exchange]:
        """Return all exchanges with a sequence number above ``after``."""
        return [_exchange_of(row) for row in self._read(_EXCHANGES, after=after)]


def _first(rows: Sequence[Row[Any]]) -> Sending | None:
    return _sending_of(rows[0]) if rows else None


_EXCHANGE_TEXTS: Final = ("method", "target", "http_version", "peer", "note", "size")


def _exchange_row(seen: Exchange) -> dict[str, Any]:
    rest = {name: getattr(seen, name) for name in _EXCHANGE_TEXTS} | {"headers": seen.headers, "answer_headers": seen.answer_headers}
    rest["parts"] = [[part.headers, part.size, part.sha256] for part in seen.parts]
    return {
        "is_incoming": seen.is_incoming,
        "kind": seen.kind,
        "message_id": seen.message_id,
        "ref_to_message_id": seen.ref_to_message_id,
        "soap": seen.soap,
        "answer": seen.answer,
        "status": seen.status,
        "rest": json.dumps(rest),
        "wall": seen.wall.timestamp(),
        "business": seen.business.timestamp(),
    }


def _exchange_of(row: Row[Any]) -> Exchange:
    rest = json.loads(row.rest)
    return Exchange(
        **{name: rest[name] for name in _EXCHANGE_TEXTS},
        is_incoming=row.is_incoming,
        kind=row.kind,
        message_id=row.message_id,
        ref_to_message_id=row.ref_to_message_id,
        headers=_headers(rest["headers"]),
        soap=row.soap,
        parts=tuple(PartSeen(_headers(headers), size, sha256) for headers, size, sha256 in rest["parts"]),
        status=row.status,
        answer_headers=_headers(rest["answer_headers"]),
        answer=row.answer,
        wall=at(row.wall),
        business=at(row.business),
        seq=row.seq,
    )


def _headers(stored: Sequence[Sequence[str]]) -> Headers:
    return tuple((name, value) for name, value in stored)


def _sending_row(leaving: Sending) -> dict[str, Any]:
    delivery = leaving.delivery
    rest = {
        "cpa_id": delivery.cpa_id,
        "url": delivery.url,
        "retries": delivery.retries,
        "interval": delivery.interval.total_seconds(),
        "give_up_at": _seconds(delivery.give_up_at),
        "next_at": _seconds(delivery.next_at),
        "is_reliable": delivery.is_reliable,
        "is_sync": delivery.is_sync,
        "attempts": delivery.attempts,
        "reason": delivery.reason,
        "kind": leaving.kind,
        "is_rejection": leaving.is_rejection,
        "received": _seconds(leaving.received),
        "kept": None if leaving.kept is None else [leaving.kept.id, leaving.kept.size],
    }
    return {
        "message_id": delivery.message_id,
        "answers": leaving.answers,
        "state": delivery.state,
        "due_at": _seconds(delivery.due_at),
        "content_type": delivery.content_type,
        "body": leaving.body,
        "rest": json.dumps(rest),
    }


def _sending_of(row: Row[Any]) -> Sending:
    rest = json.loads(row.rest)
    delivery = Delivery(
        message_id=row.message_id,
        cpa_id=rest["cpa_id"],
        url=rest["url"],
        content_type=row.content_type,
        retries=rest["retries"],
        interval=timedelta(seconds=rest["interval"]),
        give_up_at=_moment(rest["give_up_at"]),
        is_reliable=rest["is_reliable"],
        is_sync=rest["is_sync"],
        attempts=rest["attempts"],
        next_at=_moment(rest["next_at"]),
        state=DeliveryState(row.state),
        reason=rest["reason"],
    )
    kept = Kept(*rest["kept"]) if rest["kept"] else None
    return Sending(delivery, rest["kind"], row.body, row.answers, rest["is_rejection"], _moment(rest["received"]), row.seq, kept)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else at(seconds)
