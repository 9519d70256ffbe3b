"""The figures of a report, one function each, which draws a record."""

import statistics
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reporting.grid_numbers import Grid, grid_k, main_grid
from tasks.reporting.measures import measures, sample_noun
from tasks.reporting.paired import Difference
from tasks.reporting.record import Record
from tasks.reporting.render.plotting import COLOURS, GREY, LINES, MARKERS, draw, look, panels, short
from tasks.reporting.sections.curves import curve_k, curves_of, mean_curve
from tasks.reporting.sections.differences import pairs
from tasks.reporting.sections.ensemble_size import swept, swept_k
from tasks.reporting.sections.pseudo_labels import calibration, label_k, thresholds
from tasks.reporting.sections.studies import STARTS, by_size, rho_parts, size_parts, starts
from tasks.reporting.stats.estimates import estimate


def draw_figure(name: str, record: Record) -> str:
    """A figure of `FIGURES` as an `<svg>` element.

    Raises:
        KeyError: if there is no figure of that name.
    """
    return draw(name, FIGURES[name], record)


def differences(record: Record) -> Figure:
    """Forest plot: the reference row minus each other, with 95 % intervals, by k and measure."""
    found = {measure: pairs(record, measure) for measure in measures(record)}
    # The measures of one k are next to each other.
    ks = next(iter(found.values()))
    drawn = [(measure, k, by_k[k]) for k in ks for measure, by_k in found.items()]
    names = list(dict.fromkeys(pair.other for *_, some in drawn for pair in some))
    figure, axes = panels([0.55 + 0.24 * len(names)] * len(drawn), columns=2)
    for axis, (measure, k, some) in zip(axes, drawn, strict=True):
        _forest(axis, some, names)
        axis.set_title(f"k = {k}, {measure.name}" if len(found) > 1 else f"k = {k}")
    reference = drawn[0][2][0].row
    figure.supxlabel(f"{short(reference)} minus the row, points", fontsize=10)
    return figure


def grid(record: Record) -> Figure:
    """Heat maps of the grid, one panel per k."""
    grids = [main_grid(record, k) for k in grid_k(record)]
    figure, axes = panels([0.7 + 0.36 * len(grid.betas) for grid in grids], same_x=False)
    for axis, one in zip(axes, grids, strict=True):
        _heat_map(figure, axis, one)
    return figure


def loss_curves(record: Record) -> Figure:
    """Figure 3: loss on hyper-validation against epochs, one panel per k."""
    ks = curve_k(record)
    figure, axes = panels([2.3] * len(ks))
    for axis, k in zip(axes, ks, strict=True):
        for place, (name, curves) in enumerate(curves_of(record, k).items()):
            style = look(place)
            for curve in curves:
                epochs, losses = mean_curve([curve])
                axis.plot(epochs, losses, color=style["color"], linewidth=0.6, alpha=0.45)
            axis.plot(*mean_curve(curves), label=short(name), markevery=0.1, **style)
        axis.set(title=f"k = {k}", ylabel="loss")
    axes[0].legend()
    axes[-1].set_xlabel("epoch of 100 steps")
    return figure


def ensemble_sizes(record: Record) -> Figure:
    """Figure 4: test accuracy against R, one line per k."""
    figure, (axis,) = panels([3.2])
    ks = swept_k(record)
    for place, k in enumerate(ks):
        found = {r: estimate(list(values.values())) for r, values in swept(record, k).items()}
        axis.errorbar(
            # Shifted, as bars of two k would cover each other.
            [r + 0.05 * (place - (len(ks) - 1) / 2) for r in found],
            [figure.mean for figure in found.values()],
            [figure.standard_error or 0.0 for figure in found.values()],
            capsize=3,
            label=f"k = {k}",
            **look(place),
        )
    axis.set_xticks(sorted({r for k in ks for r in swept(record, k)}))
    axis.set(xlabel="R, models in the ensemble", ylabel="test accuracy, %")
    axis.legend(ncols=min(4, len(ks)))
    return figure


