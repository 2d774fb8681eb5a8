"""GLOBE-R-BV-Request: a batch of berichten, as it stands on the wire.

Values are the texts of the document; a required element that is missing reads as an empty text (the schema reports it), an optional one as ``None``.
Elements are found by local name, so that a document in a wrong namespace can still be explained.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from conformance.messages.guard import etree, local_name

NS_BATCH: Final = "http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01"
NS_BERICHT: Final = "http://schemas.rdw.nl/GEB/BerichtenProsessor/Bericht/Types/2009/01"
SCHEMA: Final = "berichten.xsd"
_NO_BLANKS: Final = {ord(blank): None for blank in " \t\r\n"}
_V = f"{{{NS_BATCH}}}"
_B = f"{{{NS_BERICHT}}}"
_FIELDS: Final = (
    "BatchID",
    "BerichtID",
    "BerichtType",
    "PublicatieDatum",
    "EindDatumHandelingsTermijn",
    "Onderwerp",
    "BerichtTekst",
    "Referentie",
    "GebruikerID",
    "SoortGebruiker",
)
_FIELD_OF_TAG: Final = {_B + name: name for name in _FIELDS}


class UnwritableText(ValueError):  # noqa: N818  # names the thing that is wrong
    """A text that holds characters outside XML 1.0, such as U+000B: it must be refused before a batch is built."""


class InvalidBase64(ValueError):  # noqa: N818  # idem
    """An Inhoud that is not base64 (libxml2 lets some of it through, such as ``@@@@``)."""


@dataclass(frozen=True, slots=True)
class Bijlage:
    """One attachment: ``inhoud`` is base64 as on the wire."""

    inhoud: str = field(repr=False)
    omschrijving: str
    volgorde: str
    bijlage_type: str = "Pdf"

    @classmethod
    def from_octets(cls, octets: bytes, omschrijving: str, volgorde: int) -> "Bijlage":
        """Build an attachment from the bytes of a PDF."""
        return cls(base64.b64encode(octets).decode("ascii"), omschrijving, str(volgorde))

    def octets(self) -> bytes:
        """Return the bytes of the attachment; raises :class:`InvalidBase64`."""
        inhoud = self._on_one_line()
        if len(inhoud) % 4:  # Python lets padding that is not needed through
            raise InvalidBase64("Inhoud is not base64")
        try:
            return base64.b64decode(inhoud, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidBase64("Inhoud is not base64") from None

    def _on_one_line(self) -> str:
        return self.inhoud.translate(_NO_BLANKS)

    def identity(self) -> tuple[str, str, str]:
        """Return what makes this the same attachment; line breaks within the base64 do not count."""
        return self._on_one_line(), self.omschrijving, self.volgorde


@dataclass(frozen=True, slots=True)
class Bericht:
    """One letter to one citizen."""

    batch_id: str
    bericht_id: str
    bericht_type: str
    onderwerp: str
    gebruiker_id: str
    bericht_tekst: str | None = None
    publicatie_datum: str | None = None
    eind_datum_handelings_termijn: str | None = None
    referentie: str | None = None
    soort_gebruiker: str = "Burger"
    bijlagen: tuple[Bijlage, ...] = ()

    def __repr__(self) -> str:
        return f"<Bericht {self.bericht_id}: {self.bericht_type}, {len(self.bijlagen)} bijlagen>"

    def digest(self) -> str:
        """Return a digest of all that makes this the same letter; BatchID and spelling of the ids do not count."""
        fields = (
            self.bericht_type,
            self.onderwerp,
            self.gebruiker_id,
            self.bericht_tekst,
            self.publicatie_datum,
            self.eind_datum_handelings_termijn,
            self.referentie,
        )
        bijlagen = tuple(part.identity() for part in self.bijlagen)
        return hashlib.sha256(repr((fields, bijlagen)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one GLOBE-R-BV-Request holds."""

    batch_id: str
    aanmaak_datum: str
    bericht_leverancier_id: str
    berichten: tuple[Bericht, ...]

    def __repr__(self) -> str:
        return f"<Batch {self.batch_id}: {len(self.berichten)} berichten>"

    def to_xml(self) -> bytes:
        """Return the document, UTF-8 with declaration; raises :class:`UnwritableText` for characters outside XML 1.0."""
        try:
            return etree.tostring(_batch_element(self), xml_declaration=True, encoding="UTF-8")
        except ValueError:
            raise UnwritableText("a text holds a character that XML 1.0 cannot carry, such as U+000B; refuse or remove it before sending") from None


