"""What each fault does to what is offered: the right thing, and nothing else."""

import gzip
from datetime import timedelta

import pytest

from conformance.berichtenbox.faults import KINDS, FaultPlan, Point
from conformance.berichtenbox.results import Draft, drafts_of, forced_codes
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.identities import NIL_GUID
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode

ID = "abcdef00-0000-4000-8000-00000000000%d"
BATCH = "abcdefab-0000-4000-8000-0000000000aa"


@pytest.fixture
def results():
    """What became of three berichten: stored, refused, stored."""
    codes = (VerwerkingsCode.VERWERKT, VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, VerwerkingsCode.VERWERKT)
    return tuple(Resultaat(ID % number, "BELAST", code) for number, code in enumerate(codes))


@pytest.fixture
def result(results, make):
    """The result with these."""
    return Verwerkingsbericht.about("00000099000000001000", BATCH, make.now, make.now, results)


def struck(name, **parameters):
    """Return the faults that strike when this one is set."""
    plan = FaultPlan()
    plan.script(name, **parameters)
    return plan.striking(Point.RESULT)


def payloads(drafts):
    """Return the last payload part of each draft."""
    return [draft.parts()[-1].content for draft in drafts]


def test_without_faults_one_result_is_offered_at_once(result, make):
    """
    The usual: one draft, its document, text/xml, now and once.
    """
    (draft,) = drafts_of(result, ())

    assert draft == Draft(result)
    assert (draft.delay, draft.again_same_id, draft.again_new_id, draft.reference) == (timedelta(), 0, 0, None)
    (part,) = draft.parts()
    assert (part.content_type, make.read(part.content)) == ("text/xml", result)


def test_faults_of_the_wire_and_of_codes_leave_drafts_alone(result):
    """
    A fault that bends no draft changes none.
    """
    assert drafts_of(result, struck("code")) == [Draft(result)]


def test_no_result(result):
    """
    ``no-result`` offers nothing.
    """
    assert drafts_of(result, struck("no-result")) == []


def test_late(result):
    """
    ``late`` offers the same result days later.
    """
    (draft,) = drafts_of(result, struck("late", days=2.5))

    assert (draft.result, draft.delay) == (result, timedelta(days=2, hours=12))


def test_reoffer_same_id(result):
    """
    ``reoffer-same-id`` asks for the same message after processing.
    """
    (draft,) = drafts_of(result, struck("reoffer-same-id", again=2))

    assert (draft.again_same_id, draft.again_new_id) == (2, 0)


def test_reoffer_new_id(result):
    """
    ``reoffer-new-id`` asks for a new message, days after processing.
    """
    (draft,) = drafts_of(result, struck("reoffer-new-id", again=3, days=1))

    assert (draft.again_same_id, draft.again_new_id, draft.again_after) == (0, 3, timedelta(days=1))


def test_reorder(result):
    """
    ``reorder`` makes the first of a row come last.
    """
    plan = FaultPlan()
    plan.script("reorder", times=3)

    delays = [drafts_of(result, plan.striking(Point.RESULT))[0].delay for _ in range(4)]

    assert delays == [timedelta(minutes=3), timedelta(minutes=2), timedelta(minutes=1), timedelta()]


def test_reorder_without_an_end(result):
    """
    ``reorder`` without a number of times delays each by a minute.
    """
    assert drafts_of(result, struck("reorder", times=None))[0].delay == timedelta(minutes=1)


@pytest.mark.parametrize(("parts", "sizes"), [(2, [2, 1]), (3, [1, 1, 1]), (5, [1, 1, 1]), (0, [3])])
def test_split(result, parts, sizes):
    """
    ``split`` spreads the berichten over results of the same batch: each once, no result is empty.
    """
    drafts = drafts_of(result, struck("split", parts=parts))

    assert [len(draft.result.resultaten) for draft in drafts] == sizes
    assert sorted(item.bericht_id for draft in drafts for item in draft.result.resultaten) == [ID % 0, ID % 1, ID % 2]
    assert {draft.result.batch_id for draft in drafts} == {BATCH}


def test_gzip(result):
    """
    ``gzip`` packs the document, and says so.
    """
    (draft,) = drafts_of(result, struck("gzip"))
    (part,) = draft.parts()

    assert (part.content[:2], part.content_type) == (b"\x1f\x8b", "application/gzip")
    assert gzip.decompress(part.content) == result.to_xml()


