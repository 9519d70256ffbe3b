"""The pipeline, drawn once: what is submitted, in which order, and what depends on what.

It runs on any `Submit`: Prefect's, to execute, or the planner's, to say what would be executed.
"""

from collections.abc import Sequence
from typing import Any

from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.experiment.training import Baseline, Final
from flows.pipeline.futures import Draw, Ensemble, Handle, Pipeline, Submit, swept_name
from flows.pipeline.preparation import prepared_data, pretrained_weights
from flows.pipeline.required import Wanted
from gradmix.methods import method_named
from tasks.stages import enlarge, evaluate, rho_study, selection_study, split, train
from tasks.stages import pseudo_label as label
from tasks.stages import select as selection


def pipeline(experiment: Experiment, raw: RawData, submit: Submit) -> Pipeline:
    """Submit every stage that the experiment's outputs need.

    Stage by stage over all draws, so that slots are never idle while a draw waits for itself.
    """
    drawing = _Drawing(experiment, submit)
    drawing.prepare(raw)
    draws = drawing.split()
    for step in (drawing.baselines, drawing.first_stage, drawing.pseudo_label, drawing.final):
        for draw in draws:
            step(draw)
    finished = [handle for draw in draws for handle in draw.before_the_test]
    for draw in draws:
        drawing.evaluate(draw, finished)
    for draw in draws:
        drawing.study(draw)
    return Pipeline(drawing.data, draws)


