"""Which requirement each complaint of the schema goes to, however the document writes its namespaces."""

import re
from dataclasses import replace

import pytest

from conformance.messages.batch import NS_BATCH, NS_BERICHT
from conformance.messages.guard import parse
from conformance.rules.grading import grade_offer
from conformance.rules.structure import schema_findings

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
BATCH_ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def default_namespaces(text: str) -> str:
    """Write both namespaces without prefix: B is declared on each Bericht."""
    plain = re.sub(r"(</?)[vb]:", r"\1", text)
    return plain.replace(f'xmlns:v="{NS_BATCH}" xmlns:b="{NS_BERICHT}"', f'xmlns="{NS_BATCH}"').replace(
        "<Bericht>", f'<Bericht xmlns="{NS_BERICHT}">'
    )


def one_prefix_twice(text: str) -> str:
    """Use one prefix for both namespaces: it is redefined on each Bericht."""
    plain = re.sub(r"(</?)[vb]:", r"\1n:", text).replace("xmlns:v=", "xmlns:n=").replace(f' xmlns:b="{NS_BERICHT}"', "")
    return plain.replace("<n:Bericht>", f'<n:Bericht xmlns:n="{NS_BERICHT}">')


def other_prefixes(text: str) -> str:
    """Use prefixes as a library makes them up."""
    other = {"v": "ns7", "b": "ns0"}
    return re.sub(r"(</?|xmlns:)([vb])(?=[:=])", lambda found: found[1] + other[found[2]], text)


def swapped_prefixes(text: str) -> str:
    """Use v for B and b for V."""
    other = {"v": "b", "b": "v"}
    return re.sub(r"(</?|xmlns:)([vb])(?=[:=])", lambda found: found[1] + other[found[2]], text)


