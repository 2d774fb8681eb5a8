"""Why a TLS handshake failed, from a closed list of defects, with a text that an engineer can act on.

OpenSSL tells it in codes and in words of its own; here they are translated once, for servers and for clients.
"""

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

_DER: Final = 2  # as _ssl.ENCODING_DER
_LONGEST_NAME: Final = 120
_ALERT: Final = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(?P<alert>[A-Z_]+)")
_NO_ISSUER: Final = frozenset({2, 20, 21})  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, _LOCALLY, and no way to check the signature of the leaf

_OLD_ONLY: Final = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2)


class Defect(StrEnum):
    """What is wrong with a handshake, or with who shook hands."""

    CERTIFICATE_MISSING = "certificate-missing"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    CERTIFICATE_REVOKED = "certificate-revoked"
    SELF_SIGNED = "self-signed"
    UNKNOWN_AUTHORITY = "unknown-authority"
    INTERMEDIATE_MISSING = "intermediate-missing"
    WEAK_KEY = "weak-key"
    WEAK_SIGNATURE = "weak-signature"
    WEAK_AUTHORITY = "weak-authority"
    WRONG_HOST = "wrong-host"
    WRONG_PURPOSE = "wrong-purpose"
    BAD_SIGNATURE = "bad-signature"
    CRL_UNAVAILABLE = "crl-unavailable"
    CRL_EXPIRED = "crl-expired"
    CERTIFICATE_REFUSED = "certificate-refused"
    NO_OIN = "no-oin"
    WRONG_OIN = "wrong-oin"
    TLS_TOO_OLD = "tls-too-old"
    NO_COMMON_CIPHER = "no-common-cipher"
    PLAIN_HTTP = "plain-http"
    NOT_TLS = "not-tls"
    PEER_REFUSED_CERTIFICATE = "peer-refused-certificate"
    PEER_SAYS_EXPIRED = "peer-says-expired"
    PEER_SAYS_REVOKED = "peer-says-revoked"
    PEER_SAYS_UNKNOWN_AUTHORITY = "peer-says-unknown-authority"
    PEER_DEMANDS_CERTIFICATE = "peer-demands-certificate"
    PEER_REFUSED_VERSION = "peer-refused-version"
    PEER_REFUSED_HANDSHAKE = "peer-refused-handshake"
    PEER_ALERT = "peer-alert"
    CONNECTION_DROPPED = "connection-dropped"
    CLOSED_WITHOUT_REQUEST = "closed-without-request"
    TIMED_OUT = "timed-out"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FailedHandshake:
    """A handshake that failed: its defect, a text for an engineer (what, expected, got, what to do next), when, and what was seen by itself."""

    defect: Defect
    text: str
    at: datetime
    got: str = ""

    def __repr__(self) -> str:
        return f"<FailedHandshake {self.defect} at {self.at:%Y-%m-%dT%H:%M:%SZ}>"

    @property
    def hint(self) -> str:
        """Return what to do next, as the text says it."""
        return self.text.partition("\n  Hint: ")[2]

    @property
    def line(self) -> str:
        """Return what is wrong, what was seen and what to do next, for where there is one line."""
        return f"{_TEXTS[self.defect][0]} ({self.got}); {self.hint.rstrip().removesuffix('.')}"


