"""The parties that the kit starts for a run: ready before it, stopped after it, and no other process with them."""

import contextlib
import itertools
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from conformance.load import before_ebms, parties, running
from conformance.load.parties import LOOPBACK, PartyError, defaults, standing, stop
from conformance.load.plan import LoadError, Setup, plan, profile
from conformance.load.running import Told, check_installed, profile_file
from conformance.load.watching import STARTED, WATCHED, Watch, waited_s
from conformance.profile import Profile
from conformance.transport.cpa import new_cpa, read_cpa
from conformance.verdicts import ExitCode


def setup(**rest):
    return Setup(Profile.default(), None, 5, {"face": "adapter"}, **rest)


def test_target_is_stood_before_and_not_started(monkeypatch):
    """
    Whoever gives a target gets no party of ours, and the connection says that it was given.
    """
    monkeypatch.setattr(parties, "berichtenbox", None)

    with standing(profile("validatie"), setup(target="http://box.example:8800/")) as stand:
        assert (stand.target, stand.connection["given"], "citizens_seed" in stand.connection) == ("http://box.example:8800", "yes", False)


@pytest.mark.parametrize(
    ("target", "tls", "message"),
    [("box.example", None, "--target box.example: expected an http or https URL"), ("http://box.example", Path("pki"), "goes over https")],
)
def test_target_that_cannot_be_is_refused(target, tls, message):
    """
    What is no URL, or has certificates without https, is a wrong use.
    """
    with pytest.raises(LoadError, match=message), standing(profile("validatie"), setup(target=target, tls=tls)):
        pass


def test_party_is_started_with_what_the_profile_needs(monkeypatch):
    """
    The Berichtenbox of ``load validatie`` has the reserved citizens, of whom the seed decides who is not active.
    """
    asked = []

    @contextlib.contextmanager
    def started(words):
        asked.extend(words)
        yield parties.Party(SimpleNamespace(pid=1), {"url": "http://127.0.0.1:1"})

    monkeypatch.setattr(parties, "berichtenbox", started)
    given = Setup(Profile.default(), Path("afnemer.toml"), 5, {}, Path("pki"))

    with standing(profile("validatie"), given) as stand:
        assert asked == ["--seed", "5", "--citizens", "909", "--inactive", "0.1", "--tls", "pki", "--profile", "afnemer.toml", "--host", LOOPBACK]
        assert (stand.target, stand.connection["citizens_seed"], stand.connection["tls"]) == ("http://127.0.0.1:1", "5", "pki")
        assert STARTED in stand.connection


@pytest.mark.slow
def test_berichtenbox_is_ready_and_gone_afterwards():
    """
    It accepts traffic inside the block, and nobody listens after it.
    """
    with parties.berichtenbox(["--seed", "1"]) as party:
        assert httpx.get(f"{party.url}/besturing/v1/klok", trust_env=False).is_success

    assert party.process.poll() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(party.url, trust_env=False)


def test_party_that_refuses_its_options_is_a_wrong_use(monkeypatch):
    """
    What ``serve`` says of a wrong use is what the user hears.
    """
    monkeypatch.setattr(parties, "PROGRAM", (sys.executable, "-c", "import sys; print('--tls: no such directory'); sys.exit(2)"))

    with pytest.raises(LoadError, match=r"^--tls: no such directory$"), parties.berichtenbox():
        pass


def test_party_that_does_not_start_is_an_error_of_the_kit(monkeypatch):
    """
    A crash at the start says what the party said.
    """
    monkeypatch.setattr(parties, "PROGRAM", (sys.executable, "-c", "raise SystemExit('no disk')"))

    with pytest.raises(PartyError, match="the Berichtenbox of the kit did not start: no disk"), parties.berichtenbox():
        pass


def test_process_that_does_not_listen_is_killed(monkeypatch):
    """
    A process that ignores SIGTERM is not left behind.
    """
    monkeypatch.setattr(parties, "_STOP_S", 0.1)
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.read(1)

    stop(process)
    stop(process)
    process.stdout.close()

    assert process.returncode == -9


# -- Locust as a process -----------------------------------------------------------------------------------------------------------------------


def test_one_process_is_told_the_whole_plan(tmp_path):
    """
    What Locust is told comes to the same plan: scale, window, users, seed and settings.
    """
    made = plan("aanleveren", scale=Fraction(1, 3), window_s=9, users=7, seed=5, settings={"phase": "hour"}, target="http://x", wait_s=4)

    words = running._leading(made, Told(tmp_path, "en", accepts_scaled=True), tmp_path / "c.json", 1234)

    told = dict(itertools.pairwise(words))
    assert [told[word] for word in ("--scale", "--duration", "--users", "--seed", "--phase", "--face", "--wait", "--lang", "--host")] == [
        "1/3",
        "9.000",
        "7",
        "5",
        "hour",
        "adapter",
        "4.000",
        "en",
        "http://x",
    ]
    assert "--accept-scaled" in words
    assert "--master" not in words
    assert profile_file("aanleveren").is_file()


def test_master_waits_for_its_workers(tmp_path):
    """
    A master knows how many workers come, and all meet on loopback.
    """
    made = plan("validatie", workers=2)

    leading, working = running._leading(made, Told(), tmp_path, 1234), running._working(made, 1234)

    assert leading[leading.index("--expect-workers") + 1] == "2"
    assert (leading[leading.index("--master-bind-host") + 1], working[working.index("--master-host") + 1]) == (LOOPBACK, LOOPBACK)
    assert "--out" not in leading


