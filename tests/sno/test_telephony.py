"""The call log: cases worked out by hand, with the sum beside each."""

from datetime import timedelta
from fractions import Fraction

import pytest

from conformance.sno.calendar import Month
from conformance.sno.cells import read_moment
from conformance.sno.judgement import Outcome
from conformance.sno.shares import Period
from conformance.sno.spans import Span
from conformance.sno.tables import TablesError, read_table
from conformance.sno.telephony import CLOSURES, COLUMNS, Call, calls, check, check_closure, closures, judge, months_of, windows

MARCH = Month(2026, 3)
MONDAY = read_moment("2026-03-02 10:00")


def call(wait_s=None, at=MONDAY, score=None):
    return Call(at, None if wait_s is None else at + timedelta(seconds=wait_s), None if score is None else Fraction(score))


def judged(items, norm, closed=None, months=(MARCH,), *, is_stated=False):
    found = [one for one in judge(items, Period(months, is_stated), closed) if one.norm == norm]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("waits", "norm", "verdict"),
    [
        ([20] * 4 + [21], "SNO-BUR-02", Outcome.MET),  # 4/5 = exactly 80 %, and 20 s itself is in time
        ([20] * 3 + [20.001], "SNO-BUR-02", Outcome.MISSED),  # 3/4
        ([600] * 99 + [601], "SNO-BUR-03", Outcome.MET),  # exactly 99 %
        ([600] * 98 + [601], "SNO-BUR-03", Outcome.MISSED),  # 98/99 = 98,99 %
    ],
)
def test_waiting_times(waits, norm, verdict):
    """80 % within 20 s and 99 % within 10 minutes, both limits included."""
    assert judged([call(wait) for wait in waits], norm).verdict is verdict


@pytest.mark.parametrize(("lost", "answered", "verdict"), [(3, 97, Outcome.MET), (4, 96, Outcome.MISSED), (1, 32, Outcome.MISSED)])
def test_abandon_rate(lost, answered, verdict):
    """3 of 100 may give up, 4 may not, and 1 of 33 is 3,03 %."""
    assert judged([call()] * lost + [call(5)] * answered, "SNO-BUR-04").verdict is verdict


def test_who_gives_up_has_no_waiting_time():
    """The waiting times are shares of the answered calls; the share of all is a note."""
    judgement = judged([call()] * 3 + [call(5)] * 97, "SNO-BUR-03")

    assert (judgement.verdict, judgement.value) == (Outcome.MET, 100)
    assert "Of all 100 calls, also those given up: 97 of 100 = 97 %." in judgement.notes


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        (["7", "8"], Outcome.MISSED),  # 15 / 2 = exactly 7,5, which is not higher
        (["7", "8", "7.6"], Outcome.MET),  # 22,6 / 3 = 7,533...
        (["7.499999", "7.5"], Outcome.MISSED),
        (["7.500001"], Outcome.MET),  # shown as 7,5 when rounded, and yet higher
    ],
)
def test_average_is_higher_than_the_norm(scores, verdict):
    """An average of 7,5 fails: it must be higher, exactly."""
    assert judged([call(5, score=score) for score in scores], "SNO-BUR-05").verdict is verdict


def test_scores_of_a_month():
    """A log without any score is not judged on it; a month without one, of a log that has them, has no data."""
    april = Month(2026, 4)
    items = [call(5, score=8), call(5, read_moment("2026-04-01 10:00"))]

    assert judged([call(5)], "SNO-BUR-05") == []
    assert [one.verdict for one in judged(items, "SNO-BUR-05", months=(MARCH, april))] == [Outcome.MET, Outcome.NO_DATA]


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-03-02 08:00", True),
        ("2026-03-02 07:59:59", False),
        ("2026-03-02 21:59:59", True),
        ("2026-03-02 22:00", False),
        ("2026-03-07 12:00", False),  # Saturday
        ("2026-04-06 12:00", False),  # 2e Paasdag
        ("2026-03-30 08:00", True),  # the first werkdag of summer time: 06:00 in UTC
        ("2026-03-30T06:00Z", True),
        ("2026-03-30T05:59Z", False),
    ],
)
def test_service_window(at, counts):
    """Only calls on a werkdag from 8 to 22 hours on the Dutch clock count."""
    moment = read_moment(at)
    month = next(months_of([Call(moment)]))

    judgement = judged([call(5, moment)], "SNO-BUR-04", months=(month,))

    assert judgement.verdict is (Outcome.MET if counts else Outcome.NOT_APPLICABLE)


