"""The catalogue of requirements, and the file that says what covers it."""

from collections import Counter

import pytest

from conformance import specs
from conformance.catalogue import (
    Binds,
    CatalogueError,
    Certainty,
    DecidedBy,
    Level,
    Requirement,
    UndecidedReason,
    UnknownRequirement,
    catalogue,
    load,
)
from conformance.coverage_file import Gaps, gaps, render
from conformance.norms import files, norms

CONTRADICTION = """\
[[contradiction]]
id = "D1"
subject_nl = "Lengte"
subject_en = "Length"
a = "128"
b = "40"
kit_nl = "128."
kit_en = "128!"
"""
REQUIREMENT = """\
[[requirement]]
id = "AANL-001"
title_nl = "Het is goed."
title_en = "It is right."
level = "MUST"
binds = "afnemer"
source = "XSD berichten"
certainty = "bevestigd"
decided_by = "rule"
service = "aanleveren"
contradictions = ["D1"]
pitfalls = [2]
advice_nl = "Maak het goed."
advice_en = "Make it right."
"""
DECLARED = """\
[[requirement]]
id = "HERL-013"
title_nl = "Het wordt verklaard."
title_en = "It is declared."
level = "MAY"
binds = "both"
source = "eigen lezing"
certainty = "aanname"
decided_by = "declared"
service = "aanleveren"
advice_nl = "Verklaar het."
advice_en = "Declare it."
declare_nl = "Verklaar hoe lang."
declare_en = "Declare how long."
"""


@pytest.fixture
def read(tmp_path):
    """Load a catalogue of files with these texts."""

    def _read(contradictions=CONTRADICTION, **files):
        (tmp_path / "contradictions.toml").write_text(contradictions, encoding="utf-8")
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return load(tmp_path)

    return _read


def test_every_requirement_of_the_list_is_there():
    """Each subject has the number of requirements that was agreed."""
    counts = Counter(r.subject for r in catalogue().values())
    agreed = {"AANL": 82, "VERW": 52, "HERL": 13, "AFW": 21, "ABO": 50, "VAL": 31}

    assert {subject: counts[subject] for subject in agreed} == agreed
    assert len(catalogue()) >= 90


@pytest.mark.parametrize(
    "numbers",
    [
        ("AANL", [*range(1, 16), *range(20, 28), *range(30, 42), *range(50, 79), *range(80, 98)]),
        ("VERW", [*range(1, 38), *range(50, 65)]),
        ("HERL", range(1, 14)),
        ("AFW", range(1, 22)),
        ("ABO", [*range(1, 15), *range(20, 46), *range(60, 70)]),
        ("VAL", [*range(1, 27), *range(60, 65)]),
    ],
    ids=lambda value: value[0],
)
def test_numbers_of_a_subject_are_those_of_the_list(numbers):
    """No id is missing and none has been made up."""
    subject, expected = numbers

    assert [r.id for r in catalogue().values() if r.subject == subject] == [f"{subject}-{n:03}" for n in expected]


def test_ids_are_sorted():
    """The catalogue is walked in the order of its ids."""
    assert list(catalogue()) == sorted(catalogue())


def test_titles_are_there_and_distinct():
    """No two requirements share a title, and Dutch and English differ."""
    titles = [title for r in catalogue().values() for title in (r.title("nl"), r.title("en"))]

    assert all(titles)
    assert [title for title, n in Counter(titles).items() if n > 1] == []


def test_requirement_is_complete():
    """A requirement is one sentence in each language, with a source and advice; what is our own reading is called aanname."""
    for requirement in catalogue().values():
        sentences = (requirement.title_nl, requirement.title_en, requirement.advice_nl, requirement.advice_en)

        assert all(sentence.endswith((".", " .`")) and "\n" not in sentence for sentence in sentences), requirement.id
        assert requirement.source.strip(), requirement.id
        assert requirement.source.startswith("eigen lezing") == (requirement.certainty is Certainty.AANNAME), requirement.id
        assert requirement.title("nl") == requirement.title_nl, requirement.id
        assert requirement.advice("en") == requirement.advice_en, requirement.id
        assert bool(requirement.declare("nl") and requirement.declare("en")) == (requirement.decided_by is DecidedBy.DECLARED), requirement.id


