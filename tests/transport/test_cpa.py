"""The CPA: what is made can be read, and what is read says who may send what to whom, where, and how often."""

from datetime import UTC, datetime, timedelta

import pytest

from conformance.messages.envelope import SERVICE
from conformance.messages.guard import etree
from conformance.transport import pki
from conformance.transport.cpa import (
    A_REQUEST,
    A_RESULT,
    NS_CPA,
    Certificate,
    Channel,
    CpaRefused,
    Direction,
    PartyId,
    Reliability,
    Terms,
    new_cpa,
    read_cpa,
    read_duration,
    write_duration,
)
from conformance.transport.tls import first_certificate

SR, SP = "urn:osb:oin:00000099000000001000", "urn:osb:oin:00000099000000002000"
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def terms(**changes):
    """Return the terms of a test connection."""
    said = {
        "cpa_id": "CPA_1",
        "oins": {"SR": SR[-20:], "SP": SP[-20:]},
        "endpoints": {"SR": "https://afnemer.example/ebms", "SP": "https://logius.example/ebms"},
        "start": START,
        "end": END,
        "retries": 3,
        "retry_interval": timedelta(minutes=90),
        "persist": timedelta(days=1),
    }
    return Terms(**(said | changes))


@pytest.fixture
def cpa():
    """The CPA of a test connection, as it is read."""
    return read_cpa(new_cpa(terms()))


def test_agreement_is_read(cpa):
    """
    Id, status, version and term stand in the model, and its repr names both parties.
    """
    assert (cpa.cpa_id, cpa.version, cpa.status) == ("CPA_1", "2_0b", "agreed")
    assert (cpa.start.at, cpa.end.at) == (START, END)
    assert repr(cpa) == "<Cpa CPA_1: agreed, Afnemer (test) and Logius Berichtenbox (test)>"
    assert cpa.unreadable == ()


def test_parties_have_their_roles_and_actions(cpa):
    """
    The Afnemer sends requests and receives results; Logius does the reverse.
    """
    afnemer, logius = cpa.parties
    actions = [{(one.direction.value, one.action) for one in party.bindings} for party in cpa.parties]

    assert (afnemer.ids, afnemer.roles) == ((PartyId("urn:osb:oin", SR[-20:]),), {"SR"})
    assert (logius.flat_ids, logius.roles) == ({SP}, {"SP"})
    assert {one.service for party in cpa.parties for one in party.bindings} == {SERVICE}
    requests, results = ("GLOBE-R-BV-Request", A_REQUEST), ("GLOBE-R-BV-Result", A_RESULT)
    assert actions[0] == {*(("CanSend", one) for one in requests), *(("CanReceive", one) for one in results)}
    assert actions[1] == {*(("CanReceive", one) for one in requests), *(("CanSend", one) for one in results)}


def test_channel_says_how_a_message_travels(cpa):
    """
    Endpoint, characteristics, retries and durations of osb-rm stand at the channel of an action.
    """
    reliable = Reliability(3, timedelta(minutes=90), timedelta(days=1), "NotGuaranteed")
    actor = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"

    channel = cpa.parties[1].binding(Direction.RECEIVE, "SP", SERVICE, "GLOBE-R-BV-Request").channel

    assert channel == Channel(
        "SP_Channel_Messages",
        "https://logius.example/ebms",
        "none",
        "always",
        "never",
        "always",
        actor,
        ("HTTP", "HTTP"),
        ("TLS",),
        reliable,
        reliable,
    )
    assert channel.receiver.time_to_live == timedelta(hours=6)
    assert Reliability(None, timedelta(1), None, "").time_to_live is None
    assert Reliability(1, None, None, "").time_to_live is None


def test_signals_have_a_channel_of_their_own(cpa):
    """
    An Acknowledgment goes to the same endpoint, over a channel on which nothing is acknowledged.
    """
    channel = cpa.parties[0].signal_channel("Acknowledgment")

    assert (channel.endpoint, channel.ack_requested, channel.duplicate_elimination) == ("https://afnemer.example/ebms", "never", "never")


def test_signal_can_have_its_own_channel():
    """
    An OverrideMshActionBinding goes before the default channel, for its action only.
    """
    override = b'<tns:OverrideMshActionBinding tns:action="Ping" tns:channelId="SR_Channel_Messages"/></tns:PartyInfo>'

    afnemer = read_cpa(new_cpa(terms()).replace(b"</tns:PartyInfo>", override, 1)).parties[0]

    assert afnemer.signal_channel("Ping").channel_id == "SR_Channel_Messages"
    assert afnemer.signal_channel("Pong").channel_id == "SR_Channel_Signals"


