"""Holds what was delivered again against what was offered first, for as many berichten as a national day has.

Pure: rows come in as they stood in the ledger, as a stream, and of each only some 40 bytes are kept. Those lie in partitions by BerichtID, so that at
the end only one partition at a time becomes a dictionary.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

PARTITIONS: Final = 256
MOST_EXAMPLES: Final = 5
_HEX_OF_GUID: Final = 32
_FIRST: Final = struct.Struct("16s16s8sB")
_AGAIN: Final = struct.Struct("16s16s8s")


class Levering(NamedTuple):
    """One bericht in one offer: its BerichtID and BatchID in lower case, the digest of its content (hex), and when it came, in seconds (wall clock).

    A plain tuple of the same four will do: five million of them pass by.
    """

    bericht_id: str
    batch_id: str
    digest: str
    at: float


@dataclass(frozen=True, slots=True)
class Window:
    """The window that is delivered again, in seconds on the wall clock, both included.

    What came within ``slack_s`` of an edge may come again and need not: the clock of an Afnemer is not ours.
    """

    start: float
    end: float
    slack_s: float = 0.0

    @classmethod
    def of(cls, vanaf: datetime, tot: datetime, slack_s: float = 0.0) -> "Window":
        """Return the window between two moments."""
        return cls(vanaf.timestamp(), tot.timestamp(), slack_s)

    def place(self, at: float) -> "Place":
        """Tell where a moment falls."""
        if self.start + self.slack_s <= at <= self.end - self.slack_s:
            return Place.INSIDE
        return Place.OUTSIDE if at < self.start - self.slack_s or at > self.end + self.slack_s else Place.EDGE


class Place(IntEnum):
    """Where an offer falls; of several offers of one bericht the highest counts."""

    OUTSIDE = 0
    EDGE = 1
    INSIDE = 2


@dataclass(slots=True)
class Trouble:
    """How many berichten something is wrong with, and the BerichtIDs of some of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, key: bytes) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(_shown(key))

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return self.count > 0


@dataclass(slots=True)
class Reconciliation:
    """What a herlevering came to, in berichten.

    ``wanted`` were offered in the window, and ``complete`` of them came again; ``missing`` did not. ``changed`` came with another content, ``moved``
    under another BatchID, ``repeated`` more than once, ``strange`` under ids that were never offered. ``outside`` were not asked for: offered outside
    of the window, or live and offered twice. ``live`` is the ordinary traffic beside it; ``first_at`` and ``last_at`` are of what came again.
    """

    offered: int = 0
    wanted: int = 0
    complete: int = 0
    again: int = 0
    live: int = 0
    missing: Trouble = field(default_factory=Trouble)
    changed: Trouble = field(default_factory=Trouble)
    moved: Trouble = field(default_factory=Trouble)
    repeated: Trouble = field(default_factory=Trouble)
    strange: Trouble = field(default_factory=Trouble)
    outside: Trouble = field(default_factory=Trouble)
    first_at: float | None = None
    last_at: float | None = None

    def __repr__(self) -> str:
        """Show the outcome in a line."""
        wrong = ", ".join(f"{trouble.count} {name}" for name, trouble in self.troubles() if trouble)
        return f"<Reconciliation: {self.complete} of {self.wanted} again{', ' if wrong else ''}{wrong}>"

    def troubles(self) -> Iterable[tuple[str, Trouble]]:
        """Yield each kind of trouble by its name."""
        for name in ("missing", "changed", "moved", "repeated", "strange", "outside"):
            yield name, getattr(self, name)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        fields: dict[str, Any] = {name: Trouble(**item) if isinstance(item, dict) else item for name, item in value.items()}
        return cls(**fields)

    @property
    def duration_s(self) -> float:
        """The seconds between the first and the last that came again."""
        return 0.0 if self.first_at is None or self.last_at is None else self.last_at - self.first_at


