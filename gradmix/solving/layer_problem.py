"""One layer's weight problem: correlations and cosines of unit-norm gradients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

TIE = 1e-12
"""Tolerance within which two cosines count as equal."""


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


def normalised(gram: Sequence[Sequence[float]], kept: Sequence[int]) -> LayerProblem:
    """The problem restricted to the sources `kept`, in unit-norm columns."""
    norm = [math.sqrt(gram[i][i]) for i in kept]
    target = math.sqrt(gram[-1][-1])
    correlation, cosine = [], []
    for i, a in zip(kept, norm, strict=True):
        row = gram[i]
        correlation.append(
            [1.0 if i == j else row[j] / (a * b) for j, b in zip(kept, norm, strict=True)]
        )
        cosine.append(row[-1] / (a * target))
    return LayerProblem(correlation, cosine, norm)


def mixed_cosine(problem: LayerProblem, weights: Sequence[float]) -> float:
    """Cosine of the mixed gradient with the target's; 0 if the mixture cancels out."""
    return cosine_in_columns(problem, [w * n for w, n in zip(weights, problem.norm, strict=True)])


def cosine_in_columns(problem: LayerProblem, columns: Sequence[float]) -> float:
    """Cosine of the combination `columns` [k] of unit-norm source gradients with the target."""
    square = along = scale = 0.0
    for u, row, c in zip(columns, problem.correlation, problem.cosine, strict=True):
        for r, v in zip(row, columns, strict=True):
            square += u * r * v
        along += u * c
        scale += u * u
    if square <= TIE * scale:
        return 0.0
    return max(-1.0, min(1.0, along / math.sqrt(square)))
