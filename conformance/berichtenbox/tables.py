"""The tables of the ledger, and how a row becomes a value."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, Dialect, Float, Index, Integer, LargeBinary, MetaData, Row, String, Table, Text, insert

from conformance.berichtenbox.citizens import Kept
from conformance.berichtenbox.ledger import Call, Face, Offer, OfferedResult, PlannedResult, State, Status, StoredBericht
from conformance.messages.envelope import Envelope, Part
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.findings import Finding, Grading

metadata: Final = MetaData()
VERSION: Final = 4
"""Of the tables: a file that an earlier kit made lacks columns."""

_ENVELOPE: Final = tuple(item.name for item in fields(Envelope) if item.name != "parts")  # the last field
_BERICHT: Final = ("offer_seq", "position", "batch_id", "bericht_id", "gebruiker_id", "bericht_type", "digest", "code")  # in the order of the table
_bericht_values: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_BERICHT)
_envelope_values: Final[Callable[[Any], tuple[Any, ...]]] = attrgetter(*_ENVELOPE)


def _envelope_columns() -> list[Column[Any]]:
    return [*(Column(name, String) for name in _ENVELOPE), Column("parts", Text)]


def _kept_columns() -> list[Column[Any]]:
    """Return where the content of an envelope is when it is too large to be carried around."""
    return [Column("kept_id", Integer), Column("kept_size", Integer)]


def _content() -> Column[Any]:
    """Return the column of the bytes of an envelope. It stands last in its table: to read what is behind it SQLite goes through all of it."""
    return Column("content", LargeBinary)


message = Table(
    "message",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("is_offer", Boolean, nullable=False),
    *_envelope_columns(),
    Column("state", String),
    Column("status", String, nullable=False),
    Column("event", String),
    Column("wall", Float, nullable=False),
    Column("business", Float, nullable=False),
    Column("result_id", Integer),
    Column("grading", Text),
    Column("note", Text),
    Column("face", String, nullable=False),
    *_kept_columns(),
    _content(),
    Index("message_by_id", "message_id"),
    Index("message_by_state", "state", "status"),
)

pieces = Table(
    "piece",
    metadata,
    Column("message_seq", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

bericht = Table(
    "bericht",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("offer_seq", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("bericht_id", String, nullable=False),
    Column("gebruiker_id", String, nullable=False),
    Column("bericht_type", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("code", String, nullable=False),
    Column("business", Float, nullable=False),
    Column("is_lost", Boolean, nullable=False, default=False),
    Column("afzender", String, nullable=False),
    Column("onderwerp", String, nullable=False),
    Column("published", Float),
    Index("bericht_by_id", "bericht_id"),
    Index("bericht_by_batch", "batch_id"),
    Index("bericht_by_code", "is_lost", "code"),
    Index("bericht_of_citizen", "gebruiker_id", "is_lost", "published"),
)

result = Table(
    "result",
    metadata,
    Column("id", Integer, primary_key=True),
    *_envelope_columns(),
    Column("oin", String, nullable=False),
    Column("batch_id", String, nullable=False),
    Column("due", Float, nullable=False),
    Column("again_same_id", Integer, nullable=False),
    Column("again_new_id", Integer, nullable=False),
    Column("again_after_s", Float, nullable=False),
    Column("first_offered", Float),
    Column("last_offered", Float),
    Column("offers", Integer, nullable=False),
    Column("is_done", Boolean, nullable=False),
    Column("face", String, nullable=False),
    *_kept_columns(),
    _content(),
    Index("result_to_offer", "is_done", "last_offered", "due"),
)

call = Table(
    "call",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("operation", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("wall", Float, nullable=False),
    Column("business", Float, nullable=False),
    Column("note", Text, nullable=False),
)

setting = Table("setting", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))


def at(moment: float) -> datetime:
    """Return the UTC moment of a stored number of seconds."""
    return datetime.fromtimestamp(moment, UTC)


def envelope_row(envelope: Envelope) -> dict[str, Any]:
    """Return the columns of an envelope: its parts described in JSON, their bytes one after another."""
    parts = [[part.content_type, part.name, part.content_id, len(part.content)] for part in envelope.parts]
    row: dict[str, Any] = dict(zip(_ENVELOPE, _envelope_values(envelope), strict=True))
    return row | {"parts": json.dumps(parts), "content": b"".join(part.content for part in envelope.parts)}


def envelope_of(row: Row[Any], content: bytes | None = None) -> Envelope:
    """Return the envelope that a row holds; ``content`` when that stands elsewhere."""
    values = dict(zip(_ENVELOPE, _envelope_values(row), strict=True))
    return Envelope(**values, parts=_parts(json.loads(row.parts), row.content if content is None else content))


def _parts(described: Sequence[Sequence[Any]], content: bytes) -> tuple[Part, ...]:
    parts, start = [], 0
    for content_type, name, content_id, size in described:
        parts.append(Part(content[start : start + size], content_type, name, content_id))
        start += size
    return tuple(parts)


def offer_row(offer: Offer) -> dict[str, Any]:
    """Return the columns of an offer that comes in."""
    return envelope_row(offer.envelope) | {
        "is_offer": True,
        "state": offer.state,
        "status": offer.status,
        "wall": offer.wall.timestamp(),
        "business": offer.business.timestamp(),
        "note": offer.note,
        "face": offer.face,
    }


def offer_of(row: Row[Any], content: bytes) -> Offer:
    """Return the offer that a row holds, with the content of its parts."""
    grading, face = read_grading(row.grading) if row.grading else None, Face(row.face)
    return Offer(
        envelope_of(row, content), at(row.wall), at(row.business), State(row.state), Status(row.status), row.seq, grading, row.note or "", face
    )


def offered_row(offered: OfferedResult) -> dict[str, Any]:
    """Return the columns of a result that is offered."""
    return envelope_row(offered.envelope) | {
        "is_offer": False,
        "status": offered.status,
        "event": "RECEIVED",
        "wall": offered.wall.timestamp(),
        "business": offered.business.timestamp(),
        "result_id": offered.result_id,
        "face": offered.face,
        **_kept_row(offered.kept),
    }


def _kept_row(kept: Kept | None) -> dict[str, Any]:
    return {"kept_id": None if kept is None else kept.id, "kept_size": None if kept is None else kept.size}


def _kept_of(row: Row[Any]) -> Kept | None:
    return None if row.kept_id is None else Kept(row.kept_id, row.kept_size)


def offered_of(row: Row[Any]) -> OfferedResult:
    """Return the offered result that a row holds."""
    moments = at(row.wall), at(row.business)
    return OfferedResult(envelope_of(row), *moments, Status(row.status), row.result_id, row.seq, Face(row.face), _kept_of(row))


def planned_row(planned: PlannedResult, result_id: int, offered: datetime | None) -> dict[str, Any]:
    """Return the columns of a result that is planned, and perhaps offered for the first time at once."""
    moment = offered.timestamp() if offered else None
    return envelope_row(planned.envelope) | {
        "id": result_id,
        "oin": planned.oin,
        "batch_id": planned.batch_id,
        "due": planned.due.timestamp(),
        "again_same_id": planned.again_same_id,
        "again_new_id": planned.again_new_id,
        "again_after_s": planned.again_after_s,
        "first_offered": moment,
        "last_offered": moment,
        "offers": 0 if offered is None else 1,
        "is_done": False,
        "face": planned.face,
        **_kept_row(planned.kept),
    }


def planned_of(row: Row[Any]) -> PlannedResult:
    """Return the planned result that a row holds."""
    return PlannedResult(
        envelope=envelope_of(row),
        oin=row.oin,
        batch_id=row.batch_id,
        due=at(row.due),
        again_same_id=row.again_same_id,
        again_new_id=row.again_new_id,
        again_after_s=row.again_after_s,
        id=row.id,
        first_offered=at(row.first_offered) if row.first_offered is not None else None,
        last_offered=at(row.last_offered) if row.last_offered is not None else None,
        offers=row.offers,
        face=Face(row.face),
        kept=_kept_of(row),
    )


def bericht_of(row: Row[Any]) -> StoredBericht:
    """Return what became of a bericht, from its row."""
    ids = row.offer_seq, row.position, row.batch_id, row.bericht_id, row.gebruiker_id, row.bericht_type, row.digest
    published = None if row.published is None else at(row.published)
    return StoredBericht(*ids, VerwerkingsCode(row.code), at(row.business), row.afzender, row.onderwerp, published)


def call_row(made: Call) -> dict[str, Any]:
    """Return the columns of a call."""
    moments = {"wall": made.wall.timestamp(), "business": made.business.timestamp()}
    return {"operation": made.operation, "subject": made.subject, "status": made.status, "note": made.note} | moments


def call_of(row: Row[Any]) -> Call:
    """Return the call that a row holds."""
    return Call(row.operation, row.subject, row.status, at(row.wall), at(row.business), row.seq, row.note)


@lru_cache(maxsize=64)  # most messages have nothing against them, or the same
def write_grading(grading: Grading) -> str:
    """Return a grading as JSON text."""
    findings = [[item.requirement, item.where, item.expected, item.seen, item.is_note, item.bericht] for item in grading.findings]
    return json.dumps({"findings": findings, "decided": sorted(grading.decided), "valid": grading.is_schema_valid})


def read_grading(text: str) -> Grading:
    """Return the grading of a JSON text."""
    stored: Mapping[str, Any] = json.loads(text)
    return Grading(tuple(Finding(*item) for item in stored["findings"]), frozenset(stored["decided"]), stored["valid"])


def insert_berichten(connection: Connection, berichten: Sequence[StoredBericht]) -> None:
    """Insert what became of berichten: there may be a thousand at once, so their rows are not built column by column."""
    if berichten:
        statement, _ = _insertion(connection.dialect, bericht, (*_BERICHT, "business", "is_lost", "afzender", "onderwerp", "published"))
        connection.exec_driver_sql(statement, [(*_bericht_values(stored), *_rest_of(stored)) for stored in berichten])


def _rest_of(stored: StoredBericht) -> tuple[float, bool, str, str, float | None]:
    published = None if stored.published is None else stored.published.timestamp()
    return stored.business.timestamp(), False, stored.afzender, stored.onderwerp, published


def insert_all(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same keys, through the driver: SQLAlchemy would look at each value of each row again."""
    if rows:
        statement, names = _insertion(connection.dialect, table, tuple(rows[0]))
        connection.exec_driver_sql(statement, [tuple([row[name] for name in names]) for row in rows])


@cache
def _insertion(dialect: Dialect, table: Table, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the text of an INSERT, and in which order it takes the values."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    return str(compiled), tuple(compiled.positiontup or ())
