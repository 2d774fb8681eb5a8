"""The rules of a verwerkingsbericht, over every result that the Berichtenbox sent in the run: run last, so that there is much to look at."""

import pytest

from conformance.catalogue import catalogue
from conformance.rules.findings import Finding, Knowledge
from conformance.rules.grading import grade_result, rule_requirements
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.transport.ebms2.model import Message
from conformance.verdicts import Reason, Verdict

pytestmark = needs("berichtenbox", "ebms")

RULES = sorted(name for name in rule_requirements() if catalogue()[name].binds == "logius")


@pytest.fixture(scope="session")
def results(berichtenbox: BoxStage) -> list[Message]:
    """Give every result of the run, one on a good batch at least."""
    receiver = berichtenbox.receiver
    receiver.begin()
    good = receiver.good()
    receiver.post(good)
    receiver.is_delivered(good)
    return list(receiver.gateway.results)


@pytest.mark.parametrize("requirement", [pytest.param(name, marks=decides(name)) for name in RULES])
def test_rule_holds_on_every_result(berichtenbox: BoxStage, results: list[Message], judge: Judge, requirement: str) -> None:
    """Every result of the run obeys this rule."""
    if not results:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Berichtenbox sent no results; see EBMS-045")
    found: list[Finding] = []
    is_decided = False
    for result in results:
        batch = berichtenbox.receiver.batch_of(result)
        request = None if batch is None else (batch.batch_id, frozenset(one.bericht_id.lower() for one in batch.berichten))
        grading, _ = grade_result(result.payloads[0].content if result.payloads else b"", Knowledge(request=request))
        found += grading.of(requirement)
        is_decided = is_decided or requirement in grading.decided
    if is_decided:
        judge.findings(requirement, found)
    else:
        judge.undecided(requirement, Reason.ELEMENT_NOT_USED, "no result has what this is about", Verdict.NOT_APPLICABLE)
