"""Generated results and answers: what is right is applied however it is written, what is wrong changes nothing; the smallest that fails is told."""

from typing import TYPE_CHECKING, Any

import pytest

from conformance.stage.asking import ask as ask_about
from conformance.stage.asking import at_night, citizens, may_write, preferences
from conformance.stage.drawing import Drawing
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.stage.validating import check_asks
from conformance.verdicts import Reason

if TYPE_CHECKING:
    from conformance.stage.generated_answers import GeneratedAntwoorden, GeneratedValidaties
    from conformance.stage.generated_results import GeneratedResults

pytestmark = pytest.mark.bulk


@pytest.fixture
def results(scene: Scene, drawing: Drawing) -> "GeneratedResults":
    """Give what sends results to an Afnemer that books a plain one; it takes long to import."""
    from conformance.stage.generated_results import GeneratedResults  # noqa: PLC0415

    scene.begin()
    scene.deliver_stored()
    return GeneratedResults(scene, drawing)


@pytest.fixture
def antwoorden(scene: Scene, drawing: Drawing) -> "GeneratedAntwoorden":
    """Give what answers the requests of an Afnemer that takes a plain answer."""
    from conformance.berichtenbox.citizens import Asked  # noqa: PLC0415
    from conformance.stage.generated_answers import GeneratedAntwoorden  # noqa: PLC0415

    scene.begin()
    at_night(scene)
    with citizens(scene, takers=1, others=1) as bsns:
        known = preferences(scene, ask_about(scene, Asked.BSN_LIJST, bsns))
    if [may_write(known, bsn) for bsn in bsns] != [True, False]:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer does not make a yes and a no of a plain answer; see ABO-021")
    return GeneratedAntwoorden(scene, drawing)


@pytest.fixture
def validaties(scene: Scene, drawing: Drawing, judge: Judge) -> "GeneratedValidaties":
    """Give what answers the questions of an Afnemer that gets a plain yes and no right."""
    from conformance.stage.generated_answers import GeneratedValidaties  # noqa: PLC0415

    scene.begin()
    check_asks(scene)
    return GeneratedValidaties(scene, drawing, judge)


def _judge(judge: Judge, caught: Any, expected: str) -> None:
    seen = "" if caught is None else f"{caught.wrong}; the smallest one is the last in the evidence: {caught.example}"
    judge.that(judge.requirements[0], caught is None, expected=expected, seen=seen)


@decides("CONT-010")
def test_right_results_are_applied(results: "GeneratedResults", judge: Judge) -> None:
    """Whatever a verwerkingsbericht looks like that the schema takes, each bericht gets what it says, once."""
    _judge(judge, results.right(), "each bericht as its VerwerkingsCode says, applied once")


@decides("CONT-011")
def test_nearly_right_results_change_nothing(results: "GeneratedResults", judge: Judge) -> None:
    """What the schema does not take is not applied, and the right result behind it is."""
    _judge(judge, results.nearly_right(), "only the right result behind it applied")


@decides("CONT-012")
def test_damaged_results_change_nothing(results: "GeneratedResults", judge: Judge) -> None:
    """What was damaged on its way is not applied, and the right result behind it is."""
    _judge(judge, results.damaged(), "only the right result behind it applied")


@decides("CONT-013")
def test_right_answers_are_applied(antwoorden: "GeneratedAntwoorden", judge: Judge) -> None:
    """However an abonnementantwoord is written, the Afnemer knows from it to whom it may write."""
    _judge(judge, antwoorden.right(), "a yes for who is in it as Actief, and a no for who was asked about besides")


@decides("CONT-014")
def test_wrong_answers_change_nothing(antwoorden: "GeneratedAntwoorden", judge: Judge) -> None:
    """What nobody can read as the answer is not applied, and the right one behind it is."""
    _judge(judge, antwoorden.wrong(), "only the right answer behind it applied")


@decides("CONT-015")
def test_right_outcomes_are_understood(validaties: "GeneratedValidaties", judge: Judge) -> None:
    """However the validatieservice writes its answer, everybody who was asked about has their outcome."""
    _judge(judge, validaties.right(), "the outcome of everybody who was asked about")


@decides("CONT-016")
def test_wrong_outcomes_are_no_yes(validaties: "GeneratedValidaties", judge: Judge) -> None:
    """What the schema does not take as an answer gives nobody a yes."""
    _judge(judge, validaties.wrong(), "no yes")
