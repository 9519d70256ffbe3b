"""The report's section on the first stage: the grid, and whether its best cell means anything."""

from collections.abc import Mapping
from typing import Any

from tasks.reporting.results import NONE, Record, Selection, percent, plural, selection_noise
from tasks.reporting.small_samples import estimate, expected_lift
from tasks.reporting.text_tables import markdown_table

Cell = Mapping[str, Any]


def grid_section(record: Record) -> str:
    """Per k: mean accuracy of every cell over draws, the selected ones, and selection noise."""
    ks = sorted({cell["k"] for cell in record["cells"]})
    if not ks:
        return ""
    r = record["settings"]["ensemble"]["r"]
    parts = [
        "## First stage: the grid over beta and gamma",
        "Accuracy in per cent on hyper-validation, mean over draws; the test split is not opened "
        f"for cells. `(n)`: among the top {r} of n draws, whose ensemble makes the pseudo-labels. "
        "Bold: the best cell of at least one draw, which is the model in the table.",
        "Below each grid, what picking alone gives: the expected largest of as many equal normal "
        "cells with the same mean and sd. Equal cells would have their best above it in about half "
        "of the draws; a best cell near or below it is no sign that its beta and gamma matter.",
    ]
    for k in ks:
        parts += _one_k(record, k)
    return "\n\n".join(parts)


def _one_k(record: Record, k: int) -> list[str]:
    cells = [cell for cell in record["cells"] if cell["k"] == k]
    draws = sorted({cell["draw"] for cell in cells})
    betas, gammas = (sorted({cell[axis] for cell in cells}) for axis in ("beta", "gamma"))
    places = [(beta, gamma) for beta in betas for gamma in gammas]
    at = {
        place: [cell for cell in cells if (cell["beta"], cell["gamma"]) == place]
        for place in places
    }
    table = [
        [f"beta {beta:g}", *(_cell_text(at[beta, gamma]) for gamma in gammas)] for beta in betas
    ]
    noise = {
        f"draw {draw}": selection_noise(
            [cell["accuracy"] for cell in cells if cell["draw"] == draw]
        )
        for draw in draws
    }
    complete = [found for found in at.values() if len(found) == len(draws)]
    parts = [
        f"### k = {k}, {plural(len(draws), 'draw')}",
        markdown_table(["", *(f"gamma {gamma:g}" for gamma in gammas)], table),
    ]
    missing = [place for place in places if len(at[place]) < len(draws)]
    if missing:
        names = "; ".join(f"beta {beta:g}, gamma {gamma:g}" for beta, gamma in missing)
        parts.append(f"**Incomplete:** not in every draw: {names}.")
    said = _finding(list(noise.values()))
    if len(draws) > 1 and complete:
        noise["mean over draws"] = selection_noise([_mean(found) for found in complete])
    header = ["", "cells", "mean", "sd between cells", "best cell", "expected best of equal cells"]
    lines = [[name, *_noise_line(figures)] for name, figures in noise.items()]
    return [*parts, markdown_table(header, lines), said]


def _mean(cells: list[Cell]) -> float:
    return estimate([cell["accuracy"] for cell in cells]).mean


def _cell_text(cells: list[Cell]) -> str:
    if not cells:
        return NONE
    text = percent(_mean(cells))
    ranks = [cell["rank"] for cell in cells if cell["rank"] is not None]
    if 1 in ranks:
        text = f"**{text}**"
    return f"{text} ({len(ranks)})" if ranks else text


def _noise_line(figures: Selection) -> list[str]:
    spread, expected = figures.deviation, figures.expected
    return [
        str(figures.cells),
        f"{figures.mean:.2f}",
        NONE if spread is None else f"{spread:.2f}",
        f"{figures.best:.2f}",
        NONE if expected is None else f"{expected:.2f}",
    ]


def _finding(draws: list[Selection]) -> str:
    """How often the best cell stands out from selection noise."""
    told = [figures for figures in draws if figures.expected is not None and figures.deviation]
    if not told:
        return "Too few cells, or no spread between them: there is no noise of selection to tell."
    above = sum(figures.best > (figures.expected or 0.0) for figures in told)
    counts = sorted({figures.cells for figures in told})
    lifts = ", ".join(f"{expected_lift(count):.2f} sd for {count} cells" for count in counts)
    return (
        f"Picking alone lifts the best above the mean by {lifts}. "
        f"The best cell lies above that in {above} of {plural(len(told), 'draw')}."
    )
