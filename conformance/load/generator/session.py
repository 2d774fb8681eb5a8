"""One run in one process of the load generator: its part of the schedule, what it measured, and what it reports."""

import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
import httpx

from conformance.load.judging import CRASHES, DONE, LATE_BUSY, LATE_IDLE, LATE_S, SENT, UNPREPARED, UNREACHED, UnpreparedError
from conformance.load.plan import LoadPlan
from conformance.load.samples import Samples, Tally
from conformance.load.watching import waited_s

_LOG: Final = logging.getLogger(__name__)
_LEAD_S: Final = 2.0
_HANDSHAKE_S: Final = 0.03


def lead_s(plan: LoadPlan) -> float:
    """Return how long it is from the plan until the first message is due: meanwhile the users come, and shake hands where there is TLS."""
    return _LEAD_S + (plan.users * _HANDSHAKE_S if plan.target.startswith("https:") else 0.0)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message that a user has taken on: its number, and when it is due and was taken, by the monotonic clock."""

    number: int
    due: float
    taken: float


@dataclass(slots=True)
class Session:
    """The part ``index`` of ``parts`` of a run: messages index, index + parts, ... each sent by whichever user is free first.

    ``facts`` are what the profile found out before the users came or beside them.
    """

    plan: LoadPlan
    index: int = 0
    parts: int = 1
    facts: dict[str, Any] = field(default_factory=dict)
    samples: Samples = field(default_factory=Samples)
    tally: Tally = field(default_factory=Tally)
    begin: float = 0.0
    begin_epoch: float = 0.0
    waited_before: float = 0.0
    is_accompanied: bool = False
    _next: int = 0
    _done: int = 0

    def __post_init__(self) -> None:
        lead = lead_s(self.plan)
        self.begin, self.begin_epoch = time.monotonic() + lead, time.time() + lead
        self._next = self.index
        self.waited_before = waited_s()
        self.samples = Samples(self.plan.profile.thresholds())

    def __repr__(self) -> str:
        return f"<Session {self.index + 1} of {self.parts}: {self.plan!r}>"

    # -- the schedule ----------------------------------------------------------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start of the schedule."""
        return time.monotonic() - self.begin

    @property
    def own_volume(self) -> int:
        """How many messages this part has."""
        return len(range(self.index, self.plan.volume, self.parts))

    @property
    def is_done(self) -> bool:
        """Whether every message of this part was sent and answered, and whatever goes on beside the users is over."""
        return self._done >= self.own_volume and not self.is_accompanied

    def take(self) -> Turn | None:
        """Return the next message of this part and wait until it is due; ``None`` when there is none left."""
        number = self._next
        if number >= self.plan.volume:
            return None
        self._next += self.parts
        turn = Turn(number, self.begin + self.plan.due(number), time.monotonic())
        if turn.due > turn.taken:
            gevent.sleep(turn.due - turn.taken)
        self._note_lateness(turn, time.monotonic() - turn.due)
        return turn

    def _note_lateness(self, turn: Turn, late_s: float) -> None:
        self.tally.counts[SENT] += 1
        was_waiting = turn.taken <= turn.due
        self.tally.raise_to(LATE_IDLE if was_waiting else LATE_BUSY, late_s)
        if late_s > LATE_S:
            self.tally.counts[LATE_IDLE if was_waiting else LATE_BUSY] += 1

    def finish(self, error: Exception | None = None) -> None:
        """Note that a message was sent and answered, or that our own code crashed on it."""
        self._done += 1
        self.tally.counts[DONE] += 1
        self.tally.raise_to("last answer", self.elapsed_s)
        if error is not None:
            self.crash(error)

    def crash(self, error: Exception) -> None:
        """Note that our own code failed: what was measured is worth nothing then."""
        self.tally.counts[CRASHES] += 1
        self.tally.fail(f"{type(error).__name__}: {error}")

    def unprepared(self, error: Exception) -> None:
        """Note why the run could not begin: nobody was there, the party did not let itself be made ready, or our own code failed."""
        if isinstance(error, httpx.ConnectError):
            self.tally.counts[UNREACHED] += 1
        elif isinstance(error, UnpreparedError | httpx.HTTPError):
            self.tally.counts[UNPREPARED] += 1
            self.tally.fail(str(error) or type(error).__name__)
        else:
            _LOG.error("what comes before the users failed", exc_info=error)
            self.crash(error)

    def on_request(self, name: str, response_time: float, exception: Exception | None = None, start_time: float | None = None, **_rest: Any) -> None:
        """Keep one request; called by Locust, ``response_time`` is in milliseconds."""
        at = time.time() - response_time / 1000 if start_time is None else start_time
        self.samples.add(name, at - self.begin_epoch, response_time / 1000, is_failure=exception is not None)
        if exception is not None:
            self.tally.fail(f"{name}: {exception}")
            self.tally.counts[UNREACHED] += isinstance(exception, ConnectionRefusedError | socket.gaierror)

    def waited_s(self) -> float:
        """Return how long this process waited for a processor since the start of the schedule: it has one thread that matters."""
        return waited_s() - self.waited_before

    # -- reporting -------------------------------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return what came since the last report, for the master."""
        told: dict[str, Any] = {
            "index": self.index,
            "waited_s": self.waited_s(),
            "samples": self.samples.to_json(),
            "tally": self.tally.to_json(),
            "facts": self.facts,
            "is_done": self.is_done,
        }
        self.samples, self.tally = Samples(self.samples.thresholds), Tally()
        return told


@dataclass(slots=True)
class Gathered:
    """What the master hears of its workers."""

    plan: LoadPlan
    parts: int
    samples: Samples = field(default_factory=Samples)
    tally: Tally = field(default_factory=Tally)
    facts: dict[str, Any] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    waited: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.samples = Samples(self.plan.profile.thresholds())

    def hear(self, report: Mapping[str, Any]) -> None:
        """Add the report of a worker."""
        self.samples.merge(Samples.from_json(report["samples"]))
        self.tally.merge(Tally.from_json(report["tally"]))
        self.facts.update(report["facts"])
        self.waited[report["index"]] = report["waited_s"]
        if report["is_done"]:
            self.done.add(report["index"])

    @property
    def is_done(self) -> bool:
        """Whether every worker has done its part."""
        return len(self.done) >= self.parts
