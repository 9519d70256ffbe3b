"""The MLflow runs behind a report, as links where the record says where MLflow's pages are."""

from collections.abc import Iterable
from urllib.parse import quote

from tasks.reporting.record import Record
from tasks.reporting.records.labels import EnsembleRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import all_k, row_names, rows_of
from tasks.reporting.text_tables import markdown_table

SHOWN = 8
"""Letters of a linked run's id: the address has all of them."""


def pages(record: Record) -> str | None:
    """What the address of a run begins with; None where the record has no pages."""
    ui, experiment = record.tracking.ui, record.tracking.experiment_id
    if not ui.startswith(("http://", "https://")) or not experiment:
        return None
    return f"{ui.rstrip('/')}/#/experiments/{quote(experiment, safe='')}/runs/"


def run_link(record: Record, run_id: str) -> str:
    """A run, as a link where there are pages."""
    address = pages(record)
    if not address:
        return f"`{run_id}`"
    return f"[`{run_id[:SHOWN]}`]({address}{quote(run_id, safe='')})"


def run_parts(record: Record) -> list[str]:
    """The runs of the rows, and of every R of figure 4."""
    rows = [
        [name, str(k), _runs(record, rows_of(record, name, k))]
        for k in all_k(record)
        for name in row_names(record)
        if rows_of(record, name, k)
    ]
    return [
        "### MLflow runs of the models in the tables",
        *_how_to_open(record),
        markdown_table(["Method", "k", "draw: run"], rows, (0, 1, 2)),
        *_swept_runs(record),
        how_to_read("runs"),
    ]


def _how_to_open(record: Record) -> list[str]:
    """Said once: what must run for the links to work."""
    if not pages(record) or not record.tracking.command:
        return []
    return [f"The links open once MLflow's pages are there: `{record.tracking.command}`."]


def _swept_runs(record: Record) -> list[str]:
    groups: dict[tuple[int, int], list[EnsembleRecord]] = {}
    for entry in sorted(record.ensembles, key=lambda e: (e.k, e.r, e.draw)):
        groups.setdefault((entry.k, entry.r), []).append(entry)
    lines = [[f"R = {r}", str(k), _runs(record, some)] for (k, r), some in groups.items()]
    return [markdown_table(["Figure 4", "k", "draw: run"], lines, (0, 1, 2))] if lines else []


def _runs(record: Record, entries: Iterable[RowRecord | EnsembleRecord]) -> str:
    return ", ".join(f"{entry.draw}: {run_link(record, entry.run_id)}" for entry in entries)
