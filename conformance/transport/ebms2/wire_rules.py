"""What a message for the application must look like on the wire: a rule for each requirement, over the HTTP requests that a sender made.

The rules judge by the standard and by Digikoppeling, and take what both allow. They say what they saw, masked.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.guard import etree, local_name, schema_errors
from conformance.messages.moments import Moment, read_moment
from conformance.rules.findings import Finding, Objection, quoted
from conformance.transport.cpa import PARTY_TYPE, Direction
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.mime import MimeRefused, read_parameters
from conformance.transport.ebms2.names import (
    ACTOR_NEXT_MSH,
    ACTOR_TO_PARTY,
    NS_DS,
    NS_EB,
    NS_SOAP,
    NS_XLINK,
    SOAP_ACTION,
    VERSION,
)
from conformance.transport.ebms2.reading import SCHEMA
from conformance.transport.ebms2.wire_sent import Sent, SentPart, first_sendings

CLOCK_SLACK: Final = timedelta(minutes=5)
"""How far the clock of a sender may be off; a choice of the kit."""
_ROUNDING: Final = timedelta(seconds=1)
_EB: Final = f"{{{NS_EB}}}"
_MUST_UNDERSTAND, _ACTOR, _SIGNED, _EB_VERSION = f"{{{NS_SOAP}}}mustUnderstand", f"{{{NS_SOAP}}}actor", f"{_EB}signed", f"{_EB}version"
_XLINK: Final = f"{{{NS_XLINK}}}"
_SIGNATURE: Final = f"{{{NS_DS}}}Signature"
_NS_XENC: Final = "{http://www.w3.org/2001/04/xmlenc#}"
_ENCRYPTED: Final = frozenset({"application/xenc+xml", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "Header": frozenset({"MessageHeader", "AckRequested", "SyncReply", "MessageOrder", "Acknowledgment", "ErrorList"}),
    "Body": frozenset({"Manifest", "StatusRequest", "StatusResponse"}),
}
_BRACKETED: Final = re.compile(r"<[^<>\s]+>")
_OIN: Final = re.compile(r"[0-9]{20}(?:_[A-Za-z0-9]+)?")
_MESSAGE_ID: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UNWANTED: Final = ("mime-version", "content-transfer-encoding", "authorization")
_FALSE: Final = frozenset({"false", "0"})


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the CPA says of what the sender sends: ``path`` is that of the Endpoint, ``actions`` are flat services with their actions."""

    cpa_id: str
    path: str
    roles: tuple[frozenset[str], frozenset[str]]
    actions: frozenset[tuple[str, str]]
    retries: int
    interval: timedelta
    is_sync: bool
    asks_elimination: bool

    @classmethod
    def of(cls, agreement: Agreement) -> Self:
        """Return what an agreement, seen from the Afnemer, asks of its messages; raises ``AgreementError`` when it may send no batch."""
        route = agreement.outgoing(ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action.BV_REQUEST)
        sending = [one for one in agreement.own.bindings if one.direction is Direction.SEND]
        return cls(
            cpa_id=agreement.cpa_id,
            path=urlsplit(route.url).path or "/",
            roles=(agreement.own.roles, agreement.other.roles),
            actions=frozenset((one.service, one.action) for one in sending),
            retries=route.retries,
            interval=route.interval,
            is_sync=route.is_sync,
            asks_elimination=route.asks_elimination is not False,
        )


@dataclass(frozen=True, slots=True)
class WireGrading:
    """What one rule says of everything that was sent: whether it could decide, its findings, and the requests that it is against."""

    is_decided: bool
    findings: tuple[Finding, ...]
    broken_by: tuple[Sent, ...]


_Check = Callable[[Sent, Agreed], Iterator[Objection]]
_Rule = Callable[[Sequence[Sent], Agreed], Iterator[tuple[Sent, Sequence[Objection]]]]
RULES: Final[dict[str, _Rule]] = {}


