"""Group commit: an answer only after the commit, many in one, and no one goes down with another."""

import asyncio
import threading

import pytest

from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.ledger import QueueFilter, State


class Slow:
    """A ledger that holds each commit until it may go on, and remembers how many works it held."""

    def __init__(self, ledger):
        self.ledger, self.commits, self.may, self.started = ledger, [], threading.Event(), threading.Event()

    def write(self, works):
        self.started.set()
        assert self.may.wait(10)
        self.commits.append(len(works))
        self.ledger.write(works)


class Broken:
    """A work that cannot be done."""

    def __call__(self, _writing):
        raise OSError("this work cannot be done")


@pytest.fixture
def accepted():
    """How often the committer said that offers came in."""
    return []


@pytest.fixture
def committer(ledger, accepted):
    """A committer on a real ledger."""
    made = GroupCommitter(ledger, lambda: accepted.append(1))
    yield made
    made.stop()


@pytest.fixture
def offer(box, make):
    """Make an offer."""
    return lambda name="m": box.offer_of(make.envelope(box, b"<x/>", f"{name}@x", conversation_id=name))


def setting(name):
    """Return a work that keeps a setting."""
    return lambda writing: writing.put_setting(name, 1)


def test_what_is_stored_is_in_the_ledger_when_the_answer_comes(ledger, committer, offer, accepted):
    """
    After store the offer is on disk, and the worker was told.
    """
    asyncio.run(committer.store(offer()))

    assert [item.envelope.message_id for item in ledger.offers(0)] == ["m@x"]
    assert len(accepted) <= 1  # it is told after the answer, which may be a moment later
    committer.stop()
    assert accepted == [1]


def test_the_answer_does_not_come_before_the_commit(ledger, offer):
    """
    While the commit has not ended, nobody is answered.
    """
    slow = Slow(ledger)
    committer = GroupCommitter(slow, lambda: None)

    async def scenario():
        waiting = asyncio.create_task(committer.store(offer()))
        await asyncio.to_thread(slow.started.wait, 10)
        for _ in range(20):
            await asyncio.sleep(0)
        early = waiting.done() or bool(ledger.offers(0))
        slow.may.set()
        await waiting
        return early

    assert not asyncio.run(scenario())
    assert len(ledger.offers(0)) == 1
    committer.stop()


def test_those_who_wait_share_one_commit(ledger, offer):
    """
    What comes in during a commit goes together in the next one.
    """
    slow = Slow(ledger)
    committer = GroupCommitter(slow, lambda: None)

    async def scenario():
        first = asyncio.create_task(committer.do(setting("a")))
        await asyncio.to_thread(slow.started.wait, 10)
        others = [asyncio.create_task(committer.do(setting(f"b{number}"))) for number in range(5)]
        others += [asyncio.create_task(committer.store(offer(f"m{number}"))) for number in range(7)]
        await asyncio.sleep(0)
        slow.may.set()
        await asyncio.gather(first, *others)

    asyncio.run(scenario())
    committer.stop()

    assert slow.commits == [1, 6]  # the offers are one work
    assert len(ledger.offers(0)) == 7


def test_one_bad_work_takes_no_other_down(ledger, committer, offer):
    """
    Who brought the bad work hears of it; all others are stored.
    """

    async def scenario():
        works = [committer.do(setting("a")), committer.do(Broken()), committer.store(offer()), committer.do(setting("b"))]
        return await asyncio.gather(*works, return_exceptions=True)

    outcomes = asyncio.run(scenario())

    assert [type(outcome) for outcome in outcomes] == [type(None), OSError, type(None), type(None)]
    assert (ledger.setting("a"), ledger.setting("b"), len(ledger.offers(0))) == (1, 1, 1)


def test_a_bad_work_alone_is_told(committer):
    """
    A work that is alone in its commit raises what it raises.
    """
    with pytest.raises(OSError, match="this work cannot be done"):
        asyncio.run(committer.do(Broken()))


def test_a_bad_work_writes_nothing(ledger, committer):
    """
    What a work wrote before it failed is not kept.
    """

    def half(writing):
        writing.put_setting("half", 1)
        raise OSError("halfway")

    with pytest.raises(OSError, match="halfway"):
        asyncio.run(committer.do(half))

    assert ledger.setting("half") is None


def test_who_stopped_waiting_harms_nobody(ledger, offer):
    """
    A cancelled request, good or bad, is committed or not, and the next one is answered.
    """
    slow = Slow(ledger)
    committer = GroupCommitter(slow, lambda: None)

    async def scenario():
        gone = [asyncio.create_task(committer.store(offer("gone"))), asyncio.create_task(committer.do(Broken()))]
        await asyncio.to_thread(slow.started.wait, 10)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        slow.may.set()
        await committer.store(offer("stays"))
        await committer.do(setting("a"))

    asyncio.run(scenario())
    committer.stop()

    assert "stays@x" in {item.envelope.message_id for item in ledger.offers(0)}


def test_a_loop_that_ended_harms_nobody(ledger, offer):
    """
    When the loop of a request is closed before the commit, requests on other loops are answered.
    """
    slow = Slow(ledger)
    committer = GroupCommitter(slow, lambda: None)
    ended = asyncio.new_event_loop()

    async def leave():
        waiting = asyncio.ensure_future(committer.store(offer("left")))
        await asyncio.to_thread(slow.started.wait, 10)
        waiting.cancel()

    ended.run_until_complete(leave())
    ended.run_until_complete(ended.shutdown_default_executor())
    ended.close()
    slow.may.set()
    asyncio.run(committer.store(offer("stays")))
    committer.stop()

    assert [item.envelope.message_id for item in ledger.offers(0)] == ["left@x", "stays@x"]


def test_a_large_group_is_cut(ledger):
    """
    At most 500 go in one commit.
    """
    slow = Slow(ledger)
    committer = GroupCommitter(slow, lambda: None)

    async def scenario():
        first = asyncio.create_task(committer.do(setting("a")))
        await asyncio.to_thread(slow.started.wait, 10)
        others = [asyncio.create_task(committer.do(setting("b"))) for _ in range(501)]
        await asyncio.sleep(0)
        slow.may.set()
        await asyncio.gather(first, *others)

    asyncio.run(scenario())
    committer.stop()

    assert slow.commits == [1, 500, 1]


def test_stop_writes_what_waits(ledger, offer):
    """
    What was handed in before stop is committed.
    """
    committer = GroupCommitter(ledger, lambda: None)

    async def scenario():
        tasks = [asyncio.create_task(committer.store(offer(f"m{number}"))) for number in range(10)]
        await asyncio.sleep(0)
        committer.stop()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())

    assert {item.state for item in ledger.offers(0)} == {State.ACCEPTED}
    assert len(ledger.offers(0)) == 10
    assert ledger.unprocessed(QueueFilter(), 0) == []
