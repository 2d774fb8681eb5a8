"""Afnemers that do one thing wrong with a result or answer that no other case happens to send: only generated ones find them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.afnemer.defects.registry import defect
from conformance.afnemer.reference.abonnementen import Abonnees, Line
from conformance.afnemer.reference.receiving import Receiver
from conformance.afnemer.reference.validating import Validator
from conformance.messages.abonnement import AntwoordStream, UnreadableAntwoord
from conformance.messages.envelope import Envelope, Part
from conformance.messages.guard import XmlRefused, etree, local_name, parse
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.validatie import Abonnement, Klant, UnreadableValidatie, ValidatieAntwoord
from conformance.messages.verwerkingsbericht import Resultaat, UnreadableResult, Verwerkingsbericht, VerwerkingsCode
from conformance.transport.ebms2.http import HttpOutcome

_REMARK = b"<!--"
_DECLARATION = b"<?xml"
_WORDS = re.compile(rb"BerichtID>([0-9a-fA-F-]{36})<.*?VerwerkingsCode>(\w+)<", re.DOTALL)
_YES = re.compile(rb"Key>(\d{9})<.*?isBerichtSturen>true<", re.DOTALL)


def _result(items: list[tuple[str, str]]) -> Verwerkingsbericht:
    """Return a result of what somebody thinks to have read."""
    found = tuple(Resultaat(bericht_id, "", VerwerkingsCode(code)) for bericht_id, code in items if code in list(VerwerkingsCode))
    return Verwerkingsbericht("", "", len(found), (), "", "", found)


# -- verwerkingsberichten ----------------------------------------------------------------------------------------------------------------------


@defect("CONT-010", bulk=True)
class needs_an_xml_declaration(Receiver):
    """Takes for XML what begins with a declaration, and nothing else."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        if not unpack(envelope.parts[-1].content).startswith(_DECLARATION):
            raise UnreadableResult("this is not XML")
        return super().read(envelope)


@defect("CONT-010", bulk=True)
class stumbles_over_remarks(Receiver):
    """Takes a comment for an element that it does not know."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        if _REMARK in unpack(envelope.parts[-1].content):
            raise UnreadableResult("an element without a name")
        return super().read(envelope)


@defect("CONT-010", bulk=True)
class sorts_a_batch(Receiver):
    """Takes the first Bericht of a result for the first of its batch, and so on."""

    def apply(self, message_id: str, result: Verwerkingsbericht) -> None:
        ids = sorted(item.bericht_id for item in result.resultaten)
        turned = (replace(item, bericht_id=bericht_id) for bericht_id, item in zip(ids, result.resultaten, strict=True))
        super().apply(message_id, replace(result, resultaten=tuple(turned)))


@defect("CONT-011", bulk=True)
class takes_what_it_finds(Receiver):
    """Looks for a BerichtID and a VerwerkingsCode, wherever they stand and whatever stands beside them."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        try:
            return super().read(envelope)
        except UnreadableResult:
            return _result(list(_found(parse(unpack(envelope.parts[-1].content)))))


def _found(root: etree._Element) -> Iterator[tuple[str, str]]:
    for element in root.iter("*"):
        texts = {local_name(child): child.text or "" for child in element}
        if {"BerichtID", "VerwerkingsCode"} <= texts.keys():
            yield texts["BerichtID"], texts["VerwerkingsCode"]


@defect("CONT-011", "CONT-012", bulk=True)
class waits_behind_an_invalid_result(Receiver):
    """Waits for a person after a result that cannot be taken, and looks at no other while that one is there."""

    _in_front = ""

    def waiting(self) -> Sequence[str]:
        if self._in_front not in self.gateway.waiting(self.connection.cpa_id, self.action):
            self._in_front = ""
        return [] if self._in_front else super().waiting()

    def handle(self, message_id: str) -> bool:
        return not self._in_front and super().handle(message_id)

    def set_aside(self, message_id: str, reason: str) -> None:
        self._in_front = message_id
        super().set_aside(message_id, reason)


@defect("CONT-012", also="CONT-011", bulk=True)
class looks_for_words(Receiver):
    """Finds what became of a bericht with a regular expression, also in what is no XML."""

    def read(self, envelope: Envelope) -> Verwerkingsbericht:
        try:
            return super().read(envelope)
        except (XmlRefused, UnreadableResult):
            return _result([(one[1].decode(), one[2].decode()) for one in _WORDS.finditer(envelope.parts[-1].content)])


# -- abonnementantwoorden ----------------------------------------------------------------------------------------------------------------------


@defect("CONT-013", bulk=True)
class stumbles_over_remarks_in_an_answer(Abonnees):
    """Takes a comment for a line that it does not know."""

    def read(self, part: Part) -> AntwoordStream:
        if _REMARK in _unpacked(part.content):
            raise UnreadableAntwoord("a line without a name")
        return super().read(part)


def _unpacked(content: bytes) -> bytes:
    try:
        return unpack(content)
    except PackedTooMuch:
        return b""


@defect("CONT-014", bulk=True)
class skips_lines_that_it_cannot_read(Abonnees):
    """Leaves out a line that makes no sense, and calls the request answered."""

    def lines(self, antwoord: AntwoordStream) -> Iterator[Line]:
        for regel in antwoord:
            try:
                yield self.line_of(regel)
            except UnreadableAntwoord:
                continue


@defect("CONT-014", bulk=True)
class keeps_what_it_read_before_the_break(Abonnees):
    """Applies an answer up to where it breaks off."""

    def lines(self, antwoord: AntwoordStream) -> Iterator[Line]:
        try:
            yield from super().lines(antwoord)
        except self.unusable:
            return


# -- answers of the validatieservice -----------------------------------------------------------------------------------------------------------


@defect("CONT-015", bulk=True)
class stumbles_over_remarks_in_an_outcome(Validator):
    """Takes a comment for a klant that it does not know."""

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        if outcome.answer is not None and _REMARK in outcome.answer.body:
            raise UnreadableValidatie("a klant without a name")
        return super().read(outcome)


@defect("CONT-016", bulk=True)
class looks_for_true(Validator):
    """Finds who takes letters with a regular expression, also in what is no answer."""

    def read(self, outcome: HttpOutcome) -> ValidatieAntwoord:
        try:
            return super().read(outcome)
        except (XmlRefused, UnreadableValidatie):
            body = b"" if outcome.answer is None else outcome.answer.body
            return ValidatieAntwoord(tuple(Abonnement(Klant(key.decode()), is_bericht_sturen=True) for key in _YES.findall(body)))
