"""Faults: scripted or drawn, never by chance without a seed, and never so often that a correct party stays out."""

import pytest

from conformance.berichtenbox.faults import KINDS, FaultError, FaultPlan, Point


def strikes(plan, occasions, point=Point.POST):
    """Return on which occasions something struck."""
    return [bool(plan.striking(point)) for _ in range(occasions)]


def test_without_faults_nothing_strikes():
    """
    An empty plan leaves everybody alone.
    """
    assert strikes(FaultPlan(), 3) == [False, False, False]


def test_a_scripted_fault_strikes_after_what_it_skips():
    """
    A scripted fault skips, strikes its number of times in a row, and is spent.
    """
    plan = FaultPlan()
    fault = plan.script("unavailable", skip=2, times=3)

    assert strikes(plan, 7) == [False, False, True, True, True, False, False]
    assert (fault.fired, fault.is_spent) == (3, True)


def test_a_fault_without_an_end_strikes_always():
    """
    With times None a scripted fault is never spent.
    """
    plan = FaultPlan()
    fault = plan.script("no-result", times=None)

    assert strikes(plan, 50, Point.RESULT) == [True] * 50
    assert not fault.is_spent


def test_a_fault_strikes_only_at_its_point():
    """
    A fault on POLL leaves POST alone, and does not count it.
    """
    plan = FaultPlan()
    plan.script("error-500", on="poll")

    assert strikes(plan, 2, Point.POST) == [False, False]
    assert strikes(plan, 2, Point.POLL) == [True, False]


def test_faults_strike_in_the_order_in_which_they_were_set():
    """
    Several faults may strike on one occasion.
    """
    plan = FaultPlan()
    plan.script("gzip")
    plan.script("split")

    assert [fault.name for fault in plan.striking(Point.RESULT)] == ["gzip", "split"]


def test_the_same_seed_gives_the_same_strikes():
    """
    A drawn fault can be repeated by its seed, and another seed gives another run.
    """
    runs = []
    for seed in (7, 7, 8):
        plan = FaultPlan()
        plan.draw("slow", seed=seed, chance=0.5)
        runs.append(strikes(plan, 60))

    assert runs[0] == runs[1] != runs[2]
    assert True in runs[0]


def longest(struck):
    """Return the longest row of strikes."""
    return max(len(row) for row in "".join("x" if hit else " " for hit in struck).split(" "))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_drawn_fault_has_a_maximum_in_a_row(most):
    """
    However likely, a drawn fault lets the next one through.
    """
    plan = FaultPlan()
    plan.draw("unavailable", seed=1, chance=0.999, max_in_a_row=most)

    assert longest(strikes(plan, 200)) == most


def test_drawn_faults_count_together():
    """
    Two drawn faults do not take turns to keep a correct party out.
    """
    plan = FaultPlan()
    plan.draw("unavailable", seed=1, chance=0.999, max_in_a_row=1)
    plan.striking(Point.POST)
    plan.draw("error-500", seed=2, chance=0.999, max_in_a_row=1)
    plan.draw("slow", seed=3, chance=0.999, max_in_a_row=2)

    assert longest(strikes(plan, 500)) == 2


def test_clear_forgets_everything():
    """
    After clear nothing strikes, and nothing is listed.
    """
    plan = FaultPlan()
    plan.script("unavailable", times=None)
    plan.draw("unavailable", seed=1, chance=0.9)

    plan.clear()

    assert (plan.all(), strikes(plan, 5)) == ((), [False] * 5)


def test_every_kind_can_be_set_with_its_defaults():
    """
    Each kind takes its own defaults, at each of its points.
    """
    plan = FaultPlan()
    for kind in KINDS.values():
        for point in kind.points:
            plan.script(kind.name, on=str(point), **kind.parameters)

    assert len(plan.all()) == sum(len(kind.points) for kind in KINDS.values())
    assert all(kind.does for kind in KINDS.values())


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("unavailible", {}, "there is no fault 'unavailible'; known are: .*unavailable"),
        ("gzip", {"level": 9}, "fault gzip has no parameter 'level'; it takes: none"),
        ("split", {"part": 2}, "fault split has no parameter 'part'; it takes: parts"),
        ("gzip", {"on": "post"}, "fault gzip cannot strike on 'post', only on: result"),
        ("gzip", {"on": ["result"]}, "cannot strike on"),
        ("gzip", {"skip": -1}, "skip = '-1': expected a whole number of at least 0"),
        ("gzip", {"skip": True}, "skip = 'True'"),
        ("gzip", {"times": 0}, "times = '0': expected a whole number of at least 1"),
        ("gzip", {"times": 1.5}, "times = '1.5'"),
        ("split", {"parts": "two"}, "fault split: parts = 'two': expected a whole number from 0 to 1000"),
        ("split", {"parts": 10**9}, "fault split: parts"),
        ("split", {"parts": True}, "fault split: parts"),
        ("late", {"days": float("nan")}, "fault late: days = 'nan': expected a number from 0 to 1000"),
        ("late", {"days": -1}, "fault late: days"),
        ("code", {"code": "Verwerkd"}, "fault code: code = 'Verwerkd': expected one of .*BerichtBestaatAl"),
        ("code", {"code": []}, "fault code: code"),
        ("code", {"berichten": "0"}, "fault code: berichten = '0': expected null, or a list"),
        ("code", {"berichten": [-1]}, "fault code: berichten"),
        ("code", {"berichten": [True]}, "fault code: berichten"),
        ("doctype", {"url": "\ud800"}, "fault doctype: url"),
        ("error-500", {"text": "x" * 1001}, "fault error-500: text .*at most 1000 characters"),
        ("stadium-unknown", {"stadium": None}, "fault stadium-unknown: stadium"),
    ],
)
def test_what_does_not_exist_is_refused_when_it_is_set(name, parameters, said):
    """
    An unknown fault, point or parameter, or a value of the wrong kind, is refused at once and not when it would strike.
    """
    plan = FaultPlan()

    with pytest.raises(FaultError, match=said):
        plan.script(name, **parameters)

    assert plan.all() == ()


@pytest.mark.parametrize("chance", [0, 1, -0.5, float("nan"), "0.5", None, True])
def test_a_chance_lies_between_zero_and_one(chance):
    """
    Never and always are no chances.
    """
    with pytest.raises(FaultError, match=r"chance = .*expected a number between 0 and 1"):
        FaultPlan().draw("slow", seed=1, chance=chance)


def test_a_maximum_in_a_row_is_at_least_one():
    """
    A maximum of nothing is refused.
    """
    with pytest.raises(FaultError, match="max_in_a_row = '0'"):
        FaultPlan().draw("slow", seed=1, chance=0.5, max_in_a_row=0)


def test_its_repr_says_what_it_did():
    """
    The repr shows name, point and how often it fired.
    """
    plan = FaultPlan()
    fault = plan.script("slow", on="fetch")
    plan.striking(Point.FETCH)

    assert repr(fault) == "<Fault slow on fetch: fired 1x>"
