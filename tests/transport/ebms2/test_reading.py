"""An HTTP body is read as a Message, or refused for a reason that a sender can act on."""

import os
from pathlib import Path

import pytest

from conformance.messages.guard import parse, schema, schema_errors
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.model import (
    Acknowledgment,
    AckRequested,
    EbmsError,
    ErrorList,
    Message,
    Side,
    StatusRequest,
    StatusResponse,
    SyncReply,
)
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, ACTOR_SOAP_NEXT, ACTOR_TO_PARTY, NS_EB, NS_SOAP, ErrorCode, Kind, MessageStatus
from conformance.transport.ebms2.reading import SCHEMA, EnvelopeFault, EnvelopeRefused, read_message

EXAMPLES = Path(os.environ.get("BERICHTENBOX_EBMS2", Path(__file__).parents[4] / "shared" / "voorbeelden" / "ebms2"))
needs_examples = pytest.mark.skipif(not (EXAMPLES / "request.mime").is_file(), reason="the example messages are not here")
SIGNALS = ("acknowledgment", "errorlist", "ping", "pong", "statusrequest", "statusresponse")

DATA = "<eb:MessageId>m@x</eb:MessageId><eb:Timestamp>2026-11-23T09:15:00Z</eb:Timestamp>"
HEADER = f"""<eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1">
<eb:From><eb:PartyId eb:type="urn:osb:oin">1</eb:PartyId><eb:Role>SR</eb:Role></eb:From><eb:To><eb:PartyId>urn:x:2</eb:PartyId></eb:To>
<eb:CPAId>cpa</eb:CPAId><eb:ConversationId>c</eb:ConversationId><eb:Service eb:type="t">s</eb:Service><eb:Action>A</eb:Action>
<eb:MessageData>{DATA}</eb:MessageData></eb:MessageHeader>"""
ENVELOPE = f"""<soap:Envelope xmlns:soap="{NS_SOAP}" xmlns:eb="{NS_EB}" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:x="urn:x">
<soap:Header>{HEADER}</soap:Header><soap:Body></soap:Body></soap:Envelope>"""
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SIGNATURE = "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#' soap:mustUnderstand='1'/>"
BLOCK = 'eb:version="2.0" soap:mustUnderstand="1"'
PLAIN = Message(
    sender=Side((PartyId("urn:osb:oin", "1"),), "SR"),
    receiver=Side((PartyId("", "urn:x:2"),)),
    cpa_id="cpa",
    conversation_id="c",
    service=PartyId("t", "s"),
    action="A",
    message_id="m@x",
    timestamp="2026-11-23T09:15:00Z",
)


def changed(*changes):
    """Return the envelope with pairs of old and new text; each old one must be there."""
    text = ENVELOPE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def with_block(block):
    """Return the envelope with one more block in the Header."""
    return changed(("</soap:Header>", f"{block}</soap:Header>"))


def with_body(block):
    """Return the envelope with this in the Body."""
    return changed(("<soap:Body>", f"<soap:Body>{block}"))


def read(soap):
    """Return the message of a plain body."""
    return read_message("text/xml; charset=UTF-8", soap).message


def refusal_of(soap, content_type="text/xml"):
    """Return why it is refused."""
    with pytest.raises(EnvelopeRefused, match=r"\w") as refused:
        read_message(content_type, soap)
    return refused.value


# -- examples ------------------------------------------------------------------------------------------------------------------------------------


def example(name):
    """Return Content-Type and body of an example."""
    if name != "request":
        return "text/xml", (EXAMPLES / f"{name}.xml").read_bytes()
    head, _, body = (EXAMPLES / "request.mime").read_bytes().partition(b"\r\n\r\n")
    return next(line[14:] for line in head.decode().split("\r\n") if line.startswith("Content-Type: ")), body


@needs_examples
def test_the_example_request_is_read_whole():
    """
    Every value that stands in the file, and the payload to the byte.
    """
    content_type, body = example("request")
    received = read_message(content_type, body)
    message, (payload,) = received.message, received.message.payloads

    assert message.sender == Side((PartyId("urn:osb:oin", "00000001234567890000"),), "SR")
    assert (message.kind, message.action, message.service.flat) == (Kind.USER, "GLOBE-R-BV-Request", "urn:osb:services:MIJNOVERHEID.ebMS.BB.2.0")
    assert (message.time_to_live, message.duplicate_elimination) == ("2026-11-24T12:15:00.000Z", True)
    assert (message.ack_requested, message.sync_reply) == (AckRequested("false", ACTOR_TO_PARTY, "2.0"), None)
    assert message.references == (f"cid:{payload.content_id}",)
    assert (payload.content_type, payload.name) == ("application/xml", "proefbericht.xml")
    assert payload.content == body[body.rindex(b"<?xml") : body.rindex(b"\r\n------=_")]
    assert received.soap == body[body.index(b"<?xml") : body.index(b"\r\n------=_", 9)]
    assert (received.missing, received.bad_hrefs, received.unreferenced) == ((), (), ())


