"""Every rule over a verwerkingsbericht: one change in a result without fault, and exactly the intended objection."""

import gzip
from dataclasses import replace

import pytest

from conformance.catalogue import Binds, catalogue
from conformance.messages.verwerkingsbericht import Resultaat, VerwerkingsCode
from conformance.rules.grading import grade_result, rule_requirements

BATCH_ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BERICHT_ID = "1b671a64-40d5-491e-99b0-da01ff1f3341"
OTHER_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
NIL = "00000000-0000-0000-0000-000000000000"
TOTAL, SUCCESS = "<TotaalAantalOntvangenBerichten>1<", "<AantalBerichtenSuccesvolVerwerkt>1<"
BEFORE, AFTER = "<DatumOntvangen>2026-11-24T12:01:00.000Z<", "<DatumVerwerkt>2026-11-24T12:01:00.000Z<"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
CODE = "<VerwerkingsCode>Verwerkt<"

# (what is wrong, the requirements that object, what is replaced in the document, by what)
CHANGES = (
    ("nothing", "", "Verwerkt", "Verwerkt"),
    ("no counter", "050", f"{SUCCESS}/AantalBerichtenSuccesvolVerwerkt>", ""),
    ("a counter that is no number", "050", SUCCESS, "<AantalBerichtenSuccesvolVerwerkt>een<"),
    ("an attribute on VerwerkingsCode", "050", "<VerwerkingsCode>", '<VerwerkingsCode id="1">'),
    ("two attributes", "050", "<BatchInformatie>", '<BatchInformatie id="1" lang="nl">'),
    ("no VerwerkingsCode", "050", f"{CODE}/VerwerkingsCode>", ""),
    ("a root of another name", "051", "BerichtVerwerkResponse", "BerichtVerwerkResult"),
    ("the root in the namespace of a bericht", "051", "ns2:Bericht", "ns3:Bericht"),
    ("a qualified child", "052", "BerichtType>", "ns3:BerichtType>"),
    ("a qualified BatchID", "052", "BatchID>", "ns2:BatchID>"),
    ("Bericht in the namespace of the request", "052", "BerichtVerwerkService/BerichtResultaat", "BerichtenProsessor/Bericht"),
    ("an unqualified Bericht", "052", "ns3:Bericht>", "Bericht>"),
    ("a BatchID in capitals", "053", BATCH_ID, BATCH_ID.upper()),
    ("another BatchID", "053", BATCH_ID, OTHER_ID),
    ("the code 00", "054", CODE, "<VerwerkingsCode>00<"),
    ("a code in lower case", "054", CODE, "<VerwerkingsCode>verwerkt<"),
    ("a negative counter", "055", "<AantalBerichtenMetTechnischProbleem>0<", "<AantalBerichtenMetTechnischProbleem>-1<"),
    ("counters above the total", "055", "<AantalBerichtenMetTechnischProbleem>0<", "<AantalBerichtenMetTechnischProbleem>1<"),
    ("a total of nought", "055", TOTAL, "<TotaalAantalOntvangenBerichten>0<"),
    ("no success counted", "056", SUCCESS, "<AantalBerichtenSuccesvolVerwerkt>0<"),
    ("more than 24 hours", "057", AFTER, "<DatumVerwerkt>2026-11-25T12:01:01Z<"),
    ("exactly 24 hours", "", AFTER, "<DatumVerwerkt>2026-11-25T12:01:00Z<"),
    ("processed before it came", "058", AFTER, "<DatumVerwerkt>2026-11-24T12:00:59Z<"),
    ("an offset", "059", AFTER, "<DatumVerwerkt>2026-11-24T13:01:00+01:00<"),
    ("no zone", "059", BEFORE, "<DatumOntvangen>2026-11-24T12:01:00<"),
    ("a date that Python cannot place", "", AFTER, "<DatumVerwerkt>12026-11-24T12:01:00Z<"),
    ("a short OIN", "061", ">00000099000000001000<", ">99000000001000<"),
    ("a BSN as OIN", "061", ">00000099000000001000<", ">999990019<"),
    ("success with a Stadium", "062", ">NA<", ">StoreMessage<"),
    ("a Stadium that nobody saw", "062 063", ">NA<", ">Onbekend stadium<"),
    ("an empty Stadium", "062 063", ">NA<", "><"),
    ("a BSN as Stadium", "062 063", ">NA<", ">999990019<"),
    ("no Stadium", "", "<Stadium>NA</Stadium>", ""),
    ("a nil Stadium", "", "<Stadium>NA<", f'<Stadium {XSI} xsi:nil="true"><'),
    ("a bericht of another batch", "064", BERICHT_ID, OTHER_ID),
    ("the BerichtID in capitals", "", BERICHT_ID, BERICHT_ID.upper()),
    ("the nil BerichtID", "", BERICHT_ID, NIL),
)


def ids(findings) -> set[str]:
    return {finding.requirement for finding in findings}


