"""The commands on contracts: what they say, and how they end."""

import json
import shlex
import sys
from xml.etree import ElementTree as ET

import pytest

from conformance.contracts.published import directory, result_messages

READS = """
import gzip, sys, xml.dom.minidom as xml
data = sys.stdin.buffer.read()
try:
    xml.parseString(gzip.decompress(data) if data[:2] == b"\\x1f\\x8b" else data)
except Exception as error:
    sys.exit("cannot be read: " + str(error))
"""


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_handler_that_reads_passes(berichtenbox):
    """
    A handler that takes what can be read and refuses the rest conforms.
    """
    ended = berichtenbox("contracts", "verify", "--handler", python(READS), "--timeout", "60")

    assert ended.code == 0
    assert ended.out.count("passed  ") == len(result_messages())
    assert f"{len(result_messages())} messages, 0 handled otherwise than the pact says." in ended.out


def test_handler_that_takes_everything_fails(berichtenbox, tmp_path):
    """
    A handler that takes what nobody can read does not conform, and hears which message that was.
    """
    ended = berichtenbox("contracts", "verify", "--handler", python("pass"), "--timeout", "60", "--junit", str(tmp_path / "junit.xml"))
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()

    assert ended.code == 1
    assert ended.out.count("FAILED  ") == 2
    assert "hint        who takes what cannot be read loses it" in ended.out
    assert (suite.get("tests"), suite.get("failures")) == (str(len(result_messages())), "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "abonnementen: cannot be read",
        "verwerkingsbericht: cannot be read",
    ]
    assert "FAILED  verwerkingsbericht: cannot be read\n    expected    refused" in ended.out


def test_handler_that_refuses_everything_fails(berichtenbox):
    """
    A handler that takes nothing does not conform.
    """
    ended = berichtenbox("contracts", "verify", "--handler", python("raise SystemExit(3)"), "--timeout", "60")

    assert ended.code == 1
    assert "seen        exit code 3" in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("verify", "--handler", "http://127.0.0.1:9/"), 3, "nobody listens at 127.0.0.1:9"),
        (("verify", "--handler", "./is-er-niet"), 3, "cannot be started"),
        (("verify", "--handler", "ftp://x"), 2, "expected an http or https URL"),
        (("verify",), 2, "Missing option '--handler'"),
        (("verify", "--handler", "true", "--pacts", "weg"), 2, "there is no such directory"),
        (("provider",), 2, "give either --pacts or --broker"),
        (("provider", "--pacts", "x", "--broker", "http://x"), 2, "give either --pacts or --broker"),
        (("provider", "--pacts", "weg"), 2, "there is no such directory"),
        (("provider", "--broker", "http://127.0.0.1:9"), 3, "does not answer"),
    ],
)
def test_mistakes_and_absence_have_their_own_codes(berichtenbox, arguments, code, text):
    """
    A mistake ends with 2, and nobody there with 3: neither is a verdict.
    """
    ended = berichtenbox("contracts", *arguments)

    assert ended.code == code
    assert text in " ".join(ended.err.split())


def test_provider_verifies_pacts_of_a_directory(berichtenbox, tmp_path):
    """
    Pacts that the Berichtenbox keeps end with 0, one that is broken with 1, and one that is no pact with 2.
    """
    pact = json.loads((directory() / "afnemer-berichtenbox.json").read_text())
    pact["interactions"] = [item for item in pact["interactions"] if item["description"] == "adapter: nothing waits"]
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(pact))

    kept = berichtenbox("contracts", "provider", "--pacts", str(tmp_path))
    pact["interactions"][0]["response"]["status"] = 404
    file.write_text(json.dumps(pact))
    broken = berichtenbox("contracts", "provider", "--pacts", str(tmp_path))
    file.write_text("{")
    unreadable = berichtenbox("contracts", "provider", "--pacts", str(tmp_path))

    assert (kept.code, broken.code, unreadable.code) == (0, 1, 2)
    assert kept.out == "passed  afnemer: adapter: nothing waits\n\n1 interactions, 0 not satisfied.\n"
    assert broken.out.startswith("FAILED  afnemer: adapter: nothing waits\n    seen ")


def test_outcome_that_cannot_be_written_is_told(berichtenbox, tmp_path):
    """
    The outcome stands on the screen all the same; the exit code is that of wrong usage, so that nobody takes an old file for it.
    """
    ended = berichtenbox("contracts", "verify", "--handler", python("pass"), "--junit", str(tmp_path / "none" / "junit.xml"))

    assert ended.code == 2
    assert "FAILED  verwerkingsbericht: cannot be read" in ended.out
    assert "cannot be written: No such file or directory" in " ".join(ended.err.split())


def test_outcome_of_an_earlier_run_does_not_stay(berichtenbox, tmp_path):
    """
    When nobody listens there is no outcome, and the file of a run that went well is gone.
    """
    file = tmp_path / "junit.xml"
    file.write_text("<testsuites/>")

    ended = berichtenbox("contracts", "verify", "--handler", "http://127.0.0.1:9/", "--junit", str(file))

    assert (ended.code, file.exists()) == (3, False)
