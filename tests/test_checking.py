"""Tests of grading files with messages in them."""

import base64
import gzip
import json
from dataclasses import replace

import pytest

from conformance import checking
from conformance.checking import UnreadableFile, check_file
from conformance.messages.abonnement import AbonnementAanvraag, plain_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Action, Part
from conformance.transport.adapter import StoredMessage, write_message, write_message_request

BOUNDARY = "----=_Part_1"


def mime(*parts: bytes, head: str = f'Content-Type: multipart/related; boundary="{BOUNDARY}"\r\n\r\n', part_head: str = "text/xml") -> bytes:
    """Build a body as an ebMS message has it."""
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {part_head}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
    return head.encode() + body + f"--{BOUNDARY}--\r\n".encode()


SOAP = b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"/>'


def test_offer_is_graded(batch):
    """
    A GLOBE-R-BV-Request in XML is graded by every rule that needs no context; the others are named.
    """
    checked = check_file(batch.to_xml(), "batch.xml")

    assert repr(checked) == "<CheckedFile batch.xml: GLOBE-R-BV-Request, 0 findings>"
    assert {"AANL-020", "AANL-030", "AANL-085"} <= checked.decided
    assert {"AANL-001", "AANL-032", "AANL-035", "AANL-054", "AANL-056"} <= checked.needs_context
    assert not checked.decided & checked.needs_context


def test_finding_is_reported(document):
    """
    A rule that objects is heard.
    """
    checked = check_file(document.replace("<b:SoortGebruiker>Burger", "<b:SoortGebruiker>Bedrijf").encode(), "batch.xml")

    assert [finding.requirement for finding in checked.findings] == ["AANL-078"]


def test_result_is_graded(result):
    """
    A GLOBE-R-BV-Result is recognised by its root.
    """
    checked = check_file(result.to_xml(), "result.xml")

    assert (checked.kind, checked.findings) == ("GLOBE-R-BV-Result", ())
    assert {"VERW-053", "VERW-064"} <= checked.needs_context


def test_broken_result_is_a_finding(result):
    """
    A result that breaks off is a finding, for its root says what it was meant to be.
    """
    checked = check_file(result.to_xml()[:-10], "result.xml")

    assert [finding.requirement for finding in checked.findings] == ["VERW-050"]
    assert checked.needs_context == frozenset()


