"""Eq. 6 by NLopt, as in the paper; the only module of the core that needs NLopt."""

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
    """Solve Eq. 6 with NLopt's LD_SLSQP, as in the paper, from equal weights in unit columns.

    A local method on a problem with local maxima: if no source has a positive cosine, it often
    falls short of `exact`. The best point seen is tracked here, since NLopt loses it when rounding
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
        # NLopt passes an empty gradient when its line search needs only the value.
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
    # If rounding errors stop the search, return the best point seen.
    with suppress(*_NLOPT_STOPPED):
        search.optimize(best.copy())
    return [float(u) / n for u, n in zip(best, problem.norm, strict=True)]
