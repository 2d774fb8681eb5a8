"""What a case works with: letters, waiting that ends, and looking at what was offered."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest

from conformance.afnemer.driver import AfnemerStatus, BerichtStatus, Delivered, Refused
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.sending import ADVICE
from conformance.berichtenbox.box import Mark
from conformance.berichtenbox.ledger import State, Status
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.stage.judging import NeverOfferedError, NotTestedError
from conformance.stage.line import Line
from conformance.stage.scene import attachment, between_now_and_then, told, yes_no
from conformance.verdicts import Reason

A_WHILE_S = 10  # nobody waits that long: only a test that fails


@pytest.fixture
def unsure(make_scene, callers, party):
    """A stage with an Afnemer that works, and never says that it is idle."""
    caller = callers.unsure.of(party)
    made = make_scene(caller)
    made.caller = caller
    return made


# -- letters ---------------------------------------------------------------------------------------------------------------------------------


def test_every_citizen_has_a_turn(scene):
    """
    A round of all reserved test BSNs gives each of them once; then a new round begins.
    """
    first = [scene.citizen() for _ in reserved_test_bsns()]
    again = scene.citizen()

    assert sorted(first) == sorted(reserved_test_bsns())
    assert first != sorted(first)
    assert again in first


def test_same_seed_writes_the_same_letters(make_scene, party):
    """
    Letters can be repeated; fields that are given replace the plain ones.
    """
    caller = PythonCaller.of(party)
    one, other = make_scene(caller).letters(3), make_scene(caller).letters(3, onderwerp="Anders")

    assert [letter.bsn for letter in one] == [letter.bsn for letter in other]
    assert len({letter.bsn for letter in one}) == 3
    assert {letter.onderwerp for letter in other} == {"Anders"}
    assert one[0].bericht_type == "BELAST"
    assert attachment(b"x").omschrijving == "Bijlage"


# -- waiting ---------------------------------------------------------------------------------------------------------------------------------


def test_wait_ends_when_it_holds(scene):
    """
    What holds already is seen at the first look, and an Afnemer that has more to do is not waited for.
    """
    looks = []

    assert scene.wait(lambda: looks.append(1) is None)
    assert len(looks) == 1


def test_wait_ends_when_the_afnemer_is_idle(scene):
    """
    Who says that there is nothing left to do is believed, well before its time to react is over.
    """
    looks = []

    assert not scene.wait(lambda: looks.append(1))
    assert len(looks) == 1


def test_wait_goes_on_while_something_happens(scene):
    """
    An idle Afnemer gets another round when something went over the line in the last one.
    """
    scene.box.fault("code", code=VerwerkingsCode.TECHNISCH_PROBLEEM, times=2)
    (item,) = scene.driver.deliver([scene.letter()])

    assert scene.wait(lambda: len(scene.seen(item.bericht_id)) == 3 and not scene.unprocessed())


def test_wait_ends_at_the_deadline(make_scene, callers, party):
    """
    An Afnemer that never says that it is idle has its time to react, and no more.
    """
    scene = make_scene(callers.unsure.of(party), reaction_s=0.03)
    looks = []

    assert not scene.wait(lambda: looks.append(1))
    assert looks


def test_wait_sees_what_comes_later(unsure):
    """
    An Afnemer that needs a few rounds gets them.
    """
    assert unsure.wait(lambda: unsure.caller.rounds == 3)


def test_quiet_believes_an_idle_afnemer(scene):
    """
    Who says that it is idle need not poll twice.
    """
    scene.quiet()

    assert scene.box.polls == 1


def test_quiet_counts_the_polls_of_others(unsure):
    """
    Who never says so is quiet when it polled twice without anything coming of it.
    """
    unsure.box.fault("code", code=VerwerkingsCode.TECHNISCH_PROBLEEM)
    (item,) = unsure.driver.deliver([unsure.letter()])
    unsure.quiet()

    assert unsure.status_of(item) is AfnemerStatus.VERWERKT
    assert unsure.box.polls >= 4


def test_quiet_ends_without_any_poll(make_scene, callers):
    """
    An Afnemer that does nothing at all is left after its time to react.
    """

    class Dead:
        def work(self):
            """Do nothing."""

    scene = make_scene(callers.unsure.of(Dead()), reaction_s=0.03)
    scene.quiet()

    assert scene.box.polls == 0


def test_looking_leaves_the_afnemer_alone(unsure):
    """
    Looking asks nothing of the Afnemer, and ends when it holds.
    """
    looks = []
    unsure.look_until(lambda: len(looks) == 3 or looks.append(1))

    assert len(looks) == 3
    assert unsure.caller.rounds == 0


def test_looking_ends_at_the_deadline(make_scene, callers, party):
    """
    What never holds is looked for as long as the time to react.
    """
    scene = make_scene(callers.unsure.of(party), reaction_s=0.01)
    looks = []
    scene.look_until(lambda: looks.append(1))

    assert looks


# -- at the same time ------------------------------------------------------------------------------------------------------------------------


def test_meanwhile_goes_on_beside_the_block(scene):
    """
    Both ran at the same time, and both are done after the block.
    """
    begun, go, done = threading.Event(), threading.Event(), []

    def act():
        begun.set()
        done.append(go.wait(A_WHILE_S))

    with scene.meanwhile(act):
        was_begun = begun.wait(A_WHILE_S)
        was_busy = not done
        go.set()

    assert (was_begun, was_busy, done) == (True, True, [True])


def test_error_of_the_other_is_raised(scene):
    """
    When the Afnemer refuses what is asked beside the block, the case hears of it.
    """

    def act():
        raise Refused("druk")

    with pytest.raises(Refused, match="druk"), scene.meanwhile(act):
        pass


def test_error_of_the_block_waits_for_the_other(scene):
    """
    A block that fails does not leave the other at work in the next case.
    """
    go, done = threading.Event(), []

    def block():
        with scene.meanwhile(lambda: done.append(go.wait(A_WHILE_S))):
            go.set()
            raise NotTestedError(Reason.NOT_SEEN, "nothing to see")

    with pytest.raises(NotTestedError, match="nothing to see"):
        block()

    assert done == [True]


def test_mistake_beside_the_block_is_not_lost(scene):
    """
    An error of ours in the other thread is raised as well.
    """

    def act():
        raise LookupError("a mistake of ours")

    with pytest.raises(LookupError, match="a mistake of ours"), scene.meanwhile(act):
        pass


# -- delivering ------------------------------------------------------------------------------------------------------------------------------


def test_delivered_letters_were_offered(scene):
    """
    When it returns all letters were offered; in how many batches was asked.
    """
    delivered = scene.deliver(scene.letters(3), per_batch=2)

    assert [bool(scene.seen(item.bericht_id)) for item in delivered] == [True] * 3
    assert len(scene.offers()) == 2


def test_letters_that_never_come_are_counted(scene, monkeypatch):
    """
    An Afnemer that answers and sends nothing is told how much is missing.
    """
    answered = (Delivered("6BA7B810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c9"),)
    monkeypatch.setattr(scene.driver, "deliver", lambda *_: answered)

    with pytest.raises(NeverOfferedError, match="1 of 1 berichten") as caught:
        scene.deliver_one()

    assert caught.value.reason is Reason.NO_TRAFFIC


def test_letters_that_the_berichtenbox_refuses_stop_the_case(scene, party):
    """
    A case does not repeat what another requirement says: it names what must be mended first.
    """
    party.sender.not_checked = ADVICE | frozenset({"AANL-056"})
    party.sender.validator = None  # nobody takes what does not exist

    with pytest.raises(NotTestedError, match="the Berichtenbox refuses what this Afnemer offers; mend AANL-056 first"):
        scene.deliver_one(bericht_type="ONBEKD")


def test_offering_does_not_mind_what_is_refused(scene, party):
    """
    Who only looks whether letters arrive gets them, whatever is in them.
    """
    party.sender.not_checked = ADVICE | frozenset({"AANL-056"})
    party.sender.validator = None  # nobody takes what does not exist

    assert len(scene.offer([scene.letter(bericht_type="ONBEKD")])) == 1


def test_stored_letters_are_known_as_such(scene):
    """
    When it returns the Afnemer knows that they are stored.
    """
    delivered = scene.deliver_stored(2)

    assert {scene.status_of(item) for item in delivered} == {AfnemerStatus.VERWERKT}


def test_letters_without_a_result_stop_the_case(scene):
    """
    Without plain results there is nothing to go on from.
    """
    scene.box.fault("no-result")

    with pytest.raises(NotTestedError, match="did not book plain results; see VERW-001") as caught:
        scene.deliver_stored()

    assert caught.value.reason is Reason.TIMEOUT


def test_case_that_expects_nothing_checks_first(scene):
    """
    A plain letter goes first; what is looked at begins after it.
    """
    scene.check_reaches()

    assert scene.offers() == []
    assert scene.box.offers(scene.run_mark) != []


def test_forgotten_bericht_is_an_answer_that_cannot_be(scene):
    """
    An Afnemer must know what it delivered.
    """
    with pytest.raises(NotTestedError, match="does not know bericht b-1, which it delivered") as caught:
        scene.status(Delivered("b-1", "B-1"))

    assert caught.value.reason is Reason.DRIVER_ANSWER


# -- looking ---------------------------------------------------------------------------------------------------------------------------------


def test_seen_is_filtered(scene):
    """
    Berichten are found by id in either case, by citizen, and from a place in the ledger on.
    """
    letters = scene.letters(2)
    delivered = scene.deliver(letters)
    mark = scene.box.mark()
    (last,) = scene.deliver([scene.letter()])

    assert [item.bericht.bericht_id for item in scene.seen()] == [item.bericht_id for item in (*delivered, last)]
    assert [item.bericht.bericht_id for item in scene.seen(since=mark)] == [last.bericht_id]
    assert [item.bericht.gebruiker_id for item in scene.seen(delivered[0].bericht_id.upper())] == [letters[0].bsn]
    assert [item.bericht.bericht_id for item in scene.seen(bsn=letters[1].bsn)] == [delivered[1].bericht_id]
    assert scene.seen(delivered[0].bericht_id, bsn=letters[1].bsn) == []


def test_refused_offers_are_left_out_and_graded(scene, party):
    """
    What the adapter refused was not offered; the rules look at it all the same.
    """
    envelope_of = party.sender.envelope_of
    party.sender.envelope_of = lambda batch: replace(envelope_of(batch), cpa_id="PREPROD-CPA")
    scene.driver.deliver([scene.letter()])
    party.sender.envelope_of = envelope_of
    states = [offer.state for offer, _ in scene.gradings()]
    scene.wait(lambda: bool(scene.seen()))

    assert states == [State.REFUSED]
    assert [offer.state for offer in scene.offers()] == [State.PROCESSED]
    assert [offer.state for offer, _ in scene.gradings()] == [State.REFUSED, State.PROCESSED]
    assert all("AANL-020" in grading.decided for _, grading in scene.gradings())


def test_grading_of_the_run_is_done_once(scene):
    """
    As long as nothing new is offered the same answer is given.
    """
    scene.deliver_one()

    assert scene.gradings() is scene.gradings()


def test_offer_that_is_not_processed_is_not_graded_yet(scene):
    """
    What was only accepted has no grading.
    """
    scene.driver.deliver([scene.letter()])

    assert scene.gradings() == []


def test_document_that_cannot_be_read_holds_no_batch(scene, party):
    """
    An offer that is no XML has no berichten to see.
    """
    party.sender.payload_of = lambda _batch: b"geen XML"
    scene.driver.deliver([scene.letter()])
    scene.box.settle()
    (offer,) = scene.offers()

    assert scene.batch_of(offer) is None
    assert scene.seen() == []


def test_results_are_those_of_the_case(scene):
    """
    A case begins on a clean stage: faults, results and the clock of the case before are gone.
    """
    scene.box.fault("no-result", times=None)
    scene.driver.deliver([scene.letter()])
    scene.box.advance(days=3)
    scene.begin()
    scene.driver.deliver([scene.letter()])
    scene.box.settle()
    waiting = scene.unprocessed()
    scene.wait(lambda: not scene.unprocessed())

    assert scene.box.faults.all() == ()
    assert abs((scene.box.clock.now() - datetime.now(UTC)).total_seconds()) < 60
    assert [result.status for result in waiting] == [Status.RECEIVED]
    assert [result.status for result in scene.results()] == [Status.PROCESSED]


def test_canary_sings(scene):
    """
    Who fetches the URL that nobody should fetch is counted, in this case and not in the next.
    """
    httpx.get(scene.canary, trust_env=False)
    counted = scene.operations("kanarie")
    scene.begin()

    assert counted == 1
    assert scene.operations("kanarie") == 0
    assert scene.operations("kanarie", Mark(0, 0)) == 1


def test_moment_between_is_between():
    """
    It is a whole millisecond, not before what was done and before what comes.
    """
    before = datetime.now(UTC)
    between = between_now_and_then()

    assert before < between < datetime.now(UTC)
    assert between.microsecond % 1_000 == 0


def test_answers_are_written_for_people():
    """
    Yes and no, and a status in words.
    """
    status = BerichtStatus("b-1", "B-1", AfnemerStatus.VERWERKT, "Verwerkt", 2)

    assert yes_no([True, False]) == "yes, no"
    assert told(status) == "verwerkt, code Verwerkt, applied 2 times"


# -- over ebMS2 ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_line(make_scene, party):
    """A stage with a line, on which time only passes when a test says so; ``passed`` holds the steps on the clock of the Afnemer."""

    def make(*, is_movable=True, interval_s=60.0, caller=None, reaction_s=10.0):
        line = Line(None, "http://127.0.0.1:9/ebms", None, None, is_movable, 2, timedelta(seconds=interval_s))
        scene = make_scene(caller or PythonCaller.of(party), reaction_s, line)
        scene.passed = []
        scene.box.time_passed = lambda by: scene.passed.append(by.total_seconds())
        return scene

    return make


def test_adapter_run_has_no_line(scene):
    """
    Without a line nothing of it is there, and no time passes for it.
    """
    before = scene.box.clock.ahead
    scene.pass_interval(3)

    assert scene.has.isdisjoint({"ebms", "tls", "sync", "async"})
    assert (scene.copies, scene.box.clock.ahead) == (0, before)


def test_interval_passes_on_both_clocks(on_line):
    """
    Where the clock of the Afnemer can be moved it is moved with that of the Berichtenbox, a little more than the interval each time.
    """
    scene = on_line()
    began = time.monotonic()
    scene.pass_interval(2)

    assert scene.passed == [pytest.approx(60.01)] * 2
    assert time.monotonic() - began < 5


def test_interval_is_sat_out_when_no_clock_can_be_moved(on_line, monkeypatch):
    """
    With a live Afnemer both sides wait on the wall, and the Berichtenbox goes on meanwhile.
    """
    scene, now, settled = on_line(is_movable=False, interval_s=0.1), [0.0], []
    monkeypatch.setattr("conformance.stage.scene.time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda by: now.append(now.pop() + by)))
    monkeypatch.setattr(scene.box, "settle", lambda: settled.append(now[0]))
    scene.pass_interval(2)

    assert now[0] == pytest.approx(0.24)
    assert len(settled) == 12
    assert (scene.passed, scene.copies) == ([], 0)


def test_wait_is_patient_with_copies(on_line):
    """
    An Afnemer that is idle and repeats after an interval gets every interval that the CPA has, and one to give up.
    """
    scene = on_line()

    assert not scene.wait(lambda: False)
    assert len(scene.passed) == scene.copies == 3


def test_wait_ends_at_the_copy_that_does_it(on_line):
    """
    No more time passes than is needed.
    """
    scene = on_line()

    assert scene.wait(lambda: len(scene.passed) == 2)
    assert len(scene.passed) == 2


def test_wait_can_be_impatient(on_line):
    """
    Who looks for what does not come need not move the clock.
    """
    scene = on_line()

    assert not scene.wait(lambda: False, is_patient=False)
    scene.quiet()
    assert scene.passed == []


def test_live_afnemer_is_not_moved(on_line, callers, party):
    """
    Who cannot be moved has its time to react, and no more.
    """
    scene = on_line(is_movable=False, caller=callers.unsure.of(party), reaction_s=0.03)

    assert not scene.wait(lambda: False)
    scene.quiet()
    assert scene.passed == []
