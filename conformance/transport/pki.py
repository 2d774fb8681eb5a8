"""A test hierarchy shaped like PKIoverheid, with certificates that must be accepted and certificates that must each be refused for one reason.

The keys of the authorities are thrown away: nobody can issue more under this root, and nobody should trust it outside a test.
"""

import contextlib
import hashlib
import ipaddress
import json
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.transport.tls import RSA_BITS_LEAST, TlsFiles
from conformance.verdicts import ExitCode

INDEX: Final = "index.json"
README: Final = "README.txt"
ROOT: Final = "root.pem"
INTERMEDIATE: Final = "intermediate.pem"
CRL: Final = "crl.pem"
ALWAYS_HOSTS: Final = ("localhost", "127.0.0.1")
WRONG_OIN: Final = "00000099000000009000"
"""The OIN of the client certificate that belongs to another organisation."""
WRONG_HOST: Final = "wrong-host.invalid"
_WEAK_BITS: Final = 1024
_SHA256_WITH_RSA: Final = bytes.fromhex("2a864886f70d01010b")  # their OIDs as DER, of one length
_SHA1_WITH_RSA: Final = bytes.fromhex("2a864886f70d010105")
_DAY: Final = timedelta(days=1)
_AUTHORITY_TERM: Final = timedelta(days=365)  # how much longer than what they issue the authorities live, on both sides
_DNS_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644
_VERSION: Final = 1


class PkiError(ValueError):
    """A directory of certificates that cannot be written or used: what is wrong, and what to do."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Plan:
    """Whose certificates are made, for which hosts, and how long the good ones are valid, counted from ``now`` (aware)."""

    oin: str
    now: datetime
    hosts: tuple[str, ...] = ()
    days: int = 365
    logius_oin: str = LOGIUS_TEST_OIN

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """Return the hosts of the good certificates, each once."""
        return tuple(dict.fromkeys((*ALWAYS_HOSTS, *self.hosts)))

    @property
    def not_before(self) -> datetime:
        """Return since when the good certificates are valid: a day ago, for clocks that are behind."""
        return self.now.replace(microsecond=0) - _DAY

    @property
    def not_after(self) -> datetime:
        """Return until when the good certificates are valid."""
        return self.now.replace(microsecond=0) + self.days * _DAY


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of the directory: its files, who shows it, what it is for, and what must happen when it is shown."""

    name: str
    side: str
    purpose: str
    must: str
    reason: str = ""
    place: str = ""

    @property
    def certificate(self) -> str:
        """Return the file with the chain, below the directory."""
        return f"{self.place}{self.name}.pem"

    @property
    def key(self) -> str:
        """Return the file with the private key, below the directory."""
        return f"{self.place}{self.name}.key"


def _bad(name: str, side: str, purpose: str, reason: str) -> Entry:
    return Entry(name, side, purpose, "be refused", reason, "bad/")


ENTRIES: Final = (
    Entry("server", "server", "The Berichtenbox: for serve --tls, and for what it sends to the gateway of the Afnemer.", "be accepted"),
    Entry("client", "client", "The Afnemer: for what it sends, and for the server of its own gateway.", "be accepted"),
    _bad("client-expired", "client", "The Afnemer, with a certificate whose term is over.", "expired"),
    _bad("client-not-yet-valid", "client", "The Afnemer, with a certificate whose term begins after that of the good ones.", "not-yet-valid"),
    _bad("client-wrong-oin", "client", f"Another organisation ({WRONG_OIN}): TLS succeeds, and the OIN must be refused after it.", "wrong-oin"),
    _bad("client-unknown-root", "client", "The Afnemer, by an authority that nobody knows.", "unknown-root"),
    _bad("client-no-intermediate", "client", "The good certificate of the Afnemer, sent without its intermediate.", "no-intermediate"),
    _bad("client-weak-key", "client", "The Afnemer, with an RSA key of 1024 bits.", "weak-key"),
    _bad("client-revoked", "client", "The Afnemer, with a certificate that stands in the CRL.", "revoked"),
    _bad("client-no-oin", "client", "The Afnemer, with a certificate without serialNumber in its subject: TLS succeeds.", "no-oin"),
    _bad("client-weak-signature", "client", "The Afnemer, with a certificate that was signed with SHA-1.", "weak-signature"),
    _bad("client-wrong-host", "client", f"The Afnemer, for the server of its gateway, with a certificate for {WRONG_HOST} only.", "wrong-host"),
    _bad("server-wrong-host", "server", f"The Berichtenbox, with a certificate for {WRONG_HOST} only.", "wrong-host"),
    _bad("server-expired", "server", "The Berichtenbox, with a certificate whose term is over.", "expired"),
    _bad("server-not-yet-valid", "server", "The Berichtenbox, with a certificate whose term begins after that of the good ones.", "not-yet-valid"),
    _bad("server-wrong-oin", "server", f"Another organisation ({WRONG_OIN}): TLS succeeds, and the OIN must be refused after it.", "wrong-oin"),
    _bad("server-unknown-root", "server", "The Berichtenbox, by an authority that nobody knows.", "unknown-root"),
    _bad("server-no-intermediate", "server", "The good certificate of the Berichtenbox, sent without its intermediate.", "no-intermediate"),
    _bad("server-weak-key", "server", "The Berichtenbox, with an RSA key of 1024 bits.", "weak-key"),
    _bad("server-revoked", "server", "The Berichtenbox, with a certificate that stands in the CRL.", "revoked"),
)
_BY_NAME: Final = {entry.name: entry for entry in ENTRIES}
_ALWAYS_THERE: Final = frozenset({"server", "client"})


