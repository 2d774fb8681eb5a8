"""Killed at any moment, the Berichtenbox has what it acknowledged, once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from conformance.berichtenbox.sql import SqlLedger
from conformance.transport.cpa import read_cpa

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_what_was_acknowledged_survives_kills():
    """
    Ten rounds of sending, kill -9 and starting again: nothing is lost, nothing is doubled.
    """
    command = [sys.executable, str(ROOT / "perf" / "kill.py"), "--times", "10"]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=110, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 faults: all that was acknowledged is there, once" in ended.stdout


def served(directory, port):
    """Start a Berichtenbox in a process of its own, on a ledger that stays; return it once it accepts traffic."""
    ready = directory / "ready.json"
    ready.unlink(missing_ok=True)  # a Berichtenbox that was killed takes nothing away
    options = ["--db", f"sqlite:///{directory / 'ledger.db'}", "--ready-file", str(ready), "--port", str(port), "--seed", "1"]
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "serve", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert any("Ctrl-C" in line for line in process.stdout)
    return process, json.loads(ready.read_text())


@pytest.mark.slow
def test_what_was_acknowledged_over_ebms_survives_a_kill(tmp_path, line):
    """
    Killed right after the last answer: every message is there once, and a copy gets the Acknowledgment of the first time.
    """
    process, urls = served(tmp_path, 0)
    gateway = line.gateway
    cpa = read_cpa(httpx.get(urls["control"] + "/cpa").content)
    gateway.speak(cpa, urls["ebms"])
    messages = [line.message() for _ in range(20)]
    first = [gateway.signal(message).answer.status for message in messages]
    process.kill()
    process.wait()
    process.stdout.close()

    process, urls = served(tmp_path, urls["url"].rpartition(":")[2])
    again = [gateway.signal(message).answer.status for message in messages]
    process.kill()
    process.wait()
    process.stdout.close()

    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        assert (first, again) == ([204] * 20, [204] * 20)
        assert [offer.envelope.message_id for offer in ledger.offers(0)] == [message.message_id for message in messages]
        assert all(ledger.wire.answer_to(message.message_id) for message in messages)
