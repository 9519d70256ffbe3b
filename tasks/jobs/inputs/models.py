"""What the networks of jobs are built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradmix.declarations.choices import Rule
from gradmix.settings import later
from tasks.networks.description import NetworkDescription

MODEL = "model.pt"


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """What a job's network is built from.

    Attributes:
        network: the trunk; without its frozen part, if any.
        heads: classes of each head, by name.
        seed: seed of random weights and mini-batches.
        weights: file of the trunk's initial weights; None for random ones.
    """

    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]
    seed: int
    weights: Path | None = None


@dataclass(frozen=True, kw_only=True)
class MethodInputs(NetworkInputs):
    """What a job's method is built from.

    Attributes:
        method: a row of `METHODS`.
        settings: every field of its config.
        learning_rate: learning rate of SGD.
        momentum: momentum of SGD.
    """

    method: str
    settings: Mapping[str, Any]
    learning_rate: float
    momentum: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How weights are updated; the paper uses plain SGD on the whole network.

    Attributes:
        optimiser: `sgd` or `adamw`.
        weight_decay: weight decay of all parameters.
        clip: maximum L2 norm of the whole gradient, which is scaled down to it; 0 for none.
        dropout: share of features that are dropped.
    """

    optimiser: Rule = later("sgd")
    weight_decay: float = later(0.0)
    clip: float = later(0.0)
    dropout: float = later(0.0)


PAPER = Recipe()


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A finished training, as a job loads it.

    Attributes:
        folder: folder with its weights.
        method: method that trained it, and may have changed its network.
        sources: names of the sources it was trained on.
    """

    folder: Path
    method: str
    sources: tuple[str, ...]
