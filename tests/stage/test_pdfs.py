"""The bijlagen of the cases: exact in size, the same each time, and PDF/A-2a by their own word."""

import io

import pikepdf
import pytest

from conformance.stage.pdfs import SMALLEST, pdf


@pytest.mark.parametrize("size", [SMALLEST, SMALLEST + 1, 9_999, 10_000, 99_990, 100_003, 249_000, 251_000, 500_000])
@pytest.mark.parametrize("title", ["Bijlage", "Een besluit met een langere titel"])
def test_pdf_has_exactly_the_size(size, title):
    """
    Every size from the smallest can be made, whatever the title and however many digits the offsets take.
    """
    assert len(pdf(size, title)) == size


def test_same_arguments_make_the_same_bytes():
    """
    Nothing in a PDF depends on the moment; another title makes another one.
    """
    first = pdf(3_000, "Besluit")
    pdf.cache_clear()

    assert pdf(3_000, "Besluit") == first
    assert pdf(3_000, "Kaart") != first


def test_pdf_claims_to_be_accessible():
    """
    It declares PDF/A-2a and has the language, marks and structure that belong to it.
    """
    with pikepdf.open(io.BytesIO(pdf(5_000))) as document:
        metadata = document.open_metadata()

        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"], metadata["dc:title"]) == ("2", "A", "Bijlage")
        assert str(document.Root.Lang) == "nl-NL"
        assert bool(document.Root.MarkInfo.Marked)
        assert document.Root.StructTreeRoot.Type == "/StructTreeRoot"
        assert len(document.pages) == 1


@pytest.mark.parametrize("size", [0, 100, 1_000])
def test_too_small_a_pdf_is_refused(size):
    """
    What cannot be made is said.
    """
    with pytest.raises(ValueError, match=f"no PDF of {size} bytes can be made; the smallest has 2000"):
        pdf(size)
