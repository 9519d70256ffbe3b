"""The CSV files of a report, in full precision."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.reporting.results import Record
from tasks.reporting.text_tables import csv_text

RESULT_COLUMNS = (
    *("row", "method", "datasets", "k", "draw", "test_accuracy", "test_n", "accuracy", "loss"),
    *("best_step", "last_accuracy", "learning_rate", "searched", "settings", "seconds", "steps"),
    *("resumed_from", "paper_percent", "paper_standard_error", "identity", "run_id"),
)
CELL_COLUMNS = (
    *("k", "draw", "beta", "gamma", "learning_rate", "accuracy", "loss", "best_step"),
    *("last_accuracy", "rank", "test_accuracy", "test_n", "seconds", "identity", "run_id"),
)
LABEL_COLUMNS = (
    *("k", "draw", "r", "threshold", "unlabelled", "agreed", "coverage", "precision"),
    *("soft_accuracy", "run_id"),
)
ENSEMBLE_COLUMNS = (*LABEL_COLUMNS, "accuracy", "test_accuracy", "test_n", "identity")
CURVE_COLUMNS = ("row", "k", "draw", "step", "accuracy", "loss")


def sheets(record: Record) -> dict[str, str]:
    """The files by name; those of ensembles and curves only where the record has some."""
    found = {
        "results.csv": csv_text(RESULT_COLUMNS, [_result(record, row) for row in record["rows"]]),
        "cells.csv": csv_text(CELL_COLUMNS, [_only(CELL_COLUMNS, c) for c in record["cells"]]),
        "pseudo_labels.csv": _labels(record, LABEL_COLUMNS, record["pseudo_labels"]),
    }
    if record.get("ensembles"):
        found["ensembles.csv"] = _labels(record, ENSEMBLE_COLUMNS, record["ensembles"])
    if record.get("curves"):
        lines = [
            {**_only(CURVE_COLUMNS, curve), **_only(CURVE_COLUMNS[3:], point)}
            for curve in record["curves"]
            for point in curve["points"]
        ]
        found["curves.csv"] = csv_text(CURVE_COLUMNS, lines)
    return found


def _result(record: Record, row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of `results.csv`; lists as words, settings as JSON, the paper in per cent."""
    paper = [*record["paper"].get(row["row"], {}).get(str(row["k"]), ()), None, None]
    return {
        **_only(RESULT_COLUMNS, row),
        "datasets": " ".join(row["datasets"]),
        "searched": " ".join(map(str, row["searched"])),
        "settings": json.dumps(row["settings"], sort_keys=True),
        "paper_percent": paper[0],
        "paper_standard_error": paper[1],
    }


def _labels(record: Record, columns: tuple[str, ...], entries: list[Mapping[str, Any]]) -> str:
    """A line for every entry; the columns of a class end in its name."""
    per_class = {
        "count": "count_per_class",
        "precision": "precision_per_class",
        "enlarged_v": "enlarged_v",
    }
    lines = [
        _only(columns, entry)
        | {
            f"{short}_{name}": value
            for short, key in per_class.items()
            for name, value in zip(record["classes"], entry[key], strict=True)
        }
        for entry in entries
    ]
    of_classes = [f"{short}_{name}" for short in per_class for name in record["classes"]]
    return csv_text([*columns, *of_classes], lines)


def _only(columns: tuple[str, ...], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry.get(name) for name in columns}
