"""Defective Berichtenboxes: each is found by the requirement that it breaks, and by what follows from that only."""

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS
from conformance.catalogue import catalogue
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.transport import pki
from conformance.verdicts import Verdict
from conformance.verification import simulated

BROKEN = {Verdict.FAILED, Verdict.WARNING, Verdict.KIT_ERROR}
BY_NAME = {defect.name: defect for defect in WIRE_DEFECTS}


@pytest.mark.slow
@pytest.mark.parametrize("defect", WIRE_DEFECTS[::9], ids=lambda defect: defect.name)  # the selftest plays all of them
def test_defect_is_found(tmp_path, pki_directory, defect):
    """
    Each fails what it must and may fail, and nothing of what the cases beside those decide.
    """
    near = defect.fails | defect.also | {"EBMS-045", "EBMS-046", "WUS-004"}
    with simulated(tmp_path, pki.load(pki_directory), defect=defect) as stage:
        plugin = CasePlugin(
            stage,
            Selection(near, heavy=False, bulk=False),
            seed=1,
            evidence_name=None,
            started=lambda _total: None,
            step=lambda _name, _outcome: None,
        )
        failed = {result.requirement for result in run_cases(plugin).results if result.verdict in BROKEN}

    assert defect.fails <= failed <= defect.fails | defect.also


def test_names_and_requirements_are_good():
    """
    No two have a name in common, each requirement is in the catalogue, and each MUST of the validatieservice has one.
    """
    named = {requirement for defect in WIRE_DEFECTS for requirement in defect.fails | defect.also}

    assert len(BY_NAME) == len(WIRE_DEFECTS)
    assert named <= set(catalogue())
    assert {f"WUS-{number:03}" for number in range(1, 13)} | {"EBMS-100", "EBMS-101"} <= named


def test_handler_needs_a_cpa(tmp_path):
    """
    A Berichtenbox without a CPA has no message service handler to change.
    """
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger)
        with pytest.raises(ValueError, match="without a CPA"):
            BY_NAME["takes_any_cpa"].install(box, None)


@pytest.mark.parametrize("name", ["asks_no_certificate", "speaks_old_tls"])
def test_without_tls_there_is_nothing_to_weaken(tmp_path, name):
    """
    What is wrong with TLS leaves a Berichtenbox on plain HTTP as it is.
    """
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger)
        BY_NAME[name].install(box, None)

    assert box.pusher is None
