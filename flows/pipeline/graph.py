"""The pipeline, defined once: which stages are submitted, in which order, with which inputs.

It runs on any `Submit`: Prefect's, to execute, or the planner's, to say what would be executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flows.experiment.raw_data import RawData
from flows.experiment.search import candidates
from flows.experiment.settings import Experiment
from flows.experiment.training import Baseline, Final
from flows.pipeline.candidates import at_rate, with_settings, with_start
from flows.pipeline.futures import Draw, Ensemble, GridCell, Pipeline, Submit, swept_name
from flows.pipeline.preparation import prepared_data, pretrained_weights
from flows.pipeline.required import RequiredStages
from flows.pipeline.subjects import cell_subject
from gradmix.methods import method_named
from tasks.engine.stage import Future
from tasks.jobs.streams import BatchSettings
from tasks.jobs.train import TrainingSettings
from tasks.networks.description import NetworkDescription
from tasks.stages import (
    enlarge,
    evaluate,
    held_out,
    pseudo_label,
    rho_study,
    select,
    selection_study,
    split,
    train,
)
from tasks.stages.sources import SourceInput
from tasks.subjects import Subject


def pipeline(experiment: Experiment, raw: RawData, submit: Submit) -> Pipeline:
    """Submit every stage that the experiment's outputs need.

    Stage by stage over all draws, so that slots are never idle while a draw waits for itself.
    """
    drawing = _Drawing(experiment, raw, submit)
    draws = drawing.split()
    for step in (drawing.baselines, drawing.first_stage, drawing.pseudo_label, drawing.final):
        for draw in draws:
            step(draw)
    finished = [future for draw in draws for future in draw.before_the_test]
    for draw in draws:
        drawing.evaluate(draw, finished)
    for draw in draws:
        drawing.study(draw)
    return Pipeline(drawing.data, draws)


class _Drawing:
    """Submits the stages of an experiment, step by step."""

    def __init__(self, experiment: Experiment, raw: RawData, submit: Submit) -> None:
        self.experiment, self.submit = experiment, submit
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
        # Trainings wait for these: a damaged file or a class with too few samples is found first.
        self.checked: list[Future] = list(self.data.values())

    @property
    def target(self) -> Future:
        return self.data[self.experiment.target.dataset, "train"]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.experiment.target.classes)

    def split(self) -> list[Draw]:
        """A V for every k and draw."""
        target = self.experiment.target
        draws = [self._draw(k, draw) for k in target.k for draw in range(target.draws)]
        self.checked += [draw.split for draw in draws]
        return draws

    def _draw(self, k: int, draw: int) -> Draw:
        inputs = split.SplitInputs(
            subject=Subject.of("split", k, draw),
            target=self.target,
            classes=self.classes,
            hyper_validation=self.experiment.target.hyper_validation,
            k=k,
            seed=self.experiment.seed,
            draw=draw,
        )
        seed = self.experiment.seed * 10_000 + draw
        return Draw(k, draw, seed, self.submit(split.STAGE, inputs))

    def baselines(self, draw: Draw) -> None:
        """A training for every candidate of every baseline; the best on hyper-validation counts."""
        for baseline in self.required.baselines:
            if draw.draw >= self.experiment.draws_of(baseline):
                continue
            shared = self._training(draw, baseline.name, baseline.method, baseline.settings)
            trainings = [
                self._train(at_rate(with_settings(started, values), rate))
                for started in self._started(draw, baseline, shared)
                for values in candidates(self.experiment.searched(baseline))
                for rate in self.experiment.rates_of(baseline)
            ]
            draw.searches[baseline.name] = trainings
            draw.rows[baseline.name] = self._best(draw, baseline.name, trainings, 1)

    def first_stage(self, draw: Draw) -> None:
        """Search the learning rate at the grid's middle cell, train the grid, select the top R."""
        stage, rates = self.experiment.first_stage, self.experiment.training.learning_rates
        rate: float | Future = rates[0]
        draw.searches[stage.name] = []
        if len(rates) > 1:
            shared = self._cell(draw, stage.middle)
            search = [self._train(at_rate(shared, candidate)) for candidate in rates]
            draw.searches[stage.name] = search
            rate = self._best(draw, f"{stage.name} learning rate", search, 1)
        for cell in stage.cells:
            place = GridCell(beta=cell["beta"], gamma=cell["gamma"])
            draw.cells[place] = self._train(replace(self._cell(draw, cell), learning_rate=rate))
        for r in self.required.ensemble_sizes:
            top = self._best(draw, f"top {r}", list(draw.cells.values()), r)
            draw.ensembles[r] = Ensemble(top)
        draw.rows[stage.name] = self._main(draw).top

    def pseudo_label(self, draw: Draw) -> None:
        """Label U by every ensemble, and enlarge V by its labels."""
        if not self._has_finals(draw):
            return
        for r, ensemble in draw.ensembles.items():
            if not self.required.labels_of(r):
                continue
            labels = pseudo_label.PseudoLabelInputs(
                subject=Subject.of(f"pseudo-labels of the top {r}", draw.k, draw.draw),
                ensemble=ensemble.top,
                target=self.target,
                classes=self.classes,
                split=draw.split,
                threshold=self.experiment.ensemble.threshold,
                network=self.network,
                heads=self.heads,
            )
            ensemble.pseudo = self.submit(pseudo_label.STAGE, labels)
            if self.experiment.ensemble.precision is not None:
                ensemble.held_out = self._held_out(draw, r, ensemble)
            enlarged = enlarge.EnlargeInputs(
                subject=Subject.of(f"enlarged V by the top {r}", draw.k, draw.draw),
                pseudo=ensemble.pseudo,
                target=self.target,
                classes=self.classes,
                split=draw.split,
                per_class=self.experiment.ensemble.enlarged_v,
                seed=draw.seed,
            )
            ensemble.enlarged = self.submit(enlarge.STAGE, enlarged)

    def _held_out(self, draw: Draw, r: int, ensemble: Ensemble) -> Future:
        """Score the labels that the members have not seen: what they show of those of U."""
        inputs = held_out.HeldOutInputs(
            subject=Subject.of(f"held-out labels and the top {r}", draw.k, draw.draw),
            ensemble=ensemble.top,
            target=self.target,
            classes=self.classes,
            splits=(draw.split,),
            network=self.network,
            heads=self.heads,
        )
        return self.submit(held_out.STAGE, inputs)

    def final(self, draw: Draw) -> None:
        """Train from scratch on everything, at the settings of the best cell."""
        if not self._has_finals(draw):
            return
        main = self._main(draw)
        for final in self.required.final:
            draw.rows[final.name] = self._final(draw, final, main, final.name)
        swept = self.experiment.swept
        for r in self.required.swept_sizes:
            ensemble = draw.ensembles[r]
            if swept is not None:
                known = draw.rows.get(swept.name) if ensemble is main else None
                name = f"{swept.name}, R={r}"
                ensemble.final = known or self._final(draw, swept, ensemble, name)

    def evaluate(self, draw: Draw, finished: Sequence[Future]) -> None:
        """Open the sealed test split, once all trainings of all draws are finished."""
        models = {**draw.rows, **(self._named_cells(draw) if self.required.scores_of_cells else {})}
        for r in self.required.swept_sizes:
            final = draw.ensembles[r].final
            if final is not None:
                models[swept_name(r)] = final
        inputs = evaluate.EvaluateInputs(
            subject=Subject.of("evaluation", draw.k, draw.draw),
            models=models,
            test=self.data[self.experiment.target.dataset, "test"],
            target=self.target,
            classes=self.classes,
            pseudo={str(r): e.pseudo for r, e in draw.ensembles.items() if e.pseudo},
            network=self.network,
            weights=self.weights if self.network.frozen else None,
            heads=self.heads,
        )
        draw.evaluation = self.submit(evaluate.STAGE, inputs, after=finished)

    def study(self, draw: Draw) -> None:
        """The studies beyond the paper, on finished models."""
        if "hyper_validation" in self.required.studies and draw.evaluation:
            sizes = selection_study.SelectionStudyInputs(
                subject=Subject.of("study of hyper-validation sizes", draw.k, draw.draw),
                cells=self._named_cells(draw),
                evaluation=draw.evaluation,
                target=self.target,
                classes=self.classes,
                split=draw.split,
                network=self.network,
                heads=self.heads,
                seed=draw.seed,
            )
            draw.studies["hyper_validation"] = self.submit(selection_study.STAGE, sizes)
        if "rho" in self.required.studies:
            rho = rho_study.RhoStudyInputs(
                subject=Subject.of("study of rho", draw.k, draw.draw),
                model=self._main(draw).top,
                training=BatchSettings(
                    batch_size=self.training.batch_size, v_whole_up_to=self.training.v_whole_up_to
                ),
                network=self.network,
                heads=self.heads,
                sources=self._sources(),
                target=self.target,
                classes=self.classes,
                split=draw.split,
                seed=draw.seed,
                weights=self.weights,
            )
            draw.studies["rho"] = self.submit(rho_study.STAGE, rho)

    def _has_finals(self, draw: Draw) -> bool:
        """Whether anything is trained on pseudo-labels in this draw."""
        return any(draw.draw < self.experiment.draws_of(row) for row in self.experiment.final)

    def _main(self, draw: Draw) -> Ensemble:
        return draw.ensembles[self.experiment.ensemble.r]

    def _named_cells(self, draw: Draw) -> dict[str, Future]:
        """The trainings of the grid, by the names of the cells in the evaluation."""
        name = self.experiment.first_stage.cell_name
        return {name(vars(cell)): training for cell, training in draw.cells.items()}

    def _final(self, draw: Draw, final: Final, ensemble: Ensemble, name: str) -> Future:
        """The final training, or the best one of those that are searched."""
        stage, best = self.experiment.first_stage, self._main(draw).top
        if ensemble.pseudo is None:
            raise ValueError(f"expected pseudo-labels for {name}, found none required.")
        shared = replace(
            self._training(draw, name, final.method or stage.method, final.settings),
            learning_rate=best,
            choice=best,
            pseudo=train.PseudoSource(
                labels=ensemble.pseudo,
                kind=final.labels,
                if_none_agree=self.experiment.ensemble.if_none_agree,
            ),
            enlarged=ensemble.enlarged,
        )
        searched = [
            with_settings(shared, values) for values in candidates(self.experiment.searched(final))
        ]
        rates = self.experiment.rates_of(final)
        at_rates = [at_rate(inputs, rate) for inputs in searched for rate in rates]
        trainings = [self._train(inputs) for inputs in at_rates or searched]
        if len(trainings) == 1:
            return trainings[0]
        draw.searches[name] = trainings
        return self._best(draw, name, trainings, 1)

    def _cell(self, draw: Draw, cell: Mapping[str, Any]) -> train.TrainInputs[Future]:
        """The training of a cell, at a learning rate that is yet to be set."""
        stage = self.experiment.first_stage
        inputs = self._training(draw, stage.name, stage.method, cell)
        return replace(inputs, subject=cell_subject(stage.name, draw.k, draw.draw, cell))

    def _training(
        self, draw: Draw, name: str, method: str, settings: Mapping[str, Any]
    ) -> train.TrainInputs[Future]:
        """What all trainings of a draw share, with the first learning rate."""
        training = self.experiment.training
        return train.TrainInputs(
            subject=Subject.of(name, draw.k, draw.draw),
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

    def _train(self, inputs: train.TrainInputs[Future]) -> Future:
        return self.submit(train.STAGE, inputs, after=self.checked)

    def _best(self, draw: Draw, name: str, candidates: Sequence[Future], r: int) -> Future:
        inputs = select.SelectInputs(
            subject=Subject.of(f"select {name}", draw.k, draw.draw),
            candidates=tuple(candidates),
            r=r,
        )
        return self.submit(select.STAGE, inputs)

    def _started(
        self, draw: Draw, baseline: Baseline, shared: train.TrainInputs[Future]
    ) -> list[train.TrainInputs[Future]]:
        """The training from every candidate of the baseline that it starts from.

        Which start is the best is seen by what it leads to, not by its own score.
        """
        start = method_named(baseline.method).method.starts_from
        if start is None:
            return [shared]
        name = next(row.name for row in self.experiment.baselines if row.method == start)
        trained = draw.searches[name]
        if len(trained) == 1:
            return [replace(shared, initial=draw.rows[name])]
        return [
            with_start(shared, place, self._best(draw, f"{name} {place}", [training], 1))
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
