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
from itertools import combinations
from typing import Literal

import nlopt
import numpy as np

Regime = Literal["cone", "vertex", "single", "no_source", "no_target"]

MOST_SOURCES = 10
"""`exact` looks at 2^k - 1 supports; beyond ten sources that is no longer cheap."""

_SMALLEST_PIVOT = 1e-10
_TIE = 1e-12
_TIED_CORRELATION = 1e-9

# NLopt's own runtime_error replaced Python's RuntimeError in its later releases.
_NLOPT_STOPPED = (
    nlopt.RoundoffLimited,
    RuntimeError,
    getattr(nlopt, "runtime_error", RuntimeError),
)


@dataclass(frozen=True)
class LayerProblem:
    """One layer's problem in unit-norm columns.

    Attributes:
        correlation: R [k, k], cosines between the source gradients.
        cosine: c [k], cosines of the source gradients with the target gradient.
        norm: [k], norms of the source gradients, all positive.
    """

    correlation: Sequence[Sequence[float]]
    cosine: Sequence[float]
    norm: Sequence[float]


@dataclass(frozen=True)
class Solution:
    """Weights of one layer.

    Attributes:
        weights: [k], non-negative, sum 1 (Eq. 7).
        cosine: cosine of the mixed gradient with the target's (a term of Eq. 8), or None where a
            zero gradient leaves it undefined and the layer is left out of rho.
        regime: `cone`: some source points along the target gradient; `vertex`: none does, the best
            single source is taken; `single`: one source has a gradient; `no_source`, `no_target`:
            no source, or the target, has one.
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
    squares = [gram[i][i] for i in range(k + 1)]
    for i, square in enumerate(squares):
        if not math.isfinite(square):
            raise NonFiniteGradientError(i)
    uniform_weights = (1.0 / k,) * k
    if squares[k] <= 0.0:
        return Solution(uniform_weights, None, "no_target")
    kept = [i for i in range(k) if squares[i] > 0.0]
    if not kept:
        return Solution(uniform_weights, None, "no_source")
    problem = _normalised(gram, kept)
    found, regime = [1.0], _regime(problem)
    if len(kept) > 1:
        found = solver(problem)
    weights = [0.0] * k
    total = sum(found)
    for i, weight in zip(kept, found, strict=True):
        weights[i] = weight / total
    return Solution(tuple(weights), mixed_cosine(problem, found), regime)


def exact(problem: LayerProblem) -> list[float]:
    """The maximiser of Eq. 6.

    If some source has a positive cosine, the optimum is the direction of the target gradient's
    projection on the cone of source gradients; it is found by looking at every support, which
    needs no iteration and no tolerance of convergence. If none has, the cosine is largest at a
    vertex: the single source with the largest cosine. Among equal optima (collinear sources) the
    weights of least norm are taken.

    Raises:
        ValueError: if there are more than `MOST_SOURCES` sources.
    """
    k = len(problem.cosine)
    if k > MOST_SOURCES:
        raise ValueError(f"solver exact takes at most {MOST_SOURCES} sources, found {k}.")
    if max(problem.cosine) <= 0.0:
        return _vertex(problem)
    best, best_cosine = _vertex_in_columns(problem), max(problem.cosine)
    dropped = False
    for size in range(2, k + 1):
        for support in combinations(range(k), size):
            columns = _face(problem, support)
            if columns is None:
                dropped = True
                continue
            cosine = _cosine_in_columns(problem, columns)
            if cosine > best_cosine + _TIE:
                best, best_cosine = columns, cosine
    if dropped:
        return _least_norm(problem, best)
    return [u / n for u, n in zip(best, problem.norm, strict=True)]


def slsqp(problem: LayerProblem) -> list[float]:
    """Eq. 6 by NLopt's LD_SLSQP from uniform weights, as the paper does.

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
        if length < _TIE:
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
    return weights if any(weights) else _vertex(problem)


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


def mixed_cosine(problem: LayerProblem, weights: Sequence[float]) -> float:
    """Cosine of the mixed gradient with the target's; 0 where the mixture cancels out."""
    return _cosine_in_columns(problem, [w * n for w, n in zip(weights, problem.norm, strict=True)])


