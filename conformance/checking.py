"""Grades files with messages in them by the rules alone: no connection, no history, no other message.

Understood are a GLOBE-R-BV-Request, a GLOBE-R-BV-Result, a GLOBE-R-A-Request and a GLOBE-R-A-Result in XML, gzipped or not, the JSON of the
adapter that carries one, and MIME whose parts do. The root element says which it is.
"""

import email
import email.message
import email.policy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from conformance.messages.abonnement import AbonnementAanvraag, names
from conformance.messages.batch import Batch
from conformance.messages.envelope import Action, Envelope
from conformance.messages.guard import DEFAULT
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.unpack_stream import unpack_stream
from conformance.messages.verwerkingsbericht import Verwerkingsbericht
from conformance.rules.abonnement import NEEDS_REQUEST, grade_aanvraag, grade_antwoord, on_aanvraag, on_aanvraag_envelope
from conformance.rules.findings import Connection, Finding, Grading, Knowledge, quoted
from conformance.rules.grading import NOTHING_KNOWN, Reading, grade_offer, grade_reading, grade_result
from conformance.rules.registry import Rules, on_batch, on_bericht, on_envelope, on_result
from conformance.transport.adapter import RequestRefused, read_json, read_message, read_message_request

LARGEST_FILE: Final = 210_000_000  # bytes: a batch of 100 MB as base64 in JSON, partly escaped
_LONGEST_HEAD: Final = 65_536
_MOST_PARTS: Final = 50
_SNIFFED: Final = 200_000  # bytes in which the root element must begin
_BLANKS: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_ROOT: Final = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_HEADER: Final = re.compile(rb"(?i)[!-9;-~]+:")
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_NESTING: Final = re.compile(rb"(?im)^content-type:\s*(?:multipart|message)/")
_DELIMITER: Final = re.compile(rb"--([^\r\n]{1,200})\r?\n")
_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
# With this every rule that waits for context would speak: whichever speaks now and not otherwise, needs context.
_ALL_KNOWN: Final = Knowledge(_MOMENT, Connection("", "", "", frozenset()), {}, {}, {}, frozenset(), ("", frozenset()), frozenset())


class Kind(StrEnum):
    """What a file, or a part of it, turned out to be."""

    OFFER = "GLOBE-R-BV-Request"
    RESULT = "GLOBE-R-BV-Result"
    AANVRAAG = "GLOBE-R-A-Request"
    ANTWOORD = "GLOBE-R-A-Result"
    MESSAGE_REQUEST = "MessageRequest"
    MESSAGE = "Message"
    MIME = "MIME"


_ROOTS: Final = {
    b"Berichten": Kind.OFFER,
    b"BerichtVerwerkResponse": Kind.RESULT,
    names().aanvraag.encode(): Kind.AANVRAAG,
    names().antwoord.encode(): Kind.ANTWOORD,
}
_OF_ACTION: Final[dict[str, Kind]] = {Action.A_REQUEST: Kind.AANVRAAG, Action.A_RESULT: Kind.ANTWOORD}
_ROOT_NAMES: Final = " or ".join(root.decode() for root in _ROOTS)


