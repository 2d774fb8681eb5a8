"""The CPAs of the adapter face: read with care, and refused in the words of the adapter."""

import re
from datetime import UTC, datetime

import pytest

from conformance.berichtenbox.cpas import CpaRefused, new_test_cpa, read_cpa
from conformance.berichtenbox.register import ConnectionConfig
from conformance.transport import cpa as transport

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TERM = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")


@pytest.fixture
def text():
    """The CPA of the test connection."""
    return new_test_cpa(ConnectionConfig().connection(), *(datetime.fromisoformat(moment) for moment in TERM))


def test_the_test_cpa_names_both_parties(text):
    """
    The CPA that is there from the start has the id and the flat parties of the connection.
    """
    cpa = transport.read_cpa(text.encode())

    assert read_cpa(text, NOW).cpa_id == cpa.cpa_id == "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000"
    assert cpa.is_usable_at(NOW)
    assert {flat for party in cpa.parties for flat in party.flat_ids} == {"urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"}


def test_what_is_shown_can_be_read_again(text):
    """
    The text is written again, and means the same.
    """
    cpa = read_cpa(text, NOW)

    assert read_cpa(cpa.text, NOW) == cpa
    assert "GLOBE-R-BV-Request" in cpa.text


@pytest.mark.parametrize(
    ("old", "new", "said", "is_bad_request"),
    [
        ("</tns:Coll", "</tns:Call", "org.xml.sax.SAXParseException; lineNumber: ", True),
        (
            "<tns:CollaborationProtocol",
            "<!DOCTYPE x><tns:CollaborationProtocol",
            "SAXParseException; lineNumber: 0; the document has a DOCTYPE",
            True,
        ),
        ("CollaborationProtocolAgreement", "Agreement", "a CollaborationProtocolAgreement with a cpaid was expected", True),
        ("cpaid=", "id=", "a CollaborationProtocolAgreement with a cpaid was expected", True),
        ("agreed", "proposed", "CPA Status is proposed!", False),
        (TERM[0], "2027-01-01T00:00:00Z", "CPA Start date not before End date!", False),
        (TERM[1], "2026-02-01T00:00:00Z", "CPA expired on 2026-02-01T00:00:00Z", False),
    ],
)
def test_a_wrong_cpa_is_refused_as_the_adapter_does(text, old, new, said, is_bad_request):
    """
    XML and schema errors are bad requests; status and dates are not.
    """
    assert old in text

    with pytest.raises(CpaRefused, match=re.escape(said)) as refusal:
        read_cpa(text.replace(old, new), NOW)

    assert refusal.value.is_bad_request is is_bad_request


def test_a_cpa_without_dates_is_taken(text):
    """
    Start and End that cannot be read are not judged.
    """
    assert read_cpa(text.replace(TERM[0], "").replace(TERM[1], "later"), NOW).cpa_id
