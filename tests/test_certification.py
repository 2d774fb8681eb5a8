"""A whole certification: from a profile to a graded report with its evidence."""

import io
import json
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest

from conformance.afnemer.driver import CannotDo, Delivered, DriverError, Unreachable, Verb
from conformance.afnemer.drivers.command import CommandCaller
from conformance.afnemer.drivers.http import HttpCaller
from conformance.afnemer.drivers.manual import ManualCaller
from conformance.afnemer.drivers.python import PythonCaller
from conformance.berichtenbox.app import ServerError
from conformance.catalogue import catalogue
from conformance.certification import CertifyOptions, caller_for, certify, connection_of, seen_by, stage
from conformance.messages.identities import reserved_test_bsns
from conformance.profile import DriverConfig, DriverKind, KnownFailure, Profile, Timing
from conformance.progress import PlainProgress
from conformance.report.errors import OutputError
from conformance.report.evidence import verify
from conformance.transport.pki import load
from conformance.verdicts import ExitCode, Reason, RunVerdict, Verdict

FEW = ("AANL-001", "AANL-020", "VERW-001")
OVER_HTTP = (
    *("AANL-001", "AANL-013", "AANL-015", "AANL-065", "AANL-070", "AANL-073"),
    *("VERW-001", "VERW-002", "VERW-004", "VERW-011", "VERW-014", "VERW-017"),
    *("AFW-002", "AFW-003", "AFW-018", "HERL-001", "HERL-005", "HERL-009"),
)
AFNEMER = """
import os, socket, uvicorn
from conformance.afnemer.http_face import test_control_app
from conformance.afnemer.reference.afnemer import ReferenceAfnemer

party = ReferenceAfnemer(os.environ)
party.start(0.02)
bound = socket.create_server(("127.0.0.1", 0))
print(bound.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(test_control_app(party), log_level="warning")).run(sockets=[bound])
"""


def progress():
    """Return a progress that nobody reads."""
    return PlainProgress(io.StringIO())


def driven_by(kind, location="", **more):
    """Return the default profile with another driver, and a short time to react."""
    return replace(Profile.default(), driver=DriverConfig(kind, location, **more), timing=Timing(0.2))


