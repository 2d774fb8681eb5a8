"""Follows the list of notifications of a Berichtenbox during a run, over its control face; and moves its clock when that was asked."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import httpx

from conformance.berichtenbox.control_face import PATH
from conformance.berichtenbox.control_http import MOST_AT_ONCE
from conformance.load.notificaties import ABSENT, BATCH, afterwards_s, is_moved, period, rate
from conformance.load.notificaties_reading import Reading, new_run
from conformance.load.plan import LoadPlan
from conformance.messages.verwerkingsbericht import VerwerkingsCode

MARGIN_S: Final = 10.0
"""How long is waited for what should be there: longer than after which a Berichtenbox counts as quiet."""
_PAUSE_S: Final = 1.0
_MOVES: Final = 24
_OK: Final = 200


class Follower:
    """Reads the list of one Berichtenbox, which is the base URL of ``control``; ``sleep`` and ``clock`` (in seconds) are those of the process."""

    def __init__(self, control: httpx.Client, sleep: Callable[[float], object] = time.sleep, clock: Callable[[], float] = time.monotonic) -> None:
        self._control, self._sleep, self._clock = control, sleep, clock

    def begin(self, drawn: str) -> dict[str, Any]:
        """Return the facts with which a run begins, or why there is no list; ``drawn`` are hexadecimal digits for its ids."""
        try:
            answer = self._control.get(f"{PATH}/notificaties", params={"aantal": 1})
        except httpx.HTTPError as error:
            return {ABSENT: type(error).__name__}
        if answer.status_code != _OK:
            return {ABSENT: f"GET {PATH}/notificaties answered {answer.status_code}"}
        reading = Reading(new_run(drawn), 0, self._now())
        self._read(reading)
        return {"run": reading.run, "after": reading.number, "stored": self._stored(), "begin": self._now().isoformat()}

    def follow(self, plan: LoadPlan, began: dict[str, Any], ends: float) -> dict[str, Any]:
        """Read until each letter has its notification, or none comes any more; ``ends`` is when all is offered. Return what it comes to."""
        reading = Reading(began["run"], plan.volume, datetime.fromisoformat(began["begin"]), began["after"])
        ahead = self._ahead()
        if is_moved(plan.settings):
            self._wait_until_stored(plan, began, ends)
            self._move(plan, reading)
        else:
            self._wait(plan, reading, ends)
        told = {"stored": self._stored() - began["stored"], "now": self._now().timestamp(), "moved_s": round(self._ahead() - ahead)}
        return reading.facts() | told

    def _wait(self, plan: LoadPlan, reading: Reading, ends: float) -> None:
        # At a longer window all left when it ends, at a shorter one some wait for as long as the norm takes for all of them.
        until = max(ends, ends - plan.window_s + plan.volume * BATCH / rate()) + MARGIN_S
        while True:
            self._read(reading)
            if reading.is_complete or self._clock() > until:
                return
            self._sleep(_PAUSE_S)

    def _wait_until_stored(self, plan: LoadPlan, began: dict[str, Any], ends: float) -> None:
        until = ends + afterwards_s(plan) / 2
        while self._stored() - began["stored"] < plan.volume * BATCH and self._clock() < until:
            self._sleep(_PAUSE_S / 10)

    def _move(self, plan: LoadPlan, reading: Reading) -> None:
        """Let the hour or the day pass, with the margin: less than all is not read, however late it is."""
        step = (float(plan.scale) * period(plan.settings).total_seconds() + MARGIN_S) / _MOVES
        for _ in range(_MOVES):
            self._asked("POST", "/klok", json={"seconden": step})
            self._read(reading)

    def _read(self, reading: Reading) -> None:
        while page := self._asked("GET", "/notificaties", params={"na": reading.number, "aantal": MOST_AT_ONCE})["notificaties"]:
            reading.take(page)
            if len(page) < MOST_AT_ONCE:
                return

    def _stored(self) -> int:
        return int(self._asked("GET", "/stand").get(VerwerkingsCode.VERWERKT, 0))

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._asked("GET", "/klok")["nu"])

    def _ahead(self) -> float:
        return float(self._asked("GET", "/klok")["voorSeconden"])

    def _asked(self, method: str, path: str, **how: Any) -> Any:
        answer = self._control.request(method, PATH + path, **how)
        answer.raise_for_status()
        return answer.json()
