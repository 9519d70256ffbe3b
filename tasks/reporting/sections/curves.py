"""Figure 3: hyper-validation loss during training."""

import statistics
from collections.abc import Sequence
from itertools import pairwise

from tasks.reporting.record import Record
from tasks.reporting.records.studies import CurveRecord
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import asked, estimate_text
from tasks.reporting.stats.estimates import estimate
from tasks.reporting.text_tables import markdown_table

EPOCH = 100
"""Steps per epoch, the paper's term (caption of its Figure 3)."""


def curves_of(record: Record, k: int) -> dict[str, list[CurveRecord]]:
    """The curves at one k by row, in the record's order, draws ascending, without empty ones."""
    found: dict[str, list[CurveRecord]] = {}
    for curve in record.curves:
        if curve.k == k and curve.points:
            found.setdefault(curve.row, []).append(curve)
    return {name: sorted(some, key=lambda c: c.draw) for name, some in found.items()}


def curve_k(record: Record) -> list[int]:
    """Every k that has curves, ascending."""
    return sorted({curve.k for curve in record.curves if curve.points})


def mean_curve(curves: Sequence[CurveRecord]) -> tuple[list[float], list[float]]:
    """Epochs and mean loss over draws, at steps common to all draws."""
    losses = [{point.step: point.loss for point in curve.points} for curve in curves]
    steps = sorted(set.intersection(*(set(found) for found in losses)))
    means = [statistics.fmean(found[step] for found in losses) for step in steps]
    return [step / EPOCH for step in steps], means


def curve_section(record: Record) -> str:
    """Figure 3, and its data as numbers."""
    ks = curve_k(record)
    if not ks or not asked(record, "figures", 3):
        return ""
    names = list(dict.fromkeys(curve.row for curve in record.curves))
    header = ["Method", "k", "lowest loss", "at epoch, by draw", "last loss", "mean move"]
    lines = [
        [name, str(k), *_line(found)] for k in ks for name, found in curves_of(record, k).items()
    ]
    return "\n\n".join(
        [
            "## Figure 3: hyper-validation loss",
            f"Loss (cross entropy) on hyper-validation against epochs; an epoch is {EPOCH} steps, "
            "as in the paper. The chosen model of every row and draw.",
            picture(
                "figure-3",
                f"Loss on hyper-validation against epochs, a panel for each k "
                f"({', '.join(map(str, ks))}): a line each for {' and '.join(names)}. "
                "The table below has its lowest and last points.",
            ),
            markdown_table(header, lines),
            "Mean ± s.e. over draws of each draw's lowest and last loss. Mean move: average change "
            "of the loss, up or down, between checks; smaller is steadier.",
            how_to_read("figure 3"),
        ]
    )


def _line(curves: Sequence[CurveRecord]) -> list[str]:
    lowest = [min(curve.points, key=lambda point: point.loss) for curve in curves]
    return [
        estimate_text(estimate([point.loss for point in lowest])),
        ", ".join(f"{point.step / EPOCH:g}" for point in lowest),
        estimate_text(estimate([curve.points[-1].loss for curve in curves])),
        estimate_text(estimate([mean_move(curve) for curve in curves])),
    ]


def mean_move(curve: CurveRecord) -> float:
    """Mean absolute change of the loss between checks; 0 for a single check."""
    losses = [point.loss for point in curve.points]
    moves = [abs(after - before) for before, after in pairwise(losses)]
    return statistics.fmean(moves) if moves else 0.0
