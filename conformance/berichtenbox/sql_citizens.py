"""Citizens in the SQL ledger: accounts, voorkeuren, what changed when, the questions about them, and payloads that are too large to carry around.

Long answers are read page by page, so that nobody waits for a night's work, and memory does not grow with the register.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    null,
    or_,
    select,
)

from conformance.berichtenbox.citizens import EVERY_TYPE, Asked, Bevraging, Kept, Voorkeur
from conformance.berichtenbox.tables import at, insert_all, metadata
from conformance.messages.bsns import BsnList

_T = TypeVar("_T")
_PAGE: Final = 10_000
_IDS_AT_ONCE: Final = 500  # SQLite takes a limited number of parameters in one statement

account: Final = Table("account", metadata, Column("bsn", Integer, primary_key=True), Column("is_active", Boolean, nullable=False))

voorkeur: Final = Table(
    "voorkeur",
    metadata,
    Column("bsn", Integer, primary_key=True),
    Column("oin", String, primary_key=True),
    Column("bericht_type", String, primary_key=True),
    Column("wants", Boolean, nullable=False),
    Index("voorkeur_by_oin", "oin", "bericht_type", "bsn"),
)

mutatie: Final = Table(
    "mutatie",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("bsn", Integer, nullable=False),
    Column("oin", String, nullable=False),  # empty: the account as such
    Column("bericht_type", String, nullable=False),
    Column("was", Boolean),  # nothing: nothing was said before
    Column("business", Float, nullable=False),
    Index("mutatie_by_moment", "business"),
    Index("mutatie_by_bsn", "bsn"),
)

bevraging: Final = Table(
    "bevraging",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("asked", String, nullable=False),
    Column("oin", String, nullable=False),
    Column("verzoek_id", String, nullable=False),
    Column("business", Float, nullable=False),
    Column("bsns", LargeBinary),
    Column("rest", Text, nullable=False),
    Index("bevraging_by_verzoek", "verzoek_id"),
)

kept_piece: Final = Table(
    "kept_piece",
    metadata,
    Column("kept_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_of_all: Final = voorkeur.alias("of_all")
_of_type: Final = voorkeur.alias("of_type")


def _wants(bericht_type: bool) -> tuple[Any, ColumnElement[bool]]:  # noqa: FBT001  # which of two statements is built
    """Return the tables to look in, and whether a citizen wants letters: the account, then what was said of the type, then of all types."""
    every = and_(_of_all.c.bsn == account.c.bsn, _of_all.c.oin == bindparam("oin"), _of_all.c.bericht_type == EVERY_TYPE)
    tables = account.outerjoin(_of_all, every)
    if not bericht_type:
        return tables, and_(account.c.is_active, func.coalesce(_of_all.c.wants, True))
    typed = and_(_of_type.c.bsn == account.c.bsn, _of_type.c.oin == bindparam("oin"), _of_type.c.bericht_type == bindparam("type"))
    return tables.outerjoin(_of_type, typed), and_(account.c.is_active, func.coalesce(_of_type.c.wants, _of_all.c.wants, True))


def _wanting(condition: ColumnElement[bool], *, has_type: bool) -> Select[Any]:
    tables, wants = _wants(has_type)
    return select(account.c.bsn).select_from(tables).where(wants, condition)


_WANTING_OF_TYPE: Final = _wanting(account.c.bsn.in_(_ids), has_type=True)
_WANTING: Final = _wanting(account.c.bsn.in_(_ids), has_type=False).order_by(account.c.bsn)
_PAGE_WANTING: Final = _wanting(account.c.bsn > bindparam("last"), has_type=False).order_by(account.c.bsn).limit(_PAGE)
_MINE: Final = and_(or_(mutatie.c.oin == "", mutatie.c.oin == bindparam("oin")), mutatie.c.bericht_type == EVERY_TYPE)
_IN_WINDOW: Final = mutatie.c.business.between(bindparam("since"), bindparam("until"))
_PAGE_CHANGED: Final = (
    select(mutatie.c.bsn).distinct().where(_MINE, _IN_WINDOW, mutatie.c.bsn > bindparam("last")).order_by(mutatie.c.bsn).limit(_PAGE)
)
_HAS_CHANGED: Final = select(mutatie.c.seq).where(_MINE, _IN_WINDOW, mutatie.c.bsn == bindparam("bsn")).limit(1)
_LATER: Final = (
    select(mutatie.c.oin, mutatie.c.bericht_type, mutatie.c.was)
    .where(mutatie.c.bsn == bindparam("bsn"), mutatie.c.business > bindparam("moment"), or_(mutatie.c.oin == "", mutatie.c.oin == bindparam("oin")))
    .order_by(mutatie.c.business.desc(), mutatie.c.seq.desc())
)
_ACCOUNT: Final = select(account.c.is_active).where(account.c.bsn == bindparam("bsn"))
_VOORKEUREN: Final = select(voorkeur.c.bericht_type, voorkeur.c.wants).where(voorkeur.c.bsn == bindparam("bsn"), voorkeur.c.oin == bindparam("oin"))
_ANYBODY: Final = select(account.c.bsn).limit(1)
_ACCOUNTS: Final = select(func.count()).select_from(account)
_VERZOEKEN: Final = select(bevraging.c.verzoek_id).where(bevraging.c.verzoek_id.in_(_ids))
_BEVRAGINGEN: Final = select(bevraging).where(bevraging.c.seq > bindparam("after")).order_by(bevraging.c.seq)
_UNNAMED: Final = [column for column in bevraging.c if column is not bevraging.c.bsns]
_SINCE: Final = select(*_UNNAMED, null().label("bsns")).where(bevraging.c.business >= bindparam("moment")).order_by(bevraging.c.seq)
_NEXT_KEPT: Final = select(func.coalesce(func.max(kept_piece.c.kept_id), 0) + 1)
_PIECE: Final = select(kept_piece.c.data).where(kept_piece.c.kept_id == bindparam("kept"), kept_piece.c.number == bindparam("number"))


class SqlCitizenWriting:
    """What of citizens is written inside one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_account(self, bsn: int, moment: datetime, *, is_active: bool) -> None:
        """Make a Berichtenbox active or not; a change is remembered with its moment."""
        was = bool(self._connection.execute(_ACCOUNT, {"bsn": bsn}).scalar())
        self.add_accounts([(bsn, is_active)])
        if was != is_active:
            self._remember(bsn, "", EVERY_TYPE, moment, was=was)

    def set_voorkeur(self, said: Voorkeur, moment: datetime) -> None:
        """Keep what a citizen wants; a change is remembered with its moment."""
        before = {row.bericht_type: row.wants for row in self._connection.execute(_VOORKEUREN, {"bsn": said.bsn, "oin": said.oin})}
        was = before.get(said.bericht_type)
        self.add_voorkeuren([said])
        if bool(before.get(EVERY_TYPE, True) if was is None else was) != said.wants:
            self._remember(said.bsn, said.oin, said.bericht_type, moment, was=was)

    def _remember(self, bsn: int, oin: str, bericht_type: str, moment: datetime, *, was: bool | None) -> None:
        row = {"bsn": bsn, "oin": oin, "bericht_type": bericht_type, "was": was, "business": moment.timestamp()}
        insert_all(self._connection, mutatie, [row])

    def add_accounts(self, accounts: Iterable[tuple[int, bool]]) -> None:
        """Add citizens, without a history; who is there already is replaced."""
        is_empty = self._connection.execute(_ANYBODY).first() is None
        for page in pages(accounts, _PAGE):
            if not is_empty:
                self._forget(account, [bsn for bsn, _ in page])
            insert_all(self._connection, account, [{"bsn": bsn, "is_active": is_active} for bsn, is_active in page])

    def _forget(self, table: Table, bsns: Sequence[int]) -> None:
        for chunk in pages(bsns, _IDS_AT_ONCE):
            self._connection.execute(delete(table).where(table.c.bsn.in_(chunk)))

    def add_voorkeuren(self, voorkeuren: Iterable[Voorkeur]) -> None:
        """Add voorkeuren, without a history; what is there already is replaced."""
        for page in pages(voorkeuren, _PAGE):
            latest = {(said.bsn, said.oin, said.bericht_type): said.wants for said in page}
            gone = delete(voorkeur).where(
                voorkeur.c.bsn == bindparam("b"), voorkeur.c.oin == bindparam("o"), voorkeur.c.bericht_type == bindparam("t")
            )
            self._connection.execute(gone, [{"b": bsn, "o": oin, "t": bericht_type} for bsn, oin, bericht_type in latest])
            rows = [{"bsn": bsn, "oin": oin, "bericht_type": kind, "wants": wants} for (bsn, oin, kind), wants in latest.items()]
            insert_all(self._connection, voorkeur, rows)

    def clear(self) -> None:
        """Forget every citizen and their history."""
        for table in (account, voorkeur, mutatie):
            self._connection.execute(delete(table))

    def add_bevraging(self, asked: Bevraging) -> None:
        """Keep a question."""
        insert_all(self._connection, bevraging, [_row_of(asked)])


