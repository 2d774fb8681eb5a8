"""What the ledger keeps for the citizen's side: the letters in somebody's Berichtenbox, and what that citizen did with each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from conformance.messages.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Inzage:
    """What a citizen did with a letter; ``folder`` is ``None`` for the inbox."""

    is_read: bool = False
    folder: str | None = field(default=None, repr=False)
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A bericht that is in a Berichtenbox and published; its text and bijlagen stand in offer ``offer_seq``, at ``position``."""

    seq: int
    offer_seq: int
    position: int
    bericht_id: str
    gebruiker_id: str = field(repr=False)
    bericht_type: str
    afzender: str
    onderwerp: str = field(repr=False)
    digest: str = field(repr=False)
    published: datetime
    inzage: Inzage


class PresentatieWriting(Protocol):
    """What a citizen does with a letter, as it is written inside one commit."""

    def change(self, letter: Letter, change: Callable[[Inzage], Inzage]) -> None:
        """Keep what ``change`` makes of what stands there by now."""


class PresentatieLedger(Protocol):
    """The letters as citizens see them at a moment on the business clock: not the lost ones, and not those to be published later."""

    def count(self, bsn: str, now: datetime) -> int:
        """Return how many letters a citizen has."""

    def page(self, bsn: str, now: datetime, skipped: int, most: int) -> Sequence[Letter]:
        """Return letters of a citizen, newest first."""

    def letter(self, bericht_id: str, now: datetime) -> Letter | None:
        """Return a letter by its lower-case id, whosoever it is, also a deleted one."""

    def envelope(self, letter: Letter) -> Envelope:
        """Return the offer in which a letter came."""
