"""How the Afnemer's gateway sends over ebMS2: it repeats what is not acknowledged, stops when it must, and tells its application what failed."""

from itertools import pairwise

import pytest

from conformance.afnemer.driver import AfnemerStatus
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.scene import REFUSED_VISIBLY, Scene
from conformance.stage.sending import Letter, answered, is_taken, let_pass, line_of, send_letter, slack_of
from conformance.transport.ebms2.names import ACTOR_SOAP_NEXT, NS_SOAP, Kind
from conformance.transport.ebms2.wire_sent import Sent
from conformance.verdicts import Reason

_FOREIGN = [("EBMS-033", "message-id"), ("EBMS-034", "cpa"), ("EBMS-034", "parties")]
_SHAPES = [("EBMS-035", "without-actor"), ("EBMS-036", "with-role"), ("EBMS-037", "multipart")]
_VISIBLE = "a status that tells a person or another channel of it (or a new message)"


@pytest.fixture(scope="session")
def reached(scene: Scene) -> None:
    """Have one letter arrive in the usual way: what follows says nothing of an Afnemer whose messages are all refused."""
    line_of(scene)
    scene.begin()
    scene.deliver_one()


pytestmark = pytest.mark.usefixtures("reached")


def _arrives_after(scene: Scene, letter: Letter, copies: int) -> bool:
    """Wait until the message came that often, and was taken."""
    return letter.wait_until(lambda: len(letter.copies()) >= copies and letter.is_offered(), line_of(scene).retries)


def _is_repeated(letter: Letter) -> bool:
    return letter.wait_until(lambda: len(letter.copies()) > 1, 2)


def _decide(judge: Judge, letter: Letter, requirement: str, *, holds: bool, expected: str, seen: str) -> None:
    """Judge what a fault caused, unless another message may have had it."""
    if not holds and letter.was_crossed():
        raise NotTestedError(Reason.NOT_SEEN, "an earlier message was repeated in between, and the fault that was set may have struck that one")
    judge.that(requirement, holds, expected=expected, seen=seen)


def _let_end(scene: Scene, letter: Letter) -> None:
    """Let a message that is still repeated come to its end, so that it does not cross the next case."""
    scene.box.faults.clear()
    if len(letter.copies()) > 1:
        let_pass(scene, line_of(scene).retries + 1)


def _works_on(scene: Scene) -> bool:
    """Tell whether a next letter arrives as if nothing had happened."""
    return send_letter(scene).wait_until(lambda: bool(scene.offers()), 1)


# -- acknowledged --------------------------------------------------------------------------------------------------------------------------------


@decides("EBMS-022")
@needs("ebms", "async")
def test_acknowledgment_ends_the_sending(scene: Scene, judge: Judge) -> None:
    """A message that is acknowledged in time is not sent again, and did not fail."""
    letter = send_letter(scene)
    if not scene.wait(lambda: bool(letter.signals(Kind.ACKNOWLEDGMENT)), is_patient=False):
        raise NotTestedError(Reason.NOT_SEEN, "the Berichtenbox did not acknowledge the message; see the rules EBMS-001 to EBMS-021")
    let_pass(scene, 3)

    acks, copies = letter.signals(Kind.ACKNOWLEDGMENT), len(letter.copies())
    judge.that("EBMS-022", all(is_taken(ack) and not ack.answer for ack in acks[:1]), expected="2xx without a body", seen=answered(acks[:1]))
    judge.that("EBMS-022", copies == 1, expected="no copy after the Acknowledgment", seen=f"{copies - 1} in three times RetryInterval")
    status = letter.status()
    judge.that("EBMS-022", status not in REFUSED_VISIBLY, expected="a letter that is delivered", seen=status)


