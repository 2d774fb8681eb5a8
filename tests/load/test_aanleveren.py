"""Results of a run, and when a Berichtenbox takes 45 a second, loses nothing and processes in time."""

import gzip
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from conformance.load.aanleveren import UNACCEPTED, Results
from conformance.load.leveringen import Ids
from conformance.load.plan import EBMS, plan
from conformance.messages.identities import NIL_GUID
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode

IDS = Ids("0123456789ab")
OIN = "00000099000000001000"
RECEIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PASSED, FAILED = ("passed", None), ("failed", None)


@pytest.fixture
def results():
    return Results(plan("aanleveren", scale=Fraction(1, 270)), IDS, 5)


def result(batch, numbers, code=VerwerkingsCode.VERWERKT, *, took=timedelta(seconds=1)):
    told = [Resultaat(NIL_GUID if number is None else IDS.bericht(number), "BELAST", code) for number in numbers]
    return Verwerkingsbericht.about(OIN, IDS.batch(batch), RECEIVED, RECEIVED + took, told).to_xml()


def test_results_are_counted_by_bericht(results):
    """
    Ten berichten in two batches: all have a result, whether it came packed, split or in another order.
    """
    assert results.take(result(1, range(5, 10)), 3.0)
    assert results.take(gzip.compress(result(0, [4, 2])), 1.0)
    assert not results.is_complete
    assert results.take(result(0, [0, 1, 3]), 2.0)

    told = results.to_json()

    assert results.is_complete
    assert (told["codes"], told["missing"], told["contradicted"], told["late"]) == ({"Verwerkt": 10}, [], 0, 0)
    assert told["slowest_s"] == pytest.approx(3.0 - 1 / 9)
    assert repr(results) == "<Results: 10 of 10 berichten>"


def test_who_loses_one_of_a_batch_is_seen(results):
    """
    A bericht without a result is missing, by its batch.
    """
    results.take(result(0, [0, 1, 3, 4]), 1.0)

    assert results.to_json()["missing"] == [[0, 1], [1, 5]]


def test_result_that_is_offered_again_is_no_second_one(results):
    """
    Offering again is right; saying something else is not.
    """
    for code in (VerwerkingsCode.VERWERKT, VerwerkingsCode.VERWERKT, VerwerkingsCode.TECHNISCH_PROBLEEM):
        results.take(result(0, [0], code), 1.0)

    assert (results.seen, results.contradicted) == (1, 1)


def test_refusal_of_a_whole_batch_is_about_all_of_it(results):
    """
    With the nil BerichtID only the BatchID is known: each of its berichten has that result.
    """
    results.take(result(1, [None], VerwerkingsCode.XML_VALIDATIE), 1.0)

    assert results.to_json()["codes"] == {"XmlValidatieTegenXsdValtNegatiefUit": 5}


def test_processing_time_is_also_what_the_result_says(results):
    """
    A result that says that it took 25 hours is late, whenever it came.
    """
    results.take(result(0, [0], took=timedelta(hours=25)), 1.0)

    assert (results.late, results.slowest_s) == (1, 90_000)


def test_results_of_others_stay_in_the_queue(results):
    """
    Of another run, of a batch that was never sent, or unreadable: not ours.
    """
    other = Verwerkingsbericht.about(OIN, "x", RECEIVED, RECEIVED, [Resultaat(Ids("ffffffffffff").bericht(0), "BELAST", VerwerkingsCode.VERWERKT)])

    assert not results.take(other.to_xml(), 1.0)
    assert not results.take(result(7, [None]), 1.0)
    assert not results.take(result(7, [35]), 1.0)
    for content in (b"", b"<a/>", gzip.compress(b"x")[:-3]):
        assert not results.take(content, 1.0)


# -- judging -----------------------------------------------------------------------------------------------------------------------------------


def told(codes=None, missing=(), **more):
    return {"codes": codes or {"Verwerkt": 2_700}, "missing": list(missing), "contradicted": 0, "late": 0, "slowest_s": 1.0} | more


