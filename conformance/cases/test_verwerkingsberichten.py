"""Verwerkingsberichten: what the Afnemer makes of results, however they come."""

import pytest

from conformance.afnemer.driver import AfnemerStatus, Delivered
from conformance.berichtenbox.ledger import Status
from conformance.berichtenbox.scripts import NO_RESULT
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import REFUSED_VISIBLY, Scene, told
from conformance.transport.ebms2.names import Kind
from conformance.verdicts import Reason

VERWERKT = AfnemerStatus.VERWERKT
AANGEBODEN = AfnemerStatus.AANGEBODEN


def _all_are(scene: Scene, delivered: list[Delivered], status: AfnemerStatus) -> bool:
    return all(scene.status_of(item) is status for item in delivered)


def _statuses(scene: Scene, delivered: list[Delivered]) -> str:
    return ", ".join(scene.status_of(item) for item in delivered)


@decides("VERW-001")
def test_result_is_fetched_and_marked(scene: Scene, judge: Judge) -> None:
    """A plain result is applied, and marked as processed."""
    item = scene.deliver_one()
    scene.wait(lambda: scene.status_of(item) is VERWERKT and not scene.unprocessed())

    status, left = scene.status_of(item), len(scene.unprocessed())
    judge.that("VERW-001", status is VERWERKT and not left, expected="verwerkt, and marked as processed", seen=f"{status}, {left} results not marked")


@decides("VERW-002")
def test_result_is_marked_after_it_is_stored(scene: Scene, judge: Judge) -> None:
    """At the moment that the Afnemer marks a result as processed, it already knows what it said; what it acknowledged survives a restart."""
    if scene.line is not None:
        _acknowledged_after_it_is_stored(scene, judge)
        return
    asked: list[AfnemerStatus] = []
    scene.box.fault("late", days=0.1)
    item = scene.deliver_one()
    scene.box.before_marking = lambda _message_id: asked.append(scene.status_of(item))
    scene.box.advance(days=0.2)
    scene.wait(lambda: scene.status_of(item) is VERWERKT and not scene.unprocessed())
    early = scene.operations("fetch-and-process")

    if not asked and not early:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer marked nothing as processed; see VERW-001")
    seen = "process=true when fetching" if early else f"{asked[0]} at the moment of marking"
    judge.that("VERW-002", not early and asked[0] is VERWERKT, expected="stored first, marked then", seen=seen)


def _acknowledged_after_it_is_stored(scene: Scene, judge: Judge) -> None:
    """Over ebMS2 the Acknowledgment is that mark: a restart right after it may lose nothing, for the result does not come again."""
    scene.box.fault("late", days=0.1)
    item = scene.deliver_one()
    scene.box.advance(days=0.2)
    if not scene.wait(lambda: len(scene.results()) == 1 and not scene.unprocessed()):
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer acknowledged nothing; see VERW-001")
    scene.driver.restart()
    scene.wait(lambda: scene.status_of(item) is VERWERKT, is_patient=False)
    status = scene.status_of(item)
    judge.that("VERW-002", status is VERWERKT, expected="stored first, acknowledged then", seen=f"{status} after the Acknowledgment and a restart")


# Ways in which a result that says Verwerkt may come: each must end in verwerkt, applied once.
_SHAPES = [
    pytest.param("other-prefixes", marks=decides("VERW-003")),
    pytest.param("gzip", marks=decides("VERW-004")),
    pytest.param("counters-wrong", marks=decides("VERW-006")),
    pytest.param("stadium-absent", marks=decides("VERW-008")),
    pytest.param("stadium-nil", marks=decides("VERW-009")),
    pytest.param("stadium-unknown", marks=decides("VERW-010")),
    pytest.param("unknown-bericht-id", marks=decides("VERW-012")),
    pytest.param("unknown-batch-id", marks=decides("VERW-013")),
    pytest.param("unreadable-before", marks=decides("VERW-014")),
    pytest.param("several-parts", marks=decides("VERW-023")),
    pytest.param("case-changed", marks=decides("VERW-024")),
    pytest.param("foreign-reference", marks=decides("VERW-030")),
    pytest.param("foreign-message-before", marks=decides("VERW-032")),
]


