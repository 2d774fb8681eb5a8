"""The adapter as the reference Afnemer meets it: four calls, and two kinds of trouble."""

import socket
from dataclasses import replace

import httpx
import pytest

from conformance.afnemer.reference.gateway import Gateway, PermanentTroubleError, TemporaryTroubleError
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import Action


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox that works when it is told to, on the CPA of its OIN."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=1)


@pytest.fixture
def gateway(box):
    """A gateway to that Berichtenbox."""
    with running(box, works_by_itself=False) as urls, Gateway(urls.adapter) as opened:
        yield opened


@pytest.fixture
def message(box, envelope):
    """The valid batch, on the connection of that Berichtenbox."""
    return replace(envelope, cpa_id=box.connection.cpa_id, to_party=box.connection.logius_party)


def answering(answer):
    """Return a gateway to an adapter of which the answers are given, and the requests that it gets."""
    asked = []
    gateway = Gateway("http://adapter.example")
    gateway.close()
    gateway._http = httpx.Client(
        base_url="http://adapter.example/v19", transport=httpx.MockTransport(lambda request: asked.append(request) or answer)
    )
    return gateway, asked


def test_message_goes_and_its_result_comes(box, gateway, message):
    """
    What is sent gets a result, that waits until it is marked; fetching alone does not mark it.
    """
    message_id = gateway.send(message)
    box.settle()
    (waits,) = gateway.waiting(message.cpa_id, Action.BV_RESULT)
    fetched = gateway.fetch(waits)
    still = gateway.waiting(message.cpa_id, Action.BV_RESULT)
    gateway.mark(waits)

    assert fetched.ref_to_message_id == message_id
    assert still == [waits]
    assert gateway.waiting(message.cpa_id, Action.BV_RESULT) == []


def test_only_the_asked_action_waits(box, gateway, message):
    """
    Messages of another service are somebody else's.
    """
    gateway.send(message)
    box.settle()

    assert gateway.waiting(message.cpa_id, "ANDERE-DIENST-Result") == []


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_temporary_statuses(status):
    """
    An adapter that is away may be asked again.
    """
    gateway, _ = answering(httpx.Response(status))

    with pytest.raises(TemporaryTroubleError, match=f"POST: {status}"):
        gateway._ask("POST", "/ebms/messages")


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 500, 501])
def test_permanent_statuses(status):
    """
    Everything else will not pass by itself; the text says what the adapter answered, and not all of it.
    """
    gateway, _ = answering(httpx.Response(status, text="x" * 1_000))

    with pytest.raises(PermanentTroubleError, match=f"^GET: {status} x{{200}}$"):
        gateway.fetch("m-1")


@pytest.mark.parametrize("fault", ["reset-before-work", "reset-after-work"])
def test_lost_connection_is_temporary(box, gateway, message, fault):
    """
    Whether it was done is not known when the connection is lost: it may be asked again.
    """
    box.fault(fault, on="post")

    with pytest.raises(TemporaryTroubleError, match="POST /ebms/messages: "):
        gateway.send(message)


def test_nobody_there_is_temporary():
    """
    An adapter that does not listen may come back; the text shows no query.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with (
        Gateway(f"http://127.0.0.1:{port}") as gateway,
        pytest.raises(TemporaryTroubleError, match=r"^GET /ebms/messages/unprocessed: ConnectError$"),
    ):
        gateway.waiting("CPA", Action.BV_RESULT)


@pytest.mark.parametrize("body", ["<html>Even geduld</html>", '{"ids": []}'])
def test_answer_that_is_no_list_is_temporary(body):
    """
    A page of a proxy in between is no queue.
    """
    gateway, _ = answering(httpx.Response(200, text=body))

    with pytest.raises(TemporaryTroubleError, match="no list of ids"):
        gateway.waiting("CPA", Action.BV_RESULT)


def test_ids_are_escaped():
    """
    A MessageId with signs of its own stays one segment of the path.
    """
    gateway, asked = answering(httpx.Response(204))
    gateway.mark("a/b?c@d e")

    assert asked[0].url.raw_path == b"/v19/ebms/messages/a%2Fb%3Fc%40d%20e"


def test_closed_gateway_asks_nothing():
    """
    After its context a gateway cannot be used.
    """
    with Gateway("http://127.0.0.1:9") as gateway:
        pass

    with pytest.raises(RuntimeError, match="client has been closed"):
        gateway.mark("m-1")


def test_adapter_repeats_by_itself():
    """
    There is nothing to pump, no clock to move, and no failure that is told.
    """
    with Gateway("http://127.0.0.1:9") as gateway:
        assert (gateway.pump(), gateway.advance(60), list(gateway.failures())) == (False, False, [])
