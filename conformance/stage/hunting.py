"""Looks for an example that goes wrong with Hypothesis, and makes it as small as it can in the time that there is for that."""

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Flaky, HypothesisWarning
from hypothesis.strategies import SearchStrategy

from conformance.stage.judging import NotTestedError

_T = TypeVar("_T")
_SHRINKING_S: Final = 8.0
_DEADLINE: Final = settings(
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


class Depth(StrEnum):
    """How much is generated: for a run of the kit's own tests, for a person who waits, or for a night."""

    QUICK = "quick"
    DEFAULT = "default"
    DEEP = "deep"

    @property
    def examples(self) -> int:
        """How many examples a hunt tries."""
        return {Depth.QUICK: 50, Depth.DEFAULT: 100, Depth.DEEP: 1_100}[self]


@dataclass(frozen=True, slots=True)
class Caught(Generic[_T]):
    """The smallest example that goes wrong, and what is wrong with it."""

    example: _T
    wrong: str


class _WrongError(Exception):
    """Tells Hypothesis that an example goes wrong."""


class _EnoughError(BaseException):
    """Stops Hypothesis: no Exception, for those it takes as a finding."""


class _Hunt(Generic[_T]):
    def __init__(self, wrong_with: Callable[[_T], str], shrinking_s: float) -> None:
        self._wrong_with, self._shrinking_s = wrong_with, shrinking_s
        self._until = math.inf
        self.caught: Caught[_T] | None = None
        self.untested: NotTestedError | None = None

    def try_one(self, example: _T) -> None:
        if time.monotonic() > self._until:
            raise _EnoughError
        try:
            wrong = self._wrong_with(example)
        except NotTestedError as error:
            self.untested = error
            raise _EnoughError from None
        if wrong:
            # What Hypothesis tries after a finding it keeps only when it is smaller.
            self.caught = Caught(example, wrong)
            self._until = min(self._until, time.monotonic() + self._shrinking_s)
            raise _WrongError(wrong)


def hunt(
    strategy: SearchStrategy[_T], wrong_with: Callable[[_T], str], *, examples: int, seed: int, shrinking_s: float = _SHRINKING_S
) -> Caught[_T] | None:
    """Try ``examples`` of a strategy, the same ones with the same ``seed``, and return the smallest that goes wrong, or ``None``.

    ``wrong_with`` says in a sentence what is wrong with one, and nothing when nothing is. What was caught is the last that is tried, so that it is
    on the record. Raises :class:`NotTestedError` when ``wrong_with`` does.
    """
    hunting = _Hunt(wrong_with, shrinking_s)

    def trial(example: _T) -> None:
        hunting.try_one(example)

    test = settings(_DEADLINE, max_examples=examples)(hypothesis.seed(seed)(given(strategy)(trial)))
    with warnings.catch_warnings(), contextlib.suppress(_WrongError, _EnoughError, Flaky):
        warnings.simplefilter("ignore", HypothesisWarning)  # it finds a large batch too large to print, and it need not print any
        test()
    if hunting.untested is not None:
        raise hunting.untested
    if hunting.caught is not None:
        # Once more, for the record. What depends on what came before may not go wrong twice, and is told as it was seen.
        wrong_with(hunting.caught.example)
    return hunting.caught


def draw(strategy: SearchStrategy[_T], *, examples: int, seed: int) -> list[_T]:
    """Return ``examples`` of a strategy without trying any, the same ones with the same ``seed``: those that :func:`hunt` tries."""
    found: list[_T] = []

    def keep(example: _T) -> str:
        found.append(example)
        return ""

    hunt(strategy, keep, examples=examples, seed=seed)
    return found


def hunt_together(
    strategy: SearchStrategy[_T],
    wrong_with: Callable[[Sequence[_T]], Sequence[str]],
    *,
    examples: int,
    seed: int,
    shrinking_s: float = _SHRINKING_S,
) -> Caught[_T] | None:
    """Do as :func:`hunt` does, and try all examples at once first: whoever looks only now and then is not waited for again and again.

    ``wrong_with`` says what is wrong with each of some examples, which must be hashable. What goes wrong among others and not alone is told as such.
    """
    drawn = draw(strategy, examples=examples, seed=seed)
    seen = dict(zip(drawn, wrong_with(drawn), strict=True))
    worst = next((Caught(example, wrong) for example, wrong in seen.items() if wrong), None)
    if worst is None:
        return None

    def alone(example: _T) -> str:
        return wrong_with([example])[0] if seen.get(example, "not tried") else ""

    caught = hunt(strategy, alone, examples=examples, seed=seed, shrinking_s=shrinking_s)
    if caught is not None:
        return caught
    wrong_with(drawn)  # once more, for the record
    return Caught(worst.example, f"{worst.wrong}, among {len(drawn)} at once and not alone")
