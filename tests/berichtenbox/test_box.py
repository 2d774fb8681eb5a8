"""The Berichtenbox itself: re-offering on the business clock, faults on results, calamities, and a fresh start for each case."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import QueueFilter, State, Status
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.verwerkingsbericht import VerwerkingsCode

DAY = timedelta(days=1)


def offered(box, make):
    """Return after how many whole days each result was offered."""
    days = [(item.business - make.now) / DAY for item in box.ledger.results(0)]
    assert days == [pytest.approx(round(day), abs=1e-6) for day in days]
    return [round(day) for day in days]


def waiting(box):
    """Return the MessageIds that wait."""
    return box.ledger.unprocessed(QueueFilter(), 0)


def process(box, message_id):
    """Mark a result as processed."""
    now = box.clock.now()
    box.ledger.write([lambda writing: writing.mark_processed(message_id, now)])
    box.settle()


def test_a_result_comes_again_each_day_and_for_the_last_time_after_six(box, make, deliver):
    """
    An unprocessed result is offered at once and each day after, for the last time at exactly six days.
    """
    deliver(make.batch())

    box.advance(days=6)
    until_six = offered(box, make)
    box.advance(days=30)

    assert until_six == offered(box, make) == [0, 1, 2, 3, 4, 5, 6]
    assert len(set(waiting(box))) == 7


def test_one_step_of_eight_days_is_eight_steps_of_one(ledger, database, make, wall, box, deliver):
    """
    What happens in one advance is what happens day by day.
    """
    batches = [make.batch(), make.batch()]
    deliver(*batches)
    box.advance(days=8)
    with SqlLedger(database.replace("ledger.db", "other.db")) as other:
        daily = Berichtenbox(other, seed=1, wall=wall)
        for batch in batches:
            daily.accept(make.envelope(daily, batch.to_xml(), f"{batch.batch_id}@x", conversation_id="c"))
        daily.settle()
        for _ in range(8):
            daily.advance(days=1)

        assert [item.business for item in other.results(0)] == [item.business for item in ledger.results(0)]
        assert [item.envelope.message_id for item in other.results(0)] == [item.envelope.message_id for item in ledger.results(0)]


def test_a_clock_that_runs_on_does_not_lose_the_last_time(box, make, deliver, wall):
    """
    Each re-offering is a little late on a real clock; that must not add up until the sixth falls outside the window.
    """
    deliver(make.batch())
    for _ in range(9):
        wall.tick(seconds=7)
        box.advance(days=1)

    assert len(box.ledger.results(0)) == 7


def test_a_long_standstill_brings_one_result_and_not_all_that_were_missed(box, make, deliver, wall):
    """
    After three and a half days without power the result comes once, and then each day again.
    """
    deliver(make.batch())
    wall.tick(days=3.5)
    box.settle()
    box.settle()
    after = len(box.ledger.results(0))

    wall.tick(days=0.5)
    box.settle()

    assert (after, len(box.ledger.results(0))) == (2, 3)


def test_processing_stops_the_reoffering(box, make, deliver):
    """
    Once processed, a result never comes again; another one still does.
    """
    deliver(make.batch())
    box.advance(days=1)
    deliver(make.batch())
    process(box, waiting(box)[0])

    box.advance(days=8)

    assert offered(box, make) == [0, 1, 1, 2, 3, 4, 5, 6, 7]


def test_a_result_that_was_processed_stays_processed(box, make, deliver):
    """
    Marking twice, or marking what does not exist, changes nothing.
    """
    deliver(make.batch())
    (message_id,) = waiting(box)
    for name in (message_id, message_id, "unknown@x"):
        process(box, name)

    assert waiting(box) == []
    assert box.ledger.results(0)[0].status is Status.PROCESSED


def test_an_event_that_is_marked_stops_the_reoffering_too(box, make, deliver):
    """
    Marking the event of a result processes the message, and a processed result does not come again.
    """
    deliver(make.batch())
    (message_id,) = waiting(box)
    now = box.clock.now()
    box.ledger.write([lambda writing: writing.mark_event(message_id, now)])

    box.advance(days=8)

    assert (offered(box, make), waiting(box)) == ([0], [])


def test_a_late_result_comes_late(box, make, deliver):
    """
    With ``late`` nothing waits until the day that it is due; re-offering counts from there.
    """
    box.fault("late", days=2)
    deliver(make.batch())
    box.advance(days=1)
    early = waiting(box)

    box.advance(days=10)

    assert (early, offered(box, make)) == ([], [2, 3, 4, 5, 6, 7, 8])


def test_no_result_never_comes(box, make, deliver):
    """
    With ``no-result`` the bericht is stored, and nobody hears of it.
    """
    box.fault("no-result")
    deliver(make.batch())
    box.advance(days=8)

    assert (waiting(box), box.ledger.counts()) == ([], {"processed": 1, "Verwerkt": 1})


def test_a_result_may_come_again_with_the_same_id(box, make, deliver):
    """
    ``reoffer-same-id`` puts the processed message back, as often as it says.
    """
    box.fault("reoffer-same-id", again=2)
    deliver(make.batch())
    (message_id,) = waiting(box)

    seen = []
    for _ in range(4):
        seen.append(waiting(box))
        process(box, message_id)

    assert seen == [[message_id]] * 3 + [[]]


def test_a_result_may_come_again_with_a_new_id(box, make, deliver):
    """
    ``reoffer-new-id`` offers the processed result again, some days later, under another MessageId.
    """
    box.fault("reoffer-new-id", again=1, days=2)
    deliver(make.batch())
    (first,) = waiting(box)
    process(box, first)
    at_once = waiting(box)
    box.advance(days=2)
    (second,) = waiting(box)
    process(box, second)
    box.advance(days=8)

    one, other = box.ledger.message(first), box.ledger.message(second)
    assert (at_once, waiting(box), offered(box, make)) == ([], [], [0, 2])
    assert first != second
    assert one.envelope.parts == other.envelope.parts


def test_results_in_a_row_come_in_the_other_order(box, make, deliver):
    """
    ``reorder`` of three offers the last one first, a minute apart.
    """
    box.fault("reorder", times=3)
    batches = [make.batch() for _ in range(3)]
    deliver(*batches)
    box.advance(minutes=3)

    assert [result.batch_id for result in make.results_of(box)] == [batch.batch_id for batch in reversed(batches)]


def test_processing_takes_its_time(ledger, make, wall):
    """
    With a delay a bericht is processed that much later on the business clock.
    """
    box = Berichtenbox(ledger, wall=wall, processing_delay=timedelta(hours=2))
    box.accept(make.envelope(box, make.batch().to_xml(), "m@x", conversation_id="c"))

    box.advance(hours=1)
    early = ledger.counts()
    box.advance(hours=1)

    assert (early, ledger.counts()) == ({"accepted": 1}, {"processed": 1, "Verwerkt": 1})


def test_what_came_in_on_a_clock_that_was_set_back_is_processed(box, make):
    """
    A message that was accepted days ahead does not wait for days when the clock is reset.
    """
    box.clock.advance(timedelta(days=5))
    box.accept(make.envelope(box, make.batch().to_xml(), "m@x", conversation_id="c"))
    box.clock.reset()

    box.settle()

    assert box.ledger.counts()["processed"] == 1


def test_a_calamity_loses_what_came_in_lately(box, make, deliver):
    """
    The last hours are gone, with their results; what is older stays, and what is lost may be delivered again.
    """
    old, new = make.batch(), make.batch()
    deliver(old)
    box.advance(hours=5)
    deliver(new)

    lost = box.lose(hours=4)
    deliver(old, new)

    assert lost == 1
    assert [offer.state for offer in box.ledger.offers(0)] == [State.PROCESSED, State.LOST, State.PROCESSED, State.PROCESSED]
    assert [result.resultaten[0].code.value for result in make.results_of(box)] == ["Verwerkt", "Verwerkt", "BerichtBestaatAl", "Verwerkt"]
    assert len(waiting(box)) == 3
    assert box.ledger.counts() == {"processed": 3, "lost": 1, "Verwerkt": 2, "BerichtBestaatAl": 1}


def test_a_lost_result_does_not_come_again(box, make, deliver):
    """
    What was lost is not re-offered.
    """
    deliver(make.batch())
    box.lose(hours=1)
    box.advance(days=8)

    assert (waiting(box), offered(box, make)) == ([], [0])


def test_a_fresh_start_leaves_nothing_to_the_next_case(box, make, deliver):
    """
    No fault, no open result, no event, no hook, the clock with the wall clock; the ledger keeps what it has.
    """
    box.fault("late", days=3)
    deliver(make.batch(), make.batch())
    box.advance(days=2)
    box.fault("unavailable", times=None)
    box.before_marking = lambda _message_id: None
    box.accept(make.envelope(box, make.batch().to_xml(), "last@x", conversation_id="c"))

    box.fresh_start()

    assert (box.faults.all(), box.before_marking, box.clock.ahead) == ((), None, timedelta())
    assert (waiting(box), box.ledger.events(QueueFilter(), [], 0)) == ([], [])
    box.advance(days=10)
    assert waiting(box) == []
    assert box.ledger.counts() == {"processed": 3, "Verwerkt": 3}


def test_ids_follow_the_seed(tmp_path, make, wall):
    """
    The same seed gives the same MessageIds, another seed others.
    """
    ids = []
    for number, seed in enumerate((5, 5, 6)):
        with SqlLedger(f"sqlite:///{tmp_path}/{number}.db") as ledger:
            box = Berichtenbox(ledger, seed=seed, wall=wall)
            for name in ("a", "b"):
                box.accept(make.envelope(box, make.batch().to_xml(), f"{name}@x", conversation_id="c"))
            box.advance(days=1)
            ids.append(waiting(box))

    assert ids[0] == ids[1]
    assert set(ids[0]).isdisjoint(ids[2])
    assert all(name.endswith("@berichtenbox.example") for name in ids[0])


def test_ids_do_not_come_again_after_a_restart(database, make, wall):
    """
    The same seed on a ledger that was used before gives other ids: a MessageId that comes back would be eaten as a duplicate.
    """
    ids = []
    for number in range(3):
        with SqlLedger(database) as ledger:
            box = Berichtenbox(ledger, seed=5, wall=wall)
            ids.append(box.new_message_id())
            box.accept(make.envelope(box, make.batch().to_xml(), f"m{number}@x", conversation_id="c"))
            box.settle()
            results = [item.envelope.message_id for item in ledger.results(0)]

    assert len({*ids, *results}) == 6


def test_the_register_survives_a_restart(database, wall):
    """
    Citizens and BerichtTypes that were changed are still so after reopening.
    """
    with SqlLedger(database) as ledger:
        box = Berichtenbox(ledger, wall=wall)
        box.set_burger("999990019", wants=False)
        box.set_bericht_type("OUD", is_active=False)
    with SqlLedger(database) as ledger:
        register = Berichtenbox(ledger, wall=wall).register

        assert not register.wants("999990019", "")
        assert register.bericht_types == {"BELAST": True, "PASPOORT": True, "OUD": False}


def test_a_mark_separates_what_came_before(box, make, deliver):
    """
    After a mark only what came later is returned: offers, results, calls and berichten.
    """
    deliver(make.batch())
    box.ledger.write([lambda writing: writing.add_call(box.call_of("fetch", "a@x", 200))])
    mark = box.mark()
    nothing = [list(ask(mark)) for ask in (box.offers, box.results, box.calls, box.berichten)]

    batch = make.batch()
    deliver(batch)
    box.ledger.write([lambda writing: writing.add_call(box.call_of("fetch", "b@x", 200))])

    assert nothing == [[], [], [], []]
    assert [item.batch_id for item in box.berichten(mark)] == [batch.batch_id]
    assert (len(box.offers(mark)), len(box.results(mark)), [call.subject for call in box.calls(mark)]) == (1, 1, ["b@x"])


def test_those_who_keep_sending_do_not_hold_up_the_results(ledger, make, wall):
    """
    A delayed result is offered between two rounds of processing, not after the last.
    """

    class KeepsSending(Berichtenbox):
        """More comes in with each round."""

        rounds = 0

        def _process_some(self):
            if self.rounds < 5:
                self.rounds += 1
                self.accept(make.envelope(self, make.batch().to_xml(), f"m{self.rounds}@x", conversation_id="c"))
                wall.tick(minutes=1)
            return super()._process_some()

    box = KeepsSending(ledger, wall=wall)
    box.fault("late", days=0.0001)
    box.settle()

    refs = [item.envelope.ref_to_message_id for item in ledger.results(0)]
    assert refs == ["m2@x", "m1@x", "m3@x", "m4@x", "m5@x"]


def test_in_the_background_it_works_when_it_is_woken(live, make):
    """
    Once started, what is accepted is processed and offered without anybody settling.
    """
    done = threading.Event()
    original = live.ledger.commit_processed
    live.ledger.commit_processed = lambda processed: (original(processed), done.set())
    live.start()
    live.accept(make.envelope(live, make.batch(at=live.clock.now()).to_xml(), "m@x", conversation_id="c"))
    is_done = done.wait(10)
    live.stop()

    assert is_done
    assert live.ledger.counts() == {"processed": 1, "Verwerkt": 1}


def test_in_the_background_a_failure_is_tried_again(live, make, caplog):
    """
    When processing fails it is logged, and what was accepted is processed later.
    """
    failed, done = threading.Event(), threading.Event()
    original = live.ledger.commit_processed

    def fails_once(processed):
        if not failed.is_set():
            failed.set()
            raise OSError("no room left")
        original(processed)
        done.set()

    live.ledger.commit_processed = fails_once
    live.start()
    live.accept(make.envelope(live, make.batch(at=live.clock.now()).to_xml(), "m@x", conversation_id="c"))
    was_failed = failed.wait(10)
    live.wake()
    is_done = done.wait(10)
    live.stop()

    assert (was_failed, is_done) == (True, True)
    assert "processing failed, and will be tried again" in caplog.text
    assert live.ledger.counts() == {"processed": 1, "Verwerkt": 1}


def test_it_may_be_stopped_without_having_been_started(box, make):
    """
    Stop without start ends at once, and what was accepted stays.
    """
    box.accept(make.envelope(box, make.batch().to_xml(), "m@x", conversation_id="c"))

    box.stop()

    assert box.ledger.counts() == {"accepted": 1}


def test_it_rests_until_something_is_due(box, make, deliver):
    """
    With nothing due it rests half a second; shortly before a result is due, until then.
    """
    quiet = box._nap_s()
    box.fault("late", days=0.000001)
    deliver(make.batch())

    assert (quiet, box._nap_s()) == (0.5, pytest.approx(0.0864, abs=0.001))


def test_its_repr_says_which_and_when(box):
    """
    The repr shows the CPA and the business clock.
    """
    assert repr(box) == "<Berichtenbox MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000 at 2026-11-24T12:00:00Z>"


def test_a_result_with_a_thousand_siblings_comes_again_in_time(box, make, deliver):
    """
    Hundreds of open results are all offered again, each day at its own moment.
    """
    batch = make.batch()
    for _ in range(30):
        deliver(replace(batch, berichten=(make.bericht(batch_id=batch.batch_id),)))

    box.advance(days=2)

    assert sorted(offered(box, make)) == [0] * 30 + [1] * 30 + [2] * 30


def test_one_more_result_can_be_pushed(box, make, deliver):
    """
    A second result on a batch, with other codes, is offered as a message of its own; the ledger of berichten stays as it is.
    """
    batch = make.batch()
    deliver(batch)
    (first,) = make.results_of(box)
    (offer,) = box.ledger.offers(0)

    box.push_result(offer, [replace(first.resultaten[0], code=VerwerkingsCode.TECHNISCH_PROBLEEM)])

    results = make.results_of(box)
    assert [(item.batch_id, item.resultaten[0].code.value) for item in results] == [
        (batch.batch_id, "Verwerkt"),
        (batch.batch_id, "TechnischProbleem"),
    ]
    assert len(set(waiting(box))) == 2
    assert box.ledger.counts() == {"processed": 1, "Verwerkt": 1}


def test_no_result_can_be_pushed_on_what_is_no_batch(box, make):
    """
    Without a batch there is nothing to answer.
    """
    box.accept(make.envelope(box, b"no xml", "m@x", conversation_id="c"))
    box.settle()

    with pytest.raises(ValueError, match="<Offer 1 m@x: processed> holds no batch to answer"):
        box.push_result(box.ledger.offers(0)[0], [])
