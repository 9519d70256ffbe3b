"""Energies of class attention maps, and their losses: our reading of EnergyNet [15].

Its code is not public. What is known: the map of the true class should have a higher energy than
any other, one network with shared parameters reads all maps, and it is trained jointly with an
energy loss and a triplet loss with hard negatives. All functional forms and sizes here are guesses.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradmix.declarations.trunk import map_size
from gradmix.grouping import HEADS
from gradmix.networks import LinearHead, Network, drawn_linear, pooled
from gradmix.problem import TARGET_HEAD

WIDTH = 64
"""Units of the embedding. Not a setting, as the head is built before settings are known."""

SMALLEST_LENGTH = 1e-3
"""Minimum norm used to normalise a map. Smaller maps are nearly blank, and dividing by their norm
would amplify noise and make gradients explode."""


class Reading(NamedTuple):
    """Output of an energy head: logits and energies [B, C], embeddings [B, C, D]."""

    logits: Tensor
    energies: Tensor
    embeddings: Tensor


class EnergyHead(nn.Module):
    """Linear head that adds the energy of each class's attention map to its score.

    The energy is ReLU(linear(map)) times a vector, with the same parameters for all classes. The
    vector starts at zero, so that the initial predictions are those of the linear head. There is no
    bias, as it would cancel between classes.

    Args:
        linear: the head to replace; its parameters are reused.
        places: h * w of the trunk's output map.
        generator: generator of the embedding's initial weights.
    """

    def __init__(self, linear: LinearHead, places: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.embedding = drawn_linear(places, WIDTH, generator)
        self.energy = nn.Parameter(torch.zeros(WIDTH))

    def read(self, found: Tensor) -> Reading:
        """Logits, energies and embeddings of all classes for maps [B, F, h, w]."""
        maps = attention_maps(found, self.weight).flatten(2)
        embeddings = self.embedding(functional.normalize(maps, dim=2, eps=SMALLEST_LENGTH)).relu()
        energies = embeddings @ self.energy
        scores = functional.linear(pooled(found), self.weight, self.bias)
        return Reading(scores + energies, energies, embeddings)

    def forward(self, found: Tensor) -> Tensor:
        """Logits [B, C] of maps [B, F, h, w]."""
        return self.read(found).logits


def add_energy_head(network: Network) -> None:
    """Replace the target's head by an energy head, in place.

    Initial weights are drawn on the CPU from torch's seed but not from its global generator.

    Raises:
        ValueError: if the trunk outputs flat features.
    """
    height, width = map_size(network.ends_in)
    linear = cast("LinearHead", network.heads[TARGET_HEAD])
    generator = torch.Generator().manual_seed(torch.initial_seed())
    head = EnergyHead(linear, height * width, generator).to(linear.weight)
    network.set_submodule(f"{HEADS}.{TARGET_HEAD}", head)


def attention_maps(found: Tensor, weight: Tensor) -> Tensor:
    """A_c = sum over f of W_cf F_f, class activation maps [B, C, h, w].

    Their spatial means are exactly the scores of the linear head without its bias, as the scores
    are linear in the mean features.

    Args:
        found: F, maps [B, F, h, w].
        weight: W [C, F] of the linear head.
    """
    return torch.einsum("cf,bfhw->bchw", weight, found)


def energy_loss(energies: Tensor, logits: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean of max(0, margin - E(true class) + E(hardest wrong class)).

    Args:
        energies: E [B, C].
        logits: [B, C]; the hardest wrong class has the largest. No gradient flows through them.
        labels: class numbers [B].
        margin: margin by which the true class's energy should be higher.
    """
    true = labels[:, None]
    hardest = logits.detach().scatter(1, true, -torch.inf).argmax(1, keepdim=True)
    return (margin - energies.gather(1, true) + energies.gather(1, hardest)).relu().mean()


def triplet_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean of max(0, margin + d(farthest of the same class) - d(nearest of another)).

    d is the Euclidean distance within the batch. Samples without another sample of their class, or
    of a different class, are left out; the loss is zero if none is left.

    Args:
        embeddings: [B, D].
        labels: class numbers [B].
        margin: margin by which the same class should be closer.
    """
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    distances = torch.cdist(embeddings.detach(), embeddings.detach())
    farthest = distances.where(positive, -torch.inf).argmax(1)
    nearest = distances.where(~same, torch.inf).argmin(1)
    kept = positive.any(1) & ~same.all(1)
    total = functional.triplet_margin_loss(
        embeddings[kept],
        embeddings[farthest[kept]],
        embeddings[nearest[kept]],
        margin,
        reduction="sum",
    )
    return total / kept.sum().clamp_min(1)
