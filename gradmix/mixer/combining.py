"""Gram matrices of the gradients of a step's passes, and their weighted sums in `p.grad`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch

from gradmix.grouping import Layer
from gradmix.mixer.parameter_rows import parameter_rows, summed_grams
from gradmix.mixer.passes import Parameters, Passes


def grams_of(
    passes: Passes, layers: Sequence[Layer], names: Sequence[str], scale: float = 1.0
) -> list[list[list[float]]]:
    """Gram matrices [layers, passes, passes] of the layers' gradients times `scale`.

    Args:
        passes: the step's passes.
        layers: layers of currently trainable parameters.
        names: names of the passes, in the order of rows and columns.
        scale: factor on the gradients.
    """
    parameters = passes.parameters()
    rows = [
        [parameter_rows(passes.gradients(n, parameters[n], names)) for n in layer.parameters]
        for layer in layers
    ]
    found = [[one for one in of_layer if one is not None] for of_layer in rows]
    with _without_autocast(parameters):
        return summed_grams(found, len(names), scale)


def add_mixture(passes: Passes, weights: Mapping[str, Mapping[str, float]]) -> None:
    """Add weighted sums of gradients to `p.grad` and free the passes' gradients.

    A parameter that none of its passes reached is left unchanged.

    Args:
        passes: the step's passes; cleared.
        weights: weight of each pass, per parameter.
    """
    parameters = passes.parameters()
    with _without_autocast(parameters):
        for name, of_passes in weights.items():
            parameter = parameters[name]
            rows = parameter_rows(passes.gradients(name, parameter, [*of_passes]))
            passes.forget(name)
            if rows is not None:
                mixed = rows.mixed([*of_passes.values()])
                parameter.grad = mixed if parameter.grad is None else parameter.grad + mixed
    passes.forget()


def fill_gradients(parameters: Parameters, value: float) -> None:
    """Fill `p.grad` with one value."""
    for parameter in parameters.values():
        parameter.grad = torch.full_like(parameter, value)


@contextmanager
def _without_autocast(parameters: Parameters) -> Iterator[None]:
    """Disable autocast, which would compute dot products in half precision."""
    kinds: Iterable[str] = {parameter.device.type for parameter in parameters.values()}
    with ExitStack() as stack:
        for kind in kinds:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield
