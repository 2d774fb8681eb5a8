"""``load aanleveren``: berichten at the rate of a second, an hour or a day; all accepted, none lost, all processed within 24 hours.

The three rates are three norms, and three phases: 45 a second as a burst, 150 000 in an hour, 2 500 000 in a day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from conformance.load.collecting import wait_s
from conformance.load.judging import About, Measured, Outcome, all_sent, texts_of_failures
from conformance.load.leveringen import Ids, mix
from conformance.load.plan import EBMS, FACE, Demand, LoadPlan, LoadProfile, Setting, Settings
from conformance.messages.guard import Limits, XmlRefused, parse
from conformance.messages.identities import is_nil
from conformance.messages.unpack import RESULT_LIMIT, PackedTooMuch, unpack
from conformance.messages.verwerkingsbericht import UnreadableResult, Verwerkingsbericht, VerwerkingsCode, processing_time_s, read_verwerkingsbericht
from conformance.norms import count, duration, share
from conformance.verdicts import Reason

NAME: Final = "batch"
UNACCEPTED: Final = "unaccepted"
"""The list of the numbers of batches that were not accepted, or of which nobody knows."""
BURST, HOUR, DAY = "burst", "hour", "day"
_BURST_S: Final = 60
"""How long the burst lasts: ours, for the SNO gives no duration."""
_SIZES: Final[Mapping[str, int]] = {BURST: 5, HOUR: 50, DAY: 50}
"""Berichten in a batch: nine batches a second in a burst, so that the rate is even; fewer and larger ones over hours."""
_NORMS: Final[Mapping[str, str]] = {BURST: "SNO-BER-03", HOUR: "SNO-BER-02", DAY: "SNO-BER-01"}
_WINDOWS: Final[Mapping[str, timedelta]] = {BURST: timedelta(seconds=_BURST_S), HOUR: timedelta(hours=1), DAY: timedelta(days=1)}
_GRACE_S: Final = 1.0
"""So long after the window the last bericht may be accepted: the norm counts in seconds."""
_CODES: Final = tuple(VerwerkingsCode)
_LIMITS: Final = Limits(size=RESULT_LIMIT)
_MOST_SHOWN: Final = 5


def size_of(settings: Settings) -> int:
    """Return how many berichten a batch has."""
    return _SIZES[settings["phase"]]


def demand(settings: Settings) -> Demand:
    """Return what the norm of the phase asks, in batches."""
    phase = settings["phase"]
    berichten = count(_NORMS[phase], "berichten") * (_BURST_S if phase == BURST else 1)
    return Demand(-(-berichten // size_of(settings)), _WINDOWS[phase], timedelta(seconds=5))


# -- results -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Results:
    """The results that came over the queue: for each bericht of the run one byte, so that a day of them fits in 2.5 MB."""

    plan: LoadPlan
    ids: Ids
    size: int
    told: bytearray = field(default_factory=bytearray)
    contradicted: int = 0
    late: int = 0
    slowest_s: float = 0.0
    seen: int = 0

    def __post_init__(self) -> None:
        self.told = bytearray(self.plan.volume * self.size)

    def __repr__(self) -> str:
        return f"<Results: {self.seen} of {len(self.told)} berichten>"

    @property
    def is_complete(self) -> bool:
        """Whether every bericht has a result."""
        return self.seen >= len(self.told)

    def take(self, content: bytes, elapsed_s: float) -> bool:
        """Take a result ``elapsed_s`` after the start of the schedule; tells whether it is about this run."""
        try:
            result = read_verwerkingsbericht(parse(unpack(content), _LIMITS))
        except (XmlRefused, PackedTooMuch, UnreadableResult):
            return False
        known = [
            self._take_one(number, item.code, result, elapsed_s) for item in result.resultaten for number in self._numbers(result, item.bericht_id)
        ]
        return bool(known)

    def _numbers(self, result: Verwerkingsbericht, bericht_id: str) -> Sequence[int]:
        """Return the berichten that an item is about: with the nil BerichtID the whole batch."""
        if is_nil(bericht_id):
            batch = self.ids.batch_number_of(result.batch_id)
            return () if batch is None or batch >= self.plan.volume else range(batch * self.size, (batch + 1) * self.size)
        number = self.ids.number_of(bericht_id)
        return () if number is None or number >= len(self.told) else (number,)

    def _take_one(self, number: int, code: VerwerkingsCode, result: Verwerkingsbericht, elapsed_s: float) -> int:
        place = _CODES.index(code) + 1
        if self.told[number]:  # a result may be offered again; it may not say something else
            self.contradicted += self.told[number] != place
            return number
        self.told[number] = place
        self.seen += 1
        took = max(elapsed_s - self.plan.due(number // self.size), processing_time_s(result) or 0.0)
        self.slowest_s = max(self.slowest_s, took)
        self.late += took > duration("SNO-BER-04", "term").total_seconds()
        return number

    def to_json(self) -> dict[str, Any]:
        """Return it as facts of the run; who has no result stands in it by the number of the batch, with how many of it."""
        codes = Counter(self.told)
        missing = [number // self.size for number, place in enumerate(self.told) if not place]
        return {
            "codes": {str(_CODES[place - 1]): times for place, times in codes.items() if place},
            "missing": [[batch, len(list(group))] for batch, group in groupby(missing)],
            "contradicted": self.contradicted,
            "late": self.late,
            "slowest_s": self.slowest_s,
        }


# -- judging -----------------------------------------------------------------------------------------------------------------------------------


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of the rate of the phase, of the term of 24 hours, and of the mix."""
    return [_rate(measured), _processed(measured), _mix(measured)]


