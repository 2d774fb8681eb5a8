"""Counts of berichten and notificaties: cases worked out by hand, with the sum beside each."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from conformance.sno import counts
from conformance.sno.calendar import Month
from conformance.sno.cells import read_moment
from conformance.sno.counts import (
    COLUMNS,
    DAYS,
    Bericht,
    CheckDays,
    DayCount,
    Result,
    berichten,
    check,
    days,
    days_of,
    judge_berichten,
    judge_days,
    months_of,
)
from conformance.sno.judgement import Outcome
from conformance.sno.shares import Period
from conformance.sno.tables import TablesError, read_table

MARCH, APRIL, OCTOBER = Month(2026, 3), Month(2026, 4), Month(2026, 10)
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def bericht(received, notified=None, published=None, result=Result.VERWERKT, **more):
    moments = [None if text is None else read_moment(f"2026-03-{text}") for text in (received, notified, published)]
    return Bericht(moments[0], result, notified=moments[1], published=moments[2], **more)


def daily(items, norm, *months, report=None, is_stated=False):
    found = [one for one in judge_days(items, Period(months or (MARCH,), is_stated), report) if one.norm == norm]
    return found[0] if len(found) == 1 else found


def hourly(items, norm, *months):
    found = [one for one in judge_berichten(items, Period(months or (MARCH,))) if one.norm == norm]
    return found[0] if len(found) == 1 else found


@pytest.fixture
def small_norms(monkeypatch):
    """Three berichten an hour, so that a case can be counted by hand."""
    monkeypatch.setattr(counts, "count", lambda _norm, _name: 3)


@pytest.mark.parametrize(
    ("offered", "verdict"), [([2_500_000], Outcome.MET), ([2_500_001], Outcome.MISSED), ([1_500_000, 1_000_001], Outcome.MISSED)]
)
def test_volume_of_a_day(offered, verdict):
    """2 500 000 on one day are met, one more is not; Afnemers are added up."""
    items = [DayCount(MONDAY, number, number, 0, oin=f"A{place}") for place, number in enumerate(offered)]

    judgement = daily(items, "SNO-BER-01")

    assert (judgement.verdict, judgement.value) == (verdict, sum(offered))


def test_busiest_day_is_told():
    """The figure of a month is its busiest day, and each day above the norm is named."""
    items = [DayCount(MONDAY, 2_600_000, 0, 0), DayCount(TUESDAY, 2_700_000, 0, 0), DayCount(date(2026, 3, 4), 1, 0, 0)]

    judgement = daily(items, "SNO-BER-01")

    assert judgement.arithmetic == (
        "2026-03-02: 2.600.000 berichten, more than 2.500.000",
        "2026-03-03: 2.700.000 berichten, more than 2.500.000",
        "busiest: 2026-03-03, 2.700.000 berichten; norm: at most 2.500.000: missed",
    )


@pytest.mark.parametrize(("notified", "verdict"), [(3_000_000, Outcome.MET), (3_000_001, Outcome.MISSED)])
def test_notificaties_of_a_day(notified, verdict):
    """3 000 000 on a local day are met, one more is not; without counts of them nothing is judged."""
    assert daily([DayCount(MONDAY, 0, 0, 0, notified=notified)], "SNO-NOT-02").verdict is verdict
    assert daily([DayCount(MONDAY, 0, 0, 0)], "SNO-NOT-02") == []


@pytest.mark.parametrize(
    ("with_bijlage", "offered", "verdict"),
    [(95, 100, Outcome.MET), (96, 100, Outcome.MISSED), (19, 20, Outcome.MET), (20, 21, Outcome.MISSED)],  # 20/21 = 95,24 %
)
def test_share_with_a_bijlage(with_bijlage, offered, verdict):
    """Exactly 95 % of the berichten of a month may have a bijlage."""
    items = [DayCount(MONDAY, offered - 10, 0, 0, with_bijlage - 9, known=offered - 10), DayCount(TUESDAY, 10, 0, 0, 9, known=10)]

    judgement = daily(items, "SNO-OPS-04")

    assert (judgement.verdict, judgement.value) == (verdict, Fraction(with_bijlage, offered) * 100)


def test_daily_report_is_compared():
    """Every day and Afnemer has the counts of the report; a day that only one of both has is a difference, unless it is all zeros."""
    items = [DayCount(MONDAY, 10, 8, 2, oin="A"), DayCount(TUESDAY, 5, 5, 0, oin="A")]
    zeros = DayCount(date(2026, 3, 7), 0, 0, 0, oin="A")

    assert daily(items, "SNO-RAP-04", report=[*items, zeros]).verdict is Outcome.MET
    wrong = daily(items, "SNO-RAP-04", report=[DayCount(MONDAY, 10, 9, 1, oin="A")])
    assert wrong.verdict is Outcome.MISSED
    assert wrong.arithmetic == (
        "2026-03-02 A: 10 offered, 8 processed, 2 rejected; the report says 10 offered, 9 processed, 1 rejected",
        "2026-03-03 A: 5 offered, 5 processed, 0 rejected; the report says 0 offered, 0 processed, 0 rejected",
        "0 of 2 daily counts agree",
    )


def test_counts_without_a_report_are_told():
    """Without a report there is nothing to compare, and so no verdict."""
    judgement = daily([DayCount(MONDAY, 1000, 8, 2)], "SNO-RAP-04")

    assert (judgement.verdict, judgement.arithmetic) == (Outcome.NOT_APPLICABLE, ("2026-03-02: 1.000 offered, 8 processed, 2 rejected",))


def test_months_without_berichten():
    """A month that no row touches has no data, unless the counts are said to cover it; a report of it is still compared."""
    items = [DayCount(MONDAY, 1, 1, 0)]

    assert daily(items, "SNO-BER-01", MARCH, APRIL)[1].verdict is Outcome.NO_DATA
    assert daily(items, "SNO-BER-01", MARCH, APRIL, is_stated=True)[1].verdict is Outcome.NOT_APPLICABLE
    assert daily(items, "SNO-RAP-04", APRIL, report=[DayCount(date(2026, 4, 1), 1, 1, 0)]).verdict is Outcome.MISSED
    assert list(months_of(items)) == [MARCH]


def test_berichten_are_counted_on_the_day_of_offering():
    """The Dutch day counts, with what became of each bericht; a notificatie counts on the day on which it left."""
    items = [
        bericht("02 23:59", "03 00:01", has_bijlage=True, oin="A"),
        bericht("02T22:30Z", result=Result.AFGEWEZEN, has_bijlage=False, oin="A"),
        bericht("02T23:30Z", result=None, oin="A"),  # already the 3rd in the Netherlands
    ]

    assert days_of(items) == (
        DayCount(MONDAY, 2, 1, 1, 1, 0, "A", 2),
        DayCount(TUESDAY, 1, 0, 0, None, 1, "A", None),
    )
    assert "Of 1 bericht nobody wrote down whether there is a bijlage." in daily(days_of(items), "SNO-OPS-04").notes


@pytest.mark.usefixtures("small_norms")
@pytest.mark.parametrize(
    ("received", "verdict", "value", "sliding"),
    [
        (["10:00", "10:30", "10:59:59"], Outcome.MET, 3, 3),
        (["10:00", "10:30", "10:59:59", "10:10"], Outcome.MISSED, 4, 4),
        (["10:50", "10:55", "11:00", "11:05"], Outcome.MET, 2, 4),  # 4 in 60 minutes, 2 in each clock hour
        (["10:00", "10:30", "11:00"], Outcome.MET, 2, 2),  # 11:00 is not within 60 minutes of 10:00
    ],
)
def test_clock_hour_decides(received, verdict, value, sliding):
    """The clock hour is judged, and the busiest 60 minutes are a note."""
    judgement = hourly([bericht(f"02 {moment}") for moment in received], "SNO-BER-02")

    assert (judgement.verdict, judgement.value) == (verdict, value)
    assert judgement.notes[0].startswith(f"The busiest 60 minutes hold {sliding} berichten")


@pytest.mark.usefixtures("small_norms")
def test_hour_that_comes_twice():
    """Four berichten between 02:00 and 03:00 on 25 October, two in each of the hours of that name, fit."""
    items = [Bericht(read_moment(f"2026-10-25T{moment}Z")) for moment in ("00:10", "00:20", "01:15", "01:30")]

    judgement = hourly(items, "SNO-BER-02", OCTOBER)

    assert (judgement.verdict, judgement.value) == (Outcome.MET, 2)
    assert "busiest: hour from 2026-10-25 02:00+0200" in judgement.arithmetic[0]


@pytest.mark.usefixtures("small_norms")
def test_notificaties_of_an_hour():
    """Notificaties count in the hour in which they left; a month without any is not judged on them."""
    items = [bericht("02 09:00", "02 10:00") for _ in range(4)]

    assert hourly(items, "SNO-NOT-01").verdict is Outcome.MISSED
    assert hourly([bericht("02 09:00")], "SNO-NOT-01") == []


def test_norms_of_an_hour():
    """The norms are those of the SNO: 150 000 berichten and 125 000 notificaties."""
    items = [bericht("02 09:00", "02 10:00")]

    assert "at most 150.000" in hourly(items, "SNO-BER-02").arithmetic[0]
    assert "at most 125.000" in hourly(items, "SNO-NOT-01").arithmetic[0]


@pytest.mark.parametrize(
    ("letters", "late"),
    [
        ([("09:00", "10:00"), ("09:01", "10:01")], 0),
        ([("09:00", "10:01"), ("09:01", "10:00")], 1),  # the second overtook the first
        ([("09:00", "10:01"), ("09:00", "10:00")], 0),  # arrived together: no order
        ([("09:00", "10:00"), ("09:01", "10:00")], 0),  # left together
        ([("09:00", "10:05"), ("09:01", "10:01"), ("09:02", "10:02")], 2),  # both overtook the first
        ([("09:00", None), ("09:01", "10:00")], 0),  # not every citizen wants a notification
    ],
)
def test_order_of_arrival(letters, late):
    """A notificatie that leaves before that of an earlier bericht is out of order."""
    items = [bericht(f"02 {received}", notified and f"02 {notified}") for received, notified in letters]

    order, _daily = hourly(items, "SNO-BES-02")

    assert order.verdict is (Outcome.MISSED if late else Outcome.MET)
    assert order.value == sum(notified is not None for _, notified in letters) - late


def test_letter_that_is_put_off_arrives_when_it_may_be_seen():
    """Arrival is when the citizen may see the letter, and not when it was offered."""
    items = [bericht("02 09:00", "03 10:00", "03 00:00"), bericht("02 09:01", "02 10:00")]

    assert hourly(items, "SNO-BES-02")[0].verdict is Outcome.MET


@pytest.mark.parametrize(
    ("letters", "without"),
    [
        ([("02 09:00", "02 18:00"), ("03 09:00", "03 18:00")], []),
        ([("02 23:59", "03 00:01")], []),  # came after the distribution of its day, and left within 24 hours
        ([("02 09:00", "03 09:00")], []),  # exactly 24 hours
        ([("02 09:00", "03 09:01")], ["2026-03-02"]),  # nothing left on the 2nd
        ([("02 09:00", "04 09:00")], ["2026-03-02", "2026-03-03"]),
        ([("02 09:00", "02 10:00"), ("02 11:00", "04 09:00")], ["2026-03-03"]),  # on the 2nd there was one, on the 3rd it waited all day
        ([("28 23:59", "30 00:30")], ["2026-03-29"]),  # 24:31 on the wall is 23:31 hours, and all of a Sunday of 23 hours
        ([("02 09:00", None), ("05 09:00", "05 10:00")], ["2026-03-02"]),  # never notified, and no distribution on the 2nd or 3rd
        ([("02 09:00", None), ("03 09:00", "03 10:00")], []),  # its citizen may want none
        ([("02 09:00", "02 10:00"), ("02 11:00", None)], []),
        ([("02 09:00", "02 10:00"), ("03 09:00", None)], []),  # the last day of the data is not over
    ],
)
def test_distribution_is_daily(letters, without):
    """Each day on which berichten arrived or waited has a distribution."""
    items = [bericht(received, notified) for received, notified in letters]

    _order, judgement = hourly(items, "SNO-BES-02")

    assert [line.partition(":")[0] for line in judgement.arithmetic[:-1]] == without
    assert judgement.verdict is (Outcome.MISSED if without else Outcome.MET)


def test_distribution_of_a_month():
    """Only berichten that arrived in the months asked for are judged; any notificatie makes a day of distribution."""
    items = [
        Bericht(read_moment("2026-03-30 09:00"), Result.VERWERKT, notified=read_moment("2026-04-01 18:00")),
        Bericht(read_moment("2026-04-01 09:00"), Result.VERWERKT, notified=read_moment("2026-04-02 10:00")),
    ]

    assert hourly(items, "SNO-BES-02", MARCH)[1].verdict is Outcome.MISSED
    assert hourly(items, "SNO-BES-02", APRIL)[1].verdict is Outcome.MET
    assert hourly(items, "SNO-BES-02", Month(2026, 5)) == []


def test_berichten_without_notificaties():
    """A file that holds none is not judged on distribution; those without one are counted in a note."""
    assert hourly([bericht("02 09:00")], "SNO-BES-02") == []
    assert hourly([bericht("02 09:00", "02 10:00"), bericht("02 09:00")], "SNO-BES-02")[1].notes == (
        "No notification of 1 bericht in a Berichtenbox: not every citizen wants one.",
    )


def test_berichten_are_read(tmp_path):
    """Only the moment of receipt is asked for, under the name of the verwerkingsbericht too."""
    file = tmp_path / "b.csv"
    file.write_text(
        "DatumOntvangen,uitkomst,bijlage,beschikbaar,genotificeerd,oin\n2026-03-02 09:00,Verwerkt,ja,2026-03-02 09:30,2026-03-02 10:00,A\n"
        "2026-03-02 09:00,,,,,\n"
    )

    assert tuple(berichten(read_table(file, COLUMNS, check))) == (
        bericht("02 09:00", "02 10:00", "02 09:30", has_bijlage=True, oin="A"),
        bericht("02 09:00", result=None),
    )
    assert bericht("02 09:00").arrived - bericht("02 08:00", published="02 09:30").arrived == timedelta(minutes=-30)


def test_days_are_read(tmp_path):
    """Bijlagen and notificaties may be left out."""
    file = tmp_path / "d.csv"
    file.write_text("datum;aangeboden;verwerkt;afgewezen;met_bijlage;notificaties\n2-3-2026;10;8;2;9;7\n3-3-2026;1;1;0;;\n")

    assert days(read_table(file, DAYS, CheckDays())) == (DayCount(MONDAY, 10, 8, 2, 9, 7, known=10), DayCount(TUESDAY, 1, 1, 0))


def test_wrong_rows_are_named(tmp_path):
    """A day that comes twice, more bijlagen than berichten, and a notificatie before its bericht are told with line and column."""
    of_days, of_berichten = tmp_path / "d.csv", tmp_path / "b.csv"
    of_days.write_text("datum,aangeboden,verwerkt,afgewezen,met_bijlage\n2026-03-02,1,1,0,2\n2026-03-02,1,1,0,\n2026-03-03,een,1,0,\n")
    of_berichten.write_text(
        "ontvangen,beschikbaar,genotificeerd\n2026-03-02 09:00,,2026-03-02 08:00\n2026-03-02 09:00,2026-03-03 09:00,2026-03-02 10:00\n"
    )

    with pytest.raises(TablesError, match="no more than aangeboden, 1") as caught:
        read_table(of_days, DAYS, CheckDays())
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "met_bijlage"), (3, "datum"), (4, "aangeboden")]

    with pytest.raises(TablesError, match="not before beschikbaar") as caught:
        read_table(of_berichten, COLUMNS, check)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "genotificeerd"), (3, "genotificeerd")]