@needs_examples
@pytest.mark.parametrize("name", ["request", *SIGNALS])
def test_the_examples_are_valid_block_by_block(name):
    """
    Our schema agrees with messages that were validated against the official one.
    """
    content_type, body = example(name)
    root = parse(read_message(content_type, body).soap)

    assert schema(SCHEMA).validate(root)
    assert [schema_errors(block, SCHEMA) for container in root for block in container] == [()] * sum(map(len, root))


@needs_examples
def test_the_example_signals_are_read():
    """
    Each has its kind, and what only that kind has.
    """
    acknowledgment, error, ping, pong, asked, answer = (read_message(*example(name)).message for name in SIGNALS)

    assert [message.kind for message in (acknowledgment, error, ping, pong, asked, answer)] == list(Kind)[1:]
    assert acknowledgment.acknowledgment.ref_to_message_id == acknowledgment.ref_to_message_id == error.ref_to_message_id
    assert [(item.code, item.lang, item.location[:4]) for item in error.error_list.errors] == [(ErrorCode.MIME_PROBLEM, "nl-NL", "cid:")]
    assert pong.ref_to_message_id == ping.message_id
    assert asked.status_request.ref_to_message_id == answer.status_response.ref_to_message_id
    assert (answer.status_response.status, answer.status_response.timestamp) == (MessageStatus.RECEIVED, "2026-11-23T09:15:01.250Z")


# -- what is read --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "text/xml; charset=UTF-8", 'TEXT/XML;charset="utf-8"', "application/xml", "text/xml; charset=us-ascii", 'text/xml; start-info="x"'],
)
def test_the_least_message_is_read(content_type):
    """
    Only what is required: the rest of the model is absent.
    """
    received = read_message(content_type, ENVELOPE.encode())

    assert received.message == PLAIN
    assert (received.soap, received.unreferenced) == (ENVELOPE.encode(), ())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(DATA, f"{DATA}<eb:RefToMessageId>r</eb:RefToMessageId>")], {"ref_to_message_id": "r"}),
        ([(DATA, f"{DATA}<eb:TimeToLive> 2026-11-24T09:15:00Z\n</eb:TimeToLive>")], {"time_to_live": "2026-11-24T09:15:00Z"}),
        ([("09:15:00Z", "09:15:00.123456+01:00")], {"timestamp": "2026-11-23T09:15:00.123456+01:00"}),
        ([("09:15:00Z", "09:15:00")], {"timestamp": "2026-11-23T09:15:00"}),
        ([(">cpa<", "> c&amp;p<!-- x -->a\n<")], {"cpa_id": " c&pa\n"}),
        ([('version="2.0"', 'version="1.0"')], {"version": "1.0"}),
        ([("</eb:MessageData>", "</eb:MessageData><eb:DuplicateElimination> </eb:DuplicateElimination>")], {"duplicate_elimination": True}),
        ([("</eb:MessageData>", "</eb:MessageData><eb:Description xml:lang='nl'>x</eb:Description><x:y x:z=''><x:q/></x:y>")], {}),
        ([("</eb:MessageHeader>", f"</eb:MessageHeader><eb:AckRequested {BLOCK} eb:signed='true'/>")], {"ack_requested": AckRequested("true", None)}),
        (
            [("</eb:MessageHeader>", f"</eb:MessageHeader><eb:SyncReply {BLOCK} soap:actor='{ACTOR_SOAP_NEXT}'><x:y/></eb:SyncReply>")],
            {"sync_reply": SyncReply()},
        ),
        (
            [("</eb:MessageHeader>", f"</eb:MessageHeader><eb:MessageOrder {BLOCK}><eb:SequenceNumber>1</eb:SequenceNumber></eb:MessageOrder>")],
            {"has_message_order": True},
        ),
        ([("</soap:Header>", f"{SIGNATURE}</soap:Header>")], {"has_signature": True}),
        ([("<eb:PartyId>urn:x:2", "<eb:PartyId eb:type='a'>b</eb:PartyId><eb:PartyId>c")], {"receiver": Side((PartyId("a", "b"), PartyId("", "c")))}),
        ([("<soap:Header>", "<soap:Header><x:y/>"), ("<soap:Body>", "<soap:Body><x:y/>")], {}),
        ([("<soap:Header>", "<soap:Header><x:y soap:mustUnderstand='0'/>")], {}),
        ([("<soap:Header>", "<soap:Header><x:y soap:mustUnderstand='1' soap:actor='urn:somebody:else'/>")], {}),
        ([("<soap:Body>", "<soap:Body><x:y soap:mustUnderstand='1'/>")], {}),
        ([("<soap:Header>", "<soap:Header><x:y><eb:Manifest/></x:y>")], {}),
        ([("</soap:Envelope>", "<x:y/></soap:Envelope>")], {}),
        ([("<soap:Envelope", "<!-- x --><?pi?><soap:Envelope soap:encodingStyle='u'")], {}),
        ([(">\n<soap:Header", f" xmlns:xsi='{XSI}' xsi:schemaLocation='u http://127.0.0.1:9/x.xsd'>\n<soap:Header")], {}),
        ([("</soap:Header>", f"{SIGNATURE}<x:y><eb:Manifest/></x:y></soap:Header>")], {"has_signature": True}),
        ([("<soap:Envelope", '<?xml version="1.0" encoding="utf-8"?><soap:Envelope')], {}),
        ([("<soap:Envelope", "\ufeff<soap:Envelope")], {}),
    ],
    ids=range(24),
)
def test_what_a_sender_may_add_is_read_or_ignored(changes, expected):
    """
    Texts stay as they are, and what is foreign makes no difference.
    """
    message = read(changed(*changes))

    assert {name: getattr(message, name) for name in expected} == expected
    assert {name: getattr(message, name) for name in PLAIN.__slots__ if name not in expected} == {
        name: getattr(PLAIN, name) for name in PLAIN.__slots__ if name not in expected
    }