def expected_of(numbers: str) -> set[str]:
    return {f"VERW-{number}" for number in numbers.split()}


@pytest.mark.parametrize(("numbers", "old", "new"), [pytest.param(*change[1:], id=change[0]) for change in CHANGES])
def test_one_change_in_a_result_brings_exactly_the_intended_objection(result, known, numbers, old, new):
    """
    A result with one fault has findings on that requirement alone, which counts as decided and shows no BSN.
    """
    text = result.to_xml().decode()

    grading, _ = grade_result(text.replace(old, new).encode(), known)

    assert old in text
    assert ids(grading.findings) == expected_of(numbers)
    assert ids(grading.findings) <= grading.decided
    assert not any("999990019" in str(finding) for finding in grading.findings)


def test_each_rule_over_a_result_has_an_objection_in_these_tests():
    """
    No rule over a verwerkingsbericht is without a document that it objects to.
    """
    bound = {id_ for id_ in rule_requirements() if catalogue()[id_].binds is Binds.LOGIUS}

    assert bound == {f"VERW-{number}" for change in CHANGES for number in change[1].split()} | {"VERW-060"}


def test_a_bericht_stands_in_a_result_once(result, known):
    """
    The same BerichtID twice is an objection; the nil GUID may come more often.
    """
    refused = replace(result.resultaten[0], code=VerwerkingsCode.XML_VALIDATIE)
    twice = replace(result, totaal=3, resultaten=(*result.resultaten, replace(refused, bericht_id=BERICHT_ID.upper())))
    nil = replace(result, totaal=3, resultaten=(*result.resultaten, *(replace(refused, bericht_id=NIL),) * 2))

    assert ids(grade_result(twice.to_xml(), known)[0].findings) == {"VERW-060"}
    assert ids(grade_result(nil.to_xml(), known)[0].findings) == set()


def test_a_result_that_lists_some_berichten_is_not_counted(result, known):
    """
    The counter of successes is about all berichten, so that it says nothing when not all are listed.
    """
    grading, _ = grade_result(replace(result, totaal=2, counters=(2, 0, 0, 0, 0, 0)).to_xml(), known)

    assert grading.findings == ()
    assert "VERW-056" not in grading.decided


def test_an_empty_result_decides_nothing_about_berichten(result, known):
    """
    A result without Bericht is valid; the rules over its berichten do not speak.
    """
    empty = replace(result, totaal=0, counters=(0,) * 6, resultaten=())

    grading, read = grade_result(empty.to_xml(), known)

    assert (grading.findings, read) == ((), empty)
    assert grading.decided.isdisjoint({"VERW-060", "VERW-062", "VERW-063", "VERW-064"})


def test_without_the_request_a_result_is_not_compared_with_it(result):
    """
    Without knowledge the BatchID and the berichten are not judged.
    """
    grading, _ = grade_result(result.to_xml())

    assert grading.decided.isdisjoint({"VERW-053", "VERW-064"})


def test_a_rejection_may_carry_any_known_stadium(result, known):
    """
    A Stadium other than NA is no objection on a bericht that was refused.
    """
    refused = Resultaat(BERICHT_ID, "BT1", VerwerkingsCode.TECHNISCH_PROBLEEM, "StoreMessage")

    grading, _ = grade_result(replace(result, counters=(0, 0, 1, 0, 0, 0), resultaten=(refused,)).to_xml(), known)

    assert grading.findings == ()
    assert "VERW-062" not in grading.decided


@pytest.mark.parametrize("root", ["", "<Berichten/>"])
def test_a_result_that_lacks_its_parts_is_invalid_and_not_misqualified(root):
    """
    An empty response lacks a child: that is no matter of namespaces.
    """
    document = f'<n:BerichtVerwerkResponse xmlns:n="http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01">{root}</n:BerichtVerwerkResponse>'

    grading, read = grade_result(document.encode())

    assert read is None
    assert ids(grading.findings) == {"VERW-050"}


def test_the_same_complaint_comes_once(result):
    """
    Two complaints of the schema about one text make one finding.
    """
    text = result.to_xml().decode().replace(BATCH_ID, "")

    grading, _ = grade_result(text.encode())

    assert [finding.requirement for finding in grading.findings] == ["VERW-050"]


def test_a_gzipped_result_is_graded(result, known):
    """
    Gzip makes no difference to what a result says.
    """
    grading, read = grade_result(gzip.compress(result.to_xml()), known)

    assert (grading.findings, read) == ((), result)


@pytest.mark.parametrize("payload", [b"", b"no XML", gzip.compress(b"<a/>", mtime=0)[:-4], b"\x1f\x8bno gzip"])
def test_a_result_that_cannot_be_read_is_a_finding(payload):
    """
    What cannot be unpacked or parsed is not valid, and nothing else is decided.
    """
    grading, read = grade_result(payload)

    assert read is None
    assert grading.decided == ids(grading.findings) == {"VERW-050"}
    assert not grading.is_schema_valid
