"""Sampling probabilities for the sources, from the weights used to mix gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradmix.layer_weights import Gram
from gradmix.solving.solvers import Regime, Solution


@dataclass(frozen=True)
class Proposal:
    """Sampling probabilities of the sources.

    Attributes:
        probabilities: probability of each source, by name; they sum to 1.
        cosine: cosine of the mixed gradient, without the floor, with the target's; None if either
            is zero.
        regime: how the weights were found, as for a layer.
    """

    probabilities: Mapping[str, float]
    cosine: float | None
    regime: Regime


def proposal(sources: Sequence[str], solution: Solution, floor: float) -> Proposal:
    """Turn weights into probabilities of at least `floor`."""
    rest = 1.0 - len(sources) * floor
    found = [floor + rest * weight for weight in solution.weights]
    return Proposal(dict(zip(sources, found, strict=True)), solution.cosine, solution.regime)


def smoothed(before: Gram | None, now: Gram, smoothing: float) -> list[list[float]]:
    """Exponential moving average of Gram matrices, starting from the first."""
    before = now if before is None else before
    return [
        [smoothing * a + (1.0 - smoothing) * b for a, b in zip(old, new, strict=True)]
        for old, new in zip(before, now, strict=True)
    ]


def refuse_out_of_range(sources: int, floor: float, smoothing: float) -> None:
    """Check the ranges of floor and smoothing.

    Raises:
        ValueError: if the floor is not in [0, 1 / sources] or the smoothing not in [0, 1).
    """
    if not 0.0 <= floor <= 1.0 / sources:
        raise ValueError(f"floor must be in [0, 1 / {sources}]. Found {floor}.")
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing must be in [0, 1). Found {smoothing}.")