def test_logius_is_bound_by_the_contents_of_its_answers_only():
    """What a verwerkingsbericht and the answers about abonnementen hold binds Logius; everything else binds the Afnemer."""
    bound = {r.id for r in catalogue().values() if r.binds is Binds.LOGIUS and r.subject not in {"CONT", "EBMS", "SNO", "TLS", "WUS"}}
    answers = {"VERW": range(50, 65), "ABO": range(60, 70), "VAL": range(60, 65)}

    assert bound == {f"{subject}-{n:03}" for subject, numbers in answers.items() for n in numbers}


def test_checking_before_sending_belongs_to_aanleveren():
    """Who asks for no abonnementen at all still sends only to who was checked; the other requirements go with their own service."""
    services = {r.id: r.service for r in catalogue().values() if r.subject in {"ABO", "VAL"}}
    sending = {"ABO-040", "ABO-041", "ABO-042"}

    assert {i for i, service in services.items() if service == "aanleveren"} == sending
    assert {service for i, service in services.items() if i.startswith("ABO") and i not in sending} == {"abonnementen"}
    assert {service for i, service in services.items() if i.startswith("VAL")} == {"validatie"}


def test_contradictions_are_d1_to_d14():
    """Every contradiction of the official texts is there, in order, with what the kit does."""
    held = catalogue().contradictions

    assert list(held) == [f"D{n}" for n in range(1, 15)]
    assert held["D4"].subject("nl") == "Begin van de 13 dagen"
    assert held["D4"].subject("en") == "Start of the 13 days"
    assert held["D13"].kit("nl") == "De kit houdt 6 dagen aan."
    assert held["D13"].kit("en") == "The kit uses 6 days."


def test_requirement_about_13_days_rests_on_their_contradiction():
    """A verdict on the 13 days can name the contradiction that it rests on."""
    assert "D4" in catalogue()["AANL-035"].contradictions
    assert "D4" in catalogue()["AANL-059"].contradictions


def test_repr_tells_what_matters(read):
    """A requirement and a catalogue introduce themselves in one line."""
    held = read(a=REQUIREMENT)

    assert repr(held["AANL-001"]) == "<Requirement AANL-001: MUST, bevestigd, rule>"
    assert repr(held).startswith("<Catalogue: 1 requirements, 1 contradictions, ")


def test_requirement_is_read_field_by_field(read):
    """Every key of the file becomes a typed field."""
    held = read(a=REQUIREMENT + 'undecided_reason = "not-built"\n')

    assert held["AANL-001"] == Requirement(
        id="AANL-001",
        subject="AANL",
        title_nl="Het is goed.",
        title_en="It is right.",
        level=Level.MUST,
        binds=Binds.AFNEMER,
        source="XSD berichten",
        certainty=Certainty.BEVESTIGD,
        decided_by=DecidedBy.RULE,
        service="aanleveren",
        contradictions=("D1",),
        pitfalls=(2,),
        advice_nl="Maak het goed.",
        advice_en="Make it right.",
        declare_nl="",
        declare_en="",
        undecided_reason=UndecidedReason.NOT_BUILT,
    )


def test_other_language_is_refused():
    """Only Dutch and English exist."""
    with pytest.raises(ValueError, match="'fr' is not a valid Lang"):
        catalogue()["AANL-001"].title("fr")


def test_catalogue_is_loaded_once():
    """Everybody shares one catalogue."""
    assert catalogue() is catalogue()


def test_require_names_the_ids_that_look_like_it():
    """A typing error in an id is answered with the ids that are near."""
    with pytest.raises(UnknownRequirement, match=r"'aanl-14' is not a requirement(.|\n)*did you mean .*AANL-014") as caught:
        catalogue().require("aanl-14")

    assert caught.value.id == "aanl-14"
    assert "AANL-014" in caught.value.near


