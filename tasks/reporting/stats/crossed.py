"""Uncertainty over draws and test images together: the same images are classified in every draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from tasks.reporting.stats.estimates import t_quantile

Right = npt.NDArray[np.bool_]
"""Whether each test image is classified right, [N]."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Crossed:
    """A mean difference over draws and images, in points (per cent).

    Attributes:
        draws: number of draws.
        images: number of test images.
        mean: of the differences.
        standard_error: over both.
    """

    draws: int
    images: int
    mean: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % t interval; degrees of freedom are those of the draws."""
        half = t_quantile(self.draws - 1) * self.standard_error
        return self.mean - half, self.mean + half


def crossed(ours: Mapping[int, Right], theirs: Mapping[int, Right]) -> Crossed | None:
    """Bootstrap the difference of two rows over draws and images, both drawn with replacement.

    Draws and images are crossed, so that a resampled difference is the mean over all pairs of a
    resampled draw and a resampled image (the pigeonhole bootstrap of Owen 2007, which errs on the
    wide side). The spread over resampled draws is too small by (D - 1) / D in variance; the whole
    is widened by as much.

    Args:
        ours: by draw; images in the same order everywhere.
        theirs: what is taken from it.

    Returns:
        None of fewer than two draws that both have, or of sets of images that differ.
    """
    shared = sorted(ours.keys() & theirs.keys())
    sizes = {len(side[draw]) for side in (ours, theirs) for draw in shared}
    if len(shared) < 2 or len(sizes) != 1:
        return None
    difference = 100.0 * np.stack(
        [ours[draw].astype(np.float64) - theirs[draw].astype(np.float64) for draw in shared]
    )
    draws, images = difference.shape
    # The seed is fixed: a report made again is the same.
    rng = np.random.default_rng(0)
    of_draws = rng.multinomial(draws, [1 / draws] * draws, RESAMPLES) / draws
    of_images = np.empty((RESAMPLES, draws))
    for place in range(RESAMPLES):
        chosen = np.bincount(rng.integers(images, size=images), minlength=images)
        of_images[place] = difference @ chosen / images
    resampled = (of_draws * of_images).sum(1)
    widened = sqrt(draws / (draws - 1)) * float(resampled.std(ddof=1))
    return Crossed(draws, images, float(difference.mean()), widened)
