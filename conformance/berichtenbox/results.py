"""From what was decided to what is offered: a verwerkingsbericht, bent by the faults that strike.

A draft is a result on its way out; each fault takes the drafts and returns others.
"""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from conformance.berichtenbox.faults import Fault
from conformance.messages.envelope import Action, Part
from conformance.messages.identities import NIL_GUID
from conformance.messages.verwerkingsbericht import UNREADABLE_TYPE, Resultaat, Stadium, Verwerkingsbericht, VerwerkingsCode

_UNKNOWN_GUID: Final = "deadbeef-0000-4000-8000-0000000000%02d"
_BOMB_BYTES: Final = 64_000_000
_PADDING: Final = b"<!--" + b" " * 1_000_000 + b"-->"


@dataclass(frozen=True, slots=True)
class Draft:
    """A result on its way out: the document, or the ``payload`` that stands for it, and how it is offered."""

    result: Verwerkingsbericht
    payload: bytes | None = None
    content_type: str = "text/xml"
    before: tuple[Part, ...] = ()
    action: str = Action.BV_RESULT
    reference: str | None = None
    delay: timedelta = timedelta()
    again_same_id: int = 0
    again_new_id: int = 0
    again_after: timedelta = timedelta()

    def parts(self) -> tuple[Part, ...]:
        """Return the payload parts."""
        payload = self.result.to_xml() if self.payload is None else self.payload
        return (*self.before, Part(payload, self.content_type, "verwerkingsbericht.xml", f"{self.result.batch_id}-result"))


def drafts_of(result: Verwerkingsbericht, faults: Sequence[Fault]) -> list[Draft]:
    """Return what is offered for ``result`` under ``faults``: usually the one result, as it is."""
    drafts = [Draft(result)]
    for fault in faults:
        bend = _BENDS.get(fault.name)
        if bend is not None:
            drafts = bend(drafts, fault)
    return drafts


def forced_codes(results: Sequence[Resultaat], faults: Sequence[Fault]) -> tuple[Resultaat, ...]:
    """Return the results with the codes that faults force upon them; a forced refusal is not stored."""
    forced = list(results)
    for fault in faults:
        if fault.name == "code":
            code, chosen = VerwerkingsCode(fault.parameters["code"]), fault.parameters["berichten"]
            for index in range(len(forced)) if chosen is None else [index for index in chosen if index < len(forced)]:
                forced[index] = with_code(forced[index], code)
        elif fault.name == "refusal-lists-all":
            forced = [replace(item, code=VerwerkingsCode.XML_VALIDATIE, stadium=Stadium.BERICHT_TYPE) for item in forced]
        elif fault.name == "nil-bericht-id":
            forced = [Resultaat(NIL_GUID, UNREADABLE_TYPE, VerwerkingsCode(fault.parameters["code"]), Stadium.BERICHT_TYPE)]
    return tuple(forced)


def with_code(result: Resultaat, code: VerwerkingsCode) -> Resultaat:
    """Return a result with another code, and the Stadium that goes with it."""
    return replace(result, code=code, stadium=_STADIUM_OF.get(code, Stadium.NA))


_STADIUM_OF: Final = {
    VerwerkingsCode.TECHNISCH_PROBLEEM: Stadium.STORE,
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD: Stadium.GEBRUIKER,
    VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND: Stadium.BERICHT_TYPE,
    VerwerkingsCode.PUBLICATIE_DATUM: Stadium.BERICHT_TYPE,
    VerwerkingsCode.AANMAAK_DATUM: Stadium.BERICHT_TYPE,
    VerwerkingsCode.BERICHT_BESTAAT_AL: Stadium.STORE,
    VerwerkingsCode.BIJLAGE_TE_GROOT: Stadium.STORE,
    VerwerkingsCode.OIN_IN_CPA: Stadium.BERICHT_TYPE,
    VerwerkingsCode.XML_VALIDATIE: Stadium.BERICHT_TYPE,
}


def _each(change: Callable[[Draft, Fault], Draft]) -> Callable[[list[Draft], Fault], list[Draft]]:
    return lambda drafts, fault: [change(draft, fault) for draft in drafts]


def _each_resultaat(change: Callable[[Resultaat, Fault], Resultaat]) -> Callable[[list[Draft], Fault], list[Draft]]:
    def bend(draft: Draft, fault: Fault) -> Draft:
        changed = tuple(change(item, fault) for item in draft.result.resultaten)
        return replace(draft, result=replace(draft.result, resultaten=changed))

    return _each(bend)


def _in_front(make: Callable[[Draft, Fault], Draft]) -> Callable[[list[Draft], Fault], list[Draft]]:
    return lambda drafts, fault: [*(make(draft, fault) for draft in drafts[:1]), *drafts]


def _split(drafts: list[Draft], fault: Fault) -> list[Draft]:
    parts = max(1, int(fault.parameters["parts"]))
    return [
        replace(draft, result=replace(draft.result, resultaten=draft.result.resultaten[number::parts]))
        for draft in drafts
        for number in range(parts)
        if draft.result.resultaten[number::parts]
    ]


def _reordered(draft: Draft, fault: Fault) -> Draft:
    return replace(draft, delay=timedelta(minutes=(fault.times or fault.fired) - fault.fired + 1))


def _other_case(text: str) -> str:
    return text.upper() if text == text.lower() else text.lower()


def _case_changed(draft: Draft, _fault: Fault) -> Draft:
    changed = tuple(replace(item, bericht_id=_other_case(item.bericht_id)) for item in draft.result.resultaten)
    return replace(draft, result=replace(draft.result, batch_id=_other_case(draft.result.batch_id), resultaten=changed))


