"""From accepted to decided: in order, once, and all of a round or nothing."""

import gzip
from dataclasses import replace

import pytest

from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import LedgerError, State
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import Envelope, Part, payload_of
from conformance.messages.identities import NIL_GUID


class FailsOnce:
    """A ledger that fails the first time that processing is stored."""

    def __init__(self, ledger):
        self._ledger, self.failures = ledger, 0

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def commit_processed(self, processed):
        if not self.failures:
            self.failures += 1
            raise LedgerError("the power went out")
        self._ledger.commit_processed(processed)


def codes(box):
    """Return what became of each bericht, in order."""
    return [item.code.value for item in box.ledger.berichten(0)]


def test_a_batch_becomes_berichten_a_grading_and_one_result(box, make, deliver):
    """
    Three berichten give three rows and one verwerkingsbericht that answers the offer.
    """
    batch = make.batch(make.bericht(), make.bericht(bericht_type="OUD"), make.bericht())

    deliver(batch)

    (offer,), (message,), (result,) = box.ledger.offers(0), box.ledger.results(0), make.results_of(box)
    assert codes(box) == ["Verwerkt", "BerichtTypeNietOndersteund", "Verwerkt"]
    assert (offer.state, [finding.requirement for finding in offer.grading.findings]) == (State.PROCESSED, ["AANL-056"])
    assert [item.bericht_id for item in result.resultaten] == [bericht.bericht_id for bericht in batch.berichten]
    assert (result.totaal, result.counters) == (3, (2, 0, 0, 1, 0, 0))
    assert (message.envelope.ref_to_message_id, message.envelope.conversation_id) == (offer.envelope.message_id, offer.envelope.conversation_id)
    assert (message.envelope.from_role, message.envelope.to_role, message.envelope.action) == ("SP", "SR", "GLOBE-R-BV-Result")
    assert (message.envelope.from_party, message.envelope.to_party) == (box.connection.logius_party, box.connection.afnemer_party)


def test_processing_knows_what_came_before_in_the_same_round(box, make):
    """
    Two letters under one BerichtID that are processed together: the second exists already, and the rules see it.
    """
    bericht = make.bericht()
    for name, onderwerp in (("one", "Een"), ("two", "Twee")):
        batch = make.batch(replace(bericht, onderwerp=onderwerp))
        box.accept(make.envelope(box, batch.to_xml(), f"{name}@x", conversation_id=name))

    box.settle()

    assert codes(box) == ["Verwerkt", "BerichtBestaatAl"]
    assert [len(offer.grading.findings) > 0 for offer in box.ledger.offers(0)] == [False, True]


def test_a_bericht_may_come_again_after_a_refusal_and_not_after_it_was_stored(box, make, deliver):
    """
    Refused, offered again with the same ids and stored; the next time it exists already.
    """
    batch = make.batch(make.bericht())
    box.set_burger("999990019", wants=False)
    deliver(batch)
    box.set_burger("999990019", wants=True)

    deliver(batch)
    deliver(batch)

    assert codes(box) == ["NietActiefOfGeabonneerd", "Verwerkt", "BerichtBestaatAl"]


def test_ids_are_compared_without_case(box, make, deliver):
    """
    The same BerichtID in capitals is the same bericht.
    """
    deliver(make.batch(make.bericht("aaaaaaaa-0000-4000-8000-000000000001")))
    deliver(make.batch(make.bericht("AAAAAAAA-0000-4000-8000-000000000001")))

    assert codes(box) == ["Verwerkt", "BerichtBestaatAl"]


@pytest.mark.parametrize("is_together", [True, False])
def test_a_message_id_that_was_seen_is_eaten(box, make, is_together):
    """
    A second message with one MessageId is a duplicate: no bericht, no result; in one round or in two.
    """
    for _ in range(2):
        box.accept(make.envelope(box, make.batch().to_xml(), "same@x", conversation_id="c"))
        if not is_together:
            box.settle()
    box.settle()

    assert [offer.state for offer in box.ledger.offers(0)] == [State.PROCESSED, State.DUPLICATE]
    assert (codes(box), len(box.ledger.results(0))) == (["Verwerkt"], 1)


@pytest.mark.parametrize(
    "payload",
    [None, b"", b"no xml", b"<a>", b"<a/>", gzip.compress(b"<a/>", mtime=0), b"<Berichten><BatchInformatie><BatchID/></BatchInformatie></Berichten>"],
)
def test_a_payload_without_a_batch_id_gets_no_result(box, make, payload):
    """
    Without a BatchID there is nothing to echo: the offer is closed with its findings, and no result comes.
    """
    box.accept(make.envelope(box, payload, "m@x", conversation_id="c"))

    box.settle()

    (offer,) = box.ledger.offers(0)
    assert (offer.state, offer.grading.is_schema_valid, box.ledger.results(0)) == (State.PROCESSED, False, [])


