"""Aanleveren: what the Afnemer does when it is asked to deliver, and when the adapter is in trouble."""

import contextlib
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.driver import AfnemerStatus, Delivered, DriverError, Letter, Refused, TimedOut
from conformance.limits import limits
from conformance.messages.moments import read_moment
from conformance.rules.bijlage import octets_of
from conformance.stage.judging import Judge, NeverOfferedError, NotTestedError, decides
from conformance.stage.pdfs import pdf
from conformance.stage.scene import REFUSED_VISIBLY, Scene, Seen, attachment, yes_no
from conformance.verdicts import Reason, Verdict

_WRITTEN_BREAK = "\\r\\n"
_MOST_TRIES = 10


@decides("AANL-015", "AANL-077")
def test_each_bericht_is_offered_once(scene: Scene, judge: Judge) -> None:
    """Seven letters in batches of at most three arrive, each once, each to its own citizen."""
    scene.check_reaches()
    letters = scene.letters(7)
    delivered = scene.driver.deliver(letters, 3)
    scene.wait(lambda: all(scene.seen(item.bericht_id) for item in delivered))
    scene.quiet()

    times = [len(scene.seen(item.bericht_id)) for item in delivered]
    strangers = len(scene.seen_by(letters)) - sum(times)
    judge.that("AANL-015", times == [1] * 7 and not strangers, expected="each bericht once", seen=f"{times} times, and {strangers} others")
    wrong = sum(bool(found) and found[0].bericht.gebruiker_id != letter.bsn for letter, found in _pairs(scene, letters, delivered))
    judge.that("AANL-077", not wrong, expected="each bericht to the citizen that was asked for", seen=f"{wrong} of 7 to someone else")


def _pairs(scene: Scene, letters: Sequence[Letter], delivered: Sequence[Delivered]) -> list[tuple[Letter, list[Seen]]]:
    return [(letter, scene.seen(item.bericht_id)) for letter, item in zip(letters, delivered, strict=True)]


@decides("AANL-073")
def test_text_arrives_unchanged(scene: Scene, judge: Judge) -> None:
    """What XML escapes, accents and signs beyond the Basic Multilingual Plane arrive as they were asked."""
    onderwerp, tekst = 'Één & <twee> "drie" €', "R&D < 5 > 4, 'één' keer €10; naïef 😀 en ]]> . Zie https://example.nl/a?b=1&c=2 ."
    item = scene.deliver_one(onderwerp=onderwerp, tekst=tekst)

    bericht = scene.seen(item.bericht_id)[0].bericht
    asked, arrived = _normal(onderwerp + tekst), _normal(bericht.onderwerp + (bericht.bericht_tekst or ""))
    judge.that("AANL-073", asked == arrived, expected="the text that was asked", seen=_difference(asked, arrived))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _difference(asked: str, arrived: str) -> str:
    at = next((index for index, (one, other) in enumerate(zip(asked, arrived, strict=False)) if one != other), min(len(asked), len(arrived)))
    return f"from character {at + 1}: {arrived[at : at + 20]!r} instead of {asked[at : at + 20]!r}"


@decides("AANL-070")
def test_line_break_is_written(scene: Scene, judge: Judge) -> None:
    r"""Each line break, however it was typed, arrives as the four characters \r\n."""
    item = scene.deliver_one(tekst="Geachte,\nTweede regel\r\nDerde regel\n\nVijfde regel")

    tekst = scene.seen(item.bericht_id)[0].bericht.bericht_tekst or ""
    wanted = _WRITTEN_BREAK.join(("Geachte,", "Tweede regel", "Derde regel", "", "Vijfde regel"))
    judge.that("AANL-070", tekst == wanted, expected=repr(wanted), seen=repr(tekst))