def _counters_wrong(draft: Draft, _fault: Fault) -> Draft:
    """Let the counters say the reverse of the berichten: all stored when one was refused, none when all were."""
    result, every = draft.result, len(draft.result.resultaten)
    has_refusal = any(item.code is not VerwerkingsCode.VERWERKT for item in result.resultaten)
    return replace(draft, result=replace(result, counters=(every, 0, 0, 0, 0, 0) if has_refusal else (0, 0, every, 0, 0, 0)))


def _with_unknown_bericht(draft: Draft, _fault: Fault) -> Draft:
    extra = Resultaat(_UNKNOWN_GUID % 1, "BELAST", VerwerkingsCode.VERWERKT)
    return replace(draft, result=replace(draft.result, resultaten=(extra, *draft.result.resultaten)))


def _of_unknown_batch(draft: Draft, _fault: Fault) -> Draft:
    extra = Resultaat(_UNKNOWN_GUID % 2, "BELAST", VerwerkingsCode.VERWERKT)
    return Draft(replace(draft.result, batch_id=_UNKNOWN_GUID % 3, resultaten=(extra,), totaal=1, counters=(1, 0, 0, 0, 0, 0)))


def _unreadable(draft: Draft, _fault: Fault) -> Draft:
    return Draft(draft.result, payload=draft.result.to_xml()[:200])


def _foreign(draft: Draft, _fault: Fault) -> Draft:
    return Draft(draft.result, payload=b"<Bericht xmlns='urn:voorbeeld:iets-anders'>van een andere dienst</Bericht>", action="ANDERE-DIENST-Result")


def _with_part_in_front(draft: Draft, _fault: Fault) -> Draft:
    return replace(draft, before=(Part(b"Toelichting voor mensen, geen verwerkingsbericht.", "text/plain", "toelichting.txt", "toelichting"),))


def _without_berichten(draft: Draft, _fault: Fault) -> Draft:
    return Draft(replace(draft.result, resultaten=(), totaal=0, counters=(0, 0, 0, 0, 0, 0)))


def _other_prefixes(draft: Draft, _fault: Fault) -> Draft:
    text = draft.result.to_xml().decode()
    for old, new in (("ns2:", "resp:"), ("xmlns:ns2", "xmlns:resp"), ("ns3:", "b:"), ("xmlns:ns3", "xmlns:b")):
        text = text.replace(old, new)
    return replace(draft, payload=text.encode())


def _with_doctype(draft: Draft, fault: Fault) -> Draft:
    """Return a verwerkingsbericht that tries to make its reader fetch something: BerichtType holds the entity."""
    url = str(fault.parameters["url"]) or "http://127.0.0.1:9/niets"
    text = draft.result.to_xml().decode()
    head, _, body = text.partition("?>")
    entity = f'<!DOCTYPE x [<!ENTITY ext SYSTEM "{url}"><!ENTITY code "Verwerkt">]>'
    body = body.replace("<BerichtType>", "<BerichtType>&ext;", 1)
    return Draft(draft.result, payload=f"{head}?>{entity}{body}".encode())


def _bomb(draft: Draft, _fault: Fault) -> Draft:
    text = draft.result.to_xml()
    padding = _PADDING * (_BOMB_BYTES // len(_PADDING))
    return replace(draft, payload=gzip.compress(text + padding, mtime=0), content_type="application/gzip")


def _gzipped(draft: Draft, _fault: Fault) -> Draft:
    payload = draft.result.to_xml() if draft.payload is None else draft.payload
    return replace(draft, payload=gzip.compress(payload, mtime=0), content_type="application/gzip")


_BENDS: Final[dict[str, Callable[[list[Draft], Fault], list[Draft]]]] = {
    "no-result": lambda _drafts, _fault: [],
    "late": _each(lambda draft, fault: replace(draft, delay=timedelta(days=float(fault.parameters["days"])))),
    "reoffer-same-id": _each(lambda draft, fault: replace(draft, again_same_id=int(fault.parameters["again"]))),
    "reoffer-new-id": _each(
        lambda draft, fault: replace(draft, again_new_id=int(fault.parameters["again"]), again_after=timedelta(days=float(fault.parameters["days"])))
    ),
    "reorder": _each(_reordered),
    "split": _split,
    "gzip": _each(_gzipped),
    "stadium-absent": _each_resultaat(lambda item, _fault: replace(item, stadium=None, is_nil_stadium=False)),
    "stadium-nil": _each_resultaat(lambda item, _fault: replace(item, stadium=None, is_nil_stadium=True)),
    "stadium-unknown": _each_resultaat(lambda item, fault: replace(item, stadium=str(fault.parameters["stadium"]), is_nil_stadium=False)),
    "unknown-bericht-id": _each(_with_unknown_bericht),
    "unknown-batch-id": _in_front(_of_unknown_batch),
    "unreadable-before": _in_front(_unreadable),
    "foreign-message-before": _in_front(_foreign),
    "several-parts": _each(_with_part_in_front),
    "case-changed": _each(_case_changed),
    "counters-wrong": _each(_counters_wrong),
    "foreign-reference": _each(lambda draft, _fault: replace(draft, reference="vreemd-bericht@elders.example")),
    "other-prefixes": _each(_other_prefixes),
    "empty": _in_front(_without_berichten),
    "doctype": _in_front(_with_doctype),
    "gzip-bomb": _each(_bomb),
}
