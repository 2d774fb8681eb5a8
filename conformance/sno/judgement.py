"""What a calculator says of one norm: the verdict, the figure, and the sum that leads to it.

It states no norm itself: the id does, and whoever shows a judgement cites the norm by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from conformance.verdicts import ExitCode

_SHOWN_DIGITS = 3


class Outcome(StrEnum):
    """What supplied data come to under a norm."""

    MET = "met"
    MISSED = "missed"
    NOT_APPLICABLE = "not-applicable"  # nothing happened that the norm is about: a month without incidents
    NO_DATA = "no-data"  # the data do not reach this far, so nobody knows


@dataclass(frozen=True, slots=True)
class Judgement:
    """One norm, judged over one thing.

    ``norm`` is its id and ``about`` what was judged (``2026-03 portaal``). ``figure`` is what came out, for people (``99,13 %``), and ``value`` the
    same exactly, in the unit of the norm, where it is a number. ``arithmetic`` is the sum, a line each; ``notes`` are other readings, and what else
    the verdict does not rest on. ``rests_on`` are the ids of other norms that say how the sum is made.
    """

    norm: str
    about: str
    verdict: Outcome
    figure: str = ""
    value: Fraction | int | None = None
    arithmetic: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return ``<SNO-BES-01 2026-03 portaal: missed, 98,9 %>``."""
        return f"<{self.norm} {self.about}: {self.verdict}{self.figure and f', {self.figure}'}>"


def met(*, is_met: bool) -> Outcome:
    """Return the outcome of a comparison."""
    return Outcome.MET if is_met else Outcome.MISSED


def exit_code(judgements: Iterable[Judgement]) -> ExitCode:
    """Return 1 when a norm was missed, 0 when norms were met, and otherwise 2: what has no data, or nothing to judge, is never green."""
    verdicts = {judgement.verdict for judgement in judgements}
    if Outcome.MISSED in verdicts:
        return ExitCode.NOT_CONFORMANT
    return ExitCode.CONFORMANT if Outcome.MET in verdicts and Outcome.NO_DATA not in verdicts else ExitCode.USAGE


def decimal(value: Fraction | int, digits: int = _SHOWN_DIGITS) -> str:
    """Return a number with a decimal comma and at most ``digits`` decimals, without zeros at the end; ``≈`` goes before one that was rounded."""
    scaled = Fraction(value) * 10**digits
    rounded = round(scaled)
    whole, rest = divmod(abs(rounded), 10**digits)
    decimals = f"{rest:0{digits}d}".rstrip("0") if digits else ""
    shown = f"{'-' if rounded < 0 else ''}{whole}{decimals and ','}{decimals}"
    return shown if rounded == scaled else f"≈{shown}"


def percentage(share: Fraction, digits: int = _SHOWN_DIGITS) -> str:
    """Return a share of 1 as a percentage: ``≈83,333 %``. Only for showing: verdicts compare the share itself."""
    return f"{decimal(share * 100, digits)} %"
