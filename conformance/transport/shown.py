"""What a server shows in TLS, looked at piece by piece: OpenSSL stops at the first thing that is wrong, which hides the rest."""

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from conformance.transport.handshakes import Defect, FailedHandshake, failed, failure_of
from conformance.transport.tls import PeerCertificate, TlsFiles, read_certificate

TIMEOUT_S: Final = 10.0
_DER: Final = 2  # as _ssl.ENCODING_DER
_MOST_ISSUERS: Final = 10
_HTTPS: Final = 443


@dataclass(frozen=True, slots=True)
class Shown:
    """A handshake that succeeded: the version and suite, and the certificates as the server sent them (DER), its own first."""

    version: str
    suite: str
    chain: tuple[bytes, ...]

    @property
    def leaf(self) -> PeerCertificate:
        """Return what the own certificate of the server says."""
        return read_certificate(self.chain[0])


def shake(url: str, context: ssl.SSLContext, timeout_s: float = TIMEOUT_S) -> Shown | FailedHandshake:
    """Shake hands with the server of an https URL, whatever it shows, and hang up; return what was shown, or why it failed.

    Raises ``OSError`` when nobody is there. A server that dislikes the certificate of ``context`` may say so only after this, in TLS 1.3.
    """
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parts = urlsplit(url)
    host = parts.hostname or ""
    with socket.create_connection((host, parts.port or _HTTPS), timeout_s) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=host) as secured:
                return Shown(secured.version() or "", (secured.cipher() or ("",))[0], _sent(secured))
        except OSError as error:  # an SSLError is one too, and so is a connection that was dropped instead
            now = datetime.now(UTC)
            return failure_of(error, now, context=context) or failed(Defect.CONNECTION_DROPPED, str(error), now)


def _sent(secured: ssl.SSLSocket) -> tuple[bytes, ...]:
    inner: Any = getattr(secured, "_sslobj", None)  # public in Python 3.13 only
    chain = inner.get_unverified_chain() if hasattr(inner, "get_unverified_chain") else None
    if chain:
        return tuple(one.public_bytes(_DER) for one in chain)
    own = secured.getpeercert(binary_form=True)
    return (own,) if own else ()


def hosts_of(der: bytes) -> frozenset[str]:
    """Return the DNS names and addresses in the subjectAltName of a certificate, in lower case."""
    try:
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    dns = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return frozenset(dns | {str(address) for address in names.get_values_for_type(x509.IPAddress)})


def names_host(der: bytes, host: str) -> bool:
    """Tell whether a certificate is for a host: a name (RFC 2818, so one label may be a ``*`` at the left) or an address."""
    hosts = hosts_of(der)
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host)) in hosts
    wanted = host.lower().rstrip(".")
    _label, dot, domain = wanted.partition(".")
    return wanted in hosts or (bool(dot) and f"*.{domain}" in hosts)


@dataclass(frozen=True, slots=True)
class Trust:
    """What this side knows of authorities: the roots, intermediates that are not trusted by themselves, and their CRLs."""

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    crls: tuple[x509.CertificateRevocationList, ...]

    @classmethod
    def of(cls, files: TlsFiles) -> "Trust":
        """Return what stands in these files."""
        roots = x509.load_pem_x509_certificates(files.roots.read_bytes())
        texts = [] if files.crl is None else files.crl.read_bytes().split(b"-----BEGIN X509 CRL-----")[1:]
        crls = [x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + text) for text in texts]
        return cls(tuple(roots), files.known_intermediates(), tuple(crls))

    def is_sent_whole(self, chain: Sequence[bytes]) -> bool:
        """Tell whether what was sent reaches up to a root, or goes as far as anybody here can follow."""
        last = self._end_of(chain, ())
        return not any(_issued(last, one) for one in self.intermediates)

    def is_trusted(self, chain: Sequence[bytes]) -> bool:
        """Tell whether a chain ends at a root, with the intermediates that are known here where the peer left them out."""
        last = self._end_of(chain, self.intermediates)
        return any(_issued(last, root) for root in self.roots) or last in self.roots

    def is_revoked(self, der: bytes) -> bool:
        """Tell whether a certificate stands in the CRL of its issuer."""
        own = x509.load_der_x509_certificate(der)
        lists = [crl for crl in self.crls if crl.issuer == own.issuer]
        return any(crl.get_revoked_certificate_by_serial_number(own.serial_number) is not None for crl in lists)

    def _end_of(self, chain: Sequence[bytes], known: Sequence[x509.Certificate]) -> x509.Certificate:
        """Follow the issuers from the leaf up, below the roots."""
        own, *sent = [x509.load_der_x509_certificate(der) for der in chain]
        above = [one for one in (*sent, *known) if one not in self.roots]
        last = own
        for _ in range(_MOST_ISSUERS):
            issuer = next((one for one in above if one != last and _issued(last, one)), None)
            if issuer is None or any(_issued(last, root) for root in self.roots):
                break
            last = issuer
        return last


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Tell whether ``authority`` signed ``certificate``; one with a broken hash is known by its name, for the library verifies that no more."""
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        return certificate.issuer == authority.subject
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
