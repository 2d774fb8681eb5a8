"""Writes down what went over the line in a case, as a person reads it: headers, parts, sizes, payloads with the bijlagen left out; BSNs masked."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from conformance.berichtenbox.ledger import Call, Offer, OfferedResult
from conformance.masking import mask
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import XmlRefused, etree, local_name, parse
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch, is_gzip, unpack

_MOST_LINES: Final = 160
_MOST_QUOTED: Final = 2_000
_LONG_TEXT: Final = 200
_RULE: Final = "-" * 100


def transcript(offers: Sequence[Offer], results: Sequence[OfferedResult], calls: Sequence[Call]) -> str:
    """Return the exchanges of a case in the order of the wall clock, masked."""
    entries: list[tuple[datetime, str]] = [
        *((offer.wall, "\n".join(_offer(offer))) for offer in offers),
        *((result.wall, "\n".join(_result(result))) for result in results),
        *((call.wall, f"{_moments(call.wall, call.business)}  {call.operation} {call.subject} -> {call.status}") for call in calls),
    ]
    entries.sort(key=lambda entry: entry[0])
    return mask("\n".join(text for _, text in entries) or "nothing went over the line") + "\n"


def _moments(wall: datetime, business: datetime) -> str:
    return f"{write_moment(wall)} (business clock {write_moment(business)})"


def _offer(offer: Offer) -> Iterator[str]:
    yield _RULE
    yield f"{_moments(offer.wall, offer.business)}  Afnemer -> Berichtenbox, offer {offer.seq}: {offer.state} {offer.note}".rstrip()
    yield from _envelope(offer.envelope)
    for finding in offer.grading.findings if offer.grading else ():
        yield f"  ! {finding}"


def _result(result: OfferedResult) -> Iterator[str]:
    yield _RULE
    yield f"{_moments(result.wall, result.business)}  Berichtenbox -> Afnemer, result {result.seq}: {result.status}"
    yield from _envelope(result.envelope)


def _envelope(envelope: Envelope) -> Iterator[str]:
    for key, value in envelope.named().items():
        yield f"  {key}: {value}"
    for number, part in enumerate(envelope.parts, start=1):
        digest = hashlib.sha256(part.content).hexdigest()
        yield f"  part {number}: {part.content_type}, name {part.name}, contentId {part.content_id}, {len(part.content)} bytes, sha256 {digest}"
        lines = list(_payload(part))
        yield from (f"    {line}" for line in lines[:_MOST_LINES])
        if len(lines) > _MOST_LINES:
            yield f"    … and {len(lines) - _MOST_LINES} lines more"


def _payload(part: Part) -> list[str]:
    try:
        root = parse(unpack(part.content))
    except (XmlRefused, PackedTooMuch) as refusal:
        what = "a gzip file" if is_gzip(part.content) else repr(part.content[:_MOST_QUOTED].decode("utf-8", "replace"))
        return [f"[{refusal}]", what]
    for element in root.iter():
        _shorten(element)
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode")).splitlines()


def _shorten(element: etree._Element) -> None:
    text = element.text or ""
    if local_name(element) == "Inhoud" and len(text) > _LONG_TEXT:
        element.text = f"[{len(text)} characters of base64, sha256 {hashlib.sha256(text.encode()).hexdigest()}]"
