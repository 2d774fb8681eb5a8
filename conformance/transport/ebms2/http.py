"""The HTTP of ebMS as values: a request, an answer, and what an answer means for the message that was sent.

The status rules are those of Digikoppeling (HTTP Response Codes), made exact with what ebms-core does. Nothing here opens a socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from conformance.transport.ebms2.names import SOAP_ACTION
from conformance.transport.ebms2.writing import Outgoing, soap_fault
from conformance.transport.handshakes import Defect
from conformance.transport.tls import PeerCertificate

_XML_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": "text/xml; charset=UTF-8", "soapaction": SOAP_ACTION})
_TEXT_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": "text/plain; charset=UTF-8"})
_SUCCESS: Final = range(200, 300)
_SERVER_ERROR: Final = range(500, 600)
# Request Timeout and Too Many Requests are about this moment; Not Implemented, HTTP Version Not Supported and Not Extended are not.
_PASSING: Final = frozenset({408, 429})
_LASTING: Final = frozenset({501, 505, 510})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: ``headers`` by lower-case name, ``body`` without its transfer coding, ``peer`` the client certificate whose chain TLS verified."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | bytearray = field(repr=False)
    peer: PeerCertificate | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: ``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<HttpAnswer {self.status}: {len(self.body)} bytes>"

    @property
    def is_success(self) -> bool:
        """Tell whether the status is in the 200 range."""
        return self.status in _SUCCESS


class TroubleKind(StrEnum):
    """Why there is no answer."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    RESET = "reset"
    TLS = "tls"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer: ``text`` is for a person; ``defect`` is there when TLS failed."""

    kind: TroubleKind
    text: str
    defect: Defect | None = None


@dataclass(frozen=True, slots=True)
class HttpOutcome:
    """How one POST ended: with an answer, or with trouble.

    ``sent`` are the request headers as they left, and ``peer`` is the certificate of the server; both are for the record, and may be unknown.
    """

    answer: HttpAnswer | None = None
    trouble: Trouble | None = None
    sent: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)
    peer: PeerCertificate | None = field(default=None, repr=False, compare=False)


class Effect(StrEnum):
    """What an outcome means for the message that was sent."""

    TAKEN = "taken"
    AGAIN = "again"
    FINAL = "final"


def effect_of(status: int) -> Effect:
    """Return what a status means for a reliable message; source: DK HTTP Response Codes, and ebms-core for which errors last."""
    if status in _SUCCESS:
        return Effect.TAKEN
    if status in _PASSING or (status in _SERVER_ERROR and status not in _LASTING):
        return Effect.AGAIN
    # A redirect is an error, and is not followed (DK HTTP Response Codes).
    return Effect.FINAL


EMPTY: Final = HttpAnswer(204)
EMPTY_ERROR: Final = HttpAnswer(500)


def signal_answer(outgoing: Outgoing) -> HttpAnswer:
    """Return the answer that carries a signal; an ErrorList too goes with status 200 (MSG B.2.3)."""
    return HttpAnswer(200, {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION}, outgoing.body)


def fault_answer(text: str, code: str = "Client") -> HttpAnswer:
    """Return status 500 with a SOAP Fault, for what cannot be told in an ErrorList (SOAP 1.1, section 6.2)."""
    # What the other side sent may stand in it, with characters that XML has no way to write.
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return HttpAnswer(500, _XML_HEADERS, soap_fault(code, printable))


def text_answer(status: int, text: str, **headers: str) -> HttpAnswer:
    """Return an answer that a person reads, for what happens before SOAP."""
    return HttpAnswer(status, {**_TEXT_HEADERS, **headers}, f"{text}\n".encode())
