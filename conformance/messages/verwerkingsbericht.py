"""GLOBE-R-BV-Result: the verwerkingsbericht, in which Logius tells what became of each bericht.

Only the root and each Bericht are qualified; their children have no namespace, and Stadium may be absent or nil.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from conformance.messages.batch import NS_BATCH
from conformance.messages.guard import etree, local_name, schema_errors
from conformance.messages.moments import read_moment, write_moment

NS_RESULT: Final = "http://schemas.rdw.nl/GEB/BerichtVerwerkService/BerichtResultaat/Types/2009/01"
SCHEMA: Final = "verwerkingsbericht.xsd"
_ROOT: Final = f"{{{NS_BATCH}}}BerichtVerwerkResponse"
UNREADABLE_TYPE: Final = "Onbekend"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSI_NIL = f"{{{_XSI}}}nil"
_NIL_STADIUM: Final = f'<Stadium xmlns:xsi="{_XSI}" xsi:nil="true"/>'
_PLAIN: Final = re.compile(r"[0-9A-Za-z-]*")


class VerwerkingsCode(StrEnum):
    """The ten codes of the XSD."""

    VERWERKT = "Verwerkt"
    TECHNISCH_PROBLEEM = "TechnischProbleem"
    NIET_ACTIEF_OF_GEABONNEERD = "NietActiefOfGeabonneerd"
    BERICHT_TYPE_NIET_ONDERSTEUND = "BerichtTypeNietOndersteund"
    PUBLICATIE_DATUM = "PublicatieDatumLigtTeVerInDeToekomst"
    AANMAAK_DATUM = "AanmaakDatumLigtTeVerInHetVerleden"
    BERICHT_BESTAAT_AL = "BerichtBestaatAl"
    BIJLAGE_TE_GROOT = "BijlageTeGroot"
    OIN_IN_CPA = "OinInCPAKomtNietOvereenMetOinInBericht"
    XML_VALIDATIE = "XmlValidatieTegenXsdValtNegatiefUit"


class Stadium(StrEnum):
    """The values of Stadium that are known; the type is a free text."""

    NA = "NA"
    BERICHT_TYPE = "ValidatieBerichtType"
    GEBRUIKER = "ValidatieGebruiker"
    STORE = "StoreMessage"


# Four codes have no counter of their own; that they count as a technical problem is our reading, until Logius answers.
_COUNTER_OF: Final = {
    VerwerkingsCode.VERWERKT: "AantalBerichtenSuccesvolVerwerkt",
    VerwerkingsCode.NIET_ACTIEF_OF_GEABONNEERD: "AantalBerichtenGeenActieveBoxOfGeabonneertOpLeverancier",
    VerwerkingsCode.BERICHT_TYPE_NIET_ONDERSTEUND: "AantalBerichtenBerichtTypeNietCorrect",
    VerwerkingsCode.PUBLICATIE_DATUM: "AantalBerichtenPublicatieDatumNietCorrect",
    VerwerkingsCode.AANMAAK_DATUM: "AantalBerichtenAanmaakDatumNietCorrect",
}
_OTHER_COUNTER: Final = "AantalBerichtenMetTechnischProbleem"
COUNTERS: Final = (
    "AantalBerichtenSuccesvolVerwerkt",
    "AantalBerichtenGeenActieveBoxOfGeabonneertOpLeverancier",
    _OTHER_COUNTER,
    "AantalBerichtenBerichtTypeNietCorrect",
    "AantalBerichtenPublicatieDatumNietCorrect",
    "AantalBerichtenAanmaakDatumNietCorrect",
)


class UnreadableResult(ValueError):  # noqa: N818  # names the thing that is wrong
    """A document that is no valid verwerkingsbericht: the text says at which element, without quoting values."""


@dataclass(frozen=True, slots=True)
class Resultaat:
    """What became of one bericht; ``stadium`` is ``None`` when the element is absent or nil."""

    bericht_id: str
    bericht_type: str
    code: VerwerkingsCode
    stadium: str | None = Stadium.NA
    is_nil_stadium: bool = False


@dataclass(frozen=True, slots=True)
class Verwerkingsbericht:
    """One result: the batch that it answers, its counters by element name, and the berichten in it."""

    leverancier_code: str
    batch_id: str
    totaal: int
    counters: tuple[int, ...]
    ontvangen: str
    verwerkt: str
    resultaten: tuple[Resultaat, ...]

    def __repr__(self) -> str:
        return f"<Verwerkingsbericht on {self.batch_id}: {len(self.resultaten)} of {self.totaal} berichten>"

    @classmethod
    def about(
        cls, leverancier_code: str, batch_id: str, received: datetime, processed: datetime, results: Sequence[Resultaat]
    ) -> "Verwerkingsbericht":
        """Build the result of a batch from what became of its berichten, with the counters that follow from them."""
        counted = Counter(_COUNTER_OF.get(result.code, _OTHER_COUNTER) for result in results)
        return cls(
            leverancier_code=leverancier_code,
            batch_id=batch_id,
            totaal=len(results),
            counters=tuple(counted[name] for name in COUNTERS),
            ontvangen=write_moment(received),
            verwerkt=write_moment(processed),
            resultaten=tuple(results),
        )

    def counter(self, name: str) -> int:
        """Return one of the six counters by its element name."""
        return self.counters[COUNTERS.index(name)]

    def to_xml(self) -> bytes:
        """Return the document with the prefixes that were seen live: ns2 and ns3, and nothing on the rest."""
        root = etree.Element(_ROOT, nsmap={"ns2": NS_BATCH, "ns3": NS_RESULT})
        info = etree.SubElement(root, "BatchInformatie")
        head = (
            ("BerichtLeverancierCode", self.leverancier_code),
            ("BatchID", self.batch_id),
            ("TotaalAantalOntvangenBerichten", str(self.totaal)),
        )
        counters = tuple((name, str(value)) for name, value in zip(COUNTERS, self.counters, strict=True))
        for name, text in (*head, *counters, ("DatumOntvangen", self.ontvangen), ("DatumVerwerkt", self.verwerkt)):
            etree.SubElement(info, name).text = text
        etree.SubElement(root, "Berichten")
        document = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        if not self.resultaten:
            return document
        return document.replace(b"<Berichten/>", f"<Berichten>{''.join(map(_result_text, self.resultaten))}</Berichten>".encode())


def _result_text(result: Resultaat) -> str:
    """Return a Bericht as text: there may be a thousand, and as elements they take longer than deciding on them."""
    bericht_id, bericht_type, code = _content(result.bericht_id), _content(result.bericht_type), result.code.value
    texts = f"<BerichtID>{bericht_id}</BerichtID><BerichtType>{bericht_type}</BerichtType><VerwerkingsCode>{code}</VerwerkingsCode>"
    return f"<ns3:Bericht>{texts}{_stadium_text(result)}</ns3:Bericht>"


def _stadium_text(result: Resultaat) -> str:
    if result.is_nil_stadium:
        return _NIL_STADIUM
    return "" if result.stadium is None else f"<Stadium>{_content(result.stadium)}</Stadium>"


def _content(text: str) -> str:
    """Return a text as it stands in an element; the library knows how to write what is not plain, and refuses what XML cannot carry."""
    if _PLAIN.fullmatch(text):
        return text
    element = etree.Element("x")
    element.text = text
    return etree.tostring(element, encoding="unicode").removeprefix("<x>").removesuffix("</x>")


def read_verwerkingsbericht(root: etree._Element) -> Verwerkingsbericht:
    """Return the result that a parsed document holds; raises :class:`UnreadableResult` when it is another one, or not valid against the schema."""
    if root.tag != _ROOT:  # a single Bericht is valid too: a schema takes each of its elements as a document
        raise UnreadableResult(
            f"no valid verwerkingsbericht: the root is {local_name(root)}, expected BerichtVerwerkResponse in namespace {NS_BATCH}"
        )
    errors = schema_errors(root, SCHEMA, most=1)
    if errors:
        raise UnreadableResult(f"no valid verwerkingsbericht, at {errors[0].path} (line {errors[0].line}): {errors[0].text}")
    info, berichten = root[0], root[1]
    texts = {local_name(child): child.text or "" for child in info}
    return Verwerkingsbericht(
        leverancier_code=texts["BerichtLeverancierCode"],
        batch_id=texts["BatchID"],
        totaal=int(texts["TotaalAantalOntvangenBerichten"]),
        counters=tuple(int(texts[name]) for name in COUNTERS),
        ontvangen=texts["DatumOntvangen"],
        verwerkt=texts["DatumVerwerkt"],
        resultaten=tuple(_read_result(child) for child in berichten),
    )


def _read_result(element: etree._Element) -> Resultaat:
    texts = {local_name(child): child.text for child in element}
    stadium = next((child for child in element if local_name(child) == "Stadium"), None)
    is_nil = stadium is not None and stadium.get(_XSI_NIL, "").strip() in ("true", "1")
    return Resultaat(
        bericht_id=texts["BerichtID"] or "",
        bericht_type=texts["BerichtType"] or "",
        code=VerwerkingsCode(texts["VerwerkingsCode"] or ""),
        stadium=None if stadium is None or is_nil else (stadium.text or ""),
        is_nil_stadium=is_nil,
    )


def processing_time_s(result: Verwerkingsbericht) -> float | None:
    """Return the seconds between DatumOntvangen and DatumVerwerkt, or ``None`` when one cannot be placed in time."""
    received, processed = read_moment(result.ontvangen), read_moment(result.verwerkt)
    return None if received is None or processed is None else (processed.at - received.at).total_seconds()
