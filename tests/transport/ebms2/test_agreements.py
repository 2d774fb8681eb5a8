"""A CPA from the seat of one party: who may send what, over what, and what makes it unusable."""

from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.messages.envelope import SERVICE
from conformance.transport import pki
from conformance.transport.cpa import Certificate, Direction
from conformance.transport.ebms2.agreements import Agreement, AgreementError, Route
from conformance.transport.tls import first_certificate

SR, SP = "urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"
SR_URL, SP_URL = "https://afnemer.example/ebms", "https://logius.example/ebms"
ACTION = "GLOBE-R-BV-Request"


@pytest.fixture
def cpa(pair):
    """The CPA of a test connection."""
    return pair.cpas["CPA_1"]


def changed(cpa, side, **changes):
    """Return a CPA in which one party is another."""
    parties = list(cpa.parties)
    parties[side] = replace(parties[side], **changes)
    return replace(cpa, parties=tuple(parties))


def with_channel(cpa, side, **changes):
    """Return a CPA in which the channel of the messages of one party is another."""
    party = cpa.parties[side]
    bindings = tuple(replace(one, channel=replace(one.channel, **changes)) for one in party.bindings)
    return changed(cpa, side, bindings=bindings)


def test_both_sides_see_the_same_route(cpa):
    """
    What the Afnemer sends is what Logius receives: to the endpoint of Logius, as its channels say.
    """
    afnemer, logius = Agreement(cpa, {SR}), Agreement(cpa, {SP})
    hours = timedelta(hours=1)

    route = logius.incoming("SR", "SP", SERVICE, ACTION)

    assert route == Route("SR", "SP", SP_URL, False, True, False, True, 3, 1.5 * hours, 6 * hours)  # noqa: FBT003  # as the value has them
    assert afnemer.outgoing("SR", "SP", SERVICE, ACTION) == route
    assert afnemer.outgoing("SR", None, SERVICE, ACTION) == route
    assert repr(logius) == "<Agreement CPA_1: Logius Berichtenbox (test) with Afnemer (test)>"


@pytest.mark.parametrize(
    "key", [("SP", "SR", SERVICE, ACTION), ("SR", "SP", SERVICE, "GLOBE-R-BV-Result"), (None, None, SERVICE, ACTION), ("SR", "SP", "x", ACTION)]
)
def test_what_is_not_agreed_has_no_route(cpa, key):
    """
    Roles, service and action must all agree.
    """
    assert Agreement(cpa, {SP}).incoming(*key) is None


def test_binding_of_one_side_only_is_no_route(cpa):
    """
    Both parties must have the action, each on a channel that exists.
    """
    logius = cpa.parties[1]
    kept = tuple(one for one in logius.bindings if one.direction is Direction.SEND)
    adrift = tuple(replace(one, channel=None) for one in logius.bindings)

    for bindings in (kept, adrift):
        assert Agreement(changed(cpa, 1, bindings=bindings), {SP}).incoming("SR", "SP", SERVICE, ACTION) is None


def test_signals_go_to_the_other_party(cpa):
    """
    Each signal has the endpoint of the channel that the other party has for it.
    """
    elsewhere = replace(cpa.parties[0].channels["SR_Channel_Signals"], endpoint="https://pings.example/")
    cpa = changed(cpa, 0, channels={**cpa.parties[0].channels, "pings": elsewhere}, overrides={"Ping": "pings"})

    agreement = Agreement(cpa, {SP})

    assert [agreement.url_of_signal(one) for one in ("Acknowledgment", "MessageError", "Pong", "Ping")] == [
        SR_URL,
        SR_URL,
        SR_URL,
        elsewhere.endpoint,
    ]


def test_schedule_is_that_of_the_receiver_and_life_that_of_the_sender(cpa):
    """
    ebms-core repeats by the receiver's binding, and lets a message live by the sender's.
    """
    reliability = cpa.parties[1].bindings[0].channel.receiver
    cpa = with_channel(cpa, 1, receiver=replace(reliability, retries=8, interval=timedelta(hours=3)))

    route = Agreement(cpa, {SR}).outgoing("SR", "SP", SERVICE, ACTION)

    assert (route.retries, route.interval, route.time_to_live) == (8, timedelta(hours=3), timedelta(hours=6))


