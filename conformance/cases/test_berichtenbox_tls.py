"""A Berichtenbox as a server in TLS: what it shows, and which clients it must refuse."""

from typing import Final
from urllib.parse import urlsplit

import pytest

from conformance.stage.box_stage import BoxStage
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.writing import write_message
from conformance.transport.handshakes import FailedHandshake
from conformance.transport.misbehaving import CBC_ONLY, MUST_HAVE_SUITE, NO_CERTIFICATE, OLD_VERSION, OLDEST_VERSION, PLAIN_1_2, RSA_EXCHANGE
from conformance.transport.shown import Shown, hosts_of, names_host
from conformance.transport.tls import EC_BITS_LEAST, RSA_BITS_LEAST
from conformance.verdicts import Reason

pytestmark = needs("berichtenbox", "tls")

_LEAST: Final = {"RSA": RSA_BITS_LEAST, "EC": EC_BITS_LEAST}


# -- what it shows ---------------------------------------------------------------------------------------------------------------------------


@decides("TLS-032", "TLS-033", "TLS-036", "TLS-039", "TLS-040")
def test_certificate_is_good(berichtenbox: BoxStage, judge: Judge) -> None:
    """The certificate of the server is within its term, has the OIN of Logius' side, a large key and a signature that holds."""
    leaf, now = berichtenbox.welcomed(berichtenbox.ebms_url).leaf, berichtenbox.now()

    judge.that("TLS-032", now <= leaf.not_after, expected="a certificate within its term", seen=f"it expired on {leaf.not_after:%Y-%m-%d %H:%M} UTC")
    judge.that("TLS-033", now >= leaf.not_before, expected="a certificate within its term", seen=f"it is not valid before {leaf.not_before:%Y-%m-%d}")
    wanted = f"OIN {berichtenbox.logius_oin} as serialNumber in its subject"
    judge.that("TLS-036", leaf.oin == berichtenbox.logius_oin, expected=wanted, seen=f"OIN {leaf.oin or 'absent'}")
    is_large = leaf.bits >= _LEAST.get(leaf.key, leaf.bits + 1)
    judge.that("TLS-039", is_large, expected="RSA of at least 2048 bits, or EC of at least 224", seen=f"{leaf.key}, {leaf.bits} bits")
    judge.that("TLS-040", leaf.is_signed_well, expected="a signature with SHA-256 or stronger", seen="a signature on a weaker hash")


@decides("TLS-034", "TLS-035", "TLS-037", "TLS-038")
def test_chain_leads_to_the_root(berichtenbox: BoxStage, judge: Judge) -> None:
    """The server sends every intermediate of a certificate for its host, the chain ends at a trusted root, and nobody revoked it."""
    shown, trust = berichtenbox.welcomed(berichtenbox.ebms_url), berichtenbox.trust
    host, sent = urlsplit(berichtenbox.ebms_url).hostname or "", f"{len(shown.chain)} certificate(s)"

    named = ", ".join(sorted(hosts_of(shown.chain[0]))) or "none at all"
    judge.that("TLS-034", names_host(shown.chain[0], host), expected=f"subjectAltName with {host}", seen=named)
    judge.that("TLS-035", trust.is_sent_whole(shown.chain), expected="the certificate and each intermediate", seen=sent)
    judge.that("TLS-037", trust.is_trusted(shown.chain), expected="an issuer below the trusted root", seen=f"a chain that does not end there: {sent}")
    judge.that("TLS-038", not trust.is_revoked(shown.chain[0]), expected="a certificate that is not on the CRL", seen="it is on crl.pem")


# -- how it wants to talk --------------------------------------------------------------------------------------------------------------------


def _agreed(found: Shown | FailedHandshake) -> str:
    return f"a handshake in {found.version} with {found.suite}" if isinstance(found, Shown) else found.got


@decides("TLS-026", "TLS-027", "EBMS-098")
def test_old_versions_are_refused(berichtenbox: BoxStage, judge: Judge) -> None:
    """A client that has nothing newer than TLS 1.0, or 1.1, gets no connection."""
    berichtenbox.welcomed(berichtenbox.ebms_url)
    for requirement, name in (("TLS-026", OLDEST_VERSION), ("TLS-027", OLD_VERSION)):
        found = berichtenbox.greet(berichtenbox.ebms_url, name)
        for one in (requirement, "EBMS-098"):
            judge.that(one, isinstance(found, FailedHandshake), expected=f"no handshake in {name.upper()}", seen=_agreed(found))


