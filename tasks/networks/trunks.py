"""Trunks by name: our own, torchvision's, that of an extra, and any factory of the user's."""

import dataclasses
import hashlib
import importlib
import inspect
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.errors import one_line
from gradmix.networks import ConvTrunk, ConvTrunkConfig, Network, Shape, map_size
from gradmix.normalisation import Normalisation
from tasks.errors import StageError
from tasks.networks.weights import load_weights

Settings = Mapping[str, Any]
_TIMED = 4
"""Images that a network is timed on."""


@dataclasses.dataclass(frozen=True)
class TrunkEntry:
    """A trunk registered by name.

    Attributes:
        make: the whole model for images of a shape, as its authors have it.
        cut: what of that model is the trunk.
        normalisation: of images, as its authors have it.
        config: of its settings; None: it has none.
    """

    make: Callable[[Shape, Settings], nn.Module]
    cut: Callable[[nn.Module], nn.Module] = lambda model: model
    normalisation: Normalisation = "image"
    config: type[Any] | None = None


def _convnet(shape: Shape, settings: Settings) -> nn.Module:
    return ConvTrunk(ConvTrunkConfig(**{**settings, "widths": tuple(settings["widths"])}), shape)


def _resnet18(_: Shape, settings: Settings) -> nn.Module:
    from torchvision.models import resnet18  # noqa: PLC0415 - slow, and only needed here

    model: nn.Module = resnet18(**settings)
    return model


def _without_classifier(model: nn.Module) -> nn.Module:
    """Everything before the pooling, in order, with the model's names."""
    parts = dict(model.named_children())
    return nn.Sequential(
        OrderedDict((name, parts[name]) for name in parts if name not in {"avgpool", "fc"})
    )


def _efficientnet_lite0(_: Shape, settings: Settings) -> nn.Module:
    try:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise StageError(
            "network.trunk: expected the package efficientnet-lite-pytorch for efficientnet_lite0, "
            "found none; install gradmix[lite]."
        ) from error
    model: nn.Module = EfficientNet.from_name("efficientnet-lite0", **settings)
    return model


def _lite_blocks(model: nn.Module) -> nn.Module:
    """Stem, blocks and head convolution in order, without dropped blocks or a classifier."""
    parts = dict(model.named_children())
    stem = nn.Sequential(parts["_conv_stem"], parts["_bn0"], nn.ReLU6())
    head = nn.Sequential(parts["_conv_head"], parts["_bn1"], nn.ReLU6())
    blocks = [(f"block{number}", block) for number, block in enumerate(parts["_blocks"].children())]
    return nn.Sequential(OrderedDict([("stem", stem), *blocks, ("head", head)]))


TRUNKS: dict[str, TrunkEntry] = {
    "convnet": TrunkEntry(_convnet, config=ConvTrunkConfig),
    "resnet18": TrunkEntry(_resnet18, _without_classifier, "imagenet"),
    "efficientnet_lite0": TrunkEntry(_efficientnet_lite0, _lite_blocks, "half"),
}


def trunk_named(name: str) -> TrunkEntry:
    """The trunk of that name, or of the factory `package.module:function`.

    A factory is called with the settings as keywords and returns a module that maps [B, C, H, W]
    to features [B, F] or to a map [B, F, h, w].

    Raises:
        StageError: if there is none.
    """
    if name in TRUNKS:
        return TRUNKS[name]
    factory = _factory(name)
    return TrunkEntry(lambda _, settings: factory(**settings))


def code_digest(name: str) -> str | None:
    """SHA-256 of a factory's source file; None for registered trunks.

    Modules imported by that file are not included.
    """
    if name in TRUNKS:
        return None
    factory = inspect.unwrap(_factory(name))
    try:
        path = Path(inspect.getfile(factory))
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (TypeError, OSError) as error:
        raise _no_factory(name, f"one whose file cannot be read ({error})") from error


