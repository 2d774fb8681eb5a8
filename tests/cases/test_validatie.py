"""The cases on the validatieservice and on the check beforehand: who does it right passes, and each defect fails the case that is about it."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from conformance import selftest
from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.driver import Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.sending import Sender
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.sql import SqlLedger
from conformance.cases import test_controle as controle
from conformance.cases import test_validatie_regels as regels
from conformance.certification import connection_of
from conformance.selftest import REFERENCE, play_party
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.running import Selection
from conformance.stage.scene import Scene
from conformance.verdicts import Verdict

NOW = datetime(2026, 2, 2, 12, 30, tzinfo=UTC)
CONTROLE = {"ABO-040", "ABO-041", "ABO-042"}
QUICK = ("sends_without_a_check", "asks_about_five_hundred_at_once", "reads_by_place", "signs_its_questions")


@pytest.fixture
def only(monkeypatch):
    """Let a party play only the cases that decide these requirements."""

    def limit(*requirements):
        monkeypatch.setattr(selftest, "Selection", lambda *_, **more: Selection(frozenset(requirements), **more))

    return limit


@pytest.mark.parametrize("name", QUICK)
def test_defect_fails_its_own_case(only, name):
    """
    A defect is found by the case that is about it, and fails nothing else there.
    """
    only(*DEFECTS[name].fails)

    row = play_party(name)

    assert row.is_proven


def test_reference_fails_nothing(only):
    """
    Who asks beforehand, and takes answers for what they are, passes.
    """
    only("ABO-040", "ABO-041", "ABO-042", "VAL-001", "VAL-011", "VAL-016", "VAL-025")

    assert play_party(REFERENCE).failed == frozenset()


# -- what no defect shows --------------------------------------------------------------------------------------------------------------------


def asked(number, seq):
    return Bevraging(Asked.VALIDATIE, "00000099000000001000", NOW, NOW + timedelta(milliseconds=number), count=1, seq=seq)


def judged(bevragingen, asked_for=()):
    scene = SimpleNamespace(box=SimpleNamespace(bevragingen=lambda _mark: bevragingen), run_mark=None, asked_for=list(asked_for))
    judge = Judge("a", ["VAL-025"])
    regels.test_own_questions_stay_within_the_norm(scene, judge)
    (result,) = judge.results
    return result.verdict, result.seen


def test_norm_of_an_hour_is_kept():
    """
    A thousand questions in an hour are allowed, and one more is not.
    """
    many = [asked(number, number + 1) for number in range(1001)]

    assert judged(many[:1000]) == (Verdict.PASSED, "")
    assert judged(many) == (Verdict.FAILED, "hour from 2026-02-02 13:00+01:00: 1001 bevragingen, at most 1000")


def test_what_the_kit_asked_for_is_left_out():
    """
    Questions that a case wanted, and requests for abonnementen, are not the Afnemer's own.
    """
    many = [asked(number, number + 1) for number in range(1001)]

    assert judged([*many, replace(many[0], asked=Asked.ALLES, seq=2000)], [range(1, 2), range(5, 5)]) == (Verdict.PASSED, "")
    with pytest.raises(NotTestedError, match="asked nothing by itself"):
        judged(many, [range(1, 1002)])


class Choosy(Sender):
    """Sends nothing to who was never asked about, and asks nobody."""

    def deliver(self, letters, per_batch):
        if len(letters) > 1:
            raise ValueError("one by one, please")
        self.validator = None
        return super().deliver(letters, per_batch)

    def send(self, offer):
        self.store.narrow_offer(offer, ())


@pytest.fixture
def play(tmp_path):
    """Put an Afnemer on a stage, and give that."""
    with ExitStack() as stack:
        ledger = stack.enter_context(SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False))
        box = Berichtenbox(ledger, seed=1)
        urls = stack.enter_context(running(box, works_by_itself=False))

        def staged(**parts):
            made = type("Afnemer", (ReferenceAfnemer,), parts)(connection_of(box, urls, 1))
            stack.callback(made.close)
            return Scene(box, urls, Driver(PythonCaller.of(made)), reaction_s=0.2, seed=1)

        yield staged


@pytest.mark.parametrize("case", [controle.test_nobody_gets_a_letter_without_a_check, controle.test_result_does_not_stand_for_a_check])
def test_who_sends_and_asks_nothing_is_not_tested(play, case):
    """
    Nothing that was offered proves nothing, as long as nothing was asked.
    """
    with pytest.raises(NotTestedError, match="nothing was sent to a citizen who was not checked, and nothing was asked either"):
        case(play(sender_class=Choosy), Judge("a", CONTROLE))


def test_letter_that_everybody_misses_proves_no_refusal(play):
    """
    Who sends to nobody did not leave out who refused; letters that are refused together are delivered one by one.
    """
    with pytest.raises(NotTestedError, match="the letter to the citizen who says yes was never offered"):
        controle.test_who_refuses_gets_no_letter(play(sender_class=Choosy), Judge("a", CONTROLE))


class Trusting(Sender):
    """Sends to whom it does not know, and keeps back who refuses."""

    def wanted(self, offer):
        known = self.validator.known({self.recipient_of(bericht) for bericht in self.stored(offer)})
        refused = [bericht.bericht_id for bericht in self.stored(offer) if not known.get(self.recipient_of(bericht), True)]
        return self.without(offer, refused, "ander-kanaal")


@pytest.mark.parametrize("case", [controle.test_nobody_gets_a_letter_without_a_check, controle.test_result_does_not_stand_for_a_check])
def test_check_of_an_earlier_run_is_no_failure(play, case):
    """
    Who heeds a no may know a citizen from before: that is for the user to settle, and no verdict.
    """
    with pytest.raises(NotTestedError, match="let it begin with an empty database"):
        case(play(sender_class=Trusting), Judge("a", CONTROLE))


class Unasked(Sender):
    """Never asks."""

    def is_checked(self, _offer):
        return False


@pytest.mark.parametrize("error", [NotImplementedError(), ValueError("never")])
def test_who_cannot_even_ask_fails(play, error):
    """
    Without any way to ask there is no earlier check either.
    """

    def refuse(*_):
        raise error

    judge = Judge("a", CONTROLE)
    scene = play(sender_class=Unasked, abonnementen=refuse, validatie=refuse)

    controle.test_nobody_gets_a_letter_without_a_check(scene, judge)

    assert [result.verdict for result in judge.results] == [Verdict.FAILED]


def test_check_of_before_the_offer_counts(play):
    """
    What was asked in an earlier case, whatever the clock of the Berichtenbox said then, is a check.
    """
    scene, judge = play(), Judge("a", CONTROLE)
    scene.box.advance(hours=12)
    letter = scene.letter()
    scene.driver.validate(scene.bericht_type, [letter.bsn])
    scene.begin()
    scene.letter = lambda: letter

    controle.test_nobody_gets_a_letter_without_a_check(scene, judge)

    assert [result.verdict for result in judge.results] == [Verdict.PASSED]
