"""Shares: exact fractions, with the counts beside the percentage."""

from fractions import Fraction

import pytest

from conformance.sno.judgement import Outcome
from conformance.sno.shares import Period, Share, at_least, at_most, grouped, shortened

# Each line: counts, norm, and the sum by hand.
AT_LEAST = [
    (5, 6, Fraction(85, 100), Outcome.MISSED),  # 5/6 = 0,8333... < 0,85
    (6, 7, Fraction(85, 100), Outcome.MET),  # 6/7 = 0,857... >= 0,85
    (17, 20, Fraction(85, 100), Outcome.MET),  # 17/20 = 0,85 exactly
    (849_999, 1_000_000, Fraction(85, 100), Outcome.MISSED),  # 84,9999 %, which rounds to 85,000 %
    (0, 1, Fraction(80, 100), Outcome.MISSED),
]


@pytest.mark.parametrize(("good", "total", "norm", "verdict"), AT_LEAST)
def test_lower_limit_is_exact(good, total, norm, verdict):
    """A share is compared as a fraction: exactly the norm is met, a hair below is missed."""
    judgement = at_least("SNO-INC-01", "2026-03", Share(good, total), norm)

    assert judgement.verdict is verdict
    assert judgement.value == Fraction(good, total) * 100


@pytest.mark.parametrize(("good", "total", "verdict"), [(3, 100, Outcome.MET), (31, 1000, Outcome.MISSED), (0, 5, Outcome.MET)])
def test_upper_limit_is_exact(good, total, verdict):
    """Exactly 3 % is not more than 3 %, and 3,1 % is."""
    assert at_most("SNO-BUR-04", "2026-03", Share(good, total), Fraction(3, 100)).verdict is verdict


def test_counts_stand_beside_the_percentage():
    """The sum shows how many of how many, the percentage and the norm."""
    judgement = at_least("SNO-INC-01", "2026-03", Share(5, 6), Fraction(85, 100), ("before",), ("note",))

    assert judgement.figure == "5 of 6 = ≈83,333 %"
    assert judgement.arithmetic == ("before", "5 of 6 = ≈83,333 %; norm: at least 85 %: missed")
    assert judgement.notes == ("note",)


@pytest.mark.parametrize(("good", "total"), [(0, 0), (2, 1), (-1, 1)])
def test_share_of_nothing_is_none(good, total):
    """A share of nothing is not 0 %, and no share has more than all."""
    with pytest.raises(ValueError, match="is no share"):
        Share(good, total)


def test_month_of_silence():
    """Without a row a month has no data, unless its owner says that the data cover it."""
    assert Period(()).silence()[0] is Outcome.NO_DATA
    assert Period((), is_stated=True).silence()[0] is Outcome.NOT_APPLICABLE


def test_long_lists_are_shortened():
    """The first twenty are told, and the rest is counted."""
    assert shortened(range(20), str, "rows")[-1] == "19"
    assert shortened(range(1022), str, "rows")[-2:] == ("19", "and 1.002 more rows")
    assert grouped(2_500_000) == "2.500.000"
