"""Documents of which is known what becomes of them: the rules and the schema say the same, each kind of change comes, and ids are new."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.berichtenbox.decide import Circumstances, decide
from conformance.messages.guard import parse
from conformance.messages.identities import flat_party, reserved_test_bsns
from conformance.messages.validatie import ACTION, MOST_KLANTEN, UnreadableValidatie, read_aanvraag
from conformance.rules.findings import Connection, Knowledge
from conformance.rules.grading import grade_offer
from conformance.strategies_expected import BATCH_CHANGES, VALIDATIE_CHANGES, expected_batches, expected_validaties, with_fresh_ids
from conformance.transport.soap import read_request

OIN, TYPE, NOW = "00000099000000001000", "BELAST", datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KNOWN = Knowledge(NOW, Connection("cpa", flat_party(OIN), flat_party("00000099000000002000"), frozenset({OIN})), {TYPE: True})
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("change", ["", *BATCH_CHANGES])
def test_batch_gets_the_code_that_is_expected(change):
    """
    A simulated Berichtenbox decides what the strategy expects, and `berichtenbox check` has something to say of every change.
    """

    @FEW
    @given(expected_batches(OIN, TYPE, NOW, (change,)))
    def decided(expected):
        grading, batch = grade_offer(expected.document, KNOWN)
        codes = tuple(result.code for result in decide(batch, grading, Circumstances((), lambda *_letter: True)))
        serious = {finding.requirement for finding in grading.findings if not finding.is_note}
        assert (expected.change, codes) == (change, expected.codes)
        assert bool(serious) or not change

    decided()


@FEW
@given(expected_batches(OIN, TYPE, NOW))
def test_batch_names_reserved_test_bsns_only(expected):
    """
    No generated citizen can be a real one.
    """
    assert {element.text for element in parse(expected.document).iter("{*}GebruikerID")} <= set(reserved_test_bsns())


@FEW
@given(expected_batches(OIN, TYPE, NOW, ("",)))
def test_fresh_ids_are_new_and_fit_each_other(expected):
    """
    Every id is another one, and what was the same is the same.
    """
    before, after = (grade_offer(document, KNOWN)[1] for document in (expected.document, with_fresh_ids(expected.document)))

    assert after.batch_id != before.batch_id
    assert {bericht.batch_id for bericht in after.berichten} == {after.batch_id}
    assert not {bericht.bericht_id for bericht in after.berichten} & {bericht.bericht_id for bericht in before.berichten}
    assert [bericht.onderwerp for bericht in after.berichten] == [bericht.onderwerp for bericht in before.berichten]


@pytest.mark.parametrize("change", ["", *VALIDATIE_CHANGES])
def test_question_is_right_or_wrong_as_expected(change):
    """
    The schema refuses exactly the questions of which a Fault Client is expected; what is wrong with the others shows in their values.
    """

    @FEW
    @given(expected_validaties(OIN, TYPE, (change,)))
    def judged(expected):
        content = read_request("text/xml", '""', expected.document, ACTION).content
        if expected.expected == "Client":
            with pytest.raises(UnreadableValidatie, match="ValidateAbonnementen"):
                read_aanvraag(content)
            return
        question = read_aanvraag(content)
        keys = [klant.key for klant in question.klanten]
        is_right = (question.leverancier_code, question.bericht_type) == (OIN, TYPE) and 1 <= len(keys) <= MOST_KLANTEN and all(keys)
        assert is_right == (expected.expected == "")
        assert expected.bsns == tuple(key or "" for key in keys)

    judged()


@FEW
@given(st.data())
def test_every_change_may_come(data):
    """
    Without a choice of changes, each is one that there is.
    """
    assert data.draw(expected_batches(OIN, TYPE, NOW)).change in {"", *BATCH_CHANGES}
    assert data.draw(expected_validaties(OIN, TYPE)).change in {"", *VALIDATIE_CHANGES}
