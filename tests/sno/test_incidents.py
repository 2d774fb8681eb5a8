"""Incidents: cases worked out by hand, with the sum beside each."""

from datetime import timedelta
from fractions import Fraction

import pytest

from conformance.sno.calendar import Feestdagen, Month
from conformance.sno.cells import read_moment
from conformance.sno.incidents import COLUMNS, Check, Incident, Party, Term, incidents, judge, months_of
from conformance.sno.judgement import Outcome
from conformance.sno.shares import Period
from conformance.sno.spans import Span
from conformance.sno.tables import TablesError, read_table

MARCH = Month(2026, 3)
AT = read_moment("2026-04-01 12:00")
LEVELS = {1: ("hoog", "hoog"), 2: ("hoog", "midden"), 3: ("laag", "laag")}


def incident(reported, resolved=None, priority=1, waits=(), **more):
    urgency, impact = LEVELS[priority]
    return Incident(
        more.pop("id", f"I-{reported}"),
        read_moment(reported),
        resolved and read_moment(resolved),
        urgency,
        impact,
        waiting=tuple(Span(read_moment(start), read_moment(end)) for start, end in waits),
        **more,
    )


def judged(items, norm, *months, is_stated=False):
    found = judge(items, Period(months or (MARCH,), is_stated), AT)
    return [judgement for judgement in found if judgement.norm == norm]


def quick(number, priority=1):
    return [incident("2026-03-02 09:00", "2026-03-02 10:00", priority, id=f"Q-{n}") for n in range(number)]


# priority, reported, resolved, waits, what the clock of Logius ran, on time?
CASES = [
    (1, "2026-03-02 09:00", "2026-03-02 15:00", (), 6, True),  # exactly 6 klokuren
    (1, "2026-03-02 09:00", "2026-03-02 15:01", (), Fraction(361, 60), False),
    (1, "2026-03-07 20:00", "2026-03-08 02:00", (), 6, True),  # a weekend night counts as any hour
    (1, "2026-03-28 23:00", "2026-03-29 06:00", (), 6, True),  # 7 on the wall, but 02:00-03:00 is skipped
    (1, "2026-10-24 23:00", "2026-10-25 05:00", (), 7, False),  # 6 on the wall, but 02:00-03:00 comes twice
    (1, "2026-03-02 09:00", "2026-03-02 17:00", (("2026-03-02 10:00", "2026-03-02 12:00"),), 6, True),  # 8 - 2
    (1, "2026-03-02 09:00", "2026-03-02 17:00", (("2026-03-02 10:00", "2026-03-02 11:59"),), Fraction(361, 60), False),
    (2, "2026-03-06 16:00", "2026-03-11 09:00", (), 20, True),  # Friday 1 + Monday 9 + Tuesday 9 + Wednesday 1
    (2, "2026-03-06 16:00", "2026-03-11 09:01", (), Fraction(1201, 60), False),
    (2, "2026-03-07 12:00", "2026-03-11 10:00", (), 20, True),  # Saturday 0 + Monday 9 + Tuesday 9 + Wednesday 2
    (2, "2026-03-02 18:00", "2026-03-05 09:59", (), Fraction(1199, 60), True),  # after hours 0 + 9 + 9 + 1:59
    (2, "2026-04-02 16:00", "2026-04-09 09:00", (), 20, True),  # Goede Vrijdag, weekend and 2e Paasdag do not count: 1 + 9 + 9 + 1
    # Monday 7 + 9 + 9 + 9 + 4 = 38, less Tuesday 9:00-17:00 (8) and Wednesday 8:00-11:00 (3)
    (2, "2026-03-09 10:00", "2026-03-13 12:00", (("2026-03-10 09:00", "2026-03-11 11:00"),), 27, False),
    (
        2,
        "2026-03-02 08:00",
        "2026-03-04 17:00",
        (("2026-03-03 08:00", "2026-03-03 15:00"), ("2026-03-03 10:00", "2026-03-03 17:00")),
        18,
        True,
    ),  # 27 - 9
    (1, "2026-03-02 09:00", "2026-03-02 17:00", (("2026-03-02 15:30", "2026-03-02 17:30"),), Fraction(13, 2), False),  # waited once it was late
    (3, "2026-03-02 08:00", "2026-03-05 11:00", (), 30, True),  # 9 + 9 + 9 + 3
    (3, "2026-03-02 08:00", "2026-03-05 11:01", (), Fraction(1801, 60), False),
]


