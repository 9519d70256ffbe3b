"""The training methods, one file each; `gradmix.declarations.methods` has their table."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.methods import method_named
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.method import Method
from gradmix.networks import Network


def method_class(declaration: Declaration) -> type[Method]:
    """Import the implementation of a method.

    Raises:
        ImportError: if its module cannot be imported.
        AttributeError: if the module has no such class.
    """
    module, _, name = declaration.implementation.partition(":")
    found: type[Method] = getattr(import_module(module), name)
    return found


def build_method(
    name: str,
    network: Network,
    sources: Sequence[str],
    optimiser: OptimiserConfig,
    settings: dict[str, Any],
) -> Method:
    """Build a method that is ready to train `network`.

    Args:
        name: key in `METHODS`.
        network: trained in place.
        sources: names of the source streams, in the order of the batches.
        optimiser: update rule and learning rate.
        settings: fields of the method's config.

    Raises:
        ValueError: if the name is unknown or a value is invalid.
        TypeError: if a field is unknown.
    """
    declared = method_named(name)
    make: Callable[..., Method] = method_class(declared)
    return make(network, sources, optimiser, declared.config(**settings))
