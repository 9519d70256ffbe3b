"""What a label is worth: the error as a power of the number of labels, fitted draw by draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

FEWEST = 3
"""Minimum points of a fit; any two points give a perfect one."""


@dataclass(frozen=True)
class LabelCurve:
    """Error rate = scale * labels ^ -power.

    Attributes:
        scale: error in [0, 1] at one label, extrapolated.
        power: how fast the error falls.
    """

    scale: float
    power: float

    def error(self, labels: float) -> float:
        """Error rate at a number of labels."""
        return self.scale * exp(-self.power * log(labels))

    def gain(self, labels: int, more: int) -> float:
        """Accuracy gained by `more` labels, in points."""
        return 100.0 * (self.error(labels) - self.error(labels + more))


def fitted(errors: Mapping[int, float], tested: int) -> LabelCurve | None:
    """Fit a curve by least squares of the logarithms.

    Args:
        errors: error rate by number of labels, in one draw.
        tested: number of test samples; zero errors count as half a sample.

    Returns:
        None for fewer than three numbers of labels.
    """
    if len(errors) < FEWEST:
        return None
    x = [log(labels) for labels in errors]
    y = [log(max(error, 0.5 / tested)) for error in errors.values()]
    mean_x, mean_y = fmean(x), fmean(y)
    across = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope = across / sum((a - mean_x) ** 2 for a in x)
    return LabelCurve(exp(mean_y - slope * mean_x), -slope)
