"""An Afnemer behind a shell command: real processes."""

import os
import select
import shlex
import sys

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, Driver, DriverError, Refused, TimedOut, Unreachable, Verb
from conformance.afnemer.drivers import http
from conformance.afnemer.drivers.command import CommandCaller

ECHO = "import sys, json, os; print(json.dumps({'verb': sys.argv[1], 'asked': json.load(sys.stdin), 'url': os.environ.get('BERICHTENBOX_URL')}))"


def python(code):
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def call(line, verb=Verb.BERICHTEN, body=None, subject=None, timeout_s=30.0):
    return CommandCaller({verb: line}, timeout_s).call(verb, body, subject)


@pytest.mark.parametrize(
    ("verb", "body", "subject", "asked"),
    [
        (Verb.GEZONDHEID, None, None, {}),
        (Verb.BERICHTEN, {"berichten": ["\u00e9"]}, None, {"berichten": ["\u00e9"]}),
        (Verb.BERICHT, None, "b-1", {"berichtId": "b-1"}),
        (Verb.ABONNEMENT, None, "v-1", {"verzoekId": "v-1"}),
    ],
)
def test_one_command_gets_the_verb_and_json(verb, body, subject, asked):
    """
    The verb is the last argument, the question is on stdin, and the environment says where the Berichtenbox is.
    """
    caller = CommandCaller(python(ECHO), 30.0, {"BERICHTENBOX_URL": "http://127.0.0.1:8800"})

    answer = caller.call(verb, body, subject)

    assert answer == {"verb": verb, "asked": asked, "url": "http://127.0.0.1:8800"}


def test_command_a_verb():
    """
    A mapping has a command for each verb that is offered.
    """
    caller = CommandCaller({"gezondheid": 'echo \'{"status": "ok"}\''}, 30.0)

    Driver(caller).health()

    with pytest.raises(CannotDo, match="no command for this verb"):
        caller.call(Verb.VALIDATIE, {})


def test_unknown_verb_in_the_profile_is_refused():
    """
    A typing error in the profile is not silently ignored.
    """
    with pytest.raises(DriverError, match=r"'berichtje', which is no verb\n  Hint: the verbs are gezondheid"):
        CommandCaller({"berichtje": "true"}, 1.0)


def test_nothing_to_settle_restart_or_close():
    """
    There are no verbs for settling and restarting.
    """
    caller = CommandCaller("true", 1.0)

    caller.close()

    assert caller.settle() is False
    assert caller.restart() is False
    assert caller.advance(60) is False
    assert repr(caller) == "<CommandCaller true>"


@pytest.mark.parametrize("verb", [Verb.BERICHT, Verb.ABONNEMENT])
def test_exit_code_3_is_unknown(verb):
    """
    Exit code 3 says that there is no such thing.
    """
    assert call("exit 3", verb, subject="x") is None


def test_exit_code_3_elsewhere_is_not_offered():
    """
    For a verb that looks nothing up, exit code 3 says that it is not offered.
    """
    with pytest.raises(CannotDo, match="exit code 3"):
        call("exit 3")


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("echo te lang >&2; echo {}; exit 4", "te lang"),
        ("echo te lang; exit 4", "te lang"),
        ("exit 4", "exit code 4, without an explanation"),
    ],
)
def test_exit_code_4_is_a_refusal(line, detail):
    """
    Exit code 4 is a refusal; stderr, or else stdout, says why.
    """
    with pytest.raises(Refused, match="the Afnemer refused") as caught:
        call(line)

    assert caught.value.detail == detail


def test_other_exit_code_is_a_bad_answer():
    """
    Another exit code is quoted with the last lines of stderr, masked.
    """
    with pytest.raises(BadAnswer, match=r"got 9 2 \| 3 \| 4 \| 5 \| BSN 9999\*\*\*\*\*\n"):
        call("printf '1\\n2\\n3\\n4\\n5\\nBSN 999990019\\n' >&2; exit 9")


def test_killed_command_is_a_bad_answer():
    """
    A command that a signal ended did not answer.
    """
    with pytest.raises(BadAnswer, match="got -9"):
        call("kill -9 $$")


@pytest.mark.parametrize("line", ["./no-such-command", "/dev/null"])
def test_missing_command_is_unreachable(line):
    """
    A command that does not exist, or cannot be run, was never asked.
    """
    with pytest.raises(Unreachable, match=r"the command cannot be run: .*\n  Hint: check \[driver\] command"):
        call(line)


@pytest.mark.parametrize("line", ["echo '<html>'", "true", "echo null"])
def test_output_that_is_no_answer(line):
    """
    Exit code 0 without JSON is not an answer.
    """
    with pytest.raises(BadAnswer, match="expected"):
        call(line)


@pytest.mark.attack
@pytest.mark.parametrize("line", ["sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & exit 0"])
def test_slow_command_is_an_unknown_outcome(line):
    """
    A command that does not end in time is ended, and the outcome is unknown.
    """
    with pytest.raises(TimedOut, match=r"did not end within 0\.1 s"):
        call(line, timeout_s=0.1)


@pytest.mark.attack
def test_slow_command_and_its_children_are_ended(tmp_path):
    """
    Nothing that the command started outlives the time limit.
    """
    with pytest.raises(TimedOut, match="did not end"):
        call(f"sleep 60 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}; sleep 60", timeout_s=1.0)

    assert ends(int((tmp_path / "pid").read_text()))


def ends(pid):
    """Tell whether a process has ended, or does so within ten seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return select.select([handle], [], [], 10.0)[0] == [handle]
    finally:
        os.close(handle)


@pytest.mark.attack
@pytest.mark.parametrize("line", ["yes", "yes >&2"])
def test_endless_output_is_not_read(monkeypatch, line):
    """
    Reading stops at the limit, and the command is ended.
    """
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1_000_000)

    with pytest.raises(BadAnswer, match="1000000 bytes of output, got more"):
        call(line)


def test_command_that_reads_nothing_is_fine():
    """
    A large question that nobody reads does not block.
    """
    assert call("echo '{}'", body={"tekst": "x" * 5_000_000}) == {}


def test_environment_of_the_user_stays():
    """
    The command has the user's own PATH.
    """
    answer = call(python("import os, json; print(json.dumps({'path': os.environ['PATH']}))"))

    assert answer == {"path": os.environ["PATH"]}
