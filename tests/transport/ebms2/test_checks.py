"""Every row of what a receiver checks: one change of a valid message, and the code, the place and the words that answer it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.messages.moments import write_moment
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.checks import Situation, first_error
from conformance.transport.ebms2.knowledge import StoredAnswer
from conformance.transport.ebms2.mime import MimeMessage
from conformance.transport.ebms2.model import AckRequested, EbmsError, Side, SyncReply
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, MSH_SERVICE
from conformance.transport.ebms2.reading import Received

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SR, SP = PartyId("urn:osb:oin", "00000099000000001000"), PartyId("urn:osb:oin", "00000099000000002000")
STRANGER = PartyId("urn:osb:oin", "00000099000000009000")
SYNC = ('syncReplyMode="none"', 'syncReplyMode="mshSignalsOnly"')
HEADER = "//Header/MessageHeader"
INVALID, WRONG, NOT_FOUND = "Invalid value.", "Wrong value.", "Value not found."


def error(pair, message, **changes):
    """Return the first error that Logius finds."""
    agreement = pair.sp.agreement("CPA_1")
    route = agreement.incoming(message.sender.role, message.receiver.role, message.service.flat, message.action)
    received = Received(message, b"", MimeMessage((), None, None, ""), **changes)
    return first_error(received, Situation(agreement, route, pair.store["SP"], pair.now))


def test_valid_message_has_no_error(pair):
    """
    The message from which every row departs is in order.
    """
    assert error(pair, pair.request()) is None


@pytest.mark.parametrize(
    ("changes", "code", "location", "description"),
    [
        pytest.param({"timestamp": "2025-12-31T23:59:59.999Z"}, "Inconsistent", f"{HEADER}/@cpaid", "Invalid CPA.", id="05-before-start"),
        pytest.param({"timestamp": "2027-01-01T00:00:00.001Z"}, "Inconsistent", f"{HEADER}/@cpaid", "Invalid CPA.", id="05-after-end"),
        pytest.param({"timestamp": "99999-01-01T00:00:00Z"}, "Inconsistent", f"{HEADER}/MessageData/Timestamp", INVALID, id="05-timestamp"),
        pytest.param({"version": "1.0"}, "Inconsistent", f"{HEADER}/@version", INVALID, id="06"),
        pytest.param({"sender": Side((PartyId("", "an OIN"),), "SR")}, "Inconsistent", f"{HEADER}/From/PartyId", INVALID, id="07"),
        pytest.param({"sender": Side((SR,))}, "Inconsistent", f"{HEADER}/From/Role", INVALID, id="08-none"),
        pytest.param({"sender": Side((SR,), "")}, "Inconsistent", f"{HEADER}/From/Role", INVALID, id="08-empty"),
        pytest.param({"sender": Side((STRANGER,), "SR")}, "Inconsistent", f"{HEADER}/From/PartyId", NOT_FOUND, id="09-stranger"),
        pytest.param({"sender": Side((SR, STRANGER), "SR")}, "Inconsistent", f"{HEADER}/From/PartyId", NOT_FOUND, id="09-one-of-two"),
        pytest.param({"sender": Side((SP,), "SR")}, "Inconsistent", f"{HEADER}/From/PartyId", NOT_FOUND, id="09-this-side"),
        pytest.param({"sender": Side((), "SR")}, "Inconsistent", f"{HEADER}/From/PartyId", NOT_FOUND, id="09-nobody"),
        pytest.param({"receiver": Side((PartyId("", "x"),), "SP")}, "Inconsistent", f"{HEADER}/To/PartyId", INVALID, id="10"),
        pytest.param({"receiver": Side((SP,))}, "Inconsistent", f"{HEADER}/To/Role", INVALID, id="11"),
        pytest.param({"receiver": Side((STRANGER,), "SP")}, "Inconsistent", f"{HEADER}/To/PartyId", NOT_FOUND, id="12-stranger"),
        pytest.param({"receiver": Side((SR,), "SP")}, "Inconsistent", f"{HEADER}/To/PartyId", NOT_FOUND, id="12-other-side"),
        pytest.param({"service": PartyId("", "MIJNOVERHEID.ebMS.BB.2.0")}, "Inconsistent", f"{HEADER}/Service", INVALID, id="13"),
        pytest.param({"action": ""}, "Inconsistent", f"{HEADER}/Action", INVALID, id="14"),
        pytest.param({"action": "GLOBE-R-BV-Result"}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-of-the-other"),
        pytest.param({"action": "Unknown"}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-action"),
        pytest.param({"sender": Side((SR,), "SP")}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-role"),
        pytest.param({"receiver": Side((SP,), "SR")}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-to-role"),
        pytest.param({"service": PartyId("urn:osb:services", "x")}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-service"),
        pytest.param(
            {"service": PartyId("urn:other", "MIJNOVERHEID.ebMS.BB.2.0")}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-type"
        ),
        pytest.param(
            {"service": PartyId("", MSH_SERVICE), "action": "ping"}, "ValueNotRecognized", f"{HEADER}/Action", NOT_FOUND, id="15-msh-action"
        ),
        pytest.param({"ref_to_message_id": "no@where"}, "ValueNotRecognized", f"{HEADER}/MessageData/RefToMessageId", NOT_FOUND, id="16"),
        pytest.param({"time_to_live": "2026-11-23T12:00:00Z"}, "TimeToLiveExpired", f"{HEADER}/MessageData/TimeToLive", "", id="17"),
        pytest.param({"time_to_live": "2026-11-23T13:59:00+02:00"}, "TimeToLiveExpired", f"{HEADER}/MessageData/TimeToLive", "", id="17-offset"),
        pytest.param({"time_to_live": "99999-01-01T00:00:00Z"}, "Inconsistent", f"{HEADER}/MessageData/TimeToLive", INVALID, id="17-unreadable"),
        pytest.param({"duplicate_elimination": False}, "Inconsistent", f"{HEADER}/DuplicateElimination", WRONG, id="18"),
        pytest.param({"ack_requested": None}, "Inconsistent", "//Header/AckRequested", WRONG, id="19"),
        pytest.param({"ack_requested": AckRequested(version="1.0")}, "Inconsistent", "//Header/AckRequested/@version", INVALID, id="20"),
        pytest.param(
            {"ack_requested": AckRequested(actor=ACTOR_NEXT_MSH)},
            "NotSupported",
            "//Header/AckRequested/@actor",
            "NextMSH not supported.",
            id="21-next",
        ),
        pytest.param({"ack_requested": AckRequested(actor="urn:x")}, "Inconsistent", "//Header/AckRequested/@actor", INVALID, id="21"),
        pytest.param({"ack_requested": AckRequested("true")}, "Inconsistent", "//Header/AckRequested/@signed", WRONG, id="22"),
        pytest.param({"ack_requested": AckRequested("1")}, "Inconsistent", "//Header/AckRequested/@signed", WRONG, id="22-one"),
        pytest.param({"sync_reply": SyncReply()}, "Inconsistent", "//Header/SyncReply", WRONG, id="23"),
        pytest.param({"has_message_order": True}, "NotSupported", "//Header/MessageOrder", "MessageOrder not supported.", id="25"),
        pytest.param({"manifest_version": "1.0"}, "Inconsistent", "//Body/Manifest/@version", INVALID, id="27"),
    ],
)
def test_each_row_has_its_error(pair, changes, code, location, description):
    """
    A row names its own code, place and words.
    """
    assert error(pair, pair.request(**changes)) == EbmsError(code, location, description)


@pytest.mark.parametrize(
    ("reply", "location", "description"),
    [
        (None, "//Header/SyncReply", WRONG),
        (SyncReply(version="1.0"), "//Header/SyncReply/@version", INVALID),
        (SyncReply(actor="urn:x"), "//Header/SyncReply/@actor", WRONG),
    ],
)
def test_sync_reply_of_a_synchronous_cpa(sync_pair, reply, location, description):
    """
    Rows 23 and 24: where the CPA is synchronous, SyncReply is there, and is right.
    """
    assert error(sync_pair, sync_pair.request(sync_reply=reply)) == EbmsError("Inconsistent", location, description)
    assert error(sync_pair, sync_pair.request()) is None


def test_reference_that_is_no_cid(pair):
    """
    Row 28: a reference elsewhere is named in the location, and goes before a part that is missing.
    """
    found = error(pair, pair.request(), bad_hrefs=("http://x/",), missing=("cid:y",))

    assert found == EbmsError("MimeProblem", "//Body/Manifest/Reference[@href='http://x/']", "URI cannot be resolved.")


def test_reference_without_a_part(pair):
    """
    Row 29: the location is the reference itself.
    """
    assert error(pair, pair.request(), missing=("cid:y",)) == EbmsError("MimeProblem", "cid:y", "MIME part not found.")


def test_only_the_first_failure_is_reported(pair):
    """
    Two mistakes give the one of the earlier row.
    """
    found = error(pair, pair.request(version="1.0", has_message_order=True, ack_requested=None))

    assert found.location == f"{HEADER}/@version"


@pytest.mark.parametrize(
    "changes",
    [
        {"has_signature": True},
        {"time_to_live": None},
        {"time_to_live": "2026-11-23T12:00:00.001Z"},
        {"timestamp": "2026-11-23T13:00:00.123456+01:00"},
        {"timestamp": "2026-11-23T12:00:00"},
        {"ack_requested": AckRequested(actor=None)},
        {"ack_requested": AckRequested("0")},
        {"sender": Side((PartyId("", SR.flat),), "SR")},
        {"service": PartyId("", "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0")},
        {"references": None, "payloads": ()},
        {"ref_to_message_id": "received@before"},
        {"ref_to_message_id": "sent@before"},
    ],
)
def test_what_is_allowed_is_no_error(pair, changes):
    """
    Row 26 and others: a signature is ignored, both spellings of a party count, and a message need not have payloads or a TimeToLive.
    """
    pair.store["SP"].answers["received@before"] = StoredAnswer("CPA_1", None)
    pair.store["SP"].sent["sent@before"] = "CPA_1"

    assert error(pair, pair.request(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "message", "location"),
    [
        ((('ackRequested="always"', 'ackRequested="never"'),), {"ack_requested": AckRequested()}, "//Header/AckRequested"),
        ((('duplicateElimination="always"', 'duplicateElimination="never"'),), {"duplicate_elimination": True}, f"{HEADER}/DuplicateElimination"),
        ((('ackSignatureRequested="never"', 'ackSignatureRequested="always"'),), {"ack_requested": AckRequested()}, "//Header/AckRequested/@signed"),
    ],
)
def test_what_the_cpa_forbids_is_wrong_when_it_is_there(make_pair, changes, message, location):
    """
    Never is as strict as always.
    """
    pair = make_pair(*changes)

    assert error(pair, pair.request(**message)) == EbmsError("Inconsistent", location, WRONG)


def test_cpa_may_leave_it_to_the_message(make_pair):
    """
    With perMessage both are right, and only a signed Acknowledgment cannot be given.
    """
    said = {"ackRequested": "always", "duplicateElimination": "always", "ackSignatureRequested": "never"}
    changes = [(f'{name}="{value}"', f'{name}="perMessage"') for name, value in said.items()]
    pair = make_pair(*changes)

    assert error(pair, pair.request(ack_requested=None, duplicate_elimination=False)) is None
    assert error(pair, pair.request()) is None
    assert error(pair, pair.request(ack_requested=AckRequested("true"))) == EbmsError(
        "NotSupported", "//Header/AckRequested/@signed", "Signed Acknowledgment not supported."
    )


@pytest.mark.parametrize("status", ["proposed", "signed"])
def test_cpa_that_is_not_agreed_is_not_used(make_pair, status):
    """
    Row 5: only an agreed CPA counts.
    """
    pair = make_pair(('Status tns:value="agreed"', f'Status tns:value="{status}"'))

    assert error(pair, pair.request()) == EbmsError("Inconsistent", f"{HEADER}/@cpaid", "Invalid CPA.")


def test_ping_needs_no_role_no_action_and_no_reliability(pair):
    """
    A Ping is checked for its parties, its version and its times only.
    """
    ping = pair.sr.new_ping("CPA_1")

    assert error(pair, ping) is None
    assert error(pair, replace(ping, sender=Side((STRANGER,)))).location == f"{HEADER}/From/PartyId"
    assert error(pair, replace(ping, time_to_live=write_moment(NOW - timedelta(1)))).code == "TimeToLiveExpired"
    assert error(pair, replace(ping, sync_reply=SyncReply())) is None


def test_status_request_asks_about_something(pair):
    """
    A StatusRequest without its block is wrong in its body.
    """
    request = pair.sr.new_status_request("CPA_1", "some@where")

    assert error(pair, request) is None
    assert error(pair, replace(request, status_request=None)) == EbmsError("OtherXml", "//Body/StatusRequest", NOT_FOUND)