# A peer may say in an alert of its own version that it does not want ours, which to OpenSSL is no TLS at all.
_OVER_VERSIONS: Final = (Defect.TLS_TOO_OLD, Defect.NOT_TLS)
_OUT_OF_TERM: Final = (Defect.CERTIFICATE_EXPIRED, Defect.CERTIFICATE_NOT_YET_VALID)
_VERIFY_CODES: Final[Mapping[int, Defect]] = MappingProxyType(
    {
        3: Defect.CRL_UNAVAILABLE,
        7: Defect.BAD_SIGNATURE,
        8: Defect.BAD_SIGNATURE,  # that of the CRL
        9: Defect.CERTIFICATE_NOT_YET_VALID,
        10: Defect.CERTIFICATE_EXPIRED,
        11: Defect.CRL_UNAVAILABLE,  # not yet valid
        12: Defect.CRL_EXPIRED,
        18: Defect.SELF_SIGNED,
        19: Defect.UNKNOWN_AUTHORITY,  # the other side sent its root along, and it is not ours
        23: Defect.CERTIFICATE_REVOKED,
        24: Defect.WRONG_PURPOSE,  # an end party that issues certificates
        25: Defect.WRONG_PURPOSE,
        26: Defect.WRONG_PURPOSE,
        33: Defect.CRL_UNAVAILABLE,
        44: Defect.CRL_UNAVAILABLE,
        62: Defect.WRONG_HOST,
        64: Defect.WRONG_HOST,  # an IP address
        66: Defect.WEAK_KEY,
        67: Defect.WEAK_AUTHORITY,
        68: Defect.WEAK_SIGNATURE,
        79: Defect.WRONG_PURPOSE,
    }
)
_REASONS: Final[Mapping[str, Defect]] = MappingProxyType(
    {
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": Defect.CERTIFICATE_MISSING,
        "UNSUPPORTED_PROTOCOL": Defect.TLS_TOO_OLD,
        "VERSION_TOO_LOW": Defect.TLS_TOO_OLD,
        "NO_PROTOCOLS_AVAILABLE": Defect.TLS_TOO_OLD,
        "INAPPROPRIATE_FALLBACK": Defect.TLS_TOO_OLD,
        "NO_SHARED_CIPHER": Defect.NO_COMMON_CIPHER,
        "NO_SHARED_GROUPS": Defect.NO_COMMON_CIPHER,
        "NO_SUITABLE_KEY_SHARE": Defect.NO_COMMON_CIPHER,
        "NO_SUITABLE_SIGNATURE_ALGORITHM": Defect.NO_COMMON_CIPHER,
        "NO_CIPHERS_AVAILABLE": Defect.NO_COMMON_CIPHER,
        "WRONG_CIPHER_RETURNED": Defect.NO_COMMON_CIPHER,
        "WRONG_SIGNATURE_TYPE": Defect.NO_COMMON_CIPHER,
        "HTTP_REQUEST": Defect.PLAIN_HTTP,
        "HTTPS_PROXY_REQUEST": Defect.PLAIN_HTTP,
        "WRONG_VERSION_NUMBER": Defect.NOT_TLS,
        "WRONG_SSL_VERSION": Defect.NOT_TLS,
        "UNKNOWN_PROTOCOL": Defect.NOT_TLS,
        "RECORD_TOO_SMALL": Defect.NOT_TLS,
        "PACKET_LENGTH_TOO_LONG": Defect.NOT_TLS,
        "LENGTH_TOO_SHORT": Defect.NOT_TLS,
        "RECORD_LAYER_FAILURE": Defect.NOT_TLS,
        "UNEXPECTED_EOF_WHILE_READING": Defect.CONNECTION_DROPPED,
        "EE_KEY_TOO_SMALL": Defect.WEAK_KEY,
        "CA_KEY_TOO_SMALL": Defect.WEAK_AUTHORITY,
        "CA_MD_TOO_WEAK": Defect.WEAK_SIGNATURE,
        "DH_KEY_TOO_SMALL": Defect.NO_COMMON_CIPHER,
    }
)
_ALERTS: Final[Mapping[str, Defect]] = MappingProxyType(
    {
        "BAD_CERTIFICATE": Defect.PEER_REFUSED_CERTIFICATE,
        "UNSUPPORTED_CERTIFICATE": Defect.PEER_REFUSED_CERTIFICATE,
        "CERTIFICATE_UNKNOWN": Defect.PEER_REFUSED_CERTIFICATE,
        "ACCESS_DENIED": Defect.PEER_REFUSED_CERTIFICATE,
        "CERTIFICATE_EXPIRED": Defect.PEER_SAYS_EXPIRED,
        "CERTIFICATE_REVOKED": Defect.PEER_SAYS_REVOKED,
        "UNKNOWN_CA": Defect.PEER_SAYS_UNKNOWN_AUTHORITY,
        "NO_CERTIFICATE": Defect.PEER_DEMANDS_CERTIFICATE,
        "CERTIFICATE_REQUIRED": Defect.PEER_DEMANDS_CERTIFICATE,
        "PROTOCOL_VERSION": Defect.PEER_REFUSED_VERSION,
        "HANDSHAKE_FAILURE": Defect.PEER_REFUSED_HANDSHAKE,
        "INSUFFICIENT_SECURITY": Defect.PEER_REFUSED_HANDSHAKE,
    }
)

