"""Hostile multiparts and envelopes: each is refused for its own reason, in words, quickly, and for a few times its size at most."""

import resource
import time
import tracemalloc

import pytest

from conformance.transport.ebms2.mime import MimeFault, MimeRefused, read_mime
from conformance.transport.ebms2.reading import EnvelopeFault, EnvelopeRefused, read_message

pytestmark = pytest.mark.attack

LONGEST_S = 2.0
TYPE = 'multipart/related; type="text/xml"; boundary="B"; start="<soap@x>"'
SOAP_NS = "http://schemas.xmlsoap.org/soap/envelope/"
EB_NS = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
ENVELOPE = f"""<soap:Envelope xmlns:soap="{SOAP_NS}" xmlns:eb="{EB_NS}" xmlns:xlink="http://www.w3.org/1999/xlink"><soap:Header>
<eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1"><eb:From><eb:PartyId>urn:x:1</eb:PartyId></eb:From>
<eb:To><eb:PartyId>urn:x:2</eb:PartyId></eb:To><eb:CPAId>cpa</eb:CPAId><eb:ConversationId>c</eb:ConversationId><eb:Service>urn:s</eb:Service>
<eb:Action>A</eb:Action><eb:MessageData><eb:MessageId>soap@x</eb:MessageId><eb:Timestamp>2026-11-23T09:15:00Z</eb:Timestamp></eb:MessageData>
</eb:MessageHeader></soap:Header><soap:Body/></soap:Envelope>""".encode()
SOAP = b"Content-Type: text/xml\r\nContent-ID: <soap@x>\r\n\r\n" + ENVELOPE
PAYLOAD = b"Content-Type: text/xml\r\nContent-ID: <p@x>\r\n\r\n<b/>"


def body_of(*parts):
    """Return a multipart with boundary B."""
    return b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"


def with_header(line):
    """Return a body whose second part has one more header line."""
    return body_of(SOAP, line + b"\r\n" + PAYLOAD)


def encoded(content, encoding=b"base64"):
    """Return a body whose second part says that it is encoded."""
    return body_of(SOAP, b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + content)