@pytest.mark.parametrize(
    ("code", "judged", "outcome"),
    [
        (0, "0", ExitCode.CONFORMANT),
        (4, "4", ExitCode.INCOMPLETE),
        (0, None, ExitCode.KIT_ERROR),
        (1, None, ExitCode.KIT_ERROR),
        (1, "0", ExitCode.KIT_ERROR),
        (2, None, ExitCode.USAGE),
        (None, "0", ExitCode.KIT_ERROR),
        (-9, None, ExitCode.KIT_ERROR),
    ],
)
def test_only_a_judgement_is_a_verdict(tmp_path, code, judged, outcome):
    """
    Locust ends with 0 and 1 of its own accord too: without our judgement that is never green, and never the party's fault.
    """
    if judged is not None:
        (tmp_path / "verdict").write_text(judged)

    assert running._exit_code_of(code, tmp_path / "verdict") is outcome


def test_run_that_hangs_is_stopped():
    """
    A process that does not end in time has no exit code, and is stopped.
    """
    with running._started([[sys.executable, "-c", "import time; time.sleep(60)"]]) as started:
        code = running._waited(started, 0.2)

    assert code is None
    assert started[0].poll() is not None


def test_run_has_a_bound():
    """
    However long a run takes, it is stopped some time after all that it may take.
    """
    assert running.longest_s(plan("validatie", window_s=60)) < 60 + 3_000
    assert running.longest_s(plan("abonnementen", window_s=60)) > 4 * 3_600


def test_without_locust_the_extra_is_named(monkeypatch):
    """
    Who did not install the extra is told which one it is.
    """
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(LoadError, match=r"install the extra: berichtenbox-conformance\[load\]"):
        check_installed()


# -- watching ----------------------------------------------------------------------------------------------------------------------------------


def test_watch_tells_the_share_of_a_processor():
    """
    A process that does nothing uses next to none; one that is gone is left out, as is one that never was.
    """
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watch = Watch.of({WATCHED: f'{{"x": {process.pid}, "nobody": 99999999}}', STARTED: f'{{"x": {process.pid}}}'})

    before = watch.shares()
    process.communicate(b"\n")

    assert 0 <= before["x"] < 100
    assert "nobody" not in before
    assert watch.shares() == {}
    assert watch.waited() == {"x": 0.0}


def test_wait_for_a_processor_is_known_of_ourselves():
    """
    What this process waited only grows; of a process that is not there nothing is known.
    """
    assert waited_s() >= 0
    assert waited_s(99_999_999) == 0.0
    assert Watch.of({}).shares() == {}


def test_defaults_are_those_of_the_default_profile():
    """
    Without a profile the Afnemer of ``serve`` is played.
    """
    assert defaults() == {
        "oin": "00000099000000001000",
        "logius_oin": "00000099000000002000",
        "cpa_id": "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000",
        "bericht_type": "BELAST",
    }


# -- over ebMS2 --------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def control(monkeypatch):
    """Answer for the control face of a Berichtenbox."""
    answers = {}
    monkeypatch.setattr(
        before_ebms,
        "_client",
        lambda base, _setup: httpx.Client(transport=httpx.MockTransport(lambda request: answers[request.url.path]), base_url=base),
    )
    return answers


def test_cpa_of_a_target_is_asked_of_it(control):
    """
    A simulated Berichtenbox that somebody named offers its CPA.
    """
    document = new_cpa(before_ebms._terms(setup(), 8800))
    control["/besturing/v1/cpa"] = httpx.Response(200, content=document)

    with before_ebms.before_ebms(setup(target="http://127.0.0.1:8800")) as stand:
        assert Path(stand.connection["cpa"]).read_bytes() == document
        assert (stand.target, stand.connection["given"]) == ("http://127.0.0.1:8800", "yes")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"<cpa/>", "the CPA cannot be used"),
        (new_cpa(replace(before_ebms._terms(setup(), 8800), sync_reply="none")), "syncReplyMode is not mshSignalsOnly"),
    ],
)
def test_cpa_that_shows_no_acknowledgment_is_refused(control, document, message):
    """
    Nobody would see that a batch was accepted, and each would count as refused: the sentence says how to make another CPA.
    """
    control["/besturing/v1/cpa"] = httpx.Response(200, content=document)

    with pytest.raises(LoadError, match=message), before_ebms.before_ebms(setup(target="http://127.0.0.1:8800")):
        pass


def test_target_without_a_cpa_asks_for_a_profile(control):
    """
    Another Berichtenbox offers none: its CPA stands in a profile.
    """
    control["/besturing/v1/cpa"] = httpx.Response(404)

    with pytest.raises(LoadError, match="offers no CPA"), before_ebms.before_ebms(setup(target="http://127.0.0.1:8800")):
        pass


def test_started_berichtenbox_pushes_nothing(control, monkeypatch, pki_directory):
    """
    It has a CPA with the Acknowledgment in the HTTP answer, and is told to push no results to a gateway that is not there.
    """
    words = []

    @contextlib.contextmanager
    def started(given, *, port):
        words.extend([*given, port])
        yield parties.Party(SimpleNamespace(pid=1), {"url": f"https://127.0.0.1:{port}"})

    monkeypatch.setattr(before_ebms, "berichtenbox", started)
    control["/besturing/v1/fouten"] = httpx.Response(201)

    with before_ebms.before_ebms(setup(tls=pki_directory)) as stand:
        cpa = read_cpa(Path(stand.connection["cpa"]).read_bytes())

    assert words[2] == "--cpa"
    assert stand.target.endswith(f":{words[-1]}")
    assert cpa.cpa_id == stand.connection["cpa_id"]


def test_party_that_takes_no_fault_is_an_error_of_the_kit(control):
    """
    A Berichtenbox of ours that refuses the fault would push results to nobody.
    """
    control["/besturing/v1/fouten"] = httpx.Response(400, text="no")

    with pytest.raises(PartyError, match="does not take a fault: 400 no"):
        before_ebms._push_nothing("http://127.0.0.1:1", setup())
