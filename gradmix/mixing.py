"""The paper's equations on plain tensors: layer weights, importance and learning-rate scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import torch
from torch import Tensor

from gradmix.declarations.steering import refuse_negative_beta
from gradmix.solving.solvers import solve_layer, solver_named

if TYPE_CHECKING:
    from jaxtyping import Float

SMALLEST_NORMAL = 2.0**-1022
"""Smallest normal double; gradients below it count as zero."""


def gramian(rows: Float[Tensor, "r n"]) -> Float[Tensor, "r r"]:
    """Dot products of gradients, in double precision."""
    rows = rows.double()
    return rows @ rows.T


def mixing_weights(
    source_grads: Float[Tensor, "k n"], target_grad: Float[Tensor, " n"], solver: str = "exact"
) -> Float[Tensor, " k"]:
    """Weights of the k source gradients for one layer (Eq. 6 and 7).

    Args:
        source_grads: one row per source, in any unit.
        target_grad: gradient of the loss on V for the same layer.
        solver: `exact`, `slsqp` (NLopt, as in the paper), `sgd` (learning to reweight) or
            `uniform`.

    Returns:
        Non-negative weights that sum to 1, with the sources' dtype. A source with a zero gradient
        gets 0; if all of them are zero, or the target's is, the weights are uniform.

    Raises:
        ValueError: if the shapes do not match, a gradient is not finite or the solver is unknown.
    """
    expected = source_grads.ndim == 2 and len(source_grads) > 0
    if not expected or target_grad.shape != source_grads.shape[1:]:
        raise ValueError(
            "expected source_grads [k, n] with k >= 1 and target_grad [n], "
            f"found {list(source_grads.shape)} and {list(target_grad.shape)}."
        )
    if not (source_grads.is_floating_point() and target_grad.is_floating_point()):
        raise ValueError(
            "expected floating-point gradients, "
            f"found {source_grads.dtype} and {target_grad.dtype}."
        )
    rows = torch.cat([source_grads, target_grad[None]])
    if not torch.isfinite(rows).all():
        raise ValueError("expected finite gradients, found NaN or Inf.")
    # A common factor does not change the weights but keeps squares of huge gradients finite.
    rows = rows.double() / rows.abs().max().double().clamp_min(SMALLEST_NORMAL)
    solution = solve_layer(gramian(rows).tolist(), solver_named(solver))
    return torch.tensor(solution.weights, dtype=source_grads.dtype, device=source_grads.device)


def importance(
    mixed_grads: Sequence[Float[Tensor, ...]], target_grads: Sequence[Float[Tensor, ...]]
) -> Float[Tensor, ""]:
    """Importance rho of a mini-batch (Eq. 8): sum over layers of cosine similarities.

    Args:
        mixed_grads: mixed source gradient of each layer l = 1..L-1.
        target_grads: gradient of the loss on V for the same layers.

    Returns:
        rho in [-(L-1), L-1]; layers where either gradient is zero are skipped. NaN if a gradient
        contains NaN.

    Raises:
        ValueError: if the two lists differ in length or are empty.
    """
    if len(mixed_grads) != len(target_grads) or not mixed_grads:
        raise ValueError(
            "expected one mixed and one target gradient per layer, "
            f"found {len(mixed_grads)} and {len(target_grads)}."
        )
    rho = mixed_grads[0].new_zeros((), dtype=torch.float64)
    for mixed, target in zip(mixed_grads, target_grads, strict=True):
        # Squares of very small or large single-precision gradients need double range.
        a, b = mixed.double(), target.double()
        lengths = a.norm() * b.norm()
        if lengths != 0:
            rho = rho + (a * b).sum() / lengths
    return rho.to(mixed_grads[0].dtype)


@overload
def learning_rate_scale(rho: float, beta: float, gamma: float) -> float: ...
@overload
def learning_rate_scale(rho: Tensor, beta: float, gamma: float) -> Tensor: ...
def learning_rate_scale(rho: float | Tensor, beta: float, gamma: float) -> float | Tensor:
    """Learning-rate scale eta in [0, 1] (Eq. 9): 1 / (1 + exp(-(beta rho - gamma))).

    Args:
        rho: importance (Eq. 8).
        beta: rate of saturation, not negative.
        gamma: shift; eta = 1/2 where beta rho = gamma.

    Raises:
        ValueError: if beta is negative or NaN.
    """
    refuse_negative_beta(beta)
    if isinstance(rho, Tensor):
        return torch.sigmoid(beta * rho - gamma)
    # The form for negative z keeps exp from overflowing.
    z = beta * rho - gamma
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


def weight_entropy(weights: Sequence[float]) -> float:
    """Entropy of one layer's weights divided by log k: 0 for a single source, 1 for uniform."""
    if len(weights) < 2:
        return 0.0
    return -sum(w * math.log(w) for w in weights if w > 0.0) / math.log(len(weights))