def test_an_acknowledgment_is_read():
    """
    With and without actor and From.
    """
    content = "<eb:Timestamp> 2026-11-23T09:15:00Z </eb:Timestamp><eb:RefToMessageId>r</eb:RefToMessageId>"
    party = "<eb:From><eb:PartyId eb:type='t'>p</eb:PartyId><eb:Role>SP</eb:Role></eb:From><x:y/>"
    least, most = (
        read(with_block(f"<eb:Acknowledgment {BLOCK}{actor}>{content}{more}</eb:Acknowledgment>"))
        for actor, more in (("", ""), (" soap:actor='a'", party))
    )

    assert least.acknowledgment == Acknowledgment("2026-11-23T09:15:00Z", "r", None)
    assert most.acknowledgment == Acknowledgment("2026-11-23T09:15:00Z", "r", "a", (PartyId("t", "p"),))


def test_errors_are_read_with_what_they_leave_out():
    """
    Location, description and codeContext are optional.
    """
    errors = (
        '<eb:Error eb:errorCode="Own" eb:severity="Warning"/>'
        '<eb:Error eb:codeContext="urn:c" eb:errorCode="Inconsistent" eb:severity=" Error" eb:location="l">'
        '<eb:Description xml:lang="nl">d</eb:Description><x:y/></eb:Error>'
    )
    block = f'<eb:ErrorList {BLOCK} eb:highestSeverity="Error">{errors}</eb:ErrorList>'

    assert read(with_block(block)).error_list == ErrorList((EbmsError("Own", severity="Warning"), EbmsError("Inconsistent", "l", "d", "Error", "nl")))


def test_status_blocks_are_read():
    """
    The Timestamp of an answer is optional.
    """
    asked = '<eb:StatusRequest eb:version="2.1"><eb:RefToMessageId>r</eb:RefToMessageId></eb:StatusRequest>'
    answer = '<eb:StatusResponse eb:version="2.0" eb:messageStatus="NotRecognized"><eb:RefToMessageId>r</eb:RefToMessageId></eb:StatusResponse>'

    assert read(with_body(asked)).status_request == StatusRequest("r", "2.1")
    assert read(with_body(answer)).status_response == StatusResponse("NotRecognized", "r")


