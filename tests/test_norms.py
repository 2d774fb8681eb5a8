"""The norms of the SNO: all of them, each with its numbers, and somebody who decides it."""

import re
from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from conformance import norms as of
from conformance import specs
from conformance.catalogue import catalogue
from conformance.norms import CALCULATORS, PROFILES, NormsError, UnknownNormError, load, norm, norms, norms_of
from conformance.terms import Binds, Certainty, DecidedBy, Level

FACTS = Path(__file__).parents[2] / "shared" / "feiten" / "sno.md"
AGREED = "ALG 5 BES 8 SVC 3 INC 11 VRG 1 SUP 1 ONH 15 BUR 8 LEV 1 BER 4 NOT 2 PRE 1 ABO 8 VAL 4 OPS 5 AFN 3 VWB 2 PRO 9 CON 6 BHM 2 REL 4 RAP 4"
IDS = {f"SNO-{subject}-{place:02}" for subject, count in re.findall(r"([A-Z]{3}) (\d+)", AGREED) for place in range(1, int(count) + 1)}
NORM = """\
[[norm]]
id = "SNO-BER-03"
section = "2.2.2"
title_nl = "Vijfenveertig."
title_en = "Forty-five."
level = "MUST"
binds = "logius"
certainty = "bevestigd"
numbers.berichten = { value = 45, unit = "berichten/s" }
decided_by = "load"
how = ["aanleveren"]
advice_nl = "Sneller."
advice_en = "Faster."
"""
DECLARED = NORM.replace('decided_by = "load"\nhow = ["aanleveren"]', 'decided_by = "declared"\ndeclare_nl = "Zeg het."\ndeclare_en = "Say it."')


@pytest.fixture
def read(tmp_path):
    """Load norms from files with these texts."""

    def _read(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return load(tmp_path)

    return _read


# -- the shipped norms -------------------------------------------------------------------------------------------------------------------------


def test_all_norms_are_there():
    """Each of the 107 norms of the SNO is there, and none has been made up."""
    assert set(norms()) == IDS
    assert len(norms()) == 107
    assert list(norms()) == sorted(norms())


def test_each_norm_is_decided_calculated_or_declared():
    """A norm names the profile, the calculator or the requirements that decide it, or says what to declare."""
    for item in norms().values():
        names = {
            DecidedBy.LOAD: PROFILES.intersection(item.how),
            DecidedBy.CALCULATOR: CALCULATORS.intersection(item.how),
            DecidedBy.REQUIREMENTS: item.through,
            DecidedBy.DECLARED: item.declare_nl and item.declare_en,
        }[item.decided_by]

        assert names, item.id


def test_each_profile_and_calculator_has_norms():
    """What judges no norm has no place in the list; each name gives its norms."""
    assert all(norms_of(name) for name in PROFILES | CALCULATORS)
    assert [item.id for item in norms_of("validatie")] == ["SNO-VAL-01", "SNO-VAL-03"]
    assert norm("SNO-VAL-01").commands == ("load validatie", "sno quota")


def test_what_a_norm_comes_down_to_can_decide_it():
    """A MUST comes down to MUSTs of the parties that it binds: another would leave it open in a run that is complete."""
    for item in norms().values():
        parts = [catalogue()[id_] for id_ in item.through]
        parties = {part.binds for part in parts}

        assert item.level is Level.SHOULD or all(part.level is Level.MUST for part in parts), item.id
        assert item.binds is Binds.BOTH or parties <= {item.binds}, item.id
        assert item.through == tuple(sorted(item.through))


def test_declared_norms_do_not_hold_up_a_run():
    """A profile that declares nothing stays as it is."""
    assert {item.level for item in norms().values() if item.decided_by is DecidedBy.DECLARED} == {Level.SHOULD}
    assert {item.certainty for item in norms().values()} == {Certainty.BEVESTIGD}


def test_files_keep_to_the_order_of_the_sno():
    """Within a file the norms of a subject stand in the order of their ids."""
    for file in specs.path("sno").glob("*.toml"):
        ids = re.findall(r'^id = "(.*)"', file.read_text(encoding="utf-8"), re.MULTILINE)

        assert all(first < second for first, second in pairwise(ids) if first[:8] == second[:8]), file.name


# -- the fact sheet ----------------------------------------------------------------------------------------------------------------------------


def rows() -> dict[str, str]:
    """Return what the fact sheet has in its columns value and share, by id."""
    if not FACTS.is_file():
        pytest.skip("the fact sheet is not in this checkout")
    found: dict[str, str] = {}
    head: list[str] = []
    for line in FACTS.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        head = cells if cells[0] == "id" else head
        if cells[0].startswith("SNO-"):
            found[cells[0]] = "; ".join(cell for name, cell in zip(head, cells, strict=True) if name in ("value", "share"))
    return found


def numbers_in(text: str) -> set[Fraction]:
    """Return the numbers in words of people: 2 500 000, 7,5, 8.00-22.00 as hours; no references, clauses or dates."""
    text = re.sub(r"\[\d+\]|\b[A-Z]{3}-\d\d([./]+\d\d)*|\b\d\.\d\.\d\b|\b\d\d-\d\d-\d{4}\b", " ", text)
    text = re.sub(r"\b(\d{1,2})[.:]00\b", r"\1", text)
    text = re.sub(r"(?<=\d) (?=\d{3}\b)", "", text)
    return {Fraction(found.replace(",", ".")) for found in re.findall(r"\d+(?:[.,]\d+)?", text)}


def test_ids_are_those_of_the_fact_sheet():
    """Each row of the fact sheet has its norm."""
    assert set(rows()) == set(norms())


def test_every_number_of_the_fact_sheet_is_in_its_norm():
    """No number of the SNO is lost: it is data of its norm, or stands in its note."""
    for id_, value in rows().items():
        item = norm(id_)
        held = {Fraction(number.value) for number in item.numbers.values()} | numbers_in(f"{item.note} {item.window}")
        days = {day.strftime("%d-%m-%Y") for day in item.dates.values()}

        assert numbers_in(value) <= held, id_
        assert set(re.findall(r"\d\d-\d\d-\d{4}", value)) <= days, id_


# -- asking ------------------------------------------------------------------------------------------------------------------------------------


def test_numbers_come_in_the_kind_that_is_asked():
    """A count is whole, a percentage an exact part of one, a time a timedelta, a date a date."""
    assert of.count("SNO-BER-03", "berichten") == 45
    assert of.number("SNO-BUR-05", "score") == Fraction(15, 2)
    assert of.share("SNO-PRE-01", "share") == Fraction(999, 1000)
    assert of.duration("SNO-PRE-01", "term") == timedelta(milliseconds=200)
    assert of.duration("SNO-INC-01", "term") == timedelta(hours=6)
    assert of.day("SNO-ALG-01", "until") == date(2024, 1, 1)
    assert str(of.quantity("SNO-BER-01", "berichten")) == "2 500 000 berichten/dag"
    assert str(of.quantity("SNO-PRE-01", "share")) == "99.9 %"


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda: of.count("SNO-BUR-05", "score"), r"SNO-BUR-05 score is 7\.5 score: no whole number"),
        (lambda: of.share("SNO-BER-03", "berichten"), "is 45 berichten/s: no percentage"),
        (lambda: of.duration("SNO-INC-02", "term"), "is 20 kantooruren: no time that passes by itself"),
    ],
)
def test_number_of_another_kind_is_refused(ask, problem):
    """A norm in werkdagen cannot be taken for one in hours."""
    with pytest.raises(TypeError, match=problem):
        ask()


