"""Checks of the arguments of `Mixer`."""

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from gradmix.grouping import lies_in

TARGET = "target"


class Scaler(Protocol):
    """The part of `torch.amp.GradScaler` that `mix` uses."""

    def is_enabled(self) -> bool:
        """Whether losses are scaled."""

    def get_scale(self) -> float:
        """The loss scale."""


def source_names(names: Sequence[str]) -> tuple[str, ...]:
    """Validate the names of the sources.

    Raises:
        ValueError: if there is no name, one occurs twice, or one is `target`.
    """
    found = (names,) if isinstance(names, str) else tuple(names)
    if isinstance(names, str) or not found or TARGET in found or len({*found}) < len(found):
        raise ValueError(
            "sources must be a list of one or more distinct names other than target. "
            f"Found {names!r}."
        )
    return found


def places_in(model: nn.Module, names: Sequence[str], what: str) -> tuple[str, ...]:
    """Validate names of modules or parameters, or patterns; each must match a parameter.

    Raises:
        TypeError: if `names` is a single string.
        ValueError: if a name matches no parameter.
    """
    if isinstance(names, str):
        raise TypeError(f"{what} must be a list of names. Found {names!r}.")
    known = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    for name in names:
        if not any(lies_in(parameter, [name]) for parameter in known):
            first = sorted({parameter.partition(".")[0] for parameter in known})
            raise ValueError(
                f"{what} must name modules or parameters of the model, which has "
                f"{', '.join(first)}. Found {name!r}."
            )
    return tuple(names)
