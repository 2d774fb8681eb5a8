"""What the Berichtenbox knows of MessageIds, and how it writes down who was on the other side."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conformance.berichtenbox.ebms_link import BoxKnowledge, EbmsLink, peer_text
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.tls import PeerCertificate


@pytest.fixture
def knowledge(line):
    """What a Berichtenbox knows."""
    return line.box.pusher.link.knowledge


def test_message_is_known_from_the_answer_to_it(line, knowledge):
    """
    Before it came nothing is known; then what was answered to it, and how far it is.
    """
    message = line.message()
    before = (knowledge.answer_of(message.message_id), knowledge.status_of(message.message_id).status)
    line.gateway.signal(message)
    received = knowledge.status_of(message.message_id)
    line.box.settle()
    answer = knowledge.answer_of(message.message_id)

    assert before == (None, MessageStatus.NOT_RECOGNIZED)
    assert (received.status, received.cpa_id) == (MessageStatus.RECEIVED, line.cpa.cpa_id)
    assert knowledge.status_of(message.message_id).status is MessageStatus.PROCESSED
    assert (answer.cpa_id, answer.action) == (line.cpa.cpa_id, Kind.ACKNOWLEDGMENT)
    assert answer.outgoing.body in [request.body for request in line.gateway.requests]


def test_message_that_is_being_written_is_known(knowledge):
    """
    Its copies wait for it: there is no answer to repeat yet.
    """
    with knowledge.handling("m@x", "CPA-1"):
        meanwhile = knowledge.answer_of("m@x")

    assert (meanwhile.cpa_id, meanwhile.outgoing) == ("CPA-1", None)
    assert knowledge.answer_of("m@x") is None


def test_what_came_before_a_restart_is_known(line):
    """
    Who opens a ledger that was used knows what is in it.
    """
    message, _ = line.send()

    assert BoxKnowledge(line.ledger).answer_of(message.message_id).cpa_id == line.cpa.cpa_id


def test_what_was_sent_is_known(line, knowledge):
    """
    A result, and a signal too, is known by its own MessageId.
    """
    result = line.result()
    (ack,) = line.gateway.of(Kind.ACKNOWLEDGMENT)

    assert [knowledge.sent_under(name) for name in (result.message_id, ack.message_id, "never@x")] == [line.cpa.cpa_id, line.cpa.cpa_id, None]


def test_cpa_of_others_is_of_no_use(line):
    """
    A CPA without this side is refused when the Berichtenbox is connected.
    """
    with pytest.raises(AgreementError, match="is not between this side and another party"):
        EbmsLink(line.ledger, line.cpa, "urn:osb:oin:00000099000000007777", wall=line.box.wall, new_message_id=line.box.new_message_id)


def test_peer_is_named_by_its_certificate():
    """
    Name and OIN, or that there is none; nothing without TLS.
    """
    now = datetime(2026, 11, 24, tzinfo=UTC)
    peer = PeerCertificate("00000099000000001000", "afnemer.test", "Gemeente", now, now, "RSA", 2048, is_signed_well=True, der=b"")

    assert peer_text(None) == ""
    assert peer_text(peer) == "afnemer.test, OIN 00000099000000001000"
    assert peer_text(replace(peer, oin="", common_name="")) == "a certificate without a name, no OIN"
