"""Abonnementantwoorden: late, twice, crossed, packed otherwise, broken or somebody else's; what they say is applied once, and the rest never."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from conformance.afnemer.driver import DriverError
from conformance.berichtenbox.citizens import Asked
from conformance.stage.asking import (
    OPEN,
    RECEIVED,
    Verzoek,
    answers,
    ask,
    at_night,
    citizens,
    is_received,
    may_write,
    outcome,
    preferences,
    recorded,
    status,
)
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.verdicts import Reason

_TAKERS, _OTHERS = 10, 2
_MANY_TAKERS = 120  # so many that half a gzip file says something


@dataclass(frozen=True, slots=True)
class _Lijst:
    """A list that was asked about: who takes letters, and who does not."""

    verzoek: Verzoek
    takers: tuple[str, ...]
    others: tuple[str, ...]

    def what_is_wrong(self, scene: Scene) -> str:
        """Return what the Afnemer made of the answer that is not so; empty when all of it is right."""
        known = recorded(scene, self.verzoek)
        if known is None:
            return outcome(known, ())
        missed, made_up = (sum(may_write(known, bsn) is not wants for bsn in bsns) for bsns, wants in ((self.takers, True), (self.others, False)))
        return f"{missed} of {len(self.takers)} missing, {made_up} of {len(self.others)} made up" if missed or made_up else ""


@contextmanager
def _asked(scene: Scene, takers: int = _TAKERS, others: int = _OTHERS) -> Iterator[_Lijst]:
    """Have a list of citizens asked about, some of whom take letters."""
    with citizens(scene, takers=takers, others=others) as bsns:
        yield _Lijst(ask(scene, Asked.BSN_LIJST, bsns), bsns[:takers], bsns[takers:])


def _applied(scene: Scene, judge: Judge, requirement: str, takers: int = _TAKERS) -> None:
    """Judge that a list that is asked about now gets its right answer, whatever is on its way."""
    with _asked(scene, takers) as lijst:
        wrong = lijst.what_is_wrong(scene)
        scene.quiet()
        wrong = wrong or lijst.what_is_wrong(scene)
    judge.that(requirement, not wrong, expected="what the right answer says", seen=wrong)


def _check_takes_answers(scene: Scene) -> None:
    """Stop a case about a strange answer when not even an ordinary one is taken."""
    with _asked(scene, 1, 0) as lijst:
        preferences(scene, lijst.verzoek)


@decides("ABO-023")
def test_crossed_answers_are_told_apart(scene: Scene, judge: Judge) -> None:
    """The answer to the second request comes first, and says nothing about the first request."""
    at_night(scene)
    scene.box.fault("crossed", times=2)
    with _asked(scene, 2, 1) as first, _asked(scene, 1, 2) as second:
        scene.box.advance(seconds=70)
        is_second = is_received(scene, second.verzoek)
        is_first_open = status(scene, first.verzoek) == OPEN or len(answers(scene)) > 1
        scene.box.advance(minutes=2)
        wrong = {"first": first.what_is_wrong(scene), "second": second.what_is_wrong(scene)}

    holds = is_second and is_first_open and not any(wrong.values())
    told = [f"the {place}: {what}" for place, what in wrong.items() if what]
    told += [] if is_second else ["the second not taken when it came"]
    told += [] if is_first_open else ["the first taken for answered by the second"]
    judge.that("ABO-023", holds, expected="each answer with its own request", seen="; ".join(told))


@decides("ABO-025")
def test_order_of_an_answer_does_not_matter(scene: Scene, judge: Judge) -> None:
    """An answer in descending order says the same."""
    at_night(scene)
    scene.box.fault("answer-order")
    _applied(scene, judge, "ABO-025")


@pytest.mark.parametrize("fault", [pytest.param(name, marks=decides("ABO-026")) for name in ("answer-twice", "answer-again", "answer-bsn-twice")])
def test_answer_that_comes_again_changes_nothing(scene: Scene, judge: Judge, fault: str) -> None:
    """The same answer in the same message, in a new one, or with each citizen twice: it stays what it was, and the next request is answered too."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault(fault)
    with _asked(scene) as lijst:
        scene.wait(lambda: status(scene, lijst.verzoek) == RECEIVED)
        scene.quiet()
        wrong = lijst.what_is_wrong(scene)
    with _asked(scene, 1, 1) as following:
        wrong_after = following.what_is_wrong(scene)

    seen = "; ".join(filter(None, (wrong, f"the next request: {wrong_after}" if wrong_after else "")))
    judge.that("ABO-026", not wrong and not wrong_after, expected="the same as after the first time, and the next answer taken", seen=seen)


