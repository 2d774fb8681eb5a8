"""Reading the claims of a PDF from a stranger: broken and hostile ones claim nothing, and cost little."""

import io
import logging
import zlib
from dataclasses import replace

import pikepdf
import pytest
from pikepdf import settings

from conformance.messages.batch import Bijlage
from conformance.rules.grading import grade_offer

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:p="http://www.aiim.org/pdfa/ns/id/" p:part="2" p:conformance="A"/></rdf:RDF></x:xmpmeta>'
)
LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY e0 "2">' + b"".join(b'<!ENTITY e%d "%s">' % (number, b"&e%d;" % (number - 1) * 10) for number in range(1, 10)) + b"]>"
)


def written(metadata: bytes, entries: bytes = b"") -> bytes:
    """Write a PDF by hand: a library would refuse to make these."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R/Metadata 3 0 R/Lang(nl)/MarkInfo<</Marked true>>/StructTreeRoot<<>>>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Metadata/Subtype/XML/Length %d%s>>stream\n%s\nendstream" % (len(metadata), entries, metadata),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    )
    text, table = b"%PDF-1.7\n", b"xref\n0 5\n0000000000 65535 f \n"
    for number, item in enumerate(objects, start=1):
        table += b"%010d 00000 n \n" % len(text)
        text += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    return text + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(text)


def encrypted() -> bytes:
    pdf, target = pikepdf.Pdf.new(), io.BytesIO()
    pdf.add_blank_page()
    pdf.save(target, encryption=pikepdf.Encryption(owner="owner", user="user"))
    return target.getvalue()


def bomb_of_references() -> bytes:
    table = zlib.compress(bytes(50_000_000), 9)
    head = b"1 0 obj\n<</Type/XRef/Size 10000000/W[1 1 1]/Root 2 0 R/Filter/FlateDecode/Length %d>>\nstream\n" % len(table)
    return b"%PDF-1.5\n" + head + table + b"\nendstream\nendobj\nstartxref\n9\n%%EOF"


HOSTILE = {
    "cut off": written(XMP)[:300],
    "only a header": b"%PDF-",
    "noise": b"%PDF-1.7\n" + b"\xff" * 1_000,
    "encrypted": encrypted(),
    "a table of a thousand million references": b"%PDF-1.4\nxref\n0 999999999\ntrailer<</Size 999999999/Root 1 0 R>>\nstartxref\n9\n%%EOF",
    "a table that refers to itself": b"%PDF-1.4\nxref\n0 1\n0000000000 65535 f \ntrailer<</Size 1/Root 1 0 R/Prev 9>>\nstartxref\n9\n%%EOF",
    "a compressed table of references": bomb_of_references(),
    "arrays in arrays": b"%PDF-1.4\n1 0 obj\n" + b"[" * 100_000 + b"\nendobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF",
}
CLAIMS_NOTHING = {
    "metadata that is no XML": written(b"<x"),
    "metadata with laughs": written(LAUGHS + XMP.replace(b'="2"', b'="&e9;"')),
    "metadata with an entity": written(
        b'<!DOCTYPE x [<!ENTITY e "2">]>' + XMP.replace(b' p:part="2"', b"").replace(b"/></rdf", b"><p:part>&e;</p:part></rdf:Description></rdf")
    ),
    "metadata that unpacks to 50 MB": written(zlib.compress(XMP + b" " * 50_000_000, 9), b"/Filter/FlateDecode"),
    "metadata that unpacks twice": written(zlib.compress(zlib.compress(XMP, 9), 9), b"/Filter[/FlateDecode/FlateDecode]"),
    "metadata under another filter": written(XMP.hex().encode() + b">", b"/Filter/ASCIIHexDecode"),
}


@pytest.fixture
def findings(batch, known):
    def found(octets: bytes) -> set[str]:
        bericht = replace(batch.berichten[0], bijlagen=(Bijlage.from_octets(octets, "Besluit", 1),))
        grading, _ = grade_offer(replace(batch, berichten=(bericht,)).to_xml(), known)
        return {finding.requirement for finding in grading.findings}

    return found


@pytest.mark.parametrize("entries", [b"", b"/Filter/FlateDecode"])
def test_a_claim_in_plain_or_compressed_metadata_is_read(findings, entries):
    """
    The handwritten PDF of these tests is right as it stands, so that a finding is due to what is changed in it.
    """
    assert findings(written(zlib.compress(XMP) if entries else XMP, entries)) == set()


@pytest.mark.attack
@pytest.mark.parametrize("octets", HOSTILE.values(), ids=HOSTILE)
def test_a_pdf_that_cannot_be_opened_claims_nothing_and_hints_at_nothing(findings, caplog, octets):
    """
    A broken or hostile PDF is a finding, without a crash and without a log.
    """
    with caplog.at_level(logging.INFO):
        found = findings(octets)

    assert found == {"AANL-089", "AANL-090"}
    assert caplog.records == []


@pytest.mark.attack
@pytest.mark.parametrize("octets", CLAIMS_NOTHING.values(), ids=CLAIMS_NOTHING)
def test_metadata_that_cannot_be_read_claims_nothing(findings, caplog, octets):
    """
    Metadata with entities, or that unpack without end, claim nothing; the rest of the PDF is still looked at.
    """
    with caplog.at_level(logging.INFO):
        found = findings(octets)

    assert found == {"AANL-089"}
    assert caplog.records == []


@pytest.mark.attack
def test_a_pdf_that_is_too_large_is_not_opened(findings, make_pdf):
    """
    The size is the objection; what a large PDF claims is not looked at.
    """
    assert findings(make_pdf("", padding=512_001)) == {"AANL-082"}


def test_the_library_unpacks_within_limits():
    """
    Every limit on unpacking that the library has is set.
    """
    limits = settings.get_qpdf_limits()

    assert {limits[f"{kind}_max_memory"] for kind in ("flate", "png", "run_length", "tiff")} == {16_000_000}
    assert limits["max_stream_filters"] == 2
