"""The example shim: small, of the standard library only, and good enough for the driver."""

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.afnemer.driver import CannotDo, Driver, Letter, Outcome, Preference, Refused
from conformance.afnemer.drivers.http import HttpCaller
from conformance.afnemer.smoke import smoke_check

SHIM = Path(__file__).parents[2] / "docs" / "shim.py"
SENDER = """
class Sender:
    def __init__(self):
        self.known = {}

    def gezondheid(self):
        return {"status": "ok"}

    def berichten(self, verzoek):
        if verzoek["berichten"][0]["berichtType"] == "ONBEKEND":
            raise ValueError("dat kennen we niet")
        ids = [f"b/{len(self.known) + n}" for n in range(len(verzoek["berichten"]))]
        self.known.update(dict.fromkeys(ids))
        return {"berichten": [{"berichtId": i, "batchId": "B-1"} for i in ids]}

    def bericht(self, bericht_id):
        if bericht_id in self.known:
            return {"berichtId": bericht_id, "batchId": "B-1", "status": "aangeboden", "verwerkingsCode": None, "verwerkt": 0}

    def abonnementen(self, verzoek):
        return {"verzoekId": verzoek["soort"]}

    def abonnement(self, verzoek_id):
        return {"status": "ontvangen", "voorkeuren": [{"bsn": "999990007", "actief": True}]}

    def validatie(self, verzoek):
        return {"uitkomsten": [{"bsn": bsn, "berichtSturen": False} for bsn in verzoek["bsn"]]}
"""


@pytest.fixture
def driver(tmp_path):
    """A driver of a sender behind the shim, which runs as a process of its own in the sender's directory."""
    (tmp_path / "my_sender.py").write_text(SENDER)
    arguments = [sys.executable, str(SHIM), "my_sender:Sender", "0"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ) as process:
        driver = Driver(HttpCaller(process.stdout.readline().split()[-1], 10.0))
        yield driver
        driver.close()
        process.terminate()


def test_shim_carries_every_verb(driver):
    """
    A driver works through the shim as if it spoke to the sender itself.
    """
    smoke_check(driver, "999990019", "BELAST")

    assert [item.batch_id for item in driver.deliver([Letter("999990019", "BELAST")] * 2)] == ["B-1", "B-1"]
    assert driver.abonnementen(driver.request_abonnementen("alles")) == ("ontvangen", (Preference("999990007", actief=True),))
    assert driver.validate("BELAST", ["999990007"]) == (Outcome("999990007", bericht_sturen=False),)


def test_shim_carries_refusals(driver):
    """
    A sender that refuses, or lacks a verb, is heard as such.
    """
    moment = datetime(2026, 3, 1, tzinfo=UTC)

    with pytest.raises(Refused, match="dat kennen we niet"):
        driver.deliver([Letter("999990019", "ONBEKEND")])
    with pytest.raises(CannotDo, match="answers 501"):
        driver.redeliver(moment, moment)


def test_shim_is_small_and_needs_nothing():
    """
    The example is sixty lines at most, and imports the standard library only.
    """
    text = SHIM.read_text()
    nodes = ast.walk(ast.parse(text))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}

    assert len(text.splitlines()) <= 60
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names
