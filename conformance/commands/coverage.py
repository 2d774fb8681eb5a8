"""Writes which requirement is decided where, or checks that what was written is fresh."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance import specs
from conformance.commands.terminal import listed, say
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from conformance.coverage_file import Gaps

_FILE: Final = "requirements/COVERAGE.md"
_GAPS: Final = {
    "dangling": "A decider or a defect names what is not in the catalogue:",
    "undecided": "Nothing decides these, and they give no reason for it:",
}


@click.command("coverage")
@click.option("--check", is_flag=True, help="Write nothing; tell whether the file is fresh.")
def command(*, check: bool) -> int:
    """Write specs/requirements/COVERAGE.md in a checkout.

    It says of each requirement what decides it, and which defect proves it.

    Exit codes: 0 fresh and complete, 1 stale or with gaps, 2 no checkout.
    """
    from conformance.coverage_file import gaps, render
    from conformance.deciders import deciders, defects

    path = _path()
    found = gaps(deciders(), defects())
    _tell(found)
    text = render(deciders(), defects())
    is_fresh = _is_fresh(path, text) if check else _write(path, text)
    return ExitCode.CONFORMANT if is_fresh and not found else ExitCode.NOT_CONFORMANT


def _path() -> Path:
    """Return where the file belongs; an installed kit has no place for it."""
    if not (specs.root().parent / "pyproject.toml").is_file():
        text = "this works in a checkout only: an installed kit has no file to write.\n  Hint: run it in a clone, after an editable install."
        raise click.UsageError(text, click.get_current_context())
    return specs.path(_FILE)


def _tell(found: "Gaps") -> None:
    for name, text in _GAPS.items():
        ids: tuple[str, ...] = getattr(found, name)
        if ids:
            say(text, err=True)
            say(listed(ids), err=True)


def _is_fresh(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        say(f"specs/{_FILE} is fresh.")
        return True
    say(f"specs/{_FILE} is stale.\n  Hint: `berichtenbox coverage` writes it again.", err=True)
    return False


def _write(path: Path, text: str) -> bool:
    path.write_text(text, encoding="utf-8", newline="\n")
    say(f"Wrote specs/{_FILE}.")
    return True
