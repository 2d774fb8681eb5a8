"""The life of one outgoing message: when its next copy leaves, and how it ends (profile 2 of MSG 6.6: once and only once).

Pure functions over a frozen value. The clock is the caller's, so that a test can move it; the copies are the same bytes, which the store keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from conformance.rules.findings import quoted
from conformance.transport.ebms2.http import Effect, HttpAnswer, HttpOutcome, effect_of
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import ErrorCode, Kind
from conformance.transport.ebms2.signals import is_fatal, reason_of

_LONGEST_WAIT_DIGITS: Final = 9


class DeliveryState(StrEnum):
    """How far a message is; all but ``UNDER_WAY`` are final."""

    UNDER_WAY = "under-way"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to ``url``: at most 1 + ``retries`` attempts, ``interval`` apart, until ``give_up_at``.

    ``next_at`` is when its next copy leaves, and ``None`` when only an answer is waited for. ``give_up_at`` is ``None`` for best effort.
    ``reason`` tells how it ended, or else how its last attempt went.
    """

    message_id: str
    cpa_id: str
    url: str
    content_type: str
    retries: int
    interval: timedelta
    give_up_at: datetime | None
    is_reliable: bool
    is_sync: bool
    next_at: datetime | None = None
    attempts: int = 0
    state: DeliveryState = DeliveryState.UNDER_WAY
    reason: str = field(default="", repr=False)

    def __repr__(self) -> str:
        return f"<Delivery {self.message_id}: {self.state} after {self.attempts} of {1 + self.retries} attempts>"

    @property
    def due_at(self) -> datetime | None:
        """Return when something must happen, a copy or the end, or ``None`` when the life is over."""
        return self.give_up_at if self.next_at is None else self.next_at

    def is_due(self, now: datetime) -> bool:
        """Tell whether a copy leaves now."""
        return self.state is DeliveryState.UNDER_WAY and self.next_at is not None and self.next_at <= now


def after_attempt(delivery: Delivery, outcome: HttpOutcome, now: datetime) -> Delivery:
    """Return the delivery after one POST of which the answer carried no signal that counts; source: DK HTTP Response Codes, CORE.

    Reliable: taken means waiting for the Acknowledgment, which comes within the interval or a copy follows. Best effort: taken is the end.
    """
    if delivery.state is not DeliveryState.UNDER_WAY:
        return delivery
    tried = replace(delivery, attempts=delivery.attempts + 1)
    effect, reason = _meaning(tried, outcome)
    if effect is Effect.FINAL:
        return _ended(tried, DeliveryState.FAILED, reason)
    if effect is Effect.TAKEN and not tried.is_reliable:
        return _ended(tried, DeliveryState.DELIVERED, reason)
    if tried.attempts <= tried.retries:
        return _waiting(tried, reason, now + max(tried.interval, _asked_wait(tried, outcome.answer)))
    return replace(tried, next_at=None, reason=reason) if tried.is_reliable else _ended(tried, DeliveryState.FAILED, reason)


def _meaning(delivery: Delivery, outcome: HttpOutcome) -> tuple[Effect, str]:
    if outcome.answer is None:
        # Refused, cut off, too late or no TLS: recover by sending again (MSG B.4).
        return Effect.AGAIN, "no answer" if outcome.trouble is None else f"{outcome.trouble.kind}: {outcome.trouble.text}"
    status, effect = outcome.answer.status, effect_of(outcome.answer.status)
    if effect is not Effect.TAKEN:
        return effect, f"HTTP {status}{_said(outcome.answer)}"
    if delivery.is_reliable and delivery.is_sync:
        return Effect.AGAIN, f"HTTP {status} without the Acknowledgment that the CPA wants in it"
    if delivery.is_reliable and outcome.answer.body:
        return Effect.TAKEN, f"HTTP {status} with a body that is no signal, while the CPA wants signals in a POST of their own"
    return Effect.TAKEN, f"HTTP {status}"


def _said(answer: HttpAnswer) -> str:
    text = " ".join(answer.body[:1000].decode("utf-8", "replace").split())
    return f": {quoted(text)}" if text else ""


def _waiting(delivery: Delivery, reason: str, next_at: datetime) -> Delivery:
    is_late = delivery.give_up_at is not None and next_at >= delivery.give_up_at
    return replace(delivery, next_at=None if is_late else next_at, reason=reason)


def _asked_wait(delivery: Delivery, answer: HttpAnswer | None) -> timedelta:
    """Return what Retry-After asks. It may cost one interval extra and no more: otherwise a server could keep a message until it expires."""
    if answer is None or effect_of(answer.status) is not Effect.AGAIN:
        return timedelta()
    return min(_retry_after(answer.headers), 2 * delivery.interval)


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    """Return what the header says: seconds, or a moment that is compared with the Date of the same answer, for our clock may be another."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:_LONGEST_WAIT_DIGITS]))
    try:
        return parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return timedelta()


def after_signal(delivery: Delivery, signal: Message) -> Delivery:
    """Return the delivery after an Acknowledgment, a MessageError, a Pong or a StatusResponse that counts.

    A signal about another message changes nothing, and neither does one that comes after the end. A MessageError that only warns ends nothing:
    the message was processed, and its Acknowledgment follows (MSG 4.2.3.1).
    """
    if delivery.state is not DeliveryState.UNDER_WAY or (signal.ref_to_message_id, signal.cpa_id) != (delivery.message_id, delivery.cpa_id):
        return delivery
    if signal.kind is not Kind.ERROR:
        return _ended(delivery, DeliveryState.DELIVERED, signal.action)
    return _ended(delivery, DeliveryState.FAILED, reason_of(signal)) if is_fatal(signal) else replace(delivery, reason=reason_of(signal))


def after_time(delivery: Delivery, now: datetime) -> Delivery:
    """Return the delivery as the clock has it: expired when no answer came in time, of which its own application is told (MSG 6.5.7)."""
    if delivery.state is not DeliveryState.UNDER_WAY or delivery.give_up_at is None or now < delivery.give_up_at:
        return delivery
    what = "it could not be transmitted" if delivery.attempts == 0 else f"no Acknowledgment came after {delivery.attempts} attempts"
    last = f"; the last one: {delivery.reason}" if delivery.reason else ""
    return _ended(delivery, DeliveryState.EXPIRED, f"{ErrorCode.DELIVERY_FAILURE}: {what}{last}")


def _ended(delivery: Delivery, state: DeliveryState, reason: str) -> Delivery:
    return replace(delivery, state=state, next_at=None, give_up_at=None, reason=reason)