@pytest.mark.parametrize("empty", [None, "retries", "interval"])
def test_no_schedule_is_five_days(cpa, empty):
    """
    When nothing that can be read was agreed, a message is tried for five days (DK).
    """
    reliability = cpa.parties[0].bindings[0].channel.sender
    nothing = None if empty is None else replace(reliability, **{empty: None})
    for side in (0, 1):
        cpa = with_channel(cpa, side, sender=nothing, receiver=nothing)

    route = Agreement(cpa, {SR}).outgoing("SR", "SP", SERVICE, ACTION)

    assert (route.time_to_live, (1 + route.retries) * route.interval) == (timedelta(days=5), timedelta(days=5))


def test_each_side_decides_on_its_own_channel_whether_it_is_synchronous(cpa):
    """
    The channel of who sends decides, for messages and for signals.
    """
    cpa = with_channel(cpa, 0, sync_reply="signalsAndResponse")
    signals = {name: replace(one, sync_reply="mshSignalsOnly") for name, one in cpa.parties[0].channels.items()}
    cpa = changed(cpa, 0, channels=signals)

    afnemer, logius = Agreement(cpa, {SR}), Agreement(cpa, {SP})

    assert (afnemer.is_own_sync, afnemer.is_other_sync, logius.is_own_sync, logius.is_other_sync) == (True, False, False, True)
    assert logius.incoming("SR", "SP", SERVICE, ACTION).is_sync
    assert not logius.outgoing("SP", "SR", SERVICE, "GLOBE-R-BV-Result").is_sync


def test_certificate_in_the_cpa_may_connect(cpa, box):
    """
    Beside the OIN of the party, that of a certificate of it in the CPA counts: an intermediair was agreed.
    """
    certificate = Certificate("c", first_certificate(box.files_of("client-wrong-oin").certificate.read_bytes()))

    agreement = Agreement(changed(cpa, 0, certificates=(certificate,)), {SP})

    assert agreement.other_oins == {SR[-20:], pki.WRONG_OIN}


def test_ids_are_those_of_the_cpa(cpa):
    """
    A party is spelled as the CPA splits it, and a stranger is not found.
    """
    agreement = Agreement(cpa, {SP})

    assert (agreement.own_id(SP).value, agreement.other_id(None).value, agreement.other_id(SR).value) == (SP[-20:], SR[-20:], SR[-20:])
    with pytest.raises(AgreementError, match=f"{SR} is no PartyId of Logius Berichtenbox .test. in CPA CPA_1, which has {SP}"):
        agreement.own_id(SR)


@pytest.mark.parametrize("parties", [(), (0,), (1,)])
def test_cpa_of_others_is_not_ours(cpa, parties):
    """
    A CPA has this side and another.
    """
    one_sided = replace(cpa, parties=tuple(cpa.parties[number] for number in parties))

    with pytest.raises(AgreementError, match="CPA CPA_1 is not between this side and another party"):
        Agreement(one_sided, {SP})


@pytest.mark.parametrize("changes", [{"default_channel": "none"}, {"ids": ()}])
def test_party_without_a_place_for_signals_cannot_be_used(cpa, changes):
    """
    Who cannot be answered cannot be talked with.
    """
    with pytest.raises(AgreementError, match="no channel with an Endpoint for Acknowledgment, at party Afnemer"):
        Agreement(changed(cpa, 0, **changes), {SP})


def test_endpoint_must_be_there(cpa):
    """
    A channel without an Endpoint is no place for signals.
    """
    channels = {name: replace(one, endpoint="") for name, one in cpa.parties[0].channels.items()}

    with pytest.raises(AgreementError, match="run `berichtenbox cpa check`"):
        Agreement(changed(cpa, 0, channels=channels), {SP})


def test_own_side_without_signals_can_still_receive(cpa):
    """
    The own default channel only says whether an own Ping is answered at once.
    """
    agreement = Agreement(changed(cpa, 1, default_channel=""), {SP})

    assert not agreement.is_own_sync
