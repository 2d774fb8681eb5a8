"""The requests of a night, what a right answer to each is, and when the norms of the abonnementservice are met."""

import pytest

from conformance.berichtenbox.population import citizens
from conformance.load.abonnementen import NORMS, Answers, Verzoeken, kinds
from conformance.load.leveringen import Ids
from conformance.load.plan import plan
from conformance.messages.abonnement import Soort, packed_antwoord, plain_antwoord, read_aanvraag

IDS = Ids("0123456789ab")
OIN = "00000099000000001000"
BSNS = [number for number, _ in citizens(909, 0)]


@pytest.fixture
def verzoeken():
    return Verzoeken(plan("abonnementen", connection={"oin": OIN}), IDS, BSNS)


def place_of(verzoeken, soort):
    return next(number for number in range(525) if verzoeken.kind(number) is soort)


def answered(verzoeken, number, lines, *, packed=True):
    write = packed_antwoord if packed else lambda *given: [plain_antwoord(*given)]
    return b"".join(write(OIN, verzoeken.ids.bericht(number), lines))


def test_night_has_its_quotas_spread_evenly():
    """
    225 for everybody, 150 with a list and 150 for changes, of which no kind ever runs ahead.
    """
    order = kinds(525)

    assert {soort: order.count(soort) for soort in Soort} == {Soort.ALLES: 225, Soort.BSN_LIJST: 150, Soort.MUTATIES: 150}
    assert {soort: order[:70].count(soort) for soort in Soort} == {Soort.ALLES: 30, Soort.BSN_LIJST: 20, Soort.MUTATIES: 20}


@pytest.mark.parametrize("soort", Soort)
def test_request_is_what_it_should_be(verzoeken, soort):
    """
    Each kind can be read back as that kind, with its own id and only reserved BSNs.
    """
    number = place_of(verzoeken, soort)

    aanvraag = read_aanvraag(verzoeken.document(number))

    assert (aanvraag.soort, aanvraag.oin, IDS.number_of(aanvraag.verzoek_id)) == (soort, OIN, number)
    if soort is Soort.BSN_LIJST:
        assert list(aanvraag.bsns.numbers) == verzoeken.asked(number)


def test_right_answers_are_taken_with_their_moment(verzoeken):
    """
    An answer counts from the moment at which its request was due, packed or not.
    """
    truth, answers = frozenset(BSNS[:500]), Answers(verzoeken, frozenset(BSNS[:500]))
    alles, lijst = place_of(verzoeken, Soort.ALLES), place_of(verzoeken, Soort.BSN_LIJST)

    taken = [
        answers.take(answered(verzoeken, alles, [(bsn, True) for bsn in sorted(truth)]), 100.0),
        answers.take(answered(verzoeken, lijst, [(bsn, True) for bsn in verzoeken.asked(lijst) if bsn in truth], packed=False), 200.0),
    ]

    assert taken == [True, True]
    assert answers.came == {alles: (100.0 - verzoeken.plan.due(alles), ""), lijst: (200.0 - verzoeken.plan.due(lijst), "")}


def test_wrong_answers_say_how_many_citizens_and_not_who(verzoeken):
    """
    Somebody too many, somebody too few, and somebody who was not asked about.
    """
    answers = Answers(verzoeken, frozenset(BSNS))
    alles, lijst = place_of(verzoeken, Soort.ALLES), place_of(verzoeken, Soort.BSN_LIJST)
    other = next(bsn for bsn in BSNS if bsn not in verzoeken.asked(lijst))

    answers.take(answered(verzoeken, alles, [(bsn, True) for bsn in BSNS[1:]]), 1.0)
    answers.take(answered(verzoeken, lijst, [(other, True)]), 1.0)

    assert answers.came[alles][1] == "1 citizens with the wrong outcome"
    assert answers.came[lijst][1] == "1 citizens who were not on the list"


def test_only_answers_of_this_run_are_taken(verzoeken):
    """
    What another application waits for stays in the queue; the same answer twice is counted once.
    """
    answers, number = Answers(verzoeken), place_of(verzoeken, Soort.MUTATIES)
    ours = answered(verzoeken, number, [(BSNS[0], False)])

    assert [answers.take(content, 1.0) for content in (ours, ours)] == [True, True]
    assert answers.to_json() == {"answers": [[number, 1.0 - verzoeken.plan.due(number), ""]], "twice": 1}
    for content in (b"", b"<a/>", ours[:-9], b"".join(packed_antwoord(OIN, "another", [])), b"".join(packed_antwoord(OIN, IDS.bericht(525), []))):
        assert not answers.take(content, 1.0)


