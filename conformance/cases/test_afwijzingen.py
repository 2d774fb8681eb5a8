"""Afgewezen berichten: each code has its handling, automatically, without loops, losses or second letters."""

import pytest

from conformance.afnemer.driver import AfnemerStatus, Delivered, Letter
from conformance.berichtenbox.scripts import NO_RESULT
from conformance.limits import limits
from conformance.messages.moments import read_moment
from conformance.messages.verwerkingsbericht import Resultaat, Stadium, VerwerkingsCode
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import REFUSED_VISIBLY, WITH_A_PERSON, Scene
from conformance.verdicts import Reason, Verdict

VERWERKT = AfnemerStatus.VERWERKT
ANDER_KANAAL = AfnemerStatus.ANDER_KANAAL


def _refused_once(scene: Scene, code: VerwerkingsCode) -> tuple[Letter, Delivered]:
    """Have one letter delivered that is refused with ``code``; whatever is offered after it stays without a result."""
    letter = scene.letter()
    scene.box.answer_always(letter.bsn, code, NO_RESULT)
    item = scene.deliver([letter])[0]
    scene.wait(lambda: scene.status_of(item) is not AfnemerStatus.AANGEBODEN)
    scene.quiet()
    return letter, item


@decides("AFW-001")
def test_stored_is_final(scene: Scene, judge: Judge) -> None:
    """After Verwerkt nothing more happens, not that day and not the next."""
    item = scene.deliver_stored()[0]
    scene.box.advance(days=1)
    scene.quiet()

    times, status = len(scene.seen(item.bericht_id)), scene.status_of(item)
    judge.that("AFW-001", times == 1 and status is VERWERKT, expected="offered once, verwerkt", seen=f"offered {times} times, {status}")


@decides("AFW-002", "AFW-014", "AFW-015", "AFW-021")
def test_technical_problem_is_offered_again(scene: Scene, judge: Judge) -> None:
    """TechnischProbleem brings the same bericht again in a new message; when that is stored the bericht is verwerkt."""
    letter = scene.letter()
    scene.box.answer(letter.bsn, VerwerkingsCode.TECHNISCH_PROBLEEM)
    item = scene.deliver([letter])[0]
    scene.wait(lambda: len(scene.seen(bsn=letter.bsn)) >= 2 and scene.status_of(item) is VERWERKT)
    scene.quiet()

    offers = scene.seen(bsn=letter.bsn)
    judge.that("AFW-002", len(offers) == 2, expected="offered again, once", seen=f"offered {len(offers)} times in all")
    if len(offers) < 2:
        raise NotTestedError(Reason.NO_TRAFFIC, "it was not offered again; see AFW-002")
    first, second = offers[0], offers[1]
    ids = [(entry.batch.batch_id.lower(), entry.bericht.bericht_id.lower()) for entry in (first, second)]
    judge.that("AFW-014", ids[0] == ids[1], expected="the same BatchID and BerichtID", seen=f"{ids[1]} after {ids[0]}")
    is_new = first.offer.envelope.message_id != second.offer.envelope.message_id
    judge.that("AFW-015", is_new, expected="a new MessageId", seen="the old one: duplicate elimination eats it")
    status = scene.status_of(item)
    stored = second.bericht.bericht_id.lower() == item.bericht_id.lower() and is_new
    if not stored:
        raise NotTestedError(Reason.NO_TRAFFIC, "the second offer never became a result of this bericht; see AFW-014 and AFW-015")
    judge.that("AFW-021", status is VERWERKT, expected="verwerkt after the second offer", seen=status)


@decides("AFW-003")
def test_citizen_without_berichtenbox_gets_another_channel(scene: Scene, judge: Judge) -> None:
    """NietActiefOfGeabonneerd sends the letter over another channel, and not into the Berichtenbox again."""
    letter = scene.letter()
    scene.box.answer(letter.bsn, VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD)  # whose account is not active gets no letter of who checks first
    item = scene.deliver([letter])[0]
    scene.wait(lambda: scene.status_of(item) is not AfnemerStatus.AANGEBODEN)
    scene.quiet()

    status, times = scene.status_of(item), len(scene.seen(bsn=letter.bsn))
    holds = status in (ANDER_KANAAL, AfnemerStatus.HANDMATIG) and times == 1
    judge.that("AFW-003", holds, expected="another channel, offered once", seen=f"{status}, offered {times} times")


