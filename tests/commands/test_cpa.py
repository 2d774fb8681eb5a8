"""Tests of `berichtenbox cpa new` and `berichtenbox cpa check`: every problem is found, alone, and said with what to do."""

import io
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conformance.commands import cpa as command_module
from conformance.transport.cpa import Terms, new_cpa, read_cpa
from conformance.transport.cpa_check import check

NOW = datetime(2026, 6, 1, tzinfo=UTC)
# The directory of examples that are handed out beside the kit; without it the test of the example is skipped.
EXAMPLE = Path(__file__).parents[3] / "shared/voorbeelden/ebms2/cpa-osb-rm.xml"
DATA = new_cpa(
    Terms(
        cpa_id="CPA_1",
        oins={"SR": "00000099000000001000", "SP": "00000099000000002000"},
        endpoints={"SR": "https://afnemer.example/ebms", "SP": "https://logius.example/ebms"},
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2027, 1, 1, tzinfo=UTC),
        retries=3,
        retry_interval=timedelta(minutes=90),
        persist=timedelta(days=1),
    )
).decode()
SEND = """<tns:CanSend>
          <tns:ThisPartyActionBinding tns:id="SR_CanSend_GLOBE-R-A-Request\""""
LOGIUS_END = "</tns:CanReceive>\n      </tns:ServiceBinding>"


def whole(begin, end, start=0):
    """Return the piece of the CPA from ``begin`` up to and including ``end``."""
    first = DATA.index(begin, start)
    return DATA[first : DATA.index(end, first) + len(end)]


LOGIUS = DATA[DATA.rindex("<tns:PartyInfo") : DATA.rindex("</tns:PartyInfo>") + len("</tns:PartyInfo>")]
SENDS_A_REQUEST = whole(SEND, "</tns:CanSend>")
SENDS_BV_REQUEST = whole('<tns:CanSend>\n          <tns:ThisPartyActionBinding tns:id="SR_CanSend_GLOBE-R-BV-Request"', "</tns:CanSend>")
ENDPOINT = '<tns:Endpoint tns:uri="https://logius.example/ebms" tns:type="allPurpose"/>'
PARTY_ID = '<tns:PartyId tns:type="urn:osb:oin">00000099000000001000</tns:PartyId>'
MESSAGES = '<tns:MessagingCharacteristics tns:syncReplyMode="none" tns:ackRequested="always" tns:duplicateElimination="always"'
RELIABLE = whole("<tns:ReliableMessaging>", "</tns:ReliableMessaging>")
BINDING = whole("<tns:ebXMLReceiverBinding", "</tns:ebXMLReceiverBinding>")

