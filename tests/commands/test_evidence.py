"""Tests of `berichtenbox evidence verify`."""

import pytest

from conformance.catalogue import catalogue
from conformance.report.write import write_report


@pytest.fixture
def directory(mixed, tmp_path):
    """The output directory of a run."""
    write_report(mixed, tmp_path / "rapport", catalogue(), "nl", {"evidence/een-01.txt": b"een"})
    return tmp_path / "rapport"


@pytest.mark.usefixtures("directory")
def test_untouched_evidence_agrees(berichtenbox):
    """
    Evidence as the run left it is confirmed.
    """
    ended = berichtenbox("evidence", "verify", "rapport")

    assert ended.code == 0
    assert "every file is as the manifest says" in ended.out


def test_changed_evidence_is_told(berichtenbox, directory):
    """
    A file that somebody touched is named, with exit code 1.
    """
    (directory / "evidence/een-01.txt").write_bytes(b"twee")

    ended = berichtenbox("evidence", "verify", "rapport")

    assert ended.code == 1
    assert ended.out.startswith("changed evidence/een-01.txt:")


@pytest.mark.parametrize("place", ["nowhere", "rapport/evidence"])
@pytest.mark.usefixtures("directory")
def test_directory_without_a_manifest_is_wrong_usage(berichtenbox, place):
    """
    Without a manifest nothing can be said.
    """
    ended = berichtenbox("evidence", "verify", place)

    assert ended.code == 2
    assert "manifest" in ended.out
