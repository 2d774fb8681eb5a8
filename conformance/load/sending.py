"""One batch as one HTTP request, over the adapter face or over ebMS2, and what its answer must be."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, Self

from conformance.berichtenbox.ebms_face import PATH as EBMS_PATH
from conformance.load.filling import POST_PATH
from conformance.load.leveringen import Batches, request_around
from conformance.messages.envelope import ROLE_AFNEMER, SERVICE, Action, Envelope, Part
from conformance.messages.identities import flat_party
from conformance.transport.cpa import read_cpa
from conformance.transport.ebms2.receiving import MessageHandler
from conformance.transport.ebms2.writing import write_message

_OK: Final = 200
_JSON: Final = {"content-type": "application/json"}
_PAYLOAD: Final = b"@payload@"
_ACKNOWLEDGED: Final = b"Acknowledgment"
_REFUSED: Final = b"ErrorList"
Answer = tuple[int, bytes]


class Joined(bytes):
    """A body in pieces, of a length that is known, that is joined once: behind the head of a request.

    An HTTP client that takes bytes writes ``head + body``. Joined before that, a body of a megabyte would be copied twice, and generating would cost
    half as much again. Anybody else gets the bytes with ``b"" + body``; on its own it holds none.
    """

    _pieces: tuple[bytes, ...]

    def __new__(cls, pieces: Iterable[bytes]) -> Self:
        """Keep the pieces, and copy none."""
        made = super().__new__(cls)
        made._pieces = tuple(pieces)
        return made

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __radd__(self, head: bytes) -> bytes:
        return b"".join((head, *self._pieces))


@dataclass(frozen=True, slots=True)
class Posting:
    """A POST: where, what, and with which headers."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire(Protocol):
    """A way to send batches."""

    def posting(self, number: int) -> Posting:
        """Return the POST of a batch."""
        ...

    def objection(self, status: int, content: bytes) -> str:
        """Return why an answer does not accept a batch, empty when it does."""
        ...


class AdapterWire:
    """Over the adapter: accepted is a 200 with the MessageId, for it is stored then."""

    def __init__(self, connection: Mapping[str, str], batches: Batches) -> None:
        self._batches = batches
        self._head, self._tail = request_around(connection, Action.BV_REQUEST)

    def posting(self, number: int) -> Posting:
        """Return the POST of a batch."""
        return Posting(POST_PATH, Joined((self._head, *self._batches.in_base64(number), self._tail)), _JSON)

    def objection(self, status: int, content: bytes) -> str:
        """Return why an answer does not accept a batch, empty when it does."""
        return "" if status == _OK else f"status {status}: {content[:100].decode(errors='replace')}"


class EbmsWire:
    """Over ebMS2: accepted is an Acknowledgment in the HTTP answer."""

    def __init__(self, connection: Mapping[str, str], batches: Batches, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        cpa = read_cpa(Path(connection["cpa"]).read_bytes())
        self._batches, self._party, self._cpa_id = batches, flat_party(connection["oin"]), cpa.cpa_id
        self._handler = MessageHandler({self._party}, {cpa.cpa_id: cpa}.get, now=now, new_message_id=lambda: "")

    def posting(self, number: int) -> Posting:
        """Return the POST of a batch: its header is written anew, its payload put in where a stand-in was."""
        message_id = f"{self._batches.ids.batch(number)}@afnemer.example"
        parts = (Part(_PAYLOAD, "text/xml", "batch.xml", f"payload.{message_id}"),)
        envelope = Envelope(self._cpa_id, self._party, ROLE_AFNEMER, SERVICE, Action.BV_REQUEST, message_id=message_id, parts=parts)
        outgoing = write_message(self._handler.new_message(envelope))
        head, _, tail = outgoing.body.partition(_PAYLOAD)
        headers = {"content-type": outgoing.content_type, "soapaction": '"ebXML"'}
        return Posting(EBMS_PATH, Joined((head, self._batches.document(number), tail)), headers)

    def objection(self, status: int, content: bytes) -> str:
        """Return why an answer does not accept a batch, empty when it does."""
        if status != _OK or _REFUSED in content:
            return f"status {status}{' with an ErrorList' if _REFUSED in content else ''}"
        return "" if _ACKNOWLEDGED in content else "no Acknowledgment in the HTTP answer: the CPA must ask for it there"


def wire_of(connection: Mapping[str, str], batches: Batches, face: str) -> Wire:
    """Return the way to send batches over a face."""
    return EbmsWire(connection, batches) if face == "ebms" else AdapterWire(connection, batches)
