"""What a calculator says of a norm."""

from fractions import Fraction

import pytest

from conformance.sno.judgement import Judgement, Outcome, decimal, exit_code, met, percentage
from conformance.verdicts import ExitCode

MET, MISSED, NOT_APPLICABLE, NO_DATA = Outcome


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([MET], ExitCode.CONFORMANT),
        ([MET, NOT_APPLICABLE], ExitCode.CONFORMANT),
        ([MET, MISSED, NO_DATA], ExitCode.NOT_CONFORMANT),
        ([MET, NO_DATA], ExitCode.USAGE),
        ([NOT_APPLICABLE], ExitCode.USAGE),
        ([], ExitCode.USAGE),
    ],
)
def test_exit_code_is_green_only_for_what_was_met(verdicts, code):
    """
    What has no data, or nothing to judge at all, is never green.
    """
    assert exit_code([Judgement("SNO-BES-01", "2026-03", verdict) for verdict in verdicts]) is code


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(5, 6), "≈0,833"),
        (Fraction(15, 2), "7,5"),
        (Fraction(-15, 2), "-7,5"),
        (7, "7"),
        (1200, "1200"),
        (Fraction(1, 10_000), "≈0"),
        (Fraction(989_999, 1_000_000), "≈0,99"),
    ],
)
def test_number_says_when_it_was_rounded(value, shown):
    """
    A reader sees which number is exact.
    """
    assert decimal(value) == shown


def test_percentage_is_a_share_of_one():
    """
    0,99 is 99 %, and a share just below it does not look like it without a mark.
    """
    assert percentage(Fraction(99, 100)) == "99 %"
    assert percentage(Fraction(989_999_9, 10_000_000)) == "≈99 %"
    assert percentage(Fraction(6, 7), 1) == "≈85,7 %"
    assert decimal(Fraction(5, 2), 0) == "≈2"


def test_judgement_reads_as_a_sentence():
    """
    Its repr says what, about what, and the figure.
    """
    assert repr(Judgement("SNO-BES-01", "2026-03 portaal", met(is_met=False), "98,9 %")) == "<SNO-BES-01 2026-03 portaal: missed, 98,9 %>"
    assert repr(Judgement("SNO-BES-01", "2026-03", met(is_met=True))) == "<SNO-BES-01 2026-03: met>"
