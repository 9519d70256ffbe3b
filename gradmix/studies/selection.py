"""Effect of the size of the hyper-validation set on model selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gradmix.ranking import Candidate, select_top

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclass(frozen=True)
class SizeResult:
    """Selections on random subsets of one size.

    Attributes:
        size: number of samples in a subset.
        selections: number of subsets.
        mean: mean value of the selected models.
        deviation: standard deviation of that value over subsets (ddof 1).
    """

    size: int
    selections: int
    mean: float
    deviation: float


def selection_by_size(
    right: Bool[Tensor, "m n"],
    losses: Float[Tensor, "m n"],
    values: Sequence[float],
    sizes: Sequence[int],
    selections: int,
    seed: int,
) -> list[SizeResult]:
    """Value of the models that smaller hyper-validation sets would have selected.

    Selects as `select_top` does: highest accuracy, ties by lower loss, then by order.

    Args:
        right: whether each of M models is right on each of N samples.
        losses: cross entropy of each model on each sample, in nats.
        values: value [M] of selecting each model, such as its test accuracy.
        sizes: subset sizes, each at most N; there is only one subset of size N.
        selections: number of random subsets, drawn without replacement, of each smaller size.
        seed: seed of the subsets.

    Raises:
        ValueError: if a size is below 1 or above N, or there are fewer than two selections.
    """
    n = right.shape[1]
    if not all(1 <= size <= n for size in sizes):
        raise ValueError(f"sizes must be between 1 and {n}, found {list(sizes)}.")
    if selections < 2:
        raise ValueError(f"selections must be at least 2, found {selections}.")
    generator = torch.Generator().manual_seed(seed)
    results = []
    for size in sizes:
        count = selections if size < n else 1
        subsets = [torch.randperm(n, generator=generator)[:size] for _ in range(count)]
        chosen = torch.tensor(
            [values[_selected(right[:, rows], losses[:, rows])] for rows in subsets],
            dtype=torch.float64,
        )
        deviation = float(chosen.std()) if count > 1 else 0.0
        results.append(SizeResult(size, count, float(chosen.mean()), deviation))
    return results


def _selected(right: Tensor, losses: Tensor) -> int:
    """Index of the best model on a subset."""
    accuracy, loss = right.double().mean(1).tolist(), losses.double().mean(1).tolist()
    candidates = [Candidate(str(i), accuracy[i], loss[i], i) for i in range(len(accuracy))]
    return select_top(candidates, 1)[0].order
