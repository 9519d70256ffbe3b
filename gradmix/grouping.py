"""Layer grouping: which trunk parameters share one set of mixing weights (Eq. 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from gradmix.declarations.choices import Grouping

HEADS = "heads"
TRUNK = "trunk."
"""Prefix stripped from layer names."""
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Layer:
    """A named group of trunk parameters; `parameters` are names as in `named_parameters`."""

    name: str
    parameters: tuple[str, ...]


def lies_in(name: str, places: Sequence[str]) -> bool:
    """Whether a module or parameter is at or below one of the places.

    Args:
        name: dotted name, as in `named_modules` and `named_parameters`.
        places: dotted names or patterns such as `*.lora_*`.
    """
    return any(
        name == place or name.startswith(f"{place}.") or fnmatchcase(name, place)
        for place in places
    )


def trunk_layers(
    network: nn.Module, grouping: Grouping = "layer", heads: Sequence[str] = (HEADS,)
) -> list[Layer]:
    """Layers l = 1..L-1 of a network: all but the task-specific last layers.

    A parameter shared by several modules belongs to the first one outside the heads.

    Args:
        network: any module.
        grouping: `layer` groups a leaf module's parameters, with a norm layer joined to the
            module before it; `tensor` makes each parameter a layer; `model` makes the whole trunk
            one layer.
        heads: places of the last layers, as in `lies_in`.

    Raises:
        ValueError: if the grouping is unknown or the trunk has no parameters.
    """
    layers = _leaf_layers(network, heads)
    if not layers:
        where = f" outside `{', '.join(heads)}`" if heads else ""
        raise ValueError(f"expected a trunk with parameters, found none{where}.")
    names = [name for layer in layers for name in layer.parameters]
    if grouping == "layer":
        return layers
    if grouping == "tensor":
        return [Layer(name, (name,)) for name in names]
    if grouping == "model":
        return [Layer("trunk", tuple(names))]
    raise ValueError(f"grouping must be one of layer, tensor, model. Found {grouping!r}.")


def _leaf_layers(network: nn.Module, heads: Sequence[str]) -> list[Layer]:
    """One layer per module that owns parameters; norms join the layer before them."""
    layers: list[Layer] = []
    # `named_parameters` lists a shared parameter once, under its first module.
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for module_name, module in network.named_modules(remove_duplicate=False):
        own = tuple(
            names.pop(id(parameter))
            for name, parameter in module.named_parameters(recurse=False)
            if id(parameter) in names and not lies_in(_joined(module_name, name), heads)
        )
        if not own:
            continue
        if isinstance(module, _NORMS) and layers:
            before = layers.pop()
            layers.append(Layer(before.name, before.parameters + own))
        else:
            layers.append(Layer(module_name.removeprefix(TRUNK) or "trunk", own))
    return layers


def _joined(module: str, name: str) -> str:
    return f"{module}.{name}" if module else name
