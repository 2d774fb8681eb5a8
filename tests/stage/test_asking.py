"""How cases ask for abonnementen: citizens of their own, requests that arrive or not, and what is remembered of them."""

from datetime import timedelta

import pytest

from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.abonnementen import Abonnees
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.citizens import Asked
from conformance.certification import connection_of
from conformance.sno.nights import night_of
from conformance.stage import asking
from conformance.stage.asking import (
    OPEN,
    arrived,
    ask,
    at_night,
    at_noon,
    caused,
    citizens,
    is_received,
    may_write,
    nobody,
    outcome,
    preferences,
    recorded,
    request,
    requests,
    says,
    status,
    why_not,
)
from conformance.stage.judging import NotTestedError
from conformance.verdicts import Reason

NOON, MIDNIGHT = 11, 23  # UTC, of which both are at a distance from the limits of the night


class Silent(Abonnees):
    """Keeps its requests to itself."""

    def send_waiting(self):
        return False


class Broken(Abonnees):
    """Writes half of a request."""

    def payload_of(self, verzoek):
        return super().payload_of(verzoek)[:100]


class Renaming(Abonnees):
    """Has other ids in its messages than it tells."""

    def payload_of(self, verzoek):
        return super().payload_of(verzoek).replace(verzoek.verzoek_id.encode(), b"0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01")


@pytest.fixture
def asks_with(box, urls, make_scene):
    """Put an Afnemer on the stage whose requests are made by this class."""
    parties = []

    def staged(part):
        party = type("Afnemer", (ReferenceAfnemer,), {"abonnees_class": part})(connection_of(box, urls, 1))
        parties.append(party)
        return make_scene(PythonCaller.of(party), reaction_s=0.1)

    yield staged
    for party in parties:
        party.close()


def move_to(scene, hour):
    """Move the clock to an hour of the day after tomorrow."""
    now = scene.box.clock.now()
    scene.box.clock.advance((now + timedelta(days=2)).replace(hour=hour) - now)


def takers(scene, bsns):
    """Who of these takes letters, according to the Berichtenbox."""
    return [scene.box.register.wants(bsn, scene.box.config.oin) for bsn in bsns]


@pytest.mark.parametrize("hour", [NOON, MIDNIGHT])
def test_clock_moves_into_the_night_and_the_day(scene, hour):
    """
    A case may begin at any hour: it finds itself in the night or the day that it wants, and is left alone when it is there.
    """
    move_to(scene, hour)

    at_night(scene)
    night = scene.box.clock.now()
    at_night(scene)
    later = scene.box.clock.now()
    at_noon(scene)

    assert night_of(night) is not None
    assert (later - night).total_seconds() < 60
    assert night_of(scene.box.clock.now()) is None


def test_noon_comes_by_day_too(scene):
    """
    From one noon the next is a day away.
    """
    move_to(scene, NOON)

    at_noon(scene)

    assert night_of(scene.box.clock.now()) is None


def test_citizens_are_put_back(scene):
    """
    A case has takers and others of its own; afterwards all of them take letters, whatever was said meanwhile.
    """
    with citizens(scene, takers=2, others=2) as bsns:
        during = takers(scene, bsns)
        says(scene, bsns[0], wants=False)
        says(scene, bsns[3], wants=True)
        changed = takers(scene, bsns)

    assert during == [True, True, False, False]
    assert changed == [False, True, False, True]
    assert takers(scene, bsns) == [True] * 4


def test_nobody_takes_letters_for_a_while(scene):
    """
    Everybody leaves and comes back, and it is no mutatie of anybody.
    """
    bsn = scene.citizen()
    before = scene.box.clock.now()

    with nobody(scene):
        during = takers(scene, [bsn])

    assert (during, takers(scene, [bsn])) == ([False], [True])
    assert not list(scene.box.ledger.citizens.changed(scene.box.config.oin, before, scene.box.clock.now()))


def test_large_population_is_left_alone(scene, monkeypatch):
    """
    Ten million citizens are not changed for one case.
    """
    monkeypatch.setattr(asking, "_MOST_CHANGED", 1)

    with pytest.raises(NotTestedError, match="use a smaller population") as raised, nobody(scene):
        pass

    assert raised.value.reason is Reason.KIT_LIMIT


def test_request_and_its_answer(scene):
    """
    What arrived is returned with its id, and remembered as the kit's; of the answer each citizen is told.
    """
    mark = scene.box.mark()
    with citizens(scene, takers=1, others=1) as bsns:
        verzoek = ask(scene, Asked.BSN_LIJST, bsns)
        known = preferences(scene, verzoek)

    assert verzoek.asked in arrived(scene, mark)
    assert len(requests(scene, mark)) == len(requests(scene)) == len(asking.answers(scene)) == 1
    assert scene.asked_ids == [verzoek.id, verzoek.asked.verzoek_id]
    assert is_received(scene, verzoek)
    assert [may_write(known, bsn) for bsn in (*bsns, "999990007")] == [True, False, False]
    assert outcome(known, bsns) == "yes, no"


def test_open_request_has_no_outcome(scene):
    """
    As long as the answer is away, the request is open and nothing is known of it.
    """
    scene.box.fault("no-answer")

    verzoek = ask(scene, Asked.ALLES)

    assert status(scene, verzoek) == OPEN
    assert recorded(scene, verzoek) is None
    assert outcome(None, ["999990007"]) == "the answer was never taken"
    with pytest.raises(NotTestedError, match="did not take the answer within its time"):
        preferences(scene, verzoek)


def test_other_id_in_the_message_is_remembered_too(asks_with):
    """
    The id by test-control need not be the VerzoekId: then the newest request is the one, and both are the kit's.
    """
    scene = asks_with(Renaming)

    verzoek = ask(scene, Asked.ALLES)

    assert verzoek.asked.verzoek_id == "0b0d5a4e-61a5-4a5c-9df5-0f1f7a4b7a01"
    assert scene.asked_ids == [verzoek.id, verzoek.asked.verzoek_id]


def test_what_the_kit_caused_is_remembered(scene):
    """
    Whatever comes because a case asked for something, is not what the Afnemer does by itself.
    """
    mark = scene.box.mark()
    verzoek_id = request(scene, Asked.ALLES)
    scene.quiet()

    found = caused(scene, mark)

    assert [asked.verzoek_id for asked in found] == [verzoek_id]
    assert scene.asked_ids == [verzoek_id] * 2


@pytest.mark.parametrize(
    ("part", "why"), [(Silent, "the request for alles never reached the Berichtenbox"), (Broken, "cannot read the request for alles; mend ABO-001")]
)
def test_request_that_is_not_there_says_why(asks_with, part, why):
    """
    Nothing came, or nothing that can be read: the case has nothing to decide on.
    """
    scene = asks_with(part)
    mark = scene.box.mark()

    with pytest.raises(NotTestedError, match=why):
        ask(scene, Asked.ALLES)

    assert why in why_not(scene, mark, Asked.ALLES)
