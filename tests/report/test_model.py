"""Tests of grading: from results to verdicts, and never green by accident."""

from datetime import date

import pytest

from conformance.catalogue import Binds, Certainty, DecidedBy, Level, UnknownRequirement
from conformance.report.errors import LockedRunError
from conformance.report.model import KnownFailure, exit_code, grade
from conformance.verdicts import ExitCode, Reason, RunVerdict, Verdict

SERVICES = ("aanleveren",)
FAILED, PASSED, NOT_TESTED, WARNING = Verdict.FAILED, Verdict.PASSED, Verdict.NOT_TESTED, Verdict.WARNING


@pytest.fixture
def graded(make):
    """Grade results over a catalogue of AANL-001 and AANL-002, of which AANL-001 always passes."""

    def grade_with(*results, known=(), declarations=None, run=None, party="afnemer", **changes):
        catalogue = make.catalogue(make.requirement("AANL-001"), make.requirement("AANL-002", **changes))
        finished = make.run(make.result("AANL-001"), *results, **(run or {}))
        return grade(finished, catalogue, SERVICES, declarations, known, party=party)

    return grade_with


def second(report):
    """Return the verdict and the reason of AANL-002."""
    return report.requirements[1].verdict, report.requirements[1].reason


def known(until=date(2026, 11, 24), id_="AANL-002"):
    """Make a known failure that is valid on the day of the run."""
    return [KnownFailure(id_, "reden", "eigenaar", until)]


def test_requirement_takes_the_highest_verdict_of_its_cases(graded, make):
    """
    One failing case outweighs a passing and a warning one.
    """
    report = graded(make.result("AANL-002"), make.result("AANL-002", FAILED, "b"), make.result("AANL-002", WARNING, "c"))

    assert second(report) == (FAILED, None)
    assert report.verdict is RunVerdict.NOT_CONFORMANT


def test_reason_is_that_of_the_deciding_case(graded, make):
    """
    The reason of a lower verdict is not shown for the requirement.
    """
    report = graded(
        make.result("AANL-002", Verdict.NOT_APPLICABLE, "a", reason=Reason.ELEMENT_NOT_USED),
        make.result("AANL-002", NOT_TESTED, "b", reason=Reason.TIMEOUT),
    )

    assert second(report) == (NOT_TESTED, Reason.TIMEOUT)
    assert report.verdict is RunVerdict.INCOMPLETE


@pytest.mark.parametrize("change", [{"certainty": Certainty.AANNAME}, {"level": Level.SHOULD}, {"level": Level.MAY}])
def test_failure_without_a_firm_ground_is_a_warning(graded, make, change):
    """
    Our own reading, a SHOULD and a MAY can never make an Afnemer non-conformant.
    """
    report = graded(make.result("AANL-002", FAILED), **change)

    assert second(report) == (WARNING, None)
    assert report.requirements[1].cases[0].verdict is WARNING
    assert report.verdict is RunVerdict.CONFORMANT


def test_duty_of_logius_does_not_apply_to_the_afnemer(graded):
    """
    A requirement that binds Logius does not apply as long as nothing graded it.
    """
    report = graded(binds=Binds.LOGIUS)

    assert second(report) == (Verdict.NOT_APPLICABLE, Reason.BINDS_LOGIUS)
    assert report.verdict is RunVerdict.CONFORMANT


def test_duty_of_logius_counts_once_a_case_graded_it(graded, make):
    """
    A Berichtenbox that is graded answers for its own requirements.
    """
    report = graded(make.result("AANL-002", FAILED), binds=Binds.LOGIUS)

    assert second(report) == (FAILED, None)


@pytest.mark.parametrize(
    ("binds", "party", "expected"),
    [
        (Binds.AFNEMER, "logius", (Verdict.NOT_APPLICABLE, Reason.BINDS_AFNEMER)),
        (Binds.LOGIUS, "afnemer", (Verdict.NOT_APPLICABLE, Reason.BINDS_LOGIUS)),
        (Binds.LOGIUS, "logius", (Verdict.NOT_TESTED, Reason.NO_CASE_RAN)),
        (Binds.BOTH, "logius", (Verdict.NOT_TESTED, Reason.NO_CASE_RAN)),
    ],
)
@pytest.mark.parametrize("is_left_out", [True, False])
def test_duty_of_the_other_party_does_not_apply(graded, make, binds, party, expected, is_left_out):
    """
    What binds only the other party does not apply, also when its cases were left out; what binds this one must be tested.
    """
    left_out = make.result("AANL-002", Verdict.NOT_APPLICABLE, reason=Reason.OTHER_PARTY)
    report = graded(*([left_out] if is_left_out else []), binds=binds, party=party)

    of_both = (Verdict.NOT_APPLICABLE, Reason.OTHER_PARTY)
    assert second(report) == (of_both if is_left_out and expected[0] is Verdict.NOT_TESTED else expected)


