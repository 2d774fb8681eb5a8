"""Defective Berichtenboxes, as far as the wire shows it: each does one thing wrong that `berichtenbox verify` must find.

The counterpart of the results in ``defects``: a defect is a small change of a face, of the message service handler, or of what TLS is told.
"""
# the name of a defect is a sentence, and what it overrides is documented where it is right

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import httpx
from starlette.types import ASGIApp

from conformance.berichtenbox.app import FACES, Faces
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.faults import Fault
from conformance.berichtenbox.tls_face import TlsFace
from conformance.berichtenbox.wus_face import Asked, Outcome, WusFace
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action, Envelope, Part
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.validatie import ACTION
from conformance.transport.ebms2 import signals
from conformance.transport.ebms2.agreements import Agreement
from conformance.transport.ebms2.http import EMPTY, HttpAnswer, HttpRequest, signal_answer
from conformance.transport.ebms2.knowledge import Knowledge, StoredAnswer
from conformance.transport.ebms2.model import EbmsError, Message
from conformance.transport.ebms2.names import ErrorCode
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import MessageHandler, Reception
from conformance.transport.ebms2.receiving import Outcome as ReceptionOutcome
from conformance.transport.ebms2.writing import write_message
from conformance.transport.misbehaving import Presenting, only_version
from conformance.transport.tls import PeerCertificate

_Install = Callable[[Berichtenbox, Presenting | None], None]
_REPLY_TO: Final = re.compile(rb"<wsa:ReplyTo><wsa:Address>([^<]+)</wsa:Address></wsa:ReplyTo>")
_SECOND_CHILD: Final = re.compile(rb"(</\w+:ValidateAbonnementen>)<\w+:ValidateAbonnementen\b.*</\w+:ValidateAbonnementen>", re.DOTALL)
_MUST_UNDERSTAND: Final = re.compile(rb' \w+:mustUnderstand="1"')
_AGAIN: Final = "opnieuw."
_DOCTYPE: Final = re.compile(rb"<!DOCTYPE[^\]]*\]>")


def _nothing(_box: Berichtenbox, _presenting: Presenting | None) -> None:
    """Change nothing before it starts."""


@dataclass(frozen=True, slots=True)
class WireDefect:
    """A Berichtenbox with one thing wrong: what it does, the requirements that must fail, and those that may fail with them.

    ``faces`` are those that it has otherwise, ``install`` changes a Berichtenbox that has its CPA, and what it shows in TLS, before it runs.
    """

    name: str
    does: str
    fails: frozenset[str]
    also: frozenset[str] = frozenset()
    faces: Faces = FACES
    install: _Install = field(default=_nothing)


def _defect(name: str, does: str, fails: str, also: str = "", *, faces: Faces = FACES, install: _Install = _nothing) -> WireDefect:
    return WireDefect(name, does, frozenset(fails.split()), frozenset(also.split()), faces, install)


def _handled_by(kind: type[MessageHandler]) -> _Install:
    """Return what gives a Berichtenbox another message service handler."""

    def install(box: Berichtenbox, _presenting: Presenting | None) -> None:
        if box.pusher is None:
            raise ValueError("a Berichtenbox without a CPA has no message service handler")
        box.pusher.link.handler.__class__ = kind

    return install


# -- the validatieservice ----------------------------------------------------------------------------------------------------------------------


