"""Finds the data of ``specs/``: in a checkout beside this package, in an installed wheel inside it."""

from functools import cache
from pathlib import Path

_INSTALLED = Path(__file__).parent / "_specs"
_CHECKOUT = Path(__file__).parent.parent / "specs"


@cache
def root() -> Path:
    """Return the directory that holds the specifications."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def path(name: str) -> Path:
    """Return the path of one specification file, such as ``xsd/berichten.xsd``."""
    return root() / name
