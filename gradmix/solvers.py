"""Layer weights from Gram matrices (Eq. 6 and 7): the solvers and every degenerate case.

Eq. 6 is a sum over layers that share no weights, so each layer is solved alone, and only the dot
products of its gradients matter. Columns are scaled to unit norm first: the problem is then one of
correlations R between sources and cosines c of sources with the target, whatever the gradients'
sizes. Everything here is plain floating point: k is small and a call costs microseconds.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import nlopt
import numpy as np

from gradmix.exact import exact, vertex
from gradmix.layer_problem import TIE, LayerProblem, mixed_cosine, normalised

Regime = Literal["cone", "vertex", "single", "no_source", "no_target", "skipped"]

# NLopt's own runtime_error replaced Python's RuntimeError in its later releases.
_NLOPT_STOPPED = (
    nlopt.RoundoffLimited,
    RuntimeError,
    getattr(nlopt, "runtime_error", RuntimeError),
)


@dataclass(frozen=True)
class Solution:
    """Weights of one layer.

    Attributes:
        weights: [k], non-negative, sum 1 (Eq. 7).
        cosine: cosine of the mixed gradient with the target's (a term of Eq. 8), or None where a
            zero gradient leaves it undefined and the layer is left out of rho.
        regime: `cone`: some source points along the target gradient; `vertex`: none does, the best
            single source is taken; `single`: one source has a gradient; `no_source`, `no_target`:
            no source, or the target, has one; `skipped`: no source points along the target
            gradient, and none is followed.
    """

    weights: tuple[float, ...]
    cosine: float | None
    regime: Regime


Solver = Callable[[LayerProblem], list[float]]
"""Maps a problem of two or more sources to weights [k], non-negative, on any common scale."""


class NonFiniteGradientError(ArithmeticError):
    """A gradient holds NaN or Inf; `index` is its row, k for the target's."""

    def __init__(self, index: int) -> None:
        super().__init__(f"gradient {index} holds NaN or Inf")
        self.index = index


def solve_layer(gram: Sequence[Sequence[float]], solver: Solver) -> Solution:
    """Weights of one layer from its Gram matrix [k + 1, k + 1], the target's gradient last.

    Raises:
        NonFiniteGradientError: if a gradient holds NaN or Inf.
    """
    k = len(gram) - 1
    squares = [row[i] for i, row in enumerate(gram)]
    if not math.isfinite(sum(squares)):
        _refuse_non_finite(squares)
    if squares[k] <= 0.0:
        return Solution((1.0 / k,) * k, None, "no_target")
    kept = [i for i in range(k) if squares[i] > 0.0]
    if not kept:
        return Solution((1.0 / k,) * k, None, "no_source")
    problem = normalised(gram, kept)
    found = solver(problem) if len(kept) > 1 else [1.0]
    weights = [0.0] * k
    total = sum(found)
    for i, weight in zip(kept, found, strict=True):
        weights[i] = weight / total
    return Solution(tuple(weights), mixed_cosine(problem, found), _regime(problem))


def _refuse_non_finite(squares: Sequence[float]) -> None:
    """Raise for the first square that is NaN or Inf; their sum may be so without one."""
    for i, square in enumerate(squares):
        if not math.isfinite(square):
            raise NonFiniteGradientError(i)


def slsqp(problem: LayerProblem) -> list[float]:
    """Eq. 6 by NLopt's LD_SLSQP, as the paper does, from equal parts of unit-norm gradients.

    A local method on a problem that has local maxima: where no source has a positive cosine it
    often stops short of `exact`. The best point seen is kept, as NLopt loses it when rounding
    stops the search.
    """
    correlation, cosine = np.array(problem.correlation), np.array(problem.cosine)
    k = len(cosine)
    best_value, best = -math.inf, np.full(k, 1.0 / k)

    def objective(u: np.ndarray, gradient: np.ndarray) -> float:
        nonlocal best_value, best
        along = correlation @ u
        length = math.sqrt(max(float(u @ along), 0.0))
        if length < TIE:
            gradient[:] = 0.0
            return -1.0
        value = float(cosine @ u) / length
        # NLopt hands over an empty gradient where its line search needs the value alone.
        if gradient.size:
            gradient[:] = (cosine - value * along / length) / length
        if value > best_value:
            best_value, best = value, u.copy()
        return value

    search = nlopt.opt(nlopt.LD_SLSQP, k)
    search.set_max_objective(objective)
    search.set_lower_bounds(np.zeros(k))
    search.set_xtol_rel(1e-8)
    search.set_maxeval(500)
    # Where rounding ends the search, the best point seen is the answer.
    with suppress(*_NLOPT_STOPPED):
        search.optimize(best.copy())
    return [float(u) / n for u, n in zip(best, problem.norm, strict=True)]


def sgd(problem: LayerProblem) -> list[float]:
    """One step of learning to reweight [31] from zero: w_i = max(g_i . g_V, 0).

    Where no dot product is positive the step leaves all weights at zero, which Eq. 7 cannot
    normalise; the vertex of `exact` is taken instead.
    """
    weights = [max(c, 0.0) * n for c, n in zip(problem.cosine, problem.norm, strict=True)]
    return weights if any(weights) else vertex(problem)


def uniform(problem: LayerProblem) -> list[float]:
    """Equal weights, whatever the gradients: the control of the other solvers."""
    return [1.0] * len(problem.cosine)


SOLVERS: dict[str, Solver] = {"exact": exact, "slsqp": slsqp, "sgd": sgd, "uniform": uniform}


def solver_named(name: str) -> Solver:
    """The solver of that name.

    Raises:
        ValueError: if there is none.
    """
    if name not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}. Found {name!r}.")
    return SOLVERS[name]


def _regime(problem: LayerProblem) -> Regime:
    if len(problem.cosine) == 1:
        return "single"
    return "cone" if max(problem.cosine) > 0.0 else "vertex"
