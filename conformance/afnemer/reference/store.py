"""What the Afnemer never forgets: its berichten, what it offered when, and which results it has applied. One SQLite file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.reference.voorkeuren import Voorkeuren

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS bericht (
    bericht_id TEXT PRIMARY KEY, batch_id TEXT NOT NULL, letter TEXT NOT NULL,
    status TEXT NOT NULL, code TEXT, verwerkt INTEGER NOT NULL DEFAULT 0, offers INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS bericht_by_batch ON bericht (batch_id);
CREATE TABLE IF NOT EXISTS offer (
    id INTEGER PRIMARY KEY, batch_id TEXT NOT NULL, bericht_ids TEXT NOT NULL, sent_at REAL, tries INTEGER NOT NULL DEFAULT 0,
    is_given_up INTEGER NOT NULL DEFAULT 0, is_again INTEGER NOT NULL DEFAULT 0, rounds INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS sent_message (message_id TEXT PRIMARY KEY, offer_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS applied (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS stray (message_id TEXT NOT NULL, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class StoredBericht:
    """A bericht as the Afnemer keeps it; ``letter`` holds its content, ids are in lower case."""

    bericht_id: str
    batch_id: str
    letter: dict[str, Any]
    status: str
    code: str | None
    verwerkt: int
    offers: int


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """One offer of (part of) a batch; not sent while ``sent_at`` is ``None``.

    ``is_again`` tells that it is a herlevering of what was taken before; ``rounds`` counts how often it waited for somebody's abonnement.
    """

    id: int
    batch_id: str
    bericht_ids: tuple[str, ...]
    sent_at: float | None
    tries: int
    is_again: bool = False
    rounds: int = 0


class Store(Voorkeuren):
    """The database of the Afnemer."""

    def __init__(self, file: Path, *, is_durable: bool = True) -> None:
        super().__init__(file, _TABLES, is_durable=is_durable)

    def add_bericht(self, bericht_id: str, batch_id: str, letter: dict[str, Any], status: str) -> None:
        """Keep a new bericht."""
        self._do("INSERT INTO bericht (bericht_id, batch_id, letter, status) VALUES (?, ?, ?, ?)", bericht_id, batch_id, json.dumps(letter), status)

    def bericht(self, bericht_id: str) -> StoredBericht | None:
        """Return a bericht by its id, whatever the case it is written in."""
        rows = self._rows("SELECT * FROM bericht WHERE bericht_id = ?", bericht_id.lower())
        return _bericht(rows[0]) if rows else None

    def batch(self, batch_id: str) -> tuple[StoredBericht, ...]:
        """Return the berichten of a batch."""
        return tuple(_bericht(row) for row in self._rows("SELECT * FROM bericht WHERE batch_id = ? ORDER BY rowid", batch_id.lower()))

    def set_status(self, bericht_id: str, status: str, code: str | None, *, applied: int = 0) -> None:
        """Change what is known of a bericht; ``applied`` counts a result that was applied."""
        self._do("UPDATE bericht SET status = ?, code = ?, verwerkt = verwerkt + ? WHERE bericht_id = ?", status, code, applied, bericht_id)

    def plan_offer(self, batch_id: str, bericht_ids: Sequence[str], *, is_again: bool = False) -> None:
        """Put an offer in the outbox; ``is_again`` for a herlevering of what was taken before."""
        self._do("INSERT INTO offer (batch_id, bericht_ids, is_again) VALUES (?, ?, ?)", batch_id, json.dumps(list(bericht_ids)), is_again)

    def outbox(self, most_again: int | None = None) -> tuple[StoredOffer, ...]:
        """Return the offers that are still to be sent: new ones, oldest first, and then what is delivered again, ``most_again`` of it at most."""
        waiting = "SELECT * FROM offer WHERE sent_at IS NULL AND NOT is_given_up AND is_again = ? ORDER BY id LIMIT ?"
        rows = (*self._rows(waiting, False, -1), *self._rows(waiting, True, -1 if most_again is None else most_again))  # noqa: FBT003  # columns
        return tuple(_offer(row) for row in rows)

    def mark_sent(self, offer: StoredOffer, at: float, message_id: str | None = None) -> None:
        """Note that an offer was accepted, and in which message."""
        with self.transaction():
            self._do("UPDATE offer SET sent_at = ? WHERE id = ?", at, offer.id)
            if message_id is not None:
                self._do("INSERT OR REPLACE INTO sent_message (message_id, offer_id) VALUES (?, ?)", message_id, offer.id)
            for bericht_id in offer.bericht_ids:
                self._do("UPDATE bericht SET offers = offers + 1 WHERE bericht_id = ?", bericht_id)

    def offer_in(self, message_id: str) -> StoredOffer | None:
        """Return the offer that went in a message, or ``None``."""
        rows = self._rows("SELECT offer.* FROM offer JOIN sent_message ON offer_id = offer.id WHERE message_id = ?", message_id)
        return _offer(rows[0]) if rows else None

    def mark_tried(self, offer: StoredOffer, *, is_given_up: bool) -> None:
        """Note that an offer failed, for good or for now."""
        self._do("UPDATE offer SET tries = tries + 1, is_given_up = ? WHERE id = ?", is_given_up, offer.id)

    def narrow_offer(self, offer: StoredOffer, bericht_ids: Sequence[str]) -> None:
        """Keep berichten out of an offer that was not sent; one of which nothing is left is given up."""
        self._do("UPDATE offer SET bericht_ids = ?, is_given_up = ? WHERE id = ?", json.dumps(list(bericht_ids)), not bericht_ids, offer.id)

    def mark_round(self, offer: StoredOffer) -> None:
        """Note that an offer waits because it is not known who takes it."""
        self._do("UPDATE offer SET rounds = rounds + 1 WHERE id = ?", offer.id)

    def offers_between(self, start: float, end: float) -> tuple[StoredOffer, ...]:
        """Return the offers that were accepted from ``start`` to ``end`` (seconds since the epoch, both included)."""
        return tuple(_offer(row) for row in self._rows("SELECT * FROM offer WHERE sent_at BETWEEN ? AND ? ORDER BY id", start, end))

    def is_applied(self, key: str) -> bool:
        """Tell whether a result was applied before."""
        return bool(self._rows("SELECT 1 FROM applied WHERE key = ?", key))

    def mark_applied(self, key: str) -> None:
        """Note that a result is applied."""
        self._do("INSERT INTO applied (key) VALUES (?)", key)

    def add_stray(self, message_id: str, reason: str) -> None:
        """Keep what could not be placed, for a person to look at."""
        self._do("INSERT INTO stray (message_id, reason) VALUES (?, ?)", message_id, reason)

    def strays(self) -> tuple[tuple[str, str], ...]:
        """Return what could not be placed: MessageId and reason."""
        return tuple(self._rows("SELECT message_id, reason FROM stray"))


def _bericht(row: Any) -> StoredBericht:
    bericht_id, batch_id, letter, status, code, verwerkt, offers = row
    return StoredBericht(bericht_id, batch_id, json.loads(letter), status, code, verwerkt, offers)


def _offer(row: Any) -> StoredOffer:
    number, batch_id, bericht_ids, sent_at, tries, _, is_again, rounds = row
    return StoredOffer(number, batch_id, tuple(json.loads(bericht_ids)), sent_at, tries, bool(is_again), rounds)
