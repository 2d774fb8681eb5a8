"""Whole runs: Locust in processes of its own before a Berichtenbox that is right, or that does one thing wrong."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import psutil
import pytest

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.presentatie_face import PresentatieFace
from conformance.berichtenbox.sql import SqlLedger
from conformance.cli import run as berichtenbox
from conformance.load import parties
from conformance.load import running as processes
from conformance.load.parties import defaults
from conformance.load.plan import plan
from conformance.load.running import Told, profile_file
from conformance.messages.verwerkingsbericht import Verwerkingsbericht
from conformance.verdicts import ExitCode

pytestmark = pytest.mark.slow
SCALED, FAILED = ("not-tested", "scaled"), ("failed", None)


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox of which the faults can be set."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield Berichtenbox(ledger)


@pytest.fixture
def url(box):
    """Where it listens; a test that changes the class of a face does so first."""
    with running(box) as urls:
        yield urls.url


@pytest.fixture
def load(tmp_path):
    """Run a profile at a small scale; give the exit code, the verdicts and what was measured."""

    def run(name, url, *, scale=Fraction(1, 100), **rest):
        planned = plan(name, scale=scale, target=url, connection=defaults() | {"given": "yes"}, **rest)
        code = processes.run(planned, Told(tmp_path / "out", accepts_scaled=True))
        document = json.loads((tmp_path / "out" / "report.json").read_bytes())
        return code, {item["id"]: (item["verdict"], item["reason"]) for item in document["requirements"]}, document["load"]

    return run


def test_right_validatieservice_meets_its_norms_at_a_scale(load, url):
    """
    Ten questions at a higher rate are answered right, which never claims the norm.
    """
    code, verdicts, measured = load("validatie", url, window_s=2)

    assert code is ExitCode.CONFORMANT
    assert verdicts == {"SNO-VAL-01": SCALED, "SNO-VAL-03": SCALED}
    assert (measured["sent"], measured["claims"], measured["scale"]) == (10, False, "1:100")


@pytest.mark.parametrize("fault", ["klant-missing", "reset-before-work", "unavailable"])
def test_validatieservice_that_loses_an_answer_fails(load, box, url, fault):
    """
    A citizen, an answer or a whole request that is missing fails SNO-VAL-01.
    """
    box.faults.script(fault, on="validate", skip=3)

    code, verdicts, _measured = load("validatie", url, window_s=1)

    assert code is ExitCode.NOT_CONFORMANT
    assert verdicts["SNO-VAL-01"] == FAILED


def test_two_workers_measure_what_one_process_measures(load, box, url):
    """
    A master with two workers sends every message once, as one process does.
    """
    totals = []
    for workers in (1, 2):
        code, verdicts, measured = load("validatie", url, window_s=2, workers=workers)
        totals.append((code, verdicts, measured["sent"], [(row["name"], row["count"], row["failures"]) for row in measured["requests"]]))

    assert totals[0] == totals[1]
    assert totals[1][2:] == (10, [("ValidateAbonnementen", 10, 0)])
    assert box.ledger.citizens.accounts() == 909


def test_worker_that_dies_is_an_error_of_the_kit(tmp_path, box, url):
    """
    A run of which a worker goes away in the middle is never green, however well the rest went.
    """
    planned = plan("validatie", scale=Fraction(1, 50), window_s=30, workers=2, target=url)
    connection = tmp_path / "connection.json"
    connection.write_text(json.dumps(defaults()))
    port = processes.free_port("127.0.0.1")
    commands = [processes._leading(planned, Told(tmp_path / "out"), connection, port), *[processes._working(planned, port)] * 2]

    with processes._started(commands) as started:
        _until(lambda: len(box.ledger.citizens.bevragingen(0)) > 2)
        started[1].kill()
        code = processes._waited(started, 60)

    assert code == ExitCode.KIT_ERROR
    assert {item["verdict"] for item in json.loads((tmp_path / "out" / "report.json").read_bytes())["requirements"]} == {"kit-error"}


def _until(is_so, most_s=60):
    until = time.monotonic() + most_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_locust_by_hand_comes_to_the_same_verdict(tmp_path, url):
    """
    Without the command, Locust itself ends with our verdict and our report.
    """
    words = ["--headless", "--only-summary", "--scale", "0.01", "--duration", "1s", "--out", str(tmp_path / "out")]

    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(profile_file("validatie")), "-H", url, *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert ended.returncode == ExitCode.INCOMPLETE
    assert "SNO-VAL-03 not claimed (scaled): Met at scale 1:100" in ended.stdout
    assert (tmp_path / "out" / "report.html").read_text().count("<svg aria-hidden") == 2


def test_right_berichtpresentatie_is_not_failed(load, url):
    """
    A Berichtenbox of the kit answers in time, unless this machine is too busy to tell.
    """
    code, verdicts, measured = load("presentatie", url, scale=Fraction(1, 50))

    assert code in {ExitCode.CONFORMANT, ExitCode.INCOMPLETE}
    assert verdicts["SNO-PRE-01"] in {SCALED, ("not-tested", "kit-limit")}
    assert {row["name"]: row["failures"] for row in measured["requests"]} == {"list": 0, "letter": 0, "bijlage": 0}


def test_berichtpresentatie_of_210_milliseconds_fails(load, box, monkeypatch):
    """
    Ten milliseconds too many, each time: failed.
    """
    find = PresentatieFace._find

    def slow(*given):
        time.sleep(0.21)
        return find(*given)

    monkeypatch.setattr(PresentatieFace, "_find", slow)
    with running(box) as urls:
        code, verdicts, _measured = load("presentatie", urls.url, scale=Fraction(1, 50), window_s=10)

    assert code is ExitCode.NOT_CONFORMANT
    assert verdicts == {"SNO-PRE-01": FAILED}


def test_right_abonnementservice_meets_its_norms_at_a_scale(load, url):
    """
    A fiftieth of a night, in three seconds, is answered right.
    """
    code, verdicts, _measured = load("abonnementen", url, scale=Fraction(1, 50), window_s=3)

    assert code is ExitCode.CONFORMANT
    assert set(verdicts.values()) == {SCALED}


@pytest.mark.parametrize("fault", ["no-answer", "late-answer"])
def test_abonnementservice_without_an_answer_in_time_fails(load, box, url, fault):
    """
    An answer that never comes, or after five hours, fails the term of four hours and the quota of its kind.
    """
    box.faults.script(fault, skip=2, **({"hours": 5.0} if fault == "late-answer" else {}))

    code, verdicts, _measured = load("abonnementen", url, scale=Fraction(1, 100), window_s=2)

    assert code is ExitCode.NOT_CONFORMANT
    assert verdicts["SNO-ABO-01"] == FAILED
    assert sorted(verdicts.values(), key=str).count(FAILED) == 2


def test_right_intake_meets_its_norms_at_a_scale(load, box, url):
    """
    45 a second are accepted and all have a result.
    """
    code, verdicts, measured = load("aanleveren", url, scale=Fraction(1, 30))

    assert code in {ExitCode.CONFORMANT, ExitCode.INCOMPLETE}
    assert verdicts["SNO-BER-04"] == verdicts["SNO-OPS-04"] == SCALED
    assert verdicts["SNO-BER-03"] in {SCALED, ("not-tested", "kit-limit")}
    assert box.ledger.counts() == {"processed": 18, "Verwerkt": 90}
    assert measured["sent"] == 18


def test_intake_that_loses_one_of_a_batch_fails(load, url, monkeypatch):
    """
    One bericht of a batch without a result is lost, and that is judged at any scale.
    """
    about = Verwerkingsbericht.about
    monkeypatch.setattr(Verwerkingsbericht, "about", lambda *given: about(*given[:-1], given[-1][1:]))

    code, verdicts, _measured = load("aanleveren", url, scale=Fraction(1, 60))

    assert code is ExitCode.NOT_CONFORMANT
    assert (verdicts["SNO-BER-04"], verdicts["SNO-OPS-04"]) == (FAILED, SCALED)


def test_intake_that_refuses_above_a_rate_fails(load, box, url):
    """
    A 503 on some batches is no intake of 45 a second; what was refused is not lost.
    """
    box.faults.script("unavailable", on="post", skip=4, times=2)

    code, verdicts, _measured = load("aanleveren", url, scale=Fraction(1, 60))

    assert code is ExitCode.NOT_CONFORMANT
    assert (verdicts["SNO-BER-03"], verdicts["SNO-BER-04"], verdicts["SNO-OPS-04"]) == (FAILED, SCALED, FAILED)


@pytest.mark.parametrize(("name", "norms"), [("presentatie", 1), ("validatie", 2)], ids=["prepared", "unprepared"])
def test_nobody_at_the_target_is_unreachable(load, name, norms):
    """
    Where nobody listens nothing is graded, with an exit code of its own.
    """
    port = processes.free_port("127.0.0.1")

    code, verdicts, _measured = load(name, f"http://127.0.0.1:{port}", window_s=1)

    assert code is ExitCode.UNREACHABLE
    assert list(verdicts.values()) == [("not-tested", "party-unreachable")] * norms


@pytest.mark.parametrize("more", [(), ("--tls", "pki")], ids=["plain", "TLS"])
def test_command_starts_and_stops_its_own_party_over_ebms(tmp_path, monkeypatch, capfd, pki_directory, more):
    """
    Without a target the command starts a Berichtenbox, runs over ebMS2, and passes the exit code of the judgement on.
    """
    (tmp_path / "pki").symlink_to(pki_directory)
    monkeypatch.chdir(tmp_path)

    code = berichtenbox(["load", "aanleveren", "--face", "ebms", "--scale", "0.01", "--seed", "1", "--out", "out", "--accept-scaled", *more])

    told = capfd.readouterr().out
    assert code in {0, 4}
    assert "Scale 1:100: such a run never claims a norm." in told
    assert "SNO-BER-04 not claimed (scaled): Met at scale 1:100: All 30 accepted berichten have their result." in " ".join(told.split())
    assert re.search(r"Again: +berichtenbox load aanleveren --scale 0.01( --tls pki)? --face ebms --seed 1", told)


def test_plan_that_locust_cannot_make_is_a_wrong_use(tmp_path):
    """
    A wrong scale on Locust's own command line ends with exit code 2, and says what is wrong.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(profile_file("validatie")), "-H", "http://127.0.0.1:1", "--headless", "--scale", "7"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )

    assert ended.returncode == ExitCode.USAGE
    assert "--scale 7: a scale lies above 0, and is at most 1." in ended.stderr


