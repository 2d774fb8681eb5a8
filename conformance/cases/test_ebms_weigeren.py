"""Receiving over ebMS2: what the party under test does with a message in which one thing is wrong.

Each case departs from a valid message. An answer that cannot be read decides only the requirement about its form; the others are not tested then.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from conformance.messages.moments import write_moment
from conformance.rules.findings import Finding
from conformance.stage.judging import Judge, NotTestedError, decides, needs
from conformance.stage.received import (
    edited,
    expired,
    is_2xx,
    is_rejected_with,
    judge_acceptance,
    judge_kept_away,
    judge_rejection,
    of_kind,
    seen_of,
    signals_of,
    status,
    told,
)
from conformance.stage.receiver import Receiver
from conformance.transport.cpa import PARTY_TYPE, Direction, PartyId
from conformance.transport.ebms2.http import HttpAnswer
from conformance.transport.ebms2.model import AckRequested, Message, Side, SyncReply
from conformance.transport.ebms2.names import ACTOR_NEXT_MSH, Kind
from conformance.transport.ebms2.names import ErrorCode as Code
from conformance.transport.ebms2.writing import SOAP_TYPE, Outgoing, write_message
from conformance.verdicts import Reason

pytestmark = needs("ebms")

_SERVER_ERROR: Final = 500
_STRANGER: Final = PartyId(PARTY_TYPE, "00000099000000009999")
_EXTENSION: Final = b'<x:Extra xmlns:x="urn:example:extension"><x:Kenmerk>1</x:Kenmerk></x:Extra>'
_BLOCK: Final = '<x:Route xmlns:x="urn:example:extension" soap:mustUnderstand="{}">1</x:Route>'


# -- a header that is wrong ------------------------------------------------------------------------------------------------------------------


_Change = Callable[[Message, Receiver], Message]


def _before_the_cpa(message: Message, receiver: Receiver) -> Message:
    start = receiver.agreement.cpa.start
    if start is None:
        raise NotTestedError(Reason.KIT_LIMIT, "the CPA has no Start that can be read")
    return replace(message, timestamp=write_moment(start.at - timedelta(days=1)))


def _swapped_roles(message: Message, _receiver: Receiver) -> Message:
    return replace(message, sender=replace(message.sender, role=message.receiver.role), receiver=replace(message.receiver, role=message.sender.role))


def _action_of_the_other(message: Message, receiver: Receiver) -> Message:
    own = {one.action for one in receiver.agreement.own.bindings if one.direction is Direction.SEND}
    others = sorted({one.action for one in receiver.agreement.other.bindings if one.direction is Direction.SEND} - own)
    if not others:
        raise NotTestedError(Reason.KIT_LIMIT, "the CPA has no action that only the party itself may send")
    return replace(message, action=others[0])


def _missing_part(message: Message, _receiver: Receiver) -> Message:
    return replace(message, references=(f"cid:nergens.{message.message_id}",))


# What is wrong with a message, and the codes of the MessageError that it gets. What the party cannot send an error for may be a 5xx too (CORE).
_REJECTED: Final = [
    pytest.param(expired, (Code.TIME_TO_LIVE_EXPIRED,), id="after_its_time_to_live", marks=decides("EBMS-056")),
    # Both ends of the term are one check, Start <= Timestamp <= End; under a CPA that has ended nothing else could be tested.
    pytest.param(_before_the_cpa, (Code.INCONSISTENT,), id="outside_the_term_of_the_cpa", marks=decides("EBMS-058")),
    pytest.param(_swapped_roles, (Code.VALUE_NOT_RECOGNIZED, Code.INCONSISTENT), id="in_the_role_of_the_other", marks=decides("EBMS-062")),
    pytest.param(
        lambda message, _: replace(message, sender=replace(message.sender, role=None)),
        (Code.INCONSISTENT,),
        id="without_a_role",
        marks=decides("EBMS-063"),
    ),
    pytest.param(
        lambda message, _: replace(message, service=replace(message.service, value="ONBEKEND.ebMS.9.9")),
        (Code.VALUE_NOT_RECOGNIZED,),
        id="of_an_unknown_service",
        marks=decides("EBMS-064"),
    ),
    pytest.param(
        lambda message, _: replace(message, service=PartyId("urn:example:services", message.service.value)),
        (Code.VALUE_NOT_RECOGNIZED,),
        id="of_a_service_with_another_type",
        marks=decides("EBMS-065"),
    ),
    pytest.param(
        lambda message, _: replace(message, action="GLOBE-R-ONBEKEND"),
        (Code.VALUE_NOT_RECOGNIZED,),
        id="with_an_unknown_action",
        marks=decides("EBMS-066"),
    ),
    pytest.param(_action_of_the_other, (Code.VALUE_NOT_RECOGNIZED,), id="with_the_action_of_the_other", marks=decides("EBMS-066")),
    pytest.param(
        lambda message, _: replace(message, duplicate_elimination=False),
        (Code.INCONSISTENT,),
        id="without_duplicate_elimination",
        marks=decides("EBMS-067"),
    ),
    pytest.param(
        lambda message, _: replace(message, ack_requested=AckRequested("true")),
        (Code.INCONSISTENT,),
        id="that_asks_a_signed_acknowledgment",
        marks=decides("EBMS-069"),
    ),
    pytest.param(
        lambda message, _: replace(message, ack_requested=AckRequested(actor=ACTOR_NEXT_MSH)),
        (Code.NOT_SUPPORTED,),
        id="that_asks_the_next_msh",
        marks=decides("EBMS-070"),
    ),
    pytest.param(
        lambda message, _: replace(message, sync_reply=SyncReply()),
        (Code.INCONSISTENT,),
        id="that_asks_a_synchronous_answer",
        marks=[decides("EBMS-071"), needs("async")],
    ),
    pytest.param(_missing_part, (Code.MIME_PROBLEM,), id="without_the_part_it_refers_to", marks=decides("EBMS-073")),
    pytest.param(
        lambda message, _: replace(message, version="1.0"),
        (Code.INCONSISTENT, Code.NOT_SUPPORTED),
        id="of_another_version",
        marks=decides("EBMS-076"),
    ),
]


@pytest.mark.parametrize(("change", "codes"), _REJECTED)
def test_message_is_rejected(receiver: Receiver, judge: Judge, change: _Change, codes: Sequence[Code]) -> None:
    """A message with one thing wrong gets a MessageError with the right code, and does not reach the application."""
    good = receiver.good()
    message = change(good, receiver)
    judge_rejection(receiver, judge, good, (message, receiver.post(message)), codes)


_STRANGERS: Final = [
    pytest.param(_STRANGER, (Code.INCONSISTENT, Code.VALUE_NOT_RECOGNIZED), id="not_in_the_cpa", marks=decides("EBMS-059")),
    pytest.param(PartyId("", "geen uri"), (Code.INCONSISTENT,), id="without_a_type", marks=decides("EBMS-060")),
]


@pytest.mark.parametrize(("party", "codes"), _STRANGERS)
def test_sender_is_rejected(receiver: Receiver, judge: Judge, party: PartyId, codes: Sequence[Code]) -> None:
    """A sender that cannot be found in the CPA gets a MessageError; who does not know where to send one may answer 5xx."""
    good = receiver.good()
    message = replace(good, sender=Side((party,), good.sender.role))
    judge_rejection(receiver, judge, good, (message, receiver.post(message)), codes, allows_5xx=not receiver.agreement.is_own_sync)


_KEPT_AWAY: Final = [
    pytest.param(
        lambda message: replace(message, cpa_id=f"{message.cpa_id}_onbekend"), (Code.VALUE_NOT_RECOGNIZED,), id="cpa", marks=decides("EBMS-057")
    ),
    pytest.param(
        lambda message: replace(message, receiver=Side((_STRANGER,), message.receiver.role)),
        (Code.INCONSISTENT, Code.VALUE_NOT_RECOGNIZED),
        id="party",
        marks=decides("EBMS-061"),
    ),
]


@pytest.mark.parametrize(("change", "codes"), _KEPT_AWAY)
def test_message_for_another_is_kept_away(receiver: Receiver, judge: Judge, change: Callable[[Message], Message], codes: Sequence[Code]) -> None:
    """A message under an unknown CPA, or to a third party, is not acknowledged and does not reach the application."""
    good = receiver.good()
    message = change(good)
    judge_kept_away(receiver, judge, good, (message, receiver.post(message)), codes)


@decides("EBMS-068")
def test_acknowledgment_is_not_given_unasked(receiver: Receiver, judge: Judge) -> None:
    """A message without AckRequested gets no Acknowledgment; that it gets no MessageError either is a note."""
    message = replace(receiver.good(), ack_requested=None)
    outcome = receiver.post(message)
    signals = signals_of(receiver, message, form="EBMS-094")

    wanted, seen = "MessageError Inconsistent", f"HTTP {status(outcome)}, {told(signals)}"
    if of_kind(signals, Kind.ACKNOWLEDGMENT):
        judge.that("EBMS-068", holds=False, expected=f"no Acknowledgment, but {wanted}", seen=seen)
    elif is_rejected_with(signals, (Code.INCONSISTENT,)):
        judge.findings("EBMS-068", ())
    else:
        judge.findings("EBMS-068", [Finding("EBMS-068", "the answer", wanted, seen, is_note=True)])


@decides("EBMS-072")
def test_message_order_is_refused_or_agreed(receiver: Receiver, judge: Judge) -> None:
    """MessageOrder gets NotSupported; who agreed on it with Logius acknowledges the message."""
    message = replace(receiver.good(), has_message_order=True)
    outcome = receiver.post(message)
    signals = signals_of(receiver, message, form="EBMS-094")

    is_processed = [signal.kind for signal in signals] == [Kind.ACKNOWLEDGMENT]
    holds = is_processed or is_rejected_with(signals, (Code.NOT_SUPPORTED,))
    seen = f"HTTP {status(outcome)}, {told(signals)}"
    judge.that("EBMS-072", holds, expected="MessageError NotSupported, or an Acknowledgment where it was agreed", seen=seen)


@decides("EBMS-074")
def test_reference_to_the_web_is_not_fetched(receiver: Receiver, judge: Judge) -> None:
    """A Reference to a web address gets MimeProblem, and nobody goes to that address."""
    good = receiver.good()
    with receiver.canary() as canary:
        message = replace(good, references=(canary.url,))
        outcome = receiver.post(message)
        signals = signals_of(receiver, message, form="EBMS-094")
        receiver.quiet()
        fetches, deliveries = canary.fetches, receiver.deliveries(good)

    holds = not fetches and not deliveries and is_rejected_with(signals, (Code.MIME_PROBLEM,))
    seen = f"{seen_of(outcome, signals, deliveries)}, and {fetches} fetches"
    judge.that("EBMS-074", holds, expected="MessageError MimeProblem, not given to the application, and nothing fetched", seen=seen)


@decides("EBMS-077")
def test_unknown_reference_is_accepted_or_named(receiver: Receiver, judge: Judge) -> None:
    """A RefToMessageId that the party never had is accepted, or gets ValueNotRecognized."""
    message = replace(receiver.good(), ref_to_message_id="nooit.verzonden@berichtenbox.example")
    outcome = receiver.post(message)
    signals = signals_of(receiver, message, form="EBMS-094")

    holds = [signal.kind for signal in signals] == [Kind.ACKNOWLEDGMENT] or is_rejected_with(signals, (Code.VALUE_NOT_RECOGNIZED,))
    wanted, seen = "an Acknowledgment, or MessageError ValueNotRecognized", f"HTTP {status(outcome)}, {told(signals)}"
    judge.findings("EBMS-077", () if holds else [Finding("EBMS-077", "the answer", wanted, seen, is_note=True)])


# -- an envelope that is strange or broken ---------------------------------------------------------------------------------------------------


def _with_block(message: Message, must_understand: int) -> Outgoing:
    return edited(message, b"</soap:Header>", _BLOCK.format(must_understand).encode() + b"</soap:Header>")


_EXTENDED: Final = [
    pytest.param(lambda message: edited(message, b"</eb:MessageHeader>", _EXTENSION + b"</eb:MessageHeader>"), id="element"),
    pytest.param(lambda message: _with_block(message, 0), id="header_block"),
]


@decides("EBMS-078")
@pytest.mark.parametrize("extended", _EXTENDED)
def test_foreign_extension_is_ignored(receiver: Receiver, judge: Judge, extended: Callable[[Message], Outgoing]) -> None:
    """A foreign element in the MessageHeader, or a header block that need not be understood, changes nothing."""
    good = receiver.good()
    judge_acceptance(receiver, judge, good, receiver.post(good, extended(good)))


@decides("EBMS-079")
def test_block_that_must_be_understood_is_refused(receiver: Receiver, judge: Judge) -> None:
    """A header block that nobody knows and that must be understood gets a SOAP Fault, and the message is not delivered."""
    good = receiver.good()
    outcome = receiver.post(good, _with_block(good, 1))
    signals = receiver.signals(good.message_id)

    answer, deliveries = outcome.answer or HttpAnswer(0), receiver.deliveries(good)
    holds = answer.status == _SERVER_ERROR and b"MustUnderstand" in answer.body and not deliveries
    seen = f"{seen_of(outcome, signals, deliveries)}; ebms-core skips this check"
    judge.that("EBMS-079", holds, expected="HTTP 500 with a SOAP Fault MustUnderstand, not given to the application", seen=seen)


_NO_MESSAGE: Final = [
    pytest.param({"content-type": SOAP_TYPE}, "POST", id="without_soapaction", marks=decides("EBMS-080")),
    pytest.param({"soapaction": "ebXML"}, "POST", id="with_soapaction_unquoted", marks=decides("EBMS-080")),
    pytest.param({"soapaction": '"x"'}, "POST", id="with_another_soapaction", marks=decides("EBMS-080")),
    pytest.param({}, "GET", id="with_get", marks=decides("EBMS-081")),
]


@pytest.mark.parametrize(("headers", "method"), _NO_MESSAGE)
def test_request_of_another_kind_is_refused(receiver: Receiver, judge: Judge, headers: dict[str, str], method: str) -> None:
    """A request that is no ebMS message by its method or its SOAPAction gets no 2xx."""
    ping = receiver.handler.new_ping(receiver.agreement.cpa_id)
    outgoing = Outgoing(SOAP_TYPE, b"", b"") if method == "GET" else write_message(ping)
    sent = headers if method == "GET" else {"content-type": SOAP_TYPE, **headers}
    outcome = receiver.post(ping, outgoing, headers=sent, method=method)

    judge.that(judge.requirements[0], not is_2xx(outcome), expected="no HTTP 2xx", seen=f"HTTP {status(outcome)}")


def _truncated(message: Message, _url: str) -> Outgoing:
    outgoing = write_message(message)
    soap = outgoing.soap[: len(outgoing.soap) // 2]
    return replace(outgoing, soap=soap, body=outgoing.body.replace(outgoing.soap, soap, 1))


def _with_doctype(message: Message, url: str) -> Outgoing:
    doctype = f'<!DOCTYPE soap:Envelope [<!ENTITY buiten SYSTEM "{url}">]>'.encode()
    named = f"<eb:ConversationId>{message.conversation_id}".encode()
    outgoing = edited(message, named, named + b"&buiten;")
    soap = outgoing.soap.replace(b"<soap:Envelope", doctype + b"<soap:Envelope", 1)
    return replace(outgoing, soap=soap, body=outgoing.body.replace(outgoing.soap, soap, 1))


@decides("EBMS-082")
@pytest.mark.parametrize("broken", [pytest.param(_truncated, id="truncated"), pytest.param(_with_doctype, id="doctype")])
def test_hostile_xml_is_refused(receiver: Receiver, judge: Judge, broken: Callable[[Message, str], Outgoing]) -> None:
    """XML that ends halfway, or has a DOCTYPE with an external entity, gets no 2xx, nothing is fetched, and the next message works."""
    good = receiver.good()
    with receiver.canary() as canary:
        outcome = receiver.post(good, broken(good, canary.url))
        deliveries = receiver.deliveries(good)
        receiver.post(replace(good, message_id=f"daarna.{good.message_id}"))  # nobody could read the first one: the payload is still to be delivered
        works, fetches = receiver.is_delivered(good), canary.fetches

    holds = not is_2xx(outcome) and not fetches and not deliveries and works
    seen = f"HTTP {status(outcome)}, {fetches} fetches, {deliveries} deliveries, and the next message is {'' if works else 'not '}delivered"
    judge.that("EBMS-082", holds, expected="no HTTP 2xx, nothing fetched, not delivered, and the next message is", seen=seen)


@decides("EBMS-083")
def test_invalid_header_is_not_acknowledged(receiver: Receiver, judge: Judge) -> None:
    """A header whose elements stand in another order than the schema says is not acknowledged."""
    good = receiver.good()
    found = re.search(rb"(<eb:Service[ >].*?</eb:Service>)(\s*)(<eb:Action>.*?</eb:Action>)", write_message(good).soap, re.DOTALL)
    if found is None:
        raise ValueError("the envelope has no Service followed by an Action")
    outcome = receiver.post(good, edited(good, found[0], found[3] + found[2] + found[1]))
    signals = receiver.signals(good.message_id)

    seen = f"HTTP {status(outcome)}, {told(signals)}"
    judge.that("EBMS-083", not of_kind(signals, Kind.ACKNOWLEDGMENT), expected="no Acknowledgment", seen=seen)
