"""Quotas over a list of requests: each night, each clock hour, all Afnemers together."""

from datetime import timedelta

import pytest

from conformance.sno.calendar import Month
from conformance.sno.cells import read_moment
from conformance.sno.judgement import Outcome
from conformance.sno.quota import COLUMNS, check, judge, months_of, requests
from conformance.sno.quotas import VALIDATIE, Count
from conformance.sno.shares import Period
from conformance.sno.tables import TablesError, read_table

OWN, OTHER = "00000001234567890000", "00000001999999999000"
MARCH = Month(2026, 3)


def asked(number, soort="alles", at="2026-03-02 23:30", oin=OWN, bsns=0, apart_s=0):
    return [Count(soort, oin, read_moment(at) + timedelta(seconds=n * apart_s), bsns) for n in range(number)]


def judged(items, norm, *months, is_stated=False):
    found = [one for one in judge(items, Period(months or (MARCH,), is_stated)) if one.norm == norm]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("soort", "norm", "quota"),
    [("alles", "SNO-ABO-03", 225), ("bsn-lijst", "SNO-ABO-04", 150), ("mutaties", "SNO-ABO-05", 150)],
)
def test_quota_of_a_night(soort, norm, quota):
    """The quota itself is met and one more is not; the requests of all Afnemers are added up, and the share of each is told."""
    items = [*asked(quota - 10, soort), *asked(10, soort, "2026-03-03 06:59:59", OTHER)]

    within, above = judged(items, norm), judged([*items, *asked(1, soort)], norm)

    assert (within.verdict, within.value) == (Outcome.MET, quota)
    assert (above.verdict, above.value) == (Outcome.MISSED, quota + 1)
    assert within.arithmetic[:2] == (f"{OWN}: {quota - 10}", f"{OTHER}: 10")
    assert within.about == "night of 2026-03-02"


def test_nights_are_judged_apart():
    """Each night has its own quota: 150 before and 150 after midnight are one night, those of the next evening are another."""
    items = [*asked(150), *asked(75, at="2026-03-03 01:00"), *asked(225, at="2026-03-03 23:00")]

    assert [one.verdict for one in judged(items, "SNO-ABO-03")] == [Outcome.MET, Outcome.MET]


@pytest.mark.parametrize(("at", "hours"), [("2026-03-28 23:30", 7), ("2026-10-24 23:30", 9)])
def test_night_in_which_the_clock_changes(at, hours):
    """The night of 7 or 9 hours has the same quota, and is told."""
    items = asked(1, at=at)

    judgement = judged(items, "SNO-ABO-03", *months_of(items))

    assert judgement.notes == (f"The clock changed: this night had {hours} hours.",)


def test_requests_by_day_are_counted_apart():
    """What is asked by day is a warning, counts in no night, and meets no norm."""
    items = [*asked(225), *asked(1, at="2026-03-02 22:59:59"), *asked(1, at="2026-03-03 07:00")]

    by_day = judged(items, "SNO-ABO-02")

    assert (by_day.verdict, by_day.figure) == (Outcome.NOT_APPLICABLE, "2 of 227 requests by day")
    assert by_day.arithmetic[0] == f"2026-03-02 22:59:59: alles of {OWN}, by day"
    assert judged(items, "SNO-ABO-03").verdict is Outcome.MET
    assert judged(asked(1), "SNO-ABO-02").verdict is Outcome.MET


@pytest.mark.parametrize(
    ("number", "bsns", "verdict", "value"),
    [
        (1000, 250, Outcome.MET, 1000),
        (1001, 250, Outcome.MISSED, 1001),
        (500, 251, Outcome.MET, 1000),  # 251 BSNs are two bevragingen of 250
        (501, 251, Outcome.MISSED, 1002),
    ],
)
def test_quota_of_an_hour(number, bsns, verdict, value):
    """1.000 bevragingen of at most 250 BSNs fit in a clock hour."""
    judgement = judged(asked(number, VALIDATIE, "2026-03-02 10:00", bsns=bsns), "SNO-VAL-01")

    assert (judgement.verdict, judgement.value, judgement.about) == (verdict, value, "2026-03-02")


def test_sliding_hour_is_a_note():
    """600 before and 600 after eleven are too many in 60 minutes, and fit in both clock hours."""
    items = asked(1200, VALIDATIE, "2026-03-02 10:50", bsns=250, apart_s=1)

    judgement = judged(items, "SNO-VAL-01")

    assert (judgement.verdict, judgement.value) == (Outcome.MET, 600)
    assert "1200 bevragingen, at most 1000 in a clock hour, which was kept" in judgement.notes[0]


def test_one_bsn_at_a_time_is_warned_of():
    """Who asks about one BSN at a time uses up the hour of all: 251 of those fit in two bevragingen."""
    judgement = judged(asked(251, VALIDATIE, "2026-03-02 10:00", bsns=1), "SNO-VAL-01")

    assert judgement.notes == (f"{OWN} asked 251 times about one BSN in the hour from 2026-03-02 10:00: 2 of 250 would do.",)
    assert judged(asked(2, VALIDATIE, "2026-03-02 10:00", bsns=2), "SNO-VAL-01").notes == ()


def test_months():
    """A night belongs to the month in which it starts; a month without requests has no data, unless the list is said to cover it."""
    items = asked(1, at="2026-04-01 01:00")

    assert list(months_of(items)) == [MARCH]
    assert judged(items, "SNO-ABO-03").verdict is Outcome.MET
    assert judged(items, "SNO-ABO-03", Month(2026, 4)).verdict is Outcome.NO_DATA
    assert judged([], "SNO-VAL-01", is_stated=True).verdict is Outcome.NOT_APPLICABLE


def test_rows_are_read(tmp_path):
    """A request for abonnementen needs no number of BSNs."""
    file = tmp_path / "q.csv"
    file.write_text(f"moment,soort,oin,bsns\n2026-03-02 23:30,Mutatiebasis,{OWN},\n2026-03-02 10:00,validatie,{OWN},250\n")

    assert requests(read_table(file, COLUMNS, check)) == (*asked(1, "mutaties"), *asked(1, VALIDATIE, "2026-03-02 10:00", bsns=250))


def test_wrong_rows_are_named(tmp_path):
    """A bevraging without BSNs, an unknown soort and an hour that the clock skipped are told with line and column."""
    file = tmp_path / "q.csv"
    file.write_text(
        f"moment,soort,oin,bsns\n2026-03-02 10:00,validatie,{OWN},\n2026-03-02 10:00,validatie,{OWN},0\n"
        f"2026-03-02 10:00,alle,{OWN},\n2026-03-29 02:30,alles,{OWN},\n"
    )

    with pytest.raises(TablesError, match="at least 1") as caught:
        read_table(file, COLUMNS, check)

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "bsns"), (3, "bsns"), (4, "soort"), (5, "moment")]
