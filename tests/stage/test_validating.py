"""How cases ask through the validatieservice: what is an outcome, what is trouble, and when there is nothing to decide on."""

import pytest

from conformance.afnemer.driver import BadAnswer, Driver, Outcome, Refused
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.validating import Validator
from conformance.certification import connection_of
from conformance.messages.identities import reserved_test_bsns
from conformance.stage.judging import NotTestedError
from conformance.stage.scene import Scene
from conformance.stage.validating import Question, check_asks, declining, declining_type, question, readable_question

YES, NO, BOTH, NONE = reserved_test_bsns()[:4]


@pytest.fixture
def play(box, urls):
    """Put an Afnemer on a stage, and give that."""
    parties = []

    def staged(party=None, **parts):
        made = party or type("Afnemer", (ReferenceAfnemer,), parts)(connection_of(box, urls, 1))
        parties.append(made)
        return Scene(box, urls, Driver(PythonCaller.of(made)), reaction_s=0.1, seed=1)

    yield staged
    for made in parties:
        if hasattr(made, "close"):
            made.close()


class Guessing:
    """Knows everything, and asks nobody."""

    def validatie(self, verzoek):
        return {"uitkomsten": [{"bsn": bsn, "berichtSturen": True} for bsn in verzoek["bsn"]]}


class Failing:
    """Answers nothing."""

    def __init__(self, error):
        self.error = error

    def validatie(self, _verzoek):
        raise self.error


class Urn(Validator):
    """Names itself by a URN."""

    def aanvraag_of(self, bericht_type, bsns):
        self.oin = "urn:osb:oin:00000099000000001000"
        return super().aanvraag_of(bericht_type, bsns)


class Deaf(Validator):
    """Takes every answer for a yes."""

    def outcomes_of(self, _antwoord, asked):
        return dict.fromkeys(asked, True)


def test_outcomes_are_told_as_people_read_them():
    """
    A citizen may have one outcome, two or none; only one and the right one is not wrong.
    """
    told = [(YES, True), (YES, True), (NO, False), (BOTH, True), (BOTH, False)]
    outcomes = [Outcome(bsn, takes) for bsn, takes in told]
    found = Question(outcomes, "it refused", (), ())

    assert found.wrong({YES: True, NO: False, BOTH: True, NONE: False}) == [BOTH, NONE]
    assert found.seen([YES, NO, BOTH, NONE]) == "yes, no, no/yes, no outcome (it refused)"
    assert found.unfounded([YES, NO, BOTH, NONE]) == [YES, BOTH]


def test_who_asks_about_some_only_is_not_tested():
    """
    What an Afnemer knew before is no outcome of this question.
    """
    with pytest.raises(NotTestedError, match="asked about 0 of 1 citizens"):
        Question([Outcome(YES, bericht_sturen=True)], "", (), ()).check_named([YES])


def test_question_is_found_back(play):
    """
    What came in is there with the outcomes, and is remembered as asked for by a case.
    """
    scene = play()

    with declining(scene, [NO]):
        found = question(scene, [YES, NO])
        twice = question(scene, [YES])

    assert found.seen([YES, NO]) == "yes, no"
    assert found.left_out([YES, NO, NONE]) == [NONE]
    assert (found.total, len(found.calls), twice.total) == (2, 1, 1)
    assert [list(numbers) for numbers in scene.asked_for] == [[1], [2]]
    assert question(scene, [NO]).seen([NO]) == "yes"


def test_voorkeur_for_one_type_is_put_back(play):
    """
    A citizen who takes no letters of one BerichtType takes them again afterwards.
    """
    scene = play()
    with declining_type(scene, YES, "PASPOORT"):
        during = [question(scene, [YES], kind).seen([YES]) for kind in ("BELAST", "PASPOORT")]

    assert during == ["yes", "no"]
    assert question(scene, [YES], "PASPOORT").seen([YES]) == "yes"


def test_who_asks_nobody_is_not_tested(play):
    """
    An outcome that no answer gave decides nothing, unless no question need come.
    """
    scene = play(Guessing())

    assert question(scene, [YES], must_come=False).unfounded([YES]) == [YES]
    with pytest.raises(NotTestedError, match="no question reached the validatieservice"):
        question(scene, [YES])


@pytest.mark.parametrize(("error", "kind"), [(ValueError("not today"), Refused), (RuntimeError("crash"), BadAnswer)])
def test_trouble_without_a_question_is_the_afnemers_own(play, error, kind):
    """
    Who refuses or fails before it asks is not tested for just that reason.
    """
    scene = play(Failing(error))

    assert question(scene, [YES], must_come=False).seen([YES]).startswith("no outcome (")
    with pytest.raises(kind, match=str(error)):
        question(scene, [YES])


def test_trouble_after_a_question_is_no_outcome(play):
    """
    A refusal because of a fault is seen as what it is, with the question that it came of.
    """
    scene = play()
    scene.box.fault("application-fault")

    found = question(scene, [YES])

    assert found.seen([YES]).startswith("no outcome (the Afnemer refused: ")
    assert [asked.is_answered for asked in found.bevragingen] == [False]


def test_question_that_cannot_be_answered_is_not_tested(play):
    """
    What the service cannot answer says which requirement to mend first.
    """
    with pytest.raises(NotTestedError, match="mend VAL-003 first"):
        readable_question(play(validator_class=Urn), [YES])


def test_service_in_trouble_decides_nothing(play):
    """
    Without one question that was read there is nothing to look at.
    """
    scene = play()
    scene.box.fault("unavailable", on="validate", times=None)

    with pytest.raises(NotTestedError, match="it was in trouble"):
        readable_question(scene, [YES])


def test_plain_answers_come_first(play):
    """
    Who does not get a plain yes and no right is not tested on what is unusual.
    """
    check_asks(play())
    with pytest.raises(NotTestedError, match="does not tell a plain yes and no: yes, yes; see VAL-002"):
        check_asks(play(validator_class=Deaf))