def build_trunk(network: Mapping[str, Any], shape: Shape, weights: Path | None = None) -> nn.Module:
    """Build a trunk with weights from a file, or as made by its factory.

    Args:
        network: `trunk` and `settings`.
        shape: of the images.
        weights: a file of them.

    Raises:
        StageError: if the factory fails or the weights do not fit.
    """
    entry = trunk_named(network["trunk"])
    try:
        model = entry.make(shape, network["settings"])
    except StageError:
        raise
    except Exception as error:
        raise StageError(
            f"network: expected {network['trunk']} to make a module of these settings, found "
            f"{type(error).__name__}: {one_line(error)}; correct network.settings or the function."
        ) from error
    if not isinstance(model, nn.Module):
        raise StageError(
            f"network.trunk: expected {network['trunk']} to return a module, found a "
            f"{type(model).__name__}; correct the function."
        )
    trunk = entry.cut(model)
    if weights is not None:
        load_weights(model, trunk, weights)
    return trunk


def check_trunk(
    network: Mapping[str, Any], shape: Shape, weights: Path | None, *, needs_map: bool
) -> None:
    """Build a trunk as a training does, and look at what it makes of a blank image.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: of the images.
        weights: a file of them.
        needs_map: whether a method reads a map from it.

    Raises:
        StageError: if any of it does not work.
    """
    trunk = build_trunk(network, shape, weights)
    try:
        ends_in = _end(trunk, network["frozen"], shape)
    except StageError:
        raise
    except Exception as error:
        raise StageError(
            f"network: expected {network['trunk']} to take images {list(shape)}, found "
            f"{type(error).__name__}: {one_line(error)}; correct network or images.side."
        ) from error
    if needs_map:
        try:
            map_size(ends_in)
        except ValueError as error:
            raise StageError(f"network.trunk: {error}") from error


def trunk_bytes(network: Mapping[str, Any], shape: Shape) -> int:
    """Bytes of a trunk's weights and statistics, as they are stored.

    Args:
        network: `trunk` and `settings`.
        shape: of the images.

    Raises:
        StageError: if it cannot be made.
    """
    state = build_trunk(network, shape).state_dict()
    return sum(value.numel() * value.element_size() for value in state.values())


def seconds_per_image(network: Mapping[str, Any], shape: Shape) -> float:
    """CPU time to train a whole trunk on one image with one thread; a rough figure.

    Args:
        network: `trunk` and `settings`.
        shape: of the images.

    Raises:
        StageError: if the trunk cannot be made.
    """
    trunk, images = build_trunk(network, shape), torch.zeros(_TIMED, *shape)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        taken = []
        # The first pass allocates.
        for _ in range(2):
            begun = time.process_time()
            trunk(images).sum().backward()
            taken.append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return min(taken) / _TIMED


def _end(trunk: nn.Module, frozen: str, shape: Shape) -> tuple[int, ...]:
    """Shape of what a trunk makes of an image, its frozen part before the rest."""
    if frozen:
        first, trunk = parted(trunk, frozen)
        with torch.no_grad():
            shape = first.eval()(torch.zeros(1, *shape)).shape[1:]
    return Network(trunk, {}, shape).ends_in


def parted(trunk: nn.Module, last: str) -> tuple[nn.Sequential, nn.Sequential]:
    """A trunk in two: up to and with its child `last`, which stays as it is, and the rest.

    Raises:
        StageError: if the trunk is no sequence, has no such child or nothing after it.
    """
    names = [name for name, _ in trunk.named_children()]
    if not isinstance(trunk, nn.Sequential) or last not in names[:-1]:
        found = "a trunk that is none" if not isinstance(trunk, nn.Sequential) else repr(last)
        raise StageError(
            "network.frozen: expected the name of a part of a sequential trunk that is not its "
            f"last ({', '.join(names[:-1])}), found {found}; correct the name."
        )
    children = list(trunk.named_children())
    cut = names.index(last) + 1
    return nn.Sequential(OrderedDict(children[:cut])), nn.Sequential(OrderedDict(children[cut:]))


def _factory(name: str) -> Callable[..., nn.Module]:
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise _no_factory(name, "neither")
    try:
        found = getattr(importlib.import_module(module_name), function)
    # This runs the user's code, which may raise any error.
    except Exception as error:
        raise _no_factory(name, f"{type(error).__name__} ({one_line(error)})") from error
    if not callable(found):
        raise _no_factory(name, f"a {type(found).__name__}")
    factory: Callable[..., nn.Module] = found
    return factory


def _no_factory(name: str, found: str) -> StageError:
    return StageError(
        f"network.trunk: expected one of {', '.join(TRUNKS)}, or a function as package.module:name "
        f"that can be imported, found {found} for {name!r}; correct the name or set PYTHONPATH."
    )
