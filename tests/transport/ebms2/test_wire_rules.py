"""What the rules say of a message on the wire: nothing of a right one, and of each wrong one exactly what is wrong."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.catalogue import catalogue
from conformance.messages.envelope import Part
from conformance.messages.moments import write_moment
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.mime import read_mime
from conformance.transport.ebms2.model import AckRequested, SyncReply
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, SOAP_ACTION, Kind
from conformance.transport.ebms2.wire_rules import RULES, Agreed, grade_sent
from conformance.transport.ebms2.wire_sent import SentPart, SentRequest, read_sent
from conformance.transport.ebms2.writing import write_message

BOUNDARY = "=_b"


@pytest.fixture
def agreed(pair):
    return Agreed.of(pair.sr.agreement("CPA_1"))


def as_read(outgoing, wall, **changes):
    """Return a request as the receiver keeps it when it could read it."""
    mime = read_mime(outgoing.content_type, outgoing.body)
    parts = tuple(SentPart(tuple(part.headers.items()), hashlib.sha256(part.content).hexdigest()) for part in mime.parts)
    said = {"kind": Kind.USER, "parts": parts if mime.boundary else (), "soap": outgoing.soap}
    return SentRequest(**(_http(outgoing, wall) | said | changes))


def as_refused(outgoing, wall, **changes):
    """Return a request as the receiver keeps it when it could not."""
    return SentRequest(**(_http(outgoing, wall) | {"kind": "", "parts": (), "soap": outgoing.body} | changes))


def _http(outgoing, wall):
    headers = (("content-type", outgoing.content_type), ("soapaction", SOAP_ACTION))
    return {"method": "POST", "path": "/ebms", "http_version": "1.1", "headers": headers, "size": len(outgoing.body), "wall": wall}


@pytest.fixture
def sent(pair):
    """Return a right message, with changed fields, and with texts replaced in its bytes (then nobody could read it)."""

    def make(*texts, refused=False, http=None, **fields):
        outgoing = write_message(pair.request(**fields), boundary=BOUNDARY)
        body, soap = outgoing.body, outgoing.soap
        for old, new in texts:
            assert old in body, old
            body, soap = body.replace(old, new), soap.replace(old, new)
        outgoing = replace(outgoing, body=body, soap=soap)
        return read_sent((as_refused if refused else as_read)(outgoing, pair.now, **(http or {})))

    return make


def broken(agreed, *messages):
    """Return the requirements that these messages break."""
    return {name for name in RULES if grade_sent(name, messages, agreed).findings}


def test_every_rule_is_in_the_catalogue():
    """
    There is a rule for each requirement that a message on the wire decides.
    """
    assert set(RULES) == {f"EBMS-{number:03d}" for number in (*range(1, 22), 41)}
    assert set(RULES) <= set(catalogue())


@pytest.mark.parametrize("is_refused", [False, True], ids=["read", "refused"])
def test_right_message_breaks_nothing(agreed, sent, is_refused):
    """
    A right message breaks no rule and lets each decide, also when its receiver did not read it; and so does another one after it.
    """
    messages = (sent(refused=is_refused), sent(refused=is_refused))

    assert broken(agreed, *messages) == set()
    assert all(grade_sent(name, messages, agreed).is_decided for name in RULES)


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({"method": "PUT"}, "EBMS-001"),
        ({"http_version": "1.0"}, "EBMS-001"),
        ({"path": "/other"}, "EBMS-001"),
    ],
)
def test_request_line_is_judged(agreed, sent, http, expected):
    """
    Another method, version or path than agreed breaks the rule on HTTP.
    """
    assert broken(agreed, sent(http=http)) == {expected}


def test_path_that_cannot_be_seen_is_not_judged(agreed, sent):
    """
    Behind something that gives requests another path, the path of the sender is not known.
    """
    assert broken(agreed, sent(http={"path": None})) == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("soapaction", "ebXML", {"EBMS-002"}),
        ("soapaction", None, {"EBMS-002"}),
        ("authorization", "Basic x", {"EBMS-004"}),
        ("mime-version", "1.0", {"EBMS-004"}),
        ("content-type", 'multipart/related; boundary="=_b"', {"EBMS-003"}),
        ("content-type", 'multipart/mixed; type="text/xml"; boundary="=_b"', {"EBMS-003"}),
        ("content-type", 'multipart/related; type="text/xml"; boundary="=_b"; start="<other@x>"', {"EBMS-003"}),
        ("content-type", "multipart/related; a=1; a=2", {"EBMS-003"}),
    ],
)
def test_http_headers_are_judged(agreed, sent, name, value, expected):
    """
    A header that is wrong, absent or unwanted breaks its rule.
    """
    right = sent(message_id="m@x").request.headers
    headers = (*(pair for pair in right if pair[0] != name), *([] if value is None else [(name, value)]))

    assert broken(agreed, sent(message_id="m@x", http={"headers": headers})) == expected


def test_secret_of_a_header_is_not_told(agreed, sent):
    """
    The finding on an Authorization header does not repeat what stands in it.
    """
    headers = (*sent().request.headers, ("authorization", "Basic c2VjcmV0"))

    (found,) = grade_sent("EBMS-004", [sent(http={"headers": headers})], agreed).findings

    assert "c2VjcmV0" not in str(found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"text/xml; charset=UTF-8", b"application/xml", {"EBMS-005"}),
        (b"text/xml; charset=UTF-8", b"text/xml; charset=ISO-8859-1", {"EBMS-005"}),
        (b"text/xml; charset=UTF-8", b"text/xml; a=1; a=2", {"EBMS-005"}),
        (b'encoding="UTF-8"', b'encoding="ISO-8859-1"', {"EBMS-005"}),
        (b"<soap:Envelope ", b"<!DOCTYPE x><soap:Envelope ", {"EBMS-005"}),
        (b"</soap:Envelope>", b"</soap:Envelop>", {"EBMS-005"}),
        (b"Content-ID: <1.", b"Content-ID: 1.", {"EBMS-006"}),
        (b"Content-ID: <1.", b"Content-IX: <1.", {"EBMS-006", "EBMS-021"}),
        (b"application/xml\r\n", b"application/xml\r\nContent-Transfer-Encoding: base64\r\n", {"EBMS-007"}),
        (b' eb:version="2.0"', b' version="2.0"', {"EBMS-008", "EBMS-009", "EBMS-018", "EBMS-021"}),
        (b"<eb:DuplicateElimination/>", b"<eb:Duplicates/>", {"EBMS-008", "EBMS-017"}),
        (b"<eb:AckRequested", b"<eb:Unknown/><eb:AckRequested", {"EBMS-008"}),
        (b"eb:MessageHeader", b"eb:Header", {"EBMS-008"}),
        (b'MessageHeader eb:version="2.0" soap:mustUnderstand="1"', b'MessageHeader eb:version="2.0" soap:mustUnderstand="0"', {"EBMS-009"}),
        (b'MessageHeader eb:version="2.0"', b'MessageHeader eb:version="1.0"', {"EBMS-009"}),
        (b"<eb:AckRequested", b'<e:Data xmlns:e="http://www.w3.org/2001/04/xmlenc#"/><eb:AckRequested', {"EBMS-020"}),
        (b"Content-Type: application/xml", b"Content-Type: application/pkcs7-mime", {"EBMS-020"}),
        (b'xlink:type="simple"', b'xlink:type="extended"', {"EBMS-008", "EBMS-021"}),
        (b'xlink:type="simple"', b'xmlns:a="urn:a" a:b="c"', {"EBMS-021"}),
        (b"cid:", b"https://example.org/", {"EBMS-021"}),
        (b"eb:Manifest", b"eb:Manifesto", {"EBMS-008", "EBMS-021"}),
        (b"--=_b--\r\n", b"", {"EBMS-003"}),
        (b"--=_b", b"--other", {"EBMS-003", "EBMS-005"}),
    ],
)
def test_bytes_that_were_refused_are_judged(agreed, sent, old, new, expected):
    """
    What a receiver refuses is judged as far as it can be read, and only for what is wrong with it.
    """
    assert broken(agreed, sent((old, new), refused=True)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cpa_id": "cpa_1"}, "EBMS-012"),
        ({"action": "GLOBE-R-BV-Request "}, "EBMS-013"),
        ({"service": PartyId("", "MIJNOVERHEID.ebMS.BB.2.0")}, "EBMS-013"),
        ({"message_id": "no-domain"}, "EBMS-014"),
        ({"timestamp": "yesterday"}, "EBMS-015"),
        ({"time_to_live": "2026-11-23T12:30:00Z"}, "EBMS-016"),
        ({"duplicate_elimination": False}, "EBMS-017"),
        ({"ack_requested": None}, "EBMS-018"),
        ({"sync_reply": SyncReply()}, "EBMS-019"),
        ({"has_message_order": True}, "EBMS-020"),
        ({"has_signature": True}, "EBMS-020"),
        ({"references": ()}, "EBMS-021"),
        ({"references": ("cid:1.m@x", "cid:other@x"), "message_id": "m@x"}, "EBMS-021"),
        ({"conversation_id": ""}, "EBMS-041"),
    ],
)
def test_field_of_the_header_is_judged(agreed, sent, fields, expected):
    """
    Each field of a message that is not as agreed breaks its own rule (what the schema also forbids breaks that one too).
    """
    assert broken(agreed, sent(**fields)) - {"EBMS-008"} == {expected}


def test_time_to_live_may_be_absent(agreed, sent):
    """
    A message without TimeToLive never expires, and leaves room for all retries.
    """
    assert broken(agreed, sent(time_to_live=None)) == set()


@pytest.mark.parametrize(("signed", "actor"), [("true", None), ("false", "urn:other"), ("false", ACTOR_NEXT_MSH)])
def test_ack_requested_is_judged(agreed, sent, signed, actor):
    """
    A signed acknowledgment, or one of another actor than the To Party, is not for this profile.
    """
    asked = AckRequested(signed, actor)

    assert broken(agreed, sent(ack_requested=asked)) - {"EBMS-020"} == {"EBMS-018"}


@pytest.mark.parametrize(
    "ids", [(PartyId("", "urn:osb:oin:00000099000000001000"),), (PartyId("urn:osb:oin", "1234"),), ()], ids=["no-type", "no-oin", "none"]
)
def test_party_ids_are_judged(agreed, pair, sent, ids):
    """
    A PartyId has the type of an OIN, and twenty digits.
    """
    sender = replace(pair.request().sender, ids=ids)

    assert broken(agreed, sent(sender=sender)) - {"EBMS-008"} == {"EBMS-010"}


@pytest.mark.parametrize("role", [None, "SP"])
def test_roles_are_judged(agreed, pair, sent, role):
    """
    The roles are those of the CPA, and both are there.
    """
    sender = replace(pair.request().sender, role=role)

    assert broken(agreed, sent(sender=sender)) == {"EBMS-011"}


def test_suffix_of_a_test_oin_is_fine(agreed, pair, sent):
    """
    Outside production an OIN may have a suffix.
    """
    sender = replace(pair.request().sender, ids=(PartyId("urn:osb:oin", "00000099000000001000_T"),))

    assert "EBMS-010" not in broken(agreed, sent(sender=sender))


# -- over several messages -----------------------------------------------------------------------------------------------------------------------


def test_copy_is_the_same_message(agreed, sent):
    """
    A copy keeps its MessageId, its Content-IDs and its Timestamp, however late it comes.
    """
    first = sent(message_id="one@x")
    copy = replace(first, request=replace(first.request, wall=first.request.wall + timedelta(hours=5)))

    assert broken(agreed, first, copy) == set()


def test_message_id_that_comes_back_is_seen(agreed, sent):
    """
    A MessageId under which other content came before is not of its own; and neither are the Content-IDs made of it.
    """
    first = sent(message_id="one@x")
    second = replace(first, parts=(first.parts[0], replace(first.parts[1], sha256="other")))

    assert broken(agreed, first, second) == {"EBMS-014"}


@pytest.mark.parametrize(("content", "expected"), [(b"<y/>", {"EBMS-006"}), (b"<x/>", set())], ids=["other content", "the same content"])
def test_content_id_that_comes_back_is_seen(agreed, sent, content, expected):
    """
    A Content-ID names one content for ever.
    """
    named = [{"payloads": (Part(one, "application/xml", None, "p@x"),), "references": ("cid:p@x",)} for one in (b"<x/>", content)]

    assert broken(agreed, *(sent(**fields) for fields in named)) == expected


def test_content_id_for_two_parts_is_seen(agreed, sent):
    """
    Two parts of one message do not share a Content-ID.
    """
    parts = tuple(Part(content, "application/xml", None, f"{number}@x") for number, content in enumerate((b"<x/>", b"<y/>")))
    message = sent((b"<1@x>", b"<0@x>"), refused=True, payloads=parts, references=("cid:0@x", "cid:1@x"))

    assert "EBMS-006" in broken(agreed, message)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_clock_that_is_wrong_is_seen(agreed, pair, sent, minutes):
    """
    A Timestamp ten minutes before or after the real time is wrong when every message has it.
    """
    message = sent(timestamp=write_moment(pair.now + timedelta(minutes=minutes)), time_to_live=None)

    assert broken(agreed, message) == {"EBMS-015"}


def test_copy_whose_first_sending_nobody_saw_is_no_wrong_clock(agreed, pair, sent):
    """
    When other messages show a right clock, an old Timestamp may be that of a message of which the first sending failed.
    """
    old = sent(message_id="old@x", timestamp=write_moment(pair.now - timedelta(hours=3)), time_to_live=None)
    ancient = sent(message_id="ancient@x", timestamp=write_moment(pair.now - timedelta(days=3)), time_to_live=None)

    assert broken(agreed, sent(), old) == set()
    assert broken(agreed, sent(), ancient) == {"EBMS-015"}


def test_conversation_of_an_answer_is_judged(agreed, sent):
    """
    A message that refers to an earlier one is of the same conversation, and so is a copy.
    """
    first = sent(message_id="one@x", conversation_id="c1")
    same, other = (sent(ref_to_message_id="one@x", conversation_id=name) for name in ("c1", "c2"))
    copy = sent(message_id="one@x", conversation_id="c3")

    assert broken(agreed, first, same) == set()
    assert broken(agreed, first, other) == {"EBMS-041"}
    assert broken(agreed, first, copy) == {"EBMS-041"}


def test_finding_says_where(agreed, sent):
    """
    A finding names the message and the place; the offenders are given beside it.
    """
    graded = grade_sent("EBMS-012", [sent(), wrong := sent(cpa_id="other", message_id="m@x")], agreed)

    assert str(graded.findings[0]) == "EBMS-012 at message m@x, CPAId: expected CPA_1, seen other"
    assert graded.broken_by == (wrong,)


# -- what is a message ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_changes", "is_one"),
    [
        ({"kind": Kind.ACKNOWLEDGMENT}, False),
        ({"kind": "", "size": 0}, False),
        ({"kind": "", "headers": (("content-type", "text/xml"),), "soap": b"urn:oasis:names:tc:ebxml-msg:service</eb:Service>, cut"}, False),
        ({"kind": "", "headers": (("content-type", "text/xml"),), "soap": b"garbage"}, True),
        ({"kind": "", "headers": ()}, True),
    ],
)
def test_signals_and_nothing_are_no_user_message(sent, request_changes, is_one):
    """
    What is a signal, or is nothing at all, is not judged as a message for the application; what may be one is.
    """
    request = replace(sent().request, **request_changes)

    assert read_sent(request).is_user_message is is_one


def test_signal_that_was_refused_is_no_user_message(pair):
    """
    A broken signal is told from a broken message by its Service.
    """
    ping = write_message(pair.sr.new_ping("CPA_1"))

    assert not read_sent(as_refused(ping, pair.now)).is_user_message


def test_body_of_which_the_end_is_not_known_is_read_as_far_as_it_goes(agreed, sent):
    """
    Of a large message that was refused only the beginning is kept: nothing is held against it that its end could explain.
    """
    whole = sent(refused=True).request
    cut = replace(whole, soap=whole.soap[: whole.soap.rindex(b"<x/>") + 2])

    assert broken(agreed, read_sent(cut)) == set()
    assert read_sent(cut).payload == ("",)


def test_envelope_is_found_in_a_body_without_a_boundary(agreed, sent):
    """
    When nothing says where the parts are, the envelope is judged all the same.
    """
    headers = (("content-type", "multipart/related"), ("soapaction", SOAP_ACTION))

    assert broken(agreed, sent(refused=True, http={"headers": headers})) == {"EBMS-003", "EBMS-005"}


def test_message_without_parts_has_no_multipart_to_judge(agreed, pair):
    """
    The rules on parts do not speak of a message that is an envelope only.
    """
    message = read_sent(as_read(write_message(pair.request(payloads=(), references=None)), pair.now))

    graded = {name for name in RULES if grade_sent(name, [message], agreed).is_decided}

    assert broken(agreed, message) == set()
    assert set(RULES) - graded == {"EBMS-003", "EBMS-006", "EBMS-007", "EBMS-021"}
    assert message.soap_type == "text/xml; charset=UTF-8"
