"""What a run over ebMS2 needs before anybody can talk: what the profile gives is used, and what it does not give is made."""

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.app import ServerError
from conformance.profile import Profile, load
from conformance.transport.cpa_check import check
from conformance.transport.pki import load as load_pki
from conformance.wiring import free_port, wire

GATEWAY = "127.0.0.1:9443/ebms"


@pytest.fixture
def over_http():
    """A profile of which the gateway is known, without certificates."""
    profile = Profile.default("ebms")
    return replace(profile, afnemer=replace(profile.afnemer, gateway=f"http://{GATEWAY}"))


def on_host(profile, host, port=0):
    """Return the profile with a Berichtenbox elsewhere."""
    return replace(profile, berichtenbox=replace(profile.berichtenbox, host=host, port=port))


def test_everything_is_made_when_nothing_is_given(tmp_path, monkeypatch, quick):
    """
    Certificates of both sides, a CPA that can be used and names them, and ports on which nobody listens.
    """
    monkeypatch.setattr("conformance.wiring._new_certificates", quick)

    wiring = wire(Profile.default("ebms"), tmp_path, is_movable=True)

    assert (wiring.certificates.oin, wiring.certificates.logius_oin) == ("00000099000000001000", "00000099000000002000")
    assert [finding for finding in check(wiring.cpa, datetime.now(UTC)) if not finding.is_warning] == []
    assert (wiring.cpa_file, wiring.url) == (tmp_path / "cpa.xml", f"https://127.0.0.1:{wiring.port}/ebms")
    assert wiring.gateway.startswith("https://127.0.0.1:")
    assert all(party.certificates for party in wiring.cpa.parties)
    assert wiring.variables() == {
        "BERICHTENBOX_FACE": "ebms",
        "BERICHTENBOX_CPA": str(tmp_path / "cpa.xml"),
        "BERICHTENBOX_GATEWAY": wiring.gateway,
        "BERICHTENBOX_TLS": str(tmp_path / "pki"),
    }


def test_certificates_can_be_shared(tmp_path, pki_directory):
    """
    Who plays many runs gives the certificates: none are made.
    """
    shared = load_pki(pki_directory)
    wiring = wire(Profile.default("ebms"), tmp_path, is_movable=True, certificates=shared)

    assert wiring.certificates is shared
    assert wiring.presenting.files == shared.files_of("server")
    assert [path.name for path in tmp_path.iterdir()] == ["cpa.xml"]


def test_http_gateway_has_no_tls(tmp_path, over_http):
    """
    A gateway on plain http is taken at its word.
    """
    wiring = wire(over_http, tmp_path, is_movable=True)

    assert (wiring.gateway, wiring.url) == (f"http://{GATEWAY}", f"http://127.0.0.1:{wiring.port}/ebms")
    assert (wiring.certificates, wiring.presenting, "BERICHTENBOX_TLS" in wiring.variables()) == (None, None, False)


@pytest.mark.parametrize(("is_movable", "interval"), [(True, timedelta(minutes=1)), (False, timedelta(seconds=2))])
def test_copies_are_far_apart_when_nobody_waits_for_them(tmp_path, over_http, is_movable, interval):
    """
    With a clock that can be moved the interval is a real one; otherwise everybody sits it out.
    """
    assert wire(over_http, tmp_path, is_movable=is_movable).schedule() == (3, interval)


@pytest.mark.parametrize("sync_reply", ["none", "mshSignalsOnly"])
def test_signals_go_where_they_are_asked(tmp_path, over_http, sync_reply):
    """
    Every channel of the CPA has its signals in the same place.
    """
    wiring = wire(over_http, tmp_path, is_movable=True, sync_reply=sync_reply)

    assert {channel.sync_reply for party in wiring.cpa.parties for channel in party.channels.values()} == {sync_reply}


def test_cpa_and_certificates_of_the_profile_are_used(tmp_path, pki_directory):
    """
    What the profile gives is not made again, and nothing is written.
    """
    own, empty = tmp_path / "own", tmp_path / "empty"
    own.mkdir(), empty.mkdir()
    made = wire(Profile.default("ebms"), own, is_movable=True, certificates=load_pki(pki_directory))
    (own / "afnemer.toml").write_text(f'[berichtenbox]\nface = "ebms"\nport = {made.port}\ncpa = "cpa.xml"\ntls = "{pki_directory}"\n')

    wiring = wire(load(own / "afnemer.toml"), empty, is_movable=False)

    assert (wiring.cpa, wiring.gateway, wiring.port) == (made.cpa, made.gateway, made.port)
    assert wiring.schedule() == (3, timedelta(minutes=1))
    assert wiring.certificates.directory == pki_directory
    assert list(empty.iterdir()) == []


def test_ipv6_host_is_bracketed(tmp_path, over_http):
    """
    An address with colons is a URL too.
    """
    assert wire(on_host(over_http, "::1", 8800), tmp_path, is_movable=True).url == "http://[::1]:8800/ebms"


def test_host_of_the_berichtenbox_is_in_its_certificate(tmp_path, monkeypatch):
    """
    Made certificates are good for the host of the profile, an IPv6 address included.
    """
    plans = []
    monkeypatch.setattr("conformance.transport.pki.make", lambda plan: plans.append(plan) or {})
    monkeypatch.setattr("conformance.transport.pki.write", lambda *_arguments: None)
    monkeypatch.setattr("conformance.transport.pki.load", lambda _directory: (_ for _ in ()).throw(InterruptedError("enough")))

    for host in ("::1", "box.example"):
        with pytest.raises(InterruptedError, match="enough"):
            wire(on_host(Profile.default("ebms"), host, 8800), tmp_path, is_movable=True)

    assert [plan.hosts for plan in plans] == [("::1",), ("box.example",)]


def test_free_port_is_free():
    """
    What is given can be bound, and a host that is not here is told as such.
    """
    with socket.create_server(("127.0.0.1", free_port("127.0.0.1"))) as bound:
        assert bound.getsockname()[1] > 0
    with pytest.raises(ServerError, match=r"cannot listen on 192.0.2.1:0"):
        free_port("192.0.2.1")