def test_longer_window_is_part_of_the_plan_of_a_run(url, load):
    """
    What was asked of a run stands in its report, with the command that repeats it.
    """
    _code, _verdicts, measured = load("validatie", url, scale=Fraction(1, 500), window_s=1, users=3)

    assert measured["planned"] == {"messages": 2, "window_s": 1.0, "rate": 2.0, "users": 3, "workers": 1}
    assert measured["command"] == f"berichtenbox load validatie --scale 0.002 --duration 1s --target {url} --seed 1"
    assert replace(plan("validatie"), seed=2).seed == 2


_CONNECTED = """
import sys
from fractions import Fraction
from types import SimpleNamespace
from locust.env import Environment
from conformance.load.generator import ScheduledUser, Session
from conformance.load.generator.session import lead_s
from conformance.load.plan import plan

made = plan("validatie", scale=Fraction(1, 100), target=sys.argv[1], connection={"tls": sys.argv[2]})
Reader = type("Reader", (ScheduledUser,), {"host": sys.argv[1], "session": Session(made)})
user = Reader(Environment(user_classes=[Reader]))
user.on_start()
pool = user.client.client.clientpool.get_client(user.host)._connection_pool
print(pool._socket_queue.qsize(), lead_s(made) > 2)
"""


@pytest.mark.parametrize("is_there", [True, False])
def test_users_shake_hands_before_their_first_message(pki_directory, is_there):
    """
    Over TLS the connection stands before the schedule begins, which waits for that; a party that is away is told by the first message, not here.
    """
    with parties.berichtenbox(["--tls", str(pki_directory)]) as party:
        target = party.url if is_there else "https://127.0.0.1:9"
        done = subprocess.run([sys.executable, "-c", _CONNECTED, target, str(pki_directory)], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout.split() == ["1" if is_there else "0", "True"], done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_nothing_goes_on_when_the_command_is_stopped(tmp_path, monkeypatch, number, code):
    """
    A pipeline that is cancelled leaves no Berichtenbox, Afnemer or load generator behind; a command that was killed does not either.
    """
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with subprocess.Popen([*parties.PROGRAM, "load", "herlevering", "--face", "ebms", "--scale", "0.01", "--out", str(tmp_path / "out")]) as command:
        while len(begun := processes_in(tmp_path)) < 3 and command.poll() is None:
            time.sleep(0.1)
        command.send_signal(number)
        assert command.wait(30) == code

    assert len(begun) >= 3
    until = time.monotonic() + 30
    while (left := processes_in(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def processes_in(directory):
    """Return the command lines that name the files of a run in a directory: those of what the run started."""
    lines = [" ".join(item.info["cmdline"] or ()) for item in psutil.process_iter(["cmdline"])]
    return [line for line in lines if f"{directory}/berichtenbox-load-" in line]