@decides("EBMS-032")
@needs("ebms", "async")
def test_acknowledgment_counts_once(scene: Scene, judge: Judge) -> None:
    """Three Acknowledgments of one message are all taken, and change nothing after the first."""
    scene.box.fault("ack-twice", copies=3)
    letter = send_letter(scene)
    if not scene.wait(lambda: len(letter.signals(Kind.ACKNOWLEDGMENT)) == 3, is_patient=False):
        raise NotTestedError(Reason.NOT_SEEN, "the Berichtenbox did not acknowledge the message three times; see the rules EBMS-001 to EBMS-021")
    let_pass(scene, 1)

    acks, copies = letter.signals(Kind.ACKNOWLEDGMENT), len(letter.copies())
    judge.that("EBMS-032", all(is_taken(ack) for ack in acks), expected="2xx each time", seen=answered(acks))
    judge.that("EBMS-032", copies == 1, expected="no copy after the first Acknowledgment", seen=f"{copies - 1} of them")
    status = letter.status()
    judge.that("EBMS-032", status not in REFUSED_VISIBLY, expected="a letter that is delivered", seen=status)


@pytest.mark.parametrize(("requirement", "what"), [pytest.param(name, what, marks=decides(name), id=what) for name, what in _FOREIGN])
@needs("ebms")
def test_foreign_acknowledgment_confirms_nothing(scene: Scene, judge: Judge, requirement: str, what: str) -> None:
    """An Acknowledgment of another message, under another CPA or between other parties leaves the message unacknowledged: it comes again."""
    scene.box.fault("ack-foreign", what=what)
    letter = send_letter(scene)
    is_repeated = _is_repeated(letter)

    seen = "none: the Acknowledgment of another message counted"
    _decide(judge, letter, requirement, holds=is_repeated, expected="a copy after RetryInterval", seen=seen)
    judge.that(requirement, _works_on(scene), expected="a next letter that arrives", seen="none")


@pytest.mark.parametrize(("requirement", "shape"), [pytest.param(name, shape, marks=decides(name), id=shape) for name, shape in _SHAPES])
@needs("ebms")
def test_acknowledgment_of_another_product_is_accepted(scene: Scene, judge: Judge, requirement: str, shape: str) -> None:
    """An Acknowledgment that is written in another way, which is allowed, ends the sending too."""
    scene.box.fault("ack-shape", shape=shape)
    letter = send_letter(scene)
    scene.wait(letter.is_offered, is_patient=False)
    let_pass(scene, 2)

    copies = len(letter.copies())
    seen = f"{copies - 1} in two times RetryInterval"
    _decide(judge, letter, requirement, holds=copies == 1, expected="no copy after the Acknowledgment", seen=seen)
    _let_end(scene, letter)


@decides("EBMS-038")
@needs("ebms", "sync")
def test_acknowledgment_in_the_answer_counts(scene: Scene, judge: Judge) -> None:
    """Under mshSignalsOnly the message asks for the signal in the answer, and the Acknowledgment that comes there ends the sending."""
    letter = send_letter(scene)
    let_pass(scene, 2)

    actor, copies = _sync_actor(letter.sent()[0]), len(letter.copies())
    judge.that("EBMS-038", actor == ACTOR_SOAP_NEXT, expected=f"a SyncReply with soap:actor {ACTOR_SOAP_NEXT}", seen=actor or "none")
    judge.that("EBMS-038", copies == 1, expected="no copy after the Acknowledgment in the answer", seen=f"{copies - 1} of them")


def _sync_actor(sent: Sent) -> str | None:
    block = sent.block("SyncReply")
    return None if block is None else block.get(f"{{{NS_SOAP}}}actor")


@decides("EBMS-040")
@needs("ebms", "async")
def test_unexpected_answer_does_no_harm(scene: Scene, judge: Judge) -> None:
    """An Acknowledgment in the HTTP answer, where the CPA does not want it, loses no letter and delivers none twice."""
    scene.box.fault("ack-in-answer")
    letter = send_letter(scene)
    let_pass(scene, 2)

    bericht_id = letter.delivered.bericht_id.lower()
    stored = sum(one.bericht_id == bericht_id and one.code is VerwerkingsCode.VERWERKT for one in scene.box.berichten(scene.start))
    judge.that("EBMS-040", stored == 1, expected="a letter that is stored once", seen=f"{stored} times")
    judge.that("EBMS-040", _works_on(scene), expected="a next letter that arrives", seen="none")


