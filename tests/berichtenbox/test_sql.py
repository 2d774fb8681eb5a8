"""The ledger: what is written is there after reopening, and a database that fails says so."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from conformance.berichtenbox import sql, statements
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import Call, LedgerError, OfferedResult, PlannedResult, Processed, QueueFilter, State, Status
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.envelope import Envelope, Part
from conformance.rules.findings import Finding, Grading

PARTS = (Part(b"<a/>", "text/xml", "a.xml", "c-1"), Part(b"\x00\xff", "application/pdf"), Part(b"", "text/plain"))


@pytest.fixture
def planned(box, make):
    """A planned result that is due now."""
    envelope = make.envelope(box, b"<result/>", None, action="GLOBE-R-BV-Result", ref_to_message_id="m@x", conversation_id="c")
    return PlannedResult(envelope, "oin", "batch", make.now)


def accept(ledger, *offers):
    """Store offers."""
    ledger.write([lambda writing: writing.add_offers(offers)])


def test_an_offer_comes_back_as_it_went_in(ledger, box, make):
    """
    Every field of the envelope, every part and both clocks are kept.
    """
    box.clock.advance(timedelta(days=3))
    envelope = make.envelope(box, None, "m@x", conversation_id="c", ref_to_message_id="r", parts=PARTS)
    offer = box.offer_of(envelope, refused_because="because")
    accept(ledger, offer)

    (stored,) = ledger.offers(0)

    assert stored == replace(offer, seq=1)
    assert (stored.state, stored.business - stored.wall) == (State.REFUSED, timedelta(days=3))


def test_what_is_written_is_there_after_reopening(database, make, wall):
    """
    A ledger that is opened again has offers, calls and settings.
    """
    with SqlLedger(database) as ledger:
        box = Berichtenbox(ledger, wall=wall)
        accept(ledger, box.offer_of(make.envelope(box, b"<x/>", "m@x")))
        ledger.write([lambda writing: writing.add_call(box.call_of("fetch", "m@x", 200)), lambda writing: writing.put_setting("k", {"a": [1]})])
    with SqlLedger(database) as again:
        assert [offer.envelope.message_id for offer in again.offers(0)] == ["m@x"]
        assert again.calls(0) == [Call("fetch", "m@x", 200, make.now, make.now, 1)]
        assert (again.setting("k"), again.setting("unknown")) == ({"a": [1]}, None)


def test_accepted_messages_are_processed_after_reopening(database, make, wall):
    """
    What was accepted and not processed before a restart is processed after it, once.
    """
    with SqlLedger(database) as ledger:
        box = Berichtenbox(ledger, wall=wall)
        box.accept(make.envelope(box, make.batch().to_xml(), "m@x", conversation_id="c"))

    seen = []
    for _ in range(2):
        with SqlLedger(database) as ledger:
            Berichtenbox(ledger, wall=wall).settle()
            seen.append(([item.code.value for item in ledger.berichten(0)], len(ledger.results(0)), ledger.counts()["processed"]))

    assert seen == [(["Verwerkt"], 1, 1)] * 2


def test_sqlite_syncs_each_commit(database):
    """
    The writing connection has a write-ahead log and a full sync.
    """
    with SqlLedger(database) as ledger, ledger._writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_ledger_that_is_thrown_away_does_not_wait_for_the_disk(database):
    """
    What need not survive the machine is not synced, and is there for who opens it again.
    """
    with SqlLedger(database, is_durable=False) as ledger, ledger._writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0
        ledger.write([lambda writing: writing.put_setting("kept", 1)])

    with SqlLedger(database) as again:
        assert again.setting("kept") == 1


def test_what_is_compiled_for_one_ledger_serves_the_next(database):
    """
    Every SQLite ledger has the same dialect: what it was asked once need not be compiled again.
    """
    with SqlLedger(database) as one, SqlLedger("sqlite://") as other:
        one.lasts()
        known = len(sql._compiled)
        other.lasts()

        assert one._reader.dialect is other._reader.dialect
        assert len(sql._compiled) == known > 0


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (statements.BERICHTEN_OF_IDS, "bericht_by_id"),
        (statements.BERICHTEN_OF_BATCHES, "bericht_by_batch"),
        (statements.MESSAGES_OF_IDS, "message_by_id"),
    ],
)
def test_what_is_known_of_a_thousand_ids_is_looked_up_by_id(database, statement, index):
    """
    A batch takes no longer on a ledger that holds many.
    """
    ids = [str(number) for number in range(500)]
    text = str(statement.params(ids=ids).compile(compile_kwargs={"literal_binds": True}, dialect=sqlite.dialect()))
    with SqlLedger(database) as ledger, ledger._reader.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()

    assert f"USING INDEX {index} (" in plan[0].detail


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_ledger_in_memory_works_too(url, make):
    """
    Reader and writer see the same database, also when it is in memory.
    """
    with SqlLedger(url) as ledger:
        box = Berichtenbox(ledger)
        box.accept(make.envelope(box, make.batch().to_xml(), "m@x", conversation_id="c"))
        box.settle()

        assert ledger.counts()["processed"] == 1
        assert len(ledger.unprocessed(QueueFilter(), 0)) == 1


@pytest.mark.parametrize("url", ["sqlite:////nonexistent-directory/ledger.db", "nosuchdialect://x", "no url"])
def test_a_database_that_cannot_be_opened_says_so(url):
    """
    The error names the ledger, the reason and what to do.
    """
    with pytest.raises(LedgerError, match=r"the ledger .* cannot be opened: .+\n  Hint: give --db a URL such as sqlite:///ledger.db"):
        SqlLedger(url)


def test_a_file_that_is_no_database_says_so(tmp_path: Path):
    """
    A file with something else in it is not overwritten.
    """
    file = tmp_path / "letter.txt"
    file.write_text("Geachte heer, mevrouw, " * 100)

    with pytest.raises(LedgerError, match="file is not a database"):
        SqlLedger(f"sqlite:///{file}")

    assert file.read_text().startswith("Geachte")


def test_a_database_that_fails_later_says_so(ledger, database):
    """
    A table that is gone gives a LedgerError for who reads and for who writes.
    """
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE setting")
    connection.close()

    with pytest.raises(LedgerError, match=r"cannot be read: .*no such table: setting\n  Hint: is there room"):
        ledger.setting("k")
    with pytest.raises(LedgerError, match=r"cannot be written: .*no such table: setting"):
        ledger.write([lambda writing: writing.put_setting("k", 1)])


def test_a_work_that_raises_writes_nothing(ledger):
    """
    All works of one write are one commit, and the error of a work stays its own.
    """

    def bad(_writing):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ledger.write([lambda writing: writing.put_setting("k", 1), bad])

    assert ledger.setting("k") is None


def test_a_setting_is_replaced(ledger):
    """
    The last value of a setting counts.
    """
    for value in (1, [2]):
        ledger.write([lambda writing, value=value: writing.put_setting("k", value)])

    assert ledger.setting("k") == [2]


def test_a_round_is_bounded_in_number_and_in_bytes(ledger, box, make, monkeypatch):
    """
    Accepted offers come oldest first, at most so many, and fewer when they are large.
    """
    accept(ledger, *(box.offer_of(make.envelope(box, b"x" * 100, f"m{number}@x")) for number in range(10)))

    assert [offer.seq for offer in ledger.accepted(make.now, 4)] == [1, 2, 3, 4]
    assert ledger.accepted(make.now - timedelta(seconds=1), 4) == []
    monkeypatch.setattr(sql, "_BYTES_AT_ONCE", 250)
    assert [offer.seq for offer in ledger.accepted(make.now, 10)] == [1, 2, 3]


def test_many_ids_are_looked_up_in_pieces(ledger, make, deliver):
    """
    Looking up more ids than one statement takes finds them all.
    """
    batch = make.batch(*(make.bericht() for _ in range(20)))
    deliver(batch)
    ids = [f"unknown-{number}" for number in range(1500)] + [bericht.bericht_id for bericht in batch.berichten]

    before = ledger.before([batch.batch_id], ids, [])

    assert before.stored == {bericht.bericht_id for bericht in batch.berichten}
    assert before.batches == {batch.batch_id: frozenset(before.stored)}


def test_what_is_stored_counts_over_what_was_refused(ledger, make, deliver):
    """
    Of several offers of one bericht the stored one is remembered, and else the first.
    """
    bericht = make.bericht(bericht_type="OUD")
    deliver(make.batch(bericht))
    deliver(make.batch(replace(bericht, bericht_type="BELAST")))
    deliver(make.batch(replace(bericht, onderwerp="Anders")))

    before = ledger.before([], [bericht.bericht_id], [])

    assert before.earlier[bericht.bericht_id].is_stored
    assert before.earlier[bericht.bericht_id].digest == replace(bericht, bericht_type="BELAST").digest()


def test_a_result_can_be_planned_and_offered_in_one_commit(ledger, planned, make):
    """
    Processing stores a result with its message at once; what is not offered waits until it is due.
    """
    later = replace(planned, due=make.now + timedelta(hours=1))
    message = OfferedResult(replace(planned.envelope, message_id="r@x"), make.now, make.now, Status.RECEIVED, 0)
    ledger.commit_processed(Processed({}, results=[later, planned], offered={1: message}))

    assert ledger.unprocessed(QueueFilter(), 0) == ["r@x"]
    assert ledger.next_due() == later.due
    assert [item.id for item in ledger.due_results(later.due, 1e6, 1e5)] == [1]
    assert ledger.results(0)[0].result_id == 2


def test_a_message_is_shown_with_its_status(ledger, box, make):
    """
    A refused message is not shown; of two with one id, the first is.
    """
    refused = box.offer_of(make.envelope(box, b"<x/>", "no@x"), refused_because="no")
    accept(ledger, refused, box.offer_of(make.envelope(box, b"<y/>", "yes@x")), box.offer_of(make.envelope(box, b"<z/>", "yes@x")))

    assert ledger.message("no@x") is None
    assert ledger.message("yes@x").envelope.parts[0].content == b"<y/>"
    assert repr(ledger.message("yes@x")) == "<Offer 2 yes@x: accepted>"


@pytest.mark.parametrize("field", list(QueueFilter.__dataclass_fields__))
def test_each_filter_is_an_exact_match(ledger, planned, make, field):
    """
    Each field of the filter finds its own value, and nothing else.
    """
    envelope = replace(planned.envelope, message_id="r@x")
    message = OfferedResult(envelope, make.now, make.now, Status.RECEIVED, 0)
    ledger.commit_processed(Processed({}, results=[planned], offered={0: message}))
    value = getattr(envelope, field)

    assert ledger.unprocessed(QueueFilter(**{field: value}), 0) == ["r@x"]
    assert ledger.unprocessed(QueueFilter(**{field: value[:-1]}), 0) == []
    assert ledger.events(QueueFilter(**{field: value}), [], 0) == [("r@x", "RECEIVED")]


def test_a_grading_is_kept_with_its_offer(ledger, box, make):
    """
    Findings, decided requirements and validity come back.
    """
    accept(ledger, box.offer_of(make.envelope(box, b"<x/>", "m@x")))
    findings = (Finding("AANL-001", "hier", "dit", "dat", is_note=True, bericht=3), Finding("AANL-002", "", "", ""))
    grading = Grading(findings, frozenset({"AANL-001"}), is_schema_valid=False)
    ledger.commit_processed(Processed({1: (State.PROCESSED, grading)}))

    (offer,) = ledger.offers(0)

    assert (offer.grading, offer.state, offer.status) == (grading, State.PROCESSED, Status.DELIVERED)


def test_a_duplicate_needs_no_grading(ledger, box):
    """
    An offer can be closed without a grading.
    """
    accept(ledger, box.offer_of(Envelope("", "", "", "", "")))
    ledger.commit_processed(Processed({1: (State.DUPLICATE, None)}))

    assert (ledger.offers(0)[0].grading, ledger.counts()) == (None, {"duplicate": 1})


def test_an_empty_ledger_counts_nothing(ledger):
    """
    Everything is empty or zero at the start.
    """
    assert (*ledger.lasts()[:2], ledger.counts(), ledger.next_due(), ledger.next_reoffer(1, 1)) == (0, 0, {}, None, None)


def test_another_database_is_asked_for_by_its_driver():
    """
    A PostgreSQL URL without a driver installed is a ledger that cannot be opened.
    """
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqlLedger("postgresql://localhost:1/none")
