"""Networks: a shared trunk, which can be any module, and one head per label space (§3.1)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from gradmix.declarations.choices import Normalisation, Precision
from gradmix.declarations.trunk import HALVING, ConvTrunkConfig, Shape, map_size
from gradmix.normalisation import normalise
from gradmix.problem import TARGET_HEAD


class LinearHead(nn.Linear):
    """Linear classifier on features [B, F], or on the spatial mean of a map [B, F, h, w]."""

    def forward(self, found: Tensor) -> Tensor:
        """Logits [B, classes] from the trunk's output."""
        return super().forward(pooled(found))


class Dropout(nn.Module):
    """Dropout of features, or of whole channels of a map.

    Masks come from torch's CPU generator, so they are the same on every device and a resumed
    training draws the same ones.

    Args:
        share: fraction of the features set to zero, in [0, 1).

    Raises:
        ValueError: if the share is out of range.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout must be in [0, 1), found {share}.")
        self.share = share

    def forward(self, found: Tensor) -> Tensor:
        """Drop out features [B, F] or channels of a map [B, F, h, w] in training mode."""
        if not self.training or not self.share:
            return found
        kept = (torch.rand(found.shape[:2]) >= self.share).to(found) / (1.0 - self.share)
        return found * kept.view(*kept.shape, *([1] * (found.ndim - 2)))


class Network(nn.Module):
    """A trunk shared by all data sets, and one head per label space under `heads`.

    Heads take the trunk's output. They are linear by default; a method may replace them. `ends_in`
    is the shape of that output without the batch: (F, h, w) or (F,).

    Args:
        trunk: maps [B, C, H, W] to a map [B, F, h, w] or to features [B, F].
        heads: number of classes of each head.
        shape: shape of the trunk's input.
        normalisation: normalisation of the images in `predict`.
        dropout: dropout rate on the trunk's output.

    Raises:
        ValueError: if the trunk outputs neither.
    """

    precision: Precision = "float32"
    """Precision of the trunk's passes in training; its parameters stay in single precision."""

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
        """The map [B, F, h, w] output by the trunk.

        Raises:
            ValueError: if the trunk outputs flat features.
        """
        found: Tensor = self._found(x)
        map_size(found.shape[1:])
        return found

    def embed(self, x: Tensor) -> Tensor:
        """Features [B, F] of images [B, C, H, W]; a map is averaged over space."""
        return pooled(self._found(x))

    def forward(self, x: Tensor, head: str) -> Tensor:
        """Logits [B, classes of the head] of images [B, C, H, W]."""
        logits: Tensor = self.heads[head](self._found(x))
        return logits

    def _found(self, x: Tensor) -> Tensor:
        """The trunk's output, computed in `precision` in training mode."""
        if self.precision == "float32" or not self.training:
            found: Tensor = self.dropout(self.trunk(x))
            return found
        with torch.autocast(x.device.type, torch.bfloat16):
            found = self.trunk(x)
        wide: Tensor = self.dropout(found.float())
        return wide


class ConvTrunk(nn.Module):
    """4 x (conv 3x3, norm, max-pool 2, ReLU), then a fully connected layer with ReLU.

    Max-pool and ReLU commute; pooling first makes ReLU four times cheaper.

    Args:
        config: widths and normalisation.
        shape: shape of the images; sides must be multiples of 16.

    Raises:
        ValueError: if the images are too small for four poolings.
    """

    def __init__(self, config: ConvTrunkConfig, shape: Shape = (1, 32, 32)) -> None:
        super().__init__()
        config.ends_in(shape)
        channels, height, width = shape
        self.features = nn.Sequential(*_blocks(config, channels))
        if config.hidden:
            places = (height // HALVING) * (width // HALVING)
            self.hidden = nn.Linear(config.widths[-1] * places, config.hidden)
            self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, hidden] of [B, C, H, W]; a map [B, F, h, w] if there is no hidden layer."""
        found: Tensor = self.features(x)
        return self.relu(self.hidden(found.flatten(1))) if hasattr(self, "hidden") else found


def pooled(features: Tensor) -> Tensor:
    """A map [B, F, h, w] averaged over space; features [B, F] unchanged."""
    return features.mean((2, 3)) if features.ndim == 4 else features


def drawn_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer with torch's default initialisation, drawn from a CPU generator."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer


def predict(network: Network, images: Tensor) -> Tensor:
    """Logits [B, C] over the target's classes for stored images [B, H, W, C], in eval mode.

    The images may be on another device; the logits are on the network's.
    """
    network.eval()
    images = images.to(next(network.parameters()).device)
    with torch.no_grad():
        logits: Tensor = network(normalise(images, network.normalisation), TARGET_HEAD)
    return logits


def _end(trunk: nn.Module, shape: Shape) -> tuple[int, ...]:
    """Output shape (F, h, w) or (F,) of a trunk, found by running it on a blank image."""
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
    """The modules of the four convolution blocks, in order."""
    modules: list[nn.Module] = []
    for width in config.widths:
        normalised = config.norm == "batch"
        modules.append(nn.Conv2d(channels, width, 3, padding=1, bias=not normalised))
        if normalised:
            modules.append(nn.BatchNorm2d(width))
        modules += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        channels = width
    return modules
