"""Gateways that send wrongly over ebMS2: what is on the wire, when it comes again, and what is made of the answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.ebms_gateway import EbmsGateway
from conformance.messages.envelope import Envelope
from conformance.messages.moments import write_moment
from conformance.transport.cpa import PartyId
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, HttpRequest
from conformance.transport.ebms2.mime import read_mime, write_mime
from conformance.transport.ebms2.model import Message, Side, SyncReply
from conformance.transport.ebms2.names import Kind
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.sending import Delivery, DeliveryState
from conformance.transport.ebms2.writing import Outgoing

_TIMESTAMP: Final = re.compile(rb"(?<=<eb:Timestamp>)[^<]+")
_CONVERSATION: Final = re.compile(rb"(?<=<eb:ConversationId>)[^<]+")


class _Changing(EbmsGateway):
    """Changes its messages for the application on their way to the wire; its signals stay right."""

    def changed(self, message: Message) -> Message:
        """Return the message that is written."""
        return message

    def written(self, outgoing: Outgoing) -> Outgoing:
        """Return the bytes that are sent."""
        return outgoing

    def outgoing_of(self, message: Message) -> Outgoing:
        if message.kind is not Kind.USER:
            return super().outgoing_of(message)
        return self.written(super().outgoing_of(self.changed(message)))


def _replaced(outgoing: Outgoing, old: bytes, new: bytes) -> Outgoing:
    """Return the bytes with a text replaced in the envelope, wherever it stands."""
    return replace(outgoing, body=outgoing.body.replace(old, new), soap=outgoing.soap.replace(old, new))


# -- HTTP and MIME -------------------------------------------------------------------------------------------------------------------------------


@defect("EBMS-001")
class puts_instead_of_posting(EbmsGateway):
    """Sends its messages with PUT."""

    def post(self, delivery: Delivery, outgoing: Outgoing) -> HttpOutcome:
        method = "PUT" if delivery.is_reliable else "POST"
        return self.poster.post(delivery.url, outgoing.content_type, outgoing.body, self.headers_of(outgoing), method=method)


class _Heading(EbmsGateway):
    """Sends its messages for the application with other HTTP headers."""

    more: Mapping[str, str] = {}

    def headers_of(self, outgoing: Outgoing) -> Mapping[str, str]:
        headers = super().headers_of(outgoing)
        return {**headers, **self.more} if outgoing.content_type.startswith("multipart/") else headers


@defect("EBMS-002")
class loses_the_quotes_of_soapaction(_Heading):
    """Writes SOAPAction as ebXML, as some libraries do."""

    more: Mapping[str, str] = {"soapaction": "ebXML"}


@defect("EBMS-003")
class names_another_type_in_its_content_type(_Changing):
    """Says that the first part of its multipart is application/xop+xml."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, content_type=outgoing.content_type.replace('type="text/xml"', 'type="application/xop+xml"'))


@defect("EBMS-004")
class sends_a_password_along(_Heading):
    """Adds an Authorization header, which nobody asked for."""

    more: Mapping[str, str] = {"authorization": "Basic YWZuZW1lcjpnZWhlaW0="}


@defect("EBMS-005")
class calls_its_envelope_application_xml(_Changing):
    """Gives the SOAP part another Content-Type than text/xml."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        return _replaced(outgoing, b"Content-Type: text/xml; charset=UTF-8", b"Content-Type: application/xml")


@defect("EBMS-005")
class writes_a_doctype(_Changing):
    """Puts a DOCTYPE in front of the envelope."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        return _replaced(outgoing, b"<soap:Envelope ", b"<!DOCTYPE x>\r\n<soap:Envelope ")


@defect("EBMS-006")
class uses_one_content_id_for_everything(_Changing):
    """Calls the payload of each message payload-1."""

    def changed(self, message: Message) -> Message:
        payloads = tuple(replace(part, content_id="payload-1@afnemer.example") for part in message.payloads)
        return replace(message, payloads=payloads, references=("cid:payload-1@afnemer.example",))


@defect("EBMS-006")
class forgets_the_brackets_of_a_content_id(_Changing):
    """Writes each Content-ID without angle brackets."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        return replace(outgoing, body=re.sub(rb"(?<=Content-ID: )<([^>]+)>", rb"\1", outgoing.body))


@defect("EBMS-007")
class encodes_its_payload_as_base64(_Changing):
    """Sends the payload as e-mail would."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        root, *payloads = read_mime(outgoing.content_type, outgoing.body).parts
        content_type, body = write_mime([root, *(replace(part, transfer_encoding="base64") for part in payloads)], "=_base64")
        return replace(outgoing, content_type=content_type, body=body)


# -- the envelope --------------------------------------------------------------------------------------------------------------------------------


