"""What leaves for the gateway of the Afnemer: results and signals, again and again as the CPA says, on the business clock."""

from dataclasses import replace

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import Face, LedgerError, Status
from conformance.berichtenbox.pushing import _expired
from conformance.messages.guard import parse
from conformance.messages.verwerkingsbericht import VerwerkingsCode, read_verwerkingsbericht
from conformance.transport.ebms2.http import EMPTY, HttpAnswer, signal_answer
from conformance.transport.ebms2.model import EbmsError
from conformance.transport.ebms2.names import ErrorCode, Kind, Severity
from conformance.transport.ebms2.sending import DeliveryState
from conformance.transport.ebms2.signals import acknowledgment_of, error_of
from conformance.transport.ebms2.writing import write_message

DAYS = 6


def pushed(line):
    """Return what was pushed of results: the requests with their messages."""
    return [pair for pair in zip(line.gateway.requests, line.gateway.messages, strict=True) if pair[1].kind is Kind.USER]


def state_of(line, message):
    """Return how far a message of the Berichtenbox is."""
    return line.ledger.wire.sending(message.message_id).delivery


# -- a result --------------------------------------------------------------------------------------------------------------------------------


def test_result_is_pushed_as_the_cpa_asks(line):
    """
    A result is a message of its own to the gateway of the Afnemer, in the conversation of the batch.
    """
    batch = line.batch()
    message, _ = line.send(batch)
    line.box.settle()

    (result,) = line.gateway.of(Kind.USER)
    assert (result.action, result.conversation_id, result.ref_to_message_id) == ("GLOBE-R-BV-Result", message.conversation_id, message.message_id)
    assert (result.sender.role, result.receiver.role, result.cpa_id) == ("SP", "SR", line.cpa.cpa_id)
    assert result.ack_requested is not None
    assert result.duplicate_elimination
    assert read_verwerkingsbericht(parse(result.payloads[0].content)).batch_id == batch.batch_id


def test_acknowledged_result_is_taken(line):
    """
    The Acknowledgment counts as marking: the result is processed, no copy leaves, and it does not come again.
    """
    result = line.result()
    outcome = line.gateway.acknowledge(result)
    line.pass_interval(4)
    line.box.advance(days=2)

    assert (outcome.answer.status, outcome.answer.body) == (204, b"")
    assert [item.status for item in line.results] == [Status.PROCESSED]
    assert len(line.gateway.of(Kind.USER)) == 1
    assert state_of(line, result).state is DeliveryState.DELIVERED
    assert [(call.operation, call.subject) for call in line.box.calls(line.mark)] == [("process", result.message_id)]


def test_result_is_acknowledged_in_the_answer(sync_line):
    """
    Where the CPA has signals in the answer, that is where the Afnemer acknowledges.
    """
    result = sync_line.result()
    sync_line.pass_interval(4)

    assert [item.status for item in sync_line.results] == [Status.PROCESSED]
    assert len(sync_line.gateway.of(Kind.USER)) == 1
    assert (state_of(sync_line, result).state, result.sync_reply is not None) == (DeliveryState.DELIVERED, True)


def test_acknowledgment_may_be_here_before_the_answer(line):
    """
    A gateway that acknowledges before it answers the POST has the result once.
    """

    def at_once(request):
        line.gateway.acknowledge(line.gateway.messages[-1])
        return EMPTY if request.method == "POST" else HttpAnswer(405)

    line.send()
    line.gateway.instead += [lambda _request: EMPTY, at_once]
    line.box.settle()
    line.pass_interval(4)

    assert len(line.gateway.of(Kind.USER)) == 1
    assert [item.status for item in line.results] == [Status.PROCESSED]


# -- copies ----------------------------------------------------------------------------------------------------------------------------------


