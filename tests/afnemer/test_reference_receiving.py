"""The receiving half of the reference Afnemer: each result applied once, however it comes."""

import gzip
from dataclasses import replace

import pytest

from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.receiving import MOST_OFFERS
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import Status
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.messages.envelope import Part
from conformance.messages.unpack import PackedTooMuch
from conformance.messages.verwerkingsbericht import Resultaat, Stadium, UnreadableResult, VerwerkingsCode

PLAIN = {"bsn": "999990019", "berichtType": "BELAST", "onderwerp": "Uw aanslag", "tekst": "Tekst"}
OUTCOMES = [
    (VerwerkingsCode.VERWERKT, "verwerkt", 0),
    (VerwerkingsCode.TECHNISCH_PROBLEEM, "opnieuw-aangeboden", 1),
    (VerwerkingsCode.AANMAAK_DATUM, "opnieuw-aangeboden", 1),
    (VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD, "ander-kanaal", 0),
    (VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND, "handmatig", 0),
    (VerwerkingsCode.PUBLICATIE_DATUM, "handmatig", 0),
    (VerwerkingsCode.BERICHT_BESTAAT_AL, "handmatig", 0),
    (VerwerkingsCode.BIJLAGE_TE_GROOT, "handmatig", 0),
    (VerwerkingsCode.OIN_IN_CPA, "handmatig", 0),
    (VerwerkingsCode.XML_VALIDATIE, "handmatig", 0),
]


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox that works when it is told to."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=1)


@pytest.fixture
def party(box, tmp_path):
    """The reference Afnemer, with a database that stays."""
    with running(box, works_by_itself=False) as urls:
        made = ReferenceAfnemer({**connection_of(box, urls, 1), "AFNEMER_MAP": str(tmp_path)})
        yield made
        made.close()


def deliver(party, box, count=1, per_batch=None):
    """Deliver letters, have them processed, and return their BerichtIDs."""
    answer = party.berichten({"berichten": [PLAIN] * count, "perBatch": per_batch})
    box.settle()
    return [item["berichtId"] for item in answer["berichten"]]


def go_on(party, box, rounds=3):
    """Let both work for a few rounds."""
    for _ in range(rounds):
        party.work()
        box.settle()


def told(party, bericht_id):
    """Return what the Afnemer knows: status, code, and how often a result was applied."""
    known = party.bericht(bericht_id)
    return known["status"], known["verwerkingsCode"], known["verwerkt"]


def statuses(box):
    """Return the statuses of all results, in the order in which they were offered."""
    return [item.status for item in box.ledger.results(0)]


def push(party, box, bericht_id, code):
    """Let the Berichtenbox send one more result, and the Afnemer handle it."""
    box.push_result(box.ledger.offers(0)[0], [Resultaat(bericht_id, "BELAST", code, Stadium.STORE)])
    go_on(party, box)


# -- what each code asks for -----------------------------------------------------------------------------------------------------------------


def test_every_code_has_an_outcome():
    """
    No code of the XSD is forgotten here.
    """
    assert {code for code, _, _ in OUTCOMES} == set(VerwerkingsCode)


@pytest.mark.parametrize(("code", "status", "planned"), OUTCOMES)
def test_each_code_asks_for_something_else(party, box, code, status, planned):
    """
    A result is applied once and marked, and only what offering again can mend is planned again.
    """
    box.fault("code", code=code)
    (bericht_id,) = deliver(party, box)
    has_received = party.receiver.receive()

    assert has_received
    assert told(party, bericht_id) == (status, code, 1)
    assert len(party.store.outbox()) == planned
    assert statuses(box) == [Status.PROCESSED]


@pytest.mark.parametrize("code", [VerwerkingsCode.TECHNISCH_PROBLEEM, VerwerkingsCode.AANMAAK_DATUM])
def test_bericht_that_is_offered_again_can_be_stored(party, box, code):
    """
    What was refused in passing is verwerkt after the second offer.
    """
    box.fault("code", code=code)
    (bericht_id,) = deliver(party, box)
    go_on(party, box)

    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 2)


