"""Conflict-free mixtures of equal tasks, which lower every loss to first order."""

import math
from collections.abc import Sequence

from gradmix.solving.projection import project

Gram = Sequence[Sequence[float]]


def upgrad(gram: Gram) -> list[float]:
    """Weights [m] of UPGrad (arXiv 2406.16232): a conflict-free mean of all gradients.

    Each gradient is projected onto the dual cone of all gradients, the directions along which no
    loss rises; the result is the mean of the projections. A projection is sum_i v_i g_i, where v
    minimises v'Gv over v >= e_j; in z = v - e_j >= 0 this is a projection onto the cone itself,
    solved by active sets.

    Args:
        gram: G [m, m], dot products of the gradients. A zero gradient gets weight 1 / m.
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
