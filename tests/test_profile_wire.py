"""Tests of the files beside a profile: its certificates, its CPA and the gateway of the Afnemer, the face that needs them, and its register."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.profile import Profile, ProfileError, load
from conformance.transport import pki
from conformance.transport.cpa import Terms, new_cpa

OIN, LOGIUS = "00000099000000001000", "00000099000000002000"
OTHER_OIN, OTHER_LOGIUS = "00000099000000003000", "00000099000000004000"
TODAY = datetime.now(UTC)
GATEWAY = "https://127.0.0.1:9443/ebms"
PLAIN_GATEWAY = "http://127.0.0.1:9443/ebms"


def cpa_of(oin: str = OIN, logius_oin: str = LOGIUS, gateway: str = GATEWAY, days: int = 30) -> bytes:
    terms = Terms(
        cpa_id="CPA-1",
        oins={"SR": oin, "SP": logius_oin},
        endpoints={"SR": gateway, "SP": "https://127.0.0.1:8800/ebms"},
        start=TODAY - timedelta(days=60),
        end=TODAY + timedelta(days=days),
        retries=3,
        retry_interval=timedelta(minutes=90),
        persist=timedelta(days=1),
    )
    return new_cpa(terms)


@pytest.fixture
def place(tmp_path, monkeypatch, pki_directory):
    """A directory ``conf`` with certificates and a CPA for a profile, below the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pki_directory, tmp_path / "conf" / "pki")
    (tmp_path / "conf" / "cpa.xml").write_bytes(cpa_of())
    return Path("conf")


@pytest.fixture
def written(place):
    """Write a profile beside them, and load it."""

    def write(box: str, afnemer: str = "") -> Profile:
        (place / "afnemer.toml").write_text(f"[berichtenbox]\n{box}\n[afnemer]\n{afnemer}\n")
        return load(place / "afnemer.toml")

    return write


def problems_of(written, box, afnemer="") -> list[str]:
    with pytest.raises(ProfileError, match=r"^conf/afnemer\.toml:\d") as caught:
        written(box, afnemer)
    return [str(problem).removeprefix("conf/afnemer.toml:") for problem in caught.value.problems]


# -- what is read ----------------------------------------------------------------------------------------------------------------------------


def test_certificates_are_found_from_the_profile(written, place):
    """
    A directory of certificates stands beside the profile, wherever the kit is run, and is for either face.
    """
    profile = written('tls = "pki/"')

    assert (profile.berichtenbox.face, profile.berichtenbox.tls) == ("adapter", place / "pki")
    assert (profile.pki.oin, profile.pki.directory) == (OIN, place / "pki")
    assert profile.to_json()["berichtenbox"]["tls"] is True


def test_absolute_path_stays_as_it_is(written, place):
    """
    An absolute path is no path beside the profile.
    """
    profile = written(f'cpa = "{place.absolute() / "cpa.xml"}"')

    assert profile.berichtenbox.cpa == place.absolute() / "cpa.xml"


def test_profile_without_files_has_neither(written):
    """
    Without the keys there are no certificates, no CPA and no gateway, and Logius has the OIN of every test connection.
    """
    profile = written("")

    assert (profile.berichtenbox.tls, profile.berichtenbox.cpa, profile.cpa(), profile.pki) == (None, None, None, None)
    assert (profile.gateway(), profile.logius_oin()) == ("", LOGIUS)
    assert profile.to_json()["berichtenbox"].keys() == {"face", "host", "port", "cpa_id", "tls"}


