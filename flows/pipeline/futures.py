"""Interface to which pipelines submit, and the futures they return, by draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.engine.stage import Future, Stage, StageInputs
from tasks.subjects import Subject


class Submit(Protocol):
    """Submits stages for execution."""

    def __call__(
        self, stage: Stage[Any], inputs: StageInputs, after: Sequence[Future] = ()
    ) -> Future:
        """Submit a stage; returns a future of its artifact.

        Args:
            stage: the stage.
            inputs: inputs of the stage's class, with futures in place of artifacts.
            after: futures that must finish before it starts.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class GridCell:
    """A grid cell, by its position on both axes (Eq. 9)."""

    beta: float
    gamma: float


@dataclass
class Ensemble:
    """The top R of a draw and their results.

    Attributes:
        top: the selection.
        pseudo: labels of U; None if not needed.
        enlarged: V enlarged by the most agreed ones.
        parts: enlarged V without each part that is held out in turn.
        final: training on hard labels, for figure 4.
        held_out: scores of held-out samples; None if no precision is requested.
    """

    top: Future
    pseudo: Future | None = None
    enlarged: Future | None = None
    parts: list[Future] = field(default_factory=list)
    final: Future | None = None
    held_out: Future | None = None


@dataclass
class Draw:
    """The futures of one V, drawn or given as labelled files.

    Attributes:
        k: samples per class; for labelled files, of the smallest class.
        drawn: False if V is given as labelled files, of which there is only one.
    """

    k: int
    draw: int
    seed: int
    split: Future
    drawn: bool = True
    parts: list[Future] = field(default_factory=list)
    """Splits that hold out each part of V in turn, if it is cross-fitted."""
    whole: dict[str, Future] = field(default_factory=dict)
    """For cross-fitted rows: the training on all of V with the chosen settings."""
    searches: dict[str, list[Future]] = field(default_factory=dict)
    """Trainings by row, one per learning rate."""
    rows: dict[str, Future] = field(default_factory=dict)
    """By row of the table: a training, or a selection whose best member is used."""
    cells: dict[GridCell, Future] = field(default_factory=dict)
    """Trainings of the grid."""
    ensembles: dict[int, Ensemble] = field(default_factory=dict)
    """Ensembles by R, the number of members."""
    middle: Future | None = None
    """The grid's middle cell at its best learning rate, for the studies of sources and labels."""
    without: dict[str, Future] = field(default_factory=dict)
    """The same cell without a source, by the source's name."""
    evaluation: Future | None = None
    studies: dict[str, Future] = field(default_factory=dict)

    def subject(self, name: str, settings: Mapping[str, float] | None = None) -> Subject:
        """Subject within this draw."""
        if self.drawn:
            return Subject.of(name, self.k, self.draw, settings)
        return Subject(name=name, settings=tuple((settings or {}).items()))

    @property
    def before_the_test(self) -> list[Future]:
        """Everything that must finish before the test split is opened."""
        searched = [future for futures in self.searches.values() for future in futures]
        compared = [self.middle, *self.without.values()]
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
        of_studies = [future for future in compared if future is not None]
        return [*searched, *self.cells.values(), *self.rows.values(), *of_ensembles, *of_studies]


@dataclass
class Pipeline:
    """The futures of all stages.

    Attributes:
        data: prepared data by data set and split.
        draws: draws of the table.
        more_labels: draws of other k, for the study of labels.
    """

    data: dict[tuple[str, str], Future]
    draws: list[Draw]
    more_labels: list[Draw] = field(default_factory=list)


ALL_SOURCES = "all sources"
"""Name in the evaluation of the model that the ones without a source are compared with."""


def swept_name(r: int) -> str:
    """Name in the evaluation of the final model trained on the labels of the top R."""
    return f"R={r}"
