"""Tests of the command line as a whole: how fast it starts, and how a command ends."""

import importlib
import resource
import subprocess
import sys

import click
import pytest

from conformance import cli
from conformance.afnemer.driver import TimedOut
from conformance.parent import Terminated
from conformance.report.errors import EvidenceNameError, OutputError
from conformance.verdicts import ExitCode

HEAVY = ("lxml", "pytest", "starlette", "sqlalchemy", "pikepdf", "httpx", "uvicorn", "jinja2", "rich", "stdnum")


@pytest.fixture
def ending(monkeypatch):
    """Replace every command by one that does what it is told."""

    def replace(action):
        @click.command("init")
        def command() -> int:
            return action()

        monkeypatch.setattr("conformance.commands.init.command", command)
        return cli.run(["init"])

    return replace


def raising(error):
    def action():
        raise error

    return action


def test_help_imports_nothing_heavy():
    """
    Help needs no parser, server, database or pytest.
    """
    script = f"import sys\nfrom conformance.cli import run\nrun(['--help'])\nprint([name for name in {HEAVY!r} if name in sys.modules])"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ended.stdout.endswith("\n[]\n")
    assert "certify" in ended.stdout


def test_help_is_there_in_a_blink():
    """
    Help takes 0.3 s of a processor at most, the best of five: what a machine does besides is not ours.
    """
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "from conformance.cli import main; main()", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(took) <= 0.3


def test_version_is_printed(capsys):
    """
    The version is that of the package.
    """
    code = cli.run(["--version"])

    assert (code, capsys.readouterr().out) == (0, f"berichtenbox {cli.__version__}\n")


def test_every_command_is_there():
    """
    What the help lists can be imported, and is called so.
    """
    group = cli.cli
    context = click.Context(group)

    names = [group.get_command(context, name).name for name in group.list_commands(context)]

    assert names == group.list_commands(context)
    assert group.get_command(context, "observe") is None


@pytest.mark.parametrize("name", cli._EXIT_CODES)
def test_errors_with_an_exit_code_exist(name):
    """
    An error that is known by its name is not renamed unnoticed.
    """
    module, _, kind = name.rpartition(".")

    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutputError("rapport: expected a directory.\n  Hint: choose another --out."), 2),
        (TimedOut("no answer within 10 s", hint="look at its log"), 3),
        (click.UsageError("wrong"), 2),
        (click.ClickException("wrong"), 2),
    ],
)
def test_mistake_of_the_user_is_a_paragraph(ending, capsys, error, code):
    """
    A mistake is told without a traceback, with the exit code of its kind.
    """
    ended = ending(raising(error))
    err = capsys.readouterr().err

    assert ended == code
    assert "Traceback" not in err
    assert "Hint: " in err


@pytest.mark.parametrize("error", [ValueError("BSN 999990019 \x1b[31m"), EvidenceNameError("'x': not safe"), KeyError("x")])
def test_crash_of_ours_asks_to_be_reported(ending, capsys, error):
    """
    A crash shows its traceback, without BSNs and control characters, and says how to report it; its exit code is 70.
    """
    ended = ending(raising(error))
    err = capsys.readouterr().err

    assert ended == 70
    assert "Traceback (most recent call last)" in err
    assert "not of the Afnemer. Please report it" in " ".join(err.split())
    assert "999990019" not in err
    assert "\x1b" not in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (click.Abort(), 130), (Terminated(), 143)])
def test_interrupt_is_no_crash(ending, capsys, error, code):
    """
    Ctrl-C ends with exit code 130 and SIGTERM with 143, and without a traceback.
    """
    ended = ending(raising(error))

    assert (ended, capsys.readouterr().err) == (code, "Interrupted: nothing is graded.\n")


def test_command_decides_its_exit_code(ending):
    """
    What a command returns is the exit code; nothing is 0.
    """
    assert ending(lambda: ExitCode.INCOMPLETE) == 4
    assert ending(lambda: None) == 0


def test_stream_without_an_encoding_is_left_alone(ending, monkeypatch):
    """
    A stream that cannot be reconfigured is used as it is.
    """
    monkeypatch.setattr(sys, "stderr", object())

    assert ending(lambda: 0) == 0


def test_reader_that_leaves_early_is_no_crash():
    """
    `berichtenbox --help | true` ends quietly, as a command that got SIGPIPE does.
    """
    script = "import sys\nfrom conformance.cli import run\nsys.stdin.read()\nsys.exit(run(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()

    process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()

    assert (process.wait(30), err) == (141, b"")


def test_output_that_nobody_reads_has_an_exit_code(ending, monkeypatch):
    """
    A reader that has gone is no crash of the kit.
    """
    dropped = []
    monkeypatch.setattr(cli, "drop_output", lambda: dropped.append(True))

    ended = ending(raising(BrokenPipeError()))

    assert (ended, dropped) == (141, [True])


def test_terminal_that_lacks_a_character_gets_its_escape():
    """
    A terminal that cannot show a character gets its escape, and no crash.
    """
    script = "from conformance.cli import run\nfrom conformance.commands.terminal import say\nrun(['--version'])\nsay('\\u2026')"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, env={"PYTHONIOENCODING": "latin-1"}, check=True)

    assert ended.stdout.endswith(b"\\u2026\n")


def test_main_ends_the_process(monkeypatch):
    """
    The console script takes its arguments from the process, and ends it.
    """
    monkeypatch.setattr(sys, "argv", ["berichtenbox", "--version"])

    with pytest.raises(SystemExit, match="0"):
        cli.main()
