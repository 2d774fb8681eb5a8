"""``berichtenbox load notificaties`` as a whole, with Locust in processes of its own."""

import json
import subprocess
import sys

import pytest

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.notificaties_defects import NOTIFICATIE_DEFECTS
from conformance.berichtenbox.sql import SqlLedger

PROGRAM = [sys.executable, "-c", "from conformance.cli import main; main()", "load", "notificaties", "--scale", "0.002", "--phase", "moved-hour"]


def verdicts(out):
    """Return the verdict on each norm of a report that decides one."""
    report = json.loads((out / "report.json").read_bytes())
    return {item["id"]: item["verdict"] for item in report["requirements"] if item["id"] in ("SNO-BES-02", "SNO-NOT-01")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "workers", "code", "expected"),
    [
        (None, "2", 4, {"SNO-BES-02": "passed", "SNO-NOT-01": "not-tested"}),
        ("loses_some_notifications", "1", 1, {"SNO-BES-02": "failed", "SNO-NOT-01": "not-tested"}),
        ("sends_at_half_the_norm", "1", 1, {"SNO-BES-02": "passed", "SNO-NOT-01": "failed"}),
    ],
)
def test_a_run_ends_with_a_verdict_on_each_norm(tmp_path, defect, workers, code, expected):
    """
    A right Berichtenbox with two workers, a lossy and a slow one: the report and the exit code say so.
    """
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        box = Berichtenbox(ledger, seed=1)
        for found in NOTIFICATIE_DEFECTS:
            if found.name == defect:
                found.install(box)
        with running(box) as urls:
            command = [*PROGRAM, "--target", urls.url, "--out", str(tmp_path / "out"), "--workers", workers]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)

    assert ended.returncode == code, ended.stdout + ended.stderr
    assert verdicts(tmp_path / "out") == expected
