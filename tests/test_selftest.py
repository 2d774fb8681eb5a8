"""The kit tested by what it must find: defects, null parties, and the reference Afnemer that fails nothing."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from conformance import selftest
from conformance.afnemer.defects import DEFECTS
from conformance.berichtenbox.defects import LEGAL_RESULTS, RESULT_DEFECTS, correct, known
from conformance.catalogue import catalogue
from conformance.progress import PlainProgress, SilentProgress
from conformance.rules.grading import grade_result
from conformance.selftest import BOXES, LINES, NULL_PARTIES, REFERENCE, Row, SelftestResult, UnknownDefectError, play_party, run_selftest
from conformance.stage.running import Selection, collected
from conformance.verdicts import CaseResult, Reason, Verdict

GOOD = Row("loses_a_letter", "Loses a letter.", frozenset({"AANL-015"}), frozenset({"AANL-015", "AANL-054"}), frozenset(), frozenset(), 3)
SEEN_IN_A_WHOLE_RUN = {"derives_the_message_id_from_the_batch", "uses_a_bericht_id_for_many_letters", "fills_a_template_without_escaping"}
BAD = Row(
    "does_nothing_wrong",
    "Does nothing wrong.",
    frozenset({"AANL-015", "AANL-016"}),
    frozenset({"HERL-001", "AFW-001"}),
    frozenset({"AANL-015", "AANL-016"}),
    frozenset({"HERL-001", "AFW-001"}),
)


@pytest.fixture
def only(monkeypatch):
    """Let a party play only the cases that decide these requirements."""

    def limit(*requirements):
        monkeypatch.setattr(selftest, "Selection", lambda *_, **__: Selection(frozenset(requirements)))

    return limit


@pytest.fixture
def claim(monkeypatch):
    """Let there be one defect, that plays as another one and claims what it likes."""

    def register(like, *fails, also=()):
        made = selftest.Defect("claims_too_much", "Claims too much.", frozenset(fails), frozenset(also), None, bulk=False, make=DEFECTS[like].make)
        monkeypatch.setattr(selftest, "DEFECTS", {made.name: made})
        return made.name

    return register


# -- one party -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("names_another_cpa", "AANL-001"),
        ("looks_up_the_nil_bericht_id", "VERW-011"),
        ("rounds_the_window_to_minutes", "HERL-005"),
        ("never_stops_offering", "AFW-011"),
        ("keeps_codes_as_numbers", "VERW-007"),
    ],
)
def test_defect_fails_its_own_case(only, name, requirement):
    """
    A defect in each subject is found by the case that is about it.
    """
    only(requirement)

    row = play_party(name)

    assert requirement in row.failed
    assert row.unrelated == frozenset()
    assert (row.does, row.pitfall) == (DEFECTS[name].does, DEFECTS[name].pitfall)


def test_reference_fails_nothing(only):
    """
    Who does it right fails nothing, and need not fail anything.
    """
    only("AANL-001", "VERW-011", "HERL-005", "AFW-011")

    row = play_party(REFERENCE)

    assert row == Row(REFERENCE, "Does it right.", frozenset(), frozenset(), frozenset(), frozenset())
    assert row.is_proven


def test_false_claim_is_found(only, claim):
    """
    A defect that does not fail what it says, and fails what it does not say, proves the opposite of what it should.
    """
    only("VERW-011", "HERL-005")
    name = claim("looks_up_the_nil_bericht_id", "HERL-005")

    row = play_party(name)

    assert not row.is_proven
    assert (row.missed, row.unrelated) == (frozenset({"HERL-005"}), frozenset({"VERW-011"}))
    assert (
        SelftestResult((row,), ())
        .render()
        .startswith("NOT claims_too_much: -\n      did not fail HERL-005\n      failed, and should not: VERW-011\n0 of 1 parties")
    )


def test_what_follows_from_a_defect_is_no_false_alarm(only, claim):
    """
    A requirement that fails along may be named, or belong to a named family.
    """
    only("VERW-011", "AFW-019")
    row = play_party(claim("looks_up_the_nil_bericht_id", "AFW-019", also=["VERW-*"]))

    assert row.is_proven
    assert "AFW-019 (and what follows: VERW-011)" in SelftestResult((row,), ()).render()


def test_heavy_cases_are_for_who_needs_them(monkeypatch):
    """
    Cases that move much are played only against a defect that asks for them.
    """
    asked = {}
    monkeypatch.setattr(selftest, "_play", lambda make, selection: asked.setdefault(make.__name__, selection) and [])
    for name in ("counts_berichten_and_not_bytes", "reads_five_hundred_at_most", "names_another_cpa"):
        play_party(name)

    assert [(selection.heavy, selection.bulk) for selection in asked.values()] == [(True, True), (False, True), (False, False)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["answers_everything"])  # the selftest plays all three
def test_null_party_earns_nothing(name):
    """
    Who is silent, answers anything, or echoes, passes no requirement, and fails none either.
    """
    row = play_party(name)

    assert row.failed == frozenset()
    assert row.is_proven


def test_pass_of_a_null_party_is_an_alarm(monkeypatch):
    """
    A case that passes nobody would pass anybody.
    """
    results = [CaseResult("AANL-001", "a", Verdict.PASSED, ""), CaseResult("AANL-002", "a", Verdict.NOT_TESTED, "", Reason.TIMEOUT)]
    monkeypatch.setattr(selftest, "_results", lambda *_: results)

    row = play_party("is_silent")

    assert row.unrelated == frozenset({"AANL-001"})
    assert not row.is_proven


def test_crash_of_a_case_is_told_with_its_text(monkeypatch):
    """
    A kit-error never counts as a failure that was looked for without saying so.
    """
    monkeypatch.setattr(selftest, "_play", lambda *_: [CaseResult("AANL-001", "a/b", Verdict.KIT_ERROR, "KeyError: 'x'")])

    row = play_party("names_another_cpa")

    assert row.unrelated == frozenset({"AANL-001 (kit-error in a/b: KeyError: 'x')"})


_READERS = [
    *("stops_at_an_unknown_batch", "marks_what_it_cannot_read", "applies_everything_again", "leaves_known_results_in_the_queue"),
    *("gives_up_on_silence", "drops_results_of_older_batches", "closes_a_batch_at_its_first_result", "compares_guids_by_case"),
    *("books_the_acknowledgment", "resends_after_silence", "loses_the_queue_after_a_503", "counts_again_when_marking_fails"),
    *("correlates_by_reference", "fetches_external_entities", "takes_every_message_for_its_own", "rejects_what_a_result_leaves_out"),
    *("drops_results_while_delivering", "takes_one_status_for_the_batch", "refuses_counters_that_do_not_fit", "requires_stadium"),
    *("crashes_on_an_unknown_bericht", "does_not_know_gzip", "recognises_only_the_message_id", "drops_every_refusal", "opens_a_second_channel"),
    *("delivers_the_last_offers_for_an_empty_window", "takes_bestaat_al_for_a_failure", "gives_up_without_a_word", "takes_bestaat_al_for_stored"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", _READERS[::5])  # the selftest plays all of them
def test_wrong_reading_is_found_by_its_own_case(only, name):
    """
    Who reads, places or books results wrongly is found by the cases on just that.
    """
    only(*DEFECTS[name].fails)

    row = play_party(name)

    assert row.missed == frozenset()
    assert row.unrelated == frozenset()


@pytest.mark.parametrize(("is_thorough", "plays_asking"), [(False, False), (True, True)])
def test_defect_plays_its_own_part_or_everything(monkeypatch, is_thorough, plays_asking):
    """
    Who sends wrongly plays no cases on asking, unless everything is to be played.
    """
    selections = []
    monkeypatch.setattr(selftest, "_play", lambda _make, selection: selections.append(selection) or [])

    play_party("names_another_cpa", is_thorough=is_thorough)

    (selection,) = selections
    assert (selection.requirements is None or "VAL-001" in selection.requirements) is plays_asking
    assert selection.requirements is None or "AANL-001" in selection.requirements


@pytest.mark.parametrize(("name", "plays", "leaves_out"), [("answers_in_latin_1", "WUS-004", "ABO-060"), ("counts_in_bytes", "CONT-006", "CONT-001")])
def test_defective_berichtenbox_plays_its_own_part_or_everything(monkeypatch, name, plays, leaves_out):
    """
    Who answers wrongly is not sent letters, and what is generated for one face not played against another, unless everything is to be played.
    """
    selections = []
    monkeypatch.setattr(selftest, "simulated", lambda *_, **__: nullcontext())
    monkeypatch.setattr(selftest, "_judged", lambda _stage, selection: selections.append(selection) or [])

    play_party(f"berichtenbox {name}")
    play_party(f"berichtenbox {name}", is_thorough=True)

    own, everything = selections
    assert plays in own.requirements
    assert leaves_out not in own.requirements
    assert everything.requirements is None


def test_every_case_on_a_berichtenbox_is_in_a_part():
    """
    A case that is in no part is played against no defect but those that play everything.
    """
    cases = [(case.partition("[")[0], case.partition("/")[0]) for case, _, _ in collected() if case.startswith("berichtenbox_")]

    assert {case for case, module in cases if not any({case, module} & part for part in selftest._FACES)} == set()


# -- the matrix ------------------------------------------------------------------------------------------------------------------------------


def test_matrix_tells_who_did_what():
    """
    A line a party, what is wrong below it, and a count.
    """
    assert SelftestResult((GOOD, BAD), ("VERW-001",)).render() == (
        "ok  loses_a_letter: AANL-015 (and what follows: AANL-054)\n"
        "NOT does_nothing_wrong: -\n"
        "      did not fail AANL-015, AANL-016\n"
        "      failed, and should not: AFW-001, HERL-001\n"
        "1 of 2 parties did what they should; 1 MUSTs without a defect that fails them\n"
        "  VERW-001 was failed by nobody"
    )


@pytest.mark.parametrize(("rows", "unproven", "is_proven"), [((GOOD,), (), True), ((GOOD, BAD), (), False), ((GOOD,), ("VERW-001",), False)])
def test_one_bad_row_proves_nothing(rows, unproven, is_proven):
    """
    The kit is proven when every row is, and no MUST is left.
    """
    assert SelftestResult(rows, unproven).is_proven is is_proven


def test_must_that_nobody_failed_is_named():
    """
    Only what had to fail and did counts as proven.
    """
    unproven = selftest._unproven([GOOD, BAD])

    assert "AANL-015" not in unproven
    assert {"AANL-001", "HERL-001"} <= set(unproven)
    assert [item for item in unproven if catalogue()[item].decided_by == "declared" or catalogue()[item].level != "MUST"] == []


def test_unknown_defect_is_named():
    """
    The parties that exist are told, before anything is played.
    """
    with pytest.raises(UnknownDefectError, match=r"there is no defect 'does_magic'; known are: reference, .*is_silent, .*names_another_cpa"):
        run_selftest(1, ["reference", "does_magic"], PlainProgress(io.StringIO()))


@pytest.fixture
def in_process(monkeypatch):
    """Replace the pool of processes by one of threads, and playing by an outcome that is known."""
    defects = DEFECTS | {name: defect for name, defect in BOXES.items() if defect is not None}
    rows = {name: Row(name, "", defect.fails, defect.fails, frozenset(), frozenset()) for name, defect in defects.items()}
    monkeypatch.setattr(selftest, "ProcessPoolExecutor", lambda max_workers, **_: ThreadPoolExecutor(max_workers))
    monkeypatch.setattr(selftest, "play_party", lambda name, _certificates, **_: rows.get(name) or Row(name, "", *[frozenset()] * 4))


@pytest.mark.usefixtures("in_process")
def test_whole_selftest_plays_everybody():
    """
    The reference, the null parties, every defect and every Berichtenbox have a row; together they prove each MUST.
    """
    told = io.StringIO()
    result = run_selftest(2, (), PlainProgress(told))

    names = [row.name for row in result.rows]
    boxes = [f"berichtenbox {defect.name}" for defect in RESULT_DEFECTS]
    parties = [REFERENCE, *LINES, *NULL_PARTIES, *DEFECTS, *BOXES]
    assert names == [*parties, *boxes, "berichtenbox that is legal, however strange"]
    assert result.unproven == ()
    assert result.is_proven
    assert f"{len(parties)} parties" in told.getvalue()


@pytest.mark.usefixtures("in_process")
def test_chosen_defects_are_played_alone():
    """
    With a choice nothing is said of the rest.
    """
    result = run_selftest(1, ["is_silent", "names_another_cpa"], PlainProgress(io.StringIO()))

    assert [row.name for row in result.rows] == ["is_silent", "names_another_cpa"]
    assert result.unproven == ()


@pytest.mark.slow
def test_selftest_plays_in_processes():
    """
    A party is played in a process of its own.
    """
    told = io.StringIO()
    result = run_selftest(1, ["echoes"], PlainProgress(told))

    assert [(row.name, row.is_proven) for row in result.rows] == [("echoes", True)]
    assert told.getvalue().splitlines()[-1] == "1 parties: 1 ok"


def test_selftest_that_is_interrupted_plays_no_more(monkeypatch):
    """
    The party that is played by then is stopped or done, and none of the others is begun.
    """
    played, has_stopped = [], threading.Event()

    class Pool(ThreadPoolExecutor):
        def __init__(self, max_workers, **_):
            super().__init__(max_workers)

        def shutdown(self, **how):
            has_stopped.set()
            super().shutdown(**how)

    class Interrupting(SilentProgress):
        def step(self, *_):
            raise KeyboardInterrupt

    def play(name, *_, **__):
        played.append(name)
        if len(played) > 1:
            has_stopped.wait(10)
        return Row(name, "", *[frozenset()] * 4)

    monkeypatch.setattr(selftest, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(selftest, "play_party", play)
    with pytest.raises(KeyboardInterrupt):
        run_selftest(1, [], Interrupting())

    assert len(played) <= 3


# -- defective Berichtenboxes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("defect", [pytest.param(found, id=found.name) for found in RESULT_DEFECTS])
def test_defective_result_fails_its_requirement(defect):
    """
    One requirement of Logius fails, and nothing that does not follow from it.
    """
    failed = defect.failed()

    assert defect.fails in failed
    assert failed - {defect.fails} <= defect.also
    assert {defect.fails} | defect.also <= set(catalogue())


@pytest.mark.parametrize("document", [lambda: correct().to_xml(), *LEGAL_RESULTS])
def test_legal_result_fails_nothing(document):
    """
    What the schema allows raises no alarm.
    """
    assert grade_result(document(), known())[0].findings == ()


# -- Berichtenboxes --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["berichtenbox", "berichtenbox with signals in the answer"])
def test_right_berichtenbox_fails_nothing(only, pki_directory, name):  # in full the selftest plays it
    """
    The simulated Berichtenbox passes `berichtenbox verify`, with signals in a POST of their own and in the HTTP answer.
    """
    only("EBMS-045", "EBMS-046", "EBMS-100", "WUS-004", "VAL-062")

    row = play_party(name, pki_directory)

    assert row.is_proven
    assert row.failed == frozenset()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["berichtenbox skips_a_doctype", "berichtenbox forgets_at_a_restart"])
def test_defective_berichtenbox_fails_what_it_must(pki_directory, name):
    """
    A Berichtenbox with one thing wrong fails that, and nothing unrelated.
    """
    row = play_party(name, pki_directory)

    assert row.is_proven
    assert row.failed >= row.must_fail > frozenset()
