"""Settings of the digit network's trunk, and the shape of its output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Norm

CONVOLUTIONS = 4
HALVING = 2**CONVOLUTIONS
"""Downsampling factor of the four poolings; image sides must be multiples of it."""
_FLOAT, _COUNT = 4, 8
"""Bytes of a stored weight, and of batch norm's number of batches."""


Shape = tuple[int, int, int]
"""Channels, height and width of a trunk's input."""


@dataclass(frozen=True, kw_only=True)
class ConvTrunkConfig:
    """The digit network's trunk: 4 convolution layers and 1 fully connected layer (§4.1).

    The paper gives only the number of layers; kernel size, widths and normalisation are our choice.

    Attributes:
        widths: output channels of the convolutions.
        hidden: units of the fully connected layer; 0 leaves it out, so the trunk ends in a map.
        norm: normalisation after each convolution.

    Raises:
        ValueError: if a width is below 1, there are not four, or the norm is unknown.
    """

    widths: tuple[int, int, int, int] = (32, 32, 64, 64)
    hidden: int = 128
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        """Check the sizes and the norm."""
        sizes: list[int] = list(self.widths)
        if len(sizes) != CONVOLUTIONS:
            raise ValueError(f"widths must be {CONVOLUTIONS} numbers, found {len(sizes)}.")
        if self.norm not in get_args(Norm):
            raise ValueError(
                f"norm must be one of {', '.join(get_args(Norm))}. Found {self.norm!r}."
            )
        if min(sizes) < 1:
            raise ValueError(f"widths must be at least 1 each, found {sizes}.")
        if self.hidden < 0:
            raise ValueError(f"hidden must not be negative, found {self.hidden}.")

    def ends_in(self, shape: Shape) -> tuple[int, ...]:
        """Output shape of the trunk, without the batch: (hidden,), or (F, h, w) without one.

        Args:
            shape: shape of the images.

        Raises:
            ValueError: if a side is not a multiple of 16.
        """
        _, height, width = shape
        if min(height, width) < HALVING or height % HALVING or width % HALVING:
            raise ValueError(
                f"image sides must be multiples of {HALVING}, found {height} x {width}."
            )
        return (self.hidden,) if self.hidden else self._map(shape)

    def stored_bytes(self, shape: Shape) -> int:
        """Size in bytes of the trunk's weights and statistics.

        Args:
            shape: shape of the images.
        """
        normed, numbers, inputs = self.norm == "batch", 0, shape[0]
        for width in self.widths:
            # Batch norm has a scale, an offset, a mean and a variance in place of the bias.
            numbers += 9 * inputs * width + width * (4 if normed else 1)
            inputs = width
        if self.hidden:
            numbers += (math.prod(self._map(shape)) + 1) * self.hidden
        return _FLOAT * numbers + (_COUNT * len(self.widths) if normed else 0)

    def _map(self, shape: Shape) -> tuple[int, int, int]:
        """Shape of the last convolution's output."""
        return self.widths[-1], shape[1] // HALVING, shape[2] // HALVING


def map_size(ends_in: Sequence[int]) -> tuple[int, int]:
    """Height and width of a map (F, h, w).

    Raises:
        ValueError: if the trunk's output is not a map.
    """
    if len(ends_in) != 3:
        raise ValueError(
            f"expected a trunk that ends in a map [F, h, w], found {list(ends_in)}; choose one "
            "without fully connected layers (for convnet, hidden = 0)."
        )
    return ends_in[1], ends_in[2]
