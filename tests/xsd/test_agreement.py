"""Our schemas say the same as the ones of Logius, on every document that Hypothesis and we can think of."""

import os
import re
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
import xmlschema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conformance import specs, strategies
from conformance.messages.guard import etree, local_name, parse, schema

LOGIUS = Path(os.environ.get("BERICHTENBOX_LOGIUS", Path(__file__).parents[2].parent / "shared" / "logius"))
needs_official = pytest.mark.skipif(not (LOGIUS / "berichtverwerk").is_dir(), reason="the schema package of Logius is not here")

PAIRS = {"berichten.xsd": "GLOBEBatchRequest.xsd", "verwerkingsbericht.xsd": "GLOBEBatchResponse.xsd"}
DOCUMENTS: dict[str, Callable[[], st.SearchStrategy[bytes]]] = {
    "berichten.xsd": strategies.batches,
    "verwerkingsbericht.xsd": strategies.results,
}
OURS = sorted(path.name for path in specs.path("xsd").glob("*.xsd"))
SOME, MANY = 24, 200
"""How many valid documents are drawn; mutated ones are ten for each."""


def drawn(documents: st.SearchStrategy[bytes], number: int) -> list[bytes]:
    """Draw the same documents each time, without shrinking or a database."""
    found: list[bytes] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(documents)
    def collect(document: bytes) -> None:
        found.append(document)

    collect()
    return found


@cache
def sample(name: str, number: int) -> tuple[list[bytes], list[bytes]]:
    """Return valid documents and mutated ones; mutating a pool is four times as fast as drawing each document anew."""
    valid = drawn(DOCUMENTS[name](), number)
    return valid, drawn(strategies.mutated(st.sampled_from(valid)), 10 * number)


@cache
def official(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(LOGIUS / "berichtverwerk" / PAIRS[name])))


