"""Proves that every case can fail."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import os
import sys

import click

from conformance.commands.options import one_or_more, separated
from conformance.commands.terminal import say
from conformance.verdicts import ExitCode


@click.command("selftest", cls=one_or_more("--defect"))
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="How many runs at a time; one a processor without it.")
@click.option("--defect", multiple=True, metavar="NAME...", help="Run these defects only.")
@click.option("--thorough", is_flag=True, help="Play each defect against all cases, not only those on the part of the work that it does wrong.")
def command(jobs: int | None, defect: tuple[str, ...], *, thorough: bool) -> int:
    """Prove that every case can fail, for the right reason.

    Each deliberate defect of an Afnemer must fail its requirements and no
    others. Prints the matrix of requirement by defect.

    Exit codes: 0 proven, 1 not proven, 2 no such defect.
    """
    from conformance.progress import progress_for
    from conformance.selftest import run_selftest

    only = separated(defect, "--defect")
    result = run_selftest(jobs or len(os.sched_getaffinity(0)), only, progress_for(sys.stderr), is_thorough=thorough)
    say(result.render().rstrip("\n"))
    return ExitCode.CONFORMANT if result.is_proven else ExitCode.NOT_CONFORMANT