@pytest.mark.parametrize(
    "wanted",
    [
        (Direction.RECEIVE, "SR", SERVICE, "GLOBE-R-BV-Request"),
        (Direction.SEND, "SP", SERVICE, "GLOBE-R-BV-Request"),
        (Direction.SEND, "SR", "urn:other", "GLOBE-R-BV-Request"),
        (Direction.SEND, "SR", SERVICE, "globe-r-bv-request"),
    ],
)
def test_what_is_not_agreed_has_no_binding(cpa, wanted):
    """
    Direction, role, service and action must all agree.
    """
    assert cpa.parties[0].binding(*wanted) is None
    assert cpa.parties[0].binding(Direction.SEND, "SR", SERVICE, "GLOBE-R-BV-Request").binding_id == "SR_CanSend_GLOBE-R-BV-Request"


def test_party_is_found_by_the_ids_of_a_header():
    """
    A header names at least one id, and each of them stands in the CPA.
    """
    second = b'<tns:PartyId tns:type="urn:osb:oin">00000099000000001001</tns:PartyId><tns:PartyRef '
    cpa = read_cpa(new_cpa(terms()).replace(b"<tns:PartyRef ", second, 1))
    afnemer, logius = cpa.parties

    assert cpa.party([SR]) is afnemer
    assert cpa.party([SR, "urn:osb:oin:00000099000000001001"]) is afnemer
    assert [cpa.party(ids) for ids in ([], [SR, SP], [SR[-20:]])] == [None, None, None]
    assert (cpa.other(afnemer), cpa.other(logius)) == (logius, afnemer)


@pytest.mark.parametrize(
    ("status", "at", "expected"),
    [
        ("agreed", START, True),
        ("agreed", END, True),
        ("signed", START, False),
        ("agreed", START - timedelta(seconds=1), False),
        ("agreed", END + timedelta(seconds=1), False),
    ],
)
def test_cpa_is_usable_within_its_term(status, at, expected):
    """
    Only an agreed CPA is used, from Start up to and including End.
    """
    cpa = read_cpa(new_cpa(terms()).replace(b'"agreed"', f'"{status}"'.encode()))

    assert cpa.is_usable_at(at) == expected


def test_certificates_stand_in_it():
    """
    A certificate is carried as DER, and the transport refers to it.
    """
    files = pki.make(pki.Plan(SR[-20:], datetime.now(UTC), days=1))
    der = {"SR": first_certificate(files["client.pem"]), "SP": first_certificate(files["server.pem"])}

    data = new_cpa(terms(certificates=der))

    assert [party.certificates for party in read_cpa(data).parties] == [(Certificate(f"{role}_Certificate", der[role]),) for role in ("SR", "SP")]
    assert data.count(b"ClientCertificateRef") == data.count(b"ServerCertificateRef") == 2


def test_same_terms_give_the_same_bytes():
    """
    Nothing of chance or of the clock stands in a CPA.
    """
    assert new_cpa(terms()) == new_cpa(terms())


def test_every_reference_leads_somewhere():
    """
    Ids are unique, and each idref names one, as the schema of CPPA 2.0 asks.
    """
    root = etree.fromstring(new_cpa(terms(certificates={})))
    names = {"id", "channelId", "transportId", "docExchangeId", "packageId", "defaultMshChannelId", "defaultMshPackageId", "idref"}
    own = {"DeliveryChannel": "channelId", "Transport": "transportId", "DocExchange": "docExchangeId"}
    ids, references = [], []
    for element in root.iter():
        for key, value in element.attrib.items():
            name, tag = etree.QName(key).localname, etree.QName(element).localname
            (ids if name == own.get(tag, "id") else references).append(value if name in names else "")
    references += [one.text for tag in ("ChannelId", "OtherPartyActionBinding") for one in root.iter(f"{{{NS_CPA}}}{tag}")]

    assert len(set(ids) - {""}) == len([one for one in ids if one])
    assert set(references) - {""} <= set(ids)


