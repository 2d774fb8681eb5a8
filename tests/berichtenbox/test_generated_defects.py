"""Berichtenboxes with a defect that only generated messages find: each is found by the requirement that it breaks."""

import pytest

from conformance.berichtenbox.generated_defects import GENERATED_DEFECTS
from conformance.berichtenbox.service_defects import SERVICE_DEFECTS
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS
from conformance.catalogue import catalogue
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.verdicts import Verdict
from conformance.verification import simulated

OURS = frozenset(item.id for item in catalogue().values() if item.subject == "CONT" and item.binds == "logius")
BROKEN = {Verdict.FAILED, Verdict.WARNING, Verdict.KIT_ERROR}


def played(directory, defect=None, *, only=OURS, seed=1, depth="quick"):
    """Return what the generated cases judge of a Berichtenbox, by requirement."""
    with simulated(directory, defect=defect, seed=seed) as stage:
        stage.depth = depth
        plugin = CasePlugin(stage, Selection(only), seed=seed, evidence_name=str, started=lambda _total: None, step=lambda _name, _outcome: None)
        run = run_cases(plugin)
    return {result.requirement: result for result in run.results}, run.transcripts


@pytest.mark.slow
@pytest.mark.parametrize("defect", GENERATED_DEFECTS[::5], ids=lambda defect: defect.name)  # the selftest plays all of them
def test_defect_is_found(tmp_path, defect):
    """
    Each fails what it must, and nothing that it may not fail.
    """
    results, transcripts = played(tmp_path, defect, only=defect.fails)

    assert {result.verdict for result in results.values()} == {Verdict.FAILED}
    assert results.keys() == defect.fails
    assert len(transcripts) == len(defect.fails)


def test_the_smallest_is_told(tmp_path):
    """
    What is caught is told, and is the last in the evidence.
    """
    defect = next(one for one in GENERATED_DEFECTS if one.name == "counts_in_bytes")

    results, _ = played(tmp_path, defect, only=defect.fails)

    assert "the smallest one is the last in the evidence" in results["CONT-005"].message


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2])  # the selftest plays the first
def test_right_berichtenbox_is_right_with_every_seed(tmp_path, seed):
    """
    One that does it right passes whatever is generated.
    """
    results, _ = played(tmp_path, seed=seed)

    assert {name: result.message for name, result in results.items() if result.verdict is not Verdict.PASSED} == {}
    assert results.keys() == OURS


def test_a_seed_repeats_what_is_found(tmp_path):
    """
    Two runs with one seed tell the same smallest example.
    """
    defect = next(one for one in GENERATED_DEFECTS if one.name == "crashes_on_three_klanten")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    first, _ = played(tmp_path / "one", defect, only=defect.fails, seed=4)
    second, _ = played(tmp_path / "two", defect, only=defect.fails, seed=4)

    assert first["CONT-001"].message == second["CONT-001"].message
    assert "HTTP 500" in first["CONT-001"].message


def test_no_bsn_is_told(tmp_path):
    """
    What is told of a Fault with a BSN in it does not repeat that, and neither does the evidence.
    """
    defect = next(one for one in GENERATED_DEFECTS if one.name == "quotes_who_was_asked")

    results, transcripts = played(tmp_path, defect, only=defect.fails)

    assert "9999" not in results["CONT-004"].message
    assert not any("99999" in text for text in transcripts.values())


def test_names_and_requirements_are_good():
    """
    No two have a name in common, each requirement is in the catalogue, and each of what is generated has a defect that fails it.
    """
    defects = (*WIRE_DEFECTS, *SERVICE_DEFECTS, *GENERATED_DEFECTS)

    assert len({defect.name for defect in defects}) == len(defects)
    assert {requirement for defect in GENERATED_DEFECTS for requirement in defect.fails | defect.also} <= set(catalogue())
    assert {requirement for defect in GENERATED_DEFECTS for requirement in defect.fails} - {"VERW-052"} == OURS
