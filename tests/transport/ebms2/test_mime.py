"""A multipart body is read part by part, whatever a careful sender may write, and is written as Digikoppeling prescribes."""

import base64

import pytest

from conformance.transport.ebms2.mime import (
    MimeFault,
    MimeLimits,
    MimeNotWritten,
    MimePart,
    MimeRefused,
    find_cid,
    is_content_id,
    read_mime,
    read_parameters,
    write_mime,
)

TYPE = 'multipart/related; type="text/xml"; boundary="B"; start="<soap@x>"'
SOAP = b"Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <soap@x>\r\n\r\n<a/>"
PAYLOAD = b'Content-Type: application/xml\r\nContent-ID: <p@x>\r\nContent-Disposition: attachment; filename="p.xml"\r\n\r\n<b/>\r\n'


def body_of(*parts, before=b"", after=b""):
    """Return a multipart with boundary B."""
    return before + b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--" + after


def test_two_parts_are_read_to_the_byte():
    """
    Headers, Content-ID, file name and content of each part come out as they were, without the line end that belongs to the boundary.
    """
    message = read_mime(TYPE, body_of(SOAP, PAYLOAD))
    soap, payload = message.parts

    assert (message.root, message.start, message.boundary) == (soap, "soap@x", "B")
    assert (soap.content, soap.content_type, soap.name) == (b"<a/>", "text/xml; charset=UTF-8", None)
    assert (payload.content, payload.content_id, payload.content_type, payload.name) == (b"<b/>\r\n", "p@x", "application/xml", "p.xml")
    assert (payload.size, payload.headers["content-id"], message.parameters["type"]) == (6, "<p@x>", "text/xml")


def test_a_body_that_is_no_multipart_is_one_part_and_no_copy():
    """
    The bytes are the same object.
    """
    body = b"<a/>"
    message = read_mime("text/xml; charset=UTF-8", body)

    assert message.parts[0].content is body
    assert (message.boundary, message.start, message.root.content_type) == (None, None, "text/xml; charset=UTF-8")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_octets_are_read_and_the_parts_are_bytes(kind):
    """
    What a server collected in a bytearray is free again afterwards.
    """
    body = kind(body_of(SOAP, PAYLOAD))
    parts = read_mime(TYPE, body).parts
    if kind is bytearray:
        body.clear()

    assert [type(part.content) for part in (*parts, *read_mime("text/xml", kind(b"<a/>")).parts)] == [bytes] * 3
    assert parts[1].content == b"<b/>\r\n"