# What is changed, how often, and all that must be found: an exclamation mark is a warning.
PROBLEMS = {
    "no id": ('tns:cpaid="CPA_1"', "", 1, {"cpa-id"}),
    "id that is no file name": ("CPA_1", "CPA.1", 1, {"cpa-id!"}),
    "proposed": ('"agreed"', '"proposed"', 1, {"status"}),
    "no status": ('<tns:Status tns:value="agreed"/>', "", 1, {"status"}),
    "expired": ("2027-01-01T", "2026-02-01T", 1, {"expired"}),
    "not yet valid": ("2026-01-01T", "2026-12-01T", 1, {"not-yet-valid"}),
    "ends before it starts": ("2027-01-01T", "2025-01-01T", 1, {"term"}),
    "eleven years": ("2027-01-01T", "2037-01-01T", 1, {"term!"}),
    "no start": ("<tns:Start>2026-01-01T00:00:00Z</tns:Start>", "", 1, {"term"}),
    "end that is no moment": ("2027-01-01T00:00:00Z", "soon", 1, {"term", "unreadable-value"}),
    "one party": (LOGIUS, "", 1, {"missing-party", "role"}),
    "three parties": (LOGIUS, LOGIUS + LOGIUS, 1, {"missing-party", "party-id", "duplicate-id"}),
    "no party id": (PARTY_ID, "", 1, {"party-id"}),
    "party id of another kind": ("urn:osb:oin", "urn:oasis:names:tc:ebxml-cppa:partyid-type:duns", 1, {"party-id"}),
    "party id without a type": (' tns:type="urn:osb:oin"', "", 1, {"party-id"}),
    "party id in one piece": (' tns:type="urn:osb:oin">', ">urn:osb:oin:", 1, {"party-id!"}),
    "party id that is no OIN": ("00000099000000001000</", "1234</", 1, {"party-id"}),
    "party id with a suffix": ("00000099000000001000</", "00000099000000001000_OTA</", 1, set()),
    "two parties with one id": ("00000099000000002000", "00000099000000001000", 1, {"party-id"}),
    "unknown role": ('tns:Role tns:name="SR"', 'tns:Role tns:name="Sender"', 1, {"role"}),
    "service of somebody else": ("MIJNOVERHEID.ebMS.BB.2.0", "BB.3.0", 2, {"unknown-service"}),
    "service that one party misspells": ("MIJNOVERHEID.ebMS.BB.2.0", "BB.3.0", 1, {"unknown-service!", "one-sided-action", "missing-action"}),
    "service type is missing": (' tns:type="urn:osb:services"', "", 2, {"unknown-service"}),
    "action that only one can receive": (SENDS_A_REQUEST, "", 1, {"one-sided-action"}),
    "request that nobody sends": (SENDS_BV_REQUEST, "", 1, {"one-sided-action", "missing-action"}),
    "action with a spelling of its own": ('"GLOBE-R-A-Request"', '"GLOBE-R-A-request"', 2, {"unknown-action!"}),
    "binding that leads nowhere": (
        "<tns:OtherPartyActionBinding>SP_CanReceive_GLOBE-R-BV-Request<",
        "<tns:OtherPartyActionBinding>x<",
        1,
        {"other-binding"},
    ),
    "binding of another action": (
        "<tns:OtherPartyActionBinding>SP_CanReceive_GLOBE-R-BV-Request<",
        "<tns:OtherPartyActionBinding>SP_CanReceive_GLOBE-R-A-Request<",
        1,
        {"other-binding"},
    ),
    "signed": ('isNonRepudiationRequired="false"', 'isNonRepudiationRequired="true"', 1, {"protection"}),
    "encrypted": ('isConfidential="transient"', 'isConfidential="persistent"', 1, {"protection"}),
    "boolean that is missing": (' tns:isIntelligibleCheckRequired="false"', "", 1, {"protection!"}),
    "channel of an action leads nowhere": ("<tns:ChannelId>SP_Channel_Messages<", "<tns:ChannelId>x<", 1, {"channel"}),
    "channel of signals leads nowhere": ('defaultMshChannelId="SP_Channel_Signals"', 'defaultMshChannelId="x"', 1, {"channel"}),
    "no endpoint": (ENDPOINT, "", 1, {"missing-endpoint"}),
    "transport leads nowhere": ('tns:transportId="SP_Transport" tns:doc', 'tns:transportId="x" tns:doc', 2, {"missing-endpoint"}),
    "endpoint without TLS": ("https://logius", "http://logius", 1, {"endpoint"}),
    "endpoint without TLS on this machine": ("https://logius.example/", "http://localhost:8800/", 1, {"endpoint!"}),
    "endpoint without TLS on an address of this machine": ("https://logius.example/", "http://[::1]:8800/", 1, {"endpoint!"}),
    "endpoint by mail": ("https://logius.example/ebms", "mailto:ebms@logius.example", 1, {"endpoint"}),
    "endpoint that is no URL": ("https://logius.example/ebms", "https://[/", 1, {"endpoint"}),
    "transport by mail": (">HTTP<", ">SMTP<", 1, {"protocol"}),
    "SSL": (">TLS<", ">SSL<", 1, {"protocol"}),
    "acknowledgment left free": ('ackRequested="always"', 'ackRequested="perMessage"', 1, {"ack-requested"}),
    "acknowledgment not said": (' tns:ackRequested="always"', "", 1, {"ack-requested"}),
    "acknowledgment signed": ('ackSignatureRequested="never"', 'ackSignatureRequested="always"', 1, {"ack-signature"}),
    "duplicates not eliminated": ('duplicateElimination="always"', 'duplicateElimination="never"', 1, {"duplicate-elimination"}),
    "response in the connection": (MESSAGES, MESSAGES.replace("none", "signalsAndResponse"), 2, {"sync-reply", "sync-reply!"}),
    "signals in the connection everywhere": ('syncReplyMode="none"', 'syncReplyMode="mshSignalsOnly"', 4, {"sync-reply!"}),
    "no actor": (' tns:actor="urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"', "", 1, {"actor!"}),
    "next actor": ("actor:toPartyMSH", "actor:nextMSH", 1, {"actor"}),
    "no retries": (">3</tns:Retries>", ">0</tns:Retries>", 4, {"retries"}),
    "no retry interval": ("<tns:RetryInterval>PT1H30M</tns:RetryInterval>", "", 4, {"retry-interval"}),
    "retries at once": ("PT1H30M", "PT0S", 4, {"retry-interval"}),
    "retries not said": (">3</tns:Retries>", "></tns:Retries>", 4, {"retries"}),
    "no reliable messaging": (RELIABLE, "", 4, {"retries", "retry-interval"}),
    "no receiver binding": (BINDING, "", 1, {"reliability"}),
    "ordered": ("NotGuaranteed", "Guaranteed", 1, {"message-order"}),
    "kept as long as it lives": (">P1D<", ">PT6H<", 1, {"persist-duration!"}),
    "kept a second longer than it lives": (">P1D<", ">PT6H1S<", 1, set()),
    "keeps for ever, it seems": ("<tns:PersistDuration>P1D</tns:PersistDuration>", "", 1, {"persist-duration!"}),
    "sides that retry differently": (">3</tns:Retries>", ">2</tns:Retries>", 2, {"unequal-retries!"}),
}


