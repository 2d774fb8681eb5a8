"""One letter on its way over ebMS2, as a case follows it: the copies of its message, the signals about it, and what became of the letter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from conformance.afnemer.driver import AfnemerStatus, Delivered
from conformance.berichtenbox.wire import Exchange
from conformance.messages.moments import read_moment
from conformance.stage.judging import NotTestedError
from conformance.stage.line import Line
from conformance.stage.scene import REFUSED_VISIBLY, Scene
from conformance.stage.sent import agreed_in, request_of
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.wire_sent import Sent, read_sent
from conformance.verdicts import Reason

_LONGEST_WAIT: Final = timedelta(minutes=2)
_SUCCESS: Final = range(200, 300)
_SLACK: Final = timedelta(seconds=1)
_JUST_AFTER: Final = timedelta(milliseconds=10)


def line_of(scene: Scene) -> Line:
    """Return the line; raises :class:`NotTestedError` in a run that is not over ebMS2."""
    if scene.line is None:
        raise NotTestedError(Reason.FACE_NOT_USED, "this run is not over ebMS2")
    return scene.line


def let_pass(scene: Scene, times: int) -> None:
    """Let RetryInterval pass some times; raises :class:`NotTestedError` when that takes too long, and the clock cannot be moved.

    A clock that is moved stops just before the end of each interval: who repeats too soon is seen to.
    """
    line = line_of(scene)
    if not line.is_movable and times * line.interval > _LONGEST_WAIT:
        text = f"RetryInterval is {line.interval}, and the clock of this Afnemer cannot be moved; test with a CPA in which it is some seconds"
        raise NotTestedError(Reason.DRIVER_CANNOT, text)
    for _ in range(times):
        if line.is_movable:
            scene.box.advance(seconds=(line.interval - 2 * slack_of(line.interval)).total_seconds())
            scene.box.advance(seconds=(2 * slack_of(line.interval) + _JUST_AFTER).total_seconds())
        else:
            scene.pass_interval()
    scene.wait(lambda: False, is_patient=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was delivered, and the MessageId of the first message that it went in."""

    scene: Scene
    delivered: Delivered
    message_id: str
    known: frozenset[str]

    def copies(self) -> Sequence[Exchange]:
        """Return each time that the message came, the first included."""
        return [one for one in _incoming(self.scene) if one.message_id == self.message_id]

    def others(self) -> Sequence[str]:
        """Return the MessageIds of later messages that were not there before the letter was: it may be in one of them."""
        return list(dict.fromkeys(one.message_id for one in _incoming(self.scene) if one.message_id not in self.known | {self.message_id}))

    def was_crossed(self) -> bool:
        """Tell whether an earlier message came again meanwhile: a fault that was meant for this one may have struck that."""
        return any(one.message_id in self.known for one in _incoming(self.scene))

    def signals(self, kind: Kind) -> Sequence[Exchange]:
        """Return the signals about the message that the Berichtenbox sent in a POST of their own."""
        exchanges = self.scene.box.exchanges(self.scene.start)
        return [one for one in exchanges if not one.is_incoming and one.kind == kind and one.ref_to_message_id == self.message_id]

    def sent(self) -> Sequence[Sent]:
        """Return the copies as the wire rules read them."""
        agreed = agreed_in(line_of(self.scene).cpa)
        return [read_sent(request_of(one, agreed)) for one in self.copies()]

    def is_offered(self) -> bool:
        """Tell whether the Berichtenbox took the message."""
        return any(offer.envelope.message_id == self.message_id for offer in self.scene.offers())

    def wait_until(self, holds: Callable[[], bool], intervals: int) -> bool:
        """Wait until something holds, for as many intervals as that may take; return whether it did."""
        if self.scene.wait(holds, is_patient=False):
            return True
        for _ in range(intervals):
            let_pass(self.scene, 1)
            if self.scene.wait(holds, is_patient=False):
                return True
        return False

    def status(self) -> AfnemerStatus:
        """Return where the letter stands at the Afnemer."""
        return self.scene.status_of(self.delivered)

    def is_told(self) -> bool:
        """Tell whether the application knows that the message failed: it says so, or it tries another message."""
        return self.status() in REFUSED_VISIBLY or bool(self.others())

    def lasts(self) -> timedelta:
        """Return how long the message may be under way: its TimeToLive, and what the CPA says when it has none."""
        line = line_of(self.scene)
        first = self.sent()[0]
        sent_at, expires_at = (read_moment(first.text(f"MessageData/{name}") or "") for name in ("Timestamp", "TimeToLive"))
        return (line.retries + 1) * line.interval if sent_at is None or expires_at is None else expires_at.at - sent_at.at


def send_letter(scene: Scene) -> Letter:
    """Have one letter delivered, and wait for the first message that it goes in; raises :class:`NotTestedError` when there is none."""
    known = frozenset(one.message_id for one in scene.box.exchanges(scene.run_mark) if one.is_incoming)
    delivered = scene.driver.deliver([scene.letter()])[0]

    def new() -> list[str]:
        return [one.message_id for one in _incoming(scene) if one.message_id not in known]

    if not scene.wait(lambda: bool(new()), is_patient=False):
        raise NotTestedError(Reason.NO_TRAFFIC, "the letter that was asked for never left over ebMS2")
    return Letter(scene, delivered, new()[0], known)


def _incoming(scene: Scene) -> list[Exchange]:
    return [one for one in scene.box.exchanges(scene.start) if one.is_incoming and one.kind == Kind.USER]


def is_taken(exchange: Exchange) -> bool:
    """Tell whether a request was answered with 2xx."""
    return exchange.status in _SUCCESS


def answered(exchanges: Sequence[Exchange]) -> str:
    """Return how requests were answered, as people read it."""
    return ", ".join(_answer(one) for one in exchanges) or "none of them"


def _answer(exchange: Exchange) -> str:
    if not exchange.status:
        return exchange.note or "no answer"
    return f"{exchange.status}{f' with {len(exchange.answer)} bytes' if exchange.answer else ''}"


def slack_of(interval: timedelta) -> timedelta:
    """Return how much earlier than agreed a copy may seem to come: the line takes its time, once more and then less."""
    return min(interval / 10, _SLACK)
