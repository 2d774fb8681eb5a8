"""Drives ``load herlevering``: offers what is delivered again, asks for it, and has the ledger reconciled when all is quiet."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from conformance.berichtenbox.sql_leveringen import Leveringen
from conformance.load.afnemer_following import Following, Pulse
from conformance.load.afnemers import HERLEVERING, LEDGER, letters, live_citizen
from conformance.load.herlevering import PER_BATCH, term_s, volume
from conformance.load.judging import UnpreparedError
from conformance.load.plan import LoadPlan
from conformance.load.reconcile import Reconciliation, Window, reconcile
from conformance.messages.moments import write_moment
from conformance.progress import NowAndThen

BEFORE: Final = 100
"""Letters that are offered before the window, and must not come again."""
_BEFORE_IN_BATCH: Final = 50
_GAP_S: Final = 1.1
_SLACK_S: Final = 1.0  # less than the gap on either side of an edge
_FILLED_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Filled:
    """What is to come again: the window (RFC 3339), how many berichten there are in it, and the last one in the ledger before the herlevering."""

    vanaf: str
    tot: str
    wanted: int
    middle: int


def fill(following: Following, plan: LoadPlan) -> Filled:
    """Have everything offered, before and in the window, and return what is to come again; tells how far it is, and raises ``UnpreparedError``."""
    connection, wanted, first = following.connection, volume(plan), following.ledger.last_bericht()
    for start in range(0, BEFORE, _BEFORE_IN_BATCH):
        following.deliver(letters(connection, start, _BEFORE_IN_BATCH), _BEFORE_IN_BATCH)
    _processed(following, first + BEFORE)
    vanaf = _edge(following)
    progress = NowAndThen(sys.stderr, term_s(plan))
    for start in range(0, wanted, PER_BATCH):
        progress.tell(partial("{} of {} letters delivered that are to come again.".format, start, wanted))
        following.deliver(letters(connection, BEFORE + start, min(PER_BATCH, wanted - start)), PER_BATCH)
    _processed(following, first + BEFORE + wanted)
    tot = _edge(following)
    following.wait(lambda pulse: pulse.waiting == 0, _FILLED_S)
    return Filled(write_moment(vanaf), write_moment(tot), wanted, following.ledger.last_bericht())


def _processed(following: Following, last: int) -> None:
    """Wait until everything is processed."""
    if not following.wait(lambda pulse: pulse.bericht >= last and not pulse.accepted, _FILLED_S):
        short = last - following.ledger.last_bericht()
        raise UnpreparedError(f"{short} letters that the Afnemer was asked to deliver did not come to the Berichtenbox")


def _edge(following: Following) -> datetime:
    """Return a moment with a second of nothing on both sides."""
    following.rest(_GAP_S)
    moment = following.now()
    following.rest(_GAP_S)
    return moment


def redeliver(following: Following, plan: LoadPlan, filled: Filled, elapsed_s: Callable[[], float]) -> dict[str, Any]:
    """Ask for the herlevering, follow it to its end, and return the facts; ``elapsed_s`` tells how far the schedule is."""
    watch, asked_at, term = following.watch(), following.now().timestamp(), term_s(plan)
    status, answer = following.ask(HERLEVERING, {"vanaf": filled.vanaf, "tot": filled.tot}, max(following.patience_s, term))
    following.wait(lambda pulse: _is_over(pulse, filled, elapsed_s() - plan.window_s), max(following.patience_s, term, plan.window_s))
    shares = watch.shares()
    following.settle(max(following.patience_s, term))
    return {"status": status, "answer": answer, "asked_at": asked_at, "busy": shares, "found": reconciled(following.connection[LEDGER], filled)}


def _is_over(pulse: Pulse, filled: Filled, since_schedule_s: float) -> bool:
    """Tell whether as many came as are wanted, and the ordinary traffic is over."""
    return pulse.bericht - filled.middle >= filled.wanted and not pulse.accepted and since_schedule_s > 0


def reconciled(url: str, filled: Filled) -> Mapping[str, Any]:
    """Have a process of its own reconcile the ledger: a load generator that computes for long is taken for dead."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", __name__, url, json.dumps(asdict(filled))], check=True, capture_output=True, text=True
    )
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def read(url: str, filled: Filled) -> Reconciliation:
    """Return what a herlevering came to by the ledger."""
    window = Window.of(datetime.fromisoformat(filled.vanaf), datetime.fromisoformat(filled.tot), _SLACK_S)
    with Leveringen(url) as ledger:
        last, live = ledger.last_bericht(), live_citizen()
        again = ledger.leveringen(filled.middle, last, without=live)
        return reconcile(ledger.leveringen(0, filled.middle), again, window, ledger.leveringen(filled.middle, last, of=live))


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], Filled(**json.loads(sys.argv[2]))).to_json()))  # noqa: T201  # that is its output