@pytest.mark.parametrize(
    ("ask", "near"),
    [
        (lambda: norm("SNO-BER-3"), "SNO-BER-03"),
        (lambda: of.number("SNO-BER-03", "bericht"), "SNO-BER-03 berichten"),
        (lambda: of.day("SNO-ALG-01", "to"), "SNO-ALG-01 "),
        (lambda: of.day("SNO-ALG-02", "to"), "near it: nothing"),
        (lambda: norms_of("validate"), "validatie"),
    ],
)
def test_unknown_name_is_answered_with_what_is_near(ask, near):
    """A typing error names what was meant."""
    with pytest.raises(UnknownNormError, match=f"is not in specs/sno/; .*{near}"):
        ask()


def test_norms_cannot_change():
    """Everybody shares the same norms."""
    assert norms() is norms()
    with pytest.raises(FrozenInstanceError, match="window"):
        norm("SNO-BER-03").window = "always"
    with pytest.raises(TypeError, match="does not support item assignment"):
        norm("SNO-BER-03").numbers["berichten"] = None


# -- reading -----------------------------------------------------------------------------------------------------------------------------------


def test_norm_is_read(read):
    """What a file says is in the value, with the clause as its source."""
    item = read(a=NORM.replace("value = 45", "value = 4.5"))["SNO-BER-03"]

    assert repr(item) == "<Norm SNO-BER-03: 4.5 berichten/s, load>"
    assert item.numbers["berichten"].value == Fraction(9, 2)
    assert (item.source, item.title("nl"), item.title("en")) == ("SNO MijnOverheid 2023, 2.2.2", "Vijfenveertig.", "Forty-five.")
    assert repr(read(a=DECLARED.replace("numbers.", "# "))["SNO-BER-03"]) == "<Norm SNO-BER-03: no number, declared>"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("berichten/s", "berichten/eeuw", r"numbers\.berichten: unit must be one of .*, not 'berichten/eeuw'"),
        ('unit = "berichten/s"', 'unit = ["%"]', r"numbers\.berichten: unit must be one of"),
        ("value = 45", "value = -1", r"numbers\.berichten: value must be a number of at least 0, not -1"),
        ("value = 45", 'value = "45"', r"numbers\.berichten: value must be a number of at least 0, not 45"),
        ("value = 45", "value = true", r"numbers\.berichten: value must be a number"),
        ('45, unit = "berichten/s"', '101, unit = "%"', "value must be a number of at least 0 and at most 100, not 101"),
        ('45, unit = "berichten/s"', '25, unit = "o\'clock"', "value must be a number of at least 0 and at most 24, not 25"),
        ("value = 45, ", "", r"numbers\.berichten must have a value and a unit, and nothing else"),
        ("{ value = 45, unit = ", '"', r"is not TOML"),
        ("numbers.berichten", "numbers.Berichten", r"numbers\.Berichten: a name has small letters and underscores"),
        ("numbers.berichten", "dates.from", r"dates\.from must be a date"),
        ('numbers.berichten = { value = 45, unit = "berichten/s" }', "numbers = 45", "numbers must be a table"),
        ('level = "MUST"\n', "", "missing key 'level'"),
        ('level = "MUST"', 'level = "MOET"', "level must be one of MUST, SHOULD, MAY, not 'MOET'"),
        ('level = "MUST"', 'level = "MUST"\nniveau = "hoog"', "unknown key 'niveau'"),
        ('title_en = "Forty-five."', 'title_en = " "', "title_en must be a text that is not empty"),
        ('level = "MUST"', 'level = "MUST"\nnote = ""', "note must be a text that is not empty"),
        ('id = "SNO-BER-03"', 'id = "BER-03"', "malformed id: expected SNO, a subject and two digits"),
        ('section = "2.2.2"', 'section = "tabel"', "section must be a clause such as 2.2.2, not 'tabel'"),
        ('decided_by = "load"', 'decided_by = "case"', "decided_by must be one of load, calculator, requirements, declared, not 'case'"),
        ('decided_by = "load"', 'decided_by = "calculator"', "how must name what decides it: one of announcements, "),
        ('["aanleveren"]', '["counts"]', "how must name what decides it: one of aanleveren, "),
        ('["aanleveren"]', '["aanlevering"]', "how: 'aanlevering' is neither a load profile nor a calculator"),
        ('["aanleveren"]', '["aanleveren", "aanleveren"]', "how must be a list of names, each once"),
        ('["aanleveren"]', '"aanleveren"', "how must be a list of names, each once"),
        ('decided_by = "load"', 'decided_by = "requirements"', "through belongs to a norm that is decided by requirements"),
        ('decided_by = "load"', 'decided_by = "load"\nthrough = ["HERL-001"]', "through belongs to a norm that is decided by requirements"),
        ('decided_by = "load"', 'decided_by = "requirements"\nthrough = ["SNO-BER-01"]', "through: 'SNO-BER-01' is not the id of a requirement"),
        ('decided_by = "load"', 'decided_by = "load"\ndeclare_nl = "Ja."', "declare_nl belongs to a declared norm only"),
        ('decided_by = "load"', 'decided_by = "declared"', "missing key 'declare_nl'"),
    ],
)
def test_malformed_norm_is_refused(read, old, new, problem):
    """A norm that is malformed is refused with its file, its id and what is wrong."""
    assert old in NORM

    with pytest.raises(NormsError, match=problem) as caught:
        read(snel=NORM.replace(old, new))

    assert caught.value.file == "snel.toml"
    assert str(caught.value).startswith("snel.toml: ")