_WEAK: Final = [
    pytest.param(RSA_EXCHANGE, "no handshake without ECDHE", marks=decides("TLS-028"), id="plain_rsa"),
    pytest.param(CBC_ONLY, "no handshake with CBC", marks=decides("TLS-029"), id="cbc"),
]


@pytest.mark.parametrize(("client", "expected"), _WEAK)
def test_weak_suite_is_refused(berichtenbox: BoxStage, judge: Judge, client: str, expected: str) -> None:
    """A client that offers weak suites only gets no connection."""
    berichtenbox.welcomed(berichtenbox.ebms_url)
    found = berichtenbox.greet(berichtenbox.ebms_url, client)

    judge.that(judge.requirements[0], isinstance(found, FailedHandshake), expected=expected, seen=_agreed(found))


@decides("TLS-030", "EBMS-099")
def test_suite_of_ebms_core_is_accepted(berichtenbox: BoxStage, judge: Judge) -> None:
    """TLS 1.2 with the one suite that everybody has works: it is all that some peers offer."""
    berichtenbox.welcomed(berichtenbox.ebms_url)
    found = berichtenbox.greet(berichtenbox.ebms_url, PLAIN_1_2)

    for requirement in ("TLS-030", "EBMS-099"):
        judge.that(requirement, isinstance(found, Shown), expected=f"a handshake in TLS 1.2 with {MUST_HAVE_SUITE}", seen=_agreed(found))


@decides("TLS-031")
def test_tls_1_3_is_offered(berichtenbox: BoxStage, judge: Judge) -> None:
    """A client that offers TLS 1.2 and 1.3 gets 1.3."""
    found = berichtenbox.welcomed(berichtenbox.ebms_url)

    judge.that("TLS-031", found.version == "TLSv1.3", expected="TLSv1.3", seen=found.version)


# -- clients that are not in order -----------------------------------------------------------------------------------------------------------


_REFUSED: Final = [
    pytest.param(NO_CERTIFICATE, "without a certificate", marks=decides("TLS-020", "EBMS-097"), id="without_a_certificate"),
    pytest.param("client-expired", "whose certificate has expired", marks=decides("TLS-021"), id="expired"),
    pytest.param("client-not-yet-valid", "whose certificate is not valid yet", marks=decides("TLS-022"), id="of_tomorrow"),
    pytest.param("client-unknown-root", "of an unknown issuer", marks=decides("TLS-023", "EBMS-097"), id="of_an_unknown_issuer"),
    pytest.param("client-revoked", "whose certificate is on the CRL", marks=decides("TLS-024", "EBMS-097"), id="revoked"),
    pytest.param("client-wrong-oin", "with the OIN of another organisation", marks=decides("TLS-025", "EBMS-097"), id="with_another_oin"),
    pytest.param("client-weak-key", "with an RSA key of 1024 bits", marks=decides("TLS-041"), id="with_a_weak_key"),
]


@pytest.mark.parametrize(("client", "what"), _REFUSED)
def test_client_is_refused(berichtenbox: BoxStage, judge: Judge, client: str, what: str) -> None:
    """A batch of a client that is not in order is not taken, while that of a good one is."""
    receiver = berichtenbox.receiver
    good, other = receiver.good(), receiver.good()
    receiver.post(good)
    if not receiver.is_delivered(good):
        raise NotTestedError(Reason.NO_TRAFFIC, "the batch of a good client is not taken; see EBMS-045")
    answer = berichtenbox.post_as(client, write_message(other)).answer
    is_let_in = answer is not None and answer.is_success
    signals = receiver.signals(other.message_id) if is_let_in else ()
    is_taken = is_let_in and (not signals or any(signal.kind == Kind.ACKNOWLEDGMENT for signal in signals))

    for requirement in judge.requirements:
        seen = f"{f'HTTP {answer.status}' if answer else 'no answer'} to a client {what}"
        judge.that(requirement, not is_taken, expected="a handshake or a request that is refused", seen=seen)
