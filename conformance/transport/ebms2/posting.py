"""POSTs a message as Digikoppeling wants it, and names the trouble when there is no answer. It decides nothing: `sending` does.

Nothing is followed, no proxy is taken from the environment, and an answer is read up to a limit, within a time.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Self

import httpx

from conformance.rules.findings import quoted
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, TlsDefect, Trouble, TroubleKind
from conformance.transport.ebms2.names import SOAP_ACTION
from conformance.transport.tls import PeerCertificate, read_certificate

TIMEOUT_S: Final = 30.0
"""How long connecting, and each read, may take: that of ebms-core."""
MOST_BYTES: Final = 2_000_000
"""A signal is some kilobytes; more than this is not one."""
_CONNECTIONS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=4.0)
# X509_V_ERR_… of OpenSSL. Code 20 says no more than that an issuer is missing: its root is not trusted, or an intermediate was not sent.
_VERIFY_CODES: Final[Mapping[int, tuple[TlsDefect, str]]] = MappingProxyType(
    {
        3: (TlsDefect.NO_CRL, "there is no CRL of the issuer of its certificate, so nobody can tell whether it was revoked"),
        9: (TlsDefect.NOT_YET_VALID, "its certificate is not yet valid"),
        10: (TlsDefect.EXPIRED, "its certificate has expired"),
        12: (TlsDefect.NO_CRL, "the CRL of the issuer of its certificate has expired"),
        18: (TlsDefect.SELF_SIGNED, "its certificate is self-signed"),
        19: (TlsDefect.UNKNOWN_ISSUER, "the root of its chain is not trusted"),
        20: (TlsDefect.UNKNOWN_ISSUER, "the issuer of its certificate is unknown: its root is not trusted, or it did not send its intermediate"),
        21: (TlsDefect.UNKNOWN_ISSUER, "its certificate came alone, and its issuer is unknown: it did not send its intermediate"),
        23: (TlsDefect.REVOKED, "its certificate was revoked"),
        62: (TlsDefect.WRONG_HOST, "its certificate is for another host"),
        64: (TlsDefect.WRONG_HOST, "its certificate is for another address"),
        66: (TlsDefect.WEAK, "the key of its certificate is too weak"),
        67: (TlsDefect.WEAK, "the key of an issuer in its chain is too weak"),
        68: (TlsDefect.WEAK, "a signature in its chain rests on a hash that is too weak"),
    }
)
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
_NOTHING_IN_COMMON: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        "NO_CIPHERS_AVAILABLE",
        "NO_SHARED_CIPHER",
        "WRONG_SSL_VERSION",
    }
)
_WEAK: Final = frozenset({"DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "WRONG_SIGNATURE_TYPE"})


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
            return _trouble(TroubleKind.TLS, f"{quoted(url)} asks TLS, and this side was given no certificates", TlsDefect.OTHER)
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


def _trouble(kind: TroubleKind, text: str, defect: TlsDefect | None = None) -> HttpOutcome:
    return HttpOutcome(trouble=Trouble(kind, text, defect))


def trouble_of(error: BaseException, url: str) -> Trouble:
    """Return what an exception of a POST means: the cause in its chain says more than the exception that httpx made of it."""
    chain = tuple(_chain(error))
    for one in chain:
        if isinstance(one, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Trouble(TroubleKind.RESET, f"{quoted(url)} closed the connection during TLS; a server does so when it does not accept a client")
        if isinstance(one, ssl.SSLError):
            return _tls_trouble(one, url)
    for one in reversed(chain):
        found = _socket_trouble(one, url)
        if found is not None:
            return found
    return Trouble(TroubleKind.PROTOCOL, f"{quoted(url)} cannot be used, or did not answer in HTTP: {quoted(str(error) or type(error).__name__)}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


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


def _tls_trouble(error: ssl.SSLError, url: str) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        defect, text = _VERIFY_CODES.get(error.verify_code, (TlsDefect.BAD_CERTIFICATE, f"its certificate is not accepted: {error.verify_message}"))
    else:
        defect, text = _by_reason(error.reason or "")
    return Trouble(TroubleKind.TLS, f"{quoted(url)}: {text}", defect)


def _by_reason(reason: str) -> tuple[TlsDefect, str]:
    if reason in _NO_TLS:
        return TlsDefect.NO_TLS, "it does not speak TLS"
    if reason in _NOTHING_IN_COMMON:
        return TlsDefect.NOTHING_IN_COMMON, f"both sides have no version or cipher suite in common ({reason})"
    if reason in _WEAK:
        return TlsDefect.WEAK, f"its key or signature is too weak ({reason})"
    _, alert, name = reason.partition("_ALERT_")
    if alert:
        return TlsDefect.REFUSED_OURS, f"it refused our certificate or what we offered, with the TLS alert {name.lower().replace('_', ' ')}"
    return TlsDefect.OTHER, f"TLS failed: {reason or 'for a reason that is not told'}"