@needs_official
@pytest.mark.parametrize("number", [SOME, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PAIRS)
def test_both_schemas_give_the_same_verdict_on_thousands_of_documents(name, number):
    """
    Our schema accepts what the official one accepts and refuses what it refuses, and the sample holds plenty of both.
    """
    valid, changed = sample(name, number)
    ours, theirs = schema(name), official(name)

    verdicts = [(document, ours.validate(root := parse(document)), theirs.validate(root)) for document in (*valid, *changed)]

    assert [document for document, our, their in verdicts if our != their][:3] == []
    accepted = sum(our for _, our, _ in verdicts)
    assert len(verdicts) == 11 * number
    assert accepted >= 0.25 * len(verdicts)
    assert len(verdicts) - accepted >= 0.25 * len(verdicts)


@pytest.mark.parametrize("number", [SOME, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PAIRS)
def test_the_strategies_write_valid_documents(name, number):
    """
    What the strategies call valid is valid for our schema, whether or not the official one is at hand.
    """
    refused = [document for document in sample(name, number)[0] if not schema(name).validate(parse(document))]

    assert refused[:3] == []


def readable_by_xmlschema(document: bytes) -> bool:
    """Leave out the thousand berichten, which take it seconds, and xsi:type, where it raises an error instead of a verdict."""
    return len(document) < 20_000 and b":type=" not in document


def second_opinion_applies(document: bytes) -> bool:
    """Leave out what one of the two is known to judge differently from the XSD recommendation.

    libxml2 refuses blanks around xs:dateTime, which collapse, and accepts any text at all in xs:base64Binary.
    xmlschema takes a no-break space between elements for white space, and digits of any script for an xs:int.
    """
    for element in parse(document).iter("*"):
        local, text = local_name(element), element.text or ""
        if "Datum" in local and text != text.strip():
            return False
        if not (element.tail or "").isascii() or (local in strategies._INTEGERS and not text.isascii()):
            return False
        if local == "Inhoud" and not re.fullmatch(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text):
            return False
    return readable_by_xmlschema(document)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_a_second_validator_agrees_with_libxml2(name):
    """
    The package xmlschema reads our schema as libxml2 does, so that no verdict rests on a whim of one library.
    """
    other = xmlschema.XMLSchema(str(specs.path(f"xsd/{name}")))
    valid, changed = sample(name, SOME)
    documents = [document for document in (*valid[:50], *changed[:300]) if second_opinion_applies(document)]

    disputed = [document for document in documents if other.is_valid(BytesIO(document)) != schema(name).validate(parse(document))]

    assert disputed[:3] == []
    assert len(documents) > 200


@pytest.mark.slow
@needs_official
@pytest.mark.parametrize("name", PAIRS)
def test_a_second_validator_finds_no_difference_with_the_official_schema(name):
    """
    In xmlschema too, our schema and the official one agree: also where libxml2 is known to be lenient.
    """
    ours = xmlschema.XMLSchema(str(specs.path(f"xsd/{name}")))
    theirs = xmlschema.XMLSchema(str(LOGIUS / "berichtverwerk" / PAIRS[name]))
    documents = [document for document in sample(name, SOME)[1] if readable_by_xmlschema(document)]

    disputed = [document for document in documents if ours.is_valid(BytesIO(document)) != theirs.is_valid(BytesIO(document))]

    assert disputed[:3] == []


GUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BIJLAGE = "<Bijlage><Inhoud>QUJD</Inhoud><BijlageType>Pdf</BijlageType><Omschrijving>Besluit</Omschrijving><Volgorde>1</Volgorde></Bijlage>"
BERICHT = (
    '<Bericht xmlns="http://schemas.rdw.nl/GEB/BerichtenProsessor/Bericht/Types/2009/01"><BerichtInformatie>'
    f"<BatchID>{GUID}</BatchID><BerichtID>11111111-9dad-11d1-80b4-00c04fd430c8</BerichtID><BerichtType>BT1</BerichtType>"
    "<PublicatieDatum>2026-02-01T12:00:00Z</PublicatieDatum><Onderwerp>Onderwerp</Onderwerp><BerichtTekst>Tekst</BerichtTekst>"
    "<Referentie>R1</Referentie><GebruikerID>999990019</GebruikerID><SoortGebruiker>Burger</SoortGebruiker></BerichtInformatie>"
    f"<Bijlagen>{BIJLAGE}</Bijlagen></Bericht>"
)
BATCH = (
    '<v:Berichten xmlns:v="http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01"><v:BatchInformatie>'
    f"<v:BatchID>{GUID}</v:BatchID><v:AanmaakDatum>2026-01-31T12:00:00Z</v:AanmaakDatum>"
    f"<v:BerichtLeverancierID>00000099000000001000</v:BerichtLeverancierID></v:BatchInformatie>{BERICHT}</v:Berichten>"
)
XS = "http://www.w3.org/2001/XMLSchema"
XSI = f'xmlns:xsi="{XS}-instance"'
NIL = "00000000-0000-0000-0000-000000000000"
PUBLICATIE = "<PublicatieDatum>2026-02-01T12:00:00Z</PublicatieDatum>"

# (case, what is replaced, by what, verdict): what the schema lets through, and refuses, that surprises.
SURPRISES = (
    ("an empty PublicatieDatum", PUBLICATIE, "<PublicatieDatum/>", False),
    ("no PublicatieDatum", PUBLICATIE, "", True),
    ("no time zone", "12:00:00Z", "12:00:00", True),
    ("an offset", "12:00:00Z", "12:00:00+02:00", True),
    ("microseconds", "12:00:00Z", "12:00:00.123456Z", True),
    ("a GebruikerID that is no number", "999990019", "x", True),
    ("blanks around GebruikerID", "999990019", " 999990019 ", True),
    ("an inner BatchID that differs", f"<BatchID>{GUID}", "<BatchID>22222222-9dad-11d1-80b4-00c04fd430c8", True),
    ("the same BerichtID twice", BERICHT, BERICHT * 2, True),
    ("the nil GUID", GUID, NIL, True),
    ("a GUID in braces", GUID, f"{{{GUID}}}", False),
    ("a GUID with blanks", GUID, f" {GUID} ", False),
    ("digits of another script in a GUID", GUID, GUID.replace("1", "\u0661"), True),
    ("a GUID in capitals", GUID, GUID.upper(), True),
    ("an Onderwerp of blanks", ">Onderwerp<", ">   <", True),
    ("an empty Onderwerp", ">Onderwerp<", "><", False),
    ("50 precomposed characters", ">Onderwerp<", f">{'é' * 50}<", True),
    ("51 characters", ">Onderwerp<", f">{'x' * 51}<", False),
    ("50 characters beyond the basic plane", ">Onderwerp<", ">" + "\U0001f4ec" * 50 + "<", True),
    ("50 decomposed characters", ">Onderwerp<", ">" + "e\u0301" * 50 + "<", False),
    ("an empty BerichtTekst", ">Tekst<", "><", True),
    ("4000 characters of BerichtTekst", ">Tekst<", f">{'x' * 4000}<", True),
    ("4001 characters of BerichtTekst", ">Tekst<", f">{'x' * 4001}<", False),
    ("25 characters of Referentie", ">R1<", f">{'x' * 25}<", True),
    ("26 characters of Referentie", ">R1<", f">{'x' * 26}<", False),
    ("8 characters of BerichtType", ">BT1<", ">12345678<", True),
    ("9 characters of BerichtType", ">BT1<", ">123456789<", False),
    ("128 characters of Omschrijving", ">Besluit<", f">{'x' * 128}<", True),
    ("129 characters of Omschrijving", ">Besluit<", f">{'x' * 129}<", False),
    ("26 characters of BerichtLeverancierID", "00000099000000001000", "x" * 26, False),
    ("two Bijlagen with Volgorde 1", BIJLAGE, BIJLAGE * 2, True),
    ("Volgorde 0", "<Volgorde>1", "<Volgorde>0", True),
    ("Volgorde -5", "<Volgorde>1", "<Volgorde>-5", True),
    ("PDF", ">Pdf<", ">PDF<", False),
    ("pdf", ">Pdf<", ">pdf<", False),
    ("an empty Inhoud", ">QUJD<", "><", False),
    ("empty Bijlagen", BIJLAGE, "", False),
    ("no Bijlagen", f"<Bijlagen>{BIJLAGE}</Bijlagen>", "", True),
    ("a third Bijlage", BIJLAGE, BIJLAGE * 3, False),
    ("Bedrijf", ">Burger<", ">Bedrijf<", False),
    ("line breaks inside base64", ">QUJD<", ">QUJD\nQUJD<", True),
    ("an attribute", "<BerichtInformatie>", '<BerichtInformatie id="x">', False),
    ("no bericht", BERICHT, "", False),
    ("1000 berichten", BERICHT, BERICHT * 1000, True),
    ("1001 berichten", BERICHT, BERICHT * 1001, False),
    ("another order", f"{PUBLICATIE}<Onderwerp>Onderwerp</Onderwerp>", f"<Onderwerp>Onderwerp</Onderwerp>{PUBLICATIE}", False),
    ("Bericht in the namespace of the batch", "BerichtenProsessor/Bericht/", "BerichtVerwerkService/", False),
    ("a named type of the schema", "<BerichtID>", f'<BerichtID {XSI} xsi:type="guid">', True),
    ("a type that is a restriction", "<Volgorde>", f'<Volgorde {XSI} xmlns:xs="{XS}" xsi:type="xs:short">', True),
    ("a type that is no restriction", "<Volgorde>", f'<Volgorde {XSI} xmlns:xs="{XS}" xsi:type="xs:string">', False),
    ("a type that only our schema could name", "<Bijlage>", f'<Bijlage {XSI} xsi:type="Bestand">', False),
)
CODES = list(strategies.VerwerkingsCode)
RESULT = (
    '<n:BerichtVerwerkResponse xmlns:n="http://schemas.rdw.nl/GEB/BerichtVerwerkService/Types/2009/01" '
    'xmlns:r="http://schemas.rdw.nl/GEB/BerichtVerwerkService/BerichtResultaat/Types/2009/01" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    f"<BatchInformatie><BerichtLeverancierCode>00000099000000001000</BerichtLeverancierCode><BatchID>{GUID}</BatchID>"
    + "".join(f"<{name}>1</{name}>" for name in ("TotaalAantalOntvangenBerichten", *strategies.COUNTERS))
    + "<DatumOntvangen>2026-01-31T12:00:00.000Z</DatumOntvangen><DatumVerwerkt>2026-01-31T12:01:00.000Z</DatumVerwerkt></BatchInformatie>"
    f"<Berichten><r:Bericht><BerichtID>{GUID}</BerichtID><BerichtType>BT1</BerichtType><VerwerkingsCode>Verwerkt</VerwerkingsCode>"
    "<Stadium>NA</Stadium></r:Bericht></Berichten></n:BerichtVerwerkResponse>"
)
RESULT_SURPRISES = (
    ("no Stadium", "<Stadium>NA</Stadium>", "", True),
    ("a nil Stadium", "<Stadium>NA<", '<Stadium xsi:nil="true"><', True),
    ("a nil Stadium with text", "<Stadium>", '<Stadium xsi:nil="true">', False),
    ("an empty Stadium", ">NA<", "><", True),
    ("a nil BerichtType", "<BerichtType>BT1<", '<BerichtType xsi:nil="true"><', False),
    ("a long BerichtType", ">BT1<", f">{'x' * 500}<", True),
    ("a qualified child", "BerichtType>", "r:BerichtType>", False),
    ("an unqualified Bericht", "r:Bericht>", "Bericht>", False),
    ("an unknown VerwerkingsCode", ">Verwerkt<", ">00<", False),
    ("a VerwerkingsCode in lower case", ">Verwerkt<", ">verwerkt<", False),
    ("the nil BerichtID", f"<BerichtID>{GUID}", f"<BerichtID>{NIL}", True),
    ("an empty BerichtLeverancierCode", ">00000099000000001000<", "><", True),
    ("a counter below nought", ">1<", ">-1<", True),
    ("a counter beyond xs:int", ">1<", ">2147483648<", False),
    *((f"the code {code}", ">Verwerkt<", f">{code}<", True) for code in CODES[1:]),
)
TABLE = [
    pytest.param(name, document, (old, new), verdict, id=case)
    for name, document, cases in (("berichten.xsd", BATCH, SURPRISES), ("verwerkingsbericht.xsd", RESULT, RESULT_SURPRISES))
    for case, old, new, verdict in cases
]


@pytest.mark.parametrize(("name", "document"), [("berichten.xsd", BATCH), ("verwerkingsbericht.xsd", RESULT)])
def test_the_documents_that_the_table_starts_from_are_valid(name, document):
    """
    Without a change both documents are valid, so that a refusal is due to the change.
    """
    assert schema(name).validate(parse(document.encode()))


@pytest.mark.parametrize(("name", "document", "change", "verdict"), TABLE)
def test_our_schema_surprises_as_the_fact_sheet_says(name, document, change, verdict):
    """
    What the koppelvlak's schema is known to accept or refuse against expectation, ours accepts or refuses too.
    """
    changed = document.replace(*change)

    assert changed != document
    assert schema(name).validate(parse(changed.encode())) is verdict


@needs_official
@pytest.mark.parametrize(("name", "document", "change", "verdict"), TABLE)
def test_the_official_schema_surprises_in_the_same_way(name, document, change, verdict):
    """
    The table is about the official schema: it gives the same verdicts.
    """
    root = parse(document.replace(*change).encode())

    assert official(name).validate(root) is verdict


def aanvraag(inhoud: str, oin: str = "00000099000000001000") -> bytes:
    return (
        '<n:AbonnementAanvraag xmlns:n="http://schemas.overheid.nl/GEB/AbonnementServiceProcessor/2014/02">'
        f"<BerichtLeverancier><OIN>{oin}</OIN></BerichtLeverancier><VerzoekId>v-1</VerzoekId>{inhoud}</n:AbonnementAanvraag>"
    ).encode()


LIJST, DATUM = "<BSNLijst><BSN>999990019</BSN><BSN>999990007</BSN></BSNLijst>", "<MutatieDatum>2026-01-01T00:00:00.000Z</MutatieDatum>"


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (aanvraag(""), True),
        (aanvraag(LIJST), True),
        (aanvraag(DATUM), True),
        (aanvraag(LIJST + DATUM), False),
        (aanvraag("<BSNLijst/>"), False),
        (aanvraag("<BSNLijst><BSN>12345678</BSN></BSNLijst>"), False),
        (aanvraag("<MutatieDatum>gisteren</MutatieDatum>"), False),
        (aanvraag("", oin="1234"), False),
        (aanvraag("<BerichtType>BT1</BerichtType>"), False),
    ],
)
def test_the_sketch_of_the_aanvraag_knows_three_kinds_and_no_mixture(document, verdict):
    """
    An abonnementaanvraag asks for everything, for a list, or for changes; nothing else.
    """
    assert schema("abonnement-aanvraag.xsd").validate(parse(document)) is verdict


