"""Probes: the change of the hyper-validation loss after a step on one mini-batch (§3.4)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gradmix.metrics import score
from gradmix.sampling import Batch, Images
from gradmix.solving.solvers import Solution
from gradmix.steering import Mixture, Steered


@dataclass(frozen=True)
class Probe:
    """Importance of a mini-batch, and the effect of a step on it.

    The step updates only the trunk, as rho is a sum over l = 1..L-1.

    Attributes:
        rho: importance of the mini-batch (Eq. 8).
        change: change of the hyper-validation loss, in nats; negative if the step helps.
        layers: names of the layers.
        cosines: each layer's term of rho; None if a zero gradient leaves it undefined.
        changes: like `change`, with only one layer updated at a time.
    """

    rho: float
    change: float
    layers: tuple[str, ...]
    cosines: tuple[float | None, ...]
    changes: tuple[float, ...]


def probe(
    method: Steered,
    sources: Sequence[Batch],
    target: Batch,
    images: Images,
    labels: Tensor,
    *,
    unlabelled: Tensor | None = None,
    before: float | None = None,
) -> Probe:
    """Probe one mini-batch, then restore weights, velocity, statistics and generators.

    The step uses the method's learning rate, eta = 1 and no momentum. Losses are computed in eval
    mode with the running statistics from before the mini-batch, so only the weights differ.

    Args:
        method: the method to probe.
        sources: a mini-batch of each source, in the method's order.
        target: a mini-batch of V.
        images: stored hyper-validation images [N, H, W, C].
        labels: class numbers [N].
        unlabelled: images [B, C, H, W] of U, if the method uses it.
        before: hyper-validation loss of the current weights, if already known.

    Raises:
        FloatingPointError: if a gradient or the loss after a step is not finite.
    """
    mixture = _mixture(method, sources, target, unlabelled)
    solutions = cast("Sequence[Solution]", mixture.solutions)
    start = score(method.predict, images, labels).loss if before is None else before
    trunk = slice(0, method.flat.heads.start)

    def change(segment: slice) -> float:
        return _loss_after(method, segment, images, labels) - start

    return Probe(
        rho=mixture.rho,
        change=change(trunk),
        layers=method.flat.layer_names,
        cosines=tuple(solution.cosine for solution in solutions),
        changes=tuple(change(segment) for segment in method.flat.segments),
    )


def _mixture(
    method: Steered, sources: Sequence[Batch], target: Batch, unlabelled: Tensor | None
) -> Mixture:
    """Mix, then restore the state the passes changed."""
    state, generator, deferred = method.state_dict(), torch.get_rng_state(), method.deferred
    try:
        # A probe reads all metrics right away.
        method.deferred = False
        return method.mix(sources, target, unlabelled)
    finally:
        method.deferred = deferred
        method.load_state_dict(state)
        torch.set_rng_state(generator)


def _loss_after(method: Steered, segment: slice, images: Images, labels: Tensor) -> float:
    """Hyper-validation loss after a step on one segment of the parameters."""
    part = method.flat.vector[segment]
    kept = part.clone()
    part.add_(method.flat.gradient[segment], alpha=-method.rate)
    try:
        found = score(method.predict, images, labels).loss
    finally:
        part.copy_(kept)
    if not math.isfinite(found):
        raise FloatingPointError(
            f"the hyper-validation loss after the step is {found}; lower the learning rate."
        )
    return found
