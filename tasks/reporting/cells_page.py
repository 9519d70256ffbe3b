"""Page of all cells of a home folder: a table of trainings to search, sort and filter.

The page is self-contained, with its cells as JSON and its script.
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
        row: row of the table, or other subject.
        method: a row of `METHODS`.
        k: labelled samples per class in V; None outside a draw.
        draw: number of V; None outside a draw.
        told: settings that distinguish it from others of its row, by name.
        settings: all settings, by name.
        accuracy: hyper-validation accuracy; None for a training on all of V.
        test: test accuracy, if in a report.
        seconds: duration of its training, from its last checkpoint on.
        time: time of completion, in seconds since the epoch.
        runs: names of the reproductions whose reports contain it.
        scope: experiment, scale and data it was made for.
        page: page of its run in MLflow; None if no report has MLflow's address.
        run_id: id of its run in MLflow.
        identity: identity of its artifact.
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
    """Make the page.

    Args:
        cells: cells in any order.
        title: heading of the page.
    """
    newest = sorted(cells, key=lambda cell: (-cell.time, cell.identity))
    # In a script, `</` and `<!--` would end it or change its parsing.
    data = json.dumps(encode(newest), separators=(",", ":")).replace("<", "\\u003c")
    runs = {run for cell in cells for run in cell.runs}
    return render("cells.html", title=title, count=len(cells), runs=len(runs), data=data)
