"""From the results of cases to the verdict of every requirement and of the run.

Pure: a run, the catalogue and what the profile says go in, a report comes out. What it looks like is decided elsewhere.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from conformance.report.errors import LockedRunError
from conformance.verdicts import CaseResult, ExitCode, Reason, RunVerdict, Verdict, highest

if TYPE_CHECKING:
    from conformance.catalogue import Catalogue, Requirement

Party = Literal["afnemer", "logius"]
"""Who is tested; the words are those of ``binds`` in the catalogue."""
_OTHER: Final[Mapping[Party, Party]] = {"afnemer": "logius", "logius": "afnemer"}
_BINDS_OTHER: Final[Mapping[Party, Reason]] = {"afnemer": Reason.BINDS_LOGIUS, "logius": Reason.BINDS_AFNEMER}
_OTHER_COMMAND: Final = ("load", "calculator")
_EXIT_CODES = {
    RunVerdict.CONFORMANT: ExitCode.CONFORMANT,
    RunVerdict.NOT_CONFORMANT: ExitCode.NOT_CONFORMANT,
    RunVerdict.INCOMPLETE: ExitCode.INCOMPLETE,
    RunVerdict.KIT_ERROR: ExitCode.KIT_ERROR,
}


@dataclass(frozen=True, slots=True)
class Run:
    """What ran, when (UTC) and with which result; ``profile`` is the profile as it may be shown."""

    started: datetime
    finished: datetime
    profile: Mapping[str, Any]
    seed: int
    results: tuple[CaseResult, ...]
    selection: tuple[str, ...] | None = None
    locked: bool = False
    face: str = "adapter"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A failure that its owner knows of; it stops breaking the run up to and including the day ``until``."""

    id: str
    reason: str
    owner: str
    until: date


@dataclass(frozen=True, slots=True)
class RequirementVerdict:
    """What one requirement comes to, with the cases that decided it.

    ``declaration`` is what the profile declares, ``known_failure`` the known failure that covers it, whether or not that one still helps.
    """

    requirement: "Requirement"
    verdict: Verdict
    reason: Reason | None = None
    cases: tuple[CaseResult, ...] = ()
    declaration: str | None = None
    known_failure: KnownFailure | None = None

    def __repr__(self) -> str:
        """Show the verdict as a line of a report."""
        return f"<{self.requirement.id}: {self.verdict}, {len(self.cases)} cases>"