class _RefusesAnEmptySoapaction(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        return super().outcome(replace(asked, soap_action=None) if asked.soap_action == '""' else asked, faults)


class _TakesAnySoapaction(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        return super().outcome(replace(asked, soap_action=f'"{ACTION}"'), faults)


class _AnswersInvalidly(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        return replace(outcome, content=outcome.content.replace(b"isBerichtSturen>true<", b"isBerichtSturen>ja<"))


class _AnswersInLatin1(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        return replace(outcome, content=outcome.content.decode().replace("UTF-8", "ISO-8859-1", 1).encode("iso-8859-1", "replace"))


class _GarblesLatin1(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        body = asked.body.decode("utf-8", "replace").replace("ISO-8859-1", "UTF-8", 1).encode()
        return super().outcome(replace(asked, content_type="text/xml", body=body), faults)


class _TakesTheFirstOfTwo(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        return super().outcome(replace(asked, body=_SECOND_CHILD.sub(rb"\1", asked.body)), faults)


class _SkipsTheSchema(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        body = asked.body.replace(b"<t:extra/>", b"").replace(b">Bedrijf<", b">Burger<")
        return super().outcome(replace(asked, body=body), faults)


class _FaultsWith200(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        return replace(outcome, status=200) if b"0004" in outcome.content else outcome


class _UnderstandsEverything(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        return super().outcome(replace(asked, body=_MUST_UNDERSTAND.sub(b"", asked.body)), faults)


class _ForgetsWhatItAnswers(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        return replace(outcome, content=re.sub(rb"<wsa:RelatesTo>.*</wsa:RelatesTo>", b"", outcome.content))


class _CallsReplyTo(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        found = _REPLY_TO.search(asked.body)
        outcome = super().outcome(asked, faults)
        if found is not None and found[1].startswith(b"http://127."):
            httpx.post(found[1].decode(), content=outcome.content, trust_env=False)
        return outcome


class _SkipsADoctype(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        return super().outcome(replace(asked, body=_DOCTYPE.sub(b"", asked.body).replace(b"&buiten;", b"buiten")), faults)


class _AnswersForAnyOin(WusFace):
    def not_authorised(self, _oin: str, _peer: PeerCertificate | None) -> str:
        return ""


# -- TLS -----------------------------------------------------------------------------------------------------------------------------------------


class _Open(TlsFace):
    """Looks at no certificate after the handshake."""

    def gate(self, app: ASGIApp) -> ASGIApp:
        return app


def _asks_no_certificate(_box: Berichtenbox, presenting: Presenting | None) -> None:
    if presenting is not None:
        presenting.context.verify_mode = ssl.CERT_NONE


def _speaks_old_tls(_box: Berichtenbox, presenting: Presenting | None) -> None:
    if presenting is not None:
        only_version(presenting.context, ssl.TLSVersion.TLSv1_1)
        presenting.context.maximum_version = ssl.TLSVersion.TLSv1_3


# -- the message service handler -----------------------------------------------------------------------------------------------------------------


class _TrustsAnyHolder(MessageHandler):
    def handle(self, received: Received, _peer: PeerCertificate | None, knowledge: Knowledge) -> Reception:
        return super().handle(received, None, knowledge)


class _TakesWhatExpired(MessageHandler):
    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        return super()._user_message(replace(received, message=replace(received.message, time_to_live=None)), agreement, knowledge, now)


class _TakesAnyCpa(MessageHandler):
    def handle(self, received: Received, peer: PeerCertificate | None, knowledge: Knowledge) -> Reception:
        known = received.message.cpa_id.removesuffix("_onbekend")
        return super().handle(replace(received, message=replace(received.message, cpa_id=known)), peer, knowledge)


class _MissesNoPart(MessageHandler):
    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        return super()._user_message(replace(received, missing=()), agreement, knowledge, now)


class _TakesAnyVersion(MessageHandler):
    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        return super()._user_message(replace(received, message=replace(received.message, version="2.0")), agreement, knowledge, now)


class _IsSilentAboutCopies(MessageHandler):
    def _again(self, received: Received, _agreement: Agreement, _stored: StoredAnswer) -> Reception:
        again = super()._again(received, _agreement, _stored)
        return replace(again, answer=EMPTY, signal_bytes=None, send_to=None)


class _StartsAnotherConversation(MessageHandler):
    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        reception = super()._user_message(received, agreement, knowledge, now)
        if reception.signal is None or reception.error is not None:
            return reception
        signal = replace(reception.signal, conversation_id=f"anders.{reception.signal.message_id}")
        return replace(reception, signal=signal, signal_bytes=write_message(signal))


class _JudgesPayloadsInEbms(MessageHandler):
    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        if received.message.payloads:
            try:
                parse(received.message.payloads[0].content)
            except XmlRefused:
                error = EbmsError(ErrorCode.OTHER_XML, "//Body/Manifest/Reference", "The payload is no XML.")
                return self._rejected(received, agreement, error, now, is_sync=False)
        return super()._user_message(received, agreement, knowledge, now)


class _AnswersGet(MessageHandler):
    def read(self, request: HttpRequest) -> Received | Reception:
        read = super().read(request)
        is_get = isinstance(read, Reception) and request.method == "GET"
        return replace(read, answer=HttpAnswer(200)) if is_get and isinstance(read, Reception) else read


class _AnswersWithTheResult(MessageHandler):
    """Puts a business message in the HTTP answer to a batch."""

    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        reception = super()._user_message(received, agreement, knowledge, now)
        if reception.outcome is not ReceptionOutcome.ACCEPTED or reception.send_to is None:
            return reception
        own, parts = agreement.own.ids[0].flat, (Part(b"<verwerkt/>", "text/xml"),)
        message = self.new_message(Envelope(agreement.cpa_id, own, ROLE_LOGIUS, SERVICE, Action.BV_RESULT, to_role=ROLE_AFNEMER, parts=parts))
        return replace(reception, answer=signal_answer(write_message(message)))


class _ForgetsTheConversation(MessageHandler):
    def new_message(self, envelope: Envelope) -> Message:
        return super().new_message(replace(envelope, conversation_id=None, ref_to_message_id=None))


class _ForgetsAtARestart(MessageHandler):
    """Knows only the MessageIds that came since it was started, and takes any other for new."""

    _since: frozenset[str] = frozenset()

    def _user_message(self, received: Received, agreement: Agreement, knowledge: Knowledge, now: datetime) -> Reception:
        self._since |= {received.message.message_id}
        return super()._user_message(received, agreement, knowledge, now)

    def _again(self, received: Received, agreement: Agreement, stored: StoredAnswer) -> Reception:
        message = received.message
        again = super()._again(received, agreement, stored)
        if message.message_id in self._since:
            return again
        self._since |= {message.message_id}
        # The ledger knows better, so that it is stored under another MessageId.
        stranger = replace(received, message=replace(message, message_id=f"{_AGAIN}{message.message_id}"))
        signal = signals.acknowledgment_of(message, self._new_message_id(), self._now())
        return Reception(ReceptionOutcome.ACCEPTED, again.answer, stranger, signal, write_message(signal), again.send_to)

    def new_message(self, envelope: Envelope) -> Message:
        return super().new_message(replace(envelope, ref_to_message_id=(envelope.ref_to_message_id or "").removeprefix(_AGAIN) or None))


WIRE_DEFECTS: Final = (
    _defect(
        "asks_no_certificate",
        "lets clients in without a certificate",
        "WUS-001 TLS-020 EBMS-097",
        "TLS-021 TLS-022 TLS-023 TLS-024 TLS-025 TLS-041 WUS-012",
        faces=Faces(tls=_Open),
        install=_asks_no_certificate,
    ),
    _defect("speaks_old_tls", "goes along with TLS 1.1", "WUS-002 TLS-027 EBMS-098", "TLS-028 TLS-029 TLS-026", install=_speaks_old_tls),
    _defect("refuses_an_empty_soapaction", "wants the SOAPAction of the WSDL", "WUS-003", faces=Faces(wus=_RefusesAnEmptySoapaction)),
    _defect("takes_any_soapaction", "looks at no SOAPAction", "WUS-003", faces=Faces(wus=_TakesAnySoapaction)),
    _defect("answers_invalidly", "writes ja where the schema wants true", "WUS-004", also="VAL-062", faces=Faces(wus=_AnswersInvalidly)),
    _defect("answers_in_latin_1", "writes its answers in ISO-8859-1", "WUS-004", faces=Faces(wus=_AnswersInLatin1)),
    _defect("garbles_latin_1", "reads everything as UTF-8", "WUS-005", faces=Faces(wus=_GarblesLatin1)),
    _defect("takes_the_first_of_two", "answers the first of two questions", "WUS-006", faces=Faces(wus=_TakesTheFirstOfTwo)),
    _defect("skips_the_schema", "answers what the schema does not take", "WUS-007", faces=Faces(wus=_SkipsTheSchema)),
    _defect("faults_with_200", "answers 200 with a Fault", "WUS-007", faces=Faces(wus=_FaultsWith200)),
    _defect("understands_everything", "skips header blocks that must be understood", "WUS-008", faces=Faces(wus=_UnderstandsEverything)),
    _defect("forgets_what_it_answers", "leaves RelatesTo out", "WUS-009", faces=Faces(wus=_ForgetsWhatItAnswers)),
    _defect("calls_reply_to", "answers to the address in ReplyTo too", "WUS-010", faces=Faces(wus=_CallsReplyTo)),
    _defect("skips_a_doctype", "reads on after a DOCTYPE", "WUS-011", faces=Faces(wus=_SkipsADoctype)),
    _defect("answers_for_any_oin", "compares no OIN with the certificate", "WUS-012", faces=Faces(wus=_AnswersForAnyOin)),
    _defect(
        "trusts_any_holder",
        "takes batches of whoever has a certificate",
        "EBMS-097 TLS-025",
        "WUS-012",
        faces=Faces(tls=_Open),
        install=_handled_by(_TrustsAnyHolder),
    ),
    _defect("takes_what_expired", "looks at no TimeToLive", "EBMS-056 EBMS-086", install=_handled_by(_TakesWhatExpired)),
    _defect("takes_any_cpa", "takes a batch under an unknown CPA", "EBMS-057", install=_handled_by(_TakesAnyCpa)),
    _defect("misses_no_part", "takes a Reference to a part that is not there", "EBMS-073", install=_handled_by(_MissesNoPart)),
    _defect("takes_any_version", "takes a MessageHeader of version 1.0", "EBMS-076", install=_handled_by(_TakesAnyVersion)),
    _defect("is_silent_about_copies", "acknowledges a batch once", "EBMS-051", "EBMS-052 EBMS-055", install=_handled_by(_IsSilentAboutCopies)),
    _defect("starts_another_conversation", "gives its signals a ConversationId", "EBMS-048", install=_handled_by(_StartsAnotherConversation)),
    _defect("answers_get", "answers 200 to a GET", "EBMS-081", install=_handled_by(_AnswersGet)),
    _defect("forgets_at_a_restart", "keeps MessageIds in memory", "EBMS-052", install=_handled_by(_ForgetsAtARestart)),
    _defect("answers_with_the_result", "puts a result in the HTTP answer", "EBMS-100", "EBMS-047", install=_handled_by(_AnswersWithTheResult)),
    _defect("forgets_the_conversation", "starts a new conversation with each result", "EBMS-100", install=_handled_by(_ForgetsTheConversation)),
    _defect("judges_payloads_in_ebms", "sends an ErrorList about a payload", "EBMS-101", install=_handled_by(_JudgesPayloadsInEbms)),
)
