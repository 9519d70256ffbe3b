"""The pipeline, defined once: which stages are submitted, in which order, with which inputs.

It runs on any `Submit`: Prefect's, to execute it, or the planner's, to list what would be executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.experiment.raw_data import RawData
from flows.experiment.search import candidates
from flows.experiment.settings import Experiment
from flows.experiment.training import Final
from flows.pipeline.candidates import at_rate, with_settings
from flows.pipeline.cross_fitting import (
    enlarged_without,
    holding_out_one,
    labelled_draw,
)
from flows.pipeline.futures import Draw, Ensemble, GridCell, Pipeline, Submit, swept_name
from flows.pipeline.studies import (
    compared_models,
    leave_sources_out,
    more_labels,
    train_middle,
)
from flows.pipeline.trainings import Trainings
from tasks.engine.stage import Future
from tasks.jobs.inputs.streams import BatchSettings
from tasks.stages import (
    enlarge,
    evaluate,
    held_out,
    pseudo_label,
    rho_study,
    selection_study,
    split,
    train,
)
from tasks.subjects import Subject


def pipeline(experiment: Experiment, raw: RawData, submit: Submit) -> Pipeline:
    """Submit every stage needed for the experiment's outputs.

    Stage by stage over all draws, so that slots are not idle while one draw waits.
    """
    drawing = _Drawing(experiment, raw, submit)
    draws = drawing.split()
    more = more_labels(drawing, draws)
    steps = (drawing.baselines, drawing.first_stage, drawing.pseudo_label, drawing.final)
    for step in (*steps, drawing.leave_sources_out):
        for draw in draws:
            step(draw)
    for draw in more:
        train_middle(drawing, draw)
    finished = [future for draw in [*draws, *more] for future in draw.before_the_test]
    for draw in draws:
        drawing.evaluate(draw, finished)
    for draw in more:
        draw.evaluation = drawing.scored(draw, compared_models(draw), finished)
    for draw in draws:
        drawing.study(draw)
    return Pipeline(drawing.data, draws, more)


class _Drawing(Trainings):
    """Submits the stages of an experiment, step by step."""

    def split(self) -> list[Draw]:
        """Submit a V for each k and draw, or the labelled files as given."""
        target = self.experiment.target
        if target.labelled is not None:
            draw = labelled_draw(self.experiment, self.raw, self.target, self.submit)
            self.checked += [draw.split, *draw.parts]
            return [draw]
        draws = [self.drawn(k, draw) for k in target.k for draw in range(target.draws)]
        self.checked += [draw.split for draw in draws]
        return draws

    def drawn(self, k: int, draw: int) -> Draw:
        """Submit a V; it contains the V of the same draw with a smaller k."""
        inputs = split.SplitInputs(
            subject=Subject.of("split", k, draw),
            target=self.target,
            classes=self.classes,
            hyper_validation=int(self.experiment.target.hyper_validation or 0),
            k=k,
            seed=self.experiment.seed,
            draw=draw,
        )
        seed = self.experiment.seed * 10_000 + draw
        return Draw(k, draw, seed, self.submit(split.STAGE, inputs))

    def baselines(self, draw: Draw) -> None:
        """Train every candidate of every baseline, and select the best on hyper-validation."""
        for baseline in self.required.baselines:
            if draw.draw >= self.experiment.draws_of(baseline):
                continue
            shared = self._training(draw, baseline.name, baseline.method, baseline.settings)
            choices = [
                at_rate(with_settings(started, values), rate)
                for started in self._started(draw, baseline, shared)
                for values in candidates(self.experiment.searched(baseline))
                for rate in self.experiment.rates_of(baseline)
            ]
            draw.rows[baseline.name] = self._row(draw, baseline.name, choices)

    def first_stage(self, draw: Draw) -> None:
        """Search the learning rate at the grid's middle cell, train the grid, select the top R."""
        stage, rates = self.experiment.first_stage, self.experiment.training.learning_rates
        rate: float | Future = rates[0]
        draw.searches[stage.name] = []
        if len(rates) > 1:
            shared = self.cell(draw, stage.middle)
            choices = [at_rate(shared, candidate) for candidate in rates]
            rate = self._chosen(draw, stage.name, choices, f"{stage.name} learning rate")
        for i, cell in enumerate(stage.cells):
            place = GridCell(beta=cell["beta"], gamma=cell["gamma"])
            inputs = replace(self.cell(draw, cell), learning_rate=rate)
            draw.cells[place] = self.trained(holding_out_one(draw, inputs, i))
        middle = GridCell(beta=stage.middle["beta"], gamma=stage.middle["gamma"])
        draw.middle = draw.cells[middle] if isinstance(rate, float) else rate
        for r in self.required.ensemble_sizes:
            top = self.best(draw, f"top {r}", list(draw.cells.values()), r)
            draw.ensembles[r] = Ensemble(top)
        draw.rows[stage.name] = self._main(draw).top

    def pseudo_label(self, draw: Draw) -> None:
        """Label U with each ensemble, and enlarge V by its labels."""
        if not self._has_finals(draw):
            return
        for r, ensemble in draw.ensembles.items():
            if not self.required.labels_of(r):
                continue
            labels = pseudo_label.PseudoLabelInputs(
                subject=draw.subject(f"pseudo-labels of the top {r}"),
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
                subject=draw.subject(f"enlarged V by the top {r}"),
                pseudo=ensemble.pseudo,
                target=self.target,
                classes=self.classes,
                split=draw.split,
                per_class=self.experiment.ensemble.enlarged_v,
                seed=draw.seed,
            )
            ensemble.enlarged = self.submit(enlarge.STAGE, enlarged)
            ensemble.parts = [
                self.submit(enlarge.STAGE, less) for less in enlarged_without(draw, enlarged)
            ]

    def _held_out(self, draw: Draw, r: int, ensemble: Ensemble) -> Future:
        """Score the members on labels they have not seen, as evidence for those of U."""
        inputs = held_out.HeldOutInputs(
            subject=draw.subject(f"held-out labels and the top {r}"),
            ensemble=ensemble.top,
            target=self.target,
            classes=self.classes,
            splits=tuple(draw.parts) or (draw.split,),
            network=self.network,
            heads=self.heads,
        )
        return self.submit(held_out.STAGE, inputs)

    def final(self, draw: Draw) -> None:
        """Train from scratch on everything, with the settings of the best cell."""
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
        """Open the sealed test split once all trainings of all draws are finished."""
        if not self.experiment.target.has_test:
            return
        models = {**draw.rows, **(self._named_cells(draw) if self.required.scores_of_cells else {})}
        for r in self.required.swept_sizes:
            final = draw.ensembles[r].final
            if final is not None:
                models[swept_name(r)] = final
        if {"sources", "labels"} & set(self.required.studies):
            models |= compared_models(draw)
        draw.evaluation = self.scored(draw, models, finished)

    def scored(self, draw: Draw, models: Mapping[str, Future], after: Sequence[Future]) -> Future:
        """Score models on the sealed test split, and audit the draw's pseudo-labels.

        Args:
            draw: draw of the models.
            models: models by name.
            after: futures that must finish before the split is opened.
        """
        inputs = evaluate.EvaluateInputs(
            subject=draw.subject("evaluation"),
            models=models,
            test=self.data[self.experiment.target.dataset, "test"],
            target=self.target,
            classes=self.classes,
            # For unlabelled files there is no truth to audit against.
            pseudo={str(r): e.pseudo for r, e in draw.ensembles.items() if e.pseudo and draw.drawn},
            network=self.network,
            weights=self.weights if self.network.frozen else None,
            heads=self.heads,
        )
        return self.submit(evaluate.STAGE, inputs, after=after)

    def leave_sources_out(self, draw: Draw) -> None:
        """Train the first stage's middle cell without each source, if required."""
        if "sources" in self.required.studies:
            leave_sources_out(self, draw)

    def study(self, draw: Draw) -> None:
        """Run the studies beyond the paper on finished models."""
        if "hyper_validation" in self.required.studies and draw.evaluation:
            sizes = selection_study.SelectionStudyInputs(
                subject=draw.subject("study of hyper-validation sizes"),
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
                subject=draw.subject("study of rho"),
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
        """Whether any model of this draw is trained on pseudo-labels."""
        return any(draw.draw < self.experiment.draws_of(row) for row in self.experiment.final)

    def _main(self, draw: Draw) -> Ensemble:
        return draw.ensembles[self.experiment.ensemble.r]

    def _named_cells(self, draw: Draw) -> dict[str, Future]:
        """Trainings of the grid, by the cells' names in the evaluation."""
        name = self.experiment.first_stage.cell_name
        return {name(vars(cell)): training for cell, training in draw.cells.items()}

    def _final(self, draw: Draw, final: Final, ensemble: Ensemble, name: str) -> Future:
        """The final training, or the best one of its search."""
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
        choices = at_rates or searched
        if len(choices) == 1 and not draw.parts:
            return self.trained(choices[0])
        return self._row(draw, name, choices, ensemble)
