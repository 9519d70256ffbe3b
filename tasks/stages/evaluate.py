"""Stage: the finished models of one draw on the sealed test split, once, after selection."""

from pathlib import Path
from typing import Any

from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.select import model_of
from tasks.stages.weights import file_of
from tasks.storage.artifacts import Artifact, Request
from tasks.tracking.run_records import TEST
from tasks.tracking.tracker import MetricRow

FIGURES = ("accuracy", "clip_accuracy")
"""Scores that are added to a model's run."""


def describe(
    label: str,
    models: dict[str, Artifact],
    test: Artifact,
    target: Artifact,
    classes: list[str],
    pseudo: dict[str, Artifact],
    network: dict[str, Any],
    heads: dict[str, list[str]],
    weights: Artifact | None = None,
) -> Request:
    """The models, the test split and the audited labels decide.

    Args:
        label: for people.
        models: by name: a training, or a selection whose best member counts.
        test: the sealed split.
        target: prepared target training data, for the audit of the pseudo-labels.
        classes: of the target.
        pseudo: labels to audit, by name.
        network: trunk, its settings, normalisation, frozen part; digests of weights and code.
        heads: classes of every head.
        weights: that a frozen part of the trunk has; their digest is the network's.
    """
    del weights
    inputs = {"test": test.digest, "target": target.digest}
    inputs |= {f"model {name}": best(model)["digest"] for name, model in models.items()}
    inputs |= {f"pseudo_labels {name}": labels.digest for name, labels in pseudo.items()}
    config = {"classes": classes, "network": network, "heads": heads, "models": list(models)}
    return Request("evaluate", 3, config, inputs, 0, label)


def execute(
    place: Workplace,
    label: str,
    models: dict[str, Artifact],
    test: Artifact,
    target: Artifact,
    classes: list[str],
    pseudo: dict[str, Artifact],
    network: dict[str, Any],
    heads: dict[str, list[str]],
    weights: Artifact | None = None,
) -> Outcome:
    """Score in a slot process; the accuracies are added to the models' MLflow runs."""
    del label
    home, tracker = place.runtime.home, place.runtime.tracker
    job = {
        "network": network,
        "heads": heads,
        "weights": file_of(weights, home),
        "seed": 0,
        "classes": classes,
        "test": str(home / test.folder),
        "target": str(home / target.folder),
        "pseudo_labels": {name: str(home / labels.folder) for name, labels in pseudo.items()},
        "models": {name: located(best(model), home) for name, model in models.items()},
    }
    summary = run_job(place, "evaluate", job)["summary"]
    for name, model in models.items():
        scores = summary["test"][name]
        figures = {f"test/{figure}": scores[figure] for figure in FIGURES if figure in scores}
        run_id, content = best(model)["run_id"], test.summary["content"]
        tracker.log_dataset(run_id, "test", content, test.folder, TEST)
        tracker.log_metrics(run_id, [MetricRow(0, figures)])
    return Outcome(summary)


def best(model: Artifact) -> dict[str, Any]:
    """Digest, run, and how to load it, of a training, or of a selection's best member."""
    if "members" in model.summary:
        return {**model.summary["members"][0], "run_id": model.notes["runs"][0]}
    return {"digest": model.digest, "run_id": model.notes["run_id"], **model_of(model)}


def located(model: dict[str, Any], home: Path) -> dict[str, Any]:
    """What a slot process needs to load a model, with the path of its folder."""
    return {
        "folder": str(home / model["folder"]),
        "method": model["method"],
        "sources": model["sources"],
    }


STAGE = Stage("evaluate", describe, execute)
