"""Selects first-stage models by hyper-validation (§3.5)."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A first-stage model: its hyper-validation accuracy in [0, 1], loss in nats, cell order."""

    name: str
    accuracy: float
    loss: float
    order: int


def select_top(candidates: Sequence[Candidate], r: int) -> list[Candidate]:
    """The R best by hyper-validation accuracy, ties by lower loss, then by cell order.

    Raises:
        ValueError: if R is below 1 or above the number of candidates.
    """
    if not 1 <= r <= len(candidates):
        raise ValueError(f"R must be between 1 and the {len(candidates)} candidates, found {r}.")
    return sorted(candidates, key=lambda c: (-c.accuracy, c.loss, c.order))[:r]
