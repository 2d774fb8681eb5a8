"""Hypothesis strategies for what a Berichtenbox sends an Afnemer, of which is known what becomes of it: it is to be applied, or changes nothing.

Public, as ``conformance.strategies``: for whoever tests what reads verwerkingsberichten, abonnementantwoorden or answers of the validatieservice. The
documents are about made-up ids and citizens; ``about`` writes them about real ones.
"""

import datetime as dt
import gzip
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from conformance.messages.abonnement import UnreadableAntwoord, plain_antwoord, read_antwoord
from conformance.messages.guard import XmlRefused, etree, parse
from conformance.messages.moments import write_moment
from conformance.messages.unpack import PackedTooMuch, unpack
from conformance.messages.validatie import NS_TYPES, Abonnement, Klant, UnreadableValidatie, ValidatieAntwoord
from conformance.messages.validatie import read_antwoord as read_validatie
from conformance.messages.verwerkingsbericht import COUNTERS, UnreadableResult, VerwerkingsCode, read_verwerkingsbericht
from conformance.strategies import DAMAGES, Element, mutated, result_element, texts

_BATCH_ID: Final = "beefbeef-0000-4000-8000-000000000000"
_BERICHT_IDS: Final = tuple(f"beefbeef-0000-4000-8000-{number:012}" for number in (1, 2, 3))
_VERZOEK_ID: Final = "beefbeef-0000-4000-9000-000000000000"
_BSNS: Final = ("000000001", "000000002", "000000003")
TAKERS: Final = 2
"""Of the citizens in an answer so many take letters, and one more does not."""
CITIZENS: Final = len(_BSNS)
_PREFIXES: Final = (("ns2", "ns3"), ("v", "b"), ("resultaat", "x"))
_MOMENTS: Final[tuple[Callable[[dt.datetime], str], ...]] = (
    write_moment,
    lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z",
    lambda at: f"{at + dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%S.%f}+01:00",
    lambda at: f"{at:%Y-%m-%dT%H:%M:%S}",
)
_NUMBERS: Final = ("0", "1", "007", "+1", "-5", " 1 ", "2147483647")
_DAY_S: Final = 86_400
_NUMERIC: Final = {"true": "1", "false": "0"}
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a document is written, as far as it is the same to each reader of XML."""

    start: str = "declared"
    indent: str = ""
    has_remarks: bool = False
    is_cdata: bool = False

    def __str__(self) -> str:
        words = {self.start: self.start != "declared", "indented": self.indent, "with remarks": self.has_remarks, "in CDATA": self.is_cdata}
        return ", ".join(word for word, holds in words.items() if holds) or "plainly"

    def write(self, root: Element) -> bytes:
        """Return the document of ``root``, in UTF-8."""
        copy = deepcopy(root)
        for element in list(copy.iter("*")):
            if len(element) and self.has_remarks:
                element.insert(0, etree.Comment(" een opmerking "))
            elif self.is_cdata and element.text and "]]>" not in element.text:
                element.text = etree.CDATA(element.text)
        if self.indent:
            etree.indent(copy, self.indent)
        return (_STARTS[self.start] + etree.tostring(copy, encoding="unicode")).encode()


_DECLARED: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_STARTS: Final = {"declared": _DECLARED, "undeclared": "", "byte order mark": "\ufeff" + _DECLARED}


def layouts() -> st.SearchStrategy[Layout]:
    """Return a strategy for ways to write a document, the plain one first."""
    return st.builds(Layout, st.sampled_from(tuple(_STARTS)), st.sampled_from(("", "  ", "\t")), st.booleans(), st.booleans())


@dataclass(frozen=True, slots=True)
class Answer:
    """A document about made-up ids and citizens, whether it is to be applied, and how it was made.

    ``codes`` are, for a verwerkingsbericht, the VerwerkingsCodes of its berichten in their order. ``damage`` is what happens to it on its way: one of
    ``DAMAGES``, and where.
    """

    document: bytes = field(repr=False)
    is_right: bool
    how: str
    codes: tuple[VerwerkingsCode, ...] = ()
    is_packed: bool = False
    damage: tuple[str, int] | None = None
    layout: Layout = Layout()  # of the envelope, where there is one

    def __repr__(self) -> str:
        said = f" of {', '.join(self.codes)}" if self.codes else ""
        return f"<{'right' if self.is_right else 'wrong'} answer{said}: {self.how}>"

    def about(self, names: Mapping[str, str]) -> bytes:
        """Return the document with other names in it, packed and damaged as it is to be."""
        return self.sent(self.named(names))

    def named(self, names: Mapping[str, str]) -> bytes:
        """Return only the document with other names in it."""
        document = self.document
        for old, new in names.items():
            for change in (str.lower, str.upper) if _is_guid(old) else (str,):
                written, text = change(old).encode(), escape(change(new)).encode()
                if b"&" in text:  # which says something else in CDATA
                    document = document.replace(b"<![CDATA[" + written + b"]]>", text)
                document = document.replace(written, text)
        return document

    def sent(self, document: bytes) -> bytes:
        """Return what arrives of ``document``: packed and damaged as it is to be."""
        document = gzip.compress(document, mtime=0) if self.is_packed else document
        return document if self.damage is None else DAMAGES[self.damage[0]](document, self.damage[1] % len(document))


def _is_guid(name: str) -> bool:
    return name in (_BATCH_ID, *_BERICHT_IDS)


def _damages() -> st.SearchStrategy[tuple[str, int]]:
    return st.tuples(st.sampled_from(tuple(DAMAGES)), st.integers(0, 60_000))


# -- verwerkingsberichten ----------------------------------------------------------------------------------------------------------------------


def about_batch(batch_id: str, bericht_ids: Sequence[str]) -> Mapping[str, str]:
    """Return the names with which a generated verwerkingsbericht is about the berichten of a batch."""
    return {_BATCH_ID: batch_id, **dict(zip(_BERICHT_IDS, bericht_ids, strict=False))}


def is_result(document: bytes) -> bool:
    """Tell whether a document, packed or not, is a verwerkingsbericht that the schema takes."""
    try:
        read_verwerkingsbericht(parse(unpack(document)))
    except (XmlRefused, PackedTooMuch, UnreadableResult):
        return False
    return True


def right_results(
    oin: str, bericht_type: str, moment: dt.datetime, codes: Sequence[VerwerkingsCode] = tuple(VerwerkingsCode), most: int = len(_BERICHT_IDS)
) -> st.SearchStrategy[Answer]:
    """Return a strategy for verwerkingsberichten of around ``moment`` that the schema takes, about one to ``most`` berichten (3) of a batch.

    Prefixes, counters, moments, Stadium, order, the case of ids and the layout are any that are allowed.
    """
    stadia = st.one_of(st.sampled_from(("NA", None, "nil", "", "StoreMessage", "ValidatieGebruiker")), texts(1, 40))
    outcomes = st.lists(st.tuples(st.sampled_from(codes), stadia), min_size=1, max_size=most)
    counters = st.tuples(*(st.sampled_from(_NUMBERS) for _ in (None, *COUNTERS)))
    took = st.integers(0, _DAY_S).map(lambda seconds: dt.timedelta(seconds=seconds))
    dates = st.builds(lambda first, second, write: (write(moment - first - second), write(moment - second)), took, took, st.sampled_from(_MOMENTS))
    written = st.tuples(st.sampled_from((str.lower, str.upper)), st.booleans(), st.sampled_from(_PREFIXES), layouts(), st.booleans())
    return st.builds(lambda *drawn: _right_result(oin, bericht_type, *drawn), outcomes, counters, dates, written)


def _right_result(
    oin: str,
    bericht_type: str,
    outcomes: list[tuple[VerwerkingsCode, str | None]],
    counters: tuple[str, ...],
    dates: tuple[str, str],
    written: tuple[Callable[[str], str], bool, tuple[str, str], Layout, bool],
) -> Answer:
    change, is_turned, prefixes, layout, is_packed = written
    names = ("TotaalAantalOntvangenBerichten", *COUNTERS)
    head = (("BerichtLeverancierCode", oin), ("BatchID", change(_BATCH_ID)), *zip(names, counters, strict=True))
    berichten = [
        ((("BerichtID", change(bericht_id)), ("BerichtType", bericht_type), ("VerwerkingsCode", code.value)), stadium)
        for bericht_id, (code, stadium) in zip(_BERICHT_IDS, outcomes, strict=False)
    ]
    kop = (*head, ("DatumOntvangen", dates[0]), ("DatumVerwerkt", dates[1]))
    root = result_element(kop, berichten[::-1] if is_turned else berichten, prefixes)
    how = ", ".join(filter(None, (str(layout), "packed" if is_packed else "", "ids in capitals" if change is str.upper else "")))
    return Answer(layout.write(root), is_right=True, how=how, codes=tuple(code for code, _ in outcomes), is_packed=is_packed)


def _stored(oin: str, bericht_type: str, moment: dt.datetime) -> st.SearchStrategy[Answer]:
    return right_results(oin, bericht_type, moment, (VerwerkingsCode.VERWERKT,), 1)


def nearly_right_results(oin: str, bericht_type: str, moment: dt.datetime) -> st.SearchStrategy[Answer]:
    """Return a strategy for XML that says of one bericht that it is Verwerkt, and that the schema of a verwerkingsbericht does not take."""
    documents = mutated(_stored(oin, bericht_type, moment).map(lambda answer: answer.document))
    return _wrong(documents.filter(lambda document: not is_result(document)), "changed")


def damaged_results(oin: str, bericht_type: str, moment: dt.datetime) -> st.SearchStrategy[Answer]:
    """Return a strategy for verwerkingsberichten, packed or not, that say of one bericht that it is Verwerkt, and were damaged on their way."""
    found = st.builds(_damaged, _stored(oin, bericht_type, moment), _damages())
    return found.filter(lambda answer: not is_result(answer.about({})))


def _wrong(documents: st.SearchStrategy[bytes], how: str) -> st.SearchStrategy[Answer]:
    return documents.map(lambda document: Answer(document, is_right=False, how=how))


def _damaged(answer: Answer, damage: tuple[str, int]) -> Answer:
    how = f"{damage[0]}, {'packed' if answer.is_packed else 'not packed'}"
    return Answer(answer.document, is_right=False, how=how, is_packed=answer.is_packed, damage=damage)


# -- abonnementantwoorden ----------------------------------------------------------------------------------------------------------------------


def about_request(verzoek_id: str, bsns: Sequence[str]) -> Mapping[str, str]:
    """Return the names with which a generated abonnementantwoord is the one to a request about three citizens, the last of whom takes no letters."""
    return {_VERZOEK_ID: verzoek_id, **dict(zip(_BSNS, bsns, strict=True))}


def is_antwoord(document: bytes, verzoek_id: str = _VERZOEK_ID) -> bool:
    """Tell whether a document, packed or not, can be read as the abonnementantwoord to a request."""
    try:
        antwoord = read_antwoord([document])
        for regel in antwoord:
            _ = regel.number, regel.is_actief
    except (XmlRefused, PackedTooMuch, UnreadableAntwoord):
        return False
    return antwoord.verzoek_id.strip().lower() == verzoek_id.lower()


def right_antwoorden(oin: str) -> st.SearchStrategy[Answer]:
    """Return a strategy for abonnementantwoorden that satisfy our sketch of the schema, about three citizens who were asked about.

    Order, layout, the number of lines about one citizen, and whether who takes no letters is absent or Inactief, are any that are allowed.
    """
    taking, number = [(int(bsn), True) for bsn in _BSNS[:TAKERS]], int(_BSNS[TAKERS])
    extra = st.lists(st.sampled_from((*taking, (number, False))), max_size=2)
    rows = extra.flatmap(lambda more: st.permutations([*taking, *more]))
    return st.builds(lambda lines, layout, is_packed: _antwoord(oin, lines, layout, is_packed=is_packed), rows, layouts(), st.booleans())


def _antwoord(oin: str, rows: Sequence[tuple[int, bool]], layout: Layout, *, is_packed: bool) -> Answer:
    document = layout.write(parse(plain_antwoord(oin, _VERZOEK_ID, rows)))
    return Answer(document, is_right=True, how=f"{layout}, {'packed' if is_packed else 'not packed'}", is_packed=is_packed)


def wrong_antwoorden(oin: str) -> st.SearchStrategy[Answer]:
    """Return a strategy for what nobody can read as the answer to the request, though it says the reverse of it: changed, or damaged on its way."""
    reverse = Layout().write(parse(plain_antwoord(oin, _VERZOEK_ID, [(int(_BSNS[TAKERS]), True)])))
    changed = mutated(st.just(reverse)).filter(lambda document: not is_antwoord(document))
    answers = st.booleans().map(lambda is_packed: Answer(reverse, is_right=True, how="", is_packed=is_packed))
    broken = st.builds(_damaged, answers, _damages()).filter(lambda answer: not is_antwoord(answer.about({})))
    return st.one_of(broken, _wrong(changed, "changed"))


# -- answers of the validatieservice -----------------------------------------------------------------------------------------------------------


def about_citizens(bsns: Sequence[str]) -> Mapping[str, str]:
    """Return the names with which a generated answer of the validatieservice is about three citizens, the last of whom takes no letters."""
    return dict(zip(_BSNS, bsns, strict=True))


def in_body(answer: Answer, bsns: Sequence[str], envelope: bytes) -> bytes:
    """Return an answer about three citizens in an envelope: what its Header relates to stays."""
    root = parse(envelope)
    root[-1].replace(root[-1][0], parse(answer.named(about_citizens(bsns))))
    return answer.sent(answer.layout.write(root))


def is_validatie(envelope: bytes) -> bool:
    """Tell whether an envelope holds an answer of the validatieservice that its schema takes."""
    try:
        return _is_content(parse(envelope)[-1][0])
    except (XmlRefused, IndexError):
        return False


def _is_content(element: Element) -> bool:
    try:
        read_validatie(element)
    except UnreadableValidatie:
        return False
    return True


def right_validaties() -> st.SearchStrategy[Answer]:
    """Return a strategy for answers of the validatieservice, without envelope, that its schema takes, about three citizens.

    Order, spelling of true and false, nil entries and layout are any that are allowed.
    """
    items = st.permutations([Abonnement(Klant(bsn), place < TAKERS) for place, bsn in enumerate(_BSNS)])
    return st.builds(_validatie, items, st.booleans(), st.sampled_from((None, 0, 3)), layouts())


def _validatie(items: Sequence[Abonnement], is_numeric: bool, nil: int | None, layout: Layout) -> Answer:  # noqa: FBT001  # drawn
    root = ValidatieAntwoord(tuple(items)).to_element()
    if is_numeric:
        for element in root.iter("{*}isBerichtSturen"):
            element.text = _NUMERIC[element.text or ""]
    if nil is not None:
        root[0].insert(nil, etree.Element(f"{{{NS_TYPES}}}Abonnement", {_NIL: "true"}))
    how = ", ".join(filter(None, (str(layout), "1 and 0" if is_numeric else "", "" if nil is None else "with a nil Abonnement")))
    return Answer(Layout().write(root), is_right=True, how=how, layout=layout)


def wrong_validaties() -> st.SearchStrategy[Answer]:
    """Return a strategy for answers that say that all of three citizens take letters, and that the schema does not take: changed, or damaged."""
    yes = Layout().write(ValidatieAntwoord(tuple(Abonnement(Klant(bsn), is_bericht_sturen=True) for bsn in _BSNS)).to_element())
    changed = mutated(st.just(yes)).filter(lambda document: not _is_content(parse(document)))
    broken = _damages().map(lambda damage: _damaged(Answer(yes, is_right=True, how=""), damage))
    return st.one_of(broken, _wrong(changed, "changed"))
