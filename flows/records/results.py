"""The results of finished stages, in plain JSON types."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Draw, swept_name
from gradmix.methods import method_named
from tasks.engine.stage import Future
from tasks.jobs.train import CURVE
from tasks.storage.artifacts import Artifact

HYPER_VALIDATION = "hyper_validation/"


def results(order: RunSpec, draws: Sequence[Draw], home: Path) -> dict[str, Any]:
    """Rows, cells, labels, curves, ensembles and studies of all draws."""
    return {
        # As the paper has it: first what does without U. The sort keeps the order otherwise.
        "rows": sorted(
            (row for draw in draws for row in _rows(order, draw)),
            key=lambda row: "U" in row["datasets"],
        ),
        "cells": [cell for draw in draws for cell in _cells(order, draw)],
        "pseudo_labels": [entry for draw in draws for entry in _pseudo_labels(order, draw)],
        "ensembles": [entry for draw in draws for entry in _swept(order, draw)],
        "curves": [curve for draw in draws for curve in _curves(order, draw, home)],
        "studies": {
            name: [
                {"k": draw.k, "draw": draw.draw, **part}
                for draw in draws
                for part in _study(draw, name)
            ]
            for name in order.experiment.outputs.studies
        },
    }


def artifact_of(future: Future | None) -> Artifact:
    """The artifact of a stage that the outputs needed, once it is finished."""
    assert future is not None, "the pipeline submits every stage that it reports"  # noqa: S101
    return future.result()


def _rows(order: RunSpec, draw: Draw) -> list[dict[str, Any]]:
    """A table row's model: figures of its training, and its accuracy on the test split."""
    test = artifact_of(draw.evaluation).summary["test"]
    rows = []
    for name, chosen in trainings_of(draw).items():
        rows.append(
            {
                "row": name,
                "datasets": _datasets(order, name, chosen),
                "k": draw.k,
                "draw": draw.draw,
                **_scores(test[name]),
                "searched": _searched(order, draw, name),
                "searched_settings": _searched_settings(draw, name),
                **_figures(chosen),
            }
        )
    return rows


