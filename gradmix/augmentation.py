"""Random views of digits: weak ones keep every digit what it is, strong ones are hard to read.

No flip: a mirrored digit is another digit, or none. Images are standardised one by one before the
network sees them, so a view is given the mean and deviation of its original again, as a shifted or
turned photograph would have them; contrast and brightness come after that, or they would be undone.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

WEAK_SHIFT = 1 / 16
STRONG_SHIFT = 1 / 8
"""To each side, as a part of the image's: 2 and 4 pixels of 32."""

ROTATION = math.radians(20.0)
SHEAR = 0.2
ZOOM = 0.2
"""Of the strong view, to each side: radians, tangent of the angle, deviation from 1."""

CONTRAST = 0.5
BRIGHTNESS = 0.5
"""Of the strong view, to each side: deviation from 1; standard deviations of the image."""

CUTOUT = 4
"""The square that is cut out of the strong view is this many times smaller than the image."""

SMALLEST_DEVIATION = 1e-6


def weak(images: Tensor, generator: torch.Generator) -> Tensor:
    """Every image shifted by a whole number of pixels of its own, up to 2 of 32 to each side.

    The image's edge is repeated: right for a blank border and for a street's background alike,
    whereas a constant would draw a line.

    Args:
        images: float [B, C, S, S], standardised one by one.
        generator: on the CPU, whatever the images' device.

    Returns:
        As `images`: same shape, type and device.
    """
    count, _, size, _ = images.shape
    most = round(WEAK_SHIFT * size)
    drawn = torch.randint(-most, most + 1, (2, count, 1), generator=generator)
    down, right = drawn.to(images.device)
    pixels = torch.arange(size, device=images.device)
    rows, columns = (pixels - down).clamp(0, size - 1), (pixels - right).clamp(0, size - 1)
    samples = torch.arange(count, device=images.device)[:, None, None]
    # Indices on both sides of the slice put the channels last.
    shifted = images[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return _with_statistics_of(images, shifted)


def strong(images: Tensor, generator: torch.Generator) -> Tensor:
    """Every image turned, sheared, zoomed, shifted, cut and relit in a way of its own.

    Args:
        images: float [B, C, S, S], standardised one by one.
        generator: on the CPU, whatever the images' device.

    Returns:
        As `images`: same shape, type and device.
    """
    drawn = (2.0 * torch.rand(9, len(images), generator=generator) - 1.0).to(images)
    turned = _with_statistics_of(images, affine(images, drawn[:5]))
    relit = _cut(turned, drawn[5:7]) * _per_image(1.0 + CONTRAST * drawn[7])
    return relit + _per_image(BRIGHTNESS * drawn[8])


def affine(images: Tensor, drawn: Tensor) -> Tensor:
    """Images resampled bilinearly, edges repeated.

    Args:
        images: float [B, C, S, S].
        drawn: [5, B] in [-1, 1]: how far each is turned, sheared, zoomed, moved left and up.
    """
    angle, shear = ROTATION * drawn[0], SHEAR * drawn[1]
    zoom = 1.0 / (1.0 + ZOOM * drawn[2])
    # The grid's unit is half an image.
    across, down = 2.0 * STRONG_SHIFT * drawn[3:5]
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    matrices = torch.stack(
        [cosine, shear * cosine - sine, across, sine, shear * sine + cosine, down], dim=1
    ).view(-1, 2, 3)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _cut(images: Tensor, drawn: Tensor) -> Tensor:
    """Images with one square each set to zero, their mean; `drawn` [2, B] in [-1, 1] places it."""
    size = images.shape[-1]
    side = size // CUTOUT
    first = ((drawn + 1.0) / 2.0 * (size - side)).round()[:, :, None]
    pixels = torch.arange(size, device=images.device)
    down, across = (pixels >= first) & (pixels < first + side)
    return images.masked_fill((down[:, :, None] & across[:, None, :])[:, None], 0.0)


def _with_statistics_of(images: Tensor, views: Tensor) -> Tensor:
    """Each view with its original's mean and deviation; a flat image stays flat."""
    axes = (1, 2, 3)
    deviation, mean = torch.std_mean(images, dim=axes, keepdim=True, correction=0)
    found, centre = torch.std_mean(views, dim=axes, keepdim=True, correction=0)
    return (views - centre) * (deviation / found.clamp_min(SMALLEST_DEVIATION)) + mean


def _per_image(values: Tensor) -> Tensor:
    """[B] as [B, 1, 1, 1]."""
    return values[:, None, None, None]
