"""Who gets a letter: only who takes it, by a check of at most a week old, and a herlevering is complete."""

import random
from contextlib import closing
from datetime import UTC, datetime

import pytest

from conformance.afnemer.reference.gateway import TemporaryTroubleError
from conformance.afnemer.reference.sending import MOST_ROUNDS, Connection, Sender
from conformance.afnemer.reference.store import Store
from conformance.afnemer.reference.validating import ValidationRefusedError, Validator
from conformance.rules.grading import read_offer

YES, NO, UNKNOWN = "999990007", "999990019", "999990020"
NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


class Answers(Validator):
    """Asks nobody: ``says`` holds the outcomes, and ``refusal`` what is raised instead."""

    def __init__(self, store):
        super().__init__("00000099000000001000", store, "", None, lambda: NOW)
        self.says, self.refusal, self.asked = {YES: True, NO: False}, None, []

    def validate(self, bericht_type, bsns):
        self.asked.append((bericht_type, sorted(bsns)))
        if self.refusal is not None:
            raise self.refusal
        outcomes = {bsn: self.says[bsn] for bsn in bsns if bsn in self.says}
        self.record(bericht_type, outcomes)
        return outcomes


class Mail:
    """A gateway that takes everything, unless there is trouble."""

    def __init__(self):
        self.sent, self.trouble = [], []

    def send(self, envelope):
        if self.trouble:
            raise self.trouble.pop()
        self.sent.append(envelope)
        return f"m-{len(self.sent)}"

    @property
    def bsns(self):
        return [[bericht.gebruiker_id for bericht in read_offer(envelope.parts[0].content).batch.berichten] for envelope in self.sent]


class World:
    """The sending half with its validator."""

    def __init__(self, file):
        self.store, self.mail = Store(file), Mail()
        self.validator = Answers(self.store)
        connection = Connection("", "CPA-1", "00000099000000001000", "00000099000000002000", ("BELAST", "PASPOORT"))
        self.sender = Sender(connection, self.store, self.mail, lambda: NOW, random.randrange(10_000), self.validator)

    def close(self):
        self.store.close()

    def deliver(self, *bsns, bericht_type="BELAST"):
        """Deliver a batch with a letter for each, and return their BerichtIDs by BSN."""
        ids = self.sender.deliver([{"bsn": bsn, "berichtType": bericht_type} for bsn in bsns], None)
        return {bsn: bericht_id for bsn, (bericht_id, _) in zip(bsns, ids, strict=True)}

    def status(self, bericht_id):
        stored = self.store.bericht(bericht_id)
        return stored.status, stored.code


@pytest.fixture
def world(tmp_path):
    """An Afnemer that knows nobody yet."""
    with closing(World(tmp_path / "afnemer.db")) as made:
        yield made


def test_who_refused_gets_no_letter(world):
    """
    All of an offer are asked together; who said no gets it in another way, the rest goes, and is not asked again within the week.
    """
    ids = world.deliver(YES, NO)
    world.deliver(YES)

    assert world.validator.asked == [("BELAST", [YES, NO])]
    assert world.mail.bsns == [[YES], [YES]]
    assert (world.status(ids[YES]), world.status(ids[NO])) == (("aangeboden", None), ("ander-kanaal", None))
    assert world.store.outbox() == ()


def test_offer_that_nobody_takes_does_not_leave(world):
    """
    Nothing is left of it, and nothing waits.
    """
    ids = world.deliver(NO)

    assert world.mail.sent == []
    assert world.store.outbox() == ()
    assert world.status(ids[NO]) == ("ander-kanaal", None)


def test_abonnement_counts_for_every_type(world):
    """
    A check of the abonnement needs no question.
    """
    world.store.keep_voorkeuren([(int(UNKNOWN), True), (int(YES), False)], NOW.timestamp())
    world.deliver(UNKNOWN, YES, bericht_type="PASPOORT")

    assert world.validator.asked == []
    assert world.mail.bsns == [[UNKNOWN]]