ALL = {"batch": [0.1] * 540}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (told(), PASSED),
        (told({"Verwerkt": 2_699}, [[7, 1]]), FAILED),
        (told(late=1), FAILED),
        (told(contradicted=1), FAILED),
        (told({"Verwerkt": 2_699, "TechnischProbleem": 1}), FAILED),
        (told({"Verwerkt": 2_699, "NietActiefOfGeabonneerd": 1}), PASSED),
    ],
    ids=["right", "one lost", "one late", "contradicted", "trouble", "not active"],
)
def test_every_accepted_bericht_has_its_result_in_time(made_run, verdicts, facts, verdict):
    """
    One bericht of 2 700 that is lost, late or in trouble is one too many; a citizen who takes no letters is no loss.
    """
    assert verdicts(made_run("aanleveren", ALL, facts=facts)) == {"SNO-BER-03": PASSED, "SNO-BER-04": verdict, "SNO-OPS-04": PASSED}


@pytest.mark.parametrize(("last", "verdict"), [(60.0, PASSED), (61.0, PASSED), (61.001, FAILED)])
def test_rate_is_kept_to_the_end(made_run, verdicts, last, verdict):
    """
    Whoever accepts the last batch more than a second after the window did not take 45 a second.
    """
    assert verdicts(made_run("aanleveren", ALL, last=last, facts=told()))["SNO-BER-03"] == verdict


def test_refused_batch_fails_the_rate_and_is_not_lost(made_run, verdicts):
    """
    Who refuses above so many a second does not take the rate; what was refused needs no result.
    """
    measured = made_run("aanleveren", {"batch": [0.1] * 539 + [None]}, failures=["batch: status 429"], facts=told({"Verwerkt": 2_695}, [[539, 5]]))
    measured.tally.note(UNACCEPTED, 539)

    assert verdicts(measured) == {"SNO-BER-03": FAILED, "SNO-BER-04": PASSED, "SNO-OPS-04": FAILED}


def test_results_that_were_not_waited_for_are_unknown(made_run, verdicts):
    """
    A minute is no 24 hours; a clock that was moved is.
    """
    facts = told({"Verwerkt": 2_699}, [[7, 1]])

    assert verdicts(made_run("aanleveren", ALL, facts=facts, wait_s=60))["SNO-BER-04"] == ("not-tested", "timeout")
    assert verdicts(made_run("aanleveren", ALL, facts=facts | {"moved_s": 86_400}, wait_s=60))["SNO-BER-04"] == FAILED


def test_batches_that_were_not_sent_prove_nothing(made_run, verdicts):
    """
    Half of a schedule is no rate.
    """
    assert verdicts(made_run("aanleveren", {"batch": [0.1] * 270}, facts=told({"Verwerkt": 1_350})))["SNO-BER-03"] == FAILED


def test_nothing_accepted_leaves_the_term_open(made_run, verdicts):
    """
    Who accepts nothing processes nothing too late, and passes nothing.
    """
    found = verdicts(made_run("aanleveren", {"batch": [None] * 540}, failures=["batch: status 500"], facts=told({"x": 0})))

    assert found == {"SNO-BER-03": FAILED, "SNO-BER-04": ("not-tested", "no-traffic"), "SNO-OPS-04": FAILED}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [({"codes": {"Verwerkt": 2_700}}, PASSED), ({"codes": {"Verwerkt": 2_699}, "moved_s": 1.0}, FAILED), ({}, ("not-tested", "not-seen"))],
    ids=["all", "one lost", "no control face"],
)
def test_over_ebms_the_ledger_tells_what_was_decided(made_run, verdicts, facts, verdict):
    """
    Over ebMS2 results go elsewhere: only a control face tells how many were decided, and without one nobody knows.
    """
    assert verdicts(made_run("aanleveren", ALL, facts=facts, settings={"face": EBMS}))["SNO-BER-04"] == verdict
