"""The adapter face under stress: many at once, and the faults that strike on the wire."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from conformance.messages.envelope import Part

CPA = "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000"
NO_ANSWER = r"reset by peer|disconnected without sending a response"
AFNEMER, LOGIUS = "urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"


@pytest.fixture
def batch(make, live):
    """A valid batch of today."""
    return make.batch(at=live.clock.now())


# -- many --------------------------------------------------------------------------------------------------------------------------------------------


def test_a_thousand_berichten_in_a_batch(sender, make, live):
    """
    1000 berichten are one result of 1000, each stored.
    """
    batch = make.batch(*(make.bericht() for _ in range(1000)), at=live.clock.now())
    sender.send(batch)
    (waiting,) = sender.unprocessed()

    result = sender.result(waiting)

    assert (result.totaal, result.counter("AantalBerichtenSuccesvolVerwerkt")) == (1000, 1000)
    assert [item.bericht_id for item in result.resultaten] == [bericht.bericht_id for bericht in batch.berichten]


@pytest.mark.slow
def test_fifty_who_send_twenty_each_are_all_served_once(live, urls, make, sender):
    """
    1000 messages from 50 threads: all acknowledged, all stored, all answered, each once.
    """
    batches = [make.batch(at=live.clock.now()) for _ in range(1000)]

    def send(mine):
        with httpx.Client(base_url=urls.adapter, timeout=60) as client:
            one = make.sender(live, client)
            return [one.send(batch) for batch in mine]

    with ThreadPoolExecutor(50) as pool:
        ids = [message_id for group in pool.map(send, [batches[start : start + 20] for start in range(0, 1000, 20)]) for message_id in group]
    waiting = sender.unprocessed()

    assert len(set(ids)) == 1000
    assert live.ledger.counts() == {"processed": 1000, "Verwerkt": 1000}
    assert sorted(item.batch_id for item in live.ledger.berichten(0)) == sorted(batch.batch_id for batch in batches)
    assert sorted(item.envelope.ref_to_message_id for item in live.ledger.results(0)) == sorted(ids)
    assert len(set(waiting)) == 1000


# -- faults on the wire ------------------------------------------------------------------------------------------------------------------------------


def test_a_503_does_nothing_and_says_when_to_come_back(sender, live, batch):
    """
    With ``unavailable`` the message is not stored; the next time it is.
    """
    live.fault("unavailable", retry_after_s=3)
    refused = sender.post(batch)
    stored = len(live.ledger.offers(0))

    assert (refused.status_code, refused.text, refused.headers["retry-after"]) == (503, "Service Unavailable", "3")
    assert (stored, sender.post(batch).status_code) == (0, 200)
    assert [(call.operation, call.status) for call in live.ledger.calls(0)] == [("post", 503)]


def test_a_503_without_a_time(sender, live, batch):
    """
    Without retry_after_s there is no such header.
    """
    live.fault("unavailable")

    assert "retry-after" not in sender.post(batch).headers


def test_an_error_500_has_the_text_of_the_fault(sender, live, batch):
    """
    ``error-500`` answers its text, and does nothing.
    """
    live.fault("error-500", text="CPA expired")
    answer = sender.post(batch)

    assert (answer.status_code, answer.text, live.ledger.offers(0)) == (500, "CPA expired", [])


def test_a_slow_answer_comes(sender, live, batch):
    """
    ``slow`` waits as long as it says, and then does the work.
    """
    live.fault("slow", delay_s=0.15)
    answer = sender.post(batch)

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.15


def test_a_reset_before_the_work_leaves_nothing(sender, live, batch):
    """
    ``reset-before-work`` drops the connection; nothing is stored, and the call is on record without an answer.
    """
    live.fault("reset-before-work")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError), match=NO_ANSWER):
        sender.post(batch)

    assert live.ledger.offers(0) == []
    assert [(call.operation, call.status) for call in live.ledger.calls(0)] == [("post", 0)]
    assert sender.post(batch).status_code == 200


def test_a_reset_after_the_work_leaves_the_work(sender, live, batch):
    """
    ``reset-after-work`` drops the connection once the message is on disk: it is processed, and sent again it exists already.
    """
    live.fault("reset-after-work")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError), match=NO_ANSWER):
        sender.post(batch)
    live.settle()
    sender.post(batch)
    live.settle()

    assert [item.code for item in live.ledger.berichten(0)] == ["Verwerkt", "BerichtBestaatAl"]


def test_a_reset_after_marking_leaves_the_mark(sender, live, batch):
    """
    On ``process`` the result is marked, though the Afnemer never heard it.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()
    live.fault("reset-after-work", on="process")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError), match=NO_ANSWER):
        sender.process(waiting)

    assert sender.unprocessed() == []


@pytest.mark.parametrize("point", ["post", "poll", "fetch", "process"])
def test_faults_strike_where_they_are_set(sender, live, batch, point):
    """
    A fault on one operation leaves the other three alone.
    """
    sender.send(batch)
    (waiting,) = sender.unprocessed()
    live.fault("error-500", on=point, times=None)
    answers = {
        "post": sender.post(batch),
        "poll": sender.client.get("/ebms/messages/unprocessed"),
        "fetch": sender.fetch(waiting),
        "process": sender.process(waiting),
    }

    assert [name for name, answer in answers.items() if answer.status_code == 500] == [point]


def test_a_correct_party_gets_through_drawn_faults(sender, live, make):
    """
    Under four drawn faults at once, a party that tries again a few times delivers everything, each bericht once.
    """
    for number, name in enumerate(("unavailable", "error-500", "reset-before-work", "reset-after-work")):
        live.faults.draw(name, seed=number, chance=0.6, max_in_a_row=2)
    batches = [make.batch(at=live.clock.now()) for _ in range(20)]
    attempts = []
    for batch in batches:
        for attempt in range(1, 5):
            try:
                is_in = sender.post(batch).status_code == 200
            except httpx.TransportError:
                is_in = False
            if is_in:
                attempts.append(attempt)
                break
    live.settle()

    assert len(attempts) == 20
    assert 1 < max(attempts) <= 3
    assert live.ledger.counts()["Verwerkt"] == 20


def test_a_dropped_connection_is_really_reset(urls, live, sender, batch):
    """
    On the socket: not a byte comes back.
    """
    live.fault("reset-after-work")
    where = urlsplit(urls.url)
    body = sender.body(batch)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(b"POST /service/rest/v19/ebms/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        try:
            received = connection.recv(1)
        except ConnectionResetError:
            received = b""

    assert received == b""


def test_a_result_with_a_part_in_front_is_shown_with_both(sender, live, batch):
    """
    ``several-parts`` is seen over the wire as two dataSources.
    """
    live.fault("several-parts")
    sender.send(batch)
    (waiting,) = sender.unprocessed()

    assert [source["contentType"] for source in sender.fetch(waiting).json()["dataSources"]] == ["text/plain", "text/xml"]


def test_a_payload_in_a_later_part_is_found(sender, live, batch):
    """
    A batch behind a part of text is processed.
    """
    envelope_parts = (Part(b"Beste collega", "text/plain"), Part(batch.to_xml()))
    sender.send(batch, parts=envelope_parts)
    live.settle()

    assert [item.code for item in live.ledger.berichten(0)] == ["Verwerkt"]


def test_a_batch_of_an_intermediair_is_taken(sender, live, batch):
    """
    The OIN of a client may stand in the batch.
    """
    sender.send(replace(batch, bericht_leverancier_id="00000099000000003000"))
    live.settle()

    assert [item.code for item in live.ledger.berichten(0)] == ["Verwerkt"]