def test_result_is_repeated_until_it_is_given_up(line):
    """
    1 + Retries copies of the same bytes, an interval apart; then it is given up.
    """
    result = line.result()
    counts = []
    for _ in range(5):
        line.box.advance(seconds=line.interval_s / 2)
        counts.append(len(pushed(line)))
        line.box.advance(seconds=line.interval_s / 2 + 0.01)

    assert counts == [1, 2, 3, 3, 3]
    assert len({request.body for request, _ in pushed(line)}) == 1
    delivery = state_of(line, result)
    assert (delivery.state, delivery.attempts) == (DeliveryState.EXPIRED, 1 + line.retries)
    assert delivery.reason == "DeliveryFailure: no Acknowledgment came after 3 attempts; the last one: HTTP 204"
    assert line.results[0].status is Status.RECEIVED


def test_late_acknowledgment_counts(line):
    """
    A result that was given up is taken all the same when its Acknowledgment comes.
    """
    result = line.result()
    line.pass_interval(4)
    line.gateway.acknowledge(result)
    line.box.advance(days=2)

    assert [item.status for item in line.results] == [Status.PROCESSED]
    assert state_of(line, result).state is DeliveryState.EXPIRED


def test_acknowledgment_of_a_copy_ends_the_copies(line):
    """
    After the second copy is acknowledged no third one leaves.
    """
    result = line.result()
    line.pass_interval()
    line.gateway.acknowledge(result)
    line.pass_interval(4)

    assert len(pushed(line)) == 2


@pytest.mark.parametrize(("status", "copies"), [(503, 2), (500, 2), (408, 2), (404, 1), (307, 1)])
def test_status_decides_whether_it_is_repeated(line, status, copies):
    """
    What passes is repeated, what lasts is not: then it is offered again the next day, under a new MessageId.
    """
    line.send()
    line.gateway.answer_next(204, status)
    line.box.settle()
    line.pass_interval()
    line.gateway.instead.clear()
    before = len(pushed(line))
    line.box.advance(days=1)

    ids = {message.message_id for _, message in pushed(line)}
    assert before == copies
    assert len(ids) == 2
    assert len(line.results) == 2


def test_retry_after_is_waited_for(line):
    """
    A gateway that asks for more time than the interval gets it.
    """
    line.send()
    line.gateway.answer_next(204)
    line.gateway.answer_next(503, **{"retry-after": "90"})
    line.box.settle()
    line.box.advance(seconds=80)
    early = len(pushed(line))
    line.box.advance(seconds=11)

    assert (early, len(pushed(line))) == (1, 2)


def test_gateway_that_is_away_is_tried_again(line, monkeypatch):
    """
    Nobody listens: the trouble is on the record with its kind, and the copies are the same.
    """
    line.send()
    line.box.settle()
    poster = line.box.pusher.link.poster
    post = poster.post
    monkeypatch.setattr(poster, "post", lambda _url, *rest: post("http://127.0.0.1:9/ebms", *rest))
    line.pass_interval()
    away = line.exchanges[-1]
    monkeypatch.undo()
    line.pass_interval()

    assert (away.status, away.note.partition(":")[0], away.is_incoming) == (0, "refused", False)
    assert len(pushed(line)) == 2
    assert away.message_id == pushed(line)[0][1].message_id


def test_acknowledgment_of_another_in_the_answer_does_not_count(sync_line):
    """
    What is in the answer counts by the same rules as what comes apart.
    """

    def foreign(_request):
        message = replace(sync_line.gateway.messages[-1], message_id="other@berichtenbox.example")
        return signal_answer(write_message(acknowledgment_of(message, sync_line.gateway.new_id(), sync_line.box.wall())))

    sync_line.send()
    sync_line.gateway.instead.append(foreign)
    sync_line.box.settle()
    early = [item.status for item in sync_line.results]
    sync_line.pass_interval()

    assert early == [Status.RECEIVED]
    assert [item.status for item in sync_line.results] == [Status.PROCESSED]


def test_wrong_signal_in_the_answer_is_a_failed_attempt(sync_line):
    """
    Where the Acknowledgment must be in the answer, an empty one or another body is repeated.
    """
    sync_line.send()
    wrong = HttpAnswer(200, {"content-type": "text/xml"}, b"<geen/>")
    sync_line.gateway.instead += [lambda _request: EMPTY, lambda _request: wrong]
    sync_line.box.settle()
    sync_line.pass_interval()
    early = [item.status for item in sync_line.results]
    sync_line.pass_interval()

    assert early == [Status.RECEIVED]
    assert [item.status for item in sync_line.results] == [Status.PROCESSED]
    assert len(pushed(sync_line)) == 3


