"""What travels around a payload."""

from dataclasses import replace

from conformance.messages.envelope import Envelope


def test_fields_are_named_as_on_the_adapter_face(envelope):
    """
    Every field that names something has its JSON key, absent ones are left out.
    """
    named = envelope.named()

    assert named["fromPartyId"] == "urn:osb:oin:00000099000000001000"
    assert set(named) == {
        "messageId",
        "conversationId",
        "cpaId",
        "fromPartyId",
        "fromRole",
        "toPartyId",
        "toRole",
        "service",
        "action",
    }
    assert set(Envelope("c", "p", "SR", "s", "a").named()) == {"cpaId", "fromPartyId", "fromRole", "service", "action"}


def test_the_repr_says_what_and_how_much(envelope):
    """
    Action, MessageId and the number of parts.
    """
    assert repr(envelope) == "<Envelope GLOBE-R-BV-Request m-1@afnemer.example: 1 parts>"
    assert repr(replace(envelope, parts=())).endswith(": 0 parts>")
