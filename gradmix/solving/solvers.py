"""Layer weights from Gram matrices (Eq. 6 and 7): the solvers and every degenerate case.

Eq. 6 is a sum over layers that share no weights, so each layer is solved separately, and only the
dot products of its gradients matter. Columns are first scaled to unit norm, which leaves
correlations R between sources and cosines c of sources with the target, whatever the norms of the
gradients. Everything is in plain Python floats: k is small and a call takes microseconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gradmix.solving.exact import exact, vertex
from gradmix.solving.layer_problem import LayerProblem, mixed_cosine, normalised

Regime = Literal["cone", "vertex", "single", "no_source", "no_target", "skipped"]


@dataclass(frozen=True)
class Solution:
    """Weights of one layer.

    Attributes:
        weights: [k], non-negative, sum 1 (Eq. 7).
        cosine: cosine of the mixed gradient with the target's (a term of Eq. 8), or None if a zero
            gradient leaves it undefined and the layer is excluded from rho.
        regime: `cone`: some source points along the target gradient; `vertex`: none does, so the
            best single source is used; `single`: only one source has a non-zero gradient;
            `no_source`, `no_target`: no source has one, or the target does not; `skipped`: no
            source points along the target gradient, and none is used.
    """

    weights: tuple[float, ...]
    cosine: float | None
    regime: Regime


Solver = Callable[[LayerProblem], list[float]]
"""Maps a problem with two or more sources to non-negative weights [k], on any scale."""


class NonFiniteGradientError(ArithmeticError):
    """A gradient contains NaN or Inf; `index` is its row, k for the target's."""

    def __init__(self, index: int) -> None:
        super().__init__(f"gradient {index} contains NaN or Inf")
        self.index = index


def solve_layer(gram: Sequence[Sequence[float]], solver: Solver) -> Solution:
    """Solve one layer from its Gram matrix [k + 1, k + 1], with the target's gradient last.

    Raises:
        NonFiniteGradientError: if a gradient contains NaN or Inf.
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
    """Raise for the first NaN or Inf; a sum of finite squares may also overflow."""
    for i, square in enumerate(squares):
        if not math.isfinite(square):
            raise NonFiniteGradientError(i)


def sgd(problem: LayerProblem) -> list[float]:
    """One step of learning to reweight [31] from zero: w_i = max(g_i . g_V, 0).

    If no dot product is positive, the step leaves all weights at zero, which Eq. 7 cannot
    normalise; the vertex of `exact` is returned instead.
    """
    weights = [max(c, 0.0) * n for c, n in zip(problem.cosine, problem.norm, strict=True)]
    return weights if any(weights) else vertex(problem)


def uniform(problem: LayerProblem) -> list[float]:
    """Equal weights for any gradients: the control for the other solvers."""
    return [1.0] * len(problem.cosine)


def _slsqp() -> Solver:
    """The NLopt solver; NLopt is imported only when it is used."""
    try:
        from gradmix.solving.slsqp import slsqp
    except ModuleNotFoundError as error:
        if error.name != "nlopt":
            raise
        raise ModuleNotFoundError(
            "solver slsqp needs NLopt, which is not installed; pip install nlopt, or use exact.",
            name="nlopt",
        ) from error
    return slsqp


SOLVERS: dict[str, Callable[[], Solver]] = {
    "exact": lambda: exact,
    "slsqp": _slsqp,
    "sgd": lambda: sgd,
    "uniform": lambda: uniform,
}


def solver_named(name: str) -> Solver:
    """Look up a solver by name.

    Raises:
        ValueError: if there is no such solver.
        ModuleNotFoundError: if the solver needs a library that is not installed.
    """
    if name not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}. Found {name!r}.")
    return SOLVERS[name]()


def _regime(problem: LayerProblem) -> Regime:
    if len(problem.cosine) == 1:
        return "single"
    return "cone" if max(problem.cosine) > 0.0 else "vertex"
