"""One self-contained HTML page from a Markdown report and its drawings."""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from tasks.pages import render
from tasks.reporting.render.captions import PICTURES

CITATIONS = ("https://arxiv.org/abs/",)
"""Addresses that a report may link to, in addition to those of runs."""

BRIEF, LONG = 10, 40
"""Letters up to which a table cell is never wrapped, and from which on it may always be."""

PICTURE = re.compile(rf"{PICTURES}/([\w-]+)\.svg")


def html_page(markdown: str, drawings: Mapping[str, str], pages: str | None) -> str:
    """Make a self-contained page, which fetches nothing.

    Args:
        markdown: the report; HTML in it is shown as text.
        drawings: `<svg>` elements by name, which replace the Markdown's pictures by name.
        pages: prefix of the addresses of runs; links to anything except runs, citations and
            places in the page are shown as text.
    """
    reader = _Reader([*CITATIONS, *([pages] if pages else [])])
    tokens = reader.parse(markdown)
    _mark(tokens)
    headings = _name_headings(tokens)
    first = next((i for i, token in enumerate(tokens) if _opens(token, "h2")), len(tokens))
    head, body = (
        reader.renderer.render(part, reader.options, {"drawings": drawings})
        for part in (tokens[:first], tokens[first:])
    )
    title = next((_words(token) for token in tokens if token.type == "inline"), "")
    return render("report.html", title=title, headings=headings, head=head, body=body)


def pictures(markdown: str) -> list[str]:
    """Names of the pictures in a report, in order."""
    return list(
        dict.fromkeys(re.findall(rf"^!\[.*\]\({PICTURE.pattern}\)$", markdown, re.MULTILINE))
    )


class _Reader(MarkdownIt):
    """Markdown with tables, without HTML, and only with links to known places."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("commonmark", {"html": False})
        self._allowed = tuple(allowed)
        self.enable("table")
        rules: dict[str, Callable[..., str]] = {
            "image": _image,
            "table_open": _table_open,
            "table_close": _table_close,
        }
        for name, rule in rules.items():
            self.add_render_rule(name, rule)

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the base class's name
        """Whether a link or picture is allowed."""
        return url.startswith(self._allowed) or bool(PICTURE.fullmatch(url))


def _opens(token: Token, tag: str) -> bool:
    return token.type == "heading_open" and token.tag == tag


def _words(token: Token) -> str:
    """Text of a line without markup."""
    return "".join(child.content for child in token.children or ())


def _mark(tokens: Sequence[Token]) -> None:
    """Turn paragraphs with one picture into figures, and mark cells by length."""
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        children = token.children or []
        if before.type == "paragraph_open" and [child.type for child in children] == ["image"]:
            before.tag = after.tag = "figure"
        elif before.type in {"td_open", "th_open"}:
            letters = len(_words(token))
            if letters <= BRIEF or letters > LONG:
                before.attrSet("class", "brief" if letters <= BRIEF else "long")


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give every section an id; returns ids and titles for the table of contents."""
    found: list[tuple[str, str]] = []
    for token, line in pairwise(tokens):
        if _opens(token, "h2"):
            name = f"section-{len(found) + 1}"
            token.attrSet("id", name)
            found.append((name, _words(line)))
    return found


def _image(
    _: RendererHTML, tokens: Sequence[Token], place: int, __: object, env: Mapping[str, Any]
) -> str:
    token = tokens[place]
    found = PICTURE.fullmatch(str(token.attrs["src"]))
    drawing: str | None = env["drawings"].get(found[1]) if found else None
    if drawing is None:
        return escape(token.content)
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(token.content)}" ', 1)


def _table_open(*_: object) -> str:
    return '<div class="scroll" tabindex="0">\n<table>\n'


def _table_close(*_: object) -> str:
    return "</table>\n</div>\n"
