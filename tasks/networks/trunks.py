"""Builds trunks: our own, torchvision's, those of extras, and any factory of the user's."""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from data.errors import one_line
from gradmix.declarations.trunk import ConvTrunkConfig, Shape
from gradmix.networks import ConvTrunk
from tasks.errors import StageError
from tasks.networks import timm_models
from tasks.networks.declared import TRUNKS, factory_named
from tasks.networks.loading import Fitted, load_weights
from tasks.networks.names import TIMM

Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class TrunkBuilder:
    """How a trunk is built.

    Attributes:
        make: makes its authors' whole model for images of a shape.
        cut: takes the trunk from that model.
        fitted: converts the tensors of a file to the model's names and sizes.
    """

    make: Callable[[Shape, Settings], nn.Module]
    cut: Callable[[nn.Module], nn.Module] = lambda model: model
    fitted: Fitted = lambda _, state: state


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


CONVNET = TrunkBuilder(_convnet)
RESNET18 = TrunkBuilder(_resnet18, _without_classifier)
EFFICIENTNET_LITE0 = TrunkBuilder(_efficientnet_lite0, _lite_blocks)


def trunk_named(name: str) -> TrunkBuilder:
    """Find a trunk: ours, `timm:NAME`, or the factory `package.module:function`.

    A factory is called with the settings as keywords and returns a module that maps [B, C, H, W]
    to features [B, F] or to a map [B, F, h, w].

    Raises:
        StageError: if there is none.
    """
    if name in TRUNKS:
        module, _, builder = TRUNKS[name].implementation.partition(":")
        found: TrunkBuilder = getattr(import_module(module), builder)
        return found
    if name.startswith(TIMM):
        return TrunkBuilder(
            partial(timm_models.timm_model, name),
            timm_models.without_classifier,
            fitted=timm_models.in_names_of,
        )
    factory = factory_named(name)
    return TrunkBuilder(lambda _, settings: factory(**settings))


def build_trunk(network: Mapping[str, Any], shape: Shape, weights: Path | None = None) -> nn.Module:
    """Build a trunk with weights from a file, or as made by its factory.

    Args:
        network: `trunk` and `settings`.
        shape: shape of the images.
        weights: file of weights, or None.

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
        load_weights(model, trunk, weights, entry.fitted)
    return trunk
