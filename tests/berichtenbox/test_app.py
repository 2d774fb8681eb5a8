"""The server: where it listens, when it is ready, how it ends, and what it says of its own crash."""

import os
import signal
import socket
import threading

import httpx
import pytest

from conformance.berichtenbox.app import ServerError, Urls, listening, running, serve
from conformance.berichtenbox.ledger import LedgerError


def test_the_urls_are_those_of_the_ready_file():
    """
    The faces that there are have a URL, the others are null.
    """
    shown = Urls("http://127.0.0.1:8800").to_json()

    assert shown["adapter"] == "http://127.0.0.1:8800/service/rest/v19"
    assert shown["control"] == "http://127.0.0.1:8800/besturing/v1"
    assert shown["wus"] == "http://127.0.0.1:8800/wus/BerichtenboxValidatieService"
    assert shown["ebms"] == "http://127.0.0.1:8800/ebms"
    assert shown["presentatie"] == "http://127.0.0.1:8800/presentatie/v1"
    assert [name for name, value in shown.items() if value is None] == ["portal"]


def test_it_listens_on_a_free_port(urls):
    """
    Port 0 gives a free one, on which every face answers.
    """
    assert httpx.get(f"{urls.adapter}/cpas").status_code == 200
    assert httpx.get(f"{urls.control}/klok").status_code == 200


def test_it_listens_on_ipv6(live):
    """
    An IPv6 host is bracketed in the URL.
    """
    with running(live, "::1") as urls:
        assert urls.url.startswith("http://[::1]:")
        assert httpx.get(f"{urls.control}/klok").status_code == 200


def test_a_port_that_is_taken_is_told():
    """
    The error says where, why and what to do.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ServerError, match=rf"cannot listen on 127.0.0.1:{port}: Address already in use.*\n  Hint: choose another port"):
            listening("127.0.0.1", port).__enter__()


def test_a_host_that_does_not_exist_is_told():
    """
    With port 0 the hint is about the host.
    """
    with pytest.raises(ServerError, match=r"cannot listen on 192.0.2.1:0: .*\n  Hint: check the host"):
        listening("192.0.2.1", 0).__enter__()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_the_normal_end(live, number):
    """
    serve tells when it is ready, and returns on SIGTERM and SIGINT without raising; the worker has ended.
    """
    seen = []

    def ready(urls):
        seen.append(httpx.get(f"{urls.control}/klok").status_code)
        os.kill(os.getpid(), number)

    serve(live, "127.0.0.1", 0, ready)

    assert seen == [200]
    assert "processing" not in {thread.name for thread in threading.enumerate()}


def test_a_crash_of_ours_says_so_without_details(live, monkeypatch, caplog):
    """
    500 with the class of the error and nothing that a stranger sent; the log has the rest.
    """

    def fails(*_arguments):
        raise LedgerError("secret 999990019")

    monkeypatch.setattr(live.ledger, "unprocessed", fails)
    with running(live) as urls:
        answer = httpx.get(f"{urls.adapter}/ebms/messages/unprocessed")

    assert (answer.status_code, answer.text) == (500, "internal error (LedgerError); the log of the Berichtenbox has the rest")
    assert "LedgerError" in caplog.text


def test_a_trap_that_somebody_falls_into_is_on_record(live, urls):
    """
    Whoever resolves the external entity of a message is seen.
    """
    httpx.get(f"{urls.url}/kanarie/abc")

    assert [(call.operation, call.subject) for call in live.ledger.calls(0)] == [("kanarie", "abc")]


def test_what_was_acknowledged_is_there_when_the_server_ended(live, make, ledger):
    """
    Stopped right after an acknowledgment: the message is in the ledger.
    """
    with running(live) as urls, httpx.Client(base_url=urls.adapter) as client:
        sent = make.sender(live, client).send(make.batch(at=live.clock.now()))

    assert [offer.envelope.message_id for offer in ledger.offers(0)] == [sent]


def test_it_may_leave_the_work_to_who_settles(live, make):
    """
    Without works_by_itself what is accepted waits until somebody settles.
    """
    with running(live, works_by_itself=False) as urls, httpx.Client(base_url=urls.adapter) as client:
        one = make.sender(live, client)
        one.send(make.batch(at=live.clock.now()))
        before = live.ledger.counts()

        assert before == {"accepted": 1}
        assert len(one.unprocessed()) == 1
