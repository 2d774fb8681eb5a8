"""Two-way TLS in front of every face: who may not come in is told why, and every refusal is on the record before its peer hears of it."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, Final

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.http import CONNECTION, DroppableProtocol
from conformance.berichtenbox.wire import Visit
from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import Presenting
from conformance.transport.serving import PEER
from conformance.transport.tls import PeerCertificate, TlsFiles, peer_defects
from conformance.transport.tls_connection import TlsConnection

OPERATION: Final = "tls"
"""The operation of a call on the record; its subject is the :class:`Defect <conformance.transport.handshakes.Defect>`."""
_NO_ANSWER: Final = 0
_FORBIDDEN: Final = 403
_HANG_UP_S: Final = 5.0
LOGGER: Final = logging.getLogger(__name__)
_Record = Callable[[FailedHandshake, int], Awaitable[None]]


class TlsFace:
    """Secures the server of a Berichtenbox; raises ``TlsFilesError`` when the files cannot be used."""

    def __init__(self, box: Berichtenbox, committer: GroupCommitter, tls: TlsFiles | Presenting) -> None:
        self._box = box
        self._committer = committer
        self._presenting = tls if isinstance(tls, Presenting) else Presenting(tls)
        self._presenting.hang_up = self.hang_up
        self._running: tuple[asyncio.AbstractEventLoop, ServerState] | None = None

    def protocol(
        self, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> asyncio.Protocol:
        """Return what handles a new connection: this is the ``http`` of a uvicorn configuration, whose own TLS stays off."""
        inner = DroppableProtocol(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self._running = _loop or asyncio.get_running_loop(), server_state
        presenting = self._presenting
        return TlsConnection(
            inner,
            presenting.context,
            self._note_handshake,
            among=server_state.connections,
            intermediates=presenting.intermediates,
            timeout_s=presenting.handshake_timeout_s,
        )

    def hang_up(self) -> None:
        """Close the connections that are open, from another thread: those that are being answered, after that."""
        if self._running is None:
            return
        loop, state = self._running
        done = threading.Event()

        def close() -> None:
            for connection in list(state.connections):
                connection.shutdown()
            done.set()

        with contextlib.suppress(RuntimeError):  # the server stopped
            loop.call_soon_threadsafe(close)
            done.wait(_HANG_UP_S)

    def gate(self, app: ASGIApp) -> ASGIApp:
        """Return ``app`` for those whose certificate belongs to this connection."""
        testers = {LOGIUS_TEST_OIN, self._box.config.logius_oin}
        return _Gate(app, self._box, testers, self._record)

    async def _note_handshake(self, failure: FailedHandshake) -> None:
        await self._record(failure, _NO_ANSWER)

    async def _record(self, failure: FailedHandshake, status: int) -> None:
        LOGGER.info("%s", failure.text)
        self._box.note_refused(replace(failure, at=self._box.wall()))
        call = self._box.call_of(OPERATION, failure.defect, status)
        await self._committer.do(lambda writing: writing.add_call(call))


class _Gate:
    """Lets requests through whose peer certificate has an OIN that belongs here; the testers at Logius may use the control face too."""

    def __init__(self, app: ASGIApp, box: Berichtenbox, testers: Collection[str], record: _Record) -> None:
        self._app = app
        self._box = box
        self._oins = frozenset(box.connection.oins)
        self._oins_of_control = self._oins.union(testers)
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer: PeerCertificate = scope["extensions"][PEER]
        secured = scope["extensions"][CONNECTION].get_extra_info("ssl_object")
        self._box.note_visit(Visit(peer, secured.version() or "", self._box.wall()))
        path = scope["path"]
        oins = self._oins_of_control if path == CONTROL_PATH or path.startswith(f"{CONTROL_PATH}/") else self._oins
        found = peer_defects(peer, oins, self._box.wall())
        if not found:
            await self._app(scope, receive, send)
            return
        objections = [objection for _defect, objection in found]
        text = _refusal(peer, oins, objections)
        await self._record(FailedHandshake(found[0][0], text, self._box.wall(), "; ".join(objections)), _FORBIDDEN)
        await PlainTextResponse(text, _FORBIDDEN)(scope, receive, send)


def _refusal(peer: PeerCertificate, oins: Collection[str], objections: list[str]) -> str:
    listed = "".join(f"\n  - {objection}" for objection in objections)
    return (
        f"The client certificate (CN {peer.common_name!a}, OIN {peer.oin or 'absent'}) is refused:{listed}\n"
        f"  Expected: a certificate within its term, with OIN {' or '.join(sorted(oins))} in the serialNumber of its subject.\n"
        "  Hint: use the certificate of the Afnemer to whom this connection belongs.\n"
    )