@pytest.mark.parametrize(("priority", "reported", "resolved", "waits", "ran", "is_on_time"), CASES)
def test_clock_of_one_incident(priority, reported, resolved, waits, ran, is_on_time):
    """The clock runs in klokuren or kantooruren, stands still while the Afnemer is waited for, and the term itself is on time."""
    item = incident(reported, resolved, priority, waits)
    (judgement,) = judged([item], f"SNO-INC-0{priority}", next(months_of([incident(resolved)])))

    assert judgement.verdict is (Outcome.MET if is_on_time else Outcome.MISSED)
    assert f": {float(ran):.3f}".rstrip("0").rstrip(".").replace(".", ",") in judgement.arithmetic[0].replace("≈", "")
    assert (item.resolved <= Term.of(priority).deadline(item.reported, item.waiting)) is is_on_time


@pytest.mark.parametrize(("late", "total", "verdict"), [(1, 6, Outcome.MISSED), (1, 7, Outcome.MET), (3, 20, Outcome.MET), (4, 20, Outcome.MISSED)])
def test_share_of_a_month(late, total, verdict):
    """5 of 6 is 83,3 % and misses 85 %, 6 of 7 is 85,7 % and meets it, 17 of 20 is exactly 85 %."""
    items = [*quick(total - late), *(incident("2026-03-02 09:00", "2026-03-03 09:00", id=f"L-{n}") for n in range(late))]

    (judgement,) = judged(items, "SNO-INC-01")

    assert judgement.verdict is verdict
    assert judgement.value == Fraction(total - late, total) * 100
    assert judgement.arithmetic[0] == "L-0: reported 2026-03-02 09:00, due 2026-03-02 15:00, resolved 2026-03-03 09:00: 24 klokuren, late"


def test_month_is_that_of_resolution():
    """What is reported in March and resolved in April counts in April, on the Dutch clock."""
    items = [incident("2026-03-31 23:00", "2026-04-01 00:30")]

    march, april = judged(items, "SNO-INC-01", MARCH, Month(2026, 4))

    assert (march.verdict, april.verdict) == (Outcome.NOT_APPLICABLE, Outcome.MET)


def test_months_without_incidents():
    """A month that no row touches has no data, and is not applicable when the list is said to cover it: never 0 %, never green."""
    items = [*quick(1), incident("2026-05-04 09:00", "2026-05-04 10:00")]
    months = (MARCH, Month(2026, 4), Month(2026, 5))

    assert [one.verdict for one in judged(items, "SNO-INC-01", *months)] == [Outcome.MET, Outcome.NO_DATA, Outcome.MET]
    assert judged(items, "SNO-INC-01", *months, is_stated=True)[1].verdict is Outcome.NOT_APPLICABLE
    assert [one.verdict for one in judged(items, "SNO-INC-02", MARCH)] == [Outcome.NOT_APPLICABLE]


def test_part_of_the_afnemer():
    """The clock of the Afnemer runs while it is waited for: 11 kantooruren of 20 is in time, 7 klokuren of 6 is not."""
    items = [
        incident("2026-03-09 10:00", "2026-03-11 12:00", 2, (("2026-03-10 09:00", "2026-03-11 11:00"),), id="A"),  # 8 + 3
        incident("2026-03-02 09:00", "2026-03-02 17:00", 1, (("2026-03-02 09:30", "2026-03-02 16:30"),), id="B"),  # 7
    ]

    prio1, prio2 = judged(items, "SNO-INC-05")

    assert (prio1.verdict, prio2.verdict) == (Outcome.MISSED, Outcome.MET)
    assert prio2.arithmetic[0] == "A: waited 11 kantooruren for the Afnemer, at most 20 kantooruren"
    assert judged(items, "SNO-INC-01")[0].verdict is Outcome.MET


def test_incident_at_the_afnemer_counts_for_the_afnemer():
    """What the Afnemer must resolve is judged by the same terms, and not held against Logius."""
    items = [incident("2026-03-02 09:00", "2026-03-02 16:00", party=Party.AFNEMER)]

    assert judged(items, "SNO-INC-07")[0].verdict is Outcome.MISSED
    assert judged(items, "SNO-INC-01")[0].verdict is Outcome.NOT_APPLICABLE


def test_open_incidents_are_listed():
    """An open incident misses nothing, for there is no last term, but it is listed with its deadline; without any the norm is met."""
    items = [*quick(1), incident("2026-03-31 09:00", id="O-1"), incident("2026-04-01 09:00", id="O-2")]

    (judgement,) = judged(items, "SNO-INC-04")

    assert (judgement.verdict, judgement.figure) == (Outcome.NOT_APPLICABLE, "2 of 3 open")
    assert judgement.arithmetic[0] == "O-1: Prio 1, open since 2026-03-31 09:00, due 2026-03-31 15:00: too late already on 2026-04-01 12:00"
    assert judgement.arithmetic[1].endswith("still in time on 2026-04-01 12:00")
    assert judged(quick(1), "SNO-INC-04")[0].verdict is Outcome.MET
    assert judged([], "SNO-INC-04")[0].verdict is Outcome.NO_DATA