# -- a MessageError --------------------------------------------------------------------------------------------------------------------------


def test_refused_result_stops_and_comes_again_the_next_day(line):
    """
    After a MessageError no copy leaves; it is offered each day under a new MessageId, until six days after the first time.
    """
    result = line.result()
    outcome = line.gateway.refuse(result, EbmsError(ErrorCode.MIME_PROBLEM))
    line.pass_interval(4)
    copies = len(pushed(line))
    for _ in range(DAYS + 3):
        line.box.advance(days=1)
    ids = {message.message_id for _, message in pushed(line)}

    assert (outcome.answer.status, copies) == (204, 1)
    assert (state_of(line, result).state, "MimeProblem" in state_of(line, result).reason) == (DeliveryState.FAILED, True)
    assert len(ids) == len(line.results) == 1 + DAYS
    assert {item.status for item in line.results} == {Status.RECEIVED}
    assert [call.operation for call in line.box.calls(line.mark)] == [Kind.ERROR]


def test_refused_result_can_be_taken_the_next_day(line):
    """
    The Acknowledgment of what comes the next day ends it.
    """
    line.gateway.refuse(line.result(), EbmsError(ErrorCode.MIME_PROBLEM))
    line.box.advance(days=1)
    line.gateway.acknowledge(line.gateway.of(Kind.USER)[-1])
    line.box.advance(days=3)

    assert len(line.results) == 2
    assert line.results[1].status is Status.PROCESSED


def test_refusal_in_the_answer_counts(sync_line):
    """
    A MessageError in the answer stops the copies too.
    """

    def refuse(_request):
        message = sync_line.gateway.messages[-1]
        error = error_of(message, EbmsError(ErrorCode.UNKNOWN), sync_line.gateway.new_id(), sync_line.box.wall())
        return signal_answer(write_message(error))

    sync_line.send()
    sync_line.gateway.instead.append(refuse)
    sync_line.box.settle()
    sync_line.pass_interval(4)

    assert len(pushed(sync_line)) == 1
    assert state_of(sync_line, pushed(sync_line)[0][1]).state is DeliveryState.FAILED


def test_warning_ends_nothing(line):
    """
    A MessageError that only warns says that the result was taken, and that its Acknowledgment follows.
    """
    result = line.result()
    error = error_of(result, EbmsError(ErrorCode.UNKNOWN), line.gateway.new_id(), line.box.wall())
    line.gateway.signal(replace(error, error_list=replace(error.error_list, highest_severity=Severity.WARNING)))
    line.pass_interval()
    line.gateway.acknowledge(result)

    assert len(pushed(line)) == 2
    assert line.results[0].status is Status.PROCESSED


# -- the clock, and what was before ----------------------------------------------------------------------------------------------------------


def test_copy_that_is_long_overdue_is_not_sent(line):
    """
    After a night away nobody would take a copy of yesterday: it is given up, and offered again as a new message.
    """
    result = line.result()
    line.box.clock.advance(line.ledger.wire.next_sending() - line.box.clock.now())
    line.box.clock.advance(4 * (state_of(line, result).interval))
    line.box.settle()

    assert len(pushed(line)) == 1
    assert state_of(line, result).state is DeliveryState.EXPIRED


def test_new_case_begins_with_nothing_under_way(line):
    """
    What an earlier case left unacknowledged does not come in the next one, whatever the clock does.
    """
    line.result()
    line.begin()
    line.pass_interval(4)
    line.box.advance(days=1)

    assert (line.gateway.requests, line.results) == ([], [])
    assert line.box.next_sending() is None


