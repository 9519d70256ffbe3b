"""Checks a trunk before anything runs: by its settings if they tell all, else by trying it.

A trunk with declared settings, random weights and no frozen part needs no torch, which takes
seconds to import.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.errors import one_line
from gradmix.declarations.trunk import Shape, map_size
from tasks.errors import StageError
from tasks.networks.declared import TrunkConfig, config_of


def check_trunk(
    network: Mapping[str, Any], shape: Shape, weights: Path | None, *, needs_map: bool
) -> None:
    """Check that a trunk takes images of a shape, and ends in a map if it must.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: shape of the images.
        weights: file of weights, or None.
        needs_map: whether a method needs a map as output.

    Raises:
        StageError: if any of this fails.
    """
    config = _config(network) if weights is None else None
    if config is None:
        from tasks.networks.trial import try_trunk  # noqa: PLC0415 - loads torch

        ends_in = try_trunk(network, shape, weights)
    else:
        try:
            ends_in = config.ends_in(shape)
        except ValueError as error:
            raise StageError(
                f"network: expected {network['trunk']} to take images {list(shape)}, found "
                f"{type(error).__name__}: {one_line(error)}; correct network or images.side."
            ) from error
    if needs_map:
        try:
            map_size(ends_in)
        except ValueError as error:
            raise StageError(f"network.trunk: {error}") from error


def trained_bytes(network: Mapping[str, Any], shape: Shape) -> int:
    """Stored size in bytes of the weights and statistics of a trunk's trained part.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: shape of the images.

    Raises:
        StageError: if it cannot be made.
    """
    config = _config(network)
    if config is None:
        from tasks.networks.trial import tried_bytes  # noqa: PLC0415 - loads torch

        return tried_bytes(network, shape)
    return config.stored_bytes(shape)


def _config(network: Mapping[str, Any]) -> TrunkConfig | None:
    """The settings of a trunk that need no trial, or None."""
    config = config_of(network["trunk"])
    if config is None or network["frozen"]:
        return None
    found: TrunkConfig = config(**network["settings"])
    return found
