"""Puts the faces of the Berichtenbox behind one port, and runs them."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from conformance.berichtenbox.adapter_face import AdapterFace
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.control_face import PATH as CONTROL_PATH
from conformance.berichtenbox.control_face import ControlFace
from conformance.berichtenbox.http import BodyTooLarge, DroppableProtocol, bare
from conformance.transport.adapter import REST_PATH

CANARY_PATH: Final = "/kanarie"
_TICK_S: Final = 0.1
_START_S: Final = 20.0


class ServerError(RuntimeError):
    """The server cannot listen where it was asked to: the text says where, why, and what to do next."""


def create_app(box: Berichtenbox, committer: GroupCommitter) -> Starlette:
    """Return the application with every face of ``box``."""

    async def canary(request: Request) -> Response:
        """Note that somebody resolved an external entity of a message; nobody should ever come here."""
        call = box.call_of("kanarie", request.path_params["naam"], 200)
        await committer.do(lambda writing: writing.add_call(call))
        return bare("")

    routes = [Route(f"{CANARY_PATH}/{{naam}}", canary), *AdapterFace(box, committer).routes(), *ControlFace(box).routes()]
    return Starlette(routes=routes, exception_handlers={BodyTooLarge: _too_large, Exception: _crash})


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
    def control(self) -> str:
        """The control face."""
        return self.url + CONTROL_PATH

    def to_json(self) -> dict[str, str | None]:
        """Return the content of the ready file; faces that this version does not have are null."""
        none = dict.fromkeys(("ebms", "wus", "presentatie", "portal"))
        return {"url": self.url, "adapter": self.adapter, **none, "control": self.control}


class _Server(uvicorn.Server):
    """A server for which a signal is the normal end: uvicorn would raise it once more after stopping, and the ledger would not be closed."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop serving."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


class _EmbeddedServer(uvicorn.Server):
    """A server that is stopped from another thread, at once: the plain one looks ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Keep the time of the Date header until somebody stops the server."""
        self._loop = asyncio.get_running_loop()
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
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Stop now."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it stopped by itself
                self._loop.call_soon_threadsafe(self._stopped.set)


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket; raises :class:`ServerError` when that cannot be done."""
    try:
        bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except OSError as error:
        hint = "choose another port (--port, or port in the profile), or 0 for a free one" if port else "check the host"
        raise ServerError(f"cannot listen on {host}:{port}: {error.strerror or error}\n  Hint: {hint}") from None
    with bound:
        yield bound


def serve(box: Berichtenbox, host: str, port: int, ready: Callable[[Urls], None]) -> None:
    """Run the Berichtenbox until SIGTERM or SIGINT; ``ready`` is called once it accepts traffic."""
    with listening(host, port) as bound, _committing(box) as committer:
        server = _Server(_config(create_app(box, committer)))
        box.start()
        watcher = threading.Thread(target=_tell_when_started, args=(server, lambda: ready(_urls(host, bound))), daemon=True)
        watcher.start()
        server.run(sockets=[bound])
        box.stop()


@contextlib.contextmanager
def running(box: Berichtenbox, host: str = "127.0.0.1", port: int = 0, *, works_by_itself: bool = True) -> Iterator[Urls]:
    """Run the Berichtenbox in the background for as long as the block takes.

    Without ``works_by_itself`` what is accepted is processed only by ``box.settle()``: who asks for that all the time needs no second thread.
    """
    with listening(host, port) as bound, _committing(box) as committer:
        server = _EmbeddedServer(_config(create_app(box, committer)))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), name="berichtenbox", daemon=True)
        if works_by_itself:
            box.start()
        thread.start()
        _tell_when_started(server, lambda: None)
        try:
            yield _urls(host, bound)
        finally:
            server.stop()
            thread.join()
            box.stop()


@contextlib.contextmanager
def _committing(box: Berichtenbox) -> Iterator[GroupCommitter]:
    committer = GroupCommitter(box.ledger, box.wake)
    try:
        yield committer
    finally:
        committer.stop()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=DroppableProtocol,
        loop="uvloop",
        lifespan="off",
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        log_level="warning",
        timeout_graceful_shutdown=2,
        log_config=None,
    )


def _tell_when_started(server: uvicorn.Server, tell: Callable[[], None]) -> None:
    waited = threading.Event()
    for _ in range(int(_START_S * 200)):
        if server.started:
            tell()
            return
        waited.wait(0.005)


def _urls(host: str, bound: socket.socket) -> Urls:
    shown = f"[{host}]" if ":" in host else host
    return Urls(f"http://{shown}:{bound.getsockname()[1]}")
