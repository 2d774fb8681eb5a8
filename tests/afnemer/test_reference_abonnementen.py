"""Abonnementen of the reference Afnemer: what is asked goes until it is there, and what is answered is applied whole, once."""

import gzip
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.reference.abonnementen import OVERLAP, Abonnees
from conformance.afnemer.reference.gateway import PermanentTroubleError, TemporaryTroubleError
from conformance.afnemer.reference.sending import PERMANENT_TRIES, Connection
from conformance.afnemer.reference.store import Store
from conformance.limits import limits
from conformance.messages.abonnement import Soort, packed_antwoord, plain_antwoord, read_aanvraag
from conformance.messages.envelope import Action, Envelope, Part
from conformance.messages.moments import read_moment, write_moment

OIN = "00000099000000001000"
ONE, TWO, THREE, FOUR = "999990007", "999990019", "999990020", "999990032"
NO_BSN, FAILS = "12345678", "999990008"
START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


class World:
    """An Afnemer that asks about abonnementen, the mail that it sends and gets, and its clock."""

    def __init__(self, file):
        self.file, self.moment = file, START
        self.sent, self.trouble, self.inbox, self.marked = [], [], {}, []
        self.numbers = iter(range(1, 100))
        self.open()

    def open(self, kind=Abonnees):
        self.store = Store(self.file)
        connection = Connection("", "CPA-1", OIN, "00000099000000002000", ("BELAST",))
        self.abonnees = kind(connection, self.store, self, lambda: self.moment, lambda: f"0000000a-0000-4000-8000-{next(self.numbers):012}")

    def close(self):
        self.store.close()

    # -- the gateway

    def send(self, envelope):
        if self.trouble:
            raise self.trouble.pop(0)
        self.sent.append(envelope)
        return f"m-{len(self.sent)}"

    def waiting(self, cpa_id, action):
        assert (cpa_id, action) == ("CPA-1", "GLOBE-R-A-Result")
        if self.trouble:
            raise self.trouble.pop(0)
        return [message_id for message_id in self.inbox if message_id not in self.marked]

    def fetch(self, message_id):
        if self.trouble:
            raise self.trouble.pop(0)
        return self.inbox[message_id]

    def mark(self, message_id):
        self.marked.append(message_id)

    # -- what tests do

    @property
    def asked(self):
        """What was asked, as Logius reads it."""
        return [read_aanvraag(envelope.parts[0].content) for envelope in self.sent]

    def later(self, **by):
        self.moment += timedelta(**by)

    def put(self, *contents, message_id=None):
        """Put a message in the inbox with these payload parts."""
        parts = tuple(Part(content, "application/gzip") for content in contents)
        self.inbox[message_id or f"r-{len(self.inbox) + 1}"] = Envelope("CPA-1", "urn:osb:oin:x", "SP", "s", Action.A_RESULT, parts=parts)

    def answer(self, verzoek_id, **voorkeuren):
        """Put an answer in the inbox."""
        self.put(answer_to(verzoek_id, **voorkeuren))

    def told(self, verzoek_id):
        return self.abonnees.preferences(verzoek_id)

    def known(self, *bsns):
        """Return the abonnementen that are known: whether they are active, by BSN."""
        return {f"{bsn:09}": is_actief for bsn, bericht_type, is_actief, _ in self.store.checks(bsns or [ONE, TWO, THREE, FOUR]) if not bericht_type}


def answer_to(verzoek_id, yes=(), no=()):
    """Return a packed answer."""
    return b"".join(packed_antwoord(OIN, verzoek_id, [*((int(bsn), True) for bsn in yes), *((int(bsn), False) for bsn in no)]))


@pytest.fixture
def world(tmp_path):
    """An Afnemer that never asked anything."""
    with closing(World(tmp_path / "afnemer.db")) as made:
        yield made


# -- what is asked ---------------------------------------------------------------------------------------------------------------------------


