"""The report's section on the first stage: the grid, and whether its best cell means anything."""

from collections.abc import Sequence

from data.counting import counted
from tasks.reporting import paper as protocol
from tasks.reporting.grid_numbers import (
    HYPER_VALIDATION,
    TEST,
    Grid,
    Place,
    grid_k,
    grid_of,
    main_grid,
    paper_noise,
)
from tasks.reporting.measures import selected_by
from tasks.reporting.record import Record
from tasks.reporting.render.captions import how_to_read, picture
from tasks.reporting.result_table import NONE, Selection, asked, percent, v_name
from tasks.reporting.stats.estimates import expected_lift
from tasks.reporting.stats.paired_tests import correlation_text
from tasks.reporting.text_tables import markdown_table

NAMES = {TEST: "Test accuracy", HYPER_VALIDATION: "Accuracy on hyper-validation"}

NOISE = ["", "cells", "mean", "sd between cells", "best cell", "expected best of equal cells"]


def grid_section(record: Record) -> str:
    """Mean accuracy of each cell over draws, selected cells, and selection noise, per k."""
    ks = grid_k(record)
    if not ks or not asked(record, "tables", 2):
        return ""
    scored = any(main_grid(record, k).figure == TEST for k in ks)
    parts = ["## Table 2: the grid over beta and gamma", *_opening(record, scored=scored)]
    if any(len(grid_of(record, k, HYPER_VALIDATION).places) > 2 for k in ks):
        parts += [_heat_map(record, ks), how_to_read("heat map")]
    for k in ks:
        grid = main_grid(record, k)
        draws = f", {counted(len(grid.draws), 'draw')}" if record.labelled is None else ""
        parts.append(f"### {v_name(record, k)}{draws}")
        parts += _one_grid(grid)
        if grid.figure == TEST:
            parts += _one_grid(grid_of(record, k, HYPER_VALIDATION))
        parts.append(how_to_read("grid"))
    if record.experiment == protocol.GRID_EXPERIMENT:
        parts += _papers(whole=protocol.GRID_K in ks)
    return "\n\n".join(parts)


def _opening(record: Record, *, scored: bool) -> list[str]:
    opened = (
        "The test split was opened for the cells after everything had been selected."
        if scored
        else "The test split is not opened for cells."
    )
    columns = [
        "Selected cell: test accuracy of the cell chosen on hyper-validation. Correlation: over "
        "cells, between accuracy on hyper-validation and test (Pearson, with Fisher's 95 % "
        "interval); near 0, hyper-validation cannot tell these cells apart."
    ]
    return [
        f"First stage. Accuracy{selected_by(record)} in per cent, mean over draws. "
        f"{opened} `(n)`: among the top {record.settings['ensemble']['r']} of n draws on "
        "hyper-validation, whose ensemble makes the pseudo-labels. Bold: the best cell on "
        "hyper-validation of at least one draw, which is the model in the table.",
        "Below each grid, what picking alone gives: the expected largest of as many equal normal "
        "cells with the same mean and sd. Equal cells would have their best above it in about half "
        "of the draws; a best cell near or below it is no sign that its beta and gamma matter.",
        *(columns if scored else []),
    ]


def _heat_map(record: Record, ks: Sequence[int]) -> str:
    kind = NAMES[main_grid(record, ks[0]).figure]
    return picture(
        "grid",
        f"Heat map of the grid: {kind.lower()}, mean over draws, of every beta and gamma, a panel "
        f"for each k ({', '.join(map(str, ks))}). The tables below have every cell.",
    )


def _one_grid(grid: Grid) -> list[str]:
    noise = grid.noise()
    table = [
        [f"beta {beta:g}", *(_cell_text(grid, (beta, gamma)) for gamma in grid.gammas)]
        for beta in grid.betas
    ]
    header, lines = _noise_table(grid, noise)
    parts = [
        f"{NAMES[grid.figure]}:",
        markdown_table(["", *(f"gamma {gamma:g}" for gamma in grid.gammas)], table),
        *_missing(grid),
        markdown_table(header, lines),
    ]
    draws = [figures for name, figures in noise.items() if name != "mean over draws"]
    return [*parts, _finding(draws)]


def _missing(grid: Grid) -> list[str]:
    complete = grid.complete
    missing = [place for place in grid.places if place not in complete]
    if not missing:
        return []
    names = "; ".join(f"beta {beta:g}, gamma {gamma:g}" for beta, gamma in missing)
    return [f"**Incomplete:** not in every draw: {names}."]


def _cell_text(grid: Grid, place: Place) -> str:
    mean = grid.mean(place)
    if mean is None:
        return NONE
    text = percent(mean)
    ranks = [cell.rank for cell in grid.at(place) if cell.rank is not None]
    if grid.selected(place):
        text = f"**{text}**"
    return f"{text} ({len(ranks)})" if ranks else text


def _noise_table(grid: Grid, noise: dict[str, Selection]) -> tuple[list[str], list[list[str]]]:
    lines = [[name, *_noise_line(figures)] for name, figures in noise.items()]
    if grid.figure != TEST:
        return NOISE, lines
    chosen, agreement = grid.chosen(), grid.agreement()
    for line in lines:
        value = chosen.get(line[0])
        line += [NONE if value is None else f"{value:.2f}"]
        line += [correlation_text(agreement.get(line[0]))]
    return [*NOISE, "selected cell", "correlation"], lines


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
    """How often the best cell exceeds selection noise."""
    told = [figures for figures in draws if figures.expected is not None and figures.deviation]
    if not told:
        return "Too few cells, or no spread between them, to estimate selection noise."
    above = sum(figures.best > (figures.expected or 0.0) for figures in told)
    counts = sorted({figures.cells for figures in told})
    lifts = ", ".join(f"{expected_lift(count):.2f} sd for {count} cells" for count in counts)
    return (
        f"Picking alone lifts the best above the mean by {lifts}. "
        f"The best cell lies above that in {above} of {counted(len(told), 'draw')}."
    )


def _papers(*, whole: bool) -> list[str]:
    """The paper's grid with the same statistics; in full if ours has its k."""
    parts = [f"### The paper's own grid (k = {protocol.GRID_K})"]
    if whole:
        lines = [
            [f"beta {beta}", *(_paper_cell(beta, gamma, value) for gamma, value in pairs)]
            for beta, line in zip(protocol.GRID_BETA, protocol.GRID, strict=True)
            for pairs in [zip(protocol.GRID_GAMMA, line, strict=True)]
        ]
        header = ["", *(f"gamma {gamma:g}" for gamma in protocol.GRID_GAMMA)]
        parts += [
            "The paper's Table 2: test accuracy in per cent, mean over 10 runs; bold: its top "
            "three, as marked there.",
            markdown_table(header, lines),
        ]
    noise = paper_noise()
    parts += [
        markdown_table(NOISE, [["paper, mean over 10 runs", *_noise_line(noise)]]),
        f"Its best cell, which is its Table 1's GradMix, lies {noise.best - noise.mean:.2f} points "
        f"above the mean of the cells; the best of {noise.cells} equal cells would lie "
        f"{(noise.expected or noise.mean) - noise.mean:.2f} above it.",
        how_to_read("paper grid"),
    ]
    return parts


def _paper_cell(beta: int, gamma: float, value: float) -> str:
    return f"**{value:.2f}**" if (beta, gamma) in protocol.GRID_SELECTED else f"{value:.2f}"
