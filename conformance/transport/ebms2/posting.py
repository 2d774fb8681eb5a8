"""POSTs a message as Digikoppeling wants it, and names the trouble when there is no answer. It decides nothing: `sending` does.

Nothing is followed, no proxy is taken from the environment, and an answer is read up to a limit, within a time.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Self

import httpx

from conformance.rules.findings import quoted
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, Trouble, TroubleKind
from conformance.transport.ebms2.names import SOAP_ACTION
from conformance.transport.handshakes import Defect, causes, failure_of
from conformance.transport.tls import PeerCertificate, read_certificate

TIMEOUT_S: Final = 30.0
"""How long connecting, and each read, may take: that of ebms-core."""
MOST_BYTES: Final = 2_000_000
"""A signal is some kilobytes; more than this is not one."""
_CONNECTIONS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=4.0)


class Poster:
    """POSTs over one TLS context, or over plain http when there is none; usable from several threads.

    ``timeout_s`` holds for connecting and for each read, ``monotonic`` measures how long an answer takes altogether.
    """

    def __init__(
        self, context: ssl.SSLContext | None = None, *, timeout_s: float = TIMEOUT_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._has_context = context is not None
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        headers = {"user-agent": "berichtenbox-conformance", "accept": "text/xml", "accept-encoding": "identity"}
        self._client = httpx.Client(
            # Without a context nothing is trusted, and https is refused before it comes here.
            verify=context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            http1=True,
            http2=False,
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            limits=_CONNECTIONS,
            headers=headers,
        )

    def close(self) -> None:
        """Close the connections that are open."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post(
        self, url: str, content_type: str, body: bytes | Iterable[bytes], headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> HttpOutcome:
        """POST a message, and return the answer, or why there is none; raises nothing for what the network or the other side does.

        ``headers`` stand instead of the Content-Type and the SOAPAction, and ``method`` instead of POST, for who wants them wrong. A body in pieces
        goes with Transfer-Encoding chunked.
        """
        if url.startswith("https:") and not self._has_context:
            text = f"{quoted(url)} asks TLS, and this side was given no certificates"
            return HttpOutcome(trouble=Trouble(TroubleKind.TLS, text, Defect.OTHER))
        headers = headers or {"content-type": content_type, "soapaction": SOAP_ACTION}
        sent: tuple[tuple[str, str], ...] = ()
        try:
            request = self._client.build_request(method, url, content=body, headers=headers)
            sent = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
            with contextlib.closing(self._client.send(request, stream=True)) as response:
                content, peer = self._content(response), _peer_of(response)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            return HttpOutcome(trouble=trouble_of(error, url), sent=sent)
        if isinstance(content, Trouble):
            return HttpOutcome(trouble=content, sent=sent, peer=peer)
        return HttpOutcome(HttpAnswer(response.status_code, dict(response.headers), content), sent=sent, peer=peer)

    def _content(self, response: httpx.Response) -> bytes | Trouble:
        """Read the body as it was sent: nothing is unpacked, for we asked for nothing packed."""
        until = self._monotonic() + self._timeout_s
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > MOST_BYTES:
                return Trouble(TroubleKind.PROTOCOL, f"the answer has more than {MOST_BYTES} bytes, and a signal has some thousands")
            if self._monotonic() > until:
                return Trouble(TroubleKind.TIMEOUT, f"the answer was not complete within {self._timeout_s:g} s")
        return bytes(content)


def _peer_of(response: httpx.Response) -> PeerCertificate | None:
    secured = response.extensions["network_stream"].get_extra_info("ssl_object") if "network_stream" in response.extensions else None
    # The object below httpx takes it by position only.
    return None if secured is None else read_certificate(secured.getpeercert(True))  # noqa: FBT003


def trouble_of(error: BaseException, url: str) -> Trouble:
    """Return what an exception of a POST means: the cause in its chain says more than the exception that httpx made of it."""
    chain = tuple(causes(error))
    if any(isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError) for one in chain):
        return Trouble(TroubleKind.RESET, f"{quoted(url)} closed the connection during TLS; a server does so when it does not accept a client")
    failure = failure_of(error, datetime.now(UTC))
    if failure is not None:
        return Trouble(TroubleKind.TLS, f"{quoted(url)}: {failure.line}", failure.defect)
    for one in reversed(chain):
        found = _socket_trouble(one, url)
        if found is not None:
            return found
    return Trouble(TroubleKind.PROTOCOL, f"{quoted(url)} cannot be used, or did not answer in HTTP: {quoted(str(error) or type(error).__name__)}")


def _socket_trouble(error: BaseException, url: str) -> Trouble | None:
    if isinstance(error, socket.gaierror):
        return Trouble(TroubleKind.REFUSED, f"the host of {quoted(url)} has no address: {error.strerror}")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Trouble(TroubleKind.TIMEOUT, f"{quoted(url)} did not answer in time")
    if isinstance(error, ConnectionRefusedError):
        return Trouble(TroubleKind.REFUSED, f"nothing listens at {quoted(url)}")
    if isinstance(error, httpx.ConnectError):
        return Trouble(TroubleKind.REFUSED, f"{quoted(url)} cannot be reached: {quoted(str(error))}")
    # "Server disconnected" is a RemoteProtocolError for httpx; it says nothing about the protocol.
    has_ended = isinstance(error, httpx.RemoteProtocolError) and ("disconnected" in str(error) or "closed connection" in str(error))
    if has_ended or isinstance(error, ConnectionError | httpx.NetworkError):
        return Trouble(TroubleKind.RESET, f"{quoted(url)} closed the connection before its answer was complete")
    return None
