"""Tests of the options that commands share."""

import click
import pytest

from conformance.commands.options import nearest, one_or_more, separated


@click.command(cls=one_or_more("--only"))
@click.option("--only", multiple=True)
@click.option("--seed", type=int)
def command(only: tuple[str, ...], seed: int | None) -> tuple[tuple[str, ...], int | None]:
    return only, seed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--only", "A", "B", "--seed", "1"], (("A", "B"), 1)),
        (["--seed", "1", "--only", "A"], (("A",), 1)),
        (["--only", "A", "--only", "B", "C"], (("A", "B", "C"), None)),
        ([], ((), None)),
    ],
)
def test_option_takes_what_follows_it(given, expected):
    """
    Values after the option belong to it, up to the next option.
    """
    found = command.main(given, standalone_mode=False)

    assert found == expected


def test_value_without_an_option_is_refused():
    """
    Only what follows the option itself belongs to it.
    """
    with pytest.raises(click.UsageError, match="unexpected extra argument"):
        command.main(["--seed", "1", "A"], standalone_mode=False)


def test_values_are_separated_once_each():
    """
    Commas and blanks separate, and doubles count once.
    """
    assert separated(["A, B", "A"], "--only") == ("A", "B")
    assert separated([], "--only") == ()


def test_nearest_word_is_named():
    """
    A hint names what looks like the unknown word, or else another way out.
    """
    assert nearest("forgets_lettres", ["forgets_letters"], "x") == "did you mean forgets_letters?"
    assert nearest("zzz", ["forgets_letters"], "see the list.") == "see the list."
