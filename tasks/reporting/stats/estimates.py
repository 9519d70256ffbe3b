"""Statistics of a few draws: means, standard errors, t intervals, the noise of picking the best."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, sqrt

import numpy as np
from scipy.special import ndtr, stdtrit

SAME = 1e-9
"""Smaller differences are due to rounding."""

LEVEL = 0.95

ONE_SIDED = 0.90
"""Level of the two-sided interval whose sides are one-sided tests at 5 %."""


@dataclass(frozen=True)
class Estimate:
    """A mean over draws and its standard error, in the unit of the values.

    Attributes:
        n: number of draws.
        mean: mean over the draws.
        standard_error: sd (ddof 1) / sqrt(n); None for one draw.
    """

    n: int
    mean: float
    standard_error: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % t interval of the mean; None for one draw or without spread."""
        if not self.standard_error:
            return None
        half = t_quantile(self.n - 1) * self.standard_error
        return self.mean - half, self.mean + half

    @property
    def equality_bound(self) -> float | None:
        """The smallest margin within which the mean is 0 by two one-sided tests at 5 % (TOST).

        This is the end of the 90 % interval farther from 0; None if there is no interval.
        """
        if not self.standard_error:
            return None
        return abs(self.mean) + t_quantile(self.n - 1, ONE_SIDED) * self.standard_error


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and standard error of at least one value.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("expected at least one value, found none; leave out what has no draw.")
    spread = deviation(values)
    error = None if spread is None else spread / sqrt(len(values))
    return Estimate(len(values), statistics.fmean(values), error)


def deviation(values: Sequence[float]) -> float | None:
    """Standard deviation with ddof 1; None for fewer than two values, 0 if they are equal."""
    if len(values) < 2:
        return None
    if max(values) - min(values) < SAME:
        return 0.0
    return statistics.stdev(values)


def t_quantile(degrees: int, level: float = LEVEL) -> float:
    """Half-width of a two-sided t interval, in standard errors."""
    return float(stdtrit(degrees, 0.5 + level / 2))


def expected_maximum(n: int) -> float:
    """Expected largest of `n` independent standard normal values: 0 for one, 0.5642 for two.

    It is the integral of x times the density of the maximum, n phi(x) Phi(x)^(n-1).
    """
    x = np.linspace(-12.0, 12.0, 4801)
    density = n * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * ndtr(x) ** (n - 1)
    return float(np.trapezoid(x * density, x))


def expected_lift(n: int) -> float:
    """Expected (largest - mean) / sd of `n` >= 2 equal normal values, with the sample sd.

    The sd of a sample (ddof 1) is too small by the factor c4 on average, and independent of the
    ratio (Basu), so that the expectation is `expected_maximum(n)` / c4. Two values always give
    0.7071.
    """
    c4 = sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))
    return expected_maximum(n) / c4
