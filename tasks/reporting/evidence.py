"""What the figures of labelled files rest on, in one line for the terminal and the report."""

from data.counting import counted
from tasks.models.figures import percent
from tasks.reporting.measures import has_test, measures, of_clips
from tasks.reporting.record import Record
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.stats.proportions import exact_interval


def evidence_line(record: Record) -> str | None:
    """What the table counts, and on how many labels the model was chosen; None if V was drawn."""
    if record.labelled is None:
        return None
    return " ".join(part for part in (_table(record), _choice(record)) if part)


def _table(record: Record) -> str:
    """What the figures of the table count."""
    if not has_test(record):
        return "Figures: accuracy on held-out labels, as there is no test split."
    counts = [
        counted(max(known), measure.noun)
        for measure in measures(record)
        if (known := [n for row in record.rows if (n := measure.count(row)) is not None])
    ]
    return f"Figures: accuracy on the test split ({', '.join(counts)}), which chose nothing."


def _choice(record: Record) -> str:
    """The champion's held-out labels, and rows that were not compared with it."""
    chosen = next((row for row in record.rows if _is_champion(record, row)), None)
    if chosen is None or not chosen.held_out or record.labelled is None:
        return ""
    right, n = round(chosen.accuracy * chosen.held_out), chosen.held_out
    low, high = (round(100 * end) for end in exact_interval(right, n))
    kind = "cross-fitted" if record.labelled.parts else "held-out"
    if of_clips(record):
        # Frames of one clip are alike, so that clips are what the interval can count.
        share = f"{percent(chosen.accuracy)} of the frames of {counted(n, f'{kind} clip')}"
    else:
        share = f"{right} of {counted(n, f'{kind} label')}"
    fewer = [f"{row.row} {row.held_out}" for row in record.rows if (row.held_out or 0) < n]
    others = f"; not compared, as scored on fewer labels: {', '.join(fewer)}" if fewer else ""
    return f"Model: {chosen.row}, right on {share} (95 % interval {low} to {high} %){others}."


def _is_champion(record: Record, row: RowRecord) -> bool:
    best = record.champion
    return best is not None and (row.row, row.k, row.draw) == (best.row, best.k, best.draw)
