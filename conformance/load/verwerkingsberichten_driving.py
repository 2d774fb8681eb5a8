"""Drives ``load verwerkingsberichten``: after the peak nobody can reach the results for six days, and then the Afnemer gets all of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from conformance.afnemer.driver import AfnemerStatus
from conformance.berichtenbox.sql_leveringen import Result
from conformance.load.afnemer_following import Following
from conformance.load.afnemers import REACTION, letters
from conformance.load.plan import EBMS, FACE, LoadPlan
from conformance.load.verwerkingsberichten import SIZE, backlog, days, drained_within_s
from conformance.load.watching import Watch

_FETCHING: Final = ("poll", "fetch", "process")
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
    busy = watch.shares()
    peak = taken(list(following.ledger.results(began["message"])), reaction_s)
    gone = (_away_over_ebms if plan.settings[FACE.name] == EBMS else _away)(following, plan, reaction_s)
    applied = applied_once(following.statuses(dict.fromkeys(row[0] for row in following.ledger.told(began["bericht"]))))
    return {
        "reaction_s": reaction_s,
        "busy": busy,
        "peak": peak,
        **asdict(gone),
        **applied,
        "missed": peak["late"] + gone.left + (applied["unapplied"] or [0])[0] or 1,
    }


@dataclass(frozen=True, slots=True)
class Gone:
    """How six days without results went: how many letters were delivered, how many results waited then, how many were left, and how soon all went."""

    delivered: int
    backlog: int
    left: int
    drained_s: float
    drained_within_s: float


def _away(following: Following, plan: LoadPlan, reaction_s: float) -> Gone:
    """Let nobody fetch results for six days: all that was offered waits for the Afnemer then."""
    for point in _FETCHING:
        following.steer("POST", "/fouten", {"naam": "unavailable", "op": point, "keren": _FOR_EVER})
    delivered = _deliver(following, plan)
    _pass(following, days())
    waiting = following.ledger.waiting()
    within, back = drained_within_s(plan, waiting, reaction_s), following.now()
    following.steer("DELETE", "/fouten")
    following.wait(lambda pulse: not pulse.waiting, 2 * within)
    return Gone(delivered, waiting, following.ledger.waiting(), following.since_s(back), within)


def _away_over_ebms(following: Following, plan: LoadPlan, reaction_s: float) -> Gone:
    """Let the gateway be away for the first days, and then take results of which no Acknowledgment counts, until the last day.

    So it has had each result several times, and one copy of each is acknowledged in the end: the rest was sent in vain, and waits no more.
    """
    unreached, first = days() // 2, following.ledger.last_message()
    following.steer("POST", "/fouten", {"naam": "unreachable", "keren": _FOR_EVER})
    delivered = _deliver(following, plan)
    _pass(following, unreached)
    waiting = following.ledger.untaken(first)
    following.steer("DELETE", "/fouten")
    following.steer("POST", "/fouten", {"naam": "unavailable", "op": "process", "keren": _FOR_EVER})
    _pass(following, days() - unreached - 1)
    following.steer("DELETE", "/fouten")
    within, back = drained_within_s(plan, waiting, reaction_s), following.now()
    _pass(following, 1)
    following.wait(lambda _pulse: not following.ledger.untaken(first), 2 * within)
    return Gone(delivered, waiting, following.ledger.untaken(first), following.since_s(back), within)


def _deliver(following: Following, plan: LoadPlan) -> int:
    """Have letters delivered, see that they are processed, and return how many."""
    first, delivered = following.ledger.last_bericht(), backlog(plan) * SIZE
    for number in range(backlog(plan)):
        following.deliver(letters(following.connection, number * SIZE, SIZE), SIZE)
    following.wait(lambda pulse: pulse.bericht - first >= delivered and not pulse.accepted, _SETTLED_S)
    return delivered


def _pass(following: Following, number: int) -> None:
    """Let days pass, one by one: a result that is not taken is offered again on each."""
    for _ in range(number):
        following.steer("POST", "/klok", {"dagen": 1})


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
