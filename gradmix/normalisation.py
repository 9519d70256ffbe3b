"""Converts stored images [B, H, W, C] to network input, float [B, C, H, W]."""

import torch
from torch import Tensor

from gradmix.declarations.choices import Normalisation

SMALLEST_DEVIATION = 1.0
"""Standard deviation, in grey levels, below which an image counts as flat."""

COLOURS: dict[Normalisation, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Mean and standard deviation of RGB channels in [0, 1]: ImageNet's as in torchvision, CLIP's as
    # its authors publish them.
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,), (0.5,)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "unit": ((0.0,), (1.0,)),
}
"""Mean and standard deviation of each channel, or of all of them."""


def normalise(images: Tensor, kind: Normalisation) -> Tensor:
    """Images [B, H, W, C] as float [B, C, H, W], channels_last in memory.

    Args:
        images: uint8; any dtype for `none`.
        kind: normalisation to apply; `imagenet` and `clip` need three channels.
    """
    if kind == "image":
        return standardise(images)
    pixels = images.permute(0, 3, 1, 2).float()
    if kind == "none":
        return pixels
    mean, deviation = (255.0 * pixels.new_tensor(values)[:, None, None] for values in COLOURS[kind])
    return (pixels - mean) / deviation


def standardise(images: Tensor) -> Tensor:
    """Scale each image to zero mean and unit deviation: uint8 [B, H, W, C] -> float [B, C, H, W].

    The result is channels_last in memory, like the stored images.
    """
    pixels = images.permute(0, 3, 1, 2).float()
    mean, deviation = _statistics(pixels)
    return (pixels - mean) / deviation


class KeptStatistics:
    """Standardises images of one stored set, caching each image's statistics on first use.

    Computing the statistics takes five times as long as the rest. The result is bitwise equal to
    that of the function `standardise`. For images in main memory, since every call checks on the
    CPU which images are new.

    Args:
        count: number of images in the set.
    """

    def __init__(self, count: int) -> None:
        self._mean = torch.zeros(count, 1, 1, 1)
        self._deviation = torch.zeros(count, 1, 1, 1)

    def standardise(self, images: Tensor, rows: Tensor) -> Tensor:
        """Standardise the uint8 images [B, H, W, C] stored at the given rows [B]."""
        pixels = images.permute(0, 3, 1, 2).float()
        mean, deviation = self._mean[rows], self._deviation[rows]
        # Zero means not yet computed, as deviations are at least `SMALLEST_DEVIATION`.
        if not deviation.all():
            mean, deviation = _statistics(pixels)
            self._mean[rows], self._deviation[rows] = mean, deviation
        return pixels.sub_(mean).div_(deviation)


def _statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each image of [B, C, H, W], both [B, 1, 1, 1]."""
    deviation, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    return mean, deviation.clamp_min(SMALLEST_DEVIATION)
