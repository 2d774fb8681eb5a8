"""What a norm that was met or missed is worth: scaled, limited by the kit, broken off, or with a worker that went away."""

from dataclasses import replace

import pytest

from conformance.load.judging import CRASHES, LATE_IDLE, UNPREPARED, UNREACHED, Generator, case_results, is_only_scaled
from conformance.norms import PROFILES
from conformance.verdicts import CaseResult, Reason, Verdict

RIGHT = {"ValidateAbonnementen": [0.1] * 1000}
SLOW = {"ValidateAbonnementen": [31.0] * 3 + [0.1] * 997}
BOTH = {"SNO-VAL-01", "SNO-VAL-03"}


def test_full_run_that_meets_its_norms_passes(made_run, verdicts):
    """
    Only a full run claims.
    """
    assert verdicts(made_run("validatie", RIGHT)) == dict.fromkeys(BOTH, ("passed", None))


def test_scaled_run_never_claims(made_run):
    """
    A norm that is met at a hundredth is not tested, with the scale in so many words.
    """
    results = case_results(made_run("validatie", {"ValidateAbonnementen": [0.1] * 10}, scale="1/100"))

    assert {(result.verdict, result.reason) for result in results} == {(Verdict.NOT_TESTED, Reason.SCALED)}
    assert all(result.message.startswith("Met at scale 1:100: ") for result in results)
    assert is_only_scaled(results)


def test_scaled_run_fails_what_it_misses(made_run):
    """
    What is missed at a hundredth is missed.
    """
    measured = made_run("validatie", {"ValidateAbonnementen": [31.0] * 10}, scale="1/100")

    (result,) = [result for result in case_results(measured) if result.requirement == "SNO-VAL-03"]

    assert result.verdict is Verdict.FAILED
    assert result.message.startswith("Missed at scale 1:100: ")
    assert not is_only_scaled(case_results(measured))


def test_slower_run_says_why_it_claims_nothing(made_run):
    """
    A window that is longer than that of the norm gives a rate below it.
    """
    results = case_results(made_run("validatie", RIGHT, window_s=7200))

    assert {result.reason for result in results} == {Reason.SCALED}
    assert "below the 0.278 of the norm" in results[0].message


@pytest.mark.parametrize(
    ("generator", "counts", "text"),
    [
        (Generator(is_cpu_full=True), {}, "the processor of the load generator was full"),
        (Generator(party_cpu={"the Berichtenbox": 0.95}), {}, "the processor of the Berichtenbox was full, which is part of the kit"),
        (Generator(), {LATE_IDLE: 2}, "the load generator was held up: 2 messages"),
        (Generator(waited_s={"the load generator": 20.0}), {}, "waited 20.0 s for a processor"),
    ],
    ids=["processor", "party", "late", "waited"],
)
def test_kit_that_was_in_the_way_fails_nobody(made_run, generator, counts, text):
    """
    A norm that was missed while the kit itself was the bottleneck is not tested.
    """
    results = {result.requirement: result for result in case_results(made_run("validatie", SLOW, generator=generator, counts=counts))}

    assert (results["SNO-VAL-03"].verdict, results["SNO-VAL-03"].reason) == (Verdict.NOT_TESTED, Reason.KIT_LIMIT)
    assert text in results["SNO-VAL-03"].message


@pytest.mark.parametrize(
    ("generator", "counts"),
    [(Generator(party_cpu={"the Berichtenbox": 0.89}), {}), (Generator(), {LATE_IDLE: 1}), (Generator(waited_s={"the load generator": 1.0}), {})],
    ids=["party", "late", "waited"],
)
def test_small_trouble_of_the_kit_excuses_nobody(made_run, verdicts, generator, counts):
    """
    What cannot explain what was missed leaves it failed.
    """
    assert verdicts(made_run("validatie", SLOW, generator=generator, counts=counts))["SNO-VAL-03"] == ("failed", None)


