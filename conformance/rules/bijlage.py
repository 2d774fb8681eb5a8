"""Rules over the bijlagen of one bericht.

A PDF is looked at only as far as a library reads its claims: which PDF/A it declares and which accessibility hints it has. That is no proof of PDF/A.
"""

import io
import logging
import re
from collections.abc import Iterator
from typing import Final

import pikepdf
from pikepdf import settings

from conformance.limits import limits
from conformance.messages.batch import Batch, Bericht, Bijlage, InvalidBase64
from conformance.rules.findings import Knowledge, Objection
from conformance.rules.registry import on_bericht

PDF_START: Final = b"%PDF-"
_ACCEPTED_PDFA: Final = frozenset({"1A", "2A"})
_INT: Final = re.compile(r"[ \t\r\n]*\+?0*([0-9]+)[ \t\r\n]*")
_MOST_UNPACKED: Final = 16_000_000
_HINTS: Final = ("/MarkInfo", "/StructTreeRoot", "/Lang")

# A stranger's PDF may unpack without end. These limits of the library hold for the whole process, and nothing else in it reads PDFs.
settings.set_qpdf_limits(
    flate_max_memory=_MOST_UNPACKED,
    png_max_memory=_MOST_UNPACKED,
    run_length_max_memory=_MOST_UNPACKED,
    tiff_max_memory=_MOST_UNPACKED,
    max_stream_filters=2,
    doc_max_warnings=100,
)
# The library logs a traceback for metadata that it cannot read; the finding says the same.
logging.getLogger("pikepdf").setLevel(logging.CRITICAL)


def _has_bijlagen(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    return bool(bericht.bijlagen)


def octets_of(bericht: Bericht) -> tuple[bytes | None, ...]:
    """Return the bytes of each bijlage, ``None`` for one that is not base64."""
    return tuple(_octets(bericht))


def _octets(bericht: Bericht) -> Iterator[bytes | None]:
    for bijlage in bericht.bijlagen:
        try:
            yield bijlage.octets()
        except InvalidBase64:
            yield None


@on_bericht("AANL-081", when=_has_bijlagen)
def there_are_at_most_two(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """A bericht carries at most two bijlagen."""
    count, most = len(bericht.bijlagen), limits().bijlagen_max
    return Objection(f"at most {most} bijlagen", f"{count} bijlagen", "Bijlagen") if count > most else None


@on_bericht("AANL-082", when=_has_bijlagen)
def bijlagen_are_small_enough(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The bijlagen together, before base64, are at most 500 kB; what kB means between 500 000 and 512 000 bytes is not known."""
    size = sum(len(octets or b"") for octets in octets_of(bericht))
    if size <= limits().bijlagen_bytes_accepted:
        return None
    is_note = size <= limits().bijlagen_bytes_refused_above
    return Objection(f"at most {limits().bijlagen_bytes_accepted} bytes together, before base64", f"{size} bytes", "Bijlagen", is_note=is_note)


@on_bericht("AANL-085", when=_has_bijlagen)
def inhoud_is_base64(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """Inhoud is base64 of at least one octet; schema checkers let some of what is not base64 through."""
    for number, octets in enumerate(octets_of(bericht), start=1):
        if not octets:
            seen = "nothing" if octets is not None else "characters that are not base64"
            return Objection("base64 of at least one octet", seen, f"Bijlagen/Bijlage[{number}]/Inhoud")
    return None


@on_bericht("AANL-088", when=_has_bijlagen)
def bijlage_is_a_pdf(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """Each bijlage starts as a PDF does."""
    for number, octets in enumerate(octets_of(bericht), start=1):
        if octets and not octets.startswith(PDF_START):
            return Objection("a PDF, starting with %PDF-", f"bytes {octets[:5].hex(' ')}", f"Bijlagen/Bijlage[{number}]/Inhoud")
    return None


def _has_a_pdf(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    return bool(bericht.bijlagen) and any(True for _ in _pdfs(bericht))


@on_bericht("AANL-089", when=_has_a_pdf)
def bijlage_declares_pdfa(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """Each PDF declares PDF/A-1a or PDF/A-2a in its metadata: the claim is read, its truth is not judged."""
    for number, pdf in _pdfs(bericht):
        claim = _pdfa_claim(pdf)
        if claim not in _ACCEPTED_PDFA:
            return Objection("a PDF that declares PDF/A-1a or PDF/A-2a", claim or "no PDF/A claim", f"Bijlagen/Bijlage[{number}]/Inhoud")
    return None


@on_bericht("AANL-090", when=_has_a_pdf)
def bijlage_hints_at_accessibility(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """Each PDF has the hints of an accessible document: MarkInfo, StructTreeRoot and Lang."""
    for number, pdf in _pdfs(bericht):
        missing = _missing_hints(pdf)
        if missing:
            return Objection(f"{', '.join(_HINTS)} in the catalog of the PDF", f"without {', '.join(missing)}", f"Bijlagen/Bijlage[{number}]/Inhoud")
    return None


def _pdfs(bericht: Bericht) -> Iterator[tuple[int, bytes]]:
    for number, octets in enumerate(octets_of(bericht), start=1):
        if octets and octets.startswith(PDF_START) and len(octets) <= limits().bijlagen_bytes_refused_above:
            yield number, octets  # a larger one is refused for its size, and not opened: what it may unpack to grows with it


def _pdfa_claim(octets: bytes) -> str:
    try:
        with pikepdf.open(io.BytesIO(octets), suppress_warnings=True) as pdf:
            # PDF/A forbids every other filter here, and the library does not bound what they unpack to.
            has_plain_metadata = pdf.Root.Metadata.get("/Filter") in (None, "/FlateDecode")
            return str(pdf.open_metadata().pdfa_status) if has_plain_metadata else ""
    except Exception:  # noqa: BLE001  # a stranger's PDF may break the library in any way; what it cannot read claims nothing
        return ""


def _missing_hints(octets: bytes) -> tuple[str, ...]:
    try:
        with pikepdf.open(io.BytesIO(octets), suppress_warnings=True) as pdf:
            return tuple(hint for hint in _HINTS if hint not in pdf.Root)
    except Exception:  # noqa: BLE001  # idem
        return _HINTS


@on_bericht("AANL-092", when=_has_bijlagen)
def omschrijving_is_short(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The handleiding still says 40 characters where the schema says 128 (D1)."""
    longest = max(len(bijlage.omschrijving) for bijlage in bericht.bijlagen)
    return (
        Objection(f"at most {limits().omschrijving_advice} characters", f"{longest} characters", "Bijlagen/Bijlage/Omschrijving")
        if longest > limits().omschrijving_advice
        else None
    )


@on_bericht("AANL-093", when=_has_bijlagen)
def volgorde_counts_from_one(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """Volgorde is 1 for the first and 2 for the second."""
    seen = [_volgorde(bijlage) for bijlage in bericht.bijlagen]
    expected = [str(number) for number in range(1, len(seen) + 1)]
    return None if seen == expected else Objection(f"Volgorde {', '.join(expected)}", ", ".join(seen), "Bijlagen/Bijlage/Volgorde")


def _volgorde(bijlage: Bijlage) -> str:
    """Return the number as it is written shortest: the schema takes ``+1`` and ``01`` for 1 too."""
    found = _INT.fullmatch(bijlage.volgorde)
    return found[1] if found else bijlage.volgorde
