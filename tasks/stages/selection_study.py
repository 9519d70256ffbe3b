"""Stage: how the selection of a grid cell depends on the size of hyper-validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from tasks.codec import encode
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.jobs.inputs.selection_study import SelectionStudyJob
from tasks.networks.description import NetworkDescription
from tasks.outcome import Outcome
from tasks.stages.trained_models import best
from tasks.storage.artifacts import Request

SIZES = (10, 25, 50, 100, 250, 500, 1000)
SELECTIONS = 200


@dataclass(frozen=True, kw_only=True)
class SelectionStudyInputs(StageInputs, Generic[A]):
    """The grid of one draw.

    Attributes:
        cells: trainings of the grid, by their names in the evaluation.
        evaluation: their accuracies on the test split, which is not opened again.
        target: prepared target training data.
        classes: classes of the target.
        split: roles of the target's samples.
        network: network of the models.
        heads: classes of each head.
        seed: seed of the random subsets.
    """

    cells: Mapping[str, A]
    evaluation: A
    target: A
    classes: tuple[str, ...]
    split: A
    network: NetworkDescription
    heads: Mapping[str, tuple[str, ...]]
    seed: int


def describe(inputs: SelectionStudyInputs) -> Request:
    """The identity depends on the cells, their test accuracies, and hyper-validation."""
    used = {f"cell {name}": cell.digest for name, cell in inputs.cells.items()}
    used |= {"evaluation": inputs.evaluation.digest, "target": inputs.target.digest}
    used["hyper_validation"] = inputs.split.summary["digests"]["hyper_validation"]
    config = {
        "cells": list(inputs.cells),
        "classes": list(inputs.classes),
        "network": encode(inputs.network),
        "heads": encode(inputs.heads),
        "sizes": list(SIZES),
        "selections": SELECTIONS,
    }
    return Request("selection_study", 1, config, used, inputs.seed, inputs.subject)


def execute(place: Workplace, inputs: SelectionStudyInputs) -> Outcome:
    """Repeat the selection on random subsets, in a slot process."""
    home, test = place.runtime.home, inputs.evaluation.summary["test"]
    job = SelectionStudyJob(
        network=inputs.network,
        heads=inputs.heads,
        seed=inputs.seed,
        classes=inputs.classes,
        target=home / inputs.target.folder,
        split=home / inputs.split.folder,
        models=tuple(best(cell).located(home) for cell in inputs.cells.values()),
        values=tuple(test[name]["accuracy"] for name in inputs.cells),
        sizes=SIZES,
        selections=SELECTIONS,
    )
    return run_job(place, "selection_study", job)


STAGE = Stage("selection_study", SelectionStudyInputs, describe, execute)
