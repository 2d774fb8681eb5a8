"""The gateway of an Afnemer as the kit plays it against a Berichtenbox: it sends what a case wants, takes what comes, and has all of it on record.

Nothing is kept beyond the run, and nothing is repeated by itself: a case decides what goes over the line.
"""

import contextlib
import ssl
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from conformance.berichtenbox.ebms_link import MOST_QUOTED, headers_of, parts_seen, peer_text
from conformance.berichtenbox.pushing import exchange_of
from conformance.berichtenbox.wire import Exchange
from conformance.messages.envelope import Action
from conformance.transport.cpa import Cpa
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, HttpRequest
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import Kind, MessageStatus
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import MessageHandler, Outcome, Reception
from conformance.transport.ebms2.writing import Outgoing
from conformance.transport.endpoint import Endpoint

PORTS: Final = {"http": 80, "https": 443}
_UNAVAILABLE: Final = HttpAnswer(503)


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the kit does in TLS: as a client, and as a server."""

    client: ssl.SSLContext
    server: ssl.SSLContext


class KitGateway:
    """Listens at ``url``, where the CPA says that the Afnemer with ``party`` (flat) receives; plain http without ``contexts``.

    What it sends goes to ``origin`` (scheme, host and port), whatever host the CPA names: a test message never goes to another place than the user
    gave. ``results`` are the verwerkingsberichten that it took, ``arrived`` is each message once, also one that it had to refuse. Raises
    ``CannotListenError`` when its URL cannot be bound, and ``AgreementError`` for a CPA without this side.
    """

    def __init__(self, cpa: Cpa, party: str, url: str, origin: str, contexts: Contexts | None = None) -> None:
        own = urlsplit(url)
        self.host: Final = own.hostname or "localhost"
        self.handler: Final = MessageHandler({party}, {cpa.cpa_id: cpa}.get, now=_now, new_message_id=self.new_message_id)
        self.agreement: Final = self.handler.agreement(cpa.cpa_id)
        self.results: list[Message] = []
        self.arrived: list[Message] = []
        self._origin = urlsplit(origin)
        self._lock = threading.RLock()
        self._exchanges: list[Exchange] = []
        self._answers: dict[str, StoredAnswer] = {}
        self._sent: dict[str, str] = {}
        self._to_lose = 0
        self._waiting = 0
        self._outbox: SimpleQueue[tuple[Message | None, str, Outgoing] | None] = SimpleQueue()
        client, server = (None, None) if contexts is None else (contexts.client, contexts.server)
        with contextlib.ExitStack() as opening:
            self._poster = opening.enter_context(Poster(client))
            port = PORTS[own.scheme] if own.port is None else own.port
            opening.enter_context(Endpoint(self._take, self.host, port, server, own.path or "/"))
            worker = threading.Thread(target=self._post_signals, daemon=True)
            worker.start()
            opening.callback(worker.join)
            opening.callback(self._outbox.put, None)
            self._open = opening.pop_all()

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop posting and listening."""
        self._open.close()

    def new_message_id(self) -> str:
        """Return a MessageId that nobody had before."""
        return f"{uuid.uuid4()}@{self.host}"

    def exchanges(self, start: int = 0) -> Sequence[Exchange]:
        """Return what went over the line, from the ``start``-th on."""
        with self._lock:
            return self._exchanges[start:]

    @property
    def count(self) -> int:
        """How many exchanges there were."""
        return len(self._exchanges)

    @property
    def is_idle(self) -> bool:
        """Whether every signal that this side owes was posted."""
        return not self._waiting

    def lose_signals(self, times: int) -> None:
        """Answer 503 to the next Acknowledgments."""
        self._to_lose = times

    # -- sending ---------------------------------------------------------------------------------------------------------------------------

    def towards(self, url: str) -> str:
        """Return a URL of the CPA at the origin that is tested."""
        return urlunsplit((self._origin.scheme, self._origin.netloc, *urlsplit(url)[2:]))

    def post(self, message: Message, url: str, outgoing: Outgoing, **more: object) -> HttpOutcome:
        """POST, and put it on the record; ``more`` is as of :meth:`Poster.post`, and ``body`` stands instead of that of ``outgoing``."""
        self._sent.setdefault(message.message_id, message.cpa_id)
        return self._post(message.message_id, url, outgoing, **more)

    def _post(self, message_id: str, url: str, outgoing: Outgoing, **more: object) -> HttpOutcome:
        wall, target = _now(), self.towards(url)
        body = more.pop("body", outgoing.body)
        outcome = self._poster.post(target, outgoing.content_type, body, **more)  # type: ignore[arg-type]  # as of Poster.post
        exchange = exchange_of(message_id, target, outgoing, outcome, "", wall, wall)
        headers = more.get("headers")
        if isinstance(headers, dict):
            exchange = replace(exchange, headers=tuple(headers.items()))
        self.note(replace(exchange, method=str(more.get("method", "POST"))))
        return outcome

    def _post_signals(self) -> None:
        while (leaving := self._outbox.get()) is not None:
            signal, url, outgoing = leaving
            self._post("" if signal is None else signal.message_id, url, outgoing)
            with self._lock:
                self._waiting -= 1

    # -- receiving -------------------------------------------------------------------------------------------------------------------------

    def _take(self, request: HttpRequest) -> HttpAnswer:
        reading = self.handler.read(request)
        received = reading if isinstance(reading, Received) else reading.received
        if received is not None and self._loses(received.message):
            answer, note = _UNAVAILABLE, "answered 503 to have it repeated"
        else:
            with self._lock:
                reception = reading if isinstance(reading, Reception) else self.handler.handle(reading, request.peer, self)
                self._keep(reception)
            answer, note = reception.answer, reception.note or str(reception.outcome)
        self.note(_arrival(request, received, answer, note))
        return answer

    def _loses(self, message: Message) -> bool:
        with self._lock:
            is_lost = message.kind is Kind.ACKNOWLEDGMENT and self._to_lose > 0
            self._to_lose -= is_lost
            return is_lost

    def _keep(self, reception: Reception) -> None:
        """Remember what a message was answered with, and have the answer leave when it goes in a POST of its own."""
        if reception.outcome in {Outcome.ACCEPTED, Outcome.REJECTED} and reception.received is not None:
            message, signal = reception.received.message, reception.signal
            action = Kind.ACKNOWLEDGMENT if signal is None else signal.kind
            self._answers[message.message_id] = StoredAnswer(message.cpa_id, reception.signal_bytes, action)
            self.arrived.append(message)
            if reception.outcome is Outcome.ACCEPTED and message.action != Action.A_RESULT:
                self.results.append(message)
        if reception.send_to is not None and reception.signal_bytes is not None:
            self._waiting += 1
            self._outbox.put((reception.signal, reception.send_to, reception.signal_bytes))

    def note(self, exchange: Exchange) -> None:
        """Put an exchange on the record, also one that did not go through this gateway."""
        with self._lock:
            self._exchanges.append(replace(exchange, seq=len(self._exchanges) + 1))

    # -- what it knows ---------------------------------------------------------------------------------------------------------------------

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        """Return what was answered to a MessageId that came before."""
        return self._answers.get(message_id)

    def sent_under(self, message_id: str) -> str | None:
        """Return the CPAId of a message that the kit sent."""
        return self._sent.get(message_id)

    def status_of(self, message_id: str) -> KnownStatus:
        """Return how far a received message is."""
        found = self._answers.get(message_id)
        return KnownStatus(MessageStatus.NOT_RECOGNIZED) if found is None else KnownStatus(MessageStatus.RECEIVED, _now(), found.cpa_id)


def _now() -> datetime:
    return datetime.now(UTC)


def _arrival(request: HttpRequest, received: Received | None, answer: HttpAnswer, note: str) -> Exchange:
    """Return the record of a request to the kit with its answer."""
    message, now = (None if received is None else received.message), _now()
    return Exchange(
        is_incoming=True,
        kind="" if message is None else message.kind,
        message_id="" if message is None else message.message_id,
        ref_to_message_id=(message.ref_to_message_id or "") if message else "",
        method=request.method,
        target=request.path,
        http_version="1.1",
        headers=headers_of(request.headers),
        soap=received.soap if received else bytes(request.body[:MOST_QUOTED]),
        parts=parts_seen(received) if received else (),
        size=len(request.body),
        status=answer.status,
        answer_headers=headers_of(answer.headers),
        answer=answer.body[:MOST_QUOTED],
        peer=peer_text(request.peer),
        note=note,
        wall=now,
        business=now,
    )