def test_attributes_are_all_qualified():
    """
    The schema has qualified attributes, which is what most CPAs written by hand get wrong.
    """
    root = etree.fromstring(new_cpa(terms()))

    assert [key for element in root.iter() for key in element.attrib if not key.startswith("{")] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT3H", timedelta(hours=3)),
        (" P2D ", timedelta(days=2)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P1Y2M", timedelta(days=425)),
        ("PT0S", timedelta()),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("-PT3H", None),
        ("3H", None),
        ("PT3H\n4M", None),
        ("PT１H", None),  # noqa: RUF001  # a digit of full width is no digit of XML
        ("P999999Y", None),
        ("P" + "9" * 50 + "D", None),
        ("", None),
    ],
)
def test_duration_is_read(text, expected):
    """
    An xs:duration is read when it is one, not negative, and not longer than a life.
    """
    assert read_duration(text) == expected


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=3), "PT3H"),
        (timedelta(days=2), "P2D"),
        (timedelta(), "PT0S"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4), "P1DT2H3M4S"),
        (timedelta(days=400, seconds=5), "P400DT5S"),
    ],
)
def test_duration_is_written(duration, text):
    """
    What is written is read as the same duration.
    """
    assert write_duration(duration) == text
    assert read_duration(text) == duration


@pytest.mark.attack
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not-well-formed"),
        (b"<a><b></a>", "not-well-formed"),
        (b"<CollaborationProtocolAgreement/>", "wrong-root"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "doctype"),
        (b"<?xml version='1.0' encoding='utf-7'?><a/>", "encoding"),
        (b"<a>" * 60 + b"</a>" * 60, "too-deep"),
        (b"<a>" + b"<b/>" * 30_000 + b"</a>", "too-many-elements"),
        (b"<a>" + b" " * 3_000_000 + b"</a>", "too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_cpa_is_refused(data, what):
    """
    A document that is broken, hostile, or something else gives one finding that says so, with what to do.
    """
    with pytest.raises(CpaRefused, match=r"(?s)expected .*, got .*\n  Hint: ") as refused:
        read_cpa(data)

    assert refused.value.finding.what == what


@pytest.mark.parametrize(
    ("old", "new", "what", "got"),
    [
        (b">3</tns:Retries>", b">three</tns:Retries>", "unreadable-value", "three"),
        (b">3</tns:Retries>", b">-1</tns:Retries>", "unreadable-value", "-1"),
        (b">PT1H30M<", b">90 minutes<", "unreadable-value", "90 minutes"),
        (b"2026-01-01T00:00:00Z", b"1 January", "unreadable-value", "1 January"),
        (b"tns:syncReplyMode=", b"syncReplyMode=", "unqualified-attribute", "syncReplyMode"),
        (b"SR_Channel_Signals", b"SR_Channel_Messages", "duplicate-id", "SR_Channel_Messages"),
        (b"<tns:DeliveryChannel ", b"<tns:Certificate/><tns:DeliveryChannel ", "certificate", "something else"),
    ],
)
def test_what_cannot_be_read_is_remembered(old, new, what, got):
    """
    A value that cannot be read is a finding with the place where it stands, and the rest is read all the same.
    """
    cpa = read_cpa(new_cpa(terms()).replace(old, new))

    assert {(one.what, one.got) for one in cpa.unreadable} == {(what, got)}
    assert all("line " in one.where for one in cpa.unreadable)
    assert len(cpa.parties) == 2


def test_certificate_that_is_base64_of_something_else_is_told():
    """
    Base64 alone makes no certificate.
    """
    data = new_cpa(terms(certificates={"SR": b"no certificate"}))

    assert [one.what for one in read_cpa(data).unreadable] == ["certificate"]


def test_cpa_with_nothing_in_it_is_read():
    """
    Reading is mild: everything may be missing, and nothing is a crash.
    """
    action = "<CanSend><ThisPartyActionBinding/></CanSend>"
    party = f"<CollaborationRole><ServiceBinding>{action}</ServiceBinding></CollaborationRole><DeliveryChannel/><DocExchange/>"

    root = f'<CollaborationProtocolAgreement xmlns="{NS_CPA}"><PartyInfo>{party}</PartyInfo></CollaborationProtocolAgreement>'
    cpa = read_cpa(root.encode())
    (party,) = cpa.parties
    (binding,) = party.bindings

    assert (cpa.cpa_id, cpa.status, cpa.start, cpa.is_usable_at(START)) == ("", "", None, False)
    assert (binding.role, binding.service, binding.channel.endpoint, binding.channel.sender) == ("", "", "", None)
    assert (binding.channel.ack_requested, binding.channel.sync_reply) == ("perMessage", "none")
    assert cpa.other(party) is None
