"""Summary of a reproduction for the pages of Prefect and MLflow: its model and its table."""

import re
from collections.abc import Mapping

from tasks.models.figures import percent
from tasks.reporting.measures import figure_name, measures
from tasks.reporting.record import Record
from tasks.reporting.result_table import ResultCell, result_table
from tasks.reporting.text_tables import markdown_table


def champion_words(record: Record) -> str:
    """The model to use, with the accuracy by which it was chosen; empty for older records."""
    best = record.champion
    if best is None:
        return ""
    place = f", k = {best.k}, draw {best.draw}" if record.labelled is None else ""
    return f"**Champion:** {best.row}{place}; hyper-validation accuracy {percent(best.accuracy)}"


def summary_table(record: Record, padding: str = "") -> str:
    """The result table without the paper's figures, as Markdown; the champion's row is bold.

    Args:
        record: of the reproduction.
        padding: before every figure, for pages that set no space between columns.
    """
    rows = result_table(record)
    best = record.champion.row if record.champion else None
    columns = [_column(record, cell) for cell in rows[0].cells] if rows else []
    header = [f"{figure_name(record).capitalize()}, %", *(padding + name for name in columns)]
    lines = [
        [_bold(_plain(row.name), row.name == best)]
        + [padding + _bold(cell.ours_text, row.name == best) for cell in row.cells]
        for row in rows
    ]
    return markdown_table(header, lines)


def summary_figures(record: Record) -> Mapping[str, float]:
    """Means of the table in [0, 1], by names valid for MLflow's metrics."""
    figures = {
        _metric(_counted(record, cell), _v(cell), row.name): cell.ours.mean / 100
        for row in result_table(record)
        for cell in row.cells
        if cell.ours is not None
    }
    if record.champion is not None:
        figures["champion/hyper_validation_accuracy"] = record.champion.accuracy
    return figures


def _column(record: Record, cell: ResultCell) -> str:
    name = cell.v or f"k = {cell.k}"
    return f"{name} {cell.measure.name}" if _several(record) else name


def _counted(record: Record, cell: ResultCell) -> str:
    """Measure of an accuracy, as the first part of a metric's name."""
    words = figure_name(record) + (f" {cell.measure.name}" if _several(record) else "")
    return words.replace(" ", "_").replace("-", "_")


def _several(record: Record) -> bool:
    return len(measures(record)) > 1


def _v(cell: ResultCell) -> str:
    return cell.v or f"k{cell.k}"


def _metric(*parts: str) -> str:
    """A name valid in MLflow, where slashes separate folders."""
    return "/".join(re.sub(r"[^\w. -]", " ", part, flags=re.ASCII) for part in parts)


def _plain(name: str) -> str:
    """A name with Markdown's special characters escaped."""
    return re.sub(r"([\\\[\]*_`<>])", r"\\\1", name)


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
