"""Hostile XML at the one door: refused for the right reason, within bounds, without quoting, and by more than one switch."""

import re
import tracemalloc
from pathlib import Path

import pytest

from conformance.messages import guard
from conformance.messages.guard import DEFAULT, Limits, Refusal, XmlRefused, etree, parse, schema_errors

pytestmark = pytest.mark.attack

LAUGHS = "<!DOCTYPE a [<!ENTITY e0 'lol'>" + "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 10)) + "]><a>&e9;</a>"
QUADRATIC = f"<!DOCTYPE a [<!ENTITY e '{'x' * 50_000}'>]><a>{'&e;' * 50_000}</a>"
EXTERNAL = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]><a/>'
SUBSET = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>'
FAR = b"<!-- " + b"x" * 250_000 + b" -->"
UTF7 = b"+ADw-a+AD4-x+ADw-/a+AD4-"

REFUSED = (
    ("empty input", b"", Refusal.NOT_WELL_FORMED),
    ("blanks", b" \n ", Refusal.NOT_WELL_FORMED),
    ("a null byte", b"\0", Refusal.NOT_WELL_FORMED),
    ("a null byte in a text", b"<a>\0</a>", Refusal.NOT_WELL_FORMED),
    ("two roots", b"<a/><a/>", Refusal.NOT_WELL_FORMED),
    ("JSON", b'{"a": 1}', Refusal.NOT_WELL_FORMED),
    ("a DOCTYPE", b"<!DOCTYPE a><a/>", Refusal.DOCTYPE),
    ("a DOCTYPE after a comment", b"<?xml version='1.0'?>\n<?pi x?><!-- <!DOCTYPE --> <!DOCTYPE a><a/>", Refusal.DOCTYPE),
    ("a DOCTYPE after a long comment", FAR + b"<!DOCTYPE a><a/>", Refusal.DOCTYPE),
    ("a DOCTYPE after a byte order mark", b"\xef\xbb\xbf<!DOCTYPE a><a/>", Refusal.DOCTYPE),
    ("a DOCTYPE in UTF-16", "<!DOCTYPE a><a/>".encode("utf-16"), Refusal.DOCTYPE),
    ("a DOCTYPE in UTF-16, big end first", b"\xfe\xff" + "<!DOCTYPE a><a/>".encode("utf-16-be"), Refusal.DOCTYPE),
    ("a DOCTYPE in UTF-32", "<!DOCTYPE a><a/>".encode("utf-32"), Refusal.DOCTYPE),
    ("a DOCTYPE after a long comment in UTF-16", (FAR.decode() + "<!DOCTYPE a><a/>").encode("utf-16"), Refusal.DOCTYPE),
    ("an external entity", EXTERNAL.encode(), Refusal.DOCTYPE),
    ("an external subset", SUBSET.encode(), Refusal.DOCTYPE),
    ("a parameter entity", PARAMETER.encode(), Refusal.DOCTYPE),
    ("a billion laughs", LAUGHS.encode(), Refusal.DOCTYPE),
    ("a billion laughs in UTF-16", LAUGHS.encode("utf-16"), Refusal.DOCTYPE),
    ("one long entity many times", QUADRATIC.encode(), Refusal.DOCTYPE),
    ("an entity without declaration", b"<a>&secret;</a>", Refusal.NOT_WELL_FORMED),
    ("UTF-7", b'<?xml version="1.0" encoding="UTF-7"?>' + UTF7, Refusal.ENCODING),
    ("UTF-7 far away", b'<?xml version="1.0"' + b" " * 200 + b'encoding="UTF-7"?>' + UTF7, Refusal.ENCODING),
    ("UTF-7 further away", b'<?xml version="1.0"' + b" " * 2_000 + b'encoding="UTF-7"?>' + UTF7, Refusal.ENCODING),
    ("UTF-7 behind another", b"""<?xml version='1.0 encoding="UTF-8"' encoding='UTF-7'?>""" + UTF7, Refusal.ENCODING),
    ("UTF-7 in UTF-16", '<?xml version="1.0" encoding="UTF-7"?><a/>'.encode("utf-16"), Refusal.ENCODING),
    ("an encoding that nobody knows", b'<?xml version="1.0" encoding="X-1"?><a/>', Refusal.ENCODING),
    ("EBCDIC", '<?xml version="1.0" encoding="cp037"?><a/>'.encode("cp037"), Refusal.NOT_WELL_FORMED),
    ("Latin 1 that says UTF-8", '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("latin-1"), Refusal.NOT_WELL_FORMED),
    ("UTF-8 that says UTF-16", b'<?xml version="1.0" encoding="UTF-16"?><a/>', Refusal.NOT_WELL_FORMED),
    ("half a character", "<a>é</a>".encode()[:4] + b"</a>", Refusal.NOT_WELL_FORMED),
    ("a text of more than 10 MB", b"<a>" + b"x" * 10_100_000 + b"</a>", Refusal.TEXT_TOO_LONG),
    ("an attribute of more than 10 MB", b'<a b="' + b"x" * 10_100_000 + b'"/>', Refusal.NOT_WELL_FORMED),
    ("a long name", b"<" + b"x" * 100_000 + b"/>", Refusal.NOT_WELL_FORMED),
    ("30 levels", b"<a>" * 30 + b"</a>" * 30, Refusal.TOO_DEEP),
    ("100 000 levels", b"<a>" * 100_000, Refusal.TOO_DEEP),
    ("a flood of elements", b"<a>" + b"<b/>" * 500_000 + b"</a>", Refusal.TOO_MANY_ELEMENTS),
    ("a flood of elements in UTF-16", ("<a>" + "<b/>" * 500_000 + "</a>").encode("utf-16"), Refusal.TOO_MANY_ELEMENTS),
    ("a flood of attributes", b"<a>" + b"<b c='' d=''/>" * 1_500 + b"</a>", Refusal.TOO_MANY_ATTRIBUTES),
    ("an attribute after attribute", b"<a " + b" ".join(b'a%d = "1"' % n for n in range(450_000)) + b"/>", Refusal.TOO_MANY_ATTRIBUTES),
    ("a document of 111 MB", b"<a/>" + b" " * 111_000_000, Refusal.TOO_LARGE),
)
ACCEPTED = (
    ("UTF-8", "<a>é</a>".encode()),
    ("a byte order mark", "<a>é</a>".encode("utf-8-sig")),
    ("UTF-16", "<a>é</a>".encode("utf-16")),
    ("UTF-16 that says so", '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16")),
    ("UTF-16 without mark", '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16-be")),
    ("Latin 1", '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1")),
    ("a comment within a text", "<a><!-- x -->é<!-- y --></a>".encode()),
    ("an instruction within a text", "<a>é<?x y?></a>".encode()),
    ("a character reference", b"<a>&#233;</a>"),
    ("a CDATA section", "<a><![CDATA[é]]></a>".encode()),
)


@pytest.mark.parametrize(("data", "reason"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_a_hostile_document_is_refused_for_its_reason_and_cheaply(data, reason):
    """
    The refusal has the right reason, and Python needs less than a few times the document for it.
    """
    tracemalloc.start()
    try:
        with pytest.raises(XmlRefused, match=r"\w") as refused:
            parse(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert refused.value.reason is reason
    assert len(str(refused.value)) < 600
    assert peak < 2 * len(data) + 2_000_000


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in ACCEPTED])
def test_an_honest_document_is_read_whatever_its_encoding(data):
    """
    The text comes out the same from every encoding, and comments and instructions leave no hole in it.
    """
    root = parse(data)

    assert (root.text, len(root)) == ("é", 0)


def test_comments_and_instructions_within_a_text_do_not_cut_it():
    """
    A GebruikerID with a comment in it reads as one text.
    """
    assert parse(b"<a>99999<!-- -->00<?x y?>19</a>").text == "999990019"


def test_a_doctype_in_a_text_is_text():
    """
    Only before the root a DOCTYPE declares something.
    """
    assert parse(b"<a><![CDATA[<!DOCTYPE html><!ENTITY e 'x'>]]></a>").text == "<!DOCTYPE html><!ENTITY e 'x'>"


@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (b"<a></a>", Limits(size=6), Refusal.TOO_LARGE),
        (b"<a><b/></a>", Limits(markup=2), Refusal.TOO_MANY_ELEMENTS),
        (b"<a><b><c/></b></a>", Limits(depth=2), Refusal.TOO_DEEP),
        (b"<a b='1' c='2'/>", Limits(attributes=1), Refusal.TOO_MANY_ATTRIBUTES),
    ],
)
def test_each_limit_is_the_one_that_is_given(data, limits, reason):
    """
    A document at the default limits passes, and is refused by a limit that it is one beyond.
    """
    assert parse(data) is not None
    with pytest.raises(XmlRefused, match=r"\d") as refused:
        parse(data, limits)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("data", "limits"),
    [(b"<a></a>", Limits(size=7)), (b"<a><b/></a>", Limits(markup=3)), (b"<a><b/></a>", Limits(depth=2)), (b"<a b=''/>", Limits(attributes=1))],
)
def test_a_document_exactly_at_a_limit_is_read(data, limits):
    """
    A limit is the largest that is accepted.
    """
    assert parse(data, limits).tag == "a"


SECRETS = (
    b"<a><b999990019></c></a>",
    b"<a>&x999990019;</a>",
    b"<a b999990019='1' b999990019='2'/>",
    b"<x999990019:a/>",
    b"<a>&#999990019;</a>",
    b"<a xmlns='999990019 x'/>",
    b"<a/>999990019",
    b"<a xml:id='999990019'/>",
    b"<a b=999990019/>",
    b"<?xml version='999990019'?><a/>",
    b"<a>" + b" " * 9_000_000 + b"<b></c></a>",
)


@pytest.mark.parametrize("data", SECRETS, ids=range(len(SECRETS)))
def test_a_refusal_quotes_nothing(data):
    """
    Whatever the parser says about a document, no number of it and no place that looks like a BSN comes along.
    """
    with pytest.raises(XmlRefused, match=r"\w") as refused:
        parse(data)

    assert not re.search(r"\d{8}", str(refused.value))
    assert "\n" not in str(refused.value)


def test_a_refusal_says_on_which_line():
    """
    A person finds the place back.
    """
    with pytest.raises(XmlRefused, match="tag mismatch") as refused:
        parse(b"<a>\n<b>\n</c></a>")

    assert refused.value.line == 3


SWITCHES = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


@pytest.fixture
def bare(monkeypatch):
    """The parser alone: without the checks before and after it, so that a switch that is ignored shows."""
    monkeypatch.setattr(guard, "check_limits", lambda _data, _limits: None)
    monkeypatch.setattr(guard, "_check_after", lambda _root, _limits: None)
    return parse


def test_every_switch_is_set(monkeypatch):
    """
    The parser is made with these switches and with no other, also where the library's default is the same today.
    """
    made = []
    real = etree.XMLParser
    monkeypatch.setattr(etree, "XMLParser", lambda **switches: made.append(switches) or real(**switches))

    parse(b"<a/>")

    assert made == [SWITCHES]


def test_no_entity_is_resolved_by_the_parser_itself(bare, tmp_path):
    """
    Without the checks around it the parser leaves an internal and an external entity as they stand.
    """
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    external = f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]><a>&e;</a>'

    assert bare(b"<!DOCTYPE a [<!ENTITY e 'secret'>]><a>&e;</a>").text is None
    assert b"secret<" not in etree.tostring(bare(external.encode()))


def test_no_dtd_is_loaded_or_checked_by_the_parser_itself(bare, tmp_path):
    """
    Without the checks around it the parser does not read the external subset: no default attribute, no validation.
    """
    subset: Path = tmp_path / "a.dtd"
    subset.write_text('<!ELEMENT a EMPTY><!ATTLIST a b CDATA "from the subset">', encoding="utf-8")

    root = bare(f'<!DOCTYPE a SYSTEM "{subset.as_uri()}"><a>not empty</a>'.encode())

    assert (root.text, dict(root.attrib)) == ("not empty", {})


@pytest.mark.parametrize("data", [b"<a>" + b"x" * 10_100_000 + b"</a>", b"<a>" * 300 + b"</a>" * 300], ids=["text", "depth"])
def test_the_parser_itself_refuses_huge_trees(bare, data):
    """
    Without the checks around it the limits of libxml2 on texts and depth still hold.
    """
    with pytest.raises(XmlRefused, match=r"longer than 10 MB|Excessive depth"):
        bare(data)


def test_laughs_are_bounded_by_the_parser_itself(bare):
    """
    Entities in an attribute are always resolved: libxml2 stops when they grow too much.
    """
    with pytest.raises(XmlRefused, match="amplification"):
        bare(LAUGHS.replace("<a>&e9;</a>", "<a b='&e9;'/>").encode())


def test_comments_and_instructions_are_removed_by_the_parser_itself(bare):
    """
    A reader of children never meets anything but elements.
    """
    assert len(bare(b"<a><!-- x --><?x y?></a>")) == 0


def test_what_the_library_cannot_decode_is_refused(monkeypatch):
    """
    An error of decoding that lxml raises instead of a syntax error becomes a refusal without its text.
    """

    def undecodable(_data, _parser):
        raise UnicodeDecodeError("utf-8", b"999990019", 0, 1, "invalid start byte")

    monkeypatch.setattr(etree, "fromstring", undecodable)

    with pytest.raises(XmlRefused, match="cannot be decoded") as refused:
        parse(b"<a/>")

    assert refused.value.reason is Refusal.ENCODING
    assert "999990019" not in str(refused.value)


def test_the_schema_does_not_quote_either():
    """
    A complaint about a long or short value shows none of it, nor does its repr.
    """
    kop = "<v:BatchInformatie><v:BatchID>999990019</v:BatchID><v:AanmaakDatum>999990019</v:AanmaakDatum></v:BatchInformatie>"
    for value in ("999990019", "999990019 " * 10_000, "a' is 'x999990019'] in 'y"):
        text = f'<v:Berichten xmlns:v="http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01">{kop.replace("999990019", value)}</v:Berichten>'

        errors = schema_errors(parse(text.encode()), "berichten.xsd")

        assert errors
        assert not any("999990019" in repr(error) for error in errors)
        assert all(len(error.text) <= 600 for error in errors)


def test_the_default_limits_leave_room_for_a_full_batch():
    """
    1000 berichten with everything in them stay well below the limits on markup and size.
    """
    assert DEFAULT.size > 100_000_000
    assert DEFAULT.markup > 1000 * 2 * 24
