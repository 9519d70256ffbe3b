"""The subjects by which reruns find cells of the grid."""

from collections.abc import Mapping
from typing import Any

from tasks.subjects import Subject

AXES = ("beta", "gamma")


def cell_subject(stage: str, k: int, draw: int, cell: Mapping[str, Any]) -> Subject:
    """The subject of a cell's training: its draw, and its place on both axes.

    Args:
        stage: name of the first stage.
        k: labelled samples a class in V.
        draw: number of V.
        cell: method settings, the axes among them.
    """
    return Subject.of(stage, k, draw, axes_of(cell))


def axes_of(cell: Mapping[str, Any]) -> dict[str, float]:
    """The place of a cell on both axes.

    Args:
        cell: method settings, the axes among them.
    """
    return {axis: float(cell[axis]) for axis in AXES}
