"""The maintenance calendar, and windows that were moved."""

from datetime import UTC, date, datetime

import pytest
from icalendar import Calendar

from conformance.sno.calendar import Feestdagen, Month
from conformance.sno.judgement import Outcome
from conformance.sno.tables import TablesError
from conformance.sno.windows import BERICHTENBOX, Environment, as_icalendar, judged, read_moves, regular, windows_of

PRODUCTIE, PREPRODUCTIE = Environment
HEADER = "norm,datum,van,tot,aangekondigd\n"
# 2nd Tuesday, 2nd Wednesday and 4th Wednesday of each month of 2023, as in the fact sheet.
DAYS_2023 = [
    (10, 11, 25), (14, 8, 22), (14, 8, 22), (11, 12, 26), (9, 10, 24), (13, 14, 28),
    (11, 12, 26), (8, 9, 23), (12, 13, 27), (10, 11, 25), (14, 8, 22), (12, 13, 27),
]  # fmt: skip


@pytest.fixture
def moves(tmp_path):
    """Return a function that reads rows of moves."""

    def read(*rows, feestdagen=None):
        path = tmp_path / "moved.csv"
        path.write_text(HEADER + "\n".join(rows))
        return read_moves(path, feestdagen) if feestdagen else read_moves(path)

    return read


def shown(windows):
    return [str(window).removeprefix("SNO-") for window in windows]


@pytest.mark.parametrize(("number", "days"), [*enumerate(DAYS_2023, 1)])
def test_windows_of_2023(number, days):
    """
    The Berichtenbox has the second Tuesday, the portaal the second and the fourth Wednesday; a Wednesday can come first.
    """
    month = Month(2023, number)

    found = {window.norm: window.day.day for window in windows_of([month])}

    assert found == dict(zip(("SNO-ONH-04", "SNO-ONH-01", "SNO-ONH-02"), days, strict=True))


def test_windows_of_a_month_of_production():
    """
    The windows come in their order in time; February 2023 begins with that of a Wednesday.
    """
    assert shown(windows_of([Month(2023, 2)])) == [
        "ONH-01, 2023-02-08 00:00 to 2023-02-08 06:00",
        "ONH-04, 2023-02-14 09:00 to 2023-02-14 15:00",
        "ONH-02, 2023-02-22 00:00 to 2023-02-22 06:00",
    ]


def test_functional_maintenance_of_preproduction_crosses_midnight():
    """
    It starts on the fourth Wednesday at 17:00 and ends the next morning: 13 hours.
    """
    found = windows_of([Month(2026, 3)], PREPRODUCTIE)

    assert shown(found)[2] == "ONH-03, 2026-03-25 17:00 to 2026-03-26 06:00"
    assert [window.is_of_the_portaal for window in found] == [False, True, True]


def test_windows_are_kept_in_utc():
    """
    Midnight in the Netherlands is the evening before in UTC: at 23:00 in winter and at 22:00 in summer.
    """
    winter, summer = regular("SNO-ONH-01", Month(2026, 3)), regular("SNO-ONH-01", Month(2026, 7))

    assert winter.span.start == datetime(2026, 3, 10, 23, tzinfo=UTC)
    assert summer.span.start == datetime(2026, 7, 7, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("announced", "in_time"),
    [
        ("2026-03-06", True),  # 9 10 11 12 13, 16 17 18 19 20
        ("2026-03-07", True),  # a Saturday: the same ten
        ("2026-03-09", False),  # 10 11 12 13, 16 17 18 19 20 and 23
        ("", False),
    ],
)
def test_move_counts_when_announced_ten_werkdagen_before(moves, announced, in_time):
    """
    A window that was moved in time is where it went, and no longer where it was; otherwise nothing changes.
    """
    held = moves(f"ONH-02,2026-03-25,2026-03-20 00:00,2026-03-20 06:00,{announced}")
    (judgement,) = judged(held)

    days = [str(window.day) for window in windows_of([Month(2026, 3)], PRODUCTIE, held)]

    assert days == ["2026-03-10", "2026-03-11", "2026-03-20" if in_time else "2026-03-25"]
    assert judgement.verdict is (Outcome.MET if in_time else Outcome.MISSED)
    assert judgement.about == "SNO-ONH-02 of 2026-03-25, moved to 2026-03-20 00:00"


