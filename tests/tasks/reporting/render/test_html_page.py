"""The HTML page: self-contained, well-formed, escaped, the same bytes every time."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tasks.reporting.render.html_page import html_page, pictures
from tasks.reporting.report import markdown_report, write_report
from tests.tasks.reporting.typed import typed

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Reader(HTMLParser):
    """Collects what a browser would fetch or open; checks that every element is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.references, self.ids, self.tags = [], [], [], []
        self.words, self.cells, self.labels = [], [], []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.references += [
            value for name, value in attrs if name in {"src", "href", "xlink:href", "srcset"}
        ]
        self.ids += [given["id"]] if "id" in given else []
        if tag == "svg":
            self.labels.append(given.get("aria-label"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.cells[-1] += data


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@cache
def written(record):
    """The page and the names of the figures' files; drawing costs seconds."""
    with TemporaryDirectory() as folder:
        paths = write_report(typed(json.loads(record)), Path(folder))
        page = Path(folder, "report.html").read_text(encoding="utf-8")
    return page, sorted(path.stem for path in paths if path.suffix == ".svg")


@pytest.fixture
def page(full):
    return written(json.dumps(full))[0]


def test_the_page_fetches_nothing_and_links_only_to_runs_and_citations(page):
    found = read(page)
    allowed = ("#", "data:image/png;base64,", "http://127.0.0.1:5000/#/experiments/1/runs")
    others = [r for r in found.references if not r.startswith((*allowed, "https://arxiv.org/abs/"))]
    assert others == []
    assert "script" not in found.tags
    assert "link" not in found.tags
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_ids_are_unique_and_every_reference_in_the_page_leads_somewhere(page):
    found = read(page)
    assert len(set(found.ids)) == len(found.ids)
    inside = [r[1:] for r in found.references if r.startswith("#")]
    inside += re.findall(r"url\(#([^)]+)\)", page)
    assert len(inside) > 20
    assert set(inside) <= set(found.ids)


def test_every_heading_stands_in_the_contents(page, full):
    headings = re.findall(r"^## (.*)$", markdown_report(typed(full)), flags=re.MULTILINE)
    contents = re.findall(r'<li><a href="#section-\d+">(.*?)</a>', page)
    assert contents == headings
    assert len(headings) == 15


def test_every_line_of_every_table_is_in_the_page(page, full):
    cells = set(read(page).cells)
    for line in markdown_report(typed(full)).splitlines():
        if line.startswith("|") and "---" not in line:
            for cell in re.split(r"(?<!\\)\|", line)[1:-1]:
                plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell).replace("**", "").replace("`", "")
                assert plain.strip() in cells


def test_every_figure_is_there_with_words_for_those_who_do_not_see_it(page, full):
    names = pictures(typed(markdown_report(typed(full))))
    assert names == [
        *("differences", "grid", "figure-3", "figure-4", "calibration", "thresholds", "rho"),
        "sizes",
    ]
    assert written(json.dumps(full))[1] == sorted(names)
    labels = read(page).labels
    assert len(labels) == len(names)
    assert all(label and len(label) > 60 for label in labels)
    assert "rank correlation -0.80 (-0.80 to -0.80) in 6 draws" in labels[6]


def test_names_from_the_record_are_text_and_nothing_else(full, tmp_path):
    evil = "<script>alert(1)</script> & $x$ [a](http://evil/) ![b](http://evil/i.png) </title>"
    full["title"] = evil
    for row in full["rows"]:
        if row["row"] == "Joint":
            row["row"] = evil
    write_report(typed(full), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = read(page)
    assert "script" not in found.tags
    assert "img" not in found.tags
    assert not any("evil" in reference for reference in found.references)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.split("</title>")[0]
    assert "<script>alert(1)</script>" in "".join(found.words)


def test_links_that_only_look_like_runs_are_text():
    pages = "http://127.0.0.1:5000/#/experiments/1/runs/"
    text = f"# T\n\n[a]({pages}x) [b](http://127.0.0.1:5000.evil/) [c](javascript:alert(1))\n"
    assert read(html_page(text, {}, pages)).references == [f"{pages}x"]
    assert read(html_page(text, {}, None)).references == []


def test_the_same_record_gives_the_same_bytes(page, full, tmp_path):
    write_report(typed(full), tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


def test_an_old_record_gives_a_page_too(record, tmp_path):
    names = [path.name for path in write_report(typed(record), tmp_path)]
    assert "report.html" in names
    assert "curves.csv" not in names
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = read(page)
    assert len(found.labels) == 2
    assert "not in the record" not in page
    assert not [r for r in found.references if not r.startswith(("#", "data:image/png;base64,"))]


def test_the_page_can_be_read_on_a_phone_and_in_print(page):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert page.count("<table>") == page.count('<div class="scroll" tabindex="0">\n<table>')
    assert "@media print" in page
    assert "position: sticky" in page
    assert '<html lang="en">' in page