def codes(found):
    return {f"{finding.what}{'!' if finding.is_warning else ''}" for finding in found}


def changed(old, new, times):
    assert DATA.count(old) >= times, "the change must be one"
    return DATA.replace(old, new, times).encode()


def test_cpa_that_was_made_has_no_problem():
    """
    What is made passes the check, without a warning.
    """
    assert check(read_cpa(DATA.encode()), NOW) == ()


@pytest.mark.parametrize(("old", "new", "times", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_problem_is_found_alone(old, new, times, expected):
    """
    One change gives the findings that belong to it, and no other; each says where, what was expected, what stands there, and what to do.
    """
    found = check(read_cpa(changed(old, new, times)), NOW)

    assert codes(found) == expected
    assert all(one.where and one.expected and one.got and one.hint for one in found)


def test_problem_is_told_with_its_place():
    """
    The finding names party, channel and value.
    """
    (finding,) = check(read_cpa(changed("https://logius", "http://logius", 1)), NOW)

    assert finding.where == "party Logius Berichtenbox (test), channel SP_Channel_Messages"
    assert (finding.expected, finding.got) == ("an https URL", "http://logius.example/ebms")


@pytest.mark.attack
@pytest.mark.parametrize("party", ["", "<PartyInfo/>", "<PartyInfo/><PartyInfo/>", "<PartyInfo/>" * 5000], ids=["none", "one", "two", "many"])
def test_empty_cpa_is_checked_in_bounded_time(party):
    """
    A CPA with nothing in it gives findings, and no crash.
    """
    data = f'<CollaborationProtocolAgreement xmlns="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd">{party}'

    found = check(read_cpa(f"{data}</CollaborationProtocolAgreement>".encode()), NOW)

    assert {"cpa-id", "status", "term", "role"} <= codes(found)


def test_party_with_two_roles_is_told():
    """
    A party plays one role in a CPA.
    """
    role = whole("<tns:CollaborationRole>", "</tns:CollaborationRole>")
    second = role.replace('Role tns:name="SR"', 'Role tns:name="SX"').replace('tns:id="SR_', 'tns:id="SX_')

    found = check(read_cpa(changed(role, role + second, 1)), NOW)

    assert [(one.what, one.got) for one in found] == [("role", "SR, SX")]


@pytest.mark.skipif(not EXAMPLE.is_file(), reason="the example is not handed out with the kit")
def test_example_of_the_fact_sheet_passes():
    """
    The example of profile osb-rm has no problem: its PersistDuration is longer than its 27 hours of retries.
    """
    assert check(read_cpa(EXAMPLE.read_bytes()), datetime(2026, 11, 24, tzinfo=UTC)) == ()


@pytest.mark.golden
@pytest.mark.parametrize("command", [("cpa",), ("cpa", "new"), ("cpa", "check")], ids="-".join)
def test_help_is_the_stored_one(berichtenbox, golden, command):
    """
    The command explains itself within 80 columns.
    """
    ended = berichtenbox(*command, "--help")

    assert ended.code == 0
    golden(f"help-{'-'.join(command)}.txt", ended.out)


def test_new_cpa_passes_the_check(berichtenbox, tmp_path):
    """
    What `cpa new` writes passes `cpa check`, today.
    """
    made = berichtenbox("cpa", "new", "--out", "cpa.xml")
    checked = berichtenbox("cpa", "check", "cpa.xml")

    assert (made.code, made.err) == (0, "")
    assert (checked.code, checked.out) == (0, "cpa.xml: CPA MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000: 0 problems, 0\n  warnings.\n")
    assert (tmp_path / "cpa.xml").read_bytes().endswith(b">\n")


def test_options_stand_in_the_cpa(berichtenbox):
    """
    Every option is read, and without --out the CPA goes to stdout.
    """
    options = {
        "--oin": "00000099000000003000",
        "--logius-oin": "00000099000000004000",
        "--cpa-id": "MINE-1",
        "--endpoint-afnemer": "https://afnemer.example:8443/in",
        "--endpoint-logius": "https://logius.example/in",
        "--start": "2026-02-01T01:00:00+01:00",
        "--end": "2030-03-01T00:00:00Z",
        "--retries": "5",
        "--retry-interval": "90",
        "--persist": "86401",
    }

    ended = berichtenbox("cpa", "new", *(word for option in options.items() for word in option))
    cpa = read_cpa(ended.out.encode())
    channels = [party.channels[f"{role}_Channel_Messages"] for role, party in zip(("SR", "SP"), cpa.parties, strict=True)]

    assert (ended.code, ended.err, cpa.cpa_id) == (0, "", "MINE-1")
    assert [party.ids[0].value for party in cpa.parties] == [options["--oin"], options["--logius-oin"]]
    assert [channel.endpoint for channel in channels] == [options["--endpoint-afnemer"], options["--endpoint-logius"]]
    assert (cpa.start.at, cpa.end.at) == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2030, 3, 1, tzinfo=UTC))
    assert {(one.retries, one.interval, one.persist) for channel in channels for one in (channel.sender, channel.receiver)} == {
        (5, timedelta(seconds=90), timedelta(seconds=86_401))
    }


