"""Signals: what stands in those of this side, and which of the other side's count."""

from dataclasses import replace

import pytest

from conformance.transport.cpa import PartyId
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.knowledge import KnownStatus
from conformance.transport.ebms2.model import Acknowledgment, AckRequested, EbmsError, ErrorList, Side
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, ACTOR_TO_PARTY, MSH_SERVICE, MessageStatus

STRANGER = Side((PartyId("urn:osb:oin", "00000099000000009000"),))


@pytest.fixture
def message(pair):
    """A message that the Afnemer sent."""
    message = pair.request()
    pair.store["SR"].sent[message.message_id] = "CPA_1"
    return message


@pytest.fixture
def ack(pair, message):
    """Its Acknowledgment."""
    return signals.acknowledgment_of(message, "ack@sp.example", pair.now)


def objection(pair, signal):
    """Return what the Afnemer has against a signal of Logius."""
    return signals.objection_to(signal, pair.sr.agreement("CPA_1"), pair.store["SR"])


def test_acknowledgment_mirrors_the_message(message, ack):
    """
    Parties are swapped and have no role; CPAId and ConversationId are the same; service and action are of the message service handler.
    """
    assert (ack.sender, ack.receiver) == (Side(message.receiver.ids), Side(message.sender.ids))
    assert (ack.cpa_id, ack.conversation_id, ack.ref_to_message_id) == (message.cpa_id, message.conversation_id, message.message_id)
    assert (ack.service, ack.action, ack.message_id) == (PartyId("", MSH_SERVICE), "Acknowledgment", "ack@sp.example")
    assert ack.acknowledgment == Acknowledgment(ack.timestamp, message.message_id, ACTOR_TO_PARTY, message.receiver.ids)
    assert (ack.ack_requested, ack.sync_reply, ack.time_to_live, ack.duplicate_elimination) == (None, None, None, False)
    assert (ack.references, ack.payloads) == (None, ())


def test_error_reports_one_error(pair, message):
    """
    The highest severity is that of the only error.
    """
    error = EbmsError("MimeProblem", "cid:x", "MIME part not found.", "Warning")

    assert signals.error_of(message, error, "e@sp.example", pair.now).error_list == ErrorList((error,), "Warning")


def test_question_begins_a_conversation(pair):
    """
    A Ping goes to the first PartyId of the other side, and its ConversationId is that of its MessageId.
    """
    ping = pair.sr.new_ping("CPA_1")

    assert (ping.message_id, ping.conversation_id, ping.ref_to_message_id) == ("m-1@sr.example", "m-1", None)
    assert (ping.sender.flat_ids, ping.receiver.flat_ids) == (("urn:osb:oin:00000099000000001000",), ("urn:osb:oin:00000099000000002000",))
    assert (ping.sender.role, ping.receiver.role) == (None, None)


def test_status_response_without_its_question_or_moment_leaves_them_out(pair, message):
    """
    What the store does not know is not made up.
    """
    response = signals.status_response_of(message, KnownStatus(MessageStatus.RECEIVED), "s@sp.example", pair.now).status_response

    assert (response.status, response.ref_to_message_id, response.timestamp) == ("Received", "", None)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"duplicate_elimination": True},
        {"ack_requested": AckRequested()},
        {"sender": Side((PartyId("", "urn:osb:oin:00000099000000002000"),), "SP")},
    ],
)
def test_acknowledgment_that_counts(pair, ack, changes):
    """
    An Acknowledgment may have a role, DuplicateElimination, and an untyped party.
    """
    assert objection(pair, replace(ack, **changes)) == ""


def test_acknowledgment_without_an_actor_counts(pair, ack):
    """
    No actor means the To Party MSH.
    """
    assert objection(pair, replace(ack, acknowledgment=replace(ack.acknowledgment, actor=None))) == ""


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ref_to_message_id": None}, "it has no RefToMessageId"),
        ({"ref_to_message_id": "other@x"}, "its RefToMessageId other@x names no message that was sent"),
        ({"cpa_id": "CPA_2"}, "it goes by CPA CPA_2, and the message that it answers by CPA_1"),
        ({"sender": STRANGER}, "its From is urn:osb:oin:00000099000000009000"),
        ({"sender": Side(())}, "its From is empty"),
        ({"receiver": STRANGER}, "its To is urn:osb:oin:00000099000000009000"),
        ({"version": "1.0"}, "its MessageHeader has version 1.0, not 2.0"),
        ({"acknowledgment": None}, "it has no Acknowledgment block"),
    ],
)
def test_acknowledgment_that_does_not_count(pair, ack, changes, text):
    """
    Unknown, of another CPA, not mirrored or not whole: the note says which.
    """
    assert objection(pair, replace(ack, **changes)).startswith(text)


def test_acknowledgment_that_is_not_mirrored_does_not_count(pair, message, ack):
    """
    Parties as in the message itself are the wrong way round.
    """
    assert objection(pair, replace(ack, sender=message.sender, receiver=message.receiver)).startswith("its From is ")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ref_to_message_id": "other@x"}, "its Acknowledgment names other@x, and its MessageData m-1@sr.example"),
        ({"actor": ACTOR_NEXT_MSH}, f"its actor is {ACTOR_NEXT_MSH}, not {ACTOR_TO_PARTY}"),
        ({"actor": ""}, "its actor is , not "),
        ({"version": "1.0"}, "its Acknowledgment has version 1.0, not 2.0"),
    ],
)
def test_acknowledgment_with_a_wrong_block_does_not_count(pair, ack, changes, text):
    """
    The block itself is looked at too.
    """
    assert objection(pair, replace(ack, acknowledgment=replace(ack.acknowledgment, **changes))).startswith(text)


def test_other_signals_need_their_block(pair, message):
    """
    A MessageError has an ErrorList, a StatusResponse its block, and a Pong nothing.
    """
    error = signals.error_of(message, EbmsError("Unknown"), "e@sp.example", pair.now)
    pong = signals.pong_of(message, "p@sp.example", pair.now)
    response = signals.status_response_of(message, KnownStatus(MessageStatus.NOT_RECOGNIZED), "s@sp.example", pair.now)

    assert [objection(pair, one) for one in (error, pong, response)] == ["", "", ""]
    assert objection(pair, replace(error, error_list=None)) == "it has no ErrorList"
    assert objection(pair, replace(error, error_list=replace(error.error_list, version="1"))) == "its ErrorList has version 1, not 2.0"
    assert objection(pair, replace(response, status_response=None)) == "it has no StatusResponse"


def test_reason_names_each_error(pair, message):
    """
    Code, place and words of every error stand in one line.
    """
    error = signals.error_of(message, EbmsError("MimeProblem", "cid:x", "MIME part not found."), "e@sp.example", pair.now)
    both = replace(error, error_list=ErrorList((*error.error_list.errors, EbmsError("Unknown"))))

    assert signals.reason_of(both) == "MimeProblem at cid:x (MIME part not found.); Unknown"
    assert signals.reason_of(replace(error, error_list=None)) == "a MessageError without an error"