def antwoord(abonnementen: str) -> bytes:
    return (
        '<n:AbonnementAntwoord xmlns:n="http://schemas.overheid.nl/GEB/AbonnementServiceProcessor/2014/02">'
        "<BerichtLeverancier><OIN>00000099000000001000</OIN></BerichtLeverancier><VerzoekId>v-1</VerzoekId>"
        f"<Abonnementen>{abonnementen}</Abonnementen></n:AbonnementAntwoord>"
    ).encode()


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (antwoord(""), True),
        (antwoord("<Abonnement><BSN>999990019</BSN><Status>Actief</Status></Abonnement>" * 3), True),
        (antwoord("<Abonnement><BSN>999990019</BSN><Status>Inactief</Status></Abonnement>"), True),
        (antwoord("<Abonnement><BSN>999990019</BSN><Status>actief</Status></Abonnement>"), False),
        (antwoord("<Abonnement><BSN>999990019</BSN></Abonnement>"), False),
    ],
)
def test_the_sketch_of_the_antwoord_holds_burgers_with_a_status(document, verdict):
    """
    An abonnementantwoord lists a BSN with Actief or Inactief, or is empty.
    """
    assert schema("abonnement-antwoord.xsd").validate(parse(document)) is verdict


@pytest.mark.parametrize("name", ["abonnement-aanvraag.xsd", "abonnement-antwoord.xsd"])
def test_a_sketch_says_that_it_is_an_aanname(name):
    """
    Whoever opens a schema that we guessed reads so in its first annotation.
    """
    annotation = parse(specs.path(f"xsd/{name}").read_bytes())[0]

    assert "Aanname" in "".join(annotation.itertext())