@pytest.mark.parametrize("fault", _SHAPES)
def test_result_is_applied_however_it_looks(scene: Scene, judge: Judge, fault: str) -> None:
    """A result that is bent as the real one may be still ends in verwerkt, for each of its berichten."""
    scene.box.fault(fault)
    delivered = list(scene.deliver(scene.letters(2)))
    scene.wait(lambda: _all_are(scene, delivered, VERWERKT))
    scene.quiet()

    holds = _all_are(scene, delivered, VERWERKT)
    judge.that(judge.requirements[0], holds, expected=f"verwerkt, verwerkt after {fault}", seen=_statuses(scene, delivered))


@decides("VERW-015")
def test_unreadable_result_is_kept(scene: Scene, judge: Judge) -> None:
    """A result that cannot be read is not marked as processed: somebody has to look at it."""
    scene.box.fault("unreadable-before")
    item = scene.deliver_one()
    scene.wait(lambda: scene.status_of(item) is VERWERKT)
    scene.quiet()

    first = scene.results_of(item)[0]
    if scene.line is not None:  # receiving is one thing, reading another: what is in a payload is never answered with an ErrorList
        refused = scene.operations(Kind.ERROR)
        judge.that("VERW-015", not refused, expected="acknowledged, and kept", seen="a MessageError, so nobody kept it")
        return
    judge.that("VERW-015", first.status is Status.RECEIVED, expected="kept unprocessed", seen="marked as processed")


@decides("VERW-005")
def test_each_bericht_has_its_own_status(scene: Scene, judge: Judge) -> None:
    """In a batch of four of which two are refused, two are verwerkt and two are not."""
    letters = scene.letters(4)
    scene.box.answer(letters[1].bsn, VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD)
    scene.box.answer(letters[3].bsn, VerwerkingsCode.BIJLAGE_TE_GROOT)
    delivered = list(scene.deliver(letters))
    scene.wait(lambda: all(scene.status_of(item) is not AANGEBODEN for item in delivered))
    scene.quiet()

    stored = [scene.status_of(item) is VERWERKT for item in delivered]
    judge.that("VERW-005", stored == [True, False, True, False], expected="verwerkt: yes, no, yes, no", seen=_statuses(scene, delivered))


@decides("VERW-007")
def test_code_is_taken_over_by_name(scene: Scene, judge: Judge) -> None:
    """Ten berichten get the ten codes; the Afnemer knows each by its own name."""
    codes = list(VerwerkingsCode)
    letters = scene.letters(len(codes))
    for letter, code in zip(letters, codes, strict=True):
        scene.box.answer_always(letter.bsn, code, NO_RESULT)
    delivered = list(scene.deliver(letters, per_batch=len(codes)))
    scene.wait(lambda: [scene.status(item).verwerkings_code for item in delivered] == codes)
    scene.quiet()

    wrong = {code: got for code, item in zip(codes, delivered, strict=True) if (got := scene.status(item).verwerkings_code) != code}
    judge.that("VERW-007", not wrong, expected="each code by its name", seen="; ".join(f"{code} known as {got}" for code, got in wrong.items()))


@decides("VERW-011")
def test_nil_bericht_id_is_found_by_its_batch(scene: Scene, judge: Judge) -> None:
    """A refusal with the nil BerichtID concerns every bericht of the batch."""
    scene.box.fault("nil-bericht-id", times=None)
    delivered = list(scene.deliver(scene.letters(3), per_batch=3))
    scene.wait(lambda: all(scene.status_of(item) in REFUSED_VISIBLY for item in delivered))
    scene.quiet()

    holds = all(scene.status_of(item) in REFUSED_VISIBLY for item in delivered)
    judge.that("VERW-011", holds, expected="each bericht of the batch refused", seen=_statuses(scene, delivered))


@pytest.mark.parametrize(
    "fault", [pytest.param("reoffer-same-id", marks=decides("VERW-016")), pytest.param("reoffer-new-id", marks=decides("VERW-017"))]
)
def test_result_delivered_twice_is_applied_once(scene: Scene, judge: Judge, fault: str) -> None:
    """A verwerkingsbericht that arrives again, twice, changes nothing."""
    scene.box.fault(fault, again=2)
    item = scene.deliver_one()
    scene.wait(lambda: scene.status_of(item) is VERWERKT and scene.operations("process") >= 3)
    scene.quiet()

    status = scene.status(item)
    holds = status.status is VERWERKT and status.verwerkt == 1
    judge.that(judge.requirements[0], holds, expected="verwerkt, applied once", seen=told(status))