_ANY_CERTIFICATE: Final = "a certificate of PKIoverheid (or of the test hierarchy), within its term, sent with its whole chain"
_TEXTS: Final[Mapping[Defect, tuple[str, str, str]]] = MappingProxyType(
    {  # what, expected, what to do next
        Defect.CERTIFICATE_MISSING: (
            "the other side showed no certificate",
            _ANY_CERTIFICATE,
            "give your client its certificate and key; Digikoppeling uses two-way TLS on every connection",
        ),
        Defect.CERTIFICATE_EXPIRED: (
            "a certificate in the chain of the other side has expired",
            "certificates within their term",
            "look at notAfter of the leaf and of the intermediate, and at the clock of this machine",
        ),
        Defect.CERTIFICATE_NOT_YET_VALID: (
            "a certificate in the chain of the other side is not valid yet",
            "certificates within their term",
            "look at notBefore, and at the clock of this machine",
        ),
        Defect.CERTIFICATE_REVOKED: (
            "a certificate in the chain of the other side was revoked",
            "certificates that are not in the CRL of their authority",
            "ask a new certificate, and install it",
        ),
        Defect.SELF_SIGNED: (
            "the certificate of the other side is signed by itself",
            "a certificate that an authority issued, under a root that this side trusts",
            "install the certificate that PKIoverheid issued (in a test: one of `berichtenbox pki new`)",
        ),
        Defect.UNKNOWN_AUTHORITY: (
            "the certificate of the other side was not issued under a root that this side trusts",
            "a chain that ends at a trusted root",
            "compare the issuer with the trusted roots",
        ),
        Defect.INTERMEDIATE_MISSING: (
            "the other side sent its certificate without the intermediate that issued it",
            "the certificate and every intermediate; only the root may be left out",
            "append the intermediate to the file with the certificate (PEM), or import the whole chain in the key store",
        ),
        Defect.WEAK_KEY: (
            "the key of the certificate of the other side is too small",
            "RSA of at least 2048 bits, or EC of at least 224",
            "ask a certificate on a larger key",
        ),
        Defect.WEAK_SIGNATURE: (
            "a certificate in the chain of the other side was signed with a broken hash",
            "SHA-256 or better",
            "ask a certificate that is signed with SHA-2",
        ),
        Defect.WEAK_AUTHORITY: (
            "an authority in the chain of the other side has a small key",
            "RSA of at least 2048 bits",
            "ask a certificate of an authority of today",
        ),
        Defect.WRONG_HOST: (
            "the certificate of the server is not for the host that was called",
            "the name or the address from the URL in subjectAltName",
            "call the server by the name in its certificate (see the Endpoint in the CPA), or ask one for this host",
        ),
        Defect.WRONG_PURPOSE: (
            "a certificate in the chain of the other side may not be used for this",
            "an extendedKeyUsage with serverAuth and clientAuth, or none; and issuers that are authorities",
            "Digikoppeling uses one certificate as client and as server: ask one that may be used for both",
        ),
        Defect.BAD_SIGNATURE: (
            "a signature in the chain of the other side is wrong",
            "certificates and CRLs as their authority signed them",
            "look for an intermediate with the same name and another key",
        ),
        Defect.CRL_UNAVAILABLE: (
            "there is no usable CRL for an authority in the chain of the other side",
            "a CRL of each authority",
            "fetch the CRLs of every authority in the chain",
        ),
        Defect.CRL_EXPIRED: (
            "the CRL of an authority in the chain of the other side is too old",
            "a CRL whose nextUpdate is ahead",
            "fetch the CRLs again; those of `berichtenbox pki new` last longer than its certificates",
        ),
        Defect.CERTIFICATE_REFUSED: (
            "the certificate of the other side does not pass",
            _ANY_CERTIFICATE,
            "look at it with `openssl verify -CAfile root.pem -untrusted intermediate.pem CERTIFICATE`",
        ),
        Defect.TLS_TOO_OLD: (
            "the two sides have no version of TLS in common",
            "TLS 1.2 or 1.3 (BEV TLS004)",
            "switch TLS 1.2 on, and everything older off",
        ),
        Defect.NO_COMMON_CIPHER: (
            "the two sides have no cipher suite in common",
            "a suite that the NCSC calls good: those of TLS 1.3, or ECDHE with AES-GCM or CHACHA20",
            "switch on ECDHE-RSA-AES256-GCM-SHA384 at least; CBC and plain RSA are refused",
        ),
        Defect.PLAIN_HTTP: ("the other side speaks plain http on a TLS port", "a TLS handshake", "call it with https://"),
        Defect.NOT_TLS: (
            "the other side does not speak TLS",
            "a TLS handshake",
            "look whether the port is the right one, and whether a proxy stands in between",
        ),
        Defect.PEER_REFUSED_CERTIFICATE: (
            "the other side does not accept the certificate that this side showed",
            "that it trusts the root, and that the host name fits",
            "give the other side the root of this side, and look at the host name that it calls",
        ),
        Defect.PEER_SAYS_EXPIRED: (
            "the other side says that the certificate of this side has expired",
            "that it accepts a certificate within its term",
            "look at the term, and at the clock of the other side",
        ),
        Defect.PEER_SAYS_REVOKED: (
            "the other side says that the certificate of this side was revoked",
            "that it accepts a certificate that is not in the CRL",
            "ask a new certificate, and install it",
        ),
        Defect.PEER_SAYS_UNKNOWN_AUTHORITY: (
            "the other side does not know the authority of the certificate that this side showed",
            "that it trusts the root",
            "give the other side the root of this side (root.pem of `berichtenbox pki new`)",
        ),
        Defect.PEER_DEMANDS_CERTIFICATE: (
            "the other side demands a certificate, and this side showed none that it can use",
            "that this side shows one",
            "give this side its certificate and key",
        ),
        Defect.PEER_REFUSED_VERSION: (
            "the other side refuses the versions of TLS that this side offered",
            "a version in common",
            "let both sides support TLS 1.2 or 1.3",
        ),
        Defect.PEER_REFUSED_HANDSHAKE: (
            "the other side finds nothing acceptable in what this side offered",
            "a cipher suite in common, and a certificate where it asks one",
            "compare the suites of both sides; the log of the other side says more",
        ),
        Defect.PEER_ALERT: ("the other side broke off with an alert", "that it shakes hands", "the log of the other side says more"),
        Defect.CONNECTION_DROPPED: (
            "the other side closed the connection during the handshake",
            "that it shakes hands, or says in an alert why not",
            "the log of the other side says more; who only looks whether the port is open does this too",
        ),
        Defect.CLOSED_WITHOUT_REQUEST: (
            "the other side shook hands, and closed the connection without a request",
            "a request",
            "it may have refused the certificate of this side, such as its host name, without saying so; its log says more",
        ),
        Defect.TIMED_OUT: (
            "the other side did not finish the handshake in time",
            "a handshake within seconds",
            "look whether the other side speaks TLS at all, and whether something in between holds packets back",
        ),
        Defect.OTHER: ("the handshake failed", "that it succeeds", "look the reason up in the documentation of OpenSSL"),
    }
)


