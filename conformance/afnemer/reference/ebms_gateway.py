"""The Afnemer's own Digikoppeling gateway: real ebMS2, with the CPA as its only instruction.

What leaves is kept first and repeated until it is acknowledged; what arrives is kept before it is acknowledged. When something is due is decided on
a clock of its own, which a test moves; what stands on the wire is always the wall clock. Each method does one thing, for a defect to do it wrong.
"""

import ssl
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from conformance.afnemer.reference.ebms_store import EbmsStore
from conformance.afnemer.reference.gateway import PermanentTroubleError
from conformance.messages.envelope import Envelope
from conformance.messages.identities import flat_party
from conformance.transport import pki
from conformance.transport.cpa import Cpa, read_cpa
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.http import EMPTY, HttpAnswer, HttpOutcome, HttpRequest, signal_answer
from conformance.transport.ebms2.knowledge import KnownStatus, StoredAnswer
from conformance.transport.ebms2.mime import MimeNotWritten
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import SOAP_ACTION
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import MessageHandler, Outcome, Reception
from conformance.transport.ebms2.sending import Delivery, DeliveryState, after_attempt, after_signal, after_time
from conformance.transport.ebms2.writing import NotWritten, Outgoing, write_message
from conformance.transport.endpoint import Endpoint
from conformance.transport.tls import TlsFiles, client_context, server_context

_SIGNAL_REPEATS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class EbmsSettings:
    """What a gateway needs: the CPA, its own party (flat), the URL at which it listens, and its certificates (plain http when ``None``)."""

    cpa: Cpa
    party: str
    url: str
    tls: Path | None = None

    @classmethod
    def of(cls, connection: Mapping[str, str]) -> Self:
        """Return what the ``BERICHTENBOX_*`` variables say: ``CPA`` and ``TLS`` are paths, ``GATEWAY`` is the URL, ``OIN`` has no prefix."""
        cpa = read_cpa(Path(connection["BERICHTENBOX_CPA"]).read_bytes())
        tls = connection.get("BERICHTENBOX_TLS")
        return cls(cpa, flat_party(connection["BERICHTENBOX_OIN"]), connection["BERICHTENBOX_GATEWAY"], Path(tls) if tls else None)


