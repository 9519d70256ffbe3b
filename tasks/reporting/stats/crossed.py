"""Uncertainty over both draws and test images, which are the same in every draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from tasks.reporting.stats.estimates import t_quantile

Right = npt.NDArray[np.bool_]
"""Whether each test image is classified correctly, [N]."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Crossed:
    """A mean difference over draws and images, in points (per cent).

    Attributes:
        draws: number of draws.
        images: number of test images.
        mean: mean difference.
        standard_error: standard error over both.
    """

    draws: int
    images: int
    mean: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % t interval; with the degrees of freedom of the draws."""
        half = t_quantile(self.draws - 1) * self.standard_error
        return self.mean - half, self.mean + half


def crossed(ours: Mapping[int, Right], theirs: Mapping[int, Right]) -> Crossed | None:
    """Bootstrap the difference of two rows over draws and images, both drawn with replacement.

    Draws and images are crossed, so that a resampled difference is the mean over all pairs of a
    resampled draw and a resampled image (the pigeonhole bootstrap of Owen 2007, which errs on the
    wide side). The variance over resampled draws is too small by a factor (D - 1) / D, for which
    the whole is corrected.

    Args:
        ours: correct answers by draw, with images in the same order everywhere.
        theirs: correct answers of the row to subtract.

    Returns:
        None for fewer than two common draws, or different sets of images.
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
