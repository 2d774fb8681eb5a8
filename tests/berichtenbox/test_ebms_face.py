"""The ebMS2 face: what it keeps, what it answers and when, and what it leaves on the record."""

import html
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.ebms_face import EbmsFace
from conformance.berichtenbox.ledger import Face, LedgerError, State, Status
from conformance.messages.envelope import Part
from conformance.messages.moments import write_moment
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.http import EMPTY, TroubleKind
from conformance.transport.ebms2.model import EbmsError, Side
from conformance.transport.ebms2.names import SOAP_ACTION, ErrorCode, Kind
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.writing import attach, write_message
from conformance.transport.pki import WRONG_OIN
from conformance.transport.tls import client_context

LARGE = 300_000


def answered(outcome):
    """Return the signal in the body of an answer."""
    return read_message(outcome.answer.headers["content-type"], outcome.answer.body).message


# -- messages --------------------------------------------------------------------------------------------------------------------------------


def test_message_is_kept_and_acknowledged_apart(line):
    """
    Signals apart: 204 without a body, and one Acknowledgment to the gateway of the Afnemer, right in every part.
    """
    message, outcome = line.send()
    line.box.settle()

    assert (outcome.answer.status, outcome.answer.body) == (204, b"")
    (offer,) = line.offers
    assert (offer.envelope.message_id, offer.face, offer.state) == (message.message_id, Face.EBMS, State.PROCESSED)
    assert offer.envelope.parts[0].content == message.payloads[0].content
    (ack,) = line.gateway.of(Kind.ACKNOWLEDGMENT)
    assert (ack.ref_to_message_id, ack.conversation_id, ack.cpa_id) == (message.message_id, message.conversation_id, message.cpa_id)
    assert (ack.sender.flat_ids, ack.receiver.flat_ids) == (message.receiver.flat_ids, message.sender.flat_ids)
    assert line.gateway.requests[0].headers["soapaction"] == SOAP_ACTION


def test_message_is_acknowledged_in_the_answer(sync_line):
    """
    Signals in the answer: 200 with the Acknowledgment, and nothing of it apart.
    """
    message, outcome = sync_line.send()
    sync_line.box.settle()

    assert outcome.answer.status == 200
    assert (answered(outcome).kind, answered(outcome).ref_to_message_id) == (Kind.ACKNOWLEDGMENT, message.message_id)
    assert sync_line.gateway.of(Kind.ACKNOWLEDGMENT) == []
    assert len(sync_line.offers) == 1


def test_nothing_is_answered_before_the_commit(any_line, hold):
    """
    While the ledger writes there is no answer and no Acknowledgment; both come afterwards.
    """
    with ThreadPoolExecutor() as pool:
        held = hold(any_line.ledger)
        sending = pool.submit(any_line.send)
        assert held.started.wait(10)
        early = (sending.done(), list(any_line.gateway.requests), any_line.offers)
        held.release()
        message, outcome = sending.result(10)
    any_line.box.settle()

    assert early == (False, [], [])
    assert outcome.answer.is_success
    acks = any_line.gateway.of(Kind.ACKNOWLEDGMENT) or [answered(outcome)]
    assert [ack.ref_to_message_id for ack in acks] == [message.message_id]


def test_message_that_cannot_be_written_is_not_acknowledged(any_line, monkeypatch):
    """
    When the disk is full the answer is 500, and a copy is a new message.
    """

    def full(_works):
        raise LedgerError("the disk is full")

    message = any_line.message()
    with monkeypatch.context() as patched:
        patched.setattr(any_line.ledger, "write", full)
        first = any_line.gateway.signal(message)
    any_line.box.settle()
    before = (any_line.offers, any_line.gateway.requests[:])
    with Poster() as another:  # the server closes a connection on which it crashed
        outgoing = write_message(message)
        again = another.post(any_line.urls.ebms, outgoing.content_type, outgoing.body)

    assert (first.answer.status, before) == (500, ([], []))
    assert again.answer.is_success
    assert len(any_line.offers) == 1


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("is_sync", [False, True], ids=["async", "sync"])
def test_duplicate_gets_the_same_answer(open_line, is_sync, restarts):
    """
    A copy is answered with the very bytes of the first time, also after a restart; the application has the message once.
    """
    line = open_line(is_sync=is_sync)
    message, first = line.send()
    line.box.settle()
    acks = [request.body for request, seen in zip(line.gateway.requests, line.gateway.messages, strict=True) if seen.kind is Kind.ACKNOWLEDGMENT]
    if restarts:
        line.restart()
    line.gateway.requests.clear()

    again = line.gateway.signal(message)
    line.box.settle()

    copies = [request.body for request, seen in zip(line.gateway.requests, line.gateway.messages, strict=True) if seen.kind is Kind.ACKNOWLEDGMENT]
    assert (again.answer.status, again.answer.body) == (first.answer.status, first.answer.body)
    assert copies == acks
    assert len(acks) == (0 if is_sync else 1)
    assert [offer.state for offer in line.box.ledger.offers(0)] == [State.PROCESSED]
    assert [seen.note for seen in line.exchanges if seen.is_incoming] == ["accepted", "duplicate"]


