"""Many BSNs at once: four bytes each, so that a list of a million costs 4 MB.

Nothing here shows a BSN unless it is asked for one: not a representation, not the text of an error.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Self, overload

_LARGEST: Final = 999_999_999
_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_ITEM: Final = 4  # bytes


def _group_sums(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return what three digits add to the sum of the elfproef, for 000-999."""
    hundreds, tens, ones = weights
    return tuple(hundreds * (number // 100) + tens * (number // 10 % 10) + ones * (number % 10) for number in range(1000))


_FIRST, _SECOND, _THIRD = (_group_sums(_WEIGHTS[start : start + 3]) for start in (0, 3, 6))


def bsn_text(number: int) -> str:
    """Return a BSN as it is written: nine digits."""
    return f"{number:09d}"


def bsn_number(text: str) -> int:
    """Return the number that nine ASCII digits write; raises :class:`ValueError`, which does not quote them."""
    if len(text) != 9 or not text.isascii() or not text.isdigit():  # noqa: PLR2004  # the digits of a BSN
        raise ValueError("a BSN is nine digits 0-9")
    return int(text)


class BsnList(Sequence[str]):
    """BSNs in the order in which they were given; as texts of nine digits, or as :attr:`numbers`."""

    __slots__ = ("numbers",)
    __hash__ = None  # type: ignore[assignment]  # a list can change through its numbers

    numbers: "array[int]"

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        """Take numbers of 0 to 999999999; raises :class:`ValueError` for others, which does not quote them."""
        try:
            self.numbers = array("I", numbers)
        except OverflowError:
            raise ValueError("a BSN is a number of at most nine digits") from None
        if self.numbers and max(self.numbers) > _LARGEST:
            raise ValueError("a BSN is a number of at most nine digits")

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the list of BSNs that are written as nine ASCII digits; raises :class:`ValueError` for anything else, without quoting it."""
        return cls(map(bsn_number, texts))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the list that :meth:`to_bytes` wrote; raises :class:`ValueError` when ``data`` is none."""
        if len(data) % _ITEM:
            raise ValueError("a list of BSNs has four bytes each")
        numbers = array("I")
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return cls(numbers)

    def to_bytes(self) -> bytes:
        """Return four bytes a BSN, little-endian."""
        if sys.byteorder == "little":
            return self.numbers.tobytes()
        swapped = array("I", self.numbers)
        swapped.byteswap()
        return swapped.tobytes()

    def unique(self) -> Self:
        """Return the BSNs sorted, each once."""
        if all(one < other for one, other in pairwise(self.numbers)):
            return type(self)(self.numbers)
        ordered = sorted(self.numbers)
        return type(self)(_without_repeats(ordered))

    def has(self, bsn: str) -> bool:
        """Tell whether ``bsn`` is in a list that :meth:`unique` returned, by binary search."""
        try:
            number = bsn_number(bsn)
        except ValueError:
            return False
        place = bisect_left(self.numbers, number)
        return place < len(self.numbers) and self.numbers[place] == number

    def failing_elfproef(self) -> Iterator[int]:
        """Yield the place of each BSN that cannot be one by the elfproef, as ``identities.passes_elfproef`` says it, but a million at once."""
        first, second, third = _FIRST, _SECOND, _THIRD
        for place, number in enumerate(self.numbers):
            if (first[number // 1_000_000] + second[number // 1000 % 1000] + third[number % 1000]) % 11 or not number:
                yield place

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> str | Self:
        return type(self)(self.numbers[index]) if isinstance(index, slice) else bsn_text(self.numbers[index])

    def __iter__(self) -> Iterator[str]:
        return map(bsn_text, self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __eq__(self, other: object) -> bool:
        return self.numbers == other.numbers if isinstance(other, BsnList) else NotImplemented

    def __repr__(self) -> str:
        return f"<BsnList of {len(self)}>"


def _without_repeats(ordered: Sequence[int]) -> Iterator[int]:
    last = -1
    for number in ordered:
        if number != last:
            last = number
            yield number
