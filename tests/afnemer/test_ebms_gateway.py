"""The Afnemer's own gateway over real sockets, with Logius played by a message service handler of the same kind."""

import socket
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.reference.ebms_gateway import EbmsGateway, EbmsSettings
from conformance.afnemer.reference.gateway import PermanentTroubleError
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, Action, Part
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.ebms2.reading import read_message
from conformance.transport.ebms2.sending import DeliveryState
from conformance.transport.ebms2.signals import acknowledgment_of, ping_of, status_request_of
from conformance.transport.ebms2.writing import write_message
from conformance.transport.serving import CannotListenError


def now():
    """Return the wall clock."""
    return datetime.now(UTC)


# -- sending -------------------------------------------------------------------------------------------------------------------------------------


def test_message_is_delivered_when_it_is_acknowledged(line, request_message):
    """
    A 2xx alone is no delivery; the Acknowledgment, in a POST of its own, is.
    """
    message_id = line.afnemer.send(request_message)
    before = line.delivery(message_id)
    line.settle()

    assert (before.state, before.attempts) == (DeliveryState.UNDER_WAY, 1)
    assert line.delivery(message_id).state is DeliveryState.DELIVERED
    assert line.logius.waiting(line.cpa_id, Action.BV_REQUEST) == [message_id]
    assert line.logius.fetch(message_id).parts[0].content == request_message.parts[0].content
    assert line.afnemer.failures() == []


def test_everything_works_over_tls(make_line, pki_directory, request_message, result_message):
    """
    Both ways, with a certificate on both sides and the OIN of each in it.
    """
    line = make_line(certificates=pki_directory)
    sent, received = line.afnemer.send(request_message), line.logius.send(result_message)
    line.settle()

    assert line.delivery(sent).state is DeliveryState.DELIVERED
    assert line.logius.store.delivery(received).state is DeliveryState.DELIVERED
    assert line.logius.requests[0].peer.oin == line.oins[ROLE_AFNEMER]
    assert repr(line.afnemer) == f"<EbmsGateway {line.urls[ROLE_AFNEMER]}>"


def test_message_says_what_the_cpa_asks(line, request_message):
    """
    Typed parties and service, both roles, reliability, a TimeToLive of all attempts, and Content-IDs that no other message has.
    """
    first, second = line.afnemer.send(request_message), line.afnemer.send(request_message)

    one, two = (read_message(request.headers["content-type"], request.body).message for request in line.logius.requests)
    assert (one.sender.ids[0].kind, one.service.kind) == ("urn:osb:oin", "urn:osb:services")
    assert (one.sender.role, one.receiver.role) == (ROLE_AFNEMER, ROLE_LOGIUS)
    assert one.duplicate_elimination
    assert one.ack_requested.signed == "false"
    assert one.sync_reply is None
    assert one.expires_at - one.sent_at == timedelta(seconds=(1 + line.retries) * line.interval_s)
    assert (one.message_id, two.message_id) == (first, second)
    assert first.endswith("@127.0.0.1")
    assert one.payloads[0].content_id != two.payloads[0].content_id


def test_copies_are_the_same_bytes_an_interval_apart(line, request_message):
    """
    Without an Acknowledgment it repeats as often as the CPA says, then waits for the end of TimeToLive, and tells its application once.
    """
    line.logius.answer_next(*[204] * 9)
    message_id = line.afnemer.send(request_message)
    posted = []
    for _ in range(5):
        posted.append(len(line.logius.requests))
        line.afnemer.advance(line.interval_s - 5)
        assert not line.afnemer.pump()
        line.afnemer.advance(5)
        line.afnemer.pump()
    told = line.afnemer.failures()
    line.afnemer.mark_told(message_id)

    assert posted == [1, 2, 3, 3, 3]
    assert len({(request.headers["content-type"], request.body) for request in line.logius.requests}) == 1
    assert line.delivery(message_id).state is DeliveryState.EXPIRED
    assert [(told_id, reason.partition(":")[0]) for told_id, reason in told] == [(message_id, "DeliveryFailure")]
    assert line.afnemer.failures() == []


