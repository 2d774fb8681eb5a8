"""Tests of `berichtenbox init`."""

import shutil
import tomllib

from conformance.catalogue import Binds, DecidedBy, catalogue
from conformance.commands.init import template
from conformance.profile import load


def test_profile_loads_and_has_ten_keys(berichtenbox, tmp_path):
    """
    What init writes is a valid profile, with at most ten keys to think about and a comment at each.
    """
    ended = berichtenbox("init")
    written = tomllib.loads((tmp_path / "afnemer.toml").read_text())
    keys = [key for section in written.values() for key in section]

    assert ended.code == 0
    assert load(tmp_path / "afnemer.toml").afnemer.name == "Gemeente Voorbeeld"
    assert len(keys) <= 10
    assert "certify --profile afnemer.toml" in ended.out


def test_every_example_in_the_comments_is_valid(berichtenbox, tmp_path, pki_directory):
    """
    Each key that stands there as a comment can be switched on, with the files that it names; of the drivers one at a time.
    """
    shutil.copytree(pki_directory, tmp_path / "pki")
    (tmp_path / "burgers.csv").write_text("bsn,actief,oin,berichttype,wil\n999990007,ja,,,\n")
    berichtenbox("cpa", "new", "--pki", "pki", "--endpoint-afnemer", "https://127.0.0.1:9443/ebms", "--out", "cpa.xml")
    lines = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in template().splitlines()]
    skipped = ("command = ", "python = ", "[driver.commands]", "gezondheid", "berichten = ", "bericht = ", "With kind")
    text = "\n".join(line for line in lines if not line.startswith(skipped))
    (tmp_path / "all.toml").write_text(text.replace('face = "adapter"', 'face = "ebms"'))

    profile = load(tmp_path / "all.toml")

    assert profile.known_failures[0].id == "AANL-035"
    assert profile.declared.keys() == {"VERW-036"}
    assert profile.driver.restart == "systemctl restart afnemer"
    assert profile.afnemer.intermediair_for == ("00000099000000003000",)
    assert (profile.berichtenbox.tls, profile.berichtenbox.cpa) == (tmp_path / "pki", tmp_path / "cpa.xml")
    assert profile.berichtenbox.register == tmp_path / "burgers.csv"
    assert profile.gateway() == "https://127.0.0.1:9443/ebms"


def test_everything_that_can_be_declared_is_listed():
    """
    Each declared requirement that binds an Afnemer stands there with what to declare; those of Logius do not.
    """
    listed = {line.split()[1] for line in template().splitlines() if line.startswith("#   ") and "-" in line.split()[1]}
    declared = {item.id: item.binds for item in catalogue().values() if item.decided_by is DecidedBy.DECLARED}

    assert listed == {id_ for id_, binds in declared.items() if binds is not Binds.LOGIUS}
    assert {"VERW-036", "SNO-INC-06"} < listed
    assert max(map(len, template().splitlines())) <= 80


def test_existing_file_is_not_replaced(berichtenbox, tmp_path):
    """
    A profile that stands there is replaced only when that is asked.
    """
    (tmp_path / "own.toml").write_text("mine")

    refused = berichtenbox("init", "--out", "own.toml")
    kept = (tmp_path / "own.toml").read_text()
    forced = berichtenbox("init", "--out", "own.toml", "--force")

    assert (refused.code, kept) == (2, "mine")
    assert "--force" in refused.err
    assert (forced.code, (tmp_path / "own.toml").read_text()) == (0, template())


def test_place_that_cannot_be_written_is_told(berichtenbox):
    """
    A directory that does not exist is a mistake of the user.
    """
    ended = berichtenbox("init", "--out", "nowhere/afnemer.toml")

    assert ended.code == 2
    assert "cannot be written" in ended.err