WHOLE = body_of(SOAP, PAYLOAD)
MIME = {
    "no-boundary": ("multipart/related", WHOLE, MimeFault.NO_BOUNDARY),
    "empty-boundary": ('multipart/related; boundary=""', WHOLE, MimeFault.BAD_BOUNDARY),
    "boundary-of-71": (f"multipart/related; boundary={'B' * 71}", WHOLE, MimeFault.BAD_BOUNDARY),
    "boundary-with-line-end": ('multipart/related; boundary="B\r\nX: y"', WHOLE, MimeFault.BAD_CONTENT_TYPE),
    "boundary-with-star": ('multipart/related; boundary="B*"', WHOLE, MimeFault.BAD_BOUNDARY),
    "boundary-with-last-blank": ('multipart/related; boundary="B "', WHOLE, MimeFault.BAD_BOUNDARY),
    "boundary-not-ascii": ("multipart/related; boundary=é", WHOLE, MimeFault.BAD_BOUNDARY),
    "two-boundaries": ("multipart/related; boundary=A; boundary=B", WHOLE, MimeFault.BAD_CONTENT_TYPE),
    "open-quote": ('multipart/related; boundary="B', WHOLE, MimeFault.BAD_CONTENT_TYPE),
    "backslashes": ('multipart/related; boundary="' + "\\" * 8_001, WHOLE, MimeFault.BAD_CONTENT_TYPE),
    "content-type-of-a-megabyte": (f"multipart/related; boundary={'B' * 1_000_000}", WHOLE, MimeFault.HEADERS_TOO_LARGE),
    "semicolons": ("multipart/related" + ";" * 8_000, WHOLE, MimeFault.BAD_CONTENT_TYPE),
    "mixed": ("multipart/mixed; boundary=B", WHOLE, MimeFault.NOT_RELATED),
    "another-boundary": ("multipart/related; boundary=C", WHOLE, MimeFault.NO_PARTS),
    "empty-body": (TYPE, b"", MimeFault.NO_PARTS),
    "zero-parts": (TYPE, b"--B--\r\n", MimeFault.NO_PARTS),
    "zero-parts-after-preamble": (TYPE, b"x\r\n--B--", MimeFault.NO_PARTS),
    "endless-preamble": (TYPE, b"x\r\n" * 5_000_000, MimeFault.NO_PARTS),
    "preamble-of-dashes": (TYPE, b"-" * 15_000_000, MimeFault.NO_PARTS),
    "preamble-of-almost-boundaries": (TYPE, b"\r\n--b" * 3_000_000, MimeFault.NO_PARTS),
    "look-alikes": (TYPE, b"\n--Bx" * 3_000_000, MimeFault.LOOK_ALIKES),
    "look-alikes-in-a-part": (TYPE, b"--B\r\n" + SOAP + b"\r\n--B--x" * 2_000_000, MimeFault.LOOK_ALIKES),
    "padding-without-end": (TYPE, b"--B" + b" " * 10_000_000, MimeFault.NO_PARTS),
    "ten-thousand-parts": (TYPE, body_of(SOAP, *[b"\r\nx"] * 10_000), MimeFault.TOO_MANY_PARTS),
    "a-million-empty-parts": (TYPE, b"--B\r\n\r\n" * 1_000_000, MimeFault.TOO_MANY_PARTS),
    "header-of-a-megabyte": (TYPE, with_header(b"X: " + b"x" * 1_000_000), MimeFault.HEADERS_TOO_LARGE),
    "headers-without-end": (TYPE, b"--B\r\n" + b"X: y\r\n" * 2_000_000 + b"--B--", MimeFault.HEADERS_TOO_LARGE),
    "header-lines": (TYPE, with_header(b"\r\n".join(b"X%d: y" % n for n in range(60))), MimeFault.HEADERS_TOO_LARGE),
    "folded-header-lines": (TYPE, with_header(b"X: y" + b"\r\n z" * 60), MimeFault.HEADERS_TOO_LARGE),
    "header-without-colon": (TYPE, with_header(b"nonsense"), MimeFault.BAD_HEADER),
    "header-without-name": (TYPE, with_header(b": x"), MimeFault.BAD_HEADER),
    "header-with-blank-before-colon": (TYPE, with_header(b"Content-Type : x"), MimeFault.BAD_HEADER),
    "header-that-continues-nothing": (TYPE, with_header(b" x: y"), MimeFault.BAD_HEADER),
    "header-with-null": (TYPE, with_header(b"X: a\0b"), MimeFault.BAD_HEADER),
    "header-with-bare-cr": (TYPE, with_header(b"X: a\rY: b"), MimeFault.BAD_HEADER),
    "header-with-bare-lf": (TYPE, with_header(b"X: a\nContent-Transfer-Encoding: base64"), MimeFault.BAD_HEADER),
    "header-that-is-no-text": (TYPE, with_header(b"X: \xff\xfe"), MimeFault.BAD_HEADER),
    "no-blank-line": (TYPE, body_of(SOAP, b"X: y"), MimeFault.BAD_HEADER),
    "boundary-in-the-headers": (TYPE, b"--B\r\nX: y\r\n--B\r\n\r\nz\r\n--B--", MimeFault.BAD_HEADER),
    "duplicate-header": (TYPE, with_header(b"content-type: application/xml"), MimeFault.DUPLICATE_HEADER),
    "two-transfer-encodings": (TYPE, encoded(b"eA==", b"base64\r\nContent-transfer-encoding: 7bit"), MimeFault.DUPLICATE_HEADER),
    "duplicate-content-id": (TYPE, body_of(SOAP, PAYLOAD, PAYLOAD), MimeFault.DUPLICATE_CONTENT_ID),
    "two-soap-parts": (TYPE, body_of(SOAP, SOAP), MimeFault.DUPLICATE_CONTENT_ID),
    "content-id-of-nothing": (TYPE, body_of(SOAP, b"Content-ID: <>\r\n\r\nx"), MimeFault.BAD_CONTENT_ID),
    "content-id-with-brackets": (TYPE, body_of(SOAP, b"Content-ID: <a><b>\r\n\r\nx"), MimeFault.BAD_CONTENT_ID),
    "content-id-over-two-lines": (TYPE, body_of(SOAP, b"Content-ID: <a\r\n b>\r\n\r\nx"), MimeFault.BAD_CONTENT_ID),
    "content-id-with-injection": (TYPE, body_of(SOAP, b"Content-ID: <a>\r\nContent-ID: <b>\r\n\r\nx"), MimeFault.DUPLICATE_HEADER),
    "start-names-nothing": (TYPE.replace("soap@x", "nobody@x"), WHOLE, MimeFault.NO_START),
    "empty-start": (TYPE.replace("<soap@x>", ""), body_of(SOAP, b"\r\nx"), MimeFault.NO_START),
    "start-by-inner-key": ("multipart/related; boundary=B; start=<<0>>", body_of(b"\r\nx"), MimeFault.NO_START),
    "quoted-printable": (TYPE, encoded(b"=41", b"quoted-printable"), MimeFault.TRANSFER_ENCODING),
    "unknown-encoding": (TYPE, encoded(b"x", b"x-uuencode"), MimeFault.TRANSFER_ENCODING),
    "gzip-as-transfer-encoding": (TYPE, encoded(b"\x1f\x8b", b"gzip"), MimeFault.TRANSFER_ENCODING),
    "base64-garbage": (TYPE, encoded(b"@@@@"), MimeFault.BAD_BASE64),
    "base64-too-short": (TYPE, encoded(b"YQ"), MimeFault.BAD_BASE64),
    "base64-after-its-end": (TYPE, encoded(b"YQ==YQ=="), MimeFault.BAD_BASE64),
    "base64-with-blanks": (TYPE, encoded(b"Y Q = ="), MimeFault.BAD_BASE64),
    "base64-of-equals": (TYPE, encoded(b"=" * 10_000_000), MimeFault.BAD_BASE64),
    "base64-bomb": (TYPE, encoded(b"A" * 10_000_001), MimeFault.BAD_BASE64),
    "body-of-121-mb": (TYPE, bytes(121_000_000), MimeFault.TOO_LARGE),
    "truncated-in-the-first-boundary": (TYPE, b"--B", MimeFault.NO_PARTS),
    "truncated-in-the-headers": (TYPE, WHOLE[:30], MimeFault.TRUNCATED),
    "truncated-in-the-envelope": (TYPE, WHOLE[:300], MimeFault.TRUNCATED),
    "truncated-before-the-payload": (TYPE, WHOLE[: WHOLE.index(b"--B", 5)], MimeFault.TRUNCATED),
    "truncated-in-the-payload": (TYPE, WHOLE[: WHOLE.index(b"<b/>") + 2], MimeFault.TRUNCATED),
    "truncated-in-the-last-boundary": (TYPE, WHOLE.removesuffix(b"-\r\n"), MimeFault.TRUNCATED),
    "no-last-boundary": (TYPE, WHOLE.removesuffix(b"--\r\n") + b"\r\n", MimeFault.TRUNCATED),
}


