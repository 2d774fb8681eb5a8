"""Announcements, against cases that were worked out by hand."""

from datetime import date

import pytest

from conformance.norms import Number
from conformance.sno.announcements import KINDS, Announcement, announcements, earliest_start, read_announcements, told
from conformance.sno.calendar import Feestdagen
from conformance.sno.judgement import Outcome
from conformance.sno.tables import TablesError

MET, MISSED, NOT_APPLICABLE, _NO_DATA = Outcome
WORKS = Feestdagen(goede_vrijdag=False, bevrijdingsdag=False)


def judged(kind, announced, start, feestdagen=None):
    item = Announcement(2, kind, announced and date.fromisoformat(announced), date.fromisoformat(start))
    (judgement,) = announcements([item], feestdagen) if feestdagen else announcements([item])
    return judgement


@pytest.mark.parametrize(
    ("kind", "announced", "start", "expected"),
    [
        # SNO-ONH-06, 5 werkdagen. Monday 2 January 2023: 3 4 5 6 and 9.
        ("standaard", "2023-01-02", "2023-01-09", MET),
        ("standaard", "2023-01-02", "2023-01-08", MISSED),
        # Saturday 7 March 2026 is day 0: 9 10 11 12 13.
        ("standaard", "2026-03-07", "2026-03-13", MET),
        ("standaard", "2026-03-07", "2026-03-12", MISSED),
        # Over Easter 2026: Wednesday 1 April, then 2, (3 and 6 are feestdagen) 7 8 9 10.
        ("standaard", "2026-04-01", "2026-04-10", MET),
        ("standaard", "2026-04-01", "2026-04-09", MISSED),
        # SNO-ONH-08, one month: the same day number, or the last of a shorter month.
        ("wijziging", "2026-01-31", "2026-02-28", MET),
        ("wijziging", "2026-01-31", "2026-02-27", MISSED),
        ("wijziging", "2026-03-15", "2026-04-15", MET),
        ("wijziging", "2026-03-15", "2026-04-14", MISSED),
        # SNO-ONH-09, two months: 31 December is followed by 28 February.
        ("certificaten", "2026-12-31", "2027-02-28", MET),
        ("certificaten", "2026-12-31", "2027-02-27", MISSED),
        # SNO-ONH-10, of the Afnemer: one month, two for certificates.
        ("afnemer-wijziging", "2026-04-20", "2026-05-20", MET),
        ("afnemer-certificaten", "2026-04-20", "2026-05-20", MISSED),
        ("afnemer-certificaten", "2026-04-20", "2026-06-20", MET),
        # SNO-ONH-13 and 14, 10 werkdagen. Friday 24 April 2026: 28 29 30 (27 is Koningsdag) 1 4 6 7 8 (5 is Bevrijdingsdag) 11 12.
        ("verplaatst", "2026-04-24", "2026-05-12", MET),
        ("verplaatst", "2026-04-24", "2026-05-11", MISSED),
        ("persoonlijke-gegevens", "2026-04-24", "2026-05-12", MET),
        ("persoonlijke-gegevens", "2026-04-24", "2026-05-11", MISSED),
        # Announced on the day itself, after it, and never.
        ("standaard", "2026-03-09", "2026-03-09", MISSED),
        ("standaard", "2026-03-10", "2026-03-09", MISSED),
        ("wijziging", None, "2026-03-09", MISSED),
    ],
)
def test_term_of_each_kind(kind, announced, start, expected):
    """
    The start may be no earlier than the term after the day of the announcement, which is day 0.
    """
    judgement = judged(kind, announced, start)

    assert (judgement.norm, judgement.verdict) == (KINDS[kind][0], expected)
    assert judgement.arithmetic


def test_who_works_on_feestdagen_counts_them():
    """
    Where Goede Vrijdag is a werkdag, the fifth werkdag after Wednesday 1 April 2026 is the 9th: 2 3 7 8 9.
    """
    assert judged("standaard", "2026-04-01", "2026-04-09", WORKS).verdict is MET
    assert judged("standaard", "2026-04-01", "2026-04-09").verdict is MISSED


@pytest.mark.parametrize(("announced", "by_it"), [("2026-03-02", "would be met"), ("2026-03-03", "would be missed")])
def test_standard_maintenance_of_the_afnemer_is_a_note(announced, by_it):
    """
    Whether the 5 werkdagen hold for the Afnemer is not clear: it is told, and not judged. From 2 March: 3 4 5 6 9.
    """
    judgement = judged("afnemer-standaard", announced, "2026-03-09")

    assert (judgement.norm, judgement.verdict) == ("SNO-ONH-10", NOT_APPLICABLE)
    assert by_it in judgement.notes[1]
    assert judged("afnemer-standaard", None, "2026-03-09").figure == "never announced"


def test_judgement_shows_its_sum():
    """
    The sum names both dates, the term and the earliest start.
    """
    werkdagen = judged("standaard", "2026-03-07", "2026-03-12")
    months = judged("wijziging", "2026-03-15", "2026-04-14")

    assert werkdagen.figure == "4 werkdagen before"
    assert werkdagen.arithmetic == (
        "announced 2026-03-07 (no werkdag) + 5 werkdagen = 2026-03-13; the start is 2026-03-12, 4 werkdagen after it: before 2026-03-13",
    )
    assert months.figure == "30 days before"
    assert months.arithmetic == ("announced 2026-03-15 + 1 maand = 2026-04-15; the start is 2026-04-14: before 2026-04-15",)


def test_term_of_another_unit_is_refused():
    """
    Nobody announces a number of hours before.
    """
    assert told(Number(2, "maanden")) == "2 maanden"
    with pytest.raises(ValueError, match="6 klokuren is no term"):
        earliest_start(date(2026, 3, 2), Number(6, "klokuren"))


def test_table_of_announcements(tmp_path):
    """
    Names are Dutch or English, an announcement that was never made is empty, and the line is kept.
    """
    path = tmp_path / "a.csv"
    path.write_text("kind;announced on;start;onderwerp\nmoved;1-3-2026;2026-03-20;Platform\nstandaard;;2026-03-20;\n")

    moved, never = read_announcements(path)

    assert moved == Announcement(2, "verplaatst", date(2026, 3, 1), date(2026, 3, 20), "Platform")
    assert moved.about == "line 2, verplaatst of 2026-03-20 (Platform)"
    assert (never.announced, never.about) == (None, "line 3, standaard of 2026-03-20")


def test_bad_rows_are_named(tmp_path):
    """
    An unknown kind and a date that is none are told with their line and column.
    """
    path = tmp_path / "a.csv"
    path.write_text("soort,aangekondigd,start\nstandard,2026-03-01,2026-03-09\nwijzigng,2026-03-01,2026-02-30\n")

    with pytest.raises(TablesError, match=r"a\.csv:3: soort = \"wijzigng\"") as caught:
        read_announcements(path)

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(3, "soort"), (3, "start")]
