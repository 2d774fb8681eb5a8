"""What is wrong with a question to the validatieservice, answered or not, as the note of its call says it: for a transcript, and for the rules.

A remark names its requirement and holds no BSN. A service that forgives, such as one that does not look at a signature, hides what is wrong.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.messages.guard import XmlRefused, etree, local_name, parse
from conformance.messages.identities import is_bsn_shaped, passes_elfproef
from conformance.messages.validatie import MOST_KLANTEN, ValidatieAanvraag
from conformance.rules.findings import quoted
from conformance.transport import soap

UNREADABLE: Final = "VAL-008"
SIGNED: Final = "VAL-019"
_SECURITY: Final = (b"secext", b"xmldsig")  # in the namespaces of WS-Security and of a signature; who has neither is not read twice


@dataclass(frozen=True, slots=True)
class Remark:
    """A requirement that a question breaks, and how."""

    requirement: str
    text: str

    def __str__(self) -> str:
        return f"{self.requirement}: {self.text}"


def written(remarks: Iterable[Remark]) -> str:
    """Return remarks as a note: a line each."""
    return "\n".join(" ".join(str(remark).split()) for remark in remarks)


def read(note: str) -> Sequence[Remark]:
    """Return the remarks in a note."""
    parts = (line.partition(": ") for line in note.splitlines())
    return [Remark(requirement, text) for requirement, colon, text in parts if colon]


def on_message(data: bytes) -> Iterator[Remark]:
    """Yield what is wrong with a message whether its content can be read or not: that it is signed."""
    if any(name in data for name in _SECURITY):
        try:
            root = parse(data, soap.LIMITS)
        except XmlRefused:
            return
        yield from (Remark(SIGNED, text) for text in _secured(root))


def _secured(root: etree._Element) -> Iterator[str]:
    names = {(etree.QName(element).namespace or "", local_name(element)) for element in root.iter(etree.Element)}
    if any(name == "Security" and "secext" in namespace for namespace, name in names):
        yield "a WS-Security header"
    elif any(name == "Signature" and "xmldsig" in namespace for namespace, name in names):
        yield "a signature"


def on_question(asked: ValidatieAanvraag, oins: Collection[str]) -> Iterator[Remark]:
    """Yield what is wrong with a question that could be read; ``oins`` are those of the connection."""
    keys = [klant.key or "" for klant in asked.klanten or ()]
    if asked.leverancier_code not in oins:
        yield Remark("VAL-003", f"berichtleverancierCode {_shown(asked.leverancier_code)} is no OIN of this connection")
    if not keys:
        yield Remark("VAL-005", "no klanten")
    if len(keys) > MOST_KLANTEN:
        yield Remark("VAL-001", f"{len(keys)} klanten")
    shapeless = [key for key in keys if not is_bsn_shaped(key)]
    impossible = len(keys) - len(shapeless) - sum(map(passes_elfproef, keys))
    if shapeless:
        yield Remark("VAL-006", f"{len(shapeless)} of {len(keys)} Keys are no 9 digits; the first one has {_described(shapeless[0])}")
    if impossible:
        yield Remark("VAL-007", f"{impossible} of {len(keys)} Keys cannot be a BSN")


def _shown(code: str | None) -> str:
    """Return a code; a BSN that stands in its place is masked."""
    return "that is nil" if code is None else quoted(code)


def _described(key: str) -> str:
    """Return what a Key looks like without showing it."""
    digits = sum(character.isascii() and character.isdigit() for character in key)
    return f"{len(key)} characters, of which {digits} digits"