def cost_of(call):
    """Return seconds, and the most that Python held at once; ``call`` is done twice, because counting slows down."""
    started = time.perf_counter()
    call()
    seconds = time.perf_counter() - started
    tracemalloc.start()
    try:
        call()
        return seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("content_type", "body", "reason"), [pytest.param(*case, id=name) for name, case in MIME.items()])
def test_a_hostile_multipart_is_refused_for_its_reason_and_cheaply(content_type, body, reason):
    """
    The refusal is typed, short and quick, and costs no more than the parts it had read.
    """
    refusals = []

    def read():
        with pytest.raises(MimeRefused, match=r"\w") as refused:
            read_message(content_type, body)
        refusals.append(refused.value)

    seconds, peak = cost_of(read)

    assert {refusal.reason for refusal in refusals} == {reason}
    assert max(len(str(refusal)) for refusal in refusals) < 400
    assert seconds < LONGEST_S
    assert peak < 3 * len(body) + 1_000_000


def test_a_truncated_body_is_refused_wherever_it_ends():
    """
    No prefix of a message is a message, until the closing boundary is there.
    """
    whole = WHOLE.removesuffix(b"\r\n")
    for end in range(len(whole)):
        with pytest.raises(MimeRefused, match=r"boundary|headers|parts"):
            read_mime(TYPE, whole[:end])

    assert len(read_mime(TYPE, whole).parts) == 2


