"""The rolling forecast: cases worked out by hand, with the sum beside each."""

from datetime import date
from fractions import Fraction

import pytest

from conformance.sno.calendar import Month, months_between
from conformance.sno.forecast import ACTUALS, COLUMNS, Check, Figure, figures, horizon, judge
from conformance.sno.judgement import Outcome
from conformance.sno.tables import TablesError, read_table

ON = date(2026, 3, 20)
FIRST, LAST = Month(2026, 4), Month(2027, 9)  # the six quarters after the first of 2026


def figure(month, berichten=1000, omvang="10", given="2026-03-02", afnemer=""):
    return Figure(
        Month.read(month),
        berichten,
        None if omvang is None else Fraction(omvang),
        None if given is None else date.fromisoformat(given),
        afnemer,
        2,
    )


def whole(first=FIRST, last=LAST, **more):
    return [figure(str(month), **more) for month in months_between(first, last)]


def judged(forecasts, norm, actuals=(), on=ON):
    found = [one for one in judge(forecasts, actuals, on) if one.norm == norm]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("on", "first", "last"),
    [
        (date(2026, 1, 1), Month(2026, 4), Month(2027, 9)),
        (date(2026, 3, 31), Month(2026, 4), Month(2027, 9)),
        (date(2026, 4, 1), Month(2026, 7), Month(2027, 12)),
        (date(2026, 11, 24), Month(2027, 1), Month(2028, 6)),
    ],
)
def test_horizon_is_six_quarters_after_the_current_one(on, first, last):
    """Six quarters are 18 months, and the current quarter is not among them."""
    months = horizon(on)

    assert (months[0], months[-1], len(months)) == (first, last, 18)


def test_complete_forecast():
    """A figure for each of the 18 months meets both norms."""
    assert judged(whole(), "SNO-PRO-01").verdict is Outcome.MET
    assert judged(whole(), "SNO-PRO-02").figure == "18 of 18 months"


def test_short_forecast():
    """One that stops a month early reaches 5 quarters and has 17 figures."""
    short = whole(last=Month(2027, 8))

    assert (judged(short, "SNO-PRO-01").verdict, judged(short, "SNO-PRO-01").value) == (Outcome.MISSED, 5)
    assert judged(short, "SNO-PRO-02").arithmetic == ("2027-09: no figure", "17 of 18 months have a figure")


def test_hole_in_the_forecast():
    """A month without a figure inside the horizon misses the figures, not the reach."""
    forecast = [item for item in whole() if item.month != Month(2026, 12)]

    assert judged(forecast, "SNO-PRO-01").verdict is Outcome.MET
    assert judged(forecast, "SNO-PRO-02").verdict is Outcome.MISSED


def test_news_in_each_month():
    """Each kalendermaand from the first figure on has one; the current month is not over and cannot be missed yet."""
    forecast = [*whole(given="2025-12-31"), figure("2026-05", given="2026-02-01")]

    found = judged(forecast, "SNO-PRO-03")

    assert [(one.about, one.verdict) for one in found] == [
        ("2025-12", Outcome.MET),
        ("2026-01", Outcome.MISSED),
        ("2026-02", Outcome.MET),
        ("2026-03", Outcome.NOT_APPLICABLE),
    ]


def test_figures_given_later_do_not_count():
    """What is given after the day on which it is looked at is not known on that day."""
    late = whole(given="2026-03-21")

    assert {one.verdict for one in judge(late, (), ON)} == {Outcome.NO_DATA}


def test_figure_has_both_aantal_and_omvang():
    """A figure without one of them is named by its line."""
    forecast = [figure("2026-04"), figure("2026-05", omvang=None), figure("2026-06", berichten=None)]

    judgement = judged(forecast, "SNO-PRO-05")

    assert judgement.arithmetic == ("line 2, 2026-05: no omvang", "line 2, 2026-06: no aantal", "1 of 3 figures complete")
    assert judged([figure("2026-04")], "SNO-PRO-05").verdict is Outcome.MET


@pytest.mark.parametrize(
    ("forecast", "actual", "verdict", "shown"),
    [
        (1000, 1100, Outcome.MET, "10 %"),  # |1100 - 1000| / 1000 = exactly 10 %
        (1000, 900, Outcome.MET, "10 %"),  # too few is a deviation too
        (1000, 1101, Outcome.MISSED, "10,1 %"),
        (1000, 899, Outcome.MISSED, "10,1 %"),
        (3, 4, Outcome.MISSED, "≈33,333 %"),  # 1/3
        (1_000_000_000, 1_100_000_001, Outcome.MISSED, "≈10 %"),  # 10,0000001 %: rounded it would pass
        (0, 0, Outcome.MET, "0 %"),
        (0, 1, Outcome.MISSED, "no share of 0"),
    ],
)
def test_deviation(forecast, actual, verdict, shown):
    """At most 10 % of the forecast; anything above a forecast of 0 is too much."""
    forecasts = [figure("2026-03", forecast, None, given="2026-02-10")]

    judgement = judged(forecasts, "SNO-PRO-06", [figure("2026-03", actual, None, given=None)])

    assert (judgement.verdict, judgement.figure) == (verdict, shown)


