"""Settings of the digit network's trunk."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Norm

CONVOLUTIONS = 4


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
