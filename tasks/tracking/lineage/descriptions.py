"""Descriptions on MLflow's pages of runs and models: lines of links, kept in order.

Text written there by users is kept.
"""

import re
from collections.abc import Sequence

from tasks.tracking.addresses import MODE

NOTE = "mlflow.note.content"
"""Tag that MLflow's pages show as the description, in Markdown."""

LONGEST = 20
"""Maximum links per line, as a model may be used by any number of reproductions."""

LETTERS = 6000
"""Maximum length of a description with its table; MLflow allows 8000, and links may be added."""

# Not lists, which would be hidden: the page folds a description after a few lines.
_BETWEEN = " · "


def link(text: str, page: str) -> str:
    """A Markdown link within MLflow's pages."""
    plain = re.sub(r"([\\\[\]*_`<>])", r"\\\1", text.replace(_BETWEEN, " "))
    return f"[{plain}]({page})"


def with_links(note: str, heading: str, links: Sequence[str]) -> str:
    """Add links to a note's line with a heading; new ones come first.

    Args:
        note: the note so far.
        heading: heading of the line, which is added at the end if missing.
        links: Markdown links; existing ones keep their places.
    """
    title = f"**{heading}:** "
    lines = note.split("\n") if note else []
    found = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
    if found is None:
        lines += [*([""] if lines else []), title]
        found = len(lines) - 1
    # Links of version 0.2 and earlier open MLflow's other mode.
    line = re.sub(r"\]\((#[^)?]*)\)", rf"](\1{MODE})", lines[found])
    listed = [item for item in line.removeprefix(title).split(_BETWEEN) if item]
    new = [item for item in dict.fromkeys(links) if item not in listed]
    lines[found] = title + _BETWEEN.join([*new, *listed][:LONGEST])
    return "\n".join(lines)


def with_table(note: str, table: str) -> str:
    """Replace a note's table of the same first column, or add one at the end.

    Args:
        note: the note so far; other tables in it are a person's.
        table: Markdown table; rows that would exceed MLflow's limit are left out.
    """
    lines, start = note.split("\n") if note else [], "|".join(table.split("|")[:2]) + "|"
    first = next((i for i, line in enumerate(lines) if line.startswith(start)), None)
    if first is None:
        lines += [""] if lines else []
        first = len(lines)
    last = first
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    rows, room = [], LETTERS - sum(map(len, lines[:first] + lines[last:]))
    for row in table.split("\n"):
        room -= len(row) + 1
        rows += [row] if room >= 0 else []
    return "\n".join([*lines[:first], *rows, *lines[last:]])
