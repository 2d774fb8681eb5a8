"""What is wrong with a CPA for the services of the Berichtenbox, as far as a document shows: the profile is osb-rm of Digikoppeling."""

import ipaddress
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE
from conformance.messages.identities import PARTY_PREFIX
from conformance.rules.findings import quoted
from conformance.transport.cpa import (
    PARTY_TYPE,
    SENT_BY,
    SERVICE_TYPE,
    TO_PARTY_MSH,
    Binding,
    Channel,
    Cpa,
    CpaFinding,
    Direction,
    Party,
    PartyId,
    write_duration,
)
from conformance.transport.tls import read_certificate

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_SIDES: Final = 2
_LONGEST_TERM: Final = timedelta(days=3653)  # ten years
_OIN: Final = re.compile(r"[0-9]{20}(?:_[A-Z]{1,4})?")  # outside production a suffix such as _T may follow


def check(cpa: Cpa, now: datetime) -> tuple[CpaFinding, ...]:
    """Return every problem of a CPA at an aware moment, those of the document first; empty when both sides can use it as it is."""
    return (*cpa.unreadable, *_on_agreement(cpa), *_on_term(cpa, now), *_on_parties(cpa), *_on_actions(cpa), *_on_channels(cpa))


def _on_agreement(cpa: Cpa) -> Iterator[CpaFinding]:
    where = "CollaborationProtocolAgreement"
    if not cpa.cpa_id:
        yield CpaFinding("cpa-id", where, "a cpaid", "none", "give the CPA the id that its messages name")
    elif not _FILE_NAME.fullmatch(cpa.cpa_id):
        hint = "some adapters use the id as a file name: use letters, digits, - and _"
        yield CpaFinding("cpa-id", where, "an id without dots or odd characters", quoted(cpa.cpa_id), hint, is_warning=True)
    if cpa.status != "agreed":
        hint = "let both parties agree: only a CPA with Status agreed may be used"
        yield CpaFinding("status", "Status", "agreed", quoted(cpa.status) or "none", hint)


def _on_term(cpa: Cpa, now: datetime) -> Iterator[CpaFinding]:
    for name, moment in (("Start", cpa.start), ("End", cpa.end)):
        if moment is None:
            yield CpaFinding("term", name, "an xs:dateTime", "none that can be read", f"say when the CPA has its {name}")
    if cpa.start is None or cpa.end is None:
        return
    start, end = cpa.start.at, cpa.end.at
    if start >= end:
        yield CpaFinding("term", "Start", f"before End, {end:%Y-%m-%d %H:%M}", f"{start:%Y-%m-%d %H:%M}", "exchange Start and End, or correct them")
    elif end < now:
        yield CpaFinding("expired", "End", f"after {now:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}", "ask for a new CPA, and load it on both sides")
    elif start > now:
        hint = "wait, or ask for a CPA that starts earlier"
        yield CpaFinding("not-yet-valid", "Start", f"before {now:%Y-%m-%d %H:%M}", f"{start:%Y-%m-%d %H:%M}", hint)
    if end - start > _LONGEST_TERM:
        yield CpaFinding(
            "term", "End", "at most 10 years after Start", f"{end:%Y-%m-%d}", "bind the term to that of the certificates", is_warning=True
        )


def _on_parties(cpa: Cpa) -> Iterator[CpaFinding]:
    if len(cpa.parties) != _SIDES:
        hint = "describe the Afnemer and Logius, each in a PartyInfo"
        yield CpaFinding("missing-party", "PartyInfo", "two parties", str(len(cpa.parties)), hint)
    seen: set[str] = set()
    for party in cpa.parties:
        where = _party_name(party)
        if not party.ids:
            yield CpaFinding("party-id", where, "a PartyId", "none", "name the OIN of this party")
        yield from (finding for party_id in party.ids for finding in _on_party_id(party_id, where))
        if shared := seen & party.flat_ids:
            yield CpaFinding("party-id", where, "ids of its own", quoted(min(shared)), "give each party its own OIN")
        seen |= party.flat_ids
        if party.bindings and len(party.roles) != 1:
            yield CpaFinding("role", where, "one role", quoted(", ".join(sorted(party.roles))), "let a party play one role in a CPA")
        yield from _on_certificates(party, where)
    roles = {role for party in cpa.parties for role in party.roles}
    if missing := set(SENT_BY) - roles:
        hint = f"{ROLE_AFNEMER} is the Afnemer, {ROLE_LOGIUS} is Logius"
        yield CpaFinding(
            "role", "CollaborationRole", f"a party in role {' and '.join(sorted(missing))}", quoted(", ".join(sorted(roles))) or "none", hint
        )


def _party_name(party: Party) -> str:
    return f"party {quoted(party.name or '; '.join(sorted(party.flat_ids)) or 'without a name')}"