@decides("ABO-027")
def test_late_answer_is_taken(scene: Scene, judge: Judge) -> None:
    """The answer comes just before the four hours are over: until then the request is open, and after that it is answered."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault("late-answer", hours=3.98, times=None)
    with _asked(scene, 2, 1) as lijst:
        for _ in range(4):
            scene.quiet()
            scene.box.advance(minutes=55)
        before = status(scene, lijst.verzoek)
        scene.box.advance(minutes=19)
        wrong = lijst.what_is_wrong(scene)

    seen = f"{before}; then {wrong or RECEIVED}"
    judge.that("ABO-027", before == OPEN and not wrong, expected=f"{OPEN}; then {RECEIVED}, with what the answer says", seen=seen)


@pytest.mark.parametrize("fault", [pytest.param(name, marks=decides("ABO-028")) for name in ("answer-plain", "answer-octet-stream")])
def test_first_bytes_tell_whether_it_is_packed(scene: Scene, judge: Judge, fault: str) -> None:
    """An answer that is not packed is read, and so is a packed one that is called something else."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault(fault)
    _applied(scene, judge, "ABO-028")


@decides("ABO-029")
@pytest.mark.bulk
def test_gzip_bomb_is_survived(scene: Scene, judge: Judge) -> None:
    """An answer that unpacks to 64 MB and never ends well stands in front of the right one: the Afnemer is still there, and has the right one."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault("answer-bomb")
    try:
        with _asked(scene) as lijst:
            wrong = lijst.what_is_wrong(scene)
            scene.driver.health()
    except DriverError as error:  # it took an ordinary answer just before
        wrong = f"the Afnemer fell over: {type(error).__name__}"
    judge.that("ABO-029", not wrong, expected="the Afnemer well, and what the right answer says", seen=wrong)


@pytest.mark.parametrize("fault", [pytest.param(name, marks=decides("ABO-030")) for name in ("answer-unreadable", "answer-doctype")])
def test_unreadable_answer_blocks_nobody(scene: Scene, judge: Judge, fault: str) -> None:
    """An answer that breaks off, or that has a DOCTYPE, stands in front of the right one: that is taken, and nothing was fetched."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault(fault, **({"url": scene.canary} if fault == "answer-doctype" else {}))
    with _asked(scene) as lijst:
        wrong = lijst.what_is_wrong(scene)
        scene.quiet()
    fetched = scene.operations("kanarie")

    seen = "; ".join(filter(None, (wrong, f"{fetched} fetches" if fetched else "")))
    judge.that("ABO-030", not wrong and not fetched, expected="what the right answer says, and nothing fetched", seen=seen)


@decides("ABO-031")
def test_answer_to_what_was_never_asked_changes_nothing(scene: Scene, judge: Judge) -> None:
    """An answer to an unknown VerzoekId that says the reverse stands in front of the right one: only the right one is applied."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault("answer-unknown-verzoek")
    _applied(scene, judge, "ABO-031")


@decides("ABO-032")
def test_answer_that_breaks_off_changes_nothing(scene: Scene, judge: Judge) -> None:
    """The first half of the answer stands in front of the right one, under the same VerzoekId: nobody is taken for absent because of it."""
    at_night(scene)
    _check_takes_answers(scene)
    scene.box.fault("answer-cut")
    _applied(scene, judge, "ABO-032", _MANY_TAKERS)


@decides("ABO-038")
def test_citizen_who_was_not_asked_is_no_yes(scene: Scene, judge: Judge) -> None:
    """A citizen who is known to take no letters stands as active in the answer to a list without them: that makes no yes."""
    at_night(scene)
    with citizens(scene, takers=1, others=1) as (taker, stranger):
        if may_write(preferences(scene, ask(scene, Asked.BSN_LIJST, [stranger])), stranger):
            raise NotTestedError(Reason.NOT_SEEN, "the Afnemer takes a no for a yes; see ABO-021")
        scene.box.fault("answer-extra-bsn", bsn=stranger)
        told = recorded(scene, ask(scene, Asked.BSN_LIJST, [taker]))

    holds = told is not None and may_write(told, taker) and not may_write(told, stranger)
    judge.that("ABO-038", holds, expected="yes, no", seen=outcome(told, (taker, stranger)))