@pytest.mark.parametrize("text", ["[[[", "", '[norm]\nid = "SNO-BER-03"', 'norm = ["SNO-BER-03"]', "versie = 2\n" + NORM])
def test_malformed_file_is_refused(read, text):
    """A file that does not hold norms is refused by name."""
    with pytest.raises(NormsError, match=r"a\.toml: (is not TOML|must hold \[\[norm\]\] tables and nothing else)") as caught:
        read(a=text)

    assert (caught.value.file, caught.value.entry) == ("a.toml", "")


@pytest.mark.parametrize("files", [{"a": NORM * 2}, {"a": NORM, "b": NORM}], ids=["one file", "two files"])
def test_duplicate_norm_is_refused(read, files):
    """An id exists once, over all files."""
    with pytest.raises(NormsError, match=r"SNO-BER-03: duplicate id, already in a\.toml"):
        read(**files)


def test_norm_without_id_is_named_by_its_place(read):
    """An entry without an id is found by its number in the file."""
    with pytest.raises(NormsError, match="norm 2: missing key 'id'"):
        read(a=NORM + DECLARED.replace('id = "SNO-BER-03"\n', ""))


def test_directory_without_norms_is_refused(tmp_path):
    """A directory that is empty or absent is no SNO without norms."""
    with pytest.raises(NormsError, match="leeg: holds no norm at all"):
        load(tmp_path / "leeg")
