"""Tests of `berichtenbox check`."""

import io
import json
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def files(document, tmp_path):
    """A batch without findings, one that breaks MUSTs, one that only warns, and no message at all."""
    broken = document.replace("<b:SoortGebruiker>Burger", "<b:SoortGebruiker>Bedrijf").replace("999990019", "99999001")
    warned = document.replace("00000099000000001000", "00000098000000001000")
    for name, text in (("good.xml", document), ("broken.xml", broken), ("warned.xml", warned), ("none.txt", "no message")):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_good_file(berichtenbox):
    """
    A file without findings gives exit code 0, and says what could not be decided.
    """
    ended = berichtenbox("check", "good.xml")

    assert (ended.code, ended.err) == (0, "")
    assert "0 failed, 0 warnings" in ended.out
    assert "needs the connection, the history or the envelope" in ended.out


@pytest.mark.golden
@pytest.mark.usefixtures("files")
def test_findings_are_shown(berichtenbox, golden):
    """
    A finding is shown with its requirement, level, certainty, place, expected, seen and advice, and without a BSN.
    """
    ended = berichtenbox("check", "broken.xml")

    assert ended.code == 1
    assert "99999001" not in ended.out
    golden("check.txt", ended.out)


@pytest.mark.usefixtures("files")
def test_advice_in_dutch(berichtenbox):
    """
    Titles and advice are there in Dutch as well.
    """
    english, dutch = berichtenbox("check", "broken.xml"), berichtenbox("check", "broken.xml", "--lang", "nl")

    assert english.out != dutch.out
    assert " is Burger" in english.out


@pytest.mark.usefixtures("files")
def test_warning_alone_is_no_failure(berichtenbox):
    """
    What rests on our own reading, or is no MUST, does not fail a file.
    """
    ended = berichtenbox("check", "warned.xml", "--json")
    (file,) = json.loads(ended.out)

    assert ended.code == 0
    assert {finding["verdict"] for finding in file["findings"]} == {"warning"}


@pytest.mark.usefixtures("files")
def test_unreadable_file_outweighs_the_others(berichtenbox):
    """
    Each file is told, and the worst decides the exit code.
    """
    ended = berichtenbox("check", "good.xml", "broken.xml", "none.txt", "nowhere.xml", ".")

    assert ended.code == 2
    assert "good.xml: GLOBE-R-BV-Request" in ended.out
    assert "none.txt: no XML begins here" in ended.out
    assert "nowhere.xml: cannot be read: No such file or directory." in ended.out


@pytest.mark.usefixtures("files")
def test_json_for_machines(berichtenbox):
    """
    JSON holds the same: findings, what was decided, what needs context, and what could not be read.
    """
    ended = berichtenbox("check", "broken.xml", "none.txt", "--json")
    broken, none = json.loads(ended.out)

    assert ended.code == 2
    assert broken["findings"][0].keys() == {"id", "title", "level", "certainty", "verdict", "where", "expected", "seen", "advice"}
    assert {"AANL-030"} <= set(broken["decided"])
    assert "AANL-001" in broken["needs_context"]
    assert none.keys() == {"file", "error", "hint"}


def test_standard_input(berichtenbox, monkeypatch, document):
    """
    A hyphen stands for stdin.
    """
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(document.encode())))

    ended = berichtenbox("check", "-")

    assert ended.code == 0
    assert ended.out.startswith("stdin: GLOBE-R-BV-Request")


def test_result_without_what_it_lacks(berichtenbox, result, tmp_path):
    """
    A broken result needs no more context than it has.
    """
    (tmp_path / "result.xml").write_bytes(result.to_xml()[:-10])

    ended = berichtenbox("check", "result.xml")

    assert ended.code == 1
    assert "needs the connection" not in ended.out