def test_certificates_of_pki_new_stand_in_the_cpa(berichtenbox):
    """
    With --pki both parties have the certificate that `pki new` made for them; for another OIN that is a warning.
    """
    berichtenbox("pki", "new", "pki")

    fitting = berichtenbox("cpa", "new", "--pki", "pki")
    other = berichtenbox("cpa", "new", "--pki", "pki", "--oin", "00000099000000003000")

    assert (fitting.code, fitting.err) == (0, "")
    assert [len(party.certificates) for party in read_cpa(fitting.out.encode()).parties] == [1, 1]
    assert other.code == 0
    assert "got OIN 00000099000000001000" in " ".join(other.err.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--oin", "1234"), "--oin '1234': an OIN has 20 digits"),
        (("--logius-oin", "x"), "--logius-oin 'x': an OIN has 20 digits"),
        (("--logius-oin", "00000099000000001000"), "expected ids of its own"),
        (("--cpa-id", ""), "expected a cpaid, got none"),
        (("--cpa-id", "a\x01b"), "a character that XML cannot"),
        (("--endpoint-afnemer", "http://afnemer.example/"), "expected an https URL, got http://afnemer.example/"),
        (("--start", "tomorrow"), "--start 'tomorrow': expected a moment such as"),
        (("--end", "2020-01-01T00:00:00Z"), "Start: expected before End"),
        (("--start", "2020-01-01T00:00:00Z", "--end", "2021-01-01T00:00:00Z"), "End: expected after"),
        (("--retries", "0"), "0 is not in the range"),
        (("--pki", "nowhere"), "has no index.json"),
    ],
)
def test_cpa_that_cannot_be_used_is_not_made(berichtenbox, tmp_path, options, said):
    """
    What the check would refuse is refused at once, with exit code 2, and no file is written.
    """
    ended = berichtenbox("cpa", "new", "--out", "cpa.xml", *options)

    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.split())
    assert "Hint: " in ended.err
    assert not (tmp_path / "cpa.xml").exists()


