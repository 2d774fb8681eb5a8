"""Tests of `berichtenbox serve`."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest

from conformance.berichtenbox import population
from conformance.berichtenbox.app import Urls
from conformance.berichtenbox.population import DEFAULT_SEED
from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.berichtenbox.tls_face import LOGGER
from conformance.commands.serve import MOST_CITIZENS
from conformance.report.errors import OutputError
from conformance.transport import pki
from conformance.transport.cpa import read_cpa
from conformance.transport.pki import Pki
from conformance.transport.tls import client_context

OTHER = "00000099000000003000"
OVER_HTTP = ("--endpoint-afnemer", "http://127.0.0.1:9443/in", "--endpoint-logius", "http://127.0.0.1:8800/ebms")
LINES = 13  # what it says when it has started


@pytest.fixture
def served(monkeypatch):
    """Replace the server by one that is ready at once and then stops, and note how it was started."""
    noted = SimpleNamespace(calls=[], during=lambda: None, url="http://127.0.0.1:4711")

    def serve(box, host, port, ready, tls):
        noted.calls.append((box, host, port))
        noted.tls = tls
        ready(Urls(noted.url))
        noted.during()

    monkeypatch.setattr("conformance.berichtenbox.app.serve", serve)
    return noted


def test_it_says_where_it_is_and_what_to_do(berichtenbox, served):
    """
    The URLs, the temporary ledger, the seed, the CPA and three next steps are on stdout.
    """
    ended = berichtenbox("serve", "--seed", "5")
    lines = ended.out.splitlines()

    assert ended.code == 0
    assert served.calls[0][1:] == ("127.0.0.1", 8800)
    assert "deleted when it stops" in lines[0]
    assert "http://127.0.0.1:4711 (seed 5)" in lines[1]
    assert "  ebms     http://127.0.0.1:4711/ebms" in lines
    assert [line[:2] for line in lines[-4:]] == ["1.", "  ", "2.", "3."]
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
    assert seen[0]["ebms"] == "http://127.0.0.1:4711/ebms"
    assert seen[0]["portal"] is None
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

    (at, on), (other, free) = [call[1:] for call in served.calls]
    assert (at, on, other) == ("localhost", 9009, "::1")
    assert free > 0  # the CPA has it, so it is chosen beforehand
    assert served.calls[0][0].connection.cpa_id == "CPA-1"


# -- its citizens ----------------------------------------------------------------------------------------------------------------------------

REGISTER = "bsn,actief,oin,berichttype,wil\n999990007,ja,,,\n999990019,nee,,,\n"


@pytest.fixture
def citizens(served):
    """Note how many citizens there are while it serves, and who of two takes letters."""
    seen = []

    def look():
        register = served.calls[-1][0].register
        bsns = ["999990007", "999990019"]
        seen.append((register.citizens.accounts(), register.wanting(DEFAULT_OIN, "BELAST", bsns)))

    served.during = look
    return seen


def test_citizens_come_from_a_register(berichtenbox, citizens, tmp_path):
    """
    --register replaces the citizens of a ledger, and goes before the register of the profile, which stands beside it; without either they stay.
    """
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "burgers.csv").write_text(REGISTER)
    (tmp_path / "other.csv").write_text(REGISTER.replace("nee", "ja"))
    (tmp_path / "own" / "afnemer.toml").write_text('[berichtenbox]\nregister = "burgers.csv"\n')
    db = ("serve", "--db", "sqlite:///ledger.db")
    both = {"999990007", "999990019"}

    ended = [
        berichtenbox(*db, *more) for more in ((), ("--profile", "own/afnemer.toml"), (), ("--profile", "own/afnemer.toml", "--register", "other.csv"))
    ]

    assert [one.code for one in ended] == [0, 0, 0, 0]
    assert citizens == [(909, both), (2, {"999990007"}), (2, {"999990007"}), (2, both)]
    assert ["Citizens: 2." in one.out for one in ended] == [False, True, False, True]


def test_citizens_are_made(berichtenbox, served):
    """
    From the seed that is given, or else from one that the help has: always the same ones.
    """
    seen = []
    numbers = [f"{bsn:09d}" for bsn, _ in population.citizens(1_000, 0)]
    served.during = lambda: seen.append(served.calls[-1][0].register.wanting(DEFAULT_OIN, "BELAST", numbers))

    for seed in ((), ("--seed", "5")):
        berichtenbox("serve", "--citizens", "1000", "--inactive", "0.5", *seed)
    berichtenbox("serve", "--citizens", "1000")

    made = [{f"{bsn:09d}" for bsn, is_active in population.citizens(1_000, seed, inactive_share=0.5) if is_active} for seed in (DEFAULT_SEED, 5)]
    assert seen == [*made, set(numbers)]


def test_the_help_has_the_numbers_of_the_population(berichtenbox):
    """
    The seed and the most are those of the code, which the help does not import.
    """
    assert f"else with {DEFAULT_SEED}" in " ".join(berichtenbox("serve", "--help").out.split())
    assert MOST_CITIZENS == population.MOST


@pytest.mark.usefixtures("served")
def test_many_citizens_are_told_of(berichtenbox, monkeypatch):
    """
    On stderr, so that stdout stays what it was.
    """
    monkeypatch.setattr(population, "MILLION", 400)

    assert berichtenbox("serve", "--citizens", "1000").err.splitlines() == ["400 citizens so far.", "800 citizens so far."]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--register", "burgers.csv", "--citizens", "5"), "--register and --citizens exclude each other"),
        (("--inactive", "0.5"), "--inactive is about made citizens"),
        (("--register", "burgers.csv", "--inactive", "0.5"), "--inactive is about made citizens"),
        (("--citizens", "0"), "not in the range 1<=x<=20000000"),
        (("--citizens", "5", "--inactive", "2"), "not in the range 0<=x<=1"),
        (("--register", "nowhere.csv"), "nowhere.csv: the register cannot be read: No such file"),
        (("--register", "wrong.csv"), "wrong.csv:2: column bsn: expected nine digits"),
        (("--register", "other.csv"), "other.csv:1: expected the header bsn,actief,oin,berichttype,wil"),
    ],
)
def test_wrong_citizens_are_refused(berichtenbox, served, tmp_path, options, said):
    """
    With exit code 2, the file and the line, and before anything is served.
    """
    (tmp_path / "burgers.csv").write_text(REGISTER)
    (tmp_path / "wrong.csv").write_text("bsn,actief,oin,berichttype,wil\n99999,ja,,,\n")
    (tmp_path / "other.csv").write_text("999990007,ja,,,\n")

    ended = berichtenbox("serve", *options)

    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert "999990007" not in ended.err
    assert served.calls == []


@pytest.fixture
def quiet_afterwards():
    """Give the log of refusals back as it was."""
    yield
    LOGGER.handlers.clear()
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.propagate = True


@pytest.mark.usefixtures("quiet_afterwards")
def test_certificates_come_from_the_profile_or_the_command_line(berichtenbox, served, tmp_path, pki_directory):
    """
    Without either there is no TLS; --tls overrules the profile.
    """
    shutil.copytree(pki_directory, tmp_path / "pki")
    (tmp_path / "afnemer.toml").write_text('[berichtenbox]\ntls = "pki"\n')
    seen = []

    for options in ((), ("--profile", "afnemer.toml"), ("--profile", "afnemer.toml", "--tls", str(pki_directory))):
        assert berichtenbox("serve", *options).code == 0
        seen.append(served.tls and served.tls.certificate.absolute())

    assert seen == [None, tmp_path / "pki/server.pem", pki_directory / "server.pem"]


@pytest.mark.parametrize(
    ("directory", "profile", "said"),
    [
        ("nowhere", (), "expected a directory of test certificates, nowhere is none. Hint: `berichtenbox pki new nowhere"),
        (".", (), "has no index.json, so it is half written"),
        ("pki", ("--profile", "afnemer.toml"), "its certificates are those of OIN 00000099000000001000, expected 00000099000000003000"),
    ],
)
def test_wrong_certificates_are_wrong_usage(berichtenbox, served, tmp_path, pki_directory, directory, profile, said):
    """
    A directory of something else, or of somebody else, is told before anything is served.
    """
    shutil.copytree(pki_directory, tmp_path / "pki")
    (tmp_path / "afnemer.toml").write_text('[afnemer]\noin = "00000099000000003000"\n')

    ended = berichtenbox("serve", "--tls", directory, *profile)

    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert served.calls == []


# -- the CPA ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cpa_file(berichtenbox, tmp_path):
    """A CPA of another Afnemer than that of the default profile, over plain http."""
    assert berichtenbox("cpa", "new", "--oin", OTHER, *OVER_HTTP, "--out", "cpa.xml").code == 0
    return tmp_path / "cpa.xml"


def cpa_of(served):
    """Return the CPA under which the Berichtenbox was started, as it would be downloaded."""
    box = served.calls[-1][0]
    cpa = read_cpa(box.cpa_document)
    assert cpa == box.pusher.link.cpa
    return cpa


def endpoints(cpa):
    """Return the URL of each side."""
    return {role: next(iter(party.channels.values())).endpoint for party in cpa.parties for role in party.roles}


@pytest.mark.usefixtures("quiet_afterwards")
@pytest.mark.parametrize("is_secure", [False, True])
def test_cpa_is_made_when_there_is_none(berichtenbox, served, pki_directory, is_secure):
    """
    Without a CPA one is made: batches come to the URL that is told, results go to the usual place of a gateway, which is told too.
    """
    scheme, options = ("https", ("--tls", str(pki_directory))) if is_secure else ("http", ())
    served.url = f"{scheme}://127.0.0.1:8800"
    ended = berichtenbox("serve", *options)
    cpa = cpa_of(served)

    assert ended.code == 0
    assert endpoints(cpa) == {"SR": f"{scheme}://127.0.0.1:9443/ebms", "SP": f"{scheme}://127.0.0.1:8800/ebms"}
    assert f"  cpa      {scheme}://127.0.0.1:8800/besturing/v1/cpa\n  gateway  {scheme}://127.0.0.1:9443/ebms, yours" in ended.out
    assert f"The CPA is {cpa.cpa_id}, made for now." in ended.out
    assert "see that they come here" not in ended.out
    assert all(bool(party.certificates) is is_secure for party in cpa.parties)


def test_cpa_of_the_command_line_says_whose_it_is(berichtenbox, served, cpa_file):
    """
    With --cpa and no profile the connection is that of the CPA; that it has another address for the Berichtenbox is told.
    """
    ended = berichtenbox("serve", "--cpa", "cpa.xml")
    box = served.calls[0][0]

    assert ended.code == 0
    assert box.cpa_document == cpa_file.read_bytes()
    assert (box.config.oin, box.connection.cpa_id) == (OTHER, cpa_of(served).cpa_id)
    assert f"The CPA is {box.connection.cpa_id}, of cpa.xml." in ended.out
    assert f"By the CPA batches are sent to {endpoints(cpa_of(served))['SP']}: see that they come here." in ended.out


@pytest.mark.usefixtures("cpa_file")
def test_cpa_of_the_profile_is_used(berichtenbox, served, tmp_path):
    """
    A profile that has a CPA need not be told twice, and --cpa overrules it.
    """
    (tmp_path / "afnemer.toml").write_text(f'[afnemer]\noin = "{OTHER}"\n[berichtenbox]\nface = "ebms"\ncpa = "cpa.xml"\n')
    assert berichtenbox("cpa", "new", "--oin", OTHER, *OVER_HTTP, "--cpa-id", "CPA-2", "--out", "other.xml").code == 0
    ids = []
    for options in ((), ("--cpa", "other.xml")):
        assert berichtenbox("serve", "--profile", "afnemer.toml", *options).code == 0
        ids.append(cpa_of(served).cpa_id)

    assert ids == [served.calls[0][0].connection.cpa_id, "CPA-2"]
    assert ids[0] != ids[1]


@pytest.mark.usefixtures("served")
def test_gateway_of_the_profile_is_in_the_cpa_that_is_made(berichtenbox, served, tmp_path):
    """
    A profile may say only where its gateway is.
    """
    (tmp_path / "afnemer.toml").write_text('[afnemer]\ngateway = "http://127.0.0.1:7/in"\n[berichtenbox]\nface = "ebms"\n')

    assert berichtenbox("serve", "--profile", "afnemer.toml").code == 0
    assert endpoints(cpa_of(served))["SR"] == "http://127.0.0.1:7/in"


@pytest.mark.usefixtures("cpa_file")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cpa", "nowhere.xml"), "--cpa nowhere.xml: nowhere.xml cannot be read"),
        (("--cpa", "afnemer.toml"), "--cpa afnemer.toml: is not read as a CPA"),
        (("--cpa", "cpa.xml", "--profile", "afnemer.toml"), "expected the Afnemer, urn:osb:oin:00000099000000001000"),
        (("--cpa", "suffix.xml"), "its Afnemer has no party id of an OIN and nothing behind it. Hint: give --profile"),
        (("--cpa", "secure.xml"), "cannot reach it. Hint: `berichtenbox pki new pki --oin 00000099000000003000`, and then --tls pki."),
        (("--cpa", "cpa.xml", "--tls", "pki"), "the gateway is an http URL. Hint: give a CPA or a gateway with an https URL, or leave TLS out."),
        (("--cpa", "cpa.xml", "--profile", "other.toml"), "the CPA has another endpoint for the Afnemer"),
    ],
)
def test_cpa_that_cannot_be_used_is_wrong_usage(berichtenbox, served, tmp_path, cpa_file, monkeypatch, options, said):
    """
    What is wrong with it, or with what goes with it, is told before anything is served.
    """
    monkeypatch.setattr("conformance.profile_wire.certificates", lambda directory, _oins: Pki(directory, OTHER, "", frozenset()))
    text = cpa_file.read_text(encoding="utf-8")
    (tmp_path / "afnemer.toml").write_text("[afnemer]\n")
    (tmp_path / "other.toml").write_text(f'[afnemer]\noin = "{OTHER}"\ngateway = "http://127.0.0.1:7/in"\n')
    (tmp_path / "suffix.xml").write_text(text.replace(f">{OTHER}<", f">{OTHER}_T<"), encoding="utf-8")
    assert berichtenbox("cpa", "new", "--oin", OTHER, "--out", "secure.xml").code == 0

    ended = berichtenbox("serve", *options)

    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert served.calls == []


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


def started(tmp_path, *options):
    """Start a Berichtenbox in a process of its own."""
    own = ["serve", "--port", "0", "--ready-file", str(tmp_path / "ready.json"), *options]
    command = [sys.executable, "-c", "from conformance.cli import main; main()", *own]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_tls_is_on_every_url_and_refusals_are_told(tmp_path, pki_directory):
    """
    A running Berichtenbox with certificates has https URLs, serves who belongs there, and says at the terminal whom it refuses and why.
    """
    certificates = pki.load(pki_directory)
    process = started(tmp_path, "--tls", str(pki_directory))
    lines = [process.stdout.readline() for _ in range(LINES)]
    urls = json.loads((tmp_path / "ready.json").read_text())

    status = httpx.get(urls["adapter"] + "/cpas", verify=client_context(certificates.files_of("client"))).status_code
    other = httpx.get(urls["adapter"] + "/cpas", verify=client_context(certificates.files_of("client-wrong-oin"))).status_code
    with pytest.raises(httpx.TransportError, match="CERTIFICATE_REVOKED"):
        httpx.get(urls["adapter"] + "/cpas", verify=client_context(certificates.files_of("client-revoked")))
    process.send_signal(signal.SIGTERM)
    _rest, err = process.communicate(timeout=60)

    assert "listens on https://127.0.0.1:" in lines[1]
    assert {url.partition(":")[0] for url in urls.values() if url} == {"https"}
    assert (status, other, process.returncode) == (200, 403, 0)
    assert "its OIN 00000099000000009000 does not belong to this connection" in err
    assert "TLS: a certificate in the chain of the other side was revoked.\n  Expected: " in err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_signal_is_the_normal_end(tmp_path, number):
    """
    A running Berichtenbox answers, and ends on SIGTERM and SIGINT with exit code 0 and without its ready file.
    """
    process = started(tmp_path)
    lines = [process.stdout.readline() for _ in range(LINES)]

    urls = json.loads((tmp_path / "ready.json").read_text())
    status = httpx.get(urls["control"] + "/klok").status_code
    cpa = httpx.get(urls["control"] + "/cpa")
    get = httpx.get(urls["ebms"]).status_code
    process.send_signal(number)
    _rest, err = process.communicate(timeout=60)

    assert "listens on http://127.0.0.1:" in lines[1]
    assert "Stop it" in lines[-1]
    assert (status, get) == (200, 405)
    assert endpoints(read_cpa(cpa.content))["SP"] == urls["ebms"]
    assert (process.returncode, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
