"""The rules of the validatieservice, over every question that the Afnemer asked in the run: run last, so that there is much to look at."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest

from conformance.afnemer.driver import DriverError
from conformance.berichtenbox import wus_remarks
from conformance.berichtenbox.citizens import Bevraging
from conformance.berichtenbox.ledger import Call
from conformance.berichtenbox.wus_face import OPERATION
from conformance.berichtenbox.wus_remarks import Remark
from conformance.messages.moments import write_moment
from conformance.rules.findings import Finding
from conformance.sno.quotas import Count, per_hour
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.stage.validating import question, validations
from conformance.verdicts import Reason

_ON_QUESTIONS: Final = {
    "VAL-003": "an OIN of this connection",
    "VAL-005": "at least one klant",
    "VAL-006": "a BSN of nine digits",
}
_ON_MESSAGES: Final = {
    wus_remarks.UNREADABLE: "SOAP 1.1 with a SOAPAction, and a Body as the WSDL says",
    wus_remarks.SIGNED: "no signature, and no WS-Security header",
}
_RULES: Final = _ON_QUESTIONS | _ON_MESSAGES


@pytest.fixture(scope="session")
def asked(scene: Scene) -> Sequence[Call]:
    """Have the Afnemer ask, on request and by itself for a letter, and give every question of the run that the service looked at."""
    scene.begin()
    with contextlib.suppress(DriverError):  # an Afnemer may have one of the two
        question(scene, [scene.citizen(), scene.citizen()], must_come=False)
    with contextlib.suppress(DriverError):
        scene.driver.deliver([scene.letter()])
    scene.wait(lambda: False, is_patient=False)
    calls = [call for call in scene.box.calls(scene.run_mark) if call.operation == OPERATION]
    return [call for call in calls if _is_read(call) or call.note]


def _is_read(call: Call) -> bool:
    """Tell whether the service could read a question."""
    return call.subject.endswith(" klanten")


@pytest.mark.parametrize("requirement", [pytest.param(name, marks=decides(name)) for name in sorted(_RULES)])
def test_rule_holds_on_every_question(asked: Sequence[Call], judge: Judge, requirement: str) -> None:
    """No question of the run breaks the rule, and at least one could have."""
    decisive = [call for call in asked if requirement in _ON_MESSAGES or _is_read(call)]
    if not decisive:
        raise NotTestedError(Reason.NOT_SEEN, "the validatieservice was asked nothing on which this rule could decide")

    judge.findings(
        requirement, [_finding(call, remark) for call in decisive for remark in wus_remarks.read(call.note) if remark.requirement == requirement]
    )


def _finding(call: Call, remark: Remark) -> Finding:
    return Finding(remark.requirement, f"the question of {write_moment(call.wall)}", _RULES[remark.requirement], remark.text)


@decides("VAL-025")
@pytest.mark.usefixtures("asked")
def test_own_questions_stay_within_the_norm(scene: Scene, judge: Judge) -> None:
    """What the Afnemer asked by itself, without being told to, stays within the norm of an hour on the clock."""
    own = _own(scene)
    if not own:
        raise NotTestedError(Reason.NOT_SEEN, "the Afnemer asked nothing by itself: does it check before it sends?")
    # By the wall clock: that of the Berichtenbox is moved about by the cases, and that of the Afnemer is not.
    hours = per_hour(Count(asked.asked, asked.oin, asked.wall, asked.count) for asked in own).values()

    told = [sentence for hour in hours for sentence in hour.told()]
    judge.that("VAL-025", not told, expected="at most 1000 bevragingen an hour", seen="; ".join(told))


def _own(scene: Scene) -> Sequence[Bevraging]:
    """Return what was asked without a case wanting it."""
    wanted = Counter(number for numbers in scene.asked_for for number in numbers)
    return [asked for asked in validations(scene.box.bevragingen(scene.run_mark)) if asked.seq not in wanted]
