"""The validatieservice: answers of another shape, faults and trouble. A yes is only what the service said in so many words."""

from typing import Any

import pytest

from conformance.berichtenbox.faults import Point
from conformance.stage.asking import citizens
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.stage.validating import Question, check_asks, declining, question, validations
from conformance.verdicts import Reason

_MOST_REPEATS = 5

# Ways in which the right answer may come: each must end in the right outcome for everybody.
_SHAPES = [
    pytest.param("numeric-booleans", {}, marks=decides("VAL-009")),
    pytest.param("klant-order", {}, marks=decides("VAL-010")),
    pytest.param("klant-twice", {}, marks=decides("VAL-012")),
    pytest.param("klant-extra", {}, marks=decides("VAL-013")),
    pytest.param("klant-nil", {}, marks=decides("VAL-014")),
    pytest.param("slow", {"delay_s": 1.5}, marks=[decides("VAL-018"), pytest.mark.bulk]),
]


@pytest.mark.parametrize(("fault", "values"), _SHAPES)
def test_right_answer_is_understood(scene: Scene, judge: Judge, fault: str, values: dict[str, Any]) -> None:
    """Whatever the answer looks like and however late it comes, everybody who was asked about has their outcome, and nobody else has one."""
    check_asks(scene)
    with citizens(scene, takers=2, others=2) as bsns:
        scene.box.fault(fault, on=Point.VALIDATE, times=None, **values)
        found = question(scene, bsns)
    found.check_named(bsns)

    wrong = found.wrong(dict(zip(bsns, (True, True, False, False), strict=True)))
    others = {outcome.bsn for outcome in found.outcomes} - set(bsns)
    seen = found.seen(bsns) + (f", and an outcome for {len(others)} who were not asked about" if others else "")
    judge.that(judge.requirements[0], not wrong and not others, expected="yes, yes, no, no", seen=seen)


@decides("VAL-011")
@pytest.mark.parametrize("takes", [True, False])
def test_missing_citizen_has_no_outcome(scene: Scene, judge: Judge, takes: bool) -> None:  # noqa: FBT001  # both are played
    """Who was asked about and stands in no answer is neither a yes nor a no; everything may be refused."""
    check_asks(scene)
    bsns = [scene.citizen() for _ in range(3)]
    with declining(scene, [] if takes else bsns):
        scene.box.fault("klant-missing", times=None)
        found = question(scene, bsns)
    found.check_named(bsns)

    missing = found.left_out(bsns)
    if not missing:
        raise NotTestedError(Reason.NOT_SEEN, "the Afnemer asked again until nobody was missing")
    guessed = [bsn for bsn in missing if found.told(bsn)]
    judge.that("VAL-011", not guessed, expected="no outcome for who is missing in the answer", seen=found.seen(missing))


@decides("VAL-015")
def test_refused_question_is_not_repeated(scene: Scene, judge: Judge) -> None:
    """After an ApplicationFault nobody has a yes, and the question does not come again and again."""
    check_asks(scene)
    mark = scene.box.mark()
    bsns, found = _in_trouble(scene, "application-fault")
    scene.quiet()

    times = len(validations(scene.box.bevragingen(mark)))
    holds = not found.unfounded(bsns) and times <= _MOST_REPEATS
    expected, seen = f"no yes, and at most {_MOST_REPEATS} times the same question", f"{found.seen(bsns)}; asked {times} times"
    judge.that("VAL-015", holds, expected=expected, seen=seen)


@decides("VAL-016")
def test_register_that_is_down_is_asked_again(scene: Scene, judge: Judge) -> None:
    """After a DependentServiceFault nobody has a yes by that; asked once more, by itself or by the kit, everybody has the right outcome."""
    check_asks(scene)
    with citizens(scene, takers=1, others=1) as bsns:
        scene.box.fault("register-down")
        first = question(scene, bsns)
        first.check_named(bsns)
        second = question(scene, bsns, must_come=False)

    expected = dict(zip(bsns, (True, False), strict=True))
    holds = not first.unfounded(bsns) and not second.wrong(expected)
    judge.that("VAL-016", holds, expected="no yes at first; then yes, no", seen=f"{first.seen(bsns)}; then {second.seen(bsns)}")


_TROUBLE = [
    *(pytest.param(name, marks=decides("VAL-017")) for name in ("unavailable", "reset-before-work", "reset-after-work", "truncated-answer")),
    pytest.param("validatie-unreadable", marks=decides("VAL-024")),
]


@pytest.mark.parametrize("fault", _TROUBLE)
def test_trouble_is_no_yes(scene: Scene, judge: Judge, fault: str) -> None:
    """While the service is down, or nobody can read what it answers, nobody has a yes."""
    check_asks(scene)
    bsns, found = _in_trouble(scene, fault)

    judge.that(judge.requirements[0], not found.unfounded(bsns), expected="no yes", seen=found.seen(bsns))


@decides("VAL-026")
def test_doctype_in_an_answer_is_not_followed(scene: Scene, judge: Judge) -> None:
    """An answer with an external entity makes the Afnemer fetch nothing."""
    check_asks(scene)
    fault = scene.box.fault("validatie-doctype", url=scene.canary)
    question(scene, [scene.citizen(), scene.citizen()])
    scene.quiet()
    if not fault.is_spent:
        raise NotTestedError(Reason.NOT_SEEN, "no answer with a DOCTYPE was given")

    fetched = scene.operations("kanarie")
    judge.that("VAL-026", not fetched, expected="nothing fetched", seen=f"{fetched} fetches")


def _in_trouble(scene: Scene, fault: str) -> tuple[list[str], Question]:
    """Have the Afnemer ask about two citizens who take letters, while the service does not answer."""
    bsns = [scene.citizen(), scene.citizen()]
    scene.box.fault(fault, on=Point.VALIDATE, times=None)
    found = question(scene, bsns)
    if found.bevragingen:
        found.check_named(bsns)
    return bsns, found
