"""What was delivered when, read from a ledger beside the Berichtenbox that writes it."""

import pytest

from conformance.berichtenbox.ledger import LedgerError
from conformance.berichtenbox.sql_leveringen import AT_ONCE, Leveringen
from conformance.messages.verwerkingsbericht import VerwerkingsCode

JAN, PIET = "999990019", "999990020"


@pytest.fixture
def read(database):
    """The ledger of the Berichtenbox, opened once more to read."""
    with Leveringen(database) as opened:
        yield opened


def test_leveringen_are_told_in_order_with_when_they_came(read, make, deliver, wall):
    """Each bericht of each offer has its ids, its digest and the moment of its offer, also when it was processed later."""
    first, second = make.batch(make.bericht(), make.bericht(gebruiker_id=PIET)), make.batch(make.bericht())
    deliver(first)
    middle = read.last_bericht()
    wall.tick(seconds=90)
    deliver(second, first)

    rows = list(read.leveringen(middle, read.last_bericht()))

    assert middle == 2
    wanted = [*second.berichten, *first.berichten]
    assert rows == [(item.bericht_id, item.batch_id, item.digest(), wall().timestamp()) for item in wanted]
    assert [row[0] for row in read.leveringen(0, middle, of=PIET)] == [first.berichten[1].bericht_id]
    assert [row[0] for row in read.leveringen(0, middle, without=PIET)] == [first.berichten[0].bericht_id]


def test_told_has_the_code_of_each_offer(read, make, deliver, box, wall):
    """A bericht that comes twice is told twice, each time with its code, when it came, and when it was decided."""
    batch = make.batch()
    box.answer(JAN, VerwerkingsCode.TECHNISCH_PROBLEEM)
    box.accept(make.envelope(box, batch.to_xml(), "first@x"))
    wall.tick(seconds=1)
    deliver(batch)

    (bericht,) = batch.berichten
    now = wall().timestamp()
    expected = [(VerwerkingsCode.TECHNISCH_PROBLEEM, now - 1, now), (VerwerkingsCode.VERWERKT, now, now)]
    assert list(read.told(0)) == [(bericht.bericht_id, *rest) for rest in expected]
    assert not list(read.told(read.last_bericht()))


def test_results_have_when_they_were_marked(read, make, deliver, box, wall):
    """A result waits until it is marked; the first time that it is counts, and not a time that was answered with an error."""
    deliver(make.batch(), make.batch())
    offered = wall().timestamp()
    first, second = (item.envelope.message_id for item in box.ledger.results(0))
    refused = box.call_of("process", first, 503)
    box.ledger.write([lambda writing: writing.add_call(refused)])
    for _ in range(2):
        wall.tick(seconds=5)
        call, now = box.call_of("process", first, 204), wall()
        box.ledger.write([lambda writing, call=call: writing.add_call(call), lambda writing, now=now: writing.mark_processed(first, now)])

    assert list(read.results(0)) == [(first, "PROCESSED", offered, offered + 5), (second, "RECEIVED", offered, None)]
    assert (read.waiting(), read.accepted()) == (1, 0)
    assert [row[0] for row in read.results(read.last_message() - 1)] == [second]


def test_a_result_is_taken_when_one_copy_of_it_is(read, make, deliver, box):
    """Of a result that was offered on several days one copy will do; another result stays."""
    deliver(make.batch(), make.batch())
    first, _second = (item.envelope.message_id for item in box.ledger.results(0))
    box.advance(days=2)
    box.ledger.write([lambda writing: writing.mark_processed(first, box.clock.now())])

    assert (read.untaken(0), read.waiting()) == (1, 5)
    assert read.untaken(read.last_message()) == 0


def test_accepted_offers_wait(read, make, box):
    """What is accepted and not yet processed is counted."""
    box.accept(make.envelope(box, make.batch().to_xml(), "m@x"))

    assert (read.accepted(), read.last_bericht(), read.last_message()) == (1, 0, 1)


def test_rows_come_in_pieces_and_may_be_left(read, make, deliver):
    """More rows than are fetched together all come; who stops halfway leaves nothing open."""
    deliver(*(make.batch(*(make.bericht() for _ in range(1_000))) for _ in range(AT_ONCE // 1_000)), make.batch())

    assert len(list(read.leveringen(0, read.last_bericht()))) == AT_ONCE + 1
    rows = read.told(0)
    next(rows)
    rows.close()
    assert read.last_bericht() == AT_ONCE + 1


def test_a_ledger_that_is_not_there_is_told(tmp_path):
    """Without tables there is nothing to read: the sentence says where."""
    with Leveringen(f"sqlite:///{tmp_path / 'none.db'}") as ledger, pytest.raises(LedgerError, match=r"none\.db cannot be read: .*\n  Hint"):
        ledger.last_bericht()

    assert repr(ledger) == f"<Leveringen in sqlite:///{tmp_path / 'none.db'}>"
