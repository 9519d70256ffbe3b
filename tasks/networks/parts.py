"""A trunk in two parts: a frozen one, whose output is stored, and a trained one."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gradmix.declarations.trunk import Shape
from gradmix.networks import pooled
from tasks.errors import StageError
from tasks.networks.names import ALL
from tasks.networks.trunks import build_trunk

LENGTH = 4.0
"""L2 norm of an image's stored features. Descent on a softmax of linear logits is stable up to a
rate of 2 (1 + momentum) / (length^2 / 2), which is 0.47 for a momentum of 0.9."""


class Features(nn.Module):
    """A trunk's features, centred and scaled to the same length for each image: [B, F, 1, 1].

    A learning rate then means the same for every trunk, and half precision is enough.

    Args:
        trunk: outputs a map [B, F, h, w], which is averaged over space, or features [B, F].
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor:
        """Features of normalised images [B, C, H, W]."""
        found = pooled(self.trunk(x))
        centred = found - found.mean(1, keepdim=True)
        return LENGTH * nn.functional.normalize(centred)[:, :, None, None]


class Reweighted(nn.Module):
    """Multiplies stored features by a weight and adds an offset, shared by all data sets.

    It starts as the identity. With a linear head the model is a linear probe that has one layer
    outside its heads, in which the sources' gradients can be mixed.

    Args:
        width: number of features F.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, found: Tensor) -> Tensor:
        """Features [B, F] from stored ones [B, F, 1, 1]."""
        return found.flatten(1) * self.weight + self.bias


def frozen_part(network: Mapping[str, Any], weights: Path | None, shape: Shape) -> nn.Module:
    """The frozen part of a trunk for images of a shape, in evaluation mode.

    Args:
        network: `trunk`, `settings` and `frozen`, which is not empty.
        weights: file of the trunk's initial weights; None for random ones.
        shape: shape of the images.

    Raises:
        StageError: if the trunk cannot be made or parted.
    """
    # The frozen part may contain random weights drawn by a factory.
    torch.manual_seed(0)
    trunk = build_trunk(network, shape, weights)
    first = Features(trunk) if network["frozen"] == ALL else parted(trunk, network["frozen"])[0]
    return first.eval()


def trained_part(network: Mapping[str, Any], weights: Path | None, shape: Shape) -> nn.Module:
    """The trained part of a trunk: all of it, or what follows its frozen part.

    Args:
        network: `trunk`, `settings` and `frozen`.
        weights: file that the trunk starts from; None: random weights.
        shape: shape of its input: images, or maps of the frozen part.

    Raises:
        StageError: if the trunk cannot be made or divided.
    """
    if network["frozen"] == ALL:
        return Reweighted(shape[0])
    trunk = build_trunk(network, shape, weights)
    return parted(trunk, network["frozen"])[1] if network["frozen"] else trunk


def parted(trunk: nn.Module, last: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Split a trunk after its child `last`.

    Raises:
        StageError: if the trunk is not sequential, or has no such child or nothing after it.
    """
    names = [name for name, _ in trunk.named_children()]
    if not isinstance(trunk, nn.Sequential) or last not in names[:-1]:
        found = "a trunk that is none" if not isinstance(trunk, nn.Sequential) else repr(last)
        raise StageError(
            f"network.frozen: expected {ALL}, or the name of a part of a sequential trunk that is "
            f"not its last ({', '.join(names[:-1])}), found {found}; correct the name."
        )
    children = list(trunk.named_children())
    cut = names.index(last) + 1
    return nn.Sequential(OrderedDict(children[:cut])), nn.Sequential(OrderedDict(children[cut:]))
