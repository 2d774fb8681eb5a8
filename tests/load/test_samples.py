"""What is measured: merged from several processes, exact at a threshold, within a percent elsewhere."""

import json

import pytest

from conformance.load.samples import OTHERS, Cell, Samples, Tally


def samples(*latencies, thresholds=(0.2,), name="letter"):
    made = Samples(thresholds)
    for place, latency in enumerate(latencies):
        made.add(name, place / 10, latency)
    return made


def test_threshold_counts_exactly_what_lies_above():
    """
    An answer of exactly the norm is in time, one a microsecond later is not.
    """
    made = samples(0.199999, 0.2, 0.200001)

    assert made.over(0.2, "letter") == 1


def test_percentile_is_at_most_one_percent_too_high():
    """
    A percentile lies at the latency or within a percent above it.
    """
    made = samples(*[number / 1000 for number in range(1, 1001)])

    assert 0.5 <= made.total().percentile(0.5) <= 0.505
    assert made.total().percentile(1) == 1.0


def test_percentile_of_nothing_is_nothing():
    """
    Without an answer there is no latency, not one of zero.
    """
    assert Cell().percentile(0.99) is None


def test_failure_is_counted_and_makes_no_percentile_better():
    """
    A refusal at once is no quick answer.
    """
    made = samples(0.5)
    made.add("letter", 0, 0.0001, is_failure=True)

    total = made.total("letter")

    assert (total.count, total.failures, total.answered) == (2, 1, 1)
    assert total.percentile(0.01) == 0.5


def test_reports_of_two_workers_are_those_of_one_process():
    """
    What two workers report through JSON adds up to what one process measures.
    """
    whole, halves = samples(*[number / 128 for number in range(100)]), [Samples((0.2,)), Samples((0.2,))]
    for number in range(100):
        halves[number % 2].add("letter", number / 10, number / 128)

    together = Samples((0.2,))
    for half in halves:
        together.merge(Samples.from_json(json.loads(json.dumps(half.to_json()))))

    assert together == whole
    assert repr(together) == "<Samples: letter 100>"


def test_seconds_show_those_without_requests_too():
    """
    A gap in the traffic is a gap in the plot.
    """
    made = Samples()
    made.add("a", 0.5, 0.1)
    made.add("b", 2.5, 0.1)

    assert [(second, cell.count) for second, cell in made.seconds()] == [(0, 1), (1, 0), (2, 1)]
    assert [second for second, _ in made.seconds("b")] == [2]
    assert list(Samples().seconds()) == []


def test_unknown_threshold_is_refused():
    """
    A norm that was not counted exactly cannot be judged.
    """
    with pytest.raises(ValueError, match="not in tuple"):
        samples(0.1).over(0.3)


def test_tallies_merge_by_their_kind():
    """
    Counts add up, highest values stay the highest, texts and lists come together.
    """
    one, other = Tally(), Tally()
    for tally, value in ((one, 1.0), (other, 3.0)):
        tally.counts["sent"] += 2
        tally.raise_to("last answer", value)
        tally.fail("status 500")
        tally.note("refused", int(value))

    one.merge(Tally.from_json(json.loads(json.dumps(other.to_json()))))

    assert (one.counts["sent"], one.highest["last answer"], one.failures["status 500"], one.lists["refused"]) == (4, 3.0, 2, [1, 3])


def test_texts_of_failures_are_bounded():
    """
    A stranger with a new text in each answer does not fill our memory.
    """
    tally = Tally()
    for number in range(50):
        tally.fail(f"{number} " + "x" * 1000)

    assert len(tally.failures) == 21
    assert tally.failures[OTHERS] == 30
    assert max(map(len, tally.failures)) == 200


def test_cells_show_themselves():
    """
    A cell says what it holds.
    """
    assert repr(samples(0.5).total()) == "<Cell: 1 requests, 0 failed, longest 0.500 s>"
    assert repr(Tally()) == "<Tally: {}>"
