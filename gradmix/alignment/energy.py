"""Energies of class attention maps, and the losses around them: our reading of EnergyNet [15].

Its code is not public. Known are that the map of the true class is to have a higher energy than
another's, that one network with shared parameters reads all maps, and that an energy loss and a
triplet loss with hard negatives train it together. Every form and size below is a guess of ours.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradmix.grouping import HEADS
from gradmix.networks import LinearHead, Network, drawn_linear, map_size, pooled
from gradmix.problem import TARGET_HEAD

WIDTH = 64
"""Units of the embedding. No setting: the head is built before settings are known."""

SMALLEST_LENGTH = 1e-3
"""Of a map that is brought to length 1: a shorter one is next to blank, and dividing by its length
would let noise decide and gradients explode."""


class Reading(NamedTuple):
    """What an energy head makes of maps: logits and energies [B, C], embeddings [B, C, D]."""

    logits: Tensor
    energies: Tensor
    embeddings: Tensor


class EnergyHead(nn.Module):
    """Class scores to which the energy of every class's attention map is added.

    The energy is ReLU(linear(map)) times a vector, with the same parameters for all classes. That
    vector starts at zero, so that the first predictions are those of the linear head; a bias would
    cancel between classes.

    Args:
        linear: the head in whose place this one is put; it goes on with the same parameters.
        places: h * w of the map that the trunk ends in.
        generator: of the first weights of the embedding.
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
    """Make the target's head an energy head, in place.

    First weights are drawn on the CPU from the seed that torch has, without drawing from its own
    generator.

    Raises:
        ValueError: if the trunk ends in features without a place.
    """
    height, width = map_size(network.ends_in)
    linear = cast("LinearHead", network.heads[TARGET_HEAD])
    generator = torch.Generator().manual_seed(torch.initial_seed())
    head = EnergyHead(linear, height * width, generator).to(linear.weight)
    network.set_submodule(f"{HEADS}.{TARGET_HEAD}", head)


def attention_maps(found: Tensor, weight: Tensor) -> Tensor:
    """A_c = sum over f of W_cf F_f, class activation maps [B, C, h, w].

    Their means over space are the scores of a linear head without its bias: scores are averages of
    features, so that the maps are exact.

    Args:
        found: F, maps [B, F, h, w].
        weight: W [C, F] of the linear head.
    """
    return torch.einsum("cf,bfhw->bchw", weight, found)


def energy_loss(energies: Tensor, logits: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean of max(0, margin - E(true class) + E(hardest wrong class)).

    Args:
        energies: E [B, C].
        logits: [B, C]; the hardest wrong class has the largest; no gradient goes through them.
        labels: class numbers [B].
        margin: by which the true class's energy is to be the higher.
    """
    true = labels[:, None]
    hardest = logits.detach().scatter(1, true, -torch.inf).argmax(1, keepdim=True)
    return (margin - energies.gather(1, true) + energies.gather(1, hardest)).relu().mean()


def triplet_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean of max(0, margin + d(farthest of the same class) - d(nearest of another)).

    d is the Euclidean distance within the batch. Samples that have no other one of their class, or
    none of another, take no part; zero if none does.

    Args:
        embeddings: [B, D].
        labels: class numbers [B].
        margin: by which the same class is to be the nearer.
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
