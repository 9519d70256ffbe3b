"""The paper's equations on tensors, against hand-computed values and limits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradmix.mixing import (
    gramian,
    importance,
    learning_rate_scale,
    mixing_weights,
    weight_entropy,
)
from gradmix.solving.exact import exact
from gradmix.solving.solvers import SOLVERS, solve_layer, solver_named


# 1 / (1 + exp(-(5 rho - 0.4))), rounded to two decimals.
@pytest.mark.parametrize(
    ("rho", "eta"), [(-0.5, 0.05), (0.0, 0.40), (0.2, 0.65), (0.5, 0.89), (1.0, 0.99)]
)
def test_learning_rate_scale_takes_the_papers_values(rho, eta) -> None:
    assert learning_rate_scale(rho, 5.0, 0.4) == pytest.approx(eta, abs=0.005)
    tensor = learning_rate_scale(torch.tensor(rho, dtype=torch.float64), 5.0, 0.4)
    assert tensor.item() == pytest.approx(learning_rate_scale(rho, 5.0, 0.4), rel=1e-12)


def test_learning_rate_scale_is_one_half_where_beta_rho_is_gamma() -> None:
    assert learning_rate_scale(0.08, 5.0, 0.4) == pytest.approx(0.5)
    # 1 / (1 + e^-1) and 1 / (1 + e).
    assert learning_rate_scale(0.2, 5.0, 0.0) == pytest.approx(0.7310585786)
    assert learning_rate_scale(0.0, 5.0, 1.0) == pytest.approx(0.2689414214)


@given(rho=st.floats(-5, 5), beta=st.floats(0, 50), gamma=st.floats(-2, 2))
def test_learning_rate_scale_rises_with_rho_and_falls_with_gamma(rho, beta, gamma) -> None:
    eta = learning_rate_scale(rho, beta, gamma)
    assert 0.0 <= eta <= 1.0
    assert learning_rate_scale(rho + 0.1, beta, gamma) >= eta
    assert learning_rate_scale(rho, beta, gamma + 0.1) <= eta


def test_learning_rate_scale_does_not_overflow() -> None:
    assert learning_rate_scale(-1e6, 1e6, 0.0) == 0.0
    assert learning_rate_scale(1e6, 1e6, 0.0) == 1.0
    assert learning_rate_scale(torch.tensor(-1e6), 1e6, 0.0) == 0.0


@pytest.mark.parametrize("beta", [-0.1, math.nan])
def test_a_beta_that_is_negative_or_no_number_is_refused(beta) -> None:
    with pytest.raises(ValueError, match=f"beta must not be negative, found {beta}"):
        learning_rate_scale(0.0, beta, 0.4)


def test_gramian_holds_dot_products_in_double_precision() -> None:
    gram = gramian(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
    assert gram.dtype == torch.float64
    assert gram.tolist() == [[5.0, 1.0], [1.0, 10.0]]


def test_mixing_weights_need_less_of_the_longer_gradient() -> None:
    # 1 * (1, 0) + 1/2 * (0, 2) = (1, 1).
    weights = mixing_weights(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([1.0, 1.0]))
    assert weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert weights.dtype == torch.float32


@pytest.mark.parametrize("solver", SOLVERS)
def test_mixing_weights_are_the_solvers_on_the_gram_matrix(solver) -> None:
    rows = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = mixing_weights(rows[:3], rows[3], solver)
    expected = solve_layer((rows @ rows.T).tolist(), solver_named(solver)).weights
    assert weights.tolist() == pytest.approx(expected, abs=1e-12)
    assert weights.dtype == torch.float64


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_mixing_weights_do_not_care_for_the_unit_even_in_float32(scale) -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]]) * scale
    assert mixing_weights(rows[:2], rows[2]).tolist() == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("sources", "target", "found"),
    [
        (torch.ones(3), torch.ones(3), r"found \[3\] and \[3\]"),
        (torch.ones(2, 3), torch.ones(2), r"found \[2, 3\] and \[2\]"),
        (torch.ones(0, 3), torch.ones(3), r"found \[0, 3\] and \[3\]"),
        (torch.tensor([[1.0, math.nan]]), torch.ones(2), "found NaN or Inf"),
        (torch.ones(1, 2), torch.tensor([1.0, math.inf]), "found NaN or Inf"),
    ],
)
def test_impossible_gradients_are_refused_with_what_was_found(sources, target, found) -> None:
    with pytest.raises(ValueError, match=found):
        mixing_weights(sources, target)


def test_importance_is_the_sum_of_cosines_over_layers() -> None:
    # cos = 1/sqrt 2 in the first layer, -0.6 in the second, 1 in the third.
    mixed = [torch.tensor([1.0, 0.0]), torch.tensor([[-3.0], [4.0]]), torch.tensor([2.0])]
    target = [torch.tensor([5.0, 5.0]), torch.tensor([[1.0], [0.0]]), torch.tensor([0.1])]
    assert importance(mixed, target).item() == pytest.approx(math.sqrt(0.5) - 0.6 + 1.0)


def test_importance_leaves_out_layers_without_a_gradient() -> None:
    one, none = torch.tensor([3.0, 4.0]), torch.zeros(2)
    assert importance([one, one, none], [one, none, one]).item() == pytest.approx(1.0)
    assert importance([none], [one]).item() == 0.0


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_importance_does_not_care_for_the_unit_even_in_float32(scale) -> None:
    mixed, target = torch.tensor([3.0, 4.0]) * scale, torch.tensor([1.0, 0.0]) * scale
    assert importance([mixed], [target]).item() == pytest.approx(0.6)


def test_importance_does_not_hide_a_gradient_that_is_no_number() -> None:
    assert math.isnan(importance([torch.tensor([math.nan])], [torch.ones(1)]).item())


def test_importance_refuses_different_numbers_of_layers() -> None:
    with pytest.raises(ValueError, match="found 1 and 2"):
        importance([torch.ones(1)], [torch.ones(1)] * 2)
    with pytest.raises(ValueError, match="found 0 and 0"):
        importance([], [])


@given(seed=st.integers(0, 10**6), layers=st.integers(1, 6))
def test_importance_equals_the_sum_of_the_solvers_cosines(seed, layers) -> None:
    generator = torch.Generator().manual_seed(seed)
    mixed, target, rho = [], [], 0.0
    for _ in range(layers):
        rows = torch.randn(4, 7, generator=generator, dtype=torch.float64)
        solution = solve_layer(gramian(rows).tolist(), exact)
        mixed.append(torch.tensor(solution.weights, dtype=torch.float64) @ rows[:3])
        target.append(rows[3])
        rho += solution.cosine
    assert importance(mixed, target).item() == pytest.approx(rho, abs=1e-9)


def test_weight_entropy_runs_from_a_single_source_to_uniform() -> None:
    assert weight_entropy([1.0, 0.0, 0.0]) == 0.0
    assert weight_entropy([1 / 3] * 3) == pytest.approx(1.0)
    # -(3/4 ln 3/4 + 1/4 ln 1/4) / ln 2 = 0.8113 bits.
    assert weight_entropy([0.75, 0.25]) == pytest.approx(0.8112781)
    assert weight_entropy([1.0]) == 0.0


def test_integer_gradients_are_refused() -> None:
    with pytest.raises(ValueError, match=r"floating-point gradients, found torch\.int64"):
        mixing_weights(torch.tensor([[1, 0], [0, 1]]), torch.tensor([1, 1]))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("solver", ["exact", "sgd"])
def test_weights_of_huge_and_tiny_gradients_are_those_of_common_ones(scale, solver) -> None:
    sources = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    target = torch.tensor([1.0, 1.0], dtype=torch.float64)
    expected = mixing_weights(sources, target, solver)
    torch.testing.assert_close(mixing_weights(scale * sources, scale * target, solver), expected)