def test_wire_keeps_to_the_wall_clock(line, request_message):
    """
    However far the schedule is moved, a message says the time of the wall, and still has its whole life before it.
    """
    line.afnemer.advance(10 * 86_400)
    message_id = line.afnemer.send(request_message)
    line.settle()

    request = line.logius.requests[0]
    sent_at = read_message(request.headers["content-type"], request.body).message.sent_at
    assert abs(now() - sent_at) < timedelta(minutes=1)
    assert line.delivery(message_id).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [503, 500, 429])
def test_passing_trouble_is_overcome(line, request_message, status):
    """
    A server that is away for two attempts gets the message at the third.
    """
    line.logius.answer_next(status, status)
    message_id = line.afnemer.send(request_message)
    for _ in range(2):
        line.afnemer.advance(line.interval_s)
        line.settle()

    assert line.delivery(message_id).state is DeliveryState.DELIVERED
    assert len(line.logius.requests) == 3


@pytest.mark.parametrize("status", [404, 307, 501])
def test_lasting_trouble_is_the_end(line, request_message, status):
    """
    What will not pass is not repeated, and the application is told.
    """
    line.logius.answer_next(status)
    message_id = line.afnemer.send(request_message)
    line.afnemer.advance(line.interval_s)

    assert not line.afnemer.pump()
    assert line.afnemer.failures() == [(message_id, f"HTTP {status}")]


def test_nobody_there_and_cut_connections_are_overcome(line, request_message):
    """
    Nobody listens, then a connection is cut, then Logius is there: the message arrives once.
    """
    line.logius.close()
    message_id = line.afnemer.send(request_message)
    refused = line.delivery(message_id).reason
    port = int(line.urls[ROLE_LOGIUS].rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)) as cutter:

        def cut():
            with closing(cutter.accept()[0]):
                pass

        cutting = threading.Thread(target=cut)
        cutting.start()
        line.afnemer.advance(line.interval_s)
        line.afnemer.pump()
        cutting.join()
    reset = line.delivery(message_id).reason
    line.restart_logius()
    line.afnemer.advance(line.interval_s)
    line.settle()

    assert (refused.partition(":")[0], reset.partition(":")[0]) == ("refused", "reset")
    assert line.delivery(message_id).state is DeliveryState.DELIVERED
    assert line.logius.waiting(line.cpa_id, Action.BV_REQUEST) == [message_id]


def test_message_error_is_a_failure(line, request_message):
    """
    What Logius rejects is not repeated, and the application hears the code.
    """

    class Forgetful(EbmsGateway):
        def outgoing_of(self, message):
            return super().outgoing_of(replace(message, duplicate_elimination=False))

    line.restart_afnemer(Forgetful)
    message_id = line.afnemer.send(request_message)
    line.settle()
    line.afnemer.advance(line.interval_s)

    assert not line.afnemer.pump()
    assert line.logius.waiting(line.cpa_id, Action.BV_REQUEST) == []
    ((failed, reason),) = line.afnemer.failures()
    assert failed == message_id
    assert reason.startswith("Inconsistent at //Header/MessageHeader/DuplicateElimination")


@pytest.mark.parametrize("status", [204, 500])
def test_acknowledgment_may_come_before_the_answer(line, request_message, status):
    """
    A message that is acknowledged while its POST still waits stays delivered, whatever the answer is.
    """

    def acknowledge_first(request):
        EbmsGateway.answer_to(line.logius, request)
        line.logius.pump()
        return HttpAnswer(status)

    line.logius.instead = [acknowledge_first]
    message_id = line.afnemer.send(request_message)

    assert line.delivery(message_id).state is DeliveryState.DELIVERED


def test_restart_goes_on_where_it_was(line, request_message):
    """
    After a restart the same bytes are due at the same moment of a clock that did not jump back.
    """
    line.logius.answer_next(204)
    line.afnemer.advance(86_400)
    message_id = line.afnemer.send(request_message)
    before = line.delivery(message_id)
    line.restart_afnemer()
    after = line.delivery(message_id)
    is_early = line.afnemer.pump()
    line.afnemer.advance(line.interval_s)
    line.settle()

    assert (before, is_early) == (after, False)
    assert len({request.body for request in line.logius.requests}) == 1
    assert line.delivery(message_id).state is DeliveryState.DELIVERED


