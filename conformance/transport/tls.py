"""Two-way TLS as Digikoppeling asks it: TLS 1.2 and 1.3, suites of the NCSC, both sides with a certificate, and the OIN in its subject.

It makes contexts and reads certificates. Who may send for whom is decided by whoever knows the CPA.
"""

import ssl
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from conformance.messages.identities import is_oin
from conformance.transport.handshakes import Defect, watch
from conformance.verdicts import ExitCode

# Level 2 of OpenSSL refuses keys below 112 bits of strength, so RSA 1024, on both sides. TLS 1.3 has its own suites, all of them good.
CIPHERS: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=2"
)
RSA_BITS_LEAST: Final = 2048
EC_BITS_LEAST: Final = 224
_STRONG_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class TlsFilesError(ValueError):
    """Certificate files that cannot be used: which, and why."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What one side of a connection has: its chain and key, the roots that it trusts, and the CRLs that it checks (none when ``None``).

    ``intermediates`` are authorities that are not trusted by themselves: with them a peer that leaves out its intermediate can be told so.
    """

    certificate: Path
    key: Path
    roots: Path
    crl: Path | None = None
    intermediates: Path | None = None

    def known_intermediates(self) -> tuple[x509.Certificate, ...]:
        """Return the authorities of ``intermediates``; raises :class:`TlsFilesError` when the file cannot be used."""
        if self.intermediates is None:
            return ()
        try:
            return tuple(x509.load_pem_x509_certificates(self.intermediates.read_bytes()))
        except (OSError, ValueError) as error:
            raise _unusable(str(self.intermediates), error) from None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a server that demands a client certificate and checks its chain, its term and its CRL.

    Raises :class:`TlsFilesError` when a file cannot be used.
    """
    return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), files)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a client that shows its certificate, and checks that of the server with its host name.

    Raises :class:`TlsFilesError` when a file cannot be used.
    """
    return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), files)


def load_files(context: ssl.SSLContext, files: TlsFiles, ciphers: str = CIPHERS) -> ssl.SSLContext:
    """Let ``context`` use these files and suites, and demand a certificate of the other side; return it. Raises :class:`TlsFilesError`."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(ciphers)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.roots)
        if files.crl is not None:
            context.load_verify_locations(files.crl)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:  # an SSLError is one too
        raise _unusable(", ".join(str(path) for path in (files.roots, files.crl, files.certificate, files.key) if path), error) from None
    return context


def _unusable(names: str, error: OSError | ValueError) -> TlsFilesError:
    why = getattr(error, "strerror", None) or error
    return TlsFilesError(f"{names}: cannot be used for TLS: {why}.\n  Hint: give PEM files, such as `berichtenbox pki new` writes.")


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What a certificate says of its holder. ``oin`` is empty when the subject has no serialNumber of 20 digits; ``bits`` is the size of its key."""

    oin: str
    common_name: str
    organisation: str
    not_before: datetime
    not_after: datetime
    key: str
    bits: int
    is_signed_well: bool
    der: bytes = field(repr=False)

    @property
    def is_weak(self) -> bool:
        """Tell whether the key is too small, or of a kind that Digikoppeling does not have, or the signature rests on a broken hash."""
        least = {"RSA": RSA_BITS_LEAST, "EC": EC_BITS_LEAST}.get(self.key)
        return least is None or self.bits < least or not self.is_signed_well


def read_certificate(der: bytes) -> PeerCertificate:
    """Return what a DER certificate says, such as ``SSLSocket.getpeercert(True)`` gives it; raises ``ValueError`` when it is none.

    What was read lately is remembered: reading takes longer than the rest of a request.
    """
    return _read_certificate(bytes(der))


@lru_cache(maxsize=1024)
def _read_certificate(der: bytes) -> PeerCertificate:
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key()
    kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "EC" if isinstance(key, ec.EllipticCurvePublicKey) else "other"
    serial = _subject(certificate, NameOID.SERIAL_NUMBER)
    return PeerCertificate(
        oin=serial if is_oin(serial) else "",
        common_name=_subject(certificate, NameOID.COMMON_NAME),
        organisation=_subject(certificate, NameOID.ORGANIZATION_NAME),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=kind,
        bits=getattr(key, "key_size", 0),
        is_signed_well=isinstance(certificate.signature_hash_algorithm, _STRONG_HASHES),
        der=der,
    )


def _subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """Return an attribute of the subject; with none, or several, nobody can tell which one counts."""
    values = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]
    return values[0] if len(values) == 1 else ""


def objections(peer: PeerCertificate, oins: Container[str], at: datetime) -> tuple[str, ...]:
    """Return what speaks against a peer whose chain was verified; empty when it may talk.

    ``oins`` are those that may use this connection. The term and the key are looked at again, for a terminator in front of us may be milder.
    """
    return tuple(text for _defect, text in peer_defects(peer, oins, at))


def peer_defects(peer: PeerCertificate, oins: Container[str], at: datetime) -> tuple[tuple[Defect, str], ...]:
    """Return :func:`objections`, each with its name."""
    found = []
    if not peer.oin:
        found.append((Defect.NO_OIN, "its subject has no serialNumber of 20 digits, so no OIN"))
    elif peer.oin not in oins:
        found.append((Defect.WRONG_OIN, f"its OIN {peer.oin} does not belong to this connection"))
    if at > peer.not_after:
        found.append((Defect.CERTIFICATE_EXPIRED, f"it expired on {peer.not_after:%Y-%m-%d}"))
    if at < peer.not_before:
        found.append((Defect.CERTIFICATE_NOT_YET_VALID, f"it is not valid before {peer.not_before:%Y-%m-%d}"))
    if peer.is_weak:
        found.append((Defect.WEAK_KEY, f"its {peer.key} key of {peer.bits} bits, or its signature, is weak"))
    return tuple(found)


def first_certificate(pem: bytes) -> bytes:
    """Return the first certificate of a PEM text as DER; raises ``ValueError`` when there is none."""
    text = pem.decode("ascii", "replace")
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    if begin < 0 or end < begin:
        raise ValueError("the text holds no certificate in PEM")
    return ssl.PEM_cert_to_DER_cert(text[begin : end + len(ssl.PEM_FOOTER)])
