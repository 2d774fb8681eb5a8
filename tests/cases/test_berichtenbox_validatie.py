"""The cases of the validatieservice of a Berichtenbox, where they cannot decide."""

from itertools import count

import pytest

from conformance.limits import limits
from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import NotTestedError
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.transport import pki
from conformance.verdicts import Reason, Verdict
from conformance.verification import simulated

ALL = frozenset({f"VAL-{number:03}" for number in range(60, 65)})


@pytest.fixture
def stage(tmp_path, pki_directory):
    """The stage before a simulated Berichtenbox, over TLS."""
    with simulated(tmp_path, pki.load(pki_directory)) as made:
        yield made


def judged(stage, *requirements):
    """Run the cases of these requirements; return what they came to by requirement."""
    plugin = CasePlugin(
        stage,
        Selection(frozenset(requirements)),
        seed=2,
        evidence_name=None,
        started=lambda _total: None,
        step=lambda _name, _outcome: None,
    )
    return {result.requirement: result for result in run_cases(plugin).results}


def breaking_off(after):
    """Return an ``ask`` that gets no answer any more after so many."""
    asked, plain = count(), BoxStage.ask

    def ask(self, content, **how):
        if next(asked) >= after:
            raise NotTestedError(Reason.UNREACHABLE, "it did not answer in time")
        return plain(self, content, **how)

    return ask


def test_right_berichtenbox_passes_everything(stage):
    """
    Every requirement is decided.
    """
    found = judged(stage, *ALL)

    assert {name: result.verdict for name, result in found.items()} == dict.fromkeys(ALL, Verdict.PASSED)


def test_who_refuses_everything_proves_nothing(stage):
    """
    Without an answer to a plain question a refusal means nothing.
    """
    stage.receiver.reach.restart.__self__.box.fault("register-down", times=None)
    found = judged(stage, *ALL)

    assert {(result.verdict, result.reason) for result in found.values()} == {(Verdict.NOT_TESTED, Reason.NO_TRAFFIC)}


def test_no_answer_within_the_norm_is_too_slow(stage, monkeypatch):
    """
    Who is given up after more than the norm was too slow.
    """
    moments = iter([0.0, limits().validatie_within.total_seconds() + 0.1, limits().validatie_within.total_seconds() + 0.2])
    stage.receiver.reach = stage.receiver.reach.__class__(seconds=moments.__next__)
    monkeypatch.setattr(BoxStage, "ask", breaking_off(1))
    found = judged(stage, "VAL-061")

    assert found["VAL-061"].verdict is Verdict.FAILED
    assert found["VAL-061"].seen == "30.2 s"


def test_nobody_there_is_not_slow(stage, monkeypatch):
    """
    Who is not there any more leaves it undecided.
    """
    monkeypatch.setattr(BoxStage, "ask", breaking_off(1))
    found = judged(stage, "VAL-061")

    assert (found["VAL-061"].verdict, found["VAL-061"].reason) == (Verdict.NOT_TESTED, Reason.UNREACHABLE)
