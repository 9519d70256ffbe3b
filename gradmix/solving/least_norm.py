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

    Only the sources `tied`, along which the value is constant, can have weight in an optimum.
    Linear dependence is decided by a threshold; if that lowers the cosine, a stricter one is tried.
    If dependent sources differ in norm by more than 1e12, the weights may not be of least norm.

    Args:
        problem: problem with k sources.
        columns: optimum [k] in unit columns, supported on independent sources.
        tied: sources that can have weight, including those that do in `columns`.
    """
    correlation = np.array(problem.correlation)[np.ix_(tied, tied)]
    norm = np.array(problem.norm) / max(problem.norm)
    # Rounding error of a cosine if sources nearly cancel out.
    noise = _EPSILON * sum(columns) ** 2
    lowest = cosine_in_columns(problem, columns) - TIE - noise
    for smallest in (SMALLEST_PIVOT, STRICTER_PIVOT):
        # Coordinates, because the Gram matrix has the square of their condition number and
        # gradients of one layer may differ in norm by orders of magnitude.
        rays = _coordinates(correlation, smallest) * norm[tied]
        weights = np.zeros(len(norm))
        weights[tied] = _shortest(rays, np.array(columns)[tied] / norm[tied])
        if cosine_in_columns(problem, (weights * norm).tolist()) >= lowest:
            return [float(w) for w in weights]
    return [u / n for u, n in zip(columns, problem.norm, strict=True)]


def _shortest(rays: FloatArray, start: FloatArray) -> FloatArray:
    """The w >= 0 of least norm that `rays` [r, n] map to the same point as `start` [n] >= 0.

    The unconstrained w of least norm is made non-negative by the shortest step in the null space of
    the rays; the dual of this least distance problem is again a projection onto a cone (Lawson and
    Hanson, chapter 23).
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
    """Unit vectors [rank, k] with these dot products, without directions below a threshold."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > smallest
    return np.asarray(np.sqrt(values[kept])[:, None] * vectors[:, kept].T)
