"""The ebMS2 face in the ledger: what is kept comes back as it went in, and what is due is found."""

from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.berichtenbox import tables
from conformance.berichtenbox.ledger import Face, LedgerError, OfferedResult, Status
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire import Exchange, PartSeen, Sending
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.sending import Delivery, DeliveryState

MINUTE = timedelta(minutes=1)


@pytest.fixture
def exchange(make):
    """An exchange with something in every field."""
    return Exchange(
        is_incoming=True,
        kind="UserMessage",
        message_id="m@x",
        ref_to_message_id="r@x",
        method="POST",
        target="/ebms",
        http_version="1.1",
        headers=(("X-Twice", "a"), ("x-twice", "é")),
        soap=b"\x00\xff<a/>",
        parts=(PartSeen((("content-type", "text/xml"),), 7, "ab" * 32), PartSeen((), 0, "")),
        size=12,
        status=204,
        answer_headers=(("allow", "POST"),),
        answer=b"\xfe",
        peer="x, OIN 1",
        note="accepted",
        wall=make.now,
        business=make.now + 5 * MINUTE,
    )


@pytest.fixture
def sending(make):
    """A result under way."""
    delivery = Delivery(
        "r@x", "CPA-1", "http://x/ebms", "text/xml", 3, MINUTE, make.now + 9 * MINUTE, is_reliable=True, is_sync=True, next_at=make.now
    )
    return Sending(delivery, Kind.USER, b"\x00body")


@pytest.fixture
def keep(ledger):
    """Keep sendings, and return them as they come back."""

    def keep_all(*sendings):
        ledger.write([lambda writing, one=one: writing.wire.add_sending(one) for one in sendings])

    return keep_all


def update(ledger, sending, **changes):
    """Write down how far a message is."""
    ledger.write([lambda writing: writing.wire.update_sending(sending.moved_to(replace(sending.delivery, **changes)))])


def test_exchange_comes_back_as_it_went_in(database, exchange):
    """
    Bytes, repeated headers and both clocks are kept, also after reopening; exchanges are numbered as they came.
    """
    with SqlLedger(database) as ledger:
        ledger.write([lambda writing: writing.wire.add_exchange(exchange), lambda writing: writing.wire.add_exchange(replace(exchange, kind=""))])
    with SqlLedger(database) as again:
        assert list(again.wire.exchanges(0)) == [replace(exchange, seq=1), replace(exchange, kind="", seq=2)]
        assert [one.seq for one in again.wire.exchanges(1)] == [2]
        assert again.lasts()[2] == 2


def test_empty_ledger_knows_nothing(ledger, make):
    """
    Nothing was said, nothing is under way.
    """
    wire = ledger.wire

    assert (ledger.lasts()[2], wire.next_sending(), list(wire.exchanges(0)), list(wire.due_sendings(make.now))) == (0, None, [], [])
    assert (wire.answer_to("m@x"), wire.sending("m@x"), list(wire.unsent_results())) == (None, None, [])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"delivery": {"next_at": None, "give_up_at": None, "state": DeliveryState.DELIVERED, "reason": "Acknowledgment", "attempts": 2}},
        {"kind": Kind.ERROR, "answers": "m@x", "is_rejection": True, "received": True},
    ],
)
def test_sending_comes_back_as_it_went_in(ledger, keep, sending, make, changes):
    """
    The life of a message is kept with its bytes, in every state.
    """
    changed = {**changes, **({"received": make.now} if "received" in changes else {})}
    kept = replace(sending, **{**changed, "delivery": replace(sending.delivery, **changes.get("delivery", {}))})
    keep(kept)

    assert ledger.wire.sending("r@x") == replace(kept, seq=1)


def test_answer_to_a_message_is_the_first_one(ledger, keep, sending):
    """
    What is asked about a MessageId is what was answered the first time; what leaves again for a copy answers nothing by itself.
    """
    keep(replace(sending, answers="m@x"), replace(sending, answers=""), replace(sending, answers="m@x", body=b"other"))

    assert ledger.wire.answer_to("m@x").seq == 1
    assert ledger.wire.answer_to("other@x") is None


def test_sending_of_a_message_is_the_last_one(ledger, keep, sending):
    """
    A result that comes again under its own MessageId has a new life, and that is the one that counts.
    """
    keep(sending, replace(sending, body=b"again"))

    assert ledger.wire.sending("r@x").body == b"again"


