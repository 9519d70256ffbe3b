"""The report of a reproduction, made from its record alone: Markdown and CSV."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.home import write_atomically
from tasks.reporting.grid import grid_section
from tasks.reporting.paper import paper_section
from tasks.reporting.results import Record, result_table, table_text
from tasks.reporting.sections import (
    difference_section,
    hyper_validation_section,
    pseudo_label_section,
    result_section,
)
from tasks.reporting.setting import again_section, opening, provenance_section, selection_section
from tasks.reporting.text_tables import csv_text, markdown_cell

__all__ = ["markdown_report", "result_table", "table_text", "write_report"]

RESULT_COLUMNS = (
    *("row", "method", "datasets", "k", "draw", "test_accuracy", "test_n", "accuracy", "loss"),
    *("best_step", "last_accuracy", "learning_rate", "searched", "settings", "seconds"),
    *("paper_percent", "paper_standard_error", "identity", "run_id"),
)
CELL_COLUMNS = (
    *("k", "draw", "beta", "gamma", "learning_rate", "accuracy", "loss", "best_step"),
    *("last_accuracy", "rank", "seconds", "identity", "run_id"),
)
LABEL_COLUMNS = (
    *("k", "draw", "r", "threshold", "unlabelled", "agreed", "coverage", "precision"),
    *("soft_accuracy", "run_id"),
)


def write_report(record: Record, folder: Path) -> list[Path]:
    """Write `report.md`, `results.csv`, `cells.csv`, `pseudo_labels.csv`; returns their paths."""
    texts = {
        "report.md": markdown_report(record),
        "results.csv": csv_text(RESULT_COLUMNS, [_result(record, row) for row in record["rows"]]),
        "cells.csv": csv_text(CELL_COLUMNS, [_only(CELL_COLUMNS, c) for c in record["cells"]]),
        "pseudo_labels.csv": _pseudo_labels(record),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def markdown_report(record: Record) -> str:
    """The whole report; sections without anything to say are left out."""
    sections = [
        f"# {markdown_cell(record['title'])}",
        opening(record),
        result_section(record),
        difference_section(record),
        hyper_validation_section(record),
        grid_section(record),
        pseudo_label_section(record),
        selection_section(record),
        paper_section(record),
        provenance_section(record),
        again_section(record),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


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


def _pseudo_labels(record: Record) -> str:
    """A line for every draw; the columns of a class end in its name."""
    per_class = {
        "count": "count_per_class",
        "precision": "precision_per_class",
        "enlarged_v": "enlarged_v",
    }
    lines = [
        _only(LABEL_COLUMNS, entry)
        | {
            f"{short}_{name}": value
            for short, key in per_class.items()
            for name, value in zip(record["classes"], entry[key], strict=True)
        }
        for entry in record["pseudo_labels"]
    ]
    columns = [f"{short}_{name}" for short in per_class for name in record["classes"]]
    return csv_text([*LABEL_COLUMNS, *columns], lines)


def _only(columns: tuple[str, ...], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry.get(name) for name in columns}
