"""Generated results and answers for an Afnemer: who does it right is never caught, however slowly, and who does not is told with the smallest one."""

import re

import pytest

from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.driver import Delivered
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.receiving import Receiver
from conformance.certification import connection_of
from conformance.checking import check_file
from conformance.stage.drawing import Drawing
from conformance.stage.generated_answers import GeneratedAntwoorden, GeneratedValidaties
from conformance.stage.generated_results import GeneratedResults
from conformance.stage.judging import Judge, NotTestedError
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.verdicts import Reason, Verdict

DRAWING = Drawing(1, 12)
RESULTS = ("right", "nearly_right", "damaged")


class Slow(PythonCaller):
    """Drives an Afnemer that looks only now and then, and never says that it is idle."""

    asked = looked = 0

    def settle(self):
        self.asked += 1
        if not self.asked % 8:
            self.looked += 1
            self._party.work()
        return False


@pytest.fixture
def with_part(box, urls, make_scene):
    """Put an Afnemer with a defect on the stage."""
    parties = []

    def staged(name, **more):
        party = DEFECTS[name].make(connection_of(box, urls, 1))
        parties.append(party)
        return make_scene(PythonCaller.of(party), **more)

    yield staged
    for party in parties:
        party.close()


def judged(scene, *requirements):
    """Return what the quick cases judge, and their evidence."""
    plugin = CasePlugin(
        scene,
        Selection(frozenset(requirements), heavy=False),
        seed=1,
        evidence_name=str,
        started=lambda _total: None,
        step=lambda _name, _outcome: None,
    )
    run = run_cases(plugin)
    return {result.requirement: result for result in run.results}, run.transcripts


@pytest.mark.parametrize("name", RESULTS)
def test_slow_reader_is_not_caught(make_scene, party, name):
    """
    Who looks now and then gets all that was generated at once, and is waited for a few times only.
    """
    caller = Slow.of(party)
    scene = make_scene(caller, reaction_s=5.0)

    assert getattr(GeneratedResults(scene, DRAWING), name)() is None
    assert caller.looked <= 6
    assert len(scene.results()) >= 6


def test_who_does_not_keep_to_per_batch_is_not_caught(make_scene, party):
    """
    Letters that all come in one batch are answered a few at a time.
    """

    class OneBatch(PythonCaller):
        def call(self, verb, body=None, subject=None):
            return super().call(verb, {key: value for key, value in body.items() if key != "perBatch"} if body else body, subject)

    assert GeneratedResults(make_scene(OneBatch.of(party)), DRAWING).right() is None


def test_who_delivers_one_by_one_is_not_tested_on_more(scene, monkeypatch):
    """
    Without a batch of two there is nothing to say about two berichten.
    """
    monkeypatch.setattr(scene, "offers_of", lambda _delivered: [])

    with pytest.raises(NotTestedError, match="does not keep to perBatch") as raised:
        GeneratedResults(scene, DRAWING).right()

    assert raised.value.reason is Reason.NO_TRAFFIC


def test_what_never_arrives_is_caught(scene, monkeypatch):
    """
    An Afnemer that applies nothing is told with what stood in the result.
    """
    monkeypatch.setattr(Receiver, "apply", lambda *_arguments: None)

    caught = GeneratedResults(scene, DRAWING).right()

    assert "but it is aangeboden, code None, applied 0 times" in caught.wrong
    assert caught.example.how == "plainly"
    assert len(caught.example.codes) == 1


@pytest.mark.slow  # making it small takes seconds
def test_caught_result_is_explained(with_part):
    """
    The smallest one is the only one in the evidence, and `berichtenbox check` names a requirement that it breaks.
    """
    results, transcripts = judged(with_part("takes_what_it_finds"), "CONT-011")
    (told,) = transcripts.values()
    documents = re.findall(r"result \d+: \w+\n(?:  .*\n)*?    (<(?:.*\n)*?)(?=-{50}|\d{4}-)", told)

    assert results["CONT-011"].verdict is Verdict.FAILED
    assert "the smallest one is the last in the evidence" in results["CONT-011"].message
    findings = [check_file(re.sub(r"(?m)^    ", "", document).encode(), "bewijs.xml").findings for document in documents]
    assert [bool(found) for found in findings] == [True, False]


