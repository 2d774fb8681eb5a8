"""The outage log, and what it covers."""

from datetime import date

import pytest

from conformance.sno.outages import Cause, Service, read_log
from conformance.sno.spans import shown
from conformance.sno.tables import TablesError


@pytest.fixture
def log(tmp_path):
    """Return a function that reads a log of some rows."""

    def read(*rows, start=None, until=None, header="van,tot,dienst,oorzaak,gepland,systeem"):
        path = tmp_path / "log.csv"
        path.write_text("\n".join([header, *rows]))
        return read_log(path, start and date.fromisoformat(start), until and date.fromisoformat(until))

    return read


def covered(held):
    return [(shown(span.start), shown(span.end)) for span in held.covered]


@pytest.mark.parametrize(
    ("rows", "start", "until", "expected"),
    [
        (["2026-03-04 10:00,2026-03-04 11:00,portaal,,,"], None, None, [("2026-03-01 00:00", "2026-04-01 00:00")]),
        (["2026-01-31 23:30,2026-02-01 00:30,portaal,,,"], None, None, [("2026-01-01 00:00", "2026-03-01 00:00")]),
        (["2026-03-31 23:30,2026-04-01 00:00,portaal,,,"], None, None, [("2026-03-01 00:00", "2026-04-01 00:00")]),
        (
            ["2026-01-04 10:00,2026-01-04 11:00,portaal,,,", "2026-03-04 10:00,2026-03-04 11:00,portaal,,,"],
            None,
            None,
            [("2026-01-01 00:00", "2026-02-01 00:00"), ("2026-03-01 00:00", "2026-04-01 00:00")],
        ),
        (["2026-03-04 10:00,,portaal,,,"], None, None, [("2026-03-01 00:00", "2026-04-01 00:00")]),
        ([], None, None, []),
        ([], "2026-01-01", "2026-01-31", [("2026-01-01 00:00", "2026-02-01 00:00")]),
        ([], "2026-01-01", None, []),
        (["2026-03-04 10:00,2026-03-04 11:00,portaal,,,"], "2026-02-10", None, [("2026-02-10 00:00", "2026-04-01 00:00")]),
        (["2026-03-04 10:00,2026-03-04 11:00,portaal,,,"], None, "2026-03-29", [("2026-03-01 00:00", "2026-03-30 00:00")]),
        (["2026-03-04 10:00,2026-03-04 11:00,portaal,,,"], "2027-01-01", None, []),
    ],
)
def test_log_covers_what_is_said_or_the_months_it_touches(log, rows, start, until, expected):
    """
    The months of the rows, or the dates that somebody gives: the last one up to its end.
    """
    assert covered(log(*rows, start=start, until=until)) == expected


def test_row_without_an_end_lasts_until_the_log_ends(log):
    """
    It lasts through months without other rows, and it touches them.
    """
    rows = ("2026-01-20 10:00,,portaal,,,", "2026-03-04 10:00,2026-03-04 11:00,validatie,,,")

    held = log(*rows)

    assert str(held.outages[0]) == "line 2: 2026-01-20 10:00 to 2026-04-01 00:00 (no end given), no cause given"
    assert [str(month) for month in held.months] == ["2026-01", "2026-02", "2026-03"]
    assert covered(held) == [("2026-01-01 00:00", "2026-04-01 00:00")]
    assert shown(log(*rows, until="2026-02-15").outages[0].span.end) == "2026-02-16 00:00"


def test_months_between_are_named_but_not_covered(log):
    """
    A month without rows between two others is asked about.
    """
    held = log("2026-01-04 10:00,2026-01-04 11:00,portaal,,,", "2026-03-04 10:00,2026-03-04 11:00,portaal,,,")

    assert [str(month) for month in held.months] == ["2026-01", "2026-02", "2026-03"]
    assert log().months == ()


def test_columns_mean_what_they_say(log):
    """
    Maintenance is planned unless the log says otherwise; only connected systems have a name of their own.
    """
    held = log(
        "2026-03-04 10:00,2026-03-04 11:00,validatieservice,onderhoud,,",
        "2026-03-04 10:00,2026-03-04 11:00,Portaal,maintenance,nee,X",
        "2026-03-04 10:00,2026-03-04 11:00,aangesloten-systeem,internet,,RDW",
        "2026-03-04 10:00,2026-03-04 11:00,portaal,DigiD,,",
    )

    assert [outage.is_planned for outage in held.outages] == [True, False, False, False]
    assert [str(outage.series) for outage in held.outages] == ["validatie", "portaal", "aangesloten-systeem RDW", "portaal"]
    assert [outage.is_outside for outage in held.outages] == [False, False, False, True]
    assert held.outages[0].series.service is Service.VALIDATIE
    assert held.outages[3].cause is Cause.DIGID
    assert str(held.outages[0]) == "line 2: 2026-03-04 10:00 to 2026-03-04 11:00, onderhoud, planned"


@pytest.mark.parametrize(
    ("row", "until", "problem"),
    [
        ("2026-03-04 10:00,2026-03-04 10:00,portaal,,,", None, "2: tot = .*a moment after van"),
        ("2026-03-04 10:00,2026-03-03 11:00,portaal,,,", None, "2: tot = .*a moment after van"),
        ("2026-10-25 02:30,2026-10-25 04:00,portaal,,,", None, "2: van = .*twice"),
        ("2026-03-04 10:00,,portaal,,,", "2026-03-03", "2: van = .*before 2026-03-04 00:00, where the period ends"),
        ("2026-03-04 10:00,2026-03-04 11:00,portal,,,", None, "2: dienst = .*did you mean portaal"),
        ("2026-03-04 10:00,2026-03-04 11:00,portaal,stroring,,", None, "2: oorzaak = .*did you mean storing"),
        ("2026-03-04 10:00,2026-03-04 11:00,portaal,,,,", None, "expected 6 cells, as in the header, got 7"),
    ],
)
def test_rows_that_make_no_sense(log, row, until, problem):
    """
    An end before the start, an hour that came twice, and words that are unknown are named with their line.
    """
    start = "2026-03-01" if until else None

    with pytest.raises(TablesError, match=f"(?s){problem}"):
        log(row, until=until, start=start)
