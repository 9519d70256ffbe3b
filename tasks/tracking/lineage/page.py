"""A chain as one HTML page: raw data on the left, results on the right.

A card is a run with what it made; a line is data or a model read by a run. Both link to MLflow's
pages. The page needs no script and no other file.
"""

from collections.abc import Iterable, Mapping

from tasks.pages import render
from tasks.tracking.lineage.graph import Node, gaps
from tasks.tracking.lineage.layout import CHIP, GAP, HEAD, WIDTH, Card, Edge, lay_out

COLOURED = (
    *("raw", "prepare", "split", "extract", "pictures", "features"),
    *("train", "pseudo_label", "enlarge", "select", "reproduction"),
)
"""Stages that the style sheet knows."""


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
    return render(
        "lineage.html",
        title=title,
        lead=lead,
        root=ui.rstrip("/"),
        gaps=list(dict.fromkeys(line for chain in chains for line in gaps(chain))),
        width=layout.width,
        height=layout.height,
        lines=[_line(edge) for edge in layout.edges],
        cards=[_card(card, marks) for card in layout.cards],
        edges=layout.edges,
    )


def _line(edge: Edge) -> dict[str, str]:
    """A line, which links to the run that read it."""
    return {
        "page": edge.reader.box.page,
        "path": _path(edge),
        "words": f"{edge.maker.box.name}: {edge.thing.name} → {edge.reader.box.name}",
    }


def _path(edge: Edge) -> str:
    """SVG path of a line: curved between columns, straight through them."""
    y = edge.maker.port(edge.thing)
    stops = [(lane.x, lane.middle, WIDTH) for lane in edge.via]
    path = f"M{edge.maker.x + WIDTH} {y:.1f}"
    for x, to, straight in [*stops, (edge.reader.x, edge.reader.y + HEAD / 2, 0)]:
        half = x - GAP / 2
        path += f"C{half:.0f} {y:.1f} {half:.0f} {to:.1f} {x} {to:.1f}h{straight}"
        y = to
    return path


def _card(card: Card, marks: Mapping[str, str]) -> dict[str, object]:
    box = card.box
    is_run = box.kind == "run"
    where = "" if is_run else f" · {box.facts.get('source', '')}"
    return {
        "stage": _stage(box),
        "place": (f"left:{card.x}px;top:{card.y:.1f}px;width:{WIDTH}px;height:{card.height}px"),
        "page": box.page,
        "name": box.name,
        "kind": box.facts.get("stage" if is_run else "context", "").replace("_", " "),
        "label": box.id[:8] if is_run else f"sha256 {box.id[:8]}",
        "words": f"{box.kind} {box.name}, {box.id}{where}. {box.gap}",
        "chips": [_chip(made, number, marks) for number, made in enumerate(card.made)],
    }


def _stage(box: Node) -> str:
    """Name of its colour."""
    stage = box.facts.get("stage", "raw" if box.kind == "dataset" else "")
    return stage if stage in COLOURED else "other"


def _chip(box: Node, number: int, marks: Mapping[str, str]) -> dict[str, object]:
    """An item made by a run, with a link."""
    short = box.id[:10] if box.kind == "model" else f"sha256 {box.id[:8]}"
    text = f"model {short}" if box.kind == "model" else f"{box.name} · {short}"
    marked = f"{marks[box.id]} · " if box.id in marks else ""
    return {
        "classes": f"chip {box.kind}{' marked' if marked else ''}{' gap' if box.gap else ''}",
        "top": HEAD + CHIP * number - 4,
        "page": box.page,
        "words": f"{box.kind} {box.name}, {box.id}. {box.facts.get('source', '')}",
        "text": f"{marked}{text}",
    }