@needs_official
@pytest.mark.parametrize("kind", ["BSN Lijst", "Mutatie", "Volledig"])
def test_the_official_examples_of_the_aanvraag_are_valid(kind):
    """
    The three examples of Logius, with their placeholders filled in, satisfy our sketch.
    """
    text = (LOGIUS / "voorbeelden" / f"GLOBE-R-A-Request - {kind}.xml").read_text(encoding="utf-8")
    filled = re.sub(r"BSN_\d+", "999990019", re.sub(r"OIN [Nn]ummer", "00000099000000001000", text))

    assert schema("abonnement-aanvraag.xsd").validate(parse(filled.encode()))


def lines_of(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@needs_official
@pytest.mark.parametrize("name", OURS)
def test_our_schema_is_written_in_our_own_words(name):
    """
    No three lines in a row are the same as in a file of Logius: we describe the koppelvlak and copy nothing.
    """
    ours = lines_of(specs.path(f"xsd/{name}"))
    official_lines = [lines_of(path) for path in (*LOGIUS.rglob("*.xsd"), *LOGIUS.rglob("*.wsdl"))]

    runs = {run for lines in official_lines for run in zip(lines, lines[1:], lines[2:], strict=False)}

    assert official_lines
    assert runs.isdisjoint(zip(ours, ours[1:], ours[2:], strict=False))
