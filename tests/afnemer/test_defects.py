"""The deliberate defects: each says what it does wrong, in a name, a sentence and requirements that exist."""

import re

import pytest

from conformance.afnemer.defects import DEFECTS, registry
from conformance.afnemer.defects.registry import PLACES, defect
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.afnemer.reference.ebms_gateway import EbmsGateway
from conformance.afnemer.reference.sending import Sender
from conformance.catalogue import catalogue

PITFALLS = set(range(1, 42))


@pytest.fixture
def empty(monkeypatch):
    """A registry without defects."""
    registered = {}
    monkeypatch.setattr("conformance.afnemer.defects.registry.DEFECTS", registered)
    return registered


def test_defect_reads_as_a_sentence():
    """
    The name is a verb and what it is done to; the text is one or two full sentences.
    """
    for found in DEFECTS.values():
        assert "_" in found.name, found.name
        assert re.fullmatch(r"(never_)?[a-z]+s(_[a-z0-9]+)*", found.name), found.name
        assert re.fullmatch(r"[A-Z].*[.…]", found.does, re.DOTALL), found.name


def test_defect_fails_what_exists():
    """
    Each defect must fail something, and everything that it names is in the catalogue.
    """
    families = {f"{requirement.partition('-')[0]}-*" for requirement in catalogue()}

    for found in DEFECTS.values():
        assert found.fails, found.name
        assert found.fails <= set(catalogue()), found.name
        assert found.also <= set(catalogue()) | families, found.name
        assert not found.fails & found.also, found.name


def test_defect_is_an_afnemer_of_its_own():
    """
    A defect replaces one part of the reference Afnemer, or is another Afnemer that says itself what it replaces.
    """
    for found in DEFECTS.values():
        parts = [getattr(found.make, place) is not right for right, place in PLACES.items()]

        assert issubclass(found.make, ReferenceAfnemer), found.name
        assert found.make is not ReferenceAfnemer, found.name
        assert sum(parts) <= 1 or found.make.__module__ != registry.__name__, found.name
        assert found.make.__name__ == found.name


def test_every_pitfall_has_a_defect():
    """
    What real clients fell into is played here, each pitfall at least once, and no number is made up.
    """
    played = {found.pitfall for found in DEFECTS.values() if found.pitfall is not None}

    assert set() == PITFALLS - played
    assert played <= set(range(1, 42))


def test_defect_allows_what_follows_from_it(empty):
    """
    What must fail may fail, and so may what is named or belongs to a named family.
    """

    @defect("AANL-001", also="AANL-002 VERW-*", pitfall=3, bulk=True)
    class loses_a_letter(Sender):  # noqa: N801  # the name of a defect is a sentence
        """Loses a letter."""

    found = empty["loses_a_letter"]
    allowed = {name for name in ("AANL-001", "AANL-002", "AANL-003", "VERW-001", "HERL-001") if found.allows(name)}
    assert allowed == {"AANL-001", "AANL-002", "VERW-001"}
    assert (found.does, found.pitfall, found.bulk) == ("Loses a letter.", 3, True)
    assert found.make.sender_class is loses_a_letter
    assert found.face == "adapter"


def test_defect_of_a_gateway_shows_on_its_own_face(empty):
    """
    What is wrong in a gateway can only be seen where the Afnemer has its own.
    """

    @defect("AANL-001")
    class never_acknowledges(EbmsGateway):  # noqa: N801  # the name of a defect is a sentence
        """Never acknowledges."""

    found = empty["never_acknowledges"]
    assert found.face == "ebms"
    assert found.make.ebms_gateway_class is never_acknowledges


@pytest.mark.usefixtures("empty")
def test_name_is_used_once():
    """
    A second defect of the same name would hide the first.
    """
    part = type("loses_a_letter", (Sender,), {"__doc__": "Loses a letter."})
    defect("AANL-001")(part)

    with pytest.raises(ValueError, match="two defects are called loses_a_letter"):
        defect("AANL-002")(part)
