"""The run of the cases inside this process: which ones, in which order, and what becomes of what they raise."""

import ast
from pathlib import Path

import pytest

from conformance.afnemer.driver import TimedOut, Verb
from conformance.catalogue import catalogue
from conformance.report.evidence import evidence_name
from conformance.stage import running
from conformance.stage.judging import NotTestedError
from conformance.stage.running import CasePlugin, CaseRun, Selection, collected, run_cases
from conformance.verdicts import Reason, Verdict

CASES = sorted((Path(running.__file__).parent.parent / "cases").glob("test_*.py"))
EVERY = collected()
NOT_ON_THE_ADAPTER = ("ebms_", "tls_", "berichtenbox_")


@pytest.fixture
def run(make_scene, callers):
    """Run cases with an Afnemer that raises whatever it is asked; return the run, and the steps and totals that were told."""

    def run_with(error, selection, *, seed=1, begin=None, evidence=False):
        scene, steps, totals = make_scene(callers.refusing(error)), [], []
        if begin is not None:
            scene.begin = begin
        plugin = CasePlugin(
            scene,
            selection,
            seed=seed,
            evidence_name=(lambda case: evidence_name(case, 1, "txt")) if evidence else None,
            started=totals.append,
            step=lambda case, verdict: steps.append((case, verdict)),
        )
        return run_cases(plugin), steps, totals

    return run_with


@pytest.fixture
def order(run):
    """Return the cases of a selection in the order in which they run, without running what is in them."""

    def not_now():
        raise NotTestedError(Reason.KIT_LIMIT, "not now")

    def order_of(selection, seed=1):
        return [case for case, _ in run(TimedOut("no answer"), selection, seed=seed, begin=not_now)[1]]

    return order_of


# -- the cases themselves --------------------------------------------------------------------------------------------------------------------


def test_every_case_is_collected():
    """
    The modules with cases all have some, and a rule a case.
    """
    modules = {case.partition("/")[0] for case, _, _ in EVERY}

    assert modules == {path.stem.removeprefix("test_") for path in CASES}
    assert len(EVERY) == len({case for case, _, _ in EVERY}) > 100


def test_collecting_has_no_effect_on_itself():
    """
    Asking again gives the same answer.
    """
    assert collected.__wrapped__() == EVERY


def test_every_case_decides_what_exists():
    """
    Each case decides at least one requirement of the catalogue, and one with an Afnemer none that binds only Logius.
    """
    for case, requirements, _is_heavy in EVERY:
        assert requirements, case
        assert set(requirements) <= set(catalogue()), case
        assert case.startswith("berichtenbox_") or [name for name in requirements if catalogue()[name].binds == "logius"] == [], case


