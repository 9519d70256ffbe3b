"""The subjects that are looked for again: cells of the grid."""

from collections.abc import Mapping

from tasks.subjects import Subject

AXES = ("beta", "gamma")


def cell_subject(stage: str, k: int, draw: int, cell: Mapping[str, float]) -> Subject:
    """Of the training of a cell: its place in the draws and on both axes.

    Args:
        stage: name of the first stage.
        k: labelled samples a class in V.
        draw: number of V.
        cell: method settings, the axes among them.
    """
    return Subject.of(stage, k, draw, {axis: float(cell[axis]) for axis in AXES})