_VISIBLE = [
    pytest.param(code, marks=decides(requirement))
    for requirement, code in (
        ("AFW-004", VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND),
        ("AFW-005", VerwerkingsCode.PUBLICATIE_DATUM),
        ("AFW-006", VerwerkingsCode.AANMAAK_DATUM),
        ("AFW-008", VerwerkingsCode.BIJLAGE_TE_GROOT),
        ("AFW-009", VerwerkingsCode.OIN_IN_CPA),
        ("AFW-010", VerwerkingsCode.XML_VALIDATIE),
    )
]


@pytest.mark.parametrize("code", _VISIBLE)
def test_refusal_is_visible(scene: Scene, judge: Judge, code: VerwerkingsCode) -> None:
    """A bericht that is refused is neither dropped nor called stored: a person sees it, or it comes again under its own ids."""
    letter, item = _refused_once(scene, code)

    status = scene.status_of(item)
    others = [entry for entry in scene.seen(bsn=letter.bsn) if entry.bericht.bericht_id.lower() != item.bericht_id.lower()]
    holds = status in REFUSED_VISIBLY and not others
    judge.that(judge.requirements[0], holds, expected="refused visibly, no other ids", seen=f"{status}, {len(others)} berichten under new ids")


@decides("AFW-007", "AFW-013")
def test_later_refusal_opens_no_second_channel(scene: Scene, judge: Judge) -> None:
    """Once verwerkt, a bericht stays verwerkt, whatever a later result says of it."""
    for requirement, codes in (("AFW-007", [VerwerkingsCode.BERICHT_BESTAAT_AL]), ("AFW-013", _LATER_CODES)):
        item = scene.deliver_stored()[0]
        for code in codes:
            scene.box.push_result(scene.seen(item.bericht_id)[0].offer, [Resultaat(item.bericht_id, scene.bericht_type, code, Stadium.STORE)])
            scene.wait(lambda: not scene.unprocessed())
        scene.quiet()

        status, times = scene.status_of(item), len(scene.seen(item.bericht_id))
        holds = status is VERWERKT and times == 1
        judge.that(requirement, holds, expected="still verwerkt, offered once", seen=f"{status}, offered {times} times")


_LATER_CODES = [VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, VerwerkingsCode.TECHNISCH_PROBLEEM]


@decides("AFW-020")
def test_bestaat_al_without_earlier_result_is_not_guessed(scene: Scene, judge: Judge) -> None:
    """BerichtBestaatAl without a result before it proves nothing: no paper, and not verwerkt."""
    _, item = _refused_once(scene, VerwerkingsCode.BERICHT_BESTAAT_AL)

    status = scene.status_of(item)
    judge.that("AFW-020", status not in (ANDER_KANAAL, VERWERKT), expected="neither another channel nor verwerkt", seen=status)


@decides("AFW-011", "AFW-018")
def test_lasting_technical_problem_ends(scene: Scene, judge: Judge) -> None:
    """When TechnischProbleem lasts, offering again ends, in another channel or with a person."""
    letter = scene.letter()
    scene.box.answer_always(letter.bsn, VerwerkingsCode.TECHNISCH_PROBLEEM)
    item = scene.deliver([letter])[0]
    most = limits().offers_max
    scene.wait(lambda: scene.status_of(item) in WITH_A_PERSON or len(scene.seen(item.bericht_id)) > most)

    times, status = len(scene.seen(item.bericht_id)), scene.status_of(item)
    judge.that("AFW-011", times <= most, expected=f"at most {most} offers", seen=f"{times} offers")
    judge.that("AFW-018", status in WITH_A_PERSON, expected="another channel, or a person", seen=status)
    scene.box.scripts.clear()  # who never stops must not go on for the rest of the run
    scene.quiet()


