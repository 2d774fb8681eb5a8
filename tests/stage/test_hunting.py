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
