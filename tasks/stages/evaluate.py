"""Stage: score the finished models of a draw on the sealed test split, once, after selection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from tasks.codec import encode
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.evaluate import EvaluateJob
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.trained_models import best
from tasks.stages.weights import file_of
from tasks.storage.artifacts import Request
from tasks.tracking.run_records import TEST
from tasks.tracking.tracker import MetricRow

FIGURES = ("accuracy", "clip_accuracy")
"""Scores added to a model's run."""


@dataclass(frozen=True, kw_only=True)
class EvaluateInputs(StageInputs, Generic[A]):
    """Everything in one draw that is scored or audited.

    Attributes:
        models: trainings, or selections whose best member is scored, by name.
        test: the sealed split.
        target: prepared target training data, to audit the pseudo-labels.
        classes: classes of the target.
        pseudo: pseudo-labels to audit, by name.
        network: network of the models.
        heads: classes of each head.
        weights: weights of the trunk's frozen part; the network holds their digest.
    """

    models: Mapping[str, A]
    test: A
    target: A
    classes: tuple[str, ...]
    pseudo: Mapping[str, A]
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]
    weights: A | None = None


def describe(inputs: EvaluateInputs) -> Request:
    """The identity depends on the models, the test split and the audited labels."""
    used = {"test": inputs.test.digest, "target": inputs.target.digest}
    used |= {f"model {name}": best(model).digest for name, model in inputs.models.items()}
    used |= {f"pseudo_labels {name}": labels.digest for name, labels in inputs.pseudo.items()}
    config = {
        "classes": list(inputs.classes),
        "network": encode(inputs.network),
        "heads": encode(inputs.heads),
        "models": list(inputs.models),
    }
    return Request("evaluate", 4, config, used, 0, inputs.subject)


def execute(place: Workplace, inputs: EvaluateInputs) -> Outcome:
    """Score in a slot process; the accuracies are added to the models' MLflow runs."""
    home, tracker, test = place.runtime.home, place.runtime.tracker, inputs.test
    models = {name: best(model) for name, model in inputs.models.items()}
    job = EvaluateJob(
        network=inputs.network,
        heads=inputs.heads,
        weights=file_of(inputs.weights, home),
        seed=0,
        classes=inputs.classes,
        test=home / test.folder,
        target=home / inputs.target.folder,
        pseudo_labels={name: home / labels.folder for name, labels in inputs.pseudo.items()},
        models={name: model.located(home) for name, model in models.items()},
    )
    summary = run_job(place, "evaluate", job).summary
    for name, model in models.items():
        scores = summary["test"][name]
        figures = {f"test/{figure}": scores[figure] for figure in FIGURES if figure in scores}
        tracker.log_dataset(model.run_id, "test", test.summary["content"], test.folder, TEST)
        tracker.log_metrics(model.run_id, [MetricRow(0, figures)])
    return Outcome(summary)


STAGE = Stage("evaluate", EvaluateInputs, describe, execute)
