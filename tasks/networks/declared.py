"""The trunks by name, and what is known of one without torch."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from data.errors import one_line
from gradmix.declarations.choices import Normalisation
from gradmix.declarations.trunk import ConvTrunkConfig, Shape
from tasks.errors import StageError
from tasks.networks.names import TIMM


class TrunkConfig(Protocol):
    """Settings of a trunk, from which its output and size follow."""

    def ends_in(self, shape: Shape) -> tuple[int, ...]:
        """Output shape (F, h, w) or (F,) for images of a shape; ValueError if they do not fit."""

    def stored_bytes(self, shape: Shape) -> int:
        """Size in bytes of the weights and statistics."""


@dataclass(frozen=True, kw_only=True)
class TrunkDeclaration:
    """What is known of a trunk without torch.

    Attributes:
        implementation: its `TrunkBuilder`, as `package.module:NAME`.
        normalisation: its authors' normalisation; for timm's models, see `normalisation_of`.
        config: dataclass of its settings, a `TrunkConfig`; None for trunks that take any settings
            and must be built to be checked.
    """

    implementation: str
    normalisation: Normalisation = "image"
    config: type[Any] | None = None


TRUNKS: Mapping[str, TrunkDeclaration] = {
    "convnet": TrunkDeclaration(
        implementation="tasks.networks.trunks:CONVNET", config=ConvTrunkConfig
    ),
    "resnet18": TrunkDeclaration(
        implementation="tasks.networks.trunks:RESNET18", normalisation="imagenet"
    ),
    "efficientnet_lite0": TrunkDeclaration(
        implementation="tasks.networks.trunks:EFFICIENTNET_LITE0", normalisation="half"
    ),
}


def config_of(name: str) -> type[Any] | None:
    """Class of a trunk's settings; None for trunks that take any."""
    return TRUNKS[name].config if name in TRUNKS else None


def normalisation_of(name: str) -> Normalisation:
    """Normalisation used by a trunk's authors; for a user's factory, per image.

    Raises:
        StageError: if it is a model of timm's and its normalisation is not one of ours.
    """
    if name.startswith(TIMM):
        from tasks.networks import timm_models  # noqa: PLC0415 - loads torch

        return timm_models.normalisation_of(name)
    return TRUNKS[name].normalisation if name in TRUNKS else "image"


def code_digest(name: str) -> str | None:
    """SHA-256 of a factory's source file, or timm's version; None for registered trunks.

    Modules imported by that file are not included.
    """
    if name in TRUNKS:
        return None
    if name.startswith(TIMM):
        from tasks.networks import timm_models  # noqa: PLC0415 - loads torch

        return timm_models.version_of()
    factory = inspect.unwrap(factory_named(name))
    try:
        path = Path(inspect.getfile(factory))
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (TypeError, OSError) as error:
        raise _no_factory(name, f"one whose file cannot be read ({error})") from error


def factory_named(name: str) -> Callable[..., Any]:
    """Import a user's factory of trunks.

    Args:
        name: `package.module:function`.

    Raises:
        StageError: if it cannot be imported or called.
    """
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise _no_factory(name, "neither")
    try:
        found = getattr(import_module(module_name), function)
    # This runs the user's code, which may raise any error.
    except Exception as error:
        raise _no_factory(name, f"{type(error).__name__} ({one_line(error)})") from error
    if not callable(found):
        raise _no_factory(name, f"a {type(found).__name__}")
    factory: Callable[..., Any] = found
    return factory


def _no_factory(name: str, found: str) -> StageError:
    return StageError(
        f"network.trunk: expected one of {', '.join(TRUNKS)}, timm:NAME, or a function as "
        f"package.module:name that can be imported, found {found} for {name!r}; correct the name "
        "or set PYTHONPATH."
    )