def test_full_processor_does_not_spoil_a_norm_that_is_met(made_run, verdicts):
    """
    Whoever meets the norm in spite of a slow kit meets it.
    """
    assert set(verdicts(made_run("validatie", RIGHT, generator=Generator(is_cpu_full=True))).values()) == {("passed", None)}


def test_wrong_answer_is_wrong_however_slow_the_kit(made_run, verdicts):
    """
    No slowness of ours makes an answer wrong.
    """
    answers = {"ValidateAbonnementen": [None] + [0.1] * 999}
    generator = Generator(is_cpu_full=True)

    assert verdicts(made_run("validatie", answers, generator=generator, failures=["wrong"]))["SNO-VAL-01"] == ("failed", None)


def test_rate_missed_on_a_busy_machine_is_not_the_party_s(made_run, verdicts):
    """
    Without a count of what was missed, the share of the time that the kit waited decides.
    """
    answers = {"batch": [0.1] * 540}

    assert verdicts(made_run("aanleveren", answers, last=70, generator=Generator(waited_s={"x": 3.1})))["SNO-BER-03"] == ("not-tested", "kit-limit")
    assert verdicts(made_run("aanleveren", answers, last=70, generator=Generator(waited_s={"x": 2.9})))["SNO-BER-03"] == ("failed", None)


@pytest.mark.parametrize(
    ("rest", "verdict", "reason"),
    [
        ({"generator": Generator(workers=2, workers_lost=1)}, "kit-error", None),
        ({"counts": {CRASHES: 1}, "failures": ["KeyError: x"]}, "kit-error", None),
        ({"generator": Generator(is_interrupted=True)}, "not-tested", "no-case-ran"),
        ({"counts": {UNPREPARED: 1}, "failures": ["it refuses"]}, "not-tested", "no-traffic"),
        ({"counts": {UNREACHED: 1000}}, "not-tested", "party-unreachable"),
    ],
    ids=["worker", "crash", "interrupted", "unprepared", "unreached"],
)
def test_run_that_is_worth_nothing_is_never_green(made_run, verdicts, rest, verdict, reason):
    """
    However well the answers look: a run of which a part is missing claims nothing.
    """
    assert verdicts(made_run("validatie", RIGHT, **rest)) == dict.fromkeys(BOTH, (verdict, reason))


def test_norm_that_the_profile_forgot_is_an_error_of_ours(made_run, monkeypatch, verdicts):
    """
    A profile that says nothing about a norm of its own is no pass.
    """
    measured = made_run("validatie", RIGHT)
    monkeypatch.setattr("conformance.load.validatie.PROFILE", replace(measured.plan.profile, judge=lambda _measured: []))

    assert verdicts(measured) == dict.fromkeys(BOTH, ("kit-error", None))


def test_nothing_but_scaled_norms_is_needed_for_a_green_scaled_run():
    """
    A run that passed outright needs no indulgence, and one that failed gets none.
    """
    scaled = CaseResult("SNO-VAL-01", "load/validatie", Verdict.NOT_TESTED, "", Reason.SCALED)
    passed = CaseResult("SNO-VAL-03", "load/validatie", Verdict.PASSED, "")
    unknown = CaseResult("SNO-VAL-03", "load/validatie", Verdict.NOT_TESTED, "", Reason.TIMEOUT)

    assert is_only_scaled([scaled, passed])
    assert not is_only_scaled([passed])
    assert not is_only_scaled([scaled, unknown])
    assert not is_only_scaled([])


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("scale", ["1", "1/100"])
def test_nothing_measured_passes_nothing(made_run, name, scale):
    """
    A run in which nothing was sent or seen meets no norm, at any scale.
    """
    results = case_results(made_run(name, {}, scale=scale))

    assert results
    assert {result.verdict for result in results} <= {Verdict.FAILED, Verdict.NOT_TESTED}
    assert all(result.reason is not Reason.SCALED for result in results)
