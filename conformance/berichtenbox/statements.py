"""The questions that are asked all the time, built once: building a statement takes longer than SQLite takes to answer it."""

from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, func, or_, select

from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.tables import bericht, call, message, pieces, result


def within_window() -> ColumnElement[bool]:
    """Return whether the next re-offering of a result, ``interval`` seconds on, still falls within ``window`` seconds of the first time."""
    next_time: Any = result.c.last_offered + bindparam("interval")
    last_time: Any = result.c.first_offered + bindparam("window") + bindparam("dust")
    within: ColumnElement[bool] = next_time <= last_time
    return within


_is_new = and_(result.c.last_offered.is_(None), result.c.due <= bindparam("moment") + bindparam("dust"))
_comes_again = and_(result.c.last_offered <= bindparam("moment") - bindparam("interval") + bindparam("dust"), within_window())
_waits_again = and_(~result.c.is_done, result.c.last_offered.is_not(None), within_window())
_not_refused = or_(message.c.state.is_(None), message.c.state != State.REFUSED)

# With one more condition, such as on lost ones, SQLite would take the index on that, and look at every row there is: who asks leaves them out.
_ids: BindParameter[Any] = bindparam("ids", expanding=True)
BERICHTEN_OF_IDS: Final = select(bericht).where(bericht.c.bericht_id.in_(_ids)).order_by(bericht.c.seq)
BERICHTEN_OF_BATCHES: Final = select(bericht).where(bericht.c.batch_id.in_(_ids)).order_by(bericht.c.seq)
MESSAGES_OF_IDS: Final = (
    select(message.c.message_id, message.c.seq, message.c.is_offer, message.c.state).where(message.c.message_id.in_(_ids)).order_by(message.c.seq)
)
ACCEPTED: Final = (
    select(message)
    .where(message.c.state == State.ACCEPTED, message.c.business <= bindparam("before"))
    .order_by(message.c.seq)
    .limit(bindparam("most"))
)
DUE_RESULTS: Final = select(result).where(~result.c.is_done, or_(_is_new, _comes_again)).order_by(result.c.due, result.c.id)
NEXT_DUE: Final = select(func.min(result.c.due)).where(~result.c.is_done, result.c.last_offered.is_(None))
NEXT_REOFFER: Final = select(result.c.last_offered).where(_waits_again).order_by(result.c.last_offered).limit(1)
MESSAGE: Final = select(message).where(message.c.message_id == bindparam("id"), _not_refused).order_by(message.c.seq).limit(1)
PIECES: Final = select(pieces.c.data).where(pieces.c.message_seq == bindparam("seq")).order_by(pieces.c.number)
OFFERS: Final = select(message).where(message.c.is_offer, message.c.seq > bindparam("after")).order_by(message.c.seq)
RESULTS: Final = select(message).where(~message.c.is_offer, message.c.seq > bindparam("after")).order_by(message.c.seq)
CALLS: Final = select(call).where(call.c.seq > bindparam("after")).order_by(call.c.seq)
BERICHTEN: Final = select(bericht).where(bericht.c.offer_seq > bindparam("after")).order_by(bericht.c.seq)
