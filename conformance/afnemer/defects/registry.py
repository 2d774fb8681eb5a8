"""Every defect by name: what it does wrong, which requirements it must fail, and what follows from that by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.afnemer.reference.abonnementen import Abonnees
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.ebms_gateway import EbmsGateway
from conformance.afnemer.reference.gateway import Gateway
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.sending import Sender
from conformance.afnemer.reference.validating import Validator
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Defect:
    """A deliberate defect. ``fails`` must fail; ``also`` may fail, since it follows; anything else that fails is a false alarm.

    ``pitfall`` is the number in the list of pitfalls that real clients fell into; ``bulk`` asks for the cases that move much as well; ``face`` is
    where it shows: ``ebms`` for what is wrong in a gateway.
    """

    name: str
    does: str
    fails: frozenset[str]
    also: frozenset[str]
    pitfall: int | None
    bulk: bool
    make: Callable[[Mapping[str, str]], ReferenceAfnemer]
    face: str = "adapter"

    def allows(self, requirement: str) -> bool:
        """Tell whether this requirement may fail: named, or covered by a family such as ``AFW-*``."""
        return requirement in self.fails | self.also or f"{requirement.partition('-')[0]}-*" in self.also


DEFECTS: Final[dict[str, Defect]] = {}

Part = type[Sender] | type[Receiver] | type[Abonnees] | type[Validator] | type[Gateway] | type[EbmsGateway] | type[ReferenceAfnemer]
PLACES: Final[Mapping[type, str]] = {
    Sender: "sender_class",
    Receiver: "receiver_class",
    Abonnees: "abonnees_class",
    Validator: "validator_class",
    Gateway: "gateway_class",
    EbmsGateway: "ebms_gateway_class",
}
"""The parts of an Afnemer, and where it keeps them."""


def defect(*fails: str, also: str = "", pitfall: int | None = None, bulk: bool = False) -> Callable[[Part], Part]:
    """Register the decorated part of an Afnemer (or a whole one) as a defect; its name and docstring are those of the class."""

    def register(part: Part) -> Part:
        name = part.__name__
        if name in DEFECTS:
            raise ValueError(f"two defects are called {name}: the second would hide the first")
        face = "ebms" if _gateway_of(part) is not EbmsGateway else "adapter"
        does, named = (part.__doc__ or "").strip(), (frozenset(fails), frozenset(also.split()))
        DEFECTS[name] = Defect(name, does, *named, pitfall, bulk, _afnemer_with(part), face)
        return part

    return register


def _gateway_of(part: Part) -> type[EbmsGateway]:
    """Return the gateway over ebMS2 of a part; the ordinary one when it does not bring one."""
    if issubclass(part, EbmsGateway):
        return part
    return part.ebms_gateway_class if issubclass(part, ReferenceAfnemer) else EbmsGateway


def _afnemer_with(part: Part) -> type[ReferenceAfnemer]:
    for kind, place in PLACES.items():
        if issubclass(part, kind):
            return type(part.__name__, (ReferenceAfnemer,), {place: part})
    return part  # type: ignore[return-value]  # what is left is an Afnemer


def _register_sender(name: str, does: str, methods: Mapping[str, Any], fails: str, *, also: str, pitfall: int | None, bulk: bool) -> None:
    part = type(name, (Sender,), {"__doc__": does, **methods})
    defect(*fails.split(), also=also, pitfall=pitfall, bulk=bulk)(part)


def changes_bericht(
    name: str, does: str, fails: str, change: Callable[[Bericht], Bericht], *, also: str = "", pitfall: int | None = None, bulk: bool = False
) -> None:
    """Register an Afnemer that changes each bericht after its own checks."""

    def payload_of(self: Sender, batch: Batch) -> bytes:
        return Sender.payload_of(self, replace(batch, berichten=tuple(change(bericht) for bericht in batch.berichten)))

    _register_sender(name, does, {"payload_of": payload_of}, fails, also=also, pitfall=pitfall, bulk=bulk)


def changes_batch(
    name: str, does: str, fails: str, change: Callable[[Batch], Batch], *, also: str = "", pitfall: int | None = None, bulk: bool = False
) -> None:
    """Register an Afnemer that changes each batch after its own checks."""

    def payload_of(self: Sender, batch: Batch) -> bytes:
        return Sender.payload_of(self, change(batch))

    _register_sender(name, does, {"payload_of": payload_of}, fails, also=also, pitfall=pitfall, bulk=bulk)


def changes_document(
    name: str, does: str, fails: str, change: Callable[[bytes], bytes], *, also: str = "", pitfall: int | None = None, bulk: bool = False
) -> None:
    """Register an Afnemer that changes each document after it was built."""

    def payload_of(self: Sender, batch: Batch) -> bytes:
        return change(Sender.payload_of(self, batch))

    _register_sender(name, does, {"payload_of": payload_of}, fails, also=also, pitfall=pitfall, bulk=bulk)


def changes_envelope(
    name: str, does: str, fails: str, change: Callable[[Envelope, Batch], Envelope], *, also: str = "", pitfall: int | None = None, bulk: bool = False
) -> None:
    """Register an Afnemer that changes what travels around each batch."""

    def envelope_of(self: Sender, batch: Batch) -> Envelope:
        return change(Sender.envelope_of(self, batch), batch)

    _register_sender(name, does, {"envelope_of": envelope_of}, fails, also=also, pitfall=pitfall, bulk=bulk)
