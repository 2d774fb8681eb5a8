"""A CPA as both sides use it: read into a frozen model, and made for a test connection.

Reading is mild: what cannot be read is remembered as a finding, so that `berichtenbox cpa check` can tell ten mistakes at once.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.guard import Limits, XmlRefused, etree, local_name, parse
from conformance.messages.identities import PARTY_PREFIX
from conformance.messages.moments import Moment, read_moment
from conformance.rules.findings import quoted
from conformance.transport.tls import read_certificate

NS_CPA: Final = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
NS_XLINK: Final = "http://www.w3.org/1999/xlink"
NS_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
NS_EBMS: Final = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
TO_PARTY_MSH: Final = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
PARTY_TYPE: Final = PARTY_PREFIX.rstrip(":")
SERVICE_TYPE: Final = "urn:osb:services"
A_REQUEST: Final = "GLOBE-R-A-Request"
A_RESULT: Final = "GLOBE-R-A-Result"  # by analogy with GLOBE-R-BV-Result, until Logius says so
SENT_BY: Final[Mapping[str, tuple[str, ...]]] = {ROLE_AFNEMER: (Action.BV_REQUEST, A_REQUEST), ROLE_LOGIUS: (Action.BV_RESULT, A_RESULT)}
LIMITS: Final = Limits(size=2_000_000, markup=20_000, depth=40, attributes=10_000)
_CPA: Final = f"{{{NS_CPA}}}"
_SIDES: Final = 2
_COUNT: Final = re.compile(r"[0-9]{1,4}")
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,6})Y)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,10}(?:\.[0-9]{1,6})?)S)?)?"
)
_LONGEST_DURATION: Final = timedelta(days=36_500)
_UNITS: Final = (timedelta(days=365), timedelta(days=30), timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_T = TypeVar("_T")


def read_duration(text: str) -> timedelta | None:
    """Return what an ``xs:duration`` lasts, a year as 365 days and a month as 30, or ``None`` when it is none, negative, or longer than a life."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    duration = sum((float(number or 0) * unit for number, unit in zip(found.groups(), _UNITS, strict=True)), timedelta())
    return duration if duration <= _LONGEST_DURATION else None


