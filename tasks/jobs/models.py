"""The networks of a job: as it trains them, and as it finds them trained."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from data.errors import one_line
from data.fingerprint import digest_json
from gradmix.method import Method
from gradmix.methods import build_method, method_named
from gradmix.networks import Network, Shape
from gradmix.optimiser import OptimiserConfig
from gradmix.sampling import Images
from gradmix.training import TrainingConfig
from tasks.errors import StageError
from tasks.networks.trunks import build_trunk, parted

MODEL = "model.pt"

Config = TypeVar("Config", OptimiserConfig, TrainingConfig)


def prepare_device() -> torch.device:
    """The slot's device; a CPU slot computes with one thread."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def build_network(
    job: dict[str, Any], images: Images, device: torch.device, dropout: float = 0.0
) -> Network:
    """The job's network for such images: weights drawn from its seed, the trunk's from a file.

    Where parts of the trunk are frozen, the images are what these make of them, and the network is
    the rest.

    Args:
        job: `network`, `heads`, `seed`, and the path of `weights` if there are any.
        images: stored images, of which the first is looked at.
        device: where to put it.
        dropout: share of the features that its training leaves out.
    """
    torch.manual_seed(seed_of(job, "weights"))
    description, stored = job["network"], images[:1]
    weights = Path(job["weights"]) if job["weights"] else None
    shape: Shape = (stored.shape[3], stored.shape[1], stored.shape[2])
    trunk = build_trunk(description, shape, weights)
    normalisation = description["normalisation"]
    if description["frozen"]:
        (_, trunk), normalisation = parted(trunk, description["frozen"]), "none"
    heads = {name: len(classes) for name, classes in job["heads"].items()}
    with _told():
        return Network(trunk, heads, shape, normalisation, dropout).to(device)


def job_method(
    job: dict[str, Any], images: Images, sources: list[str], device: torch.device
) -> Method:
    """The job's method on a fresh network, or on the weights that the job starts from."""
    network = build_network(job, images, device, job["training"].get("dropout", 0.0))
    if job["initial"]:
        load_model(network, Path(job["initial"]))
    rates = {"learning_rate": job["learning_rate"], "momentum": job["momentum"]}
    optimiser = recipe(OptimiserConfig, {**job["training"], **rates})
    with _told():
        return build_method(job["method"], network, sources, optimiser, job["settings"])


def trained_network(
    job: dict[str, Any], model: dict[str, Any], images: Images, device: torch.device
) -> Network:
    """The network of a finished training, ready to predict.

    Args:
        job: network and heads, a seed for what is overwritten.
        model: `method`, `sources` and `folder` of the training.
        images: such as it reads.
        device: where to put it.
    """
    network = build_network({**job, "weights": None}, images, device)
    method_named(model["method"]).method.adapt(network, model["sources"])
    load_model(network, Path(model["folder"]))
    return network


def load_model(network: nn.Module, folder: Path) -> None:
    """Put a finished training's weights into a network."""
    # A model trained on a GPU may be wanted where there is none.
    network.load_state_dict(torch.load(folder / MODEL, map_location="cpu", weights_only=True))


def recipe(config: type[Config], settings: dict[str, Any]) -> Config:
    """A config of the core with those of the settings that are its fields."""
    known = {field.name for field in dataclasses.fields(config)}
    return config(**{name: value for name, value in settings.items() if name in known})


@contextmanager
def _told() -> Iterator[None]:
    """What a trunk of the user's does not fit is an error that a user can mend."""
    try:
        yield
    except ValueError as error:
        raise StageError(f"network.trunk: {one_line(error)}") from error


def seed_of(job: dict[str, Any], purpose: str) -> int:
    """A seed of its own for every purpose, the same for every method of a draw."""
    return int(digest_json([job["seed"], purpose])[:15], 16)
