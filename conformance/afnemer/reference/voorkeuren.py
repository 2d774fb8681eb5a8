"""What the Afnemer knows of citizens: who takes its letters since when, and what it asked about that.

A BSN is a number here: a million of them stay small. The type ``""`` stands for an abonnement, which holds for every BerichtType.
"""

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance.afnemer.reference.database import Database

EVERY_TYPE: Final = ""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS voorkeur (
    bsn INTEGER NOT NULL, bericht_type TEXT NOT NULL, is_actief INTEGER NOT NULL, checked_at REAL NOT NULL,
    PRIMARY KEY (bsn, bericht_type)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verzoek (
    id INTEGER PRIMARY KEY, verzoek_id TEXT NOT NULL UNIQUE, soort TEXT NOT NULL, bsns BLOB NOT NULL, not_asked TEXT NOT NULL,
    mutatie_datum TEXT, is_basis INTEGER NOT NULL, made_at REAL NOT NULL, sent_at REAL, tries INTEGER NOT NULL DEFAULT 0,
    is_given_up INTEGER NOT NULL DEFAULT 0, answered_at REAL, answer BLOB);
"""
_KEEP: Final = """INSERT INTO voorkeur VALUES (?, ?, ?, ?)
    ON CONFLICT (bsn, bericht_type) DO UPDATE SET is_actief = excluded.is_actief, checked_at = excluded.checked_at"""
_REFUSE_ALL: Final = "UPDATE voorkeur SET is_actief = 0, checked_at = ? WHERE bericht_type = ''"
_REFUSE_OTHERS: Final = "INSERT OR IGNORE INTO voorkeur SELECT bsn, '', 0, ? FROM voorkeur WHERE bericht_type <> ''"
_CACHE_KIB: Final = 32_768  # of pages that an answer about a million citizens writes to again and again
_COLUMNS: Final = "id, verzoek_id, soort, bsns, not_asked, mutatie_datum, is_basis, made_at, sent_at, tries, answered_at"


@dataclass(frozen=True, slots=True)
class StoredVerzoek:
    """A request for abonnementen; ``bsns`` are the bytes of a ``BsnList``, ``not_asked`` what cannot be a BSN.

    ``is_basis`` tells that mutaties since this one, together with its answer, leave no gap. Moments are seconds since the epoch.
    """

    verzoek_id: str
    soort: str
    bsns: bytes = field(repr=False)
    not_asked: tuple[str, ...] = field(repr=False)
    mutatie_datum: str | None
    is_basis: bool
    made_at: float
    sent_at: float | None = None
    tries: int = 0
    answered_at: float | None = None
    id: int = 0


class Voorkeuren(Database):
    """The part of the database of the Afnemer that is about what citizens want."""

    def __init__(self, file: Path, tables: str, *, is_durable: bool = True) -> None:
        super().__init__(file, _TABLES + tables, is_durable=is_durable)
        self._do(f"PRAGMA cache_size = -{_CACHE_KIB}")

    # -- what citizens want ----------------------------------------------------------------------------------------------------------------

    def keep_voorkeuren(self, voorkeuren: Iterable[tuple[int, bool]], at: float, bericht_type: str = EVERY_TYPE) -> None:
        """Keep what is known of citizens since ``at``: BSN and whether they take it; of one that comes twice the last counts."""
        with self.transaction():
            self._do_each(_KEEP, [(bsn, bericht_type, is_actief, at) for bsn, is_actief in voorkeuren])

    def refuse_all(self, at: float) -> None:
        """Keep that nobody who is known has an abonnement."""
        with self.transaction():
            self._do(_REFUSE_ALL, at)
            self._do(_REFUSE_OTHERS, at)

    def checks(self, bsns: Sequence[str]) -> Sequence[tuple[int, str, bool, float]]:
        """Return every check of these citizens: BSN, BerichtType or ``""``, whether they take it, and when that was known."""
        sql = "SELECT bsn, bericht_type, is_actief, checked_at FROM voorkeur WHERE bsn IN (SELECT value FROM json_each(?))"
        rows = self._rows(sql, json.dumps([int(bsn) for bsn in bsns]))
        return [(bsn, bericht_type, bool(is_actief), at) for bsn, bericht_type, is_actief, at in rows]

    # -- what was asked --------------------------------------------------------------------------------------------------------------------

    def add_verzoek(self, verzoek: StoredVerzoek) -> None:
        """Put a request in the outbox; what it does not ask about is kept for its answer."""
        self._do(
            "INSERT INTO verzoek (verzoek_id, soort, bsns, not_asked, mutatie_datum, is_basis, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            verzoek.verzoek_id,
            verzoek.soort,
            verzoek.bsns,
            json.dumps(verzoek.not_asked),
            verzoek.mutatie_datum,
            verzoek.is_basis,
            verzoek.made_at,
        )

    def verzoek(self, verzoek_id: str) -> StoredVerzoek | None:
        """Return a request by its id, whatever the case it is written in, or ``None``."""
        return next(iter(self._verzoeken("verzoek_id = ?", verzoek_id.lower())), None)

    def verzoeken_to_send(self) -> Sequence[StoredVerzoek]:
        """Return the requests that are still to be sent, oldest first; one that was answered all the same has arrived."""
        return self._verzoeken("sent_at IS NULL AND NOT is_given_up AND answered_at IS NULL")

    def sent_verzoeken(self) -> Sequence[StoredVerzoek]:
        """Return the requests that left, oldest first, without their BSNs."""
        return self._verzoeken("sent_at IS NOT NULL", bsns="x''")

    def has_verzoeken(self) -> bool:
        """Tell whether abonnementen were ever requested."""
        return bool(self._rows("SELECT 1 FROM verzoek LIMIT 1"))

    def mark_verzoek_sent(self, verzoek: StoredVerzoek, at: float) -> None:
        """Note that a request was accepted."""
        self._do("UPDATE verzoek SET sent_at = ? WHERE verzoek_id = ?", at, verzoek.verzoek_id)

    def mark_verzoek_tried(self, verzoek: StoredVerzoek, *, is_given_up: bool) -> None:
        """Note that a request was refused, for good or for now."""
        self._do("UPDATE verzoek SET tries = tries + 1, is_given_up = ? WHERE verzoek_id = ?", is_given_up, verzoek.verzoek_id)

    def mark_answered(self, verzoek: StoredVerzoek, at: float, answer: bytes) -> None:
        """Note that a request is answered, and how."""
        self._do("UPDATE verzoek SET answered_at = ?, answer = ? WHERE verzoek_id = ?", at, answer, verzoek.verzoek_id)

    def answer(self, verzoek_id: str) -> bytes:
        """Return how a request was answered; empty as long as it is not."""
        rows = self._rows("SELECT answer FROM verzoek WHERE verzoek_id = ?", verzoek_id.lower())
        return bytes(rows[0][0] or b"") if rows else b""

    def _verzoeken(self, condition: str, *values: Any, bsns: str = "bsns") -> Sequence[StoredVerzoek]:
        columns = _COLUMNS.replace("bsns", bsns)
        sql = f"SELECT {columns} FROM verzoek WHERE {condition} ORDER BY id"  # noqa: S608  # our own conditions
        return [_verzoek(row) for row in self._rows(sql, *values)]


def _verzoek(row: Sequence[Any]) -> StoredVerzoek:
    number, verzoek_id, soort, bsns, not_asked, mutatie_datum, is_basis, made_at, sent_at, tries, answered_at = row
    return StoredVerzoek(
        verzoek_id, soort, bsns, tuple(json.loads(not_asked)), mutatie_datum, bool(is_basis), made_at, sent_at, tries, answered_at, number
    )


def packed(voorkeuren: Iterable[tuple[int, bool]]) -> "array[int]":
    """Return voorkeuren in four bytes each: twice the BSN, and one more when it is active."""
    return array("I", [2 * bsn + is_actief for bsn, is_actief in voorkeuren])


def unpacked(data: bytes) -> dict[int, bool]:
    """Return the voorkeuren in the bytes of such an array; of a BSN that was told twice the last counts."""
    return {number // 2: bool(number % 2) for number in array("I", data)}
