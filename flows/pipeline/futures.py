"""What a pipeline is asked of and what it returns: handles of stages, draw by draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.engine.stage import Stage

Handle = Any
"""What a `Submit` returns for a stage; it stands for the artifact in the inputs of later ones."""


class Submit(Protocol):
    """Asks for a stage's artifact."""

    def __call__(self, stage: Stage, /, after: Sequence[Handle] = (), **inputs: object) -> Handle:
        """A handle of the artifact of these inputs; `after` must be finished before it starts."""
        ...


@dataclass
class Ensemble:
    """The top R of a draw and what they make.

    Attributes:
        top: the selection.
        pseudo: labels of U; None where nothing asks for them.
        enlarged: V with the most agreed of them.
        final: training on hard labels, for figure 4.
    """

    top: Handle
    pseudo: Handle = None
    enlarged: Handle = None
    final: Handle = None


@dataclass
class Draw:
    """The handles of one V."""

    k: int
    draw: int
    seed: int
    split: Handle
    searches: dict[str, list[Handle]] = field(default_factory=dict)
    """Trainings by row: one for every learning rate."""
    rows: dict[str, Handle] = field(default_factory=dict)
    """By row of the table: a training, or a selection whose best member counts."""
    cells: dict[str, Handle] = field(default_factory=dict)
    """Trainings of the grid by name."""
    ensembles: dict[int, Ensemble] = field(default_factory=dict)
    """By R, the number of members."""
    evaluation: Handle = None
    studies: dict[str, Handle] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For labels."""
        return f"k={self.k} draw={self.draw}"

    @property
    def before_the_test(self) -> list[Handle]:
        """Everything that must be finished before the test split is opened."""
        searched = [handle for handles in self.searches.values() for handle in handles]
        of_ensembles = [
            handle
            for ensemble in self.ensembles.values()
            for handle in (ensemble.top, ensemble.pseudo, ensemble.enlarged, ensemble.final)
            if handle is not None
        ]
        return [*searched, *self.cells.values(), *self.rows.values(), *of_ensembles]


@dataclass
class Pipeline:
    """The handles of everything."""

    data: dict[tuple[str, str], Handle]
    draws: list[Draw]


def swept_name(r: int) -> str:
    """What the evaluation calls the final model on the labels of the top R."""
    return f"R={r}"
