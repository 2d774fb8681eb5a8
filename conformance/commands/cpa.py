"""Makes a CPA for a test connection, and checks CPAs against profile osb-rm and the Berichtenbox.

The rules stand here, beside the command that prints them; reading and making are in the transport.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from conformance.berichtenbox.register import DEFAULT_OIN, default_cpa_id
from conformance.commands.terminal import labelled, say, wrapped
from conformance.masking import mask
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS
from conformance.messages.identities import LOGIUS_TEST_OIN, is_oin
from conformance.messages.moments import read_moment
from conformance.rules.findings import quoted
from conformance.transport.cpa import (
    LIMITS,
    CpaFinding,
    CpaRefused,
    Terms,
    new_cpa,
    read_cpa,
)
from conformance.transport.cpa_check import check
from conformance.transport.pki import Pki, load
from conformance.transport.tls import first_certificate
from conformance.verdicts import ExitCode

_ONE_YEAR: Final = timedelta(days=365)
_STDIN: Final = "-"


@click.group("cpa")
def command() -> None:
    """Make or check a CPA of a test connection."""


@command.command("new")
@click.option("--oin", metavar="OIN", default=DEFAULT_OIN, show_default=True, help="The OIN of the Afnemer.")
@click.option("--logius-oin", metavar="OIN", default=LOGIUS_TEST_OIN, show_default=True, help="The OIN of Logius' side.")
@click.option("--cpa-id", metavar="ID", help="The id of the CPA; without, that of the test connection of the OIN.")
@click.option(
    "--endpoint-afnemer", metavar="URL", default="https://localhost:8443/ebms", show_default=True, help="Where the gateway of the Afnemer listens."
)
@click.option("--endpoint-logius", metavar="URL", default="https://localhost:8800/ebms", show_default=True, help="Where the Berichtenbox listens.")
@click.option("--start", metavar="MOMENT", help="From when it may be used, as 2026-11-24T00:00:00Z; without, from today.")
@click.option("--end", metavar="MOMENT", help="Until when; without, 365 days from its start.")
@click.option("--retries", metavar="N", type=click.IntRange(1, 1000), default=8, show_default=True, help="How often a message is repeated.")
@click.option("--retry-interval", metavar="S", type=click.IntRange(1, 864_000), default=10_800, show_default=True, help="Seconds between two copies.")
@click.option(
    "--persist", metavar="S", type=click.IntRange(1, 864_000_000), help="Seconds that messages are kept; without, a day longer than they live."
)
@click.option(
    "--sync-reply",
    type=click.Choice(["none", "mshSignalsOnly"]),
    default="none",
    show_default=True,
    help="Where signals go: to the gateway of the other side, or in the HTTP answer.",
)
@click.option("--pki", type=click.Path(path_type=Path), metavar="DIR", help="Certificates of `berichtenbox pki new`, to stand in it.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where it goes; without, to stdout.")
@click.option("--force", is_flag=True, help="Replace a file that stands there.")
def new_command(
    oin: str,
    logius_oin: str,
    cpa_id: str | None,
    endpoint_afnemer: str,
    endpoint_logius: str,
    start: str | None,
    end: str | None,
    retries: int,
    retry_interval: int,
    persist: int | None,
    sync_reply: str,
    pki: Path | None,
    out: Path | None,
    *,
    force: bool,
) -> int:
    """Write a CPA of profile osb-rm for the services of the Berichtenbox.

    Load it on both sides of a test connection. A real CPA comes from Logius.

    Exit codes: 0 written, 2 the options would make a CPA that cannot be used.
    """
    now = datetime.now(UTC)
    begins = _moment("--start", start) if start else now.replace(hour=0, minute=0, second=0, microsecond=0)
    interval = timedelta(seconds=retry_interval)
    terms = Terms(
        cpa_id=default_cpa_id(oin) if cpa_id is None else cpa_id,
        oins={ROLE_AFNEMER: _checked_oin("--oin", oin), ROLE_LOGIUS: _checked_oin("--logius-oin", logius_oin)},
        endpoints={ROLE_AFNEMER: endpoint_afnemer, ROLE_LOGIUS: endpoint_logius},
        start=begins,
        end=_moment("--end", end) if end else begins + _ONE_YEAR,
        retries=retries,
        retry_interval=interval,
        persist=(1 + retries) * interval + timedelta(days=1) if persist is None else timedelta(seconds=persist),
        certificates=_certificates(load(pki)) if pki else {},
        sync_reply=sync_reply,
    )
    data = _made(terms)
    found = check(read_cpa(data), max(now, terms.start))
    if serious := [finding for finding in found if not finding.is_warning]:
        first = serious[0]
        text = f"{first.where}: expected {first.expected}, got {first.got}.\n  Hint: {first.hint}."
        raise click.UsageError(text, click.get_current_context())
    for finding in found:
        say(wrapped(f"warning: {finding.where}: expected {finding.expected}, got {finding.got}; {finding.hint}.", "", "  "), err=True)
    if out is None:
        say(data.decode().rstrip())
    else:
        _write(out, data, force=force)
        say(f"Wrote {out}. Load it on both sides; `berichtenbox cpa check {out}` checks it.")
    return 0


def _certificates(pki: Pki) -> dict[str, bytes]:
    names = {ROLE_AFNEMER: "client", ROLE_LOGIUS: "server"}
    return {role: first_certificate(pki.files_of(name).certificate.read_bytes()) for role, name in names.items()}


def _usage(text: str, hint: str) -> click.UsageError:
    return click.UsageError(f"{text}.\n  Hint: {hint}.", click.get_current_context())


def _checked_oin(option: str, oin: str) -> str:
    if not is_oin(oin):
        raise _usage(f"{option} {oin!r}: an OIN has 20 digits", "00000099 begins the OINs for tests")
    return oin


def _moment(option: str, text: str) -> datetime:
    moment = read_moment(text)
    if moment is None:
        raise _usage(f"{option} {text!r}: expected a moment such as 2026-11-24T00:00:00Z", "write date, T, time and Z")
    return moment.at


def _made(terms: Terms) -> bytes:
    try:
        return new_cpa(terms)
    except ValueError:  # a control character, which XML has no place for
        raise _usage("an option holds a character that XML cannot", "write the id and the endpoints in plain characters") from None


def _write(out: Path, data: bytes, *, force: bool) -> None:
    try:
        with out.open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise _usage(f"{out}: there is a file already", "choose another --out, or replace it with --force") from None
    except OSError as error:
        raise _usage(f"{out}: cannot be written: {error.strerror}", "choose another --out") from None


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check_command(files: tuple[str, ...]) -> int:
    """Check CPAs against profile osb-rm and the Berichtenbox.

    `-` is stdin. Each problem is told with where it is, what was expected,
    what stands there, and what to do next.

    Exit codes: 0 nothing but warnings, 1 a CPA has a problem,
    2 a file cannot be read as a CPA.
    """
    return max([_check_file(name) for name in files])


def _check_file(name: str) -> ExitCode:
    shown = mask("stdin" if name == _STDIN else name)
    try:
        cpa = read_cpa(_read(name))
    except OSError as error:
        say(wrapped(f"{shown}: cannot be read: {error.strerror}.", "", "  "))
        say(wrapped("Hint: give the path of a file.", "  ", "    "))
        return ExitCode.USAGE
    except CpaRefused as refused:
        say(wrapped(f"{shown}: is not read as a CPA.", "", "  "))
        _tell(refused.finding)
        return ExitCode.USAGE
    found = check(cpa, datetime.now(UTC))
    errors = sum(not finding.is_warning for finding in found)
    say(
        wrapped(
            f"{shown}: CPA {quoted(cpa.cpa_id) or 'without an id'}: {_counted(errors, 'problem')}, {_counted(len(found) - errors, 'warning')}.",
            "",
            "  ",
        )
    )
    for finding in found:
        _tell(finding)
    return ExitCode.NOT_CONFORMANT if errors else ExitCode.CONFORMANT


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _read(name: str) -> bytes:
    if name == _STDIN:
        return sys.stdin.buffer.read(LIMITS.size + 1)
    with Path(name).open("rb") as file:
        return file.read(LIMITS.size + 1)


def _tell(finding: CpaFinding) -> None:
    say(f"  {finding.what}{'  (warning)' if finding.is_warning else ''}")
    for label, text in (("where", finding.where), ("expected", finding.expected), ("got", finding.got), ("next", finding.hint)):
        say(labelled(label, text))
