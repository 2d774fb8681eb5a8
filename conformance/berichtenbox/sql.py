"""The ledger on a SQL database: SQLite when nothing else is asked, with a full sync on each commit.

One connection writes, behind a lock; another reads, so that nobody who polls waits for the disk.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import BindParameter, Connection, Engine, Select, Table, and_, bindparam, create_engine, event, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from conformance.berichtenbox import tables
from conformance.berichtenbox.ledger import (
    Before,
    Call,
    LedgerError,
    Offer,
    OfferedResult,
    PlannedResult,
    Processed,
    QueueFilter,
    State,
    Status,
    StoredBericht,
    Writing,
)
from conformance.berichtenbox.tables import bericht, call, message, result, setting
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.findings import Earlier

_IDS_AT_ONCE: Final = 500  # SQLite takes a limited number of parameters in one statement
_FILTERED: Final = tuple(item.name for item in fields(QueueFilter))


class SqlWriting:
    """What is written inside one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_offers(self, offers: Sequence[Offer]) -> None:
        """Store offers as they came."""
        self._connection.execute(insert(message), [tables.offer_row(offer) for offer in offers])

    def add_call(self, made: Call) -> None:
        """Store a call."""
        self._connection.execute(insert(call), tables.call_row(made))

    def mark_processed(self, message_id: str, now: datetime) -> None:
        """Mark a result as processed by the Afnemer, and plan its coming again where a fault asks for it."""
        row = self._connection.execute(_received(message_id)).first()
        if row is None:
            return
        self._connection.execute(update(message).where(message.c.seq == row.seq).values(status=Status.PROCESSED))
        found = self._connection.execute(select(result).where(result.c.id == row.result_id)).first()
        if found is not None:
            self._connection.execute(update(result).where(result.c.id == found.id).values(**_after_processing(found, now)))
            if found.again_same_id > 0:
                self._connection.execute(update(message).where(message.c.seq == row.seq).values(status=Status.RECEIVED))

    def mark_event(self, message_id: str) -> None:
        """Mark the event of a message as seen; for a received message the message too."""
        seen = message.c.message_id == message_id
        self._connection.execute(update(message).where(seen).values(event=None))
        self._connection.execute(update(message).where(seen, message.c.status == Status.RECEIVED).values(status=Status.PROCESSED))

    def put_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value."""
        text = json.dumps(value)
        changed = self._connection.execute(update(setting).where(setting.c.key == key).values(value=text))
        if not changed.rowcount:
            self._connection.execute(insert(setting).values(key=key, value=text))


def _received(message_id: str) -> Select[Any]:
    mine = and_(message.c.message_id == message_id, ~message.c.is_offer, message.c.status == Status.RECEIVED)
    return select(message.c.seq, message.c.result_id).where(mine).order_by(message.c.seq).limit(1)


def _after_processing(found: Any, now: datetime) -> dict[str, Any]:
    """Return what a processed result becomes: done, unless a fault makes it come again."""
    if found.again_same_id > 0:
        return {"again_same_id": found.again_same_id - 1}
    if found.again_new_id > 0:
        due = (now + timedelta(seconds=found.again_after_s)).timestamp()
        return {"again_new_id": found.again_new_id - 1, "due": due, "last_offered": None, "is_done": False}
    return {"is_done": True}


class SqlLedger:
    """A ledger in a SQL database; ``url`` is a SQLAlchemy URL, ``sqlite:///file.db`` for a file."""

    def __init__(self, url: str) -> None:
        self._lock, self._reading = threading.RLock(), threading.RLock()
        try:
            self._writer, self._reader = _engine(url), _engine(url)
            tables.metadata.create_all(self._writer)
        except (SQLAlchemyError, ImportError) as error:
            raise LedgerError(f"the ledger {url} cannot be opened: {_short(error)}\n  Hint: give --db a URL such as sqlite:///ledger.db") from error

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._writer.dispose()
        self._reader.dispose()

    def write(self, works: Sequence[Callable[[Writing], None]]) -> None:
        """Do all works in one commit."""
        with self._lock, self._begin() as connection:
            writing = SqlWriting(connection)
            for work in works:
                work(writing)

    def _begin(self) -> Any:
        return self._writer.begin()

    def _read(self, statement: Select[Any]) -> list[Any]:
        with self._reading, self._reader.connect() as connection:
            return list(connection.execute(statement))

    def accepted(self, received_before: datetime, most: int) -> Sequence[Offer]:
        """Return accepted offers that are to be processed, oldest first."""
        waiting = and_(message.c.state == State.ACCEPTED, message.c.business <= received_before.timestamp())
        return [tables.offer_of(row) for row in self._read(select(message).where(waiting).order_by(message.c.seq).limit(most))]

    def before(self, batch_ids: Sequence[str], bericht_ids: Sequence[str], message_ids: Sequence[str]) -> Before:
        """Return what is known of these ids."""
        known = Before()
        for row in self._by_ids(bericht.c.bericht_id, bericht_ids, ~bericht.c.is_lost):
            is_stored = row.code == VerwerkingsCode.VERWERKT
            if is_stored or row.bericht_id not in known.earlier:
                known.earlier[row.bericht_id] = Earlier(row.digest, row.gebruiker_id, is_stored)
            if is_stored:
                known.stored.add(row.bericht_id)
        for row in self._by_ids(bericht.c.batch_id, batch_ids, ~bericht.c.is_lost):
            known.batches[row.batch_id] = known.batches.get(row.batch_id, frozenset()) | {row.bericht_id}
        done = and_(message.c.is_offer, message.c.state.in_((State.PROCESSED, State.DUPLICATE)))
        for chunk in _chunks(message_ids):
            for row in self._read(select(message.c.message_id, message.c.seq).where(message.c.message_id.in_(chunk), done)):
                known.message_ids[row.message_id] = row.seq
        return known

    def _by_ids(self, column: Any, ids: Sequence[str], also: Any) -> Iterator[Any]:
        for chunk in _chunks(ids):
            yield from self._read(select(bericht).where(column.in_(chunk), also).order_by(bericht.c.seq))

    def commit_processed(self, processed: Processed) -> None:
        """Store what processing brought: all of it, in one commit."""
        with self._lock, self._begin() as connection:
            rows = [
                {"of": seq, "now": state, "said": tables.write_grading(grading) if grading else None}
                for seq, (state, grading) in processed.gradings.items()
            ]
            graded = update(message).where(message.c.seq == bindparam("of"))
            connection.execute(graded.values(state=bindparam("now"), grading=bindparam("said"), status=Status.DELIVERED, event="DELIVERED"), rows)
            _insert_all(connection, bericht, [tables.bericht_row(item) for item in processed.berichten])
            _insert_all(connection, result, [tables.planned_row(item) for item in processed.results])

    def due_results(self, now: datetime, window_s: float, interval_s: float) -> Sequence[PlannedResult]:
        """Return results to offer now: new ones, and unprocessed ones whose re-offering is due within the window."""
        moment = now.timestamp()
        is_new = and_(result.c.last_offered.is_(None), result.c.due <= moment)
        # An unprocessed result comes again each interval, for the last time when the window ends: the SNO says until 6 days after the first time.
        may_come_again = and_(result.c.last_offered + interval_s <= moment, result.c.last_offered + interval_s <= result.c.first_offered + window_s)
        wanted = select(result).where(~result.c.is_done, or_(is_new, may_come_again)).order_by(result.c.due, result.c.id)
        return [tables.planned_of(row) for row in self._read(wanted)]

    def commit_offered(self, offered: Sequence[OfferedResult]) -> None:
        """Store results that are offered now."""
        rows = [{"of": item.result_id, "moment": item.business.timestamp()} for item in offered]
        now: BindParameter[float] = bindparam("moment")
        again = {"last_offered": now, "first_offered": func.coalesce(result.c.first_offered, now), "offers": result.c.offers + 1}
        with self._lock, self._begin() as connection:
            _insert_all(connection, message, [tables.offered_row(item) for item in offered])
            connection.execute(update(result).where(result.c.id == bindparam("of")).values(**again), rows)

    def next_due(self) -> datetime | None:
        """Return the earliest moment at which a new result is due, or ``None``."""
        rows = self._read(select(func.min(result.c.due)).where(~result.c.is_done, result.c.last_offered.is_(None)))
        return None if rows[0][0] is None else tables.at(rows[0][0])

    def next_reoffer(self, window_s: float, interval_s: float) -> datetime | None:
        """Return the earliest moment at which an unprocessed result comes again, or ``None``."""
        open_ones = and_(~result.c.is_done, result.c.last_offered + interval_s <= result.c.first_offered + window_s)
        rows = self._read(select(func.min(result.c.last_offered)).where(open_ones))
        return None if rows[0][0] is None else tables.at(rows[0][0] + interval_s)

    def unprocessed(self, queue_filter: QueueFilter, most: int) -> Sequence[str]:
        """Return the MessageIds of results that wait for the Afnemer, oldest first."""
        waiting = and_(~message.c.is_offer, message.c.status == Status.RECEIVED, *_matches(queue_filter))
        statement = select(message.c.message_id).where(waiting).order_by(message.c.seq)
        return [row.message_id for row in self._read(statement.limit(most) if most > 0 else statement)]

    def events(self, queue_filter: QueueFilter, kinds: Sequence[str], most: int) -> Sequence[tuple[str, str]]:
        """Return (MessageId, event) of unseen events, oldest first."""
        wanted = and_(message.c.event.in_(kinds) if kinds else message.c.event.is_not(None), *_matches(queue_filter))
        statement = select(message.c.message_id, message.c.event).where(wanted).order_by(message.c.seq)
        return [(row.message_id, row.event) for row in self._read(statement.limit(most) if most > 0 else statement)]

    def message(self, message_id: str) -> Offer | OfferedResult | None:
        """Return a stored message by its MessageId; of several the first."""
        kept = and_(message.c.message_id == message_id, or_(message.c.state.is_(None), message.c.state != State.REFUSED))
        rows = self._read(select(message).where(kept).order_by(message.c.seq).limit(1))
        if not rows:
            return None
        return tables.offer_of(rows[0]) if rows[0].is_offer else tables.offered_of(rows[0])

    def offers(self, after: int) -> Sequence[Offer]:
        """Return all offers with a sequence number above ``after``."""
        return [tables.offer_of(row) for row in self._read(select(message).where(message.c.is_offer, message.c.seq > after).order_by(message.c.seq))]

    def results(self, after: int) -> Sequence[OfferedResult]:
        """Return all offered results with a sequence number above ``after``."""
        statement = select(message).where(~message.c.is_offer, message.c.seq > after).order_by(message.c.seq)
        return [tables.offered_of(row) for row in self._read(statement)]

    def calls(self, after: int) -> Sequence[Call]:
        """Return all calls with a sequence number above ``after``."""
        return [tables.call_of(row) for row in self._read(select(call).where(call.c.seq > after).order_by(call.c.seq))]

    def berichten(self, after: int) -> Sequence[StoredBericht]:
        """Return what became of the berichten of offers above ``after``."""
        return [tables.bericht_of(row) for row in self._read(select(bericht).where(bericht.c.offer_seq > after).order_by(bericht.c.seq))]

    def last_seq(self) -> int:
        """Return the highest sequence number of a message."""
        return int(self._read(select(func.coalesce(func.max(message.c.seq), 0)))[0][0])

    def last_call(self) -> int:
        """Return the highest sequence number of a call."""
        return int(self._read(select(func.coalesce(func.max(call.c.seq), 0)))[0][0])

    def counts(self) -> dict[str, int]:
        """Return how many offers there are by state, and berichten by code, lost ones left out."""
        by_state = select(message.c.state, func.count()).where(message.c.is_offer).group_by(message.c.state)
        by_code = select(bericht.c.code, func.count()).where(~bericht.c.is_lost).group_by(bericht.c.code)
        return {str(name): int(count) for name, count in (*self._read(by_state), *self._read(by_code))}

    def lose(self, since: datetime) -> int:
        """Lose every offer received since a moment on the business clock, with what came of it."""
        moment = since.timestamp()
        with self._lock, self._begin() as connection:
            recent = and_(message.c.is_offer, message.c.business >= moment, message.c.state.in_((State.ACCEPTED, State.PROCESSED, State.DUPLICATE)))
            seqs = [row.seq for row in connection.execute(select(message.c.seq).where(recent))]
            for chunk in _chunks(seqs):
                connection.execute(update(message).where(message.c.seq.in_(chunk)).values(state=State.LOST))
                connection.execute(update(bericht).where(bericht.c.offer_seq.in_(chunk)).values(is_lost=True))
            connection.execute(update(result).where(result.c.due >= moment).values(is_done=True))
            connection.execute(update(message).where(~message.c.is_offer, message.c.business >= moment).values(status=Status.PROCESSED))
        return len(seqs)

    def close_open_results(self) -> None:
        """Offer no open result any more, and take what waits from the queue."""
        with self._lock, self._begin() as connection:
            connection.execute(update(result).where(~result.c.is_done).values(is_done=True))
            connection.execute(update(message).where(message.c.status == Status.RECEIVED).values(status=Status.PROCESSED))
            connection.execute(update(message).where(message.c.event.is_not(None)).values(event=None))

    def setting(self, key: str) -> Any:
        """Return a kept JSON value, or ``None``."""
        rows = self._read(select(setting.c.value).where(setting.c.key == key))
        return json.loads(rows[0].value) if rows else None


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=1, max_overflow=0)
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 30})
    event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _insert_all(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _IDS_AT_ONCE):
        yield items[start : start + _IDS_AT_ONCE]


def _matches(queue_filter: QueueFilter) -> list[Any]:
    wanted = ((message.c[name], getattr(queue_filter, name)) for name in _FILTERED)
    return [column == value for column, value in wanted if value is not None]


def _short(error: BaseException) -> str:
    return str(error).partition("\n")[0]
