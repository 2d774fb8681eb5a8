"""The ledger on a SQL database: SQLite when nothing else is asked, with a full sync on each commit.

One connection writes, behind a lock; another reads, so that nobody who polls waits for the disk.
"""

import contextlib
import io
import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Self

from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    Engine,
    Select,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from conformance.berichtenbox import statements, tables
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
from conformance.berichtenbox.sql_citizens import SqlCitizens, SqlCitizenWriting, bevraging
from conformance.berichtenbox.sql_notificaties import SqlNotificaties, forget_lost
from conformance.berichtenbox.sql_presentatie import SqlPresentatie, SqlPresentatieWriting
from conformance.berichtenbox.sql_wire import SqlWire, SqlWireWriting, exchange
from conformance.berichtenbox.tables import bericht, call, insert_all, message, pieces, result, setting
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.findings import Earlier

_IDS_AT_ONCE: Final = 500  # SQLite takes a limited number of parameters in one statement
_BYTES_AT_ONCE: Final = 32_000_000  # an offer has up to 157 MB, and a round must fit in memory
_PIECE: Final = 1_000_000  # bytes
_VERSION: Final = "version"
_DUST_S: Final = 1e-5  # moments are kept as floats: their rounding must not move a re-offering to the next day
_LASTS: Final = select(*(select(func.coalesce(func.max(table.c.seq), 0)).scalar_subquery() for table in (message, call, exchange, bevraging)))
_FILTERED: Final = tuple(item.name for item in fields(QueueFilter))