# -- judging -----------------------------------------------------------------------------------------------------------------------------------

HOUR = 3_600.0
ALL = kinds(525)


def accepted(**changed):
    return {soort.value: changed.get(soort.value, [0.1] * ALL.count(soort)) for soort in Soort}


def told(without=(), late=(), wrong=(), took=2.0):
    answers = [
        [n, 5 * HOUR if n in late else took, "1 citizens with the wrong outcome" if n in wrong else ""] for n in range(525) if n not in without
    ]
    return {"answers": answers, "twice": 0, "moved_s": 0.0}


PASSED, FAILED = ("passed", None), ("failed", None)
MUTATIES = ALL.index(Soort.MUTATIES)


@pytest.mark.parametrize(
    ("facts", "in_time", "mutaties"),
    [
        (told(), PASSED, PASSED),
        (told(took=4 * HOUR), PASSED, PASSED),
        (told(took=4 * HOUR + 0.1), FAILED, PASSED),
        (told(late=[MUTATIES]), FAILED, PASSED),
        (told(without=[MUTATIES]), FAILED, FAILED),
        (told(wrong=[MUTATIES]), PASSED, FAILED),
    ],
    ids=["right", "exactly", "just over", "one late", "one missing", "one wrong"],
)
def test_norms(made_run, verdicts, facts, in_time, mutaties):
    """
    Each request answered right, within four hours; the other kinds do not suffer from one.
    """
    found = verdicts(made_run("abonnementen", accepted(), facts=facts))

    assert (found["SNO-ABO-01"], found["SNO-ABO-05"]) == (in_time, mutaties)
    assert found["SNO-ABO-03"] == found["SNO-ABO-04"] == (PASSED if facts["answers"][0][1] < 5 * HOUR else FAILED)


def test_answer_that_was_not_waited_for_is_unknown(made_run, verdicts):
    """
    Who waits a minute knows nothing of an answer that may take four hours; who moved the clock does.
    """
    short = verdicts(made_run("abonnementen", accepted(), facts=told(without=[MUTATIES]), wait_s=60))
    moved = verdicts(made_run("abonnementen", accepted(), facts=told(without=[MUTATIES]) | {"moved_s": 4 * HOUR}, wait_s=60))

    assert short["SNO-ABO-01"] == short["SNO-ABO-05"] == ("not-tested", "timeout")
    assert moved["SNO-ABO-01"] == moved["SNO-ABO-05"] == FAILED


def test_refused_request_fails_its_quota(made_run, verdicts):
    """
    The 151st request for changes may be refused, the 150th may not.
    """
    answers = accepted(mutaties=[None] + [0.1] * 149)

    found = verdicts(made_run("abonnementen", answers, facts=told(without=[MUTATIES]), failures=["mutaties: status 500"]))

    assert found == {"SNO-ABO-01": PASSED, "SNO-ABO-03": PASSED, "SNO-ABO-04": PASSED, "SNO-ABO-05": FAILED}


def test_nothing_accepted_is_no_answer_in_time(made_run, verdicts):
    """
    Who accepts no request answers none too late, and passes nothing.
    """
    answers = {soort.value: [None] * ALL.count(soort) for soort in Soort}

    found = verdicts(made_run("abonnementen", answers, facts=told(without=range(525))))

    assert found == {"SNO-ABO-01": ("not-tested", "no-traffic")} | dict.fromkeys(NORMS.values(), FAILED)


def test_requests_accepted_after_the_night_are_too_late(made_run, verdicts):
    """
    A night has eight hours.
    """
    assert verdicts(made_run("abonnementen", accepted(), facts=told(), last=8 * HOUR + 61))["SNO-ABO-03"] == FAILED


def test_scale_without_a_kind_leaves_it_untested(made_run, verdicts):
    """
    At a five hundredth there are two requests, and no verdict on the third kind.
    """
    order = kinds(2)
    answers = {soort.value: [0.1] * order.count(soort) for soort in Soort}

    found = verdicts(made_run("abonnementen", answers, scale="1/500", facts={"answers": [[0, 1.0, ""], [1, 1.0, ""]]}))

    assert sorted(found.values()) == [("not-tested", "no-traffic"), *[("not-tested", "scaled")] * 3]
