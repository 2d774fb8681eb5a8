"""Notifications: one for each letter, in order of arrival, at most so many an hour and a local day, and none lost or twice after a kill."""

import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox import notificaties, sql_notificaties
from conformance.berichtenbox.ledger import LedgerError, Processed, StoredBericht
from conformance.berichtenbox.notificaties import HOURLY, Distributor, Pace, Position, end_of_day, interval
from conformance.berichtenbox.notificaties_defects import NOTIFICATIE_DEFECTS
from conformance.berichtenbox.sql import SqlLedger
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.norms import count

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEP = interval()


@pytest.fixture
def arrive(ledger, make):
    """Put letters in Berichtenboxen, without anybody who sends them; each is processed at ``at`` and published then or later."""

    def arrived(*published, at=make.now, code=VerwerkingsCode.VERWERKT):
        stored = [
            StoredBericht(1, 0, "b", str(uuid.uuid4()), "999990019", "BELAST", "d", code, at, published=None if moment is None else max(moment, at))
            for moment in published
        ]
        ledger.commit_processed(Processed({}, stored))
        return [item.bericht_id for item in stored]

    return arrived


@pytest.fixture
def distributor(ledger, wall):
    """A distributor on a clock that stands still."""
    return Distributor(ledger.notificaties, wall)


def listed(ledger):
    """Return the BerichtIDs of the notifications, in their order."""
    return [item.bericht_id for item in ledger.notificaties.page(0, 10_000)]


def moments(ledger):
    """Return when notifications left."""
    return [item.sent for item in ledger.notificaties.page(0, 10_000)]


def test_each_stored_letter_gets_one_notification(box, ledger, make, deliver):
    """
    In order of arrival; a letter that is refused gets none, and one that is offered again no second.
    """
    first, refused, second = make.bericht(), make.bericht(bericht_type="OUD"), make.bericht()
    deliver(make.batch(first, refused), make.batch(second), make.batch(first))

    box.advance(seconds=1)

    assert listed(ledger) == [first.bericht_id, second.bericht_id]


def test_notifications_leave_evenly_at_the_norm_of_the_hour(ledger, arrive, distributor, wall, make):
    """
    Of a backlog one leaves each 28.8 ms, whether the clock walks or jumps, so that no hour holds more than its number.
    """
    ids = arrive(*[make.now] * 300)

    distributor.distribute()
    wall.tick(seconds=1)
    distributor.distribute()
    wall.tick(hours=3)
    distributor.distribute()

    assert STEP * count(*HOURLY) == HOUR
    assert listed(ledger) == ids
    assert moments(ledger) == [make.now + number * STEP for number in range(300)]


def test_a_letter_is_notified_when_it_is_published(ledger, arrive, distributor, wall, make):
    """
    One with a later PublicatieDatum arrives then: after those that came before that moment, and before those that came after it.
    """
    (later,) = arrive(make.now + HOUR)
    (today,) = arrive(make.now, at=make.now + timedelta(minutes=1))
    (last,) = arrive(make.now, at=make.now + 2 * HOUR)
    seen = []
    for _ in range(3):
        wall.tick(minutes=59)
        distributor.distribute()
        seen.append(listed(ledger))

    assert seen == [[today], [today, later], [today, later, last]]
    assert moments(ledger) == [make.now + timedelta(minutes=1), make.now + HOUR, make.now + 2 * HOUR]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_arrival_whatever_the_steps(ledger, arrive, wall, monkeypatch, seed):
    """
    Letters of now and of later, in rounds of any size, with few looked at at once: each leaves once, sorted by arrival.
    """
    monkeypatch.setattr(notificaties, "_PAGE", 3)
    monkeypatch.setattr(notificaties, "_AT_ONCE", 5)
    draw, arrivals = random.Random(seed), {}
    distributor = Distributor(ledger.notificaties, wall)
    for _ in range(25):
        delays = [draw.choice([0, 0, 0, 0.05, 0.5, 2]) for _ in range(draw.randint(0, 8))]
        published = [wall.at + timedelta(seconds=delay) for delay in delays]
        arrivals |= dict(zip(arrive(*published, at=wall.at), published, strict=True))
        arrive(*[None] * draw.randint(0, 4), at=wall.at, code=VerwerkingsCode.BERICHT_BESTAAT_AL)
        wall.tick(milliseconds=draw.randint(1, 300))
        if draw.random() < 0.6:
            distributor.distribute()
    wall.tick(minutes=1)
    distributor.distribute()

    assert listed(ledger) == sorted(arrivals, key=arrivals.__getitem__)  # sorting keeps equal ones in the order in which they came
    assert all(item.sent >= item.arrived == arrivals[item.bericht_id] for item in ledger.notificaties.page(0, 1000))


def test_what_is_not_committed_is_neither_lost_nor_sent_twice(database, ledger, arrive, wall, monkeypatch, make):
    """
    Broken off in the middle of a commit, and started again on the same file: each letter has one notification.
    """
    ids = arrive(*[make.now] * 50, *[make.now + HOUR] * 2)
    wall.tick(seconds=1)
    Distributor(ledger.notificaties, wall).distribute()
    ahead, keep = listed(ledger), sql_notificaties._keep
    wall.tick(seconds=1)

    def break_off(connection, _position):
        connection.exec_driver_sql("INSERT INTO no_such_table VALUES (1)")

    monkeypatch.setattr(sql_notificaties, "_keep", break_off)
    with pytest.raises(LedgerError, match="no_such_table"):
        Distributor(ledger.notificaties, wall).distribute()
    assert listed(ledger) == ahead == ids[: len(ahead)]
    monkeypatch.setattr(sql_notificaties, "_keep", keep)
    ledger.close()

    with SqlLedger(database) as again:
        distributor = Distributor(again.notificaties, wall)
        wall.tick(hours=2)
        distributor.distribute()
        assert listed(again) == ids


