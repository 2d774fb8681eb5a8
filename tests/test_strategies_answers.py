"""What a Berichtenbox sends an Afnemer, generated: right documents are right and wrong ones are not, whatever names are written in them."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings

from conformance.checking import UnreadableFile, check_file
from conformance.messages.abonnement import read_antwoord
from conformance.messages.guard import parse
from conformance.messages.unpack import unpack
from conformance.messages.validatie import Abonnement, Klant, ValidatieAntwoord
from conformance.messages.validatie import read_antwoord as read_validatie
from conformance.messages.verwerkingsbericht import VerwerkingsCode, read_verwerkingsbericht
from conformance.strategies_answers import (
    TAKERS,
    about_batch,
    about_request,
    damaged_results,
    in_body,
    is_antwoord,
    is_result,
    is_validatie,
    nearly_right_results,
    right_antwoorden,
    right_results,
    right_validaties,
    wrong_antwoorden,
    wrong_validaties,
)
from conformance.transport import soap

OIN, TYPE, NOW = "00000099000000001000", "BELAST", datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BATCH = "7D8F2F6E-7f5d-4b52-9f0e-6c1a34b1a001"
IDS = ("7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a011", "7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a012", "7d8f2f6e-7f5d-4b52-9f0e-6c1a34b1a013")
BSNS = ("999990007", "999990019", "999990020")
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def envelope():
    """Return an answer of the validatieservice as it goes out."""
    return soap.write_envelope(ValidatieAntwoord(tuple(Abonnement(Klant(bsn), is_bericht_sturen=False) for bsn in BSNS)).to_element())


def is_explained(document):
    """Tell whether a check finds something, or says that it cannot read a result in it."""
    try:
        return bool(check_file(document, "result.xml").findings)
    except UnreadableFile as refusal:
        return bool(str(refusal))


@FEW
@given(right_results(OIN, TYPE, NOW))
def test_right_result_says_what_it_says(answer):
    """
    The schema takes it, and it gives each bericht of the batch its code, by its own id in any case.
    """
    document = unpack(answer.about(about_batch(BATCH, IDS)))
    result = read_verwerkingsbericht(parse(document))

    assert {item.bericht_id.lower(): item.code for item in result.resultaten} == dict(zip(IDS, answer.codes, strict=False))
    assert result.batch_id.lower() == BATCH.lower()
    assert "right answer of" in repr(answer)


@FEW
@given(nearly_right_results(OIN, TYPE, NOW))
def test_nearly_right_result_is_explained(answer):
    """
    The schema does not take it, and `berichtenbox check` says what is wrong with it, or that it is no result at all.
    """
    document = answer.about(about_batch(BATCH, IDS))

    assert not is_result(document)
    assert "changed" in repr(answer)
    assert is_explained(document)


@FEW
@given(damaged_results(OIN, TYPE, NOW))
def test_damaged_result_is_none(answer):
    """
    Nobody can take it for a result.
    """
    assert not answer.is_right
    assert not is_result(answer.about({}))


@FEW
@given(right_antwoorden(OIN))
def test_right_antwoord_names_who_takes_letters(answer):
    """
    It answers the request, and says yes of two citizens and never of the third.
    """
    document = answer.about(about_request("verzoek <1>", BSNS))
    lines = {(f"{regel.number:09}", regel.is_actief) for regel in read_antwoord([document])}

    assert is_antwoord(document, "verzoek <1>")
    assert lines - {(BSNS[TAKERS], False)} == {(bsn, True) for bsn in BSNS[:TAKERS]}


@FEW
@given(wrong_antwoorden(OIN))
def test_wrong_antwoord_is_none(answer):
    """
    Nobody can read it as the answer to the request.
    """
    assert not answer.is_right
    assert not is_antwoord(answer.about({}))


@FEW
@given(right_validaties())
def test_right_validatie_tells_of_everybody(answer):
    """
    In an envelope it is an answer that the schema takes, with the right outcome of everybody.
    """
    document = in_body(answer, BSNS, envelope())
    told = {one.klant.key: one.is_bericht_sturen for one in read_validatie(parse(document)[-1][0]).abonnementen}

    assert is_validatie(document)
    assert told == dict(zip(BSNS, (True, True, False), strict=True))


@FEW
@given(wrong_validaties())
def test_wrong_validatie_is_none(answer):
    """
    In an envelope it is nothing that the schema takes, but where the damage did no harm.
    """
    document = in_body(answer, BSNS, envelope())

    assert not answer.is_right
    assert answer.damage or not is_validatie(document)


@pytest.mark.parametrize("document", [b"", b"<a/>", b"<a><b/></a>", b"<a><b><c/></b></a>"])
def test_other_documents_are_nothing(document):
    """
    What is none of the three is taken for none of them.
    """
    assert (is_result(document), is_antwoord(document), is_validatie(document)) == (False, False, False)


def test_codes_can_be_chosen():
    """
    Who wants only refusals gets those.
    """

    @FEW
    @given(right_results(OIN, TYPE, NOW, (VerwerkingsCode.BIJLAGE_TE_GROOT,), 1))
    def refused(answer):
        assert answer.codes == (VerwerkingsCode.BIJLAGE_TE_GROOT,)

    refused()
