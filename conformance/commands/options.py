"""Options that several commands share."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_LANGUAGES: Final = ("nl", "en")
HIGHEST_SEED: Final = 2**31 - 1


def language(text: str, default: str) -> Decorator:
    """Return the option ``--lang``; ``text`` says of what."""
    return click.option("--lang", type=click.Choice(_LANGUAGES), default=default, show_default=True, help=text)


def seed(text: str) -> Decorator:
    """Return the option ``--seed``; ``text`` says what it is when nobody gives one."""
    return click.option("--seed", type=click.IntRange(0, HIGHEST_SEED), metavar="N", help=text)


def one_or_more(option: str) -> type[click.Command]:
    """Return a command class in which ``option`` takes all values that follow it: ``--only A B`` is ``--only A --only B``."""

    class Command(click.Command):
        def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
            return super().parse_args(ctx, _spread(args, option))

    return Command


def _spread(arguments: Sequence[str], option: str) -> list[str]:
    spread: list[str] = []
    values = 0
    is_inside = False
    for argument in arguments:
        if argument.startswith("-"):
            is_inside, values = argument == option, 0
        elif is_inside:
            values += 1
            if values > 1:
                spread.append(option)
        spread.append(argument)
    return spread


def separated(values: Iterable[str], option: str) -> tuple[str, ...]:
    """Return the values of an option that takes commas as well, each once; raises ``UsageError`` when it was given and names nothing."""
    given = list(values)
    found = tuple(dict.fromkeys(part.strip() for value in given for part in value.split(",") if part.strip()))
    if given and not found:
        raise click.UsageError(f"{option} names nothing, and an empty selection proves nothing.", click.get_current_context())
    return found


def nearest(unknown: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint that names the known words that look like an unknown one, or else another hint."""
    near = difflib.get_close_matches(unknown, list(known), n=3)
    return f"did you mean {', '.join(near)}?" if near else otherwise