@decides("VERW-018")
def test_result_is_accepted_on_day_six(scene: Scene, judge: Judge) -> None:
    """A result that is offered again on the sixth day is taken, marked, and applied once."""
    scene.box.fault("reoffer-new-id", again=1, days=6)
    item = scene.deliver_one()
    if not scene.wait(lambda: scene.status_of(item) is VERWERKT and not scene.unprocessed()):
        raise NotTestedError(Reason.TIMEOUT, "the first result was not applied; see VERW-001")
    scene.box.advance(days=6, minutes=1)
    scene.wait(lambda: len(scene.results()) >= 2 and not scene.unprocessed())

    status, left, came = scene.status(item), len(scene.unprocessed()), len(scene.results())
    holds = status.status is VERWERKT and status.verwerkt == 1 and not left and came == 2
    judge.that(
        "VERW-018", holds, expected="taken again and applied once", seen=f"{status.status}, applied {status.verwerkt} times, {left} not marked"
    )


@decides("VERW-019")
@pytest.mark.parametrize("days", [1, 3])
def test_late_result_is_accepted(scene: Scene, judge: Judge, days: int) -> None:
    """A first result that comes days later is applied."""
    scene.box.fault("late", days=days)
    item = scene.deliver_one()
    scene.quiet()
    before = scene.status_of(item)
    scene.box.advance(days=days, minutes=1)
    scene.wait(lambda: scene.status_of(item) is VERWERKT)

    after = scene.status_of(item)
    judge.that(
        "VERW-019", before is not VERWERKT and after is VERWERKT, expected=f"verwerkt after {days} days, not before", seen=f"{before}, then {after}"
    )


@decides("VERW-020")
def test_results_in_another_order_find_their_batch(scene: Scene, judge: Judge) -> None:
    """Three batches get their results last one first: each bericht gets its own."""
    letters = scene.letters(3)
    scene.box.answer(letters[1].bsn, VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD)
    scene.box.fault("reorder", times=3)
    delivered = list(scene.deliver(letters, per_batch=1))
    scene.box.advance(minutes=5)
    scene.wait(lambda: all(scene.status_of(item) is not AANGEBODEN for item in delivered))
    scene.quiet()

    stored = [scene.status_of(item) is VERWERKT for item in delivered]
    judge.that("VERW-020", stored == [True, False, True], expected="each result on its own bericht", seen=_statuses(scene, delivered))


@decides("VERW-021")
def test_result_in_pieces_is_put_together(scene: Scene, judge: Judge) -> None:
    """The result of one batch comes in three messages."""
    scene.box.fault("split", parts=3)
    delivered = list(scene.deliver(scene.letters(5)))
    scene.wait(lambda: _all_are(scene, delivered, VERWERKT))

    judge.that("VERW-021", _all_are(scene, delivered, VERWERKT), expected="five times verwerkt", seen=_statuses(scene, delivered))


@decides("VERW-022")
@pytest.mark.bulk
def test_a_thousand_berichten_in_one_result(scene: Scene, judge: Judge) -> None:
    """A full batch gets one result with a thousand berichten."""
    delivered = list(scene.deliver(scene.letters(1_000)))
    sample = [*delivered[:2], *delivered[499:501], *delivered[-2:]]
    scene.wait(lambda: _all_are(scene, sample, VERWERKT) and not scene.unprocessed())

    stored = sum(scene.status_of(item) is VERWERKT for item in delivered)
    judge.that("VERW-022", stored == len(delivered), expected="1000 times verwerkt", seen=f"{stored} times")


@decides("VERW-025")
def test_acknowledgment_is_not_a_result(scene: Scene, judge: Judge) -> None:
    """A bericht that was delivered to Logius, and has no result yet, is aangeboden and nothing more."""
    scene.box.fault("no-result")
    item = scene.deliver_one()
    scene.quiet()

    status = scene.status(item)
    holds = status.status is AANGEBODEN and status.verwerkings_code is None and status.verwerkt == 0
    judge.that(
        "VERW-025",
        holds,
        expected="aangeboden, without a code",
        seen=f"{status.status}, code {status.verwerkings_code}, applied {status.verwerkt} times",
    )


