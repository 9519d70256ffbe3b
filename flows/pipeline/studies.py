"""The studies of the sources and of the number of labels: trainings in addition to the table's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from flows.experiment.settings import Experiment
from flows.pipeline.futures import ALL_SOURCES, Draw
from tasks.engine.stage import Future
from tasks.stages.train import TrainInputs


class Trainer(Protocol):
    """Draws V, trains and selects, as for the rows of the table."""

    experiment: Experiment
    checked: list[Future]

    def drawn(self, k: int, draw: int) -> Draw:
        """Submit a V."""
        ...

    def cell(self, draw: Draw, cell: Mapping[str, Any]) -> TrainInputs[Future]:
        """Inputs of a cell's training."""
        ...

    def at_every_rate(self, inputs: TrainInputs[Future]) -> list[Future]:
        """Submit the training with every learning rate."""
        ...

    def best(self, draw: Draw, name: str, candidates: Sequence[Future], r: int) -> Future:
        """Submit the selection of the `r` best candidates."""
        ...


def leave_sources_out(trainer: Trainer, draw: Draw) -> None:
    """Train the grid's middle cell without each source in turn, with the usual search."""
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
    """Submit draws for each k of the study of labels that the table lacks, if required."""
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
    """Train the grid's middle cell with every learning rate, and select the best."""
    stage = trainer.experiment.first_stage
    found = trainer.at_every_rate(trainer.cell(draw, stage.middle))
    draw.middle = trainer.best(draw, f"{stage.name} learning rate", found, 1)


def compared_models(draw: Draw) -> dict[str, Future]:
    """Models of the studies of sources and labels, by their names in the evaluation."""
    without = {f"without {name}": model for name, model in draw.without.items()}
    return {ALL_SOURCES: draw.middle, **without} if draw.middle else {}
