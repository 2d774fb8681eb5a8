"""Fetches what comes back later, as an application behind its adapter does: asks what waits, fetches it, and marks it once it is read.

How long it waits is the term of the norm. Of a simulated Berichtenbox on this machine the clock is moved instead: what is not there after that is
late.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.ledger import State
from conformance.load.plan import LoadPlan
from conformance.messages.envelope import Envelope
from conformance.transport.adapter import REST_PATH, RequestRefused, read_message

QUIET_S: Final = 2.0
"""So long nothing may come before what is left is thought to come late, if at all."""
_MOST_WORK_S: Final = 900.0
"""So long a simulated Berichtenbox may work on after the schedule: one that hangs does not keep a run for a day."""
_POLL_S: Final = 0.1
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OURS: Final = "/ebms/messages"


@dataclass(slots=True)
class Queue:
    """What waits at the adapter for an application; a message that is not ours stays there, and is looked at once."""

    client: httpx.Client
    cpa_id: str
    action: str
    _seen: set[str] = field(default_factory=set)

    def new(self) -> Iterator[tuple[str, Envelope]]:
        """Yield what waits and was not seen before; trouble on the way is no answer, and is tried again later."""
        for message_id in self._waiting():
            if message_id in self._seen:
                continue
            try:
                answer = self.client.get(f"{REST_PATH}{_OURS}/{quote(message_id, safe='')}")
                envelope = read_message(answer.content) if answer.is_success else None
            except (httpx.HTTPError, RequestRefused):
                continue
            if envelope is not None:
                self._seen.add(message_id)
                yield message_id, envelope

    def _waiting(self) -> list[str]:
        try:
            answer = self.client.get(f"{REST_PATH}{_OURS}/unprocessed", params={"cpaId": self.cpa_id, "action": self.action})
            found: Any = answer.json() if answer.is_success else []
        except (httpx.HTTPError, ValueError):
            return []
        return [str(one) for one in found] if isinstance(found, list) else []

    def mark(self, message_id: str) -> None:
        """Mark a message as processed; one that cannot be marked comes back, and is not counted again."""
        try:
            self.client.patch(f"{REST_PATH}{_OURS}/{quote(message_id, safe='')}")
        except httpx.HTTPError:
            return


@dataclass(slots=True)
class Collecting:
    """The wait for what comes back: until all is there, or the term is over.

    ``elapsed`` tells the seconds since the start of the schedule, ``pause`` waits without holding up others; ``moved_s`` is how far the clock of a
    simulated Berichtenbox was moved.
    """

    plan: LoadPlan
    client: httpx.Client
    term_s: float
    elapsed: Callable[[], float]
    pause: Callable[[float], object] = time.sleep
    moved_s: float = 0.0

    def until(self, is_complete: Callable[[], bool], take_new: Callable[[], bool]) -> None:
        """Call ``take_new`` (which tells whether something came) again and again, until ``is_complete`` or until it is in vain to wait."""
        last = self.plan.window_s
        while not is_complete():
            if take_new():
                last = max(last, self.elapsed())
            elif self.elapsed() - last > QUIET_S:
                if self._is_in_vain():
                    return
                last = self.elapsed()
            self.pause(_POLL_S)

    def _is_in_vain(self) -> bool:
        if self.moved_s:
            return not self._is_working() or self.elapsed() - self.plan.window_s > _MOST_WORK_S
        if self._move():
            return False
        return self.elapsed() - self.plan.window_s >= wait_s(self.plan, self.term_s)

    def _is_working(self) -> bool:
        """Tell whether a simulated Berichtenbox still has something to process: it may be slower than we are patient."""
        try:
            answer = self.client.get(f"{CONTROL_PATH}/stand")
            return answer.is_success and bool(answer.json().get(State.ACCEPTED))
        except (httpx.HTTPError, ValueError):
            return False

    def _move(self) -> bool:
        """Move the clock of a simulated Berichtenbox so far that the last message is as old as the term says."""
        if urlsplit(self.plan.target).hostname not in _LOOPBACK:
            return False
        by = max(1.0, self.term_s - (self.elapsed() - self.plan.window_s))
        try:
            is_moved = self.client.post(f"{CONTROL_PATH}/klok", json={"seconden": by}).is_success
        except httpx.HTTPError:
            return False
        self.moved_s = by if is_moved else 0.0
        return is_moved


def wait_s(plan: LoadPlan, term_s: float) -> float:
    """Return how long a run waits for what comes back later: what somebody said, or the term of the norm."""
    return term_s if plan.wait_s is None else min(plan.wait_s, term_s)