def test_packed_files_are_unpacked(batch, result):
    """
    Whoever kept a message may have packed it.
    """
    kinds = [check_file(gzip.compress(document.to_xml()), "x.gz").kind for document in (batch, result)]

    assert kinds == ["GLOBE-R-BV-Request", "GLOBE-R-BV-Result"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encoding_does_not_hide_the_root(document, encoding):
    """
    A byte order mark and UTF-16 are looked through.
    """
    text = f'<?xml version="1.0" encoding="{encoding[:6]}"?><!-- a > comment --><?pi?>\n{document}'.replace('encoding="utf-8-"', 'encoding="utf-8"')

    checked = check_file(text.encode(encoding), "batch.xml")

    assert checked.kind == "GLOBE-R-BV-Request"


def test_doctype_is_a_finding(document):
    """
    A DOCTYPE with an entity is looked through, not followed, and is a finding.
    """
    text = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{document}'

    checked = check_file(text.encode(), "batch.xml")

    assert [finding.requirement for finding in checked.findings] == ["AANL-021"]


def test_message_request_is_graded_with_its_envelope(envelope):
    """
    The JSON that was posted to the adapter is graded with its envelope.
    """
    checked = check_file(write_message_request(replace(envelope, from_role="SP")), "request.json")

    assert checked.kind == "MessageRequest with GLOBE-R-BV-Request"
    assert [finding.requirement for finding in checked.findings] == ["AANL-004"]
    assert "AANL-001" in checked.needs_context
    assert "AANL-004" not in checked.needs_context


def test_message_request_without_a_payload(envelope):
    """
    A request that carries nothing is a finding.
    """
    checked = check_file(write_message_request(replace(envelope, parts=())), "request.json")

    assert "AANL-007" in [finding.requirement for finding in checked.findings]


def test_packed_payload_is_graded_as_it_is_on_the_wire(envelope, batch):
    """
    Nobody unpacks an offer on the wire, so that a packed one is a finding.
    """
    packed = replace(envelope, parts=(Part(gzip.compress(batch.to_xml())),))

    checked = check_file(write_message_request(packed), "request.json")

    assert "AANL-020" in [finding.requirement for finding in checked.findings]


@pytest.mark.parametrize("action", [Action.BV_RESULT, Action.BV_REQUEST])
def test_message_request_with_a_result(envelope, result, action):
    """
    A result is graded as one, whatever the action says.
    """
    carried = replace(envelope, action=action, parts=(Part(gzip.compress(result.to_xml())),))

    checked = check_file(write_message_request(carried), "request.json")

    assert checked.kind == "MessageRequest with GLOBE-R-BV-Result"


def test_fetched_message_is_graded(envelope, result, known):
    """
    The JSON that was fetched from the adapter is graded by its parts.
    """
    fetched = replace(envelope, parts=(Part(SOAP), Part(result.to_xml().replace(b"00000099000000001000", b"123"))))

    checked = check_file(write_message(StoredMessage(fetched, known.received, "RECEIVED")), "message.json")

    assert checked.kind == "Message with GLOBE-R-BV-Result"
    assert checked.findings
    assert all(finding.where.startswith("part 2: ") for finding in checked.findings)


@pytest.mark.parametrize("head", [None, ""])
def test_mime_is_graded_by_its_parts(batch, result, head):
    """
    MIME is read with its header, or as the body that begins with its first delimiter.
    """
    data = mime(SOAP, batch.to_xml(), result.to_xml()) if head is None else mime(SOAP, batch.to_xml(), result.to_xml(), head=head)

    checked = check_file(data, "body")

    assert checked.kind == "MIME with GLOBE-R-BV-Request and GLOBE-R-BV-Result"
    assert checked.findings == ()
    assert {"AANL-030", "VERW-050"} <= checked.decided


def test_packed_and_encoded_parts_survive(result):
    """
    A part keeps its bytes, packed or in base64.
    """
    packed = gzip.compress(result.to_xml() * 1, mtime=0)
    encoded = mime(base64.encodebytes(packed), part_head="application/gzip\r\nContent-Transfer-Encoding: base64")

    assert check_file(mime(packed, part_head="application/gzip"), "body").findings == ()
    assert check_file(encoded, "body").findings == ()


@pytest.mark.attack
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"no message", "no XML begins here"),
        (b"<html/>", "the root is html, expected Berichten"),
        (b"<" * 500_000, "no XML begins here"),
        (b"<!--" * 100_000, "no XML begins here"),
        (b"<!DOCTYPE" + b" ]" * 100_000, "no XML begins here"),
        (b"{", "no JSON of the adapter: the body is not JSON"),
        (b"{}", "no JSON of the adapter: a MessageRequest is an object"),
        (b"{" + b'"a":{' * 100_000, "no JSON of the adapter"),
        (b'{"properties": {"fromParty": 1}}', "no JSON of the adapter: the adapter answered something"),
        (b"\x1f\x8bnonsense", "the gzip file is broken"),
        (gzip.compress(b"\0" * 111_000_000, 1, mtime=0), "unpacks to more than"),
        (b"Subject: a letter\r\n\r\ntext", "MIME headers, but no multipart"),
        (b"Content-Type: multipart/related\r\n\r\n--x", "MIME headers, but no multipart"),
        (b"X: " + b"y" * 70_000, "MIME headers, but no multipart"),
        (mime(SOAP), "none of its parts is a message"),
        (mime(*[SOAP] * 60), "more than 50 parts"),
        (mime(SOAP, part_head="multipart/mixed; boundary=x"), "multiparts within each other"),
        (b"--" + b"x" * 500, "no multipart"),
    ],
    ids=range(20),
)
def test_unreadable_file_is_told(data, text):
    """
    What is no message, or hostile, is told with what to do, and costs little.
    """
    with pytest.raises(UnreadableFile, match="Hint: ") as caught:
        check_file(data, "file")

    assert text in str(caught.value)
    assert caught.value.name == "file"


def test_file_that_is_too_large_is_not_looked_into(monkeypatch, batch):
    """
    The size is looked at first.
    """
    monkeypatch.setattr(checking, "LARGEST_FILE", 100)

    with pytest.raises(UnreadableFile, match="larger than 100 bytes"):
        check_file(batch.to_xml(), "batch.xml")


