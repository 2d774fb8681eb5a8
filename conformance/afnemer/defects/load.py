"""Afnemers that a load profile must fail: some do well with a few letters and badly with many, others are defects of the cases that show here too.

They stand in a registry of their own: what goes wrong only in a crowd is no defect to a conformance case, and ``selftest`` does not know of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.afnemer.defects.receiving import applies_everything_again
from conformance.afnemer.defects.registry import DEFECTS, PLACES, Part
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.sending import Sender
from conformance.afnemer.reference.store import StoredBericht, StoredOffer
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode

_CROWD: Final = 40
"""More than any conformance case has waiting, and less than a second of a load profile."""


@dataclass(frozen=True, slots=True)
class LoadDefect:
    """A deliberate defect: ``norm`` is what fails by it under the load profile ``profile``."""

    name: str
    does: str
    profile: str
    norm: str
    make: Callable[[Mapping[str, str]], ReferenceAfnemer]


LOAD_DEFECTS: Final[dict[str, LoadDefect]] = {}


def _load_defect(profile: str, norm: str) -> Callable[[Part], Part]:
    """Register the decorated part of an Afnemer as a defect that a load profile must see."""

    def register(part: Part) -> Part:
        place = next(place for kind, place in PLACES.items() if issubclass(part, kind))
        afnemer = type(part.__name__, (ReferenceAfnemer,), {place: part})
        LOAD_DEFECTS[part.__name__] = LoadDefect(part.__name__, (part.__doc__ or "").strip(), profile, norm, afnemer)
        return part

    return register


def _known_defect(name: str, profile: str, norm: str) -> None:
    """Register a defect of the conformance cases for a load profile too."""
    known = DEFECTS[name]
    LOAD_DEFECTS[name] = LoadDefect(name, known.does, profile, norm, known.make)


# -- herlevering -----------------------------------------------------------------------------------------------------------------------------

_known_defect("leaves_bijlagen_out_of_a_herlevering", "herlevering", "SNO-AFN-01")
_known_defect("makes_new_ids_for_a_herlevering", "herlevering", "SNO-AFN-01")
_known_defect("rounds_the_window_to_minutes", "herlevering", "SNO-AFN-01")


@_load_defect("herlevering", "SNO-AFN-01")
class loses_the_last_of_a_full_batch(Sender):
    """Counts from 1 to one less than there are when it delivers a large batch again."""

    def stored(self, offer: StoredOffer) -> list[StoredBericht]:
        found = super().stored(offer)
        return found[:-1] if offer.is_again and len(found) > _CROWD else found


# -- afwijzingen -----------------------------------------------------------------------------------------------------------------------------

_known_defect("drops_every_refusal", "afwijzingen", "SNO-AFN-02")
_known_defect("never_stops_offering", "afwijzingen", "SNO-AFN-02")


@_load_defect("afwijzingen", "SNO-AFN-02")
class offers_a_refused_bericht_three_times(Sender):
    """Storms: makes sure, and again, and again."""

    def offer_again(self, bericht: StoredBericht) -> None:
        for _ in range(3):
            super().offer_again(bericht)


@_load_defect("afwijzingen", "SNO-AFN-02")
class drops_refusals_in_a_crowd(Receiver):
    """Has room for a few refusals, and forgets what comes on top of them."""

    def react(self, bericht: StoredBericht, code: VerwerkingsCode) -> None:
        self._refusals = getattr(self, "_refusals", 0) + (code is not VerwerkingsCode.VERWERKT)
        if code is VerwerkingsCode.VERWERKT or self._refusals <= _CROWD:
            super().react(bericht, code)


# -- verwerkingsberichten --------------------------------------------------------------------------------------------------------------------


@_load_defect("verwerkingsberichten", "SNO-VWB-02")
class forgets_what_it_applied_long_ago(applies_everything_again):
    """Remembers the last results that it applied; in a backlog the same ones come further apart."""

    def key_of(self, result: Verwerkingsbericht, item: Resultaat, bericht: StoredBericht) -> str:
        plain = Receiver.key_of(self, result, item, bericht)
        recent: dict[str, str] = self.__dict__.setdefault("_recent", {})
        if plain not in recent:
            recent[plain] = super().key_of(result, item, bericht)
            if len(recent) > _CROWD:
                del recent[next(iter(recent))]
        return recent[plain]


@_load_defect("verwerkingsberichten", "SNO-VWB-01")
class chokes_on_a_backlog(Receiver):
    """Sees nothing of a queue that is longer than its page."""

    def waiting(self) -> Sequence[str]:
        ids = super().waiting()
        return [] if len(ids) > _CROWD else ids
