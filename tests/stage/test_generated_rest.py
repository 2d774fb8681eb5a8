"""Generated exchanges with an adapter face: what is held against its answers, and what is told without one."""

from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests

from conformance.stage.box_stage import BoxStage
from conformance.stage.generated_rest import GeneratingRest
from conformance.stage.judging import NotTestedError
from conformance.stage.running import CasePlugin, Selection, run_cases
from conformance.verdicts import Reason, Verdict
from conformance.verification import simulated


@pytest.fixture
def stage(tmp_path):
    """Give a Berichtenbox that does it right."""
    with simulated(tmp_path) as found:
        yield found


@pytest.fixture
def calling(stage):
    """Give what talks to its adapter face."""
    with closing(GeneratingRest(stage)) as found:
        yield found


@pytest.mark.slow  # the selftest plays it too
def test_right_adapter_is_never_caught(calling, stage):
    """
    A simulated one offers the face, and nothing goes wrong with calls or sequences; all of it is on the record.
    """
    assert calling.is_offered
    assert calling.calls() is None
    assert calling.sequences() is None
    methods = {exchange.method for exchange in stage.receiver.gateway.exchanges()}
    assert {"GET", "POST", "PUT", "PATCH"} <= methods


def test_sequence_without_a_result_is_caught(calling, monkeypatch):
    """
    What was sent and is never answered ends the sequence.
    """
    monkeypatch.setattr(GeneratingRest, "_waiting", lambda _self, _message_id: [])

    assert calling.sequences().wrong == "send: no result within the time to react"


def test_refused_processing_is_caught(calling, monkeypatch):
    """
    Processing gets 204, whatever is processed.
    """
    real = GeneratingRest._call

    def call(self, method, path, body=None):
        return SimpleNamespace(status_code=500) if method == "PATCH" else real(self, method, path, body)

    monkeypatch.setattr(GeneratingRest, "_call", call)

    assert calling._wrong_sequence(["poll", "process unknown"]) == "process unknown: HTTP 500"


def test_poll_that_fails_has_nothing_waiting(calling, monkeypatch):
    """
    Without an answer to a poll nothing is known to wait.
    """
    monkeypatch.setattr(GeneratingRest, "_call", lambda _self, _method, _path: SimpleNamespace(status_code=503))

    assert calling._waiting("any") == []


def test_nobody_there_is_not_tested(calling, monkeypatch):
    """
    A connection that is refused is no finding.
    """

    def refuse(*_args, **_more):
        raise requests.ConnectionError

    monkeypatch.setattr(calling._session, "send", refuse)

    with pytest.raises(NotTestedError, match="no HTTP answer: ConnectionError") as raised:
        calling.calls()

    assert raised.value.reason is Reason.UNREACHABLE


def test_without_the_face_it_does_not_apply(stage, monkeypatch):
    """
    A Berichtenbox without an adapter face is not held to one.
    """
    monkeypatch.setattr(GeneratingRest, "is_offered", False)
    plugin = CasePlugin(
        stage,
        Selection(frozenset({"CONT-008", "CONT-009"})),
        seed=1,
        evidence_name=None,
        started=lambda _total: None,
        step=lambda _name, _outcome: None,
    )

    results = run_cases(plugin).results

    assert [(result.verdict, result.reason) for result in results] == [(Verdict.NOT_APPLICABLE, Reason.FACE_NOT_USED)] * 2


def test_without_certificates_it_is_plain_http(stage):
    """
    A run without TLS shows no certificate.
    """
    plain = BoxStage(stage.receiver, stage.wus_url.replace("https", "http"), stage.logius_oin)

    with closing(GeneratingRest(plain)) as found, closing(GeneratingRest(replace(plain, certificates=stage.certificates))) as shown:
        assert found._session.cert is None
        assert shown._session.cert is not None


def test_offers_are_not_judged_where_time_does_not_pass(calling, stage):
    """
    Of a Berichtenbox whose clock cannot be moved nobody knows what it does in a week.
    """
    stage.receiver.reach = replace(stage.receiver.reach, pass_time=None)

    with pytest.raises(NotTestedError, match="nobody waits for a week") as raised:
        calling.wrong_offers()

    assert raised.value.reason is Reason.KIT_LIMIT


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [
        ([1, 1, 2, 7, 7], ""),
        ([1, 1, 1, 7, 7], "offered 1 times at first, 1 after a day and 7 after 6"),
        ([1, 1, 2, 7, 8], "offered 1 times more on day 7"),
    ],
)
def test_offers_are_counted(calling, monkeypatch, counts, wrong):
    """
    A result comes again on the first day and until the sixth, and not on the seventh.
    """
    told = iter(counts)
    monkeypatch.setattr(GeneratingRest, "_waiting", lambda _self, _message_id: ["result"] * next(told))

    assert calling.wrong_offers() == wrong


def test_offers_need_a_result(calling, monkeypatch):
    """
    Without a first result there is none that can come again.
    """
    monkeypatch.setattr(GeneratingRest, "_waiting", lambda _self, _message_id: [])

    with pytest.raises(NotTestedError, match="see EBMS-100"):
        calling.wrong_offers()