def test_cpa_names_the_connection(written, place):
    """
    The id, Logius' OIN and the endpoint of the Afnemer are those of the CPA.
    """
    (place / "cpa.xml").write_bytes(cpa_of(logius_oin=OTHER_LOGIUS))

    profile = written('face = "ebms"\ncpa = "cpa.xml"\ntls = "pki"')
    connection = profile.connection_config().connection()

    assert (profile.berichtenbox.cpa, profile.cpa().cpa_id) == (place / "cpa.xml", "CPA-1")
    assert (connection.cpa_id, connection.afnemer_party) == ("CPA-1", f"urn:osb:oin:{OIN}")
    assert (profile.logius_oin(), connection.logius_party) == (OTHER_LOGIUS, f"urn:osb:oin:{OTHER_LOGIUS}")
    assert profile.gateway() == GATEWAY


def test_warnings_of_a_cpa_are_taken(written, place):
    """
    A CPA that is only odd, such as http on the machine itself, can be used.
    """
    (place / "cpa.xml").write_bytes(cpa_of(gateway=PLAIN_GATEWAY))

    profile = written('face = "ebms"\ncpa = "cpa.xml"')

    assert profile.gateway() == PLAIN_GATEWAY


def test_gateway_and_cpa_id_may_repeat_the_cpa(written):
    """
    What says the same as the CPA does no harm.
    """
    profile = written('face = "ebms"\ncpa = "cpa.xml"\ncpa_id = "CPA-1"\ntls = "pki"', f'gateway = "{GATEWAY}"')

    assert (profile.berichtenbox.cpa_id, profile.gateway()) == ("CPA-1", GATEWAY)


def test_adapter_face_takes_a_cpa_with_https_endpoints(written):
    """
    Over the adapter the endpoints of a CPA are not used, so that they need no certificates.
    """
    profile = written('cpa = "cpa.xml"')

    assert profile.cpa().cpa_id == "CPA-1"


@pytest.mark.parametrize(("box", "url"), [("", PLAIN_GATEWAY), ('tls = "pki"', GATEWAY)])
def test_gateway_without_a_cpa(written, box, url):
    """
    With a gateway the ebms face needs no CPA: one is made for the run.
    """
    profile = written(f'face = "ebms"\n{box}', f'gateway = "{url}"')

    assert (profile.berichtenbox.face, profile.cpa(), profile.gateway()) == ("ebms", None, url)


def test_report_shows_only_where_the_gateway_is(written):
    """
    The path and query of a gateway may hold a secret, and neither report nor repr shows them.
    """
    profile = written('face = "ebms"', 'gateway = "http://user:geheim@127.0.0.1:9443/geheim?token=geheim"')

    assert profile.to_json()["berichtenbox"]["gateway"] == "http://127.0.0.1:9443/*****"
    assert profile.to_json()["berichtenbox"]["tls"] is False
    assert "geheim" not in f"{profile.to_json()} {profile!r} {profile.afnemer!r}"


def test_certificates_say_the_oin_of_logius_when_there_is_no_cpa(written, place):
    """
    The certificate of the Berichtenbox and its party have one OIN.
    """
    plan = pki.Plan(OIN, TODAY, logius_oin=OTHER_LOGIUS)
    pki.write(place / "pki", pki.make(plan))

    profile = written('tls = "pki"')

    assert profile.connection_config().logius_oin == OTHER_LOGIUS


def test_certificates_of_a_client_of_an_intermediair(written):
    """
    Who sends for others may connect with the certificate of one of them.
    """
    profile = written('tls = "pki"', f'oin = "{OTHER_OIN}"\nintermediair_for = ["{OIN}"]')

    assert profile.pki.oin == OIN


def test_default_profile_of_the_ebms_face():
    """
    Without a profile the run makes certificates and CPA itself, and the digest tells the faces apart.
    """
    profile = Profile.default("ebms")

    assert (profile.berichtenbox.face, profile.berichtenbox.port) == ("ebms", 0)
    assert (profile.gateway(), profile.cpa(), profile.pki) == ("", None, None)
    assert profile.to_json()["berichtenbox"]["gateway"] == ""
    assert profile.digest == Profile.default("ebms").digest != Profile.default().digest


