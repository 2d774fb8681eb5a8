"""Sends what is to leave over ebMS2: results and signals to the Afnemer's gateway, again and again as the CPA says, on the business clock."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from conformance.berichtenbox.citizens import Kept
from conformance.berichtenbox.ebms_link import MOST_QUOTED, EbmsLink, outgoing_of, parts_seen, peer_text
from conformance.berichtenbox.faults import Fault, Point
from conformance.berichtenbox.kept import filled, is_whole, seen_as_kept, size_of, sized, with_stand_in
from conformance.berichtenbox.ledger import OfferedResult, Writing
from conformance.berichtenbox.wire import Exchange, Sending
from conformance.messages.envelope import SERVICE, Action
from conformance.messages.moments import write_moment
from conformance.transport.ebms2.agreements import AgreementError
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, Trouble, TroubleKind
from conformance.transport.ebms2.mime import MimeRefused
from conformance.transport.ebms2.model import Message, service_of
from conformance.transport.ebms2.names import SOAP_ACTION, Kind
from conformance.transport.ebms2.reading import EnvelopeRefused, Received, read_message
from conformance.transport.ebms2.receiving import Outcome
from conformance.transport.ebms2.sending import Delivery, DeliveryState, after_attempt, after_signal, after_time
from conformance.transport.ebms2.writing import Outgoing, write_message

if TYPE_CHECKING:
    from conformance.berichtenbox.box import Berichtenbox

_LONG_AGO: Final = timedelta(hours=1)
_TAKEN: Final = 204
_NOBODY: Final = HttpOutcome(trouble=Trouble(TroubleKind.REFUSED, "nobody listens there: a fault that was set"))
_RESULTS: Final = frozenset({Action.BV_RESULT, Action.A_RESULT})


class Pusher:
    """Puts results under way and posts whatever is due; safe to use from any thread, one at a time does the work."""

    def __init__(self, box: "Berichtenbox", link: EbmsLink) -> None:
        self._box, self.link = box, link
        self._working = threading.Lock()

    def push(self) -> None:
        """Put new results under way, and post everything that is due on the business clock."""
        with self._working:
            for message_id in self._box.ledger.wire.unsent_results():
                self._put_under_way(message_id)
            for leaving in self._box.ledger.wire.due_sendings(self._box.clock.now()):
                self._post(leaving)

    # -- results ---------------------------------------------------------------------------------------------------------------------------

    def _put_under_way(self, message_id: str) -> None:
        """Keep the bytes of a result, so that each copy of it is the same."""
        now, earlier = self._box.clock.now(), self._box.ledger.wire.sending(message_id)
        stored = self._box.ledger.message(message_id)
        if earlier is not None:  # it comes again under its own MessageId, as a fault asks
            message = read_message(earlier.delivery.content_type, earlier.body).message
            again = self.link.handler.delivery_of(message, outgoing_of(earlier), now)
            self._keep(replace(earlier, delivery=again))
        elif isinstance(stored, OfferedResult):
            self._keep(self._first_sending(stored, message_id, now))

    def _first_sending(self, stored: OfferedResult, message_id: str, now: datetime) -> Sending:
        envelope = stored.envelope if stored.kept is None else with_stand_in(stored.envelope)
        action = envelope.action if envelope.action in _RESULTS else Action.BV_RESULT
        try:
            # A message of another service goes the way of a result: no CPA of this connection has it, and that is what is tried.
            agreed = self.link.handler.new_message(replace(envelope, service=SERVICE, action=action))
        except AgreementError as error:  # a ledger of an earlier connection: it must not hold up the others
            return Sending(_failed(message_id, envelope.cpa_id, str(error)), Kind.USER, b"")
        message = replace(agreed, service=service_of(envelope.service), action=envelope.action)
        outgoing = write_message(message)
        return Sending(self.link.handler.delivery_of(agreed, outgoing, now), Kind.USER, outgoing.body, kept=stored.kept)

    def _keep(self, leaving: Sending) -> None:
        self._box.ledger.write([lambda writing: writing.wire.add_sending(leaving)])

    # -- posting ---------------------------------------------------------------------------------------------------------------------------

    def _post(self, leaving: Sending) -> None:
        """Post one copy, or give up, and keep how it went."""
        now, delivery = self._box.clock.now(), leaving.delivery
        ended = after_time(delivery, now)
        if ended is not delivery:  # also when the Berichtenbox was away for so long that a copy was due: nobody would take it
            self._box.ledger.write([_moving(leaving.moved_to(ended))])
        if ended is not delivery or not delivery.is_due(now):
            return
        is_away = leaving.kind == Kind.USER and self._box.faults.striking(Point.CONNECT)
        self._after(leaving, self._unreached(leaving) if is_away else self._tried(leaving))

    def _unreached(self, leaving: Sending) -> HttpOutcome:
        """Put on the record that nobody was there: not one connection is made."""
        delivery, wall, business = leaving.delivery, self._box.wall(), self._box.clock.now()
        exchange = exchange_of(delivery.message_id, delivery.url, outgoing_of(leaving), _NOBODY, "", wall, business)
        self._box.ledger.write([lambda writing: writing.wire.add_exchange(exchange)])
        return _NOBODY

    def _tried(self, leaving: Sending) -> HttpOutcome:
        """Post one copy, bent by the faults that strike."""
        delivery, faults = leaving.delivery, self._striking(leaving)
        for message in _in_front(leaving, faults, self._box.new_message_id):
            self._send(message.message_id, delivery.url, write_message(message), "a fault that was set")
        outgoing = _spoiled(outgoing_of(leaving), faults)
        outcome = self._send(delivery.message_id, delivery.url, outgoing, "", leaving.kept)
        if "push-twice" in faults:
            outcome = self._send(delivery.message_id, delivery.url, outgoing, "the same, twice in a row", leaving.kept)
        return outcome

    def _striking(self, leaving: Sending) -> Mapping[str, Fault]:
        """Return the faults that bend this copy; only the first copy of a message is bent, so that a correct party gets it."""
        if leaving.kind != Kind.USER or leaving.delivery.attempts:
            return {}
        return {fault.name: fault for fault in self._box.faults.striking(Point.PUSH)}

    def _after(self, leaving: Sending, outcome: HttpOutcome) -> None:
        """Keep how a copy went; a signal in the HTTP answer counts as one that came by itself when the CPA wants it there."""
        delivery, works = leaving.delivery, []
        signal = self._signal_in(leaving, outcome)
        now = self._box.clock.now()
        if signal is None:
            works.append(_moving(leaving.moved_to(after_attempt(delivery, outcome, now))))
        else:
            tried = replace(delivery, attempts=delivery.attempts + 1)
            works.append(_moving(leaving.moved_to(tried)))
            works.append(self.work_of(signal))
        self._box.ledger.write(works)

    def _signal_in(self, leaving: Sending, outcome: HttpOutcome) -> Message | None:
        answer = outcome.answer
        if answer is None or not leaving.delivery.is_sync or not answer.is_success or not answer.body:
            return None
        reception = self.link.handler.read_answer(answer, self.link.knowledge)
        is_ours = reception.outcome is Outcome.SIGNAL and not reception.note and reception.received is not None
        return reception.received.message if is_ours and reception.received else None

    def work_of(self, signal: Message) -> Callable[[Writing], None]:
        """Return what a signal of the Afnemer that counts changes: its message ends, and an acknowledged result counts as taken."""
        reference = signal.ref_to_message_id or ""
        leaving = self._box.ledger.wire.sending(reference)
        now = self._box.clock.now()
        operation = Point.PROCESS if signal.kind is Kind.ACKNOWLEDGMENT else str(signal.kind)
        call = self._box.call_of(operation, reference, _TAKEN)

        def work(writing: Writing) -> None:
            if leaving is not None:
                writing.wire.update_sending(leaving.moved_to(after_signal(leaving.delivery, signal)))
            if signal.kind is Kind.ACKNOWLEDGMENT:
                writing.mark_processed(reference, now)
            writing.add_call(call)

        return work

    def _send(self, message_id: str, url: str, outgoing: Outgoing, note: str, kept: Kept | None = None) -> HttpOutcome:
        """Post, and put it on the record."""
        wall, business = self._box.wall(), self._box.clock.now()
        if kept is not None and is_whole(outgoing.body):
            return self._send_kept(message_id, url, outgoing, note, kept)
        outcome = self.link.poster.post(url, outgoing.content_type, outgoing.body)
        exchange = exchange_of(message_id, url, outgoing, outcome, note, wall, business)
        self._box.ledger.write([lambda writing: writing.wire.add_exchange(exchange)])
        return outcome

    def _send_kept(self, message_id: str, url: str, outgoing: Outgoing, note: str, kept: Kept) -> HttpOutcome:
        """Post a message of which the content comes from the ledger as a stream."""
        wall, business, citizens = self._box.wall(), self._box.clock.now(), self._box.ledger.citizens
        headers = sized({"content-type": outgoing.content_type, "soapaction": SOAP_ACTION}, outgoing.body, kept)
        outcome = self.link.poster.post(url, outgoing.content_type, filled(outgoing.body, citizens.content(kept)), headers)
        exchange = exchange_of(message_id, url, outgoing, outcome, note, wall, business)
        parts = seen_as_kept(exchange.parts, kept, citizens.content(kept))
        exchange = replace(exchange, size=size_of(outgoing.body, kept), parts=parts)
        self._box.ledger.write([lambda writing: writing.wire.add_exchange(exchange)])
        return outcome


def _failed(message_id: str, cpa_id: str, reason: str) -> Delivery:
    return Delivery(message_id, cpa_id, "", "", 0, timedelta(), None, is_reliable=True, is_sync=False, state=DeliveryState.FAILED, reason=reason)


def _moving(leaving: Sending) -> Callable[[Writing], None]:
    return lambda writing: writing.wire.update_sending(leaving)


def _in_front(leaving: Sending, faults: Mapping[str, Fault], new_message_id: Callable[[], str]) -> Sequence[Message]:
    """Return the messages that faults put in front of a result: as good as it is, but for one thing."""
    wanted = [name for name in ("push-unknown-cpa", "push-expired") if name in faults]
    if not wanted:
        return ()
    message = read_message(leaving.delivery.content_type, leaving.body).message
    changes: Mapping[str, Callable[[], Message]] = {
        "push-unknown-cpa": lambda: replace(message, cpa_id=f"{message.cpa_id}-unknown"),
        "push-expired": lambda: _expired(message),
    }
    return [replace(changes[name](), message_id=new_message_id()) for name in wanted]


def _expired(message: Message) -> Message:
    sent = message.sent_at
    if sent is None:
        return message
    return replace(message, timestamp=write_moment(sent - 2 * _LONG_AGO), time_to_live=write_moment(sent - _LONG_AGO))


def _spoiled(outgoing: Outgoing, faults: Mapping[str, Fault]) -> Outgoing:
    if "push-truncated" in faults:
        return replace(outgoing, body=outgoing.body[: len(outgoing.body) * 2 // 3])
    if "push-wrong-content-type" in faults:
        return replace(outgoing, content_type="text/plain; charset=UTF-8")
    return outgoing


def exchange_of(message_id: str, url: str, outgoing: Outgoing, outcome: HttpOutcome, note: str, wall: datetime, business: datetime) -> Exchange:
    """Return the record of one POST of ours with its answer; what is no message is kept as far as it can be told."""
    received = _read_back(outgoing)
    answer = outcome.answer or HttpAnswer(0)
    trouble = "" if outcome.trouble is None else f"{outcome.trouble.kind}: {outcome.trouble.text}"
    return Exchange(
        is_incoming=False,
        kind=received.message.kind if received else "",
        message_id=message_id,
        ref_to_message_id=(received.message.ref_to_message_id or "") if received else "",
        method="POST",
        target=url,
        http_version="1.1",
        headers=outcome.sent or (("content-type", outgoing.content_type), ("soapaction", SOAP_ACTION)),
        soap=received.soap if received else outgoing.body[:MOST_QUOTED],
        parts=parts_seen(received) if received else (),
        size=len(outgoing.body),
        status=answer.status,
        answer_headers=tuple(answer.headers.items()),
        answer=answer.body[:MOST_QUOTED],
        peer=peer_text(outcome.peer),
        note="; ".join(filter(None, (note, trouble))),
        wall=wall,
        business=business,
    )


def _read_back(outgoing: Outgoing) -> Received | None:
    """Return what leaves as a receiver would read it, ``None`` for what a fault broke."""
    try:
        return read_message(outgoing.content_type, outgoing.body)
    except (MimeRefused, EnvelopeRefused):
        return None
