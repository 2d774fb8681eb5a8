"""The questions of ``load validatie``, what a right answer is, and when the norms are met."""

import pytest

from conformance.berichtenbox.population import citizens
from conformance.load.judging import LATE_BUSY, case_results
from conformance.load.validatie import Questions, WrongAnswer, truth_of
from conformance.messages.bsns import bsn_text
from conformance.messages.identities import passes_elfproef
from conformance.messages.validatie import Abonnement, Klant, ValidatieAntwoord, read_aanvraag
from conformance.transport import soap

NAME = "ValidateAbonnementen"


@pytest.fixture
def questions():
    return Questions("00000099000000001000", "BELAST", seed=1, truth=truth_of(7))


def answer(outcomes):
    antwoord = ValidatieAntwoord(tuple(Abonnement(Klant(bsn), takes) for bsn, takes in outcomes))
    return soap.write_envelope(antwoord.to_element(), None)


def test_question_holds_as_many_reserved_citizens_as_it_may(questions):
    """
    250 different BSNs that are reserved for tests: nobody else is ever asked about.
    """
    asked = questions.asked(3)
    (content,) = (soap.read_request(soap.CONTENT_TYPE, '"x"', questions.body(asked), "x").content,)

    assert [klant.key for klant in read_aanvraag(content).klanten] == asked
    assert len(set(asked)) == 250
    assert set(asked) <= {bsn_text(number) for number, _ in citizens(909, 0)}
    assert all(map(passes_elfproef, asked))


def test_same_seed_asks_the_same(questions):
    """
    A run can be repeated, and no two questions are the same.
    """
    assert Questions("x", "y", seed=1).asked(3) == questions.asked(3) != questions.asked(4)


def test_right_answer_may_come_in_any_order(questions):
    """
    Each citizen once, with the right outcome: that is all.
    """
    asked = questions.asked(0)

    questions.check(asked, answer([(bsn, questions.truth[bsn]) for bsn in reversed(asked)]))

    assert not all(questions.truth[bsn] for bsn in asked)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda told: told[1:], "others or not the same ones"),
        (lambda told: [*told, told[0]], "others or not the same ones"),
        (lambda told: [("999990007", True), *told[1:]], "others or not the same ones"),
        (lambda told: [(told[0][0], not told[0][1]), *told[1:]], "1 of 250 citizens have the wrong outcome"),
        (lambda told: [(bsn, True) for bsn, _ in told], "citizens have the wrong outcome"),
    ],
    ids=["missing", "twice", "another", "wrong", "always yes"],
)
def test_wrong_answer_is_seen(questions, spoil, message):
    """
    Who leaves a citizen out, adds one or says yes to everything is seen.
    """
    asked = questions.asked(0)
    told = [(bsn, questions.truth[bsn]) for bsn in asked if bsn != "999990007"]
    asked = [bsn for bsn in asked if bsn != "999990007"] if len(told) < 250 else asked

    with pytest.raises(WrongAnswer, match=message.replace("250", str(len(told)))):
        questions.check(asked, answer(spoil(told)))


@pytest.mark.parametrize("content", [b"", b"<a/>", b"not XML"], ids=["empty", "another", "text"])
def test_what_cannot_be_read_is_no_answer(questions, content):
    """
    A page of a proxy is no answer.
    """
    with pytest.raises(WrongAnswer, match="no ValidateAbonnementenResponse"):
        questions.check(questions.asked(0), content)


def test_outcomes_are_not_judged_where_nobody_knows_them():
    """
    Of a Berichtenbox that the kit did not fill only the shape of the answer is known.
    """
    questions = Questions("x", "BELAST", seed=1)
    asked = questions.asked(0)

    questions.check(asked, answer([(bsn, True) for bsn in asked]))

    assert questions.truth == {}


@pytest.mark.parametrize(
    ("answers", "rest", "volume", "longest"),
    [
        ([0.1] * 1000, {}, ("passed", None), ("passed", None)),
        ([30.0] + [0.1] * 999, {}, ("passed", None), ("passed", None)),
        ([30.001] + [0.1] * 999, {}, ("passed", None), ("failed", None)),
        ([31.0] * 1000, {"counts": {LATE_BUSY: 3}}, ("failed", None), ("failed", None)),
        ([None] + [0.1] * 999, {"failures": ["status 503"]}, ("failed", None), ("not-tested", "timeout")),
        ([None] * 1000, {"failures": ["status 503"]}, ("failed", None), ("not-tested", "no-traffic")),
        ([0.1] * 999, {"sent": 1000}, ("failed", None), ("not-tested", "timeout")),
        ([0.1] * 999, {}, ("failed", None), ("passed", None)),
    ],
    ids=["right", "exactly", "just over", "all slow", "one refused", "all refused", "one unanswered", "one not sent"],
)
def test_norms(made_run, verdicts, answers, rest, volume, longest):
    """
    All of a thousand answered right, and each within 30 seconds, which is a maximum and no percentile.
    """
    assert verdicts(made_run("validatie", {NAME: answers}, **rest)) == {"SNO-VAL-01": volume, "SNO-VAL-03": longest}


def test_verdict_says_the_figures(made_run):
    """
    Asked and seen stand beside each other.
    """
    result = case_results(made_run("validatie", {NAME: [31.5] + [0.1] * 999}))[1]

    assert result.expected == "each answer within 30 s"
    assert result.seen == "the longest took 31.500 s, 1 took longer than 30 s, 0 had no right answer"
    assert result.message == "1 of 1000 answers took longer than 30 s, the longest 31.5 s."