def test_future_cpa_may_be_made(berichtenbox):
    """
    A CPA that starts later is made, though it cannot be used yet.
    """
    assert berichtenbox("cpa", "new", "--start", "2990-01-01T00:00:00Z").code == 0


def test_warning_is_said_beside_the_cpa(berichtenbox):
    """
    A CPA that works, but not well, is made with a warning on stderr.
    """
    ended = berichtenbox("cpa", "new", "--persist", "60")

    assert ended.code == 0
    assert ended.err.startswith("warning: ")
    assert read_cpa(ended.out.encode()).cpa_id


def test_existing_file_is_not_replaced(berichtenbox, tmp_path):
    """
    A file that stands there is replaced only when that is asked.
    """
    (tmp_path / "own.xml").write_text("mine")

    refused = berichtenbox("cpa", "new", "--out", "own.xml")
    kept = (tmp_path / "own.xml").read_text()
    forced = berichtenbox("cpa", "new", "--out", "own.xml", "--force")
    nowhere = berichtenbox("cpa", "new", "--out", "nowhere/cpa.xml")

    assert (refused.code, kept, forced.code) == (2, "mine", 0)
    assert "--force" in refused.err
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)


@pytest.mark.golden
def test_problems_are_told(berichtenbox, golden, tmp_path, monkeypatch):
    """
    Files are checked one after another; the worst decides the exit code: 2 for what is no CPA, 1 for a problem.
    """

    class Clock(datetime):
        @classmethod
        def now(cls, _zone=None):
            return NOW

    monkeypatch.setattr(command_module, "datetime", Clock)
    (tmp_path / "good.xml").write_text(DATA)
    (tmp_path / "bad.xml").write_bytes(changed(MESSAGES, MESSAGES.replace("always", "never"), 1))
    (tmp_path / "warning.xml").write_bytes(changed(">P1D<", ">PT6H<", 1))
    (tmp_path / "broken.xml").write_text("<a>")

    worst = berichtenbox("cpa", "check", "good.xml", "bad.xml", "warning.xml", "broken.xml", "nowhere.xml")
    bad, warning = (berichtenbox("cpa", "check", "good.xml", name) for name in ("bad.xml", "warning.xml"))

    assert (worst.code, bad.code, warning.code) == (2, 1, 0)
    golden("cpa-check.txt", worst.out)


def test_stdin_is_checked(berichtenbox, monkeypatch):
    """
    `-` is stdin; what a terminal would obey is not shown as it is.
    """
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(changed("CPA_1", "CPA&#x9b;31m", 1))))

    ended = berichtenbox("cpa", "check", "-")

    assert ended.out.startswith("stdin: CPA CPA\\x9b31m: ")
    assert "\x9b" not in ended.out


def test_signals_in_the_answer_are_agreed_when_asked(berichtenbox):
    """
    With ``mshSignalsOnly`` every channel has it, as ebms-core wants; without the option no channel has.
    """
    for arguments, mode in (((), "none"), (("--sync-reply", "mshSignalsOnly"), "mshSignalsOnly")):
        ended = berichtenbox("cpa", "new", *arguments)
        modes = {channel.sync_reply for party in read_cpa(ended.out.encode()).parties for channel in party.channels.values()}
        assert (ended.code, modes) == (0, {mode})