class SqlWriting:
    """What is written inside one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.wire = SqlWireWriting(connection)
        """What of the ebMS2 face can be written in the same commit."""
        self.citizens = SqlCitizenWriting(connection)
        """What of citizens can be written in the same commit."""
        self.presentatie = SqlPresentatieWriting(connection)
        """What a citizen does with letters can be written in the same commit."""

    def add_offers(self, offers: Sequence[Offer]) -> None:
        """Store offers as they came."""
        rows = [tables.offer_row(offer) for offer in offers]
        first_large = next((index for index, row in enumerate(rows) if len(row["content"]) > _PIECE), len(rows))
        insert_all(self._connection, message, rows[:first_large])
        for row in rows[first_large:]:
            self._add_in_pieces(row)

    def _add_in_pieces(self, row: dict[str, Any]) -> None:
        """Store an offer with its content in pieces: as one value the driver and the database would each hold a copy of it."""
        content = memoryview(row["content"])
        stored = self._connection.execute(insert(message).values(row | {"content": None}))
        seq = int(stored.inserted_primary_key[0])  # type: ignore[index]  # it was inserted
        for number, start in enumerate(range(0, len(content), _PIECE)):
            insert_all(self._connection, pieces, [{"message_seq": seq, "number": number, "data": bytes(content[start : start + _PIECE])}])

    def add_call(self, made: Call) -> None:
        """Store a call."""
        insert_all(self._connection, call, [tables.call_row(made)])

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

    def mark_event(self, message_id: str, now: datetime) -> None:
        """Mark the event of a message as seen; for a received message the message too."""
        self._connection.execute(update(message).where(message.c.message_id == message_id).values(event=None))
        self.mark_processed(message_id, now)

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
    """A ledger in a SQL database; ``url`` is a SQLAlchemy URL, ``sqlite:///file.db`` for a file.

    One that is not ``is_durable`` survives the end of its process, and not that of the machine: it does not wait for the disk.
    """

    def __init__(self, url: str, *, is_durable: bool = True) -> None:
        self._url, self._lock, self._reading = url, threading.RLock(), threading.RLock()
        self._wire = SqlWire(self._rows)
        self._citizens = SqlCitizens(self._rows, self._begin)
        self._presentatie = SqlPresentatie(self._rows, self._content_of)
        self._notificaties = SqlNotificaties(self._rows, self._begin)
        try:
            self._writer = self._reader = _engine(url, is_durable=is_durable)
            if not inspect(self._writer).has_table(message.name):
                _create(self._writer)
            if _is_in_memory(url):
                self._reading = self._lock  # another connection would see another, empty database
            else:
                self._reader = _engine(url, is_durable=is_durable)
        except (SQLAlchemyError, ImportError) as error:
            raise LedgerError(f"the ledger {url} cannot be opened: {_short(error)}\n  Hint: give --db a URL such as sqlite:///ledger.db") from error
        self._check_version()

    def _check_version(self) -> None:
        """Refuse a ledger of another version before anything is asked of it."""
        found = self.setting(_VERSION)
        if found != tables.VERSION:
            self.close()
            told = f"the ledger {self._url} has tables of version {found or 1}, and this kit needs {tables.VERSION}"
            raise LedgerError(f"{told}\n  Hint: begin with a new file; the kit that made it can still read the old one")

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    @property
    def wire(self) -> SqlWire:
        """What is kept of the ebMS2 face."""
        return self._wire

    @property
    def citizens(self) -> SqlCitizens:
        """What is kept of citizens."""
        return self._citizens

    @property
    def presentatie(self) -> SqlPresentatie:
        """The letters as citizens see them."""
        return self._presentatie

    @property
    def notificaties(self) -> SqlNotificaties:
        """What is kept of notifications."""
        return self._notificaties

    def close(self) -> None:
        """Close the database."""
        self._writer.dispose()
        self._reader.dispose()

    def write(self, works: Sequence[Callable[[Writing], None]]) -> None:
        """Do all works in one commit."""
        with self._begin() as connection:
            writing = SqlWriting(connection)
            for work in works:
                work(writing)
            writing.wire.flush()

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._translated("written"), self._lock, self._writer.begin() as connection:
            yield connection

    def _read(self, statement: Any, **values: Any) -> list[Any]:
        return list(self._rows(statement, **values))

    def _rows(self, statement: Any, **values: Any) -> Generator[Any, None, None]:
        with self._translated("read"), self._reading, self._reader.connect() as connection:
            yield from connection.execute(statement, values)

    @contextlib.contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            hint = "is there room on the disk, and is the file still there?"
            raise LedgerError(f"the ledger {self._url} cannot be {done}: {_short(error)}\n  Hint: {hint}") from error

    def accepted(self, received_before: datetime, most: int) -> Sequence[Offer]:
        """Return accepted offers that are to be processed, oldest first."""
        offers, size = [], 0
        with contextlib.closing(self._rows(statements.ACCEPTED, before=received_before.timestamp(), most=most)) as rows:
            for row in rows:
                content = self._content_of(row)
                offers.append(tables.offer_of(row, content))
                size += len(content)
                if size >= _BYTES_AT_ONCE:
                    break
        return offers

    def _content_of(self, row: Any) -> bytes:
        """Return the content of an offer, put together when it is stored in pieces."""
        if row.content is not None:
            return bytes(row.content)
        whole = io.BytesIO()
        for piece in self._rows(statements.PIECES, seq=row.seq):
            whole.write(piece.data)
        return whole.getvalue()

    def before(self, batch_ids: Sequence[str], bericht_ids: Sequence[str], message_ids: Sequence[str]) -> Before:
        """Return what is known of these ids."""
        known = Before()
        for row in self._by_ids(statements.BERICHTEN_OF_IDS, bericht_ids):
            if row.is_lost:
                continue
            is_stored = row.code == VerwerkingsCode.VERWERKT
            if is_stored or row.bericht_id not in known.earlier:
                known.earlier[row.bericht_id] = Earlier(row.digest, row.gebruiker_id, is_stored)
            if is_stored:
                known.stored.add(row.bericht_id)
        for row in self._by_ids(statements.BERICHTEN_OF_BATCHES, batch_ids):
            if not row.is_lost:
                known.batches[row.batch_id] = known.batches.get(row.batch_id, frozenset()) | {row.bericht_id}
        for row in self._by_ids(statements.MESSAGES_OF_IDS, message_ids):
            # No duplicates: one may be on the record before the message that it repeats is processed, and must not take its place.
            if row.is_offer and row.state == State.PROCESSED:
                known.message_ids[row.message_id] = row.seq
        return known

    def _by_ids(self, statement: Any, ids: Sequence[str]) -> Iterator[Any]:
        for chunk in _chunks(ids):
            yield from self._read(statement, ids=chunk)

    def commit_processed(self, processed: Processed) -> None:
        """Store what processing brought: all of it, in one commit."""
        with self._begin() as connection:
            rows = [
                {"of": seq, "now": state, "said": tables.write_grading(grading) if grading else None}
                for seq, (state, grading) in processed.gradings.items()
            ]
            graded = update(message).where(message.c.seq == bindparam("of"))
            if rows:
                connection.execute(graded.values(state=bindparam("now"), grading=bindparam("said"), status=Status.DELIVERED, event="DELIVERED"), rows)
            tables.insert_berichten(connection, processed.berichten)
            _insert_results(connection, processed)
            citizens = SqlCitizenWriting(connection)
            for asked in processed.bevragingen:
                citizens.add_bevraging(asked)

    def due_results(self, now: datetime, window_s: float, interval_s: float) -> Sequence[PlannedResult]:
        """Return results to offer now: new ones, and unprocessed ones whose re-offering is due within the window."""
        rows = self._read(statements.DUE_RESULTS, moment=now.timestamp(), window=window_s, interval=interval_s, dust=_DUST_S)
        return [tables.planned_of(row) for row in rows]

    def commit_offered(self, offered: Sequence[tuple[OfferedResult, datetime]]) -> None:
        """Store results that are offered now, each with the moment from which its next re-offering counts."""
        rows = [{"of": item.result_id, "moment": item.business.timestamp(), "counted": counted.timestamp()} for item, counted in offered]
        now: BindParameter[float] = bindparam("moment")
        again = {"last_offered": bindparam("counted"), "first_offered": func.coalesce(result.c.first_offered, now), "offers": result.c.offers + 1}
        with self._begin() as connection:
            insert_all(connection, message, [tables.offered_row(item) for item, _counted in offered])
            connection.execute(update(result).where(result.c.id == bindparam("of")).values(**again), rows)

    def next_due(self) -> datetime | None:
        """Return the earliest moment at which a new result is due, or ``None``."""
        rows = self._read(statements.NEXT_DUE)
        return None if rows[0][0] is None else tables.at(rows[0][0])

    def next_reoffer(self, window_s: float, interval_s: float) -> datetime | None:
        """Return the earliest moment at which an unprocessed result comes again, or ``None``."""
        rows = self._read(statements.NEXT_REOFFER, window=window_s, interval=interval_s, dust=_DUST_S)
        return tables.at(rows[0][0] + interval_s) if rows else None

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
        rows = self._read(statements.MESSAGE, id=message_id)
        if not rows:
            return None
        return tables.offer_of(rows[0], self._content_of(rows[0])) if rows[0].is_offer else tables.offered_of(rows[0])

    def offers(self, after: int) -> Sequence[Offer]:
        """Return all offers with a sequence number above ``after``."""
        return [tables.offer_of(row, self._content_of(row)) for row in self._read(statements.OFFERS, after=after)]

    def results(self, after: int) -> Sequence[OfferedResult]:
        """Return all offered results with a sequence number above ``after``."""
        return [tables.offered_of(row) for row in self._read(statements.RESULTS, after=after)]

    def calls(self, after: int) -> Sequence[Call]:
        """Return all calls with a sequence number above ``after``."""
        return [tables.call_of(row) for row in self._read(statements.CALLS, after=after)]

    def berichten(self, after: int) -> Sequence[StoredBericht]:
        """Return what became of the berichten of offers above ``after``."""
        return [tables.bericht_of(row) for row in self._read(statements.BERICHTEN, after=after)]

    def lasts(self) -> tuple[int, int, int, int]:
        """Return the highest sequence numbers of a message, a call, an exchange and a question about citizens."""
        message_seq, call_seq, exchange_seq, bevraging_seq = self._read(_LASTS)[0]
        return message_seq, call_seq, exchange_seq, bevraging_seq

    def counts(self) -> dict[str, int]:
        """Return how many offers there are by state, and berichten by code, lost ones left out."""
        by_state = select(message.c.state, func.count()).where(message.c.state.is_not(None)).group_by(message.c.state)
        by_code = select(bericht.c.code, func.count()).where(~bericht.c.is_lost).group_by(bericht.c.code)
        return {str(name): int(count) for name, count in self._read(by_state.union_all(by_code))}

    def lose(self, since: datetime) -> int:
        """Lose every offer received since a moment on the business clock, with what came of it."""
        moment = since.timestamp()
        with self._begin() as connection:
            recent = and_(message.c.is_offer, message.c.business >= moment, message.c.state.in_((State.ACCEPTED, State.PROCESSED, State.DUPLICATE)))
            seqs = [row.seq for row in connection.execute(select(message.c.seq).where(recent))]
            for chunk in _chunks(seqs):
                connection.execute(update(message).where(message.c.seq.in_(chunk)).values(state=State.LOST))
                connection.execute(update(bericht).where(bericht.c.offer_seq.in_(chunk)).values(is_lost=True))
            forget_lost(connection)
            connection.execute(update(result).where(result.c.due >= moment).values(is_done=True))
            connection.execute(update(message).where(~message.c.is_offer, message.c.business >= moment).values(status=Status.PROCESSED))
        return len(seqs)

    def close_open_results(self) -> None:
        """Offer no open result any more, take what waits from the queue, and send nothing any more of what is under way."""
        with self._begin() as connection:
            connection.execute(update(result).where(~result.c.is_done).values(is_done=True))
            connection.execute(update(message).where(message.c.status == Status.RECEIVED).values(status=Status.PROCESSED))
            connection.execute(update(message).where(message.c.event.is_not(None)).values(event=None))
            SqlWireWriting(connection).end_sendings()

    def setting(self, key: str) -> Any:
        """Return a kept JSON value, or ``None``."""
        rows = self._read(select(setting.c.value).where(setting.c.key == key))
        return json.loads(rows[0].value) if rows else None


def _engine(url: str, *, is_durable: bool) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
    options = {"compiled_cache": _compiled}
    arguments = {"check_same_thread": False, "timeout": 30}
    # What goes wrong ends up in a log, where no BSN may stand.
    engine = create_engine(url, poolclass=StaticPool, hide_parameters=True, connect_args=arguments, execution_options=options)
    engine.dialect = _sqlite()
    event.listen(engine, "connect", _make_durable if is_durable else _make_quick)
    return engine


@cache
def _sqlite() -> Dialect:
    """Return the dialect of every SQLite ledger: what was compiled for one serves the next, for runs and tests open hundreds."""
    engine = create_engine("sqlite://")
    with engine.connect():
        return engine.dialect


_compiled: Final[dict[Any, Any]] = {}
"""What was compiled for that dialect: there are as many statements as this package has."""


def _create(engine: Engine) -> None:
    statements = _creation(engine.dialect)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().executescript(f"BEGIN; {'; '.join(statements)}; COMMIT")  # at once: it takes a third of the time
            return
        for statement in statements:
            connection.exec_driver_sql(statement)


_creations: Final[dict[str, Sequence[str]]] = {}


def _creation(dialect: Dialect) -> Sequence[str]:
    """Return what makes the tables, as text: tests have hundreds of ledgers made, and building these statements takes longer than doing them."""
    if dialect.name not in _creations:
        made: list[CreateTable | CreateIndex] = []
        for table in tables.metadata.sorted_tables:
            made += (CreateTable(table), *map(CreateIndex, table.indexes))
        version = f"INSERT INTO {setting.name} (key, value) VALUES ('{_VERSION}', '{tables.VERSION}')"  # noqa: S608  # our own names
        _creations[dialect.name] = [*(str(item.compile(dialect=dialect)) for item in made), version]
    return _creations[dialect.name]


def _make_durable(connection: Any, _record: object) -> None:
    _set(connection, "journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000")


def _make_quick(connection: Any, _record: object) -> None:
    _set(connection, "journal_mode=WAL", "synchronous=OFF", "busy_timeout=30000")


def _set(connection: Any, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_in_memory(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def _insert_results(connection: Connection, processed: Processed) -> None:
    """Store planned results, and the messages of those that are offered in the same breath; ids are given out here, so that a message has its own."""
    first = int(connection.execute(select(func.coalesce(func.max(result.c.id), 0))).scalar_one()) + 1
    offered = {index: replace(item, result_id=first + index) for index, item in processed.offered.items()}
    moments = {index: item.business for index, item in offered.items()}
    insert_all(connection, result, [tables.planned_row(item, first + index, moments.get(index)) for index, item in enumerate(processed.results)])
    insert_all(connection, message, [tables.offered_row(item) for item in offered.values()])


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _IDS_AT_ONCE):
        yield items[start : start + _IDS_AT_ONCE]


def _matches(queue_filter: QueueFilter) -> list[Any]:
    wanted = ((message.c[name], getattr(queue_filter, name)) for name in _FILTERED)
    return [column == value for column, value in wanted if value is not None]


def _short(error: BaseException) -> str:
    return str(error).partition("\n")[0]
