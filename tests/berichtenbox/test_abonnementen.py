"""The abonnementservices of a Berichtenbox from request to answer: the three variants, who is not answered, and when an answer comes."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox import abonnementen
from conformance.berichtenbox.abonnementen import NOT_OF_THIS_CONNECTION, TOO_MANY, UNKNOWN_MOMENT
from conformance.berichtenbox.box import Berichtenbox, Mark
from conformance.berichtenbox.citizens import Asked
from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.sql import SqlLedger
from conformance.berichtenbox.usage import Excess
from conformance.limits import limits
from conformance.messages.abonnement import AbonnementAanvraag, read_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Action
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.moments import write_moment

OIN, CLIENT_OIN, STRANGER = "00000099000000001000", "00000099000000003000", "00000099000000002000"
BSNS = reserved_test_bsns()
ONE, TWO, THREE, UNKNOWN = BSNS[0], BSNS[1], BSNS[2], "123456782"
EVERYBODY = Mark(0, 0)
_numbers = itertools.count(1)


@pytest.fixture
def ledger():
    """A ledger in memory."""
    with SqlLedger("sqlite://") as opened:
        yield opened


def new_verzoek():
    return f"abcdefab-0000-4000-8000-{next(_numbers):012d}"


def alles(**changes):
    """Return a request for everybody, with an id of its own."""
    return replace(AbonnementAanvraag(OIN, new_verzoek()), **changes)


def lijst(*bsns, **changes):
    """Return a request about these citizens."""
    return alles(bsns=BsnList.of(bsns), **changes)


def mutaties(since, **changes):
    """Return a request for what changed since a moment."""
    return alles(mutatie_datum=since if isinstance(since, str) else write_moment(since), **changes)


@pytest.fixture
def ask(box, make):
    """Let the Berichtenbox accept a request, and do what is due; returns its MessageId."""

    def send(aanvraag, message_id=None):
        payload = aanvraag if isinstance(aanvraag, bytes) else aanvraag.to_xml()
        sent = message_id or f"{new_verzoek()}@afnemer.example"
        box.accept(make.envelope(box, payload, sent, action=Action.A_REQUEST, conversation_id=sent))
        box.settle()
        return sent

    return send


def content_of(box, message):
    """Return the payload of an answer in pieces, from the message or from the ledger."""
    return box.ledger.citizens.content(message.kept) if message.kept else [message.envelope.parts[0].content]


def answers(box):
    """Return (VerzoekId, citizens with their status) of each answer that was offered, in that order."""
    found = []
    for message in box.ledger.results(0):
        stream = read_antwoord(content_of(box, message))
        found.append((stream.verzoek_id, [(line.bsn, line.is_actief) for line in stream]))
    return found


def last(box):
    """Return the citizens of the last answer."""
    return answers(box)[-1][1]


def yes(*bsns):
    return [(bsn, True) for bsn in bsns]


# -- the three variants ------------------------------------------------------------------------------------------------------------------------


def test_an_answer_goes_back_the_way_of_its_request(box, ask):
    """
    Parties and roles change places; it refers to the request, and is a gzip file with its OIN and VerzoekId.
    """
    aanvraag = lijst(ONE)

    sent = ask(aanvraag)

    (offer,), (message,) = box.ledger.offers(0), box.ledger.results(0)
    envelope, (part,) = message.envelope, message.envelope.parts
    assert (offer.state, offer.grading.findings) == (State.PROCESSED, ())
    assert (envelope.action, envelope.from_role, envelope.to_role) == ("GLOBE-R-A-Result", "SP", "SR")
    assert (envelope.from_party, envelope.to_party) == (box.connection.logius_party, box.connection.afnemer_party)
    assert (envelope.ref_to_message_id, envelope.conversation_id) == (sent, offer.envelope.conversation_id)
    assert (part.content_type, part.content[:2]) == ("application/gzip", b"\x1f\x8b")
    assert (read_antwoord([part.content]).oin, answers(box)) == (OIN, [(aanvraag.verzoek_id, yes(ONE))])


def test_alles_holds_who_takes_letters_and_nobody_else(box, ask):
    """
    Without an active Berichtenbox, or without wanting letters of this Afnemer, a citizen is not in it.
    """
    box.set_burger(ONE, wants=False)
    box.set_voorkeur(TWO, wants=False)
    box.set_voorkeur(THREE, wants=False, oin=CLIENT_OIN)
    box.set_voorkeur(BSNS[3], wants=False, bericht_type="BELAST")

    ask(alles())

    assert last(box) == yes(*BSNS[2:])


def test_a_list_answers_about_its_citizens_only(box, ask):
    """
    Who is asked twice is answered once; who is unknown, gone or unwilling is not in it.
    """
    box.set_burger(TWO, wants=False)

    ask(lijst(THREE, UNKNOWN, ONE, TWO, ONE, "111111111"))

    assert last(box) == yes(ONE, THREE)


def test_nobody_is_an_answer_too(box, ask):
    """
    An empty answer comes as any other.
    """
    aanvraag = lijst(UNKNOWN)

    ask(aanvraag)

    assert answers(box) == [(aanvraag.verzoek_id, [])]


def test_mutaties_hold_each_change_once_with_the_last_status(box, ask, wall):
    """
    Both ends of the window count; what was before, and what was said to others or of one BerichtType, is no change.
    """
    box.set_burger(BSNS[4], wants=False)
    wall.tick(minutes=1)
    since = box.clock.now()
    box.set_burger(ONE, wants=False)
    wall.tick(minutes=1)
    box.set_voorkeur(TWO, wants=False)
    box.set_voorkeur(THREE, wants=False, oin=CLIENT_OIN)
    box.set_voorkeur(THREE, wants=False, bericht_type="BELAST")
    box.set_burger(BSNS[3], wants=False)
    wall.tick(minutes=1)
    box.set_burger(BSNS[3], wants=True)

    ask(mutaties(since))

    assert last(box) == [(ONE, False), (TWO, False), (BSNS[3], True)]


@pytest.mark.parametrize(("since", "expected"), [("12:00:00Z", [(ONE, False)]), ("13:00:00.001+01:00", []), ("12:00:00", [(ONE, False)])])
def test_the_moment_of_mutaties_is_read_with_its_zone(box, ask, since, expected):
    """
    An offset is an offset, and a moment without a zone is read as UTC.
    """
    box.set_burger(ONE, wants=False)

    ask(mutaties(f"2026-11-24T{since}"))

    assert last(box) == expected


def test_a_change_after_a_request_is_in_the_next_answer(box, ask, wall):
    """
    Nothing falls between two requests of which the second reaches back to the moment of the first.
    """
    first = box.clock.now()
    ask(mutaties(first))
    box.set_burger(ONE, wants=False)
    wall.tick(hours=1)

    ask(mutaties(first))

    assert [rows for _, rows in answers(box)] == [[], [(ONE, False)]]


def test_an_intermediair_asks_for_its_client(box, ask):
    """
    The answer is about the client: what a citizen said to the holder of the connection does not count.
    """
    box.set_voorkeur(ONE, wants=False)
    box.set_voorkeur(TWO, wants=False, oin=CLIENT_OIN)

    ask(lijst(ONE, TWO, oin=CLIENT_OIN))

    assert last(box) == yes(ONE)
    assert [item.oin for item in box.bevragingen(EVERYBODY)] == [CLIENT_OIN]


def test_a_large_answer_comes_from_the_ledger(box, ask, monkeypatch):
    """
    What does not fit in one piece is kept in pieces, and reads as one.
    """
    monkeypatch.setattr("conformance.berichtenbox.antwoorden.PIECE", 300)

    ask(alles())

    (message,) = box.ledger.results(0)
    assert (message.kept.size > 300, message.envelope.parts[0].content) == (True, b"")
    assert last(box) == yes(*BSNS)


# -- the record ----------------------------------------------------------------------------------------------------------------------------------


def test_each_request_is_a_bevraging(box, ask, wall):
    """
    Who asked what, on both clocks; a list with its citizens each once, and how many it had.
    """
    box.clock.advance(timedelta(hours=11))
    aanvragen = [alles(), lijst(TWO, ONE, TWO), mutaties(wall.at)]
    for aanvraag in aanvragen:
        ask(aanvraag)

    found = box.bevragingen(EVERYBODY)

    assert [item.asked for item in found] == [Asked.ALLES, Asked.BSN_LIJST, Asked.MUTATIES]
    assert [item.verzoek_id for item in found] == [aanvraag.verzoek_id for aanvraag in aanvragen]
    assert [(item.bsns and list(item.bsns), item.count, item.vanaf) for item in found] == [(None, 0, None), ([ONE, TWO], 3, None), (None, 0, wall.at)]
    assert {(item.moment, item.wall, item.note, item.is_answered) for item in found} == {(wall.at + timedelta(hours=11), wall.at, "", True)}
    assert [item.offer_seq for item in found] == [offer.seq for offer in box.ledger.offers(0)]


@pytest.mark.parametrize("is_together", [True, False])
def test_a_verzoek_id_that_comes_again_is_noted_and_answered(box, ask, make, is_together):
    """
    In one round or in two: the second is graded ABO-006, the first is not, and both are answered.
    """
    aanvraag = alles()
    if is_together:
        box.accept(make.envelope(box, aanvraag.to_xml(), "first@x", action=Action.A_REQUEST, conversation_id="c"))
    else:
        ask(aanvraag)

    ask(aanvraag)

    graded = [[finding.requirement for finding in offer.grading.findings] for offer in box.ledger.offers(0)]
    assert (graded, len(answers(box))) == ([[], ["ABO-006"]], 2)


def test_a_message_id_that_was_seen_is_eaten(box, ask):
    """
    A copy of a message is no second request: no answer, no bevraging.
    """
    sent = ask(alles())
    ask(alles(), sent)

    assert [offer.state for offer in box.ledger.offers(0)] == [State.PROCESSED, State.DUPLICATE]
    assert (len(answers(box)), len(box.bevragingen(EVERYBODY))) == (1, 1)


def test_the_citizens_of_a_request_are_in_no_representation(box, ask):
    """
    A bevraging shows no BSN.
    """
    ask(lijst(ONE))

    assert ONE not in repr(box.bevragingen(EVERYBODY)) + repr(box.ledger.offers(0))


# -- who is not answered -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"no xml", b"<a/>", alles().to_xml()[:-5], lijst(ONE).to_xml().replace(ONE.encode(), b"x")])
def test_what_cannot_be_read_is_closed_without_an_answer(box, ask, payload):
    """
    The findings say why; nothing else happens, and the next request is answered.
    """
    ask(payload)
    ask(alles())

    assert [bool(offer.grading.findings) for offer in box.ledger.offers(0)] == [True, False]
    assert (len(answers(box)), len(box.bevragingen(EVERYBODY))) == (1, 1)


@pytest.mark.parametrize(
    ("aanvraag", "note"),
    [
        (lijst(ONE, oin=STRANGER), NOT_OF_THIS_CONNECTION),
        (lijst(ONE, TWO, THREE), TOO_MANY),
        (mutaties("9999-12-31T23:59:59-14:00"), UNKNOWN_MOMENT),
    ],
)
def test_some_that_can_be_read_are_not_answered(box, ask, monkeypatch, aanvraag, note):
    """
    Of a stranger, of too many citizens, or since a moment that no clock has: on the record with why, and no answer.
    """
    few = replace(limits(), abonnement_bsns_max=2)
    monkeypatch.setattr(abonnementen, "limits", lambda: few)

    ask(aanvraag)

    assert [(item.note, item.is_answered) for item in box.bevragingen(EVERYBODY)] == [(note, False)]
    assert (answers(box), box.ledger.offers(0)[0].state) == ([], State.PROCESSED)


# -- when an answer comes ----------------------------------------------------------------------------------------------------------------------------


def test_a_late_answer_comes_on_the_business_clock(box, ask):
    """
    Until its moment nothing waits; then it says what was so when it was asked.
    """
    box.fault("late-answer", hours=4)
    ask(lijst(ONE))
    box.set_burger(ONE, wants=False)

    box.advance(hours=3.9)
    before = answers(box)
    box.advance(hours=0.2)

    assert (before, last(box)) == ([], yes(ONE))
    assert box.ledger.results(0)[0].business - box.ledger.offers(0)[0].business == timedelta(hours=4)


def test_answers_can_cross(box, ask):
    """
    The answer to the first of two requests comes after that to the second.
    """
    box.fault("crossed", times=2)
    first, second = lijst(ONE), lijst(TWO)
    ask(first)
    ask(second)

    box.advance(minutes=3)

    assert answers(box) == [(second.verzoek_id, yes(TWO)), (first.verzoek_id, yes(ONE))]


def test_what_stands_in_front_arrives_before_the_right_answer(box, ask):
    """
    Two documents for one request: the strange one first, the right one last, both about that request.
    """
    box.fault("answer-unknown-verzoek")
    box.set_burger(TWO, wants=False)
    aanvraag = lijst(ONE, TWO)

    sent = ask(aanvraag)

    (strange, reverse), right = answers(box)
    assert (strange != aanvraag.verzoek_id, reverse, right) == (True, yes(TWO), (aanvraag.verzoek_id, yes(ONE)))
    assert {message.envelope.ref_to_message_id for message in box.ledger.results(0)} == {sent}


@pytest.mark.parametrize(("name", "messages"), [("answer-twice", 1), ("answer-again", 2)])
def test_an_answer_comes_again_once_it_was_processed(box, ask, name, messages):
    """
    Under its own MessageId it waits once more; under a new one there are two messages.
    """
    box.fault(name)
    ask(lijst(ONE))

    for _ in range(3):
        for message_id in {message.envelope.message_id for message in box.ledger.results(0)}:
            now = box.clock.now()
            box.ledger.write([lambda writing, message_id=message_id, now=now: writing.mark_processed(message_id, now)])
        box.settle()

    assert {tuple(rows) for _, rows in answers(box)} == {tuple(yes(ONE))}
    assert len({message.envelope.message_id for message in box.ledger.results(0)}) == messages


def test_without_an_answer_there_is_still_a_bevraging(box, ask):
    """
    A fault keeps the answer away; the request counts.
    """
    box.fault("no-answer")

    ask(alles())

    assert (answers(box), len(box.bevragingen(EVERYBODY)), len(box.abonnementen.usage.counts())) == ([], 1, 1)


# -- the night -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "answered"),
    [
        ("2026-03-28T12:00Z", "2026-03-28T22:00Z"),  # the night in which an hour is lost
        ("2026-03-28T22:00Z", None),
        ("2026-03-29T04:59Z", None),
        ("2026-03-29T05:00Z", "2026-03-29T21:00Z"),
        ("2026-10-24T20:59Z", "2026-10-24T21:00Z"),  # the night in which an hour comes twice
        ("2026-10-25T00:30Z", None),
        ("2026-10-25T01:30Z", None),
        ("2026-10-25T05:59Z", None),
        ("2026-10-25T06:00Z", "2026-10-25T22:00Z"),
    ],
)
def test_by_day_a_request_waits_for_the_night_when_a_tester_wants_it(ledger, config, make, at, answered):
    """
    The night is one on the Dutch clock, seven hours in March and nine in October; by night the answer comes at once.
    """
    moment = datetime.fromisoformat(at).astimezone(UTC)
    box = Berichtenbox(ledger, config, wall=lambda: moment)
    box.abonnementen.usage.excess = Excess.POSTPONE
    box.accept(make.envelope(box, alles().to_xml(), "m@x", action=Action.A_REQUEST, conversation_id="c"))

    box.settle()
    at_once = len(answers(box))
    box.advance(hours=20)

    (message,), (bevraging,) = box.ledger.results(0), box.bevragingen(EVERYBODY)
    assert message.business == (moment if answered is None else datetime.fromisoformat(answered))
    assert (at_once, bevraging.note, bevraging.is_answered) == ((1, "", True) if answered is None else (0, "asked by day: postponed", True))


@pytest.mark.parametrize(
    ("excess", "note", "is_answered", "waits"),
    [
        (Excess.ACCEPT, "above the quota of the night", True, False),
        (Excess.POSTPONE, "above the quota of the night: postponed", True, True),
        (Excess.REFUSE, "above the quota of the night: refused", False, False),
    ],
)
@pytest.mark.parametrize(("night", "hours"), [("2026-03-28T22:00Z", 23), ("2026-10-24T21:00Z", 25), ("2026-11-24T22:00Z", 24)])
def test_above_the_quota_of_a_night(ledger, config, make, night, hours, excess, note, is_answered, waits):
    """
    The first that is one too many is answered, answered in the next night, or not answered, as a tester wants; the one before is fine.
    """
    start = datetime.fromisoformat(night)
    box = Berichtenbox(ledger, config, wall=lambda: start)
    box.abonnementen.usage.excess, box.abonnementen.usage.others = excess, {"alles": limits().abonnement_alles_per_night - 1}
    for name in ("fine", "above"):
        box.accept(make.envelope(box, alles().to_xml(), f"{name}@x", action=Action.A_REQUEST, conversation_id=name))

    box.advance(hours=26)

    fine, above = box.bevragingen(EVERYBODY)
    assert (fine.note, above.note, above.is_answered) == ("", note, is_answered)
    waited = {message.envelope.ref_to_message_id: message.business - start for message in reversed(box.ledger.results(0))}  # the first time counts
    expected = timedelta(hours=hours if waits else 0)
    assert waited == {"fine@x": timedelta()} | ({"above@x": expected} if is_answered else {})


def test_a_restart_knows_what_was_asked(ledger, config, ask, wall):
    """
    A Berichtenbox on the same ledger counts on, and remembers every VerzoekId.
    """
    aanvraag = alles()
    ask(aanvraag)

    again = Berichtenbox(ledger, config, wall=wall)

    assert [(count.soort, count.oin) for count in again.abonnementen.usage.counts()] == [("alles", OIN)]
    assert ledger.citizens.verzoek_ids([aanvraag.verzoek_id, new_verzoek()]) == {aanvraag.verzoek_id}
