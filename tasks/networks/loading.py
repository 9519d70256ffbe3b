"""Loads pretrained weights into a model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from data.errors import one_line
from tasks.errors import StageError

Fitted = Callable[[nn.Module, Mapping[str, Tensor]], Mapping[str, Tensor]]

WRAPPERS = ("state_dict", "model")
"""Keys that hold the weights in checkpoints of training programs."""


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
