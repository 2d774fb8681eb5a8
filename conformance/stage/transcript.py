"""Writes down what went over the line in a case, as a person reads it: headers, parts, sizes, payloads with the bijlagen left out; BSNs masked."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from conformance.berichtenbox.ledger import Call, Offer, OfferedResult
from conformance.berichtenbox.wire import Exchange
from conformance.masking import mask
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import XmlRefused, etree, local_name, parse
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch, is_gzip, unpack
from conformance.stage.exchange_text import write_exchange

_MOST_LINES: Final = 160
_MOST_CHARACTERS: Final = 400_000
_LONGEST_LINE: Final = 4_000
_MOST_QUOTED: Final = 2_000
_LONG_TEXT: Final = 200
_RULE: Final = "-" * 100


def transcript(offers: Sequence[Offer], results: Sequence[OfferedResult], calls: Sequence[Call], exchanges: Sequence[Exchange] = ()) -> str:
    """Return what happened in a case in the order of the wall clock, masked; of a very long one the middle is left out."""
    payloads = _places(offers, results)
    entries: list[tuple[datetime, str]] = [
        *((offer.wall, "\n".join(_offer(offer))) for offer in offers),
        *((result.wall, "\n".join(_result(result))) for result in results),
        *((call.wall, "\n".join(_call(call))) for call in calls),
        *((exchange.wall, "\n".join(_exchange(exchange, payloads))) for exchange in exchanges),
    ]
    entries.sort(key=lambda entry: entry[0])
    texts = _bounded([mask(text) for _, text in entries])
    return ("\n".join(texts) or "nothing went over the line") + "\n"


def _places(offers: Sequence[Offer], results: Sequence[OfferedResult]) -> Mapping[str, str]:
    """Return by the digest of each payload where it is written out."""
    found: dict[str, str] = {}
    for name, messages in (("offer", offers), ("result", results)):
        for item in messages:
            for part in item.envelope.parts:
                found.setdefault(hashlib.sha256(part.content).hexdigest(), f"see {name} {item.seq}")
    return found


def _bounded(texts: Sequence[str]) -> Sequence[str]:
    """Keep the beginning and the end: what a case decides on stands in one of the two."""
    first, last = _fitting(texts), _fitting(texts[::-1])
    left_out = len(texts) - first - last
    if left_out <= 0:
        return texts
    said = f"{_RULE}\n[{left_out} entries are left out here: together they are too long; the ledger had them]"
    return (*texts[:first], said, *texts[len(texts) - last :])


def _fitting(texts: Sequence[str]) -> int:
    """Return how many texts, from the first on, fit in half of what may be written; one always does."""
    left = _MOST_CHARACTERS // 2
    for count, text in enumerate(texts):
        left -= len(text)
        if left < 0:
            return max(1, count)
    return len(texts)


def _exchange(exchange: Exchange, payloads: Mapping[str, str]) -> Iterator[str]:
    yield _RULE
    way = "Afnemer -> Berichtenbox" if exchange.is_incoming else "Berichtenbox -> Afnemer"
    about = f" about {exchange.ref_to_message_id}" if exchange.ref_to_message_id else ""
    named = f": {exchange.kind or 'no message'} {exchange.message_id}".rstrip()
    yield f"{_moments(exchange.wall, exchange.business)}  {way}, exchange {exchange.seq}{named}{about}"
    yield from (line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in write_exchange(exchange, payloads))


def _moments(wall: datetime, business: datetime) -> str:
    return f"{write_moment(wall)} (business clock {write_moment(business)})"


def _call(call: Call) -> Iterator[str]:
    yield f"{_moments(call.wall, call.business)}  {call.operation} {call.subject} -> {call.status}"
    yield from (f"  ! {line}" for line in call.note.splitlines())


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
