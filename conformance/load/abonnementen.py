"""``load abonnementen``: the requests of a night, 225 for everybody, 150 with a list and 150 for what changed, each answered within four hours.

Makes the requests and reads the answers as well: what is a right answer is decided here.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conformance.load.collecting import wait_s
from conformance.load.durations import written
from conformance.load.judging import About, Measured, Outcome, all_sent, texts_of_failures
from conformance.load.leveringen import Ids
from conformance.load.plan import FULL, Demand, LoadPlan, LoadProfile, Settings
from conformance.messages.abonnement import AbonnementAanvraag, Soort, UnreadableAntwoord, read_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.guard import XmlRefused
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch
from conformance.norms import count, duration
from conformance.verdicts import Reason

NORMS: Final[Mapping[Soort, str]] = {Soort.ALLES: "SNO-ABO-03", Soort.BSN_LIJST: "SNO-ABO-04", Soort.MUTATIES: "SNO-ABO-05"}
CITIZENS: Final = 10_000
"""As many citizens a Berichtenbox has that the kit starts; elsewhere only the reserved test BSNs are asked about."""
RESERVED: Final = 909
LIST: Final = 500
"""BSNs in a list; the SNO gives no number."""
INACTIVE: Final = 0.1
_PIECE: Final = 65_536
_GRACE_S: Final = 60.0
"""So long after the night the last request may be accepted."""
_BACK: Final = timedelta(hours=1)


def demand(_settings: Settings) -> Demand:
    """Return the night of SNO-ABO-02 to SNO-ABO-05; an answer in the queue is not what a request waits for, so that patience is short."""
    return Demand(sum(quota(soort) for soort in Soort), duration("SNO-ABO-02", "length"), timedelta(seconds=30))


def quota(soort: Soort) -> int:
    """Return how many requests of a kind a night has."""
    return count(NORMS[soort], "verzoeken")


@dataclass(slots=True)
class Verzoeken:
    """The requests of a run, the same for the same seed but for their ids."""

    plan: LoadPlan
    ids: Ids
    bsns: Sequence[int]
    _kinds: list[Soort] = field(default_factory=list)

    def kind(self, number: int) -> Soort:
        """Return the kind of a request."""
        if not self._kinds:
            self._kinds = kinds(self.plan.volume)
        return self._kinds[number]

    def asked(self, number: int) -> list[int]:
        """Return the citizens on the list of a request."""
        drawn = random.Random(f"{self.plan.seed} {number}").sample(range(len(self.bsns)), min(LIST, len(self.bsns)))  # noqa: S311  # no secret
        return sorted(self.bsns[place] for place in drawn)

    def document(self, number: int, now: datetime | None = None) -> bytes:
        """Return the document of a request."""
        soort = self.kind(number)
        bsns = BsnList(self.asked(number)) if soort is Soort.BSN_LIJST else None
        since = write_moment((now or datetime.now(UTC)) - _BACK) if soort is Soort.MUTATIES else None
        return AbonnementAanvraag(self.plan.connection["oin"], self.ids.bericht(number), bsns, since).to_xml()


def kinds(volume: int) -> list[Soort]:
    """Return the kinds of so many requests in order: each time the one that is furthest behind its share of the night."""
    total, done, order = sum(quota(soort) for soort in Soort), dict.fromkeys(Soort, 0), []
    for step in range(1, volume + 1):
        behind = max(Soort, key=lambda soort: quota(soort) * step / total - done[soort])
        done[behind] += 1
        order.append(behind)
    return order


@dataclass(slots=True)
class Answers:
    """The answers that came: when, in seconds after the request was due, and what is wrong with each; ``truth`` is who takes letters, if known."""

    verzoeken: Verzoeken
    truth: frozenset[int] | None = None
    came: dict[int, tuple[float, str]] = field(default_factory=dict)
    twice: int = 0

    def take(self, content: bytes, elapsed_s: float) -> bool:
        """Take an answer; tells whether it is one to a request of this run."""
        try:
            antwoord = read_antwoord(content[start : start + _PIECE] for start in range(0, len(content), _PIECE))
            number = self.verzoeken.ids.number_of(antwoord.verzoek_id)
            told = [(regel.number, regel.is_actief) for regel in antwoord] if number is not None else []
        except (UnreadableAntwoord, XmlRefused, PackedTooMuch):
            return False
        if number is None or number >= self.verzoeken.plan.volume:
            return False
        if number in self.came:
            self.twice += 1
            return True
        self.came[number] = (elapsed_s - self.verzoeken.plan.due(number), self._wrong(number, told))
        return True

    def _wrong(self, number: int, told: Iterable[tuple[int, bool]]) -> str:
        """Return what is wrong with an answer, empty for nothing; nobody is quoted."""
        soort, active = self.verzoeken.kind(number), {bsn for bsn, is_actief in told if is_actief}
        asked = set(self.verzoeken.asked(number)) if soort is Soort.BSN_LIJST else None
        if asked is not None and active - asked:
            return f"{len(active - asked)} citizens who were not on the list"
        if self.truth is None or soort is Soort.MUTATIES:
            return ""
        right = self.truth if asked is None else self.truth & asked
        return f"{len(active ^ right)} citizens with the wrong outcome" if active != right else ""

    def to_json(self) -> dict[str, Any]:
        """Return the answers as facts of the run."""
        return {"answers": [[number, elapsed, wrong] for number, (elapsed, wrong) in sorted(self.came.items())], "twice": self.twice}


# -- judging -----------------------------------------------------------------------------------------------------------------------------------


def judge(measured: Measured) -> Sequence[Outcome]:
    """Return what came of SNO-ABO-01 and of the three quotas."""
    order = kinds(measured.plan.volume)
    answers = {number: (elapsed, wrong) for number, elapsed, wrong in measured.facts.get("answers", [])}
    return [_in_time(measured, answers), *(_quota(measured, soort, order, answers) for soort in Soort)]


def _in_time(measured: Measured, answers: Mapping[int, tuple[float, str]]) -> Outcome:
    term = duration("SNO-ABO-01", "term").total_seconds()
    accepted = measured.samples.total().answered
    late = sum(elapsed > term for elapsed, _ in answers.values())
    missing = max(0, accepted - len(answers))
    longest = max((elapsed for elapsed, _ in answers.values()), default=0.0)
    seen = f"{len(answers)} answered, the longest after {longest:.1f} s; {late} too late, {missing} not at all"
    about = About("SNO-ABO-01", f"each of {accepted} accepted requests answered within {term / 3600:g} hours", seen)
    if not accepted:
        return about.undecided("No request was accepted.", Reason.NO_TRAFFIC)
    if missing and not late and not _waited_long_enough(measured, term):
        return about.undecided(f"{missing} answers were not there yet when the wait was over.", Reason.TIMEOUT)
    text = f"{len(answers) - late} of {accepted} requests were answered in time."
    return about.missed(text, is_certain=True) if late or missing else about.met(text)


def _waited_long_enough(measured: Measured, term: float) -> bool:
    return bool(measured.facts.get("moved_s")) or ("answers" in measured.facts and wait_s(measured.plan, term) >= term)


def _quota(measured: Measured, soort: Soort, order: Sequence[Soort], answers: Mapping[int, tuple[float, str]]) -> Outcome:
    plan, id_ = measured.plan, NORMS[soort]
    wanted = [number for number, kind in enumerate(order) if kind is soort]
    total = measured.samples.total(soort.value)
    wrong = [answers[number][1] for number in wanted if number in answers and answers[number][1]]
    scale = "" if plan.scale >= FULL else f", {plan.shown_scale} of a night"
    expected = f"{len(wanted)} requests for {soort.value}{scale}, all accepted and answered right"
    answered = sum(number in answers for number in wanted) - len(wrong)
    seen = f"{total.answered} of {total.count} accepted, {answered} answered right"
    about, text = About(id_, expected, seen), f"{answered} of {len(wanted)} requests for {soort.value}"
    if not wanted:
        return about.undecided("At this scale there is no such request.", Reason.NO_TRAFFIC)
    if total.failures or wrong:
        return about.missed(f"{text}: {'; '.join([*wrong[:1], *texts_of_failures(measured)])}.", is_certain=True)
    if not all_sent(measured) or measured.tally.highest.get("last answer", 0.0) > plan.window_s + _GRACE_S:
        return about.missed(f"{text}: they were not all accepted in time.")
    if answered == len(wanted):
        return about.met(f"{text}, in {written(plan.window_s)}.")
    if not _waited_long_enough(measured, duration("SNO-ABO-01", "term").total_seconds()):
        return about.undecided(f"{text}: the others were not answered yet when the wait was over.", Reason.TIMEOUT)
    return about.missed(f"{text}: the others have no answer.", is_certain=True)


def _afterwards_s(plan: LoadPlan) -> float:
    return wait_s(plan, duration("SNO-ABO-01", "term").total_seconds())


PROFILE: Final = LoadProfile(
    name="abonnementen",
    party="logius",
    title_nl="De abonnementservice: een nacht van 225 verzoeken om alles, 150 met een lijst en 150 om mutaties, elk binnen vier uur",
    title_en="The abonnementservice: a night of 225 requests for everybody, 150 with a list and 150 for changes, each within four hours",
    sends="a request for abonnementen",
    norms=lambda _settings: ("SNO-ABO-01", *NORMS.values()),
    demand=demand,
    judge=judge,
    serving=("--citizens", str(CITIZENS), "--inactive", str(INACTIVE)),
    afterwards_s=_afterwards_s,
)