def test_require_points_at_the_list_when_nothing_is_near():
    """An id that looks like nothing is answered with the command that lists all."""
    with pytest.raises(UnknownRequirement, match="`berichtenbox specs list` shows every id"):
        catalogue().require("?")


def test_require_returns_the_requirement():
    """A known id gives its requirement."""
    assert catalogue().require("HERL-001").id == "HERL-001"


def test_select_sorts_and_drops_doubles():
    """A selection is in catalogue order and holds each requirement once."""
    chosen = catalogue().select(["VERW-001", "AANL-001", "VERW-001"])

    assert [r.id for r in chosen] == ["AANL-001", "VERW-001"]


def test_select_refuses_an_unknown_id():
    """One unknown id spoils a selection."""
    with pytest.raises(UnknownRequirement, match="AANL-999"):
        catalogue().select(["AANL-001", "AANL-999"])


def test_digest_follows_the_contents_and_not_the_line_ends(tmp_path, read):
    """The digest changes with a letter, not with a checkout that writes CRLF."""
    before = read(a=REQUIREMENT).digest
    crlf = (tmp_path / "a.toml").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "a.toml").write_bytes(crlf)

    assert len(before) == 64
    assert load(tmp_path).digest == before
    assert read(a=REQUIREMENT.replace("goed", "fout")).digest != before


def test_norm_of_the_sno_is_a_requirement():
    """A norm keeps its id, says which commands judge it and what it comes down to, and is declared when nothing else can decide it."""
    held = catalogue()

    assert {item.id for item in held.values() if item.subject == "SNO"} == set(norms())
    assert (held["SNO-VAL-01"].decided_by, held["SNO-VAL-01"].commands) == (DecidedBy.LOAD, ("load validatie", "sno quota"))
    assert (held["SNO-VAL-02"].decided_by, held["SNO-VAL-02"].through) == (DecidedBy.REQUIREMENTS, ("VAL-001", "VAL-002"))
    assert held["SNO-INC-08"].declare("nl") == norms()["SNO-INC-08"].declare_nl
    assert all(not item.commands and not item.through for item in held.values() if item.subject != "SNO")


def test_norm_brings_the_requirements_that_it_comes_down_to():
    """Who asks for a norm gets the requirements that decide it; a requirement stands for itself."""
    assert catalogue().deciding(["SNO-VAL-02", "HERL-001"]) == {"SNO-VAL-02", "VAL-001", "VAL-002", "HERL-001"}
    assert catalogue().deciding([]) == frozenset()
    with pytest.raises(UnknownRequirement, match="SNO-VAL-09"):
        catalogue().deciding(["SNO-VAL-09"])


def test_norm_that_comes_down_to_nothing_is_refused(read, tmp_path):
    """A norm names requirements that exist."""
    read(a=REQUIREMENT)

    with pytest.raises(CatalogueError, match="sno: SNO-VAL-02: dangling requirement 'VAL-001' in through"):
        load(tmp_path, {"SNO-VAL-02": norms()["SNO-VAL-02"]})


def test_digest_covers_the_norms(read, tmp_path):
    """Another text of the SNO is another catalogue."""
    bare = read(a=REQUIREMENT).digest

    assert len({bare, load(tmp_path, {}, {"a.toml": b"1"}).digest, load(tmp_path, {}, {"a.toml": b"2"}).digest}) == 3
    assert set(files()) == {path.name for path in specs.path("sno").iterdir()}