def test_crash_before_the_first_attempt_loses_nothing(line, request_message):
    """
    A message is kept before it is posted: a crash in between is made good by the first pump.
    """

    class Crashing(EbmsGateway):
        def post(self, *_arguments):
            raise KeyboardInterrupt

    line.restart_afnemer(Crashing)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        line.afnemer.send(request_message)
    line.restart_afnemer()
    line.settle()

    (message_id,) = line.logius.waiting(line.cpa_id, Action.BV_REQUEST)
    assert line.delivery(message_id).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"action": "GLOBE-R-BV-REQUEST"}, "GLOBE-R-BV-REQUEST"), ({"cpa_id": "CPA-2"}, "CPA-2"), ({"conversation_id": "a\x0bb"}, "XML")],
    ids=["action", "cpa", "control-character"],
)
def test_what_cannot_be_agreed_is_refused_at_once(line, request_message, changes, text):
    """
    A message that the CPA does not have, or that cannot be written, never leaves, and is not kept.
    """
    with pytest.raises(PermanentTroubleError, match=text):
        line.afnemer.send(replace(request_message, **changes))

    assert not line.afnemer.pump()
    assert line.logius.requests == []


# -- synchronous ---------------------------------------------------------------------------------------------------------------------------------


def test_synchronous_acknowledgment_comes_in_the_answer(sync_line, request_message, result_message):
    """
    With mshSignalsOnly the answer to the POST delivers a message, both ways, and nothing is posted afterwards.
    """
    sent, received = sync_line.afnemer.send(request_message), sync_line.logius.send(result_message)

    assert sync_line.delivery(sent).state is DeliveryState.DELIVERED
    assert sync_line.logius.store.delivery(received).state is DeliveryState.DELIVERED
    assert not sync_line.afnemer.pump()
    assert not sync_line.logius.pump()


def test_synchronous_rejection_comes_in_the_answer(sync_line, request_message):
    """
    A MessageError in the answer is a failure at once.
    """

    class Forgetful(EbmsGateway):
        def outgoing_of(self, message):
            return super().outgoing_of(replace(message, duplicate_elimination=False))

    sync_line.restart_afnemer(Forgetful)
    message_id = sync_line.afnemer.send(request_message)

    assert sync_line.delivery(message_id).state is DeliveryState.FAILED


@pytest.mark.parametrize("body", [b"", b"<html>Even geduld</html>"], ids=["empty", "html"])
def test_synchronous_answer_without_signal_is_repeated(sync_line, request_message, body):
    """
    An answer that holds no Acknowledgment acknowledges nothing; the copy gets one.
    """
    sync_line.logius.answer_next(200, body=body)
    message_id = sync_line.afnemer.send(request_message)
    before = sync_line.delivery(message_id).state
    sync_line.afnemer.advance(sync_line.interval_s)
    sync_line.afnemer.pump()

    assert before is DeliveryState.UNDER_WAY
    assert sync_line.delivery(message_id).state is DeliveryState.DELIVERED


def test_synchronous_acknowledgment_of_another_message_does_not_count(sync_line, request_message):
    """
    The answer must be about the message that was posted.
    """
    other = sync_line.afnemer.handler.new_message(request_message)
    written = write_message(acknowledgment_of(other, "a-1@logius.example", now()))
    sync_line.logius.answer_next(200, body=written.body)
    message_id = sync_line.afnemer.send(request_message)

    assert sync_line.delivery(message_id).state is DeliveryState.UNDER_WAY


def test_synchronous_duplicate_gets_the_same_answer(sync_line, result_message):
    """
    A copy gets the stored Acknowledgment in its own answer.
    """
    first, second = (sync_line.post_result(result_message) for _ in range(2))

    assert first.content == second.content
    assert read_message("text/xml", first.content).message.kind is Kind.ACKNOWLEDGMENT
    assert len(sync_line.afnemer.waiting(sync_line.cpa_id, Action.BV_RESULT)) == 1


