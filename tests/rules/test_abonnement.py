"""Each rule over a GLOBE-R-A-Request and over its answer objects to what it should, and shows no BSN."""

import gzip
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import strategies
from conformance.limits import limits
from conformance.messages.abonnement import AbonnementAanvraag, names, plain_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Action, Part
from conformance.rules.abonnement import aanvraag_requirements, grade_aanvraag, grade_antwoord
from conformance.rules.grading import rule_requirements

OIN = "00000099000000001000"
ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
LIST = AbonnementAanvraag(OIN, ID, BsnList.of(["999990019", "999990032"]))
ALL = AbonnementAanvraag(OIN, ID)
CHANGED = AbonnementAanvraag(OIN, ID, mutatie_datum="2026-11-23T12:00:00Z")
ROWS = [(999990019, True), (999990032, True)]


def graded(message, **context):
    """Grade a request, and return its findings as ids."""
    document = message if isinstance(message, bytes) else message.to_xml()
    return [finding.requirement for finding in grade_aanvraag(document, **context)[0].findings]


@pytest.fixture
def known(known):
    """All that can be known, for an Afnemer with the OIN of these tests that asked once."""
    return replace(known, connection=replace(known.connection, oins=frozenset({OIN})), verzoeken=frozenset({"eerder"}))


@pytest.fixture
def envelope(envelope):
    """The envelope in which a request travels."""
    return replace(envelope, action=Action.A_REQUEST, parts=(Part(ALL.to_xml()),))


@pytest.mark.parametrize("message", [LIST, ALL, CHANGED])
def test_a_good_request_has_no_findings(message, known, envelope):
    """
    Each kind of request passes, and is returned.
    """
    grading, read = grade_aanvraag(message.to_xml(), known, envelope)

    assert (grading.findings, read) == ((), message)
    assert grading.is_schema_valid


