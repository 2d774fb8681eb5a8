"""Gateways that receive wrongly: one check skipped, one thing of a signal wrong, or something forgotten."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import httpx

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.ebms_gateway import EbmsGateway
from conformance.afnemer.reference.receiving import Receiver
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Part
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.http import EMPTY, HttpAnswer, HttpOutcome, HttpRequest, fault_answer, text_answer
from conformance.transport.ebms2.knowledge import StoredAnswer
from conformance.transport.ebms2.mime import MimePart
from conformance.transport.ebms2.model import AckRequested, EbmsError, Message, service_of
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, VERSION, ErrorCode, Kind, MessageStatus, Severity
from conformance.transport.ebms2.reading import Received, read_message
from conformance.transport.ebms2.receiving import Outcome, Reception
from conformance.transport.ebms2.sending import Delivery, DeliveryState
from conformance.transport.ebms2.writing import Outgoing

_FETCH_S: Final = 1.0
# Where nothing is ever delivered, nothing that must be delivered is.
_NOTHING_ARRIVES: Final = "EBMS-051 EBMS-052 EBMS-075 EBMS-078 EBMS-082 EBMS-084 EBMS-085 EBMS-086 EBMS-087"


# -- checks that are skipped -----------------------------------------------------------------------------------------------------------------


def _skips(name: str, does: str, fails: str, mended: Callable[[Received, EbmsGateway], Received], *, also: str = "") -> None:
    """Register a gateway that does not see what is wrong: it handles each message for the application as ``mended`` has it."""

    def answer_to(self: EbmsGateway, request: HttpRequest) -> HttpAnswer:
        received = self.handler.read(request)
        if isinstance(received, Reception):
            return received.answer
        looked_over = mended(received, self) if received.message.kind is Kind.USER else received
        with self.store.transaction():
            return self.keep(self.handler.handle(looked_over, request.peer, self))

    defect(*fails.split(), also=also)(type(name, (EbmsGateway,), {"__doc__": does, "answer_to": answer_to}))


def _changed(**fields: Callable[[Message, Agreement], Any]) -> Callable[[Received, EbmsGateway], Received]:
    """Return what replaces fields of the header by what they should be."""

    def mended(received: Received, gateway: EbmsGateway) -> Received:
        agreement = gateway.handler.agreement(gateway.settings.cpa.cpa_id)
        values: Mapping[str, Any] = {field: value(received.message, agreement) for field, value in fields.items()}
        return replace(received, message=replace(received.message, **values))

    return mended


def _all_parts(received: Received, _gateway: EbmsGateway) -> Received:
    payloads = tuple(_part(part) for part in received.unreferenced)
    return replace(received, message=replace(received.message, payloads=(*received.message.payloads, *payloads)), missing=(), bad_hrefs=())


def _part(part: MimePart) -> Part:
    return Part(part.content, part.content_type, part.name, part.content_id)


def _without_offset(text: str | None) -> str | None:
    return None if text is None else re.sub(r"[+-]\d\d:\d\d$", "Z", text)


_skips("ignores_time_to_live", "Takes what is too late.", "EBMS-056", _changed(time_to_live=lambda *_: None), also="EBMS-086 EBMS-094 EBMS-096")
_skips("accepts_any_cpa_id", "Has one CPA, and takes every message to be under it.", "EBMS-057", _changed(cpa_id=lambda _, agreed: agreed.cpa_id))
_skips(
    "ignores_the_term_of_the_cpa",
    "Uses a CPA before and after its term.",
    "EBMS-058",
    _changed(timestamp=lambda *_: write_moment(datetime.now().astimezone())),
)
_skips(
    "accepts_any_sender",
    "Does not look who sends.",
    "EBMS-059 EBMS-060",
    _changed(sender=lambda message, agreed: replace(message.sender, ids=tuple(agreed.other.ids))),
)
_skips(
    "accepts_messages_for_others",
    "Does not look whom a message is for.",
    "EBMS-061",
    _changed(receiver=lambda message, agreed: replace(message.receiver, ids=tuple(agreed.own.ids))),
)
_skips(
    "ignores_roles",
    "Does not look at the roles.",
    "EBMS-062 EBMS-063",
    _changed(
        sender=lambda message, _: replace(message.sender, role=ROLE_LOGIUS),
        receiver=lambda message, _: replace(message.receiver, role=ROLE_AFNEMER),
    ),
)
_skips("ignores_the_service", "Looks at the action only.", "EBMS-064 EBMS-065", _changed(service=lambda *_: service_of(SERVICE)))
_skips("ignores_the_action", "Takes everything for a result.", "EBMS-066", _changed(action=lambda *_: str(Action.BV_RESULT)))
_skips("ignores_duplicate_elimination", "Does not ask for the element.", "EBMS-067", _changed(duplicate_elimination=lambda *_: True))
_skips(
    "acknowledges_unasked",
    "Acknowledges whatever is asked of it: nothing, a signature, or the next MSH.",
    "EBMS-068 EBMS-069 EBMS-070",
    _changed(ack_requested=lambda *_: AckRequested()),
)
_skips("lets_the_header_ask_sync", "Overlooks a SyncReply that nobody agreed on.", "EBMS-071", _changed(sync_reply=lambda *_: None))
_skips("ignores_missing_parts", "Accepts a Manifest that names nothing.", "EBMS-073", lambda received, _: replace(received, missing=()))
_skips(
    "takes_any_part_for_the_reference", "Delivers every part, whatever the Manifest says.", "EBMS-073 EBMS-074", _all_parts, also="EBMS-075 EBMS-087"
)
_skips("ignores_the_version", "Reads 1.0 as if it were 2.0.", "EBMS-076", _changed(version=lambda *_: VERSION))
_skips(
    "ignores_offsets",
    "Compares moments by their digits.",
    "EBMS-086",
    _changed(time_to_live=lambda message, _: _without_offset(message.time_to_live)),
)


@defect("EBMS-074")
class fetches_references(EbmsGateway):
    """Goes and looks whether a Reference to the web is there, before it refuses it."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        received = self.handler.read(request)
        for href in received.bad_hrefs if isinstance(received, Received) else ():
            httpx.get(href, timeout=_FETCH_S, trust_env=False)
        return super().answer_to(request)


