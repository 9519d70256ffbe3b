"""CPU time of the exact solver on one layer, in terms of SLSQP's, by the number of sources."""

from collections.abc import Iterator

import numpy as np
from figures import Figure, Run, ratio

from gradmix.solving.solvers import solve_layer, solver_named

LAYERS, WIDTH = 20, 200


def solver_of(name: str, k: int) -> Run:
    """A solver on 20 layers of k sources that share a direction."""
    rng = np.random.default_rng(k)
    base = rng.normal(size=WIDTH)
    grams = []
    for _ in range(LAYERS):
        noise = 0.6 * rng.normal(size=(k + 1, WIDTH))
        rows = noise + rng.uniform(-0.4, 0.8, size=(k + 1, 1)) * base
        grams.append((rows @ rows.T).tolist())
    solver = solver_named(name)
    return lambda: [solve_layer(gram, solver) for gram in grams]


def figures(quick: bool) -> Iterator[Figure]:
    """A ratio for each k; the detail is the time of the exact solver."""
    for k in (2, 3, 5, 10):
        runs = solver_of("exact", k), solver_of("slsqp", k)
        yield ratio(
            f"`exact` / `slsqp`, a layer of {k} sources", *runs, 10 if quick else 60, LAYERS
        )
