"""Tests of `berichtenbox sno`: availability, windows and announcements."""

import json
from pathlib import Path

import pytest
from icalendar import Calendar

from conformance.commands.sno import _ENVIRONMENTS, _SERVICES
from conformance.sno.outages import Service
from conformance.sno.windows import Environment

SAMPLES = Path(__file__).parent.parent.parent / "docs" / "voorbeelden" / "sno"
LOG = "van,tot,dienst\n2026-04-07 10:00,2026-04-07 {},portaal\n"


@pytest.fixture
def log(tmp_path):
    """Return a function that writes a log in which the portaal is down until some time."""

    def write(until, name="log.csv"):
        (tmp_path / name).write_text(LOG.format(until))
        return name

    return write


@pytest.mark.golden
def test_availability_of_the_sample(berichtenbox, golden):
    """
    The verdict first, then every judgement with its sum, its norm and its notes.
    """
    ended = berichtenbox("sno", "availability", str(SAMPLES / "availability.csv"), "--moved", str(SAMPLES / "windows.csv"), "--month", "2026-03")

    assert ended.code == 0
    golden("sno-availability.txt", ended.out)


@pytest.mark.golden
@pytest.mark.parametrize("name", ["availability", "windows", "announcements"])
def test_help_is_the_stored_one(berichtenbox, golden, name):
    """
    Each calculator says which columns it takes, within 80 columns.
    """
    ended = berichtenbox("sno", name, "--help")

    assert ended.code == 0
    golden(f"help-sno-{name}.txt", ended.out)


@pytest.mark.parametrize(
    ("until", "options", "code", "words"),
    [
        ("17:12", [], 0, "met: every norm"),
        ("17:13", [], 1, "missed: a norm is missed"),
        ("17:12", ["--month", "2026-05"], 2, "no-data: the data hold too little"),
        ("17:12", ["--service", "validatie"], 2, "2 no-data"),
        ("17:12", ["--service", "validatie", "--from", "2026-04-01"], 0, "2 met"),
        ("17:12", ["--until", "15-4-2026"], 2, "the log covers 360 h of it"),
        ("17:13", ["--until", "15-4-2026"], 1, "the log covers 360 h of it"),
        ("17:12", ["--from", "2026-05-01"], 2, "The log covers no moment"),
        ("17:12", ["--from", "2026-05-01", "--until", "2026-05-31"], 0, "1 of 1 rows lie outside the period"),
    ],
)
def test_availability_ends_with_the_code_of_its_verdict(berichtenbox, log, until, options, code, words):
    """
    7 h 12 min is what April allows; without data it is never green.
    """
    ended = berichtenbox("sno", "availability", log(until), *options)

    assert ended.code == code
    assert words in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("van,tot,dienst\n", [], "The log covers no moment"),
        ("van,tot,dienst\n", ["--from", "2026-04-01", "--until", "2026-04-30"], "name with --service what it is about"),
    ],
)
def test_log_without_an_outage_is_not_green(berichtenbox, tmp_path, data, options, words):
    """
    An empty log has nothing to say, unless its owner says of which service and period.
    """
    (tmp_path / "log.csv").write_text(data)

    ended = berichtenbox("sno", "availability", "log.csv", *options)
    stated = berichtenbox("sno", "availability", "log.csv", "--from", "2026-04-01", "--until", "2026-04-30", "--service", "portaal")

    assert ended.code == 2
    assert words in " ".join(ended.out.split())
    assert stated.code == 0


def test_bad_rows_end_with_code_2_and_no_outcome(berichtenbox, tmp_path):
    """
    Each is named with its line and column, and nothing is judged.
    """
    (tmp_path / "log.csv").write_text("van;tot;dienst\ngisteren;;portaal\n2026-04-07 10:00;2026-04-07 9:00;portal\n")

    ended = berichtenbox("sno", "availability", "log.csv")

    assert (ended.code, ended.out) == (2, "")
    assert 'log.csv:2: van = "gisteren"' in ended.err
    assert 'log.csv:3: dienst = "portal"' in ended.err
    assert "Hint: did you mean portaal?" in ended.err


def test_json_has_the_same_outcome(berichtenbox, log, tmp_path):
    """
    Each judgement with its norm, its exact figure and its sum.
    """
    ended = berichtenbox("sno", "availability", log("17:13"), "--json", "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    (judgement,) = document["judgements"]

    assert (ended.code, document["exit_code"], document["verdict"], document["calculator"]) == (1, 1, "missed", "availability")
    assert (judgement["norm"], judgement["about"], judgement["verdict"]) == ("SNO-BES-01", "2026-04 portaal", "missed")
    assert judgement["value"] == {"number": pytest.approx(98.9977, abs=1e-4), "exact": "42767/432"}  # 100 - 100 * 433 / 43200
    assert judgement["numbers"] == {"share": {"value": 99.0, "unit": "%"}}
    assert document["files"] == ["log.csv"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--month", "2026-13"], "expected a month such as 2026-03, not '2026-13'"),
        (["--from", "2026-02-30"], "expected a date such as 2026-03-01, not '2026-02-30' (no calendar has this date)"),
        (["--until", "morgen"], "expected a date such as 2026-03-01, not 'morgen'."),
        (["--from", "2026-04-02", "--until", "2026-04-01"], "--until 2026-04-01 is before --from 2026-04-02"),
        (["--works-on", "koningsdag"], "only goede-vrijdag and bevrijdingsdag are a choice"),
        (["--service", "portal"], "is not one of"),
        (["--moved", "nowhere.csv"], "expected a file that can be read"),
        (["--json", "log.csv/out.json"], "expected a directory"),
    ],
)
def test_wrong_usage_is_told(berichtenbox, log, options, words):
    """
    What is wrong with an option is said, with exit code 2.
    """
    ended = berichtenbox("sno", "availability", log("11:00"), *options)

    assert ended.code == 2
    assert words in " ".join(ended.err.split())