@defect("EBMS-078")
class refuses_extensions(EbmsGateway):
    """Knows every element that it accepts."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        if b"urn:example:extension" in request.body and b'mustUnderstand="1">1<' not in request.body:
            return fault_answer("unknown element")
        return super().answer_to(request)


@defect("EBMS-079", "EBMS-080", "EBMS-081", "EBMS-082")
class answers_200_to_everything(EbmsGateway):
    """Says that all is well with what it could not read."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        if isinstance(self.handler.read(request), Reception):
            return HttpAnswer(200)
        return super().answer_to(request)


@defect("EBMS-082")
class resolves_entities(EbmsGateway):
    """Goes by the DTD of a message."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        found = re.search(rb'<!DOCTYPE[^[]*\[<!ENTITY (\w+) SYSTEM "([^"]*)">\]>', request.body)
        if found is None:
            return super().answer_to(request)
        with httpx.Client(timeout=_FETCH_S, trust_env=False) as client:
            content = client.get(found[2].decode()).content
        return super().answer_to(replace(request, body=request.body.replace(found[0], b"").replace(b"&%s;" % found[1], content)))


@defect("EBMS-083")
class ignores_the_order_of_elements(EbmsGateway):
    """Takes the elements of a header in any order."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        mended = re.sub(rb"(<eb:Action>.*?</eb:Action>)(\s*)(<eb:Service[ >].*?</eb:Service>)", rb"\3\2\1", request.body, flags=re.DOTALL)
        return super().answer_to(replace(request, body=mended))