@pytest.mark.parametrize(("code", "status"), [(VerwerkingsCode.TECHNISCH_PROBLEEM, "ander-kanaal"), (VerwerkingsCode.AANMAAK_DATUM, "handmatig")])
def test_offering_again_ends(party, box, code, status):
    """
    A problem that lasts ends after a few offers, in another channel or with a person.
    """
    box.fault("code", code=code, times=None)
    (bericht_id,) = deliver(party, box)
    go_on(party, box, rounds=2 * MOST_OFFERS + 2)

    assert told(party, bericht_id) == (status, code, MOST_OFFERS)
    assert len(box.ledger.offers(0)) == MOST_OFFERS


def test_only_the_refused_bericht_is_offered_again(party, box):
    """
    The neighbours in its batch stay where they are.
    """
    box.fault("code", code=VerwerkingsCode.TECHNISCH_PROBLEEM, berichten=[1])
    ids = deliver(party, box, 3)
    go_on(party, box)

    assert [told(party, bericht_id)[2] for bericht_id in ids] == [1, 2, 1]
    assert [item.bericht_id for item in box.ledger.berichten(0)] == [*ids, ids[1]]


@pytest.mark.parametrize("code", [code for code in VerwerkingsCode if code is not VerwerkingsCode.VERWERKT])
def test_stored_stays_stored(party, box, code):
    """
    No later word opens a second channel.
    """
    (bericht_id,) = deliver(party, box)
    go_on(party, box)
    push(party, box, bericht_id, code)

    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)
    assert len(box.ledger.offers(0)) == 1
    assert statuses(box) == [Status.PROCESSED] * 2


def test_late_success_is_believed(party, box):
    """
    A bericht that was refused first, and turns out to be stored, is verwerkt.
    """
    box.fault("code", code=VerwerkingsCode.BERICHT_BESTAAT_AL)
    (bericht_id,) = deliver(party, box)
    go_on(party, box)
    push(party, box, bericht_id, VerwerkingsCode.VERWERKT)

    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 2)


# -- once ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reoffer-same-id", "reoffer-new-id"])
@pytest.mark.parametrize("restarts", [False, True])
def test_result_that_comes_again_changes_nothing(party, box, fault, restarts):
    """
    Applied once and marked each time, under whatever MessageId, also by an Afnemer that was restarted in between.
    """
    box.fault(fault, again=2)
    (bericht_id,) = deliver(party, box)
    for _ in range(4):
        go_on(party, box, rounds=1)
        if restarts:
            party.restart()

    marked = sum(call.operation == "process" for call in box.ledger.calls(0))
    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)
    assert marked == 3
    assert Status.RECEIVED not in statuses(box)


def test_result_that_waited_for_a_restart_is_applied(party, box):
    """
    An Afnemer that was away finds its result in the queue.
    """
    (bericht_id,) = deliver(party, box)
    party.restart()
    party.work()

    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)


def test_failed_mark_is_made_good(party, box):
    """
    A result that was applied and could not be marked is marked in the next round, and not applied again.
    """
    box.fault("reset-before-work", on="process")
    (bericht_id,) = deliver(party, box)
    party.receiver.receive()
    before = party.receiver.is_troubled, told(party, bericht_id), statuses(box)
    party.receiver.receive()

    assert before == (True, ("verwerkt", "Verwerkt", 1), [Status.RECEIVED])
    assert not party.receiver.is_troubled
    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)
    assert statuses(box) == [Status.PROCESSED]


# -- which bericht ---------------------------------------------------------------------------------------------------------------------------


def test_nil_bericht_id_means_the_whole_batch(party, box):
    """
    With the nil BerichtID every bericht of the batch is refused, and none of another batch.
    """
    box.fault("nil-bericht-id", code=VerwerkingsCode.OIN_IN_CPA, skip=1)
    ids = deliver(party, box, 4, per_batch=2)
    go_on(party, box)

    assert [told(party, bericht_id)[0] for bericht_id in ids] == ["verwerkt", "verwerkt", "handmatig", "handmatig"]


def test_unknown_bericht_is_noted_and_blocks_nobody(party, box):
    """
    A BerichtID that was never offered is for a person to look at; the others are applied.
    """
    box.fault("unknown-bericht-id")
    (bericht_id,) = deliver(party, box)
    go_on(party, box)

    ((_, reason),) = party.store.strays()
    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)
    assert reason == "Verwerkt for a bericht that is not known here"
    assert statuses(box) == [Status.PROCESSED]


