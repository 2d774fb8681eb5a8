"""What a run that grades an Afnemer stands before."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from conformance.load import afnemers
from conformance.load.parties import PartyError
from conformance.load.plan import LoadError, Setup
from conformance.profile import DriverConfig, DriverKind, Profile
from conformance.wiring import free_port

OWN = "http://127.0.0.1:9001"


def setup(kind=DriverKind.HTTP, *, file="afnemer.toml", target="", **more):
    """Return what somebody gave, with a profile whose driver is of this kind."""
    profile = replace(Profile.default(), driver=DriverConfig(kind, OWN))
    return Setup(profile, Path(file) if file else None, 7, {}, target=target, **more)


def test_the_afnemer_is_the_one_that_was_given():
    """A target comes before the driver of the profile; without either it is the reference Afnemer."""
    assert afnemers._given(setup(target="http://a.example")) == "http://a.example"
    assert afnemers._given(setup()) == OWN
    assert afnemers._given(setup(file="")) == ""


def test_a_driver_that_load_cannot_use_is_told():
    """An Afnemer behind a command cannot be driven under load: the sentence says what can."""
    with pytest.raises(LoadError, match=r"kind = command\.\n  Hint: give --target"):
        afnemers._given(setup(DriverKind.COMMAND))


def test_the_berichtenbox_listens_where_the_afnemer_expects_it():
    """For an Afnemer of somebody else host and port are those of the profile; for ours any port of this machine will do."""
    words = afnemers._serving_given(setup(tls=Path("pki")), "sqlite:///x.db")

    assert words == ["--seed", "7", "--db", "sqlite:///x.db", "--tls", "pki", "--profile", "afnemer.toml", "--host", "127.0.0.1", "--port", "8800"]
    assert afnemers._serving(setup(file=""), "sqlite:///x.db", None) == ["--seed", "7", "--db", "sqlite:///x.db", "--host", "127.0.0.1"]


@pytest.mark.slow
def test_an_afnemer_that_does_not_start_is_told(tmp_path):
    """What it said is in the error."""
    box = SimpleNamespace(told={"adapter": "http://127.0.0.1:9"})

    with pytest.raises(PartyError, match="there is no defect 'sings'"), afnemers._reference(setup(), box, tmp_path, "sings", {}):
        pytest.fail("it started")


@pytest.mark.slow
def test_a_given_afnemer_gets_a_berichtenbox_at_its_place(unused_port):
    """With a target only the Berichtenbox is started, at the port of the profile, and the connection says that the Afnemer was given."""
    given = setup(file="", target=OWN)
    profile = replace(given.profile, berichtenbox=replace(given.profile.berichtenbox, port=unused_port))

    with afnemers.standing(replace(given, profile=profile)) as stand:
        answer = httpx.get(stand.connection["control"] + "/klok", trust_env=False)

    assert (stand.target, stand.connection["given"], answer.status_code) == (OWN, "yes", 200)
    assert stand.connection["control"] == f"http://127.0.0.1:{unused_port}/besturing/v1"


@pytest.fixture
def unused_port():
    """A port that nobody listens on."""

    return free_port("127.0.0.1")