def test_message_that_was_acknowledged_survives(open_line):
    """
    Stopped right after the answer, before anything was done with the message: it is processed after the restart, once.
    """
    line = open_line()
    message, _ = line.send()
    line.restart()
    line.box.settle()
    line.box.settle()

    (offer,) = line.box.ledger.offers(0)
    assert (offer.envelope.message_id, offer.state) == (message.message_id, State.PROCESSED)
    assert len(line.box.ledger.berichten(0)) == 1
    assert len(line.gateway.of(Kind.USER)) == 1


def test_acknowledgment_that_did_not_leave_leaves_after_a_restart(open_line, monkeypatch):
    """
    The Acknowledgment is kept with the message: killed before it left, the Berichtenbox posts it when it is back.
    """
    line = open_line()
    message = line.message()
    with monkeypatch.context() as patched:
        patched.setattr(line.box.pusher, "push", lambda: None)
        line.gateway.signal(message)
        line.restart()
    line.box.settle()

    assert [ack.ref_to_message_id for ack in line.gateway.of(Kind.ACKNOWLEDGMENT)] == [message.message_id]


def test_two_copies_at_the_same_moment_are_one(line, hold):
    """
    While the first copy is being written the second one waits for it, and nothing is doubled.
    """
    message = line.message()
    with ThreadPoolExecutor() as pool:
        held = hold(line.ledger)
        first = pool.submit(line.gateway.signal, message)
        assert held.started.wait(10)
        second = pool.submit(line.gateway.signal, message)
        held.release()
        statuses = [first.result(10).answer.status, second.result(10).answer.status]
    line.box.settle()

    assert statuses == [204, 204]
    assert [offer.state for offer in line.offers] == [State.PROCESSED]
    assert len(line.gateway.of(Kind.USER)) == 1
    assert sorted(seen.note for seen in line.exchanges if seen.is_incoming) == ["accepted", "duplicate"]


def test_other_payload_under_the_same_message_id_is_only_on_the_record(line):
    """
    The first payload counts; the other one can be seen as a duplicate, and is not processed.
    """
    first = line.message()
    other = line.message(message_id=first.message_id)
    line.gateway.signal(first)
    line.gateway.signal(other)
    line.box.settle()

    assert [offer.state for offer in line.offers] == [State.PROCESSED, State.DUPLICATE]
    assert line.offers[1].envelope.parts[0].content == other.payloads[0].content
    assert len(line.box.berichten(line.mark)) == 1
    assert [ack.ref_to_message_id for ack in line.gateway.of(Kind.ACKNOWLEDGMENT)] == [first.message_id] * 2


def test_message_that_expired_is_rejected(any_line):
    """
    A message after its TimeToLive is not kept as an offer, and gets TimeToLiveExpired; a copy gets the same.
    """
    then = datetime.now(UTC) - timedelta(hours=2)
    message = any_line.message(timestamp=write_moment(then), time_to_live=write_moment(then + timedelta(hours=1)))

    outcomes = [any_line.gateway.signal(message) for _ in range(2)]
    any_line.box.settle()

    errors = any_line.gateway.of(Kind.ERROR) or [answered(outcome) for outcome in outcomes]
    assert [[error.code for error in seen.error_list.errors] for seen in errors] == [[ErrorCode.TIME_TO_LIVE_EXPIRED]] * 2
    assert errors[0] == errors[1]
    assert {seen.ref_to_message_id for seen in errors} == {message.message_id}
    assert any_line.offers == []


