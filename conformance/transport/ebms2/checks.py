"""What a receiver checks of a message for its application, a Ping or a StatusRequest, in the order of ebms-core.

The first failure is the one that is reported: its code, its location and its description are those that ebms-core gives, so that a user
finds the same words here and there. What belongs to HTTP, MIME and the CPAId was checked before.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.agreements import Agreement, Route
from conformance.transport.ebms2.knowledge import Knowledge
from conformance.transport.ebms2.model import AckRequested, EbmsError, Message, Side
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, ACTOR_SOAP_NEXT, ACTOR_TO_PARTY, MSH_SERVICE, VERSION, ErrorCode, Kind
from conformance.transport.ebms2.reading import Received

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_TRUE: Final = frozenset({"true", "1"})
_HEADER: Final = "//Header/MessageHeader"
_INVALID: Final = "Invalid value."
_WRONG: Final = "Wrong value."
_NOT_FOUND: Final = "Value not found."


def _inconsistent(location: str, description: str) -> EbmsError:
    return EbmsError(ErrorCode.INCONSISTENT, location, description)


INVALID_CPA: Final = _inconsistent(f"{_HEADER}/@cpaid", "Invalid CPA.")
INVALID_TIMESTAMP: Final = _inconsistent(f"{_HEADER}/MessageData/Timestamp", _INVALID)
INVALID_VERSION: Final = _inconsistent(f"{_HEADER}/@version", _INVALID)
INVALID_FROM_ID: Final = _inconsistent(f"{_HEADER}/From/PartyId", _INVALID)
NO_FROM_ROLE: Final = _inconsistent(f"{_HEADER}/From/Role", _INVALID)
UNKNOWN_FROM: Final = _inconsistent(f"{_HEADER}/From/PartyId", _NOT_FOUND)
INVALID_TO_ID: Final = _inconsistent(f"{_HEADER}/To/PartyId", _INVALID)
NO_TO_ROLE: Final = _inconsistent(f"{_HEADER}/To/Role", _INVALID)
UNKNOWN_TO: Final = _inconsistent(f"{_HEADER}/To/PartyId", _NOT_FOUND)
INVALID_SERVICE: Final = _inconsistent(f"{_HEADER}/Service", _INVALID)
INVALID_ACTION: Final = _inconsistent(f"{_HEADER}/Action", _INVALID)
UNKNOWN_ACTION: Final = EbmsError(ErrorCode.VALUE_NOT_RECOGNIZED, f"{_HEADER}/Action", _NOT_FOUND)
UNKNOWN_REFERENCE: Final = EbmsError(ErrorCode.VALUE_NOT_RECOGNIZED, f"{_HEADER}/MessageData/RefToMessageId", _NOT_FOUND)
INVALID_TIME_TO_LIVE: Final = _inconsistent(f"{_HEADER}/MessageData/TimeToLive", _INVALID)
EXPIRED: Final = EbmsError(ErrorCode.TIME_TO_LIVE_EXPIRED, f"{_HEADER}/MessageData/TimeToLive")
WRONG_ELIMINATION: Final = _inconsistent(f"{_HEADER}/DuplicateElimination", _WRONG)
WRONG_ACK_REQUESTED: Final = _inconsistent("//Header/AckRequested", _WRONG)
INVALID_ACK_VERSION: Final = _inconsistent("//Header/AckRequested/@version", _INVALID)
NEXT_MSH: Final = EbmsError(ErrorCode.NOT_SUPPORTED, "//Header/AckRequested/@actor", "NextMSH not supported.")
INVALID_ACK_ACTOR: Final = _inconsistent("//Header/AckRequested/@actor", _INVALID)
WRONG_SIGNED: Final = _inconsistent("//Header/AckRequested/@signed", _WRONG)
SIGNED_ACK: Final = EbmsError(ErrorCode.NOT_SUPPORTED, "//Header/AckRequested/@signed", "Signed Acknowledgment not supported.")
WRONG_SYNC_REPLY: Final = _inconsistent("//Header/SyncReply", _WRONG)
INVALID_SYNC_VERSION: Final = _inconsistent("//Header/SyncReply/@version", _INVALID)
WRONG_SYNC_ACTOR: Final = _inconsistent("//Header/SyncReply/@actor", _WRONG)
MESSAGE_ORDER: Final = EbmsError(ErrorCode.NOT_SUPPORTED, "//Header/MessageOrder", "MessageOrder not supported.")
INVALID_MANIFEST: Final = _inconsistent("//Body/Manifest/@version", _INVALID)
NO_STATUS_REQUEST: Final = EbmsError(ErrorCode.OTHER_XML, "//Body/StatusRequest", _NOT_FOUND)
STATUS_NOT_SUPPORTED: Final = EbmsError(ErrorCode.NOT_SUPPORTED, "//Body/StatusRequest", "StatusRequest not supported.")


@dataclass(frozen=True, slots=True)
class Situation:
    """What the checks may know: the agreement, the route of a user message when it has one, the own store, and the wall clock."""

    agreement: Agreement
    route: Route | None
    knowledge: Knowledge
    now: datetime


def first_error(received: Received, at: Situation) -> EbmsError | None:
    """Return the first thing that is wrong with a message whose CPA is known and whose MessageId is new, or ``None``.

    A message for the application is checked wholly; a Ping and a StatusRequest have no role, no action of the CPA and no reliability.
    """
    message = received.message
    found = _on_header(message, at.agreement) or _on_sides(message, at.agreement) or _on_action(message, at) or _on_time(message, at)
    if found is None and message.kind is Kind.USER and at.route is not None:
        found = _on_reliability(message, at.route)
    return found or _on_sync_reply(message) or _on_content(received)


def _on_header(message: Message, agreement: Agreement) -> EbmsError | None:
    """Check rows 5 and 6: CPA agreed and in its term (MSG 3.1.2), version."""
    sent_at = message.sent_at
    if sent_at is None:  # a dateTime for the schema, of a year that no clock has
        return INVALID_TIMESTAMP
    if not agreement.is_usable_at(sent_at):
        return INVALID_CPA
    return None if message.version == VERSION else INVALID_VERSION


def _on_sides(message: Message, agreement: Agreement) -> EbmsError | None:
    """Check rows 7 to 12: both parties typed or a URI (MSG 3.1.1.1), with a role (DK Role), and the two of the CPA."""
    has_roles = message.service.flat != MSH_SERVICE
    if not _are_named(message.sender):
        return INVALID_FROM_ID
    if has_roles and not message.sender.role:
        return NO_FROM_ROLE
    if not _is_party(message.sender, agreement.other_ids):
        return UNKNOWN_FROM
    if not _are_named(message.receiver):
        return INVALID_TO_ID
    if has_roles and not message.receiver.role:
        return NO_TO_ROLE
    return None if _is_party(message.receiver, agreement.own_ids) else UNKNOWN_TO


def _are_named(side: Side) -> bool:
    return all(_is_named(one) for one in side.ids)


def _is_named(one: PartyId) -> bool:
    return bool(one.kind) or _URI.fullmatch(one.value) is not None


def _is_party(side: Side, ids: Container[str]) -> bool:
    return bool(side.ids) and all(one.flat in ids for one in side.ids)


def _on_action(message: Message, at: Situation) -> EbmsError | None:
    """Check rows 13 to 16: service (MSG 3.1.4), action, what the CPA lets both parties do (MSG 3.1.5), and what the message refers to."""
    if not _is_named(message.service):
        return INVALID_SERVICE
    if not message.action:
        return INVALID_ACTION
    if message.kind is Kind.USER and at.route is None:
        return UNKNOWN_ACTION
    ref = message.ref_to_message_id
    is_known = ref is None or at.knowledge.sent_under(ref) is not None or at.knowledge.answer_of(ref) is not None
    return None if is_known else UNKNOWN_REFERENCE


def _on_time(message: Message, at: Situation) -> EbmsError | None:
    """Check row 17 (MSG 3.1.6.4): valid only while the clock is strictly before TimeToLive."""
    if message.time_to_live is None:
        return None
    expires_at = message.expires_at
    if expires_at is None:
        return INVALID_TIME_TO_LIVE
    return EXPIRED if at.now >= expires_at else None


def _on_reliability(message: Message, route: Route) -> EbmsError | None:
    """Check rows 18 to 23: DuplicateElimination, AckRequested and SyncReply as the channel asks (MSG 6.3.1, 6.4; DK)."""
    if route.asks_elimination is not None and message.duplicate_elimination != route.asks_elimination:
        return WRONG_ELIMINATION
    asked = message.ack_requested
    if route.asks_ack is not None and (asked is not None) != route.asks_ack:
        return WRONG_ACK_REQUESTED
    if asked is not None and (found := _on_ack_requested(asked, route)) is not None:
        return found
    return None if (message.sync_reply is not None) == route.is_sync else WRONG_SYNC_REPLY


def _on_ack_requested(asked: AckRequested, route: Route) -> EbmsError | None:
    if asked.version != VERSION:
        return INVALID_ACK_VERSION
    if asked.actor == ACTOR_NEXT_MSH:
        return NEXT_MSH
    if asked.actor not in {None, ACTOR_TO_PARTY}:
        return INVALID_ACK_ACTOR
    if route.asks_signature is not None and (asked.signed in _TRUE) != route.asks_signature:
        return WRONG_SIGNED
    # Where the CPA leaves it to the message, a signed acknowledgment is asked of somebody who cannot sign.
    return SIGNED_ACK if asked.signed in _TRUE else None


def _on_sync_reply(message: Message) -> EbmsError | None:
    """Check rows 24 and 25: what a SyncReply holds, and no MessageOrder (DK ch3). Row 26: an unsigned channel ignores a signature."""
    reply = message.sync_reply
    if reply is not None and reply.version != VERSION:
        return INVALID_SYNC_VERSION
    if reply is not None and reply.actor != ACTOR_SOAP_NEXT:
        return WRONG_SYNC_ACTOR
    return MESSAGE_ORDER if message.has_message_order else None


def _on_content(received: Received) -> EbmsError | None:
    """Check rows 27 to 29 (DK Manifest): its version, and that each reference is a cid that names a part."""
    message = received.message
    if message.references is not None and message.manifest_version != VERSION:
        return INVALID_MANIFEST
    if received.bad_hrefs:
        location = f"//Body/Manifest/Reference[@href='{received.bad_hrefs[0]}']"
        return EbmsError(ErrorCode.MIME_PROBLEM, location, "URI cannot be resolved.")
    if received.missing:
        return EbmsError(ErrorCode.MIME_PROBLEM, received.missing[0], "MIME part not found.")
    if message.kind is Kind.STATUS_REQUEST and message.status_request is None:
        return NO_STATUS_REQUEST
    return None
