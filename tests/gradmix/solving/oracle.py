"""Oracle for the exact solver: tries all 2^k - 1 supports, without a search."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from gradmix.solving.exact import vertex
from gradmix.solving.layer_problem import TIE, LayerProblem, cosine_in_columns

SMALLEST_PIVOT = 1e-10


def by_enumeration(problem: LayerProblem) -> list[float]:
    """The maximiser of Eq. 6 of least norm, for at most ten sources."""
    if max(problem.cosine) <= 0.0:
        return vertex(problem)
    correlation, cosine = np.array(problem.correlation), np.array(problem.cosine)
    best, best_cosine, dependent = np.zeros(len(cosine)), 0.0, False
    for support in _supports(len(cosine)):
        matrix = correlation[np.ix_(support, support)]
        if _smallest_pivot(matrix) < SMALLEST_PIVOT:
            dependent = True
            continue
        solved = np.linalg.solve(matrix, cosine[support])
        columns = np.zeros(len(cosine))
        columns[support] = solved
        reached = cosine_in_columns(problem, columns.tolist())
        if solved.min() > 0.0 and reached > best_cosine + TIE:
            best, best_cosine = columns, reached
    weights = best / problem.norm
    return (_of_least_norm(problem, weights) if dependent else weights).tolist()


def _of_least_norm(problem: LayerProblem, weights: np.ndarray) -> np.ndarray:
    """The weights of least norm with the mixed direction of `weights`.

    The optimum of min |w|^2, w >= 0, with the given mixture, is the pseudo-inverse solution on its
    own support.
    """
    values, vectors = np.linalg.eigh(np.array(problem.correlation))
    kept = values > SMALLEST_PIVOT
    rays = np.sqrt(values[kept])[:, None] * vectors[:, kept].T * problem.norm
    lowest = _cosine(problem, weights) - TIE
    best = weights
    for support in _supports(len(weights)):
        candidate = np.zeros(len(weights))
        candidate[support] = np.linalg.pinv(rays[:, support], rcond=1e-12) @ (rays @ weights)
        if candidate.min() < 0.0 or not candidate.any() or _cosine(problem, candidate) < lowest:
            continue
        if candidate @ candidate < (best @ best) * (1.0 - 1e-9):
            best = candidate
    return best


def _supports(k: int) -> Iterator[list[int]]:
    for size in range(1, k + 1):
        yield from map(list, combinations(range(k), size))


def _cosine(problem: LayerProblem, weights: np.ndarray) -> float:
    return cosine_in_columns(problem, (weights * problem.norm).tolist())


def _smallest_pivot(matrix: np.ndarray) -> float:
    """The smallest pivot of symmetric elimination, or the first non-positive one."""
    matrix, smallest = matrix.copy(), np.inf
    for i in range(len(matrix)):
        smallest = min(smallest, matrix[i, i])
        if smallest < SMALLEST_PIVOT:
            break
        matrix[i + 1 :] -= np.outer(matrix[i + 1 :, i] / matrix[i, i], matrix[i])
    return float(smallest)
