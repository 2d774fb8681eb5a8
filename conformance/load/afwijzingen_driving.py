"""Drives ``load afwijzingen``: sets the faults, waits until the Afnemer is done with every refusal, and compares ledger and Afnemer."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.berichtenbox.sql_leveringen import Result, Told
from conformance.limits import limits
from conformance.load.afnemer_following import Following
from conformance.load.afnemers import REACTION, letters
from conformance.load.afwijzingen import LEFT, SIZE, WHOLE, count_codes, ends, faults, uncalled
from conformance.load.judging import UnpreparedError
from conformance.load.plan import LoadPlan
from conformance.load.watching import Watch
from conformance.messages.verwerkingsbericht import VerwerkingsCode

_TIMES: Final = 3
_PROCESSED_S: Final = 120.0
_SETTLED_S: Final = 240.0


def begin(following: Following, plan: LoadPlan) -> dict[str, int]:
    """Have some batches refused as a whole, then set the faults of the stream; return where the ledger stood, and how many letters were sent."""
    first = {"bericht": following.ledger.last_bericht(), "message": following.ledger.last_message()}
    begun = 0
    for name in WHOLE:
        following.steer("POST", "/fouten", {"naam": name, "keren": _TIMES})
        for _ in range(_TIMES):
            begun += len(following.deliver(letters(following.connection, begun, SIZE), SIZE))
        _processed(following, first["bericht"] + begun)
    following.steer("DELETE", "/fouten")
    for fault in faults(plan.seed):
        following.steer("POST", "/fouten", fault)
    return first | {"begun": begun}


def _processed(following: Following, last: int) -> None:
    if not following.wait(lambda pulse: pulse.bericht >= last and not pulse.accepted, _PROCESSED_S):
        raise UnpreparedError("letters that the Afnemer was asked to deliver did not come to the Berichtenbox")


def finish(following: Following, began: dict[str, int], left_s: float, watch: Watch) -> dict[str, Any]:
    """Wait until the stream is over (in ``left_s`` seconds) and everything is quiet, and return the facts."""
    following.rest(max(0.0, left_s))
    following.settle(_SETTLED_S)
    busy, fired = watch.shares(), following.steer("GET", "/fouten")["fouten"]
    stories = stories_of(following.ledger.told(began["bericht"]))
    results = results_of(following.ledger.results(began["message"]), float(following.connection[REACTION]))
    ended = handled(stories, following.statuses(stories))
    unreadable = sum(fault["gedaan"] for fault in fired if fault["naam"] in LEFT)
    return {"begun": began["begun"], "busy": busy, "unreadable": unreadable, **results, **ended}


# -- pure ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Story:
    """What was told of one bericht: the codes, and when each was offered and decided."""

    codes: list[str] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)


def stories_of(told: Iterable[Told]) -> dict[str, Story]:
    """Return what was told of each bericht."""
    stories: dict[str, Story] = {}
    for bericht_id, code, offered, decided in told:
        story = stories.setdefault(bericht_id, Story())
        story.codes.append(code)
        story.offered.append(offered)
        story.decided.append(decided)
    return stories


def results_of(results: Iterable[Result], reaction_s: float) -> dict[str, Any]:
    """Return how soon results were taken."""
    delays, unmarked = [], 0
    for _, _, offered, marked in results:
        if marked is None:
            unmarked += 1
        else:
            delays.append(max(0.0, marked - offered))
    late = sum(delay > reaction_s for delay in delays)
    return {"results": len(delays), "unmarked": unmarked, "late": late, "slowest_s": max(delays, default=0.0), "reaction_s": reaction_s}


def handled(stories: dict[str, Story], statuses: Iterable[tuple[str, str, int]]) -> dict[str, Any]:
    """Return how many berichten ended wrongly, by the code that decides, and how often they were offered."""
    wrong: dict[str, list[Any]] = {}
    for bericht_id, status, _ in statuses:
        codes = stories[bericht_id].codes
        if status not in ends(codes):
            told = str(VerwerkingsCode.VERWERKT) if VerwerkingsCode.VERWERKT in codes else str(codes[-1])
            wrong.setdefault(told, [0, status, bericht_id])[0] += 1
    most = limits().offers_max
    looped = sum(len(story.codes) > most for story in stories.values())
    storm = sum(uncalled(story.codes, story.offered, story.decided) for story in stories.values())
    return {
        "berichten": len(stories),
        "refused": sum(any(code != VerwerkingsCode.VERWERKT for code in story.codes) for story in stories.values()),
        "offers": sum(len(story.codes) for story in stories.values()),
        "codes": count_codes([story.codes for story in stories.values()]),
        "wrong": wrong,
        "looped": looped,
        "uncalled": storm,
        "offers_max": most,
        "peak": _peak(stories.values()),
        "missed": sum(number for number, *_ in wrong.values()) + looped + storm or 1,
    }


def _peak(stories: Iterable[Story]) -> int:
    """Return how many berichten were offered again in the busiest second."""
    seconds = Counter(int(at) for story in stories for at in _again(story.offered))
    return max(seconds.values(), default=0)


def _again(offered: Sequence[float]) -> Iterator[float]:
    return iter(sorted(offered)[1:])
