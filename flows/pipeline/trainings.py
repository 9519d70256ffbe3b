"""Trainings of an experiment and selections among them; the graph puts them in order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.experiment.training import Baseline
from flows.pipeline.candidates import at_rate, with_start
from flows.pipeline.cross_fitting import (
    holding_out,
    on_all_of_v,
)
from flows.pipeline.futures import Draw, Ensemble, Submit
from flows.pipeline.preparation import prepared_data, pretrained_weights
from flows.pipeline.required import RequiredStages
from flows.pipeline.subjects import axes_of
from gradmix.declarations.methods import method_named
from tasks.engine.stage import Future
from tasks.jobs.inputs.train import TrainingSettings
from tasks.networks.description import NetworkDescription
from tasks.stages import (
    select,
    train,
)
from tasks.stages.sources import SourceInput


class Trainings:
    """Submits trainings and selections of one experiment.

    Args:
        experiment: experiment with all classes named.
        raw: its raw data.
        submit: submits the stages.
    """

    def __init__(self, experiment: Experiment, raw: RawData, submit: Submit) -> None:
        self.experiment, self.raw, self.submit = experiment, raw, submit
        self.required = RequiredStages(experiment)
        problem = experiment.problem
        self.heads = {name: tuple(space.classes) for name, space in problem.heads.items()}
        self.head_of = problem.head_of
        self.network = NetworkDescription(
            **experiment.network.description, weights=raw.weights_digest, code=raw.code_digest
        )
        aside = {"learning_rates", "fine_tuning_rates", "momentum"}
        self.training = TrainingSettings(**experiment.training.model_dump(exclude=aside))
        self.weights = pretrained_weights(raw, submit)
        self.data = prepared_data(experiment, raw, self.network, self.weights, submit)
        # Trainings wait for these, so that damaged files or too small classes are found first.
        self.checked: list[Future] = list(self.data.values())

    @property
    def target(self) -> Future:
        """Prepared training data of the target."""
        return self.data[self.experiment.target.dataset, "train"]

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the target."""
        return tuple(self.experiment.target.classes)

    def cell(self, draw: Draw, cell: Mapping[str, Any]) -> train.TrainInputs[Future]:
        """Inputs of a cell's training, without its final learning rate."""
        stage = self.experiment.first_stage
        inputs = self._training(draw, stage.name, stage.method, cell)
        return replace(inputs, subject=draw.subject(stage.name, axes_of(cell)))

    def _training(
        self, draw: Draw, name: str, method: str, settings: Mapping[str, Any]
    ) -> train.TrainInputs[Future]:
        """Inputs shared by all trainings of a draw, with the first learning rate."""
        training = self.experiment.training
        return train.TrainInputs(
            subject=draw.subject(name),
            method=method,
            settings=settings,
            learning_rate=training.learning_rates[0],
            momentum=training.momentum,
            network=self.network,
            training=self.training,
            heads=self.heads,
            sources=self._sources(),
            target=self.target,
            classes=self.classes,
            split=draw.split,
            seed=draw.seed,
            weights=self.weights,
        )

    def trained(self, inputs: train.TrainInputs[Future]) -> Future:
        """Submit a training, after the checks of all data."""
        return self.submit(train.STAGE, inputs, after=self.checked)

    def best(self, draw: Draw, name: str, candidates: Sequence[Future], r: int) -> Future:
        """Submit the selection of the best R on hyper-validation."""
        inputs = select.SelectInputs(
            subject=draw.subject(f"select {name}"),
            candidates=tuple(candidates),
            r=r,
        )
        return self.submit(select.STAGE, inputs)

    def at_every_rate(self, inputs: train.TrainInputs[Future]) -> list[Future]:
        """Submit the training with every learning rate of the search."""
        rates = self.experiment.training.learning_rates
        return [self.trained(at_rate(inputs, rate)) for rate in rates]

    def _started(
        self, draw: Draw, baseline: Baseline, shared: train.TrainInputs[Future]
    ) -> list[train.TrainInputs[Future]]:
        """The training started from each candidate of the baseline it starts from.

        The best start is the one that leads to the best result, whatever its own score.
        """
        start = method_named(baseline.method).starts_from
        if start is None:
            return [shared]
        name = next(row.name for row in self.experiment.baselines if row.method == start)
        trained = draw.searches[name]
        if len(trained) == 1 or draw.parts:
            return [replace(shared, initial=draw.rows[name])]
        return [
            with_start(shared, place, self.best(draw, f"{name} {place}", [training], 1))
            for place, training in enumerate(trained, start=1)
        ]

    def _sources(self) -> tuple[SourceInput[Future], ...]:
        return tuple(
            SourceInput(
                name=source.name,
                data=self.data[source.dataset, "train"],
                classes=tuple(source.classes),
                head=self.head_of[source.name],
            )
            for source in self.experiment.sources
        )

    def _row(
        self,
        draw: Draw,
        name: str,
        choices: Sequence[train.TrainInputs[Future]],
        ensemble: Ensemble | None = None,
    ) -> Future:
        """Train and select the best choice; if cross-fitted, retrain it on all of V."""
        chosen = self._chosen(draw, name, choices, name, ensemble)
        if not draw.parts:
            return chosen
        draw.whole[name] = self.trained(on_all_of_v(choices[0], chosen))
        return self.best(draw, name, [draw.whole[name]], 1)

    def _chosen(
        self,
        draw: Draw,
        name: str,
        choices: Sequence[train.TrainInputs[Future]],
        what: str,
        ensemble: Ensemble | None = None,
    ) -> Future:
        """Train all choices, with each part of V held out if cross-fitted, and select the best.

        Args:
            draw: receives the trainings, as a search of the row.
            name: name of the row.
            choices: trainings to choose from.
            what: name of what is selected.
            ensemble: ensemble whose labels enlarge V, if any.
        """
        enlarged = ensemble.parts if ensemble is not None else []
        trained = [part for one in choices for part in holding_out(draw, one, enlarged)]
        trainings = draw.searches[name] = [self.trained(inputs) for inputs in trained]
        if not draw.parts:
            return self.best(draw, what, trainings, 1)
        inputs = select.SelectInputs(
            subject=draw.subject(f"select {what}, cross-fitted"),
            candidates=tuple(trainings),
            r=1,
            parts=tuple(draw.parts),
        )
        return self.submit(select.STAGE, inputs)
