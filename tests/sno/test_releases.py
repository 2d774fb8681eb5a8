"""Releases: one a month, and each with its content fixed two weeks before."""

from datetime import date

import pytest

from conformance.sno.calendar import Month
from conformance.sno.judgement import Outcome
from conformance.sno.releases import COLUMNS, Release, check, judge, months_of, releases
from conformance.sno.shares import Period
from conformance.sno.tables import TablesError, read_table

MARCH, APRIL = Month(2026, 3), Month(2026, 4)


def judged(items, norm, *months, is_stated=False):
    return [one for one in judge(items, Period(months or (MARCH,), is_stated)) if one.norm == norm]


@pytest.mark.parametrize(
    ("fixed", "introduced", "verdict", "days"),
    [
        (date(2026, 3, 4), date(2026, 3, 18), Outcome.MET, "14 days"),  # exactly 2 weeks
        (date(2026, 3, 5), date(2026, 3, 18), Outcome.MISSED, "13 days"),
        (date(2026, 2, 18), date(2026, 3, 4), Outcome.MET, "14 days"),  # 10 days of February, 4 of March
        (date(2026, 3, 22), date(2026, 4, 5), Outcome.MET, "14 days"),  # over the change of the clock: days, not hours
        (None, date(2026, 3, 18), Outcome.NO_DATA, ""),
    ],
)
def test_content_is_fixed_in_time(fixed, introduced, verdict, days):
    """The final content stands two weeks before; who did not write it down has no data."""
    (judgement,) = judged([Release("1.0", introduced, fixed)], "SNO-REL-02", Month.of(introduced))

    assert (judgement.verdict, judgement.figure) == (verdict, days)


def test_one_a_month():
    """A month with one release meets the aim, more is no miss, and only months of the period are judged."""
    items = [Release("1.0", date(2026, 3, 18)), Release("1.1", date(2026, 3, 25)), Release("1.2", date(2026, 4, 1))]

    march, april = judged(items, "SNO-REL-01", MARCH, APRIL)

    assert (march.verdict, march.figure, len(march.notes)) == (Outcome.MET, "2 releases", 1)
    assert (april.verdict, april.figure, len(april.notes)) == (Outcome.MET, "1 release", 0)
    assert len(judged(items, "SNO-REL-02", APRIL)) == 1
    assert list(months_of(items)) == [MARCH, MARCH, APRIL]


def test_month_without_a_release():
    """It misses the aim when the list is said to cover the month, and has no data otherwise."""
    assert judged([], "SNO-REL-01", is_stated=True)[0].verdict is Outcome.MISSED
    assert judged([], "SNO-REL-01")[0].verdict is Outcome.NO_DATA


def test_rows_are_read(tmp_path):
    """The content may be empty, and is not fixed after the release."""
    file = tmp_path / "r.csv"
    file.write_text("release,inhoud_vast,ingevoerd\n1.0,,2026-03-18\n1.1,2026-03-04,2026-03-18\n")
    assert releases(read_table(file, COLUMNS, check)) == (
        Release("1.0", date(2026, 3, 18)),
        Release("1.1", date(2026, 3, 18), date(2026, 3, 4)),
    )

    file.write_text("release,inhoud_vast,ingevoerd\n1.0,2026-03-19,2026-03-18\n")
    with pytest.raises(TablesError, match=r"r.csv:2: ingevoerd = .* expected not before inhoud_vast"):
        read_table(file, COLUMNS, check)
