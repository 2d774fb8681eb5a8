"""The check beforehand: a letter goes to whose abonnement was checked in the last seven days, and not to who was checked and refused.

These cases come before all others: once somebody asks for all abonnementen, every citizen was checked.
"""

from collections.abc import Sequence
from dataclasses import replace

from conformance.afnemer.driver import CannotDo, DriverError, Letter, Refused
from conformance.berichtenbox.checks import NOT_CHECKED, Checks
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.rules.findings import Finding
from conformance.stage.asking import ask, at_night, preferences
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene, Seen
from conformance.stage.validating import declining, readable_question
from conformance.verdicts import Reason

_HINT = "has it the address of the validatieservice (BERICHTENBOX_WUS), or is it to ask for abonnementen first?"


@decides("ABO-040")
def test_nobody_gets_a_letter_without_a_check(scene: Scene, judge: Judge) -> None:
    """To a citizen about whom nothing was asked, a letter goes after a check, or not at all."""
    judge.findings("ABO-040", _sent_unchecked(scene, scene.letter()))


@decides("ABO-041")
def test_who_refuses_gets_no_letter(scene: Scene, judge: Judge) -> None:
    """Of two citizens who were asked about, the one who says no gets nothing in the Berichtenbox, and the other gets a letter."""
    has_wanted, has_refused = _offered_to_yes_and_no(scene)
    if not has_wanted and not has_refused:
        raise NotTestedError(Reason.NO_TRAFFIC, "the letter to the citizen who says yes was never offered")

    judge.that("ABO-041", not has_refused, expected="no letter to who said no when it was asked", seen="a letter")


@decides("ABO-042")
def test_result_does_not_stand_for_a_check(scene: Scene, judge: Judge) -> None:
    """A letter to a citizen without an active Berichtenbox, about whom nothing was asked, does not go out to see what the result says."""
    letter = scene.letter()
    with declining(scene, [letter.bsn]):
        unchecked = _sent_unchecked(scene, letter)

    judge.that("ABO-042", not unchecked, expected="a check beforehand", seen="an offer without one, that ends in NietActiefOfGeabonneerd")


def _sent_unchecked(scene: Scene, letter: Letter) -> Sequence[Finding]:
    """Have a letter delivered to a citizen about whom nothing was asked, and return what is against it.

    Raises :class:`NotTestedError` when nothing is offered or asked, and when the Afnemer may have the check of an earlier run.
    """
    seen = _delivered(scene, [letter])
    if not seen and not _asked_about(scene, letter.bsn):
        raise NotTestedError(Reason.NO_TRAFFIC, f"nothing was sent to a citizen who was not checked, and nothing was asked either: {_HINT}")
    unchecked = _unchecked(scene, seen)
    if unchecked and _heeds_a_no(scene):
        text = "a letter went out without a check in this run, by an Afnemer that does heed a no: let it begin with an empty database, for it may"
        raise NotTestedError(Reason.NOT_SEEN, f"{text} know this citizen from an earlier run; if it does not, it takes who is unknown for a yes")
    return unchecked


def _heeds_a_no(scene: Scene) -> bool:
    """Tell whether the Afnemer keeps back what a citizen refuses, as far as that can be seen."""
    try:
        return _offered_to_yes_and_no(scene) == (True, False)
    except (DriverError, NotTestedError):
        return False


def _offered_to_yes_and_no(scene: Scene) -> tuple[bool, bool]:
    """Have two citizens asked about, of whom the second says no, and tell which of them has a letter offered after that."""
    letters = scene.letters(2)
    bsns = [letter.bsn for letter in letters]
    with declining(scene, bsns[1:]):
        _have_checked(scene, bsns)
        offered = {entry.bericht.gebruiker_id for entry in _delivered(scene, letters)}
    return bsns[0] in offered, bsns[1] in offered


def _delivered(scene: Scene, letters: Sequence[Letter]) -> Sequence[Seen]:
    """Have letters delivered, one by one when they are refused together, and return what was offered of them."""
    try:
        scene.driver.deliver(letters)
    except Refused:
        for letter in letters:
            _deliver_unless_refused(scene, letter)
    scene.wait(lambda: len(scene.seen_by(letters)) >= len(letters))
    scene.quiet()
    return scene.seen_by(letters)


def _deliver_unless_refused(scene: Scene, letter: Letter) -> None:
    try:
        scene.driver.deliver([letter])
    except Refused:
        return


def _have_checked(scene: Scene, bsns: Sequence[str]) -> None:
    """Have the Afnemer ask about citizens: for their abonnementen, or of the validatieservice when it does not use those."""
    try:
        at_night(scene)
        preferences(scene, ask(scene, Asked.BSN_LIJST, bsns))
    except (CannotDo, Refused):
        readable_question(scene, bsns)


def _asked_about(scene: Scene, bsn: str) -> bool:
    """Tell whether something was asked in this case that is about a citizen, answered or not."""
    asked = scene.box.bevragingen(scene.start)
    return any(one.asked is Asked.ALLES or (one.bsns is not None and one.bsns.has(bsn)) for one in asked)


def _unchecked(scene: Scene, seen: Sequence[Seen]) -> Sequence[Finding]:
    """Return what was offered without a check before it.

    Moments are those on the wall: the cases move the clock of the Berichtenbox about, and the Afnemer keeps to its own.
    """
    checks = Checks(scene.box.ledger.citizens, [_by_wall(asked) for asked in scene.box.ledger.citizens.bevragingen(0)])
    found: list[Finding] = []
    for entry in seen:
        offer = replace(entry.offer, business=entry.offer.wall)
        found += checks.findings(offer, replace(entry.batch, berichten=(entry.bericht,)))
    return [finding for finding in found if finding.requirement == NOT_CHECKED]


def _by_wall(asked: Bevraging) -> Bevraging:
    return replace(asked, moment=asked.wall)
