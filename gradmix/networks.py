"""Networks: a shared trunk, any module, and one head per label space (§3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gradmix.normalisation import Normalisation, normalise
from gradmix.problem import TARGET_HEAD

Norm = Literal["batch", "none"]
Precision = Literal["float32", "bfloat16"]
Shape = tuple[int, int, int]
"""Channels, height, width of what a trunk reads."""

HALVING = 16
"""Four poolings: image sides are multiples of this."""
CONVOLUTIONS = 4


class LinearHead(nn.Linear):
    """Class scores, linear in the features: of a map [B, F, h, w] in its mean over space."""

    def forward(self, found: Tensor) -> Tensor:
        """Logits [B, classes] of what the trunk ends in."""
        return super().forward(pooled(found))


class Dropout(nn.Module):
    """Sets random features to zero in training, whole channels of a map, and scales up the rest.

    Masks are drawn by torch's generator on the CPU: they are the same on every device, and a
    training resumes with those that it would have drawn.

    Args:
        share: of the features that are left out, in [0, 1).

    Raises:
        ValueError: if the share is out of range.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout must be in [0, 1), found {share}.")
        self.share = share

    def forward(self, found: Tensor) -> Tensor:
        """Features [B, F] or a map [B, F, h, w], in training with some of F zero."""
        if not self.training or not self.share:
            return found
        kept = (torch.rand(found.shape[:2]) >= self.share).to(found) / (1.0 - self.share)
        return found * kept.view(*kept.shape, *([1] * (found.ndim - 2)))


class Network(nn.Module):
    """A trunk that all data sets share, and one head per label space under `heads`.

    Heads read what the trunk ends in. Here they are linear; a method may put others in their place.
    `ends_in` is that output's shape without the batch: (F, h, w) or (F,).

    Args:
        trunk: maps [B, C, H, W] to a map [B, F, h, w] or to features [B, F].
        heads: number of classes of each head.
        shape: of what the trunk reads.
        normalisation: of the images that are predicted.
        dropout: share of what the trunk ends in that training leaves out.

    Raises:
        ValueError: if the trunk's output is neither.
    """

    precision: Precision = "float32"
    """Of the trunk's passes in training, its parameters staying as they are."""

    def __init__(
        self,
        trunk: nn.Module,
        heads: Mapping[str, int],
        shape: Shape,
        normalisation: Normalisation = "image",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.trunk, self.normalisation = trunk, normalisation
        self.dropout = Dropout(dropout)
        self.ends_in = _end(trunk, shape)
        self.heads = nn.ModuleDict(
            {name: LinearHead(self.ends_in[0], classes) for name, classes in heads.items()}
        )

    def feature_map(self, x: Tensor) -> Tensor:
        """The map [B, F, h, w] that the trunk ends in.

        Raises:
            ValueError: if it ends in features without a place.
        """
        found: Tensor = self._found(x)
        map_size(found.shape[1:])
        return found

    def embed(self, x: Tensor) -> Tensor:
        """Features [B, F] of [B, C, H, W]: a map's are averaged over space."""
        return pooled(self._found(x))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """Logits [B, classes of the head] of [B, C, H, W]."""
        logits: Tensor = self.heads[head](self._found(x))
        return logits

    def _found(self, x: Tensor) -> Tensor:
        """What the trunk ends in; training's passes have the precision that is set."""
        if self.precision == "float32" or not self.training:
            found: Tensor = self.dropout(self.trunk(x))
            return found
        with torch.autocast(x.device.type, torch.bfloat16):
            found = self.trunk(x)
        wide: Tensor = self.dropout(found.float())
        return wide


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


def map_size(ends_in: Sequence[int]) -> tuple[int, int]:
    """Height and width of a map (F, h, w).

    Raises:
        ValueError: if what a trunk ends in is no map.
    """
    if len(ends_in) != 3:
        raise ValueError(
            f"expected a trunk that ends in a map [F, h, w], found {list(ends_in)}; choose one "
            "without fully connected layers (for convnet, hidden = 0)."
        )
    return ends_in[1], ends_in[2]


def drawn_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with torch's usual weights, drawn from a generator on the CPU."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer


def predict(network: Network, images: Tensor) -> Tensor:
    """Logits [B, C] of the target's classes for stored images [B, H, W, C], in evaluation mode.

    The images may lie on another device than the network, which has the logits.
    """
    network.eval()
    images = images.to(next(network.parameters()).device)
    with torch.no_grad():
        logits: Tensor = network(normalise(images, network.normalisation), TARGET_HEAD)
    return logits


def _end(trunk: nn.Module, shape: Shape) -> tuple[int, ...]:
    """(F, h, w) or (F,) of a trunk, by a look at what it makes of a blank image."""
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
    return tuple(found.shape[1:])


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