@pytest.mark.parametrize(
    ("urgency", "impact", "priority"),
    [(u, i, p) for u, row in {"hoog": "123", "midden": "233", "laag": "333"}.items() for i, p in zip(("hoog", "midden", "laag"), row, strict=True)],
)
def test_priority_follows_from_the_matrix(urgency, impact, priority):
    """Urgentie hoog gives 1 2 3 for impact hoog, midden, laag; midden gives 2 3 3; laag gives 3 3 3."""
    assert Incident("I", AT, None, urgency, impact).priority == int(priority)


def test_recorded_values_are_compared():
    """A priority, an urgentie and an impact that do not follow from what they rest on are told; the months go by the computed priority."""
    items = [
        Incident("A", AT, None, "hoog", "hoog", 2, delay="geen", affected="koppelvlak"),  # Prio 1, impact midden
        Incident("B", AT, None, "midden", "midden", 3, delay="mogelijk", affected="koppelvlak"),  # urgentie laag
    ]

    found = {norm: judged(items, norm)[0] for norm in ("SNO-INC-09", "SNO-INC-10", "SNO-INC-11")}

    assert {norm: one.arithmetic for norm, one in found.items()} == {
        "SNO-INC-09": ("A: prioriteit 2 in the list, 1 by hoog x hoog", "1 of 2 as computed"),
        "SNO-INC-10": ("B: urgentie midden in the list, laag by uitstel mogelijk", "1 of 2 as computed"),
        "SNO-INC-11": ("A: impact hoog in the list, midden by geraakt koppelvlak", "1 of 2 as computed"),
    }
    assert {one.verdict for one in found.values()} == {Outcome.MISSED}
    assert judged(quick(1), "SNO-INC-09")[0].verdict is Outcome.NOT_APPLICABLE


def test_feestdagen_are_a_choice():
    """Who works on Goede Vrijdag has 9 kantooruren more that week."""
    start, length = read_moment("2026-04-02 16:00"), timedelta(hours=10)

    assert Term.of(2).after(start, length) == read_moment("2026-04-07 17:00")
    assert Term.of(2, Feestdagen(goede_vrijdag=False)).after(start, length) == read_moment("2026-04-03 17:00")


def test_rows_of_one_incident_are_put_together(tmp_path):
    """A further row with the same id adds a wait."""
    file = tmp_path / "i.csv"
    file.write_text(
        "id;gemeld;opgelost;urgentie;impact;prio;bij;wacht_van;wacht_tot\n"
        "I-1;2-3-2026 9:00;;high;Midden;2;afnemer;2-3-2026 10:00;2-3-2026 11:00\n"
        "I-1;2-3-2026 9:00;;high;Midden;2;afnemer;3-3-2026 10:00;3-3-2026 11:00\n"
    )

    (item,) = incidents(read_table(file, COLUMNS, Check()))

    assert (item.priority, item.recorded, item.party, item.resolved, len(item.waiting)) == (2, 2, Party.AFNEMER, None, 2)


def test_wrong_rows_are_named(tmp_path):
    """Every wrong row is told with its line and column: an end before its start, half a wait, an id that comes back as another incident."""
    file = tmp_path / "i.csv"
    file.write_text(
        "id,gemeld,opgelost,urgentie,impact,wacht_van,wacht_tot\n"
        "A,2026-03-02 09:00,2026-03-02 08:00,hoog,hoog,,\n"
        "B,2026-03-02 09:00,,hoog,hoog,2026-03-02 10:00,\n"
        "C,2026-03-02 09:00,,hoog,hoog,,2026-03-02 10:00\n"
        "D,2026-03-29 02:30,,hoog,hoog,,\n"
        "E,2026-03-02 09:00,,hoog,hoog,,\n"
        "E,2026-03-02 09:00,,hoog,laag,,\n"
        "F,2026-03-02 09:00,,ernstig,hoog,,\n"
    )

    with pytest.raises(TablesError, match="opgelost") as caught:
        read_table(file, COLUMNS, Check())

    found = [(problem.line, problem.column) for problem in caught.value.problems]
    assert found == [(2, "opgelost"), (3, "wacht_tot"), (4, "wacht_van"), (5, "gemeld"), (7, "impact"), (7, "id"), (8, "urgentie")]
