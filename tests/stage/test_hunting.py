"""Looking for an example that goes wrong: the smallest one is told, a seed repeats it, and nothing is found where nothing is wrong."""

import pytest
from hypothesis import strategies as st

from conformance.stage import hunting
from conformance.stage.hunting import Depth, hunt
from conformance.stage.judging import NotTestedError
from conformance.verdicts import Reason


def test_nothing_wrong_is_nothing_caught():
    """
    As many examples are tried as was asked, and none is told.
    """
    tried = []

    caught = hunt(st.binary(), lambda example: tried.append(example) or "", examples=20, seed=1)

    assert caught is None
    assert len(tried) == 20


def test_what_is_wrong_becomes_small_and_is_tried_last():
    """
    The smallest number that goes wrong is told with what is wrong with it, and it is the last that was tried.
    """
    tried = []

    def wrong_with(number):
        tried.append(number)
        return f"{number} is large" if number >= 1000 else ""

    caught = hunt(st.integers(0, 1_000_000), wrong_with, examples=50, seed=1)

    assert (caught.example, caught.wrong) == (1000, "1000 is large")
    assert tried[-1] == 1000


def test_a_seed_repeats_a_hunt():
    """
    The same seed tries the same examples, another one tries others.
    """

    def tried_with(seed):
        tried = []
        hunt(st.integers(), lambda number: tried.append(number) or "", examples=30, seed=seed)
        return tried

    assert tried_with(5) == tried_with(5)
    assert tried_with(5) != tried_with(6)


def test_shrinking_ends_in_time(monkeypatch):
    """
    When the time to make it smaller is over, what was caught by then is told.
    """
    moments = iter(range(0, 10_000, 5))
    monkeypatch.setattr(hunting.time, "monotonic", lambda: next(moments))

    caught = hunt(st.integers(0, 1_000_000), lambda number: "large" if number >= 10 else "", examples=50, seed=1, shrinking_s=12.0)

    assert caught.wrong == "large"
    assert caught.example >= 10


def test_what_does_not_go_wrong_twice_is_told_all_the_same():
    """
    What goes wrong once and never again was seen, and is told.
    """
    answers = iter(["once"])

    caught = hunt(st.integers(), lambda _number: next(answers, ""), examples=20, seed=1)

    assert caught.wrong == "once"


def test_what_cannot_be_tested_ends_it():
    """
    Nobody there is no finding: it is told as what it is, at once.
    """
    tried = []

    def wrong_with(number):
        tried.append(number)
        raise NotTestedError(Reason.UNREACHABLE, "nobody is there")

    with pytest.raises(NotTestedError, match="nobody is there"):
        hunt(st.integers(), wrong_with, examples=20, seed=1)

    assert len(tried) == 1


def test_each_depth_tries_more():
    """
    Deep tries more than default, and that more than quick.
    """
    assert Depth.QUICK.examples < Depth.DEFAULT.examples < Depth.DEEP.examples


def test_examples_are_drawn_as_they_are_hunted():
    """
    What is drawn with a seed is what a hunt with that seed tries.
    """
    tried = []
    hunt(st.integers(), lambda number: tried.append(number) or "", examples=15, seed=3)

    assert hunting.draw(st.integers(), examples=15, seed=3) == tried


def test_together_everything_is_tried_once():
    """
    Where nothing is wrong there is one round, with all examples in it.
    """
    rounds = []

    caught = hunting.hunt_together(st.integers(), lambda numbers: rounds.append(len(numbers)) or [""] * len(numbers), examples=15, seed=3)

    assert caught is None
    assert rounds == [15]


def test_together_what_is_wrong_becomes_small():
    """
    What goes wrong among others is made small alone; what was right is not tried again.
    """
    rounds = []

    def wrong_with(numbers):
        rounds.append(list(numbers))
        return [f"{number} is large" if number >= 1000 else "" for number in numbers]

    caught = hunting.hunt_together(st.integers(0, 1_000_000), wrong_with, examples=20, seed=1)

    assert (caught.example, caught.wrong) == (1000, "1000 is large")
    assert rounds[-1] == [1000]
    assert not {number for one in rounds[1:] for number in one} & {number for number in rounds[0] if number < 1000}


def test_together_what_is_right_alone_is_told_as_seen():
    """
    What goes wrong only among others is told as such, and they are tried together once more for the record.
    """
    rounds = []

    def wrong_with(numbers):
        rounds.append(len(numbers))
        return ["lost" if place == 2 and len(numbers) > 2 else "" for place, _ in enumerate(numbers)]

    caught = hunting.hunt_together(st.integers(), wrong_with, examples=10, seed=1)

    assert caught.wrong == "lost, among 10 at once and not alone"
    assert rounds[0] == rounds[-1] == 10
