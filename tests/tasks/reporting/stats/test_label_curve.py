"""The curve of labels: exact powers are found exactly, and its limits."""

import pytest

from tasks.reporting.stats.label_curve import fitted


def test_an_exact_power_is_found():
    # .4 / sqrt(n): 4 labels .2, 16 labels .1, 64 labels .05.
    curve = fitted({4: 0.2, 16: 0.1, 64: 0.05}, 1000)
    assert (curve.scale, curve.power) == (pytest.approx(0.4), pytest.approx(0.5))
    assert curve.gain(4, 12) == pytest.approx(10.0)
    assert curve.gain(16, 20) == pytest.approx(100 * (0.1 - 0.4 / 6))


def test_labels_that_hurt_have_a_negative_gain():
    assert fitted({4: 0.1, 16: 0.2, 64: 0.4}, 1000).gain(16, 20) < 0


def test_no_error_counts_as_half_a_sample():
    assert fitted({1: 0.5, 2: 0.5, 4: 0.0}, 1) == fitted({1: 0.5, 2: 0.5, 4: 0.5}, 1)
    assert fitted({1: 0.5, 2: 0.5, 4: 0.5}, 1).power == 0.0


def test_two_numbers_of_labels_give_no_curve():
    assert fitted({1: 0.5, 2: 0.4}, 100) is None
