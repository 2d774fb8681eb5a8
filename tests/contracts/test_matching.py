"""The matching rules for XML with namespaces."""

import re

import pytest

from conformance.contracts.matching import BASE64, GUID, MOMENT, packed, regex, xml_path


def test_path_names_namespaces():
    """
    A path is independent of prefixes: it has the namespace itself.
    """
    path = xml_path("{urn:a}Batch", "Id", "#text")

    assert path == "$['urn:a:Batch']['Id']['#text']"


@pytest.mark.parametrize(
    ("pattern", "fits", "not_this"),
    [
        (GUID, "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01", "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01x"),
        (MOMENT, "2026-11-24T12:00:00.5+01:00", "2026-11-24 12:00:00Z"),
        (BASE64, "JVBERi0=", "JVB ERi0="),
    ],
)
def test_patterns_hold_for_the_whole_text(pattern, fits, not_this):
    """
    A pattern does not fit a text that only begins with it.
    """
    (matcher,) = regex(pattern)["matchers"]

    assert re.search(matcher["regex"], fits)
    assert not re.search(matcher["regex"], not_this)


def test_packed_payload_is_matched_by_its_kind():
    """
    Of a gzip file Pact only looks at what it is.
    """
    (matcher,) = packed()["body"]["$"]["matchers"]

    assert matcher == {"match": "contentType", "value": "application/gzip"}
