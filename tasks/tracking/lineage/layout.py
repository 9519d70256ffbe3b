"""Layout of a chain's cards and lines, in columns from raw data to the right.

A card is a run with what it made. A line that passes through a column has its own place there,
shared by all lines of the same thing, so that no line runs behind a card.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from tasks.tracking.lineage.graph import Node, boxes

PAGE, MARGIN = 1240, 12
WIDTHS, GAPS = (120, 232), (26, 64)
HEAD, CHIP, PAD, LANE, SPACE = 66, 24, 8, 2, 14
"""Pixels: height of a card's head, of each item in it, padding, height of a lane, spacing.

Above, widths: of the page, of its margin, and the least and most of a card and of a gap.
"""
SWEEPS = 8
"""Number of times columns are sorted by their connections."""


@dataclass(eq=False)
class Spot:
    """A place in a column; `x` and `y` are its left and upper edge."""

    column: int = 0
    x: int = 0
    y: float = 0.0
    height: int = LANE

    @property
    def middle(self) -> float:
        """Vertical centre."""
        return self.y + self.height / 2


@dataclass(eq=False)
class Card(Spot):
    """A run and what it made, or data not made by a run."""

    box: Node = field(kw_only=True)
    made: list[Node] = field(default_factory=list)

    def fit(self) -> None:
        """Set the height for the items in the card."""
        self.height = HEAD + CHIP * len(self.made) + (PAD if self.made else 0)

    def port(self, made: Node) -> float:
        """Height at which an item's line starts; the card's centre if it is not a run."""
        keys = [box.key for box in self.made]
        if made.key not in keys:
            return self.middle
        return self.y + HEAD + CHIP * keys.index(made.key) + (CHIP - 4) / 2


@dataclass(eq=False)
class Edge:
    """What a run read: `thing`, made by the card `maker`, read by the card `reader`.

    Attributes:
        maker: card where the line starts.
        thing: data or a model.
        reader: card where the line ends.
        via: lanes it passes through, from left to right.
    """

    maker: Card
    thing: Node
    reader: Card
    via: list[Spot] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Placed cards and lines, the size of the whole, of a card, and of the gap between columns."""

    cards: list[Card]
    edges: list[Edge]
    width: int
    height: int
    card: int
    gap: int


def lay_out(chains: Iterable[Node]) -> Layout:
    """Place the boxes of one or more chains, which may share them."""
    cards, edges = _drawn(chains)
    _choose_columns(cards, edges)
    columns: dict[int, list[Spot]] = defaultdict(list)
    for spot in [*cards, *_lanes(edges)]:
        columns[spot.column].append(spot)
    tallest = max(map(_tall, columns.values()), default=0)
    _choose_heights(columns, edges, tallest)
    count = max(columns, default=0) + 1
    card, gap = _sizes(count)
    for spot in (spot for column in columns.values() for spot in column):
        spot.x = MARGIN + spot.column * (card + gap)
    width = 2 * MARGIN + count * (card + gap) - gap
    return Layout(cards, edges, width, tallest + 2 * MARGIN, card, gap)


def _sizes(columns: int) -> tuple[int, int]:
    """Widths of a card and of the gap between columns, which fit the page if possible."""
    pitch = (PAGE - 2 * MARGIN) / columns
    gap = min(max(int(pitch / 5), GAPS[0]), GAPS[1])
    return min(max(int(pitch) - gap, WIDTHS[0]), WIDTHS[1]), gap


def _drawn(chains: Iterable[Node]) -> tuple[list[Card], list[Edge]]:
    """Cards and lines of the boxes; models, and data with a producer, are on its card."""
    found = {box.key: box for chain in chains for box in boxes(chain)}
    alone = {key: box for key, box in found.items() if box.kind == "run" or not box.inputs}
    cards = {key: Card(box=box) for key, box in alone.items()}
    for box in found.values():
        if box.key not in cards:
            cards[box.inputs[0].key].made.append(box)
    edges = []
    for card in cards.values():
        card.fit()
        for thing in card.box.inputs:
            maker = cards[thing.inputs[0].key if thing.key not in cards else thing.key]
            edges.append(Edge(maker, thing, card))
    return list(cards.values()), edges


def _choose_columns(cards: list[Card], edges: list[Edge]) -> None:
    """Set columns by the longest path from raw data, which go before their first reader."""
    for _ in cards:
        wrong = [edge for edge in edges if edge.reader.column <= edge.maker.column]
        for edge in wrong:
            edge.reader.column = max(edge.reader.column, edge.maker.column + 1)
        if not wrong:
            break
    for card in cards:
        readers = [edge.reader.column for edge in edges if edge.maker is card]
        if card.box.kind == "dataset" and readers:
            card.column = min(readers) - 1


def _lanes(edges: list[Edge]) -> list[Spot]:
    """A place for each thing in each column its lines pass through."""
    lanes: dict[tuple[tuple[str, str], int], Spot] = {}
    for edge in edges:
        for column in range(edge.maker.column + 1, edge.reader.column):
            lane = lanes.setdefault((edge.thing.key, column), Spot(column))
            edge.via.append(lane)
    return list(lanes.values())


def _choose_heights(columns: dict[int, list[Spot]], edges: list[Edge], tallest: int) -> None:
    """Sort each column by the mean height of its connections, sweeping back and forth."""
    before: dict[Spot, set[Spot]] = defaultdict(set)
    after: dict[Spot, set[Spot]] = defaultdict(set)
    for edge in edges:
        way = [edge.maker, *edge.via, edge.reader]
        for one, other in pairwise(way):
            after[one].add(other)
            before[other].add(one)
    for sweep in range(SWEEPS):
        for number in sorted(columns, reverse=sweep % 2 == 1):
            joined = after if sweep % 2 else before
            if sweep:
                columns[number].sort(key=lambda spot: _pull(spot, joined[spot]))
            _stack(columns[number], tallest)


def _pull(spot: Spot, others: set[Spot]) -> float:
    """Mean height of a spot's connections; its own if there are none."""
    middles = [other.middle for other in others]
    return sum(middles) / len(middles) if middles else spot.middle


def _tall(column: list[Spot]) -> int:
    return sum(spot.height + SPACE for spot in column) - SPACE


def _stack(column: list[Spot], tallest: int) -> None:
    """Stack a column, vertically centred on the page."""
    y = MARGIN + (tallest - _tall(column)) / 2
    for spot in column:
        spot.y = y
        y += spot.height + SPACE
