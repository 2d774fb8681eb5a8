"""The public Hypothesis strategies: what they promise to whoever tests a reader or writer with them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import strategies
from conformance.messages.guard import etree, local_name, parse, schema
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.unpack import unpack

FAST = settings(max_examples=settings().max_examples * 3 // 5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BATCH = (
    f'<v:Berichten xmlns:v="{strategies.NS_BATCH}" xmlns="{strategies.NS_BERICHT}"><v:BatchInformatie><v:BatchID>g</v:BatchID></v:BatchInformatie>'
    "<Bericht><BerichtInformatie><Onderwerp>Een1</Onderwerp></BerichtInformatie><Bijlagen><Bijlage/></Bijlagen></Bericht></v:Berichten>"
)


def leaf(name: str) -> etree._Element:
    return next(element for element in parse(BATCH.encode()).iter("*") if local_name(element) == name)


def names(root: etree._Element) -> list[str]:
    return [local_name(element) for element in root.iter("*")]


@FAST
@given(strategies.batches())
def test_a_batch_is_valid_and_names_only_reserved_test_bsns(document):
    """
    Each batch satisfies the schema, and no generated burger can be a real one.
    """
    root = parse(document)

    assert schema("berichten.xsd").validate(root)
    assert {element.text for element in root.iter("*") if local_name(element) == "GebruikerID"} <= set(reserved_test_bsns())


@FAST
@given(strategies.batches())
def test_each_bericht_repeats_the_batch_id(document):
    """
    The BatchID is the same everywhere in a batch, as the handleiding asks.
    """
    assert len({element.text for element in parse(document).iter("*") if local_name(element) == "BatchID"}) == 1


@FAST
@given(strategies.results())
def test_a_verwerkingsbericht_is_valid(document):
    """
    Each verwerkingsbericht satisfies the schema, with or without Stadium.
    """
    assert schema("verwerkingsbericht.xsd").validate(parse(document))


@FAST
@given(strategies.abonnement_aanvragen())
def test_an_abonnementaanvraag_is_valid(document):
    """
    Each request satisfies our sketch of its schema, and names only reserved test BSNs.
    """
    root = parse(document)

    assert schema("abonnement-aanvraag.xsd").validate(root)
    assert {element.text for element in root.iter("BSN")} <= set(reserved_test_bsns())


@FAST
@given(strategies.abonnement_antwoorden())
def test_an_abonnementantwoord_is_valid(document):
    """
    Each answer, packed or not, satisfies our sketch of its schema.
    """
    assert schema("abonnement-antwoord.xsd").validate(parse(unpack(document)))


@FAST
@given(strategies.mutated(st.one_of(strategies.batches(), strategies.results())))
def test_a_mutated_document_can_still_be_read(document):
    """
    A mutation breaks rules, never the XML: a reader gets to see it.
    """
    assert local_name(parse(document))


def test_a_strategy_is_built_once():
    """
    Asking twice gives the same strategy: building is slow, drawing is not.
    """
    assert strategies.batches() is strategies.batches()
    assert strategies.results() is strategies.results()
    assert strategies.abonnement_aanvragen() is strategies.abonnement_aanvragen()
    assert strategies.abonnement_antwoorden() is strategies.abonnement_antwoorden()


@pytest.mark.parametrize(
    ("mutation", "name", "pick", "expected"),
    [
        (strategies._set_edge, "Onderwerp", 0, "x"),
        (strategies._set_edge, "BatchID", 5, "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}"),
        (strategies._set_anything, "Onderwerp", 1, " "),
        (strategies._resize, "Onderwerp", 0, ""),
        (strategies._resize, "Onderwerp", 2, "x" * 50),
        (strategies._resize, "Onderwerp", 7, "é" * 51),
        (strategies._resize, "BatchID", 3, "x" * 26),
        (strategies._surround, "Onderwerp", 5, "\nEen1\n"),
        (strategies._other_digits, "Onderwerp", 0, "Een\u0661"),
        (strategies._other_case, "Onderwerp", 0, "EEN1"),
        (strategies._empty, "Onderwerp", 0, None),
        (strategies._set_nil, "Onderwerp", 0, "Een1"),
        (strategies._set_nil, "Onderwerp", 1, None),
    ],
)
def test_a_mutation_of_a_value_changes_that_value(mutation, name, pick, expected):
    """
    Each mutation does to the text what its name says.
    """
    element = leaf(name)

    mutation(element, pick)

    assert element.text == expected


@pytest.mark.parametrize(
    ("mutation", "name", "pick", "expected"),
    [
        (strategies._drop, "Onderwerp", 0, "Onderwerp" * 0),
        (strategies._repeat, "Onderwerp", 0, "Onderwerp Onderwerp"),
        (strategies._repeat, "Onderwerp", 1, "Onderwerp Onderwerp Onderwerp"),
        (strategies._rename, "Onderwerp", 0, "onderwerp"),
        (strategies._add_child, "Onderwerp", 1, "Onderwerp Referentie"),
        (strategies._change_namespace, "Onderwerp", 4, "Onderwerp"),
        (strategies._swap, "Onderwerp", 0, "Onderwerp"),
        (strategies._set_type, "Onderwerp", 0, "Onderwerp"),
    ],
)
def test_a_mutation_of_the_structure_changes_the_elements(mutation, name, pick, expected):
    """
    Each mutation does to the elements what its name says, and hands back the whole document.
    """
    root = mutation(leaf(name), pick)

    before = ["Berichten", "BatchInformatie", "BatchID", "Bericht", "BerichtInformatie"]
    assert names(root) == [*before, *expected.split(), "Bijlagen", "Bijlage"]


def test_swapping_moves_an_element_before_a_sibling():
    """
    Siblings change places, as a schema with a sequence must notice.
    """
    root = strategies._swap(leaf("Bijlagen"), 0)

    assert [local_name(child) for child in root[1]] == ["Bijlagen", "BerichtInformatie"]


@pytest.mark.parametrize(
    ("name", "pick", "number"), [("Bijlage", 0, 2), ("Bijlage", 16, 3), ("Bericht", 0, 1000), ("Bericht", 16, 1001), ("Bericht", 1, 3)]
)
def test_overfilling_reaches_the_maximum_or_one_more(name, pick, number):
    """
    Repeatable elements come at their maximum and just above it; a thousand berichten only now and then.
    """
    root = strategies._overfill(leaf(name), pick)

    parents = {element.getparent() for element in root.iter("*") if local_name(element) == name}
    assert [sum(local_name(child) == name for child in parent) for parent in parents] == [number] * len(parents)


def test_attributes_types_and_text_are_added():
    """
    A document may get an attribute, a named type, text between its elements, or an inner element as its root.
    """
    attributed = strategies._add_attribute(leaf("Onderwerp"), 0)
    typed = strategies._set_type(leaf("Onderwerp"), 0)
    mixed = strategies._add_text(leaf("Onderwerp"), 1)
    inner = strategies._make_root(leaf("Bericht"), 0)

    assert attributed.xpath("//@id") == ["nl"]
    assert typed.xpath("//@*") == ["t:guid"]
    assert "Een1x" in "".join(mixed.itertext())
    assert local_name(inner) == "Bericht"
    assert inner.getparent() is None


def test_a_mutation_without_a_place_leaves_the_document_alone():
    """
    A document of one element has nothing to drop or to repeat.
    """
    document = strategies._mutate(b"<a/>", [(strategies._drop, 3, 4), (strategies._overfill, 0, 0)])

    assert local_name(parse(document)) == "a"
    assert len(parse(document)) == 0