@decides("AANL-060")
def test_publicatie_datum_is_the_moment_asked(scene: Scene, judge: Judge) -> None:
    """A PublicatieDatum three days ahead arrives as the same instant."""
    asked = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    try:
        item = scene.deliver_one(publicatie_datum=asked)
    except Refused:
        judge.undecided("AANL-060", Reason.ELEMENT_NOT_USED, "this Afnemer sends no PublicatieDatum", Verdict.NOT_APPLICABLE)
        return

    written = scene.seen(item.bericht_id)[0].bericht.publicatie_datum
    moment = read_moment(written or "")
    off_s = abs((moment.at - asked).total_seconds()) if moment else None
    judge.that(
        "AANL-060", off_s is not None and off_s < 1, expected="the moment that was asked", seen="none" if off_s is None else f"{off_s:g} s off"
    )


def _refuses(scene: Scene, letter: Letter) -> tuple[bool, str]:
    """Ask for a letter that the Berichtenbox would refuse; return whether the Afnemer kept it back visibly, and what was seen otherwise."""
    scene.check_reaches()
    try:
        item = scene.driver.deliver([letter])[0]
    except Refused:
        return True, "refused"
    scene.quiet()
    found = scene.seen(bsn=letter.bsn)
    if found:
        bericht = found[0].bericht
        return False, f"sent, Onderwerp of {len(bericht.onderwerp)} and BerichtTekst of {len(bericht.bericht_tekst or '')} characters"
    status = scene.status_of(item)
    return status in REFUSED_VISIBLY, f"not sent, and its status says {status}"


@decides("AANL-065")
def test_too_long_onderwerp_is_refused(scene: Scene, judge: Judge) -> None:
    """An Onderwerp of 51 characters is refused by the own check: not sent, not cut."""
    holds, seen = _refuses(scene, scene.letter(onderwerp="Onderwerp dat " + "x" * 37))

    judge.that("AANL-065", holds, expected="refused by the own check, visibly", seen=seen)


@decides("AANL-066")
def test_onderwerp_is_counted_in_characters(scene: Scene, judge: Judge) -> None:
    """Fifty characters beyond ASCII are fifty characters, whatever they take in bytes."""
    scene.check_reaches()
    onderwerp = "é" * 48 + "😀€"
    try:
        item = scene.deliver_one(onderwerp=onderwerp)
    except (Refused, NeverOfferedError) as error:
        judge.that("AANL-066", holds=False, expected="50 characters are accepted", seen=f"not sent ({error})")
        return

    arrived = _normal(scene.seen(item.bericht_id)[0].bericht.onderwerp)
    judge.that("AANL-066", arrived == onderwerp, expected="the 50 characters that were asked", seen=f"{len(arrived)} characters")


@decides("AANL-068")
def test_text_is_counted_after_writing_line_breaks(scene: Scene, judge: Judge) -> None:
    """4000 characters of which one is a line break become 4003: refused by the own check, not sent, not cut."""
    holds, seen = _refuses(scene, scene.letter(tekst="Regel een\n" + "y" * 3990))

    judge.that("AANL-068", holds, expected="refused by the own check, visibly", seen=seen)


@decides("AANL-083")
@pytest.mark.parametrize("kind", ["three", "too-large"])
def test_too_much_bijlage_is_refused(scene: Scene, judge: Judge, kind: str) -> None:
    """Three bijlagen, or 600 kB together, are refused by the own check."""
    sizes = [2_000] * 3 if kind == "three" else [300_000, 300_000]
    holds, seen = _refuses(scene, scene.letter(bijlagen=tuple(attachment(pdf(size)) for size in sizes)))

    judge.that("AANL-083", holds, expected="refused by the own check, visibly", seen=seen)


@decides("AANL-084", "AANL-086")
def test_bijlagen_of_exactly_the_limit_arrive(scene: Scene, judge: Judge) -> None:
    """Two PDFs of together 500 000 bytes, before base64, are accepted and arrive byte for byte."""
    scene.check_reaches()
    octets: tuple[bytes, ...] = (pdf(249_000, "Een"), pdf(limits().bijlagen_bytes_accepted - 249_000, "Twee"))
    try:
        item = scene.deliver_one(bijlagen=tuple(attachment(part, f"Bijlage {number}") for number, part in enumerate(octets, start=1)))
    except (Refused, NeverOfferedError) as error:
        judge.that("AANL-084", holds=False, expected="500000 bytes together are accepted", seen=f"not sent ({error})")
        item = scene.deliver_one(bijlagen=(attachment(pdf(4_000)),))
        octets = (pdf(4_000),)
    else:
        judge.that("AANL-084", holds=True, expected="500000 bytes together are accepted", seen="")

    arrived = octets_of(scene.seen(item.bericht_id)[0].bericht)
    judge.that(
        "AANL-086", arrived == octets, expected="the bytes that were asked", seen=f"{[len(part or b'') for part in arrived]} bytes, or other ones"
    )


