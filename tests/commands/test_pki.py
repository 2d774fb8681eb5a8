"""Tests of `berichtenbox pki new`."""

import inspect
import json

import pytest

from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.commands import pki as command_module
from conformance.transport import pki


@pytest.mark.golden
@pytest.mark.parametrize("command", [("pki",), ("pki", "new")], ids="-".join)
def test_help_is_the_stored_one(berichtenbox, golden, command):
    """
    The command explains itself within 80 columns.
    """
    ended = berichtenbox(*command, "--help")

    assert ended.code == 0
    golden(f"help-{'-'.join(command)}.txt", ended.out)


def test_directory_is_written_and_can_be_used(berichtenbox, tmp_path):
    """
    What is written can be loaded, has the OIN and the hosts that were asked, and the user is told where to read on.
    """
    ended = berichtenbox("pki", "new", "pki", "--oin", "00000099000000003000", "--host", "Gateway.example", "--host", "10.0.0.1", "--days", "7")
    index = json.loads((tmp_path / "pki/index.json").read_bytes())

    assert ended.code == 0
    assert pki.load(tmp_path / "pki").oin == "00000099000000003000"
    assert index["hosts"] == ["localhost", "127.0.0.1", "gateway.example", "10.0.0.1"]
    assert "Start with pki/README.txt." in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_default_oin_is_that_of_the_profile():
    """
    Without options the certificates fit the connection of the other commands.
    """
    (option,) = (one for one in command_module.new_command.params if one.name == "oin")

    assert option.default == DEFAULT_OIN
    assert "berichtenbox.register" not in inspect.getsource(command_module)


def test_nothing_is_overwritten_unless_asked(berichtenbox, tmp_path):
    """
    A directory with something in it is left as it is; with --force the certificates are replaced, and other files stay.
    """
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/mine.txt").write_text("mine")

    refused = berichtenbox("pki", "new", "pki")
    kept = [path.name for path in (tmp_path / "pki").iterdir()]
    forced = berichtenbox("pki", "new", "pki", "--force")

    assert (refused.code, refused.out, kept) == (2, "", ["mine.txt"])
    assert "--force" in refused.err
    assert forced.code == 0
    assert (tmp_path / "pki/mine.txt").read_text() == "mine"
    assert pki.load(tmp_path / "pki").oin == DEFAULT_OIN


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["plain", "force"])
def test_file_is_no_directory(berichtenbox, tmp_path, force):
    """
    A file is refused, also with --force.
    """
    (tmp_path / "pki").write_text("mine")

    ended = berichtenbox("pki", "new", "pki", *force)

    assert ended.code == 2
    assert "expected a directory, this is a file" in ended.err
    assert (tmp_path / "pki").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--oin", "1234"), "an OIN has 20 digits"),
        (("--oin", "00000099000000009000"), "the certificate that must be refused"),
        (("--host", "https://host/"), "expected the name or the address of a host"),
        (("--days", "0"), "0 is not in the range"),
    ],
)
def test_wrong_option_writes_nothing(berichtenbox, tmp_path, options, said):
    """
    A wrong option is explained, and no directory is made.
    """
    ended = berichtenbox("pki", "new", "pki", *options)

    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert not (tmp_path / "pki").exists()
