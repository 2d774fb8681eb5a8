"""From what was measured to the verdict on each norm: pure, and the one place that knows what a scaled, limited or broken run is worth.

A norm that was missed is failed, unless the kit itself was in the way. One that was met is passed only by a run that can claim it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.load.plan import FULL, LoadPlan
from conformance.load.samples import Samples, Tally
from conformance.verdicts import CaseResult, Reason, Verdict

LATE_S: Final = 0.05
"""A message that is sent so long after it was due, by a user who was waiting for that, was held up by the load generator."""
BUSY: Final = 0.9
"""The share of one processor from which a process may be what holds up the others."""
STARVED: Final = 0.05
"""The share of the time that the kit may wait for a processor before a rate that was missed is no longer the party's."""
_LEAST_WAIT_S: Final = 0.1
SENT, DONE = "sent", "done"
LATE_IDLE, LATE_BUSY = "late, user was waiting", "late, every user was busy"
UNREACHED: Final = "nobody listened"
UNPREPARED: Final = "the party could not be made ready"
CRASHES: Final = "crashes of the load generator"


class UnpreparedError(RuntimeError):
    """A party that could not be made ready for a run, such as a Berichtenbox that refuses to be filled: what it answered."""


@dataclass(frozen=True, slots=True)
class Generator:
    """How the load generator itself fared: workers that went away, a processor that was full, and our own parties that kept one full.

    ``party_cpu`` is the share of one processor that a party of the kit used in the judged time, by its name; only those of which the kit's own
    speed must not be graded. ``waited_s`` is how many seconds the load generator and the parties that the kit started waited for a processor, because
    others used them all.
    """

    workers: int = 1
    workers_lost: int = 0
    is_cpu_full: bool = False
    party_cpu: Mapping[str, float] = field(default_factory=dict)
    is_interrupted: bool = False
    waited_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """All that a run has to be judged on; ``facts`` are what a profile found out afterwards, such as the results that came."""

    plan: LoadPlan
    samples: Samples
    tally: Tally = field(default_factory=Tally)
    generator: Generator = field(default_factory=Generator)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """How many messages of the schedule were sent."""
        return self.tally.counts[SENT]

    @property
    def late_idle(self) -> int:
        """How many messages were late although a user was waiting to send them: the load generator was held up."""
        return self.tally.counts[LATE_IDLE]

    @property
    def late_busy(self) -> int:
        """How many messages were late because every user waited for an answer."""
        return self.tally.counts[LATE_BUSY]

    def limits(self, missed: int | None = None) -> str:
        """Return what of the kit may be to blame for a norm that was missed, empty for nothing; ``missed`` is how often it was."""
        if self.generator.is_cpu_full:
            return "the processor of the load generator was full"
        full = [name for name, share in self.generator.party_cpu.items() if share >= BUSY]
        if full:
            return f"the processor of {' and '.join(full)} was full, which is part of the kit"
        if self.late_idle and (missed is None or self.late_idle * 2 >= missed):
            return (
                f"the load generator was held up: {self.late_idle} messages were sent more than {LATE_S * 1000:g} ms late by users who were waiting"
            )
        waited = sum(self.generator.waited_s.values())
        explained = waited * self.plan.rate >= missed if missed is not None else waited >= STARVED * self.plan.window_s
        if waited >= _LEAST_WAIT_S and explained:
            return f"this machine was too busy: the processes of the kit waited {waited:.1f} s for a processor"
        return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found of one norm: met, missed, or (``None``) undecided for a reason.

    ``expected`` and ``seen`` are figures with their units. ``grows`` tells whether a smaller run says less about it: what must hold for each message
    by itself does not. ``missed`` is how often it was missed, when that can be said; ``limit`` names another limit of the kit than the usual ones.
    ``is_certain`` tells that it was missed in a way that no slowness of the kit explains: a refusal, a wrong answer, something lost.
    """

    norm: str
    is_met: bool | None
    message: str
    expected: str
    seen: str
    grows: bool = True
    reason: Reason | None = None
    missed: int | None = None
    limit: str = ""
    is_certain: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """A norm with what was asked and what was seen, from which its outcome is made."""

    norm: str
    expected: str
    seen: str
    grows: bool = True

    def met(self, message: str) -> Outcome:
        """Return that it was met."""
        return Outcome(self.norm, True, message, self.expected, self.seen, self.grows)  # noqa: FBT003  # it reads as what it is

    def missed(self, message: str, times: int | None = None, *, is_certain: bool = False) -> Outcome:
        """Return that it was missed so many times."""
        return Outcome(self.norm, False, message, self.expected, self.seen, self.grows, missed=times, is_certain=is_certain)  # noqa: FBT003  # idem

    def undecided(self, message: str, reason: Reason) -> Outcome:
        """Return that nobody can tell."""
        return Outcome(self.norm, None, message, self.expected, self.seen, self.grows, reason)


def case_results(measured: Measured) -> tuple[CaseResult, ...]:
    """Return a case for each norm of the plan; a norm about which the profile says nothing is a fault of the kit."""
    broken = broken_by(measured)
    found = {} if broken else {outcome.norm: outcome for outcome in measured.plan.profile.judge(measured)}
    return tuple(_result(measured, id_, found.get(id_), broken) for id_ in measured.plan.norms)


def broken_by(measured: Measured) -> str:
    """Return what makes a run worthless whoever was tested, empty for nothing."""
    generator, crashes = measured.generator, measured.tally.counts[CRASHES]
    if generator.workers_lost:
        return f"{generator.workers_lost} of {generator.workers} workers went away during the run"
    if crashes:
        texts = "; ".join(text for text, _ in measured.tally.failures.most_common(1))
        return f"the load generator crashed {crashes} times: {texts}"
    return ""


def is_unreached(measured: Measured) -> bool:
    """Tell whether nobody listened, whatever was sent."""
    unreached = measured.tally.counts[UNREACHED]
    return unreached > 0 and unreached >= measured.samples.total().count


def _result(measured: Measured, id_: str, outcome: Outcome | None, broken: str) -> CaseResult:
    case = f"load/{measured.plan.name}"
    if broken:
        return CaseResult(id_, case, Verdict.KIT_ERROR, broken[:1].upper() + broken[1:] + ".")
    if is_unreached(measured):
        return CaseResult(id_, case, Verdict.NOT_TESTED, f"Nobody listens at {measured.plan.target}.", Reason.UNREACHABLE)
    if measured.tally.counts[UNPREPARED]:
        texts = "; ".join(texts_of_failures(measured, 1))
        return CaseResult(id_, case, Verdict.NOT_TESTED, f"The party could not be made ready: {texts}.", Reason.NO_TRAFFIC)
    if measured.generator.is_interrupted:
        return CaseResult(id_, case, Verdict.NOT_TESTED, "The run was broken off before its end.", Reason.NO_CASE_RAN)
    if outcome is None:
        return CaseResult(id_, case, Verdict.KIT_ERROR, "The load profile did not judge this norm.")
    verdict, reason, message = _verdict(measured, outcome)
    return CaseResult(id_, case, verdict, message, reason, outcome.expected, outcome.seen)


def _verdict(measured: Measured, outcome: Outcome) -> tuple[Verdict, Reason | None, str]:
    plan = measured.plan
    if outcome.is_met is None:
        return Verdict.NOT_TESTED, outcome.reason or Reason.TIMEOUT, outcome.message
    if not outcome.is_met:
        limit = "" if outcome.is_certain else outcome.limit or measured.limits(outcome.missed)
        if limit:
            return Verdict.NOT_TESTED, Reason.KIT_LIMIT, f"Not met, but {limit}: {outcome.message}"
        at = "" if plan.scale >= FULL else f"Missed at scale {plan.shown_scale}: "
        return Verdict.FAILED, None, f"{at}{outcome.message}"
    if outcome.grows and not plan.can_claim:
        return Verdict.NOT_TESTED, Reason.SCALED, f"{_smaller(plan)}: {outcome.message}"
    return Verdict.PASSED, None, outcome.message


def _smaller(plan: LoadPlan) -> str:
    if plan.scale < FULL:
        return f"Met at scale {plan.shown_scale}"
    return f"Met at {plan.rate:.3g} a second, below the {plan.demand.rate:.3g} of the norm"


def all_sent(measured: Measured) -> bool:
    """Tell whether every message of the schedule was sent, and answered or refused."""
    counts = measured.tally.counts
    return bool(counts[SENT] == measured.plan.volume == counts[DONE])


def is_only_scaled(results: Sequence[CaseResult]) -> bool:
    """Tell whether nothing keeps a run from being green but its scale."""
    undecided = [result for result in results if result.verdict not in {Verdict.PASSED, Verdict.NOT_APPLICABLE}]
    return bool(undecided) and all(result.reason is Reason.SCALED for result in undecided)


def texts_of_failures(measured: Measured, most: int = 3) -> Iterator[str]:
    """Yield what went wrong most, with how often."""
    return (f"{times} x {text}" for text, times in measured.tally.failures.most_common(most))