# -- certificates that cannot be used --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nowhere", "cpa.xml", "x" * 999])
def test_directory_that_is_not_there(written, name):
    """
    Without a directory the command that makes one is told, for the OIN of this Afnemer.
    """
    (problem,) = problems_of(written, f'tls = "{name}"')

    assert problem.startswith('2: [berichtenbox] tls = "')
    assert f"expected a directory of test certificates, conf/{name} is none." in problem
    assert f"\n  Hint: `berichtenbox pki new conf/{name} --oin {OIN}` makes one." in problem


def test_directory_that_was_changed(written, place):
    """
    Certificates that are not as the kit wrote them are not used.
    """
    (place / "pki" / "crl.pem").write_text("")

    (problem,) = problems_of(written, 'tls = "pki"')

    assert problem == (
        '2: [berichtenbox] tls = "pki": is not as it was written: crl.pem.\n'
        f"  Hint: `berichtenbox pki new conf/pki --oin {OIN} --force` writes it again."
    )


def test_directory_that_holds_other_things(written, place):
    """
    A directory without the index of the kit is told as such.
    """
    (place / "pki" / "index.json").unlink()

    (problem,) = problems_of(written, 'tls = "pki"')

    assert 'tls = "pki": has no index.json, so it is half written, or holds other things.' in problem


def test_certificates_of_somebody_else(written):
    """
    Certificates for another OIN would be refused in every handshake, so that this is told first.
    """
    (problem,) = problems_of(written, 'tls = "pki"', f'oin = "{OTHER_OIN}"\nintermediair_for = ["{OTHER_LOGIUS}"]')

    assert f"its certificates are those of OIN {OIN}, expected {OTHER_OIN} or {OTHER_LOGIUS}" in problem
    assert f"`berichtenbox pki new conf/pki --oin {OTHER_OIN} --force` makes them for your OIN." in problem


def test_oin_that_is_unfit_is_told_once(written):
    """
    Neither certificates nor CPA are compared with an OIN that is none.
    """
    problems = problems_of(written, 'tls = "pki"\ncpa = "cpa.xml"', 'oin = "12"')

    assert [problem[:20] for problem in problems] == ['5: [afnemer] oin = "']


def test_directory_that_is_not_there_with_an_oin_that_is_unfit(written):
    """
    A command that a hint shows holds no OIN that is none.
    """
    problems = problems_of(written, 'tls = "nowhere"', 'oin = "12"')

    assert "`berichtenbox pki new conf/nowhere` makes one." in problems[0]


# -- a CPA that cannot be used ---------------------------------------------------------------------------------------------------------------


def test_cpa_that_is_not_there(written):
    """
    Without a file the two ways to a CPA are told.
    """
    (problem,) = problems_of(written, 'cpa = "no cpa.xml"')

    assert problem == (
        '2: [berichtenbox] cpa = "no cpa.xml": conf/no cpa.xml cannot be read: No such file or directory.\n'
        "  Hint: take the CPA of your connection from Logius, or make one for tests: `berichtenbox cpa new --out 'conf/no cpa.xml'`."
    )


PROPOSED = (b'"agreed"', b'"proposed"')


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"<a>", "is not read as a CPA: line 1: expected XML that is well-formed, got"),
        (b"<a/>", "is not read as a CPA: the root element: expected CollaborationProtocolAgreement, got a.\n  Hint: give a CPA of ebXML CPPA 2.0"),
    ],
)
def test_file_that_is_no_cpa(written, place, data, text):
    """
    A file that holds something else is told at its key.
    """
    (place / "cpa.xml").write_bytes(data)

    (problem,) = problems_of(written, 'cpa = "cpa.xml"')

    assert problem.startswith(f'2: [berichtenbox] cpa = "cpa.xml": {text}')