def test_gzip_packs_what_another_fault_made(result):
    """
    ``gzip`` after ``other-prefixes`` packs the changed document.
    """
    plan = FaultPlan()
    plan.script("other-prefixes")
    plan.script("gzip")
    (draft,) = drafts_of(result, plan.striking(Point.RESULT))

    assert b"resp:BerichtVerwerkResponse" in gzip.decompress(draft.parts()[0].content)


@pytest.mark.parametrize(
    ("name", "parameters", "stadium", "is_nil"),
    [
        ("stadium-absent", {}, None, False),
        ("stadium-nil", {}, None, True),
        ("stadium-unknown", {}, "NieuwStadium", False),
        ("stadium-unknown", {"stadium": "Onderweg"}, "Onderweg", False),
    ],
)
def test_stadium(result, make, name, parameters, stadium, is_nil):
    """
    The three stadium faults change Stadium in each bericht; the document stays valid.
    """
    (draft,) = drafts_of(result, struck(name, **parameters))
    read = make.read(draft.parts()[0].content)

    assert [(item.stadium, item.is_nil_stadium) for item in read.resultaten] == [(stadium, is_nil)] * 3
    assert [item.code for item in read.resultaten] == [item.code for item in result.resultaten]


def test_unknown_bericht_id(result):
    """
    ``unknown-bericht-id`` adds one in front, and keeps the others.
    """
    (draft,) = drafts_of(result, struck("unknown-bericht-id"))

    assert draft.result.resultaten[0].bericht_id.startswith("deadbeef")
    assert draft.result.resultaten[1:] == result.resultaten


def test_unknown_batch_id(result, make):
    """
    ``unknown-batch-id`` puts a result of a batch in front that nobody offered.
    """
    strange, own = drafts_of(result, struck("unknown-batch-id"))

    assert own == Draft(result)
    read = make.read(strange.parts()[0].content)
    assert (read.batch_id[:8], read.totaal, read.resultaten[0].bericht_id[:8]) == ("deadbeef", 1, "deadbeef")


def test_unreadable_before(result):
    """
    ``unreadable-before`` puts a document in front that breaks off.
    """
    broken, own = drafts_of(result, struck("unreadable-before"))

    assert own == Draft(result)
    with pytest.raises(XmlRefused, match=r"EndTag|Premature end|expected|not terminated"):
        parse(broken.parts()[0].content)


def test_foreign_message_before(result):
    """
    ``foreign-message-before`` puts a message of another action in front.
    """
    foreign, own = drafts_of(result, struck("foreign-message-before"))

    assert (foreign.action, own) == ("ANDERE-DIENST-Result", Draft(result))
    assert parse(foreign.parts()[0].content).tag == "{urn:voorbeeld:iets-anders}Bericht"


def test_several_parts(result):
    """
    ``several-parts`` puts a text part in front of the document.
    """
    (draft,) = drafts_of(result, struck("several-parts"))

    assert [part.content_type for part in draft.parts()] == ["text/plain", "text/xml"]
    assert draft.parts()[1].content == result.to_xml()


def test_case_changed(result):
    """
    ``case-changed`` writes the ids in the other case, and back again.
    """
    (draft,) = drafts_of(result, struck("case-changed"))
    (back,) = drafts_of(draft.result, struck("case-changed"))

    assert draft.result.batch_id == BATCH.upper()
    assert [item.bericht_id for item in draft.result.resultaten] == [(ID % number).upper() for number in range(3)]
    assert back.result == result


def test_counters_wrong(result, make):
    """
    ``counters-wrong`` says all is well when it is not, and the reverse; the berichten stay as they are.
    """
    fine = Verwerkingsbericht.about("x", BATCH, make.now, make.now, result.resultaten[:1])

    assert drafts_of(result, struck("counters-wrong"))[0].result.counters == (3, 0, 0, 0, 0, 0)
    assert drafts_of(fine, struck("counters-wrong"))[0].result.counters == (0, 0, 1, 0, 0, 0)
    assert drafts_of(result, struck("counters-wrong"))[0].result.resultaten == result.resultaten


