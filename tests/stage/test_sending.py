"""A letter followed on its way over ebMS2, and all that was sent in a run, with the reference Afnemer."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from conformance.afnemer.driver import AfnemerStatus, Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of, scene_of, set_up
from conformance.profile import Profile
from conformance.stage.judging import NotTestedError
from conformance.stage.sending import answered, is_taken, let_pass, line_of, send_letter, slack_of
from conformance.stage.sent import Traffic, agreed_in, request_of
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.wire_rules import RULES, grade_sent
from conformance.verdicts import Reason
from conformance.wiring import free_port, wire

INTERVAL = timedelta(minutes=1)


@pytest.fixture
def stage(tmp_path):
    """A stage over ebMS2 on plain http, with the reference Afnemer."""
    profile = Profile.default("ebms")
    profile = replace(profile, afnemer=replace(profile.afnemer, gateway=f"http://127.0.0.1:{free_port('127.0.0.1')}/ebms"))
    wiring = wire(profile, tmp_path, is_movable=True)
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, seed=1)
        with set_up(box, profile, wiring, works_by_itself=False) as urls:
            party = ReferenceAfnemer(connection_of(box, urls, 1) | dict(wiring.variables()))
            yield scene_of(box, urls, Driver(PythonCaller.of(party)), wiring, reaction_s=1.0, seed=1)
            party.close()


def test_letter_is_followed_to_its_acknowledgment(stage):
    """
    A letter that goes well is one copy, with one acknowledgment that the Afnemer took.
    """
    letter = send_letter(stage)
    stage.quiet()

    assert [is_taken(copy) for copy in letter.copies()] == [True]
    assert [is_taken(ack) for ack in letter.signals(Kind.ACKNOWLEDGMENT)] == [True]
    assert letter.is_offered()
    assert not letter.is_told()
    assert not letter.was_crossed()
    assert letter.lasts() == 4 * INTERVAL


def test_copies_come_as_the_intervals_pass(stage):
    """
    Without an answer that counts each interval brings a copy, until the application is told.
    """
    stage.box.fault("status", status=204, times=None)
    letter = send_letter(stage)

    has_come = letter.wait_until(lambda: len(letter.copies()) == 3, 3)
    let_pass(stage, 3)

    assert has_come
    assert len(letter.copies()) == 4
    assert letter.status() is AfnemerStatus.HANDMATIG
    assert letter.is_told()
    assert len({sent.message_id for sent in letter.sent()}) == 1


@pytest.mark.parametrize("what", ["message-id", "cpa", "parties"])
def test_foreign_acknowledgment_reaches_the_afnemer_and_counts_for_nothing(stage, what):
    """
    A fault acknowledges something else in a POST of its own, also under a CPA that nobody knows; the message comes again.
    """
    stage.box.fault("ack-foreign", what=what)
    letter = send_letter(stage)
    stage.quiet()
    foreign = [one for one in stage.box.exchanges(stage.start) if not one.is_incoming and one.kind == Kind.ACKNOWLEDGMENT]

    assert len(foreign) == 1
    assert letter.wait_until(lambda: len(letter.copies()) == 2, 1)


def test_redirect_that_is_followed_is_seen(stage):
    """
    A POST to the address that nobody should use is a call of it too.
    """
    httpx.post(stage.canary, content=b"x", trust_env=False)

    assert stage.operations("kanarie") == 1


def test_what_never_comes_is_not_waited_for_long(stage):
    """
    When the intervals are over, the answer is no.
    """
    assert not send_letter(stage).wait_until(lambda: False, 1)


def test_earlier_message_that_comes_again_is_told(stage):
    """
    A letter knows when a copy of an earlier message crossed it.
    """
    stage.box.fault("unavailable")
    send_letter(stage)
    stage.start = stage.box.mark()
    letter = send_letter(stage)
    let_pass(stage, 1)

    assert letter.was_crossed()
    assert letter.others() == []


def test_time_that_is_too_long_is_not_waited_for(stage):
    """
    With a clock that cannot be moved, hours are not sat out; without ebMS2 there is nothing to wait for.
    """
    stage.line = replace(stage.line, is_movable=False, interval=timedelta(hours=3))
    with pytest.raises(NotTestedError, match="RetryInterval is 3:00:00") as error:
        let_pass(stage, 1)
    stage.line = None
    with pytest.raises(NotTestedError, match="not over ebMS2"):
        line_of(stage)

    assert error.value.reason is Reason.DRIVER_CANNOT


def test_short_interval_is_sat_out(stage):
    """
    An interval of a blink passes by itself.
    """
    stage.line = replace(stage.line, is_movable=False, interval=timedelta(milliseconds=1))
    before = stage.box.clock.now()

    let_pass(stage, 2)

    assert stage.box.clock.now() >= before + timedelta(milliseconds=2)


def test_letter_that_never_leaves_is_no_traffic(stage, monkeypatch):
    """
    A letter that the Afnemer keeps to itself cannot be followed.
    """
    monkeypatch.setattr(stage.driver, "deliver", lambda _letters: [None])

    with pytest.raises(NotTestedError, match="never left") as error:
        send_letter(stage)

    assert error.value.reason is Reason.NO_TRAFFIC


def test_answers_read_as_people_read_them(stage):
    """
    A status, the size of a body, the trouble, or that there was nothing.
    """
    letter = send_letter(stage)
    (exchange,) = letter.copies()
    exchanges = [exchange, replace(exchange, status=200, answer=b"OK"), replace(exchange, status=0, note="reset: gone")]

    assert answered(exchanges) == "204, 200 with 2 bytes, reset: gone"
    assert answered([]) == "none of them"
    assert answered([replace(exchange, status=0, note="")]) == "no answer"


def test_lifetime_of_a_message_without_time_to_live_is_that_of_the_cpa(stage, monkeypatch):
    """
    What the message does not say, Retries and RetryInterval do.
    """
    letter = send_letter(stage)
    (sent,) = letter.sent()
    monkeypatch.setattr(type(letter), "sent", lambda _self: [replace(sent, root=None)])

    assert letter.lasts() == 4 * INTERVAL


@pytest.mark.parametrize(("interval_s", "slack_s"), [(2, 0.2), (60, 1)])
def test_slack_is_small(interval_s, slack_s):
    """
    A copy may seem a tenth of the interval too early, and never more than a second.
    """
    assert slack_of(timedelta(seconds=interval_s)) == timedelta(seconds=slack_s)


def test_traffic_of_the_run_is_read_once(stage):
    """
    Everything that was sent is there, in its order, each with its exchange, and none of it breaks a rule.
    """
    traffic = Traffic(stage, stage.line.cpa)
    stage.deliver_one()
    first = list(traffic.messages())
    stage.deliver_one()
    messages = traffic.messages()

    assert messages[: len(first)] == first
    assert len(messages) == 2
    assert traffic.exchange_of(messages[0]).message_id == messages[0].message_id
    assert {name for name in RULES if grade_sent(name, messages, traffic.agreed).findings} == set()


def test_path_is_seen_only_where_it_is_that_of_the_cpa(stage):
    """
    When the CPA has another path than the Berichtenbox, something in between changed it.
    """
    stage.deliver_one()
    exchange = stage.box.exchanges(stage.start)[0]
    agreed = agreed_in(stage.line.cpa)

    assert request_of(exchange, agreed).path == "/ebms"
    assert request_of(exchange, replace(agreed, path="/elsewhere")).path is None