class UnreadableFile(ValueError):  # noqa: N818  # names the thing that is wrong
    """A file that holds no message of the koppelvlak, or one that cannot be read: ``what`` is wrong with it, and a ``hint``."""

    def __init__(self, name: str, what: str, hint: str) -> None:
        super().__init__(f"{name}: {what}.\n  Hint: {hint}.")
        self.name, self.what, self.hint = name, what, hint


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What the rules say of a file.

    ``kind`` names what it holds, ``size`` is in bytes, ``decided`` are the requirements on which a rule spoke, and ``needs_context`` those on which
    one would speak if it knew more than this file.
    """

    name: str
    kind: str
    size: int
    findings: tuple[Finding, ...]
    decided: frozenset[str]
    needs_context: frozenset[str]

    def __repr__(self) -> str:
        return f"<CheckedFile {self.name}: {self.kind}, {len(self.findings)} findings>"


@dataclass(frozen=True, slots=True)
class _Checked:
    """What one message came to."""

    kind: str
    grading: Grading
    needs_context: frozenset[str]


def check_file(data: bytes, name: str) -> CheckedFile:
    """Grade the content of a file; raises :class:`UnreadableFile`."""
    if len(data) > LARGEST_FILE:
        raise UnreadableFile(name, f"larger than {LARGEST_FILE} bytes, which no message is", "give one message a file")
    if not data.strip():
        raise UnreadableFile(name, "empty", "give the message as it was sent")
    checked = _check(data, name)
    decided = checked.grading.decided
    return CheckedFile(name, checked.kind, len(data), checked.grading.findings, decided, checked.needs_context - decided)


def _check(data: bytes, name: str) -> _Checked:
    start = data.lstrip(_BLANKS)[:1]
    if start == b"{":
        return _check_json(data, name)
    if start != b"<" and (data.startswith(b"--") or _HEADER.match(data)):
        return _check_mime(data, name)
    return _check_document(data, name)


# -- one document ----------------------------------------------------------------------------------------------------------------------------


def _check_document(data: bytes, name: str) -> _Checked:
    """Grade a file of its own: whoever kept it may have packed it."""
    root = _root_in(data, name)
    kind = _ROOTS.get(root)
    unpacked = data if kind is Kind.ANTWOORD else _unpacked(data, name)
    if kind is None:
        seen = f"the root is {quoted(root.decode('ascii', 'replace'))}" if root else "no XML begins here"
        hint = "give a message of the koppelvlak: XML, gzip, JSON or MIME"
        raise UnreadableFile(name, f"{seen}, expected {_ROOT_NAMES}", hint)
    return _check_message(kind, data if kind is Kind.RESULT else unpacked)


def _check_message(kind: Kind, data: bytes, envelope: Envelope | None = None) -> _Checked:
    if kind is Kind.AANVRAAG:
        return _check_aanvraag(data, envelope)
    if kind is Kind.ANTWOORD:
        return _check_antwoord(data)
    return _check_result(data) if kind is Kind.RESULT else _check_offer(data, envelope)


def _root_of(data: bytes) -> bytes:
    # Without its null bytes UTF-16 reads as ASCII here.
    found = _ROOT.match(data[:_SNIFFED].replace(b"\0", b"").lstrip(_BLANKS))
    return found[1] if found else b""


def _root_in(data: bytes, name: str) -> bytes:
    """Return the name of the root of a document that may be packed: an answer on an abonnementaanvraag is too large to unpack whole."""
    head = b""
    try:
        for piece in unpack_stream((data,)):
            head += piece[:_SNIFFED]
            if len(head) >= _SNIFFED:
                break
    except PackedTooMuch as error:
        raise _unpackable(error, name) from None
    return _root_of(head)


def _unpacked(data: bytes, name: str) -> bytes:
    try:
        return unpack(data, DEFAULT.size)
    except PackedTooMuch as error:
        raise _unpackable(error, name) from None


def _unpackable(error: PackedTooMuch, name: str) -> UnreadableFile:
    what, _, hint = str(error).partition(": ")
    return UnreadableFile(name, what, hint)


def _check_offer(data: bytes, envelope: Envelope | None = None) -> _Checked:
    grading, batch = grade_offer(data, envelope=envelope)
    return _Checked(Kind.OFFER, grading, _waiting_for_offer(batch, envelope))


def _check_result(data: bytes) -> _Checked:
    grading, result = grade_result(data)
    return _Checked(Kind.RESULT, grading, _waiting_for_result(result))


def _check_aanvraag(data: bytes, envelope: Envelope | None = None) -> _Checked:
    grading, aanvraag = grade_aanvraag(data, envelope=envelope)
    return _Checked(Kind.AANVRAAG, grading, _waiting_for_aanvraag(aanvraag, envelope))


def _check_antwoord(data: bytes) -> _Checked:
    grading, antwoord = grade_antwoord(data)
    return _Checked(Kind.ANTWOORD, grading, frozenset() if antwoord is None else NEEDS_REQUEST)


def _waiting_for_aanvraag(aanvraag: AbonnementAanvraag | None, envelope: Envelope | None) -> frozenset[str]:
    waiting = frozenset(rule.requirement for rule in on_aanvraag_envelope) if envelope is None else frozenset[str]()
    return waiting if aanvraag is None else waiting | _waiting(on_aanvraag, (aanvraag,))


def _waiting_for_offer(batch: Batch | None, envelope: Envelope | None) -> frozenset[str]:
    """Return the requirements on which a rule would speak if it knew more."""
    waiting = _waiting(on_envelope, (envelope, batch)) if envelope else frozenset(rule.requirement for rule in on_envelope)
    if batch is not None:
        waiting |= _waiting(on_batch, (batch,))
        waiting |= frozenset[str]().union(*(_waiting(on_bericht, (bericht, batch)) for bericht in batch.berichten))
    return waiting


def _waiting_for_result(result: Verwerkingsbericht | None) -> frozenset[str]:
    return frozenset() if result is None else _waiting(on_result, (result,))


def _waiting(rules: Rules, subject: tuple[object, ...]) -> frozenset[str]:
    waiting = (rule for rule in rules if not rule.applies(*subject, NOTHING_KNOWN) and rule.applies(*subject, _ALL_KNOWN))
    return frozenset(rule.requirement for rule in waiting)


# -- the JSON of the adapter -----------------------------------------------------------------------------------------------------------------


def _check_json(data: bytes, name: str) -> _Checked:
    try:
        kind, envelope = _envelope_of(data)
    except RequestRefused as refused:
        hint = "give the MessageRequest that was posted, or the Message that was fetched"
        raise UnreadableFile(name, f"no JSON of the adapter: {quoted(str(refused))}", hint) from None
    if kind is Kind.MESSAGE_REQUEST:
        checked = _check_request(envelope, name)
    else:
        checked = _joined(_parts((part.content for part in envelope.parts), name), name)
    return replace(checked, kind=f"{kind} with {checked.kind}")


def _envelope_of(data: bytes) -> tuple[Kind, Envelope]:
    value = read_json(data)
    properties = value.get("properties") if isinstance(value, dict) else None
    if isinstance(properties, dict) and "fromParty" in properties:
        return Kind.MESSAGE, read_message(data)
    return Kind.MESSAGE_REQUEST, read_message_request(data)


def _check_request(envelope: Envelope, name: str) -> _Checked:
    """Grade the first part, with its envelope, as the request that it is; that there is one part is a requirement of its own."""
    if not envelope.parts:
        grading = grade_reading(Reading(None, Grading()), NOTHING_KNOWN, envelope)
        return _Checked("no payload", grading, _waiting_for_offer(None, envelope))
    payload = envelope.parts[0].content
    if envelope.action == Action.BV_RESULT:
        return _check_result(payload)
    kind = _ROOTS.get(_root_in(payload, name)) or _OF_ACTION.get(envelope.action, Kind.OFFER)
    if kind is not Kind.ANTWOORD:
        _unpacked(payload, name)
    return _check_message(kind, payload, envelope)


# -- MIME ------------------------------------------------------------------------------------------------------------------------------------


def _check_mime(data: bytes, name: str) -> _Checked:
    checked = _joined(_parts(_mime_parts(data, name), name), name)
    return replace(checked, kind=f"{Kind.MIME} with {checked.kind}")


def _mime_parts(data: bytes, name: str) -> Iterator[bytes]:
    """Yield the content of each part; what it may cost is limited before the library sees it."""
    whole = _with_head(data)
    end = _END_OF_HEAD.search(whole, 0, _LONGEST_HEAD)
    head = email.message_from_bytes(whole[: end.end()] if end else b"", policy=email.policy.compat32)
    boundary = head.get_boundary()
    if head.get_content_maintype() != "multipart" or not boundary:
        hint = "give the whole HTTP body, with its Content-Type header above it"
        raise UnreadableFile(name, "MIME headers, but no multipart with a boundary", hint)
    delimiters = whole.count(b"\n--" + boundary.encode("ascii", "replace"))
    if delimiters > _MOST_PARTS or len(_NESTING.findall(whole)) > 1:
        raise UnreadableFile(name, f"more than {_MOST_PARTS} parts, or multiparts within each other", "give one message a file")
    for part in email.message_from_bytes(whole, policy=email.policy.compat32).walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield payload


def _with_head(data: bytes) -> bytes:
    """Return a body with the header that belongs above it: a saved HTTP body begins with its first delimiter."""
    found = _DELIMITER.match(data)
    if found is None:
        return data
    return b'Content-Type: multipart/related; boundary="' + found[1].strip().replace(b'"', b"") + b'"\r\n\r\n' + data


def _parts(parts: Iterable[bytes], name: str) -> Iterator[_Checked]:
    """Grade the parts that hold a message, as they are on the wire; the SOAP envelope of an ebMS message is none."""
    for number, content in enumerate(parts, 1):
        kind = _ROOTS.get(_root_in(content, name))
        if kind is not Kind.ANTWOORD:
            _unpacked(content, name)
        if kind is not None:
            checked = _check_message(kind, content)
            findings = tuple(replace(finding, where=f"part {number}: {finding.where}") for finding in checked.grading.findings)
            yield replace(checked, grading=replace(checked.grading, findings=findings))


def _joined(checked: Iterable[_Checked], name: str) -> _Checked:
    """Return what several messages came to together."""
    found = list(checked)
    if not found:
        hint = f"one part must have the root {_ROOT_NAMES}"
        raise UnreadableFile(name, "none of its parts is a message of the koppelvlak", hint)
    findings = tuple(finding for item in found for finding in item.grading.findings)
    decided = frozenset[str]().union(*(item.grading.decided for item in found))
    kinds = " and ".join(dict.fromkeys(item.kind for item in found))
    return _Checked(kinds, Grading(findings, decided), frozenset[str]().union(*(item.needs_context for item in found)))
