"""Tests of `berichtenbox coverage`, in a checkout of its own."""

import pytest

from conformance import specs
from conformance.coverage_file import Gaps, render

FILE = "specs/requirements/COVERAGE.md"


@pytest.fixture
def checkout(monkeypatch, tmp_path, deciders):  # noqa: ARG001  # it replaces what the command imports
    """A checkout with a complete catalogue."""
    (tmp_path / "specs/requirements").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(specs, "root", lambda: tmp_path / "specs")
    monkeypatch.setattr("conformance.coverage_file.gaps", lambda *_names: Gaps((), ()))
    return tmp_path


def test_file_is_written_and_is_fresh_then(berichtenbox, checkout, deciders):
    """
    What was written is fresh until something changes.
    """
    stale = berichtenbox("coverage", "--check")
    written = berichtenbox("coverage")
    fresh = berichtenbox("coverage", "--check")

    assert (stale.code, written.code, fresh.code) == (1, 0, 0)
    assert "writes it again" in stale.err
    assert (checkout / FILE).read_text() == render(deciders.deciders(), deciders.defects())


def test_changed_file_is_stale(berichtenbox, checkout):
    """
    A file that says something else is stale.
    """
    berichtenbox("coverage")
    (checkout / FILE).write_text("something else")

    ended = berichtenbox("coverage", "--check")

    assert ended.code == 1


@pytest.mark.usefixtures("checkout")
def test_gaps_are_told(berichtenbox, monkeypatch):
    """
    What nobody decides, or nobody knows, is named and keeps the exit code from 0.
    """
    monkeypatch.setattr("conformance.coverage_file.gaps", lambda *_names: Gaps(("AANL-999",), ("AANL-001",)))

    ended = berichtenbox("coverage")

    assert ended.code == 1
    assert "not in the catalogue:\n    AANL-999" in ended.err
    assert "Nothing decides these" in ended.err


def test_installed_kit_has_no_place_for_it(berichtenbox, checkout):
    """
    Outside of a checkout there is nothing to write.
    """
    (checkout / "pyproject.toml").unlink()

    ended = berichtenbox("coverage")

    assert ended.code == 2
    assert "checkout only" in ended.err
