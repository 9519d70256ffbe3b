"""The interface that a pipeline submits to, and the futures that it returns, draw by draw."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.engine.stage import Future, Stage, StageInputs


class Submit(Protocol):
    """Submits stages for execution."""

    def __call__(
        self, stage: Stage[Any], inputs: StageInputs, after: Sequence[Future] = ()
    ) -> Future:
        """A future of the artifact of these inputs.

        Args:
            stage: that makes it.
            inputs: of the stage's class, with futures in place of artifacts.
            after: must be finished before it starts.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class GridCell:
    """A cell of the grid, by its place on both axes (Eq. 9)."""

    beta: float
    gamma: float


@dataclass
class Ensemble:
    """The top R of a draw and what they make.

    Attributes:
        top: the selection.
        pseudo: labels of U; None where nothing asks for them.
        enlarged: V with the most agreed of them.
        final: training on hard labels, for figure 4.
        held_out: its scores of held-out samples; None where no precision is asked for.
    """

    top: Future
    pseudo: Future | None = None
    enlarged: Future | None = None
    final: Future | None = None
    held_out: Future | None = None


@dataclass
class Draw:
    """The futures of one V."""

    k: int
    draw: int
    seed: int
    split: Future
    searches: dict[str, list[Future]] = field(default_factory=dict)
    """Trainings by row: one for every learning rate."""
    rows: dict[str, Future] = field(default_factory=dict)
    """By row of the table: a training, or a selection whose best member counts."""
    cells: dict[GridCell, Future] = field(default_factory=dict)
    """Trainings of the grid."""
    ensembles: dict[int, Ensemble] = field(default_factory=dict)
    """By R, the number of members."""
    evaluation: Future | None = None
    studies: dict[str, Future] = field(default_factory=dict)

    @property
    def before_the_test(self) -> list[Future]:
        """Everything that must be finished before the test split is opened."""
        searched = [future for futures in self.searches.values() for future in futures]
        of_ensembles = [
            future
            for ensemble in self.ensembles.values()
            for future in (
                ensemble.top,
                ensemble.pseudo,
                ensemble.enlarged,
                ensemble.final,
                ensemble.held_out,
            )
            if future is not None
        ]
        return [*searched, *self.cells.values(), *self.rows.values(), *of_ensembles]


@dataclass
class Pipeline:
    """The futures of all stages."""

    data: dict[tuple[str, str], Future]
    draws: list[Draw]


def swept_name(r: int) -> str:
    """Name, in the evaluation, of the final model trained on the labels of the top R."""
    return f"R={r}"
