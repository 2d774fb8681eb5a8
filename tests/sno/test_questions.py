"""Questions and complaints: cases worked out by hand, with the sum beside each."""

from datetime import date
from fractions import Fraction

import pytest

from conformance.sno.calendar import Feestdagen, Month
from conformance.sno.cells import read_moment
from conformance.sno.judgement import Outcome
from conformance.sno.questions import COLUMNS, Group, Question, check, judge, months_of, questions
from conformance.sno.shares import Period
from conformance.sno.tables import TablesError, read_table

MARCH = Month(2026, 3)
LATER = read_moment("2026-05-01 12:00")


def question(received, answered=None, group=Group.AFNEMER, id_="V"):
    return Question(id_, group, read_moment(received), answered and read_moment(answered))


def judged(items, norm="SNO-VRG-01", at=LATER, months=(MARCH,), *, is_stated=False):
    return [one for one in judge(items, Period(months, is_stated), at) if one.norm == norm]


def mixed(good, late=0, open_=0, group=Group.AFNEMER, opened="2026-03-30 09:00"):
    return [
        *(question("2026-03-02 09:00", "2026-03-03 09:00", group) for _ in range(good)),
        *(question("2026-03-02 09:00", "2026-03-05 09:00", group) for _ in range(late)),
        *(question(opened, None, group) for _ in range(open_)),
    ]


# received, last day in time: the day on which it came is day 0
DUE = [
    ("2026-03-02 09:00", date(2026, 3, 4)),  # Monday: Tuesday is 1, Wednesday is 2
    ("2026-03-06 16:59", date(2026, 3, 10)),  # Friday: Monday 1, Tuesday 2
    ("2026-03-07 12:00", date(2026, 3, 10)),  # Saturday: Monday 1, Tuesday 2
    ("2026-03-28 23:59", date(2026, 3, 31)),  # the night in which the clock changes: Monday 1, Tuesday 2
    ("2026-04-02 09:00", date(2026, 4, 8)),  # Goede Vrijdag and 2e Paasdag are none: Tuesday 1, Wednesday 2
    ("2026-12-24 09:00", date(2026, 12, 29)),  # Christmas and a weekend: Monday 1, Tuesday 2
    ("2026-03-02T23:30Z", date(2026, 3, 5)),  # already Tuesday 3 March in the Netherlands
]


@pytest.mark.parametrize(("received", "due"), DUE)
def test_term_is_counted_in_werkdagen(received, due):
    """The answer is in time up to the end of the second werkdag after the day on which the question came."""
    item = question(received)

    assert item.due() == due


def test_feestdagen_are_a_choice():
    """Who works on Goede Vrijdag answers a werkdag earlier."""
    assert question("2026-04-02 09:00").due(Feestdagen(goede_vrijdag=False)) == date(2026, 4, 7)


@pytest.mark.parametrize(
    ("answered", "verdict"), [("2026-03-04 23:59", Outcome.MET), ("2026-03-05 00:00", Outcome.MISSED), ("2026-03-02 09:00", Outcome.MET)]
)
def test_last_day_is_in_time(answered, verdict):
    """The whole second werkdag is in time."""
    assert judged([question("2026-03-02 09:00", answered)])[0].verdict is verdict


@pytest.mark.parametrize(
    ("good", "late", "group", "norm", "verdict"),
    [
        (4, 1, Group.AFNEMER, "SNO-VRG-01", Outcome.MET),  # exactly 80 %
        (7, 2, Group.AFNEMER, "SNO-VRG-01", Outcome.MISSED),  # 7/9 = 77,8 %
        (99, 1, Group.BURGER, "SNO-BUR-07", Outcome.MET),  # exactly 99 %
        (98, 1, Group.BURGER, "SNO-BUR-07", Outcome.MISSED),  # 98/99 = 98,99 %
    ],
)
def test_groups_have_their_own_norm(good, late, group, norm, verdict):
    """80 % for Afnemers, 99 % for citizens: exact fractions."""
    items = mixed(good, late, group=group)

    (month, *_) = judged(items, norm)

    assert month.verdict is verdict
    assert month.value == Fraction(good, good + late) * 100
    assert {one.norm for one in judge(items, Period((MARCH,)), LATER)} == {norm}


def test_question_that_is_never_answered_counts():
    """An open question whose term is over is late in the month in which it came."""
    month, all_ = judged(mixed(3, open_=1))

    assert (month.verdict, month.figure) == (Outcome.MISSED, "3 of 4 = 75 %")
    assert "V: received 2026-03-30 09:00, due 2026-04-01, not answered: late" in month.arithmetic
    assert (all_.verdict, all_.figure) == (Outcome.NOT_APPLICABLE, "1 of 4 open")


@pytest.mark.parametrize(
    ("good", "late", "open_", "verdict"),
    [
        (4, 0, 1, Outcome.MET),  # at worst 4/5 = 80 %
        (3, 0, 1, Outcome.NO_DATA),  # 3/4 or 4/4
        (2, 3, 1, Outcome.MISSED),  # at best 3/6
        (3, 1, 1, Outcome.NO_DATA),  # 3/5 or 4/5, and 80 % is enough
    ],
)
def test_open_questions_that_may_be_in_time_decide_nothing(good, late, open_, verdict):
    """On 31 March a question of the 30th is not late yet: only what it cannot turn is decided."""
    month = judged(mixed(good, late, open_), at=read_moment("2026-03-31 12:00"))[0]

    assert month.verdict is verdict


def test_all_are_answered():
    """When nothing is open all are answered; a list without a question has no data."""
    assert judged(mixed(1))[1].verdict is Outcome.MET
    assert [one.verdict for one in judged([])] == [Outcome.NO_DATA, Outcome.NO_DATA]


def test_months_without_questions():
    """A month that no row touches has no data, unless the list is said to cover it."""
    months = (MARCH, Month(2026, 4))

    assert judged(mixed(1), months=months)[1].verdict is Outcome.NO_DATA
    assert judged(mixed(1), months=months, is_stated=True)[1].verdict is Outcome.NOT_APPLICABLE
    assert list(months_of(mixed(1))) == [MARCH]


def test_rows_are_read(tmp_path):
    """An empty answer is an open question, and an answer before its question is an error with its line and column."""
    file = tmp_path / "v.csv"
    file.write_text("id,van,ontvangen,beantwoord\n1,afnemer,2026-03-02 09:00,\n2,citizen,2026-03-02 09:00,2026-03-02 10:00\n")
    assert [(item.group, item.answered is None) for item in questions(read_table(file, COLUMNS, check))] == [
        (Group.AFNEMER, True),
        (Group.BURGER, False),
    ]

    file.write_text("id,van,ontvangen,beantwoord\n1,afnemer,2026-03-02 09:00,2026-03-01 09:00\n")
    with pytest.raises(TablesError, match=r"v.csv:2: beantwoord = .* expected not before ontvangen"):
        read_table(file, COLUMNS, check)