def test_heavy_cases_are_told_apart():
    """
    Only what moves a million BSNs or more than 100 MB is heavy.
    """
    assert [requirements for _, requirements, is_heavy in EVERY if is_heavy] == [("AANL-095",), ("ABO-037",)]


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_every_case_says_what_it_asks(path):
    """
    Each case has a docstring that is one sentence: it stands in the reports.
    """
    functions = [
        node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    without = [function.name for function in functions if not (ast.get_docstring(function) or "").endswith(".")]

    assert functions
    assert without == []


# -- which cases, and in which order ---------------------------------------------------------------------------------------------------------


def test_selection_is_by_requirement(run):
    """
    Cases that decide a selected requirement run, and only the selected ones of theirs are kept.
    """
    played, steps, totals = run(TimedOut("no answer"), Selection(frozenset({"HERL-002", "VERW-001"})))

    assert totals == [2]
    assert {case for case, _ in steps} == {"herlevering/everything_is_delivered_again", "verwerkingsberichten/result_is_fetched_and_marked"}
    assert {result.requirement for result in played.results} == {"HERL-002", "VERW-001"}


def test_empty_selection_runs_nothing(run):
    """
    A requirement that no case decides leaves an empty run, which is no error here.
    """
    assert run(TimedOut("no answer"), Selection(frozenset({"VERW-036"}))) == (CaseRun(), [], [0])


@pytest.mark.parametrize(
    ("selection", "left_out"),
    [
        (Selection(), set()),
        (Selection(heavy=False), {"aanleveren/a_batch_is_split_on_bytes", "abonnementen/million_citizens_are_asked_about"}),
        (
            Selection(bulk=False),
            {
                "aanleveren/a_batch_is_split_on_bytes",
                "aanleveren/more_than_a_thousand_are_split",
                "abonnementen/million_citizens_are_asked_about",
                "abonnementen_antwoorden/gzip_bomb_is_survived",
                *(case for case, _, _ in EVERY if case.startswith("gegenereerd/")),
                "herlevering/live_traffic_goes_on",
                "validatie_antwoorden/right_answer_is_understood[slow-values5]",
                "verwerkingsberichten/a_thousand_berichten_in_one_result",
                "verwerkingsberichten/gzip_bomb_is_not_unpacked",
                "verwerkingsberichten/trouble_on_the_queue_is_survived[slow-fetch-1-values1]",
            },
        ),
    ],
)
def test_large_cases_can_be_left_out(order, selection, left_out):
    """
    Without heavy or bulk cases everything else runs that the adapter face has.
    """
    of_the_face = {case for case, _, _ in EVERY if not case.startswith(NOT_ON_THE_ADAPTER)}

    assert of_the_face - set(order(selection)) == left_out


def test_seed_decides_the_order(order):
    """
    The same seed gives the same order, another one another; what nobody may have asked before is first, the rules over all that was offered are last.
    """
    one, same, other = order(Selection(), 1), order(Selection(), 1), order(Selection(), 2)
    modules = [case.partition("/")[0] for case in one]
    are_rules, are_first = [name.endswith("_regels") for name in modules], [name == "controle" for name in modules]

    assert one == same
    assert one != other
    assert sorted(one) == sorted(other)
    assert are_rules == sorted(are_rules)
    assert are_first == sorted(are_first, reverse=True)
    assert any(are_first)


@pytest.mark.parametrize("only", ["EBMS-001", None])
def test_case_about_what_is_not_there_is_left_out(run, only):
    """
    On the adapter face no case about the wire runs: what it decides does not apply, and that is no undecided requirement.
    """
    played, steps, totals = run(TimedOut("no answer"), Selection(only and frozenset({only})), begin=_nothing)
    left_out = [result for result in played.results if result.case.startswith(("ebms_", "tls_"))]

    assert left_out
    assert {(result.verdict, result.reason) for result in left_out} == {(Verdict.NOT_APPLICABLE, Reason.FACE_NOT_USED)}
    assert {result.message.partition(" no ")[0] for result in left_out} == {"this run has"}
    assert {result.case for result in left_out}.isdisjoint(case for case, _ in steps)
    assert only is None or (totals == [0] and {result.requirement for result in played.results} == {only})


@pytest.mark.parametrize(
    ("requirement", "reason"), [("EBMS-100", Reason.OTHER_PARTY), ("WUS-003", Reason.OTHER_PARTY), ("TLS-020", Reason.FACE_NOT_USED)]
)
def test_case_of_another_party_is_left_out(run, requirement, reason):
    """
    With an Afnemer no case of a Berichtenbox runs; where the Afnemer has a case of its own, that says why it does not apply.
    """
    played, _, _ = run(TimedOut("no answer"), Selection(frozenset({requirement})), begin=_nothing)

    assert {(result.verdict, result.reason) for result in played.results} == {(Verdict.NOT_APPLICABLE, reason)}


def _nothing():
    raise NotTestedError(Reason.KIT_LIMIT, "not now")


# -- what becomes of errors ------------------------------------------------------------------------------------------------------------------


def test_error_of_the_driver_leaves_a_case_untested(run):
    """
    An Afnemer that does not answer is not tested; the case is told with that.
    """
    played, steps, _ = run(TimedOut("no answer", verb=Verb.BERICHTEN), Selection(frozenset({"VERW-001"})))

    (result,) = played.results
    assert (result.verdict, result.reason, result.message) == (Verdict.NOT_TESTED, Reason.TIMEOUT, "berichten: no answer")
    assert steps == [("verwerkingsberichten/result_is_fetched_and_marked", Verdict.NOT_TESTED)]
    assert result.evidence == ()


def test_crash_of_a_case_is_an_error_of_the_kit(run):
    """
    What nobody expected is never the Afnemer's, and never green.
    """
    played, _, _ = run(LookupError("a mistake for 999990019"), Selection(frozenset({"VERW-001"})))

    (result,) = played.results
    assert (result.verdict, result.message) == (Verdict.KIT_ERROR, "LookupError: a mistake for 9999*****")


@pytest.mark.parametrize(
    ("error", "verdict", "reason"), [(TimedOut("no answer"), Verdict.NOT_TESTED, Reason.TIMEOUT), (LookupError("a mistake"), Verdict.KIT_ERROR, None)]
)
def test_trouble_before_a_case_is_kept(run, error, verdict, reason):
    """
    When what the rules look at cannot be delivered, each of them is told so.
    """
    played, steps, _ = run(error, Selection(frozenset({"AANL-020", "AANL-011"})))

    assert {(result.requirement, result.verdict, result.reason) for result in played.results} == {
        ("AANL-020", verdict, reason),
        ("AANL-011", verdict, reason),
    }
    assert all(case.startswith("aanleveren_regels/") for case, _ in steps)


def test_case_that_cannot_begin_is_an_error_of_the_kit(run):
    """
    A stage that cannot be cleaned is a crash of ours.
    """

    def broken():
        raise OSError("the ledger is gone")

    played, _, _ = run(TimedOut("no answer"), Selection(frozenset({"VERW-001"})), begin=broken)

    assert [(result.verdict, result.message) for result in played.results] == [(Verdict.KIT_ERROR, "OSError: the ledger is gone")]


def test_case_that_decides_nothing_is_an_error_of_the_kit(scene, monkeypatch):
    """
    A case of ours that ends without a judgement is not passed.
    """
    monkeypatch.setattr("conformance.stage.judging.Judge.that", lambda *_, **__: True)
    plugin = CasePlugin(
        scene, Selection(frozenset({"VERW-001"})), seed=1, evidence_name=None, started=lambda _: None, step=lambda _case, _verdict: None
    )

    (result,) = run_cases(plugin).results
    assert result.verdict is Verdict.KIT_ERROR
    assert "did not decide VERW-001" in result.message


def test_plugins_are_not_misled_by_a_broken_run(run, monkeypatch, tmp_path):
    """
    When pytest itself cannot run the cases that is said, and no verdict is given.
    """
    monkeypatch.setattr(running, "_CASES", tmp_path / "nowhere")

    with pytest.raises(RuntimeError, match="the cases could not be run: pytest ended with"):
        run(TimedOut("no answer"), Selection())


def test_ctrl_c_is_passed_on(scene, monkeypatch):
    """
    Who interrupts a run is no error of the kit: pytest makes an exit code of it, and the interrupt itself comes out.
    """

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("conformance.stage.judging.Judge.that", interrupt)
    plugin = CasePlugin(
        scene, Selection(frozenset({"VERW-001"})), seed=1, evidence_name=None, started=lambda _: None, step=lambda _case, _verdict: None
    )

    with pytest.raises(KeyboardInterrupt):
        run_cases(plugin)


# -- evidence --------------------------------------------------------------------------------------------------------------------------------


def test_each_case_has_a_transcript(scene):
    """
    The evidence of a verdict is what went over the line in its case.
    """
    plugin = CasePlugin(
        scene,
        Selection(frozenset({"VERW-001", "AANL-020"})),
        seed=1,
        evidence_name=lambda case: evidence_name(case, 1, "txt"),
        started=lambda _: None,
        step=lambda _case, _verdict: None,
    )
    played = run_cases(plugin)

    names = {result.requirement: result.evidence for result in played.results}
    assert {result.verdict for result in played.results} == {Verdict.PASSED}
    assert names["VERW-001"] == ("evidence/verwerkingsberichten-result-is-fetched-and-marked-01.txt",)
    assert set(played.transcripts) == {name for found in names.values() for name in found}
    assert "Berichtenbox -> Afnemer, result" in played.transcripts[names["VERW-001"][0]]


def test_broken_rule_shows_the_offers_that_break_it(scene, party):
    """
    A rule looks at the whole run: its evidence holds what it objects to, though an earlier case brought it.
    """
    payload_of = party.sender.payload_of
    party.sender.payload_of = lambda batch: payload_of(batch).replace(b"?>", b"?><!DOCTYPE Berichten>", 1)
    plugin = CasePlugin(
        scene,
        Selection(frozenset({"AANL-021"})),
        seed=1,
        evidence_name=lambda case: evidence_name(case, 1, "txt"),
        started=lambda _: None,
        step=lambda _case, _verdict: None,
    )
    played = run_cases(plugin)

    (result,) = played.results
    assert result.verdict is Verdict.FAILED
    assert "Afnemer -> Berichtenbox, offer" in played.transcripts[result.evidence[0]]
