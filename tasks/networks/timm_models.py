"""timm's image models as trunks, without classifier and with their own normalisation."""

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from data.errors import DataError, one_line
from gradmix.declarations.choices import Normalisation
from gradmix.declarations.trunk import Shape
from gradmix.normalisation import COLOURS
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
"""Arguments of `timm.create_model` that are refused as settings, with the reason."""
_OTHER_RESAMPLING = ("flexivit", "radio")
"""Families of models, by a part of their names."""
_WITHOUT = "model.safetensors"
"""File in a repository of weights if the configuration names none."""


class ChannelsFirst(nn.Module):
    """Moves the channels of a model's maps from last, [B, h, w, F], to first.

    Args:
        model: maps images to such maps or to features [B, F].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, F, h, w], or the model's features [B, F] unchanged."""
        found: Tensor = self.model(x)
        return found.permute(0, 3, 1, 2) if found.ndim == 4 else found


def timm_model(trunk: str, shape: Shape, settings: Mapping[str, Any]) -> nn.Module:
    """Build a model with random weights that outputs a map if it has one, else pooled features.

    A model with a fixed input size is built for images of this shape. With the setting
    `global_pool`, any model outputs its own pooled features.

    Args:
        trunk: `timm:NAME`.
        shape: shape of the images.
        settings: arguments of `timm.create_model`.

    Raises:
        StageError: if timm or the model is missing, a setting is not allowed, or images of this
            shape do not fit.
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
        # Works for nearly all models.
        cast(Any, model).reset_classifier(0, "")
    except AssertionError:
        # A few cannot disable pooling; this one may be half changed, so it is built again.
        return _created(trunk, shape, settings)
    return model


def without_classifier(model: nn.Module) -> nn.Module:
    """The trunk of a model: all of it, with the channels of maps first."""
    return ChannelsFirst(model) if getattr(model, "output_fmt", "NCHW") == "NHWC" else model


def normalisation_of(trunk: str) -> Normalisation:
    """Normalisation with which a model's weights were trained.

    Raises:
        StageError: if GradMix does not have it.
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
    """Side in pixels of the images that a model's weights were trained on."""
    return int(_config(trunk).input_size[-1])


def version_of() -> str:
    """The installed version of timm, which decides what a model of that name is.

    Raises:
        StageError: if it is missing.
    """
    return f"timm {_timm().__version__}"


def in_names_of(model: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Convert published weights to a model's names, and position embeddings to its size.

    Raises:
        StageError: if they belong to another model.
    """
    _refuse_other_resampling(model, state)
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        converted: Mapping[str, Tensor] = convert(dict(state), model)
    # Given arbitrary tensors, it raises arbitrary errors.
    except Exception as error:
        raise StageError(
            f"network.weights: expected those of a {type(model).__name__}, found others "
            f"({type(error).__name__}: {one_line(error)[:200]}); take the weights of this trunk."
        ) from error
    return converted


def _refuse_other_resampling(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Refuse to resample position embeddings for which timm has another way than the usual one."""
    name = str(getattr(model, "pretrained_cfg", {}).get("architecture", ""))
    if not any(part in name for part in _OTHER_RESAMPLING):
        return
    own, found = dict(model.state_dict()).get("pos_embed"), state.get("pos_embed")
    if own is not None and found is not None and own.shape != found.shape:
        raise StageError(
            f"network.weights: expected {name} for images of the side of its weights, since its "
            f"position embeddings are resampled in a way of its own, found {list(found.shape)} for "
            f"{list(own.shape)}; set images.side to the side of the weights."
        )


def published_file(trunk: str) -> Path:
    """Path of a model's pretrained weights in the Hugging Face cache; downloads nothing.

    Raises:
        StageError: if they are not in the cache, or not on the hub.
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
    """Download a model's pretrained weights from the Hugging Face hub unless they are cached.

    Raises:
        DataError: if that fails.
        StageError: if they are not on the hub.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache  # noqa: PLC0415 - slow, and seldom needed

    repository, file = _published(trunk)
    # The hub is not asked for a newer revision: other weights would be another experiment.
    if isinstance(try_to_load_from_cache(repository, file), str):
        return
    try:
        hf_hub_download(repository, file)
    # It raises many kinds of errors.
    except Exception as error:
        raise DataError(
            f"Expected to fetch {file} of {repository} from the Hugging Face hub, found: "
            f"{one_line(error)[:200]}; try again, or name a file with --weights."
        ) from error


def _published(trunk: str) -> tuple[str, str]:
    """Repository and file of the weights on the hub."""
    config = _config(trunk)
    if not config.hf_hub_id:
        raise StageError(
            f"network.weights: expected a model with weights on the Hugging Face hub, found none "
            f"for {trunk}; name a file, or a tag of the model as timm:NAME.TAG."
        )
    return str(config.hf_hub_id), str(config.hf_hub_filename or _WITHOUT)


def _created(trunk: str, shape: Shape, settings: Mapping[str, Any]) -> nn.Module:
    channels, height, width = shape
    # The size decides the number of position embeddings.
    size = {"img_size": (height, width)} if _config(trunk).fixed_input_size else {}
    model: nn.Module = _timm().create_model(
        trunk.removeprefix(TIMM), in_chans=channels, num_classes=0, **{**size, **settings}
    )
    return model


def _has_map(model: nn.Module, trunk: str, shape: Shape) -> bool:
    """Whether a model computes a map, rather than tokens, before its head."""
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
    """Configuration of a model's pretrained weights."""
    timm, name = _timm(), trunk.removeprefix(TIMM)
    model = name.partition(".")[0]
    # timm would download from a source given in the name, such as hf-hub:.
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
