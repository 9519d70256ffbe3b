"""Layer grouping: which trunk parameters share one set of mixing weights (Eq. 6)."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

Grouping = Literal["layer", "tensor", "model"]

HEADS = "heads"
TRUNK = "trunk."
"""Of parameter names; a layer is called by its place in the trunk."""
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Layer:
    """A named group of trunk parameters; `parameters` are names as in `named_parameters`."""

    name: str
    parameters: tuple[str, ...]


def trunk_layers(network: nn.Module, grouping: Grouping = "layer") -> list[Layer]:
    """Layers l = 1..L-1 of a network: everything but the modules under `heads`.

    Args:
        network: any module whose task-specific last layers live under the attribute `heads`.
        grouping: `layer`: a leaf module's parameters, a norm layer joined to the module before
            it; `tensor`: every parameter alone; `model`: the whole trunk as one layer.

    Raises:
        ValueError: if the grouping is unknown or the trunk has no parameters.
    """
    layers = _leaf_layers(network)
    if not layers:
        raise ValueError("expected a trunk with parameters, found none outside `heads`.")
    names = [name for layer in layers for name in layer.parameters]
    if grouping == "layer":
        return layers
    if grouping == "tensor":
        return [Layer(name, (name,)) for name in names]
    if grouping == "model":
        return [Layer("trunk", tuple(names))]
    raise ValueError(f"grouping must be one of layer, tensor, model. Found {grouping!r}.")


def _leaf_layers(network: nn.Module) -> list[Layer]:
    """One layer per module that owns parameters, norms joined to the layer before them."""
    layers: list[Layer] = []
    for module_name, module in network.named_modules():
        own = tuple(
            f"{module_name}.{name}" if module_name else name
            for name, _ in module.named_parameters(recurse=False)
        )
        if not own or module_name.split(".")[0] == HEADS:
            continue
        if isinstance(module, _NORMS) and layers:
            before = layers.pop()
            layers.append(Layer(before.name, before.parameters + own))
        else:
            layers.append(Layer(module_name.removeprefix(TRUNK) or "trunk", own))
    return layers
