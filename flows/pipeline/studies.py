"""The studies of the sources and of the number of labels: trainings besides those of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from flows.experiment.settings import Experiment
from flows.pipeline.futures import ALL_SOURCES, Draw
from tasks.engine.stage import Future
from tasks.stages.train import TrainInputs


class Trainer(Protocol):
    """What draws, trains and selects for the rows of the table."""

    experiment: Experiment
    checked: list[Future]

    def drawn(self, k: int, draw: int) -> Draw:
        """A V."""
        ...

    def cell(self, draw: Draw, cell: Mapping[str, Any]) -> TrainInputs[Future]:
        """The training of a cell."""
        ...

    def at_every_rate(self, inputs: TrainInputs[Future]) -> list[Future]:
        """A training at every learning rate."""
        ...

    def best(self, draw: Draw, name: str, candidates: Sequence[Future], r: int) -> Future:
        """The `r` best of some trainer."""
        ...


def leave_sources_out(trainer: Trainer, draw: Draw) -> None:
    """Train the grid's middle cell without each source in turn, searched like the whole one."""
    stage = trainer.experiment.first_stage
    whole = trainer.cell(draw, stage.middle)
    for source in whole.sources:
        name = f"{stage.name} without {source.name}"
        inputs = replace(
            whole,
            subject=draw.subject(name),
            sources=tuple(other for other in whole.sources if other is not source),
        )
        found = trainer.at_every_rate(inputs)
        draw.without[source.name] = trainer.best(draw, name, found, 1)


def more_labels(trainer: Trainer, draws: list[Draw]) -> list[Draw]:
    """Draws of every k of the study of labels that the table does not have, if it is wanted."""
    experiment = trainer.experiment
    if "labels" not in experiment.outputs.studies:
        return []
    found = []
    for k in experiment.outputs.label_k:
        if k in experiment.target.k:
            continue
        for number in sorted({draw.draw for draw in draws}):
            draw = trainer.drawn(k, number)
            trainer.checked.append(draw.split)
            found.append(draw)
    return found


def train_middle(trainer: Trainer, draw: Draw) -> None:
    """Train the grid's middle cell at every learning rate, and keep the best."""
    stage = trainer.experiment.first_stage
    found = trainer.at_every_rate(trainer.cell(draw, stage.middle))
    draw.middle = trainer.best(draw, f"{stage.name} learning rate", found, 1)


def compared_models(draw: Draw) -> dict[str, Future]:
    """The models of the studies of sources and labels, by their names in the evaluation."""
    without = {f"without {name}": model for name, model in draw.without.items()}
    return {ALL_SOURCES: draw.middle, **without} if draw.middle else {}
