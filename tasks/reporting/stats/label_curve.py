"""What a label is worth: the error as a power of the number of labels, fitted draw by draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

FEWEST = 3
"""Points of a fit: through two, every curve passes."""


@dataclass(frozen=True)
class LabelCurve:
    """Error rate = scale * labels ^ -power.

    Attributes:
        scale: error in [0, 1] at one label, extrapolated.
        power: how fast it falls.
    """

    scale: float
    power: float

    def error(self, labels: float) -> float:
        """The error rate at so many labels."""
        return self.scale * exp(-self.power * log(labels))

    def gain(self, labels: int, more: int) -> float:
        """Accuracy that so many more labels add, in points."""
        return 100.0 * (self.error(labels) - self.error(labels + more))


def fitted(errors: Mapping[int, float], tested: int) -> LabelCurve | None:
    """Least squares of the logarithms.

    Args:
        errors: error rate by number of labels, of one draw.
        tested: test samples; an error of none of them counts as half a sample.

    Returns:
        None of fewer than three numbers of labels.
    """
    if len(errors) < FEWEST:
        return None
    x = [log(labels) for labels in errors]
    y = [log(max(error, 0.5 / tested)) for error in errors.values()]
    mean_x, mean_y = fmean(x), fmean(y)
    across = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope = across / sum((a - mean_x) ** 2 for a in x)
    return LabelCurve(exp(mean_y - slope * mean_x), -slope)