def _scores(scored: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the evaluation says of a model: of images, and of clips if they are frames."""
    if scored is None:
        return {"test_accuracy": None, "test_n": None}
    found = {"test_accuracy": scored["accuracy"], "test_n": scored["n"]}
    if "clips" in scored:
        found |= {"test_clip_accuracy": scored["clip_accuracy"], "test_clips": scored["clips"]}
    return found


def trainings_of(draw: Draw) -> dict[str, Artifact]:
    """The training behind every row: its own, or the best member of its selection."""
    searched = [future for futures in draw.searches.values() for future in futures]
    by_identity = {
        training.identity: training
        for training in map(artifact_of, [*searched, *draw.cells.values()])
    }
    chosen = {}
    for name, future in draw.rows.items():
        found = artifact_of(future)
        if "members" in found.summary:
            found = by_identity[found.summary["members"][0]["identity"]]
        chosen[name] = found
    return chosen


def _figures(training: Artifact) -> dict[str, Any]:
    config = training.document["config"]
    return {
        "method": config["method"],
        "settings": _settings(training),
        "pseudo": config["pseudo"],
        "learning_rate": config["learning_rate"],
        **{
            name: training.summary[name]
            for name in ("accuracy", "loss", "best_step", "last_accuracy")
        },
        "steps": training.summary["steps"],
        "seconds": training.notes["seconds"],
        "resumed_from": training.notes["resumed_from"],
        "identity": training.identity,
        "run_id": training.notes["run_id"],
    }


def _searched(order: RunSpec, draw: Draw, row: str) -> list[float]:
    """Learning rates that a row was chosen from; none for finals, which take the first stage's."""
    searches = draw.searches.get(row)
    if searches is None or row in [final.name for final in order.experiment.final]:
        return []
    # A first stage with one rate has no search before its grid.
    compared = searches or draw.cells.values()
    return sorted({artifact_of(one).document["config"]["learning_rate"] for one in compared})


def _searched_settings(draw: Draw, row: str) -> dict[str, list[Any]]:
    """Settings that differ among the trainings a row was chosen from, with their values."""
    found = [_settings(artifact_of(training)) for training in draw.searches.get(row, [])]
    values = {key: [part[key] for part in found] for key in (found[0] if found else ())}
    return {
        key: [value for i, value in enumerate(every) if value not in every[:i]]
        for key, every in values.items()
        if any(value != every[0] for value in every)
    }


def _settings(training: Artifact) -> dict[str, Any]:
    """All settings of a training's method; those that came later are not in its identity."""
    config = training.document["config"]
    return dataclasses.asdict(method_named(config["method"]).config(**config["settings"]))


def _datasets(order: RunSpec, row: str, training: Artifact) -> list[str]:
    """What a row's model has seen, from the methods' own declarations."""
    method = method_named(training.document["config"]["method"]).method
    methods = [method, *([method_named(method.starts_from).method] if method.starts_from else [])]
    head_of = order.experiment.problem.head_of
    names = [
        source.name
        for source in order.experiment.sources
        if any(part.reads_source(head_of[source.name]) for part in methods)
    ]
    if any(part.uses_target for part in methods):
        names.append("V")
    finals = [final.name for final in order.experiment.final]
    if row in finals or any(part.uses_unlabelled for part in methods):
        names.append("U")
    return names


def _cells(order: RunSpec, draw: Draw) -> list[dict[str, Any]]:
    """Every cell of the grid; its test accuracy where the evaluation has it."""
    top = artifact_of(draw.ensembles[order.experiment.ensemble.r].top)
    members = [member["identity"] for member in top.summary["members"]]
    test = artifact_of(draw.evaluation).summary["test"]
    cells = []
    name = order.experiment.first_stage.cell_name
    for place, future in draw.cells.items():
        figures = _figures(artifact_of(future))
        identity, scored = figures["identity"], test.get(name(vars(place)))
        cells.append(
            {
                "k": draw.k,
                "draw": draw.draw,
                "beta": place.beta,
                "gamma": place.gamma,
                "rank": members.index(identity) + 1 if identity in members else None,
                **_scores(scored),
                **figures,
            }
        )
    return cells


def _labels(order: RunSpec, draw: Draw, r: int) -> dict[str, Any]:
    """An ensemble's labels, audited."""
    ensemble = draw.ensembles[r]
    pseudo, enlarged = artifact_of(ensemble.pseudo), artifact_of(ensemble.enlarged)
    return {
        "k": draw.k,
        "draw": draw.draw,
        "r": r,
        "threshold": order.experiment.ensemble.threshold,
        "unlabelled": pseudo.summary["unlabelled"],
        "agreed": pseudo.summary["agreed"],
        "clips": pseudo.summary.get("clips"),
        **artifact_of(draw.evaluation).summary["audits"][str(r)],
        "enlarged_v": enlarged.summary["per_class"],
        "run_id": pseudo.notes["run_id"],
    }


def _pseudo_labels(order: RunSpec, draw: Draw) -> list[dict[str, Any]]:
    """The labels of the ensemble that the rows are trained with."""
    r = order.experiment.ensemble.r
    return [_labels(order, draw, r)] if draw.ensembles[r].pseudo is not None else []


def _swept(order: RunSpec, draw: Draw) -> list[dict[str, Any]]:
    """Labels and final model of every R of figure 4."""
    test = artifact_of(draw.evaluation).summary["test"]
    found = []
    for r, ensemble in draw.ensembles.items():
        if ensemble.final is None:
            continue
        final, scored = artifact_of(ensemble.final), test[swept_name(r)]
        found.append(
            {
                **_labels(order, draw, r),
                **_scores(scored),
                "accuracy": final.summary["accuracy"],
                "pseudo": final.document["config"]["pseudo"],
                "run_id": final.notes["run_id"],
                "identity": final.identity,
            }
        )
    return found


def _curves(order: RunSpec, draw: Draw, home: Path) -> list[dict[str, Any]]:
    """Hyper-validation of the models that figure 3 compares."""
    if 3 not in order.experiment.outputs.figures:
        return []
    stage = order.experiment.first_stage
    compared = [row.name for row in order.experiment.baselines if row.method == "source_only"]
    return [
        {
            "row": name,
            "k": draw.k,
            "draw": draw.draw,
            "points": [
                {
                    "step": int(row["step"]),
                    "accuracy": row[f"{HYPER_VALIDATION}accuracy"],
                    "loss": row[f"{HYPER_VALIDATION}loss"],
                }
                for row in json.loads((home / training.folder / CURVE).read_text("utf-8"))
            ],
        }
        for name, training in trainings_of(draw).items()
        if name in [*compared, stage.name]
    ]


def _study(draw: Draw, name: str) -> list[dict[str, Any]]:
    """A study of one draw, in one part or several."""
    summary = artifact_of(draw.studies[name]).summary
    parts: list[dict[str, Any]] = summary.get("parts", [summary])
    return parts
