"""The gateway of an Afnemer as the receiver: what the kit sends to it, and what is seen of that."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.driver import Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of, scene_of, set_up
from conformance.messages.guard import parse
from conformance.messages.verwerkingsbericht import VerwerkingsCode, read_verwerkingsbericht
from conformance.profile import Profile
from conformance.stage.judging import NotTestedError
from conformance.stage.receiver import AfnemerReceiver
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.writing import write_message
from conformance.verdicts import Reason
from conformance.wiring import free_port, wire


@contextmanager
def playing(directory, make, sync_reply="none"):
    """Yield the stage over ebMS2 on plain http, with an Afnemer in this process."""
    profile = Profile.default("ebms")
    profile = replace(profile, afnemer=replace(profile.afnemer, gateway=f"http://127.0.0.1:{free_port('127.0.0.1')}/ebms"))
    wiring = wire(profile, directory, is_movable=True, sync_reply=sync_reply)
    with SqlLedger(f"sqlite:///{directory / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, seed=1)
        with set_up(box, profile, wiring, works_by_itself=False) as urls:
            party = make(connection_of(box, urls, 1) | dict(wiring.variables()))
            yield scene_of(box, urls, Driver(PythonCaller.of(party)), wiring, reaction_s=1.0, seed=1)
            party.close()


@pytest.fixture
def stage(tmp_path):
    """The stage with the reference Afnemer."""
    with playing(tmp_path, ReferenceAfnemer) as scene:
        yield scene


@pytest.fixture
def receiver(stage):
    """Its gateway as the receiver."""
    return AfnemerReceiver(stage)


def test_good_message_is_acknowledged_and_delivered_once(receiver):
    """
    A good message is the result Verwerkt of a letter: its Acknowledgment comes in a POST, counts, and the application takes the result once.
    """
    good = receiver.good()
    before = receiver.deliveries(good)

    outcome = receiver.post(good)
    (signal,) = receiver.signals(good.message_id)
    is_delivered = receiver.is_delivered(good)

    result = read_verwerkingsbericht(parse(good.payloads[0].content))
    assert (before, outcome.answer.status) == (0, 204)
    assert (signal.kind, signal.is_answer, signal.message.ref_to_message_id) == (Kind.ACKNOWLEDGMENT, False, good.message_id)
    assert signal.exchange.note == "signal"
    assert is_delivered
    assert receiver.deliveries(good) == 1
    assert [item.code for item in result.resultaten] == [VerwerkingsCode.VERWERKT]
    assert not receiver.errors()


def test_letters_are_delivered_several_at_once(stage, receiver):
    """
    Each good message is about another letter; delivering takes longer than most cases, so that letters are kept for the next ones.
    """
    seven = [receiver.good() for _ in range(7)]

    assert len({message.message_id for message in seven}) == 7
    assert len({message.payloads[0].content for message in seven}) == 7
    assert len(stage.seen()) == 12
    assert not stage.results()


def test_payload_is_as_large_as_asked(receiver):
    """
    Padding makes a payload larger, and leaves it readable.
    """
    small, large = receiver.good(), receiver.good(padding=1_000)

    assert len(large.payloads[0].content) - len(small.payloads[0].content) == 1_000
    assert read_verwerkingsbericht(parse(large.payloads[0].content)).totaal == 1


def test_rejection_is_a_signal_and_delivers_nothing(receiver):
    """
    A message with something wrong gets a MessageError, which is found among the errors of the run as well.
    """
    good = receiver.good()
    message = replace(good, version="1.0")

    receiver.post(message)
    (signal,) = receiver.signals(message.message_id)

    assert signal.kind == Kind.ERROR
    assert [one.message.message_id for one in receiver.errors()] == [signal.message.message_id]
    assert receiver.deliveries(good) == 0
    assert repr(signal) == f"<Signal <Message MessageError {signal.message.message_id}: 0 payloads> in a POST>"


def test_signal_that_cannot_be_read_says_why(tmp_path):
    """
    An ErrorList that is not valid is a signal without a message.
    """
    with playing(tmp_path, DEFECTS["forgets_the_language_of_errors"].make) as scene:
        receiver = AfnemerReceiver(scene)
        message = replace(receiver.good(), version="1.0")
        receiver.post(message)
        (signal,) = receiver.signals(message.message_id)
        (error,) = receiver.errors()

    assert (signal.message, signal.kind) == (None, "")
    assert "lang" in signal.trouble
    assert repr(error).startswith("<Signal that cannot be read in a POST: ")


def test_signal_may_be_in_the_answer(tmp_path):
    """
    Under a synchronous CPA the Acknowledgment is in the HTTP answer.
    """
    with playing(tmp_path, ReferenceAfnemer, "mshSignalsOnly") as scene:
        receiver = AfnemerReceiver(scene)
        good = receiver.good()
        outcome = receiver.post(good)
        receiver.quiet()
        (signal,) = receiver.signals(good.message_id)

    assert outcome.answer.status == 200
    assert (signal.kind, signal.is_answer, signal.exchange.status) == (Kind.ACKNOWLEDGMENT, True, 200)
    assert repr(signal).endswith("in the HTTP answer>")


def test_fault_that_quotes_a_message_is_no_signal(receiver):
    """
    A SOAP Fault in which the MessageId stands tells what happened, and is not mistaken for a signal that cannot be read.
    """
    good = receiver.good()
    outgoing = write_message(good)
    soap = outgoing.soap.replace(b"</soap:Header>", b'<x:X xmlns:x="urn:example:x" soap:mustUnderstand="1"/></soap:Header>')

    outcome = receiver.post(good, replace(outgoing, body=outgoing.body.replace(outgoing.soap, soap), soap=soap))

    assert good.message_id.encode() in outcome.answer.body
    assert not receiver.signals(good.message_id)


def test_request_is_recorded_as_it_was_sent(stage, receiver):
    """
    Other headers, another method, and a body in pieces are on the record; in pieces it arrives all the same.
    """
    good, mark = receiver.good(), stage.box.mark()

    chunked = receiver.post(good, chunks=True)
    refused = receiver.post(good, headers={"content-type": "text/xml"}, method="PUT")
    first, last = (one for one in stage.box.exchanges(mark) if not one.is_incoming)

    assert (chunked.answer.status, refused.answer.status) == (204, 405)
    assert (first.method, first.message_id, first.header("soapaction")) == ("POST", good.message_id, '"ebXML"')
    assert (last.method, last.headers, last.status) == ("PUT", (("content-type", "text/xml"),), 405)


def test_copy_gets_its_signal_again(receiver):
    """
    A message that goes twice is registered once, and both of its signals are found.
    """
    good = receiver.good()
    receiver.post(good)
    receiver.signals(good.message_id)
    receiver.post(good)

    found = receiver.signals(good.message_id, expected=2)

    assert len(found) == 2
    assert len({signal.message.message_id for signal in found}) == 1


def test_lost_signal_comes_after_the_interval(receiver):
    """
    The endpoint of the kit refuses the Acknowledgment once; after the interval it comes again.
    """
    good = receiver.good()
    receiver.lose_signals(1)
    receiver.post(good)
    (lost,) = receiver.signals(good.message_id)
    receiver.pass_interval()
    found = receiver.signals(good.message_id, expected=2)

    assert lost.exchange.status == 503
    assert [signal.exchange.status for signal in found] == [503, 204]


def test_interval_of_hours_is_not_waited_for(stage, receiver, monkeypatch):
    """
    Where no clock can be moved, only a short interval is sat out.
    """
    passed = []
    monkeypatch.setattr(stage, "pass_interval", lambda: passed.append(stage.line.interval))
    for interval in (timedelta(hours=3), timedelta(seconds=2)):
        stage.line = replace(stage.line, is_movable=False, interval=interval)
        receiver.pass_interval()

    assert passed == [timedelta(seconds=2)]


def test_restart_is_waited_for(receiver):
    """
    After a restart the gateway is there again, and knows what it had.
    """
    good = receiver.good()
    receiver.post(good)
    receiver.signals(good.message_id)
    receiver.restart()
    receiver.post(good)

    assert len(receiver.signals(good.message_id, expected=2)) == 2


def test_gateway_that_is_gone_tests_nothing(stage, receiver, monkeypatch):
    """
    Who cannot be restarted, or gives no HTTP answer, decides nothing; a gateway that stays away is not waited for longer than a reaction.
    """
    good = receiver.good()
    monkeypatch.setattr(stage.driver, "restart", lambda: False)
    with pytest.raises(NotTestedError, match="cannot be restarted") as unable:
        receiver.restart()

    stage.reaction_s = 0.05
    gone = f"http://127.0.0.1:{free_port('127.0.0.1')}/ebms"
    monkeypatch.setattr(receiver, "_url", gone)
    monkeypatch.setattr(stage.driver, "restart", lambda: True)
    receiver.restart()
    with pytest.raises(NotTestedError, match="no HTTP answer: nothing listens") as away:
        receiver.post(good)

    assert (unable.value.reason, away.value.reason) == (Reason.DRIVER_CANNOT, Reason.UNREACHABLE)


def test_canary_counts_who_comes(receiver):
    """
    A fetch of the address is seen, and after that nobody listens.
    """
    with receiver.canary() as canary:
        before = canary.fetches
        httpx.get(canary.url, trust_env=False)

    assert (before, canary.fetches) == (0, 1)
    with pytest.raises(httpx.ConnectError):
        httpx.get(canary.url, trust_env=False)


def test_there_is_no_gateway_without_ebms(scene):
    """
    In a run over the adapter there is nobody to send to.
    """
    with pytest.raises(NotTestedError, match="no ebms") as none:
        AfnemerReceiver(scene)

    assert none.value.reason is Reason.FACE_NOT_USED
