"""What the gateway of the reference Afnemer never forgets."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.reference.ebms_store import EbmsStore
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.ebms2.sending import Delivery, DeliveryState
from conformance.transport.ebms2.writing import Outgoing

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
WRITTEN = Outgoing('multipart/related; boundary="B"', b"--B\r\n\x00\xff", b"<soap/>")
SIGNAL = Outgoing("text/xml", b"<ack/>", b"<ack/>")
DELIVERY = Delivery(
    message_id="m-1@afnemer.example",
    cpa_id="CPA-1",
    url="https://logius.example/ebms",
    content_type=WRITTEN.content_type,
    retries=8,
    interval=timedelta(hours=3),
    give_up_at=NOW + timedelta(hours=27),
    is_reliable=True,
    is_sync=False,
    next_at=NOW,
)
ACK = replace(DELIVERY, message_id="a-1@afnemer.example", content_type="text/xml", give_up_at=None, is_reliable=False)


@pytest.fixture
def file(tmp_path):
    """Where the database goes."""
    return tmp_path / "ebms.db"


@pytest.fixture
def store(file):
    """An empty store."""
    opened = EbmsStore(file)
    yield opened
    opened.close()


def reopened(store, file):
    """Close a store, and return what another process finds in its file."""
    store.close()
    return EbmsStore(file)


@pytest.mark.parametrize("delivery", [DELIVERY, ACK, replace(DELIVERY, next_at=None, attempts=3, reason="HTTP 204", is_sync=True)])
def test_delivery_and_bytes_survive(store, file, delivery):
    """
    What was kept is the same after a restart: bytes, moments and flags.
    """
    store.add_outgoing(delivery, WRITTEN, "GLOBE-R-BV-Request")
    again = reopened(store, file)

    assert again.delivery(delivery.message_id) == replace(delivery, content_type=WRITTEN.content_type)
    assert again.outgoing(delivery.message_id) == WRITTEN
    assert again.sent_under(delivery.message_id) == "CPA-1"
    again.close()


def test_unknown_message_is_none(store):
    """
    What was never sent or received is not known.
    """
    assert store.delivery("m-0") is None
    assert store.sent_under("m-0") is None
    assert store.answer_of("m-0") is None
    assert store.received("m-0") is None
    assert store.status_of("m-0") == KnownStatus(MessageStatus.NOT_RECOGNIZED)


def test_message_is_sent_once(store):
    """
    A MessageId that was used cannot be used again.
    """
    store.add_outgoing(DELIVERY, WRITTEN, "A")

    with pytest.raises(sqlite3.IntegrityError, match=r"outgoing\.message_id"):
        store.add_outgoing(DELIVERY, WRITTEN, "A")


def test_due_is_what_has_come(store):
    """
    Signals go first and then the oldest; what is later, waits for an answer or has ended is not due.
    """
    others = [
        replace(DELIVERY, message_id="later", next_at=NOW + timedelta(milliseconds=1)),
        replace(DELIVERY, message_id="waits", next_at=None),
        replace(DELIVERY, message_id="ended", state=DeliveryState.DELIVERED),
        replace(DELIVERY, message_id="a-second"),
    ]
    for one in (DELIVERY, *others):
        store.add_outgoing(one, WRITTEN, "A")
    store.add_outgoing(ACK, SIGNAL, Kind.ACKNOWLEDGMENT, is_signal=True)

    assert [one.message_id for one in store.due(NOW)] == [ACK.message_id, DELIVERY.message_id, "a-second"]


def test_overdue_is_what_still_waits(store):
    """
    A message expires at its moment, not before it, and only while it is under way.
    """
    store.add_outgoing(DELIVERY, WRITTEN, "A")
    store.add_outgoing(replace(DELIVERY, message_id="ended", state=DeliveryState.DELIVERED), WRITTEN, "A")
    store.add_outgoing(ACK, SIGNAL, Kind.ACKNOWLEDGMENT, is_signal=True)

    assert store.overdue(DELIVERY.give_up_at - timedelta(milliseconds=1)) == ()
    assert store.overdue(DELIVERY.give_up_at) == (DELIVERY,)


def test_update_keeps_how_far_it_is(store):
    """
    Attempts, moments, state and reason change; what was agreed does not.
    """
    store.add_outgoing(DELIVERY, WRITTEN, "A")
    moved = replace(DELIVERY, attempts=2, next_at=NOW + timedelta(hours=3), reason="HTTP 503")
    ended = replace(moved, state=DeliveryState.FAILED, next_at=None, give_up_at=None, reason="HTTP 404")
    store.update(moved)
    between = store.delivery(DELIVERY.message_id)
    store.update(ended)

    assert (between, store.delivery(DELIVERY.message_id)) == (moved, ended)


@pytest.mark.parametrize(
    ("state", "is_told"),
    [(DeliveryState.FAILED, True), (DeliveryState.EXPIRED, True), (DeliveryState.DELIVERED, False), (DeliveryState.UNDER_WAY, False)],
)
def test_bad_end_is_told_once(store, state, is_told):
    """
    The application hears of messages that failed or expired, never of signals, until it says that it knows.
    """
    ended = replace(DELIVERY, state=state)
    store.add_outgoing(ended, WRITTEN, "A")
    store.add_outgoing(replace(ACK, state=state), SIGNAL, Kind.ACKNOWLEDGMENT, is_signal=True)
    first = store.untold()
    store.mark_told(ended.message_id)

    assert first == ((ended,) if is_told else ())
    assert store.untold() == ()


def test_received_message_survives(store, file, envelope):
    """
    The inbox gives back the whole message, parts and all, until it is marked.
    """
    store.add_received(envelope)
    again = reopened(store, file)
    before = again.waiting(envelope.cpa_id, envelope.action)
    again.mark_processed(envelope.message_id)

    assert again.received(envelope.message_id) == envelope
    assert before == [envelope.message_id]
    assert again.waiting(envelope.cpa_id, envelope.action) == []
    again.close()


def test_inbox_is_in_order_of_arrival(store, envelope):
    """
    Only messages of the asked CPA and action wait, oldest first.
    """
    for changes in ({"message_id": "z"}, {"message_id": "a"}, {"message_id": "b", "cpa_id": "CPA-2"}, {"message_id": "c", "action": "A"}):
        store.add_received(replace(envelope, **changes))

    assert store.waiting(envelope.cpa_id, envelope.action) == ["z", "a"]


def test_message_that_comes_anew_is_whole(store, envelope):
    """
    Whoever lets a copy in gets it as it came, not mixed with the first.
    """
    store.add_received(replace(envelope, parts=envelope.parts * 2))
    store.mark_processed(envelope.message_id)
    store.add_received(envelope)

    assert store.received(envelope.message_id) == envelope
    assert store.waiting(envelope.cpa_id, envelope.action) == [envelope.message_id]


def test_answer_is_the_signal_that_was_sent(store, file):
    """
    A copy finds the same bytes after a restart; a message that got no signal is a duplicate as well.
    """
    store.add_answer("r-1", "CPA-1", NOW, ACK.message_id)
    store.add_outgoing(ACK, SIGNAL, Kind.ERROR, is_signal=True)
    store.add_answer("r-2", "CPA-1", NOW, None)
    again = reopened(store, file)

    assert again.answer_of("r-1") == StoredAnswer("CPA-1", SIGNAL, Kind.ERROR)
    assert again.answer_of("r-2") == StoredAnswer("CPA-1", None)
    again.close()


def test_signal_is_no_message_that_was_sent(store):
    """
    A signal about a signal names nothing that was sent.
    """
    store.add_outgoing(ACK, SIGNAL, Kind.ACKNOWLEDGMENT, is_signal=True)

    assert store.sent_under(ACK.message_id) is None


def test_signal_is_posted_again(store):
    """
    The signal that answered a message is due once more, as if it was never tried; that of another is not.
    """
    for number in (1, 2):
        sent = replace(ACK, message_id=f"a-{number}", state=DeliveryState.DELIVERED, attempts=3, next_at=None)
        store.add_outgoing(sent, SIGNAL, Kind.ACKNOWLEDGMENT, is_signal=True)
        store.add_answer(f"r-{number}", "CPA-1", NOW, f"a-{number}")
    store.post_again("r-2", NOW)

    (due,) = store.due(NOW)
    assert (due.message_id, due.attempts) == ("a-2", 0)


def test_status_follows_the_application(store, envelope):
    """
    A message is Received until the application took it, also when it was rejected.
    """
    for message_id in (envelope.message_id, "rejected"):
        store.add_answer(message_id, "CPA-1", NOW, None)
    store.add_received(envelope)
    before = store.status_of(envelope.message_id)
    store.mark_processed(envelope.message_id)

    assert before == KnownStatus(MessageStatus.RECEIVED, NOW, "CPA-1")
    assert store.status_of(envelope.message_id).status is MessageStatus.PROCESSED
    assert store.status_of("rejected").status is MessageStatus.RECEIVED


def test_clock_stays_where_it_was_moved(store, file):
    """
    The schedule begins at the wall clock, and does not jump back after a restart.
    """
    before = store.offset()
    for seconds in (60, 90.5):
        store.set_offset(timedelta(seconds=seconds))
    again = reopened(store, file)

    assert (before, again.offset()) == (timedelta(), timedelta(seconds=90.5))
    again.close()
