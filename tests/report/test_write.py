"""Tests of writing a whole report: everything or an error that says what to do."""

import errno
import json
from pathlib import Path

import pytest

from conformance.report import files
from conformance.report.errors import EvidenceNameError, OutputError
from conformance.report.evidence import verify
from conformance.report.write import profile_digest, write_report
from conformance.verdicts import ExitCode

EVIDENCE = {"evidence/aanleveren-een-01.xml": b"<GebruikerID>999990019</GebruikerID>"}


def names(out):
    """Return every file below a directory."""
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_report_is_complete_and_verifies(everything, tmp_path):
    """
    Reports, evidence and manifest are there, whole, and agree.
    """
    report, catalogue = everything

    written = write_report(report, tmp_path / "a" / "uit", catalogue, evidence=EVIDENCE)

    out = tmp_path / "a" / "uit"
    assert names(out) == ["evidence/aanleveren-een-01.xml", "evidence/manifest.json", "junit.xml", "report.html", "report.json"]
    assert sorted(path.relative_to(out).as_posix() for path in written) == names(out)
    assert verify(out) == []
    assert not any(b"999990019" in path.read_bytes() for path in written)


def test_certification_has_a_statement_until_the_next_run(conformant, everything, tmp_path):
    """
    The statement belongs to its run: a later run that is not conformant takes it away.
    """
    report, catalogue = conformant
    written = write_report(report, tmp_path, catalogue, "en")
    statement = json.loads((tmp_path / "statement.json").read_bytes())
    first = verify(tmp_path)

    write_report(*_swapped(everything, tmp_path))

    assert tmp_path / "statement.json" in written
    assert statement["profile_digest"] == profile_digest(report.run.profile)
    assert first == verify(tmp_path) == []
    assert not (tmp_path / "statement.json").exists()


def _swapped(pair, out):
    report, catalogue = pair
    return report, out, catalogue


@pytest.mark.parametrize("place", ["uit", "uit/dieper"])
def test_file_in_the_place_of_the_directory_is_refused(everything, tmp_path, place):
    """
    A file where a directory is expected is the user's mistake, and stays as it is.
    """
    (tmp_path / "uit").write_text("mine")

    with pytest.raises(OutputError, match="expected a directory") as caught:
        write_report(*_swapped(everything, tmp_path / place))

    assert caught.value.exit_code is ExitCode.USAGE
    assert (tmp_path / "uit").read_text() == "mine"


def test_directory_that_cannot_be_made_is_an_output_error(everything, tmp_path):
    """
    A name that the file system refuses is told in our words.
    """
    with pytest.raises(OutputError, match="cannot be made: File name too long"):
        write_report(*_swapped(everything, tmp_path / ("a" * 300)))


def test_directory_in_the_place_of_a_file_is_an_output_error(everything, tmp_path):
    """
    A directory called report.json is not removed, and leaves no temporary file behind.
    """
    (tmp_path / "report.json").mkdir()

    with pytest.raises(OutputError, match=r"report\.json: cannot be written: Is a directory"):
        write_report(*_swapped(everything, tmp_path))

    assert names(tmp_path) == []


def test_statement_that_is_a_directory_is_an_output_error(everything, tmp_path):
    """
    What cannot be cleared is told, whatever it is.
    """
    (tmp_path / "statement.json").mkdir()

    with pytest.raises(OutputError, match="cannot be written"):
        write_report(*_swapped(everything, tmp_path))


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """
    A write that fails half-way leaves the earlier file whole and no temporary file, also when that one is gone already.
    """

    def full(self, _target):
        self.unlink()
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "report.json").write_text("old")
    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(OutputError, match="No space left on device"):
        files.write_atomically(tmp_path / "report.json", b"new")

    assert names(tmp_path) == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "old"


@pytest.mark.attack
def test_link_in_the_place_of_a_report_is_replaced(everything, tmp_path):
    """
    A report is never written through a link: the link makes way and its target stays.
    """
    target = tmp_path / "elders.json"
    target.write_text("mine")
    out = tmp_path / "uit"
    out.mkdir()
    (out / "report.json").symlink_to(target)

    write_report(*_swapped(everything, out))

    assert target.read_text() == "mine"
    assert not (out / "report.json").is_symlink()


def test_unsafe_evidence_name_writes_nothing(everything, tmp_path):
    """
    An unsafe name is found before anything is written.
    """
    report, catalogue = everything

    with pytest.raises(EvidenceNameError, match="not a safe evidence name") as caught:
        write_report(report, tmp_path, catalogue, evidence={"evidence/../../x": b""})

    assert caught.value.exit_code is ExitCode.KIT_ERROR
    assert names(tmp_path) == []


def test_profile_digest_does_not_depend_on_order():
    """
    The same profile has the same digest, another has another.
    """
    assert profile_digest({"a": 1, "b": 2}) == profile_digest({"b": 2, "a": 1})
    assert profile_digest({"a": 1}) != profile_digest({"a": 2})
