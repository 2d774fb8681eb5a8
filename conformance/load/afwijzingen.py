"""``load afwijzingen``: a stream of results with every VerwerkingsCode, and wrong ones between them; each bericht must end as its requirement says.

The stream is that of the busiest hour (SNO-BER-02). What was told of a bericht is what the ledger says; where it ended is what the Afnemer says.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from conformance.afnemer.driver import AfnemerStatus
from conformance.load.afnemer_judging import missed
from conformance.load.afnemers import ASKED, standing
from conformance.load.judging import About, Measured, Outcome, texts_of_failures
from conformance.load.plan import FACE, Demand, LoadPlan, LoadProfile, Settings
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.norms import count
from conformance.verdicts import Reason

NORM: Final = "SNO-AFN-02"
DELIVERY: Final = "POST /berichten"
SIZE: Final = 20
"""Letters in one batch: the code of each depends on its place."""
FACT: Final = "afwijzingen"
_PATIENCE: Final = timedelta(seconds=60)
_SLOWEST_LOOK: Final = 50  # berichten a second whose status is asked
_SLACK_S: Final = 300.0


def demand(_settings: Settings) -> Demand:
    """Return the busiest hour of the SNO."""
    return Demand(count("SNO-BER-02", "berichten") // SIZE, timedelta(hours=1), _PATIENCE)


def afterwards_s(plan: LoadPlan) -> float:
    """Return how long the last refusals and the look at every bericht may take."""
    return plan.volume * SIZE / _SLOWEST_LOOK + _SLACK_S


# -- what the Berichtenbox tells -----------------------------------------------------------------------------------------------------------------

REFUSALS: Final = tuple(code for code in VerwerkingsCode if code is not VerwerkingsCode.VERWERKT)
_ALWAYS: Final = 1_000_000
# The order counts: what changes the content stands before what changes how it is written, and last stands what comes in front or comes again.
_WRONG: Final[tuple[tuple[str, float, dict[str, Any]], ...]] = (
    ("unknown-bericht-id", 0.1, {}),
    ("case-changed", 0.1, {}),
    ("counters-wrong", 0.1, {}),
    ("stadium-nil", 0.1, {}),
    ("stadium-unknown", 0.1, {}),
    ("split", 0.1, {"parts": 3}),
    ("other-prefixes", 0.1, {}),
    ("gzip", 0.1, {}),
    ("several-parts", 0.1, {}),
    ("foreign-reference", 0.1, {}),
    ("unknown-batch-id", 0.1, {}),
    ("unreadable-before", 0.05, {}),
    ("foreign-message-before", 0.05, {}),
    ("empty", 0.1, {}),
    ("reoffer-same-id", 0.1, {"again": 1}),
    ("reoffer-new-id", 0.1, {"again": 1}),
)
WHOLE: Final = ("nil-bericht-id", "refusal-lists-all")
"""Faults that refuse a batch as a whole: they strike before the stream, for of a bericht that is offered again alone they would say nothing sure."""
LEFT: Final = frozenset({"unreadable-before", "foreign-message-before"})
"""Faults whose results the Afnemer must leave in the queue."""
_LASTING: Final = 0.85
"""The share of first berichten, and of those that come again alone, that meets a technical problem: some of them ten times in a row."""


def faults(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the faults of the stream as the control face takes them; the same ones for the same seed."""
    drawn = [("code", _LASTING, {"code": VerwerkingsCode.TECHNISCH_PROBLEEM, "berichten": [0]})]
    drawn += [("code", 0.5, {"code": code, "berichten": [2 * place + 1, 2 * place + 2]}) for place, code in enumerate(REFUSALS)]
    for number, (name, chance, values) in enumerate([*drawn, *_WRONG]):
        yield {"naam": name, "kans": chance, "seed": seed + number, "maximaalOpRij": _ALWAYS, "waarden": values}


# -- judging -------------------------------------------------------------------------------------------------------------------------------------

_PERSON: Final = frozenset({AfnemerStatus.AFGEWEZEN, AfnemerStatus.ANDER_KANAAL, AfnemerStatus.HANDMATIG})
_VISIBLE: Final = _PERSON | {AfnemerStatus.OPNIEUW_AANGEBODEN}
_ENDS: Final = {
    VerwerkingsCode.VERWERKT: frozenset({AfnemerStatus.VERWERKT}),
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD: frozenset({AfnemerStatus.ANDER_KANAAL, AfnemerStatus.HANDMATIG}),
    VerwerkingsCode.BERICHT_BESTAAT_AL: frozenset(AfnemerStatus) - {AfnemerStatus.VERWERKT, AfnemerStatus.ANDER_KANAAL},
}
_FINAL: Final = frozenset({VerwerkingsCode.VERWERKT, VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, VerwerkingsCode.BERICHT_BESTAAT_AL})
"""Codes after which a bericht is not offered again."""