@decides("VERW-026")
def test_silence_is_not_answered_with_a_resend(scene: Scene, judge: Judge) -> None:
    """After a day without a result the Afnemer does not offer again, and does not guess a status."""
    scene.box.fault("no-result")
    item = scene.deliver_one()
    scene.quiet()
    scene.box.advance(hours=25)
    scene.quiet()

    times, status = len(scene.seen(item.bericht_id)), scene.status(item)
    holds = times == 1 and status.verwerkings_code is None and status.status in (AANGEBODEN, AfnemerStatus.HANDMATIG)
    judge.that("VERW-026", holds, expected="offered once, no code", seen=f"offered {times} times, {status.status}, code {status.verwerkings_code}")


@pytest.mark.parametrize(
    ("fault", "on", "times", "values"),
    [
        pytest.param("unavailable", "poll", 4, {}, marks=decides("VERW-027")),
        pytest.param("slow", "fetch", 1, {"delay_s": 0.5}, marks=[decides("VERW-028"), pytest.mark.bulk]),
        pytest.param("reset-after-work", "process", 1, {}, marks=decides("VERW-029")),
    ],
)
def test_trouble_on_the_queue_is_survived(scene: Scene, judge: Judge, fault: str, on: str, times: int, values: dict[str, float]) -> None:
    """Trouble while asking, fetching or marking costs nothing: the result is applied, once."""
    set_fault = scene.box.fault(fault, on=on, times=times, **values)
    item = scene.deliver_one()
    scene.wait(lambda: set_fault.is_spent and scene.status_of(item) is VERWERKT and not scene.unprocessed())
    scene.quiet()

    status = scene.status(item)
    holds = status.status is VERWERKT and status.verwerkt == 1
    judge.that(judge.requirements[0], holds, expected="verwerkt, applied once", seen=told(status))


@decides("VERW-031")
def test_doctype_in_a_result_is_not_followed(scene: Scene, judge: Judge) -> None:
    """A result with an external entity makes the Afnemer fetch nothing, and does not keep it from the next result."""
    scene.box.fault("doctype", url=scene.canary)
    item = scene.deliver_one()
    scene.wait(lambda: scene.status_of(item) is VERWERKT)
    scene.quiet()

    fetched, status = scene.operations("kanarie"), scene.status_of(item)
    holds = not fetched and status is VERWERKT
    judge.that("VERW-031", holds, expected="nothing fetched, and the real result applied", seen=f"{fetched} fetches, {status}")


@decides("VERW-033")
@pytest.mark.bulk
def test_gzip_bomb_is_not_unpacked(scene: Scene, judge: Judge) -> None:
    """A result that unpacks to 64 MB is set aside, and the next result is applied."""
    scene.box.fault("gzip-bomb")
    first, second = scene.deliver_one(), scene.deliver_one()
    scene.wait(lambda: scene.status_of(second) is VERWERKT)
    scene.quiet()

    statuses = scene.status_of(first), scene.status_of(second)
    holds = statuses == (AANGEBODEN, VERWERKT)
    judge.that("VERW-033", holds, expected="the bomb set aside, the next result applied", seen=f"{statuses[0]}, {statuses[1]}")


@decides("VERW-034")
def test_empty_result_decides_nothing(scene: Scene, judge: Judge) -> None:
    """A result without berichten leaves the bericht as it was; the real one a day later is applied."""
    scene.box.fault("late", days=1)
    scene.box.fault("empty")
    item = scene.deliver_one()
    scene.quiet()
    before = scene.status_of(item)
    scene.box.advance(days=1, minutes=1)
    scene.wait(lambda: scene.status_of(item) is VERWERKT)

    after = scene.status_of(item)
    judge.that("VERW-034", (before, after) == (AANGEBODEN, VERWERKT), expected="aangeboden, then verwerkt", seen=f"{before}, then {after}")


@decides("VERW-035")
def test_result_that_comes_while_delivering_is_applied(scene: Scene, judge: Judge) -> None:
    """A result waits in the queue while the Afnemer delivers something else: both end in verwerkt."""
    scene.check_reaches()
    delivered = [scene.driver.deliver([scene.letter()])[0]]
    scene.box.settle()
    delivered.append(scene.driver.deliver([scene.letter()])[0])
    scene.wait(lambda: _all_are(scene, delivered, VERWERKT))

    judge.that("VERW-035", _all_are(scene, delivered, VERWERKT), expected="verwerkt, verwerkt", seen=_statuses(scene, delivered))
