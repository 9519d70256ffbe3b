"""Metrics of the steps between two validations."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

COUNT = "count/"

Figures = Mapping[str, float | Tensor]
"""Metrics by name: numbers or one-element tensors."""


class Window:
    """Means of metrics, and sums of those whose names start with `count/`.

    Tensors are kept on their device and read in one copy.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._kept: list[tuple[Figures, Tensor]] = []

    def add(self, figures: Figures) -> None:
        """Add a step's metrics.

        Raises:
            FloatingPointError: if a metric that is already a number is not finite.
        """
        self._steps += 1
        values = [value.double() for value in figures.values() if isinstance(value, Tensor)]
        if values:
            self._kept.append((figures, torch.stack(values)))
        else:
            self._count(_numbers(figures))

    def figures(self, step: int) -> dict[str, float]:
        """Means and sums up to this step.

        Raises:
            FloatingPointError: if a metric is not finite; names the first such step.
        """
        self._read(step)
        return {
            name: value if name.startswith(COUNT) else value / self._steps
            for name, value in self._sums.items()
        }

    def _read(self, step: int) -> None:
        """Read and add the metrics kept on the device."""
        if not self._kept:
            return
        rows = torch.stack([values for _, values in self._kept]).tolist()
        kept, self._kept = self._kept, []
        for n, ((figures, _), row) in enumerate(zip(kept, rows, strict=True), step - len(rows) + 1):
            try:
                self._count(_numbers(figures, row))
            except FloatingPointError as error:
                raise FloatingPointError(f"step {n}: {error}") from error

    def _count(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {value}; lower the learning rate.")
            self._sums[name] = self._sums.get(name, 0.0) + value


def _numbers(figures: Figures, read: Sequence[float] = ()) -> dict[str, float]:
    """Metrics with tensors replaced by the numbers read from the device.

    Zero counts are left out, as they are on the CPU.
    """
    numbers, rest = {}, iter(read)
    for name, value in figures.items():
        if not isinstance(value, Tensor):
            numbers[name] = value
        elif (found := next(rest)) or not name.startswith(COUNT):
            numbers[name] = found
    return numbers