def test_declared_requirement_takes_the_declaration(graded):
    """
    What only the user can know is declared, and says so.
    """
    report = graded(decided_by=DecidedBy.DECLARED, declarations={"AANL-002": "Na een dag gewist."})

    assert second(report) == (Verdict.DECLARED, None)
    assert report.requirements[1].declaration == "Na een dag gewist."


@pytest.mark.parametrize("declarations", [None, {"AANL-002": ""}])
def test_declaration_that_is_absent_or_empty_leaves_it_open(graded, declarations):
    """
    Saying nothing is not a declaration.
    """
    report = graded(decided_by=DecidedBy.DECLARED, declarations=declarations)

    assert second(report) == (NOT_TESTED, Reason.UNDECLARED)
    assert report.verdict is RunVerdict.INCOMPLETE


def test_requirement_of_an_unused_service_does_not_apply(graded, make):
    """
    What an Afnemer does not use is not graded, also when a case tried.
    """
    report = graded(make.result("AANL-002", NOT_TESTED), service="abonnementen")

    assert second(report) == (Verdict.NOT_APPLICABLE, Reason.SERVICE_NOT_USED)


def test_crash_of_the_kit_shows_whatever_else_holds(graded, make):
    """
    A kit-error in a case of an unused service is still a kit-error.
    """
    report = graded(make.result("AANL-002", Verdict.KIT_ERROR), service="abonnementen")

    assert second(report) == (Verdict.KIT_ERROR, None)
    assert report.verdict is RunVerdict.KIT_ERROR
    assert exit_code(report) is ExitCode.KIT_ERROR


def test_requirement_without_a_case_is_not_tested(graded):
    """
    Silence is not a pass: a MUST that nothing decided leaves the run incomplete.
    """
    report = graded()

    assert second(report) == (NOT_TESTED, Reason.NO_CASE_RAN)
    assert report.verdict is RunVerdict.INCOMPLETE
    assert exit_code(report) is ExitCode.INCOMPLETE


def test_should_that_was_not_tested_does_not_hold_up_the_run(graded):
    """
    Only MUST requirements have to be decided.
    """
    report = graded(level=Level.SHOULD)

    assert report.verdict is RunVerdict.CONFORMANT
    assert exit_code(report) is ExitCode.CONFORMANT


def test_all_passed_is_conformant(graded, make):
    """
    A run in which every MUST passed is conformant, and its repr says how much that was.
    """
    report = graded(make.result("AANL-002"))

    assert repr(report) == "<Report conformant: 2 passed>"
    assert repr(report.requirements[0]) == "<AANL-001: passed, 1 cases>"


def test_run_without_any_pass_is_never_green(make):
    """
    A run in which nothing applied, or nothing ran, is incomplete.
    """
    catalogue = make.catalogue(make.requirement("AANL-001", service="abonnementen"))

    report = grade(make.run(), catalogue, SERVICES)

    assert report.verdict is RunVerdict.INCOMPLETE
    assert exit_code(report) is ExitCode.INCOMPLETE


def test_empty_selection_is_never_green(make):
    """
    A selection of nothing grades nothing.
    """
    report = grade(make.run(make.result("AANL-001"), selection=()), make.catalogue(make.requirement("AANL-001")), SERVICES)

    assert report.verdict is RunVerdict.INCOMPLETE
    assert repr(report) == "<Report incomplete: nothing graded>"


