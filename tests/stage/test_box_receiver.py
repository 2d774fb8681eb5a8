"""A Berichtenbox as a receiver: what the kit sends to it, what comes back, and how long it waits for that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.messages.batch import read_batch
from conformance.messages.envelope import ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.guard import parse
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.moments import write_moment
from conformance.stage import box_receiver
from conformance.stage.box_receiver import Reach
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.running import CasePlugin, Selection
from conformance.stage.scene import Scene
from conformance.transport import pki
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.writing import write_message
from conformance.transport.tls import client_context
from conformance.verdicts import Reason
from conformance.verification import simulated


@pytest.fixture
def stage(tmp_path, pki_directory):
    """The stage before a simulated Berichtenbox, over TLS."""
    with simulated(tmp_path, pki.load(pki_directory)) as made:
        made.begin()
        yield made


@pytest.fixture
def receiver(stage):
    """That Berichtenbox as a receiver."""
    return stage.receiver


def test_good_messages_are_new_each_time(receiver):
    """
    One bericht to a reserved test BSN, with ids of its own, and as large as is asked.
    """
    first, second, large = receiver.good(), receiver.good(), receiver.good(padding=1_000)

    batches = [read_batch(parse(message.payloads[0].content)) for message in (first, second)]
    assert {one.berichten[0].gebruiker_id for one in batches} < set(reserved_test_bsns())
    assert len({one.batch_id for one in batches} | {one.berichten[0].bericht_id for one in batches}) == 4
    assert first.message_id != second.message_id
    assert len(large.payloads[0].content) == len(first.payloads[0].content) + 1_000


def test_citizens_come_again_after_all_had_one(receiver):
    """
    Each reserved test BSN is used once before one comes again.
    """
    drawn = [receiver.citizen() for _ in range(len(reserved_test_bsns()) + 1)]

    assert set(drawn[:-1]) == set(reserved_test_bsns())


def test_batch_is_acknowledged_and_answered(receiver):
    """
    The Acknowledgment is a signal, the result counts as the delivery, and is acknowledged by the kit itself.
    """
    good = receiver.good()
    outcome = receiver.post(good)
    (signal,) = receiver.signals(good.message_id)
    is_delivered = receiver.is_delivered(good)
    receiver.quiet()

    assert outcome.answer.status == 204
    assert (signal.kind, signal.is_answer, signal.exchange.status) == (Kind.ACKNOWLEDGMENT, False, 204)
    assert signal.exchange.header("soapaction") == '"ebXML"'
    assert is_delivered
    assert receiver.deliveries(good) == 1
    assert receiver.batch_of(receiver.results_on(good)[0]) == receiver.batch_in(good)
    assert [one.kind for one in receiver.gateway.exchanges() if not one.is_incoming] == [Kind.USER, Kind.ACKNOWLEDGMENT]


def test_signals_count_from_the_case_on(receiver):
    """
    What was said before a case began does not count in it, and errors of the whole run are still there.
    """
    moment = datetime.now(UTC) - timedelta(hours=1)
    late = replace(receiver.good(), timestamp=write_moment(moment), time_to_live=write_moment(moment))
    receiver.post(late)
    (error,) = receiver.signals(late.message_id)
    receiver.begin()

    assert error.kind == Kind.ERROR
    assert not receiver.signals(late.message_id)
    assert [one.message.message_id for one in receiver.errors()] == [error.message.message_id]


def test_lost_signals_are_answered_503(receiver):
    """
    An Acknowledgment that is lost was still seen, and the next one arrives.
    """
    good = receiver.good()
    receiver.lose_signals(1)
    receiver.post(good)
    receiver.signals(good.message_id)
    receiver.pass_interval()
    receiver.post(good)
    found = receiver.signals(good.message_id, expected=2)

    assert [signal.exchange.status for signal in found][:2] == [503, 204]


def test_copy_of_a_result_counts_once(stage, receiver):
    """
    A result that comes again under its MessageId is acknowledged again, and is no second delivery.
    """
    good = receiver.good()
    receiver.post(good)
    receiver.is_delivered(good)
    box = receiver.reach.restart.__self__.box
    copy = box.ledger.wire.sending(receiver.results_on(good)[0].message_id)
    with Poster(client_context(stage.certificates.files_of("server"))) as poster:
        poster.post(copy.delivery.url, copy.delivery.content_type, copy.body)
    receiver.quiet()
    acks = [one for one in receiver.gateway.exchanges() if one.kind == Kind.ACKNOWLEDGMENT and not one.is_incoming]

    assert receiver.deliveries(good) == 1
    assert len(acks) == 2
    assert acks[0].message_id != ""


def test_result_that_cannot_be_read_is_about_nothing(receiver):
    """
    A result without a payload, or with one that is no XML or no verwerkingsbericht, belongs to no batch.
    """
    good = receiver.good()
    nothing = replace(good, payloads=())
    garbage = replace(good, message_id="anders@afnemer.example", payloads=(Part(b"<stuk"),))

    other = replace(good, message_id="nog-anders@afnemer.example", payloads=(Part(b"<iets/>"),))

    assert [receiver.batch_id_of(one) for one in (nothing, garbage, other)] == [""] * 3
    assert receiver.batch_of(garbage) is None


def test_silence_ends_the_waiting(receiver):
    """
    Of a Berichtenbox that nobody can look into, the time to react is all that there is to wait for.
    """
    receiver.reach, receiver.sender = Reach(), replace(receiver.sender, reaction_s=0.05)

    assert not receiver.wait(lambda: False)


def test_chatter_does_not_keep_the_kit_waiting(receiver, monkeypatch):
    """
    Who keeps talking is cut off as well, after ten times the time to react.
    """
    receiver.reach, receiver.sender = Reach(), replace(receiver.sender, reaction_s=0.03)
    counted = iter(range(1_000_000))
    monkeypatch.setattr(type(receiver.gateway), "count", property(lambda _self: next(counted)))

    assert not receiver.wait(lambda: False)


def test_interval_of_a_live_berichtenbox_is_bounded(receiver, monkeypatch):
    """
    Nobody waits longer for a copy than the Berichtenbox has to react.
    """
    slept = []
    monkeypatch.setattr(box_receiver.time, "sleep", slept.append)
    receiver.reach, receiver.sender = Reach(), replace(receiver.sender, reaction_s=0.2)
    receiver.pass_interval()

    assert slept == [0.2]


def test_what_cannot_be_restarted_is_not_tested(receiver):
    """
    Without a way to restart it, a case about restarts says so.
    """
    receiver.reach = Reach()
    with pytest.raises(NotTestedError, match=r"give \[driver\] restart") as raised:
        receiver.restart()

    assert raised.value.reason is Reason.DRIVER_CANNOT


def test_nobody_there_is_not_tested(receiver):
    """
    A Berichtenbox that is gone leaves a case undecided.
    """
    receiver.reach.restart.__self__.close()
    with pytest.raises(NotTestedError, match="gives no HTTP answer: nothing listens") as raised:
        receiver.post(receiver.good())

    assert raised.value.reason is Reason.UNREACHABLE


def test_canary_sings_when_it_is_fetched(receiver):
    """
    Who goes to its address is counted.
    """
    with receiver.canary() as canary, Poster() as poster:
        poster.post(canary.url, "text/plain", b"")

        assert canary.fetches == 1


def test_headers_and_method_are_on_the_record(receiver):
    """
    What a case sends wrongly stands in the evidence as it was sent.
    """
    ping = receiver.handler.new_ping(receiver.agreement.cpa_id)
    receiver.post(ping, write_message(ping), headers={"x-anders": "1"}, method="GET", chunks=True)
    last = receiver.gateway.exchanges()[-1]

    assert (last.method, last.headers, last.status) == ("GET", (("x-anders", "1"),), 405)


def test_kit_rejects_and_remembers_what_it_received(receiver):
    """
    The gateway of the kit is a whole message service handler: it rejects what is wrong, and answers a StatusRequest.
    """
    gateway = receiver.gateway
    good = receiver.good()
    receiver.post(good)
    receiver.is_delivered(good)
    (result,) = receiver.results_on(good)

    assert gateway.sent_under(good.message_id) == receiver.agreement.cpa_id
    assert gateway.sent_under("nooit@afnemer.example") is None
    assert gateway.status_of(result.message_id).status == "Received"
    assert gateway.status_of("nooit@afnemer.example").status == "NotRecognized"


def test_strangers_are_on_the_record_too(stage, receiver):
    """
    What is no ebMS message is refused by the gateway of the kit, and kept as it came.
    """
    own = receiver.agreement.own.bindings
    url = next(one.channel.endpoint for one in own if one.action == Action.BV_RESULT)
    with Poster(client_context(stage.certificates.files_of("server"))) as poster:
        outcome = poster.post(url, "text/plain", b"hallo", {"content-type": "text/plain"})
    last = receiver.gateway.exchanges()[-1]

    assert outcome.answer.status == 500
    assert (last.is_incoming, last.kind, last.soap, last.status) == (True, "", b"hallo", 500)


def test_transcript_is_written_as_the_berichtenbox_sees_it(stage):
    """
    What the kit sent is the request of the Afnemer in the evidence, with BSNs masked.
    """
    good = stage.receiver.good()
    stage.receiver.post(good)
    stage.receiver.is_delivered(good)
    stage.ask(b"<vraag>999990019</vraag>")
    told = stage.told(Judge("a/b", ()))

    assert "request of the Afnemer" in told
    assert "request of the Berichtenbox" in told
    assert "999990019" not in told


def test_stages_are_not_mixed_up(stage):
    """
    A case gets the stage that it needs, or should have been left out.
    """
    plugin = CasePlugin(stage, Selection(), seed=1, evidence_name=None, started=lambda _total: None, step=lambda _name, _outcome: None)
    with pytest.raises(TypeError, match="this run has no Scene"):
        plugin._only(Scene)


def test_message_of_another_service_is_not_agreed(receiver):
    """
    What the kit sends is within the CPA: it is the Afnemer, and not Logius.
    """
    envelope = Envelope(receiver.agreement.cpa_id, receiver.agreement.own.ids[0].flat, ROLE_LOGIUS, SERVICE, Action.BV_RESULT)
    with pytest.raises(ValueError, match="does not let"):
        receiver.handler.new_message(envelope)
