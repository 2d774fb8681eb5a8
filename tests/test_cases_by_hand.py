"""The conformance cases run by pytest itself: ``pytest conformance/cases``, as the ``conftest.py`` of the project lets them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CASE = "conformance/cases/test_herlevering.py::test_everything_is_delivered_again"
WRONG = """
from conformance.afnemer.defects import DEFECTS


def make(variables):
    return DEFECTS["leaves_bijlagen_out_of_a_herlevering"].make(variables)
"""


def by_hand(*arguments: str, path: Path | None = None) -> str:
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60).stdout


@pytest.mark.slow
def test_one_case_against_the_reference_afnemer():
    """
    Without options a case talks to the reference Afnemer.
    """
    assert "1 passed" in by_hand(CASE)


@pytest.mark.slow
def test_judgement_is_the_failure(tmp_path):
    """
    A case that finds something wrong fails, and says which requirement, and what was expected and seen.
    """
    (tmp_path / "wrong_afnemer.py").write_text(WRONG)
    profile = tmp_path / "afnemer.toml"
    profile.write_text('[driver]\nkind = "python"\nurl = "wrong_afnemer:make"\n[berichtenbox]\nport = 0\n')

    told = by_hand(CASE, "--afnemer", str(profile), path=tmp_path)

    assert "HERL-004: expected" in told
    assert "1 failed" in told


@pytest.mark.slow
def test_case_of_the_other_party_is_left_out():
    """
    A case about a Berichtenbox, or about a face that the run does not have, is skipped, and says why.
    """
    told = by_hand("conformance/cases/test_berichtenbox_wus.py", "conformance/cases/test_ebms_zenden.py", "-k", "not nothing")

    assert "this run has no berichtenbox" in told
    assert "this run has no ebms" in told
    assert "passed" not in told
    assert "error" not in told
