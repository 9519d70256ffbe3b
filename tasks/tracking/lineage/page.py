"""A chain as one HTML page: raw data on the left, what was made of it to the right.

A card is a run with what it made; a line is data or a model that a run read. Both are links to
MLflow's pages. The page needs no script and no file from elsewhere.
"""

from collections.abc import Iterable, Mapping
from html import escape

from tasks.tracking.lineage.graph import Node, gaps
from tasks.tracking.lineage.layout import CHIP, GAP, HEAD, WIDTH, Card, Edge, lay_out

STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --line: #9aa5b1; --paper: #ffffff; --card: #ffffff;
  --shade: #f0f3f6; --edge: #d0d7de; --mark: #0072b2; --bad: #b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a3adb8; --line: #5a6572; --paper: #14181d; --card: #1d232a;
    --shade: #2a323b; --edge: #3a424c; --mark: #56b4e9; --bad: #ff8f80; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.25rem; color: var(--ink); background: var(--paper);
  font: 13px/1.35 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .3rem; }
p { margin: 0 0 .4rem; max-width: 70rem; color: var(--soft); }
p.gap { color: var(--bad); }
a { color: inherit; text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.graph { position: relative; }
.graph svg { position: absolute; inset: 0; }
path { fill: none; stroke: var(--line); stroke-width: 1.3; opacity: .55; }
path.wide { stroke: transparent; stroke-width: 9; }
svg a:hover path { stroke: var(--mark); stroke-width: 2.5; opacity: 1; }
svg a:hover path.wide { stroke: transparent; }
.card { position: absolute; border: 1px solid var(--edge); border-top: 4px solid var(--stage);
  border-radius: 6px; background: var(--card); overflow: hidden; }
.card:hover { z-index: 1; border-color: var(--stage); }
.head { display: block; height: 48px; padding: 4px 8px; overflow: hidden; font-weight: 600; }
.head small { display: block; font-weight: 400; color: var(--soft); }
.name { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
  line-height: 1.2; }
.chip { position: absolute; left: 8px; right: 8px; height: 20px; padding: 1px 8px;
  border-radius: 4px; background: var(--shade); white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; font-size: 12px; }
.chip.model { border-radius: 10px; }
.chip.marked { background: var(--mark); color: var(--paper); font-weight: 600; }
.chip.gap { color: var(--bad); outline: 1px dashed var(--bad); }
.raw { --stage: #6e7781; } .prepare, .split, .extract, .pictures, .features { --stage: #009e73; }
.train { --stage: #0072b2; } .pseudo_label, .enlarge { --stage: #d55e00; }
.select { --stage: #cc79a7; } .reproduction { --stage: var(--ink); } .other { --stage: #6e7781; }
table { border-collapse: collapse; margin-top: .5rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--edge); }
td a, p a { color: var(--mark); text-decoration: underline; }
summary { cursor: pointer; }
@media print { .scroll { overflow: visible; } }
"""
COLOURED = (
    *("raw", "prepare", "split", "extract", "pictures", "features"),
    *("train", "pseudo_label", "enlarge", "select", "reproduction"),
)
"""Stages that the style sheet knows."""


def lineage_page(
    chains: Iterable[Node], title: str, ui: str, lead: str = "", marks: Mapping[str, str] = {}
) -> str:
    """One page for one or several chains, which share their boxes.

    Args:
        chains: boxes with all that they were made from.
        title: heading of the page.
        ui: address of MLflow's pages.
        lead: a line under the heading.
        marks: words for models that stand out, such as the champion, by model id.
    """
    chains = list(chains)
    layout = lay_out(chains)
    broken = "".join(
        f'<p class="gap">Gap: {escape(line)}</p>'
        for line in dict.fromkeys(line for chain in chains for line in gaps(chain))
    )
    root = escape(ui.rstrip("/"))
    lines = "".join(_line(edge, root) for edge in layout.edges)
    drawn = "".join(_card(card, root, marks) for card in layout.cards)
    rows = "".join(_row(edge, root) for edge in layout.edges)
    size = f"width:{layout.width}px;height:{layout.height}px"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(lead)}</p>{broken}"
        "<p>Raw data on the left. A card is a run with what it made; a line is what a run read. "
        "Cards, what they made and lines open MLflow at "
        f'<a href="{root}" target="_blank">{root}</a>; in the view of artifacts, where MLflow '
        "opens no links, download the page first.</p>"
        f'<div class="scroll"><div class="graph" style="{size}">'
        f'<svg width="{layout.width}" height="{layout.height}">{lines}</svg>{drawn}</div></div>'
        f"<details><summary>The {len(layout.edges)} lines as a table</summary><table><tr>"
        f"<th>made by</th><th>what</th><th>read by</th></tr>{rows}</table></details></body></html>"
    )


def _line(edge: Edge, root: str) -> str:
    """A line that opens the run that read."""
    path = _path(edge)
    words = f"{edge.maker.box.name}: {edge.thing.name} → {edge.reader.box.name}"
    return (
        f'<a href="{root}/{escape(edge.reader.box.page)}" target="_blank"><title>{escape(words)}'
        f'</title><path class="wide" d="{path}"/><path d="{path}"/></a>'
    )


def _path(edge: Edge) -> str:
    """A line over the gaps between columns and straight through columns that it passes."""
    y = edge.maker.port(edge.thing)
    stops = [(lane.x, lane.middle, WIDTH) for lane in edge.via]
    path = f"M{edge.maker.x + WIDTH} {y:.1f}"
    for x, to, straight in [*stops, (edge.reader.x, edge.reader.y + HEAD / 2, 0)]:
        half = x - GAP / 2
        path += f"C{half:.0f} {y:.1f} {half:.0f} {to:.1f} {x} {to:.1f}h{straight}"
        y = to
    return path


def _card(card: Card, root: str, marks: Mapping[str, str]) -> str:
    box = card.box
    kind = (
        box.facts.get("stage", "").replace("_", " ")
        if box.kind == "run"
        else f"{box.facts.get('context', '')}"
    )
    where = "" if box.kind == "run" else f" · {box.facts.get('source', '')}"
    label = box.id[:8] if box.kind == "run" else f"sha256 {box.id[:8]}"
    place = f"left:{card.x}px;top:{card.y:.1f}px;width:{WIDTH}px;height:{card.height}px"
    words = f"{box.kind} {box.name}, {box.id}{where}. {box.gap}"
    return (
        f'<div class="card {_stage(box)}" style="{place}">'
        f'<a class="head" href="{root}/{escape(box.page)}" target="_blank" title="{escape(words)}">'
        f'<span class="name">{escape(box.name)}</span><small>{escape(kind)} {label}</small></a>'
        + "".join(_chip(made, number, root, marks) for number, made in enumerate(card.made))
        + "</div>"
    )


def _stage(box: Node) -> str:
    """Its colour's name."""
    stage = box.facts.get("stage", "raw" if box.kind == "dataset" else "")
    return stage if stage in COLOURED else "other"


def _chip(box: Node, number: int, root: str, marks: Mapping[str, str]) -> str:
    """A thing that a run made, with a link."""
    short = box.id[:10] if box.kind == "model" else f"sha256 {box.id[:8]}"
    text = f"model {short}" if box.kind == "model" else f"{box.name} · {short}"
    if box.id in marks:
        text = f"{marks[box.id]} · {text}"
    classes = f"chip {box.kind}{' marked' if box.id in marks else ''}{' gap' if box.gap else ''}"
    words = f"{box.kind} {box.name}, {box.id}. {box.facts.get('source', '')}"
    return (
        f'<a class="{classes}" style="top:{HEAD + CHIP * number - 4}px" target="_blank" '
        f'href="{root}/{escape(box.page)}" title="{escape(words)}">{escape(text)}</a>'
    )


def _row(edge: Edge, root: str) -> str:
    links = (
        f'<td><a href="{root}/{escape(box.page)}" target="_blank">{escape(box.name)}</a></td>'
        for box in (edge.maker.box, edge.thing, edge.reader.box)
    )
    return f"<tr>{''.join(links)}</tr>"
