"""Image models of timm as trunks: without a classifier, normalised as their authors have it."""

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from data.errors import DataError, one_line
from gradmix.networks import Shape
from gradmix.normalisation import COLOURS, Normalisation
from tasks.errors import StageError
from tasks.networks.names import TIMM

_OURS = {
    "num_classes": "a trunk has no classifier",
    "pretrained": "network.weights says where weights come from",
    "pretrained_cfg": "network.weights says where weights come from",
    "pretrained_cfg_overlay": "network.weights says where weights come from",
    "checkpoint_path": "network.weights says where weights come from",
    "cache_dir": "network.weights says where weights come from",
    "in_chans": "the data decide",
}
"""Arguments of `timm.create_model` that are not settings of a model, and why."""
_WITHOUT = "model.safetensors"
"""The file of a repository of weights whose configuration names none."""


class ChannelsFirst(nn.Module):
    """A model whose maps have their channels last, [B, h, w, F], with these first.

    Args:
        model: maps images to such maps, or to features [B, F].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """A map [B, F, h, w], or features [B, F] as the model gives them."""
        found: Tensor = self.model(x)
        return found.permute(0, 3, 1, 2) if found.ndim == 4 else found


def timm_model(trunk: str, shape: Shape, settings: Mapping[str, Any]) -> nn.Module:
    """A model with random weights that ends in a map where it has one, else in pooled features.

    A model with a fixed input size is built for images of this shape. With `global_pool` among its
    settings it ends in its own pooled features, whatever it has.

    Args:
        trunk: `timm:NAME`.
        shape: of the images.
        settings: arguments of `timm.create_model`.

    Raises:
        StageError: if timm or the model is missing, a setting is not the model's business, or
            images of this shape do not fit.
    """
    for name in settings:
        if name in _OURS:
            raise StageError(
                f"network.settings: expected settings of {trunk}, found {name}; leave it out: "
                f"{_OURS[name]}."
            )
    model = _created(trunk, shape, settings)
    if "global_pool" in settings or not _has_map(model, trunk, shape):
        return model
    try:
        # The common way to ask any of timm's models for its map.
        cast(Any, model).reset_classifier(0, "")
    except AssertionError:
        # A few can only pool; what is left of this one is unknown.
        return _created(trunk, shape, settings)
    return model


def without_classifier(model: nn.Module) -> nn.Module:
    """What of a model is the trunk: all of it, its maps with the channels first."""
    return ChannelsFirst(model) if getattr(model, "output_fmt", "NCHW") == "NHWC" else model


def normalisation_of(trunk: str) -> Normalisation:
    """The normalisation that a model's weights were trained with.

    Raises:
        StageError: if it is none of ours.
    """
    config = _config(trunk)
    wanted = (tuple(config.mean), tuple(config.std))
    for name, (mean, deviation) in COLOURS.items():
        known = tuple(3 // len(values) * values for values in (mean, deviation))
        if wanted == known:
            return name
    raise StageError(
        f"network.normalisation: expected one of {', '.join(COLOURS)} for {trunk}, found mean "
        f"{wanted[0]} and deviation {wanted[1]}; name the nearest one."
    )


def input_side(trunk: str) -> int:
    """Pixels of the square images that a model's weights were trained on."""
    return int(_config(trunk).input_size[-1])


def in_names_of(model: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Published weights with a model's own names, and position embeddings of its size.

    Raises:
        StageError: if they are another model's.
    """
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        converted: Mapping[str, Tensor] = convert(dict(state), model)
    # Of tensors that may be any, it raises anything.
    except Exception as error:
        raise StageError(
            f"network.weights: expected those of a {type(model).__name__}, found others "
            f"({type(error).__name__}: {one_line(error)[:200]}); take the weights of this trunk."
        ) from error
    return converted


def published_file(trunk: str) -> Path:
    """A model's pretrained weights in the cache of the Hugging Face hub; nothing is fetched.

    Raises:
        StageError: if they are not there, or the hub has none.
    """
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - slow, and seldom needed

    repository, file = _published(trunk)
    found = try_to_load_from_cache(repository, file)
    if not isinstance(found, str):
        raise StageError(
            f"network.weights: expected {file} of {repository} in the cache of the Hugging Face "
            "hub, found none; fetch it with --download, or name a file with --weights."
        )
    return Path(found)


def fetch_published(trunk: str) -> None:
    """Download a model's pretrained weights from the Hugging Face hub, unless they are here.

    Raises:
        DataError: if that fails.
        StageError: if the hub has none.
    """
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - slow, and seldom needed

    repository, file = _published(trunk)
    try:
        hf_hub_download(repository, file)
    # Of a network, it raises anything.
    except Exception as error:
        raise DataError(
            f"Expected to fetch {file} of {repository} from the Hugging Face hub, found: "
            f"{one_line(error)[:200]}; try again, or name a file with --weights."
        ) from error


def _published(trunk: str) -> tuple[str, str]:
    """Repository and file on the hub."""
    config = _config(trunk)
    if not config.hf_hub_id:
        raise StageError(
            f"network.weights: expected a model with weights on the Hugging Face hub, found none "
            f"for {trunk}; name a file, or a tag of the model as timm:NAME.TAG."
        )
    return str(config.hf_hub_id), str(config.hf_hub_filename or _WITHOUT)


def _created(trunk: str, shape: Shape, settings: Mapping[str, Any]) -> nn.Module:
    channels, height, width = shape
    # A fixed size is the number of a model's position embeddings.
    size = {"img_size": (height, width)} if _config(trunk).fixed_input_size else {}
    model: nn.Module = _timm().create_model(
        trunk.removeprefix(TIMM), in_chans=channels, num_classes=0, **{**size, **settings}
    )
    return model


def _has_map(model: nn.Module, trunk: str, shape: Shape) -> bool:
    """Whether a model makes a map of a blank image, before its head."""
    training, features = model.training, cast(Any, model.eval()).forward_features
    try:
        with torch.no_grad():
            found = features(torch.zeros(1, *shape))
    except Exception as error:
        raise StageError(
            f"network: expected {trunk} to take images {list(shape)}, found "
            f"{type(error).__name__}: {one_line(error)}; correct images.side, for one to "
            f"{input_side(trunk)}."
        ) from error
    finally:
        model.train(training)
    return isinstance(found, Tensor) and found.ndim == 4


def _config(trunk: str) -> Any:  # noqa: ANN401 - timm is an extra, and its type with it
    """The configuration of a model's pretrained weights."""
    timm, name = _timm(), trunk.removeprefix(TIMM)
    model = name.partition(".")[0]
    # A name with a source in front, such as hf-hub:, would be fetched from there.
    if not timm.is_model(model):
        raise _unknown(name, timm.list_models())
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise _unknown(name, timm.list_pretrained()) from error


def _unknown(name: str, known: Sequence[str]) -> StageError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"did you mean {TIMM}{near[0]}?" if near else "timm.list_models() names them."
    return StageError(f"network.trunk: expected a model of timm, found {name!r}; {advice}")


def _timm() -> ModuleType:
    try:
        import timm  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise StageError(
            "network.trunk: expected the package timm, found none; install gradmix[timm]."
        ) from error
    return timm
