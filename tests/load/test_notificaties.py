"""``load notificaties``: a Berichtenbox that does it right passes, each defective one fails on its own norm, and what cannot be judged is not."""

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import httpx
import pytest

from conformance.berichtenbox.app import running
from conformance.berichtenbox.box import Berichtenbox
from conformance.berichtenbox.notificaties_defects import NOTIFICATIE_DEFECTS
from conformance.berichtenbox.sql import SqlLedger
from conformance.load import notificaties
from conformance.load.judging import DONE, SENT, Measured, case_results
from conformance.load.notificaties import ACCEPTED, BATCH, FACT, afterwards_s, rate
from conformance.load.notificaties_following import Follower
from conformance.load.notificaties_letters import HEADERS, PATH, Letters
from conformance.load.notificaties_reading import Reading, bericht_id, new_run
from conformance.load.parties import defaults
from conformance.load.plan import plan
from conformance.load.samples import Samples, Tally
from conformance.messages.moments import write_moment
from conformance.norms import count
from conformance.verdicts import Reason, Verdict

RUN = new_run("0123456789ab")
BEGIN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STEP = timedelta(seconds=1 / rate())
HOUR, DAY = "SNO-NOT-01", "SNO-NOT-02"
ORDER = "SNO-BES-02"


def planned(scale="0.002", **how):
    """Return the plan of a run of five messages, which moves the clock."""
    how = {"settings": {"phase": "moved-hour"}, "connection": defaults()} | how
    return plan("notificaties", scale=Fraction(scale), **how)


def tally_of(made, missing=0):
    """Return the tally of a run in which all messages but some were accepted, one after another."""
    accepted = [[number, 0, float(number), number + 0.5] for number in range(made.volume - missing)]
    tally = Tally(lists={ACCEPTED: accepted})
    tally.counts.update({SENT: made.volume, DONE: made.volume})
    return tally


def page_of(made, *, arrived=None, begin=BEGIN, step=STEP, letters=None):
    """Return a list as it should be: letters that arrived at ``begin`` and left a step after another."""
    numbers = range(made.volume * BATCH) if letters is None else letters
    shown = [(arrived or (lambda _n: begin))(number) for number in numbers]
    return [
        {
            "volgnummer": place + 1,
            "berichtId": bericht_id(RUN, number),
            "aangekomen": write_moment(at),
            "verzonden": write_moment(max(at, begin + place * step)),
        }
        for place, (number, at) in enumerate(zip(numbers, shown, strict=True))
    ]


def judged(made, page, *, stored=None, now=BEGIN + timedelta(days=3), begin=BEGIN, **told):
    """Return the case of each norm when this was the list."""
    reading = Reading(RUN, made.volume, begin)
    reading.take(page)
    facts = reading.facts() | {"stored": made.volume * BATCH if stored is None else stored, "now": now.timestamp(), "moved_s": 82} | told
    facts = json.loads(json.dumps(facts))  # as the master gets them
    return {case.requirement: case for case in case_results(Measured(made, Samples(), tally_of(made), facts={FACT: facts}))}


def followed(defect=None, scale="0.002", **how):
    """Run the profile against a Berichtenbox, without Locust; return the case of each norm."""
    made = planned(scale, **how)
    passed, begin = timedelta(), datetime.now(UTC)

    def pass_time(seconds):
        nonlocal passed
        passed += timedelta(seconds=seconds)
        box.settle()

    def elapsed_s():
        return passed.total_seconds()

    with SqlLedger("sqlite://") as ledger:
        box = Berichtenbox(ledger, seed=1, wall=lambda: begin + passed)
        if defect is not None:
            defect.install(box)
        with running(box) as urls, httpx.Client(base_url=urls.url, timeout=30) as client:
            follower = Follower(client, pass_time, clock=elapsed_s)
            began = follower.begin("0123456789ab")
            letters = Letters(made.connection, began)
            for number in range(made.volume):
                assert client.post(PATH, content=letters.body(number), headers=HEADERS).status_code == 200
                pass_time(0.002)  # letters of one moment have no order among them
            facts = {FACT: follower.follow(made, began, made.window_s)}
    return {case.requirement: case for case in case_results(Measured(made, Samples(), tally_of(made), facts=facts))}


