"""What `gradmix lineage` prints: where a model, a run, a file of labels or a number came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.cli.console import existing_home, open_console, short
from flows.cli.reproduce import find_record
from tasks.execution.environment import configure
from tasks.storage.home import HomeError, write_atomically
from tasks.tracking.lineage.graph import Node, graph, narrowed, tree
from tasks.tracking.lineage.page import lineage_page
from tasks.tracking.tracker import EXPERIMENT, Tracker, open_tracker


@dataclass(frozen=True)
class Number:
    """Which number of a report is meant: of a row, and if it is given of one k and draw."""

    row: str
    k: int | None = None
    draw: int | None = None


def lineage_command(
    what: str, home: str, *, as_json: bool, html: str | None, number: Number | None
) -> None:
    """Print what something was made from, down to the raw files.

    Args:
        what: a run, model, file of pseudo-labels or reproduction (`tasks.tracking.resolve`).
        home: the home folder.
        as_json: nodes and edges in place of the tree.
        html: file for the graph as a page; None for none.
        number: of the report of a reproduction.

    Raises:
        TrackingError: if there is no such thing, or several.
        HomeError: if there is no such row, or the page cannot be written.
        DataError: if a file of pseudo-labels is damaged.
    """
    folder = existing_home(home)
    configure(folder)
    tracker = open_tracker(folder, EXPERIMENT)
    chain, numbers = tracker.lineage(tracker.find(what)), []
    if number is not None:
        record = find_record(chain.name, folder)
        numbers = _numbers(record, number)
        chain = _chain_of(chain, numbers, record, tracker)
    lines = [_sentence(entry) for entry in numbers]
    if html is not None:
        _save(html, lineage_page([chain], _title(what, chain), tracker.ui, "; ".join(lines)))
    console = open_console()
    if as_json:
        shown = [json.dumps({"numbers": numbers, **graph(chain)}, indent=1)]
    else:
        shown = [*lines, *tree(chain)] + ([f"Graph: {short(Path(html))}"] if html else [])
    for line in shown:
        console.print(line, soft_wrap=True)


def _title(what: str, chain: Node) -> str:
    return f"Lineage of {chain.name}" + (f" ({what})" if what != chain.name else "")


def _numbers(record: Mapping[str, Any], number: Number) -> list[dict[str, Any]]:
    """The entries of a report that are meant."""
    rows: Sequence[dict[str, Any]] = record["rows"]
    of_row = [entry for entry in rows if entry["row"] == number.row]
    if not of_row:
        known = ", ".join(repr(row) for row in dict.fromkeys(entry["row"] for entry in rows))
        raise HomeError(
            f"--row: expected a row of {record['name']} ({known}), found {number.row!r}; "
            "correct it."
        )
    found = [
        entry
        for entry in of_row
        if number.k in {None, entry["k"]} and number.draw in {None, entry["draw"]}
    ]
    if not found:
        known = ", ".join(f"k={entry['k']} draw={entry['draw']}" for entry in of_row)
        raise HomeError(
            f"--k, --draw: expected what {record['name']} has of {number.row!r} ({known}), found "
            f"k={number.k} draw={number.draw}; correct them."
        )
    return found


def _chain_of(
    chain: Node, numbers: Sequence[Mapping[str, Any]], record: Mapping[str, Any], tracker: Tracker
) -> Node:
    """The reproduction's chain, of the models of these numbers alone."""
    runs = {tracker.resolve(entry["run_id"]) for entry in numbers}
    models = [
        box.id
        for box in chain.inputs
        if box.kind == "model" and any(maker.id in runs for maker in box.inputs)
    ]
    if len(models) < len(runs):
        raise HomeError(
            f"expected the run of {record['name']} to name the models of its figures, found "
            f"{len(models)} of {len(runs)}; run {record['command']} again: it adds them, and "
            "trains nothing that is finished."
        )
    return narrowed(chain, models)


def _sentence(entry: Mapping[str, Any]) -> str:
    """A number in words."""
    scored = "not scored"
    if entry["test_accuracy"] is not None:
        scored = f"test accuracy {entry['test_accuracy']:.2%} of {entry['test_n']:,}"
    return (
        f"{entry['row']}, k={entry['k']} draw={entry['draw']}: {scored}, hyper-validation "
        f"{entry['accuracy']:.2%} (run {entry['run_id']})"
    )


def _save(html: str, page: str) -> None:
    file = Path(html).expanduser()
    try:
        write_atomically(file, page)
    except OSError as error:
        raise HomeError(
            f"--html: expected a file that can be written, found {file}: {error.strerror}; name "
            "another."
        ) from error
