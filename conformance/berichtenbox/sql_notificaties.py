"""Notifications in the SQL ledger: what left, which letters wait for that, and how far distribution is, in one commit."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Float, Index, Integer, Select, Table, bindparam, delete, insert, select, update

from conformance.berichtenbox.notificaties import Arrival, Distribution, Looked, Notificatie, Position
from conformance.berichtenbox.tables import at, bericht, insert_all, metadata, setting

notificatie: Final = Table(
    "notificatie",
    metadata,
    Column("seq", Integer, primary_key=True),  # in the order in which they left
    Column("bericht_seq", Integer, nullable=False),
    Column("sent", Float, nullable=False),
)

waiting: Final = Table(
    "notificatie_waits",
    metadata,
    Column("bericht_seq", Integer, primary_key=True),
    Column("arrives", Float, nullable=False),
    Index("notificatie_waits_until", "arrives", "bericht_seq"),
)

_POSITION: Final = "notificaties"
_MOMENTS: Final = ("horizon", "last", "free", "day_end")
_KEPT: Final = select(setting.c.value).where(setting.c.key == _POSITION)
# Without conditions, for SQLite would take the index on one of them instead of going on from the last row.
_LOOK: Final = (
    select(bericht.c.seq, bericht.c.business, bericht.c.published, bericht.c.is_lost)
    .where(bericht.c.seq > bindparam("after"))
    .order_by(bericht.c.seq)
    .limit(bindparam("most"))
)
_WAITING: Final = (
    select(waiting).where(waiting.c.arrives <= bindparam("until")).order_by(waiting.c.arrives, waiting.c.bericht_seq).limit(bindparam("most"))
)
_PAGE: Final[Select[Any]] = (
    select(notificatie.c.seq, notificatie.c.sent, bericht.c.bericht_id, bericht.c.published)
    .select_from(notificatie.outerjoin(bericht, bericht.c.seq == notificatie.c.bericht_seq))  # an outer join keeps the order of looking
    .where(notificatie.c.seq > bindparam("after"))
    .order_by(notificatie.c.seq)
    .limit(bindparam("most"))
)


class SqlNotificaties:
    """What is kept of notifications; ``rows`` asks the ledger, ``begin`` opens a commit."""

    def __init__(self, rows: Callable[..., Iterator[Any]], begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._rows, self._begin = rows, begin

    def position(self) -> Position:
        """Return how far distribution is."""
        kept = [json.loads(row.value) for row in self._rows(_KEPT)]
        return Position(**(kept[0] | {name: datetime.fromisoformat(kept[0][name]) for name in _MOMENTS})) if kept else Position()

    def look(self, after: int, most: int) -> Sequence[Looked]:
        """Return rows of the berichten, by their number; those of which the citizen has no letter have no arrival."""
        return [_looked(row) for row in self._rows(_LOOK, after=after, most=most)]

    def waiting(self, until: datetime, most: int) -> Sequence[Arrival]:
        """Return letters that wait and arrived by a moment, the earliest first."""
        return [Arrival(at(row.arrives), row.bericht_seq) for row in self._rows(_WAITING, until=until.timestamp(), most=most)]

    def commit(self, distribution: Distribution) -> None:
        """Keep what was distributed: all of it, in one commit."""
        with self._begin() as connection:
            sent = [{"bericht_seq": arrival.bericht_seq, "sent": moment.timestamp()} for arrival, moment in distribution.sent]
            insert_all(connection, notificatie, sent)
            new = [{"bericht_seq": arrival.bericht_seq, "arrives": arrival.at.timestamp()} for arrival in distribution.waiting]
            insert_all(connection, waiting, new)
            if distribution.done:
                done = delete(waiting).where(waiting.c.bericht_seq == bindparam("of"))
                connection.execute(done, [{"of": arrival.bericht_seq} for arrival in distribution.done])
            _keep(connection, distribution.position)

    def page(self, after: int, most: int) -> Sequence[Notificatie]:
        """Return notifications with a number above ``after``, in the order in which they left."""
        rows = self._rows(_PAGE, after=after, most=most)
        return [Notificatie(row.seq, row.bericht_id, at(row.published), at(row.sent)) for row in rows]


def forget_lost(connection: Connection) -> None:
    """Let no letter wait any more that was lost in a calamity."""
    lost = select(bericht.c.seq).where(bericht.c.is_lost)
    connection.execute(delete(waiting).where(waiting.c.bericht_seq.in_(lost)))


def _keep(connection: Connection, position: Position) -> None:
    values = asdict(position)
    text = json.dumps(values | {name: values[name].isoformat() for name in _MOMENTS})
    if not connection.execute(update(setting).where(setting.c.key == _POSITION).values(value=text)).rowcount:
        connection.execute(insert(setting).values(key=_POSITION, value=text))


def _looked(row: Any) -> Looked:
    arrival = None if row.published is None or row.is_lost else Arrival(at(row.published), row.seq)
    return Looked(row.seq, at(row.business), arrival)
