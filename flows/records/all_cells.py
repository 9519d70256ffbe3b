"""All cells of a home folder: every finished training, and the reports that contain it."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.atomic import write_atomically
from flows.records.stored import FILE, FOLDER, stored_record
from tasks.reporting.cells_page import Cell, cells_page
from tasks.reporting.record import Record
from tasks.reporting.records.labels import EnsembleRecord
from tasks.reporting.records.rows import CellRecord, RowRecord
from tasks.reporting.sections.mlflow_runs import run_page
from tasks.storage.artifacts import RESULT, SUBJECT, Artifact, stored_artifacts
from tasks.storage.home import HomeError

PAGE = "cells.html"
TRAIN = "train"
EXECUTIONS = "executions.jsonl"


def write_all_cells(home: Path) -> Path:
    """Write the page of all cells next to the reports; returns its path.

    Raises:
        HomeError: if the home has no finished training, or a record cannot be read.
    """
    cells = all_cells(home)
    if not cells:
        raise HomeError(
            f"expected a finished training in {home}, found none; start one with gradmix reproduce."
        )
    path = home / FOLDER / PAGE
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, cells_page(cells, f"All cells of {home.name}"))
    return path


def all_cells(home: Path) -> list[Cell]:
    """Every finished training of a home folder, without damaged results."""
    records = [stored_record(path) for path in sorted((home / FOLDER).glob(f"*/{FILE}"))]
    reported = _reported(records)
    pages = max(records, key=lambda record: record.finished, default=None)
    times = _executed(home)
    return [
        _cell(
            artifact,
            reported[artifact.identity],
            pages,
            times.get(artifact.identity) or _written(home, artifact),
        )
        for artifact in stored_artifacts(home, TRAIN)
    ]


@dataclass
class _Reported:
    """Reports and scores of a training."""

    records: list[Record] = field(default_factory=list)
    test: float | None = None


def _reported(records: Iterable[Record]) -> Mapping[str, _Reported]:
    """Reports and scores of trainings, by identity."""
    found: dict[str, _Reported] = defaultdict(_Reported)
    for record in records:
        entries: list[RowRecord | CellRecord | EnsembleRecord]
        entries = [*record.rows, *record.cells, *record.ensembles]
        for entry in entries:
            of_entry = found[entry.identity]
            if record not in of_entry.records[-1:]:
                of_entry.records.append(record)
            if entry.test_accuracy is not None:
                of_entry.test = entry.test_accuracy
    return found


def _cell(artifact: Artifact, reported: _Reported, latest: Record | None, time: float) -> Cell:
    config, summary, notes = artifact.document["config"], artifact.summary, artifact.notes
    subject = notes.get(SUBJECT, {})
    shown, run_id = reported.records[-1] if reported.records else latest, str(notes["run_id"])
    told = dict(subject.get("settings", ()))
    return Cell(
        row=subject.get("name", artifact.label),
        method=config["method"],
        k=subject.get("k"),
        draw=subject.get("draw"),
        told=told or {"learning_rate": config["learning_rate"]},
        settings=_settings(artifact),
        accuracy=summary.get("accuracy"),
        test=reported.test,
        seconds=notes.get("seconds"),
        time=round(time),
        runs=tuple(record.name for record in reported.records),
        scope=notes.get("scope", ""),
        page=run_page(shown, run_id) if shown and ":" not in run_id else None,
        run_id=run_id,
        identity=artifact.identity,
    )


def _settings(artifact: Artifact) -> dict[str, Any]:
    """Settings by name: of the network, of SGD, of the loop, of the method, and the seed."""
    config = artifact.document["config"]
    network = {name: value for name, value in config["network"].items() if name != "settings"}
    shared = {
        **network,
        **{f"network.{name}": value for name, value in config["network"]["settings"].items()},
        **{name: config[name] for name in ("learning_rate", "momentum", "pseudo")},
        **config["training"],
        "seed": artifact.document["seed"],
    }
    # A method may have a setting of the loop's name: SLA's warm-up is a share, the loop's is steps.
    own = {
        f"{config['method']}.{name}" if name in shared else name: value
        for name, value in config["settings"].items()
    }
    return {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in {**shared, **own}.items()
    }


def _executed(home: Path) -> Mapping[str, float]:
    """Time of the last recorded execution of each identity."""
    path, times = home / EXECUTIONS, dict[str, float]()
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for line in lines:
        # A kill may have truncated the last line.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            noted = json.loads(line)
            times[noted["identity"]] = float(noted["time"])
    return times


def _written(home: Path, artifact: Artifact) -> float:
    return (home / artifact.folder / RESULT).stat().st_mtime