def multipart(manifest, *parts):
    """Return a multipart of the envelope with this Manifest, and of parts by Content-ID."""
    soap = with_body(manifest)
    pieces = [b"Content-Type: text/xml\r\n\r\n" + soap, *(f"Content-ID: <{name}>\r\n\r\n{content}".encode() for name, content in parts)]
    return "multipart/related; boundary=B", b"".join(b"--B\r\n" + piece + b"\r\n" for piece in pieces) + b"--B--"


def manifest_of(*hrefs):
    """Return a Manifest."""
    references = "".join(f'<eb:Reference xlink:href="{href}" xlink:role="urn:r"><eb:Schema eb:location="u"/></eb:Reference>' for href in hrefs)
    return f'<eb:Manifest eb:version="1.9">{references}<x:y/></eb:Manifest>'


def test_payloads_come_in_the_order_of_the_manifest():
    """
    What the Manifest does not name is left over, and what is not there is missing.
    """
    received = read_message(*multipart(manifest_of(" cid:b", "CID:a", "cid:gone", "http://x/y"), ("a", "1"), ("b", "2"), ("c", "3")))

    assert [(part.content_id, part.content) for part in received.message.payloads] == [("b", b"2"), ("a", b"1")]
    assert received.message.references == ("cid:b", "CID:a", "cid:gone", "http://x/y")
    assert received.message.manifest_version == "1.9"
    assert (received.missing, received.bad_hrefs) == (("cid:gone",), ("http://x/y",))
    assert [part.content_id for part in received.unreferenced] == ["c"]


def test_a_message_shows_what_it_is_and_not_its_payload():
    """
    Its repr is short.
    """
    assert "secret" not in repr(read_message(*multipart(manifest_of("cid:a"), ("a", "secret"))))


# -- what is refused -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (' eb:version="2.0"', ""),
        ("eb:version", "version"),
        (' soap:mustUnderstand="1"', ""),
        ('soap:mustUnderstand="1"', 'soap:mustUnderstand="true"'),
        ("eb:type", "type"),
        ("<eb:CPAId>cpa</eb:CPAId>", ""),
        (">cpa<", "><"),
        ("<eb:CPAId>cpa</eb:CPAId><eb:ConversationId>c</eb:ConversationId>", "<eb:ConversationId>c</eb:ConversationId><eb:CPAId>cpa</eb:CPAId>"),
        ("<eb:PartyId>urn:x:2</eb:PartyId>", ""),
        ("2026-11-23T09:15:00Z", "yesterday"),
        (DATA, f"{DATA}<eb:TimeToLive>x</eb:TimeToLive>"),
        (DATA, f"{DATA}<eb:Unknown/>"),
        ("</eb:MessageData>", "</eb:MessageData><eb:Description>x</eb:Description>"),
        ("</eb:MessageData>", "</eb:MessageData><eb:DuplicateElimination><eb:CPAId>x</eb:CPAId></eb:DuplicateElimination>"),
        ("</soap:Header>", f"{HEADER}</soap:Header>"),
        ("</soap:Header>", '<eb:Manifest eb:version="2.0"><eb:Reference xlink:href="cid:a"/></eb:Manifest></soap:Header>'),
        ("</soap:Header>", "<eb:Unknown/></soap:Header>"),
        ("</soap:Header>", f"<eb:AckRequested {BLOCK}/></soap:Header>"),
        ("</soap:Header>", f"<eb:AckRequested {BLOCK} eb:signed='no'/></soap:Header>"),
        ("</soap:Header>", f"<eb:SyncReply {BLOCK}/></soap:Header>"),
        ("</soap:Header>", f"<eb:ErrorList {BLOCK} eb:highestSeverity='Error'/></soap:Header>"),
        ("</soap:Header>", "<x:y soap:mustUnderstand='true'/></soap:Header>"),
        ("<soap:Body>", "<soap:Body><eb:Manifest eb:version='2.0'/>"),
        ("<soap:Body>", "<soap:Body><eb:Manifest eb:version='2.0'><eb:Reference/></eb:Manifest>"),
        ("<soap:Body>", "<soap:Body><eb:Manifest eb:version='2.0'><eb:Reference xlink:type='locator' xlink:href='cid:a'/></eb:Manifest>"),
        (
            "<soap:Body>",
            "<soap:Body><eb:StatusResponse eb:version='2.0' eb:messageStatus='Lost'><eb:RefToMessageId>r</eb:RefToMessageId></eb:StatusResponse>",
        ),
        ("<soap:Body>", "<soap:Body><eb:Anything/>"),
        ("</soap:Envelope>", "<soap:Body/></soap:Envelope>"),
        ("<soap:Header>", "<soap:Header/><soap:Header>"),
    ],
    ids=range(29),
)
def test_what_the_schema_forbids_is_refused(old, new):
    """
    A block that is not valid, not known or not in its place; the ids that are there come along for the answer.
    """
    refusal = refusal_of(changed((old, new)))

    assert (refusal.reason, refusal.fault_code, refusal.message_id) == (EnvelopeFault.SCHEMA, "Client", "m@x")
    assert refusal.cpa_id == (None if ("CPAId" in old and not new) or new == "><" else "cpa")
    assert refusal.text == str(refusal)


