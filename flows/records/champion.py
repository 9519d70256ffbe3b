"""The best model of a reproduction: selection, registration and lineage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, Pipeline
from flows.records.stage_results import artifact_of
from flows.records.trainings import chosen_training, trainings_of
from tasks.storage.artifacts import Artifact
from tasks.tracking.tracker import Tracker


@dataclass(frozen=True)
class Champion:
    """A row's model in one draw."""

    row: str
    k: int
    draw: int
    training: Artifact

    @property
    def tags(self) -> dict[str, str]:
        """Tags of its version in the registry."""
        return {
            "gradmix.row": self.row,
            "gradmix.k": str(self.k),
            "gradmix.draw": str(self.draw),
            "gradmix.hyper_validation_accuracy": str(self.training.summary["accuracy"]),
            "gradmix.identity": self.training.identity,
        }

    @property
    def description(self) -> str:
        """One-line description for the registry."""
        accuracy = self.training.summary["accuracy"]
        return (
            f"{self.row}, k={self.k} draw={self.draw}: the highest accuracy on hyper-validation, "
            f"{accuracy:.2%}, of all rows of its reproduction. The test split chose nothing."
        )


def registered_name(order: RunSpec) -> str:
    """Name of the registered model for the champions of an experiment at a scale."""
    return f"gradmix-{order.experiment.name}-{order.experiment.scale}"


def candidates(draws: Sequence[Draw]) -> list[Champion]:
    """Models of all rows, k and draws, in order.

    For a cross-fitted V, only those scored on all of it: a cell's few labels do not compare.
    """
    return [
        Champion(row, draw.k, draw.draw, training)
        for draw in draws
        for row, training in trainings_of(draw).items()
        if not draw.whole or row in draw.whole
    ]


def drawn(order: RunSpec, among: Sequence[Champion], best: Champion) -> list[Champion]:
    """Models whose chains a lineage page draws: the champion, and the last of each draw.

    The last ones were trained on pseudo-labelled U; if there are none, the first stage's best.
    """
    finals = {final.name for final in order.experiment.final}
    last = [one for one in among if one.row in finals]
    last = last or [one for one in among if one.row == order.experiment.first_stage.name]
    return last if best in last else [*last, best]


def champion_of(among: Iterable[Champion]) -> Champion:
    """The model with the highest hyper-validation accuracy, ties by lower loss, then by order.

    Never by test accuracy: selection by the test split would make the champion's own test figure
    too high.
    """
    return min(
        among, key=lambda one: (-one.training.summary["accuracy"], one.training.summary["loss"])
    )


def track_results(
    order: RunSpec, stages: Pipeline, tracker: Tracker, run_id: str, folder: Path | None = None
) -> None:
    """Link a reproduction's run to the models and the test split of its figures.

    The champion is registered, and its lineage and that of the final rows are stored with the run.

    Args:
        order: the run specification.
        stages: its finished stages.
        tracker: tracker to write to.
        run_id: MLflow run of the reproduction.
        folder: folder of the champion's model, to be stored with it.
    """
    among = candidates(stages.draws)
    champion, name = champion_of(among), registered_name(order)
    models = [model for draw in stages.draws for model in _reported(draw)]
    tracker.log_model_inputs(run_id, dict.fromkeys(models))
    if order.experiment.target.has_test:
        test = artifact_of(stages.data[order.experiment.target.dataset, "test"])
        tracker.log_dataset(run_id, "test", test.summary["content"], test.folder, "evaluation")
    best = champion.training.notes["model_id"]
    if folder is not None:
        tracker.log_model_folder(best, folder)
    tracker.register_champion(name, best, champion.tags, champion.description)
    shown = [one.training.notes["model_id"] for one in drawn(order, among, champion)]
    tracker.log_lineage(run_id, shown, best, name)


def _reported(draw: Draw) -> list[str]:
    """Ids of the models with figures in a report: of its rows, cells and figure 4."""
    swept = [ensemble.final for ensemble in draw.ensembles.values() if ensemble.final is not None]
    others = [chosen_training(draw, model) for model in (*draw.cells.values(), *swept)]
    return [training.notes["model_id"] for training in (*trainings_of(draw).values(), *others)]