class Reconciler:
    """Takes in what was offered, what was delivered again and what went on beside it, and tells what is wrong."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._first = [bytearray() for _ in range(PARTITIONS)]
        self._again = [bytearray() for _ in range(PARTITIONS)]
        self._live = [bytearray() for _ in range(PARTITIONS)]
        self._first_at: float | None = None
        self._last_at: float | None = None
        self._batch: tuple[str, bytes] = ("", b"")

    def offered(self, leveringen: Iterable[tuple[str, str, str, float]]) -> None:
        """Take in what was offered before the herlevering, whenever and how often."""
        partitions, place, pack, crc32 = self._first, self._window.place, _FIRST.pack, zlib.crc32
        for bericht_id, batch_id, digest, at in leveringen:
            key = _key(bericht_id)
            partitions[crc32(key) & 0xFF] += pack(key, bytes.fromhex(digest[:32]), self._batch_key(batch_id), place(at))

    def again(self, leveringen: Iterable[tuple[str, str, str, float]]) -> None:
        """Take in what came of the herlevering."""
        for at in self._pack(self._again, leveringen):
            if self._first_at is None:
                self._first_at = at
            self._last_at = at

    def live(self, leveringen: Iterable[tuple[str, str, str, float]]) -> None:
        """Take in the ordinary traffic during the herlevering, in the order in which it came."""
        for _ in self._pack(self._live, leveringen):
            pass

    def _pack(self, partitions: list[bytearray], leveringen: Iterable[tuple[str, str, str, float]]) -> Iterable[float]:
        pack, crc32 = _AGAIN.pack, zlib.crc32
        for bericht_id, batch_id, digest, at in leveringen:
            key = _key(bericht_id)
            partitions[crc32(key) & 0xFF] += pack(key, bytes.fromhex(digest[:32]), self._batch_key(batch_id))
            yield at

    def _batch_key(self, batch_id: str) -> bytes:
        """Return what stands for a BatchID; the berichten of a batch come in a row."""
        if self._batch[0] != batch_id:
            self._batch = batch_id, hashlib.blake2b(batch_id.encode(), digest_size=8).digest()
        return self._batch[1]

    def reconcile(self) -> Reconciliation:
        """Return what it comes to; what was taken in is let go of on the way."""
        found = Reconciliation(first_at=self._first_at, last_at=self._last_at)
        for number in range(PARTITIONS):
            partition = _Partition(found)
            partition.offer(self._first[number])
            partition.deliver_again(self._again[number])
            partition.go_on(self._live[number])
            partition.close()
            self._first[number] = self._again[number] = self._live[number] = bytearray()
        return found


class _Partition:
    """The berichten of one partition: what was first, and what of it came again."""

    def __init__(self, found: Reconciliation) -> None:
        self._found = found
        self._known: dict[bytes, tuple[bytes, bytes, int]] = {}
        self._came: set[bytes] = set()

    def offer(self, rows: bytearray) -> None:
        for key, digest, batch, place in _FIRST.iter_unpack(rows):
            earlier = self._known.get(key)
            if earlier is None:
                self._known[key] = digest, batch, place
            elif place > earlier[2]:
                self._known[key] = (*earlier[:2], place)
        self._found.offered += len(self._known)

    def deliver_again(self, rows: bytearray) -> None:
        found, came = self._found, self._came
        for key, digest, batch in _AGAIN.iter_unpack(rows):
            found.again += 1
            earlier = self._known.get(key)
            if earlier is None:
                found.strange.add(key)
                continue
            if key in came:
                found.repeated.add(key)
            came.add(key)
            if earlier[0] != digest:
                found.changed.add(key)
            if earlier[1] != batch:
                found.moved.add(key)
            if earlier[2] == Place.OUTSIDE:
                found.outside.add(key)

    def go_on(self, rows: bytearray) -> None:
        """Look at live traffic: what of it was offered before, then or in the herlevering, was not asked for."""
        seen: set[bytes] = set()
        for key, _, _ in _AGAIN.iter_unpack(rows):
            if key in seen or key in self._known:
                self._found.outside.add(key)
            else:
                self._found.live += 1
            seen.add(key)

    def close(self) -> None:
        found = self._found
        for key, (_, _, place) in self._known.items():
            if place == Place.INSIDE:
                found.wanted += 1
                if key in self._came:
                    found.complete += 1
                else:
                    found.missing.add(key)


def _key(bericht_id: str) -> bytes:
    """Return the sixteen bytes of a GUID, or of a digest of what is none."""
    digits = bericht_id.replace("-", "")
    if len(digits) == _HEX_OF_GUID:
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    return hashlib.blake2b(bericht_id.encode(), digest_size=16).digest()


def _shown(key: bytes) -> str:
    """Return the GUID of a key."""
    digits = key.hex()
    return "-".join(digits[start:end] for start, end in pairwise((0, 8, 12, 16, 20, 32)))


def reconcile(
    offered: Iterable[tuple[str, str, str, float]],
    again: Iterable[tuple[str, str, str, float]],
    window: Window,
    live: Iterable[tuple[str, str, str, float]] = (),
) -> Reconciliation:
    """Return what a herlevering of ``window`` came to, given what was offered before it, what it brought, and what went on beside it."""
    reconciler = Reconciler(window)
    takes: tuple[tuple[Callable[[Iterable[tuple[str, str, str, float]]], None], Iterable[tuple[str, str, str, float]]], ...]
    takes = (reconciler.offered, offered), (reconciler.again, again), (reconciler.live, live)
    for take, leveringen in takes:
        take(leveringen)
    return reconciler.reconcile()
