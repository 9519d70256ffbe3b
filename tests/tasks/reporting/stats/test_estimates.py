"""Means, standard errors, t intervals, selection noise: by hand or from tables."""

import math

import numpy as np
import pytest

from tasks.reporting.stats.estimates import (
    deviation,
    estimate,
    expected_lift,
    expected_maximum,
    t_quantile,
)
from tests.tasks.reporting.typed import typed


def test_the_standard_error_is_the_sample_deviation_over_the_root_of_n():
    # Deviations -2, 0, 2: sd = sqrt(8 / 2) = 2, s.e. = 2 / sqrt(3).
    figure = estimate([90.0, 92.0, 94.0])
    assert (figure.n, figure.mean) == (3, 92.0)
    assert figure.standard_error == pytest.approx(1.154701, abs=1e-6)


def test_the_interval_is_students_t():
    # t(0.975, 2 degrees) = 4.302653; times 1.154701 = 4.968280.
    assert estimate([90.0, 92.0, 94.0]).interval == pytest.approx((87.03172, 96.96828), abs=1e-5)


@pytest.mark.parametrize(("degrees", "value"), [(1, 12.7062), (2, 4.3027), (9, 2.2622)])
def test_t_quantiles_are_those_of_the_tables(degrees, value):
    assert t_quantile(typed(degrees)) == pytest.approx(value, abs=5e-5)


def test_one_draw_has_neither_standard_error_nor_interval():
    figure = estimate([0.5])
    assert (figure.mean, figure.standard_error, figure.interval) == (0.5, None, None)


def test_values_that_differ_by_rounding_have_no_spread_and_no_interval():
    figure = estimate([0.3 - 0.2, 0.9 - 0.8])
    assert figure.standard_error == 0.0
    assert figure.interval is None


def test_no_value_at_all_is_refused():
    with pytest.raises(ValueError, match="expected at least one value, found none"):
        estimate([])
    assert deviation([]) is None


@pytest.mark.parametrize(
    ("n", "value"),
    [
        (1, 0.0),
        (2, 1 / math.sqrt(math.pi)),
        (3, 1.5 / math.sqrt(math.pi)),
        (4, 1.02938),
        (10, 1.53875),
        (100, 2.50759),
    ],
)
def test_the_expected_maximum_is_that_of_the_tables_of_order_statistics(n, value):
    assert expected_maximum(n) == pytest.approx(value, abs=5e-6)


def test_two_values_always_lie_0_7071_of_their_own_deviation_from_their_mean():
    assert expected_lift(typed(2)) == pytest.approx(math.sqrt(0.5), abs=1e-9)
    assert (7.0 - 5.0) / deviation([3.0, 7.0]) == pytest.approx(expected_lift(typed(2)))


@pytest.mark.parametrize("n", [3, 6, 54])
def test_the_expected_lift_is_what_equal_normal_cells_show(n):
    values = np.random.default_rng(n).normal(80.0, 3.0, size=(20_000, n))
    lift = (values.max(1) - values.mean(1)) / values.std(1, ddof=1)
    assert lift.mean() == pytest.approx(expected_lift(n), abs=5 * lift.std() / math.sqrt(len(lift)))
