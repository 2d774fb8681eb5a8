"""A whole verification: a simulated Berichtenbox passes, over plain HTTP and TLS, and what stands in the way is told before anything is sent."""

import io
import json
import shutil
import socket
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conformance import verification
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.catalogue import catalogue
from conformance.certification import CertifyOptions
from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.profile import DriverConfig, DriverKind, Profile, Timing
from conformance.progress import PlainProgress
from conformance.report.evidence import verify as verify_evidence
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.transport import pki
from conformance.transport.pki import Pki
from conformance.transport.tls import client_context
from conformance.verdicts import ExitCode, Reason, RunVerdict, Verdict
from conformance.verification import NobodyThereError, TargetError, simulated, target_of, verify
from conformance.wiring import free_port, wire

FEW = ("EBMS-045", "EBMS-053", "EBMS-058", "EBMS-100", "EBMS-101", "WUS-003", "WUS-011", "VERW-053", "ABO-060", "ABO-064", "VAL-062")
SERVICES = {f"ABO-{number:03}" for number in range(60, 70)} | {f"VAL-{number:03}" for number in range(60, 65)}
QUICK = replace(Profile.default("ebms"), timing=Timing(0.3))


@contextmanager
def live(directory: Path, certificates: Pki | None = None, **how):
    """Run a Berichtenbox that works by itself, as one in another process does; give its URL and its wiring."""
    profile = Profile.default("ebms")
    if certificates is None:
        profile = replace(profile, afnemer=replace(profile.afnemer, gateway=f"http://127.0.0.1:{free_port('127.0.0.1')}/in"))
    wiring = wire(profile, directory, is_movable=False, certificates=certificates, **how)
    files = None if certificates is None else certificates.files_of("server")
    with SqlLedger(f"sqlite:///{directory / 'live.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, seed=5)
        box.connect(wiring.cpa, None if files is None else client_context(files), wiring.cpa_file.read_bytes())
        with running(box, port=wiring.port, tls=files) as urls:
            yield urls.url, wiring


def quietly():
    """Return a progress that nobody reads."""
    return PlainProgress(io.StringIO())


def judged(stage, selection):
    """Run cases on a stage, and return what they judged."""
    plugin = CasePlugin(stage, selection, seed=2, evidence_name=None, started=lambda _total: None, step=lambda _name, _outcome: None)
    return run_cases(plugin).results


# -- a simulated Berichtenbox in this process ------------------------------------------------------------------------------------------------


@pytest.mark.slow  # the selftest plays it too
@pytest.mark.parametrize("sync_reply", ["none", "mshSignalsOnly"])
def test_simulated_berichtenbox_fails_nothing(tmp_path, pki_directory, sync_reply):
    """
    The Berichtenbox that does it right passes every case that there is for one, without a warning, and nothing is left undecided.
    """
    with simulated(tmp_path, pki.load(pki_directory), sync_reply=sync_reply) as stage:
        results = judged(stage, Selection(heavy=False, bulk=False))

    passed = {result.requirement for result in results if result.verdict is Verdict.PASSED}
    assert {result.verdict for result in results} == {Verdict.PASSED, Verdict.NOT_APPLICABLE}
    assert passed > SERVICES | {f"WUS-{number:03}" for number in range(1, 13)} | {
        "EBMS-097",
        "EBMS-098",
        "EBMS-099",
        "EBMS-100",
        "EBMS-101",
        "VERW-050",
    }
    assert ("EBMS-095" in passed) == (sync_reply != "none")


def test_cases_of_an_afnemer_are_left_out(tmp_path, pki_directory):
    """
    What is only tested with an Afnemer does not apply to a Berichtenbox, with that as the reason.
    """
    with simulated(tmp_path, pki.load(pki_directory)) as stage:
        (result,) = judged(stage, Selection(frozenset({"EBMS-022"})))

    assert (result.verdict, result.reason) == (Verdict.NOT_APPLICABLE, Reason.OTHER_PARTY)


def test_clock_and_restart_are_in_reach(tmp_path, pki_directory):
    """
    Of a simulated Berichtenbox the clock moves, and what it had is there after a restart.
    """
    with simulated(tmp_path, pki.load(pki_directory)) as stage:
        box = stage.receiver.reach.restart.__self__
        before = box.box.clock.now()
        stage.receiver.reach.pass_time(timedelta(hours=1))
        moved = box.box.clock.now() - before
        good = stage.receiver.good()
        stage.receiver.post(good)
        was_delivered = stage.receiver.is_delivered(good)
        stage.receiver.restart()
        offers = box.box.ledger.offers(0)

    assert moved >= timedelta(hours=1)
    assert was_delivered
    assert [offer.envelope.message_id for offer in offers] == [good.message_id]


def test_endless_work_ends(tmp_path, pki_directory, monkeypatch):
    """
    A Berichtenbox that is never done does not keep the kit waiting for ever.
    """
    monkeypatch.setattr(verification, "_MOST_ROUNDS", 3)
    with simulated(tmp_path, pki.load(pki_directory)) as stage:
        monkeypatch.setattr(type(stage.receiver.gateway), "is_idle", False)
        is_settled = stage.receiver.reach.settle()

    assert not is_settled


# -- one that runs elsewhere -----------------------------------------------------------------------------------------------------------------


def test_live_berichtenbox_is_conformant(tmp_path, pki_directory):
    """
    Over TLS, with the CPA that it offers: a graded report with evidence, about the Berichtenbox and not about the Afnemer that was played.
    """
    with live(tmp_path, pki.load(pki_directory)) as (url, _):
        target = target_of(f"{url}/ebms/", QUICK, None, pki_directory, tmp_path)
        verified = verify(target, CertifyOptions(tmp_path / "out", FEW, 3), quietly())

    report = json.loads((tmp_path / "out" / "report.json").read_text())
    transcript = "".join(file.read_text() for file in (tmp_path / "out" / "evidence").iterdir() if "wus" in file.name)
    assert (verified.exit_code, verified.report.verdict) == (ExitCode.CONFORMANT, RunVerdict.CONFORMANT)
    assert {item["verdict"] for item in report["requirements"]} == {"passed"}
    assert report["profile"]["afnemer"]["oin"] == LOGIUS_TEST_OIN
    assert report["profile"]["afnemer"]["name"] == f"Berichtenbox {url.removeprefix('https://')}"
    assert report["notes"] == [verification.SCOPE]
    assert "POST" in transcript
    assert "ValidateAbonnementen" in transcript
    assert not verify_evidence(tmp_path / "out")


def test_what_binds_the_afnemer_does_not_apply(tmp_path):
    """
    Over plain HTTP, with a CPA in a file: what binds only the Afnemer, or needs TLS, is not applicable, and so is a service that is not used.
    """
    few = ("AANL-001", "EBMS-045", "EBMS-023", "TLS-020", "WUS-004")
    with live(tmp_path) as (url, wiring):
        profile = replace(QUICK, afnemer=replace(QUICK.afnemer, services=("aanleveren",)))
        target = target_of(url, profile, wiring.cpa_file, None, tmp_path)
        verified = verify(target, CertifyOptions(None, few), quietly())

    found = {item.requirement.id: (item.verdict, item.reason) for item in verified.report.requirements}
    assert found == {
        "AANL-001": (Verdict.NOT_APPLICABLE, Reason.BINDS_AFNEMER),
        "EBMS-045": (Verdict.PASSED, None),
        "EBMS-023": (Verdict.NOT_APPLICABLE, Reason.OTHER_PARTY),
        "TLS-020": (Verdict.NOT_APPLICABLE, Reason.FACE_NOT_USED),
        "WUS-004": (Verdict.NOT_APPLICABLE, Reason.SERVICE_NOT_USED),
    }
    assert not verified.files


@pytest.mark.parametrize(
    ("command", "verdict", "reason"),
    [("", Verdict.NOT_TESTED, Reason.DRIVER_CANNOT), ("true", Verdict.PASSED, None), ("false", Verdict.NOT_TESTED, Reason.DRIVER_CANNOT)],
)
def test_restart_is_that_of_the_profile(tmp_path, command, verdict, reason):
    """
    Whether a live Berichtenbox keeps its MessageIds is decided only when the profile says how it is restarted.
    """
    with live(tmp_path) as (url, _):
        profile = replace(QUICK, driver=DriverConfig(DriverKind.NONE, restart=command))
        verified = verify(target_of(url, profile, None, None, tmp_path), CertifyOptions(None, ("EBMS-052",)), quietly())

    assert [(item.verdict, item.reason) for item in verified.report.requirements] == [(verdict, reason)]


def test_restart_that_does_not_come_back_is_none(tmp_path, monkeypatch):
    """
    A Berichtenbox that does not listen again after its restart command was not restarted.
    """
    monkeypatch.setattr(verification, "_RESTART_S", 0.15)
    with live(tmp_path) as (url, _):
        target = target_of(url, replace(QUICK, driver=DriverConfig(DriverKind.NONE, restart="true")), None, None, tmp_path)

    assert not verification._reach_of(target).restart()


def test_messages_go_to_the_url_that_was_given(tmp_path, pki_directory):
    """
    A CPA may name another host: nothing is sent there, however good the path is.
    """
    with live(tmp_path, pki.load(pki_directory)) as (url, wiring):
        elsewhere = tmp_path / "elsewhere.xml"
        elsewhere.write_bytes(wiring.cpa_file.read_bytes().replace(url.encode(), b"https://berichtenbox.invalid"))
        target = target_of(url, QUICK, elsewhere, pki_directory, tmp_path)
        verified = verify(target, CertifyOptions(None, ("EBMS-045",)), quietly())

    assert verified.report.verdict is RunVerdict.CONFORMANT


# -- what stands in the way ------------------------------------------------------------------------------------------------------------------


def test_nobody_there_is_an_exit_code_of_its_own(tmp_path):
    """
    Without anybody who listens there is nothing to verify.
    """
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with pytest.raises(NobodyThereError, match=rf"nobody listens at {url}: Connection refused\.\n  Hint: start") as raised:
        target_of(url, QUICK, None, None, tmp_path)

    assert raised.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize("url", ["127.0.0.1:8800", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_is_wrong_usage(tmp_path, url):
    """
    Only an http or https URL names a Berichtenbox.
    """
    with pytest.raises(TargetError, match="expected the http or https URL") as raised:
        target_of(url, QUICK, None, None, tmp_path)

    assert raised.value.exit_code is ExitCode.USAGE


def test_scheme_and_certificates_go_together(tmp_path, pki_directory):
    """
    Https takes certificates, and certificates take https.
    """
    with pytest.raises(TargetError, match="https takes certificates of both sides"):
        target_of("https://127.0.0.1:1", QUICK, None, None, tmp_path)
    with pytest.raises(TargetError, match="with certificates everything goes over https"):
        target_of("http://127.0.0.1:1", QUICK, None, pki_directory, tmp_path)


def test_certificates_of_another_are_wrong_usage(tmp_path, pki_directory):
    """
    With a profile the certificates must be those of its Afnemer.
    """
    profile = replace(QUICK, path=tmp_path / "afnemer.toml", afnemer=replace(QUICK.afnemer, oin="00000099000000003000"))
    with pytest.raises(TargetError, match=r"--tls .*: its certificates are those of OIN 00000099000000001000"):
        target_of("https://127.0.0.1:1", profile, None, pki_directory, tmp_path)


def test_berichtenbox_without_a_cpa_needs_one(tmp_path):
    """
    One that offers no CPA is verified only with --cpa; what was seen at its URL is told.
    """
    told = r"no CPA: there is none at .*/besturing/v1/cpa \(HTTP 404\)\.\n  Hint: give --cpa FILE"
    with (
        SqlLedger(f"sqlite:///{tmp_path / 'bare.db'}", is_durable=False) as ledger,
        running(Berichtenbox(ledger)) as urls,
        pytest.raises(TargetError, match=told),
    ):
        target_of(urls.url, QUICK, None, None, tmp_path)


def test_server_of_another_protocol_offers_no_cpa(tmp_path, pki_directory):
    """
    Who speaks TLS at an http URL offers no CPA either, and what was seen of it is told.
    """
    with live(tmp_path, pki.load(pki_directory)) as (url, _), pytest.raises(TargetError, match=r"no CPA: there is none at .*closed the connection"):
        target_of(url.replace("https", "http"), QUICK, None, None, tmp_path)


def test_cpa_of_another_afnemer_is_wrong_usage(tmp_path):
    """
    With a profile its Afnemer must be the one of the CPA.
    """
    profile = replace(QUICK, path=tmp_path / "afnemer.toml", afnemer=replace(QUICK.afnemer, oin="00000099000000003000"))
    with live(tmp_path) as (url, _), pytest.raises(TargetError, match=r"the CPA: the party in role SR is .*00000099000000001000"):
        target_of(url, profile, None, None, tmp_path)


def test_cpa_and_profile_that_agree_are_taken(tmp_path):
    """
    With a profile the Afnemer that is played is that of the profile.
    """
    with live(tmp_path) as (url, _):
        target = target_of(url, replace(QUICK, path=tmp_path / "afnemer.toml"), None, None, tmp_path)

    assert target.profile.afnemer.oin == QUICK.afnemer.oin
    assert target.cpa.cpa_id.endswith(QUICK.afnemer.oin)


def test_afnemer_without_an_oin_needs_a_profile(tmp_path):
    """
    From a PartyId with something behind its OIN nobody knows the OIN.
    """
    with live(tmp_path) as (url, wiring):
        named = tmp_path / "named.xml"
        named.write_bytes(wiring.cpa_file.read_bytes().replace(b">00000099000000001000<", b">00000099000000001000_T<"))
        with pytest.raises(TargetError, match="give --profile with its OIN"):
            target_of(url, QUICK, named, None, tmp_path)


def test_gateway_that_cannot_listen_is_wrong_usage(tmp_path):
    """
    Where the CPA has the gateway of the Afnemer, somebody else listens: the kit cannot play it.
    """
    with live(tmp_path) as (url, wiring):
        port = int(wiring.gateway.rpartition(":")[2].partition("/")[0])
        target = target_of(url, QUICK, None, None, tmp_path)
        with socket.create_server(("127.0.0.1", port)), pytest.raises(TargetError, match=r"cannot listen on .*there the CPA has the gateway"):
            verify(target, CertifyOptions(None, FEW), quietly())


def test_directory_of_an_older_version_leaves_cases_untested(tmp_path, pki_directory):
    """
    A directory of certificates without the bad ones leaves what needs them undecided, and says what to do.
    """
    old = tmp_path / "old"
    shutil.copytree(pki_directory, old)
    certificates = replace(pki.load(old), names=frozenset({"client", "server"}))
    with simulated(tmp_path, certificates) as stage:
        (result,) = judged(stage, Selection(frozenset({"WUS-001"})))

    assert (result.verdict, result.reason) == (Verdict.NOT_TESTED, Reason.KIT_LIMIT)
    assert "write it again" in result.message


def test_every_case_of_a_berichtenbox_has_a_requirement():
    """
    The catalogue has each requirement of Logius that the cases of a Berichtenbox decide.
    """
    ours = {item.id for item in catalogue().values() if item.binds == "logius" and item.subject != "SNO"}

    assert ours == SERVICES | {f"WUS-{number:03}" for number in range(1, 13)} | {f"VERW-{number:03}" for number in range(50, 65)} | {
        f"CONT-{number:03}" for number in (*range(1, 10), 17, 18, 19)
    }
