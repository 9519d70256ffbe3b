"""Networks of jobs, untrained and trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from data.errors import one_line
from data.fingerprint import digest_json
from gradmix.declarations.methods import method_named
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.trunk import Shape
from gradmix.method import Method
from gradmix.methods import build_method, method_class
from gradmix.networks import Network
from gradmix.sampling import Images
from tasks.errors import StageError
from tasks.jobs.inputs.models import MODEL, PAPER, MethodInputs, NetworkInputs, Recipe, TrainedModel
from tasks.networks.parts import trained_part


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
