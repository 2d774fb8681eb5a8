"""Puts the faces of the Berichtenbox behind one port, and runs them."""

import contextlib
import gc
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from conformance.berichtenbox.adapter_face import AdapterFace
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.control_face import ControlFace
from conformance.berichtenbox.ebms_face import PATH as EBMS_PATH
from conformance.berichtenbox.ebms_face import EbmsFace
from conformance.berichtenbox.http import BodyTooLarge, DroppableProtocol, bare
from conformance.berichtenbox.presentatie_face import PATH as PRESENTATIE_PATH
from conformance.berichtenbox.presentatie_face import PresentatieFace
from conformance.berichtenbox.tls_face import TlsFace
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.berichtenbox.wus_face import WusFace
from conformance.transport.adapter import REST_PATH
from conformance.transport.misbehaving import Presenting
from conformance.transport.serving import CannotListenError, bind, serving
from conformance.transport.tls import TlsFiles

CANARY_PATH: Final = "/kanarie"
_START_S: Final = 20.0
_LOG: Final = logging.getLogger(__name__)


class ServerError(RuntimeError):
    """The server cannot listen where it was asked to: the text says where, why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Faces:
    """What makes the faces that a defective Berichtenbox has otherwise."""

    wus: type[WusFace] = WusFace
    tls: type[TlsFace] = TlsFace
    adapter: type[AdapterFace] = AdapterFace


FACES: Final = Faces()


class _Application:
    """Every face, with a way past the router for the ebMS2 face: it is asked most, and its one address is found at once."""

    def __init__(self, ebms: EbmsFace, others: Starlette) -> None:
        self._ebms, self._others = ebms, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != EBMS_PATH:
            await self._others(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._ebms.post(request)
        except BodyTooLarge as error:
            response = await _too_large(request, error)
        except Exception as error:  # noqa: BLE001  # a crash of ours is answered, whatever it is
            _LOG.exception("a message could not be handled; please report this")
            response = await _crash(request, error)
        await response(scope, receive, send)


def create_app(box: Berichtenbox, committer: GroupCommitter, faces: Faces = FACES) -> ASGIApp:
    """Return the application with every face of ``box``; the ebMS2 face is there once it has a CPA."""

    async def canary(request: Request) -> Response:
        """Note that somebody resolved an external entity of a message, or followed a redirect; nobody should ever come here."""
        call = box.call_of("kanarie", request.path_params["naam"], 200)
        await committer.do(lambda writing: writing.add_call(call))
        return bare("")

    routes = [
        Route(f"{CANARY_PATH}/{{naam}}", canary, methods=["GET", "POST", "PUT"]),
        *faces.adapter(box, committer).routes(),
        *faces.wus(box, committer).routes(),
        *PresentatieFace(box, committer).routes(),
        *ControlFace(box).routes(),
    ]
    others = Starlette(routes=routes, exception_handlers={BodyTooLarge: _too_large, Exception: _crash})
    return others if box.pusher is None else _Application(EbmsFace(box, box.pusher, committer), others)


async def _too_large(_request: Request, error: Exception) -> Response:
    return bare(str(error), 413)


async def _crash(_request: Request, error: Exception) -> Response:
    """Answer a crash of ours without its details, which may hold what a stranger sent."""
    return bare(f"internal error ({type(error).__name__}); the log of the Berichtenbox has the rest", 500)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the faces are: as the ready file says it."""

    url: str

    @property
    def adapter(self) -> str:
        """The REST API of the adapter face."""
        return self.url + REST_PATH

    @property
    def ebms(self) -> str:
        """The ebMS2 face; it is there once the Berichtenbox has a CPA."""
        return self.url + EBMS_PATH

    @property
    def wus(self) -> str:
        """The BerichtenboxValidatieService."""
        return self.url + WUS_PATH

    @property
    def presentatie(self) -> str:
        """The berichtpresentatie: what a citizen sees."""
        return self.url + PRESENTATIE_PATH

    @property
    def control(self) -> str:
        """The control face."""
        return self.url + CONTROL_PATH

    def to_json(self) -> dict[str, str | None]:
        """Return the content of the ready file; faces that this version does not have are null."""
        faces = {"adapter": self.adapter, "ebms": self.ebms, "wus": self.wus, "presentatie": self.presentatie, "portal": None}
        return {"url": self.url, **faces, "control": self.control}