def test_alles_asks_for_nothing_in_particular(world):
    """
    A request goes at once under a VerzoekId of its own, from us to Logius, and is open.
    """
    first, second = world.abonnees.request(Soort.ALLES), world.abonnees.request(Soort.ALLES)

    assert [(item.soort, item.oin, item.verzoek_id) for item in world.asked] == [(Soort.ALLES, OIN, first), (Soort.ALLES, OIN, second)]
    assert first != second
    envelope = world.sent[0]
    assert (envelope.action, envelope.from_role, envelope.from_party) == ("GLOBE-R-A-Request", "SR", f"urn:osb:oin:{OIN}")
    assert (envelope.to_role, envelope.to_party) == ("SP", "urn:osb:oin:00000099000000002000")
    assert world.told(first) == (False, {})


def test_list_asks_each_possible_bsn_once(world):
    """
    A BSN that comes twice is asked once, and what cannot be one is not asked: it is not active.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [TWO, ONE, TWO, NO_BSN, FAILS, NO_BSN])
    world.answer(verzoek_id, yes=[TWO])
    world.abonnees.receive()

    assert list(world.asked[0].bsns) == [ONE, TWO]
    assert world.told(verzoek_id) == (True, {ONE: False, TWO: True, NO_BSN: False, FAILS: False})


def test_list_without_a_possible_bsn_is_not_sent(world):
    """
    With nobody left to ask about the outcome is known.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [NO_BSN])

    assert world.sent == []
    assert world.told(verzoek_id) == (True, {NO_BSN: False})


def test_too_long_a_list_is_refused(world, monkeypatch):
    """
    A list that Logius does not take does not leave, and the text says what it takes.
    """
    monkeypatch.setattr("conformance.afnemer.reference.abonnementen.limits", lambda: type("L", (), {"abonnement_bsns_max": 2}))
    world.abonnees.request(Soort.BSN_LIJST, [ONE, TWO, ONE])
    with pytest.raises(ValueError, match="the list has 3 BSNs; one request takes at most 2"):
        world.abonnees.request(Soort.BSN_LIJST, [ONE, TWO, THREE])

    assert len(world.sent) == 1
    assert limits().abonnement_bsns_max == 1_000_000


@pytest.mark.parametrize(
    ("soort", "vanaf", "text"),
    [(Soort.BSN_LIJST, None, "needs at least one bsn"), (Soort.MUTATIES, None, "ask alles first"), (Soort.MUTATIES, "gisteren", "no RFC 3339 time")],
)
def test_what_cannot_be_asked_is_refused(world, soort, vanaf, text):
    """
    A list of nobody, and mutaties since nobody knows when, are refused.
    """
    with pytest.raises(ValueError, match=text):
        world.abonnees.request(soort, (), vanaf)

    assert world.sent == []


def test_given_moment_is_asked_in_zulu(world):
    """
    The moment from which mutaties are asked is the one that was given.
    """
    world.abonnees.request(Soort.MUTATIES, (), "2026-03-01T09:00:00.5+01:00")

    assert world.asked[0].mutatie_datum == "2026-03-01T08:00:00.500Z"


def since(world):
    """Ask mutaties, and return how long before START they begin."""
    world.abonnees.request(Soort.MUTATIES)
    return START - read_moment(world.asked[-1].mutatie_datum).at


@pytest.mark.parametrize("soort", [Soort.ALLES, Soort.BSN_LIJST])
def test_mutaties_reach_back_before_the_previous_request(world, soort):
    """
    They begin some minutes before the moment at which was asked, not at the one of the answer.
    """
    verzoek_id = world.abonnees.request(soort, [ONE])
    world.later(hours=3)
    world.answer(verzoek_id)
    world.abonnees.receive()

    assert since(world) == OVERLAP


def test_mutaties_leave_no_gap(world):
    """
    They build on what was answered without a gap: not on a list of some, nor on mutaties that began too late, nor on what was never answered.
    """
    steps = [(Soort.ALLES, None), (Soort.BSN_LIJST, None), (Soort.MUTATIES, write_moment(START + timedelta(hours=2)))]
    for hours, (soort, vanaf) in enumerate(steps):
        world.moment = START + timedelta(hours=hours)
        verzoek_id = world.abonnees.request(soort, [ONE], vanaf)
        world.answer(verzoek_id)
        world.abonnees.receive()
    world.abonnees.request(Soort.ALLES)
    before = since(world)
    world.answer(world.asked[-1].verzoek_id)
    world.abonnees.receive()

    assert before == OVERLAP
    assert since(world) == OVERLAP - timedelta(hours=2)


