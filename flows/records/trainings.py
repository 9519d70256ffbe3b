"""The training behind each row, and its figures."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flows.pipeline.futures import Draw
from flows.records.stage_results import artifact_of
from gradmix.declarations.methods import method_named
from tasks.engine.stage import Future
from tasks.storage.artifacts import Artifact


def trainings_of(draw: Draw) -> dict[str, Artifact]:
    """The training of each row: its own, or the best member of its selection."""
    return {name: chosen_training(draw, future) for name, future in draw.rows.items()}


def chosen_training(draw: Draw, model: Future | None) -> Artifact:
    """A training, or the best member of a selection from a draw."""
    found = artifact_of(model)
    if "members" not in found.summary:
        return found
    best = found.summary["members"][0]["identity"]
    searched = [future for futures in draw.searches.values() for future in futures]
    trainings = map(artifact_of, [*searched, *draw.whole.values(), *draw.cells.values()])
    return next(training for training in trainings if training.identity == best)


def tested(draw: Draw) -> Mapping[str, Any]:
    """Test scores of every model by name; empty without a test split."""
    if draw.evaluation is None:
        return {}
    scores: Mapping[str, Any] = artifact_of(draw.evaluation).summary["test"]
    return scores


def figures_of(training: Artifact) -> dict[str, Any]:
    """Method, settings and hyper-validation figures of a training."""
    config, summary, notes = training.document["config"], training.summary, training.notes
    return {
        "method": config["method"],
        "settings": settings_of(training),
        **{name: config[name] for name in ("pseudo", "learning_rate")},
        **{name: summary[name] for name in ("accuracy", "loss", "best_step", "last_accuracy")},
        "steps": summary["steps"],
        **{name: notes[name] for name in ("seconds", "resumed_from", "run_id")},
        "identity": training.identity,
    }


def settings_of(training: Artifact) -> dict[str, Any]:
    """All settings of a training's method, including ones newer than its identity."""
    config = training.document["config"]
    return asdict(method_named(config["method"]).config(**config["settings"]))
