"""The record of a reproduction: every figure of its report, and where each came from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.ledger import Ledger
from flows.order import Order
from flows.pipeline import Draw, Handle, Pipeline
from flows.provenance import git_commit, hardware, versions
from gradmix.methods import method_named
from tasks.artifacts import Artifact
from tasks.home import write_atomically
from tasks.reporting.report import write_report
from tasks.stage import decode

FORMAT = 1
FOLDER = "reproductions"
FILE = "record.json"


def make_record(
    order: Order, stages: Pipeline, ledger: Ledger, run_id: str, slots: list[str]
) -> dict[str, Any]:
    """Gather the record from finished stages, in plain JSON types."""
    experiment, finished = order.experiment, datetime.now(UTC)
    return {
        "format": FORMAT,
        "name": order.name,
        "identity": order.identity,
        "run_id": run_id,
        "experiment": experiment.name,
        "title": experiment.title,
        "scale": experiment.scale,
        "seed": experiment.seed,
        "command": order.invocation.command,
        "started": ledger.started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": round((finished - ledger.started).total_seconds(), 1),
        **git_commit(),
        "versions": versions(),
        "hardware": hardware(slots),
        "settings": experiment.model_dump(mode="json"),
        "classes": list(experiment.target.classes),
        "data": [
            _data(name, order.raw.digests[name, split], _artifact(handle))
            for (name, split), handle in stages.data.items()
        ],
        "rows": [row for draw in stages.draws for row in _rows(order, draw)],
        "cells": [cell for draw in stages.draws for cell in _cells(draw)],
        "pseudo_labels": [_pseudo_labels(order, draw) for draw in stages.draws],
        "executed": {"trainings": ledger.executed, "cached": ledger.reused},
        "paper": experiment.paper,
    }


def record_folder(name: str, home: Path) -> Path:
    """Where the record and the report of a reproduction lie."""
    return home / FOLDER / name


def save_record(record: Mapping[str, Any], home: Path) -> Path:
    """Write the record and its report; returns their folder."""
    folder = record_folder(str(record["name"]), home)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, json.dumps(record, indent=1) + "\n")
    write_report(record, folder)
    return folder


def _artifact(handle: Handle) -> Artifact:
    artifact: Artifact = decode(handle.result())
    return artifact


def _data(name: str, raw: dict[str, str], prepared: Artifact) -> dict[str, Any]:
    return {
        "dataset": name,
        "reader": prepared.summary["dataset"],
        "split": prepared.summary["split"],
        "origin": prepared.summary["origin"],
        "official": prepared.summary["official"],
        "samples": prepared.summary["samples"],
        "digest": prepared.digest,
        "raw": raw,
    }


def _rows(order: Order, draw: Draw) -> list[dict[str, Any]]:
    """A table row's model: figures of its training, and its accuracy on the test split."""
    test = _artifact(draw.evaluation).summary["test"]
    trainings = [_artifact(handle) for handles in draw.searches.values() for handle in handles]
    trainings += [_artifact(handle) for handle in draw.cells]
    by_identity = {training.identity: training for training in trainings}
    rows = []
    for name, handle in draw.rows.items():
        chosen = _artifact(handle)
        if "members" in chosen.summary:
            chosen = by_identity[chosen.summary["members"][0]["identity"]]
        rows.append(
            {
                "row": name,
                "datasets": _datasets(order, name, chosen),
                "k": draw.k,
                "draw": draw.draw,
                "test_accuracy": test[name]["accuracy"],
                "test_n": test[name]["n"],
                "searched": _searched(draw, name),
                **_figures(chosen),
            }
        )
    return rows


def _figures(training: Artifact) -> dict[str, Any]:
    config = training.document["config"]
    return {
        "method": config["method"],
        "settings": config["settings"],
        "learning_rate": config["learning_rate"],
        **{
            name: training.summary[name]
            for name in ("accuracy", "loss", "best_step", "last_accuracy")
        },
        "seconds": training.notes["seconds"],
        "identity": training.identity,
        "run_id": training.notes["run_id"],
    }


def _searched(draw: Draw, row: str) -> list[float]:
    """Learning rates that a row was chosen from; none for finals, which take the first stage's."""
    searches = draw.searches.get(row)
    if searches is None:
        return []
    # A first stage with one rate has no search before its grid.
    compared = searches or draw.cells
    return sorted({_artifact(handle).document["config"]["learning_rate"] for handle in compared})


def _datasets(order: Order, row: str, training: Artifact) -> list[str]:
    """What a row's model has seen, from the methods' own declarations."""
    method = method_named(training.document["config"]["method"]).method
    start = method_named(method.starts_from).method if method.starts_from else method
    names: list[str] = []
    if method.uses_sources or start.uses_sources:
        names += [source.name for source in order.experiment.sources]
    if method.uses_target or start.uses_target:
        names.append("V")
    if row in [final.name for final in order.experiment.final]:
        names.append("U")
    return names


def _cells(draw: Draw) -> list[dict[str, Any]]:
    members = [member["identity"] for member in _artifact(draw.top).summary["members"]]
    cells = []
    for handle in draw.cells:
        figures = _figures(_artifact(handle))
        identity = figures["identity"]
        cells.append(
            {
                "k": draw.k,
                "draw": draw.draw,
                "beta": figures["settings"]["beta"],
                "gamma": figures["settings"]["gamma"],
                "rank": members.index(identity) + 1 if identity in members else None,
                **figures,
            }
        )
    return cells


def _pseudo_labels(order: Order, draw: Draw) -> dict[str, Any]:
    pseudo, enlarged = _artifact(draw.pseudo), _artifact(draw.enlarged)
    return {
        "k": draw.k,
        "draw": draw.draw,
        "unlabelled": pseudo.summary["unlabelled"],
        "agreed": pseudo.summary["agreed"],
        **_artifact(draw.evaluation).summary["audit"],
        "enlarged_v": enlarged.summary["per_class"],
        "threshold": order.experiment.ensemble.threshold,
        "r": order.experiment.ensemble.r,
        "run_id": pseudo.notes["run_id"],
    }
