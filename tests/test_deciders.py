"""Catalogue, rules, cases and defects fit each other: nothing dangles, and nothing is left undecided or unproven."""

import pytest

from conformance import specs
from conformance.afnemer.defects import DEFECTS
from conformance.berichtenbox.defects import RESULT_DEFECTS
from conformance.berichtenbox.generated_defects import GENERATED_DEFECTS
from conformance.berichtenbox.service_defects import SERVICE_DEFECTS
from conformance.berichtenbox.wire_defects import WIRE_DEFECTS
from conformance.catalogue import catalogue
from conformance.coverage_file import gaps, render
from conformance.deciders import deciders, defects
from conformance.rules.grading import rule_requirements
from conformance.stage.running import collected


@pytest.fixture(scope="module")
def decided():
    """Who decides what."""
    return deciders()


def test_nothing_dangles_and_nothing_is_undecided(decided):
    """
    What decides or fails a requirement names one that exists, and each requirement has a decider or says why not.
    """
    assert not gaps(decided, defects())


def test_coverage_file_is_fresh(decided):
    """
    What is committed says what the code says; `berichtenbox coverage` writes it again.
    """
    committed = specs.path("requirements/COVERAGE.md").read_text(encoding="utf-8")

    assert committed == render(decided, defects())


def test_rules_and_cases_are_both_named(decided):
    """
    A rule is one decider, each case another, a case with parameters once; in sorted order.
    """
    assert decided["AANL-020"] == ["aanleveren_regels/rule_holds_on_everything_offered", "rule"]
    assert decided["VERW-016"] == ["verwerkingsberichten/result_delivered_twice_is_applied_once"]
    assert decided["AANL-083"] == ["aanleveren/too_much_bijlage_is_refused"]
    assert list(decided) == sorted(decided)


def test_norms_name_commands_and_what_they_come_down_to(decided):
    """
    A norm of the SNO has the load profiles and calculators that judge it, and the requirements that it comes down to.
    """
    assert decided["SNO-BER-01"] == ["load aanleveren", "sno counts"]
    assert decided["SNO-VAL-02"] == ["through VAL-001 VAL-002"]
    assert "SNO-INC-08" not in decided


def test_no_decider_is_forgotten(decided):
    """
    Every rule and every case decides something here.
    """
    names = {name for found in decided.values() for name in found}

    assert {requirement for requirement, found in decided.items() if "rule" in found} == set(rule_requirements())
    commands = {name for name in names if name.startswith(("load ", "sno ", "through "))}
    assert names - {"rule"} - commands == {case.partition("[")[0] for case, _, _ in collected()}


def test_defects_stand_by_what_they_must_fail():
    """
    Afnemers and Berichtenboxes are named, the latter as what they are.
    """
    found = defects()

    assert "names_another_cpa" in found["AANL-001"]
    assert "berichtenbox counts_success_wrongly" in found["VERW-056"]
    assert "berichtenbox skips_a_doctype" in found["WUS-011"]
    claiming = (*DEFECTS.values(), *WIRE_DEFECTS, *SERVICE_DEFECTS, *GENERATED_DEFECTS)
    assert sum(len(names) for names in found.values()) == sum(len(one.fails) for one in claiming) + len(RESULT_DEFECTS)
    assert all(names == sorted(names) for names in found.values())


def test_every_must_can_fail():
    """
    Each MUST that a rule or case decides has a defect that must fail it, whoever it binds.
    """
    musts = {item.id for item in catalogue().values() if item.level == "MUST" and item.decided_by in ("rule", "case")}

    assert musts - defects().keys() == set()
