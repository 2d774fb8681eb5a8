"""Makes the bijlagen of the cases: PDFs that declare PDF/A-2a, have the hints of an accessible document, and are as large as asked."""

import io
from functools import cache
from typing import Final

import pikepdf

SMALLEST: Final = 2_000


@cache
def pdf(size: int = SMALLEST, title: str = "Bijlage") -> bytes:
    """Return a PDF of exactly ``size`` bytes (at least 2000); the same arguments give the same bytes."""
    padding = max(0, size - len(_build(0, title)))
    for _ in range(8):
        made = _build(padding, title)
        if len(made) == size:
            return made
        padding += size - len(made)
    raise ValueError(f"no PDF of {size} bytes can be made; the smallest has {SMALLEST}")


def _build(padding: int, title: str) -> bytes:
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(595, 842))
        root = document.Root
        root.Lang = pikepdf.String("nl-NL")
        root.MarkInfo = pikepdf.Dictionary(Marked=True)
        root.StructTreeRoot = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.StructTreeRoot))
        # Spaces in a stream that nothing shows: only there to reach the size.
        root.PieceInfo = pikepdf.Dictionary(Kit=document.make_stream(b" " * padding))
        with document.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
            metadata["pdfaid:part"] = "2"
            metadata["pdfaid:conformance"] = "A"
            metadata["dc:title"] = title
        out = io.BytesIO()
        document.save(out, deterministic_id=True, compress_streams=False, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()
