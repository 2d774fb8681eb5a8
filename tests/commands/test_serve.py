"""Tests of `berichtenbox serve`."""

import json
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from conformance.berichtenbox.app import Urls
from conformance.report.errors import OutputError


@pytest.fixture
def served(monkeypatch):
    """Replace the server by one that is ready at once and then stops, and note how it was started."""
    noted = SimpleNamespace(calls=[], during=lambda: None)

    def serve(box, host, port, ready):
        noted.calls.append((box, host, port))
        ready(Urls("http://127.0.0.1:4711"))
        noted.during()

    monkeypatch.setattr("conformance.berichtenbox.app.serve", serve)
    return noted


def test_it_says_where_it_is_and_what_to_do(berichtenbox, served):
    """
    The URLs, the temporary ledger, the seed and three next steps are on stdout.
    """
    ended = berichtenbox("serve", "--seed", "5")
    lines = ended.out.splitlines()

    assert ended.code == 0
    assert served.calls[0][1:] == ("127.0.0.1", 8800)
    assert "deleted when it stops" in lines[0]
    assert "http://127.0.0.1:4711 (seed 5)" in lines[1]
    assert [line[:2] for line in lines[-3:]] == ["1.", "2.", "3."]
    assert not os.path.exists(lines[0].split()[1].rstrip(","))  # noqa: PTH110  # what was printed


def test_ready_file_is_there_while_it_serves(berichtenbox, served, tmp_path):
    """
    The ready file is whole while the Berichtenbox accepts traffic, and gone afterwards.
    """
    ready = tmp_path / "ready.json"
    seen = []
    served.during = lambda: seen.append(json.loads(ready.read_bytes()))

    ended = berichtenbox("serve", "--ready-file", "ready.json")

    assert ended.code == 0
    assert seen[0]["adapter"] == "http://127.0.0.1:4711/service/rest/v19"
    assert seen[0]["ebms"] is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("served")
def test_ready_file_of_an_earlier_run_is_removed_first(berichtenbox, monkeypatch, tmp_path):
    """
    Nobody reads the URLs of a Berichtenbox that was killed.
    """
    ready = tmp_path / "ready.json"
    ready.write_text("old")
    seen = []
    monkeypatch.setattr("conformance.berichtenbox.app.serve", lambda *_arguments: seen.append(ready.exists()))

    berichtenbox("serve", "--ready-file", "ready.json")

    assert seen == [False]


@pytest.mark.parametrize("place", [".", "nowhere/ready.json"])
def test_ready_file_without_a_place_is_refused(berichtenbox, served, place):
    """
    A ready file that cannot be written is told before anything is served.
    """
    ended = berichtenbox("serve", "--ready-file", place)

    assert ended.code == 2
    assert "expected a file in a directory" in " ".join(ended.err.split())
    assert served.calls == []


@pytest.mark.usefixtures("served")
def test_ready_file_that_fails_later_stops_it(berichtenbox, monkeypatch):
    """
    A Berichtenbox that cannot tell where it is does not linger: it stops, and says why.
    """
    stopped = []
    monkeypatch.setattr("os.kill", lambda pid, number: stopped.append((pid, number)))
    monkeypatch.setattr("conformance.report.files.write_atomically", lambda *_arguments: (_ for _ in ()).throw(OutputError("the disk is full.")))

    ended = berichtenbox("serve", "--ready-file", "ready.json")

    assert stopped == [(os.getpid(), signal.SIGTERM)]
    assert (ended.code, ended.err) == (2, "the disk is full.\n")


def test_profile_says_where_and_options_overrule_it(berichtenbox, served, tmp_path):
    """
    Host, port and CPA come from the profile, unless the command line says otherwise.
    """
    (tmp_path / "afnemer.toml").write_text('[berichtenbox]\nhost = "localhost"\nport = 9009\ncpa_id = "CPA-1"\n')

    berichtenbox("serve", "--profile", "afnemer.toml")
    berichtenbox("serve", "--profile", "afnemer.toml", "--host", "::1", "--port", "0")

    assert [call[1:] for call in served.calls] == [("localhost", 9009), ("::1", 0)]
    assert served.calls[0][0].connection.cpa_id == "CPA-1"


@pytest.mark.usefixtures("served")
def test_ledger_is_kept_where_it_is_asked(berichtenbox, tmp_path):
    """
    With --db the ledger stays.
    """
    ended = berichtenbox("serve", "--db", "sqlite:///ledger.db")

    assert ended.code == 0
    assert (tmp_path / "ledger.db").is_file()
    assert "Ledger" not in ended.out


@pytest.mark.usefixtures("served")
def test_ledger_that_cannot_be_opened_is_wrong_usage(berichtenbox):
    """
    A wrong database URL is a mistake of the user, with a hint.
    """
    ended = berichtenbox("serve", "--db", "sqlite:////nowhere/at/all/ledger.db")

    assert ended.code == 2
    assert "Hint: give --db a URL" in ended.err


def test_port_in_use_is_wrong_usage(berichtenbox):
    """
    A port that somebody else has is a mistake of the user, with a hint.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = berichtenbox("serve", "--port", str(taken.getsockname()[1]))

    assert ended.code == 2
    assert "--port" in ended.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_the_normal_end(tmp_path, number):
    """
    A running Berichtenbox answers, and ends on SIGTERM and SIGINT with exit code 0 and without its ready file.
    """
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "serve", "--port", "0", "--ready-file", str(tmp_path / "ready.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(7)]

    status = httpx.get(json.loads((tmp_path / "ready.json").read_text())["control"] + "/klok").status_code
    process.send_signal(number)
    _rest, err = process.communicate(timeout=60)

    assert "listens on http://127.0.0.1:" in lines[1]
    assert "Stop it" in lines[-1]
    assert status < 500
    assert (process.returncode, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
