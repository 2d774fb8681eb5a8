"""Tests of what is written to the terminal."""

import subprocess
import sys
from types import SimpleNamespace

import click
import pytest

from conformance.commands.terminal import labelled, paragraph, plain, say, verbatim, wrapped


def test_control_characters_are_shown_as_escapes():
    """
    Nothing that a stranger wrote can move the cursor, change colours or reverse the text.
    """
    text = plain("red \x1b[31m, \u202eback\x07")

    assert text == "red \\x1b[31m, \\u202eback\\x07"
    assert verbatim("a\n\x1b\tb") == "a\n\\x1b\\tb"


def test_text_is_wrapped_and_long_words_stay_whole():
    """
    Lines have 80 columns at most, but for a word that somebody must copy.
    """
    path = "/" + "x" * 100

    text = wrapped(f"{'word ' * 30}{path}", "  ", "    ")

    assert max(len(line) for line in text.splitlines() if path not in line) <= 80
    assert f"    {path}" in text.splitlines()


def test_empty_text_leaves_its_label():
    """
    A label stands there also when there is nothing to say beside it.
    """
    assert labelled("seen", "") == "    seen"


def test_paragraph_keeps_its_hint_apart():
    """
    The hint of an error stays on a line of its own.
    """
    text = paragraph("f.toml:1: wrong.\n\n  Hint: " + "do this " * 12)

    assert text.splitlines()[0] == "f.toml:1: wrong."
    assert text.splitlines()[1].startswith("  Hint: do this")
    assert text.splitlines()[2].startswith("    ")


@pytest.mark.parametrize(("value", "expected"), [("1", "text"), ("", "\x1b[31mtext\x1b[0m")])
def test_no_color_is_respected(monkeypatch, capsys, value, expected):
    """
    NO_COLOR takes colours away, also where a terminal would show them.
    """
    monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda _stream, color: color is False)

    say(click.style("text", fg="red"))

    assert capsys.readouterr().out == f"{expected}\n"


def test_reader_that_leaves_changes_no_exit_code():
    """
    A command whose reader has gone ends with its own exit code, and without a traceback.
    """
    script = "import sys\nfrom conformance.commands.terminal import say\nsys.stdin.read()\nsay('a')\nsay('b')\nsys.exit(4)"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()

    _out, err = process.stdin.close(), process.stderr.read()
    process.stderr.close()

    assert process.wait(30) == 4
    assert err == b""


def test_output_that_nobody_reads_is_dropped(monkeypatch):
    """
    A line that nobody reads is no error, and what follows goes nowhere.
    """
    dropped = []
    monkeypatch.setattr("click.echo", lambda *_arguments, **_options: (_ for _ in ()).throw(BrokenPipeError))
    monkeypatch.setattr("os.dup2", lambda _nowhere, stream: dropped.append(stream))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(fileno=lambda: 1))

    say("text")

    assert dropped == [1]