def failed(defect: Defect, got: str, at: datetime, *, also: str = "") -> FailedHandshake:
    """Return a failure with the text of its defect; ``got`` is what was seen, ``also`` is added to what to do next."""
    what, expected, then = _TEXTS[defect]
    return FailedHandshake(defect, f"TLS: {what}.\n  Expected: {expected}.\n  Got: {got}.\n  Hint: {then}{also}.", at, got)


def failure_of(
    error: BaseException, at: datetime, *, context: ssl.SSLContext | None = None, intermediates: Sequence[x509.Certificate] = ()
) -> FailedHandshake | None:
    """Return why a handshake failed, for an ``SSLError`` or for an error that was raised because of one; ``None`` when TLS was not the cause.

    ``context`` is that of our side: when it offers old versions only, the peer refuses them. With ``intermediates``, authorities that are
    known and not trusted by themselves, a peer that leaves out its intermediate is told from one of an authority that nobody knows.
    """
    cause = next((one for one in causes(error) if isinstance(one, ssl.SSLError)), None)
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _unverified(cause, at, intermediates)
    reason = getattr(cause, "reason", None) or type(cause).__name__  # an error that a library made has none
    defect = _defect_of(reason)
    if defect in _OVER_VERSIONS and context is not None and context.maximum_version in _OLD_ONLY:
        defect = Defect.PEER_REFUSED_VERSION
    return failed(defect, reason.replace("_", " ").lower(), at)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Return an exception and what it was raised because of, the deepest one last."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _defect_of(reason: str) -> Defect:
    if reason in _REASONS:
        return _REASONS[reason]
    alert = _ALERT.fullmatch(reason)
    if alert is None:
        return Defect.CONNECTION_DROPPED if reason in ("SSLEOFError", "SSLZeroReturnError") else Defect.OTHER
    return _ALERTS.get(alert["alert"], Defect.PEER_ALERT)