def test_root_that_holds_a_bsn_is_masked():
    """
    A message shows no BSN, wherever somebody wrote it.
    """
    with pytest.raises(UnreadableFile, match="the root is x") as caught:
        check_file(b"<x999990019/>", "file")

    assert "999990019" not in str(caught.value)


def test_json_quotes_no_bsn(envelope):
    """
    What is wrong with JSON is told without the BSN that stands in it.
    """
    request = json.loads(write_message_request(envelope))
    request["properties"]["bsn 999990019"] = "x"

    with pytest.raises(UnreadableFile, match="Unrecognized field") as caught:
        check_file(json.dumps(request).encode(), "file")

    assert "999990019" not in str(caught.value)


# -- the abonnementservices --------------------------------------------------------------------------------------------------------------------

OIN = "00000099000000001000"
ASKED = AbonnementAanvraag(OIN, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", BsnList.of(["999990019", "999990019"]))
ANSWER = plain_antwoord(OIN, ASKED.verzoek_id, [(999990019, True), (999990019, False)])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_abonnementaanvraag_is_graded(pack):
    """
    A GLOBE-R-A-Request is recognised by its root; what it needs more for is named.
    """
    checked = check_file(pack(ASKED.to_xml()), "aanvraag.xml")

    assert (checked.kind, [finding.requirement for finding in checked.findings]) == ("GLOBE-R-A-Request", ["ABO-010"])
    assert checked.needs_context == {"ABO-013"}


def test_broken_abonnementaanvraag_is_a_finding():
    """
    What breaks off is told by its root.
    """
    checked = check_file(ASKED.to_xml()[:-9], "aanvraag.xml")

    assert [finding.requirement for finding in checked.findings] == ["ABO-001"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_abonnementantwoord_is_graded(pack):
    """
    A GLOBE-R-A-Result, packed or not, is graded on what it says itself.
    """
    checked = check_file(pack(ANSWER), "antwoord")

    assert (checked.kind, [finding.requirement for finding in checked.findings]) == ("GLOBE-R-A-Result", ["ABO-066"])
    assert checked.needs_context == {"ABO-061", "ABO-063", "ABO-065", "ABO-067"}


@pytest.mark.slow
def test_abonnementantwoord_is_not_unpacked_whole():
    """
    An answer may unpack to more than any other message does.
    """
    rows = b"<Abonnement><BSN>999990019</BSN><Status>Actief</Status></Abonnement>" + b" " * 2_000
    packed = gzip.compress(ANSWER.replace(b"<Abonnementen>", b"<Abonnementen>" + rows * 60_000), 1)

    assert [finding.requirement for finding in check_file(packed, "antwoord").findings] == ["ABO-066"]


def test_broken_abonnementantwoord_needs_nothing_more():
    """
    Of an answer that cannot be read, knowing the request tells nothing.
    """
    checked = check_file(ANSWER[:-9], "antwoord")

    assert ([finding.requirement for finding in checked.findings], checked.needs_context) == (["ABO-062"], frozenset())


@pytest.mark.parametrize(
    ("action", "payload", "kind", "found"),
    [
        (Action.A_REQUEST, ASKED.to_xml(), "GLOBE-R-A-Request", ["ABO-010"]),
        (Action.BV_REQUEST, ASKED.to_xml(), "GLOBE-R-A-Request", ["ABO-010", "ABO-013"]),
        (Action.A_REQUEST, b"<x", "GLOBE-R-A-Request", ["ABO-001"]),
        (Action.A_RESULT, gzip.compress(ANSWER, mtime=0), "GLOBE-R-A-Result", ["ABO-066"]),
        (Action.A_RESULT, b"<x/>", "GLOBE-R-A-Result", ["ABO-062"]),
    ],
)
def test_message_request_of_the_abonnementservices(envelope, action, payload, kind, found):
    """
    In JSON the root decides, and where it is none the action.
    """
    data = write_message_request(replace(envelope, action=action, parts=(Part(payload),)))

    checked = check_file(data, "x.json")

    assert (checked.kind, [finding.requirement for finding in checked.findings]) == (f"MessageRequest with {kind}", found)


def test_mime_with_an_abonnementantwoord():
    """
    A packed answer is one of the parts of an ebMS message.
    """
    checked = check_file(mime(SOAP, gzip.compress(ANSWER)), "x.mime")

    assert checked.kind == "MIME with GLOBE-R-A-Result"
