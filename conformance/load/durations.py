"""Durations and scales as people write them on a command line: 90, 90s, 10m, 1h; 0.01, 1/100."""

import re
from fractions import Fraction
from typing import Final

from conformance.load.plan import LoadError

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN: Final = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)([smhd]?)")


def seconds_of(text: str, option: str) -> float:
    """Return the seconds of a duration above 0; raises :class:`LoadError`, which names the option."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise LoadError(f"{option} {text[:20]}: expected a number of seconds, or with s, m, h or d behind it.\n  Hint: such as 90s, 10m or 1h.")
    return float(found[1]) * _UNITS[found[2]]


def written(seconds: float) -> str:
    """Return a duration as people write it, in the largest unit of which it has a whole number: ``36 s``, ``10 min``, ``24 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and not seconds % size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:.4g} s"


def scale_of(text: str) -> Fraction:
    """Return a scale that somebody wrote, exactly; raises :class:`LoadError`."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise LoadError(f"--scale {text[:20]}: expected a number above 0 and at most 1.\n  Hint: such as 0.01 or 1/100.") from None
