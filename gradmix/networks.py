"""Networks: a shared trunk and one linear head per label space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gradmix.problem import TARGET_HEAD
from gradmix.sampling import standardise

Norm = Literal["batch", "none"]

SMALLEST_IMAGE = 16
CONVOLUTIONS = 4


@dataclass(frozen=True, kw_only=True)
class DigitNetworkConfig:
    """The digit network: 4 convolution and 2 fully connected layers (§4.1).

    The paper names the number of layers only; kernel, widths and normalisation are our choice.

    Raises:
        ValueError: if a width is below 1, there are not four, or the norm is unknown.
    """

    widths: tuple[int, int, int, int] = (32, 32, 64, 64)
    hidden: int = 128
    norm: Norm = "batch"

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have, and an unknown norm."""
        sizes: list[int] = list(self.widths)
        if len(sizes) != CONVOLUTIONS:
            raise ValueError(f"expected {CONVOLUTIONS} convolution widths, found {len(sizes)}.")
        if self.norm not in get_args(Norm):
            raise ValueError(
                f"norm must be one of {', '.join(get_args(Norm))}. Found {self.norm!r}."
            )
        if min(*self.widths, self.hidden) < 1:
            raise ValueError(
                f"layer widths must be at least 1, found {self.widths} and {self.hidden}."
            )


class DigitNetwork(nn.Module):
    """4 x (conv 3x3, norm, max-pool 2, ReLU), fc, and one linear head per label space.

    Max-pool and ReLU commute; pooling first makes ReLU four times cheaper.

    Args:
        config: widths and normalisation.
        heads: number of classes of each head.
        channels: channels of the input images.
        image_size: side of the square input images in pixels, a multiple of 16.

    Raises:
        ValueError: if the images are too small for four poolings.
    """

    def __init__(
        self,
        config: DigitNetworkConfig,
        heads: Mapping[str, int],
        channels: int = 1,
        image_size: int = 32,
    ) -> None:
        super().__init__()
        if image_size < SMALLEST_IMAGE or image_size % SMALLEST_IMAGE:
            raise ValueError(f"image size must be a multiple of 16, found {image_size}.")
        self.features = nn.Sequential(*_blocks(config, channels))
        side = image_size // SMALLEST_IMAGE
        self.hidden = nn.Linear(config.widths[-1] * side * side, config.hidden)
        self.relu = nn.ReLU(inplace=True)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(config.hidden, classes) for name, classes in heads.items()}
        )

    def embed(self, x: Tensor) -> Tensor:
        """What the heads read: [B, hidden] of images [B, C, H, W]."""
        embedded: Tensor = self.relu(self.hidden(self.features(x).flatten(1)))
        return embedded

    def forward(self, x: Tensor, head: str) -> Tensor:
        """Logits [B, classes of the head] of images [B, C, H, W]."""
        logits: Tensor = self.heads[head](self.embed(x))
        return logits


def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Logits [B, C] of the target's classes for uint8 images [B, H, W, C], in evaluation mode."""
    network.eval()
    with torch.no_grad():
        logits: Tensor = network(standardise(images), TARGET_HEAD)
    return logits


def _blocks(config: DigitNetworkConfig, channels: int) -> Sequence[nn.Module]:
    """The four convolution blocks in order."""
    modules: list[nn.Module] = []
    for width in config.widths:
        normalised = config.norm == "batch"
        modules.append(nn.Conv2d(channels, width, 3, padding=1, bias=not normalised))
        if normalised:
            modules.append(nn.BatchNorm2d(width))
        modules += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        channels = width
    return modules
