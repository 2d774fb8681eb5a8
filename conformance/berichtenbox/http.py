"""Small things that every face needs: limits on bodies, bare texts, and a connection that can be dropped."""

import asyncio
import socket
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_BODY: Final = 210_000_000  # 100 MB of XML is 134 MB of base64 in JSON; a client may escape some of it


class BodyTooLarge(ValueError):  # noqa: N818  # names the thing that is wrong
    """A request with more bytes than are read."""


class DroppableProtocol(HttpToolsProtocol):
    """HTTP/1.1 with the transport in reach of the application, so that a fault can drop a connection after the work was done."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the transport where :func:`drop` finds it."""
        # Headers and body leave in two writes: without this the second waits 40 ms for an acknowledgment of the first.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)  # type: ignore[arg-type]  # idem
        inner = self.app

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})["connection"] = transport
            await inner(scope, receive, send)

        self.app = application


class Dropped(Response):
    """An answer that never comes: the connection is dropped instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop the connection; what is answered after that reaches nobody."""
        transport: Any = scope.get("extensions", {}).get("connection")
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)
        await super().__call__(scope, receive, send)


async def read_body(request: Request) -> bytes:
    """Return the body; raises :class:`BodyTooLarge` as soon as it is known to be too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise BodyTooLarge(f"the body has {announced} bytes, at most {LARGEST_BODY} are read")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise BodyTooLarge(f"the body has more than {LARGEST_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def bare(text: str, status: int = 200) -> Response:
    """Return a bare text, as ebms-core answers ids and errors."""
    return PlainTextResponse(text, status)


def no_content() -> Response:
    """Return 204 without a body."""
    return Response(status_code=204)


def json_bytes(content: bytes, status: int = 200) -> Response:
    """Return JSON that is written already."""
    return Response(content, status, media_type="application/json")