@pytest.mark.parametrize(
    ("days", "change", "text"),
    [
        (-1, (b"", b""), "cannot be used: End: expected after "),
        (30, PROPOSED, "cannot be used: Status: expected agreed, got proposed.\n  Hint: `berichtenbox cpa check conf/cpa.xml` shows all."),
        (-1, PROPOSED, "got proposed, and 1 more.\n  Hint: `berichtenbox cpa check conf/cpa.xml` shows all."),
    ],
)
def test_cpa_that_cannot_be_used(written, place, days, change, text):
    """
    A CPA that is over or not agreed is told with its first problem, and how to see the others.
    """
    (place / "cpa.xml").write_bytes(cpa_of(days=days).replace(*change))

    (problem,) = problems_of(written, 'host = "localhost"\ncpa = "cpa.xml"')

    assert problem.startswith('3: [berichtenbox] cpa = "cpa.xml": cannot be used: ')
    assert text in problem


@pytest.mark.parametrize(
    ("oins", "text"),
    [
        ((OTHER_OIN, LOGIUS), f"role SR is urn:osb:oin:{OTHER_OIN}, expected the Afnemer, urn:osb:oin:{OIN}.\n  Hint: give the CPA of your own"),
        ((f"{OIN}_T", LOGIUS), f"role SR is urn:osb:oin:{OIN}_T, expected the Afnemer, urn:osb:oin:{OIN}."),
        ((LOGIUS, OIN), f"role SR is urn:osb:oin:{LOGIUS}, expected the Afnemer, urn:osb:oin:{OIN}."),
        ((OIN, f"{LOGIUS}_T"), f"role SP is urn:osb:oin:{LOGIUS}_T, expected urn:osb:oin: and 20 digits.\n  Hint: give Logius' side"),
    ],
)
def test_cpa_of_others(written, place, oins, text):
    """
    The Afnemer stands in a CPA in role SR, and Logius in role SP, each with its OIN.
    """
    (place / "cpa.xml").write_bytes(cpa_of(*oins))

    (problem,) = problems_of(written, 'cpa = "cpa.xml"')

    assert problem.startswith('2: [berichtenbox] cpa = "cpa.xml": the party in ')
    assert text in problem


def test_cpa_and_another_cpa_id(written):
    """
    One connection has one CPA.
    """
    (problem,) = problems_of(written, 'cpa = "cpa.xml"\ncpa_id = "CPA-2"')

    assert problem == '3: [berichtenbox] cpa_id = "CPA-2": the CPA of the key cpa has the id CPA-1.\n  Hint: leave cpa_id out: the CPA has it.'


# -- a gateway that cannot be used -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("box", "url"), [("", "http://127.0.0.1:9443/ebms"), ('tls = "pki"', "https://127.0.0.1:9443/ebms")])
def test_ebms_face_needs_to_know_the_gateway(written, box, url):
    """
    Somebody must say where results go; the example fits the certificates that there are.
    """
    (problem,) = problems_of(written, f'face = "ebms"\n{box}')

    assert problem == (
        '2: [berichtenbox] face = "ebms": nothing says where your gateway receives, expected the key gateway or cpa.\n'
        f'  Hint: write gateway = "{url}" below [afnemer], or make a CPA with `berichtenbox cpa new --out cpa.xml` and write cpa = "cpa.xml".'
    )


@pytest.mark.parametrize(("box", "afnemer", "line"), [('cpa = "nowhere.xml"', "", 3), ("", 'gateway = "nowhere"', 5)])
def test_gateway_that_was_told_to_be_wrong_is_not_missing(written, box, afnemer, line):
    """
    A gateway or CPA that is unfit is one problem, not two.
    """
    (problem,) = problems_of(written, f'face = "ebms"\n{box}', afnemer)

    assert problem.startswith(f"{line}: ")


def test_gateway_that_is_not_that_of_the_cpa(written):
    """
    Results go to one place; what the profile says of it is not repeated, for a URL may hold a secret.
    """
    (problem,) = problems_of(written, 'face = "ebms"\ncpa = "cpa.xml"\ntls = "pki"', 'gateway = "https://127.0.0.1:9443/geheim"')

    assert problem == (
        f"6: [afnemer] gateway = *****: the CPA has another endpoint for the Afnemer, {GATEWAY}.\n  Hint: leave gateway out: the CPA has it."
    )


