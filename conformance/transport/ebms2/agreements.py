"""One CPA seen from one of its parties, prepared so that a message needs a few look-ups.

It knows who may send what to whom, over which channel, where signals go, and how often a message is repeated. It checks no message.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from conformance.messages.identities import PARTY_PREFIX
from conformance.rules.findings import quoted
from conformance.transport.cpa import Channel, Cpa, Direction, Party, PartyId, Reliability
from conformance.transport.ebms2.names import Kind
from conformance.transport.tls import read_certificate

_NEVER: Final = "never"
_ALWAYS: Final = "always"
_NO_SYNC: Final = "none"
_FIVE_DAYS: Final = Reliability(39, timedelta(hours=3), timedelta(days=5), "NotGuaranteed")
"""What holds when nothing was agreed: five days in total (DK Retries, PersistDuration)."""


class AgreementError(ValueError):
    """A CPA that is not known, cannot be used, or does not allow a message; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one action travels: from whom, to whom, and what its channels ask.

    ``asks_ack``, ``asks_signature`` and ``asks_elimination`` are ``True`` for always, ``False`` for never, and ``None`` when each message decides.
    Whether it is synchronous follows from the channel of who sends; so do ebms-core's other checks (MSG 6.4, CORE).
    """

    from_role: str
    to_role: str
    url: str
    is_sync: bool
    asks_ack: bool | None
    asks_signature: bool | None
    asks_elimination: bool | None
    retries: int
    interval: timedelta
    time_to_live: timedelta


class Agreement:
    """One CPA, for one of its two parties: ``own`` is this side, ``other`` the other.

    Raises :class:`AgreementError` when no party of it is ours, or it lacks what every message needs.
    """

    __slots__ = (
        "_incoming",
        "_outgoing",
        "_signal_urls",
        "cpa",
        "cpa_id",
        "is_other_sync",
        "is_own_sync",
        "other",
        "other_ids",
        "other_oins",
        "own",
        "own_ids",
        "signal_interval",
    )

    def __init__(self, cpa: Cpa, own_parties: Container[str]) -> None:
        own = next((party for party in cpa.parties if any(one in own_parties for one in party.flat_ids)), None)
        other = None if own is None else cpa.other(own)
        if own is None or other is None:
            raise AgreementError(f"CPA {quoted(cpa.cpa_id)} is not between this side and another party. Load the CPA that names both parties.")
        self.cpa: Final = cpa
        self.cpa_id: Final = cpa.cpa_id
        self.own: Final = own
        self.other: Final = other
        self.own_ids: Final = {one.flat: one for one in own.ids}
        self.other_ids: Final = {one.flat: one for one in other.ids}
        self.other_oins: Final = _oins(other)
        self._incoming: Final = _routes(other, own)
        self._outgoing: Final = _routes(own, other)
        self._signal_urls: Final[dict[str, str]] = {kind: _endpoint(other, kind) for kind in Kind if kind is not Kind.USER}
        # Whether the answer to a Ping or a StatusRequest comes at once follows from the default channel of who asks (CORE).
        self.is_other_sync: Final = _is_sync(other.signal_channel(Kind.PING))
        self.is_own_sync: Final = _is_sync(own.signal_channel(Kind.PING))

        ping = other.signal_channel(Kind.PING)
        self.signal_interval: Final = _agreed(None if ping is None else ping.receiver)[1]

    def __repr__(self) -> str:
        return f"<Agreement {self.cpa_id}: {self.own.name} with {self.other.name}>"

    def is_usable_at(self, at: datetime) -> bool:
        """Tell whether a message of this moment may use the CPA."""
        return self.cpa.is_usable_at(at)

    def incoming(self, from_role: str | None, to_role: str | None, service: str, action: str) -> Route | None:
        """Return how an action reaches this side, or ``None`` when the other party may not send it, or this one not receive it."""
        return self._incoming.get((from_role, to_role, service, action))

    def outgoing(self, from_role: str, to_role: str | None, service: str, action: str) -> Route:
        """Return how an action leaves this side; without ``to_role`` the CPA decides. Raises :class:`AgreementError` when it is not agreed."""
        if to_role is None:
            keys = ((from_role, role, service, action) for role in sorted(self.other.roles))
            found = next((self._outgoing[key] for key in keys if key in self._outgoing), None)
        else:
            found = self._outgoing.get((from_role, to_role, service, action))
        if found is None:
            raise AgreementError(
                f"CPA {quoted(self.cpa_id)} does not let {quoted(self.own.name)} send {quoted(action)} of service {quoted(service)}"
                f" as {quoted(from_role)} to {quoted(to_role or 'the other party')}. Compare them with its CanSend and CanReceive."
            )
        return found

    def url_of_signal(self, action: str) -> str:
        """Return where a signal to the other party goes: the endpoint of its channel for that action."""
        return self._signal_urls[action]

    def own_id(self, flat: str) -> PartyId:
        """Return a PartyId of this side as the CPA splits it; raises :class:`AgreementError` for an id that is not its own."""
        return self._id(self.own, self.own_ids, flat)

    def other_id(self, flat: str | None) -> PartyId:
        """Return a PartyId of the other party as the CPA splits it, its first one for ``None``; raises :class:`AgreementError` for a stranger."""
        return self.other.ids[0] if flat is None else self._id(self.other, self.other_ids, flat)

    def _id(self, party: Party, ids: Mapping[str, PartyId], flat: str) -> PartyId:
        if flat not in ids:
            text = f"{quoted(flat)} is no PartyId of {quoted(party.name)} in CPA {quoted(self.cpa_id)}, which has {quoted(', '.join(ids))}."
            raise AgreementError(text)
        return ids[flat]


def _endpoint(party: Party, action: str) -> str:
    channel = party.signal_channel(action)
    if channel is None or not channel.endpoint or not party.ids:
        text = f"The CPA has no PartyId, or no channel with an Endpoint for {action}, at party {quoted(party.name)}: run `berichtenbox cpa check`."
        raise AgreementError(text)
    return channel.endpoint


def _is_sync(channel: Channel | None) -> bool:
    # mshSignalsOnly, signalsOnly and signalsAndResponse alike: the signal comes in the answer (CORE).
    return channel is not None and channel.sync_reply != _NO_SYNC


def _oins(party: Party) -> frozenset[str]:
    """Return the OINs that may connect for a party: its own without a suffix such as _T, and those of its certificates in the CPA.

    A certificate with another OIN is that of an intermediair, and the CPA is the agreement on it (BP EB005, EB014).
    """
    own = {flat.removeprefix(PARTY_PREFIX).partition("_")[0] for flat in party.flat_ids}
    agreed = {read_certificate(one.der).oin for one in party.certificates}
    return frozenset(own | agreed - {""})


def _routes(sender: Party, receiver: Party) -> dict[tuple[str | None, str | None, str, str], Route]:
    """Return how each action travels that one party can send and the other can receive."""
    received = [one for one in receiver.bindings if one.direction is Direction.RECEIVE]
    routes: dict[tuple[str | None, str | None, str, str], Route] = {}
    for sent in sender.bindings:
        for got in received:
            if sent.direction is not Direction.SEND or (sent.service, sent.action) != (got.service, got.action):
                continue
            if sent.channel is not None and got.channel is not None:
                key = (sent.role, got.role, sent.service, sent.action)
                routes.setdefault(key, _route(sent.role, got.role, sent.channel, got.channel))
    return routes


def _route(from_role: str, to_role: str, sender: Channel, receiver: Channel) -> Route:
    own, schedule = (_agreed(*pair) for pair in ((sender.sender, receiver.receiver), (receiver.receiver, sender.sender)))
    return Route(
        from_role=from_role,
        to_role=to_role,
        url=receiver.endpoint,
        is_sync=_is_sync(sender),
        asks_ack=_asks(sender.ack_requested),
        asks_signature=_asks(sender.ack_signature),
        asks_elimination=_asks(sender.duplicate_elimination),
        # ebms-core repeats by the binding of the receiver, and lets a message live by that of the sender.
        retries=schedule[0],
        interval=schedule[1],
        time_to_live=(1 + own[0]) * own[1],
    )


def _asks(said: str) -> bool | None:
    return {_ALWAYS: True, _NEVER: False}.get(said)


def _agreed(*candidates: Reliability | None) -> tuple[int, timedelta]:
    for one in (*candidates, _FIVE_DAYS):
        if one is not None and one.retries is not None and one.interval is not None:
            return one.retries, one.interval
    raise AssertionError  # pragma: no cover  # the last candidate has both