# -- not acknowledged ----------------------------------------------------------------------------------------------------------------------------


@decides("EBMS-023", "EBMS-024")
@needs("ebms")
def test_copies_are_copies(scene: Scene, judge: Judge) -> None:
    """A message that is never acknowledged comes again, the same, at the agreed pace and not too often."""
    line = line_of(scene)
    scene.box.fault("status", status=204, times=None)
    letter = send_letter(scene)
    let_pass(scene, line.retries + 2)

    copies, said = letter.copies(), [_identity(one) for one in letter.sent()]
    others = len(letter.others())
    is_repeated = judge.that(
        "EBMS-023", len(copies) > 1, expected="a copy with the same MessageId after RetryInterval", seen=f"none, and {others} other messages"
    )
    changed = [name for name in said[0] if len({one[name] for one in said}) > 1]
    judge.that("EBMS-023", not changed, expected="copies that are the same", seen=f"another {' and another '.join(changed)}")
    if not is_repeated:
        raise NotTestedError(Reason.NOT_SEEN, "no copy came, so there is no pace; see EBMS-023")
    apart = min(later.business - earlier.business for earlier, later in pairwise(copies))
    judge.that("EBMS-024", apart >= line.interval - slack_of(line.interval), expected=f"at least {line.interval} between two attempts", seen=apart)
    judge.that("EBMS-024", len(copies) <= 1 + line.retries, expected=f"at most {1 + line.retries} attempts", seen=f"{len(copies)}")


def _identity(sent: Sent) -> dict[str, object]:
    texts = {name: sent.text(f"MessageData/{name}") for name in ("MessageId", "Timestamp", "TimeToLive")}
    return texts | {"payload": sent.payload}


@decides("EBMS-025")
@needs("ebms")
def test_time_to_live_ends_the_sending(scene: Scene, judge: Judge) -> None:
    """After TimeToLive a message that was never acknowledged does not come any more, and its application knows."""
    line = line_of(scene)
    scene.box.fault("status", status=204, times=None)
    letter = send_letter(scene)
    lasts = letter.lasts()
    let_pass(scene, line.retries + 2)
    rest = lasts - (line.retries + 2) * line.interval
    if rest.total_seconds() > 0:
        let_pass(scene, 1 + int(rest / line.interval))

    first, *copies = letter.copies()
    late = sum(copy.business > first.business + lasts + slack_of(line.interval) for copy in copies)
    judge.that("EBMS-025", not late, expected=f"no copy later than {lasts} after the first", seen=f"{late} of them")
    judge.that("EBMS-025", letter.is_told(), expected=_VISIBLE, seen=letter.status())


@decides("EBMS-039")
@needs("ebms", "sync")
def test_empty_answer_confirms_nothing(scene: Scene, judge: Judge) -> None:
    """Under mshSignalsOnly an answer without an Acknowledgment is not enough: the message comes again."""
    scene.box.fault("status", status=204)
    letter = send_letter(scene)

    seen = "none: an empty answer counted as acknowledged"
    _decide(judge, letter, "EBMS-039", holds=_is_repeated(letter), expected="a copy after RetryInterval", seen=seen)


# -- HTTP errors ---------------------------------------------------------------------------------------------------------------------------------


@decides("EBMS-026")
@needs("ebms")
def test_unavailable_is_temporary(scene: Scene, judge: Judge) -> None:
    """A message that is answered with 503 twice arrives the third time."""
    scene.box.fault("unavailable", times=2)
    letter = send_letter(scene)

    has_arrived = _arrives_after(scene, letter, 3)
    _decide(judge, letter, "EBMS-026", holds=has_arrived, expected="the message in a third attempt", seen=f"answers: {answered(letter.copies())}")


