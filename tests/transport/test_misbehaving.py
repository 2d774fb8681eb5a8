"""
Whether what a kit offers to be refused can be offered at all on this machine.
"""

import ssl

import pytest

from conformance.stage.judging import NotTestedError
from conformance.stage.secured import check_can_play
from conformance.transport import misbehaving, pki
from conformance.transport.misbehaving import CBC_ONLY, OLD_VERSION, PLAIN_1_2, RSA_EXCHANGE, Presenting, only_version, switched_off
from conformance.transport.tls import server_context
from conformance.verdicts import Reason


@pytest.fixture(scope="module")
def certificates(pki_directory):
    return pki.load(pki_directory)


@pytest.mark.parametrize("side", ["server", "client"])
def test_clients_that_nobody_could_take_are_named(certificates, monkeypatch, side):
    """
    A server that takes TLS 1.3 only stands for a library with the rest switched off: none of these clients proves anything then.
    """
    newest = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    real = misbehaving.load_files

    def load_files(context, files, *rest):
        loaded = real(context, files, *rest)
        return only_version(server_context(files), ssl.TLSVersion.TLSv1_3) if context.protocol is newest.protocol else loaded

    monkeypatch.setattr(misbehaving, "load_files", load_files)

    assert {OLD_VERSION, CBC_ONLY, RSA_EXCHANGE} <= switched_off(certificates, side)


def test_what_a_machine_offers_is_not_named(certificates):
    """
    Suites of TLS 1.2 are everywhere; a client that must be accepted is never asked after.
    """
    assert not {CBC_ONLY, RSA_EXCHANGE, PLAIN_1_2} & switched_off(certificates)


def test_server_offers_what_this_machine_has(certificates):
    """
    Each side of this machine speaks TLS 1.2 and 1.3.
    """
    presenting = Presenting(certificates.files_of("server"))

    assert presenting.can_offer(ssl.TLSVersion.TLSv1_2)
    assert presenting.can_offer(ssl.TLSVersion.TLSv1_3)


def test_client_that_cannot_be_played_decides_nothing(certificates, monkeypatch):
    """
    A refusal of what was never offered is no refusal.
    """
    monkeypatch.setattr("conformance.stage.secured._switched_off", lambda *_: frozenset({OLD_VERSION}))

    with pytest.raises(NotTestedError, match=r"switched off.*MinProtocol") as error:
        check_can_play(certificates, OLD_VERSION)
    check_can_play(certificates, CBC_ONLY)

    assert error.value.reason is Reason.KIT_LIMIT
