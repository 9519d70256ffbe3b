"""Tries a trunk before anything runs: whether it works, its size and its time."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.errors import one_line
from gradmix.declarations.trunk import Shape
from gradmix.networks import Network
from tasks.errors import StageError
from tasks.networks.parts import frozen_part, trained_part

_TIMED = 4
"""Number of images that a network is timed on."""


def try_trunk(network: Mapping[str, Any], shape: Shape, weights: Path | None) -> tuple[int, ...]:
    """Build a trunk as a training does, and run it on a blank image.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: shape of the images.
        weights: file of weights, or None.

    Returns:
        Shape of the trained part's output, (F, h, w) or (F,).

    Raises:
        StageError: if any of this fails.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            trunk, shape_of_input = _trained(network, shape, weights)
            return Network(trunk, {}, shape_of_input).ends_in
    except StageError:
        raise
    except Exception as error:
        raise StageError(
            f"network: expected {network['trunk']} to take images {list(shape)}, found "
            f"{type(error).__name__}: {one_line(error)}; correct network or images.side."
        ) from error


def tried_bytes(network: Mapping[str, Any], shape: Shape) -> int:
    """Stored size in bytes of the weights and statistics of a trunk's trained part.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: shape of the images.

    Raises:
        StageError: if it cannot be made.
    """
    trunk, _ = _trained(network, shape)
    return sum(value.numel() * value.element_size() for value in trunk.state_dict().values())


def training_seconds(network: Mapping[str, Any], shape: Shape) -> float:
    """Approximate CPU time to train a trunk's trained part on one image with one thread.

    Args:
        network: `trunk`, `settings` and `frozen`.
        shape: of the images.

    Raises:
        StageError: if the trunk cannot be made.
    """
    trunk, shape = _trained(network, shape)
    images = torch.zeros(_TIMED, *shape)
    return _timed(lambda: trunk(images).sum().backward())


def feature_seconds(network: Mapping[str, Any], shape: Shape) -> float:
    """Approximate CPU time of a trunk's frozen part for one image with one thread.

    Args:
        network: `trunk`, `settings` and `frozen`. 0 if nothing is frozen.
        shape: of the images.

    Raises:
        StageError: if the trunk cannot be made.
    """
    if not network["frozen"]:
        return 0.0
    first, images = frozen_part(network, None, shape), torch.zeros(_TIMED, *shape)
    with torch.no_grad():
        return _timed(lambda: first(images))


def _timed(call: Callable[[], object]) -> float:
    """CPU seconds per image of a call on `_TIMED` images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        taken = []
        # The first pass allocates.
        for _ in range(2):
            begun = time.process_time()
            call()
            taken.append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    return min(taken) / _TIMED


def _trained(
    network: Mapping[str, Any], shape: Shape, weights: Path | None = None
) -> tuple[nn.Module, Shape]:
    """The trained part of a trunk, and the shape of its input."""
    if network["frozen"]:
        first = frozen_part(network, weights, shape)
        with torch.no_grad():
            shape = first(torch.zeros(1, *shape)).shape[1:]
    return trained_part(network, weights, shape), shape