def test_mutaties_before_any_answer_reach_back_to_the_first_request(world):
    """
    As long as nothing is answered the first request that left is the safe one.
    """
    world.trouble = [TemporaryTroubleError("away")]
    world.abonnees.request(Soort.ALLES)
    world.later(minutes=1)
    world.abonnees.send_waiting()
    world.later(hours=1)
    world.abonnees.request(Soort.ALLES)

    assert since(world) == OVERLAP


# -- until it is there -----------------------------------------------------------------------------------------------------------------------


def test_request_goes_again_until_it_is_there(world):
    """
    Trouble that passes is waited for, also by what comes after; the VerzoekId stays, and it goes no more than needed.
    """
    world.trouble = [TemporaryTroubleError("away")] * 3
    ids = [world.abonnees.request(Soort.ALLES), world.abonnees.request(Soort.BSN_LIJST, [ONE])]
    world.close()
    world.open()
    has_sent = [world.abonnees.send_waiting() for _ in range(3)]

    assert has_sent == [False, True, False]
    assert [item.verzoek_id for item in world.asked] == ids


def test_request_that_is_refused_is_given_up(world):
    """
    What is refused a few times stays open, and stands in the way of nothing.
    """
    world.trouble = [PermanentTroubleError("500")] * PERMANENT_TRIES
    verzoek_id = world.abonnees.request(Soort.ALLES)
    for _ in range(PERMANENT_TRIES):
        world.abonnees.send_waiting()

    assert world.sent == []
    assert world.store.verzoeken_to_send() == []
    assert world.told(verzoek_id) == (False, {})


def test_answer_stops_the_repeating(world):
    """
    A request of which only the answer of the gateway got lost is answered, and does not go again.
    """
    world.trouble = [TemporaryTroubleError("the answer got lost")]
    verzoek_id = world.abonnees.request(Soort.ALLES)
    world.answer(verzoek_id, yes=[ONE])
    has_received = world.abonnees.receive()

    assert has_received
    assert world.abonnees.send_waiting() is False
    assert world.told(verzoek_id) == (True, {ONE: True})


# -- what is answered ------------------------------------------------------------------------------------------------------------------------


def answered(world, soort, *bsns, yes=(), no=()):
    """Ask, answer and receive; return the VerzoekId."""
    verzoek_id = world.abonnees.request(soort, bsns, "2026-02-01T00:00:00Z" if soort is Soort.MUTATIES else None)
    world.answer(verzoek_id, yes=yes, no=no)
    world.abonnees.receive()
    return verzoek_id


def test_alles_says_it_of_everybody(world):
    """
    Who is in the answer is active; everybody else who is known is not, also who is known for one BerichtType only.
    """
    answered(world, Soort.BSN_LIJST, ONE, TWO, yes=[ONE, TWO])
    world.store.keep_voorkeuren([(int(FOUR), True)], START.timestamp(), "BELAST")
    verzoek_id = answered(world, Soort.ALLES, yes=[TWO, THREE])

    assert world.known() == {ONE: False, TWO: True, THREE: True, FOUR: False}
    assert world.told(verzoek_id) == (True, {TWO: True, THREE: True})
    assert world.marked == ["r-1", "r-2"]


def test_empty_alles_is_an_answer(world):
    """
    Nobody is an answer.
    """
    answered(world, Soort.BSN_LIJST, ONE, yes=[ONE])
    verzoek_id = answered(world, Soort.ALLES)

    assert world.known() == {ONE: False}
    assert world.told(verzoek_id) == (True, {})


