"""The result table of a record, and statistics for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from data.counting import counted
from tasks.reporting.measures import Measure, figure_name, measures
from tasks.reporting.record import Record
from tasks.reporting.records.rows import RowRecord
from tasks.reporting.stats.estimates import Estimate, deviation, estimate, expected_lift
from tasks.reporting.text_tables import plain_table

NONE = "-"

TELLING = 3
"""Minimum cells: of two, the best is always equally far above their mean, in their sd."""


@dataclass(frozen=True)
class PaperFigure:
    """The paper's mean in per cent, and its standard error if given."""

    mean: float
    standard_error: float | None


@dataclass(frozen=True)
class ResultCell:
    """One method at one k; test accuracy in per cent.

    Attributes:
        measure: what the accuracy counts.
        k: labelled samples per class in V.
        ours: estimate over the draws; None if there are no draws.
        missing: draws that other rows have, or that the settings request, and this one lacks.
        paper: None if the paper has no figure.
        v: name of V; empty if it was drawn.
        column: heading of the column; by k if empty.
    """

    measure: Measure
    k: int
    ours: Estimate | None
    missing: tuple[int, ...]
    paper: PaperFigure | None
    v: str = ""
    column: str = ""

    @property
    def ours_text(self) -> str:
        """Text in the table, with the number of draws if some are missing."""
        text = estimate_text(self.ours)
        if self.ours and self.missing:
            return f"{text} ({self.ours.n} of {self.ours.n + len(self.missing)} draws)"
        return text

    @property
    def paper_text(self) -> str:
        """Text in the table."""
        if self.paper is None:
            return NONE
        return figure_text(self.paper.mean, self.paper.standard_error)


@dataclass(frozen=True)
class ResultRow:
    """One method: the data sets its model was trained on, and its cells by measure and k."""

    name: str
    datasets: tuple[str, ...]
    cells: tuple[ResultCell, ...]

    def by(self, measure: Measure) -> "ResultRow":
        """The row with the cells of one measure only."""
        return replace(self, cells=tuple(cell for cell in self.cells if cell.measure == measure))


@dataclass(frozen=True)
class Selection:
    """How far the best of a grid stands out; accuracy in per cent.

    Attributes:
        cells: number of cells.
        mean: over the cells.
        deviation: sd between the cells (ddof 1); None for one cell.
        best: the largest accuracy.
        expected: expected largest of as many equal normal cells with that deviation; None for
            fewer than three, whose best is uninformative.
    """

    cells: int
    mean: float
    deviation: float | None
    best: float
    expected: float | None


def asked(record: Record, kind: Literal["tables", "figures", "studies"], item: int | str) -> bool:
    """Whether an output was requested; older records without a choice have all."""
    return record.outputs is None or item in getattr(record.outputs, kind)


def result_table(record: Record) -> list[ResultRow]:
    """The rows in the record's order, each with one cell per measure and k, k ascending."""
    return [
        ResultRow(
            name,
            tuple(next(row.datasets for row in record.rows if row.row == name)),
            tuple(
                _cell(record, measure, name, k)
                for measure in measures(record)
                for k in all_k(record)
            ),
        )
        for name in row_names(record)
    ]


def table_text(rows: Sequence[ResultRow]) -> str:
    """The result table for a terminal; with one block per measure if there are several."""
    found = _measures_of(rows)
    if len(found) < 2:
        return _plain(rows)
    blocks = ((one, _plain([row.by(one) for row in rows])) for one in found)
    return "\n\n".join(f"Test accuracy {one.name}, %:\n{block}" for one, block in blocks)


def result_lines(rows: Sequence[ResultRow]) -> tuple[list[str], list[list[str]]]:
    """Header and lines: name, data sets, our figures per k, and the paper's if it has any.

    With several measures, all k of the first come before the next.
    """
    header = ["Method", "Datasets"]
    lines = [[row.name, ", ".join(row.datasets)] for row in rows]
    several = len(_measures_of(rows)) > 1
    for column in zip(*(row.cells for row in rows), strict=True):
        with_paper = any(cell.paper for cell in column)
        name = column[0].column or f"k={column[0].k}"
        title = f"{name} {column[0].measure.name}" if several else name
        header += [title, "paper"] if with_paper else [title]
        for line, cell in zip(lines, column, strict=True):
            line.extend([cell.ours_text, cell.paper_text] if with_paper else [cell.ours_text])
    return header, lines


