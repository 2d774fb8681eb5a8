"""Reads the berichten of a simulated Berichtenbox's ledger for `berichtenbox sno counts`: their moments, and nothing of their content."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from conformance.berichtenbox.ledger import LedgerError
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.sql_notificaties import notificatie
from conformance.berichtenbox.tables import at, bericht, message
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.sno.counts import Bericht, Result

_HINT: Final = "give the URL that `berichtenbox serve --db` had, such as sqlite:///ledger.db"
_BERICHTEN: Final[Select[Any]] = (
    select(message.c.business, bericht.c.code, bericht.c.published, bericht.c.afzender, notificatie.c.sent)
    .select_from(bericht.join(message, message.c.seq == bericht.c.offer_seq).outerjoin(notificatie, notificatie.c.bericht_seq == bericht.c.seq))
    .where(~bericht.c.is_lost)
    .order_by(bericht.c.seq)
)


def read_ledger(url: str) -> tuple[Bericht, ...]:
    """Return every bericht of a ledger that was not lost; raises ``LedgerError``, also where there is no ledger yet."""
    _must_exist(url)
    SqlLedger(url).close()  # refuses a ledger of another version
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return tuple(_bericht(row) for row in connection.execute(_BERICHTEN))
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger {url} cannot be read\n  Hint: {_HINT}") from error
    finally:
        engine.dispose()


def _must_exist(url: str) -> None:
    """Refuse the URL of a file that is not there: opening it would make an empty ledger."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise LedgerError(f"{url} is not the URL of a ledger\n  Hint: {_HINT}") from None
    is_file = parsed.get_backend_name() == "sqlite"
    if is_file and not (parsed.database and Path(parsed.database).is_file()):
        raise LedgerError(f"{url}: there is no such ledger\n  Hint: {_HINT}")


def _bericht(row: Any) -> Bericht:
    return Bericht(
        received=at(row.business),
        result=Result.VERWERKT if row.code == VerwerkingsCode.VERWERKT else Result.AFGEWEZEN,
        published=None if row.published is None else at(row.published),
        notified=None if row.sent is None else at(row.sent),
        oin=row.afzender,
    )
