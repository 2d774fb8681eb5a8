"""The citizen's side in the SQL ledger: found by index, for it must answer within 200 ms however many letters there are."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Boolean, Column, Connection, Integer, Select, String, Table, and_, bindparam, func, insert, select, update

from conformance.berichtenbox.presentatie import Inzage, Letter
from conformance.berichtenbox.tables import at, bericht, envelope_of, message, metadata
from conformance.messages.envelope import Envelope

inzage: Final = Table(
    "inzage",
    metadata,
    Column("bericht_seq", Integer, primary_key=True),  # a row of bericht is one letter to one citizen
    Column("is_read", Boolean, nullable=False),
    Column("folder", String),
    Column("is_deleted", Boolean, nullable=False),
)

_BOTH: Final = bericht.outerjoin(inzage, inzage.c.bericht_seq == bericht.c.seq)
_INZAGE: Final = (inzage.c.is_read, inzage.c.folder, inzage.c.is_deleted)
_LETTERS: Final[Select[Any]] = select(bericht, *_INZAGE).select_from(_BOTH)
_IN_BOX: Final = and_(
    bericht.c.gebruiker_id == bindparam("bsn"),
    ~bericht.c.is_lost,
    bericht.c.published <= bindparam("now"),
    inzage.c.is_deleted.is_not(True),  # also where nothing is said
)
_COUNT: Final = select(func.count()).select_from(_BOTH).where(_IN_BOX)
_NEWEST: Final = (bericht.c.published.desc(), bericht.c.seq.desc())
_PAGE: Final = _LETTERS.where(_IN_BOX).order_by(*_NEWEST).limit(bindparam("most")).offset(bindparam("skipped"))
# With more conditions SQLite would take another index than that on the id.
_OF_ID: Final = _LETTERS.where(bericht.c.bericht_id == bindparam("id")).order_by(bericht.c.seq)
_OFFER: Final = select(message).where(message.c.seq == bindparam("seq"))
_OF_LETTER: Final = select(*_INZAGE).where(inzage.c.bericht_seq == bindparam("letter"))


class SqlPresentatieWriting:
    """What a citizen does with a letter, as it is written inside one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def change(self, letter: Letter, change: Callable[[Inzage], Inzage]) -> None:
        """Keep what ``change`` makes of what stands there by now."""
        row = self._connection.execute(_OF_LETTER, {"letter": letter.seq}).first()
        changed = change(Inzage() if row is None else _inzage_of(row))
        values = {"is_read": changed.is_read, "folder": changed.folder, "is_deleted": changed.is_deleted}
        if row is None:
            self._connection.execute(insert(inzage).values(bericht_seq=letter.seq, **values))
        else:
            self._connection.execute(update(inzage).where(inzage.c.bericht_seq == letter.seq).values(**values))


class SqlPresentatie:
    """The letters as citizens see them; ``rows`` asks the ledger, ``content_of`` gives the content of a row of message."""

    def __init__(self, rows: Callable[..., Iterator[Any]], content_of: Callable[[Any], bytes]) -> None:
        self._rows = rows
        self._content_of = content_of

    def count(self, bsn: str, now: datetime) -> int:
        """Return how many letters a citizen has."""
        ((found,),) = self._rows(_COUNT, bsn=bsn, now=now.timestamp())
        return int(found)

    def page(self, bsn: str, now: datetime, skipped: int, most: int) -> Sequence[Letter]:
        """Return letters of a citizen, newest first."""
        return [_letter_of(row) for row in self._rows(_PAGE, bsn=bsn, now=now.timestamp(), skipped=skipped, most=most)]

    def letter(self, bericht_id: str, now: datetime) -> Letter | None:
        """Return a letter by its lower-case id, whosoever it is, also a deleted one."""
        rows = [row for row in self._rows(_OF_ID, id=bericht_id) if not row.is_lost and row.published is not None]
        return next((_letter_of(row) for row in rows if row.published <= now.timestamp()), None)

    def envelope(self, letter: Letter) -> Envelope:
        """Return the offer in which a letter came."""
        (row,) = self._rows(_OFFER, seq=letter.offer_seq)
        return envelope_of(row, self._content_of(row))


def _inzage_of(row: Any) -> Inzage:
    return Inzage(row.is_read, row.folder, row.is_deleted)


def _letter_of(row: Any) -> Letter:
    return Letter(
        seq=row.seq,
        offer_seq=row.offer_seq,
        position=row.position,
        bericht_id=row.bericht_id,
        gebruiker_id=row.gebruiker_id,
        bericht_type=row.bericht_type,
        afzender=row.afzender,
        onderwerp=row.onderwerp,
        digest=row.digest,
        published=at(row.published),
        inzage=Inzage() if row.is_read is None else _inzage_of(row),
    )
