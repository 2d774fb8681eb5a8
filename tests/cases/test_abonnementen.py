"""The cases on abonnementen of an Afnemer: what its own requests come to, what it may refuse, and a defect of each kind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.afnemer.defects import DEFECTS
from conformance.afnemer.driver import Driver
from conformance.afnemer.drivers.python import PythonCaller
from conformance.afnemer.reference.abonnementen import Abonnees
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.berichtenbox.sql import SqlLedger
from conformance.certification import connection_of
from conformance.messages.identities import passes_elfproef
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.stage.scene import Scene
from conformance.verdicts import Reason, Verdict

AT_NIGHT = datetime(2026, 11, 24, 23, tzinfo=UTC)
BY_DAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALL = [f"ABO-{number:03}" for number in (*range(1, 15), *range(20, 40), 43, 44, 45)]
BULK = {"ABO-029", "ABO-037"}


@pytest.fixture
def box(tmp_path):
    """A Berichtenbox that works when it is told to."""
    with SqlLedger(f"sqlite:///{tmp_path / 'ledger.db'}", is_durable=False) as ledger:
        yield Berichtenbox(ledger, seed=1)


@pytest.fixture
def play(box):
    """Have an Afnemer play the cases of some requirements, and return the verdicts and messages by requirement."""

    def played(make, *requirements, asked=(), bulk=False, reaction_s=1.0):
        with running(box, works_by_itself=False) as urls:
            party = make(connection_of(box, urls, 1))
            scene = Scene(box, urls, Driver(PythonCaller.of(party)), reaction_s=reaction_s, seed=1)
            for one in asked:
                box.ledger.write([lambda writing, one=one: writing.citizens.add_bevraging(one)])
            plugin = CasePlugin(
                scene,
                Selection(frozenset(requirements), bulk=bulk),
                seed=1,
                evidence_name=None,
                started=lambda _total: None,
                step=lambda _name, _outcome: None,
            )
            results = run_cases(plugin).results
            party.close()
        return {result.requirement: result for result in results}

    return played


def own(asked, moment, count=1):
    """Requests that no case had made, each with an id of its own."""
    one = Bevraging(asked, DEFAULT_OIN, moment, moment)
    return [replace(one, verzoek_id=f"eigen-{number}") for number in range(count)]


def afnemer_with(part):
    """The reference Afnemer with other requests."""
    return type("Afnemer", (ReferenceAfnemer,), {"abonnees_class": part})


@pytest.mark.slow  # the selftest plays the reference too
def test_reference_passes_everything(play):
    """
    Who does it right passes every case, those on much traffic left out here.
    """
    results = play(ReferenceAfnemer, *ALL)

    assert {name: (result.verdict, result.message) for name, result in results.items() if result.verdict is not Verdict.PASSED} == {}
    assert set(results) == set(ALL) - BULK


@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("adds_to_what_it_knows", "ABO-020"),
        ("skips_who_is_inactief", "ABO-022"),
        ("asks_mutaties_from_now", "ABO-033"),
        ("drops_requests_that_fail", "ABO-035"),
        ("matches_answers_by_their_order", "ABO-023"),
        ("keeps_the_half_that_it_could_read", "ABO-032"),
        ("asks_under_another_action", "ABO-013"),
        ("asks_about_each_letter", "ABO-043"),
    ],
)
def test_defect_fails_its_own_case(play, name, requirement):
    """
    A defect in asking, on the way, in the answer and around it is found by the case that is about it.
    """
    assert play(DEFECTS[name].make, requirement)[requirement].verdict is Verdict.FAILED


class Mute(Abonnees):
    """Sends nothing."""

    def send_waiting(self):
        return False


# -- what the Afnemer asks by itself ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow  # idem
def test_who_asks_nothing_at_all_is_not_tested(play):
    """
    Without any request nothing is known of when it asks, and how often.
    """
    results = play(afnemer_with(Mute), "ABO-043", "ABO-044", reaction_s=0.02)

    assert {(result.verdict, result.reason) for result in results.values()} == {(Verdict.NOT_TESTED, Reason.NOT_SEEN)}


def test_who_only_asks_when_it_is_told_to_passes(play):
    """
    What the cases had it ask is no reproach, and shows that it can ask.
    """
    results = play(ReferenceAfnemer, "ABO-001", "ABO-043", "ABO-044")

    assert {result.verdict for result in results.values()} == {Verdict.PASSED}


def test_own_requests_at_night_are_fine(play):
    """
    As many as the quota, all of them at night.
    """
    asked = [*own(Asked.ALLES, AT_NIGHT, 225), Bevraging(Asked.VALIDATIE, DEFAULT_OIN, BY_DAY, BY_DAY)]

    results = play(ReferenceAfnemer, "ABO-043", "ABO-044", asked=asked)

    assert {result.verdict for result in results.values()} == {Verdict.PASSED}


@pytest.mark.parametrize(("wall", "verdict"), [(BY_DAY, Verdict.FAILED), (AT_NIGHT, Verdict.PASSED)])
def test_own_requests_by_day_are_told(play, wall, verdict):
    """
    By day on both clocks: a case may play noon while it is night where the Afnemer is.
    """
    asked = [*own(Asked.ALLES, AT_NIGHT), replace(own(Asked.MUTATIES, BY_DAY)[0], verzoek_id="overdag", wall=wall)]

    result = play(ReferenceAfnemer, "ABO-043", asked=asked)["ABO-043"]

    assert (result.verdict, result.seen) == (verdict, "1 of 2 by day, the first at 13:00" if verdict is Verdict.FAILED else "")


def test_own_requests_above_a_quota_are_told(play):
    """
    One list too many in a night is found, and what was asked by day is not counted.
    """
    asked = [*own(Asked.BSN_LIJST, AT_NIGHT, 151), *own(Asked.ALLES, BY_DAY, 300)]

    result = play(ReferenceAfnemer, "ABO-044", asked=asked)["ABO-044"]

    assert (result.verdict, result.seen) == (Verdict.FAILED, "night of 2026-11-24: 151 requests for bsn-lijst, at most 150")


def test_who_asks_by_day_only_keeps_every_quota(play):
    """
    The quotas are those of a night; that it is by day is told elsewhere.
    """
    assert play(ReferenceAfnemer, "ABO-044", asked=own(Asked.ALLES, BY_DAY, 300))["ABO-044"].verdict is Verdict.PASSED


# -- what may be refused ---------------------------------------------------------------------------------------------------------------------


class Strict(Abonnees):
    """Refuses a list with a number that is no BSN, and mutaties since a moment that is still to come."""

    def verzoek_of(self, soort, bsns, vanaf):
        if not all(map(passes_elfproef, bsns)):
            raise ValueError("one of these is no BSN")
        if vanaf is not None and datetime.fromisoformat(vanaf) > datetime.now(UTC):
            raise ValueError("that is in the future")
        return super().verzoek_of(soort, bsns, vanaf)


class Reaching(Abonnees):
    """Reaches back a month."""

    def mutatie_datum(self, vanaf):
        given = datetime.now(UTC) if vanaf is None else datetime.fromisoformat(vanaf)
        return super().mutatie_datum((given - timedelta(days=30)).isoformat())


@pytest.mark.parametrize("part", [Strict, Reaching])
def test_careful_afnemers_pass(play, part):
    """
    A list may be refused as a whole, a moment to come too, and mutaties may reach back as far as one likes.
    """
    results = play(afnemer_with(part), "ABO-022", "ABO-024", "ABO-033", "ABO-034", "ABO-039")

    assert {name: result.message for name, result in results.items() if result.verdict is not Verdict.PASSED} == {}


@pytest.mark.slow  # each case waits for what never comes
def test_who_sends_nothing_is_not_tested(play):
    """
    Without a request there is nothing to decide on, and nothing fails.
    """
    results = play(afnemer_with(Mute), "ABO-001", "ABO-022", "ABO-035", "ABO-036", "ABO-039", reaction_s=0.02)

    assert {result.verdict for result in results.values()} == {Verdict.NOT_TESTED}
    assert results["ABO-039"].reason is Reason.NO_TRAFFIC
