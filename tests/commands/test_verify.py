"""Tests of `berichtenbox verify`."""

import json
from types import SimpleNamespace

import pytest

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.profile import Profile, load
from conformance.stage.box_stage import BoxStage
from conformance.transport.cpa import read_cpa
from conformance.wiring import free_port

PROFILE = """\
[afnemer]
oin = "00000099000000001000"
bericht_types = ["BELAST"]
[driver]
kind = "none"
[timing]
reaction_s = 0.3
"""


@pytest.fixture
def served(berichtenbox, tmp_path):
    """Run a Berichtenbox that works by itself over plain HTTP, with a CPA that the command line made."""
    own, logius = (f"http://127.0.0.1:{free_port('127.0.0.1')}{path}" for path in ("/in", "/ebms"))
    assert berichtenbox("cpa", "new", "--out", "cpa.xml", "--endpoint-afnemer", own, "--endpoint-logius", logius).code == 0
    document = (tmp_path / "cpa.xml").read_bytes()
    (tmp_path / "afnemer.toml").write_text(PROFILE)
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, Profile.default().connection_config())
        box.connect(read_cpa(document), None, document)
        with running(box, port=int(logius.rpartition(":")[2].partition("/")[0])) as urls:
            yield SimpleNamespace(url=urls.url, cpa=document)


def test_outcome_is_told_and_repeatable(berichtenbox, served, tmp_path):
    """
    The verdict, what it is about, and the command that repeats it are on stdout; the report is in its directory.
    """
    ended = berichtenbox("verify", served.url, "--profile", "afnemer.toml", "--out", "rap", "--only", "EBMS-045", "WUS-004", "--seed", "7")

    report = json.loads((tmp_path / "rap" / "report.json").read_text())
    assert ended.code == 0
    assert f"Grading the Berichtenbox at {served.url} under CPA" in ended.out
    assert "Conformant" in ended.out
    assert f"Again:  berichtenbox verify {served.url} --profile afnemer.toml --seed 7 --only EBMS-045 WUS-004" in ended.out
    assert ended.out.endswith("Exit code: 0\n")
    assert (report["seed"], report["selection"]) == (7, ["EBMS-045", "WUS-004"])
    assert load(tmp_path / "afnemer.toml").afnemer.oin == report["profile"]["played"]["oin"]


def test_without_a_profile_the_cpa_says_it_all(berichtenbox, served, tmp_path):
    """
    The Afnemer is that of the CPA, and the seed is drawn and told.
    """
    (tmp_path / "own.xml").write_bytes(served.cpa)
    ended = berichtenbox("verify", served.url, "--cpa", "own.xml", "--only", "WUS-003", "--lang", "en")

    assert ended.code == 0
    assert "--cpa own.xml --seed " in ended.out
    assert '<html lang="en"' in (tmp_path / "berichtenbox-rapport" / "report.html").read_text()


def test_nobody_there_ends_with_3(berichtenbox):
    """
    Without a Berichtenbox nothing is graded and nothing is written.
    """
    ended = berichtenbox("verify", f"http://127.0.0.1:{free_port('127.0.0.1')}")

    assert ended.code == 3
    assert "nobody listens at" in ended.err
    assert "Hint: start the Berichtenbox" in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("127.0.0.1",), "expected the http or https URL"),
        (("https://127.0.0.1:1",), "give --tls DIR"),
        (("http://127.0.0.1:1", "--only", "WUS-999"), "WUS-999"),
        (("http://127.0.0.1:1", "--profile", "nowhere.toml"), "cannot be read"),
        (("https://127.0.0.1:1", "--tls", "nowhere"), "directory of test certificates"),
    ],
)
def test_wrong_usage_ends_with_2(berichtenbox, arguments, told):
    """
    What is wrong is said before anything is sent.
    """
    ended = berichtenbox("verify", *arguments)

    assert ended.code == 2
    assert told in " ".join(ended.err.split())


@pytest.mark.parametrize(("given", "repeated"), [((), ""), (("--depth", "quick"), "--depth quick ")])
def test_depth_is_passed_on_and_repeated(berichtenbox, served, monkeypatch, given, repeated):
    """
    How much is generated is the choice of who asks, and the command that repeats the run has it.
    """
    depths = []
    monkeypatch.setattr(BoxStage, "begin", lambda stage: depths.append(stage.depth) or stage.receiver.begin())

    ended = berichtenbox("verify", served.url, "--profile", "afnemer.toml", "--only", "WUS-004", "--seed", "7", *given)

    assert ended.code == 0
    assert set(depths) == {given[1] if given else "default"}
    assert f"--profile afnemer.toml {repeated}--seed 7 --only" in ended.out
