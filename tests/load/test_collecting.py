"""What comes back later: fetched and marked, others left alone, and how long a run waits for it."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from conformance.load.collecting import Collecting, Queue, wait_s
from conformance.load.plan import plan
from conformance.messages.envelope import Action, Part
from conformance.transport.adapter import StoredMessage, write_ids, write_message

TERM = 100.0
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Adapter:
    """An adapter with messages in its queue, of which some cannot be fetched."""

    def __init__(self, envelope, *ids):
        self.envelope, self.ids, self.marked, self.trouble = envelope, list(ids), [], set()

    def __call__(self, request):
        path = request.url.path
        if "waiting" in self.trouble and path.endswith("/unprocessed"):
            return httpx.Response(200, text="<html>")
        if path.endswith("/unprocessed"):
            return httpx.Response(200, content=write_ids(self.ids))
        message_id = path.rpartition("/")[2]
        if message_id in self.trouble:
            raise httpx.ReadError("gone")
        if request.method == "PATCH":
            self.marked.append(message_id)
            return httpx.Response(204)
        return httpx.Response(200, content=write_message(StoredMessage(self.envelope, NOW, "RECEIVED")))


@pytest.fixture
def answer(envelope):
    return replace(envelope, action=Action.A_RESULT, to_role="SR", parts=(Part(b"<x/>", "text/xml"),))


def client_of(handler):
    return httpx.Client(transport=httpx.MockTransport(handler), base_url="http://127.0.0.1:1")


def test_each_message_is_given_once(answer):
    """
    What was seen is not fetched again, though it stays in the queue until somebody marks it.
    """
    adapter = Adapter(answer, "a", "b")
    queue = Queue(client_of(adapter), "cpa", Action.A_RESULT)

    first, second = [[message_id for message_id, _ in queue.new()] for _ in range(2)]
    queue.mark("b")

    assert (first, second, adapter.marked) == (["a", "b"], [], ["b"])


def test_trouble_on_the_way_is_tried_again(answer):
    """
    A message that could not be fetched comes the next time; a page of a proxy is no list.
    """
    adapter = Adapter(answer, "a", "b")
    queue = Queue(client_of(adapter), "cpa", Action.A_RESULT)

    adapter.trouble = {"a"}
    first = [message_id for message_id, _ in queue.new()]
    queue.mark("a")
    adapter.trouble = {"waiting"}
    nothing = list(queue.new())
    adapter.trouble = set()

    assert (first, nothing, [message_id for message_id, _ in queue.new()], adapter.marked) == (["b"], [], ["a"], [])


class Clock:
    """A clock that moves by what is waited, and a Berichtenbox with or without a control face."""

    def __init__(self, *, is_simulated, waiting=0):
        self.now, self.moved, self.is_simulated, self.waiting = 0.0, [], is_simulated, waiting

    def pause(self, seconds):
        self.now += seconds

    def __call__(self, request):
        if not self.is_simulated:
            return httpx.Response(404)
        if request.url.path.endswith("/stand"):
            self.waiting = max(0, self.waiting - 1)
            return httpx.Response(200, json={"accepted": self.waiting} if self.waiting else {})
        self.moved.append(request.read())
        return httpx.Response(200, json={})


def collecting(clock, *, target="http://127.0.0.1:1", **rest):
    planned = plan("abonnementen", window_s=10, target=target, **rest)
    return Collecting(planned, client_of(clock), TERM, lambda: clock.now, clock.pause)


def test_wait_ends_when_all_is_there():
    """
    Nothing is waited for that is there.
    """
    clock = Clock(is_simulated=True)

    collecting(clock).until(lambda: clock.now >= 4, lambda: False)

    assert clock.now == pytest.approx(4, abs=0.2)
    assert clock.moved == []


def test_clock_of_a_simulated_berichtenbox_is_moved_by_the_term():
    """
    Two quiet seconds after the schedule the last request is made as old as the term; two more, and what is missing is missing.
    """
    clock = Clock(is_simulated=True)
    waiting = collecting(clock)

    waiting.until(lambda: False, lambda: False)

    assert clock.now == pytest.approx(14, abs=0.5)
    assert len(clock.moved) == 1
    assert waiting.moved_s == pytest.approx(98, abs=0.5)


def test_berichtenbox_that_still_works_is_waited_for():
    """
    What is accepted and not processed may still come.
    """
    clock = Clock(is_simulated=True, waiting=4)

    collecting(clock).until(lambda: False, lambda: False)

    assert clock.now > 20


@pytest.mark.parametrize(
    ("target", "is_simulated", "given", "until"),
    [("http://127.0.0.1:1", False, None, 110), ("http://127.0.0.1:1", False, 20.0, 30), ("https://box.example", True, 20.0, 30)],
    ids=["term", "said", "elsewhere"],
)
def test_of_another_berichtenbox_no_clock_is_moved(target, is_simulated, given, until):
    """
    It is waited for as long as the term says, or as somebody said; elsewhere no clock is touched.
    """
    clock = Clock(is_simulated=is_simulated)
    waiting = collecting(clock, target=target, wait_s=given)

    waiting.until(lambda: False, lambda: False)

    assert (clock.moved, waiting.moved_s) == ([], 0.0)
    assert until <= clock.now <= until + 4


def test_wait_is_never_longer_than_the_term():
    """
    After the term nothing that comes is in time.
    """
    assert wait_s(plan("abonnementen", wait_s=200), TERM) == TERM
    assert wait_s(plan("abonnementen"), TERM) == TERM


def test_lost_connection_moves_no_clock():
    """
    A Berichtenbox that went away is not asked to move its clock.
    """

    def gone(_request):
        raise httpx.ConnectError("gone")

    clock = Clock(is_simulated=True)
    waiting = Collecting(
        plan("abonnementen", window_s=1, wait_s=3, target="http://127.0.0.1:1"), client_of(gone), TERM, lambda: clock.now, clock.pause
    )

    waiting.until(lambda: False, lambda: False)

    assert waiting.moved_s == 0.0
    assert not waiting._is_working()