def test_foreign_reference(result):
    """
    ``foreign-reference`` refers to a message that the Afnemer never had.
    """
    (draft,) = drafts_of(result, struck("foreign-reference"))

    assert (draft.reference, draft.result) == ("vreemd-bericht@elders.example", result)


def test_other_prefixes(result, make):
    """
    ``other-prefixes`` writes the same document with other prefixes.
    """
    (draft,) = drafts_of(result, struck("other-prefixes"))
    payload = draft.parts()[0].content

    assert b"ns2" not in payload
    assert b"ns3" not in payload
    assert make.read(payload) == result


def test_empty(result, make):
    """
    ``empty`` puts a valid result without berichten in front.
    """
    empty, own = drafts_of(result, struck("empty"))
    read = make.read(empty.parts()[0].content)

    assert (read.resultaten, read.totaal, read.batch_id) == ((), 0, BATCH)
    assert own == Draft(result)


@pytest.mark.parametrize(("url", "shown"), [("", b"http://127.0.0.1:9/niets"), ("http://127.0.0.1:1/x", b"http://127.0.0.1:1/x")])
def test_doctype(result, url, shown):
    """
    ``doctype`` puts a document in front that wants its reader to fetch something.
    """
    trap, own = drafts_of(result, struck("doctype", url=url))
    payload = trap.parts()[0].content

    assert b'<!ENTITY ext SYSTEM "' + shown + b'">' in payload
    assert b"<BerichtType>&ext;" in payload
    assert own == Draft(result)


@pytest.mark.slow
def test_gzip_bomb(result):
    """
    ``gzip-bomb`` is small, and unpacks to about 64 MB: a reader with a limit refuses it.
    """
    (draft,) = drafts_of(result, struck("gzip-bomb"))
    (part,) = draft.parts()

    assert len(part.content) < 200_000
    assert len(gzip.decompress(part.content)) > 60_000_000
    with pytest.raises(PackedTooMuch, match="unpacks to more than"):
        unpack(part.content)


@pytest.mark.parametrize("code", list(VerwerkingsCode))
def test_code_forces_every_code(results, code):
    """
    ``code`` gives all berichten the code, with a stadium that fits.
    """
    forced = forced_codes(results, struck("code", code=code.value))

    assert [item.code for item in forced] == [code] * 3
    assert [item.bericht_id for item in forced] == [item.bericht_id for item in results]
    assert {item.stadium == "NA" for item in forced} == {code is VerwerkingsCode.VERWERKT}


def test_code_forces_only_the_chosen_berichten(results):
    """
    ``code`` with berichten changes those, and ignores the ones that are not there.
    """
    forced = forced_codes(results, struck("code", berichten=[1, 7]))

    assert [item.code for item in forced] == ["Verwerkt", "TechnischProbleem", "Verwerkt"]


def test_refusal_lists_all(results):
    """
    ``refusal-lists-all`` refuses every bericht on the schema, by its own id.
    """
    forced = forced_codes(results, struck("refusal-lists-all"))

    assert {(item.code, item.stadium) for item in forced} == {(VerwerkingsCode.XML_VALIDATIE, "ValidatieBerichtType")}
    assert [item.bericht_id for item in forced] == [item.bericht_id for item in results]


def test_nil_bericht_id(results):
    """
    ``nil-bericht-id`` answers one refusal with the nil BerichtID.
    """
    forced = forced_codes(results, struck("nil-bericht-id", code="OinInCPAKomtNietOvereenMetOinInBericht"))

    assert forced == (Resultaat(NIL_GUID, "Onbekend", VerwerkingsCode.OIN_IN_CPA, "ValidatieBerichtType"),)


def test_faults_on_drafts_force_no_code(results):
    """
    A fault that bends drafts leaves the codes alone.
    """
    assert forced_codes(results, struck("gzip")) == results


def test_every_fault_on_results_has_a_test_here():
    """
    The catalogue of faults and the tests of this file name the same faults.
    """
    names = " ".join(test.__doc__ for name, test in globals().items() if name.startswith("test_"))
    on_results = [kind.name for kind in KINDS.values() if Point.RESULT in kind.points and not kind.name.startswith("stadium")]

    assert [name for name in on_results if f"``{name}``" not in names] == []
