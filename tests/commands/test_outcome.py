"""Tests of the outcome of a run at the terminal."""

from pathlib import Path

import click
import pytest

from conformance.catalogue import catalogue
from conformance.commands.outcome import outcome
from conformance.report.json_report import document
from conformance.verdicts import CaseResult, Verdict


def shown(report) -> str:
    again = "berichtenbox certify --seed 7"
    return click.unstyle(outcome(document(report, catalogue()), Path("rapport"), f"{again} --only", again)) + "\n"


@pytest.mark.golden
def test_every_verdict_is_told(mixed, golden):
    """
    The verdict comes first, then what failed with clause, expected, seen and the command to run it alone; BSNs and control characters are hidden.
    """
    text = shown(mixed)

    assert "999990019" not in text
    assert "\x1b" not in text
    golden("outcome.txt", text)


@pytest.mark.golden
def test_conformant_run_is_short(report, golden):
    """
    A run in which all passes says so, and where the report is.
    """
    text = shown(report(CaseResult("AANL-001", "aanleveren/cpa", Verdict.PASSED, "fine")))

    golden("outcome-conformant.txt", text)


def test_whole_run_is_not_called_partial(report):
    """
    Only a run with a selection says that it tells nothing about the whole.
    """
    whole = document(report(CaseResult("AANL-001", "aanleveren/cpa", Verdict.PASSED, "fine")), catalogue()) | {"selection": None}

    text = outcome(whole, Path("rapport"), "alone", "again")

    assert "connection as a whole" not in text


def test_empty_run_says_that_nothing_was_graded(report):
    """
    A run without a single verdict does not look like a good one.
    """
    empty = document(report(ids=("AANL-001",)), catalogue())
    empty["summary"] = dict.fromkeys(empty["summary"], 0)

    text = outcome(empty, Path("rapport"), "alone", "again")

    assert "nothing was graded" in text


def test_warning_without_a_quote_shows_its_message(report):
    """
    What a warning is about is told, if not by a quote then by its sentence.
    """
    text = shown(report(CaseResult("HERL-003", "herlevering/inhoud", Verdict.FAILED, "another text")))

    assert "    seen        another text" in text