# (what is wrong, the requirement, pattern in the document, what it becomes, the place that is named)
SHAPES = (
    ("an attribute on a field", "025", "<b:Onderwerp>", '<b:Onderwerp id="1">', "Bericht/BerichtInformatie/Onderwerp"),
    ("an attribute on a group", "025", "<b:BerichtInformatie>", '<b:BerichtInformatie id="1">', "Bericht/BerichtInformatie"),
    ("two attributes on a group", "025", "<b:Bijlagen>", '<b:Bijlagen id="1" lang="nl">', "Bericht/Bijlagen"),
    ("nil on a field", "024", "<b:Referentie>R1<", f'<b:Referentie {XSI} xsi:nil="true"><', "Bericht/BerichtInformatie/Referentie"),
    ("a braced BatchID", "030", f"<v:BatchID>{BATCH_ID}", f"<v:BatchID>{{{BATCH_ID}}}", "BatchInformatie/BatchID"),
    ("a long leverancier", "037", "ID>0{6}99", "ID>00000000000000000000099", "BatchInformatie/BerichtLeverancierID"),
    ("a braced BerichtID", "051", "<b:BerichtID>1b", "<b:BerichtID>{1b", "Bericht/BerichtInformatie/BerichtID"),
    ("a long BerichtType", "055", ">BT1<", ">123456789<", "Bericht/BerichtInformatie/BerichtType"),
    ("an empty PublicatieDatum", "057", "2026-11-25T12:00:00Z", "", "Bericht/BerichtInformatie/PublicatieDatum"),
    ("a bad EindDatum", "024", "2026-12-01T12:00:00Z", "ooit", "Bericht/BerichtInformatie/EindDatumHandelingsTermijn"),
    ("a long Onderwerp", "063", ">Onderwerp<", f">{'x' * 51}<", "Bericht/BerichtInformatie/Onderwerp"),
    ("a long BerichtTekst", "067", ">Tekst<", f">{'x' * 4001}<", "Bericht/BerichtInformatie/BerichtTekst"),
    ("a long Referentie", "074", ">R1<", f">{'x' * 26}<", "Bericht/BerichtInformatie/Referentie"),
    ("an empty GebruikerID", "075", ">999990019<", "><", "Bericht/BerichtInformatie/GebruikerID"),
    ("another SoortGebruiker", "078", ">Burger<", ">burger<", "Bericht/BerichtInformatie/SoortGebruiker"),
    ("an empty Inhoud", "085", "<b:Inhoud>[^<]*<", "<b:Inhoud><", "Bericht/Bijlagen/Bijlage/Inhoud"),
    ("another BijlageType", "087", ">Pdf<", ">pdf<", "Bericht/Bijlagen/Bijlage/BijlageType"),
    ("an empty Omschrijving", "091", ">Besluit<", "><", "Bericht/Bijlagen/Bijlage/Omschrijving"),
    ("a Volgorde beyond a number", "093", "Volgorde>1<", "Volgorde>2147483648<", "Bericht/Bijlagen/Bijlage/Volgorde"),
    ("Bijlagen without bijlage", "080", "<b:Bijlage>.*</b:Bijlage>", "", "Bericht/Bijlagen"),
    ("Bijlagen before the rest", "024", "(<b:BerichtInformatie>.*)(<b:Bijlagen>.*</b:Bijlagen>)", r"\2\1", "Bericht/Bijlagen"),
    ("Bijlagen twice", "024", "(<b:Bijlagen>.*</b:Bijlagen>)", r"\1\1", "Bericht/Bijlagen[2]"),
    ("a Bijlage without Volgorde", "024", "<b:Volgorde>1</b:Volgorde>", "", "Bericht/Bijlagen/Bijlage"),
    (
        "another order",
        "024",
        "(<b:Onderwerp>.*?</b:Onderwerp>)(<b:BerichtTekst>.*?</b:BerichtTekst>)",
        r"\2\1",
        "Bericht/BerichtInformatie/BerichtTekst",
    ),
    ("an unknown element", "024", "<b:SoortGebruiker>", "<b:Prioriteit>1</b:Prioriteit><b:SoortGebruiker>", "Bericht/BerichtInformatie/Prioriteit"),
    ("no SoortGebruiker", "024", "<b:SoortGebruiker>.*</b:SoortGebruiker>", "", "Bericht/BerichtInformatie"),
    ("text between elements", "024", "<b:BerichtInformatie>", "<b:BerichtInformatie>x", "Bericht/BerichtInformatie"),
)
SPELLINGS = (str, default_namespaces, one_prefix_twice, other_prefixes, swapped_prefixes)
# What the rules object to as well, because the same text or its absence is what they look at.
ALSO = {"a braced BatchID": {"050"}, "a long BerichtType": {"056"}, "a Bijlage without Volgorde": {"093"}}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_the_namespaces_is_the_same_document(document, known, spelling):
    """
    Prefixes are the choice of the sender: without a fault there is no finding.
    """
    grading, _ = grade_offer(spelling(document).encode(), known)

    assert grading.findings == ()
    assert grading.is_schema_valid


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("name", "number", "old", "new", "place"), [pytest.param(*shape, id=shape[0]) for shape in SHAPES])
def test_a_complaint_goes_to_its_requirement_and_names_its_place(document, known, spelling, name, number, old, new, place):
    """
    Whatever the prefixes, the finding is on the element that is wrong, with its requirement and its bericht.
    """
    changed, count = re.subn(old, new, document, count=1, flags=re.DOTALL)

    grading, _ = grade_offer(spelling(changed).encode(), known)

    assert count == 1
    found = {finding.requirement for finding in grading.findings}
    also = {f"AANL-{other}" for other in ALSO.get(name, set())}
    finding = grading.of(f"AANL-{number}")[0]
    assert found == {f"AANL-{number}"} | also
    assert finding.where == f"Berichten/{place}"
    assert finding.bericht == (0 if place.startswith("Bericht/") else None)
    assert not grading.is_schema_valid


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (r"<b:Bericht>(.*)</b:Bericht>", r"<v:Bericht>\1</v:Bericht>", "Berichten/Bericht"),
        (r"<b:Bericht>(.*)</b:Bericht>", r"<Bericht>\1</Bericht>", "Berichten/Bericht"),
        (r"<b:Onderwerp>(.*)</b:Onderwerp>", r"<Onderwerp>\1</Onderwerp>", "Berichten/Bericht/BerichtInformatie/Onderwerp"),
        (r"<b:Bijlagen>(.*)</b:Bijlagen>", r"<v:Bijlagen>\1</v:Bijlagen>", "Berichten/Bericht/Bijlagen"),
        (r"<b:Volgorde>(.*)</b:Volgorde>", r"<Volgorde>\1</Volgorde>", "Berichten/Bericht/Bijlagen/Bijlage/Volgorde"),
    ],
)
def test_an_element_outside_namespace_b_is_named(document, known, old, new, where):
    """
    Bericht in the namespace of the batch, or a child without one, is an objection on namespaces and on nothing else.
    """
    changed = re.sub(old, new, document, flags=re.DOTALL)

    grading, _ = grade_offer(changed.encode(), known)

    assert [(finding.requirement, finding.where) for finding in grading.findings] == [("AANL-023", where)]


def test_a_batch_without_namespaces_at_all_has_another_root(document, known):
    """
    The root is refused, the schema is not asked, and what only the schema decides is not decided.
    """
    plain = re.sub(r' xmlns:\w="[^"]*"', "", re.sub(r"(</?)[vb]:", r"\1", document))

    grading, batch = grade_offer(plain.encode(), known)

    assert [finding.requirement for finding in grading.findings] == ["AANL-022"]
    assert batch is not None
    assert grading.decided.isdisjoint({"AANL-023", "AANL-024", "AANL-063", "AANL-067"})