def test_an_invalid_batch_is_refused_as_a_whole(box, make, deliver):
    """
    The result has the nil BerichtID, and each bericht in the ledger has the code.
    """
    batch = make.batch(make.bericht(), make.bericht(onderwerp="x" * 51))

    deliver(batch)

    (result,) = make.results_of(box)
    assert ([item.bericht_id for item in result.resultaten], result.totaal, result.batch_id) == ([NIL_GUID], 1, batch.batch_id)
    assert codes(box) == ["XmlValidatieTegenXsdValtNegatiefUit"] * 2


def test_the_round_is_done_again_when_it_could_not_be_stored(ledger, make, wall):
    """
    Nothing of a round that failed is kept; the next one does all of it, once.
    """
    failing = FailsOnce(ledger)
    box = Berichtenbox(failing, wall=wall)
    box.accept(make.envelope(box, make.batch(make.bericht(), make.bericht()).to_xml(), "m@x", conversation_id="c"))

    with pytest.raises(LedgerError, match="the power went out"):
        box.settle()
    in_between = (codes(box), ledger.results(0), ledger.offers(0)[0].state)
    box.settle()

    assert in_between == ([], [], State.ACCEPTED)
    assert (codes(box), len(ledger.results(0)), ledger.offers(0)[0].state) == (["Verwerkt"] * 2, 1, State.PROCESSED)


def test_a_restart_between_accept_and_process_loses_and_doubles_nothing(database, make, wall):
    """
    Restarted before and after processing, each bericht is decided exactly once.
    """
    with SqlLedger(database) as ledger:
        box = Berichtenbox(ledger, wall=wall)
        for number in range(5):
            box.accept(make.envelope(box, make.batch().to_xml(), f"m{number}@x", conversation_id="c"))
    for _ in range(3):
        with SqlLedger(database) as ledger:
            box = Berichtenbox(ledger, wall=wall)
            box.settle()

            assert codes(box) == ["Verwerkt"] * 5
            assert len({item.envelope.ref_to_message_id for item in ledger.results(0)}) == len(ledger.results(0)) == 5


def test_the_fault_code_is_what_is_stored(box, make, deliver):
    """
    A forced refusal is not stored: the bericht may come again.
    """
    batch = make.batch()
    box.fault("code", code="TechnischProbleem")

    deliver(batch)
    deliver(batch)

    assert codes(box) == ["TechnischProbleem", "Verwerkt"]


def test_a_forced_nil_bericht_id_is_remembered_for_every_bericht(box, make, deliver):
    """
    One result for the batch, one row for each bericht.
    """
    box.fault("nil-bericht-id")

    deliver(make.batch(make.bericht(), make.bericht()))

    assert [item.bericht_id for item in make.results_of(box)[0].resultaten] == [NIL_GUID]
    assert codes(box) == ["XmlValidatieTegenXsdValtNegatiefUit"] * 2


def test_a_foreign_reference_replaces_the_reference(box, deliver, make):
    """
    With the fault the result refers to another message.
    """
    box.fault("foreign-reference")
    deliver(make.batch())

    assert box.ledger.results(0)[0].envelope.ref_to_message_id == "vreemd-bericht@elders.example"


def test_a_batch_of_a_thousand_is_one_round(box, make, deliver):
    """
    1000 berichten: 1000 rows, one result with all of them in order.
    """
    batch = make.batch(*(make.bericht() for _ in range(1000)))

    deliver(batch)

    (result,) = make.results_of(box)
    assert codes(box) == ["Verwerkt"] * 1000
    assert [item.bericht_id for item in result.resultaten] == [bericht.bericht_id for bericht in batch.berichten]


@pytest.mark.parametrize(
    ("contents", "chosen"),
    [((), b""), ((b"text",), b"text"), ((b"text", b"  <a/>"), b"  <a/>"), ((b"<a/>", b"<b/>"), b"<a/>"), ((b"one", b"two"), b"one")],
)
def test_the_payload_is_the_first_part_that_looks_like_xml(contents, chosen):
    """
    Other parts in front are skipped; when none looks like XML, the first is read and refused.
    """
    envelope = replace(Envelope("", "", "", "", ""), parts=tuple(Part(content) for content in contents))

    assert payload_of(envelope) == chosen
