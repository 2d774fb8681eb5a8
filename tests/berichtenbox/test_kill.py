"""Killed at any moment, the Berichtenbox has what it acknowledged, once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
