"""TLS as it should not be: a server that shows a bad certificate or an old version for a while, and clients that each do one thing wrong."""

import contextlib
import ssl
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from conformance.transport.handshakes import watch
from conformance.transport.pki import ENTRIES, Pki
from conformance.transport.tls import CIPHERS, TlsFiles, client_context, load_files, server_context
from conformance.transport.tls_connection import HANDSHAKE_TIMEOUT_S

NO_CERTIFICATE: Final = "no-certificate"
OLDEST_VERSION: Final = "tls-1.0"
OLD_VERSION: Final = "tls-1.1"
CBC_ONLY: Final = "cbc-only"
RSA_EXCHANGE: Final = "rsa-exchange"
PLAIN_1_2: Final = "tls-1.2"
"""The client that does nothing wrong: TLS 1.2 with the one suite that everybody must have."""
MUST_HAVE_SUITE: Final = "ECDHE-RSA-AES256-GCM-SHA384"
_CBC_SUITES: Final = "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:AES256-SHA256:AES128-SHA"
_RSA_SUITES: Final = "AES256-GCM-SHA384:AES128-GCM-SHA256"
_FLIGHTS: Final = 10  # a handshake takes three or four turns of each side
ANYTHING: Final = "ALL:@SECLEVEL=0"  # level 0 lets weak keys and TLS 1.1 through


class Presenting:
    """What a server shows in handshakes that begin from now on, and how long it waits for them.

    It can show something bad for the length of a block, from any thread: who was connected must shake hands again, before and after it.
    Raises ``TlsFilesError`` when ``files`` cannot be used.
    """

    def __init__(self, files: TlsFiles, handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S) -> None:
        self.handshake_timeout_s = handshake_timeout_s
        self.files = files
        self.context = server_context(files)
        self.intermediates = files.known_intermediates()
        self.hang_up: Callable[[], None] = lambda: None
        """Closes the connections that are open; the server that uses this sets it."""

    @contextlib.contextmanager
    def certificate_of(self, files: TlsFiles) -> Iterator[None]:
        """Show the certificate of ``files``, however bad."""
        with self._showing(load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), files, f"{CIPHERS.partition(':@')[0]}:@SECLEVEL=0")):
            yield

    @contextlib.contextmanager
    def only(self, version: ssl.TLSVersion) -> Iterator[None]:
        """Offer one version of TLS."""
        context = server_context(self.files)
        only_version(context, version)
        with self._showing(context):
            yield

    def can_offer(self, version: ssl.TLSVersion) -> bool:
        """Tell whether the TLS library of this machine speaks a version at all: where it is switched off, nobody can be seen to refuse it."""
        return _shake_hands(only_version(client_context(self.files), version), only_version(server_context(self.files), version))

    @contextlib.contextmanager
    def _showing(self, context: ssl.SSLContext) -> Iterator[None]:
        before, self.context = self.context, context
        self.hang_up()
        try:
            yield
        finally:
            self.context = before
            self.hang_up()


def bad_client_contexts(pki: Pki, side: str = "server") -> Mapping[str, ssl.SSLContext]:
    """Return contexts of a Berichtenbox that calls the server of an Afnemer, by name; each checks the server well, and does one thing wrong.

    With ``side`` "client" it is an Afnemer that calls the server of the Berichtenbox.

    The names are those of the bad certificates of its side in the directory (``server-expired`` and so on), :data:`NO_CERTIFICATE`,
    :data:`OLDEST_VERSION`, :data:`OLD_VERSION`, :data:`RSA_EXCHANGE` and :data:`CBC_ONLY`; :data:`PLAIN_1_2` must be accepted.
    Raises ``PkiError`` or ``TlsFilesError``.
    """
    good = pki.files_of(side)
    shown = [entry.name for entry in ENTRIES if entry.side == side and entry.reason and entry.reason != "wrong-host"]
    contexts = {name: careless_context(pki.files_of(name)) for name in shown}
    contexts[NO_CERTIFICATE] = _without_certificate(good)
    contexts[OLDEST_VERSION] = only_version(client_context(good), ssl.TLSVersion.TLSv1)
    contexts[OLD_VERSION] = only_version(client_context(good), ssl.TLSVersion.TLSv1_1)
    contexts[RSA_EXCHANGE] = _tls_1_2(careless_context(good), f"{_RSA_SUITES}:@SECLEVEL=0")
    contexts[CBC_ONLY] = _tls_1_2(careless_context(good), f"{_CBC_SUITES}:@SECLEVEL=0")
    contexts[PLAIN_1_2] = _tls_1_2(client_context(good), f"{MUST_HAVE_SUITE}:@SECLEVEL=2")
    return MappingProxyType(contexts)


def switched_off(pki: Pki, side: str = "server") -> frozenset[str]:
    """Return the names of :func:`bad_client_contexts` that the TLS library of this machine cannot play: it has their version or suites switched off.

    A server that takes anything is called with each. Whoever refuses such a client cannot be told from a client that offers nothing.
    """
    clients, server = bad_client_contexts(pki, side), load_files(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pki.files_of(side), ANYTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return frozenset(name for name in (OLDEST_VERSION, OLD_VERSION, RSA_EXCHANGE, CBC_ONLY) if not _shake_hands(clients[name], server))


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    """Tell whether two contexts shake hands in memory, over no network."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname="localhost"), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(_FLIGHTS):
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
            ends.remove(end)
    return not ends


def careless_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a client that shows any certificate, however bad, and goes along with any key and suite of TLS 1.2 and 1.3."""
    return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), files, ANYTHING)


def _without_certificate(files: TlsFiles) -> ssl.SSLContext:
    context = watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_verify_locations(files.roots)
    return context


def _tls_1_2(context: ssl.SSLContext, ciphers: str) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    return context


def only_version(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Let ``context`` offer one version only, also one that nobody should offer; return it."""
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers(ANYTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old is what is meant
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.minimum_version = version
    return context