class EbmsGateway:
    """Sends, receives, repeats and acknowledges; ``file`` is its database (see :class:`Database`), ``now`` the wall clock.

    Raises ``CannotListenError`` when its URL cannot be bound, ``PkiError`` or ``TlsFilesError`` when its certificates cannot be used.
    """

    certificate: str = "client"
    """Which of the certificates of ``pki new`` it shows to a server."""
    server_certificate: str = "client"
    """Which one its own server shows."""

    def __init__(self, settings: EbmsSettings, file: Path, now: Callable[[], datetime], *, is_durable: bool = True) -> None:
        self.settings, self.now = settings, now
        contexts = (None, None) if settings.tls is None else self.contexts(pki.load(settings.tls))
        own = urlsplit(settings.url)
        self._host = own.hostname or "localhost"
        self.handler = MessageHandler({settings.party}, self.cpa, now=now, new_message_id=self.new_message_id)
        port = _PORTS[own.scheme] if own.port is None else own.port
        with ExitStack() as opening:
            self.store = opening.enter_context(closing(EbmsStore(file, is_durable=is_durable)))
            self.poster = opening.enter_context(Poster(contexts[0]))
            self.endpoint = opening.enter_context(Endpoint(self.answer_to, self._host, port, contexts[1], own.path or "/"))
            self._open = opening.pop_all()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.endpoint.url}>"

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop listening, and then let go of the rest: a message that is being received is still kept."""
        self._open.close()

    def contexts(self, certificates: pki.Pki) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Return what it does in TLS as a client, and as a server."""
        return self.client_context(certificates.files_of(self.certificate)), self.server_context(certificates.files_of(self.server_certificate))

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        """Return what it does as a client."""
        return client_context(files)

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        """Return what it does as a server."""
        return server_context(files)

    def cpa(self, cpa_id: str) -> Cpa | None:
        """Return the CPA of an id, or ``None``."""
        return self.settings.cpa if cpa_id == self.settings.cpa.cpa_id else None

    def new_message_id(self) -> str:
        """Return a MessageId that nobody had before."""
        return f"{uuid.uuid4()}@{self._host}"

    def ticks(self) -> datetime:
        """Return the moment on the clock of the schedule."""
        return self.now() + self.store.offset()

    def advance(self, seconds: float) -> bool:
        """Move the clock of the schedule; what stands on the wire keeps to the wall clock."""
        self.store.set_offset(self.store.offset() + timedelta(seconds=seconds))
        return True

    # -- sending ---------------------------------------------------------------------------------------------------------------------------

    def send(self, envelope: Envelope) -> str:
        """Keep a message, try to post it, and return its MessageId; raises :class:`PermanentTroubleError` when the CPA has no such message."""
        try:
            message = self.message_of(envelope)
            outgoing = self.outgoing_of(message)
            delivery = self.handler.delivery_of(message, outgoing, self.ticks())
        except (AgreementError, NotWritten, MimeNotWritten) as error:
            raise PermanentTroubleError(str(error)) from None
        self.store.add_outgoing(delivery, outgoing, message.action)
        self.attempt(delivery)
        return message.message_id

    def message_of(self, envelope: Envelope) -> Message:
        """Return what the CPA makes of an envelope. Content-IDs are made anew: a part that goes again is part of another message."""
        return self.handler.new_message(replace(envelope, parts=tuple(replace(part, content_id=None) for part in envelope.parts)))

    def outgoing_of(self, message: Message) -> Outgoing:
        """Return the bytes of a message or a signal, made once."""
        return write_message(message)

    def attempt(self, delivery: Delivery) -> None:
        """Post a message once, and keep what came of it. Its acknowledgment may be here before the answer to the POST is."""
        outcome = self.post(delivery, self.bytes_of(delivery))
        with self.store.transaction():
            if delivery.is_sync and outcome.answer is not None and outcome.answer.is_success and outcome.answer.body:
                self.take_answer(outcome.answer)
            known = self.store.delivery(delivery.message_id)
            if known is not None and known.state is DeliveryState.UNDER_WAY:
                self.store.update(self.after_attempt(known, outcome))

    def bytes_of(self, delivery: Delivery) -> Outgoing:
        """Return what goes over the line: the bytes of the first time."""
        return self.store.outgoing(delivery.message_id)

    def post(self, delivery: Delivery, outgoing: Outgoing) -> HttpOutcome:
        """Post bytes to where the CPA says."""
        return self.poster.post(delivery.url, outgoing.content_type, outgoing.body, self.headers_of(outgoing))

    def headers_of(self, outgoing: Outgoing) -> Mapping[str, str]:
        """Return the HTTP headers of a message, apart from those of any HTTP request."""
        return {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION}

    def after_attempt(self, delivery: Delivery, outcome: HttpOutcome) -> Delivery:
        """Return how far a message is after an attempt."""
        return after_attempt(delivery, outcome, self.ticks())

    def take_answer(self, answer: HttpAnswer) -> None:
        """Take the signal in the answer to a POST, when there is one that counts."""
        reception = self.handler.read_answer(answer, self)
        if reception.outcome is Outcome.SIGNAL and not reception.note and reception.received is not None:
            self.take_signal(reception.received.message)

    def pump(self) -> bool:
        """Give up what is over, and post what is due; return whether there was any."""
        now = self.ticks()
        with self.store.transaction():
            overdue = self.store.overdue(now)
            for delivery in overdue:
                self.store.update(after_time(delivery, now))
        due = self.store.due(now)
        for delivery in due:
            self.attempt(delivery)
        return bool(overdue or due)

    def failures(self) -> Sequence[tuple[str, str]]:
        """Return the MessageIds that failed or expired with the reason, as long as the application did not say that it knows."""
        return [(delivery.message_id, delivery.reason) for delivery in self.store.untold()]

    def mark_told(self, message_id: str) -> None:
        """Note that the application knows of a failure."""
        self.store.mark_told(message_id)

    # -- receiving -------------------------------------------------------------------------------------------------------------------------

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        """Return the answer to a request, after everything that it says is kept."""
        received = self.handler.read(request)
        if isinstance(received, Reception):
            return received.answer
        # One at a time, so that the second of two copies finds the answer to the first.
        with self.store.transaction():
            reception = self.handler.handle(received, request.peer, self)
            return self.keep(reception)

    def keep(self, reception: Reception) -> HttpAnswer:
        """Keep what a request was and what it causes, and return its answer."""
        received, answer = reception.received, reception.answer
        if received is None or reception.outcome is Outcome.REFUSED:
            return answer
        if reception.outcome is Outcome.ACCEPTED:
            self.keep_message(received)
        if reception.outcome is Outcome.DUPLICATE and reception.send_to is not None:
            self.store.post_again(received.message.message_id, self.ticks())
        if reception.outcome is Outcome.SIGNAL and not reception.note:
            self.take_signal(received.message)
        return self.keep_signal(reception, received)

    def keep_message(self, received: Received) -> None:
        """Put a message in the inbox."""
        self.store.add_received(received.message.envelope())

    def keep_signal(self, reception: Reception, received: Received) -> HttpAnswer:
        """Keep the signal that answers a message: it leaves with the answer, or in a POST of its own."""
        message = received.message
        signal = self.signal_of(reception)
        if reception.outcome in {Outcome.ACCEPTED, Outcome.REJECTED}:
            self.store.add_answer(message.message_id, message.cpa_id, self.now(), None if signal is None else signal.message_id)
        if signal is None:
            return EMPTY if reception.signal is not None else reception.answer
        outgoing = self.outgoing_of(signal)
        delivery = self.handler.delivery_of(signal, outgoing, self.ticks(), repeats=_SIGNAL_REPEATS)
        if reception.send_to is None:
            delivery = replace(delivery, state=DeliveryState.DELIVERED, next_at=None)
        self.store.add_outgoing(delivery, outgoing, signal.action, is_signal=True)
        return signal_answer(outgoing) if reception.send_to is None else reception.answer

    def signal_of(self, reception: Reception) -> Message | None:
        """Return the Acknowledgment, MessageError, Pong or StatusResponse that a message gets, ``None`` for silence."""
        return reception.signal

    def take_signal(self, signal: Message) -> None:
        """Apply a signal of the other side to the message that it is about."""
        delivery = self.store.delivery(signal.ref_to_message_id or "")
        if delivery is not None:
            self.store.update(after_signal(delivery, signal))

    # -- what the message service handler asks ---------------------------------------------------------------------------------------------

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        """Return what was answered to a received MessageId: it is a duplicate then."""
        return self.store.answer_of(message_id)

    def sent_under(self, message_id: str) -> str | None:
        """Return the CPAId of a message that was sent, or ``None``."""
        return self.store.sent_under(message_id)

    def status_of(self, message_id: str) -> KnownStatus:
        """Return how far a received message is."""
        return self.store.status_of(message_id)

    # -- what the application asks ---------------------------------------------------------------------------------------------------------

    def waiting(self, cpa_id: str, action: str) -> Sequence[str]:
        """Return the MessageIds of received messages of one action that are not processed yet, oldest first."""
        return self.store.waiting(cpa_id, action)

    def fetch(self, message_id: str) -> Envelope:
        """Return a received message without marking it; raises :class:`PermanentTroubleError` when there is none."""
        envelope = self.store.received(message_id)
        if envelope is None:
            raise PermanentTroubleError("no such message was received")
        return envelope

    def mark(self, message_id: str) -> None:
        """Mark a message as processed."""
        self.store.mark_processed(message_id)
