"""A Berichtenbox as the receiver of ebMS messages: it gets batches, and what it delivered shows in the results that it sends back."""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.identities import reserved_test_bsns, same_guid
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.verwerkingsbericht import UnreadableResult, read_verwerkingsbericht
from conformance.stage.judging import NotTestedError
from conformance.stage.kit_gateway import KitGateway
from conformance.stage.receiver import Canary, Signal, in_chunks, padded, signal_in
from conformance.transport.ebms2.http import HttpOutcome
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import SOAP_ACTION, Kind
from conformance.transport.ebms2.writing import Outgoing, write_message
from conformance.verdicts import Reason

_PAUSE_S: Final = 0.02
_MOST_REACTIONS: Final = 10


def _cannot() -> bool:
    return False


def _now() -> datetime:
    return datetime.now(UTC)


def _sleep(interval: timedelta) -> None:
    time.sleep(interval.total_seconds())


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be done to the Berichtenbox besides talking to it; of a live one, nothing.

    ``settle`` lets it do all that it has to do, and tells whether it did; ``restart`` tells whether that could be done. ``business`` is the clock by
    which it works, and ``seconds`` the one by which its answers are timed.
    """

    settle: Callable[[], bool] = _cannot
    restart: Callable[[], bool] = _cannot
    pass_time: Callable[[timedelta], None] | None = None
    business: Callable[[], datetime] = _now
    seconds: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Sender:
    """The Afnemer that the kit plays: its OIN and a BerichtType of it, and how long the Berichtenbox may take to react, in seconds."""

    oin: str
    bericht_type: str
    reaction_s: float
    seed: int = 0


@dataclass(slots=True)
class _Citizens:
    """Draws reserved test BSNs, each once before one comes again."""

    random: random.Random
    left: list[str] = field(default_factory=list)

    def draw(self) -> str:
        if not self.left:
            self.left = list(reserved_test_bsns())
            self.random.shuffle(self.left)
        return self.left.pop()


class BoxReceiver:
    """A Berichtenbox behind ``gateway``, as a :class:`Receiver`."""

    def __init__(self, gateway: KitGateway, sender: Sender, reach: Reach) -> None:
        self.gateway, self.sender, self.reach = gateway, sender, reach
        self.handler, self.agreement = gateway.handler, gateway.agreement
        self.start = 0
        self._url = self.agreement.outgoing(ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action.BV_REQUEST).url
        self._citizens = _Citizens(random.Random(sender.seed))  # noqa: S311  # repeatable choices, no secret
        self._batches: dict[bytes, Batch] = {}
        self._answered: dict[str, str | None] = {}

    @property
    def url(self) -> str:
        """Where batches go: as the CPA says it, at the origin that is tested."""
        return self.gateway.towards(self._url)

    def begin(self) -> None:
        """Begin a case: what was said before it does not count any more."""
        self.gateway.lose_signals(0)
        self.start = self.gateway.count

    def citizen(self) -> str:
        """Return a reserved test BSN that had nothing yet in this round of them."""
        return self._citizens.draw()

    # -- writing ---------------------------------------------------------------------------------------------------------------------------

    def good(self, *, padding: int = 0) -> Message:
        """Return a batch of one bericht to a reserved test BSN, with ids that were never used."""
        batch = self.batch()
        content = padded(batch.to_xml(), padding)
        self._batches[content] = batch
        return self.message(content)

    def batch(self) -> Batch:
        """Return the batch of a good message."""
        batch_id = str(uuid.uuid4())
        texts = ("Proefbericht van de conformance kit", "Dit bericht toetst de keten.")
        bericht = Bericht(batch_id, str(uuid.uuid4()), self.sender.bericht_type, texts[0], self.citizen(), texts[1])
        return Batch(batch_id, write_moment(datetime.now(UTC)), self.sender.oin, (bericht,))

    def message(self, content: bytes) -> Message:
        """Return a GLOBE-R-BV-Request with this payload, as the CPA wants it."""
        return self.request(Action.BV_REQUEST, content, "berichten.xml")

    def request(self, action: Action, content: bytes, name: str) -> Message:
        """Return a message of the Afnemer with this payload, as the CPA wants it; raises ``AgreementError`` when it has no such action."""
        part = Part(content, "text/xml", name, None)
        own = self.agreement.own.ids[0].flat
        return self.handler.new_message(Envelope(self.agreement.cpa_id, own, ROLE_AFNEMER, SERVICE, action, parts=(part,)))

    # -- posting ---------------------------------------------------------------------------------------------------------------------------

    def post(
        self,
        message: Message,
        outgoing: Outgoing | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        chunks: bool = False,
        method: str = "POST",
    ) -> HttpOutcome:
        """Post to the Berichtenbox, on the record."""
        outgoing = outgoing or write_message(message)
        sent = {"content-type": outgoing.content_type, "soapaction": SOAP_ACTION} if headers is None else dict(headers)
        body: bytes | Iterable[bytes] = in_chunks(outgoing.body) if chunks else outgoing.body
        outcome = self.gateway.post(message, self._url, outgoing, headers=sent, method=method, body=body)
        if outcome.answer is None:
            trouble = "no answer" if outcome.trouble is None else outcome.trouble.text
            raise NotTestedError(Reason.UNREACHABLE, f"the Berichtenbox gives no HTTP answer: {trouble}")
        return outcome

    # -- looking ---------------------------------------------------------------------------------------------------------------------------

    def wait(self, holds: Callable[[], bool]) -> bool:
        """Wait until ``holds()``, nothing is left to do, or the time to react is over; that begins again with each message over the line."""
        began = last = time.monotonic()
        seen = self.gateway.count
        while True:
            before = self.gateway.count
            is_settled = self.reach.settle()
            if holds():
                return True
            now, after = time.monotonic(), self.gateway.count
            if is_settled and self.gateway.is_idle and after == before == self.gateway.count:
                return holds()
            if after != seen:
                seen, last = after, now
            if now - last > self.sender.reaction_s or now - began > _MOST_REACTIONS * self.sender.reaction_s:
                return False
            time.sleep(_PAUSE_S if not is_settled else 0)  # the Berichtenbox is another process: all that can be done is look again

    def signals(self, message_id: str, *, expected: int = 1) -> Sequence[Signal]:
        """Return what the Berichtenbox said about a message."""
        self.wait(lambda: len(self._said(message_id)) >= expected)
        return self._said(message_id)

    def _said(self, message_id: str) -> list[Signal]:
        name = message_id.encode()
        found = [signal for one in self.gateway.exchanges(self.start) if (signal := signal_in(one, name)) is not None]
        return [signal for signal in found if signal.kind != Kind.USER]

    def errors(self) -> Sequence[Signal]:
        """Return the MessageErrors of the whole run."""
        self.reach.settle()
        found = [signal for one in self.gateway.exchanges() if (signal := signal_in(one, b"ErrorList")) is not None]
        return [signal for signal in found if signal.kind in {"", Kind.ERROR}]

    def quiet(self) -> None:
        """Wait until the Berichtenbox has nothing left to do, or did nothing for as long as it may."""
        self.wait(_cannot)

    def deliveries(self, message: Message) -> int:
        """Return for how often the batch was taken: the results on it, copies of one left out."""
        self.reach.settle()
        return len(self.results_on(message))

    def is_delivered(self, message: Message) -> bool:
        """Wait until there is a result on the batch."""
        return self.wait(lambda: bool(self.results_on(message)))

    def batch_in(self, message: Message) -> Batch:
        """Return the batch of a good message."""
        return next(self._batches[part.content] for part in message.payloads if part.content in self._batches)

    def results_on(self, message: Message) -> Sequence[Message]:
        """Return the results on the batch of a good message that came so far."""
        wanted = self.batch_in(message).batch_id
        return [result for result in list(self.gateway.results) if same_guid(self.batch_id_of(result), wanted)]

    def batch_of(self, result: Message) -> Batch | None:
        """Return the batch that a result is about, ``None`` when it is none of the good ones."""
        batch_id = self.batch_id_of(result)
        return next((batch for batch in self._batches.values() if same_guid(batch.batch_id, batch_id)), None)

    def batch_id_of(self, result: Message) -> str:
        """Return the BatchID in a result, empty when it cannot be read."""
        known = self._answered.get(result.message_id)
        if known is None:
            known = self._answered[result.message_id] = _batch_id(result)
        return known

    # -- circumstances ---------------------------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Restart the Berichtenbox."""
        if not self.reach.restart():
            raise NotTestedError(Reason.DRIVER_CANNOT, "the Berichtenbox cannot be restarted from here; give [driver] restart in the profile")

    def lose_signals(self, times: int) -> None:
        """Have the gateway of the kit answer 503 to the next Acknowledgments."""
        self.gateway.lose_signals(times)

    def pass_interval(self) -> None:
        """Let the RetryInterval of the CPA pass; of a live Berichtenbox no longer than it has to react."""
        interval = self.agreement.signal_interval
        if self.reach.pass_time is not None:
            self.reach.pass_time(interval)
        else:
            _sleep(min(interval, timedelta(seconds=self.sender.reaction_s)))

    def canary(self) -> Canary:
        """Listen where the gateway of the kit listens, on another port."""
        return Canary(self.gateway.host)


def _batch_id(result: Message) -> str:
    try:
        return read_verwerkingsbericht(parse(unpack(result.payloads[0].content))).batch_id
    except (IndexError, XmlRefused, PackedTooMuch, UnreadableResult):
        return ""
