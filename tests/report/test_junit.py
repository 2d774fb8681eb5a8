"""Tests of junit.xml: what a CI server shows of a run."""

import xml.etree.ElementTree as ET

import pytest

from conformance.report.json_report import document
from conformance.report.junit import render
from conformance.report.model import KnownFailure, grade


@pytest.fixture
def xml(everything):
    """Return the JUnit report of a run in which every verdict occurs, as bytes."""
    return render(document(*everything))


def outcomes(xml):
    """Return the tag of the outcome of each test case by name; None for a pass."""
    return {case.get("name"): next((child.tag for child in case), None) for case in ET.fromstring(xml).iter("testcase")}


@pytest.mark.golden
def test_junit_is_as_stored(xml, golden):
    """
    The whole file is what it was.
    """
    golden("junit.xml", xml)


def test_every_verdict_has_its_outcome(xml):
    """
    Only a failure fails a build, our crash is an error, and what is open or known is skipped.
    """
    assert outcomes(xml) == {
        "AANL-001 aanleveren/een": None,
        "AANL-001 aanleveren/twee": None,
        "AANL-035 aanleveren/oud": "failure",
        "AANL-036 aanleveren/toekomst": "system-out",
        "AANL-075 aanleveren/bsn": "skipped",
        "AANL-080 aanleveren/bijlagen": "error",
        "HERL-001 herlevering/alles": "skipped",
        "VAL-001": "skipped",
        "VERW-001": "skipped",
        "VERW-036": "system-out",
        "VERW-037": "skipped",
        "VERW-050": "skipped",
    }


def test_suites_count_their_cases(xml):
    """
    The counts of each subject add up to those of the whole.
    """
    root = ET.fromstring(xml)

    for attribute in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(attribute)) == sum(int(suite.get(attribute)) for suite in root)
    assert [suite.get("name") for suite in root] == ["AANL", "HERL", "VAL", "VERW"]
    assert root.get("time") == "120.500"


def test_failure_tells_clause_quotes_and_how_to_run_it(xml):
    """
    A failure reads like a judgment: the clause, expected, seen, evidence, and the command.
    """
    failure = next(ET.fromstring(xml).iter("failure"))

    assert failure.text.splitlines() == [
        "Requirement AANL-035 is in `specs`. [MUST, SNO 2023, 2.2.1, bevestigd]",
        "expected: hoogstens 13 dagen",
        "seen: <AanmaakDatum>2026-11-10T09:00:00Z</AanmaakDatum>",
        "evidence: evidence/aanleveren-oud-01.xml",
        "run only this: berichtenbox certify --only AANL-035",
    ]


def test_what_breaks_the_run_by_itself_fails_the_build(make):
    """
    A CI server turns red for an expired known failure too, and says that a selection is one.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"))
    run = make.run(make.result("AANL-001"), make.result("AANL-999"), selection=("AANL-001",))
    known = [KnownFailure("AANL-001", "r", "o", run.finished.date())]

    xml = render(document(grade(run, catalogue, ["aanleveren"], known_failures=known), catalogue))

    assert outcomes(xml)["AANL-001 known-failure-no-longer-fails"] == "failure"
    assert outcomes(xml)["AANL-999 requirement-unknown"] == "error"
    assert ET.fromstring(xml).get("name") == "berichtenbox (selection)"
