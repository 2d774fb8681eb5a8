"""Makes citizens for a test of any size, without asking anybody: the reserved test BSNs first, then others that start with 9.

Whether a number passes the elfproef is not worked out number by number: the remainder of the first five digits says which last four go with them.
"""

import random
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from typing import Final

from conformance.berichtenbox.citizens import CitizenWriting

DEFAULT_SEED: Final = 20261124
"""The seed of who wants a population and names none."""
MOST: Final = 20_000_000
"""More than there are citizens; ten million is what the real Berichtenbox has."""
MILLION: Final = 1_000_000
_ELEVEN: Final = 11
_LOW_DIGITS: Final = 4
_LOWS: Final = 10**_LOW_DIGITS
_HIGHS: Final = range(90_000, 100_000)
_RESERVED: Final = _HIGHS[-1]  # 99999: the block 999990000-999999999 is reserved for tests
_HIGH_WEIGHTS: Final = (9, 8, 7, 6, 5)
_LOW_WEIGHTS: Final = (4, 3, 2, -1)


class PopulationError(ValueError):
    """A population that cannot be made."""


def citizens(count: int, seed: int, *, inactive_share: float = 0.0) -> Iterator[tuple[int, bool]]:
    """Yield ``count`` BSNs with whether their Berichtenbox is active; ``seed`` decides who of them is not, about ``inactive_share`` (0 to 1) of all.

    First come the 909 reserved test BSNs, then those from 900000000 that pass the elfproef, and after those numbers that fail it and belong to
    nobody; none comes twice. Fewer of the same seed are the first of more. Memory does not grow. Raises :class:`PopulationError` at once.
    """
    if not 0 <= count <= MOST:
        raise PopulationError(f"a population has 0 to {MOST} citizens")
    if not 0 <= inactive_share <= 1:
        raise PopulationError("the share of who is not active is a number from 0 to 1")
    drawn = random.Random(seed)  # noqa: S311  # who is not active need not be secret
    # All of it runs inside the interpreter: a loop of our own would take three times as long over ten million.
    is_active = map(float(inactive_share).__le__, map(random.Random.random, repeat(drawn)))
    return zip(islice(_numbers(), count), is_active, strict=False)


def fill(writing: CitizenWriting, count: int, seed: int, *, inactive_share: float = 0.0, told: Callable[[int], None] | None = None) -> None:
    """Replace every citizen of a ledger by a population; raises :class:`PopulationError` before anything is forgotten.

    ``told`` hears at each million how many there are.
    """
    made = citizens(count, seed, inactive_share=inactive_share)
    writing.clear()
    writing.add_accounts(made if told is None else _counted(made, told))


def _counted(made: Iterator[tuple[int, bool]], told: Callable[[int], None]) -> Iterator[tuple[int, bool]]:
    for number, citizen in enumerate(made, 1):
        yield citizen
        if not number % MILLION:
            told(number)


def _numbers() -> Iterator[int]:
    """Yield every number from 900000000 in the order in which they become citizens."""
    passing, failing = _tables()
    others = _HIGHS[:-1]
    return chain(_in_block(_RESERVED, passing), _in_blocks(others, passing), _in_blocks(others, failing))


def _in_blocks(highs: range, lows: tuple[tuple[int, ...], ...]) -> Iterator[int]:
    return chain.from_iterable(_in_block(high, lows) for high in highs)


def _in_block(high: int, lows: tuple[tuple[int, ...], ...]) -> Iterator[int]:
    """Yield the numbers whose first five digits are ``high``."""
    return map((high * _LOWS).__add__, lows[_remainder(high, _HIGH_WEIGHTS)])


def _tables() -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return, by the remainder of the first five digits, the last four with which a number passes the elfproef, and those with which it fails."""
    remainders = [_remainder(low, _LOW_WEIGHTS) for low in range(_LOWS)]
    wanted = [-high % _ELEVEN for high in range(_ELEVEN)]
    passing = tuple(tuple(low for low in range(_LOWS) if remainders[low] == rest) for rest in wanted)
    failing = tuple(tuple(low for low in range(_LOWS) if remainders[low] != rest) for rest in wanted)
    return passing, failing


def _remainder(number: int, weights: tuple[int, ...]) -> int:
    """Return the weighted sum of as many digits as there are weights, modulo 11."""
    digits = f"{number:0{len(weights)}d}"
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % _ELEVEN
