"""An ebMS message as a value: what stands in its SOAP envelope, and the payload parts that its Manifest names.

Texts are kept as they stand on the wire, so that a receiver can judge them and a test can send wrong ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from conformance.messages.envelope import Envelope, Part
from conformance.messages.moments import read_moment
from conformance.transport.cpa import SERVICE_TYPE, PartyId
from conformance.transport.ebms2.names import ACTOR_SOAP_NEXT, ACTOR_TO_PARTY, MSH_SERVICE, VERSION, ErrorCode, Kind, MessageStatus, Severity

_SIGNALS: Final[Mapping[str, Kind]] = {str(kind): kind for kind in Kind if kind is not Kind.USER}
_SERVICE_PREFIX: Final = f"{SERVICE_TYPE}:"


@dataclass(frozen=True, slots=True)
class Side:
    """``eb:From`` or ``eb:To``: one or more ids, and the role, which signals leave out."""

    ids: tuple[PartyId, ...]
    role: str | None = None

    @property
    def flat_ids(self) -> tuple[str, ...]:
        """Return its ids as they are compared with the CPA."""
        return tuple(party_id.flat for party_id in self.ids)


@dataclass(frozen=True, slots=True)
class AckRequested:
    """``eb:AckRequested``."""

    signed: str = "false"
    actor: str | None = ACTOR_TO_PARTY
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class SyncReply:
    """``eb:SyncReply``."""

    actor: str = ACTOR_SOAP_NEXT
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """``eb:Acknowledgment``: ``timestamp`` is when the acknowledged message was received."""

    timestamp: str
    ref_to_message_id: str
    actor: str | None = ACTOR_TO_PARTY
    sender: tuple[PartyId, ...] = ()
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class EbmsError:
    """``eb:Error``: ``location`` is an XPath or a cid, ``description`` a sentence in ``lang``."""

    code: ErrorCode | str
    location: str = ""
    description: str = ""
    severity: Severity | str = Severity.ERROR
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class ErrorList:
    """``eb:ErrorList``."""

    errors: tuple[EbmsError, ...]
    highest_severity: Severity | str = Severity.ERROR
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """``eb:StatusRequest``."""

    ref_to_message_id: str
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class StatusResponse:
    """``eb:StatusResponse``: ``timestamp`` is when the message that was asked about was received."""

    status: MessageStatus | str
    ref_to_message_id: str
    timestamp: str | None = None
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Message:
    """One ebMS message. ``references`` are the hrefs of the Manifest in its order (``None``: no Manifest), ``payloads`` the parts that they name.

    ``service`` has a type and a text, as a PartyId has. What is absent on the wire is ``None``.
    """

    sender: Side
    receiver: Side
    cpa_id: str
    conversation_id: str
    service: PartyId
    action: str
    message_id: str
    timestamp: str
    ref_to_message_id: str | None = None
    time_to_live: str | None = None
    duplicate_elimination: bool = False
    version: str = VERSION
    ack_requested: AckRequested | None = None
    sync_reply: SyncReply | None = None
    has_message_order: bool = False
    has_signature: bool = False
    acknowledgment: Acknowledgment | None = None
    error_list: ErrorList | None = None
    references: tuple[str, ...] | None = None
    manifest_version: str = VERSION
    status_request: StatusRequest | None = None
    status_response: StatusResponse | None = None
    payloads: tuple[Part, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        return f"<Message {self.action} {self.message_id}: {len(self.payloads)} payloads>"

    @property
    def kind(self) -> Kind:
        """Return what kind of message it is: by its Service, and then its Action; an unknown action of the MSH service is a ``USER`` message."""
        return _SIGNALS.get(self.action, Kind.USER) if self.service.flat == MSH_SERVICE else Kind.USER

    @property
    def sent_at(self) -> datetime | None:
        """Return the Timestamp in UTC, or ``None`` when it is no dateTime."""
        moment = read_moment(self.timestamp)
        return None if moment is None else moment.at

    @property
    def expires_at(self) -> datetime | None:
        """Return the TimeToLive in UTC, or ``None`` when there is none."""
        moment = None if self.time_to_live is None else read_moment(self.time_to_live)
        return None if moment is None else moment.at

    def envelope(self) -> Envelope:
        """Return what the message says in the flat spelling that the rules and the ledger have."""
        return Envelope(
            cpa_id=self.cpa_id,
            from_party=next(iter(self.sender.flat_ids), ""),
            from_role=self.sender.role or "",
            service=self.service.flat,
            action=self.action,
            to_party=next(iter(self.receiver.flat_ids), None),
            to_role=self.receiver.role,
            conversation_id=self.conversation_id,
            message_id=self.message_id,
            ref_to_message_id=self.ref_to_message_id,
            parts=self.payloads,
        )


def service_of(flat: str) -> PartyId:
    """Return a flat service as it is split on the wire: ``urn:osb:services`` and its name."""
    return PartyId(SERVICE_TYPE, flat.removeprefix(_SERVICE_PREFIX)) if flat.startswith(_SERVICE_PREFIX) else PartyId("", flat)
