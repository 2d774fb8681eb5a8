"""How much a run generates for an Afnemer, and with which seed."""

from dataclasses import dataclass
from typing import Final

_QUICK: Final = 12
_DEFAULT: Final = 40


@dataclass(frozen=True, slots=True)
class Drawing:
    """The seed of a run, and how many examples a hunt draws; others draw a part of that."""

    seed: int
    examples: int = _DEFAULT

    @classmethod
    def of(cls, seed: int, *, is_quick: bool) -> "Drawing":
        """Return what a run generates that is quick or not."""
        return cls(seed, _QUICK if is_quick else _DEFAULT)
