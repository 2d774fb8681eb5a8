"""Tests of the profile."""

import hashlib
from datetime import date

import pytest

from conformance.profile import LARGEST_PROFILE, DriverKind, Profile, ProfileError, load
from conformance.profile_keys import DEFAULT_PORT, DEFAULT_URL, SERVICES

OIN = "00000099000000001000"
FULL = """
[afnemer]
name = "Gemeente Elders"
oin = "00000099000000003000"
bericht_types = ["BELAST", "BELAST", "ABC"]
services = ["aanleveren"]
intermediair_for = ["00000099000000004000"]

[driver]
kind = "command"
command = "TOKEN=geheim ./shim.sh"
restart = "TOKEN=geheim ./restart.sh"

[berichtenbox]
face = "adapter"
host = "localhost"
port = 9009
cpa_id = "CPA-1"

[timing]
reaction_s = 2

[declared]
VERW-036 = "wiped after a day"
SNO-INC-08 = "in the handbook"

[[known_failures]]
id = "AANL-035"
reason = "The supplier delivers in January."
owner = "J. Jansen"
until = 2027-01-31
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a profile, and load it under a short name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> Profile:
        path = tmp_path.relative_to(tmp_path) / "afnemer.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(path)

    return write


def error_of(written, content) -> ProfileError:
    with pytest.raises(ProfileError, match=r"^afnemer\.toml") as caught:
        written(content)
    return caught.value


def test_default_profile_is_that_of_the_design():
    """
    Without a profile the reference Afnemer is Gemeente Voorbeeld, with every service and a Berichtenbox on a free port.
    """
    profile = Profile.default()

    assert repr(profile) == "<Profile of Gemeente Voorbeeld (00000099000000001000): driver reference>"
    assert profile.afnemer.services == SERVICES
    assert (profile.berichtenbox.host, profile.berichtenbox.port, profile.timing.reaction_s) == ("127.0.0.1", 0, 10.0)
    assert profile.connection_config().connection().cpa_id == f"MIJNOVERHEID-EBMS-BB-2-0_{OIN}"
    assert profile.digest == Profile.default().digest
    assert len(profile.digest) == 64
    assert profile.path is None


def test_empty_profile_has_every_default(written):
    """
    A profile needs no key at all.
    """
    profile = written("")

    assert profile.afnemer == Profile.default().afnemer
    assert (profile.driver.kind, profile.driver.location) == (DriverKind.HTTP, DEFAULT_URL)
    assert profile.berichtenbox.port == DEFAULT_PORT
    assert profile.digest == hashlib.sha256(b"").hexdigest()


def test_every_key_is_read(written):
    """
    What a profile says is what the kit knows.
    """
    profile = written(FULL)
    config = profile.connection_config()

    assert (config.oin, config.cpa_id, config.bericht_types) == ("00000099000000003000", "CPA-1", ("BELAST", "ABC"))
    assert config.intermediair_for == ("00000099000000004000",)
    assert profile.driver.location == "TOKEN=geheim ./shim.sh"
    assert profile.timing.reaction_s == 2.0
    assert profile.declared == {"VERW-036": "wiped after a day", "SNO-INC-08": "in the handbook"}
    (known,) = profile.known_failures
    assert (known.id, known.owner, known.until) == ("AANL-035", "J. Jansen", date(2027, 1, 31))
    assert profile.digest == hashlib.sha256(FULL.encode()).hexdigest()


def test_report_and_repr_show_no_secret(written):
    """
    A command may hold a secret, so that neither the report nor a repr shows it.
    """
    profile = written(FULL)

    assert "geheim" not in f"{profile.to_json()} {profile!r} {profile.driver!r}"
    assert profile.to_json()["driver"] == {"kind": "command", "location": "a command", "restarts": True}


@pytest.mark.parametrize(
    ("driver", "location", "shown"),
    [
        ('url = "https://user:secret@host:8443/path?token=1"', "https://user:secret@host:8443/path?token=1", "https://host:8443/*****"),
        ('url = "http://127.0.0.1:9001/"', "http://127.0.0.1:9001/", "http://127.0.0.1:9001"),
        ('kind = "command"\nurl = "./shim.sh"', "./shim.sh", "a command"),
        ('kind = "python"\npython = "a.b:C"', "a.b:C", "a.b:C"),
        ('kind = "python"\nurl = "a.b:C"', "a.b:C", "a.b:C"),
        ('kind = "manual"', "", ""),
        ('kind = "none"', "", ""),
    ],
)
def test_location_of_each_driver(written, driver, location, shown):
    """
    Each kind has a key of its own name, and url does for it as well; a report shows no more than where it points.
    """
    profile = written(f"[driver]\n{driver}\n")

    assert profile.driver.location == location
    assert profile.driver.masked_location == shown


def test_command_a_verb(written):
    """
    A command can be given for each verb.
    """
    driver = written('[driver]\nkind = "command"\n[driver.commands]\nberichten = "./ctl send"\nbericht = "./ctl status"\n').driver

    assert driver.commands == {"berichten": "./ctl send", "bericht": "./ctl status"}
    assert driver.masked_location == "a command for berichten, bericht"


def test_url_that_is_none_is_hidden_as_a_whole():
    """
    What cannot be taken apart is not shown at all.
    """
    driver = type(Profile.default().driver)(DriverKind.HTTP, "http://[secret")

    assert driver.masked_location == "*****"


def test_error_is_a_value_with_fields(written):
    """
    An error knows its file, line and key, and has the exit code of wrong usage.
    """
    error = error_of(written, '[afnemer]\n\noin = "1234"\n')

    assert (error.file, error.line, error.key, error.exit_code) == ("afnemer.toml", 3, "oin", 2)
    assert str(error) == (
        'afnemer.toml:3: [afnemer] oin = "1234": an OIN has 20 digits, this has 4.\n'
        "  Hint: copy it from the Subject.serialNumber of your PKIoverheid certificate."
    )


def test_all_problems_are_there_in_the_order_of_their_lines(written):
    """
    Nobody has to repair a profile mistake by mistake.
    """
    error = error_of(written, '[timing]\nreaction_s = 0\n[afnemer]\nname = ""\nsurname = ""\n')

    assert [(problem.line, problem.key) for problem in error.problems] == [(2, "reaction_s"), (4, "name"), (5, "surname")]


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        ("[afnemer]\noin = 12345\n", 2, "an OIN is a text between quotes, this is a number.\n  Hint: write oin ="),
        (f'[afnemer]\noin = "urn:osb:oin:{OIN}"\n', 2, "no prefix.\n  Hint: leave out urn:osb:oin:."),
        ('[afnemer]\noin = "0000009900000000100x"\n', 2, "an OIN has 20 digits, and nothing else."),
        ("[afnemer]\nname = true\n", 2, "expected a text between quotes, this is true or false."),
        ("[afnemer]\nname = 2026-01-01\n", 2, "this is a date or time."),
        ('[afnemer]\nname = "a\\nb"\n', 2, "on one line"),
        (f'[afnemer]\nname = "{"x" * 1001}"\n', 2, "1 to 1000 characters"),
        ("[afnemer]\nbericht_types = []\n", 2, "expected at least one.\n  Hint: for example bericht_types ="),
        ('[afnemer]\nbericht_types = "BELAST"\n', 2, "expected a list between square brackets, this is a text."),
        ('[afnemer]\nbericht_types = ["123456782"]\n', 2, "1 to 8 characters"),
        ('[afnemer]\nservices = ["alles"]\n', 2, "expected one of aanleveren, abonnementen, validatie.\n  Hint: for example services"),
        ("[afnemer]\nservices = [{}]\n", 2, "expected one of"),
        ("afnemer = 3\n", 1, "expected the section [afnemer].\n  Hint: write [afnemer] on a line of its own."),
        ("driver = 3\n", 1, "expected the section [driver]."),
        ('[driver]\nkind = "htp"\n', 2, "Hint: did you mean http?"),
        ('[driver]\nkind = "reference"\n', 2, "expected one of http, command, python, manual, none."),
        ('[driver]\nkind = "command"\n', 2, 'the key command is missing.\n  Hint: for example command = "./shim.sh".'),
        ('[driver]\nkind = "python"\n', 2, "the key python is missing."),
        ('[driver]\nkind = "python"\npython = "no class"\n', 3, "expected a module, a colon and a class."),
        ('[driver]\nurl = "127.0.0.1:9001"\n', 2, "not an http:// or https:// URL."),
        ('[driver]\nurl = "http://host:99999"\n', 2, "not an http:// or https:// URL."),
        ('[driver]\nurl = "http://a b"\n', 2, "not an http:// or https:// URL."),
        ("[driver]\nurl = 5\n", 2, "[driver] url = *****: expected a text"),
        ('[driver]\ncommand = "x"\n', 2, 'does not belong to kind = "http".\n  Hint: kind = "http" takes url.'),
        ('[driver]\nkind = "manual"\nurl = "x"\n', 3, "takes neither url, command nor python."),
        ('[driver]\nkind = "command"\ncommand = "x"\nurl = "y"\n', 4, "command says the same already.\n  Hint: leave url out."),
        ('[driver]\nkind = "command"\n[driver.commands]\nbericht3n = "x"\n', 3, "'bericht3n' is no verb.\n  Hint: did you mean bericht"),
        ('[driver]\nkind = "command"\n[driver.commands]\nzzz = "x"\n', 3, "Hint: the verbs are gezondheid"),
        ('[driver]\nkind = "command"\ncommands = "x"\n', 3, "expected a table with a command for each verb."),
        ('[berichtenbox]\nface = "ebm"\n', 2, "expected one of adapter, ebms.\n  Hint: did you mean ebms?"),
        ('[afnemer]\ngateway = "host:9443"\n', 2, "gateway = *****: not an http:// or https:// URL.\n  Hint: for example gateway = "),
        ('[berichtenbox]\nhost = "http://x/"\n', 2, "without http://"),
        ("[berichtenbox]\nport = true\n", 2, "expected a whole number from 0"),
        ("[berichtenbox]\ncpa = 5\n", 2, "this is a number.\n  Hint: for example cpa ="),
        ("[berichtenbox]\ntls = true\n", 2, "this is true or false.\n  Hint: for example tls ="),
        ("[timing]\nreaction_s = nan\n", 2, "expected a number of seconds above 0"),
        ("[timing]\nreaction_s = true\n", 2, "expected a number of seconds above 0"),
        ('declared = "x"\n', 1, "expected the section [declared]."),
        ('[declared]\nVERW-036 = ""\n', 2, 'Hint: for example VERW-036 = "what you declare".'),
        ('[declared]\nAANL-012 = "x"\n', 2, "a case decides this requirement, a declaration cannot."),
        ('[declared]\nSNO-BER-03 = "x"\n', 2, "a load profile decides this requirement, a declaration cannot."),
        ('[declared]\nSNO-INC-01 = "x"\n', 2, "a calculator decides this requirement, a declaration cannot."),
        ('[declared]\nSNO-VAL-02 = "x"\n', 2, "other requirements decide this requirement, a declaration cannot."),
        ('[declared]\nZZZZZ = "x"\n', 2, "not a requirement of the catalogue.\n  Hint: `berichtenbox specs list` shows every id."),
        ("known_failures = 3\n", 1, "expected a section [[known_failures]] for each."),
        ('[known_failures]\nid = "AANL-035"\n', 1, "expected a section [[known_failures]] for each."),
        ("[[known_failures]]\nreason = 'x'\nowner = 'y'\nuntil = 2027-01-31\n", 1, "[[known_failures]]: the key id is missing."),
        ("[[known_failures]]\nuntil = 2027-01-31T00:00:00Z\n", 2, "expected a date without quotes, this is a date or time."),
        ('[[known_failures]]\nid = ["AANL-035"]\n', 2, "this is a list."),
        ('known_failures = [\n{ id = "AANL-35" },\n]\n', 1, "did you mean AANL-035"),
        ("[afnemr]\n", 1, "[afnemr]: an unknown section.\n  Hint: did you mean afnemer?"),
        ("zzz = 1\n", 1, "the sections are afnemer, driver"),
        ("[timing]\nzzz = 1\n", 2, "[timing] zzz: an unknown key.\n  Hint: [timing] holds reaction_s."),
    ],
)
def test_each_mistake_says_where_and_what_to_do(written, content, line, text):
    """
    A mistake is told with its line, what was expected and what to do next.
    """
    error = error_of(written, content)

    assert [problem.line for problem in error.problems if text in str(problem)] == [line]


def test_known_failure_that_stands_there_twice(written):
    """
    One failure has one reason.
    """
    entry = FULL[FULL.index("[[known_failures]]") :]

    error = error_of(written, entry + entry)

    assert 'id = "AANL-035": stands there twice.' in str(error)
    assert error.line == 7


def test_bsn_in_a_profile_is_not_repeated(written):
    """
    A message shows no BSN, in whatever key somebody wrote it.
    """
    error = error_of(written, '[afnemer]\noin = "999990019"\n999990019 = 1\n')

    assert "999990019" not in str(error)
    assert error.line == 2


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        ("[afnemer\n", 1, "not TOML: Expected ']' at the end of a table declaration at column 9."),
        ("[afnemer]\noin = 00000099000000001000\n", 2, "not TOML:"),
        ("[afnemer]\nname = 'x", 2, 'not TOML: Expected "\'".'),
        (b"[afnemer]\nname = 'caf\xe9'\n", 2, "not UTF-8: the byte 0xe9 does not belong there.\n  Hint: save the file as UTF-8."),
        ("x = " + "[" * 5000, 0, "not a profile: it is nested too deep."),
        (b"#" * (LARGEST_PROFILE + 1), 0, "larger than 1000000 bytes"),
    ],
)
def test_file_that_is_no_profile(written, content, line, text):
    """
    A file that is not TOML, not UTF-8 or not of this world is told with its line where that is known.
    """
    error = error_of(written, content)

    assert error.line == line
    assert text in str(error)


def test_windows_file_is_read(written):
    """
    A byte order mark and CRLF line ends, as Windows writes them, are no mistake.
    """
    profile = written(b'\xef\xbb\xbf[afnemer]\r\nname = "Gemeente Elders"\r\n')

    assert profile.afnemer.name == "Gemeente Elders"


def test_missing_file_and_directory(tmp_path):
    """
    A file that is not there, or is no file, is told with what to do.
    """
    with pytest.raises(ProfileError, match="`berichtenbox init` writes a commented one"):
        load(tmp_path / "afnemer.toml")
    with pytest.raises(ProfileError, match="give a TOML file that can be read"):
        load(tmp_path)
