"""The command line. It knows the commands by name, and imports one when it is called: `--help` must not wait for a server or a parser.

It also decides how a command ends: what went wrong becomes a message and an exit code here, and nowhere else.
"""

import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from conformance import __version__
from conformance.commands.terminal import WIDTH, drop_output, paragraph, say, verbatim
from conformance.masking import mask
from conformance.parent import Terminated
from conformance.verdicts import ExitCode

_NAME: Final = "berichtenbox"
_SIGNALLED: Final = 128  # what a shell adds to the number of the signal that ended a command
_INTERRUPTED: Final = _SIGNALLED + signal.SIGINT
_TERMINATED: Final = _SIGNALLED + signal.SIGTERM
_NOBODY_READS: Final = _SIGNALLED + signal.SIGPIPE
_COMMANDS: Final = {
    "certify": "Grade an Afnemer, and write a report with evidence.",
    "verify": "Grade a Berichtenbox, and write a report with evidence.",
    "serve": "Run the simulated Berichtenbox until it is stopped.",
    "check": "Grade message files with the rules.",
    "init": "Write a commented profile.",
    "specs": "Show the catalogue of requirements.",
    "load": "Put a party under the load of a norm, and grade it.",
    "sno": "Grade supplied data against the SNO.",
    "selftest": "Prove that every case can fail.",
    "evidence": "Check the evidence of a run.",
    "contracts": "Hold your own contracts against the kit.",
    "cpa": "Make or check a CPA of a test connection.",
    "pki": "Make test certificates.",
    "coverage": "Write which requirement is decided where.",
}
# The exit code of errors that do not carry one themselves. By name, so that nothing is imported to find out.
_EXIT_CODES: Final = {
    "conformance.afnemer.driver.DriverError": ExitCode.UNREACHABLE,
    "conformance.berichtenbox.app.ServerError": ExitCode.USAGE,
    "conformance.berichtenbox.ledger.LedgerError": ExitCode.USAGE,
    "conformance.catalogue.UnknownRequirement": ExitCode.USAGE,
    "conformance.speccompare.SchemaPackageError": ExitCode.USAGE,
    "conformance.selftest.UnknownDefectError": ExitCode.USAGE,
}
_REPORT_US: Final = (
    "This is an error of the kit ({name} {version}), not of the Afnemer. Please report it: send its makers the lines above, and the command."
)


class LazyGroup(click.Group):
    """A group that imports a command when it is called; its help knows their sentences by heart."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names, in the order in which people meet them."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"conformance.commands.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of these arguments; an unknown one is told which names look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"terminal_width": WIDTH, "max_content_width": WIDTH, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=_NAME, message="%(prog)s %(version)s")
def cli() -> None:
    """Prove that a connection with the MijnOverheid Berichtenbox behaves.

    Without a profile, `berichtenbox certify` grades the embedded reference
    Afnemer against the embedded Berichtenbox: no account, no network.

    Exit codes: 0 conformant, 1 not conformant, 2 wrong usage or profile,
    3 the party could not be reached, 4 incomplete, 70 an error of the kit.
    """


def main() -> NoReturn:
    """Run the command line of this process, and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; nothing is raised."""
    for stream in (sys.stdout, sys.stderr):
        _take_any_character(stream)
    try:
        return _invoked(list(arguments))
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        say(paragraph(_usage_text(error)), err=True)
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort) as error:
        say("Interrupted: nothing is graded.", err=True)
        return _TERMINATED if isinstance(error, Terminated) else _INTERRUPTED
    except BrokenPipeError:
        drop_output()
        return _NOBODY_READS
    except Exception as error:  # noqa: BLE001  # whatever it is, its user gets a message and an exit code
        return _ended_by(error)


def _take_any_character(stream: Any) -> None:
    """Let a terminal without UTF-8 show escapes, rather than end the run."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _invoked(arguments: list[str]) -> int:
    try:
        with cli.make_context(_NAME, arguments) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as ended:
        return ended.exit_code


def _usage_text(error: click.ClickException) -> str:
    """Return the message with the command that it is about, and where help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else _NAME
    text = error.format_message()
    hint = "" if "\n  Hint: " in text else f"\n  Hint: `{path} --help` shows what it takes."
    return f"{path}: {text}{hint}"


def _ended_by(error: Exception) -> int:
    """Say what ended the command: a mistake of its user in a paragraph, one of ours with all that helps to repair it."""
    code = exit_code_of(error)
    if code is not ExitCode.KIT_ERROR:
        say(paragraph(mask(str(error))), err=True)
        return code
    say(verbatim(mask("".join(traceback.format_exception(error)))), err=True)
    say(paragraph(_REPORT_US.format(name=_NAME, version=__version__)), err=True)
    return code


def exit_code_of(error: Exception) -> ExitCode:
    """Return the exit code that belongs to the class of an error; one that nobody foresaw is ours."""
    own = getattr(type(error), "exit_code", None)
    if own is not None:
        return ExitCode(own)
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((_EXIT_CODES[name] for name in names if name in _EXIT_CODES), ExitCode.KIT_ERROR)
