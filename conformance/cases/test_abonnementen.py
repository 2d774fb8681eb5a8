"""Abonnementen: what an Afnemer asks, how often, and what it makes of the three kinds of answer."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice

import pytest

from conformance.afnemer.driver import Refused
from conformance.berichtenbox.citizens import Asked
from conformance.berichtenbox.population import citizens as population
from conformance.berichtenbox.usage import Excess
from conformance.limits import limits
from conformance.messages.bsns import bsn_text
from conformance.messages.identities import passes_elfproef
from conformance.messages.moments import write_moment
from conformance.sno.nights import next_night_start
from conformance.sno.quotas import quota_of
from conformance.stage.asking import (
    NEVER_TAKEN,
    OPEN,
    RECEIVED,
    arrived,
    ask,
    at_night,
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
from conformance.stage.judging import Judge, NotTestedError, decides
from conformance.stage.scene import Scene, between_now_and_then
from conformance.verdicts import Reason

_AN_HOUR = timedelta(hours=1)


def _all_right(known: Mapping[str, bool] | None, expected: Mapping[str, bool]) -> bool:
    return known is not None and all(may_write(known, bsn) is wanted for bsn, wanted in expected.items())


# -- the three kinds ---------------------------------------------------------------------------------------------------------------------------


@decides("ABO-020")
def test_answer_to_alles_replaces_what_was_known(scene: Scene, judge: Judge) -> None:
    """Who is in the last answer may get letters, and who is not may not: not who was in the one before, and not who has no Berichtenbox."""
    at_night(scene)
    with citizens(scene, takers=2, others=2) as (stays, leaves, comes, unknown):
        first = recorded(scene, ask(scene, Asked.ALLES))
        says(scene, leaves, wants=False)
        says(scene, comes, wants=True)
        second = recorded(scene, ask(scene, Asked.ALLES))

    bsns = (stays, leaves, comes, unknown)
    holds = _all_right(first, {stays: True, leaves: True, comes: False, unknown: False})
    holds = holds and _all_right(second, {stays: True, leaves: False, comes: True, unknown: False})
    seen = f"{outcome(first, bsns)}; then {outcome(second, bsns)}"
    judge.that("ABO-020", holds, expected="yes, yes, no, no; then yes, no, yes, no", seen=seen)


@decides("ABO-021")
def test_who_is_absent_in_the_answer_to_a_list_is_a_no(scene: Scene, judge: Judge) -> None:
    """Of a list that is asked twice, who left in between is a no, however often it was a yes before."""
    at_night(scene)
    with citizens(scene, takers=2, others=2) as bsns:
        stays, leaves, comes, unknown = bsns
        first = recorded(scene, ask(scene, Asked.BSN_LIJST, bsns))
        says(scene, leaves, wants=False)
        says(scene, comes, wants=True)
        second = recorded(scene, ask(scene, Asked.BSN_LIJST, bsns))

    holds = _all_right(first, {stays: True, leaves: True, comes: False, unknown: False})
    holds = holds and _all_right(second, {stays: True, leaves: False, comes: True, unknown: False})
    seen = f"{outcome(first, bsns)}; then {outcome(second, bsns)}"
    judge.that("ABO-021", holds, expected="yes, yes, no, no; then yes, no, yes, no", seen=seen)


@decides("ABO-022")
def test_last_mutatie_counts(scene: Scene, judge: Judge) -> None:
    """After yes-no, no-yes-no and no-yes the Afnemer has no, no and yes; who tells its noes, tells those of the mutaties too."""
    at_night(scene)
    with citizens(scene, takers=1, others=2) as bsns:
        leaves, changes_twice, comes = bsns
        before = preferences(scene, ask(scene, Asked.BSN_LIJST, bsns))
        for bsn, wants in ((leaves, False), (changes_twice, True), (changes_twice, False), (comes, True)):
            says(scene, bsn, wants=wants)
        after = recorded(scene, ask(scene, Asked.MUTATIES, vanaf=scene.box.wall() - _AN_HOUR))

    tells_noes = before.get(comes) is False
    is_told = not tells_noes or (after is not None and after.get(leaves) is False and after.get(changes_twice) is False)
    holds = is_told and _all_right(after, {leaves: False, changes_twice: False, comes: True})
    seen = outcome(after, bsns) + ("" if is_told else ", of which the noes were not recorded from this answer")
    judge.that("ABO-022", holds, expected="no, no, yes", seen=seen)


@decides("ABO-024")
def test_empty_answer_is_an_answer(scene: Scene, judge: Judge) -> None:
    """An answer without anybody is received: nobody takes letters, or on mutatiebasis nothing changed."""
    at_night(scene)
    with citizens(scene, takers=1, others=1) as bsns, nobody(scene):
        told = [recorded(scene, ask(scene, Asked.ALLES)), recorded(scene, ask(scene, Asked.BSN_LIJST, bsns))]
        told += _after_no_mutatie(scene)

    seen = ", ".join(NEVER_TAKEN if known is None else f"{sum(known.values())} citizens with a yes" for known in told)
    holds = all(known is not None and not any(known.values()) for known in told)
    judge.that("ABO-024", holds, expected="every answer received, and nobody with a yes", seen=seen)


def _after_no_mutatie(scene: Scene) -> Sequence[Mapping[str, bool] | None]:
    """Return what came of a request for mutaties without any; nothing when the Afnemer does not ask so, or reaches back to some."""
    scene.box.advance(hours=5)
    try:
        verzoek = ask(scene, Asked.MUTATIES, vanaf=scene.box.clock.now() - timedelta(seconds=1))
    except Refused:
        return ()
    has_changes = any(True for _ in scene.box.abonnementen.rows(verzoek.asked, verzoek.asked.moment))
    return () if has_changes else (recorded(scene, verzoek),)


# -- on mutatiebasis ---------------------------------------------------------------------------------------------------------------------------


@decides("ABO-033")
def test_mutaties_join_up_with_the_request_before(scene: Scene, judge: Judge) -> None:
    """Mutaties without a given moment go back to the moment of the request before them, or further; what changed in between is known then."""
    at_night(scene)
    with citizens(scene, takers=1, others=1) as (leaves, comes):
        alles = ask(scene, Asked.ALLES)
        preferences(scene, alles)
        between_now_and_then()
        says(scene, leaves, wants=False)
        says(scene, comes, wants=True)
        mutaties = ask(scene, Asked.MUTATIES)
        told = recorded(scene, mutaties)

    vanaf, before = mutaties.asked.vanaf, alles.asked.wall
    joins_up = vanaf is not None and vanaf <= before
    seen = f"{'none' if vanaf is None else write_moment(vanaf)}; {outcome(told, (leaves, comes))}"
    holds = joins_up and _all_right(told, {leaves: False, comes: True})
    judge.that("ABO-033", holds, expected=f"a MutatieDatum of at most {write_moment(before)}; no, yes", seen=seen)


@decides("ABO-034")
def test_given_moment_becomes_mutatie_datum(scene: Scene, judge: Judge) -> None:
    """The MutatieDatum is the moment that was asked, or an earlier one: not that of an earlier request, and not rounded up."""
    at_night(scene)
    preferences(scene, ask(scene, Asked.ALLES))
    vanaf = (scene.box.wall() - timedelta(days=3)).replace(microsecond=400_000)
    asked = ask(scene, Asked.MUTATIES, vanaf=vanaf).asked

    seen = "none" if asked.vanaf is None else write_moment(asked.vanaf)
    holds = asked.vanaf is not None and asked.vanaf <= vanaf
    judge.that("ABO-034", holds, expected=f"MutatieDatum {write_moment(vanaf)} or earlier", seen=seen)


# -- on the way --------------------------------------------------------------------------------------------------------------------------------


@decides("ABO-035")
def test_request_that_fails_on_the_way_goes_again(scene: Scene, judge: Judge) -> None:
    """After two times 503 the request arrives, once under its VerzoekId, and its answer is taken."""
    at_night(scene)
    preferences(scene, ask(scene, Asked.BSN_LIJST, [scene.citizen()]))  # who cannot ask at all has nothing to repeat
    with citizens(scene, takers=1, others=1) as bsns:
        mark, fault = scene.box.mark(), scene.box.fault("unavailable", on="post", times=2)
        verzoek_id = request(scene, Asked.BSN_LIJST, bsns)
        scene.wait(lambda: bool(arrived(scene, mark)) and status_of(scene, verzoek_id) == RECEIVED)
        scene.quiet()
        ids = [asked.verzoek_id.lower() for asked in caused(scene, mark)]
        was_taken = bool(ids) and status_of(scene, verzoek_id) == RECEIVED

    if not fault.fired:
        raise NotTestedError(Reason.NO_TRAFFIC, "the Afnemer did not even try to send the request")
    holds = was_taken and len(set(ids)) == len(ids)
    taken = "its answer taken" if was_taken else "no answer taken"
    seen = f"{len(ids)} requests with {len(set(ids))} VerzoekIds, {taken}"
    judge.that("ABO-035", holds, expected="the request after all, once under one VerzoekId, and its answer taken", seen=seen)


def status_of(scene: Scene, verzoek_id: str) -> str:
    """Return where a request stands of which only the id by test-control is known."""
    return scene.driver.abonnementen(verzoek_id)[0]


@decides("ABO-036")
def test_no_second_request_while_one_is_open(scene: Scene, judge: Judge) -> None:
    """For as long as the answer is not there nothing is asked again; three hours later it is there, and taken."""
    at_night(scene)
    mark = scene.box.mark()
    scene.box.fault("late-answer", hours=3, times=None)
    with citizens(scene, takers=1) as bsns:
        verzoek = ask(scene, Asked.BSN_LIJST, bsns)
        for _ in range(4):
            scene.quiet()
            scene.box.advance(minutes=30)
        count = len(caused(scene, mark))
        is_open = status(scene, verzoek) == OPEN
        scene.box.advance(hours=1, minutes=1)
        is_taken = is_received(scene, verzoek)

    if not is_open or not is_taken:
        raise NotTestedError(Reason.TIMEOUT, "the request was not open for three hours and answered then; see ABO-027")
    judge.that("ABO-036", count == 1, expected="1 request as long as it is open", seen=f"{count} requests")


@decides("ABO-045")
def test_postponed_answer_is_waited_for(scene: Scene, judge: Judge) -> None:
    """A request above the quota is answered the next night; meanwhile it is repeated at most once, and the answer is taken when it comes."""
    at_night(scene)
    mark, usage = scene.box.mark(), scene.box.abonnementen.usage
    usage.excess, usage.others = Excess.POSTPONE, {str(Asked.ALLES): quota_of(Asked.ALLES)}
    verzoek = ask(scene, Asked.ALLES)
    for _ in range(4):
        scene.quiet()
        scene.box.advance(hours=1)
    until_night = next_night_start(scene.box.clock.now()) - scene.box.clock.now()
    count, is_open = len(caused(scene, mark)), status(scene, verzoek) == OPEN
    scene.box.advance(seconds=(until_night + timedelta(minutes=1)).total_seconds())
    is_taken = is_received(scene, verzoek)

    holds = count <= 2 and is_open and is_taken
    seen = f"{count} requests, {'open' if is_open else 'not open'} until then, {'taken' if is_taken else 'not taken'} when it came"
    judge.that("ABO-045", holds, expected="at most 2 requests, open until the next night, and taken then", seen=seen)


# -- lists -------------------------------------------------------------------------------------------------------------------------------------


@decides("ABO-037")
@pytest.mark.heavy
@pytest.mark.bulk
def test_million_citizens_are_asked_about(scene: Scene, judge: Judge) -> None:
    """A list of 1,000,000 BSNs arrives as it was given, and exactly those of its answer may get letters."""
    at_night(scene)
    mark, most = scene.box.mark(), limits().abonnement_bsns_max
    listed = [bsn_text(number) for number, _ in islice(population(most, seed=0), most)]
    verzoek = ask(scene, Asked.BSN_LIJST, listed)
    asked = caused(scene, mark)  # more than one, when the Afnemer splits its lists
    named: set[str] = set().union(*(one.bsns or () for one in asked))
    wanted = {bsn_text(bsn) for one in asked for bsn, _ in scene.box.abonnementen.rows(one, one.moment)}
    told = next((known for _ in range(_PATIENCE) if (known := recorded(scene, verzoek)) is not None), None)

    missing = len(set(listed) - named)
    yes = None if told is None else {bsn for bsn in listed if may_write(told, bsn)}
    seen = f"{most - missing} of them asked; {NEVER_TAKEN if yes is None else f'{len(yes)} with a yes'}"
    judge.that("ABO-037", not missing and yes == wanted, expected=f"{most} asked; {len(wanted)} with a yes", seen=seen)


_PATIENCE = 10  # times the reaction time of the Afnemer


@decides("ABO-039")
def test_impossible_bsns_are_not_asked(scene: Scene, judge: Judge) -> None:
    """Of a list with a BSN of eight digits and one that fails the elfproef, only the others are asked about; a list may be refused as a whole."""
    at_night(scene)
    with citizens(scene, takers=2) as good:
        impossible = [good[0][1:], _failing(good[1])]
        mark = scene.box.mark()
        try:
            verzoek_id = request(scene, Asked.BSN_LIJST, [good[0], *impossible, good[1]])
        except Refused:
            preferences(scene, ask(scene, Asked.BSN_LIJST, good))  # it was the impossible ones that it refused
            verzoek_id = ""
        scene.wait(lambda: bool(requests(scene, mark)) and (not verzoek_id or status_of(scene, verzoek_id) == RECEIVED))
        sent = requests(scene, mark)

    found = {finding.requirement for offer in sent if offer.grading for finding in offer.grading.findings}
    named = {bsn for asked in arrived(scene, mark) for bsn in asked.bsns or ()}
    has_impossible = bool(found & {"ABO-008", "ABO-009"})
    if not has_impossible and not named:
        raise NotTestedError(Reason.NO_TRAFFIC, why_not(scene, mark, Asked.BSN_LIJST))
    seen = f"{len(named & set(good))} of them; {'BSNs that cannot exist too' if has_impossible else 'no others'}"
    judge.that("ABO-039", not has_impossible and set(good) <= named, expected="the 2 good ones only", seen=seen)


def _failing(bsn: str) -> str:
    """Return a number of nine digits that is no BSN."""
    return next(other for digit in "0123456789" if not passes_elfproef(other := bsn[:-1] + digit))