@decides("AFW-012")
def test_no_refusal_is_dropped(scene: Scene, judge: Judge) -> None:
    """In a batch in which every bericht is refused for its own reason, each becomes visible by itself."""
    codes = [code for code in VerwerkingsCode if code not in (VerwerkingsCode.VERWERKT, VerwerkingsCode.BERICHT_BESTAAT_AL)]
    letters = scene.letters(len(codes))
    for letter, code in zip(letters, codes, strict=True):
        scene.box.answer_always(letter.bsn, code, NO_RESULT)
    delivered = scene.deliver(letters, per_batch=len(codes))
    scene.wait(lambda: all(scene.status_of(item) in REFUSED_VISIBLY for item in delivered))
    scene.quiet()

    silent = {code: status for code, item in zip(codes, delivered, strict=True) if (status := scene.status_of(item)) not in REFUSED_VISIBLY}
    judge.that("AFW-012", not silent, expected="each refusal visible", seen="; ".join(f"{code}: {status}" for code, status in silent.items()))


@decides("AFW-016")
def test_offer_after_old_aanmaak_datum_is_dated_anew(scene: Scene, judge: Judge) -> None:
    """After AanmaakDatumLigtTeVerInHetVerleden the next offer has a later AanmaakDatum; an Afnemer that leaves it to a person has none."""
    _, item = _refused_once(scene, VerwerkingsCode.AANMAAK_DATUM)

    offers = scene.seen(item.bericht_id)
    if len(offers) < 2:
        judge.undecided("AFW-016", Reason.NOT_SEEN, "the Afnemer leaves this to a person and offers nothing again", Verdict.NOT_APPLICABLE)
        return
    moments = [read_moment(entry.batch.aanmaak_datum) for entry in offers[:2]]
    holds = moments[0] is not None and moments[1] is not None and moments[1].at > moments[0].at
    judge.that("AFW-016", holds, expected="a later AanmaakDatum", seen=f"{offers[1].batch.aanmaak_datum} after {offers[0].batch.aanmaak_datum}")


@decides("AFW-017")
def test_stored_neighbours_stay_home(scene: Scene, judge: Judge) -> None:
    """Of a batch of three only the refused bericht is offered again."""
    letters = scene.letters(3)
    scene.box.answer(letters[1].bsn, VerwerkingsCode.TECHNISCH_PROBLEEM)
    delivered = scene.deliver(letters, per_batch=3)
    scene.wait(lambda: any(len(scene.seen(item.bericht_id)) >= 2 for item in delivered))
    scene.quiet()

    times = [len(scene.seen(item.bericht_id)) for item in delivered]
    if max(times) < 2:
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing was offered again; see AFW-002")
    judge.that("AFW-017", sorted(times) == [1, 1, 2], expected="only the refused one again", seen=f"offered {times} times")


@decides("AFW-019")
def test_nil_refusal_reaches_every_bericht(scene: Scene, judge: Judge) -> None:
    """OinInCPAKomtNietOvereenMetOinInBericht with the nil BerichtID: every bericht of the batch becomes visible, and of no other batch."""
    other = scene.deliver_stored()[0]
    scene.box.fault("nil-bericht-id", code=VerwerkingsCode.OIN_IN_CPA, times=None)
    delivered = scene.deliver(scene.letters(3), per_batch=3)
    scene.wait(lambda: all(scene.status_of(item) in REFUSED_VISIBLY for item in delivered) and scene.status_of(other) is VERWERKT)
    scene.quiet()

    statuses = [scene.status_of(item) for item in delivered]
    holds = all(status in REFUSED_VISIBLY for status in statuses) and scene.status_of(other) is VERWERKT
    judge.that(
        "AFW-019", holds, expected="all three refused visibly, the other one verwerkt", seen=f"{', '.join(statuses)}; {scene.status_of(other)}"
    )
