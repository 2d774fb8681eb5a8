"""The kit meets a client that is live in production: the published library, unchanged."""

import json
import sys
from pathlib import Path

import pytest

from conformance.certification import CertifyOptions, certify
from conformance.profile import load
from conformance.progress import SilentProgress

_PROFILE = """
[afnemer]
name = "Afnemer met de gepubliceerde client"
oin = "00000099000000001000"
bericht_types = ["BELAST", "PASPOORT"]
services = ["aanleveren"]

[driver]
kind = "python"
python = "ebms_client_afnemer:EbmsClientAfnemer"

[berichtenbox]
port = 0

[timing]
reaction_s = 1
"""

# What the kit finds in the library itself, looked at one by one.
_OF_THE_LIBRARY = {
    "AANL-020",  # its builder writes characters that XML 1.0 does not have
    "AANL-034",  # it writes +00:00 for Z
    "AANL-076",  # it does not do the elfproef
    "AANL-097",  # as AANL-020
    "VERW-006",  # batch_success comes from the counters
    "VERW-008",  # its parser requires Stadium
    "VERW-009",  # and requires it to have text
    "VERW-034",  # batch_success is false for an empty result
}
# What the small Afnemer around it does not do, with nothing of the library in the way.
_OF_THE_AFNEMER_AROUND_IT = {
    "AFW-002",  # it does not offer again
    "ABO-040",  # it asks nobody first
    "ABO-042",  # idem
    "AFW-003",  # it has no other channel
    "SNO-AFN-02",  # by AFW-002 and AFW-003
    "VERW-004",  # it does not unpack
    "VERW-023",  # it takes the first part
    "VERW-024",  # it compares GUIDs as they are spelled
}


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    file = tmp_path / "afnemer.toml"
    file.write_text(_PROFILE)
    yield load(file)
    sys.modules.pop("ebms_client_afnemer", None)


@pytest.mark.slow
def test_certify_finds_just_what_the_client_does_wrong(profile, tmp_path):
    """
    Every finding on a client that is live is one that was looked at: its defect, and none of ours.
    """
    certify(profile, CertifyOptions(tmp_path / "out", seed=3, heavy=False), SilentProgress())

    report = json.loads((tmp_path / "out" / "report.json").read_text())
    broken = {item["id"] for item in report["requirements"] if item["verdict"] in ("failed", "warning", "kit-error")}
    assert broken == _OF_THE_LIBRARY | _OF_THE_AFNEMER_AROUND_IT
    assert report["verdict"] == "not-conformant"


def test_delivery_with_the_client_is_conformant(profile):
    """
    What the library sends is accepted, each letter once and to its own citizen, and what it polls is booked.
    """
    only = ("AANL-001", "AANL-015", "AANL-050", "AANL-070", "AANL-073", "AANL-077", "AANL-086", "VERW-001", "VERW-003", "VERW-025", "VERW-032")

    outcome = certify(profile, CertifyOptions(None, only=only, seed=3), SilentProgress())

    assert {item.requirement.id: str(item.verdict) for item in outcome.report.requirements} == dict.fromkeys(only, "passed")