def timeless(report):
    """Return the bytes of report.json without the two moments in it."""
    return re.sub(rb'"(started|finished)": "[^"]*"', rb'"\1": ""', report.read_bytes())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A certification of the reference Afnemer on a few requirements, with its progress and its directory."""
    out, told = tmp_path_factory.mktemp("rapport") / "deep", io.StringIO()
    certified = certify(Profile.default(), CertifyOptions(out, FEW, seed=3), PlainProgress(told))
    return certified, out, told.getvalue()


# -- the report ------------------------------------------------------------------------------------------------------------------------------


def test_reference_is_conformant(run):
    """
    The Afnemer that does it right passes everything that was selected.
    """
    certified, _, told = run

    assert certified.report.verdict is RunVerdict.CONFORMANT
    assert certified.exit_code is ExitCode.CONFORMANT
    assert {item.requirement.id: item.verdict for item in certified.report.requirements} == dict.fromkeys(FEW, Verdict.PASSED)
    assert told.splitlines()[0] == "3 cases"
    assert told.splitlines()[-1] == "3 cases: 3 passed"


def test_report_says_how_to_repeat_the_run(run):
    """
    Seed, selection and profile stand in it.
    """
    document = json.loads((run[1] / "report.json").read_bytes())

    assert (document["seed"], document["selection"], document["face"], document["locked"]) == (3, sorted(FEW), "adapter", False)
    assert document["profile"]["driver"]["kind"] == "reference"
    assert document["started"] < document["finished"]


def test_files_are_written_and_untouched(run):
    """
    Reports, a transcript for each case and a manifest that fits.
    """
    certified, out, _ = run
    names = sorted(path.relative_to(out).as_posix() for path in certified.files)

    assert names == sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert {"report.json", "report.html", "junit.xml", "evidence/manifest.json"} < set(names)
    assert sum(name.endswith(".txt") for name in names) == 3
    assert verify(out) == []


def test_every_verdict_has_evidence(run):
    """
    What a case names as its evidence is there.
    """
    certified, out, _ = run
    evidence = [name for item in certified.report.requirements for case in item.cases for name in case.evidence]

    assert len(evidence) == len(FEW)
    assert all((out / name).stat().st_size > 20 for name in evidence)


def test_no_file_shows_a_bsn(run):
    """
    Of all the citizens that got a letter not one can be found in any file.
    """
    _, out, _ = run
    numbers = {number for path in out.rglob("*") if path.is_file() for number in re.findall(r"(?=(99999[0-9]{4}))", path.read_text("utf-8"))}

    assert numbers & set(reserved_test_bsns()) == set()
    assert "9999*****" in (out / "evidence/verwerkingsberichten-result-is-fetched-and-marked-01.txt").read_text("utf-8")


def test_same_seed_makes_the_same_report(run, tmp_path):
    """
    But for the moments a run can be repeated byte for byte; another seed says so.
    """
    certify(Profile.default(), CertifyOptions(tmp_path / "same", FEW, seed=3), progress())
    certify(Profile.default(), CertifyOptions(tmp_path / "other", FEW, seed=4), progress())

    assert timeless(tmp_path / "same/report.json") == timeless(run[1] / "report.json")
    assert timeless(tmp_path / "other/report.json") != timeless(run[1] / "report.json")


def test_run_without_a_directory_writes_nothing(monkeypatch, tmp_path):
    """
    Without a place for the report there is no evidence either.
    """
    monkeypatch.chdir(tmp_path)
    certified = certify(Profile.default(), CertifyOptions(None, ("VERW-001",)), progress())

    assert certified.files == ()
    assert [case.evidence for item in certified.report.requirements for case in item.cases] == [()]
    assert list(tmp_path.iterdir()) == []


def test_directory_that_cannot_be_is_refused(tmp_path):
    """
    A file in the way is told as such.
    """
    (tmp_path / "rapport").write_text("a file")

    with pytest.raises(OutputError, match="rapport"):
        certify(Profile.default(), CertifyOptions(tmp_path / "rapport", ("VERW-050",)), progress())


def test_heavy_cases_left_out_are_noted():
    """
    A quick run says that it was quick, and leaves open what it did not test.
    """
    certified = certify(Profile.default(), CertifyOptions(None, ("AANL-095", "VERW-001"), heavy=False), progress())

    (left, passed) = certified.report.requirements
    assert (left.verdict, left.reason, passed.verdict) == (Verdict.NOT_TESTED, Reason.NO_CASE_RAN, Verdict.PASSED)
    assert certified.report.run.notes == ("cases that move a million BSNs or more than 100 MB were left out (--quick)",)
    assert certified.exit_code is ExitCode.INCOMPLETE


def test_profile_is_taken_into_account():
    """
    Declarations and known failures of the profile are in the verdict: one that does not fail breaks the run.
    """
    known = KnownFailure("VERW-001", "De leverancier levert in januari.", "J. Jansen", date(2099, 1, 31))
    profile = replace(Profile.default(), declared={"VERW-036": "Wij bewaren niets."}, known_failures=(known,))
    certified = certify(profile, CertifyOptions(None, ("VERW-001", "VERW-036")), progress())

    assert [item.verdict for item in certified.report.requirements] == [Verdict.PASSED, Verdict.DECLARED]
    assert certified.report.outdated == ("VERW-001",)
    assert certified.exit_code is ExitCode.NOT_CONFORMANT


# -- ways to the Afnemer ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def box_and_connection(tmp_path):
    """A Berichtenbox, and what an Afnemer is told of it."""
    with stage(Profile.default(), 1, tmp_path) as scene:
        yield scene.box, connection_of(scene.box, scene.urls, 1)


def test_party_that_is_not_there_is_unreachable(tmp_path):
    """
    Nothing listens: nothing is graded, and nothing is written.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unreachable, match=r"trying the driver \(is the Afnemer well\)"):
        certify(driven_by(DriverKind.HTTP, f"http://127.0.0.1:{port}"), CertifyOptions(tmp_path / "rapport"), progress())

    assert not (tmp_path / "rapport").exists()