def test_another_document_is_no_batch(known):
    """
    A root of another name is not read any further.
    """
    grading, batch = grade_offer(b"<Bericht/>", known)

    assert batch is None
    assert [finding.requirement for finding in grading.findings] == ["AANL-022"]


def test_the_batch_kop_may_not_lack_or_move(document, known):
    """
    BatchInformatie after the berichten, or absent, is for the catch-all; what cannot be read is for the rules.
    """
    moved = re.sub(r"(<v:BatchInformatie>.*</v:BatchInformatie>)(<b:Bericht>.*</b:Bericht>)", r"\2\1", document, flags=re.DOTALL)
    empty = re.sub(r"<v:BatchInformatie>.*</b:Bericht>", "", document, flags=re.DOTALL)

    assert {finding.requirement for finding in grade_offer(moved.encode(), known)[0].findings} == {"AANL-024"}
    assert {finding.requirement for finding in grade_offer(empty.encode(), known)[0].findings} == {"AANL-024", "AANL-030", "AANL-037", "AANL-041"}


def test_a_bericht_without_content_lacks_what_the_rules_look_at(document, known):
    """
    A Bericht without BerichtInformatie is one fault of form; the rules miss the fields.
    """
    changed = re.sub(r"<b:BerichtInformatie>.*</b:Bijlagen>", "", document, flags=re.DOTALL)

    grading, _ = grade_offer(changed.encode(), known)

    assert {finding.requirement for finding in grading.findings} == {"AANL-024", "AANL-050", "AANL-051", "AANL-075"}


def test_no_bericht_is_too_few_and_1001_is_too_many(batch, known):
    """
    The number of berichten brings one finding on the batch as a whole.
    """
    one = replace(batch.berichten[0], bijlagen=())
    many = replace(batch, berichten=tuple(replace(one, bericht_id=f"{number:08d}{one.bericht_id[8:]}") for number in range(1001)))

    few, lots = (grade_offer(size.to_xml(), known)[0] for size in (replace(batch, berichten=()), many))

    assert [(finding.requirement, finding.bericht) for finding in few.findings] == [("AANL-041", None)]
    assert [(finding.requirement, finding.bericht) for finding in lots.findings] == [("AANL-041", None)]


def test_1000_berichten_are_accepted(batch, known):
    """
    The edge of the batch is inside it.
    """
    one = replace(batch.berichten[0], bijlagen=(), bericht_tekst=None, referentie=None)
    many = replace(batch, berichten=tuple(replace(one, bericht_id=f"{number:08d}{one.bericht_id[8:]}") for number in range(1000)))

    grading, _ = grade_offer(many.to_xml(), known)

    assert grading.findings == ()
    assert grading.decided.isdisjoint({"AANL-067", "AANL-074", "AANL-081"})


def test_a_fault_among_too_many_berichten_keeps_its_own_requirement(batch, known):
    """
    A bericht that lacks an element is not counted as one too many.
    """
    one = replace(batch.berichten[0], bijlagen=())
    many = replace(batch, berichten=tuple(replace(one, bericht_id=f"{number:08d}{one.bericht_id[8:]}") for number in range(1001)))
    text = many.to_xml().decode().replace("<b:SoortGebruiker>Burger</b:SoortGebruiker>", "", 1)

    grading, _ = grade_offer(text.encode(), known)

    assert {(finding.requirement, finding.bericht) for finding in grading.findings} == {("AANL-041", None), ("AANL-024", 0)}


def test_each_bericht_has_a_finding_of_its_own(batch, known):
    """
    The same fault in two berichten brings two findings, each with its index.
    """
    one = replace(batch.berichten[0], onderwerp="")
    text = replace(batch, berichten=(one, replace(one, bericht_id="7c9e6679-7425-40de-944b-e07fc1f90ae7"))).to_xml()

    grading, _ = grade_offer(text, known)

    assert [(finding.bericht, finding.where.split("/")[1]) for finding in grading.of("AANL-063")] == [(0, "Bericht[1]"), (1, "Bericht[2]")]


def test_two_complaints_about_one_place_are_one_finding(document):
    """
    The requirement and the place are what counts, also before the findings of a bericht are brought together.
    """
    changed = document.replace("<b:Bijlagen>", '<b:Bijlagen id="1" lang="nl">')

    assert len(list(schema_findings(parse(changed.encode())))) == 1


def test_the_number_of_complaints_is_bounded(batch, known):
    """
    A batch that is wrong everywhere brings no more than 200 complaints of the schema.
    """
    one = replace(batch.berichten[0], bijlagen=(), onderwerp="")
    many = replace(batch, berichten=tuple(replace(one, bericht_id=f"{number:08d}{one.bericht_id[8:]}") for number in range(1000)))

    grading, _ = grade_offer(many.to_xml(), known)

    assert 0 < len(grading.of("AANL-063")) <= 200