def test_offer_waits_for_an_outcome(world):
    """
    Nothing leaves for whom it is not known, nor for who is with them; the no is told at once, and with an outcome it goes.
    """
    ids = world.deliver(YES, NO, UNKNOWN)
    meanwhile = world.mail.bsns, world.status(ids[NO]), world.status(ids[UNKNOWN])
    world.validator.says[UNKNOWN] = True
    has_sent = world.sender.send_waiting()

    assert meanwhile == ([], ("ander-kanaal", None), ("aangeboden", None))
    assert has_sent
    assert world.mail.bsns == [[YES, UNKNOWN]]
    assert world.validator.asked == [("BELAST", [YES, NO, UNKNOWN]), ("BELAST", [UNKNOWN])]


def test_waiting_ends_with_a_person(world):
    """
    After some rounds somebody looks at whom it is not known of, and the others get their letter.
    """
    ids = world.deliver(YES, UNKNOWN)
    sent = []
    for _ in range(MOST_ROUNDS):
        sent.append(len(world.mail.sent))
        world.sender.send_waiting()

    assert sent == [0] * (MOST_ROUNDS - 1) + [1]
    assert world.mail.bsns == [[YES]]
    assert (world.status(ids[YES]), world.status(ids[UNKNOWN])) == (("aangeboden", None), ("handmatig", None))
    assert len(world.validator.asked) == MOST_ROUNDS


def test_refused_question_goes_to_a_person(world):
    """
    A question that the service refuses is not repeated; who is known to take it gets their letter.
    """
    world.store.keep_voorkeuren([(int(YES), True)], NOW.timestamp())
    world.validator.refusal = ValidationRefusedError("mag niet")
    ids = world.deliver(YES, UNKNOWN)

    assert world.mail.bsns == [[YES]]
    assert world.status(ids[UNKNOWN]) == ("handmatig", None)
    assert len(world.validator.asked) == 1
    assert world.store.outbox() == ()


def test_trouble_of_the_gateway_asks_nobody_twice(world):
    """
    What is known stays known while the offer waits.
    """
    world.mail.trouble = [TemporaryTroubleError("away")]
    world.deliver(YES)
    world.sender.send_waiting()

    assert world.mail.bsns == [[YES]]
    assert len(world.validator.asked) == 1


def test_offering_again_is_checked_and_herlevering_is_not(world):
    """
    After a rejection a letter goes to who still takes it; what Logius had comes again in a herlevering, whatever they want by now.
    """
    ids = world.deliver(YES)
    world.store.keep_voorkeuren([(int(YES), False)], NOW.timestamp())
    count = world.sender.redeliver(NOW, NOW)
    world.store.set_status(ids[YES], "opnieuw-aangeboden", "TechnischProbleem")
    world.sender.offer_again(world.store.bericht(ids[YES]))
    world.sender.send_waiting()

    assert count == 1
    assert world.mail.bsns == [[YES], [YES]]
    assert world.status(ids[YES]) == ("ander-kanaal", "TechnischProbleem")


def test_herlevering_leaves_out_what_never_left(world):
    """
    Who refused was not in the offer, so not in the herlevering either.
    """
    world.deliver(YES, NO)

    assert world.sender.redeliver(NOW, NOW) == 1
    assert world.mail.bsns == [[YES], [YES]]


def test_stored_letter_stays_stored(world):
    """
    A result that came in between outweighs a no.
    """
    ids = world.deliver(YES)
    world.store.keep_voorkeuren([(int(YES), False)], NOW.timestamp())
    world.sender.offer_again(world.store.bericht(ids[YES]))
    world.store.set_status(ids[YES], "verwerkt", "Verwerkt", applied=1)
    world.sender.send_waiting()

    assert world.status(ids[YES]) == ("verwerkt", "Verwerkt")
    assert world.mail.bsns == [[YES]]


def test_without_a_service_nobody_is_asked(world):
    """
    An Afnemer that was not told where the service is sends as before.
    """
    world.sender.validator = None
    world.deliver(NO, UNKNOWN)

    assert world.mail.bsns == [[NO, UNKNOWN]]
    assert world.validator.asked == []


def test_what_is_no_bsn_is_not_asked_about(world):
    """
    Keeping it back is what the own checks do; a sender without them is not saved by an outcome.
    """
    world.sender.not_checked = world.sender.not_checked | {"AANL-076"}
    world.deliver("999990008", YES)

    assert world.validator.asked == [("BELAST", [YES])]
    assert world.mail.bsns == [["999990008", YES]]
