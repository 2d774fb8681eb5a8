"""Berichtenboxes with a defect in their abonnementservices or their validatieservice: each is found by the requirement that it breaks."""

import pytest

from conformance.berichtenbox.service_defects import SERVICE_DEFECTS
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS
from conformance.catalogue import catalogue
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.transport import pki
from conformance.verdicts import Verdict
from conformance.verification import simulated

BROKEN = {Verdict.FAILED, Verdict.WARNING, Verdict.KIT_ERROR}
OURS = frozenset({f"ABO-{number:03}" for number in range(60, 70)} | {f"VAL-{number:03}" for number in range(60, 65)})


@pytest.mark.slow
@pytest.mark.parametrize("defect", SERVICE_DEFECTS[::4], ids=lambda defect: defect.name)  # the selftest plays all of them
def test_defect_is_found(tmp_path, pki_directory, defect):
    """
    Each fails what it must and may fail, and nothing else of these services.
    """
    with simulated(tmp_path, pki.load(pki_directory), defect=defect) as stage:
        plugin = CasePlugin(
            stage,
            Selection(OURS | {"WUS-004", "VERW-051"}),
            seed=1,
            evidence_name=None,
            started=lambda _total: None,
            step=lambda _name, _outcome: None,
        )
        failed = {result.requirement for result in run_cases(plugin).results if result.verdict in BROKEN}

    assert defect.fails <= failed <= defect.fails | defect.also


def test_names_and_requirements_are_good():
    """
    No two have a name in common, each requirement is in the catalogue, and each of these services has a defect that fails it.
    """
    defects = (*WIRE_DEFECTS, *SERVICE_DEFECTS)

    assert len({defect.name for defect in defects}) == len(defects)
    assert {requirement for defect in SERVICE_DEFECTS for requirement in defect.fails | defect.also} <= set(catalogue())
    assert {requirement for defect in SERVICE_DEFECTS for requirement in defect.fails} == OURS