def test_digest_follows_the_contradictions(read):
    """Another contradiction is another catalogue."""
    assert read(a=REQUIREMENT).digest != read(CONTRADICTION.replace('"40"', '"41"'), a=REQUIREMENT).digest


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('level = "MUST"', 'level = "MOET"', "level must be one of MUST, SHOULD, MAY, not 'MOET'"),
        ('binds = "afnemer"', 'binds = "burger"', "binds must be one of afnemer, logius, both"),
        ('certainty = "bevestigd"', 'certainty = ["x"]', "certainty must be one of bevestigd, gemeld, aanname"),
        ('decided_by = "rule"', 'decided_by = "load"', "decided_by must be one of rule, case, declared"),
        ('level = "MUST"\n', "", "missing key 'level'"),
        ('source = "XSD berichten"\n', "", "missing key 'source'"),
        ('source = "XSD berichten"', 'source = " "', "source must be a text that is not empty"),
        ('title_en = "It is right."', "title_en = 3", "title_en must be a text that is not empty"),
        ('level = "MUST"', 'level = "MUST"\nniveau = "hoog"', "unknown key 'niveau'"),
        ('contradictions = ["D1"]', 'contradictions = ["D2"]', r"dangling contradiction 'D2': contradictions\.toml"),
        ('contradictions = ["D1"]', 'contradictions = "D1"', "contradictions must be a list of ids"),
        ("pitfalls = [2]", "pitfalls = [0]", "pitfalls must be a list of numbers from 1"),
        ("pitfalls = [2]", "pitfalls = 2", "pitfalls must be a list of numbers from 1"),
        ("pitfalls = [2]", 'declare_nl = "Ja."', "declare_nl belongs to a declared requirement only"),
        ("pitfalls = [2]", 'undecided_reason = "geen zin"', "undecided_reason must be one of official-file-missing, "),
    ],
)
def test_malformed_requirement_is_refused(read, old, new, problem):
    """A malformed requirement is refused with its file, its id and what is wrong."""
    with pytest.raises(CatalogueError, match=problem) as caught:
        read(aanleveren=REQUIREMENT.replace(old, new))

    assert (caught.value.file, caught.value.entry) == ("aanleveren.toml", "AANL-001")
    assert str(caught.value).startswith("aanleveren.toml: AANL-001: ")


@pytest.mark.parametrize("bad", ["AANL-1", "aanl-001", "AANL001", "AANL-0001", "AANL-00\u0661"])
def test_malformed_id_is_refused(read, bad):
    """An id is a subject in capitals and three digits."""
    with pytest.raises(CatalogueError, match="malformed id: expected a subject and three digits") as caught:
        read(a=REQUIREMENT.replace("AANL-001", bad))

    assert caught.value.entry == bad


def test_requirement_without_id_is_named_by_its_place(read):
    """An entry without an id is found by its number in the file."""
    with pytest.raises(CatalogueError, match="requirement 2: missing key 'id'"):
        read(a=REQUIREMENT + DECLARED.replace('id = "HERL-013"\n', ""))


@pytest.mark.parametrize("files", [{"a": REQUIREMENT * 2}, {"a": REQUIREMENT, "b": REQUIREMENT}], ids=["one file", "two files"])
def test_duplicate_id_is_refused(read, files):
    """An id exists once, over all files."""
    with pytest.raises(CatalogueError, match=r"AANL-001: duplicate id, already in a\.toml"):
        read(**files)


def test_declared_requirement_says_what_to_declare(read):
    """A declared requirement without both declaration texts is refused."""
    with pytest.raises(CatalogueError, match="HERL-013: missing key 'declare_en'"):
        read(a=DECLARED.replace('declare_en = "Declare how long."\n', ""))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[[", "a.toml: is not TOML"),
        ("", r"must hold \[\[requirement\]\] tables and nothing else"),
        ('[requirement]\nid = "AANL-001"', r"must hold \[\[requirement\]\] tables"),
        ('requirement = ["AANL-001"]', r"must hold \[\[requirement\]\] tables"),
        ("versie = 2\n" + REQUIREMENT, r"must hold \[\[requirement\]\] tables and nothing else"),
    ],
)
def test_malformed_file_is_refused(read, text, problem):
    """A file that does not hold requirements is refused by name."""
    with pytest.raises(CatalogueError, match=problem) as caught:
        read(a=text)

    assert (caught.value.file, caught.value.entry) == ("a.toml", "")


