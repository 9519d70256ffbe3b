"""Exact solver of Eq. 6: projects the target gradient onto the cone of source gradients."""

from gradmix.solving.layer_problem import TIE, LayerProblem
from gradmix.solving.least_norm import least_norm
from gradmix.solving.projection import project

TIED_CORRELATION = 1e-9
"""Two sources whose correlation is within this distance of one are collinear."""


def exact(problem: LayerProblem) -> list[float]:
    """Maximise Eq. 6.

    If some source has a positive cosine, the optimum is the direction of the target gradient's
    projection onto the cone of source gradients, which needs no convergence tolerance. Otherwise
    the cosine is largest at a vertex: the single source with the largest cosine. Among equal optima
    (linearly dependent sources), the weights of least norm are returned.
    """
    if max(problem.cosine) <= 0.0:
        return vertex(problem)
    columns, slopes = project(problem.correlation, problem.cosine)
    # If sources nearly cancel out, columns are large and rounding errors show in the slopes.
    level = -TIE * max(1.0, sum(columns)) ** 2
    tied = [i for i, slope in enumerate(slopes) if slope >= level or columns[i]]
    if len(tied) > len(columns) - columns.count(0.0):
        return least_norm(problem, columns, tied)
    return [u / n for u, n in zip(columns, problem.norm, strict=True)]


def vertex(problem: LayerProblem) -> list[float]:
    """Weights of the best single source, split by least norm over the sources collinear with it."""
    lowest = max(problem.cosine) - TIE
    j = next(i for i, c in enumerate(problem.cosine) if c >= lowest)
    return [
        n if r >= 1.0 - TIED_CORRELATION and c >= lowest else 0.0
        for n, r, c in zip(problem.norm, problem.correlation[j], problem.cosine, strict=True)
    ]
