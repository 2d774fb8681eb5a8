"""What the reference Afnemer never forgets."""

import sqlite3
import threading

import pytest

from conformance.afnemer.reference.store import Store, StoredBericht

BATCH = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
ONE, TWO = "1b671a64-40d5-491e-99b0-da01ff1f3341", "1b671a64-40d5-491e-99b0-da01ff1f3342"
LETTER = {"bsn": "999990019", "berichtType": "BELAST"}


@pytest.fixture
def file(tmp_path):
    """Where the database goes."""
    return tmp_path / "afnemer.db"


@pytest.fixture
def store(file):
    """An empty store."""
    opened = Store(file)
    yield opened
    opened.close()


def fill(store):
    """Keep a batch of two berichten, and plan to offer both."""
    store.add_bericht(ONE, BATCH, LETTER, "aangeboden")
    store.add_bericht(TWO, BATCH, LETTER, "aangeboden")
    store.plan_offer(BATCH, [ONE, TWO])


def test_bericht_is_found_in_either_case(store):
    """
    An id is found however it is spelled, and a batch lists its berichten as they came.
    """
    fill(store)

    assert store.bericht(ONE.upper()) == StoredBericht(ONE, BATCH, LETTER, "aangeboden", None, 0, 0)
    assert [bericht.bericht_id for bericht in store.batch(BATCH.upper())] == [ONE, TWO]


def test_unknown_bericht_is_none(store):
    """
    What was never kept is not known, and is in no batch.
    """
    assert store.bericht(ONE) is None
    assert store.batch(BATCH) == ()


def test_status_counts_what_was_applied(store):
    """
    A status changes with its code, and only an applied result counts.
    """
    fill(store)
    store.set_status(ONE, "opnieuw-aangeboden", "TechnischProbleem", applied=1)
    store.set_status(ONE, "verwerkt", "Verwerkt", applied=1)
    store.set_status(TWO, "handmatig", None)

    one, two = store.batch(BATCH)
    assert (one.status, one.code, one.verwerkt) == ("verwerkt", "Verwerkt", 2)
    assert (two.status, two.code, two.verwerkt) == ("handmatig", None, 0)


def test_sent_offer_leaves_the_outbox(store):
    """
    An offer waits until it is sent, and then counts for each of its berichten.
    """
    fill(store)
    store.plan_offer(BATCH, [TWO])
    first, second = store.outbox()
    store.mark_sent(first, 10.0)

    assert store.outbox() == (second,)
    assert (first.bericht_ids, second.bericht_ids) == ((ONE, TWO), (TWO,))
    assert [bericht.offers for bericht in store.batch(BATCH)] == [1, 1]


def test_offer_that_is_given_up_leaves_the_outbox(store):
    """
    A failed try is counted; the offer stays until it is given up.
    """
    fill(store)
    store.mark_tried(store.outbox()[0], is_given_up=False)
    (tried,) = store.outbox()
    store.mark_tried(tried, is_given_up=True)

    assert tried.tries == 1
    assert store.outbox() == ()


def test_window_includes_both_edges(store):
    """
    Offers are found from the first to the last moment of a window; one that was not sent never is.
    """
    for at in (10.0, 20.0, 30.0):
        store.plan_offer(BATCH, [ONE])
        store.mark_sent(store.outbox()[0], at)
    store.plan_offer(BATCH, [ONE])

    assert [offer.sent_at for offer in store.offers_between(10.0, 20.0)] == [10.0, 20.0]
    assert [offer.sent_at for offer in store.offers_between(20.001, 30.0)] == [30.0]


def test_everything_survives_reopening(store, file):
    """
    Who opens the file again finds all of it.
    """
    fill(store)
    store.mark_applied("key")
    store.add_stray("m-1", "not XML")
    store.close()

    again = Store(file)
    found = again.bericht(ONE), again.outbox()[0].bericht_ids, again.is_applied("key"), again.is_applied("other"), again.strays()
    again.close()
    assert found == (StoredBericht(ONE, BATCH, LETTER, "aangeboden", None, 0, 0), (ONE, TWO), True, False, (("m-1", "not XML"),))


def test_result_cannot_be_marked_twice(store):
    """
    The database itself refuses that a result is applied again.
    """
    store.mark_applied("key")

    with pytest.raises(sqlite3.IntegrityError, match=r"applied\.key"):
        store.mark_applied("key")


def test_broken_transaction_leaves_nothing(store):
    """
    When a block fails, nothing of it is kept, also not what an inner block finished.
    """

    def fail():
        with store.transaction():
            fill(store)
            with store.transaction():
                store.mark_applied("key")
            raise KeyboardInterrupt("in the middle")

    with pytest.raises(KeyboardInterrupt, match="in the middle"):
        fail()

    assert (store.batch(BATCH), store.outbox(), store.is_applied("key")) == ((), (), False)


def test_transaction_that_ends_is_kept(store):
    """
    After a block everything in it is there.
    """
    with store.transaction():
        fill(store)

    assert len(store.batch(BATCH)) == 2


def test_another_thread_stays_out_of_a_transaction(store):
    """
    What another thread writes meanwhile does not disappear with a transaction that fails.
    """
    begun = threading.Event()

    def write():
        begun.set()
        store.add_stray("m-1", "of the other thread")

    other = threading.Thread(target=write)

    def fail():
        with store.transaction():
            other.start()
            begun.wait(10)
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()
    other.join()

    assert store.strays() == (("m-1", "of the other thread"),)


def test_what_comes_again_waits_for_what_is_new(store):
    """
    A herlevering of a whole day must not hold up the letters of today: new offers leave first, and the others a few at a time.
    """
    for again in (ONE, "2"):
        store.plan_offer(BATCH, [again], is_again=True)
    store.plan_offer(BATCH, ["new"])

    ids = [[offer.bericht_ids for offer in store.outbox(most)] for most in (None, 1, 0)]

    assert ids == [[("new",), (ONE,), ("2",)], [("new",), (ONE,)], [("new",)]]