def test_restart_goes_on_where_it_was(open_line):
    """
    Copies go on after a restart with the same bytes, and no result is sent twice for it.
    """
    line = open_line()
    line.result()
    (first,) = pushed(line)
    line.restart()
    line.pass_interval(4)

    assert {request.body for request, _ in pushed(line)} == {first[0].body}
    assert len(pushed(line)) == line.retries


def test_ids_are_new_after_a_restart(open_line):
    """
    Also when all that happened before was a Ping: a MessageId that comes back would be eaten as a duplicate.
    """
    line = open_line()
    ids = []
    for _ in range(2):
        line.gateway.signal(line.gateway.handler.new_ping(line.cpa.cpa_id))
        line.box.settle()
        ids += [pong.message_id for pong in line.gateway.of(Kind.PONG)]
        line.restart()

    assert len(ids) == len(set(ids)) == 2


def test_result_of_another_connection_holds_up_nobody(open_line):
    """
    A result under a CPA that this Berichtenbox does not have fails, and those behind it leave.
    """
    line = open_line()
    with_other = replace(line.message().envelope(), cpa_id="CPA-GONE")
    line.ledger.write([lambda writing: writing.add_offers([replace(line.box.offer_of(with_other), face=Face.EBMS)])])
    line.send()
    line.box.settle()
    line.box.settle()

    assert len(line.gateway.of(Kind.USER)) == 1
    failed = [line.ledger.wire.sending(item.envelope.message_id).delivery for item in line.results if item.envelope.cpa_id == "CPA-GONE"]
    assert [(one.state, "CPA-GONE not found" in one.reason) for one in failed] == [(DeliveryState.FAILED, True)] * len(failed)


def test_result_for_the_adapter_is_not_pushed(line, make):
    """
    Who offered over the adapter face fetches there.
    """
    line.box.accept(make.envelope(line.box, line.batch().to_xml(), "a@afnemer.example", conversation_id="c"))
    line.box.settle()

    assert line.gateway.requests == []
    assert [item.face for item in line.results] == [Face.ADAPTER]


# -- faults ----------------------------------------------------------------------------------------------------------------------------------


def test_result_comes_twice_in_a_row(line):
    """
    The same bytes, at once; it counts as one attempt.
    """
    line.box.fault("push-twice")
    result = line.result()

    first, second = pushed(line)
    assert first[0].body == second[0].body
    assert state_of(line, result).attempts == 1


@pytest.mark.parametrize("name", ["push-truncated", "push-wrong-content-type"])
def test_broken_copy_is_followed_by_a_good_one(line, name):
    """
    The first copy cannot be read; the next one is whole.
    """
    line.box.fault(name)
    line.send()
    line.box.settle()
    (broken,) = [seen for seen in line.exchanges if not seen.is_incoming and seen.kind != Kind.ACKNOWLEDGMENT]
    answered = line.gateway.requests[-1]
    line.pass_interval()

    assert broken.kind == ("" if name == "push-truncated" or not broken.parts else Kind.USER)
    assert broken.status >= 400
    assert answered.headers["content-type"].startswith("text/plain" if name == "push-wrong-content-type" else "multipart/related")
    line.gateway.requests.remove(answered)
    assert len(pushed(line)) == 1


def test_gateway_that_is_away_gets_nothing(line):
    """
    Each copy of a result finds nobody, as the record says; the Acknowledgment of a batch still comes, and a later copy too.
    """
    line.box.fault("unreachable", times=2)
    line.send()
    line.box.settle()
    line.pass_interval()
    assert pushed(line) == []
    assert line.gateway.messages[0].kind is Kind.ACKNOWLEDGMENT
    assert [seen.note for seen in line.exchanges if seen.status == 0] == ["refused: nobody listens there: a fault that was set"] * 2

    line.pass_interval()
    assert len(pushed(line)) == 1


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("push-unknown-cpa", lambda bad, good: bad.cpa_id != good.cpa_id),
        ("push-expired", lambda bad, good: bad.expires_at < good.sent_at and bad.cpa_id == good.cpa_id),
    ],
)
def test_message_in_front_is_wrong_in_one_thing(line, name, differs):
    """
    What comes in front has a MessageId of its own, and nobody waits for its Acknowledgment.
    """
    line.box.fault(name)
    line.send()
    line.box.settle()

    bad, good = (message for _, message in pushed(line))
    assert differs(bad, good)
    assert bad.message_id != good.message_id
    assert bad.payloads[0].content == good.payloads[0].content
    assert line.ledger.wire.sending(bad.message_id) is None
    assert [seen.note for seen in line.exchanges if seen.message_id == bad.message_id] == ["a fault that was set"]