def test_every_rule_is_decided_by_one_of_the_kinds(known, envelope):
    """
    The three kinds together decide all that is said to be decided by a rule.
    """
    decided = [grade_aanvraag(message.to_xml(), known, envelope)[0].decided for message in (LIST, ALL, CHANGED)]

    assert frozenset().union(*decided) == aanvraag_requirements() == {f"ABO-{number:03d}" for number in range(1, 15)}
    assert aanvraag_requirements() <= rule_requirements()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ALL.to_xml()[:-9], ["ABO-001"]),
        (b"<!DOCTYPE a>" + ALL.to_xml().partition(b"?>\n")[2], ["ABO-001"]),
        (ALL.to_xml().decode().replace("UTF-8", "UTF-16").encode("utf-16"), ["ABO-001"]),
        (ALL.to_xml().replace(b"overheid", b"rdw"), ["ABO-002"]),
        (b"<x/>", ["ABO-002"]),
        (LIST.to_xml().replace(b"<VerzoekId>", b"<VerzoekId a='1'>"), ["ABO-003"]),
        (b"<a>" * 300, ["ABO-003"]),
        (b"<a " + b" ".join(b"a%d=''" % number for number in range(200)) + b"/>", ["ABO-003"]),
        (CHANGED.to_xml().replace(b"MutatieDatum", b"Datum"), ["ABO-004"]),
        (AbonnementAanvraag("99", ID), ["ABO-005"]),
        (AbonnementAanvraag("00000099000000002000", ID), ["ABO-005"]),
        (AbonnementAanvraag(OIN, " "), ["ABO-006"]),
        (AbonnementAanvraag(OIN, "eerder"), ["ABO-006", "ABO-007"]),
        (AbonnementAanvraag(OIN, "Eerder"), ["ABO-007"]),
        (LIST.to_xml().replace(b"999990019", b"99999001"), ["ABO-008"]),
        (AbonnementAanvraag(OIN, ID, BsnList([1, 999990019, 2])), ["ABO-009"]),
        (AbonnementAanvraag(OIN, ID, BsnList([999990019, 999990032, 999990019])), ["ABO-010"]),
        (AbonnementAanvraag(OIN, ID, mutatie_datum="2026-11-24T13:00:00Z"), ["ABO-012"]),
        (AbonnementAanvraag(OIN, ID, mutatie_datum="2026-11-23T13:00:00"), ["ABO-012"]),
        (AbonnementAanvraag(OIN, ID, mutatie_datum="-2026-11-23T13:00:00Z"), ["ABO-012"]),
        (AbonnementAanvraag(OIN, ID, BsnList()), ["ABO-014"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_rule_objects(message, expected, known, envelope):
    """
    One fault is one finding, and what is not valid is not returned.
    """
    grading, read = grade_aanvraag(message if isinstance(message, bytes) else message.to_xml(), known, envelope)

    assert [finding.requirement for finding in grading.findings] == expected
    assert (read is None) is not grading.is_schema_valid
    assert "99999" not in "".join(map(str, grading.findings))


def test_without_knowledge_the_rules_say_less():
    """
    Whose OIN it is, whether a VerzoekId is new and whether a moment has passed is not known from a message alone.
    """
    message = AbonnementAanvraag("00000099000000002000", ID, mutatie_datum="2126-11-24T13:00:00Z")

    assert graded(message) == []


@pytest.mark.slow
def test_a_list_that_is_too_long_is_a_finding():
    """
    One BSN more than a list may hold can still be read; three times as many cannot.
    """
    most = limits().abonnement_bsns_max
    document = AbonnementAanvraag(OIN, ID, BsnList(range(most + 1))).to_xml()

    grading, read = grade_aanvraag(document)

    assert [finding.requirement for finding in grading.findings] == ["ABO-009", "ABO-011"]
    assert len(read.bsns) == most + 1
    assert graded(document.replace(b"</BSNLijst>", b"<BSN/>" * 4_000_100)) == ["ABO-011"]


@pytest.mark.parametrize(
    "change",
    [
        {"action": Action.BV_REQUEST},
        {"cpa_id": "other"},
        {"from_party": OIN},
        {"from_role": "SP"},
        {"to_role": "SR"},
        {"to_party": "urn:osb:oin:00000099000000003000"},
        {"service": "other"},
    ],
)
def test_the_envelope_is_that_of_the_cpa(change, known, envelope):
    """
    Parties, roles, service and action, all in one requirement.
    """
    assert graded(ALL, known=known, envelope=replace(envelope, **change)) == ["ABO-013"]


def test_a_cpa_is_only_known_with_its_connection(envelope):
    """
    Without the connection any CPA will do.
    """
    assert graded(ALL, envelope=replace(envelope, cpa_id="other")) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.mutated(strategies.abonnement_aanvragen()))
def test_a_mutated_request_is_graded_and_shows_no_bsn(document):
    """
    Whatever is wrong, it is told without a BSN.
    """
    grading, read = grade_aanvraag(document)

    assert "99999" not in "".join(f"{finding.where} {finding.expected}" for finding in grading.findings)
    assert (read is None) or grading.is_schema_valid


# -- the answer --------------------------------------------------------------------------------------------------------------------------------


def zipped(content):
    """Return a gzip file without the moment of packing: that would give each run other test ids."""
    return gzip.compress(content, mtime=0)


def packed(rows, verzoek_id=ID, oin=OIN):
    """Build an answer as it travels."""
    return zipped(plain_antwoord(oin, verzoek_id, rows))


def test_a_good_answer_has_no_findings():
    """
    An answer to a list decides all rules, and holds whom it names.
    """
    grading, reading = grade_antwoord(packed(ROWS), LIST)

    assert grading.findings == ()
    assert grading.decided == {"ABO-061", "ABO-062", "ABO-063", "ABO-065", "ABO-066", "ABO-067", "ABO-068"}
    assert (reading.oin, reading.verzoek_id, reading.actief, len(reading.inactief)) == (OIN, ID, LIST.bsns, 0)


@pytest.mark.parametrize(
    ("answer", "asked", "expected"),
    [
        (plain_antwoord(OIN, ID, ROWS), LIST, ["ABO-061"]),
        (packed(ROWS)[:-5], ALL, ["ABO-062"]),
        (zipped(b"<x/>"), ALL, ["ABO-062"]),
        (zipped(plain_antwoord(OIN, ID, ROWS).replace(b"Abonnementen>", b"Lijst>")), ALL, ["ABO-062"]),
        (zipped(plain_antwoord(OIN, ID, ROWS).replace(b"overheid", b"rdw")), ALL, ["ABO-062"]),
        (zipped(plain_antwoord(OIN, ID, ROWS).replace(b"Actief", b"actief")), ALL, ["ABO-062"]),
        (zipped(f"<n:AbonnementAntwoord xmlns:n='{names().namespace}'/>".encode()), None, ["ABO-062"]),
        (packed(ROWS, verzoek_id="other"), ALL, ["ABO-063"]),
        (packed(ROWS, oin="00000099000000002000"), ALL, ["ABO-063"]),
        (packed([*ROWS, (999990044, True)]), LIST, ["ABO-065"]),
        (packed([*ROWS, (999990019, False)]), CHANGED, ["ABO-066"]),
        (packed([*ROWS, (999990044, False)]), ALL, ["ABO-067"]),
        (packed([*ROWS, (999990044, False)]), CHANGED, []),
        (packed([*ROWS, (999990045, True)]), ALL, ["ABO-068"]),
        (zipped(plain_antwoord(OIN, ID, ROWS).replace(b"999990019", b"99999001")), ALL, ["ABO-068"]),
        (packed([]), LIST, []),
    ],
    ids=str,
)
def test_each_rule_over_an_answer_objects(answer, asked, expected):
    """
    One fault is one finding, without a BSN in it.
    """
    grading, _ = grade_antwoord(answer, asked)

    assert [finding.requirement for finding in grading.findings] == expected
    assert "99999" not in "".join(map(str, grading.findings))


def test_without_the_request_an_answer_says_less():
    """
    Inactief may be right, packing may have been undone, and whose answer it is is not known.
    """
    grading, _ = grade_antwoord(plain_antwoord(OIN, ID, [(999990019, False)]))

    assert grading.findings == ()
    assert grading.decided == {"ABO-062", "ABO-066", "ABO-068"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.mutated(st.builds(plain_antwoord, st.just(OIN), st.just(ID), st.just(ROWS))))
def test_a_mutated_answer_is_graded_and_shows_no_bsn(document):
    """
    Whatever is wrong, it is told without a BSN.
    """
    grading, _ = grade_antwoord(document)

    assert "9999900" not in "".join(f"{finding.where} {finding.expected}" for finding in grading.findings)
