"""The CSV files of a report, in full precision."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.reporting.measures import of_clips
from tasks.reporting.record import Record
from tasks.reporting.records.labels import LabelRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.sections.pseudo_label_classes import FILE as CLASS_FILE
from tasks.reporting.sections.pseudo_label_classes import labels_by_class, many_classes
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
CLIP_COLUMNS = ("test_clip_accuracy", "test_clips")
CLIP_LABEL_COLUMNS = ("clips", "soft_disagree", "hard_disagree")
PAPER_COLUMNS = {
    "paper": ("paper_percent", "paper_standard_error"),
    "paper_clips": ("paper_clip_percent", "paper_clip_standard_error"),
}
PER_CLASS = {
    "count": "count_per_class",
    "precision": "precision_per_class",
    "enlarged_v": "enlarged_v",
}
CLASS_COLUMNS = ("k", "draw", "r", "class", *PER_CLASS)
CURVE_COLUMNS = ("row", "k", "draw", "step", "accuracy", "loss")


def sheets(record: Record) -> dict[str, str]:
    """CSV files by name; those of ensembles, curves and many classes only if there are any.

    Columns on clips only exist if the record has clips.
    """
    papers = PAPER_COLUMNS["paper_clips"] if of_clips(record) else ()
    results = _with(RESULT_COLUMNS, papers, after="paper_standard_error")
    found = {
        "results.csv": _table(results, [_result(record, row) for row in record.rows]),
        "cells.csv": _table(CELL_COLUMNS, [vars(cell) for cell in record.cells]),
        "pseudo_labels.csv": _labels(record, LABEL_COLUMNS, record.pseudo_labels),
    }
    if record.ensembles:
        found["ensembles.csv"] = _labels(record, ENSEMBLE_COLUMNS, record.ensembles)
    if many_classes(record) and record.pseudo_labels:
        found[CLASS_FILE] = _table(CLASS_COLUMNS, _class_lines(record))
    if record.curves:
        lines = [
            {**_only(CURVE_COLUMNS, vars(curve)), **vars(point)}
            for curve in record.curves
            for point in curve.points
        ]
        found["curves.csv"] = csv_text(CURVE_COLUMNS, lines)
    return found


def _table(columns: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> str:
    """One line per entry, with the accuracy on clips next to that on frames."""
    if any(entry.get(CLIP_COLUMNS[0]) is not None for entry in entries):
        columns = _with(columns, CLIP_COLUMNS, after="test_n")
    return csv_text(columns, [_only(columns, entry) for entry in entries])


def _result(record: Record, row: RowRecord) -> dict[str, Any]:
    """A line of `results.csv`; lists as words, settings as JSON, the paper in per cent."""
    papers: dict[str, float | None] = {}
    for key, columns in PAPER_COLUMNS.items():
        paper = record.paper_clips if key == "paper_clips" else record.paper
        figures = paper.get(row.row, {}).get(row.k, ())
        papers |= dict(zip(columns, [*figures, None, None], strict=False))
    return {
        **vars(row),
        "datasets": " ".join(row.datasets),
        "searched": " ".join(map(str, row.searched)),
        "settings": json.dumps(row.settings, sort_keys=True),
        **papers,
    }


def _labels(record: Record, columns: Sequence[str], entries: Sequence[LabelRecord]) -> str:
    """One line per entry, with columns per class named after it, unless there are too many."""
    classes = [] if many_classes(record) else record.classes
    lines = [
        {**vars(entry), **_of_clips(entry)}
        | {
            f"{short}_{name}": value
            for short, key in PER_CLASS.items()
            for name, value in zip(classes, getattr(entry, key), strict=bool(classes))
        }
        for entry in entries
    ]
    if any(entry.clips for entry in entries):
        columns = _with(columns, CLIP_LABEL_COLUMNS, after="soft_accuracy")
    of_classes = [f"{short}_{name}" for short in PER_CLASS for name in classes]
    return _table((*columns, *of_classes), lines)


def _of_clips(entry: LabelRecord) -> dict[str, Any]:
    """Agreement within clips; empty for images."""
    if entry.clips is None:
        return {"clips": None}
    return {**vars(entry.clips), "clips": entry.clips.n}


def _class_lines(record: Record) -> list[dict[str, Any]]:
    """One line per class of every ensemble, including those of the rows."""
    entries = {
        (entry.k, entry.draw, entry.r): entry
        for entry in (*record.ensembles, *record.pseudo_labels)
    }
    return [
        {**vars(one), "class": one.name, "k": k, "draw": draw, "r": r}
        for (k, draw, r), entry in sorted(entries.items(), key=lambda found: found[0])
        for one in labels_by_class(record, entry)
    ]


def _with(columns: Sequence[str], more: Sequence[str], *, after: str) -> Sequence[str]:
    place = columns.index(after) + 1
    return (*columns[:place], *more, *columns[place:])


def _only(columns: Sequence[str], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry.get(name) for name in columns}
