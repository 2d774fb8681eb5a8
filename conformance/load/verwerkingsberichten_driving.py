"""Drives ``load verwerkingsberichten``: after the peak nobody can reach the results for six days, and then the Afnemer gets all of them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from conformance.afnemer.driver import AfnemerStatus
from conformance.berichtenbox.sql_leveringen import Result
from conformance.load.afnemer_following import Following
from conformance.load.afnemers import REACTION, letters
from conformance.load.plan import LoadPlan
from conformance.load.verwerkingsberichten import SIZE, backlog, days, drained_within_s
from conformance.load.watching import Watch

_AWAY: Final = ("poll", "fetch", "process")
_SETTLED_S: Final = 240.0
_FOR_EVER: Final = None


def begin(following: Following) -> dict[str, int]:
    """Return where the ledger stands."""
    return {"bericht": following.ledger.last_bericht(), "message": following.ledger.last_message()}


def finish(following: Following, plan: LoadPlan, began: dict[str, int], left_s: float, watch: Watch) -> dict[str, Any]:
    """Wait until the peak is over (in ``left_s`` seconds), let the six days pass, and return the facts."""
    reaction_s = float(following.connection[REACTION])
    following.rest(max(0.0, left_s))
    following.wait(lambda pulse: not pulse.accepted and not pulse.waiting, _SETTLED_S)
    following.settle(_SETTLED_S)
    busy, middle = watch.shares(), following.ledger.last_message()
    peak = taken(list(following.ledger.results(began["message"])), reaction_s)
    delivered, waiting = _away(following, plan)
    within = drained_within_s(plan, waiting, reaction_s)
    back = following.now()
    following.steer("DELETE", "/fouten")
    following.wait(lambda pulse: not pulse.waiting, 2 * within)
    drained_s, left = following.since_s(back), following.ledger.waiting()
    applied = applied_once(following.statuses(dict.fromkeys(row[0] for row in following.ledger.told(began["bericht"]))))
    return {
        "reaction_s": reaction_s,
        "busy": busy,
        "peak": peak,
        "backlog": {"results": sum(1 for _ in following.ledger.results(middle))},
        "delivered": delivered,
        "left": left,
        "drained_s": drained_s,
        "drained_within_s": within,
        **applied,
        "missed": peak["late"] + left + (applied["unapplied"] or [0])[0] or 1,
    }


def _away(following: Following, plan: LoadPlan) -> tuple[int, int]:
    """Have letters delivered whose results nobody can fetch for six days; return how many letters, and how many results wait then."""
    for point in _AWAY:
        following.steer("POST", "/fouten", {"naam": "unavailable", "op": point, "keren": _FOR_EVER})
    first = following.ledger.last_bericht()
    for number in range(backlog(plan)):
        following.deliver(letters(following.connection, number * SIZE, SIZE), SIZE)
    delivered = backlog(plan) * SIZE
    following.wait(lambda pulse: pulse.bericht - first >= delivered and not pulse.accepted, _SETTLED_S)
    for _ in range(days()):
        following.steer("POST", "/klok", {"dagen": 1})
    return delivered, following.ledger.waiting()


# -- pure ----------------------------------------------------------------------------------------------------------------------------------------


def taken(results: Sequence[Result], reaction_s: float) -> dict[str, Any]:
    """Return how many results were taken, and how soon."""
    delays = sorted(max(0.0, marked - offered) for _, _, offered, marked in results if marked is not None)
    return {
        "results": len(results),
        "unmarked": len(results) - len(delays),
        "late": sum(delay > reaction_s for delay in delays),
        "p50_s": _percentile(delays, 0.5),
        "p99_s": _percentile(delays, 0.99),
        "slowest_s": delays[-1] if delays else None,
    }


def _percentile(delays: Sequence[float], share: float) -> float | None:
    return delays[max(0, math.ceil(share * len(delays)) - 1)] if delays else None


def applied_once(statuses: Iterable[tuple[str, str, int]]) -> dict[str, Any]:
    """Return how many berichten had their result applied, more than once, or not; of the last two with an example."""
    berichten = applied = 0
    doubled: list[Any] = [0, 0, ""]
    unapplied: list[Any] = []
    for bericht_id, status, times in statuses:
        berichten += 1
        if status != AfnemerStatus.VERWERKT or times < 1:
            unapplied = [unapplied[0] + 1, *unapplied[1:]] if unapplied else [1, status, bericht_id]
            continue
        applied += 1
        if times > 1:
            doubled = [doubled[0] + 1, *(doubled[1:] if doubled[0] else [times, bericht_id])]
    return {"berichten": berichten, "applied": applied, "doubled": doubled, "unapplied": unapplied}