@decides("AANL-094")
@pytest.mark.bulk
def test_more_than_a_thousand_are_split(scene: Scene, judge: Judge) -> None:
    """1001 letters go out in more than one batch, and all of them arrive."""
    delivered = scene.offer(scene.letters(1_001))

    sizes = [len(batch.berichten) for _, batch in scene.offers_of(delivered)]
    holds = max(sizes) <= limits().berichten_per_batch_max and sum(sizes) == len(delivered)
    judge.that("AANL-094", holds, expected="1001 berichten in batches of at most 1000", seen=f"batches of {sizes}")


@decides("AANL-095")
@pytest.mark.heavy
@pytest.mark.bulk
def test_a_batch_is_split_on_bytes(scene: Scene, judge: Judge) -> None:
    """160 letters with full bijlagen are 107 MB of base64: they go out in batches below 100 MB."""
    full = (attachment(pdf(limits().bijlagen_bytes_accepted)),)
    delivered = scene.offer(scene.letters(160, bijlagen=full))

    offers = scene.offers_of(delivered)
    sizes = [sum(len(part.content) for part in offer.envelope.parts) for offer, _ in offers]
    holds = max(sizes) <= limits().batch_bytes_max and sum(len(batch.berichten) for _, batch in offers) == len(delivered)
    judge.that("AANL-095", holds, expected="batches of at most 100 MB with all 160", seen=f"batches of {sizes} bytes")


_NO_BSNS = [
    pytest.param("99999001", marks=decides("AANL-096"), id="eight-digits"),
    pytest.param("999999999", marks=decides("AANL-076"), id="elfproef"),
]


@pytest.mark.parametrize("number", _NO_BSNS)
def test_an_invalid_bsn_is_refused_alone(scene: Scene, judge: Judge, number: str) -> None:
    """A letter to a number that cannot be a BSN is not sent, and the letters beside it are."""
    scene.check_reaches()
    letters = scene.letters(3)
    letters[1] = scene.letter(bsn=number)
    requirement = judge.requirements[0]
    try:
        scene.driver.deliver(letters)
    except Refused:
        scene.quiet()
        left = len(scene.seen_by(letters))
        judge.that(requirement, not left, expected="nothing sent of a request that was refused", seen=f"{left} berichten")
        return
    scene.wait(lambda: len(scene.seen_by(letters)) >= len(letters) - 1)
    scene.quiet()

    sent = [bool(scene.seen(bsn=letter.bsn)) for letter in letters]
    judge.that(requirement, sent == [True, False, True], expected="sent: yes, no, yes", seen=f"sent: {yes_no(sent)}")


@decides("AANL-097")
def test_control_characters_do_not_leave(scene: Scene, judge: Judge) -> None:
    """A text with U+000B is refused or cleaned before building: what leaves can be parsed."""
    scene.check_reaches()
    letter = scene.letter(tekst="Voor\x0bna")
    try:
        scene.driver.deliver([letter])
    except Refused:
        judge.that("AANL-097", holds=True, expected="", seen="")
        return
    scene.quiet()

    broken = [offer for offer in scene.offers() if scene.batch_of(offer) is None]
    judge.that("AANL-097", not broken, expected="no document that cannot be parsed", seen=f"{len(broken)} of them")


def _try_to_deliver(scene: Scene, letter: Letter) -> None:
    """Have a letter delivered while the adapter is in trouble; an Afnemer that cannot confirm yet may well say so."""
    try:
        scene.driver.deliver([letter])
    except DriverError:
        scene.quiet()


