"""Tests of differences and correlations: by hand, in closed form, or against SciPy."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from tasks.reporting.stats.paired_tests import (
    correlation_text,
    holm,
    p_text,
    pearson,
    spearman,
    t_test,
    wilcoxon,
)
from tests.tasks.reporting.typed import typed


def test_the_p_of_three_differences_is_that_of_the_closed_form():
    # With 2 degrees of freedom p = 1 - t / sqrt(2 + t^2); here t = 1 / (1 / sqrt 3) = sqrt 3.
    assert t_test([0.0, 2.0, 1.0]) == pytest.approx(1 - sqrt(3) / sqrt(5), abs=1e-12)
    assert t_test([0.0, -2.0, -1.0]) == pytest.approx(1 - sqrt(3) / sqrt(5), abs=1e-12)


@pytest.mark.parametrize("n", [2, 4, 10])
def test_the_p_is_scipys(n):
    values = np.random.default_rng(n).normal(0.4, 1.0, n)
    assert t_test(values.tolist()) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_one_draw_and_equal_differences_have_no_p():
    assert t_test([1.0]) is None
    assert t_test([2.0, 2.0, 2.0]) is None


@pytest.mark.parametrize("n", [5, 8, 12])
def test_the_signed_rank_p_is_scipys_exact_one(n):
    values = np.random.default_rng(n).normal(0.5, 1.0, n)
    wanted = stats.wilcoxon(values, method="exact").pvalue
    assert wilcoxon(values.tolist()) == pytest.approx(wanted, abs=1e-12)


def test_the_signed_rank_p_is_exact_with_ties_and_leaves_out_zeros():
    # Ranks 1.5, 1.5, 3, 4, 5 of 1, 1, 2, 3, 4; only a 1 is negative: W- = 1.5. At or below it are
    # the signs with sums 0, 1.5, 1.5: 3 of 32, two-sided 6 / 32.
    assert wilcoxon([1.0, -1.0, 2.0, 3.0, 4.0, 0.0]) == pytest.approx(6 / 32)
    # Ties that differ by rounding only are ties.
    assert wilcoxon([0.3 - 0.2, -0.1, 0.2, 0.3, 0.4]) == pytest.approx(6 / 32)


def test_the_smallest_signed_rank_p_of_five_is_one_sixteenth():
    assert wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 32)
    assert wilcoxon([1.0, 2.0, 3.0, 4.0]) is None
    assert wilcoxon([1.0, -1.0, 2.0, -2.0, 3.0, -3.0]) == 1.0


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    # 0.01 * 4; 0.02 * 3; 0.025 * 2 = 0.05 < 0.06, so 0.06; 0.9.
    assert holm([0.02, 0.9, 0.01, 0.025]) == pytest.approx([0.06, 0.9, 0.04, 0.06])


def test_holm_counts_only_what_was_tested_and_stays_within_one():
    assert holm([None, 0.3, 0.02]) == [None, pytest.approx(0.3), pytest.approx(0.04)]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_rank_correlation_and_its_interval_are_those_by_hand():
    # Squared differences of ranks: 16 + 1 + 1 + 9 + 9 = 36, r = 1 - 6 * 36 / 120 = -0.8. Fisher:
    # atanh -0.8 = -1.098612, half = 1.959964 * sqrt(1.32 / 2) = 1.592282.
    found = spearman([1, 2, 3, 4, 5], [-0.1, -0.3, -0.2, -0.5, -0.4])
    assert found.r == pytest.approx(-0.8)
    assert found.interval == pytest.approx((np.tanh(-2.690894), np.tanh(0.493670)), abs=1e-6)
    assert correlation_text(typed(found)) == "-0.80 (-0.99 to +0.46)"


def test_the_linear_correlation_has_scipys_interval():
    x, y = [80, 84, 86, 90, 91], [78, 83, 82, 85, 88]
    wanted = stats.pearsonr(x, y)
    found = pearson(typed(x), y)
    assert found.r == pytest.approx(wanted.statistic)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval(0.95)))


def test_no_spread_and_too_few_pairs_give_no_correlation():
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1, 2], [1, 2]) is None
    assert pearson([1, 2, 3], [5, 5, 5]) is None
    assert spearman([1, 2, 3, 4], [1, 2, 3, 4]).interval is None
    assert correlation_text(typed(None)) == "-"


def test_small_p_are_not_shown_as_zero():
    assert [p_text(p) for p in (0.0004, 0.0456, 1.0, None)] == [
        "< 0.001",
        "0.046",
        "1.000",
        "-",
    ]
