"""The best model of a reproduction: registered, and its chain stored where a person finds it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Pipeline
from flows.records.results import artifact_of, trainings_of
from tasks.storage.artifacts import Artifact
from tasks.tracking.tracker import Tracker


@dataclass(frozen=True)
class Champion:
    """A row's model of one draw."""

    row: str
    k: int
    draw: int
    training: Artifact

    @property
    def tags(self) -> dict[str, str]:
        """What its version in the registry says."""
        return {
            "gradmix.row": self.row,
            "gradmix.k": str(self.k),
            "gradmix.draw": str(self.draw),
            "gradmix.hyper_validation_accuracy": str(self.training.summary["accuracy"]),
            "gradmix.identity": self.training.identity,
        }

    @property
    def description(self) -> str:
        """One line for the registry."""
        accuracy = self.training.summary["accuracy"]
        return (
            f"{self.row}, k={self.k} draw={self.draw}: the highest accuracy on hyper-validation, "
            f"{accuracy:.2%}, of all models of its reproduction. The test split chose nothing."
        )


def registered_name(order: RunSpec) -> str:
    """The registered model that the champions of an experiment at a scale are versions of."""
    return f"gradmix-{order.experiment.name}-{order.experiment.scale}"


def candidates(order: RunSpec, draws: Sequence[Draw]) -> list[Champion]:
    """The models trained on U after the pseudo-labels; without any, the first stage's best."""
    finals = [final.name for final in order.experiment.final]
    found = [
        Champion(row, draw.k, draw.draw, training)
        for draw in draws
        for row, training in trainings_of(draw).items()
        if row in [*finals, order.experiment.first_stage.name]
    ]
    return [candidate for candidate in found if candidate.row in finals] or found


def champion_of(among: Iterable[Champion]) -> Champion:
    """The highest accuracy on hyper-validation, ties by lower loss on it, then by order.

    Never by accuracy on the test split: that would make the champion's own test figure too high,
    since the split would have chosen it.
    """
    return min(
        among, key=lambda one: (-one.training.summary["accuracy"], one.training.summary["loss"])
    )


def track_results(order: RunSpec, stages: Pipeline, tracker: Tracker, run_id: str) -> None:
    """Link a reproduction's run to the models and the test split of its figures.

    The champion is registered, and the chain behind it and every final row is stored on the run.
    """
    among = candidates(order, stages.draws)
    champion, name = champion_of(among), registered_name(order)
    models = [model for draw in stages.draws for model in _reported(draw)]
    test = artifact_of(stages.data[order.experiment.target.dataset, "test"])
    tracker.log_model_inputs(run_id, dict.fromkeys(models))
    tracker.log_dataset(run_id, "test", test.summary["content"], test.folder, "evaluation")
    best = champion.training.notes["model_id"]
    tracker.register_champion(name, best, champion.tags, champion.description)
    drawn = [one.training.notes["model_id"] for one in among]
    tracker.log_lineage(run_id, drawn, best, name)


def _reported(draw: Draw) -> list[str]:
    """Ids of the models whose figures a report has: of its rows, of cells, of figure 4."""
    swept = [ensemble.final for ensemble in draw.ensembles.values() if ensemble.final is not None]
    others = map(artifact_of, [*draw.cells.values(), *swept])
    return [training.notes["model_id"] for training in (*trainings_of(draw).values(), *others)]
