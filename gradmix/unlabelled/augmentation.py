"""Random views of images: weak ones keep every image what it is, strong ones are hard to read.

Only where it is asked for, half of the images are mirrored: right for photographs, whereas a
mirrored digit is another digit, or none. Digits are standardised one by one before the network sees
them, so a view is given the mean and deviation of its original again, as a shifted or turned
photograph would have them; contrast and brightness come after that, or they would be undone.

Feature maps of a frozen trunk may stand for images. Their cells are moved, mirrored and cut like
pixels, which is not quite what the trunk would have made of such an image: what a cell says is not
mirrored with it. A cut is zero, which is no mean of theirs but what a ReLU says where it finds
nothing; contrast and brightness are in their own units.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

WEAK_SHIFT = 1 / 16
STRONG_SHIFT = 1 / 8
"""To each side, as a part of the image's: 2 and 4 pixels of 32."""

SMALLEST_SHIFTED = 5
"""Sides from here on are shifted by at least one cell, as feature maps of 5 to 7 cells would not be
otherwise; of a smaller map a cell is too large a part."""

ROTATION = math.radians(20.0)
SHEAR = 0.2
ZOOM = 0.2
"""Of the strong view, to each side: radians, tangent of the angle, deviation from 1."""

CONTRAST = 0.5
BRIGHTNESS = 0.5
"""Of the strong view, to each side: deviation from 1; units of the normalised image."""

CUTOUT = 4
"""The square that is cut out of the strong view is this many times smaller than the shorter side;
of a side below this, nothing is."""

SMALLEST_DEVIATION = 1e-6


def weak(images: Tensor, generator: torch.Generator, *, flip: bool = False) -> Tensor:
    """Every image shifted by a whole number of pixels of its own, up to 2 of 32 to each side.

    The image's edge is repeated: right for a blank border and for a street's background alike,
    whereas a constant would draw a line.

    Args:
        images: float [B, C, H, W], normalised as the network reads them.
        generator: on the CPU, whatever the images' device.
        flip: whether every image is mirrored with a probability of one half.

    Returns:
        As `images`: same shape, type and device.
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
    """Every image turned, sheared, zoomed, shifted, cut and relit in a way of its own.

    Args:
        images: float [B, C, H, W], normalised as the network reads them.
        generator: on the CPU, whatever the images' device.
        flip: whether every image is mirrored with a probability of one half.

    Returns:
        As `images`: same shape, type and device.
    """
    if flip:
        images = _mirrored(images, generator)
    drawn = (2.0 * torch.rand(9, len(images), generator=generator) - 1.0).to(images)
    turned = _with_statistics_of(images, affine(images, drawn[:5]))
    relit = _cut(turned, drawn[5:7]) * _per_image(1.0 + CONTRAST * drawn[7])
    return relit + _per_image(BRIGHTNESS * drawn[8])


def affine(images: Tensor, drawn: Tensor) -> Tensor:
    """Images resampled bilinearly, edges repeated.

    Args:
        images: float [B, C, H, W].
        drawn: [5, B] in [-1, 1]: how far each is turned, sheared, zoomed, moved left and up.
    """
    angle, shear = ROTATION * drawn[0], SHEAR * drawn[1]
    zoom = 1.0 / (1.0 + ZOOM * drawn[2])
    # The grid's units are half the image's width and half its height, those of a turn are pixels.
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
    """Images with one square each set to zero, their mean; `drawn` [2, B] in [-1, 1] places it."""
    sides = images.shape[2:]
    square = min(sides) // CUTOUT
    down, across = (_window(side, square, place) for side, place in zip(sides, drawn, strict=True))
    return images.masked_fill((down[:, :, None] & across[:, None, :])[:, None], 0.0)


def _window(side: int, length: int, drawn: Tensor) -> Tensor:
    """Which pixels [B, side] lie in a window of a length; `drawn` [B] in [-1, 1] places it."""
    first = ((drawn + 1.0) / 2.0 * (side - length)).round()[:, None]
    pixels = torch.arange(side, device=drawn.device)
    return (pixels >= first) & (pixels < first + length)


def _shifted(side: int, count: int, generator: torch.Generator) -> Tensor:
    """Where the pixels of `count` shifted sides come from, [count, side]."""
    most = max(round(WEAK_SHIFT * side), int(side >= SMALLEST_SHIFTED))
    drawn = torch.randint(-most, most + 1, (count, 1), generator=generator)
    return (torch.arange(side) - drawn).clamp(0, side - 1)


def _mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images of which each is mirrored, left for right, with a probability of one half."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    return images.flip(3).where(_per_image(chosen.to(images.device)), images)


def _with_statistics_of(images: Tensor, views: Tensor) -> Tensor:
    """Each view with its original's mean and deviation; a flat image stays flat."""
    axes = (1, 2, 3)
    deviation, mean = torch.std_mean(images, dim=axes, keepdim=True, correction=0)
    found, centre = torch.std_mean(views, dim=axes, keepdim=True, correction=0)
    return (views - centre) * (deviation / found.clamp_min(SMALLEST_DEVIATION)) + mean


def _per_image(values: Tensor) -> Tensor:
    """[B] as [B, 1, 1, 1]."""
    return values[:, None, None, None]