def reliability(record: Record) -> Figure:
    """Reliability diagram of the soft labels, one series per k."""
    figure, (axis,) = panels([4.0])
    axis.plot(
        [0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="perfectly calibrated"
    )
    for place, k in enumerate(label_k(record, "calibration")):
        bins, style = calibration(record, k), look(place)
        confidence, accuracy = [b.confidence for b in bins], [b.accuracy for b in bins]
        whole = sum(b.n for b in bins)
        axis.plot(confidence, accuracy, color=style["color"], linestyle=style["linestyle"])
        axis.scatter(
            confidence,
            accuracy,
            s=[25 + 175 * b.n / whole for b in bins],
            color=style["color"],
            marker=style["marker"],
            edgecolor="white",
            alpha=0.85,
            label=f"k = {k}",
            zorder=3,
        )
    axis.set(xlabel="mean confidence", ylabel="share correct", xlim=(0, 1.03), ylim=(0, 1.05))
    axis.legend(loc="upper left")
    return figure


def threshold_curves(record: Record) -> Figure:
    """Coverage and precision against the threshold, one panel per k."""
    ks = label_k(record, "thresholds")
    used = record.settings["ensemble"]["threshold"]
    figure, axes = panels([2.2] * len(ks))
    for axis, k in zip(axes, ks, strict=True):
        found = thresholds(record, k)
        values = [one.threshold for one in found]
        for place, name in enumerate(("precision", "coverage")):
            shares = [getattr(one, name) for one in found]
            points = [np.nan if share is None else 100 * share for share in shares]
            axis.plot(values, points, label=name, **look(place))
        axis.axvline(used, color=GREY, linestyle=":", linewidth=1.2, label=f"used: {used:g}")
        axis.set(title=f"k = {k}", ylabel="%")
    axes[0].legend(ncols=3, fontsize=8.5)
    axes[-1].set_xlabel("confidence threshold")
    return figure


def rho(record: Record) -> Figure:
    """Change of the loss against rho: one panel per start, one colour per k."""
    by_start = starts(rho_parts(record))
    figure, axes = panels([2.6] * len(by_start), same_x=False)
    for axis, (name, parts) in zip(axes, by_start.items(), strict=True):
        for place, k in enumerate(sorted({part.k for part in parts})):
            probes = [probe for part in parts if part.k == k for probe in part.probes]
            axis.scatter(
                [probe.rho for probe in probes],
                [probe.change for probe in probes],
                s=12,
                alpha=0.55,
                linewidth=0,
                rasterized=True,
                color=COLOURS[place % len(COLOURS)],
                marker=MARKERS[place % len(MARKERS)],
                label=f"k = {k}",
            )
        axis.axhline(0, color=GREY, linewidth=1)
        axis.set(title=STARTS.get(name, name), ylabel="change of the loss")
    axes[0].legend(ncols=4, markerscale=2)
    axes[-1].set_xlabel("rho of the mini-batch")
    return figure


def selection_sizes(record: Record) -> Figure:
    """Test accuracy of the selected cell against the size of hyper-validation."""
    parts = size_parts(record)
    ks = sorted({part.k for part in parts})
    figure, axes = panels([2.3] * len(ks))
    for axis, k in zip(axes, ks, strict=True):
        of_k = [part for part in parts if part.k == k]
        found = by_size(of_k)
        means, spreads = (
            np.array([100 * statistics.fmean(one) for one in values])
            for values in (
                [[entry.test_accuracy for entry in some] for some in found.values()],
                [[entry.deviation for entry in some] for some in found.values()],
            )
        )
        axis.fill_between(list(found), means - spreads, means + spreads, color="#0072B2", alpha=0.2)
        axis.plot(list(found), means, label="selected cell", **look(0))
        levels = {
            "best cell": [part.best for part in of_k],
            "picked at random": [part.mean for part in of_k],
        }
        for place, (said, values) in enumerate(levels.items()):
            level, line = 100 * statistics.fmean(values), LINES[1 + 2 * place]
            axis.axhline(level, color=COLOURS[1 + place], linestyle=line, label=said)
        axis.set(title=f"k = {k}", ylabel="test accuracy, %", xscale="log")
        axis.set_xticks(list(found), [f"{size:,}" for size in found])
        axis.minorticks_off()
    axes[0].legend(ncols=3, fontsize=8.5, loc="lower right")
    axes[-1].set_xlabel(f"hyper-validation {sample_noun(record)}s that select")
    return figure


def _forest(axis: Axes, found: Sequence[Difference], names: Sequence[str]) -> None:
    for pair in found:
        place = names.index(pair.other)
        low, high = pair.points.interval or (pair.points.mean, pair.points.mean)
        significant = pair.points.interval is not None and not low <= 0 <= high
        axis.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.6)
        axis.plot(
            [pair.points.mean],
            [place],
            marker="o" if significant else "s",
            markerfacecolor=COLOURS[0] if significant else "white",
            color=COLOURS[0],
        )
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_yticks(range(len(names)), [short(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")


def _heat_map(figure: Figure, axis: Axes, one: Grid) -> None:
    means = [[one.mean((beta, gamma)) for gamma in one.gammas] for beta in one.betas]
    values = np.array([[np.nan if m is None else 100 * m for m in line] for line in means])
    image = axis.imshow(values, cmap="cividis", aspect="auto")
    figure.colorbar(image, ax=axis, shrink=0.9, pad=0.02).outline.set_visible(False)
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for row, beta in enumerate(one.betas):
        for column, gamma in enumerate(one.gammas):
            value = values[row, column]
            if not np.isnan(value):
                star = "★" if one.selected((beta, gamma)) else ""
                colour = "black" if value > middle else "white"
                size = 9 if len(one.gammas) < 7 else 7
                text = f"{value:.2f}{star}"
                axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    axis.set_xticks(range(len(one.gammas)), [f"{gamma:g}" for gamma in one.gammas])
    axis.set_yticks(range(len(one.betas)), [f"{beta:g}" for beta in one.betas])
    axis.set(title=f"k = {one.k}", xlabel="gamma", ylabel="beta")
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)


FIGURES: dict[str, Callable[[Record], Figure]] = {
    "differences": differences,
    "grid": grid,
    "figure-3": loss_curves,
    "figure-4": ensemble_sizes,
    "calibration": reliability,
    "thresholds": threshold_curves,
    "rho": rho,
    "sizes": selection_sizes,
}
"""Drawing functions by name of the file."""
