"""The command ``load``: its help, what it refuses, and what it passes on. Whole runs are in tests/load/test_runs.py."""

import contextlib

import pytest

from conformance.load import parties, running
from conformance.load.plan import Stand
from conformance.verdicts import ExitCode


@pytest.fixture
def ran(monkeypatch):
    """Run nothing; remember the plan and what Locust would be told."""
    seen = []

    @contextlib.contextmanager
    def standing(_kind, setup):
        seen.append(setup)
        yield Stand("http://127.0.0.1:1", {"oin": "1"})

    def run(plan, told):
        seen.append((plan, told))
        return ExitCode.INCOMPLETE

    monkeypatch.setattr(parties, "standing", standing)
    monkeypatch.setattr(running, "run", run)
    return seen


@pytest.mark.golden
def test_help_is_the_stored_one(berichtenbox, golden):
    """
    The command explains itself within 80 columns.
    """
    ended = berichtenbox("load", "--help")

    assert ended.code == 0
    golden("help-load.txt", ended.out)


def test_options_come_to_a_plan(berichtenbox, ran):
    """
    Every option has its place in the plan, and the exit code of the run is that of the command.
    """
    words = "aanleveren --scale 0.5 --users 9 --duration 1m --workers 2 --phase hour --wait 5s --seed 7 --out rapport --lang en --accept-scaled"

    ended = berichtenbox("load", *words.split())

    setup, (plan, told) = ran
    assert ended.code == 4
    assert (str(plan.scale), plan.users, plan.window_s, plan.workers, plan.settings["phase"], plan.wait_s, plan.seed) == (
        "1/2",
        9,
        60,
        2,
        "hour",
        5,
        7,
    )
    again = "berichtenbox load aanleveren --scale 0.5 --users 9 --duration 1m --wait 5s --workers 2 --phase hour --seed 7 --accept-scaled"
    assert (plan.target, plan.connection) == ("http://127.0.0.1:1", {"oin": "1", "again": again})
    assert (told.out.name, told.lang, told.accepts_scaled) == ("rapport", "en", True)
    assert (setup.seed, setup.target, setup.settings["phase"]) == (7, "", "hour")
    assert "to a party that the kit starts" in " ".join(ended.out.split())


def test_target_is_told_what_comes(berichtenbox, ran):
    """
    Before anything is sent, the rate, the volume and the target are told.
    """
    ended = berichtenbox("load", "validatie", "--target", "https://box.example")

    assert ran[0].target == "https://box.example"
    assert "1000 times a question about 250 reserved test BSNs, 1000 an hour, in 1 h" in " ".join(ended.out.split())
    assert "to https://box.example." in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "'nothing' is not one of"),
        (("validatie", "--scale", "2"), "--scale 2: a scale lies above 0"),
        (("validatie", "--scale", "x"), "--scale x: expected a number above 0"),
        (("validatie", "--duration", "soon"), "--duration soon: expected a number of seconds"),
        (("validatie", "--wait", "0"), "--wait 0: expected a number of seconds"),
        (("validatie", "--phase", "hour"), "--phase: load validatie does not take it"),
        (("aanleveren", "--phase", "week"), "--phase week: expected one of burst, hour, day"),
        (("validatie", "--profile", "nowhere.toml"), "nowhere.toml"),
        (("validatie", "--out", "file/x"), "file/x"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_wrong_use_is_exit_code_2(berichtenbox, ran, tmp_path, words, message):
    """
    What cannot be is said before anything starts.
    """
    (tmp_path / "file").write_text("")

    ended = berichtenbox("load", *words)

    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert ran == []


def test_missing_extra_is_named(berichtenbox, ran, monkeypatch):
    """
    Without Locust the command says what to install.
    """
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda _name: None)

    ended = berichtenbox("load", "validatie")

    assert ended.code == 2
    assert "install the extra: berichtenbox-conformance[load]" in " ".join(ended.err.split())
    assert ran == []