# -- receiving -----------------------------------------------------------------------------------------------------------------------------------


def test_received_message_waits_until_it_is_marked(line, result_message):
    """
    It is fetched byte for byte with what stands around it, and fetching does not mark it.
    """
    line.logius.send(replace(result_message, ref_to_message_id=None, conversation_id="c-9"))
    (message_id,) = line.afnemer.waiting(line.cpa_id, Action.BV_RESULT)
    fetched = line.afnemer.fetch(message_id)
    still = line.afnemer.waiting(line.cpa_id, Action.BV_RESULT)
    line.afnemer.mark(message_id)

    assert [(part.content, part.content_type) for part in fetched.parts] == [(part.content, part.content_type) for part in result_message.parts]
    assert (fetched.from_role, fetched.conversation_id, fetched.message_id) == (ROLE_LOGIUS, "c-9", message_id)
    assert still == [message_id]
    assert line.afnemer.waiting(line.cpa_id, Action.BV_RESULT) == []
    assert line.afnemer.waiting(line.cpa_id, "ANDERE-DIENST-Result") == []


def test_unknown_message_cannot_be_fetched(line):
    """
    What was never received is refused.
    """
    with pytest.raises(PermanentTroubleError, match="no such message"):
        line.afnemer.fetch("m-1")


def test_duplicate_gets_the_same_acknowledgment_and_no_more(line, result_message):
    """
    A copy, also after a restart and with another payload, is acknowledged with the same bytes, and the application has it once.
    """
    line.post_result(result_message)
    line.afnemer.pump()
    line.post_result(result_message)
    line.afnemer.pump()
    line.restart_afnemer()
    answer = line.post_result(replace(result_message, parts=(Part(b"<other/>"),)))
    line.afnemer.pump()

    assert (answer.status_code, answer.content) == (204, b"")
    assert len(line.logius.bodies) == 3
    assert len(set(line.logius.bodies)) == 1
    (message_id,) = line.afnemer.waiting(line.cpa_id, Action.BV_RESULT)
    assert line.afnemer.fetch(message_id).parts[0].content == result_message.parts[0].content


def test_crash_between_keeping_and_acknowledging_loses_neither(line, result_message):
    """
    Message and Acknowledgment are kept together: killed after its 204 it still has the one, and still sends the other.
    """
    message_id = line.logius.send(result_message)
    line.restart_afnemer()
    line.settle()

    assert line.afnemer.waiting(line.cpa_id, Action.BV_RESULT) == [message_id]
    assert line.logius.store.delivery(message_id).state is DeliveryState.DELIVERED


def test_crash_while_keeping_keeps_nothing(line, result_message):
    """
    A message of which the Acknowledgment could not be kept is not kept either; its copy is new then.
    """

    class Crashing(EbmsGateway):
        def signal_of(self, _reception):
            raise MemoryError

    line.restart_afnemer(Crashing)
    message_id = line.logius.send(result_message)
    kept = line.afnemer.waiting(line.cpa_id, Action.BV_RESULT)
    line.restart_afnemer()
    line.logius.advance(line.interval_s)
    line.settle()

    assert kept == []
    assert line.afnemer.waiting(line.cpa_id, Action.BV_RESULT) == [message_id]
    assert line.logius.store.delivery(message_id).state is DeliveryState.DELIVERED


def test_acknowledgment_that_cannot_be_posted_comes_eventually(line, result_message):
    """
    It is tried again after a while, not for ever, and a copy of the message asks for it anew.
    """
    line.logius.answer_next(503, 503, 503, 503)
    message_id = line.logius.send(result_message)
    for _ in range(6):
        line.afnemer.pump()
        line.afnemer.advance(line.interval_s)
    tried = len(line.logius.requests)
    line.logius.advance(line.interval_s)
    line.settle()

    assert tried == 4
    assert line.logius.store.delivery(message_id).state is DeliveryState.DELIVERED


