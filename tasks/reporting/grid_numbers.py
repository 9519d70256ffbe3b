"""The numbers of the first stage's grid: cells by position, selection noise, correlations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.reporting import paper as protocol
from tasks.reporting.record import Record
from tasks.reporting.records.rows import CellRecord
from tasks.reporting.result_table import Selection, selection_noise
from tasks.reporting.stats.estimates import estimate
from tasks.reporting.stats.paired_tests import Correlation, pearson

Place = tuple[float, float]

Accuracy = Literal["test", "hyper_validation"]
TEST: Accuracy = "test"
HYPER_VALIDATION: Accuracy = "hyper_validation"


@dataclass(frozen=True)
class Grid:
    """The cells of one k that have a figure such as test accuracy.

    Attributes:
        k: labelled samples per class in V.
        figure: which accuracy of a cell is used.
        cells: all cells that have it.
        betas: betas of the whole grid at this k, ascending.
        gammas: gammas of the whole grid at this k, ascending.
        draws: draws of the whole grid at this k, ascending.
    """

    k: int
    figure: Accuracy
    cells: tuple[CellRecord, ...]
    betas: tuple[float, ...]
    gammas: tuple[float, ...]
    draws: tuple[int, ...]

    @property
    def places(self) -> list[Place]:
        """Pairs (beta, gamma), row by row."""
        return [(beta, gamma) for beta in self.betas for gamma in self.gammas]

    def at(self, place: Place) -> list[CellRecord]:
        """The cells of all draws at one position."""
        return [cell for cell in self.cells if (cell.beta, cell.gamma) == place]

    def mean(self, place: Place) -> float | None:
        """Mean over draws, in [0, 1]; None if no draw has the cell."""
        found = values(self.at(place), self.figure)
        return estimate(found).mean if found else None

    def selected(self, place: Place) -> bool:
        """Whether the cell is the best on hyper-validation in at least one draw."""
        return any(cell.rank == 1 for cell in self.at(place))

    @property
    def complete(self) -> list[Place]:
        """Positions that every draw has."""
        return [place for place in self.places if len(self.at(place)) == len(self.draws)]

    def of_draw(self, draw: int) -> list[CellRecord]:
        """The cells of one draw."""
        return [cell for cell in self.cells if cell.draw == draw]

    def noise(self) -> dict[str, Selection]:
        """Selection noise of every draw, and of the means over draws at complete positions."""
        found = {
            f"draw {draw}": selection_noise(values(self.of_draw(draw), self.figure))
            for draw in self.draws
            if self.of_draw(draw)
        }
        means = [mean for place in self.complete if (mean := self.mean(place)) is not None]
        if len(self.draws) > 1 and means:
            found["mean over draws"] = selection_noise(means)
        return found

    def chosen(self) -> dict[str, float]:
        """The figure of the selected cell in per cent, by the names in `noise`."""
        found = {
            f"draw {cell.draw}": 100 * value
            for cell in self.cells
            if cell.rank == 1
            for value in values([cell], self.figure)
        }
        if len(found) == len(self.draws) > 1:
            found["mean over draws"] = estimate(list(found.values())).mean
        return found

    def agreement(self) -> dict[str, Correlation | None]:
        """Correlation of hyper-validation and the figure over cells, by the names in `noise`."""
        found = {
            f"draw {draw}": _pearson(self.of_draw(draw), self.figure)
            for draw in self.draws
            if self.of_draw(draw)
        }
        if len(self.draws) > 1 and self.complete:
            means = [
                [estimate(values(self.at(place), which)).mean for place in self.complete]
                for which in (HYPER_VALIDATION, self.figure)
            ]
            found["mean over draws"] = pearson(*means)
        return found


def grid_of(record: Record, k: int, figure: Accuracy) -> Grid:
    """The grid of one k; without cells that lack the figure."""
    cells = [cell for cell in record.cells if cell.k == k]
    return Grid(
        k,
        figure,
        tuple(cell for cell in cells if values([cell], figure)),
        tuple(sorted({cell.beta for cell in cells})),
        tuple(sorted({cell.gamma for cell in cells})),
        tuple(sorted({cell.draw for cell in cells})),
    )


def values(cells: Iterable[CellRecord], figure: Accuracy) -> list[float]:
    """An accuracy of cells, in [0, 1], without cells that lack it."""
    found = (cell.test_accuracy if figure == TEST else cell.accuracy for cell in cells)
    return [value for value in found if value is not None]


def grid_k(record: Record) -> list[int]:
    """Every k that has cells, ascending."""
    return sorted({cell.k for cell in record.cells})


def main_grid(record: Record, k: int) -> Grid:
    """The grid by test accuracy, as in the paper, or by hyper-validation if there is none."""
    scored = grid_of(record, k, TEST)
    return scored if scored.cells else grid_of(record, k, HYPER_VALIDATION)


def paper_noise() -> Selection:
    """Selection noise of the paper's grid."""
    return selection_noise([value / 100 for line in protocol.GRID for value in line])


def _pearson(cells: Sequence[CellRecord], figure: Accuracy) -> Correlation | None:
    return pearson(values(cells, HYPER_VALIDATION), values(cells, figure))
