"""Opinions of an ensemble: golden numbers, and members that have seen a sample."""

import math

import numpy as np
import pytest

from tasks.labelling.opinions import agreed, disagreement, opinions, units

NAN = float("nan")


def of(*samples):
    return np.array(samples, np.float32)


def test_golden_opinions():
    found = opinions(of([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2]], [[0.1, 0.1, 0.8], [0.3, 0.3, 0.4]]))
    # Means: 0.3, 0.5, 0.2 and 0.2, 0.2, 0.6; ties go to the first class.
    assert found.label.tolist() == [1, 2]
    assert found.confidence == pytest.approx([0.5, 0.6])
    assert found.runner_up.tolist() == [0, 0]
    assert found.runner_up_confidence == pytest.approx([0.3, 0.2])
    assert found.agreement.tolist() == [0.5, 1.0]


def test_a_member_that_has_seen_a_sample_counts_for_nothing():
    whole = opinions(of([[0.9, 0.1], [NAN, NAN], [0.4, 0.6]]))
    part = opinions(of([[0.9, 0.1], [0.4, 0.6]]))
    for name, value in vars(part).items():
        np.testing.assert_allclose(getattr(whole, name), value)
    assert agreed(of([[0.9, 0.1], [NAN, NAN]]), 0.8).tolist() == [True]


def test_one_class_has_no_runner_up():
    found = opinions(of([[1.0], [1.0]]))
    assert (found.runner_up.tolist(), found.runner_up_confidence.tolist()) == ([-1], [0.0])


def test_disagreement_is_not_uncertainty():
    unsure, split = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    # Two members that are sure of different classes: log 2; that both are unsure: 0.
    assert disagreement(of(unsure, split)) == pytest.approx([0.0, math.log(2)], abs=1e-6)


def test_members_agree_above_the_threshold_alone():
    scores = of([[0.9, 0.1], [0.7, 0.3]], [[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [0.95, 0.05]])
    assert agreed(scores, 0.6).tolist() == [True, False, True]
    assert agreed(scores, 0.8).tolist() == [False, False, True]


def test_frames_of_a_clip_are_one():
    scores = of([[1.0, 0.0]], [[0.0, 1.0]], [[0.5, 0.5]], [[0.2, 0.8]])
    found = units(scores, ["a", "b", "a", "a"])
    assert found.first.tolist() == [0, 1]
    assert found.middle.tolist() == [2, 1]
    np.testing.assert_allclose(found.probabilities[0, 0], [1.7 / 3, 1.3 / 3], rtol=1e-6)
    alone = units(scores, None)
    np.testing.assert_array_equal(alone.probabilities, scores)
    assert alone.middle.tolist() == [0, 1, 2, 3]
