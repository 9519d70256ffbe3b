"""Eq. 6 by NLopt, as the paper solves it; the only part of the core that needs NLopt."""

import math
from contextlib import suppress

import nlopt
import numpy as np

from gradmix.solving.layer_problem import TIE, LayerProblem

# NLopt's own runtime_error replaced Python's RuntimeError in its later releases.
_NLOPT_STOPPED = (
    nlopt.RoundoffLimited,
    RuntimeError,
    getattr(nlopt, "runtime_error", RuntimeError),
)


def slsqp(problem: LayerProblem) -> list[float]:
    """Eq. 6 by NLopt's LD_SLSQP, as the paper does, from equal parts of unit-norm gradients.

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
        if length < TIE:
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
