"""What a list of notifications comes to, read page by page: of a letter nothing is kept but whether it was seen."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from conformance.load.notificaties import BATCH, rate
from conformance.messages.moments import write_moment
from conformance.sno.nights import dutch

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MOST_SEEN: Final = 255


def new_run(drawn: str) -> str:
    """Return the name of a run, the beginning of its ids, from at least twelve hexadecimal digits."""
    return f"{drawn[:8]}-{drawn[8:12]}"


def bericht_id(run: str, letter: int) -> str:
    """Return the BerichtID of a letter of a run, by its number."""
    return f"{run}-4000-8000-{letter:012x}"


def batch_id(run: str, number: int) -> str:
    """Return the BatchID of a message of a run, by its number."""
    return f"{run}-4001-8000-{number:012x}"


@dataclass(slots=True)
class Reading:
    """Takes in the notifications of a run of ``volume`` messages that began at ``begin`` on the business clock, and of others in between."""

    run: str
    volume: int
    begin: datetime
    number: int = 0
    """The number of the last notification that was read."""
    read: int = 0
    own: int = 0
    """Letters of the run that have a notification."""
    foreign: int = 0
    disorder: int = 0
    early: int = 0
    example: str = ""
    lateness: timedelta = timedelta()
    most_in_60_minutes: int = 0
    first: datetime | None = None
    last_sent: datetime | None = None
    _arrived: datetime | None = None
    _free: datetime = field(init=False)
    _step: timedelta = field(init=False)
    _prefix: str = field(init=False)
    _seen: bytearray = field(init=False, repr=False)
    _batches: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    _hours: Counter[datetime] = field(default_factory=Counter, repr=False)
    _days: Counter[date] = field(default_factory=Counter, repr=False)
    _waited: set[date] = field(default_factory=set)
    _recent: deque[datetime] = field(default_factory=deque, repr=False)

    def __post_init__(self) -> None:
        self._free, self._step = self.begin, timedelta(seconds=1 / rate())
        self._prefix = bericht_id(self.run, 0)[:-12]
        self._seen = bytearray(self.volume * BATCH)

    @property
    def is_complete(self) -> bool:
        """Whether each letter of the run has a notification."""
        return self.own == len(self._seen)

    def take(self, page: Sequence[Mapping[str, Any]]) -> None:
        """Take in a page of the list."""
        for item in page:
            self.number = item["volgnummer"]
            arrived, sent = datetime.fromisoformat(item["aangekomen"]), datetime.fromisoformat(item["verzonden"])
            self.read += 1
            self._note_letter(item["berichtId"])
            self._note_order(arrived, sent)
            self._note_pace(arrived, sent)
            self._note_calendar(arrived, sent)

    def _note_letter(self, id_: str) -> None:
        letter = int(id_[-12:], 16) if id_.startswith(self._prefix) else -1
        if not 0 <= letter < len(self._seen):
            self.foreign += 1
            return
        self.own += not self._seen[letter]
        self._seen[letter] = min(_MOST_SEEN, self._seen[letter] + 1)
        batch = letter // BATCH
        lowest, highest = self._batches.get(batch, (self.number, self.number))
        self._batches[batch] = min(lowest, self.number), max(highest, self.number)

    def _note_order(self, arrived: datetime, sent: datetime) -> None:
        """Each comes behind what arrived before it, and left after what stands before it."""
        if (self._arrived is not None and arrived < self._arrived) or (self.last_sent is not None and sent < self.last_sent):
            self.disorder += 1
            told = f"number {self.number} arrived at {write_moment(arrived)} and left at {write_moment(sent)}"
            self.example = self.example or f"{told}, after one that arrived at {write_moment(self._arrived or arrived)}"
        self.early += sent < arrived
        self._arrived = arrived if self._arrived is None else max(arrived, self._arrived)
        self.first = sent if self.first is None else min(sent, self.first)
        self.last_sent = sent if self.last_sent is None else max(sent, self.last_sent)

    def _note_pace(self, arrived: datetime, sent: datetime) -> None:
        """Remember how far it was behind one that sends at the norm: each a step after the one before, and not before it arrived."""
        due = max(arrived, self._free)
        self._free = due + self._step
        self.lateness = max(self.lateness, sent - due)

    def _note_calendar(self, arrived: datetime, sent: datetime) -> None:
        local = dutch(sent).date()
        self._hours[sent.replace(minute=0, second=0, microsecond=0)] += 1
        self._days[local] += 1
        self._recent.append(sent)
        while self._recent[0] <= sent - _HOUR:
            self._recent.popleft()
        self.most_in_60_minutes = max(self.most_in_60_minutes, len(self._recent))
        if sent - arrived > _DAY:
            day = dutch(arrived).date() + _DAY
            while day < local:
                self._waited.add(day)
                day += _DAY

    def facts(self) -> dict[str, Any]:
        """Return what it comes to, as JSON value."""
        hour, in_hour = _most(self._hours)
        day, in_day = _most(self._days)
        return {
            "read": self.read,
            "own": self.own,
            "foreign": self.foreign,
            "twice": sum(seen > 1 for seen in self._seen),
            "disorder": self.disorder,
            "example": self.example,
            "early": self.early,
            "lateness_s": self.lateness.total_seconds(),
            "rate": self._rate(),
            "most_in_hour": [in_hour, write_moment(hour) if isinstance(hour, datetime) else ""],
            "most_in_60_minutes": self.most_in_60_minutes,
            "most_in_day": [in_day, str(day or "")],
            "days_without": sorted(str(day) for day in self._waited - self._days.keys()),
            "last_sent": None if self.last_sent is None else self.last_sent.timestamp(),
            "batches": [[number, *places] for number, places in sorted(self._batches.items())],
        }

    def _rate(self) -> float:
        if self.first is None or self.last_sent is None or self.last_sent <= self.first:
            return 0.0
        return (self.read - 1) / (self.last_sent - self.first).total_seconds()


def _most(counted: Counter[Any]) -> tuple[Any, int]:
    return max(counted.items(), key=lambda item: item[1], default=(None, 0))
