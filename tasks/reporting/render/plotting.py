"""Style of figures (colours, markers, sizes), and drawing as SVG for any page."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 5.4
"""In inches; text stays legible at 330 pixels, the width of a phone."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, distinguishable if colour-blind; without yellow, which is too pale."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
GREY = "#6B6B6B"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    # Text as outlines, equal on every machine. Tables and CSV have the figures as text.
    "svg.fonttype": "path",
    "svg.hashsalt": "gradmix",
    # Do not treat a dollar sign in a name as maths.
    "text.parse_math": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    # Resolution of rasterised parts: clouds of dots.
    "savefig.dpi": 150,
}


def look(place: int) -> dict[str, Any]:
    """Colour, marker and line style of a series; no two series differ by colour alone."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def panels(
    heights: list[float], *, columns: int = 1, same_x: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per height in inches, in at most `columns` columns.

    Panels next to each other share their y axis, and those in a column may share their x axis.
    """
    columns = min(columns, len(heights))
    rows = heights[::columns]
    figure = Figure(figsize=(WIDTH, sum(rows) + 0.35), layout="constrained")
    axes = figure.subplots(
        len(rows),
        columns,
        squeeze=False,
        sharex="col" if same_x else "none",
        sharey="row" if columns > 1 else "none",
        gridspec_kw={"height_ratios": rows},
    )
    for spare in axes.flat[len(heights) :]:
        spare.remove()
    return figure, list(axes.flat[: len(heights)])


def short(name: str, letters: int = 26) -> str:
    """Shorten a name to leave room for the drawing."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def draw(name: str, function: Callable[..., Figure], *given: object) -> str:
    """Draw a figure as one `<svg>` element, with the same bytes every time.

    Its ids begin with `name`, so that a page can hold several drawings.
    """
    buffer = io.StringIO()
    with mpl.rc_context(), warnings.catch_warnings():
        # Ignore the user's `matplotlibrc`, which may be in the working directory.
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        # A character that the font lacks is drawn as a box; the tables have it.
        warnings.filterwarnings("ignore", message="Glyph")
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        function(*given).savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r"\n\s*", "\n", svg).strip() + "\n"
