"""Uncertainty over draws and images together: against the closed form, and in its limits."""

from math import sqrt

import numpy as np
import pytest

from tasks.reporting.stats.crossed import crossed


def answers(rng, share, draws, images):
    return {draw: rng.random(images) < share for draw in range(draws)}


def test_the_mean_is_that_of_the_paired_differences_in_points():
    ours = {0: np.array([True, True, True, False]), 1: np.array([True, False, True, True])}
    theirs = {0: np.array([True, False, True, False]), 1: np.array([False, False, True, True])}
    found = crossed(ours, theirs)
    # One image of four more in either draw.
    assert (found.mean, found.draws, found.images) == (25.0, 2, 4)
    assert crossed(theirs, ours).mean == -25.0


def test_only_shared_draws_count():
    every = {draw: np.array([True, False]) for draw in range(3)}
    none = {draw: np.array([False, False]) for draw in (1, 2, 5)}
    assert crossed(every, none).draws == 2
    assert crossed({0: every[0]}, none) is None
    assert crossed(every, {0: np.array([True]), 1: np.array([True])}) is None


def test_equal_rows_differ_by_nothing():
    rows = answers(np.random.default_rng(1), 0.8, 3, 50)
    found = crossed(rows, rows)
    assert (found.mean, found.standard_error, found.interval) == (0.0, 0.0, (0.0, 0.0))


def test_where_draws_agree_image_by_image_the_error_is_that_of_the_images_alone():
    # The same d_i in every draw: sd of the mean of N images drawn with replacement is sd / sqrt(N);
    # no spread over draws, and the factor for 4 draws is sqrt(4 / 3).
    rng = np.random.default_rng(2)
    ours, theirs = rng.random(400) < 0.9, rng.random(400) < 0.8
    found = crossed(dict.fromkeys(range(4), ours), dict.fromkeys(range(4), theirs))
    values = 100 * (ours.astype(float) - theirs.astype(float))
    expected = sqrt(4 / 3) * values.std() / sqrt(400)
    assert found.standard_error == pytest.approx(expected, rel=0.08)


def test_where_every_image_is_alike_the_error_is_that_of_the_draws_alone():
    # Draws differ by 0, 1, 1, 0 of all images: 0, 100, 100, 0 points, s.e. sd / sqrt(4).
    right, wrong = np.ones(30, bool), np.zeros(30, bool)
    found = crossed(
        {0: right, 1: right, 2: right, 3: right}, {0: right, 1: wrong, 2: wrong, 3: right}
    )
    assert found.standard_error == pytest.approx(np.std([0, 100, 100, 0], ddof=1) / 2, rel=0.08)
    assert found.interval[0] == pytest.approx(50 - 3.182446 * found.standard_error)


def test_images_widen_the_interval_of_the_draws():
    rng = np.random.default_rng(3)
    ours, theirs = answers(rng, 0.9, 10, 200), answers(rng, 0.85, 10, 200)
    by_draw = [100 * (ours[d].mean() - theirs[d].mean()) for d in range(10)]
    found = crossed(ours, theirs)
    assert found.standard_error > np.std(by_draw, ddof=1) / sqrt(10)
    assert found == crossed(ours, theirs)