def test_file_that_is_not_utf8_is_refused(tmp_path, read):
    """A file in another encoding is refused by name."""
    (tmp_path / "a.toml").write_bytes(b'naam = "\xe9"')

    with pytest.raises(CatalogueError, match=r"a\.toml: is not TOML"):
        read()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (CONTRADICTION.replace('"D1"', '"X1"'), "X1: malformed id"),
        (CONTRADICTION * 2, "D1: duplicate id"),
        (CONTRADICTION.replace('a = "128"\n', ""), "D1: missing key 'a'"),
        (CONTRADICTION + "c = 1\n", "D1: unknown key 'c'"),
    ],
)
def test_malformed_contradiction_is_refused(read, text, problem):
    """A malformed contradiction is refused as a requirement would be."""
    with pytest.raises(CatalogueError, match=problem):
        read(text, a=REQUIREMENT)


def test_empty_catalogue_is_refused(tmp_path, read):
    """Without requirements, or without the contradictions, there is no catalogue."""
    with pytest.raises(CatalogueError, match="holds no requirement at all"):
        read()
    with pytest.raises(CatalogueError, match=r"contradictions\.toml: is missing in leeg/"):
        load(tmp_path / "leeg")


def test_shipped_files_are_sorted():
    """Within a file the requirements stand in the order of their ids."""
    for file in specs.path("requirements").glob("*.toml"):
        ids = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith('id = "') and '"D' not in line]

        assert ids == sorted(ids)


def test_gaps_finds_ids_that_nobody_knows(read):
    """An id that a decider or a defect names and the catalogue does not hold is dangling."""
    found = gaps({"AANL-001": ["rule"], "AANL-002": ["rule"]}, {"AANL-003": ["defect"]}, read(a=REQUIREMENT))

    assert found == Gaps(dangling=("AANL-002", "AANL-003"), undecided=())
    assert found


def test_gaps_finds_requirements_that_nothing_decides(read):
    """A requirement without rule, case, declaration or reason is undecided; an empty list of deciders decides nothing."""
    held = read(a=REQUIREMENT, b=REQUIREMENT.replace("001", "002"), c=DECLARED)

    assert gaps({"AANL-001": []}, held=held) == Gaps(dangling=(), undecided=("AANL-001", "AANL-002"))


def test_reason_from_the_list_closes_a_gap(read):
    """A requirement that says why nothing decides it is no gap."""
    assert not gaps({}, held=read(a=REQUIREMENT + 'undecided_reason = "needs-a-person"\n'))


def test_gaps_of_the_shipped_catalogue_without_deciders():
    """Without any decider every requirement is a gap, except what is declared or explained."""
    expected = tuple(r.id for r in catalogue().values() if r.decided_by is not DecidedBy.DECLARED and not r.undecided_reason)

    assert gaps({}).undecided == expected


def test_coverage_is_a_table_with_a_line_a_requirement(read):
    """Deciders and defects are listed sorted and once; what has none says why."""
    held = read(
        a=REQUIREMENT,
        b=REQUIREMENT.replace("001", "002"),
        c=REQUIREMENT.replace("001", "003") + 'undecided_reason = "not-built"\n',
        d=DECLARED,
    )

    text = render({"AANL-001": ["rules.z", "cases/a[x|y]", "rules.z"]}, {"AANL-001": ["swaps_ids"]}, held)

    assert text.splitlines()[-6:] == [
        "| id | level | certainty | decider(s) | defect(s) |",
        "|---|---|---|---|---|",
        "| AANL-001 | MUST | bevestigd | `cases/a[x\\|y]`, `rules.z` | `swaps_ids` |",
        "| AANL-002 | MUST | bevestigd | **nothing** |  |",
        "| AANL-003 | MUST | bevestigd | not-built |  |",
        "| HERL-013 | MAY | aanname | declared |  |",
    ]
    assert text.endswith("\n")


def test_coverage_of_the_shipped_catalogue_names_every_id():
    """By default the table is about the kit's own catalogue."""
    text = render({})

    assert all(f"| {requirement_id} |" in text for requirement_id in catalogue())