def test_works_on_moves_the_terms(berichtenbox, tmp_path):
    """
    From 1 April 2026 the fifth werkdag is the 10th, and the 9th for who works on Goede Vrijdag.
    """
    (tmp_path / "a.csv").write_text("soort,aangekondigd,start\nstandaard,2026-04-01,2026-04-09\n")

    codes = [berichtenbox("sno", "announcements", "a.csv", *options).code for options in ([], ["--works-on", "Goede-Vrijdag, bevrijdingsdag"])]

    assert codes == [1, 0]


def test_windows_are_shown_and_written(berichtenbox, tmp_path):
    """
    Without moves there is no verdict, and nothing to fail: text, iCalendar and JSON have the same windows.
    """
    ended = berichtenbox("sno", "windows", "--month", "2026-03", "--month", "2026-04", "--ics", "cal.ics", "--json", "out.json")
    events = Calendar.from_ical((tmp_path / "cal.ics").read_bytes()).events
    document = json.loads((tmp_path / "out.json").read_text())

    assert ended.code == 0
    assert ended.out.startswith("Maintenance of MijnOverheid, productie:\nOnderhoud Berichtenbox")
    assert [event.start.isoformat() for event in events] == [window["start"] for window in document["windows"]]
    assert (len(events), document["verdict"], document["judgements"]) == (6, "not-applicable", [])
    assert "SNO-ALG-01" in document["notes"][0]


def test_windows_of_the_edition_have_no_note(berichtenbox):
    """
    A month of 2023 is one of which the SNO speaks.
    """
    ended = berichtenbox("sno", "windows", "--month", "2023-02", "--environment", "preproductie")

    assert ended.out == (
        "Maintenance of MijnOverheid, preproductie:\n"
        "Technisch onderhoud portaal: SNO-ONH-01, 2023-02-08 00:00 to 2023-02-08 06:00\n"
        "Onderhoud Berichtenbox, zonder downtime: SNO-ONH-04, 2023-02-14 09:00 to\n"
        "    2023-02-14 15:00\n"
        "Functioneel onderhoud portaal: SNO-ONH-03, 2023-02-22 17:00 to 2023-02-23 06:00\n"
    )


@pytest.mark.parametrize(("announced", "code"), [("2026-03-05", 0), ("2026-03-19", 1)])
def test_moved_windows_are_judged(berichtenbox, tmp_path, announced, code):
    """
    A move that was announced too late is told, and leaves the window where it was.
    """
    (tmp_path / "moved.csv").write_text(f"norm,datum,van,tot,aangekondigd\nONH-02,2026-03-25,2026-03-20 00:00,2026-03-20 06:00,{announced}\n")

    ended = berichtenbox("sno", "windows", "--month", "2026-03", "--moved", "moved.csv", "--json", "out.json")
    document = json.loads((tmp_path / "out.json").read_text())

    assert (ended.code, document["exit_code"]) == (code, code)
    assert document["windows"][2]["moved_from"] == (None if code else "2026-03-25")
    assert ended.out.startswith("missed" if code else "met")


def test_moves_without_a_row_are_not_green(berichtenbox, tmp_path):
    """
    A table that moves nothing has nothing to judge.
    """
    (tmp_path / "moved.csv").write_text("norm,datum,van,tot,aangekondigd\n")

    assert berichtenbox("sno", "windows", "--month", "2026-03", "--moved", "moved.csv").code == 2


def test_announcements_without_a_row_are_not_green(berichtenbox, tmp_path):
    """
    An empty table has nothing to judge.
    """
    (tmp_path / "a.csv").write_text("soort,aangekondigd,start\n")

    ended = berichtenbox("sno", "announcements", "a.csv")

    assert ended.code == 2
    assert "nothing was judged" in ended.out


def test_bsn_in_a_table_is_hidden(berichtenbox, tmp_path):
    """
    What somebody wrote into a table is shown, but for a BSN.
    """
    (tmp_path / "a.csv").write_text("soort,aangekondigd,start,omschrijving\nstandaard,,2026-03-09,vraag van 999990019\n")

    ended = berichtenbox("sno", "announcements", "a.csv", "--json", "out.json")

    assert "999990019" not in ended.out + (tmp_path / "out.json").read_text()
    assert "9999*****" in ended.out


def test_choices_are_those_of_the_calculators():
    """
    The command line repeats words, so that its help need not import what they mean.
    """
    assert [*Service] == [*_SERVICES]
    assert [*Environment] == [*_ENVIRONMENTS]
