"""Grades a Berichtenbox, and tells the outcome."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import secrets
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from conformance.commands.options import HIGHEST_SEED, language, one_or_more, seed, separated
from conformance.commands.terminal import say

_REACTION_S: Final = 2.0
"""How long a Berichtenbox may take without a profile: then it is a simulated one, and not far away."""
_EXAMPLES: Final = """\b
Examples:
  berichtenbox verify http://127.0.0.1:8800
  berichtenbox verify https://127.0.0.1:8800 --tls pki --out rapport
  berichtenbox verify https://box.example --cpa cpa.xml --tls pki"""


@click.command("verify", cls=one_or_more("--only"), epilog=_EXAMPLES)
@click.argument("url")
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), metavar="FILE", help="Which Afnemer is played; else that of the CPA.")
@click.option("--cpa", "cpa_file", type=click.Path(path_type=Path), metavar="FILE", help="Their CPA; a simulated Berichtenbox tells it itself.")
@click.option("--tls", type=click.Path(path_type=Path), metavar="DIR", help="Two-way TLS, with certificates of `pki new`.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("berichtenbox-rapport"),
    show_default=True,
    help="Where the report and its evidence go.",
)
@click.option("--only", multiple=True, metavar="ID...", help="Grade these requirements only; more of them after each other, or with commas.")
@click.option(
    "--depth",
    type=click.Choice(["quick", "default", "deep"]),
    default="default",
    show_default=True,
    help="How many messages are generated: hundreds, a thousand, or more than 5,000.",
)
@seed("Repeats a run; drawn and printed without it.")
@language("The language of report.html.", "nl")
def command(
    url: str,
    profile_file: Path | None,
    cpa_file: Path | None,
    tls: Path | None,
    out: Path,
    only: tuple[str, ...],
    depth: str,
    seed: int | None,
    lang: str,
) -> int:
    """Grade the Berichtenbox at URL, and write a report with evidence.

    The kit plays an Afnemer: it sends batches and questions, right and
    wrong, with reserved test BSNs and numbers that are nobody's only, and
    listens where the CPA says that the Afnemer receives. It asks for who
    takes letters, which a Berichtenbox may put off until 23:00. Never give
    the URL of a Berichtenbox in production.

    Exit codes: 0 conformant, 1 not conformant, 2 wrong usage or profile,
    3 nobody could be reached, 4 incomplete, 70 an error of the kit.
    """
    from conformance.catalogue import catalogue
    from conformance.certification import CertifyOptions
    from conformance.commands.outcome import outcome
    from conformance.profile import Profile, Timing, load
    from conformance.progress import progress_for
    from conformance.report.files import make_directory
    from conformance.report.json_report import document
    from conformance.verification import target_of, verify

    selected = tuple(requirement.id for requirement in catalogue().select(separated(only, "--only")))
    profile = load(profile_file) if profile_file else replace(Profile.default("ebms"), timing=Timing(_REACTION_S))
    drawn = secrets.randbelow(HIGHEST_SEED) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="berichtenbox-") as directory:
        target = target_of(url, profile, cpa_file, tls, Path(directory))
        make_directory(out)  # now, and not after the minutes that the cases take
        say(f"Grading the Berichtenbox at {target.url} under CPA {target.cpa.cpa_id}, seed {drawn}.")
        verification = verify(target, CertifyOptions(out, selected, drawn, lang=lang, depth=depth), progress_for(sys.stderr))
    base = _repeating(url, {"--profile": profile_file, "--cpa": cpa_file, "--tls": tls}, depth, drawn)
    again = " ".join([base, *(["--only", *selected] if selected else [])])
    say(outcome(document(verification.report, catalogue()), out, f"{base} --only", again))
    say(f"Exit code: {int(verification.exit_code)}")
    return int(verification.exit_code)


def _repeating(url: str, files: dict[str, Path | None], depth: str, seed: int) -> str:
    given = [f"{option} {shlex.quote(str(file))}" for option, file in files.items() if file is not None]
    deeper = [] if depth == "default" else [f"--depth {depth}"]
    return " ".join(["berichtenbox verify", shlex.quote(url), *given, *deeper, f"--seed {seed}"])
