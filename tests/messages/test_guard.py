"""Places and schemas of the guarded parser; hostile input is in tests/attack/test_xml.py."""

import threading

import pytest

from conformance.messages import guard
from conformance.messages.guard import Limits, Refusal, XmlInvalid, XmlRefused, etree, local_name, parse, readable_path, schema, schema_errors

V = "http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01"


def test_a_path_counts_only_where_there_are_more():
    """
    A place is numbered among its equals, by local name.
    """
    root = parse(b"<a><b/><x:b xmlns:x='urn:x'><c/></x:b><d/></a>")

    assert [readable_path(element) for element in root.iter("*")] == ["a", "a/b[1]", "a/b[2]", "a/b[2]/c", "a/d"]


def test_a_long_number_in_a_name_is_not_shown():
    """
    A name can be a BSN in disguise.
    """
    assert readable_path(parse(b"<a><x999990019/></a>")[0]) == "a/x…"


@pytest.mark.parametrize(("document", "name"), [(b"<a/>", "a"), (b"<a xmlns='urn:x'/>", "a"), (b"<x:a xmlns:x='urn:x'/>", "a")])
def test_the_local_name_has_no_namespace(document, name):
    """
    Elements are found by local name, whatever their namespace.
    """
    assert local_name(parse(document)) == name


def test_a_comment_has_no_name():
    """
    What is no element has no name that anything could match.
    """
    assert local_name(etree.Comment("a")) == ""


def test_a_place_that_cannot_be_followed_ends_where_it_can():
    """
    When libxml2 names a child that is not there, the finding is on the last element that is.
    """
    root = parse(b"<a><b/></a>")

    assert guard._find(root, "/a/b[2]/c") is root
    assert guard._find(root, "/a/b/c") is root[0]


def test_a_valid_document_has_no_errors_and_an_invalid_one_is_bounded():
    """
    ``most`` bounds what is translated.
    """
    document = (
        f"<v:Berichten xmlns:v='{V}'><v:BatchInformatie><v:BatchID/><v:AanmaakDatum/><v:BerichtLeverancierID/></v:BatchInformatie></v:Berichten>"
    )

    errors = schema_errors(parse(document.encode()), "berichten.xsd")

    assert len(errors) >= 3
    assert schema_errors(parse(document.encode()), "berichten.xsd", most=1) == errors[:1]
    assert [errors[0].element, errors[0].parent, errors[0].namespace, errors[0].path] == [
        "BatchID",
        "BatchInformatie",
        V,
        "Berichten/BatchInformatie/BatchID",
    ]
    assert errors[0].is_about_value


def test_each_thread_has_its_own_schema():
    """
    The errors of one thread do not appear in another.
    """
    seen = []
    thread = threading.Thread(target=lambda: seen.append(schema("berichten.xsd")))
    thread.start()
    thread.join()

    assert schema("berichten.xsd") is schema("berichten.xsd")
    assert seen[0] is not schema("berichten.xsd")


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"<a/>", "UTF-8"),
        (b"<a b='encoding=\"x\"'/>", "UTF-8"),
        (b"<?xml version='1.0'?><a/>", "UTF-8"),
        (b"<?xml version='1.0' encoding='iso-8859-1'?><a/>", "ISO-8859-1"),
        ("<a/>".encode("utf-16"), "UTF-16"),
    ],
)
def test_the_encoding_of_a_document_is_told(data, encoding):
    """
    What is declared counts, and null bytes are those of UTF-16.
    """
    assert guard.encoding_of(data) == encoding


# -- documents that are too large to hold ------------------------------------------------------------------------------------------------------

AANVRAAG = b"<n:AbonnementAanvraag xmlns:n='http://schemas.overheid.nl/GEB/AbonnementServiceProcessor/2014/02'>%s</n:AbonnementAanvraag>"
HEAD = b"<BerichtLeverancier><OIN>00000099000000001000</OIN></BerichtLeverancier><VerzoekId>v</VerzoekId>"


def streamed(document: bytes, *names: str, limits: Limits = guard.DEFAULT, schema: str | None = None, size: int = 7) -> list[tuple[str, str | None]]:
    """Stream a document in small chunks."""
    chunks = (document[start : start + size] for start in range(0, len(document), size))
    return [(name, element.text) for name, element in guard.stream(chunks, names, limits, schema)]


def test_a_stream_yields_what_was_asked_and_then_the_root():
    """
    Names are local ones; what is not asked for passes by.
    """
    document = b"<a xmlns:x='urn:x'><b>1</b><c>2</c><x:b>3</x:b><!-- <b>4</b> --></a>"

    assert streamed(document, "b") == [("b", "1"), ("b", "3"), ("a", None)]


