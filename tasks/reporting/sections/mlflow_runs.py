"""The MLflow runs behind a report, as links if the record has MLflow's address."""

from collections.abc import Iterable

from tasks.reporting.record import Record
from tasks.reporting.records.labels import EnsembleRecord
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import all_k, row_names, rows_of
from tasks.reporting.text_tables import markdown_table
from tasks.tracking.addresses import run_address, runs_address

SHOWN = 8
"""Number of digits shown of a linked run's id; the address has all of them."""


def all_runs(record: Record) -> str | None:
    """Address of the list of training runs; None if the record has none."""
    ui, experiment = record.tracking.ui, record.tracking.experiment_id
    if not ui.startswith(("http://", "https://")) or not experiment:
        return None
    return f"{ui.rstrip('/')}/{runs_address(experiment)}"


def pages(record: Record) -> str | None:
    """Prefix of the addresses of runs; None if the record has none."""
    address = all_runs(record)
    return address and address.partition("?")[0]


def run_page(record: Record, run_id: str) -> str | None:
    """Address of a run; None if the record has none."""
    if pages(record) is None:
        return None
    address = run_address(record.tracking.experiment_id or "", run_id)
    return f"{record.tracking.ui.rstrip('/')}/{address}"


def run_link(record: Record, run_id: str) -> str:
    """A run, as a link if there is an address."""
    address = run_page(record, run_id)
    return f"[`{run_id[:SHOWN]}`]({address})" if address else f"`{run_id}`"


def run_parts(record: Record) -> list[str]:
    """Runs of the rows, and of each R of figure 4."""
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
    """Stated once: the list of all runs, and what must run for the links to work."""
    address, command = all_runs(record), record.tracking.command
    if address is None:
        return []
    lines = [f"[The list of all training runs]({address})."]
    if command:
        lines.append(f"The links work while MLflow's UI is running: `{command}`.")
    return [" ".join(lines)]


def _swept_runs(record: Record) -> list[str]:
    groups: dict[tuple[int, int], list[EnsembleRecord]] = {}
    for entry in sorted(record.ensembles, key=lambda e: (e.k, e.r, e.draw)):
        groups.setdefault((entry.k, entry.r), []).append(entry)
    lines = [[f"R = {r}", str(k), _runs(record, some)] for (k, r), some in groups.items()]
    return [markdown_table(["Figure 4", "k", "draw: run"], lines, (0, 1, 2))] if lines else []


def _runs(record: Record, entries: Iterable[RowRecord | EnsembleRecord]) -> str:
    return ", ".join(f"{entry.draw}: {run_link(record, entry.run_id)}" for entry in entries)
