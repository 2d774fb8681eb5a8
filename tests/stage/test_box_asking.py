"""Asking a Berichtenbox for abonnementen: the answer that is waited for, and what is said when none comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.abonnementen import AbonnementService
from conformance.messages.abonnement import Soort, read_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.envelope import Action
from conformance.messages.identities import reserved_test_bsns
from conformance.sno.nights import night_of
from conformance.stage.box_asking import AbonnementAsker
from conformance.stage.box_receiver import Reach
from conformance.stage.judging import NotTestedError
from conformance.transport import pki
from conformance.transport.ebms2.agreements import AgreementError
from conformance.verdicts import Reason
from conformance.verification import simulated

LISTED = BsnList.of(reserved_test_bsns()[:2])
DAY, NIGHT = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)


class RefersToNothing(AbonnementService):
    """Leaves RefToMessageId out."""

    __slots__ = ()

    def _planned(self, offer, aanvraag, asked, due):
        for planned in super()._planned(offer, aanvraag, asked, due):
            yield replace(planned, envelope=replace(planned.envelope, ref_to_message_id=None))


class NamesNothing(RefersToNothing):
    """Answers with another VerzoekId too."""

    __slots__ = ()

    def _planned(self, offer, aanvraag, asked, due):
        yield from super()._planned(offer, replace(aanvraag, verzoek_id="anders"), asked, due)


@pytest.fixture
def receiver(tmp_path, pki_directory):
    """A simulated Berichtenbox that is asked over TLS."""
    with simulated(tmp_path, pki.load(pki_directory)) as stage:
        stage.begin()
        yield stage.receiver


@pytest.fixture
def box(receiver):
    """That Berichtenbox from within."""
    return receiver.reach.restart.__self__.box


def as_live(receiver, moment):
    """Take the clock of a Berichtenbox out of reach: it works by itself, and shows no more than this moment."""
    receiver.sender = replace(receiver.sender, reaction_s=0.1)
    receiver.reach = Reach(receiver.reach.settle, business=lambda: moment)


def test_each_request_gets_its_answer(receiver, box):
    """
    Asked for at night: a list, everybody, and what changed; each answer is about its request, and is no verwerkingsbericht.
    """
    asker = AbonnementAsker(receiver)
    found = [asker.ask(LISTED), asker.ask(), asker.ask(vanaf=timedelta(days=1))]

    assert night_of(box.clock.now()) is not None
    assert [one.aanvraag.soort for one in found] == [Soort.BSN_LIJST, Soort.ALLES, Soort.MUTATIES]
    assert [read_antwoord((one.payload,)).verzoek_id for one in found] == [one.aanvraag.verzoek_id for one in found]
    assert [one.is_in_time for one in found] == [True] * 3
    assert all(one.exchanges for one in found)
    assert [message.action for message in receiver.gateway.arrived] == [Action.A_RESULT] * 3
    assert not receiver.gateway.results


@pytest.mark.parametrize(("hours", "is_in_time"), [(3, True), (5, False)])
def test_late_answer_is_waited_for(receiver, box, hours, is_in_time):
    """
    Hours later an answer is still there, in time or not.
    """
    box.fault("late-answer", hours=hours)
    found = AbonnementAsker(receiver).ask(LISTED)

    assert found.is_in_time is is_in_time
    assert list(read_antwoord((found.payload,)))


def test_answer_that_never_comes_is_too_late(receiver, box):
    """
    With a clock that can be moved, no answer after a day and more is known to be none.
    """
    box.fault("no-answer")
    found = AbonnementAsker(receiver).ask(LISTED)

    assert (found.answer, found.is_in_time, found.payload) == (None, False, b"")


@pytest.mark.parametrize(("moment", "is_by_day"), [(DAY, True), (NIGHT, False)])
def test_live_berichtenbox_is_not_waited_for_for_hours(receiver, box, moment, is_by_day):
    """
    Whoever answers later than it has to react leaves open whether it was in time, and is told what can be done about that.
    """
    box.fault("no-answer")
    as_live(receiver, moment)
    found = AbonnementAsker(receiver).ask(LISTED)

    assert (found.answer, found.is_in_time) == (None, None)
    assert found.why_not.startswith("no answer within 0.1 s, and it may take 4 hours")
    assert ("verify it between 23:00 and 07:00" in found.why_not) is is_by_day
    assert "reaction_s" in found.why_not


def test_answer_that_names_nothing_is_taken_when_no_better_one_comes(receiver, box):
    """
    What is about no batch and about no earlier request must be the answer, whatever it names.
    """
    asker = AbonnementAsker(receiver)
    asker.ask(LISTED)
    object.__setattr__(box.abonnementen, "__class__", NamesNothing)
    good = receiver.good()
    receiver.post(good)
    found = asker.ask(LISTED)

    assert read_antwoord((found.payload,)).verzoek_id == "anders"


def test_verzoek_id_is_enough(receiver, box):
    """
    An answer need not refer to the request: among what came it is the one with its VerzoekId.
    """
    object.__setattr__(box.abonnementen, "__class__", RefersToNothing)
    box.fault("answer-unknown-verzoek")
    found = AbonnementAsker(receiver).ask(LISTED)

    assert len(receiver.gateway.arrived) == 2
    assert read_antwoord((found.payload,)).verzoek_id == found.aanvraag.verzoek_id


def test_answer_to_an_earlier_request_is_not_taken(receiver, box):
    """
    An answer that comes again is that of its own request.
    """
    asker = AbonnementAsker(receiver)
    box.fault("late-answer", hours=30)
    earlier = asker.ask(LISTED)
    box.fault("no-answer")
    found = asker.ask(LISTED)

    assert earlier.answer is None
    assert any(read_antwoord((one.payloads[0].content,)).verzoek_id == earlier.aanvraag.verzoek_id for one in receiver.gateway.arrived)
    assert found.answer is None


def test_request_that_is_refused_is_not_tested(receiver, box):
    """
    An ErrorList on a good request leaves everything undecided, and tells what it says.
    """
    box.fault("error-list", error="NotSupported")
    with pytest.raises(NotTestedError, match="refuses a GLOBE-R-A-Request that is as the CPA wants it: NotSupported at") as raised:
        AbonnementAsker(receiver).ask(LISTED)

    assert raised.value.reason is Reason.NO_TRAFFIC


def test_cpa_without_the_action_is_not_tested(receiver, monkeypatch):
    """
    Under a CPA that lacks the abonnementservices nothing is asked.
    """

    def refuse(_envelope):
        raise AgreementError("it has none")

    monkeypatch.setattr(receiver.handler, "new_message", refuse)
    with pytest.raises(NotTestedError, match="the CPA has no GLOBE-R-A-Request: it has none; give the CPA") as raised:
        AbonnementAsker(receiver).ask()

    assert raised.value.reason is Reason.SERVICE_NOT_USED
