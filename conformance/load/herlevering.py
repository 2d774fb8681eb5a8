"""``load herlevering``: an Afnemer delivers a day again while its ordinary letters go on: all of it, the same, nothing else, and in time.

The day is that of this Afnemer (``--volume``), or else that of all Afnemers together (SNO-BER-01). It is offered beforehand as fast as the Afnemer
takes it; the schedule is the ordinary traffic.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from conformance.load.afnemer_judging import full, missed
from conformance.load.afnemers import ASKED, standing
from conformance.load.judging import About, Measured, Outcome, texts_of_failures
from conformance.load.plan import FACE, Demand, LoadPlan, LoadProfile, Setting, Settings
from conformance.load.reconcile import Reconciliation
from conformance.norms import count, duration
from conformance.verdicts import Reason

NORM: Final = "SNO-AFN-01"
LIVE: Final = "POST /berichten"
LIVE_SIZE: Final = 5
"""Letters in one delivery of the ordinary traffic."""
PER_BATCH: Final = 1_000
FACT: Final = "herlevering"
_LIVE_WINDOW: Final = timedelta(minutes=30)  # about as long as a fast Afnemer takes for a day
_PATIENCE: Final = timedelta(seconds=60)
_SLOWEST_FILL: Final = 100  # berichten a second
_SLACK_S: Final = 180.0


def demand(settings: Settings) -> Demand:
    """Return the ordinary traffic: as many letters a second as the day has on average."""
    rate = Fraction(int(settings["volume"]), int(duration(NORM, "term").total_seconds()))
    return Demand(max(1, round(rate * int(_LIVE_WINDOW.total_seconds()) / LIVE_SIZE)), _LIVE_WINDOW, _PATIENCE, is_rate_norm=False)


def volume(plan: LoadPlan) -> int:
    """Return how many berichten are delivered again."""
    return max(1, round(int(plan.settings["volume"]) * plan.scale))


def term_s(plan: LoadPlan) -> float:
    """Return within how many seconds that must be done: the day that it was offered in, made smaller by the scale (aanname)."""
    return float(duration(NORM, "term").total_seconds() * plan.scale)


def afterwards_s(plan: LoadPlan) -> float:
    """Return how long it may all take beside the schedule: to be filled, to deliver again, and to be reconciled."""
    return volume(plan) / _SLOWEST_FILL + term_s(plan) + _SLACK_S


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-AFN-01."""
    facts, plan = measured.facts.get(FACT), measured.plan
    expected = f"{volume(plan)} berichten again: all of them, the same, under the same ids, and nothing else, within {term_s(plan):g} s"
    if facts is None:
        return [About(NORM, expected, "nothing").undecided("The herlevering was not followed to its end.", Reason.TIMEOUT)]
    found = Reconciliation.from_json(facts["found"])
    about = About(NORM, expected, _seen(found, facts))
    if facts["status"] != _TAKEN and not found.again:
        return [about.undecided(f"The Afnemer did not take the request: {facts['status']} {facts['answer']}.", _why(facts))]
    # What is missing while our own Berichtenbox is full may be under way still; else it was waited for.
    is_late = ["missing"] if full(facts["busy"]) else []
    wrong = [*_wrong(found, [name for name in _WRONG if name not in is_late]), *_live(measured, found)]
    late = [*_wrong(found, is_late), *_slow(plan, found, facts)]
    if wrong or late:
        times = sum(trouble.count for _, trouble in found.troubles()) or 1
        return [missed(about, wrong, late, times, facts["busy"])]
    took = took_s(found, facts)
    rate = found.complete / max(took, 1e-9)
    return [about.met(f"{found.complete} berichten came again in {took:.1f} s ({rate:.0f} a second), with {found.live} new ones beside them.")]


_TAKEN: Final = 202


def _why(facts: dict[str, Any]) -> Reason:
    return Reason.TIMEOUT if facts["status"] == 0 else Reason.REFUSED_BY_AFNEMER


def took_s(found: Reconciliation, facts: dict[str, Any]) -> float:
    """Return how long it took, from the request to the last bericht."""
    return 0.0 if found.last_at is None else max(0.0, found.last_at - float(facts["asked_at"]))


def _seen(found: Reconciliation, facts: dict[str, Any]) -> str:
    troubles = ", ".join(f"{trouble.count} {name}" for name, trouble in found.troubles())
    return f"{found.complete} of {found.wanted} again in {took_s(found, facts):.1f} s; {troubles}; {found.live} live"


_WRONG: Final = {
    "missing": "did not come again",
    "changed": "came with another content",
    "moved": "came under another BatchID",
    "repeated": "came more than once",
    "strange": "came under a new BerichtID",
    "outside": "came that were not asked for",
}


def _wrong(found: Reconciliation, names: Sequence[str]) -> Iterator[str]:
    for name, trouble in found.troubles():
        if trouble and name in names:
            yield f"{trouble.count} of {found.wanted} berichten {_WRONG[name]} (such as {trouble.examples[0]})"


def _slow(plan: LoadPlan, found: Reconciliation, facts: dict[str, Any]) -> Iterator[str]:
    took, term = took_s(found, facts), term_s(plan)
    if took > term:
        yield f"it took {took:.1f} s, where the daily volume allows {term:g} s"


def _live(measured: Measured, found: Reconciliation) -> Iterator[str]:
    """Yield what is wrong with the ordinary traffic."""
    failures = measured.samples.total(LIVE).failures
    if failures:
        yield f"{failures} deliveries of new letters failed meanwhile: {'; '.join(texts_of_failures(measured, 1))}"
    lost = measured.tally.counts[ASKED] - found.live
    if lost > 0:
        yield f"{lost} new letters that the Afnemer took were not offered"


PROFILE: Final = LoadProfile(
    name="herlevering",
    party="afnemer",
    title_nl="Herlevering: een hele dag opnieuw, volledig en gelijk, terwijl het gewone verkeer doorgaat",
    title_en="Herlevering: a whole day again, complete and identical, while ordinary traffic goes on",
    sends=f"a delivery of {LIVE_SIZE} new letters",
    norms=lambda _settings: (NORM,),
    demand=demand,
    judge=judge,
    settings=(Setting("volume", (str(count("SNO-BER-01", "berichten")),), "The berichten of your busiest day.", is_count=True), FACE),
    stand=standing,
    afterwards_s=afterwards_s,
)
