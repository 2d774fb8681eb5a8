"""Small things that every face needs: limits on bodies, bare texts, and a connection that can be dropped."""

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from conformance.transport.serving import PeerProtocol

LARGEST_BODY: Final = 210_000_000  # 100 MB of XML is 134 MB of base64 in JSON; a client may escape some of it
HALFWAY_STATUS: Final = 200
HALFWAY_HEADERS: Final = {"content-type": "text/xml", "content-length": "1000"}
HALFWAY_BODY: Final = b"<soap:Envelope"
"""What is sent of an answer that breaks off halfway."""
CONNECTION: Final = "connection"
"""The extension of a scope that holds the transport."""


class BodyTooLarge(ValueError):  # noqa: N818  # names the thing that is wrong
    """A request with more bytes than are read."""


class DroppableProtocol(PeerProtocol):
    """HTTP/1.1 that has the transport too in reach of the application, so that a fault can drop a connection."""

    def known(self, transport: asyncio.BaseTransport) -> dict[str, Any]:
        """Put the transport where :class:`Dropped` finds it, beside the certificate of the peer."""
        return {**super().known(transport), CONNECTION: transport}


class Dropped(Response):
    """An answer that never comes: the connection is dropped instead, at once or halfway its body."""

    def __init__(self, *, is_halfway: bool = False) -> None:
        super().__init__()
        self._is_halfway = is_halfway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop the connection; what is answered after that reaches nobody."""
        transport: Any = scope.get("extensions", {}).get(CONNECTION)
        if self._is_halfway:
            headers = [(name.encode(), value.encode()) for name, value in HALFWAY_HEADERS.items()]
            await send({"type": "http.response.start", "status": HALFWAY_STATUS, "headers": headers})
            await send({"type": "http.response.body", "body": HALFWAY_BODY, "more_body": True})
            await asyncio.sleep(0)
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)
        if not self._is_halfway:
            await super().__call__(scope, receive, send)


async def read_body(request: Request, most: int | None = None) -> bytes:
    """Return the body as :func:`collect_body` does, as bytes."""
    return bytes(await collect_body(request, most))


async def collect_body(request: Request, most: int | None = None) -> bytes | bytearray:
    """Return the body of at most ``most`` bytes (default: the largest of any face); raises :class:`BodyTooLarge` as soon as it is larger.

    It grows where it stands: a body of 100 MB is there once, and not once more in pieces.
    """
    most = LARGEST_BODY if most is None else most
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise BodyTooLarge(f"the body has {announced} bytes, at most {most} are read")
    body: bytes | bytearray = b""
    async for chunk in request.stream():
        if not body:
            body = chunk
            continue
        body = body if isinstance(body, bytearray) else bytearray(body)
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(f"the body has more than {most} bytes")
    if len(body) > most:
        raise BodyTooLarge(f"the body has more than {most} bytes")
    return body


def bare(text: str, status: int = 200) -> Response:
    """Return a bare text, as ebms-core answers ids and errors."""
    return PlainTextResponse(text, status)


def no_content() -> Response:
    """Return 204 without a body."""
    return Response(status_code=204)


def json_bytes(content: bytes, status: int = 200) -> Response:
    """Return JSON that is written already."""
    return Response(content, status, media_type="application/json")
