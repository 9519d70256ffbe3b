"""Stage: what the selection of a grid cell owes to the size of the hyper-validation set."""

from typing import Any

from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.evaluate import best, located
from tasks.storage.artifacts import Artifact, Request

SIZES = (10, 25, 50, 100, 250, 500, 1000)
SELECTIONS = 200


def describe(
    label: str,
    cells: dict[str, Artifact],
    evaluation: Artifact,
    target: Artifact,
    classes: list[str],
    split: Artifact,
    network: dict[str, Any],
    heads: dict[str, list[str]],
    seed: int,
) -> Request:
    """The cells, their test accuracies and hyper-validation decide.

    Args:
        label: for people.
        cells: trainings of the grid, by the names that the evaluation has for them.
        evaluation: their accuracies on the test split, which is not opened again.
        target: prepared target training data.
        classes: of the target.
        split: roles of the target's samples.
        network: trunk, its settings, normalisation, frozen part; digests of weights and code.
        heads: classes of every head.
        seed: of the subsets.
    """
    inputs = {f"cell {name}": cell.digest for name, cell in cells.items()}
    inputs |= {"evaluation": evaluation.digest, "target": target.digest}
    inputs["hyper_validation"] = split.summary["digests"]["hyper_validation"]
    config = {
        "cells": list(cells),
        "classes": classes,
        "network": network,
        "heads": heads,
        "sizes": list(SIZES),
        "selections": SELECTIONS,
    }
    return Request("selection_study", 1, config, inputs, seed, label)


def execute(
    place: Workplace,
    cells: dict[str, Artifact],
    evaluation: Artifact,
    target: Artifact,
    split: Artifact,
    **_: Any,  # noqa: ANN401 - settings, which the request already holds
) -> Outcome:
    """Select again on random subsets, in a slot process."""
    home = place.runtime.home
    job = {
        **place.request.config,
        "seed": place.request.seed,
        "target": str(home / target.folder),
        "split": str(home / split.folder),
        "models": [located(best(cell), home) for cell in cells.values()],
        "values": [evaluation.summary["test"][name]["accuracy"] for name in cells],
    }
    return Outcome(run_job(place, "selection_study", job)["summary"])


STAGE = Stage("selection_study", describe, execute)
