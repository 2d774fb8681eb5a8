"""Reads from a ledger, of whatever size, which berichten came when and which results were taken: row by row, beside the Berichtenbox that writes it.

Rows are plain tuples, for there may be five million of them. Nothing is written here.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Engine, NullPool, Select, and_, bindparam, case, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from conformance.berichtenbox.ledger import LedgerError, State, Status
from conformance.berichtenbox.tables import bericht, call, message

AT_ONCE: Final = 2_000
"""Rows that are fetched together."""
Levering = tuple[str, str, str, float]
"""A bericht in an offer: BerichtID, BatchID, digest, and when it came (wall clock, in seconds)."""
Told = tuple[str, str, float, float]
"""What was decided on a bericht in an offer: BerichtID, VerwerkingsCode, when it was offered (wall clock) and when decided (business clock)."""
Result = tuple[str, str, float, float | None]
"""An offered result: MessageId, status, when it was offered, and when the Afnemer first marked or acknowledged it."""

_REDIRECTION: Final = 300
_BETWEEN: Final = and_(bericht.c.seq > bindparam("after"), bericht.c.seq <= bindparam("until"))
_OFFER: Final = message.c.seq == bericht.c.offer_seq
_LEVERING: Final = select(bericht.c.bericht_id, bericht.c.batch_id, bericht.c.digest, message.c.wall).join(message, _OFFER)
_LEVERINGEN: Final = _LEVERING.where(_BETWEEN).order_by(bericht.c.seq)
_LEVERINGEN_OF: Final = _LEVERINGEN.where(bericht.c.gebruiker_id == bindparam("bsn"))
_LEVERINGEN_WITHOUT: Final = _LEVERINGEN.where(bericht.c.gebruiker_id != bindparam("bsn"))
_TOLD: Final = (
    select(bericht.c.bericht_id, bericht.c.code, message.c.wall, bericht.c.business)
    .join(message, _OFFER)
    .where(bericht.c.seq > bindparam("after"))
    .order_by(bericht.c.seq)
)
# An Acknowledgment that counts is such a call too; what was answered with an error marked nothing.
_MARKING: Final = and_(call.c.operation.in_(("process", "fetch-and-process")), call.c.status < _REDIRECTION)
_FIRST_MARKED: Final = select(call.c.subject.label("id"), func.min(call.c.wall).label("wall")).where(_MARKING).group_by(call.c.subject).subquery()
_RESULTS: Final = (
    select(message.c.message_id, message.c.status, message.c.wall, _FIRST_MARKED.c.wall)
    .outerjoin(_FIRST_MARKED, _FIRST_MARKED.c.id == message.c.message_id)
    .where(~message.c.is_offer, message.c.seq > bindparam("after"))
    .order_by(message.c.seq)
)
_LAST_BERICHT: Final = select(func.coalesce(func.max(bericht.c.seq), 0))
_LAST_MESSAGE: Final = select(func.coalesce(func.max(message.c.seq), 0))
# A result has no state: asked so, the index answers.
_WAITING: Final = select(func.count()).where(message.c.state.is_(None), message.c.status == Status.RECEIVED)
_COPIES: Final = select(message.c.result_id).where(~message.c.is_offer, message.c.seq > bindparam("after")).group_by(message.c.result_id)
_UNTAKEN: Final = select(func.count()).select_from(_COPIES.having(func.sum(case((message.c.status != Status.RECEIVED, 1), else_=0)) == 0).subquery())
_ACCEPTED: Final = select(func.count()).where(message.c.state == State.ACCEPTED)


class Leveringen:
    """A ledger that is only read; ``url`` is that of the Berichtenbox. Each question sees what is committed by then; raises ``LedgerError``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine = create_engine(url, poolclass=NullPool, hide_parameters=True)

    def __repr__(self) -> str:
        return f"<Leveringen in {self._url}>"

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Let go of the ledger."""
        self._engine.dispose()

    def last_bericht(self) -> int:
        """Return the number of the last bericht that was processed, 0 for none."""
        return self._number(_LAST_BERICHT)

    def last_message(self) -> int:
        """Return the number of the last message, 0 for none."""
        return self._number(_LAST_MESSAGE)

    def accepted(self) -> int:
        """Return how many offers still wait to be processed."""
        return self._number(_ACCEPTED)

    def waiting(self) -> int:
        """Return how many offered results were not marked or acknowledged by the Afnemer."""
        return self._number(_WAITING)

    def untaken(self, after: int) -> int:
        """Return of how many results, offered in messages above number ``after``, no copy was marked or acknowledged by the Afnemer."""
        return self._number(_UNTAKEN, after=after)

    def leveringen(self, after: int, until: int, *, of: str | None = None, without: str | None = None) -> Iterator[Levering]:
        """Yield the berichten above number ``after`` up to ``until``, in the order of processing: those ``of`` a citizen, ``without`` one, or all."""
        values: dict[str, Any] = {"after": after, "until": until}
        if of is not None:
            return self._stream(_LEVERINGEN_OF, bsn=of, **values)
        if without is not None:
            return self._stream(_LEVERINGEN_WITHOUT, bsn=without, **values)
        return self._stream(_LEVERINGEN, **values)

    def told(self, after: int) -> Iterator[Told]:
        """Yield what was decided on each bericht above number ``after``, in the order of processing."""
        return self._stream(_TOLD, after=after)

    def results(self, after: int) -> Iterator[Result]:
        """Yield the results in messages above number ``after``, in the order in which they were offered."""
        return self._stream(_RESULTS, after=after)

    def _number(self, statement: Select[Any], **values: Any) -> int:
        return int(next(self._stream(statement, **values))[0])

    def _stream(self, statement: Select[Any], **values: Any) -> Iterator[Any]:
        try:
            with self._engine.connect().execution_options(yield_per=AT_ONCE) as connection:
                for rows in connection.execute(statement, values).partitions():
                    yield from rows
        except SQLAlchemyError as error:
            told = str(error).partition("\n")[0]
            raise LedgerError(f"the ledger {self._url} cannot be read: {told}\n  Hint: is the file still there?") from error
