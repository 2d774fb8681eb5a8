"""Holds an organisation's own result handler, and its own consumer pacts, against the kit."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: its help must be quick

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from conformance.commands.terminal import labelled, say, wrapped
from conformance.verdicts import ExitCode

if TYPE_CHECKING:
    from conformance.contracts.handler import Handled
    from conformance.contracts.provider import Outcome, Verified

_MOST_MISMATCHES: Final = 5


@click.group("contracts")
def command() -> None:
    """Hold your own contracts against the kit."""


@command.command("verify")
@click.option("--handler", required=True, metavar="URL|COMMAND", help="What handles a message from the Berichtenbox in your system.")
@click.option("--pacts", type=click.Path(path_type=Path), metavar="DIR", help="Other pacts than the published ones.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10, show_default=True, metavar="S", help="Seconds that a message may take.")
def verify_command(handler: str, pacts: Path | None, timeout: float) -> int:
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

    handled = verify_handler(result_messages(pacts), handler_of(handler, timeout))
    for item in handled:
        _say_handled(item)
    wrong = sum(not item.is_right for item in handled)
    say(f"\n{len(handled)} messages, {wrong} handled otherwise than the pact says.")
    return ExitCode.NOT_CONFORMANT if wrong else ExitCode.CONFORMANT


def _say_handled(item: "Handled") -> None:
    say(wrapped(item.message.description, "passed  " if item.is_right else "FAILED  ", " " * 8))
    if not item.is_right:
        say(labelled("expected", "refused: 4xx, 5xx or an exit code" if item.message.is_refused else "taken: 2xx or exit code 0"))
        say(labelled("seen", item.answer.told))


@command.command("provider")
@click.option("--pacts", type=click.Path(path_type=Path), metavar="DIR", help="The pacts that your consumer tests wrote.")
@click.option("--broker", metavar="URL", help="The Pact broker that has them.")
@click.option("--provider", default="berichtenbox", show_default=True, metavar="NAME", help="What your pacts call the Berichtenbox.")
def provider_command(pacts: Path | None, broker: str | None, provider: str) -> int:
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

    outcome = verify_directory(pacts, provider) if pacts is not None else verify_broker(str(broker), provider)
    return _told(outcome)


def _told(outcome: "Outcome") -> int:
    for item in outcome.interactions:
        _say_verified(item)
    say(f"\n{len(outcome.interactions)} interactions, {len(outcome.failed)} not satisfied.")
    return ExitCode.NOT_CONFORMANT if outcome.failed else ExitCode.CONFORMANT


def _say_verified(item: "Verified") -> None:
    say(wrapped(f"{item.consumer}: {item.description}".removeprefix(": "), "FAILED  " if item.mismatches else "passed  ", " " * 8))
    for text in item.mismatches[:_MOST_MISMATCHES]:
        say(labelled("seen", text))
