"""One page of all cells of a home: trainings as a table that is searched, sorted and filtered.

The page holds its cells as JSON and its script; it asks nobody for anything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.codec import encode
from tasks.pages import render


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A finished training; accuracies in [0, 1], times in seconds.

    Attributes:
        row: of the table, or whatever else it was made for.
        method: a row of `METHODS`.
        k: labelled samples a class in V; None outside a draw.
        draw: number of V; None outside a draw.
        told: settings that tell it from others of its row, by name.
        settings: all settings, by name.
        accuracy: on hyper-validation; None of a training on all of V.
        test: on the test split, where a report has it.
        seconds: of its training, from its last checkpoint on.
        time: when it was finished, in seconds since the epoch.
        runs: names of the reproductions whose reports have it.
        scope: experiment, scale and data that it was made for.
        page: its run in MLflow; None where no report says where MLflow is.
        run_id: of its run in MLflow.
        identity: of its artifact.
    """

    row: str
    method: str
    k: int | None
    draw: int | None
    told: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    accuracy: float | None
    test: float | None = None
    seconds: float | None
    time: float
    runs: tuple[str, ...] = ()
    scope: str = ""
    page: str | None = None
    run_id: str = ""
    identity: str


def cells_page(cells: Sequence[Cell], title: str) -> str:
    """The page.

    Args:
        cells: in any order.
        title: heading of the page.
    """
    newest = sorted(cells, key=lambda cell: (-cell.time, cell.identity))
    # In a script `</` and `<!--` end or change what a browser reads.
    data = json.dumps(encode(newest), separators=(",", ":")).replace("<", "\\u003c")
    runs = {run for cell in cells for run in cell.runs}
    return render("cells.html", title=title, count=len(cells), runs=len(runs), data=data)