def test_a_right_berichtenbox_meets_the_norms():
    """
    Everything is there in order, which a scaled run may say; the rate of the hour it never claims.
    """
    cases = followed()

    assert (cases[ORDER].verdict, cases[HOUR].verdict, cases[HOUR].reason) == (Verdict.PASSED, Verdict.NOT_TESTED, Reason.SCALED)
    assert "250 notificaties, each once" in cases[ORDER].message
    assert "the business clock was moved by 17 s" in cases[HOUR].seen


def test_a_clock_that_nobody_moves_is_waited_for():
    """
    With the clock as it is the list is read until all is there, and the outcome says which clock it was.
    """
    cases = followed(settings={"phase": "hour"})

    assert (cases[ORDER].verdict, cases[HOUR].reason) == (Verdict.PASSED, Reason.SCALED)
    assert "the clock was not moved" in cases[HOUR].seen


@pytest.mark.parametrize("defect", NOTIFICATIE_DEFECTS, ids=lambda defect: defect.name)
def test_each_defective_berichtenbox_fails_its_own_norm(defect):
    """
    Out of order, lost, twice, too soon or too slow: that norm fails, and the other does not.
    """
    cases = followed(defect)

    assert {id_ for id_, case in cases.items() if case.verdict is Verdict.FAILED} == {defect.fails}, {
        id_: case.message for id_, case in cases.items()
    }


def test_a_full_hour_claims_the_norm():
    """
    125 000 letters that leave within the hour are the norm itself; the clock may have been moved for it.
    """
    made = planned("1")

    cases = judged(made, page_of(made, letters=range(BATCH)), own=made.volume * BATCH)

    assert made.volume * BATCH == count(HOUR, "notificaties")
    assert [cases[id_].verdict for id_ in (ORDER, HOUR)] == [Verdict.PASSED] * 2
    assert "125000 an hour" in cases[HOUR].expected


@pytest.mark.parametrize(("phase", "is_claimed"), [("hour", False), ("moved-hour", True)])
def test_a_longer_window_claims_the_rate_only_of_a_backlog(phase, is_claimed):
    """
    Who offers slower than the norm asks nothing of it, unless all wait when the clock is moved.
    """
    made = planned("1", settings={"phase": phase}, window_s=7_200.0)

    assert made.can_claim is is_claimed


def test_more_than_an_hour_allows_is_a_miss(monkeypatch):
    """
    Of the clock hour, with those of others; any 60 minutes are told beside it.
    """
    made = planned()
    others = [
        {**item, "berichtId": f"{number:032x}"} for number, item in enumerate(page_of(made, letters=range(200), begin=BEGIN - timedelta(minutes=1)))
    ]
    page = [{**item, "volgnummer": place} for place, item in enumerate([*others, *page_of(made)], 1)]
    monkeypatch.setattr(notificaties, "count", lambda _norm, _number: 249)

    cases = judged(made, page)

    assert cases[HOUR].verdict is Verdict.FAILED
    assert "250 notificaties in the hour from 2026-11-24T12:00:00.000Z" in cases[HOUR].message
    assert "at most 250 in a clock hour and 450 in any 60 minutes" in cases[HOUR].seen
    assert cases[ORDER].verdict is Verdict.PASSED
    assert "200 of others" in cases[ORDER].seen


def test_a_day_has_its_own_norm():
    """
    Only the phases of a day decide it: more than it allows on one local day is a miss, and in Dutch time.
    """
    made = planned(settings={"phase": "moved-day"}, scale="0.0001")
    evening = datetime(2026, 11, 24, 22, 59, tzinfo=UTC)
    reading = Reading(RUN, made.volume, evening)
    reading._days.update({date(2026, 11, 25): count(DAY, "notificaties")})  # what a list of a day would take minutes to bring
    reading.take(page_of(made, begin=evening + timedelta(minutes=1)))
    told = reading.facts() | {"stored": made.volume * BATCH, "now": (evening + timedelta(days=3)).timestamp(), "moved_s": 0}
    cases = {case.requirement: case for case in case_results(Measured(made, Samples(), tally_of(made), facts={FACT: told}))}

    assert cases[DAY].verdict is Verdict.FAILED
    assert f"{count(DAY, 'notificaties') + made.volume * BATCH} notificaties on 2026-11-25" in cases[DAY].message
    assert (cases[HOUR].reason, judged(made, page_of(made))[DAY].reason) == (Reason.SCALED, Reason.SCALED)
    assert DAY not in judged(planned(), page_of(planned()))