def test_rejected_message_does_not_reach_the_application(line, result_message):
    """
    What is wrong gets a MessageError, and so does its copy, the same one.
    """
    for _ in range(2):
        line.post_result(result_message, duplicate_elimination=False)
        line.afnemer.pump()

    assert line.afnemer.waiting(line.cpa_id, Action.BV_RESULT) == []
    assert len(set(line.logius.bodies)) == 1
    assert read_message("text/xml", line.logius.bodies[1]).message.kind is Kind.ERROR


def test_refused_request_leaves_no_trace(line):
    """
    What is no message is refused on its own connection, and so is one of another CPA.
    """
    agreement = line.logius.handler.agreement(line.cpa_id)
    ping = write_message(replace(ping_of(agreement, "p-1@logius.example", now()), cpa_id="CPA-2"))

    answers = [line.post(b"<a", None), line.post(b"x", {"content-type": "text/xml"}), line.post(ping.body)]

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert b"CPA-2" in answers[2].content
    assert not line.afnemer.pump()


def test_signal_about_an_unknown_message_changes_nothing(line, request_message):
    """
    An Acknowledgment of what was never sent, or in the name of somebody else, is taken and ignored.
    """
    line.logius.answer_next(204)
    message_id = line.afnemer.send(request_message)
    request = line.logius.requests[0]
    sent = read_message(request.headers["content-type"], request.body).message
    for wrong in (replace(sent, message_id="m-0@afnemer.example"), replace(sent, receiver=sent.sender)):
        answer = line.post(write_message(acknowledgment_of(wrong, "a-1@logius.example", now())).body)

        assert (answer.status_code, answer.content) == (204, b"")
    line.afnemer.take_signal(acknowledgment_of(replace(sent, message_id="m-0@afnemer.example"), "a-2@logius.example", now()))

    assert line.delivery(message_id).state is DeliveryState.UNDER_WAY


def test_ping_and_status_request_are_answered(line, result_message):
    """
    The other side can ask whether it is there, and how far a message is.
    """
    agreement = line.logius.handler.agreement(line.cpa_id)
    line.post_result(result_message)
    questions = [ping_of(agreement, "p-1@logius.example", now())]
    questions += [status_request_of(agreement, about, f"s-{about}", now()) for about in ("r-1@logius.example", "r-2@logius.example")]
    for question in questions:
        line.post(write_message(question).body)
    line.afnemer.pump()

    answers = [read_message("text/xml", body).message for body in line.logius.bodies]
    assert [answer.kind for answer in answers] == [Kind.ACKNOWLEDGMENT, Kind.PONG, Kind.STATUS_RESPONSE, Kind.STATUS_RESPONSE]
    assert [answer.status_response.status for answer in answers[2:]] == [MessageStatus.RECEIVED, MessageStatus.NOT_RECOGNIZED]


def test_silent_gateway_answers_nothing(line, result_message):
    """
    A gateway that has no signal for a message gives an empty 204, and a copy is still a copy.
    """

    class Silent(EbmsGateway):
        def signal_of(self, _reception):
            return None

    line.restart_afnemer(Silent)
    answers = [line.post_result(result_message) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    assert not line.afnemer.pump()
    assert len(line.afnemer.waiting(line.cpa_id, Action.BV_RESULT)) == 1


# -- opening -------------------------------------------------------------------------------------------------------------------------------------


def test_taken_port_is_told_and_nothing_stays_open(line, tmp_path):
    """
    A gateway that cannot listen lets go of its database.
    """
    with pytest.raises(CannotListenError, match="cannot listen on"):
        EbmsGateway(line.settings(ROLE_LOGIUS), tmp_path / "other.db", now)


def test_settings_are_read_from_the_variables(line):
    """
    The CPA comes from its file; without TLS there is no directory of certificates.
    """
    url = line.urls[ROLE_AFNEMER]
    variables = {"BERICHTENBOX_CPA": str(line.cpa_file), "BERICHTENBOX_OIN": line.oins[ROLE_AFNEMER], "BERICHTENBOX_GATEWAY": url}

    plain, secured = EbmsSettings.of(variables), EbmsSettings.of({**variables, "BERICHTENBOX_TLS": str(line.directory)})

    assert plain == line.settings(ROLE_AFNEMER)
    assert secured.tls == line.directory
