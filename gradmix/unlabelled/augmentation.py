"""Random augmentation: weak views keep an image recognisable, strong views make it hard.

Mirroring is opt-in: it suits photographs, but a mirrored digit is a different digit or none. Digits
are standardised one by one before the network sees them, so each view is rescaled to the mean and
deviation of its original, as a shifted or rotated photograph would have. Contrast and brightness
come after that, or they would be undone.

Feature maps of a frozen trunk can be used in place of images. Their cells are shifted, mirrored and
cut like pixels, which only approximates the trunk's output for such an image: the features in a
cell are not themselves mirrored. Cutout sets cells to zero, which is not their mean but a ReLU's
output for no response. Contrast and brightness are in the units of the features.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

WEAK_SHIFT = 1 / 16
STRONG_SHIFT = 1 / 8
"""Maximum shift in each direction, as a fraction of the side: 2 and 4 pixels of 32."""

SMALLEST_SHIFTED = 5
"""Sides of at least this size have a maximum shift of at least one cell. Feature maps of 5 to 7
cells would otherwise not be shifted; on smaller maps a cell is too large a fraction."""

ROTATION = math.radians(20.0)
SHEAR = 0.2
ZOOM = 0.2
"""Maximum magnitudes for strong views: radians, tangent of the angle, deviation from 1."""

CONTRAST = 0.5
BRIGHTNESS = 0.5
"""Maximum magnitudes for strong views: deviation from 1; units of the normalised image."""

CUTOUT = 4
"""Ratio of the shorter side to the side of the square cut out of strong views; images with a side
below this are not cut."""

SMALLEST_DEVIATION = 1e-6


def weak(images: Tensor, generator: torch.Generator, *, flip: bool = False) -> Tensor:
    """Shift each image by its own whole number of pixels, up to 2 of 32 in each direction.

    Edge pixels are repeated, which suits both blank borders and street backgrounds; a constant fill
    would draw a line.

    Args:
        images: float [B, C, H, W], normalised as the network reads them.
        generator: CPU generator, whatever the images' device.
        flip: whether to mirror each image with probability one half.

    Returns:
        Views with the shape, dtype and device of `images`.
    """
    if flip:
        images = _mirrored(images, generator)
    count, _, height, width = images.shape
    rows, columns = (_shifted(side, count, generator).to(images.device) for side in (height, width))
    samples = torch.arange(count, device=images.device)[:, None, None]
    # Indices on both sides of the slice put the channels last.
    shifted = images[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return _with_statistics_of(images, shifted)


def strong(images: Tensor, generator: torch.Generator, *, flip: bool = False) -> Tensor:
    """Randomly rotate, shear, zoom, shift, cut and relight each image.

    Args:
        images: float [B, C, H, W], normalised as the network reads them.
        generator: CPU generator, whatever the images' device.
        flip: whether to mirror each image with probability one half.

    Returns:
        Views with the shape, dtype and device of `images`.
    """
    if flip:
        images = _mirrored(images, generator)
    drawn = (2.0 * torch.rand(9, len(images), generator=generator) - 1.0).to(images)
    turned = _with_statistics_of(images, affine(images, drawn[:5]))
    relit = _cut(turned, drawn[5:7]) * _per_image(1.0 + CONTRAST * drawn[7])
    return relit + _per_image(BRIGHTNESS * drawn[8])


def affine(images: Tensor, drawn: Tensor) -> Tensor:
    """Apply a random affine transform to each image, bilinearly and with repeated edges.

    Args:
        images: float [B, C, H, W].
        drawn: relative magnitudes [5, B] in [-1, 1] of rotation, shear, zoom and the shifts left
            and up.
    """
    angle, shear = ROTATION * drawn[0], SHEAR * drawn[1]
    zoom = 1.0 / (1.0 + ZOOM * drawn[2])
    # The grid's units are half the image's width and height, but rotation needs square pixels.
    across, down = 2.0 * STRONG_SHIFT * drawn[3:5]
    aspect = images.shape[3] / images.shape[2]
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    right_of_down = (shear * cosine - sine) / aspect
    down_of_right, down_of_down = sine * aspect, shear * sine + cosine
    matrices = torch.stack(
        [cosine, right_of_down, across, down_of_right, down_of_down, down], dim=1
    ).view(-1, 2, 3)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _cut(images: Tensor, drawn: Tensor) -> Tensor:
    """Set one square per image to zero, the mean; `drawn` [2, B] in [-1, 1] is its position."""
    sides = images.shape[2:]
    square = min(sides) // CUTOUT
    down, across = (_window(side, square, place) for side, place in zip(sides, drawn, strict=True))
    return images.masked_fill((down[:, :, None] & across[:, None, :])[:, None], 0.0)


def _window(side: int, length: int, drawn: Tensor) -> Tensor:
    """Mask [B, side] of a window of the given length; `drawn` [B] in [-1, 1] is its position."""
    first = ((drawn + 1.0) / 2.0 * (side - length)).round()[:, None]
    pixels = torch.arange(side, device=drawn.device)
    return (pixels >= first) & (pixels < first + length)


def _shifted(side: int, count: int, generator: torch.Generator) -> Tensor:
    """Source indices [count, side] of the pixels of `count` shifted sides."""
    most = max(round(WEAK_SHIFT * side), int(side >= SMALLEST_SHIFTED))
    drawn = torch.randint(-most, most + 1, (count, 1), generator=generator)
    return (torch.arange(side) - drawn).clamp(0, side - 1)


def _mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    return images.flip(3).where(_per_image(chosen.to(images.device)), images)


def _with_statistics_of(images: Tensor, views: Tensor) -> Tensor:
    """Rescale each view to its original's mean and deviation; a flat image stays flat."""
    axes = (1, 2, 3)
    deviation, mean = torch.std_mean(images, dim=axes, keepdim=True, correction=0)
    found, centre = torch.std_mean(views, dim=axes, keepdim=True, correction=0)
    return (views - centre) * (deviation / found.clamp_min(SMALLEST_DEVIATION)) + mean


def _per_image(values: Tensor) -> Tensor:
    """Reshape [B] to [B, 1, 1, 1]."""
    return values[:, None, None, None]
