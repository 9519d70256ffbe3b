"""`gradmix lineage`: show where a model, run, pseudo-label file or number came from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.atomic import write_atomically
from data.paths import expanded
from flows.cli.console import expect_home, open_console, short
from flows.cli.errors import OneLineError
from flows.records.stored import find_record
from tasks.codec import encode
from tasks.execution.databases import ensure_tracking
from tasks.reporting.record import Record
from tasks.reporting.records.rows import RowRecord
from tasks.storage.home import HomeError
from tasks.tracking.lineage.graph import Node, graph, narrowed, tree
from tasks.tracking.lineage.page import lineage_page
from tasks.tracking.tracker import EXPERIMENT, Tracker, open_tracker


@dataclass(frozen=True, kw_only=True)
class ReportCell:
    """A number in a report: a row, optionally at one k and draw."""

    row: str
    k: int | None = None
    draw: int | None = None


def lineage(
    what: str,
    *,
    home: Path,
    as_json: bool,
    html: str | None,
    row: str | None,
    k: int | None,
    draw: int | None,
) -> None:
    """Print what something was made from, back to the raw files.

    Args:
        what: a run, model, file of pseudo-labels or reproduction (`tasks.tracking.resolve`).
        home: the home folder.
        as_json: print nodes and edges instead of the tree.
        html: file to write the graph to as a page, or None.
        row: row of a reproduction's table; None for the whole reproduction.
        k: with `row`, labels per class; None for all.
        draw: with `row`, number of the draw; None for all.

    Raises:
        TrackingError: if nothing or several things match.
        HomeError: if there is no such row, or the page cannot be written.
        DataError: if a file of pseudo-labels is damaged.
    """
    cell = _cell(row, k, draw)
    expect_home(home)
    ensure_tracking(home)
    tracker = open_tracker(home, EXPERIMENT)
    chain, numbers = tracker.lineage(tracker.find(what)), list[RowRecord]()
    if cell is not None:
        record = find_record(chain.name, home)
        numbers = _numbers(record, cell)
        chain = _chain_of(chain, numbers, record, tracker)
    lines = [_sentence(entry) for entry in numbers]
    if html is not None:
        _save(html, lineage_page([chain], _title(what, chain), tracker.ui, "; ".join(lines)))
    console = open_console()
    if as_json:
        shown = [json.dumps({"numbers": encode(numbers), **graph(chain)}, indent=1)]
    else:
        shown = [*lines, *tree(chain)] + ([f"Graph: {short(Path(html))}"] if html else [])
    for line in shown:
        console.print(line, soft_wrap=True)


def _cell(row: str | None, k: int | None, draw: int | None) -> ReportCell | None:
    if row is not None:
        return ReportCell(row=row, k=k, draw=draw)
    if (k, draw) != (None, None):
        raise OneLineError("--k, --draw: expected --row with them, found none; name the row.")
    return None


def _title(what: str, chain: Node) -> str:
    return f"Lineage of {chain.name}" + (f" ({what})" if what != chain.name else "")


def _numbers(record: Record, cell: ReportCell) -> list[RowRecord]:
    """Entries of a report that belong to a cell."""
    of_row = [entry for entry in record.rows if entry.row == cell.row]
    if not of_row:
        known = ", ".join(repr(row) for row in dict.fromkeys(entry.row for entry in record.rows))
        raise HomeError(
            f"--row: expected a row of {record.name} ({known}), found {cell.row!r}; correct it."
        )
    found = [
        entry for entry in of_row if cell.k in {None, entry.k} and cell.draw in {None, entry.draw}
    ]
    if not found:
        known = ", ".join(f"k={entry.k} draw={entry.draw}" for entry in of_row)
        raise HomeError(
            f"--k, --draw: expected values that {record.name} has of {cell.row!r} ({known}), "
            f"found k={cell.k} draw={cell.draw}; correct them."
        )
    return found


def _chain_of(chain: Node, numbers: Sequence[RowRecord], record: Record, tracker: Tracker) -> Node:
    """A reproduction's chain, narrowed to the models of these numbers."""
    runs = {tracker.resolve(entry.run_id) for entry in numbers}
    models = [
        box.id
        for box in chain.inputs
        if box.kind == "model" and any(maker.id in runs for maker in box.inputs)
    ]
    if len(models) < len(runs):
        raise HomeError(
            f"expected the run of {record.name} to name the models of its figures, found "
            f"{len(models)} of {len(runs)}; run {record.command} again: it adds them, and "
            "reuses finished trainings."
        )
    return narrowed(chain, models)


def _sentence(entry: RowRecord) -> str:
    """Describe a number."""
    scored = "not scored"
    if entry.test_accuracy is not None:
        scored = f"test accuracy {entry.test_accuracy:.2%} of {entry.test_n:,}"
    return (
        f"{entry.row}, k={entry.k} draw={entry.draw}: {scored}, hyper-validation "
        f"{entry.accuracy:.2%} (run {entry.run_id})"
    )


def _save(html: str, page: str) -> None:
    file = expanded(html)
    try:
        write_atomically(file, page)
    except OSError as error:
        raise HomeError(
            f"--html: expected a file that can be written, found {file}: {error.strerror}; name "
            "another."
        ) from error