def ends(codes: Sequence[str]) -> frozenset[AfnemerStatus]:
    """Return where a bericht may end after these codes: once stored it stays so, and else the last one decides."""
    deciding = VerwerkingsCode.VERWERKT if VerwerkingsCode.VERWERKT in codes else VerwerkingsCode(codes[-1])
    return _ENDS.get(deciding, _VISIBLE)


def uncalled(codes: Sequence[str], offered: Sequence[float], decided: Sequence[float]) -> int:
    """Return how many offers of one bericht no refusal called for: before each must stand one more refusal than offers again."""
    refusals = [moment for code, moment in zip(codes, decided, strict=True) if code not in _FINAL]
    return sum(sum(moment <= at for moment in refusals) < again for again, at in enumerate(sorted(offered)))


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-AFN-02."""
    facts = measured.facts.get(FACT)
    expected = "each refused bericht ends as its code says, without loops, storms or losses, and each result is taken in time"
    if facts is None:
        return [About(NORM, expected, "nothing").undecided("The Afnemer was not followed to the end.", Reason.TIMEOUT)]
    about = About(NORM, expected, _seen(facts))
    if not facts["refused"]:
        return [about.undecided("No bericht was refused.", Reason.NO_TRAFFIC)]
    wrong, late = list(_wrong(measured, facts)), list(_late(facts))
    if wrong or late:
        return [missed(about, wrong, late, facts["missed"], facts["busy"])]
    return [about.met(f"{facts['refused']} of {facts['berichten']} berichten were refused, and each was handled as its code says.")]


def _seen(facts: dict[str, Any]) -> str:
    codes = ", ".join(f"{times} {code}" for code, times in sorted(facts["codes"].items()))
    return (
        f"{facts['berichten']} berichten, {facts['offers']} offers ({facts['peak']} again in the busiest second), {codes}; "
        f"results taken within {facts['slowest_s']:.2f} s at most"
    )


def _wrong(measured: Measured, facts: dict[str, Any]) -> Iterator[str]:
    failures = measured.samples.total(DELIVERY).failures
    if failures:
        yield f"{failures} deliveries failed: {'; '.join(texts_of_failures(measured, 1))}"
    for code, (number, status, example) in sorted(facts["wrong"].items()):
        yield f"{number} berichten that were told {code} ended wrongly, such as {example} in {status or 'no status'}"
    if facts["looped"]:
        yield f"{facts['looped']} berichten were offered more than {facts['offers_max']} times"
    if facts["uncalled"]:
        yield f"a storm: {facts['uncalled']} offers that no refusal called for, {facts['peak']} again in the busiest second"
    if facts["unmarked"] > facts["unreadable"]:
        yield f"{facts['unmarked'] - facts['unreadable']} results were not taken at all"
    difference = facts["berichten"] - facts["begun"] - measured.tally.counts[ASKED]
    if difference:
        yield f"{-difference} letters were never offered" if difference < 0 else f"{difference} berichten came under ids of their own"


def _late(facts: dict[str, Any]) -> Iterator[str]:
    if facts["late"]:
        yield f"{facts['late']} results were taken later than {facts['reaction_s']:g} s, the last after {facts['slowest_s']:.1f} s"


def count_codes(stories: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return how often each code was told."""
    return dict(Counter(str(code) for codes in stories for code in codes))


PROFILE: Final = LoadProfile(
    name="afwijzingen",
    party="afnemer",
    title_nl="Afwijzingen: in het drukste uur elke VerwerkingsCode en foute resultaten, elk afgehandeld zonder lussen, stormen of verlies",
    title_en="Rejections: in the busiest hour every VerwerkingsCode and wrong results, each handled without loops, storms or losses",
    sends=f"a delivery of {SIZE} letters, of which about half is refused",
    norms=lambda _settings: (NORM,),
    demand=demand,
    judge=judge,
    settings=(FACE,),
    stand=standing,
    afterwards_s=afterwards_s,
)