def test_message_without_a_moment_cannot_be_late(line):
    """
    A message that does not say when it was sent is left as it is.
    """
    message = replace(line.message(), timestamp="gisteren")

    assert _expired(message) == message


def test_faults_of_results_hold_here_too(line):
    """
    The same result again after it was acknowledged, under the same MessageId; and a new one of the same batch.
    """
    line.box.fault("reoffer-same-id")
    result = line.result()
    line.gateway.acknowledge(result)
    line.box.settle()
    line.gateway.acknowledge(result)
    line.pass_interval(3)

    first, second = pushed(line)
    assert (first[0].body, first[1]) == (second[0].body, second[1])
    assert len(line.results) == 1


def test_message_of_another_service_goes_the_same_way(line):
    """
    No CPA has it, and that is what is tried: it is posted as a result is.
    """
    line.box.fault("foreign-message-before")
    line.send()
    line.box.settle()

    assert [message.action for _, message in pushed(line)] == ["ANDERE-DIENST-Result", "GLOBE-R-BV-Result"]


# -- in the background -----------------------------------------------------------------------------------------------------------------------


def test_it_pushes_by_itself(open_line):
    """
    In the background a result leaves without anybody asking, and pushing ends when the Berichtenbox does.
    """
    line = open_line()
    line.box.start()
    message, _ = line.send()
    line.gateway.wait_for(lambda: line.gateway.of(Kind.USER))

    assert line.gateway.of(Kind.USER)[0].ref_to_message_id == message.message_id
    line.close()
    assert not any(worker.is_alive() for worker in line.box._workers)


def test_failure_in_the_background_is_told_and_tried_again(line, monkeypatch, caplog):
    """
    A ledger that fails is in the log, and pushing goes on after a rest.
    """

    def fails():
        raise LedgerError("the disk is full")

    monkeypatch.setattr(line.box.pusher, "push", fails)

    assert line.box._push_once(line.box.pusher) == 0.5
    assert "pushing failed, and will be tried again" in caplog.text


def test_rest_lasts_until_something_is_due(line):
    """
    With nothing under way it rests as long as it may, and shorter when a copy is due sooner.
    """
    assert line.box._push_once(line.box.pusher) == 0.5
    result = line.result()
    line.box.clock.advance(state_of(line, result).next_at - line.box.clock.now())

    assert line.box._nap_until([line.box.next_sending()]) == 0.001


def test_box_without_a_cpa_has_nothing_to_send(box):
    """
    On the adapter face alone there is nothing under way and no CPA.
    """
    assert isinstance(box, Berichtenbox)
    assert (box.next_sending(), box.pusher, box.cpa_document, box.mark().exchange) == (None, None, b"", 0)
    assert box.exchanges(box.mark()) == []


def test_time_that_passes_is_told(line):
    """
    Whoever keeps a clock beside that of the Berichtenbox hears each step: up to a copy, and the rest.
    """
    steps = []
    line.result()
    line.box.time_passed = steps.append
    line.box.advance(seconds=100)
    line.box.time_passed = None

    assert len(steps) == 2
    assert 99.9 < sum(step.total_seconds() for step in steps) < 100.1
    assert 59 < steps[0].total_seconds() <= 60


def test_code_is_that_of_the_result(line):
    """
    What the Berichtenbox decides is in what is pushed.
    """
    line.box.fault("code", code=VerwerkingsCode.TECHNISCH_PROBLEEM)
    result = line.result()

    (found,) = read_verwerkingsbericht(parse(result.payloads[0].content)).resultaten
    assert found.code == VerwerkingsCode.TECHNISCH_PROBLEEM
