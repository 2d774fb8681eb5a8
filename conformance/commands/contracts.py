"""Holds an organisation's own result handler, and its own consumer pacts, against the kit."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.terminal import labelled, say, wrapped
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.contracts.handler import Handled
    from conformance.contracts.provider import Outcome, Verified

_MOST_MISMATCHES: Final = 5
_REFUSED, _TAKEN = "refused: 4xx, 5xx or an exit code", "taken: 2xx or exit code 0"
_HINTS: Final = {
    _REFUSED: "who takes what cannot be read loses it: answer with an error, so that it is offered again",
    _TAKEN: "it is a message as the Berichtenbox sends it: what your handler says of it is quoted",
}


_junit = click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the outcome as JUnit XML too.")


@click.group("contracts")
def command() -> None:
    """Hold your own contracts against the kit."""


@command.command("verify")
@click.option("--handler", required=True, metavar="URL|COMMAND", help="What handles a message from the Berichtenbox in your system.")
@click.option("--pacts", type=click.Path(path_type=Path), metavar="DIR", help="Other pacts than the published ones.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10, show_default=True, metavar="S", help="Seconds that a message may take.")
@_junit
def verify_command(handler: str, pacts: Path | None, timeout: float, junit: Path | None) -> int:
    """Offer the published messages to your own handler.

    A URL gets each message as a POST: the payload as it is on the wire, its
    content type, and its metadata as headers. A command gets the payload on
    stdin, and the metadata in its environment (BERICHTENBOX_MESSAGE_ID).
    The handler takes a message with 2xx or exit code 0, and refuses one that
    cannot be read with 4xx, 5xx or another exit code.

    Exit codes: 0 it does what the pacts say, 1 it does not, 2 wrong usage,
    3 the handler could not be reached or started.
    """
    from conformance.contracts.handler import handler_of, verify_handler
    from conformance.contracts.published import result_messages

    _forget(junit)
    handled = verify_handler(result_messages(pacts), handler_of(handler, timeout))
    for item in handled:
        _say_handled(item)
    _write(junit, "contracts.verify", [(item.message.description, "" if item.is_right else _wrong(item)) for item in handled])
    wrong = sum(not item.is_right for item in handled)
    say(f"\n{len(handled)} messages, {wrong} handled otherwise than the pact says.")
    return ExitCode.NOT_CONFORMANT if wrong else ExitCode.CONFORMANT


def _say_handled(item: "Handled") -> None:
    say(wrapped(item.message.description, "passed  " if item.is_right else "FAILED  ", " " * 8))
    if not item.is_right:
        expected = _expected(item)
        say(labelled("expected", expected))
        say(labelled("seen", item.answer.told))
        say(labelled("hint", _HINTS[expected]))


def _expected(item: "Handled") -> str:
    return _REFUSED if item.message.is_refused else _TAKEN


def _wrong(item: "Handled") -> str:
    expected = _expected(item)
    return f"expected {expected}; seen {item.answer.told}\n{_HINTS[expected]}"


def _forget(file: Path | None) -> None:
    """Take away the file of an earlier run: who finds nobody writes none, and an old one would pass for this run."""
    if file is not None:
        with contextlib.suppress(OSError):  # what cannot be removed cannot be written, and then that is told
            file.unlink(missing_ok=True)


def _write(file: Path | None, suite: str, outcomes: "Sequence[tuple[str, str]]") -> None:
    """Write the outcome as JUnit XML, when that is asked."""
    if file is None:
        return
    from conformance.masking import mask
    from conformance.report.junit import render_outcomes

    try:
        file.write_bytes(render_outcomes(suite, [(mask(name), mask(wrong)) for name, wrong in outcomes]))
    except OSError as error:
        raise click.UsageError(
            f"--junit {file}: cannot be written: {error.strerror}.\n  Hint: name a file in a directory that is there.", click.get_current_context()
        ) from None


@command.command("provider")
@click.option("--pacts", type=click.Path(path_type=Path), metavar="DIR", help="The pacts that your consumer tests wrote.")
@click.option("--broker", metavar="URL", help="The Pact broker that has them.")
@click.option("--provider", default="berichtenbox", show_default=True, metavar="NAME", help="What your pacts call the Berichtenbox.")
@_junit
def provider_command(pacts: Path | None, broker: str | None, provider: str, junit: Path | None) -> int:
    """Hold your consumer pacts against the simulated Berichtenbox.

    Its faces are those of `berichtenbox serve`; messages are what waits for
    you. contracts/README.md lists the provider states that a pact may name.
    A broker takes PACT_BROKER_USERNAME and PACT_BROKER_PASSWORD, or
    PACT_BROKER_TOKEN, from the environment.

    Exit codes: 0 every interaction is satisfied, 1 one is not, 2 wrong usage
    or no pact that can be read, 3 the broker could not be reached.
    """
    if (pacts is None) == (broker is None):
        raise click.UsageError("give either --pacts or --broker.", click.get_current_context())
    from conformance.contracts.provider import verify_broker, verify_directory

    _forget(junit)
    outcome = verify_directory(pacts, provider) if pacts is not None else verify_broker(str(broker), provider)
    code = _told(outcome)
    _write(junit, "contracts.provider", [(_named(item), "\n".join(item.mismatches)) for item in outcome.interactions])
    return code


def _told(outcome: "Outcome") -> int:
    for item in outcome.interactions:
        _say_verified(item)
    say(f"\n{len(outcome.interactions)} interactions, {len(outcome.failed)} not satisfied.")
    return ExitCode.NOT_CONFORMANT if outcome.failed else ExitCode.CONFORMANT


def _named(item: "Verified") -> str:
    return f"{item.consumer}: {item.description}".removeprefix(": ")


def _say_verified(item: "Verified") -> None:
    say(wrapped(_named(item), "FAILED  " if item.mismatches else "passed  ", " " * 8))
    for text in item.mismatches[:_MOST_MISMATCHES]:
        say(labelled("seen", text))
