"""Generated exchanges with a Berichtenbox: what is held against its answers, one by one."""

from contextlib import closing

import pytest

from conformance.messages.verwerkingsbericht import VerwerkingsCode
from conformance.stage.generated import Generating, Posted
from conformance.stage.judging import NotTestedError
from conformance.stage.wus_answers import written
from conformance.strategies_expected import ExpectedBatch
from conformance.transport.ebms2.http import HttpAnswer, HttpOutcome, Trouble, TroubleKind
from conformance.verdicts import Reason
from conformance.verification import simulated


@pytest.fixture
def stage(tmp_path):
    """Give a Berichtenbox that does it right."""
    with simulated(tmp_path) as found:
        yield found


@pytest.fixture
def generating(stage):
    """Give what talks to it."""
    with closing(Generating(stage)) as found:
        yield found


@pytest.mark.parametrize(
    "hunt",
    [
        Generating.right_validaties,
        *(
            pytest.param(hunt, marks=pytest.mark.slow)  # the selftest plays all of them
            for hunt in (
                Generating.nearly_right_validaties,
                Generating.damaged_validaties,
                Generating.leaking_validaties,
                Generating.batches,
                Generating.sequences,
                Generating.damaged_messages,
            )
        ),
    ],
    ids=lambda hunt: hunt.__name__,
)
def test_right_berichtenbox_is_never_caught(generating, stage, hunt):
    """
    Nothing goes wrong with one that does it right, and it was asked something.
    """
    assert hunt(generating) is None
    assert stage.receiver.gateway.count >= 40


@pytest.mark.parametrize("hunt", [Generating.batches, Generating.sequences], ids=lambda hunt: hunt.__name__)
def test_nothing_is_decided_where_nobody_takes_letters(generating, monkeypatch, hunt):
    """
    Who refuses every letter for its citizen proves nothing about what else it looks at.
    """
    monkeypatch.setattr("conformance.berichtenbox.register.Register.wanting", lambda *_: frozenset())

    with pytest.raises(NotTestedError, match="active and subscribed") as caught:
        hunt(generating)

    assert caught.value.reason is Reason.NO_TRAFFIC


def test_only_the_last_exchange_is_in_the_evidence(generating, stage):
    """
    Of many questions the last one is told.
    """
    generating.right_validaties()

    assert len(stage.receiver.gateway.exchanges(stage.receiver.start)) == 1


def test_answer_about_others_is_caught(generating, stage, monkeypatch):
    """
    An answer that is as described and about somebody else, and one without anybody's.
    """
    other = stage.ask(written(stage.question("999990007", "999990019")))
    monkeypatch.setattr(Generating, "_ask", lambda _self, _posted: other)

    caught = generating.right_validaties()

    assert caught.wrong.endswith("about 2 of 1 citizens")


def test_data_for_what_is_no_question_is_caught(generating, stage, monkeypatch):
    """
    Whoever answers anything with data answers what the schema does not take.
    """
    data = stage.ask(written(stage.question()))
    monkeypatch.setattr(Generating, "_ask", lambda _self, _posted: data)

    assert "data for a question that is no valid one" in generating.damaged_validaties().wrong
    assert "with who wants letters" in generating.nearly_right_validaties().wrong


@pytest.mark.parametrize("name", ["nearly_right_validaties", "damaged_validaties", "damaged_messages", "batches"])
def test_bare_500_is_caught(generating, stage, monkeypatch, name):
    """
    A bare 500 is described nowhere.
    """
    bare = HttpAnswer(500)
    monkeypatch.setattr(Generating, "_ask", lambda _self, _posted: bare)
    monkeypatch.setattr(Generating, "_post", lambda _self, _posted: bare)
    monkeypatch.setattr(stage.receiver, "post", lambda _message: HttpOutcome(bare))

    assert "HTTP 500" in getattr(generating, name)().wrong


def test_unexpected_code_is_caught(generating):
    """
    A result with another VerwerkingsCode, and no result at all, are told beside what was expected.
    """
    batch = generating._receiver.batch()
    generating._receiver.post(generating._receiver.message(batch.to_xml()))

    wrong = generating._wrong_results(batch, [VerwerkingsCode.BIJLAGE_TE_GROOT])
    none = generating._wrong_results(generating._receiver.batch(), [VerwerkingsCode.XML_VALIDATIE])

    assert wrong == "expected BijlageTeGroot; seen Verwerkt"
    assert none.endswith("seen no result within the time to react")