def test_the_refusal_names_the_block_and_not_its_values():
    """
    A BSN in the wrong place does not come out.
    """
    refusal = refusal_of(changed(("2026-11-23T09:15:00Z", "999990019")))

    assert "MessageHeader/MessageData/Timestamp" in refusal.text
    assert "999990019" not in refusal.text


@pytest.mark.parametrize(
    "soap", [changed((HEADER, "")), changed((f"<soap:Header>{HEADER}</soap:Header>", "")), changed(("<soap:Body></soap:Body>", ""))]
)
def test_an_envelope_without_its_halves_is_refused(soap):
    """
    Header, MessageHeader and Body must be there.
    """
    assert refusal_of(soap).reason is EnvelopeFault.SCHEMA


@pytest.mark.parametrize("actor", ["", ACTOR_SOAP_NEXT, ACTOR_TO_PARTY, ACTOR_NEXT_MSH])
@pytest.mark.parametrize("name", ["x:Security", "eb:Via"])
def test_a_block_that_must_be_understood_and_is_not_known_is_refused(name, actor):
    """
    SOAP 1.1 has a faultcode of its own for it.
    """
    written = f' soap:actor="{actor}"' if actor else ""
    refusal = refusal_of(with_block(f'<{name} soap:mustUnderstand="1"{written}/>'))

    assert (refusal.reason, refusal.fault_code) == (EnvelopeFault.MUST_UNDERSTAND, "MustUnderstand")
    assert (refusal.message_id, refusal.cpa_id) == ("m@x", "cpa")
    assert name.partition(":")[2] in refusal.text


@pytest.mark.parametrize(
    ("soap", "reason", "code"),
    [
        (b"<a/>", EnvelopeFault.NOT_SOAP, "Client"),
        (b'<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"/>', EnvelopeFault.VERSION_MISMATCH, "VersionMismatch"),
        (b"<Envelope/>", EnvelopeFault.VERSION_MISMATCH, "VersionMismatch"),
        (b"{}", EnvelopeFault.NOT_WELL_FORMED, "Client"),
        (b"<!DOCTYPE a><a/>", EnvelopeFault.HOSTILE, "Client"),
    ],
)
def test_what_is_no_soap_envelope_is_refused(soap, reason, code):
    """
    Each with the faultcode that SOAP 1.1 has for it, and without ids.
    """
    refusal = refusal_of(soap)

    assert (refusal.reason, refusal.fault_code, refusal.message_id, refusal.cpa_id) == (reason, code, None, None)


@pytest.mark.parametrize("content_type", ["", "application/json", "application/soap+xml", "text/plain", "text/html; charset=UTF-8"])
def test_another_content_type_is_no_soap(content_type):
    """
    Only XML is read as XML.
    """
    assert refusal_of(ENVELOPE.encode(), content_type).reason is EnvelopeFault.NOT_SOAP


def test_a_soap_part_with_a_broken_content_type_is_no_soap():
    """
    The refusal says what is wrong with it.
    """
    body = b'--B\r\nContent-Type: text/xml; charset="\r\n\r\n' + ENVELOPE.encode() + b"\r\n--B--"
    refusal = refusal_of(body, "multipart/related; boundary=B")

    assert refusal.reason is EnvelopeFault.NOT_SOAP
    assert "Content-Type" in refusal.text


def test_a_soap_fault_says_what_it_says():
    """
    The answer of the other side ends up in the log of a sender.
    """
    fault = "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>CPA x not found!</faultstring></soap:Fault>"
    soap = f'<soap:Envelope xmlns:soap="{NS_SOAP}"><soap:Body>{fault}</soap:Body></soap:Envelope>'
    refusal = refusal_of(soap.encode())

    assert (refusal.reason, refusal.text) == (EnvelopeFault.SOAP_FAULT, "the Body holds a SOAP Fault: soap:Client: CPA x not found!")
