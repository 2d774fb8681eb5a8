"""Makes test certificates."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from conformance.commands.terminal import say, wrapped

_LONGEST_TERM: Final = 3650  # days


@click.group("pki")
def command() -> None:
    """Make test certificates."""


@command.command("new")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--oin", metavar="OIN", default="00000099000000001000", show_default=True, help="The OIN of the Afnemer: 20 digits.")
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="A name or address that the good certificates are for, besides localhost.")
@click.option("--days", metavar="N", type=click.IntRange(1, _LONGEST_TERM), default=365, show_default=True, help="How long they are valid.")
@click.option("--force", is_flag=True, help="Replace the certificates that stand there.")
def new_command(directory: Path, oin: str, hosts: tuple[str, ...], days: int, *, force: bool) -> int:
    """Write a hierarchy shaped like PKIoverheid, for tests.

    DIR gets a root, an intermediate, CRLs, a certificate for the Berichtenbox
    and one for the Afnemer, and in bad/ certificates that must be refused.
    DIR/README.txt says what each is for; DIR/index.json says it to programs.

    Exit codes: 0 written, 2 not written.
    """
    from conformance.transport import pki

    _check_oin(oin)
    plan = pki.Plan(oin, datetime.now(UTC), tuple(map(pki.check_host, hosts)), days)
    pki.check_place(directory, force=force)
    pki.write(directory, pki.make(plan))
    bad = sum(bool(entry.reason) for entry in pki.ENTRIES)
    say(wrapped(f"Wrote {directory}: certificates for {plan.oin} and {plan.logius_oin}, and {bad} that must be refused.", "", "  "))
    say(wrapped(f"They are valid for {', '.join(plan.all_hosts)}, until {plan.not_after:%Y-%m-%d}.", "", "  "))
    say(wrapped(f"Start with {directory / pki.README}.", "", "  "))
    return 0


def _check_oin(oin: str) -> None:
    from conformance.messages.identities import is_oin
    from conformance.transport.pki import WRONG_OIN

    hint = "copy it from the Subject.serialNumber of your PKIoverheid certificate"
    if not is_oin(oin):
        raise click.UsageError(f"--oin {oin!r}: an OIN has 20 digits.\n  Hint: {hint}.", click.get_current_context())
    if oin == WRONG_OIN:
        text = f"--oin {oin}: this is the OIN of the certificate that must be refused.\n  Hint: choose another."
        raise click.UsageError(text, click.get_current_context())
