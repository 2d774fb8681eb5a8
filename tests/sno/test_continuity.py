"""RPO, RTO and retention: cases worked out by hand, with the sum beside each."""

from datetime import timedelta
from fractions import Fraction

import pytest

from conformance.sno.calendar import Month
from conformance.sno.cells import read_moment
from conformance.sno.continuity import BACKUPS, COLUMNS, Backup, Calamity, backups, calamities, check, check_backup, judge, months_of
from conformance.sno.judgement import Outcome
from conformance.sno.shares import Period
from conformance.sno.tables import TablesError, read_table

MARCH = Month(2026, 3)
BEGAN = read_moment("2026-03-02 09:00")
AT = read_moment("2026-04-01 12:00")


def calamity(began="2026-03-02 09:00", kept="2026-03-02 09:00", restored="2026-03-02 10:00", lost=None, cause=""):
    return Calamity("C-1", read_moment(began), kept and read_moment(kept), restored and read_moment(restored), lost, cause)


def judged(items, norm, at=AT, kept=None, months=(MARCH,), *, is_stated=False):
    (judgement,) = [one for one in judge(items, kept, Period(months, is_stated), at) if one.norm == norm]
    return judgement


@pytest.mark.parametrize(
    ("began", "restored", "hours", "verdict"),
    [
        ("2026-03-02 09:00", "2026-03-02 13:00", 4, Outcome.MET),  # exactly 4 hours
        ("2026-03-02 09:00", "2026-03-02 13:00:01", Fraction(14401, 3600), Outcome.MISSED),
        ("2026-03-29 00:30", "2026-03-29 05:30", 4, Outcome.MET),  # 5 on the wall, less the hour that is skipped
        ("2026-10-25 00:30", "2026-10-25 04:30", 5, Outcome.MISSED),  # 4 on the wall, and the hour that comes twice
    ],
)
def test_restore_within_four_hours(began, restored, hours, verdict):
    """The RTO is real time, also in a night in which the clock changes."""
    judgement = judged([calamity(began, began, restored)], "SNO-OPS-03", months=(Month.of(read_moment(restored).date()),))

    assert (judgement.verdict, judgement.value) == (verdict, hours)


@pytest.mark.parametrize(("at", "verdict"), [("2026-03-02 13:00", Outcome.NO_DATA), ("2026-03-02 13:01", Outcome.MISSED)])
def test_calamity_that_is_not_over(at, verdict):
    """One that is not restored is undecided until its four hours are over, and missed from then on."""
    assert judged([calamity(restored=None)], "SNO-OPS-03", read_moment(at)).verdict is verdict


@pytest.mark.parametrize("norm", ["SNO-OPS-02", "SNO-CON-01"])
@pytest.mark.parametrize(
    ("kept", "lost", "figure", "verdict"),
    [
        ("2026-03-02 09:00", 0, "0 minutes, 0 berichten lost", Outcome.MET),
        ("2026-03-02 09:00", None, "0 minutes", Outcome.MET),
        (None, 0, "0 berichten lost", Outcome.MET),
        ("2026-03-02 08:59:59", None, "≈0,017 minutes", Outcome.MISSED),  # one second is more than nothing
        ("2026-03-02 08:30", 1250, "30 minutes, 1.250 berichten lost", Outcome.MISSED),
        ("2026-03-02 09:00", 1, "0 minutes, 1 bericht lost", Outcome.MISSED),
        (None, None, "", Outcome.NO_DATA),
    ],
)
def test_nothing_is_lost(norm, kept, lost, figure, verdict):
    """The RPO is 0 minutes: a second, or one bericht, is too much; what nobody wrote down is no proof."""
    judgement = judged([calamity(kept=kept, lost=lost)], norm)

    assert (judgement.verdict, judgement.figure) == (verdict, figure)


def test_cause_elsewhere_is_told():
    """A cause outside Logius excludes a claim, and changes no figure."""
    theirs, own = judged([calamity(cause="afnemer")], "SNO-OPS-03"), judged([calamity(cause="logius")], "SNO-OPS-03")

    assert theirs.notes == ("The cause is afnemer: no claim can be based on it (SNO-CON-03). It counts in the figure.",)
    assert own.notes == ()
    assert theirs.verdict is own.verdict


def test_month_without_a_calamity():
    """It has no data, unless the log is said to cover it."""
    assert judged([], "SNO-OPS-03").verdict is Outcome.NO_DATA
    assert judged([], "SNO-OPS-03", is_stated=True).verdict is Outcome.NOT_APPLICABLE
    assert list(months_of([calamity()])) == [MARCH]


@pytest.mark.parametrize(
    ("ages", "deleted", "verdict"),
    [
        ([timedelta(days=8)], timedelta(days=7), Outcome.MET),  # exactly 7 days
        ([timedelta(days=8)], timedelta(days=7, seconds=-1), Outcome.MISSED),
        ([timedelta(days=7)], None, Outcome.MET),  # still there after 7 days
        ([timedelta(days=6)], None, Outcome.NO_DATA),  # still there, but too young to tell
        ([timedelta(days=6)], timedelta(days=5), Outcome.MISSED),  # gone already
        ([], None, Outcome.NO_DATA),
    ],
)
def test_back_ups_are_kept_for_seven_days(ages, deleted, verdict):
    """A back-up decides once it is gone, or seven days old."""
    kept = [Backup("B", AT - age, None if deleted is None else AT - age + deleted) for age in ages]

    assert judged([], "SNO-OPS-01", kept=kept).verdict is verdict


def test_early_deletion_is_shown():
    """The back-up that was deleted too early is named, and young ones are counted apart."""
    kept = [Backup("B-1", BEGAN, BEGAN + timedelta(days=6, hours=12)), Backup("B-2", BEGAN), Backup("B-3", AT)]

    judgement = judged([], "SNO-OPS-01", kept=kept)

    assert judgement.arithmetic == (
        "B-1: made 2026-03-02 09:00, deleted 2026-03-08 21:00: 6,5 days",
        "2 back-ups, the shortest kept 6,5 days; norm: at least 7 days: missed",
    )
    assert judgement.notes == ("Younger than 7 days and still there, and so undecided: 1 back-up.",)


def test_rows_are_read(tmp_path):
    """Empty cells are what nobody knows yet."""
    log, kept = tmp_path / "c.csv", tmp_path / "b.csv"
    log.write_text(
        "calamiteit,begonnen,bewaard_tot,hersteld,verloren,oorzaak\nC-1,2026-03-02 09:00,,,,\nC-1,2026-03-02 09:00,2026-03-02 09:00,,3,internet\n"
    )
    kept.write_text("backup,gemaakt,gewist\nB,2026-03-02 09:00,\n")

    assert calamities(read_table(log, COLUMNS, check)) == (
        calamity(kept=None, restored=None),
        calamity(restored=None, lost=3, cause="internet"),
    )
    assert backups(read_table(kept, BACKUPS, check_backup)) == (Backup("B", BEGAN),)


def test_wrong_rows_are_named(tmp_path):
    """What was kept longer than up to the calamity, or restored before it, is told with line and column."""
    file = tmp_path / "c.csv"
    file.write_text(
        "calamiteit,begonnen,bewaard_tot,hersteld\n"
        "A,2026-03-02 09:00,2026-03-02 09:01,2026-03-02 10:00\nB,2026-03-02 09:00,,2026-03-02 08:00\nC,2026-02-30 09:00,,\n"
    )

    with pytest.raises(TablesError, match="bewaard_tot") as caught:
        read_table(file, COLUMNS, check)

    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "bewaard_tot"), (3, "hersteld"), (4, "begonnen")]
