"""What the cases about TLS share: a run with certificates gives it, and whatever is missing is not tested instead of a crash."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from conformance.afnemer.driver import Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of, scene_of, set_up
from conformance.profile import Profile
from conformance.stage.judging import NotTestedError
from conformance.stage.secured import bad_client, certificate_files, greet, post_as, presenting_of, taken_result, welcomed
from conformance.transport import pki
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.writing import write_message
from conformance.transport.endpoint import Endpoint
from conformance.transport.misbehaving import NO_CERTIFICATE, PLAIN_1_2
from conformance.transport.shown import Shown
from conformance.verdicts import Reason
from conformance.wiring import wire

PKI_OIN = "00000099000000001000"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The test hierarchy."""
    directory = tmp_path_factory.mktemp("secured") / "pki"
    pki.write(directory, pki.make(pki.Plan(PKI_OIN, datetime.now(UTC))))
    return pki.load(directory)


@pytest.fixture
def secured(tmp_path, certificates):
    """A stage over ebMS2 and two-way TLS, with the reference Afnemer."""
    wiring = wire(Profile.default("ebms"), tmp_path, is_movable=True, certificates=certificates)
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        box = Berichtenbox(ledger, seed=1)
        with set_up(box, Profile.default("ebms"), wiring, works_by_itself=False) as urls:
            party = ReferenceAfnemer(connection_of(box, urls, 1) | dict(wiring.variables()))
            yield scene_of(box, urls, Driver(PythonCaller.of(party)), wiring, reaction_s=1.0, seed=1)
            party.close()


def on(scene, **changes):
    """Return what the helpers need of a scene, with another line."""
    return SimpleNamespace(box=scene.box, start=scene.start, line=replace(scene.line, **changes))


def reason_of(error):
    """Return why something was not tested."""
    return error.value.reason


def test_gateway_welcomes_a_good_client(secured):
    """
    The Berichtenbox that takes anything sees the certificate of the gateway, and so does the client with one suite.
    """
    assert welcomed(secured).leaf.oin == PKI_OIN
    assert isinstance(greet(secured, bad_client(secured, PLAIN_1_2)), Shown)


def test_result_that_was_taken_is_returned(secured):
    """
    It is the message as the gateway got it, and the same again from nobody is refused.
    """
    message = taken_result(secured)
    outcome = post_as(secured, NO_CERTIFICATE, write_message(replace(message, message_id="another@berichtenbox.example")))

    assert message.kind is Kind.USER
    assert outcome.answer is None


def test_run_without_tls_has_nothing_to_show(secured):
    """
    A case that needs TLS is left out before this; who asks all the same hears why.
    """
    plain = on(secured, certificates=None, presenting=None)

    for act in (presenting_of, greet):
        with pytest.raises(NotTestedError, match="has no TLS") as error:
            act(plain)
        assert reason_of(error) is Reason.FACE_NOT_USED
    with pytest.raises(NotTestedError, match="has no TLS"):
        presenting_of(on(secured, presenting=None))


def test_older_certificates_are_no_crash(secured, certificates):
    """
    A directory that lacks a bad certificate is told, with the command that mends it.
    """
    older = on(secured, certificates=replace(certificates, names=certificates.names - {"server-expired"}))

    for act in (certificate_files, bad_client):
        with pytest.raises(NotTestedError, match=r"without server-expired\.\n  Hint: write it again") as error:
            act(older, "server-expired")
        assert reason_of(error) is Reason.KIT_LIMIT


def test_gateway_that_is_away_is_unreachable(secured):
    """
    Nobody there says nothing about TLS.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        away = on(secured, gateway=f"https://127.0.0.1:{listener.getsockname()[1]}/ebms")
    message = write_message(taken_result(secured))

    for act in (lambda: greet(away), lambda: post_as(away, PLAIN_1_2, message)):
        with pytest.raises(NotTestedError) as error:
            act()
        assert reason_of(error) is Reason.UNREACHABLE


def test_gateway_that_takes_nothing_is_told_with_the_reason(secured):
    """
    Without a result that was taken, a refusal proves nothing.
    """
    secured.box.pusher.link.poster.close()
    secured.box.pusher.link.poster = type(secured.box.pusher.link.poster)(bad_client(secured, NO_CERTIFICATE))

    with pytest.raises(NotTestedError, match=r"takes no results: (tls|reset): https://") as error:
        taken_result(secured)

    assert reason_of(error) is Reason.NO_TRAFFIC


def test_gateway_that_shakes_hands_with_nobody_is_told(secured):
    """
    A gateway that speaks no TLS cannot be looked at.
    """
    with Endpoint(lambda _request: None) as endpoint:
        plain = on(secured, gateway=endpoint.url.replace("http:", "https:"))

        with pytest.raises(NotTestedError, match="shakes hands with nobody") as error:
            welcomed(plain)

    assert reason_of(error) is Reason.NO_TRAFFIC
