"""Availability, against sums that were worked out by hand."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sno.availability import Calendar, availability
from conformance.sno.calendar import Feestdagen, Month
from conformance.sno.judgement import Outcome
from conformance.sno.outages import Service, read_log
from conformance.sno.windows import Environment, read_moves

MET, MISSED, NOT_APPLICABLE, NO_DATA = Outcome
HEADER = "van,tot,dienst,oorzaak,gepland,aangekondigd,systeem\n"


@pytest.fixture
def judge(tmp_path):
    """Return a function that judges rows ``van,tot,dienst,...``, filled up with empty cells."""

    def judged(*rows, start=None, until=None, services=(), moves=(), month=None, **calendar):
        path = tmp_path / "log.csv"
        path.write_text(HEADER + "\n".join(row + "," * (6 - row.count(",")) for row in rows))
        moved = tmp_path / "moved.csv"
        moved.write_text("norm,datum,van,tot,aangekondigd\n" + "\n".join(moves))
        log = read_log(path, start and date.fromisoformat(start), until and date.fromisoformat(until))
        months = [Month.read(month)] if month else log.months
        return availability(log, months, services, Calendar(moves=read_moves(moved), **calendar))

    return judged


def only(judgements, norm="SNO-BES-01"):
    (judgement,) = [judgement for judgement in judgements if judgement.norm == norm]
    return judgement


def downtime(judgement):
    return judgement.figure.partition(" available, ")[2]


# (month, rows of the portaal, hours down, verdict)
BY_HAND = [
    # 672 h in February: 1 % = 6,72 h = 6 h 43 min 12 s. Exactly that passes, a second more does not.
    ("2026-02", ["2026-02-03 10:00,2026-02-03 16:43:12,portaal"], "6,72 h down", MET),
    ("2026-02", ["2026-02-03 10:00,2026-02-03 16:43:13,portaal"], "≈6,72 h down", MISSED),
    # 696 h in February of a leap year: 6,96 h = 6 h 57 min 36 s.
    ("2024-02", ["2024-02-06 10:00,2024-02-06 16:57:36,portaal"], "6,96 h down", MET),
    ("2024-02", ["2024-02-06 10:00,2024-02-06 16:57:37,portaal"], "≈6,96 h down", MISSED),
    # 720 h in April: 7,2 h = 7 h 12 min.
    ("2026-04", ["2026-04-07 10:00,2026-04-07 17:12,portaal"], "7,2 h down", MET),
    ("2026-04", ["2026-04-07 10:00,2026-04-07 17:12:01,portaal"], "≈7,2 h down", MISSED),
    # 743 h in March, in which the clock goes forward: 7,43 h = 7 h 25 min 48 s.
    ("2026-03", ["2026-03-03 10:00,2026-03-03 17:25:48,portaal"], "7,43 h down", MET),
    ("2026-03", ["2026-03-03 10:00,2026-03-03 17:25:49,portaal"], "≈7,43 h down", MISSED),
    # 744 h in January: 7,44 h = 7 h 26 min 24 s.
    ("2026-01", ["2026-01-06 10:00,2026-01-06 17:26:24,portaal"], "7,44 h down", MET),
    ("2026-01", ["2026-01-06 10:00,2026-01-06 17:26:25,portaal"], "≈7,44 h down", MISSED),
    # 745 h in October, in which the clock goes back: 7,45 h = 7 h 27 min.
    ("2026-10", ["2026-10-06 10:00,2026-10-06 17:27,portaal"], "7,45 h down", MET),
    ("2026-10", ["2026-10-06 10:00,2026-10-06 17:27:01,portaal"], "≈7,45 h down", MISSED),
    # The night of 29 March lacks 02:00 to 03:00: from 22:00 to 06:00 it is 2 + 5 = 7 h, not 8.
    ("2026-03", ["2026-03-28 22:00,2026-03-29 06:00,portaal"], "7 h down", MET),
    # The night of 25 October has 02:00 to 03:00 twice: from 22:00 to 05:00 it is 2 + 6 = 8 h, not 7.
    ("2026-10", ["2026-10-24 22:00,2026-10-25 05:00,portaal"], "8 h down", MISSED),
    # From 02:30 summer time to 02:30 winter time is one hour.
    ("2026-10", ["2026-10-25T02:30+02:00,2026-10-25T02:30+01:00,portaal"], "1 h down", MET),
    # Overlaps once: 10 to 13, 11 to 14 and 11:30 to 12 is 4 h, not 6,5; one that follows at once adds its own hour: 5.
    (
        "2026-04",
        [
            "2026-04-07 10:00,2026-04-07 13:00,portaal",
            "2026-04-07 11:00,2026-04-07 14:00,portaal",
            "2026-04-07 11:30,2026-04-07 12:00,portaal",
            "2026-04-07 14:00,2026-04-07 15:00,portaal",
        ],
        "5 h down",
        MET,
    ),
    # Over the end of a month: of 31 March 20:00 to 1 April 05:00 April has 5 h.
    ("2026-04", ["2026-03-31 20:00,2026-04-01 05:00,portaal"], "5 h down", MET),
    # No end: from 30 April 12:00 to the end of the month 12 h.
    ("2026-04", ["2026-04-30 12:00,,portaal"], "12 h down", MISSED),
    # In the window of the second Wednesday, 8 April, 00:00 to 06:00: 23:00 to 07:30 is 8,5 - 6 = 2,5 h.
    ("2026-04", ["2026-04-07 23:00,2026-04-08 07:30,portaal,onderhoud,ja"], "2,5 h down", MET),
    # The whole fourth Wednesday, 22 April: 24 - 6 = 18 h.
    ("2026-04", ["2026-04-22 00:00,2026-04-23 00:00,portaal,onderhoud,ja"], "18 h down", MISSED),
    # Two rows in one window, which is taken off once: 00:00 to 05:00 and 04:00 to 08:00 is 8 - 6 = 2 h.
    ("2026-04", ["2026-04-08 00:00,2026-04-08 05:00,portaal", "2026-04-08 04:00,2026-04-08 08:00,portaal"], "2 h down", MET),
    # The window of the Berichtenbox, second Tuesday 14 April 9 to 15, is none of the portaal: 6 h.
    ("2026-04", ["2026-04-14 09:00,2026-04-14 15:00,portaal,onderhoud,ja"], "6 h down", MET),
    # What lies outside MijnOverheid does not count; the hour in which the portaal was down itself as well does.
    ("2026-04", ["2026-04-07 10:00,2026-04-07 20:00,portaal,digid", "2026-04-07 12:00,2026-04-07 13:00,portaal,storing"], "1 h down", MET),
    ("2026-04", [f"2026-04-0{n} 10:00,2026-04-0{n} 20:00,portaal,{c}" for n, c in enumerate(["internet", "extern", "afnemer"], 1)], "0 h down", MET),
    # A calamity at Logius counts: 8 h.
    ("2026-04", ["2026-04-07 10:00,2026-04-07 18:00,portaal,calamiteit"], "8 h down", MISSED),
]


@pytest.mark.parametrize(("month", "rows", "down", "verdict"), BY_HAND)
def test_availability_of_the_portaal_by_hand(judge, month, rows, down, verdict):
    """
    Merged, cut to the month, without what does not count and without the windows; more than 1 % of the hours of the month is missed.
    """
    judgement = only(judge(*rows, month=month))

    assert (downtime(judgement), judgement.verdict) == (down, verdict)


def test_value_is_exact(judge):
    """
    7 h 12 min of 720 h is exactly 99 %.
    """
    judgement = only(judge("2026-04-07 10:00,2026-04-07 17:12,portaal"))

    assert (judgement.value, judgement.figure) == (99, "99 % available, 7,2 h down")
    assert only(judge("2026-04-07 10:00,2026-04-07 10:01,portaal")).value == 100 - Fraction(100, 720 * 60)


@pytest.mark.parametrize("service", ["aanleveren", "verwerkingsberichten", "validatie", "abonnementen"])
def test_services_of_the_berichtenbox_have_no_window_with_downtime(judge, service):
    """
    Second Tuesday 14 April, 9 to 15: 6 h are counted, and maintenance there was to be without downtime (SNO-ONH-04).
    """
    judgements = judge(f"2026-04-14 09:00,2026-04-14 15:00,{service},onderhoud", "2026-04-08 00:00,2026-04-08 01:00,aanleveren")
    own = next(judgement for judgement in judgements if judgement.about == f"2026-04 {service}")

    assert (own.norm, downtime(own)) == ("SNO-BES-03", f"{7 if service == 'aanleveren' else 6} h down")
    assert (only(judgements, "SNO-ONH-04").verdict, only(judgements, "SNO-ONH-04").value) == (MISSED, 6)


def test_unplanned_outage_in_the_window_is_no_downtime_of_maintenance(judge):
    """
    Maintenance that took nothing down is met, also when something else did.
    """
    judgements = judge("2026-04-14 09:00,2026-04-14 10:00,aanleveren,storing")

    assert only(judgements, "SNO-ONH-04").verdict is MET
    assert downtime(only(judgements, "SNO-BES-03")) == "1 h down"


def test_every_series_is_judged_by_its_own_norm(judge):
    """
    Each service for itself, each connected system for itself; what people see of Persoonlijke Gegevens gets a figure and no verdict.
    """
    judgements = judge(
        "2026-04-07 10:00,2026-04-07 20:00,aangesloten-systeem,storing,,,RDW",
        "2026-04-07 10:00,2026-04-07 11:00,aangesloten-systeem,internet,,,KVK",
        "2026-04-07 10:00,2026-04-07 20:00,persoonlijke-gegevens,storing",
    )

    assert [(one.norm, one.about, one.verdict, downtime(one)) for one in judgements] == [
        ("SNO-BES-08", "2026-04 aangesloten-systeem KVK", MET, "1 h down"),
        ("SNO-BES-08", "2026-04 aangesloten-systeem RDW", MISSED, "10 h down"),
        ("SNO-BES-07", "2026-04 persoonlijke-gegevens", NOT_APPLICABLE, "10 h down"),
    ]


MOVE = "ONH-02,2026-04-22,2026-04-17 00:00,2026-04-17 06:00,{}"
WORK = "2026-04-17 00:00,2026-04-17 08:00,portaal,onderhoud,ja"


@pytest.mark.parametrize(
    ("announced", "down"),
    [
        # Ten werkdagen after 31 March: 1 2, 7 8 9 10, 13 14 15 16 (3 and 6 April are feestdagen). The work is 8 h, the window 6.
        ("2026-03-31", "2 h down"),
        # After 2 April: 7 8 9 10, 13 14 15 16 17 20: the 17th is too early.
        ("2026-04-02", "8 h down"),
        ("", "8 h down"),
    ],
)
def test_moved_window_counts_only_when_announced_in_time(judge, announced, down):
    """
    Work in a window that was moved in time is not counted, but for what it takes longer; without an announcement all of it is.
    """
    judgement = only(judge(WORK, moves=[MOVE.format(announced)]))

    assert downtime(judgement) == down
    assert "SNO-ONH-13" in judgement.rests_on


def test_regular_window_is_gone_when_it_was_moved(judge):
    """
    One window a month: on the date from which it was moved, work is counted.
    """
    row = "2026-04-22 00:00,2026-04-22 02:00,portaal,onderhoud,ja"

    assert downtime(only(judge(row, moves=[MOVE.format("2026-03-31")]))) == "2 h down"
    assert downtime(only(judge(row))) == "0 h down"


def test_moved_window_over_the_end_of_a_month(judge):
    """
    Moved to 31 March 22:00 up to 1 April 04:00: in April 4 h of the 5 are not counted.
    """
    judgement = only(judge("2026-04-01 00:00,2026-04-01 05:00,portaal", moves=["ONH-02,2026-03-25,2026-03-31 22:00,2026-04-01 04:00,2026-03-01"]))

    assert downtime(judgement) == "1 h down"


def test_preproduction_has_its_own_window(judge):
    """
    Fourth Wednesday 22 April 17:00 to 06:00: of 16:00 to 07:00 two of 15 hours are counted.
    """
    row = "2026-04-22 16:00,2026-04-23 07:00,portaal,onderhoud,ja"

    assert downtime(only(judge(row, environment=Environment.PREPRODUCTIE))) == "2 h down"
    assert downtime(only(judge(row))) == "15 h down"


def test_month_that_is_not_covered_is_never_green(judge):
    """
    A month between two others, and one that was asked for, have no data.
    """
    rows = ("2026-01-04 10:00,2026-01-04 11:00,portaal", "2026-03-04 10:00,2026-03-04 11:00,portaal")

    assert [judgement.verdict for judgement in judge(*rows)] == [MET, NO_DATA, MET]
    assert [judgement.verdict for judgement in judge(*rows, start="2026-01-01")] == [MET, MET, MET]
    assert [judgement.verdict for judgement in judge(*rows, month="2026-04")] == [NO_DATA]
    assert judge() == ()


def test_service_that_the_log_does_not_name_needs_a_period(judge):
    """
    A log of the portaal says nothing of the validatieservice, unless somebody says that it covers it.
    """
    rows = ("2026-04-07 10:00,2026-04-07 11:00,portaal",)
    asked = {"services": [Service.VALIDATIE]}

    silent, stated = judge(*rows, **asked), judge(*rows, start="2026-04-01", until="2026-04-30", **asked)

    assert [(one.norm, one.verdict) for one in silent] == [("SNO-BES-03", NO_DATA), ("SNO-ONH-04", NO_DATA)]
    assert [(one.norm, one.verdict, one.value) for one in stated] == [("SNO-BES-03", MET, 100), ("SNO-ONH-04", MET, 0)]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ("2026-04-07 10:00,2026-04-07 17:12,portaal", NO_DATA),  # 7,2 h of 7,2: the other half of the month may hold more
        ("2026-04-07 10:00,2026-04-07 17:13,portaal", MISSED),  # more than the whole month may have
        ("2026-04-07 10:00,2026-04-20 10:00,portaal", MISSED),
        ("2026-04-20 10:00,2026-04-21 10:00,portaal", NO_DATA),  # outside the period
    ],
)
def test_part_of_a_month_can_only_be_missed(judge, row, verdict):
    """
    A log up to the 15th is judged inside its period: too much is too much, and the rest nobody knows.
    """
    judgement = only(judge(row, start="2026-04-01", until="2026-04-15"))

    assert judgement.verdict is verdict
    assert judgement.arithmetic[1] == "the log covers 360 h of it"


def test_window_outside_the_period_is_not_judged(judge):
    """
    Whether maintenance of the second Tuesday took something down, a log up to the 13th does not know.
    """
    judgements = judge("2026-04-07 10:00,2026-04-07 10:30,aanleveren", start="2026-04-01", until="2026-04-13")

    assert only(judgements, "SNO-ONH-04").verdict is NO_DATA


def test_window_of_the_berichtenbox_that_left_the_month(judge):
    """
    What was moved to May is not judged in April.
    """
    moves = ["ONH-04,2026-04-14,2026-05-05 09:00,2026-05-05 15:00,2026-04-01"]

    assert only(judge("2026-04-07 10:00,2026-04-07 10:30,aanleveren", moves=moves), "SNO-ONH-04").verdict is NOT_APPLICABLE


IN_TIME = "line 2 was announced in time, and is counted all the same"


def notes_of(judgement, word):
    return [note for note in judgement.notes if word in note]


def test_other_readings_are_notes(judge):
    """
    The portaal in January 2026, 7,42 h down: 744 h allow 7,44; the average month 7,3; without its windows 744 - 12 = 732 h allow 7,32.
    """
    judgement = only(judge("2026-01-06 10:00,2026-01-06 17:25:12,portaal"))

    assert judgement.verdict is MET
    assert judgement.notes == (
        "by the average month of 730 h: 7,42 h down, 7,3 h allowed, ≈98,984 %: missed",
        "with the windows taken out of the month, 732 h: 7,42 h down, 7,32 h allowed, ≈98,986 %: missed",
    )


def test_hours_of_support_are_a_note(judge):
    """
    April 2026 has 22 days from Monday to Friday, of which 3, 6 and 27 are off: 19 * 9 = 171 h allow 1,71 h.

    Of Tuesday 15:00 to Wednesday 09:00 there lie 2 + 1 h in them.
    """
    row = "2026-04-07 15:00,2026-04-08 09:00,aanleveren"

    (note,) = notes_of(only(judge(row), "SNO-BES-03"), "support")

    assert note == "within the hours of support, 171 h: 3 h down, 1,71 h allowed, ≈98,246 %: missed"
    assert "180 h" in notes_of(only(judge(row, feestdagen=Feestdagen(goede_vrijdag=False)), "SNO-BES-03"), "support")[0]


def test_unplanned_outage_inside_a_window_is_a_note(judge):
    """
    From 00:00 to 08:00 on 8 April: 2 h by the window, and 8 h when unplanned always counts, of 7,2.
    """
    judgement = only(judge("2026-04-08 00:00,2026-04-08 08:00,portaal,storing"))

    assert (judgement.verdict, downtime(judgement)) == (MET, "2 h down")
    assert notes_of(judgement, "unplanned") == [
        "with the 6 h that was unplanned inside a window (SNO-BES-06): 8 h down, 7,2 h allowed, ≈98,889 %: missed"
    ]
    assert not notes_of(only(judge("2026-04-08 00:00,2026-04-08 08:00,portaal,onderhoud")), "unplanned")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("2026-04-30 12:00,,portaal", "line 2 has no end: counted until 2026-05-01 00:00, where the log ends"),
        ("2026-04-07 10:00,2026-04-07 11:00,portaal,calamiteit", "line 2, calamiteit: no claim on Logius (SNO-CON-03)"),
        ("2026-04-07 10:00,2026-04-07 11:00,portaal,afnemer", "line 2, afnemer: no claim on Logius (SNO-CON-03)"),
        (
            "2026-04-17 00:00,2026-04-17 02:00,portaal,onderhoud,ja,2026-03-01",
            f"{IN_TIME}: it lies in no regular window, and no row of --moved says which one it replaces",
        ),
        (
            "2026-04-17 00:00,2026-04-17 02:00,validatie,onderhoud,ja,2026-03-01",
            f"{IN_TIME}: there is no window in which this may be down",
        ),
    ],
)
def test_rows_that_need_a_word(judge, row, note):
    """
    What somebody may expect to be otherwise is told.
    """
    assert note in judge(row)[0].notes


@pytest.mark.parametrize(
    "row",
    [
        "2026-04-17 00:00,2026-04-17 02:00,portaal,onderhoud,ja,2026-04-10",
        "2026-04-17 00:00,2026-04-17 02:00,portaal,onderhoud,nee,2026-03-01",
        "2026-04-08 00:00,2026-04-08 02:00,portaal,onderhoud,ja,2026-03-01",
        "2026-04-08 00:00,2026-04-08 02:00,portaal,extern,ja,2026-03-01",
    ],
)
def test_rows_that_need_no_word(judge, row):
    """
    Announced too late, unplanned, inside a window or not counted: nobody expects otherwise.
    """
    assert not notes_of(judge(row)[0], "announced")


def test_sum_is_shown_line_by_line(judge):
    """
    The hours of the month, each row, what is taken off and the quotient.
    """
    judgement = only(
        judge(
            "2026-04-07 23:00,2026-04-08 07:30,portaal,onderhoud,ja",
            "2026-04-08 07:00,2026-04-08 08:00,portaal,storing",
            "2026-04-09 07:00,2026-04-09 08:00,portaal,digid",
        )
    )

    assert judgement.arithmetic == (
        "2026-04 has 720 h: at 99 % at most 7,2 h down",
        "line 2: 2026-04-07 23:00 to 2026-04-08 07:30, onderhoud, planned: 8,5 h",
        "line 3: 2026-04-08 07:00 to 2026-04-08 08:00, storing: 1 h",
        "overlaps count once: 9,5 h in rows is 9 h down",
        "- 6 h inside the window of SNO-ONH-01, 2026-04-08 00:00 to 2026-04-08 06:00 (SNO-ONH-05)",
        "line 4: 2026-04-09 07:00 to 2026-04-09 08:00, digid: 1 h: not counted (SNO-BES-05)",
        "3 h down: 1 - 3 / 720 = ≈99,583 %, at least 99 %",
    )


MINUTES = st.tuples(st.integers(0, 30 * 24 * 60 - 1), st.integers(1, 600))


@given(st.lists(MINUTES, max_size=12))
def test_downtime_is_what_a_count_of_minutes_gives(tmp_path_factory, outages):
    """
    Marking every minute that is down, outside the two windows, gives the same as merging and subtracting.
    """
    path = tmp_path_factory.getbasetemp() / "minutes.csv"
    path.write_text(HEADER + "".join(f"{stamp(start)},{stamp(start + length)},portaal,,,,\n" for start, length in outages))
    windows = {minute for day in (8, 22) for minute in range((day - 1) * 1440, (day - 1) * 1440 + 360)}
    down = {minute for start, length in outages for minute in range(start, start + length) if minute < 30 * 1440} - windows

    log = read_log(path, date(2026, 4, 1), date(2026, 4, 30))
    judgement = only(availability(log, [Month(2026, 4)], [Service.PORTAAL]))

    assert judgement.value == 100 - Fraction(100 * len(down), 720 * 60)
    assert judgement.verdict is (MET if len(down) <= 432 else MISSED)


def stamp(minute):
    day, rest = divmod(minute, 1440)
    return f"2026-{4 + day // 30:02d}-{day % 30 + 1:02d}T{rest // 60:02d}:{rest % 60:02d}+02:00"