@defect("EBMS-084")
class refuses_chunked(EbmsGateway):
    """Wants to know the length beforehand."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        if "content-length" not in request.headers:
            return text_answer(411, "Content-Length is missing")
        return super().answer_to(request)


@defect("EBMS-086")
class knows_one_way_to_write_a_moment(EbmsGateway):
    """Has a fixed pattern for a moment: milliseconds and a Z."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        found = re.findall(rb"<eb:(?:Timestamp|TimeToLive)>([^<]*)", request.body)
        if all(re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", moment) for moment in found):
            return super().answer_to(request)
        return fault_answer("Unparseable date")


# -- what becomes of a message ---------------------------------------------------------------------------------------------------------------


@defect("EBMS-045", also=_NOTHING_ARRIVES)
class acknowledges_without_storing(EbmsGateway):
    """Answers well, and loses the message."""

    def keep_message(self, received: Received) -> None:
        """Keep nothing."""


@defect("EBMS-045", also=_NOTHING_ARRIVES)
class spoils_payloads(EbmsGateway):
    """Writes payloads anew as if they were texts, and the last line gets lost."""

    def keep_message(self, received: Received) -> None:
        payloads = tuple(replace(part, content=part.content.decode("latin-1").encode("utf-16")[:-2]) for part in received.message.payloads)
        super().keep_message(replace(received, message=replace(received.message, payloads=payloads)))


@defect("EBMS-047", also="EBMS-022")
class answers_with_a_page(EbmsGateway):
    """Has a proxy in front that writes something in each empty answer."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        answer = super().answer_to(request)
        return HttpAnswer(200, {"content-type": "text/html"}, b"<html>OK</html>") if answer.status == EMPTY.status else answer


@defect("EBMS-087")
class goes_by_the_order_of_the_parts(EbmsGateway):
    """Gives its application the first MIME part, and it reads no other."""

    def keep_message(self, received: Received) -> None:
        order = {part.content_id: number for number, part in enumerate(received.mime.parts)}
        payloads = sorted(received.message.payloads, key=lambda part: order[part.content_id or ""])
        super().keep_message(replace(received, message=replace(received.message, payloads=tuple(payloads[:1]))))


@defect("EBMS-075")
class delivers_every_part(EbmsGateway):
    """Gives its application a message for each part, whether the Manifest names it or not."""

    def keep_message(self, received: Received) -> None:
        super().keep_message(received)
        for number, part in enumerate(received.unreferenced):
            self.store.add_received(
                replace(received.message, message_id=f"{number}.{received.message.message_id}", payloads=(_part(part),)).envelope()
            )


@defect("EBMS-085")
class leaves_base64_as_it_is(EbmsGateway):
    """Passes base64 on undecoded."""

    def keep_message(self, received: Received) -> None:
        packed = {part.content_id for part in received.mime.parts if part.transfer_encoding == "base64"}
        payloads = tuple(replace(part, content=b"PD94") if part.content_id in packed else part for part in received.message.payloads)
        super().keep_message(replace(received, message=replace(received.message, payloads=payloads)))


@defect("EBMS-088")
class wants_a_payload(EbmsGateway):
    """Knows no message without a payload."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        received = self.handler.read(request)
        if isinstance(received, Received) and received.message.kind is Kind.USER and not received.mime.boundary:
            return fault_answer("no multipart")
        return super().answer_to(request)


@defect("EBMS-089", bulk=True)
class refuses_large_bodies(EbmsGateway):
    """Has a proxy in front that takes no more than a megabyte."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        return text_answer(413, "Request Entity Too Large") if len(request.body) > 1_000_000 else super().answer_to(request)


@defect("EBMS-101")
class rejects_payloads(EbmsGateway):
    """Reads the payload before it acknowledges, and reports in ebMS what is wrong with it."""

    def keep(self, reception: Reception) -> HttpAnswer:
        received = reception.received
        if received is not None and reception.outcome is Outcome.ACCEPTED and any(not _is_xml(part) for part in received.message.payloads):
            error = EbmsError(ErrorCode.OTHER_XML, "//Body/Manifest", "payload is not valid")
            signal = signals.error_of(received.message, error, self.new_message_id(), self.now())
            return super().keep(replace(reception, outcome=Outcome.REJECTED, signal=signal, error=error))
        return super().keep(reception)


def _is_xml(part: Part) -> bool:
    try:
        parse(part.content)
    except XmlRefused:
        return False
    return True


# -- what comes again ------------------------------------------------------------------------------------------------------------------------


class _CountsTwice(Receiver):
    """Applies a result each time that it comes."""

    def handle(self, message_id: str) -> bool:
        self._message_id = message_id
        return super().handle(message_id)

    def key_of(self, result: Verwerkingsbericht, item: Resultaat, bericht: Any) -> str:
        return f"{super().key_of(result, item, bericht)} {self._message_id}"

    def react(self, bericht: Any, code: Any) -> None:
        self.store.set_status(bericht.bericht_id, "verwerkt", code, applied=1)


class _Delivers(EbmsGateway):
    """Gives a copy to its application too, under a name of its own."""

    copies = 0

    def keep(self, reception: Reception) -> HttpAnswer:
        if reception.outcome is Outcome.DUPLICATE and reception.received is not None:
            message = reception.received.message
            type(self).copies += 1
            self.store.add_received(replace(message, message_id=f"{type(self).copies}.{message.message_id}").envelope())
        return super().keep(reception)


@defect("EBMS-051", "EBMS-053", also="EBMS-052")
class delivers_copies(ReferenceAfnemer):
    """Acknowledges a copy as it should, and delivers it to an application that counts on its gateway."""

    ebms_gateway_class = _Delivers
    receiver_class = _CountsTwice


@defect("EBMS-051", also="EBMS-052 EBMS-054 EBMS-055")
class is_silent_about_copies(EbmsGateway):
    """Says nothing to what it had before."""

    def keep(self, reception: Reception) -> HttpAnswer:
        return EMPTY if reception.outcome is Outcome.DUPLICATE else super().keep(reception)


@defect("EBMS-052")
class forgets_at_a_restart(EbmsGateway):
    """Knows in memory what it received."""

    def close(self) -> None:
        self.store._do("DELETE FROM answer")  # noqa: SLF001
        super().close()


@defect("EBMS-053", also="EBMS-052")
class knows_copies_by_their_content(EbmsGateway):
    """Takes another payload for another message, whatever its MessageId."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        received = self.handler.read(request)
        self._contents = tuple(part.content for part in received.message.payloads) if isinstance(received, Received) else ()
        return super().answer_to(request)

    def answer_of(self, message_id: str) -> StoredAnswer | None:
        earlier = self.store.received(message_id)
        is_other = earlier is not None and tuple(part.content for part in earlier.parts) != self._contents
        return None if is_other else super().answer_of(message_id)


@defect("EBMS-054")
class makes_each_acknowledgment_anew(EbmsGateway):
    """Writes another Acknowledgment for each copy."""

    def keep(self, reception: Reception) -> HttpAnswer:
        received = reception.received
        if reception.outcome is not Outcome.DUPLICATE or received is None:
            return super().keep(reception)
        again = signals.acknowledgment_of(received.message, self.new_message_id(), self.now())
        return self.keep_signal(replace(reception, signal=again), received)


@defect("EBMS-055")
class posts_an_acknowledgment_once(EbmsGateway):
    """Gives up on an Acknowledgment that did not arrive, also when the message comes again."""

    def attempt(self, delivery: Delivery) -> None:
        super().attempt(delivery)
        known = self.store.delivery(delivery.message_id)
        if known is not None and not known.is_reliable and known.state is DeliveryState.UNDER_WAY:
            self.store.update(replace(known, state=DeliveryState.FAILED, next_at=None))

    def keep(self, reception: Reception) -> HttpAnswer:
        if reception.outcome is Outcome.DUPLICATE and reception.signal_bytes is not None:
            signal = read_message(reception.signal_bytes.content_type, reception.signal_bytes.body).message
            known = self.store.delivery(signal.message_id)
            if known is not None and known.state is DeliveryState.FAILED:
                return EMPTY
        return super().keep(reception)


# -- signals that are wrong ------------------------------------------------------------------------------------------------------------------


def _acks(name: str, does: str, fails: str, change: Callable[[Message], Message], *, also: str = "") -> None:
    """Register a gateway whose Acknowledgments are changed."""
    _changes(name, does, fails, Kind.ACKNOWLEDGMENT, change, also=also)


def _changes(name: str, does: str, fails: str, kind: Kind, change: Callable[[Message], Message], *, also: str = "") -> None:
    """Register a gateway whose signals of one kind are changed."""

    def signal_of(self: EbmsGateway, reception: Reception) -> Message | None:
        signal = EbmsGateway.signal_of(self, reception)
        return change(signal) if signal is not None and signal.kind is kind else signal

    defect(*fails.split(), also=also)(type(name, (EbmsGateway,), {"__doc__": does, "signal_of": signal_of}))


def _with_block(message: Message, **fields: Any) -> Message:
    return message if message.acknowledgment is None else replace(message, acknowledgment=replace(message.acknowledgment, **fields))


_acks(
    "acks_in_another_conversation", "Begins a conversation with each Acknowledgment.", "EBMS-048", lambda ack: replace(ack, conversation_id="anders")
)
_acks(
    "acks_without_turning_around",
    "Copies From and To as they stand.",
    "EBMS-048",
    lambda ack: replace(ack, sender=ack.receiver, receiver=ack.sender),
    also="EBMS-055",
)
_acks(
    "acks_without_a_reference", "Names the message in the block only.", "EBMS-048", lambda ack: replace(ack, ref_to_message_id=None), also="EBMS-055"
)
_acks("acks_for_the_next_msh", "Acknowledges to the next MSH.", "EBMS-049", lambda ack: _with_block(ack, actor=ACTOR_NEXT_MSH))
_acks(
    "acks_of_another_message",
    "Refers to something else in the Acknowledgment than in its header.",
    "EBMS-049",
    lambda ack: _with_block(ack, ref_to_message_id=f"x.{ack.ref_to_message_id}"),
)
_acks("acks_that_ask_an_ack", "Uses one template for all that it sends.", "EBMS-050", lambda ack: replace(ack, ack_requested=AckRequested()))
_changes("pongs_about_nothing", "Does not say which Ping a Pong answers.", "EBMS-090", Kind.PONG, lambda pong: replace(pong, conversation_id="pong"))
_changes(
    "knows_no_moment_of_receipt",
    "Leaves the Timestamp out of a StatusResponse.",
    "EBMS-091",
    Kind.STATUS_RESPONSE,
    lambda signal: signal if signal.status_response is None else replace(signal, status_response=replace(signal.status_response, timestamp=None)),
)
_changes(
    "has_received_everything",
    "Says of every message that it was received.",
    "EBMS-092",
    Kind.STATUS_RESPONSE,
    lambda signal: (
        signal
        if signal.status_response is None
        else replace(signal, status_response=replace(signal.status_response, status=MessageStatus.RECEIVED, timestamp=signal.timestamp))
    ),
)


@defect("EBMS-046", also="EBMS-054")
class acks_twice(EbmsGateway):
    """Sends a second Acknowledgment to be sure."""

    def keep_signal(self, reception: Reception, received: Received) -> HttpAnswer:
        answer = super().keep_signal(reception, received)
        if reception.outcome is Outcome.ACCEPTED:
            again = signals.acknowledgment_of(received.message, self.new_message_id(), self.now())
            outgoing = self.outgoing_of(again)
            self.store.add_outgoing(self.handler.delivery_of(again, outgoing, self.ticks()), outgoing, again.action, is_signal=True)
        return answer


@defect("EBMS-046", also="EBMS-*")
class acks_to_the_wrong_address(EbmsGateway):
    """Posts its signals beside the endpoint of the CPA."""

    def post(self, delivery: Delivery, outgoing: Outgoing) -> HttpOutcome:
        return super().post(delivery if delivery.is_reliable else replace(delivery, url=f"{delivery.url}/signalen"), outgoing)


@defect("EBMS-046", also="EBMS-*")
class acks_in_the_answer(EbmsGateway):
    """Puts its signals in the HTTP answer, though the CPA is asynchronous."""

    def keep_signal(self, reception: Reception, received: Received) -> HttpAnswer:
        return super().keep_signal(replace(reception, send_to=None), received)


@defect("EBMS-046", also="EBMS-*")
class acks_without_soapaction(EbmsGateway):
    """Leaves the SOAPAction of its signals empty."""

    def headers_of(self, outgoing: Outgoing) -> Mapping[str, str]:
        headers = super().headers_of(outgoing)
        return headers if outgoing.body != outgoing.soap else {**headers, "soapaction": '""'}


@defect("EBMS-093")
class reports_errors_about_errors(EbmsGateway):
    """Answers a MessageError about an unknown message with a MessageError."""

    def keep(self, reception: Reception) -> HttpAnswer:
        received = reception.received
        if received is None or received.message.kind is not Kind.ERROR or not reception.note:
            return super().keep(reception)
        error = EbmsError(ErrorCode.VALUE_NOT_RECOGNIZED, "//Header/MessageHeader/MessageData/RefToMessageId")
        signal = signals.error_of(received.message, error, self.new_message_id(), self.now())
        send_to = self.handler.agreement(received.message.cpa_id).url_of_signal(Kind.ERROR)
        return self.keep_signal(replace(reception, signal=signal, send_to=send_to), received)


@defect("EBMS-094")
class forgets_the_language_of_errors(EbmsGateway):
    """Leaves xml:lang out of its ErrorLists."""

    def outgoing_of(self, message: Message) -> Outgoing:
        outgoing = super().outgoing_of(message)
        bare = re.sub(rb' xml:lang="[^"]*"', b"", outgoing.soap)
        return replace(outgoing, soap=bare, body=bare) if message.error_list is not None else outgoing


@defect("EBMS-094")
class plays_errors_down(EbmsGateway):
    """Calls the highest severity of an Error a Warning."""

    def signal_of(self, reception: Reception) -> Message | None:
        signal = super().signal_of(reception)
        if signal is None or signal.error_list is None:
            return signal
        return replace(signal, error_list=replace(signal.error_list, highest_severity=Severity.WARNING))


@defect("EBMS-095")
class acks_by_itself_too(EbmsGateway):
    """Puts the Acknowledgment in the answer, and posts it besides."""

    def keep_signal(self, reception: Reception, received: Received) -> HttpAnswer:
        answer = super().keep_signal(reception, received)
        if reception.outcome is Outcome.ACCEPTED:
            self.store.post_again(received.message.message_id, self.ticks())
        return answer


@defect("EBMS-095", also="EBMS-*")
class never_answers_at_once(EbmsGateway):
    """Sends each signal in a POST of its own, whatever the CPA says."""

    def keep_signal(self, reception: Reception, received: Received) -> HttpAnswer:
        send_to = self.handler.agreement(received.message.cpa_id).url_of_signal(Kind.ACKNOWLEDGMENT)
        super().keep_signal(replace(reception, send_to=send_to), received)
        return EMPTY


@defect("EBMS-096")
class answers_errors_with_500(EbmsGateway):
    """Gives an ErrorList the status of a failure."""

    def answer_to(self, request: HttpRequest) -> HttpAnswer:
        answer = super().answer_to(request)
        return replace(answer, status=500) if b"ErrorList" in answer.body else answer