def test_move_into_another_month(moves):
    """
    A window of February can be found in March.
    """
    held = moves("SNO-ONH-02,25-2-2026,2026-03-04 00:00,2026-03-04 06:00,2026-02-01")

    assert [str(window.day) for window in windows_of([Month(2026, 2)], PRODUCTIE, held)] == ["2026-02-10", "2026-02-11"]
    assert shown(windows_of([Month(2026, 3)], PRODUCTIE, held))[0] == "ONH-02, 2026-03-04 00:00 to 2026-03-04 06:00, moved from 2026-02-25"
    assert len(windows_of([Month(2026, 3)], PREPRODUCTIE, held)) == 3


def test_move_does_not_lengthen_a_window(moves):
    """
    What was planned beyond the length of the regular window is an overrun.
    """
    (move,) = moves("ONH-01,2026-03-11,2026-03-18 22:00,2026-03-19 08:00,2026-02-01")
    (judgement,) = judged([move])

    assert str(move.window) == "SNO-ONH-01, 2026-03-18 22:00 to 2026-03-19 04:00, moved from 2026-03-11"
    assert judgement.notes == ("planned for longer than the regular window: what lies after 2026-03-19 04:00 is counted",)


def test_move_by_who_works_on_feestdagen(moves):
    """
    With Goede Vrijdag as a werkdag, ten werkdagen after 27 March 2026 is 13 April: 30 31 1 2 3 7 8 9 10 13.
    """
    row = "ONH-04,2026-04-14,2026-04-13 09:00,2026-04-13 15:00,2026-03-27"

    assert [moves(row)[0].is_in_time, moves(row, feestdagen=Feestdagen(goede_vrijdag=False))[0].is_in_time] == [False, True]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["ONH-01,2026-03-12,2026-03-18 00:00,2026-03-18 06:00,"], r"2: datum = \"2026-03-12\": .*\n  Hint: in 2026-03 that is 2026-03-11"),
        (["ONH-01,2026-03-11,2026-03-18 06:00,2026-03-18 06:00,"], "2: tot = .*a moment after van"),
        (["ONH-01,2026-03-11,2026-03-18 00:00,2026-03-18 06:00,"] * 2, "3: datum = .*each window once"),
        (["ONH-05,2026-03-11,2026-03-18 00:00,2026-03-18 06:00,"], "2: norm = .*did you mean"),
        (["ONH-01,2026-03-11,2026-03-29 02:30,2026-03-29 06:00,"], "2: van = .*never showed"),
    ],
)
def test_moves_that_make_no_sense(moves, rows, problem):
    """
    A row that moves what is no window, or moves it twice, is named.
    """
    with pytest.raises(TablesError, match=f"(?s){problem}"):
        moves(*rows)


def test_icalendar_has_every_window(moves):
    """
    A calendar program reads the same windows back; a moved one replaces the regular one, for it has its identity.
    """
    held = moves("ONH-01,2026-03-11,2026-03-18 00:00,2026-03-18 06:00,2026-02-01")
    plain = Calendar.from_ical(as_icalendar(windows_of([Month(2026, 3)]), PRODUCTIE))
    moved = Calendar.from_ical(as_icalendar(windows_of([Month(2026, 3)], PRODUCTIE, held), PRODUCTIE))

    events = {str(event["uid"]): event for event in moved.events}

    assert set(events) == {str(event["uid"]) for event in plain.events}
    assert plain.events[0].start == datetime(2026, 3, 10, 8, tzinfo=UTC)
    event = events["sno-onh-01-2026-03-11-productie@berichtenbox-conformance"]
    assert (event.start, event.end, event["sequence"]) == (datetime(2026, 3, 17, 23, tzinfo=UTC), datetime(2026, 3, 18, 5, tzinfo=UTC), 1)
    assert "Verplaatst van 2026-03-11" in event["description"]


def test_icalendar_of_nothing_is_a_calendar():
    """
    Without windows the file is an empty calendar, and the same windows give the same bytes.
    """
    assert Calendar.from_ical(as_icalendar([], PRODUCTIE)).events == []
    window = regular(BERICHTENBOX, Month(2026, 3))
    assert as_icalendar([window], PRODUCTIE) == as_icalendar([window], PRODUCTIE)
    assert window.day == date(2026, 3, 10)