@defect("EBMS-008", also="EBMS-009 EBMS-018 EBMS-021")
class forgets_the_namespace_of_version(_Changing):
    """Writes version without its prefix: no attribute of ebMS at all."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        return _replaced(outgoing, b' eb:version="2.0"', b' version="2.0"')


@defect("EBMS-009")
class never_insists_on_its_header(_Changing):
    """Writes mustUnderstand 0 on the MessageHeader."""

    def written(self, outgoing: Outgoing) -> Outgoing:
        head = b'<eb:MessageHeader eb:version="2.0" soap:mustUnderstand='
        return _replaced(outgoing, head + b'"1"', head + b'"0"')


@defect("EBMS-009")
class names_version_1(_Changing):
    """Says that its MessageHeader is of ebMS 1.0."""

    def changed(self, message: Message) -> Message:
        return replace(message, version="1.0")


@defect("EBMS-010")
class writes_the_type_of_an_oin_in_its_value(_Changing):
    """Writes each PartyId as one string without a type."""

    def changed(self, message: Message) -> Message:
        return replace(message, sender=self._flat(message.sender), receiver=self._flat(message.receiver))

    def _flat(self, side: Side) -> Side:
        return replace(side, ids=tuple(PartyId("", one.flat) for one in side.ids))


@defect("EBMS-011")
class leaves_its_role_out(_Changing):
    """Writes no Role in From."""

    def changed(self, message: Message) -> Message:
        return replace(message, sender=replace(message.sender, role=None))


@defect("EBMS-012")
class writes_the_cpa_id_in_small_letters(_Changing):
    """Thinks that capitals do not count in a CPAId."""

    def changed(self, message: Message) -> Message:
        return replace(message, cpa_id=message.cpa_id.lower())


@defect("EBMS-013")
class ends_the_action_with_a_line_break(_Changing):
    """Writes its XML so prettily that the Action is another one."""

    def changed(self, message: Message) -> Message:
        return replace(message, action=f"{message.action}\n")


@defect("EBMS-014")
class writes_a_message_id_as_e_mail_does(EbmsGateway):
    """Puts angle brackets around the MessageId."""

    def message_of(self, envelope: Envelope) -> Message:
        message = super().message_of(envelope)
        return replace(message, message_id=f"<{message.message_id}>")


@defect("EBMS-015")
class lives_ten_minutes_ahead(EbmsGateway):
    """Has a clock that nobody sets."""

    def message_of(self, envelope: Envelope) -> Message:
        message = super().message_of(envelope)
        sent_at, expires_at = message.sent_at, message.expires_at
        if sent_at is None or expires_at is None:
            return message
        ahead = timedelta(minutes=10)
        return replace(message, timestamp=write_moment(sent_at + ahead), time_to_live=write_moment(expires_at + ahead))


@defect("EBMS-016", also="EBMS-025")
class promises_less_time_than_it_takes(_Changing):
    """Writes a TimeToLive that is over before the last copies leave."""

    def changed(self, message: Message) -> Message:
        sent_at = message.sent_at
        return message if sent_at is None else replace(message, time_to_live=write_moment(sent_at + timedelta(seconds=90)))


@defect("EBMS-017")
class leaves_duplicate_elimination_out(_Changing):
    """Does not say that the receiver must recognise a copy."""

    def changed(self, message: Message) -> Message:
        return replace(message, duplicate_elimination=False)


@defect("EBMS-018")
class asks_for_a_signed_acknowledgment(_Changing):
    """Asks for what the profile osb-rm does not have."""

    def changed(self, message: Message) -> Message:
        return message if message.ack_requested is None else replace(message, ack_requested=replace(message.ack_requested, signed="true"))


@defect("EBMS-019")
class asks_for_an_answer_at_once(_Changing):
    """Writes SyncReply, though the CPA is asynchronous."""

    def changed(self, message: Message) -> Message:
        return replace(message, sync_reply=SyncReply())


@defect("EBMS-020")
class signs_its_messages(_Changing):
    """Signs what the profile osb-rm does not sign."""

    def changed(self, message: Message) -> Message:
        return replace(message, has_signature=True)


@defect("EBMS-021")
class names_a_payload_twice(_Changing):
    """Writes two References to the same part."""

    def changed(self, message: Message) -> Message:
        return replace(message, references=2 * (message.references or ()))


# -- coming again --------------------------------------------------------------------------------------------------------------------------------


class _Rewriting(EbmsGateway):
    """Writes a copy anew, instead of sending what was kept."""

    def rewritten(self, outgoing: Outgoing, delivery: Delivery) -> Outgoing:
        """Return the bytes of a copy."""
        raise TypeError(f"{type(self).__name__} rewrites {delivery!r}, {outgoing!r}")

    def bytes_of(self, delivery: Delivery) -> Outgoing:
        outgoing = super().bytes_of(delivery)
        return self.rewritten(outgoing, delivery) if delivery.attempts and delivery.is_reliable else outgoing


@defect("EBMS-023")
class writes_the_time_of_each_attempt(_Rewriting):
    """Gives a copy a Timestamp of its own."""

    def rewritten(self, outgoing: Outgoing, delivery: Delivery) -> Outgoing:
        return replace(
            outgoing, body=_TIMESTAMP.sub(write_moment(self.now() - timedelta(seconds=delivery.attempts)).encode(), outgoing.body, count=1)
        )


@defect("EBMS-041")
class begins_a_conversation_with_each_attempt(_Rewriting):
    """Gives a copy a ConversationId of its own."""

    def rewritten(self, outgoing: Outgoing, delivery: Delivery) -> Outgoing:
        return replace(outgoing, body=_CONVERSATION.sub(f"conversation-{delivery.attempts}".encode(), outgoing.body))


class _Deciding(EbmsGateway):
    """Decides by itself what an attempt means."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        """Return how far a message is, instead of ``after``."""
        raise TypeError(f"{type(self).__name__} decides: {before!r}, {after!r}, {outcome!r}")

    def after_attempt(self, delivery: Delivery, outcome: HttpOutcome) -> Delivery:
        after = super().after_attempt(delivery, outcome)
        return self.decided(delivery, after, outcome) if delivery.is_reliable else after


def _status(outcome: HttpOutcome) -> int:
    return 0 if outcome.answer is None else outcome.answer.status


def _ended(delivery: Delivery, state: DeliveryState) -> Delivery:
    return replace(delivery, state=state, next_at=None, give_up_at=None)


@defect("EBMS-024")
class hurries_with_its_copies(_Deciding):
    """Waits half of RetryInterval."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        del before, outcome
        return after if after.next_at is None else replace(after, next_at=after.next_at - after.interval / 2)