@decides("EBMS-027")
@needs("ebms")
def test_empty_error_is_temporary(scene: Scene, judge: Judge) -> None:
    """A message that is answered with an empty 500 comes again."""
    scene.box.fault("error-500", text="")
    letter = send_letter(scene)

    has_arrived = _arrives_after(scene, letter, 2)
    _decide(judge, letter, "EBMS-027", holds=has_arrived, expected="the message in a second attempt", seen=f"answers: {answered(letter.copies())}")


@decides("EBMS-028")
@needs("ebms")
def test_not_found_is_an_error(scene: Scene, judge: Judge) -> None:
    """A message that is answered with 404 each time counts as failed, and its application knows; whether it is tried again is free."""
    scene.box.fault("status", status=404, times=None)
    letter = send_letter(scene)
    let_pass(scene, line_of(scene).retries + 2)

    status = letter.status()
    judge.that("EBMS-028", status is not AfnemerStatus.VERWERKT and letter.is_told(), expected=_VISIBLE, seen=status)


@decides("EBMS-029")
@needs("ebms")
def test_redirect_is_not_followed(scene: Scene, judge: Judge) -> None:
    """A message that is answered with 307 goes to no other address."""
    scene.box.fault("status", status=307, location=scene.canary, times=None)
    letter = send_letter(scene)
    let_pass(scene, 1)

    followed, status = scene.operations("kanarie"), letter.status()
    judge.that("EBMS-029", not followed, expected="no request to the address in Location", seen=f"{followed} of them")
    judge.that("EBMS-029", status is not AfnemerStatus.VERWERKT, expected="a letter that is not delivered", seen=status)


@decides("EBMS-030")
@needs("ebms")
def test_dropped_connection_is_tried_again(scene: Scene, judge: Judge) -> None:
    """A message whose connection is dropped before the answer comes again, and arrives."""
    scene.box.fault("reset-before-work", on="post")
    letter = send_letter(scene)

    has_arrived = _arrives_after(scene, letter, 2)
    _decide(judge, letter, "EBMS-030", holds=has_arrived, expected="the message in a second attempt", seen=f"attempts: {len(letter.copies())}")


@decides("EBMS-030")
@needs("ebms")
def test_broken_answer_is_tried_again(scene: Scene, judge: Judge) -> None:
    """A message whose answer breaks off halfway, and that nobody acknowledges, comes again."""
    scene.box.fault("truncated-answer", on="post")
    scene.box.fault("ack-lost")
    letter = send_letter(scene)

    _decide(judge, letter, "EBMS-030", holds=_is_repeated(letter), expected="a copy after RetryInterval", seen="none")


# -- refused -------------------------------------------------------------------------------------------------------------------------------------


@decides("EBMS-031")
@needs("ebms")
def test_error_list_ends_the_sending(scene: Scene, judge: Judge) -> None:
    """A message that is answered with a MessageError is not sent again, and its application knows."""
    scene.box.fault("error-list", error="MimeProblem")
    letter = send_letter(scene)
    if "async" in scene.has and not scene.wait(lambda: bool(letter.signals(Kind.ERROR)), is_patient=False):
        raise NotTestedError(Reason.NOT_SEEN, "the Berichtenbox sent no MessageError")
    let_pass(scene, 3)

    errors, copies = letter.signals(Kind.ERROR), len(letter.copies())
    judge.that("EBMS-031", all(is_taken(error) for error in errors), expected="2xx on the MessageError", seen=answered(errors))
    judge.that("EBMS-031", copies == 1, expected="no copy after the MessageError", seen=f"{copies - 1} of them")
    judge.that("EBMS-031", letter.is_told(), expected=_VISIBLE, seen=letter.status())