def test_list_says_it_of_who_was_asked(world):
    """
    Who is absent is not active, who was not asked about is ignored, and nobody else changes.
    """
    answered(world, Soort.BSN_LIJST, ONE, TWO, FOUR, yes=[FOUR, TWO])
    verzoek_id = answered(world, Soort.BSN_LIJST, ONE, TWO, THREE, yes=[THREE, ONE, "999999990", "000000012"])

    assert world.known(ONE, TWO, THREE, FOUR, "999999990") == {ONE: True, TWO: False, THREE: True, FOUR: True}
    assert world.told(verzoek_id) == (True, {ONE: True, TWO: False, THREE: True})


def test_mutaties_say_it_of_who_changed(world):
    """
    Each line is the last status; who is absent stays as they were.
    """
    answered(world, Soort.BSN_LIJST, ONE, TWO, THREE, yes=[ONE, TWO])
    verzoek_id = answered(world, Soort.MUTATIES, yes=[THREE], no=[ONE])

    assert world.known() == {ONE: False, TWO: True, THREE: True}
    assert world.told(verzoek_id) == (True, {THREE: True, ONE: False})


def test_crossed_answers_find_their_request(world):
    """
    Answers come in any order, and under the id in any case.
    """
    first, second = world.abonnees.request(Soort.BSN_LIJST, [ONE]), world.abonnees.request(Soort.BSN_LIJST, [TWO])
    world.answer(second.upper(), yes=[TWO])
    world.abonnees.receive()
    meanwhile = world.told(first)
    world.later(hours=4)
    world.answer(first)
    world.abonnees.receive()

    assert meanwhile == (False, {})
    assert (world.told(first), world.told(second)) == ((True, {ONE: False}), (True, {TWO: True}))


def test_second_answer_changes_nothing(world):
    """
    The first answer counts; another one is marked, and that is all.
    """
    verzoek_id = answered(world, Soort.BSN_LIJST, ONE, yes=[ONE])
    world.answer(verzoek_id)
    has_received = world.abonnees.receive()

    assert has_received
    assert world.known() == {ONE: True}
    assert world.told(verzoek_id) == (True, {ONE: True})
    assert world.marked == ["r-1", "r-2"]


@pytest.mark.parametrize("make", [plain_antwoord, lambda *rest: b"".join(packed_antwoord(*rest)), lambda *rest: gzip.compress(plain_antwoord(*rest))])
def test_answer_may_be_packed(world, make):
    """
    The bytes say whether an answer is packed.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [ONE])
    world.put(make(OIN, verzoek_id, [(int(ONE), True)]))
    world.abonnees.receive()

    assert world.told(verzoek_id) == (True, {ONE: True})


def test_answer_is_found_among_the_parts(world):
    """
    What is no answer, belongs to nobody or breaks off stands in the way of none.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [ONE, TWO])
    world.put(
        b"Bijgevoegd het antwoord.", answer_to("v-unknown", yes=[ONE]), answer_to(verzoek_id, yes=[TWO])[:-30], answer_to(verzoek_id, yes=[ONE])
    )
    world.abonnees.receive()

    assert world.told(verzoek_id) == (True, {ONE: True, TWO: False})


BOMB = gzip.compress(b"<a>" + b" " * 70_000_000)
BROKEN = {
    "no part": lambda _: (),
    "no xml": lambda _: (b"Storing",),
    "unknown": lambda _: (answer_to("0000000a-0000-4000-8000-00000000dead", yes=[ONE]),),
    "no id": lambda _: (answer_to("", yes=[ONE]),),
    "cut off": lambda verzoek_id: (answer_to(verzoek_id, yes=[ONE])[:-30],),
    "cut off xml": lambda verzoek_id: (plain_antwoord(OIN, verzoek_id, [(int(ONE), True)] * 3_000)[:-30],),
    "status": lambda verzoek_id: (plain_antwoord(OIN, verzoek_id, [(int(ONE), True)]).replace(b">Actief<", b">Misschien<"),),
    "bsn": lambda verzoek_id: (plain_antwoord(OIN, verzoek_id, [(int(ONE), True)]).replace(ONE.encode(), b"99999000"),),
    "doctype": lambda verzoek_id: (
        plain_antwoord(OIN, verzoek_id, [(int(ONE), True)]).replace(b"?>", b"?><!DOCTYPE a SYSTEM 'http://x.invalid/'>", 1),
    ),
    "bomb": lambda _: (BOMB,),
}


