"""UPGrad's weights: by hand, against brute force, and their properties."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradmix.solving.conflicts import upgrad

KINDS = ["independent", "opposed", "spread", "near_collinear", "duplicates", "zero_source"]


def rows_of(random_problem, kind: str, seed: int) -> np.ndarray:
    sources, target = random_problem(kind, np.random.default_rng(seed))
    return np.vstack([sources, target])


def projected(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The closest point to `wanted` without negative dot products with the rows, by brute force.

    It is `wanted` plus a combination of rows; the rows of the right support are orthogonal to it.
    """
    best, distance = wanted, np.inf
    for size in range(len(rows) + 1):
        for support in combinations(range(len(rows)), size):
            chosen = rows[list(support)]
            point = wanted - np.linalg.pinv(chosen) @ (chosen @ wanted)
            feasible = (rows @ point >= -1e-9 * np.linalg.norm(rows, axis=1)).all()
            if feasible and np.linalg.norm(point - wanted) < distance:
                best, distance = point, float(np.linalg.norm(point - wanted))
    return best


def test_two_gradients_in_conflict_by_hand() -> None:
    """(1, 0) and (-1, 1) become (.5, .5) and (0, 1): 1 g_1 + .5 g_2, and 1 g_1 + 1 g_2."""
    rows = np.array([[1.0, 0.0], [-1.0, 1.0]])
    found = upgrad((rows @ rows.T).tolist())
    assert found == pytest.approx([1.0, 0.75])
    assert found @ rows == pytest.approx([0.25, 0.75])


def test_without_conflict_it_is_the_mean() -> None:
    rows = np.array([[1.0, 0.0, 0.2], [3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    assert upgrad((rows @ rows.T).tolist()) == pytest.approx([1 / 3] * 3)


def test_opposite_gradients_cancel_and_a_zero_one_keeps_its_share() -> None:
    rows = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
    found = upgrad((rows @ rows.T).tolist())
    assert found @ rows == pytest.approx([0.0, 0.0])
    assert found[2] == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10_000))
def test_it_is_the_mean_of_all_projections_and_raises_no_loss(random_problem, kind, seed) -> None:
    rows = rows_of(random_problem, kind, seed)
    mixed = np.array(upgrad((rows @ rows.T).tolist())) @ rows
    expected = np.mean([projected(rows, row) for row in rows], axis=0)
    lengths = np.linalg.norm(rows, axis=1)
    assert np.linalg.norm(mixed - expected) <= 1e-5 * lengths.max()
    assert (rows @ mixed >= -1e-6 * lengths * lengths.max()).all()


@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_tasks_does_not_count(random_problem, seed) -> None:
    rows = rows_of(random_problem, "independent", seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    mixed = np.array(upgrad((rows @ rows.T).tolist())) @ rows
    permuted = rows[order]
    again = np.array(upgrad((permuted @ permuted.T).tolist())) @ permuted
    assert again == pytest.approx(mixed, rel=1e-6, abs=1e-7)
