"""Citizens that are made: whose numbers they have, in which order, and who of them is not active."""

import itertools
from collections import deque

import pytest

from conformance.berichtenbox.population import DEFAULT_SEED, MILLION, MOST, PopulationError, citizens, fill
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.identities import passes_elfproef, reserved_test_bsns

PASSING = 9_090_909  # of 900000000-999999999, the reserved ones included


def numbers(count, start=0):
    """Return the BSNs of a stretch of the population."""
    return [bsn for bsn, _ in itertools.islice(citizens(start + count, 1), start, None)]


@pytest.fixture(scope="module")
def everybody():
    """The first 200 000 of a population of ten million, and the last 1 100 000, among which the elfproef stops to hold."""
    made = citizens(10_000_000, 1)
    first = list(itertools.islice(made, 200_000))
    deque(itertools.islice(made, 8_700_000), maxlen=0)
    return first, list(made)


def test_the_reserved_test_bsns_come_first():
    """
    Whoever makes 909 citizens has those that nobody is, in order.
    """
    assert numbers(909) == [int(bsn) for bsn in reserved_test_bsns()]


@pytest.mark.slow
def test_the_others_pass_the_elfproef_and_none_is_left_out(everybody):
    """
    After the reserved ones come exactly those numbers from 900000000 for which the elfproef holds.
    """
    first, _ = everybody
    found = [bsn for bsn, _ in first[909:]]

    assert found == [number for number in range(900_000_000, found[-1] + 1) if passes_elfproef(str(number))]


@pytest.mark.slow
def test_beyond_those_come_numbers_that_fail_it(everybody):
    """
    When none is left that passes, nobody gets a number that could be somebody's.
    """
    _, last = everybody
    verdicts = [passes_elfproef(str(bsn)) for bsn, _ in last[:: len(last) // 20_000]]
    turn = next(index for index, (bsn, _) in enumerate(last) if not passes_elfproef(str(bsn)))

    assert verdicts == sorted(verdicts, reverse=True)
    assert 8_900_000 + turn == PASSING
    assert last[turn][0] == 900_000_000
    assert last[turn - 1][0] == max(number for number in range(999_989_900, 999_990_000) if passes_elfproef(str(number)))
    assert last[-1][0] < 999_990_000


@pytest.mark.slow
def test_nobody_comes_twice(everybody):
    """
    Each stretch is in order, so that two neighbours that differ are enough.
    """
    first, last = everybody
    turn = next(index for index, (bsn, _) in enumerate(last) if bsn == 900_000_000)

    for stretch in (first[:909], first[909:], last[:turn], last[turn:]):
        assert all(one[0] < other[0] for one, other in itertools.pairwise(stretch))


def test_all_are_active_unless_a_share_is_not():
    """
    Without a share all are active; with one about that part is not, and with 1 nobody is.
    """
    active = {share: sum(is_active for _, is_active in citizens(20_000, 7, inactive_share=share)) for share in (0, 0.25, 1)}

    assert (active[0], active[1]) == (20_000, 0)
    assert active[0.25] == pytest.approx(15_000, abs=400)


def test_the_seed_decides_who_is_not_active():
    """
    The same seed makes the same citizens, another seed others, and fewer of them are the first of more.
    """
    one, again, fewer, other = (list(citizens(count, seed, inactive_share=0.5)) for count, seed in ((500, 1), (500, 1), (100, 1), (500, 2)))

    assert one == again
    assert one[:100] == fewer
    assert one != other


@pytest.mark.parametrize(
    ("count", "share", "said"),
    [(-1, 0, "has 0 to"), (MOST + 1, 0, "has 0 to"), (1, -0.1, "from 0 to 1"), (1, 1.1, "0 to 1"), (1, float("nan"), "0 to 1")],
)
def test_what_cannot_be_made_is_refused_at_once(count, share, said):
    """
    Before the first citizen is asked for.
    """
    with pytest.raises(PopulationError, match=said):
        citizens(count, 1, inactive_share=share)


def test_a_population_replaces_who_is_there():
    """
    The ledger has the new citizens and no others.
    """
    with SqlLedger("sqlite://") as ledger:
        ledger.write([lambda writing: writing.citizens.add_accounts([(111_222_333, True)])])

        ledger.write([lambda writing: fill(writing.citizens, 1_000, DEFAULT_SEED)])

        assert ledger.citizens.accounts() == 1_000
        assert ledger.citizens.wanting("", "", [111_222_333, 999_990_007]) == {999_990_007}


def test_a_population_that_cannot_be_made_forgets_nobody():
    """
    Who was there is still there.
    """
    with SqlLedger("sqlite://") as ledger:
        ledger.write([lambda writing: fill(writing.citizens, 3, 1)])

        with pytest.raises(PopulationError, match="has 0 to"):
            ledger.write([lambda writing: fill(writing.citizens, -1, 1)])

        assert ledger.citizens.accounts() == 3


class Sink:
    """Takes citizens, and keeps none."""

    def clear(self):
        """Forget nothing."""

    def add_accounts(self, accounts):
        """Take them all."""
        deque(accounts, maxlen=0)


@pytest.mark.slow
def test_each_million_is_told():
    """
    Who waits for many hears how far it is.
    """
    told = []

    fill(Sink(), 2 * MILLION + 1, 1, told=told.append)

    assert told == [MILLION, 2 * MILLION]