def check_host(host: str) -> str:
    """Return a host that a certificate can name, an IP address or a DNS name; raises :class:`PkiError` for anything else."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    if _DNS_NAME.fullmatch(host) is None:
        raise PkiError(f"{host!r}: expected the name or the address of a host.\n  Hint: leave out the scheme, the port and the path.")
    return host.lower()


def _general_name(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)


@dataclass(frozen=True, slots=True)
class _Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _new_key(bits: int = RSA_BITS_LEAST) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def _name(organisation: str, common_name: str, oin: str = "") -> x509.Name:
    """Return a subject as PKIoverheid writes it: C, O, serialNumber (the OIN, a PrintableString) and CN."""
    attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, "NL"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)]
    if oin:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, oin))
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


_KIT: Final = "Berichtenbox conformance kit (test)"
_ROOT_NAME: Final = _name(_KIT, "Kit TEST Private Root CA")
_INTERMEDIATE_NAME: Final = _name(_KIT, "Kit TEST Private Services CA")
_FOREIGN_NAME: Final = _name("Unknown authority (test)", "Unknown TEST Root CA")


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_encipherment=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(name: x509.Name, plan: Plan, issuer: _Issued | None = None) -> _Issued:
    """Make an authority: a root that signs itself, or an intermediate below ``issuer`` that may issue to end parties only."""
    key = _new_key()
    term = (plan.not_before - _AUTHORITY_TERM, plan.not_after + 2 * _AUTHORITY_TERM)
    builder = _builder(name, key, issuer or _Unsigned(name, key), term)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True)
    builder = builder.add_extension(_usage(is_authority=True), critical=True)
    return _Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@dataclass(frozen=True, slots=True)
class _Unsigned:
    """The name and key of a root that has no certificate yet."""

    subject: x509.Name
    key: rsa.RSAPrivateKey


def _builder(name: x509.Name, key: rsa.RSAPrivateKey, issuer: "_Issued | _Unsigned", term: tuple[datetime, datetime]) -> x509.CertificateBuilder:
    subject = issuer.certificate.subject if isinstance(issuer, _Issued) else issuer.subject
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=subject, public_key=key.public_key(), serial_number=x509.random_serial_number())
        .not_valid_before(term[0])
        .not_valid_after(term[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )


def _issue(name: x509.Name, issuer: _Issued, term: tuple[datetime, datetime], hosts: Sequence[str], key: rsa.RSAPrivateKey | None = None) -> _Issued:
    """Make the certificate of an end party. It is for clients and for servers: Digikoppeling uses one certificate on both sides."""
    own = key or _new_key()
    builder = _builder(name, own, issuer, term)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(is_authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
    return _Issued(builder.sign(issuer.key, hashes.SHA256()), own)


def _with_sha1(one: _Issued, issuer: _Issued) -> _Issued:
    """Return a certificate signed with SHA-1, which the library does not do any more; with RSA of one size both signatures are as long."""
    old = one.certificate
    signed = old.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = issuer.key.sign(signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # bad is what is meant
    der = old.public_bytes(serialization.Encoding.DER).replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    return _Issued(x509.load_der_x509_certificate(der.replace(old.tbs_certificate_bytes, signed)[: -len(signature)] + signature), one.key)


def _crl(issuer: _Issued, plan: Plan, revoked: Sequence[_Issued] = ()) -> bytes:
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, plan.not_before, plan.not_after + 2 * _AUTHORITY_TERM)
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.certificate.serial_number, plan.not_before)
        builder = builder.add_revoked_certificate(entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make(plan: Plan) -> Mapping[str, bytes]:
    """Return the files of a test hierarchy, by their path below the directory; the index is the last one."""
    root = _authority(_ROOT_NAME, plan)
    intermediate = _authority(_INTERMEDIATE_NAME, plan, root)
    issued = _end_parties(plan, intermediate)
    files = {
        ROOT: root.pem,
        INTERMEDIATE: intermediate.pem,
        CRL: _crl(intermediate, plan, [issued["client-revoked"], issued["server-revoked"]]) + _crl(root, plan),
    }
    for entry in ENTRIES:
        one = issued[entry.name]
        has_chain = entry.reason not in ("no-intermediate", "unknown-root")
        files[entry.certificate] = one.pem + (intermediate.pem if has_chain else b"")
        files[entry.key] = one.key_pem
    files[README] = _readme(plan).encode()
    files[INDEX] = _index(plan, files)
    return files


def _end_parties(plan: Plan, issuer: _Issued) -> dict[str, _Issued]:
    afnemer, logius = _name("Afnemer (test)", "afnemer.test", plan.oin), _name("Berichtenbox (test)", "berichtenbox.test", plan.logius_oin)
    shared = _Shared(issuer, _authority(_FOREIGN_NAME, plan), _new_key(), _new_key(_WEAK_BITS))
    wrong_host = _name("Berichtenbox (test)", WRONG_HOST, plan.logius_oin)
    return {
        **_of_one_side("client", afnemer, plan, shared),
        **_of_one_side("server", logius, plan, shared),
        "server-wrong-host": _issue(wrong_host, issuer, (plan.not_before, plan.not_after), [WRONG_HOST], shared.key),
        **_only_of_the_afnemer(plan, shared),
    }


def _only_of_the_afnemer(plan: Plan, shared: "_Shared") -> dict[str, _Issued]:
    good, afnemer, nobody = (
        (plan.not_before, plan.not_after),
        _name("Afnemer (test)", "afnemer.test", plan.oin),
        _name("Afnemer (test)", "afnemer.test"),
    )
    plain = _issue(afnemer, shared.issuer, good, plan.all_hosts, shared.key)
    return {
        "client-no-oin": _issue(nobody, shared.issuer, good, plan.all_hosts, shared.key),
        "client-weak-signature": _with_sha1(plain, shared.issuer),
        "client-wrong-host": _issue(_name("Afnemer (test)", WRONG_HOST, plan.oin), shared.issuer, good, [WRONG_HOST], shared.key),
    }


@dataclass(frozen=True, slots=True)
class _Shared:
    """What bad certificates share. Finding primes takes longer than the rest together, so all have one key, and the weak ones another."""

    issuer: _Issued
    foreign: _Issued
    key: rsa.RSAPrivateKey
    weak: rsa.RSAPrivateKey


def _of_one_side(side: str, subject: x509.Name, plan: Plan, shared: _Shared) -> dict[str, _Issued]:
    """Return the good certificate of a side, and the same with one thing wrong."""
    good, past = (plan.not_before, plan.not_after), (plan.not_before - 30 * _DAY, plan.not_before)
    future = (plan.not_after, plan.not_after + _AUTHORITY_TERM)
    hosts, issuer, key = plan.all_hosts, shared.issuer, shared.key
    other = _name("Another organisation (test)", "another.test", WRONG_OIN)
    right = _issue(subject, issuer, good, hosts)
    return {
        side: right,
        f"{side}-expired": _issue(subject, issuer, past, hosts, key),
        f"{side}-not-yet-valid": _issue(subject, issuer, future, hosts, key),
        f"{side}-wrong-oin": _issue(other, issuer, good, hosts, key),
        f"{side}-unknown-root": _issue(subject, shared.foreign, good, hosts, key),
        f"{side}-no-intermediate": right,
        f"{side}-weak-key": _issue(subject, issuer, good, hosts, shared.weak),
        f"{side}-revoked": _issue(subject, issuer, good, hosts, key),
    }


_README_HEAD: Final = """\
Test certificates of the Berichtenbox conformance kit
=====================================================