@pytest.mark.slow  # idem
def test_a_seed_repeats_what_is_caught(with_part):
    """
    Two runs with one seed tell the same, whatever the ids.
    """
    scene = with_part("stumbles_over_remarks")
    first, _ = judged(scene, "CONT-010")
    second, _ = judged(scene, "CONT-010")

    assert first["CONT-010"].message == second["CONT-010"].message
    assert "with remarks" in first["CONT-010"].message


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_slow_reader_of_answers_is_not_caught(make_scene, party, name):
    """
    All requests are answered before it looks.
    """
    caller = Slow.of(party)

    assert getattr(GeneratedAntwoorden(make_scene(caller, reaction_s=5.0), DRAWING), name)() is None
    assert caller.looked <= 8


@pytest.mark.parametrize("name", ["right", "wrong"])
def test_answers_of_the_validatieservice_are_in_the_evidence(scene, name):
    """
    The reference Afnemer is not caught, and of all answers the last one is kept.
    """
    judge = Judge("gegenereerd/x", ["CONT-015"])

    assert getattr(GeneratedValidaties(scene, DRAWING, judge), name)() is None
    assert len(judge.exchanges) == 1
    assert scene.box.rewrite_validatie is None


def test_no_bsn_is_told(with_part):
    """
    A yes without an answer is told, and nobody's number with it.
    """
    results, transcripts = judged(with_part("looks_for_true"), "CONT-016")

    assert results["CONT-016"].message.startswith("expected no yes; seen expected no yes, but it is ")
    assert not any("99999" in text for text in (*transcripts.values(), results["CONT-016"].message))


@pytest.mark.parametrize(
    ("name", "requirement"), [("skips_lines_that_it_cannot_read", "CONT-014"), ("stumbles_over_remarks_in_an_outcome", "CONT-015")]
)
def test_wrong_reader_of_answers_is_caught(with_part, name, requirement):
    """
    What it makes of an answer is told beside what the answer says.
    """
    results, _ = judged(with_part(name), requirement)

    assert results[requirement].verdict is Verdict.FAILED
    assert "yes, yes, no, but it is" in results[requirement].message


@pytest.mark.slow  # the selftest plays them too, among all cases on what is generated
@pytest.mark.parametrize("name", [name for name, found in DEFECTS.items() if any(one.startswith("CONT-") for one in found.fails)][::4])
def test_every_defect_is_caught(with_part, name):
    """
    Each Afnemer that reads one thing wrongly is caught by the requirement that it breaks.
    """
    fails = sorted(DEFECTS[name].fails)[:1]

    results, _ = judged(with_part(name), *fails)

    assert [results[requirement].verdict for requirement in fails] == [Verdict.FAILED]


def test_damage_that_does_no_harm_is_no_finding(scene, monkeypatch):
    """
    An answer that can still be read is one.
    """
    monkeypatch.setattr("conformance.stage.generated_answers.in_body", lambda _answer, _bsns, envelope: envelope)

    assert GeneratedValidaties(scene, DRAWING, Judge("gegenereerd/x", ["CONT-016"])).wrong() is None


def test_undriven_afnemer_is_not_caught(make_scene, party):
    """
    A case without letters decides nothing: what never came cannot be answered.
    """

    class Idle(PythonCaller):
        def settle(self):
            return True

    scene = make_scene(Idle.of(party))
    scene.driver.deliver = lambda letters, _per_batch=None: tuple(Delivered("7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a011", "x") for _ in letters)

    with pytest.raises(NotTestedError, match="never reached the Berichtenbox"):
        GeneratedResults(scene, DRAWING).damaged()