def _on_party_id(party_id: PartyId, where: str) -> Iterator[CpaFinding]:
    if not party_id.flat.startswith(PARTY_PREFIX) or not _OIN.fullmatch(party_id.flat.removeprefix(PARTY_PREFIX)):
        hint = f'write <PartyId type="{PARTY_TYPE}"> with the OIN of 20 digits'
        yield CpaFinding("party-id", where, f"type {PARTY_TYPE} and an OIN", quoted(party_id.flat) or "nothing", hint)
    elif party_id.kind != PARTY_TYPE:
        hint = f'split it: <PartyId type="{PARTY_TYPE}"> with the digits'
        yield CpaFinding("party-id", where, "type and OIN apart", quoted(party_id.flat), hint, is_warning=True)


def _on_certificates(party: Party, where: str) -> Iterator[CpaFinding]:
    for one in party.certificates:
        oin = read_certificate(one.der).oin
        if party.ids and PARTY_PREFIX + oin not in {flat.partition("_")[0] for flat in party.flat_ids}:
            hint = "agree that an intermediair connects, or take the certificate of this party"
            text = f"OIN {oin}" if oin else "no OIN"
            yield CpaFinding("certificate", f"{where}, {quoted(one.cert_id)}", "the OIN of the party", text, hint, is_warning=True)


def _on_actions(cpa: Cpa) -> Iterator[CpaFinding]:
    is_known = any(binding.service == SERVICE for party in cpa.parties for binding in party.bindings)
    for party in cpa.parties:
        other = cpa.other(party) if len(cpa.parties) == _SIDES else None
        theirs = {} if other is None else {one.binding_id: one for one in other.bindings}
        mirrored = set() if other is None else {(one.direction.other, one.service, one.action) for one in other.bindings}
        for binding in party.bindings:
            where = f"{_party_name(party)}, {binding.direction} {quoted(binding.action)}"
            if binding.service != SERVICE:
                hint = f'write <Service type="{SERVICE_TYPE}">{SERVICE.removeprefix(SERVICE_TYPE + ":")}</Service>'
                yield CpaFinding("unknown-service", where, SERVICE, quoted(binding.service) or "none", hint, is_warning=is_known)
            elif binding.action not in {action for actions in SENT_BY.values() for action in actions}:
                yield CpaFinding(
                    "unknown-action", where, "an action of the Berichtenbox", quoted(binding.action), "compare its spelling", is_warning=True
                )
            if other is not None and (binding.direction, binding.service, binding.action) not in mirrored:
                expected = f"{binding.direction.other} {quoted(binding.action)} of the other party"
                yield CpaFinding("one-sided-action", where, expected, "none", "give both parties the same actions, in the same service")
            elif other is not None and binding.other and (binding.other not in theirs or theirs[binding.other].action != binding.action):
                hint = "let OtherPartyActionBinding name the id of the same action of the other party"
                yield CpaFinding("other-binding", where, "the binding of the other party", quoted(binding.other), hint)
            yield from _on_protection(binding, where)
        for role in sorted(party.roles & set(SENT_BY)):
            action = SENT_BY[role][0]
            if is_known and party.binding(Direction.SEND, role, SERVICE, action) is None:
                where = f"{_party_name(party)}, role {role}"
                yield CpaFinding("missing-action", where, f"CanSend {action}", "none", "add the action, on both sides")


def _on_protection(binding: Binding, where: str) -> Iterator[CpaFinding]:
    expected = {
        "isNonRepudiationRequired": ("false", "0"),
        "isNonRepudiationReceiptRequired": ("false", "0"),
        "isConfidential": ("transient", "none"),
    }
    for name, allowed in expected.items():
        if name in binding.protection and binding.protection[name] not in allowed:
            hint = "osb-rm protects by TLS alone: no signature, no encrypted payload"
            yield CpaFinding("protection", where, f"{name} {allowed[0]}", quoted(binding.protection[name]), hint)
    absent = [name for name in (*list(expected)[:2], "isIntelligibleCheckRequired") if name not in binding.protection]
    if absent:
        yield CpaFinding("protection", where, "every boolean written", f"no {', '.join(absent)}", "write it: some gateways need it", is_warning=True)


def _on_channels(cpa: Cpa) -> Iterator[CpaFinding]:
    for party in cpa.parties:
        where = _party_name(party)
        for binding in party.bindings:
            if binding.channel is None:
                hint = "let ChannelId name a DeliveryChannel of this party"
                yield CpaFinding("channel", f"{where}, {binding.direction} {quoted(binding.action)}", "a channel", "none", hint)
        if party.signal_channel("") is None:
            yield CpaFinding("channel", where, "a channel for MSH signals", "none", "let defaultMshChannelId name a DeliveryChannel of this party")
        used = {binding.channel.channel_id: binding.channel for binding in party.bindings if binding.channel is not None}
        transports = set()
        for channel in party.channels.values():
            place = f"{where}, channel {quoted(channel.channel_id)}"
            transport = (channel.endpoint, channel.protocols, channel.security)
            if transport not in transports:
                yield from _on_transport(channel, place)
            transports.add(transport)
            if channel.channel_id in used:
                yield from _on_characteristics(channel, place)
                yield from _on_reliability(channel, place)
    yield from _on_agreeing_retries(cpa)
    modes = {channel.sync_reply for party in cpa.parties for channel in party.channels.values()}
    if len(modes) > 1:
        yield CpaFinding("sync-reply", "DeliveryChannel", "one syncReplyMode", quoted(", ".join(sorted(modes))), "make them equal", is_warning=True)