def write_duration(duration: timedelta) -> str:
    """Return an ``xs:duration`` of whole seconds in days, hours, minutes and seconds."""
    minutes, seconds = divmod(int(duration.total_seconds()) % 86_400, 60)
    hours, minutes = divmod(minutes, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    days = f"{duration.days}D" if duration.days else ""
    return f"P{days}T{time}" if time else f"P{days or 'T0S'}"


class Direction(StrEnum):
    """Which way an action goes, seen from the party that has the binding."""

    SEND = "CanSend"
    RECEIVE = "CanReceive"

    @property
    def other(self) -> "Direction":
        """Return what the other side must have."""
        return Direction.RECEIVE if self is Direction.SEND else Direction.SEND


@dataclass(frozen=True, slots=True)
class CpaFinding:
    """One problem of a CPA: ``what`` is a fixed word; a warning does not make the CPA unusable."""

    what: str
    where: str
    expected: str
    got: str
    hint: str
    is_warning: bool = False


class CpaRefused(ValueError):  # noqa: N818  # the sentence reads "CPA refused"
    """A text that is not read as a CPA; ``finding`` says why."""

    def __init__(self, finding: CpaFinding) -> None:
        super().__init__(f"{finding.where}: expected {finding.expected}, got {finding.got}.\n  Hint: {finding.hint}.")
        self.finding = finding


@dataclass(frozen=True, slots=True)
class PartyId:
    """One id of a party, as it stands in the CPA: its type (empty when there is none) and its text."""

    kind: str
    value: str

    @property
    def flat(self) -> str:
        """Return type and value in one string, as both are compared."""
        return f"{self.kind}:{self.value}" if self.kind else self.value


@dataclass(frozen=True, slots=True)
class Reliability:
    """How one side of a channel repeats and remembers; ``None`` where the CPA says nothing that can be read."""

    retries: int | None
    interval: timedelta | None
    persist: timedelta | None
    order: str

    @property
    def time_to_live(self) -> timedelta | None:
        """Return how long a message may be under way: (1 + retries) x interval."""
        return None if self.retries is None or self.interval is None else (1 + self.retries) * self.interval


@dataclass(frozen=True, slots=True)
class Channel:
    """A DeliveryChannel with its transport and its document exchange; a reference that leads nowhere leaves its values empty."""

    channel_id: str
    endpoint: str
    sync_reply: str
    ack_requested: str
    ack_signature: str
    duplicate_elimination: str
    actor: str
    protocols: tuple[str, ...]
    security: tuple[str, ...]
    sender: Reliability | None
    receiver: Reliability | None


@dataclass(frozen=True, slots=True)
class Binding:
    """One action that a party can send or receive: its role, its flat service, and over which channel (``None`` when that does not exist).

    ``other`` names the binding of the other party, or is empty; ``protection`` holds the BusinessTransactionCharacteristics.
    """

    binding_id: str
    role: str
    service: str
    direction: Direction
    action: str
    channel: Channel | None
    other: str
    protection: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a party, as DER."""

    cert_id: str
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Party:
    """One side of the CPA."""

    name: str
    ids: tuple[PartyId, ...]
    bindings: tuple[Binding, ...]
    channels: Mapping[str, Channel] = field(hash=False)
    default_channel: str
    overrides: Mapping[str, str] = field(hash=False)
    certificates: tuple[Certificate, ...] = ()

    @property
    def flat_ids(self) -> frozenset[str]:
        """Return its ids as they are compared."""
        return frozenset(party_id.flat for party_id in self.ids)

    @property
    def roles(self) -> frozenset[str]:
        """Return the roles that it plays; osb-rm allows one."""
        return frozenset(binding.role for binding in self.bindings)

    def binding(self, direction: Direction, role: str, service: str, action: str) -> Binding | None:
        """Return the binding that lets this party send or receive an action in a role, or ``None`` when it may not."""
        wanted = (direction, role, service, action)
        return next((one for one in self.bindings if (one.direction, one.role, one.service, one.action) == wanted), None)

    def signal_channel(self, action: str) -> Channel | None:
        """Return the channel of an MSH signal such as ``Acknowledgment``: its own one, or else the default."""
        return self.channels.get(self.overrides.get(action, self.default_channel))


@dataclass(frozen=True, slots=True)
class Cpa:
    """A CPA. ``unreadable`` are the values that could not be read, found on the way."""

    cpa_id: str
    version: str
    status: str
    start: Moment | None
    end: Moment | None
    parties: tuple[Party, ...]
    unreadable: tuple[CpaFinding, ...] = ()

    def __repr__(self) -> str:
        return f"<Cpa {self.cpa_id}: {self.status}, {' and '.join(party.name for party in self.parties)}>"

    def party(self, flat_ids: Iterable[str]) -> Party | None:
        """Return the party of the ids in a header: at least one, and each of them in the CPA."""
        wanted = frozenset(flat_ids)
        return next((party for party in self.parties if wanted and wanted <= party.flat_ids), None)

    def other(self, party: Party) -> Party | None:
        """Return the side that ``party`` talks to."""
        return next((one for one in self.parties if one is not party), None)

    def is_usable_at(self, at: datetime) -> bool:
        """Tell whether a message of this moment may use the CPA: it is agreed, and within its term."""
        return self.status == "agreed" and self.start is not None and self.end is not None and self.start.at <= at <= self.end.at


# Reading


def read_cpa(data: bytes) -> Cpa:
    """Return the CPA of an XML document; raises :class:`CpaRefused` when it is not well-formed, too large, hostile, or no CPA at all."""
    try:
        root = parse(data, LIMITS)
    except XmlRefused as refusal:
        where = f"line {refusal.line}" if refusal.line else "the document"
        hint = "write it as plain XML in UTF-8, without a DOCTYPE"
        raise CpaRefused(CpaFinding(str(refusal.reason), where, "XML that is well-formed", quoted(str(refusal)), hint)) from None
    if root.tag != f"{_CPA}CollaborationProtocolAgreement":
        hint = f"give a CPA of ebXML CPPA 2.0, in namespace {NS_CPA}"
        raise CpaRefused(CpaFinding("wrong-root", "the root element", "CollaborationProtocolAgreement", quoted(str(root.tag)), hint))
    return _Reader().cpa(root)


def _attribute(element: etree._Element, name: str) -> str:
    return (element.get(f"{_CPA}{name}") or "").strip()


def _text(element: etree._Element, path: str) -> str:
    return (element.findtext(path, "", {"t": NS_CPA}) or "").strip()


def _all(element: etree._Element, path: str) -> list[etree._Element]:
    return element.findall(path, {"t": NS_CPA})


class _Reader:
    """Reads the elements, and remembers what could not be read."""

    def __init__(self) -> None:
        self.unreadable: list[CpaFinding] = []

    def cpa(self, root: etree._Element) -> Cpa:
        self._check_attributes(root)
        statuses = _all(root, "t:Status")
        start, end = (self._value(root, f"t:{name}", read_moment, "an xs:dateTime") for name in ("Start", "End"))
        parties = tuple(self._party(info) for info in _all(root, "t:PartyInfo"))
        status = _attribute(statuses[0], "value") if statuses else ""
        return Cpa(_attribute(root, "cpaid"), _attribute(root, "version"), status, start, end, parties, tuple(self.unreadable))

    def _check_attributes(self, root: etree._Element) -> None:
        plain = [(element, str(name)) for element in root.iter(f"{_CPA}*") for name in element.attrib if not str(name).startswith("{")]
        if plain:
            element, name = plain[0]
            hint = f"write every attribute of a CPA with a prefix, as in tns:cpaid; {len(plain)} have none"
            self._tell("unqualified-attribute", element, "attributes in the namespace of the CPA", name, hint)
        named = ((element, _ID_NAMES.get(local_name(element))) for element in root.iter(f"{_CPA}*"))
        ids = Counter(value for element, name in named if name and (value := _attribute(element, name)))
        for value in sorted(value for value, times in ids.items() if times > 1):
            self._tell("duplicate-id", root, "ids that are unique in the document", value, "give each element its own id")

    def _tell(self, what: str, element: etree._Element, expected: str, got: str, hint: str) -> None:
        where = f"{local_name(element)}, line {element.sourceline}"
        self.unreadable.append(CpaFinding(what, where, expected, quoted(got), hint))

    def _value(self, parent: etree._Element, path: str, read: Callable[[str], _T | None], expected: str) -> _T | None:
        """Return the value of a child, or ``None`` when there is none; one that cannot be read is told."""
        text = _text(parent, path)
        value = read(text) if text else None
        if text and value is None:
            self._tell("unreadable-value", parent, f"{path.rpartition(':')[2]} that is {expected}", text, f"write it as {expected}")
        return value

    def _party(self, info: etree._Element) -> Party:
        channels = self._channels(info)
        ids = tuple(PartyId(_attribute(one, "type"), (one.text or "").strip()) for one in _all(info, "t:PartyId"))
        overrides = {_attribute(one, "action"): _attribute(one, "channelId") for one in _all(info, "t:OverrideMshActionBinding")}
        certificates = tuple(self._certificates(info))
        bindings = tuple(self._bindings(info, channels))
        return Party(_attribute(info, "partyName"), ids, bindings, channels, _attribute(info, "defaultMshChannelId"), overrides, certificates)

    def _certificates(self, info: etree._Element) -> Iterator[Certificate]:
        for element in _all(info, "t:Certificate"):
            texts = [one.text or "" for one in element.iter(f"{{{NS_DS}}}X509Certificate")]
            try:
                der = base64.b64decode("".join(texts[0].split()), validate=True) if texts else b""
                read_certificate(der)
            except (ValueError, binascii.Error):
                self._tell(
                    "certificate",
                    element,
                    "an X.509 certificate in base64",
                    "something else",
                    "take it from the PEM file, without its lines of dashes",
                )
            else:
                yield Certificate(_attribute(element, "certId"), der)

    def _channels(self, info: etree._Element) -> dict[str, Channel]:
        transports = {_attribute(one, "transportId"): one for one in _all(info, "t:Transport")}
        exchanges = {_attribute(one, "docExchangeId"): self._exchange(one) for one in _all(info, "t:DocExchange")}
        channels = {}
        for element in _all(info, "t:DeliveryChannel"):
            transport = transports.get(_attribute(element, "transportId"))
            sender, receiver = exchanges.get(_attribute(element, "docExchangeId"), (None, None))
            channels[_attribute(element, "channelId")] = _channel(element, transport, sender, receiver)
        return channels

    def _exchange(self, element: etree._Element) -> tuple[Reliability | None, Reliability | None]:
        sender, receiver = (_all(element, f"t:{name}") for name in ("ebXMLSenderBinding", "ebXMLReceiverBinding"))
        return self._reliability(sender), self._reliability(receiver)

    def _reliability(self, bindings: list[etree._Element]) -> Reliability | None:
        if not bindings:
            return None
        element, within = bindings[0], "t:ReliableMessaging/t:"
        return Reliability(
            self._value(element, f"{within}Retries", _read_count, "a whole number"),
            self._value(element, f"{within}RetryInterval", read_duration, "an xs:duration such as PT3H"),
            self._value(element, "t:PersistDuration", read_duration, "an xs:duration such as P2D"),
            _text(element, f"{within}MessageOrderSemantics"),
        )

    def _bindings(self, info: etree._Element, channels: Mapping[str, Channel]) -> Iterator[Binding]:
        for collaboration in _all(info, "t:CollaborationRole"):
            roles = _all(collaboration, "t:Role")
            role = _attribute(roles[0], "name") if roles else ""
            for service_binding in _all(collaboration, "t:ServiceBinding"):
                services = _all(service_binding, "t:Service")
                service = PartyId(_attribute(services[0], "type"), (services[0].text or "").strip()).flat if services else ""
                for direction in Direction:
                    for element in service_binding.iter(f"{_CPA}{direction}"):
                        yield from _actions(element, role, service, direction, channels)


_ID_NAMES: Final = {
    "ThisPartyActionBinding": "id",
    "DeliveryChannel": "channelId",
    "Transport": "transportId",
    "DocExchange": "docExchangeId",
    "Certificate": "certId",
    "SimplePart": "id",
    "Packaging": "id",
    "Composite": "id",
}


def _read_count(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) else None


def _channel(element: etree._Element, transport: etree._Element | None, sender: Reliability | None, receiver: Reliability | None) -> Channel:
    found = _all(element, "t:MessagingCharacteristics")
    names = ("syncReplyMode", "ackRequested", "ackSignatureRequested", "duplicateElimination", "actor")
    said = {name: _attribute(found[0], name) if found else "" for name in names}
    endpoints = [] if transport is None else _all(transport, "t:TransportReceiver/t:Endpoint")
    return Channel(
        channel_id=_attribute(element, "channelId"),
        endpoint=_attribute(endpoints[0], "uri") if endpoints else "",
        sync_reply=said["syncReplyMode"] or "none",
        ack_requested=said["ackRequested"] or "perMessage",
        ack_signature=said["ackSignatureRequested"] or "perMessage",
        duplicate_elimination=said["duplicateElimination"] or "perMessage",
        actor=said["actor"],
        protocols=_protocols(transport, "TransportProtocol"),
        security=_protocols(transport, "TransportSecurityProtocol"),
        sender=sender,
        receiver=receiver,
    )


def _protocols(transport: etree._Element | None, name: str) -> tuple[str, ...]:
    return () if transport is None else tuple((one.text or "").strip() for one in transport.iter(f"{_CPA}{name}"))


def _actions(element: etree._Element, role: str, service: str, direction: Direction, channels: Mapping[str, Channel]) -> Iterator[Binding]:
    other = _text(element, "t:OtherPartyActionBinding")
    for one in _all(element, "t:ThisPartyActionBinding"):
        characteristics = _all(one, "t:BusinessTransactionCharacteristics")
        protection = {etree.QName(str(name)).localname: str(value) for name, value in characteristics[0].attrib.items()} if characteristics else {}
        channel = channels.get(_text(one, "t:ChannelId"))
        yield Binding(_attribute(one, "id"), role, service, direction, _attribute(one, "action"), channel, other, protection)


# Making


@dataclass(frozen=True, slots=True)
class Terms:
    """What the CPA of a test connection says; durations in whole seconds, moments aware, OINs without prefix, certificates as DER by role."""

    cpa_id: str
    oins: Mapping[str, str]
    endpoints: Mapping[str, str]
    start: datetime
    end: datetime
    retries: int
    retry_interval: timedelta
    persist: timedelta
    certificates: Mapping[str, bytes] = field(default_factory=dict)
    sync_reply: str = "none"


def new_cpa(terms: Terms) -> bytes:
    """Return a CPA of profile osb-rm with the actions of the Berichtenbox and a channel for MSH signals, as XML in UTF-8.

    ``sync_reply`` of ``terms`` holds for every channel: ebms-core cannot have them differ. ``oins``, ``endpoints`` and ``certificates`` go by role:
    SR is the Afnemer, SP is Logius.
    """
    moments = {name: f"{moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in (("Start", terms.start), ("End", terms.end))}
    root = etree.Element(f"{_CPA}CollaborationProtocolAgreement", nsmap={"tns": NS_CPA, "xlink": NS_XLINK, "ds": NS_DS})
    root.set(f"{_CPA}cpaid", terms.cpa_id)
    root.set(f"{_CPA}version", "2_0b")
    root.append(_new("Status", value="agreed"))
    root.extend([_new(name, text) for name, text in moments.items()])
    root.extend([_new_party(terms, role) for role in SENT_BY])
    header = _new("NamespaceSupported", NS_EBMS, location=NS_EBMS, version="2.0")
    root.append(_new("SimplePart", header, id="Part_Header", mimetype="text/xml"))
    root.append(_new("SimplePart", id="Part_Payload", mimetype="text/xml"))
    root.append(_new_packaging("Signal", "Part_Header"))
    root.append(_new_packaging("Message", "Part_Header", "Part_Payload"))
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _new(name: str, /, *content: "etree._Element | str", **attributes: str) -> etree._Element:
    """Make an element with qualified attributes; ``xlink_href`` stands for that of XLink."""
    element = etree.Element(f"{_CPA}{name}")
    for key, value in attributes.items():
        element.set(f"{{{NS_XLINK}}}{key.removeprefix('xlink_')}" if key.startswith("xlink_") else f"{_CPA}{key}", value)
    for one in content:
        if isinstance(one, str):
            element.text = one
        else:
            element.append(one)
    return element


def _new_party(terms: Terms, role: str) -> etree._Element:
    name = {ROLE_AFNEMER: "Afnemer (test)", ROLE_LOGIUS: "Logius Berichtenbox (test)"}[role]
    certificate = terms.certificates.get(role)
    return _new(
        "PartyInfo",
        _new("PartyId", terms.oins[role], type=PARTY_TYPE),
        _new("PartyRef", xlink_type="simple", xlink_href=""),
        _new_collaboration(role),
        *([_new_certificate(role, certificate)] if certificate else []),
        _new_channel(role, "Messages", "always", terms.sync_reply),
        # An Acknowledgment is itself never acknowledged.
        _new_channel(role, "Signals", "never", terms.sync_reply),
        _new_transport(role, terms.endpoints[role], has_certificate=certificate is not None),
        _new_exchange(terms, role),
        partyName=name,
        defaultMshChannelId=f"{role}_Channel_Signals",
        defaultMshPackageId="Package_Signal",
    )


def _new_collaboration(role: str) -> etree._Element:
    other = ROLE_LOGIUS if role == ROLE_AFNEMER else ROLE_AFNEMER
    service = _new("Service", SERVICE.removeprefix(f"{SERVICE_TYPE}:"), type=SERVICE_TYPE)
    sent = [_new_binding(Direction.SEND, role, other, action) for action in SENT_BY[role]]
    received = [_new_binding(Direction.RECEIVE, role, other, action) for action in SENT_BY[other]]
    return _new(
        "CollaborationRole",
        _new("ProcessSpecification", name="Berichtenbox", version="2.0", xlink_type="simple", xlink_href="urn:berichtenbox-conformance:process"),
        _new("Role", name=role, xlink_type="simple", xlink_href=f"urn:berichtenbox-conformance:role:{role}"),
        _new("ServiceBinding", service, *sent, *received),
    )


def _new_binding(direction: Direction, role: str, other: str, action: str) -> etree._Element:
    never = dict.fromkeys(("isNonRepudiationRequired", "isNonRepudiationReceiptRequired", "isIntelligibleCheckRequired"), "false")
    transient = dict.fromkeys(("isConfidential", "isAuthenticated", "isTamperProof"), "transient")
    characteristics = _new("BusinessTransactionCharacteristics", **never, **transient, isAuthorizationRequired="true", timeToPerform="P2D")
    channel = _new("ChannelId", f"{role}_Channel_Messages")
    binding = _new("ThisPartyActionBinding", characteristics, channel, id=f"{role}_{direction}_{action}", action=action, packageId="Package_Message")
    return _new(direction, binding, _new("OtherPartyActionBinding", f"{other}_{direction.other}_{action}"))


def _new_certificate(role: str, der: bytes) -> etree._Element:
    info = etree.Element(f"{{{NS_DS}}}KeyInfo")
    data = etree.SubElement(info, f"{{{NS_DS}}}X509Data")
    etree.SubElement(data, f"{{{NS_DS}}}X509Certificate").text = base64.b64encode(der).decode()
    return _new("Certificate", info, certId=f"{role}_Certificate")


def _new_channel(role: str, name: str, reliable: str, sync_reply: str) -> etree._Element:
    said = {"ackRequested": reliable, "duplicateElimination": reliable, "ackSignatureRequested": "never", "actor": TO_PARTY_MSH}
    characteristics = _new("MessagingCharacteristics", syncReplyMode=sync_reply, **said)
    ids = {"transportId": f"{role}_Transport", "docExchangeId": f"{role}_DocExchange"}
    return _new("DeliveryChannel", characteristics, channelId=f"{role}_Channel_{name}", **ids)


def _new_transport(role: str, endpoint: str, *, has_certificate: bool) -> etree._Element:
    """Make both sides of a transport; the schema has no server security without a certificate."""

    def security(side: str) -> list[etree._Element]:
        reference = [_new(f"{side}CertificateRef", certId=f"{role}_Certificate")] if has_certificate else []
        secured = [_new(f"Transport{side}Security", _new("TransportSecurityProtocol", "TLS", version="1.2"), *reference)]
        return secured if side == "Client" or has_certificate else []

    http = [_new("TransportProtocol", "HTTP", version="1.1") for _ in range(_SIDES)]
    sender = _new("TransportSender", http[0], *security("Client"))
    receiver = _new("TransportReceiver", http[1], _new("Endpoint", uri=endpoint, type="allPurpose"), *security("Server"))
    return _new("Transport", sender, receiver, transportId=f"{role}_Transport")


def _new_exchange(terms: Terms, role: str) -> etree._Element:
    def binding(name: str) -> etree._Element:
        interval, order = _new("RetryInterval", write_duration(terms.retry_interval)), _new("MessageOrderSemantics", "NotGuaranteed")
        reliable = _new("ReliableMessaging", _new("Retries", str(terms.retries)), interval, order)
        return _new(name, reliable, _new("PersistDuration", write_duration(terms.persist)), version="2.0")

    return _new("DocExchange", binding("ebXMLSenderBinding"), binding("ebXMLReceiverBinding"), docExchangeId=f"{role}_DocExchange")


def _new_packaging(name: str, *parts: str) -> etree._Element:
    constituents = [_new("Constituent", idref=part) for part in parts]
    composite = _new("Composite", *constituents, id=f"Composite_{name}", mimetype="multipart/related", mimeparameters="type=text/xml")
    capabilities = _new("ProcessingCapabilities", parse="true", generate="true")
    return _new("Packaging", capabilities, _new("CompositeList", composite), id=f"Package_{name}")
