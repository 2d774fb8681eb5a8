"""An HTTP endpoint for messages: a real server in the background that hands each whole request to a function, and gives its answer.

What a request means is decided by whoever handles it; here are only bytes, a limit on them, and who sent them.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

from starlette.types import Message, Receive, Scope, Send

from conformance.transport.ebms2.http import HttpAnswer, HttpRequest
from conformance.transport.serving import PEER, bind, config_of, serving

LARGEST_BODY: Final = 210_000_000
"""The bytes of a request that are read: a batch of 100 MB, with room for a peer that sends it as base64."""
_WORKERS: Final = 16
_LINGER_S: Final = 2.0
_LOG: Final = logging.getLogger(__name__)


class _BodyTooLargeError(ValueError):
    """A request with more bytes than are read; ``has_more`` when not all of it came in yet."""

    def __init__(self, *, has_more: bool) -> None:
        super().__init__()
        self.has_more = has_more


class Endpoint:
    """Listens from its construction until it is closed; raises ``CannotListenError`` when it cannot.

    ``handle`` runs in a worker thread, several at a time; requests for another path than ``path`` do not reach it. A crash of ``handle`` is a 500
    without details, which may hold what a stranger sent. With ``context`` everything goes over TLS.
    """

    def __init__(
        self,
        handle: Callable[[HttpRequest], HttpAnswer],
        host: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
        path: str = "/",
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self._handle, self._path, self._largest_body = handle, path, largest_body
        bound = bind(host, port)
        self.port: int = bound.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if context is None else 'https'}://{shown}:{self.port}{path}"
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="endpoint")
        self._open = contextlib.ExitStack()
        self._open.callback(self._workers.shutdown)
        self._open.enter_context(serving(config_of(self._application, context), bound))

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop listening, drop the connections, and wait for what is being handled."""
        self._open.close()

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != self._path:
            await _send(send, HttpAnswer(404, {}, b""))
            return
        try:
            body = await self._read(scope, receive)
        except _BodyTooLargeError as error:
            await self._refuse(receive, send, has_more=error.has_more)
            return
        if body is not None:
            await _send(send, await self._answer_to(_request(scope, body)))

    async def _answer_to(self, request: HttpRequest) -> HttpAnswer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._workers, self._handle, request)
        except Exception:  # noqa: BLE001  # whatever it is, the next message is not to blame
            _LOG.exception("a request could not be handled; please report this")
            return HttpAnswer(500, {}, b"")

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, or ``None`` when the peer left halfway."""
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._largest_body:
            raise _BodyTooLargeError(has_more=True)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
            if len(body) > self._largest_body:
                raise _BodyTooLargeError(has_more=has_more)
            if not has_more:
                return bytes(body)

    async def _refuse(self, receive: Receive, send: Send, *, has_more: bool) -> None:
        """Answer 413 at once, and read on for a while: to close under a peer that is still writing would lose the answer."""
        start, body = _written(HttpAnswer(413, {"connection": "close"}))
        await send(start)
        await send({**body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                left = self._largest_body
                while has_more and left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    has_more = message.get("more_body", False)
        await send(body)


def _request(scope: Scope, body: bytes) -> HttpRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return HttpRequest(scope["method"], scope["path"], headers, body, scope["extensions"][PEER])


def _written(answer: HttpAnswer) -> tuple[Message, Message]:
    names = {name.lower() for name in answer.headers}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if "content-length" not in names and answer.status != 204:  # noqa: PLR2004  # a 204 has no body, nor a length of it
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}, {"type": "http.response.body", "body": answer.body}


async def _send(send: Send, answer: HttpAnswer) -> None:
    for message in _written(answer):
        await send(message)
