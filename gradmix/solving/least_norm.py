"""Weights of least norm among equal optima: a least distance problem."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gradmix.solving.layer_problem import TIE, LayerProblem, cosine_in_columns
from gradmix.solving.projection import SMALLEST_PIVOT, project

FloatArray = npt.NDArray[np.float64]

STRICTER_PIVOT = 1e-14
_RCOND = 1e-12
_EPSILON = 4e-16


def least_norm(problem: LayerProblem, columns: Sequence[float], tied: Sequence[int]) -> list[float]:
    """Weights of least norm with the mixed direction of `columns`.

    Only the sources `tied`, along which the value does not change, can carry weight in an optimum.
    What counts as linearly dependent is a threshold; where it costs cosine, a stricter one is
    tried. Where dependent sources differ in size by more than 1e12, the weights may be longer.

    Args:
        problem: of k sources.
        columns: [k], the optimum in unit columns, from independent sources.
        tied: which sources can carry weight; among them, those that do in `columns`.
    """
    correlation = np.array(problem.correlation)[np.ix_(tied, tied)]
    norm = np.array(problem.norm) / max(problem.norm)
    # Rounding of a cosine, where sources nearly cancel out.
    noise = _EPSILON * sum(columns) ** 2
    lowest = cosine_in_columns(problem, columns) - TIE - noise
    for smallest in (SMALLEST_PIVOT, STRICTER_PIVOT):
        # Coordinates and not the Gram matrix, whose condition is the square of theirs: gradients of
        # one layer may differ in size by orders of magnitude.
        rays = _coordinates(correlation, smallest) * norm[tied]
        weights = np.zeros(len(norm))
        weights[tied] = _shortest(rays, np.array(columns)[tied] / norm[tied])
        if cosine_in_columns(problem, (weights * norm).tolist()) >= lowest:
            return [float(w) for w in weights]
    return [u / n for u, n in zip(columns, problem.norm, strict=True)]


def _shortest(rays: FloatArray, start: FloatArray) -> FloatArray:
    """The shortest w >= 0 that `rays` [r, n] map to the same point as `start` [n] >= 0.

    The shortest of all w is moved by the least step within the rays' null space that makes it
    non-negative; the dual of this least distance problem is a projection on a cone again (Lawson
    and Hanson, chapter 23).
    """
    size = np.linalg.norm(start)
    inverse = np.linalg.pinv(rays, rcond=_RCOND)
    point = rays @ (start / size)
    weights = inverse @ point
    if weights.min() < 0.0:
        null = np.eye(len(start)) - inverse @ rays
        matrix = null + np.outer(weights, weights)
        lengths = np.sqrt(matrix.diagonal().clip(SMALLEST_PIVOT**2))
        matrix /= np.outer(lengths, lengths)
        duals = np.array(project(matrix.tolist(), list(-weights / lengths))[0]) / lengths
        moved = weights + null @ duals / max(1.0 + weights @ duals, SMALLEST_PIVOT)
        kept = (duals == 0.0) & (moved > 0.0)
        weights = np.zeros(len(start))
        weights[kept] = np.linalg.pinv(rays[:, kept], rcond=_RCOND) @ point
    return np.asarray(size * weights.clip(0.0))


def _coordinates(correlation: FloatArray, smallest: float) -> FloatArray:
    """Unit vectors [rank, k] with these dot products; directions below a threshold are left out."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > smallest
    return np.asarray(np.sqrt(values[kept])[:, None] * vectors[:, kept].T)
