"""Our schemas of the validatieservice say the same as the ones of Logius, on generated questions and answers and on changed ones."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conformance import strategies
from conformance.messages.guard import etree, parse, schema
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.validatie import NS_SHARED, NS_TYPES, SCHEMA, Abonnement, Klant, ValidatieAanvraag, ValidatieAntwoord

LOGIUS = Path(os.environ.get("BERICHTENBOX_LOGIUS", Path(__file__).parents[2].parent / "shared" / "logius"))
needs_official = pytest.mark.skipif(not (LOGIUS / "validatie").is_dir(), reason="the schema package of Logius is not here")
INTERNAL = "http://rdw64825.ot.tld:9002/BerichtenboxValidatieService?xsd="
XSI = "http://www.w3.org/2001/XMLSchema-instance"
VALID, CHANGED = 60, 600

texts = st.sampled_from((None, "", "00000099000000001000", "BELAST", " x ", "\u20ac"))
klanten = st.builds(Klant, st.sampled_from((None, "", *reserved_test_bsns()[:20])), st.sampled_from((None, "Burger")))
aanvragen = st.builds(ValidatieAanvraag, texts, texts, st.one_of(st.none(), st.lists(klanten, max_size=4).map(tuple)))
abonnementen = st.builds(Abonnement, st.one_of(st.none(), klanten), st.booleans())
antwoorden = st.builds(ValidatieAntwoord, st.lists(abonnementen, max_size=4).map(tuple))
documents = st.one_of(aanvragen, antwoorden).map(lambda message: etree.tostring(message.to_element()))


def drawn(wanted: st.SearchStrategy[bytes], number: int) -> list[bytes]:
    """Draw the same documents each time, without shrinking or a database."""
    found: list[bytes] = []

    @settings(max_examples=number, derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(wanted)
    def collect(document: bytes) -> None:
        found.append(document)

    collect()
    return found


@pytest.fixture(scope="module")
def sample() -> tuple[list[bytes], list[bytes]]:
    """Valid documents, and the same after one to three changes."""
    valid = drawn(documents, VALID)
    return valid, drawn(strategies.mutated(st.sampled_from(valid)), CHANGED)


@pytest.fixture(scope="module")
def official(tmp_path_factory) -> etree.XMLSchema:
    """The schema of Logius, with its imports from an internal host led to the files beside it."""
    folder = tmp_path_factory.mktemp("validatie")
    for path in (LOGIUS / "validatie").glob("*.xsd"):
        shutil.copy(path, folder)
        copy = folder / path.name
        text = copy.read_text(encoding="utf-8")
        for name in ("xsd2", "xsd3"):
            text = text.replace(f"{INTERNAL}{name}", f"{name}.xsd")
        copy.write_text(text, encoding="utf-8")
    return etree.XMLSchema(etree.parse(str(folder / "xsd0.xsd")))


def test_what_we_write_is_valid(sample):
    """
    Every generated question and answer is valid for our schema, and the sample holds different ones.
    """
    assert [document for document in sample[0] if not schema(SCHEMA).validate(parse(document))] == []
    assert len(set(sample[0])) > VALID / 2


@needs_official
def test_both_schemas_give_the_same_verdict(sample, official):
    """
    Ours accepts what the official one accepts and refuses what it refuses, and the sample holds plenty of both.
    """
    ours = schema(SCHEMA)

    verdicts = [(document, ours.validate(root := parse(document)), official.validate(root)) for both in sample for document in both]

    assert [document for document, our, their in verdicts if our != their][:3] == []
    accepted = sum(our for _, our, _ in verdicts)
    assert 0.2 * len(verdicts) < accepted < 0.8 * len(verdicts)


@needs_official
@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("<t:klanten>", f'<t:klanten xmlns:i="{XSI}" xmlns:k="{NS_SHARED}" i:type="k:ArrayOfKlant">', True),
        ("<s:validateAbonnementenAanvraag>", f'<s:validateAbonnementenAanvraag xmlns:t="{NS_TYPES}" i:type="t:ValidateAbonnementenAanvraag">', True),
        ("<k:Klant>", '<k:Klant i:type="k:Klant">', True),
        ("<k:Rol>", '<k:Rol i:type="k:KlantRol">', True),
        ("<k:Klant>", '<k:Klant i:type="k:Persoon">', False),
        ("<k:Rol>Burger", "<k:Rol>burger", False),
        ("<k:Key>999990019", "<k:Key>", True),
        ("<k:Key>999990019", f"<k:Key>{'9' * 500}", True),
    ],
)
def test_both_schemas_know_the_same_types_by_name(official, old, new, verdict):
    """
    A client may name the type in the document: those names are part of the koppelvlak.
    """
    text = etree.tostring(ValidatieAanvraag("1", "BELAST", (Klant("999990019"),)).to_element()).decode()
    root = parse(text.replace(old, new).encode())

    assert old in text
    assert (schema(SCHEMA).validate(root), official.validate(root)) == (verdict, verdict)
