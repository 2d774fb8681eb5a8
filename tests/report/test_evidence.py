"""Tests of the evidence and its manifest: whatever happens to the files afterwards is seen."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.report.errors import EvidenceNameError, OutputError
from conformance.report.evidence import (
    MANIFEST,
    Problem,
    ProblemKind,
    evidence_name,
    verify,
    write_evidence,
    write_manifest,
    write_statement,
)
from conformance.report.model import grade

NAME = "evidence/aanleveren-een-01.xml"


@pytest.fixture
def out(tmp_path):
    """Return the output directory of a run with a report and two evidence files."""
    directory = tmp_path / "uit"
    write_evidence(directory, {NAME: b"<a/>", "evidence/sub/b.txt": b"b"})
    (directory / "report.json").write_bytes(b"{}")
    write_manifest(directory, "0.1.0", "catalogus", "profiel", 7)
    return directory


def kinds(out: Path) -> list[tuple[str, ProblemKind]]:
    """Return what is wrong, without the sentences."""
    return [(problem.path, problem.kind) for problem in verify(out)]


def rewrite(out: Path, **changes: object) -> None:
    """Change keys of the manifest."""
    manifest = json.loads((out / MANIFEST).read_bytes())
    (out / MANIFEST).write_text(json.dumps(manifest | changes))


def test_untouched_run_verifies(out):
    """
    What was written is what is found.
    """
    assert verify(out) == []


def test_manifest_lists_reports_and_evidence_but_not_itself(out):
    """
    The manifest holds the digest of every file that a run writes, sorted, with what the run was made from.
    """
    (out / "log.txt").write_text("of the user")
    path = write_manifest(out, "0.1.0", "catalogus", "profiel", 7)

    manifest = json.loads(path.read_bytes())

    assert list(manifest["files"]) == [NAME, "evidence/sub/b.txt", "report.json"]
    assert manifest["files"]["report.json"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert [manifest[key] for key in ("kit_version", "catalogue_digest", "profile_digest", "seed")] == ["0.1.0", "catalogus", "profiel", 7]


def test_evidence_is_masked(out):
    """
    A BSN does not reach the disk.
    """
    write_evidence(out, {NAME: b"<b:GebruikerID>999990019</b:GebruikerID>"})

    assert (out / NAME).read_bytes() == b"<b:GebruikerID>9999*****</b:GebruikerID>"


def test_evidence_of_an_earlier_run_is_replaced(out):
    """
    A new run leaves neither evidence nor a statement of the one before, and stays off files that no run writes.
    """
    (out / "statement.json").write_text("{}")
    (out / "evidence" / "Notitie van mij.txt").write_text("mine")

    write_evidence(out, {"evidence/nieuw.xml": b"<a/>"})

    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["Notitie van mij.txt", "nieuw.xml", "report.json"]


@pytest.mark.attack
@pytest.mark.parametrize(
    "name",
    [
        "report.json", "evidence/../x", "/etc/x", "evidence/a..b", "evidence/A.xml", "evidence/", "evidence/.x", "evidence/a b", MANIFEST,
        "evidence/a\\b", "evidence/" + "a" * 101, "evidence/a\n",
    ],
)  # fmt: skip
def test_unsafe_evidence_name_is_refused(tmp_path, name):
    """
    A name that could leave the directory, or differ between file systems, is our own error.
    """
    with pytest.raises(EvidenceNameError, match="not a safe evidence name"):
        write_evidence(tmp_path, {name: b""})


@given(case=st.text(max_size=200), number=st.integers(1, 999))
def test_every_case_has_a_safe_evidence_name(tmp_path_factory, case, number):
    """
    Whatever a case is called, its evidence has a safe name.
    """
    name = evidence_name(case, number, "xml")

    write_evidence(tmp_path_factory.mktemp("uit"), {name: b""})

    assert name.startswith("evidence/")


def test_evidence_name_is_readable():
    """
    The name of an evidence file tells its case.
    """
    assert evidence_name("verwerkingsberichten/Dubbel!", 3, "xml") == "evidence/verwerkingsberichten-dubbel-03.xml"
    assert evidence_name("//", 1, "bin") == "evidence/case-01.bin"


def test_evidence_directory_that_is_a_link_is_refused(tmp_path):
    """
    Evidence is never written through a symbolic link to somewhere else.
    """
    (tmp_path / "evidence").symlink_to(tmp_path.parent)

    with pytest.raises(OutputError, match="a symbolic link"):
        write_evidence(tmp_path, {NAME: b""})


def test_changed_file_is_seen(out):
    """
    One byte more is a change, and the message names both digests.
    """
    (out / NAME).write_bytes(b"<a/>\n")

    problems = verify(out)

    assert [(p.path, p.kind) for p in problems] == [(NAME, ProblemKind.CHANGED)]
    assert problems[0].message.startswith("expected SHA-256 ")


def test_missing_file_is_seen(out):
    """
    A file that is gone, or whose directory became a file, is missing.
    """
    (out / NAME).unlink()
    (out / "evidence/sub/b.txt").unlink()
    (out / "evidence/sub").rmdir()
    (out / "evidence/sub").write_text("")

    assert kinds(out) == [
        (NAME, ProblemKind.MISSING),
        ("evidence/sub", ProblemKind.EXTRA),
        ("evidence/sub/b.txt", ProblemKind.MISSING),
    ]


def test_extra_file_is_seen(out):
    """
    A file that no run wrote does not pass for evidence.
    """
    (out / "evidence/erbij.xml").write_text("")
    (out / "notitie.txt").write_text("")

    assert kinds(out) == [("evidence/erbij.xml", ProblemKind.EXTRA), ("notitie.txt", ProblemKind.EXTRA)]


@pytest.mark.attack
def test_symbolic_links_are_not_followed(out, tmp_path):
    """
    A link is a problem even when it leads to the right bytes, and nothing behind a linked directory is read.
    """
    same = tmp_path / "zelfde.xml"
    (out / NAME).rename(same)
    (out / NAME).symlink_to(same)
    (out / "evidence/sub").rename(tmp_path / "sub")
    (out / "evidence/sub").symlink_to(tmp_path / "sub")

    assert kinds(out) == [
        (NAME, ProblemKind.SYMLINK),
        ("evidence/sub", ProblemKind.SYMLINK),
        ("evidence/sub/b.txt", ProblemKind.SYMLINK),
    ]


@pytest.mark.attack
def test_file_that_became_something_else_is_changed(out):
    """
    A pipe or a directory in the place of a file is reported, not opened.
    """
    (out / NAME).unlink()
    os.mkfifo(out / NAME)
    (out / "report.json").unlink()
    (out / "report.json").mkdir()

    assert kinds(out) == [(NAME, ProblemKind.CHANGED), ("report.json", ProblemKind.CHANGED)]


@pytest.mark.attack
@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "c:x", "a//b", ".", "", "a\x00", "\ud800"])
def test_manifest_that_points_outside_is_seen(out, name):
    """
    A listed path outside of the directory is reported and never opened.
    """
    rewrite(out, files={name: "0" * 64})

    assert (name, ProblemKind.OUTSIDE) in kinds(out)


def test_path_that_cannot_be_read_is_seen(out):
    """
    A path that the file system refuses is unreadable, not a crash.
    """
    long = "a" * 5000
    rewrite(out, files={long: "0" * 64})

    assert (long, ProblemKind.UNREADABLE) in kinds(out)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"\xff\xfe\xff", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"files": {}, "files": {}}', "stands in it twice"),
        (b"[]", "expected exactly the keys"),
        (b"{}", "expected exactly the keys"),
        (b" " * 16_000_001, "larger than 16000000 bytes"),
    ],
)
def test_manifest_that_is_no_manifest_is_seen(out, content, message):
    """
    A manifest that cannot be used is one problem, and never a pass.
    """
    (out / MANIFEST).write_bytes(content)

    problems = verify(out)

    assert [problem.kind for problem in problems] == [ProblemKind.MANIFEST]
    assert message in problems[0].message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": 1}, "expected exactly the keys"),
        ({"manifest_version": "9"}, "version '9', this kit reads 1.0"),
        ({"files": []}, "lists no files"),
        ({"files": {}}, "lists no files"),
        ({"files": {"report.json": "kort"}}, "no SHA-256 for 'report.json'"),
        ({"files": {"report.json": 1}}, "no SHA-256 for 'report.json'"),
    ],
)
def test_manifest_of_another_shape_is_seen(out, changes, message):
    """
    Keys, version and digests are checked before any file is.
    """
    rewrite(out, **changes)

    assert verify(out)[0].message.startswith(message)


def test_missing_manifest_is_seen(tmp_path):
    """
    A directory without a manifest, or no directory at all, is never in order.
    """
    expected = [Problem(MANIFEST, ProblemKind.MANIFEST, "missing, or not a regular file.\n  Hint: give the directory that --out named.")]

    assert verify(tmp_path) == verify(tmp_path / "nergens") == expected


@pytest.mark.attack
def test_linked_manifest_is_refused(out, tmp_path):
    """
    A manifest, or its directory, that is a link could change under our hands.
    """
    (out / "evidence").rename(tmp_path / "elders")
    (out / "evidence").symlink_to(tmp_path / "elders")

    assert kinds(out) == [(MANIFEST, ProblemKind.MANIFEST)]


def test_statement_is_written_for_a_locked_conformant_run(out, conformant):
    """
    A certification states who, when, with what, and which report proves it.
    """
    report, _ = conformant

    path = write_statement(out, report, "0.1.0", "profiel")

    assert path == out / "statement.json"
    assert json.loads(path.read_bytes()) == {
        "statement_version": "1.0",
        "verdict": "conformant",
        "afnemer": {"name": "Gemeente Voorbeeld", "oin": "00000099000000001000"},
        "date": "2026-11-24",
        "face": "adapter",
        "kit_version": "0.1.0",
        "catalogue_digest": report.catalogue_digest,
        "profile_digest": "profiel",
        "seed": 123456789,
        "report_sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    }


@pytest.mark.parametrize("locked", [True, False])
def test_no_statement_without_certification(out, make, locked):
    """
    A run that is not locked, or not conformant, states nothing.
    """
    results = [] if locked else [make.result("AANL-001")]
    report = grade(make.run(*results, locked=locked), make.catalogue(make.requirement("AANL-001")), ["aanleveren"])

    assert write_statement(out, report, "0.1.0", "profiel") is None
    assert not (out / "statement.json").exists()