def grade_sent(requirement: str, sent: Sequence[Sent], agreed: Agreed) -> WireGrading:
    """Return what the rule of a requirement says of user messages in the order in which they came; raises ``KeyError`` when it has no rule."""
    findings: list[Finding] = []
    broken_by: list[Sent] = []
    is_decided = False
    for one, objections in RULES[requirement](sent, agreed):
        is_decided = True
        where = f"message {quoted(one.message_id) or 'without a MessageId'}"
        findings += [Finding(requirement, f"{where}, {found.where}", found.expected, found.seen, found.is_note) for found in objections]
        broken_by += [one] if objections else []
    return WireGrading(is_decided, tuple(findings), tuple(broken_by))


def _on_all(requirement: str) -> Callable[[_Rule], _Rule]:
    def register(rule: _Rule) -> _Rule:
        RULES[requirement] = rule
        return rule

    return register


def _on_each(requirement: str, applies: Callable[[Sent], object] = lambda _: True) -> Callable[[_Check], _Check]:
    """Register a rule that looks at one request at a time, when it applies to it."""

    def register(check: _Check) -> _Check:
        RULES[requirement] = lambda sent, agreed: ((one, tuple(check(one, agreed))) for one in sent if applies(one))
        return check

    return register


def _has_head(sent: Sent) -> bool:
    return sent.head is not None


def _shown(text: str | None) -> str:
    return "none" if text is None else quoted(text) or "nothing"


# -- HTTP and MIME -------------------------------------------------------------------------------------------------------------------------------