@pytest.mark.attack
@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_unusable_answer_is_set_aside(world, make):
    """
    Nothing of it is kept, a person can find it, it is looked at once, and the answer behind it is applied.
    """
    answered(world, Soort.BSN_LIJST, TWO, yes=[TWO])
    verzoek_id = world.abonnees.request(Soort.ALLES)
    world.put(*make(verzoek_id), message_id="odd")
    first, second = world.abonnees.receive(), world.abonnees.receive()
    meanwhile = world.known(), world.told(verzoek_id)
    world.answer(verzoek_id, yes=[FOUR])
    world.abonnees.receive()

    ((stray, reason),) = world.store.strays()
    assert (first, second, meanwhile) == (False, False, ({TWO: True}, (False, {})))
    assert (stray, "odd" in world.marked) == ("odd", False)
    assert reason
    assert ONE not in reason
    assert world.known() == {TWO: False, FOUR: True}


def test_answer_is_marked_after_it_is_kept(world):
    """
    A crash between the two brings the answer again, and it changes nothing then.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [ONE])
    world.answer(verzoek_id, yes=[ONE])
    kept = []
    world.mark = lambda _message_id: kept.append(world.told(verzoek_id))
    world.abonnees.receive()
    world.abonnees.receive()

    assert kept == [(True, {ONE: True})] * 2


@pytest.mark.parametrize("trouble", [TemporaryTroubleError, PermanentTroubleError])
def test_trouble_while_asking_what_waits_passes(world, trouble):
    """
    A gateway that cannot be asked is asked again.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [ONE])
    world.answer(verzoek_id)
    world.trouble = [trouble("away")]
    first, was_troubled = world.abonnees.receive(), world.abonnees.is_troubled
    second = world.abonnees.receive()

    assert (first, was_troubled, second, world.abonnees.is_troubled) == (False, True, True, False)


def test_trouble_while_fetching_passes(world):
    """
    An answer that could not be fetched is fetched in the next round.
    """
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [ONE])
    world.answer(verzoek_id)
    fetch, troubles = world.fetch, [TemporaryTroubleError("away")]

    def fetch_later(message_id):
        if troubles:
            raise troubles.pop()
        return fetch(message_id)

    world.fetch = fetch_later
    first, was_troubled = world.abonnees.receive(), world.abonnees.is_troubled

    assert (first, was_troubled) == (False, True)
    assert world.abonnees.receive() is True


def test_who_never_asked_looks_for_no_answer(world):
    """
    As long as nothing was asked the gateway is left alone, and nothing is known.
    """
    world.trouble = [TemporaryTroubleError("away")]

    assert world.abonnees.receive() is False
    assert len(world.trouble) == 1
    assert world.told("v-1") is None


def test_many_lines_are_applied_in_any_order(world):
    """
    A list and its answer may be long; the order says nothing.
    """
    numbers = range(100_000_000, 100_020_000)
    world.abonnees.failing = lambda _asked: ()
    verzoek_id = world.abonnees.request(Soort.BSN_LIJST, [str(number) for number in numbers])
    world.put(b"".join(packed_antwoord(OIN, verzoek_id, ((number, True) for number in reversed(numbers) if number % 2))))
    world.abonnees.receive()
    is_answered, told = world.told(verzoek_id)

    assert is_answered
    assert len(told) == len(numbers)
    assert all(is_actief == int(bsn) % 2 for bsn, is_actief in told.items())


def test_reading_goes_on_while_an_answer_is_applied(world):
    """
    Another thread may ask at any moment.
    """
    verzoek_id = world.abonnees.request(Soort.ALLES)
    world.answer(verzoek_id, yes=[ONE])
    thread = threading.Thread(target=world.abonnees.receive)
    thread.start()
    thread.join()

    assert world.told(verzoek_id) == (True, {ONE: True})