def test_large_body_is_read_in_another_thread(line, monkeypatch):
    """
    What takes time with a large body, reading and digesting it, does not hold up the answers to others.
    """
    threads = []
    read = line.box.pusher.link.handler.read

    def noting(request):
        threads.append(threading.current_thread().name)
        return read(request)

    monkeypatch.setattr(line.box.pusher.link.handler, "read", noting)
    small = line.message()
    large = attach(line.message(), [replace(small.payloads[0], content=small.payloads[0].content + b" " * LARGE)])

    statuses = [line.gateway.signal(message).answer.status for message in (small, large)]

    assert statuses == [204, 204]
    assert len(set(threads)) == 2
    assert line.exchanges[-1].parts[1].size == len(large.payloads[0].content)


# -- what is no message ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpa_id": "CPA-UNKNOWN"}, "CPA CPA-UNKNOWN not found!"),
        ({"sender": Side((PartyId("urn:osb:oin", "00000099000000007777"),), "SR")}, "is no party of CPA"),
    ],
)
def test_message_of_a_stranger_is_refused(line, changes, said):
    """
    Without a CPA, or from nobody in it, there is nowhere to send an ErrorList to: a SOAP Fault, and no trace among the offers.
    """
    _, outcome = line.send(**changes)
    line.box.settle()

    assert outcome.answer.status == 500
    assert said in outcome.answer.body.decode()
    assert (line.offers, line.gateway.requests) == ([], [])
    (seen,) = line.exchanges
    assert (seen.status, said in seen.note) == (500, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_taken(line, method):
    """
    Any other method is 405, on the record, and the text says what is.
    """
    answer = httpx.request(method, line.urls.ebms)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    (seen,) = line.exchanges
    assert (seen.method, seen.kind, seen.status, seen.note) == (method, "", 405, f"{method} is not POST")


@pytest.mark.parametrize("action", [None, "ebXML", '"x"'])
def test_wrong_soap_action_is_a_fault(line, action):
    """
    Without SOAPAction: "ebXML", quotes included, nothing is taken.
    """
    outgoing = write_message(line.message())
    headers = {"content-type": outgoing.content_type} | ({} if action is None else {"soapaction": action})

    outcome = line.gateway.post(outgoing, headers)

    assert outcome.answer.status == 500
    assert f"SOAPAction={'null' if action is None else action}" in html.unescape(outcome.answer.body.decode())
    assert line.offers == []
    assert line.exchanges[0].header("soapaction") == action


@pytest.mark.parametrize("body", [b"geen XML", b"<soap:Envelope", b"\x00" * 70_000])
def test_what_cannot_be_read_is_on_the_record(line, body):
    """
    A body that is no message is answered with a Fault, and its beginning can be read back.
    """
    answer = httpx.post(line.urls.ebms, content=body, headers={"content-type": "text/xml", "soapaction": SOAP_ACTION})

    (seen,) = line.exchanges
    assert answer.status_code == 500
    assert (seen.size, seen.soap, seen.parts, seen.kind) == (len(body), body[:64_000], (), "")
    assert seen.answer == answer.content


def test_record_has_what_went_over_the_line(line):
    """
    Headers as they were sent, the envelope, each part by reference, the answer, and both clocks.
    """
    line.box.advance(hours=5)
    message = line.message()
    outgoing = write_message(message)
    headers = {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION, "X-Twice": "a"}
    line.gateway.post(outgoing, headers)

    (seen,) = [exchange for exchange in line.exchanges if exchange.is_incoming]
    assert (seen.kind, seen.message_id, seen.method, seen.target, seen.http_version) == (Kind.USER, message.message_id, "POST", "/ebms", "1.1")
    assert (seen.header("x-twice"), seen.header("absent"), seen.peer) == ("a", None, "")
    assert (seen.soap, seen.size) == (outgoing.soap, len(outgoing.body))
    assert [part.size for part in seen.parts] == [len(outgoing.soap), len(message.payloads[0].content)]
    assert seen.parts[1].headers[0][0] == "content-type"
    assert (seen.status, seen.answer, seen.note) == (204, b"", "accepted")
    assert seen.business - seen.wall > timedelta(hours=4)


# -- questions -------------------------------------------------------------------------------------------------------------------------------


def test_ping_gets_a_pong(any_line):
    """
    A Pong refers to the Ping; a copy of the Ping gets the same one.
    """
    ping = any_line.gateway.handler.new_ping(any_line.cpa.cpa_id)
    outcomes = [any_line.gateway.signal(ping) for _ in range(2)]
    any_line.box.settle()

    pongs = any_line.gateway.of(Kind.PONG) or [answered(outcome) for outcome in outcomes]
    assert [pong.ref_to_message_id for pong in pongs] == [ping.message_id] * 2
    assert pongs[0] == pongs[1]
    assert any_line.offers == []


def test_status_request_is_not_supported(any_line):
    """
    As users of Logius report, a StatusRequest gets a MessageError, in the answer whatever the CPA says.
    """
    request = any_line.gateway.handler.new_status_request(any_line.cpa.cpa_id, "m@afnemer.example")
    outcome = any_line.gateway.signal(request)
    any_line.box.settle()

    assert outcome.answer.status == 200
    assert [error.code for error in answered(outcome).error_list.errors] == [ErrorCode.NOT_SUPPORTED]
    assert any_line.gateway.requests == []


# -- signals ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ref_to_message_id": "never@berichtenbox.example"}, "names no message that was sent"),
        ({"sender": Side((PartyId("urn:osb:oin", "00000099000000007777"),))}, "its From is"),
        ({"acknowledgment": None}, "it has no Acknowledgment block"),
    ],
)
def test_signal_that_does_not_count_changes_nothing(line, changes, said):
    """
    It is taken with 204, for an error would only make its sender repeat it; the record says why it does not count.
    """
    result = line.result()

    outcome = line.gateway.acknowledge(result, **changes)

    assert (outcome.answer.status, outcome.answer.body) == (204, b"")
    assert line.results[0].status is Status.RECEIVED
    assert said in line.exchanges[-1].note
    assert line.box.calls(line.mark) == []


