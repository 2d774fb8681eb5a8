"""Afnemers whose gateway goes wrong in TLS: what it shows as a client or as a server, and whom it trusts."""

import ssl
import warnings
from dataclasses import replace
from datetime import UTC, datetime

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.ebms_gateway import EbmsGateway
from conformance.transport.ebms2.http import HttpAnswer, HttpRequest
from conformance.transport.handshakes import watch
from conformance.transport.misbehaving import ANYTHING, only_version
from conformance.transport.tls import CIPHERS, RSA_BITS_LEAST, TlsFiles, client_context, load_files, server_context

_WEAKLY = f"{CIPHERS.partition(':@')[0]}:@SECLEVEL=0"  # the suites as they should be, with any certificate
_WITH_CBC = f"{CIPHERS.partition(':@')[0]}:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:@SECLEVEL=2"
_WITH_RSA = f"{CIPHERS.partition(':@')[0]}:AES256-GCM-SHA384:@SECLEVEL=2"
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the library has no name for
_NOTHING_COMES = "EBMS-*"
_ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def _from(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Let ``context`` go along with everything from an old version on."""
    context.set_ciphers(ANYTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old is what is meant
        context.minimum_version = version
    return context


# -- what it shows as a client -----------------------------------------------------------------------------------------------------------------


class _ShowsAsClient(EbmsGateway):
    """Takes any certificate of its own."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), files, _WEAKLY)


@defect("TLS-001", "EBMS-042", also=_NOTHING_COMES)
class shows_no_certificate(EbmsGateway):
    """Has its certificate on its server only."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(files.roots)
        return context


@defect("TLS-002", "EBMS-042", also=_NOTHING_COMES)
class shows_no_oin(_ShowsAsClient):
    """Has a certificate without an OIN."""

    certificate = "client-no-oin"


@defect("TLS-003", "EBMS-042", also=_NOTHING_COMES)
class shows_another_oin(_ShowsAsClient):
    """Has the certificate of another organisation."""

    certificate = "client-wrong-oin"


@defect("TLS-004", also=_NOTHING_COMES)
class shows_expired_certificate(_ShowsAsClient):
    """Has forgotten to renew its certificate."""

    certificate = "client-expired"


@defect("TLS-005", also=_NOTHING_COMES)
class shows_certificate_of_tomorrow(_ShowsAsClient):
    """Has installed its new certificate too early."""

    certificate = "client-not-yet-valid"


@defect("TLS-006", also=_NOTHING_COMES)
class shows_unknown_issuer(_ShowsAsClient):
    """Has a certificate of an authority that nobody knows."""

    certificate = "client-unknown-root"


@defect("TLS-007", also=_NOTHING_COMES)
class shows_no_intermediate(_ShowsAsClient):
    """Sends its own certificate only."""

    certificate = "client-no-intermediate"


@defect("TLS-008", also=_NOTHING_COMES)
class shows_weak_key(_ShowsAsClient):
    """Has an RSA key of 1024 bits."""

    certificate = "client-weak-key"


@defect("TLS-009", also=_NOTHING_COMES)
class shows_weak_signature(_ShowsAsClient):
    """Has a certificate that was signed with SHA-1."""

    certificate = "client-weak-signature"


@defect("TLS-010", also=_NOTHING_COMES)
class shows_revoked_certificate(_ShowsAsClient):
    """Goes on with a certificate that was revoked."""

    certificate = "client-revoked"


@defect("TLS-011", also=f"{_NOTHING_COMES} TLS-017")
class offers_tls_1_1_only(EbmsGateway):
    """Has a library that knows nothing newer than TLS 1.1."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        return only_version(client_context(files), ssl.TLSVersion.TLSv1_1)


@defect("TLS-018")
class never_uses_tls_1_3(EbmsGateway):
    """Offers TLS 1.2 only."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        return only_version(client_context(files), ssl.TLSVersion.TLSv1_2)


# -- which servers it trusts -------------------------------------------------------------------------------------------------------------------


@defect("TLS-012", "TLS-013", "TLS-014", "TLS-015", "TLS-016", "EBMS-043")
class trusts_every_server(EbmsGateway):
    """Has switched the check of servers off, as somebody did once in a test."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = client_context(files)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


@defect("TLS-012", "TLS-013", "EBMS-043")
class looks_at_no_term_of_servers(EbmsGateway):
    """Trusts servers whose certificate has expired, or is not valid yet."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = client_context(files)
        context.verify_flags |= _NO_CHECK_TIME
        return context


@defect("TLS-015", "EBMS-043")
class looks_at_no_host(EbmsGateway):
    """Trusts a server that shows a certificate for another host."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = client_context(files)
        context.check_hostname = False
        return context


@defect("TLS-016")
class looks_at_no_crl_for_servers(EbmsGateway):
    """Trusts a server whose certificate was revoked."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        return client_context(replace(files, crl=None))


@defect("TLS-017", "TLS-019", "EBMS-044")
class goes_along_with_old_servers(EbmsGateway):
    """Falls back to TLS 1.0 and 1.1 for a server that has nothing newer."""

    def client_context(self, files: TlsFiles) -> ssl.SSLContext:
        return _from(client_context(files), ssl.TLSVersion.TLSv1)


# -- which clients it lets in ------------------------------------------------------------------------------------------------------------------


@defect("TLS-020", "TLS-021", "TLS-022", "TLS-023", "TLS-024", "TLS-025", "EBMS-097", also="TLS-041")
class asks_no_client_certificate(EbmsGateway):
    """Lets everybody in, for its proxy asks nobody who he is."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = server_context(files)
        context.verify_mode = ssl.CERT_NONE
        return context


@defect("TLS-020", "EBMS-097")
class wants_no_client_certificate(EbmsGateway):
    """Looks at the certificate of who shows one, and lets in who shows none."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = server_context(files)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


@defect("TLS-021", "TLS-022")
class looks_at_no_term_of_clients(EbmsGateway):
    """Lets in clients whose certificate has expired, or is not valid yet."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = server_context(files)
        context.verify_flags |= _NO_CHECK_TIME
        return context

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        not_before, not_after = _ALWAYS
        peer = None if request.peer is None else replace(request.peer, not_before=not_before, not_after=not_after)
        return super().answer_to(replace(request, peer=peer))


@defect("TLS-024", "EBMS-097")
class looks_at_no_crl_for_clients(EbmsGateway):
    """Lets in clients whose certificate was revoked."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return server_context(replace(files, crl=None))


@defect("TLS-025", "EBMS-097")
class looks_at_no_oin(EbmsGateway):
    """Lets in everybody with a certificate, as ebms-core does by default."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        return super().answer_to(replace(request, peer=None))


@defect("TLS-041")
class lets_weak_keys_in(EbmsGateway):
    """Lets in clients with an RSA key of 1024 bits."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), files, _WEAKLY)

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        peer = None if request.peer is None else replace(request.peer, bits=RSA_BITS_LEAST)
        return super().answer_to(replace(request, peer=peer))


# -- how it talks as a server ------------------------------------------------------------------------------------------------------------------


@defect("TLS-026", "TLS-027", "EBMS-098", also="TLS-028 TLS-029")
class goes_along_with_old_clients(EbmsGateway):
    """Falls back to TLS 1.0 and 1.1 for a client that has nothing newer."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return _from(server_context(files), ssl.TLSVersion.TLSv1)


@defect("TLS-028")
class takes_plain_rsa(EbmsGateway):
    """Has a suite with RSA as key exchange in its list."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = server_context(files)
        context.set_ciphers(_WITH_RSA)
        return context


@defect("TLS-029")
class takes_cbc(EbmsGateway):
    """Has suites with CBC in its list."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        context = server_context(files)
        context.set_ciphers(_WITH_CBC)
        return context


@defect("TLS-030", "EBMS-099")
class serves_tls_1_3_only(EbmsGateway):
    """Is ahead of its time."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return only_version(server_context(files), ssl.TLSVersion.TLSv1_3)


@defect("TLS-031")
class serves_tls_1_2_only(EbmsGateway):
    """Has a proxy of some years ago."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return only_version(server_context(files), ssl.TLSVersion.TLSv1_2)


# -- what its server shows ---------------------------------------------------------------------------------------------------------------------


class _ShowsAsServer(EbmsGateway):
    """Takes any certificate of its own."""

    def server_context(self, files: TlsFiles) -> ssl.SSLContext:
        return load_files(watch(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), files, _WEAKLY)


@defect("TLS-032", also=_NOTHING_COMES)
class serves_expired_certificate(_ShowsAsServer):
    """Has forgotten to renew the certificate of its server."""

    server_certificate = "client-expired"


@defect("TLS-033", also=_NOTHING_COMES)
class serves_certificate_of_tomorrow(_ShowsAsServer):
    """Has installed the new certificate of its server too early."""

    server_certificate = "client-not-yet-valid"


@defect("TLS-034", also=_NOTHING_COMES)
class serves_another_host(_ShowsAsServer):
    """Has a certificate for another host than the one in the CPA."""

    server_certificate = "client-wrong-host"


@defect("TLS-035", also=_NOTHING_COMES)
class serves_no_intermediate(_ShowsAsServer):
    """Sends the certificate of its server only."""

    server_certificate = "client-no-intermediate"


@defect("TLS-036")
class serves_no_oin(_ShowsAsServer):
    """Has an ordinary web certificate on its server."""

    server_certificate = "client-no-oin"


@defect("TLS-037", also=_NOTHING_COMES)
class serves_unknown_issuer(_ShowsAsServer):
    """Has a certificate of an authority that nobody knows on its server."""

    server_certificate = "client-unknown-root"


@defect("TLS-038", also=_NOTHING_COMES)
class serves_revoked_certificate(_ShowsAsServer):
    """Goes on with a certificate on its server that was revoked."""

    server_certificate = "client-revoked"


@defect("TLS-039", also=_NOTHING_COMES)
class serves_weak_key(_ShowsAsServer):
    """Has an RSA key of 1024 bits on its server."""

    server_certificate = "client-weak-key"


@defect("TLS-040", also=_NOTHING_COMES)
class serves_weak_signature(_ShowsAsServer):
    """Has a certificate on its server that was signed with SHA-1."""

    server_certificate = "client-weak-signature"