@pytest.mark.parametrize(
    "body",
    [
        body_of(SOAP, PAYLOAD, before=b"This is a multipart.\r\n\r\n", after=b"\r\nand an epilogue\r\n--B\r\n"),
        body_of(SOAP, PAYLOAD, after=b"\r\n"),
        body_of(SOAP, PAYLOAD, after=b" \t\r\n"),
        body_of(SOAP, PAYLOAD).replace(b"--B\r\n", b"--B \t\r\n"),
        body_of(SOAP, PAYLOAD.replace(b"Content-ID", b"content-id")),
        body_of(SOAP, PAYLOAD.replace(b"; filename", b";\r\n\tfilename")),
        body_of(SOAP, PAYLOAD.replace(b"\r\n\r\n", b"\r\nX-Empty:\r\n\r\n")),
        body_of(SOAP, PAYLOAD.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: BINARY\r\n\r\n")),
        body_of(SOAP, PAYLOAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")),
        body_of(SOAP, PAYLOAD, before=b"--B is how a part begins\r\n"),
        body_of(PAYLOAD, SOAP),
    ],
    ids=["around", "line-end", "blanks", "padding", "case", "folded", "empty-header", "binary", "gzip", "look-alike", "soap-last"],
)
def test_what_senders_do_is_read(body):
    """
    Preamble, epilogue, padding, folded headers, other spelling: the payload is the same, and start finds the SOAP part.
    """
    message = read_mime(TYPE, body)

    assert (message.root.content, len(message.parts)) == (b"<a/>", 2)
    assert [(part.content, part.name) for part in message.parts if part is not message.root] == [(b"<b/>\r\n", "p.xml")]


def test_bare_line_feeds_are_line_ends_when_the_boundary_says_so():
    """
    A message with LF throughout is read; its content keeps its carriage returns.
    """
    body = body_of(SOAP, PAYLOAD.replace(b"<b/>\r\n", b"<b/>\r")).replace(b"\r\n", b"\n")

    assert [part.content for part in read_mime(TYPE, body).parts] == [b"<a/>", b"<b/>\r"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"\n--B\n", b"\r\n--Bx\r\n", b"\r\n--B--x\r\n", b"\r\n--\r\n", b"x\r\n--B" + b" " * 90 + b"\r\n", b"\r\n--B\n", b"\r\n--b\r\n"],
    ids=range(9),
)
def test_what_only_looks_like_a_boundary_is_content(content):
    """
    A boundary is a whole line with the line end of the message.
    """
    payload = b"Content-ID: <p@x>\r\n\r\n" + content

    assert [part.content for part in read_mime(TYPE, body_of(SOAP, payload)).parts] == [b"<a/>", content]


def test_parts_may_lack_headers_or_content():
    """
    A blank line alone is a part, and headers without content are one: RFC 2046 lets the blank line be the one before the boundary.
    """
    parts = read_mime("multipart/related; boundary=B", b"--B\r\n\r\n--B\r\n\r\nx\r\n--B\r\nA: b\r\n\r\n--B--").parts

    assert [(part.content, dict(part.headers), part.content_type) for part in parts] == [
        (b"", {}, "text/plain"),
        (b"x", {}, "text/plain"),
        (b"", {"a": "b"}, "text/plain"),
    ]


def test_a_multipart_of_one_part_is_fine():
    """
    A signal may come so.
    """
    assert read_mime("MULTIPART/Related; Boundary=B", body_of(SOAP)).root.content == b"<a/>"


def test_base64_is_decoded_over_its_lines():
    """
    Line ends belong to the encoding.
    """
    encoded = base64.encodebytes(bytes(range(256))).replace(b"\n", b"\r\n")
    payload = b"Content-Transfer-Encoding: Base64\r\nContent-ID: <p@x>\r\n\r\n" + encoded
    part = read_mime(TYPE, body_of(SOAP, payload)).parts[1]

    assert (part.content, part.transfer_encoding) == (bytes(range(256)), "base64")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a \\"b\\" c.xml"', 'a "b" c.xml'),
        ("attachment; filename=a.xml", "a.xml"),
        ("attachment; filename=fallback.xml; filename*=UTF-8''%C3%A9.xml", "é.xml"),
        ("attachment; filename=fallback.xml; filename*=latin-1''%E9.xml", "fallback.xml"),
        ('attachment; filename="é.xml"', "é.xml"),
        ("attachment", None),
        ("attachment; filename", None),
        ('attachment; filename="open', None),
    ],
)
def test_a_file_name_is_read_in_every_spelling(disposition, name):
    """
    Quoted, bare and extended; a name that cannot be read is none.
    """
    part = f"Content-Disposition: {disposition}\r\n\r\nx".encode()

    assert read_mime("multipart/related; boundary=B", body_of(part)).parts[0].name == name


def test_a_cid_names_a_part_as_it_stands_first_and_decoded_then():
    """
    The raw spelling wins, so that no encoding reaches another part than the one that is called so.
    """
    raw, plain = MimePart(b"1", "a%40b"), MimePart(b"2", "a@b")
    parts = {"a%40b": raw, "a@b": plain}

    assert find_cid("cid:a%40b", parts) is raw
    assert find_cid("cid:a%40b", {"a@b": plain}) is plain
    assert find_cid("CID:a@b", parts) is plain
    assert find_cid("cid:a%2540b", {"a@b": plain}) is None
    assert find_cid("cid:c", parts) is None


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (MimeLimits(body=100), MimeFault.TOO_LARGE),
        (MimeLimits(part=5), MimeFault.TOO_LARGE),
        (MimeLimits(parts=1), MimeFault.TOO_MANY_PARTS),
        (MimeLimits(header_bytes=len(TYPE)), MimeFault.HEADERS_TOO_LARGE),
        (MimeLimits(header_bytes=10), MimeFault.HEADERS_TOO_LARGE),
        (MimeLimits(header_lines=2), MimeFault.HEADERS_TOO_LARGE),
        (MimeLimits(look_alikes=0), MimeFault.LOOK_ALIKES),
    ],
)
def test_each_limit_is_the_one_that_is_given(limits, reason):
    """
    A body that passes at the default limits is refused by a limit that it is beyond.
    """
    body = body_of(SOAP, PAYLOAD, before=b"x\r\n--B no\r\n")

    assert len(read_mime(TYPE, body).parts) == 2
    with pytest.raises(MimeRefused, match=r"\d") as refused:
        read_mime(TYPE, body, limits)
    assert refused.value.reason is reason


