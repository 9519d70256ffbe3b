"""Networks: a shared trunk, any module, and one linear head per label space (§3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gradmix.normalisation import Normalisation, normalise
from gradmix.problem import TARGET_HEAD

Norm = Literal["batch", "none"]
Shape = tuple[int, int, int]
"""Channels, height, width of what a trunk reads."""

HALVING = 16
"""Four poolings: image sides are multiples of this."""
CONVOLUTIONS = 4


class Network(nn.Module):
    """A trunk that all data sets share, and one linear layer per label space under `heads`.

    Args:
        trunk: maps [B, C, H, W] to a map [B, F, h, w], which is then averaged over space, or to
            features [B, F].
        heads: number of classes of each head.
        shape: of what the trunk reads.
        normalisation: of the images that are predicted.

    Raises:
        ValueError: if the trunk's output is neither.
    """

    def __init__(
        self,
        trunk: nn.Module,
        heads: Mapping[str, int],
        shape: Shape,
        normalisation: Normalisation = "image",
    ) -> None:
        super().__init__()
        self.trunk, self.normalisation = trunk, normalisation
        width = _width(trunk, shape)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, classes) for name, classes in heads.items()}
        )

    def feature_map(self, x: Tensor) -> Tensor:
        """The map [B, F, h, w] before it is averaged.

        Raises:
            ValueError: if the trunk ends in features without a place.
        """
        found: Tensor = self.trunk(x)
        if found.ndim != 4:
            raise ValueError(
                f"expected a trunk that ends in a map [B, F, h, w], found {list(found.shape)}; "
                "choose one without fully connected layers."
            )
        return found

    def embed(self, x: Tensor) -> Tensor:
        """What the heads read: [B, F] of [B, C, H, W]."""
        return pooled(self.trunk(x))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """Logits [B, classes of the head] of [B, C, H, W]."""
        logits: Tensor = self.heads[head](self.embed(x))
        return logits


@dataclass(frozen=True, kw_only=True)
class ConvTrunkConfig:
    """The digit network's trunk: 4 convolution layers and 1 fully connected layer (§4.1).

    The paper names the number of layers only; kernel, widths and normalisation are our choice.

    Attributes:
        widths: channels of the convolutions.
        hidden: units of the fully connected layer; 0: none, the trunk ends in a map.
        norm: after every convolution.

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
            raise ValueError(f"widths must be {CONVOLUTIONS} numbers, found {len(sizes)}.")
        if self.norm not in get_args(Norm):
            raise ValueError(
                f"norm must be one of {', '.join(get_args(Norm))}. Found {self.norm!r}."
            )
        if min(sizes) < 1:
            raise ValueError(f"widths must be at least 1 each, found {sizes}.")
        if self.hidden < 0:
            raise ValueError(f"hidden must not be negative, found {self.hidden}.")


class ConvTrunk(nn.Module):
    """4 x (conv 3x3, norm, max-pool 2, ReLU), and a fully connected layer with ReLU.

    Max-pool and ReLU commute; pooling first makes ReLU four times cheaper.

    Args:
        config: widths and normalisation.
        shape: of the images; sides are multiples of 16.

    Raises:
        ValueError: if the images are too small for four poolings.
    """

    def __init__(self, config: ConvTrunkConfig, shape: Shape = (1, 32, 32)) -> None:
        super().__init__()
        channels, height, width = shape
        if min(height, width) < HALVING or height % HALVING or width % HALVING:
            raise ValueError(
                f"image sides must be multiples of {HALVING}, found {height} x {width}."
            )
        self.features = nn.Sequential(*_blocks(config, channels))
        if config.hidden:
            places = (height // HALVING) * (width // HALVING)
            self.hidden = nn.Linear(config.widths[-1] * places, config.hidden)
            self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, hidden] of [B, C, H, W]; without a hidden layer a map [B, F, h, w]."""
        found: Tensor = self.features(x)
        return self.relu(self.hidden(found.flatten(1))) if hasattr(self, "hidden") else found


def pooled(features: Tensor) -> Tensor:
    """A map [B, F, h, w] averaged over space; features [B, F] as they are."""
    return features.mean((2, 3)) if features.ndim == 4 else features


def predict(network: Network, images: Tensor) -> Tensor:
    """Logits [B, C] of the target's classes for stored images [B, H, W, C], in evaluation mode.

    The images may lie on another device than the network, which has the logits.
    """
    network.eval()
    images = images.to(next(network.parameters()).device)
    with torch.no_grad():
        logits: Tensor = network(normalise(images, network.normalisation), TARGET_HEAD)
    return logits


def _width(trunk: nn.Module, shape: Shape) -> int:
    """F of a trunk, by a look at what it makes of a blank image."""
    training = trunk.training
    trunk.eval()
    with torch.no_grad():
        found = trunk(torch.zeros(1, *shape))
    trunk.train(training)
    if found.ndim not in (2, 4):
        raise ValueError(
            "expected a trunk that ends in [B, F] or [B, F, h, w], found "
            f"{list(found.shape)}; end it before its classifier."
        )
    return int(found.shape[1])


def _blocks(config: ConvTrunkConfig, channels: int) -> Sequence[nn.Module]:
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