def _rate(measured: Measured) -> Outcome:
    plan, id_ = measured.plan, _NORMS[measured.plan.settings["phase"]]
    size, total = size_of(plan.settings), measured.samples.total(NAME)
    last, rate = measured.tally.highest.get("last answer", 0.0), plan.rate * size
    expected = f"{plan.volume * size} berichten in {plan.window_s:g} s ({rate:.4g} a second), all accepted, the last within {_GRACE_S:g} s after it"
    seen = f"{total.answered * size} accepted in {last:.2f} s ({total.answered * size / max(last, plan.window_s):.4g} a second)"
    about = About(id_, expected, seen)
    if total.failures:
        # A refusal is a refusal, however busy we were.
        return about.missed(f"{total.failures} of {plan.volume} batches were refused: {'; '.join(texts_of_failures(measured))}.", is_certain=True)
    if not all_sent(measured):
        return about.missed(f"{plan.volume - total.answered} of {plan.volume} batches were not answered in time.")
    if last > plan.window_s + _GRACE_S:
        return about.missed(f"The last batch was accepted {last - plan.window_s:.1f} s after the window.")
    most = (total.percentile(0.99) or 0.0) * 1000
    return about.met(f"{total.answered * size} berichten were accepted at {rate:.4g} a second, 99 % of the batches within {most:.0f} ms.")


