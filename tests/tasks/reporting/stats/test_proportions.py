"""The exact interval of a share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.reporting.stats.proportions import exact_interval


def at_least(right, n, share):
    """Probability of so many right answers, or more."""
    return sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(right, n + 1))


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_its_ends_are_where_the_tails_have_half_of_what_is_left(counts):
    right, n = counts
    low, high = exact_interval(right, n)
    assert 0 <= low <= right / n <= high <= 1
    if right > 0:
        assert at_least(right, n, low) == pytest.approx(0.025, rel=1e-6)
    if right < n:
        assert 1 - at_least(right + 1, n, high) == pytest.approx(0.025, rel=1e-6)


def test_of_25_right_ones_of_25():
    # The lower end is the 25th root of 0.025.
    assert exact_interval(25, 25) == (pytest.approx(0.86281, abs=1e-5), 1.0)


@pytest.mark.parametrize(("right", "n"), [(1, 0), (2, 1), (-1, 1)])
def test_impossible_counts_are_refused(right, n):
    with pytest.raises(ValueError, match="right must be between 0 and n"):
        exact_interval(right, n)
