"""Runs that were made up: a plan, and what would have been measured."""

from fractions import Fraction

import pytest

from conformance.load.judging import DONE, SENT, Generator, Measured, case_results
from conformance.load.plan import plan
from conformance.load.samples import Samples, Tally

CONNECTION = {
    "oin": "00000099000000001000",
    "logius_oin": "00000099000000002000",
    "cpa_id": "MIJNOVERHEID-EBMS-BB-2-0_00000099000000001000",
    "bericht_type": "BELAST",
}


@pytest.fixture
def made_run():
    """Make a run: so many answers by name, each with a latency in seconds, or ``None`` for a failure."""

    def make(name, answers, *, scale="1", sent=None, last=None, generator=None, facts=None, counts=None, failures=(), **rest):
        planned = plan(name, scale=Fraction(scale), connection=CONNECTION, target="http://127.0.0.1:1", **rest)
        samples, tally = Samples(planned.profile.thresholds()), Tally()
        for kind, latencies in answers.items():
            for number, latency in enumerate(latencies):
                samples.add(kind, planned.due(number), latency or 0.0, is_failure=latency is None)
        tally.counts.update({SENT: samples.total().count if sent is None else sent, DONE: samples.total().count, **(counts or {})})
        tally.raise_to("last answer", planned.window_s if last is None else last)
        for text in failures:
            tally.fail(text)
        return Measured(planned, samples, tally, generator or Generator(), facts or {})

    return make


@pytest.fixture
def verdicts():
    """Return the verdict and reason on each norm of a run."""

    def judge(measured):
        return {result.requirement: (str(result.verdict), result.reason and str(result.reason)) for result in case_results(measured)}

    return judge
