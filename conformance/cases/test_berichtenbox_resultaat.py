"""What a Berichtenbox says of a batch over ebMS2: first the Acknowledgment, and the business result later, as a message of its own."""

from dataclasses import replace
from typing import Final

from conformance.messages.envelope import Action
from conformance.rules.findings import Finding
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.ebms2.mime import MimeRefused
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.reading import EnvelopeRefused, read_message
from conformance.verdicts import Reason

pytestmark = needs("berichtenbox", "ebms")

_TOO_LONG: Final = "Een onderwerp dat langer is dan vijftig tekens mag er niet zijn"


@decides("EBMS-100")
def test_result_is_a_message_of_its_own(berichtenbox: BoxStage, judge: Judge) -> None:
    """The result on a batch comes in a POST of its own under a new MessageId; that it names the conversation of the batch is a note."""
    receiver = berichtenbox.receiver
    good = receiver.good()
    answer = receiver.post(good).answer or HttpAnswer(0)
    is_there = receiver.is_delivered(good)
    in_answer = _is_business(answer)

    if in_answer or not is_there:
        what = "a business message in the HTTP answer to the batch" if in_answer else "no result within the time to react"
        judge.that("EBMS-100", holds=False, expected="a result in a POST of its own", seen=what)
        return
    result = receiver.results_on(good)[0]
    if result.message_id == good.message_id:
        judge.that("EBMS-100", holds=False, expected="a result with a MessageId of its own", seen="that of the batch")
        return
    judge.findings("EBMS-100", _odd(good, result))


def _is_business(answer: HttpAnswer) -> bool:
    if not answer.body:
        return False
    try:
        return read_message(answer.headers.get("content-type", ""), answer.body).message.kind is Kind.USER
    except (MimeRefused, EnvelopeRefused):
        return False


def _odd(good: Message, result: Message) -> list[Finding]:
    found = []
    if result.conversation_id != good.conversation_id:
        found.append(Finding("EBMS-100", "ConversationId", "that of the batch", result.conversation_id, is_note=True))
    if result.ref_to_message_id not in {None, good.message_id}:
        found.append(Finding("EBMS-100", "RefToMessageId", "that of the batch, or absent", str(result.ref_to_message_id), is_note=True))
    return found


@decides("EBMS-101")
def test_rejection_follows_the_acknowledgment(berichtenbox: BoxStage, judge: Judge) -> None:
    """A batch with a bericht that cannot be taken gets an Acknowledgment and no ErrorList, and a result that says so after that."""
    receiver = berichtenbox.receiver
    good = receiver.good()
    broken = tuple(replace(part, content=_without_tekst(part.content)) for part in good.payloads)
    message = replace(good, payloads=broken)
    receiver.post(message)
    signals = receiver.signals(good.message_id)
    is_told = receiver.wait(lambda: bool(receiver.results_on(good)))

    if not signals:
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing is said of a message; see EBMS-046")
    errors = [signal for signal in signals if signal.kind == Kind.ERROR]
    acks = [signal for signal in signals if signal.kind == Kind.ACKNOWLEDGMENT]
    seen = f"{len(acks)} Acknowledgments, {len(errors)} MessageErrors, {'a' if is_told else 'no'} result"
    judge.that("EBMS-101", bool(acks) and not errors and is_told, expected=f"an Acknowledgment, and then a {Action.BV_RESULT}", seen=seen)


def _without_tekst(content: bytes) -> bytes:
    """Return a batch whose bericht has an Onderwerp that is too long."""
    return content.replace(b"<b:Onderwerp>", f"<b:Onderwerp>{_TOO_LONG}".encode(), 1)