class _Server(uvicorn.Server):
    """A server for which a signal is the normal end: uvicorn would raise it once more after stopping, and the ledger would not be closed."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop serving."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket; raises :class:`ServerError` when that cannot be done."""
    try:
        bound = bind(host, port)
    except CannotListenError as error:
        hint = "choose another port (--port, or port in the profile), or 0 for a free one" if port else "check the host"
        raise ServerError(f"{error}\n  Hint: {hint}") from None
    with bound:
        yield bound


def serve(box: Berichtenbox, host: str, port: int, ready: Callable[[Urls], None], tls: TlsFiles | Presenting | None = None) -> None:
    """Run the Berichtenbox until SIGTERM or SIGINT; ``ready`` is called once it accepts traffic.

    With ``tls`` every face has two-way TLS. Raises ``TlsFilesError`` when the files cannot be used.
    """
    with listening(host, port) as bound, _committing(box) as committer:
        _spare_collecting()
        server = _Server(_config(box, committer, tls))
        box.start()
        watcher = threading.Thread(target=_tell_when_started, args=(server, lambda: ready(_urls(host, bound, tls))), daemon=True)
        watcher.start()
        server.run(sockets=[bound])
        box.stop()


@contextlib.contextmanager
def running(
    box: Berichtenbox,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    works_by_itself: bool = True,
    tls: TlsFiles | Presenting | None = None,
    faces: Faces = FACES,
) -> Iterator[Urls]:
    """Run the Berichtenbox in the background for as long as the block takes; with ``tls`` every face has two-way TLS.

    Without ``works_by_itself`` what is accepted is processed only by ``box.settle()``: who asks for that all the time needs no second thread.
    Raises ``TlsFilesError`` when the files cannot be used.
    """
    with listening(host, port) as bound, _committing(box) as committer, serving(_config(box, committer, tls, faces), bound):
        if works_by_itself:
            box.start()
        try:
            yield _urls(host, bound, tls)
        finally:
            box.stop()


@contextlib.contextmanager
def _committing(box: Berichtenbox) -> Iterator[GroupCommitter]:
    committer = GroupCommitter(box.ledger, box.wake)
    try:
        yield committer
    finally:
        committer.stop()


def _config(box: Berichtenbox, committer: GroupCommitter, tls: TlsFiles | Presenting | None, faces: Faces = FACES) -> uvicorn.Config:
    app = create_app(box, committer, faces)
    protocol: Any = DroppableProtocol
    if tls is not None:
        face = faces.tls(box, committer, tls)
        app, protocol = face.gate(app), face.protocol
    return uvicorn.Config(
        app,
        http=protocol,
        loop="uvloop",
        lifespan="off",
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        log_level="warning",
        timeout_graceful_shutdown=2,
        log_config=None,
    )


def _spare_collecting() -> None:
    """Let the collector of reference cycles look at what comes and goes, and seldom: what is there by now stays, and messages make few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _tell_when_started(server: uvicorn.Server, tell: Callable[[], None]) -> None:
    waited = threading.Event()
    for _ in range(int(_START_S * 200)):
        if server.started:
            tell()
            return
        waited.wait(0.005)


def _urls(host: str, bound: socket.socket, tls: TlsFiles | Presenting | None) -> Urls:
    shown = f"[{host}]" if ":" in host else host
    return Urls(f"{'http' if tls is None else 'https'}://{shown}:{bound.getsockname()[1]}")
