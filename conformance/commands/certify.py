"""Grades an Afnemer, and tells the outcome."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import secrets
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.options import HIGHEST_SEED, language, one_or_more, seed, separated
from conformance.commands.terminal import say

if TYPE_CHECKING:
    from conformance.profile import Profile
    from conformance.progress import Progress


_EXAMPLES: Final = """\b
Examples:
  berichtenbox certify
  berichtenbox certify --profile afnemer.toml --out rapport
  berichtenbox certify --profile afnemer.toml --only AANL-035 AANL-036"""


@click.command("certify", cls=one_or_more("--only"), epilog=_EXAMPLES)
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), metavar="FILE", help="Which Afnemer; without it the reference Afnemer.")
@click.option("--face", type=click.Choice(["adapter", "ebms"]), help="The face of the Berichtenbox.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("berichtenbox-rapport"),
    show_default=True,
    help="Where the report and its evidence go.",
)
@click.option("--only", multiple=True, metavar="ID...", help="Grade these requirements only; more of them after each other, or with commas.")
@seed("Repeats a run. It is drawn and printed with a profile, and 0 without one.")
@click.option("--locked", is_flag=True, help="Certify: everything, without known failures.")
@click.option("--quick", is_flag=True, help="Leave out the cases that move a million BSNs or more than 100 MB.")
@language("The language of report.html.", "nl")
def command(
    profile_file: Path | None, face: str | None, out: Path, only: tuple[str, ...], seed: int | None, lang: str, *, locked: bool, quick: bool
) -> int:
    """Grade an Afnemer, and write a report with evidence.

    Every applicable requirement gets a verdict, and each verdict its proof:
    DIR gets report.html, report.json, junit.xml and evidence/.

    Exit codes: 0 conformant, 1 not conformant, 2 wrong usage or profile,
    3 the party could not be reached, 4 incomplete, 70 an error of the kit.
    """
    from conformance.catalogue import catalogue
    from conformance.certification import CertifyOptions, certify
    from conformance.commands.outcome import outcome
    from conformance.profile import Profile, load
    from conformance.report.files import make_directory
    from conformance.report.json_report import document

    selected = tuple(requirement.id for requirement in catalogue().select(separated(only, "--only")))
    profile = on_face(load(profile_file), face) if profile_file else Profile.default(face or "adapter")
    _check_locked(profile, selected, is_locked=locked, is_quick=quick)
    drawn = (secrets.randbelow(HIGHEST_SEED) if profile_file else 0) if seed is None else seed
    make_directory(out)  # now, and not after the minutes that the cases take
    say(f"Grading {profile.afnemer.name} ({profile.afnemer.oin}), seed {drawn}.")
    certification = certify(profile, CertifyOptions(out, selected, drawn, locked, lang, not quick), _progress(profile))
    base = _repeating(profile_file, drawn, face)
    flags = [flag for flag, is_given in (("--locked", locked), ("--quick", quick)) if is_given]
    chosen = ["--only", *selected] if selected else []
    again = " ".join([base, *flags, *chosen])
    say(outcome(document(certification.report, catalogue()), out, f"{base} --only", again))
    say(f"Exit code: {int(certification.exit_code)}")
    return int(certification.exit_code)


def on_face(profile: "Profile", face: str | None) -> "Profile":
    """Return the profile on the face that was asked for; raises ``UsageError`` when it does not say where its gateway is."""
    if face is None or face == profile.berichtenbox.face:
        return profile
    if face == "ebms" and not profile.gateway():
        text = "--face ebms: the profile does not say where the gateway of this Afnemer receives."
        hint = 'write gateway = "https://..." below [afnemer], or cpa = "cpa.xml" below [berichtenbox]'
        raise click.UsageError(f"{text}\n  Hint: {hint}.", click.get_current_context())
    return replace(profile, berichtenbox=replace(profile.berichtenbox, face=face))


def _check_locked(profile: "Profile", selected: tuple[str, ...], *, is_locked: bool, is_quick: bool) -> None:
    """Refuse a certification that leaves room for anything, before anything is sent."""
    reasons = {"--only": bool(selected), "--quick": is_quick, "[[known_failures]] in the profile": bool(profile.known_failures)}
    wrong = [name for name, is_given in reasons.items() if is_given]
    if is_locked and wrong:
        text = f"--locked certifies everything, and does not go with {' and '.join(wrong)}.\n  Hint: leave one of the two out."
        raise click.UsageError(text, click.get_current_context())


def _progress(profile: "Profile") -> "Progress":
    from conformance.progress import PlainProgress, progress_for

    # A bar would be drawn over the questions to the person at the terminal.
    return PlainProgress(sys.stderr) if profile.driver.kind == "manual" else progress_for(sys.stderr)


def _repeating(profile_file: Path | None, seed: int, face: str | None) -> str:
    given = f" --profile {shlex.quote(str(profile_file))}" if profile_file else ""
    on = f" --face {face}" if face else ""
    return f"berichtenbox certify{given}{on} --seed {seed}"
