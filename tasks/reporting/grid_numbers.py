"""The numbers of the first stage's grid: cells by place, selection noise, correlations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting import paper as protocol
from tasks.reporting.record import Record, Selection, selection_noise
from tasks.reporting.stats.estimates import estimate
from tasks.reporting.stats.paired_tests import Correlation, pearson

Cell = Mapping[str, Any]
Place = tuple[float, float]

TEST, HYPER_VALIDATION = "test_accuracy", "accuracy"


@dataclass(frozen=True)
class Grid:
    """The cells of one k that have a figure, such as their test accuracy.

    Attributes:
        k: labelled samples a class in V.
        figure: key of the accuracy in a cell's entry, in [0, 1].
        cells: all cells that have it.
        betas: of the whole grid at this k, ascending.
        gammas: of the whole grid at this k, ascending.
        draws: of the whole grid at this k, ascending.
    """

    k: int
    figure: str
    cells: tuple[Cell, ...]
    betas: tuple[float, ...]
    gammas: tuple[float, ...]
    draws: tuple[int, ...]

    @property
    def places(self) -> list[Place]:
        """(beta, gamma), row by row."""
        return [(beta, gamma) for beta in self.betas for gamma in self.gammas]

    def at(self, place: Place) -> list[Cell]:
        """The cells of all draws at one place."""
        return [cell for cell in self.cells if (cell["beta"], cell["gamma"]) == place]

    def mean(self, place: Place) -> float | None:
        """Mean over draws, in [0, 1]; None where no draw has the cell."""
        found = [cell[self.figure] for cell in self.at(place)]
        return estimate(found).mean if found else None

    def selected(self, place: Place) -> bool:
        """Whether the cell is the best on hyper-validation in at least one draw."""
        return any(cell["rank"] == 1 for cell in self.at(place))

    @property
    def complete(self) -> list[Place]:
        """Places that every draw has."""
        return [place for place in self.places if len(self.at(place)) == len(self.draws)]

    def of_draw(self, draw: int) -> list[Cell]:
        """The cells of one draw."""
        return [cell for cell in self.cells if cell["draw"] == draw]

    def noise(self) -> dict[str, Selection]:
        """Selection noise of every draw, and of the means of complete places over draws."""
        found = {
            f"draw {draw}": selection_noise([cell[self.figure] for cell in self.of_draw(draw)])
            for draw in self.draws
            if self.of_draw(draw)
        }
        means = [mean for place in self.complete if (mean := self.mean(place)) is not None]
        if len(self.draws) > 1 and means:
            found["mean over draws"] = selection_noise(means)
        return found

    def chosen(self) -> dict[str, float]:
        """The figure of the cell that was selected, per cent, by the names of `noise`."""
        found = {
            f"draw {cell['draw']}": 100 * cell[self.figure]
            for cell in self.cells
            if cell["rank"] == 1
        }
        if len(found) == len(self.draws) > 1:
            found["mean over draws"] = estimate(list(found.values())).mean
        return found

    def agreement(self) -> dict[str, Correlation | None]:
        """Correlation over cells of hyper-validation with the figure, by the names of `noise`."""
        found = {
            f"draw {draw}": _pearson(self.of_draw(draw), self.figure)
            for draw in self.draws
            if self.of_draw(draw)
        }
        if len(self.draws) > 1 and self.complete:
            means = [
                {
                    name: estimate([cell[name] for cell in self.at(place)]).mean
                    for name in (HYPER_VALIDATION, self.figure)
                }
                for place in self.complete
            ]
            found["mean over draws"] = _pearson(means, self.figure)
        return found


def grid_of(record: Record, k: int, figure: str) -> Grid:
    """The grid of one k; cells without the figure are left out."""
    cells = [cell for cell in record["cells"] if cell["k"] == k]
    betas, gammas, draws = (
        tuple(sorted({cell[axis] for cell in cells})) for axis in ("beta", "gamma", "draw")
    )
    there = tuple(cell for cell in cells if cell.get(figure) is not None)
    return Grid(k, figure, there, betas, gammas, draws)


def grid_k(record: Record) -> list[int]:
    """Every k that has cells, ascending."""
    return sorted({cell["k"] for cell in record["cells"]})


def main_grid(record: Record, k: int) -> Grid:
    """The grid as the paper has it, by test accuracy; by hyper-validation where none is there."""
    scored = grid_of(record, k, TEST)
    return scored if scored.cells else grid_of(record, k, HYPER_VALIDATION)


def paper_noise() -> Selection:
    """Selection noise of the paper's own grid."""
    return selection_noise([value / 100 for line in protocol.GRID for value in line])


def _pearson(cells: Sequence[Cell], figure: str) -> Correlation | None:
    return pearson([cell[HYPER_VALIDATION] for cell in cells], [cell[figure] for cell in cells])
