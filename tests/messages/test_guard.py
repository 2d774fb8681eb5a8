"""Places and schemas of the guarded parser; hostile input is in tests/attack/test_xml.py."""

import threading

import pytest

from conformance.messages import guard
from conformance.messages.guard import etree, local_name, parse, readable_path, schema, schema_errors

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