@pytest.mark.parametrize("size", [64, 100_000, 10_000_000])
def test_a_stream_keeps_nothing(size):
    """
    However it arrives, of a long list no more stays than was parsed at once.
    """
    document = b"<a><l>" + b"<b><c>1</c></b>" * 40_000 + b"</l></a>"
    chunks = (document[start : start + size] for start in range(0, len(document), size))
    most = 0

    for place, (name, element) in enumerate(guard.stream(chunks, ("b",))):
        assert name == "a" or element[0].text == "1"
        most = max(most, len(element.getparent())) if name == "b" and place % 1000 == 0 else most

    assert place == 40_000
    assert most < 10_000


def test_an_element_across_two_pieces_is_whole():
    """
    An element that is not complete at the end of a piece keeps its children.
    """
    document = b"<a>" + b"<b><c>1</c>" + b" " * 250_000 + b"<d>2</d></b></a>"

    [(_, element), _] = guard.stream([document], ("b",))

    assert [child.tag for child in element] == ["c", "d"]


@pytest.mark.parametrize(
    ("document", "limits", "reason"),
    [
        (b"<!DOCTYPE a><a><b/></a>", guard.DEFAULT, Refusal.DOCTYPE),
        (b"<?xml version='1.0'?>" + b"<!--" + b"x" * 210_000 + b"--><!DOCTYPE a><a><b/></a>", guard.DEFAULT, Refusal.DOCTYPE),
        (b"<?xml version='1.0'?>" + b"<!--" + b"x" * 210_000 + b"--><!DOCTYPE a><a/>", guard.DEFAULT, Refusal.DOCTYPE),
        (b"<?xml version='1.0' encoding='EBCDIC'?><a/>", guard.DEFAULT, Refusal.ENCODING),
        (b"<a><b></a>", guard.DEFAULT, Refusal.NOT_WELL_FORMED),
        (b"<a><b/>", guard.DEFAULT, Refusal.NOT_WELL_FORMED),
        (b"", guard.DEFAULT, Refusal.NOT_WELL_FORMED),
        (b"<a>" * 300, guard.DEFAULT, Refusal.TOO_DEEP),
        (b"<a>" + b"<b/>" * 30, Limits(size=99), Refusal.TOO_LARGE),
        (b"<a>" + b"<b/>" * 30, Limits(markup=20), Refusal.TOO_MANY_ELEMENTS),
        (b"<a>" + b"<b c='1'/>" * 30, Limits(attributes=20), Refusal.TOO_MANY_ATTRIBUTES),
        (b"<a>" + b"<x/>" * 30_000, guard.DEFAULT, Refusal.TOO_MANY_ELEMENTS),
    ],
)
def test_a_hostile_or_broken_stream_is_refused(document, limits, reason):
    """
    What a document at once may not do, a stream may not either.
    """
    with pytest.raises(XmlRefused) as refused:
        streamed(document, "b", limits=limits, size=1000)

    assert refused.value.reason is reason


def test_a_stream_is_validated():
    """
    Every element comes first; what the schema has against the document comes in place of the root, without values.
    """
    document = AANVRAAG % (HEAD + b"<BSNLijst><BSN>999990019</BSN><BSN>99999001</BSN><X999990019/></BSNLijst>")
    found = []

    with pytest.raises(XmlInvalid, match="pattern") as invalid:
        found.extend(guard.stream([document], ("BSN",), schema="abonnement-aanvraag.xsd"))

    errors = [(error.path, error.is_about_value, error.value) for error in invalid.value.errors]
    assert errors == [("BSN", True, ""), ("X…", False, "")]
    assert "99999001" not in str([error.text for error in invalid.value.errors])


def test_a_valid_stream_ends_with_its_root():
    """
    A schema that has nothing against a document changes nothing.
    """
    document = AANVRAAG % (HEAD + b"<BSNLijst><BSN>999990019</BSN></BSNLijst>")

    assert streamed(document, "BSN", schema="abonnement-aanvraag.xsd") == [("BSN", "999990019"), ("AbonnementAanvraag", None)]


@pytest.mark.parametrize("wrong", [b"<BSN>1</BSN>" * 100_000, b"<Bsn>1</Bsn>" * 100_000])
def test_a_stream_of_mistakes_is_broken_off(wrong):
    """
    Nobody reads a hundred thousand complaints.
    """
    with pytest.raises(XmlInvalid) as invalid:
        streamed(AANVRAAG % (HEAD + b"<BSNLijst>" + wrong), "BSN", schema="abonnement-aanvraag.xsd", size=10_000)

    assert 1 <= len(invalid.value.errors) <= 200


def test_broken_xml_is_refused_before_it_is_invalid():
    """
    Of a document that is neither, it is said that it is no XML.
    """
    with pytest.raises(XmlRefused, match="mismatch"):
        streamed(b"<a>\n<b></c></a>", "b", schema="abonnement-aanvraag.xsd")