@_on_each("EBMS-001")
def _post(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    request = sent.request
    if request.method != "POST":
        yield Objection("POST", quoted(request.method), "the HTTP method")
    if request.http_version != "1.1":
        yield Objection("HTTP/1.1", quoted(f"HTTP/{request.http_version}"), "the HTTP version")
    if request.path is not None and request.path != agreed.path:
        yield Objection(f"{quoted(agreed.path)}, the path of the Endpoint in the CPA", quoted(request.path), "the path")


@_on_each("EBMS-002")
def _soap_action(sent: Sent, _: Agreed) -> Iterator[Objection]:
    values = sent.headers("soapaction")
    if values != [SOAP_ACTION]:
        yield Objection(f"{SOAP_ACTION}, with the quotes", quoted(", ".join(values)) or "none", "the HTTP header SOAPAction")


@_on_each("EBMS-003", lambda sent: sent.has_parts)
def _multipart(sent: Sent, _: Agreed) -> Iterator[Objection]:
    where = "the HTTP header Content-Type"
    if sent.media != "multipart/related":
        yield Objection("multipart/related", quoted(sent.media) or sent.mime_trouble, where)
    elif sent.mime_trouble:
        yield Objection("a boundary that divides the body into parts", sent.mime_trouble, where)
    elif sent.parameters.get("type", "").lower() != "text/xml":
        yield Objection('type="text/xml"', _shown(sent.parameters.get("type")), where)
    start, first = sent.parameters.get("start"), sent.parts[0].header("content-id") if sent.parts else None
    if start is not None and sent.parts and _bare(start) != _bare(first or ""):
        yield Objection(f"start to be the Content-ID of the first part, {_shown(first)}", quoted(start), where)


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")


@_on_each("EBMS-004")
def _http_headers(sent: Sent, _: Agreed) -> Iterator[Objection]:
    for name in _UNWANTED:
        if sent.headers(name):
            yield Objection(f"no {name}", "one", "the HTTP headers")  # its value may be a secret


@_on_each("EBMS-005")
def _soap_part(sent: Sent, _: Agreed) -> Iterator[Objection]:
    where, said = "the SOAP part", sent.soap_type or ""
    try:
        media, parameters = read_parameters(said)
    except MimeRefused:
        media, parameters = said, {}
    if media != "text/xml":
        yield Objection("Content-Type text/xml", _shown(sent.soap_type), where)
    if parameters.get("charset", "utf-8").lower() not in _CHARSETS:
        yield Objection("charset UTF-8", quoted(parameters["charset"]), where)
    if sent.root is None:
        yield Objection("well-formed XML without a DOCTYPE", quoted(sent.xml_trouble), where)
    elif (encoding := sent.root.getroottree().docinfo.encoding or "UTF-8").lower() not in _CHARSETS or b"\0" in sent.soap[:4]:
        yield Objection("XML in UTF-8", quoted(encoding), where)


@_on_all("EBMS-006")
def _content_ids(sent: Sequence[Sent], _: Agreed) -> Iterator[tuple[Sent, Sequence[Objection]]]:
    known: dict[str, tuple[str, str]] = {}
    for one in (each for each in sent if each.parts):
        found = [_on_content_id(number, part) for number, part in enumerate(one.parts, 1)]
        ids = [_bare(part.header("content-id") or "") for part in one.parts]
        found += [f"{quoted(name)} for more than one part" for name in dict.fromkeys(ids) if name and ids.count(name) > 1]
        for name, part in zip(ids, one.parts, strict=True):
            message_id, digest = known.setdefault(name, (one.message_id, part.sha256))
            # The same content may keep its name (RFC 2045, 7), and a copy of a message keeps all of them.
            if name and message_id != one.message_id and digest != part.sha256:
                found.append(f"{quoted(name)}, which other content had in message {quoted(message_id)}")
        yield one, [Objection("a Content-ID of its own in angle brackets for each part", seen, "its parts") for seen in found if seen]


def _on_content_id(number: int, part: SentPart) -> str:
    said = part.header("content-id")
    return "" if said is not None and _BRACKETED.fullmatch(said) else f"part {number} with {_shown(said)}"


@_on_each("EBMS-007", lambda sent: sent.parts)
def _transfer_encoding(sent: Sent, _: Agreed) -> Iterator[Objection]:
    for number, part in enumerate(sent.parts, 1):
        if (part.header("content-transfer-encoding") or "").lower() in {"base64", "quoted-printable"}:
            yield Objection("no transfer encoding, or binary", quoted(part.header("content-transfer-encoding") or ""), f"part {number}")


# -- the envelope --------------------------------------------------------------------------------------------------------------------------------


@_on_each("EBMS-008", lambda sent: sent.root is not None)
def _blocks(sent: Sent, _: Agreed) -> Iterator[Objection]:
    if sent.head is None:
        yield Objection("an eb:MessageHeader in the SOAP Header", "none", "the envelope")
    for container, names in _KNOWN.items():
        for block in sent.blocks(container):
            name = local_name(block)
            if not str(block.tag).startswith(_EB):
                continue
            if name not in names:
                yield Objection(f"only {', '.join(sorted(names))}", f"eb:{quoted(name)}", f"the SOAP {container}")
            for error in schema_errors(block, SCHEMA, most=1) if name in names else ():
                yield Objection("what the schema has", quoted(error.text), error.path)


@_on_each("EBMS-009", _has_head)
def _header_attributes(sent: Sent, _: Agreed) -> Iterator[Objection]:
    yield from _on_attributes(sent.head, {_EB_VERSION: VERSION, _MUST_UNDERSTAND: "1"})


def _on_attributes(block: etree._Element | None, wanted: Mapping[str, str]) -> Iterator[Objection]:
    names = {_EB_VERSION: "eb:version", _MUST_UNDERSTAND: "soap:mustUnderstand"}
    for name, value in wanted.items() if block is not None else ():
        said = block.get(name) if block is not None else None
        if (said or "").strip() != value:
            yield Objection(f"{names[name]} {value}", _shown(said), local_name(block) if block is not None else "")


@_on_each("EBMS-010", _has_head)
def _party_ids(sent: Sent, _: Agreed) -> Iterator[Objection]:
    for side in ("From", "To"):
        party = sent.find(side)
        ids = [] if party is None else [one for one in party if one.tag == f"{_EB}PartyId"]
        if not ids:
            yield Objection("a PartyId", "none", side)
        for one in ids:
            if one.get(f"{_EB}type") != PARTY_TYPE:
                yield Objection(f"eb:type {PARTY_TYPE}", _shown(one.get(f"{_EB}type")), f"{side}/PartyId")
            if not _OIN.fullmatch(one.text or ""):
                yield Objection("an OIN of 20 digits, outside production with a suffix such as _T", _shown(one.text), f"{side}/PartyId")


@_on_each("EBMS-011", _has_head)
def _roles(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    for side, roles in zip(("From", "To"), agreed.roles, strict=True):
        said = sent.text(f"{side}/Role")
        if said not in roles:
            yield Objection(f"{quoted(' or '.join(sorted(roles)))}, as in the CPA", _shown(said), f"{side}/Role")


@_on_each("EBMS-012", _has_head)
def _cpa_id(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    if sent.text("CPAId") != agreed.cpa_id:
        yield Objection(quoted(agreed.cpa_id), _shown(sent.text("CPAId")), "CPAId")


@_on_each("EBMS-013", _has_head)
def _service_and_action(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    service = sent.find("Service")
    kind, value = ("", "") if service is None else (service.get(f"{_EB}type") or "", service.text or "")
    said = (f"{kind}:{value}" if kind else value, sent.text("Action") or "")
    if said not in agreed.actions:
        allowed = " or ".join(f"{action} of {name}" for name, action in sorted(agreed.actions))
        yield Objection(f"what the CPA lets this side send: {quoted(allowed)}", quoted(f"{said[1]} of {said[0]}"), "Service and Action")


@_on_all("EBMS-014")
def _message_ids(sent: Sequence[Sent], _: Agreed) -> Iterator[tuple[Sent, Sequence[Objection]]]:
    payloads: dict[str, tuple[str, ...]] = {}
    for one in (each for each in sent if each.head is not None):
        found = []
        if not _MESSAGE_ID.fullmatch(one.message_id):
            found.append(Objection("name@domain, without angle brackets", _shown(one.text("MessageData/MessageId")), "MessageId"))
        if one.message_id and one.payload != payloads.setdefault(one.message_id, one.payload) and one.request.kind:
            found.append(Objection("a MessageId of its own", "that of an earlier message with another payload", "MessageId"))
        yield one, found


@_on_all("EBMS-015")
def _timestamps(sent: Sequence[Sent], agreed: Agreed) -> Iterator[tuple[Sent, Sequence[Objection]]]:
    first = [(one, _moment(one, "Timestamp")) for one in first_sendings(sent) if one.head is not None]
    lags = [one.request.wall - moment.at for one, moment in first if moment is not None]
    is_right_now_and_then = any(abs(lag) <= CLOCK_SLACK for lag in lags)
    for one, moment in first:
        if moment is None:
            yield one, [Objection("an xs:dateTime", _shown(one.text("MessageData/Timestamp")), "Timestamp")]
            continue
        lag = one.request.wall - moment.at
        # The first sending may have failed before anybody could see it: then a later copy is the first that is seen.
        is_late_copy = is_right_now_and_then and timedelta() < lag <= CLOCK_SLACK + agreed.retries * agreed.interval
        found = Objection(f"within 5 minutes of {one.request.wall:%Y-%m-%dT%H:%M:%SZ}", _shown(one.text("MessageData/Timestamp")), "Timestamp")
        yield one, [] if abs(lag) <= CLOCK_SLACK or is_late_copy else [found]


def _moment(sent: Sent, name: str) -> Moment | None:
    return read_moment(sent.text(f"MessageData/{name}") or "")


@_on_each("EBMS-016", _has_head)
def _time_to_live(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    sent_at, expires_at = _moment(sent, "Timestamp"), _moment(sent, "TimeToLive")
    needed = (agreed.retries + 1) * agreed.interval
    if sent_at is not None and expires_at is not None and expires_at.at - sent_at.at < needed - _ROUNDING:
        yield Objection(f"at least {needed} after Timestamp, (Retries + 1) x RetryInterval", str(expires_at.at - sent_at.at), "TimeToLive")


@_on_each("EBMS-017", _has_head)
def _elimination(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    if agreed.asks_elimination and sent.find("DuplicateElimination") is None:
        yield Objection("an eb:DuplicateElimination", "none", "MessageHeader")


@_on_each("EBMS-018", _has_head)
def _ack_requested(sent: Sent, _: Agreed) -> Iterator[Objection]:
    block = sent.block("AckRequested")
    if block is None:
        yield Objection("an eb:AckRequested", "none", "the SOAP Header")
        return
    yield from _on_attributes(block, {_EB_VERSION: VERSION, _MUST_UNDERSTAND: "1"})
    if (block.get(_SIGNED) or "").strip() not in _FALSE:
        yield Objection("eb:signed false", _shown(block.get(_SIGNED)), "AckRequested")
    if block.get(_ACTOR) not in {None, ACTOR_TO_PARTY}:
        yield Objection(f"soap:actor {ACTOR_TO_PARTY}, or none", _shown(block.get(_ACTOR)), "AckRequested")


@_on_each("EBMS-019", _has_head)
def _no_sync_reply(sent: Sent, agreed: Agreed) -> Iterator[Objection]:
    if not agreed.is_sync and sent.block("SyncReply") is not None:
        yield Objection("no eb:SyncReply, since the CPA is asynchronous", "one", "the SOAP Header")


@_on_each("EBMS-020", lambda sent: sent.root is not None)
def _profile(sent: Sent, _: Agreed) -> Iterator[Objection]:
    for block in sent.blocks("Header"):
        if block.tag == _SIGNATURE or str(block.tag).startswith(_NS_XENC) or block.tag == f"{_EB}MessageOrder":
            yield Objection("no signature, no encryption and no MessageOrder in profile osb-rm", quoted(local_name(block)), "the SOAP Header")
        if block.get(_ACTOR) == ACTOR_NEXT_MSH:
            yield Objection("no actor nextMSH in profile osb-rm", "one", quoted(local_name(block)))
    for number, part in enumerate(sent.parts[1:], 2):
        said = (part.header("content-type") or "").partition(";")[0].strip().lower()
        if said in _ENCRYPTED:
            yield Objection("a payload that is not encrypted in profile osb-rm", quoted(said), f"part {number}")


@_on_each("EBMS-021", lambda sent: sent.root is not None and len(sent.parts) > 1)
def _manifest(sent: Sent, _: Agreed) -> Iterator[Objection]:
    manifests = [one for one in sent.blocks("Body") if one.tag == f"{_EB}Manifest"]
    if len(manifests) != 1:
        yield Objection("one eb:Manifest", str(len(manifests)), "the SOAP Body")
        return
    yield from _on_attributes(manifests[0], {_EB_VERSION: VERSION})
    references = manifests[0].findall(f"{_EB}Reference")
    hrefs = [(one.get(f"{_XLINK}href") or "").strip() for one in references]
    yield from (Objection("a cid: of a part", _shown(href), "Manifest/Reference") for href in hrefs if not href.lower().startswith("cid:"))
    named = [href[4:] for href in hrefs]
    ids = [_bare(part.header("content-id") or "") for part in sent.parts[1:]]
    for content_id in ids:
        count = sum(content_id in {name, unquote(name)} for name in named)
        if count != 1:
            yield Objection("one Reference for each payload", f"{count} for {_shown(content_id)}", "Manifest")
    if len(named) > len(ids):
        yield Objection(f"{len(ids)} References, as many as there are payloads", str(len(named)), "Manifest")
    yield from (found for one in references for found in _on_reference(one))


def _on_reference(reference: etree._Element) -> Iterator[Objection]:
    if reference.get(f"{_XLINK}type") not in {None, "simple"}:
        yield Objection("xlink:type simple, or none", _shown(reference.get(f"{_XLINK}type")), "Manifest/Reference")
    foreign = [name for name in map(str, reference.attrib) if name.startswith("{") and not name.startswith((_EB, _XLINK))]
    if foreign:
        yield Objection("no attributes of other namespaces", quoted(", ".join(foreign)), "Manifest/Reference")


@_on_all("EBMS-041")
def _conversations(sent: Sequence[Sent], _: Agreed) -> Iterator[tuple[Sent, Sequence[Objection]]]:
    """Two messages are certainly of one conversation when the second is a copy of the first, or refers to it."""
    known: dict[str, str] = {}
    for one in (each for each in sent if each.head is not None):
        said = one.text("ConversationId") or ""
        before = known.get(one.message_id) or known.get(one.text("MessageData/RefToMessageId") or "")
        known.setdefault(one.message_id, said)
        wanted = f"{quoted(before)}, as in the message that it belongs to" if before else "a ConversationId"
        yield one, [] if said and before in {None, said} else [Objection(wanted, _shown(said), "ConversationId")]
