"""The report's part on what held-out labels prove about the pseudo-labels."""

from tasks.reporting.record import Record
from tasks.reporting.records.labels import LabelRecord, ShownPrecision
from tasks.reporting.render.captions import how_to_read
from tasks.reporting.result_table import NONE, percent
from tasks.reporting.text_tables import markdown_table

HEADER = [
    "k",
    "draw",
    "held out",
    "agreed",
    "right",
    "hard labels right at least %",
    "asked for %",
    "from confidence",
    "labelled",
]


def shown_part(record: Record) -> list[str]:
    """Both bounds, if a precision was requested: for hard labels, and by confidence."""
    entries = [(entry, entry.shown) for entry in record.pseudo_labels if entry.shown is not None]
    if not entries:
        return []
    sure = percent(entries[0][1].confidence)
    return [
        "### Shown by held-out labels",
        "Without the truth of U: labels that no member was trained on prove, with "
        f"{sure} % confidence, a minimum share of correct hard labels, and the mean confidence "
        "above which the requested precision holds (`gradmix label` writes these labels). This "
        "applies to samples like the held-out ones, which also chose checkpoints and members; "
        "that favours them slightly.",
        markdown_table(HEADER, [_line(entry, shown) for entry, shown in entries]),
        how_to_read("shown"),
    ]


def _line(entry: LabelRecord, shown: ShownPrecision) -> list[str]:
    start = shown.from_confidence
    return [
        str(entry.k),
        str(entry.draw),
        f"{shown.held_out:,}",
        f"{shown.agreed:,}",
        f"{shown.right:,}",
        percent(shown.bound),
        percent(shown.precision),
        "not shown" if start is None else f"{start:.3f}",
        NONE if start is None else f"{shown.labelled:,}",
    ]
