"""Tests of `berichtenbox selftest`, without playing any party."""

from types import SimpleNamespace

import pytest

from conformance.selftest import UnknownDefectError


@pytest.fixture
def played(monkeypatch):
    """Replace the selftest by one with a known outcome, and note what it was asked."""
    noted = SimpleNamespace(calls=[], is_proven=True)

    def run_selftest(jobs, only, _progress, *, is_thorough):
        noted.calls.append((jobs, only, is_thorough))
        if "unheard_of" in only:
            raise UnknownDefectError("there is no defect 'unheard_of'; known are: is_silent")
        return SimpleNamespace(is_proven=noted.is_proven, render=lambda: "the matrix\n")

    monkeypatch.setattr("conformance.selftest.run_selftest", run_selftest)
    return noted


@pytest.mark.parametrize(("is_proven", "code"), [(True, 0), (False, 1)])
def test_matrix_is_printed_with_its_exit_code(berichtenbox, played, is_proven, code):
    """
    The matrix is on stdout, and the exit code says whether it proves the kit.
    """
    played.is_proven = is_proven

    ended = berichtenbox("selftest")

    assert (ended.code, ended.out) == (code, "the matrix\n")
    assert played.calls[0][0] >= 1
    assert played.calls[0][1] == ()


def test_defects_and_jobs_are_passed_on(berichtenbox, played):
    """
    Some defects can be chosen, how many run at a time, and whether all cases are played.
    """
    berichtenbox("selftest", "--jobs", "2", "--defect", "is_silent", "echoes")
    berichtenbox("selftest", "--jobs", "2", "--thorough", "--defect", "echoes")

    assert played.calls == [(2, ("is_silent", "echoes"), False), (2, ("echoes",), True)]


@pytest.mark.usefixtures("played")
def test_unknown_defect_is_wrong_usage(berichtenbox):
    """
    A defect that does not exist is a mistake of the user, who is told which do.
    """
    ended = berichtenbox("selftest", "--defect", "unheard_of")

    assert ended.code == 2
    assert "known are: is_silent" in ended.err
