"""A share under a norm: exact fractions decide, and the counts stand beside the percentage.

Small numbers are why: 5 of 6 is not 85 %, and 6 of 7 is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeVar

from conformance.sno.calendar import Month
from conformance.sno.judgement import Judgement, Outcome, met, percentage

_MOST_LINES: Final = 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a total: ``5 of 6 = ≈83,333 %``; raises ``ValueError`` for more than all, or of nothing."""

    good: int
    total: int

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not 0 <= self.good <= self.total or not self.total:
            raise ValueError(f"{self.good} of {self.total} is no share")

    @property
    def value(self) -> Fraction:
        """The exact share of 1."""
        return Fraction(self.good, self.total)

    def __str__(self) -> str:
        return f"{grouped(self.good)} of {grouped(self.total)} = {percentage(self.value)}"


@dataclass(frozen=True, slots=True)
class Period:
    """The months that supplied data are judged over.

    ``is_stated`` says that their owner stated that the data cover them: a month of silence then means that nothing happened. Otherwise nobody
    knows.
    """

    months: tuple[Month, ...]
    is_stated: bool = False

    def silence(self) -> tuple[Outcome, str]:
        """Return what a month without any row comes to, with a sentence."""
        if self.is_stated:
            return Outcome.NOT_APPLICABLE, "no row in this month, which the data are said to cover"
        return Outcome.NO_DATA, "no row in this month, and nobody said that the data cover it (--from, --until)"


def at_least(norm: str, about: str, share: Share, least: Fraction, lines: Sequence[str] = (), notes: Sequence[str] = ()) -> Judgement:
    """Judge a share that must not be lower than the norm."""
    verdict = met(is_met=share.value >= least)
    return Judgement(norm, about, verdict, str(share), share.value * 100, (*lines, _compared(share, "at least", least, verdict)), tuple(notes))


def at_most(norm: str, about: str, share: Share, most: Fraction, lines: Sequence[str] = (), notes: Sequence[str] = ()) -> Judgement:
    """Judge a share that must not be higher than the norm."""
    verdict = met(is_met=share.value <= most)
    return Judgement(norm, about, verdict, str(share), share.value * 100, (*lines, _compared(share, "at most", most, verdict)), tuple(notes))


def _compared(share: Share, relation: str, norm: Fraction, verdict: Outcome) -> str:
    return f"{share}; norm: {relation} {percentage(norm)}: {verdict}"


def grouped(number: int) -> str:
    """Return a count as Dutch readers write it: ``2.500.000``."""
    return f"{number:,}".replace(",", ".")


def counted(number: int, one: str, more: str = "") -> str:
    """Return a count with what it counts: ``1 request``, ``2 requests``."""
    return f"{grouped(number)} {one if number == 1 else more or f'{one}s'}"


def shortened(items: Sequence[_T], told: Callable[[_T], str], what: str) -> tuple[str, ...]:
    """Return a line for each item, and beyond twenty one line that counts the rest."""
    rest = len(items) - _MOST_LINES
    return (*map(told, items[:_MOST_LINES]), *((f"and {grouped(rest)} more {what}",) if rest > 0 else ()))
