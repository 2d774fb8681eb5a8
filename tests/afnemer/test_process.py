"""The reference Afnemer as a process of its own."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from conformance.afnemer import process
from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.defects.load import LOAD_DEFECTS
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.norms import norm

CONNECTION = {
    "BERICHTENBOX_ADAPTER": "http://127.0.0.1:9/service/rest/v19",
    "BERICHTENBOX_CPA_ID": "CPA",
    "BERICHTENBOX_OIN": "00000099000000001000",
    "BERICHTENBOX_LOGIUS_OIN": "00000099000000002000",
    "BERICHTENBOX_BERICHT_TYPES": "BELAST",
}
UNKNOWN = "/berichten/5d0f7c5e-0000-4000-8000-00000000dead"


@pytest.mark.slow
def test_process_answers_until_its_parent_is_gone():
    """It tells its URL, answers test-control there, and ends by itself when its standard input does."""
    arguments = [sys.executable, "-m", "conformance.afnemer.process", json.dumps(CONNECTION), "--defect", "chokes_on_a_backlog", "--with-parent"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        told = json.loads(child.stdout.readline())
        health = httpx.get(told["url"] + "/gezondheid", trust_env=False)
        child.communicate(timeout=20)

    assert (told["pid"], health.json(), child.returncode) == (child.pid, {"status": "ok"}, 0)


def test_runs_until_it_is_stopped(capsys):
    """The Afnemer answers from when its URL is told, and lets go of everything at the end."""
    stop, answers = threading.Event(), []

    def look():
        while not (line := capsys.readouterr().out):
            stop.wait(0.01)
        answers.append(httpx.get(json.loads(line)["url"] + UNKNOWN, trust_env=False).status_code)
        stop.set()

    asking = threading.Thread(target=look)
    asking.start()
    process.run(CONNECTION, None, "127.0.0.1", 0, 0.01, stop)
    asking.join()

    assert answers == [404]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no connection"),
        (["{"], "is no JSON"),
        (["[]"], "no JSON object of texts"),
        (['{"BERICHTENBOX_CPA_ID": 1}'], "no JSON object of texts"),
        (['{"BERICHTENBOX_CPA_ID": "CPA"}'], "lacks BERICHTENBOX_OIN"),
        ([json.dumps(CONNECTION), "--defect", "sings"], "there is no defect 'sings'"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(arguments, told, capsys, monkeypatch):
    """A connection that cannot be used, or a defect that nobody has, ends it with exit code 2."""
    monkeypatch.delenv(process.VARIABLE, raising=False)

    with pytest.raises(SystemExit, match="2"):
        process.main(arguments)

    assert told in capsys.readouterr().err


def test_main_takes_the_connection_from_the_environment(monkeypatch):
    """Without an argument the variable is read; with a parent that is gone already it ends at once."""
    ran = []
    monkeypatch.setenv(process.VARIABLE, json.dumps(CONNECTION))
    monkeypatch.setattr(process.signal, "signal", lambda *_: None)
    monkeypatch.setattr(process, "run", lambda connection, *rest: (ran.append((connection, *rest[:3])), rest[-1].wait(10)))
    with Path(os.devnull).open() as ended:
        monkeypatch.setattr(process.sys, "stdin", ended)

        assert process.main(["--with-parent"]) == 0

    assert ran == [(CONNECTION, None, "127.0.0.1", 0)]


def test_every_defect_can_be_asked_for():
    """Defects of the cases and of the load profiles are made by their name; without one the Afnemer is right."""
    assert process.maker(None) is ReferenceAfnemer
    assert process.maker("never_marks") is DEFECTS["never_marks"].make
    for name, defect in LOAD_DEFECTS.items():
        assert process.maker(name) is defect.make
        assert defect.does.endswith(".")
        assert defect.profile in norm(defect.norm).how
