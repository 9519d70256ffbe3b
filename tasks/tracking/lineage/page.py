"""A chain as one HTML page: raw data on the left, results on the right.

A card is a run with what it made; a line is data or a model read by a run. Both link to MLflow's
pages. The page needs no script and no other file.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tasks.pages import render
from tasks.tracking.lineage.graph import Node, gaps
from tasks.tracking.lineage.layout import CHIP, HEAD, Card, Edge, Layout, lay_out

COLOURED = (
    *("raw", "prepare", "split", "extract", "pictures", "features"),
    *("train", "pseudo_label", "enlarge", "select", "reproduction"),
)
"""Stages that the style sheet knows."""

CALLED = {
    "V": "V, labelled",
    "U": "U, unlabelled",
    "hyper_validation": "hyper-validation",
    "pseudo_labels": "pseudo-labels",
    "test": "test split",
}
"""Plain words for the names that stages give to data; other names are plain already."""

OF_DRAW = re.compile(r"(k=\d+ draw=\d+): (.+)")
"""Names of runs of one draw."""


def lineage_page(
    chains: Iterable[Node], title: str, ui: str, lead: str = "", marks: Mapping[str, str] = {}
) -> str:
    """Make a page for one or more chains, which may share boxes.

    Args:
        chains: boxes with everything they were made from.
        title: heading of the page.
        ui: address of MLflow's pages.
        lead: a line under the heading.
        marks: labels of highlighted models, such as the champion, by model id.
    """
    chains = list(chains)
    layout = lay_out(chains)
    names = _names(layout)
    return render(
        "lineage.html",
        title=title,
        lead=lead,
        root=ui.rstrip("/"),
        gaps=list(dict.fromkeys(line for chain in chains for line in gaps(chain))),
        width=layout.width,
        height=layout.height,
        lines=[_line(edge, layout) for edge in layout.edges],
        cards=[
            _card(card, layout, names, marks)
            for card in sorted(layout.cards, key=lambda card: (card.column, card.y))
        ],
        edges=layout.edges,
    )


def _names(layout: Layout) -> Mapping[tuple[str, str], str]:
    """Names of data, from all of their readers; the same bytes may have two roles."""
    names: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for edge in layout.edges:
        name = edge.thing.name
        names[edge.thing.key][CALLED.get(name, name)] = None
    return {key: " and ".join(sorted(found)) for key, found in names.items()}


def _line(edge: Edge, layout: Layout) -> dict[str, str]:
    """A line, which links to the run that read it."""
    return {
        "page": edge.reader.box.page,
        "path": _path(edge, layout),
        "words": f"{edge.maker.box.name}: {edge.thing.name} → {edge.reader.box.name}",
    }


def _path(edge: Edge, layout: Layout) -> str:
    """SVG path of a line: curved between columns, straight through them."""
    y = edge.maker.port(edge.thing)
    stops = [(lane.x, lane.middle, layout.card) for lane in edge.via]
    path = f"M{edge.maker.x + layout.card} {y:.1f}"
    for x, to, straight in [*stops, (edge.reader.x, edge.reader.y + HEAD / 2, 0)]:
        half = x - layout.gap / 2
        path += f"C{half:.0f} {y:.1f} {half:.0f} {to:.1f} {x} {to:.1f}h{straight}"
        y = to
    return path


def _card(
    card: Card,
    layout: Layout,
    names: Mapping[tuple[str, str], str],
    marks: Mapping[str, str],
) -> dict[str, object]:
    box = card.box
    of_draw = OF_DRAW.fullmatch(box.name)
    draw, name = of_draw.groups() if of_draw else ("", box.name)
    read = (edge.thing for edge in layout.edges if edge.reader is card)
    is_run = box.kind == "run"
    where = "" if is_run else f" · {box.facts.get('source', '')}"
    return {
        "stage": _stage(box),
        "place": (
            f"left:{card.x}px;top:{card.y:.1f}px;width:{layout.card}px;height:{card.height}px"
        ),
        "page": box.page,
        "name": name,
        "kind": " · ".join(filter(None, [draw, _kind(box)])),
        "read": ", ".join(dict.fromkeys(_thing(thing, names) for thing in read)),
        "words": f"{box.kind} {box.name}, {box.id}{where}. {box.gap}",
        "chips": [_chip(made, number, names, marks) for number, made in enumerate(card.made)],
    }


def _stage(box: Node) -> str:
    """Name of its colour."""
    stage = box.facts.get("stage", "raw" if box.kind == "dataset" else "")
    return stage if stage in COLOURED else "other"


def _kind(box: Node) -> str:
    """What a card stands for: a stage, raw data, or data without a known producer."""
    if box.kind == "run":
        return box.facts.get("stage", "").replace("_", "-")
    return f"{box.facts.get('context', '')} data".strip() if box.kind == "dataset" else "model"


def _thing(box: Node, names: Mapping[tuple[str, str], str]) -> str:
    """Name of an input."""
    if box.kind == "model":
        return box.inputs[0].name if box.inputs else box.name
    return names.get(box.key, box.name)


def _chip(
    box: Node, number: int, names: Mapping[tuple[str, str], str], marks: Mapping[str, str]
) -> dict[str, object]:
    """An item made by a run, with a link."""
    marked = marks.get(box.id)
    text = marked or ("model" if box.kind == "model" else names.get(box.key, box.name))
    return {
        "classes": f"chip {box.kind}{' marked' if marked else ''}{' gap' if box.gap else ''}",
        "top": HEAD + CHIP * number - 4,
        "page": box.page,
        "words": f"{box.kind} {box.name}, {box.id}. {box.facts.get('source', '')}",
        "text": text,
    }