def envelope(old=b"", new=b""):
    """Return a whole text/xml message with one change."""
    assert old in ENVELOPE
    return ENVELOPE.replace(old, new, 1) if old else ENVELOPE


HEADER = b"<soap:Header>"
DEEP = b"<x:a>" * 1_000 + b"</x:a>" * 1_000
UTF_16 = ENVELOPE.decode().encode("utf-16")
XML = {
    "empty": (b"", EnvelopeFault.NOT_WELL_FORMED),
    "truncated": (ENVELOPE[:-10], EnvelopeFault.NOT_WELL_FORMED),
    "gzip": (b"\x1f\x8b\x08\x00" + ENVELOPE, EnvelopeFault.NOT_WELL_FORMED),
    "doctype": (b"<!DOCTYPE x>" + ENVELOPE, EnvelopeFault.HOSTILE),
    "entity": (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + envelope(b">cpa<", b">&e;<"), EnvelopeFault.HOSTILE),
    "external": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + ENVELOPE, EnvelopeFault.HOSTILE),
    "undeclared": (envelope(b">cpa<", b">&e;<"), EnvelopeFault.NOT_WELL_FORMED),
    "null": (envelope(b">cpa<", b">\0<"), EnvelopeFault.NOT_WELL_FORMED),
    "utf-16": (UTF_16, EnvelopeFault.CHARSET),
    "utf-16-declared": (b'<?xml version="1.0" encoding="UTF-16"?>' + ENVELOPE, EnvelopeFault.NOT_WELL_FORMED),
    "latin-1": (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + ENVELOPE, EnvelopeFault.CHARSET),
    "utf-7": (b'<?xml version="1.0" encoding="UTF-7"?>' + ENVELOPE, EnvelopeFault.CHARSET),
    "megabyte": (envelope(b">cpa<", b">" + b"x" * 1_000_000 + b"<"), EnvelopeFault.HOSTILE),
    "deep": (envelope(HEADER, b"<soap:Header><x:a xmlns:x='u'>" + DEEP + b"</x:a>"), EnvelopeFault.HOSTILE),
    "elements": (envelope(HEADER, HEADER + b"<a/>" * 20_000), EnvelopeFault.HOSTILE),
    "attributes": (envelope(HEADER, HEADER + b"<a b='' c='' d=''/>" * 1_000), EnvelopeFault.HOSTILE),
}


@pytest.mark.parametrize(("soap", "reason"), [pytest.param(*case, id=name) for name, case in XML.items()])
def test_a_hostile_envelope_is_refused_for_its_reason_and_cheaply(soap, reason):
    """
    What the guard keeps out, and what is not UTF-8, never becomes a message.
    """
    refusals = []

    def read():
        with pytest.raises(EnvelopeRefused, match=r"\w") as refused:
            read_message("text/xml", soap)
        refusals.append(refused.value)

    seconds, peak = cost_of(read)

    assert {(refusal.reason, refusal.fault_code) for refusal in refusals} == {(reason, "Client")}
    assert seconds < LONGEST_S
    assert peak < 4 * len(soap) + 1_000_000


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "utf-7", "UTF-8 ", "x" * 5_000])
def test_another_charset_than_utf_8_is_refused(charset):
    """
    The charset of the part counts as much as the declaration in it.
    """
    with pytest.raises(EnvelopeRefused, match="charset") as refused:
        read_message(f'text/xml; charset="{charset}"', ENVELOPE)

    assert (refused.value.reason, len(str(refused.value)) < 400) == (EnvelopeFault.CHARSET, True)


