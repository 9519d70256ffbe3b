"""Time of a training step, compared with the paper's 40 % overhead for GradMix."""

import statistics
from collections.abc import Mapping

from data.counting import counted
from tasks.reporting.record import Record
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import NONE, reference_row, row_names
from tasks.reporting.text_tables import markdown_table


def step_times(record: Record, row: str) -> dict[tuple[int, int], float]:
    """Seconds per step of a row by (k, draw), without trainings that took no steps."""
    return {
        (entry.k, entry.draw): entry.seconds / steps
        for entry in record.rows
        if entry.row == row and (steps := _steps(entry)) > 0
    }


def overhead_section(record: Record) -> str:
    """Time per step of each row relative to Source only, paired by draw."""
    base = next((row.row for row in record.rows if row.method == "source_only"), None)
    reference = reference_row(record)
    if base is None or reference is None:
        return ""
    base_times = step_times(record, base)
    ratios = {
        name: [seconds / base_times[at] for at, seconds in times.items() if at in base_times]
        for name in row_names(record)
        if (times := step_times(record, name))
    }
    if not ratios.get(reference):
        return ""
    lines = [[name, *_line(step_times(record, name), ratios[name])] for name in ratios]
    header = ["Method", "ms per step", f"times {base}", "lowest", "highest", "pairs"]
    mean = statistics.fmean(ratios[reference])
    found = (
        f"{reference} takes {100 * (mean - 1):+.0f} % time per step against {base}: mean of "
        f"{counted(len(ratios[reference]), 'pair')} on the same k and draw, from "
        f"{100 * (min(ratios[reference]) - 1):+.0f} % to {100 * (max(ratios[reference]) - 1):+.0f} "
        "%. The paper says about +40 %, on its network and machine."
    )
    return "\n\n".join(
        [
            "## Time of a step",
            found,
            markdown_table(header, lines),
            "A row that starts from another model counts its own steps only, and a training that "
            "was interrupted those since it was resumed.",
            how_to_read("overhead"),
        ]
    )


def _steps(entry: RowRecord) -> int:
    """Steps that the row's seconds cover; 0 if not recorded."""
    return (entry.steps or 0) - (entry.resumed_from or 0)


def _line(times: Mapping[tuple[int, int], float], ratios: list[float]) -> list[str]:
    mean = f"{1000 * statistics.fmean(times.values()):.1f}"
    if not ratios:
        return [mean, NONE, NONE, NONE, "0"]
    figures = [statistics.fmean(ratios), min(ratios), max(ratios)]
    return [mean, *(f"{figure:.2f}" for figure in figures), str(len(ratios))]
