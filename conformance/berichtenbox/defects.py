"""Defective Berichtenboxes, as far as their results show it: each bends a correct verwerkingsbericht so that one requirement of Logius fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from conformance.messages.batch import NS_BERICHT
from conformance.messages.identities import NIL_GUID
from conformance.messages.moments import write_moment
from conformance.messages.verwerkingsbericht import NS_RESULT, Resultaat, Stadium, Verwerkingsbericht, VerwerkingsCode
from conformance.rules.findings import Knowledge
from conformance.rules.grading import grade_result

_BATCH: Final = "7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a001"
_ONE: Final = "7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a011"
_TWO: Final = "7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a012"
_COUNTER: Final = "AantalBerichtenMetTechnischProbleem"
_RECEIVED: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ResultDefect:
    """A Berichtenbox that writes a result wrongly: what it does, which requirement fails, and the document that it writes."""

    name: str
    does: str
    fails: str
    also: frozenset[str]
    document: Callable[[], bytes]

    def failed(self) -> frozenset[str]:
        """Return the requirements that its result fails."""
        return frozenset(finding.requirement for finding in grade_result(self.document(), known())[0].findings)


def known() -> Knowledge:
    """Return what is known of the batch that these results answer."""
    return Knowledge(request=(_BATCH, frozenset({_ONE, _TWO})))


def correct() -> Verwerkingsbericht:
    """Return the result of a Berichtenbox that does it right."""
    results = (Resultaat(_ONE, "BELAST", VerwerkingsCode.VERWERKT), Resultaat(_TWO, "BELAST", VerwerkingsCode.BIJLAGE_TE_GROOT, Stadium.STORE))
    return Verwerkingsbericht.about("00000099000000001000", _BATCH, _RECEIVED, _RECEIVED + timedelta(minutes=1), results)


def _changed(change: Callable[[Verwerkingsbericht], Verwerkingsbericht]) -> Callable[[], bytes]:
    return lambda: change(correct()).to_xml()


def _rewritten(changes: Mapping[str, str]) -> Callable[[], bytes]:
    def document() -> bytes:
        text = correct().to_xml().decode()
        for old, new in changes.items():
            text = text.replace(old, new)
        return text.encode()

    return document


def _result(index: int, **fields: object) -> Callable[[Verwerkingsbericht], Verwerkingsbericht]:
    def change(result: Verwerkingsbericht) -> Verwerkingsbericht:
        items = list(result.resultaten)
        items[index] = replace(items[index], **fields)  # type: ignore[arg-type]  # fields of a Resultaat
        return replace(result, resultaten=tuple(items))

    return change


def _verwerkt(at: datetime) -> Callable[[], bytes]:
    return _changed(lambda result: replace(result, verwerkt=write_moment(at)))


def _defect(name: str, does: str, fails: str, document: Callable[[], bytes], also: str = "") -> ResultDefect:
    return ResultDefect(name, does, fails, frozenset(also.split()), document)


RESULT_DEFECTS: Final = (
    _defect(
        "forgets_a_counter",
        "leaves a counter out",
        "VERW-050",
        _rewritten({f"<{_COUNTER}>1</{_COUNTER}>": ""}),
    ),
    _defect("answers_a_request", "names the root as a request", "VERW-051", _rewritten({"BerichtVerwerkResponse": "Berichten"})),
    _defect(
        "uses_the_namespace_of_the_request",
        "puts Bericht in B",
        "VERW-052",
        _rewritten({NS_RESULT: NS_BERICHT}),
    ),
    _defect("changes_the_batch_id", "answers another BatchID", "VERW-053", _changed(lambda result: replace(result, batch_id=_BATCH.upper()))),
    _defect("invents_a_code", "answers an eleventh code", "VERW-054", _rewritten({">Verwerkt<": ">Gelezen<"})),
    _defect("counts_too_much", "adds up to more than it received", "VERW-055", _changed(lambda result: replace(result, counters=(1, 0, 1, 0, 0, 7)))),
    _defect("counts_success_wrongly", "forgets a success", "VERW-056", _changed(lambda result: replace(result, counters=(0, 0, 1, 0, 0, 0)))),
    _defect("takes_two_days", "processes after 48 hours", "VERW-057", _verwerkt(_RECEIVED + timedelta(days=2))),
    _defect("is_done_before_it_began", "dates processing before receipt", "VERW-058", _verwerkt(_RECEIVED - timedelta(minutes=1))),
    _defect("writes_local_time", "leaves the zone out", "VERW-059", _changed(lambda result: replace(result, verwerkt="2026-03-02T09:01:00"))),
    _defect("lists_a_bericht_twice", "answers one bericht two times", "VERW-060", _changed(_result(1, bericht_id=_ONE))),
    _defect("shortens_the_oin", "loses leading zeros", "VERW-061", _changed(lambda result: replace(result, leverancier_code="99000000001000"))),
    _defect("reports_a_stadium_for_success", "says StoreMessage of what is stored", "VERW-062", _changed(_result(0, stadium=Stadium.STORE))),
    _defect("invents_a_stadium", "says a Stadium that nobody knows", "VERW-063", _changed(_result(1, stadium="Onderweg"))),
    _defect("answers_for_another_batch", "lists a bericht that is not in the batch", "VERW-064", _changed(_result(1, bericht_id=_BATCH))),
)

# What is legal, however strange: a rule that objects to one of these raises a false alarm.
LEGAL_RESULTS: Final = (
    _changed(_result(1, bericht_id=NIL_GUID)),
    _changed(_result(1, stadium=None)),
    _changed(_result(1, stadium=None, is_nil_stadium=True)),
    _changed(lambda result: replace(result, resultaten=(), totaal=0, counters=(0, 0, 0, 0, 0, 0))),
    _verwerkt(_RECEIVED + timedelta(hours=24)),
)
