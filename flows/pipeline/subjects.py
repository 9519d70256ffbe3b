"""Subjects by which reruns find grid cells."""

from collections.abc import Mapping
from typing import Any

from tasks.subjects import Subject

AXES = ("beta", "gamma")


def cell_subject(stage: str, k: int, draw: int, cell: Mapping[str, Any]) -> Subject:
    """The subject of a cell's training: its draw, and its position on both axes.

    Args:
        stage: name of the first stage.
        k: labelled samples per class in V.
        draw: number of V.
        cell: method settings, including the axes.
    """
    return Subject.of(stage, k, draw, axes_of(cell))


def axes_of(cell: Mapping[str, Any]) -> dict[str, float]:
    """Position of a cell on both axes.

    Args:
        cell: method settings, including the axes.
    """
    return {axis: float(cell[axis]) for axis in AXES}
