"""Herlevering: everything of the last 24 hours again, complete, the same, and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.driver import AfnemerStatus, Delivered, Refused
from conformance.berichtenbox.box import Mark
from conformance.catalogue import catalogue
from conformance.messages.batch import Bericht
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.bijlage import octets_of
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.pdfs import pdf
from conformance.stage.scene import Scene, attachment, between_now_and_then
from conformance.verdicts import Reason

VERWERKT = AfnemerStatus.VERWERKT
_A_MOMENT = timedelta(seconds=1)


def _replay(scene: Scene, vanaf: datetime, tot: datetime, wanted: Sequence[Delivered]) -> Mark:
    """Have a window delivered again, wait for it, and return where in the ledger it began."""
    mark = scene.box.mark()
    scene.driver.redeliver(vanaf, tot)
    ids = {item.bericht_id.lower() for item in wanted}
    scene.wait(lambda: ids <= {item.bericht.bericht_id.lower() for item in scene.seen(since=mark)})
    scene.quiet()
    return mark


def _again(scene: Scene, mark: Mark, wanted: Sequence[Delivered]) -> int:
    return sum(bool(scene.seen(item.bericht_id, since=mark)) for item in wanted)


@decides("HERL-001", "HERL-002", "HERL-003", "HERL-004", "HERL-006", "HERL-009", "HERL-012")
def test_everything_is_delivered_again(scene: Scene, judge: Judge) -> None:
    """Letters with and without bijlagen come again: all of them, under the same ids, with the same content."""
    vanaf = between_now_and_then()
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    bijlagen = (attachment(pdf(5_000, "Besluit"), "Besluit"), attachment(pdf(6_000, "Kaart"), "Kaart"))
    letters = [scene.letter(), scene.letter(tekst="Een\nTwee & drie"), scene.letter(publicatie_datum=later), scene.letter(bijlagen=bijlagen)]
    try:
        delivered = scene.deliver(letters, per_batch=2)
    except Refused:
        letters[2] = scene.letter()  # an Afnemer need not use PublicatieDatum
        delivered = scene.deliver(letters, per_batch=2)
    if not scene.wait(lambda: all(scene.status_of(item) is VERWERKT for item in delivered)):
        raise NotTestedError(Reason.TIMEOUT, "the first results were not applied; see VERW-001")
    mark = _replay(scene, vanaf, datetime.now(UTC) + _A_MOMENT, delivered)

    citizens = {letter.bsn for letter in letters}
    replayed = [item for item in scene.seen(since=mark) if item.bericht.gebruiker_id in citizens]
    originals = {item.bericht_id.lower(): scene.seen(item.bericht_id)[0] for item in delivered}
    reached = {item.bericht.gebruiker_id for item in replayed}
    judge.that("HERL-001", reached == citizens, expected="4 berichten again", seen=f"{len(reached)} of them")
    if not replayed:
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing was delivered again; see HERL-001")
    strange = [item for item in replayed if item.bericht.bericht_id.lower() not in originals]
    moved = [
        item
        for item in replayed
        if item not in strange and item.batch.batch_id.lower() != originals[item.bericht.bericht_id.lower()].batch.batch_id.lower()
    ]
    judge.that("HERL-002", not strange and not moved, expected="the same ids", seen=f"{len(strange)} new BerichtIDs, {len(moved)} new BatchIDs")
    known = [(item, originals[item.bericht.bericht_id.lower()]) for item in replayed if item not in strange]
    if not known:
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing came again under its own ids; see HERL-002")
    changed = sum(_text(new.bericht) != _text(old.bericht) for new, old in known)
    judge.that("HERL-003", not changed, expected="the same content", seen=f"{changed} berichten with other content")
    lost = sum(octets_of(new.bericht) != octets_of(old.bericht) for new, old in known)
    judge.that("HERL-004", not lost, expected="the same bijlagen", seen=f"{lost} berichten with other bijlagen, or none")
    old_ids = {old.offer.envelope.message_id for old in originals.values()}
    reused = sum(item.offer.envelope.message_id in old_ids for item in replayed)
    judge.that("HERL-006", not reused, expected="new MessageIds", seen=f"{reused} old ones: duplicate elimination eats them")
    statuses = [scene.status_of(item) for item in delivered]
    judge.that("HERL-009", set(statuses) == {VERWERKT}, expected="still verwerkt after BerichtBestaatAl", seen=", ".join(statuses))
    before = {finding.requirement for old in originals.values() if old.offer.grading for finding in old.offer.grading.findings}
    broken = [finding for item in replayed if item.offer.grading for finding in item.offer.grading.findings]
    judge.findings("HERL-012", [finding for finding in broken if finding.requirement not in before and _is_must(finding)])


def _text(bericht: Bericht) -> tuple[str | None, ...]:
    return bericht.bericht_type, bericht.onderwerp, bericht.gebruiker_id, bericht.bericht_tekst, bericht.publicatie_datum, bericht.referentie


def _is_must(finding: Finding) -> bool:
    return not finding.is_note and catalogue()[finding.requirement].level == "MUST"


@decides("HERL-005")
def test_window_has_edges(scene: Scene, judge: Judge) -> None:
    """Of three letters, sent one after another, the window around the second brings the second."""
    first = scene.deliver_one()
    vanaf = between_now_and_then()
    second = scene.deliver_one()
    tot = between_now_and_then()
    third = scene.deliver_one()
    mark = _replay(scene, vanaf, tot, [second])

    again = [bool(scene.seen(item.bericht_id, since=mark)) for item in (first, second, third)]
    if not any(again):
        raise NotTestedError(Reason.NO_TRAFFIC, "nothing was delivered again; see HERL-001")
    judge.that(
        "HERL-005", again == [False, True, False], expected="again: no, yes, no", seen=f"again: {', '.join('yes' if yes else 'no' for yes in again)}"
    )


@decides("HERL-011")
def test_empty_window_brings_nothing(scene: Scene, judge: Judge) -> None:
    """A window in which nothing was offered brings nothing."""
    item = scene.deliver_one()
    long_ago = datetime.now(UTC) - timedelta(days=300)
    mark = _replay(scene, long_ago, long_ago + timedelta(hours=1), [])

    again = _again(scene, mark, [item])
    judge.that("HERL-011", not again, expected="nothing", seen="a bericht that was offered long after that window")


@decides("HERL-007")
@pytest.mark.bulk
def test_live_traffic_goes_on(scene: Scene, judge: Judge) -> None:
    """New letters are delivered while old ones are delivered again: all of both arrive."""
    vanaf = between_now_and_then()
    old = scene.deliver(scene.letters(6), per_batch=2)
    tot, mark = between_now_and_then(), scene.box.mark()
    slow = scene.box.fault("slow", on="post", delay_s=0.3)
    with scene.meanwhile(lambda: scene.driver.redeliver(vanaf, tot)):
        scene.look_until(lambda: slow.fired > 0)  # the first of the replay is on its way, and takes its time
        try:
            new = scene.driver.deliver(scene.letters(4), 1)
        except Refused as error:
            judge.that("HERL-007", holds=False, expected="new letters are taken during a herlevering", seen=str(error))
            return
    scene.wait(lambda: _again(scene, mark, old) == len(old) and _again(scene, mark, new) == len(new))

    replayed, live = _again(scene, mark, old), _again(scene, mark, new)
    judge.that("HERL-007", (replayed, live) == (6, 4), expected="6 again and 4 new", seen=f"{replayed} again and {live} new")


@decides("HERL-008")
def test_herlevering_survives_a_restart(scene: Scene, judge: Judge) -> None:
    """An Afnemer that was restarted can still deliver again what it offered before."""
    vanaf = between_now_and_then()
    delivered = scene.deliver(scene.letters(3))
    tot = between_now_and_then()
    if not scene.driver.restart():
        raise NotTestedError(Reason.DRIVER_CANNOT, "this driver cannot restart the Afnemer")
    mark = _replay(scene, vanaf, tot, delivered)

    again = _again(scene, mark, delivered)
    judge.that("HERL-008", again == len(delivered), expected="3 berichten again", seen=f"{again} of them")


@decides("HERL-010")
def test_a_calamity_is_made_good(scene: Scene, judge: Judge) -> None:
    """The Berichtenbox lost the last day; the Afnemer delivers it again, and each letter is stored once."""
    vanaf = between_now_and_then()
    delivered = scene.deliver_stored(4, per_batch=2)
    tot = between_now_and_then()
    scene.box.lose(hours=24)
    mark = _replay(scene, vanaf, tot, delivered)

    stored = [item.bericht_id for item in scene.box.berichten(mark) if item.code is VerwerkingsCode.VERWERKT]
    missing = sum(item.bericht_id.lower() not in stored for item in delivered)
    doubled = len(stored) - len(set(stored))
    judge.that("HERL-010", not missing and not doubled, expected="each stored once again", seen=f"{missing} missing, {doubled} twice")
