"""Gradients of equal standing: mixtures that lower every loss to first order."""

import math
from collections.abc import Sequence

from gradmix.solving.projection import project

Gram = Sequence[Sequence[float]]


def upgrad(gram: Gram) -> list[float]:
    """Weights [m] of UPGrad (arXiv 2406.16232): the mean of all gradients, freed from conflict.

    Each gradient is projected on the dual cone of all, the directions along which no loss rises,
    and the mean of the projections is taken. A projection is sum_i v_i g_i, v the minimiser of
    v'Gv over v >= e_j; in z = v - e_j >= 0 it is a projection on the cone itself, by active sets.

    Args:
        gram: G [m, m], dot products of the gradients. One that is zero gets its own share, 1 / m.
    """
    norms = [math.sqrt(gram[i][i]) for i in range(len(gram))]
    kept = [i for i, norm in enumerate(norms) if norm > 0.0]
    cosines = [[1.0 if i == j else gram[i][j] / (norms[i] * norms[j]) for j in kept] for i in kept]
    weights = [1.0] * len(gram)
    for place, j in enumerate(kept):
        against = [-norms[j] * row[place] for row in cosines]
        if max(against) <= 0.0:
            continue
        columns, _ = project(cosines, against)
        for i, added in zip(kept, columns, strict=True):
            weights[i] += added / norms[i]
    return [weight / len(gram) for weight in weights]