def _on_transport(channel: Channel, where: str) -> Iterator[CpaFinding]:
    try:
        url = urlsplit(channel.endpoint)
        scheme, host = url.scheme, url.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if not channel.endpoint:
        yield CpaFinding("missing-endpoint", where, "an Endpoint", "none", "say where this party receives, in its TransportReceiver")
    elif not host or scheme not in ("http", "https"):
        yield CpaFinding("endpoint", where, "an https URL", quoted(channel.endpoint), "write scheme, host and path")
    elif scheme == "http":
        hint = "use https: Digikoppeling has no other" if not _is_loopback(host) else "fine on this machine; use https as soon as there is a network"
        yield CpaFinding("endpoint", where, "an https URL", quoted(channel.endpoint), hint, is_warning=_is_loopback(host))
    for protocol, wanted in (*((one, "HTTP") for one in channel.protocols), *((one, "TLS") for one in channel.security)):
        if protocol != wanted:
            yield CpaFinding("protocol", where, wanted, quoted(protocol), "use HTTP over TLS, as Digikoppeling does")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _on_characteristics(channel: Channel, where: str) -> Iterator[CpaFinding]:
    rules = (
        ("ack-requested", "ackRequested", channel.ack_requested, "always"),
        ("ack-signature", "ackSignatureRequested", channel.ack_signature, "never"),
        ("duplicate-elimination", "duplicateElimination", channel.duplicate_elimination, "always"),
        ("sync-reply", "syncReplyMode", channel.sync_reply, "none"),
        ("actor", "actor", channel.actor, TO_PARTY_MSH),
    )
    for what, name, got, wanted in rules:
        # Signals in the HTTP response are allowed when both sides can; an actor that is absent means the To Party.
        is_warning = (what == "sync-reply" and got == "mshSignalsOnly") or (what == "actor" and not got)
        if got != wanted:
            yield CpaFinding(what, where, f"{name} {wanted}", quoted(got) or "none", f"set {name} as profile osb-rm has it", is_warning=is_warning)


def _on_reliability(channel: Channel, where: str) -> Iterator[CpaFinding]:
    for name, side in (("ebXMLSenderBinding", channel.sender), ("ebXMLReceiverBinding", channel.receiver)):
        place = f"{where}, {name}"
        if side is None:
            yield CpaFinding("reliability", place, "ReliableMessaging", "none", "write it in both bindings: each is used by somebody")
            continue
        if not side.retries:
            yield CpaFinding(
                "retries", place, "at least 1", "none" if side.retries is None else "0", "retry long enough to survive an outage, such as 8 times"
            )
        if not side.interval:
            yield CpaFinding("retry-interval", place, "a time to wait", "none", "write a duration, such as PT3H")
        if side.order not in ("", "NotGuaranteed"):
            yield CpaFinding("message-order", place, "NotGuaranteed", quoted(side.order), "let the application keep the order")
        if side.persist is None:
            yield CpaFinding("persist-duration", place, "a PersistDuration", "none", "write one; without, five days count", is_warning=True)
        elif side.time_to_live is not None and side.persist <= side.time_to_live:
            expected = f"longer than {write_duration(side.time_to_live)}, (1 + Retries) x RetryInterval"
            hint = "lengthen it, or a late copy is taken for a new message"
            yield CpaFinding("persist-duration", place, expected, write_duration(side.persist), hint, is_warning=True)


def _on_agreeing_retries(cpa: Cpa) -> Iterator[CpaFinding]:
    """Compare what the sender promises (its TimeToLive) with what the receiver remembers (the schedule that some gateways use)."""
    if len(cpa.parties) != _SIDES:
        return
    for party, other in (cpa.parties, cpa.parties[::-1]):
        senders = {(one.service, one.action): one.channel for one in party.bindings if one.direction is Direction.SEND}
        for binding in other.bindings:
            channel = senders.get((binding.service, binding.action)) if binding.direction is Direction.RECEIVE else None
            if channel is None or binding.channel is None or channel.sender is None or binding.channel.receiver is None:
                continue
            if (channel.sender.retries, channel.sender.interval) != (binding.channel.receiver.retries, binding.channel.receiver.interval):
                where = f"{_party_name(party)}, {quoted(binding.action)}"
                hint = "make Retries and RetryInterval equal in the binding of the sender and that of the receiver"
                yield CpaFinding("unequal-retries", where, "one schedule on both sides", "two", hint, is_warning=True)
