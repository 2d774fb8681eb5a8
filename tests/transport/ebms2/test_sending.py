"""The life of one message, on a clock that is moved: how often, when, and how it ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, Trouble, TroubleKind
from conformance.transport.ebms2.model import EbmsError
from conformance.transport.ebms2.sending import Delivery, DeliveryState, after_attempt, after_signal, after_time

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=90)
TAKEN = HttpOutcome(HttpAnswer(204))
REFUSED = HttpOutcome(trouble=Trouble(TroubleKind.REFUSED, "nothing listens at https://logius.example/ebms"))


def delivery(**changes):
    """Return a reliable delivery that begins now, with three retries."""
    said = {"message_id": "m-1@sr.example", "cpa_id": "CPA_1", "url": "https://logius.example/ebms", "content_type": "text/xml"}
    schedule = {"retries": 3, "interval": INTERVAL, "give_up_at": NOW + 4 * INTERVAL, "next_at": NOW, "is_reliable": True, "is_sync": False}
    return Delivery(**(said | schedule | changes))


def best_effort(**changes):
    return delivery(**({"is_reliable": False, "retries": 0, "give_up_at": None} | changes))


def answered(status, body=b"", **headers):
    return HttpOutcome(HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body))


def lived(one, outcome):
    """Let a delivery live with one outcome for each attempt; return it, and the moments of its attempts."""
    moments = []
    while one.due_at is not None:
        now = one.due_at
        if one.is_due(now):
            moments.append(now)
            one = after_attempt(one, outcome, now)
        one = after_time(one, now)
    return one, moments


@pytest.mark.parametrize("outcome", [TAKEN, REFUSED, answered(500), answered(503)])
def test_copies_leave_at_each_interval_until_time_to_live(outcome):
    """
    Without an Acknowledgment there is one attempt and three copies, an interval apart, and then the end at TimeToLive.
    """
    one, moments = lived(delivery(), outcome)

    assert moments == [NOW + number * INTERVAL for number in range(4)]
    assert (one.state, one.attempts, one.due_at) == (DeliveryState.EXPIRED, 4, None)
    assert one.reason.startswith("DeliveryFailure: no Acknowledgment came after 4 attempts; the last one: ")


def test_first_attempt_is_now():
    """
    A delivery is due at once, and not before.
    """
    one = delivery()

    assert one.is_due(NOW)
    assert not one.is_due(NOW - timedelta(seconds=1))
    assert repr(one) == "<Delivery m-1@sr.example: under-way after 0 of 4 attempts>"


def test_attempt_that_took_long_shifts_the_next():
    """
    An interval counts from the end of an attempt, so copies are never closer.
    """
    late = NOW + timedelta(seconds=30)

    assert after_attempt(delivery(), TAKEN, late).next_at == late + INTERVAL


def test_no_copy_after_time_to_live():
    """
    A copy that would leave at or after TimeToLive does not leave.
    """
    one = after_attempt(delivery(give_up_at=NOW + INTERVAL), TAKEN, NOW)

    assert (one.next_at, one.due_at, one.state) == (None, NOW + INTERVAL, DeliveryState.UNDER_WAY)


def test_message_that_never_left_expires():
    """
    When the clock passes TimeToLive before the first attempt, the reason says so.
    """
    one = after_time(delivery(), NOW + 4 * INTERVAL)

    assert (one.state, one.reason) == (DeliveryState.EXPIRED, "DeliveryFailure: it could not be transmitted")
    assert not one.is_due(NOW + 4 * INTERVAL)


def test_time_changes_nothing_before_the_end():
    """
    Before TimeToLive, without one, and after the end nothing changes.
    """
    under_way, done = delivery(), delivery(state=DeliveryState.DELIVERED)

    assert after_time(under_way, NOW + 4 * INTERVAL - timedelta(microseconds=1)) is under_way
    assert after_time(done, NOW + 9 * INTERVAL) is done
    assert after_time(one := best_effort(), NOW + 9 * INTERVAL) is one


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (301, "failed"),
        (307, "failed"),
        (400, "failed"),
        (401, "failed"),
        (404, "failed"),
        (413, "failed"),
        (408, "under-way"),
        (429, "under-way"),
        (500, "under-way"),
        (502, "under-way"),
        (503, "under-way"),
        (504, "under-way"),
        (501, "failed"),
        (505, "failed"),
        (510, "failed"),
        (200, "under-way"),
        (202, "under-way"),
        (100, "failed"),
    ],
)
def test_status_decides(status, state):
    """
    A redirect and most of 4xx end a message; 408, 429 and most of 5xx are tried again; 2xx waits for the Acknowledgment.
    """
    one = after_attempt(delivery(), answered(status), NOW)

    assert (one.state, one.next_at) == (state, NOW + INTERVAL if state == "under-way" else None)
    assert str(status) in one.reason


@pytest.mark.parametrize("kind", TroubleKind)
def test_trouble_of_the_network_is_tried_again(kind):
    """
    Refused, cut off, too late, or no TLS: the next copy may arrive.
    """
    one = after_attempt(delivery(), HttpOutcome(trouble=Trouble(kind, "text")), NOW)

    assert (one.state, one.next_at, one.reason) == ("under-way", NOW + INTERVAL, f"{kind}: text")


def test_reason_shows_what_the_other_side_said():
    """
    A text of the other side is shown short, on one line and without a BSN; and an outcome without anything has a reason too.
    """
    assert after_attempt(delivery(), answered(400, b"Number 999990019\n is\twrong"), NOW).reason == "HTTP 400: Number 9999***** is wrong"
    assert len(after_attempt(delivery(), answered(500, b"x" * 10_000), NOW).reason) < 300
    assert after_attempt(delivery(), HttpOutcome(), NOW).reason == "no answer"


def test_synchronous_answer_without_acknowledgment_is_a_failed_attempt():
    """
    Where the CPA wants the Acknowledgment in the answer, 204 is no success, and a copy follows.
    """
    one, moments = lived(delivery(is_sync=True), TAKEN)

    assert (len(moments), one.state) == (4, DeliveryState.EXPIRED)
    assert "HTTP 204 without the Acknowledgment that the CPA wants in it" in one.reason


def test_body_that_is_no_signal_is_told():
    """
    A body in an asynchronous answer is remembered in the reason.
    """
    assert "a body that is no signal" in after_attempt(delivery(), answered(200, b"<html/>"), NOW).reason


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "60"}, INTERVAL),
        ({"retry_after": "7200"}, timedelta(hours=2)),
        ({"retry_after": "86400"}, 2 * INTERVAL),
        ({"retry_after": "9" * 40}, 2 * INTERVAL),
        ({"retry_after": "Mon, 23 Nov 2026 14:00:00 GMT", "date": "Mon, 23 Nov 2026 12:00:00 GMT"}, timedelta(hours=2)),
        ({"retry_after": "Mon, 23 Nov 2026 14:00:00 GMT"}, INTERVAL),
        ({"retry_after": "Mon, 23 Nov 2026 14:00:00 GMT", "date": "Mon, 23 Nov 2026 12:00:00"}, INTERVAL),
        ({"retry_after": "Mon, 23 Nov 2026 14:00:00 -0000", "date": "Mon, 23 Nov 2026 12:00:00 GMT"}, INTERVAL),
        ({"retry_after": "soon"}, INTERVAL),
        ({"retry_after": "-5"}, INTERVAL),
        ({"retry_after": "²"}, INTERVAL),
    ],
)
def test_retry_after_is_not_before(headers, wait):
    """
    Retry-After makes a copy later, by one interval at most, and never earlier; what cannot be read asks nothing.
    """
    assert after_attempt(delivery(), answered(503, **headers), NOW).next_at == NOW + wait


def test_retry_after_of_a_success_asks_nothing():
    """
    It belongs to an error.
    """
    assert after_attempt(delivery(), answered(202, retry_after="10000"), NOW).next_at == NOW + INTERVAL


def test_best_effort_ends_with_its_first_answer():
    """
    Without reliability 2xx is delivered, and the first failure is final.
    """
    assert after_attempt(best_effort(), TAKEN, NOW).state is DeliveryState.DELIVERED
    assert after_attempt(best_effort(), REFUSED, NOW).state is DeliveryState.FAILED
    assert after_attempt(best_effort(), answered(503), NOW).state is DeliveryState.FAILED


def test_signal_may_be_repeated():
    """
    A caller may give a signal more attempts; the last failure is the end.
    """
    one, moments = lived(best_effort(retries=2), REFUSED)

    assert (moments, one.state) == ([NOW, NOW + INTERVAL, NOW + 2 * INTERVAL], DeliveryState.FAILED)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.EXPIRED])
def test_end_is_the_end(pair, state):
    """
    Neither an attempt that was still under way nor a late signal changes it.
    """
    one = delivery(state=state)
    ack = signals.acknowledgment_of(pair.request(), "a@sp.example", NOW)

    assert after_attempt(one, REFUSED, NOW) is one
    assert after_signal(one, ack) is one


def test_acknowledgment_delivers(pair):
    """
    After the Acknowledgment no copy leaves, and the reason names it.
    """
    ack = signals.acknowledgment_of(pair.request(), "a@sp.example", NOW)

    one = after_signal(after_attempt(delivery(), TAKEN, NOW), ack)

    assert (one.state, one.attempts, one.due_at, one.reason) == (DeliveryState.DELIVERED, 1, None, "Acknowledgment")


def test_signal_before_its_answer_counts(pair):
    """
    An Acknowledgment can overtake the answer of the POST; the attempt then changes nothing.
    """
    one = after_signal(delivery(), signals.acknowledgment_of(pair.request(), "a@sp.example", NOW))

    assert after_attempt(one, TAKEN, NOW) is one


@pytest.mark.parametrize("changes", [{"ref_to_message_id": "m-2@sr.example"}, {"cpa_id": "CPA_2"}])
def test_signal_about_another_message_changes_nothing(pair, changes):
    """
    MessageId and CPAId must both agree.
    """
    ack = signals.acknowledgment_of(pair.request(), "a@sp.example", NOW)

    assert after_signal(one := delivery(), replace(ack, **changes)) is one


def test_error_fails_with_its_code(pair):
    """
    A MessageError ends the delivery, and its code and words are the reason.
    """
    error = signals.error_of(pair.request(), EbmsError("MimeProblem", "cid:x", "MIME part not found."), "e@sp.example", NOW)

    one = after_signal(delivery(), error)

    assert (one.state, one.due_at, one.reason) == (DeliveryState.FAILED, None, "MimeProblem at cid:x (MIME part not found.)")
    assert after_signal(delivery(), replace(error, error_list=None)).state is DeliveryState.FAILED


def test_warning_ends_nothing(pair):
    """
    A MessageError that only warns is remembered; the message was processed, and its Acknowledgment may still come.
    """
    warning = signals.error_of(pair.request(), EbmsError("Unknown", severity="Warning"), "e@sp.example", NOW)

    one = after_signal(delivery(), warning)

    assert (one.state, one.next_at, one.reason) == (DeliveryState.UNDER_WAY, NOW, "Unknown")
