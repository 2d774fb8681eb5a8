"""Generated exchanges with a Berichtenbox: what is right, what has one thing wrong, and what is damaged. The smallest that goes wrong is told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.wus_answers import has_data, told, written
from conformance.verdicts import Reason, Verdict

if TYPE_CHECKING:
    from conformance.stage.generated import Generating
    from conformance.stage.generated_rest import GeneratingRest

pytestmark = [needs("berichtenbox"), pytest.mark.bulk]


@pytest.fixture
def generating(berichtenbox: BoxStage) -> "Iterator[Generating]":
    """Give what talks to the Berichtenbox; it takes long to import, and certify needs none of it."""
    from conformance.stage.generated import Generating  # noqa: PLC0415

    found = Generating(berichtenbox)
    yield found
    found.close()


@pytest.fixture
def asking(berichtenbox: BoxStage, generating: "Generating") -> "Generating":
    """Give what asks a validatieservice that answers a plain question: who refuses everything proves nothing by refusing what is wrong."""
    answer = berichtenbox.ask(written(berichtenbox.question()))
    if not has_data(answer):
        raise NotTestedError(Reason.NO_TRAFFIC, f"the validatieservice does not answer a plain question: {told(answer)}; see WUS-004")
    return generating


@pytest.fixture
def sending(berichtenbox: BoxStage, generating: "Generating") -> "Generating":
    """Give what sends to a Berichtenbox that takes a plain batch."""
    receiver = berichtenbox.receiver
    receiver.begin()
    good = receiver.good()
    receiver.post(good)
    if not receiver.is_delivered(good):
        raise NotTestedError(Reason.NO_TRAFFIC, "there is no result on a plain batch; see EBMS-100")
    return generating


@pytest.fixture
def calling(berichtenbox: BoxStage) -> "Iterator[GeneratingRest]":
    """Give what talks to the adapter face."""
    from conformance.stage.generated_rest import GeneratingRest  # noqa: PLC0415

    found = GeneratingRest(berichtenbox)
    yield found
    found.close()


def _is_offered(judge: Judge, calling: "GeneratingRest") -> bool:
    """Tell whether there is an adapter face; without one what is asked of it does not apply."""
    is_offered = calling.is_offered
    if not is_offered:
        text = "this Berichtenbox offers no adapter face"
        judge.undecided(judge.requirements[0], Reason.FACE_NOT_USED, text, Verdict.NOT_APPLICABLE)
    return is_offered


def _judge(judge: Judge, caught: Any, expected: str) -> None:
    seen = "" if caught is None else f"{caught.wrong}; the smallest one is the last in the evidence: {caught.example}"
    judge.that(judge.requirements[0], caught is None, expected=expected, seen=seen)


@decides("CONT-001")
def test_right_questions_are_answered(generating: "Generating", judge: Judge) -> None:
    """Whatever citizens are asked about, and however the envelope is written, the answer is about them."""
    _judge(judge, generating.right_validaties(), "an answer as it is described, about who was asked")


@decides("CONT-002")
def test_nearly_right_questions_get_their_fault(asking: "Generating", judge: Judge) -> None:
    """One thing wrong gives the Fault of that."""
    _judge(judge, asking.nearly_right_validaties(), "the Fault of what is wrong, without data")


@decides("CONT-003")
def test_damaged_questions_are_refused(asking: "Generating", judge: Judge) -> None:
    """Whatever is posted, the answer is one that is described."""
    _judge(judge, asking.damaged_validaties(), "a described answer, and data only for a valid question")


@decides("CONT-004")
def test_faults_name_no_bsn(asking: "Generating", judge: Judge) -> None:
    """No Fault repeats who was asked about."""
    _judge(judge, asking.leaking_validaties(), "a Fault without a BSN")


@needs("ebms")
@decides("CONT-005")
def test_batches_get_their_codes(sending: "Generating", judge: Judge) -> None:
    """One thing wrong gives the VerwerkingsCode of that, and nothing wrong gives Verwerkt."""
    _judge(judge, sending.batches(), "the VerwerkingsCode of what is wrong")


@needs("ebms")
@decides("CONT-006")
def test_what_was_stored_is_stored_once(sending: "Generating", judge: Judge) -> None:
    """Copies of a message, and of a letter, in any order: it is stored once."""
    _judge(judge, sending.sequences(), "one Verwerkt, nothing for a copy of the message, BerichtBestaatAl in another batch")


@needs("ebms")
@decides("CONT-007")
def test_damaged_messages_are_refused(sending: "Generating", judge: Judge) -> None:
    """Whatever is posted, the answer is one that is described."""
    _judge(judge, sending.damaged_messages(), "a described answer")


@decides("CONT-008")
def test_calls_of_the_adapter_are_answered_as_described(calling: "GeneratingRest", judge: Judge) -> None:
    """Whatever is called, the answer is one that is described."""
    if _is_offered(judge, calling):
        _judge(judge, calling.calls(), "a described answer")


@needs("ebms")
@decides("CONT-009")
def test_results_wait_until_they_are_processed(calling: "GeneratingRest", judge: Judge) -> None:
    """A result waits until it is processed, whatever else is asked in between."""
    if _is_offered(judge, calling):
        _judge(judge, calling.sequences(), "a result that waits until it is processed, and not after that")


@needs("ebms")
@decides("CONT-017")
def test_what_is_acknowledged_survives_a_restart(sending: "Generating", judge: Judge) -> None:
    """A letter that is acknowledged before a restart has its result, and is known after it."""
    wrong = sending.wrong_after_restart()

    judge.that("CONT-017", not wrong, expected="a result Verwerkt, and BerichtBestaatAl after the restart", seen=wrong)


@needs("ebms")
@decides("CONT-018")
def test_strange_headers_change_nothing(sending: "Generating", judge: Judge) -> None:
    """A header that says nothing here is passed over."""
    _judge(judge, sending.strange_headers(), "the same as without it: a described answer, and Verwerkt")


@needs("ebms")
@decides("CONT-019")
def test_results_come_back_for_six_days(calling: "GeneratingRest", judge: Judge) -> None:
    """A result that nobody processes is offered again each day, and not after the sixth."""
    if _is_offered(judge, calling):
        wrong = calling.wrong_offers()
        judge.that("CONT-019", not wrong, expected="offered again until the sixth day, and not after it", seen=wrong)