@dataclass(frozen=True, slots=True)
class Report:
    """A graded run: the verdict of each requirement, sorted by id, and of the whole.

    ``expired`` and ``outdated`` (no longer failing) are the known failures that break the run by themselves, ``unknown`` the ids that a case
    decided but the catalogue does not have.
    """

    run: Run
    catalogue_digest: str
    verdict: RunVerdict
    requirements: tuple[RequirementVerdict, ...]
    expired: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    summary: Mapping[Verdict, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show the outcome in a line."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.summary.items() if count)
        return f"<Report {self.verdict}: {counts or 'nothing graded'}>"


def grade(
    run: Run,
    catalogue: "Catalogue",
    services: Collection[str],
    declarations: Mapping[str, str] | None = None,
    known_failures: Iterable[KnownFailure] = (),
    *,
    party: Party = "afnemer",
) -> Report:
    """Grade a run against the catalogue.

    ``services`` are those that the profile uses, ``declarations`` the statements of the profile by requirement id, ``party`` is who was tested.
    Raises ``LockedRunError`` when a locked run has a selection or known failures, ``UnknownRequirement`` for a selection outside of the catalogue.
    """
    known = {failure.id: failure for failure in known_failures}
    _check_locked(run, known)
    selected = catalogue.values() if run.selection is None else catalogue.select(run.selection)
    needed = catalogue.deciding(item.id for item in selected)
    graded = {id_: _grade_one(catalogue[id_], run, services, declarations or {}, party) for id_ in needed}
    verdicts = tuple(_with_known(_of_parts(graded[item.id], graded), known) for item in selected)
    shown = {item.requirement.id for item in verdicts}
    relevant = [failure for id_, failure in sorted(known.items()) if run.selection is None or id_ in shown]
    expired = tuple(failure.id for failure in relevant if failure.until < run.finished.date())
    outdated = tuple(failure.id for failure in relevant if _is_outdated(failure, run, verdicts))
    unknown = tuple(sorted({result.requirement for result in run.results} - set(catalogue)))
    counted = Counter(item.verdict for item in verdicts)
    return Report(
        run=run,
        catalogue_digest=catalogue.digest,
        verdict=_run_verdict(verdicts, broken=bool(expired or outdated), crashed=bool(unknown)),
        requirements=verdicts,
        expired=expired,
        outdated=outdated,
        unknown=unknown,
        summary={verdict: counted[verdict] for verdict in Verdict},
    )


def exit_code(report: Report) -> ExitCode:
    """Return the exit code of a graded run; a party that was never reached has one of its own."""
    unreached = any(item.reason is Reason.UNREACHABLE for item in report.requirements)
    if report.verdict is RunVerdict.INCOMPLETE and unreached and not report.summary[Verdict.PASSED]:
        return ExitCode.UNREACHABLE
    return _EXIT_CODES[report.verdict]


def _check_locked(run: Run, known: Mapping[str, KnownFailure]) -> None:
    if run.locked and (run.selection is not None or known):
        raise LockedRunError("--locked certifies everything: leave out the selection (--only) and the known failures.")


def _grade_one(requirement: "Requirement", run: Run, services: Collection[str], declarations: Mapping[str, str], party: Party) -> RequirementVerdict:
    """Grade one requirement: the guards first, in the order in which they outrank each other."""
    cases = _cases_of(requirement, run.results)
    declaration = declarations.get(requirement.id) or None
    graded = RequirementVerdict(requirement, Verdict.NOT_TESTED, None, cases, declaration)
    if any(case.verdict is Verdict.KIT_ERROR for case in cases):
        return _decided_by_cases(graded)
    if requirement.service and requirement.service not in services:
        return replace(graded, verdict=Verdict.NOT_APPLICABLE, reason=Reason.SERVICE_NOT_USED)
    if requirement.binds == _OTHER[party] and all(case.verdict is Verdict.NOT_APPLICABLE for case in cases):
        return replace(graded, verdict=Verdict.NOT_APPLICABLE, reason=_BINDS_OTHER[party])
    return _decided_by_cases(graded) if cases else _without_cases(graded)


def _of_parts(item: RequirementVerdict, graded: Mapping[str, RequirementVerdict]) -> RequirementVerdict:
    """Give a norm the highest verdict of the requirements that it comes down to; results of its own, as a load profile has them, outrank those."""
    parts = [graded[id_] for id_ in item.requirement.through]
    if not parts or item.cases or item.verdict is Verdict.NOT_APPLICABLE:
        return item
    cases = (_softened(_as_case(item.requirement.id, part), item.requirement) for part in parts)
    return _decided_by_cases(replace(item, cases=tuple(cases)))


def _as_case(norm: str, part: RequirementVerdict) -> CaseResult:
    evidence = sorted({name for case in part.cases for name in case.evidence})
    return CaseResult(norm, part.requirement.id, part.verdict, part.requirement.title_en, part.reason, evidence=tuple(evidence))


def _with_known(item: RequirementVerdict, known: Mapping[str, KnownFailure]) -> RequirementVerdict:
    """Add the known failure that covers a requirement; a norm is covered too when each of the requirements that fail it is."""
    failing = [case.case for case in item.cases if case.verdict is Verdict.FAILED]
    through = [known.get(id_) for id_ in failing] if item.requirement.through else []
    covered = through[0] if through and all(through) else None
    return replace(item, known_failure=known.get(item.requirement.id, covered))


def _without_cases(graded: RequirementVerdict) -> RequirementVerdict:
    if graded.requirement.decided_by in _OTHER_COMMAND:
        return replace(graded, verdict=Verdict.NOT_APPLICABLE, reason=Reason.OTHER_COMMAND)
    if graded.requirement.decided_by != "declared":
        return replace(graded, reason=Reason.NO_CASE_RAN)
    if graded.declaration is None:
        return replace(graded, reason=Reason.UNDECLARED)
    return replace(graded, verdict=Verdict.DECLARED)


def _cases_of(requirement: "Requirement", results: Iterable[CaseResult]) -> tuple[CaseResult, ...]:
    """Return the results that decide this requirement, sorted, so that the order of running leaves no trace."""
    own = (_softened(result, requirement) for result in results if result.requirement == requirement.id)
    return tuple(sorted(own, key=lambda case: (case.case, case.verdict, case.message, case.expected, case.seen)))


def _softened(result: CaseResult, requirement: "Requirement") -> CaseResult:
    """Make a failure of our own reading, or of a SHOULD or MAY, a warning: it can never make an Afnemer non-conformant."""
    is_firm = requirement.level == "MUST" and requirement.certainty != "aanname"
    if result.verdict is not Verdict.FAILED or is_firm:
        return result
    return replace(result, verdict=Verdict.WARNING)


def _decided_by_cases(graded: RequirementVerdict) -> RequirementVerdict:
    verdict = highest(case.verdict for case in graded.cases)
    reasons = (case.reason for case in graded.cases if case.verdict is verdict and case.reason is not None)
    return replace(graded, verdict=verdict, reason=next(reasons, None))


def _is_outdated(failure: KnownFailure, run: Run, verdicts: Iterable[RequirementVerdict]) -> bool:
    """Tell whether a known failure no longer fails; a softened failure fails still, and what was not tested proves nothing."""
    undecided = (Verdict.NOT_TESTED, Verdict.KIT_ERROR)
    of_it = [item for item in verdicts if item.requirement.id == failure.id]
    names = {failure.id, *(id_ for item in of_it for id_ in item.requirement.through)}
    is_failing = any(case.requirement in names and case.verdict is Verdict.FAILED for case in run.results)
    return not is_failing and not any(item.verdict in undecided for item in of_it)


def _run_verdict(verdicts: Collection[RequirementVerdict], *, broken: bool, crashed: bool) -> RunVerdict:
    musts = [item for item in verdicts if item.requirement.level == "MUST"]
    if crashed or any(item.verdict is Verdict.KIT_ERROR for item in verdicts):
        return RunVerdict.KIT_ERROR
    if broken or any(item.verdict is Verdict.FAILED and item.known_failure is None for item in musts):
        return RunVerdict.NOT_CONFORMANT
    is_empty = not any(item.verdict is Verdict.PASSED for item in verdicts)
    if is_empty or any(item.verdict is Verdict.NOT_TESTED for item in musts):
        return RunVerdict.INCOMPLETE
    return RunVerdict.CONFORMANT