class _Drawing:
    """The boxes of the picture."""

    def __init__(self, experiment: Experiment, submit: Submit) -> None:
        self.experiment, self.submit, self.wanted = experiment, submit, Wanted(experiment)
        self.data: dict[tuple[str, str], Handle] = {}
        self.checked: list[Handle] = []
        problem = experiment.problem
        self.heads = {name: list(space.classes) for name, space in problem.heads.items()}
        self.head_of = problem.head_of
        self.network: dict[str, Any] = {}
        self.weights: Handle | None = None

    @property
    def target(self) -> Handle:
        return self.data[self.experiment.target.dataset, "train"]

    @property
    def classes(self) -> list[str]:
        return list(self.experiment.target.classes)

    def prepare(self, raw: RawData) -> None:
        """Every training split, and the target's test split."""
        self.weights = pretrained_weights(raw, self.submit)
        self.network = {
            **self.experiment.network.description,
            "weights": raw.weights_digest,
            "code": raw.code_digest,
        }
        self.data = prepared_data(self.experiment, raw, self.network, self.weights, self.submit)

    def split(self) -> list[Draw]:
        """A V for every k and draw."""
        target = self.experiment.target
        draws = [
            Draw(
                k,
                draw,
                self.experiment.seed * 10_000 + draw,
                self.submit(
                    split.STAGE,
                    label=f"k={k} draw={draw}: split",
                    target=self.target,
                    classes=self.classes,
                    hyper_validation=target.hyper_validation,
                    k=k,
                    seed=self.experiment.seed,
                    draw=draw,
                ),
            )
            for k in target.k
            for draw in range(target.draws)
        ]
        # A damaged file or a class with too few samples is found before hours of training.
        self.checked = [*self.data.values(), *(draw.split for draw in draws)]
        return draws

    def baselines(self, draw: Draw) -> None:
        """A training for every baseline and learning rate; the best on hyper-validation counts."""
        for baseline in self.wanted.baselines:
            rates = self.experiment.rates_of(baseline)
            initial = self._start_of(baseline, draw)
            trainings = [
                self._train(
                    draw,
                    f"{baseline.name} lr={rate:g}",
                    method=baseline.method,
                    settings=baseline.settings,
                    learning_rate=rate,
                    initial=initial,
                )
                for rate in rates
            ]
            draw.searches[baseline.name] = trainings
            draw.rows[baseline.name] = self._best(draw, baseline.name, trainings, 1)

    def first_stage(self, draw: Draw) -> None:
        """Search the learning rate at the grid's middle cell, train the grid, select the top R."""
        stage, rates = self.experiment.first_stage, self.experiment.training.learning_rates
        middle = stage.middle
        rate: Handle = rates[0]
        draw.searches[stage.name] = []
        if len(rates) > 1:
            search = [
                self._train(
                    draw,
                    f"{stage.cell_name(middle)} lr={candidate:g}",
                    method=stage.method,
                    settings=middle,
                    learning_rate=candidate,
                )
                for candidate in rates
            ]
            draw.searches[stage.name] = search
            rate = self._best(draw, f"{stage.name} learning rate", search, 1)
        draw.cells = {
            stage.cell_name(cell): self._train(
                draw,
                stage.cell_name(cell),
                method=stage.method,
                settings=cell,
                learning_rate=rate,
            )
            for cell in stage.cells
        }
        for r in self.wanted.ensemble_sizes:
            top = self._best(draw, f"top {r}", list(draw.cells.values()), r)
            draw.ensembles[r] = Ensemble(top)
        draw.rows[stage.name] = self._main(draw).top

    def pseudo_label(self, draw: Draw) -> None:
        """Label U by every ensemble, and enlarge V by its labels."""
        settings = self.experiment.ensemble
        shared = {"target": self.target, "classes": self.classes, "split": draw.split}
        for r, ensemble in draw.ensembles.items():
            if not self.wanted.labels_of(r):
                continue
            ensemble.pseudo = self.submit(
                label.STAGE,
                label=f"{draw.name}: pseudo-labels of the top {r}",
                ensemble=ensemble.top,
                threshold=settings.threshold,
                network=self.network,
                heads=self.heads,
                **shared,
            )
            ensemble.enlarged = self.submit(
                enlarge.STAGE,
                label=f"{draw.name}: enlarged V by the top {r}",
                pseudo=ensemble.pseudo,
                per_class=settings.enlarged_v,
                seed=draw.seed,
                **shared,
            )

    def final(self, draw: Draw) -> None:
        """Train from scratch on everything, at the settings of the best cell."""
        main = self._main(draw)
        for final in self.experiment.final if self.wanted.every_row else ():
            draw.rows[final.name] = self._final(draw, final, main, final.name)
        swept = self.experiment.swept
        for r in self.wanted.swept_sizes:
            ensemble = draw.ensembles[r]
            if swept is not None:
                known = draw.rows.get(swept.name) if ensemble is main else None
                name = f"{swept.name}, R={r}"
                ensemble.final = known or self._final(draw, swept, ensemble, name)

    def evaluate(self, draw: Draw, finished: Sequence[Handle]) -> None:
        """Open the sealed test split, once all trainings of all draws are finished."""
        models = {**draw.rows, **(draw.cells if self.wanted.scores_of_cells else {})}
        for r in self.wanted.swept_sizes:
            models[swept_name(r)] = draw.ensembles[r].final
        draw.evaluation = self.submit(
            evaluate.STAGE,
            after=finished,
            label=f"{draw.name}: evaluation",
            models=models,
            test=self.data[self.experiment.target.dataset, "test"],
            target=self.target,
            classes=self.classes,
            pseudo={str(r): e.pseudo for r, e in draw.ensembles.items() if e.pseudo},
            network=self.network,
            weights=self.weights if self.network["frozen"] else None,
            heads=self.heads,
        )

    def study(self, draw: Draw) -> None:
        """What is asked beyond the paper, on finished models."""
        shared = {"target": self.target, "classes": self.classes, "split": draw.split}
        shared |= {"network": self.network, "heads": self.heads, "seed": draw.seed}
        if "hyper_validation" in self.wanted.studies:
            draw.studies["hyper_validation"] = self.submit(
                selection_study.STAGE,
                label=f"{draw.name}: study of hyper-validation sizes",
                cells=draw.cells,
                evaluation=draw.evaluation,
                **shared,
            )
        if "rho" in self.wanted.studies:
            draw.studies["rho"] = self.submit(
                rho_study.STAGE,
                label=f"{draw.name}: study of rho",
                model=self._main(draw).top,
                weights=self.weights,
                training=self._training_settings(),
                sources=self._sources(),
                **shared,
            )

    def _main(self, draw: Draw) -> Ensemble:
        return draw.ensembles[self.experiment.ensemble.r]

    def _final(self, draw: Draw, final: Final, ensemble: Ensemble, name: str) -> Handle:
        stage, best = self.experiment.first_stage, self._main(draw).top
        return self._train(
            draw,
            name,
            method=final.method or stage.method,
            settings=final.settings,
            learning_rate=best,
            choice=best,
            pseudo={
                "labels": ensemble.pseudo,
                "kind": final.labels,
                "if_none_agree": self.experiment.ensemble.if_none_agree,
            },
            enlarged=ensemble.enlarged,
        )

    def _training_settings(self) -> dict[str, Any]:
        aside = {"learning_rates", "fine_tuning_rates", "momentum"}
        return self.experiment.training.model_dump(exclude=aside)

    def _train(self, draw: Draw, name: str, **inputs: Any) -> Handle:  # noqa: ANN401 - JSON, handles
        return self.submit(
            train.STAGE,
            after=self.checked,
            label=f"{draw.name}: {name}",
            momentum=self.experiment.training.momentum,
            network=self.network,
            weights=self.weights,
            training=self._training_settings(),
            heads=self.heads,
            sources=self._sources(),
            target=self.target,
            classes=self.classes,
            split=draw.split,
            seed=draw.seed,
            **inputs,
        )

    def _best(self, draw: Draw, name: str, candidates: list[Handle], r: int) -> Handle:
        return self.submit(
            selection.STAGE, label=f"{draw.name}: select {name}", candidates=candidates, r=r
        )

    def _start_of(self, baseline: Baseline, draw: Draw) -> Handle | None:
        """The selection of the baseline that this one starts from."""
        start = method_named(baseline.method).method.starts_from
        for other in self.experiment.baselines:
            if start is not None and other.method == start:
                return draw.rows[other.name]
        return None

    def _sources(self) -> list[dict[str, Any]]:
        return [
            {
                "name": source.name,
                "data": self.data[source.dataset, "train"],
                "classes": list(source.classes),
                "head": self.head_of[source.name],
            }
            for source in self.experiment.sources
        ]