def test_parameters_are_read_by_lower_case_name():
    """
    Quotes, escapes, blanks and a last semicolon make no difference.
    """
    assert read_parameters(' Text/XML ;CharSet="UTF\\-8" ; a=b; ') == ("text/xml", {"charset": "UTF-8", "a": "b"})
    assert read_parameters("text/xml") == ("text/xml", {})


# -- writing -------------------------------------------------------------------------------------------------------------------------------------


def test_parts_are_written_with_crlf_and_without_transfer_encoding():
    """
    The bytes are exactly those of Digikoppeling's layout.
    """
    content_type, body = write_mime(
        [MimePart(b"<a/>", "soap@x", "text/xml; charset=UTF-8"), MimePart(b"<b/>\r\n", "p@x", "application/xml", "p.xml")], "B"
    )

    assert content_type == TYPE
    assert body == b"--B\r\n" + SOAP + b"\r\n--B\r\n" + PAYLOAD + b"\r\n--B--\r\n"


@pytest.mark.parametrize("name", ["a.xml", 'a"b\\c.xml', "é.xml", "a\r\nX-Injected: 1", "", " "])
def test_a_file_name_survives(name):
    """
    Written and read, a name is the same and starts no header.
    """
    content_type, body = write_mime([MimePart(b"x", name=name)], "B")
    (part,) = read_mime(content_type, body).parts

    assert (part.name, set(part.headers)) == (name, {"content-type", "content-disposition"})


def test_base64_is_written_when_a_part_asks_for_it():
    """
    A test can send what a receiver must decode.
    """
    content = bytes(range(256))
    content_type, body = write_mime([MimePart(content, "p@x", transfer_encoding="base64")], "B")

    assert b"Content-Transfer-Encoding: base64\r\n\r\n" in body
    assert max(map(len, body.splitlines())) <= 76
    assert read_mime(content_type, body).parts[0].content == content


@pytest.mark.parametrize(
    ("parts", "boundary", "text"),
    [
        ([], "B", "needs parts"),
        ([MimePart(b"x")], "", "boundary of 1 to 70"),
        ([MimePart(b"x")], "B" * 71, "boundary of 1 to 70"),
        ([MimePart(b"x")], "B\r\n", "boundary of 1 to 70"),
        ([MimePart(b"x")], 'B"', "boundary of 1 to 70"),
        ([MimePart(b"x\r\n--B\r\n")], "B", "stands in a part"),
        ([MimePart(b"x", "a\r\nb")], "B", "Content-ID"),
        ([MimePart(b"x", content_type="text/xml\r\nX: y")], "B", "content type"),
        ([MimePart(b"x", content_type="")], "B", "content type"),
    ],
    ids=range(9),
)
def test_what_would_be_no_mime_is_not_written(parts, boundary, text):
    """
    A line end in a header, or a boundary in a part, is refused before a receiver must.
    """
    with pytest.raises(MimeNotWritten, match=text):
        write_mime(parts, boundary)


@pytest.mark.parametrize(
    ("text", "is_one"), [("a@b", True), ("a%b&c", True), ("", False), ("a b", False), ("a>b", False), ('a"', False), ("a\\", False), ("é", False)]
)
def test_a_content_id_has_only_what_its_places_take(text, is_one):
    """
    Angle brackets, quotes and blanks would end it.
    """
    assert is_content_id(text) is is_one
