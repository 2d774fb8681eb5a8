"""Defective Berichtenboxes that only generated messages find: each does one thing wrong with a message that no other case happens to send."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from conformance.berichtenbox.adapter_face import AdapterFace
from conformance.berichtenbox.app import Faces
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.decide import Circumstances
from conformance.berichtenbox.faults import Fault
from conformance.berichtenbox.http import no_content
from conformance.berichtenbox.ledger import Before, Offer, PlannedResult
from conformance.berichtenbox.processing import Outcome as Processed
from conformance.berichtenbox.processing import Processor
from conformance.berichtenbox.results import Draft
from conformance.berichtenbox.wire_defects import WireDefect
from conformance.berichtenbox.wus_face import Asked, Outcome, WusFace
from conformance.limits import limits
from conformance.messages.batch import NS_BERICHT, Batch
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.verwerkingsbericht import NS_RESULT
from conformance.rules.findings import Grading
from conformance.transport.ebms2.http import EMPTY_ERROR, HttpRequest
from conformance.transport.ebms2.reading import Received
from conformance.transport.ebms2.receiving import MessageHandler, Reception
from conformance.transport.ebms2.receiving import Outcome as ReceptionOutcome
from conformance.transport.misbehaving import Presenting

_Install = Callable[[Berichtenbox, Presenting | None], None]
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_THREE: Final = 3
_OK: Final = 200
_NOT_FOUND: Final = 404
_KLANT: Final = b"<k:Klant>"
_KEY: Final = b"<k:Key>"


# -- the validatieservice ----------------------------------------------------------------------------------------------------------------------


class _CrashesOnThree(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        is_struck = outcome.status == _OK and asked.body.count(_KLANT) == _THREE
        return replace(outcome, status=500, content=b"internal error", media_type="text/plain") if is_struck else outcome


class _LooksAtTheFirstKlant(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        first, found, others = asked.body.partition(b"</k:Klant>")
        others = others.replace(b">Bedrijf<", b">Burger<").replace(b"<k:Naam>x</k:Naam>", b"")
        return super().outcome(replace(asked, body=first + found + others), faults)


class _CrashesOnWhatIsNoXml(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        try:
            parse(asked.body)
        except XmlRefused:
            return replace(outcome, status=500, content=b"", media_type="text/plain")
        return outcome


class _QuotesWhoWasAsked(WusFace):
    def outcome(self, asked: Asked, faults: Mapping[str, Fault]) -> Outcome:
        outcome = super().outcome(asked, faults)
        key = asked.body.partition(_KEY)[2].partition(b"<")[0]
        return replace(outcome, content=outcome.content.replace(b"</faultstring>", b" (" + key + b")</faultstring>"))


# -- batches -----------------------------------------------------------------------------------------------------------------------------------


class _CountsInBytes(Processor):
    def _decide(self, offer: Offer, batch: Batch, grading: Grading, circumstances: Circumstances, before: Before, outcome: Processed) -> None:
        is_long = any(len(bericht.onderwerp.encode()) > limits().onderwerp_max for bericht in batch.berichten)
        super()._decide(offer, batch, replace(grading, is_schema_valid=False) if is_long else grading, circumstances, before, outcome)


class _ComparesIdsAsWritten(Processor):
    def _decide(self, offer: Offer, batch: Batch, grading: Grading, circumstances: Circumstances, before: Before, outcome: Processed) -> None:
        if any(bericht.bericht_id != bericht.bericht_id.lower() for bericht in batch.berichten):
            circumstances = replace(circumstances, stored=())
        super()._decide(offer, batch, grading, circumstances, before, outcome)


class _CrashesOnANullByte(MessageHandler):
    def read(self, request: HttpRequest) -> Received | Reception:
        if b"\0" in request.body:
            return Reception(ReceptionOutcome.REFUSED, EMPTY_ERROR, note="a null byte")
        return super().read(request)


class _AcceptsOneMore(Processor):
    def _decide(self, offer: Offer, batch: Batch, grading: Grading, circumstances: Circumstances, before: Before, outcome: Processed) -> None:
        is_struck = len(batch.berichten) > limits().berichten_per_batch_max
        super()._decide(offer, batch, Grading() if is_struck else grading, circumstances, before, outcome)


class _LosesOneOfABatch(Processor):
    def _plan(self, offer: Offer, draft: Draft, now: datetime) -> PlannedResult:
        told = draft.result.resultaten
        return super()._plan(offer, replace(draft, result=replace(draft.result, resultaten=told[:-1])) if len(told) > 1 else draft, now)


class _AnswersInAnotherNamespace(Processor):
    """Where it strikes on each result, nothing that is sent would have one: it strikes on batches of several berichten."""

    def _plan(self, offer: Offer, draft: Draft, now: datetime) -> PlannedResult:
        payload = draft.result.to_xml().replace(NS_RESULT.encode(), NS_BERICHT.encode())
        return super()._plan(offer, replace(draft, payload=payload) if len(draft.result.resultaten) > 1 else draft, now)


class _CrashesOnAStrangeHeader(MessageHandler):
    def read(self, request: HttpRequest) -> Received | Reception:
        if any(name.startswith("x-") for name in request.headers):
            return Reception(ReceptionOutcome.REFUSED, EMPTY_ERROR, note="a header that is not known")
        return super().read(request)


def _keeps_nothing(box: Berichtenbox, _presenting: Presenting | None) -> None:
    """Begin without what came before, as who keeps in memory what it acknowledged."""
    box.ledger.lose(_LONG_AGO)


def _goes_on_for_a_day(box: Berichtenbox, _presenting: Presenting | None) -> None:
    """Take the window in which results come again for a day longer."""
    due, following = box.ledger.due_results, box.ledger.next_reoffer
    longer = vars(box.ledger)
    longer["due_results"] = lambda now, window_s, interval_s: due(now, window_s + interval_s, interval_s)
    longer["next_reoffer"] = lambda window_s, interval_s: following(window_s + interval_s, interval_s)


# -- the adapter face --------------------------------------------------------------------------------------------------------------------------


class _HasNothingForAStranger(AdapterFace):
    async def fetch(self, request: Request) -> Response:
        answer = await super().fetch(request)
        return no_content() if answer.status_code == _NOT_FOUND else answer


class _KeepsWhatIsProcessed(AdapterFace):
    async def process(self, _request: Request) -> Response:
        return no_content()


def _processed_by(kind: type[Processor]) -> _Install:
    """Return what gives a Berichtenbox another way to process."""

    def install(box: Berichtenbox, _presenting: Presenting | None) -> None:
        box._processor.__class__ = kind  # noqa: SLF001  # what processes is nobody's business but that of the box

    return install


def _handled_by(kind: type[MessageHandler]) -> _Install:
    def install(box: Berichtenbox, _presenting: Presenting | None) -> None:
        box.pusher.link.handler.__class__ = kind  # type: ignore[union-attr]  # it has its CPA

    return install


def _wus(name: str, does: str, fails: str, also: str, kind: type[WusFace]) -> WireDefect:
    return WireDefect(name, does, frozenset({fails}), frozenset(also.split()), Faces(wus=kind))


def _adapter(name: str, does: str, fails: str, kind: type[AdapterFace]) -> WireDefect:
    return WireDefect(name, does, frozenset({fails}), faces=Faces(adapter=kind))


def _batch(name: str, does: str, fails: str, install: _Install, also: str = "") -> WireDefect:
    return WireDefect(name, does, frozenset(fails.split()), frozenset(also.split()), install=install)


GENERATED_DEFECTS: Final = (
    _wus("crashes_on_three_klanten", "answers a bare 500 about three klanten", "CONT-001", "CONT-003", _CrashesOnThree),
    _wus("looks_at_the_first_klant", "validates no klant but the first", "CONT-002", "CONT-003", _LooksAtTheFirstKlant),
    _wus("crashes_on_what_is_no_xml", "answers a bare 500 to what is no XML", "CONT-003", "", _CrashesOnWhatIsNoXml),
    _wus("quotes_who_was_asked", "puts a BSN in the text of a Fault", "CONT-004", "", _QuotesWhoWasAsked),
    _batch("counts_in_bytes", "counts the Onderwerp in bytes", "CONT-005", _processed_by(_CountsInBytes)),
    _batch("compares_ids_as_written", "stores a bericht again under its id in capitals", "CONT-006", _processed_by(_ComparesIdsAsWritten)),
    _batch("crashes_on_a_null_byte", "answers a bare 500 to a message with a null byte", "CONT-007", _handled_by(_CrashesOnANullByte)),
    _batch("accepts_1001_berichten", "takes a batch of 1001 berichten", "CONT-005", _processed_by(_AcceptsOneMore), "VERW-050"),
    _batch("loses_one_of_a_batch", "says nothing of the last bericht of a batch", "CONT-005", _processed_by(_LosesOneOfABatch)),
    _batch(
        "answers_in_the_namespace_of_the_request",
        "puts each Bericht of a result about several in B",
        "CONT-005 VERW-052",
        _processed_by(_AnswersInAnotherNamespace),
    ),
    _batch("processes_before_storing", "loses at a restart what it acknowledged", "CONT-017", _keeps_nothing, "EBMS-052"),
    _batch("crashes_on_a_strange_header", "answers a bare 500 to a header that it does not know", "CONT-018", _handled_by(_CrashesOnAStrangeHeader)),
    _batch("offers_again_on_day_7", "offers a result again for a day too long", "CONT-019", _goes_on_for_a_day),
    _adapter("has_nothing_for_a_stranger", "answers 204 to who fetches an unknown message", "CONT-008", _HasNothingForAStranger),
    _adapter("keeps_what_is_processed", "offers a processed result again", "CONT-009", _KeepsWhatIsProcessed),
)
