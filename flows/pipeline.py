"""The pipeline, drawn once: what is submitted, in which order, and what depends on what.

It runs on any `Submit`: Prefect's, to execute, or the planner's, to say what would be executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flows.settings import Baseline, Experiment, Final
from gradmix.methods import method_named
from tasks import enlarge, evaluate, label, prepare, selection, split, train
from tasks.stage import Stage

Handle = Any
"""What a `Submit` returns for a stage; it stands for the artifact in the inputs of later ones."""


class Submit(Protocol):
    """Asks for a stage's artifact."""

    def __call__(self, stage: Stage, /, after: Sequence[Handle] = (), **inputs: object) -> Handle:
        """A handle of the artifact of these inputs; `after` must be finished before it starts."""
        ...


@dataclass(frozen=True)
class RawData:
    """Where raw data lie: `root` is None for embedded data; digests by (dataset, split)."""

    root: str | None
    digests: Mapping[tuple[str, str], dict[str, str]]


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
    cells: list[Handle] = field(default_factory=list)
    top: Handle = None
    pseudo: Handle = None
    enlarged: Handle = None
    evaluation: Handle = None

    @property
    def name(self) -> str:
        """For labels."""
        return f"k={self.k} draw={self.draw}"

    @property
    def trainings(self) -> list[Handle]:
        """Everything that must be finished before the test split is opened."""
        searched = [handle for handles in self.searches.values() for handle in handles]
        return [*searched, *self.cells, *self.rows.values(), self.enlarged]


@dataclass
class Pipeline:
    """The handles of everything."""

    data: dict[tuple[str, str], Handle]
    draws: list[Draw]


def pipeline(experiment: Experiment, raw: RawData, submit: Submit) -> Pipeline:
    """Submit every stage of an experiment.

    Stage by stage over all draws, so that slots are never idle while a draw waits for itself.
    """
    drawing = _Drawing(experiment, submit)
    drawing.prepare(raw)
    draws = drawing.split()
    for draw in draws:
        drawing.baselines(draw)
    for draw in draws:
        drawing.first_stage(draw)
    for draw in draws:
        drawing.pseudo_label(draw)
    for draw in draws:
        drawing.final(draw)
    finished = [handle for draw in draws for handle in draw.trainings]
    for draw in draws:
        drawing.evaluate(draw, finished)
    return Pipeline(drawing.data, draws)


class _Drawing:
    """The boxes of the picture."""

    def __init__(self, experiment: Experiment, submit: Submit) -> None:
        self.experiment, self.submit = experiment, submit
        self.data: dict[tuple[str, str], Handle] = {}
        self.checked: list[Handle] = []
        problem = experiment.problem
        self.heads = {name: list(space.classes) for name, space in problem.heads.items()}
        self.head_of = problem.head_of
        self.network = experiment.network.model_dump(mode="json")

    @property
    def target(self) -> Handle:
        return self.data[self.experiment.target.dataset, "train"]

    @property
    def classes(self) -> list[str]:
        return list(self.experiment.target.classes)

    def prepare(self, raw: RawData) -> None:
        """Every training split, and the target's test split."""
        for (name, part), digests in raw.digests.items():
            self.data[name, part] = self.submit(
                prepare.STAGE,
                label=f"{name} {part}",
                reader=self.experiment.datasets[name].reader_on(real=raw.root is not None),
                split=part,
                root=raw.root,
                raw=digests,
            )

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
        for baseline in self.experiment.baselines:
            rates = baseline.learning_rates or self.experiment.training.learning_rates
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
        middle = stage.cells[len(stage.cells) // 2]
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
        draw.cells = [
            self._train(
                draw,
                stage.cell_name(cell),
                method=stage.method,
                settings=cell,
                learning_rate=rate,
            )
            for cell in stage.cells
        ]
        r = self.experiment.ensemble.r
        draw.top = self._best(draw, f"top {r}", draw.cells, r)
        draw.rows[stage.name] = draw.top

    def pseudo_label(self, draw: Draw) -> None:
        """Label U by the ensemble, enlarge V."""
        ensemble = self.experiment.ensemble
        shared = {"target": self.target, "classes": self.classes, "split": draw.split}
        draw.pseudo = self.submit(
            label.STAGE,
            label=f"{draw.name}: pseudo-labels",
            ensemble=draw.top,
            threshold=ensemble.threshold,
            network=self.network,
            heads=self.heads,
            **shared,
        )
        draw.enlarged = self.submit(
            enlarge.STAGE,
            label=f"{draw.name}: enlarged V",
            pseudo=draw.pseudo,
            per_class=ensemble.enlarged_v,
            seed=draw.seed,
            **shared,
        )

    def final(self, draw: Draw) -> None:
        """Train from scratch on everything, at the settings of the best cell."""
        for final in self.experiment.final:
            draw.rows[final.name] = self._final(draw, final)

    def evaluate(self, draw: Draw, finished: Sequence[Handle]) -> None:
        """Open the sealed test split, once all trainings of all draws are finished."""
        draw.evaluation = self.submit(
            evaluate.STAGE,
            after=finished,
            label=f"{draw.name}: evaluation",
            models=draw.rows,
            test=self.data[self.experiment.target.dataset, "test"],
            target=self.target,
            classes=self.classes,
            pseudo=draw.pseudo,
            network=self.network,
            heads=self.heads,
        )

    def _final(self, draw: Draw, final: Final) -> Handle:
        stage = self.experiment.first_stage
        return self._train(
            draw,
            final.name,
            method=stage.method,
            settings=stage.settings,
            learning_rate=draw.top,
            choice=draw.top,
            pseudo={"labels": draw.pseudo, "kind": final.labels},
            enlarged=draw.enlarged,
        )

    def _train(self, draw: Draw, name: str, **inputs: Any) -> Handle:  # noqa: ANN401 - JSON, handles
        training = self.experiment.training.model_dump(exclude={"learning_rates", "momentum"})
        return self.submit(
            train.STAGE,
            after=self.checked,
            label=f"{draw.name}: {name}",
            momentum=self.experiment.training.momentum,
            network=self.network,
            training=training,
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
