"""Checks the evidence of a run, offline."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from pathlib import Path

import click

from conformance.commands.terminal import say, wrapped
from conformance.verdicts import ExitCode


@click.group("evidence")
def command() -> None:
    """Check the evidence of a run."""


@command.command("verify")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def verify_command(directory: Path) -> int:
    """Compare the files of a run with its manifest, offline.

    DIR is what --out of certify named.

    Exit codes: 0 all is as it was, 1 something differs,
    2 there is no manifest that can be used.
    """
    from conformance.report.evidence import ProblemKind, verify

    problems = verify(directory)
    if not problems:
        say(f"{directory}: every file is as the manifest says.")
        return ExitCode.CONFORMANT
    for problem in problems:
        say(wrapped(f"{problem.kind}  {problem.path}: {problem.message}", "", "  "))
    is_unusable = any(problem.kind is ProblemKind.MANIFEST for problem in problems)
    return ExitCode.USAGE if is_unusable else ExitCode.NOT_CONFORMANT
