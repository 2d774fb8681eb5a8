"""Tests of `berichtenbox specs`."""

import json
import zipfile
from dataclasses import replace

import pytest

from conformance import specs
from conformance.catalogue import UndecidedReason, catalogue


@pytest.mark.golden
@pytest.mark.usefixtures("deciders")
def test_requirement_is_shown(berichtenbox, golden):
    """
    A requirement is shown with source, certainty, deciders, advice and both readings of each contradiction.
    """
    ended = berichtenbox("specs", "show", "AANL-035")

    assert ended.code == 0
    golden("specs-show.txt", ended.out)


@pytest.mark.usefixtures("deciders")
def test_requirement_is_shown_in_dutch(berichtenbox):
    """
    Title and advice are there in Dutch as well.
    """
    ended = berichtenbox("specs", "show", "VERW-036", "--lang", "nl")
    item = catalogue()["VERW-036"]

    assert item.title_nl.split()[0] in ended.out
    assert item.declare_nl.split()[0] in ended.out


@pytest.mark.usefixtures("deciders")
def test_requirement_without_a_decider_says_why(berichtenbox, monkeypatch):
    """
    What nothing decides names its reason.
    """
    held = catalogue()
    undecided = replace(held["AANL-035"], undecided_reason=UndecidedReason.NOT_BUILT)
    monkeypatch.setattr("conformance.commands.specs.catalogue", lambda: type(held)([undecided], held.contradictions.values(), held.digest))

    ended = berichtenbox("specs", "show", "AANL-035")

    assert "undecided   not-built" in ended.out


@pytest.mark.golden
@pytest.mark.usefixtures("deciders")
def test_norm_is_shown(berichtenbox, golden):
    """
    A norm of the SNO is shown with its numbers, when it holds, and how it was read.
    """
    ended = berichtenbox("specs", "show", "SNO-BER-03")

    assert ended.code == 0
    golden("specs-show-norm.txt", ended.out)


@pytest.mark.usefixtures("deciders")
def test_date_of_a_norm_is_shown(berichtenbox):
    """
    Dates stand with the numbers.
    """
    ended = berichtenbox("specs", "show", "SNO-ALG-01")

    assert "numbers     from 2023-01-01; until 2024-01-01" in ended.out
    assert "decided by  declared" in ended.out


def test_norms_are_listed(berichtenbox):
    """
    The list says which command judges a norm; as JSON each number has its name and unit.
    """
    text = berichtenbox("specs", "list", "--subject", "SNO").out
    told = {item["id"]: item for item in json.loads(berichtenbox("specs", "list", "--subject", "SNO", "--json").out)}

    assert "SNO-BER-03  MUST    bevestigd  The Berichtenbox accepts" in text
    assert "\n107 of " in text
    assert (" (load)" in text, " (sno)" in text, " (declared)" in text) == (True, True, True)
    assert told["SNO-PRE-01"]["numbers"][:2] == [
        {"name": "term", "value": 200, "unit": "milliseconden"},
        {"name": "share", "value": 99.9, "unit": "%"},
    ]
    assert (told["SNO-PRE-01"]["commands"], told["SNO-VAL-02"]["through"]) == (["load presentatie"], ["VAL-001", "VAL-002"])


@pytest.mark.golden
def test_contradiction_is_shown(berichtenbox, golden):
    """
    A contradiction is shown with both readings, what the kit does, and what rests on it.
    """
    ended = berichtenbox("specs", "show", "D4")

    assert ended.code == 0
    golden("specs-show-d4.txt", ended.out)


def test_contradiction_on_which_nothing_rests(berichtenbox, monkeypatch):
    """
    A contradiction without a requirement says so.
    """
    held = catalogue()
    monkeypatch.setattr("conformance.commands.specs.catalogue", lambda: type(held)([], held.contradictions.values(), held.digest))

    ended = berichtenbox("specs", "show", "D1")

    assert "rests on it nothing" in ended.out


def test_list_has_every_requirement(berichtenbox):
    """
    Without a filter every requirement of the catalogue is listed.
    """
    ended = berichtenbox("specs", "list")
    listed = [line.split()[0] for line in ended.out.splitlines() if line[:1].isupper()]

    assert listed == list(catalogue())
    assert ended.out.endswith(f"{len(catalogue())} of {len(catalogue())} requirements\n")


def test_list_is_filtered(berichtenbox):
    """
    Subject and level narrow the list.
    """
    ended = berichtenbox("specs", "list", "--subject", "HERL", "--level", "SHOULD", "--json")
    listed = json.loads(ended.out)

    assert {item["subject"] for item in listed} == {"HERL"}
    assert {item["level"] for item in listed} == {"SHOULD"}
    assert {"nl", "en"} == listed[0]["titles"].keys()


def test_package_that_agrees(berichtenbox, monkeypatch, tmp_path):
    """
    A schema package that says what ours says gives exit code 0.
    """
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as package:
        for path in specs.path("xsd").glob("*.xsd"):
            package.write(path, path.name)
    agreeing = __import__("conformance.speccompare", fromlist=["compare"])
    real = agreeing.compare(tmp_path / "package.zip")
    monkeypatch.setattr(agreeing, "compare", lambda path: type(real)(path, tuple(file for file in real.files if not file.decides)))

    ended = berichtenbox("specs", "compare", "package.zip")

    assert ended.code == 0
    assert "say the same as package.zip" in ended.out.replace("\n", " ")


def test_package_that_differs(berichtenbox, tmp_path):
    """
    A package without the schemas gives exit code 1 and says what is missing; each difference is a line.
    """
    text = specs.path("xsd/berichten.xsd").read_text().replace('maxOccurs="1000"', 'maxOccurs="999"')
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as package:
        package.writestr("berichten.xsd", text)

    ended = berichtenbox("specs", "compare", "package.zip")

    assert ended.code == 1
    assert "missing" in ended.out
    assert "ours " in ended.out