def _unverified(error: ssl.SSLCertVerificationError, at: datetime, intermediates: Sequence[x509.Certificate]) -> FailedHandshake:
    words = str(error.verify_message).rstrip(".")
    chain = getattr(error, "peer_chain", ())
    if error.verify_code not in _NO_ISSUER:
        defect = _VERIFY_CODES.get(error.verify_code, Defect.CERTIFICATE_REFUSED)
        return failed(defect, f"{words}{_term(defect, chain, at)}{_shown(chain[:1])}", at)
    return _without_issuer(words, chain, at, intermediates)


def _term(defect: Defect, chain: Sequence[bytes], at: datetime) -> str:
    """Return the end of the term that is over, or the begin of one that must come."""
    if defect not in _OUT_OF_TERM:
        return ""
    certificates = [x509.load_der_x509_certificate(der) for der in chain]
    ended = [f" (on {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC)" for one in certificates if one.not_valid_after_utc < at]
    coming = [f" (before {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC)" for one in certificates if one.not_valid_before_utc > at]
    return next(iter(ended if defect is Defect.CERTIFICATE_EXPIRED else coming), "")


def _without_issuer(words: str, chain: Sequence[bytes], at: datetime, intermediates: Sequence[x509.Certificate]) -> FailedHandshake:
    """Tell a missing intermediate from an unknown authority: OpenSSL has one code for both."""
    got = f"{words}{_shown(chain[-1:])}"
    last = x509.load_der_x509_certificate(chain[-1]) if chain else None
    if last is not None and any(_issued(last, one) for one in intermediates):
        return failed(Defect.INTERMEDIATE_MISSING, got, at)
    also = "; or the other side left out its intermediate: let it send the whole chain" if len(chain) <= 1 else ""
    return failed(Defect.UNKNOWN_AUTHORITY, got, at, also=also)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Tell whether ``authority`` signed ``certificate``: a name alone proves nothing."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _shown(chain: Sequence[bytes]) -> str:
    """Return the subject and issuer of the certificate, as ASCII: a stranger wrote them."""
    if not chain:
        return ""
    certificate = x509.load_der_x509_certificate(chain[0])
    subject, issuer = (ascii(name.rfc4514_string()[:_LONGEST_NAME]) for name in (certificate.subject, certificate.issuer))
    return f", for subject {subject} by issuer {issuer}"


def watch(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let the errors of handshakes in ``context`` carry the chain that OpenSSL could build (``peer_chain``, DER, the leaf first); return it."""
    context.sslobject_class = _WatchedObject
    context.sslsocket_class = _WatchedSocket
    return context


class _WatchedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            _note_chain(error, self)
            raise


class _WatchedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # as it is in the base class
        try:
            # gevent, which Locust lets take the place of sockets, knows no such argument.
            super().do_handshake(*([block] if block else []))
        except ssl.SSLCertVerificationError as error:
            _note_chain(error, self)
            raise


def _note_chain(error: ssl.SSLCertVerificationError, secured: ssl.SSLObject | ssl.SSLSocket) -> None:
    # Public in Python 3.13 only. The chain stands there although it was refused: OpenSSL keeps how far it came.
    inner: Any = getattr(secured, "_sslobj", None)
    chain = inner.get_verified_chain() if hasattr(inner, "get_verified_chain") else None
    error.peer_chain = tuple(one.public_bytes(_DER) for one in chain or ())  # type: ignore[attr-defined]  # a mark for failure_of