def _processed(measured: Measured) -> Outcome:
    plan, facts, size = measured.plan, measured.facts, size_of(measured.plan.settings)
    term = duration("SNO-BER-04", "term").total_seconds()
    accepted = measured.samples.total(NAME).answered * size
    codes: Mapping[str, int] = facts.get("codes", {})
    missing, late = _missing(measured, accepted), facts.get("late", 0)
    shown = ", ".join(f"{times} {code}" for code, times in codes.items()) or "none"
    seen = f"results: {shown}; {missing} without one, {late} too late, the slowest after {facts.get('slowest_s', 0.0):.1f} s"
    about = About("SNO-BER-04", f"one result for each of {accepted} accepted berichten, within {term / 3600:g} hours", seen)
    if not accepted:
        return about.undecided("No bericht was accepted.", Reason.NO_TRAFFIC)
    if "codes" not in facts:
        return about.undecided("Results go to the gateway of the Afnemer, and this Berichtenbox tells nobody else what it decided.", Reason.NOT_SEEN)
    wrong = {
        "have no result: they are lost": missing,
        "were processed too late": late,
        "have two results that say different things": facts.get("contradicted", 0),
        "ended in a TechnischProbleem": codes.get(VerwerkingsCode.TECHNISCH_PROBLEEM, 0),
    }
    texts = [f"{times} {text}" for text, times in wrong.items() if times]
    if missing and len(texts) == 1 and not facts.get("moved_s") and wait_s(plan, term) < term:
        return about.undecided(f"{missing} results were not there yet when the wait was over.", Reason.TIMEOUT)
    if texts:
        return about.missed(f"Of {accepted} accepted berichten {'; '.join(texts)}.", is_certain=True)
    return about.met(f"All {accepted} accepted berichten have their result.")


def _missing(measured: Measured, accepted: int) -> int:
    """Return how many accepted berichten have no result; over ebMS2 only their number is known."""
    if "missing" not in measured.facts:
        codes: Mapping[str, int] = measured.facts.get("codes", {})
        return max(0, accepted - sum(codes.values()))
    unaccepted = set(measured.tally.lists.get(UNACCEPTED, ()))
    missing: list[tuple[int, int]] = measured.facts["missing"]
    return sum(times for batch, times in missing if batch not in unaccepted)


def _mix(measured: Measured) -> Outcome:
    """Judge SNO-OPS-04: as many bijlagen as it allows at most, which a Berichtenbox must take."""
    sizes, total = mix(), measured.samples.total(NAME)
    wanted = share("SNO-OPS-04", "share")
    sent = measured.plan.volume * size_of(measured.plan.settings)
    expected = f"{float(wanted):.0%} of the berichten have a bijlage of up to {max(sizes)} bytes, and all are accepted"
    seen = f"{sent} berichten, {sum(map(bool, sizes)) / len(sizes):.0%} with a bijlage of {sum(sizes) / sum(map(bool, sizes)):.0f} bytes on average"
    about = About("SNO-OPS-04", expected, seen)
    text = f"{total.answered} of {measured.plan.volume} batches with that mix were accepted."
    return about.met(text) if total.answered == measured.plan.volume else about.missed(text, is_certain=total.failures > 0)


def _afterwards_s(plan: LoadPlan) -> float:
    return wait_s(plan, duration("SNO-BER-04", "term").total_seconds())


def _norms(settings: Settings) -> tuple[str, ...]:
    return _NORMS[settings["phase"]], "SNO-BER-04", "SNO-OPS-04"


def _stand(setup: Any) -> Any:
    from conformance.load.before_ebms import before_ebms  # noqa: PLC0415  # certificates and CPAs are needed over ebMS2 only
    from conformance.load.parties import before_berichtenbox  # noqa: PLC0415  # it knows this module's class

    return before_ebms(setup) if setup.settings["face"] == EBMS else before_berichtenbox(PROFILE, setup)


PROFILE: Final = LoadProfile(
    name="aanleveren",
    party="logius",
    title_nl="Het aanleveren: 45 berichten per seconde, 150.000 per uur of 2.500.000 per dag; alles aangenomen, verwerkt binnen 24 uur, niets kwijt",
    title_en="Delivering: 45 berichten a second, 150,000 an hour or 2,500,000 a day; all accepted, processed within 24 hours, nothing lost",
    sends="a batch of berichten",
    norms=_norms,
    demand=demand,
    judge=judge,
    settings=(
        Setting("phase", (BURST, HOUR, DAY), "Which rate: a burst, that of an hour, or that of a day."),
        FACE,
    ),
    stand=_stand,
    afterwards_s=_afterwards_s,
)
