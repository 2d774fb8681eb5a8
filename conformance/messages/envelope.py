"""What travels around a payload: parties, roles, service, action and ids, in the flat spelling of the adapter face."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

SERVICE: Final = "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0"
ROLE_AFNEMER: Final = "SR"
ROLE_LOGIUS: Final = "SP"


class Action(StrEnum):
    """The actions of the koppelvlak."""

    BV_REQUEST = "GLOBE-R-BV-Request"
    BV_RESULT = "GLOBE-R-BV-Result"
    A_REQUEST = "GLOBE-R-A-Request"
    A_RESULT = "GLOBE-R-A-Result"


@dataclass(frozen=True, slots=True)
class Part:
    """One payload part, as bytes."""

    content: bytes = field(repr=False)
    content_type: str = "text/xml"
    name: str | None = None
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One ebMS user message: who, to whom, what. Optional fields are ``None`` when the sender left them to the CPA."""

    cpa_id: str
    from_party: str
    from_role: str
    service: str
    action: str
    to_party: str | None = None
    to_role: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    ref_to_message_id: str | None = None
    parts: tuple[Part, ...] = ()

    def __repr__(self) -> str:
        return f"<Envelope {self.action} {self.message_id}: {len(self.parts)} parts>"

    def named(self) -> Mapping[str, str]:
        """Return the fields that name something, by their JSON key on the adapter face; absent ones are left out."""
        fields = {
            "messageId": self.message_id,
            "conversationId": self.conversation_id,
            "refToMessageId": self.ref_to_message_id,
            "cpaId": self.cpa_id,
            "fromPartyId": self.from_party,
            "fromRole": self.from_role,
            "toPartyId": self.to_party,
            "toRole": self.to_role,
            "service": self.service,
            "action": self.action,
        }
        return {key: value for key, value in fields.items() if value is not None}


def payload_of(envelope: Envelope) -> bytes:
    """Return the payload that is to be read: the first part that looks like XML, else the first part, else nothing."""
    for part in envelope.parts:
        if part.content.lstrip()[:1] == b"<":
            return part.content
    return envelope.parts[0].content if envelope.parts else b""


def answering(envelope: Envelope, logius_party: str, action: str, reference: str | None, parts: tuple[Part, ...]) -> Envelope:
    """Return the envelope, without a MessageId, of what Logius answers to a message of an Afnemer: the parties and roles change places."""
    return replace(
        envelope,
        from_party=logius_party,
        from_role=ROLE_LOGIUS,
        to_party=envelope.from_party,
        to_role=ROLE_AFNEMER,
        action=action,
        message_id=None,
        ref_to_message_id=reference,
        parts=parts,
    )