def read_batch(root: etree._Element, *, clears: bool = False) -> Batch:
    """Return the batch that a parsed document holds, whatever is wrong with it.

    With ``clears`` the document is emptied on the way: one of 100 MB must not stand in memory beside the texts that came out of it.
    """
    texts = _texts(_child(root, "BatchInformatie"))
    return Batch(
        batch_id=texts.get("BatchID", ""),
        aanmaak_datum=texts.get("AanmaakDatum", ""),
        bericht_leverancier_id=texts.get("BerichtLeverancierID", ""),
        berichten=tuple([_read_bericht(child, clears=clears) for child in root if local_name(child) == "Bericht"]),
    )


def read_bericht(root: etree._Element, position: int) -> Bericht:
    """Return one bericht of a parsed document, from 0, without reading the others; raises :class:`IndexError`."""
    found = next(islice(root.iterchildren("{*}Bericht"), position, None), None)
    if found is None:
        raise IndexError(f"the batch has no bericht {position}")
    return _read_bericht(found, clears=False)


def _read_bericht(element: etree._Element, *, clears: bool) -> Bericht:
    children = {local_name(child): child for child in reversed(element)}  # of several the first counts
    info, bijlagen = children.get("BerichtInformatie"), children.get("Bijlagen")
    texts = {_FIELD_OF_TAG.get(child.tag) or local_name(child): child.text or "" for child in info} if info is not None else {}
    read = tuple(_read_bijlage(child) for child in bijlagen if local_name(child) == "Bijlage") if bijlagen is not None else ()
    if clears and bijlagen is not None:
        bijlagen.clear()
    return Bericht(
        batch_id=texts.get("BatchID", ""),
        bericht_id=texts.get("BerichtID", ""),
        bericht_type=texts.get("BerichtType", ""),
        onderwerp=texts.get("Onderwerp", ""),
        gebruiker_id=texts.get("GebruikerID", ""),
        bericht_tekst=texts.get("BerichtTekst"),
        publicatie_datum=texts.get("PublicatieDatum"),
        eind_datum_handelings_termijn=texts.get("EindDatumHandelingsTermijn"),
        referentie=texts.get("Referentie"),
        soort_gebruiker=texts.get("SoortGebruiker", ""),
        bijlagen=read,
    )


def _read_bijlage(element: etree._Element) -> Bijlage:
    texts = _texts(element)
    return Bijlage(
        inhoud=texts.get("Inhoud", ""),
        omschrijving=texts.get("Omschrijving", ""),
        volgorde=texts.get("Volgorde", ""),
        bijlage_type=texts.get("BijlageType", ""),
    )


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in parent if local_name(child) == name), None)


def _texts(parent: etree._Element | None) -> dict[str, str]:
    """Return the texts below an element by name; of several with one name the first counts."""
    return {} if parent is None else {local_name(child): child.text or "" for child in reversed(parent)}


def _batch_element(batch: Batch) -> etree._Element:
    root = etree.Element(f"{_V}Berichten", nsmap={"v": NS_BATCH, "b": NS_BERICHT})
    info = etree.SubElement(root, f"{_V}BatchInformatie")
    for name, text in (
        ("BatchID", batch.batch_id),
        ("AanmaakDatum", batch.aanmaak_datum),
        ("BerichtLeverancierID", batch.bericht_leverancier_id),
    ):
        etree.SubElement(info, _V + name).text = text
    for bericht in batch.berichten:
        _add_bericht(root, bericht)
    return root


def _add_bericht(root: etree._Element, bericht: Bericht) -> None:
    element = etree.SubElement(root, f"{_B}Bericht")
    info = etree.SubElement(element, f"{_B}BerichtInformatie")
    texts = (
        bericht.batch_id,
        bericht.bericht_id,
        bericht.bericht_type,
        bericht.publicatie_datum,
        bericht.eind_datum_handelings_termijn,
        bericht.onderwerp,
        bericht.bericht_tekst,
        bericht.referentie,
        bericht.gebruiker_id,
        bericht.soort_gebruiker,
    )
    for name, text in zip(_FIELDS, texts, strict=True):
        if text is not None:
            etree.SubElement(info, _B + name).text = text
    if bericht.bijlagen:
        bijlagen = etree.SubElement(element, f"{_B}Bijlagen")
        for bijlage in bericht.bijlagen:
            _add_bijlage(bijlagen, bijlage)


def _add_bijlage(bijlagen: etree._Element, bijlage: Bijlage) -> None:
    element = etree.SubElement(bijlagen, f"{_B}Bijlage")
    fields = (
        ("Inhoud", bijlage.inhoud),
        ("BijlageType", bijlage.bijlage_type),
        ("Omschrijving", bijlage.omschrijving),
        ("Volgorde", bijlage.volgorde),
    )
    for name, text in fields:
        etree.SubElement(element, _B + name).text = text
