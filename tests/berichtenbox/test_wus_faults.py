"""What each fault does to an answer of the validatieservice, and what goes on the record of it; without a socket, but for what the line does."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from conformance.berichtenbox.box import Mark
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.faults import EXTRA_BSN, KINDS, FaultPlan, Point
from conformance.berichtenbox.usage import Excess
from conformance.berichtenbox.wus_face import DROPPED, TOO_MANY, WusFace
from conformance.berichtenbox.wus_face import Asked as Posted
from conformance.limits import limits
from conformance.messages.bsns import BsnList
from conformance.messages.guard import XmlRefused, parse, schema
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.validatie import ACTION, SCHEMA, Abonnement, Klant, ValidatieAanvraag, read_antwoord
from conformance.transport import soap
from conformance.transport.soap import CONTENT_TYPE, NS_SOAP

OIN = "00000099000000001000"
YES, NO, OTHER = "999990007", "999990019", "999990020"
TRUTH = [(YES, True), (NO, False)]


@pytest.fixture
def face(box):
    """The face of a Berichtenbox on which one citizen takes no letters."""
    committer = GroupCommitter(box.ledger, lambda: None)
    box.set_burger(NO, wants=False)
    yield WusFace(box, committer)
    committer.stop()


def posted(*keys, oin=OIN, bericht_type="BELAST"):
    """Return a question about these citizens, as it is posted."""
    asked = ValidatieAanvraag(oin, bericht_type, tuple(Klant(key) for key in keys))
    return Posted(CONTENT_TYPE, f'"{ACTION}"', soap.write_envelope(asked.to_element()))


def struck(*names, **parameters):
    """Return the faults that strike when these are set."""
    plan = FaultPlan()
    for name in names:
        plan.script(name, **parameters)
    return {fault.name: fault for fault in plan.striking(Point.VALIDATE)}


def answer_of(outcome):
    """Return the answer in an outcome, which is valid by its own schema."""
    assert outcome.status == 200
    (content,) = parse(outcome.content).find(f"{{{NS_SOAP}}}Body")
    assert schema(SCHEMA).validate(content)
    return content


def told(outcome):
    """Return who wants letters, in the order of the answer; ``None`` for a nil klant."""
    return [(item.klant and item.klant.key, item.is_bericht_sturen) for item in read_antwoord(answer_of(outcome)).abonnementen]


def texts(outcome):
    return [element.text for element in answer_of(outcome).iter("{*}isBerichtSturen")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("klant-missing", TRUTH[:1]),
        ("klant-order", TRUTH[::-1]),
        ("klant-twice", [TRUTH[0], TRUTH[0], TRUTH[1], TRUTH[1]]),
        ("klant-extra", [(EXTRA_BSN, True), *TRUTH]),
        ("klant-nil", [(None, True), *TRUTH]),
        ("numeric-booleans", TRUTH),
    ],
)
def test_an_answer_that_is_bent_is_valid_all_the_same(face, name, expected):
    """
    ``klant-missing``, ``klant-order``, ``klant-twice``, ``klant-extra``, ``klant-nil`` and ``numeric-booleans`` say what they should.
    """
    assert told(face.outcome(posted(YES, NO), struck(name))) == expected


def test_numeric_booleans_are_on_the_wire(face):
    """
    The usual is a word; ``numeric-booleans`` writes a digit.
    """
    usual, numeric = (face.outcome(posted(YES, NO), faults) for faults in ({}, struck("numeric-booleans")))

    assert (texts(usual), texts(numeric)) == (["true", "false"], ["1", "0"])


def test_both_ways_to_be_nil_stand_in_front(face):
    """
    ``klant-nil`` begins with an Abonnement that is nil, and then one whose klant is.
    """
    content = answer_of(face.outcome(posted(YES), struck("klant-nil")))

    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    first, second, third = content[0]
    assert (first.get(nil), len(first), second[0].get(nil), third[0].get(nil)) == ("true", 0, "true", None)


@pytest.mark.parametrize(("bsn", "extra"), [(OTHER, OTHER), (YES, OTHER)])
def test_who_is_extra_was_not_asked_about(face, bsn, extra):
    """
    ``klant-extra`` takes the BSN that it is given, and another one when that one was asked about.
    """
    assert told(face.outcome(posted(YES, NO), struck("klant-extra", bsn=bsn)))[0] == (extra, True)


@pytest.mark.parametrize(("bsn", "said"), [("999990008", "bsn = …: expected a possible BSN"), (7, "bsn = …"), ("<x/>", "bsn = …")])
def test_who_is_extra_is_a_possible_citizen(bsn, said):
    """
    What is no BSN is refused when it is set, and not repeated.
    """
    with pytest.raises(ValueError, match=f"fault klant-extra: {said}"):
        struck("klant-extra", bsn=bsn)


def test_several_faults_bend_one_answer(face):
    """
    Faults work in the order in which they were set, and together.
    """
    outcome = face.outcome(posted(YES, NO), struck("klant-missing", "klant-twice", "klant-nil", "numeric-booleans"))

    assert (told(outcome), texts(outcome)) == ([(None, True), (YES, True), (YES, True)], ["1", "1", "1"])


@pytest.mark.parametrize(("url", "shown"), [("", b"http://127.0.0.1:9/niets"), ("http://127.0.0.1:1/x", b"http://127.0.0.1:1/x")])
def test_validatie_doctype(face, url, shown):
    """
    ``validatie-doctype`` answers with a document that wants its reader to fetch something.
    """
    content = face.outcome(posted(YES), struck("validatie-doctype", url=url)).content

    assert b'<!ENTITY ext SYSTEM "' + shown + b'">' in content
    assert b"Key>&ext;" + YES.encode() in content
    with pytest.raises(XmlRefused, match="DOCTYPE"):
        parse(content)


@pytest.mark.parametrize("names", [["validatie-unreadable"], ["klant-missing", "validatie-unreadable"]])
def test_validatie_unreadable(face, names):
    """
    ``validatie-unreadable`` answers 200 with XML that breaks off, even when there is no citizen in it.
    """
    outcome = face.outcome(posted(YES), struck(*names))

    assert outcome.status == 200
    with pytest.raises(XmlRefused, match="Premature end"):
        parse(outcome.content)


@pytest.mark.parametrize(
    ("name", "fault", "text"),
    [
        ("application-fault", b"ApplicationFault", "the question cannot be answered"),
        ("register-down", b"DependentServiceFault", "the register of abonnementen cannot be reached; ask again later"),
    ],
)
def test_a_good_question_gets_a_fault(face, name, fault, text):
    """
    ``application-fault`` and ``register-down`` answer no citizen, and it is on the record who was asked about.
    """
    outcome = face.outcome(posted(YES), struck(name))

    assert (outcome.status, fault in outcome.content, text.encode() in outcome.content) == (500, True, True)
    assert (outcome.bevraging.is_answered, outcome.bevraging.note, list(outcome.bevraging.bsns)) == (False, text, [YES])


def test_every_fault_of_the_validatieservice_has_a_test_here():
    """
    The catalogue of faults and the tests of this file name the same faults, but for those of any HTTP operation.
    """
    names = " ".join(test.__doc__ for name, test in globals().items() if name.startswith("test_"))
    own = [kind.name for kind in KINDS.values() if Point.VALIDATE in kind.points and Point.POST not in kind.points]

    assert [name for name in own if f"``{name}``" not in names] == []


# -- the record --------------------------------------------------------------------------------------------------------------------------------


def test_a_question_is_a_bevraging(box, face, wall):
    """
    Who asked what and when, on both clocks; the citizens each once and sorted, but counted as they were asked.
    """
    wall.tick(hours=1)
    box.clock.advance(timedelta(hours=2))

    bevraging = face.outcome(posted(NO, YES, NO, "123", "onzin"), {}).bevraging

    assert bevraging == Bevraging(Asked.VALIDATIE, OIN, wall.at + timedelta(hours=2), wall.at, bericht_type="BELAST", bsns=bevraging.bsns, count=5)
    assert (list(bevraging.bsns), repr(bevraging.bsns)) == ([YES, NO], "<BsnList of 2>")


@pytest.mark.parametrize(
    ("names", "bsns", "is_answered", "note"),
    [
        (["klant-missing"], [YES], True, ""),
        (["klant-extra", "klant-nil", "klant-twice"], [YES, NO], True, ""),
        (["validatie-doctype"], [YES, NO], False, "validatie-doctype"),
        (["validatie-unreadable"], [YES, NO], False, "validatie-unreadable"),
    ],
)
def test_only_who_was_answered_is_on_the_record_as_answered(face, names, bsns, is_answered, note):
    """
    A citizen who was left out was not checked, one who was never asked about neither, and what cannot be read is no answer.
    """
    bevraging = face.outcome(posted(YES, NO), struck(*names)).bevraging

    assert (list(bevraging.bsns), bevraging.is_answered, bevraging.note, bevraging.count) == (bsns, is_answered, note, 2)


@pytest.mark.parametrize(
    ("asked", "count", "note"),
    [
        (posted(), 0, "the request has 0 klanten"),
        (posted(*reserved_test_bsns()[:251]), 251, "the request has 251 klanten"),
        (posted(YES, oin="00000099000000002000"), 1, "not authorised: "),
        (posted(YES, oin=None, bericht_type=None), 1, "berichtleverancierCode is nil"),
    ],
)
def test_a_question_that_is_refused_is_on_the_record_too(face, asked, count, note):
    """
    What could be read and was not answered says why, and names who was asked about.
    """
    bevraging = face.outcome(asked, {}).bevraging

    assert (bevraging.count, len(bevraging.bsns), bevraging.is_answered) == (count, count, False)
    assert bevraging.note.startswith(note)


@pytest.mark.parametrize(
    "asked", [replace(posted(YES), body=b"<a/>"), replace(posted(YES), content_type="text/plain"), replace(posted(YES), body=b"")]
)
def test_what_cannot_be_read_is_no_bevraging(face, asked):
    """
    Nobody knows what was asked; the call is on the record.
    """
    assert face.outcome(asked, {}).bevraging is None


@pytest.mark.parametrize(
    ("excess", "status", "note"),
    [
        (Excess.ACCEPT, 200, "above the quota of the hour"),
        (Excess.REFUSE, 500, f"above the quota of the hour: refused; {TOO_MANY}"),
        (Excess.POSTPONE, 500, f"above the quota of the hour: refused; {TOO_MANY}"),
    ],
)
def test_above_the_norm_of_the_hour(box, face, excess, status, note):
    """
    By default every question is answered and noted; when a tester wants it, the next one gets a DependentServiceFault, until the hour is over.
    """
    usage = box.abonnementen.usage
    usage.excess, usage.others = excess, {"validatie": limits().validatie_per_hour - 1}

    first, second = (face.outcome(posted(YES), {}) for _ in range(2))
    box.clock.advance(timedelta(hours=1))
    usage.others = {}
    third = face.outcome(posted(YES), {})

    assert [outcome.status for outcome in (first, second, third)] == [200, status, 200]
    assert (first.bevraging.note, second.bevraging.note, third.bevraging.note) == ("", note, "")
    assert (b"DependentServiceFault" in second.content, second.bevraging.is_answered) == (status == 500, status == 200)


@pytest.fixture
def post(urls):
    """Post questions to a Berichtenbox that listens."""
    with httpx.Client(timeout=30, verify=False, trust_env=False) as client:
        headers = {"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{ACTION}"'}
        yield lambda *keys: client.post(urls.wus, content=posted(*keys).body, headers=headers)


def test_the_record_is_there_before_the_answer(live, post):
    """
    Once the answer is there, the bevraging is in the ledger; the one of a mark on is found.
    """
    post(YES)
    mark = live.mark()

    assert post(NO, YES).status_code == 200

    (bevraging,) = live.bevragingen(mark)
    assert (bevraging.asked, list(bevraging.bsns), bevraging.is_answered, bevraging.seq) == (Asked.VALIDATIE, [YES, NO], True, mark.bevraging + 1)
    assert [call.subject for call in live.calls(mark)] == ["2 klanten"]


def bevragingen(live):
    """Return (BSNs, whether it was answered, the note) of each question on the record."""
    return [(list(item.bsns), item.is_answered, item.note) for item in live.bevragingen(Mark(0, 0))]


@pytest.mark.parametrize("name", ["reset-after-work", "truncated-answer"])
def test_an_answer_that_never_arrived_is_none(live, post, name):
    """
    A question that was read and whose answer was lost is on the record as not answered.
    """
    live.fault(name, on="validate")

    with pytest.raises(httpx.HTTPError, match=r"reset|disconnect|closed"):
        post(YES)

    assert bevragingen(live) == [([YES], False, DROPPED)]


def test_a_question_that_was_never_read_is_none(live, post):
    """
    A fault that keeps the work from being done leaves no bevraging.
    """
    live.fault("unavailable", on="validate")

    assert (post(YES).status_code, bevragingen(live)) == (503, [])


def test_an_abonnement_with_a_nil_klant_is_read_as_such(face):
    """
    A reader that survives it finds no citizen there.
    """
    first = read_antwoord(answer_of(face.outcome(posted(YES), struck("klant-nil")))).abonnementen[0]

    assert first == Abonnement(None, is_bericht_sturen=True)


def test_the_most_citizens_are_one_bevraging(face):
    """
    250 citizens: BsnList keeps four bytes of each.
    """
    bsns = reserved_test_bsns()[:250]

    outcome = face.outcome(posted(*bsns), {})

    assert outcome.bevraging.bsns == BsnList.of(bsns)
    assert [key for key, _ in told(outcome)] == list(bsns)
