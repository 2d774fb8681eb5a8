"""``load verwerkingsberichten``: results at the national peak, then those of six days in which nobody could reach the Afnemer: each is applied once.

The peak is that of SNO-BER-03, for as long as it takes to fill the hour of SNO-BER-02. For the second part everything is offered again each day, as
SNO-VWB-02 allows, on the virtual clock of the Berichtenbox.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from conformance.load.afnemer_judging import missed
from conformance.load.afnemers import ASKED, standing
from conformance.load.judging import About, Measured, Outcome, texts_of_failures
from conformance.load.plan import FACE, Demand, LoadPlan, LoadProfile, Settings
from conformance.norms import count, duration
from conformance.verdicts import Reason

ALWAYS, AGAIN = "SNO-VWB-01", "SNO-VWB-02"
DELIVERY: Final = "POST /berichten"
SIZE: Final = 5
"""Letters in one batch, and so berichten in one result."""
FACT: Final = "verwerkingsberichten"
_PATIENCE: Final = timedelta(seconds=60)
_COPIES: Final = 7  # at once, and each of the six days
_SLOWEST: Final = 50  # berichten a second that are looked at, and results that are taken
_SLACK_S: Final = 300.0
_NOTHING_WAITED: Final = "No result waited for the Afnemer in the six days: see in its log whether it fetches results from another Berichtenbox."


def demand(_settings: Settings) -> Demand:
    """Return the peak of the SNO: 45 berichten a second, until the hour is full."""
    volume, rate = count("SNO-BER-02", "berichten"), count("SNO-BER-03", "berichten")
    return Demand(volume // SIZE, timedelta(seconds=volume / rate), _PATIENCE)


def backlog(plan: LoadPlan) -> int:
    """Return how many batches are delivered whose results nobody fetches for six days: as many as the stream has."""
    return plan.volume


def days() -> int:
    """Return after how many days the Afnemer is there again."""
    return duration(AGAIN, "term").days


def drained_within_s(plan: LoadPlan, results: int, reaction_s: float) -> float:
    """Return within how many seconds a backlog must be gone: as fast as results come at the peak (aanname)."""
    return results / plan.demand.rate + reaction_s


def afterwards_s(plan: LoadPlan) -> float:
    """Return how long the second part and the look at every bericht may take."""
    return 2 * plan.volume * SIZE / _SLOWEST + _COPIES * backlog(plan) * (1 / _SLOWEST + 1 / plan.demand.rate) + _SLACK_S


# -- judging -------------------------------------------------------------------------------------------------------------------------------------


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-VWB-01 and SNO-VWB-02."""
    facts = measured.facts.get(FACT)
    if facts is None:
        expected, text = "each result is taken, and applied once", "The Afnemer was not followed to the end."
        return [About(norm, expected, "nothing").undecided(text, Reason.TIMEOUT) for norm in (ALWAYS, AGAIN)]
    return [_always(measured, facts), _again(facts)]


def _always(measured: Measured, facts: dict[str, Any]) -> Outcome:
    expected = (
        f"every result taken and applied, at the peak within {facts['reaction_s']:g} s, and the backlog within {facts['drained_within_s']:.0f} s"
    )
    peak = facts["peak"]
    seen = (
        f"{peak['results']} results at the peak, half of them taken within {_s(peak['p50_s'])}, 99 % within {_s(peak['p99_s'])}, all within "
        f"{_s(peak['slowest_s'])}; backlog of {facts['backlog']} results, {facts['left']} left, gone in {_s(facts['drained_s'])}"
    )
    about = About(ALWAYS, expected, seen)
    if not peak["results"]:
        return about.undecided("No result was offered.", Reason.NO_TRAFFIC)
    wrong, late = list(_untaken(measured, facts)), list(_late(facts))
    if wrong or late:
        return missed(about, wrong, late, facts["missed"], facts["busy"])
    if not facts["backlog"]:
        return about.undecided(_NOTHING_WAITED, Reason.NO_TRAFFIC)
    times = _s(peak["slowest_s"]), _s(facts["drained_s"])
    return about.met(f"{peak['results']} results of the peak were each taken within {times[0]}, {facts['backlog']} in {times[1]}.")


def _s(seconds: float | None) -> str:
    return "no time" if seconds is None else f"{seconds:.2f} s"


def _untaken(measured: Measured, facts: dict[str, Any]) -> Iterator[str]:
    failures = measured.samples.total(DELIVERY).failures
    if failures:
        yield f"{failures} deliveries failed: {'; '.join(texts_of_failures(measured, 1))}"
    lost = measured.tally.counts[ASKED] + facts["delivered"] - facts["berichten"]
    if lost:
        yield f"{lost} letters were never offered" if lost > 0 else f"{-lost} berichten were offered that nobody asked for"
    if facts["unapplied"]:
        number, status, example = facts["unapplied"]
        yield f"{number} of {facts['berichten']} berichten are not verwerkt, such as {example}: {status or 'no status'}"
    if facts["peak"]["unmarked"]:
        yield f"{facts['peak']['unmarked']} results of the peak were not taken"
    if facts["left"]:
        yield f"{facts['left']} of {facts['backlog']} results of the backlog were not taken"


def _late(facts: dict[str, Any]) -> Iterator[str]:
    if facts["peak"]["late"]:
        yield f"{facts['peak']['late']} results were taken later than {facts['reaction_s']:g} s, the last after {_s(facts['peak']['slowest_s'])}"
    if not facts["left"] and facts["drained_s"] > facts["drained_within_s"]:
        yield f"the backlog was gone in {_s(facts['drained_s'])}, where the peak allows {facts['drained_within_s']:.0f} s"


def _again(facts: dict[str, Any]) -> Outcome:
    term = days()
    expected = f"what is offered again until {term} days after its first sending is taken, and each result applied once"
    seen = f"{facts['backlog']} results for {facts['delivered']} berichten, {facts['doubled'][0]} berichten applied more than once"
    about = About(AGAIN, expected, seen)
    if facts["doubled"][0]:
        number, times, example = facts["doubled"]
        text = f"{number} of {facts['berichten']} berichten had their result applied more than once, such as {example}: {times} times."
        return about.missed(text, number, is_certain=True)
    if not facts["backlog"]:
        return about.undecided(_NOTHING_WAITED, Reason.NO_TRAFFIC)
    if not facts["applied"] or facts["left"]:
        return about.undecided("Not all that was offered again was taken: whether it would be applied once is unknown.", Reason.TIMEOUT)
    return about.met(f"After {term} days {facts['backlog']} results were taken, each bericht counted once.")


PROFILE: Final = LoadProfile(
    name="verwerkingsberichten",
    party="afnemer",
    title_nl="Verwerkingsberichten: 45 berichten per seconde, en daarna wat in zes dagen bleef liggen, elk één keer toegepast",
    title_en="Verwerkingsberichten: 45 berichten a second, and then what waited for six days, each applied once",
    sends=f"a delivery of {SIZE} letters, whose result comes at once",
    norms=lambda _settings: (ALWAYS, AGAIN),
    demand=demand,
    judge=judge,
    settings=(FACE,),
    stand=standing,
    afterwards_s=afterwards_s,
)