def test_party_that_was_never_reached_has_its_own_exit_code(make):
    """
    Unreachable is told apart from incomplete only when nothing passed at all.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"), make.requirement("AANL-002"))
    unreached = make.result("AANL-001", NOT_TESTED, reason=Reason.UNREACHABLE)

    silent = grade(make.run(unreached), catalogue, SERVICES)
    partly = grade(make.run(unreached, make.result("AANL-002")), catalogue, SERVICES)

    assert exit_code(silent) is ExitCode.UNREACHABLE
    assert exit_code(partly) is ExitCode.INCOMPLETE


def test_selection_limits_the_report(graded, make):
    """
    Only what was selected is in the report, each once, and the rest has no say.
    """
    report = graded(make.result("AANL-002", FAILED), run={"selection": ("AANL-001", "AANL-001")}, known=known(date(2020, 1, 1)))

    assert [item.requirement.id for item in report.requirements] == ["AANL-001"]
    assert report.verdict is RunVerdict.CONFORMANT


def test_selection_outside_of_the_catalogue_is_refused(graded):
    """
    A misspelled id is the user's mistake, told before anything is graded.
    """
    with pytest.raises(UnknownRequirement, match="AANL-999"):
        graded(run={"selection": ("AANL-999",)})


def test_result_for_an_unknown_requirement_is_our_error(graded, make):
    """
    A case that decides what does not exist makes the run a kit-error.
    """
    report = graded(make.result("AANL-002"), make.result("AANL-999"))

    assert report.unknown == ("AANL-999",)
    assert report.verdict is RunVerdict.KIT_ERROR


def test_known_failure_does_not_break_the_run(graded, make):
    """
    Up to and including its last day a known failure is shown and does not count.
    """
    report = graded(make.result("AANL-002", FAILED), known=known())

    assert second(report) == (FAILED, None)
    assert report.requirements[1].known_failure == known()[0]
    assert report.verdict is RunVerdict.CONFORMANT


def test_known_failure_does_not_cover_another_requirement(graded, make):
    """
    A failure that nobody knew of breaks the run as always.
    """
    report = graded(make.result("AANL-002", FAILED), make.result("AANL-001", FAILED, "b"), known=known())

    assert report.verdict is RunVerdict.NOT_CONFORMANT


def test_expired_known_failure_breaks_the_run(graded, make):
    """
    The day after its last day a known failure breaks the run by itself.
    """
    report = graded(make.result("AANL-002", FAILED), known=known(date(2026, 11, 23)))

    assert report.expired == ("AANL-002",)
    assert report.verdict is RunVerdict.NOT_CONFORMANT
    assert exit_code(report) is ExitCode.NOT_CONFORMANT


def test_known_failure_that_no_longer_fails_breaks_the_run(graded, make):
    """
    A list of known failures that is out of date is not kept quiet.
    """
    report = graded(make.result("AANL-002"), known=known())

    assert report.outdated == ("AANL-002",)
    assert report.verdict is RunVerdict.NOT_CONFORMANT


def test_known_failure_outside_of_the_catalogue_breaks_the_run(graded, make):
    """
    A known failure for an id that does not exist can never fail.
    """
    report = graded(make.result("AANL-002"), known=known(id_="AANL-998"))

    assert report.outdated == ("AANL-998",)


def test_known_failure_that_was_softened_or_not_tested_is_not_outdated(graded, make):
    """
    A warning fails still, and what was not tested proves nothing.
    """
    softened = graded(make.result("AANL-002", FAILED), known=known(), level=Level.SHOULD)
    untested = graded(known=known())

    assert softened.outdated == untested.outdated == ()
    assert untested.verdict is RunVerdict.INCOMPLETE


@pytest.mark.parametrize("change", [{"selection": ("AANL-001",)}, {}])
def test_locked_run_allows_no_way_out(graded, change):
    """
    A certification has no selection and no known failures.
    """
    with pytest.raises(LockedRunError, match="leave out the selection"):
        graded(run={"locked": True, **change}, known=() if change else known())


def test_order_of_results_leaves_no_trace(graded, make):
    """
    The same results in another order give the same report.
    """
    results = [make.result("AANL-002", case="b"), make.result("AANL-002", WARNING, "a"), make.result("AANL-002", case="a")]

    assert graded(*results).requirements == graded(*reversed(results)).requirements


# -- norms of the SNO --------------------------------------------------------------------------------------------------------------------------

NORM = "SNO-AFN-01"


@pytest.fixture
def graded_norm(make):
    """Grade results over HERL-001, HERL-002 and a norm that comes down to both."""

    def grade_with(*results, known=(), selection=None, party="afnemer", part=None, **changes):
        norm = {"decided_by": DecidedBy.REQUIREMENTS, "through": ("HERL-001", "HERL-002")} | changes
        catalogue = make.catalogue(make.requirement("HERL-001"), make.requirement("HERL-002", **(part or {})), make.requirement(NORM, **norm))
        return grade(make.run(*results, selection=selection), catalogue, SERVICES, known_failures=known, party=party)

    return grade_with


def of_norm(report):
    """Return the verdict and the reason of the norm."""
    return next((item.verdict, item.reason) for item in report.requirements if item.requirement.id == NORM)


@pytest.mark.parametrize("decided_by", [DecidedBy.LOAD, DecidedBy.CALCULATOR])
def test_norm_of_another_command_does_not_apply(graded, make, decided_by):
    """
    What load or a calculator judges does not hold up a run, and decides nothing by itself.
    """
    report = graded(decided_by=decided_by)

    assert second(report) == (Verdict.NOT_APPLICABLE, Reason.OTHER_COMMAND)
    assert report.verdict is RunVerdict.CONFORMANT
    assert second(graded(make.result("AANL-002", FAILED), decided_by=decided_by)) == (FAILED, None)


def test_norm_takes_the_highest_verdict_of_its_requirements(graded_norm, make):
    """
    A norm that comes down to requirements passes when all of them do, and names each with its verdict and evidence.
    """
    passed = make.result("HERL-001", evidence=("evidence/b.txt", "evidence/a.txt"))

    good = graded_norm(passed, make.result("HERL-002"))
    bad = graded_norm(passed, make.result("HERL-002", FAILED))
    half = graded_norm(passed)

    assert of_norm(good) == (PASSED, None)
    assert [(case.case, case.verdict) for case in bad.requirements[2].cases] == [("HERL-001", PASSED), ("HERL-002", FAILED)]
    assert good.requirements[2].cases[0].evidence == ("evidence/a.txt", "evidence/b.txt")
    assert (of_norm(bad), bad.verdict) == ((FAILED, None), RunVerdict.NOT_CONFORMANT)
    assert (of_norm(half), half.verdict) == ((NOT_TESTED, Reason.NO_CASE_RAN), RunVerdict.INCOMPLETE)


def test_norm_is_as_soft_as_what_it_comes_down_to(graded_norm, make):
    """
    A requirement of our own reading warns, and so does the norm; a norm that is a SHOULD never fails.
    """
    results = (make.result("HERL-001"), make.result("HERL-002", FAILED))

    assert of_norm(graded_norm(*results, part={"certainty": Certainty.AANNAME})) == (WARNING, None)
    assert of_norm(graded_norm(*results, level=Level.SHOULD)) == (WARNING, None)


def test_norm_alone_is_decided_by_what_ran_for_it(graded_norm, make):
    """
    A selection of the norm shows the norm only, with the verdict of its requirements.
    """
    report = graded_norm(make.result("HERL-001"), make.result("HERL-002"), selection=(NORM,))

    assert [item.requirement.id for item in report.requirements] == [NORM]
    assert (of_norm(report), report.verdict, report.unknown) == ((PASSED, None), RunVerdict.CONFORMANT, ())


def test_results_of_the_norm_itself_outrank_its_requirements(graded_norm, make):
    """
    A load run judges the norm itself, and needs no case.
    """
    report = graded_norm(make.result(NORM, case="load/herlevering"), selection=(NORM,))

    assert of_norm(report) == (PASSED, None)
    assert [case.case for case in report.requirements[0].cases] == ["load/herlevering"]


def test_norm_of_the_other_party_does_not_apply(graded_norm, make):
    """
    What binds Logius is no duty of the Afnemer, whatever its requirements come to.
    """
    report = graded_norm(make.result("HERL-001"), make.result("HERL-002", FAILED), binds=Binds.LOGIUS)

    assert of_norm(report) == (Verdict.NOT_APPLICABLE, Reason.BINDS_LOGIUS)


def test_known_failure_of_a_requirement_covers_its_norm(graded_norm, make):
    """
    A failure that is known fails the norm too, without breaking the run; one more failure does.
    """
    failed = (make.result("HERL-001", FAILED), make.result("HERL-002"))

    report = graded_norm(*failed, known=known(id_="HERL-001"))
    worse = graded_norm(failed[0], make.result("HERL-002", FAILED), known=known(id_="HERL-001"))

    assert (of_norm(report), report.verdict) == ((FAILED, None), RunVerdict.CONFORMANT)
    assert report.requirements[2].known_failure.id == "HERL-001"
    assert worse.requirements[2].known_failure is None
    assert worse.verdict is RunVerdict.NOT_CONFORMANT


def test_known_failure_of_a_norm_is_outdated_when_nothing_fails_it(graded_norm, make):
    """
    A norm that fails through a requirement fails still; one that passes is taken off the list.
    """
    failing = graded_norm(make.result("HERL-001", FAILED), make.result("HERL-002"), known=[*known(id_=NORM), *known(id_="HERL-001")])
    passing = graded_norm(make.result("HERL-001"), make.result("HERL-002"), known=known(id_=NORM))

    assert (failing.outdated, failing.verdict) == ((), RunVerdict.CONFORMANT)
    assert (passing.outdated, passing.verdict) == ((NORM,), RunVerdict.NOT_CONFORMANT)