def v_name(record: Record, k: int) -> str:
    """Name of V: by k if it was drawn, else by its labels."""
    return (
        f"k = {k}"
        if record.labelled is None
        else f"V of {counted(sum(record.labelled.counts), 'label')}"
    )


def row_names(record: Record) -> list[str]:
    """Names of the rows, in the record's order."""
    return list(dict.fromkeys(row.row for row in record.rows))


def all_k(record: Record) -> list[int]:
    """Every k of the record, ascending."""
    return sorted({row.k for row in record.rows})


def draws_of(record: Record, name: str, k: int) -> list[int]:
    """The draws a row should have at this k: those any row has, or the settings request.

    Rows that read U may have fewer draws by the settings.
    """
    target = record.settings["target"]
    draws = {row.draw for row in record.rows if row.k == k} | set(range(target["draws"]))
    limit = target.get("draws_with_u")
    with_u = any("U" in row.datasets for row in record.rows if row.row == name)
    return sorted(draw for draw in draws if not (with_u and limit and draw >= limit))


def rows_of(record: Record, name: str, k: int) -> list[RowRecord]:
    """Entries of one row at one k, by draw."""
    found = [row for row in record.rows if row.row == name and row.k == k]
    return sorted(found, key=lambda row: row.draw)


def reference_row(record: Record) -> str | None:
    """The row that others are compared with: the first stage's, if the record has it."""
    name: str = record.settings["first_stage"]["name"]
    return name if name in row_names(record) else None


def selection_noise(accuracies: Sequence[float]) -> Selection:
    """Compare the best of some cells, accuracies in [0, 1], with that of equal cells."""
    values = [100 * accuracy for accuracy in accuracies]
    mean, spread = estimate(values).mean, deviation(values)
    expected = None
    if spread is not None and len(values) >= TELLING:
        expected = mean + spread * expected_lift(len(values))
    return Selection(len(values), mean, spread, max(values), expected)


def estimate_text(figure: Estimate | None) -> str:
    """Mean and standard error."""
    return NONE if figure is None else figure_text(figure.mean, figure.standard_error)


def figure_text(mean: float, error: float | None) -> str:
    """A mean and its standard error, two decimals each."""
    return f"{mean:.2f}" if error is None else f"{mean:.2f} ± {error:.2f}"


def signed(points: float) -> str:
    """Two decimals with a sign; rounding noise becomes +0.00."""
    return f"{round(points, 2) + 0.0:+.2f}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent, without the per cent sign."""
    return NONE if share is None else f"{100 * share:.2f}"


def _plain(rows: Sequence[ResultRow]) -> str:
    header, lines = result_lines(rows)
    return plain_table(header, lines, left=(0, 1))


def _measures_of(rows: Sequence[ResultRow]) -> list[Measure]:
    return list(dict.fromkeys(cell.measure for row in rows for cell in row.cells))


def _cell(record: Record, measure: Measure, name: str, k: int) -> ResultCell:
    entries = rows_of(record, name, k)
    there = {entry.draw for entry in entries}
    values = [100 * share for share in accuracies(record, measure, name, k).values()]
    return ResultCell(
        measure,
        k,
        estimate(values) if values else None,
        tuple(draw for draw in draws_of(record, name, k) if draw not in there),
        _paper(record, measure, name, k),
        "" if record.labelled is None else v_name(record, k),
        "" if record.labelled is None else f"{figure_name(record)} %",
    )


def accuracies(record: Record, measure: Measure, name: str, k: int) -> dict[int, float]:
    """Test accuracy of one row at one k by draw, in [0, 1]."""
    shares = {entry.draw: measure.accuracy(entry) for entry in rows_of(record, name, k)}
    return {draw: share for draw, share in shares.items() if share is not None}


def _paper(record: Record, measure: Measure, name: str, k: int) -> PaperFigure | None:
    figures = measure.paper(record).get(name, {}).get(k)
    if not figures:
        return None
    return PaperFigure(figures[0], figures[1] if len(figures) > 1 else None)