def test_what_is_due_is_found_in_its_order(ledger, keep, sending, make):
    """
    Due is what is under way with its moment here: the next copy, or giving up. What is later or ended is not.
    """
    later, ended, waiting = make.now + MINUTE, DeliveryState.FAILED, {"next_at": None, "give_up_at": make.now - MINUTE}
    lives = {
        "now@x": {},
        "later@x": {"next_at": later},
        "ended@x": {"state": ended},
        "waiting@x": waiting,
        "lost@x": {"next_at": None, "give_up_at": None},
    }
    keep(*(replace(sending, delivery=replace(sending.delivery, message_id=name, **life)) for name, life in lives.items()))

    def due(moment):
        return [one.delivery.message_id for one in ledger.wire.due_sendings(moment)]

    assert due(make.now - 2 * MINUTE) == []
    assert due(make.now) == ["waiting@x", "now@x"]
    assert due(later) == ["waiting@x", "now@x", "later@x"]
    assert ledger.wire.next_sending() == make.now - MINUTE


def test_update_moves_one_sending(ledger, keep, sending, make):
    """
    State, moments, attempts and reason move; the bytes stay, and so does every other message.
    """
    keep(sending, replace(sending, delivery=replace(sending.delivery, message_id="other@x")))
    first = ledger.wire.sending("r@x")
    update(ledger, first, attempts=1, next_at=make.now + MINUTE, reason="HTTP 204")

    moved = ledger.wire.sending("r@x")
    assert moved == first.moved_to(replace(first.delivery, attempts=1, next_at=make.now + MINUTE, reason="HTTP 204"))
    assert ledger.wire.sending("other@x").delivery.attempts == 0


def test_what_ended_stays_so(ledger, keep, sending, make):
    """
    Who posted a copy, and does not know that its acknowledgment came meanwhile, changes nothing any more.
    """
    keep(sending)
    first = ledger.wire.sending("r@x")
    update(ledger, first, state=DeliveryState.DELIVERED, next_at=None)
    update(ledger, first, attempts=1, next_at=make.now + MINUTE)

    assert ledger.wire.sending("r@x").delivery.state is DeliveryState.DELIVERED
    assert ledger.wire.next_sending() is None


def test_end_of_a_case_ends_what_is_under_way(ledger, keep, sending):
    """
    Nothing is due any more; what was delivered stays so.
    """
    keep(sending, replace(sending, delivery=replace(sending.delivery, message_id="done@x", state=DeliveryState.DELIVERED)))
    ledger.close_open_results()

    assert ledger.wire.next_sending() is None
    assert [ledger.wire.sending(name).delivery.state for name in ("r@x", "done@x")] == [DeliveryState.FAILED, DeliveryState.DELIVERED]


@pytest.mark.parametrize(
    ("status", "face", "state", "expected"),
    [
        (Status.RECEIVED, Face.EBMS, None, ["r@x"]),
        (Status.RECEIVED, Face.EBMS, DeliveryState.DELIVERED, ["r@x"]),
        (Status.RECEIVED, Face.EBMS, DeliveryState.UNDER_WAY, []),
        (Status.RECEIVED, Face.EBMS, DeliveryState.FAILED, []),
        (Status.PROCESSED, Face.EBMS, None, []),
        (Status.RECEIVED, Face.ADAPTER, None, []),
    ],
)
def test_unsent_are_the_results_that_wait(ledger, box, keep, make, sending, status, face, state, expected):
    """
    A result for a gateway that waits and is not on its way is to be sent; one that was delivered waits again because it comes again.
    """
    envelope = make.envelope(box, b"<result/>", "r@x")
    result = OfferedResult(envelope, make.now, make.now, status, 1, face=face)
    with ledger._begin() as connection:
        tables.insert_all(connection, tables.message, [tables.offered_row(result)])
    if state is not None:
        keep(replace(sending, delivery=replace(sending.delivery, state=state)))

    assert list(ledger.wire.unsent_results()) == expected


def test_what_is_written_with_something_bad_is_not_there(ledger, sending, exchange):
    """
    An answer and its exchange are in the same commit as the message: all of it, or nothing.
    """

    def work(writing):
        writing.wire.add_sending(sending)
        writing.wire.add_exchange(exchange)
        raise LedgerError("no room")

    with pytest.raises(LedgerError, match="no room"):
        ledger.write([work])

    assert (ledger.lasts()[2], ledger.wire.sending("r@x")) == (0, None)
