"""Writes to the terminal: 80 columns, colour only where somebody sees it, and nothing of a stranger's text that a terminal would obey."""

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

import click

WIDTH: Final = 80
_GUTTER: Final = 12  # columns of a label


def say(text: str = "", *, err: bool = False) -> None:
    """Write a line; NO_COLOR is respected. A reader that has gone changes nothing: the exit code still tells the outcome."""
    try:
        click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Send what is still written to stdout nowhere: nobody reads it, and Python would fail on it when it ends."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device, no path
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def plain(text: str) -> str:
    """Return text on one line, with every character that a terminal might obey written as an escape."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in " ".join(text.split()))


def verbatim(text: str) -> str:
    """Return text as it is, but for the characters that a terminal might obey."""
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def wrapped(text: str, indent: str = "", then: str | None = None) -> str:
    """Return text in lines of at most 80 columns; words that are longer stay whole, so that they can be copied."""
    rest = indent if then is None else then
    filled = textwrap.fill(plain(text), WIDTH, initial_indent=indent, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
    return filled or indent.rstrip()


def labelled(label: str, text: str, indent: str = "    ") -> str:
    """Return a label in a column of its own, and text beside it."""
    margin = f"{indent}{label:{_GUTTER}}"
    return wrapped(text, margin, " " * len(margin))


def paragraph(text: str) -> str:
    """Return an error message: each of its lines wrapped, and a hint kept below what it belongs to."""
    lines = (line for line in text.splitlines() if line.strip())
    return "\n".join(wrapped(line, _margin(line), _margin(line) + "  ") for line in lines)


def _margin(line: str) -> str:
    return "  " if line.startswith("  ") else ""


def listed(ids: Sequence[str], indent: str = "    ") -> str:
    """Return ids, with commas between them."""
    return wrapped(", ".join(ids), indent)
