"""What to label next: disagreement, distance, and a control that is a fair sample."""

import numpy as np
import pytest

from tasks.labelling.suggestions import diverse, suggestions


def split(p):
    """Two members that are sure of p and of 1 - p."""
    return [[p, 1 - p], [1 - p, p]]


def test_the_most_disagreed_is_first_and_copies_of_it_are_last():
    scores = np.array([split(0.5), split(0.99), split(0.99), split(0.02), split(0.7)], np.float32)
    found = diverse(scores, 3)
    # 1 and 2 are the same image to the members; 3 is as disagreed the other way round.
    assert found.tolist()[:2] == [1, 3]
    assert 2 not in found.tolist()


def test_only_the_most_disagreed_are_looked_at():
    rng = np.random.default_rng(0)
    sure = np.tile([[1.0, 0.0], [1.0, 0.0]], (400, 1, 1))
    scores = np.concatenate([sure, [split(p) for p in rng.uniform(0.9, 1, 60)]]).astype(np.float32)
    assert min(diverse(scores, 6)) >= 400


def test_halves_of_one_size_in_one_order_without_what_is_known():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), (200, 2)).astype(np.float32)
    known = np.arange(200) < 100
    found = suggestions(scores, known, 20, 5)
    why = [one.why for one in found]
    assert why.count("suggested") == why.count("control") == 20
    assert min(one.sample for one in found) >= 100
    assert "control" in why[:10]
    assert "suggested" in why[:10]
    assert found == suggestions(scores, known, 20, 5)
    assert found != suggestions(scores, known, 20, 6)


def test_the_control_is_drawn_from_all():
    scores = np.random.default_rng(0).dirichlet(np.ones(3), (40, 2)).astype(np.float32)
    known = np.zeros(40, bool)
    counts = np.zeros(40)
    for seed in range(400):
        for one in suggestions(scores, known, 10, seed):
            counts[one.sample] += one.why == "control"
    # Binomial with 400 trials of 1/4: 100 +- 8.7.
    assert np.abs(counts - 100).max() < 45
    assert counts.mean() == pytest.approx(100)


def test_fewer_than_asked_for():
    scores = np.array([split(0.5), split(0.9)], np.float32)
    assert len(suggestions(scores, np.array([False, True]), 20, 0)) == 2
    assert suggestions(scores, np.array([True, True]), 20, 0) == []
    assert suggestions(scores, np.array([False, False]), 0, 0) == []