def test_sequence_that_is_answered_wrongly_is_caught(generating, monkeypatch):
    """
    A step that goes wrong is told by its name, and so is a copy that has a result of its own.
    """
    wrongs = iter(["", "stored again"])
    monkeypatch.setattr(Generating, "_wrong_results", lambda _self, _batch, _codes: next(wrongs, ""))
    monkeypatch.setattr(Generating, "_results_on", lambda _self, _batch: ["one", "two"])

    assert generating._wrong_sequence(["same letter"]) == "same letter: stored again"
    assert generating._wrong_sequence(["same message"]) == "same message: 2 results on a batch of one bericht"


def test_new_letter_that_is_not_taken_is_caught(generating, monkeypatch):
    """
    When the first letter gets no Verwerkt, the sequence ends there.
    """
    monkeypatch.setattr(Generating, "_wrong_results", lambda _self, _batch, _codes: "no result")

    assert generating._wrong_sequence(["same message"]) == "a new letter: no result"


def test_nobody_there_is_not_tested(generating, stage, monkeypatch):
    """
    A connection that is refused is no finding; one that is broken off is.
    """
    refused = HttpOutcome(trouble=Trouble(TroubleKind.REFUSED, "nobody is there"))
    monkeypatch.setattr(stage.receiver.gateway, "post", lambda *_args, **_more: refused)
    with pytest.raises(NotTestedError, match="nobody is there") as raised:
        generating.damaged_messages()

    broken = HttpOutcome(trouble=Trouble(TroubleKind.RESET, "closed"))
    monkeypatch.setattr(stage.receiver.gateway, "post", lambda *_args, **_more: broken)

    assert raised.value.reason is Reason.UNREACHABLE
    assert generating.damaged_messages().wrong == "no HTTP answer"


def test_unreadable_result_has_no_codes(generating, stage, monkeypatch):
    """
    A result that cannot be read says nothing of any bericht.
    """
    batch = generating._receiver.batch()
    generating._receiver.post(generating._receiver.message(batch.to_xml()))
    generating._receiver.wait(lambda: bool(stage.receiver.gateway.results))
    result = stage.receiver.gateway.results[-1]
    monkeypatch.setattr("conformance.stage.generated.unpack", lambda _content: b"no xml")

    assert result.payloads
    assert generating._results_on(batch) == []


def test_examples_show_no_content():
    """
    What is told of an example has no BSN in it.
    """
    assert repr(Posted("text/xml", b"<a/>")) == "<4 bytes as 'text/xml'>"
    assert "999990007" not in repr(ExpectedBatch(b"999990007", (VerwerkingsCode.VERWERKT,)))


@pytest.mark.parametrize(
    ("wrongs", "told"),
    [
        (["", ""], ""),
        (["no result"], "of a letter that was acknowledged before the restart: no result"),
        (
            ["", "expected BerichtBestaatAl; seen Verwerkt"],
            "the same letter in another batch after the restart: expected BerichtBestaatAl; seen Verwerkt",
        ),
    ],
)
def test_what_is_lost_at_a_restart_is_told(generating, monkeypatch, wrongs, told):
    """
    A result that never comes, and a letter that is not known any more.
    """
    found = iter(wrongs)
    monkeypatch.setattr(Generating, "_wrong_results", lambda _self, _batch, _codes: next(found))

    assert generating.wrong_after_restart() == told


def test_restart_decides_nothing_without_an_acknowledgment(generating, stage, monkeypatch):
    """
    What was never acknowledged may be lost.
    """
    monkeypatch.setattr(stage.receiver, "signals", lambda _message_id: [])

    with pytest.raises(NotTestedError, match="see EBMS-046") as raised:
        generating.wrong_after_restart()

    assert raised.value.reason is Reason.NO_TRAFFIC


def test_header_that_is_minded_is_caught(generating, stage, monkeypatch):
    """
    A bare 500 to a header is found, and so is a letter without a result.
    """
    monkeypatch.setattr(stage.receiver, "post", lambda *_args, **_more: HttpOutcome(HttpAnswer(500)))
    crashed = generating.strange_headers()
    monkeypatch.setattr(stage.receiver, "post", lambda *_args, **_more: HttpOutcome(HttpAnswer(204)))

    assert "HTTP 500" in crashed.wrong
    assert "no result within the time to react" in generating.strange_headers().wrong
