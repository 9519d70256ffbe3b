"""Tests of paired differences, correlations with intervals, correction for many comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtr

from tasks.reporting.stats.estimates import LEVEL, SAME, estimate

FloatArray = npt.NDArray[np.float64]

WILCOXON_FROM = 5
"""Minimum draws; fewer cannot give p < 0.1, as 2 / 2^4 = 0.125."""


@dataclass(frozen=True)
class Correlation:
    """A correlation of n pairs, with its 95 % interval if n and |r| allow one."""

    n: int
    r: float
    interval: tuple[float, float] | None


def t_test(values: Sequence[float]) -> float | None:
    """Two-sided p of Student's t test that the mean difference is 0.

    None for one draw, or if all differences are equal, leaving no spread to test against.
    """
    figure = estimate(values)
    if not figure.standard_error:
        return None
    return float(2 * stdtr(figure.n - 1, -abs(figure.mean) / figure.standard_error))


def wilcoxon(values: Sequence[float]) -> float | None:
    """Two-sided exact p of the signed-rank test; None for fewer than five nonzero differences.

    The distribution is over all 2^n signs of the observed ranks, so it is also exact with ties.
    Differences of 0 are left out, as by Wilcoxon.
    """
    moved = [value for value in values if abs(value) > SAME]
    if len(moved) < WILCOXON_FROM:
        return None
    # Ranks of ties may be halves. Round first, as ties may differ in their last bits.
    ranks = np.rint(2 * _ranks(np.round(np.abs(moved), 9))).astype(int)
    positive = int(ranks[np.asarray(moved) > 0].sum())
    share = np.zeros(int(ranks.sum()) + 1)
    share[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(share)
        shifted[rank:] = share[: len(share) - rank]
        share = (share + shifted) / 2
    tail = min(share[: positive + 1].sum(), share[positive:].sum())
    return float(min(1.0, 2 * tail))


def holm(found: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p values of one family, in the same order; None is not part of the family.

    The i-th smallest of m is multiplied by m - i + 1, and none is smaller than its predecessor.
    """
    tested = sorted((p, place) for place, p in enumerate(found) if p is not None)
    adjusted: list[float | None] = [None] * len(found)
    largest = 0.0
    for i, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - i) * p))
        adjusted[place] = largest
    return adjusted


def spearman(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Rank correlation; None for fewer than three pairs or if one side does not vary.

    The interval is Fisher's with the variance (1 + r^2 / 2) / (n - 3) of Bonett and Wright (2000).
    """
    if not _varies(x, y):
        return None
    r = _correlation(_ranks(x), _ranks(y))
    return Correlation(len(x), r, _fisher(r, len(x), 1 + r * r / 2))


def pearson(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Linear correlation with Fisher's interval; None as for `spearman`."""
    if not _varies(x, y):
        return None
    r = _correlation(np.asarray(x, float), np.asarray(y, float))
    return Correlation(len(x), r, _fisher(r, len(x), 1.0))


def p_text(p: float | None) -> str:
    """Format p with three decimals."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def correlation_text(found: Correlation | None) -> str:
    """Format a correlation with its sign and interval."""
    if found is None:
        return "-"
    if found.interval is None:
        return f"{found.r:+.2f}"
    low, high = found.interval
    return f"{found.r:+.2f} ({low:+.2f} to {high:+.2f})"


# Not scipy.stats' ranks and correlations: its import takes longer than a report's statistics.
def _ranks(values: npt.ArrayLike) -> FloatArray:
    """Ranks from 1; ties share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = np.cumsum(counts) - (counts - 1) / 2
    return ranks[place]


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _varies(x: Sequence[float], y: Sequence[float]) -> bool:
    return len(x) >= 3 and all(max(side) - min(side) > 1e-12 for side in (x, y))


def _fisher(r: float, n: int, variance: float) -> tuple[float, float] | None:
    if n < 4 or abs(r) > 1 - SAME:
        return None
    half = float(ndtri(0.5 + LEVEL / 2)) * sqrt(variance / (n - 3))
    return tanh(atanh(r) - half), tanh(atanh(r) + half)
