"""What MkDocs calls: tables from the code, formulas, and pages of files outside `docs/`.

`make docs` writes the tables first, see `site_tables.py`; `GRADMIX_TABLES` names their file.
"""

import json
import os
import posixpath
import re
from pathlib import Path
from typing import Any

import site_files
import site_maths
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

MARKER = re.compile(r"^<!-- made: (.*) -->$", re.MULTILINE)
HIDDEN = {"index.md": ["navigation"], "equations.md": ["toc"], "comparison.md": ["toc"]}
"""Columns of the theme that a page does without."""
TABLES: dict[str, str] = json.loads(Path(os.environ["GRADMIX_TABLES"]).read_text("utf-8"))


def folder_of(page: str) -> str:
    """The folder in the repository of a page's source."""
    here = site_files.PLACE + "/"
    path = page.removeprefix(here) if page.startswith(here) else f"docs/{page}"
    return posixpath.dirname(path)


def with_tables(markdown: str) -> str:
    """Markdown with what is made from the code."""
    return MARKER.sub(lambda found: TABLES[found[1]], markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside `docs/` that the pages link to."""
    texts = [
        (with_tables(file.content_string), folder_of(file.src_uri))
        for file in files.documentation_pages()
    ]
    for path, text in site_files.all_linked(texts).items():
        files.append(File.generated(config, site_files.page_of(path), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Tables, links and blocks of LaTeX; reports and sources stay out of the search."""
    source = page.file.src_uri
    if source.startswith((site_files.PLACE, "results/")):
        page.meta["search"] = {"exclude": True}
    page.meta["hide"] = HIDDEN.get(source, [])
    text = site_files.with_links(with_tables(markdown), folder_of(source), source)
    return site_maths.with_blocks(text)


def on_page_content(html: str, **_: Any) -> str:
    """LaTeX in a line."""
    return site_maths.with_inline(html)