def test_who_marks_is_held_up_where_a_case_wants_it(line):
    """
    What a case does just before a result counts as taken is done before the Acknowledgment is answered, and not for a MessageError.
    """
    marked = []
    result = line.result()
    line.box.before_marking = marked.append

    line.gateway.refuse(result, EbmsError(ErrorCode.MIME_PROBLEM))
    line.gateway.acknowledge(result)

    assert marked == [result.message_id]


# -- who connects ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls_line(open_line, certificates):
    """A line over two-way TLS, on which another organisation may come in too: as intermediair, on the other faces."""
    return open_line(certificates, intermediair_for=(WRONG_OIN,))


def test_certificate_of_the_afnemer_comes_in(tls_line, certificates):
    """
    Over TLS the record says who was on the other side, and what is pushed goes over TLS too.
    """
    tls_line.begin()
    message, outcome = tls_line.send()
    tls_line.box.settle()

    assert outcome.answer.status == 204
    seen = next(exchange for exchange in tls_line.exchanges if exchange.is_incoming)
    assert seen.peer.endswith(f", OIN {tls_line.box.config.oin}")
    assert [ack.ref_to_message_id for ack in tls_line.gateway.of(Kind.ACKNOWLEDGMENT)] == [message.message_id]
    assert {request.peer.oin for request in tls_line.gateway.requests} == {certificates.logius_oin}


def test_certificate_of_another_than_the_party_is_refused(tls_line, certificates):
    """
    Who may come in, and is not the party in the CPA, gets 403; nothing is kept but the record.
    """
    tls_line.begin()
    outgoing = write_message(tls_line.message())
    with Poster(client_context(certificates.files_of("client-wrong-oin"))) as poster:
        outcome = poster.post(tls_line.urls.ebms, outgoing.content_type, outgoing.body)

    assert outcome.answer.status == 403
    assert f"expects OIN {tls_line.box.config.oin}" in outcome.answer.body.decode()
    (seen,) = tls_line.exchanges
    assert (seen.status, WRONG_OIN in seen.peer) == (403, True)
    assert tls_line.offers == []


