"""The exact solver of Eq. 6."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from gradmix.layer_problem import TIE, LayerProblem, cosine_in_columns

FloatArray = npt.NDArray[np.float64]

MOST_SOURCES = 10
"""`exact` looks at 2^k - 1 supports; beyond ten sources that is no longer cheap."""

_SMALLEST_PIVOT = 1e-10
_RCOND = 1e-12
_TIED_CORRELATION = 1e-9


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
        return vertex(problem)
    best, best_cosine = _vertex_columns(problem), max(problem.cosine)
    dropped = False
    for size in range(2, k + 1):
        for support in combinations(range(k), size):
            columns = _face(problem, support)
            if columns is None:
                dropped = True
                continue
            cosine = cosine_in_columns(problem, columns)
            if cosine > best_cosine + TIE:
                best, best_cosine = columns, cosine
    if dropped:
        return _least_norm(problem, best)
    return [u / n for u, n in zip(best, problem.norm, strict=True)]


def vertex(problem: LayerProblem) -> list[float]:
    """Weights of the best single source, split by least norm over the sources collinear with it."""
    j = _vertex_columns(problem).index(1.0)
    lowest = max(problem.cosine) - TIE
    return [
        n if r >= 1.0 - _TIED_CORRELATION and c >= lowest else 0.0
        for n, r, c in zip(problem.norm, problem.correlation[j], problem.cosine, strict=True)
    ]


def _vertex_columns(problem: LayerProblem) -> list[float]:
    """The first source with the largest cosine, as unit columns."""
    largest = max(problem.cosine)
    j = next(i for i, c in enumerate(problem.cosine) if c >= largest - TIE)
    return [float(i == j) for i in range(len(problem.cosine))]


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
    norm = np.array(problem.norm)
    scale = norm / norm.max()
    # Coordinates and not the Gram matrix, whose condition is the square of theirs: gradients of
    # one layer may differ in size by orders of magnitude.
    units = _coordinates(np.array(problem.correlation))
    mixed = units @ np.array(columns)
    best = np.array(columns) / scale
    wanted = cosine_in_columns(problem, columns)
    for size in range(1, len(norm) + 1):
        for support in combinations(range(len(norm)), size):
            chosen = list(support)
            weights = np.zeros(len(norm))
            weights[chosen] = np.linalg.pinv(units[:, chosen] * scale[chosen], rcond=_RCOND) @ mixed
            if weights.min() < 0.0 or not weights.any():
                continue
            lost = wanted - cosine_in_columns(problem, list(weights * scale))
            if lost <= TIE and weights @ weights < (best @ best) * (1.0 - _TIED_CORRELATION):
                best = weights
    return [float(w) for w in best]


def _coordinates(correlation: FloatArray) -> FloatArray:
    """Unit vectors [rank, k] with these dot products; directions below rounding are left out."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > _SMALLEST_PIVOT
    return np.asarray(np.sqrt(values[kept])[:, None] * vectors[:, kept].T)
