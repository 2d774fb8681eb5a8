"""What the ledger keeps of citizens: who has an active Berichtenbox, who wants letters of whom, what changed when, and who asked about them.

BSNs are whole numbers here: there may be ten million. Lists come and go as streams.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from conformance.messages.abonnement import Soort
from conformance.messages.bsns import BsnList
from conformance.sno import quotas

EVERY_TYPE: Final = ""
"""Stands where a voorkeur is about every BerichtType of an Afnemer."""


class Asked(StrEnum):
    """What can be asked about citizens: the three abonnementservices, and the validatieservice."""

    ALLES = Soort.ALLES
    BSN_LIJST = Soort.BSN_LIJST
    MUTATIES = Soort.MUTATIES
    VALIDATIE = quotas.VALIDATIE


@dataclass(frozen=True, slots=True)
class Bevraging:
    """One question about citizens that was answered, or will be: who asked what, and when.

    ``bsns`` holds the citizens that were named, each once and sorted (``None`` for who names none), ``count`` how many were named. ``moment`` is on
    the business clock. ``note`` says what became of it when it was not simply answered.
    """

    asked: Asked
    oin: str
    moment: datetime
    wall: datetime
    verzoek_id: str = ""
    bericht_type: str = EVERY_TYPE
    vanaf: datetime | None = None
    bsns: BsnList | None = field(default=None, repr=False)
    count: int = 0
    note: str = ""
    is_answered: bool = True
    offer_seq: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Voorkeur:
    """What a citizen said about the letters of one Afnemer; an empty ``bericht_type`` is all of them."""

    bsn: int = field(repr=False)
    oin: str
    bericht_type: str
    wants: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A payload that is too large to be carried around: the ledger gives it as a stream."""

    id: int
    size: int


class CitizenWriting(Protocol):
    """What of citizens can be written inside one commit."""

    def set_account(self, bsn: int, moment: datetime, *, is_active: bool) -> None:
        """Make a Berichtenbox active or not; a change is remembered with its moment."""

    def set_voorkeur(self, voorkeur: Voorkeur, moment: datetime) -> None:
        """Keep what a citizen wants; a change is remembered with its moment."""

    def add_accounts(self, accounts: Iterable[tuple[int, bool]]) -> None:
        """Add citizens with whether their Berichtenbox is active, without a history; who is there already is replaced."""

    def add_voorkeuren(self, voorkeuren: Iterable[Voorkeur]) -> None:
        """Add voorkeuren, without a history; what is there already is replaced."""

    def clear(self) -> None:
        """Forget every citizen and their history."""

    def add_bevraging(self, bevraging: Bevraging) -> None:
        """Keep a question."""


class CitizenLedger(Protocol):
    """What can be asked about citizens."""

    def accounts(self) -> int:
        """Return how many citizens have an account."""

    def wanting(self, oin: str, bericht_type: str, bsns: Iterable[int]) -> set[int]:
        """Return who of ``bsns`` has an active Berichtenbox and takes letters of this Afnemer and BerichtType."""

    def all_wanting(self, oin: str) -> Iterator[int]:
        """Yield everybody who takes letters of this Afnemer, in order; memory does not grow with their number."""

    def listed_wanting(self, oin: str, bsns: BsnList) -> Iterator[int]:
        """Yield who of a sorted list takes letters of this Afnemer, in order."""

    def changed(self, oin: str, since: datetime, until: datetime) -> Iterator[tuple[int, bool]]:
        """Yield whose status changed for this Afnemer from ``since`` to ``until`` (both included), each once, with the present status."""

    def wanted_at(self, bsn: int, oin: str, bericht_type: str, moment: datetime) -> bool:
        """Tell whether a citizen took these letters at a moment on the business clock."""

    def has_changed(self, bsn: int, oin: str, since: datetime, until: datetime) -> bool:
        """Tell whether the status of one citizen changed for this Afnemer in a window, both ends included."""

    def verzoek_ids(self, ids: Sequence[str]) -> set[str]:
        """Return which of these VerzoekIds were used before."""

    def bevragingen(self, after: int) -> Sequence[Bevraging]:
        """Return the questions with a sequence number above ``after``, oldest first."""

    def asked_since(self, moment: datetime) -> Sequence[Bevraging]:
        """Return the questions since a moment on the business clock, oldest first, without the citizens that they name."""

    def keep(self, pieces: Iterable[bytes]) -> Kept:
        """Store a stream, and return by what it is found again; it is complete when this returns, and nothing others wait for is held meanwhile."""

    def content(self, kept: Kept) -> Iterator[bytes]:
        """Yield what was kept, in pieces."""