def test_calls_outside_the_window_are_told():
    """What does not count is counted apart."""
    judgement = judged([call(5), call(None, read_moment("2026-03-07 12:00"))], "SNO-BUR-04")

    assert (judgement.value, judgement.notes) == (0, ("Outside the service window, and so not counted: 1 call.",))


def test_day_on_which_nobody_answers():
    """A werkdag with calls of which none is answered misses the service window."""
    tuesday = MONDAY + timedelta(days=1)

    judgement = judged([call(5), call(None, tuesday), call(None, tuesday)], "SNO-SVC-01")

    assert (judgement.verdict, judgement.figure) == (Outcome.MISSED, "answered on 1 of 2 days")
    assert judgement.arithmetic[0] == "2026-03-03: 2 calls, none answered"
    assert judged([call(None, tuesday)], "SNO-BUR-02").verdict is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("closed", "verdict"),
    [
        # 22 werkdagen x 14 h = 308 h; 1 % is 3,08 h = 3 h 4 min 48 s
        ([("2026-03-02 09:00:00", "2026-03-02 12:04:48")], Outcome.MET),
        ([("2026-03-02 09:00:00", "2026-03-02 12:04:49")], Outcome.MISSED),
        ([("2026-03-02 09:00:00", "2026-03-02 11:00"), ("2026-03-02 10:00", "2026-03-02 12:00")], Outcome.MET),  # overlap: 3 h
        ([("2026-03-02 22:00", "2026-03-03 08:00"), ("2026-03-07 00:00", "2026-03-08 00:00")], Outcome.MET),  # at night, on Saturday
        ([("2026-02-27 21:00", "2026-03-02 11:05")], Outcome.MISSED),  # the part in March: 3 h 5 min
        ([], Outcome.MET),
    ],
)
def test_opening_hours(closed, verdict):
    """The telephone is within reach for 99 % of the window, overlaps counted once."""
    spans = [Span(read_moment(start), read_moment(end)) for start, end in closed]

    judgement = judged([call(5)], "SNO-BUR-01", spans)

    assert judgement.verdict is verdict
    assert judgement.arithmetic[0].startswith("22 werkdagen x 14 h = 308 h")


def test_opening_hours_need_closures():
    """A call log alone does not tell when the telephone was out of reach."""
    assert judged([call(5)], "SNO-BUR-01") == []
    assert len(windows(Month(2026, 4))) == 19  # 22 weekdays, less Goede Vrijdag, 2e Paasdag and Koningsdag


def test_months_without_calls():
    """A month without calls has no data, unless the log is said to cover it."""
    months = (MARCH, Month(2026, 4))

    assert judged([call(5)], "SNO-BUR-02", months=months)[1].verdict is Outcome.NO_DATA
    assert judged([call(5)], "SNO-BUR-02", months=months[1:]).verdict is Outcome.NO_DATA
    assert judged([call(5)], "SNO-BUR-02", months=months, is_stated=True)[1].verdict is Outcome.NOT_APPLICABLE


def test_rows_are_read(tmp_path):
    """An empty answer is a caller who gave up, an open closure lasts until now, and one that starts later is over at once."""
    log, closed = tmp_path / "c.csv", tmp_path / "d.csv"
    log.write_text("oproep;beantwoord;cijfer\n2-3-2026 10:00:00;2-3-2026 10:00:20;7,5\n2-3-2026 10:00;;\n")
    closed.write_text("van,tot\n2026-03-02 10:00,\n2026-03-02 14:00,\n")

    rows = calls(read_table(log, COLUMNS, check))
    spans = closures(read_table(closed, CLOSURES, check_closure), read_moment("2026-03-02 12:00"))

    assert rows == (call(20, score="7.5"), call())
    assert [span.length for span in spans] == [timedelta(hours=2), timedelta()]


def test_wrong_rows_are_named(tmp_path):
    """A score outside 1 to 10 and an answer before its call are told with line and column."""
    file = tmp_path / "c.csv"
    file.write_text(
        "aangeboden,beantwoord,cijfer\n"
        '2026-03-02 10:00,2026-03-02 09:00,8\n2026-03-02 10:00,2026-03-02 10:01,"10,5"\n2026-03-02 10:00,2026-03-02 10:01,0\n'
    )

    with pytest.raises(TablesError, match="a score from 1 to 10") as caught:
        read_table(file, COLUMNS, check)

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "beantwoord"), (3, "cijfer"), (4, "cijfer")]
