"""The cases of the abonnementservices of a Berichtenbox, where they cannot decide, or must ask again."""

from dataclasses import replace

import pytest

from conformance.berichtenbox.abonnementen import AbonnementService
from conformance.berichtenbox.citizens import Asked
from conformance.messages.identities import reserved_test_bsns
from conformance.stage.box_receiver import Reach
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.transport import pki
from conformance.verdicts import Reason, Verdict
from conformance.verification import simulated

ALL = frozenset({f"ABO-{number:03}" for number in range(60, 70)})


class ForgetsOnce(AbonnementService):
    """Leaves a citizen out of the first answer about everybody: she said yes just after that."""

    __slots__ = ()
    asked = 0

    def rows(self, asked, until):
        found = list(super().rows(asked, until))
        if asked.asked is Asked.ALLES:
            type(self).asked += 1
            return iter(found[2:] if self.asked == 1 else found)
        return iter(found)


@pytest.fixture
def stage(tmp_path, pki_directory):
    """The stage before a simulated Berichtenbox, over TLS."""
    with simulated(tmp_path, pki.load(pki_directory)) as made:
        yield made


@pytest.fixture
def box(stage):
    """That Berichtenbox from within."""
    return stage.receiver.reach.restart.__self__.box


def judged(stage, *requirements):
    """Run the cases of these requirements; return what they came to by requirement, and a transcript."""
    plugin = CasePlugin(
        stage,
        Selection(frozenset(requirements)),
        seed=2,
        evidence_name=lambda case: case,
        started=lambda _total: None,
        step=lambda _name, _outcome: None,
    )
    run = run_cases(plugin)
    return {result.requirement: result for result in run.results}, "".join(run.transcripts.values())


def test_right_berichtenbox_passes_everything(stage):
    """
    Every requirement is decided, and the requests with their answers are in the evidence of each case.
    """
    found, _ = judged(stage, *ALL)
    _, transcript = judged(stage, "ABO-069")

    assert {name: result.verdict for name, result in found.items()} == dict.fromkeys(ALL, Verdict.PASSED)
    assert transcript.count("<eb:Action>GLOBE-R-A-Request</eb:Action>") == 3
    assert transcript.count("<eb:Action>GLOBE-R-A-Result</eb:Action>") == 3


def test_live_one_that_does_not_answer_is_not_tested(stage, box):
    """
    Where nobody can wait for four hours, nothing is decided and everything says what to do; no further request is made.
    """
    box.fault("no-answer", times=None)
    stage.receiver.sender = replace(stage.receiver.sender, reaction_s=0.1)
    stage.receiver.reach = Reach(stage.receiver.reach.settle)
    found, transcript = judged(stage, *ALL)

    assert {result.verdict for result in found.values()} == {Verdict.NOT_TESTED}
    assert found["ABO-060"].reason is Reason.TIMEOUT
    assert found["ABO-061"].reason is Reason.NO_TRAFFIC
    assert "raise reaction_s" in found["ABO-060"].message
    assert found["ABO-069"].message.endswith("see ABO-060")
    assert transcript


def test_answer_that_never_comes_fails_only_its_own_requirement(stage, box):
    """
    With a clock that can be moved it is a failure, and what it would have said is not tested.
    """
    box.fault("no-answer", times=None)
    found, _ = judged(stage, "ABO-060", "ABO-062")

    assert found["ABO-060"].verdict is Verdict.FAILED
    assert "within 4 hours; seen none a day after that" in found["ABO-060"].message
    assert found["ABO-062"].verdict is Verdict.NOT_TESTED


def test_second_request_without_an_answer_leaves_the_comparison_undecided(stage, box):
    """
    A list alone can be judged, and not against everybody.
    """
    box.fault("no-answer", skip=1, times=None)
    found, _ = judged(stage, *ALL)

    assert found["ABO-060"].verdict is Verdict.FAILED
    assert (found["ABO-064"].verdict, found["ABO-064"].reason) == (Verdict.NOT_TESTED, Reason.NOT_SEEN)
    assert found["ABO-065"].verdict is Verdict.PASSED


def test_unreadable_answers_leave_the_rest_undecided(stage, box):
    """
    Of what cannot be read only that is judged.
    """
    box.fault("answer-unreadable", times=None)
    found, _ = judged(stage, "ABO-062", "ABO-066")

    assert found["ABO-062"].verdict is Verdict.FAILED
    assert (found["ABO-066"].verdict, found["ABO-066"].reason) == (Verdict.NOT_TESTED, Reason.NOT_SEEN)


def test_register_without_takers_decides_nothing_of_alles(stage, box):
    """
    Where nobody of the list takes letters, nobody can be missing.
    """
    for bsn in reserved_test_bsns():
        box.set_burger(bsn, wants=False)
    found, _ = judged(stage, "ABO-064", "ABO-065")

    assert (found["ABO-064"].verdict, found["ABO-064"].reason) == (Verdict.NOT_TESTED, Reason.NOT_SEEN)
    assert "give one of them an active Berichtenbox" in found["ABO-064"].message
    assert found["ABO-065"].verdict is Verdict.PASSED


def test_citizen_who_changes_in_between_is_no_failure(stage, box, monkeypatch):
    """
    When somebody is missing, both are asked again, and that decides.
    """
    monkeypatch.setattr(ForgetsOnce, "asked", 0)
    object.__setattr__(box.abonnementen, "__class__", ForgetsOnce)
    found, _ = judged(stage, "ABO-064")

    assert found["ABO-064"].verdict is Verdict.PASSED
    assert ForgetsOnce.asked == 2
