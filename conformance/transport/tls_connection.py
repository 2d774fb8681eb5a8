"""The server side of one TLS connection, between an event loop and a protocol that knows nothing of it.

The loops can do TLS themselves, but drop the alert that says why they refuse a peer, and do not tell who failed. This one sends the alert, tells
each failure before the peer hears of it, and takes the context that holds when the connection comes in.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final

from cryptography import x509

from conformance.transport.handshakes import Defect, FailedHandshake, failed, failure_of

HANDSHAKE_TIMEOUT_S: Final = 10.0
_LINGER_S: Final = 2.0  # how long a refused peer has to read its alert: closing at once would reset the connection, and the alert with it
_CHUNK: Final = 64 * 1024  # a buffer of this size is made for each read; a larger one costs a call to the system each time
_MOST_PENDING: Final = 1024 * 1024
_LOG: Final = logging.getLogger(__name__)


class _Stage(Enum):
    SHAKING = auto()
    OPEN = auto()
    ENDED = auto()


class TlsConnection(asyncio.Protocol):
    """Shakes hands in ``context`` and then lets ``inner`` talk; ``on_failure`` is awaited before the peer gets its alert.

    It stands in ``among`` for as long as ``inner`` has no connection, so that who stops the server can call :meth:`shutdown`.
    """

    def __init__(
        self,
        inner: asyncio.Protocol,
        context: ssl.SSLContext,
        on_failure: Callable[[FailedHandshake], Awaitable[None]],
        *,
        among: set[Any],
        intermediates: Sequence[x509.Certificate] = (),
        timeout_s: float = HANDSHAKE_TIMEOUT_S,
    ) -> None:
        self.inner: asyncio.BaseProtocol = inner
        self.context = context
        self._on_failure = on_failure
        self._among = among
        self._intermediates = intermediates
        self._timeout_s = timeout_s
        self._stage = _Stage.SHAKING
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_paused = self._has_spoken = self._hung_up_first = self._will_flush = False
        self._ending: asyncio.Task[None] | None = None

    # -- what the event loop calls -------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the peer, who speaks first; not for ever."""
        self.raw: Any = transport
        self._loop = asyncio.get_running_loop()
        self._among.add(self)
        self._timer = self._loop.call_later(self._timeout_s, self._time_is_up)

    def data_received(self, data: bytes) -> None:
        """Take what came: of the handshake, or for ``inner``; from a peer that was refused nothing is taken any more."""
        if self._stage is _Stage.ENDED:
            return
        self._incoming.write(data)
        if self._stage is _Stage.SHAKING:
            self._shake()
        if self._stage is _Stage.OPEN:
            self.read()

    def eof_received(self) -> None:
        """Note that the peer closed; the loop closes the connection after this."""
        if self._stage is _Stage.SHAKING:
            self._fail(self._failed(Defect.CONNECTION_DROPPED, "the end of the stream"))
        elif self._stage is _Stage.OPEN:
            self._peer_hung_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who is there."""
        self._timer.cancel()
        self._among.discard(self)
        if self._stage is _Stage.SHAKING:
            self._fail(self._failed(Defect.CONNECTION_DROPPED, str(exc) if exc else "the end of the stream"))
        elif self._stage is _Stage.OPEN:
            self._hung_up_first = self._hung_up_first or exc is not None
            self._close_inner(exc)

    def pause_writing(self) -> None:
        """Tell ``inner`` that the peer reads slowly."""
        if self._stage is _Stage.OPEN:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Tell ``inner`` that the peer has read."""
        if self._stage is _Stage.OPEN:
            self.inner.resume_writing()

    def shutdown(self) -> None:
        """Give up the handshake, for the server stops."""
        self._stage = _Stage.ENDED
        self.raw.abort()

    # -- the handshake -------------------------------------------------------------------------------------------------------------------

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._fail(self._failure_of(error))
        else:
            self._flush()
            self._open()

    def _open(self) -> None:
        self._timer.cancel()
        self._among.discard(self)
        self._stage = _Stage.OPEN
        self.inner.connection_made(TlsTransport(self))

    def _time_is_up(self) -> None:
        self._fail(self._failed(Defect.TIMED_OUT, f"no whole handshake in {self._timeout_s:g} seconds"))

    def _fail(self, failure: FailedHandshake) -> None:
        self._timer.cancel()
        self._stage = _Stage.ENDED
        self._ending = self._loop.create_task(self._end(failure))

    async def _end(self, failure: FailedHandshake) -> None:
        """Tell of the failure first; then let the peer read its alert, and close."""
        try:
            await self._on_failure(failure)
        except Exception:  # noqa: BLE001  # whatever it is, the peer is refused
            _LOG.exception("a failed handshake could not be recorded; please report this")
        if not self.raw.is_closing():
            self._flush()
            with contextlib.suppress(OSError):  # the peer is gone already
                self.raw.write_eof()
            self._timer = self._loop.call_later(_LINGER_S, self.raw.abort)

    def _failed(self, defect: Defect, got: str) -> FailedHandshake:
        return failed(defect, got, datetime.now(UTC))

    def _failure_of(self, error: ssl.SSLError) -> FailedHandshake:
        at = datetime.now(UTC)
        return failure_of(error, at, context=self.context, intermediates=self._intermediates) or failed(Defect.OTHER, str(error), at)

    # -- afterwards ----------------------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Give ``inner`` what came for it, until it asks for a pause."""
        while not self._is_paused and not self.raw.is_closing():
            try:
                data = self.tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._broken(error)
                return
            if not data:
                self._peer_hung_up()
                self.close()
                return
            self._has_spoken = True
            self.inner.data_received(data)  # type: ignore[attr-defined]  # set_protocol takes any protocol
        self._flush()

    def _broken(self, error: ssl.SSLError) -> None:
        """End a connection on which something came that is not TLS, or an alert: a peer may refuse us after the handshake of TLS 1.3."""
        if self._has_spoken:
            self.raw.abort()
            return
        self._fail(self._failure_of(error))
        self.inner.connection_lost(error)

    def _peer_hung_up(self) -> None:
        self._hung_up_first = self._hung_up_first or not self.raw.is_closing()
        self.inner.eof_received()  # type: ignore[attr-defined]  # idem

    def _close_inner(self, exc: Exception | None) -> None:
        if self._hung_up_first and not self._has_spoken:
            self._fail(self._failed(Defect.CLOSED_WITHOUT_REQUEST, "the end of the connection"))
        self._stage = _Stage.ENDED
        self.inner.connection_lost(exc)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; what comes after the end reaches nobody."""
        if self.raw.is_closing():
            return
        left = memoryview(data)
        try:
            while left:
                left = left[self.tls.write(left) :]  # a record at a time
                if self._outgoing.pending > _MOST_PENDING:
                    self._flush()
        except ssl.SSLError:
            self.raw.abort()
            return
        if not self._will_flush:  # the head of an answer and its body leave together
            self._will_flush = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Say goodbye, and close once everything was sent."""
        if self.raw.is_closing():
            return
        with contextlib.suppress(ssl.SSLError):  # it does not wait until the peer says goodbye too
            self.tls.unwrap()
        self._flush()
        self.raw.close()

    def pause(self) -> None:
        """Take nothing from the peer."""
        self._is_paused = True
        self.raw.pause_reading()

    def resume(self) -> None:
        """Take from the peer again; what was decrypted already comes first."""
        self._is_paused = False
        self.raw.resume_reading()
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._stage is _Stage.OPEN:
            self.read()

    def _flush(self) -> None:
        self._will_flush = False
        if self._outgoing.pending and not self.raw.is_closing():
            self.raw.write(self._outgoing.read())


class TlsTransport(asyncio.Transport):
    """What ``inner`` sees of its connection."""

    def __init__(self, connection: TlsConnection) -> None:
        super().__init__()
        self._connection = connection
        self._raw = connection.raw

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known: ``ssl_object``, ``sslcontext``, and what the plain connection knows."""
        match name:
            case "ssl_object":
                return self._connection.tls
            case "sslcontext":
                return self._connection.context
        return self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._connection.write(data)

    def close(self) -> None:
        """Close once everything was sent."""
        self._connection.close()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or will be."""
        return bool(self._raw.is_closing())

    def can_write_eof(self) -> bool:
        """Tell that TLS has no half of a connection."""
        return False

    def is_reading(self) -> bool:
        """Tell whether anything is taken from the peer."""
        return bool(self._raw.is_reading())

    def pause_reading(self) -> None:
        """Take nothing from the peer."""
        self._connection.pause()

    def resume_reading(self) -> None:
        """Take from the peer again."""
        self._connection.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say from how many bytes on the writer is paused."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait, encrypted."""
        return int(self._raw.get_write_buffer_size())

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol talk from now on."""
        self._connection.inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who talks."""
        return self._connection.inner