def test_what_arrived_while_nobody_distributed_leaves_from_then_on(ledger, arrive, wall, make):
    """
    After a night out of service nothing left in that night.
    """
    arrive(make.now, make.now)
    wall.tick(hours=8)
    distributor = Distributor(ledger.notificaties, wall)
    wall.tick(seconds=1)
    distributor.distribute()

    assert moments(ledger) == [make.now + 8 * HOUR, make.now + 8 * HOUR + STEP]


def test_a_clock_that_goes_back_does_not_stop_them(ledger, arrive, distributor, wall, make):
    """
    What arrives on the earlier clock leaves then; a letter of the later clock waits until that moment comes.
    """
    (ahead,) = arrive(make.now, at=make.now + 6 * DAY)
    wall.tick(days=6)
    distributor.distribute()
    (later,) = arrive(make.now, at=make.now + 6 * DAY)
    wall.tick(days=-6, seconds=1)
    (now,) = arrive(make.now)
    distributor.distribute()
    on_the_earlier_clock = listed(ledger)
    wall.tick(days=7)
    distributor.distribute()

    assert (on_the_earlier_clock, listed(ledger)) == ([ahead, now], [ahead, now, later])


def test_a_letter_that_is_lost_gets_no_notification(box, ledger, make, deliver):
    """
    Neither one that waits for its PublicatieDatum nor one that nobody looked at, and one that was sent stays sent.
    """
    sent, later, unseen = make.bericht(), make.bericht(publicatie_datum=write_moment(make.now + HOUR)), make.bericht()
    deliver(make.batch(sent, later))
    box.accept(make.envelope(box, make.batch(unseen).to_xml(), "m@x"))
    box._process_and_offer()
    box.lose(hours=1)
    box.advance(hours=2)

    assert listed(ledger) == [sent.bericht_id]


@pytest.mark.parametrize(
    ("day", "hours"),
    [(datetime(2026, 10, 25, 12, tzinfo=UTC), 25), (datetime(2026, 3, 29, 12, tzinfo=UTC), 23), (datetime(2026, 3, 30, 12, tzinfo=UTC), 24)],
)
def test_a_local_day_has_its_number_and_no_more(day, hours):
    """
    The evening on which the clock goes back has an hour for which nothing is left; on other days the norm of the hour is what holds.
    """
    end = end_of_day(day)
    begin = end - hours * HOUR
    pace = Pace(Position(), begin, begin, STEP)
    pace.take(begin)
    last = begin + (count(*notificaties.DAILY) - 1) * STEP
    if last >= end:
        last = end - STEP  # a day of 23 hours is over before it has its number
    before = replace(pace.position, in_day=int((last - begin) / STEP))
    pace = Pace(before, begin, last, STEP)

    pace.take(last)

    assert end_of_day(begin) == end
    assert pace.next(last) == end
    assert pace.room(end - timedelta(microseconds=1)) == 0
    pace.take(end)
    assert (pace.position.in_day, pace.next(end)) == (1, end + STEP)


def test_who_works_in_the_background_distributes_once_a_second(ledger, arrive, distributor, wall, make, monkeypatch):
    """
    However many rounds of processing there are, for each time costs a commit.
    """
    monotonic = [0.0]
    monkeypatch.setattr(notificaties.time, "monotonic", lambda: monotonic[0])
    distributor.distribute()
    arrive(make.now)
    wall.tick(seconds=1)
    seen = []
    for monotonic[0] in (0.5, 0.99, 1.0):
        distributor.distribute_at_ease()
        seen.append(len(listed(ledger)))

    assert seen == [0, 0, 1]


def test_the_control_face_lists_them_page_by_page(control, sender, make, live, ledger):
    """
    After a number, at most so many, with the moments; nobody is named.
    """
    berichten = [make.bericht() for _ in range(3)]
    sender.send(make.batch(*berichten, at=live.clock.now()))
    sender.unprocessed()
    live.advance(seconds=1)

    pages = [control.get("/notificaties", params=query).json()["notificaties"] for query in ({}, {"na": 1, "aantal": 1}, {"na": 3})]

    assert [[item["berichtId"] for item in page] for page in pages] == [[item.bericht_id for item in berichten], [berichten[1].bericht_id], []]
    assert [item["volgnummer"] for item in pages[0]] == [1, 2, 3]
    assert pages[0][2]["verzonden"] == write_moment(ledger.notificaties.page(2, 1)[0].sent) > pages[0][2]["aangekomen"]


@pytest.mark.parametrize("query", [{"aantal": "0"}, {"aantal": "10001"}, {"aantal": "-1"}, {"aantal": "veel"}, {"aantal": "9" * 16}, {"na": "x"}])
def test_a_wrong_page_is_refused(control, query):
    """
    Problem details say what the number must be.
    """
    answer = control.get("/notificaties", params=query)

    assert answer.status_code == 400
    assert "a whole number from" in answer.json()["detail"]


@pytest.mark.parametrize("defect", NOTIFICATIE_DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_changes_what_is_written_once(box, ledger, arrive, wall, make, defect):
    """
    Each defective Berichtenbox writes another list than a right one, and comes to an end with it.
    """
    ids = arrive(*[make.now] * 30)
    right = [(bericht_id, make.now + number * STEP) for number, bericht_id in enumerate(ids)]
    defect.install(box)
    wall.tick(seconds=1)

    box.settle()
    first = [(item.bericht_id, item.sent) for item in ledger.notificaties.page(0, 100)]
    box.settle()

    assert first != right
    assert [(item.bericht_id, item.sent) for item in ledger.notificaties.page(0, 100)] == first