def _normalised(gram: Sequence[Sequence[float]], kept: Sequence[int]) -> LayerProblem:
    """The problem of the sources `kept` in unit-norm columns."""
    norm = [math.sqrt(gram[i][i]) for i in kept]
    target = math.sqrt(gram[-1][-1])
    correlation = [
        [1.0 if i == j else gram[i][j] / (a * b) for j, b in zip(kept, norm, strict=True)]
        for i, a in zip(kept, norm, strict=True)
    ]
    cosine = [gram[i][-1] / (a * target) for i, a in zip(kept, norm, strict=True)]
    return LayerProblem(correlation, cosine, norm)


def _regime(problem: LayerProblem) -> Regime:
    if len(problem.cosine) == 1:
        return "single"
    return "cone" if max(problem.cosine) > 0.0 else "vertex"


def _cosine_in_columns(problem: LayerProblem, columns: Sequence[float]) -> float:
    """Cosine with the target of the combination `columns` [k] of unit-norm source gradients."""
    square = sum(
        u * r * v
        for u, row in zip(columns, problem.correlation, strict=True)
        for r, v in zip(row, columns, strict=True)
    )
    along = sum(u * c for u, c in zip(columns, problem.cosine, strict=True))
    scale = sum(u * u for u in columns)
    if square <= _TIE * scale:
        return 0.0
    return max(-1.0, min(1.0, along / math.sqrt(square)))


def _vertex_in_columns(problem: LayerProblem) -> list[float]:
    """The first source with the largest cosine, as unit columns."""
    largest = max(problem.cosine)
    j = next(i for i, c in enumerate(problem.cosine) if c >= largest - _TIE)
    return [float(i == j) for i in range(len(problem.cosine))]


def _vertex(problem: LayerProblem) -> list[float]:
    """Weights of the best single source, split by least norm over the sources collinear with it."""
    j = _vertex_in_columns(problem).index(1.0)
    lowest = max(problem.cosine) - _TIE
    return [
        n if r >= 1.0 - _TIED_CORRELATION and c >= lowest else 0.0
        for n, r, c in zip(problem.norm, problem.correlation[j], problem.cosine, strict=True)
    ]


def _face(problem: LayerProblem, support: Sequence[int]) -> list[float] | None:
    """Projection on the span of `support` in columns [k]; all zero if it leaves the cone.

    None if the sources of the support are collinear up to rounding.
    """
    solved = _solve(
        [[problem.correlation[i][j] for j in support] for i in support],
        [problem.cosine[i] for i in support],
    )
    if solved is None:
        return None
    columns = [0.0] * len(problem.cosine)
    if min(solved) > 0.0:
        for i, u in zip(support, solved, strict=True):
            columns[i] = u
    return columns


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Solve a positive definite system by elimination; None if a pivot is nearly zero."""
    n = len(right)
    for i in range(n):
        pivot = matrix[i][i]
        if pivot < _SMALLEST_PIVOT:
            return None
        for row in range(i + 1, n):
            factor = matrix[row][i] / pivot
            for column in range(i + 1, n):
                matrix[row][column] -= factor * matrix[i][column]
            right[row] -= factor * right[i]
    for i in reversed(range(n)):
        for column in range(i + 1, n):
            right[i] -= matrix[i][column] * right[column]
        right[i] /= matrix[i][i]
    return right


def _least_norm(problem: LayerProblem, columns: list[float]) -> list[float]:
    """Weights of least norm with the same mixed direction as `columns`, for collinear sources.

    The optimum of min |w|^2, w >= 0, with the mixture given, is the pseudo-inverse solution on its
    own support; so all supports are tried. Rare, hence plain.
    """
    correlation, norm = np.array(problem.correlation), np.array(problem.norm)
    scale = norm / norm.max()
    gram = correlation * np.outer(scale, scale)
    right = scale * (correlation @ np.array(columns))
    best = np.array(columns) / scale
    wanted = _cosine_in_columns(problem, columns)
    for size in range(1, len(norm) + 1):
        for support in combinations(range(len(norm)), size):
            chosen = list(support)
            inverse = np.linalg.pinv(gram[np.ix_(chosen, chosen)], rcond=1e-9, hermitian=True)
            weights = np.zeros(len(norm))
            weights[chosen] = inverse @ right[chosen]
            if weights.min() < 0.0 or not weights.any():
                continue
            lost = wanted - _cosine_in_columns(problem, list(weights * scale))
            if lost <= _TIE and weights @ weights < (best @ best) * (1.0 - _TIED_CORRELATION):
                best = weights
    return [float(w) for w in best]
