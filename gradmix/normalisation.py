"""Converts stored images [B, H, W, C] to network input, float [B, C, H, W]."""

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.choices import Normalisation

SMALLEST_DEVIATION = 1.0
"""Standard deviation, in grey levels, below which an image counts as flat."""
PIECE = 256
"""Number of values summed at once: the sum of their squares stays below 2^24 for bytes."""

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


def _statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each image of [B, C, H, W], both [B, 1, 1, 1]."""
    # An exported program also runs where there is no double precision.
    if pixels.device.type == "cpu" and not torch.compiler.is_compiling():
        mean, deviation = _exact_statistics(pixels)
    else:
        deviation, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    return mean, deviation.clamp_min(SMALLEST_DEVIATION)


def _exact_statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of bytes from exact sums; on a CPU much faster than `std_mean`.

    Sums over a piece are integers below 2^24, hence exact in single precision. Sums of these are
    exact in double precision below 2^53, and so is the variance for up to 372,000 values an image;
    beyond, it is rounded far below single precision, as deviations are at least 1.
    """
    images, count = pixels.shape[0], pixels.shape[1:].numel()
    values = pixels.permute(0, 2, 3, 1).reshape(images, count)
    if left := -count % PIECE:
        values = functional.pad(values, (0, left))
    pieces = values.reshape(images, -(-count // PIECE), PIECE)
    total, squares = (part.sum(2).double().sum(1) for part in (pieces, pieces * pieces))
    # Of values that are no bytes, rounding can leave a flat image a negative variance.
    deviation = (count * squares - total * total).clamp_min(0.0).sqrt() / count
    mean, deviation = (figure.float()[:, None, None, None] for figure in (total / count, deviation))
    return mean, deviation
