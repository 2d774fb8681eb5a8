"""Follows an Afnemer during a run: asks it over test-control, steers the Berichtenbox over its control face, and reads the ledger until all is quiet.

How to rest is given: within a load generator that is not how a thread rests.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from conformance.berichtenbox.sql_leveringen import Leveringen
from conformance.load.afnemers import BERICHTEN, BOX_PID, CONTROL, LEDGER, REACTION
from conformance.load.judging import UnpreparedError
from conformance.load.watching import WATCHED, Watch
from conformance.transport import pki
from conformance.transport.tls import client_context

QUIET_S: Final = 3.0
"""So long nothing must happen before an Afnemer counts as done."""
PATIENCE_S: Final = 15.0
"""So long is waited for something that is still to come."""
_LOOK_S: Final = 0.25
_VERB_S: Final = 300.0
_DAY_S: Final = 3_600.0  # a day on the business clock, in which each result of a full run is tried four times
_ACCEPTED: Final = 202
_OK: Final = 200
BOX: Final = "the Berichtenbox of the kit"


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far things are: the last bericht and message, what waits to be processed, and what waits for the Afnemer."""

    bericht: int
    message: int
    accepted: int
    waiting: int


class Following:
    """One Afnemer at ``target``, with the Berichtenbox of ``connection``; ``sleep`` and ``now`` (the wall clock) are those of the process.

    Raises :class:`UnpreparedError` for a connection without a ledger.
    """

    def __init__(
        self,
        target: str,
        connection: Mapping[str, str],
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if LEDGER not in connection:
            raise UnpreparedError("it is not told where the Berichtenbox and its ledger are")
        self.connection = connection
        # The Afnemer of somebody else may look at its queue as seldom as it says; ours does so all the time.
        seldom_s = float(connection[REACTION]) if connection.get("given") else 0.0
        self._quiet_s, self.patience_s = QUIET_S + seldom_s, PATIENCE_S + 2 * seldom_s
        self.now, self._sleep, self._open = now, sleep, ExitStack()
        self.ledger = self._open.enter_context(Leveringen(connection[LEDGER]))
        self._afnemer = self._open.enter_context(httpx.Client(base_url=target, timeout=_VERB_S, trust_env=False))
        self._control = self._open.enter_context(
            httpx.Client(base_url=connection[CONTROL], timeout=_DAY_S, trust_env=False, verify=_trusted(connection))
        )

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Let go of everything."""
        self._open.close()

    # -- the Afnemer -----------------------------------------------------------------------------------------------------------------------

    def deliver(self, letters: Sequence[Mapping[str, Any]], per_batch: int) -> list[str]:
        """Have letters delivered, and return their BerichtIDs; raises :class:`UnpreparedError` and ``httpx.HTTPError``."""
        answer = self._afnemer.post(BERICHTEN, json={"berichten": list(letters), "perBatch": per_batch})
        if answer.status_code != _ACCEPTED:
            raise UnpreparedError(f"the Afnemer answers {answer.status_code} when it is asked to deliver {len(letters)} letters")
        try:
            return [str(item["berichtId"]).lower() for item in answer.json()["berichten"]]
        except (ValueError, KeyError, TypeError):
            raise UnpreparedError("the Afnemer does not answer under which ids it delivered letters; see specs/openapi/test-control.yaml") from None

    def ask(self, path: str, body: Mapping[str, Any], timeout_s: float) -> tuple[int, str]:
        """Ask the Afnemer something that may take long; return the status (0: no answer) and what it answered."""
        try:
            answer = self._afnemer.post(path, json=dict(body), timeout=timeout_s)
        except httpx.HTTPError as error:
            return 0, type(error).__name__
        return answer.status_code, answer.text[:200]

    def statuses(self, bericht_ids: Iterable[str]) -> Iterator[tuple[str, str, int]]:
        """Yield for each bericht where it stands (empty: the Afnemer does not say) and how often a result was applied."""
        for bericht_id in bericht_ids:
            answer = self._afnemer.get(f"{BERICHTEN}/{bericht_id}")
            body = _read(answer.content) if answer.status_code == _OK else {}
            count = body.get("verwerkt")
            yield bericht_id, str(body.get("status", "")), count if isinstance(count, int) else 0

    # -- the Berichtenbox ------------------------------------------------------------------------------------------------------------------

    def steer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the control face something; raises ``httpx.HTTPStatusError`` when it refuses, which is our fault."""
        answer = self._control.request(method, path, json=None if body is None else dict(body))
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def watch(self) -> Watch:
        """Begin to watch how busy the Berichtenbox is."""
        return Watch.of({WATCHED: json.dumps({BOX: int(self.connection[BOX_PID])})})

    # -- waiting ---------------------------------------------------------------------------------------------------------------------------

    def pulse(self) -> Pulse:
        """Return how far things are."""
        return Pulse(self.ledger.last_bericht(), self.ledger.last_message(), self.ledger.accepted(), self.ledger.waiting())

    def since_s(self, moment: datetime) -> float:
        """Return how many seconds ago something was."""
        return (self.now() - moment).total_seconds()

    def rest(self, seconds: float) -> None:
        """Rest."""
        self._sleep(seconds)

    def wait(self, is_enough: Callable[[Pulse], bool], most_s: float, patience_s: float | None = None) -> bool:
        """Wait until it is enough; return whether it came to that, before ``most_s`` were over and before nothing happened for ``patience_s``."""
        patience = self.patience_s if patience_s is None else patience_s
        begin = changed = self.now()
        before = self.pulse()
        while not is_enough(before):
            if self.since_s(begin) > most_s or self.since_s(changed) > patience:
                return False
            self._sleep(_LOOK_S)
            now = self.pulse()
            if now != before:
                before, changed = now, self.now()
        return True

    def settle(self, most_s: float) -> Pulse:
        """Wait until nothing happened for a while, ``most_s`` at most, and return how far things are then."""
        self.wait(lambda _pulse: False, most_s, self._quiet_s)
        return self.pulse()


def _trusted(connection: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom we trust and who we are before the Berichtenbox."""
    directory = connection.get("tls")
    return client_context(pki.load(Path(directory)).files_of("client")) if directory else ssl.create_default_context()


def _read(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