class SqlCitizens:
    """What can be asked about citizens; ``rows`` asks the ledger, ``begin`` opens a commit."""

    def __init__(self, rows: Callable[..., Iterator[Any]], begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._rows = rows
        self._begin = begin

    def accounts(self) -> int:
        """Return how many citizens have an account."""
        return int(self._one(_ACCOUNTS))

    def _one(self, statement: Any, **values: Any) -> Any:
        return next(iter(list(self._rows(statement, **values))))[0]

    def wanting(self, oin: str, bericht_type: str, bsns: Iterable[int]) -> set[int]:
        """Return who of ``bsns`` has an active Berichtenbox and takes letters of this Afnemer and BerichtType."""
        found: set[int] = set()
        for chunk in pages(bsns, _IDS_AT_ONCE):
            found.update(row.bsn for row in self._rows(_WANTING_OF_TYPE, oin=oin, type=bericht_type, ids=chunk))
        return found

    def all_wanting(self, oin: str) -> Iterator[int]:
        """Yield everybody who takes letters of this Afnemer, in order."""
        last = -1
        while page := [row[0] for row in self._rows(_PAGE_WANTING, oin=oin, last=last)]:
            yield from page
            last = page[-1]

    def listed_wanting(self, oin: str, bsns: BsnList) -> Iterator[int]:
        """Yield who of a sorted list takes letters of this Afnemer, in order."""
        for chunk in pages(bsns.numbers, _IDS_AT_ONCE):
            yield from [row[0] for row in self._rows(_WANTING, oin=oin, ids=chunk)]

    def changed(self, oin: str, since: datetime, until: datetime) -> Iterator[tuple[int, bool]]:
        """Yield whose status changed for this Afnemer in a window, each once, with the present status."""
        window = {"oin": oin, "since": since.timestamp(), "until": until.timestamp()}
        last = -1
        while page := [row[0] for row in self._rows(_PAGE_CHANGED, **window, last=last)]:
            active = set(self.listed_wanting(oin, BsnList(page)))
            yield from [(bsn, bsn in active) for bsn in page]
            last = page[-1]

    def has_changed(self, bsn: int, oin: str, since: datetime, until: datetime) -> bool:
        """Tell whether the status of one citizen changed for this Afnemer in a window."""
        return bool(list(self._rows(_HAS_CHANGED, bsn=bsn, oin=oin, since=since.timestamp(), until=until.timestamp())))

    def wanted_at(self, bsn: int, oin: str, bericht_type: str, moment: datetime) -> bool:
        """Tell whether a citizen took these letters at a moment: what is so now, with everything undone that changed later."""
        is_active = any(row.is_active for row in self._rows(_ACCOUNT, bsn=bsn))
        said: dict[str, bool | None] = {row.bericht_type: bool(row.wants) for row in self._rows(_VOORKEUREN, bsn=bsn, oin=oin)}
        for row in self._rows(_LATER, bsn=bsn, oin=oin, moment=moment.timestamp()):
            if row.oin:
                said[row.bericht_type] = row.was
            else:
                is_active = row.was
        return is_active and next((wants for kind in (bericht_type, EVERY_TYPE) if (wants := said.get(kind)) is not None), True)

    def verzoek_ids(self, ids: Sequence[str]) -> set[str]:
        """Return which of these VerzoekIds were used before."""
        return {row.verzoek_id for chunk in pages(ids, _IDS_AT_ONCE) for row in self._rows(_VERZOEKEN, ids=chunk)}

    def bevragingen(self, after: int) -> Sequence[Bevraging]:
        """Return the questions with a sequence number above ``after``, oldest first."""
        return [_bevraging_of(row) for row in self._rows(_BEVRAGINGEN, after=after)]

    def asked_since(self, moment: datetime) -> Sequence[Bevraging]:
        """Return the questions since a moment on the business clock, oldest first, without the citizens that they name."""
        return [_bevraging_of(row) for row in self._rows(_SINCE, moment=moment.timestamp())]

    def keep(self, pieces: Iterable[bytes]) -> Kept:
        """Store a stream piece by piece, each in a commit of its own: what others wait for is not held up while the next one is made."""
        kept_id, size = int(self._one(_NEXT_KEPT)), 0
        for number, piece in enumerate(pieces):
            with self._begin() as connection:
                insert_all(connection, kept_piece, [{"kept_id": kept_id, "number": number, "data": piece}])
            size += len(piece)
        return Kept(kept_id, size)

    def content(self, kept: Kept) -> Iterator[bytes]:
        """Yield what was kept, in pieces."""
        number = 0
        while rows := list(self._rows(_PIECE, kept=kept.id, number=number)):
            yield bytes(rows[0].data)
            number += 1


def _row_of(asked: Bevraging) -> dict[str, Any]:
    rest = {
        "bericht_type": asked.bericht_type,
        "wall": asked.wall.timestamp(),
        "vanaf": None if asked.vanaf is None else asked.vanaf.timestamp(),
        "count": asked.count,
        "note": asked.note,
        "is_answered": asked.is_answered,
        "offer_seq": asked.offer_seq,
    }
    return {
        "asked": asked.asked,
        "oin": asked.oin,
        "verzoek_id": asked.verzoek_id,
        "business": asked.moment.timestamp(),
        "bsns": None if asked.bsns is None else asked.bsns.to_bytes(),
        "rest": json.dumps(rest),
    }


def _bevraging_of(row: Row[Any]) -> Bevraging:
    rest = json.loads(row.rest)
    return Bevraging(
        asked=Asked(row.asked),
        oin=row.oin,
        moment=at(row.business),
        wall=at(rest["wall"]),
        verzoek_id=row.verzoek_id,
        bericht_type=rest["bericht_type"],
        vanaf=None if rest["vanaf"] is None else at(rest["vanaf"]),
        bsns=None if row.bsns is None else BsnList.from_bytes(row.bsns),
        count=rest["count"],
        note=rest["note"],
        is_answered=rest["is_answered"],
        offer_seq=rest["offer_seq"],
        seq=row.seq,
    )


def pages(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield the items ``size`` at a time, without holding more of them."""
    coming = iter(items)
    while page := list(islice(coming, size)):
        yield page