# -- trouble ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "status", "headers", "body"),
    [
        ("unavailable", {}, 503, {}, b"Service Unavailable"),
        ("unavailable", {"retry_after_s": 7}, 503, {"retry-after": "7"}, b"Service Unavailable"),
        ("error-500", {"text": "kapot"}, 500, {}, b"kapot"),
        ("status", {"status": 404}, 404, {}, b""),
        ("status", {"status": 307, "location": "http://127.0.0.1:9/x"}, 307, {"location": "http://127.0.0.1:9/x"}, b""),
    ],
)
def test_fault_refuses_a_message(any_line, name, values, status, headers, body):
    """
    What refuses does nothing with the message, which is on the record with what was answered; a copy is a new message.
    """
    any_line.box.fault(name, **values)
    message, outcome = any_line.send()
    before = any_line.offers
    again = any_line.gateway.signal(message)

    answer = outcome.answer
    assert (answer.status, answer.body) == (status, body)
    assert {key: answer.headers.get(key) for key in ("retry-after", "location")} == {"retry-after": None, "location": None} | headers
    assert (before, len(any_line.offers)) == ([], 1)
    assert (any_line.exchanges[0].status, any_line.exchanges[0].message_id) == (status, message.message_id)
    assert any_line.exchanges[0].note == "refused by a fault that was set"
    assert again.answer.is_success


@pytest.mark.parametrize(
    ("name", "kept", "status", "note"),
    [
        ("reset-before-work", 0, 0, "refused by a fault that was set"),
        ("reset-after-work", 1, 0, "accepted; then a fault that was set dropped the connection"),
        ("truncated-answer", 1, 200, "accepted; then a fault that was set broke off the answer halfway"),
    ],
)
def test_fault_drops_the_connection(any_line, name, kept, status, note):
    """
    Before the work nothing is kept, after it the message is: only the answer is lost. The record says what the other side saw.
    """
    any_line.box.fault(name)
    message, outcome = any_line.send()
    before = len(any_line.offers)
    again = any_line.gateway.signal(message)

    assert outcome.answer is None
    assert outcome.trouble.kind in {TroubleKind.RESET, TroubleKind.PROTOCOL}
    assert (before, len(any_line.offers)) == (kept, 1)
    assert (any_line.exchanges[0].status, any_line.exchanges[0].note) == (status, note)
    assert again.answer.is_success


def test_slow_answer_is_an_answer(line):
    """
    A Berichtenbox that takes its time takes the message.
    """
    line.box.fault("slow", delay_s=0.01)

    assert line.send()[1].answer.status == 204


@pytest.mark.parametrize("point", ["poll", "fetch", "process"])
def test_fault_strikes_the_acknowledgment_of_a_result(line, point):
    """
    On this face there is no queue: what would strike there strikes the Acknowledgment of the Afnemer, and no message.
    """
    line.box.fault("unavailable", on=point)
    result = line.result()

    first = line.gateway.acknowledge(result)
    before = line.results[0].status
    second = line.gateway.acknowledge(result)

    assert (first.answer.status, before) == (503, Status.RECEIVED)
    assert (second.answer.status, line.results[0].status) == (204, Status.PROCESSED)


def test_what_cannot_be_read_is_struck_by_nothing(line):
    """
    A fault waits for a message: garbage does not use it up.
    """
    line.box.fault("unavailable")
    httpx.post(line.urls.ebms, content=b"x", headers={"content-type": "text/xml", "soapaction": SOAP_ACTION})

    assert line.send()[1].answer.status == 503


def test_reception_without_a_message_is_a_mistake_of_ours(line):
    """
    What is kept as a message has one.
    """
    committer = GroupCommitter(line.ledger, lambda: None)
    face = EbmsFace(line.box, line.box.pusher, committer)
    committer.stop()

    with pytest.raises(ValueError, match="is about a message, and has none"):
        face._answered(None, Reception(Outcome.ACCEPTED, EMPTY)).send(None)


def test_message_without_ack_requested_is_rejected(line):
    """
    The CPA asks for an Acknowledgment, and so must the message.
    """
    line.send(ack_requested=None, time_to_live=None)
    line.box.settle()

    (error,) = line.gateway.of(Kind.ERROR)
    assert [one.code for one in error.error_list.errors] == [ErrorCode.INCONSISTENT]
    assert line.offers == []


def test_payload_of_another_kind_is_taken(line):
    """
    Whatever is in the parts is for the application: a batch that is not valid is acknowledged first, and its result says so later.
    """
    message = attach(line.message(), [Part(b"geen XML", "application/octet-stream")])
    outcome = line.gateway.signal(message)
    line.box.settle()

    assert outcome.answer.status == 204
    assert line.gateway.messages[0].kind is Kind.ACKNOWLEDGMENT
    assert line.gateway.of(Kind.ERROR) == []