@decides("AANL-012")
def test_permanent_trouble_is_not_retried_for_ever(scene: Scene, judge: Judge) -> None:
    """An adapter that answers 500 to every offer is left in peace after some tries."""
    scene.check_reaches()
    fault = scene.box.fault("error-500", on="post", times=None)
    _try_to_deliver(scene, scene.letter())
    scene.wait(lambda: fault.fired > _MOST_TRIES)
    scene.quiet()

    if not fault.fired:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer never tried to offer anything")
    judge.that("AANL-012", fault.fired <= _MOST_TRIES, expected=f"at most {_MOST_TRIES} tries", seen=f"{fault.fired} tries, and still going")


@decides("AANL-013")
def test_temporary_trouble_loses_nothing(scene: Scene, judge: Judge) -> None:
    """An adapter that is away for three tries gets the bericht afterwards, and stores it once."""
    scene.check_reaches()
    fault = scene.box.fault("unavailable", on="post", times=3)
    letter = scene.letter()
    _try_to_deliver(scene, letter)
    scene.wait(lambda: bool(scene.seen(bsn=letter.bsn)))
    scene.quiet()

    if not fault.fired:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer never tried to offer anything")
    stored = _stored(scene, letter)
    judge.that("AANL-013", stored == 1, expected="stored once", seen=f"stored {stored} times")


def _stored(scene: Scene, letter: Letter) -> int:
    return sum(item.gebruiker_id == letter.bsn and item.code == "Verwerkt" for item in scene.box.berichten(scene.start))


@decides("AANL-014")
def test_a_lost_answer_brings_no_second_letter(scene: Scene, judge: Judge) -> None:
    """The connection is lost after the adapter took the bericht: what is offered again has the same BerichtID."""
    scene.check_reaches()
    fault = scene.box.fault("reset-after-work", on="post", times=1)
    letter = scene.letter()
    _try_to_deliver(scene, letter)
    scene.quiet()

    if not fault.fired:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer never tried to offer anything")
    stored = _stored(scene, letter)
    judge.that("AANL-014", stored == 1, expected="one letter stored", seen=f"{stored} letters stored")


@decides("AANL-013", "VERW-027")
def test_random_trouble_is_survived(scene: Scene, judge: Judge) -> None:
    """Under trouble that is drawn with the seed of the run, never more than twice in a row, ten letters are each stored once and all booked."""
    scene.check_reaches()
    seed = scene.random.randrange(2**32)
    # Letters may wait for each other, and then one of them can get all of it: who tries five times gets it through all the same.
    scene.box.faults.draw("unavailable", seed=seed, chance=0.4, on="post", max_in_a_row=2).times = 4
    scene.box.faults.draw("unavailable", seed=seed + 1, chance=0.4, on="poll", max_in_a_row=2)
    scene.box.faults.draw("reset-after-work", seed=seed + 2, chance=0.3, on="process", max_in_a_row=2)
    letters = scene.letters(10)
    delivered: list[Delivered] = []
    for letter in letters:
        with contextlib.suppress(TimedOut, Refused):
            delivered.extend(scene.driver.deliver([letter]))
    scene.wait(lambda: all(_stored(scene, letter) for letter in letters) and all(_is_booked(scene, item) for item in delivered))
    scene.quiet()

    times = [_stored(scene, letter) for letter in letters]
    judge.that("AANL-013", times == [1] * len(letters), expected="each letter stored once", seen=f"stored {times} times")
    stored = {item.bericht_id for item in scene.box.berichten(scene.start) if item.code == "Verwerkt"}
    waiting = [item for item in delivered if item.bericht_id.lower() in stored and not _is_booked(scene, item)]
    judge.that("VERW-027", not waiting, expected="each stored letter verwerkt", seen=f"{len(waiting)} of {len(stored)} still waiting")


def _is_booked(scene: Scene, item: Delivered) -> bool:
    return scene.status_of(item) is AfnemerStatus.VERWERKT
