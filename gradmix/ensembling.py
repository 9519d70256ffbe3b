"""Pseudo-labels by an ensemble of first-stage models (§3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

NOT_AGREED = -1


def hard_labels(
    probabilities: Float[Tensor, "r n c"], threshold: float = 0.8
) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """Hard pseudo-labels: all R models agree on the class, each above the threshold.

    Args:
        probabilities: softmax outputs of R models for N samples.
        threshold: every model's probability of the class must exceed this.

    Returns:
        Class numbers [N], `NOT_AGREED` (-1) where the models disagree, and the mask [N] of
        samples on which they agree.

    Raises:
        ValueError: if the shape or the threshold is invalid.
    """
    _check(probabilities)
    if not 0.0 <= threshold < 1.0:
        raise ValueError(f"threshold must be in [0, 1), found {threshold}.")
    confidence, classes = probabilities.max(dim=2)
    agreed = (classes == classes[0]).all(0) & (confidence > threshold).all(0)
    return torch.where(agreed, classes[0], NOT_AGREED), agreed


def soft_labels(probabilities: Float[Tensor, "r n c"]) -> Float[Tensor, "n c"]:
    """Soft pseudo-labels: the mean of the R models' probabilities.

    Raises:
        ValueError: if the shape is invalid.
    """
    _check(probabilities)
    return probabilities.mean(dim=0)


def enlarge(
    labels: Int[Tensor, " n"],
    present: Int[Tensor, " c"],
    per_class: int,
    seed: int,
    clips: Int[Tensor, " n"] | None = None,
) -> Int[Tensor, " m"]:
    """Rows of U that enlarge V to `per_class` samples a class, drawn at random.

    Args:
        labels: hard pseudo-labels of U, `NOT_AGREED` where there is none.
        present: number of labelled samples of each class already in V; of clips if `clips` is
            given.
        per_class: target size of each class in the enlarged V, in the same unit.
        seed: seed of the draw.
        clips: clip number of each row. Clips with frames of the class are then counted and
            drawn, and all their frames of that class are taken. None counts and draws rows.

    Returns:
        Row numbers, ascending; all rows of a class that has too few.
    """
    generator = torch.Generator().manual_seed(seed)
    units = torch.arange(len(labels)) if clips is None else clips
    chosen = []
    for label, count in enumerate(present.tolist()):
        rows = torch.nonzero(labels == label).flatten()
        found = torch.unique(units[rows])
        order = torch.randperm(len(found), generator=generator)
        drawn = found[order[: max(per_class - count, 0)]]
        chosen.append(rows[torch.isin(units[rows], drawn)])
    return torch.cat(chosen).sort().values


def _check(probabilities: Tensor) -> None:
    if probabilities.ndim != 3 or not len(probabilities):
        raise ValueError(
            f"expected probabilities [R, N, C] with R >= 1, found {list(probabilities.shape)}."
        )
