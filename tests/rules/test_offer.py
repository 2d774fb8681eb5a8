"""Every rule over an offer: one change in a batch or envelope without fault, and exactly the intended objection."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import strategies
from conformance.catalogue import Binds, catalogue
from conformance.messages.batch import Bericht, Bijlage, InvalidBase64
from conformance.messages.envelope import Part
from conformance.rules.findings import Earlier
from conformance.rules.grading import grade_offer, grade_result, rule_requirements

A = "AANL-"
BATCH_ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BERICHT_ID = "1b671a64-40d5-491e-99b0-da01ff1f3341"
AN_ID = "9b2c4f10-3d5e-4a6b-8c7d-0e1f2a3b4c5d"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NIL = "00000000-0000-0000-0000-000000000000"
ARABIC_ONE, MAILBOX = "\u0661", "\U0001f4ec"
ARABIC = BATCH_ID.replace("1", "\u0661")
TEXT = "BerichtTekst>Tekst<"
PUBLICATIE = "2026-11-25T12:00:00Z"
AANMAAK = "2026-11-24T12:00:00Z"
EIND = "2026-12-01T12:00:00Z"
BSN = "GebruikerID>999990019<"
NINE_DIGITS = re.compile(r"(?<![0-9a-fA-F])[0-9]{9}(?![0-9a-fA-F])")  # a GUID may hold nine digits

# (what is wrong, the requirements that object, what is replaced in the document, by what). More than one requirement: one follows from the other.
CHANGES = (
    ("nothing", "", AANMAAK, AANMAAK),
    ("braces around BatchID", "030", BATCH_ID, f"{{{BATCH_ID}}}"),
    ("digits of another script in BatchID", "030", BATCH_ID, ARABIC),
    ("an empty BatchID", "030", BATCH_ID, ""),
    ("the nil GUID as BatchID", "031", BATCH_ID, NIL),
    ("no zone", "033", AANMAAK, AANMAAK[:-1]),
    ("no zone, with blanks around it (libxml2 does not collapse them in a date)", "024 033", AANMAAK, f" {AANMAAK[:-1]}\n"),
    ("an offset", "034", AANMAAK, "2026-11-24T13:00:00+01:00"),
    ("an offset of nought", "034", AANMAAK, "2026-11-24T12:00:00+00:00"),
    ("12 days and 23 hours old", "", AANMAAK, "2026-11-11T13:00:01Z"),
    ("14 days old", "035", AANMAAK, "2026-11-10T12:00:00Z"),
    ("five minutes ahead", "", AANMAAK, "2026-11-24T12:05:01Z"),
    ("an hour ahead", "036", AANMAAK, "2026-11-24T13:00:00Z"),
    ("AanmaakDatum that is no moment", "024", AANMAAK, "gisteren"),
    ("an OIN without its leading zeros", "037", ">00000099000000001000<", ">99000000001000<"),
    ("an OIN of 19 digits", "037", ">00000099000000001000<", ">0000099000000001000<"),
    ("an OIN that does not fit", "037", ">00000099000000001000<", f">{'9' * 26}<"),
    ("an OIN of another script", "037", ">00000099000000001000<", f">{ARABIC_ONE * 20}<"),
    ("no OIN", "037", ">00000099000000001000<", "><"),
    ("an OIN with the prefix of a party", "038", ">00000099000000001000<", ">urn:osb:oin:00000099000000001000<"),
    ("an OIN with part of the prefix of a party", "038", ">00000099000000001000<", ">urn:osb:oin:1<"),
    ("the OIN of the intermediair", "039", ">00000099000000001000<", ">00000099000000002000<"),
    ("an OIN of an unknown kind", "039 040", ">00000099000000001000<", ">00000088000000001000<"),
    ("another BatchID in a bericht", "050", f"b:BatchID>{BATCH_ID}", f"b:BatchID>{OTHER_ID}"),
    ("the BerichtID as BatchID in a bericht", "050", f"b:BatchID>{BATCH_ID}", f"b:BatchID>{BERICHT_ID}"),
    ("capitals in the BatchID of a bericht", "", f"b:BatchID>{BATCH_ID}", f"b:BatchID>{BATCH_ID.upper()}"),
    ("no BatchID in a bericht", "030 050", f"b:BatchID>{BATCH_ID}", "b:BatchID>"),
    ("braces around BerichtID", "051", BERICHT_ID, f"{{{BERICHT_ID}}}"),
    ("digits of another script in BerichtID", "051", BERICHT_ID, BERICHT_ID.replace("1", "\u0661")),
    ("the nil GUID as BerichtID", "052", BERICHT_ID, NIL),
    ("a BerichtType of 9 characters", "055 056", ">BT1<", ">bericht 1<"),
    ("no BerichtType", "055", ">BT1<", "><"),
    ("a BerichtType in lower case", "056", ">BT1<", ">bt1<"),
    ("a BerichtType that is not active", "056", ">BT1<", ">BT2<"),
    ("an empty PublicatieDatum", "057", PUBLICATIE, ""),
    ("a PublicatieDatum of blanks", "057", PUBLICATIE, "  "),
    ("a PublicatieDatum that is no moment", "024", PUBLICATIE, "2026-02-30T12:00:00Z"),
    ("no PublicatieDatum", "", f"<b:PublicatieDatum>{PUBLICATIE}</b:PublicatieDatum>", ""),
    ("a PublicatieDatum without zone", "058", PUBLICATIE, PUBLICATIE[:-1]),
    ("a PublicatieDatum with an offset", "", PUBLICATIE, "2026-11-25T12:00:00+02:00"),
    ("a PublicatieDatum 12 days and 23 hours ahead", "062", PUBLICATIE, "2026-12-07T11:00:00Z"),
    ("a PublicatieDatum 14 days ahead", "059 062", PUBLICATIE, "2026-12-08T12:00:02Z"),
    ("an EindDatum without zone", "061", EIND, EIND[:-1]),
    ("an EindDatum before publication", "062", EIND, "2026-11-25T11:00:00Z"),
    ("an empty EindDatum", "024", EIND, ""),
    ("no Onderwerp", "063", ">Onderwerp<", "><"),
    ("an Onderwerp of 50 characters beyond ASCII", "", ">Onderwerp<", f">{MAILBOX * 50}<"),
    ("an Onderwerp of 51 characters", "063", ">Onderwerp<", f">{'x' * 51}<"),
    ("an Onderwerp of blanks", "064", ">Onderwerp<", ">  \u00a0<"),
    ("an Onderwerp within another element", "024 063", ">Onderwerp<", "><b:b>Onderwerp</b:b><"),
    ("a BerichtTekst of 4000 characters", "", TEXT, f"BerichtTekst>{'x' * 4000}<"),
    ("a BerichtTekst of 3999 characters and a line break", "067", TEXT, f"BerichtTekst>{'x' * 3999}\\r\\n<"),
    ("an empty BerichtTekst", "", TEXT, "BerichtTekst><"),
    ("no BerichtTekst", "", f"<b:{TEXT}/b:BerichtTekst>", ""),
    ("a written line break", "", TEXT, "BerichtTekst>Een\\r\\ntwee<"),
    ("a line feed", "069", TEXT, "BerichtTekst>Een\ntwee<"),
    ("a carriage return", "069", TEXT, "BerichtTekst>Een&#13;twee<"),
    ("a line separator", "069", TEXT, "BerichtTekst>Een\u2028twee<"),
    ("a URL that stands free", "", TEXT, "BerichtTekst>Zie https://example.nl/zaak .<"),
    ("a URL between written line breaks", "", TEXT, "BerichtTekst>Zie\\r\\nhttps://example.nl/zaak\\r\\nvoor meer<"),
    ("a URL in parentheses", "071", TEXT, "BerichtTekst>Zie (https://example.nl )<"),
    ("a URL with a full stop", "071", TEXT, "BerichtTekst>Zie https://example.nl/zaak.<"),
    ("a URL with a BSN", "071", TEXT, "BerichtTekst>(https://example.nl/x999990019<"),
    ("an element within the BerichtTekst", "024", TEXT, "BerichtTekst>Tekst<b:b/><"),
    ("markup", "072", TEXT, "BerichtTekst>&lt;p>Geachte&lt;/p><"),
    ("an entity that was escaped twice", "072", TEXT, "BerichtTekst>U &amp;amp; ik<"),
    ("a number that was escaped twice", "072", TEXT, "BerichtTekst>&amp;#999990019;<"),
    ("signs that are no markup", "", TEXT, "BerichtTekst>a &lt; b &amp; c > d<"),
    ("a Referentie of 25 characters", "", ">R1<", f">{'x' * 25}<"),
    ("a Referentie of 26 characters", "074", ">R1<", f">{'x' * 26}<"),
    ("no Referentie", "", "<b:Referentie>R1</b:Referentie>", ""),
    ("no BSN", "075", BSN, "GebruikerID><"),
    ("a BSN without its leading zero", "075", BSN, "GebruikerID>99990019<"),
    ("a BSN of ten digits", "075", BSN, "GebruikerID>9999900190<"),
    ("blanks around a BSN", "075", BSN, "GebruikerID> 999990019 <"),
    ("a BSN of another script", "075", BSN, f"GebruikerID>{ARABIC_ONE * 9}<"),
    ("a BSN that fails the elfproef", "076", BSN, "GebruikerID>999990018<"),
    ("a BSN of noughts", "076", BSN, "GebruikerID>000000000<"),
    ("a company", "078", ">Burger<", ">Bedrijf<"),
    ("Inhoud that is not base64", "085", "b:Inhoud>JVBERi", "b:Inhoud>@@@@"),
    ("blanks in base64", "", "b:Inhoud>JVBERi", "b:Inhoud>\n JVBE Ri"),
    ("a bijlage that is no PDF", "088", "b:Inhoud>JVBERi0x", "b:Inhoud>UEsDBBQA"),
    ("PDF", "087", ">Pdf<", ">PDF<"),
    ("no Omschrijving", "091", ">Besluit<", "><"),
    ("an Omschrijving of 40 characters", "", ">Besluit<", f">{'x' * 40}<"),
    ("an Omschrijving of 41 characters", "092", ">Besluit<", f">{'x' * 41}<"),
    ("an Omschrijving of 128 characters", "092", ">Besluit<", f">{'x' * 128}<"),
    ("an Omschrijving of 129 characters", "091 092", ">Besluit<", f">{'x' * 129}<"),
    ("Volgorde 2", "093", "Volgorde>1<", "Volgorde>2<"),
    ("Volgorde 0", "093", "Volgorde>1<", "Volgorde>0<"),
    ("another spelling of Volgorde 1", "", "Volgorde>1<", "Volgorde> +01 <"),
    ("a word as Volgorde", "093", "Volgorde>1<", "Volgorde>een<"),
    ("an ampersand that is not escaped", "020", TEXT, "BerichtTekst>U & ik<"),
    ("a control character", "020", TEXT, "BerichtTekst>U&#11;ik<"),
)


def ids(findings) -> set[str]:
    return {finding.requirement for finding in findings}


def expected_of(numbers: str) -> set[str]:
    return {A + number for number in numbers.split()}


@pytest.mark.parametrize(("numbers", "old", "new"), [pytest.param(*change[1:], id=change[0]) for change in CHANGES])
def test_one_change_in_a_batch_brings_exactly_the_intended_objection(document, known, numbers, old, new):
    """
    A document with one fault has findings on that requirement alone, it counts as decided, and no finding shows a BSN.
    """
    changed = document.replace(old, new)

    grading, _ = grade_offer(changed.encode(), known)

    assert old in document
    assert ids(grading.findings) == expected_of(numbers)
    assert ids(grading.findings) <= grading.decided
    assert not any(NINE_DIGITS.search(str(finding)) for finding in grading.findings)


ENVELOPES = (
    ("nothing", "", {}),
    ("another CPA", "001", {"cpa_id": "MIJNOVERHEID-EBMS-BB-2-0_OUD"}),
    ("a bare OIN as party", "002", {"from_party": "00000099000000001000"}),
    ("a party of 19 digits", "002", {"from_party": "urn:osb:oin:0000099000000001000"}),
    ("the party of the client", "002", {"from_party": "urn:osb:oin:00000099000000002000"}),
    ("another receiver", "003", {"to_party": "urn:osb:oin:00000099000000002000"}),
    ("another role of the receiver", "003", {"to_role": "SR"}),
    ("no receiver", "", {"to_party": None, "to_role": None}),
    ("no role of the receiver", "", {"to_role": None}),
    ("the role of Logius", "004", {"from_role": "SP"}),
    ("a service without its prefix", "005", {"service": "MIJNOVERHEID.ebMS.BB.2.0"}),
    ("the action of a result", "006", {"action": "GLOBE-R-BV-Result"}),
    ("no parts", "007", {"parts": ()}),
    ("two parts", "007", {"parts": (Part(b""), Part(b""))}),
    ("a part in JSON", "008", {"parts": (Part(b"", "application/json"),)}),
    ("a part with parameters", "", {"parts": (Part(b"", "Application/XML; charset=utf-8"),)}),
    ("an old MessageId", "009", {"message_id": "old@afnemer.example"}),
    ("no MessageId", "", {"message_id": None}),
    ("a BSN in the MessageId", "010", {"message_id": "999990019@afnemer.example"}),
    ("an old MessageId with a BSN", "009 010", {"message_id": "old-999990019@afnemer.example"}),
    ("a BSN of another in the ConversationId", "010", {"conversation_id": "bsn999990020"}),
    ("the BSN after a letter of the hexadecimal system", "010", {"conversation_id": "a999990019"}),
    ("a BSN in the file name", "010", {"parts": (Part(b"", name="999990019.xml"),)}),
    ("a BSN in the Content-ID", "010", {"parts": (Part(b"", content_id="<999990019@x>"),)}),
    ("nine digits that are no BSN", "", {"conversation_id": "123456789"}),
    ("nine digits of a GUID that would be a BSN", "", {"conversation_id": "1b671a64-40d5-491e-99b0-a999990020ab"}),
)


@pytest.mark.parametrize(("numbers", "changes"), [pytest.param(*case[1:], id=case[0]) for case in ENVELOPES])
def test_one_change_in_an_envelope_brings_exactly_the_intended_objection(document, known, envelope, numbers, changes):
    """
    An envelope with one fault has findings on that requirement alone, and none shows a BSN.
    """
    known = replace(known, message_ids=frozenset({"old@afnemer.example", "old-999990019@afnemer.example"}))

    grading, _ = grade_offer(document.encode(), known, replace(envelope, **changes))

    assert ids(grading.findings) == expected_of(numbers)
    assert not any(NINE_DIGITS.search(str(finding)) for finding in grading.findings)


def test_a_bsn_in_a_name_is_found_when_the_batch_cannot_be_read(known, envelope):
    """
    Without a batch there are no citizens to look for; the elfproef still tells a BSN.
    """
    grading, batch = grade_offer(b"no XML", known, replace(envelope, conversation_id="999990019"))

    assert batch is None
    assert ids(grading.findings) == {"AANL-010", "AANL-020"}


def test_a_batch_id_comes_again_only_with_the_same_berichten(batch, known):
    """
    The history of a BatchID objects to berichten that were not offered under it, and not to the same or fewer.
    """
    same = replace(known, batches={BATCH_ID: frozenset({BERICHT_ID, OTHER_ID})})
    other = replace(known, batches={BATCH_ID: frozenset({OTHER_ID})})

    assert ids(grade_offer(batch.to_xml(), same)[0].findings) == set()
    assert ids(grade_offer(batch.to_xml(), other)[0].findings) == {"AANL-032"}


@pytest.mark.parametrize(
    ("changes", "is_stored", "expected"),
    [
        ({}, True, set()),
        ({"gebruiker_id": "999990020"}, False, {"AANL-054"}),
        ({"onderwerp": "Iets anders"}, True, {"AANL-054"}),
        ({"onderwerp": "Iets anders"}, False, set()),
        ({"eind_datum_handelings_termijn": None}, True, {"AANL-054"}),
        ({"bijlagen": ()}, True, {"AANL-054"}),
        ({"batch_id": OTHER_ID}, True, set()),
    ],
)
def test_a_bericht_id_comes_again_only_for_the_same_letter(batch, known, changes, is_stored, expected):
    """
    The history of a BerichtID objects to another citizen, and to other content once the letter was stored.
    """
    before: Bericht = replace(batch.berichten[0], **changes)
    earlier = {BERICHT_ID: Earlier(before.digest(), before.gebruiker_id, is_stored)}

    grading, _ = grade_offer(batch.to_xml(), replace(known, earlier=earlier))

    assert ids(grading.findings) == expected
    assert "999990" not in repr(earlier)


def test_a_bericht_id_stands_in_a_batch_once(batch, known):
    """
    The same BerichtID twice is an objection, also when its case differs.
    """
    one = batch.berichten[0]
    twice = replace(batch, berichten=(one, replace(one, bericht_id=BERICHT_ID.upper())))

    assert ids(grade_offer(twice.to_xml(), known)[0].findings) == {"AANL-053"}


def test_findings_stand_bericht_by_bericht(batch, known):
    """
    Who reads them has all on one bericht together, in the order of the rules.
    """
    wrong = replace(batch.berichten[0], bericht_type="GEEN", gebruiker_id="999990018")
    berichten = (wrong, replace(batch.berichten[0], bericht_id=OTHER_ID), replace(wrong, bericht_id=AN_ID))

    grading, _ = grade_offer(replace(batch, berichten=berichten).to_xml(), known)

    assert [(finding.bericht, finding.requirement) for finding in grading.findings] == [
        (0, "AANL-056"),
        (0, "AANL-076"),
        (2, "AANL-056"),
        (2, "AANL-076"),
    ]


def test_no_active_bericht_type_at_all_is_said_so(batch, known):
    """
    When the portal has no active BerichtType the objection does not list any.
    """
    grading, _ = grade_offer(batch.to_xml(), replace(known, bericht_types={}))

    assert grading.of("AANL-056")[0].expected == "an active BerichtType (none)"


def with_bijlagen(batch, *octets: bytes):
    bijlagen = tuple(Bijlage.from_octets(part, "Besluit", number) for number, part in enumerate(octets, start=1))
    return replace(batch, berichten=(replace(batch.berichten[0], bijlagen=bijlagen),)).to_xml()


@pytest.mark.parametrize(
    ("sizes", "expected", "is_note"),
    [
        ((500_000,), set(), False),
        ((250_000, 250_000), set(), False),
        ((500_001,), {"AANL-082"}, True),
        ((256_000, 256_000), {"AANL-082"}, True),
        ((512_001,), {"AANL-082"}, False),
        ((500_000, 500_000), {"AANL-082"}, False),
    ],
)
def test_the_size_of_bijlagen_is_measured_together_and_before_base64(batch, known, make_pdf, sizes, expected, is_note):
    """
    500 000 bytes are accepted, up to 512 000 brings a note, more an objection.
    """
    grading, _ = grade_offer(with_bijlagen(batch, *(make_pdf(padding=size) for size in sizes)), known)

    assert ids(grading.findings) == expected
    assert all(finding.is_note is is_note for finding in grading.findings)


def test_a_bijlage_that_the_parser_does_not_read_is_too_large(batch, known):
    """
    More than 10 MB of base64 is not parsed, and the finding says which limit of the koppelvlak that passes.
    """
    grading, read = grade_offer(with_bijlagen(batch, b"%PDF-" + bytes(8_000_000)), known)

    assert read is None
    assert ids(grading.findings) == {"AANL-082"}


def test_a_third_bijlage_is_one_too_many(batch, known, pdf):
    """
    Schema and rule see the third bijlage, and together they bring one finding.
    """
    grading, _ = grade_offer(with_bijlagen(batch, pdf, pdf, pdf), known)

    assert [finding.requirement for finding in grading.findings] == ["AANL-081"]


def test_two_bijlagen_keep_their_order(batch, known, pdf):
    """
    Volgorde 1 and 2 in order are right; the same number twice is not.
    """
    right = with_bijlagen(batch, pdf, pdf)

    assert ids(grade_offer(right, known)[0].findings) == set()
    assert ids(grade_offer(right.replace(b"Volgorde>2", b"Volgorde>1"), known)[0].findings) == {"AANL-093"}


@pytest.mark.parametrize(
    ("claim", "without", "expected"),
    [
        ("1A", "", set()),
        ("2A", "", set()),
        ("2B", "", {"AANL-089"}),
        ("3A", "", {"AANL-089"}),
        ("", "", {"AANL-089"}),
        ("2A", "/MarkInfo", {"AANL-090"}),
        ("2A", "/StructTreeRoot", {"AANL-090"}),
        ("2A", "/Lang", {"AANL-090"}),
    ],
)
def test_the_claim_and_the_hints_of_a_pdf_are_read(batch, known, make_pdf, claim, without, expected):
    """
    PDF/A-1a and 2a are what the handleiding asks; a hint that lacks is named.
    """
    grading, _ = grade_offer(with_bijlagen(batch, make_pdf(claim, without=without)), known)

    assert ids(grading.findings) == expected
    assert all(without in finding.seen for finding in grading.findings)


def test_the_second_bijlage_is_looked_at_as_well(batch, known, pdf, make_pdf):
    """
    A fault of the second bijlage is found, and its place is named.
    """
    grading, _ = grade_offer(with_bijlagen(batch, pdf, make_pdf("2B")), known)

    assert [finding.where for finding in grading.findings] == ["Berichten/Bericht[1]/Bijlagen/Bijlage[2]/Inhoud"]


def test_inhoud_is_base64_of_at_least_one_octet(batch, known):
    """
    An empty Inhoud brings one finding; the bijlage itself says that something is no base64.
    """
    grading, _ = grade_offer(with_bijlagen(batch, b""), known)

    assert [finding.requirement for finding in grading.findings] == ["AANL-085"]
    with pytest.raises(InvalidBase64, match="Inhoud is not base64"):
        Bijlage("QU\u00a0JD", "Besluit", "1").octets()


def test_without_knowledge_the_rules_that_need_it_do_not_decide(batch, envelope):
    """
    What cannot be known is not decided: no connection, no clock, no history.
    """
    grading, _ = grade_offer(batch.to_xml(), envelope=envelope)

    needs_knowledge = {"001", "009", "032", "035", "036", "039", "054", "056", "059"}
    assert grading.findings == ()
    assert grading.decided.isdisjoint(A + number for number in needs_knowledge)
    assert grading.is_schema_valid


def test_a_batch_above_20_mebibytes_brings_a_note(document, known):
    """
    Digikoppeling would use Grote Berichten; comments are enough to get there.
    """
    padded = document.replace("</v:Berichten>", f"<!-- {'x' * 9_000_000} -->" * 3 + "</v:Berichten>")

    grading, batch = grade_offer(padded.encode(), known)

    assert batch is not None
    assert [(finding.requirement, finding.is_note) for finding in grading.findings] == [("AANL-027", True)]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "is_read"), [(100_000_001, True), (110_000_001, False)])
def test_a_batch_above_100_megabytes_is_too_large(document, known, size, is_read):
    """
    Just above the limit the batch is read and graded; far above it it is refused for the same reason.
    """
    head, tail = document.encode()[: -len("</v:Berichten>")], b"</v:Berichten>"
    body = head + (b"<!-- " + b"x" * 9_000_000 + b" -->") * (size // 9_001_000)
    padded = body + b"<!-- " + b"x" * (size - len(body) - len(tail) - 9) + b" -->" + tail

    grading, batch = grade_offer(padded, known)

    assert len(padded) == size
    assert (batch is not None) is is_read
    assert [finding.requirement for finding in grading.findings] == ["AANL-026"]


@pytest.mark.attack
def test_markup_is_searched_for_in_one_pass(batch, known):
    """
    A million opening tags that never close are looked at once each: otherwise this test would not end in time.
    """
    flood = replace(batch, berichten=(replace(batch.berichten[0], bericht_tekst="<a " * 1_000_000),))

    grading, _ = grade_offer(flood.to_xml(), known)

    assert ids(grading.findings) == {"AANL-067"}


def test_the_clock_is_the_one_that_is_given(batch, known):
    """
    The age of a batch is measured from the moment of receipt, and to the second.
    """
    made = datetime(2026, 11, 24, 12, tzinfo=UTC)
    edge, beyond = made + timedelta(days=13), made + timedelta(days=13, seconds=1)

    assert ids(grade_offer(batch.to_xml(), replace(known, received=edge))[0].findings) == set()
    assert ids(grade_offer(batch.to_xml(), replace(known, received=beyond))[0].findings) == {"AANL-035"}


def test_every_rule_is_in_the_catalogue():
    """
    The rules decide exactly what the catalogue says that rules decide; a few of the requirements that cases decide have a rule as well.
    """
    by_rule = {item.id for item in catalogue().values() if item.decided_by == "rule"}

    assert by_rule <= rule_requirements() <= set(catalogue())


def test_each_rule_over_an_offer_has_an_objection_in_these_tests():
    """
    No rule about the content or the envelope is without a document that it objects to.
    """
    elsewhere = {"021", "022", "023", "025", "026", "027", "032", "041", "053", "054", "080", "081", "082", "089", "090"}
    here = {number for table in (CHANGES, ENVELOPES) for change in table for number in change[1].split()}

    bound = {id_.removeprefix(A) for id_ in rule_requirements() if id_.startswith(A) and catalogue()[id_].binds is Binds.AFNEMER}

    assert bound == here | elsewhere


@settings(max_examples=settings().max_examples * 3 // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.mutated(st.one_of(strategies.batches(), strategies.results())))
def test_no_finding_on_a_mutated_document_shows_a_bsn(document):
    """
    Whatever is wrong with a document, findings show no nine digits, are short, and are on requirements that were decided.
    """
    for grading, _ in (grade_offer(document), grade_result(document)):
        shown = [str(finding) for finding in grading.findings]

        assert not [text for text in shown if NINE_DIGITS.search(text)]
        assert all(len(text) < 700 for text in shown)
        assert ids(grading.findings) <= grading.decided


@pytest.mark.parametrize(
    "name", ["BatchID", "AanmaakDatum", "BerichtLeverancierID", "BerichtType", "Onderwerp", "Referentie", "SoortGebruiker", "Volgorde"]
)
def test_a_bsn_in_the_wrong_element_is_not_shown(document, known, name):
    """
    An Afnemer that mixes up its fields does not find a BSN in the report.
    """
    changed = re.sub(rf"({name})>[^<]*<", r"\1>x999990019<", document)

    grading, _ = grade_offer(changed.encode(), known)

    assert changed != document
    assert not any(NINE_DIGITS.search(str(finding)) for finding in grading.findings)