def test_aantal_and_omvang_are_judged_apart():
    """The same month can be right in aantal and wrong in omvang."""
    forecasts = [figure("2026-03", 1000, "12,5".replace(",", "."), given="2026-02-10")]

    aantal, omvang = judged(forecasts, "SNO-PRO-06", [figure("2026-03", 1000, "10", given=None)])

    assert (aantal.about, aantal.verdict) == ("2026-03 aantal", Outcome.MET)
    assert (omvang.about, omvang.verdict) == ("2026-03 omvang", Outcome.MISSED)
    assert omvang.arithmetic == ("forecast of 2026-02-10 (line 2): |10 - 12,5| / 12,5 = 20 %; norm: at most 10 %: missed",)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (["2026-01-10", "2026-02-28"], Outcome.MET),  # the last one, 1000, is right
        (["2026-02-28", "2026-03-01"], Outcome.MISSED),  # on 1 March the month has begun: the first one counts, 500
        (["2026-03-01", "2026-03-02"], Outcome.NO_DATA),
    ],
)
def test_last_forecast_before_the_month_counts(given, verdict):
    """What is given once the month has begun is no forecast of it."""
    forecasts = [figure("2026-03", berichten, None, given=day) for berichten, day in zip((500, 1000), given, strict=True)]

    assert judged(forecasts, "SNO-PRO-06", [figure("2026-03", 1000, None, given=None)]).verdict is verdict


def test_month_of_a_wrong_forecast_is_flagged():
    """A month whose forecast was off is flagged for SNO-PRO-08, once."""
    forecasts = [figure("2026-02", given="2026-01-10"), figure("2026-03", given="2026-01-10")]
    actuals = [figure("2026-02", 2000, "20", given=None), figure("2026-03", given=None)]

    judgement = judged(forecasts, "SNO-PRO-08", actuals)

    assert (judgement.verdict, judgement.figure) == (Outcome.NOT_APPLICABLE, "flagged: 2026-02")
    assert judged(forecasts, "SNO-PRO-08", actuals[1:]).figure == "no month flagged"


@pytest.mark.parametrize(
    ("month", "berichten", "verdict"),
    [
        ("2026-06", 75_000_000, Outcome.MET),  # 30 days x 2 500 000, exactly
        ("2026-06", 75_000_001, Outcome.MISSED),
        ("2027-02", 70_000_001, Outcome.MISSED),  # 28 days
        ("2027-03", 77_500_000, Outcome.MET),  # 31 days
    ],
)
def test_signal_of_a_month_that_does_not_fit(month, berichten, verdict):
    """More than the days of a month hold is a signal to the Afnemers together."""
    half = berichten // 2
    forecasts = [figure(month, half, afnemer="A"), figure(month, 1, given="2026-01-01", afnemer="A"), figure(month, berichten - half, afnemer="B")]

    assert judged(forecasts, "SNO-PRO-07").verdict is verdict


def test_signal_of_hours():
    """The hours of a month hold more than its days: March 2027 has 743 x 150 000 = 111 450 000."""
    judgement = judged([figure("2027-03", 111_450_001)], "SNO-PRO-07")

    assert [line.partition(" = ")[2] for line in judgement.arithmetic[:2]] == [
        "31 days x 2.500.000 (SNO-BER-01)",
        "743 hours x 150.000 (SNO-BER-02)",
    ]
    assert judged([figure("2026-02", 10**9)], "SNO-PRO-07") == []  # over already


def test_each_afnemer_by_itself():
    """Afnemers have forecasts of their own."""
    forecasts = [*whole(afnemer="A"), *whole(last=Month(2026, 6), afnemer="B")]

    found = judged(forecasts, "SNO-PRO-02")

    assert [(one.about, one.verdict) for one in found] == [("A", Outcome.MET), ("B", Outcome.MISSED)]
    assert [one.about for one in judged(forecasts, "SNO-PRO-03")] == ["2026-03 A", "2026-03 B"]


def test_afnemer_without_a_forecast():
    """Who brought berichten without any forecast has no data under the deviation, and misses the horizon."""
    found = judge(whole(afnemer="A"), [figure("2026-03", given=None, afnemer="B")], ON)

    own = {one.norm: one.verdict for one in found if "B" in one.about.split()}
    assert own == {
        "SNO-PRO-01": Outcome.MISSED,
        "SNO-PRO-02": Outcome.MISSED,
        "SNO-PRO-05": Outcome.NO_DATA,
        "SNO-PRO-06": Outcome.NO_DATA,
        "SNO-PRO-08": Outcome.NOT_APPLICABLE,
    }


def test_rows_are_read(tmp_path):
    """Aantal and omvang may be empty; omvang is exact."""
    file = tmp_path / "p.csv"
    file.write_text("gegeven;maand;aantal;omvang\n2-3-2026;2026-04;1000;12,5\n2-3-2026;2026-05;;\n")

    first, second = figures(read_table(file, COLUMNS, Check()))

    assert first == figure("2026-04", 1000, "12.5")
    assert (second.berichten, second.omvang, second.line) == (None, None, 3)


def test_wrong_rows_are_named(tmp_path):
    """A month that is none, and a second figure of one day, are told with line and column."""
    file = tmp_path / "p.csv"
    file.write_text("maand,aantal\n2026-13,1\nmaart,1\n2026-03,1\n2026-03,2\n2026-04,-1\n")

    with pytest.raises(TablesError, match="a month, such as 2026-03") as caught:
        read_table(file, ACTUALS, Check())

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "maand"), (3, "maand"), (5, "maand"), (6, "berichten")]