def test_one_that_still_sends_is_slow_and_one_that_stopped_has_lost_them():
    """
    The same letters without a notification: it depends on whether anything still leaves.
    """
    made = planned()
    page = page_of(made, letters=range(made.volume * BATCH - 3))
    last = datetime.fromisoformat(page[-1]["verzonden"])

    slow, lossy = judged(made, page, now=last + timedelta(seconds=1)), judged(made, page, now=last + timedelta(seconds=10))

    assert (slow[ORDER].verdict, slow[HOUR].verdict) == (Verdict.PASSED, Verdict.FAILED)
    assert "3 of 250 had not left yet" in slow[HOUR].message
    assert (lossy[ORDER].verdict, lossy[HOUR].reason) == (Verdict.FAILED, Reason.SCALED)
    assert "3 letters have no notificatie, and nothing leaves any more" in lossy[ORDER].message


def test_messages_that_were_overtaken_are_out_of_order_whatever_the_list_says():
    """
    A message that was sent after another was accepted, and notified before it.
    """
    made = planned()
    letters = [*range(BATCH, 2 * BATCH), *range(BATCH), *range(2 * BATCH, 5 * BATCH)]

    cases = judged(made, page_of(made, letters=letters))

    assert cases[ORDER].verdict is Verdict.FAILED
    assert "Notificaties of 1 messages left before" in cases[ORDER].message


def test_a_day_without_notificaties_while_letters_wait_is_a_miss():
    """
    A letter that waits over a whole local day on which nothing left.
    """
    made = planned()
    page = page_of(made)
    for item in page[-5:]:
        item["verzonden"] = write_moment(BEGIN + timedelta(days=2))

    cases = judged(made, page)

    assert "Nothing left on 2026-11-25 while letters waited" in cases[ORDER].message
    assert "Behind the norm by" in cases[HOUR].message


def test_a_backlog_from_before_is_not_held_against_anybody():
    """
    Letters that arrived before the run began are due from its beginning on.
    """
    made = planned()

    cases = judged(made, page_of(made, arrived=lambda _number: BEGIN - timedelta(hours=1)))

    assert (cases[ORDER].verdict, cases[HOUR].reason) == (Verdict.PASSED, Reason.SCALED)


@pytest.mark.parametrize(
    "handler", [lambda _request: httpx.Response(404), lambda request: (_ for _ in ()).throw(httpx.ConnectError("x", request=request))]
)
def test_one_without_a_list_is_not_tested_and_is_told_what_to_do(handler):
    """
    A real Berichtenbox has no control face: nothing is sent, and the counts of an export decide.
    """
    made = planned()
    with httpx.Client(base_url="http://box.example", transport=httpx.MockTransport(handler)) as client:
        began = Follower(client).begin("0123456789ab")

    cases = case_results(Measured(made, Samples(), Tally(), facts={FACT: began}))

    assert [(case.verdict, case.reason) for case in cases] == [(Verdict.NOT_TESTED, Reason.NOT_SEEN)] * 2
    assert all("`berichtenbox sno counts`" in case.message for case in cases)


@pytest.mark.parametrize(
    ("missing", "stored", "said"),
    [
        (5, 0, "No bericht was accepted"),
        (1, 200, "Only 200 of 250 berichten were accepted: 1 x status 503"),
        (0, 249, "Of 250 accepted berichten 249 got"),
    ],
)
def test_letters_that_did_not_get_there_say_nothing_of_notificaties(missing, stored, said):
    """
    Refused, or not stored: that is a matter of other norms.
    """
    made = planned()
    tally = tally_of(made, missing)
    tally.fail("status 503")

    cases = case_results(Measured(made, Samples(), tally, facts={FACT: Reading(RUN, made.volume, BEGIN).facts() | {"stored": stored}}))

    assert {(case.verdict, case.reason) for case in cases} == {(Verdict.NOT_TESTED, Reason.NO_TRAFFIC)}
    assert all(said in case.message for case in cases)


def test_reading_goes_on_as_long_as_a_list_is_long():
    """
    What a run may take beyond its schedule grows with the letters, and with the window.
    """
    assert afterwards_s(planned("1")) > afterwards_s(planned("0.5")) > afterwards_s(planned())


def test_letters_are_the_same_for_the_same_run():
    """
    The BerichtID tells the number, and each letter of a message has its own.
    """
    letters = Letters(defaults(), {"run": RUN, "begin": BEGIN.isoformat()})

    assert letters.body(3) == letters.body(3) != letters.body(4)
    assert repr(Reading(RUN, 5, BEGIN)).startswith("Reading(run='01234567-89ab'")
