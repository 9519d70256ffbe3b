"""From stored images [B, H, W, C] to what a network reads, [B, C, H, W] in float."""

from typing import Literal

import torch
from torch import Tensor

Normalisation = Literal["image", "imagenet", "half", "none"]
"""Each image by its own pixels; by ImageNet's colours; grey at 0, black and white at -1 and 1; or,
for feature maps, not at all."""

SMALLEST_DEVIATION = 1.0
"""Standard deviation, in grey levels, below which an image counts as flat."""

COLOURS = {
    # Mean and standard deviation of ImageNet's red, green and blue in [0, 1], as torchvision's.
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,), (0.5,)),
}


def normalise(images: Tensor, kind: Normalisation) -> Tensor:
    """Images [B, H, W, C] as float [B, C, H, W], channels_last in memory.

    Args:
        images: uint8; for `none` of any type.
        kind: `imagenet` needs three channels.
    """
    if kind == "image":
        return standardise(images)
    pixels = images.permute(0, 3, 1, 2).float()
    if kind == "none":
        return pixels
    mean, deviation = (255.0 * pixels.new_tensor(values)[:, None, None] for values in COLOURS[kind])
    return (pixels - mean) / deviation


def standardise(images: Tensor) -> Tensor:
    """Each image to zero mean and unit deviation: uint8 [B, H, W, C] -> float [B, C, H, W].

    The result is channels_last in memory, as the source is stored [H, W, C].
    """
    pixels = images.permute(0, 3, 1, 2).float()
    mean, deviation = _statistics(pixels)
    return (pixels - mean) / deviation


class KeptStatistics:
    """Standardisation of one stored set, image by image: each is measured when it is first read.

    Measuring costs five times what the rest of the standardisation does. The result has the bits of
    `standardise`. For images in the host's memory: which are new is asked at every call.

    Args:
        count: images in the set.
    """

    def __init__(self, count: int) -> None:
        self._mean = torch.zeros(count, 1, 1, 1)
        self._deviation = torch.zeros(count, 1, 1, 1)

    def standardise(self, images: Tensor, rows: Tensor) -> Tensor:
        """As the function of that name, for the images uint8 [B, H, W, C] of some rows [B]."""
        pixels = images.permute(0, 3, 1, 2).float()
        mean, deviation = self._mean[rows], self._deviation[rows]
        # A deviation that has been measured is not below `SMALLEST_DEVIATION`.
        if not deviation.all():
            mean, deviation = _statistics(pixels)
            self._mean[rows], self._deviation[rows] = mean, deviation
        return pixels.sub_(mean).div_(deviation)


def _statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of every image of [B, C, H, W], each [B, 1, 1, 1]."""
    deviation, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    return mean, deviation.clamp_min(SMALLEST_DEVIATION)
