"""The line of a run over ebMS2, as the cases see it: the CPA, the certificates, and what was said."""

from dataclasses import dataclass
from datetime import timedelta

from conformance.transport.cpa import Cpa
from conformance.transport.misbehaving import Presenting
from conformance.transport.pki import Pki


@dataclass(frozen=True, slots=True)
class Line:
    """What there is between both sides, and how often a gateway repeats. Without TLS there are no certificates.

    ``is_movable`` tells whether the Afnemer's clock can be moved.
    """

    cpa: Cpa
    gateway: str
    certificates: Pki | None
    presenting: Presenting | None
    is_movable: bool
    retries: int
    interval: timedelta

    @property
    def has(self) -> frozenset[str]:
        """What a case may need of it."""
        is_sync = any(channel.sync_reply != "none" for party in self.cpa.parties for channel in party.channels.values())
        return frozenset({"ebms", "sync" if is_sync else "async", *(["tls"] if self.certificates is not None else [])})
