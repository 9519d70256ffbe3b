"""The batched solver against the plain one, and without device synchronisation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmix.solving import batched
from gradmix.solving.solvers import solve_layer, solver_named

KINDS = (
    "independent", "aligned", "opposed", "spread", "collinear", "duplicates", "near_collinear",
    "near_opposite", "straight", "zero_source", "all_zero", "zero_target", "inside_cone",
    "integer", "huge",
)  # fmt: skip

# Kinds with weights that the cosine does not determine to 1e-6; see `solve_layers`.
UNDECIDED = ("collinear", "near_collinear")


def grams_of(random_problem, kind: str, seed: int, k: int, layers: int = 8) -> torch.Tensor:
    """Gram matrices [layers, k + 1, k + 1] of problems of one kind with k sources."""
    rng = np.random.default_rng(seed)
    grams = []
    while len(grams) < layers:
        sources, target = random_problem(kind, rng)
        if len(sources) == k:
            rows = np.vstack([sources, target])
            grams.append(torch.from_numpy(rows @ rows.T))
    return torch.stack(grams)


def cosine_of(grams: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Cosine [layers] between the mixture of sources with some weights and the target."""
    k = weights.shape[1]
    along = (weights * grams[:, :k, k]).sum(1)
    return along / (length_of(grams, weights) * grams[:, k, k].sqrt())


def length_of(grams: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Length [layers] of the mixture of sources with some weights."""
    k = weights.shape[1]
    squared = torch.einsum("li,lij,lj->l", weights, grams[:, :k, :k], weights)
    return squared.clamp_min(0.0).sqrt()


@pytest.mark.parametrize("solver", batched.BATCHED)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), k=st.integers(1, batched.MOST_SOURCES))
def test_all_layers_at_once_are_solved_like_each_alone(
    random_problem, solver, kind, seed, k
) -> None:
    grams = grams_of(random_problem, kind, seed, k)
    found = batched.solve_layers(grams, batched.BATCHED[solver])
    alone = [solve_layer(gram, solver_named(solver)) for gram in grams.tolist()]
    assert [batched.REGIMES[i] for i in found.regime] == [s.regime for s in alone]
    expected = torch.tensor([s.weights for s in alone], dtype=torch.float64)
    cosines = torch.tensor([s.cosine or 0.0 for s in alone], dtype=torch.float64)
    # Where sources all but cancel out, their mixture is short and its length little but rounding.
    lost = torch.finfo(torch.float64).eps * grams.diagonal(dim1=1, dim2=2).amax(1)
    slack = 1e-8 + lost / length_of(grams, expected).square().clamp_min(1e-300)
    assert ((found.cosine - cosines).abs() <= slack).all(), found.cosine - cosines
    assert found.weights.min() >= 0.0
    assert found.weights.sum(1).tolist() == pytest.approx([1.0] * len(alone))
    if solver == "exact" and kind == "huge":
        return  # undecided too, and the cosine of given weights overflows
    same = torch.isclose(found.weights, expected, atol=1e-6, rtol=0).all(1)
    if solver == "exact" and kind in UNDECIDED:
        as_good = cosine_of(grams, found.weights) - cosine_of(grams, expected)
        same |= as_good.abs() < 1e-12
    assert same.all(), found.weights - expected


def test_a_layer_with_a_gradient_that_is_not_finite_has_no_weights_and_others_keep_theirs() -> None:
    grams = torch.eye(3, dtype=torch.float64).repeat(3, 1, 1)
    grams[:, 2, :2] = grams[:, :2, 2] = 0.5
    for bad in (torch.nan, torch.inf):
        grams[1, 0, 0] = bad
        found = batched.solve_layers(grams, batched.exact)
        assert found.weights[1].isnan().all()
        assert found.cosine[1].isnan()
        assert found.weights[[0, 2]].tolist() == [[0.5, 0.5]] * 2


def test_solvers_without_a_batched_form_are_known() -> None:
    assert batched.batched_solver("exact", batched.MOST_SOURCES) is batched.exact
    assert batched.batched_solver("exact", batched.MOST_SOURCES + 1) is None
    assert batched.batched_solver("slsqp", 2) is None
    assert batched.batched_solver("sgd", 9) is batched.sgd
