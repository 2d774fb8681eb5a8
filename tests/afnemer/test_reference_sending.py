"""The sending half of the reference Afnemer: nothing leaves before it is kept, and what was kept leaves."""

from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.sending import NotSendableError, Sender
from conformance.afnemer.reference.store import StoredBericht
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.ledger import State
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.messages.envelope import payload_of
from conformance.messages.moments import read_moment
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.rules.grading import read_offer
from conformance.stage.pdfs import pdf
from conformance.stage.scene import attachment

PLAIN = {"bsn": "999990019", "berichtType": "BELAST", "onderwerp": "Uw aanslag", "tekst": "Tekst"}


class CrashError(BaseException):
    """The process is gone."""


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox that works when it is told to."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=1)


@pytest.fixture
def connection(box, tmp_path):
    """What the reference Afnemer is made with: it keeps its database."""
    with running(box, works_by_itself=False) as urls:
        yield {**connection_of(box, urls, 1), "AFNEMER_MAP": str(tmp_path)}


@pytest.fixture
def party(connection):
    """The reference Afnemer."""
    made = ReferenceAfnemer(connection)
    yield made
    made.close()


def deliver(party, *letters, per_batch=None):
    """Deliver letters, and return their BerichtIDs."""
    answer = party.berichten({"berichten": list(letters or [PLAIN]), "perBatch": per_batch})
    return [item["berichtId"] for item in answer["berichten"]]


def seen(box):
    """Process, and return (offer, batch) of all that was offered and not refused."""
    box.settle()
    offers = [offer for offer in box.ledger.offers(0) if offer.state is not State.REFUSED]
    return [(offer, read_offer(payload_of(offer.envelope)).batch) for offer in offers]


# -- what is written -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "written"),
    [("a\nb", r"a\r\nb"), ("a\r\nb", r"a\r\nb"), ("a\rb", r"a\r\nb"), ("a\n\r\nb", r"a\r\n\r\nb"), ("\n", r"\r\n"), (r"a\nb", r"a\nb"), ("", "")],
)
def test_line_break_is_four_characters(party, asked, written):
    """
    Each line break, however it was typed, becomes four characters; what only looks like one stays.
    """
    assert party.sender.write_text(asked) == written


def test_letter_arrives_as_it_was_asked(party, box):
    """
    Type, subject, text, moment and bijlagen are those of the letter; the moment is written in Zulu.
    """
    later = (datetime.now(UTC) + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    bijlagen = [attachment(pdf(2_000 + number, "Besluit"), f"Besluit {number}").to_json() for number in (1, 2)]
    deliver(party, {**PLAIN, "publicatieDatum": f"{later:%Y-%m-%dT%H:%M:%S}+02:00", "bijlagen": bijlagen})

    ((offer, batch),) = seen(box)
    (bericht,) = batch.berichten
    assert offer.grading.findings == ()
    assert (bericht.bericht_type, bericht.onderwerp, bericht.gebruiker_id, bericht.bericht_tekst) == ("BELAST", "Uw aanslag", "999990019", "Tekst")
    assert bericht.publicatie_datum == f"{later - timedelta(hours=2):%Y-%m-%dT%H:%M:%S}.000Z"
    assert [(item.volgorde, item.omschrijving) for item in bericht.bijlagen] == [("1", "Besluit 1"), ("2", "Besluit 2")]
    assert [item.octets() for item in bericht.bijlagen] == [pdf(2_001, "Besluit"), pdf(2_002, "Besluit")]


def test_bare_letter_gets_an_onderwerp(party, box):
    """
    A letter needs no more than a citizen and a type.
    """
    deliver(party, {"bsn": "999990019", "berichtType": "BELAST"})

    (bericht,) = seen(box)[0][1].berichten
    assert (bericht.onderwerp, bericht.bericht_tekst, bericht.publicatie_datum, bericht.bijlagen) == ("Bericht van uw gemeente", None, None, ())


def test_same_seed_makes_the_same_ids(party, connection):
    """
    Ids can be repeated, and a restart begins other ones.
    """
    twin = ReferenceAfnemer({**connection, "AFNEMER_MAP": "", "BERICHTENBOX_SEED": "1"})
    first = party.sender.new_guid()
    party.restart()

    assert twin.sender.new_guid() == first
    assert party.sender.new_guid() != first
    twin.close()


# -- splitting -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "per_batch", "sizes"),
    [(0, None, []), (7, 3, [3, 3, 1]), (6, 3, [3, 3]), (1_000, None, [1_000]), (1_001, None, [1_000, 1]), (1_001, 5_000, [1_000, 1])],
)
def test_letters_are_split_on_count(party, count, per_batch, sizes):
    """
    A batch has as many letters as were asked, and never more than a thousand.
    """
    assert [len(group) for group in party.sender.groups([PLAIN] * count, per_batch)] == sizes