A hierarchy shaped like that of PKIoverheid: root, intermediate, end parties
with their OIN in the serialNumber of the subject. Use it in tests only. The
keys of the authorities were thrown away, so nobody can issue more below them.

  OIN of the Afnemer        {oin}
  OIN of Logius' test side  {logius_oin}
  hosts                     {hosts}
  good until                {until}

root.pem          what both sides trust; nothing else is needed
intermediate.pem  stands in the chain of each certificate already
crl.pem           the CRLs of both authorities, for who checks revocation
index.json        the same as this file, for programs, with SHA-256 sums; it is
                  written last: without it the directory is half written

A .pem file holds a certificate and its chain, the .key file beside it its
private key (PKCS #8, not encrypted, readable by its owner only). Each is for
clients and for servers. The bad certificates share a key with each other: it
is quicker to make, and no check looks at it.
"""


def _readme(plan: Plan) -> str:
    head = _README_HEAD.format(
        oin=plan.oin, logius_oin=plan.logius_oin, hosts=", ".join(plan.all_hosts), until=plan.not_after.strftime("%Y-%m-%d %H:%M UTC")
    )
    return "\n".join([head, *map(_described, ENTRIES)])


def _described(entry: Entry) -> str:
    purpose = textwrap.fill(entry.purpose, 76, initial_indent="  ", subsequent_indent="  ")
    return f"{entry.certificate}\n{purpose}\n  Shown by the {entry.side}. It must {entry.must}{': ' if entry.reason else ''}{entry.reason}.\n"


def _index(plan: Plan, files: Mapping[str, bytes]) -> bytes:
    index: dict[str, Any] = {
        "version": _VERSION,
        "oin": plan.oin,
        "logius_oin": plan.logius_oin,
        "hosts": plan.all_hosts,
        "not_before": plan.not_before.isoformat(),
        "not_after": plan.not_after.isoformat(),
        "root": ROOT,
        "crl": CRL,
        "certificates": [
            {
                "name": entry.name,
                "certificate": entry.certificate,
                "key": entry.key,
                "side": entry.side,
                "purpose": entry.purpose,
                "must": entry.must,
                "reason": entry.reason,
            }
            for entry in ENTRIES
        ],
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    return (json.dumps(index, indent=2) + "\n").encode()


def check_place(directory: Path, *, force: bool) -> None:
    """Raise :class:`PkiError` when certificates may not be written here: a file stands there, or something that nobody said to replace."""
    if directory.exists() and not directory.is_dir():
        raise PkiError(f"{directory}: expected a directory, this is a file.\n  Hint: name a directory that does not exist yet.")
    if not force and directory.is_dir() and any(directory.iterdir()):
        text = f"{directory}: there is something in it already.\n  Hint: name another directory, or replace its certificates with --force."
        raise PkiError(text)


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of :func:`make`; other files in the directory stay. Raises :class:`PkiError` when that fails.

    The index goes first and comes last, so that :func:`load` sees a directory that is half written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / INDEX).unlink(missing_ok=True)
        for name, data in files.items():
            _write_file(directory / name, data, _PRIVATE if name.endswith(".key") else _PUBLIC)
    except OSError as error:
        text = f"{directory}: cannot be written: {error.strerror}.\n  Hint: name another directory, or make it writable."
        raise PkiError(text) from None


def _write_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file anew: one that stood there may have been readable by others, or be a link to elsewhere."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Pki:
    """A complete directory of test certificates: where it is, whose OINs its good certificates carry, and which there are."""

    directory: Path
    oin: str
    logius_oin: str
    names: frozenset[str] = frozenset(_BY_NAME)

    def files_of(self, name: str) -> TlsFiles:
        """Return what the holder of a certificate of :data:`ENTRIES` uses.

        Raises ``KeyError`` for a name that is not among them, and :class:`PkiError` for one that did not exist when the directory was written.
        """
        entry = _BY_NAME[name]
        if name not in self.names:
            raise PkiError(f"{self.directory}: an older version wrote it, without {name}.{_write_again(self.directory)}")
        inside = self.directory.joinpath
        return TlsFiles(inside(entry.certificate), inside(entry.key), inside(ROOT), inside(CRL), inside(INTERMEDIATE))


def _write_again(directory: Path) -> str:
    return f"\n  Hint: write it again: `berichtenbox pki new {directory} --force`."


def load(directory: Path) -> Pki:
    """Return a directory that ``berichtenbox pki new`` wrote; raises :class:`PkiError` when it is half written, or was changed since.

    One of an older version may lack some of the bad certificates.
    """
    hint = _write_again(directory)
    try:
        index = json.loads((directory / INDEX).read_bytes())
        sums, version = dict(index["sha256"]), int(index["version"])
        names = frozenset(str(one["name"]) for one in index["certificates"]) & frozenset(_BY_NAME) | _ALWAYS_THERE
        pki = Pki(directory, str(index["oin"]), str(index["logius_oin"]), names)
    except (FileNotFoundError, NotADirectoryError):
        raise PkiError(f"{directory}: has no {INDEX}, so it is half written, or holds other things.{hint}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PkiError(f"{directory / INDEX}: is not the index that the kit wrote: {error!r}.{hint}") from None
    if version != _VERSION:
        raise PkiError(f"{directory / INDEX}: has version {version}, this kit reads {_VERSION}.{hint}")
    needed = {ROOT, INTERMEDIATE, CRL, *(file for name in names for file in (_BY_NAME[name].certificate, _BY_NAME[name].key))}
    wrong = sorted(name for name in needed if _digest(directory / name) != sums.get(name))
    if wrong:
        raise PkiError(f"{directory}: is not as it was written: {', '.join(wrong)}.{hint}")
    return pki


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
