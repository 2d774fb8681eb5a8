"""Puts a party under the load of a norm, and tells the outcome."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from conformance.commands.options import HIGHEST_SEED, language, seed
from conformance.commands.terminal import say
from conformance.norms import PROFILES

_EXAMPLES: Final = """\b
Examples:
  berichtenbox load validatie --scale 0.01
  berichtenbox load presentatie --out rapport
  berichtenbox load aanleveren --phase hour --workers 2
  berichtenbox load validatie --target https://box.example --tls pki"""


@click.command("load", epilog=_EXAMPLES)
@click.argument("name", metavar="NAME", type=click.Choice(sorted(PROFILES)))
@click.option(
    "--scale", metavar="S", default="1", show_default=True, help="Volume and window times S, such as 0.01; the rate stays that of the norm."
)
@click.option("--users", type=click.IntRange(1, 100_000), metavar="N", help="Connections; as many as the norm can need without it.")
@click.option("--duration", metavar="D", help="Another window: 90, 90s, 10m or 1h. Shorter is harder; a longer one claims nothing.")
@click.option("--wait", metavar="D", help="How long to wait for what comes back later; the term of the norm without it.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", default=1, show_default=True, help="Processes that send, led by one more.")
@click.option("--target", metavar="URL", help="The party under test; without it one that the kit starts.")
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), metavar="FILE", help="Whose connection is played.")
@click.option("--tls", type=click.Path(path_type=Path), metavar="DIR", help="Two-way TLS, with certificates of `pki new`.")
@click.option("--volume", type=click.IntRange(1, 100_000_000), metavar="N", help="herlevering: the berichten of your busiest day; 2,500,000 without.")
@click.option("--phase", metavar="PHASE", help="aanleveren: burst, hour or day; a norm each.")
@click.option("--face", metavar="FACE", help="adapter or ebms; that of the profile for an Afnemer.")
@seed("Fixes what is sent; drawn and printed without it.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", default=Path("berichtenbox-rapport"), show_default=True, help="Where the report goes."
)
@click.option("--accept-scaled", is_flag=True, help="Exit code 0 when every norm was met, though only at a scale.")
@language("The language of report.html.", "nl")
def command(
    name: str,
    scale: str,
    users: int | None,
    duration: str | None,
    wait: str | None,
    workers: int,
    target: str | None,
    profile_file: Path | None,
    tls: Path | None,
    volume: int | None,
    phase: str | None,
    face: str | None,
    seed: int | None,
    out: Path,
    lang: str,
    *,
    accept_scaled: bool,
) -> int:
    """Send what a norm of the SNO asks, and grade how it is taken.

    validatie, presentatie, abonnementen, aanleveren and notificaties grade a
    Berichtenbox; herlevering, afwijzingen and verwerkingsberichten grade an
    Afnemer. Each norm gets a verdict; a run at a scale never claims one. The
    profiles are Locust's: needs the extra `load`.

    Exit codes: 0 the norms are met, 1 one is missed, 2 wrong usage or
    profile, 3 nobody could be reached, 4 not claimed or undecided, 70 an
    error of the kit.
    """
    from conformance.load import plan as plans
    from conformance.load.durations import scale_of, seconds_of
    from conformance.load.parties import standing
    from conformance.load.running import Told, check_installed, run
    from conformance.load.telling import announcement
    from conformance.parent import terminable
    from conformance.profile import Profile, load
    from conformance.report.files import make_directory

    check_installed()
    kind = plans.profile(name)
    profile = load(profile_file) if profile_file else Profile.default()
    if face is None and profile_file is not None and kind.party == "afnemer":
        face = profile.berichtenbox.face
    drawn = secrets.randbelow(HIGHEST_SEED) if seed is None else seed
    plan = plans.plan(
        name,
        scale=scale_of(scale),
        window_s=seconds_of(duration, "--duration") if duration else None,
        users=users,
        workers=workers,
        target=target or "",
        seed=drawn,
        wait_s=seconds_of(wait, "--wait") if wait else None,
        settings={key: str(value) for key, value in (("volume", volume), ("phase", phase), ("face", face)) if value is not None},
    )
    make_directory(out)  # now, and not after the minutes that a run takes
    say(announcement(plan, target or "a party that the kit starts"))
    certificates = tls or (profile.pki.directory if profile.pki else None)
    with terminable(), standing(kind, plans.Setup(profile, profile_file, drawn, plan.settings, certificates, target or "")) as stand:
        connection = {**stand.connection, plans.AGAIN: _repeating(click.get_current_context().params | {"seed": drawn})}
        return int(run(replace(plan, target=stand.target, connection=connection), Told(out, lang, accept_scaled)))


def _repeating(given: Mapping[str, Any]) -> str:
    """Return the command with all that was given but where the report goes, and the seed."""
    words = ["berichtenbox", "load", given["name"]]
    for parameter in command.params:
        value = given.get(parameter.name or "")
        if not isinstance(parameter, click.Option) or parameter.name in {"out", "lang"} or value in {None, False, parameter.default}:
            continue
        words += [parameter.opts[0]] if parameter.is_flag else [parameter.opts[0], str(value)]
    return shlex.join(words)