def test_letters_are_split_on_bytes(party):
    """
    What weighs much goes in batches below 20 MiB, in the order asked; one letter is never split.
    """
    weights = [9_000_000, 9_000_000, 9_000_000, 30_000_000, 9_000_000]
    letters = [{**PLAIN, "bijlagen": [{"omschrijving": "Kaart", "bytes": "A" * weight}]} for weight in weights]

    groups = list(party.sender.groups(letters, None))

    assert [len(group) for group in groups] == [2, 1, 1, 1]
    assert [letter for group in groups for letter in group] == letters


def test_each_batch_has_its_own_id(party, box):
    """
    Berichten know their batch, batches differ, and ids come back in the order asked.
    """
    ids = deliver(party, *[PLAIN | {"onderwerp": f"Brief {number}"} for number in range(5)], per_batch=2)

    batches = [batch for _, batch in seen(box)]
    assert len({batch.batch_id for batch in batches}) == 3
    assert [bericht.bericht_id for batch in batches for bericht in batch.berichten] == ids
    assert all(bericht.batch_id == batch.batch_id for batch in batches for bericht in batch.berichten)
    assert [bericht.onderwerp for batch in batches for bericht in batch.berichten] == [f"Brief {number}" for number in range(5)]


# -- own checks ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bsn": "999999999"}, "AANL-076"),
        ({"onderwerp": "x" * 51}, "AANL-063"),
        ({"tekst": "Regel\n" + "y" * 3_993}, "AANL-067"),
        ({"tekst": "Voor\x0bna"}, "U[+]000B"),
        ({"berichtType": "ONBEKEND"}, "AANL-055|AANL-056"),
        ({"bijlagen": [attachment(pdf(300_000)).to_json()] * 2}, "AANL-08"),
        ({"bijlagen": [attachment(pdf()).to_json()] * 3}, "AANL-0"),
    ],
)
def test_what_would_be_refused_is_not_sendable(party, change, text):
    """
    The own check names the rule, and never a BSN.
    """
    stored = StoredBericht(party.sender.new_guid(), party.sender.new_guid(), PLAIN | change, "aangeboden", None, 0, 0)

    with pytest.raises(NotSendableError, match=text) as caught:
        party.sender.check(stored)

    assert str(change.get("bsn")) not in str(caught.value)


def test_unsendable_letter_stays_home_alone(party, box):
    """
    The letters beside one that cannot be sent leave; that one waits for a person.
    """
    ids = deliver(party, PLAIN, {**PLAIN, "bsn": "999999999"}, PLAIN)

    ((_, batch),) = seen(box)
    assert [bericht.bericht_id for bericht in batch.berichten] == [ids[0], ids[2]]
    assert party.bericht(ids[1])["status"] == "handmatig"


def test_batch_without_sendable_letters_is_not_offered(party, box):
    """
    When nothing can be sent nothing is.
    """
    deliver(party, {**PLAIN, "bsn": "999999999"})

    assert seen(box) == []
    assert party.store.outbox() == ()


def test_advice_does_not_keep_a_letter_back(party, box):
    """
    A URL that a full stop is glued to is not pretty, and goes.
    """
    deliver(party, {**PLAIN, "tekst": "Zie https://example.nl/zaak."})

    ((offer, _),) = seen(box)
    assert {finding.requirement for finding in offer.grading.findings} <= Sender.not_checked


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"publicatieDatum": "morgen"}, "publicatieDatum is no RFC 3339 time"),
        ({"bijlagen": [{"omschrijving": "Besluit", "bytes": "é"}]}, "bytes of a bijlage is no base64"),
        ({"bijlagen": [{"omschrijving": "Besluit", "bytes": "AAA"}]}, "bytes of a bijlage is no base64"),
    ],
)
def test_malformed_request_keeps_nothing(party, box, change, text):
    """
    A request that cannot be understood is refused as a whole.
    """
    with pytest.raises(ValueError, match=text):
        deliver(party, PLAIN, PLAIN | change)

    assert seen(box) == []
    assert party.store.outbox() == ()


# -- trouble ---------------------------------------------------------------------------------------------------------------------------------


def test_outbox_survives_a_crash_before_sending(party, connection, box, monkeypatch):
    """
    Who dies between keeping and sending sends after starting again, under the ids that were kept.
    """

    def crash(_envelope):
        raise CrashError("in the middle")

    monkeypatch.setattr(party.gateway, "send", crash)
    with pytest.raises(CrashError):  # the letter must be delivered in it
        deliver(party)
    (planned,) = party.store.outbox()

    again = ReferenceAfnemer(connection)
    again.work()
    again.close()
    ((_, batch),) = seen(box)
    assert (batch.batch_id, [bericht.bericht_id for bericht in batch.berichten]) == (planned.batch_id, list(planned.bericht_ids))