def test_a_multipart_in_a_part_is_content():
    """
    A thousand multiparts in each other are one payload, and nobody unpacks them.
    """
    nested = b"".join(b"Content-Type: multipart/related; boundary=N%d\r\n\r\n--N%d\r\n" % (n, n) for n in range(1_000))
    message = read_message(TYPE, body_of(SOAP, b"Content-ID: <p@x>\r\n" + nested))

    assert [part.size for part in message.unreferenced] == [len(nested) - len(b"Content-Type: multipart/related; boundary=N0\r\n\r\n")]


def with_references(*hrefs):
    """Return a SOAP part whose Manifest has these references."""
    references = "".join(f'<eb:Reference xlink:href="{href}"/>' for href in hrefs)
    manifest = f'<soap:Body><eb:Manifest eb:version="2.0">{references}</eb:Manifest></soap:Body>'
    return SOAP.replace(b"<soap:Body/>", manifest.encode())


def test_a_part_that_is_named_a_thousand_times_is_one_payload():
    """
    References do not multiply bytes.
    """
    received = read_message(TYPE, body_of(with_references(*["cid:p@x", "cid:p%40x"] * 900), PAYLOAD))

    assert (len(received.message.references), len(received.message.payloads)) == (1_800, 1)


@pytest.mark.parametrize(
    "href",
    [
        "cid:soap@x",
        "cid:",
        "cid:%3Cp@x%3E",
        "cid:&lt;p@x&gt;",
        "cid:p%2540x",
        "cid:p@x%00",
        "cid:p@x%0D%0A",
        "cid:p@x?a",
        "cid:P@X",
        "cid:%ff",
        "cid://p@x",
        "cid: p@x",
    ],
)
def test_a_confusing_cid_names_nothing(href):
    """
    Neither the SOAP part, nor a part by another name than its own.
    """
    received = read_message(TYPE, body_of(with_references(href), PAYLOAD))

    assert (len(received.missing), received.message.payloads, len(received.unreferenced)) == (1, (), 1)


@pytest.mark.parametrize("href", ["http://127.0.0.1:9/x", "file:///etc/passwd", "", "p@x", "urn:cid:p@x", "data:,x", "cidp@x"])
def test_a_reference_that_is_no_cid_is_remembered_and_not_followed(href):
    """
    Nothing outside the message is fetched.
    """
    received = read_message(TYPE, body_of(with_references(href), PAYLOAD))

    assert (received.bad_hrefs, received.missing, received.message.payloads) == ((href,), (), ())


def test_a_gzip_payload_stays_packed():
    """
    Content-Encoding is not for MIME parts: the bytes are the payload.
    """
    packed = b"\x1f\x8b" + bytes(100)
    received = read_message(TYPE, body_of(with_references("cid:p@x"), b"Content-Encoding: gzip\r\nContent-ID: <p@x>\r\n\r\n" + packed))

    assert received.message.payloads[0].content == packed


@pytest.mark.slow
def test_a_hundred_megabytes_cost_one_copy():
    """
    A large payload is found quickly, and is held twice at most: as it came and as it is kept.
    """
    body = bytearray(body_of(with_references("cid:p@x"), b"Content-ID: <p@x>\r\n\r\n" + b"\r\n--A\r\n" * 15_000_000))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    tracemalloc.start()
    try:
        received = read_message(TYPE, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(received.message.payloads[0].content) == 105_000_000
    assert peak < 107_000_000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < 150_000_000
    assert time.perf_counter() - started < LONGEST_S
