"""What a Mixer is told, checked."""

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from gradmix.grouping import lies_in

TARGET = "target"


class Scaler(Protocol):
    """What `mix` asks of a `torch.amp.GradScaler`."""

    def is_enabled(self) -> bool:
        """Whether it scales losses."""

    def get_scale(self) -> float:
        """The factor of the losses."""


def source_names(names: Sequence[str]) -> tuple[str, ...]:
    """One or more different names.

    Raises:
        ValueError: if they are not.
    """
    found = (names,) if isinstance(names, str) else tuple(names)
    if isinstance(names, str) or not found or TARGET in found or len({*found}) < len(found):
        raise ValueError(
            "sources must be a list of one or more different names, none of them target. "
            f"Found {names!r}."
        )
    return found


def places_in(model: nn.Module, names: Sequence[str], what: str) -> tuple[str, ...]:
    """Names of modules, parameters or patterns, each of which finds a parameter.

    Raises:
        TypeError: if it is no list.
        ValueError: if a name finds none.
    """
    if isinstance(names, str):
        raise TypeError(f"{what} must be a list of names. Found {names!r}.")
    known = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    for name in names:
        if not any(lies_in(parameter, [name]) for parameter in known):
            first = sorted({parameter.partition(".")[0] for parameter in known})
            raise ValueError(
                f"{what} must name modules or parameters of the model, that has "
                f"{', '.join(first)}. Found {name!r}."
            )
    return tuple(names)