def test_outbox_survives_a_restart(party, box):
    """
    What could not be sent waits on disk.
    """
    box.fault("unavailable", on="post")
    (bericht_id,) = deliver(party)
    party.restart()
    party.work()

    ((_, batch),) = seen(box)
    assert batch.berichten[0].bericht_id == bericht_id


def test_lost_answer_brings_the_same_bericht_again(party, box):
    """
    Whether it arrived is not known: it is offered again under its own ids, in a new message, and stored once.
    """
    box.fault("reset-after-work", on="post")
    deliver(party)
    party.work()

    (first, batch), (second, again) = seen(box)
    codes = [item.code for item in box.ledger.berichten(0)]
    assert first.envelope.message_id != second.envelope.message_id
    assert (batch.batch_id, batch.berichten) == (again.batch_id, again.berichten)
    assert codes == [VerwerkingsCode.VERWERKT, VerwerkingsCode.BERICHT_BESTAAT_AL]


def test_temporary_trouble_ends_the_round(party, box):
    """
    When the adapter is away the rest waits too, and leaves in its order.
    """
    fault = box.fault("unavailable", on="post")
    ids = deliver(party, PLAIN, PLAIN, PLAIN, per_batch=1)
    waiting = len(party.store.outbox())
    party.work()

    assert (fault.fired, waiting) == (1, 3)
    assert [batch.berichten[0].bericht_id for _, batch in seen(box)] == ids


def test_permanent_trouble_is_given_up_after_three_tries(party, box):
    """
    An adapter that refuses for good is asked three times; then a person is.
    """
    fault = box.fault("error-500", on="post", times=None)
    (bericht_id,) = deliver(party)
    statuses = []
    for _ in range(4):
        statuses.append(party.bericht(bericht_id)["status"])
        party.work()

    assert fault.fired == 3
    assert statuses == ["aangeboden", "aangeboden", "handmatig", "handmatig"]
    assert party.store.outbox() == ()


def test_permanent_trouble_with_one_does_not_stop_the_next(party, box):
    """
    What is refused for good blocks nobody, and goes itself when it is taken after all.
    """
    box.fault("error-500", on="post")
    first, second = deliver(party, PLAIN, PLAIN, per_batch=1)
    party.work()

    assert [batch.berichten[0].bericht_id for _, batch in seen(box)] == [second, first]


# -- again -----------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clocked(party):
    """The sender of that Afnemer on a clock that is set: three letters, sent at the seconds 10, 20 and 30 of an hour."""
    sender = Sender(party.sender.connection, party.store, party.gateway, lambda: clocked_at[0], 5)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clocked_at = [start]
    ids = []
    for second in (10, 20, 30):
        clocked_at[0] = start + timedelta(seconds=second)
        ids += [bericht_id for bericht_id, _ in sender.deliver([PLAIN], None)]
    clocked_at[0] = start + timedelta(hours=1)
    return sender, start, ids


@pytest.mark.parametrize(
    ("start_s", "end_s", "again"), [(0, 9.999, []), (10, 10, [0]), (10, 20, [0, 1]), (10.001, 30, [1, 2]), (0, 3_600, [0, 1, 2]), (30, 10, [])]
)
def test_window_has_edges(clocked, box, start_s, end_s, again):
    """
    Both edges belong to the window, and nothing beyond them comes again.
    """
    sender, start, ids = clocked
    before = len(seen(box))
    count = sender.redeliver(start + timedelta(seconds=start_s), start + timedelta(seconds=end_s))

    replayed = [batch.berichten[0].bericht_id for _, batch in seen(box)[before:]]
    assert replayed == [ids[index] for index in again]
    assert count == len(again)


def test_again_is_the_same_letter_with_a_new_date(clocked, box):
    """
    Same ids and same content; the AanmaakDatum is that of the new offer, for the old one might be too old by now.
    """
    sender, start, _ = clocked
    sender.redeliver(start, start + timedelta(seconds=15))

    (first, batch), *_, (last, again) = seen(box)
    assert (again.batch_id, again.berichten) == (batch.batch_id, batch.berichten)
    assert read_moment(again.aanmaak_datum).at == start + timedelta(hours=1)
    assert first.envelope.message_id != last.envelope.message_id


def test_bericht_that_was_offered_twice_comes_again_once(clocked, box):
    """
    Two offers of one bericht in the window are one bericht to deliver.
    """
    sender, start, ids = clocked
    sender.offer_again(sender.store.bericht(ids[0]))
    sender.send_waiting()
    before = len(seen(box))
    count = sender.redeliver(start, start + timedelta(hours=1))

    replayed = [bericht.bericht_id for _, batch in seen(box)[before:] for bericht in batch.berichten]
    assert sorted(replayed) == sorted(ids)
    assert count == 3
