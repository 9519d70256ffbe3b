"""The graph of a chain as a page: places, lines and links."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tasks.tracking.lineage.graph import Node, boxes, graph, narrowed
from tasks.tracking.lineage.layout import PAGE, SPACE, WIDTHS, lay_out
from tasks.tracking.lineage.page import lineage_page

UI = "http://127.0.0.1:5999"


def box(kind, name, *inputs, **facts):
    gap = facts.pop("gap", "")
    return Node(kind, f"id-{kind}-{name}", name, facts, inputs, gap, f"#/{kind}/{name}")


def run(name, *inputs):
    return box("run", name, *inputs, stage=name.rstrip("0123456789"))


@pytest.fixture
def chain():
    """Raw -> prepare -> data -> split -> V, U; five members; labels; final on nearly all of it."""
    data = box("dataset", "data", run("prepare", box("dataset", '<raw> & "x"', context="raw")))
    split = run("split", data)
    v, u = box("dataset", "V", split), box("dataset", "U", split)
    members = [box("model", f"m{i}", run(f"train{i}", data, v)) for i in range(5)]
    labels = box("dataset", "labels", run("pseudo_label", u, *members))
    return box("model", "final", run("train9", data, v, labels))


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attributes))


def test_a_line_leads_to_the_right_and_runs_behind_no_card(chain):
    layout = lay_out([chain])
    for edge in layout.edges:
        way = [edge.maker, *edge.via, edge.reader]
        assert [spot.column for spot in way] == list(
            range(edge.maker.column, edge.reader.column + 1)
        )
    spots = {*layout.cards, *(spot for edge in layout.edges for spot in edge.via)}
    for column in {spot.column for spot in spots}:
        inside = sorted((s for s in spots if s.column == column), key=lambda s: s.y)
        for upper, lower in pairwise(inside):
            assert lower.y - (upper.y + upper.height) >= SPACE - 1e-6
    assert max(s.y + s.height for s in spots) <= layout.height
    assert max(card.x for card in layout.cards) + layout.card <= layout.width


def test_a_graph_of_eight_columns_fits_the_page_and_a_longer_one_stays_readable():
    def columns(count):
        node = box("dataset", "raw")
        for number in range(count - 1):
            node = box("model", f"m{number}", run(f"r{number}", node))
        return lay_out([node])

    assert columns(8).width <= PAGE < columns(8).width + 60
    assert columns(1).card == columns(3).card == WIDTHS[1]
    assert columns(12).card == WIDTHS[0]


def test_data_are_called_what_they_are_by_all_of_their_readers():
    split = box("run", "k=3 draw=1: split", box("dataset", "raw"), stage="split")
    data = box("dataset", "S2", split)
    target = replace(data, name="target")
    held_out = box("dataset", "hyper_validation", run("prepare", target))
    text = lineage_page([run("train", data, held_out)], "t", UI)
    assert ">S2 and target</a>" in text
    assert ">hyper-validation</a>" in text
    assert '<span class="name">split</span><small>k=3 draw=1 · split</small>' in text
    assert "Made from S2 and target, hyper-validation." in text
    assert "sha256" not in text


def test_columns_are_by_the_longest_way_from_raw_data(chain):
    columns = {card.box.name: card.column for card in lay_out([chain]).cards}
    first = {'<raw> & "x"': 0, "prepare": 1, "split": 2}
    members = {f"train{i}": 3 for i in range(5)}
    assert columns == {**first, **members, "pseudo_label": 4, "train9": 5}


def test_every_recorded_edge_is_one_line_or_lies_on_its_card(chain):
    layout = lay_out([chain])
    read = {(edge.thing.id, edge.reader.box.id) for edge in layout.edges}
    made = {(card.box.id, thing.id) for card in layout.cards for thing in card.made}
    recorded = {(edge["from"], edge["to"]) for edge in graph(chain)["edges"]}
    assert read | made == recorded
    assert len(layout.edges) == len(read)


def test_every_box_and_line_of_the_page_is_a_link_to_mlflow(chain):
    page = Page(lineage_page([chain], "t", UI))
    links = [link["href"] for link in page.links]
    assert {f"{UI}/{node.page}" for node in boxes(chain)} <= set(links)
    assert all(link.startswith(UI) for link in links)
    assert page.tags.count("path") == 2 * len(lay_out([chain]).edges)
    assert all(link["target"] == "_blank" for link in page.links)


def test_the_page_needs_nothing_from_elsewhere_and_takes_names_as_they_are(chain):
    text = lineage_page([chain], "a <b>", UI, "lead <i>", {"id-model-final": "champion"})
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "b", "i"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "<raw>" not in text
    assert '<raw> & "x"' in unescape(text)
    assert "marked" in text
    assert ">champion</a>" in text


def test_a_break_in_the_chain_is_on_the_page():
    lost = box("dataset", "lost", gap="no run produced it")
    text = lineage_page([run("train1", lost)], "t", UI)
    assert "Gap: dataset lost (id-dataset-lost): no run produced it" in text
    assert '<p class="gap">' not in lineage_page([run("train1")], "t", UI)


def test_chains_share_their_boxes(chain):
    (final,) = chain.inputs
    other = box("model", "second", run("train8", *final.inputs))
    layout = lay_out([chain, other])
    assert len(layout.cards) == len(lay_out([chain]).cards) + 1


def test_a_narrowed_run_keeps_its_data_and_the_models_that_are_meant():
    data, one, two = box("dataset", "d"), box("model", "one"), box("model", "two")
    whole = run("reproduction", data, one, two)
    assert narrowed(whole, [two.id]).inputs == (data, two)
    assert whole.inputs == (data, one, two)


def test_colours_are_those_of_the_style_sheet(chain):
    text = lineage_page([chain], "t", UI)
    used = set(re.findall(r'<div class="card (\w+)"', text))
    assert {"raw", "prepare", "split", "train", "pseudo_label"} == used
    assert all(f".{stage}" in text for stage in used)