@pytest.mark.parametrize("face", ["adapter", "ebms"])
def test_https_gateway_without_certificates(written, face):
    """
    An https gateway asks for a certificate, and the kit has none without the key tls.
    """
    (problem,) = problems_of(written, f'face = "{face}"', f'gateway = "{GATEWAY}"')

    assert problem.startswith("4: [afnemer] gateway = *****: the gateway is an https URL, and without certificates")
    assert 'Hint: `berichtenbox pki new pki --oin OIN` makes them; then write tls = "pki/" below [berichtenbox].' in problem


def test_http_gateway_with_certificates(written):
    """
    With certificates nothing goes over plain http.
    """
    (problem,) = problems_of(written, 'face = "ebms"\ntls = "pki"', f'gateway = "{PLAIN_GATEWAY}"')

    assert problem == (
        "5: [afnemer] gateway = *****: with the key tls every connection is https, and the gateway is an http URL.\n"
        "  Hint: let your gateway receive on https."
    )


@pytest.mark.parametrize(("gateway", "box", "text"), [(GATEWAY, "", "is an https URL"), (PLAIN_GATEWAY, 'tls = "pki"', "is an http URL")])
def test_gateway_of_the_cpa_and_certificates(written, place, gateway, box, text):
    """
    The endpoint of a CPA goes together with the certificates too.
    """
    (place / "cpa.xml").write_bytes(cpa_of(gateway=gateway))

    (problem,) = problems_of(written, f'cpa = "cpa.xml"\nface = "ebms"\n{box}')

    assert problem.startswith('2: [berichtenbox] cpa = "cpa.xml": ')
    assert text in problem


def test_bsn_in_a_path_is_not_repeated(written):
    """
    A message shows no BSN, also not in the command of its hint.
    """
    problems = problems_of(written, 'tls = "999990019"\ncpa = "999990019"')

    assert len(problems) == 2
    assert "999990019" not in "".join(problems)


def test_sections_that_are_none_are_told(place):
    """
    A profile whose sections are no sections says nothing of the wire.
    """
    (place / "afnemer.toml").write_text("berichtenbox = 3\nafnemer = 4\n")

    with pytest.raises(ProfileError, match="expected the section") as caught:
        load(place / "afnemer.toml")
    assert len(caught.value.problems) == 2


# -- the register ----------------------------------------------------------------------------------------------------------------------------


def test_register_is_found_from_the_profile(written, place):
    """
    It stands beside the profile, and fills a ledger with its citizens; without one there is nothing to fill it with.
    """
    (place / "burgers.csv").write_text("bsn,actief,oin,berichttype,wil\n999990007,ja,,,\n")

    profile = written('register = "burgers.csv"')
    with SqlLedger("sqlite://") as ledger:
        box = Berichtenbox(ledger, profile.connection_config(), population=profile.population())

        assert profile.berichtenbox.register == place / "burgers.csv"
        assert box.register.wanting(OIN, "BELAST", ["999990007", "999990019"]) == {"999990007"}
    assert written("").population() is None


@pytest.mark.parametrize(("content", "said"), [(None, "the register cannot be read: No such file"), ("999990007,ja", "expected the header bsn,")])
def test_register_that_is_none_is_refused(written, place, content, said):
    """
    A file that is not there, and one with another first line, which is not quoted.
    """
    if content is not None:
        (place / "burgers.csv").write_text(content)

    (problem,) = problems_of(written, 'register = "burgers.csv"')

    assert problem.startswith(f'2: [berichtenbox] register = "burgers.csv": {said}')
    assert "Hint: its first line is bsn,actief,oin,berichttype,wil; commas or semicolons." in problem
    assert "999990007" not in problem