def test_port_that_is_taken_is_told():
    """
    A Berichtenbox that cannot listen certifies nobody.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        profile = Profile.default()
        profile = replace(profile, berichtenbox=replace(profile.berichtenbox, port=taken.getsockname()[1]))

        with pytest.raises(ServerError, match=r"cannot listen on 127\.0\.0\.1"):
            certify(profile, CertifyOptions(None), progress())


def test_no_driver_can_do_nothing(box_and_connection):
    """
    A profile without a driver can be served, and not graded.
    """
    box, connection = box_and_connection
    profile = driven_by(DriverKind.NONE)
    caller = caller_for(profile, connection, box)
    caller.close()

    with pytest.raises(CannotDo, match=r"the profile has \[driver\] kind = 'none'\n  Hint: choose a driver"):
        caller.call(Verb.GEZONDHEID)
    with pytest.raises(DriverError, match="choose a driver"):
        certify(profile, CertifyOptions(None), progress())

    assert (caller.settle(), caller.restart(), caller.advance(60)) == (False, False, False)


@pytest.mark.parametrize(
    ("profile", "kind"),
    [
        (driven_by(DriverKind.HTTP, "http://127.0.0.1:9"), HttpCaller),
        (driven_by(DriverKind.COMMAND, "./shim.sh"), CommandCaller),
        (driven_by(DriverKind.COMMAND, commands={"berichten": "./ctl send"}), CommandCaller),
        (driven_by(DriverKind.PYTHON, "conformance.afnemer.reference.afnemer:ReferenceAfnemer"), PythonCaller),
        (driven_by(DriverKind.MANUAL), ManualCaller),
        (driven_by(DriverKind.REFERENCE), PythonCaller),
    ],
)
def test_each_kind_has_its_caller(box_and_connection, profile, kind):
    """
    The profile chooses how the Afnemer is reached.
    """
    box, connection = box_and_connection
    caller = caller_for(profile, connection, box)
    caller.close()

    assert type(caller) is kind


def test_connection_says_all_that_an_afnemer_needs(box_and_connection):
    """
    Where the adapter is, under which CPA and between whom, which types there are, and the seed.
    """
    _, connection = box_and_connection

    url = connection.pop("BERICHTENBOX_ADAPTER").removesuffix("/service/rest/v19")
    assert url.startswith("http://127.0.0.1:")
    assert connection == {
        "BERICHTENBOX_EBMS": f"{url}/ebms",
        "BERICHTENBOX_WUS": f"{url}/wus/BerichtenboxValidatieService",
        "BERICHTENBOX_CPA_ID": "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000",
        "BERICHTENBOX_OIN": "00000099000000001000",
        "BERICHTENBOX_LOGIUS_OIN": "00000099000000002000",
        "BERICHTENBOX_BERICHT_TYPES": "BELAST,PASPOORT",
        "BERICHTENBOX_SEED": "1",
    }


def test_person_at_the_terminal_is_told_what_arrived(tmp_path):
    """
    The manual driver knows which berichten arrived, also when they came a moment ago.
    """
    with stage(Profile.default(), 1, tmp_path) as scene:
        delivered = scene.driver.deliver(scene.letters(2))

        assert seen_by(scene.box) == [Delivered(item.bericht_id, item.batch_id) for item in delivered]


@pytest.mark.parametrize(("command", "was_restarted"), [("echo 1 && true", True), ("false", False), ("'open", False)])
def test_restart_command_restarts(box_and_connection, command, was_restarted):
    """
    The command of the profile stands for a restart, and its exit code tells whether it worked; everything else goes to the Afnemer.
    """
    box, connection = box_and_connection
    caller = caller_for(driven_by(DriverKind.REFERENCE, restart=command), connection, box)
    answers = caller.call(Verb.GEZONDHEID), caller.call(Verb.BERICHT, subject="b-1"), caller.settle(), caller.restart()
    is_moved = caller.advance(60)
    caller.close()

    assert answers == ({"status": "ok"}, None, True, was_restarted)
    assert not is_moved


def test_restart_command_that_does_not_exist_is_told(box_and_connection):
    """
    A typing error in the profile is no Afnemer that cannot restart.
    """
    box, connection = box_and_connection
    caller = caller_for(driven_by(DriverKind.REFERENCE, restart="/nowhere/restart"), connection, box)

    with pytest.raises(CannotDo, match="the restart command does not exist: /nowhere/restart"):
        caller.restart()
    caller.close()


def test_restart_command_may_leave_the_afnemer_running(box_and_connection, monkeypatch):
    """
    A command that starts the Afnemer in the background is done when it says so, and not when the Afnemer ends.
    """
    box, connection = box_and_connection
    monkeypatch.setattr("conformance.certification._RESTART_S", 2.0)
    caller = caller_for(driven_by(DriverKind.NONE, restart="sleep 4 &"), connection, box)

    assert caller.restart() is True


def test_restart_command_that_hangs_is_ended(box_and_connection, monkeypatch):
    """
    Nobody waits for ever for an Afnemer that does not come back.
    """
    box, connection = box_and_connection
    monkeypatch.setattr("conformance.certification._RESTART_S", 0.05)
    caller = caller_for(driven_by(DriverKind.NONE, restart="sleep 60"), connection, box)

    with pytest.raises(CannotDo, match=r"the restart command failed: .*timed out"):
        caller.restart()


# -- the whole thing -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def declaring():
    """The profile of the reference Afnemer, with everything declared that must be."""
    declared = {item.id: "Zo is het." for item in catalogue().values() if item.decided_by == "declared"}
    return replace(Profile.default(), declared=declared)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_reference_passes_every_case_whatever_the_seed(tmp_path, declaring):
    """
    In another order than that of the selftest nothing fails either, and nothing is left open.
    """
    certified = certify(declaring, CertifyOptions(tmp_path / "out", seed=16), progress())

    assert certified.report.verdict is RunVerdict.CONFORMANT
    assert verify(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_same_seed_makes_the_same_report_of_everything(tmp_path, declaring):
    """
    Two runs with one seed leave only the heavy cases open, and write the same bytes.
    """
    runs = [certify(declaring, CertifyOptions(tmp_path / name, seed=1, heavy=False), progress()) for name in ("one", "two")]

    undecided = [[item.requirement.id for item in run.report.requirements if item.verdict is Verdict.NOT_TESTED] for run in runs]
    assert undecided == [["AANL-095", "ABO-037"]] * 2
    assert [item.requirement.id for run in runs for item in run.report.requirements if item.verdict is Verdict.FAILED] == []
    assert timeless(tmp_path / "one/report.json") == timeless(tmp_path / "two/report.json")


def free_port():
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def afnemer_process(connection):
    """Run the reference Afnemer as a process of its own, and give the URL of its test-control."""
    process = subprocess.Popen([sys.executable, "-c", AFNEMER], env={"PATH": "/usr/bin:/bin", **connection}, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@pytest.mark.slow
def test_afnemer_of_another_process_is_certified(tmp_path):
    """
    Over HTTP, with a Berichtenbox and an Afnemer that work by themselves, a correct Afnemer is conformant too.
    """
    port, plain = free_port(), Profile.default()
    own = connection_of_port(plain, port)
    with afnemer_process(own) as url:
        box = replace(plain.berichtenbox, port=port)
        profile = replace(plain, driver=DriverConfig(DriverKind.HTTP, url), berichtenbox=box, timing=Timing(5.0))
        certified = certify(profile, CertifyOptions(tmp_path, OVER_HTTP, seed=1), progress())

    seen = {item.requirement.id: (item.verdict, [case.message for case in item.cases]) for item in certified.report.requirements}
    assert {name: found for name, found in seen.items() if found[0] is not Verdict.PASSED} == {}
    assert certified.exit_code is ExitCode.CONFORMANT
    assert verify(tmp_path) == []


def connection_of_port(profile, port):
    """Return the variables of a Berichtenbox that will listen on a port."""
    own = profile.afnemer
    return {
        "BERICHTENBOX_ADAPTER": f"http://127.0.0.1:{port}/service/rest/v19",
        "BERICHTENBOX_CPA_ID": profile.connection_config().connection().cpa_id,
        "BERICHTENBOX_OIN": own.oin,
        "BERICHTENBOX_LOGIUS_OIN": "00000099000000002000",
        "BERICHTENBOX_BERICHT_TYPES": ",".join(own.bericht_types),
    }


# -- when TLS keeps both sides apart -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory, pki_directory):
    """Make the profile of an Afnemer in this process, over ebMS2 (or the adapter face) and two-way TLS."""

    def make(defect, face="ebms"):
        profile = replace(Profile.default(face), pki=load(pki_directory), timing=Timing(1.0))
        source = tmp_path_factory.mktemp("afnemer") / f"of_{defect}.py"
        source.write_text(f"from conformance.afnemer.defects import DEFECTS\nAfnemer = DEFECTS[{defect!r}].make\n")
        sys.path.insert(0, str(source.parent))
        return replace(profile, driver=DriverConfig("python", f"of_{defect}:Afnemer"))

    before = list(sys.path)
    yield make
    sys.path[:] = before


@pytest.mark.slow  # it certifies whole
@pytest.mark.parametrize(
    ("defect", "fails", "note"),
    [
        ("shows_expired_certificate", "TLS-004", r"refuses the connections of this Afnemer \(certificate-expired\): certificate has expired \(on 20"),
        (
            "serves_expired_certificate",
            "TLS-032",
            r"no connection with the gateway of this Afnemer: https://\S+/ebms: a certificate in the chain of the other side has expired",
        ),
    ],
)
def test_bad_certificate_is_named_and_blames_nothing_else(over_tls, defect, fails, note):
    """
    An Afnemer that cannot connect fails the requirement of its certificate; what needs a connection is not tested, at once.
    """
    certified = certify(over_tls(defect), CertifyOptions(None, seed=1, heavy=False), progress())

    failed = [graded.requirement.id for graded in certified.report.requirements if graded.verdict is Verdict.FAILED]
    assert (failed, certified.exit_code) == ([fails], ExitCode.NOT_CONFORMANT)
    assert re.search(note, certified.report.run.notes[1])


@pytest.mark.parametrize(
    ("face", "only", "seen"),
    [("ebms", FEW, "certificate-expired"), ("adapter", (), "peer-says-unknown-authority")],
)
def test_bad_certificate_is_an_error_when_nothing_can_be_graded(over_tls, face, only, seen):
    """
    What was selected, or the adapter face, has no requirement about TLS: the exact defect is told with what to do.
    """
    with pytest.raises(Unreachable, match=rf"refuses the connections of this Afnemer \({seen}\): .*\n  Hint: "):
        certify(over_tls("shows_expired_certificate", face), CertifyOptions(None, only, seed=1), progress())


# -- over ebMS2, in full ---------------------------------------------------------------------------------------------------------------------


def test_reference_is_conformant_over_ebms(tmp_path, pki_directory):
    """
    Over ebMS2 with two-way TLS the same requirements are graded, and the evidence shows each exchange with who was on the other side.
    """
    profile = replace(Profile.default("ebms"), pki=load(pki_directory))
    certified = certify(profile, CertifyOptions(tmp_path / "rapport", (*FEW, "EBMS-002"), seed=3), progress())

    assert certified.exit_code == ExitCode.CONFORMANT
    assert {item.requirement.id: item.verdict for item in certified.report.requirements} == dict.fromkeys((*FEW, "EBMS-002"), Verdict.PASSED)
    text = (tmp_path / "rapport/evidence/verwerkingsberichten-result-is-fetched-and-marked-01.txt").read_text()
    assert "  > POST /ebms HTTP/1.1\n" in text
    assert "certificate of the client: " in text
    assert f"OIN {certified.report.run.profile['afnemer']['oin']}" in text
    assert re.search(r"  > soapaction: \"ebXML\"\n", text, re.IGNORECASE)
    assert re.search(r": see offer \d+\n", text)
    assert re.search(r": see result \d+\n", text)
    assert "<eb:Acknowledgment " in text
