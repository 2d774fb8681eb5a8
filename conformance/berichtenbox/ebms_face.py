"""The ebMS2 face, ``POST /ebms``: what the Afnemer's Digikoppeling gateway talks to.

Everything that comes in is on the record with its answer. An answer, and an Acknowledgment, leaves only after the commit that holds the message.
"""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from conformance.berichtenbox.ack_faults import Acknowledging, Making, bent, plainly
from conformance.berichtenbox.box import LARGE, Berichtenbox
from conformance.berichtenbox.committer import GroupCommitter
from conformance.berichtenbox.ebms_link import MOST_QUOTED, parts_seen, peer_text
from conformance.berichtenbox.faults import Fault, Point
from conformance.berichtenbox.http import collect_body
from conformance.berichtenbox.ledger import Face, State, Writing
from conformance.berichtenbox.pushing import Pusher
from conformance.berichtenbox.trouble import refusing, seen_of, spoiled, status_of
from conformance.berichtenbox.wire import Exchange, Headers, PartSeen, Sending
from conformance.transport.ebms2.http import HttpAnswer, HttpRequest
from conformance.transport.ebms2.model import Message
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.sending import Delivery, DeliveryState
from conformance.transport.serving import PEER

PATH: Final = "/ebms"
_READ_AT_ONCE: Final = 200_000  # a larger body is read in another thread, so that others are answered meanwhile
_POINTS: Final[Mapping[Kind, tuple[Point, ...]]] = {
    Kind.USER: (Point.POST,),
    Kind.ACKNOWLEDGMENT: (Point.PROCESS, Point.FETCH, Point.POLL),
}


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A request with what was read of it; ``reading`` is a refusal when it is no message. ``faults`` strike it, by name.

    ``size`` is that of its body, of which only the beginning is kept.
    """

    request: HttpRequest
    size: int
    raw_headers: Headers
    http_version: str
    reading: Received | Reception
    parts: tuple[PartSeen, ...]
    faults: Mapping[str, Fault] = field(default_factory=dict)

    @property
    def message(self) -> Message | None:
        return self.reading.message if isinstance(self.reading, Received) else None


class EbmsFace:
    """The message service handler of the Berichtenbox behind HTTP."""

    def __init__(self, box: Berichtenbox, pusher: Pusher, committer: GroupCommitter) -> None:
        self._box, self._pusher, self._committer = box, pusher, committer
        self._link = pusher.link

    async def post(self, request: Request) -> Response:
        """Take a message: it is answered once it is on disk."""
        arrival = await self._arrival(request)
        refused = await refusing(arrival.faults)
        if refused is not None:
            await self._record_refusal(arrival, refused)
            return refused
        reading = arrival.reading
        if isinstance(reading, Reception):
            return await self._commit(arrival, reading, lambda _writing: None)
        answer = await self._handle(arrival, self._link.handler.handle(reading, arrival.request.peer, self._link.knowledge))
        return spoiled(answer, arrival.faults)

    async def _arrival(self, request: Request) -> _Arrival:
        body = await collect_body(request)
        raw = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"])
        peer = request.scope.get("extensions", {}).get(PEER)
        arrived = HttpRequest(request.method, PATH, _merged(raw), body, peer)
        size = len(body)
        reading, parts = self._read([arrived]) if size <= _READ_AT_ONCE else await run_in_threadpool(self._read, [arrived])
        # Its parts were cut out: of 100 MB one copy is enough.
        arrived = HttpRequest(
            arrived.method, arrived.path, arrived.headers, bytes(body[:MOST_QUOTED]) if isinstance(reading, Reception) else b"", peer
        )
        points = _POINTS.get(reading.message.kind, ()) if isinstance(reading, Received) else ()
        faults = {fault.name: fault for point in points for fault in self._box.faults.striking(point)}
        return _Arrival(arrived, size, raw, request.scope["http_version"], reading, parts, faults)

    def _read(self, arrived: list[HttpRequest]) -> tuple[Received | Reception, tuple[PartSeen, ...]]:
        """Return what a request is, with its parts by reference: what takes time with a large body.

        It is taken out of its list: a thread remembers what it was given last, and would keep a body of 100 MB until it is given something else.
        """
        if len(arrived[0].body) > LARGE:
            gc.collect()
        reading = self._link.handler.read(arrived.pop())
        return reading, parts_seen(reading) if isinstance(reading, Received) else ()

    async def _handle(self, arrival: _Arrival, reception: Reception) -> Response:
        if reception.outcome is Outcome.SIGNAL:
            return await self._signal(arrival, reception)
        if reception.outcome in {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ANSWERED}:
            return await self._answered(arrival, reception)
        if reception.outcome is Outcome.DUPLICATE:
            return await self._duplicate(arrival, reception)
        return await self._commit(arrival, reception, lambda _writing: None)

    # -- messages --------------------------------------------------------------------------------------------------------------------------

    async def _answered(self, arrival: _Arrival, reception: Reception) -> Response:
        """Keep a message, or its rejection, with the signal that answers it."""
        message = _message(reception)
        with self._link.knowledge.handling(message.message_id, message.cpa_id):
            return await self._keep(arrival, reception, message)

    async def _keep(self, arrival: _Arrival, reception: Reception, message: Message) -> Response:
        answering = self._answering(reception)
        leaving = self._sendings(answering, message)
        reception = answering.reception

        def keep(writing: Writing) -> None:
            for one in leaving:
                writing.wire.add_sending(one)

        if reception.outcome is not Outcome.ACCEPTED:
            return await self._commit(arrival, reception, keep)
        offer = self._box.offer_of(message.envelope(), face=Face.EBMS)
        exchange = self._exchange(arrival, reception)

        def keep_all(writing: Writing) -> None:
            keep(writing)
            writing.wire.add_exchange(exchange)

        await self._committer.store(offer, keep_all)
        self._after_commit(reception)
        return _response(reception.answer)

    def _answering(self, reception: Reception) -> Acknowledging:
        if reception.outcome is not Outcome.ACCEPTED:
            return plainly(reception)
        making = Making(self._box.new_message_id, self._box.wall(), self._link.agreement.url_of_signal(Kind.ERROR))
        return bent(reception, self._box.faults.striking(Point.ACK), making)

    def _sendings(self, answering: Acknowledging, message: Message) -> list[Sending]:
        """Return what is to leave in POSTs of its own, and what the ledger must remember as the answer to this message."""
        leaves_at, wall, is_apart = self._box.clock.now() + answering.delay, self._box.wall(), answering.reception.send_to is not None
        found = []
        for one in answering.leaving:
            # A fault may have it name a CPA that nobody knows; it travels by that of the message all the same.
            delivery = self._link.handler.delivery_of(replace(one.signal, cpa_id=message.cpa_id), one.outgoing, leaves_at)
            if not (one.leaves and is_apart):
                delivery = _not_sent(delivery, "in the answer" if one.leaves else "kept back by a fault")
            answers = message.message_id if one.is_answer else ""
            found.append(Sending(delivery, one.signal.kind, one.outgoing.body, answers, one.signal.kind is Kind.ERROR, wall))
        return found

    async def _duplicate(self, arrival: _Arrival, reception: Reception) -> Response:
        """Answer a copy as the first time; another payload under a MessageId that came before is on the record as an offer that nobody took."""
        message = _message(reception)
        stored = self._box.ledger.wire.answer_to(message.message_id)
        works: list[Callable[[Writing], None]] = []
        if stored is not None and reception.send_to is not None:
            now = self._box.clock.now()
            again = replace(stored.delivery, url=reception.send_to, state=DeliveryState.UNDER_WAY, attempts=0, next_at=now, reason="")
            works.append(lambda writing: writing.wire.add_sending(replace(stored, delivery=again, answers="")))
        earlier = self._box.ledger.message(message.message_id)
        if earlier is not None and [part.content for part in earlier.envelope.parts] != [part.content for part in message.payloads]:
            offer = replace(self._box.offer_of(message.envelope(), face=Face.EBMS), state=State.DUPLICATE)
            works.append(lambda writing: writing.add_offers([offer]))
        return await self._commit(arrival, reception, lambda writing: _all(works, writing))

    # -- signals ---------------------------------------------------------------------------------------------------------------------------

    async def _signal(self, arrival: _Arrival, reception: Reception) -> Response:
        """Take an answer of the Afnemer to a message of ours; one that does not count changes nothing, and is on the record with its reason."""
        message = _message(reception)
        reference = message.ref_to_message_id or ""
        if reception.note:
            return await self._commit(arrival, reception, lambda _writing: None)
        if message.kind is Kind.ACKNOWLEDGMENT and self._box.before_marking is not None:
            await run_in_threadpool(self._box.before_marking, reference)
        return await self._commit(arrival, reception, self._pusher.work_of(message))

    # -- the record ------------------------------------------------------------------------------------------------------------------------

    async def _commit(self, arrival: _Arrival, reception: Reception, work: Callable[[Writing], None]) -> Response:
        exchange = self._exchange(arrival, reception)

        def write(writing: Writing) -> None:
            work(writing)
            writing.wire.add_exchange(exchange)

        await self._committer.do(write)
        self._after_commit(reception)
        return _response(reception.answer)

    def _after_commit(self, reception: Reception) -> None:
        if reception.send_to is not None:
            self._box.wake_pusher()

    async def _record_refusal(self, arrival: _Arrival, refused: Response) -> None:
        answer = HttpAnswer(status_of(refused), dict(refused.headers), bytes(refused.body))
        reading = arrival.reading
        received = reading if isinstance(reading, Received) else reading.received
        reception = Reception(Outcome.REFUSED, answer, received, note="refused by a fault that was set")
        exchange = self._exchange(arrival, reception)
        await self._committer.do(lambda writing: writing.wire.add_exchange(exchange))

    def _exchange(self, arrival: _Arrival, reception: Reception) -> Exchange:
        received = arrival.reading if isinstance(arrival.reading, Received) else reception.received
        message = received.message if received else None
        request = arrival.request
        answer, spoiling = seen_of(reception.answer, arrival.faults)
        return Exchange(
            is_incoming=True,
            kind=message.kind if message else "",
            message_id=message.message_id if message else "",
            ref_to_message_id=(message.ref_to_message_id or "") if message else "",
            method=request.method,
            target=request.path,
            http_version=arrival.http_version,
            headers=arrival.raw_headers,
            soap=received.soap if received else bytes(request.body),
            parts=arrival.parts,
            size=arrival.size,
            status=answer.status,
            answer_headers=tuple(answer.headers.items()),
            answer=answer.body[:MOST_QUOTED],
            peer=peer_text(request.peer),
            note="; ".join(filter(None, (reception.note or str(reception.outcome), spoiling))),
            wall=self._box.wall(),
            business=self._box.clock.now(),
        )


def _message(reception: Reception) -> Message:
    if reception.received is None:
        raise ValueError(f"{reception!r} is about a message, and has none")
    return reception.received.message


def _all(works: list[Callable[[Writing], None]], writing: Writing) -> None:
    for work in works:
        work(writing)


def _not_sent(delivery: Delivery, reason: str) -> Delivery:
    return replace(delivery, state=DeliveryState.DELIVERED, next_at=None, give_up_at=None, reason=reason)


def _merged(raw: Headers) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