@pytest.mark.parametrize(
    "fault",
    [
        "unknown-batch-id",
        "case-changed",
        "several-parts",
        "gzip",
        "other-prefixes",
        "stadium-nil",
        "stadium-absent",
        "stadium-unknown",
        "counters-wrong",
        "foreign-reference",
        "empty",
    ],
)
def test_shape_does_not_matter(party, box, fault):
    """
    A result is found whatever stands around it, and however its ids are spelled.
    """
    box.fault(fault)
    ids = deliver(party, box, 2)
    go_on(party, box)

    assert [told(party, bericht_id) for bericht_id in ids] == [("verwerkt", "Verwerkt", 1)] * 2
    assert Status.RECEIVED not in statuses(box)


# -- what cannot be read ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["unreadable-before", "doctype"])
def test_unreadable_result_is_set_aside(party, box, fault):
    """
    It stays in the queue, is looked at once until a restart, and the next one is applied.
    """
    box.fault(fault)
    (bericht_id,) = deliver(party, box)
    go_on(party, box)
    before = len(party.store.strays())
    party.restart()
    go_on(party, box)

    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)
    assert statuses(box) == [Status.RECEIVED, Status.PROCESSED]
    assert (before, len(party.store.strays())) == (1, 2)


def test_result_that_cannot_be_fetched_is_set_aside(party, box):
    """
    What the adapter refuses to give blocks nobody either.
    """
    box.fault("error-500", on="fetch")
    first, second = deliver(party, box, 2, per_batch=1)
    go_on(party, box)

    ((_, reason),) = party.store.strays()
    assert reason.startswith("GET: 500")
    assert [told(party, bericht_id)[0] for bericht_id in (first, second)] == ["aangeboden", "verwerkt"]


def test_parts_are_searched_in_their_order(party, envelope, result):
    """
    The first part that holds a result is it; what cannot be read is passed over.
    """
    other = replace(result, batch_id="6ba7b810-9dad-11d1-80b4-00c04fd430c9")
    parts = (Part(b"Toelichting"), Part(gzip.compress(result.to_xml())), Part(other.to_xml()))

    assert party.receiver.read(replace(envelope, parts=parts)) == result


@pytest.mark.parametrize(
    ("contents", "error", "text"),
    [
        ([], UnreadableResult, "no payload part"),
        ([b"Toelichting", b"<a/>"], UnreadableResult, "no valid verwerkingsbericht"),
        ([gzip.compress(b" " * 20_000_001)], PackedTooMuch, "unpacks to more than 20000000 bytes"),
    ],
)
def test_message_without_a_result_says_why(party, envelope, contents, error, text):
    """
    The text is that of the last part, or says that there is none.
    """
    message = replace(envelope, parts=tuple(Part(content) for content in contents))

    with pytest.raises(error, match=text):
        party.receiver.read(message)


# -- trouble ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "on"), [("unavailable", "poll"), ("error-500", "poll"), ("unavailable", "fetch"), ("reset-after-work", "fetch")])
def test_trouble_on_the_queue_costs_nothing(party, box, fault, on):
    """
    The round ends in trouble, and the next one applies the result.
    """
    box.fault(fault, on=on)
    (bericht_id,) = deliver(party, box)
    has_received = party.receiver.receive()
    was_troubled = party.receiver.is_troubled
    party.receiver.receive()

    assert (has_received, was_troubled, party.receiver.is_troubled) == (False, True, False)
    assert told(party, bericht_id) == ("verwerkt", "Verwerkt", 1)


def test_crash_while_applying_leaves_nothing_half_done(party, box, monkeypatch):
    """
    A result is applied as a whole or not at all, and comes again when it was not.
    """
    ids = deliver(party, box, 3)
    react = party.receiver.react

    def crash(bericht, code):
        if bericht.bericht_id == ids[2]:
            raise KeyboardInterrupt("in the middle")
        react(bericht, code)

    monkeypatch.setattr(party.receiver, "react", crash)
    with pytest.raises(KeyboardInterrupt, match="in the middle"):
        party.work()
    before = [told(party, bericht_id)[0] for bericht_id in ids]
    party.restart()
    party.work()

    assert before == ["aangeboden"] * 3
    assert [told(party, bericht_id) for bericht_id in ids] == [("verwerkt", "Verwerkt", 1)] * 3
