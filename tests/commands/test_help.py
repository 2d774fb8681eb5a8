"""The help of every command, as people see it at 80 columns."""

import pytest

pytestmark = pytest.mark.golden

COMMANDS = [
    (),
    ("certify",),
    ("verify",),
    ("serve",),
    ("check",),
    ("init",),
    ("specs",),
    ("specs", "list"),
    ("specs", "show"),
    ("specs", "compare"),
    ("selftest",),
    ("evidence",),
    ("evidence", "verify"),
    ("contracts",),
    ("contracts", "verify"),
    ("contracts", "provider"),
    ("coverage",),
]


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_help_is_the_stored_one(berichtenbox, golden, command):
    """
    Every command explains itself within 80 columns.
    """
    ended = berichtenbox(*command, "--help")

    assert ended.code == 0
    golden(f"help-{'-'.join(command) or 'all'}.txt", ended.out)


def test_mistakes_are_explained(berichtenbox, golden):
    """
    A wrong command, option or value ends with exit code 2, says what is wrong, and what to do.
    """
    mistakes = [
        ("serv",),
        ("verfy",),
        ("verify",),
        ("verify", "127.0.0.1:8800"),
        ("verify", "https://127.0.0.1:8800"),
        ("certify", "--onyl", "AANL-001"),
        ("certify", "--only", "AANL-35"),
        ("certify", "--only", " , "),
        ("certify", "--seed", "often"),
        ("certify", "--face", "wus"),
        ("certify", "--locked", "--quick", "--only", "AANL-001", "AANL-002"),
        ("certify", "--profile", "afnemer.toml"),
        ("serve", "--tls", "pki"),
        ("serve", "--cpa", "nowhere.xml"),
        ("serve", "--port", "70000"),
        ("serve", "--ready-file", "nowhere/ready.json"),
        ("check",),
        ("check", "nowhere.xml", "--lang", "fr"),
        ("specs", "list", "--subject", "aan"),
        ("specs", "show", "D44"),
        ("specs", "show", "zzz"),
        ("specs", "compare", "nowhere.zip"),
    ]

    ended = [(command, berichtenbox(*command)) for command in mistakes]

    assert {one.code for _command, one in ended} == {2}
    assert "".join(one.out for _command, one in ended) == ""
    golden("mistakes.txt", "\n".join(f"$ berichtenbox {' '.join(command)}\n{one.err}" for command, one in ended))


PROFILE = """\
[afnemer]
name = ""
oin = "1234"
bericht_types = ["BELAST", "TEVEELTEKENS"]
servicse = ["x"]
services = ["aanlevern"]
"intermediair_for" = [
  "12",  # a comment with [ and "
]
gateway = "https://user:secret@host"
[driver]
kind = "http"
url = "ftp://user:secret@host"
command = '''
several
lines'''
[berichtenbox]
face = "ebms"
port = 99999
tls = "pki/"
cpa = "cpa.xml"
[timing]
reaction_s = -1
[declared]
AANL-999 = "x"
AANL-001 = "y"
VERW-036 = "fine"
[[known_failures]]
id = "AANL-035"
reason = "r"
owner = "o"
until = 2027-01-31
[[known_failures]]
id = "AANL-036"
until = "2027"
[berichtenbx]
"""


def test_profile_errors_are_all_shown(berichtenbox, golden, tmp_path):
    """
    Everything that is wrong with a profile is said at once, with its line and what to do; secrets are not.
    """
    (tmp_path / "afnemer.toml").write_text(PROFILE)

    ended = berichtenbox("certify", "--profile", "afnemer.toml")

    assert ended.code == 2
    assert "secret" not in ended.err
    golden("profile-errors.txt", ended.err)


def test_no_command_shows_the_help_and_is_a_mistake(berichtenbox):
    """
    Without a command nothing is graded, so that the exit code is not that of success.
    """
    ended = berichtenbox()

    assert ended.code == 2
    assert "Commands:" in ended.err