@defect("EBMS-024", "EBMS-025")
class never_gives_up(_Deciding):
    """Repeats a message for ever, whatever Retries and TimeToLive say."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        del outcome
        if after.state is not DeliveryState.UNDER_WAY:
            return after
        return replace(after, next_at=self.ticks() + before.interval, give_up_at=None)


@defect("EBMS-025", "EBMS-028", "EBMS-031")
class keeps_failures_to_itself(EbmsGateway):
    """Writes a failure in a log that nobody reads; the application goes on waiting."""

    def failures(self) -> Sequence[tuple[str, str]]:
        return ()


@defect("EBMS-023", "EBMS-026", also="EBMS-025 EBMS-027 EBMS-028 EBMS-030 EBMS-031 EBMS-033 EBMS-034")
class sends_everything_once(_Deciding):
    """Forgets a message as soon as it was sent."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        del before, outcome
        return _ended(after, DeliveryState.DELIVERED)


# -- what an answer means ------------------------------------------------------------------------------------------------------------------------


def _gives_up(name: str, does: str, fails: str, when: Callable[[HttpOutcome], bool], *, also: str = "") -> None:
    """Register a gateway that gives up a message after a passing trouble."""

    def decided(self: _Deciding, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        del self, before
        return _ended(after, DeliveryState.FAILED) if when(outcome) else after

    defect(fails, also=also)(type(name, (_Deciding,), {"__doc__": does, "decided": decided}))


_gives_up("gives_up_after_a_503", "Takes Service Unavailable for the end.", "EBMS-026", lambda outcome: _status(outcome) == 503)
_gives_up("gives_up_after_a_500", "Takes an empty 500 for the end.", "EBMS-027", lambda outcome: _status(outcome) == 500)
_gives_up("gives_up_after_a_dropped_connection", "Takes a dropped connection for the end.", "EBMS-030", lambda outcome: outcome.answer is None)


@defect("EBMS-028")
class takes_a_404_for_an_answer(_Deciding):
    """Counts a message as delivered when there was an answer, whatever it says."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        del before
        return _ended(after, DeliveryState.DELIVERED) if _status(outcome) == 404 else after


@defect("EBMS-029")
class follows_redirects(EbmsGateway):
    """Sends a message to whatever address an answer names."""

    def post(self, delivery: Delivery, outgoing: Outgoing) -> HttpOutcome:
        outcome = super().post(delivery, outgoing)
        location = "" if outcome.answer is None else outcome.answer.headers.get("location", "")
        return super().post(replace(delivery, url=location), outgoing) if location else outcome


@defect("EBMS-039", also="EBMS-023 EBMS-025")
class takes_an_empty_answer_for_an_acknowledgment(_Deciding):
    """Is content with 204 where the CPA wants the Acknowledgment in the answer."""

    def decided(self, before: Delivery, after: Delivery, outcome: HttpOutcome) -> Delivery:
        is_empty = before.is_sync and outcome.answer is not None and outcome.answer.is_success and not outcome.answer.body
        return _ended(after, DeliveryState.DELIVERED) if is_empty else after


@defect("EBMS-038", also="EBMS-031 EBMS-035 EBMS-036 EBMS-037")
class never_reads_an_answer(EbmsGateway):
    """Leaves the signal in the HTTP answer unread, and waits for one that never comes."""

    def take_answer(self, answer: HttpAnswer) -> None:
        """Leave it."""


# -- signals -------------------------------------------------------------------------------------------------------------------------------------


class _Sceptical(EbmsGateway):
    """Does not believe every signal that counts."""

    def believes(self, signal: Message) -> bool:
        """Tell whether a signal is applied."""
        return bool(signal)

    def take_signal(self, signal: Message) -> None:
        if self.believes(signal):
            super().take_signal(signal)


@defect("EBMS-022", also="EBMS-032 EBMS-035 EBMS-036 EBMS-037")
class never_believes_an_acknowledgment(_Sceptical):
    """Repeats what was acknowledged."""

    def believes(self, signal: Message) -> bool:
        return signal.kind is not Kind.ACKNOWLEDGMENT


@defect("EBMS-031")
class repeats_what_was_refused(_Sceptical):
    """Goes on with a message after a MessageError."""

    def believes(self, signal: Message) -> bool:
        return signal.kind is not Kind.ERROR


@defect("EBMS-035")
class needs_an_actor(_Sceptical):
    """Believes no Acknowledgment without an actor, as ebms-core does."""

    def believes(self, signal: Message) -> bool:
        return signal.acknowledgment is None or signal.acknowledgment.actor is not None


@defect("EBMS-036")
class stumbles_over_a_role(_Sceptical):
    """Believes no signal with a Role."""

    def believes(self, signal: Message) -> bool:
        return signal.sender.role is None


@defect("EBMS-037")
class reads_signals_as_plain_xml_only(EbmsGateway):
    """Does not take a signal out of a multipart."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        is_signal = b"<eb:Acknowledgment " in request.body
        return HttpAnswer(500) if is_signal and request.headers.get("content-type", "").startswith("multipart/") else super().answer_to(request)


@defect("EBMS-022")
class answers_a_signal_with_a_text(EbmsGateway):
    """Says OK in the body of its answer."""

    def keep(self, reception: Reception) -> HttpAnswer:
        answer = super().keep(reception)
        return HttpAnswer(200, {"content-type": "text/plain"}, b"OK") if reception.outcome is Outcome.SIGNAL else answer


@defect("EBMS-032")
class stumbles_over_a_second_acknowledgment(EbmsGateway):
    """Answers 500 when a message was acknowledged before."""

    def keep(self, reception: Reception) -> HttpAnswer:
        received = reception.received
        known = None if received is None else self.store.delivery(received.message.ref_to_message_id or "")
        if reception.outcome is Outcome.SIGNAL and known is not None and known.state is DeliveryState.DELIVERED:
            return HttpAnswer(500)
        return super().keep(reception)


class _Credulous(EbmsGateway):
    """Applies signals that do not count."""

    def acknowledged_by(self, signal: Message) -> Delivery | None:
        """Return the message that such a signal ends."""
        raise TypeError(f"{type(self).__name__} believes {signal!r}")

    def keep(self, reception: Reception) -> HttpAnswer:
        received = reception.received
        if reception.outcome is Outcome.SIGNAL and reception.note and received is not None and received.message.kind is Kind.ACKNOWLEDGMENT:
            ended = self.acknowledged_by(received.message)
            if ended is not None:
                self.store.update(_ended(ended, DeliveryState.DELIVERED))
        return super().keep(reception)


@defect("EBMS-033")
class takes_any_acknowledgment(_Credulous):
    """Takes an Acknowledgment of something unknown for that of the message that it sent last."""

    _last = ""

    def send(self, envelope: Envelope) -> str:
        self._last = super().send(envelope)
        return self._last

    def acknowledged_by(self, signal: Message) -> Delivery | None:
        return self.store.delivery(self._last) if self.sent_under(signal.ref_to_message_id or "") is None else None


@defect("EBMS-034")
class never_looks_who_acknowledges(_Credulous):
    """Takes an Acknowledgment from whoever sends it."""

    def acknowledged_by(self, signal: Message) -> Delivery | None:
        return self.store.delivery(signal.ref_to_message_id or "")
