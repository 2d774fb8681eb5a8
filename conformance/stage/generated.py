"""Generated exchanges with a Berichtenbox: questions and batches that are right, nearly right or damaged, and what goes wrong with them.

Each hunt returns the smallest exchange that goes wrong; a seed repeats it. Ids of batches are new each time: a Berichtenbox takes one only once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from conformance.berichtenbox.ebms_face import PATH as EBMS_PATH
from conformance.berichtenbox.wus_face import PATH as WUS_PATH
from conformance.messages.batch import Batch, read_batch
from conformance.messages.guard import XmlRefused, parse
from conformance.messages.identities import same_guid
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.validatie import ACTION, UnreadableValidatie, read_aanvraag
from conformance.messages.verwerkingsbericht import Resultaat, UnreadableResult, VerwerkingsCode, read_verwerkingsbericht
from conformance.stage.box_stage import BoxStage
from conformance.stage.described import objection
from conformance.stage.hunting import Caught, Depth, hunt
from conformance.stage.judging import NotTestedError
from conformance.stage.wus_answers import fault_of, has_data, has_fault, outcomes, told
from conformance.strategies import DAMAGES, damaged, mutated
from conformance.strategies_expected import (
    BATCH_CHANGES,
    VALIDATIE_CHANGES,
    ExpectedBatch,
    ExpectedValidatie,
    expected_batches,
    expected_validaties,
    with_fresh_ids,
)
from conformance.transport import soap
from conformance.transport.ebms2.http import HttpAnswer, TroubleKind
from conformance.transport.ebms2.names import SOAP_ACTION, Kind
from conformance.transport.ebms2.posting import Poster
from conformance.transport.ebms2.writing import Outgoing, write_message
from conformance.transport.soap import FaultCode, MediaTypeRefused, SoapFault
from conformance.verdicts import Reason

_T = TypeVar("_T")
_TYPES: Final = ("text/xml; charset=utf-8", "text/xml", "application/soap+xml", "application/xml", "text/plain", "multipart/related", "")
_BATCHES: Final = 3
_SEQUENCES: Final = 6
_RECENT: Final = 20
_HEADERS: Final = ("accept-language", "cookie", "forwarded", "referer", "traceparent", "user-agent", "x-forwarded-for", "x-request-id")
_WHOLE: Final = frozenset({VerwerkingsCode.XML_VALIDATIE, VerwerkingsCode.OIN_IN_CPA})


@dataclass(frozen=True, slots=True)
class Posted:
    """What goes to a face as it is: a body that may be anything, and what it is called."""

    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"<{len(self.body)} bytes as {self.content_type!r}>"


_OTHER_XML: Final = "other XML"
_NOISE: Final = "noise"
_WAYS: Final = (*DAMAGES, _OTHER_XML, _NOISE)


def _damaged(documents: st.SearchStrategy[bytes], otherwise: st.SearchStrategy[bytes], way: str) -> st.SearchStrategy[bytes]:
    """Return a strategy for what a document may become: damaged on the way, written ``otherwise``, or something else altogether."""
    if way in DAMAGES:
        return damaged(documents, (way,))
    return otherwise if way == _OTHER_XML else st.binary(max_size=60)


class Generating:
    """Talks to a Berichtenbox over generated messages; ``close`` it."""

    def __init__(self, stage: BoxStage) -> None:
        self._stage, self._receiver = stage, stage.receiver
        self._depth = Depth(stage.depth)
        self._line: Poster = stage.line()

    def close(self) -> None:
        """Close the line."""
        self._line.close()

    def _hunt(self, strategy: st.SearchStrategy[_T], wrong_with: Callable[[_T], str], fewer: int = 1) -> Caught[_T] | None:
        def fresh(example: _T) -> str:
            self._receiver.begin()  # only the last exchange is told in the evidence
            return wrong_with(example)

        return hunt(strategy, fresh, examples=max(3, self._depth.examples // fewer), seed=self._receiver.sender.seed)

    def _hunt_each(
        self, changes: Sequence[str], strategy_of: Callable[[str], st.SearchStrategy[_T]], wrong_with: Callable[[_T], str], fewer: int = 1
    ) -> Caught[_T] | None:
        """Hunt among each kind of change: drawn at random, some would hardly come."""
        found = (self._hunt(strategy_of(change), wrong_with, fewer * len(changes)) for change in changes)
        return next((caught for caught in found if caught is not None), None)

    # -- the validatieservice --------------------------------------------------------------------------------------------------------------

    def _validaties(self, *changes: str) -> st.SearchStrategy[ExpectedValidatie]:
        return expected_validaties(self._receiver.sender.oin, self._receiver.sender.bericht_type, changes or None)

    def _ask(self, posted: Posted) -> HttpAnswer:
        return self._stage.ask(posted.body, content_type=posted.content_type, line=self._line)

    def _asked(self, document: bytes) -> HttpAnswer:
        return self._ask(Posted(soap.CONTENT_TYPE, document))

    def right_validaties(self) -> Caught[ExpectedValidatie] | None:
        """Ask what is right: the answer is as it is described, and about exactly who was asked."""

        def wrong_with(asked: ExpectedValidatie) -> str:
            answer = self._asked(asked.document)
            found = outcomes(answer)
            if wrong := objection(WUS_PATH, asked.document, answer):
                return wrong
            if found is None or found.keys() != set(asked.bsns):
                return f"{told(answer)}, about {len(found or ())} of {len(asked.bsns)} citizens"
            return ""

        return self._hunt(self._validaties(""), wrong_with)

    def nearly_right_validaties(self) -> Caught[ExpectedValidatie] | None:
        """Ask with one thing wrong: the Fault is that of what is wrong, without data."""

        def wrong_with(asked: ExpectedValidatie) -> str:
            answer = self._asked(asked.document)
            if wrong := objection(WUS_PATH, asked.document, answer):
                return f"{asked.change}: {wrong}"
            is_told = fault_of(answer).partition(".")[0] == FaultCode.CLIENT
            is_named = any(has_fault(answer, name) for name in (asked.expected,)) if asked.expected != FaultCode.CLIENT else True  # type: ignore[arg-type]
            return "" if is_told and is_named and not has_data(answer) else f"{asked.change}: {told(answer)}"

        return self._hunt_each(VALIDATIE_CHANGES, self._validaties, wrong_with)

    def damaged_validaties(self) -> Caught[Posted] | None:
        """Ask with anything: the answer is as it is described, and has data only when the schema takes the question."""
        documents = self._validaties().map(lambda asked: asked.document)
        types = st.one_of(st.just(soap.CONTENT_TYPE), st.sampled_from(_TYPES))

        def posted_as(way: str) -> st.SearchStrategy[Posted]:
            return st.builds(Posted, types, _damaged(documents, mutated(documents), way))

        def wrong_with(posted: Posted) -> str:
            answer = self._ask(posted)
            if wrong := objection(WUS_PATH, posted.body, answer):
                return wrong
            return _refused_by_us(posted) if has_data(answer) else ""

        return self._hunt_each(_WAYS, posted_as, wrong_with)

    def leaking_validaties(self) -> Caught[ExpectedValidatie] | None:
        """Ask with one thing wrong: no Fault repeats the BSN of a citizen."""

        def wrong_with(asked: ExpectedValidatie) -> str:
            answer = self._asked(asked.document)
            said = answer.body + "".join(answer.headers.values()).encode()
            is_told = not has_data(answer) and any(bsn and bsn.encode() in said for bsn in asked.bsns)
            return f"{asked.change}: {told(answer)}, with the BSN of a citizen in it" if is_told else ""

        return self._hunt_each(VALIDATIE_CHANGES, self._validaties, wrong_with)

    # -- batches ---------------------------------------------------------------------------------------------------------------------------

    def _batches(self, change: str) -> st.SearchStrategy[ExpectedBatch]:
        sender = self._receiver.sender
        return expected_batches(sender.oin, sender.bericht_type, self._receiver.reach.business(), (change,))

    def batches(self) -> Caught[ExpectedBatch] | None:
        """Send batches that are right or have one thing wrong: each bericht gets the VerwerkingsCode of what is wrong."""

        def wrong_with(sent: ExpectedBatch) -> str:
            document = with_fresh_ids(sent.document)
            answer = self._receiver.post(self._receiver.message(document)).answer or HttpAnswer(0)
            if wrong := objection(EBMS_PATH, document, answer):
                return wrong
            wrong = self._wrong_results(read_batch(parse(document)), sent.codes)
            return f"{sent.change or 'nothing wrong'}: {wrong}" if wrong else ""

        return self._hunt(self._batches(""), wrong_with, _BATCHES) or self._hunt_each(BATCH_CHANGES, self._batches, wrong_with, _BATCHES)

    def _wrong_results(self, batch: Batch, codes: Sequence[VerwerkingsCode]) -> str:
        wanted = len(codes)
        self._receiver.wait(lambda: len(self._results_on(batch)) >= wanted)
        results = self._results_on(batch)
        if len(codes) == 1 and codes[0] in _WHOLE:
            holds = [result.code for result in results] == list(codes)
        else:
            pairs = zip((bericht.bericht_id.lower() for bericht in batch.berichten), codes, strict=True)
            _check_wanted(results, codes)
            holds = _as_told(results) == Counter(pairs)
        seen = ", ".join(sorted(str(result.code) for result in results)) or "no result within the time to react"
        return "" if holds else f"expected {', '.join(sorted(codes))}; seen {seen}"

    def _results_on(self, batch: Batch) -> list[Resultaat]:
        receiver = self._receiver
        found: list[Resultaat] = []
        for message in reversed(list(receiver.gateway.results)[-_RECENT:]):
            if same_guid(receiver.batch_id_of(message), batch.batch_id):
                found += _resultaten(message.payloads[0].content)
        return found

    def sequences(self) -> Caught[Sequence[str]] | None:
        """Send a letter once more, as the same message or in another batch: what was accepted once is stored once."""
        steps = st.lists(st.sampled_from(("same message", "same letter", "same letter in capitals")), min_size=1, max_size=4)
        return self._hunt(steps, self._wrong_sequence, _SEQUENCES)

    def _wrong_sequence(self, steps: Sequence[str]) -> str:
        receiver = self._receiver
        first = receiver.batch()
        message = receiver.message(first.to_xml())
        receiver.post(message)
        if wrong := self._wrong_results(first, [VerwerkingsCode.VERWERKT]):
            return f"a new letter: {wrong}"
        for step in steps:
            if step == "same message":
                receiver.post(message)
                continue
            batch = _again(first, receiver.batch(), in_capitals=step.endswith("capitals"))
            receiver.post(receiver.message(batch.to_xml()))
            if wrong := self._wrong_results(batch, [VerwerkingsCode.BERICHT_BESTAAT_AL]):
                return f"{step}: {wrong}"
        last = receiver.batch()  # who answers this one had time to answer a copy
        receiver.post(receiver.message(last.to_xml()))
        wrong = self._wrong_results(last, [VerwerkingsCode.VERWERKT])
        results = len(self._results_on(first))
        return f"a new letter: {wrong}" if wrong else "" if results == 1 else f"same message: {results} results on a batch of one bericht"

    def wrong_after_restart(self) -> str:
        """Restart the Berichtenbox after it acknowledged a letter, and return what it does not know of that any more; empty when it knows all of it.

        Raises :class:`NotTestedError` when it acknowledges nothing, or cannot be restarted.
        """
        receiver, verwerkt = self._receiver, [VerwerkingsCode.VERWERKT]
        first = receiver.batch()
        message = receiver.message(first.to_xml())
        receiver.post(message)
        if not any(signal.kind == Kind.ACKNOWLEDGMENT for signal in receiver.signals(message.message_id)):
            raise NotTestedError(Reason.NO_TRAFFIC, "a letter is not acknowledged; see EBMS-046")
        receiver.restart()
        if wrong := self._wrong_results(first, verwerkt):
            return f"of a letter that was acknowledged before the restart: {wrong}"
        batch = _again(first, receiver.batch(), in_capitals=False)
        receiver.post(receiver.message(batch.to_xml()))
        wrong = self._wrong_results(batch, [VerwerkingsCode.BERICHT_BESTAAT_AL])
        return f"the same letter in another batch after the restart: {wrong}" if wrong else ""

    def strange_headers(self) -> Caught[Mapping[str, str]] | None:
        """Send letters with HTTP headers that say nothing here: they change nothing."""
        names = st.one_of(st.sampled_from(_HEADERS), st.from_regex(r"x-[a-z]{1,12}", fullmatch=True))
        values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=200)

        def wrong_with(strange: Mapping[str, str]) -> str:
            batch = self._receiver.batch()
            message = self._receiver.message(batch.to_xml())
            outgoing = write_message(message)
            headers = {**strange, "content-type": outgoing.content_type, "soapaction": SOAP_ACTION}
            answer = self._receiver.post(message, outgoing, headers=headers).answer or HttpAnswer(0)
            return objection(EBMS_PATH, outgoing.body, answer) or self._wrong_results(batch, [VerwerkingsCode.VERWERKT])

        return self._hunt(st.dictionaries(names, values, min_size=1, max_size=3), wrong_with, _BATCHES)

    def damaged_messages(self) -> Caught[Posted] | None:
        """Post anything to where batches go: the answer is as it is described."""
        good = write_message(self._receiver.good())
        envelopes = mutated(st.just(good.soap)).map(lambda envelope: good.body.replace(good.soap, envelope))
        types = st.one_of(st.just(good.content_type), st.sampled_from(_TYPES))

        def posted_as(way: str) -> st.SearchStrategy[Posted]:
            return st.builds(Posted, types, _damaged(st.just(good.body), envelopes, way).map(with_fresh_ids))

        def wrong_with(posted: Posted) -> str:
            return objection(EBMS_PATH, posted.body, self._post(posted))

        caught = self._hunt_each(_WAYS, posted_as, wrong_with)
        self._receiver.quiet()
        return caught

    def _post(self, posted: Posted) -> HttpAnswer:
        headers = {"content-type": posted.content_type, "soapaction": SOAP_ACTION}
        outgoing = Outgoing(posted.content_type, posted.body, posted.body)
        outcome = self._receiver.gateway.post(self._receiver.message(b""), self._receiver.url, outgoing, headers=headers)
        trouble = outcome.trouble
        if trouble is not None and trouble.kind in {TroubleKind.REFUSED, TroubleKind.TIMEOUT}:
            raise NotTestedError(Reason.UNREACHABLE, trouble.text)
        return outcome.answer or HttpAnswer(0)


def _refused_by_us(posted: Posted) -> str:
    """Return what the profile or the schema has against a question; empty when it may be answered."""
    try:
        read_aanvraag(soap.read_request(posted.content_type, '""', posted.body, ACTION).content)
    except (MediaTypeRefused, SoapFault, UnreadableValidatie) as refusal:
        return f"data for a question that is no valid one: {refusal}"
    return ""


def _resultaten(content: bytes) -> Iterator[Resultaat]:
    try:
        yield from read_verwerkingsbericht(parse(unpack(content))).resultaten
    except (XmlRefused, PackedTooMuch, UnreadableResult):
        return


def _as_told(results: Sequence[Resultaat]) -> Counter[tuple[str, Any]]:
    return Counter((result.bericht_id.lower(), result.code) for result in results)


def _check_wanted(results: Sequence[Resultaat], codes: Sequence[VerwerkingsCode]) -> None:
    """Stop when letters with nothing wrong are not wanted: what refuses them says nothing about who looks at the rest of a batch."""
    is_right = set(codes) == {VerwerkingsCode.VERWERKT}
    if is_right and any(result.code is VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD for result in results):
        text = "citizens of this Berichtenbox take no letters: make the reserved test BSNs, to whom the kit writes, active and subscribed"
        raise NotTestedError(Reason.NO_TRAFFIC, text)


def _again(first: Batch, other: Batch, *, in_capitals: bool) -> Batch:
    """Return the letter of the first batch in another one."""
    bericht = first.berichten[0]
    bericht_id = bericht.bericht_id.upper() if in_capitals else bericht.bericht_id
    return replace(other, berichten=(replace(bericht, batch_id=other.batch_id, bericht_id=bericht_id),))
