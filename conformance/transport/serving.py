"""Runs an ASGI application in a thread of its own: started and stopped at once, over plain HTTP or TLS, with the peer's certificate in reach."""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from conformance.transport.tls import PeerCertificate, read_certificate

PEER: Final = "peer_certificate"
"""The extension of a scope that holds the ``PeerCertificate`` of a connection, ``None`` without TLS."""
_TICK_S: Final = 0.1
_START_S: Final = 20.0
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048
_LARGEST_HEAD: Final = 65_536
_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class CannotListenError(RuntimeError):
    """An address that cannot be bound; the text says which, and why."""


@lru_cache(maxsize=256)
def peer_of(der: bytes) -> PeerCertificate:
    """Return what a certificate says; a peer shows the same one with each connection, so it is read once."""
    return read_certificate(der)


class NoUpgradeProtocol(HttpToolsProtocol):
    """HTTP/1.1 that offers nothing to upgrade to, and says so by going on.

    Java's client offers h2c with its first POST over plain http, and so does ebms-core. The parser takes the offer for accepted and skips the body,
    so the offer is taken out before it sees it.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head: bytes | None = b""  # what came of a head so far, ``None`` within a body

    def data_received(self, data: bytes) -> None:
        """Parse what came, and a head as a whole."""
        if self._head is not None:
            data = self._head + data
            # What begins with no method is no HTTP: the parser says so at once, and nobody waits for the rest of it.
            if data[:1].isupper() and b"\r\n\r\n" not in data and len(data) < _LARGEST_HEAD:
                self._head = data
                return
            self._head = None
            data = _without_upgrade(data)
        super().data_received(data)

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        self._head = b""
        super().on_message_complete()


def _without_upgrade(data: bytes) -> bytes:
    head, empty_line, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nignored:", head) + empty_line + body


class PeerProtocol(NoUpgradeProtocol):
    """HTTP/1.1 that tells the application who is on the other side, in ``scope["extensions"]`` under :data:`PEER`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put what is known of the connection where the application finds it."""
        # Headers and body leave in two writes: without this the second waits 40 ms for an acknowledgment of the first.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it too
        inner, known = self.app, self.known(transport)

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {}).update(known)
            await inner(scope, receive, send)

        self.app = application

    def known(self, transport: asyncio.BaseTransport) -> dict[str, Any]:
        """Return the extensions of every scope of a connection; the certificate of the peer is read once."""
        secured = transport.get_extra_info("ssl_object")
        der = secured.getpeercert(binary_form=True) if secured is not None else None
        return {PEER: peer_of(der) if der else None}  # without one nobody comes in over TLS, unless the server asks for none


class EmbeddedServer(uvicorn.Server):
    """A server that is stopped from another thread, at once: the plain one looks ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_started = threading.Event()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Keep the time of the Date header until somebody stops the server."""
        self._loop = asyncio.get_running_loop()
        self.is_started.set()
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what listens and what is connected; who is still busy is not waited for."""
        for server in self.servers:
            server.close()
        for bound in sockets or ():
            bound.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
            transport = getattr(connection, "transport", None)  # a handshake that is under way has none yet
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Stop now."""
        self.should_exit = True
        if self._loop is not None:  # pragma: no branch  # it was waited for, unless it did not start
            with contextlib.suppress(RuntimeError):  # it stopped by itself
                self._loop.call_soon_threadsafe(self._stopped.set)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens, also on a port that was just given up; raises :class:`CannotListenError`."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def config_of(app: ASGIApp, context: ssl.SSLContext | None, protocol: type[HttpToolsProtocol] = PeerProtocol) -> uvicorn.Config:
    """Return the settings of a quiet server that speaks HTTP/1.1 only, over TLS when there is a context."""
    secured: dict[str, Any] = {} if context is None else {"ssl_context_factory": lambda _config, _default: context}
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        log_level="warning",
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE_S,
        **secured,
    )


@contextlib.contextmanager
def serving(config: uvicorn.Config, bound: socket.socket) -> Iterator[None]:
    """Serve on a socket for as long as the block takes; the socket is closed after it."""
    server = EmbeddedServer(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), name="serving", daemon=True)
    thread.start()
    try:
        server.is_started.wait(_START_S)
        yield
    finally:
        server.stop()
        thread.join()
        bound.close()
