"""Networks of jobs, untrained and trained."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.errors import one_line
from data.fingerprint import digest_json
from gradmix.declarations.choices import Rule
from gradmix.declarations.methods import method_named
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.trunk import Shape
from gradmix.method import Method
from gradmix.methods import build_method, method_class
from gradmix.networks import Network
from gradmix.sampling import Images
from gradmix.settings import later
from tasks.errors import StageError
from tasks.networks.description import NetworkDescription
from tasks.networks.parts import trained_part

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


def prepare_device() -> torch.device:
    """The slot's device; a CPU slot uses one thread."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def build_network(
    job: NetworkInputs, images: Images, device: torch.device, dropout: float = 0.0
) -> Network:
    """The job's network for such images: random weights from its seed, trunk weights from a file.

    If parts of the trunk are frozen, the images are the output of these, and the network is the
    rest.

    Args:
        job: network, heads, seed and weights.
        images: stored images; only the first one's shape matters.
        device: where to put it.
        dropout: share of features dropped in training.
    """
    torch.manual_seed(seed_of(job, "weights"))
    description, stored = job.network, images[:1]
    shape: Shape = (stored.shape[3], stored.shape[1], stored.shape[2])
    trunk = trained_part(asdict(description), job.weights, shape)
    normalisation = "none" if description.frozen else description.normalisation
    heads = {name: len(classes) for name, classes in job.heads.items()}
    with _user_errors():
        return Network(trunk, heads, shape, normalisation, dropout).to(device)


def job_method(
    job: MethodInputs,
    images: Images,
    sources: list[str],
    device: torch.device,
    recipe: Recipe = PAPER,
    initial: Path | None = None,
) -> Method:
    """The job's method on a fresh network, or on the weights of a finished training.

    Args:
        job: network and method.
        images: stored images; only the first one's shape matters.
        sources: names of the sources to train on.
        device: where to put the network.
        recipe: optimiser and dropout; the paper's by default.
        initial: folder of the training whose weights are the start.
    """
    network = build_network(job, images, device, recipe.dropout)
    if initial:
        load_model(network, initial)
    optimiser = OptimiserConfig(
        learning_rate=job.learning_rate,
        momentum=job.momentum,
        optimiser=recipe.optimiser,
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
    )
    with _user_errors():
        return build_method(job.method, network, sources, optimiser, dict(job.settings))


def trained_network(
    job: NetworkInputs, model: TrainedModel, images: Images, device: torch.device
) -> Network:
    """The network of a finished training, ready to predict.

    Args:
        job: network and heads; random weights are overwritten.
        model: the training.
        images: images of the kind it reads.
        device: where to put it.
    """
    network = build_network(replace(job, weights=None), images, device)
    method_class(method_named(model.method)).adapt(network, model.sources)
    load_model(network, model.folder)
    return network


def load_model(network: nn.Module, folder: Path) -> None:
    """Load a finished training's weights into a network."""
    # A model trained on a GPU may be loaded where there is none.
    network.load_state_dict(torch.load(folder / MODEL, map_location="cpu", weights_only=True))


@contextmanager
def _user_errors() -> Iterator[None]:
    """Report an unsuitable user-defined trunk as an error that the user can fix."""
    try:
        yield
    except ValueError as error:
        raise StageError(f"network.trunk: {one_line(error)}") from error


def seed_of(job: NetworkInputs, purpose: str) -> int:
    """A separate seed for each purpose, the same for all methods of a draw."""
    return int(digest_json([job.seed, purpose])[:15], 16)
