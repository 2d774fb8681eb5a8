"""How a case says what it found: one judgement for each requirement that it decides."""

from collections.abc import Iterable
from typing import Any

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, DriverError, Refused, TimedOut
from conformance.berichtenbox.ledger import Offer
from conformance.berichtenbox.wire import Exchange
from conformance.masking import mask
from conformance.rules.findings import Finding
from conformance.verdicts import CaseResult, Reason, Verdict, highest

decides = pytest.mark.decides
"""Marks a case with the requirements that it decides."""
needs = pytest.mark.needs
"""Marks a case with what a run must have for it: ``ebms``, ``tls``, ``sync`` (signals in the HTTP answer) or ``async``, and whom it tests.

See ``Scene.has``. ``berichtenbox`` is for what only a Berichtenbox does; a case that uses ``scene`` needs ``afnemer`` by itself.
"""


class NotTestedError(Exception):
    """A case that could not be decided: why, from the closed list, and in a sentence."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(mask(text))
        self.reason = reason


class NeverOfferedError(NotTestedError):
    """Letters that the Afnemer was asked to deliver, and that never reached the Berichtenbox."""

    def __init__(self, missing: int, asked: int) -> None:
        text = f"{missing} of {asked} berichten that were asked for never reached the Berichtenbox"
        super().__init__(Reason.NO_TRAFFIC, text)
        self.missing = missing


class UndecidedError(AssertionError):
    """A case of ours that left a requirement undecided: a mistake in the kit, never the Afnemer's."""


def reason_of(error: DriverError) -> Reason:
    """Return the reason from the closed list for an Afnemer that could not be driven."""
    reasons = ((TimedOut, Reason.TIMEOUT), (Refused, Reason.REFUSED_BY_AFNEMER), (CannotDo, Reason.DRIVER_CANNOT), (BadAnswer, Reason.DRIVER_ANSWER))
    return next((reason for kind, reason in reasons if isinstance(error, kind)), Reason.UNREACHABLE)


class Judge:
    """Collects the judgements of one case."""

    def __init__(self, case: str, requirements: Iterable[str]) -> None:
        self.case = case
        self.requirements = tuple(requirements)
        self.results: list[CaseResult] = []
        self.offers: list[Offer] = []  # what an earlier case brought and this one judges: shown in its evidence too
        self.exchanges: list[Exchange] = []  # idem

    def that(self, requirement: str, holds: bool, *, expected: str, seen: Any, contradictions: Iterable[str] = ()) -> bool:  # noqa: FBT001
        """Judge one requirement; ``expected`` and ``seen`` are told when it fails. Returns ``holds``."""
        verdict = Verdict.PASSED if holds else Verdict.FAILED
        message = "" if holds else f"expected {expected}; seen {seen}"
        self._add(requirement, verdict, message, expected, str(seen), tuple(contradictions))
        return holds

    def findings(self, requirement: str, found: Iterable[Finding]) -> None:
        """Judge one requirement by what its rule found: nothing passes, a note warns, anything else fails."""
        findings = tuple(found)
        serious = [finding for finding in findings if not finding.is_note]
        worst = next(iter(serious or findings), None)
        if worst is None:
            self._add(requirement, Verdict.PASSED, "", "", "", ())
            return
        verdict = Verdict.FAILED if serious else Verdict.WARNING
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        self._add(requirement, verdict, f"{worst.where}: expected {worst.expected}; seen {worst.seen}{more}", worst.expected, worst.seen, ())

    def undecided(self, requirement: str, reason: Reason, text: str, verdict: Verdict = Verdict.NOT_TESTED) -> None:
        """Say that one requirement was not tested, or does not apply."""
        self.results.append(CaseResult(requirement, self.case, verdict, mask(text), reason))

    def _add(self, requirement: str, verdict: Verdict, message: str, expected: str, seen: str, contradictions: tuple[str, ...]) -> None:
        if requirement not in self.requirements:
            raise UndecidedError(f"{self.case} judges {requirement}, and is not marked with it")
        shown = (mask(text) for text in (message, expected, seen)) if verdict is not Verdict.PASSED else ("", "", "")
        told, wanted, got = shown
        self.results.append(CaseResult(requirement, self.case, verdict, told, None, wanted, got, contradictions=contradictions))

    def close(self, error: BaseException | None) -> None:
        """Settle what was not judged, by the error that ended the case; raises :class:`UndecidedError` when there was none."""
        left = [requirement for requirement in self.requirements if all(result.requirement != requirement for result in self.results)]
        if isinstance(error, NotTestedError):
            self._leave(left, error.reason, str(error))
        elif isinstance(error, DriverError):
            self._leave(left, reason_of(error), str(error))
        elif error is not None:
            self._crash(left or list(self.requirements), error)
        elif left:
            raise UndecidedError(f"{self.case} did not decide {', '.join(left)}")

    def _leave(self, left: Iterable[str], reason: Reason, text: str) -> None:
        for requirement in left:
            self.undecided(requirement, reason, text)

    def _crash(self, left: Iterable[str], error: BaseException) -> None:
        text = mask(f"{type(error).__name__}: {error}")
        for requirement in left:
            self.results.append(CaseResult(requirement, self.case, Verdict.KIT_ERROR, text))

    def worst(self) -> Verdict:
        """Return the highest verdict of this case."""
        return highest(result.verdict for result in self.results)
