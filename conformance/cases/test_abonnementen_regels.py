"""The rules of a request for abonnementen, over every request of the run; and when and how often the Afnemer asks by itself."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta

import pytest

from conformance.afnemer.driver import DriverError
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.usage import count_of
from conformance.messages.identities import same_guid
from conformance.rules.abonnement import aanvraag_requirements
from conformance.sno.nights import dutch, night_of
from conformance.sno.quotas import outside, per_night
from conformance.stage.asking import arrived, ask, at_night, at_noon, citizens
from conformance.stage.gradings import look
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene
from conformance.verdicts import Reason


@pytest.fixture(scope="session")
def aanvragen(scene: Scene) -> None:
    """Have every kind of request made; a kind that the Afnemer does not make is left out."""
    scene.begin()
    at_night(scene)
    with citizens(scene, takers=2) as bsns:
        for soort, listed in ((Asked.ALLES, ()), (Asked.BSN_LIJST, bsns), (Asked.MUTATIES, ())):
            vanaf = scene.box.wall() - timedelta(days=1) if soort is Asked.MUTATIES else None
            with contextlib.suppress(DriverError, NotTestedError):
                ask(scene, soort, listed, vanaf)
                scene.quiet()


@pytest.mark.parametrize("requirement", [pytest.param(name, marks=decides(name)) for name in sorted(aanvraag_requirements())])
@pytest.mark.usefixtures("aanvragen")
def test_rule_holds_on_every_request(scene: Scene, judge: Judge, requirement: str) -> None:
    """No request of the run breaks the rule, and at least one could have."""
    is_decided, found = look(scene, judge, requirement)
    if not is_decided:
        raise NotTestedError(Reason.NOT_SEEN, "no request came on which this rule could decide")
    judge.findings(requirement, found)


# -- what the Afnemer asks by itself -----------------------------------------------------------------------------------------------------------


def _of_its_own(scene: Scene) -> Sequence[Bevraging]:
    """Return the requests of the run that no case had made. Raises :class:`NotTestedError` when there was no request at all."""
    seen = arrived(scene, scene.run_mark)
    if not seen:
        raise NotTestedError(Reason.NOT_SEEN, "no request for abonnementen arrived in this run; see ABO-020 to ABO-022")
    return [asked for asked in seen if not any(same_guid(asked.verzoek_id, known) for known in scene.asked_ids)]


def _deliver_by_day(scene: Scene) -> int:
    """Have a letter delivered at noon: who asks about each letter does so now. Return after which question that was; raises when none arrives."""
    at_noon(scene)
    before = scene.box.mark().bevraging
    scene.deliver_one()
    scene.quiet()
    return before


@decides("ABO-043")
@pytest.mark.usefixtures("aanvragen")
def test_own_requests_are_made_at_night(scene: Scene, judge: Judge) -> None:
    """What the Afnemer asks by itself, it asks between 23:00 and 07:00 on the Dutch clock: not with a letter that is delivered by day."""
    prompted = _deliver_by_day(scene)
    own = _of_its_own(scene)
    # A case may have moved the clock of the Berichtenbox to noon while it is night where the Afnemer is.
    by_day = outside(count_of(asked) for asked in own if asked.seq > prompted or night_of(asked.wall) is None)

    first = f", the first at {dutch(by_day[0].moment):%H:%M}" if by_day else ""
    judge.that("ABO-043", not by_day, expected="requests from 23:00 to 07:00", seen=f"{len(by_day)} of {len(own)} by day{first}")


@decides("ABO-044")
@pytest.mark.usefixtures("aanvragen")
def test_own_requests_stay_within_the_quotas(scene: Scene, judge: Judge) -> None:
    """What the Afnemer asks by itself in a night of the Berichtenbox stays below what the SNO allows all Afnemers together."""
    nights = per_night(map(count_of, _of_its_own(scene)))

    told = [sentence for night in nights.values() for sentence in night.told()]
    judge.that("ABO-044", not told, expected="at most 225 for alles, 150 for a list and 150 for mutaties a night", seen="; ".join(told))
