"""What the BerichtenboxValidatieService of a Berichtenbox answers: to how many, about whom, and within which time."""

from dataclasses import replace
from typing import Final

import pytest

from conformance.limits import limits
from conformance.messages.identities import passes_elfproef, reserved_test_bsns
from conformance.messages.validatie import FaultName, ValidatieAanvraag
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.wus_answers import has_data, has_fault, outcomes, told, written
from conformance.transport.ebms2.http import HttpAnswer
from conformance.verdicts import Reason

pytestmark = needs("berichtenbox")

_NOBODY: Final = next(text for number in range(int(reserved_test_bsns()[0]) - 1, 0, -1) if passes_elfproef(text := f"{number:09}"))
"""Passes the elfproef, and is nobody's: a BSN that starts with a 9 is not given out, and this one is not reserved for tests either."""


@pytest.fixture
def stage(berichtenbox: BoxStage) -> BoxStage:
    """Give a Berichtenbox that answers a plain question: who refuses everything proves nothing by refusing what is wrong."""
    answer = berichtenbox.ask(written(berichtenbox.question()))
    if not has_data(answer):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the validatieservice does not answer a plain question: {told(answer)}; see WUS-004")
    return berichtenbox


def _most(stage: BoxStage, more: int = 0) -> ValidatieAanvraag:
    """Return a question about as many different citizens as the norm allows, and ``more``."""
    return stage.question(*reserved_test_bsns()[: limits().validatie_klanten_max + more])


def _judge_application_fault(judge: Judge, answer: HttpAnswer) -> None:
    holds = has_fault(answer, FaultName.APPLICATION) and not has_data(answer)
    judge.that(judge.requirements[0], holds, expected=f"a Fault with {FaultName.APPLICATION}, and no data", seen=told(answer))


@decides("VAL-060")
def test_too_many_klanten_are_refused(stage: BoxStage, judge: Judge) -> None:
    """One klant more than the norm gets an ApplicationFault, and nobody's answer."""
    _judge_application_fault(judge, stage.ask(written(_most(stage, more=1))))


@decides("VAL-061")
def test_answer_is_there_in_time(stage: BoxStage, judge: Judge) -> None:
    """A question about as many as the norm allows is answered within the norm, on the wall clock."""
    seconds, most = stage.receiver.reach.seconds, limits().validatie_within.total_seconds()
    began = seconds()
    try:
        stage.ask(written(_most(stage)))
    except NotTestedError:
        if seconds() - began < most:
            raise  # nobody was there, which is something else than being slow
    took = seconds() - began

    judge.that("VAL-061", took <= most, expected=f"an answer within {most:g} s", seen=f"{took:.1f} s")


@decides("VAL-062")
def test_every_klant_is_answered(stage: BoxStage, judge: Judge) -> None:
    """Each of as many different klanten as the norm allows has an outcome."""
    question = _most(stage)
    answer = stage.ask(written(question))
    found = outcomes(answer)

    wanted = {klant.key for klant in question.klanten or ()}
    seen = f"{told(answer)}, about {len(wanted.intersection(found or ()))} of them"
    judge.that("VAL-062", found is not None and wanted <= found.keys(), expected=f"an outcome for each of {len(wanted)} klanten", seen=seen)


@decides("VAL-063")
def test_unknown_bsn_is_false(stage: BoxStage, judge: Judge) -> None:
    """A BSN that is nobody's gets false, and no Fault."""
    answer = stage.ask(written(stage.question(_NOBODY)))
    found = outcomes(answer) or {}

    outcome = {True: "true", False: "false", None: "no outcome"}[found.get(_NOBODY)]
    judge.that("VAL-063", outcome == "false", expected="false for a BSN that is nobody's", seen=f"{told(answer)}: {outcome}")


_EMPTY: Final = [
    pytest.param({"klanten": ()}, id="no_klanten"),
    pytest.param({"leverancier_code": None}, id="nil_berichtleverancierCode"),
    pytest.param({"bericht_type": None}, id="nil_berichtTypeCode"),
]


@decides("VAL-064")
@pytest.mark.parametrize("empty", _EMPTY)
def test_empty_question_is_refused(stage: BoxStage, judge: Judge, empty: dict[str, tuple[()] | None]) -> None:
    """A question that the schema takes, and that asks nothing, gets an ApplicationFault."""
    _judge_application_fault(judge, stage.ask(written(replace(stage.question(), **empty))))  # type: ignore[arg-type]  # fields of a question
