"""The abonnementservices of a Berichtenbox: what it answers to who asks for a list, for everybody, and for what changed.

Nobody knows what its register holds: an answer is compared with its request and with the other answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest

from conformance.limits import limits
from conformance.messages.abonnement import Soort
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, Action
from conformance.messages.identities import reserved_test_bsns
from conformance.rules.abonnement import AntwoordReading, grade_antwoord
from conformance.rules.findings import Finding, Grading
from conformance.stage.box_asking import AbonnementAsker, Gevraagd
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.verdicts import Reason

pytestmark = needs("berichtenbox", "ebms")

_RULES: Final = ("ABO-061", "ABO-062", "ABO-063", "ABO-065", "ABO-066", "ABO-067", "ABO-068")
_LISTED: Final = BsnList.of(bsn for number, bsn in enumerate(reserved_test_bsns()) if number % 3)
"""Two of every three reserved test BSNs: so a Berichtenbox that answers about others than were asked is seen to do so."""
_RECENTLY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with its answer, as far as there is one, and what the rules say of that."""

    gevraagd: Gevraagd
    grading: Grading
    reading: AntwoordReading | None


class _Round:
    """The three requests of a run, each asked once; one that is not answered is the last."""

    def __init__(self, stage: BoxStage) -> None:
        self._asker = AbonnementAsker(stage.receiver)
        self.all: list[_Asked] = []
        asking: Mapping[Soort, Callable[[], _Asked]] = {Soort.BSN_LIJST: self.lijst, Soort.ALLES: self.alles, Soort.MUTATIES: self.mutaties}
        for ask in asking.values():
            self.all.append(ask())
            if self.all[-1].gevraagd.answer is None:
                break

    def lijst(self) -> _Asked:
        return _judged(self._asker.ask(_LISTED))

    def alles(self) -> _Asked:
        return _judged(self._asker.ask())

    def mutaties(self) -> _Asked:
        return _judged(self._asker.ask(vanaf=_RECENTLY))

    def answered(self, judge: Judge) -> Sequence[_Asked]:
        """Return what was answered, and show everything in the evidence of this case; raises :class:`NotTestedError` when nothing was."""
        judge.exchanges += [exchange for one in self.all for exchange in one.gevraagd.exchanges]
        found = [one for one in self.all if one.gevraagd.answer is not None]
        if not found:
            raise NotTestedError(Reason.NO_TRAFFIC, f"the Berichtenbox answered no request: {self.all[-1].gevraagd.why_not}; see ABO-060")
        return found


def _judged(gevraagd: Gevraagd) -> _Asked:
    return _Asked(gevraagd, *grade_antwoord(gevraagd.payload, gevraagd.aanvraag))


@pytest.fixture(scope="session")
def asked(berichtenbox: BoxStage) -> _Round:
    """Give the requests of this run with their answers."""
    berichtenbox.receiver.begin()
    return _Round(berichtenbox)


@decides("ABO-060")
def test_answer_comes_within_four_hours(asked: _Round, judge: Judge) -> None:
    """Each request is answered within the norm; on a Berichtenbox whose clock cannot be moved no answer at all decides nothing."""
    judge.exchanges += [exchange for one in asked.all for exchange in one.gevraagd.exchanges]
    for one in asked.all:
        gevraagd = one.gevraagd
        if gevraagd.is_in_time is None:
            raise NotTestedError(Reason.TIMEOUT, gevraagd.why_not)
        late = "none a day after that" if gevraagd.answer is None else "an answer after that"
        expected = f"an answer to the request for {gevraagd.aanvraag.soort} within {limits().abonnement_within.seconds // 3600} hours"
        judge.that("ABO-060", gevraagd.is_in_time, expected=expected, seen=late)


@pytest.mark.parametrize("requirement", [pytest.param(name, marks=decides(name)) for name in _RULES])
def test_rule_holds_on_every_answer(asked: _Round, judge: Judge, requirement: str) -> None:
    """Every answer obeys this rule."""
    answered = asked.answered(judge)
    found: list[Finding] = [finding for one in answered for finding in one.grading.of(requirement)]
    if not found and not any(requirement in one.grading.decided for one in answered):
        raise NotTestedError(Reason.NOT_SEEN, "no answer can be read so far that this is decided; see ABO-062")
    judge.findings(requirement, found)


@decides("ABO-064")
def test_alles_holds_who_is_in_a_list(asked: _Round, judge: Judge) -> None:
    """Whoever takes letters by the answer to a list is in the answer to a request for everybody, or is so when both are asked again."""
    asked.answered(judge)
    missing = _missing(asked.all[:2])
    if missing:  # a citizen may change in between
        again = [asked.lijst(), asked.alles()]
        judge.exchanges += [exchange for one in again for exchange in one.gevraagd.exchanges]
        missing = _missing(again)
    judge.that("ABO-064", not missing, expected="everybody who takes letters by the answer to a list", seen=f"{missing} of them missing")


def _missing(pair: Sequence[_Asked]) -> int:
    """Return how many are in the answer to a list and not in that to a request for everybody."""
    readings = [one.reading for one in pair if one.reading is not None]
    if len(readings) < 2:  # that of the list, and that of everybody
        raise NotTestedError(Reason.NOT_SEEN, "one of both answers is not there, or cannot be read; see ABO-060 and ABO-062")
    lijst, alles = readings
    listed = set(lijst.actief.numbers)
    if not listed:
        text = "nobody in a list of reserved test BSNs takes letters of this Afnemer; give one of them an active Berichtenbox first"
        raise NotTestedError(Reason.NOT_SEEN, text)
    return len(listed.difference(alles.together().numbers))


@decides("ABO-069")
def test_answer_is_a_result_in_reverse(asked: _Round, judge: Judge) -> None:
    """The action is GLOBE-R-A-Result, the roles are those of the request the other way around, and a RefToMessageId is that of the request."""
    for one in asked.answered(judge):
        answer, request = one.gevraagd.answer, one.gevraagd.request
        if answer is not None:
            is_right_way = (answer.sender.role, answer.receiver.role) == (ROLE_LOGIUS, ROLE_AFNEMER)
            is_about_it = answer.ref_to_message_id in {None, request.message_id}
            reference = "a RefToMessageId that fits" if is_about_it else "another RefToMessageId"
            judge.that(
                "ABO-069",
                answer.action == Action.A_RESULT and is_right_way and is_about_it,
                expected=f"action {Action.A_RESULT} from {ROLE_LOGIUS} to {ROLE_AFNEMER}, about MessageId {request.message_id} or nothing",
                seen=f"action {answer.action} from {answer.sender.role} to {answer.receiver.role}, with {reference}",
            )
